//! Ids, checksums, seeds with their random streams, and metric names: the words every other module
//! speaks.
//!
//! Owns nothing that trains, reads or prints. Invariant: the same inputs give the same id and the
//! same stream on every machine, in every order and for any number of workers.

mod file_name;
pub mod format;
mod id;
mod metric;
pub mod seal;
mod seed;
pub mod text;

pub use file_name::{is_file_name, to_file_name};
pub use id::{CellId, ContentHasher, Digest, MemberId, TrialId, digest_of};
pub use metric::{Direction, Metric, MetricName, MetricNameError, Metrics, Range, Split, Unit};
pub use seed::{Seed, SeedPath, Stream, StreamRng};
pub use text::{as_seen, grouped};
