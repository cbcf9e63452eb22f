//! One vocabulary of vector operations for every instruction set.
//!
//! A [`Kernel`] is written once against [`Simd`]; [`run`] compiles it once per instruction set and
//! picks the copy at run time. Everything a kernel calls must be `#[inline(always)]` and free of
//! closures, otherwise it is compiled without the instruction set and becomes a slow call.
#![expect(unsafe_code, reason = "vector instructions, guarded by the proof a `Dispatch` carries")]

use half::bf16;

use super::isa::{Dispatch, Isa};

/// Vectors of 32-bit floats of one instruction set.
///
/// Every function is unsafe for the same reason: the machine must have the instructions, and
/// pointers must be valid for [`Simd::LANES`] values, aligned or not.
pub trait Simd: Copy + 'static {
    /// A vector.
    type Vector: Copy;
    /// One truth value per lane.
    type Mask: Copy;
    /// Values in a vector; divides 16.
    const LANES: usize;
    /// Vector registers.
    const REGISTERS: usize;

    unsafe fn splat(value: f32) -> Self::Vector;
    unsafe fn load(from: *const f32) -> Self::Vector;
    unsafe fn store(to: *mut f32, value: Self::Vector);
    unsafe fn load_bf16(from: *const bf16) -> Self::Vector;
    unsafe fn store_bf16(to: *mut bf16, value: Self::Vector);
    /// Loads bytes as numbers.
    unsafe fn load_bytes(from: *const u8) -> Self::Vector;
    /// Stores whole numbers from 0 to 255 as bytes.
    unsafe fn store_bytes(to: *mut u8, value: Self::Vector);
    /// Adds each value to a number of double precision.
    unsafe fn add_to_f64(to: *mut f64, value: Self::Vector);
    /// Returns whether a value is not 0; NaN is not.
    unsafe fn any_nonzero(a: Self::Vector) -> bool;
    unsafe fn add(a: Self::Vector, b: Self::Vector) -> Self::Vector;
    unsafe fn sub(a: Self::Vector, b: Self::Vector) -> Self::Vector;
    unsafe fn mul(a: Self::Vector, b: Self::Vector) -> Self::Vector;
    unsafe fn div(a: Self::Vector, b: Self::Vector) -> Self::Vector;
    unsafe fn sqrt(a: Self::Vector) -> Self::Vector;
    /// Returns `1 / a` of positive finite values, to the last bit or two.
    #[inline(always)]
    unsafe fn reciprocal(a: Self::Vector) -> Self::Vector {
        // SAFETY: the caller's promise.
        unsafe { Self::div(Self::splat(1.0), a) }
    }
    /// Returns `1 / √a` of positive finite values, to the last bit or two.
    #[inline(always)]
    unsafe fn reciprocal_sqrt(a: Self::Vector) -> Self::Vector {
        // SAFETY: the caller's promise.
        unsafe { Self::div(Self::splat(1.0), Self::sqrt(a)) }
    }
    /// Returns `a` where `a > b`, else `b`; so a NaN in `a` gives `b`.
    unsafe fn max(a: Self::Vector, b: Self::Vector) -> Self::Vector;
    /// Returns `a · b + c`, rounded once where the instruction set can.
    unsafe fn fma(a: Self::Vector, b: Self::Vector, c: Self::Vector) -> Self::Vector;
    unsafe fn greater(a: Self::Vector, b: Self::Vector) -> Self::Mask;
    unsafe fn equal(a: Self::Vector, b: Self::Vector) -> Self::Mask;
    /// Returns `yes` where the mask holds, else `no`.
    unsafe fn select(mask: Self::Mask, yes: Self::Vector, no: Self::Vector) -> Self::Vector;
    /// Returns where [`dropout_hash`] of `index`, `index + 1`, … is at least `threshold`.
    unsafe fn keep(key: [u32; 2], index: u32, threshold: u32) -> Self::Mask;
}

/// A computation written once for all instruction sets.
pub(super) trait Kernel {
    /// What it gives.
    type Output;

    /// Computes. Implementations are `#[inline(always)]`.
    ///
    /// # Safety
    /// The machine has the instructions of `S`; whatever else the kernel's fields must satisfy.
    unsafe fn run<S: Simd>(self) -> Self::Output;
}

/// Runs a kernel on a path.
///
/// # Safety
/// The kernel's fields satisfy what its implementation asks for.
pub(super) unsafe fn run<K: Kernel>(dispatch: Dispatch, kernel: K) -> K::Output {
    #[cfg(target_arch = "x86_64")]
    {
        use super::avx2::Avx2;
        use super::avx512::Avx512;

        #[target_feature(enable = "avx2,fma")]
        unsafe fn on_avx2<K: Kernel>(kernel: K) -> K::Output {
            // SAFETY: the caller's promise; the attribute enables the instructions.
            unsafe { kernel.run::<Avx2>() }
        }
        #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,fma")]
        unsafe fn on_avx512<K: Kernel>(kernel: K) -> K::Output {
            // SAFETY: as above.
            unsafe { kernel.run::<Avx512<false>>() }
        }
        #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512bf16,fma")]
        unsafe fn on_avx512_bf16<K: Kernel>(kernel: K) -> K::Output {
            // SAFETY: as above.
            unsafe { kernel.run::<Avx512<true>>() }
        }
        // SAFETY: a `Dispatch` exists only for instructions this machine has.
        unsafe {
            match dispatch.isa() {
                Isa::Portable => kernel.run::<Portable>(),
                Isa::Avx2 => on_avx2(kernel),
                Isa::Avx512 => on_avx512(kernel),
                Isa::AmxBf16 => on_avx512_bf16(kernel),
            }
        }
    }
    #[cfg(not(target_arch = "x86_64"))]
    {
        debug_assert_eq!(dispatch.isa(), Isa::Portable);
        // SAFETY: the caller's promise; portable vectors need no special instructions.
        unsafe { kernel.run::<Portable>() }
    }
}

/// Returns 32 pseudo-random bits that depend on every bit of `key` and `index`.
///
/// The finaliser of `MurmurHash3` (Appleby 2011) over the index, keyed before and in the middle.
#[inline(always)]
pub(super) fn dropout_hash(key: [u32; 2], index: u32) -> u32 {
    let mut hash = index.wrapping_mul(0x9E37_79B1) ^ key[0];
    hash ^= hash >> 16;
    hash = hash.wrapping_mul(0x85EB_CA6B);
    hash ^= hash >> 13;
    hash = hash.wrapping_add(key[1]).wrapping_mul(0xC2B2_AE35);
    hash ^ (hash >> 16)
}

/// Four lanes of plain Rust, which compilers turn into SSE2 or NEON.
#[derive(Clone, Copy)]
pub(super) struct Portable;

type Four = [f32; 4];

/// Applies an expression to every lane; a macro because closures would not be inlined surely.
macro_rules! lanes {
    ($lane:ident => $value:expr) => {{
        let mut out = [Default::default(); 4];
        let mut $lane = 0;
        while $lane < 4 {
            out[$lane] = $value;
            $lane += 1;
        }
        out
    }};
}

impl Simd for Portable {
    type Vector = Four;
    type Mask = [bool; 4];
    const LANES: usize = 4;
    const REGISTERS: usize = if cfg!(target_arch = "aarch64") { 32 } else { 16 };

    #[inline(always)]
    unsafe fn splat(value: f32) -> Four {
        [value; 4]
    }
    #[inline(always)]
    unsafe fn load(from: *const f32) -> Four {
        // SAFETY: the caller's promise.
        unsafe { from.cast::<Four>().read_unaligned() }
    }
    #[inline(always)]
    unsafe fn store(to: *mut f32, value: Four) {
        // SAFETY: the caller's promise.
        unsafe { to.cast::<Four>().write_unaligned(value) }
    }
    #[inline(always)]
    unsafe fn load_bf16(from: *const bf16) -> Four {
        // SAFETY: the caller's promise.
        lanes!(lane => unsafe { (*from.add(lane)).to_f32() })
    }
    #[inline(always)]
    unsafe fn store_bf16(to: *mut bf16, value: Four) {
        // SAFETY: the caller's promise.
        unsafe { to.cast::<[bf16; 4]>().write(lanes!(lane => bf16::from_f32(value[lane]))) }
    }
    #[inline(always)]
    unsafe fn load_bytes(from: *const u8) -> Four {
        // SAFETY: the caller's promise.
        lanes!(lane => unsafe { f32::from(*from.add(lane)) })
    }
    #[inline(always)]
    unsafe fn store_bytes(to: *mut u8, value: Four) {
        // SAFETY: the caller's promise.
        unsafe { to.cast::<[u8; 4]>().write(lanes!(lane => value[lane] as u8)) }
    }
    #[inline(always)]
    unsafe fn add_to_f64(to: *mut f64, value: Four) {
        // SAFETY: the caller's promise.
        unsafe {
            let sums = to.cast::<[f64; 4]>().read_unaligned();
            let sums = lanes!(lane => sums[lane] + f64::from(value[lane]));
            to.cast::<[f64; 4]>().write_unaligned(sums);
        }
    }
    #[inline(always)]
    #[expect(clippy::float_cmp, reason = "exactly 0 is what is looked for")]
    unsafe fn any_nonzero(a: Four) -> bool {
        let nonzero: Four = lanes!(lane => f32::from(u8::from(a[lane] != 0.0)));
        nonzero != [0.0; 4]
    }
    #[inline(always)]
    unsafe fn add(a: Four, b: Four) -> Four {
        lanes!(lane => a[lane] + b[lane])
    }
    #[inline(always)]
    unsafe fn sub(a: Four, b: Four) -> Four {
        lanes!(lane => a[lane] - b[lane])
    }
    #[inline(always)]
    unsafe fn mul(a: Four, b: Four) -> Four {
        lanes!(lane => a[lane] * b[lane])
    }
    #[inline(always)]
    unsafe fn div(a: Four, b: Four) -> Four {
        lanes!(lane => a[lane] / b[lane])
    }
    #[inline(always)]
    unsafe fn sqrt(a: Four) -> Four {
        lanes!(lane => a[lane].sqrt())
    }
    #[inline(always)]
    unsafe fn max(a: Four, b: Four) -> Four {
        lanes!(lane => if a[lane] > b[lane] { a[lane] } else { b[lane] })
    }
    #[inline(always)]
    unsafe fn fma(a: Four, b: Four, c: Four) -> Four {
        // `mul_add` is a library call on x86-64 without FMA, many times slower than this.
        if cfg!(target_arch = "aarch64") {
            lanes!(lane => a[lane].mul_add(b[lane], c[lane]))
        } else {
            lanes!(lane => a[lane] * b[lane] + c[lane])
        }
    }
    #[inline(always)]
    unsafe fn greater(a: Four, b: Four) -> [bool; 4] {
        lanes!(lane => a[lane] > b[lane])
    }
    #[inline(always)]
    #[expect(clippy::float_cmp, reason = "finds the very value that won")]
    unsafe fn equal(a: Four, b: Four) -> [bool; 4] {
        lanes!(lane => a[lane] == b[lane])
    }
    #[inline(always)]
    unsafe fn select(mask: [bool; 4], yes: Four, no: Four) -> Four {
        lanes!(lane => if mask[lane] { yes[lane] } else { no[lane] })
    }
    #[inline(always)]
    unsafe fn keep(key: [u32; 2], index: u32, threshold: u32) -> [bool; 4] {
        lanes!(lane => dropout_hash(key, index.wrapping_add(lane as u32)) >= threshold)
    }
}
