//! The generator behind every resampling: `SplitMix64`, keyed so that each resample has a stream
//! of its own and the number of threads plays no part.

/// `SplitMix64` (Steele, Lea & Flood 2014, <https://doi.org/10.1145/2660193.2660195>).
///
/// Passes `BigCrush`, has no set-up cost, and lets `stats` stand without a crate of generators.
/// Not for initial weights or anything that must not be guessed.
#[derive(Debug, Clone)]
pub struct Draws(u64);

/// Odd constant nearest to 2⁶⁴ divided by the golden ratio.
pub const GOLDEN_GAMMA: u64 = 0x9E37_79B9_7F4A_7C15;

/// Spreads every bit of `word` over all 64 (the finalizer of `SplitMix64`).
#[inline]
#[must_use]
pub fn mix(mut word: u64) -> u64 {
    word = (word ^ (word >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    word = (word ^ (word >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    word ^ (word >> 31)
}

impl Draws {
    /// Starts the stream of `seed`.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// Starts stream number `index` of `seed`; different indices share no visible pattern.
    #[must_use]
    pub fn keyed(seed: u64, index: u64) -> Self {
        Self(mix(mix(seed.wrapping_add(GOLDEN_GAMMA)) ^ index.wrapping_mul(GOLDEN_GAMMA)))
    }

    /// Returns the next 64 random bits.
    #[inline]
    pub fn word(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(GOLDEN_GAMMA);
        mix(self.0)
    }

    /// Returns a number from 0 (included) to 1 (excluded) with 53 random bits.
    #[inline]
    pub fn unit(&mut self) -> f64 {
        (self.word() >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// Returns a draw from the standard normal distribution (Box & Muller 1958).
    pub fn normal(&mut self) -> f64 {
        let radius = (-2.0 * (1.0 - self.unit()).ln()).sqrt();
        radius * (std::f64::consts::TAU * self.unit()).cos()
    }

    /// Returns an index below `n`, by multiply-shift: the bias is below `n / 2⁶⁴`.
    ///
    /// # Panics
    /// If `n` is 0.
    pub fn index(&mut self, n: usize) -> usize {
        assert!(n > 0, "an index below 0 cannot be drawn");
        ((u128::from(self.word()) * n as u128) >> 64) as usize
    }

    /// Calls `visit` with `count` indices below `n`, two from each word: the bias is below
    /// `n / 2³²`, far under what any number of resamples could show.
    ///
    /// # Panics
    /// If `n` is 2³² or more.
    pub fn indices(&mut self, n: usize, count: usize, mut visit: impl FnMut(usize)) {
        let bound = u32::try_from(n).expect("a sample has fewer than 2³² values");
        let scale = |half: u32| ((u64::from(half) * u64::from(bound)) >> 32) as usize;
        for _ in 0..count / 2 {
            let word = self.word();
            visit(scale(word as u32));
            visit(scale((word >> 32) as u32));
        }
        if count % 2 == 1 {
            visit(scale(self.word() as u32));
        }
    }

    /// Shuffles in place, every order equally likely (Fisher & Yates).
    pub fn shuffle<T>(&mut self, items: &mut [T]) {
        for last in (1..items.len()).rev() {
            items.swap(last, self.index(last + 1));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_words_are_those_of_the_published_generator() {
        // https://rosettacode.org/wiki/Pseudo-random_numbers/Splitmix64, seed 1234567.
        let mut draws = Draws::new(1_234_567);
        let words: Vec<u64> = (0..5).map(|_| draws.word()).collect();
        assert_eq!(
            words,
            [
                6_457_827_717_110_365_317,
                3_203_168_211_198_807_973,
                9_817_491_932_198_370_423,
                4_593_380_528_125_082_431,
                16_408_922_859_458_223_821
            ]
        );
    }

    #[test]
    fn indices_cover_their_range_evenly() {
        let mut counts = [0_u32; 7];
        Draws::keyed(1, 2).indices(7, 70_001, |index| counts[index] += 1);
        assert_eq!(counts.iter().sum::<u32>(), 70_001);
        // Six standard deviations of a binomial with n = 70,000 and p = 1/7.
        assert!(counts.iter().all(|count| count.abs_diff(10_000) < 560), "{counts:?}");
    }

    #[test]
    fn normal_draws_have_the_moments_of_the_normal_distribution() {
        let mut draws = Draws::new(5);
        let count = 100_000;
        let values: Vec<f64> = (0..count).map(|_| draws.normal()).collect();
        let moment =
            |power: i32| values.iter().map(|x| x.powi(power)).sum::<f64>() / f64::from(count);
        // Five standard errors: 1/√n, √2/√n, √96/√n.
        assert!(moment(1).abs() < 0.016 && (moment(2) - 1.0).abs() < 0.023);
        assert!((moment(4) - 3.0).abs() < 0.155);
    }

    #[test]
    fn shuffling_keeps_every_item() {
        let mut items: Vec<usize> = (0..50).collect();
        Draws::new(3).shuffle(&mut items);
        assert_ne!(items, (0..50).collect::<Vec<_>>());
        items.sort_unstable();
        assert_eq!(items, (0..50).collect::<Vec<_>>());
    }
}
