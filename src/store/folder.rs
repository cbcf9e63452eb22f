//! A results folder, open for reading or for writing.

use std::ffi::OsStr;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use std::collections::{BTreeMap, BTreeSet};

use super::atomic::{self, Durability};
use super::checkpoint;
use super::error::StoreError;
use super::journal::{self, Entry, Journal, Position};
use super::lock::Lock;
use super::manifest::{Manifest, ManifestDraft};
use super::origin::Session;
use super::prediction::{PredictionsError, decode_predictions, encode_predictions};
use super::view::View;
use super::weights;
use crate::base::{Digest, MemberId, TrialId, digest_of};
use crate::record::{MemberRecord, Predictions, TrialRecord};

/// Where a killed writer leaves temporary files, below a results folder.
const SWEPT: [&str; 6] = ["", "tables", "charts", "predictions", "weights", "checkpoints"];

/// A results folder.
pub struct Store {
    folder: PathBuf,
    manifest: Manifest,
    view: View,
    /// Bytes of each journal that the view covers, this writer's own aside.
    extent: BTreeMap<String, u64>,
    writer: Option<Writer>,
}

/// The writing half of a store, shared by all workers of a process.
pub struct Writer {
    folder: PathBuf,
    name: String,
    journal: Journal,
    session: Mutex<Option<Session>>,
    _lock: Lock,
}

impl Store {
    /// Opens a folder for writing, creates it if need be, and writes its manifest.
    ///
    /// # Errors
    /// If another process writes there, it holds another experiment, a file is damaged or of a
    /// later version, or the disk refuses.
    pub fn open_writer(folder: &Path, run: ManifestDraft) -> Result<Self, StoreError> {
        create_folder(folder)?;
        let lock = Lock::acquire(&folder.join("lock"), folder)?;
        for name in SWEPT {
            atomic::sweep(&folder.join(name));
        }
        let manifest = next_manifest(folder, run)?;
        let read = read_view(folder)?;
        manifest.write(folder)?;
        Self::with_writer(folder, manifest, read, lock, "main")
    }

    /// Opens an existing folder as one of several writers; each has a journal of its own, named
    /// after it.
    ///
    /// # Errors
    /// As [`Store::open_writer`], and if the folder has no manifest yet.
    pub fn open_worker(folder: &Path, worker: &str, engine: &str) -> Result<Self, StoreError> {
        let mut manifest = existing_manifest(folder)?;
        engine.clone_into(&mut manifest.run.engine);
        create_folder(&folder.join("journal"))?;
        let lock = Lock::acquire(&folder.join("journal").join(format!("{worker}.lock")), folder)?;
        let read = read_view(folder)?;
        Self::with_writer(folder, manifest, read, lock, worker)
    }

    /// Opens a folder for reading; nothing in it is touched, also while another process writes.
    ///
    /// # Errors
    /// If it has no manifest, or a file is damaged or of a later version.
    pub fn open_reader(folder: &Path) -> Result<Self, StoreError> {
        let manifest = existing_manifest(folder)?;
        let (view, extent) = read_view(folder)?;
        Ok(Self { folder: folder.to_owned(), manifest, view, extent, writer: None })
    }

    fn with_writer(
        folder: &Path,
        manifest: Manifest,
        (view, mut extent): (View, BTreeMap<String, u64>),
        lock: Lock,
        worker: &str,
    ) -> Result<Self, StoreError> {
        let journals = folder.join("journal");
        create_folder(&journals)?;
        let name = format!("{worker}.jsonl");
        let path = journals.join(&name);
        extent.remove(&name);
        // The file was just read as part of the view; its length is read again rather than kept
        // because the lock makes this process the only one that changes it.
        let valid_length = journal::read(&path)?.valid_length;
        let journal = Journal::open(&path, valid_length)?;
        atomic::sync_folder(&journals).map_err(StoreError::io("flush", &journals))?;
        let session = Mutex::new(Some(Session::begin(&manifest.run.engine)));
        let writer = Writer { folder: folder.to_owned(), name, journal, session, _lock: lock };
        Ok(Self { folder: folder.to_owned(), manifest, view, extent, writer: Some(writer) })
    }

    /// Returns the folder.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Returns the manifest.
    #[must_use]
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// Returns the latest word on every member and trial.
    #[must_use]
    pub fn view(&self) -> &View {
        &self.view
    }

    /// Returns the bytes of each journal file that the view covers, by name: a journal that is
    /// longer holds news.
    #[must_use]
    pub fn extent(&self) -> BTreeMap<String, u64> {
        let mut extent = self.extent.clone();
        extent.extend(self.writer.iter().map(|one| (one.name.clone(), one.journal.length())));
        extent
    }

    /// Returns the latest record of every member.
    #[must_use]
    pub fn members(&self) -> &BTreeMap<MemberId, MemberRecord> {
        self.view.members()
    }

    /// Returns the latest record of every trial, also of cells no longer in the grid.
    #[must_use]
    pub fn trials(&self) -> &BTreeMap<TrialId, TrialRecord> {
        self.view.trials()
    }

    /// Reads the predictions of a completed member.
    ///
    /// # Errors
    /// If they are missing or not what the journal says.
    pub fn predictions(&self, member: &MemberId) -> Result<Predictions, StoreError> {
        read_predictions(&self.folder, member, self.view.predictions(member))
    }

    /// Reads the weights of a completed member.
    ///
    /// # Errors
    /// If they were not kept, are missing or not what the journal says.
    pub fn weights(&self, member: &MemberId) -> Result<Vec<u8>, StoreError> {
        weights::read(&self.folder, member, self.view.weights(member))
    }

    /// Returns the writing half and the view it adds to.
    ///
    /// # Errors
    /// If the folder was opened for reading.
    pub fn parts(&mut self) -> Result<(&Writer, &mut View), StoreError> {
        match &self.writer {
            Some(writer) => Ok((writer, &mut self.view)),
            None => Err(StoreError::ReadOnly { folder: self.folder.clone() }),
        }
    }

    /// Finds out whether the folder still is where it was opened.
    ///
    /// # Errors
    /// If it was moved or removed, so that what is written next would stand alone.
    pub fn check_place(&self) -> Result<(), StoreError> {
        self.writer.as_ref().map_or(Ok(()), Writer::check_place)
    }

    /// Names, in the manifest, the numerical paths the members really took: what an engine says of
    /// itself cannot know every network and precision.
    ///
    /// # Errors
    /// If the disk refuses.
    pub fn name_paths(&mut self) -> Result<(), StoreError> {
        let summaries = self.view.members().values().filter_map(|member| member.summary.as_ref());
        let paths: BTreeSet<&str> = summaries.map(|summary| summary.path.as_str()).collect();
        let Some((device, _)) = self.manifest.run.engine.split_once(", ") else { return Ok(()) };
        if paths.is_empty() {
            return Ok(());
        }
        let paths: Vec<&str> = paths.into_iter().collect();
        let engine = format!("{device}, {}", paths.join(" and "));
        if engine != self.manifest.run.engine {
            self.manifest.run.engine = engine;
            self.manifest.write(&self.folder)?;
        }
        Ok(())
    }

    /// Stores one attempt at a member, its predictions first; on the disk when it returns.
    ///
    /// # Errors
    /// If the disk refuses or the folder was opened for reading.
    pub fn append_member(
        &mut self,
        record: MemberRecord,
        predictions: Option<&Predictions>,
    ) -> Result<(), StoreError> {
        self.append_whole(record, predictions, None)
    }

    fn append_whole(
        &mut self,
        record: MemberRecord,
        predictions: Option<&Predictions>,
        weights: Option<&[u8]>,
    ) -> Result<(), StoreError> {
        let (writer, _) = self.parts()?;
        let checksum = predictions
            .map(|predictions| {
                writer.write_predictions(&record.id, predictions, Durability::Flushed)
            })
            .transpose()?;
        let weights = weights
            .map(|bytes| writer.write_weights(&record.id, bytes, Durability::Flushed))
            .transpose()?;
        self.append(Entry {
            member: Some(record),
            predictions: checksum,
            weights,
            ..Entry::default()
        })
    }

    /// Stores one trial; on the disk when it returns.
    ///
    /// # Errors
    /// If the disk refuses or the folder was opened for reading.
    pub fn append_trial(&mut self, record: TrialRecord) -> Result<(), StoreError> {
        self.append(record.into())
    }

    fn append(&mut self, entry: Entry) -> Result<(), StoreError> {
        let (writer, view) = self.parts()?;
        let position = writer.append(std::slice::from_ref(&entry))?;
        writer.flush(position)?;
        view.add(entry);
        Ok(())
    }

    /// Copies those of `members` that `other` has finished and this store has not, with their
    /// predictions and, where there are sound ones, their weights. Returns the copied ones.
    ///
    /// Members whose predictions are missing or damaged there are left out.
    ///
    /// # Errors
    /// If the disk refuses or the folder was opened for reading.
    pub fn import_from(
        &mut self,
        other: &Self,
        members: impl IntoIterator<Item = MemberId>,
    ) -> Result<Vec<MemberId>, StoreError> {
        let is_final = |record: &&MemberRecord| record.outcome.is_final();
        let mut imported = Vec::new();
        for id in members {
            if self.members().get(&id).is_some_and(|record| record.outcome.is_final()) {
                continue;
            }
            let Some(record) = other.members().get(&id).filter(is_final) else { continue };
            let predictions = match other.view.predictions(&id).map(|_| other.predictions(&id)) {
                Some(Err(_)) => continue,
                Some(Ok(predictions)) => Some(predictions),
                None => None,
            };
            let weights = other.weights(&id).ok();
            self.append_whole(record.clone(), predictions.as_ref(), weights.as_deref())?;
            imported.push(id);
        }
        Ok(imported)
    }
}

impl Writer {
    /// Appends entries in order. They survive a killed process from now on, and a loss of power
    /// once [`Writer::flush`] has returned.
    ///
    /// # Errors
    /// If the disk refuses; the journal then takes no more entries.
    pub fn append(&self, entries: &[Entry]) -> Result<Position, StoreError> {
        let session = self.session.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(session) = session {
            let _ = self.journal.append(&[Entry { session: Some(session), ..Entry::default() }])?;
        }
        self.journal.append(entries)
    }

    /// Returns once everything up to `position` is on the disk; one flush serves all waiting
    /// workers.
    ///
    /// # Errors
    /// If the disk refuses.
    pub fn flush(&self, position: Position) -> Result<(), StoreError> {
        self.journal.flush(position)
    }

    /// Finds out whether the folder still is where it was opened.
    ///
    /// # Errors
    /// If it was moved or removed.
    pub fn check_place(&self) -> Result<(), StoreError> {
        self.journal.check_place()
    }

    /// Writes the predictions of a member and returns the checksum for its journal entry.
    ///
    /// # Errors
    /// If the disk refuses.
    pub fn write_predictions(
        &self,
        member: &MemberId,
        predictions: &Predictions,
        durability: Durability,
    ) -> Result<Digest, StoreError> {
        let bytes = encode_predictions(predictions);
        atomic::write_with(&predictions_path(&self.folder, member), &bytes, durability)?;
        Ok(digest_of(&bytes))
    }

    /// Reads the predictions of a member and holds them against their checksum.
    ///
    /// # Errors
    /// If they are missing or differ.
    pub fn read_predictions(
        &self,
        member: &MemberId,
        checksum: Option<&Digest>,
    ) -> Result<Predictions, StoreError> {
        read_predictions(&self.folder, member, checksum)
    }

    /// Writes the weights of a member and returns the checksum for its journal entry.
    ///
    /// # Errors
    /// If the disk refuses.
    pub fn write_weights(
        &self,
        member: &MemberId,
        weights: &[u8],
        durability: Durability,
    ) -> Result<Digest, StoreError> {
        weights::write(&self.folder, member, weights, durability)
    }

    /// Reads the weights of a member and holds them against their checksum.
    ///
    /// # Errors
    /// If they were not kept, are missing or differ.
    pub fn read_weights(
        &self,
        member: &MemberId,
        checksum: Option<&Digest>,
    ) -> Result<Vec<u8>, StoreError> {
        weights::read(&self.folder, member, checksum)
    }

    /// Saves the state of an attempt between two epochs.
    ///
    /// # Errors
    /// If the disk refuses.
    pub fn save_checkpoint(
        &self,
        member: MemberId,
        attempt: u32,
        state: &[u8],
    ) -> Result<(), StoreError> {
        checkpoint::save(&self.folder, member, attempt, state)
    }

    /// Returns the saved state of this attempt, if there is a usable one.
    #[must_use]
    pub fn load_checkpoint(&self, member: &MemberId, attempt: u32) -> Option<Vec<u8>> {
        checkpoint::load(&self.folder, member, attempt)
    }

    /// Removes the saved state of a member, if any.
    pub fn remove_checkpoint(&self, member: &MemberId) {
        checkpoint::remove(&self.folder, member);
    }
}

fn predictions_path(folder: &Path, member: &MemberId) -> PathBuf {
    folder.join("predictions").join(format!("{member}.safetensors"))
}

fn read_predictions(
    folder: &Path,
    member: &MemberId,
    checksum: Option<&Digest>,
) -> Result<Predictions, StoreError> {
    let path = predictions_path(folder, member);
    let read = || {
        let expected = *checksum.ok_or(PredictionsError::Unknown)?;
        let bytes = fs::read(&path).map_err(|source| PredictionsError::Read {
            path: path.display().to_string(),
            source,
        })?;
        let found = digest_of(&bytes);
        if found != expected {
            return Err(PredictionsError::Checksum { found, expected });
        }
        decode_predictions(&bytes)
    };
    read().map_err(|source| StoreError::Predictions { member: *member, source })
}

fn create_folder(folder: &Path) -> Result<(), StoreError> {
    // `a/./` would be looked for below an `a` that is not there yet.
    let plain: PathBuf = folder.components().collect();
    fs::create_dir_all(plain).map_err(StoreError::io("create the folder", folder))
}

fn existing_manifest(folder: &Path) -> Result<Manifest, StoreError> {
    Manifest::read(folder)?.ok_or_else(|| StoreError::NotAStore { folder: folder.to_owned() })
}

fn next_manifest(folder: &Path, run: ManifestDraft) -> Result<Manifest, StoreError> {
    let expected = run.name.clone();
    let manifest = Manifest::begin(run);
    match Manifest::read(folder)? {
        Some(before) if before.run.name != expected => Err(StoreError::OtherExperiment {
            folder: folder.to_owned(),
            found: before.run.name,
            expected,
        }),
        Some(before) => Ok(Manifest { created: before.created, ..manifest }),
        None => Ok(manifest),
    }
}

/// Reads all journals in the order of their names, and says how many bytes of each.
fn read_view(folder: &Path) -> Result<(View, BTreeMap<String, u64>), StoreError> {
    let mut view = View::default();
    let mut extent = BTreeMap::new();
    for (name, path) in journal_files(folder)? {
        let content = journal::read(&path)?;
        content.entries.into_iter().for_each(|entry| view.add(entry));
        extent.insert(name, content.valid_length);
    }
    Ok((view, extent))
}

/// Returns the length in bytes of each journal file of a folder, by name.
///
/// # Errors
/// If the folder cannot be read.
pub fn journal_lengths(folder: &Path) -> Result<BTreeMap<String, u64>, StoreError> {
    let length = |(name, path): (String, PathBuf)| {
        let facts = fs::metadata(&path).map_err(StoreError::io("read", &path))?;
        Ok((name, facts.len()))
    };
    journal_files(folder)?.into_iter().map(length).collect()
}

/// Returns the journal files of a folder by name; none where it has no journals.
fn journal_files(folder: &Path) -> Result<BTreeMap<String, PathBuf>, StoreError> {
    let journals = folder.join("journal");
    let entries = match fs::read_dir(&journals) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(BTreeMap::new()),
        Err(error) => return Err(StoreError::io("read the folder", &journals)(error)),
    };
    let mut files = BTreeMap::new();
    for entry in entries {
        let path = entry.map_err(StoreError::io("read the folder", &journals))?.path();
        if path.extension() == Some(OsStr::new("jsonl"))
            && let Some(name) = path.file_name()
        {
            files.insert(name.to_string_lossy().into_owned(), path);
        }
    }
    Ok(files)
}

#[cfg(test)]
#[path = "folder_tests.rs"]
mod tests;
