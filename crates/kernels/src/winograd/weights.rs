//! Weights at the points where they are multiplied, and their gradients back.
#![expect(unsafe_code, reason = "vector loads and stores through pointers")]

use super::super::isa::Dispatch;
use super::super::layout::product;
use super::super::pack::WeightShape;
use super::super::simd::{Kernel, Simd, run};
use super::super::tile;
use super::input_transform::ZEROS;
use super::tiling::Part;
use super::transforms::{AtPoints, Line, Square, WeightGradients, Weights, columns};
use super::{INPUT_TILE, KERNEL, OUTSIDE, POINTS, Winograd};

/// Channels transposed at a time.
const SQUARE: usize = 16;

/// Returns the number of packed values of targets that sum over `depth` channels into `stride`.
pub(in super::super) fn packed_len(winograd: &Winograd, depth: usize, stride: usize) -> usize {
    product(&[POINTS, winograd.parts().len(), depth, stride])
}

/// Packs weights for [`super::forward`]: `G g Gᵀ`, for every block of columns of a register tile
/// points × parts × inputs × columns.
///
/// # Panics
/// If a buffer is too small.
pub(in super::super) fn pack_forward(
    dispatch: Dispatch,
    winograd: &Winograd,
    shape: WeightShape,
    weights: &[f32],
    packed: &mut [f32],
) {
    let packed = &mut packed[..packed_len(winograd, shape.inputs, shape.stride)];
    let weights = &weights[..shape.len()];
    let parts = winograd.parts();
    assert_taps(parts, &shape);
    // SAFETY: all lengths were just checked.
    unsafe { run(dispatch, PackForward { parts, shape, weights, packed }) }
}

/// Packs weights for [`super::backward`]: transposed, otherwise as [`pack_forward`], one kind of
/// targets after another.
///
/// # Panics
/// If a buffer is too small.
pub(in super::super) fn pack_backward(
    dispatch: Dispatch,
    tilings: &[Winograd],
    shape: WeightShape,
    input_stride: usize,
    weights: &[f32],
    packed: &mut [f32],
) {
    let weights = &weights[..shape.len()];
    let mut rest = packed;
    for winograd in tilings {
        let len = packed_len(winograd, shape.outputs, input_stride);
        let (packed, after) = rest.split_at_mut(len);
        rest = after;
        let parts = winograd.parts();
        assert_taps(parts, &shape);
        // SAFETY: all lengths were just checked.
        unsafe { run(dispatch, PackBackward { parts, shape, input_stride, weights, packed }) }
    }
}

fn assert_taps(parts: &[Part], shape: &WeightShape) {
    let mut taps = parts.iter().flat_map(|part| part.taps).filter(|&tap| tap != OUTSIDE);
    assert!(taps.all(|tap| (tap as usize) < shape.taps), "taps of {shape:?}");
}

/// Nine vectors of weights.
struct Nine {
    from: [*const f32; KERNEL * KERNEL],
}

impl Square for Nine {
    #[inline(always)]
    unsafe fn load<S: Simd>(&self, y: usize, x: usize) -> S::Vector {
        // SAFETY: the caller's promise.
        unsafe { S::load(self.from[y * KERNEL + x]) }
    }
}

/// Transforms nine vectors of weights and stores the 36 of the points `step` apart.
///
/// # Safety
/// The machine has the instructions of `S`, the nine are readable and the 36 writable.
#[inline(always)]
unsafe fn store_points<S: Simd>(weights: &Nine, to: *mut f32, step: usize) {
    // SAFETY: the caller's promise.
    unsafe {
        let lines = columns::<S, Weights, KERNEL, INPUT_TILE>(weights);
        for y in 0..INPUT_TILE {
            let line = Weights::line::<S>(lines[y]);
            for x in 0..INPUT_TILE {
                S::store(to.add((y * INPUT_TILE + x) * step), line[x]);
            }
        }
    }
}

struct PackForward<'a> {
    parts: &'a [Part],
    shape: WeightShape,
    weights: &'a [f32],
    packed: &'a mut [f32],
}

impl Kernel for PackForward<'_> {
    type Output = ();

    #[inline(always)]
    unsafe fn run<S: Simd>(self) {
        let WeightShape { inputs, stride, .. } = self.shape;
        let mut channel = 0;
        while channel < stride {
            let width = tile::width::<S>(stride - channel) * S::LANES;
            let depth = self.parts.len() * inputs;
            let packed = &mut self.packed[POINTS * depth * channel..][..POINTS * depth * width];
            for (row, (part, input)) in pairs(self.parts, inputs).enumerate() {
                for column in (0..width).step_by(S::LANES) {
                    let mut nine = Nine { from: [ZEROS.as_ptr(); KERNEL * KERNEL] };
                    for (from, &tap) in nine.from.iter_mut().zip(&part.taps) {
                        if tap != OUTSIDE {
                            let row = (tap as usize * inputs + input) * stride;
                            *from = self.weights[row + channel + column..][..S::LANES].as_ptr();
                        }
                    }
                    // SAFETY: row and column lie in the block.
                    unsafe {
                        let to = packed.as_mut_ptr().add(row * width + column);
                        store_points::<S>(&nine, to, depth * width);
                    }
                }
            }
            channel += width;
        }
    }
}

struct PackBackward<'a> {
    parts: &'a [Part],
    shape: WeightShape,
    input_stride: usize,
    weights: &'a [f32],
    packed: &'a mut [f32],
}

impl Kernel for PackBackward<'_> {
    type Output = ();

    #[inline(always)]
    unsafe fn run<S: Simd>(self) {
        let outputs = self.shape.outputs;
        let mut channel = 0;
        while channel < self.input_stride {
            let width = tile::width::<S>(self.input_stride - channel) * S::LANES;
            let depth = self.parts.len() * outputs;
            let packed = &mut self.packed[POINTS * depth * channel..][..POINTS * depth * width];
            for (index, part) in self.parts.iter().enumerate() {
                for output in (0..outputs).step_by(SQUARE) {
                    for column in (0..width).step_by(SQUARE) {
                        let corner = (channel + column, output);
                        let square = transposed(part, &self.shape, self.weights, corner);
                        for row in 0..SQUARE.min(outputs - output) {
                            for lane in (0..SQUARE.min(width - column)).step_by(S::LANES) {
                                let nine = Nine {
                                    from: square.each_ref().map(|rows| rows[row][lane..].as_ptr()),
                                };
                                let at = (index * outputs + output + row) * width + column + lane;
                                // SAFETY: row and columns lie in the block.
                                unsafe {
                                    let to = packed.as_mut_ptr().add(at);
                                    store_points::<S>(&nine, to, depth * width);
                                }
                            }
                        }
                    }
                }
            }
            channel += width;
        }
    }
}

/// Returns 16 outputs × 16 inputs of the weights of a part, zero where there are none.
#[inline(always)]
fn transposed(
    part: &Part,
    shape: &WeightShape,
    weights: &[f32],
    (first_input, first_output): (usize, usize),
) -> [[[f32; SQUARE]; SQUARE]; KERNEL * KERNEL] {
    let mut square = [[[0.0; SQUARE]; SQUARE]; KERNEL * KERNEL];
    let inputs = SQUARE.min(shape.inputs.saturating_sub(first_input));
    let outputs = SQUARE.min(shape.outputs - first_output);
    for (square, &tap) in square.iter_mut().zip(&part.taps) {
        if tap == OUTSIDE {
            continue;
        }
        for input in 0..inputs {
            let row = tap as usize * shape.inputs + first_input + input;
            let weights = &weights[row * shape.stride + first_output..][..outputs];
            for (output, &weight) in weights.iter().enumerate() {
                square[output][input] = weight;
            }
        }
    }
    square
}

/// Returns every part with every input.
#[inline(always)]
fn pairs(parts: &[Part], inputs: usize) -> impl Iterator<Item = (&Part, usize)> {
    parts.iter().flat_map(move |part| (0..inputs).map(move |input| (part, input)))
}

/// Which weights some sums belong to.
#[derive(Clone, Copy)]
pub(super) struct Corner {
    /// The taps of a part in the window.
    pub(super) taps: [u32; KERNEL * KERNEL],
    /// First row of the sums.
    pub(super) row: usize,
    /// Rows of the sums in all.
    pub(super) rows: usize,
    /// First input.
    pub(super) input: usize,
    /// Inputs.
    pub(super) inputs: usize,
    /// First output.
    pub(super) channel: usize,
    /// Outputs, whole vectors of 16.
    pub(super) channels: usize,
    /// Whether the gradients are added to what is there, instead of replacing it.
    pub(super) accumulate: bool,
}

/// Turns sums, points × rows × outputs, into gradients of the weights: `Gᵀ s G`.
///
/// # Panics
/// If a buffer is too small.
pub(super) fn unpack(
    dispatch: Dispatch,
    shape: WeightShape,
    corner: Corner,
    sums: &[f32],
    weights: &mut [f32],
) {
    let Corner { taps, row, rows, input, inputs, channel, channels, .. } = corner;
    let is_tap = |tap: u32| tap == OUTSIDE || (tap as usize) < shape.taps;
    assert!(taps.into_iter().all(is_tap) && row + inputs <= rows, "taps and rows exist");
    assert!(input + inputs <= shape.inputs && channel + channels <= shape.stride, "weights exist");
    assert!(sums.len() >= POINTS * rows * channels && channels % 16 == 0, "one sum a pair");
    let weights = &mut weights[..shape.len()];
    // SAFETY: all lengths were just checked.
    unsafe { run(dispatch, Unpack { shape, corner, sums, weights }) }
}

struct Unpack<'a, 'b> {
    shape: WeightShape,
    corner: Corner,
    sums: &'a [f32],
    weights: &'b mut [f32],
}

impl Kernel for Unpack<'_, '_> {
    type Output = ();

    #[inline(always)]
    unsafe fn run<S: Simd>(self) {
        let Corner { taps, channel, channels, accumulate, .. } = self.corner;
        for input in 0..self.corner.inputs {
            for column in (0..channels).step_by(S::LANES) {
                // SAFETY: row and column lie in the sums, taps and inputs in the weights.
                unsafe {
                    let at = (self.corner.row + input) * channels + column;
                    let points = AtPoints {
                        from: self.sums.as_ptr().add(at),
                        step: self.corner.rows * channels,
                    };
                    let lines = columns::<S, WeightGradients, INPUT_TILE, KERNEL>(&points);
                    for y in 0..KERNEL {
                        let line = WeightGradients::line::<S>(lines[y]);
                        for x in 0..KERNEL {
                            let tap = taps[y * KERNEL + x];
                            if tap == OUTSIDE {
                                continue;
                            }
                            let row = tap as usize * self.shape.inputs + self.corner.input + input;
                            let at = row * self.shape.stride + channel + column;
                            let to = self.weights.as_mut_ptr().add(at);
                            let sum =
                                if accumulate { S::add(S::load(to), line[x]) } else { line[x] };
                            S::store(to, sum);
                        }
                    }
                }
            }
        }
    }
}
