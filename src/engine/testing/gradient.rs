//! The gradient of one training step in double precision, by the chain rule.
//!
//! [`super::reference`] gives gradients by differences of the loss, one weight at a time, which is
//! enough for small networks and beyond doubt; this one is for the published networks on whole
//! batches of images, and is held against the other. Values lie `image, row, column, channel`.

use dfdx::prelude::*;

use super::super::dropout::DropoutMask;
use super::super::weights::NamedTensor;
use super::reference::role;
use crate::base::SeedPath;
use crate::spec::architecture::{Architecture, LayerSummary, Shape};
use crate::spec::layers::LayerSettings;

/// What a path decided, to be followed: in a batch of millions of values some are so near to 0, or
/// two of a window so near to each other, that single precision cannot tell. Values are counted in
/// the output of a layer, layers from 0.
pub(crate) trait Decisions {
    /// Returns whether a `ReLU` let a value through.
    fn is_open(&self, layer: usize, value: usize) -> bool;

    /// Returns the place of the window that a max-pool took a value from, unless a `ReLU` before it
    /// let none of them through.
    fn winner(&self, layer: usize, value: usize) -> Option<usize>;
}

/// One batch in one training step.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Step<'a> {
    /// `images × rows × columns × channels`.
    pub(crate) pixels: &'a [f32],
    pub(crate) labels: &'a [u16],
    /// Number of the step, which keys the dropout masks.
    pub(crate) step: u64,
    pub(crate) seed_path: &'a SeedPath,
}

/// A network after the forward pass of one training step.
pub(crate) struct Forward {
    nodes: Vec<Node>,
    /// Input of every layer.
    inputs: Vec<Vec<f64>>,
    delta: Vec<f64>,
    /// Mean cross-entropy.
    pub(crate) loss: f64,
}

/// The gradients of a step.
#[derive(Debug, Clone)]
pub(crate) struct Gradients {
    /// One gradient per tensor of the weights given, in their order; those of running statistics
    /// are empty.
    pub(crate) tensors: Vec<Vec<f64>>,
    /// Differences of the values on which the path decided otherwise, relative to the root mean
    /// square of their layer: from 0, or from the largest of a window.
    pub(crate) doubts: Vec<f64>,
}

impl Forward {
    /// Computes a batch's loss, and keeps what its gradient needs.
    pub(crate) fn new(
        layers: &[LayerSettings],
        architecture: &Architecture,
        weights: &[NamedTensor],
        step: Step<'_>,
    ) -> Self {
        let images = step.labels.len();
        let nodes: Vec<Node> = layers
            .iter()
            .zip(&architecture.layers)
            .enumerate()
            .map(|(layer, (settings, summary))| {
                Node::new(layer, settings, summary, weights, images, step)
            })
            .collect();
        let pixels: Vec<f64> = step.pixels.iter().map(|&pixel| f64::from(pixel)).collect();
        let mut inputs = vec![pixels];
        for node in &nodes {
            inputs.push(node.forward(&inputs[inputs.len() - 1]));
        }
        let logits = inputs.pop().expect("a network has logits");
        let (loss, delta) = cross_entropy(&logits, step.labels, architecture.classes);
        Self { nodes, inputs, delta, loss }
    }

    /// Computes the gradient of the mean cross-entropy by every weight.
    pub(crate) fn gradients(
        &self,
        weights: &[NamedTensor],
        decisions: Option<&dyn Decisions>,
    ) -> Gradients {
        let mut tensors: Vec<Vec<f64>> = weights.iter().map(|_| Vec::new()).collect();
        let mut doubts = Vec::new();
        let mut delta = self.delta.clone();
        for (node, input) in self.nodes.iter().zip(&self.inputs).rev() {
            let (before, learned) = node.backward(input, &delta, decisions, &mut doubts);
            for (role, values) in learned {
                let name = format!("{}.{role}", node.prefix);
                let index = weights.iter().position(|tensor| tensor.name == name);
                tensors[index.expect("a weight has its name")] = values;
            }
            delta = before;
        }
        Gradients { tensors, doubts }
    }
}

fn root_mean_square(values: &[f64]) -> f64 {
    let square: f64 = values.iter().map(|value| value * value).sum();
    (square / values.len() as f64).sqrt()
}

fn cross_entropy(logits: &[f64], labels: &[u16], classes: usize) -> (f64, Vec<f64>) {
    let (mut loss, mut delta) = (0.0, Vec::with_capacity(logits.len()));
    for (row, &label) in logits.chunks_exact(classes).zip(labels) {
        let largest = row.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let sum: f64 = row.iter().map(|logit| (logit - largest).exp()).sum();
        loss += sum.ln() + largest - row[usize::from(label)];
        delta.extend(row.iter().enumerate().map(|(class, logit)| {
            let target = if class == usize::from(label) { 1.0 } else { 0.0 };
            ((logit - largest).exp() / sum - target) / labels.len() as f64
        }));
    }
    (loss / labels.len() as f64, delta)
}

/// Gradients of a layer's tensors, by role.
type Learned = Vec<(&'static str, Vec<f64>)>;

/// A layer with what it needs of its own.
struct Node {
    layer: usize,
    prefix: String,
    kind: Kind,
    images: usize,
    input: (usize, usize, usize),
    output: (usize, usize, usize),
}

enum Kind {
    /// Convolutions, and dense layers as a window that covers the image.
    Linear {
        taps: Taps,
        /// `place, input channel, output channel`.
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

/// For every output pixel, the input pixels under its window and their places there.
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
            for place in 0..size * size {
                let y = (row * stride + place / size).checked_sub(vertical.before);
                let x = (column * stride + place % size).checked_sub(horizontal.before);
                if let (Some(y), Some(x)) = (y, x)
                    && y < height
                    && x < width
                {
                    under.push((y * width + x, place));
                }
            }
            taps.push(under);
        }
    }
    taps
}

/// Files hold `output, input, place`; for dense layers that is channel, row, column.
fn reordered(file: &[f64], outputs: usize, inputs: usize, places: usize) -> Vec<f64> {
    let mut values = vec![0.0; file.len()];
    for output in 0..outputs {
        for input in 0..inputs {
            for place in 0..places {
                values[(place * inputs + input) * outputs + output] =
                    file[(output * inputs + input) * places + place];
            }
        }
    }
    values
}

fn as_in_files(values: &[f64], outputs: usize, inputs: usize, places: usize) -> Vec<f64> {
    let mut file = vec![0.0; values.len()];
    for output in 0..outputs {
        for input in 0..inputs {
            for place in 0..places {
                file[(output * inputs + input) * places + place] =
                    values[(place * inputs + input) * outputs + output];
            }
        }
    }
    file
}

impl Node {
    fn new(
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
        let linear = |taps: Taps, places: usize, inputs: usize| Kind::Linear {
            taps,
            weights: reordered(&named("weight").expect("weights"), output.2, inputs, places),
            biases: named("bias"),
        };
        let kind = match *settings {
            LayerSettings::Conv { kernel, stride, .. } => {
                linear(slide(summary, kernel, stride), kernel * kernel, input.2)
            }
            LayerSettings::Dense { .. } => linear(vec![vec![(0, 0)]], 1, input.2),
            LayerSettings::MaxPool { size, stride, .. } => Kind::Max(slide(summary, size, stride)),
            LayerSettings::AveragePool { size, stride, .. } => {
                let taps = slide(summary, size, stride);
                let counts = taps.iter().map(|under| under.len() as f64).collect();
                Kind::Average(taps, counts)
            }
            LayerSettings::BatchNorm { epsilon, .. } => {
                let (scale, shift) = (named("scale"), named("shift"));
                Kind::Norm { scale: scale.expect("scale"), shift: shift.expect("shift"), epsilon }
            }
            LayerSettings::Relu => Kind::Relu,
            LayerSettings::Dropout { rate } => {
                let mask = DropoutMask::new(step.seed_path, step.step, layer + 1, rate);
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

    /// Calls `visit(image, output pixel, input pixel, place)` for every product.
    fn each(&self, taps: &Taps, mut visit: impl FnMut(usize, usize, usize, usize)) {
        for image in 0..self.images {
            for (output, under) in taps.iter().enumerate() {
                for &(source, place) in under {
                    let inputs = self.input.0 * self.input.1;
                    visit(image, image * taps.len() + output, image * inputs + source, place);
                }
            }
        }
    }

    fn forward(&self, x: &[f64]) -> Vec<f64> {
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
            for &(source, place) in under {
                row[place * channels..][..channels]
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

    fn backward(
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
                let places = weights.len() / (inputs * outputs);
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
                        for &(source, place) in under {
                            let before = &mut before[source * inputs..][..inputs];
                            add_scaled(before, &window[place * inputs..][..inputs], 1.0);
                        }
                    }
                }
                learned.push(("weight", as_in_files(&gradient, outputs, inputs, places)));
                if biases.is_some() {
                    learned.push(("bias", by_channel(delta, outputs)));
                }
            }
            Kind::Max(taps) => {
                // The first largest value of a window takes the gradient.
                let (pixels, size) = (self.input.0 * self.input.1, root_mean_square(x));
                for value in 0..delta.len() {
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
                        && delta[value].abs() > 0.0
                        && let Some(winner) = decisions.winner(self.layer, value)
                    {
                        let found = under.iter().find(|(_, place)| *place == winner);
                        let found = found.expect("a place of the window won").0;
                        if found != best {
                            doubts.push((x[at(best)] - x[at(found)]) / size);
                            best = found;
                        }
                    }
                    before[at(best)] += delta[value];
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

/// Returns whether the optimizer changes this tensor.
pub(crate) fn is_trainable(tensor: &NamedTensor) -> bool {
    !matches!(role(&tensor.name), "mean" | "variance")
}

#[cfg(test)]
mod tests {
    use super::super::against::{assert_near, cases, noise};
    use super::super::dense;
    use super::super::reference::Reference;
    use super::*;
    use crate::base::Seed;
    use crate::engine::init::initial_weights;

    #[test]
    fn the_chain_rule_agrees_with_differences_of_the_loss() {
        let seed_path = SeedPath::member(Seed(3), 0, 1);
        for case in cases() {
            let mut layers = case.layers.clone();
            layers.push(dense(None));
            let image = (case.shape.height, case.shape.width, case.shape.channels);
            let architecture = Architecture::of(&layers, image, 3).unwrap();
            let mut next = noise(17);
            let mut weights = initial_weights(&layers, &architecture, &seed_path);
            for value in weights.iter_mut().flat_map(|tensor| &mut tensor.values) {
                *value += 0.3 * next().abs();
            }
            let pixels: Vec<f32> =
                (0..case.images * case.shape.len()).map(|_| f32::midpoint(next(), 1.0)).collect();
            let labels: Vec<u16> = (0..case.images).map(|image| (image % 3) as u16).collect();
            let mut reference = Reference::new(&layers, image, 3, &weights, seed_path);
            let step = Step { pixels: &pixels, labels: &labels, step: 5, seed_path: &seed_path };
            let forward = Forward::new(&layers, &architecture, &weights, step);
            let what = format!("{:?}", case.layers);
            assert_near(&[forward.loss], &[reference.loss(&pixels, &labels, 5)], 1e-12, &what);
            let found = forward.gradients(&weights, None);
            for (index, tensor) in weights.iter().enumerate() {
                if !is_trainable(tensor) {
                    continue;
                }
                let expected: Vec<f64> = (0..tensor.values.len())
                    .map(|value| reference.derivative((index, value), &pixels, &labels, 5))
                    .collect();
                let what = format!("{} of {what}", tensor.name);
                assert_near(&found.tensors[index], &expected, 1e-6, &what);
            }
        }
    }
}
