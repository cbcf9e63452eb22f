//! One layer of the reference: forward, and back by the chain rule.

use dfdx::prelude::*;

use super::super::super::dropout::DropoutMask;
use super::super::super::weights::NamedTensor;
use super::{Decisions, Step};
use crate::experiment::architecture::{LayerSummary, Shape};
use crate::experiment::layers::LayerSettings;

/// Gradients of a layer's tensors, by role.
pub(super) type Learned = Vec<(&'static str, Vec<f64>)>;

/// A layer with what it needs of its own.
pub(super) struct Node {
    layer: usize,
    /// `layer03.conv`, before the role of a tensor.
    pub(super) prefix: String,
    kind: Kind,
    images: usize,
    input: (usize, usize, usize),
    output: (usize, usize, usize),
}

enum Kind {
    /// Convolutions, and dense layers as a window that covers the image.
    Linear {
        taps: Taps,
        /// `tap, input channel, output channel`.
        weights: Vec<f64>,
        biases: Option<Vec<f64>>,
    },
    Max(Taps),
    /// With what every output is divided by.
    Average(Taps, Vec<f64>),
    Norm {
        scale: Vec<f64>,
        shift: Vec<f64>,
        epsilon: f64,
    },
    Relu,
    Dropout(Vec<f64>),
    Flatten,
}

/// For every output pixel, the input pixels under its window and their taps.
type Taps = Vec<Vec<(usize, usize)>>;

fn volume(shape: Shape) -> (usize, usize, usize) {
    match shape {
        Shape::Image { height, width, channels } => (height, width, channels),
        Shape::Features(features) => (1, 1, features),
    }
}

/// Lays a window over an image; `stride` and size are those of both directions.
fn slide(summary: &LayerSummary, size: usize, stride: usize) -> Taps {
    let (height, width, _) = volume(summary.input);
    let (vertical, horizontal) = summary.windows.expect("a layer with a window");
    let mut taps = Vec::new();
    for row in 0..vertical.output {
        for column in 0..horizontal.output {
            let mut under = Vec::new();
            for index in 0..size * size {
                let y = (row * stride + index / size).checked_sub(vertical.before);
                let x = (column * stride + index % size).checked_sub(horizontal.before);
                if let (Some(y), Some(x)) = (y, x)
                    && y < height
                    && x < width
                {
                    under.push((y * width + x, index));
                }
            }
            taps.push(under);
        }
    }
    taps
}

/// Files hold `output, input, tap`; for dense layers that is channel, row, column.
fn reordered(file: &[f64], outputs: usize, inputs: usize, taps: usize) -> Vec<f64> {
    let mut values = vec![0.0; file.len()];
    for output in 0..outputs {
        for input in 0..inputs {
            for tap in 0..taps {
                values[(tap * inputs + input) * outputs + output] =
                    file[(output * inputs + input) * taps + tap];
            }
        }
    }
    values
}

fn as_in_files(values: &[f64], outputs: usize, inputs: usize, taps: usize) -> Vec<f64> {
    let mut file = vec![0.0; values.len()];
    for output in 0..outputs {
        for input in 0..inputs {
            for tap in 0..taps {
                file[(output * inputs + input) * taps + tap] =
                    values[(tap * inputs + input) * outputs + output];
            }
        }
    }
    file
}

impl Node {
    pub(super) fn new(
        layer: usize,
        settings: &LayerSettings,
        summary: &LayerSummary,
        weights: &[NamedTensor],
        images: usize,
        step: Step<'_>,
    ) -> Self {
        let prefix = format!("layer{:02}.{}", layer + 1, summary.kind);
        let named = |role: &str| -> Option<Vec<f64>> {
            let name = format!("{prefix}.{role}");
            let tensor = weights.iter().find(|tensor| tensor.name == name)?;
            Some(tensor.values.iter().map(|&value| f64::from(value)).collect())
        };
        let (input, output) = (volume(summary.input), volume(summary.output));
        let linear = |taps: Taps, indices: usize, inputs: usize| Kind::Linear {
            taps,
            weights: reordered(&named("weight").expect("weights"), output.2, inputs, indices),
            biases: named("bias"),
        };
        let kind = match *settings {
            LayerSettings::Conv { kernel, stride, .. } => {
                linear(slide(summary, kernel, stride), kernel * kernel, input.2)
            }
            LayerSettings::Dense { .. } => linear(vec![vec![(0, 0)]], 1, input.2),
            LayerSettings::MaxPool { size, stride, .. } => Kind::Max(slide(summary, size, stride)),
            LayerSettings::AveragePool { size, stride, convention, .. } => {
                let taps = slide(summary, size, stride);
                let divisor = |inside| convention.divisor(inside, size * size);
                let counts = taps.iter().map(|under| divisor(under.len()) as f64).collect();
                Kind::Average(taps, counts)
            }
            LayerSettings::BatchNorm { epsilon, .. } => {
                let (scale, shift) = (named("scale"), named("shift"));
                Kind::Norm { scale: scale.expect("scale"), shift: shift.expect("shift"), epsilon }
            }
            LayerSettings::Relu => Kind::Relu,
            LayerSettings::Dropout { rate } => {
                let mask = DropoutMask::new(step.seed_path, step.number, layer + 1, rate);
                let values = images * summary.input.len();
                Kind::Dropout((0..values as u64).map(|at| f64::from(mask.factor(at))).collect())
            }
            LayerSettings::Flatten => Kind::Flatten,
            LayerSettings::Capsules { .. } | LayerSettings::NaiveBayes { .. } => {
                unreachable!("tested where it is computed")
            }
        };
        Self { layer, prefix, kind, images, input, output }
    }

    /// Calls `visit(image, output pixel, input pixel, tap)` for every product.
    fn each(&self, taps: &Taps, mut visit: impl FnMut(usize, usize, usize, usize)) {
        for image in 0..self.images {
            for (output, under) in taps.iter().enumerate() {
                for &(source, index) in under {
                    let inputs = self.input.0 * self.input.1;
                    visit(image, image * taps.len() + output, image * inputs + source, index);
                }
            }
        }
    }

    pub(super) fn forward(&self, x: &[f64]) -> Vec<f64> {
        let (inputs, outputs) = (self.input.2, self.output.2);
        let mut y = vec![0.0; self.images * self.output.0 * self.output.1 * outputs];
        match &self.kind {
            Kind::Linear { taps, weights, biases } => {
                let weights = matrix(weights, outputs);
                for (x, y) in self.each_image(x, &mut y) {
                    let windows = self.windows(taps, weights.shape().0, x);
                    y.copy_from_slice(&windows.matmul(weights.clone()).as_vec());
                }
                for row in y.chunks_exact_mut(outputs) {
                    add_scaled(row, biases.as_deref().unwrap_or(&[]), 1.0);
                }
            }
            Kind::Max(taps) => {
                y.fill(f64::NEG_INFINITY);
                self.each(taps, |_, output, source, _| {
                    for channel in 0..outputs {
                        let at = output * outputs + channel;
                        y[at] = y[at].max(x[source * inputs + channel]);
                    }
                });
            }
            Kind::Average(taps, counts) => self.each(taps, |_, output, source, _| {
                let share = 1.0 / counts[output % counts.len()];
                let y = &mut y[output * outputs..][..outputs];
                add_scaled(y, &x[source * inputs..][..inputs], share);
            }),
            Kind::Norm { scale, shift, epsilon } => {
                let (normal, _) = normalised(x, inputs, *epsilon);
                for (at, y) in y.iter_mut().enumerate() {
                    *y = normal[at] * scale[at % inputs] + shift[at % inputs];
                }
            }
            Kind::Relu => y = x.iter().map(|value| value.max(0.0)).collect(),
            Kind::Dropout(mask) => y = x.iter().zip(mask).map(|(x, factor)| x * factor).collect(),
            Kind::Flatten => y = self.flattened(x),
        }
        y
    }

    /// Returns the values of one image after another.
    fn each_image<'a>(
        &self,
        x: &'a [f64],
        y: &'a mut [f64],
    ) -> impl Iterator<Item = (&'a [f64], &'a mut [f64])> {
        let (inputs, outputs) = (x.len() / self.images, y.len() / self.images);
        x.chunks_exact(inputs).zip(y.chunks_exact_mut(outputs))
    }

    /// Writes the `width` values under each window of an image into one row.
    fn windows(&self, taps: &Taps, width: usize, x: &[f64]) -> Matrix {
        let channels = self.input.2;
        let mut rows = vec![0.0; taps.len() * width];
        for (row, under) in rows.chunks_exact_mut(width).zip(taps) {
            for &(source, index) in under {
                row[index * channels..][..channels]
                    .copy_from_slice(&x[source * channels..][..channels]);
            }
        }
        matrix(&rows, width)
    }

    /// Pixels and channels of every image in channel, row, column order.
    fn flattened(&self, x: &[f64]) -> Vec<f64> {
        let (pixels, channels) = (self.input.0 * self.input.1, self.input.2);
        let mut y = Vec::with_capacity(x.len());
        for image in x.chunks_exact(pixels * channels) {
            for channel in 0..channels {
                y.extend((0..pixels).map(|pixel| image[pixel * channels + channel]));
            }
        }
        y
    }

    fn unflattened(&self, y: &[f64]) -> Vec<f64> {
        let (pixels, channels) = (self.input.0 * self.input.1, self.input.2);
        let mut x = Vec::with_capacity(y.len());
        for image in y.chunks_exact(pixels * channels) {
            for pixel in 0..pixels {
                x.extend((0..channels).map(|channel| image[channel * pixels + pixel]));
            }
        }
        x
    }

    pub(super) fn backward(
        &self,
        x: &[f64],
        delta: &[f64],
        decisions: Option<&dyn Decisions>,
        doubts: &mut Vec<f64>,
    ) -> (Vec<f64>, Learned) {
        let (inputs, outputs) = (self.input.2, self.output.2);
        let mut before = vec![0.0; x.len()];
        let mut learned = Vec::new();
        match &self.kind {
            Kind::Linear { taps, weights, biases } => {
                let indices = weights.len() / (inputs * outputs);
                let weights = matrix(weights, outputs);
                let width = weights.shape().0;
                let transposed = weights.permute::<_, Axes2<1, 0>>();
                let mut gradient = vec![0.0; width * outputs];
                let deltas = delta.chunks_exact(taps.len() * outputs);
                for ((x, before), delta) in self.each_image(x, &mut before).zip(deltas) {
                    let delta = matrix(delta, outputs);
                    let windows = self.windows(taps, width, x).permute::<_, Axes2<1, 0>>();
                    add_scaled(&mut gradient, &windows.matmul(delta.clone()).as_vec(), 1.0);
                    let windows = delta.matmul(transposed.clone()).as_vec();
                    for (window, under) in windows.chunks_exact(width).zip(taps) {
                        for &(source, index) in under {
                            let before = &mut before[source * inputs..][..inputs];
                            add_scaled(before, &window[index * inputs..][..inputs], 1.0);
                        }
                    }
                }
                learned.push(("weight", as_in_files(&gradient, outputs, inputs, indices)));
                if biases.is_some() {
                    learned.push(("bias", by_channel(delta, outputs)));
                }
            }
            Kind::Max(taps) => {
                // The first largest value of a window takes the gradient.
                let (pixels, size) = (self.input.0 * self.input.1, root_mean_square(x));
                for (value, &delta) in delta.iter().enumerate() {
                    let (output, channel) = (value / outputs, value % outputs);
                    let first = output / taps.len() * pixels;
                    let at = |source: usize| (first + source) * inputs + channel;
                    let under = &taps[output % taps.len()];
                    let mut best = under[0].0;
                    for &(source, _) in &under[1..] {
                        if x[at(source)] > x[at(best)] {
                            best = source;
                        }
                    }
                    if let Some(decisions) = decisions
                        && delta.abs() > 0.0
                        && let Some(winner) = decisions.winner(self.layer, value)
                    {
                        let found = under.iter().find(|(_, index)| *index == winner);
                        let found = found.expect("a tap of the window won").0;
                        if found != best {
                            doubts.push((x[at(best)] - x[at(found)]) / size);
                            best = found;
                        }
                    }
                    before[at(best)] += delta;
                }
            }
            Kind::Average(taps, counts) => self.each(taps, |_, output, source, _| {
                let share = 1.0 / counts[output % counts.len()];
                let before = &mut before[source * inputs..][..inputs];
                add_scaled(before, &delta[output * outputs..][..outputs], share);
            }),
            Kind::Norm { scale, epsilon, .. } => {
                let (normal, deviations) = normalised(x, inputs, *epsilon);
                let count = (x.len() / inputs) as f64;
                let products: Vec<f64> = delta.iter().zip(&normal).map(|(d, n)| d * n).collect();
                let (shift, product) = (by_channel(delta, inputs), by_channel(&products, inputs));
                for (at, before) in before.iter_mut().enumerate() {
                    let channel = at % inputs;
                    let centred =
                        delta[at] - shift[channel] / count - normal[at] * product[channel] / count;
                    *before = scale[channel] / deviations[channel] * centred;
                }
                learned.extend([("scale", product), ("shift", shift)]);
            }
            Kind::Relu => {
                let size = root_mean_square(x);
                for (value, before) in before.iter_mut().enumerate() {
                    let mut is_open = x[value] > 0.0;
                    if let Some(decisions) = decisions
                        && delta[value].abs() > 0.0
                        && is_open != decisions.is_open(self.layer, value)
                    {
                        is_open = !is_open;
                        doubts.push(x[value].abs() / size);
                    }
                    *before = if is_open { delta[value] } else { 0.0 };
                }
            }
            Kind::Dropout(mask) => {
                before = delta.iter().zip(mask).map(|(delta, factor)| delta * factor).collect();
            }
            Kind::Flatten => before = self.unflattened(delta),
        }
        (before, learned)
    }
}

type Matrix = Tensor<(usize, usize), f64, Cpu>;

/// Products of matrices are dfdx's, which are fast enough for whole networks and none of ours.
fn matrix(values: &[f64], width: usize) -> Matrix {
    Cpu::default().tensor_from_vec(values.to_vec(), (values.len() / width, width))
}

fn add_scaled(sums: &mut [f64], values: &[f64], factor: f64) {
    if factor.abs() > 0.0 {
        for (sum, value) in sums.iter_mut().zip(values) {
            *sum += factor * value;
        }
    }
}

fn by_channel(values: &[f64], channels: usize) -> Vec<f64> {
    let mut sums = vec![0.0; channels];
    for row in values.chunks_exact(channels) {
        add_scaled(&mut sums, row, 1.0);
    }
    sums
}

/// Returns values of mean 0 and variance 1 per channel, and the deviations they were divided by.
fn normalised(x: &[f64], channels: usize, epsilon: f64) -> (Vec<f64>, Vec<f64>) {
    let count = (x.len() / channels) as f64;
    let means: Vec<f64> = by_channel(x, channels).iter().map(|sum| sum / count).collect();
    let centred: Vec<f64> = x.iter().enumerate().map(|(at, x)| x - means[at % channels]).collect();
    let squares: Vec<f64> = centred.iter().map(|value| value * value).collect();
    let deviations: Vec<f64> =
        by_channel(&squares, channels).iter().map(|sum| (sum / count + epsilon).sqrt()).collect();
    let normal =
        centred.iter().enumerate().map(|(at, value)| value / deviations[at % channels]).collect();
    (normal, deviations)
}

fn root_mean_square(values: &[f64]) -> f64 {
    let square: f64 = values.iter().map(|value| value * value).sum();
    (square / values.len() as f64).sqrt()
}
