//! The transforms of F(4×4, 3×3), for the points 0, ±√½, ±√2 and ∞.
//!
//! In the notation of Lavin & Gray (2016), `Y = Aᵀ [(G g Gᵀ) ⊙ (Bᵀ d B)] A`: every transform
//! multiplies a square from both sides by one of the small matrices, or by one transposed. Their
//! points 0, ±1, ±2 and ∞ weigh the last targets of a tile eightfold; with these, whose product is 1,
//! sums over 64 channels are off by half as much in the mean and by a fifth as much at most, hardly
//! more than direct sums (Barabasz et al. 2020, "Error analysis and improving the accuracy of
//! Winograd convolution for deep neural networks", on the choice of points).
#![expect(unsafe_code, reason = "vector instructions")]

use std::f32::consts::{FRAC_1_SQRT_2 as ROOT_HALF, SQRT_2};

use super::super::simd::Simd;
use super::{INPUT_TILE, KERNEL, OUTPUT_TILE};

/// A transform along one dimension.
pub(super) trait Line<const FROM: usize, const TO: usize> {
    /// Transforms one line of a square.
    ///
    /// # Safety
    /// The machine has the instructions of `S`.
    unsafe fn line<S: Simd>(values: [S::Vector; FROM]) -> [S::Vector; TO];
}

/// Where the values of a square lie.
pub(super) trait Square {
    /// Loads the vector in row `y` and column `x`.
    ///
    /// # Safety
    /// The machine has the instructions of `S`, and the vector is readable.
    unsafe fn load<S: Simd>(&self, y: usize, x: usize) -> S::Vector;
}

/// Transforms the columns of a square; its rows are left to the caller, who stores them one by one.
///
/// # Safety
/// The machine has the instructions of `S`, and the whole square is readable.
#[inline(always)]
pub(super) unsafe fn columns<S: Simd, L: Line<FROM, TO>, const FROM: usize, const TO: usize>(
    square: &impl Square,
) -> [[S::Vector; FROM]; TO] {
    // SAFETY: the caller's promise.
    unsafe {
        let zero = S::splat(0.0);
        let mut rows = [[zero; FROM]; TO];
        for x in 0..FROM {
            let mut line = [zero; FROM];
            for y in 0..FROM {
                line[y] = square.load::<S>(y, x);
            }
            let line = L::line::<S>(line);
            for y in 0..TO {
                rows[y][x] = line[y];
            }
        }
        rows
    }
}

/// A square in the matrices of all points: one value of each.
pub(super) struct AtPoints {
    /// The value of the first point.
    pub(super) from: *const f32,
    /// From one point's matrix to the next.
    pub(super) step: usize,
}

impl Square for AtPoints {
    #[inline(always)]
    unsafe fn load<S: Simd>(&self, y: usize, x: usize) -> S::Vector {
        // SAFETY: the caller's promise.
        unsafe { S::load(self.from.add((y * INPUT_TILE + x) * self.step)) }
    }
}

/// `Bᵀ d`: six sources at six points.
pub(super) struct Sources;

impl Line<INPUT_TILE, INPUT_TILE> for Sources {
    #[inline(always)]
    unsafe fn line<S: Simd>(d: [S::Vector; INPUT_TILE]) -> [S::Vector; INPUT_TILE] {
        // SAFETY: the caller's promise.
        unsafe {
            let (minus_two, minus_half) = (S::splat(-2.0), S::splat(-0.5));
            let middle = S::splat(-2.5);
            let (even, odd) = (S::fma(minus_two, d[2], d[4]), S::fma(minus_two, d[1], d[3]));
            let (near, far) = (S::fma(minus_half, d[2], d[4]), S::fma(minus_half, d[1], d[3]));
            [
                S::fma(middle, d[2], S::add(d[0], d[4])),
                S::fma(S::splat(ROOT_HALF), odd, even),
                S::fma(S::splat(-ROOT_HALF), odd, even),
                S::fma(S::splat(SQRT_2), far, near),
                S::fma(S::splat(-SQRT_2), far, near),
                S::fma(middle, d[3], S::add(d[1], d[5])),
            ]
        }
    }
}

/// `Aᵀ m`: sums at six points as four targets.
pub(super) struct Targets;

impl Line<INPUT_TILE, OUTPUT_TILE> for Targets {
    #[inline(always)]
    unsafe fn line<S: Simd>(m: [S::Vector; INPUT_TILE]) -> [S::Vector; OUTPUT_TILE] {
        // SAFETY: the caller's promise.
        unsafe {
            let (half, two) = (S::splat(0.5), S::splat(2.0));
            let (sum, difference) = (S::add(m[1], m[2]), S::sub(m[1], m[2]));
            let (sum_two, difference_two) = (S::add(m[3], m[4]), S::sub(m[3], m[4]));
            let cube = S::fma(S::splat(2.0 * SQRT_2), difference_two, m[5]);
            [
                S::add(m[0], S::add(sum, sum_two)),
                S::mul(S::splat(ROOT_HALF), S::fma(two, difference_two, difference)),
                S::fma(two, sum_two, S::mul(half, sum)),
                S::fma(S::splat(0.5 * ROOT_HALF), difference, cube),
            ]
        }
    }
}

/// `A y`: gradients of four targets as gradients of the sums at six points.
pub(super) struct Gradients;

impl Line<OUTPUT_TILE, INPUT_TILE> for Gradients {
    #[inline(always)]
    unsafe fn line<S: Simd>(y: [S::Vector; OUTPUT_TILE]) -> [S::Vector; INPUT_TILE] {
        // SAFETY: the caller's promise.
        unsafe {
            let (half, two) = (S::splat(0.5), S::splat(2.0));
            let (even, odd) = (S::fma(half, y[2], y[0]), S::fma(half, y[3], y[1]));
            let (even_two, odd_two) = (S::fma(two, y[2], y[0]), S::fma(two, y[3], y[1]));
            [
                y[0],
                S::fma(S::splat(ROOT_HALF), odd, even),
                S::fma(S::splat(-ROOT_HALF), odd, even),
                S::fma(S::splat(SQRT_2), odd_two, even_two),
                S::fma(S::splat(-SQRT_2), odd_two, even_two),
                y[3],
            ]
        }
    }
}

/// `G g`: three weights at six points.
pub(super) struct Weights;

impl Line<KERNEL, INPUT_TILE> for Weights {
    #[inline(always)]
    unsafe fn line<S: Simd>(g: [S::Vector; KERNEL]) -> [S::Vector; INPUT_TILE] {
        // SAFETY: the caller's promise.
        unsafe {
            let third = S::splat(1.0 / 3.0);
            let outer = S::fma(S::splat(-1.0 / 3.0), g[2], S::mul(S::splat(-2.0 / 3.0), g[0]));
            let middle = S::mul(S::splat(-SQRT_2 / 3.0), g[1]);
            let far = S::fma(third, g[2], S::mul(S::splat(1.0 / 6.0), g[0]));
            let near = S::mul(S::splat(SQRT_2 / 6.0), g[1]);
            [
                g[0],
                S::add(outer, middle),
                S::sub(outer, middle),
                S::add(far, near),
                S::sub(far, near),
                g[2],
            ]
        }
    }
}

/// `Gᵀ w`: gradients at six points as gradients of three weights.
pub(super) struct WeightGradients;

impl Line<INPUT_TILE, KERNEL> for WeightGradients {
    #[inline(always)]
    unsafe fn line<S: Simd>(w: [S::Vector; INPUT_TILE]) -> [S::Vector; KERNEL] {
        // SAFETY: the caller's promise.
        unsafe {
            let (sum, difference) = (S::add(w[1], w[2]), S::sub(w[1], w[2]));
            let (sum_two, difference_two) = (S::add(w[3], w[4]), S::sub(w[3], w[4]));
            let middle = S::mul(S::splat(-SQRT_2 / 3.0), difference);
            [
                S::fma(S::splat(1.0 / 6.0), sum_two, S::fma(S::splat(-2.0 / 3.0), sum, w[0])),
                S::fma(S::splat(SQRT_2 / 6.0), difference_two, middle),
                S::fma(S::splat(1.0 / 3.0), S::sub(sum_two, sum), w[5]),
            ]
        }
    }
}
