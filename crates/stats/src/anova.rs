//! Effects of axes: two-way analysis of variance with interaction, marginal means.

use std::collections::BTreeMap;

use serde::Serialize;
use statrs::function::beta::beta_reg;

use super::distributions::t_quantile;
use super::moments::{Moments, pooled_sd};

/// One value and the levels it was measured at.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Observation {
    /// Index of the level of the first factor.
    pub row: usize,
    /// Index of the level of the second factor.
    pub column: usize,
    /// The value.
    pub value: f64,
}

/// What one factor, or the interaction, explains.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Effect {
    /// Sum of squares it explains beyond the others.
    pub sum_of_squares: f64,
    /// Its degrees of freedom, at least 1.
    pub degrees_of_freedom: usize,
    /// Its mean square over the residual mean square.
    pub f: f64,
    /// Probability of so large an F if there is no effect.
    pub p: f64,
    /// Partial η²: its share of its own and the residual sum of squares.
    pub partial_eta_squared: f64,
}

/// A two-way analysis of variance with interaction.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct TwoWayAnova {
    /// The first factor; absent where its levels cannot be told apart within columns.
    pub rows: Option<Effect>,
    /// The second factor; absent where its levels cannot be told apart within rows.
    pub columns: Option<Effect>,
    /// Whether the effect of one depends on the other; absent where no cell shows it.
    pub interaction: Option<Effect>,
    /// Sum of squares within cells.
    pub residual_sum_of_squares: f64,
    /// Its degrees of freedom, at least 1.
    pub residual_degrees_of_freedom: usize,
}

/// Analyses the variance of a grid of two factors, type II sums of squares: each factor beyond the
/// other, the interaction beyond both. Cells may be missing and of different size.
///
/// Nothing without a cell of two values, without any spread within cells, or for a value that is
/// not finite.
///
/// ```
/// use gridbench_stats::{Observation, two_way_anova};
/// let observations: Vec<Observation> = [(0, 0, 1.0), (0, 0, 2.0), (0, 1, 4.0), (0, 1, 5.0), (1, 0, 2.0), (1, 0, 2.5), (1, 1, 7.0), (1, 1, 9.0)]
///     .map(|(row, column, value)| Observation { row, column, value })
///     .to_vec();
/// // statsmodels anova_lm(ols('value ~ C(row) * C(column)', data).fit(), typ=2).F
/// let found = two_way_anova(&observations).unwrap();
/// assert!((found.rows.unwrap().f - 11.560_000_000_000_047).abs() < 1e-9);
/// assert!((found.interaction.unwrap().f - 4.840_000_000_000_01).abs() < 1e-9);
/// ```
#[must_use]
pub fn two_way_anova(observations: &[Observation]) -> Option<TwoWayAnova> {
    let values: Vec<f64> = observations.iter().map(|observation| observation.value).collect();
    let centre = Moments::of(&values)?.mean;
    let centred: Vec<Observation> =
        observations.iter().map(|o| Observation { value: o.value - centre, ..*o }).collect();
    let row = |o: &Observation| (o.row, 0);
    let column = |o: &Observation| (0, o.column);
    let (rows, within_rows) = one_way(&centred, row);
    let (columns, within_columns) = one_way(&centred, column);
    let (cells, residual) = one_way(&centred, |o| (o.row, o.column));
    let (additive_rank, within_additive) = additive(&centred);
    let freedom = centred.len() - cells;
    if freedom == 0 || residual == 0.0 {
        return None;
    }
    let effect = |larger: f64, smaller: f64, degrees_of_freedom: usize| {
        let sum_of_squares = (larger - smaller).max(0.0);
        (degrees_of_freedom > 0).then(|| {
            let (own, rest) = (degrees_of_freedom as f64, freedom as f64);
            let f = sum_of_squares / own / (residual / rest);
            Effect {
                sum_of_squares,
                degrees_of_freedom,
                f,
                p: beta_reg(0.5 * rest, 0.5 * own, rest / (rest + own * f)),
                partial_eta_squared: sum_of_squares / (sum_of_squares + residual),
            }
        })
    };
    Some(TwoWayAnova {
        rows: effect(within_columns, within_additive, additive_rank - columns),
        columns: effect(within_rows, within_additive, additive_rank - rows),
        interaction: effect(within_additive, residual, cells - additive_rank),
        residual_sum_of_squares: residual,
        residual_degrees_of_freedom: freedom,
    })
}

/// Returns the number of groups and the sum of squares within them.
fn one_way(
    observations: &[Observation],
    group_of: impl Fn(&Observation) -> (usize, usize),
) -> (usize, f64) {
    let mut groups: BTreeMap<(usize, usize), Vec<f64>> = BTreeMap::new();
    for observation in observations {
        groups.entry(group_of(observation)).or_default().push(observation.value);
    }
    let within = groups
        .values()
        .filter_map(|group| Moments::of(group))
        .filter_map(|moments| Some(moments.sd?.powi(2) * (moments.n - 1) as f64))
        .sum();
    (groups.len(), within)
}

/// Returns rank and residual sum of squares of the model `row effect + column effect`.
///
/// The row effects are eliminated from the normal equations; what remains is a symmetric system in
/// the column effects, singular by one for every connected part of the grid, solved by Gaussian
/// elimination with effects of zero for the columns that are free.
fn additive(observations: &[Observation]) -> (usize, f64) {
    let rows = ranks(observations.iter().map(|o| o.row));
    let columns = ranks(observations.iter().map(|o| o.column));
    let mut counts = vec![vec![0.0; columns.len()]; rows.len()];
    let mut row_sums = vec![0.0; rows.len()];
    let mut right = vec![0.0; columns.len()];
    for Observation { row, column, value } in observations {
        let (row, column) = (rows[row], columns[column]);
        counts[row][column] += 1.0;
        row_sums[row] += value;
        right[column] += value;
    }
    let row_counts: Vec<f64> = counts.iter().map(|row| row.iter().sum()).collect();
    let mut matrix = vec![vec![0.0; columns.len()]; columns.len()];
    for ((row, &n), &sum) in counts.iter().zip(&row_counts).zip(&row_sums) {
        for j in 0..columns.len() {
            right[j] -= row[j] * sum / n;
            matrix[j][j] += row[j];
            for k in 0..columns.len() {
                matrix[j][k] -= row[j] * row[k] / n;
            }
        }
    }
    let (column_effects, solved) = solve_singular(matrix, right);
    let within = observations
        .iter()
        .map(|Observation { row, column, value }| {
            let (row, column) = (rows[row], columns[column]);
            let shared: f64 =
                counts[row].iter().zip(&column_effects).map(|(n, effect)| n * effect).sum();
            let row_effect = (row_sums[row] - shared) / row_counts[row];
            (value - row_effect - column_effects[column]).powi(2)
        })
        .sum();
    (rows.len() + solved, within)
}

/// Numbers the distinct keys in ascending order.
fn ranks(keys: impl Iterator<Item = usize>) -> BTreeMap<usize, usize> {
    let distinct: std::collections::BTreeSet<usize> = keys.collect();
    distinct.into_iter().enumerate().map(|(rank, key)| (key, rank)).collect()
}

/// Solves a symmetric positive semidefinite system and returns its rank; variables that are free
/// are 0.
fn solve_singular(mut matrix: Vec<Vec<f64>>, mut right: Vec<f64>) -> (Vec<f64>, usize) {
    let size = right.len();
    let scale = (0..size).map(|i| matrix[i][i]).fold(0.0, f64::max);
    let mut remaining: Vec<usize> = (0..size).collect();
    let mut pivots = Vec::new();
    while let Some((index, &pivot)) = remaining
        .iter()
        .enumerate()
        .max_by(|a, b| matrix[*a.1][*a.1].total_cmp(&matrix[*b.1][*b.1]))
    {
        if matrix[pivot][pivot] <= 1e-9 * scale {
            break;
        }
        remaining.swap_remove(index);
        let pivot_row = matrix[pivot].clone();
        for other in (0..size).filter(|&other| other != pivot) {
            let factor = matrix[other][pivot] / pivot_row[pivot];
            for (value, above) in matrix[other].iter_mut().zip(&pivot_row) {
                *value -= factor * above;
            }
            right[other] -= factor * right[pivot];
        }
        pivots.push(pivot);
    }
    let mut solution = vec![0.0; size];
    for &pivot in &pivots {
        solution[pivot] = right[pivot] / matrix[pivot][pivot];
    }
    (solution, pivots.len())
}

/// The mean of one level of an axis over everything else.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct MarginalMean {
    /// Mean of the cell means, every cell counting alike however many trials it has.
    pub mean: f64,
    /// Standard error, from the spread within all cells.
    pub se: f64,
    /// Interval at the level asked for.
    pub interval: (f64, f64),
}

/// Returns the marginal mean of every level, each given as its cells, with intervals at
/// `confidence` from the spread pooled within all cells of all levels.
///
/// A level without cells or with an empty or unsound cell has none, nor has any level where no cell
/// has two values.
#[must_use]
pub fn marginal_means(levels: &[Vec<&[f64]>], confidence: f64) -> Vec<Option<MarginalMean>> {
    let cells: Vec<&[f64]> = levels.iter().flatten().copied().collect();
    let pooled = pooled_sd(&cells);
    let marginal_mean = |cells: &Vec<&[f64]>| {
        let (sd, freedom) = pooled?;
        let moments: Vec<Moments> =
            cells.iter().map(|cell| Moments::of(cell)).collect::<Option<_>>()?;
        let means: Vec<f64> = moments.iter().map(|moments| moments.mean).collect();
        let mean = Moments::of(&means)?.mean;
        let parts: f64 = moments.iter().map(|moments| 1.0 / moments.n as f64).sum();
        let se = sd * parts.sqrt() / means.len() as f64;
        let reach = t_quantile(0.5 + 0.5 * confidence, freedom as f64) * se;
        Some(MarginalMean { mean, se, interval: (mean - reach, mean + reach) })
    };
    levels.iter().map(marginal_mean).collect()
}

#[cfg(test)]
mod tests;
