//! Axes and cells: what an experiment's grids hold, before anything is trained.
//!
//! Owns the expansion of blocks into cells and the names and ids of cells. Pure. Grids are counted
//! before they are built: whatever is typed, the work is bounded by [`MAX_CELLS`]. Invariants: no
//! cell stands twice; a cell's id depends on its values alone, never on the order of axes or on
//! other cells; the same experiment expands to the same cells in the same order.

mod block;
mod expand;
mod sample;
#[cfg(test)]
mod tests;
mod walk;

pub use expand::{GridError, expand};

use crate::base::{CellId, ContentHasher};
pub(crate) use crate::experiment::Axis;
use crate::experiment::value::Value;

/// The most cells an experiment may have: beyond, a sample is drawn.
pub(crate) const MAX_CELLS: usize = 1_000_000;

/// All cells of an experiment.
#[derive(Debug, Clone, PartialEq)]
pub struct Grid {
    /// Every key that any block varies, in order of first appearance, with its distinct values.
    pub axes: Vec<Axis>,
    /// The choices of all cells, one row per cell, one column per axis.
    choices: Vec<u32>,
    count: usize,
    /// Indices of the axes, sorted by key.
    by_key: Vec<usize>,
}

/// One value per axis, as a row of the grid.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Cell<'g> {
    choices: &'g [u32],
}

/// The choice on an axis that does not exist in a cell, where the base value holds.
const ABSENT: u32 = u32::MAX;

impl<'g> Cell<'g> {
    /// Returns the index of the value on an axis of the grid; nothing where the axis does not exist
    /// in this cell and the base value holds.
    pub(crate) fn choice(self, axis: usize) -> Option<u32> {
        Some(self.choices[axis]).filter(|choice| *choice != ABSENT)
    }

    /// Returns the choices on all axes as they are stored: equal where the cells agree.
    pub(crate) fn row(self) -> &'g [u32] {
        self.choices
    }
}

impl Grid {
    /// Assembles rows of one choice per axis; without axes there is one cell.
    fn new(axes: Vec<Axis>, choices: Vec<u32>) -> Self {
        let mut by_key: Vec<usize> = (0..axes.len()).collect();
        by_key.sort_by(|a, b| axes[*a].key.cmp(&axes[*b].key));
        let count = choices.len().checked_div(axes.len()).unwrap_or(1);
        Self { axes, choices, count, by_key }
    }

    /// Returns the number of cells.
    pub(crate) fn len(&self) -> usize {
        self.count
    }

    /// Returns the cell at `index`.
    ///
    /// # Panics
    /// If there are not so many.
    pub(crate) fn cell(&self, index: usize) -> Cell<'_> {
        assert!(index < self.count, "cell {index} of {} does not exist", self.count);
        let width = self.axes.len();
        Cell { choices: &self.choices[index * width..][..width] }
    }

    /// Iterates over the cells in order: block by block, the last axis varying fastest.
    pub fn cells(&self) -> impl ExactSizeIterator<Item = Cell<'_>> + DoubleEndedIterator {
        (0..self.count).map(|index| self.cell(index))
    }

    /// Returns the value of `cell` on the axis with index `axis`, if the axis exists there.
    pub(crate) fn value(&self, cell: Cell<'_>, axis: usize) -> Option<&Value> {
        cell.choice(axis).map(|choice| &self.axes[axis].values[choice as usize])
    }

    /// Iterates over the keys and values of a cell, in the order of the axes.
    pub fn assignment<'g>(
        &'g self,
        cell: Cell<'g>,
    ) -> impl Iterator<Item = (&'g str, &'g Value)> + use<'g> {
        let exists = |(_, choice): &(&Axis, &u32)| **choice != ABSENT;
        let named =
            |(axis, choice): (&'g Axis, &u32)| (axis.key.as_str(), &axis.values[*choice as usize]);
        self.axes.iter().zip(cell.choices).filter(exists).map(named)
    }

    /// Returns a name for people, as [`cell_name`] does.
    #[must_use]
    pub fn name(&self, cell: Cell<'_>) -> String {
        cell_name(self.assignment(cell))
    }

    /// Returns the id of a cell, as [`cell_id`] does.
    pub(crate) fn id(&self, cell: Cell<'_>) -> CellId {
        let sorted = self.by_key.iter().filter_map(|&axis| {
            self.value(cell, axis).map(|value| (self.axes[axis].key.as_str(), value))
        });
        cell_id(sorted)
    }
}

/// Returns a name for people: `augment.rotation=10 augment.shift=0.1`, or `base` where no axis
/// exists. Every value is in its [notation](Value::notation), so different cells have different
/// names and a name selects its cell.
pub(crate) fn cell_name<'v>(assignment: impl Iterator<Item = (&'v str, &'v Value)>) -> String {
    let parts: Vec<String> =
        assignment.map(|(key, value)| format!("{key}={}", value.notation())).collect();
    if parts.is_empty() { "base".to_owned() } else { parts.join(" ") }
}

/// Returns the id of a cell: a hash of its keys and values, which come sorted by key.
pub(crate) fn cell_id<'v>(sorted: impl Iterator<Item = (&'v str, &'v Value)>) -> CellId {
    let mut hasher = ContentHasher::new();
    for (key, value) in sorted {
        hasher.part(key, value.canonical().as_bytes());
    }
    CellId::from(hasher.finish())
}
