//! A file of parts: predictions of many members, appended by one process.
//!
//! One file per process instead of one per member: a million members are not a million files. The
//! journal's entry says where a part is and what its checksum is; a part that is not what the entry
//! says is as good as absent, and its member is trained again.

use std::fs::File;
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use super::error::StoreError;
use super::journal::Part;
use super::{atomic, inside};
use crate::base::seal::Check;

/// Largest part that is read: a damaged length must not take all memory.
const MAX_PART: u64 = 4 << 30;

/// Returns the file with the predictions of a journal.
pub(super) fn path(folder: &Path, journal: &str) -> PathBuf {
    folder.join("predictions").join(format!("{journal}.bin"))
}

/// A file of parts, open for appending.
pub(super) struct Parts {
    path: PathBuf,
    state: Mutex<State>,
}

struct State {
    file: File,
    length: u64,
    /// Whether parts that were to be flushed are not.
    unflushed: bool,
    broken: bool,
}

impl Parts {
    /// Creates the file of a journal that has none.
    pub(super) fn create(folder: &Path, journal: &str) -> Result<Self, StoreError> {
        let path = path(folder, journal);
        let parent = atomic::create_folder_in(folder, "predictions")?;
        let file = inside::create_new(&path).map_err(StoreError::io("create", &path))?;
        atomic::sync_folder(&parent).map_err(StoreError::io("flush", &parent))?;
        let state = State { file, length: 0, unflushed: false, broken: false };
        Ok(Self { path, state: Mutex::new(state) })
    }

    /// Appends a part; `flush` says whether the next [`Parts::flush`] is to flush it.
    pub(super) fn append(&self, bytes: &[u8], flush: bool) -> Result<Part, StoreError> {
        let check = Check::of(bytes);
        let mut state = self.state();
        if state.broken {
            return Err(StoreError::Broken { path: self.path.clone() });
        }
        if let Err(error) = state.file.write_all(bytes) {
            // How much of it was written is not known, and so not where the next would begin.
            state.broken = true;
            return Err(StoreError::io("append to", &self.path)(error));
        }
        let part = Part { offset: state.length, length: bytes.len() as u64, check };
        state.length += part.length;
        state.unflushed |= flush;
        Ok(part)
    }

    /// Flushes what is to be flushed and is not.
    pub(super) fn flush(&self) -> Result<(), StoreError> {
        let mut state = self.state();
        if state.broken {
            return Err(StoreError::Broken { path: self.path.clone() });
        }
        if state.unflushed {
            if let Err(error) = state.file.sync_data() {
                state.broken = true;
                return Err(StoreError::io("flush", &self.path)(error));
            }
            state.unflushed = false;
        }
        Ok(())
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Why a part cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum PartError {
    /// The file cannot be read, mostly because it is not there.
    #[error("cannot read `{path}`", path = path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// The operating system's answer.
        #[source]
        source: io::Error,
    },
    /// The file ends before the part does.
    #[error("`{path}` ends after {length} bytes, the journal says that they end after {end}",
        path = path.display())]
    Short {
        /// The file.
        path: PathBuf,
        /// Its bytes.
        length: u64,
        /// Where the part ends.
        end: u64,
    },
    /// Its content is not what the journal says.
    #[error("the checksum of bytes {offset} to {end} of `{path}` is {found}, the journal says \
        {expected}", path = path.display(), offset = part.offset, end = part.offset + part.length,
        expected = part.check)]
    Differs {
        /// The file.
        path: PathBuf,
        /// What the journal says.
        part: Part,
        /// Of the file.
        found: Check,
    },
}

/// Reads parts of files, mostly one after the other; holds one file open.
#[derive(Default)]
pub(super) struct PartReader {
    open: Option<(PathBuf, File, u64)>,
}

impl PartReader {
    /// Reads a part and holds it against its checksum.
    pub(super) fn read(&mut self, path: &Path, part: Part) -> Result<Vec<u8>, PartError> {
        let problem = |source| PartError::Read { path: path.to_owned(), source };
        if self.open.as_ref().is_none_or(|(known, ..)| known != path) {
            let file = inside::open(path).map_err(problem)?;
            self.open = Some((path.to_owned(), file, 0));
        }
        let (_, file, length) = self.open.as_mut().expect("it was opened above");
        let end = part.offset.saturating_add(part.length);
        if end > *length {
            *length = file.metadata().map_err(problem)?.len();
        }
        if end > *length || part.length > MAX_PART {
            return Err(PartError::Short { path: path.to_owned(), length: *length, end });
        }
        let mut bytes = vec![0; part.length as usize];
        file.seek(SeekFrom::Start(part.offset)).map_err(problem)?;
        file.read_exact(&mut bytes).map_err(problem)?;
        let found = Check::of(&bytes);
        if found == part.check {
            Ok(bytes)
        } else {
            Err(PartError::Differs { path: path.to_owned(), part, found })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_read_back_and_every_damage_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let parts = Parts::create(folder.path(), "x").unwrap();
        let texts: [&[u8]; 3] = [b"first", b"", b"third part"];
        let stored = texts.map(|text| parts.append(text, true).unwrap());
        parts.flush().unwrap();
        assert_eq!((stored[2].offset, stored[2].length), (5, 10));
        let file = path(folder.path(), "x");
        for (text, part) in texts.iter().zip(stored) {
            assert_eq!(PartReader::default().read(&file, part).unwrap(), *text);
        }
        let sound = std::fs::read(&file).unwrap();
        for (damaged, expected) in [
            (b"first third part".to_vec(), "the checksum of bytes 5 to 15 of"),
            (sound[..12].to_vec(), "ends after 12 bytes, the journal says that they end after 15"),
        ] {
            atomic::write(&file, &damaged).unwrap();
            let error = PartReader::default().read(&file, stored[2]).unwrap_err();
            assert!(error.to_string().contains(expected), "{error}");
        }
        std::fs::remove_file(&file).unwrap();
        let error = PartReader::default().read(&file, stored[2]).unwrap_err();
        assert!(matches!(error, PartError::Read { .. }), "{error}");
    }

    #[test]
    fn a_journal_has_one_file_of_parts() {
        let folder = tempfile::tempdir().unwrap();
        Parts::create(folder.path(), "x").unwrap();
        assert!(Parts::create(folder.path(), "x").is_err());
    }
}
