//! Ids, checksums, seeds with their random streams, and metric names: the words every other module
//! speaks.
//!
//! Owns nothing that trains, reads or prints. Invariant: the same inputs give the same id and the
//! same stream on every machine, in every order and for any number of workers.

mod file_name;
pub(crate) mod format;
mod id;
mod metric;
pub mod seal;
mod seed;
pub mod text;

pub use file_name::is_file_name;
pub(crate) use file_name::to_file_name;
pub(crate) use id::ContentHasher;
pub use id::{CellId, Digest, MemberId, ParseIdError, TrialId, digest_of};
pub use metric::{Direction, Metric, MetricName, MetricNameError, Metrics, Range, Split, Unit};
pub use seed::{Seed, SeedPath};
pub(crate) use seed::{Stream, StreamRng};
pub(crate) use text::{as_seen, grouped};
