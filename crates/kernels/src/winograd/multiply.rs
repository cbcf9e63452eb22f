//! The products, point by point: ordinary matrices in register tiles.
#![expect(unsafe_code, reason = "register tiles over raw pointers")]

use super::super::isa::Dispatch;
use super::super::simd::{Kernel, Simd, run};
use super::super::tile::{self, Tile, add_product, width};
use super::POINTS;

/// A block of columns of the products of all points.
#[derive(Clone, Copy)]
pub(super) struct Multiplied<'a> {
    /// Left matrices: rows × depth.
    pub(super) values: &'a [f32],
    /// From one left matrix to the next.
    pub(super) values_step: usize,
    /// Parts of a row.
    pub(super) parts: usize,
    /// From one part of a row to the next.
    pub(super) stride: usize,
    /// Values of a part summed over.
    pub(super) depth: usize,
    /// Rows.
    pub(super) rows: usize,
    /// Packed right matrices from the block on: depth × columns of the block for every point.
    pub(super) weights: &'a [f32],
    /// Columns left, of which a block takes as many as fit a register tile.
    pub(super) columns: usize,
}

/// Writes the products of one block to `sums`, rows × columns for every point, `step` apart, and
/// returns the number of columns.
///
/// # Panics
/// If a buffer is too small.
pub(super) fn multiply(
    dispatch: Dispatch,
    multiplied: Multiplied<'_>,
    sums: &mut [f32],
    step: usize,
) -> usize {
    let Multiplied { values, values_step, parts, stride, depth, rows, .. } = multiplied;
    assert!(depth <= stride && rows * parts * stride <= values_step, "rows fit their matrix");
    assert!(values.len() >= POINTS * values_step && sums.len() >= POINTS * step, "36 matrices");
    // SAFETY: the lengths that depend on the width of a block are checked there.
    unsafe { run(dispatch, Products { of: multiplied, sums, step }) }
}

struct Products<'a, 'b> {
    of: Multiplied<'a>,
    sums: &'b mut [f32],
    step: usize,
}

impl Kernel for Products<'_, '_> {
    type Output = usize;

    #[inline(always)]
    unsafe fn run<S: Simd>(self) -> usize {
        let wide = width::<S>(self.of.columns);
        let columns = wide * S::LANES;
        assert!(self.of.rows * columns <= self.step, "sums fit their matrix");
        let packed = POINTS * self.of.parts * self.of.depth * columns;
        assert!(self.of.weights.len() >= packed, "36 packed matrices");
        // SAFETY: all lengths are known to do.
        unsafe {
            match wide {
                4 => self.block::<S, 4>(),
                2 => self.block::<S, 2>(),
                _ => self.block::<S, 1>(),
            }
        }
        columns
    }
}

impl Products<'_, '_> {
    #[inline(always)]
    unsafe fn block<S: Simd, const WIDE: usize>(mut self) {
        for point in 0..POINTS {
            let mut row = 0;
            while row < self.of.rows {
                // SAFETY: a tile never has more rows than are left.
                row += unsafe {
                    match tile::rows::<S>(WIDE, self.of.rows - row) {
                        8 => self.tile::<S, WIDE, 8>(point, row),
                        6 => self.tile::<S, WIDE, 6>(point, row),
                        4 => self.tile::<S, WIDE, 4>(point, row),
                        2 => self.tile::<S, WIDE, 2>(point, row),
                        _ => self.tile::<S, WIDE, 1>(point, row),
                    }
                };
            }
        }
    }

    #[inline(always)]
    unsafe fn tile<S: Simd, const WIDE: usize, const ROWS: usize>(
        &mut self,
        point: usize,
        row: usize,
    ) -> usize {
        let Multiplied { values_step, parts, stride, depth, .. } = self.of;
        let columns = WIDE * S::LANES;
        // SAFETY: the point and the rows lie in the checked matrices.
        unsafe {
            let values = self.of.values.as_ptr().add(point * values_step + row * parts * stride);
            let mut weights = self.of.weights.as_ptr().add(point * parts * depth * columns);
            let mut sums: Tile<S, WIDE, ROWS> = [[S::splat(0.0); ROWS]; WIDE];
            for part in 0..parts {
                let mut value = values.add(part * stride);
                for _ in 0..depth {
                    add_product::<S, WIDE, ROWS>(&mut sums, value, parts * stride, weights);
                    value = value.add(1);
                    weights = weights.add(columns);
                }
            }
            let to = self.sums.as_mut_ptr().add(point * self.step + row * columns);
            for (vector, sums) in sums.iter().enumerate() {
                for (row, sum) in sums.iter().enumerate() {
                    S::store(to.add(row * columns + vector * S::LANES), *sum);
                }
            }
        }
        ROWS
    }
}

/// Sums over rows of (inputs × outputs), for all points.
#[derive(Clone, Copy)]
pub(super) struct Accumulated {
    /// Values in a row of inputs.
    pub(super) inputs: usize,
    /// From one matrix of inputs to the next.
    pub(super) values_step: usize,
    /// Values in a row of outputs.
    pub(super) outputs: usize,
    /// From one matrix of outputs to the next.
    pub(super) gradients_step: usize,
}

impl Accumulated {
    /// Returns the number of sums.
    pub(super) fn len(&self) -> usize {
        POINTS * self.inputs * self.outputs
    }
}

/// Adds to `sums` the products of `rows` rows.
///
/// # Panics
/// If a buffer is too small.
pub(super) fn accumulate(
    dispatch: Dispatch,
    accumulated: Accumulated,
    rows: usize,
    values: &[f32],
    gradients: &[f32],
    sums: &mut [f32],
) {
    let Accumulated { inputs, values_step, outputs, gradients_step } = accumulated;
    assert!(rows * inputs <= values_step, "rows fit their matrix");
    assert!(rows * outputs <= gradients_step && outputs % 16 == 0, "rows fit their matrix");
    assert!(values.len() >= POINTS * values_step, "36 matrices of inputs");
    assert!(gradients.len() >= POINTS * gradients_step, "36 matrices of outputs");
    assert!(sums.len() >= accumulated.len(), "one sum a pair and point");
    let outer = OuterProducts {
        of: accumulated,
        rows,
        values: values.as_ptr(),
        gradients: gradients.as_ptr(),
        sums: sums.as_mut_ptr(),
    };
    // SAFETY: all lengths were just checked.
    unsafe { run(dispatch, outer) }
}

struct OuterProducts {
    of: Accumulated,
    rows: usize,
    values: *const f32,
    gradients: *const f32,
    sums: *mut f32,
}

impl Kernel for OuterProducts {
    type Output = ();

    #[inline(always)]
    unsafe fn run<S: Simd>(self) {
        for point in 0..POINTS {
            let mut channel = 0;
            while channel < self.of.outputs {
                let wide = width::<S>(self.of.outputs - channel);
                // SAFETY: the block covers channels that are left.
                unsafe {
                    match wide {
                        4 => self.block::<S, 4>(point, channel),
                        2 => self.block::<S, 2>(point, channel),
                        _ => self.block::<S, 1>(point, channel),
                    }
                }
                channel += wide * S::LANES;
            }
        }
    }
}

impl OuterProducts {
    #[inline(always)]
    unsafe fn block<S: Simd, const WIDE: usize>(&self, point: usize, channel: usize) {
        let mut input = 0;
        while input < self.of.inputs {
            // SAFETY: a tile never covers more inputs than are left.
            input += unsafe {
                match tile::rows::<S>(WIDE, self.of.inputs - input) {
                    8 => self.tile::<S, WIDE, 8>(point, channel, input),
                    6 => self.tile::<S, WIDE, 6>(point, channel, input),
                    4 => self.tile::<S, WIDE, 4>(point, channel, input),
                    2 => self.tile::<S, WIDE, 2>(point, channel, input),
                    _ => self.tile::<S, WIDE, 1>(point, channel, input),
                }
            };
        }
    }

    #[inline(always)]
    unsafe fn tile<S: Simd, const WIDE: usize, const INPUTS: usize>(
        &self,
        point: usize,
        channel: usize,
        input: usize,
    ) -> usize {
        let Accumulated { inputs, values_step, outputs, gradients_step } = self.of;
        // SAFETY: point, channels, inputs and rows lie in the checked matrices.
        unsafe {
            let mut value = self.values.add(point * values_step + input);
            let mut gradient = self.gradients.add(point * gradients_step + channel);
            let to = self.sums.add((point * inputs + input) * outputs + channel);
            let mut sums: Tile<S, WIDE, INPUTS> = [[S::splat(0.0); INPUTS]; WIDE];
            for (vector, sums) in sums.iter_mut().enumerate() {
                for (row, sum) in sums.iter_mut().enumerate() {
                    *sum = S::load(to.add(row * outputs + vector * S::LANES));
                }
            }
            for _ in 0..self.rows {
                add_product::<S, WIDE, INPUTS>(&mut sums, value, 1, gradient);
                value = value.add(inputs);
                gradient = gradient.add(outputs);
            }
            for (vector, sums) in sums.iter().enumerate() {
                for (row, sum) in sums.iter().enumerate() {
                    S::store(to.add(row * outputs + vector * S::LANES), *sum);
                }
            }
        }
        INPUTS
    }
}
