//! A counter-based generator for the choices data need: which image, in which order, how varied.
//!
//! `SplitMix64` (Steele, Lea & Flood 2014): the n-th number is a hash of `key + n · γ`, so any number
//! can be had without those before it, and nothing is kept between images.

use gridbench_stats::{Draws, GOLDEN_GAMMA, mix};

/// A stream of pseudo-random numbers that is a function of its key alone.
#[derive(Debug, Clone)]
pub(super) struct Counter(Draws);

impl Counter {
    /// Starts the stream of `key`.
    pub(super) fn new(key: u64) -> Self {
        Self(Draws::new(key))
    }

    /// Starts the stream of item `index` under `key`.
    pub(super) fn of_item(key: u64, index: u64) -> Self {
        Self(Draws::new(mix(key ^ mix(index.wrapping_add(1).wrapping_mul(GOLDEN_GAMMA)))))
    }

    /// Returns the next 64 random bits.
    pub(super) fn bits(&mut self) -> u64 {
        self.0.word()
    }

    /// Returns a number from 0 (included) to 1 (excluded).
    pub(super) fn unit(&mut self) -> f64 {
        self.0.unit()
    }

    /// Returns a number from −1 (included) to 1 (excluded).
    pub(super) fn signed(&mut self) -> f64 {
        2.0 * self.unit() - 1.0
    }

    /// Returns a whole number below `bound`, each equally likely (Lemire 2019).
    pub(super) fn below(&mut self, bound: u32) -> u32 {
        let mut product = u128::from(self.bits()) * u128::from(bound);
        let threshold = u64::from(bound).wrapping_neg() % u64::from(bound.max(1));
        while (product as u64) < threshold {
            product = u128::from(self.bits()) * u128::from(bound);
        }
        (product >> 64) as u32
    }

    /// Puts `items` in random order, each order equally likely (Fisher–Yates).
    pub(super) fn shuffle(&mut self, items: &mut [u32]) {
        for last in (1..items.len()).rev() {
            let chosen = self.below(last as u32 + 1) as usize;
            items.swap(last, chosen);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_stream_of_key_0_is_that_of_splitmix64() {
        // java.util.SplittableRandom(0L).nextLong() and prng.di.unimi.it/splitmix64.c, seed 0.
        let mut counter = Counter::new(0);
        assert_eq!(counter.bits(), 0xE220_A839_7B1D_CDAF);
        assert_eq!(counter.bits(), 0x6E78_9E6A_A1B9_65F4);
        assert_eq!(counter.bits(), 0x06C4_5D18_8009_454F);
    }

    #[test]
    fn a_shuffle_keeps_every_item_and_moves_most() {
        let mut items: Vec<u32> = (0..1000).collect();
        Counter::new(7).shuffle(&mut items);
        let unmoved = items.iter().enumerate().filter(|&(at, &item)| at == item as usize).count();
        assert!(unmoved < 10, "{unmoved} of 1000 items did not move");
        items.sort_unstable();
        assert!(items.into_iter().eq(0..1000));
    }

    #[test]
    fn bounded_numbers_fill_their_range_evenly() {
        let mut counter = Counter::new(1);
        let mut seen = [0_u32; 6];
        for _ in 0..60_000 {
            seen[counter.below(6) as usize] += 1;
        }
        // Binomial(60000, 1/6): mean 10000, standard deviation 91.
        assert!(seen.iter().all(|&count| count.abs_diff(10_000) < 500), "{seen:?}");
    }

    #[test]
    fn neighbouring_items_share_no_numbers() {
        let first: Vec<u64> = (0..100).map(|item| Counter::of_item(3, item).bits()).collect();
        let mut distinct = first.clone();
        distinct.sort_unstable();
        distinct.dedup();
        assert_eq!(distinct.len(), first.len());
        assert_ne!(Counter::of_item(3, 0).bits(), Counter::of_item(4, 0).bits());
    }
}
