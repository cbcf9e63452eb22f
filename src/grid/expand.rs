//! From blocks to cells.

use std::collections::{HashMap, HashSet};

use super::block::{Axes, Block, Circular};
use super::sample::{self, SampleError};
use super::walk::MAX_STEPS;
use super::{ABSENT, Grid, MAX_CELLS};
use crate::base::grouped;
use crate::experiment::{Experiment, GridBlock, Match};

/// Duplicates named in one message.
const MAX_NAMED: usize = 5;

/// Why a grid cannot be expanded.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum GridError {
    /// A cell stands twice in the grid.
    #[error(
        "{count} duplicate cells in the grid\n{}\n  hint: exclude them from one of the blocks",
        named.iter().map(|one| format!("  {one}")).collect::<Vec<_>>().join("\n")
    )]
    Duplicate {
        /// Number of cells that stand twice.
        count: usize,
        /// The first few, each with both its positions.
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
    /// More cells than an experiment may have.
    #[error(
        "the grid has {cells} cells, at most {} are allowed\n  hint: take fewer values, or draw \
         some of the cells: add `sample = {{ method = \"sobol\", count = 1000 }}` to `[[grid]]`",
        grouped(MAX_CELLS as u128)
    )]
    TooMany {
        /// How many, in words.
        cells: String,
    },
    /// So much is excluded that the cells which are left cannot be found by looking.
    #[error(
        "block {block} excludes nearly all of its {product} combinations: the cells that are left \
         were not found among the first {}\n  hint: take fewer values, or write the cells \
         down with `[[grid.include]]`",
        grouped(u128::from(MAX_STEPS))
    )]
    Tangled {
        /// Index of the block, from 1.
        block: usize,
        /// Combinations of its values, in words.
        product: String,
    },
    /// A sample asks for more cells than an experiment may have.
    #[error(
        "block {block} asks for a sample of {} cells, at most {} are allowed\n  hint: lower `count`",
        grouped(*asked as u128), grouped(MAX_CELLS as u128)
    )]
    SampleTooLarge {
        /// Index of the block, from 1.
        block: usize,
        /// Cells asked for.
        asked: usize,
    },
    /// A sample asks for more cells than there are.
    #[error(
        "block {block} asks for a sample of {} cells, but only {} distinct ones were found\n  \
         hint: ask for fewer, or remove `sample` to take them all",
        grouped(*asked as u128), grouped(*found as u128)
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
/// Time and memory are bounded whatever the size of the product.
///
/// # Errors
/// If a cell stands twice, no cell is left, or there are too many.
pub fn expand(experiment: &Experiment) -> Result<Grid, GridError> {
    let grids = &experiment.grids;
    // A block that names no axis holds what the file says without it.
    let says_nothing = |grid: &GridBlock| !has_product(grid) && grid.include.is_empty();
    if grids.iter().all(says_nothing) {
        return Ok(Grid::new(Vec::new(), Vec::new()));
    }
    let mut axes = Axes::default();
    let mut compiled = Vec::with_capacity(grids.len());
    for (index, settings) in grids.iter().enumerate() {
        let block = Block::compile(settings, &mut axes)
            .map_err(|Circular(axis)| GridError::Circular { block: index + 1, axis })?;
        let included = included(settings, &mut axes);
        compiled.push((block, included));
    }
    refuse_large_products(grids, &compiled)?;
    let mut rows = Rows { width: axes.list.len(), cells: Vec::new(), sources: Vec::new() };
    for (index, (block, included)) in compiled.iter().enumerate() {
        rows.add_product(index, &grids[index], block, experiment)?;
        rows.add_included(index, grids[index].sample.is_some(), included);
        if rows.count() > MAX_CELLS {
            let cells = format!("more than {}", grouped(MAX_CELLS as u128));
            return Err(GridError::TooMany { cells });
        }
    }
    if rows.cells.is_empty() {
        return Err(GridError::Empty);
    }
    let Rows { cells, sources, .. } = rows;
    let grid = Grid::new(axes.list, cells);
    refuse_duplicates(&grid, &sources)?;
    Ok(grid)
}

/// Cells that are included one by one: of each the indices of its axes and its choices there.
type Included = Vec<Vec<(usize, u32)>>;

fn included(settings: &GridBlock, axes: &mut Axes) -> Included {
    let mut row = |cell: &Vec<(String, _)>| {
        let mut choose = |(key, value): &(String, _)| {
            let axis = axes.index(key);
            (axis, axes.choice(axis, value))
        };
        cell.iter().map(&mut choose).collect()
    };
    settings.include.iter().map(&mut row).collect()
}

/// Returns whether a block has axes: one of included cells alone has no product.
fn has_product(settings: &GridBlock) -> bool {
    !(settings.axes.is_empty() && settings.zips.is_empty())
}

/// Refuses grids whose number of cells is known to be too large before any cell is looked at.
fn refuse_large_products(
    grids: &[GridBlock],
    compiled: &[(Block, Included)],
) -> Result<(), GridError> {
    let mut least = 0u128;
    let mut is_exact = true;
    for (index, (settings, (block, included))) in grids.iter().zip(compiled).enumerate() {
        least = least.saturating_add(included.len() as u128);
        match &settings.sample {
            Some(sample) if sample.count > MAX_CELLS => {
                let (block, asked) = (index + 1, sample.count);
                return Err(GridError::SampleTooLarge { block, asked });
            }
            Some(sample) => least = least.saturating_add(sample.count as u128),
            None if !has_product(settings) => {}
            None if block.is_plain() => least = least.saturating_add(block.product()),
            None => is_exact = false,
        }
    }
    if least <= MAX_CELLS as u128 {
        return Ok(());
    }
    let cells = if is_exact { in_words(least) } else { format!("more than {}", in_words(least)) };
    Err(GridError::TooMany { cells })
}

/// Prints a number of combinations, which may have been too large to count.
fn in_words(combinations: u128) -> String {
    match combinations {
        u128::MAX => "more than 10^38".to_owned(),
        count => grouped(count),
    }
}

/// The cells of a grid under construction.
struct Rows {
    width: usize,
    cells: Vec<u32>,
    /// Where the cells of each source begin, to name the positions of duplicates.
    sources: Vec<(usize, String)>,
}

impl Rows {
    fn count(&self) -> usize {
        self.cells.len() / self.width
    }

    fn add_product(
        &mut self,
        index: usize,
        settings: &GridBlock,
        block: &Block,
        experiment: &Experiment,
    ) -> Result<(), GridError> {
        let number = index + 1;
        self.sources.push((self.count(), format!("block {number}")));
        if !has_product(settings) {
            return Ok(());
        }
        let tangled = || GridError::Tangled { block: number, product: in_words(block.product()) };
        if let Some(wanted) = &settings.sample {
            let drawn =
                sample::draw(block, wanted, experiment.seed, index).map_err(
                    |problem| match problem {
                        SampleError::Tangled => tangled(),
                        SampleError::Found(found) => {
                            GridError::TooFewToSample { block: number, asked: wanted.count, found }
                        }
                    },
                )?;
            for slots in &drawn {
                block.append_row(slots, self.width, &mut self.cells);
            }
            return Ok(());
        }
        if let Some(idle) = block.idle_exclusion() {
            return Err(idle_exclusion(number, &settings.exclude[idle]));
        }
        let (width, cells) = (self.width, &mut self.cells);
        block
            .each(&mut |slots| {
                block.append_row(slots, width, cells);
                true
            })
            .map_err(|_| tangled())
    }

    fn add_included(&mut self, index: usize, is_sampled: bool, included: &Included) {
        // What a sample happened to draw is not typed twice.
        let known: HashSet<Vec<u32>> = if is_sampled && !included.is_empty() {
            self.cells.chunks_exact(self.width).map(<[u32]>::to_vec).collect()
        } else {
            HashSet::new()
        };
        for (number, include) in included.iter().enumerate() {
            let mut row = vec![ABSENT; self.width];
            for &(axis, choice) in include {
                row[axis] = choice;
            }
            if !known.contains(&row) {
                let source = format!("block {}, included cell {}", index + 1, number + 1);
                self.sources.push((self.count(), source));
                self.cells.extend(row);
            }
        }
    }
}

fn idle_exclusion(block: usize, matches: &[Match]) -> GridError {
    let values = matches.iter().map(|one| {
        let values: Vec<String> = one.values.iter().map(ToString::to_string).collect();
        format!("`{}` = {}", one.key, values.join(" or "))
    });
    GridError::IdleExclusion { block, values: values.collect::<Vec<_>>().join(" and ") }
}

fn refuse_duplicates(grid: &Grid, sources: &[(usize, String)]) -> Result<(), GridError> {
    // Within one product no cell can stand twice: its axes have distinct values.
    if sources.len() <= 1 {
        return Ok(());
    }
    let mut seen: HashMap<&[u32], usize> = HashMap::with_capacity(grid.len());
    let mut count = 0;
    let mut named = Vec::new();
    for (index, cell) in grid.cells().enumerate() {
        let Some(earlier) = seen.insert(cell.row(), index) else { continue };
        count += 1;
        if named.len() < MAX_NAMED {
            let source = |index: usize| {
                let after = sources.partition_point(|(start, _)| *start <= index);
                &sources[after - 1].1
            };
            named.push(format!(
                "cell `{}` stands in {} and in {}",
                grid.name(cell),
                source(earlier),
                source(index)
            ));
        }
    }
    if count == 0 { Ok(()) } else { Err(GridError::Duplicate { count, named }) }
}
