//! Differences of means: Welch's test, a sample against a published number, effect sizes.

use serde::Serialize;

use super::distributions::{t_cdf, t_quantile, t_two_sided};
use super::moderated::Variance;
use super::moments::{Moments, pooled_sd};

/// A difference of means and how sure it is.
///
/// Where neither side has any spread, `se` is 0: every interval has no width, and p is 1 for no
/// difference and otherwise that of the permutation test, which needs no spread.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct MeanDifference {
    /// Mean of the first minus mean of the second.
    pub difference: f64,
    /// Standard error of the difference.
    pub se: f64,
    /// Degrees of freedom (Satterthwaite's for Welch's test), more than 0.
    pub degrees_of_freedom: f64,
    /// Probability of a difference at least this large, either way, if there is none.
    pub p_two_sided: f64,
}

impl MeanDifference {
    /// Returns a difference with a known standard error on so many degrees of freedom.
    ///
    /// ```
    /// // 2 * scipy.stats.t.sf(2.0, 3.7)
    /// let found = gridbench_stats::MeanDifference::new(0.5, 0.25, 3.7);
    /// assert!((found.p_two_sided - 0.121_817_201_905_233_98).abs() < 1e-12);
    /// ```
    #[must_use]
    pub fn new(difference: f64, se: f64, degrees_of_freedom: f64) -> Self {
        let mut found = Self { difference, se, degrees_of_freedom, p_two_sided: 1.0 };
        found.p_two_sided = t_two_sided(found.t(0.0), degrees_of_freedom);
        found
    }

    /// Returns whether there is any spread to judge the difference by.
    #[must_use]
    pub fn has_spread(&self) -> bool {
        self.se > 0.0
    }

    /// Distance of the difference from `origin` in standard errors: 0 or infinite where the
    /// standard error is 0.
    fn t(&self, origin: f64) -> f64 {
        let distance = self.difference - origin;
        if distance == 0.0 { 0.0 } else { distance / self.se }
    }

    /// Returns the two-sided interval at `level`, for example 0.95.
    #[must_use]
    pub fn interval(&self, level: f64) -> (f64, f64) {
        let tail = 0.5 * (1.0 - level);
        (self.lower_bound(tail), self.upper_bound(tail))
    }

    /// Returns the bound the true difference lies below with probability `alpha`.
    #[must_use]
    pub fn lower_bound(&self, alpha: f64) -> f64 {
        self.difference - self.reach(alpha)
    }

    /// Returns the bound the true difference lies above with probability `alpha`.
    #[must_use]
    pub fn upper_bound(&self, alpha: f64) -> f64 {
        self.difference + self.reach(alpha)
    }

    fn reach(&self, alpha: f64) -> f64 {
        if self.se == 0.0 { 0.0 } else { -t_quantile(alpha, self.degrees_of_freedom) * self.se }
    }

    /// Returns the one-sided p of "the true difference is at most `margin`": small where it is
    /// larger.
    #[must_use]
    pub fn p_at_most(&self, margin: f64) -> f64 {
        t_cdf(-self.t(margin), self.degrees_of_freedom)
    }

    /// Returns the one-sided p of "the true difference is at least `margin`": small where it is
    /// smaller.
    #[must_use]
    pub fn p_at_least(&self, margin: f64) -> f64 {
        t_cdf(self.t(margin), self.degrees_of_freedom)
    }
}

/// A mean and how well it is known.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Estimate {
    /// The mean.
    pub mean: f64,
    /// The square of its standard error.
    pub squared_error: f64,
    /// Degrees of freedom of that; 0 where nothing is known of it.
    pub degrees_of_freedom: f64,
}

impl Estimate {
    /// Returns the mean of `n` values whose variance was estimated elsewhere, for example
    /// [moderated](super::moderate).
    #[must_use]
    pub fn new(mean: f64, n: usize, variance: Variance) -> Self {
        Self {
            mean,
            squared_error: variance.variance / n as f64,
            degrees_of_freedom: variance.degrees_of_freedom,
        }
    }

    /// Returns the difference of two independent means with Welch and Satterthwaite's degrees of
    /// freedom; nothing where the error of either is unknown.
    ///
    /// ```
    /// use gridbench_stats::{Estimate, Variance};
    /// let estimate = |values: &[f64]| {
    ///     let mean = values.iter().sum::<f64>() / values.len() as f64;
    ///     Estimate::new(mean, values.len(), Variance::of(values).unwrap())
    /// };
    /// // scipy.stats.ttest_ind([2, 4, 7], [1, 2, 2, 3], equal_var=False): .pvalue, .df
    /// let found = estimate(&[2.0, 4.0, 7.0]).minus(&estimate(&[1.0, 2.0, 2.0, 3.0])).unwrap();
    /// assert!((found.p_two_sided - 0.245_220_199_375_795_4).abs() < 1e-12);
    /// assert!((found.degrees_of_freedom - 2.318_620_689_655_172).abs() < 1e-12);
    /// ```
    #[must_use]
    pub fn minus(&self, other: &Self) -> Option<MeanDifference> {
        let known = self.degrees_of_freedom.min(other.degrees_of_freedom) > 0.0;
        let squared = self.squared_error + other.squared_error;
        let degrees_of_freedom = satterthwaite(self, other);
        known.then(|| {
            MeanDifference::new(self.mean - other.mean, squared.sqrt(), degrees_of_freedom)
        })
    }
}

/// Returns the degrees of freedom of the sum of two squared errors (Satterthwaite 1946); where both
/// are 0, those of both together.
pub(super) fn satterthwaite(a: &Estimate, b: &Estimate) -> f64 {
    let sum = a.squared_error + b.squared_error;
    if sum == 0.0 {
        return a.degrees_of_freedom + b.degrees_of_freedom;
    }
    // Shares of the variance, not variances: those of tiny spreads underflow when squared.
    let (share_a, share_b) = (a.squared_error / sum, b.squared_error / sum);
    1.0 / (share_a.powi(2) / a.degrees_of_freedom + share_b.powi(2) / b.degrees_of_freedom)
}

/// Compares the means of `a` and `b` without assuming equal variances (Welch 1947).
///
/// Nothing if either has fewer than two values or one that is not finite.
///
/// ```
/// let a = [0.9921, 0.9918, 0.9934, 0.9925, 0.9929, 0.9911];
/// let b = [0.9899, 0.9907, 0.9912, 0.9883];
/// // scipy.stats.ttest_ind(a, b, equal_var=False).pvalue
/// let found = gridbench_stats::welch(&a, &b).unwrap();
/// assert!((found.p_two_sided - 0.027_110_996_913_662_49).abs() < 1e-11);
/// ```
#[must_use]
pub fn welch(a: &[f64], b: &[f64]) -> Option<MeanDifference> {
    welch_from_moments(&Moments::of(a)?, &Moments::of(b)?)
}

/// Compares two means of which only the moments are known, such as published ones.
///
/// Nothing if either has fewer than two values.
///
/// ```
/// use gridbench_stats::{Moments, welch_from_moments};
/// // scipy.stats.ttest_ind_from_stats(99.641, 0.047, 30, 99.745, 0.02, 100, equal_var=False).statistic
/// let ours = Moments { n: 30, mean: 99.641, sd: Some(0.047) };
/// let theirs = Moments { n: 100, mean: 99.745, sd: Some(0.02) };
/// let found = welch_from_moments(&ours, &theirs).unwrap();
/// assert!((found.difference / found.se - -11.803_457_004_286_386).abs() < 1e-9);
/// ```
#[must_use]
pub fn welch_from_moments(a: &Moments, b: &Moments) -> Option<MeanDifference> {
    let (se_a, se_b) = (a.se()?, b.se()?);
    let (freedom_a, freedom_b) = ((a.n - 1) as f64, (b.n - 1) as f64);
    let se = se_a.hypot(se_b);
    let degrees_of_freedom = if se == 0.0 {
        freedom_a + freedom_b
    } else {
        // Shares of the variance, not variances: those of tiny spreads underflow when squared.
        let (share_a, share_b) = ((se_a / se).powi(2), (se_b / se).powi(2));
        1.0 / (share_a.powi(2) / freedom_a + share_b.powi(2) / freedom_b)
    };
    let mut found = MeanDifference::new(a.mean - b.mean, se, degrees_of_freedom);
    if se == 0.0 && found.difference != 0.0 {
        found.p_two_sided = p_of_separation(a.n, b.n);
    }
    Some(found)
}

/// Returns p of the permutation test, two-sided, where all values of a side are equal and the
/// sides differ: of all ways to divide the values only this one and, for sides of one size, the
/// reverse are as far apart.
fn p_of_separation(n: usize, m: usize) -> f64 {
    let (few, many) = (n.min(m), n.max(m));
    let ways: f64 = (1..=few).map(|i| (many + i) as f64 / i as f64).product();
    (if n == m { 2.0 } else { 1.0 }) / ways
}

/// Compares the mean of `values` with a number known without error (one-sample t-test).
///
/// Nothing if there are fewer than two values or one is not finite.
///
/// ```
/// let a = [0.9921, 0.9918, 0.9934, 0.9925, 0.9929, 0.9911];
/// // scipy.stats.ttest_1samp(a, 0.9918).pvalue
/// let found = gridbench_stats::against_number(&a, 0.9918).unwrap();
/// assert!((found.p_two_sided - 0.194_277_019_800_669_2).abs() < 1e-11);
/// ```
#[must_use]
pub fn against_number(values: &[f64], number: f64) -> Option<MeanDifference> {
    let moments = Moments::of(values)?;
    let freedom = (moments.n - 1) as f64;
    Some(MeanDifference::new(moments.mean - number, moments.se()?, freedom))
}

/// Returns Cohen's d: the difference of means in pooled standard deviations.
///
/// Nothing if either sample is empty, one value is not finite, or there is no spread to measure by.
///
/// ```
/// let a = [0.9921, 0.9918, 0.9934, 0.9925, 0.9929, 0.9911];
/// let b = [0.9899, 0.9907, 0.9912, 0.9883];
/// // (mean(a) - mean(b)) / sqrt((5 * var(a, ddof=1) + 3 * var(b, ddof=1)) / 8)
/// assert!((gridbench_stats::cohens_d(&a, &b).unwrap() - 2.251_551_177_709_917).abs() < 1e-10);
/// ```
#[must_use]
pub fn cohens_d(a: &[f64], b: &[f64]) -> Option<f64> {
    let difference = Moments::of(a)?.mean - Moments::of(b)?.mean;
    let (sd, _) = pooled_sd(&[a, b])?;
    (sd > 0.0).then(|| difference / sd)
}

#[cfg(test)]
mod tests {
    use super::super::permutation_test;
    use super::super::testing::assert_close;
    use super::*;

    const A: [f64; 6] = [0.9921, 0.9918, 0.9934, 0.9925, 0.9929, 0.9911];
    const B: [f64; 4] = [0.9899, 0.9907, 0.9912, 0.9883];

    #[test]
    fn welch_agrees_with_scipy() {
        // scipy.stats.ttest_ind(a, b, equal_var=False): .pvalue, .df, .confidence_interval(0.95)
        let found = welch(&A, &B).unwrap();
        assert_close(found.difference, 0.002_275, 1e-12);
        assert_close(found.se, 0.000_716_676_356_523_645_8, 1e-12);
        assert_close(found.degrees_of_freedom, 4.675_403_188_574_199, 1e-10);
        assert_close(found.p_two_sided, 0.027_110_996_913_662_49, 1e-11);
        let (low, high) = found.interval(0.95);
        assert_close(low, 0.000_393_581_704_007_369_6, 1e-11);
        assert_close(high, 0.004_156_418_295_992_907, 1e-11);
    }

    #[test]
    fn one_sided_tests_against_a_margin_agree_with_scipy() {
        // scipy.stats.ttest_ind(a - 0.003, b, equal_var=False, alternative='less' | 'greater')
        let found = welch(&A, &B).unwrap();
        assert_close(found.p_at_least(0.003), 0.180_587_889_594_182_8, 1e-11);
        assert_close(found.p_at_most(0.003), 0.819_412_110_405_817_2, 1e-11);
    }

    #[test]
    fn one_sided_bounds_are_the_ends_of_an_interval_of_twice_the_level() {
        // scipy.stats.ttest_ind(a, b, equal_var=False).confidence_interval(0.9)
        let found = welch(&A, &B).unwrap();
        assert_close(found.lower_bound(0.05), 0.000_808_417_284_301_034_8, 1e-11);
        assert_close(found.upper_bound(0.05), 0.003_741_582_715_699_241_4, 1e-11);
    }

    #[test]
    fn a_sample_against_a_number_agrees_with_scipy() {
        // scipy.stats.ttest_1samp(a, 0.9918): .pvalue, .confidence_interval(0.95) - 0.9918
        let found = against_number(&A, 0.9918).unwrap();
        assert_close(found.p_two_sided, 0.194_277_019_800_669_2, 1e-11);
        let (low, high) = found.interval(0.95);
        assert_close(low, 0.991_442_282_955_511_8 - 0.9918, 1e-11);
        assert_close(high, 0.993_157_717_044_488_3 - 0.9918, 1e-11);
    }

    #[test]
    fn cohens_d_divides_by_the_pooled_spread() {
        // (mean(a) - mean(b)) / sqrt((5 * var(a, ddof=1) + 3 * var(b, ddof=1)) / 8)
        assert_close(cohens_d(&A, &B).unwrap(), 2.251_551_177_709_917, 1e-10);
        assert_eq!(cohens_d(&[1.0, 1.0], &[2.0, 2.0]), None);
    }

    #[test]
    fn without_spread_p_is_that_of_the_permutation_test() {
        let same = welch(&[0.5; 3], &[0.5; 2]).unwrap();
        assert_eq!((same.p_two_sided, same.interval(0.95)), (1.0, (0.0, 0.0)));
        for (n, m) in [(2, 2), (3, 2), (3, 3), (5, 5), (2, 6)] {
            let (a, b) = (vec![0.5; n], vec![0.25; m]);
            let expected = permutation_test(&a, &b, 1).unwrap();
            assert!(expected.exact);
            assert_close(welch(&a, &b).unwrap().p_two_sided, expected.p_two_sided, 1e-12);
        }
        let other = welch(&[0.5; 3], &[0.25; 2]).unwrap();
        assert_eq!((other.has_spread(), other.interval(0.95)), (false, (0.25, 0.25)));
        assert_eq!((other.p_at_most(0.0), other.p_at_least(0.0)), (0.0, 1.0));
        assert_eq!((other.p_at_most(0.25), other.p_at_least(0.25)), (0.5, 0.5));
    }

    #[test]
    fn a_single_value_or_a_nan_cannot_be_compared() {
        assert_eq!(welch(&[1.0], &B), None);
        assert_eq!(welch(&A, &[]), None);
        assert_eq!(welch(&A, &[1.0, f64::NAN]), None);
        assert_eq!(against_number(&[1.0], 0.0), None);
    }

    #[test]
    fn tiny_spreads_keep_their_degrees_of_freedom() {
        let small = |values: &[f64]| values.iter().map(|v| v * 1e-150).collect::<Vec<_>>();
        let found = welch(&small(&[1.0, 2.0, 4.0]), &small(&[3.0, 5.0, 7.0])).unwrap();
        let expected = welch(&[1.0, 2.0, 4.0], &[3.0, 5.0, 7.0]).unwrap();
        assert_close(found.degrees_of_freedom, expected.degrees_of_freedom, 1e-12);
    }
}
