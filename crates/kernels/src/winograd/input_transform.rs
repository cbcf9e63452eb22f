//! Tiles of an image at the points where they are multiplied.
#![expect(unsafe_code, reason = "vector loads and stores through pointers")]

use std::marker::PhantomData;
use std::ops::Range;

use super::super::isa::Dispatch;
use super::super::layout::Extent;
use super::super::simd::{Kernel, Simd, run};
use super::transforms::{Line, Square, columns};
use super::{Block, INPUT_TILE, OUTSIDE, POINTS};

/// Some channels of some tiles.
pub(super) struct Values<'a> {
    /// Extent of the values.
    pub(super) extent: Extent,
    /// All groups.
    pub(super) groups: &'a [f32],
    /// The channels to take, whole vectors of 16.
    pub(super) channels: Range<usize>,
    /// Pixels of the tiles, row by row.
    pub(super) pixels: &'a [u32],
}

/// Where a matrix lies, (tiles × images) × some columns for every point.
#[derive(Clone, Copy)]
pub(super) struct Matrix {
    /// The first of the columns.
    pub(super) column: usize,
    /// From one row to the next.
    pub(super) stride: usize,
    /// From one point's matrix to the next.
    pub(super) step: usize,
}

/// Transforms `TAKES × TAKES` pixels per tile and writes, for every point, the matrix
/// (tiles × images) × channels.
///
/// # Panics
/// If a buffer is too small.
pub(super) fn input_transform<L: Line<TAKES, INPUT_TILE>, const TAKES: usize>(
    dispatch: Dispatch,
    values: Values<'_>,
    block: Block,
    to: &mut [f32],
    matrix: Matrix,
) {
    let Values { extent, groups, channels, pixels } = values;
    let rows = block.tiles * block.rows;
    let group = &groups[block.group * extent.group_len()..][..extent.group_len()];
    assert_eq!(pixels.len(), block.tiles * TAKES * TAKES, "one source per pixel of a tile");
    let Matrix { column, stride, step } = matrix;
    assert!(column + channels.len() <= stride, "room for a row");
    assert!(rows * stride <= step && to.len() >= POINTS * step, "room for all points");
    assert!(channels.end <= extent.stride && channels.len() % 16 == 0, "whole vectors of channels");
    let tiles = Tiles::<'_, L, TAKES> {
        extent,
        group: group.as_ptr(),
        channels,
        pixels,
        rows: block.rows,
        to: to.as_mut_ptr(),
        matrix,
        line: PhantomData,
    };
    // SAFETY: all lengths were just checked; tables name pixels of the extent or `OUTSIDE`.
    unsafe { run(dispatch, tiles) }
}

struct Tiles<'a, L, const TAKES: usize> {
    extent: Extent,
    group: *const f32,
    channels: Range<usize>,
    pixels: &'a [u32],
    rows: usize,
    to: *mut f32,
    matrix: Matrix,
    line: PhantomData<L>,
}

/// What padding holds.
pub(super) static ZEROS: [f32; 16] = [0.0; 16];

impl<L: Line<TAKES, INPUT_TILE>, const TAKES: usize> Kernel for Tiles<'_, L, TAKES> {
    type Output = ();

    #[inline(always)]
    unsafe fn run<S: Simd>(self) {
        let pixel_len = self.extent.group * self.extent.stride;
        let width = self.channels.len();
        for (tile, pixels) in self.pixels.chunks_exact(TAKES * TAKES).enumerate() {
            let mut under =
                UnderTile::<TAKES> { from: [ZEROS.as_ptr(); POINTS], within: [0; POINTS], at: 0 };
            for (index, &pixel) in pixels.iter().enumerate() {
                if pixel != OUTSIDE {
                    let at = pixel as usize * pixel_len + self.channels.start;
                    // SAFETY: the pixel lies in the group.
                    under.from[index] = unsafe { self.group.add(at) };
                    under.within[index] = usize::MAX;
                }
            }
            for row in 0..self.rows {
                for column in (0..width).step_by(S::LANES) {
                    under.at = row * self.extent.stride + column;
                    let to =
                        (tile * self.rows + row) * self.matrix.stride + self.matrix.column + column;
                    // SAFETY: row and channels lie in the pixel, the offset in the matrices.
                    unsafe {
                        let rows = columns::<S, L, TAKES, INPUT_TILE>(&under);
                        for y in 0..INPUT_TILE {
                            let line = L::line::<S>(rows[y]);
                            for x in 0..INPUT_TILE {
                                S::store(
                                    self.to.add((y * INPUT_TILE + x) * self.matrix.step + to),
                                    line[x],
                                );
                            }
                        }
                    }
                }
            }
        }
    }
}

/// The pixels under a tile. Padding is read from one address, whatever the image and channel.
struct UnderTile<const TAKES: usize> {
    from: [*const f32; POINTS],
    /// All ones where there is a pixel, zero where there is padding.
    within: [usize; POINTS],
    /// Image and channel, from the start of a pixel.
    at: usize,
}

impl<const TAKES: usize> Square for UnderTile<TAKES> {
    #[inline(always)]
    unsafe fn load<S: Simd>(&self, y: usize, x: usize) -> S::Vector {
        let index = y * TAKES + x;
        // SAFETY: the caller's promise.
        unsafe { S::load(self.from[index].add(self.at & self.within[index])) }
    }
}
