//! A network resolved for one image shape: operations in order and the weights they need.

use super::super::EngineError;
use super::super::geometry::{Volume, Window};
use super::ops::Backend;
use super::rows::{self, Rows, Source, Windows};
use crate::data::ImageShape;
use crate::spec::layers::{Init, LayerSettings};

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
    /// Dropout of layer `layer`.
    Dropout { layer: usize, rate: f64, input: Volume },
}

/// What a trainable tensor is.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum WeightKind {
    /// Rows of weights, each with its bias last where there is one.
    Rows {
        /// Shape of the weights in files.
        shape: Vec<usize>,
        bias: bool,
        init: Init,
        fan_in: usize,
        fan_out: usize,
    },
    /// One value a channel, all `start` at first.
    PerChannel {
        /// `scale` or `shift`.
        role: &'static str,
        start: f32,
    },
}

/// One trainable tensor of shape `(models, rows, columns)`.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct WeightPlan {
    /// Index of its layer, from 1.
    pub(super) layer: usize,
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
    /// Resolves `layers` for images of `shape`.
    ///
    /// # Errors
    /// If a layer does not fit, or if the last does not give one value a class.
    pub(super) fn new(
        layers: &[LayerSettings],
        shape: ImageShape,
        classes: usize,
    ) -> Result<Self, EngineError> {
        let input = Volume { channels: shape.channels, height: shape.height, width: shape.width };
        let mut plan = Self {
            operations: Vec::with_capacity(layers.len()),
            weights: Vec::new(),
            statistics: Vec::new(),
            input,
            classes,
            activations: input.features(),
        };
        let (mut volume, mut flat) = (input, input.positions() == 1);
        for (place, layer) in layers.iter().enumerate() {
            (volume, flat) = plan.add(place + 1, layer, volume, flat)?;
        }
        if volume.features() == classes && flat {
            return Ok(plan);
        }
        Err(EngineError::Shape {
            layer: layers.len(),
            kind: layers.last().map_or("none", kind_of),
            problem: format!(
                "it gives {}×{}×{} values, expected one row of {classes}, one a class; end with \
                 `flatten` and a `dense` layer without `units`",
                volume.height, volume.width, volume.channels
            ),
        })
    }

    fn add(
        &mut self,
        layer: usize,
        settings: &LayerSettings,
        input: Volume,
        flat: bool,
    ) -> Result<(Volume, bool), EngineError> {
        let problem =
            |problem: String| EngineError::Shape { layer, kind: kind_of(settings), problem };
        let spatial = || {
            if flat && input.positions() == 1 && layer > 1 {
                return Err(problem(
                    "its input is one row of features; put it before `flatten` and `dense`"
                        .to_owned(),
                ));
            }
            Ok((input.height, input.width))
        };
        let pooled = |window: &Window| Volume {
            channels: input.channels,
            height: window.output.0,
            width: window.output.1,
        };
        match *settings {
            LayerSettings::Conv { filters, kernel, stride, padding, bias, init } => {
                let window = Window::fit(spatial()?, kernel, stride, padding).map_err(problem)?;
                let output =
                    Volume { channels: filters, height: window.output.0, width: window.output.1 };
                let rows = rows::convolution(input, &window, bias);
                let area = kernel * kernel;
                self.product(
                    Some(rows),
                    output,
                    WeightPlan {
                        layer,
                        prefix: format!("layer{layer:02}.conv"),
                        rows: filters,
                        columns: input.channels * area + usize::from(bias),
                        kind: WeightKind::Rows {
                            shape: vec![filters, input.channels, kernel, kernel],
                            bias,
                            init,
                            fan_in: input.channels * area,
                            fan_out: filters * area,
                        },
                    },
                );
                Ok((output, false))
            }
            LayerSettings::Dense { units, bias, init } => {
                if !flat {
                    return Err(problem(format!(
                        "its input is {}×{}×{}, expected one row of features; put a `flatten` \
                         layer before it",
                        input.height, input.width, input.channels
                    )));
                }
                let (features, units) = (input.features(), units.unwrap_or(self.classes));
                let output = Volume { channels: units, height: 1, width: 1 };
                let rows = bias.then(|| rows::dense(features));
                self.product(
                    rows,
                    output,
                    WeightPlan {
                        layer,
                        prefix: format!("layer{layer:02}.dense"),
                        rows: units,
                        columns: features + usize::from(bias),
                        kind: WeightKind::Rows {
                            shape: vec![units, features],
                            bias,
                            init,
                            fan_in: features,
                            fan_out: units,
                        },
                    },
                );
                Ok((output, true))
            }
            LayerSettings::BatchNorm { momentum, epsilon } => {
                let prefix = format!("layer{layer:02}.batch-norm");
                let first = self.weights.len();
                for (role, start) in [("scale", 1.0), ("shift", 0.0)] {
                    self.weights.push(WeightPlan {
                        layer,
                        prefix: prefix.clone(),
                        rows: input.channels,
                        columns: 1,
                        kind: WeightKind::PerChannel { role, start },
                    });
                }
                self.operations.push(Operation::BatchNorm {
                    scale: first,
                    shift: first + 1,
                    statistics: self.statistics.len(),
                    momentum,
                    epsilon,
                });
                self.statistics.push(StatisticsPlan { prefix, channels: input.channels });
                self.activations += 2 * input.features();
                Ok((input, flat))
            }
            LayerSettings::Relu => {
                self.operations.push(Operation::Relu);
                self.activations += input.features();
                Ok((input, flat))
            }
            LayerSettings::MaxPool { size, stride, padding } => {
                let window = Window::fit(spatial()?, size, stride, padding).map_err(problem)?;
                let output = pooled(&window);
                self.operations.push(Operation::MaxPool(Windows::new(input, &window, None)));
                self.activations += 2 * output.features();
                Ok((output, false))
            }
            LayerSettings::AveragePool { size, stride, padding } => {
                let window = Window::fit(spatial()?, size, stride, padding).map_err(problem)?;
                let output = pooled(&window);
                let windows = Windows::new(input, &window, Some(Source::Zeros));
                self.operations.push(Operation::AveragePool(windows));
                self.activations += 2 * size * size * output.features();
                Ok((output, false))
            }
            LayerSettings::Dropout { rate } => {
                self.operations.push(Operation::Dropout { layer, rate, input });
                self.activations += 2 * input.features();
                Ok((input, flat))
            }
            LayerSettings::Flatten => {
                Ok((Volume { channels: input.features(), height: 1, width: 1 }, true))
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

    /// Returns the number of trainable parameters of one model.
    pub(super) fn trainable_parameters(&self) -> usize {
        self.weights.iter().map(|weight| weight.rows * weight.columns).sum()
    }
}

fn kind_of(layer: &LayerSettings) -> &'static str {
    match layer {
        LayerSettings::Conv { .. } => "conv",
        LayerSettings::BatchNorm { .. } => "batch-norm",
        LayerSettings::Relu => "relu",
        LayerSettings::MaxPool { .. } => "max-pool",
        LayerSettings::AveragePool { .. } => "average-pool",
        LayerSettings::Dropout { .. } => "dropout",
        LayerSettings::Flatten => "flatten",
        LayerSettings::Dense { .. } => "dense",
    }
}
