//! A network resolved for one image shape: operations in order and the weights they need.

use super::super::geometry::{Volume, Window};
use super::capsules::Capsules;
use super::ops::Backend;
use super::rows::{self, Rows, Source, Windows};
use crate::spec::architecture::{Architecture, LayerSummary};
use crate::spec::layers::LayerSettings;

/// One operation of the network.
#[derive(Debug)]
pub(super) enum Operation<D: Backend> {
    /// A convolution or a dense layer: a gather and a product with weights `weight`.
    Product {
        /// Absent where the input is multiplied as it is.
        rows: Option<Rows<D>>,
        weight: usize,
        depth: usize,
        positions: usize,
        output: usize,
    },
    /// A batch normalisation.
    BatchNorm { scale: usize, shift: usize, statistics: usize, momentum: f64, epsilon: f64 },
    /// `max(x, 0)`.
    Relu,
    /// Largest value of every window.
    MaxPool(Windows<D>),
    /// Mean value of every window.
    AveragePool(Windows<D>),
    /// Class capsules with weights `weight`.
    Capsules { weight: usize, layer: Capsules },
    /// Dropout of layer `layer`.
    Dropout { layer: usize, rate: f64, input: Volume },
}

/// What a trainable tensor is.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum WeightKind {
    /// Rows of weights of this shape in files, each with its bias last where there is one.
    Rows { shape: Vec<usize>, bias: bool },
    /// One value a channel: `scale` or `shift`.
    PerChannel(&'static str),
}

/// One trainable tensor of shape `(models, rows, columns)`.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct WeightPlan {
    /// `layer03.conv`, before the role of the tensor.
    pub(super) prefix: String,
    pub(super) rows: usize,
    pub(super) columns: usize,
    pub(super) kind: WeightKind,
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
        };
        for (place, (layer, summary)) in layers.iter().zip(&architecture.layers).enumerate() {
            plan.add(place + 1, layer, summary);
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
                let rows = rows::convolution(input, &window(kernel, stride), bias);
                let depth = input.channels * kernel * kernel;
                let shape = vec![filters, input.channels, kernel, kernel];
                self.product(
                    Some(rows),
                    output,
                    WeightPlan {
                        prefix,
                        rows: filters,
                        columns: depth + usize::from(bias),
                        kind: WeightKind::Rows { shape, bias },
                    },
                );
            }
            LayerSettings::Dense { bias, .. } => {
                let (features, units) = (input.features(), output.features());
                self.product(
                    bias.then(|| rows::dense(features)),
                    output,
                    WeightPlan {
                        prefix,
                        rows: units,
                        columns: features + usize::from(bias),
                        kind: WeightKind::Rows { shape: vec![units, features], bias },
                    },
                );
            }
            LayerSettings::BatchNorm { momentum, epsilon } => {
                let (scale, channels) = (self.weights.len(), input.channels);
                for role in ["scale", "shift"] {
                    self.weights.push(WeightPlan {
                        prefix: prefix.clone(),
                        rows: channels,
                        columns: 1,
                        kind: WeightKind::PerChannel(role),
                    });
                }
                let (shift, statistics) = (scale + 1, self.statistics.len());
                self.operations.push(Operation::BatchNorm {
                    scale,
                    shift,
                    statistics,
                    momentum,
                    epsilon,
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
            LayerSettings::AveragePool { size, stride, .. } => {
                let windows = Windows::new(input, &window(size, stride), Some(Source::Zeros));
                self.operations.push(Operation::AveragePool(windows));
                self.activations += 2 * size * size * output.features();
            }
            LayerSettings::Dropout { rate } => {
                self.operations.push(Operation::Dropout { layer, rate, input });
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
                self.weights.push(WeightPlan {
                    prefix,
                    rows: capsules.classes,
                    columns: capsules.weights() / capsules.classes,
                    kind: WeightKind::Rows { shape, bias: false },
                });
                let weight = self.weights.len() - 1;
                self.operations.push(Operation::Capsules { weight, layer: capsules });
            }
            LayerSettings::NaiveBayes { .. } => {
                unreachable!("naive Bayes is fitted elsewhere and no part of a network")
            }
        }
    }

    fn product(&mut self, rows: Option<Rows<D>>, output: Volume, weight: WeightPlan) {
        let gathered = rows.as_ref().map_or(0, |rows| rows.outputs);
        self.activations += gathered + output.features();
        self.operations.push(Operation::Product {
            rows,
            weight: self.weights.len(),
            depth: weight.columns,
            positions: output.positions(),
            output: output.features(),
        });
        self.weights.push(weight);
    }

    /// Returns whether the network has class capsules.
    pub(super) fn has_capsules(&self) -> bool {
        self.operations.iter().any(|operation| matches!(operation, Operation::Capsules { .. }))
    }

    /// Returns the number of trainable parameters of one model.
    pub(super) fn trainable_parameters(&self) -> usize {
        self.weights.iter().map(|weight| weight.rows * weight.columns).sum()
    }
}
