//! Holds a path against the reference network.

use super::reference::{Mode, Reference, role};
use super::{conv, dense, gradient_descent, settings};
use crate::base::{Seed, SeedPath};
use crate::data::ImageShape;
use crate::engine::EngineError;
use crate::engine::network::{Network, StepInput, StepResult};
use crate::engine::weights::NamedTensor;
use crate::experiment::layers::{AverageConvention, LayerSettings, NormStatistics, Padding};
use crate::experiment::settings::Settings;

/// Builds one model per seed path on the path under test.
pub(crate) type Build =
    fn(&Settings, ImageShape, usize, Vec<SeedPath>) -> Result<Box<dyn Network>, EngineError>;

/// How far a path may be from the reference, relative to the largest value of a tensor.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Tolerance {
    /// Of losses and logits.
    pub(crate) values: f64,
    /// Of gradients.
    pub(crate) gradients: f64,
}

/// A network and the images it is tried on.
#[derive(Debug, Clone)]
pub(crate) struct Case {
    /// Layers, without the last dense one.
    pub(crate) layers: Vec<LayerSettings>,
    /// Shape of the images.
    pub(crate) shape: ImageShape,
    /// Number of images.
    pub(crate) images: usize,
}

/// Deterministic numbers that look random, from −1 to 1.
pub(crate) fn noise(seed: u64) -> impl FnMut() -> f32 {
    let mut state = seed.wrapping_mul(2).wrapping_add(1);
    move || {
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        ((state >> 40) as f32 / (1u64 << 23) as f32) - 1.0
    }
}

/// Every kind of layer with strides, paddings and odd sizes, a convolution before it so that its
/// gradient by the input shows in that convolution's weights.
pub(crate) fn cases() -> Vec<Case> {
    let shape = ImageShape { height: 7, width: 6, channels: 2 };
    let first = || conv(3, 2, 1, Padding::Valid);
    let pool = |size, stride, padding| LayerSettings::MaxPool { size, stride, padding };
    let average = |size, stride, padding, convention| LayerSettings::AveragePool {
        size,
        stride,
        padding,
        convention,
    };
    let (keras, torch) = (AverageConvention::Keras, AverageConvention::Torch);
    let normalise = LayerSettings::BatchNorm {
        momentum: 0.9,
        epsilon: 1e-3,
        statistics: NormStatistics::Running,
    };
    let mut middles: Vec<Vec<LayerSettings>> = vec![
        vec![],
        vec![LayerSettings::Relu],
        vec![normalise.clone()],
        vec![LayerSettings::Relu, normalise.clone(), LayerSettings::Dropout { rate: 0.4 }],
        vec![pool(2, 2, Padding::Valid)],
        vec![pool(3, 2, Padding::Same)],
        vec![pool(3, 1, Padding::Explicit(1))],
        vec![average(2, 2, Padding::Valid, keras)],
        vec![average(3, 2, Padding::Same, keras)],
        vec![average(2, 1, Padding::Explicit(1), keras)],
        vec![average(3, 2, Padding::Same, torch)],
        vec![average(2, 1, Padding::Explicit(1), torch)],
        vec![LayerSettings::Flatten, dense(Some(5)), LayerSettings::Relu, normalise],
    ];
    for (kernel, stride, padding) in [
        (1, 1, Padding::Valid),
        (3, 1, Padding::Same),
        (3, 2, Padding::Same),
        (4, 2, Padding::Same),
        (5, 2, Padding::Same),
        (3, 3, Padding::Valid),
        (3, 2, Padding::Explicit(1)),
        (5, 1, Padding::Explicit(2)),
    ] {
        middles.push(vec![conv(4, kernel, stride, padding), LayerSettings::Relu]);
    }
    middles
        .into_iter()
        .map(|middle| {
            let mut layers = vec![first()];
            layers.extend(middle);
            if !layers.iter().any(|layer| matches!(layer, LayerSettings::Flatten)) {
                layers.push(LayerSettings::Flatten);
            }
            Case { layers, shape, images: 3 }
        })
        .collect()
}

/// Networks of random sizes, strides and paddings.
pub(crate) fn random_case(seed: u64) -> Case {
    let mut next = noise(seed);
    let mut pick = |from: usize, to: usize| {
        from + (f64::midpoint(f64::from(next()), 1.0) * (to - from + 1) as f64) as usize
            % (to - from + 1)
    };
    let shape = ImageShape { height: pick(5, 9), width: pick(5, 9), channels: pick(1, 3) };
    let padding = |pick: &mut dyn FnMut(usize, usize) -> usize, size: usize| match pick(0, 2) {
        0 => Padding::Valid,
        1 => Padding::Same,
        _ => Padding::Explicit(pick(0, size - 1)),
    };
    let mut layers = Vec::new();
    for _ in 0..2 {
        let (filters, kernel, stride) = (pick(1, 5), pick(1, 3), pick(1, 2));
        layers.push(conv(filters, kernel, stride, padding(&mut pick, kernel)));
        layers.push(LayerSettings::Relu);
        if pick(0, 1) == 1 {
            layers.push(LayerSettings::BatchNorm {
                momentum: 0.9,
                epsilon: 1e-3,
                statistics: NormStatistics::Running,
            });
        }
    }
    let size = pick(1, 2);
    layers.push(LayerSettings::MaxPool { size, stride: pick(1, 2), padding: Padding::Same });
    layers.push(LayerSettings::Dropout { rate: 0.3 });
    layers.push(LayerSettings::Flatten);
    Case { layers, shape, images: pick(2, 5) }
}

const CLASSES: usize = 3;

/// Trains one step of plain gradient descent of size 1, so that the change of every weight is its
/// gradient, and compares loss, gradients, running statistics and logits with the reference.
pub(crate) fn compare(case: &Case, build: Build, tolerance: Tolerance) {
    let mut layers = case.layers.clone();
    layers.push(dense(None));
    let mut settings = settings(layers.clone());
    settings.train.batch_size = case.images;
    settings.train.optimizer = gradient_descent();
    let seed_path = SeedPath::member(Seed(3), 0, 1);
    let mut network = build(&settings, case.shape, CLASSES, vec![seed_path]).unwrap();
    let mut next = noise(17);
    let start: Vec<NamedTensor> =
        network.weights(0).into_iter().map(|w| stirred(w, &mut next)).collect();
    network.load_weights(0, &start).unwrap();
    let image = (case.shape.height, case.shape.width, case.shape.channels);
    let mut reference = Reference::new(&layers, image, CLASSES, &start, seed_path);

    let pixels: Vec<f32> =
        (0..case.images * case.shape.len()).map(|_| f32::midpoint(next(), 1.0)).collect();
    let labels: Vec<u16> = (0..case.images).map(|image| (image % CLASSES) as u16).collect();
    let (step, mut results) = (5, [StepResult::default()]);
    let input = StepInput {
        pixels: &pixels,
        labels: &labels,
        learning_rate: 1.0,
        step,
        ..StepInput::default()
    };
    network.train_step(&[input], &mut results).unwrap();

    let what = format!("{:?}", case.layers);
    let loss = results[0].loss_sum / case.images as f64;
    assert_near(&[loss], &[reference.loss(&pixels, &labels, step)], tolerance.values, &what);
    let after = network.weights(0);
    let mut statistics = Vec::new();
    reference.logits(&pixels, Mode::Train(step), &mut statistics);
    let mut statistics = statistics.iter();
    for (index, (before, after)) in start.iter().zip(&after).enumerate() {
        let what = format!("{} of {what}", before.name);
        if reference.is_trainable(index) {
            let values = 0..before.values.len();
            let found: Vec<f64> = values
                .clone()
                .map(|v| f64::from(before.values[v]) - f64::from(after.values[v]))
                .collect();
            let expected: Vec<f64> =
                values.map(|v| reference.derivative((index, v), &pixels, &labels, step)).collect();
            assert_near(&found, &expected, tolerance.gradients, &what);
        } else if role(&before.name) == "mean" {
            let (means, variances) = statistics.next().unwrap();
            let variance = start.iter().zip(&network.weights(0)).find_map(|(b, a)| {
                (b.name == before.name.replace(".mean", ".variance"))
                    .then(|| (b.clone(), a.clone()))
            });
            let (variance_before, variance_after) = variance.unwrap();
            for (before, after, batch) in
                [(before, after, means), (&variance_before, &variance_after, variances)]
            {
                let expected: Vec<f64> = before
                    .values
                    .iter()
                    .zip(batch)
                    .map(|(&old, new)| 0.9 * f64::from(old) + 0.1 * new)
                    .collect();
                let found: Vec<f64> = after.values.iter().map(|&v| f64::from(v)).collect();
                assert_near(&found, &expected, tolerance.values, &what);
            }
        }
    }

    network.load_weights(0, &start).unwrap();
    let mut logits = [Vec::new()];
    network.predict(&[&pixels], case.images, &mut logits).unwrap();
    let found: Vec<f64> = logits[0].iter().map(|&logit| f64::from(logit)).collect();
    let expected = reference.logits(&pixels, Mode::Evaluate, &mut Vec::new());
    assert_near(&found, &expected, tolerance.values, &what);
}

/// Moves a tensor away from its start, so that no scale is 1 and no bias 0.
fn stirred(mut tensor: NamedTensor, next: &mut impl FnMut() -> f32) -> NamedTensor {
    let positive = role(&tensor.name) == "variance";
    for value in &mut tensor.values {
        let shift = 0.3 * next();
        *value += if positive { shift.abs() } else { shift };
    }
    tensor
}

/// Asserts that values agree to a share of the largest expected one.
///
/// Nothing counts as smaller than 0.02: a gradient that is zero by the book is read off weights of
/// size 1, which differ by some 1e-7.
pub(crate) fn assert_near(found: &[f64], expected: &[f64], tolerance: f64, what: &str) {
    assert_eq!(found.len(), expected.len(), "{what}");
    let largest = expected.iter().fold(0.02f64, |largest, value| largest.max(value.abs()));
    for (index, (found, expected)) in found.iter().zip(expected).enumerate() {
        assert!(
            (found - expected).abs() <= tolerance * largest,
            "value {index} is {found}, expected {expected}: {what}"
        );
    }
}
