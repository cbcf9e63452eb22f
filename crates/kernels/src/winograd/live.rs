//! Which targets sum over anything but zeros.
//!
//! A tile mixes 6×6 sources, and what it adds for those outside of a target's window cancels only
//! up to rounding. A target whose own sources are all 0 must be exactly 0, as a direct sum is: with
//! biases at 0, half of the remainders would pass for positive and let gradients through a `ReLU`
//! that has none (black regions of an image, at every first step).
#![expect(unsafe_code, reason = "vector loads through pointers")]

use super::super::isa::Dispatch;
use super::super::layout::Extent;
use super::super::simd::{Kernel, Simd, run};
use super::tiling::Part;
use super::{Block, INPUT_TILE, KERNEL, OUTPUT_TILE, OUTSIDE, POINTS, Winograd};

/// Marks a pixel that was not looked at yet.
const UNSEEN: u64 = u64::MAX;

/// Most images in a group: each has one bit, and all of them together are not [`UNSEEN`].
const MAX_GROUP: usize = 32;

/// For every target of a tile, the images of the group in which it is no sum of zeros alone; all
/// images where there is no target.
pub(super) type LiveTargets = [u32; OUTPUT_TILE * OUTPUT_TILE];

/// Looks at every source once a group, just before it is transformed.
pub(super) struct Live {
    /// Group whose sources were looked at.
    group: usize,
    /// For every source pixel, the images in which a channel is not 0, or [`UNSEEN`].
    sources: Vec<u64>,
    /// Of the tiles of the last block.
    targets: Vec<LiveTargets>,
}

impl Live {
    /// Prepares for blocks of up to `tiles` tiles.
    ///
    /// # Panics
    /// If a group has more than 32 images.
    pub(super) fn new(sources: &Extent, tiles: usize) -> Self {
        assert!(sources.group <= MAX_GROUP, "a group has at most 32 images, found {sources:?}");
        Self {
            group: usize::MAX,
            sources: vec![UNSEEN; sources.pixels],
            targets: vec![[0; OUTPUT_TILE * OUTPUT_TILE]; tiles],
        }
    }

    /// Returns the live targets of the tiles of a block.
    ///
    /// # Panics
    /// If a buffer is too small.
    pub(super) fn of_block(
        &mut self,
        dispatch: Dispatch,
        winograd: &Winograd,
        extent: Extent,
        groups: &[f32],
        block: Block,
    ) -> &[LiveTargets] {
        if self.group != block.group {
            self.group = block.group;
            self.sources.fill(UNSEEN);
        }
        assert!(block.rows <= extent.group && self.sources.len() == extent.pixels, "one group");
        let group = &groups[block.group * extent.group_len()..][..extent.group_len()];
        let targets = &mut self.targets[..block.tiles];
        for (target, &pixel) in targets
            .as_flattened_mut()
            .iter_mut()
            .zip(block.of(winograd.targets(), OUTPUT_TILE * OUTPUT_TILE))
        {
            *target = if pixel == OUTSIDE { u32::MAX } else { 0 };
        }
        let parts = winograd.parts();
        // SAFETY: the group holds every pixel and image of the extent.
        unsafe {
            run(
                dispatch,
                Look { parts, extent, group, block, sources: &mut self.sources, targets },
            );
        }
        &self.targets[..block.tiles]
    }
}

struct Look<'a> {
    parts: &'a [Part],
    extent: Extent,
    group: &'a [f32],
    block: Block,
    sources: &'a mut [u64],
    targets: &'a mut [LiveTargets],
}

impl Kernel for Look<'_> {
    type Output = ();

    #[inline(always)]
    unsafe fn run<S: Simd>(self) {
        for (tile, targets) in self.targets.iter_mut().enumerate() {
            for part in self.parts {
                let pixels = &part.sources[(self.block.first + tile) * POINTS..][..POINTS];
                let mut sources = [0; POINTS];
                for (live, &pixel) in sources.iter_mut().zip(pixels) {
                    if pixel != OUTSIDE {
                        let seen = &mut self.sources[pixel as usize];
                        if *seen == UNSEEN {
                            // SAFETY: the table names a pixel of the extent, as indexing showed.
                            *seen = unsafe {
                                look::<S>(self.group, &self.extent, pixel as usize, self.block.rows)
                            };
                        }
                        *live = *seen as u32;
                    }
                }
                add_windows(part, &sources, targets);
            }
        }
    }
}

/// Returns one bit for every image whose pixel has a channel that is not 0.
///
/// # Safety
/// The machine has the instructions of `S`; the group holds `rows` images and the pixel.
#[inline(always)]
unsafe fn look<S: Simd>(group: &[f32], extent: &Extent, pixel: usize, rows: usize) -> u64 {
    let mut live = 0;
    for row in 0..rows {
        let first = (pixel * extent.group + row) * extent.stride;
        let mut channel = 0;
        // SAFETY: the caller's promise; a stride is whole vectors.
        unsafe {
            while channel < extent.stride {
                if S::any_nonzero(S::load(group.as_ptr().add(first + channel))) {
                    live |= 1 << row;
                    break;
                }
                channel += S::LANES;
            }
        }
    }
    live
}

/// Adds the sources in the 3×3 window of every target, as far as these have weights.
#[inline(always)]
fn add_windows(part: &Part, sources: &[u32; POINTS], targets: &mut LiveTargets) {
    // A window lacks weights by whole rows and columns.
    let all = |has_weight: bool| if has_weight { u32::MAX } else { 0 };
    let mut rows = [0; INPUT_TILE * OUTPUT_TILE];
    for column in 0..KERNEL {
        let mask = all((0..KERNEL).any(|row| part.taps[row * KERNEL + column] != OUTSIDE));
        for y in 0..INPUT_TILE {
            for x in 0..OUTPUT_TILE {
                rows[y * OUTPUT_TILE + x] |= sources[y * INPUT_TILE + x + column] & mask;
            }
        }
    }
    for row in 0..KERNEL {
        let mask = all((0..KERNEL).any(|column| part.taps[row * KERNEL + column] != OUTSIDE));
        for y in 0..OUTPUT_TILE {
            for x in 0..OUTPUT_TILE {
                targets[y * OUTPUT_TILE + x] |= rows[(y + row) * OUTPUT_TILE + x] & mask;
            }
        }
    }
}
