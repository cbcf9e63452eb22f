//! Sixteen lanes of AVX-512.
#![expect(unsafe_code, reason = "vector instructions, guarded by the proof a `Dispatch` carries")]
#![allow(clippy::wildcard_imports, reason = "intrinsics carry their prefix")]

use std::arch::x86_64::*;

use half::bf16;

use super::simd::Simd;

/// Vectors of sixteen. `BF16`: the machine has AVX512-BF16 too, as every one with AMX.
#[derive(Clone, Copy)]
pub(super) struct Avx512<const BF16: bool>;

// SAFETY of every block below: the contract of `Simd`, which the callers keep.
impl<const BF16: bool> Simd for Avx512<BF16> {
    type Vector = __m512;
    type Mask = __mmask16;
    const LANES: usize = 16;
    const REGISTERS: usize = 32;

    #[inline(always)]
    unsafe fn splat(value: f32) -> __m512 {
        unsafe { _mm512_set1_ps(value) }
    }
    #[inline(always)]
    unsafe fn load(from: *const f32) -> __m512 {
        unsafe { _mm512_loadu_ps(from) }
    }
    #[inline(always)]
    unsafe fn store(to: *mut f32, value: __m512) {
        unsafe { _mm512_storeu_ps(to, value) }
    }
    #[inline(always)]
    unsafe fn load_bf16(from: *const bf16) -> __m512 {
        unsafe {
            let halves = _mm512_cvtepu16_epi32(_mm256_loadu_si256(from.cast()));
            _mm512_castsi512_ps(_mm512_slli_epi32(halves, 16))
        }
    }
    #[inline(always)]
    unsafe fn store_bf16(to: *mut bf16, value: __m512) {
        unsafe {
            let halves = if BF16 {
                std::mem::transmute::<__m256bh, __m256i>(_mm512_cvtneps_pbh(value))
            } else {
                rounded(value)
            };
            _mm256_storeu_si256(to.cast(), halves);
        }
    }
    #[inline(always)]
    unsafe fn load_bytes(from: *const u8) -> __m512 {
        unsafe { _mm512_cvtepi32_ps(_mm512_cvtepu8_epi32(_mm_loadu_si128(from.cast()))) }
    }
    #[inline(always)]
    unsafe fn store_bytes(to: *mut u8, value: __m512) {
        unsafe { _mm_storeu_si128(to.cast(), _mm512_cvtepi32_epi8(_mm512_cvttps_epi32(value))) }
    }
    #[inline(always)]
    unsafe fn add_to_f64(to: *mut f64, value: __m512) {
        unsafe {
            let low = _mm512_cvtps_pd(_mm512_castps512_ps256(value));
            let high = _mm512_cvtps_pd(_mm512_extractf32x8_ps(value, 1));
            _mm512_storeu_pd(to, _mm512_add_pd(_mm512_loadu_pd(to), low));
            let to = to.add(8);
            _mm512_storeu_pd(to, _mm512_add_pd(_mm512_loadu_pd(to), high));
        }
    }
    #[inline(always)]
    unsafe fn any_nonzero(a: __m512) -> bool {
        unsafe { _mm512_cmp_ps_mask(a, _mm512_setzero_ps(), _CMP_NEQ_UQ) != 0 }
    }
    #[inline(always)]
    unsafe fn add(a: __m512, b: __m512) -> __m512 {
        unsafe { _mm512_add_ps(a, b) }
    }
    #[inline(always)]
    unsafe fn sub(a: __m512, b: __m512) -> __m512 {
        unsafe { _mm512_sub_ps(a, b) }
    }
    #[inline(always)]
    unsafe fn mul(a: __m512, b: __m512) -> __m512 {
        unsafe { _mm512_mul_ps(a, b) }
    }
    #[inline(always)]
    unsafe fn div(a: __m512, b: __m512) -> __m512 {
        unsafe { _mm512_div_ps(a, b) }
    }
    #[inline(always)]
    unsafe fn sqrt(a: __m512) -> __m512 {
        unsafe { _mm512_sqrt_ps(a) }
    }
    // Division and root take the machine some 20 cycles a vector; 14 bits and one step of Newton's
    // method take four.
    #[inline(always)]
    unsafe fn reciprocal(a: __m512) -> __m512 {
        unsafe {
            let guess = _mm512_rcp14_ps(a);
            let error = _mm512_fnmadd_ps(a, guess, _mm512_set1_ps(1.0));
            _mm512_fmadd_ps(guess, error, guess)
        }
    }
    #[inline(always)]
    unsafe fn reciprocal_sqrt(a: __m512) -> __m512 {
        unsafe {
            let guess = _mm512_rsqrt14_ps(a);
            let square = _mm512_mul_ps(a, _mm512_mul_ps(guess, guess));
            let error = _mm512_sub_ps(_mm512_set1_ps(1.0), square);
            _mm512_fmadd_ps(_mm512_mul_ps(guess, _mm512_set1_ps(0.5)), error, guess)
        }
    }
    #[inline(always)]
    unsafe fn max(a: __m512, b: __m512) -> __m512 {
        unsafe { _mm512_max_ps(a, b) }
    }
    #[inline(always)]
    unsafe fn fma(a: __m512, b: __m512, c: __m512) -> __m512 {
        unsafe { _mm512_fmadd_ps(a, b, c) }
    }
    #[inline(always)]
    unsafe fn greater(a: __m512, b: __m512) -> __mmask16 {
        unsafe { _mm512_cmp_ps_mask(a, b, _CMP_GT_OQ) }
    }
    #[inline(always)]
    unsafe fn equal(a: __m512, b: __m512) -> __mmask16 {
        unsafe { _mm512_cmp_ps_mask(a, b, _CMP_EQ_OQ) }
    }
    #[inline(always)]
    unsafe fn select(mask: __mmask16, yes: __m512, no: __m512) -> __m512 {
        unsafe { _mm512_mask_blend_ps(mask, no, yes) }
    }
    #[inline(always)]
    unsafe fn keep(key: [u32; 2], index: u32, threshold: u32) -> __mmask16 {
        unsafe {
            let lanes = _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
            let index = _mm512_add_epi32(_mm512_set1_epi32(index as i32), lanes);
            let golden = _mm512_set1_epi32(0x9E37_79B1_u32 as i32);
            let first = _mm512_set1_epi32(0x85EB_CA6B_u32 as i32);
            let second = _mm512_set1_epi32(0xC2B2_AE35_u32 as i32);
            let mut hash = _mm512_mullo_epi32(index, golden);
            hash = _mm512_xor_si512(hash, _mm512_set1_epi32(key[0] as i32));
            hash = _mm512_xor_si512(hash, _mm512_srli_epi32(hash, 16));
            hash = _mm512_mullo_epi32(hash, first);
            hash = _mm512_xor_si512(hash, _mm512_srli_epi32(hash, 13));
            hash = _mm512_add_epi32(hash, _mm512_set1_epi32(key[1] as i32));
            hash = _mm512_mullo_epi32(hash, second);
            hash = _mm512_xor_si512(hash, _mm512_srli_epi32(hash, 16));
            _mm512_cmpge_epu32_mask(hash, _mm512_set1_epi32(threshold as i32))
        }
    }
}

/// Rounds to bfloat16, ties to even, without the instruction for it.
///
/// # Safety
/// The machine has AVX-512.
#[inline(always)]
unsafe fn rounded(value: __m512) -> __m256i {
    unsafe {
        let bits = _mm512_castps_si512(value);
        let odd = _mm512_and_si512(_mm512_srli_epi32(bits, 16), _mm512_set1_epi32(1));
        let half = _mm512_add_epi32(odd, _mm512_set1_epi32(0x7FFF));
        let nearest = _mm512_add_epi32(bits, half);
        // Carries would make a NaN infinite; its quiet form keeps what bits fit.
        let quiet = _mm512_or_si512(bits, _mm512_set1_epi32(0x40_0000));
        let is_nan = _mm512_cmp_ps_mask(value, value, _CMP_UNORD_Q);
        let chosen = _mm512_mask_blend_epi32(is_nan, nearest, quiet);
        _mm512_cvtepi32_epi16(_mm512_srli_epi32(chosen, 16))
    }
}
