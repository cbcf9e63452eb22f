//! Dropout masks as a hash of a counter, so that no mask is stored and every path can make the
//! same one: a value is kept or not by (member, step, layer, image, feature) alone.

use crate::base::{SeedPath, Stream};
use gridbench_kernels::Dropout;

/// Layers a step can have without two of them sharing a key.
const LAYERS_PER_STEP: u64 = 1 << 16;

/// The mask of one dropout layer in one step of one member.
#[derive(Debug, Clone, Copy)]
pub(crate) struct DropoutMask(Dropout);

impl DropoutMask {
    /// Returns the key of layer `layer` (from 1) in step `step` (from 0).
    pub(crate) fn key(seed_path: &SeedPath, step: u64, layer: usize) -> u64 {
        seed_path.word(Stream::Dropout, step * LAYERS_PER_STEP + layer as u64)
    }

    /// Builds the mask of layer `layer` (from 1) in step `step` (from 0) for a dropout `rate`.
    pub(crate) fn new(seed_path: &SeedPath, step: u64, layer: usize, rate: f64) -> Self {
        Self(Dropout::new(Self::key(seed_path, step, layer), rate))
    }

    /// Returns what a device needs to make the mask: key, threshold and the bits of the scale.
    #[cfg(feature = "cuda")]
    pub(super) fn words(&self) -> [u32; 4] {
        self.0.words()
    }

    /// Returns 0 for a dropped value and `1 / (1 − rate)` for a kept one.
    ///
    /// `element` is `image in the batch · features + feature`, features counted in row, column,
    /// channel order, and wraps at 2³².
    #[inline]
    pub(crate) fn factor(&self, element: u64) -> f32 {
        self.0.factor(element as u32)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::Seed;

    fn factors(member: u32, step: u64, layer: usize, rate: f64) -> Vec<f32> {
        let mask = DropoutMask::new(&SeedPath::member(Seed(7), 0, member), step, layer, rate);
        (0..100_000).map(|element| mask.factor(element)).collect()
    }

    /// Counts the values where both masks drop or both keep.
    fn agreeing(a: &[f32], b: &[f32]) -> f64 {
        a.iter().zip(b).filter(|(a, b)| (**a > 0.0) == (**b > 0.0)).count() as f64
    }

    #[test]
    fn the_share_of_dropped_values_is_the_rate() {
        for rate in [0.0, 0.2, 0.4, 0.9] {
            let dropped = factors(0, 0, 1, rate).iter().filter(|f| **f <= 0.0).count() as f64;
            // Four standard deviations of a binomial of 100,000 draws.
            let tolerance = 4.0 * (rate * (1.0 - rate) / 1e5).sqrt() + 1e-9;
            assert!((dropped / 1e5 - rate).abs() <= tolerance, "{dropped} dropped at {rate}");
        }
    }

    #[test]
    fn kept_values_are_scaled_so_that_the_mean_stays() {
        assert!(factors(0, 0, 1, 0.2).iter().all(|&f| f <= 0.0 || (f - 1.25).abs() < 1e-6));
    }

    #[test]
    fn masks_of_other_steps_layers_and_members_are_unrelated() {
        let reference = factors(0, 3, 2, 0.5);
        for other in [factors(1, 3, 2, 0.5), factors(0, 4, 2, 0.5), factors(0, 3, 3, 0.5)] {
            let agreeing = agreeing(&reference, &other);
            assert!((agreeing / 1e5 - 0.5).abs() < 4.0 * (0.25f64 / 1e5).sqrt());
        }
    }

    #[test]
    fn neighbouring_values_are_dropped_independently() {
        let reference = factors(0, 0, 1, 0.5);
        for lag in [1, 2, 10, 64, 576] {
            let share = agreeing(&reference, &reference[lag..]) / (reference.len() - lag) as f64;
            assert!((share - 0.5).abs() < 4.0 * (0.25f64 / 1e5).sqrt(), "lag {lag}: {share}");
        }
    }
}
