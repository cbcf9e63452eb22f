//! The plain structure: axes, cells with their trials, and training curves.

use std::collections::BTreeMap;
use std::sync::OnceLock;

use super::axes::collect_axes;
use super::facts::Facts;
use crate::base::{CellId, Metric, MetricName, Metrics, Split};
use crate::experiment::selector::{Selector, SelectorError};
use crate::experiment::value::{Assignment, Value};
use crate::experiment::{Axis, Match};
use crate::record::{EpochRecord, Outcome};
use gridbench_stats::Summary;

/// Everything the tables and reports say of one experiment.
#[derive(Debug, Clone, PartialEq)]
pub struct ExperimentResults {
    /// Where the numbers come from.
    pub facts: Facts,
    /// Axes in grid order, each with its distinct values in grid order.
    pub axes: Vec<Axis>,
    /// Cells in grid order.
    pub cells: Vec<CellResults>,
    /// Training curves, one entry per member, in the order in which the cells first use them.
    pub curves: Vec<MemberCurve>,
    /// Summaries of the samples, once somebody asked.
    pub summaries: Summaries,
}

/// Summaries that are computed when first asked for, and then kept.
///
/// The results they belong to are not to change afterwards; a copy of results starts anew.
#[derive(Debug, Default)]
pub struct Summaries {
    /// By cell.
    pub(super) cells: OnceLock<Vec<BTreeMap<MetricName, Summary>>>,
    /// Which of the declared metrics some completed trial has.
    pub(super) met: OnceLock<Vec<bool>>,
}

impl Clone for Summaries {
    fn clone(&self) -> Self {
        Self::default()
    }
}

/// What follows from equal results is equal.
impl PartialEq for Summaries {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

/// One cell and its trials.
#[derive(Debug, Clone, PartialEq)]
pub struct CellResults {
    /// Content id: what the cell is.
    pub id: CellId,
    /// Name, unique within the experiment.
    pub name: String,
    /// Value of every axis, in the order of [`ExperimentResults::axes`]; absent where the axis does
    /// not exist in this cell.
    pub values: Vec<Option<Value>>,
    /// Trials planned.
    pub planned: u32,
    /// Trials that have an outcome, by repeat.
    pub trials: Vec<TrialRow>,
}

impl CellResults {
    /// Returns the values of `metric` over the completed trials, by repeat.
    #[must_use]
    pub fn sample(&self, metric: &MetricName) -> Vec<f64> {
        self.completed().filter_map(|trial| trial.metrics.get(metric).copied()).collect()
    }

    /// Returns how many trials ended with `outcome`.
    #[must_use]
    pub fn count(&self, outcome: Outcome) -> usize {
        self.trials.iter().filter(|trial| trial.outcome == outcome).count()
    }

    /// Returns how many trials ended without a value.
    #[must_use]
    pub fn lost(&self) -> usize {
        self.trials.iter().filter(|trial| trial.outcome.is_lost()).count()
    }

    /// Returns whether all of its trials ended, none of them with a value.
    #[must_use]
    pub fn ended_without_a_value(&self) -> bool {
        self.planned > 0 && self.lost() >= self.planned as usize
    }

    /// Returns the numerical paths that its completed trials took, in the order of the repeats.
    #[must_use]
    pub fn paths(&self) -> Vec<&str> {
        let mut paths: Vec<&str> = Vec::new();
        let of_trials = self.completed().filter_map(|trial| trial.path.as_deref());
        for path in of_trials.flat_map(|path| path.split(PATH_SEPARATOR)) {
            if !paths.contains(&path) {
                paths.push(path);
            }
        }
        paths
    }

    /// Iterates over the completed trials, by repeat.
    pub fn completed(&self) -> impl Iterator<Item = &TrialRow> {
        self.trials.iter().filter(|trial| trial.outcome == Outcome::Completed)
    }
}

/// Stands between the numerical paths of one trial.
pub(super) const PATH_SEPARATOR: &str = " and ";

/// One trial that has an outcome.
#[derive(Debug, Clone, PartialEq)]
pub struct TrialRow {
    /// Index of the repeat within its cell, from 0.
    pub repeat: u32,
    /// Content id in hexadecimal.
    pub id: String,
    /// How it ended.
    pub outcome: Outcome,
    /// Values of its metrics; empty unless completed.
    pub metrics: Metrics,
    /// What went wrong, unless completed.
    pub reason: Option<String>,
    /// Numerical path of its members, several joined by ` and `; absent where it is not known.
    pub path: Option<String>,
}

/// The training curve of one member.
#[derive(Debug, Clone, PartialEq)]
pub struct MemberCurve {
    /// Content id in hexadecimal.
    pub id: String,
    /// Index of the first cell, in grid order, that uses the member.
    pub cell: usize,
    /// Index of the repeat it belongs to.
    pub repeat: u32,
    /// Index within its ensemble, from 0.
    pub member: u32,
    /// How its last attempt ended.
    pub outcome: Outcome,
    /// Epochs in order.
    pub epochs: Vec<EpochRecord>,
}

impl ExperimentResults {
    /// Returns the index of the axis with this dotted key.
    #[must_use]
    pub fn axis(&self, key: &str) -> Option<usize> {
        self.axes.iter().position(|axis| axis.key == key)
    }

    /// Returns the value of a cell on the axis with this dotted key; nothing where the axis does not
    /// exist.
    #[must_use]
    pub fn value(&self, cell: usize, key: &str) -> Option<&Value> {
        self.cells[cell].values[self.axis(key)?].as_ref()
    }

    /// Returns what a setting is in a cell: the value of its axis, else that of the base settings.
    #[must_use]
    pub fn setting(&self, cell: usize, key: &str) -> Option<&Value> {
        self.value(cell, key).or_else(|| self.facts.base.get(key))
    }

    /// Returns the axis values of a cell by dotted key.
    #[must_use]
    pub fn assignment(&self, cell: &CellResults) -> Assignment {
        let pairs = self.axes.iter().zip(&cell.values);
        pairs.filter_map(|(axis, value)| Some((axis.key.clone(), value.clone()?))).collect()
    }

    /// Returns the cells in which every match holds.
    #[must_use]
    pub fn matching(&self, matches: &[Match]) -> Vec<usize> {
        let holds = |cell: usize, one: &Match| {
            self.value(cell, &one.key).is_some_and(|value| one.values.contains(value))
        };
        (0..self.cells.len()).filter(|cell| matches.iter().all(|one| holds(*cell, one))).collect()
    }

    /// Returns the full keys of the axes that `selector` names and the cells it means.
    ///
    /// # Errors
    /// If an axis or value is not there, or no cell is left.
    pub fn choose(&self, selector: &Selector) -> Result<(Vec<String>, Vec<usize>), SelectorError> {
        let matches = selector.resolve(&self.axes, &self.facts.name)?;
        let cells = self.matching(&matches);
        if cells.is_empty() {
            let (experiment, selector) = (self.facts.name.clone(), selector.to_string());
            return Err(SelectorError::NoCell { experiment, selector });
        }
        Ok((matches.into_iter().map(|one| one.key).collect(), cells))
    }

    /// Keeps the cells with these indices, ascending, and what belongs to them.
    pub fn keep(&mut self, cells: &[usize]) {
        let new_index: BTreeMap<usize, usize> =
            cells.iter().enumerate().map(|(new, old)| (*old, new)).collect();
        let mut index = 0..;
        self.cells.retain(|_| index.next().is_some_and(|old| new_index.contains_key(&old)));
        self.curves.retain_mut(|curve| {
            let new = new_index.get(&curve.cell);
            curve.cell = new.copied().unwrap_or_default();
            new.is_some()
        });
        let keys: Vec<String> = self.axes.iter().map(|axis| axis.key.clone()).collect();
        let values = self.cells.iter().map(|cell| cell.values.as_slice());
        self.axes = collect_axes(&keys, &self.axes, values);
        self.summaries = Summaries::default();
    }

    /// Returns the metric that the report is about.
    #[must_use]
    pub fn metric(&self) -> &Metric {
        let metrics = &self.facts.metrics;
        self.facts.metric(&self.facts.report.metric).unwrap_or(&metrics[0])
    }

    /// Returns the declared metrics that at least one completed trial has, in table order.
    pub fn metrics(&self) -> impl Iterator<Item = &Metric> {
        let met = self.met();
        self.facts.metrics.iter().zip(met).filter(|(_, met)| **met).map(|(metric, _)| metric)
    }

    /// Returns the step in which `metric` can change: one image of its split, where it counts them.
    ///
    /// Absent for metrics that are not shares of a known number of images.
    #[must_use]
    pub fn quantum(&self, metric: &Metric) -> Option<f64> {
        let images = match metric.split.filter(|_| metric.counts_images)? {
            Split::Test => self.facts.test_images(),
            Split::Validation => self.facts.validation_images(),
            Split::Train => None,
        }?;
        (images > 0).then(|| 1.0 / images as f64)
    }
}
