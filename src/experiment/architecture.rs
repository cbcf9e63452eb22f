//! What a list of layers makes of an image: shapes, parameters and arithmetic, without training.

use std::fmt;

use super::layers::{LayerSettings, Padding};

/// Shape of the values between two layers, batch aside.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Shape {
    /// Rows × columns × channels.
    Image {
        /// Rows.
        height: usize,
        /// Columns.
        width: usize,
        /// Channels.
        channels: usize,
    },
    /// One row of features.
    Features(usize),
}

impl Shape {
    /// Returns the number of values.
    pub(crate) fn len(self) -> usize {
        match self {
            Self::Image { height, width, channels } => height * width * channels,
            Self::Features(features) => features,
        }
    }

    /// Returns the channels of an image, or the features of a row.
    pub(crate) fn channels(self) -> usize {
        match self {
            Self::Image { channels, .. } => channels,
            Self::Features(features) => features,
        }
    }
}

impl fmt::Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Image { height, width, channels } => write!(f, "{height}×{width}×{channels}"),
            Self::Features(features) => write!(f, "{features}"),
        }
    }
}

/// How a window moves along one direction of an image.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Window {
    /// Padded pixels before the first pixel.
    pub before: usize,
    /// Padded pixels after the last pixel.
    pub after: usize,
    /// Number of positions of the window.
    pub output: usize,
}

impl Window {
    /// Resolves a window of `size` moving by `stride` over `input` pixels.
    ///
    /// `Padding::Same` follows TensorFlow: `⌈input / stride⌉` positions, and of an odd number of
    /// padded pixels the larger half goes after. Returns nothing if no window fits, or if a window
    /// could lie in the padding alone.
    pub(crate) fn resolve(
        input: usize,
        size: usize,
        stride: usize,
        padding: Padding,
    ) -> Option<Self> {
        if input == 0 || size == 0 || stride == 0 {
            return None;
        }
        let (before, after) = match padding {
            Padding::Valid => (0, 0),
            Padding::Explicit(pixels) if pixels < size => (pixels, pixels),
            Padding::Explicit(_) => return None,
            Padding::Same => {
                let output = input.div_ceil(stride);
                let total = ((output - 1) * stride + size).saturating_sub(input);
                return Some(Self { before: total / 2, after: total - total / 2, output });
            }
        };
        let room = (input + before + after).checked_sub(size)?;
        Some(Self { before, after, output: room / stride + 1 })
    }
}

/// One layer, with what goes in and what comes out.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct LayerSummary {
    /// The layer's kind as typed, for example `max-pool`.
    pub kind: &'static str,
    /// Shape of its input.
    pub input: Shape,
    /// Shape of its output.
    pub output: Shape,
    /// Vertical and horizontal windows of convolutions and pools.
    pub windows: Option<(Window, Window)>,
    /// Weights changed by the optimizer.
    pub trainable_parameters: usize,
    /// Running statistics.
    pub other_parameters: usize,
    /// Multiply-accumulates of one forward pass of one image, padding included; convolutions and
    /// dense layers only.
    pub multiply_accumulates: usize,
}

/// A network that fits its images and classes.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Architecture {
    /// Shape of an image.
    pub input: Shape,
    /// Number of classes.
    pub classes: usize,
    /// The layers in order.
    pub layers: Vec<LayerSummary>,
}

/// Says which layer does not fit and why.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("layer {layer} ({kind}) does not fit: {problem}")]
pub(crate) struct ShapeProblem {
    /// Index of the layer, from 1.
    pub layer: usize,
    /// Its kind.
    pub kind: &'static str,
    /// What does not fit, what would, and a way out.
    pub problem: String,
}

impl Architecture {
    /// Follows an image of `(height, width, channels)` through `layers` to one logit per class.
    ///
    /// # Errors
    /// Names the first layer that does not fit its input, or the last if it does not give
    /// `classes` values.
    pub(crate) fn of(
        layers: &[LayerSettings],
        (height, width, channels): (usize, usize, usize),
        classes: usize,
    ) -> Result<Self, ShapeProblem> {
        let input = Shape::Image { height, width, channels };
        let mut shape = input;
        let mut summaries = Vec::with_capacity(layers.len());
        for (index, layer) in layers.iter().enumerate() {
            let kind = layer.kind();
            let summary = summarize(layer, shape, classes).map_err(|problem| ShapeProblem {
                layer: index + 1,
                kind,
                problem,
            })?;
            // It is fitted in one pass: nothing can be trained by steps before or after it.
            if matches!(layer, LayerSettings::NaiveBayes { .. }) && layers.len() != 2 {
                return Err(ShapeProblem {
                    layer: index + 1,
                    kind,
                    problem: "it has company, expected it alone behind `flatten`".to_owned(),
                });
            }
            shape = summary.output;
            summaries.push(summary);
        }
        if shape != Shape::Features(classes) {
            let problem = format!(
                "the network ends with {shape}, expected {classes}, one value per class; \
                 end it with `flatten` and a `dense` layer without `units`"
            );
            let kind = layers.last().map_or("none", LayerSettings::kind);
            return Err(ShapeProblem { layer: layers.len(), kind, problem });
        }
        Ok(Self { input, classes, layers: summaries })
    }

    /// Returns the number of weights changed by the optimizer.
    pub(crate) fn trainable_parameters(&self) -> usize {
        self.layers.iter().map(|layer| layer.trainable_parameters).sum()
    }

    /// Returns the number of running statistics.
    pub(crate) fn other_parameters(&self) -> usize {
        self.layers.iter().map(|layer| layer.other_parameters).sum()
    }

    /// Returns the multiply-accumulates of one forward pass of one image.
    pub(crate) fn multiply_accumulates(&self) -> usize {
        self.layers.iter().map(|layer| layer.multiply_accumulates).sum()
    }
}

fn summarize(layer: &LayerSettings, input: Shape, classes: usize) -> Result<LayerSummary, String> {
    let mut summary = LayerSummary {
        kind: layer.kind(),
        input,
        output: input,
        windows: None,
        trainable_parameters: 0,
        other_parameters: 0,
        multiply_accumulates: 0,
    };
    match *layer {
        LayerSettings::Conv { filters, kernel, stride, padding, bias, .. } => {
            let (output, windows, channels) = slide(input, kernel, stride, padding, Some(filters))?;
            let weights = product(&[kernel, kernel, channels, filters]);
            summary.output = output;
            summary.windows = Some(windows);
            summary.trainable_parameters = weights.saturating_add(if bias { filters } else { 0 });
            summary.multiply_accumulates = product(&[windows.0.output, windows.1.output, weights]);
        }
        LayerSettings::MaxPool { size, stride, padding }
        | LayerSettings::AveragePool { size, stride, padding, .. } => {
            let (output, windows, _) = slide(input, size, stride, padding, None)?;
            summary.output = output;
            summary.windows = Some(windows);
        }
        LayerSettings::BatchNorm { .. } => {
            summary.trainable_parameters = 2 * input.channels();
            summary.other_parameters = 2 * input.channels();
        }
        LayerSettings::Relu | LayerSettings::Dropout { .. } => {}
        LayerSettings::Flatten => summary.output = Shape::Features(input.len()),
        LayerSettings::Dense { units, bias, .. } => {
            let Shape::Features(features) = input else {
                return Err(format!(
                    "its input is an image of {input}, expected a row of features; \
                     put a `flatten` layer before it"
                ));
            };
            let units = units.unwrap_or(classes);
            summary.output = Shape::Features(units);
            let weights = product(&[features, units]);
            summary.trainable_parameters = weights.saturating_add(if bias { units } else { 0 });
            summary.multiply_accumulates = weights;
        }
        LayerSettings::Capsules { dimensions, size, .. } => {
            let Shape::Image { height, width, channels } = input else {
                return Err(format!(
                    "its input is a row of {input} features, expected an image; \
                     put it behind a convolution without `flatten`"
                ));
            };
            if channels % dimensions != 0 {
                return Err(format!(
                    "its input has {channels} channels, expected a multiple of its `dimensions`, \
                     {dimensions}"
                ));
            }
            let capsules = channels / dimensions * height * width;
            summary.output = Shape::Features(classes);
            summary.trainable_parameters = product(&[capsules, classes, size, dimensions]);
            summary.multiply_accumulates = summary.trainable_parameters;
        }
        LayerSettings::NaiveBayes { .. } => {
            let Shape::Features(features) = input else {
                return Err(format!(
                    "its input is an image of {input}, expected a row of features; \
                     put a `flatten` layer before it"
                ));
            };
            summary.output = Shape::Features(classes);
            // A mean and a variance a feature and class, and the share of every class.
            let moments = product(&[2, features, classes]);
            summary.trainable_parameters = moments.saturating_add(classes);
            summary.multiply_accumulates = moments;
        }
    }
    Ok(summary)
}

/// Multiplies sizes; what no computer counts is the largest number.
fn product(sizes: &[usize]) -> usize {
    sizes.iter().fold(1, |product: usize, size| product.saturating_mul(*size))
}

type Slid = (Shape, (Window, Window), usize);

fn slide(
    input: Shape,
    size: usize,
    stride: usize,
    padding: Padding,
    filters: Option<usize>,
) -> Result<Slid, String> {
    let Shape::Image { height, width, channels } = input else {
        return Err(format!("its input is a row of {input} features, expected an image"));
    };
    if let Padding::Explicit(pixels) = padding
        && pixels >= size
    {
        return Err(format!("its padding is {pixels}, expected less than its size, {size}"));
    }
    let windows = Window::resolve(height, size, stride, padding)
        .zip(Window::resolve(width, size, stride, padding));
    let Some((vertical, horizontal)) = windows else {
        return Err(format!(
            "its window is {size}×{size}, but its input has only {height}×{width} pixels; \
             use larger images or a smaller network"
        ));
    };
    let output = Shape::Image {
        height: vertical.output,
        width: horizontal.output,
        channels: filters.unwrap_or(channels),
    };
    Ok((output, (vertical, horizontal), channels))
}

#[cfg(test)]
mod tests {
    use super::super::layers::AverageConvention;
    use super::*;
    use crate::experiment::layers::{Init, NormStatistics};

    fn conv(filters: usize, kernel: usize, stride: usize, padding: Padding) -> LayerSettings {
        LayerSettings::Conv { filters, kernel, stride, padding, bias: true, init: Init::HeNormal }
    }

    fn dense(units: Option<usize>) -> LayerSettings {
        LayerSettings::Dense { units, bias: true, init: Init::HeNormal }
    }

    #[test]
    fn same_padding_follows_tensorflow() {
        // tf.keras.layers.Conv2D(1, 5, strides=2, padding="same") pads an even input by (1, 2).
        let window = Window::resolve(24, 5, 2, Padding::Same).unwrap();
        assert_eq!(window, Window { before: 1, after: 2, output: 12 });
        let window = Window::resolve(9, 5, 2, Padding::Same).unwrap();
        assert_eq!(window, Window { before: 2, after: 2, output: 5 });
        let window = Window::resolve(9, 1, 2, Padding::Same).unwrap();
        assert_eq!(window, Window { before: 0, after: 0, output: 5 });
    }

    #[test]
    fn explicit_padding_follows_torch() {
        // torch.nn.Conv2d(1, 1, 5, stride=2, padding=2): floor((24 + 4 - 5) / 2) + 1.
        let window = Window::resolve(24, 5, 2, Padding::Explicit(2)).unwrap();
        assert_eq!(window, Window { before: 2, after: 2, output: 12 });
        assert_eq!(Window::resolve(4, 5, 1, Padding::Valid), None);
        assert_eq!(Window::resolve(4, 2, 1, Padding::Explicit(2)), None);
    }

    #[test]
    fn every_window_touches_a_pixel() {
        for input in 1..12 {
            for size in 1..7 {
                for stride in 1..5 {
                    for padding in [Padding::Valid, Padding::Same, Padding::Explicit(size / 2)] {
                        let Some(window) = Window::resolve(input, size, stride, padding) else {
                            continue;
                        };
                        let last = (window.output - 1) * stride;
                        assert!(window.before < size, "{input} {size} {stride} {padding:?}");
                        assert!(
                            last < input + window.before,
                            "{input} {size} {stride} {padding:?}"
                        );
                    }
                }
            }
        }
    }

    #[test]
    fn a_dense_layer_needs_features() {
        let problem =
            Architecture::of(&[conv(2, 3, 1, Padding::Valid), dense(None)], (8, 8, 1), 10)
                .unwrap_err();
        assert_eq!((problem.layer, problem.kind), (2, "dense"));
        assert!(problem.problem.contains("put a `flatten` layer before it"), "{problem}");
    }

    #[test]
    fn the_last_layer_gives_one_value_a_class() {
        let layers = [LayerSettings::Flatten, dense(Some(12))];
        let problem = Architecture::of(&layers, (8, 8, 1), 10).unwrap_err();
        assert!(problem.problem.starts_with("the network ends with 12, expected 10"), "{problem}");
        assert!(Architecture::of(&[], (8, 8, 1), 10).is_err());
    }

    #[test]
    fn parameters_and_arithmetic_are_counted() {
        let layers = [
            conv(4, 3, 2, Padding::Same),
            LayerSettings::BatchNorm {
                momentum: 0.99,
                epsilon: 1e-3,
                statistics: NormStatistics::Running,
            },
            LayerSettings::AveragePool {
                size: 2,
                stride: 2,
                padding: Padding::Valid,
                convention: AverageConvention::Keras,
            },
            LayerSettings::Flatten,
            dense(None),
        ];
        let architecture = Architecture::of(&layers, (9, 9, 3), 10).unwrap();
        let shapes: Vec<String> =
            architecture.layers.iter().map(|layer| layer.output.to_string()).collect();
        assert_eq!(shapes, ["5×5×4", "5×5×4", "2×2×4", "16", "10"]);
        assert_eq!(architecture.trainable_parameters(), (27 * 4 + 4) + 8 + (16 * 10 + 10));
        assert_eq!(architecture.other_parameters(), 8);
        assert_eq!(architecture.multiply_accumulates(), 25 * 27 * 4 + 160);
    }
}
