//! A network in double precision by the book: plain loops over images, channels, rows and columns.
//!
//! Every path is held against it: losses and logits directly, gradients by central differences of
//! the loss. It shares nothing with the paths but the dropout hash and the names of weights.

use super::super::dropout::DropoutMask;
use super::super::weights::NamedTensor;
use crate::base::SeedPath;
use crate::experiment::architecture::{Architecture, Window};
use crate::experiment::layers::LayerSettings;

/// A batch of images, `(image, channel, row, column)`.
#[derive(Debug, Clone)]
struct Batch {
    shape: [usize; 4],
    values: Vec<f64>,
}

impl Batch {
    fn zeros(shape: [usize; 4]) -> Self {
        Self { shape, values: vec![0.0; shape.iter().product()] }
    }

    fn at(&self, [image, channel, row, column]: [usize; 4]) -> usize {
        let [_, channels, rows, columns] = self.shape;
        ((image * channels + channel) * rows + row) * columns + column
    }

    fn indices(&self) -> impl Iterator<Item = [usize; 4]> + use<> {
        let [images, channels, rows, columns] = self.shape;
        (0..images).flat_map(move |image| {
            (0..channels).flat_map(move |channel| {
                (0..rows).flat_map(move |row| {
                    (0..columns).map(move |column| [image, channel, row, column])
                })
            })
        })
    }
}

/// Means and variances by channel.
pub(crate) type Statistics = (Vec<f64>, Vec<f64>);

/// Whether dropout is on and batch statistics are used.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Mode {
    /// Training, in this step.
    Train(u64),
    /// Evaluation.
    Evaluate,
}

/// A network with its weights.
#[derive(Debug, Clone)]
pub(crate) struct Reference {
    layers: Vec<LayerSettings>,
    architecture: Architecture,
    seed_path: SeedPath,
    names: Vec<(String, Vec<usize>)>,
    /// Weights and running statistics, in the order of the tensors given.
    pub(crate) weights: Vec<Vec<f64>>,
}

impl Reference {
    /// Builds the network of `layers` with `weights`.
    pub(crate) fn new(
        layers: &[LayerSettings],
        image: (usize, usize, usize),
        classes: usize,
        weights: &[NamedTensor],
        seed_path: SeedPath,
    ) -> Self {
        Self {
            layers: layers.to_vec(),
            architecture: Architecture::of(layers, image, classes).unwrap(),
            seed_path,
            names: weights.iter().map(|w| (w.name.clone(), w.shape.clone())).collect(),
            weights: weights
                .iter()
                .map(|weight| weight.values.iter().map(|&value| f64::from(value)).collect())
                .collect(),
        }
    }

    /// Returns whether the optimizer changes tensor `index`.
    pub(crate) fn is_trainable(&self, index: usize) -> bool {
        !matches!(role(&self.names[index].0), "mean" | "variance")
    }

    fn tensor(&self, name: &str) -> Option<&[f64]> {
        let index = self.names.iter().position(|(found, _)| found == name)?;
        Some(&self.weights[index])
    }

    /// Returns the logits, `images × classes`; `pixels` are `images × rows × columns × channels`.
    /// Batch statistics of every batch normalisation are appended to `statistics` in training.
    pub(crate) fn logits(
        &self,
        pixels: &[f32],
        mode: Mode,
        statistics: &mut Vec<Statistics>,
    ) -> Vec<f64> {
        let input = self.architecture.input;
        let crate::experiment::architecture::Shape::Image { height, width, channels } = input
        else {
            unreachable!("images go in")
        };
        let mut x = Batch::zeros([pixels.len() / input.len(), channels, height, width]);
        for index @ [image, channel, row, column] in x.indices() {
            let pixel = ((image * height + row) * width + column) * channels + channel;
            let at = x.at(index);
            x.values[at] = f64::from(pixels[pixel]);
        }
        for (index, layer) in self.layers.iter().enumerate() {
            x = self.layer(index, layer, x, mode, statistics);
        }
        x.values
    }

    #[expect(clippy::too_many_lines, reason = "one arm a layer, to be read beside its definition")]
    fn layer(
        &self,
        index: usize,
        layer: &LayerSettings,
        x: Batch,
        mode: Mode,
        statistics: &mut Vec<Statistics>,
    ) -> Batch {
        let summary = &self.architecture.layers[index];
        let named =
            |role: &str| self.tensor(&format!("layer{:02}.{}.{role}", index + 1, summary.kind));
        let images = x.shape[0];
        match *layer {
            LayerSettings::Conv { filters, kernel, stride, .. } => {
                let (vertical, horizontal) = summary.windows.unwrap();
                let (weights, biases) = (named("weight").unwrap(), named("bias"));
                let mut y = Batch::zeros([images, filters, vertical.output, horizontal.output]);
                for to @ [image, filter, row, column] in y.indices() {
                    let mut sum = biases.map_or(0.0, |biases| biases[filter]);
                    for channel in 0..x.shape[1] {
                        for (dy, dx) in taps(kernel) {
                            let Some((row, column)) =
                                under(&x, (vertical, horizontal), stride, (row, column), (dy, dx))
                            else {
                                continue;
                            };
                            let at = ((filter * x.shape[1] + channel) * kernel + dy) * kernel + dx;
                            sum += weights[at] * x.values[x.at([image, channel, row, column])];
                        }
                    }
                    let at = y.at(to);
                    y.values[at] = sum;
                }
                y
            }
            LayerSettings::MaxPool { size, stride, .. }
            | LayerSettings::AveragePool { size, stride, .. } => {
                let (vertical, horizontal) = summary.windows.unwrap();
                let is_max = matches!(layer, LayerSettings::MaxPool { .. });
                let divisor = |inside, all| match layer {
                    LayerSettings::AveragePool { convention, .. } => {
                        convention.divisor(inside, all)
                    }
                    _ => inside,
                };
                let mut y = Batch::zeros([images, x.shape[1], vertical.output, horizontal.output]);
                for to @ [image, channel, row, column] in y.indices() {
                    let seen: Vec<f64> = taps(size)
                        .filter_map(|index| {
                            under(&x, (vertical, horizontal), stride, (row, column), index)
                        })
                        .map(|(row, column)| x.values[x.at([image, channel, row, column])])
                        .collect();
                    let at = y.at(to);
                    y.values[at] = if is_max {
                        seen.iter().copied().fold(f64::NEG_INFINITY, f64::max)
                    } else {
                        seen.iter().sum::<f64>() / divisor(seen.len(), size * size) as f64
                    };
                }
                y
            }
            LayerSettings::BatchNorm { epsilon, .. } => {
                let (scale, shift) = (named("scale").unwrap(), named("shift").unwrap());
                let (means, variances) = match mode {
                    Mode::Evaluate => {
                        (named("mean").unwrap().to_vec(), named("variance").unwrap().to_vec())
                    }
                    Mode::Train(_) => {
                        let found = channel_statistics(&x);
                        statistics.push(found.clone());
                        found
                    }
                };
                let mut y = x;
                for index in y.indices() {
                    let (at, channel) = (y.at(index), index[1]);
                    let deviation = (variances[channel] + epsilon).sqrt();
                    y.values[at] = (y.values[at] - means[channel]) / deviation * scale[channel]
                        + shift[channel];
                }
                y
            }
            LayerSettings::Relu => {
                Batch { values: x.values.iter().map(|value| value.max(0.0)).collect(), ..x }
            }
            LayerSettings::Dropout { rate } => {
                let Mode::Train(step) = mode else { return x };
                let mask = DropoutMask::new(&self.seed_path, step, index + 1, rate);
                let [_, channels, rows, columns] = x.shape;
                let mut y = x;
                for from @ [image, channel, row, column] in y.indices() {
                    let feature = (row * columns + column) * channels + channel;
                    let element = image * channels * rows * columns + feature;
                    let at = y.at(from);
                    y.values[at] *= f64::from(mask.factor(element as u64));
                }
                y
            }
            LayerSettings::Capsules { .. } | LayerSettings::NaiveBayes { .. } => {
                unreachable!("tested where it is computed")
            }
            LayerSettings::Flatten => {
                let features = x.shape[1..].iter().product();
                Batch { shape: [images, features, 1, 1], values: x.values }
            }
            LayerSettings::Dense { .. } => {
                let (units, features) = (summary.output.len(), summary.input.len());
                let (weights, biases) = (named("weight").unwrap(), named("bias"));
                let mut y = Batch::zeros([images, units, 1, 1]);
                for to @ [image, unit, ..] in y.indices() {
                    let row = &weights[unit * features..][..features];
                    let from = &x.values[image * features..][..features];
                    let at = y.at(to);
                    y.values[at] = biases.map_or(0.0, |biases| biases[unit])
                        + row.iter().zip(from).map(|(w, x)| w * x).sum::<f64>();
                }
                y
            }
        }
    }

    /// Returns the mean cross-entropy of a training step.
    pub(crate) fn loss(&self, pixels: &[f32], labels: &[u16], step: u64) -> f64 {
        let logits = self.logits(pixels, Mode::Train(step), &mut Vec::new());
        let rows = logits.chunks_exact(self.architecture.classes).zip(labels);
        let total: f64 = rows
            .map(|(row, &label)| {
                let largest = row.iter().copied().fold(f64::NEG_INFINITY, f64::max);
                let sum: f64 = row.iter().map(|logit| (logit - largest).exp()).sum();
                sum.ln() + largest - row[usize::from(label)]
            })
            .sum();
        total / labels.len() as f64
    }

    /// Returns the derivative of the loss by value `value` of tensor `index`.
    pub(crate) fn derivative(
        &mut self,
        (index, value): (usize, usize),
        pixels: &[f32],
        labels: &[u16],
        step: u64,
    ) -> f64 {
        const DIFFERENCE: f64 = 1e-5;
        let original = self.weights[index][value];
        let mut at = |shift: f64| {
            self.weights[index][value] = original + shift;
            self.loss(pixels, labels, step)
        };
        let difference = at(DIFFERENCE) - at(-DIFFERENCE);
        self.weights[index][value] = original;
        difference / (2.0 * DIFFERENCE)
    }
}

/// Returns the last part of a tensor's name.
pub(crate) fn role(name: &str) -> &str {
    name.rsplit('.').next().unwrap_or(name)
}

fn taps(size: usize) -> impl Iterator<Item = (usize, usize)> {
    (0..size).flat_map(move |y| (0..size).map(move |x| (y, x)))
}

/// Returns the pixel under a tap of a window, unless it is padding.
fn under(
    x: &Batch,
    (vertical, horizontal): (Window, Window),
    stride: usize,
    (row, column): (usize, usize),
    (dy, dx): (usize, usize),
) -> Option<(usize, usize)> {
    let row = (row * stride + dy).checked_sub(vertical.before)?;
    let column = (column * stride + dx).checked_sub(horizontal.before)?;
    (row < x.shape[2] && column < x.shape[3]).then_some((row, column))
}

fn channel_statistics(x: &Batch) -> (Vec<f64>, Vec<f64>) {
    let channels = x.shape[1];
    let count = (x.values.len() / channels) as f64;
    let (mut means, mut variances) = (vec![0.0; channels], vec![0.0; channels]);
    for index in x.indices() {
        means[index[1]] += x.values[x.at(index)] / count;
    }
    for index in x.indices() {
        variances[index[1]] += (x.values[x.at(index)] - means[index[1]]).powi(2) / count;
    }
    (means, variances)
}
