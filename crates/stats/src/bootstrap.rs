//! Bootstrap: seeded resamples in parallel, percentile and `BCa` intervals.
//!
//! Every resample draws from a stream of its own, so the digits do not depend on the threads.

use rayon::prelude::*;

use super::distributions::{normal_cdf, normal_quantile};
use super::draws::Draws;

/// Resamples behind every printed interval.
pub const RESAMPLES: usize = 10_000;

/// Seed of resamplings nobody asked to seed otherwise: the same data give the same digits.
pub const RESAMPLE_SEED: u64 = 0x6772_6964_6265_6e63;

/// Returns `statistic` of each of `resamples` streams of `seed`, in the order of the streams.
///
/// ```
/// // Streams are keyed by their number: the same whatever the number of threads.
/// let means = gridbench_stats::resample(3, 7, |draws| draws.unit());
/// assert_eq!(means, gridbench_stats::resample(3, 7, |draws| draws.unit()));
/// ```
pub fn resample<T, F>(resamples: usize, seed: u64, statistic: F) -> Vec<T>
where
    T: Send,
    F: Fn(&mut Draws) -> T + Sync,
{
    (0..resamples)
        .into_par_iter()
        .with_min_len(32)
        .map(|index| statistic(&mut Draws::keyed(seed, index as u64)))
        .collect()
}

/// Returns the bias-corrected and accelerated interval of the mean of `values` (Efron 1987,
/// <https://doi.org/10.1080/01621459.1987.10478410>), `resamples` drawn from `seed`.
///
/// Nothing for fewer than two values or values that are not finite; a constant sample has an
/// interval of no width.
///
/// ```
/// let values = [0.1, 0.4, 0.2, 0.9, 0.3, 0.5, 0.2, 0.8];
/// let (low, high) = gridbench_stats::bca_interval_of_mean(&values, 0.95, 10_000, 1).unwrap();
/// // scipy.stats.bootstrap((values,), numpy.mean, n_resamples=1_000_000, method='BCa')
/// assert!((low - 0.262_5).abs() < 0.006 && (high - 0.65).abs() < 0.006);
/// ```
#[must_use]
pub fn bca_interval_of_mean(
    values: &[f64],
    level: f64,
    resamples: usize,
    seed: u64,
) -> Option<(f64, f64)> {
    let moments = super::Moments::of(values)?;
    let (mean, sd) = (moments.mean, moments.sd?);
    if sd == 0.0 {
        return Some((mean, mean));
    }
    let n = values.len();
    let distances: Vec<f64> = values.iter().map(|value| value - mean).collect();
    let mut shifts = resample(resamples, seed, |draws| {
        let mut sum = 0.0;
        draws.indices(n, n, |index| sum += distances[index]);
        sum / n as f64
    });
    // The mean's jackknife distances are proportional to the values' own.
    let squares: f64 = distances.iter().map(|distance| distance * distance).sum();
    let cubes: f64 = distances.iter().map(|distance| distance.powi(3)).sum();
    let acceleration = cubes / (6.0 * squares.powf(1.5));
    // Accuracies are multiples of one image's, so many resampled means equal the sample's own but
    // for rounding.
    let slack = 1e-12 * distances.iter().map(|distance| distance.abs()).sum::<f64>() / n as f64;
    let below = shifts.iter().filter(|&&shift| shift < -slack).count();
    let level_with = shifts.iter().filter(|&&shift| shift.abs() <= slack).count();
    let share = (below as f64 + 0.5 * level_with as f64) / resamples as f64;
    let bias = normal_quantile(share);
    if !bias.is_finite() {
        return None;
    }
    let adjusted = |p: f64| {
        let z = bias + normal_quantile(p);
        normal_cdf(bias + z / (1.0 - acceleration * z))
    };
    let tail = 0.5 * (1.0 - level);
    let low = quantile(&mut shifts, adjusted(tail));
    let high = quantile(&mut shifts, adjusted(1.0 - tail));
    Some((mean + low, mean + high))
}

/// Returns the percentile interval of resampled statistics.
///
/// # Panics
/// If `statistics` is empty.
///
/// ```
/// let mut statistics: Vec<f64> = (0..=100).map(f64::from).collect();
/// // numpy.percentile(range(101), [2.5, 97.5])
/// let (low, high) = gridbench_stats::percentile_interval(&mut statistics, 0.95);
/// assert!((low - 2.5).abs() < 1e-12 && (high - 97.5).abs() < 1e-12);
/// ```
pub fn percentile_interval(statistics: &mut [f64], level: f64) -> (f64, f64) {
    let tail = 0.5 * (1.0 - level);
    (quantile(statistics, tail), quantile(statistics, 1.0 - tail))
}

/// Returns the `p` quantile by linear interpolation between order statistics (type 7 of Hyndman &
/// Fan 1996, `NumPy`'s default), reordering `values`.
pub(super) fn quantile(values: &mut [f64], p: f64) -> f64 {
    let position = p.clamp(0.0, 1.0) * (values.len() - 1) as f64;
    let (below, share) = (position.floor() as usize, position.fract());
    let (_, &mut low, above) = values.select_nth_unstable_by(below, f64::total_cmp);
    let next = above.iter().copied().min_by(f64::total_cmp).unwrap_or(low);
    low + share * (next - low)
}

#[cfg(test)]
mod tests {
    use super::super::testing::{SKEWED, assert_close};
    use super::*;

    #[test]
    fn the_bca_interval_agrees_with_numpy() {
        // Efron's formulas in NumPy on the values times 10,000, whole numbers whose ties are exact:
        // (0.985704, 0.9876) from 2,000,000 resamples of each of three seeds. (SciPy counts ties
        // as rounding leaves them and comes to 0.985714 and 0.987602.) The standard error of a
        // quantile of 10,000 resamples is about 1e-5 here.
        let (low, high) = bca_interval_of_mean(&SKEWED, 0.95, RESAMPLES, 1).unwrap();
        assert_close(low, 0.985_704, 4e-5);
        assert_close(high, 0.987_6, 4e-5);
        let (low, high) = bca_interval_of_mean(&SKEWED, 0.95, 400_000, 2).unwrap();
        assert_close(low, 0.985_704, 8e-6);
        assert_close(high, 0.987_6, 8e-6);
    }

    #[test]
    fn the_digits_do_not_depend_on_the_number_of_threads() {
        let alone = rayon::ThreadPoolBuilder::new().num_threads(1).build().unwrap();
        let four = rayon::ThreadPoolBuilder::new().num_threads(4).build().unwrap();
        let interval = || bca_interval_of_mean(&SKEWED, 0.95, 3_000, 9).unwrap();
        assert_eq!(alone.install(interval), four.install(interval));
    }

    #[test]
    fn an_interval_of_quantised_values_does_not_hang_on_their_rounding() {
        let sample = |low: f64, high: f64| -> Vec<f64> {
            (0..20).map(|i| if i < 10 { low } else { high }).collect()
        };
        let relative = |low: f64, high: f64| {
            let found = bca_interval_of_mean(&sample(low, high), 0.95, RESAMPLES, 1).unwrap();
            let middle = 0.5 * (low + high);
            ((found.0 - middle) / (high - low), (found.1 - middle) / (high - low))
        };
        let (one, other) = (relative(0.981, 0.982), relative(0.9901, 0.9902));
        assert_close(one.0, other.0, 1e-9);
        assert_close(one.1, other.1, 1e-9);
        assert_close(one.0, -one.1, 0.051);
    }

    #[test]
    fn a_sample_without_spread_has_an_interval_without_width() {
        assert_eq!(bca_interval_of_mean(&[0.3; 25], 0.95, 100, 1), Some((0.3, 0.3)));
        assert_eq!(bca_interval_of_mean(&[0.3], 0.95, 100, 1), None);
        assert_eq!(bca_interval_of_mean(&[0.3, f64::NAN], 0.95, 100, 1), None);
    }

    #[test]
    fn quantiles_interpolate_as_numpy_does() {
        // numpy.quantile([3, 1, 4, 1, 5, 9], [0, 0.1, 0.5, 0.9, 1])
        let values = [3.0, 1.0, 4.0, 1.0, 5.0, 9.0];
        for (p, expected) in [(0.0, 1.0), (0.1, 1.0), (0.5, 3.5), (0.9, 7.0), (1.0, 9.0)] {
            assert_close(quantile(&mut values.clone(), p), expected, 1e-14);
        }
    }
}
