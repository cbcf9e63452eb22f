//! Matrix kernels in AMX tiles: bfloat16 values, 32-bit sums.
//!
//! A group has 32 images, two tiles of rows; channels are stored in multiples of 32, one tile row
//! of bfloat16. A convolution's tile row is then always one aligned cache line, whatever its
//! window, stride or padding. Weight gradients sum over images, so inputs are transposed and
//! output gradients interleaved in pairs of images, pixel by pixel ([`shuffle`]).

mod conv;
mod pack;
mod shuffle;
mod tiles;
mod weight_gradient;

use half::bf16;

use super::conv::Conv;
use super::element::Activation;
use super::epilogue::{BackwardEpilogue, ForwardEpilogue};
use super::geometry::Window;
use super::isa::Dispatch;
use super::layout::{Extent, Sources, TILE_STEP, product};
use super::pack::WeightShape;
use super::storage::{ConvPlan, Storage, Tiled};
use super::weight_gradient::WeightGradient;

/// Images in a group.
const GROUP: usize = 32;
/// Output pixels whose weight gradients are summed while they lie in the first cache: 48 KiB of 32
/// images × 32 channels.
const STRETCH: usize = 24;
/// Rows of a tile.
const TILE_ROWS: usize = 16;
/// bfloat16 values in a tile.
const TILE_VALUES: usize = 512;

fn assert_amx(dispatch: Dispatch) {
    assert!(
        dispatch.isa().is_bf16(),
        "bfloat16 layers need the AMX dispatch, found {}",
        dispatch.isa()
    );
}

impl Storage for bf16 {
    const GROUP: usize = GROUP;
    const STEP: usize = TILE_STEP;

    fn tiled(_: &Window, _: &Sources, _: &Extent) -> Tiled {
        // Tiles are not short of products but of data, and bfloat16 too coarse for transforms.
        Tiled::default()
    }

    fn forward_len(shape: &WeightShape, _: &Tiled) -> usize {
        product(&[shape.taps, shape.inputs.next_multiple_of(TILE_STEP), shape.stride])
    }

    fn backward_len(shape: &WeightShape, _: &Tiled, input_stride: usize) -> usize {
        product(&[shape.taps, shape.stride, input_stride])
    }

    fn stretch(_: &Sources, _: &Extent) -> usize {
        STRETCH
    }

    fn scratch_len(_: &Tiled, inputs: &Sources, outputs: &Extent) -> usize {
        inputs.extent.group_len() + outputs.group_len()
    }

    fn pack_forward(
        dispatch: Dispatch,
        shape: WeightShape,
        _: &Tiled,
        weights: &[f32],
        packed: &mut [bf16],
    ) {
        assert_amx(dispatch);
        pack::pack_forward(shape, weights, packed);
    }

    fn pack_backward(
        dispatch: Dispatch,
        shape: WeightShape,
        _: &Tiled,
        input_stride: usize,
        weights: &[f32],
        packed: &mut [bf16],
    ) {
        assert_amx(dispatch);
        pack::pack_backward(shape, input_stride, weights, packed);
    }

    fn forward<T: Activation>(
        dispatch: Dispatch,
        _: ConvPlan<'_>,
        conv: &Conv<'_, bf16>,
        epilogue: ForwardEpilogue<'_, T>,
        _: &mut [bf16],
    ) {
        assert_amx(dispatch);
        conv::conv_forward(dispatch, conv, epilogue);
    }

    fn backward(
        dispatch: Dispatch,
        _: ConvPlan<'_>,
        conv: &Conv<'_, bf16>,
        epilogue: BackwardEpilogue<'_, bf16>,
        _: &mut [bf16],
    ) {
        assert_amx(dispatch);
        conv::conv_input_gradient(dispatch, conv, epilogue);
    }

    fn weight_gradient(
        dispatch: Dispatch,
        _: ConvPlan<'_>,
        gradient: WeightGradient<'_, '_, bf16>,
        scratch: &mut [bf16],
    ) {
        assert_amx(dispatch);
        weight_gradient::weight_gradient(gradient, scratch);
    }
}

/// Multiplies `rounds` times four tiles that stay where they are, for measuring the peak.
pub(super) fn multiply_in_place(dispatch: Dispatch, rounds: usize) {
    assert_amx(dispatch);
    tiles::multiply_in_place(rounds);
}
