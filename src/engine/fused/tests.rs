//! Whole networks: the fused path against the portable one, step by step, and against finite
//! differences.

use dfdx::tensor::Cpu;

use super::super::network::{Network, StepInput, StepResult};
use super::super::portable::PortableNetwork;
use super::super::testing::{conv, dense, every_layer, gradient_descent, settings, sgd};
use super::super::weights::NamedTensor;
use super::build;
use crate::base::{Seed, SeedPath};
use crate::data::ImageShape;
use crate::experiment::layers::{AverageConvention, LayerSettings, NormStatistics, Padding};
use crate::experiment::settings::{
    OptimizerConvention, OptimizerSettings, RmsPropConvention, Settings,
};
use gridbench_kernels::{Dispatch, Isa};

const RELU: LayerSettings = LayerSettings::Relu;
const NORM: LayerSettings =
    LayerSettings::BatchNorm { momentum: 0.9, epsilon: 1e-3, statistics: NormStatistics::Running };
const DROPOUT: LayerSettings = LayerSettings::Dropout { rate: 0.3 };
const FLATTEN: LayerSettings = LayerSettings::Flatten;
const CLASSES: usize = 5;
const KERAS: OptimizerConvention = OptimizerConvention::Keras;
const TORCH: OptimizerConvention = OptimizerConvention::Torch;

fn max(size: usize, stride: usize, padding: Padding) -> LayerSettings {
    LayerSettings::MaxPool { size, stride, padding }
}

fn average(size: usize, stride: usize, padding: Padding) -> LayerSettings {
    LayerSettings::AveragePool { size, stride, padding, convention: AverageConvention::Keras }
}

fn torch_average(size: usize, stride: usize, padding: Padding) -> LayerSettings {
    LayerSettings::AveragePool { size, stride, padding, convention: AverageConvention::Torch }
}

/// Networks with every kind of stage, for 11×11 images.
fn networks() -> Vec<(&'static str, Vec<LayerSettings>)> {
    use Padding::{Explicit, Same, Valid};
    vec![
        ("dense", vec![FLATTEN, dense(Some(20)), RELU, DROPOUT, dense(None)]),
        ("every layer", every_layer()),
        (
            "relu before norm",
            vec![
                conv(18, 3, 1, Valid),
                RELU,
                NORM,
                conv(33, 5, 2, Same),
                RELU,
                NORM,
                DROPOUT,
                conv(40, 5, 1, Valid),
                RELU,
                NORM,
                FLATTEN,
                DROPOUT,
                dense(None),
            ],
        ),
        (
            "norm before relu and pools",
            vec![
                conv(7, 5, 1, Explicit(2)),
                NORM,
                RELU,
                max(3, 2, Same),
                DROPOUT,
                conv(20, 3, 1, Same),
                NORM,
                RELU,
                average(2, 2, Valid),
                conv(9, 2, 1, Valid),
                RELU,
                NORM,
                max(2, 1, Valid),
                torch_average(3, 2, Explicit(1)),
                FLATTEN,
                dense(None),
            ],
        ),
        (
            "pools without norm",
            vec![
                conv(16, 3, 1, Valid),
                RELU,
                max(2, 2, Valid),
                conv(17, 3, 1, Explicit(1)),
                max(3, 2, Explicit(1)),
                RELU,
                FLATTEN,
                dense(Some(13)),
                RELU,
                dense(None),
            ],
        ),
        (
            "layers out of order",
            vec![
                NORM,
                max(2, 2, Same),
                RELU,
                DROPOUT,
                conv(6, 3, 2, Same),
                DROPOUT,
                NORM,
                DROPOUT,
                RELU,
                average(3, 1, Same),
                FLATTEN,
                dense(None),
                RELU,
            ],
        ),
        (
            "logits from a convolution",
            vec![conv(8, 3, 1, Valid), RELU, conv(5, 3, 1, Valid), average(7, 1, Valid), FLATTEN],
        ),
    ]
}

fn network_settings(layers: Vec<LayerSettings>) -> Settings {
    let mut settings = settings(layers);
    settings.train.batch_size = 37;
    settings
}

const SHAPE: ImageShape = ImageShape { height: 11, width: 11, channels: 2 };

fn seed_path() -> SeedPath {
    SeedPath::member(Seed(3), 0, 1)
}

fn fused(dispatch: Dispatch, settings: &Settings) -> Box<dyn Network> {
    build(dispatch, settings, SHAPE, CLASSES, seed_path(), settings.train.batch_size).unwrap()
}

fn portable(settings: &Settings) -> Box<dyn Network> {
    let paths = vec![seed_path()];
    Box::new(PortableNetwork::new(Cpu::default(), settings, SHAPE, CLASSES, paths).unwrap())
}

/// Images with a bright spot that depends on the class, and noise.
fn batch(images: usize, seed: u64) -> (Vec<f32>, Vec<u16>) {
    let mut state = seed;
    let mut next = || {
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 40) as f32 / 16_777_216.0
    };
    let labels: Vec<u16> = (0..images).map(|image| (image % CLASSES) as u16).collect();
    let mut pixels = Vec::new();
    for &label in &labels {
        for at in 0..SHAPE.len() {
            let is_bright = at / 2 % SHAPE.width == 2 * usize::from(label);
            pixels.push(0.5 * next() + if is_bright { 0.5 } else { 0.0 });
        }
    }
    (pixels, labels)
}

fn train(network: &mut dyn Network, images: usize, step: u64) -> StepResult {
    let (pixels, labels) = batch(images, step + 1);
    let input = StepInput {
        pixels: &pixels,
        labels: &labels,
        learning_rate: 0.02,
        step,
        ..StepInput::default()
    };
    let mut results = [StepResult::default()];
    network.train_step(&[input], &mut results).unwrap();
    results[0]
}

fn logits(network: &mut dyn Network, images: usize) -> Vec<f32> {
    let (pixels, _) = batch(images, 99);
    let mut logits = vec![Vec::new()];
    network.predict(&[&pixels], images, &mut logits).unwrap();
    logits.remove(0)
}

/// Returns the distance of two vectors relative to the length of the second, or to 0.001 where
/// that is longer: biases before a normalisation learn nothing but rounding.
fn distance(found: &[f32], expected: &[f32]) -> f64 {
    assert_eq!(found.len(), expected.len());
    let square = |values: &mut dyn Iterator<Item = f64>| values.map(|v| v * v).sum::<f64>();
    let difference =
        square(&mut found.iter().zip(expected).map(|(a, b)| f64::from(*a) - f64::from(*b)));
    let length = square(&mut expected.iter().map(|&value| f64::from(value)));
    (difference / length.max(1e-6)).sqrt()
}

fn assert_same_weights(found: &[NamedTensor], expected: &[NamedTensor], most: f64, what: &str) {
    assert_eq!(found.len(), expected.len(), "{what}");
    for (found, expected) in found.iter().zip(expected) {
        assert_eq!((&found.name, &found.shape), (&expected.name, &expected.shape), "{what}");
        let distance = distance(&found.values, &expected.values);
        assert!(distance < most, "{what}: {} is off by {distance:.2e}", found.name);
    }
}

fn f32_paths() -> impl Iterator<Item = Dispatch> {
    Dispatch::all().into_iter().filter(|dispatch| !dispatch.isa().is_bf16())
}

#[test]
fn every_stage_trains_as_on_the_portable_path() {
    for (name, layers) in networks() {
        let settings = network_settings(layers);
        for dispatch in f32_paths() {
            let what = format!("{name} on {}", dispatch.isa());
            let (mut fused, mut portable) = (fused(dispatch, &settings), portable(&settings));
            assert_same_weights(&fused.weights(0), &portable.weights(0), 1e-9, &what);
            assert_eq!(fused.trainable_parameters(), portable.trainable_parameters());
            // Full and partial batches, so that stale values of larger batches would show.
            for (step, images) in [37, 37, 20, 3, 37].into_iter().enumerate() {
                let found = train(fused.as_mut(), images, step as u64);
                let expected = train(portable.as_mut(), images, step as u64);
                let difference = (found.loss_sum - expected.loss_sum).abs() / images as f64;
                assert!(difference < 2e-4, "{what}: step {step} {found:?} {expected:?}");
                let (found, expected) = (logits(fused.as_mut(), 50), logits(portable.as_mut(), 50));
                let distance = distance(&found, &expected);
                assert!(distance < 2e-3, "{what}: logits after step {step} off by {distance:.2e}");
            }
            assert_same_weights(&fused.weights(0), &portable.weights(0), 2e-3, &what);
        }
    }
}

#[test]
fn every_optimizer_steps_as_on_the_portable_path() {
    let rms = |convention, momentum| OptimizerSettings::RmsProp {
        alpha: 0.9,
        epsilon: 1e-3,
        momentum,
        convention,
        weight_decay: 0.01,
    };
    let (beta1, beta2, epsilon, weight_decay) = (0.9, 0.99, 1e-3, 0.01);
    let optimizers = [
        OptimizerSettings::Adam { beta1, beta2, epsilon, weight_decay, convention: TORCH },
        OptimizerSettings::Adam { beta1, beta2, epsilon, weight_decay, convention: KERAS },
        OptimizerSettings::AdamW { beta1, beta2, epsilon, weight_decay, convention: TORCH },
        OptimizerSettings::AdamW { beta1, beta2, epsilon, weight_decay, convention: KERAS },
        rms(RmsPropConvention::Keras, 0.0),
        rms(RmsPropConvention::Keras, 0.9),
        rms(RmsPropConvention::Torch, 0.9),
        rms(RmsPropConvention::Dfdx, 0.0),
        rms(RmsPropConvention::Dfdx, 0.9),
    ];
    let layers = vec![conv(6, 3, 2, Padding::Valid), RELU, NORM, FLATTEN, dense(None)];
    let gradient_descents = [TORCH, KERAS].into_iter().flat_map(|convention| {
        [(0.0, false), (0.9, false), (0.9, true)]
            .map(|(momentum, nesterov)| sgd(momentum, nesterov, 0.01, convention))
    });
    for optimizer in gradient_descents.chain(optimizers) {
        let mut settings = network_settings(layers.clone());
        settings.train.optimizer = optimizer.clone();
        let dispatch = Dispatch::fastest_f32();
        let (mut fused, mut portable) = (fused(dispatch, &settings), portable(&settings));
        for step in 0..4 {
            train(fused.as_mut(), 16, step);
            train(portable.as_mut(), 16, step);
        }
        let what = format!("{optimizer:?}");
        assert_same_weights(&fused.weights(0), &portable.weights(0), 3e-3, &what);
    }
}

#[test]
fn losses_fall_along_the_gradient_as_finite_differences_say() {
    for (name, layers) in networks() {
        // Dropout masks depend on the step alone, so the loss is a function of the weights.
        let mut settings = network_settings(layers);
        settings.train.optimizer = gradient_descent();
        for dispatch in f32_paths() {
            let start = fused(dispatch, &settings).weights(0);
            let loss = |weights: &[NamedTensor], learning_rate: f64| {
                let mut network = fused(dispatch, &settings);
                network.load_weights(0, weights).unwrap();
                let (pixels, labels) = batch(37, 5);
                let input = StepInput {
                    pixels: &pixels,
                    labels: &labels,
                    learning_rate,
                    step: 7,
                    ..StepInput::default()
                };
                let mut results = [StepResult::default()];
                network.train_step(&[input], &mut results).unwrap();
                (results[0].loss_sum / 37.0, network.weights(0))
            };
            // A step of size 1 against the gradient uncovers the gradient itself.
            let (_, stepped) = loss(&start, 1.0);
            for (tensor, stepped) in start.iter().zip(&stepped) {
                if matches!(tensor.name.rsplit('.').next(), Some("mean" | "variance")) {
                    continue;
                }
                let gradient: Vec<f64> = tensor
                    .values
                    .iter()
                    .zip(&stepped.values)
                    .map(|(a, b)| f64::from(*a) - f64::from(*b))
                    .collect();
                let length = gradient.iter().map(|value| value * value).sum::<f64>().sqrt();
                if length < 1e-3 {
                    continue;
                }
                let step = 2e-3;
                let moved = |sign: f64| {
                    let mut weights = start.clone();
                    let target = weights.iter_mut().find(|other| other.name == tensor.name);
                    for (value, slope) in target.unwrap().values.iter_mut().zip(&gradient) {
                        *value += (sign * step * slope / length) as f32;
                    }
                    loss(&weights, 0.0).0
                };
                let slope = (moved(1.0) - moved(-1.0)) / (2.0 * step);
                let what = format!("{name} on {}: {}", dispatch.isa(), tensor.name);
                assert!((slope / length - 1.0).abs() < 0.05, "{what}: {slope} {length}");
            }
        }
    }
}

#[test]
fn the_same_seed_gives_the_same_bits_and_a_saved_state_continues_exactly() {
    let settings = network_settings(networks().swap_remove(2).1);
    for dispatch in Dispatch::all() {
        let mut first = fused(dispatch, &settings);
        let mut second = fused(dispatch, &settings);
        for step in 0..3 {
            train(first.as_mut(), 37, step);
            train(second.as_mut(), 37, step);
        }
        assert_eq!(first.state(0), second.state(0));
        let mut third = fused(dispatch, &settings);
        third.load_state(0, &first.state(0)).unwrap();
        assert_eq!(third.state(0), first.state(0));
        train(first.as_mut(), 37, 3);
        train(third.as_mut(), 37, 3);
        assert_eq!(third.state(0), first.state(0));
    }
}

#[test]
fn predictions_do_not_depend_on_how_images_are_batched() {
    let settings = network_settings(every_layer());
    for dispatch in Dispatch::all() {
        let mut network = fused(dispatch, &settings);
        train(network.as_mut(), 37, 0);
        let all = logits(network.as_mut(), 90);
        let (pixels, _) = batch(90, 99);
        let mut one_by_one = vec![Vec::new()];
        for image in pixels.chunks(SHAPE.len()) {
            network.predict(&[image], 1, &mut one_by_one).unwrap();
        }
        assert_eq!(all, one_by_one.remove(0), "{}", dispatch.isa());
    }
}

#[test]
fn the_path_is_named() {
    let settings = network_settings(every_layer());
    let dispatch = Dispatch::new(Isa::Portable).unwrap();
    assert_eq!(fused(dispatch, &settings).path(), "fused portable f32");
}

#[test]
fn packs_are_refused() {
    let settings = network_settings(every_layer());
    let mut network = fused(Dispatch::fastest_f32(), &settings);
    let (pixels, labels) = batch(2, 1);
    let input = StepInput {
        pixels: &pixels,
        labels: &labels,
        learning_rate: 0.1,
        step: 0,
        ..StepInput::default()
    };
    let mut results = [StepResult::default(); 2];
    assert!(network.train_step(&[input, input], &mut results).is_err());
}

/// How far bfloat16 may be from 32-bit floats: a few of its roundings (2⁻⁹ each) a layer.
const BF16_DISTANCE: f64 = 0.05;

#[test]
fn bf16_computes_what_f32_computes_to_its_precision() {
    let Ok(dispatch) = Dispatch::new(Isa::AmxBf16) else { return };
    for (name, layers) in networks() {
        let mut settings = network_settings(layers);
        settings.train.optimizer = gradient_descent();
        let mut rough = fused(dispatch, &settings);
        let mut exact = fused(Dispatch::fastest_f32(), &settings);
        for (step, images) in [37, 20, 37].into_iter().enumerate() {
            let found = train(rough.as_mut(), images, step as u64);
            let expected = train(exact.as_mut(), images, step as u64);
            let difference = (found.loss_sum - expected.loss_sum).abs() / expected.loss_sum;
            assert!(difference < 0.02, "{name}: step {step} {found:?} {expected:?}");
        }
        let (found, expected) = (logits(rough.as_mut(), 50), logits(exact.as_mut(), 50));
        let distance = distance(&found, &expected);
        assert!(distance < BF16_DISTANCE, "{name}: logits are off by {distance:.3}");
    }
}

#[test]
fn bf16_learns_a_fixed_batch_as_well_as_f32() {
    let Ok(dispatch) = Dispatch::new(Isa::AmxBf16) else { return };
    let settings = network_settings(networks().swap_remove(2).1);
    let last_loss = |dispatch| {
        let mut network = fused(dispatch, &settings);
        (0..60).map(|step| train(network.as_mut(), 37, step).loss_sum / 37.0).last().unwrap()
    };
    let (rough, exact) = (last_loss(dispatch), last_loss(Dispatch::fastest_f32()));
    assert!(rough < 0.2 && exact < 0.2, "bf16 {rough}, f32 {exact}");
}
