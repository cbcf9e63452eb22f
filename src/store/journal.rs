//! Append-only files of results, one JSON line an entry.
//!
//! The first line names format and version. A last line without its end is what a killed writer
//! leaves: it is ignored, and cut off when the file is next opened for writing. Entries and fields
//! of later minor additions are ignored; anything else that does not parse is damage.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde::{Deserialize, Serialize};

use super::error::StoreError;
use super::origin::Session;
use crate::base::{Digest, MemberId};
use crate::record::{MemberRecord, TrialRecord};

/// Format version of journals.
pub(super) const VERSION: u32 = 1;

#[derive(Serialize, Deserialize)]
struct Header {
    #[serde(rename = "gridbench-journal")]
    version: u32,
}

/// One line of a journal. Exactly one field is present; none, for kinds of a later version.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Entry {
    /// One attempt at a member.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub member: Option<MemberRecord>,
    /// SHA-256 of the member's prediction file, beside `member`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub predictions: Option<Digest>,
    /// SHA-256 of the member's weights file, beside `member`, where weights are kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub weights: Option<Digest>,
    /// One scored or failed trial.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trial: Option<TrialRecord>,
    /// A run came to its own end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended: Option<Ended>,
    /// What wrote the entries that follow.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session: Option<Session>,
}

/// What a run that came to its own end leaves for the next one.
///
/// Members that failed are tried again by a *later* run only. A run that was killed and started
/// again is still the same run, so it must not try them again, or its results would differ from an
/// undisturbed one; this entry tells the two apart.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Ended {
    /// Members that failed, with the number of their last attempt.
    pub failed: Vec<(MemberId, u32)>,
}

impl From<TrialRecord> for Entry {
    fn from(record: TrialRecord) -> Self {
        Self { trial: Some(record), ..Self::default() }
    }
}

/// Everything whole in a journal file.
pub(super) struct Content {
    pub(super) entries: Vec<Entry>,
    /// Bytes up to the end of the last whole line.
    pub(super) valid_length: u64,
}

/// Reads a journal; a missing file is an empty one.
pub(super) fn read(path: &Path) -> Result<Content, StoreError> {
    let bytes = match fs::read(path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
        Err(error) => return Err(StoreError::io("read", path)(error)),
    };
    parse(&bytes, path)
}

fn parse(bytes: &[u8], path: &Path) -> Result<Content, StoreError> {
    let valid = bytes.iter().rposition(|&byte| byte == b'\n').map_or(0, |end| end + 1);
    let mut content = Content { entries: Vec::new(), valid_length: valid as u64 };
    let lines = bytes[..valid].split_inclusive(|&byte| byte == b'\n');
    for (place, line) in lines.enumerate() {
        let damaged = |error: serde_json::Error| StoreError::Damaged {
            path: path.to_owned(),
            line: place + 1,
            problem: error.to_string().replace(" at line 1 column", " at column"),
        };
        if place == 0 {
            let header: Header = serde_json::from_slice(line).map_err(|error| {
                let entry = serde_json::from_slice::<Entry>(line);
                StoreError::DamagedHeader {
                    path: path.to_owned(),
                    problem: error.to_string().replace(" at line 1 column", " at column"),
                    header: String::from_utf8_lossy(&to_line(&Header { version: VERSION }))
                        .trim_end()
                        .to_owned(),
                    is_missing: entry.is_ok_and(|entry| entry != Entry::default()),
                }
            })?;
            if header.version > VERSION {
                return Err(StoreError::Newer {
                    path: path.to_owned(),
                    found: header.version,
                    known: VERSION,
                });
            }
        } else {
            content.entries.push(serde_json::from_slice(line).map_err(damaged)?);
        }
    }
    Ok(content)
}

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
pub(super) struct Journal {
    path: PathBuf,
    lines: Mutex<Lines>,
    flushed: Mutex<u64>,
    flusher: Box<dyn Flush>,
    identity: Option<(u64, u64)>,
}

struct Lines {
    sink: Box<dyn Sink>,
    length: u64,
    broken: bool,
}

/// Bytes of the journal that must be flushed before an entry counts as stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[must_use = "an entry is stored once its position is flushed"]
pub struct Position(u64);

impl Journal {
    /// Opens `path` for appending after its `valid_length` whole bytes, and writes the header of a
    /// new file.
    pub(super) fn open(path: &Path, valid_length: u64) -> Result<Self, StoreError> {
        let file = OpenOptions::new()
            .append(true)
            .create(true)
            .open(path)
            .map_err(StoreError::io("open", path))?;
        file.set_len(valid_length).map_err(StoreError::io("cut the torn end of", path))?;
        Self::over(path, Box::new(file), valid_length)
    }

    fn over(path: &Path, sink: Box<dyn Sink>, length: u64) -> Result<Self, StoreError> {
        let flusher = sink.flusher().map_err(StoreError::io("open", path))?;
        let journal = Self {
            identity: sink.identity(),
            path: path.to_owned(),
            lines: Mutex::new(Lines { sink, length, broken: false }),
            flushed: Mutex::new(length),
            flusher,
        };
        if length == 0 {
            let position = journal.append_bytes(&to_line(&Header { version: VERSION }))?;
            journal.flush(position)?;
        }
        Ok(journal)
    }

    /// Returns its bytes, flushed or not.
    pub(super) fn length(&self) -> u64 {
        lock(&self.lines).length
    }

    /// Appends entries in order, not yet flushed: a killed process loses none of them, a machine
    /// that loses power may.
    pub(super) fn append(&self, entries: &[Entry]) -> Result<Position, StoreError> {
        let bytes: Vec<u8> = entries.iter().flat_map(to_line).collect();
        self.append_bytes(&bytes)
    }

    fn append_bytes(&self, bytes: &[u8]) -> Result<Position, StoreError> {
        let mut lines = lock(&self.lines);
        if lines.broken {
            return Err(StoreError::Broken { path: self.path.clone() });
        }
        if let Err(error) = lines.sink.append(bytes) {
            // Half a line must not be followed by another one. If it cannot be removed either, it
            // is the torn last line that readers forgive.
            lines.broken = true;
            let length = lines.length;
            let _ = lines.sink.cut(length);
            return Err(StoreError::io("append to", &self.path)(error));
        }
        lines.length += bytes.len() as u64;
        Ok(Position(lines.length))
    }

    /// Returns once everything up to `position` is on the disk. One flush serves all workers that
    /// wait for one.
    pub(super) fn flush(&self, position: Position) -> Result<(), StoreError> {
        let mut flushed = lock(&self.flushed);
        if *flushed < position.0 {
            let written = lock(&self.lines).length;
            if let Err(error) = self.flusher.flush() {
                lock(&self.lines).broken = true;
                return Err(StoreError::io("flush", &self.path)(error));
            }
            *flushed = written;
            self.check_place()?;
        }
        Ok(())
    }

    /// Finds out whether the file still is where it was opened: one that was moved or removed takes
    /// entries all the same, and nobody will find them.
    pub(super) fn check_place(&self) -> Result<(), StoreError> {
        let found = fs::metadata(&self.path).ok().and_then(|facts| identity_of(&facts));
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

fn to_line(value: &impl Serialize) -> Vec<u8> {
    let mut line = serde_json::to_vec(value).expect("records serialise to JSON");
    line.push(b'\n');
    line
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
#[path = "journal_tests.rs"]
mod tests;
