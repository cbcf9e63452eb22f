//! The settings of one cell, resolved: what a training is told, with every default filled in.
//!
//! These types are meaning, not syntax: two files that mean the same resolve to equal values, and
//! identity is hashed from them.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

pub use super::dataset::{DatasetSettings, LabelKind, LimitSettings, Source};
pub(crate) use super::dataset::{ImageFit, Share, SplitSeed, SplitSettings};
use super::layers::LayerSettings;
pub(crate) use super::program::CommandSettings;
use super::value::Value;
use crate::base::Metric;

/// Everything that decides one trial, seeds aside.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Settings {
    /// Which images.
    pub dataset: DatasetSettings,
    /// Which network.
    pub model: ModelSettings,
    /// How it is trained.
    pub train: TrainSettings,
    /// How training images are varied.
    pub augment: AugmentSettings,
    /// How many networks vote and how.
    pub ensemble: EnsembleSettings,
    /// What trains.
    pub trainer: TrainerSettings,
    /// Free values for foreign and fake trainers.
    pub hyperparameters: BTreeMap<String, Value>,
    /// Folds of cross-validation, of which a repeat is one; absent: repeats are independent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub folds: Option<u32>,
}

impl Settings {
    /// Says of how many folds a repeat is one, also to the split of images, if there are any.
    pub(super) fn set_folds(&mut self, folds: Option<u32>) {
        self.folds = folds;
        self.dataset.split.folds = folds.filter(|_| self.dataset.source != Source::None);
    }
}

/// The network: resolved layers, whatever preset they came from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct ModelSettings {
    /// Name printed in reports: the preset's, or `custom`; not part of the identity.
    pub name: String,
    /// Layers from input to logits.
    pub layers: Vec<LayerSettings>,
}

/// How one member is trained.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct TrainSettings {
    /// Largest number of passes over the training images.
    pub epochs: u32,
    /// Images per step.
    pub batch_size: usize,
    /// Whether a last, smaller batch is left out.
    pub drop_last: bool,
    /// The update rule.
    pub optimizer: OptimizerSettings,
    /// The step size over time.
    pub learning_rate: LearningRateSettings,
    /// Arithmetic of the training step.
    pub precision: Precision,
    /// When to stop before the last epoch.
    pub stop: StopSettings,
    /// What is trained again once the rules have found their end; absent: nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retrain: Option<Retrain>,
    /// Seconds after which a member is given up; absent: never.
    pub time_limit: Option<f64>,
}

/// What a second training uses, once a first one has shown where to stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Retrain {
    /// Training and validation images together, from the initial weights.
    All,
}

/// The update rule and its own settings. Defaults are stated in `experiments/README.md`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "name")]
pub enum OptimizerSettings {
    /// Stochastic gradient descent.
    #[serde(rename_all = "kebab-case")]
    Sgd {
        /// Momentum, 0 for none.
        momentum: f64,
        /// Nesterov's form of momentum.
        nesterov: bool,
        /// Decoupled (Keras) or an L2 penalty (torch).
        weight_decay: f64,
        /// What momentum gathers, and what weight decay is.
        #[serde(default, skip_serializing_if = "OptimizerConvention::is_torch")]
        convention: OptimizerConvention,
    },
    /// Adam (Kingma & Ba 2015).
    #[serde(rename_all = "kebab-case")]
    Adam {
        /// Decay of the first moment.
        beta1: f64,
        /// Decay of the second moment.
        beta2: f64,
        /// Added to the root.
        epsilon: f64,
        /// Decoupled (Keras) or an L2 penalty (torch).
        weight_decay: f64,
        /// Which root epsilon is added to, and what weight decay is.
        #[serde(default, skip_serializing_if = "OptimizerConvention::is_torch")]
        convention: OptimizerConvention,
    },
    /// Adam with decoupled weight decay (Loshchilov & Hutter 2019).
    #[serde(rename_all = "kebab-case")]
    AdamW {
        /// Decay of the first moment.
        beta1: f64,
        /// Decay of the second moment.
        beta2: f64,
        /// Added to the root.
        epsilon: f64,
        /// Decoupled weight decay.
        weight_decay: f64,
        /// Which root epsilon is added to.
        #[serde(default, skip_serializing_if = "OptimizerConvention::is_torch")]
        convention: OptimizerConvention,
    },
    /// `RMSprop` (Tieleman & Hinton 2012).
    #[serde(rename_all = "kebab-case")]
    RmsProp {
        /// Decay of the squared gradient.
        alpha: f64,
        /// Guards the division.
        epsilon: f64,
        /// Momentum, 0 for none.
        momentum: f64,
        /// Whose start value and place of epsilon are followed, and what weight decay is.
        convention: RmsPropConvention,
        /// Decoupled (Keras) or an L2 penalty.
        weight_decay: f64,
    },
}

/// Definitions of SGD, Adam and `AdamW` in use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum OptimizerConvention {
    /// Keras 3. Momentum gathers finished steps, `v ← μ v − rate · g`, so that a change of the step
    /// size does not reach back. Adam adds epsilon to the root of the second moment as it is, before
    /// its correction. Weight decay is decoupled for every optimizer: `w ← w − rate · decay · w`,
    /// then the step.
    Keras,
    /// torch. Momentum gathers gradients, `v ← μ v + g`, all of which the step size of the day scales.
    /// Adam adds epsilon to the root of the corrected second moment. Weight decay is an L2 penalty
    /// added to the gradient, and decoupled for `AdamW` alone. What files of engine revisions before 5
    /// mean, and so what is left out of what is hashed.
    #[default]
    Torch,
}

impl OptimizerConvention {
    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
    fn is_torch(&self) -> bool {
        *self == Self::Torch
    }
}

/// Definitions of `RMSprop` in use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RmsPropConvention {
    /// Squared gradient starts at 0, epsilon inside the root, momentum on the finished step
    /// `learning-rate · gradient / root`, decoupled weight decay (Keras 3).
    Keras,
    /// Squared gradient starts at 0, epsilon outside the root, momentum on `gradient / root`, L2
    /// penalty (torch).
    Torch,
    /// Squared gradient starts at 1, epsilon inside the root, momentum on `gradient / root`, L2
    /// penalty (dfdx 0.13).
    Dfdx,
}

/// The step size over time: `initial · factor(schedule) · warm-up`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct LearningRateSettings {
    /// Step size of the first epoch after warm-up.
    pub initial: f64,
    /// How it changes from epoch to epoch.
    pub schedule: Schedule,
    /// Epochs of linear warm-up from `initial / warm-up` at the start, may be fractional.
    pub warmup_epochs: f64,
}

/// How the step size changes from epoch to epoch (epoch `e` counts from 0).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "name")]
pub enum Schedule {
    /// Stays at `initial`.
    Constant,
    /// `initial · factor^e`.
    Exponential {
        /// The factor.
        factor: f64,
    },
    /// `initial · factor^⌊e / every⌋`.
    Step {
        /// The factor.
        factor: f64,
        /// Epochs between two changes.
        every: u32,
    },
    /// Half a cosine from `initial` to `last`, per step, over all epochs after warm-up.
    Cosine {
        /// Final step size.
        last: f64,
    },
}

/// Arithmetic of the training step.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Precision {
    /// The fastest the machine has that is proven equal in accuracy.
    Auto,
    /// 32-bit floats throughout.
    F32,
    /// bfloat16 products, 32-bit sums and weights.
    Bf16,
}

/// When to stop before the last epoch; all absent: never.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct StopSettings {
    /// Stop when the validation split no longer improves.
    pub patience: Option<PatienceSettings>,
    /// Stop after the first epoch whose training accuracy is at least this fraction.
    pub train_accuracy: Option<f64>,
    /// Evaluate the best epoch's weights instead of the last.
    pub restore_best: bool,
}

/// Early stopping on the validation split.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct PatienceSettings {
    /// `validation-accuracy` or `validation-loss`.
    pub monitor: crate::base::MetricName,
    /// Epochs without improvement after which training stops.
    pub epochs: u32,
    /// Improvements up to this much do not count.
    pub min_delta: f64,
}

/// Random affine variation of every training image in every epoch.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct AugmentSettings {
    /// Largest rotation either way, in degrees.
    pub rotation: f64,
    /// Largest zoom either way, as a fraction.
    pub zoom: ZoomSettings,
    /// Largest shift either way, as a fraction of width and height.
    pub shift: ShiftSettings,
    /// Largest shear angle either way, in degrees.
    pub shear: f64,
    /// What stands outside the image.
    pub fill: Fill,
    /// Whose order of operations and sampling is followed.
    pub convention: Convention,
}

/// Zoom ranges as fractions; 0.1 draws a factor from 0.9 to 1.1.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct ZoomSettings {
    /// Vertical range.
    pub height: f64,
    /// Horizontal range.
    pub width: f64,
    /// Whether both directions share one draw.
    pub uniform: bool,
}

/// Shift ranges as fractions of the image's size.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct ShiftSettings {
    /// Horizontal range.
    pub width: f64,
    /// Vertical range.
    pub height: f64,
}

/// What stands outside the image.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Fill {
    /// The nearest edge pixel.
    Nearest,
    /// One value from 0 to 1.
    Constant(f64),
    /// Mirrored with the edge pixel repeated: `d c b a | a b c d | d c b a`.
    Reflect,
    /// Tiled: as SciPy has it, the last pixel lying on the first of the next tile, or for the layers
    /// as TensorFlow has it.
    Wrap,
}

/// Whose augmentation is followed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Convention {
    /// Keras `ImageDataGenerator`: one affine map about the centre, zoom per axis.
    KerasGenerator,
    /// Keras preprocessing layers: rotation, zoom, shear and translation one after another, each read
    /// bilinearly on its own.
    KerasLayers,
}

/// How many networks vote and how.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct EnsembleSettings {
    /// Number of members, at least 1.
    pub size: u32,
    /// How their predictions are combined.
    pub combine: Combine,
}

/// How the predictions of an ensemble are combined.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Combine {
    /// Mean of the class probabilities.
    Mean,
    /// Most members; ties go to the largest mean probability among the tied classes.
    Vote,
}

/// What trains.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "engine")]
pub enum TrainerSettings {
    /// Our own kernels where there are any, and dfdx's operations elsewhere. Files of engine
    /// revisions before 5 call it `dfdx`.
    #[serde(alias = "dfdx")]
    Auto,
    /// dfdx's operations everywhere, on every device.
    DfdxOnly,
    /// Deterministic made-up curves, for testing everything but training.
    Fake(FakeSettings),
    /// A program of the user.
    Command(Box<CommandSettings>),
}

impl TrainerSettings {
    /// Returns the metrics that the trainer declares, in the order of the tables.
    pub(crate) fn metrics(&self) -> Vec<Metric> {
        match self {
            Self::Auto | Self::DfdxOnly | Self::Fake(_) => Metric::of_classifiers(),
            // The experiment declares them.
            Self::Command(_) => Vec::new(),
        }
    }

    /// Returns whether networks are trained, instead of curves being made up.
    pub(crate) fn has_networks(&self) -> bool {
        matches!(self, Self::Auto | Self::DfdxOnly)
    }

    /// Returns whether a program of the user trains.
    pub(crate) fn is_command(&self) -> bool {
        matches!(self, Self::Command(_))
    }

    /// Returns the engine as typed.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::DfdxOnly => "dfdx",
            Self::Fake(_) => "fake",
            Self::Command(_) => "command",
        }
    }
}

/// The script of the fake engine.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct FakeSettings {
    /// Accuracy towards which the curves rise, a fraction.
    pub accuracy: f64,
    /// Standard deviation between members, a fraction.
    pub spread: f64,
    /// Change of accuracy per unit of a hyperparameter, by its name.
    pub effects: BTreeMap<String, f64>,
    /// Real milliseconds slept in every epoch.
    pub epoch_delay_ms: u64,
    /// Planned accidents.
    pub accidents: Vec<Accident>,
}

/// A planned accident of the fake engine.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Accident {
    /// What happens.
    pub kind: AccidentKind,
    /// In which repeat; absent: in all.
    pub repeat: Option<u32>,
    /// To which member; absent: to all.
    pub member: Option<u32>,
    /// In which epoch, from 1.
    pub epoch: u32,
    /// Only where these hyperparameters have these values.
    pub when: BTreeMap<String, Value>,
    /// How many attempts it hits before it stops happening; absent: always.
    pub attempts: Option<u32>,
}

/// Kinds of accidents.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum AccidentKind {
    /// The engine returns an error.
    Error,
    /// The engine panics.
    Panic,
    /// The loss becomes NaN.
    Diverge,
}
