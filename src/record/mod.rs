//! Plain results: what one epoch, one member and one trial gave.
//!
//! Owns the shapes that travel from the engine through the store to the tables. Invariant: every
//! type here serialises without loss (also NaN and infinities, which JSON lacks), and failures carry
//! as much as successes.

mod number;

use serde::{Deserialize, Serialize};

use crate::base::{CellId, MemberId, Metric, MetricName, Metrics, SeedPath, TrialId};

/// How a member or a trial ended, from the best to the worst that can befall a trial: that of the
/// worst of its members.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// Trained to its end; the metrics count.
    Completed,
    /// Loss became NaN, infinite or exploded; a fact about the setting, not a fault.
    Diverged,
    /// It took longer than allowed.
    TimedOut,
    /// An error or a panic ended it.
    Failed,
    /// A person or the system stopped it; it is trained again on the next run.
    Interrupted,
}

impl Outcome {
    /// Every outcome, from the best to the worst.
    pub const ALL: [Self; 5] =
        [Self::Completed, Self::Diverged, Self::TimedOut, Self::Failed, Self::Interrupted];

    /// Returns whether a later run must train it again.
    #[must_use]
    pub fn is_final(self) -> bool {
        matches!(self, Self::Completed | Self::Diverged)
    }

    /// Returns whether it ended without a value.
    #[must_use]
    pub fn is_lost(self) -> bool {
        matches!(self, Self::Diverged | Self::Failed | Self::TimedOut)
    }

    /// Returns the kebab-case name used in journals and tables.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Completed => "completed",
            Self::Diverged => "diverged",
            Self::Failed => "failed",
            Self::TimedOut => "timed-out",
            Self::Interrupted => "interrupted",
        }
    }
}

/// What one epoch of one member gave. Accuracies are fractions, losses nats per image.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct EpochRecord {
    /// Index of the epoch, from 1.
    pub epoch: u32,
    /// Learning rate at the start of the epoch.
    #[serde(with = "number")]
    pub learning_rate: f64,
    /// Mean loss over the training batches, as seen during the epoch (augmented, with dropout).
    #[serde(with = "number")]
    pub train_loss: f64,
    /// Accuracy over the training batches, as seen during the epoch.
    #[serde(with = "number")]
    pub train_accuracy: f64,
    /// Mean loss on the validation split; absent without one.
    #[serde(default, with = "number::optional", skip_serializing_if = "Option::is_none")]
    pub validation_loss: Option<f64>,
    /// Accuracy on the validation split; absent without one.
    #[serde(default, with = "number::optional", skip_serializing_if = "Option::is_none")]
    pub validation_accuracy: Option<f64>,
    /// Wall-clock seconds of training in this epoch, evaluation excluded.
    #[serde(with = "number")]
    pub train_seconds: f64,
}

impl EpochRecord {
    /// Says which of its values is none that its metric, of those declared, can have; NaN stands for
    /// what nobody measured.
    #[must_use]
    pub fn impossible(&self, declared: &[Metric]) -> Option<String> {
        let measured = [
            (MetricName::TRAIN_LOSS, Some(self.train_loss)),
            (MetricName::TRAIN_ACCURACY, Some(self.train_accuracy)),
            (MetricName::VALIDATION_LOSS, self.validation_loss),
            (MetricName::VALIDATION_ACCURACY, self.validation_accuracy),
        ];
        let of_metric = measured.into_iter().find_map(|(name, value)| {
            let value = value.filter(|value| !value.is_nan())?;
            let metric = declared.iter().find(|metric| metric.name == name)?;
            (!metric.can_be(value)).then(|| metric.refusal(value))
        });
        let others = [("train-seconds", self.train_seconds), ("learning-rate", self.learning_rate)];
        let of_others = || {
            let (name, value) = others.into_iter().find(|(_, value)| *value < 0.0)?;
            Some(format!("`{name}` is {value}, expected 0 or more"))
        };
        let problem = of_metric.or_else(of_others)?;
        Some(format!("{problem}, in epoch {}", self.epoch))
    }
}

/// Which epoch's weights were evaluated, and what chose it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Selection {
    /// The weights after the last epoch.
    Last,
    /// The best epoch on the validation split.
    BestOnValidation,
}

/// What the training of one member cost and gave.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct MemberSummary {
    /// Epochs trained.
    pub epochs: u32,
    /// The epoch whose weights were evaluated, from 1.
    pub selected_epoch: u32,
    /// What chose that epoch.
    pub selection: Selection,
    /// Values of the member's metrics at the selected epoch.
    #[serde(with = "number::map")]
    pub metrics: Metrics,
    /// Trainable parameters.
    pub trainable_parameters: u64,
    /// Numerical path taken, for example `dfdx f32` or `fused amx-bf16`.
    pub path: String,
    /// Images trained on, epochs × training images.
    pub images_trained: u64,
}

/// One attempt at training one member, as the journal keeps it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct MemberRecord {
    /// What was trained.
    pub id: MemberId,
    /// Where its random streams hang.
    pub seed_path: SeedPath,
    /// Index of the attempt, from 1.
    pub attempt: u32,
    /// How it ended.
    pub outcome: Outcome,
    /// What went wrong, for outcomes other than completed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Epochs in order, also of a member that diverged.
    pub epochs: Vec<EpochRecord>,
    /// Present when completed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub summary: Option<MemberSummary>,
}

/// One finished trial, as the journal keeps it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct TrialRecord {
    /// What was tried.
    pub id: TrialId,
    /// The cell it belongs to.
    pub cell: CellId,
    /// Index of the repeat, from 0.
    pub repeat: u32,
    /// Its members in order.
    pub members: Vec<MemberId>,
    /// How it ended: the worst outcome of its members.
    pub outcome: Outcome,
    /// What went wrong, for outcomes other than completed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Values of the trial's metrics; empty unless completed.
    #[serde(with = "number::map")]
    pub metrics: Metrics,
}

/// Natural logarithms of the class probabilities of one member, one row per image, in the order of
/// the split's indices.
///
/// Logarithms, because a 32-bit probability holds neither how near to 1 nor how near to 0 it is,
/// and a loss is made of both.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct LogProbabilities {
    /// Number of classes (columns).
    pub classes: usize,
    /// Row-major values, `images × classes`.
    pub values: Vec<f32>,
}

impl LogProbabilities {
    /// Takes the logarithms of probabilities.
    pub fn of_probabilities(classes: usize, values: impl IntoIterator<Item = f32>) -> Self {
        let values = values.into_iter().map(|value| f64::from(value).ln() as f32).collect();
        Self { classes, values }
    }

    /// Returns the number of images (rows).
    #[must_use]
    pub fn images(&self) -> usize {
        self.values.len().checked_div(self.classes).unwrap_or(0)
    }

    /// Iterates over the rows.
    pub fn rows(&self) -> impl Iterator<Item = &[f32]> {
        self.values.chunks_exact(self.classes.max(1))
    }
}

/// What one member predicts, with the truth beside it so that files stand alone.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Predictions {
    /// On the validation split; zero rows without one.
    pub validation: LogProbabilities,
    /// True classes of the validation split.
    pub validation_labels: Vec<u16>,
    /// On the test split.
    pub test: LogProbabilities,
    /// True classes of the test split.
    pub test_labels: Vec<u16>,
    /// How they were stored.
    pub precision: PredictionPrecision,
}

/// How predictions were stored, and so what their losses are worth.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum PredictionPrecision {
    /// 32-bit logarithms: a loss is exact to 1e-6 relative.
    #[default]
    Single,
    /// 16-bit logarithms: a loss is exact to 1e-3 relative.
    HalfLogarithms,
    /// 16-bit probabilities, of which losses were taken as if none were below 1e-7 (files written
    /// before engine revision 5).
    Half,
}
