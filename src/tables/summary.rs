//! Statistics of one metric over the trials of one cell.

use super::results::{CellResults, ExperimentResults};
use crate::base::Metric;
use gridbench_stats::{BOOTSTRAP_FROM, IntervalMethod, Summary};

/// Values beyond which intervals are Student's t throughout: ten thousand resamples of a hundred
/// thousand trials would take longer than the rest of a report together.
const BOOTSTRAP_VALUES: usize = 10_000;

/// Summarises `metric` over the completed trials of `cell`; nothing without one.
///
/// The interval is a bootstrap one for the report's own metric, from 20 trials a cell, in
/// experiments of at most 10,000 trials; else it is Student's t. The summary says which.
#[must_use]
pub fn summarize(
    results: &ExperimentResults,
    cell: &CellResults,
    metric: Metric,
) -> Option<Summary> {
    let sample = cell.sample(metric);
    let affordable = || {
        let trials: usize = results.cells.iter().map(|cell| cell.trials.len()).sum();
        trials <= BOOTSTRAP_VALUES
    };
    let bootstrap =
        metric == results.facts.view.metric && sample.len() >= BOOTSTRAP_FROM && affordable();
    let method = if bootstrap { IntervalMethod::BcaBootstrap } else { IntervalMethod::StudentT };
    Some(Summary::with_interval(&sample, method)?.within(metric.range()))
}
