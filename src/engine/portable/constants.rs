//! Operations with constants, of which nobody needs a gradient: dfdx's own compute those of both
//! sides.

use dfdx::prelude::*;
use dfdx::tensor_ops::{Momentum, SgdConfig, WeightDecay};

use super::ops::{Backend, Packed};

/// Multiplies weights by constants.
pub(super) fn product<D: Backend>(
    weights: &Packed<D>,
    x: Packed<D>,
) -> Result<Packed<D, OwnedTape<f32, D>>, D::Err> {
    let y = weights.clone().try_matmul(x.clone())?;
    let (from, to) = (weights.ghost(), y.ghost());
    let mut tape = OwnedTape::default();
    tape.add_backward_op(move |gradients: &mut Gradients<f32, D>| {
        gradients.try_alloc_for(&to)?;
        let turned = x.try_permute::<(usize, usize, usize), Axes3<0, 2, 1>>()?;
        let gradient = gradients.get(&to).try_matmul(turned)?;
        add_to(gradients.get_or_alloc_mut(&from)?, gradient)
    });
    Ok(y.put_tape(tape))
}

/// Multiplies values by constants, one by one.
pub(super) fn multiplied<D: Backend, T: Tape<f32, D>>(
    x: Packed<D, T>,
    constants: Packed<D>,
) -> Result<Packed<D, T>, D::Err> {
    passed(x, move |values| values.try_mul(constants.clone()))
}

/// Returns `x` where it is not at most 0, else 0: a NaN stays, so that a diverged network does not
/// look sound. dfdx's `relu` makes 0 of it.
pub(super) fn relu<D: Backend, T: Tape<f32, D>>(x: Packed<D, T>) -> Result<Packed<D, T>, D::Err> {
    let is_cut = x.try_le(0.0)?;
    passed(x, move |values| {
        let zeros = values.device().try_zeros_like(values.shape())?;
        is_cut.clone().try_choose(zeros, values)
    })
}

/// Does to values what is linear in them, value by value, and to their gradient the same.
fn passed<D: Backend, T: Tape<f32, D>>(
    x: Packed<D, T>,
    linear: impl Fn(Packed<D>) -> Result<Packed<D>, D::Err> + 'static,
) -> Result<Packed<D, T>, D::Err> {
    let (x, mut tape) = x.split_tape();
    let from = x.ghost();
    let y = linear(x)?;
    let to = y.ghost();
    tape.add_backward_op(move |gradients| {
        gradients.try_alloc_for(&to)?;
        let gradient = linear(gradients.get(&to))?;
        add_to(gradients.get_or_alloc_mut(&from)?, gradient)
    });
    Ok(y.put_tape(tape))
}

/// Adds a tensor to a buffer of dfdx, which has no operation that does: a gradient step of size
/// zero adds a decay of the whole weight to its velocity.
fn add_to<D: Backend>(
    buffer: &mut <D as Storage<f32>>::Vec,
    mut values: Packed<D>,
) -> Result<(), D::Err> {
    let step = SgdConfig {
        lr: 0.0,
        momentum: Some(Momentum::Classic(1.0)),
        weight_decay: Some(WeightDecay::L2(1.0)),
    };
    let count = values.shape().num_elements();
    let no_gradient = Storage::<f32>::try_alloc_len(values.device(), count)?;
    step.try_update(&mut values, buffer, &no_gradient)
}
