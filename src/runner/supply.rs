//! Where further members come from while a run goes on: a round of work that several processes share.

use std::time::Duration;

use super::StopSignal;
use crate::base::MemberId;
use crate::store::{StoreError, Writer};

/// Members that a run is handed bit by bit.
pub(crate) trait Supply: Sync {
    /// Returns all members that the run may be handed, as indices into the plan.
    fn candidates(&self) -> Vec<usize>;

    /// Returns further members, which may take its time; none when this thread has nothing more to do.
    ///
    /// # Errors
    /// If the shared folder refuses.
    fn more(&self, writer: &Writer, stop: &StopSignal) -> Result<Batch, StoreError>;

    /// Hears that a member ended for good in this run, after so many seconds of training.
    ///
    /// # Errors
    /// If the shared folder or the disk refuses.
    fn settled(&self, writer: &Writer, member: usize, seconds: f64) -> Result<(), StoreError>;

    /// Returns whether a member may still be begun before the process is to end.
    fn has_time_for(&self, member: usize) -> bool;

    /// Returns whether others wait for this process, so that it must give signs of life.
    fn is_awaited(&self) -> bool;

    /// Returns the longest time between two signs of life.
    fn beat(&self) -> Duration;
}

/// Members that a run is handed at once.
#[derive(Debug, Default)]
pub(crate) struct Batch {
    /// The members, as indices into the plan, in the order of training.
    pub members: Vec<usize>,
    /// Members with records that this process has not read: next attempt and next repair.
    pub expected: Vec<(MemberId, u32, u32)>,
}

/// A supply of nothing: a run that scores what is there and trains no member.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Nothing;

impl Supply for Nothing {
    fn candidates(&self) -> Vec<usize> {
        Vec::new()
    }

    fn more(&self, _: &Writer, _: &StopSignal) -> Result<Batch, StoreError> {
        Ok(Batch::default())
    }

    fn settled(&self, _: &Writer, _: usize, _: f64) -> Result<(), StoreError> {
        Ok(())
    }

    fn has_time_for(&self, _: usize) -> bool {
        true
    }

    fn is_awaited(&self) -> bool {
        false
    }

    fn beat(&self) -> Duration {
        Duration::MAX
    }
}
