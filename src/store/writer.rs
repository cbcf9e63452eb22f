//! The writing half of a results folder, shared by all workers of a process.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::atomic::Durability;
use super::checkpoint::Checkpoints;
use super::error::StoreError;
use super::journal::{Appended, Ended, Entry, Journal, Part, Position, Stored};
use super::lock::Lock;
use super::origin::Session;
use super::parts::{PartReader, Parts};
use super::prediction::{self, PredictionsError};
use super::view::{EntryLocation, Member, Trial, View};
use super::{parts, weights};
use crate::base::{Digest, MemberId};
use crate::experiment::StoredPredictions;
use crate::record::{MemberRecord, Predictions, TrialRecord};

/// The writing half of a store. Its journal and its file of predictions are created with their
/// first entry: a run that has nothing to say leaves nothing behind.
pub struct Writer {
    pub(super) folder: PathBuf,
    session: Session,
    journal: Mutex<Option<Arc<Journal>>>,
    /// Index of the journal in the view, once it has one.
    index: Mutex<Option<u32>>,
    parts: Mutex<Option<Arc<Parts>>>,
    checkpoints: Checkpoints,
    _lock: Option<Lock>,
}

/// An attempt at a member, to be stored.
pub struct Finished<'a> {
    /// Its record.
    pub record: &'a MemberRecord,
    /// Where its predictions were written, if it has any.
    pub predictions: Option<Stored>,
    /// Digest of its weights, where they were written.
    pub weights: Option<Digest>,
}

impl Writer {
    pub(super) fn new(folder: &Path, session: Session, lock: Option<Lock>) -> Self {
        Self {
            folder: folder.to_owned(),
            session,
            journal: Mutex::new(None),
            index: Mutex::new(None),
            parts: Mutex::new(None),
            checkpoints: Checkpoints::find(folder),
            _lock: lock,
        }
    }

    /// Stores an attempt at a member. It survives a killed process from now on, and a loss of power
    /// once [`Writer::flush`] has returned.
    ///
    /// # Errors
    /// If the disk refuses; the journal then takes no more entries.
    pub fn add_member(
        &self,
        view: &mut View,
        finished: &Finished<'_>,
    ) -> Result<Position, StoreError> {
        let repair = view.next_repair(&finished.record.id);
        self.copy_member(view, finished, repair)
    }

    /// Stores an attempt that is known already.
    pub(super) fn copy_member(
        &self,
        view: &mut View,
        finished: &Finished<'_>,
        repair: u32,
    ) -> Result<Position, StoreError> {
        let record = finished.record;
        let entry = Entry {
            member: Some(record.clone()),
            predictions: finished.predictions,
            weights: finished.weights,
            repair,
            ..Entry::default()
        };
        let (appended, location) = self.append(view, &entry)?;
        view.add_member(Member {
            id: record.id,
            seed_path: record.seed_path,
            attempt: record.attempt,
            outcome: record.outcome,
            reason: record.reason.as_deref().map(Into::into),
            summary: record.summary.clone().map(Box::new),
            repair: entry.repair,
            predictions: entry.predictions,
            weights: entry.weights.map(Box::new),
            location,
        });
        Ok(appended.position())
    }

    /// Stores a trial, made from its members as they are in `view`.
    ///
    /// # Errors
    /// As [`Writer::add_member`].
    pub fn add_trial(&self, view: &mut View, record: &TrialRecord) -> Result<Position, StoreError> {
        self.copy_trial(view, record, true)
    }

    /// Stores a trial; without marks where it was not made from its members as they are.
    pub(super) fn copy_trial(
        &self,
        view: &mut View,
        record: &TrialRecord,
        is_current: bool,
    ) -> Result<Position, StoreError> {
        let from = if is_current { view.marks(&record.members) } else { Vec::new() };
        let entry = Entry { trial: Some(record.clone()), from, ..Entry::default() };
        let (appended, location) = self.append(view, &entry)?;
        let from = entry.from.into();
        view.add_trial(Trial { record: record.clone(), from, location });
        view.choose_trials();
        Ok(appended.position())
    }

    /// Stores another entry.
    pub(super) fn add(&self, view: &mut View, entry: &Entry) -> Result<Position, StoreError> {
        let (appended, location) = self.append(view, entry)?;
        if let Some(run) = &entry.run {
            view.add_run(run.clone(), location.journal);
        }
        Ok(appended.position())
    }

    /// Says that this process writes no more.
    ///
    /// # Errors
    /// As [`Writer::add_member`].
    pub(crate) fn end(&self) -> Result<(), StoreError> {
        // Without a journal there is nothing to end.
        let journal = lock(&self.journal).clone();
        let entry = Entry { ended: Some(Ended {}), ..Entry::default() };
        journal.map_or(Ok(()), |journal| journal.append(&entry).map(drop))
    }

    /// Appends a sign of life, so that whoever watches the journal sees it grow.
    ///
    /// # Errors
    /// As [`Writer::add_member`].
    pub(crate) fn beat(&self) -> Result<(), StoreError> {
        self.journal()?.append(&Entry::default()).map(drop)
    }

    /// Notes what this process takes from a round of work, or that it has settled it, for the
    /// process that the engine starts in its place.
    ///
    /// # Errors
    /// As [`Writer::add_member`].
    pub(crate) fn note_claim(&self, claim: &str, is_settled: bool) -> Result<(), StoreError> {
        let text = Some(claim.to_owned());
        let entry = if is_settled {
            Entry { settled: text, ..Entry::default() }
        } else {
            Entry { claim: text, ..Entry::default() }
        };
        self.journal()?.append(&entry).map(drop)
    }

    /// Returns the name of the journal of this process; creates it the first time.
    ///
    /// # Errors
    /// If the disk refuses.
    pub(crate) fn journal_name(&self) -> Result<String, StoreError> {
        Ok(self.journal()?.name().to_owned())
    }

    /// Returns the bytes of the journal; nothing before its first entry.
    pub(crate) fn journal_length(&self) -> Option<u64> {
        self.own_journal().map(|journal| journal.length())
    }

    /// Looks again for the saved states that other processes left.
    pub(crate) fn find_checkpoints(&self) {
        self.checkpoints.refresh();
    }

    fn append(
        &self,
        view: &mut View,
        entry: &Entry,
    ) -> Result<(Appended, EntryLocation), StoreError> {
        let journal = self.journal()?;
        let index = *lock(&self.index).get_or_insert_with(|| {
            view.add_session(&self.session);
            view.add_journal(journal.name())
        });
        let appended = journal.append(entry)?;
        let Appended { offset, length } = appended;
        Ok((appended, EntryLocation { journal: index, length, offset }))
    }

    /// Returns the journal; creates it the first time.
    fn journal(&self) -> Result<Arc<Journal>, StoreError> {
        let mut journal = lock(&self.journal);
        if let Some(journal) = &*journal {
            return Ok(Arc::clone(journal));
        }
        let created = Arc::new(Journal::create(&self.folder, &self.session)?);
        *journal = Some(Arc::clone(&created));
        Ok(created)
    }

    /// Returns the journal, if it was created.
    pub(super) fn own_journal(&self) -> Option<Arc<Journal>> {
        lock(&self.journal).clone()
    }

    fn parts(&self) -> Result<Arc<Parts>, StoreError> {
        let mut parts = lock(&self.parts);
        if let Some(parts) = &*parts {
            return Ok(Arc::clone(parts));
        }
        let created = Arc::new(Parts::create(&self.folder, self.journal()?.name())?);
        *parts = Some(Arc::clone(&created));
        Ok(created)
    }

    /// Returns once everything up to `position`, predictions included, is on the disk; one flush
    /// serves all waiting workers.
    ///
    /// # Errors
    /// If the disk refuses.
    pub fn flush(&self, position: Position) -> Result<(), StoreError> {
        let parts = lock(&self.parts).clone();
        parts.map_or(Ok(()), |parts| parts.flush())?;
        self.journal()?.flush(position)
    }

    /// Returns once everything is on the disk.
    ///
    /// # Errors
    /// If the disk refuses.
    pub(crate) fn flush_all(&self) -> Result<(), StoreError> {
        let parts = lock(&self.parts).clone();
        parts.map_or(Ok(()), |parts| parts.flush())?;
        self.own_journal().map_or(Ok(()), |journal| journal.flush_all())
    }

    /// Finds out whether the folder still is where it was opened.
    ///
    /// # Errors
    /// If it was moved or removed.
    pub(crate) fn check_not_moved(&self) -> Result<(), StoreError> {
        match self.own_journal() {
            Some(journal) => journal.check_not_moved(),
            None if self.folder.is_dir() => Ok(()),
            None => Err(StoreError::Moved { path: self.folder.clone() }),
        }
    }

    /// Writes the predictions of a member and returns where they are, for its entry; nothing where
    /// none are to be stored.
    ///
    /// # Errors
    /// If the disk refuses.
    pub(crate) fn write_predictions(
        &self,
        predictions: &Predictions,
        how: StoredPredictions,
        durability: Durability,
    ) -> Result<Option<Stored>, StoreError> {
        let half = match how {
            StoredPredictions::None => return Ok(None),
            StoredPredictions::F16 => true,
            StoredPredictions::F32 => false,
        };
        let bytes = prediction::encode_predictions(predictions, half);
        self.write_encoded(&bytes, durability).map(|part| Some(Stored::Part(part)))
    }

    /// Writes predictions that are encoded already.
    pub(super) fn write_encoded(
        &self,
        bytes: &[u8],
        durability: Durability,
    ) -> Result<Part, StoreError> {
        self.parts()?.append(bytes, durability == Durability::Flushed)
    }

    /// Reads predictions and holds them against their checksum.
    ///
    /// # Errors
    /// If they are missing or differ.
    pub(crate) fn read_predictions(&self, source: &Source) -> Result<Predictions, StoreError> {
        source.read(&self.folder, &mut PartReader::default())
    }

    /// Writes the weights of a member and returns the digest for its entry.
    ///
    /// # Errors
    /// If the disk refuses.
    pub(crate) fn write_weights(
        &self,
        member: &MemberId,
        weights: &[u8],
        durability: Durability,
    ) -> Result<Digest, StoreError> {
        weights::write(&self.folder, member, weights, durability)
    }

    /// Saves the state of an attempt after so many epochs.
    ///
    /// # Errors
    /// If the disk refuses.
    pub(crate) fn save_checkpoint(
        &self,
        member: MemberId,
        attempt: u32,
        epochs: u32,
        state: &[u8],
    ) -> Result<(), StoreError> {
        self.checkpoints.save(member, (attempt, epochs), state)
    }

    /// Returns the saved state of this attempt, if there is a usable one.
    pub(crate) fn load_checkpoint(&self, member: &MemberId, attempt: u32) -> Option<Vec<u8>> {
        self.checkpoints.load(member, attempt)
    }

    /// Removes the saved states of a finished member, if any.
    pub(crate) fn remove_checkpoint(&self, member: &MemberId) {
        self.checkpoints.remove(member);
    }
}

/// Where the predictions of a member are, for reading them while others write.
#[derive(Debug, Clone)]
pub(crate) struct Source {
    pub(super) member: MemberId,
    /// With the name of the journal; nothing where the journals know no predictions.
    pub(super) stored: Option<(Stored, Arc<str>)>,
}

impl Source {
    /// Returns whether the journals know no predictions.
    pub(crate) fn is_empty(&self) -> bool {
        self.stored.is_none()
    }

    /// Reads the bytes and holds them against their checksum.
    pub(super) fn bytes(
        &self,
        folder: &Path,
        reader: &mut PartReader,
    ) -> Result<Vec<u8>, StoreError> {
        let mut read = || match self.stored.as_ref().ok_or(PredictionsError::Unknown)? {
            (Stored::Part(part), journal) => {
                reader.read(&parts::path(folder, journal), *part).map_err(PredictionsError::Part)
            }
            (Stored::File(digest), _) => prediction::read_file(folder, &self.member, digest),
        };
        read().map_err(|source| StoreError::Predictions { member: self.member, source })
    }

    /// Reads the predictions.
    pub(super) fn read(
        &self,
        folder: &Path,
        reader: &mut PartReader,
    ) -> Result<Predictions, StoreError> {
        let bytes = self.bytes(folder, reader)?;
        prediction::decode_predictions(&bytes)
            .map_err(|source| StoreError::Predictions { member: self.member, source })
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
