//! The statistics of the fresh means: which may be the best, how sure each is, what luck adds.

use super::ALPHA;
use crate::base::Metric;
use crate::results::{CellResults, ExperimentResults};
use gridbench_stats::{
    self as stats, BestQuestion, BestSet, ErrorModel, Estimate as Error, Moments, Variance,
};

/// Returns the values of the cells by repeat: one entry for every repeat that any of them ended.
pub(in crate::report) fn by_repeat<'c>(
    cells: impl Iterator<Item = Option<&'c CellResults>>,
    metric: &Metric,
) -> Vec<Vec<Option<f64>>> {
    let cells: Vec<Option<&CellResults>> = cells.collect();
    let repeats = cells.iter().flatten().flat_map(|cell| cell.trials.iter().map(|one| one.repeat));
    let mut all: Vec<u32> = repeats.collect();
    all.sort_unstable();
    all.dedup();
    let row = |cell: Option<&CellResults>| {
        let mut row = vec![None; all.len()];
        // The first completed trial of a repeat counts.
        for trial in cell.into_iter().flat_map(CellResults::completed) {
            if let Ok(index) = all.binary_search(&trial.repeat) {
                row[index] = row[index].or(trial.metrics.get(&metric.name).copied());
            }
        }
        row
    };
    cells.iter().copied().map(row).collect()
}

/// Finds the cells that may be the best.
pub(in crate::report) fn best_of(
    rows: &[&[Option<f64>]],
    share_seeds: bool,
    floor: f64,
    metric: &Metric,
) -> BestSet {
    let repeats = rows.first().map_or(0, |row| row.len());
    let model = ErrorModel::of_design(rows.len(), repeats, share_seeds);
    let question =
        BestQuestion { higher_is_better: metric.is_maximized(), alpha: ALPHA, floor, model };
    BestSet::of(rows, &question)
}

/// Returns mean and error of every sample, variances moderated over them.
pub(in crate::report) fn errors(samples: &[Vec<f64>], floor: f64) -> Vec<Option<Error>> {
    let unknown = Variance { variance: 0.0, degrees_of_freedom: 0.0 };
    let own: Vec<Variance> =
        samples.iter().map(|sample| Variance::of(sample).unwrap_or(unknown)).collect();
    let pairs = samples.iter().zip(stats::moderate(&own, floor));
    pairs
        .map(|(sample, variance)| {
            Moments::of(sample).map(|moments| Error::new(moments.mean, moments.n, variance))
        })
        .collect()
}

/// Takes the luck of the better means off, where there are cells enough to say how much that is.
pub(in crate::report) fn shrunken(errors: &[Option<Error>], metric: &Metric) -> Vec<Option<f64>> {
    let known: Vec<Error> =
        errors.iter().flatten().copied().filter(|error| error.degrees_of_freedom > 0.0).collect();
    if known.len() < stats::MIN_SHRUNKEN_CELLS {
        return vec![None; errors.len()];
    }
    let mut found = stats::shrink(&known, &vec![0; known.len()], metric.is_maximized()).into_iter();
    let mut next = |error: &Option<Error>| {
        error.filter(|error| error.degrees_of_freedom > 0.0)?;
        found.next().map(|one| one.mean)
    };
    errors.iter().map(&mut next).collect()
}

/// Returns every sample of an experiment that is not empty.
pub(super) fn every_sample(results: &ExperimentResults, metric: &Metric) -> Vec<Vec<f64>> {
    let samples = results.cells.iter().map(|cell| cell.sample(&metric.name));
    samples.filter(|sample| !sample.is_empty()).collect()
}

/// Returns how far above the truth the best of equal cells is expected to look: Blom's expected
/// maximum of their means, with the spread pooled over all cells.
pub(super) fn luck(samples: &[Vec<f64>]) -> Option<f64> {
    let samples: Vec<&Vec<f64>> = samples.iter().filter(|sample| !sample.is_empty()).collect();
    if samples.len() < 2 {
        return None;
    }
    let slices: Vec<&[f64]> = samples.iter().map(|sample| sample.as_slice()).collect();
    let (sd, _) = stats::pooled_sd(&slices)?;
    let mut counts: Vec<usize> = samples.iter().map(|sample| sample.len()).collect();
    counts.sort_unstable();
    let n = counts[counts.len() / 2] as f64;
    Some(stats::expected_max(0.0, sd / n.sqrt(), samples.len()))
}
