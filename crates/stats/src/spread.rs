//! Standard deviations themselves: how sure they are, and how large they should be.

use serde::Serialize;
use statrs::function::gamma::gamma_lr;

use super::moments::Moments;
use super::roots::crossing;

/// Returns the interval of a standard deviation at `level`, from `sd` on so many degrees of freedom
/// (χ² of normal values). Nothing without a degree of freedom or for a level outside 0 to 1.
///
/// ```
/// // 0.047 * np.sqrt(29 / scipy.stats.chi2.ppf([0.975, 0.025], 29))
/// let (low, high) = gridbench_stats::sd_interval(0.047, 29.0, 0.95).unwrap();
/// assert!((low - 0.037_431_126).abs() < 1e-8 && (high - 0.063_182_81).abs() < 1e-8);
/// ```
#[must_use]
pub fn sd_interval(sd: f64, degrees_of_freedom: f64, level: f64) -> Option<(f64, f64)> {
    let sound = degrees_of_freedom > 0.0 && sd >= 0.0 && 0.0 < level && level < 1.0;
    let tail = 0.5 * (1.0 - level);
    let bound = |p: f64| {
        let ratio = chi_squared_quantile(p, degrees_of_freedom) / degrees_of_freedom;
        sd / ratio.sqrt()
    };
    sound.then(|| (bound(1.0 - tail), bound(tail)))
}

/// Returns the `p` quantile of χ².
pub(super) fn chi_squared_quantile(p: f64, degrees_of_freedom: f64) -> f64 {
    let half = 0.5 * degrees_of_freedom;
    let below = |x: f64| gamma_lr(half, x) - p;
    let mut high = half + 1.0;
    while below(high) < 0.0 {
        high *= 2.0;
    }
    // On a logarithmic scale, for few degrees of freedom have quantiles next to 0.
    let x = crossing(-200.0, high.ln(), 1e-13, |log| below(log.exp()));
    2.0 * x.exp()
}

/// The spread of cells of one kind, for example ensembles of one size.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct GroupSpread {
    /// The group, for example the size of the ensembles.
    pub group: usize,
    /// Standard deviation pooled over its cells.
    pub sd: f64,
    /// Degrees of freedom of that.
    pub degrees_of_freedom: usize,
}

/// Pools standard deviations within groups, in ascending order of group: spreads of networks and of
/// ensembles have nothing in common, and pooled over both they describe neither.
///
/// Samples of a single value or with one that is not finite add nothing; a group without any other
/// is left out.
///
/// # Panics
/// If there is not one group for every sample.
///
/// ```
/// let samples: [&[f64]; 3] = [&[1.0, 3.0], &[10.0, 10.5, 11.0], &[2.0, 6.0]];
/// let found = gridbench_stats::sd_by_group(&samples, &[1, 15, 1]);
/// // sqrt((2 + 8) / 2) and numpy.std([10, 10.5, 11], ddof=1)
/// assert!((found[0].sd - 5.0_f64.sqrt()).abs() < 1e-12);
/// assert_eq!((found[1].group, found[1].degrees_of_freedom, found[1].sd), (15, 2, 0.5));
/// ```
#[must_use]
pub fn sd_by_group(samples: &[&[f64]], groups: &[usize]) -> Vec<GroupSpread> {
    assert_eq!(samples.len(), groups.len(), "every sample has a group");
    let mut distinct = groups.to_vec();
    distinct.sort_unstable();
    distinct.dedup();
    let pooled = |group: usize| {
        let members: Vec<&[f64]> = samples
            .iter()
            .zip(groups)
            .filter_map(|(sample, own)| (*own == group).then_some(*sample))
            .collect();
        let (sd, degrees_of_freedom) = super::pooled_sd(&members)?;
        Some(GroupSpread { group, sd, degrees_of_freedom })
    };
    distinct.into_iter().filter_map(pooled).collect()
}

/// Returns the spread of accuracy to expect if images were read right or wrong independently of
/// each other, each as often as over these `runs`: √(Σ p(1 − p)) / images, without the bias of few
/// runs.
///
/// For single networks it comes near [`predicted_accuracy_sd`](super::predicted_accuracy_sd), which
/// needs no predictions; for ensembles, whose votes are no calibrated trainings, it is the only one
/// of the two that holds. `runs` says for every run which images it got right. Nothing below two
/// runs, without images, or for runs of different length.
///
/// ```
/// let runs: [&[bool]; 2] = [&[true, true, false, true], &[true, false, false, true]];
/// // One image of four is read both ways: unbiased p(1 − p) is 1/2 there
/// let sd = gridbench_stats::independent_images_sd(&runs).unwrap();
/// assert!((sd - 0.5_f64.sqrt() / 4.0).abs() < 1e-15);
/// ```
#[must_use]
pub fn independent_images_sd(runs: &[&[bool]]) -> Option<f64> {
    let images = runs.first()?.len();
    if runs.len() < 2 || images == 0 || runs.iter().any(|run| run.len() != images) {
        return None;
    }
    let n = runs.len() as f64;
    let single: f64 = (0..images)
        .map(|image| {
            let right = runs.iter().filter(|run| run[image]).count() as f64;
            right * (n - right) / (n * (n - 1.0))
        })
        .sum();
    Some(single.sqrt() / images as f64)
}

/// Returns how much larger the spread of `values` is than `predicted`; nothing without a spread or a
/// prediction.
#[must_use]
pub fn excess_spread(values: &[f64], predicted: f64) -> Option<f64> {
    let sd = Moments::of(values)?.sd?;
    (predicted > 0.0).then(|| sd / predicted)
}

#[cfg(test)]
mod tests {
    use super::super::testing::assert_close;
    use super::*;

    #[test]
    fn intervals_of_standard_deviations_agree_with_scipy() {
        // np.sqrt(df / scipy.stats.chi2.ppf([0.975, 0.025], df))
        for (freedom, low, high) in [
            (1.0, 0.446_149_184_920_708_9, 31.910_159_349_643_97),
            (2.0, 0.520_658_266_698_817_4, 6.284_734_696_485_382_5),
            (29.0, 0.796_406_932_762_635_4, 1.344_315_179_240_446_9),
            (500.0, 0.941_678_426_067_330_5, 1.066_081_128_357_239_8),
        ] {
            let found = sd_interval(1.0, freedom, 0.95).unwrap();
            assert_close(found.0 / low, 1.0, 1e-9);
            assert_close(found.1 / high, 1.0, 1e-9);
        }
        assert_eq!(sd_interval(1.0, 0.0, 0.95), None);
        assert_eq!(sd_interval(0.0, 4.0, 0.95), Some((0.0, 0.0)));
    }

    #[test]
    fn a_group_of_single_values_has_no_spread() {
        assert_eq!(sd_by_group(&[&[1.0], &[2.0, 4.0]], &[3, 9])[0].group, 9);
        assert!(sd_by_group(&[], &[]).is_empty());
    }

    #[test]
    fn runs_that_always_agree_are_expected_not_to_spread() {
        let run = [true, false, true];
        assert_eq!(independent_images_sd(&[&run, &run]), Some(0.0));
        assert_eq!(independent_images_sd(&[&run]), None);
        assert_eq!(independent_images_sd(&[&run, &run[..2]]), None);
        assert_eq!(excess_spread(&[1.0], 0.5), None);
        assert_eq!(excess_spread(&[1.0, 3.0], 0.0), None);
    }
}
