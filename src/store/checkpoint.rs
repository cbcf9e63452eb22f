//! State of members in training, between two epochs.
//!
//! A checkpoint is a convenience: one that is missing, damaged or of another attempt is not used,
//! and the member starts again with the same result. Every process writes files of its own, named
//! after the member and the process, and reads those of all.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use serde::{Deserialize, Serialize};

use super::error::StoreError;
use super::{atomic, inside, names};
use crate::base::MemberId;
use crate::base::seal::{Check, seal_line, verify_line};

const FORMAT: &str = "gridbench-checkpoint";
const VERSION: u32 = 2;
const ENDING: &str = ".checkpoint";

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Header {
    format: String,
    version: u32,
    member: MemberId,
    attempt: u32,
    /// Epochs that the state has behind it.
    epochs: u32,
    /// Checksum of the state.
    state: Check,
}

/// The checkpoints of a results folder.
pub(super) struct Checkpoints {
    folder: PathBuf,
    /// Files of each member, by their names.
    files: Mutex<BTreeMap<MemberId, Vec<PathBuf>>>,
}

impl Checkpoints {
    /// Finds the checkpoints that other processes left.
    pub(super) fn find(folder: &Path) -> Self {
        let folder = folder.join("checkpoints");
        let files = Mutex::new(files_in(&folder));
        Self { folder, files }
    }

    /// Finds those that were left since.
    pub(super) fn refresh(&self) {
        let found = files_in(&self.folder);
        *self.files.lock().unwrap_or_else(PoisonError::into_inner) = found;
    }

    /// Saves the state of one attempt at a member.
    pub(super) fn save(
        &self,
        member: MemberId,
        (attempt, epochs): (u32, u32),
        state: &[u8],
    ) -> Result<(), StoreError> {
        let (format, version) = (FORMAT.to_owned(), VERSION);
        let header = Header { format, version, member, attempt, epochs, state: Check::of(state) };
        let mut bytes = serde_json::to_vec(&header).expect("a header serialises to JSON");
        seal_line(Check::START, &mut bytes);
        bytes.extend_from_slice(state);
        let path = self.folder.join(format!("{member}.{}{ENDING}", names::this_process()));
        atomic::write(&path, &bytes)?;
        let mut files = self.files.lock().unwrap_or_else(PoisonError::into_inner);
        let known = files.entry(member).or_default();
        if !known.contains(&path) {
            known.push(path);
        }
        Ok(())
    }

    /// Returns the state of this attempt at a member that got furthest, if a usable one is stored.
    pub(super) fn load(&self, member: &MemberId, attempt: u32) -> Option<Vec<u8>> {
        let paths = self.files.lock().unwrap_or_else(PoisonError::into_inner).get(member)?.clone();
        let states = paths.iter().filter_map(|path| read(path, member, attempt));
        states.max_by_key(|(epochs, _)| *epochs).map(|(_, state)| state)
    }

    /// Removes all states of a member that is finished. A left-over is harmless, so failure is no
    /// error.
    pub(super) fn remove(&self, member: &MemberId) {
        let paths = self.files.lock().unwrap_or_else(PoisonError::into_inner).remove(member);
        for path in paths.into_iter().flatten() {
            let _ = fs::remove_file(path);
        }
    }
}

/// Returns the checkpoints in a folder by their members; one that cannot be read has none.
fn files_in(folder: &Path) -> BTreeMap<MemberId, Vec<PathBuf>> {
    let mut files: BTreeMap<MemberId, Vec<PathBuf>> = BTreeMap::new();
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        let member = name.strip_suffix(ENDING).and_then(|name| {
            // Version 1 had no name of a process.
            name.split('.').next()?.parse().ok()
        });
        if let Some(member) = member {
            files.entry(member).or_default().push(entry.path());
        }
    }
    files
}

/// Returns the state in a file and the epochs behind it, if it is whole and of this attempt.
fn read(path: &Path, member: &MemberId, attempt: u32) -> Option<(u32, Vec<u8>)> {
    let mut bytes = inside::read(path).ok()?;
    let end = memchr::memchr(b'\n', &bytes)?;
    verify_line(Check::START, &bytes[..end]).ok()?;
    let header: Header = serde_json::from_slice(&bytes[..end]).ok()?;
    let state = bytes.split_off(end + 1);
    let usable = header.format == FORMAT
        && header.version == VERSION
        && header.member == *member
        && header.attempt == attempt
        && header.state == Check::of(&state);
    usable.then_some((header.epochs, state))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::digest_of;

    #[test]
    fn a_checkpoint_is_used_by_its_own_attempt_only_and_only_when_whole() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path();
        let member = MemberId::from(digest_of(b"member"));
        let checkpoints = Checkpoints::find(folder);
        assert_eq!(checkpoints.load(&member, 1), None);
        checkpoints.save(member, (1, 3), b"weights\nand more").unwrap();
        for known in [&checkpoints, &Checkpoints::find(folder)] {
            assert_eq!(known.load(&member, 1).as_deref(), Some(&b"weights\nand more"[..]));
            assert_eq!(known.load(&member, 2), None);
        }
        let file = fs::read_dir(folder.join("checkpoints")).unwrap().next().unwrap().unwrap();
        let sound = fs::read(file.path()).unwrap();
        for index in 0..8 * sound.len() {
            let mut flipped = sound.clone();
            flipped[index / 8] ^= 1 << (index % 8);
            atomic::write(&file.path(), &flipped).unwrap();
            assert_eq!(checkpoints.load(&member, 1), None, "bit {index}");
        }
        checkpoints.remove(&member);
        assert_eq!(fs::read_dir(folder.join("checkpoints")).unwrap().count(), 0);
    }

    #[test]
    fn of_the_states_of_several_processes_the_furthest_is_used() {
        let folder = tempfile::tempdir().unwrap();
        let member = MemberId::from(digest_of(b"member"));
        let own = Checkpoints::find(folder.path());
        own.save(member, (1, 5), b"five epochs").unwrap();
        let path =
            |name: &str| folder.path().join(format!("checkpoints/{member}.{name}.checkpoint"));
        fs::rename(path(names::this_process()), path("other-7-abc")).unwrap();
        let own = Checkpoints::find(folder.path());
        own.save(member, (1, 2), b"two epochs").unwrap();
        assert_eq!(own.load(&member, 1).as_deref(), Some(&b"five epochs"[..]));
        own.remove(&member);
        assert_eq!(Checkpoints::find(folder.path()).load(&member, 1), None);
    }
}
