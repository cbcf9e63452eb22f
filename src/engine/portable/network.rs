//! A pack of models on one device.

use std::collections::BTreeMap;

use dfdx::prelude::*;

use super::super::init::initial_weights;
use super::super::network::{Network, NetworkState, StepInput, StepResult};
use super::super::weights::{NamedTensor, find};
use super::super::{EngineError, TrainJob, evaluation};
use super::naming::{named, values_of};
use super::ops::{Backend, Packed, PerChannel};
use super::optimizer::Optimizer;
use super::plan::Plan;
use super::source::{Source, packed_pixels, packed_targets};
use super::tally::Tally;
use super::uploads::{PIXELS, TARGETS, Uploads};
use crate::base::SeedPath;
use crate::data::{Dataset, ImageShape};
use crate::experiment::architecture::Architecture;
use crate::experiment::layers::LayerSettings;
use crate::experiment::settings::Settings;

/// Models of one architecture, trained in lockstep by stock dfdx.
pub(crate) struct PortableNetwork<D: Backend> {
    device: D,
    pub(super) plan: Plan<D>,
    pub(super) seed_paths: Vec<SeedPath>,
    batch_size: usize,
    pub(super) weights: Vec<Packed<D>>,
    /// Running means and variances, `(models, channels)`.
    pub(super) statistics: Vec<[PerChannel<D>; 2]>,
    optimizer: Optimizer<D>,
    pub(super) uploads: Uploads<D>,
    /// Images of the last batch.
    images: usize,
    /// Rates of every model by dropout layer.
    pub(super) rates: BTreeMap<usize, Vec<f64>>,
    /// What the device makes by itself.
    pub(super) source: Option<Box<dyn Source<D>>>,
    tally: Tally<D>,
    /// Images whose statistics are measured so far; absent: none are to be.
    pub(super) measured_images: Option<f64>,
}

/// Steps between two readings of what the device has summed: reading waits for the device.
const STEPS_BETWEEN_READINGS: u64 = 50;

/// Networks that need less keep the buffers of every batch size they meet.
const SMALL: u64 = 16 << 20;

impl<D: Backend> Drop for PortableNetwork<D> {
    fn drop(&mut self) {
        self.device.release_memory();
    }
}

impl<D: Backend> PortableNetwork<D> {
    /// Builds one model per seed path, each with the initial weights it would have by itself.
    ///
    /// # Errors
    /// If the layers do not fit the images or the device fails.
    #[cfg(test)]
    pub(crate) fn new(
        device: D,
        settings: &Settings,
        shape: ImageShape,
        classes: usize,
        seed_paths: Vec<SeedPath>,
    ) -> Result<Self, EngineError> {
        let models: Vec<_> = seed_paths.into_iter().map(|path| (settings, path)).collect();
        Self::pack(device, &models, shape, classes, settings.train.batch_size)
    }

    /// Builds the network of a pack of jobs that [agree](crate::engine::pack::agree).
    ///
    /// # Errors
    /// If the layers do not fit the images or the device fails.
    pub(crate) fn of_jobs(device: D, jobs: &[TrainJob<'_>]) -> Result<Self, EngineError> {
        let models: Vec<_> = jobs.iter().map(|job| (job.settings, job.seed_path)).collect();
        let (shape, classes) = (jobs[0].dataset.shape, jobs[0].dataset.classes.len());
        Self::pack(device, &models, shape, classes, jobs[0].largest_batch())
    }

    fn pack(
        device: D,
        models: &[(&Settings, SeedPath)],
        shape: ImageShape,
        classes: usize,
        batch_size: usize,
    ) -> Result<Self, EngineError> {
        let settings = models[0].0;
        let seed_paths: Vec<SeedPath> = models.iter().map(|(_, path)| *path).collect();
        let rates = dropout_rates(models);
        let layers = &settings.model.layers;
        let image = (shape.height, shape.width, shape.channels);
        let architecture = Architecture::of(layers, image, classes)?;
        let plan = Plan::<D>::new(layers, &architecture);
        if plan.has_capsules() && !D::HAS_CAPSULES {
            let message = "this device has no capsules; train them with `--device cpu`";
            return Err(EngineError::Unsupported(message.to_owned()));
        }
        let models = seed_paths.len();
        let zeros = |shape: (usize, usize, usize)| device.try_zeros_like(&shape);
        let weights = plan
            .weights
            .iter()
            .map(|weight| zeros((models, weight.rows, weight.columns)))
            .collect::<Result<Vec<_>, _>>()
            .map_err(D::failed)?;
        let statistics = plan
            .statistics
            .iter()
            .map(|statistics| {
                let shape = (models, statistics.channels);
                Ok([device.try_zeros_like(&shape)?, device.try_zeros_like(&shape)?])
            })
            .collect::<Result<Vec<_>, D::Err>>()
            .map_err(D::failed)?;
        let optimizer = Optimizer::new(&settings.train.optimizer, &weights).map_err(D::failed)?;
        let uploads = Uploads { device: device.clone(), tensors: BTreeMap::new() };
        let mut network = Self {
            device,
            plan,
            seed_paths,
            batch_size,
            weights,
            statistics,
            optimizer,
            uploads,
            images: 0,
            rates,
            source: None,
            tally: Tally::new(),
            measured_images: None,
        };
        let first = |path| initial_weights(layers, &architecture, path);
        let first: Vec<Vec<NamedTensor>> = network.seed_paths.iter().map(first).collect();
        network.fill(&first)?;
        network.device.keep_memory();
        Ok(network)
    }

    /// Writes the weights of all models at once.
    fn fill(&mut self, models: &[Vec<NamedTensor>]) -> Result<(), EngineError> {
        for (plan, weight) in self.plan.weights.iter().zip(&mut self.weights) {
            let values = models.iter().map(|tensors| values_of(plan, tensors));
            weight.copy_from(&values.collect::<Result<Vec<_>, _>>()?.concat());
        }
        for (plan, statistics) in self.plan.statistics.iter().zip(&mut self.statistics) {
            for (role, statistic) in ["mean", "variance"].into_iter().zip(statistics) {
                let name = format!("{}.{role}", plan.prefix);
                let mut values = Vec::with_capacity(models.len() * plan.channels);
                for tensors in models {
                    values.extend_from_slice(&find(tensors, &name, &[plan.channels])?.values);
                }
                statistic.copy_from(&values);
            }
        }
        Ok(())
    }

    /// Frees the buffers of another batch size, where they are large.
    fn prepare(&mut self, images: usize) {
        if images != self.images && self.working_bytes() > SMALL {
            self.uploads.tensors.clear();
            self.device.release_memory();
            self.device.keep_memory();
        }
        self.images = images;
    }

    /// Lets the device make its inputs by itself.
    #[cfg(any(test, feature = "cuda"))]
    pub(crate) fn with_source(mut self, source: Box<dyn Source<D>>) -> Self {
        self.source = Some(source);
        self
    }

    /// Sends `images × height × width × channels` pixels of every model.
    fn upload(&mut self, pixels: &[&[f32]], images: usize) -> Result<Packed<D>, D::Err> {
        let input = self.plan.input;
        if let Some(source) = &mut self.source {
            return source.sent(pixels, input, images);
        }
        let packed = packed_pixels(pixels, input, images);
        self.uploads.send(PIXELS, (pixels.len(), input.features(), images), &packed)
    }

    /// Returns the pixels and targets of a step.
    fn inputs(
        &mut self,
        inputs: &[StepInput<'_>],
        images: usize,
    ) -> Result<[Packed<D>; 2], D::Err> {
        let classes = self.plan.classes;
        if let (Some(source), false) = (&mut self.source, inputs[0].indices.is_empty()) {
            let indices: Vec<&[u32]> = inputs.iter().map(|input| input.indices).collect();
            let pixels = source.pixels(&indices, self.plan.input)?;
            return Ok([pixels, source.targets(&indices, classes)?]);
        }
        let pixels: Vec<&[f32]> = inputs.iter().map(|input| input.pixels).collect();
        let labels: Vec<&[u16]> = inputs.iter().map(|input| input.labels).collect();
        let pixels = self.upload(&pixels, images)?;
        if let Some(source) = &mut self.source {
            return Ok([pixels, source.sent_targets(&labels, classes)?]);
        }
        let targets = packed_targets(&labels, classes, images);
        let shape = (inputs.len(), classes, images);
        Ok([pixels, self.uploads.send(TARGETS, shape, &targets)?])
    }
}

impl<D: Backend> PortableNetwork<D> {
    /// Appends the logits of packed pixels to each model's list.
    fn logits_of(
        &mut self,
        x: Packed<D>,
        images: usize,
        logits: &mut [Vec<f32>],
    ) -> Result<(), EngineError> {
        let packed = self.forward_eval(x).map_err(D::failed)?.as_vec();
        let classes = self.plan.classes;
        for (packed, logits) in packed.chunks_exact(classes * images).zip(logits) {
            for image in 0..images {
                logits.extend((0..classes).map(|class| packed[class * images + image]));
            }
        }
        Ok(())
    }
}

impl<D: Backend> Network for PortableNetwork<D> {
    fn models(&self) -> usize {
        self.seed_paths.len()
    }

    fn path(&self) -> String {
        D::PATH.to_owned()
    }

    fn trainable_parameters(&self) -> u64 {
        self.plan.trainable_parameters() as u64
    }

    fn working_bytes(&self) -> u64 {
        let per_weight = self.optimizer.memory_names().len();
        self.models() as u64 * self.plan.working_bytes(self.batch_size, per_weight)
    }

    fn train_step(
        &mut self,
        inputs: &[StepInput<'_>],
        results: &mut [StepResult],
    ) -> Result<(), EngineError> {
        let Some(first) = inputs.first() else { return Ok(()) };
        let images = first.images();
        let agrees = |input: &StepInput<'_>| {
            input.images() == images
                && input.step == first.step
                && input.learning_rate.to_bits() == first.learning_rate.to_bits()
        };
        if !inputs.iter().all(agrees) {
            return Err(EngineError::Unsupported(
                "members of a pack need the same step, step size and number of images".to_owned(),
            ));
        }
        self.prepare(images);
        let mut step = || {
            let [x, targets] = self.inputs(inputs, images)?;
            let log_probabilities =
                self.forward_train(x, first.step)?.try_log_softmax::<Axis<1>>()?;
            if self.source.is_some() {
                self.tally.add(log_probabilities.retaped::<NoneTape>(), targets.clone())?;
            } else {
                let values = log_probabilities.as_vec();
                let per_model = values.chunks_exact(self.plan.classes * images);
                for ((result, input), values) in results.iter_mut().zip(inputs).zip(per_model) {
                    *result = score(values, images, input.labels);
                }
            }
            let loss = log_probabilities.try_mul(targets)?.try_sum::<Rank0, _>()?;
            let loss = loss.try_mul(-1.0 / images as f32)?;
            let mut gradients = loss.try_backward()?;
            let (rate, step) = (first.learning_rate, first.step + 1);
            self.optimizer.update(&mut self.weights, &mut gradients, rate, step)
        };
        step().map_err(D::failed)
    }

    fn steps_between_readings(&self) -> u64 {
        if self.source.is_some() { STEPS_BETWEEN_READINGS } else { 1 }
    }

    fn read(&mut self, results: &mut [StepResult]) -> Result<(), EngineError> {
        self.tally.take(results);
        Ok(())
    }

    fn hold(&mut self, dataset: &Dataset) -> Result<bool, EngineError> {
        let Some(source) = &mut self.source else { return Ok(false) };
        source.hold(dataset)?;
        Ok(true)
    }

    fn predict_held(
        &mut self,
        indices: &[&[u32]],
        logits: &mut [Vec<f32>],
    ) -> Result<(), EngineError> {
        let images = indices.first().map_or(0, |indices| indices.len());
        self.prepare(images);
        let source = self.source.as_mut().expect("only a network that holds images is asked");
        let x = source.pixels(indices, self.plan.input).map_err(D::failed)?;
        self.logits_of(x, images, logits)
    }

    fn predict(
        &mut self,
        pixels: &[&[f32]],
        images: usize,
        logits: &mut [Vec<f32>],
    ) -> Result<(), EngineError> {
        self.prepare(images);
        let x = self.upload(pixels, images).map_err(D::failed)?;
        self.logits_of(x, images, logits)
    }

    fn begin_measuring(&mut self) -> bool {
        self.measured_images = self.plan.is_measured().then_some(0.0);
        self.measured_images.is_some()
    }

    fn end_measuring(&mut self) {
        self.measured_images = None;
    }

    fn weights(&self, model: usize) -> Vec<NamedTensor> {
        let mut tensors = Vec::new();
        for (plan, weight) in self.plan.weights.iter().zip(&self.weights) {
            tensors.push(named(plan, of_model(weight, model)));
        }
        for (plan, [mean, variance]) in self.plan.statistics.iter().zip(&self.statistics) {
            for (role, statistic) in [("mean", mean), ("variance", variance)] {
                let values = statistic.clone().slice((model..model + 1, ..)).as_vec();
                let name = format!("{}.{role}", plan.prefix);
                tensors.push(NamedTensor::new(name, vec![plan.channels], values));
            }
        }
        tensors.sort_by(|a, b| a.name.cmp(&b.name));
        tensors
    }

    fn load_weights(&mut self, model: usize, weights: &[NamedTensor]) -> Result<(), EngineError> {
        let models = self.models();
        for index in 0..self.weights.len() {
            let values = values_of(&self.plan.weights[index], weights)?;
            replace(&mut self.weights[index], values, model, models);
        }
        for (plan, statistics) in self.plan.statistics.iter().zip(&mut self.statistics) {
            for (role, statistic) in ["mean", "variance"].into_iter().zip(statistics) {
                let name = format!("{}.{role}", plan.prefix);
                let values = &find(weights, &name, &[plan.channels])?.values;
                replace(statistic, values, model, models);
            }
        }
        Ok(())
    }

    fn state(&self, model: usize) -> NetworkState {
        let mut optimizer = Vec::new();
        for (kind, memory) in self.optimizer.memory_names().iter().enumerate() {
            for (index, (plan, weight)) in self.plan.weights.iter().zip(&self.weights).enumerate() {
                let memory_of_all = self.optimizer.memory(kind, index, weight);
                let tensor = named(plan, of_model(&memory_of_all, model));
                let name = format!("{memory}/{}", tensor.name);
                optimizer.push(NamedTensor { name, ..tensor });
            }
        }
        optimizer.sort_by(|a, b| a.name.cmp(&b.name));
        NetworkState { weights: self.weights(model), optimizer }
    }

    fn load_state(&mut self, model: usize, state: &NetworkState) -> Result<(), EngineError> {
        self.load_weights(model, &state.weights)?;
        let models = self.models();
        for (kind, memory) in self.optimizer.memory_names().iter().enumerate() {
            let prefix = format!("{memory}/");
            let of_kind: Vec<NamedTensor> = state
                .optimizer
                .iter()
                .filter_map(|tensor| {
                    let name = tensor.name.strip_prefix(&prefix)?.to_owned();
                    Some(NamedTensor { name, ..tensor.clone() })
                })
                .collect();
            for index in 0..self.weights.len() {
                let values = values_of(&self.plan.weights[index], &of_kind)?;
                let weight = &self.weights[index];
                let mut memory = self.optimizer.memory(kind, index, weight);
                replace(&mut memory, values, model, models);
                self.optimizer.remember(kind, index, weight, &memory).map_err(D::failed)?;
            }
        }
        Ok(())
    }
}

/// Returns the rates of every model by dropout layer, counted from 1.
fn dropout_rates(models: &[(&Settings, SeedPath)]) -> BTreeMap<usize, Vec<f64>> {
    let mut rates: BTreeMap<usize, Vec<f64>> = BTreeMap::new();
    for (settings, _) in models {
        for (index, layer) in settings.model.layers.iter().enumerate() {
            if let LayerSettings::Dropout { rate } = layer {
                rates.entry(index + 1).or_default().push(*rate);
            }
        }
    }
    rates
}

/// Scores log probabilities of shape `(classes, images)`.
fn score(log_probabilities: &[f32], images: usize, labels: &[u16]) -> StepResult {
    let mut result = StepResult::default();
    let mut row = vec![0.0; log_probabilities.len() / images.max(1)];
    for (image, &label) in labels.iter().enumerate() {
        for (class, value) in row.iter_mut().enumerate() {
            *value = log_probabilities[class * images + image];
        }
        result.loss_sum -= f64::from(row[usize::from(label)]);
        result.correct += u32::from(evaluation::argmax(&row) == usize::from(label));
    }
    result
}

/// Returns the values of one model, which alone leave the device.
fn of_model<D: Backend>(values: &Packed<D>, model: usize) -> Vec<f32> {
    values.clone().slice((model..model + 1, .., ..)).as_vec()
}

fn replace<S: Shape, D: Backend>(
    tensor: &mut Tensor<S, f32, D>,
    values: &[f32],
    model: usize,
    models: usize,
) {
    let mut all = tensor.as_vec();
    let size = all.len() / models;
    all[model * size..][..size].copy_from_slice(values);
    tensor.copy_from(&all);
}
