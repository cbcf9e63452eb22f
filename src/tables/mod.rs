//! Tables of trials, cells, epochs and histograms, derived from the store.
//!
//! Owns the one plain structure that reports read ([`ExperimentResults`]), its polars frames, and
//! their CSV and Parquet files; alone names polars. Trains, judges and prints nothing. Invariants:
//! rows follow the grid, never the clock; the same store gives the same bytes; a results folder
//! without a journal reads back to what wrote its tables.

mod assemble;
mod files;
#[cfg(test)]
pub(crate) mod fixture;
mod frames;
mod read;
mod results;
mod shape;
mod summary;
#[cfg(test)]
mod tests;

pub use assemble::{assemble, declared_axes, facts};
pub use files::{Problem, TABLES, TablesError, cells_csv, write};
pub use frames::{Frames, HISTOGRAM_BINS, frames, shared_histogram};
pub use read::{read, read_folder};
pub use results::{
    AxisFacts, CellResults, DatasetFacts, ExperimentResults, Facts, MemberCurve, Origin, TrialRow,
    View,
};
pub use summary::summarize;
