//! One experiment's results in one plain structure, whether they come from a journal or from
//! committed tables.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::base::Metric;
use crate::record::{EpochRecord, Outcome};
use crate::spec::experiment::ConfusionPair;

/// Everything the tables and reports say of one experiment.
#[derive(Debug, Clone, PartialEq)]
pub struct ExperimentResults {
    /// Where the numbers come from.
    pub facts: Facts,
    /// Axes in grid order.
    pub axes: Vec<AxisFacts>,
    /// Cells in grid order.
    pub cells: Vec<CellResults>,
    /// Training curves, one entry a member, in the order in which the cells first use them.
    pub curves: Vec<MemberCurve>,
}

/// Where the numbers of an experiment come from, as its manifest says.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Facts {
    /// Name of the experiment.
    pub name: String,
    /// What it should answer.
    pub question: Option<String>,
    /// Master seed.
    pub seed: u64,
    /// Trials planned per cell.
    pub repeats: u32,
    /// Name of the network, as typed.
    pub model: String,
    /// Images used.
    pub datasets: Vec<DatasetFacts>,
    /// What the grids show and what stands beside it.
    pub view: View,
    /// Scalar base settings by dotted key, as text; the axes are applied on top of them.
    pub base: BTreeMap<String, String>,
    /// Code and machine.
    pub origin: Origin,
}

/// What the `[report]` table of the experiment asks for.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct View {
    /// Metric of the grids.
    pub metric: Metric,
    /// Metrics that stand beside it in the table of cells.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub also: Vec<Metric>,
    /// Axis whose values label the rows.
    pub rows: Option<String>,
    /// Axis whose values label the columns.
    pub columns: Option<String>,
    /// Name of a published table.
    pub reference: Option<String>,
    /// Whether the confusion matrix of the best cell is shown.
    #[serde(default)]
    pub confusion: bool,
    /// Misclassified images of the best cell that are shown.
    #[serde(default)]
    pub gallery: usize,
    /// Confusions of which images of the best cell are shown.
    #[serde(default)]
    pub gallery_of: Vec<ConfusionPair>,
}

impl Default for View {
    fn default() -> Self {
        Self {
            metric: Metric::TestAccuracy,
            also: Vec::new(),
            rows: None,
            columns: None,
            reference: None,
            confusion: false,
            gallery: 0,
            gallery_of: Vec::new(),
        }
    }
}

/// One dataset of an experiment.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct DatasetFacts {
    /// Short name, for example `mnist`.
    pub name: String,
    /// Size of the images as `height×width`.
    pub shape: String,
    /// Images in the pool.
    pub images: u64,
    /// Images of the test split; absent where it differs between cells or is not known.
    pub test_images: Option<u64>,
    /// Images of the validation split; absent without one.
    pub validation_images: Option<u64>,
    /// SHA-256 of the images and labels.
    pub checksum: String,
}

/// Code and machine behind a number.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Origin {
    /// Version of `bench`.
    pub bench_version: String,
    /// Commit that `bench` was built from, with `-dirty` where the tree had changes.
    pub commit: Option<String>,
    /// Compiler.
    pub toolchain: String,
    /// Processor, cores and graphics card.
    pub hardware: String,
    /// Device and numerical path.
    pub engine: String,
    /// Revision of the engine's numbers.
    pub engine_revision: String,
    /// When the results were last added to, as RFC 3339.
    pub updated: String,
}

/// One axis of the grid.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AxisFacts {
    /// Dotted key.
    pub key: String,
    /// Distinct values in grid order, in their short form.
    pub values: Vec<String>,
}

/// One cell and its trials.
#[derive(Debug, Clone, PartialEq)]
pub struct CellResults {
    /// Content id in hexadecimal; empty where committed tables carry none.
    pub id: String,
    /// Name, unique within the experiment.
    pub name: String,
    /// Value of every axis, in the order of [`ExperimentResults::axes`]; absent where the axis does
    /// not exist in this cell.
    pub values: Vec<Option<String>>,
    /// Trials planned.
    pub planned: u32,
    /// Trials that have an outcome, by repeat.
    pub trials: Vec<TrialRow>,
}

impl CellResults {
    /// Returns the values of `metric` over the completed trials, by repeat.
    #[must_use]
    pub fn sample(&self, metric: Metric) -> Vec<f64> {
        self.completed().filter_map(|trial| trial.metrics.get(&metric).copied()).collect()
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

    /// Iterates over the completed trials, by repeat.
    pub fn completed(&self) -> impl Iterator<Item = &TrialRow> {
        self.trials.iter().filter(|trial| trial.outcome == Outcome::Completed)
    }
}

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
    pub metrics: BTreeMap<Metric, f64>,
    /// What went wrong, unless completed.
    pub reason: Option<String>,
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
    /// Returns the metrics that at least one completed trial has, in table order.
    #[must_use]
    pub fn metrics(&self) -> Vec<Metric> {
        let mut seen = [false; Metric::ALL.len()];
        for trial in self.cells.iter().flat_map(CellResults::completed) {
            for (flag, metric) in seen.iter_mut().zip(Metric::ALL) {
                *flag |= trial.metrics.contains_key(&metric);
            }
        }
        Metric::ALL
            .into_iter()
            .zip(seen)
            .filter_map(|(metric, seen)| seen.then_some(metric))
            .collect()
    }

    /// Returns the step in which `metric` can change: one image of its split for accuracies.
    ///
    /// Absent for metrics that are not shares of a known number of images.
    #[must_use]
    pub fn quantum(&self, metric: Metric) -> Option<f64> {
        let images = match metric {
            Metric::TestAccuracy => self.shared_count(|dataset| dataset.test_images),
            Metric::ValidationAccuracy => self.shared_count(|dataset| dataset.validation_images),
            _ => None,
        }?;
        (images > 0).then(|| 1.0 / images as f64)
    }

    /// Returns the number of test images, where all datasets agree on one.
    #[must_use]
    pub fn test_images(&self) -> Option<u64> {
        self.shared_count(|dataset| dataset.test_images)
    }

    fn shared_count(&self, count: impl Fn(&DatasetFacts) -> Option<u64>) -> Option<u64> {
        let mut counts = self.facts.datasets.iter().map(count);
        let first = counts.next()??;
        counts.all(|other| other == Some(first)).then_some(first)
    }
}
