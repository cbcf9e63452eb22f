//! What a report says, as data: every rendering is made from this and nothing else.
//!
//! The JSON rendering is this structure, so its fields are the documented schema. Accuracies are
//! fractions from 0 to 1; absent numbers are `null`; a change that breaks readers raises the version
//! of [`REPORT`](crate::base::format::REPORT).

use std::collections::BTreeMap;

use serde::Serialize;

use super::curves::CurveGroup;
use super::levels::{AxisEffect, GridVariance};
use super::predicted::Predicted;
use super::reference::ReferenceComparison;
use super::versus_best::AgainstBest;
use crate::base::{CellId, Digest, Metric, MetricName};
use crate::experiment::value::Value;
use crate::results::Origin;
use crate::store::DatasetFacts;
use gridbench_stats::Summary;

/// A report over one or more experiments.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct ReportDocument {
    /// One section an experiment, by name.
    pub experiments: Vec<Section>,
}

/// What is said of one experiment.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct Section {
    /// Name of the experiment.
    pub name: String,
    /// The same, with what tells it from another of that name.
    #[serde(skip)]
    pub called: String,
    /// What it should answer.
    pub question: Option<String>,
    /// Name of the network.
    pub model: String,
    /// Images used.
    pub datasets: Vec<DatasetFacts>,
    /// Master seed.
    pub seed: u64,
    /// Trials planned per cell, the most where cells differ.
    pub repeats: u32,
    /// Programs that stand for earlier ones, with those.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub adopted: Vec<(Digest, Digest)>,
    /// Folds of cross-validation, of which a repeat is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub folds: Option<u32>,
    /// Counts over the whole experiment.
    pub counts: Counts,
    /// Metric of the grids.
    pub metric: Metric,
    /// Metrics that stand beside it in the table of cells.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub also: Vec<Metric>,
    /// Every metric that was measured, in the order of the tables.
    pub metrics: Vec<Metric>,
    /// Axes in grid order.
    pub axes: Vec<AxisLine>,
    /// One grid per combination of the axes that label neither rows nor columns.
    pub grids: Vec<PivotGrid>,
    /// Cells in grid order; grids refer to them by index.
    pub cells: Vec<CellLine>,
    /// Edges of the histograms of `metric`, shared by all cells.
    pub histogram_edges: Vec<f64>,
    /// What can be concluded from the grids.
    pub findings: Findings,
    /// What a reader must know before believing the numbers.
    pub warnings: Vec<Warning>,
    /// Published numbers beside ours.
    pub reference: Option<ReferenceComparison>,
    /// What each axis does, over all cells.
    pub effects: Vec<AxisEffect>,
    /// What rows, columns and their interaction explain in each grid.
    pub grid_variances: Vec<GridVariance>,
    /// Training curves of the networks behind the cells.
    pub curves: Vec<CurveGroup>,
    /// What the stored predictions say; absent where none are at hand.
    pub predicted: Option<Predicted>,
    /// Which weights were evaluated, and what chose them.
    pub selection: Option<String>,
    /// The preferred cell of those that are good enough, where a reader asks.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trade_off: Option<TradeOff>,
    /// Cells in the order of the list of cells, at most so many as were asked for.
    #[serde(skip)]
    pub order: Vec<usize>,
    /// Whether texts list what is known of every cell.
    #[serde(skip)]
    pub is_full: bool,
    /// What the experiment cost.
    pub cost: Cost,
    /// Code and machine behind the numbers.
    pub origin: Origin,
}

/// How many trials ended how.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct Counts {
    /// Trials planned.
    pub planned: usize,
    /// Trials that completed; the statistics are over these.
    pub completed: usize,
    /// Trials ended by an error.
    pub failed: usize,
    /// Trials whose loss exploded.
    pub diverged: usize,
    /// Trials that took too long.
    pub timed_out: usize,
    /// Trials still to be done, interrupted ones among them.
    pub unfinished: usize,
}

impl Counts {
    /// Returns how many trials ended without a result.
    pub(crate) fn lost(&self) -> usize {
        self.failed + self.diverged + self.timed_out
    }
}

/// One axis.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct AxisLine {
    /// Dotted key.
    pub key: String,
    /// Shortest form of the key that is clear within the experiment.
    pub label: String,
    /// Distinct values in grid order.
    pub values: Vec<Value>,
    /// The values as the grids show them: settings with a name by that name.
    pub shown: Vec<String>,
    /// How the axis is laid out.
    pub role: Role,
}

/// How an axis is laid out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Role {
    /// Labels the rows, alone or with others that move with it.
    Rows,
    /// Labels the columns, alone or with others that move with it.
    Columns,
    /// Separates grids.
    Grids,
    /// Has the same value everywhere.
    Fixed,
}

/// Rows by columns.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct PivotGrid {
    /// What all cells of this grid share and the other grids do not: label and value.
    pub title: Vec<(String, String)>,
    /// What labels the rows.
    pub rows: Heading,
    /// What labels the columns; absent where every row has one cell.
    pub columns: Option<Heading>,
    /// Index into the section's cells, row by row; absent where the grid has a hole.
    pub entries: Vec<Vec<Option<usize>>>,
}

/// Labels along one side of a grid, values as shown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct Heading {
    /// Labels of the axes that move together along this side.
    pub labels: Vec<String>,
    /// One value per axis, for every row or column; absent where the axis does not exist.
    pub values: Vec<Vec<Option<String>>>,
}

/// One cell.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct CellLine {
    /// Content id.
    pub id: CellId,
    /// Name.
    pub name: String,
    /// Value of every axis; absent where the axis does not exist in this cell.
    pub values: Vec<Option<Value>>,
    /// How its trials ended.
    pub counts: Counts,
    /// Summary of the report's metric; absent without a completed trial.
    pub summary: Option<Summary>,
    /// Whether it may be the best: with 95 % confidence the best of the cells with results is among
    /// these.
    pub inseparable_from_best: bool,
    /// The same among the cells of its own grid.
    pub inseparable_in_grid: bool,
    /// Trials in each bin of the shared edges.
    pub histogram: Vec<usize>,
    /// Value of the report's metric in every completed trial, by repeat; empty in large experiments.
    pub trials: Vec<f64>,
    /// Whether all trials, at least two, gave the same accuracies and losses to the bit: training
    /// draws nothing here, so spread and intervals say nothing.
    #[serde(skip_serializing_if = "is_false")]
    pub is_deterministic: bool,
    /// The spread that the test set alone would cause, for test accuracies.
    pub noise: Option<Noise>,
    /// Comparison with the best cell; absent for itself, for single trials and in texts.
    pub against_best: Option<AgainstBest>,
    /// Statistics of every metric, by its name.
    pub metrics: BTreeMap<MetricName, Summary>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn is_false(value: &bool) -> bool {
    !value
}

/// The spread of a cell that its test images alone would cause.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct Noise {
    /// √(error / (2 · test images)); absent for ensembles, of which the formula says nothing.
    pub predicted_sd: Option<f64>,
    /// The standard deviation seen over that.
    pub ratio: Option<f64>,
    /// Whether training adds more spread than 1.5 times that.
    pub is_unstable: bool,
    /// 95 % Wilson interval of the mean on the test images alone.
    pub test_set_interval95: Option<(f64, f64)>,
}

/// What can be concluded from the grids.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct Findings {
    /// Level of the tests behind the marks.
    pub alpha: f64,
    /// Cells that were compared with the best one.
    pub comparisons: usize,
    /// Fewest completed trials in a cell that has any.
    pub n_min: usize,
    /// Most completed trials in a cell.
    pub n_max: usize,
    /// Standard deviation within cells, pooled.
    pub pooled_sd: Option<f64>,
    /// What differences these trials can show.
    pub detectable: Option<Detectable>,
    /// Why so few trials tell no cells apart, where that is so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hopeless: Option<Hopeless>,
    /// The best cell.
    pub best: Option<Best>,
    /// The best single trial.
    pub extreme: Option<Extreme>,
    /// The spread that the test set alone would cause, and the spread seen.
    pub spread: Option<Spread>,
}

/// What differences a number of trials can show.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct Detectable {
    /// Trials per cell, the median over the cells.
    pub n: usize,
    /// Cells that have any.
    pub cells: usize,
    /// Smallest distance from the best at which a cell of the usual spread, the median, is left out of
    /// the cells that may be the best with 95 % power.
    pub difference: f64,
    /// The same for the cell with the greatest error.
    pub in_noisiest: f64,
    /// Half of it.
    pub half: f64,
    /// Trials per cell that would surely show half of it.
    pub repeats_for_half: usize,
}

/// The best cell, never without its spread.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct Best {
    /// Index into the section's cells.
    pub cell: usize,
    /// Cells that may be the best.
    pub inseparable: usize,
    /// Its mean without the luck that chose it (empirical Bayes); absent for fewer cells than tell.
    pub expected: Option<f64>,
    /// 95 % Wilson interval of the mean on the test images alone, for accuracies.
    pub test_set_interval95: Option<(f64, f64)>,
}

/// The best single trial.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct Extreme {
    /// Its value.
    pub value: f64,
    /// Number of completed trials it is the best of.
    pub of: usize,
    /// What the best of so many trials is expected to be.
    pub expected: Option<f64>,
}

/// The spread that the test set alone would cause, and the spread seen.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct Spread {
    /// √(error / (2 · test images)).
    pub predicted: f64,
    /// Pooled standard deviation within the cells of networks that decide alone.
    pub seen: f64,
    /// Test images.
    pub test_images: u64,
    /// Whether there are ensembles too, which are left out.
    pub is_of_single_networks: bool,
}

/// Cells that are good enough, and what they cost.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct TradeOff {
    /// By how much a cell may be worse than the best, in the unit of the report's metric.
    pub within: f64,
    /// What is preferred, the first most.
    pub prefer: Vec<Metric>,
    /// The preferred cell; absent where none is shown to be good enough.
    pub chosen: Option<FrontLine>,
    /// Cells that are shown to be good enough.
    pub good_enough: usize,
    /// The smallest bound of any cell; absent where no spread is known.
    pub least: Option<f64>,
    /// Cells that no other beats in the means of all these metrics, the best first.
    pub front: Vec<FrontLine>,
}

/// A cell of a trade-off.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct FrontLine {
    /// Index into the section's cells.
    pub cell: usize,
    /// By how much it is worse than the best, at most: with 95 % confidence for all cells at once.
    pub at_most_worse: Option<f64>,
    /// Whether that is good enough.
    pub is_within: bool,
}

/// Every cell may be the best, and no difference as large as those seen would show.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct Hopeless {
    /// Trials per cell.
    pub n: usize,
    /// Cells compared.
    pub cells: usize,
    /// Distance between the best and the worst mean.
    pub seen: f64,
    /// Smallest difference from the best that would show with 95 % power.
    pub difference: f64,
    /// Trials per cell that would show a difference as large as that seen; absent beyond 1,000.
    pub repeats: Option<usize>,
}

/// What a reader must know before believing the numbers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct Warning {
    /// Stable name, for programs.
    pub kind: WarningKind,
    /// The warning in words.
    pub text: String,
}

/// Kinds of warnings.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum WarningKind {
    /// Trials ended without a result.
    LostTrials,
    /// Trials are still to be done.
    Unfinished,
    /// Too few trials for a spread worth the name.
    FewTrials,
    /// The test split decides which cell is called best.
    TestSplitChooses,
    /// Training varies much more than the test set explains.
    UnstableTraining,
    /// The trials of a cell were computed by several numerical paths.
    MixedPaths,
    /// The published table asked for cannot be compared.
    Reference,
    /// The images may mislead: copies between splits, classes without images.
    Images,
    /// The view names an axis that does not exist.
    View,
}

/// What an experiment cost.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct Cost {
    /// Members trained.
    pub members: usize,
    /// Seconds of training over all members, each counted once.
    pub train_seconds: f64,
    /// Training images per second over the members; absent where networks differ.
    pub images_per_second: Option<Summary>,
    /// Seconds of training a trial, members summed; absent where networks or ensembles differ.
    pub seconds_per_trial: Option<Summary>,
    /// Largest computed size of one member's weights, optimizer state and buffers, in mebibytes.
    pub peak_memory_mib: Option<f64>,
    /// Seconds of a member's first epoch, which warms caches up; absent where networks differ.
    pub first_epoch_seconds: Option<Summary>,
    /// Mean seconds of a member's later epochs; absent where networks differ.
    pub later_epoch_seconds: Option<Summary>,
    /// The same for each kind of network.
    pub networks: Vec<NetworkCost>,
}

/// What the members of one kind of network cost, each counted once.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct NetworkCost {
    /// What sets it apart from the other networks of the experiment, such as `preset mlp`; empty for
    /// an only one.
    pub network: String,
    /// Training images of all members over their seconds, with the seconds between epochs.
    pub images_per_second: Option<f64>,
    /// The same member by member.
    pub member_images_per_second: Option<Summary>,
    /// Seconds of training a member.
    pub member_seconds: Option<Summary>,
    /// Seconds of a member's first epoch.
    pub first_epoch_seconds: Option<Summary>,
    /// Mean seconds of a member's later epochs.
    pub later_epoch_seconds: Option<Summary>,
}
