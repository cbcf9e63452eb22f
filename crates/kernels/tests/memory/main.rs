//! No argument that safe code can build makes a kernel touch memory that is not its own.
//!
//! Every buffer lies between pages that end the process when touched ([`guarded`]). Arguments of a
//! sound call are exactly as long as they must be; then some are swapped for those of another call,
//! or are a little too short: a call may panic, and must do nothing else.
#![cfg(unix)]

mod guarded;
mod layers;
mod passes;

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Once;

use gridbench_kernels::{Dispatch, Extent, Storage, Window};
use guarded::{Guarded, Watched};

/// Chance in a hundred that an argument is not the one that belongs there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Disorder(u64);

impl Disorder {
    const NONE: Self = Self(0);
    const SOME: Self = Self(12);
}

/// A small generator (`SplitMix64`, Steele et al. 2014).
struct Numbers {
    state: u64,
    disorder: Disorder,
}

impl Numbers {
    fn word(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut word = self.state;
        word = (word ^ (word >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        word = (word ^ (word >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        word ^ (word >> 31)
    }

    fn between(&mut self, from: usize, to: usize) -> usize {
        from + (self.word() % (to - from + 1) as u64) as usize
    }

    fn is(&mut self, percent: u64) -> bool {
        self.word() % 100 < percent
    }

    /// Returns whether an argument is to be replaced.
    fn errs(&mut self) -> bool {
        let disorder = self.disorder.0;
        self.is(disorder)
    }

    /// Returns the argument that belongs, or another one.
    fn either<T>(&mut self, right: T, wrong: impl FnOnce(&mut Self) -> T) -> T {
        if self.errs() { wrong(self) } else { right }
    }

    /// Returns a size that no memory holds, or none at all.
    fn absurd(&mut self) -> usize {
        [0, 1 << 31, 1 << 32, usize::MAX / 64, usize::MAX / 3, usize::MAX][self.between(0, 5)]
    }

    /// Returns the size that belongs, or one nearby, or an absurd one.
    fn size(&mut self, right: usize) -> usize {
        self.either(right, |numbers| match numbers.between(0, 3) {
            0 => numbers.absurd(),
            1 => right + 1,
            _ => numbers.between(0, 2 * right.min(40)),
        })
    }

    /// Returns a buffer of the length that belongs, or of another that memory holds.
    fn buffer<T: Copy>(&mut self, right: usize, value: T) -> Guarded<T> {
        let right = if right > 1 << 24 { 64 } else { right };
        let len = self.either(right, |numbers| match numbers.between(0, 2) {
            0 => right.saturating_sub(numbers.between(1, 20)),
            1 => numbers.between(0, right),
            _ => right + numbers.between(1, 20),
        });
        let watched = if self.is(70) { Watched::End } else { Watched::Start };
        Guarded::new(len, value, watched)
    }

    fn window(&mut self) -> Window {
        loop {
            let input = [self.between(1, 9), self.between(1, 9)];
            let kernel = [self.between(1, 5), self.between(1, 5)];
            let stride = self.between(1, 3);
            let before = [0, 1].map(|at| self.between(0, kernel[at] - 1));
            let after = [0, 1].map(|at| self.between(0, before[at]));
            let room =
                [0, 1].map(|at| (input[at] + before[at] + after[at]).checked_sub(kernel[at]));
            if let [Some(down), Some(across)] = room {
                let output = [down / stride + 1, across / stride + 1];
                if self.errs() {
                    let output = [self.size(output[0]), self.size(output[1])];
                    let input = [self.size(input[0]), self.size(input[1])];
                    return Window::new(input, kernel, stride, before, output);
                }
                return Window::new(input, kernel, stride, before, output);
            }
        }
    }

    fn extent<E: Storage>(&mut self, pixels: usize, channels: usize, group: usize) -> Extent {
        let (pixels, channels) = (self.size(pixels), self.size(channels));
        let group = self.either(group, |numbers| numbers.between(0, 70));
        let step = self.either(E::STEP, |numbers| numbers.between(0, 70));
        Extent::new(pixels, channels, group).with_step(step)
    }
}

thread_local! {
    static QUIET: Cell<bool> = const { Cell::new(false) };
}

/// Runs a call that may panic, and returns whether it did not.
fn ends(call: impl FnOnce()) -> bool {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let loud = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            if !QUIET.get() {
                loud(panic);
            }
        }));
    });
    QUIET.set(true);
    let ended = catch_unwind(AssertUnwindSafe(call)).is_ok();
    QUIET.set(false);
    ended
}

/// Makes `rounds` sound calls, which must end, and as many with disorder, on every path.
fn on_every_path(rounds: u64, call: impl Fn(Dispatch, &mut Numbers)) {
    for dispatch in Dispatch::all() {
        for seed in 0..rounds {
            let mut numbers = Numbers { state: seed, disorder: Disorder::NONE };
            call(dispatch, &mut numbers);
            let mut numbers = Numbers { state: seed, disorder: Disorder::SOME };
            ends(|| call(dispatch, &mut numbers));
        }
    }
}
