//! Which cells may be the best.

use super::confirm::measure::{best_of, by_repeat};
use super::document::PivotGrid;
use crate::base::Metric;
use crate::results::ExperimentResults;
use gridbench_stats::BestSet;

/// Returns the variance that rounding alone gives to counted images.
pub(super) fn floor(results: &ExperimentResults, metric: &Metric) -> f64 {
    results.quantum(metric).map_or(0.0, |step| step * step / 12.0)
}

/// Which cells may be the best.
pub(super) struct Marks {
    pub(super) overall: BestSet,
    /// Of their own grid.
    pub(super) in_grid: Vec<bool>,
}

impl Marks {
    pub(super) fn of(results: &ExperimentResults, metric: &Metric, grids: &[PivotGrid]) -> Self {
        let rows = by_repeat(results.cells.iter().map(Some), metric);
        let rows: Vec<Vec<Option<f64>>> =
            rows.into_iter().map(|row| results.facts.for_tests(row)).collect();
        let shares_seeds = results.facts.split_seed.is_some();
        let floor = floor(results, metric);
        let set = |members: &[usize]| {
            let rows: Vec<&[Option<f64>]> =
                members.iter().map(|cell| rows[*cell].as_slice()).collect();
            best_of(&rows, shares_seeds, floor, metric)
        };
        let all: Vec<usize> = (0..rows.len()).collect();
        let overall = set(&all);
        let mut in_grid = vec![false; rows.len()];
        for grid in grids {
            let mut members: Vec<usize> =
                grid.entries.iter().flatten().flatten().copied().collect();
            members.sort_unstable();
            if members == all {
                in_grid.clone_from(&overall.members);
                continue;
            }
            for (cell, mark) in members.iter().zip(set(&members).members) {
                in_grid[*cell] = mark;
            }
        }
        Self { overall, in_grid }
    }
}
