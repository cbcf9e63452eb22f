//! Weights at the points where they are multiplied, and their gradients back.
#![expect(unsafe_code, reason = "vector loads and stores through pointers")]

use super::super::isa::Path;
use super::super::pack::WeightShape;
use super::super::simd::{Kernel, Simd, run};
use super::super::tile;
use super::transforms::{AtPoints, Line, Square, WeightGradients, Weights, columns};
use super::{KERNEL, POINTS, SIDE};

/// Channels transposed at a time.
const SQUARE: usize = 16;

/// Returns the number of packed values of a layer that sums over `depth` channels into `stride`.
pub(in super::super) fn packed_len(depth: usize, stride: usize) -> usize {
    POINTS * depth * stride
}

/// Packs weights for [`super::forward`]: `G g Gᵀ`, for every block of columns of a register tile
/// points × inputs × columns.
///
/// # Panics
/// If a buffer is too small.
pub(in super::super) fn pack_forward(
    path: Path,
    shape: WeightShape,
    weights: &[f32],
    packed: &mut [f32],
) {
    let packed = &mut packed[..packed_len(shape.inputs, shape.stride)];
    let weights = &weights[..shape.len()];
    assert_eq!(shape.places, KERNEL * KERNEL, "a window of 3×3");
    // SAFETY: all lengths were just checked.
    unsafe { run(path, PackForward { shape, weights, packed }) }
}

/// Packs weights for [`super::backward`]: turned about, transposed, and as [`pack_forward`].
///
/// # Panics
/// If a buffer is too small.
pub(in super::super) fn pack_backward(
    path: Path,
    shape: WeightShape,
    input_stride: usize,
    weights: &[f32],
    packed: &mut [f32],
) {
    let packed = &mut packed[..packed_len(shape.outputs, input_stride)];
    let weights = &weights[..shape.len()];
    assert_eq!(shape.places, KERNEL * KERNEL, "a window of 3×3");
    // SAFETY: all lengths were just checked.
    unsafe { run(path, PackBackward { shape, input_stride, weights, packed }) }
}

/// Nine vectors of weights, `step` apart, first to last or last to first.
struct Nine {
    from: *const f32,
    step: usize,
    is_turned: bool,
}

impl Square for Nine {
    #[inline(always)]
    unsafe fn load<S: Simd>(&self, y: usize, x: usize) -> S::Vector {
        let place = y * KERNEL + x;
        let place = if self.is_turned { KERNEL * KERNEL - 1 - place } else { place };
        // SAFETY: the caller's promise.
        unsafe { S::load(self.from.add(place * self.step)) }
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
        let lines = columns::<S, Weights, KERNEL, SIDE>(weights);
        for y in 0..SIDE {
            let line = Weights::line::<S>(lines[y]);
            for x in 0..SIDE {
                S::store(to.add((y * SIDE + x) * step), line[x]);
            }
        }
    }
}

struct PackForward<'a> {
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
            let packed = &mut self.packed[POINTS * inputs * channel..][..POINTS * inputs * width];
            for input in 0..inputs {
                for column in (0..width).step_by(S::LANES) {
                    // SAFETY: input and column lie in the weights and in the block.
                    unsafe {
                        let from = self.weights.as_ptr().add(input * stride + channel + column);
                        let weights = Nine { from, step: inputs * stride, is_turned: false };
                        let to = packed.as_mut_ptr().add(input * width + column);
                        store_points::<S>(&weights, to, inputs * width);
                    }
                }
            }
            channel += width;
        }
    }
}

struct PackBackward<'a> {
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
            let packed = &mut self.packed[POINTS * outputs * channel..][..POINTS * outputs * width];
            for output in (0..outputs).step_by(SQUARE) {
                for column in (0..width).step_by(SQUARE.min(width)) {
                    let columns = SQUARE.min(width);
                    let square = transposed(&self.shape, self.weights, channel + column, output);
                    for row in 0..SQUARE.min(outputs - output) {
                        for lane in (0..columns).step_by(S::LANES) {
                            // SAFETY: row and columns lie in the square and in the block.
                            unsafe {
                                let from = square[0][row].as_ptr().add(lane);
                                let weights = Nine { from, step: SQUARE * SQUARE, is_turned: true };
                                let at = (output + row) * width + column + lane;
                                let to = packed.as_mut_ptr().add(at);
                                store_points::<S>(&weights, to, outputs * width);
                            }
                        }
                    }
                }
            }
            channel += width;
        }
    }
}

/// Returns 16 outputs × 16 inputs of the weights of all places, zero where there are none.
#[inline(always)]
fn transposed(
    shape: &WeightShape,
    weights: &[f32],
    first_input: usize,
    first_output: usize,
) -> [[[f32; SQUARE]; SQUARE]; KERNEL * KERNEL] {
    let mut square = [[[0.0; SQUARE]; SQUARE]; KERNEL * KERNEL];
    let inputs = SQUARE.min(shape.inputs.saturating_sub(first_input));
    let outputs = SQUARE.min(shape.outputs - first_output);
    for (place, square) in square.iter_mut().enumerate() {
        for input in 0..inputs {
            let row = (place * shape.inputs + first_input + input) * shape.stride + first_output;
            for (output, &weight) in weights[row..][..outputs].iter().enumerate() {
                square[output][input] = weight;
            }
        }
    }
    square
}

/// Which weights some sums belong to.
#[derive(Clone, Copy)]
pub(super) struct Corner {
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

/// Turns sums, points × inputs × outputs, into gradients of the weights: `Gᵀ s G`.
///
/// # Panics
/// If a buffer is too small.
pub(super) fn unpack(
    path: Path,
    shape: WeightShape,
    corner: Corner,
    sums: &[f32],
    weights: &mut [f32],
) {
    let Corner { input, inputs, channel, channels, .. } = corner;
    assert_eq!(shape.places, KERNEL * KERNEL, "a window of 3×3");
    assert!(input + inputs <= shape.inputs && channel + channels <= shape.stride, "weights exist");
    assert!(sums.len() >= POINTS * inputs * channels && channels % 16 == 0, "one sum a pair");
    let weights = &mut weights[..shape.len()];
    // SAFETY: all lengths were just checked.
    unsafe { run(path, Unpack { shape, corner, sums, weights }) }
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
        let Corner { input: first, inputs, channel, channels, accumulate } = self.corner;
        let step = inputs * channels;
        for input in 0..inputs {
            for column in (0..channels).step_by(S::LANES) {
                // SAFETY: input and column lie in the sums and in the weights.
                unsafe {
                    let from = self.sums.as_ptr().add(input * channels + column);
                    let points = AtPoints { from, step };
                    let lines = columns::<S, WeightGradients, SIDE, KERNEL>(&points);
                    for y in 0..KERNEL {
                        let line = WeightGradients::line::<S>(lines[y]);
                        for x in 0..KERNEL {
                            let row = (y * KERNEL + x) * self.shape.inputs + first + input;
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
