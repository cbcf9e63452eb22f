//! Asking a run to stop.

use std::sync::atomic::{AtomicU8, Ordering};

/// Shared with whatever hears Ctrl-C. Levels only rise.
#[derive(Debug, Default)]
pub struct StopSignal(AtomicU8);

const FINISH_EPOCH: u8 = 1;
const ABORT: u8 = 2;

impl StopSignal {
    /// Returns a signal that asks for nothing yet.
    pub(crate) const fn new() -> Self {
        Self(AtomicU8::new(0))
    }

    /// Asks to stop: the first time after the epochs now in training, whose state is saved; the
    /// second time without saving anything more.
    ///
    /// Threads cannot be ended from outside, so even the second request waits for the end of the
    /// epoch; who cannot wait may end the process, which loses no more than that.
    pub fn request(&self) {
        let raise = |level: u8| (level < ABORT).then_some(level + 1);
        // Fails only at the highest level, where nothing is left to ask for.
        let _ = self.0.fetch_update(Ordering::SeqCst, Ordering::SeqCst, raise);
    }

    /// Returns whether a stop was asked for.
    #[must_use]
    pub fn is_requested(&self) -> bool {
        self.0.load(Ordering::SeqCst) >= FINISH_EPOCH
    }

    /// Returns whether a stop was asked for twice.
    #[must_use]
    pub fn is_abort(&self) -> bool {
        self.0.load(Ordering::SeqCst) >= ABORT
    }
}
