//! Axes and cells: what an experiment's grids hold, before anything is trained.
//!
//! Owns the expansion of blocks into cells and the names and ids of cells. Pure. Invariants: no
//! cell stands twice; a cell's id depends on its values alone, never on the order of axes or on
//! other cells; the same experiment expands to the same cells in the same order.

mod block;
mod expand;
mod sample;
#[cfg(test)]
mod tests;

pub use expand::{GridError, MOST_CELLS, expand};

use crate::base::{CellId, ContentHasher};
pub use crate::spec::experiment::Axis;
use crate::spec::value::Value;

/// All cells of an experiment.
#[derive(Debug, Clone, PartialEq)]
pub struct Grid {
    /// Every key that any block varies, in order of first appearance, with its distinct values.
    pub axes: Vec<Axis>,
    cells: Vec<Cell>,
    /// Places of the axes, sorted by key.
    by_key: Vec<usize>,
}

/// One value per axis.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Cell {
    /// Index of the value on each axis of the grid; absent where the axis does not exist in this
    /// cell and the base value holds.
    pub choices: Box<[Option<u32>]>,
}

impl Grid {
    fn new(axes: Vec<Axis>, cells: Vec<Cell>) -> Self {
        let mut by_key: Vec<usize> = (0..axes.len()).collect();
        by_key.sort_by(|a, b| axes[*a].key.cmp(&axes[*b].key));
        Self { axes, cells, by_key }
    }

    /// Returns the cells in order: block by block, the last axis varying fastest.
    #[must_use]
    pub fn cells(&self) -> &[Cell] {
        &self.cells
    }

    /// Returns the value of `cell` on the axis with index `axis`, if the axis exists there.
    #[must_use]
    pub fn value(&self, cell: &Cell, axis: usize) -> Option<&Value> {
        cell.choices[axis].map(|choice| &self.axes[axis].values[choice as usize])
    }

    /// Iterates over the keys and values of a cell, in the order of the axes.
    pub fn assignment<'g>(&'g self, cell: &Cell) -> impl Iterator<Item = (&'g str, &'g Value)> {
        self.axes.iter().zip(&cell.choices).filter_map(|(axis, choice)| {
            choice.map(|choice| (axis.key.as_str(), &axis.values[choice as usize]))
        })
    }

    /// Returns a name for people: `augment.rotation=10 augment.shift=0.1`, or `base` where no axis
    /// exists. Text that holds spaces or `=` is quoted.
    #[must_use]
    pub fn name(&self, cell: &Cell) -> String {
        let part = |(key, value): (&str, &Value)| {
            let quoted = value.as_text().filter(|text| {
                text.is_empty()
                    || text.contains(|c: char| c.is_whitespace() || c == '=' || c == '"')
            });
            match quoted {
                Some(text) => format!("{key}={text:?}"),
                None => format!("{key}={value}"),
            }
        };
        let name = self.assignment(cell).map(part).collect::<Vec<_>>().join(" ");
        if name.is_empty() { "base".to_owned() } else { name }
    }

    /// Returns the id of a cell: a hash of its keys and values, sorted by key.
    #[must_use]
    pub fn id(&self, cell: &Cell) -> CellId {
        let mut hasher = ContentHasher::new();
        for &axis in &self.by_key {
            if let Some(value) = self.value(cell, axis) {
                hasher.part(&self.axes[axis].key, value.canonical().as_bytes());
            }
        }
        CellId::from(hasher.finish())
    }
}
