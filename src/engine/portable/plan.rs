//! A network resolved for one image shape: operations in order and the weights they need.

use super::super::geometry::{Volume, Window};
use super::capsules::Capsules;
use super::ops::Backend;
use super::rows::{self, Rows, Source, Windows};
use crate::experiment::architecture::{Architecture, LayerSummary};
use crate::experiment::layers::{LayerSettings, NormStatistics};

/// One operation of the network.
#[derive(Debug)]
pub(super) enum Operation<D: Backend> {
    /// A convolution or a dense layer: a gather, a product with weights `weight`, and a bias.
    Product {
        /// Absent where the input is multiplied as it is.
        rows: Option<Rows<D>>,
        weight: usize,
        bias: Option<usize>,
        depth: usize,
        positions: usize,
        output: usize,
    },
    /// A batch normalisation.
    BatchNorm {
        scale: usize,
        shift: usize,
        statistics: usize,
        momentum: f64,
        epsilon: f64,
        kind: NormStatistics,
    },
    /// `max(x, 0)`.
    Relu,
    /// Largest value of every window.
    MaxPool(Windows<D>),
    /// Mean value of every window.
    AveragePool(Windows<D>),
    /// Class capsules with weights `weight`.
    Capsules { weight: usize, layer: Capsules },
    /// Dropout of layer `layer`.
    Dropout { layer: usize, input: Volume },
}

/// One trainable tensor of shape `(models, rows, columns)`.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct WeightPlan {
    /// Its name in files, as `layer03.conv.weight`.
    pub(super) name: String,
    /// Its shape in files, for one model.
    pub(super) shape: Vec<usize>,
    pub(super) rows: usize,
    pub(super) columns: usize,
}

impl WeightPlan {
    /// Plans a tensor of this shape in files, the first dimension of which are the rows.
    fn new(prefix: &str, role: &str, shape: Vec<usize>) -> Self {
        let rows = shape[0];
        let columns = shape[1..].iter().product();
        Self { name: format!("{prefix}.{role}"), shape, rows, columns }
    }
}

/// The running statistics of one batch normalisation.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct StatisticsPlan {
    /// `layer02.batch-norm`.
    pub(super) prefix: String,
    pub(super) channels: usize,
}

/// The whole network.
#[derive(Debug)]
pub(super) struct Plan<D: Backend> {
    pub(super) operations: Vec<Operation<D>>,
    pub(super) weights: Vec<WeightPlan>,
    pub(super) statistics: Vec<StatisticsPlan>,
    pub(super) input: Volume,
    pub(super) classes: usize,
    /// Values one image leaves on the tape, gradients aside.
    pub(super) activations: usize,
    /// Values of one image in the largest tensor.
    largest: usize,
}

impl<D: Backend> Plan<D> {
    /// Plans `layers`, which fit as `architecture` says.
    pub(super) fn new(layers: &[LayerSettings], architecture: &Architecture) -> Self {
        let input = Volume::from(architecture.input);
        let mut plan = Self {
            operations: Vec::with_capacity(layers.len()),
            weights: Vec::new(),
            statistics: Vec::new(),
            input,
            classes: architecture.classes,
            activations: input.features(),
            largest: input.features(),
        };
        for (index, (layer, summary)) in layers.iter().zip(&architecture.layers).enumerate() {
            plan.add(index + 1, layer, summary);
        }
        plan
    }

    fn add(&mut self, layer: usize, settings: &LayerSettings, summary: &LayerSummary) {
        let (input, output) = (Volume::from(summary.input), Volume::from(summary.output));
        let prefix = format!("layer{layer:02}.{}", summary.kind);
        let window = |size, stride| {
            let windows = summary.windows.expect("convolutions and pools have windows");
            Window::new(input, size, stride, windows)
        };
        match *settings {
            LayerSettings::Conv { filters, kernel, stride, bias, .. } => {
                let rows = rows::convolution(input, &window(kernel, stride));
                let shape = vec![filters, input.channels, kernel, kernel];
                self.product(Some(rows), output, (&prefix, shape, bias));
            }
            LayerSettings::Dense { bias, .. } => {
                let shape = vec![output.features(), input.features()];
                self.product(None, output, (&prefix, shape, bias));
            }
            LayerSettings::BatchNorm { momentum, epsilon, statistics: kind } => {
                let (scale, channels) = (self.weights.len(), input.channels);
                for role in ["scale", "shift"] {
                    self.weights.push(WeightPlan::new(&prefix, role, vec![channels]));
                }
                let (shift, statistics) = (scale + 1, self.statistics.len());
                self.operations.push(Operation::BatchNorm {
                    scale,
                    shift,
                    statistics,
                    momentum,
                    epsilon,
                    kind,
                });
                self.statistics.push(StatisticsPlan { prefix, channels });
                self.activations += 2 * input.features();
            }
            LayerSettings::Relu => {
                self.operations.push(Operation::Relu);
                self.activations += input.features();
            }
            LayerSettings::MaxPool { size, stride, .. } => {
                let windows = Windows::new(input, &window(size, stride), None);
                self.operations.push(Operation::MaxPool(windows));
                self.activations += 2 * output.features();
            }
            LayerSettings::AveragePool { size, stride, convention, .. } => {
                let windows = Windows::new(input, &window(size, stride), Some(Source::Zeros))
                    .divided(|inside, all| convention.divisor(inside, all));
                self.operations.push(Operation::AveragePool(windows));
                self.activations += 2 * size * size * output.features();
            }
            LayerSettings::Dropout { .. } => {
                self.operations.push(Operation::Dropout { layer, input });
                self.activations += 2 * input.features();
            }
            // Features already stand in channel, row, column order.
            LayerSettings::Flatten => {}
            LayerSettings::Capsules { dimensions, size, rounds, routing, .. } => {
                let capsules = Capsules {
                    inputs: input.features() / dimensions,
                    positions: input.positions(),
                    dimensions,
                    classes: output.features(),
                    size,
                    rounds,
                    routing,
                };
                let shape = vec![capsules.classes, capsules.inputs, size, dimensions];
                self.activations += capsules.inputs * capsules.classes * (size + 2);
                self.weights.push(WeightPlan::new(&prefix, "weight", shape));
                let weight = self.weights.len() - 1;
                self.operations.push(Operation::Capsules { weight, layer: capsules });
            }
            LayerSettings::NaiveBayes { .. } => {
                unreachable!("naive Bayes is fitted elsewhere and no part of a network")
            }
        }
    }

    fn product(
        &mut self,
        rows: Option<Rows<D>>,
        output: Volume,
        (prefix, shape, has_bias): (&str, Vec<usize>, bool),
    ) {
        let gathered = rows.as_ref().map_or(0, |rows| rows.outputs);
        self.activations += gathered + output.features();
        self.largest = self.largest.max(gathered).max(output.features());
        let (weight, channels) = (self.weights.len(), shape[0]);
        let depth = shape[1..].iter().product();
        self.weights.push(WeightPlan::new(prefix, "weight", shape));
        if has_bias {
            self.weights.push(WeightPlan::new(prefix, "bias", vec![channels]));
        }
        self.operations.push(Operation::Product {
            rows,
            weight,
            bias: has_bias.then_some(weight + 1),
            depth,
            positions: output.positions(),
            output: output.features(),
        });
    }

    /// Returns whether some layer evaluates by statistics of the training images.
    pub(super) fn is_measured(&self) -> bool {
        let measures = |operation: &Operation<D>| {
            matches!(operation, Operation::BatchNorm { kind: NormStatistics::Population, .. })
        };
        self.operations.iter().any(measures)
    }

    /// Returns whether the network has class capsules.
    pub(super) fn has_capsules(&self) -> bool {
        self.operations.iter().any(|operation| matches!(operation, Operation::Capsules { .. }))
    }

    /// Returns the number of trainable parameters of one model.
    pub(super) fn trainable_parameters(&self) -> usize {
        self.weights.iter().map(|weight| weight.rows * weight.columns).sum()
    }

    /// Returns the bytes one model takes at the peak of a step, with `memories` of an optimizer a
    /// weight: weights, their gradients and memories; every activation has a gradient, because dfdx
    /// keeps both until the end of the backward pass.
    pub(super) fn working_bytes(&self, batch_size: usize, memories: usize) -> u64 {
        let weights = self.trainable_parameters() * (2 + memories);
        let activations = 2 * self.activations * batch_size;
        ((weights + activations) * size_of::<f32>()) as u64
    }

    /// Returns the values of the largest tensor of one model.
    #[cfg(any(test, feature = "cuda"))]
    pub(super) fn largest_tensor(&self, batch_size: usize) -> u64 {
        let weights = self.weights.iter().map(|weight| weight.rows * weight.columns);
        weights.chain([self.largest * batch_size]).max().unwrap_or(0) as u64
    }
}
