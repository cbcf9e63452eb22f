//! What the machine can do at most, for benchmarks to compare with.
#![expect(unsafe_code, reason = "vector and tile instructions")]

use std::hint::black_box;
use std::time::Instant;

use super::isa::{Dispatch, Isa};
use super::simd::{Kernel, Simd, run};

/// Independent sums, enough to hide the latency of a multiplication and an addition.
const CHAINS: usize = 12;

/// Measures the floating-point operations per second of multiply-adds that touch no memory, on
/// one thread, in about 20 ms. The portable path has no peak: its speed is what the compiler makes
/// of each loop.
#[must_use]
pub fn peak_flops(dispatch: Dispatch) -> Option<f64> {
    if dispatch.isa() == Isa::Portable {
        return None;
    }
    #[cfg(target_arch = "x86_64")]
    if dispatch.isa().is_bf16() {
        let rounds = 200_000;
        let start = Instant::now();
        super::amx::multiply_in_place(dispatch, rounds);
        // Four products of 16 × 32 by 32 × 16.
        let flops = rounds as f64 * 4.0 * 2.0 * 16.0 * 32.0 * 16.0;
        return Some(flops / start.elapsed().as_secs_f64());
    }
    let rounds = 2_000_000;
    let start = Instant::now();
    // SAFETY: the kernel touches no memory.
    let lanes = unsafe { run(dispatch, Chains { rounds }) };
    let flops = rounds as f64 * (2 * CHAINS * lanes) as f64;
    Some(flops / start.elapsed().as_secs_f64())
}

struct Chains {
    rounds: usize,
}

impl Kernel for Chains {
    type Output = usize;

    #[inline(always)]
    unsafe fn run<S: Simd>(self) -> usize {
        // SAFETY: only registers and a local array are used.
        unsafe {
            let factor = S::splat(black_box(0.999));
            let addend = S::splat(black_box(1e-3));
            let mut chains = [S::splat(black_box(1.0)); CHAINS];
            for _ in 0..self.rounds {
                for chain in &mut chains {
                    *chain = S::fma(*chain, factor, addend);
                }
            }
            let mut sum = S::splat(0.0);
            for chain in chains {
                sum = S::add(sum, chain);
            }
            let mut lanes = [0.0; 16];
            S::store(lanes.as_mut_ptr(), sum);
            black_box(lanes);
        }
        S::LANES
    }
}
