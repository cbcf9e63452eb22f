//! A results folder, open for reading or for writing.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use super::atomic::Durability;
use super::derived::{Derived, End};
use super::error::StoreError;
use super::index::Index;
use super::journal::{self, Entry, EpochsOf, Reading, Run};
use super::lock::Lock;
use super::manifest::{Manifest, ManifestDraft};
use super::origin::Session;
use super::parts::PartReader;
use super::view::{Member, Trials, View};
use super::writer::{Finished, Writer};
use super::{atomic, damaged, inside, weights};
use crate::base::MemberId;
use crate::record::{EpochRecord, Predictions};

/// A results folder.
pub struct Store {
    folder: PathBuf,
    /// As the first run wrote it.
    first: Manifest,
    manifest: Manifest,
    view: View,
    /// Journals that were read and the bytes of their whole lines, by the index in the view.
    files: Vec<(PathBuf, u64)>,
    /// Lines that were found damaged by this opening, for the first time.
    damages: usize,
    writer: Option<Writer>,
}

impl Store {
    /// Opens a folder for writing, creates it if need be, and notes what is asked of it.
    ///
    /// Damaged lines of journals are listed and otherwise as good as absent; a damaged manifest is
    /// written anew where a journal says what was asked.
    ///
    /// # Errors
    /// If another process of this machine writes there, it holds another experiment, a file is of a
    /// later version, or the disk refuses.
    pub fn open_writer(folder: &Path, run: ManifestDraft) -> Result<Self, StoreError> {
        create_folder(folder)?;
        inside::check_folders(folder)?;
        let lock = Lock::acquire(folder)?;
        Self::open_unlocked(folder, run, Some(lock))
    }

    /// Opens a folder as [`Store::open_writer`] does, for one of several processes that write there.
    ///
    /// # Errors
    /// As [`Store::open_writer`].
    pub(crate) fn open_shared(folder: &Path, run: ManifestDraft) -> Result<Self, StoreError> {
        create_folder(folder)?;
        inside::check_folders(folder)?;
        Self::open_unlocked(folder, run, None)
    }

    /// Opens a folder for one of several processes that write there, without reading any journal:
    /// what is to be done, somebody else has found out.
    ///
    /// # Errors
    /// If it has no manifest, or its manifest is damaged or of a later version.
    pub(crate) fn join(folder: &Path, run: &ManifestDraft) -> Result<Self, StoreError> {
        inside::check_folders(folder)?;
        let first = Manifest::read_file(folder)?
            .ok_or_else(|| StoreError::NotAStore { folder: folder.to_owned() })?;
        let mut store = Self::over(folder, first, Reading::default());
        store.writer = Some(Writer::new(folder, Session::begin(run), None));
        Ok(store)
    }

    /// Reads what the journals with these names say; those that are not there say nothing.
    ///
    /// # Errors
    /// If one cannot be read or is of a later version.
    pub(crate) fn view_of(folder: &Path, journals: &[String]) -> Result<View, StoreError> {
        let path = |name: &String| folder.join("journal").join(format!("{name}.jsonl"));
        let named = journals.iter().filter(|name| crate::base::is_file_name(name));
        let paths: Vec<PathBuf> = named.map(path).filter(|path| path.is_file()).collect();
        Ok(journal::read_some(&paths)?.view)
    }

    /// Returns the batches that the process of a journal took and has neither settled nor left.
    ///
    /// # Errors
    /// If the journal cannot be read.
    pub(crate) fn open_claims(folder: &Path, journal: &str) -> Result<Vec<String>, StoreError> {
        let path = folder.join("journal").join(format!("{journal}.jsonl"));
        if !crate::base::is_file_name(journal) || !path.is_file() {
            return Ok(Vec::new());
        }
        let bytes = inside::read(&path).map_err(StoreError::io("read", &path))?;
        let mut claims = Vec::new();
        for line in bytes.split(|&byte| byte == b'\n') {
            let Ok(entry) = serde_json::from_slice::<journal::ClaimsOf>(line) else { continue };
            claims.extend(entry.claim);
            claims.retain(|claim| entry.settled.as_ref() != Some(claim));
        }
        Ok(claims)
    }

    fn open_unlocked(
        folder: &Path,
        run: ManifestDraft,
        lock: Option<Lock>,
    ) -> Result<Self, StoreError> {
        let Reading { view, files, damages } = journal::read_all(folder)?;
        let new = damaged::unlisted(folder, damages.clone());
        let found = match Manifest::read_file(folder) {
            Err(StoreError::DamagedManifest { .. }) if view.asked().is_some() => None,
            found => found?,
        };
        let known = found.as_ref().map(|manifest| &manifest.run).filter(|_| view.asked().is_none());
        let known = view.asked().or(known);
        if let Some(before) = known.filter(|before| before.name != run.name) {
            return Err(StoreError::OtherExperiment {
                folder: folder.to_owned(),
                found: before.name.clone(),
                expected: run.name,
            });
        }
        // The first word of the journals is said also where it is that of the manifest, so that a
        // lost manifest can be written anew.
        let is_news = view.asked().is_none_or(|before| !before.asks_like(&run));
        let session = Session::begin(&run);
        let first = match found {
            Some(manifest) => manifest,
            None => create_manifest(folder, &run, &view)?,
        };
        if !new.is_empty() {
            damaged::write(folder, &damages)?;
        }
        let writer = Writer::new(folder, session, lock);
        let mut store = Self::over(folder, first, Reading { view, files, damages: new });
        if is_news {
            let run = Box::new(Run { revision: store.view.revision() + 1, asked: run });
            let entry = Entry { run: Some(run), ..Entry::default() };
            let position = writer.add(&mut store.view, &entry)?;
            writer.flush(position)?;
        }
        store.writer = Some(writer);
        store.complete_manifest();
        Ok(store)
    }

    /// Opens a folder for reading; nothing in it is touched, also while others write.
    ///
    /// # Errors
    /// If it has no manifest, or a file is damaged or of a later version.
    pub fn open_reader(folder: &Path) -> Result<Self, StoreError> {
        inside::check_folders(folder)?;
        let first = Manifest::read_file(folder)?
            .ok_or_else(|| StoreError::NotAStore { folder: folder.to_owned() })?;
        let mut reading = journal::read_all(folder)?;
        reading.damages = damaged::unlisted(folder, reading.damages);
        match damaged::error(&reading.damages) {
            Some(error) => Err(error),
            None => Ok(Self::over(folder, first, reading)),
        }
    }

    fn over(folder: &Path, first: Manifest, reading: Reading) -> Self {
        let files = reading.files.into_iter().map(|file| (file.path, file.length)).collect();
        let mut store = Self {
            folder: folder.to_owned(),
            manifest: first.clone(),
            first,
            view: reading.view,
            files,
            damages: reading.damages.len(),
            writer: None,
        };
        store.complete_manifest();
        store
    }

    /// Completes the manifest by what the journals say now.
    pub(crate) fn complete_manifest(&mut self) {
        let summaries = self.view.members().values().filter_map(|member| member.summary.as_ref());
        let paths = summaries.map(|summary| summary.path.as_str());
        let last = self.view.sessions().next_back();
        self.manifest = self.first.clone().completed(self.view.asked(), last, paths);
    }

    /// Returns the folder.
    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    /// Returns the manifest, completed by what later runs asked.
    pub(crate) fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// Returns the latest word on every member and trial.
    pub(crate) fn view(&self) -> &View {
        &self.view
    }

    pub(super) fn view_mut(&mut self) -> &mut View {
        &mut self.view
    }

    /// Returns the latest record of every member.
    #[must_use]
    pub fn members(&self) -> &Index<MemberId, Member> {
        self.view.members()
    }

    /// Returns the latest record of every trial, also of cells no longer in the grid.
    #[must_use]
    pub fn trials(&self) -> Trials<'_> {
        self.view.trials()
    }

    /// Returns how many damaged lines this opening listed for the first time.
    pub(crate) fn damages(&self) -> usize {
        self.damages
    }

    /// Reads the epochs of the latest record of each of `members`, in their order.
    ///
    /// # Errors
    /// If a journal cannot be read or was changed since it was opened.
    ///
    /// # Panics
    /// Never: entries that are in no file that was found are in the journal of this process.
    pub fn epochs(
        &self,
        members: impl IntoIterator<Item = MemberId>,
    ) -> Result<Vec<Vec<EpochRecord>>, StoreError> {
        let own = self.writer.as_ref().and_then(Writer::own_journal);
        let path = |journal: u32| match self.files.get(journal as usize) {
            Some((path, _)) => path.as_path(),
            None => own.as_ref().expect("further entries are our own").path(),
        };
        let members: Vec<MemberId> = members.into_iter().collect();
        let mut found: Vec<(usize, &Member)> = members
            .iter()
            .enumerate()
            .filter_map(|(index, id)| Some((index, self.members().get(id)?)))
            .collect();
        // One journal after the other, from front to back.
        found.sort_by_key(|(_, member)| (member.location.journal, member.location.offset));
        let mut epochs = vec![Vec::new(); members.len()];
        let mut lines = journal::Lines::default();
        for (index, member) in found {
            let path = path(member.location.journal);
            let line = lines.read(path, member.location).map_err(StoreError::io("read", path))?;
            let read: Result<EpochsOf, _> = serde_json::from_slice(line);
            epochs[index] = match read {
                Ok(EpochsOf { member: found }) if found.id == member.id => found.epochs,
                _ => return Err(StoreError::Changed { path: path.to_owned() }),
            };
        }
        Ok(epochs)
    }

    /// Reads the predictions of a completed member.
    ///
    /// # Errors
    /// If they are missing or not what the journal says.
    pub fn predictions(&self, member: &MemberId) -> Result<Predictions, StoreError> {
        self.view.source(member).read(&self.folder, &mut PartReader::default())
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
    pub(crate) fn check_not_moved(&self) -> Result<(), StoreError> {
        self.writer.as_ref().map_or(Ok(()), Writer::check_not_moved)
    }

    /// Says that this process writes no more, and of what the tables, reports and charts that are
    /// now in the folder were made.
    ///
    /// # Errors
    /// If the disk refuses.
    pub(crate) fn conclude(&mut self) -> Result<(), StoreError> {
        if let Some(writer) = &self.writer {
            writer.end()?;
        }
        self.stamp()
    }

    /// Says of what the tables, reports and charts that are now in the folder were made.
    ///
    /// # Errors
    /// If the disk refuses.
    pub(crate) fn stamp(&self) -> Result<(), StoreError> {
        let own = self.writer.as_ref().and_then(Writer::own_journal);
        let own = own.as_ref().map(|journal| (journal.path(), journal.length()));
        let others = self.files.iter().map(|(path, length)| (path.as_path(), *length));
        let mut ends = BTreeMap::new();
        for (path, length) in others.chain(own) {
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            let end = End::at(path, length).map_err(StoreError::io("read", path))?;
            ends.insert(name, end);
        }
        Derived::write(&self.folder, self.manifest.clone(), ends)
    }

    /// Copies those of `members` that `other` has finished and this store has not, with their
    /// predictions and, where there are sound ones, their weights. Returns the copied ones.
    ///
    /// Members whose predictions are missing or damaged there are left out.
    ///
    /// # Errors
    /// If the disk refuses or the folder was opened for reading.
    pub(crate) fn import_from(
        &mut self,
        other: &Self,
        members: impl IntoIterator<Item = MemberId>,
    ) -> Result<Vec<MemberId>, StoreError> {
        let is_final = |store: &Self, id: &MemberId| {
            store.members().get(id).is_some_and(|record| record.outcome.is_final())
        };
        let wanted: Vec<MemberId> =
            members.into_iter().filter(|id| !is_final(self, id) && is_final(other, id)).collect();
        let epochs = other.epochs(wanted.iter().copied())?;
        let (writer, view) = self.parts()?;
        let mut reader = PartReader::default();
        let (mut imported, mut last) = (Vec::new(), None);
        for (id, epochs) in wanted.into_iter().zip(epochs) {
            let predictions = if other.view.has_predictions(&id) {
                match other.view.source(&id).bytes(&other.folder, &mut reader) {
                    Ok(bytes) => Some(bytes),
                    Err(_) => continue,
                }
            } else {
                None
            };
            let predictions = predictions
                .map(|bytes| writer.write_encoded(&bytes, Durability::Flushed))
                .transpose()?
                .map(journal::Stored::Part);
            let weights = other.weights(&id).ok();
            let weights = weights
                .map(|bytes| writer.write_weights(&id, &bytes, Durability::Flushed))
                .transpose()?;
            let record = other.members()[&id].record(epochs);
            let finished = Finished { record: &record, predictions, weights };
            last = Some(writer.add_member(view, &finished)?);
            imported.push(id);
        }
        last.map_or(Ok(()), |position| writer.flush(position))?;
        Ok(imported)
    }
}

fn create_folder(folder: &Path) -> Result<(), StoreError> {
    // `a/./` would be looked for below an `a` that is not there yet.
    let plain: PathBuf = folder.components().collect();
    atomic::retried(|| fs::create_dir_all(&plain))
        .map_err(StoreError::io("create the folder", folder))
}

/// Creates the manifest of a folder that has none or a damaged one, and returns the one that is
/// there then: another process may have been quicker.
fn create_manifest(
    folder: &Path,
    run: &ManifestDraft,
    view: &View,
) -> Result<Manifest, StoreError> {
    let mut manifest = Manifest::begin(run.clone());
    if let Some(first) = view.sessions().next() {
        manifest.created.clone_from(&first.started);
    }
    if manifest.publish(folder)? {
        return Ok(manifest);
    }
    match Manifest::read_file(folder) {
        Ok(Some(other)) if other.run.name == run.name => Ok(other),
        Ok(Some(other)) => Err(StoreError::OtherExperiment {
            folder: folder.to_owned(),
            found: other.run.name,
            expected: run.name.clone(),
        }),
        // A stale cache hides what is there.
        Ok(None) => Ok(manifest),
        Err(StoreError::DamagedManifest { .. }) => {
            manifest.mend(folder)?;
            Ok(manifest)
        }
        Err(error) => Err(error),
    }
}

#[cfg(test)]
#[path = "folder_tests.rs"]
mod tests;
