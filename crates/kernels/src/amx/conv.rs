//! Convolution forward, its input gradient and dense layers, in tiles.
#![expect(unsafe_code, reason = "tiles over raw pointers")]

use half::bf16;

use super::super::conv::Conv;
use super::super::element::Activation;
use super::super::epilogue::{At, BackwardEpilogue, Epilogue, ForwardEpilogue};
use super::super::isa::Dispatch;
use super::super::layout::{Extent, Sources, TILE_STEP, product};
use super::super::simd::{Kernel, Simd, run};
use super::tiles::{Sums, Unit};
use super::{TILE_ROWS, TILE_VALUES};

/// Computes a layer forward.
pub(super) fn conv_forward<T: Activation>(
    dispatch: Dispatch,
    conv: &Conv<'_, bf16>,
    mut epilogue: ForwardEpilogue<'_, T>,
) {
    let targets = epilogue.extent;
    assert_tiled(conv, &targets);
    let epilogue = epilogue.checked(conv.images);
    // SAFETY: all lengths were just checked.
    unsafe { run(dispatch, Tiles { conv, targets, epilogue }) }
}

/// Computes the gradient with respect to a layer's input.
pub(super) fn conv_input_gradient(
    dispatch: Dispatch,
    conv: &Conv<'_, bf16>,
    mut epilogue: BackwardEpilogue<'_, bf16>,
) {
    let targets = epilogue.extent;
    assert_tiled(conv, &targets);
    let epilogue = epilogue.checked(conv.images);
    // SAFETY: all lengths were just checked.
    unsafe { run(dispatch, Tiles { conv, targets, epilogue }) }
}

fn assert_tiled(conv: &Conv<'_, bf16>, targets: &Extent) {
    let length = conv.sources.length.next_multiple_of(TILE_STEP);
    conv.assert_sound(targets, product(&[conv.taps.window_taps(), length, targets.stride]));
    assert!(
        conv.sources.extent.stride.is_multiple_of(TILE_STEP)
            && targets.stride.is_multiple_of(TILE_STEP)
            && targets.group == super::GROUP,
        "tiles need whole rows, found {:?} and {targets:?}",
        conv.sources
    );
    conv.sources.assert_hold_steps(conv.taps.last_source(), TILE_STEP);
}

struct Tiles<'a, P> {
    conv: &'a Conv<'a, bf16>,
    targets: Extent,
    epilogue: P,
}

impl<P: Epilogue> Kernel for Tiles<'_, P> {
    type Output = ();

    #[inline(always)]
    unsafe fn run<S: Simd>(self) {
        let (conv, targets) = (self.conv, self.targets);
        let Sources { extent, step, length, .. } = conv.sources;
        let depth = length.div_ceil(TILE_STEP);
        let tap_step = depth * 2 * TILE_VALUES;
        let row_bytes = extent.stride * size_of::<bf16>();
        let chunk = self.chunk();
        let mut sums = Sums([0.0; 1024]);
        // SAFETY: only AMX paths come here; every tile lies inside the checked buffers, which
        // hold whole groups. Where `length` is no multiple of a tile row, rows reach into what
        // follows, which was checked too, and meet weights of zero.
        unsafe {
            let unit = Unit::configure();
            let mut waiting = Waiting { rows: 0, part: PARTS, at: At::default() };
            for group in 0..targets.groups(conv.images) {
                let rows = targets.rows(conv.images, group);
                let input = conv.input.as_ptr().add(group * extent.group_len());
                for begin in (0..targets.pixels).step_by(chunk) {
                    let end = (begin + chunk).min(targets.pixels);
                    for block in 0..targets.stride / 32 {
                        let weights =
                            conv.weights.as_ptr().add(block * conv.taps.window_taps() * tap_step);
                        for pixel in begin..end {
                            unit.clear();
                            for tap in conv.taps.of(pixel) {
                                let mut left = input.add(tap.source as usize * step);
                                let mut right = weights.add(tap.index as usize * tap_step);
                                for _ in 0..depth {
                                    let lower = left.byte_add(TILE_ROWS * row_bytes);
                                    unit.multiply([left, lower], row_bytes, right);
                                    left = left.add(32);
                                    right = right.add(2 * TILE_VALUES);
                                }
                                // The unit multiplies while the vectors finish the pixel before.
                                self.finish::<S>(&sums, &mut waiting);
                            }
                            while waiting.part < PARTS {
                                self.finish::<S>(&sums, &mut waiting);
                            }
                            unit.store(&mut sums);
                            let image = group * targets.group;
                            let channel = block * 32;
                            let offset = targets.offset(image, pixel) + channel;
                            let at = At { offset, image, pixel, channel };
                            waiting = Waiting { rows, part: 0, at };
                        }
                    }
                }
            }
            while waiting.part < PARTS {
                self.finish::<S>(&sums, &mut waiting);
            }
        }
    }
}

/// Bytes of input that should stay in the second cache while every block of channels is summed
/// over it.
const CHUNK_BYTES: usize = 256 * 1024;

/// Tiles of sums of a pixel.
const PARTS: usize = 4;

/// Stored sums of a pixel whose epilogue is not through.
struct Waiting {
    rows: usize,
    /// The next tile.
    part: usize,
    at: At,
}

impl<P: Epilogue> Tiles<'_, P> {
    /// Returns the number of target pixels summed for one block of channels after another.
    fn chunk(&self) -> usize {
        let extent = self.conv.sources.extent;
        let pixel = extent.group * extent.stride * size_of::<bf16>();
        // Targets lie as dense as sources, or denser where they are gradients of larger inputs.
        let bytes = pixel * extent.pixels.div_ceil(self.targets.pixels.max(1)).max(1);
        (CHUNK_BYTES / bytes).max(1)
    }

    /// Hands the next tile of stored sums to the epilogue.
    #[inline(always)]
    unsafe fn finish<S: Simd>(&self, sums: &Sums, waiting: &mut Waiting) {
        let part = waiting.part;
        if part == PARTS {
            return;
        }
        waiting.part += 1;
        let first = part / 2 * TILE_ROWS;
        let rows = waiting.rows.saturating_sub(first).min(TILE_ROWS);
        let mut channel = 0;
        while channel < 16 {
            let at = At {
                offset: waiting.at.offset + first * self.targets.stride + part % 2 * 16 + channel,
                image: waiting.at.image + first,
                channel: waiting.at.channel + part % 2 * 16 + channel,
                ..waiting.at
            };
            // SAFETY: the tile holds 16 rows of 16 values; the caller's promise for `at`.
            unsafe {
                let from = sums.0.as_ptr().add(part * 256 + channel);
                if rows == TILE_ROWS {
                    let mut values = [S::splat(0.0); TILE_ROWS];
                    for (row, value) in values.iter_mut().enumerate() {
                        *value = S::load(from.add(row * 16));
                    }
                    self.epilogue.column::<S, TILE_ROWS>(values, at);
                } else {
                    for row in 0..rows {
                        let at = At {
                            offset: at.offset + row * self.targets.stride,
                            image: at.image + row,
                            ..at
                        };
                        let value = S::load(from.add(row * 16));
                        self.epilogue.column::<S, 1>([value], at);
                    }
                }
            }
            channel += S::LANES;
        }
    }
}
