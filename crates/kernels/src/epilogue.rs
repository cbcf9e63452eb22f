//! What happens to a sum of products before it is stored.
//!
//! The matrix kernels hand over register tiles column by column (one vector of channels, several
//! images), so bias, activation, normalisation sums and masks cost no pass over memory.
#![expect(unsafe_code, reason = "vector loads and stores through pointers")]

use super::dropout::Dropout;
use super::element::Activation;
use super::layout::Extent;
use super::simd::Simd;

/// Where a tile lies.
#[derive(Clone, Copy, Default)]
pub(super) struct At {
    /// Offset of the first image's vector in the output.
    pub(super) offset: usize,
    /// First image.
    pub(super) image: usize,
    /// Output pixel.
    pub(super) pixel: usize,
    /// First channel of the vector.
    pub(super) channel: usize,
}

/// Takes finished sums.
pub(super) trait Epilogue: Copy {
    /// Takes one vector of channels of `ROWS` consecutive images.
    ///
    /// # Safety
    /// The machine has the instructions of `S`; `at` and the following images lie in the output.
    unsafe fn column<S: Simd, const ROWS: usize>(self, sums: [S::Vector; ROWS], at: At);
}

/// Sums per channel over images and pixels, for batch normalisation.
#[derive(Debug)]
pub struct Moments<'a> {
    /// Subtracted first, so that large means do not swallow small variances.
    pub center: &'a [f32],
    /// Receives the sum of `x − center`. Of double precision: where an image is of one color, the
    /// same value is added thousands of times, and single precision rounds it the same way each time.
    pub sums: &'a mut [f64],
    /// Receives the sum of `(x − center)²`.
    pub squares: &'a mut [f64],
}

/// A scale and a shift per channel.
#[derive(Debug, Clone, Copy)]
pub struct Affine<'a> {
    /// Factors.
    pub scale: &'a [f32],
    /// Added after scaling.
    pub shift: &'a [f32],
}

/// Forward epilogue: `[relu](scale · [relu](sum + bias) + shift)`, and the moments of what is in
/// the inner bracket.
#[derive(Debug)]
pub struct ForwardEpilogue<'a, E> {
    /// Extent of the output.
    pub extent: Extent,
    /// Receives the result.
    pub output: &'a mut [E],
    /// Added to the sums, one value per channel.
    pub bias: &'a [f32],
    /// Whether the biased sum is cut at zero.
    pub relu: bool,
    /// Sums to be kept, for training.
    pub moments: Option<Moments<'a>>,
    /// Normalisation to apply at once, for evaluation.
    pub affine: Option<Affine<'a>>,
    /// Whether the normalised value is cut at zero.
    pub relu_after: bool,
}

/// [`ForwardEpilogue`] in pointers.
#[derive(Clone, Copy)]
pub(super) struct Forward<E> {
    output: *mut E,
    stride: usize,
    bias: *const f32,
    relu: bool,
    moments: Option<(*const f32, *mut f64, *mut f64)>,
    affine: Option<(*const f32, *const f32)>,
    relu_after: bool,
}

impl<E: Activation> ForwardEpilogue<'_, E> {
    pub(super) fn checked(&mut self, images: usize) -> Forward<E> {
        let stride = self.extent.stride;
        self.extent.assert_holds(self.output.len(), images);
        let mut lengths = vec![self.bias.len()];
        if let Some(moments) = &self.moments {
            lengths.extend([moments.center.len(), moments.sums.len(), moments.squares.len()]);
        }
        if let Some(affine) = self.affine {
            lengths.extend([affine.scale.len(), affine.shift.len()]);
        }
        assert!(lengths.iter().all(|&len| len >= stride), "one value per channel, {stride} in all");
        Forward {
            output: self.output.as_mut_ptr(),
            stride,
            bias: self.bias.as_ptr(),
            relu: self.relu,
            moments: self.moments.as_mut().map(|moments| {
                (moments.center.as_ptr(), moments.sums.as_mut_ptr(), moments.squares.as_mut_ptr())
            }),
            affine: self.affine.map(|affine| (affine.scale.as_ptr(), affine.shift.as_ptr())),
            relu_after: self.relu_after,
        }
    }
}

impl<E: Activation> Epilogue for Forward<E> {
    #[inline(always)]
    unsafe fn column<S: Simd, const ROWS: usize>(self, sums: [S::Vector; ROWS], at: At) {
        // SAFETY: `checked` compared every length with the channels; `at` is the caller's promise.
        unsafe {
            let zero = S::splat(0.0);
            let bias = S::load(self.bias.add(at.channel));
            let mut values = sums;
            for value in &mut values {
                *value = S::add(*value, bias);
            }
            if self.relu {
                for value in &mut values {
                    *value = S::max(zero, *value);
                }
            }
            if let Some((center, total, squares)) = self.moments {
                let (total, squares) = (total.add(at.channel), squares.add(at.channel));
                let center = S::load(center.add(at.channel));
                let (mut first, mut second) = (zero, zero);
                for value in &values {
                    let centered = S::sub(*value, center);
                    first = S::add(first, centered);
                    second = S::fma(centered, centered, second);
                }
                S::add_to_f64(total, first);
                S::add_to_f64(squares, second);
            }
            if let Some((scale, shift)) = self.affine {
                let (scale, shift) =
                    (S::load(scale.add(at.channel)), S::load(shift.add(at.channel)));
                for value in &mut values {
                    *value = S::fma(*value, scale, shift);
                }
            }
            if self.relu_after {
                for value in &mut values {
                    *value = S::max(zero, *value);
                }
            }
            for (row, value) in values.iter().enumerate() {
                E::store::<S>(self.output.add(at.offset + row * self.stride), *value);
            }
        }
    }
}

/// Backward epilogue: turns the gradient with respect to a layer's input into what the layer
/// before needs, written over that input.
#[derive(Debug)]
pub struct BackwardEpilogue<'a, E> {
    /// Extent of the input.
    pub extent: Extent,
    /// Holds the input, receives the gradient.
    pub values: &'a mut [E],
    /// Whether the gradient is zero where the input is not positive: the input came from a ReLU.
    pub rectified: bool,
    /// The dropout the input went through.
    pub dropout: Option<Dropout>,
    /// Index of the first image in the batch, for the dropout mask.
    pub first_image: usize,
    /// Receives the sum of the gradient per channel, of double precision as [`Moments`].
    pub sums: Option<&'a mut [f64]>,
    /// Receives the sum of the gradient times the centred output of the layer before.
    pub products: Option<Products<'a, E>>,
}

/// Sums of `gradient · (value − center)` per channel.
#[derive(Debug)]
pub struct Products<'a, E> {
    /// What batch normalisation normalised, of the same extent.
    pub values: &'a [E],
    /// Mean per channel.
    pub center: &'a [f32],
    /// Receives the sums.
    pub sums: &'a mut [f64],
}

/// [`BackwardEpilogue`] in pointers.
#[derive(Clone, Copy)]
pub(super) struct Backward<E> {
    values: *mut E,
    extent: Extent,
    rectified: bool,
    dropout: Option<Dropout>,
    first_image: usize,
    sums: Option<*mut f64>,
    products: Option<(*const E, *const f32, *mut f64)>,
}

impl<E: Activation> BackwardEpilogue<'_, E> {
    pub(super) fn checked(&mut self, images: usize) -> Backward<E> {
        let stride = self.extent.stride;
        self.extent.assert_holds(self.values.len(), images);
        if let Some(sums) = &self.sums {
            assert!(sums.len() >= stride, "one sum a channel");
        }
        if let Some(products) = &self.products {
            self.extent.assert_holds(products.values.len(), images);
            assert!(
                products.center.len() >= stride && products.sums.len() >= stride,
                "one value per channel"
            );
        }
        Backward {
            values: self.values.as_mut_ptr(),
            extent: self.extent,
            rectified: self.rectified,
            dropout: self.dropout,
            first_image: self.first_image,
            sums: self.sums.as_mut().map(|sums| sums.as_mut_ptr()),
            products: self.products.as_mut().map(|products| {
                (products.values.as_ptr(), products.center.as_ptr(), products.sums.as_mut_ptr())
            }),
        }
    }
}

impl<E: Activation> Epilogue for Backward<E> {
    #[inline(always)]
    unsafe fn column<S: Simd, const ROWS: usize>(self, sums: [S::Vector; ROWS], at: At) {
        // SAFETY: `checked` compared every length with the channels; `at` is the caller's promise.
        unsafe {
            let zero = S::splat(0.0);
            let stride = self.extent.stride;
            let mut values = sums;
            if let Some(dropout) = self.dropout {
                for (row, value) in values.iter_mut().enumerate() {
                    let image = self.first_image + at.image + row;
                    let index = Dropout::index(&self.extent, image, at.pixel, at.channel);
                    *value = dropout.apply::<S>(*value, index);
                }
            }
            if self.rectified {
                for (row, value) in values.iter_mut().enumerate() {
                    let input = E::load::<S>(self.values.add(at.offset + row * stride));
                    *value = S::select(S::greater(input, zero), *value, zero);
                }
            }
            if let Some(total) = self.sums {
                let total = total.add(at.channel);
                let mut sum = zero;
                for value in &values {
                    sum = S::add(sum, *value);
                }
                S::add_to_f64(total, sum);
            }
            if let Some((normalised, center, total)) = self.products {
                let total = total.add(at.channel);
                let center = S::load(center.add(at.channel));
                let mut sum = zero;
                for (row, value) in values.iter().enumerate() {
                    let output = E::load::<S>(normalised.add(at.offset + row * stride));
                    sum = S::fma(*value, S::sub(output, center), sum);
                }
                S::add_to_f64(total, sum);
            }
            for (row, value) in values.iter().enumerate() {
                E::store::<S>(self.values.add(at.offset + row * stride), *value);
            }
        }
    }
}
