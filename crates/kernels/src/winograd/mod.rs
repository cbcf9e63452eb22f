//! Convolutions in fewer products, in 32-bit floats.
//!
//! Winograd's minimal filtering F(4×4, 3×3) (Lavin & Gray 2016): a tile of 4×4 targets takes 36
//! products a pair of channels instead of 144. Sources and weights are transformed, multiplied
//! point by point as ordinary matrices over (tiles × images), and the sums transformed back on
//! their way into the epilogue. The gradient of the weights is the exact adjoint of the same.
//!
//! A larger or strided window is the sum of [`tiling`]'s parts, 3×3 windows over every other pixel
//! or shifted; they are summed before the transform back, so 5×5 of stride 2 takes 144 products
//! a tile instead of 400.
//!
//! Sums differ from the direct ones by rounding only, some ten times as much: about 1e-6 of the
//! size of the values. Where everything summed over is 0, the sum is exactly 0 ([`live`]).
#![expect(clippy::needless_range_loop, reason = "squares are walked by row and column")]

mod input_transform;
mod live;
mod multiply;
mod output_transform;
mod tiling;
mod transforms;
mod weights;

use super::conv::Conv;
use super::element::Activation;
use super::epilogue::{BackwardEpilogue, Epilogue, ForwardEpilogue};
use super::isa::Dispatch;
use super::layout::{Extent, product};
use super::weight_gradient::WeightGradient;
use input_transform::{Matrix, Values};
use live::Live;
use multiply::{Accumulated, Multiplied};
use output_transform::Summed;
pub use tiling::Winograd;
use transforms::{Gradients, Sources as Inputs};
use weights::{Corner, unpack};
pub(super) use weights::{pack_backward, pack_forward, packed_len};

/// Weights along a side of a window.
const KERNEL: usize = 3;
/// Targets along a side of a tile.
const OUTPUT_TILE: usize = 4;
/// Sources along a side of a tile, and points along a side of its transform.
const INPUT_TILE: usize = 6;
/// Products of a tile.
const POINTS: usize = INPUT_TILE * INPUT_TILE;
/// Marks a pixel outside the image.
const OUTSIDE: u32 = u32::MAX;
/// Bytes of transformed sources and sums to be kept in the second cache.
const BLOCK_BYTES: usize = 1024 * 1024;
/// Channels of a block of weight gradients, so that its sums stay in the second cache.
const BLOCK_CHANNELS: usize = 64;
/// Values between the matrices of two points beyond their size, so that the 36 addresses a tile is
/// written to do not share the sets of the first cache.
const GAP: usize = 16;

impl Winograd {
    /// Returns the blocks of tiles of every group of `images` images.
    fn blocks(&self, images: usize, group: usize, tiles: usize) -> impl Iterator<Item = Block> {
        let count = self.len();
        (0..images.div_ceil(group)).flat_map(move |index| {
            (0..count).step_by(tiles.max(1)).map(move |first| Block {
                group: index,
                rows: (images - index * group).min(group),
                first,
                tiles: tiles.min(count - first),
            })
        })
    }

    /// Returns the number of values of scratch that [`forward`] and [`backward`] need.
    pub(super) fn scratch_len(&self, sources: &Extent, targets: &Extent) -> usize {
        let room = Room::products(self, sources, targets);
        room.left_len() + room.right_len()
    }

    /// Returns the number of values of scratch that [`weight_gradient`] needs.
    pub(super) fn gradient_scratch_len(&self, inputs: &Extent, outputs: &Extent) -> usize {
        let room = Room::gradients(self, inputs, outputs);
        room.left_len() + room.right_len() + product(&[POINTS, room.left, room.right])
    }
}

/// Some tiles of the images of one group.
#[derive(Clone, Copy)]
struct Block {
    group: usize,
    /// Images of the group that are there.
    rows: usize,
    first: usize,
    tiles: usize,
}

impl Block {
    /// Returns this block's part of a table with `each` entries a tile.
    fn of<'a>(&self, table: &'a [u32], each: usize) -> &'a [u32] {
        &table[self.first * each..][..self.tiles * each]
    }
}

/// Sizes of the two matrices per point, left and right (or sums).
#[derive(Clone, Copy)]
struct Room {
    /// Tiles at a time.
    tiles: usize,
    /// Rows of both matrices at most.
    rows: usize,
    /// Columns of the left one.
    left: usize,
    /// Columns of the right one.
    right: usize,
}

impl Room {
    fn products(winograd: &Winograd, sources: &Extent, targets: &Extent) -> Self {
        let left = product(&[winograd.parts().len(), sources.stride]);
        Self::new(winograd, sources.group, left, targets.stride.min(BLOCK_CHANNELS))
    }

    fn gradients(winograd: &Winograd, inputs: &Extent, outputs: &Extent) -> Self {
        let channels = inputs.stride.clamp(1, BLOCK_CHANNELS);
        let left = channels * (BLOCK_CHANNELS / channels).min(winograd.parts().len());
        Self::new(winograd, inputs.group, left, outputs.stride.min(BLOCK_CHANNELS))
    }

    fn new(winograd: &Winograd, group: usize, left: usize, right: usize) -> Self {
        let tile_bytes = product(&[POINTS, group, left + right, size_of::<f32>()]);
        let tiles = (BLOCK_BYTES / tile_bytes.max(1)).max(2).min(winograd.len());
        Self { tiles, rows: product(&[tiles, group]), left, right }
    }

    /// Returns the values from one point's left matrix to the next.
    fn left_step(&self) -> usize {
        product(&[self.rows, self.left]) + GAP
    }

    fn right_step(&self) -> usize {
        product(&[self.rows, self.right]) + GAP
    }

    fn left_len(&self) -> usize {
        product(&[POINTS, self.left_step()])
    }

    fn right_len(&self) -> usize {
        product(&[POINTS, self.right_step()])
    }
}

/// Computes a layer forward; `conv.weights` were packed by [`pack_forward`].
///
/// # Panics
/// If a buffer is too small.
pub(super) fn forward<T: Activation>(
    dispatch: Dispatch,
    tilings: &[Winograd],
    conv: &Conv<'_, f32>,
    mut epilogue: ForwardEpilogue<'_, T>,
    scratch: &mut [f32],
) {
    let targets = epilogue.extent;
    let epilogue = epilogue.checked(conv.images);
    products(dispatch, tilings, conv, targets, epilogue, scratch);
}

/// Computes the gradient with respect to a layer's input; `conv.weights` were packed by
/// [`pack_backward`].
///
/// # Panics
/// If a buffer is too small.
pub(super) fn backward(
    dispatch: Dispatch,
    tilings: &[Winograd],
    conv: &Conv<'_, f32>,
    mut epilogue: BackwardEpilogue<'_, f32>,
    scratch: &mut [f32],
) {
    let targets = epilogue.extent;
    let epilogue = epilogue.checked(conv.images);
    products(dispatch, tilings, conv, targets, epilogue, scratch);
}

fn products<P: Epilogue>(
    dispatch: Dispatch,
    tilings: &[Winograd],
    conv: &Conv<'_, f32>,
    targets: Extent,
    epilogue: P,
    scratch: &mut [f32],
) {
    let mut weights = conv.weights;
    for winograd in tilings {
        let conv = Conv { weights, ..*conv };
        products_of(dispatch, winograd, &conv, targets, epilogue, scratch);
        weights = &weights[packed_len(winograd, conv.sources.length(), targets.stride)..];
    }
}

fn products_of<P: Epilogue>(
    dispatch: Dispatch,
    winograd: &Winograd,
    conv: &Conv<'_, f32>,
    targets: Extent,
    epilogue: P,
    scratch: &mut [f32],
) {
    let (sources, depth) = (conv.sources.extent, conv.sources.length());
    let parts = winograd.parts();
    conv.assert_sound(&targets, packed_len(winograd, depth, targets.stride));
    winograd.assert_fits(&conv.sources, &targets);
    let room = Room::products(winograd, &sources, &targets);
    let (left, sums) = scratch.split_at_mut(room.left_len());
    let mut live = Live::new(&sources, room.tiles);
    for block in winograd.blocks(conv.images, targets.group, room.tiles) {
        let live = live.of_block(dispatch, winograd, sources, conv.input, block);
        for (index, part) in parts.iter().enumerate() {
            let values = Values {
                extent: sources,
                groups: conv.input,
                channels: 0..sources.stride,
                pixels: block.of(&part.sources, POINTS),
            };
            let matrix = Matrix {
                column: index * sources.stride,
                stride: parts.len() * sources.stride,
                step: room.left_step(),
            };
            input_transform::input_transform::<Inputs, INPUT_TILE>(
                dispatch, values, block, left, matrix,
            );
        }
        let mut channel = 0;
        while channel < targets.stride {
            let width = multiply::multiply(
                dispatch,
                Multiplied {
                    values: left,
                    values_step: room.left_step(),
                    parts: parts.len(),
                    stride: sources.stride,
                    depth,
                    rows: block.tiles * block.rows,
                    weights: &conv.weights[packed_len(winograd, depth, channel)..],
                    columns: targets.stride - channel,
                },
                sums,
                room.right_step(),
            );
            let collected = Summed {
                sums,
                step: room.right_step(),
                width,
                channel,
                pixels: block.of(winograd.targets(), OUTPUT_TILE * OUTPUT_TILE),
                live,
                extent: targets,
            };
            // SAFETY: `checked` compared the epilogue's buffers with the extent and the images;
            // tiles name pixels of that extent, `assert_fits` saw to it.
            #[expect(unsafe_code, reason = "the epilogue writes through pointers")]
            unsafe {
                output_transform::output_transform(dispatch, collected, block, epilogue);
            }
            channel += width;
        }
    }
}

/// Computes the gradient of a layer's weights.
///
/// # Panics
/// If a buffer is too small.
pub(super) fn weight_gradient(
    dispatch: Dispatch,
    winograd: &Winograd,
    gradient: WeightGradient<'_, '_, f32>,
    scratch: &mut [f32],
) {
    let shape = gradient.checked();
    winograd.assert_fits(&gradient.inputs, &gradient.outputs);
    let WeightGradient { images, inputs, input, outputs, gradient, accumulate, weights, .. } =
        gradient;
    let inputs = inputs.extent;
    let room = Room::gradients(winograd, &inputs, &outputs);
    let (left, rest) = scratch.split_at_mut(room.left_len());
    let (right, sums) = rest.split_at_mut(room.right_len());
    let channels = inputs.stride.clamp(1, BLOCK_CHANNELS);
    for from in (0..shape.inputs).step_by(channels) {
        let of_inputs = from..(from + channels).min(inputs.stride);
        for parts in winograd.parts().chunks(room.left / channels) {
            for to in (0..outputs.stride).step_by(room.right.max(1)) {
                let of_outputs = to..(to + room.right).min(outputs.stride);
                let accumulated = Accumulated {
                    inputs: parts.len() * of_inputs.len(),
                    values_step: room.left_step(),
                    outputs: of_outputs.len(),
                    gradients_step: room.right_step(),
                };
                sums[..accumulated.len()].fill(0.0);
                for block in winograd.blocks(images, outputs.group, room.tiles) {
                    for (index, part) in parts.iter().enumerate() {
                        let values = Values {
                            extent: inputs,
                            groups: input,
                            channels: of_inputs.clone(),
                            pixels: block.of(&part.sources, POINTS),
                        };
                        let matrix = Matrix {
                            column: index * of_inputs.len(),
                            stride: accumulated.inputs,
                            step: room.left_step(),
                        };
                        input_transform::input_transform::<Inputs, INPUT_TILE>(
                            dispatch, values, block, left, matrix,
                        );
                    }
                    let deltas = Values {
                        extent: outputs,
                        groups: gradient,
                        channels: of_outputs.clone(),
                        pixels: block.of(winograd.targets(), OUTPUT_TILE * OUTPUT_TILE),
                    };
                    let matrix =
                        Matrix { column: 0, stride: of_outputs.len(), step: room.right_step() };
                    input_transform::input_transform::<Gradients, OUTPUT_TILE>(
                        dispatch, deltas, block, right, matrix,
                    );
                    let rows = block.tiles * block.rows;
                    multiply::accumulate(dispatch, accumulated, rows, left, right, sums);
                }
                for (index, part) in parts.iter().enumerate() {
                    let corner = Corner {
                        taps: part.taps,
                        row: index * of_inputs.len(),
                        rows: accumulated.inputs,
                        input: from,
                        inputs: of_inputs.len().min(shape.inputs - from),
                        channel: to,
                        channels: of_outputs.len(),
                        accumulate,
                    };
                    unpack(dispatch, shape, corner, sums, weights);
                }
            }
        }
    }
}
