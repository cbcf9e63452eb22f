//! The results folder: journals, predictions, weights, checkpoints, manifest and derived files.
//!
//! Owns every file below `results/<experiment>/` that is not derived, and the atomic writer that
//! the derived ones use. Knows nothing of settings or engines. Invariants: the journals are the only
//! source of truth; nothing in them is ever changed, only added; a file that is appended to has one
//! writer, which created it; every stored number is covered by a checksum that is looked at when it
//! is read; no link inside a results folder is followed.

pub mod atomic;
mod checkpoint;
mod clean;
mod clock;
mod damaged;
mod derived;
mod error;
mod folder;
mod index;
mod inside;
mod journal;
mod lock;
mod lost;
mod manifest;
mod migrate;
mod names;
mod origin;
mod parts;
mod prediction;
mod shared;
mod signs;
#[cfg(test)]
mod testing;
mod view;
mod weights;
mod writer;

pub(crate) use clean::{Leftover, Leftovers};
pub(crate) use clock::{now, present_seconds, seconds_since, unix_seconds};
pub(crate) use derived::Derived;
pub use error::StoreError;
pub use folder::Store;
pub use index::Index;
pub(crate) use inside::read as read_file;
pub use journal::{Part, Position, Stored};
pub(crate) use lock::Lock;
pub(crate) use lost::Lost;
pub use manifest::{
    DatasetFacts, DivisionFacts, FileFacts, Manifest, ManifestDraft, ProgramFacts, Repeats,
};
pub(crate) use migrate::Migration;
pub use origin::{Build, Machine, Repository};
pub use parts::PartError;
pub use prediction::PredictionsError;
pub(crate) use shared::SharedFolder;
pub(crate) use signs::Sign;
pub use view::{Member, Trials, View};
pub(crate) use writer::Source;
pub use writer::{Finished, Writer};
