//! Eight lanes of AVX2 with fused multiply-add.
#![expect(unsafe_code, reason = "vector instructions, guarded by the proof a `Dispatch` carries")]
#![allow(clippy::wildcard_imports, reason = "intrinsics carry their prefix")]

use std::arch::x86_64::*;

use half::bf16;

use super::simd::Simd;

/// Vectors of eight.
#[derive(Clone, Copy)]
pub(super) struct Avx2;

// SAFETY of every block below: the contract of `Simd`, which the callers keep.
impl Simd for Avx2 {
    type Vector = __m256;
    type Mask = __m256;
    const LANES: usize = 8;
    const REGISTERS: usize = 16;

    #[inline(always)]
    unsafe fn splat(value: f32) -> __m256 {
        unsafe { _mm256_set1_ps(value) }
    }
    #[inline(always)]
    unsafe fn load(from: *const f32) -> __m256 {
        unsafe { _mm256_loadu_ps(from) }
    }
    #[inline(always)]
    unsafe fn store(to: *mut f32, value: __m256) {
        unsafe { _mm256_storeu_ps(to, value) }
    }
    #[inline(always)]
    unsafe fn load_bf16(from: *const bf16) -> __m256 {
        unsafe {
            let halves = _mm256_cvtepu16_epi32(_mm_loadu_si128(from.cast()));
            _mm256_castsi256_ps(_mm256_slli_epi32(halves, 16))
        }
    }
    #[inline(always)]
    unsafe fn store_bf16(to: *mut bf16, value: __m256) {
        let mut lanes = [0.0; 8];
        unsafe { _mm256_storeu_ps(lanes.as_mut_ptr(), value) };
        for (lane, value) in lanes.into_iter().enumerate() {
            unsafe { to.add(lane).write(bf16::from_f32(value)) };
        }
    }
    #[inline(always)]
    unsafe fn load_bytes(from: *const u8) -> __m256 {
        unsafe { _mm256_cvtepi32_ps(_mm256_cvtepu8_epi32(_mm_loadl_epi64(from.cast()))) }
    }
    #[inline(always)]
    unsafe fn store_bytes(to: *mut u8, value: __m256) {
        unsafe {
            let whole = _mm256_cvttps_epi32(value);
            let words =
                _mm_packus_epi32(_mm256_castsi256_si128(whole), _mm256_extracti128_si256(whole, 1));
            _mm_storel_epi64(to.cast(), _mm_packus_epi16(words, words));
        }
    }
    #[inline(always)]
    unsafe fn add_to_f64(to: *mut f64, value: __m256) {
        unsafe {
            let low = _mm256_cvtps_pd(_mm256_castps256_ps128(value));
            let high = _mm256_cvtps_pd(_mm256_extractf128_ps(value, 1));
            _mm256_storeu_pd(to, _mm256_add_pd(_mm256_loadu_pd(to), low));
            let to = to.add(4);
            _mm256_storeu_pd(to, _mm256_add_pd(_mm256_loadu_pd(to), high));
        }
    }
    #[inline(always)]
    unsafe fn any_nonzero(a: __m256) -> bool {
        unsafe {
            let zero = _mm256_setzero_ps();
            _mm256_movemask_ps(_mm256_cmp_ps(a, zero, _CMP_NEQ_UQ)) != 0
        }
    }
    #[inline(always)]
    unsafe fn add(a: __m256, b: __m256) -> __m256 {
        unsafe { _mm256_add_ps(a, b) }
    }
    #[inline(always)]
    unsafe fn sub(a: __m256, b: __m256) -> __m256 {
        unsafe { _mm256_sub_ps(a, b) }
    }
    #[inline(always)]
    unsafe fn mul(a: __m256, b: __m256) -> __m256 {
        unsafe { _mm256_mul_ps(a, b) }
    }
    #[inline(always)]
    unsafe fn div(a: __m256, b: __m256) -> __m256 {
        unsafe { _mm256_div_ps(a, b) }
    }
    #[inline(always)]
    unsafe fn sqrt(a: __m256) -> __m256 {
        unsafe { _mm256_sqrt_ps(a) }
    }
    #[inline(always)]
    unsafe fn max(a: __m256, b: __m256) -> __m256 {
        unsafe { _mm256_max_ps(a, b) }
    }
    #[inline(always)]
    unsafe fn fma(a: __m256, b: __m256, c: __m256) -> __m256 {
        unsafe { _mm256_fmadd_ps(a, b, c) }
    }
    #[inline(always)]
    unsafe fn greater(a: __m256, b: __m256) -> __m256 {
        unsafe { _mm256_cmp_ps(a, b, _CMP_GT_OQ) }
    }
    #[inline(always)]
    unsafe fn equal(a: __m256, b: __m256) -> __m256 {
        unsafe { _mm256_cmp_ps(a, b, _CMP_EQ_OQ) }
    }
    #[inline(always)]
    unsafe fn select(mask: __m256, yes: __m256, no: __m256) -> __m256 {
        unsafe { _mm256_blendv_ps(no, yes, mask) }
    }
    #[inline(always)]
    unsafe fn keep(key: [u32; 2], index: u32, threshold: u32) -> __m256 {
        unsafe {
            let lanes = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
            let index = _mm256_add_epi32(_mm256_set1_epi32(index as i32), lanes);
            let golden = _mm256_set1_epi32(0x9E37_79B1_u32 as i32);
            let first = _mm256_set1_epi32(0x85EB_CA6B_u32 as i32);
            let second = _mm256_set1_epi32(0xC2B2_AE35_u32 as i32);
            let mut hash = _mm256_mullo_epi32(index, golden);
            hash = _mm256_xor_si256(hash, _mm256_set1_epi32(key[0] as i32));
            hash = _mm256_xor_si256(hash, _mm256_srli_epi32(hash, 16));
            hash = _mm256_mullo_epi32(hash, first);
            hash = _mm256_xor_si256(hash, _mm256_srli_epi32(hash, 13));
            hash = _mm256_add_epi32(hash, _mm256_set1_epi32(key[1] as i32));
            hash = _mm256_mullo_epi32(hash, second);
            hash = _mm256_xor_si256(hash, _mm256_srli_epi32(hash, 16));
            let threshold = _mm256_set1_epi32(threshold as i32);
            let kept = _mm256_cmpeq_epi32(_mm256_max_epu32(hash, threshold), hash);
            _mm256_castsi256_ps(kept)
        }
    }
}
