//! Comparisons by order alone: Mann and Whitney's test, P(A > B), Cliff's δ.

use serde::Serialize;

use super::bootstrap::{RESAMPLES, percentile_interval, resample};
use super::distributions::normal_sf;

/// Mann and Whitney's test.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct MannWhitney {
    /// Pairs in which the first is larger, ties counting half.
    pub u: f64,
    /// Probability of so uneven an order, either way, if both come from one distribution.
    pub p_two_sided: f64,
    /// Whether p is exact; otherwise normal, corrected for ties and continuity.
    pub exact: bool,
}

/// Tests whether one sample tends to larger values than the other (Mann & Whitney 1947).
///
/// Exact where the smaller sample has at most 8 values, the larger at most 100, and there are no
/// ties. Nothing if either is empty or a value is not finite; p is 1 where all values are equal.
///
/// ```
/// let a = [0.9921, 0.9918, 0.9934, 0.9925, 0.9929, 0.9911];
/// let b = [0.9899, 0.9907, 0.9912, 0.9883];
/// // scipy.stats.mannwhitneyu(a, b): .statistic, .pvalue
/// let found = gridbench_stats::mann_whitney(&a, &b).unwrap();
/// assert_eq!(found.u, 23.0);
/// assert!((found.p_two_sided - 0.019_047_619_047_619_05).abs() < 1e-12);
/// ```
#[must_use]
pub fn mann_whitney(a: &[f64], b: &[f64]) -> Option<MannWhitney> {
    let u = pairs_won(a, b)?;
    let pairs = (a.len() * b.len()) as f64;
    let larger = u.max(pairs - u);
    let ties = tie_groups(a, b);
    let (few, many) = (a.len().min(b.len()), a.len().max(b.len()));
    let exact = ties.is_empty() && few <= 8 && many <= 100;
    let p_two_sided = if exact {
        let ways = ways_to_win(few, many);
        let at_least: f64 = ways[larger as usize..].iter().sum();
        2.0 * at_least / ways.iter().sum::<f64>()
    } else {
        let n = (a.len() + b.len()) as f64;
        let tied: f64 = ties.iter().map(|&size| (size as f64).powi(3) - size as f64).sum();
        let sd = (pairs / 12.0 * (n + 1.0 - tied / (n * (n - 1.0)))).sqrt();
        if sd > 0.0 { 2.0 * normal_sf((larger - 0.5 * pairs - 0.5) / sd) } else { 1.0 }
    };
    Some(MannWhitney { u, p_two_sided: p_two_sided.min(1.0), exact })
}

/// Returns the number of pairs in which the value of `a` is larger, ties counting half.
fn pairs_won(a: &[f64], b: &[f64]) -> Option<f64> {
    if a.is_empty() || b.is_empty() || a.iter().chain(b).any(|value| !value.is_finite()) {
        return None;
    }
    let mut sorted = b.to_vec();
    sorted.sort_unstable_by(f64::total_cmp);
    let won = a.iter().map(|value| {
        let below = sorted.partition_point(|other| other < value);
        let up_to = sorted.partition_point(|other| other <= value);
        0.5 * (below + up_to) as f64
    });
    Some(won.sum())
}

/// Returns the sizes, above 1, of the groups of equal values.
fn tie_groups(a: &[f64], b: &[f64]) -> Vec<usize> {
    let mut all: Vec<f64> = a.iter().chain(b).copied().collect();
    all.sort_unstable_by(f64::total_cmp);
    // In ascending order, not less means equal.
    all.chunk_by(|x, y| x >= y).map(<[f64]>::len).filter(|&size| size > 1).collect()
}

/// Returns for every U the number of orders of `n` and `m` values that give it: the coefficients
/// of the Gaussian binomial ∏ (1 − x^(m+i)) / (1 − x^i), exact in f64 up to 2⁵³.
fn ways_to_win(n: usize, m: usize) -> Vec<f64> {
    let mut ways = vec![0.0; n * m + 1];
    ways[0] = 1.0;
    for i in 1..=n {
        for u in (m + i..ways.len()).rev() {
            ways[u] -= ways[u - m - i];
        }
        for u in i..ways.len() {
            ways[u] += ways[u - i];
        }
    }
    ways
}

/// Returns Cliff's δ, P(A > B) − P(A < B), from −1 to 1 (Cliff 1993).
///
/// Nothing if either sample is empty or a value is not finite.
///
/// ```
/// let a = [0.9921, 0.9918, 0.9934, 0.9925, 0.9929, 0.9911];
/// let b = [0.9899, 0.9907, 0.9912, 0.9883];
/// // numpy.sign(numpy.subtract.outer(a, b)).mean()
/// assert!((gridbench_stats::cliffs_delta(&a, &b).unwrap() - 0.916_666_666_666_666_6).abs() < 1e-15);
/// ```
#[must_use]
pub fn cliffs_delta(a: &[f64], b: &[f64]) -> Option<f64> {
    Some(2.0 * pairs_won(a, b)? / (a.len() * b.len()) as f64 - 1.0)
}

/// How often a run of A beats a run of B.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Superiority {
    /// P(A > B), ties counting half.
    pub probability: f64,
    /// 95 % percentile interval over resamples of both samples; absent with a single value on a
    /// side, and where one side wins every time, of which no resample knows better.
    pub interval95: Option<(f64, f64)>,
    /// Two-sided p of Mann and Whitney's test that the probability is one half.
    #[serde(skip)]
    pub p_two_sided: f64,
}

impl Superiority {
    /// Returns whether A is better beyond chance: Mann and Whitney's test rejects one half at 5 %,
    /// and the interval lies above it. The interval alone is too narrow for few trials: without the
    /// test a third of all pairs of two equal trials each would pass.
    #[must_use]
    pub fn is_significant(&self) -> bool {
        self.probability > 0.5
            && self.p_two_sided <= 0.05
            && self.interval95.is_none_or(|(low, _)| low > 0.5)
    }

    /// Returns the same seen from B.
    #[must_use]
    pub fn reversed(&self) -> Self {
        Self {
            probability: 1.0 - self.probability,
            interval95: self.interval95.map(|(low, high)| (1.0 - high, 1.0 - low)),
            p_two_sided: self.p_two_sided,
        }
    }

    /// Returns whether A is better beyond chance and may be so by a margin worth having: the
    /// interval lies above one half and reaches above `gamma`, by recommendation 0.75 (Bouthillier
    /// et al. 2021, <https://arxiv.org/abs/2103.03098>).
    #[must_use]
    pub fn is_meaningful(&self, gamma: f64) -> bool {
        self.is_significant() && self.interval95.map_or(self.probability, |(_, high)| high) > gamma
    }
}

/// Estimates P(A > B), resamples drawn from `seed`; negate both samples where smaller is better.
///
/// Nothing if either sample is empty or a value is not finite.
///
/// ```
/// let a = [0.9921, 0.9918, 0.9934, 0.9925, 0.9929, 0.9911];
/// let b = [0.9899, 0.9907, 0.9912, 0.9883];
/// let found = gridbench_stats::probability_of_superiority(&a, &b, 1).unwrap();
/// // 23 of 24 pairs
/// assert!((found.probability - 23.0 / 24.0).abs() < 1e-15 && found.is_meaningful(0.75));
/// ```
#[must_use]
pub fn probability_of_superiority(a: &[f64], b: &[f64], seed: u64) -> Option<Superiority> {
    let pairs = (a.len() * b.len()) as f64;
    let probability = pairs_won(a, b)? / pairs;
    let interval95 = (a.len() > 1 && b.len() > 1).then(|| {
        // Row by row, how a value of `a` fares against each of `b`.
        let won: Vec<f64> = a
            .iter()
            .flat_map(|x| b.iter().map(move |y| if x > y { 1.0 } else { f64::from(x >= y) * 0.5 }))
            .collect();
        let mut resampled = resample(RESAMPLES, seed, |draws| {
            let mut times = vec![0.0; b.len()];
            draws.indices(b.len(), b.len(), |column| times[column] += 1.0);
            let mut sum = 0.0;
            draws.indices(a.len(), a.len(), |row| {
                let row = &won[row * b.len()..][..b.len()];
                sum += row.iter().zip(&times).map(|(won, times)| won * times).sum::<f64>();
            });
            sum / pairs
        });
        percentile_interval(&mut resampled, 0.95)
    });
    Some(Superiority {
        probability,
        interval95: interval95.filter(|(low, high)| low < high),
        p_two_sided: mann_whitney(a, b)?.p_two_sided,
    })
}

#[cfg(test)]
mod tests {
    use super::super::testing::{C, D, assert_close};
    use super::*;

    const A: [f64; 6] = [0.9921, 0.9918, 0.9934, 0.9925, 0.9929, 0.9911];
    const B: [f64; 4] = [0.9899, 0.9907, 0.9912, 0.9883];

    #[test]
    fn mann_whitney_agrees_with_scipy() {
        // scipy.stats.mannwhitneyu(a, b)
        let tens: Vec<f64> = (0..10).map(|i| f64::from(2 * i)).collect();
        let shifted: Vec<f64> = (0..10).map(|i| f64::from(2 * i + 5)).collect();
        let twelve: Vec<f64> = (0..12).map(f64::from).collect();
        let stretched: Vec<f64> = (0..12).map(|i| f64::from(i) * 1.3 + 0.05).collect();
        for (a, b, u, p, exact) in [
            (&A[..], &B[..], 23.0, 0.019_047_619_047_619_05, true),
            (
                &[1.0, 2.0, 3.0, 4.0, 5.0],
                &[2.5, 3.5, 6.0, 7.0, 8.0, 9.0],
                5.0,
                0.082_251_082_251_082_26,
                true,
            ),
            (
                &[1.0, 2.0, 2.0, 3.0, 5.0],
                &[2.0, 3.0, 3.0, 4.0, 6.0, 7.0],
                7.0,
                0.163_045_055_854_237_34,
                false,
            ),
            (&tens, &shifted, 28.0, 0.104_109_889_660_226_81, false),
            (&twelve, &stretched, 56.0, 0.370_844_333_304_221_2, false),
        ] {
            let found = mann_whitney(a, b).unwrap();
            assert_close(found.u, u, 0.0);
            assert_close(found.p_two_sided, p, 1e-9);
            assert_eq!(found.exact, exact);
        }
    }

    #[test]
    fn equal_values_show_nothing() {
        let found = mann_whitney(&[1.0; 5], &[1.0; 20]).unwrap();
        assert_close(found.p_two_sided, 1.0, 0.0);
        assert_eq!(mann_whitney(&[], &[1.0]), None);
        assert_eq!(mann_whitney(&[f64::NAN], &[1.0]), None);
    }

    #[test]
    fn cliffs_delta_is_the_mean_sign_of_all_pairs() {
        // numpy.sign(numpy.subtract.outer(a, b)).mean()
        assert_close(cliffs_delta(&A, &B).unwrap(), 0.916_666_666_666_666_6, 1e-15);
        assert_eq!(cliffs_delta(&A, &[]), None);
    }

    #[test]
    fn superiority_agrees_with_numpy() {
        // Mean of (c > d) + (c == d) / 2 over all pairs; 2.5 and 97.5 percentiles of it over
        // 200,000 resamples of both: 0.515625 and 0.9609375, the steps being 1/128.
        let found = probability_of_superiority(&C, &D, 1).unwrap();
        assert_close(found.probability, 0.773_437_5, 1e-15);
        let (low, high) = found.interval95.unwrap();
        assert_close(low, 0.515_625, 1.5 / 128.0);
        assert_close(high, 0.960_937_5, 1.5 / 128.0);
        // scipy.stats.mannwhitneyu(c, d).pvalue is 0.074: too few trials, whatever the interval says.
        assert!(!found.is_significant() && !found.is_meaningful(0.75));
    }

    #[test]
    fn superiority_is_meaningful_only_beyond_chance() {
        let found = probability_of_superiority(&A, &B, 1).unwrap();
        assert!(found.is_significant() && found.is_meaningful(0.75));
        assert!(!found.reversed().is_significant());
        // One side wins every time: as likely by chance as one order in three of two and two.
        let (low, high) = ([0.9900, 0.9850], [0.9901, 0.9950]);
        let found = probability_of_superiority(&high, &low, 1).unwrap();
        assert_eq!((found.interval95, found.is_significant()), (None, false));
        let found = probability_of_superiority(&A, &[0.5, 0.6, 0.7, 0.8], 1).unwrap();
        assert_eq!((found.interval95, found.is_meaningful(0.75)), (None, true));
    }

    #[test]
    fn a_single_value_has_no_interval_of_superiority() {
        let found = probability_of_superiority(&[2.0], &[1.0, 1.5], 1).unwrap();
        assert_eq!((found.probability.to_bits(), found.interval95), (1.0_f64.to_bits(), None));
        assert!(!found.is_significant());
    }
}
