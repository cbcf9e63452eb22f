//! Every cell against the best one, by all the measures that disagree usefully.

use serde::Serialize;

use crate::base::Metric;
use gridbench_stats::{self as stats, Permutation, StochasticOrder, Superiority};

/// Seed of the resamplings: the same results give the same digits.
const SEED: u64 = stats::RESAMPLE_SEED;
/// Largest samples whose divisions are tried.
const PERMUTED: usize = 10;
/// Cells, those nearest to the best, whose comparisons are resampled: the others are told apart by
/// any test, and ten thousand resamples of a thousand cells take a minute.
const RESAMPLED: usize = 40;
/// Pairs of trials, over all of those cells, up to which comparisons are resampled.
const RESAMPLED_PAIRS: usize = 25_000;
/// P(A > B) from which a difference is worth having (Bouthillier et al. 2021).
const GAMMA: f64 = 0.75;
/// Chance of any false finding over all cells.
const LEVEL: f64 = 0.05;

/// A cell against the best cell; differences are the cell's minus the best's.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct AgainstBest {
    /// Difference of means.
    pub difference: f64,
    /// 95 % interval of it, Welch; absent where neither cell has any spread.
    pub interval95: Option<(f64, f64)>,
    /// The difference as errors in 10,000 test images, for accuracies: positive is more errors.
    pub errors_per_10000: Option<f64>,
    /// Two-sided p of Welch's test.
    pub p_welch: f64,
    /// The same, adjusted by Holm over all cells.
    pub p_holm: f64,
    /// The same, adjusted by Benjamini and Hochberg over all cells.
    pub q_benjamini_hochberg: f64,
    /// Permutation test, for at most ten trials per side.
    pub permutation: Option<Permutation>,
    /// Two-sided p of Mann and Whitney's test.
    pub p_mann_whitney: Option<f64>,
    /// P(a trial of the best cell is better than one of this), with its bootstrap interval.
    pub superiority_of_best: Option<Superiority>,
    /// Whether that is beyond chance, over all cells too (Holm), and may be as large as 0.75.
    pub is_meaningful: Option<bool>,
    /// Almost stochastic order of the best over this cell, from five trials per side.
    pub stochastic_order: Option<StochasticOrder>,
    /// Cohen's d.
    pub cohens_d: Option<f64>,
    /// Cliff's δ: positive where this cell is the better one.
    pub cliffs_delta: Option<f64>,
    /// Trials a cell that would find a true difference of this size, 80 % power, level 0.05.
    pub repeats_needed: Option<usize>,
}

/// Compares every cell of two or more trials with the best one; nothing where the best has one trial.
#[must_use]
pub(super) fn against_best(
    metric: &Metric,
    best: usize,
    samples: &[Vec<f64>],
) -> Vec<Option<AgainstBest>> {
    let found: Vec<_> = samples
        .iter()
        .enumerate()
        .map(
            |(cell, sample)| {
                if cell == best { None } else { stats::welch(sample, &samples[best]) }
            },
        )
        .collect();
    let p: Vec<f64> =
        found.iter().map(|found| found.map_or(f64::NAN, |found| found.p_two_sided)).collect();
    let (holm, bh) = (stats::holm(&p), stats::benjamini_hochberg(&p));
    let near = nearest(&found, &|cell| samples[cell].len() * samples[best].len());
    let sign = metric.sign();
    let signed = |sample: &[f64]| -> Vec<f64> { sample.iter().map(|value| sign * value).collect() };
    let top = signed(&samples[best]);
    let compare = |(cell, welch): (usize, Option<stats::MeanDifference>)| {
        let welch = welch?;
        let sample = samples[cell].as_slice();
        let own = signed(sample);
        let is_affordable = near[cell];
        let superiority =
            is_affordable.then(|| stats::probability_of_superiority(&top, &own, SEED)).flatten();
        let few = sample.len().max(samples[best].len()) <= PERMUTED;
        let pooled = stats::pooled_sd(&[sample, &samples[best]]).map(|(sd, _)| sd);
        Some(AgainstBest {
            difference: welch.difference,
            interval95: welch.has_spread().then(|| welch.interval(0.95)),
            errors_per_10000: metric.counts_images.then(|| -10_000.0 * welch.difference),
            p_welch: welch.p_two_sided,
            p_holm: holm[cell],
            q_benjamini_hochberg: bh[cell],
            permutation: (few && is_affordable)
                .then(|| stats::permutation_test(sample, &samples[best], SEED))
                .flatten(),
            p_mann_whitney: stats::mann_whitney(sample, &samples[best])
                .map(|found| found.p_two_sided),
            superiority_of_best: superiority,
            is_meaningful: superiority
                .map(|found| found.is_meaningful(GAMMA) && holm[cell] <= LEVEL),
            stochastic_order: is_affordable
                .then(|| stats::almost_stochastic_order(&top, &own, SEED))
                .flatten(),
            cohens_d: stats::cohens_d(sample, &samples[best]),
            cliffs_delta: stats::cliffs_delta(&own, &top),
            repeats_needed: pooled
                .filter(|sd| *sd > 0.0)
                .and_then(|sd| stats::repeats_needed(sd, welch.difference.abs(), LEVEL, 0.8)),
        })
    };
    found.into_iter().enumerate().map(compare).collect()
}

/// Marks the cells whose means are nearest to the best's, as many as can be resampled.
fn nearest(found: &[Option<stats::MeanDifference>], pairs: &dyn Fn(usize) -> usize) -> Vec<bool> {
    let distance = |cell: usize| found[cell].map_or(f64::INFINITY, |found| found.difference.abs());
    let mut order: Vec<usize> = (0..found.len()).filter(|cell| found[*cell].is_some()).collect();
    order.sort_by(|a, b| distance(*a).total_cmp(&distance(*b)));
    let mut near = vec![false; found.len()];
    let mut left = RESAMPLED_PAIRS;
    for cell in order.into_iter().take(RESAMPLED) {
        match left.checked_sub(pairs(cell)) {
            Some(rest) => left = rest,
            None => break,
        }
        near[cell] = true;
    }
    near
}

#[cfg(test)]
mod tests {
    use crate::report::{Subject, build};
    use crate::results::fixture;

    #[test]
    fn a_cell_is_held_against_the_best_by_every_measure() {
        let section = &build(&[Subject::from(&fixture::augment_grid())]).experiments[0];
        let best = section.findings.best.unwrap().cell;
        assert_eq!(best, 4);
        assert!(section.cells[best].against_best.is_none());
        let found = section.cells[0].against_best.unwrap();
        assert!((found.difference + 8.0 / 360.0).abs() < 1e-12);
        // x, y = 1 - np.array([12, 14, 13]) / 360, 1 - np.array([4, 6, 5]) / 360
        // r = scipy.stats.ttest_ind(x, y, equal_var=False); r.pvalue, r.confidence_interval()
        assert!((found.p_welch - 0.000_608_184_944_463_346_4).abs() < 1e-10);
        let (low, high) = found.interval95.unwrap();
        assert!((low + 0.028_519_327_598_687_624).abs() < 1e-10);
        assert!((high + 0.015_925_116_845_756_884).abs() < 1e-10);
        // The same test of cells 1, 2, 3 and 5, then Holm's rule by hand over the five and
        // scipy.stats.false_discovery_control(p)
        assert!((found.p_holm - 0.003_040_924_722_316_732).abs() < 1e-9);
        assert!((found.q_benjamini_hochberg - 0.003_040_92).abs() < 1e-7);
        // scipy.stats.permutation_test and mannwhitneyu(x, y).pvalue are both 0.1
        assert!((found.permutation.unwrap().p_two_sided - 0.1).abs() < 1e-12);
        assert!((found.p_mann_whitney.unwrap() - 0.1).abs() < 1e-12);
        assert!((found.errors_per_10000.unwrap() - 80_000.0 / 360.0).abs() < 1e-9);
        assert!((found.superiority_of_best.unwrap().probability - 1.0).abs() < 1e-12);
        assert_eq!(found.is_meaningful, Some(false), "three against three are 0.1 by their order");
        assert!((found.cohens_d.unwrap() + 8.0).abs() < 1e-9);
        assert!((found.cliffs_delta.unwrap() + 1.0).abs() < 1e-12);
        assert_eq!(found.stochastic_order, None, "three trials say too little about quantiles");
    }
}
