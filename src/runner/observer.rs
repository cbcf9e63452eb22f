//! Watches one member in training: reports epochs, saves its state, stops it.

use std::any::Any;
use std::ops::ControlFlow;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};

use super::event::Event;
use super::stop::StopSignal;
use crate::base::MemberId;
use crate::engine::{EpochObserver, Snapshot};
use crate::record::EpochRecord;
use crate::store::{StoreError, Writer};

pub(super) struct MemberObserver<'a> {
    pub(super) member: MemberId,
    pub(super) attempt: u32,
    /// Training images of one epoch.
    pub(super) images: usize,
    pub(super) writer: &'a Writer,
    pub(super) events: &'a (dyn Fn(&Event<'_>) + Sync),
    pub(super) stop: &'a StopSignal,
    /// Whether another worker found that nothing can be stored any more.
    pub(super) is_failing: &'a (dyn Fn() -> bool + Sync),
    pub(super) every: Duration,
    pub(super) saved: Instant,
    /// Why the state could not be saved.
    pub(super) error: Option<StoreError>,
    /// What a listener panicked with: a bug of its own, not the outcome of the member.
    pub(super) panic: Option<Box<dyn Any + Send>>,
}

impl MemberObserver<'_> {
    fn save(&mut self, epochs: u32, state: &dyn Snapshot) -> ControlFlow<()> {
        let state = state.checkpoint();
        match self.writer.save_checkpoint(self.member, self.attempt, epochs, &state) {
            Ok(()) => {
                self.saved = Instant::now();
                ControlFlow::Continue(())
            }
            Err(error) => {
                self.error = Some(error);
                ControlFlow::Break(())
            }
        }
    }
}

impl EpochObserver for MemberObserver<'_> {
    fn epoch(&mut self, record: &EpochRecord, state: &dyn Snapshot) -> ControlFlow<()> {
        let tell = || {
            (self.events)(&Event::Epoch { member: self.member, record, images: self.images });
        };
        if self.panic.is_none() {
            self.panic = catch_unwind(AssertUnwindSafe(tell)).err();
        }
        if self.panic.is_some() || self.stop.is_abort() || (self.is_failing)() {
            return ControlFlow::Break(());
        }
        if self.stop.is_requested() {
            self.save(record.epoch, state)?;
            return ControlFlow::Break(());
        }
        if self.saved.elapsed() >= self.every {
            self.save(record.epoch, state)?;
        }
        ControlFlow::Continue(())
    }

    fn is_stopped(&self) -> bool {
        self.stop.is_requested() || (self.is_failing)()
    }
}
