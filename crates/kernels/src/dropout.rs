//! Dropout masks from a counter hash: never stored, the same forward and backward.
#![expect(unsafe_code, reason = "vector operations")]

use super::layout::Extent;
use super::simd::Simd;

/// The mask of one dropout layer in one step.
#[derive(Debug, Clone, Copy)]
pub struct Dropout {
    key: [u32; 2],
    threshold: u32,
    scale: f32,
}

impl Dropout {
    /// Returns the mask keyed by `key` that zeroes a share `rate` of the values.
    ///
    /// # Panics
    /// If `rate` is not in `0.0..1.0`.
    #[must_use]
    pub fn new(key: u64, rate: f64) -> Self {
        assert!((0.0..1.0).contains(&rate), "a dropout rate is in 0..1, found {rate}");
        Self {
            key: [key as u32, (key >> 32) as u32],
            threshold: (rate * 4_294_967_296.0) as u32,
            scale: (1.0 / (1.0 - rate)) as f32,
        }
    }

    /// Returns the counter of one value: its index in `images × pixels × channels` without
    /// surplus channels, so that masks do not depend on the path.
    #[inline(always)]
    pub(super) fn index(extent: &Extent, image: usize, pixel: usize, channel: usize) -> u32 {
        ((image * extent.pixels + pixel) * extent.channels + channel) as u32
    }

    /// Returns kept values divided by the share that is kept, others as zero.
    ///
    /// # Safety
    /// The machine has the instructions of `S`.
    #[inline(always)]
    pub(super) unsafe fn apply<S: Simd>(&self, value: S::Vector, index: u32) -> S::Vector {
        // SAFETY: the caller's promise.
        unsafe {
            let kept = S::keep(self.key, index, self.threshold);
            S::select(kept, S::mul(value, S::splat(self.scale)), S::splat(0.0))
        }
    }

    /// Returns what a device needs to make the mask: key, threshold and the bits of the scale.
    #[must_use]
    pub fn words(&self) -> [u32; 4] {
        [self.key[0], self.key[1], self.threshold, self.scale.to_bits()]
    }

    /// Returns what one value is multiplied with.
    #[inline]
    #[must_use]
    pub fn factor(&self, index: u32) -> f32 {
        let kept = super::simd::dropout_hash(self.key, index) >= self.threshold;
        if kept { self.scale } else { 0.0 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_share_of_zeroed_values_is_the_rate() {
        let dropout = Dropout::new(0x1234_5678_9ABC_DEF0, 0.4);
        let n = 200_000;
        let zeroed = (0..n).filter(|&index| dropout.factor(index) < 0.5).count() as f64;
        // Five standard deviations of a binomial share.
        let tolerance = 5.0 * (0.4 * 0.6 / f64::from(n)).sqrt();
        assert!((zeroed / f64::from(n) - 0.4).abs() < tolerance);
    }

    #[test]
    fn masks_of_neighbouring_keys_are_unrelated() {
        let masks = [Dropout::new(1, 0.5), Dropout::new(2, 0.5), Dropout::new(1 << 32, 0.5)];
        let n = 100_000;
        for (first, second) in [(0, 1), (0, 2), (1, 2)] {
            let equal = (0..n)
                .filter(|&index| {
                    (masks[first].factor(index) > 0.5) == (masks[second].factor(index) > 0.5)
                })
                .count() as f64;
            let tolerance = 5.0 * (0.25 / f64::from(n)).sqrt();
            assert!((equal / f64::from(n) - 0.5).abs() < tolerance, "{first} {second} {equal}");
        }
    }

    #[test]
    fn the_hash_is_that_of_the_kernels_for_gpus() {
        // `dropout_hash` of src/engine/cuda/kernels.cu, compiled by g++.
        let hash = |index| super::super::simd::dropout_hash([0x1234_5678, 0x9ABC_DEF0], index);
        assert_eq!([hash(0), hash(12_345)], [0x2EFD_548D, 0x2C70_BE4D]);
    }

    #[test]
    fn a_rate_of_zero_keeps_everything() {
        let dropout = Dropout::new(7, 0.0);
        assert!((0..1000).all(|index| (dropout.factor(index) - 1.0).abs() < f32::EPSILON));
    }
}
