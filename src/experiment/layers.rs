//! Layers of a network, resolved: every size and initialisation is written out.

use serde::{Deserialize, Serialize};

/// One layer. Shapes are height × width × channels, batch aside.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "kind")]
pub enum LayerSettings {
    /// Two-dimensional convolution (cross-correlation) with bias.
    Conv {
        /// Output channels.
        filters: usize,
        /// Side of the square kernel.
        kernel: usize,
        /// Step in both directions.
        stride: usize,
        /// Zeros around the image.
        padding: Padding,
        /// Whether a bias is added.
        bias: bool,
        /// Initial weights.
        init: Init,
    },
    /// Batch normalisation per channel with trainable scale and shift.
    BatchNorm {
        /// Share of the old running statistics kept at each step (Keras' momentum).
        momentum: f64,
        /// Added to the variance.
        epsilon: f64,
        /// What an evaluation normalises by; manifests that do not say mean Keras' running averages.
        #[serde(
            default = "NormStatistics::of_old_manifests",
            skip_serializing_if = "NormStatistics::is_running"
        )]
        statistics: NormStatistics,
    },
    /// `max(x, 0)`.
    Relu,
    /// Largest value of each window.
    MaxPool {
        /// Side of the square window.
        size: usize,
        /// Step in both directions.
        stride: usize,
        /// Padding; padded pixels never win.
        padding: Padding,
    },
    /// Mean of each window.
    AveragePool {
        /// Side of the square window.
        size: usize,
        /// Step in both directions.
        stride: usize,
        /// Zeros around the image.
        padding: Padding,
        /// Whether these count in the mean.
        #[serde(default, skip_serializing_if = "AverageConvention::is_default")]
        convention: AverageConvention,
    },
    /// Zeroes a share of the values while training and scales the rest by `1 / (1 − rate)`.
    Dropout {
        /// The share, from 0 up to but not including 1.
        rate: f64,
    },
    /// Turns height × width × channels into one row of features.
    Flatten,
    /// Fully connected layer with bias.
    Dense {
        /// Output features; absent: the number of classes.
        units: Option<usize>,
        /// Whether a bias is added.
        bias: bool,
        /// Initial weights.
        init: Init,
    },
    /// One capsule a class, with routing by agreement; the lengths of their vectors are the logits.
    /// Takes an image and comes last.
    Capsules {
        /// Channels that make one input capsule.
        dimensions: usize,
        /// Values of a class capsule.
        size: usize,
        /// Rounds of routing.
        rounds: usize,
        /// How coefficients are normalised between rounds.
        routing: Routing,
        /// Initial weights.
        init: Init,
    },
    /// Gaussian naive Bayes: every feature normal within its class, independent of the others.
    /// It is fitted in one pass, not by steps, so it stands alone behind a `flatten`.
    NaiveBayes {
        /// Share of the largest variance of any feature that is added to every variance.
        smoothing: f64,
        /// Whether features are first brought to mean 0 and standard deviation 1.
        scaling: bool,
    },
}

impl LayerSettings {
    /// Returns whether a network of these layers is fitted in one pass instead of trained by steps.
    pub(crate) fn are_fitted(layers: &[Self]) -> bool {
        matches!(layers, [Self::Flatten, Self::NaiveBayes { .. }])
    }

    /// Every kind as typed in experiment files.
    pub(crate) const KINDS: [&str; 10] = [
        "conv",
        "batch-norm",
        "relu",
        "max-pool",
        "average-pool",
        "dropout",
        "flatten",
        "dense",
        "capsules",
        "naive-bayes",
    ];

    /// Returns the kind as typed in experiment files.
    pub(crate) fn kind(&self) -> &'static str {
        match self {
            Self::Conv { .. } => "conv",
            Self::BatchNorm { .. } => "batch-norm",
            Self::Relu => "relu",
            Self::MaxPool { .. } => "max-pool",
            Self::AveragePool { .. } => "average-pool",
            Self::Dropout { .. } => "dropout",
            Self::Flatten => "flatten",
            Self::Dense { .. } => "dense",
            Self::Capsules { .. } => "capsules",
            Self::NaiveBayes { .. } => "naive-bayes",
        }
    }
}

/// What batch normalisation uses in place of a batch's mean and variance when it evaluates.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum NormStatistics {
    /// Keras' running averages `r ← β r + (1 − β) batch`, from mean 0 and variance 1: the start keeps
    /// a weight of βᵗ after t steps.
    Running,
    /// The same sums from 0, divided by 1 − βᵗ, so that the start counts for nothing (as Adam does);
    /// mean 0 and variance 1 before any step.
    #[default]
    Debiased,
    /// Mean and variance over the training images as they are, from one pass in batches at every
    /// evaluation ("precise" statistics, Wu & Johnson 2021).
    Population,
}

impl NormStatistics {
    /// What manifests mean that do not say.
    fn of_old_manifests() -> Self {
        Self::Running
    }

    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
    fn is_running(&self) -> bool {
        *self == Self::Running
    }

    /// Returns the weight of the batch of step `step`, from 1, in the average that holds it.
    ///
    /// Debiased sums are kept as averages: `s / (1 − βᵗ)` moves by `(1 − β) / (1 − βᵗ)` of the way.
    pub(crate) fn share_of_step(self, momentum: f64, step: u64) -> f64 {
        match self {
            Self::Running | Self::Population => 1.0 - momentum,
            Self::Debiased => (1.0 - momentum) / (1.0 - momentum.powf(step as f64)),
        }
    }
}

/// How a capsule divides what it says among the classes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Routing {
    /// By softmax: the shares add up to 1 (Sabour, Frosst & Hinton 2017).
    Softmax,
    /// From 0 for the least to 1 for the most agreeing class (Zhao et al. 2019).
    MaxMin,
}

/// Zeros around an image.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Padding {
    /// None.
    Valid,
    /// Output is `⌈input / stride⌉`; an odd zero goes below and right (TensorFlow's rule, so a
    /// 5×5 kernel at stride 2 on an even input pads 1 before and 2 after).
    Same,
    /// So many on each side (torch's rule).
    Explicit(usize),
}

/// What an average-pool divides by where its window reaches into padding.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum AverageConvention {
    /// By the pixels inside the image: padding is left out of the mean, as in Keras.
    #[default]
    Keras,
    /// By all pixels of the window: padding counts as zeros, as in torch (`count_include_pad=True`,
    /// its default).
    Torch,
}

impl AverageConvention {
    /// Returns the number of pixels a sum is divided by, of `inside` in the image and `all` in the
    /// window.
    pub(crate) fn divisor(self, inside: usize, all: usize) -> usize {
        match self {
            Self::Keras => inside,
            Self::Torch => all,
        }
    }

    /// The default stays out of identities, so that results from before the choice keep theirs.
    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
    fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

/// Distribution of the initial weights; biases start at 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Init {
    /// Uniform in ±√(6 / (fan-in + fan-out)) (Glorot & Bengio 2010; Keras' default).
    GlorotUniform,
    /// Normal with variance 2 / (fan-in + fan-out), cut at two standard deviations.
    GlorotNormal,
    /// Uniform in ±√(6 / fan-in) (He et al. 2015).
    HeUniform,
    /// Normal with variance 2 / fan-in, cut at two standard deviations.
    HeNormal,
    /// Uniform in ±√(3 / fan-in) (LeCun et al. 1998, as Keras has it).
    LecunUniform,
}
