//! What nobody needs in a results folder: temporary files of killed processes, checkpoints of members
//! that are finished, and, where asked, what is stored of members that the experiment no longer has.
//!
//! Only of processes that are known to write no more: their journal says so, or nobody on this
//! machine holds it open any more. A process on another machine that has not said so may live.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, TryLockError};
use std::path::{Path, PathBuf};

use super::error::StoreError;
use super::folder::Store;
use super::journal::{self, Stored};
use super::lock::Lock;
use super::{inside, names, parts};
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

impl Leftover {
    fn of(path: PathBuf) -> Self {
        let bytes = fs::symlink_metadata(&path).map_or(0, |facts| facts.len());
        Self { path, bytes }
    }
}

/// What the experiment of a folder needs.
struct Needed<'a> {
    members: &'a BTreeSet<MemberId>,
    /// Files with predictions of its members.
    predictions: BTreeSet<PathBuf>,
}

impl<'a> Needed<'a> {
    fn of(folder: &Path, store: &Store, members: &'a BTreeSet<MemberId>) -> Self {
        let place = |member| match store.view().source(member).stored? {
            (Stored::Part(_), journal) => Some(parts::path(folder, &journal)),
            // Version 1 names the file by the member.
            (Stored::File(_), _) => None,
        };
        Self { members, predictions: members.iter().filter_map(place).collect() }
    }

    /// Returns whether a file holds predictions, weights or a state of members that the experiment does
    /// not have, and of no others.
    fn is_without_use(&self, path: &Path, name: &str, store: &Store) -> bool {
        let Some((stem, ending)) = name.rsplit_once('.') else { return false };
        let member = || stem.split('.').next()?.parse::<MemberId>().ok();
        match ending {
            "bin" => !self.predictions.contains(path),
            "checkpoint" => member().is_some_and(|member| !self.members.contains(&member)),
            // What no journal names yet may be of a process that is about to name it.
            "safetensors" => member().is_some_and(|member| {
                !self.members.contains(&member) && store.members().get(&member).is_some()
            }),
            _ => false,
        }
    }
}

/// Returns the process that a stored file names: of predictions its journal, of a checkpoint who wrote it.
fn process_of(name: &str) -> Option<String> {
    let (stem, ending) = name.rsplit_once('.')?;
    match ending {
        "bin" => Some(stem.split('.').next().unwrap_or_default().to_owned()),
        "checkpoint" => Some(stem.split_once('.').map_or("0", |(_, process)| process).to_owned()),
        _ => None,
    }
}

/// Leftovers of a folder.
#[derive(Debug, Default)]
pub(crate) struct Leftovers {
    /// Those that can be removed.
    pub files: Vec<Leftover>,
    /// What is stored of members that the experiment no longer has.
    pub unused: Vec<Leftover>,
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
    /// Finds the leftovers of a folder whose experiment has the members `used`. With `force` processes
    /// that may live on other machines count as ended.
    ///
    /// # Errors
    /// If the folder cannot be read, or a process of this machine writes there.
    pub(crate) fn of(
        folder: &Path,
        used: Option<&BTreeSet<MemberId>>,
        force: bool,
    ) -> Result<Self, StoreError> {
        let store = Store::open_reader(folder)?;
        // Whoever has the lock writes; without one on this file system the journals tell.
        let lock = Lock::acquire(folder)?;
        let lives = lives(folder)?;
        let needed = used.map(|used| Needed::of(folder, &store, used));
        let mut found = Self::default();
        let below = std::iter::once("").chain(inside::FOLDERS);
        for path in below.flat_map(|name| files(&folder.join(name))) {
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            let (process, is_unused) = match (owner(&name, &store), &needed) {
                (Some(process), _) => (Some(process), false),
                (None, Some(needed)) if needed.is_without_use(&path, &name, &store) => {
                    (process_of(&name), true)
                }
                _ => continue,
            };
            // A file without a process in its name is of a member that has ended.
            match process.map_or(Life::Ended, |process| life(&process, &lives)) {
                Life::Unknown | Life::Lives if is_unused && !force => {}
                Life::Lives => found.kept += usize::from(!is_unused),
                Life::Unknown if !force => found.kept += 1,
                Life::Ended | Life::Unknown if is_unused => found.unused.push(Leftover::of(path)),
                Life::Ended | Life::Unknown => found.files.push(Leftover::of(path)),
            }
        }
        drop(lock);
        found.files.sort_by(|a, b| a.path.cmp(&b.path));
        found.unused.sort_by(|a, b| a.path.cmp(&b.path));
        Ok(found)
    }

    /// Removes them, with what is unused where asked.
    ///
    /// # Errors
    /// If one cannot be removed.
    pub(crate) fn remove(&self, with_unused: bool) -> Result<(), StoreError> {
        let unused = self.unused.iter().filter(|_| with_unused);
        for Leftover { path, .. } in self.files.iter().chain(unused) {
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
        let error = Leftovers::of(folder.path(), None, true).err().unwrap();
        assert!(matches!(error, StoreError::Locked { .. }), "{error}");
        drop(store);
        let found = Leftovers::of(folder.path(), None, false).unwrap();
        assert_eq!((found.files.len(), found.kept), (3, 1), "{found:?}");
        found.remove(false).unwrap();
        let forced = Leftovers::of(folder.path(), None, true).unwrap();
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
        assert_eq!(Leftovers::of(folder.path(), None, true).unwrap().kept, 1);
        drop(store);
        assert_eq!(Leftovers::of(folder.path(), None, false).unwrap().files.len(), 1);
    }

    #[test]
    fn what_members_have_that_the_experiment_lacks_is_unused() {
        let folder = tempfile::tempdir().unwrap();
        let mut store = Store::open_writer(folder.path(), draft()).unwrap();
        let [kept, old, unknown] =
            [&b"kept"[..], b"old", b"unknown"].map(|name| MemberId::from(digest_of(name)));
        for id in [kept, old] {
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
        }
        drop(store);
        let own = names::this_process();
        for name in [
            format!("weights/{kept}.safetensors"),
            format!("weights/{old}.safetensors"),
            format!("weights/{unknown}.safetensors"),
            format!("checkpoints/{unknown}.{own}.checkpoint"),
            format!("predictions/{own}.bin"),
            "predictions/elsewhere-7-0123456789ab.bin".to_owned(),
            "notes.bin.txt".to_owned(),
        ] {
            atomic::write(&folder.path().join(name), b"x").unwrap();
        }
        let used = BTreeSet::from([kept]);
        let found = Leftovers::of(folder.path(), Some(&used), false).unwrap();
        let names: Vec<String> = found
            .unused
            .iter()
            .map(|file| file.path.file_name().unwrap().to_string_lossy().into_owned())
            .collect();
        assert_eq!(
            names,
            [
                format!("{unknown}.{own}.checkpoint"),
                format!("{own}.bin"),
                format!("{old}.safetensors"),
            ]
        );
        found.remove(false).unwrap();
        assert_eq!(Leftovers::of(folder.path(), Some(&used), false).unwrap().unused.len(), 3);
        found.remove(true).unwrap();
        let left = Leftovers::of(folder.path(), Some(&used), false).unwrap();
        assert!(left.unused.is_empty(), "{left:?}");
        // Without a plan nothing is unused.
        assert!(Leftovers::of(folder.path(), None, true).unwrap().unused.is_empty());
    }
}
