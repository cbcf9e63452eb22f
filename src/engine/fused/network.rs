//! A network on the fused path, as the training loop sees it.

use super::super::EngineError;
use super::super::dropout::DropoutMask;
use super::super::init::initial_weights;
use super::super::network::{Network, NetworkState, StepInput, StepResult, find};
use super::super::weights::NamedTensor;
use super::forward_pass::{ForwardPass, Mode};
use super::layer::NormLayer;
use super::rule::{initial_square, rule};
use super::stages;
use crate::base::SeedPath;
use crate::data::ImageShape;
use crate::experiment::architecture::Architecture;
use crate::experiment::settings::{OptimizerSettings, Settings};
use gridbench_kernels::{Aligned, BatchLoss, Dispatch, Rule, Storage, cross_entropy, step};

/// Names of the optimizer's memories in files.
const MEMORIES: [&str; 2] = ["first", "second"];

/// One model whose step runs in hand-written kernels.
pub(super) struct FusedNetwork<E: Storage> {
    pub(super) pass: ForwardPass<E>,
    seed_path: SeedPath,
    optimizer: OptimizerSettings,
    parameters: Aligned<f32>,
    gradient: Aligned<f32>,
    /// Velocity or first moment, and mean square; empty where the rule needs none.
    memories: [Aligned<f32>; 2],
    image_len: usize,
    classes: usize,
    /// Whether predictions measure statistics.
    is_measuring: bool,
}

/// Builds one model on `path` that takes batches of up to `capacity` images.
///
/// # Errors
/// If the layers do not fit the images, or one of them has no kernel.
pub fn build(
    dispatch: Dispatch,
    settings: &Settings,
    shape: ImageShape,
    classes: usize,
    seed_path: SeedPath,
    capacity: usize,
) -> Result<Box<dyn Network>, EngineError> {
    let image = (shape.height, shape.width, shape.channels);
    let architecture = Architecture::of(&settings.model.layers, image, classes)?;
    #[cfg(target_arch = "x86_64")]
    if dispatch.isa().is_bf16() {
        let network = FusedNetwork::<half::bf16>::new(
            dispatch,
            settings,
            &architecture,
            seed_path,
            capacity,
        )?;
        return Ok(Box::new(network));
    }
    Ok(Box::new(FusedNetwork::<f32>::new(dispatch, settings, &architecture, seed_path, capacity)?))
}

/// Returns what the path is called in records.
pub(crate) fn path_name(dispatch: Dispatch) -> String {
    let isa = dispatch.isa();
    if isa.is_bf16() { format!("fused {isa}") } else { format!("fused {isa} f32") }
}

/// Returns whether there are kernels for every layer of a network that fits the images.
pub(crate) fn has_kernels(settings: &Settings, shape: ImageShape, classes: usize) -> bool {
    let image = (shape.height, shape.width, shape.channels);
    let layers = &settings.model.layers;
    Architecture::of(layers, image, classes)
        .is_ok_and(|architecture| stages::cut(layers, &architecture).is_ok())
}

impl<E: Storage> FusedNetwork<E> {
    pub(super) fn new(
        dispatch: Dispatch,
        settings: &Settings,
        architecture: &Architecture,
        seed_path: SeedPath,
        capacity: usize,
    ) -> Result<Self, EngineError> {
        let layers = &settings.model.layers;
        let pass = ForwardPass::<E>::new(dispatch, layers, architecture, capacity.max(1))?;
        let optimizer = settings.train.optimizer.clone();
        let len = pass.layout.len;
        let needed = rule(&optimizer, 0.0, 0).needs();
        let memories =
            [needed.0, needed.1].map(|needed| Aligned::zeros(if needed { len } else { 0 }));
        let mut network = Self {
            pass,
            seed_path,
            parameters: Aligned::zeros(len),
            gradient: Aligned::zeros(len),
            memories,
            image_len: architecture.input.len(),
            classes: architecture.classes,
            optimizer,
            is_measuring: false,
        };
        network.memories[1].fill(initial_square(&network.optimizer));
        network.load_weights(0, &initial_weights(layers, architecture, &seed_path))?;
        Ok(network)
    }

    /// Trains on one batch, except for the change of the weights.
    fn differentiate(&mut self, input: &StepInput<'_>) -> BatchLoss {
        let keys = self.keys(input.step);
        let mode = Mode::Training { step: input.step + 1, key: &keys };
        self.forward(input.pixels, input.labels.len(), mode);
        let outputs = self.pass.outputs();
        let ForwardPass { logits, delta, .. } = &mut self.pass;
        let batch = cross_entropy(&outputs, logits, input.labels, delta);
        self.pass.backward(&self.parameters, &mut self.gradient, mode);
        batch
    }

    /// Returns what keys the dropout masks of a step, by layer.
    pub(super) fn keys(&self, step: u64) -> impl Fn(usize) -> u64 + use<E> {
        let seed_path = self.seed_path;
        move |layer| DropoutMask::key(&seed_path, step, layer)
    }

    /// Computes logits.
    pub(super) fn forward(&mut self, pixels: &[f32], images: usize, mode: Mode<'_>) {
        self.pass.forward(&self.parameters, pixels, images, mode);
    }

    /// Returns every memory's name and buffer.
    fn memories(&self) -> impl Iterator<Item = (&'static str, &Aligned<f32>)> {
        MEMORIES.into_iter().zip(&self.memories).filter(|(_, memory)| !memory.is_empty())
    }

    /// Returns the layers whose statistics are measured.
    fn measured(&mut self) -> impl Iterator<Item = &mut NormLayer> {
        let norms = self.pass.layers.iter_mut().filter_map(|layer| layer.norm.as_mut());
        norms.filter(|norm| norm.is_measured())
    }

    fn read(&self, row: &[f32]) -> Vec<NamedTensor> {
        self.pass.layout.slots.iter().map(|slot| slot.read(row)).collect()
    }
}

impl<E: Storage> Network for FusedNetwork<E> {
    fn models(&self) -> usize {
        1
    }

    fn path(&self) -> String {
        path_name(self.pass.dispatch)
    }

    fn trainable_parameters(&self) -> u64 {
        self.pass.layout.count() as u64
    }

    fn working_bytes(&self) -> u64 {
        let rows = 2 + self.memories().count();
        (self.pass.bytes() + rows * self.parameters.bytes()) as u64
    }

    fn train_step(
        &mut self,
        inputs: &[StepInput<'_>],
        results: &mut [StepResult],
    ) -> Result<(), EngineError> {
        let ([input], [result]) = (inputs, results) else {
            return Err(EngineError::Unsupported(format!(
                "the fused dispatch trains one model at a time, found {}",
                inputs.len()
            )));
        };
        let batch = self.differentiate(input);
        *result = StepResult { loss_sum: batch.loss, correct: batch.correct as u32 };
        let rule: Rule = rule(&self.optimizer, input.learning_rate, input.step + 1);
        let [first, second] = &mut self.memories;
        step(self.pass.dispatch, rule, &mut self.parameters, &self.gradient, first, second);
        self.pass.invalidate();
        Ok(())
    }

    fn predict(
        &mut self,
        pixels: &[&[f32]],
        images: usize,
        logits: &mut [Vec<f32>],
    ) -> Result<(), EngineError> {
        let ([pixels], [logits]) = (pixels, logits) else {
            return Err(EngineError::Unsupported(format!(
                "the fused dispatch predicts with one model at a time, found {}",
                pixels.len()
            )));
        };
        let outputs = self.pass.outputs();
        let mode = if self.is_measuring { Mode::Measuring } else { Mode::Evaluation };
        let batches =
            pixels[..images * self.image_len].chunks(self.pass.capacity * self.image_len.max(1));
        for batch in batches {
            let images = batch.len() / self.image_len;
            self.pass.forward(&self.parameters, batch, images, mode);
            for image in 0..images {
                let row = &self.pass.logits[outputs.offset(image, 0)..][..self.classes];
                logits.extend_from_slice(row);
            }
        }
        Ok(())
    }

    fn begin_measuring(&mut self) -> bool {
        self.measured().for_each(NormLayer::begin_measuring);
        let is_measuring = self.measured().next().is_some();
        self.is_measuring = is_measuring;
        is_measuring
    }

    fn end_measuring(&mut self) {
        self.measured().for_each(NormLayer::end_measuring);
        self.is_measuring = false;
    }

    fn weights(&self, _model: usize) -> Vec<NamedTensor> {
        let mut tensors = self.read(&self.parameters);
        for norm in self.pass.layers.iter().filter_map(|layer| layer.norm.as_ref()) {
            let channels = self.pass.layout.slots[norm.scale].order.outputs();
            for (role, values) in
                [("mean", &norm.running_mean), ("variance", &norm.running_variance)]
            {
                let name = format!("{}.{role}", norm.settings.prefix);
                let values = values[..channels].to_vec();
                tensors.push(NamedTensor::new(name, vec![channels], values));
            }
        }
        tensors.sort_by(|a, b| a.name.cmp(&b.name));
        tensors
    }

    fn load_weights(&mut self, _model: usize, weights: &[NamedTensor]) -> Result<(), EngineError> {
        for slot in &self.pass.layout.slots {
            slot.write(weights, &mut self.parameters)?;
        }
        for norm in self.pass.layers.iter_mut().filter_map(|layer| layer.norm.as_mut()) {
            let channels = self.pass.layout.slots[norm.scale].order.outputs();
            for (role, values) in
                [("mean", &mut norm.running_mean), ("variance", &mut norm.running_variance)]
            {
                let name = format!("{}.{role}", norm.settings.prefix);
                values[..channels].copy_from_slice(&find(weights, &name, &[channels])?.values);
            }
        }
        self.pass.invalidate();
        Ok(())
    }

    fn state(&self, model: usize) -> NetworkState {
        let mut optimizer = Vec::new();
        for (memory, values) in self.memories() {
            for tensor in self.read(values) {
                let name = format!("{memory}/{}", tensor.name);
                optimizer.push(NamedTensor { name, ..tensor });
            }
        }
        optimizer.sort_by(|a, b| a.name.cmp(&b.name));
        NetworkState { weights: self.weights(model), optimizer }
    }

    fn load_state(&mut self, model: usize, state: &NetworkState) -> Result<(), EngineError> {
        self.load_weights(model, &state.weights)?;
        for (memory, values) in MEMORIES.into_iter().zip(&mut self.memories) {
            if values.is_empty() {
                continue;
            }
            let prefix = format!("{memory}/");
            let of_memory: Vec<NamedTensor> = state
                .optimizer
                .iter()
                .filter_map(|tensor| {
                    let name = tensor.name.strip_prefix(&prefix)?.to_owned();
                    Some(NamedTensor { name, ..tensor.clone() })
                })
                .collect();
            for slot in &self.pass.layout.slots {
                slot.write(&of_memory, values)?;
            }
        }
        Ok(())
    }
}
