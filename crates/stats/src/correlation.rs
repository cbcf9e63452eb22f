//! Pearson's correlation: do equal seeds pair two cells?

use serde::Serialize;

use super::distributions::{normal_quantile, t_two_sided};
use super::moments::Moments;

/// Pearson's correlation of two samples, value by value.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Correlation {
    /// The coefficient, from −1 to 1.
    pub coefficient: f64,
    /// Number of pairs.
    pub n: usize,
    /// Probability of so large a coefficient, either way, if there is no correlation.
    pub p_two_sided: f64,
    /// 95 % interval by Fisher's transformation; absent below four pairs.
    pub interval95: Option<(f64, f64)>,
}

/// Correlates `a` and `b`, pair by pair.
///
/// Nothing for samples of different length, below three pairs, without spread on a side, or for a
/// value that is not finite.
///
/// ```
/// // scipy.stats.pearsonr([2, 4, 7, 5.5], [1, 2.5, 6.5, 4]).statistic
/// let found = gridbench_stats::pearson(&[2.0, 4.0, 7.0, 5.5], &[1.0, 2.5, 6.5, 4.0]).unwrap();
/// assert!((found.coefficient - 0.981_494_752_728_367_5).abs() < 1e-12);
/// ```
#[must_use]
pub fn pearson(a: &[f64], b: &[f64]) -> Option<Correlation> {
    let n = a.len();
    if n != b.len() || n < 3 {
        return None;
    }
    let (first, second) = (Moments::of(a)?, Moments::of(b)?);
    let (sd_a, sd_b) = (first.sd?, second.sd?);
    if sd_a == 0.0 || sd_b == 0.0 {
        return None;
    }
    let products: f64 =
        a.iter().zip(b).map(|(x, y)| (x - first.mean) / sd_a * ((y - second.mean) / sd_b)).sum();
    let coefficient = (products / (n - 1) as f64).clamp(-1.0, 1.0);
    let freedom = (n - 2) as f64;
    let t = coefficient * (freedom / (1.0 - coefficient * coefficient)).sqrt();
    let interval95 = (n > 3).then(|| {
        let reach = normal_quantile(0.975) / ((n - 3) as f64).sqrt();
        let centre = coefficient.atanh();
        ((centre - reach).tanh(), (centre + reach).tanh())
    });
    Some(Correlation { coefficient, n, p_two_sided: t_two_sided(t, freedom), interval95 })
}

#[cfg(test)]
mod tests {
    use super::super::testing::{C, D, assert_close};
    use super::*;

    #[test]
    fn pearson_agrees_with_scipy() {
        // scipy.stats.pearsonr(c, d): .statistic, .pvalue, .confidence_interval(0.95)
        let found = pearson(&C, &D).unwrap();
        assert_close(found.coefficient, 0.399_401_017_537_779_4, 1e-12);
        assert_close(found.p_two_sided, 0.326_952_905_720_522, 1e-12);
        let (low, high) = found.interval95.unwrap();
        assert_close(low, -0.424_842_630_760_014_6, 1e-12);
        assert_close(high, 0.861_583_719_843_132, 1e-12);
    }

    #[test]
    fn a_sample_is_wholly_correlated_with_itself() {
        let found = pearson(&C, &C).unwrap();
        assert_close(found.coefficient, 1.0, 1e-12);
        assert!(found.p_two_sided < 1e-6);
    }

    #[test]
    fn what_cannot_be_paired_has_no_correlation() {
        assert_eq!(pearson(&C, &D[..7]), None);
        assert_eq!(pearson(&C[..2], &D[..2]), None);
        assert_eq!(pearson(&[1.0; 8], &D), None);
        assert_eq!(pearson(&[f64::NAN; 8], &D), None);
        assert_eq!(pearson(&C[..3], &D[..3]).unwrap().interval95, None);
    }
}
