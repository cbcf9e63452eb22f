//! Cuts a network into stages, each as much as the kernels do in one go.
//!
//! A stage is, in this order and all but the first optional: a convolution or dense layer, ReLU,
//! batch normalisation, ReLU, pool, dropout. A layer that does not continue its stage begins one
//! without weights. Pure: names sizes and layers, owns no buffer.

use super::super::EngineError;
use super::super::geometry::Volume;
use crate::experiment::architecture::{Architecture, LayerSummary};
use crate::experiment::layers::{AverageConvention, LayerSettings, NormStatistics};
use gridbench_kernels::{MAX_TAPS, Window};

/// One stage of a network.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Stage {
    /// What it multiplies with; absent: nothing.
    pub(super) linear: Option<Linear>,
    /// Whether sums are cut at zero before normalisation.
    pub(super) relu: bool,
    /// Batch normalisation.
    pub(super) norm: Option<Norm>,
    /// Whether normalised values are cut at zero.
    pub(super) relu_after: bool,
    /// Pool.
    pub(super) pool: Option<Pool>,
    /// Dropout.
    pub(super) dropout: Option<DropoutLayer>,
    /// What goes in.
    pub(super) input: Volume,
    /// What the products give.
    pub(super) pre_activation: Volume,
    /// What comes out.
    pub(super) output: Volume,
}

/// The weights of a stage.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Linear {
    /// `layer03.conv`, before the role of the tensor.
    pub(super) prefix: String,
    /// Where the weights lie on the input.
    pub(super) window: Window,
    /// Sizes of the weight tensor in files.
    pub(super) shape: Vec<usize>,
    /// Whether a bias is added.
    pub(super) bias: bool,
}

/// A batch normalisation.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Norm {
    /// `layer04.batch-norm`, before the role of the tensor.
    pub(super) prefix: String,
    /// Share of the old running statistics kept at each step.
    pub(super) momentum: f64,
    /// Added to the variance.
    pub(super) epsilon: f64,
    /// What an evaluation normalises by.
    pub(super) statistics: NormStatistics,
}

/// A pool.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Pool {
    /// Where it looks.
    pub(super) window: Window,
    /// What it takes.
    pub(super) kind: PoolKind,
}

/// What a pool takes from its window.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum PoolKind {
    /// The largest value.
    Max,
    /// The mean.
    Average(AverageConvention),
}

/// A dropout.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct DropoutLayer {
    /// Index of the layer in the network, from 1.
    pub(super) layer: usize,
    /// Share of the values zeroed.
    pub(super) rate: f64,
}

/// How far a stage has come; a layer fits if it comes after this.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Progress {
    Fresh,
    Linear,
    Relu,
    Norm,
    ReluAfter,
    Pool,
    Dropout,
}

impl Stage {
    fn empty(input: Volume) -> Self {
        Self {
            linear: None,
            relu: false,
            norm: None,
            relu_after: false,
            pool: None,
            dropout: None,
            input,
            pre_activation: input,
            output: input,
        }
    }

    /// Returns whether the stage leaves every value as it is until its pool or dropout.
    pub(super) fn is_bare(&self) -> bool {
        self.linear.is_none() && !self.relu && self.norm.is_none()
    }

    /// Returns whether the stage does nothing but multiply, or nothing at all.
    fn is_plain(&self) -> bool {
        !self.relu && self.norm.is_none() && self.pool.is_none() && self.dropout.is_none()
    }

    /// Returns whether the value that reaches the pool or the end came from a ReLU.
    pub(super) fn is_rectified(&self) -> bool {
        self.relu_after || (self.relu && self.norm.is_none())
    }

    /// Returns whether anything in the stage is trained.
    pub(super) fn has_parameters(&self) -> bool {
        self.linear.is_some() || self.norm.is_some()
    }
}

/// Cuts `layers` into stages. The last stage only multiplies, or does nothing, so that its output
/// can be the logits.
///
/// # Errors
/// If a layer is one the kernels cannot do; the message says which.
pub(super) fn cut(
    layers: &[LayerSettings],
    architecture: &Architecture,
) -> Result<Vec<Stage>, EngineError> {
    let mut builder = Builder {
        stages: Vec::new(),
        stage: Stage::empty(Volume::from(architecture.input)),
        progress: Progress::Fresh,
    };
    for (index, (layer, summary)) in layers.iter().zip(&architecture.layers).enumerate() {
        builder.add(index + 1, layer, summary)?;
    }
    if !builder.stage.is_plain() {
        builder.begin();
    }
    let Builder { mut stages, stage, .. } = builder;
    if stage.output.positions() != 1 {
        return Err(unsupported("logits spread over several pixels", layers.len()));
    }
    stages.push(stage);
    Ok(stages)
}

fn unsupported(what: &str, layer: usize) -> EngineError {
    EngineError::Unsupported(format!(
        "the fused dispatch has no kernel for {what} (layer {layer}); the portable dispatch has"
    ))
}

struct Builder {
    stages: Vec<Stage>,
    stage: Stage,
    progress: Progress,
}

impl Builder {
    /// Ends the stage and begins one that takes its output.
    fn begin(&mut self) {
        let next = Stage::empty(self.stage.output);
        let ended = std::mem::replace(&mut self.stage, next);
        self.stages.push(ended);
        self.progress = Progress::Fresh;
    }

    /// Begins a stage unless the current one has not come further than `latest`.
    fn reach(&mut self, latest: Progress) {
        if self.progress > latest {
            self.begin();
        }
    }

    fn add(
        &mut self,
        index: usize,
        layer: &LayerSettings,
        summary: &LayerSummary,
    ) -> Result<(), EngineError> {
        let prefix = format!("layer{index:02}.{}", summary.kind);
        match *layer {
            LayerSettings::Conv { filters, kernel, stride, bias, .. } => {
                let window = slide(summary, kernel, stride);
                let channels = summary.input.channels();
                let shape = vec![filters, channels, kernel, kernel];
                self.linear(Linear { prefix, window, shape, bias }, summary);
            }
            LayerSettings::Dense { bias, .. } => {
                self.reach(Progress::Fresh);
                let input = self.stage.input;
                let window = Window::whole(input.height, input.width);
                let shape = vec![summary.output.channels(), input.features()];
                self.linear(Linear { prefix, window, shape, bias }, summary);
            }
            LayerSettings::BatchNorm { momentum, epsilon, statistics } => {
                self.reach(Progress::Relu);
                if self.stage.pre_activation.channels != summary.input.channels() {
                    return Err(unsupported("batch-norm after flatten", index));
                }
                self.stage.norm = Some(Norm { prefix, momentum, epsilon, statistics });
                self.progress = Progress::Norm;
            }
            LayerSettings::Relu => {
                if self.progress == Progress::Norm {
                    self.stage.relu_after = true;
                    self.progress = Progress::ReluAfter;
                } else {
                    self.reach(Progress::Linear);
                    self.stage.relu = true;
                    self.progress = Progress::Relu;
                }
            }
            LayerSettings::MaxPool { size, stride, .. } => {
                if size * size > MAX_TAPS {
                    return Err(unsupported("a max-pool of more than 255 pixels", index));
                }
                self.reach(Progress::ReluAfter);
                let window = slide(summary, size, stride);
                self.pool(Pool { window, kind: PoolKind::Max }, summary);
            }
            LayerSettings::AveragePool { size, stride, convention, .. } => {
                // The gradient through a ReLU needs the values before the pool, which only a
                // stage's input keeps.
                self.reach(Progress::Fresh);
                let window = slide(summary, size, stride);
                self.pool(Pool { window, kind: PoolKind::Average(convention) }, summary);
            }
            LayerSettings::Dropout { rate } => {
                self.reach(Progress::Pool);
                self.stage.dropout = Some(DropoutLayer { layer: index, rate });
                self.progress = Progress::Dropout;
            }
            // Values stay where they are: the dense layer that follows is a window over the image.
            LayerSettings::Flatten => {}
            LayerSettings::Capsules { .. } => return Err(unsupported("capsules", index)),
            LayerSettings::NaiveBayes { .. } => return Err(unsupported("naive Bayes", index)),
        }
        Ok(())
    }

    fn linear(&mut self, linear: Linear, summary: &LayerSummary) {
        self.reach(Progress::Fresh);
        self.stage.linear = Some(linear);
        self.stage.pre_activation = Volume::from(summary.output);
        self.stage.output = self.stage.pre_activation;
        self.progress = Progress::Linear;
    }

    fn pool(&mut self, pool: Pool, summary: &LayerSummary) {
        self.stage.pool = Some(pool);
        self.stage.output = Volume::from(summary.output);
        self.progress = Progress::Pool;
    }
}

fn slide(summary: &LayerSummary, size: usize, stride: usize) -> Window {
    let input = Volume::from(summary.input);
    let (vertical, horizontal) = summary.windows.expect("convolutions and pools have windows");
    Window::new(
        [input.height, input.width],
        [size, size],
        stride,
        [vertical.before, horizontal.before],
        [vertical.output, horizontal.output],
    )
}

#[cfg(test)]
mod tests {
    use super::super::super::testing::{conv, dense};
    use super::*;
    use crate::experiment::layers::Padding;

    fn stages(layers: &[LayerSettings]) -> Vec<Stage> {
        let architecture = Architecture::of(layers, (12, 12, 1), 10).unwrap();
        cut(layers, &architecture).unwrap()
    }

    const NORM: LayerSettings = LayerSettings::BatchNorm {
        momentum: 0.9,
        epsilon: 1e-3,
        statistics: NormStatistics::Running,
    };
    const DROPOUT: LayerSettings = LayerSettings::Dropout { rate: 0.5 };
    const AVERAGE: LayerSettings = LayerSettings::AveragePool {
        size: 2,
        stride: 2,
        padding: Padding::Valid,
        convention: AverageConvention::Keras,
    };
    const MAX: LayerSettings =
        LayerSettings::MaxPool { size: 2, stride: 2, padding: Padding::Valid };

    #[test]
    fn layers_in_the_usual_orders_share_a_stage() {
        let layers = [
            conv(8, 3, 1, Padding::Valid),
            LayerSettings::Relu,
            NORM,
            MAX,
            DROPOUT,
            conv(8, 3, 1, Padding::Same),
            NORM,
            LayerSettings::Relu,
            LayerSettings::Flatten,
            dense(None),
        ];
        let stages = stages(&layers);
        assert_eq!(stages.len(), 3);
        assert!(stages[0].relu && !stages[0].relu_after && stages[0].pool.is_some());
        assert_eq!(stages[0].dropout, Some(DropoutLayer { layer: 5, rate: 0.5 }));
        assert!(!stages[1].relu && stages[1].relu_after);
        assert_eq!(
            stages[2].linear.as_ref().map(|linear| linear.shape.clone()),
            Some(vec![10, 200])
        );
    }

    #[test]
    fn layers_out_of_order_begin_stages_without_weights() {
        let layers = [
            NORM,
            MAX,
            LayerSettings::Relu,
            AVERAGE,
            DROPOUT,
            LayerSettings::Flatten,
            dense(None),
            LayerSettings::Relu,
        ];
        let stages = stages(&layers);
        let bare: Vec<bool> = stages.iter().map(Stage::is_bare).collect();
        assert_eq!(bare, [false, false, true, false, true]);
        assert!(stages[2].pool.is_some() && stages[2].dropout.is_some());
    }

    #[test]
    fn what_the_kernels_lack_is_named() {
        let layers = [LayerSettings::Flatten, NORM, dense(None)];
        let architecture = Architecture::of(&layers, (4, 4, 1), 10).unwrap();
        let error = cut(&layers, &architecture).unwrap_err();
        assert!(error.to_string().contains("batch-norm after flatten (layer 2)"), "{error}");
    }
}
