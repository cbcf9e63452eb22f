//! Turns a results folder of version 1 into one of version 2.
//!
//! Everything is written beside what is there, flushed and read back before anything old is
//! removed. Killed at any moment it leaves a folder that says what it said: two records that are
//! equal count as one.

use std::fs;
use std::path::{Path, PathBuf};

use super::error::StoreError;
use super::folder::Store;
use super::journal::{self, Entry, Part, Stored};
use super::lock::Lock;
use super::manifest::Manifest;
use super::origin::Session;
use super::parts::{self, PartReader};
use super::prediction::{self, PredictionsError};
use super::view::Member;
use super::writer::{Finished, Writer};
use super::{atomic, damaged};
use crate::base::MemberId;
use crate::record::TrialRecord;
use crate::store::atomic::Durability;

/// What of a folder is of version 1.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Migration {
    /// Journals.
    pub journals: Vec<PathBuf>,
    /// Members whose record stands in them.
    pub members: usize,
    /// Trials whose record stands in them.
    pub trials: usize,
    /// Sound files of predictions, one per member.
    pub predictions: usize,
    /// Their bytes.
    pub prediction_bytes: u64,
    /// Files of predictions that are missing or damaged: their members are trained again by the
    /// next run.
    pub lost: usize,
    /// Whether the manifest has no checksum yet.
    pub manifest: bool,
}

impl Migration {
    /// Returns whether everything is of version 2.
    pub(crate) fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Finds out what of a folder is of version 1; touches nothing.
    ///
    /// # Errors
    /// If the folder cannot be read or holds damage that a run must list first.
    pub(crate) fn of(folder: &Path) -> Result<Self, StoreError> {
        let store = Store::open_reader(folder)?;
        let old = Old::of(&store)?;
        let mut found = Self {
            manifest: !Manifest::is_sealed(folder)?,
            members: old.members.len(),
            trials: old.trials.len(),
            journals: old.journals,
            ..Self::default()
        };
        let mut reader = PartReader::default();
        for id in old.members.iter().filter(|id| is_in_a_file(&store.members()[id])) {
            match store.view().source(id).bytes(folder, &mut reader) {
                Ok(bytes) => {
                    found.predictions += 1;
                    found.prediction_bytes += bytes.len() as u64;
                }
                Err(_) => found.lost += 1,
            }
        }
        Ok(found)
    }

    /// Turns what of a folder is of version 1 into version 2, and returns what that was.
    ///
    /// # Errors
    /// As [`Migration::of`], and if another process writes there or the disk refuses.
    ///
    /// # Panics
    /// Never: the manifest was read a moment before.
    pub(crate) fn apply(folder: &Path) -> Result<Self, StoreError> {
        let lock = Lock::acquire(folder)?;
        let found = Self::of(folder)?;
        if found.is_empty() {
            return Ok(found);
        }
        let mut store = Store::open_reader(folder)?;
        let old = Old::of(&store)?;
        let manifest = store.manifest().clone();
        // What was computed stays the work of who computed it.
        let session = Session {
            started: manifest.updated.clone(),
            build: manifest.build.clone(),
            machine: manifest.machine.clone(),
            engine: manifest.run.engine.clone(),
            repository: manifest.run.repository.clone(),
        };
        let writer = Writer::new(folder, session, Some(lock));
        let copied = write(&mut store, &writer, &old)?;
        if found.manifest {
            Manifest::read_file(folder)?.expect("the store was opened").mend(folder)?;
        }
        verify(folder, &writer, &copied)?;
        remove(folder, &copied, &found)?;
        Ok(found)
    }
}

/// What counts and stands in journals of version 1.
struct Old {
    journals: Vec<PathBuf>,
    members: Vec<MemberId>,
    /// With whether it was made from its members as they are.
    trials: Vec<(TrialRecord, bool)>,
    /// Trials in newer journals that are current now.
    current: Vec<TrialRecord>,
}

impl Old {
    fn of(store: &Store) -> Result<Self, StoreError> {
        let mut old = Self { journals: vec![], members: vec![], trials: vec![], current: vec![] };
        let heads = journal::heads(store.folder())?;
        let files = journal::files(store.folder())?;
        let is_old: Vec<bool> = heads.iter().map(|first| first.head.version == 1).collect();
        for (path, _) in files.into_values().zip(&is_old).filter(|(_, is_old)| **is_old) {
            old.journals.push(path);
        }
        let stands_in_old = |journal: u32| is_old.get(journal as usize).copied().unwrap_or(false);
        let view = store.view();
        let members = view.members().values();
        old.members =
            members.filter(|one| stands_in_old(one.location.journal)).map(|one| one.id).collect();
        for (record, location) in view.trials().located() {
            let is_current = view.is_current(&record.id);
            if stands_in_old(location.journal) {
                old.trials.push((record.clone(), is_current));
            } else if is_current {
                old.current.push(record.clone());
            }
        }
        // The order of the index is that of reading threads.
        old.members.sort_by_key(|id| view.members()[id].location);
        old.trials.sort_by_key(|(record, _)| record.id);
        old.current.sort_by_key(|record| record.id);
        Ok(old)
    }
}

fn is_in_a_file(member: &Member) -> bool {
    matches!(member.predictions, Some(Stored::File(_)))
}

/// Members whose predictions were copied, and where to.
type Copied = Vec<(MemberId, Part)>;

/// Writes records and predictions into files of version 2.
fn write(store: &mut Store, writer: &Writer, old: &Old) -> Result<Copied, StoreError> {
    let folder = store.folder().to_owned();
    let epochs = store.epochs(old.members.iter().copied())?;
    let asked = store.manifest().run.clone();
    let view = store.view_mut();
    if !old.journals.is_empty() {
        let run = Box::new(journal::Run { revision: view.revision() + 1, asked });
        let _ = writer.add(view, &Entry { run: Some(run), ..Entry::default() })?;
    }
    let mut reader = PartReader::default();
    let mut copied = Vec::new();
    for (id, epochs) in old.members.iter().zip(epochs) {
        let member = &view.members()[id];
        let mut predictions = member.predictions;
        if is_in_a_file(member)
            && let Ok(bytes) = view.source(id).bytes(&folder, &mut reader)
        {
            let part = writer.write_encoded(&bytes, Durability::Flushed)?;
            predictions = Some(Stored::Part(part));
            copied.push((*id, part));
        }
        let record = member.record(epochs);
        let weights = member.weights.as_deref().copied();
        let finished = Finished { record: &record, predictions, weights };
        let _ = writer.copy_member(view, &finished, member.repair)?;
    }
    for (record, is_current) in &old.trials {
        let _ = writer.copy_trial(view, record, *is_current)?;
    }
    for record in &old.current {
        // Its members' predictions are elsewhere now, and the same.
        if !view.is_current(&record.id) {
            let _ = writer.copy_trial(view, record, true)?;
        }
    }
    writer.flush_all()?;
    writer.end()?;
    Ok(copied)
}

/// Reads back what was written.
fn verify(folder: &Path, writer: &Writer, copied: &Copied) -> Result<(), StoreError> {
    let reading = journal::read_all(folder)?;
    if let Some(error) = damaged::error(&damaged::unlisted(folder, reading.damages)) {
        return Err(error);
    }
    let Some(journal) = writer.own_journal() else { return Ok(()) };
    let (path, mut reader) = (parts::path(folder, journal.name()), PartReader::default());
    for (member, part) in copied {
        reader.read(&path, *part).map_err(|error| StoreError::Predictions {
            member: *member,
            source: PredictionsError::Part(error),
        })?;
    }
    Ok(())
}

/// Removes what is of version 1. Files that could not be used stay for whoever wants to look.
fn remove(folder: &Path, copied: &Copied, found: &Migration) -> Result<(), StoreError> {
    for path in &found.journals {
        fs::remove_file(path).map_err(StoreError::io("remove", path))?;
    }
    let journals = folder.join("journal");
    atomic::sync_folder(&journals).map_err(StoreError::io("flush", &journals))?;
    for (member, _) in copied {
        let path = prediction::file_of(folder, member);
        fs::remove_file(&path).map_err(StoreError::io("remove", &path))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::digest_of;
    use crate::store::derived::Derived;

    fn golden() -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/store-1");
        let member = MemberId::from(digest_of(b"member-0"));
        let predictions = format!("predictions/{member}.safetensors");
        for name in ["manifest.json", "journal/main.jsonl", &predictions] {
            let bytes = fs::read(golden.join(name)).unwrap();
            atomic::write(&folder.path().join(name), &bytes).unwrap();
        }
        folder
    }

    #[test]
    fn a_migrated_folder_says_what_it_said() {
        let folder = golden();
        let before = Store::open_reader(folder.path()).unwrap();
        let members: Vec<MemberId> = before.members().values().map(|member| member.id).collect();
        let epochs = before.epochs(members.iter().copied()).unwrap();
        let found = Migration::of(folder.path()).unwrap();
        assert_eq!((found.members, found.trials, found.predictions, found.lost), (3, 2, 1, 0));
        assert_eq!(Migration::of(folder.path()).unwrap(), found, "looking changes nothing");
        assert_eq!(Migration::apply(folder.path()).unwrap(), found);
        let after = Store::open_reader(folder.path()).unwrap();
        for (id, epochs) in members.iter().zip(&epochs) {
            let (known, found) = (&before.members()[id], &after.members()[id]);
            assert_eq!(known.record(vec![]), found.record(vec![]));
            let read = after.epochs([*id]).unwrap();
            assert_eq!(
                serde_json::to_string(&read[0]).unwrap(),
                serde_json::to_string(epochs).unwrap()
            );
        }
        for record in before.trials().values() {
            assert_eq!(after.trials().get(&record.id), Some(record));
            assert!(after.view().is_current(&record.id));
        }
        let member = MemberId::from(digest_of(b"member-0"));
        assert_eq!(
            after.predictions(&member).unwrap(),
            Store::open_reader(golden().path()).unwrap().predictions(&member).unwrap()
        );
        assert_eq!(before.manifest(), after.manifest());
        assert!(!folder.path().join("journal/main.jsonl").exists());
        assert_eq!(fs::read_dir(folder.path().join("predictions")).unwrap().count(), 1);
        assert!(Migration::of(folder.path()).unwrap().is_empty());
        assert!(Migration::apply(folder.path()).unwrap().is_empty());
        assert!(Derived::fresh(folder.path()).is_none());
    }

    #[test]
    fn lost_predictions_stay_lost_so_that_a_run_trains_them_again() {
        let folder = golden();
        fs::remove_dir_all(folder.path().join("predictions")).unwrap();
        let found = Migration::apply(folder.path()).unwrap();
        assert_eq!((found.predictions, found.lost), (0, 1));
        let store = Store::open_reader(folder.path()).unwrap();
        let member = MemberId::from(digest_of(b"member-0"));
        assert!(store.view().has_predictions(&member));
        assert!(store.predictions(&member).is_err());
    }
}
