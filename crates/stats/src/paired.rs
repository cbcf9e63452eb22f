//! Pairs: two settings trained from the same seed share some of its luck.
//!
//! Whether to pair is decided by the design alone, before any value is seen: choosing by the
//! correlation found or by the smaller p would break the level of the test.

use serde::Serialize;

use super::correlation::pearson;
use super::means::MeanDifference;
use super::moderated::Variance;
use super::moments::Moments;

/// Differences of pairs have fewer degrees of freedom than two samples; below so many in all cells
/// together that costs more than the pairs gain.
pub const MIN_PAIRED_FREEDOM: usize = 8;

/// Returns whether sides that hold exactly the same repeats are compared pair by pair: from
/// `cells` · (`repeats` − 1) ≥ [`MIN_PAIRED_FREEDOM`] on, and folds however few they are, since they are
/// the same data on both sides.
///
/// ```
/// use gridbench_stats::pairs_are_enough;
/// assert!(pairs_are_enough(1, 9, false) && pairs_are_enough(4, 3, false));
/// assert!(pairs_are_enough(1, 2, true) && !pairs_are_enough(1, 1, true));
/// assert!(!pairs_are_enough(1, 8, false) && !pairs_are_enough(20, 1, false));
/// ```
#[must_use]
pub fn pairs_are_enough(cells: usize, repeats: usize, are_folds: bool) -> bool {
    let least = if are_folds { 1 } else { MIN_PAIRED_FREEDOM };
    cells * repeats.saturating_sub(1) >= least
}

/// The differences of one cell, repeat by repeat.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Pairs {
    /// Repeats with a value on both sides, at least 1.
    pub n: usize,
    /// Mean of the first minus mean of the second, over those repeats.
    pub difference: f64,
    /// Variance of the differences.
    pub variance: Variance,
    /// Pearson's correlation of the two sides over the repeats; absent below three pairs and where
    /// a side has no spread.
    pub correlation: Option<f64>,
}

impl Pairs {
    /// Pairs the values of two sides by repeat; `None` stands for a trial that was lost or never
    /// run. Nothing without a pair or with a value that is not finite.
    ///
    /// # Panics
    /// If the sides do not have the same number of repeats.
    ///
    /// ```
    /// use gridbench_stats::Pairs;
    /// let a = [Some(2.0), Some(4.0), None, Some(7.0), Some(5.5)];
    /// let b = [Some(1.0), Some(2.5), Some(3.0), Some(6.5), Some(4.0)];
    /// // scipy.stats.ttest_rel([2, 4, 7, 5.5], [1, 2.5, 6.5, 4])
    /// let pairs = Pairs::of(&a, &b).unwrap();
    /// let test = pairs.test(pairs.variance).unwrap();
    /// assert_eq!(pairs.n, 4);
    /// assert!((test.p_two_sided - 0.018_219_854_743_222_39).abs() < 1e-12);
    /// // scipy.stats.pearsonr(…).statistic
    /// assert!((pairs.correlation.unwrap() - 0.981_494_752_728_367_5).abs() < 1e-12);
    /// ```
    #[must_use]
    pub fn of(a: &[Option<f64>], b: &[Option<f64>]) -> Option<Self> {
        assert_eq!(a.len(), b.len(), "both sides have the same repeats");
        let (x, y): (Vec<f64>, Vec<f64>) =
            a.iter().zip(b).filter_map(|(a, b)| Some(((*a)?, (*b)?))).unzip();
        let differences: Vec<f64> = x.iter().zip(&y).map(|(x, y)| x - y).collect();
        let moments = Moments::of(&differences)?;
        Some(Self {
            n: moments.n,
            difference: moments.mean,
            variance: Variance::of(&differences)?,
            correlation: pearson(&x, &y)
                .map(|found| found.coefficient)
                .filter(|r| x.len() > 2 && r.is_finite()),
        })
    }

    /// Tests the mean difference with a variance of the differences, its own or a moderated one.
    /// Nothing where no variance is known.
    #[must_use]
    pub fn test(&self, variance: Variance) -> Option<MeanDifference> {
        let se = (variance.variance / self.n as f64).sqrt();
        (variance.degrees_of_freedom > 0.0)
            .then(|| MeanDifference::new(self.difference, se, variance.degrees_of_freedom))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pair_needs_both_sides() {
        let found =
            Pairs::of(&[Some(1.0), None, Some(2.0)], &[None, Some(1.0), Some(1.5)]).unwrap();
        assert_eq!((found.n, found.correlation), (1, None));
        assert_eq!(found.test(found.variance), None, "one pair has no spread");
        assert_eq!(Pairs::of(&[None], &[Some(1.0)]), None);
        assert_eq!(Pairs::of(&[Some(f64::NAN)], &[Some(1.0)]), None);
    }

    #[test]
    fn equal_sides_differ_by_nothing() {
        let side = [Some(0.5), Some(0.25), Some(0.75)];
        let found = Pairs::of(&side, &side).unwrap();
        assert_eq!((found.difference.to_bits(), found.variance.variance.to_bits()), (0, 0));
        assert_eq!(found.test(found.variance).unwrap().p_two_sided.to_bits(), 1.0_f64.to_bits());
    }
}
