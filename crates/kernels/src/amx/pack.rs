//! Weights as right-hand tiles.
//!
//! A tile holds 32 values of the sum (in 16 pairs) times 16 channels. Tiles of two channel blocks
//! stand side by side, then the values of a tap, then the taps, then the next two blocks.
#![expect(unsafe_code, reason = "AVX-512 shuffles over raw pointers")]
#![allow(clippy::wildcard_imports, reason = "intrinsics carry their prefix")]

use std::arch::x86_64::*;

use half::bf16;

use super::super::layout::{TILE_STEP, product};
use super::super::pack::WeightShape;
use super::TILE_VALUES;
use super::shuffle::transpose;

/// Packs weights for the forward pass: sums over input channels, rounded up to whole tiles.
pub(super) fn pack_forward(shape: WeightShape, weights: &[f32], packed: &mut [bf16]) {
    let input_stride = shape.inputs.next_multiple_of(TILE_STEP);
    assert!(weights.len() >= shape.len(), "one value per weight");
    let len = product(&[shape.taps, input_stride, shape.stride]);
    assert!(packed.len() >= len, "one value per weight");
    assert!(shape.stride.is_multiple_of(32) && input_stride.is_multiple_of(32), "whole tiles");
    // SAFETY: only AMX paths come here; all lengths were just checked.
    unsafe { forward(shape, input_stride, weights.as_ptr(), packed.as_mut_ptr()) }
}

/// Packs weights for the input gradient: sums over output channels, `shape.stride` of them.
pub(super) fn pack_backward(
    shape: WeightShape,
    input_stride: usize,
    weights: &[f32],
    packed: &mut [bf16],
) {
    assert!(weights.len() >= shape.len(), "one value per weight");
    let len = product(&[shape.taps, input_stride, shape.stride]);
    assert!(packed.len() >= len, "one value per weight");
    assert!(shape.stride.is_multiple_of(32) && input_stride.is_multiple_of(32), "whole tiles");
    // SAFETY: only AMX paths come here; all lengths were just checked.
    unsafe { backward(shape, input_stride, weights.as_ptr(), packed.as_mut_ptr()) }
}

#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512bf16")]
unsafe fn forward(
    shape: WeightShape,
    input_stride: usize,
    weights: *const f32,
    mut packed: *mut bf16,
) {
    let WeightShape { taps, inputs, stride, .. } = shape;
    for block in (0..stride).step_by(32) {
        for tap in 0..taps {
            for first in (0..input_stride).step_by(32) {
                for tile in 0..2 {
                    for pair in 0..16 {
                        let input = first + 2 * pair;
                        // SAFETY: rows past `inputs` are not read; the tiles fill `packed`.
                        unsafe {
                            let row = weights
                                .add((tap * inputs + input.min(inputs)) * stride)
                                .add(block + 16 * tile);
                            let even = if input < inputs { _mm512_loadu_ps(row) } else { zero() };
                            let odd = if input + 1 < inputs {
                                _mm512_loadu_ps(row.add(stride))
                            } else {
                                zero()
                            };
                            _mm512_storeu_si512(packed.add(pair * 32).cast(), words(even, odd));
                        }
                    }
                    // SAFETY: at most one past the end.
                    packed = unsafe { packed.add(TILE_VALUES) };
                }
            }
        }
    }
}

#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512bf16")]
unsafe fn backward(
    shape: WeightShape,
    input_stride: usize,
    weights: *const f32,
    mut packed: *mut bf16,
) {
    let WeightShape { taps, inputs, stride, .. } = shape;
    for block in (0..input_stride).step_by(32) {
        for tap in 0..taps {
            for first in (0..stride).step_by(32) {
                for tile in 0..2 {
                    let mut words = [_mm512_setzero_si512(); 16];
                    for (row, words) in words.iter_mut().enumerate() {
                        let input = block + 16 * tile + row;
                        if input < inputs {
                            // SAFETY: the row exists and has `stride` values.
                            unsafe {
                                let row = weights.add((tap * inputs + input) * stride + first);
                                *words =
                                    neighbours(_mm512_loadu_ps(row), _mm512_loadu_ps(row.add(16)));
                            }
                        }
                    }
                    // SAFETY: the tiles fill `packed`.
                    unsafe {
                        words = transpose(words);
                        for (pair, words) in words.iter().enumerate() {
                            _mm512_storeu_si512(packed.add(pair * 32).cast(), *words);
                        }
                        packed = packed.add(TILE_VALUES);
                    }
                }
            }
        }
    }
}

#[inline]
#[target_feature(enable = "avx512f")]
fn zero() -> __m512 {
    _mm512_setzero_ps()
}

/// Rounds both vectors and returns words with a value of `even` low and one of `odd` high.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512bf16")]
fn words(even: __m512, odd: __m512) -> __m512i {
    let low = _mm512_cvtepu16_epi32(halves(even));
    let high = _mm512_slli_epi32(_mm512_cvtepu16_epi32(halves(odd)), 16);
    _mm512_or_si512(low, high)
}

/// Rounds 16 values.
#[inline]
#[target_feature(enable = "avx512f,avx512bf16")]
fn halves(values: __m512) -> __m256i {
    // SAFETY: both types are 32 plain bytes.
    unsafe { std::mem::transmute(_mm512_cvtneps_pbh(values)) }
}

/// Rounds 32 values in order.
#[inline]
#[target_feature(enable = "avx512f,avx512bf16")]
fn neighbours(first: __m512, second: __m512) -> __m512i {
    // SAFETY: both types are 64 plain bytes.
    unsafe { std::mem::transmute(_mm512_cvtne2ps_pbh(second, first)) }
}
