//! Shrunken means: what the best of many cells is worth once its luck is taken off.
//!
//! The largest of many means is too large, the more so the more cells there are. Empirical Bayes
//! takes the true means of cells of like spread for draws from a normal distribution, whose width
//! the cells themselves show, and moves every mean toward their centre by as much as chance spreads
//! them (Efron & Morris 1975; intervals by Morris 1983,
//! <https://doi.org/10.1080/01621459.1983.10477920>, which count that centre and width are
//! estimated too).

use serde::Serialize;

use super::distributions::t_quantile;
use super::means::Estimate;
use super::moderated::Variance;
use super::moments::Moments;
use super::polygamma::{mean_of_log_variance, variance_of_log_variance};
use super::proportions::chi_squared_sf;
use super::roots::crossing;

/// In fewer cells than this no mean is moved: their centre is not known well enough (Stein 1956).
pub const MIN_SHRUNKEN_CELLS: usize = 4;

/// A group is split where its variances would differ so much by chance this rarely.
const SPLIT_LEVEL: f64 = 0.01;

/// A mean and what is left of it once its luck is taken off.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct ShrunkenMean {
    /// The mean as seen.
    pub raw: f64,
    /// The expectation given all cells of the group, whichever way it moves.
    pub expected: f64,
    /// Standard error of that.
    pub expected_se: f64,
    /// The mean to quote: `expected`, but never better than `raw`.
    pub mean: f64,
    /// Standard error of `mean`.
    pub se: f64,
    /// Degrees of freedom of that.
    pub degrees_of_freedom: f64,
    /// How much of the distance to the centre is taken off, from 0 to 1.
    pub weight: f64,
}

impl ShrunkenMean {
    /// Returns the interval of the true mean at `level`, for example 0.95.
    #[must_use]
    pub fn interval(&self, level: f64) -> (f64, f64) {
        if self.se == 0.0 {
            return (self.mean, self.mean);
        }
        let reach = -t_quantile(0.5 * (1.0 - level), self.degrees_of_freedom) * self.se;
        (self.mean - reach, self.mean + reach)
    }

    /// Returns what `n` draws of this cell, each with the given variance, are expected to look like:
    /// for [`expected_best`](super::expected_best()). Their spread holds what is not known of the mean.
    #[must_use]
    pub fn draws(&self, n: usize, variance: &Variance) -> Moments {
        Moments { n, mean: self.expected, sd: Some(variance.sd().hypot(self.expected_se)) }
    }

    fn unmoved(own: &Estimate) -> Self {
        Self {
            raw: own.mean,
            expected: own.mean,
            expected_se: own.squared_error.sqrt(),
            mean: own.mean,
            se: own.squared_error.sqrt(),
            degrees_of_freedom: own.degrees_of_freedom,
            weight: 0.0,
        }
    }
}

/// Shrinks the means of cells toward the centre of their group; `groups` names the group of every
/// cell, for example from [`groups_of_like_sd`].
///
/// Groups of fewer than [`MIN_SHRUNKEN_CELLS`] cells, and cells whose error is unknown, are left as
/// they are. Errors are those of comparisons within the experiment.
///
/// # Panics
/// If there is not one group for every mean.
///
/// ```
/// use gridbench_stats::{Estimate, shrink};
/// let cells: Vec<Estimate> = [1.0, 2.0, 3.0, 4.0, 6.5]
///     .map(|mean| Estimate { mean, squared_error: 1.0, degrees_of_freedom: 20.0 })
///     .to_vec();
/// let best = shrink(&cells, &[0; 5], true)[4];
/// // Paule and Mandel's variance between cells is var(means) − 1 = 3.45, so the weight is
/// // (5 − 3) / (5 − 1) · 1 / 4.45
/// assert!((best.weight - 0.5 / 4.45).abs() < 1e-9);
/// assert!((best.mean - (6.5 - 0.5 / 4.45 * (6.5 - 3.3))).abs() < 1e-9);
/// ```
#[must_use]
pub fn shrink(cells: &[Estimate], groups: &[usize], higher_is_better: bool) -> Vec<ShrunkenMean> {
    assert_eq!(cells.len(), groups.len(), "every cell has a group");
    let mut shrunken: Vec<ShrunkenMean> = cells.iter().map(ShrunkenMean::unmoved).collect();
    let mut distinct = groups.to_vec();
    distinct.sort_unstable();
    distinct.dedup();
    for group in distinct {
        let members: Vec<usize> = (0..cells.len())
            .filter(|&cell| groups[cell] == group && cells[cell].degrees_of_freedom > 0.0)
            .collect();
        if members.len() >= MIN_SHRUNKEN_CELLS {
            let own: Vec<Estimate> = members.iter().map(|&cell| cells[cell]).collect();
            for (cell, found) in members.into_iter().zip(shrink_group(&own, higher_is_better)) {
                shrunken[cell] = found;
            }
        }
    }
    shrunken
}

fn shrink_group(cells: &[Estimate], higher_is_better: bool) -> Vec<ShrunkenMean> {
    let count = cells.len() as f64;
    let between = variance_between(cells);
    let all: f64 = cells.iter().map(|own| 1.0 / (own.squared_error + between)).sum();
    let centre = centre_of(cells, between);
    // Morris (1983): the least bias, and intervals that hold, for estimated centre and width.
    let caution = (count - 3.0) / (count - 1.0);
    let shrink = |own: &Estimate| {
        let total = own.squared_error + between;
        if total == 0.0 {
            return ShrunkenMean::unmoved(own);
        }
        let weight = caution * own.squared_error / total;
        let distance = own.mean - centre;
        let expected = own.mean - weight * distance;
        let share = 1.0 / (total * all);
        let squared_error = own.squared_error * (1.0 - (1.0 - share) * weight)
            + 2.0 / (count - 3.0) * (weight * distance).powi(2);
        let is_better = if higher_is_better { expected > own.mean } else { expected < own.mean };
        let expected_se = squared_error.sqrt();
        if is_better {
            return ShrunkenMean { expected, expected_se, weight, ..ShrunkenMean::unmoved(own) };
        }
        ShrunkenMean {
            raw: own.mean,
            expected,
            expected_se,
            mean: expected,
            se: expected_se,
            degrees_of_freedom: own.degrees_of_freedom,
            weight,
        }
    };
    cells.iter().map(shrink).collect()
}

/// Returns the mean weighted by precision.
fn centre_of(cells: &[Estimate], between: f64) -> f64 {
    let origin = cells[0].mean;
    let weights = cells.iter().map(|own| 1.0 / (own.squared_error + between));
    let (sum, all) = cells.iter().zip(weights).fold((0.0, 0.0), |(sum, all), (own, weight)| {
        (sum + weight * (own.mean - origin), all + weight)
    });
    if all.is_finite() { origin + sum / all } else { plain_mean(cells) }
}

fn plain_mean(cells: &[Estimate]) -> f64 {
    cells.iter().map(|own| own.mean).sum::<f64>() / cells.len() as f64
}

/// Returns the variance of the true means: that at which the weighted squares of the means are as
/// large as expected (Paule & Mandel 1982), at least 0.
fn variance_between(cells: &[Estimate]) -> f64 {
    let expected = (cells.len() - 1) as f64;
    let excess = |between: f64| {
        let centre = centre_of(cells, between);
        let squares: f64 = cells
            .iter()
            .map(|own| (own.mean - centre).powi(2) / (own.squared_error + between))
            .sum();
        squares - expected
    };
    let plain = plain_mean(cells);
    let widest: f64 = cells.iter().map(|own| (own.mean - plain).powi(2)).sum();
    let least = 1e-12 * widest;
    if widest == 0.0 || excess(least) <= 0.0 {
        return 0.0;
    }
    crossing(least, widest, 1e-12 * widest, excess)
}

/// Groups cells whose spreads differ by no more than chance: the name of the group of every cell,
/// counted from the smallest spread.
///
/// In the order of their variances, a group is cut in two where that explains most of the spread of
/// ln s², as long as so much spread would be rare by chance and both parts keep
/// [`MIN_SHRUNKEN_CELLS`] cells. Cells without a known variance join the middle group.
///
/// ```
/// use gridbench_stats::{Variance, groups_of_like_sd};
/// let cells: Vec<Variance> = [1.0, 90.0, 1.2, 110.0, 0.9, 80.0, 1.1, 95.0]
///     .map(|variance| Variance { variance, degrees_of_freedom: 4.0 })
///     .to_vec();
/// assert_eq!(groups_of_like_sd(&cells), [0, 1, 0, 1, 0, 1, 0, 1]);
/// ```
#[must_use]
pub fn groups_of_like_sd(variances: &[Variance]) -> Vec<usize> {
    let mut known: Vec<usize> = (0..variances.len())
        .filter(|&cell| variances[cell].degrees_of_freedom > 0.0 && variances[cell].variance > 0.0)
        .collect();
    let log = |cell: usize| {
        let own = &variances[cell];
        own.variance.ln() - mean_of_log_variance(own.degrees_of_freedom)
    };
    known.sort_by(|&a, &b| log(a).total_cmp(&log(b)));
    let logs: Vec<(f64, f64)> = known
        .iter()
        .map(|&cell| {
            (log(cell), 1.0 / variance_of_log_variance(variances[cell].degrees_of_freedom))
        })
        .collect();
    let mut cuts = Vec::new();
    split(&logs, 0, &mut cuts);
    cuts.sort_unstable();
    let mut groups = vec![cuts.len() / 2; variances.len()];
    for (rank, &cell) in known.iter().enumerate() {
        groups[cell] = cuts.partition_point(|&cut| cut <= rank);
    }
    // Without a spread, a cell is quieter than all that have one.
    for (cell, own) in variances.iter().enumerate() {
        if own.degrees_of_freedom > 0.0 && own.variance == 0.0 {
            groups[cell] = 0;
        }
    }
    groups
}

/// Cuts `logs` (values and weights, in ascending order, from `offset` on) where it pays.
fn split(logs: &[(f64, f64)], offset: usize, cuts: &mut Vec<usize>) {
    if logs.len() < 2 * MIN_SHRUNKEN_CELLS {
        return;
    }
    let squares = |part: &[(f64, f64)]| {
        let all: f64 = part.iter().map(|(_, weight)| weight).sum();
        let mean = part.iter().map(|(log, weight)| log * weight).sum::<f64>() / all;
        part.iter().map(|(log, weight)| weight * (log - mean).powi(2)).sum::<f64>()
    };
    if chi_squared_sf(squares(logs), (logs.len() - 1) as f64) > SPLIT_LEVEL {
        return;
    }
    let best = (MIN_SHRUNKEN_CELLS..=logs.len() - MIN_SHRUNKEN_CELLS)
        .min_by(|&a, &b| {
            let left = squares(&logs[..a]) + squares(&logs[a..]);
            left.total_cmp(&(squares(&logs[..b]) + squares(&logs[b..])))
        })
        .expect("there is room for two groups");
    cuts.push(offset + best);
    split(&logs[..best], offset, cuts);
    split(&logs[best..], offset + best, cuts);
}

#[cfg(test)]
mod tests;
