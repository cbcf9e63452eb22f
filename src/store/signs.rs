//! Signs of life of the processes that write a results folder, for people who look at it.

use std::io::{Read as _, Seek as _, SeekFrom};
use std::path::Path;
use std::time::{Duration, SystemTime};

use super::error::StoreError;
use super::{inside, journal};

/// Bytes at the end of a journal that hold its last line, if that says that the process ended.
const LAST_LINE: u64 = 64;

/// What a journal says of the process that writes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sign {
    /// Name of the journal.
    pub journal: String,
    /// When the process began, RFC 3339.
    pub started: String,
    /// Bytes of the journal.
    pub length: u64,
    /// Time since the journal last grew, by the clocks of the file server and of this machine.
    pub silence: Duration,
    /// Whether the process said that it ended.
    pub has_ended: bool,
}

impl Sign {
    /// Reads those of all processes that wrote a folder, in the order of their names. Journals are not
    /// read, only looked at.
    ///
    /// # Errors
    /// If the folder cannot be read.
    pub fn all(folder: &Path) -> Result<Vec<Self>, StoreError> {
        let mut signs = Vec::new();
        for (path, first) in journal::files(folder)?.into_values().zip(journal::heads(folder)?) {
            let problem = StoreError::io("read", &path);
            let mut file = match inside::open(&path) {
                Ok(file) => file,
                Err(error) => return Err(problem(error)),
            };
            let mut look = || -> std::io::Result<(u64, Duration, bool)> {
                let facts = file.metadata()?;
                let silence = now().duration_since(facts.modified()?).unwrap_or_default();
                file.seek(SeekFrom::Start(facts.len().saturating_sub(LAST_LINE)))?;
                let mut end = Vec::new();
                file.read_to_end(&mut end)?;
                let says = memchr::memmem::find(&end, b"\n{\"ended\":{},\"check\":").is_some();
                Ok((facts.len(), silence, says && end.ends_with(b"\n")))
            };
            let (length, silence, has_ended) = look().map_err(StoreError::io("read", &path))?;
            let started = first.head.header.map(|header| header.session().started);
            let (journal, started) = (first.head.name, started.unwrap_or_default());
            signs.push(Self { journal, started, length, silence, has_ended });
        }
        Ok(signs)
    }
}

#[expect(clippy::disallowed_methods, reason = "compared with the times of files, stored nowhere")]
fn now() -> SystemTime {
    SystemTime::now()
}
