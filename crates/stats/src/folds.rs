//! Scores of resampled training sets: folds and repeated splits share images, so their spread
//! understates the error of their mean.

use super::means::MeanDifference;
use super::moments::Moments;

/// Returns the standard error of the mean of `scores` scores with standard deviation `sd`, each from
/// its own split, `test_to_train` the ratio of test to training images: √(1/J + n₂/n₁) · SD (Nadeau
/// & Bengio 2003, <https://doi.org/10.1023/A:1024068626366>).
///
/// Without the second term the error is that of independent data, which folds are not: training
/// sets overlap.
///
/// ```
/// // Five folds of cross-validation: test sets are a quarter of the training sets.
/// let se = gridbench_stats::resampled_se(0.02, 5, 0.25);
/// assert!((se - 0.02 * 0.45_f64.sqrt()).abs() < 1e-15);
/// ```
#[must_use]
pub fn resampled_se(sd: f64, scores: usize, test_to_train: f64) -> f64 {
    sd * (1.0 / scores as f64 + test_to_train).sqrt()
}

/// Returns the mean of `values` (scores, or differences of two settings, split by split) with the
/// corrected error of [`resampled_se`] on J − 1 degrees of freedom: the corrected resampled t-test.
///
/// Nothing for fewer than two values, one that is not finite, or a negative ratio.
///
/// ```
/// let differences = [0.012, 0.007, -0.001, 0.010, 0.004];
/// // d = np.array(differences); t = d.mean() / np.sqrt((1/5 + 1/4) * d.var(ddof=1))
/// // 2 * scipy.stats.t.sf(t, 4)
/// let found = gridbench_stats::corrected_resampled(&differences, 0.25).unwrap();
/// assert!((found.p_two_sided - 0.136_344_393_109_254_6).abs() < 1e-12);
/// ```
#[must_use]
pub fn corrected_resampled(values: &[f64], test_to_train: f64) -> Option<MeanDifference> {
    let moments = Moments::of(values)?;
    let se = resampled_se(moments.sd?, moments.n, test_to_train);
    (test_to_train >= 0.0).then(|| MeanDifference::new(moments.mean, se, (moments.n - 1) as f64))
}

#[cfg(test)]
mod tests {
    use super::super::against_number;
    use super::super::testing::assert_close;
    use super::*;

    #[test]
    fn independent_scores_need_no_correction() {
        let values = [0.98, 0.97, 0.99, 0.985];
        let plain = against_number(&values, 0.0).unwrap();
        let found = corrected_resampled(&values, 0.0).unwrap();
        assert_close(found.se, plain.se, 1e-15);
        assert_close(found.degrees_of_freedom, plain.degrees_of_freedom, 0.0);
        assert!(corrected_resampled(&values, 0.25).unwrap().se > found.se);
    }

    #[test]
    fn what_is_no_set_of_scores_has_no_error() {
        assert_eq!(corrected_resampled(&[0.5], 0.25), None);
        assert_eq!(corrected_resampled(&[0.5, f64::NAN], 0.25), None);
        assert_eq!(corrected_resampled(&[0.5, 0.6], -1.0), None);
    }
}
