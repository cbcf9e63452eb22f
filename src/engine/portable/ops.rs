//! The operations of a packed network: what a device must do, from stock dfdx operations.
//!
//! Layout: `(models, features, images)`, features in channel, row, column order, so that a
//! convolution is a gather of rows and one batched product, and a batch normalisation reduces the
//! last axis. A device may do an operation in its own way where stock is slow ([`super::host`]);
//! tests hold both against each other.

use dfdx::prelude::*;

use super::super::EngineError;
use super::capsules::Capsules;
use super::constants;
use super::rows::{Rows, Windows};

/// A tensor of the packed layout.
pub(crate) type Packed<D, T = NoneTape> = Tensor<(usize, usize, usize), f32, D, T>;

/// One value per model and channel.
pub(crate) type PerChannel<D, T = NoneTape> = Tensor<(usize, usize), f32, D, T>;

/// What a batch normalisation gives: values, batch means and batch variances.
pub(crate) type Normalized<D, T> = (Packed<D, T>, PerChannel<D>, PerChannel<D>);

/// A device of dfdx with the packed operations.
pub(crate) trait Backend: Device<f32> {
    /// The numerical path of networks on it.
    const PATH: &'static str;

    /// Whether the device has class capsules.
    const HAS_CAPSULES: bool = false;

    /// Begins to keep buffers from step to step.
    fn keep_memory(&self) {}

    /// Frees kept buffers and keeps no more.
    fn release_memory(&self) {}

    /// Says in words what went wrong.
    fn failed(error: Self::Err) -> EngineError {
        EngineError::Device(error.to_string())
    }

    /// Gathers rows and zeros.
    fn gather_rows<T: Tape<f32, Self>>(
        x: Packed<Self, T>,
        rows: &Rows<Self>,
    ) -> Result<Packed<Self, T>, Self::Err> {
        stock::gather_rows(x, rows)
    }

    /// Takes the largest value under every window. The gradient goes to the first maximum in row
    /// order alone, as in torch; stock `max` would give it to all of several equal ones.
    fn max_pool<T: Tape<f32, Self> + Merge<T>>(
        x: Packed<Self, T>,
        windows: &Windows<Self>,
    ) -> Result<Packed<Self, T>, Self::Err> {
        stock::max_pool(x, windows)
    }

    /// Adds one value per model and channel to `(models, channels, values)`.
    fn add_bias<T: Tape<f32, Self> + Merge<T>>(
        x: Packed<Self, T>,
        bias: &PerChannel<Self>,
    ) -> Result<Packed<Self, T>, Self::Err> {
        stock::add_bias(x, bias)
    }

    /// Returns `max(x, 0)`; a NaN stays.
    fn relu<T: Tape<f32, Self> + Merge<T>>(
        x: Packed<Self, T>,
    ) -> Result<Packed<Self, T>, Self::Err> {
        constants::relu(x)
    }

    /// Normalises `(models, channels, values)` over the last axis, then scales and shifts.
    fn batch_norm<T: Tape<f32, Self> + Merge<T>>(
        x: Packed<Self, T>,
        scale: &PerChannel<Self>,
        shift: &PerChannel<Self>,
        epsilon: f64,
    ) -> Result<Normalized<Self, T>, Self::Err> {
        stock::batch_norm(x, scale, shift, epsilon)
    }

    /// Routes input capsules to class capsules and returns the lengths of the latter's vectors.
    fn capsules<T: Tape<f32, Self>>(
        _x: Packed<Self, T>,
        _weights: &Packed<Self>,
        _layer: &Capsules,
    ) -> Result<Packed<Self, T>, Self::Err> {
        unreachable!("networks with capsules are refused where the device has none")
    }

    /// Returns `x · factor + offset` per model and channel.
    fn scale_rows(
        x: Packed<Self>,
        factor: &PerChannel<Self>,
        offset: &PerChannel<Self>,
    ) -> Result<Packed<Self>, Self::Err> {
        stock::scale_rows(x, factor, offset)
    }
}

/// Takes the mean of the values under every window, padding aside.
pub(super) fn average_pool<D: Backend, T: Tape<f32, D> + Merge<T>>(
    x: Packed<D, T>,
    windows: &Windows<D>,
) -> Result<Packed<D, T>, D::Err> {
    let device = x.device().clone();
    let mut sum: Option<Packed<D, T>> = None;
    for index in &windows.taps {
        let value = D::gather_rows(x.with_empty_tape(), index)?;
        sum = Some(match sum {
            Some(sum) => sum.try_add(value)?,
            None => value,
        });
    }
    let sum = sum.expect("a window has at least one tap");
    // The branches above began with empty tapes: x's own tape joins here.
    let (_, tape) = x.split_tape();
    let (sum, branch) = sum.split_tape();
    let sum = sum.put_tape(tape.merge(branch));
    match windows.counts.first() {
        Some(&first) if windows.counts.iter().all(|&count| count == first) => {
            sum.try_mul(1.0 / first.max(1) as f32)
        }
        _ => {
            let shape = *sum.shape();
            let shares = windows.shares(&device)?;
            constants::multiplied(sum, shares.try_broadcast_like::<_, Axes2<0, 2>>(&shape)?)
        }
    }
}

/// The operations from stock dfdx operations, on any device.
pub(crate) mod stock {
    use super::{Backend, Normalized, Packed, PerChannel, constants};
    use crate::engine::portable::rows::{Rows, Windows};
    use dfdx::prelude::*;

    /// Without `concat`, which would be compiled at run time against headers of dfdx's build.
    pub(crate) fn gather_rows<D: Backend, T: Tape<f32, D>>(
        x: Packed<D, T>,
        rows: &Rows<D>,
    ) -> Result<Packed<D, T>, D::Err> {
        let device = x.device().clone();
        let index = rows.index(&device, x.shape().0)?;
        let gathered = x.try_gather(index)?;
        if !rows.has_zeros() {
            return Ok(gathered);
        }
        let shape = *gathered.shape();
        let factors = rows.factors(&device)?.clone();
        constants::multiplied(gathered, factors.try_broadcast_like::<_, Axes2<0, 2>>(&shape)?)
    }

    pub(in super::super) fn add_bias<D: Backend, T: Tape<f32, D> + Merge<T>>(
        x: Packed<D, T>,
        bias: &PerChannel<D>,
    ) -> Result<Packed<D, T>, D::Err> {
        let shape = *x.shape();
        x.try_add(bias.retaped::<T>().try_broadcast_like::<_, Axis<2>>(&shape)?)
    }

    pub(in super::super) fn max_pool<D: Backend, T: Tape<f32, D> + Merge<T>>(
        x: Packed<D, T>,
        windows: &Windows<D>,
    ) -> Result<Packed<D, T>, D::Err> {
        let mut largest: Option<Packed<D, T>> = None;
        for index in &windows.taps {
            let value = D::gather_rows(x.with_empty_tape(), index)?;
            largest = Some(match largest {
                Some(largest) => {
                    // What is not smaller than itself is a NaN, and wins.
                    let wins = bool_or(&value.try_gt(&largest)?, &value.try_ne(&value)?);
                    wins.try_choose(value, largest)?
                }
                None => value,
            });
        }
        let (largest, branch) = largest.expect("a window has at least one tap").split_tape();
        let (_, tape) = x.split_tape();
        Ok(largest.put_tape(tape.merge(branch)))
    }

    pub(in super::super) fn batch_norm<D: Backend, T: Tape<f32, D> + Merge<T>>(
        x: Packed<D, T>,
        scale: &PerChannel<D>,
        shift: &PerChannel<D>,
        epsilon: f64,
    ) -> Result<Normalized<D, T>, D::Err> {
        let shape = *x.shape();
        let mean: PerChannel<D, T> = x.with_empty_tape().try_mean::<(usize, usize), Axis<2>>()?;
        let batch_mean = mean.retaped::<NoneTape>();
        let centred = x.try_sub(mean.try_broadcast_like::<_, Axis<2>>(&shape)?)?;
        let variance: PerChannel<D, T> =
            centred.with_empty_tape().try_square()?.try_mean::<(usize, usize), Axis<2>>()?;
        let batch_variance = variance.retaped::<NoneTape>();
        let deviation = variance.try_add(epsilon as f32)?.try_sqrt()?;
        let factor = scale.retaped::<T>().try_div(deviation)?;
        let y = centred
            .try_mul(factor.try_broadcast_like::<_, Axis<2>>(&shape)?)?
            .try_add(shift.retaped::<T>().try_broadcast_like::<_, Axis<2>>(&shape)?)?;
        Ok((y, batch_mean, batch_variance))
    }

    pub(in super::super) fn scale_rows<D: Backend>(
        x: Packed<D>,
        factor: &PerChannel<D>,
        offset: &PerChannel<D>,
    ) -> Result<Packed<D>, D::Err> {
        let shape = *x.shape();
        x.try_mul(factor.clone().try_broadcast_like::<_, Axis<2>>(&shape)?)?
            .try_add(offset.clone().try_broadcast_like::<_, Axis<2>>(&shape)?)
    }
}
