//! From blocks to cells.

use std::collections::HashMap;

use super::block::{Axes, Block, Circular};
use super::{Cell, Grid, sample};
use crate::spec::experiment::{Experiment, Match};
use crate::spec::value::Value;

/// The most cells a grid may have: beyond, draw a sample.
pub const MOST_CELLS: usize = 10_000_000;

/// Duplicates named in one message.
const MOST_NAMED: usize = 5;

/// Why a grid cannot be expanded.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum GridError {
    /// A cell stands in two places.
    #[error(
        "{count} duplicate cells in the grid\n{}\n  hint: exclude them from one of the blocks",
        named.iter().map(|one| format!("  {one}")).collect::<Vec<_>>().join("\n")
    )]
    Duplicate {
        /// Number of cells that stand twice.
        count: usize,
        /// The first few, each with both its places.
        named: Vec<String>,
    },
    /// An exclusion leaves out nothing.
    #[error(
        "block {block} has no cell to exclude with {values}\n  hint: correct the \
         `[[grid.exclude]]`, or remove it"
    )]
    IdleExclusion {
        /// Index of the block, from 1.
        block: usize,
        /// What the cells would have, in words.
        values: String,
    },
    /// Nothing is left.
    #[error("the grid has no cells: everything is excluded\n  hint: remove an `[[grid.exclude]]`")]
    Empty,
    /// More cells than can be held.
    #[error(
        "the grid has more than {MOST_CELLS} cells\n  hint: draw some of them with \
         `sample = {{ method = \"sobol\", count = 1000 }}`"
    )]
    TooMany,
    /// A sample asks for more cells than there are.
    #[error(
        "block {block} asks for a sample of {asked} cells, but only {found} distinct ones were \
         found\n  hint: ask for fewer, or remove `sample` to take them all"
    )]
    TooFewToSample {
        /// Index of the block, from 1.
        block: usize,
        /// Cells asked for.
        asked: usize,
        /// Cells found.
        found: usize,
    },
    /// Conditions form a circle.
    #[error("block {block}: whether axis `{axis}` exists depends on itself")]
    Circular {
        /// Index of the block, from 1.
        block: usize,
        /// An axis of the circle.
        axis: String,
    },
}

/// Expands the grids of an experiment into cells; no grid is one cell of the base settings.
///
/// # Errors
/// If a cell stands in two places, no cell is left, or there are too many.
pub fn expand(experiment: &Experiment) -> Result<Grid, GridError> {
    let mut axes = Axes::default();
    let mut blocks = Vec::with_capacity(experiment.grids.len());
    let mut included = Vec::with_capacity(experiment.grids.len());
    for (index, block) in experiment.grids.iter().enumerate() {
        let compiled = Block::compile(block, &mut axes)
            .map_err(|Circular(axis)| GridError::Circular { block: index + 1, axis })?;
        blocks.push(compiled);
        let choices: Vec<Vec<(usize, u32)>> = block
            .include
            .iter()
            .map(|cell| cell.iter().map(|(key, value)| choose(key, value, &mut axes)).collect())
            .collect();
        included.push(choices);
    }
    let width = axes.list.len();
    let mut cells: Vec<Cell> = Vec::new();
    // Where the cells of each source begin, to name the places of duplicates.
    let mut sources: Vec<(usize, String)> = Vec::new();
    for (index, block) in blocks.iter_mut().enumerate() {
        block.widen(width);
        let settings = &experiment.grids[index];
        sources.push((cells.len(), format!("block {}", index + 1)));
        // A block of included cells alone has no product.
        let has_product = !(settings.axes.is_empty() && settings.zips.is_empty());
        match &settings.sample {
            Some(wanted) if has_product => {
                let drawn =
                    sample::draw(block, wanted, experiment.seed, index).map_err(|found| {
                        GridError::TooFewToSample { block: index + 1, asked: wanted.count, found }
                    })?;
                cells.extend(drawn);
            }
            None if has_product => {
                block.each(&mut |cell| {
                    cells.push(cell);
                    cells.len() <= MOST_CELLS
                });
                if let (true, Some(idle)) = (cells.len() <= MOST_CELLS, block.idle_exclusion()) {
                    return Err(idle_exclusion(index, &settings.exclude[idle]));
                }
            }
            _ => {}
        }
        for (place, include) in included[index].iter().enumerate() {
            sources
                .push((cells.len(), format!("block {}, included cell {}", index + 1, place + 1)));
            let mut choices = vec![None; width];
            for &(axis, choice) in include {
                choices[axis] = Some(choice);
            }
            let cell = Cell { choices: choices.into() };
            // What a sample happened to draw is not typed twice.
            if settings.sample.is_some() && cells.contains(&cell) {
                sources.pop();
                continue;
            }
            cells.push(cell);
        }
        if cells.len() > MOST_CELLS {
            return Err(GridError::TooMany);
        }
    }
    if experiment.grids.is_empty() {
        cells.push(Cell { choices: Box::default() });
    }
    if cells.is_empty() {
        return Err(GridError::Empty);
    }
    let grid = Grid::new(axes.list, cells);
    refuse_duplicates(&grid, &sources)?;
    Ok(grid)
}

fn idle_exclusion(block: usize, matches: &[Match]) -> GridError {
    let values = matches.iter().map(|one| {
        let values: Vec<String> = one.values.iter().map(ToString::to_string).collect();
        format!("`{}` = {}", one.key, values.join(" or "))
    });
    let values = values.collect::<Vec<_>>().join(" and ");
    GridError::IdleExclusion { block: block + 1, values }
}

fn choose(key: &str, value: &Value, axes: &mut Axes) -> (usize, u32) {
    let place = axes.place(key);
    (place, axes.choice(place, value))
}

fn refuse_duplicates(grid: &Grid, sources: &[(usize, String)]) -> Result<(), GridError> {
    // Within one product no cell can stand twice: its axes have distinct values.
    if sources.len() <= 1 {
        return Ok(());
    }
    let mut seen: HashMap<&Cell, usize> = HashMap::with_capacity(grid.cells().len());
    let mut count = 0;
    let mut named = Vec::new();
    for (place, cell) in grid.cells().iter().enumerate() {
        let Some(earlier) = seen.insert(cell, place) else { continue };
        count += 1;
        if named.len() < MOST_NAMED {
            let source = |place: usize| {
                let after = sources.partition_point(|(start, _)| *start <= place);
                &sources[after - 1].1
            };
            named.push(format!(
                "cell `{}` stands in {} and in {}",
                grid.name(cell),
                source(earlier),
                source(place)
            ));
        }
    }
    if count == 0 { Ok(()) } else { Err(GridError::Duplicate { count, named }) }
}
