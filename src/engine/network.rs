//! What the training loop asks of a network, whichever path computes it.
//!
//! A network holds one or several models of the same architecture (a pack) that are trained in
//! lockstep and never exchange numbers. Every path starts from the same initial weights, makes
//! the same dropout masks and speaks of its state in the same names and layouts
//! ([`super::weights`]), so one path can continue what another began.

use super::EngineError;
use super::weights::NamedTensor;
pub use super::weights::find;

/// What one model is given for one optimisation step.
#[derive(Debug, Clone, Copy)]
pub struct StepInput<'a> {
    /// Pixels from 0 to 1, `images × height × width × channels`.
    pub pixels: &'a [f32],
    /// Class of every image.
    pub labels: &'a [u16],
    /// Step size.
    pub learning_rate: f64,
    /// Index of the step since the beginning of training, from 0.
    pub step: u64,
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

    /// Returns the numerical path, for example `portable f32`.
    fn path(&self) -> String;

    /// Returns the number of trainable parameters of one model.
    fn trainable_parameters(&self) -> u64;

    /// Returns the bytes of weights, optimizer memory, activations and gradients alive at the
    /// peak of a training step with the settings' batch size, computed from the shapes.
    fn working_bytes(&self) -> u64;

    /// Takes one step with every model; `inputs` and `results` have one entry a model, and all
    /// inputs equally many images.
    ///
    /// # Errors
    /// If the device fails, or if the inputs differ where the path needs them equal.
    fn train_step(
        &mut self,
        inputs: &[StepInput<'_>],
        results: &mut [StepResult],
    ) -> Result<(), EngineError>;

    /// Appends the logits of `images` images to each model's list, `images × classes`, without
    /// dropout and with running statistics. `pixels` has one entry a model.
    ///
    /// # Errors
    /// If the device fails.
    fn predict(
        &mut self,
        pixels: &[&[f32]],
        images: usize,
        logits: &mut [Vec<f32>],
    ) -> Result<(), EngineError>;

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
