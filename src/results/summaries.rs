//! Statistics of every metric over the trials of every cell, computed once.

use std::collections::BTreeMap;

use super::model::{CellResults, ExperimentResults};
use crate::base::{Metric, MetricName};
use gridbench_stats::{BOOTSTRAP_FROM, Summary, ratio_of_folds};

/// Values beyond which no bootstrap interval stands beside Student's: ten thousand resamples of a hundred
/// thousand trials would take longer than the rest of a report together.
const BOOTSTRAP_VALUES: usize = 10_000;

impl ExperimentResults {
    /// Returns the summary of a metric over the completed trials of a cell; nothing without one.
    #[must_use]
    pub fn summary(&self, cell: usize, metric: &MetricName) -> Option<&Summary> {
        self.summaries.cells.get_or_init(|| all(self))[cell].get(metric)
    }

    /// Returns which of the declared metrics some completed trial has.
    pub(super) fn met(&self) -> &[bool] {
        self.summaries.met.get_or_init(|| {
            let mut completed = self.cells.iter().flat_map(CellResults::completed);
            let declared = &self.facts.metrics;
            let mut met = vec![false; declared.len()];
            while let (true, Some(trial)) = (met.contains(&false), completed.next()) {
                for (met, metric) in met.iter_mut().zip(declared) {
                    *met = *met || trial.metrics.contains_key(&metric.name);
                }
            }
            met
        })
    }
}

/// Summarises every metric over the completed trials of every cell.
///
/// The interval is Student's t, for folds with the standard error of Nadeau and Bengio. For the report's own metric a bootstrap interval stands beside it,
/// from 20 trials per cell, in experiments of at most 10,000 trials.
fn all(results: &ExperimentResults) -> Vec<BTreeMap<MetricName, Summary>> {
    let trials: usize = results.cells.iter().map(|cell| cell.trials.len()).sum();
    let metrics: Vec<&Metric> = results.metrics().collect();
    let summary = |cell: &CellResults, metric: &Metric| {
        let sample = cell.sample(&metric.name);
        let bootstrap = metric.name == results.facts.report.metric
            && sample.len() >= BOOTSTRAP_FROM
            && trials <= BOOTSTRAP_VALUES;
        let found = Summary::of(&sample)?;
        if let Some(folds) = results.facts.folds {
            let found = found.of_folds(ratio_of_folds(folds));
            return Some((metric.name.clone(), found.within(metric.range.ends())));
        }
        let found = if bootstrap { found.with_bootstrap(&sample) } else { found };
        Some((metric.name.clone(), found.within(metric.range.ends())))
    };
    results
        .cells
        .iter()
        .map(|cell| metrics.iter().filter_map(|metric| summary(cell, metric)).collect())
        .collect()
}
