//! What each axis does: marginal means of its levels, and an analysis of variance of every grid.

use std::collections::BTreeSet;

use super::document::{AxisLine, CellLine, PivotGrid, Role};
use super::levels::{AxisEffect, GridVariance, Level};
use super::naming::joined;
use crate::experiment::value::Value;
use gridbench_stats::{self as stats, Observation};

/// Confidence of the intervals of marginal means.
const CONFIDENCE: f64 = 0.95;

/// Returns the effect of every axis that varies; axes that move together share one.
pub(super) fn axis_effects(
    axes: &[AxisLine],
    cells: &[CellLine],
    samples: &[Vec<f64>],
) -> Vec<AxisEffect> {
    let varying: Vec<usize> =
        (0..axes.len()).filter(|axis| axes[*axis].role != Role::Fixed).collect();
    let mut groups: Vec<Vec<usize>> = Vec::new();
    for axis in varying {
        match groups.iter_mut().find(|group| move_together(cells, group[0], axis)) {
            Some(group) => group.push(axis),
            None => groups.push(vec![axis]),
        }
    }
    groups.iter().map(|group| effect(axes, cells, samples, group)).collect()
}

fn value(cells: &[CellLine], cell: usize, axis: usize) -> Option<&Value> {
    cells[cell].values[axis].as_ref()
}

/// Returns whether each of two axes follows from the other in every cell.
fn move_together(cells: &[CellLine], a: usize, b: usize) -> bool {
    let mut pairs = BTreeSet::new();
    let (mut first, mut second) = (BTreeSet::new(), BTreeSet::new());
    for cell in 0..cells.len() {
        let (a, b) = (value(cells, cell, a), value(cells, cell, b));
        first.insert(a);
        second.insert(b);
        pairs.insert((a, b));
    }
    pairs.len() == first.len() && pairs.len() == second.len()
}

fn effect(
    axes: &[AxisLine],
    cells: &[CellLine],
    samples: &[Vec<f64>],
    group: &[usize],
) -> AxisEffect {
    let lead = &axes[group[0]];
    let mut keys: Vec<Option<&Value>> = lead.values.iter().map(Some).collect();
    if (0..cells.len()).any(|cell| value(cells, cell, group[0]).is_none()) {
        keys.push(None);
    }
    let members: Vec<Vec<usize>> = keys
        .iter()
        .map(|key| {
            (0..cells.len())
                .filter(|cell| value(cells, *cell, group[0]) == *key && !samples[*cell].is_empty())
                .collect()
        })
        .collect();
    let slices: Vec<Vec<&[f64]>> = members
        .iter()
        .map(|cells| cells.iter().map(|cell| samples[*cell].as_slice()).collect())
        .collect();
    let means = stats::marginal_means(&slices, CONFIDENCE);
    let company = |members: &Vec<usize>| -> BTreeSet<Vec<Option<&Value>>> {
        let others = |cell: &usize| {
            let others = (0..axes.len()).filter(|axis| !group.contains(axis));
            others.map(|axis| value(cells, *cell, axis)).collect()
        };
        members.iter().map(others).collect()
    };
    let companies: Vec<_> = members.iter().map(company).collect();
    let name = |index: usize| match members[index].first() {
        Some(cell) => joined(axes, &cells[*cell].values, group),
        None => lead.show_or_absent(keys[index]),
    };
    let levels = means.into_iter().enumerate().map(|(index, mean)| Level {
        value: name(index),
        cells: members[index].len(),
        trials: members[index].iter().map(|cell| samples[*cell].len()).sum(),
        mean,
    });
    let labels: Vec<&str> = group.iter().map(|axis| axes[*axis].label.as_str()).collect();
    AxisEffect {
        axes: group.to_vec(),
        label: labels.join("/"),
        levels: levels.collect(),
        balanced: companies.windows(2).all(|pair| pair[0] == pair[1]),
    }
}

/// Analyses the variance of every grid of two or more rows and columns.
pub(super) fn grid_variances(grids: &[PivotGrid], samples: &[Vec<f64>]) -> Vec<GridVariance> {
    let analyse = |(index, grid): (usize, &PivotGrid)| {
        let columns = grid.columns.as_ref()?.values.len();
        if columns < 2 || grid.entries.len() < 2 {
            return None;
        }
        let mut observations = Vec::new();
        for (row, entries) in grid.entries.iter().enumerate() {
            for (column, cell) in entries.iter().enumerate() {
                let values = cell.iter().flat_map(|cell| &samples[*cell]);
                observations.extend(values.map(|value| Observation { row, column, value: *value }));
            }
        }
        Some(GridVariance { grid: index, analysis: stats::two_way_anova(&observations)? })
    };
    grids.iter().enumerate().filter_map(analyse).collect()
}

#[cfg(test)]
mod tests {
    use crate::report::{Subject, build};
    use crate::results::fixture::{self, HandMade};

    #[test]
    fn axes_that_move_together_share_an_effect_and_holes_unbalance_it() {
        let section = &build(&[Subject::from(&fixture::augment_grid())]).experiments[0];
        let labels: Vec<&str> =
            section.effects.iter().map(|effect| effect.label.as_str()).collect();
        assert_eq!(labels, ["shift", "rotation/zoom"]);
        let shift = &section.effects[0];
        // The one cell at shift 0.2 has no completed trial.
        let cells: Vec<usize> = shift.levels.iter().map(|level| level.cells).collect();
        assert_eq!(cells, [3, 3, 0]);
        assert!(!shift.balanced);
        // Errors of 360: cell means 13, 6 and 9.
        let mean = shift.levels[0].mean.unwrap().mean;
        assert!((mean - (1.0 - 28.0 / 3.0 / 360.0)).abs() < 1e-12, "{mean}");
        let rotation: Vec<&str> =
            section.effects[1].levels.iter().map(|level| level.value.as_str()).collect();
        assert_eq!(rotation, ["0/0", "10/0.1", "20/0.2"]);
    }

    #[test]
    fn a_full_grid_is_balanced_and_has_an_analysis_of_variance() {
        let axes: [(&str, &[&str]); 2] = [("a.x", &["1", "2"]), ("a.y", &["1", "2"])];
        let cells: [HandMade<'_>; 4] = [
            (&[Some("1"), Some("1")], &[1, 2, 3]),
            (&[Some("1"), Some("2")], &[4, 5, 6]),
            (&[Some("2"), Some("1")], &[2, 3, 4]),
            (&[Some("2"), Some("2")], &[5, 6, 7]),
        ];
        let section =
            &build(&[Subject::from(&fixture::experiment("full", &axes, &cells))]).experiments[0];
        assert!(section.effects.iter().all(|effect| effect.balanced));
        let analysis = &section.grid_variances[0].analysis;
        // By hand, in errors: within cells 8 on 8 degrees, columns 27 on 1, rows 3 on 1.
        assert!((analysis.columns.unwrap().f - 27.0).abs() < 1e-6);
        assert!((analysis.rows.unwrap().f - 3.0).abs() < 1e-6);
        assert!(analysis.interaction.unwrap().f < 1e-9);
    }
}
