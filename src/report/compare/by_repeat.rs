//! Which repeats of both sides pair, and the tests that follow from it.

use std::collections::BTreeMap;

use super::Side;
use super::document::Overall;
use crate::base::{Digest, Metric, MetricName};
use crate::record::Outcome;
use crate::results::{CellResults, ExperimentResults};
use gridbench_stats::{
    self as stats, CellDifference, GateCell, MeanDifference, Pairs, pairs_are_enough,
};

/// Returns whether both sides hold exactly the same repeats by design: one master seed, one kind of
/// split, the same datasets, the same repeats ended in both cells of every pair, and enough of them. Folds
/// are the same images on both sides, so they always pair. The values play no part.
pub(super) fn share_repeats(
    a: &ExperimentResults,
    b: &ExperimentResults,
    pairs: &[(usize, usize)],
) -> bool {
    let checksums = |results: &ExperimentResults| -> Vec<Digest> {
        let mut all: Vec<Digest> = results.facts.datasets.iter().map(|one| one.checksum).collect();
        all.sort_unstable();
        all
    };
    let same_seeds = a.facts.seed == b.facts.seed
        && a.facts.split_seed.is_some()
        && a.facts.split_seed == b.facts.split_seed
        && a.facts.folds == b.facts.folds
        && checksums(a) == checksums(b);
    let ended = |cell: &CellResults| -> Vec<u32> {
        let ended = cell
            .trials
            .iter()
            .filter(|trial| trial.outcome.is_lost() || trial.outcome == Outcome::Completed);
        ended.map(|trial| trial.repeat).collect()
    };
    let fewest = pairs.iter().map(|&(one, _)| ended(&a.cells[one]).len()).min().unwrap_or(0);
    same_seeds
        && pairs_are_enough(pairs.len(), fewest, a.facts.folds.is_some())
        && pairs.iter().all(|&(one, other)| ended(&a.cells[one]) == ended(&b.cells[other]))
}

/// Returns the values of both sides of every pair, by repeat where they pair. A stands where
/// the gate has its baseline, so that the differences are A − B.
pub(super) fn sides(
    a: &ExperimentResults,
    b: &ExperimentResults,
    metric: &Metric,
    pairs: &[(usize, usize)],
    is_paired: bool,
) -> Vec<GateCell> {
    let values = |cell: &CellResults| -> Vec<Option<f64>> {
        let of_trials = cell
            .trials
            .iter()
            .filter(|trial| trial.outcome.is_lost() || trial.outcome == Outcome::Completed);
        let all = of_trials.map(|trial| trial.metrics.get(&metric.name).copied());
        all.filter(|value| is_paired || value.is_some()).collect()
    };
    let both = |&(one, other): &(usize, usize)| GateCell {
        baseline: a.facts.for_tests(values(&a.cells[one])),
        candidate: b.facts.for_tests(values(&b.cells[other])),
    };
    pairs.iter().map(both).collect()
}

/// The one test of a pair.
pub(super) struct Test {
    /// Whether both sides are equal in every repeat, to the bit.
    pub(super) is_identical: bool,
    /// A − B over the repeats that both completed, where they pair.
    pub(super) difference: Option<f64>,
    pub(super) found: Option<MeanDifference>,
    /// Two-sided; where nothing varies, that of the permutation test.
    pub(super) p: Option<f64>,
    /// Standard deviation of one value or, where paired, of one difference.
    pub(super) sd: Option<f64>,
}

impl Test {
    pub(super) fn of(sides: &GateCell, found: &CellDifference, is_paired: bool) -> Self {
        let whole = |side: &[Option<f64>]| -> Vec<f64> { side.iter().flatten().copied().collect() };
        let bits = |side: &[Option<f64>]| -> Vec<Option<u64>> {
            side.iter().map(|value| value.map(f64::to_bits)).collect()
        };
        let (x, y) = (whole(&sides.baseline), whole(&sides.candidate));
        let test = found.difference;
        let separated = test.is_some_and(|test| test.se == 0.0 && test.difference != 0.0);
        let p = match (separated, is_paired) {
            (false, _) => test.map(|test| test.p_two_sided),
            (true, false) => stats::welch(&x, &y).map(|welch| welch.p_two_sided),
            // All differences have one sign: two of the 2ⁿ ways to turn them are as extreme.
            (true, true) => Pairs::of(&sides.baseline, &sides.candidate)
                .map(|pairs| 2.0 * 0.5_f64.powi(pairs.n as i32)),
        };
        Self {
            is_identical: is_paired && bits(&sides.baseline) == bits(&sides.candidate),
            difference: test.filter(|_| is_paired).map(|test| test.difference),
            found: test,
            p,
            sd: found.sd,
        }
    }
}

/// Compares the means over all pairs, repeat by repeat: cells of one repeat share seeds and perhaps
/// members, so that repeats are independent where cells are not. Paired where both sides' repeats pair.
///
/// Nothing for a single pair, or where fewer than two repeats completed in every cell of a side.
pub(super) fn overall(
    a: Side<'_>,
    b: Side<'_>,
    metric: &MetricName,
    pairs: &[(usize, usize)],
    is_paired: bool,
) -> Option<Overall> {
    if pairs.len() < 2 {
        return None;
    }
    let means = |results: &ExperimentResults, cells: Vec<usize>| -> BTreeMap<u32, f64> {
        let mut sums: BTreeMap<u32, (f64, usize)> = BTreeMap::new();
        for &cell in &cells {
            for trial in results.cells[cell].completed() {
                if let Some(value) = trial.metrics.get(metric) {
                    let (sum, count) = sums.entry(trial.repeat).or_default();
                    *sum += value;
                    *count += 1;
                }
            }
        }
        let whole = sums.into_iter().filter(|(_, (_, count))| *count == cells.len());
        whole.map(|(repeat, (sum, count))| (repeat, sum / count as f64)).collect()
    };
    let x = means(a.results, pairs.iter().map(|pair| pair.0).collect());
    let y = means(b.results, pairs.iter().map(|pair| pair.1).collect());
    let for_tests = |results: &ExperimentResults, side: BTreeMap<u32, f64>| {
        let values = results.facts.for_tests(side.values().copied().map(Some).collect());
        let both = side.into_keys().zip(values);
        both.filter_map(|(repeat, value)| Some((repeat, value?))).collect::<BTreeMap<u32, f64>>()
    };
    let (x, y) = (for_tests(a.results, x), for_tests(b.results, y));
    let list = |side: &BTreeMap<u32, f64>| side.values().copied().collect::<Vec<f64>>();
    let test = if is_paired {
        let both = x.iter().filter_map(|(repeat, value)| Some((*value, *y.get(repeat)?)));
        let (of_a, of_b): (Vec<Option<f64>>, Vec<Option<f64>>) =
            both.map(|(a, b)| (Some(a), Some(b))).unzip();
        let pairs = Pairs::of(&of_a, &of_b).filter(|pairs| pairs.n > 1)?;
        pairs.test(pairs.variance)?
    } else {
        stats::welch(&list(&x), &list(&y))?
    };
    Some(Overall {
        difference: test.difference,
        interval95: test.interval(0.95),
        p: test.p_two_sided,
        repeats: (x.len(), y.len()),
    })
}
