//! Statistics over runs *and* test images: which part of the spread is the test set's, and how sure
//! a difference is when both could have been others.

use serde::Serialize;

use super::bootstrap::{RESAMPLE_SEED, percentile_interval, resample};
use super::moments::Moments;

/// Resamples of the two-way bootstrap: each visits every run and image.
const TWO_WAY_RESAMPLES: usize = 2_000;

/// The variance of accuracy between runs, in two parts.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct VarianceSplit {
    /// Variance of the test accuracy between runs, as seen.
    pub total: f64,
    /// Unbiased estimate of the variance of the accuracy on the whole distribution: what remains
    /// with endlessly many test images. It may come out below 0, where it is in truth near 0.
    pub distribution: f64,
    /// The rest: what this finite test set adds.
    pub test_set: f64,
}

/// Splits the variance between runs (Jordan 2024, <https://arxiv.org/abs/2304.01910>): the
/// covariance of two different images' outcomes over the runs, averaged over all pairs of images,
/// estimates the distribution's part.
///
/// `runs` says for every run which test images it got right, in the same order. Nothing below two
/// runs or images, or for runs of different length.
///
/// ```
/// let runs: [&[bool]; 2] = [&[true, true, false, true], &[true, false, false, false]];
/// let split = gridbench_stats::split_variance(&runs).unwrap();
/// // numpy.var([0.75, 0.25], ddof=1)
/// assert!((split.total - 0.125).abs() < 1e-15);
/// assert!((split.distribution + split.test_set - split.total).abs() < 1e-15);
/// ```
#[must_use]
pub fn split_variance(runs: &[&[bool]]) -> Option<VarianceSplit> {
    let images = images_of(runs)?;
    if runs.len() < 2 || images < 2 {
        return None;
    }
    let accuracies: Vec<f64> = runs.iter().map(|run| share(run)).collect();
    let total = Moments::of(&accuracies)?.sd?.powi(2);
    let n = runs.len() as f64;
    let single: f64 = (0..images)
        .map(|image| {
            let right = runs.iter().filter(|run| run[image]).count() as f64;
            right * (n - right) / (n * (n - 1.0))
        })
        .sum();
    let count = images as f64;
    let distribution = (count * count * total - single) / (count * (count - 1.0));
    Some(VarianceSplit { total, distribution, test_set: total - distribution })
}

/// A difference of mean accuracy with both sources of chance in its interval.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct TwoWayDifference {
    /// Mean accuracy of the first minus that of the second.
    pub difference: f64,
    /// 95 % percentile interval over resamples of runs and of images.
    pub interval95: (f64, f64),
}

/// Compares two sets of runs on the same test images by resampling runs (each side by itself) and
/// images (both sides together), 2,000 times from `seed`.
///
/// Nothing without runs and images, or for runs of different length.
#[must_use]
pub fn two_way_bootstrap(a: &[&[bool]], b: &[&[bool]], seed: u64) -> Option<TwoWayDifference> {
    let images = images_of(a)?;
    if images_of(b)? != images || images == 0 {
        return None;
    }
    let mean =
        |runs: &[&[bool]]| runs.iter().map(|run| share(run)).sum::<f64>() / runs.len() as f64;
    let mut resampled = resample(TWO_WAY_RESAMPLES, seed, |draws| {
        let mut times = vec![0_u32; images];
        draws.indices(images, images, |image| times[image] += 1);
        let mut drawn = |runs: &[&[bool]]| {
            let mut right = 0_u64;
            draws.indices(runs.len(), runs.len(), |run| {
                let own = runs[run].iter().zip(&times);
                right +=
                    own.map(|(&right, &times)| u64::from(u32::from(right) * times)).sum::<u64>();
            });
            right as f64 / (runs.len() * images) as f64
        };
        let first = drawn(a);
        first - drawn(b)
    });
    let interval95 = percentile_interval(&mut resampled, 0.95);
    Some(TwoWayDifference { difference: mean(a) - mean(b), interval95 })
}

/// Returns the number of images, if there is a run and all agree.
fn images_of(runs: &[&[bool]]) -> Option<usize> {
    let images = runs.first()?.len();
    runs.iter().all(|run| run.len() == images).then_some(images)
}

fn share(run: &[bool]) -> f64 {
    run.iter().filter(|right| **right).count() as f64 / run.len() as f64
}

/// What ensembles of one size reach.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct EnsemblePoint {
    /// Members per ensemble.
    pub size: usize,
    /// Disjoint ensembles of this size among the members, at least 1.
    pub ensembles: usize,
    /// Mean over them.
    pub mean: f64,
    /// Standard deviation between them; absent for a single one.
    pub sd: Option<f64>,
    /// What 95 % of ensembles of this size reach whose members are drawn anew, with replacement, from
    /// those there are; absent where that was not asked for. Large ensembles then hold some
    /// members twice, which makes them a little worse than real ones.
    pub resampled95: Option<(f64, f64)>,
}

/// Measures ensembles of 1 to `members` members, disjoint so that they are independent: members
/// 0 to k−1, k to 2k−1, and so on, what is left over unused.
///
/// `score` measures the ensemble of the members given. Sizes with a score that is not finite are
/// left out.
pub fn ensemble_curve(
    members: usize,
    mut score: impl FnMut(&[usize]) -> f64,
) -> Vec<EnsemblePoint> {
    let all: Vec<usize> = (0..members).collect();
    (1..=members)
        .filter_map(|size| {
            let scores: Vec<f64> = all.chunks_exact(size).map(&mut score).collect();
            let Moments { n, mean, sd } = Moments::of(&scores)?;
            Some(EnsemblePoint { size, ensembles: n, mean, sd, resampled95: None })
        })
        .collect()
}

/// Resamples the members of an [`ensemble_curve`]: `score` measures, for a sequence of members
/// drawn with replacement, the ensembles of its first, its first two, … members.
///
/// # Panics
/// If there is no member, or `score` does not return one value a size.
pub fn resample_members(
    points: &mut [EnsemblePoint],
    members: usize,
    resamples: usize,
    score: impl Fn(&[usize]) -> Vec<f64> + Sync,
) {
    let drawn = resample(resamples, RESAMPLE_SEED, |draws| {
        let order: Vec<usize> = (0..members).map(|_| draws.index(members)).collect();
        score(&order)
    });
    for point in points {
        let mut scores: Vec<f64> = drawn.iter().map(|scores| scores[point.size - 1]).collect();
        point.resampled95 = Some(percentile_interval(&mut scores, 0.95));
    }
}

#[cfg(test)]
mod tests {
    use super::super::Draws;
    use super::super::testing::assert_close;
    use super::*;

    fn rows(runs: &[Vec<bool>]) -> Vec<&[bool]> {
        runs.iter().map(Vec::as_slice).collect()
    }

    #[test]
    fn the_split_agrees_with_numpy() {
        // C = numpy.array(rows); V = C.mean(1).var(ddof=1);
        // (36 * V - C.var(0, ddof=1).sum()) / 30
        let runs: Vec<Vec<bool>> =
            [[1, 1, 0, 1, 1, 1], [1, 1, 0, 1, 1, 1], [1, 1, 0, 0, 1, 1], [1, 1, 1, 0, 1, 1]]
                .iter()
                .map(|run| run.iter().map(|&right| right == 1).collect())
                .collect();
        let found = split_variance(&rows(&runs)).unwrap();
        assert_close(found.total, 0.006_944_444_444_444_451, 1e-14);
        assert_close(found.distribution, -0.011_111_111_111_111_101, 1e-14);
        assert_close(found.test_set, found.total - found.distribution, 1e-14);
    }

    /// Runs whose true accuracy is drawn evenly from `from` to `to`.
    fn simulated(runs: usize, images: usize, from: f64, to: f64, seed: u64) -> Vec<Vec<bool>> {
        let mut draws = Draws::new(seed);
        (0..runs)
            .map(|_| {
                let accuracy = from + (to - from) * draws.unit();
                (0..images).map(|_| draws.unit() < accuracy).collect()
            })
            .collect()
    }

    #[test]
    fn the_split_finds_the_variance_that_was_put_in() {
        // Evenly from 0.8 to 0.9 the variance is 0.1² / 12 = 0.000833; a test set of 500 images
        // adds about 0.85 · 0.15 / 500 = 0.000255.
        let runs = simulated(2_000, 500, 0.8, 0.9, 1);
        let found = split_variance(&rows(&runs)).unwrap();
        assert_close(found.distribution, 0.000_833, 0.000_06);
        assert_close(found.test_set, 0.000_255, 0.000_01);
        let equal = simulated(2_000, 500, 0.85, 0.85, 2);
        assert_close(split_variance(&rows(&equal)).unwrap().distribution, 0.0, 0.000_01);
    }

    #[test]
    fn one_run_or_uneven_runs_cannot_be_split() {
        assert_eq!(split_variance(&[]), None);
        assert_eq!(split_variance(&[&[true, false]]), None);
        assert_eq!(split_variance(&[&[true, false], &[true]]), None);
    }

    #[test]
    fn the_two_way_interval_holds_both_sources_of_chance() {
        // Independent outcomes: the variance of the difference is 2 · 0.85 · 0.15 / (5 · 400) for
        // the outcomes, doubled because a resample of both ways draws that noise once more each
        // way (Owen 2007): the interval is about 1.96 · √3 times the standard error, ± 0.038.
        let (a, b) = (simulated(5, 400, 0.85, 0.85, 3), simulated(5, 400, 0.85, 0.85, 4));
        let found = two_way_bootstrap(&rows(&a), &rows(&b), 1).unwrap();
        let (low, high) = found.interval95;
        assert!(low <= found.difference && found.difference <= high);
        assert_close(0.5 * (high - low), 0.038, 0.008);
        assert_eq!(Some(found), two_way_bootstrap(&rows(&a), &rows(&b), 1));
    }

    #[test]
    fn what_is_not_on_the_same_images_is_not_compared() {
        assert_eq!(two_way_bootstrap(&[&[true, false]], &[&[true]], 1), None);
        assert_eq!(two_way_bootstrap(&[], &[&[true]], 1), None);
        assert_eq!(two_way_bootstrap(&[&[]], &[&[]], 1), None);
    }

    #[test]
    fn ensembles_of_a_curve_are_disjoint() {
        let mut seen = Vec::new();
        let curve = ensemble_curve(5, |members| {
            seen.push(members.to_vec());
            members.iter().map(|&member| member as f64).sum()
        });
        assert_eq!(seen[5..7], [vec![0, 1], vec![2, 3]]);
        let shape: Vec<_> = curve.iter().map(|point| (point.size, point.ensembles)).collect();
        assert_eq!(shape, [(1, 5), (2, 2), (3, 1), (4, 1), (5, 1)]);
        assert_close(curve[1].mean, 3.0, 1e-15);
        assert_close(curve[1].sd.unwrap(), 8.0_f64.sqrt(), 1e-15);
        assert_eq!(curve[2].sd, None);
    }

    #[test]
    fn members_drawn_anew_give_the_percentiles_of_their_means() {
        // An ensemble scores the mean of its members' indices. Of single members 0 to 9, drawn
        // evenly, 95 % lie from 0 to 9; means of ten have a standard deviation of
        // √(8.25 / 10) = 0.908 around 4.5.
        let mean = |members: &[usize]| members.iter().sum::<usize>() as f64 / members.len() as f64;
        let mut curve = ensemble_curve(10, mean);
        resample_members(&mut curve, 10, 4_000, |order| {
            (1..=order.len()).map(|size| mean(&order[..size])).collect()
        });
        assert_eq!(curve[0].resampled95, Some((0.0, 9.0)));
        let (low, high) = curve[9].resampled95.unwrap();
        assert_close(low, 4.5 - 1.96 * 0.908, 0.12);
        assert_close(high, 4.5 + 1.96 * 0.908, 0.12);
    }
}
