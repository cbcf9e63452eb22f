//! Orders weights and images the way the matrix kernels read them.
//!
//! Weights are kept as `[tap][input channel][output channel]` with output channels rounded up to
//! [`super::layout::CHANNEL_STEP`] (surplus zero), which is also the layout of their gradients.
//! Packing copies them into column blocks as wide as a register tile.
#![expect(unsafe_code, reason = "vector loads and stores through pointers")]

use super::element::Activation;
use super::isa::Dispatch;
use super::layout::{Extent, product};
use super::simd::{Kernel, Simd, run};
use super::tile;

/// The shape of a layer's weights.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WeightShape {
    pub(super) taps: usize,
    pub(super) inputs: usize,
    pub(super) outputs: usize,
    /// Output channels rounded up.
    pub(super) stride: usize,
}

impl WeightShape {
    /// Returns the shape of weights at `taps` taps of a window, from `inputs` channels to those of
    /// `outputs`.
    ///
    /// # Panics
    /// If they exceed the address space.
    #[must_use]
    pub fn new(taps: usize, inputs: usize, outputs: &Extent) -> Self {
        let Extent { channels, stride, .. } = *outputs;
        product(&[taps, inputs, stride]);
        Self { taps, inputs, outputs: channels, stride }
    }

    /// Returns the number of taps in the window.
    #[must_use]
    pub fn taps(&self) -> usize {
        self.taps
    }

    /// Returns the number of input channels.
    #[must_use]
    pub fn inputs(&self) -> usize {
        self.inputs
    }

    /// Returns the number of output channels.
    #[must_use]
    pub fn outputs(&self) -> usize {
        self.outputs
    }

    /// Returns the number of output channels rounded up: the values from one input channel to the
    /// next.
    #[must_use]
    pub fn stride(&self) -> usize {
        self.stride
    }

    /// Returns the number of stored values.
    #[must_use]
    pub fn len(&self) -> usize {
        self.taps * self.inputs * self.stride
    }

    /// Returns whether there are no weights.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// Packs weights for [`super::conv_forward`]; `packed` holds [`WeightShape::len`] values.
///
/// # Panics
/// If a buffer is too small.
pub fn pack_forward(dispatch: Dispatch, shape: WeightShape, weights: &[f32], packed: &mut [f32]) {
    let packed = &mut packed[..shape.len()];
    // SAFETY: the kernel indexes slices.
    unsafe { run(dispatch, PackForward { shape, weights, packed }) }
}

/// Packs weights for [`super::conv_input_gradient`], transposed; `packed` holds
/// `taps × outputs × input_stride` values.
///
/// # Panics
/// If a buffer is too small.
pub fn pack_backward(
    dispatch: Dispatch,
    shape: WeightShape,
    input_stride: usize,
    weights: &[f32],
    packed: &mut [f32],
) {
    let packed = &mut packed[..product(&[shape.taps, shape.outputs, input_stride])];
    // SAFETY: the kernel indexes slices.
    unsafe { run(dispatch, PackBackward { shape, input_stride, weights, packed }) }
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
        let WeightShape { taps, inputs, stride, .. } = self.shape;
        let depth = taps * inputs;
        let mut channel = 0;
        while channel < stride {
            let width = tile::width::<S>(stride - channel) * S::LANES;
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
        let WeightShape { taps, inputs, outputs, stride } = self.shape;
        let depth = taps * outputs;
        let mut channel = 0;
        while channel < self.input_stride {
            let width = tile::width::<S>(self.input_stride - channel) * S::LANES;
            let block = &mut self.packed[depth * channel..][..depth * width];
            for tap in 0..taps {
                let packed = &mut block[tap * outputs * width..][..outputs * width];
                // Some rows at a time, so that both sides stay in the first cache.
                for (first, packed) in packed.chunks_mut(16 * width).enumerate() {
                    let rows = packed.len() / width;
                    for column in 0..width {
                        let input = channel + column;
                        if input < inputs {
                            let weights = &self.weights[(tap * inputs + input) * stride..];
                            let weights = &weights[16 * first..][..rows];
                            for row in 0..rows {
                                packed[row * width + column] = weights[row];
                            }
                        } else {
                            for row in 0..rows {
                                packed[row * width + column] = 0.0;
                            }
                        }
                    }
                }
            }
            channel += width;
        }
    }
}

/// Copies images into rows of their own, with room for padding, in the storage of a path.
///
/// A first layer reads its windows from there, row by row of the window ([`super::Sources`]).
/// `images` are `rows × columns × channels` each, `inside` is where they stand in a padded image.
///
/// # Panics
/// If a buffer is too small.
pub fn pad_images<E: Activation>(
    dispatch: Dispatch,
    inside: &Inside,
    extent: &Extent,
    images: &[f32],
    padded: &mut [E],
) {
    let row = product(&[inside.width, inside.channels]);
    let size = product(&[inside.height, row]);
    assert!(size > 0, "an image has a pixel, found {inside:?}");
    let count = images.len() / size;
    extent.assert_holds(padded.len(), count);
    let wide = product(&[inside.padded_width, inside.channels]);
    let first = product(&[inside.top, wide]) + product(&[inside.left, inside.channels]);
    assert!(
        extent.pixels == 1
            && row <= wide
            && first + product(&[inside.height - 1, wide]) + row <= extent.channels,
        "{inside:?} fits {extent:?}"
    );
    for (image, values) in images.chunks_exact(size).enumerate() {
        let to = &mut padded[extent.offset(image, 0)..][..extent.channels];
        if wide == row {
            // SAFETY: both slices are as long as the image.
            unsafe { run(dispatch, Convert { from: values, to: &mut to[first..][..size] }) }
            continue;
        }
        for (y, values) in values.chunks_exact(row).enumerate() {
            let to = &mut to[first + y * wide..][..row];
            // SAFETY: both slices are one row long.
            unsafe { run(dispatch, Convert { from: values, to }) }
        }
    }
}

/// Copies images pixel by pixel into the layout of activations, for a first layer that is no sum.
///
/// # Panics
/// If a buffer is too small.
pub fn spread_images<E: Activation>(extent: &Extent, images: &[f32], values: &mut [E]) {
    let size = extent.pixels * extent.channels;
    assert!(size > 0, "an image has a pixel, found {extent:?}");
    extent.assert_holds(values.len(), images.len() / size);
    for (image, from) in images.chunks_exact(size).enumerate() {
        for (pixel, from) in from.chunks_exact(extent.channels).enumerate() {
            let to = &mut values[extent.offset(image, pixel)..][..extent.channels];
            for (to, &value) in to.iter_mut().zip(from) {
                *to = E::from_f32(value);
            }
        }
    }
}

/// Where an image stands in its padded copy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Inside {
    /// Rows of the image.
    pub height: usize,
    /// Columns of the image.
    pub width: usize,
    /// Channels of the image.
    pub channels: usize,
    /// Rows of padding above.
    pub top: usize,
    /// Columns of padding on the left.
    pub left: usize,
    /// Columns with padding.
    pub padded_width: usize,
}

struct Convert<'a, E> {
    from: &'a [f32],
    to: &'a mut [E],
}

impl<E: Activation> Kernel for Convert<'_, E> {
    type Output = ();

    #[inline(always)]
    unsafe fn run<S: Simd>(self) {
        let len = self.from.len().min(self.to.len());
        let whole = len - len % S::LANES;
        for at in (0..whole).step_by(S::LANES) {
            // SAFETY: a whole vector is left in both slices.
            unsafe {
                let values = S::load(self.from.as_ptr().add(at));
                E::store::<S>(self.to.as_mut_ptr().add(at), values);
            }
        }
        for at in whole..len {
            self.to[at] = E::from_f32(self.from[at]);
        }
    }
}
