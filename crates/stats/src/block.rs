//! Repeat as a block: cells of a repeat share seeds, and with them a part of their luck.
//!
//! Fits value = cell + repeat + rest by least squares weighted with each cell's own variance, so
//! that one restless cell does not blur what the others share. What the repeats share then leaves
//! every difference between cells.

use super::means::Estimate;
use super::moderated::{Variance, in_groups, moderate, moderate_cautiously};
use super::moments::Moments;
use super::shrink::groups_of_like_sd;

/// Below so many cells what a repeat adds to all is not told from what it adds to one; differences
/// repeat by repeat serve better.
pub const MIN_BLOCK_CELLS: usize = 3;

/// The most a cell weighs, in medians of all: the quietest must not decide alone what is shared.
const MAX_WEIGHT: f64 = 2.0;

/// Values as cell + repeat + rest.
#[derive(Debug, Clone, PartialEq)]
pub struct Blocks {
    /// Mean of every cell as if all repeats had a value; NaN without any value.
    pub means: Vec<f64>,
    /// Values of every cell.
    pub counts: Vec<usize>,
    /// Variance of the rest in every cell, around cell and repeat; not yet moderated.
    pub variances: Vec<Variance>,
    /// What every repeat adds to all cells; their mean is 0.
    pub repeat_effects: Vec<f64>,
    /// Variance of what repeats add, as seen beyond chance; never below 0.
    pub repeat_variance: f64,
    /// What gaps need to be known of; absent without any.
    gaps: Option<Gaps>,
}

/// Where values are missing, and what that costs.
#[derive(Debug, Clone, PartialEq)]
struct Gaps {
    /// For every cell the share of its values that each repeat holds.
    shares: Vec<Vec<f64>>,
    /// Covariance of the repeat effects.
    covariance: Vec<Vec<f64>>,
}

impl Blocks {
    /// Fits the model to `cells`, each with one value per repeat; `None` stands for a trial that
    /// was lost or never run.
    ///
    /// Nothing below two repeats or two cells with values, for a value that is not finite, or where
    /// the repeats cannot be told apart (no cell connects them).
    ///
    /// # Panics
    /// If the cells do not have the same number of repeats.
    ///
    /// ```
    /// use gridbench_stats::Blocks;
    /// let rows = [[1.0, 2.0, 4.0], [2.0, 3.5, 5.0], [1.5, 2.0, 5.5]].map(|row| row.map(Some));
    /// let cells: Vec<&[Option<f64>]> = rows.iter().map(|row| row.as_slice()).collect();
    /// let fit = Blocks::of(&cells).unwrap();
    /// assert!((fit.means[1] - 3.5).abs() < 1e-12);
    /// let freedom: f64 = fit.variances.iter().map(|own| own.degrees_of_freedom).sum();
    /// assert!((freedom - 4.0).abs() < 1e-9, "(cells − 1) · (repeats − 1)");
    /// ```
    #[must_use]
    pub fn of(cells: &[&[Option<f64>]]) -> Option<Self> {
        let repeats = cells.first()?.len();
        assert!(cells.iter().all(|cell| cell.len() == repeats), "all cells have the same repeats");
        let sound = cells.iter().copied().flatten().flatten().all(|value| value.is_finite());
        let filled = cells.iter().filter(|cell| cell.iter().flatten().count() > 0).count();
        if repeats < 2 || filled < 2 || !sound {
            return None;
        }
        let own = |cell: &&[Option<f64>]| {
            let values: Vec<f64> = cell.iter().flatten().copied().collect();
            Variance::of(&values).unwrap_or(Variance { variance: 0.0, degrees_of_freedom: 0.0 })
        };
        let alone: Vec<Variance> = cells.iter().map(own).collect();
        let first = Self::fit(cells, &weights_of(&alone))?;
        Self::fit(cells, &weights_of(&first.variances))
    }

    fn fit(cells: &[&[Option<f64>]], weights: &[f64]) -> Option<Self> {
        let repeats = cells[0].len();
        let counts: Vec<usize> = cells.iter().map(|cell| cell.iter().flatten().count()).collect();
        let centres: Vec<f64> = cells.iter().map(|cell| centre_of(cell)).collect();
        let covariance = covariance_of_repeats(cells, &counts, weights)?;
        let mut pull = vec![0.0; repeats];
        for ((cell, centre), weight) in cells.iter().zip(&centres).zip(weights) {
            for (pull, value) in pull.iter_mut().zip(*cell) {
                *pull += value.map_or(0.0, |value| weight * (value - centre));
            }
        }
        let effects: Vec<f64> = covariance.iter().map(|row| dot(row, &pull)).collect();
        let shift = effects.iter().sum::<f64>() / repeats as f64;
        let effects: Vec<f64> = effects.iter().map(|effect| effect - shift).collect();
        let mut means = Vec::with_capacity(cells.len());
        let mut variances = Vec::with_capacity(cells.len());
        for (cell, values) in cells.iter().enumerate() {
            let here = values.iter().zip(&effects).filter(|(value, _)| value.is_some());
            let offset = mean_of(here.map(|(_, effect)| effect));
            means.push(centres[cell] - offset);
            let rest = values
                .iter()
                .zip(&effects)
                .filter_map(|(value, effect)| Some((*value)? - centres[cell] - (effect - offset)));
            let squares: f64 = rest.map(|rest| rest * rest).sum();
            let leverage = weights[cell] * leverage_of(values, counts[cell], &covariance);
            let freedom = counts[cell].saturating_sub(1) as f64 - leverage;
            let is_known = freedom > 1e-9;
            variances.push(Variance {
                variance: if is_known { squares / freedom } else { 0.0 },
                degrees_of_freedom: if is_known { freedom } else { 0.0 },
            });
        }
        let chance = (0..repeats).map(|repeat| covariance[repeat][repeat]).sum::<f64>()
            / (repeats - 1) as f64;
        let seen = Moments::of(&effects)?.sd?.powi(2);
        let is_full = counts.iter().all(|&count| count == repeats);
        let gaps = (!is_full).then(|| {
            let share = |(cell, &count): (&&[Option<f64>], &usize)| {
                let part = 1.0 / count.max(1) as f64;
                cell.iter().map(|value| if value.is_some() { part } else { 0.0 }).collect()
            };
            Gaps { shares: cells.iter().zip(&counts).map(share).collect(), covariance }
        });
        let repeat_variance = (seen - chance).max(0.0);
        Some(Self { means, counts, variances, repeat_effects: effects, repeat_variance, gaps })
    }

    /// Returns the mean of every cell with its moderated error, which is that of comparisons
    /// *within* these blocks; nothing for a cell without values. Variances are moderated cautiously
    /// among cells of like spread, with `floor` as in [`moderate`](super::moderate()).
    #[must_use]
    pub fn estimates(&self, floor: f64) -> Vec<Option<Estimate>> {
        let groups = groups_of_like_sd(&self.variances);
        let variances = in_groups(&self.variances, &groups, floor, moderate_cautiously);
        let estimate = |((&mean, &n), variance): ((&f64, &usize), Variance)| {
            (n > 0).then(|| Estimate::new(mean, n, variance))
        };
        self.means.iter().zip(&self.counts).zip(variances).map(estimate).collect()
    }

    /// Returns what gaps add to the squared error of the difference of two cells: repeats that only
    /// one of them has are known no better than all cells together tell.
    #[must_use]
    pub fn squared_error_of_gaps(&self, a: usize, b: usize) -> f64 {
        let Some(Gaps { shares, covariance }) = &self.gaps else {
            return 0.0;
        };
        let apart: Vec<f64> = shares[a].iter().zip(&shares[b]).map(|(a, b)| a - b).collect();
        let spread: Vec<f64> = covariance.iter().map(|row| dot(row, &apart)).collect();
        dot(&apart, &spread).max(0.0)
    }

    /// Returns the share of the variance that cells of a repeat have in common, from 0 to 1, on
    /// average over the cells; absent without any variance.
    #[must_use]
    pub fn intraclass_correlation(&self) -> Option<f64> {
        let shares: Vec<f64> = self
            .variances
            .iter()
            .filter(|own| own.degrees_of_freedom > 0.0)
            .map(|own| self.repeat_variance / (self.repeat_variance + own.variance))
            .filter(|share| share.is_finite())
            .collect();
        Moments::of(&shares).map(|moments| moments.mean)
    }
}

/// Returns inverse moderated variances, none above [`MAX_WEIGHT`] medians; equal ones where nothing
/// varies.
fn weights_of(variances: &[Variance]) -> Vec<f64> {
    let inverse: Vec<f64> = moderate(variances, 0.0)
        .iter()
        .map(|own| if own.variance > 0.0 { 1.0 / own.variance } else { f64::INFINITY })
        .collect();
    let mut finite: Vec<f64> = inverse.iter().copied().filter(|own| own.is_finite()).collect();
    finite.sort_unstable_by(f64::total_cmp);
    let median = finite.get(finite.len() / 2).copied().unwrap_or(1.0);
    inverse.into_iter().map(|own| own.min(MAX_WEIGHT * median)).collect()
}

/// Returns the covariance of the repeat effects (those that sum to 0): the inverse of the normal
/// equations from which the cells are eliminated.
fn covariance_of_repeats(
    cells: &[&[Option<f64>]],
    counts: &[usize],
    weights: &[f64],
) -> Option<Vec<Vec<f64>>> {
    let repeats = cells[0].len();
    let total: f64 = weights.iter().zip(counts).filter(|(_, n)| **n > 0).map(|(w, _)| w).sum();
    // Adding the mean of the effects as one more observation makes the system regular.
    let mut matrix = vec![vec![total / repeats as f64; repeats]; repeats];
    for ((cell, &count), weight) in cells.iter().zip(counts).zip(weights) {
        let present: Vec<usize> = (0..repeats).filter(|&at| cell[at].is_some()).collect();
        for &row in &present {
            matrix[row][row] += weight;
            for &column in &present {
                matrix[row][column] -= weight / count as f64;
            }
        }
    }
    let mut inverse = invert(matrix, total)?;
    let part = 1.0 / (total * repeats as f64);
    inverse.iter_mut().flatten().for_each(|value| *value -= part);
    Some(inverse)
}

/// Inverts a symmetric positive definite matrix by elimination; nothing if it is singular compared
/// with `scale`.
fn invert(mut matrix: Vec<Vec<f64>>, scale: f64) -> Option<Vec<Vec<f64>>> {
    let size = matrix.len();
    let mut inverse: Vec<Vec<f64>> = (0..size)
        .map(|row| (0..size).map(|column| f64::from(u8::from(row == column))).collect())
        .collect();
    for pivot in 0..size {
        let head = matrix[pivot][pivot];
        if head <= 1e-9 * scale {
            return None;
        }
        for column in 0..size {
            matrix[pivot][column] /= head;
            inverse[pivot][column] /= head;
        }
        let (row, own) = (matrix[pivot].clone(), inverse[pivot].clone());
        for other in (0..size).filter(|&other| other != pivot) {
            let factor = matrix[other][pivot];
            for column in 0..size {
                matrix[other][column] -= factor * row[column];
                inverse[other][column] -= factor * own[column];
            }
        }
    }
    Some(inverse)
}

/// Returns the trace of the covariance of the effects of a cell's repeats around their mean.
fn leverage_of(values: &[Option<f64>], count: usize, covariance: &[Vec<f64>]) -> f64 {
    let present: Vec<usize> = (0..values.len()).filter(|&at| values[at].is_some()).collect();
    let diagonal: f64 = present.iter().map(|&at| covariance[at][at]).sum();
    let all: f64 = present
        .iter()
        .map(|&row| present.iter().map(|&column| covariance[row][column]).sum::<f64>())
        .sum();
    diagonal - all / count.max(1) as f64
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

/// Returns the mean of a cell's values, exact where they are all equal; NaN without any.
fn centre_of(cell: &[Option<f64>]) -> f64 {
    let values: Vec<f64> = cell.iter().flatten().copied().collect();
    Moments::of(&values).map_or(f64::NAN, |moments| moments.mean)
}

fn mean_of<'a>(values: impl Iterator<Item = &'a f64>) -> f64 {
    let (sum, n) = values.fold((0.0, 0_usize), |(sum, n), value| (sum + value, n + 1));
    sum / n as f64
}

#[cfg(test)]
mod tests;
