//! Passes over activations that no matrix kernel can take along.
#![expect(unsafe_code, reason = "vector loads and stores through pointers")]

use super::dropout::Dropout;
use super::element::Activation;
use super::epilogue::{Affine, At, BackwardEpilogue, Epilogue, ForwardEpilogue};
use super::isa::Dispatch;
use super::layout::Extent;
use super::simd::{Kernel, Simd, run};

/// Sends values through a forward epilogue: a layer without weights.
///
/// # Panics
/// If a buffer is too small.
pub fn pass_forward<E: Activation, T: Activation>(
    dispatch: Dispatch,
    input: &[E],
    images: usize,
    mut epilogue: ForwardEpilogue<'_, T>,
) {
    let extent = epilogue.extent;
    extent.assert_holds(input.len(), images);
    let epilogue = epilogue.checked(images);
    // SAFETY: all lengths were just checked.
    unsafe { run(dispatch, Pass { input: input.as_ptr(), images, extent, epilogue }) }
}

/// Sends gradients through a backward epilogue: a layer without weights.
///
/// # Panics
/// If a buffer is too small.
pub fn pass_backward<E: Activation>(
    dispatch: Dispatch,
    gradient: &[E],
    images: usize,
    mut epilogue: BackwardEpilogue<'_, E>,
) {
    let extent = epilogue.extent;
    extent.assert_holds(gradient.len(), images);
    let epilogue = epilogue.checked(images);
    // SAFETY: all lengths were just checked.
    unsafe { run(dispatch, Pass { input: gradient.as_ptr(), images, extent, epilogue }) }
}

struct Pass<E, P> {
    input: *const E,
    images: usize,
    extent: Extent,
    epilogue: P,
}

impl<E: Activation, P: Epilogue> Kernel for Pass<E, P> {
    type Output = ();

    #[inline(always)]
    unsafe fn run<S: Simd>(self) {
        for image in 0..self.images {
            for pixel in 0..self.extent.pixels {
                let start = self.extent.offset(image, pixel);
                let mut channel = 0;
                while channel < self.extent.stride {
                    // SAFETY: the offset lies inside the checked buffers.
                    unsafe {
                        let offset = start + channel;
                        let value = E::load::<S>(self.input.add(offset));
                        let at = At { offset, image, pixel, channel };
                        self.epilogue.column::<S, 1>([value], at);
                    }
                    channel += S::LANES;
                }
            }
        }
    }
}

/// `dropout([relu](scale · input + shift))`, from one buffer to another or in place.
#[derive(Debug, Clone, Copy)]
pub struct Transform<'a> {
    /// Extent of both buffers.
    pub extent: Extent,
    /// Number of images.
    pub images: usize,
    /// Normalisation.
    pub affine: Option<Affine<'a>>,
    /// Whether the normalised value is cut at zero.
    pub relu: bool,
    /// Mask applied last.
    pub dropout: Option<Dropout>,
    /// Index of the first image in the batch, for the dropout mask.
    pub first_image: usize,
}

/// Transforms `input` into `output`.
///
/// # Panics
/// If a buffer is too small.
pub fn transform<E: Activation>(
    dispatch: Dispatch,
    transform: Transform<'_>,
    input: &[E],
    output: &mut [E],
) {
    transform.extent.assert_holds(input.len(), transform.images);
    transform.assert_sound(output.len());
    // SAFETY: all lengths were just checked.
    unsafe {
        run(dispatch, Apply { transform, input: input.as_ptr(), output: output.as_mut_ptr() });
    }
}

/// Transforms `values` in place.
///
/// # Panics
/// If a buffer is too small.
pub fn transform_in_place<E: Activation>(
    dispatch: Dispatch,
    transform: Transform<'_>,
    values: &mut [E],
) {
    transform.assert_sound(values.len());
    let output = values.as_mut_ptr();
    // SAFETY: all lengths were just checked; every value is read before it is written.
    unsafe { run(dispatch, Apply { transform, input: output.cast_const(), output }) }
}

impl Transform<'_> {
    fn assert_sound(&self, len: usize) {
        self.extent.assert_holds(len, self.images);
        if let Some(affine) = self.affine {
            let stride = self.extent.stride;
            assert!(affine.scale.len() >= stride && affine.shift.len() >= stride, "a value each");
        }
    }
}

struct Apply<'a, E> {
    transform: Transform<'a>,
    input: *const E,
    output: *mut E,
}

impl<E: Activation> Kernel for Apply<'_, E> {
    type Output = ();

    #[inline(always)]
    unsafe fn run<S: Simd>(self) {
        let Transform { extent, images, affine, relu, dropout, first_image } = self.transform;
        // SAFETY: every offset below lies inside the checked buffers.
        unsafe {
            let zero = S::splat(0.0);
            // Backwards: the values written last are still in the cache, and those the next stage
            // reads first are written last.
            for group in (0..extent.groups(images)).rev() {
                let rows = extent.rows(images, group);
                for pixel in (0..extent.pixels).rev() {
                    let start = extent.offset(group * extent.group, pixel);
                    let mut channel = 0;
                    while channel < extent.stride {
                        let (scale, shift) = match affine {
                            Some(affine) => (
                                S::load(affine.scale.as_ptr().add(channel)),
                                S::load(affine.shift.as_ptr().add(channel)),
                            ),
                            None => (S::splat(1.0), zero),
                        };
                        for row in 0..rows {
                            let at = start + row * extent.stride + channel;
                            let mut value = E::load::<S>(self.input.add(at));
                            value = S::fma(value, scale, shift);
                            if relu {
                                value = S::max(zero, value);
                            }
                            if let Some(dropout) = dropout {
                                let image = first_image + group * extent.group + row;
                                let index = Dropout::index(&extent, image, pixel, channel);
                                value = dropout.apply::<S>(value, index);
                            }
                            E::store::<S>(self.output.add(at), value);
                        }
                        channel += S::LANES;
                    }
                }
            }
        }
    }
}

/// Batch normalisation backward: `gradient ← factor · gradient + slope · value + offset`, zero
/// where a rectified `value` is not positive.
#[derive(Debug)]
pub struct NormalisationGradient<'a, E> {
    /// Extent of the values.
    pub extent: Extent,
    /// Number of images.
    pub images: usize,
    /// What was normalised.
    pub values: &'a [E],
    /// Gradient of the normalised values; receives the gradient of the values.
    pub gradient: &'a mut [E],
    /// Factor per channel.
    pub factor: &'a [f32],
    /// Slope per channel.
    pub slope: &'a [f32],
    /// Offset per channel.
    pub offset: &'a [f32],
    /// Whether the values came from a ReLU.
    pub rectified: bool,
    /// Receives the sum of the result per channel, added to what it holds.
    pub sums: &'a mut [f64],
}

/// Computes the gradient of batch normalisation in place.
///
/// # Panics
/// If a buffer is too small.
pub fn normalisation_gradient<E: Activation>(
    dispatch: Dispatch,
    work: NormalisationGradient<'_, E>,
) {
    work.extent.assert_holds(work.values.len(), work.images);
    work.extent.assert_holds(work.gradient.len(), work.images);
    for len in [work.factor.len(), work.slope.len(), work.offset.len(), work.sums.len()] {
        assert!(len >= work.extent.stride, "one value per channel");
    }
    // SAFETY: all lengths were just checked.
    unsafe { run(dispatch, work) }
}

impl<E: Activation> Kernel for NormalisationGradient<'_, E> {
    type Output = ();

    #[inline(always)]
    unsafe fn run<S: Simd>(self) {
        let extent = self.extent;
        let gradient = self.gradient.as_mut_ptr();
        // SAFETY: every offset below lies inside the checked buffers.
        unsafe {
            let zero = S::splat(0.0);
            for group in 0..extent.groups(self.images) {
                let rows = extent.rows(self.images, group);
                for pixel in 0..extent.pixels {
                    let start = extent.offset(group * extent.group, pixel);
                    let mut channel = 0;
                    while channel < extent.stride {
                        let factor = S::load(self.factor.as_ptr().add(channel));
                        let slope = S::load(self.slope.as_ptr().add(channel));
                        let offset = S::load(self.offset.as_ptr().add(channel));
                        let total = self.sums.as_mut_ptr().add(channel);
                        let mut sum = zero;
                        for row in 0..rows {
                            let at = start + row * extent.stride + channel;
                            let value = E::load::<S>(self.values.as_ptr().add(at));
                            let delta = E::load::<S>(gradient.add(at));
                            let mut result = S::fma(delta, factor, S::fma(value, slope, offset));
                            if self.rectified {
                                result = S::select(S::greater(value, zero), result, zero);
                            }
                            sum = S::add(sum, result);
                            E::store::<S>(gradient.add(at), result);
                        }
                        S::add_to_f64(total, sum);
                        channel += S::LANES;
                    }
                }
            }
        }
    }
}
