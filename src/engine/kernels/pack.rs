//! Orders weights and images the way the matrix kernels read them.
//!
//! Weights are kept as `[place][input channel][output channel]` with output channels rounded up to
//! [`super::layout::CHANNEL_STEP`] (surplus zero), which is also the layout of their gradients.
//! Packing copies them into column blocks as wide as a register tile.
#![expect(unsafe_code, reason = "the kernel interface is unsafe")]

use super::geometry::Window;
use super::isa::Path;
use super::layout::Extent;
use super::simd::{Kernel, Simd, run};

/// The shape of a layer's weights.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WeightShape {
    /// Places in the window.
    pub places: usize,
    /// Input channels.
    pub inputs: usize,
    /// Output channels.
    pub outputs: usize,
    /// Output channels rounded up.
    pub stride: usize,
}

impl WeightShape {
    /// Returns the number of stored values.
    #[must_use]
    pub fn len(&self) -> usize {
        self.places * self.inputs * self.stride
    }

    /// Returns whether there are no weights.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// Packs weights for [`super::gather_forward`]; `packed` holds [`WeightShape::len`] values.
///
/// # Panics
/// If a buffer is too small.
pub fn pack_forward(path: Path, shape: WeightShape, weights: &[f32], packed: &mut [f32]) {
    let packed = &mut packed[..shape.len()];
    // SAFETY: the kernel indexes slices.
    unsafe { run(path, PackForward { shape, weights, packed }) }
}

/// Packs weights for [`super::gather_backward`], transposed; `packed` holds
/// `places × outputs × input_stride` values.
///
/// # Panics
/// If a buffer is too small.
pub fn pack_backward(
    path: Path,
    shape: WeightShape,
    input_stride: usize,
    weights: &[f32],
    packed: &mut [f32],
) {
    let packed = &mut packed[..shape.places * shape.outputs * input_stride];
    // SAFETY: the kernel indexes slices.
    unsafe { run(path, PackBackward { shape, input_stride, weights, packed }) }
}

/// Returns the width of the column block that starts at `channel`.
#[inline(always)]
fn block_width<S: Simd>(stride: usize, channel: usize) -> usize {
    if stride - channel >= 2 * S::LANES { 2 * S::LANES } else { S::LANES }
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
        let WeightShape { places, inputs, stride, .. } = self.shape;
        let depth = places * inputs;
        let mut channel = 0;
        while channel < stride {
            let width = block_width::<S>(stride, channel);
            let block = &mut self.packed[depth * channel..][..depth * width];
            for (row, packed) in block.chunks_exact_mut(width).enumerate() {
                packed.copy_from_slice(&self.weights[row * stride + channel..][..width]);
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
        let WeightShape { places, inputs, outputs, stride } = self.shape;
        let depth = places * outputs;
        let mut channel = 0;
        while channel < self.input_stride {
            let width = block_width::<S>(self.input_stride, channel);
            let block = &mut self.packed[depth * channel..][..depth * width];
            for place in 0..places {
                let packed = &mut block[place * outputs * width..][..outputs * width];
                for column in 0..width {
                    let input = channel + column;
                    if input < inputs {
                        let row = &self.weights[(place * inputs + input) * stride..][..outputs];
                        for (output, &weight) in row.iter().enumerate() {
                            packed[output * width + column] = weight;
                        }
                    } else {
                        for output in 0..outputs {
                            packed[output * width + column] = 0.0;
                        }
                    }
                }
            }
            channel += width;
        }
    }
}

/// Lays out images as patches: one pixel an output of `window`, one channel a place and input
/// channel (`place × channels + channel`), padding as zeros.
///
/// The first layer of a network has few input channels; as patches its sums are long enough for
/// the matrix kernels. `images` are `rows × columns × channels` each.
///
/// # Panics
/// If a buffer is too small.
pub fn patches<E: super::element::Activation>(
    window: &Window,
    channels: usize,
    extent: &Extent,
    images: &[f32],
    patches: &mut [E],
) {
    let size = window.inputs() * channels;
    let count = images.len() / size;
    extent.assert_holds(patches.len(), count);
    assert_eq!(extent.channels, window.places() * channels, "one channel a place");
    let run = window.kernel_width * channels;
    for (image, values) in images.chunks_exact(size).enumerate() {
        for out_row in 0..window.out_height {
            for out_column in 0..window.out_width {
                let pixel = out_row * window.out_width + out_column;
                let patch = &mut patches[extent.place(image, pixel)..][..extent.channels];
                // Columns of the window that lie inside the image, the same for all its rows.
                let start = (out_column * window.stride) as isize - window.left as isize;
                let from = (-start).clamp(0, window.kernel_width as isize) as usize;
                let to = (window.width as isize - start).clamp(0, window.kernel_width as isize);
                let (from, to) = (from * channels, (to as usize * channels).max(from * channels));
                for (row, patch) in patch.chunks_exact_mut(run).enumerate() {
                    let y = (out_row * window.stride + row).wrapping_sub(window.top);
                    if y < window.height && from < to {
                        let first =
                            (y * window.width * channels) as isize + start * channels as isize;
                        let source = &values[(first + from as isize) as usize..][..to - from];
                        for (to, &value) in patch[from..to].iter_mut().zip(source) {
                            *to = E::from_f32(value);
                        }
                    }
                }
            }
        }
    }
}
