//! The register tile both 32-bit matrix kernels are made of.
#![expect(unsafe_code, reason = "vector loads through pointers")]

use super::simd::Simd;

/// Sums of a register tile: some vectors of columns for some rows.
pub(super) type Tile<S, const WIDE: usize, const ROWS: usize> = [[<S as Simd>::Vector; ROWS]; WIDE];

/// Returns how many vectors wide the next block of columns is when `left` columns are left.
///
/// Four vectors need the fewest loads a product, but only 32 registers hold enough sums then.
#[inline(always)]
pub(super) fn width<S: Simd>(left: usize) -> usize {
    match left / S::LANES {
        4.. if S::REGISTERS >= 32 => 4,
        2.. => 2,
        _ => 1,
    }
}

/// Returns the rows of the next tile of a block `wide` vectors wide when `left` rows are left.
#[inline(always)]
pub(super) fn rows<S: Simd>(wide: usize, left: usize) -> usize {
    match left {
        8.. if S::REGISTERS >= 32 && wide <= 2 => 8,
        6.. if S::REGISTERS < 32 || wide > 2 => 6,
        4.. => 4,
        2.. => 2,
        _ => 1,
    }
}

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
