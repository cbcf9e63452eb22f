//! Every cell against the best one, by all the measures that disagree usefully.
//!
//! What may be concluded of a pair is what its mark says: the best was chosen by its mean, so tests of
//! single pairs against it promise too much, and none is printed beside the marks.

use serde::Serialize;

use crate::base::Metric;
use gridbench_stats::{self as stats, BestSet, StochasticOrder, Superiority};

/// Seed of the resamplings: the same results give the same digits.
const SEED: u64 = stats::RESAMPLE_SEED;
/// Cells, those nearest to the best, whose comparisons are resampled: the others are told apart by
/// any test, and ten thousand resamples of a thousand cells take a minute.
const RESAMPLED: usize = 40;
/// Cells, those nearest to the best, whose bounds are worked out: each takes a quadrature over all
/// cells.
const BOUNDED: usize = 100;
/// Pairs of trials, over all of those cells, up to which comparisons are resampled.
const RESAMPLED_PAIRS: usize = 25_000;
/// P(A > B) from which a difference is worth having (Bouthillier et al. 2021).
const GAMMA: f64 = 0.75;

/// A cell against the best cell; differences are the cell's minus the best's.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct AgainstBest {
    /// Difference of means.
    pub difference: f64,
    /// By how much the cell is worse than the truly best one, at most: with 95 % confidence for all
    /// cells at once; absent where an error is unknown, and far from the best in large experiments.
    pub at_most_worse: Option<f64>,
    /// The difference as errors in 10,000 test images, for accuracies: positive is more errors.
    pub errors_per_10000: Option<f64>,
    /// P(a trial of the best cell is better than one of this), with its bootstrap interval.
    pub superiority_of_best: Option<Superiority>,
    /// Whether the cell is shown to be worse and P(best > cell) may be as large as 0.75.
    pub is_meaningful: Option<bool>,
    /// Almost stochastic order of the best over this cell, from five trials per side.
    pub stochastic_order: Option<StochasticOrder>,
    /// Cohen's d.
    pub cohens_d: Option<f64>,
    /// Cliff's δ: positive where this cell is the better one.
    pub cliffs_delta: Option<f64>,
    /// Trials per cell at which a true difference of this size takes the mark from a cell, about, with
    /// the power of the smallest detectable difference; for cells that may be the best.
    pub repeats_needed: Option<usize>,
}

/// What shows how large a distance from the best.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Reach {
    /// Trials per cell.
    pub n: usize,
    /// The distance that they detect.
    pub difference: f64,
    /// Trials per cell that there are.
    pub present: usize,
}

/// Compares every cell that has a value with the best one, by the rule that marked `set`.
/// Values of folds are those of tests that are built on means and variances; those built on their order
/// take trials for independent, and are left out.
pub(super) fn against_best(
    metric: &Metric,
    (best, samples, are_folds): (usize, &[Vec<f64>], bool),
    set: &BestSet,
    reach: Option<Reach>,
) -> Vec<Option<AgainstBest>> {
    let top = samples[best].as_slice();
    let Some(best_mean) = stats::Moments::of(top).map(|found| found.mean) else {
        return vec![None; samples.len()];
    };
    let difference = |(cell, sample): (usize, &Vec<f64>)| {
        let mean = stats::Moments::of(sample)?.mean;
        (cell != best).then_some(mean - best_mean)
    };
    let found: Vec<Option<f64>> = samples.iter().enumerate().map(difference).collect();
    let order = nearest_first(&found);
    let near = resampled(&order, &|cell| samples[cell].len() * top.len());
    let independent = |cell: usize| !are_folds && samples[cell].len().min(top.len()) > 1;
    let mut is_bounded = vec![false; samples.len()];
    order.iter().take(BOUNDED).for_each(|cell| is_bounded[*cell] = true);
    let sign = metric.sign();
    let signed = |sample: &[f64]| -> Vec<f64> { sample.iter().map(|value| sign * value).collect() };
    let signed_top = signed(top);
    let compare = |(cell, difference): (usize, Option<f64>)| {
        let difference = difference?;
        let sample = samples[cell].as_slice();
        let own = signed(sample);
        let may_be_best = set.members[cell];
        let is_resampled = near[cell] && independent(cell);
        let superiority = is_resampled
            .then(|| stats::probability_of_superiority(&signed_top, &own, SEED))
            .flatten();
        Some(AgainstBest {
            difference,
            at_most_worse: is_bounded[cell]
                .then(|| set.at_most_worse(cell).filter(|bound| bound.is_finite()))
                .flatten(),
            errors_per_10000: metric.counts_images.then(|| -10_000.0 * difference),
            superiority_of_best: superiority,
            is_meaningful: superiority.map(|found| found.is_meaningful(GAMMA) && !may_be_best),
            stochastic_order: is_resampled
                .then(|| stats::almost_stochastic_order(&signed_top, &own, SEED))
                .flatten(),
            cohens_d: stats::cohens_d(sample, top).filter(|_| !are_folds),
            cliffs_delta: stats::cliffs_delta(&own, &signed_top).filter(|_| !are_folds),
            repeats_needed: reach
                .and_then(|known| repeats_needed(difference, known))
                .filter(|_| may_be_best),
        })
    };
    found.into_iter().enumerate().map(compare).collect()
}

/// Returns the trials per cell that detect such a difference, more than there are: errors fall with the
/// root of their number.
fn repeats_needed(difference: f64, reach: Reach) -> Option<usize> {
    let ratio = reach.difference / difference.abs();
    let needed = (reach.n as f64 * ratio * ratio).ceil();
    let is_known = reach.difference > 0.0 && needed.is_finite();
    is_known.then_some((needed as usize).max(reach.present + 1))
}

/// Returns the cells that have a difference from the best, the nearest first.
fn nearest_first(found: &[Option<f64>]) -> Vec<usize> {
    let distance = |cell: usize| found[cell].map_or(f64::INFINITY, f64::abs);
    let mut order: Vec<usize> = (0..found.len()).filter(|cell| found[*cell].is_some()).collect();
    order.sort_by(|a, b| distance(*a).total_cmp(&distance(*b)));
    order
}

/// Marks the cells of `order` that can be resampled, as many as there is time for.
fn resampled(order: &[usize], pairs: &dyn Fn(usize) -> usize) -> Vec<bool> {
    let all = order.iter().max().map_or(0, |last| last + 1);
    let mut near = vec![false; all];
    let mut left = RESAMPLED_PAIRS;
    for &cell in order.iter().take(RESAMPLED) {
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
        assert!((found.errors_per_10000.unwrap() - 80_000.0 / 360.0).abs() < 1e-9);
        assert!((found.superiority_of_best.unwrap().probability - 1.0).abs() < 1e-12);
        // x, y = 1 - np.array([12, 14, 13]) / 360, 1 - np.array([4, 6, 5]) / 360: one pooled SD is 1 / 360
        assert!((found.cohens_d.unwrap() + 8.0).abs() < 1e-9);
        assert!((found.cliffs_delta.unwrap() + 1.0).abs() < 1e-12);
        assert_eq!(found.stochastic_order, None, "three trials say too little about quantiles");
    }

    #[test]
    fn what_is_said_of_a_pair_agrees_with_the_marks() {
        let section = &build(&[Subject::from(&fixture::augment_grid())]).experiments[0];
        let findings = &section.findings;
        let sd = findings.pooled_sd.unwrap();
        let cells = findings.detectable.unwrap().cells;
        let reach = gridbench_stats::detectable_from_best(sd, 64, cells, 0.05, 0.95);
        for cell in &section.cells {
            let Some(found) = cell.against_best else { continue };
            let bound = found.at_most_worse.unwrap();
            // A bound reaches at least as far as the difference that is seen.
            assert!(bound >= -found.difference, "{}: {bound}", cell.name);
            if cell.inseparable_from_best {
                assert_eq!(found.is_meaningful, Some(false), "{}", cell.name);
                let needed = found.repeats_needed.unwrap() as f64;
                let ratio = reach.unwrap() / found.difference.abs();
                let exact = f64::max(64.0 * ratio * ratio, 4.0);
                assert!((needed - exact).abs() < 1.0, "{}: {needed}", cell.name);
            } else {
                assert_eq!(found.repeats_needed, None, "{}", cell.name);
            }
        }
    }
}
