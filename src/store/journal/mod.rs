//! Append-only files of results, one JSON line per entry, each with one writer.
//!
//! A process creates a journal of its own and never opens another's for writing, so two writers
//! never share a file whatever the file system's locks are worth. Every line ends with a checksum
//! chained to the line before. A last line without its end is what a killed writer leaves: it is
//! ignored for ever. Any other line that is not as it was written is damage, and named. Journals of
//! version 1, which have no checksums, are read.

mod blocks;
mod entry;
mod head;
mod lines;
mod reader;
mod writer;

#[cfg(test)]
mod tests;

pub(crate) use entry::Run;
pub(super) use entry::{ClaimsOf, Ended, Entry, EpochsOf};
pub use entry::{Part, Stored};
pub(super) use head::{files, heads};
pub(super) use lines::Lines;
pub(super) use reader::{Damage, Reading, read_all, read_some};
pub use writer::Position;
pub(super) use writer::{Appended, Journal};
