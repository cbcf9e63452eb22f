//! Settings, images and observers for the tests of this module.

pub(crate) mod against;
pub(crate) mod gradient;
pub(crate) mod published;
pub(crate) mod reference;

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use super::{EpochObserver, Snapshot, TrainJob, TrainOutput};
use crate::base::{MetricName, Seed, SeedPath};
use crate::data::{Dataset, ImageShape, Splits};
use crate::experiment::layers::{AverageConvention, Init, LayerSettings, NormStatistics, Padding};
use crate::experiment::settings::{
    AugmentSettings, Combine, Convention, DatasetSettings, EnsembleSettings, Fill,
    LearningRateSettings, ModelSettings, OptimizerConvention, OptimizerSettings, Precision,
    RmsPropConvention, Schedule, Settings, ShiftSettings, Source, StopSettings, TrainSettings,
    TrainerSettings, ZoomSettings,
};
use crate::record::EpochRecord;

/// Two epochs of plain SGD with batches of 16.
pub(crate) fn train_settings() -> TrainSettings {
    TrainSettings {
        epochs: 2,
        batch_size: 16,
        drop_last: false,
        optimizer: sgd(0.9, false, 0.0, OptimizerConvention::Keras),
        learning_rate: LearningRateSettings {
            initial: 0.05,
            schedule: Schedule::Constant,
            warmup_epochs: 0.0,
        },
        precision: Precision::Auto,
        stop: StopSettings::default(),
        retrain: None,
        time_limit: None,
    }
}

/// Stochastic gradient descent.
pub(crate) fn sgd(
    momentum: f64,
    nesterov: bool,
    weight_decay: f64,
    convention: OptimizerConvention,
) -> OptimizerSettings {
    OptimizerSettings::Sgd { momentum, nesterov, weight_decay, convention }
}

/// Plain gradient descent.
pub(crate) fn gradient_descent() -> OptimizerSettings {
    sgd(0.0, false, 0.0, OptimizerConvention::Keras)
}

/// Settings that train `layers` on synthetic images without augmentation.
pub(crate) fn settings(layers: Vec<LayerSettings>) -> Settings {
    Settings {
        dataset: DatasetSettings::of(Source::Synthetic { images: 240, classes: 4 }),
        model: ModelSettings { name: "custom".to_owned(), layers },
        train: train_settings(),
        augment: AugmentSettings {
            rotation: 0.0,
            zoom: ZoomSettings { height: 0.0, width: 0.0, uniform: false },
            shift: ShiftSettings { width: 0.0, height: 0.0 },
            shear: 0.0,
            fill: Fill::Nearest,
            convention: Convention::KerasGenerator,
        },
        ensemble: EnsembleSettings { size: 1, combine: Combine::Mean },
        trainer: TrainerSettings::Auto,
        hyperparameters: BTreeMap::new(),
        folds: None,
    }
}

/// A convolution of the given sizes with bias.
pub(crate) fn conv(
    filters: usize,
    kernel: usize,
    stride: usize,
    padding: Padding,
) -> LayerSettings {
    LayerSettings::Conv { filters, kernel, stride, padding, bias: true, init: Init::HeUniform }
}

/// A dense layer with bias.
pub(crate) fn dense(units: Option<usize>) -> LayerSettings {
    LayerSettings::Dense { units, bias: true, init: Init::GlorotUniform }
}

/// A network with every kind of layer, for 6×6 images.
pub(crate) fn every_layer() -> Vec<LayerSettings> {
    vec![
        conv(5, 3, 1, Padding::Same),
        LayerSettings::BatchNorm {
            momentum: 0.9,
            epsilon: 1e-3,
            statistics: NormStatistics::Running,
        },
        LayerSettings::Relu,
        LayerSettings::MaxPool { size: 2, stride: 2, padding: Padding::Valid },
        conv(4, 3, 1, Padding::Explicit(1)),
        LayerSettings::Relu,
        LayerSettings::AveragePool {
            size: 2,
            stride: 1,
            padding: Padding::Same,
            convention: AverageConvention::Keras,
        },
        LayerSettings::Dropout { rate: 0.25 },
        LayerSettings::Flatten,
        dense(Some(8)),
        LayerSettings::Relu,
        dense(None),
    ]
}

/// Images of 6×6 whose bright quarter is their class, with noise: easy, but not at once.
pub(crate) fn quarters(images: usize) -> Dataset {
    let shape = ImageShape { height: 6, width: 6, channels: 1 };
    let mut state = 1u64;
    let mut noise = || {
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) % 100
    };
    let mut pixels = Vec::new();
    let mut labels = Vec::new();
    for image in 0..images {
        let class = image % 4;
        for row in 0..6 {
            for column in 0..6 {
                let bright = (row / 3) * 2 + column / 3 == class;
                pixels.push((noise() + if bright { 80 } else { 0 }) as u8);
            }
        }
        labels.push(class as u16);
    }
    let classes = (0..4).map(|class| class.to_string()).collect();
    Dataset::new("quarters", shape, classes, pixels, labels, None)
}

/// The last fifth as test images, the fifth before as validation images, the rest for training.
pub(crate) fn splits(images: usize) -> Splits {
    let fifth = images / 5;
    let range = |from: usize, to: usize| (from as u32..to as u32).collect();
    Splits {
        train: range(0, images - 2 * fifth),
        validation: range(images - 2 * fifth, images - fifth),
        test: range(images - fifth, images),
    }
}

/// A first attempt of member `member` without checkpoint.
pub(crate) fn job<'a>(
    settings: &'a Settings,
    dataset: &'a Dataset,
    splits: &'a Splits,
    member: u32,
) -> TrainJob<'a> {
    TrainJob {
        settings,
        dataset,
        splits,
        seed_path: SeedPath::member(Seed(42), 0, member),
        member: None,
        attempt: 1,
        checkpoint: None,
        earlier: None,
    }
}

/// Makes outputs comparable: only times may differ.
pub(crate) fn without_times(mut output: TrainOutput) -> TrainOutput {
    for record in &mut output.epochs {
        record.train_seconds = 0.0;
    }
    if let Some(summary) = &mut output.summary {
        let metrics = summary.metrics.iter().filter(|(name, _)| !MetricName::COSTS.contains(name));
        summary.metrics = metrics.map(|(name, value)| (name.clone(), *value)).collect();
    }
    output
}

/// Lets every epoch pass.
pub(crate) struct Silent;

impl EpochObserver for Silent {
    fn epoch(&mut self, _: &EpochRecord, _: &dyn Snapshot) -> ControlFlow<()> {
        ControlFlow::Continue(())
    }
}

/// Stops after an epoch and keeps its checkpoint.
pub(crate) struct StopAfter {
    /// The last epoch to be trained.
    pub(crate) epoch: u32,
    /// The checkpoint of that epoch.
    pub(crate) checkpoint: Vec<u8>,
}

impl StopAfter {
    /// Stops after `epoch`.
    pub(crate) fn new(epoch: u32) -> Self {
        Self { epoch, checkpoint: Vec::new() }
    }
}

impl EpochObserver for StopAfter {
    fn epoch(&mut self, record: &EpochRecord, state: &dyn Snapshot) -> ControlFlow<()> {
        if record.epoch < self.epoch {
            return ControlFlow::Continue(());
        }
        self.checkpoint = state.checkpoint();
        ControlFlow::Break(())
    }
}

/// Every kind of update rule, momentum and conventions included.
pub(crate) fn optimizers() -> Vec<OptimizerSettings> {
    let rmsprop = |momentum, convention| OptimizerSettings::RmsProp {
        alpha: 0.9,
        epsilon: 1e-7,
        momentum,
        convention,
        weight_decay: 1e-4,
    };
    let adam = |weight_decay, convention| OptimizerSettings::Adam {
        beta1: 0.9,
        beta2: 0.999,
        epsilon: 1e-7,
        weight_decay,
        convention,
    };
    vec![
        sgd(0.9, true, 1e-4, OptimizerConvention::Keras),
        sgd(0.9, true, 1e-4, OptimizerConvention::Torch),
        adam(0.0, OptimizerConvention::Keras),
        adam(1e-4, OptimizerConvention::Torch),
        OptimizerSettings::AdamW {
            beta1: 0.9,
            beta2: 0.999,
            epsilon: 1e-7,
            weight_decay: 0.01,
            convention: OptimizerConvention::Keras,
        },
        rmsprop(0.0, RmsPropConvention::Keras),
        rmsprop(0.5, RmsPropConvention::Keras),
        rmsprop(0.5, RmsPropConvention::Torch),
        rmsprop(0.5, RmsPropConvention::Dfdx),
    ]
}
