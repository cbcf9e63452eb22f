//! A pack of models on one device.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use dfdx::prelude::*;

use super::super::dropout::DropoutMask;
use super::super::geometry::Volume;
use super::super::init::initial_weights;
use super::super::network::{Network, NetworkState, StepInput, StepResult};
use super::super::weights::{NamedTensor, find};
use super::super::{EngineError, evaluation};
use super::naming::{joined, named};
use super::ops::{Backend, Packed, PerChannel, average_pool};
use super::optimizer::Optimizer;
use super::plan::{Operation, Plan};
use crate::base::SeedPath;
use crate::data::ImageShape;
use crate::spec::architecture::Architecture;
use crate::spec::settings::Settings;

type Taped<D> = Packed<D, OwnedTape<f32, D>>;

/// Models of one architecture, trained in lockstep by stock dfdx.
pub(crate) struct PortableNetwork<D: Backend> {
    device: D,
    plan: Plan<D>,
    seed_paths: Vec<SeedPath>,
    batch_size: usize,
    weights: Vec<Packed<D>>,
    /// Running means and variances, `(models, channels)`.
    statistics: Vec<[PerChannel<D>; 2]>,
    optimizer: Optimizer<D>,
    uploads: Uploads<D>,
    /// Images of the last batch.
    images: usize,
}

/// Networks that need less keep the buffers of every batch size they meet.
const SMALL: u64 = 16 << 20;

impl<D: Backend> Drop for PortableNetwork<D> {
    fn drop(&mut self) {
        self.device.release_memory();
    }
}

/// Tensors that the host writes in every step: pixels, targets, masks. Writing into one that is
/// there leaves no buffer behind.
#[derive(Debug)]
struct Uploads<D: Backend> {
    device: D,
    tensors: BTreeMap<(usize, [usize; 3]), Packed<D>>,
}

impl<D: Backend> Uploads<D> {
    /// Returns a tensor of `shape` with `values`, the one kept for `purpose`.
    fn send(
        &mut self,
        purpose: usize,
        shape: (usize, usize, usize),
        values: &[f32],
    ) -> Result<Packed<D>, D::Err> {
        let key = (purpose, [shape.0, shape.1, shape.2]);
        let tensor = match self.tensors.entry(key) {
            Entry::Occupied(entry) => entry.into_mut(),
            Entry::Vacant(entry) => entry.insert(self.device.try_zeros_like(&shape)?),
        };
        tensor.copy_from(values);
        Ok(tensor.clone())
    }
}

/// Purposes of uploads; dropout masks count on from the last.
const PIXELS: usize = 0;
const TARGETS: usize = 1;
const MASKS: usize = 2;

impl<D: Backend> PortableNetwork<D> {
    /// Builds one model a seed path, each with the initial weights it would have by itself.
    ///
    /// # Errors
    /// If the layers do not fit the images or the device fails.
    pub(crate) fn new(
        device: D,
        settings: &Settings,
        shape: ImageShape,
        classes: usize,
        seed_paths: Vec<SeedPath>,
    ) -> Result<Self, EngineError> {
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
            .map_err(device_error)?;
        let statistics = plan
            .statistics
            .iter()
            .map(|statistics| {
                let shape = (models, statistics.channels);
                Ok([device.try_zeros_like(&shape)?, device.try_zeros_like(&shape)?])
            })
            .collect::<Result<Vec<_>, D::Err>>()
            .map_err(device_error)?;
        let optimizer =
            Optimizer::new(&settings.train.optimizer, &weights).map_err(device_error)?;
        let batch_size = settings.train.batch_size;
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
        };
        for model in 0..models {
            let first = initial_weights(layers, &architecture, &network.seed_paths[model]);
            network.load_weights(model, &first)?;
        }
        network.device.keep_memory();
        Ok(network)
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

    /// Brings `images × height × width × channels` pixels of every model into packed layout.
    fn upload(&mut self, pixels: &[&[f32]], images: usize) -> Result<Packed<D>, D::Err> {
        let Volume { channels, height, width } = self.plan.input;
        let features = self.plan.input.features();
        let mut packed = Vec::with_capacity(pixels.len() * features * images);
        for model in pixels {
            for channel in 0..channels {
                for position in 0..height * width {
                    let first = position * channels + channel;
                    packed.extend((0..images).map(|image| model[image * features + first]));
                }
            }
        }
        self.uploads.send(PIXELS, (pixels.len(), features, images), &packed)
    }

    fn forward_train(&mut self, x: Packed<D>, step: u64) -> Result<Taped<D>, D::Err> {
        // The tape begins after the first gather: nobody needs the gradient of the pixels.
        let mut pixels = Some(x);
        let mut taped: Option<Taped<D>> = None;
        let input = |pixels: &mut Option<Packed<D>>, taped: &mut Option<Taped<D>>| {
            let begun = pixels.take().map(dfdx::tensor::Trace::leaky_traced);
            begun.or_else(|| taped.take()).expect("every operation gives what the next one takes")
        };
        for operation in &self.plan.operations {
            taped = Some(match operation {
                Operation::Product { rows, weight, depth, positions, output } => {
                    let gathered = match (pixels.take(), rows) {
                        (Some(x), Some(rows)) => D::gather_rows(x, rows)?.leaky_traced(),
                        (Some(x), None) => x.leaky_traced(),
                        (None, Some(rows)) => D::gather_rows(input(&mut None, &mut taped), rows)?,
                        (None, None) => input(&mut None, &mut taped),
                    };
                    let (models, _, images) = *gathered.shape();
                    let gathered =
                        gathered.try_reshape_like(&(models, *depth, positions * images))?;
                    self.weights[*weight]
                        .retaped::<OwnedTape<f32, D>>()
                        .try_matmul(gathered)?
                        .try_reshape_like(&(models, *output, images))?
                }
                Operation::BatchNorm { scale, shift, statistics, momentum, epsilon } => {
                    let x = input(&mut pixels, &mut taped);
                    let shape @ (models, features, images) = *x.shape();
                    let channels = self.plan.statistics[*statistics].channels;
                    let rows = (models, channels, features / channels * images);
                    let scale =
                        self.weights[*scale].clone().try_reshape_like(&(models, channels))?;
                    let shift =
                        self.weights[*shift].clone().try_reshape_like(&(models, channels))?;
                    let (y, mean, variance) =
                        D::batch_norm(x.try_reshape_like(&rows)?, &scale, &shift, *epsilon)?;
                    let [running_mean, running_variance] = &mut self.statistics[*statistics];
                    running_mean.try_axpy(*momentum, &mean, 1.0 - momentum)?;
                    running_variance.try_axpy(*momentum, &variance, 1.0 - momentum)?;
                    y.try_reshape_like(&shape)?
                }
                Operation::Relu => input(&mut pixels, &mut taped).try_relu()?,
                Operation::MaxPool(windows) => {
                    D::max_pool(input(&mut pixels, &mut taped), windows)?
                }
                Operation::AveragePool(windows) => {
                    average_pool(input(&mut pixels, &mut taped), windows)?
                }
                Operation::Capsules { weight, layer } => {
                    D::capsules(input(&mut pixels, &mut taped), &self.weights[*weight], layer)?
                }
                Operation::Dropout { layer, rate, input: volume } => {
                    let x = input(&mut pixels, &mut taped);
                    let shape = *x.shape();
                    let masks = masks(&self.seed_paths, *layer, *rate, *volume, step, shape.2);
                    x.try_mul(self.uploads.send(MASKS + layer, shape, &masks)?)?
                }
            });
        }
        Ok(input(&mut pixels, &mut taped))
    }

    fn forward_eval(&self, mut x: Packed<D>) -> Result<Packed<D>, D::Err> {
        for operation in &self.plan.operations {
            x = match operation {
                Operation::Product { rows, weight, depth, positions, output } => {
                    let gathered = match rows {
                        Some(rows) => D::gather_rows(x, rows)?,
                        None => x,
                    };
                    let (models, _, images) = *gathered.shape();
                    let gathered =
                        gathered.try_reshape_like(&(models, *depth, positions * images))?;
                    self.weights[*weight]
                        .clone()
                        .try_matmul(gathered)?
                        .try_reshape_like(&(models, *output, images))?
                }
                Operation::BatchNorm { scale, shift, statistics, epsilon, .. } => {
                    let shape @ (models, features, images) = *x.shape();
                    let channels = self.plan.statistics[*statistics].channels;
                    let rows = (models, channels, features / channels * images);
                    let scale =
                        self.weights[*scale].clone().try_reshape_like(&(models, channels))?;
                    let shift =
                        self.weights[*shift].clone().try_reshape_like(&(models, channels))?;
                    let [mean, variance] = &self.statistics[*statistics];
                    let deviation = variance.clone().try_add(*epsilon as f32)?.try_sqrt()?;
                    let factor = scale.try_div(deviation)?;
                    let offset = shift.try_sub(mean.clone().try_mul(factor.clone())?)?;
                    D::scale_rows(x.try_reshape_like(&rows)?, &factor, &offset)?
                        .try_reshape_like(&shape)?
                }
                Operation::Relu => x.try_relu()?,
                Operation::MaxPool(windows) => D::max_pool(x, windows)?,
                Operation::AveragePool(windows) => average_pool(x, windows)?,
                Operation::Capsules { weight, layer } => {
                    D::capsules(x, &self.weights[*weight], layer)?
                }
                Operation::Dropout { .. } => x,
            };
        }
        Ok(x)
    }
}

impl<D: Backend> Network for PortableNetwork<D> {
    fn models(&self) -> usize {
        self.seed_paths.len()
    }

    fn path(&self) -> String {
        "portable f32".to_owned()
    }

    fn trainable_parameters(&self) -> u64 {
        self.plan.trainable_parameters() as u64
    }

    fn working_bytes(&self) -> u64 {
        // Weights, their gradients and the optimizer's memories; every activation has a gradient,
        // because dfdx keeps both until the end of the backward pass.
        let weights = self.plan.trainable_parameters() * (2 + self.optimizer.memory_names().len());
        let activations = 2 * self.plan.activations * self.batch_size;
        (self.models() * (weights + activations) * size_of::<f32>()) as u64
    }

    fn train_step(
        &mut self,
        inputs: &[StepInput<'_>],
        results: &mut [StepResult],
    ) -> Result<(), EngineError> {
        let Some(first) = inputs.first() else { return Ok(()) };
        let agrees = |input: &StepInput<'_>| {
            input.labels.len() == first.labels.len()
                && input.step == first.step
                && input.learning_rate.to_bits() == first.learning_rate.to_bits()
        };
        if !inputs.iter().all(agrees) {
            return Err(EngineError::Unsupported(
                "members of a pack need the same step, step size and number of images".to_owned(),
            ));
        }
        let images = first.labels.len();
        self.prepare(images);
        let pixels: Vec<&[f32]> = inputs.iter().map(|input| input.pixels).collect();
        let mut step = || {
            let x = self.upload(&pixels, images)?;
            let logits = self.forward_train(x, first.step)?;
            let shape @ (_, classes, _) = *logits.shape();
            let mut targets = vec![0.0; inputs.len() * classes * images];
            for (model, input) in inputs.iter().enumerate() {
                for (image, &label) in input.labels.iter().enumerate() {
                    targets[(model * classes + usize::from(label)) * images + image] = 1.0;
                }
            }
            let targets = self.uploads.send(TARGETS, shape, &targets)?;
            let log_probabilities = logits.try_log_softmax::<Axis<1>>()?;
            for (model, result) in
                log_probabilities.as_vec().chunks_exact(classes * images).enumerate()
            {
                results[model] = score(result, images, inputs[model].labels);
            }
            let loss = log_probabilities.try_mul(targets)?.try_sum::<Rank0, _>()?;
            let loss = loss.try_mul(-1.0 / images as f32)?;
            let mut gradients = loss.try_backward()?;
            let (rate, step) = (first.learning_rate, first.step + 1);
            self.optimizer.update(&mut self.weights, &mut gradients, rate, step)
        };
        step().map_err(device_error)
    }

    fn predict(
        &mut self,
        pixels: &[&[f32]],
        images: usize,
        logits: &mut [Vec<f32>],
    ) -> Result<(), EngineError> {
        self.prepare(images);
        let x = self.upload(pixels, images).map_err(device_error)?;
        let packed = self.forward_eval(x).map_err(device_error)?.as_vec();
        let classes = self.plan.classes;
        for (packed, logits) in packed.chunks_exact(classes * images).zip(logits) {
            for image in 0..images {
                logits.extend((0..classes).map(|class| packed[class * images + image]));
            }
        }
        Ok(())
    }

    fn weights(&self, model: usize) -> Vec<NamedTensor> {
        let mut tensors = Vec::new();
        for (plan, weight) in self.plan.weights.iter().zip(&self.weights) {
            tensors.extend(named(plan, of_model(&weight.as_vec(), model, self.models())));
        }
        for (plan, [mean, variance]) in self.plan.statistics.iter().zip(&self.statistics) {
            for (role, statistic) in [("mean", mean), ("variance", variance)] {
                let values = statistic.as_vec();
                let values = of_model(&values, model, self.models()).to_vec();
                let name = format!("{}.{role}", plan.prefix);
                tensors.push(NamedTensor::new(name, vec![plan.channels], values));
            }
        }
        tensors.sort_by(|a, b| a.name.cmp(&b.name));
        tensors
    }

    fn load_weights(&mut self, model: usize, weights: &[NamedTensor]) -> Result<(), EngineError> {
        let models = self.models();
        for place in 0..self.weights.len() {
            let values = joined(&self.plan.weights[place], weights)?;
            replace(&mut self.weights[place], &values, model, models);
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
            for (place, (plan, weight)) in self.plan.weights.iter().zip(&self.weights).enumerate() {
                let values = self.optimizer.memory(kind, place, weight).as_vec();
                for tensor in named(plan, of_model(&values, model, self.models())) {
                    let name = format!("{memory}/{}", tensor.name);
                    optimizer.push(NamedTensor { name, ..tensor });
                }
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
            for place in 0..self.weights.len() {
                let values = joined(&self.plan.weights[place], &of_kind)?;
                let weight = &self.weights[place];
                let mut memory = self.optimizer.memory(kind, place, weight);
                replace(&mut memory, &values, model, models);
                self.optimizer.remember(kind, place, weight, &memory).map_err(device_error)?;
            }
        }
        Ok(())
    }
}

/// Makes the masks of one dropout layer in packed layout; the hash counts features in row, column,
/// channel order.
fn masks(
    seed_paths: &[SeedPath],
    layer: usize,
    rate: f64,
    volume: Volume,
    step: u64,
    images: usize,
) -> Vec<f32> {
    let features = volume.features() as u64;
    let mut masks = Vec::with_capacity(seed_paths.len() * volume.features() * images);
    for path in seed_paths {
        let mask = DropoutMask::new(path, step, layer, rate);
        for channel in 0..volume.channels {
            for position in 0..volume.positions() {
                let feature = (position * volume.channels + channel) as u64;
                masks.extend((0..images as u64).map(|i| mask.factor(i * features + feature)));
            }
        }
    }
    masks
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

fn of_model(values: &[f32], model: usize, models: usize) -> &[f32] {
    let size = values.len() / models;
    &values[model * size..][..size]
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

fn device_error(error: impl std::fmt::Debug) -> EngineError {
    EngineError::Device(format!("{error:?}"))
}
