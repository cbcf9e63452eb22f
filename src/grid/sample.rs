//! Draws some cells of a product too large to train.
//!
//! Draws are keyed by the master seed and the block. A larger sample of the same block holds the
//! smaller one, so a grid can grow without losing finished work.

use std::collections::HashSet;

use super::Cell;
use super::block::Block;
use crate::base::{Seed, SeedPath, Stream};
use crate::spec::experiment::{Sample, SampleMethod};

/// Products up to this size are written out, larger ones drawn blindly.
const WRITTEN_OUT: u128 = 1 << 20;
/// Points of one Sobol sequence of `sobol_burley`.
const SEQUENCE: u32 = 1 << 16;
/// Dimensions of one Sobol sequence; further ones use another scramble.
const DIMENSIONS: u32 = sobol_burley::NUM_DIMENSIONS;
/// Sobol sequences tried before giving up on finding new cells.
const SEQUENCES: u32 = 64;

/// Draws distinct cells of `block`, sorted in its order; fails with the number there are, or with
/// the number found before giving up.
pub(super) fn draw(
    block: &Block,
    wanted: &Sample,
    seed: Seed,
    index: usize,
) -> Result<Vec<Cell>, usize> {
    let words = Words { path: SeedPath::experiment(seed), block: index as u64 };
    let is_small = block.product() <= WRITTEN_OUT;
    if is_small {
        let mut count = 0;
        block.each(&mut |_| {
            count += 1;
            true
        });
        if count < wanted.count {
            return Err(count);
        }
    }
    let mut cells = match wanted.method {
        SampleMethod::Random if is_small => shuffle(block, wanted.count, &words),
        SampleMethod::Random => reject(block, wanted.count, &words)?,
        SampleMethod::Sobol => sobol(block, wanted.count, &words)?,
    };
    cells.sort_by_cached_key(|cell| block.digits(cell));
    Ok(cells)
}

/// The random words of one block.
struct Words {
    path: SeedPath,
    block: u64,
}

impl Words {
    /// Returns the word at `counter`, which stays below 2^40.
    fn word(&self, counter: u64) -> u64 {
        self.path.word(Stream::Sample, (self.block << 40) | counter)
    }

    /// Returns a number below `bound`; its bias is below `bound` / 2^64.
    fn below(&self, counter: u64, bound: u64) -> u64 {
        ((u128::from(self.word(counter)) * u128::from(bound)) >> 64) as u64
    }
}

/// Draws without replacement from the cells written out: the first steps of a shuffle.
fn shuffle(block: &Block, count: usize, words: &Words) -> Vec<Cell> {
    let mut cells = Vec::new();
    block.each(&mut |cell| {
        cells.push(cell);
        true
    });
    for place in 0..count {
        let other = place + words.below(place as u64, (cells.len() - place) as u64) as usize;
        cells.swap(place, other);
    }
    cells.truncate(count);
    cells
}

/// Draws positions until enough distinct cells are found. A cell in which dimensions do not exist
/// is accepted at one set of positions only, so all cells are equally likely.
fn reject(block: &Block, count: usize, words: &Words) -> Result<Vec<Cell>, usize> {
    let lengths: Vec<u32> = block.lengths().collect();
    let mut seen: HashSet<Cell> = HashSet::with_capacity(count);
    let mut drawn = Vec::with_capacity(count);
    let mut counter = 0;
    let mut positions = vec![0; lengths.len()];
    for _ in 0..count.saturating_mul(1000).saturating_add(100_000) {
        for (position, length) in positions.iter_mut().zip(&lengths) {
            *position = words.below(counter, u64::from(*length)) as u32;
            counter += 1;
        }
        let Some(cell) = block.cell_at(&positions) else { continue };
        if block.is_plain(&cell, &positions) && seen.insert(cell.clone()) {
            drawn.push(cell);
            if drawn.len() == count {
                return Ok(drawn);
            }
        }
    }
    Err(drawn.len())
}

/// Follows an Owen-scrambled Sobol sequence (Burley 2020) and keeps the first distinct cells.
fn sobol(block: &Block, count: usize, words: &Words) -> Result<Vec<Cell>, usize> {
    let lengths: Vec<u32> = block.lengths().collect();
    let mut seen: HashSet<Cell> = HashSet::with_capacity(count);
    let mut drawn = Vec::with_capacity(count);
    let mut positions = vec![0; lengths.len()];
    for sequence in 0..SEQUENCES {
        let seed = words.word(u64::from(sequence)) as u32;
        for point in 0..SEQUENCE {
            for (dimension, length) in lengths.iter().enumerate() {
                let dimension = dimension as u32;
                let scramble = seed.wrapping_add(dimension / DIMENSIONS);
                let share = sobol_burley::sample(point, dimension % DIMENSIONS, scramble);
                let position = (f64::from(share) * f64::from(*length)) as u32;
                positions[dimension as usize] = position.min(length - 1);
            }
            let Some(cell) = block.cell_at(&positions) else { continue };
            if seen.insert(cell.clone()) {
                drawn.push(cell);
                if drawn.len() == count {
                    return Ok(drawn);
                }
            }
        }
    }
    Err(drawn.len())
}
