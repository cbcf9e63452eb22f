//! Divides the members of an experiment among processes on many machines, through a shared folder and
//! nothing else.
//!
//! Owns rounds, lanes, batches and claims. Trains nothing, and schedules nothing: where and when a
//! worker runs, and who starts it again, is the business of an engine such as Slurm. Invariants:
//!
//! - Files below `work/` are only created, each exclusively; none is changed, renamed or removed.
//! - A member is deterministic and its record idempotent, so a claim may be wrong now and then: a member
//!   that is trained twice is waste, not damage. What must be safe is one writer per file, and that is
//!   the store's.
//! - Nothing is concluded from the absence of a file, and no two clocks are compared: a claimant is
//!   taken for dead when its journal has not grown for a while of the watcher's own clock.
//!
//! ```text
//! work/0001.json        a round: what is outstanding, in how many lanes
//! work/0001/open/1      who looks for what is left, and publishes the round
//! work/0001/12/7.1      batch 7 of lane 12 is claimed, attempt 1; content: the claimant's journal
//! work/0001/12/7.1.left its claimant left it
//! work/0001/12/7.done   all of it is in journals
//! work/0001/complete/12 all of lane 12 is done: nobody has to look at it again
//! work/0001/close/0.1   the tables of the round are being written
//! work/0001/who/NAME.1  first process with this name at the engine; content: its journal
//! ```
//!
//! The claims are a machine of single steps behind the traits [`Folder`] and [`Clock`], so the same
//! code runs on a file system and in [`simulation`].

mod batch;
mod claims;
mod folder;
mod following;
mod identity;
mod lanes;
mod listing;
mod opening;
mod random;
mod round;
pub mod simulation;
pub(crate) mod submission;
mod work;

pub use batch::Patience;
pub(crate) use batch::{Claimed, Step};
pub(crate) use claims::Claims;
pub(crate) use folder::{Clock, Folder};
pub(crate) use identity::Identity;
pub(crate) use lanes::Lanes;
pub use lanes::Rule;
pub(crate) use opening::{Opening, Turn};
pub(crate) use round::{Again, Round};
pub(crate) use work::{Deadline, Who, Work};
