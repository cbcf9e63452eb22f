//! The register tile both 32-bit matrix kernels are made of.
#![expect(unsafe_code, reason = "vector loads through pointers")]

use super::simd::Simd;

/// Sums of a register tile: some vectors of columns for some rows.
pub(super) type Tile<S, const WIDE: usize, const ROWS: usize> = [[<S as Simd>::Vector; ROWS]; WIDE];

/// Adds one product to every sum: `values[row · step]` times `columns[vector · LANES ..]`.
///
/// # Safety
/// The machine has the instructions of `S`, and all those values are readable.
#[inline(always)]
#[expect(clippy::needless_range_loop, reason = "each value is broadcast once for all columns")]
pub(super) unsafe fn add_product<S: Simd, const WIDE: usize, const ROWS: usize>(
    sums: &mut Tile<S, WIDE, ROWS>,
    values: *const f32,
    step: usize,
    columns: *const f32,
) {
    // SAFETY: the caller's promise.
    unsafe {
        let mut loaded = [S::splat(0.0); WIDE];
        for vector in 0..WIDE {
            loaded[vector] = S::load(columns.add(vector * S::LANES));
        }
        for row in 0..ROWS {
            let value = S::splat(*values.add(row * step));
            for vector in 0..WIDE {
                sums[vector][row] = S::fma(value, loaded[vector], sums[vector][row]);
            }
        }
    }
}
