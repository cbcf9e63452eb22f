//! The gradient of the first step of the published networks, against double precision.
//!
//! Real images have black regions, and biases start at 0: sums over nothing but zeros must be
//! exactly 0 there, or half of them would let gradients through a `ReLU` that has none.

use super::super::init::initial_weights;
use super::super::network::{Network, StepInput, StepResult};
use super::super::testing::gradient::{Decisions, Forward, Gradients, Step, is_trainable};
use super::super::testing::{gradient_descent, settings};
use super::super::weights::NamedTensor;
use super::forward_pass::{ForwardPass, Mode};
use super::network::FusedNetwork;
use crate::base::{Seed, SeedPath};
use crate::data::{DataFolders, Dataset, load};
use crate::experiment::architecture::Architecture;
use crate::experiment::presets::{Knobs, Preset};
use crate::experiment::settings::{DatasetSettings, Source};
use gridbench_kernels::{Dispatch, Extent};

/// Networks of the published studies, and as many images as a step in double precision is worth
/// waiting for.
const NETWORKS: [(Preset, usize); 5] = [
    (Preset::DeotteCnn, 64),
    (Preset::AugmentCnn, 8),
    (Preset::Mlp, 200),
    (Preset::SimpleCnn, 200),
    (Preset::TwoConv, 64),
];

/// How far a gradient may be off, relative to the largest value of its tensor.
const TOLERANCE: f64 = 2e-5;

/// How near to each other two values must be if rounding is to decide between them, relative to
/// the root mean square of their layer.
const ROUNDING: f64 = 1e-5;

/// A power of two so large that the weights themselves are lost in the step.
const LEARNING_RATE: f64 = 1_099_511_627_776.0;

const CLASSES: usize = 10;

fn images(source: Source, folders: &DataFolders) -> Dataset {
    let base = settings(Vec::new()).dataset;
    load(&DatasetSettings { source, image_size: Some(28), ..base }, folders).unwrap()
}

/// What the kernels decided in a forward pass.
struct Decided<'a> {
    pass: &'a ForwardPass<f32>,
}

impl Decided<'_> {
    /// Returns the index of the stage that ends with `layer` or holds it.
    fn stage(&self, layer: usize) -> usize {
        let first = |index: usize| {
            let linear = self.pass.layers[index].stage.linear.as_ref().unwrap();
            linear.prefix["layer".len()..][..2].parse::<usize>().unwrap() - 1
        };
        (0..self.pass.layers.len()).rev().find(|&index| first(index) <= layer).unwrap()
    }

    /// Returns the offset of a value, counted in images, pixels and channels without surplus.
    fn offset(extent: &Extent, value: usize) -> usize {
        let (channel, pixel) = (value % extent.channels(), value / extent.channels());
        extent.offset(pixel / extent.pixels(), pixel % extent.pixels()) + channel
    }
}

impl Decisions for Decided<'_> {
    fn is_open(&self, layer: usize, value: usize) -> bool {
        let index = self.stage(layer);
        let stage = &self.pass.layers[index];
        assert!(stage.stage.relu, "a ReLU before normalisation and pool");
        if stage.norm.is_some() {
            return stage.sums[Self::offset(&stage.pre_activation, value)] > 0.0;
        }
        if let Some(pool) = &stage.pool {
            // The value is asked for because its window gets a gradient: it is the largest there.
            let (pre_activation, width) = (stage.stage.pre_activation, stage.stage.output.width);
            let (channel, pixel) =
                (value % pre_activation.channels, value / pre_activation.channels);
            let (row, column) = (
                pixel % pre_activation.positions() / pre_activation.width,
                pixel % pre_activation.width,
            );
            let window = row / 2 * width + column / 2;
            let at = stage.outputs.offset(pixel / pre_activation.positions(), window) + channel;
            return pool.winners[at] != u8::MAX;
        }
        self.pass.activations[index + 1][Self::offset(&stage.outputs, value)] > 0.0
    }

    fn winner(&self, layer: usize, value: usize) -> Option<usize> {
        let stage = &self.pass.layers[self.stage(layer)];
        let winners = &stage.pool.as_ref().unwrap().winners;
        let winner = winners[Self::offset(&stage.outputs, value)];
        (winner != u8::MAX).then_some(usize::from(winner))
    }
}

/// Trains every network on a first batch, `share` of the images that are worth waiting for.
fn assert_first_steps(dataset: &Dataset, share: f64) {
    let mut wrong = Vec::new();
    for (preset, count) in NETWORKS {
        wrong.extend(first_steps(dataset, preset, (count as f64 * share) as usize));
    }
    assert!(wrong.is_empty(), "gradients are off:\n{}", wrong.join("\n"));
}

/// Names what is off on any path.
fn first_steps(dataset: &Dataset, preset: Preset, count: usize) -> Vec<String> {
    let seed_path = SeedPath::member(Seed(1), 0, 0);
    let layers = preset.layers(&Knobs::default());
    let mut settings = settings(layers.clone());
    settings.train.optimizer = gradient_descent();
    let architecture = Architecture::of(&layers, (28, 28, 1), CLASSES).unwrap();
    let weights = initial_weights(&layers, &architecture, &seed_path);
    let pixels: Vec<f32> = dataset.pixels[..count * dataset.shape.len()]
        .iter()
        .map(|&pixel| f32::from(pixel) / 255.0)
        .collect();
    let labels = &dataset.labels[..count];
    let step = Step { pixels: &pixels, labels, number: 0, seed_path: &seed_path };
    let forward = Forward::new(&layers, &architecture, &weights, step);
    let mut wrong = Vec::new();
    for dispatch in Dispatch::all().into_iter().filter(|dispatch| !dispatch.isa().is_bf16()) {
        let what = format!("{} on {}", preset.name(), dispatch.isa());
        let mut network =
            FusedNetwork::<f32>::new(dispatch, &settings, &architecture, seed_path, count).unwrap();
        let keys = network.keys(0);
        network.forward(&pixels, count, Mode::Training { step: 1, key: &keys });
        let expected = forward.gradients(&weights, Some(&Decided { pass: &network.pass }));
        println!("{what}: {:?}", expected.doubts);
        let doubt = expected.doubts.iter().copied().fold(0.0, f64::max);
        assert!(doubt < ROUNDING, "{what}: rounding explains no decision over {doubt:.2e}");
        // The forward pass moved the running statistics.
        network.load_weights(0, &weights).unwrap();
        let input = StepInput {
            pixels: &pixels,
            labels,
            learning_rate: LEARNING_RATE,
            step: 0,
            ..StepInput::default()
        };
        let mut results = [StepResult::default()];
        network.train_step(&[input], &mut results).unwrap();
        let loss = results[0].loss_sum / count as f64;
        assert!((loss - forward.loss).abs() < 1e-5 * forward.loss, "{what}: a loss of {loss}");
        wrong.extend(distant(&network.weights(0), &weights, &expected, &what));
    }
    wrong
}

/// Names the tensors whose gradient is further off than it may be.
fn distant(
    after: &[NamedTensor],
    before: &[NamedTensor],
    expected: &Gradients,
    what: &str,
) -> Vec<String> {
    let mut distant = Vec::new();
    for (before, expected) in before.iter().zip(&expected.tensors) {
        if !is_trainable(before) {
            continue;
        }
        let after = after.iter().find(|tensor| tensor.name == before.name).unwrap();
        let largest = expected.iter().fold(0.0, |largest: f64, value| largest.max(value.abs()));
        let found = after.values.iter().map(|&value| f64::from(value) / -LEARNING_RATE);
        let furthest = found
            .zip(expected)
            .fold(0.0, |furthest: f64, (found, expected)| furthest.max((found - expected).abs()));
        let off = furthest / largest;
        println!("{what}: {} is off by {off:.2e}", before.name);
        if off > TOLERANCE {
            distant.push(format!("{what}: {} by {off:.2e}", before.name));
        }
    }
    distant
}

#[test]
fn first_steps_on_digits_are_exact_on_every_path() {
    assert_first_steps(&images(Source::Digits, &DataFolders::default()), 0.5);
}

#[test]
#[ignore = "needs MNIST: set BENCH_DATA_DIR"]
#[expect(clippy::disallowed_methods, reason = "a test that is told where MNIST lies")]
fn real_data_first_steps_on_mnist_are_exact_on_every_path() {
    let folder = std::env::var("BENCH_DATA_DIR").expect("set BENCH_DATA_DIR to MNIST's folder");
    let folders = DataFolders { roots: vec![folder.into()], beside: None };
    assert_first_steps(&images(Source::Mnist, &folders), 1.0);
}
