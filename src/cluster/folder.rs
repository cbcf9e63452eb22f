//! What claims need of a shared folder and of time, as two traits.

use std::time::{Duration, Instant};

use crate::store::{SharedFolder, StoreError};

/// A folder that all workers see. Paths are relative to it.
pub(crate) trait Folder {
    /// Creates a file with this content unless there is one; says whether it did.
    ///
    /// # Errors
    /// If the file system refuses.
    fn create(&self, path: &str, content: &[u8]) -> Result<bool, StoreError>;

    /// Reads a file; nothing where there is none.
    ///
    /// # Errors
    /// If the file system refuses.
    fn read(&self, path: &str) -> Result<Option<Vec<u8>>, StoreError>;

    /// Returns the names in a folder; none where there is no such folder.
    ///
    /// # Errors
    /// If the file system refuses.
    fn list(&self, path: &str) -> Result<Vec<String>, StoreError>;

    /// Returns the bytes of a file; nothing where there is none.
    ///
    /// # Errors
    /// If the file system refuses.
    fn length(&self, path: &str) -> Result<Option<u64>, StoreError>;
}

impl Folder for SharedFolder {
    fn create(&self, path: &str, content: &[u8]) -> Result<bool, StoreError> {
        self.create(path, content)
    }

    fn read(&self, path: &str) -> Result<Option<Vec<u8>>, StoreError> {
        self.read(path)
    }

    fn list(&self, path: &str) -> Result<Vec<String>, StoreError> {
        self.list(path)
    }

    fn length(&self, path: &str) -> Result<Option<u64>, StoreError> {
        self.length(path)
    }
}

/// A clock that never goes back. Only differences between its own readings mean anything.
pub(crate) trait Clock {
    /// Returns the time since some moment.
    fn now(&self) -> Duration;
}

/// The monotonic clock of this machine.
#[derive(Debug, Clone, Copy)]
pub(crate) struct SystemClock(Instant);

impl SystemClock {
    /// Starts at zero.
    pub(crate) fn start() -> Self {
        Self(Instant::now())
    }
}

impl Clock for SystemClock {
    fn now(&self) -> Duration {
        self.0.elapsed()
    }
}
