//! The transforms of F(4×4, 3×3), for the points 0, ±1, ±2 and ∞.
//!
//! In the notation of Lavin & Gray (2016), `Y = Aᵀ [(G g Gᵀ) ⊙ (Bᵀ d B)] A`: every transform
//! multiplies a square from both sides by one of the small matrices, or by one transposed.
#![expect(unsafe_code, reason = "vector instructions")]

use super::super::simd::Simd;
use super::{KERNEL, SIDE, TAKEN};

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
    /// The machine has the instructions of `S`, and the place is readable.
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
        unsafe { S::load(self.from.add((y * SIDE + x) * self.step)) }
    }
}

/// `Bᵀ d`: six sources at six points.
pub(super) struct Sources;

impl Line<SIDE, SIDE> for Sources {
    #[inline(always)]
    unsafe fn line<S: Simd>(d: [S::Vector; SIDE]) -> [S::Vector; SIDE] {
        // SAFETY: the caller's promise.
        unsafe {
            let (two, four) = (S::splat(2.0), S::splat(4.0));
            let (minus_two, minus_four) = (S::splat(-2.0), S::splat(-4.0));
            let minus_five = S::splat(-5.0);
            let (even, odd) = (S::fma(minus_four, d[2], d[4]), S::fma(minus_four, d[1], d[3]));
            let (near, far) = (S::sub(d[4], d[2]), S::sub(d[3], d[1]));
            [
                S::fma(four, d[0], S::fma(minus_five, d[2], d[4])),
                S::add(even, odd),
                S::sub(even, odd),
                S::fma(two, far, near),
                S::fma(minus_two, far, near),
                S::fma(four, d[1], S::fma(minus_five, d[3], d[5])),
            ]
        }
    }
}

/// `Aᵀ m`: sums at six points as four targets.
pub(super) struct Targets;

impl Line<SIDE, TAKEN> for Targets {
    #[inline(always)]
    unsafe fn line<S: Simd>(m: [S::Vector; SIDE]) -> [S::Vector; TAKEN] {
        // SAFETY: the caller's promise.
        unsafe {
            let (sum, difference) = (S::add(m[1], m[2]), S::sub(m[1], m[2]));
            let (sum_two, difference_two) = (S::add(m[3], m[4]), S::sub(m[3], m[4]));
            [
                S::add(m[0], S::add(sum, sum_two)),
                S::fma(S::splat(2.0), difference_two, difference),
                S::fma(S::splat(4.0), sum_two, sum),
                S::add(S::fma(S::splat(8.0), difference_two, difference), m[5]),
            ]
        }
    }
}

/// `A y`: gradients of four targets as gradients of the sums at six points.
pub(super) struct Gradients;

impl Line<TAKEN, SIDE> for Gradients {
    #[inline(always)]
    unsafe fn line<S: Simd>(y: [S::Vector; TAKEN]) -> [S::Vector; SIDE] {
        // SAFETY: the caller's promise.
        unsafe {
            let (even, odd) = (S::add(y[0], y[2]), S::add(y[1], y[3]));
            let even_two = S::fma(S::splat(4.0), y[2], y[0]);
            let odd_two = S::fma(S::splat(4.0), y[3], y[1]);
            [
                y[0],
                S::add(even, odd),
                S::sub(even, odd),
                S::fma(S::splat(2.0), odd_two, even_two),
                S::fma(S::splat(-2.0), odd_two, even_two),
                y[3],
            ]
        }
    }
}

/// `G g`: three weights at six points.
pub(super) struct Weights;

impl Line<KERNEL, SIDE> for Weights {
    #[inline(always)]
    unsafe fn line<S: Simd>(g: [S::Vector; KERNEL]) -> [S::Vector; SIDE] {
        // SAFETY: the caller's promise.
        unsafe {
            let minus_sixth = S::splat(-1.0 / 6.0);
            let outer = S::mul(minus_sixth, S::add(g[0], g[2]));
            let middle = S::mul(minus_sixth, g[1]);
            let far = S::fma(S::splat(1.0 / 24.0), g[0], S::mul(S::splat(1.0 / 6.0), g[2]));
            let near = S::mul(S::splat(1.0 / 12.0), g[1]);
            [
                S::mul(S::splat(0.25), g[0]),
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

impl Line<SIDE, KERNEL> for WeightGradients {
    #[inline(always)]
    unsafe fn line<S: Simd>(w: [S::Vector; SIDE]) -> [S::Vector; KERNEL] {
        // SAFETY: the caller's promise.
        unsafe {
            let minus_sixth = S::splat(-1.0 / 6.0);
            let (sum, difference) = (S::add(w[1], w[2]), S::sub(w[1], w[2]));
            let (sum_two, difference_two) = (S::add(w[3], w[4]), S::sub(w[3], w[4]));
            let outer = S::mul(minus_sixth, sum);
            [
                S::fma(S::splat(0.25), w[0], S::fma(S::splat(1.0 / 24.0), sum_two, outer)),
                S::fma(S::splat(1.0 / 12.0), difference_two, S::mul(minus_sixth, difference)),
                S::add(S::fma(S::splat(1.0 / 6.0), sum_two, outer), w[5]),
            ]
        }
    }
}
