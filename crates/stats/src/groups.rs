//! Several groups at once, and groups of which only the mean is known.

use super::distributions::{normal_cdf, normal_quantile};
use super::means::MeanDifference;
use super::moments::Moments;

/// Returns the largest value expected of all draws from several normal distributions together,
/// each with its own number of draws.
///
/// Blom's rule on the mixture: the value below which a share (N − 3/8) / (N + 1/4) of it lies, for
/// N draws in all. For groups that are alike it is
/// [`expected_max`](super::expected_max). Nothing without a group that has a spread; single values
/// count with the spread pooled over the others.
///
/// ```
/// use gridbench_stats::{Moments, expected_max, expected_max_of_groups};
/// let alike = vec![Moments { n: 30, mean: 99.641, sd: Some(0.047) }; 50];
/// let one = expected_max(99.641, 0.047, 1500);
/// assert!((expected_max_of_groups(&alike).unwrap() - one).abs() < 1e-9);
/// ```
#[must_use]
pub fn expected_max_of_groups(groups: &[Moments]) -> Option<f64> {
    let freedom: f64 = groups.iter().map(|group| (group.n - 1) as f64).sum();
    let squares: f64 =
        groups.iter().filter_map(|group| Some(group.sd?.powi(2) * (group.n - 1) as f64)).sum();
    let pooled = (freedom > 0.0).then(|| (squares / freedom).sqrt())?;
    let total: f64 = groups.iter().map(|group| group.n as f64).sum();
    let wanted = (total - 0.375) / (total + 0.25);
    let share_below = |x: f64| {
        let below = |group: &Moments| {
            let sd = group.sd.unwrap_or(pooled);
            let share = if sd > 0.0 {
                normal_cdf((x - group.mean) / sd)
            } else {
                f64::from(x >= group.mean)
            };
            share * group.n as f64
        };
        groups.iter().map(below).sum::<f64>() / total
    };
    let reach = normal_quantile(wanted).abs() + 10.0;
    let bound = |sign: f64| {
        groups.iter().map(move |group| group.mean + sign * reach * group.sd.unwrap_or(pooled))
    };
    let mut low = bound(-1.0).min_by(f64::total_cmp)?;
    let mut high = bound(1.0).max_by(f64::total_cmp)?;
    // Halving a range of a few dozen spreads 200 times ends at neighbouring numbers.
    for _ in 0..200 {
        let middle = low + 0.5 * (high - low);
        if share_below(middle) < wanted {
            low = middle;
        } else {
            high = middle;
        }
    }
    Some(high)
}

/// As [`expected_max_of_groups`], for the draws of an experiment: the best value expected of all of
/// its trials together, never outside the `range` of the metric.
///
/// Give each group its [shrunken mean](super::shrink) (`expected`) and its
/// [moderated](super::moderate()) standard deviation. Raw means and deviations expect far too much: of
/// 90 equal cells of 5 trials, 3.84 standard deviations above the mean where the truth is 2.97.
///
/// ```
/// use gridbench_stats::{Moments, expected_best};
/// let cells = vec![Moments { n: 5, mean: 0.999, sd: Some(0.002) }; 90];
/// assert_eq!(expected_best(&cells, true, (0.0, 1.0)), Some(1.0));
/// ```
#[must_use]
pub fn expected_best(
    groups: &[Moments],
    higher_is_better: bool,
    (least, most): (f64, f64),
) -> Option<f64> {
    let sign = if higher_is_better { 1.0 } else { -1.0 };
    let turned: Vec<Moments> =
        groups.iter().map(|group| Moments { mean: sign * group.mean, ..*group }).collect();
    Some((sign * expected_max_of_groups(&turned)?).clamp(least, most))
}

/// Compares the mean of `values` with the mean of `n` others of which nothing else is known,
/// lending them the spread of `values`: Student's t with the degrees of freedom of `values`.
///
/// For a large `n` this is the one-sample t-test. Nothing for fewer than two values, one that is
/// not finite, or no others.
///
/// ```
/// let values = [0.9971, 0.9974, 0.9969, 0.9973, 0.9975, 0.9970];
/// // x = np.array(values); t = (x.mean() - .9975) / (x.std(ddof=1) * np.sqrt(1/6 + 1/6))
/// // 2 * scipy.stats.t.sf(abs(t), 5)
/// let found = gridbench_stats::against_mean_of(&values, 0.9975, 6).unwrap();
/// assert!((found.p_two_sided - 0.079_515_914_619_541_84).abs() < 1e-12);
/// ```
#[must_use]
pub fn against_mean_of(values: &[f64], mean: f64, n: usize) -> Option<MeanDifference> {
    let moments = Moments::of(values)?;
    let freedom = (moments.n - 1) as f64;
    let se = moments.sd? * (1.0 / moments.n as f64 + 1.0 / n as f64).sqrt();
    (n > 0).then(|| MeanDifference::new(moments.mean - mean, se, freedom))
}

#[cfg(test)]
mod tests {
    use super::super::testing::assert_close;
    use super::super::{against_number, expected_max};
    use super::*;

    fn group(n: usize, mean: f64, sd: f64) -> Moments {
        Moments { n, mean, sd: Some(sd) }
    }

    #[test]
    fn groups_that_are_alike_expect_what_one_large_group_does() {
        let groups = vec![group(30, 99.641, 0.047); 50];
        let found = expected_max_of_groups(&groups).unwrap();
        assert_close(found, expected_max(99.641, 0.047, 1500), 1e-12);
    }

    #[test]
    fn a_group_far_below_counts_as_draws_but_not_as_a_maximum() {
        // scipy.optimize.brentq(lambda x: (6*norm.cdf(x, 98.78, .2) + 6*norm.cdf(x, 90, .2))/12
        //                       - (12 - 3/8)/(12 + 1/4), 90, 105, xtol=1e-14)
        let found = expected_max_of_groups(&[group(6, 98.78, 0.2), group(6, 90.0, 0.2)]).unwrap();
        assert_close(found, 99.034_001_683_014_03, 1e-12);
    }

    #[test]
    fn without_any_spread_nothing_is_expected() {
        assert_eq!(expected_max_of_groups(&[]), None);
        assert_eq!(expected_max_of_groups(&[Moments { n: 1, mean: 1.0, sd: None }]), None);
        let constant = expected_max_of_groups(&[group(3, 2.0, 0.0), group(3, 5.0, 0.0)]).unwrap();
        assert_close(constant, 5.0, 1e-12);
    }

    #[test]
    fn a_published_mean_of_few_runs_is_held_less_surely_than_an_exact_number() {
        let values = [0.9971, 0.9974, 0.9969, 0.9973, 0.9975, 0.9970];
        let exact = against_number(&values, 0.9975).unwrap();
        let many = against_mean_of(&values, 0.9975, 1_000_000_000).unwrap();
        assert_close(many.p_two_sided, exact.p_two_sided, 1e-6);
        // x = np.array(values); t = (x.mean() - .9975) / (x.std(ddof=1) * np.sqrt(1/6 + 1/6))
        // 2 * scipy.stats.t.sf(abs(t), 5)
        let few = against_mean_of(&values, 0.9975, 6).unwrap();
        assert_close(few.p_two_sided, 0.079_515_914_619_541_84, 1e-12);
        assert_eq!(against_mean_of(&values, 0.9975, 0), None);
        assert_eq!(against_mean_of(&values[..1], 0.9975, 6), None);
    }
}
