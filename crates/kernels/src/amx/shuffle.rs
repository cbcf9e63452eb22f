//! Rearranges bfloat16 matrices into the forms tiles multiply.
#![expect(unsafe_code, reason = "AVX-512 shuffles")]
#![allow(clippy::wildcard_imports, reason = "intrinsics carry their prefix")]

use std::arch::x86_64::*;

use half::bf16;

/// Sixteen vectors of sixteen 32-bit words.
pub(super) type Block = [__m512i; 16];

/// Transposes 16 × 16 words.
///
/// Inlined everywhere and free of closures: a call would pass all sixteen vectors through memory.
///
/// # Safety
/// The caller has AVX-512 enabled.
#[inline(always)]
pub(super) unsafe fn transpose(block: Block) -> Block {
    // SAFETY: the caller's promise.
    unsafe {
        let (mut one, mut two) = (block, block);
        for pair in 0..8 {
            let (a, b) = (one[2 * pair], one[2 * pair + 1]);
            two[2 * pair] = _mm512_unpacklo_epi32(a, b);
            two[2 * pair + 1] = _mm512_unpackhi_epi32(a, b);
        }
        for four in 0..4 {
            let at = 4 * four;
            one[at] = _mm512_unpacklo_epi64(two[at], two[at + 2]);
            one[at + 1] = _mm512_unpackhi_epi64(two[at], two[at + 2]);
            one[at + 2] = _mm512_unpacklo_epi64(two[at + 1], two[at + 3]);
            one[at + 3] = _mm512_unpackhi_epi64(two[at + 1], two[at + 3]);
        }
        for row in 0..4 {
            two[row] = _mm512_shuffle_i32x4(one[row], one[row + 4], 0x88);
            two[row + 4] = _mm512_shuffle_i32x4(one[row], one[row + 4], 0xdd);
            two[row + 8] = _mm512_shuffle_i32x4(one[row + 8], one[row + 12], 0x88);
            two[row + 12] = _mm512_shuffle_i32x4(one[row + 8], one[row + 12], 0xdd);
        }
        for row in 0..8 {
            one[row] = _mm512_shuffle_i32x4(two[row], two[row + 8], 0x88);
            one[row + 8] = _mm512_shuffle_i32x4(two[row], two[row + 8], 0xdd);
        }
        one
    }
}

/// Returns 16 words whose low half is a value of `even` and whose high half one of `odd`.
///
/// # Safety
/// The caller has AVX-512 enabled, and 16 values are readable at both pointers.
#[inline(always)]
unsafe fn interleave(even: *const bf16, odd: *const bf16) -> __m512i {
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
            block = transpose(block);
            for (row, words) in block.iter().enumerate() {
                _mm512_storeu_si512(to.add((channel + row) * 32).cast(), *words);
            }
        }
    }
}
