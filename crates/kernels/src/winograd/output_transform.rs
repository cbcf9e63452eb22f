//! From the sums of all points to targets, and into the epilogue.
#![expect(unsafe_code, reason = "vector loads and stores through pointers")]

use super::super::epilogue::{At, Epilogue};
use super::super::isa::Dispatch;
use super::super::layout::Extent;
use super::super::simd::{Kernel, Simd, run};
use super::live::LiveTargets;
use super::transforms::{AtPoints, Line, Targets, columns};
use super::{Block, INPUT_TILE, OUTPUT_TILE, OUTSIDE, POINTS};

/// Sums of some channels of some tiles.
pub(super) struct Summed<'a> {
    /// For every point, (tiles × images) × channels.
    pub(super) sums: &'a [f32],
    /// From one point's sums to the next.
    pub(super) step: usize,
    /// Channels.
    pub(super) width: usize,
    /// The first of them.
    pub(super) channel: usize,
    /// Pixels of the tiles, 4×4 each.
    pub(super) pixels: &'a [u32],
    /// Where these are no sums of zeros alone, which are exactly 0.
    pub(super) live: &'a [LiveTargets],
    /// Extent of the targets.
    pub(super) extent: Extent,
}

/// Hands the targets of some tiles to `epilogue`.
///
/// # Safety
/// The epilogue takes any pixel of the tables, channel and image of the block.
///
/// # Panics
/// If a buffer is too small.
pub(super) unsafe fn output_transform<P: Epilogue>(
    dispatch: Dispatch,
    collected: Summed<'_>,
    block: Block,
    epilogue: P,
) {
    let Summed { sums, step, width, channel, pixels, live, extent } = collected;
    assert_eq!(pixels.len(), block.tiles * OUTPUT_TILE * OUTPUT_TILE, "one pixel a target");
    assert_eq!(live.len(), block.tiles, "one table a tile");
    assert!(block.tiles * block.rows * width <= step, "sums fit their matrix");
    assert!(sums.len() >= POINTS * step && channel + width <= extent.stride, "36 matrices");
    // SAFETY: all lengths were just checked; the rest is the caller's promise.
    unsafe { run(dispatch, Tiles { collected, block, epilogue }) }
}

struct Tiles<'a, P> {
    collected: Summed<'a>,
    block: Block,
    epilogue: P,
}

impl<P: Epilogue> Kernel for Tiles<'_, P> {
    type Output = ();

    #[inline(always)]
    unsafe fn run<S: Simd>(self) {
        for tile in 0..self.block.tiles {
            let mut row = 0;
            while row < self.block.rows {
                // SAFETY: a step never has more rows than are left.
                row += unsafe {
                    match self.block.rows - row {
                        4.. => self.rows::<S, 4>(tile, row),
                        2.. => self.rows::<S, 2>(tile, row),
                        _ => self.rows::<S, 1>(tile, row),
                    }
                };
            }
        }
    }
}

impl<P: Epilogue> Tiles<'_, P> {
    /// Finishes a tile of `ROWS` images, so that the epilogue sums over several at a time.
    #[inline(always)]
    unsafe fn rows<S: Simd, const ROWS: usize>(&self, tile: usize, row: usize) -> usize {
        let Summed { sums, step, width, channel, pixels, live, extent } = &self.collected;
        let pixels = &pixels[tile * OUTPUT_TILE * OUTPUT_TILE..][..OUTPUT_TILE * OUTPUT_TILE];
        let live = &live[tile];
        let mut all = u32::MAX;
        for images in live {
            all &= images >> row;
        }
        let are_live = all.trailing_ones() as usize >= ROWS;
        let image = self.block.group * extent.group + row;
        for column in (0..*width).step_by(S::LANES) {
            // SAFETY: tile, row and column lie in the checked matrices.
            unsafe {
                let zero = S::splat(0.0);
                let mut targets = [[zero; ROWS]; OUTPUT_TILE * OUTPUT_TILE];
                for image in 0..ROWS {
                    let start = (tile * self.block.rows + row + image) * width + column;
                    let points = AtPoints { from: sums.as_ptr().add(start), step: *step };
                    let lines = columns::<S, Targets, INPUT_TILE, OUTPUT_TILE>(&points);
                    for y in 0..OUTPUT_TILE {
                        let line = Targets::line::<S>(lines[y]);
                        for x in 0..OUTPUT_TILE {
                            targets[y * OUTPUT_TILE + x][image] = line[x];
                        }
                    }
                }
                if !are_live {
                    for target in 0..OUTPUT_TILE * OUTPUT_TILE {
                        for image in 0..ROWS {
                            if live[target] >> (row + image) & 1 == 0 {
                                targets[target][image] = zero;
                            }
                        }
                    }
                }
                for target in 0..OUTPUT_TILE * OUTPUT_TILE {
                    if pixels[target] == OUTSIDE {
                        continue;
                    }
                    let pixel = pixels[target] as usize;
                    let channel = channel + column;
                    let offset = extent.offset(image, pixel) + channel;
                    let at = At { offset, image, pixel, channel };
                    self.epilogue.column::<S, ROWS>(targets[target], at);
                }
            }
        }
        ROWS
    }
}
