//! One experiment file, resolved.

use std::path::Path;

use serde::{Deserialize, Serialize};

use super::program::Reading;
use super::reference::ReferenceTable;
use super::settings::{Settings, TrainerSettings};
use super::submit::SubmitSettings;
use super::value::{Assignment, Value};
use crate::base::{Metric, MetricName, Seed};

/// An experiment as meant: base settings, axes, and what to do with the results.
///
/// Cell settings are the base settings with each axis value put in place; `experiment::Document` keeps
/// the typed text needed for that.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Experiment {
    /// Name, also of the results folder.
    pub name: String,
    /// What it should answer.
    pub question: Option<String>,
    /// Trials per cell.
    pub repeats: u32,
    /// Folds of cross-validation, of which a repeat is one; absent: repeats are independent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub folds: Option<u32>,
    /// Master seed.
    pub seed: Seed,
    /// Whether the weights of every member are kept.
    #[serde(default)]
    pub save_weights: bool,
    /// What is measured, as the trainer declares it; manifests that do not say it are of classifiers.
    #[serde(default = "Metric::of_classifiers", skip_serializing_if = "are_of_classifiers")]
    pub metrics: Vec<Metric>,
    /// Where the numbers of metrics stand that the program does not print under their names.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub readings: Vec<Reading>,
    /// Settings before any axis is applied.
    pub base: Settings,
    /// Union of grids; empty means one cell of the base settings.
    pub grids: Vec<GridBlock>,
    /// What the report shows.
    pub report: ReportSettings,
    /// What the gate tolerates.
    pub check: CheckSettings,
    /// What is stored beside the numbers.
    #[serde(default, skip_serializing_if = "StoreSettings::is_default")]
    pub store: StoreSettings,
    /// What is measured of programs beside what they say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub measure: Option<MeasureSettings>,
    /// What `bench submit` asks an engine for: no part of any result.
    #[serde(skip)]
    pub submit: SubmitSettings,
}

/// `[measure] wall-time = true`: every call of a program is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct MeasureSettings {
    /// Calls of every cell that are not measured, before the first that is.
    pub warm_up: u32,
}

/// `[store]`: what is stored beside the numbers. None of it decides a trained number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct StoreSettings {
    /// How the predictions of every member are stored.
    pub predictions: StoredPredictions,
}

impl StoreSettings {
    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
    fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

/// How predictions are stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum StoredPredictions {
    /// As 32-bit logarithms: losses of ensembles are exact.
    #[default]
    F32,
    /// As 16-bit logarithms: half the size, losses of ensembles to three digits.
    F16,
    /// Not at all: reports show no ensembles, confusions or galleries, and there can be no ensembles.
    None,
}

/// The variable of an import that says which repeats there are: those of two imports pair where it is equal.
pub(crate) const IMPORTED_REPEATS: &str = "REPEATS";

impl Experiment {
    /// Returns whether its numbers were made elsewhere and imported.
    pub(crate) fn is_imported(&self) -> bool {
        let TrainerSettings::Command(command) = &self.base.trainer else { return false };
        command.command.texts().take(2).eq(["bench", "import"])
    }

    /// Returns what the repeats of an import are called, as a number, where cells share them.
    pub(crate) fn imported_repeats(&self) -> Option<u64> {
        let TrainerSettings::Command(command) = &self.base.trainer else { return None };
        let digest = command.environment.get(IMPORTED_REPEATS)?;
        u64::from_str_radix(digest.get(..16)?, 16).ok()
    }

    /// Returns the declaration of the metric that the report is about.
    ///
    /// # Panics
    /// Never for an experiment that was read without problems: it is one of those declared.
    pub(crate) fn metric(&self) -> &Metric {
        let declared = self.metrics.iter().find(|metric| metric.name == self.report.metric);
        declared.expect("a report is about a declared metric")
    }
}

fn are_of_classifiers(metrics: &[Metric]) -> bool {
    metrics == Metric::of_classifiers()
}

/// One `[[grid]]` block: the product of its axes and zips, thinned and extended.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct GridBlock {
    /// Independent axes, in the order typed.
    pub axes: Vec<Axis>,
    /// Groups of axes that move together; all axes of a group have equally many values.
    pub zips: Vec<Vec<Axis>>,
    /// Conditions under which an axis exists: elsewhere its key keeps the base value.
    pub when: Vec<When>,
    /// Cells matching all entries of any of these are left out.
    pub exclude: Vec<Vec<Match>>,
    /// Extra cells, each a full or partial assignment over the base settings.
    pub include: Vec<Vec<(String, Value)>>,
    /// Draw only some cells; absent: all.
    pub sample: Option<Sample>,
}

/// A key and the values it takes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Axis {
    /// Dotted key into the settings, for example `augment.rotation`.
    pub key: String,
    /// Its values in order, at least one.
    pub values: Vec<Value>,
}

/// `key` is one of `values`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Match {
    /// Dotted key.
    pub key: String,
    /// Accepted values.
    pub values: Vec<Value>,
}

/// The axes in `keys` exist only in cells where every match holds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct When {
    /// The axes concerned.
    pub keys: Vec<String>,
    /// The condition.
    pub matches: Vec<Match>,
}

/// How many cells of a large product to draw, and how.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Sample {
    /// The way of drawing.
    pub method: SampleMethod,
    /// Number of distinct cells.
    pub count: usize,
}

/// Ways of drawing cells.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SampleMethod {
    /// Uniformly without replacement.
    Random,
    /// Along a scrambled Sobol sequence, for even coverage.
    Sobol,
}

/// What the report shows.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct ReportSettings {
    /// The metric of the grids.
    pub metric: MetricName,
    /// Metrics that stand beside it in the table of cells.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub also: Vec<MetricName>,
    /// Axis whose values label the rows; absent: chosen by the report.
    pub rows: Option<String>,
    /// Axis whose values label the columns; absent: chosen by the report.
    pub columns: Option<String>,
    /// Name of a published table to stand beside ours, or the TOML file of one.
    pub reference: Option<String>,
    /// The table in that file, so that results say all of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reference_table: Option<ReferenceTable>,
    /// Whether the confusion matrix of the best cell is shown.
    #[serde(default)]
    pub confusion: bool,
    /// Misclassified test images of the best cell that are shown; 0 for none.
    #[serde(default)]
    pub gallery: usize,
    /// Confusions of which test images of the best cell are shown.
    #[serde(default)]
    pub gallery_of: Vec<ConfusionPair>,
}

impl ReportSettings {
    /// Returns the file of the published table, where `reference` names one.
    pub(crate) fn reference_file(&self) -> Option<&str> {
        let ending = |name: &str| Some(Path::new(name).extension()?.eq_ignore_ascii_case("toml"));
        self.reference.as_deref().filter(|name| ending(name) == Some(true))
    }
}

impl Default for ReportSettings {
    fn default() -> Self {
        Self {
            metric: MetricName::TEST_ACCURACY,
            also: Vec::new(),
            rows: None,
            columns: None,
            reference: None,
            reference_table: None,
            confusion: false,
            gallery: 0,
            gallery_of: Vec::new(),
        }
    }
}

/// Two classes that are mistaken for each other, by name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct ConfusionPair {
    /// The true class.
    pub truth: String,
    /// The class predicted instead.
    pub predicted: String,
}

impl ConfusionPair {
    /// What [`ConfusionPair::parse`] reads, in words.
    pub(crate) const EXPECTED: &str =
        "two different class names, the true one first, such as \"7→2\"";

    /// Reads `7→2` or `7->2`; nothing without two different names.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let (truth, predicted) = text.split_once('→').or_else(|| text.split_once("->"))?;
        let (truth, predicted) = (truth.trim(), predicted.trim());
        let sound = !truth.is_empty() && !predicted.is_empty() && truth != predicted;
        sound.then(|| Self { truth: truth.to_owned(), predicted: predicted.to_owned() })
    }
}

/// What the gate tolerates.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct CheckSettings {
    /// The gated metric.
    pub metric: MetricName,
    /// Largest loss that is accepted, in percentage points for fractions, else in the unit.
    pub tolerance: f64,
    /// One-sided level of the test.
    pub alpha: f64,
    /// Smallest accepted ratio of training speed to the baseline's; absent: speed is not gated.
    #[serde(default)]
    pub images_per_second: Option<f64>,
    /// The most trials that a cell may lose to divergence, failure or time; absent: as many as the
    /// baseline's own losses explain.
    #[serde(default)]
    pub lost_trials: Option<u32>,
    /// The value that every gated mean must be proven to reach, in the unit of the metric.
    #[serde(default)]
    pub at_least: Option<f64>,
    /// Only cells in which every match of one of these holds are gated; empty: all.
    #[serde(default)]
    pub cells: Vec<Vec<Match>>,
}

impl CheckSettings {
    /// Returns whether the cell with these axis values is gated.
    pub(crate) fn gates(&self, assignment: &Assignment) -> bool {
        let holds =
            |one: &Match| assignment.get(&one.key).is_some_and(|found| one.values.contains(found));
        self.cells.is_empty() || self.cells.iter().any(|matches| matches.iter().all(holds))
    }
}
