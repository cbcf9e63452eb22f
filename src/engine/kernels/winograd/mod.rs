//! 3×3 convolutions of stride 1 in fewer products, in 32-bit floats.
//!
//! Winograd's minimal filtering F(4×4, 3×3) (Lavin & Gray 2016): a tile of 4×4 targets takes 36
//! products a pair of channels instead of 144. Sources and weights are transformed, multiplied
//! point by point as ordinary matrices over (tiles × images), and the sums transformed back on
//! their way into the epilogue. The gradient of the weights is the exact adjoint of the same.
//!
//! Sums differ from the direct ones by rounding only, some ten times as much: about 1e-6 of the
//! size of the values.

#![expect(clippy::needless_range_loop, reason = "squares are walked by row and column")]

mod collect;
mod multiply;
mod spread;
mod transforms;
mod weights;

use super::element::Activation;
use super::epilogue::{BackwardEpilogue, Epilogue, ForwardEpilogue};
use super::gather::Gather;
use super::geometry::Window;
use super::isa::Path;
use super::layout::{Extent, Sources};
use super::weight_gradient::WeightGradient;
use collect::Collected;
use multiply::{Accumulated, Multiplied};
use spread::Values;
use transforms::{Gradients, Sources as Inputs};
use weights::{Corner, unpack};
pub(super) use weights::{pack_backward, pack_forward, packed_len};

/// Weights along a side of a window.
const KERNEL: usize = 3;
/// Targets along a side of a tile.
const TAKEN: usize = 4;
/// Sources along a side of a tile, and points along a side of its transform.
const SIDE: usize = 6;
/// Products of a tile.
const POINTS: usize = SIDE * SIDE;
/// Marks a pixel outside the image.
const OUTSIDE: u32 = u32::MAX;
/// Bytes of transformed sources and sums to be kept in the second cache.
const BLOCK_BYTES: usize = 1024 * 1024;
/// Channels of a block of weight gradients, so that its sums stay in the second cache.
const BLOCK_CHANNELS: usize = 64;
/// Values between the matrices of two points beyond their size, so that the 36 places a tile is
/// written to do not share the sets of the first cache.
const GAP: usize = 16;
/// How many times fewer products make up for the transforms.
const WORTHWHILE: f64 = 1.5;

/// The targets of a 3×3 convolution, or of its input gradient, in tiles.
#[derive(Debug, Clone)]
pub struct Winograd {
    /// Pixels under every tile: 6×6 sources each.
    sources: Vec<u32>,
    /// Pixels of every tile: 4×4 targets each.
    targets: Vec<u32>,
    source_pixels: usize,
    target_pixels: usize,
}

impl Winograd {
    /// Returns the tiles of the outputs of `window`, if that is 3×3 of stride 1.
    #[must_use]
    pub fn forward(window: &Window) -> Option<Self> {
        let inputs = (window.height, window.width);
        let outputs = (window.out_height, window.out_width);
        is_tileable(window).then(|| Self::new(inputs, outputs, (window.top, window.left)))
    }

    /// Returns the tiles of the inputs of `window`, whose gradients sum over outputs, if that is
    /// 3×3 of stride 1.
    #[must_use]
    pub fn backward(window: &Window) -> Option<Self> {
        let inputs = (window.height, window.width);
        let outputs = (window.out_height, window.out_width);
        let margins = (2_usize.checked_sub(window.top)?, 2_usize.checked_sub(window.left)?);
        is_tileable(window).then(|| Self::new(outputs, inputs, margins))
    }

    /// Returns whether tiles save enough of the products of `window` to make up for transforms.
    pub(super) fn is_worthwhile(&self, window: &Window) -> bool {
        window.taps() as f64 >= WORTHWHILE * (self.len() * POINTS) as f64
    }

    fn new(sources: (usize, usize), targets: (usize, usize), margins: (usize, usize)) -> Self {
        let pixel =
            |(height, width): (usize, usize), row: Option<usize>, column: Option<usize>| match (
                row, column,
            ) {
                (Some(row), Some(column)) if row < height && column < width => {
                    (row * width + column) as u32
                }
                _ => OUTSIDE,
            };
        let (mut under, mut taken) = (Vec::new(), Vec::new());
        for top in (0..targets.0).step_by(TAKEN) {
            for left in (0..targets.1).step_by(TAKEN) {
                for (row, column) in square(SIDE) {
                    let row = (top + row).checked_sub(margins.0);
                    let column = (left + column).checked_sub(margins.1);
                    under.push(pixel(sources, row, column));
                }
                for (row, column) in square(TAKEN) {
                    taken.push(pixel(targets, Some(top + row), Some(left + column)));
                }
            }
        }
        Self {
            sources: under,
            targets: taken,
            source_pixels: sources.0 * sources.1,
            target_pixels: targets.0 * targets.1,
        }
    }

    fn len(&self) -> usize {
        self.targets.len() / (TAKEN * TAKEN)
    }

    /// Returns the blocks of tiles of every group of `images` images.
    fn blocks(&self, images: usize, group: usize, tiles: usize) -> impl Iterator<Item = Block> {
        let count = self.len();
        (0..images.div_ceil(group)).flat_map(move |index| {
            (0..count).step_by(tiles).map(move |first| Block {
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
        room.left_len() + room.right_len() + POINTS * room.left * room.right
    }
}

fn is_tileable(window: &Window) -> bool {
    (window.kernel_height, window.kernel_width, window.stride) == (KERNEL, KERNEL, 1)
}

/// Returns the places of a square, row by row.
fn square(side: usize) -> impl Iterator<Item = (usize, usize)> {
    (0..side * side).map(move |place| (place / side, place % side))
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

/// Sizes of the two matrices a point, left and right (or sums).
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
        Self::new(winograd, sources.group, sources.stride, targets.stride.min(BLOCK_CHANNELS))
    }

    fn gradients(winograd: &Winograd, inputs: &Extent, outputs: &Extent) -> Self {
        let [left, right] =
            [inputs, outputs].map(|extent: &Extent| extent.stride.min(BLOCK_CHANNELS));
        Self::new(winograd, inputs.group, left, right)
    }

    fn new(winograd: &Winograd, group: usize, left: usize, right: usize) -> Self {
        let tile_bytes = POINTS * group * (left + right) * size_of::<f32>();
        let tiles = (BLOCK_BYTES / tile_bytes).max(2).min(winograd.len());
        Self { tiles, rows: tiles * group, left, right }
    }

    /// Returns the values from one point's left matrix to the next.
    fn left_step(&self) -> usize {
        self.rows * self.left + GAP
    }

    fn right_step(&self) -> usize {
        self.rows * self.right + GAP
    }

    fn left_len(&self) -> usize {
        POINTS * self.left_step()
    }

    fn right_len(&self) -> usize {
        POINTS * self.right_step()
    }
}

/// Computes a layer forward; `gather.weights` were packed by [`pack_forward`].
///
/// # Panics
/// If a buffer is too small.
pub(super) fn forward<T: Activation>(
    path: Path,
    winograd: &Winograd,
    gather: &Gather<'_, f32>,
    mut epilogue: ForwardEpilogue<'_, T>,
    scratch: &mut [f32],
) {
    let targets = epilogue.extent;
    let epilogue = epilogue.checked(gather.images);
    products(path, winograd, gather, targets, epilogue, scratch);
}

/// Computes the gradient with respect to a layer's input; `gather.weights` were packed by
/// [`pack_backward`].
///
/// # Panics
/// If a buffer is too small.
pub(super) fn backward(
    path: Path,
    winograd: &Winograd,
    gather: &Gather<'_, f32>,
    mut epilogue: BackwardEpilogue<'_, f32>,
    scratch: &mut [f32],
) {
    let targets = epilogue.extent;
    let epilogue = epilogue.checked(gather.images);
    products(path, winograd, gather, targets, epilogue, scratch);
}

fn products<P: Epilogue>(
    path: Path,
    winograd: &Winograd,
    gather: &Gather<'_, f32>,
    targets: Extent,
    epilogue: P,
    scratch: &mut [f32],
) {
    let (sources, depth) = (gather.sources.extent, gather.sources.length());
    gather.assert_sound(&targets, packed_len(depth, targets.stride));
    winograd.assert_fits(&gather.sources, &targets);
    let room = Room::products(winograd, &sources, &targets);
    let (left, sums) = scratch.split_at_mut(room.left_len());
    for block in winograd.blocks(gather.images, targets.group, room.tiles) {
        let values = Values {
            extent: sources,
            groups: gather.input,
            channels: 0..sources.stride,
            pixels: block.of(&winograd.sources, POINTS),
        };
        spread::spread::<Inputs, SIDE>(path, values, block, left, room.left_step());
        let mut channel = 0;
        while channel < targets.stride {
            let width = multiply::multiply(
                path,
                Multiplied {
                    values: left,
                    values_step: room.left_step(),
                    stride: sources.stride,
                    depth,
                    rows: block.tiles * block.rows,
                    weights: &gather.weights[POINTS * depth * channel..],
                    columns: targets.stride - channel,
                },
                sums,
                room.right_step(),
            );
            let collected = Collected {
                sums,
                step: room.right_step(),
                width,
                channel,
                pixels: block.of(&winograd.targets, TAKEN * TAKEN),
                extent: targets,
            };
            // SAFETY: `checked` compared the epilogue's buffers with the extent and the images;
            // tiles name pixels of that extent, `assert_fits` saw to it.
            #[expect(unsafe_code, reason = "the epilogue writes through pointers")]
            unsafe {
                collect::collect(path, collected, block, epilogue);
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
    path: Path,
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
    for from in (0..shape.inputs).step_by(room.left) {
        let taken = from..(from + room.left).min(inputs.stride);
        for to in (0..outputs.stride).step_by(room.right) {
            let given = to..(to + room.right).min(outputs.stride);
            let accumulated = Accumulated {
                inputs: taken.len().min(shape.inputs - from),
                stride: taken.len(),
                values_step: room.left_step(),
                outputs: given.len(),
                gradients_step: room.right_step(),
            };
            sums[..accumulated.len()].fill(0.0);
            for block in winograd.blocks(images, outputs.group, room.tiles) {
                let values = Values {
                    extent: inputs,
                    groups: input,
                    channels: taken.clone(),
                    pixels: block.of(&winograd.sources, POINTS),
                };
                spread::spread::<Inputs, SIDE>(path, values, block, left, room.left_step());
                let deltas = Values {
                    extent: outputs,
                    groups: gradient,
                    channels: given.clone(),
                    pixels: block.of(&winograd.targets, TAKEN * TAKEN),
                };
                spread::spread::<Gradients, TAKEN>(path, deltas, block, right, room.right_step());
                let rows = block.tiles * block.rows;
                multiply::accumulate(path, accumulated, rows, left, right, sums);
            }
            let corner = Corner {
                input: from,
                inputs: accumulated.inputs,
                channel: to,
                channels: given.len(),
                accumulate,
            };
            unpack(path, shape, corner, sums, weights);
        }
    }
}

impl Winograd {
    fn assert_fits(&self, sources: &Sources, targets: &Extent) {
        assert_eq!(*sources, Sources::pixels(sources.extent), "sources are pixels");
        assert_eq!(self.source_pixels, sources.extent.pixels, "tiles belong to these sources");
        assert_eq!(self.target_pixels, targets.pixels, "tiles belong to these targets");
    }
}
