//! Rearranges bfloat16 matrices into the forms tiles multiply.
#![expect(unsafe_code, reason = "AVX-512 shuffles")]
#![allow(clippy::wildcard_imports, reason = "intrinsics carry their prefix")]

use std::arch::x86_64::*;

use half::bf16;

/// Sixteen vectors of sixteen 32-bit words.
pub(super) type Block = [__m512i; 16];

/// Transposes 16 × 16 words.
///
/// # Safety
/// The machine has AVX-512.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl")]
pub(super) unsafe fn transpose(block: &mut Block) {
    let mut other = [_mm512_setzero_si512(); 16];
    for pair in 0..8 {
        let [a, b] = [block[2 * pair], block[2 * pair + 1]];
        other[2 * pair] = _mm512_unpacklo_epi32(a, b);
        other[2 * pair + 1] = _mm512_unpackhi_epi32(a, b);
    }
    for four in 0..4 {
        let [a, b, c, d] = [0, 1, 2, 3].map(|at| other[4 * four + at]);
        block[4 * four] = _mm512_unpacklo_epi64(a, c);
        block[4 * four + 1] = _mm512_unpackhi_epi64(a, c);
        block[4 * four + 2] = _mm512_unpacklo_epi64(b, d);
        block[4 * four + 3] = _mm512_unpackhi_epi64(b, d);
    }
    for row in 0..4 {
        let [a, b, c, d] = [0, 4, 8, 12].map(|at| block[at + row]);
        other[row] = _mm512_shuffle_i32x4(a, b, 0x88);
        other[row + 4] = _mm512_shuffle_i32x4(a, b, 0xdd);
        other[row + 8] = _mm512_shuffle_i32x4(c, d, 0x88);
        other[row + 12] = _mm512_shuffle_i32x4(c, d, 0xdd);
    }
    for row in 0..8 {
        let [a, b] = [other[row], other[row + 8]];
        block[row] = _mm512_shuffle_i32x4(a, b, 0x88);
        block[row + 8] = _mm512_shuffle_i32x4(a, b, 0xdd);
    }
}

/// Returns 16 words whose low half is a value of `even` and whose high half one of `odd`.
///
/// # Safety
/// The machine has AVX-512 and 16 values are readable at both pointers.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl")]
pub(super) unsafe fn interleave(even: *const bf16, odd: *const bf16) -> __m512i {
    // SAFETY: the caller's promise.
    unsafe {
        let low = _mm512_cvtepu16_epi32(_mm256_loadu_si256(even.cast()));
        let high = _mm512_cvtepu16_epi32(_mm256_loadu_si256(odd.cast()));
        _mm512_or_si512(low, _mm512_slli_epi32(high, 16))
    }
}

/// Interleaves pairs of images: 32 images × `channels` values become, for every 16 channels, one
/// right-hand tile of 16 pairs × 16 channels × 2.
///
/// # Safety
/// The machine has AVX-512; `channels` is a multiple of 16; 32 rows of `channels` values are
/// readable at `from` and as many values writable at `to`.
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl")]
pub(super) unsafe fn interleave_images(from: *const bf16, channels: usize, to: *mut bf16) {
    // SAFETY: the caller's promise.
    unsafe {
        for channel in (0..channels).step_by(16) {
            let tile = to.add(channel * 32);
            for pair in 0..16 {
                let even = from.add(2 * pair * channels + channel);
                let words = interleave(even, even.add(channels));
                _mm512_storeu_si512(tile.add(pair * 32).cast(), words);
            }
        }
    }
}

/// Transposes 32 images × `channels` values to `channels` rows of 32 images: left-hand tiles.
///
/// # Safety
/// As for [`interleave_images`].
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl")]
pub(super) unsafe fn transpose_images(from: *const bf16, channels: usize, to: *mut bf16) {
    // SAFETY: the caller's promise.
    unsafe {
        for channel in (0..channels).step_by(16) {
            let mut block = [_mm512_setzero_si512(); 16];
            for (pair, words) in block.iter_mut().enumerate() {
                let even = from.add(2 * pair * channels + channel);
                *words = interleave(even, even.add(channels));
            }
            transpose(&mut block);
            for (row, words) in block.iter().enumerate() {
                _mm512_storeu_si512(to.add((channel + row) * 32).cast(), *words);
            }
        }
    }
}
