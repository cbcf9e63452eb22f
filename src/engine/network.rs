//! What the training loop asks of a network, whichever path computes it.
//!
//! A network holds one or several models of the same architecture (a pack) that are trained in
//! lockstep and never exchange numbers. Every path starts from the same initial weights, makes
//! the same dropout masks and speaks of its state in the same names and layouts
//! ([`super::weights`]), so one path can continue what another began.

use super::EngineError;
use super::weights::NamedTensor;
pub(crate) use super::weights::find;
use crate::data::Dataset;

/// What one model is given for one optimisation step.
#[derive(Debug, Clone, Copy, Default)]
pub struct StepInput<'a> {
    /// Pixels from 0 to 1, `images × height × width × channels`.
    pub pixels: &'a [f32],
    /// Class of every image.
    pub labels: &'a [u16],
    /// Indices of the images in the dataset that the network [holds](Network::hold), instead of
    /// pixels and labels; else empty.
    pub indices: &'a [u32],
    /// Step size.
    pub learning_rate: f64,
    /// Index of the step since the beginning of training, from 0.
    pub step: u64,
}

impl StepInput<'_> {
    /// Returns the number of images.
    pub(crate) fn images(&self) -> usize {
        self.labels.len().max(self.indices.len())
    }
}

/// What one step gave for one model, before its weights changed.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct StepResult {
    /// Sum of the cross-entropies of the images, in nats.
    pub loss_sum: f64,
    /// Images whose largest logit was the true class's.
    pub correct: u32,
}

/// Everything that changes while a model is trained.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct NetworkState {
    /// Trainable weights and running statistics.
    pub weights: Vec<NamedTensor>,
    /// The optimizer's memory, named after the weight it belongs to.
    pub optimizer: Vec<NamedTensor>,
}

/// One or several models of one architecture with their optimizers.
pub trait Network {
    /// Returns the number of models.
    fn models(&self) -> usize;

    /// Returns the numerical path, for example `dfdx f32`.
    fn path(&self) -> String;

    /// Returns the number of trainable parameters of one model.
    fn trainable_parameters(&self) -> u64;

    /// Returns the bytes of weights, optimizer memory, activations and gradients alive at the
    /// peak of a training step with the settings' batch size, computed from the shapes.
    fn working_bytes(&self) -> u64;

    /// Takes one step with every model; `inputs` and `results` have one entry per model, and all
    /// inputs equally many images.
    ///
    /// # Errors
    /// If the device fails, or if the inputs differ where the path needs them equal.
    fn train_step(
        &mut self,
        inputs: &[StepInput<'_>],
        results: &mut [StepResult],
    ) -> Result<(), EngineError>;

    /// Returns how many steps at most may pass before [`Network::read`]; 1 where every step gives
    /// its results itself.
    fn steps_between_readings(&self) -> u64 {
        1
    }

    /// Replaces `results` by the sums over the steps since they were last read. Asked only of a
    /// network that lets steps pass between readings.
    ///
    /// # Errors
    /// If the device fails.
    fn read(&mut self, _results: &mut [StepResult]) -> Result<(), EngineError> {
        Ok(())
    }

    /// Takes over the images of a training where the network gains from it, and returns whether
    /// steps and predictions may name images by their indices.
    ///
    /// # Errors
    /// If the device has no room for them.
    fn hold(&mut self, _dataset: &Dataset) -> Result<bool, EngineError> {
        Ok(false)
    }

    /// Does what [`Network::predict`] does for held images, one list of indices a model.
    ///
    /// # Errors
    /// If the device fails or holds no images.
    fn predict_held(
        &mut self,
        _indices: &[&[u32]],
        _logits: &mut [Vec<f32>],
    ) -> Result<(), EngineError> {
        Err(EngineError::Unsupported(format!("the path `{}` holds no images", self.path())))
    }

    /// Appends the logits of `images` images to each model's list, `images × classes`, without
    /// dropout and with the statistics of an evaluation. `pixels` has one entry per model.
    ///
    /// # Errors
    /// If the device fails.
    fn predict(
        &mut self,
        pixels: &[&[f32]],
        images: usize,
        logits: &mut [Vec<f32>],
    ) -> Result<(), EngineError>;

    /// Begins to measure the statistics of layers that evaluate by those of the training images,
    /// and returns whether there are any. Until [`Network::end_measuring`] such layers normalise
    /// what is predicted by its batch, and remember.
    fn begin_measuring(&mut self) -> bool {
        false
    }

    /// Evaluates by what was measured from now on.
    fn end_measuring(&mut self) {}

    /// Returns the weights of one model.
    fn weights(&self, model: usize) -> Vec<NamedTensor>;

    /// Replaces the weights of one model.
    ///
    /// # Errors
    /// If a tensor is missing or has another shape.
    fn load_weights(&mut self, model: usize, weights: &[NamedTensor]) -> Result<(), EngineError>;

    /// Returns weights and optimizer memory of one model, enough to continue exactly.
    fn state(&self, model: usize) -> NetworkState;

    /// Continues one model from a saved state.
    ///
    /// # Errors
    /// If a tensor is missing or has another shape.
    fn load_state(&mut self, model: usize, state: &NetworkState) -> Result<(), EngineError>;
}
