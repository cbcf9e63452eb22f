//! Draws some cells of a product too large to train.
//!
//! Draws are keyed by the master seed and the block. A larger sample of the same block holds the
//! smaller one, so a grid can grow without losing finished work.

use std::collections::HashSet;

use super::block::{Block, Slots};
use crate::base::{Seed, SeedPath, Stream};
use crate::experiment::{Sample, SampleMethod};

/// Products up to this size are written out, larger ones drawn blindly.
const WRITTEN_OUT: u128 = 1 << 20;
/// Points of one Sobol sequence of `sobol_burley`.
const SEQUENCE: u32 = 1 << 16;
/// Dimensions of one Sobol sequence; further ones use another scramble.
const DIMENSIONS: u32 = sobol_burley::NUM_DIMENSIONS;
/// Sobol sequences tried before giving up on finding new cells.
const SEQUENCES: u32 = 64;
/// Draws in a row that find no new cell before a sample is given up.
const MAX_VAIN: usize = 200_000;
/// Draws before a random sample is given up: a few seconds.
const MAX_DRAWS: usize = 20_000_000;

/// Why a sample cannot be drawn.
#[derive(Debug)]
pub(super) enum SampleError {
    /// Too much is excluded to write out what is left.
    Tangled,
    /// There are no more cells than these, or no more were found.
    Found(usize),
}

/// Draws distinct cells of `block`, in its order.
pub(super) fn draw(
    block: &Block,
    wanted: &Sample,
    seed: Seed,
    index: usize,
) -> Result<Vec<Box<Slots>>, SampleError> {
    let stream = SeedPath::experiment(seed).words(Stream::Sample);
    let words = Words { stream: Box::new(stream), block: index as u64 };
    let mut all = None;
    if block.product() <= WRITTEN_OUT {
        let mut cells: Vec<Box<Slots>> = Vec::new();
        block
            .each(&mut |slots| {
                cells.push(slots.into());
                true
            })
            .map_err(|_| SampleError::Tangled)?;
        if cells.len() < wanted.count {
            return Err(SampleError::Found(cells.len()));
        }
        all = Some(cells);
    }
    let mut cells = match (wanted.method, all) {
        (SampleMethod::Random, Some(all)) => shuffle(all, wanted.count, &words),
        (SampleMethod::Random, None) => reject(block, wanted.count, &words)?,
        (SampleMethod::Sobol, _) => sobol(block, wanted.count, &words)?,
    };
    cells.sort_unstable();
    Ok(cells)
}

/// The random words of one block.
struct Words {
    stream: Box<dyn Fn(u64) -> u64>,
    block: u64,
}

impl Words {
    /// Returns the word at `counter`, which stays below 2^40.
    fn word(&self, counter: u64) -> u64 {
        (self.stream)((self.block << 40) | counter)
    }

    /// Returns a number below `bound`; its bias is below `bound` / 2^64.
    fn below(&self, counter: u64, bound: u64) -> u64 {
        ((u128::from(self.word(counter)) * u128::from(bound)) >> 64) as u64
    }
}

/// Draws without replacement from the cells written out: the first steps of a shuffle.
fn shuffle(mut cells: Vec<Box<Slots>>, count: usize, words: &Words) -> Vec<Box<Slots>> {
    for index in 0..count {
        let other = index + words.below(index as u64, (cells.len() - index) as u64) as usize;
        cells.swap(index, other);
    }
    cells.truncate(count);
    cells
}

/// Draws positions until enough distinct cells are found. A cell in which dimensions do not exist
/// is accepted at one set of positions only, so all cells are equally likely.
fn reject(block: &Block, count: usize, words: &Words) -> Result<Vec<Box<Slots>>, SampleError> {
    let mut drawn = Drawn::new(block, count);
    let mut counter = 0;
    for _ in 0..MAX_DRAWS {
        for (position, dimension) in drawn.positions.iter_mut().zip(&block.dimensions) {
            *position = words.below(counter, u64::from(dimension.length)) as u32;
            counter += 1;
        }
        drawn.take(true);
        if drawn.cells.len() == count {
            return Ok(drawn.cells);
        }
        if drawn.vain > MAX_VAIN {
            break;
        }
    }
    Err(SampleError::Found(drawn.cells.len()))
}

/// Follows an Owen-scrambled Sobol sequence (Burley 2020) and keeps the first distinct cells.
fn sobol(block: &Block, count: usize, words: &Words) -> Result<Vec<Box<Slots>>, SampleError> {
    let mut drawn = Drawn::new(block, count);
    for sequence in 0..SEQUENCES {
        let seed = words.word(u64::from(sequence)) as u32;
        for point in 0..SEQUENCE {
            let dimensions = block.dimensions.iter().zip(0..);
            for (position, (dimension, index)) in drawn.positions.iter_mut().zip(dimensions) {
                let scramble = seed.wrapping_add(index / DIMENSIONS);
                let share = sobol_burley::sample(point, index % DIMENSIONS, scramble);
                let drawn = (f64::from(share) * f64::from(dimension.length)) as u32;
                *position = drawn.min(dimension.length - 1);
            }
            drawn.take(false);
            if drawn.cells.len() == count {
                return Ok(drawn.cells);
            }
        }
    }
    Err(SampleError::Found(drawn.cells.len()))
}

/// Distinct cells drawn so far.
struct Drawn<'b> {
    block: &'b Block,
    /// A position of every dimension, from 0, also of those that do not exist there.
    positions: Vec<u32>,
    slots: Vec<u32>,
    seen: HashSet<Box<Slots>>,
    cells: Vec<Box<Slots>>,
    /// Draws since the last new cell.
    vain: usize,
}

impl<'b> Drawn<'b> {
    fn new(block: &'b Block, count: usize) -> Self {
        let width = block.dimensions.len();
        Self {
            block,
            positions: vec![0; width],
            slots: vec![0; width],
            seen: HashSet::with_capacity(count),
            cells: Vec::with_capacity(count),
            vain: 0,
        }
    }

    /// Takes the cell at the positions unless it is excluded or known; with `only_plain` also only
    /// if every dimension that does not exist there stands at position 0.
    fn take(&mut self, only_plain: bool) {
        self.vain += 1;
        self.slots.fill(0);
        let mut is_plain = true;
        for &dimension in &self.block.order {
            if self.block.exists(dimension, &self.slots) {
                self.slots[dimension] = self.positions[dimension] + 1;
            } else {
                is_plain &= self.positions[dimension] == 0;
            }
        }
        let is_wanted = (is_plain || !only_plain) && !self.block.is_excluded(&self.slots);
        if is_wanted && !self.seen.contains(&*self.slots) {
            self.seen.insert(self.slots.as_slice().into());
            self.cells.push(self.slots.as_slice().into());
            self.vain = 0;
        }
    }
}
