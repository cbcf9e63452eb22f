//! The settings of cells, section by section: what cells share is decoded once.

use std::collections::HashMap;

use twox_hash::XxHash3_128;

use super::draw::ImageFacts;
use super::effective::{self, Idles};
use super::identity::without_paths;
use crate::experiment::settings::{DatasetSettings, EnsembleSettings, Settings, TrainSettings};
use crate::experiment::{Document, SECTIONS};
use crate::grid::{Cell, Grid};

pub(super) const DATASET: usize = 0;
pub(super) const MODEL: usize = 1;
pub(super) const TRAIN: usize = 2;
const AUGMENT: usize = 3;
pub(super) const ENSEMBLE: usize = 4;
const TRAINER: usize = 5;
const HYPERPARAMETERS: usize = 6;

/// Decoded sections of one kind that are kept for later cells: beyond, they are decoded again.
const MAX_KEPT: usize = 65_536;

/// What a section of the settings means, as a hash: equal where settings are.
pub(super) type Meaning = u128;

/// The settings of the cell that was gone to last.
pub(super) struct CellSections<'d> {
    document: &'d Document,
    grid: &'d Grid,
    /// Settings of the cell.
    pub(super) settings: Settings,
    sections: [Section; SECTIONS.len()],
    /// Indices of images and their split, in the order met, by what the section means.
    images: HashMap<Meaning, u32>,
    image_count: u32,
    /// What the images used mean and how many train at most, by what the section means.
    used: HashMap<Meaning, (Meaning, Option<usize>)>,
    text: Vec<u8>,
}

#[derive(Default)]
struct Section {
    /// The axes whose keys lie in it.
    axes: Vec<usize>,
    /// The choices on these axes of the cell gone to last.
    choices: Vec<Option<u32>>,
    /// What the section means there.
    meaning: Meaning,
    kept: HashMap<Vec<Option<u32>>, (Part, Meaning)>,
}

/// A decoded section, put aside.
enum Part {
    Dataset(Box<DatasetSettings>),
    Model(crate::experiment::settings::ModelSettings),
    Train(Box<TrainSettings>),
    Augment(Box<crate::experiment::settings::AugmentSettings>),
    Ensemble(EnsembleSettings),
    Trainer(Box<crate::experiment::settings::TrainerSettings>),
    Hyperparameters(std::collections::BTreeMap<String, crate::experiment::value::Value>),
}

impl Part {
    fn of(section: usize, settings: &Settings) -> Self {
        match section {
            DATASET => Self::Dataset(Box::new(settings.dataset.clone())),
            MODEL => Self::Model(settings.model.clone()),
            TRAIN => Self::Train(Box::new(settings.train.clone())),
            AUGMENT => Self::Augment(Box::new(settings.augment.clone())),
            ENSEMBLE => Self::Ensemble(settings.ensemble),
            TRAINER => Self::Trainer(Box::new(settings.trainer.clone())),
            _ => Self::Hyperparameters(settings.hyperparameters.clone()),
        }
    }

    fn put_into(&self, settings: &mut Settings) {
        match self {
            Self::Dataset(dataset) => settings.dataset.clone_from(dataset),
            Self::Model(model) => settings.model.clone_from(model),
            Self::Train(train) => settings.train.clone_from(train),
            Self::Augment(augment) => settings.augment.clone_from(augment),
            Self::Ensemble(ensemble) => settings.ensemble = *ensemble,
            Self::Trainer(trainer) => settings.trainer.clone_from(trainer),
            Self::Hyperparameters(values) => settings.hyperparameters.clone_from(values),
        }
    }
}

impl<'d> CellSections<'d> {
    pub(super) fn new(document: &'d Document, grid: &'d Grid) -> Self {
        let mut sections: [Section; SECTIONS.len()] = Default::default();
        for (index, axis) in grid.axes.iter().enumerate() {
            let first = axis.key.split('.').next().unwrap_or_default();
            if let Some(section) = SECTIONS.iter().position(|name| *name == first) {
                sections[section].axes.push(index);
            }
        }
        let mut new = Self {
            document,
            grid,
            settings: document.experiment().base.clone(),
            sections,
            images: HashMap::new(),
            image_count: 0,
            used: HashMap::new(),
            text: Vec::new(),
        };
        for section in 0..SECTIONS.len() {
            new.sections[section].meaning = new.meaning(section);
            // Where no axis of a section exists, its base settings hold.
            let base = Part::of(section, &new.settings);
            let known = &mut new.sections[section];
            known.choices = vec![None; known.axes.len()];
            known.kept.insert(known.choices.clone(), (base, known.meaning));
        }
        new
    }

    /// Returns whether any axis varies a section.
    pub(super) fn varies(&self, section: usize) -> bool {
        !self.sections[section].axes.is_empty()
    }

    /// Returns what a section of the cell means.
    pub(super) fn meaning_in(&self, section: usize) -> Meaning {
        self.sections[section].meaning
    }

    /// Returns the index of the images and their split, without `train-limit`, in the order met.
    pub(super) fn images(&mut self) -> u32 {
        let dataset = self.sections[DATASET].meaning;
        if let Some(index) = self.images.get(&dataset) {
            return *index;
        }
        let limit = self.settings.dataset.train_limit.take();
        let meaning = match limit {
            None => dataset,
            Some(_) => self.meaning(DATASET),
        };
        self.settings.dataset.train_limit = limit;
        let next = self.image_count;
        let index = *self.images.entry(meaning).or_insert(next);
        self.image_count = next.max(index + 1);
        self.images.insert(dataset, index);
        index
    }

    /// Makes the settings those of `cell`; returns false if they cannot be decoded.
    pub(super) fn go_to(&mut self, cell: Cell<'_>) -> bool {
        (0..SECTIONS.len()).all(|section| self.go_to_section(section, cell))
    }

    fn go_to_section(&mut self, section: usize, cell: Cell<'_>) -> bool {
        let known = &mut self.sections[section];
        let is_same = known
            .axes
            .iter()
            .zip(&known.choices)
            .all(|(axis, choice)| cell.choice(*axis) == *choice);
        if is_same {
            return true;
        }
        for (axis, choice) in known.axes.iter().zip(&mut known.choices) {
            *choice = cell.choice(*axis);
        }
        // Where all axes lie in one section, no cell comes upon the choices of another.
        let recurs = known.axes.len() < self.grid.axes.len();
        let is_base = known.choices.iter().all(Option::is_none);
        if (recurs || is_base)
            && let Some((part, meaning)) = known.kept.get(&known.choices)
        {
            part.put_into(&mut self.settings);
            known.meaning = *meaning;
            return true;
        }
        let axes = &self.grid.axes;
        let assignment = known.axes.iter().filter_map(|axis| {
            let value = self.grid.value(cell, *axis)?;
            Some((axes[*axis].key.as_str(), value))
        });
        if !self.document.decode_section(SECTIONS[section], assignment, &mut self.settings) {
            return false;
        }
        let meaning = self.meaning(section);
        let known = &mut self.sections[section];
        known.meaning = meaning;
        if recurs && known.kept.len() < MAX_KEPT {
            let part = Part::of(section, &self.settings);
            known.kept.insert(known.choices.clone(), (part, meaning));
        }
        true
    }

    /// Returns what decides the training of the cell on images of these facts, and its ensemble,
    /// without what has no effect.
    pub(super) fn effective(
        &mut self,
        facts: ImageFacts,
        idles: Idles<'_>,
    ) -> (Meaning, EnsembleSettings) {
        let ensemble = effective::ensemble(self.settings.ensemble, idles);
        let [dataset, model, train, augment] =
            [DATASET, MODEL, TRAIN, AUGMENT].map(|section| self.sections[section].meaning);
        let [trainer, hyperparameters] =
            [TRAINER, HYPERPARAMETERS].map(|section| self.sections[section].meaning);
        if !effective::is_ours(&self.settings.trainer) {
            return (all([dataset, model, train, augment, trainer, hyperparameters]), ensemble);
        }
        let (dataset, limit) = if let Some(known) = self.used.get(&dataset) {
            *known
        } else {
            let mut used = without_paths(&self.settings.dataset);
            effective::dataset(&mut used, facts.sizes, idles);
            let meaning = meaning_of(&mut self.text, &(facts.checksum, &used));
            *self.used.entry(dataset).or_insert((meaning, used.train_limit))
        };
        let sizes = facts.sizes.map(|sizes| effective::limited(sizes, limit));
        let mut rules = self.settings.train.clone();
        effective::train(&mut rules, &self.settings.model.layers, sizes, idles);
        let train = if rules == self.settings.train {
            train
        } else {
            rules.time_limit = None;
            meaning_of(&mut self.text, &rules)
        };
        let mut varied = self.settings.augment.clone();
        effective::augment(&mut varied, idles);
        let augment = if varied == self.settings.augment {
            augment
        } else {
            meaning_of(&mut self.text, &varied)
        };
        (all([dataset, model, train, augment, trainer, hyperparameters]), ensemble)
    }

    /// Returns what a section of the settings means.
    fn meaning(&mut self, section: usize) -> Meaning {
        let (settings, text) = (&self.settings, &mut self.text);
        match section {
            DATASET => meaning_of(text, &settings.dataset),
            MODEL => meaning_of(text, &settings.model.layers),
            TRAIN => {
                meaning_of(text, &TrainSettings { time_limit: None, ..settings.train.clone() })
            }
            AUGMENT => meaning_of(text, &settings.augment),
            ENSEMBLE => meaning_of(text, &settings.ensemble),
            TRAINER => meaning_of(text, &settings.trainer),
            _ => {
                let canonical = |(key, value): (&String, &crate::experiment::value::Value)| {
                    (key.clone(), value.canonical())
                };
                let values: Vec<_> = settings.hyperparameters.iter().map(canonical).collect();
                meaning_of(text, &values)
            }
        }
    }
}

/// Returns what settings mean; `text` is room for them.
fn meaning_of(text: &mut Vec<u8>, settings: &impl serde::Serialize) -> Meaning {
    text.clear();
    serde_json::to_writer(&mut *text, settings).expect("settings serialise to JSON");
    XxHash3_128::oneshot(text)
}

/// Returns what sections mean together.
fn all(meanings: [Meaning; 6]) -> Meaning {
    let mut bytes = [0; 6 * size_of::<Meaning>()];
    for (part, meaning) in bytes.chunks_exact_mut(size_of::<Meaning>()).zip(meanings) {
        part.copy_from_slice(&meaning.to_le_bytes());
    }
    XxHash3_128::oneshot(&bytes)
}
