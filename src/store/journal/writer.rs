//! The journal of this process, open for appending.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde::Serialize;

use super::entry::{Entry, Header};
use crate::base::seal::{Check, seal_line};
use crate::store::error::StoreError;
use crate::store::origin::Session;
use crate::store::{atomic, inside, names};

/// Where journal lines go: a file, or a failing stand-in in tests.
pub(super) trait Sink: Send + Sync {
    /// Appends all of `bytes`.
    fn append(&mut self, bytes: &[u8]) -> io::Result<()>;
    /// Returns a second handle for flushing while others append.
    fn flusher(&self) -> io::Result<Box<dyn Flush>>;
    /// Cuts the content back to `length` bytes.
    fn cut(&mut self, length: u64) -> io::Result<()>;
    /// Returns what tells this file from any other of the machine, where there is such a thing.
    fn identity(&self) -> Option<(u64, u64)> {
        None
    }
}

/// Flushes everything appended so far to the disk.
pub(super) trait Flush: Send + Sync {
    fn flush(&self) -> io::Result<()>;
}

impl Sink for File {
    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.write_all(bytes)
    }

    fn flusher(&self) -> io::Result<Box<dyn Flush>> {
        Ok(Box::new(self.try_clone()?))
    }

    fn cut(&mut self, length: u64) -> io::Result<()> {
        self.set_len(length)
    }

    fn identity(&self) -> Option<(u64, u64)> {
        identity_of(&self.metadata().ok()?)
    }
}

impl Flush for File {
    fn flush(&self) -> io::Result<()> {
        self.sync_data()
    }
}

/// A journal open for appending, shared by all workers of a process.
pub(in crate::store) struct Journal {
    name: String,
    path: PathBuf,
    lines: Mutex<Lines>,
    flushed: Mutex<u64>,
    flusher: Box<dyn Flush>,
    identity: Option<(u64, u64)>,
}

struct Lines {
    sink: Box<dyn Sink>,
    length: u64,
    /// Checksum of the last line.
    last: Check,
    broken: bool,
}

/// Bytes of the journal that must be flushed before an entry counts as stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[must_use = "an entry is stored once its position is flushed"]
pub struct Position(u64);

/// Where an entry stands in the journal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::store) struct Appended {
    pub(in crate::store) offset: u64,
    pub(in crate::store) length: u32,
}

impl Appended {
    /// Returns what must be flushed for the entry to be stored.
    pub(in crate::store) fn position(self) -> Position {
        Position(self.offset + u64::from(self.length))
    }
}

impl Journal {
    /// Creates a journal of this process in a results folder: it is named after the process, and
    /// numbered where the process has several.
    pub(in crate::store) fn create(folder: &Path, session: &Session) -> Result<Self, StoreError> {
        let journals = atomic::create_folder_in(folder, "journal")?;
        let process = names::this_process();
        let mut number = 1;
        let (name, path, file) = loop {
            let name = if number == 1 { process.to_owned() } else { format!("{process}.{number}") };
            let path = journals.join(format!("{name}.jsonl"));
            match inside::create_new(&path) {
                Ok(file) => break (name, path, file),
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => number += 1,
                Err(error) => return Err(StoreError::io("create", &path)(error)),
            }
        };
        // Says to this machine that the journal is being written, see `clean`.
        let _ = file.try_lock();
        let header = Header::new(name.clone(), session.clone(), names::boot());
        let journal = Self::over(name, &path, Box::new(file), &header)?;
        atomic::sync_folder(&journals).map_err(StoreError::io("flush", &journals))?;
        Ok(journal)
    }

    pub(super) fn over(
        name: String,
        path: &Path,
        sink: Box<dyn Sink>,
        header: &Header,
    ) -> Result<Self, StoreError> {
        let flusher = sink.flusher().map_err(StoreError::io("open", path))?;
        let journal = Self {
            identity: sink.identity(),
            name,
            path: path.to_owned(),
            lines: Mutex::new(Lines { sink, length: 0, last: Check::START, broken: false }),
            flushed: Mutex::new(0),
            flusher,
        };
        let header = journal.append_object(to_object(header))?;
        journal.flush(header.position())?;
        Ok(journal)
    }

    /// Returns its name, without the ending of the file.
    pub(in crate::store) fn name(&self) -> &str {
        &self.name
    }

    /// Returns its file.
    pub(in crate::store) fn path(&self) -> &Path {
        &self.path
    }

    /// Returns its bytes, flushed or not.
    pub(in crate::store) fn length(&self) -> u64 {
        lock(&self.lines).length
    }

    /// Appends an entry, not yet flushed: a killed process loses none, a machine that loses power
    /// may.
    pub(in crate::store) fn append(&self, entry: &Entry) -> Result<Appended, StoreError> {
        self.append_object(to_object(entry))
    }

    fn append_object(&self, mut object: Vec<u8>) -> Result<Appended, StoreError> {
        let mut lines = lock(&self.lines);
        if lines.broken {
            return Err(StoreError::Broken { path: self.path.clone() });
        }
        let check = seal_line(lines.last, &mut object);
        if let Err(error) = lines.sink.append(&object) {
            // Half a line must not be followed by another one. If it cannot be removed either, it
            // is the torn last line that readers forgive.
            lines.broken = true;
            let length = lines.length;
            let _ = lines.sink.cut(length);
            return Err(StoreError::io("append to", &self.path)(error));
        }
        let appended = Appended { offset: lines.length, length: object.len() as u32 };
        lines.length += object.len() as u64;
        lines.last = check;
        Ok(appended)
    }

    /// Returns once everything is on the disk.
    pub(in crate::store) fn flush_all(&self) -> Result<(), StoreError> {
        let written = Position(self.length());
        self.flush(written)
    }

    /// Returns once everything up to `position` is on the disk. One flush serves all workers that
    /// wait for one.
    pub(in crate::store) fn flush(&self, position: Position) -> Result<(), StoreError> {
        let mut flushed = lock(&self.flushed);
        if *flushed < position.0 {
            let written = lock(&self.lines).length;
            if let Err(error) = self.flusher.flush() {
                lock(&self.lines).broken = true;
                return Err(StoreError::io("flush", &self.path)(error));
            }
            *flushed = written;
            self.check_not_moved()?;
        }
        Ok(())
    }

    /// Finds out whether the file still is where it was created: one that was moved or removed
    /// takes entries all the same, and nobody will find them.
    pub(in crate::store) fn check_not_moved(&self) -> Result<(), StoreError> {
        let found = fs::symlink_metadata(&self.path).ok().and_then(|facts| identity_of(&facts));
        if found == self.identity || self.identity.is_none() {
            return Ok(());
        }
        lock(&self.lines).broken = true;
        Err(StoreError::Moved { path: self.path.clone() })
    }
}

/// Returns device and number of a file.
#[cfg(unix)]
#[expect(clippy::unnecessary_wraps, reason = "other systems have none")]
fn identity_of(facts: &fs::Metadata) -> Option<(u64, u64)> {
    use std::os::unix::fs::MetadataExt as _;
    Some((facts.dev(), facts.ino()))
}

#[cfg(not(unix))]
fn identity_of(_: &fs::Metadata) -> Option<(u64, u64)> {
    None
}

fn to_object(value: &impl Serialize) -> Vec<u8> {
    serde_json::to_vec(value).expect("records serialise to JSON")
}

pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
