//! Networks with a name: those of published studies, and a small one for 8×8 images.

use super::layers::{Init, LayerSettings, NormStatistics, Padding, Routing};

/// A network with a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Preset {
    /// Chris Deotte's convolutional network for MNIST ("25 Million Images! \[0.99757\]", Kaggle
    /// 2018): two stages of conv 3, conv 3, conv 5 stride 2, then conv 4; `ReLU` before batch-norm.
    DeotteCnn,
    /// Five convolutions of 64 to 256 filters, three pools, two hidden dense layers; He normal.
    AugmentCnn,
    /// One hidden dense layer of 256.
    Mlp,
    /// Three convolutions, two pools, one hidden dense layer (Chollet's MNIST example).
    SimpleCnn,
    /// Two convolutions of 64 filters, two pools, a hidden dense layer of 512.
    TwoConv,
    /// Two small convolutions with batch-norm and pools, for 8×8 images.
    SmallCnn,
    /// Two convolutions and class capsules with max–min routing; a small relative of Zhao et al. 2019.
    CapsuleCnn,
    /// One dense layer: multinomial logistic regression.
    Logistic,
    /// Gaussian naive Bayes.
    NaiveBayes,
}

/// What can be changed of a preset without writing out its layers.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Knobs {
    /// Rate of the dropout in the convolutional part; absent: the preset's.
    pub conv_dropout: Option<f64>,
    /// Rate of the dropout in the dense part; absent: the preset's.
    pub dense_dropout: Option<f64>,
    /// Factor on the filters and units of every hidden layer.
    pub width: f64,
    /// Initial weights of every layer; absent: the preset's.
    pub init: Option<Init>,
    /// What batch normalisation evaluates by.
    pub statistics: NormStatistics,
    /// Whether the features of `logistic` and `naive-bayes` are brought to one scale first.
    pub scaling: bool,
    /// Share of the largest variance that `naive-bayes` adds to every variance.
    pub smoothing: f64,
}

impl Default for Knobs {
    fn default() -> Self {
        Self {
            conv_dropout: None,
            dense_dropout: None,
            width: 1.0,
            init: None,
            statistics: NormStatistics::default(),
            scaling: false,
            smoothing: 1e-9,
        }
    }
}

impl Preset {
    /// Every preset.
    pub(crate) const ALL: [Self; 9] = [
        Self::DeotteCnn,
        Self::AugmentCnn,
        Self::Mlp,
        Self::SimpleCnn,
        Self::TwoConv,
        Self::SmallCnn,
        Self::CapsuleCnn,
        Self::Logistic,
        Self::NaiveBayes,
    ];

    /// Returns the name used in experiment files.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::DeotteCnn => "deotte-cnn",
            Self::AugmentCnn => "augment-cnn",
            Self::Mlp => "mlp",
            Self::SimpleCnn => "simple-cnn",
            Self::TwoConv => "two-conv",
            Self::SmallCnn => "small-cnn",
            Self::CapsuleCnn => "capsule-cnn",
            Self::Logistic => "logistic",
            Self::NaiveBayes => "naive-bayes",
        }
    }

    /// Returns whether the network has convolutions, and so a place for dropout among them.
    pub(crate) fn is_convolutional(self) -> bool {
        !matches!(self, Self::Mlp | Self::Logistic | Self::NaiveBayes)
    }

    /// Writes out the layers. Dropout of rate 0 is no layer at all.
    pub(crate) fn layers(self, knobs: &Knobs) -> Vec<LayerSettings> {
        match self {
            Self::DeotteCnn => deotte_cnn(Stack::new(knobs, Init::GlorotUniform, 0.4, 0.4)),
            Self::AugmentCnn => augment_cnn(Stack::new(knobs, Init::HeNormal, 0.0, 0.2)),
            Self::Mlp => Stack::new(knobs, Init::GlorotUniform, 0.0, 0.0)
                .flatten()
                .hidden(256)
                .dense_dropout()
                .logits(),
            Self::SimpleCnn => simple_cnn(Stack::new(knobs, Init::GlorotUniform, 0.0, 0.0)),
            Self::TwoConv => two_conv(Stack::new(knobs, Init::GlorotUniform, 0.0, 0.0)),
            Self::SmallCnn => small_cnn(Stack::new(knobs, Init::GlorotUniform, 0.0, 0.2)),
            Self::CapsuleCnn => capsule_cnn(Stack::new(knobs, Init::GlorotUniform, 0.0, 0.0)),
            Self::Logistic => {
                let stack = Stack::new(knobs, Init::GlorotUniform, 0.0, 0.0).flatten();
                // Running means and variances of every pixel come to those of the training images.
                if knobs.scaling { stack.batch_norm().logits() } else { stack.logits() }
            }
            Self::NaiveBayes => {
                let Knobs { smoothing, scaling, .. } = *knobs;
                vec![LayerSettings::Flatten, LayerSettings::NaiveBayes { smoothing, scaling }]
            }
        }
    }
}

fn deotte_cnn(stack: Stack) -> Vec<LayerSettings> {
    stack
        .conv(32, 3, 1, Padding::Valid)
        .batch_norm()
        .conv(32, 3, 1, Padding::Valid)
        .batch_norm()
        .conv(32, 5, 2, Padding::Same)
        .batch_norm()
        .conv_dropout()
        .conv(64, 3, 1, Padding::Valid)
        .batch_norm()
        .conv(64, 3, 1, Padding::Valid)
        .batch_norm()
        .conv(64, 5, 2, Padding::Same)
        .batch_norm()
        .conv_dropout()
        .conv(128, 4, 1, Padding::Valid)
        .batch_norm()
        .flatten()
        .dense_dropout()
        .logits()
}

/// Convolutional dropout, where asked for, stands after each pool.
fn augment_cnn(stack: Stack) -> Vec<LayerSettings> {
    stack
        .conv(64, 7, 1, Padding::Same)
        .pool()
        .conv_dropout()
        .conv(128, 3, 1, Padding::Same)
        .conv(128, 3, 1, Padding::Same)
        .pool()
        .conv_dropout()
        .conv(256, 3, 1, Padding::Same)
        .conv(256, 3, 1, Padding::Same)
        .pool()
        .conv_dropout()
        .flatten()
        .hidden(128)
        .dense_dropout()
        .hidden(64)
        .dense_dropout()
        .logits()
}

fn simple_cnn(stack: Stack) -> Vec<LayerSettings> {
    stack
        .conv(32, 3, 1, Padding::Valid)
        .pool()
        .conv_dropout()
        .conv(64, 3, 1, Padding::Valid)
        .pool()
        .conv_dropout()
        .conv(64, 3, 1, Padding::Valid)
        .flatten()
        .hidden(128)
        .dense_dropout()
        .logits()
}

fn two_conv(stack: Stack) -> Vec<LayerSettings> {
    stack
        .conv(64, 3, 1, Padding::Valid)
        .pool()
        .conv_dropout()
        .conv(64, 3, 1, Padding::Valid)
        .pool()
        .conv_dropout()
        .flatten()
        .hidden(512)
        .dense_dropout()
        .logits()
}

/// Its trainings have some two hundred steps, after which 0.99 would still remember the start.
fn small_cnn(stack: Stack) -> Vec<LayerSettings> {
    stack
        .batch_norm_momentum(0.9)
        .conv(16, 3, 1, Padding::Same)
        .batch_norm()
        .pool()
        .conv_dropout()
        .conv(32, 3, 1, Padding::Same)
        .batch_norm()
        .pool()
        .conv_dropout()
        .flatten()
        .dense_dropout()
        .logits()
}

/// Any size of image will do: both convolutions halve it, rounded up.
fn capsule_cnn(stack: Stack) -> Vec<LayerSettings> {
    const DIMENSIONS: usize = 8;
    let init = stack.init;
    let groups = ((4.0 * stack.width).round() as usize).max(1);
    let mut layers = stack.conv(32, 5, 2, Padding::Same).layers;
    layers.push(LayerSettings::Conv {
        filters: groups * DIMENSIONS,
        kernel: 5,
        stride: 2,
        padding: Padding::Same,
        bias: true,
        init,
    });
    layers.push(LayerSettings::Capsules {
        dimensions: DIMENSIONS,
        size: 16,
        rounds: 3,
        routing: Routing::MaxMin,
        init,
    });
    layers
}

/// Layers under construction.
struct Stack {
    layers: Vec<LayerSettings>,
    conv_dropout: f64,
    dense_dropout: f64,
    width: f64,
    init: Init,
    batch_norm_momentum: f64,
    statistics: NormStatistics,
}

impl Stack {
    fn new(knobs: &Knobs, init: Init, conv_dropout: f64, dense_dropout: f64) -> Self {
        Self {
            layers: Vec::with_capacity(32),
            conv_dropout: knobs.conv_dropout.unwrap_or(conv_dropout),
            dense_dropout: knobs.dense_dropout.unwrap_or(dense_dropout),
            width: knobs.width,
            init: knobs.init.unwrap_or(init),
            batch_norm_momentum: 0.99,
            statistics: knobs.statistics,
        }
    }

    /// Keeps this share of the running statistics at each step instead of Keras' 0.99.
    fn batch_norm_momentum(mut self, momentum: f64) -> Self {
        self.batch_norm_momentum = momentum;
        self
    }

    fn push(mut self, layer: LayerSettings) -> Self {
        self.layers.push(layer);
        self
    }

    fn scaled(&self, size: usize) -> usize {
        ((size as f64 * self.width).round() as usize).max(1)
    }

    fn conv(self, filters: usize, kernel: usize, stride: usize, padding: Padding) -> Self {
        let (filters, init) = (self.scaled(filters), self.init);
        self.push(LayerSettings::Conv { filters, kernel, stride, padding, bias: true, init })
            .push(LayerSettings::Relu)
    }

    fn batch_norm(self) -> Self {
        let (momentum, statistics) = (self.batch_norm_momentum, self.statistics);
        self.push(LayerSettings::BatchNorm { momentum, epsilon: 1e-3, statistics })
    }

    fn pool(self) -> Self {
        self.push(LayerSettings::MaxPool { size: 2, stride: 2, padding: Padding::Valid })
    }

    fn conv_dropout(self) -> Self {
        let rate = self.conv_dropout;
        self.dropout(rate)
    }

    fn dense_dropout(self) -> Self {
        let rate = self.dense_dropout;
        self.dropout(rate)
    }

    fn dropout(self, rate: f64) -> Self {
        if rate > 0.0 { self.push(LayerSettings::Dropout { rate }) } else { self }
    }

    fn flatten(self) -> Self {
        self.push(LayerSettings::Flatten)
    }

    fn hidden(self, units: usize) -> Self {
        let (units, init) = (Some(self.scaled(units)), self.init);
        self.push(LayerSettings::Dense { units, bias: true, init }).push(LayerSettings::Relu)
    }

    fn logits(self) -> Vec<LayerSettings> {
        let init = self.init;
        self.push(LayerSettings::Dense { units: None, bias: true, init }).layers
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::experiment::architecture::Architecture;

    fn on(preset: Preset, side: usize) -> Result<Architecture, String> {
        Architecture::of(&preset.layers(&Knobs::default()), (side, side, 1), 10)
            .map_err(|problem| problem.to_string())
    }

    #[test]
    fn parameter_counts_are_those_of_the_published_networks() {
        // Keras' model.summary() in the studies the presets come from.
        for (preset, trainable, other) in [
            (Preset::DeotteCnn, 326_410, 832),
            (Preset::AugmentCnn, 1_413_834, 0),
            (Preset::Mlp, 203_530, 0),
            (Preset::SimpleCnn, 130_890, 0),
            (Preset::TwoConv, 862_410, 0),
            (Preset::CapsuleCnn, 832 + 25_632 + 196 * 10 * 16 * 8, 0),
            (Preset::Logistic, 7_850, 0),
            (Preset::NaiveBayes, 15_690, 0),
        ] {
            let architecture = on(preset, 28).unwrap();
            assert_eq!(architecture.trainable_parameters(), trainable, "{}", preset.name());
            assert_eq!(architecture.other_parameters(), other, "{}", preset.name());
        }
    }

    #[test]
    fn deotte_cnn_fits_larger_images_and_says_why_not_smaller_ones() {
        assert_eq!(on(Preset::DeotteCnn, 32).unwrap().layers.len(), 26);
        let problem = on(Preset::DeotteCnn, 8).unwrap_err();
        assert_eq!(
            problem,
            "layer 11 (conv) does not fit: its window is 3×3, but its input has only 2×2 pixels; \
             use larger images or a smaller network"
        );
    }

    #[test]
    fn small_cnn_costs_far_less_than_a_million_operations_on_eight_by_eight() {
        let architecture = on(Preset::SmallCnn, 8).unwrap();
        assert_eq!(architecture.multiply_accumulates(), 64 * 9 * 16 + 16 * 9 * 16 * 32 + 128 * 10);
        assert!(2 * architecture.multiply_accumulates() < 500_000);
        let large = on(Preset::SmallCnn, 28).unwrap();
        let dense = 7 * 7 * 32 * 10 + 10;
        let convolutional = (9 * 16 + 16) + 32 + (9 * 16 * 32 + 32) + 64;
        assert_eq!(large.trainable_parameters(), convolutional + dense);
        assert_eq!(large.other_parameters(), 96);
    }

    #[test]
    fn knobs_reach_every_layer_they_name() {
        let knobs = Knobs {
            conv_dropout: Some(0.0),
            dense_dropout: Some(0.5),
            width: 0.25,
            init: Some(Init::HeUniform),
            ..Knobs::default()
        };
        let layers = Preset::DeotteCnn.layers(&knobs);
        let rates: Vec<f64> = layers
            .iter()
            .filter_map(|layer| match layer {
                LayerSettings::Dropout { rate } => Some(*rate),
                _ => None,
            })
            .collect();
        assert_eq!(rates, [0.5]);
        let filters: Vec<usize> = layers
            .iter()
            .filter_map(|layer| match layer {
                LayerSettings::Conv { filters, init, .. } => {
                    assert_eq!(*init, Init::HeUniform);
                    Some(*filters)
                }
                _ => None,
            })
            .collect();
        assert_eq!(filters, [8, 8, 8, 16, 16, 16, 32]);
    }

    #[test]
    fn a_tiny_width_keeps_one_filter() {
        let knobs = Knobs { width: 1e-6, ..Knobs::default() };
        for preset in Preset::ALL {
            assert!(Architecture::of(&preset.layers(&knobs), (28, 28, 1), 10).is_ok());
        }
    }
}
