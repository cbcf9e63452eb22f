//! How the trials of every cell spread, in bins that all cells share.

use super::model::ExperimentResults;
use crate::base::Metric;
use gridbench_stats as stats;

/// The most bins a histogram has.
pub const MAX_BINS: usize = 12;

/// Returns the edges shared by all cells for `metric` and the counts of every cell, in grid order.
#[must_use]
pub fn shared_histogram(
    results: &ExperimentResults,
    metric: &Metric,
) -> Option<(Vec<f64>, Vec<Vec<usize>>)> {
    let samples: Vec<Vec<f64>> =
        results.cells.iter().map(|cell| cell.sample(&metric.name)).collect();
    let slices: Vec<&[f64]> = samples.iter().map(Vec::as_slice).collect();
    let edges = stats::shared_edges(&slices, results.quantum(metric), MAX_BINS)?;
    let counts = slices.iter().map(|sample| stats::counts(sample, &edges)).collect();
    Some((edges, counts))
}
