//! From packed pixels to logits, in training and after.

use dfdx::prelude::*;

use super::super::dropout::DropoutMask;
use super::constants;
use super::network::PortableNetwork;
use super::ops::{Backend, Packed, PerChannel, average_pool};
use super::plan::Operation;
use super::rows::Rows;
use super::source::packed_masks;
use super::uploads::MASKS;
use crate::experiment::layers::NormStatistics;

type Taped<D> = Packed<D, OwnedTape<f32, D>>;

/// Gathers what a layer multiplies, and returns it as the columns of a matrix per model.
fn columns<D: Backend, T: Tape<f32, D>>(
    x: Packed<D, T>,
    rows: Option<&Rows<D>>,
    (depth, positions): (usize, usize),
) -> Result<Packed<D, T>, D::Err> {
    let x = match rows {
        Some(rows) => D::gather_rows(x, rows)?,
        None => x,
    };
    let (models, _, images) = *x.shape();
    x.try_reshape_like(&(models, depth, positions * images))
}

impl<D: Backend> PortableNetwork<D> {
    /// Returns the logits of a training step, with running statistics moved on.
    pub(super) fn forward_train(&mut self, x: Packed<D>, step: u64) -> Result<Taped<D>, D::Err> {
        // Nobody needs the gradient of the pixels, so the tape begins behind them.
        let mut pixels = Some(x);
        let mut taped: Option<Taped<D>> = None;
        let input = |pixels: &mut Option<Packed<D>>, taped: &mut Option<Taped<D>>| {
            let begun = pixels.take().map(dfdx::tensor::Trace::leaky_traced);
            begun.or_else(|| taped.take()).expect("every operation gives what the next one takes")
        };
        for operation in &self.plan.operations {
            taped = Some(match operation {
                Operation::Product { rows, weight, bias, depth, positions, output } => {
                    let weight = &self.weights[*weight];
                    let product = if let Some(x) = pixels.take() {
                        let x = columns(x, rows.as_ref(), (*depth, *positions))?;
                        constants::product(weight, x)?
                    } else {
                        let x = input(&mut None, &mut taped);
                        let x = columns(x, rows.as_ref(), (*depth, *positions))?;
                        weight.retaped::<OwnedTape<f32, D>>().try_matmul(x)?
                    };
                    let &(models, channels, values) = product.shape();
                    let product = match bias {
                        Some(bias) => {
                            let bias = self.by_channel(*bias, (models, channels, values))?;
                            D::add_bias(product, &bias)?
                        }
                        None => product,
                    };
                    product.try_reshape_like(&(models, *output, values / positions))?
                }
                Operation::BatchNorm { scale, shift, statistics, momentum, epsilon, kind } => {
                    let x = input(&mut pixels, &mut taped);
                    let shape = *x.shape();
                    let rows = self.rows_of_channels(*statistics, shape);
                    let scale = self.by_channel(*scale, rows)?;
                    let shift = self.by_channel(*shift, rows)?;
                    let (y, mean, variance) =
                        D::batch_norm(x.try_reshape_like(&rows)?, &scale, &shift, *epsilon)?;
                    let [running_mean, running_variance] = &mut self.statistics[*statistics];
                    let share = kind.share_of_step(*momentum, step + 1);
                    running_mean.try_axpy(1.0 - share, &mean, share)?;
                    running_variance.try_axpy(1.0 - share, &variance, share)?;
                    y.try_reshape_like(&shape)?
                }
                Operation::Relu => D::relu(input(&mut pixels, &mut taped))?,
                Operation::MaxPool(windows) => {
                    D::max_pool(input(&mut pixels, &mut taped), windows)?
                }
                Operation::AveragePool(windows) => {
                    average_pool(input(&mut pixels, &mut taped), windows)?
                }
                Operation::Capsules { weight, layer } => {
                    D::capsules(input(&mut pixels, &mut taped), &self.weights[*weight], layer)?
                }
                Operation::Dropout { layer, input: volume } => {
                    let x = input(&mut pixels, &mut taped);
                    let shape = *x.shape();
                    let rates = &self.rates[layer];
                    let masks: Vec<DropoutMask> = (self.seed_paths.iter().zip(rates))
                        .map(|(path, &rate)| DropoutMask::new(path, step, *layer, rate))
                        .collect();
                    let factors = if let Some(source) = &mut self.source {
                        source.masks(*layer, &masks, *volume, shape.2)?
                    } else {
                        let factors = packed_masks(&masks, *volume, shape.2);
                        self.uploads.send(MASKS + layer, shape, &factors)?
                    };
                    constants::multiplied(x, factors)?
                }
            });
        }
        Ok(input(&mut pixels, &mut taped))
    }

    /// Returns `(models, channels, values of a channel)` of activations that are normalised.
    fn rows_of_channels(
        &self,
        statistics: usize,
        (models, features, images): (usize, usize, usize),
    ) -> (usize, usize, usize) {
        let channels = self.plan.statistics[statistics].channels;
        (models, channels, features / channels * images)
    }

    /// Returns a weight that has one value per channel.
    fn by_channel(
        &self,
        weight: usize,
        (models, channels, _): (usize, usize, usize),
    ) -> Result<PerChannel<D>, D::Err> {
        self.weights[weight].clone().try_reshape_like(&(models, channels))
    }

    /// Returns the logits under the statistics of an evaluation and without dropout.
    pub(super) fn forward_eval(&mut self, mut x: Packed<D>) -> Result<Packed<D>, D::Err> {
        let share = self.measured_images.map(|before| {
            let images = x.shape().2 as f64;
            self.measured_images = Some(before + images);
            images / (before + images)
        });
        for operation in &self.plan.operations {
            x = match operation {
                Operation::Product { rows, weight, bias, depth, positions, output } => {
                    let x = columns(x, rows.as_ref(), (*depth, *positions))?;
                    let product = self.weights[*weight].clone().try_matmul(x)?;
                    let shape @ (models, _, values) = *product.shape();
                    let product = match bias {
                        Some(bias) => D::add_bias(product, &self.by_channel(*bias, shape)?)?,
                        None => product,
                    };
                    product.try_reshape_like(&(models, *output, values / positions))?
                }
                Operation::BatchNorm { scale, shift, statistics, epsilon, kind, .. } => {
                    let shape = *x.shape();
                    let rows = self.rows_of_channels(*statistics, shape);
                    let scale = self.by_channel(*scale, rows)?;
                    let shift = self.by_channel(*shift, rows)?;
                    let x = x.try_reshape_like(&rows)?;
                    let statistics = &mut self.statistics[*statistics];
                    let y = if let (Some(share), NormStatistics::Population) = (share, kind) {
                        let (y, mean, variance) = D::batch_norm(x, &scale, &shift, *epsilon)?;
                        add_batch(statistics, share, &mean, &variance)?;
                        y
                    } else {
                        let [mean, variance] = statistics;
                        let deviation = variance.clone().try_add(*epsilon as f32)?.try_sqrt()?;
                        let factor = scale.try_div(deviation)?;
                        let offset = shift.try_sub(mean.clone().try_mul(factor.clone())?)?;
                        D::scale_rows(x, &factor, &offset)?
                    };
                    y.try_reshape_like(&shape)?
                }
                Operation::Relu => D::relu(x)?,
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

/// Adds a batch that is `share` of everything seen with it to measured means and variances (Chan,
/// Golub & LeVeque 1983).
fn add_batch<D: Backend>(
    [mean, variance]: &mut [PerChannel<D>; 2],
    share: f64,
    batch_mean: &PerChannel<D>,
    batch_variance: &PerChannel<D>,
) -> Result<(), D::Err> {
    let away = batch_mean.clone().try_sub(mean.clone())?.try_square()?;
    mean.try_axpy(1.0 - share, batch_mean, share)?;
    variance.try_axpy(1.0 - share, &away, share * (1.0 - share))?;
    variance.try_axpy(1.0, batch_variance, share)
}
