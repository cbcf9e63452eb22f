//! Numbers as activations are stored: 32-bit floats or bfloat16.
#![expect(unsafe_code, reason = "vector loads and stores through pointers")]

use half::bf16;

use super::simd::Simd;

mod sealed {
    /// Keeps the set of elements closed: buffers rely on zero bits being a value.
    pub trait Sealed {}
    impl Sealed for f32 {}
    impl Sealed for half::bf16 {}
    impl Sealed for u8 {}
}

/// A plain number a buffer can hold; all zero bits are a value.
pub trait Element: Copy + Default + Send + Sync + sealed::Sealed + 'static {}

impl Element for f32 {}
impl Element for bf16 {}
impl Element for u8 {}

/// A number that activations are stored as; arithmetic is always in 32-bit floats.
pub trait Activation: Element {
    /// Converts, rounding to nearest even.
    fn from_f32(value: f32) -> Self;

    /// Converts exactly.
    fn to_f32(self) -> f32;

    /// Loads one vector.
    ///
    /// # Safety
    /// `S::LANES` values are readable at `from`, and the machine has the instructions of `S`.
    #[doc(hidden)]
    unsafe fn load<S: Simd>(from: *const Self) -> S::Vector;

    /// Stores one vector.
    ///
    /// # Safety
    /// `S::LANES` values are writable at `to`, and the machine has the instructions of `S`.
    #[doc(hidden)]
    unsafe fn store<S: Simd>(to: *mut Self, value: S::Vector);
}

impl Activation for f32 {
    fn from_f32(value: f32) -> Self {
        value
    }

    fn to_f32(self) -> f32 {
        self
    }

    #[inline(always)]
    unsafe fn load<S: Simd>(from: *const Self) -> S::Vector {
        // SAFETY: the caller's promise.
        unsafe { S::load(from) }
    }

    #[inline(always)]
    unsafe fn store<S: Simd>(to: *mut Self, value: S::Vector) {
        // SAFETY: the caller's promise.
        unsafe { S::store(to, value) }
    }
}

impl Activation for bf16 {
    fn from_f32(value: f32) -> Self {
        Self::from_f32(value)
    }

    fn to_f32(self) -> f32 {
        self.to_f32()
    }

    #[inline(always)]
    unsafe fn load<S: Simd>(from: *const Self) -> S::Vector {
        // SAFETY: the caller's promise.
        unsafe { S::load_bf16(from) }
    }

    #[inline(always)]
    unsafe fn store<S: Simd>(to: *mut Self, value: S::Vector) {
        // SAFETY: the caller's promise.
        unsafe { S::store_bf16(to, value) }
    }
}
