//! Which axis goes where, and the grids that follow.
//!
//! Axes that move together share one side of a grid. Axes left over give one grid per combination.
//! Where rows by columns would be mostly holes, as for sampled grids, every cell gets its own row.

use std::collections::{BTreeMap, HashMap, HashSet};

use super::document::{AxisLine, Heading, PivotGrid, Role};
use crate::experiment::ReportSettings;
use crate::experiment::value::Value;
use crate::results::ExperimentResults;

/// Columns beyond which the longer axis is turned into rows.
const COMFORTABLE_COLUMNS: usize = 10;

/// Where every axis goes; the first axis of a side leads, the others follow it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Layout {
    rows: Vec<usize>,
    columns: Vec<usize>,
    grids: Vec<usize>,
}

/// Values of the cells as small numbers: `codes[axis][cell]`, an absent value last.
struct Coded {
    codes: Vec<Vec<usize>>,
    /// Largest code of each axis plus one.
    sizes: Vec<usize>,
}

impl Coded {
    fn of(results: &ExperimentResults) -> Self {
        let code = |axis: usize| {
            let codes: BTreeMap<&Value, usize> = results.axes[axis]
                .values
                .iter()
                .enumerate()
                .map(|(index, value)| (value, index))
                .collect();
            let absent = codes.len();
            let value = |cell: &crate::results::CellResults| {
                cell.values[axis].as_ref().map_or(absent, |value| codes[value])
            };
            results.cells.iter().map(value).collect()
        };
        let sizes = results.axes.iter().map(|axis| axis.values.len() + 1).collect();
        Self { codes: (0..results.axes.len()).map(code).collect(), sizes }
    }

    fn distinct(&self, axis: usize) -> usize {
        let mut seen = vec![false; self.sizes[axis]];
        self.codes[axis].iter().for_each(|code| seen[*code] = true);
        seen.into_iter().filter(|seen| *seen).count()
    }

    /// Returns whether the value of `of` follows from the value of `by` in every cell.
    fn determines(&self, by: usize, of: usize) -> bool {
        let mut image = vec![usize::MAX; self.sizes[by]];
        self.codes[by].iter().zip(&self.codes[of]).all(|(by, of)| {
            let known = &mut image[*by];
            let fits = *known == usize::MAX || known == of;
            *known = *of;
            fits
        })
    }

    fn tuple(&self, axes: &[usize], cell: usize) -> Vec<usize> {
        axes.iter().map(|axis| self.codes[*axis][cell]).collect()
    }
}

impl Layout {
    /// Chooses a side for every axis, following what was asked for where it names axes.
    pub(super) fn choose(results: &ExperimentResults, report: &ReportSettings) -> Self {
        let coded = Coded::of(results);
        let find = |key: &Option<String>| {
            let key = key.as_deref()?;
            results.axes.iter().position(|axis| axis.key == key)
        };
        let varying: Vec<usize> =
            (0..results.axes.len()).filter(|axis| coded.distinct(*axis) > 1).collect();
        let asked = |key| find(key).filter(|axis| varying.contains(axis));
        let rows = asked(&report.rows);
        let columns = asked(&report.columns).filter(|axis| rows != Some(*axis));
        let groups = group(&coded, &varying, [rows, columns]);
        let lead = |group: &[usize]| results.axes[group[0]].key.as_str();
        let mut free: Vec<&Vec<usize>> = groups
            .iter()
            .filter(|group| Some(group[0]) != rows && Some(group[0]) != columns)
            .collect();
        // Ensembles are read off the same members: beside each other they say little.
        free.sort_by_key(|group| lead(group).starts_with("ensemble."));
        let mut free = free.into_iter();
        let mut side = |asked: Option<usize>| match asked {
            Some(axis) => groups.iter().find(|group| group[0] == axis).cloned(),
            None => free.next().cloned(),
        };
        // A side asked for is taken before a free one is given away.
        let mut column_axes = columns.and_then(|axis| side(Some(axis)));
        let mut row_axes = side(rows);
        if column_axes.is_none() {
            column_axes = side(None);
        }
        if row_axes.is_none() {
            std::mem::swap(&mut row_axes, &mut column_axes);
        }
        let (mut row_axes, mut column_axes) =
            (row_axes.unwrap_or_default(), column_axes.unwrap_or_default());
        let count = |axes: &[usize]| axes.first().map_or(0, |axis| coded.distinct(*axis));
        if rows.is_none()
            && columns.is_none()
            && count(&column_axes) > COMFORTABLE_COLUMNS
            && count(&row_axes) < count(&column_axes)
        {
            std::mem::swap(&mut row_axes, &mut column_axes);
        }
        let mut layout = Self { rows: row_axes, columns: column_axes, grids: Vec::new() };
        for axis in varying.iter().copied() {
            layout.put(&coded, axis);
        }
        let chosen_freely = rows.is_none() || columns.is_none();
        if chosen_freely && !layout.columns.is_empty() && layout.is_sparse(&coded) {
            return Self { rows: varying, columns: Vec::new(), grids: Vec::new() };
        }
        layout
    }

    /// Puts an axis beside the leader it follows from, else among the grids.
    fn put(&mut self, coded: &Coded, axis: usize) {
        if self.rows.contains(&axis) || self.columns.contains(&axis) {
            return;
        }
        let follows =
            |side: &[usize]| side.first().is_some_and(|lead| coded.determines(*lead, axis));
        if follows(&self.columns) {
            self.columns.push(axis);
        } else if follows(&self.rows) {
            self.rows.push(axis);
        } else {
            self.grids.push(axis);
        }
    }

    fn is_sparse(&self, coded: &Coded) -> bool {
        let cells = coded.codes.first().map_or(0, Vec::len);
        let entries: usize = split(coded, &self.grids, cells)
            .iter()
            .map(|(_, members)| {
                let count = |axes| distinct_tuples(coded, axes, members).len();
                count(&self.rows) * count(&self.columns)
            })
            .sum();
        cells > 2 && 2 * cells <= entries
    }

    /// Returns the role of an axis.
    pub(super) fn role(&self, axis: usize) -> Role {
        if self.rows.contains(&axis) {
            Role::Rows
        } else if self.columns.contains(&axis) {
            Role::Columns
        } else if self.grids.contains(&axis) {
            Role::Grids
        } else {
            Role::Fixed
        }
    }

    /// Returns the grids; `lines` say how the axes and their values are shown.
    pub(super) fn grids(&self, results: &ExperimentResults, lines: &[AxisLine]) -> Vec<PivotGrid> {
        let coded = Coded::of(results);
        let text = |axis: usize, code: usize| lines[axis].shown.get(code).cloned();
        let texts = |axes: &[usize], tuple: &[usize]| {
            axes.iter().zip(tuple).map(|(axis, code)| text(*axis, *code)).collect::<Vec<_>>()
        };
        let heading = |axes: &[usize], tuples: &[Vec<usize>]| Heading {
            labels: axes.iter().map(|axis| lines[*axis].label.clone()).collect(),
            values: tuples.iter().map(|tuple| texts(axes, tuple)).collect(),
        };
        let grid = |(key, members): &(Vec<usize>, Vec<usize>)| {
            let mut rows = distinct_tuples(&coded, &self.rows, members);
            let mut columns = distinct_tuples(&coded, &self.columns, members);
            if !self.columns.is_empty() {
                rows.sort();
            }
            columns.sort();
            let index = |tuples: &[Vec<usize>]| -> HashMap<Vec<usize>, usize> {
                tuples.iter().cloned().enumerate().map(|(index, tuple)| (tuple, index)).collect()
            };
            let (row_indices, column_indices) = (index(&rows), index(&columns));
            let mut entries = vec![vec![None; columns.len()]; rows.len()];
            for cell in members {
                let row = row_indices[&coded.tuple(&self.rows, *cell)];
                let column = column_indices[&coded.tuple(&self.columns, *cell)];
                entries[row][column] = Some(*cell);
            }
            let name = |(axis, value): (&usize, Option<String>)| {
                (lines[*axis].label.clone(), value.unwrap_or_else(|| ABSENT.to_owned()))
            };
            PivotGrid {
                title: self.grids.iter().zip(texts(&self.grids, key)).map(name).collect(),
                rows: heading(&self.rows, &rows),
                columns: (!self.columns.is_empty()).then(|| heading(&self.columns, &columns)),
                entries,
            }
        };
        split(&coded, &self.grids, results.cells.len()).iter().map(grid).collect()
    }
}

/// Stands for the value of an axis that does not exist in a cell.
pub(super) const ABSENT: &str = "—";

/// Joins axes that determine each other; the axes asked for lead groups of their own.
fn group(coded: &Coded, varying: &[usize], asked: [Option<usize>; 2]) -> Vec<Vec<usize>> {
    let mut groups: Vec<Vec<usize>> = asked.into_iter().flatten().map(|axis| vec![axis]).collect();
    for &axis in varying {
        if groups.iter().any(|group| group[0] == axis) {
            continue;
        }
        let together = |lead: usize| coded.determines(lead, axis) && coded.determines(axis, lead);
        match groups.iter_mut().find(|group| together(group[0])) {
            Some(group) => group.push(axis),
            None => groups.push(vec![axis]),
        }
    }
    groups
}

/// Splits the cells by their values on `axes`, in the order of those values.
fn split(coded: &Coded, axes: &[usize], cells: usize) -> Vec<(Vec<usize>, Vec<usize>)> {
    let mut parts: BTreeMap<Vec<usize>, Vec<usize>> = BTreeMap::new();
    for cell in 0..cells {
        parts.entry(coded.tuple(axes, cell)).or_default().push(cell);
    }
    parts.into_iter().collect()
}

/// Returns the distinct values of `members` on `axes`, in the order of the cells.
fn distinct_tuples(coded: &Coded, axes: &[usize], members: &[usize]) -> Vec<Vec<usize>> {
    let mut seen = HashSet::new();
    members
        .iter()
        .map(|cell| coded.tuple(axes, *cell))
        .filter(|tuple| seen.insert(tuple.clone()))
        .collect()
}
