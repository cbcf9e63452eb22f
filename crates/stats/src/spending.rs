//! Looks without a planned end: levels that keep the error of all looks together, however many are
//! taken.

use super::distributions::{normal_quantile, normal_sf};
use super::roots::crossing;

/// Standard deviations beyond which nothing is integrated.
const REACH: f64 = 7.0;
/// Grid points per standard deviation of the narrower step beside a look.
const DENSITY: f64 = 8.0;
/// Values after which half of the error is spent.
const HALF: f64 = 20.0;

/// Returns how many values there are at every look from `first` to `most`: one by one up to 10, then
/// in steps of a tenth to a fifth.
///
/// ```
/// let looks = gridbench_stats::open_looks(4, 30);
/// assert_eq!(looks, [4, 5, 6, 7, 8, 9, 10, 12, 14, 16, 18, 20, 24, 28]);
/// ```
#[must_use]
pub fn open_looks(first: usize, most: usize) -> Vec<usize> {
    let step = |n: usize| 1 << (n / 5).max(1).ilog2();
    let next = |n: &usize| Some(n + step(*n));
    std::iter::successors(Some(first.max(1)), next).take_while(|n| *n <= most).collect()
}

/// Returns the one-sided level of every look at a growing sample, so that the chance of any false
/// alarm is below `alpha` over all looks, whenever they end.
///
/// An error-spending rule (Lan & `DeMets` 1983, <https://doi.org/10.1093/biomet/70.3.659>) that spends
/// α·n ⁄ (n + 20) up to n values. It depends on the values that there are and not on those that are
/// planned, so a comparison may be continued beyond its budget without losing its level. `looks` are
/// numbers of values, each more than the one before.
///
/// # Panics
/// If looks do not grow.
///
/// ```
/// let levels = gridbench_stats::open_levels(0.025, &[4, 10, 20, 40]);
/// // The first look spends what it has: 0.025 · 4 ⁄ 24.
/// assert!((levels[0] - 0.025 / 6.0).abs() < 1e-9);
/// // More looks later on change nothing.
/// assert_eq!(levels[..2], gridbench_stats::open_levels(0.025, &[4, 10]));
/// ```
#[must_use]
pub fn open_levels(alpha: f64, looks: &[usize]) -> Vec<f64> {
    assert!(looks.windows(2).all(|pair| pair[0] < pair[1]), "looks grow");
    let times: Vec<f64> = looks.iter().map(|n| *n as f64).collect();
    let spent = |n: f64| alpha * n / (n + HALF);
    let mut levels = Vec::with_capacity(looks.len());
    let mut grid: Option<Grid> = None;
    for (look, &time) in times.iter().enumerate() {
        let before = look.checked_sub(1).map_or(0.0, |look| times[look]);
        let due = spent(time) - if look == 0 { 0.0 } else { spent(before) };
        let step = (time - before).sqrt();
        let bound = match &grid {
            None => -normal_quantile(due) * step,
            Some(grid) => {
                let (low, high) = (0.0, 9.0 * time.sqrt());
                // On a logarithmic scale the crossing is as exact as the level is small.
                crossing(low, high, 1e-10, |bound| (grid.beyond(bound, step) / due).ln())
            }
        };
        levels.push(normal_sf(bound / time.sqrt()));
        let Some(next) = times.get(look + 1) else { break };
        let finest = step.min((next - time).sqrt());
        grid = Some(match grid {
            None => Grid::first(bound, time.sqrt(), finest),
            Some(grid) => grid.next(bound, time.sqrt(), step, finest),
        });
    }
    levels
}

/// The density of a Brownian motion that has stayed below every bound so far.
struct Grid {
    /// Points with their density times the weight of an integral.
    points: Vec<(f64, f64)>,
}

impl Grid {
    /// Returns evenly spaced points below `bound` with Simpson's weights.
    fn points(bound: f64, sd: f64, finest: f64) -> Vec<(f64, f64)> {
        let range = bound + REACH * sd;
        let panels = ((range / finest * DENSITY / 2.0).ceil() as usize).max(64);
        let spacing = range / (2 * panels) as f64;
        let weight = |index: usize| match index {
            0 => 1.0,
            end if end == 2 * panels => 1.0,
            odd if odd % 2 == 1 => 4.0,
            _ => 2.0,
        };
        (0..=2 * panels)
            .map(|index| (bound - spacing * index as f64, weight(index) * spacing / 3.0))
            .collect()
    }

    fn first(bound: f64, sd: f64, finest: f64) -> Self {
        let points = Self::points(bound, sd, finest).into_iter();
        Self { points: points.map(|(x, weight)| (x, weight * density(x, sd))).collect() }
    }

    /// Returns the chance to be at `bound` or above after a step of this standard deviation.
    fn beyond(&self, bound: f64, step: f64) -> f64 {
        self.points.iter().map(|(x, mass)| mass * normal_sf((bound - x) / step)).sum()
    }

    fn next(&self, bound: f64, sd: f64, step: f64, finest: f64) -> Self {
        let at = |y: f64| -> f64 {
            self.points.iter().map(|(x, mass)| mass * density(y - x, step)).sum()
        };
        let points = Self::points(bound, sd, finest).into_iter();
        Self { points: points.map(|(y, weight)| (y, weight * at(y))).collect() }
    }
}

fn density(x: f64, sd: f64) -> f64 {
    (-0.5 * (x / sd).powi(2)).exp() / (sd * std::f64::consts::TAU.sqrt())
}

#[cfg(test)]
mod tests {
    use super::super::Draws;
    use super::super::testing::assert_close;
    use super::*;

    #[test]
    fn two_looks_spend_what_the_bivariate_normal_distribution_says() {
        // a = .025; s = lambda n: a * n / (n + 20); z1 = norm.isf(s(4)); r = sqrt(4 / 10)
        // new = lambda z: norm.cdf(z1) - multivariate_normal(cov=[[1, r], [r, 1]]).cdf([z1, z])
        // norm.sf(brentq(lambda z: new(z) - (s(10) - s(4)), 0, 9))
        let levels = open_levels(0.025, &[4, 10]);
        assert_close(levels[0], 0.025 / 6.0, 1e-12);
        assert_close(levels[1], 0.004_933_322_026, 2e-8);
    }

    #[test]
    fn a_random_walk_crosses_as_seldom_as_the_levels_promise() {
        let looks = open_looks(4, 100);
        let levels = open_levels(0.05, &looks);
        let bounds: Vec<f64> = levels.iter().map(|level| -normal_quantile(*level)).collect();
        let rounds = 20_000;
        let crosses = |round: u64| {
            let mut draws = Draws::keyed(7, round);
            let (mut sum, mut n) = (0.0, 0);
            looks.iter().zip(&bounds).any(|(look, bound)| {
                while n < *look {
                    sum += draws.normal();
                    n += 1;
                }
                sum / (n as f64).sqrt() >= *bound
            })
        };
        let found = (0..rounds).filter(|round| crosses(*round)).count() as f64 / rounds as f64;
        let last = *looks.last().unwrap() as f64;
        // Three standard errors of the simulation.
        assert_close(found, 0.05 * last / (last + HALF), 0.0042);
    }
}
