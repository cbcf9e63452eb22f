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

/// Moves `values` away from their mean so far that the variance of it by the formula for independent
/// values, s²/n, is that of [`resampled_se`]: whatever is built on means and variances, paired
/// differences included, then has the corrected error. The mean stays; absent values count for nothing.
///
/// ```
/// let stretched = gridbench_stats::stretched(&[Some(0.90), None, Some(0.92), Some(0.97)], 0.5);
/// let values: Vec<f64> = stretched.into_iter().flatten().collect();
/// let found = gridbench_stats::Moments::of(&values).unwrap();
/// // np.array([.90, .92, .97]).std(ddof=1) * np.sqrt(1/3 + 1/2), times np.sqrt(3)
/// assert!((found.sd.unwrap() - 0.057_008_771_254_956_85).abs() < 1e-12);
/// assert!((found.mean - 0.93).abs() < 1e-12);
/// ```
#[must_use]
pub fn stretched(values: &[Option<f64>], test_to_train: f64) -> Vec<Option<f64>> {
    let there: Vec<f64> = values.iter().flatten().copied().collect();
    // Values without any spread keep that, which no mean of theirs would to the last bit.
    if there.windows(2).all(|pair| pair[0].to_bits() == pair[1].to_bits()) {
        return values.to_vec();
    }
    let n = there.len() as f64;
    let mean = there.iter().sum::<f64>() / n;
    let factor = (1.0 + n * test_to_train).sqrt();
    let stretch = |value: f64| mean + factor * (value - mean);
    values.iter().map(|value| value.map(stretch)).collect()
}

/// Returns values of repeats as whatever is built on means and variances is to see them: those of folds,
/// of which a repeat is one, are [`stretched`].
#[must_use]
pub fn for_tests(values: Vec<Option<f64>>, folds: Option<u32>) -> Vec<Option<f64>> {
    match folds {
        Some(folds) => stretched(&values, ratio_of_folds(folds)),
        None => values,
    }
}

/// Returns the ratio of test to training images of cross-validation with so many folds.
#[must_use]
pub fn ratio_of_folds(folds: u32) -> f64 {
    1.0 / f64::from(folds.max(2) - 1)
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
    fn paired_differences_of_stretched_scores_give_the_corrected_resampled_test() {
        let a = [0.912, 0.907, 0.899, 0.910, 0.904];
        let b = [0.900, 0.900, 0.900, 0.900, 0.900 - 0.000_5];
        let differences: Vec<f64> = a.iter().zip(&b).map(|(a, b)| a - b).collect();
        let wanted = corrected_resampled(&differences, 0.25).unwrap();
        let some = |values: &[f64]| values.iter().copied().map(Some).collect::<Vec<_>>();
        let (a, b) = (stretched(&some(&a), 0.25), stretched(&some(&b), 0.25));
        let far: Vec<f64> = a.iter().zip(&b).filter_map(|(a, b)| Some((*a)? - (*b)?)).collect();
        let found = against_number(&far, 0.0).unwrap();
        assert_close(found.se, wanted.se, 1e-15);
        assert_close(found.difference, wanted.difference, 1e-15);
        assert_close(found.p_two_sided, wanted.p_two_sided, 1e-12);
    }

    #[test]
    fn what_is_no_set_of_scores_has_no_error() {
        assert_eq!(corrected_resampled(&[0.5], 0.25), None);
        assert_eq!(corrected_resampled(&[0.5, f64::NAN], 0.25), None);
        assert_eq!(corrected_resampled(&[0.5, 0.6], -1.0), None);
    }
}
