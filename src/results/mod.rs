//! One experiment's results in one plain structure, whether they come from journals or from tables:
//! what reports, gates, comparisons and exports read.
//!
//! Owns [`ExperimentResults`], how it is made from a store, and the summaries of its samples, which
//! are computed once. Trains, judges, prints and writes nothing. Invariants: a cell is the values of
//! its axes, as typed; rows follow the grid, then the repeat, never the clock.

mod assemble;
mod axes;
mod facts;
#[cfg(test)]
pub(crate) mod fixture;
mod histogram;
mod model;
mod summaries;
mod untyped;

pub use assemble::{assemble, assemble_trials};
pub use axes::{AxisKind, axis_texts, collect_axes, declared_axes};
pub(crate) use facts::repeats_in_words;
pub use facts::{Facts, Origin};
pub use histogram::{MAX_BINS, shared_histogram};
pub use model::{CellResults, ExperimentResults, MemberCurve, Summaries, TrialRow};
pub use untyped::{looks_like, typed_cell};
