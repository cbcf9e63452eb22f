//! What killed processes leave in a results folder: temporary files, and checkpoints of members that
//! are finished.
//!
//! Only of processes that are known to write no more: their journal says so, or nobody on this
//! machine holds it open any more. A process on another machine that has not said so may live.

use std::collections::BTreeMap;
use std::fs::{self, TryLockError};
use std::path::{Path, PathBuf};

use super::error::StoreError;
use super::folder::Store;
use super::journal;
use super::lock::Lock;
use super::{inside, names};
use crate::base::MemberId;

/// Bytes at the end of a journal that hold its last line, if that says that the process ended.
const LAST_LINE: usize = 64;

/// A file that nobody needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Leftover {
    /// The file.
    pub path: PathBuf,
    /// Its bytes.
    pub bytes: u64,
}

/// Leftovers of a folder.
#[derive(Debug, Default)]
pub(crate) struct Leftovers {
    /// Those that can be removed.
    pub files: Vec<Leftover>,
    /// Temporary files and checkpoints of processes that may still live.
    pub kept: usize,
}

/// Whether a process may still write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Life {
    Ended,
    Unknown,
    Lives,
}

impl Leftovers {
    /// Finds the leftovers of a folder. With `force` processes that may live on other machines count
    /// as ended.
    ///
    /// # Errors
    /// If the folder cannot be read, or a process of this machine writes there.
    pub(crate) fn of(folder: &Path, force: bool) -> Result<Self, StoreError> {
        let store = Store::open_reader(folder)?;
        // Whoever has the lock writes; without one on this file system the journals tell.
        let lock = Lock::acquire(folder)?;
        let lives = lives(folder)?;
        let mut found = Self::default();
        let below = std::iter::once("").chain(inside::FOLDERS);
        for path in below.flat_map(|name| files(&folder.join(name))) {
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            let Some(process) = owner(&name, &store) else { continue };
            match life(&process, &lives) {
                Life::Ended => found.add(path),
                Life::Unknown if force => found.add(path),
                Life::Unknown | Life::Lives => found.kept += 1,
            }
        }
        drop(lock);
        found.files.sort_by(|a, b| a.path.cmp(&b.path));
        Ok(found)
    }

    fn add(&mut self, path: PathBuf) {
        let bytes = fs::symlink_metadata(&path).map_or(0, |facts| facts.len());
        self.files.push(Leftover { path, bytes });
    }

    /// Removes them.
    ///
    /// # Errors
    /// If one cannot be removed.
    pub(crate) fn remove(&self) -> Result<(), StoreError> {
        for Leftover { path, .. } in &self.files {
            fs::remove_file(path).map_err(StoreError::io("remove", path))?;
        }
        Ok(())
    }
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries
        .filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_file()))
        .map(|entry| entry.path())
        .collect()
}

/// Returns the process that left a file of this name, if it is of no more use.
fn owner(name: &str, store: &Store) -> Option<String> {
    if let Some(rest) = name.strip_prefix('.').and_then(|name| name.strip_suffix(".tmp")) {
        let (rest, count) = rest.rsplit_once('.')?;
        count.parse::<u64>().ok()?;
        return Some(rest.rsplit_once('.')?.1.to_owned());
    }
    let name = name.strip_suffix(".checkpoint")?;
    // Version 1 did not say which process.
    let (member, process) = name.split_once('.').unwrap_or((name, "0"));
    let member: MemberId = member.parse().ok()?;
    let is_finished = store.members().get(&member).is_some_and(|record| record.outcome.is_final());
    is_finished.then(|| process.to_owned())
}

/// Returns which processes of the folder's journals may still write.
fn lives(folder: &Path) -> Result<BTreeMap<String, Life>, StoreError> {
    let mut lives: BTreeMap<String, Life> = BTreeMap::new();
    for (path, first) in journal::files(folder)?.into_values().zip(journal::heads(folder)?) {
        let Some(header) = first.head.header else { continue };
        let life = if says_that_it_ended(&path) {
            Life::Ended
        } else {
            let file = inside::open(&path).map_err(StoreError::io("read", &path))?;
            match file.try_lock() {
                Err(TryLockError::WouldBlock) => Life::Lives,
                Ok(()) if header.boot.is_some() && header.boot == names::boot() => Life::Ended,
                _ => Life::Unknown,
            }
        };
        // A process with several journals lives while one of them does.
        let process = header.journal.split('.').next().unwrap_or_default().to_owned();
        let known = lives.entry(process).or_insert(Life::Ended);
        *known = match (*known, life) {
            (Life::Lives, _) | (_, Life::Lives) => Life::Lives,
            (Life::Unknown, _) | (_, Life::Unknown) => Life::Unknown,
            _ => Life::Ended,
        };
    }
    Ok(lives)
}

fn says_that_it_ended(path: &Path) -> bool {
    let Ok(bytes) = inside::read(path) else { return false };
    let end = &bytes[bytes.len().saturating_sub(LAST_LINE)..];
    memchr::memmem::find(end, b"\n{\"ended\":{},\"check\":").is_some() && end.ends_with(b"\n")
}

fn life(process: &str, lives: &BTreeMap<String, Life>) -> Life {
    if let Some(life) = lives.get(process) {
        return *life;
    }
    // It was killed before its first entry: on this machine, or who knows where. The lock, which
    // is ours now, says that no process of this machine writes. Version 1 has numbers alone.
    let is_of_here = process.starts_with(&format!("{}-", names::host()));
    let is_of_version_1 = process.parse::<u32>().is_ok();
    if is_of_here || is_of_version_1 { Life::Ended } else { Life::Unknown }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::{Seed, SeedPath, digest_of};
    use crate::record::{MemberRecord, Outcome};
    use crate::store::{ManifestDraft, Repeats, atomic};

    fn draft() -> ManifestDraft {
        ManifestDraft {
            name: "x".to_owned(),
            typed: String::new(),
            overrides: vec![],
            experiment: serde_json::json!({}),
            engine: "none".to_owned(),
            engine_revision: "1".to_owned(),
            datasets: vec![],
            programs: Vec::new(),
            repeats: Repeats::default(),
            repository: None,
        }
    }

    #[test]
    fn leftovers_of_ended_processes_are_found_and_those_of_others_stay() {
        let folder = tempfile::tempdir().unwrap();
        let mut store = Store::open_writer(folder.path(), draft()).unwrap();
        let id = MemberId::from(digest_of(b"finished"));
        let record = MemberRecord {
            id,
            seed_path: SeedPath::member(Seed(1), 0, 0),
            attempt: 1,
            outcome: Outcome::Completed,
            reason: None,
            epochs: vec![],
            summary: None,
        };
        store.append_member(&record, None).unwrap();
        let unfinished = MemberId::from(digest_of(b"unfinished"));
        let own = names::this_process();
        for name in [
            format!("tables/.cells.csv.{own}.3.tmp"),
            ".manifest.json.4194305.0.tmp".to_owned(),
            ".manifest.json.elsewhere-7-0123456789ab.0.tmp".to_owned(),
            ".notes.tmp".to_owned(),
            format!("checkpoints/{id}.{own}.checkpoint"),
            format!("checkpoints/{unfinished}.{own}.checkpoint"),
        ] {
            atomic::write(&folder.path().join(name), b"x").unwrap();
        }
        let error = Leftovers::of(folder.path(), true).err().unwrap();
        assert!(matches!(error, StoreError::Locked { .. }), "{error}");
        drop(store);
        let found = Leftovers::of(folder.path(), false).unwrap();
        assert_eq!((found.files.len(), found.kept), (3, 1), "{found:?}");
        found.remove().unwrap();
        let forced = Leftovers::of(folder.path(), true).unwrap();
        assert_eq!((forced.files.len(), forced.kept), (1, 0), "{forced:?}");
        let left = files(&folder.path().join("checkpoints"));
        assert_eq!(left.len(), 1, "a checkpoint that a run goes on from stays");
    }

    #[test]
    fn a_journal_that_is_held_open_is_written_whatever_the_lock_says() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open_writer(folder.path(), draft()).unwrap();
        let own = names::this_process();
        atomic::write(&folder.path().join(format!(".x.{own}.3.tmp")), b"x").unwrap();
        fs::remove_file(folder.path().join("lock")).unwrap();
        assert_eq!(Leftovers::of(folder.path(), true).unwrap().kept, 1);
        drop(store);
        assert_eq!(Leftovers::of(folder.path(), false).unwrap().files.len(), 1);
    }
}
