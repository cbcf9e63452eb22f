//! Tables of trials, cells, epochs and histograms, derived from the store.
//!
//! Owns the polars frames of results and their CSV and Parquet files; alone names polars. Trains,
//! judges and prints nothing. Invariants: rows follow the grid, never the clock; the same results give
//! the same bytes; a results folder without a journal reads back to what wrote its tables.

mod files;
mod foreign;
mod frames;
mod read;
#[cfg(test)]
mod readers_tests;
#[cfg(test)]
mod tests;

pub use files::{Problem, TablesError};
pub(crate) use files::{cells_csv, write};
pub(crate) use foreign::{ForeignTable, Lookalikes};
pub use frames::{Frames, frames};
pub use read::{read, read_folder};
