//! Many comparisons at once: adjusted p values, and the cells that cannot be told from the best.

use super::means::welch_from_moments;
use super::moments::Moments;

/// Returns the p values adjusted by Holm's step-down rule (Holm 1979): rejecting where the
/// adjusted value is at most α keeps the chance of any false rejection at α.
///
/// A NaN stays NaN and does not count as a comparison.
///
/// ```
/// // statsmodels.stats.multitest.multipletests(p, method='holm')[1]
/// let found = gridbench_stats::holm(&[0.01, 0.04, 0.03, 0.005, 0.6]);
/// for (found, expected) in found.into_iter().zip([0.04, 0.09, 0.09, 0.025, 0.6]) {
///     assert!((found - expected).abs() < 1e-15);
/// }
/// ```
#[must_use]
pub fn holm(p_values: &[f64]) -> Vec<f64> {
    let order = ascending(p_values);
    let mut adjusted = vec![f64::NAN; p_values.len()];
    let mut largest = 0.0_f64;
    for (rank, &index) in order.iter().enumerate() {
        let remaining = (order.len() - rank) as f64;
        largest = largest.max(p_values[index] * remaining).min(1.0);
        adjusted[index] = largest;
    }
    adjusted
}

/// Returns for every p value the level Holm's step-down rule compares it with: α/m for the
/// smallest of m, α/(m−1) for the next, and so on to the first that is not rejected; that one and
/// all larger ones share its level.
///
/// `p ≤ level` decides exactly as `holm(p) ≤ α` does, and a bound at this level excludes the
/// tested value exactly where the test rejects it. A NaN gets NaN.
///
/// ```
/// let levels = gridbench_stats::holm_levels(&[0.01, 0.04, 0.005], 0.05);
/// assert_eq!(levels, [0.05 / 2.0, 0.05, 0.05 / 3.0]);
/// ```
#[must_use]
pub fn holm_levels(p_values: &[f64], alpha: f64) -> Vec<f64> {
    step_down_levels(p_values, |_, remaining| alpha / remaining as f64)
}

/// As [`holm_levels`], for tests whose level also depends on which of them it is: `level` is told
/// its index and how many hypotheses remain, and grows as they become fewer.
///
/// As long as `level` keeps every single test at α/remaining over all of its looks, the chance of
/// any false rejection stays at α (Maurer & Bretz 2013,
/// <https://doi.org/10.1080/19466315.2013.807748>).
///
/// ```
/// // With a level of α over what remains, this is Holm's rule.
/// let levels = gridbench_stats::step_down_levels(&[0.01, 0.04], |_, remaining| 0.05 / remaining as f64);
/// assert_eq!(levels, [0.025, 0.05]);
/// ```
pub fn step_down_levels(p_values: &[f64], level: impl Fn(usize, usize) -> f64) -> Vec<f64> {
    let mut waiting = ascending(p_values);
    let mut levels = vec![f64::NAN; p_values.len()];
    loop {
        let remaining = waiting.len();
        let rejected = waiting.iter().position(|&index| {
            levels[index] = level(index, remaining);
            p_values[index] <= levels[index]
        });
        match rejected {
            Some(at) => waiting.remove(at),
            None => return levels,
        };
    }
}

/// Returns the p values adjusted by Benjamini and Hochberg's step-up rule (1995): rejecting where
/// the adjusted value is at most q keeps the expected share of false rejections at q.
///
/// A NaN stays NaN and does not count as a comparison.
///
/// ```
/// // statsmodels.stats.multitest.multipletests(p, method='fdr_bh')[1]
/// let found = gridbench_stats::benjamini_hochberg(&[0.01, 0.04, 0.03, 0.005, 0.6]);
/// for (found, expected) in found.into_iter().zip([0.025, 0.05, 0.05, 0.025, 0.6]) {
///     assert!((found - expected).abs() < 1e-15);
/// }
/// ```
#[must_use]
pub fn benjamini_hochberg(p_values: &[f64]) -> Vec<f64> {
    let order = ascending(p_values);
    let mut adjusted = vec![f64::NAN; p_values.len()];
    let mut smallest = 1.0_f64;
    for (rank, &index) in order.iter().enumerate().rev() {
        let scaled = p_values[index] * order.len() as f64 / (rank + 1) as f64;
        smallest = smallest.min(scaled);
        adjusted[index] = smallest;
    }
    adjusted
}

fn ascending(p_values: &[f64]) -> Vec<usize> {
    let mut order: Vec<usize> =
        (0..p_values.len()).filter(|&index| !p_values[index].is_nan()).collect();
    order.sort_by(|&a, &b| p_values[a].total_cmp(&p_values[b]));
    order
}

/// Marks the samples whose mean cannot be told from the best mean: Welch's test of each against
/// the best, two-sided, at level `alpha` by Holm over all of them.
///
/// The best itself is always marked. A sample of one value has no spread to judge by and is never
/// told apart, nor is any sample from a best of one value. Samples that are empty or hold a value
/// that is not finite are not marked. Only samples that can be tested count as comparisons.
#[must_use]
pub fn inseparable_from_best(samples: &[&[f64]], higher_is_better: bool, alpha: f64) -> Vec<bool> {
    let moments: Vec<Option<Moments>> = samples.iter().map(|sample| Moments::of(sample)).collect();
    let better = |a: &Moments, b: &Moments| {
        if higher_is_better { a.mean > b.mean } else { a.mean < b.mean }
    };
    let mut best: Option<(usize, Moments)> = None;
    for (index, moments) in moments.iter().enumerate() {
        if let Some(moments) = moments
            && best.as_ref().is_none_or(|(_, best)| better(moments, best))
        {
            best = Some((index, *moments));
        }
    }
    let Some((best_index, best)) = best else {
        return vec![false; samples.len()];
    };
    let p_values: Vec<f64> = moments
        .iter()
        .enumerate()
        .map(|(index, moments)| match moments {
            Some(moments) if index != best_index => {
                welch_from_moments(moments, &best).map_or(f64::NAN, |found| found.p_two_sided)
            }
            _ => f64::NAN,
        })
        .collect();
    let is_apart = holm(&p_values).into_iter().map(|adjusted| adjusted <= alpha);
    moments.iter().zip(is_apart).map(|(moments, apart)| moments.is_some() && !apart).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::testing::assert_close;
    use super::*;

    const P: [f64; 5] = [0.01, 0.04, 0.03, 0.005, 0.6];

    #[test]
    fn adjusted_values_agree_with_statsmodels() {
        // statsmodels.stats.multitest.multipletests(p, method='holm' | 'fdr_bh')[1]
        for (found, expected) in holm(&P).into_iter().zip([0.04, 0.09, 0.09, 0.025, 0.6]) {
            assert_close(found, expected, 1e-15);
        }
        for (found, expected) in
            benjamini_hochberg(&P).into_iter().zip([0.025, 0.05, 0.05, 0.025, 0.6])
        {
            assert_close(found, expected, 1e-15);
        }
    }

    #[test]
    fn a_nan_stays_and_does_not_count() {
        // R: p.adjust(c(0.02, NA, 0.03), "holm") is 0.04, NA, 0.04; "BH" is 0.03, NA, 0.03
        for (adjusted, expected) in [
            (holm(&[0.02, f64::NAN, 0.03]), 0.04),
            (benjamini_hochberg(&[0.02, f64::NAN, 0.03]), 0.03),
        ] {
            assert_close(adjusted[0], expected, 1e-15);
            assert!(adjusted[1].is_nan());
            assert_close(adjusted[2], expected, 1e-15);
        }
        assert!(holm(&[]).is_empty());
    }

    #[test]
    fn levels_step_down_to_the_first_that_is_not_rejected() {
        let levels = holm_levels(&P, 0.05);
        // Ascending: 0.005 ≤ α/5, 0.01 ≤ α/4, 0.03 > α/3; the rest share α/3.
        for (found, part) in levels.into_iter().zip([4.0, 3.0, 3.0, 5.0, 3.0]) {
            assert_close(found, 0.05 / part, 1e-15);
        }
    }

    #[test]
    fn one_value_far_from_the_best_is_told_apart_and_near_ones_are_not() {
        let best = [0.990, 0.991, 0.992, 0.991];
        let near = [0.9905, 0.9915, 0.990, 0.991];
        let far = [0.950, 0.951, 0.952, 0.951];
        assert_eq!(inseparable_from_best(&[&far, &near, &best], true, 0.05), [false, true, true]);
        assert_eq!(inseparable_from_best(&[&far, &near, &best], false, 0.05), [true, false, false]);
    }

    #[test]
    fn single_values_are_never_told_apart() {
        let best = [0.990, 0.991, 0.992, 0.991];
        assert_eq!(inseparable_from_best(&[&best, &[0.1], &[]], true, 0.05), [true, true, false]);
        assert_eq!(inseparable_from_best(&[&best, &[0.999]], true, 0.05), [true, true]);
        assert_eq!(inseparable_from_best(&[&best, &[f64::NAN]], true, 0.05), [true, false]);
        assert_eq!(inseparable_from_best(&[&[], &[]], true, 0.05), [false, false]);
    }

    #[test]
    fn samples_without_spread_are_told_apart_once_there_are_enough() {
        let marked = inseparable_from_best(&[&[0.5; 2], &[0.4; 2]], true, 0.05);
        assert_eq!(marked, [true, true], "one of three divisions of two pairs is as uneven");
        let marked = inseparable_from_best(&[&[0.5; 5], &[0.5; 4], &[0.4; 5]], true, 0.05);
        assert_eq!(marked, [true, true, false]);
    }

    #[test]
    fn a_sample_that_cannot_be_tested_is_no_comparison() {
        // scipy.stats.ttest_ind(a, b, equal_var=False).pvalue is 0.0358: told apart by itself,
        // not if Holm's rule counted two.
        let best = [0.9822, 0.9810, 0.9830, 0.9818, 0.9826];
        let next = [0.9806, 0.9799, 0.9817, 0.9803, 0.9811];
        let alone = inseparable_from_best(&[&best, &next], true, 0.05);
        let beside = inseparable_from_best(&[&best, &next, &[0.98]], true, 0.05);
        assert_eq!((&alone[..], &beside[..2]), (&beside[..2], &alone[..]));
        assert!(beside[2]);
    }

    proptest! {
        #[test]
        fn holm_keeps_the_order_and_never_lowers(p in prop::collection::vec(0.0..=1.0_f64, 0..20)) {
            let adjusted = holm(&p);
            for (a, own) in adjusted.iter().zip(&p) {
                prop_assert!(a >= own && *a <= 1.0);
                for (b, other) in adjusted.iter().zip(&p) {
                    prop_assert!(own > other || a <= b);
                }
            }
        }

        #[test]
        fn a_level_decides_as_the_adjusted_value_does(
            p in prop::collection::vec(0.0..0.1_f64, 1..20),
        ) {
            let levels = holm_levels(&p, 0.05);
            for ((adjusted, level), p) in holm(&p).into_iter().zip(levels).zip(&p) {
                prop_assume!((adjusted - 0.05).abs() > 1e-12);
                prop_assert_eq!(adjusted <= 0.05, *p <= level);
            }
        }

        #[test]
        fn the_best_is_always_marked(
            samples in prop::collection::vec(prop::collection::vec(0.9..1.0_f64, 1..6), 1..8),
        ) {
            let slices: Vec<&[f64]> = samples.iter().map(Vec::as_slice).collect();
            let marked = inseparable_from_best(&slices, true, 0.05);
            let mean = |sample: &&[f64]| Moments::of(sample).unwrap().mean;
            let best = slices.iter().map(mean).fold(0.0, f64::max);
            for (sample, marked) in slices.iter().zip(marked) {
                prop_assert!(marked || mean(sample) < best);
            }
        }
    }
}
