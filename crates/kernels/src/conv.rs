//! Convolution forward, its input gradient and dense layers, in 32-bit floats.
//!
//! All three are the same: every target pixel sums, over its taps, (images × values) · (values ×
//! channels), in register tiles of some images × some vectors ([`super::tile`]); weights are packed
//! so that a tile reads them front to back ([`super::pack`]).
#![expect(unsafe_code, reason = "register tiles over raw pointers")]

use super::element::Activation;
use super::epilogue::{At, BackwardEpilogue, Epilogue, ForwardEpilogue};
use super::geometry::{Tap, Taps};
use super::isa::Dispatch;
use super::layout::{Extent, Sources, product};
use super::simd::{Kernel, Simd, run};
use super::tile::{self, Tile, add_product, width};

/// The sums of one layer over some images.
#[derive(Debug, Clone, Copy)]
pub struct Conv<'a, E> {
    /// Which sources every target sums over.
    pub taps: &'a Taps,
    /// Where the sources lie.
    pub sources: Sources,
    /// The sources.
    pub input: &'a [E],
    /// Packed weights: taps × channels of the sources × channels of the targets.
    pub weights: &'a [E],
    /// Number of images.
    pub images: usize,
}

impl<E: Activation> Conv<'_, E> {
    /// Panics unless every buffer is as large as the sums over `targets` need.
    pub(super) fn assert_sound(&self, targets: &Extent, packed_len: usize) {
        self.sources.extent.assert_holds(self.input.len(), self.images);
        self.sources.assert_hold(self.taps.last_source(), self.taps.sources());
        assert_eq!(self.taps.targets(), targets.pixels, "taps belong to these targets");
        assert_eq!(self.sources.extent.group, targets.group, "one grouping of images");
        assert!(
            self.weights.len() >= packed_len,
            "{} packed weights, expected {packed_len}",
            self.weights.len()
        );
    }
}

/// Computes a layer forward.
///
/// # Panics
/// If a buffer is too small.
pub fn conv_forward<T: Activation>(
    dispatch: Dispatch,
    conv: &Conv<'_, f32>,
    mut epilogue: ForwardEpilogue<'_, T>,
) {
    let targets = epilogue.extent;
    conv.assert_sound(&targets, packed_len(conv, &targets));
    let epilogue = epilogue.checked(conv.images);
    // SAFETY: all lengths were just checked.
    unsafe { run(dispatch, Tiles { conv, targets, epilogue }) }
}

/// Computes the gradient with respect to a layer's input.
///
/// # Panics
/// If a buffer is too small.
pub fn conv_input_gradient(
    dispatch: Dispatch,
    conv: &Conv<'_, f32>,
    mut epilogue: BackwardEpilogue<'_, f32>,
) {
    let targets = epilogue.extent;
    conv.assert_sound(&targets, packed_len(conv, &targets));
    let epilogue = epilogue.checked(conv.images);
    // SAFETY: all lengths were just checked.
    unsafe { run(dispatch, Tiles { conv, targets, epilogue }) }
}

fn packed_len(conv: &Conv<'_, f32>, targets: &Extent) -> usize {
    product(&[conv.taps.window_taps(), conv.sources.length, targets.stride])
}

struct Tiles<'a, P> {
    conv: &'a Conv<'a, f32>,
    targets: Extent,
    epilogue: P,
}

impl<P: Epilogue> Kernel for Tiles<'_, P> {
    type Output = ();

    #[inline(always)]
    unsafe fn run<S: Simd>(self) {
        let depth = self.conv.taps.window_taps() * self.conv.sources.length;
        let mut channel = 0;
        while channel < self.targets.stride {
            let wide = width::<S>(self.targets.stride - channel);
            // SAFETY: packed weights hold `depth` rows for every channel before this one; the
            // blocks below cover exactly the channels that are left.
            unsafe {
                let weights = self.conv.weights.as_ptr().add(depth * channel);
                match wide {
                    4 => self.block::<S, 4>(weights, channel),
                    2 => self.block::<S, 2>(weights, channel),
                    _ => self.block::<S, 1>(weights, channel),
                }
            }
            channel += wide * S::LANES;
        }
    }
}

impl<P: Epilogue> Tiles<'_, P> {
    /// Computes `WIDE` vectors of channels of every image and pixel.
    #[inline(always)]
    unsafe fn block<S: Simd, const WIDE: usize>(&self, weights: *const f32, channel: usize) {
        let conv = self.conv;
        for group in 0..self.targets.groups(conv.images) {
            let rows = self.targets.rows(conv.images, group);
            for pixel in 0..self.targets.pixels {
                let taps = conv.taps.of(pixel);
                let mut row = 0;
                while row < rows {
                    // SAFETY: the group, pixel and rows lie inside the checked buffers.
                    unsafe {
                        let input = conv.input.as_ptr().add(
                            group * conv.sources.extent.group_len()
                                + row * conv.sources.extent.stride,
                        );
                        let image = group * self.targets.group + row;
                        let offset = self.targets.offset(image, pixel) + channel;
                        let tile = TileAt { conv, taps, input, weights };
                        let at = At { offset, image, pixel, channel };
                        row += match tile::rows::<S>(WIDE, rows - row) {
                            8 => self.tile::<S, WIDE, 8>(&tile, at),
                            6 => self.tile::<S, WIDE, 6>(&tile, at),
                            4 => self.tile::<S, WIDE, 4>(&tile, at),
                            2 => self.tile::<S, WIDE, 2>(&tile, at),
                            _ => self.tile::<S, WIDE, 1>(&tile, at),
                        };
                    }
                }
            }
        }
    }

    #[inline(always)]
    unsafe fn tile<S: Simd, const WIDE: usize, const ROWS: usize>(
        &self,
        tile: &TileAt<'_>,
        at: At,
    ) -> usize {
        // SAFETY: the caller's promise.
        unsafe {
            let sums = tile.sum::<S, WIDE, ROWS>();
            for (vector, sums) in sums.into_iter().enumerate() {
                let step = vector * S::LANES;
                let at = At { offset: at.offset + step, channel: at.channel + step, ..at };
                self.epilogue.column::<S, ROWS>(sums, at);
            }
        }
        ROWS
    }
}

/// One register tile: some images of one target pixel, some vectors of channels.
struct TileAt<'a> {
    conv: &'a Conv<'a, f32>,
    taps: &'a [Tap],
    input: *const f32,
    weights: *const f32,
}

impl TileAt<'_> {
    #[inline(always)]
    unsafe fn sum<S: Simd, const WIDE: usize, const ROWS: usize>(&self) -> Tile<S, WIDE, ROWS> {
        let Sources { extent, step, length, .. } = self.conv.sources;
        let tap_step = length * WIDE * S::LANES;
        // SAFETY: taps name sources and weights inside the checked buffers; a tile never has more
        // rows than its group has left.
        unsafe {
            let mut sums = [[S::splat(0.0); ROWS]; WIDE];
            for tap in self.taps {
                let mut input = self.input.add(tap.source as usize * step);
                let mut weights = self.weights.add(tap.index as usize * tap_step);
                for _ in 0..length {
                    add_product::<S, WIDE, ROWS>(&mut sums, input, extent.stride, weights);
                    input = input.add(1);
                    weights = weights.add(WIDE * S::LANES);
                }
            }
            sums
        }
    }
}
