//! Several looks at growing samples: levels that keep the error of all looks together.

use super::distributions::{normal_quantile, normal_sf};

/// Standard deviations beyond which nothing is integrated.
const REACH: f64 = 7.0;
/// Grid points per standard deviation of the narrowest step.
const DENSITY: f64 = 8.0;
/// Most grid points per look.
const MAX_POINTS: usize = 4_001;

/// Returns the one-sided level of each of several looks at growing samples, so that the chance of
/// any false alarm over all looks is `alpha` (O'Brien & Fleming 1979,
/// <https://doi.org/10.2307/2530245>).
///
/// `information` is the inverse variance of the estimate at each look, in any unit: for a mean its
/// number of values, for a difference of means 1 / (1/n + 1/m). The first look is strict and the
/// last nearly as lenient as a test that looks once. Nothing without a look, for information that
/// does not grow, or a level outside 0 to ½.
///
/// ```
/// // Jennison & Turnbull (2000), table 2.3: C(3, 0.05) = 2.004 for three equally spaced looks.
/// let levels = gridbench_stats::obrien_fleming(0.025, &[1.0, 2.0, 3.0]).unwrap();
/// // scipy.stats.norm.sf(2.004)
/// assert!((levels[2] - 0.022_54).abs() < 5e-5);
/// ```
#[must_use]
pub fn obrien_fleming(alpha: f64, information: &[f64]) -> Option<Vec<f64>> {
    let (&last, &first) = (information.last()?, information.first()?);
    let grows = information.windows(2).all(|pair| pair[0] < pair[1]);
    if !(0.0 < alpha && alpha < 0.5 && first > 0.0 && last.is_finite() && grows) {
        return None;
    }
    if information.len() == 1 {
        return Some(vec![alpha]);
    }
    let times: Vec<f64> = information.iter().map(|own| own / last).collect();
    let boundary = boundary(alpha, &times);
    Some(times.iter().map(|time| normal_sf(boundary / time.sqrt())).collect())
}

/// Returns the height a Brownian motion seen at `times` reaches with probability `alpha`.
///
/// Scaled by the square root of its time, the test statistic *is* such a motion, and O'Brien and
/// Fleming's bound is a constant. It lies between that of a single look and that of watching all
/// the time, which by reflection is twice as likely to be reached.
fn boundary(alpha: f64, times: &[f64]) -> f64 {
    let excess = |height: f64| chance_to_reach(height, times) - alpha;
    let (mut low, mut high) = (-normal_quantile(alpha), -normal_quantile(0.5 * alpha));
    let (mut above, mut below) = (excess(low), excess(high));
    // False position in the variant of Illinois: the end that stays has its value halved.
    let mut stayed = 0;
    for _ in 0..100 {
        let middle = (low * below - high * above) / (below - above);
        let value = excess(middle);
        if value.abs() <= 1e-12 || high - low <= 1e-13 * high {
            return middle;
        }
        if value > 0.0 {
            (low, above) = (middle, value);
            if stayed > 0 {
                below *= 0.5;
            }
            stayed = 1;
        } else {
            (high, below) = (middle, value);
            if stayed < 0 {
                above *= 0.5;
            }
            stayed = -1;
        }
    }
    0.5 * (low + high)
}

/// Returns the chance that a Brownian motion is at `height` or above at one of `times`, by
/// integrating its density below the boundary from look to look (Armitage, `McPherson` & Rowe 1969).
fn chance_to_reach(height: f64, times: &[f64]) -> f64 {
    let steps: Vec<f64> = times
        .iter()
        .scan(0.0, |before, &time| {
            let step = (time - *before).sqrt();
            *before = time;
            Some(step)
        })
        .collect();
    let narrowest = steps.iter().copied().fold(f64::INFINITY, f64::min);
    let range = height + REACH;
    let panels = ((range / narrowest * DENSITY / 2.0).ceil() as usize).clamp(64, MAX_POINTS / 2);
    let spacing = range / (2 * panels) as f64;
    // Distances below the boundary, with Simpson's weights.
    let points: Vec<(f64, f64)> = (0..=2 * panels)
        .map(|index| {
            let weight = match index {
                0 => 1.0,
                end if end == 2 * panels => 1.0,
                odd if odd % 2 == 1 => 4.0,
                _ => 2.0,
            };
            (spacing * index as f64, weight * spacing / 3.0)
        })
        .collect();
    let normal =
        |x: f64, sd: f64| (-0.5 * (x / sd).powi(2)).exp() / (sd * std::f64::consts::TAU.sqrt());
    let mut reached = normal_sf(height / steps[0]);
    let mut density: Vec<f64> =
        points.iter().map(|(distance, _)| normal(height - distance, steps[0])).collect();
    for (look, &step) in steps.iter().enumerate().skip(1) {
        reached += points
            .iter()
            .zip(&density)
            .map(|((distance, weight), density)| weight * density * normal_sf(distance / step))
            .sum::<f64>();
        if look + 1 < steps.len() {
            // The grid is even, so a step's density depends on the distance between points alone.
            let kernel: Vec<f64> =
                points.iter().map(|(distance, _)| normal(*distance, step)).collect();
            let weighted: Vec<f64> = points
                .iter()
                .zip(&density)
                .map(|((_, weight), density)| weight * density)
                .collect();
            density = (0..points.len())
                .map(|to| {
                    weighted
                        .iter()
                        .enumerate()
                        .map(|(from, mass)| mass * kernel[to.abs_diff(from)])
                        .sum()
                })
                .collect();
        }
    }
    reached
}

#[cfg(test)]
mod tests {
    use super::super::testing::assert_close;
    use super::*;

    #[test]
    fn the_levels_are_those_of_the_multivariate_normal_distribution() {
        // C = brentq(lambda c: 1 - multivariate_normal(cov=cov).cdf(c / sqrt(t)) - alpha, …), with
        // cov[i][j] = min(t_i, t_j) / sqrt(t_i t_j) and t = information / information[-1];
        // scipy.stats.norm.sf(C / sqrt(t))
        let cases: [(f64, &[f64], [f64; 3]); 3] = [
            (
                0.05,
                &[1.0, 2.0, 4.0],
                [0.000_392_737_167_592_937_7, 0.008_789_511_515_414_976, 0.046_582_680_218_929_52],
            ),
            (
                0.05,
                &[5.0, 20.0 / 3.0, 8.0],
                [0.013_416_671_518_736_694, 0.027_598_468_235_580_52, 0.040_036_019_597_364_27],
            ),
            (
                0.05 / 21.0,
                &[0.625, 5.0 / 6.0, 1.0],
                [
                    0.000_145_154_199_220_225_97,
                    0.000_849_651_090_367_650_3,
                    0.002_085_942_896_353_268_4,
                ],
            ),
        ];
        for (alpha, information, expected) in cases {
            let found = obrien_fleming(alpha, information).unwrap();
            for (found, expected) in found.into_iter().zip(expected) {
                assert_close(found / expected, 1.0, 1e-5);
            }
        }
    }

    #[test]
    fn the_boundaries_are_those_of_the_textbook() {
        // Jennison & Turnbull (2000), table 2.3: C(K, 0.05) = 1.977, 2.004, 2.024, 2.040 for two to
        // five equally spaced looks, two-sided 5 %.
        for (looks, expected) in [(2, 1.977), (3, 2.004), (4, 2.024), (5, 2.040)] {
            let information: Vec<f64> = (1..=looks).map(f64::from).collect();
            let levels = obrien_fleming(0.025, &information).unwrap();
            let last = -normal_quantile(levels[levels.len() - 1]);
            assert!((last - expected).abs() < 6e-4, "{looks} looks: {last}");
        }
    }

    #[test]
    fn a_single_look_has_the_whole_level_and_later_looks_have_more() {
        assert_eq!(obrien_fleming(0.05, &[7.0]), Some(vec![0.05]));
        let levels = obrien_fleming(0.05, &[1.0, 2.0, 4.0]).unwrap();
        assert!(levels[0] < levels[1] && levels[1] < levels[2] && levels[2] < 0.05, "{levels:?}");
    }

    #[test]
    fn what_is_no_sequence_of_looks_has_no_levels() {
        assert_eq!(obrien_fleming(0.05, &[]), None);
        assert_eq!(obrien_fleming(0.05, &[2.0, 2.0]), None);
        assert_eq!(obrien_fleming(0.05, &[0.0, 2.0]), None);
        assert_eq!(obrien_fleming(0.5, &[1.0, 2.0]), None);
    }
}
