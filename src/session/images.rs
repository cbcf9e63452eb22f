//! The datasets of a session: each loaded once, and what a reader of results must know of them.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::{Error, Listener, Notice};
use crate::base::{Seed, SeedPath};
use crate::data::{self, DataError, DataFolders, Dataset, Note};
use crate::experiment::settings::{CommandSettings, DatasetSettings};
use crate::plan::{ImageFacts, SplitSizes};
use crate::program::Digests;
use crate::store::ProgramFacts;

/// Datasets by what decides them, each loaded once.
pub(crate) struct Images {
    folders: DataFolders,
    loaded: HashMap<String, Arc<Dataset>>,
    /// Sizes of splits, of datasets that were split.
    split: Vec<(DatasetSettings, Seed, ImageFacts)>,
    /// By what was examined, in its order.
    examined: Vec<(String, Arc<Vec<Note>>)>,
    /// What the programs are that were looked at, each once.
    pub(super) programs: Vec<(CommandSettings, ProgramFacts)>,
    /// Digests of large files that are known; absent until they are asked for.
    pub(super) digests: Option<Digests>,
    /// The program that traces what a trial reads, where that is asked for.
    pub(super) strace: Option<PathBuf>,
    /// The folder of the results, which may know digests and what programs stand for.
    pub(super) results: Option<PathBuf>,
    /// Who is told of what is left out.
    pub(super) listener: Listener,
}

impl Images {
    /// Starts with nothing loaded.
    pub(crate) fn new(folders: DataFolders, listener: Listener) -> Self {
        Self {
            folders,
            loaded: HashMap::new(),
            split: Vec::new(),
            examined: Vec::new(),
            programs: Vec::new(),
            digests: None,
            results: None,
            strace: None,
            listener,
        }
    }

    /// Starts with nothing loaded, for the datasets of one experiment: its paths are relative to its
    /// file, where it was read from one.
    pub(crate) fn of(file: Option<&PathBuf>, folders: DataFolders, listener: Listener) -> Self {
        let beside = file.and_then(|file| file.parent()).map(Path::to_owned);
        Self::new(DataFolders { beside, ..folders }, listener)
    }

    /// Returns a dataset, loading it the first time.
    pub(crate) fn load(&mut self, settings: &DatasetSettings) -> Result<Arc<Dataset>, DataError> {
        let key = format!("{:?}", settings.of_images());
        if let Some(dataset) = self.loaded.get(&key) {
            return Ok(Arc::clone(dataset));
        }
        let dataset = Arc::new(data::load(settings, &self.folders)?);
        if !dataset.skipped.is_empty() {
            let (dataset, lines) = (dataset.name.clone(), dataset.skipped.clone());
            self.listener.tell(&Notice::Skipped { dataset, lines });
        }
        self.loaded.insert(key, Arc::clone(&dataset));
        Ok(dataset)
    }

    /// Returns what a plan must know of a dataset and its split, which is split the first time only.
    pub(crate) fn facts(
        &mut self,
        settings: &DatasetSettings,
        seed: Seed,
    ) -> Result<ImageFacts, Error> {
        let is_known =
            |known: &&(DatasetSettings, Seed, _)| known.0 == *settings && known.1 == seed;
        if let Some(&(.., facts)) = self.split.iter().find(is_known) {
            return Ok(facts);
        }
        let dataset = self.load(settings)?;
        let [train, validation, test] = split_sizes(settings, &dataset, seed)?;
        let classes = dataset.classes.len();
        let sizes = Some(SplitSizes { train, validation, test, classes });
        let facts = ImageFacts { checksum: dataset.checksum, sizes };
        self.split.push((settings.clone(), seed, facts));
        Ok(facts)
    }

    /// Returns what a reader of results must know of a dataset and its split.
    ///
    /// # Errors
    /// If it cannot be loaded or split, or nothing can be learned from it.
    pub(crate) fn examine(
        &mut self,
        settings: &DatasetSettings,
        seed: Seed,
    ) -> Result<Arc<Vec<Note>>, DataError> {
        let key = format!("{settings:?} {seed:?}");
        if let Some((_, notes)) = self.examined.iter().find(|(known, _)| *known == key) {
            return Ok(Arc::clone(notes));
        }
        let dataset = self.load(settings)?;
        let path = SeedPath::member(seed, 0, 0);
        let splits = data::split(&dataset, &settings.split, settings.train_limit, path)?;
        let mut notes = data::examine(&dataset, &splits)?;
        notes.extend(dataset.notes.iter().cloned());
        let notes = Arc::new(notes);
        self.examined.push((key, Arc::clone(&notes)));
        Ok(notes)
    }

    /// Returns what was found of all datasets that were examined, each sentence once.
    pub(crate) fn notes(&self) -> Vec<Note> {
        let mut notes: Vec<Note> = Vec::new();
        for note in self.examined.iter().flat_map(|(_, notes)| notes.iter()) {
            if !notes.contains(note) {
                notes.push(note.clone());
            }
        }
        notes
    }
}

/// Returns the sizes of the training, validation and test split.
pub(crate) fn split_sizes(
    settings: &DatasetSettings,
    dataset: &Dataset,
    seed: Seed,
) -> Result<[usize; 3], DataError> {
    let path = SeedPath::member(seed, 0, 0);
    let splits = data::split(dataset, &settings.split, settings.train_limit, path)?;
    Ok([splits.train.len(), splits.validation.len(), splits.test.len()])
}
