//! Max- and average-pooling.
//!
//! A max-pool remembers which tap of the window won, in one byte; among equals the first in
//! row-major order wins, so exactly one tap receives the gradient.
#![expect(unsafe_code, reason = "vector loads and stores through pointers")]

use super::dropout::Dropout;
use super::element::Activation;
use super::epilogue::{Affine, At, BackwardEpilogue, Epilogue};
use super::geometry::Taps;
use super::isa::Dispatch;
use super::layout::Extent;
use super::simd::{Kernel, Simd, run};

/// Winner of a window whose gradient stops at a ReLU.
const NOBODY: u8 = u8::MAX;

/// Images pooled at a time.
const ROWS: usize = 4;

/// Largest number of taps in a max-pool's window.
pub const MAX_TAPS: usize = NOBODY as usize;

/// What a pool takes from its window.
#[derive(Debug)]
pub enum PoolKind<'a> {
    /// The largest value.
    Max {
        /// Receives the winners, one per value of the output; absent: not wanted.
        winners: Option<&'a mut [u8]>,
        /// Whether the values came from a ReLU, which lets no gradient through at zero.
        rectified: bool,
    },
    /// The sum of the taps that are not padding, each times the share of its output pixel.
    Average {
        /// What one tap counts, one value per output pixel; see [`Taps::shares`].
        shares: &'a [f32],
    },
}

/// A pool forward: `dropout(pool([relu](scale · input + shift)))`.
#[derive(Debug)]
pub struct PoolForward<'a, E> {
    /// Taps of the outputs.
    pub taps: &'a Taps,
    /// Number of images.
    pub images: usize,
    /// Extent of the inputs.
    pub inputs: Extent,
    /// The inputs.
    pub input: &'a [E],
    /// Normalisation applied to the inputs first.
    pub affine: Option<Affine<'a>>,
    /// Whether the normalised inputs are cut at zero.
    pub relu: bool,
    /// What is taken.
    pub kind: PoolKind<'a>,
    /// Mask applied to the result.
    pub dropout: Option<Dropout>,
    /// Index of the first image in the batch, for the dropout mask.
    pub first_image: usize,
    /// Extent of the outputs.
    pub outputs: Extent,
    /// Receives the result.
    pub output: &'a mut [E],
}

/// Pools forward.
///
/// # Panics
/// If a buffer is too small.
pub fn pool_forward<E: Activation>(dispatch: Dispatch, mut pool: PoolForward<'_, E>) {
    pool.inputs.assert_holds(pool.input.len(), pool.images);
    pool.outputs.assert_holds(pool.output.len(), pool.images);
    assert_pair(pool.taps.sources(), pool.taps.targets(), &pool.inputs, &pool.outputs);
    match &mut pool.kind {
        PoolKind::Max { winners, .. } => {
            assert!(pool.taps.window_taps() <= MAX_TAPS, "a winner fits a byte");
            if let Some(winners) = winners {
                pool.outputs.assert_holds(winners.len(), pool.images);
            }
        }
        PoolKind::Average { shares } => assert_shares(shares, &pool.outputs),
    }
    if let Some(affine) = pool.affine {
        let stride = pool.inputs.stride;
        assert!(affine.scale.len() >= stride && affine.shift.len() >= stride, "a value each");
    }
    // SAFETY: all lengths were just checked.
    unsafe { run(dispatch, pool) }
}

fn assert_shares(shares: &[f32], outputs: &Extent) {
    assert!(shares.len() >= outputs.pixels, "one share an output pixel");
}

fn assert_pair(sources: usize, targets: usize, inputs: &Extent, outputs: &Extent) {
    assert_eq!((sources, targets), (inputs.pixels, outputs.pixels), "taps belong to the extents");
    assert_eq!(
        (inputs.group, inputs.stride, inputs.channels),
        (outputs.group, outputs.stride, outputs.channels),
        "a pool keeps channels and grouping"
    );
}

impl<E: Activation> Kernel for PoolForward<'_, E> {
    type Output = ();

    #[inline(always)]
    unsafe fn run<S: Simd>(mut self) {
        let winners = match &mut self.kind {
            PoolKind::Max { winners: Some(winners), .. } => Some(winners.as_mut_ptr()),
            _ => None,
        };
        let output = self.output.as_mut_ptr();
        for group in 0..self.outputs.groups(self.images) {
            let rows = self.outputs.rows(self.images, group);
            for pixel in 0..self.outputs.pixels {
                for channel in (0..self.outputs.stride).step_by(S::LANES) {
                    let mut row = 0;
                    while row < rows {
                        let image = group * self.outputs.group + row;
                        let offset = self.outputs.offset(image, pixel) + channel;
                        let at = At { offset, image, pixel, channel };
                        // SAFETY: the rows from `at` on lie inside the checked buffers.
                        row += unsafe {
                            if rows - row >= ROWS {
                                self.rows::<S, ROWS>(at, output, winners)
                            } else {
                                self.rows::<S, 1>(at, output, winners)
                            }
                        };
                    }
                }
            }
        }
    }
}

impl<E: Activation> PoolForward<'_, E> {
    /// Pools some consecutive images at one pixel.
    #[inline(always)]
    unsafe fn rows<S: Simd, const COUNT: usize>(
        &self,
        at: At,
        output: *mut E,
        winners: Option<*mut u8>,
    ) -> usize {
        let stride = self.outputs.stride;
        // SAFETY: the caller's promise.
        unsafe {
            let (mut values, indices) = self.windows::<S, COUNT>(at);
            if let Some(winners) = winners {
                for (row, index) in indices.iter().enumerate() {
                    S::store_bytes(winners.add(at.offset + row * stride), *index);
                }
            }
            if let Some(dropout) = self.dropout {
                for (row, value) in values.iter_mut().enumerate() {
                    let image = self.first_image + at.image + row;
                    let index = Dropout::index(&self.outputs, image, at.pixel, at.channel);
                    *value = dropout.apply::<S>(*value, index);
                }
            }
            for (row, value) in values.iter().enumerate() {
                E::store::<S>(output.add(at.offset + row * stride), *value);
            }
        }
        COUNT
    }

    /// Returns the pooled values and the indices of the winning taps.
    #[inline(always)]
    unsafe fn windows<S: Simd, const COUNT: usize>(
        &self,
        at: At,
    ) -> ([S::Vector; COUNT], [S::Vector; COUNT]) {
        let (stride, step) = (self.inputs.stride, self.inputs.group * self.inputs.stride);
        let taps = self.taps.of(at.pixel);
        // SAFETY: taps name pixels inside the checked input.
        unsafe {
            let source = self.input.as_ptr().add(self.inputs.offset(at.image, 0) + at.channel);
            let zero = S::splat(0.0);
            let nobody = S::splat(f32::from(NOBODY));
            let (scale, shift) = match self.affine {
                Some(affine) => (
                    S::load(affine.scale.as_ptr().add(at.channel)),
                    S::load(affine.shift.as_ptr().add(at.channel)),
                ),
                None => (S::splat(1.0), zero),
            };
            let is_max = matches!(self.kind, PoolKind::Max { .. });
            let mut best = [if is_max { S::splat(f32::NEG_INFINITY) } else { zero }; COUNT];
            let mut winner = [nobody; COUNT];
            for tap in taps {
                let from = source.add(tap.source as usize * step);
                let index = S::splat(tap.index as f32);
                for row in 0..COUNT {
                    let mut value = S::fma(E::load::<S>(from.add(row * stride)), scale, shift);
                    if self.relu {
                        value = S::max(zero, value);
                    }
                    if is_max {
                        winner[row] = S::select(S::greater(value, best[row]), index, winner[row]);
                        best[row] = S::max(value, best[row]);
                    } else {
                        best[row] = S::add(best[row], value);
                    }
                }
            }
            for (best, winner) in best.iter_mut().zip(&mut winner) {
                match &self.kind {
                    &PoolKind::Max { rectified, .. } => {
                        if rectified {
                            *winner = S::select(S::greater(*best, zero), *winner, nobody);
                        }
                        // A window of padding only, or of NaN only.
                        let found = S::greater(*best, S::splat(f32::NEG_INFINITY));
                        let none = S::splat(if taps.is_empty() { 0.0 } else { f32::NAN });
                        *best = S::select(found, *best, none);
                    }
                    PoolKind::Average { shares } => {
                        *best = S::mul(*best, S::splat(*shares.as_ptr().add(at.pixel)));
                    }
                }
            }
            (best, winner)
        }
    }
}

/// A pool backward.
#[derive(Debug)]
pub struct PoolBackward<'a, E> {
    /// Taps of the gradient with respect to the inputs.
    pub taps: &'a Taps,
    /// Number of images.
    pub images: usize,
    /// Extent of the outputs.
    pub outputs: Extent,
    /// Gradient of the outputs.
    pub gradient: &'a [E],
    /// The winners of a max-pool; absent for an average.
    pub winners: Option<&'a [u8]>,
    /// For an average: what one tap counts, one value per output pixel.
    pub shares: &'a [f32],
}

/// Hands the gradient of a pool's output to its input, through a backward epilogue.
///
/// # Panics
/// If a buffer is too small.
pub fn pool_backward<E: Activation>(
    dispatch: Dispatch,
    pool: &PoolBackward<'_, E>,
    mut epilogue: BackwardEpilogue<'_, E>,
) {
    let inputs = epilogue.extent;
    pool.outputs.assert_holds(pool.gradient.len(), pool.images);
    assert_pair(pool.taps.targets(), pool.taps.sources(), &inputs, &pool.outputs);
    match pool.winners {
        Some(winners) => pool.outputs.assert_holds(winners.len(), pool.images),
        None => assert_shares(pool.shares, &pool.outputs),
    }
    let epilogue = epilogue.checked(pool.images);
    // SAFETY: all lengths were just checked.
    unsafe { run(dispatch, Scatter { pool, inputs, epilogue }) }
}

struct Scatter<'a, E, P> {
    pool: &'a PoolBackward<'a, E>,
    inputs: Extent,
    epilogue: P,
}

impl<E: Activation, P: Epilogue> Kernel for Scatter<'_, E, P> {
    type Output = ();

    #[inline(always)]
    unsafe fn run<S: Simd>(self) {
        for group in 0..self.inputs.groups(self.pool.images) {
            let rows = self.inputs.rows(self.pool.images, group);
            for pixel in 0..self.inputs.pixels {
                for channel in (0..self.inputs.stride).step_by(S::LANES) {
                    let mut row = 0;
                    while row < rows {
                        let image = group * self.inputs.group + row;
                        let offset = self.inputs.offset(image, pixel) + channel;
                        let at = At { offset, image, pixel, channel };
                        // SAFETY: the rows from `at` on lie inside the checked buffers.
                        row += unsafe {
                            if rows - row >= ROWS {
                                self.rows::<S, ROWS>(at)
                            } else {
                                self.rows::<S, 1>(at)
                            }
                        };
                    }
                }
            }
        }
    }
}

impl<E: Activation, P: Epilogue> Scatter<'_, E, P> {
    /// Collects the gradient of some consecutive images at one input pixel.
    #[inline(always)]
    unsafe fn rows<S: Simd, const COUNT: usize>(&self, at: At) -> usize {
        let pool = self.pool;
        let (stride, step) = (pool.outputs.stride, pool.outputs.group * pool.outputs.stride);
        let from = pool.outputs.offset(at.image, 0) + at.channel;
        // SAFETY: taps name pixels inside the checked buffers.
        unsafe {
            let zero = S::splat(0.0);
            let mut sums = [zero; COUNT];
            for tap in pool.taps.of(at.pixel) {
                let from = from + tap.source as usize * step;
                let index = S::splat(tap.index as f32);
                for (row, sum) in sums.iter_mut().enumerate() {
                    let at = from + row * stride;
                    let delta = E::load::<S>(pool.gradient.as_ptr().add(at));
                    let delta = if let Some(winners) = pool.winners {
                        let winner = S::load_bytes(winners.as_ptr().add(at));
                        S::select(S::equal(winner, index), delta, zero)
                    } else {
                        let share = *pool.shares.as_ptr().add(tap.source as usize);
                        S::mul(delta, S::splat(share))
                    };
                    *sum = S::add(*sum, delta);
                }
            }
            self.epilogue.column::<S, COUNT>(sums, at);
        }
        COUNT
    }
}
