//! The results folder: lock, journal, predictions, weights, checkpoints and manifest.
//!
//! Owns every file below `results/<experiment>/` that is not derived, and the atomic writer that
//! the derived ones use. Knows nothing of settings or engines. Invariants: the journal is the only
//! source of truth; nothing in it is ever changed, only added; what it names is checked against its
//! checksum when read; two writers never share a file.

pub mod atomic;
mod checkpoint;
mod clock;
mod error;
mod folder;
mod journal;
mod lock;
mod manifest;
mod origin;
mod prediction;
mod view;
mod weights;

pub use error::StoreError;
pub use folder::{Store, Writer, journal_lengths};
pub use journal::{Ended, Entry, Position};
pub use lock::Lock;
pub use manifest::{
    DatasetFacts, DivisionFacts, MANIFEST_VERSION, Manifest, ManifestDraft, Repeats,
};
pub use origin::{Build, Machine, Session};
pub use prediction::PredictionsError;
pub use view::View;
