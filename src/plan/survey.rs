//! Looks at every cell of a grid once: checks it, counts what it trains, and finds cells that train
//! the same.
//!
//! Nothing is kept of a cell but what tells it from others. Sections of the settings that cells
//! share are decoded once, so a million cells cost seconds, not gigabytes.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::ops::Range;

use super::draw::ImageFacts;
use super::effective::{self, Idle};
use super::estimate::{Cost, Facts};
use super::sections::{CellSections, DATASET, ENSEMBLE, MODEL, Meaning};
use super::twins::{MAX_NAMED, TwinPair, Twins};
use super::{Basis, Estimate, ShortAverages, SplitSizes};
use crate::base::CellId;
use crate::experiment::settings::{Combine, DatasetSettings, Settings};
use crate::experiment::{Document, ExperimentError};
use crate::grid::Grid;

/// The most networks that the trials of an experiment may have, shared ones counted again.
pub(crate) const MAX_NETWORKS: u64 = 10_000_000;
/// Values without effect that are named.
const MAX_IDLE: usize = 20;
/// Doubts that are told.
const MAX_DOUBTS: usize = 5;

/// Checks settings of a cell, whose name is the second argument.
pub(crate) type Check<'a, E> = dyn FnMut(&Settings, &dyn Fn() -> String) -> Result<(), E> + 'a;

/// Returns the repeats of the cell whose id is the argument.
pub(crate) type RepeatsOf<'a> = dyn Fn(&dyn Fn() -> CellId) -> Option<Range<u32>> + 'a;

/// What a survey must be told.
pub(crate) struct Questions<'a, E> {
    /// Facts of the images under some dataset settings, which are without `train-limit`.
    pub images: &'a mut dyn FnMut(&DatasetSettings) -> Result<ImageFacts, E>,
    /// Checks that a network can be trained on its images, for the cell of this name; asked once
    /// for every combination of images, layers and rules that need certain images.
    pub check: &'a mut Check<'a, E>,
    /// The repeats of a cell; nothing where it is left out.
    pub repeats: &'a RepeatsOf<'a>,
    /// What the estimate must be told.
    pub facts: &'a Facts<'a>,
}

/// Why an experiment cannot be planned.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SurveyError<E> {
    /// A cell does not resolve to settings.
    #[error(transparent)]
    Cell(ExperimentError),
    /// Its images or its network stand in the way.
    #[error("a cell cannot be trained")]
    Images(E),
    /// Cells train the same networks.
    #[error(transparent)]
    Twins(Twins),
    /// There are too many networks.
    #[error(
        "its trials have more than {} networks in all",
        crate::base::grouped(u128::from(MAX_NETWORKS))
    )]
    TooMany,
}

/// What an experiment holds.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Survey {
    /// Number of cells.
    pub cells: usize,
    /// Number of trials.
    pub trials: u64,
    /// What all distinct members cost.
    pub estimate: Estimate,
    /// Fewest and most trials of a cell.
    pub repeats: (u32, u32),
    /// Distinct dataset settings without `train-limit`, with the sizes of their splits.
    pub datasets: Vec<(DatasetSettings, SplitSizes)>,
    /// Values that change nothing, the first few.
    pub idle: Vec<Idle>,
    /// What speaks against settings that can be trained all the same.
    pub doubts: Vec<String>,
}

/// Surveys every cell of `grid`, which was expanded from `document`.
///
/// # Errors
/// The first cell that does not resolve or cannot be trained; cells that train the same; more
/// networks than [`MAX_NETWORKS`].
pub(crate) fn survey<E>(
    document: &Document,
    grid: &Grid,
    questions: &mut Questions<'_, E>,
) -> Result<Survey, SurveyError<E>> {
    let mut counting = Counting::new(document, grid);
    for index in 0..grid.len() {
        counting.add(index, questions)?;
    }
    let mut survey = counting.finish()?;
    let workers = questions.facts.workers.max(1) as f64;
    survey.estimate.seconds = survey.estimate.seconds.map(|seconds| seconds / workers);
    Ok(survey)
}

/// A training that cells share.
struct Training {
    cost: Cost,
    /// Repeats and ensemble sizes that are asked for.
    uses: (Range<u32>, u32),
    /// The same, where they differ.
    more: Vec<(Range<u32>, u32)>,
}

impl Training {
    fn add(&mut self, repeats: Range<u32>, size: u32) {
        if self.uses.0 == repeats {
            self.uses.1 = self.uses.1.max(size);
        } else {
            self.more.push((repeats, size));
        }
    }

    /// Returns the number of distinct members: of every repeat the largest ensemble.
    fn members(&self) -> u64 {
        let all = || std::iter::once(&self.uses).chain(&self.more);
        let ends: BTreeSet<u32> =
            all().flat_map(|(repeats, _)| [repeats.start, repeats.end]).collect();
        let ends: Vec<u32> = ends.into_iter().collect();
        ends.windows(2)
            .map(|pair| {
                let holds = |(repeats, _): &&(Range<u32>, u32)| repeats.contains(&pair[0]);
                let size = all().filter(holds).map(|(_, size)| *size).max().unwrap_or(0);
                u64::from(pair[1] - pair[0]) * u64::from(size)
            })
            .sum()
    }
}

struct Counting<'d> {
    document: &'d Document,
    grid: &'d Grid,
    sections: CellSections<'d>,
    /// Facts of distinct dataset settings, by the index of the section without `train-limit`.
    images: Vec<(DatasetSettings, ImageFacts)>,
    checked: HashSet<(Meaning, Meaning, Option<usize>, [bool; 2])>,
    rates: HashMap<(u32, Meaning, u8), (Option<f64>, Basis)>,
    /// What every cell trains and how it forms ensembles, with its index.
    seen: Vec<((Meaning, u32, bool), u32)>,
    /// Trainings, where ensembles may share them.
    trainings: Vec<Training>,
    training_of: HashMap<Meaning, u32>,
    trials: u64,
    networks: u64,
    repeats: (u32, u32),
    cells: usize,
    total: Estimate,
    idle: BTreeSet<Idle>,
    doubts: BTreeSet<String>,
}

impl<'d> Counting<'d> {
    fn new(document: &'d Document, grid: &'d Grid) -> Self {
        Self {
            document,
            grid,
            sections: CellSections::new(document, grid),
            images: Vec::new(),
            checked: HashSet::new(),
            rates: HashMap::new(),
            seen: Vec::with_capacity(grid.len()),
            trainings: Vec::new(),
            training_of: HashMap::new(),
            trials: 0,
            networks: 0,
            repeats: (u32::MAX, 0),
            cells: 0,
            total: Estimate::nothing(),
            idle: BTreeSet::new(),
            doubts: BTreeSet::new(),
        }
    }

    fn add<E>(
        &mut self,
        index: usize,
        questions: &mut Questions<'_, E>,
    ) -> Result<(), SurveyError<E>> {
        let (document, grid) = (self.document, self.grid);
        let cell = grid.cell(index);
        let Some(repeats) = (questions.repeats)(&|| grid.id(cell)) else { return Ok(()) };
        if !self.sections.go_to(cell) || !document.is_consistent(&self.sections.settings) {
            // Decoding the cell by itself tells what is wrong with it.
            let problem = document.settings_for(grid.assignment(cell));
            return Err(SurveyError::Cell(problem.expect_err("the cell does not resolve")));
        }
        let facts = self.facts(questions).map_err(SurveyError::Images)?;
        let sizes = facts.sizes.unwrap_or_default();
        self.check(questions, &|| grid.name(cell)).map_err(SurveyError::Images)?;
        let idle = &mut self.idle;
        let is_idle_wanted = idle.len() < MAX_IDLE;
        let (key, ensemble) = self.sections.effective(facts, &mut |key, reason| {
            if is_idle_wanted {
                idle.insert(Idle { key, reason });
            }
        });
        let count = repeats.end - repeats.start;
        self.cells += 1;
        self.trials += u64::from(count);
        self.networks += u64::from(count) * u64::from(ensemble.size);
        if self.networks > MAX_NETWORKS {
            return Err(SurveyError::TooMany);
        }
        self.repeats = (self.repeats.0.min(count), self.repeats.1.max(count));
        let does_vote = ensemble.combine == Combine::Vote;
        self.seen.push(((key, ensemble.size, does_vote), index as u32));
        let cost = self.cost(sizes, questions.facts);
        if self.sections.varies(ENSEMBLE) {
            let next = self.trainings.len() as u32;
            let known = *self.training_of.entry(key).or_insert(next);
            if known == next {
                let uses = (repeats, ensemble.size);
                self.trainings.push(Training { cost, uses, more: Vec::new() });
            } else {
                self.trainings[known as usize].add(repeats, ensemble.size);
            }
        } else {
            self.total.add(&cost, u64::from(count) * u64::from(ensemble.size));
        }
        Ok(())
    }

    /// Finds the cells that mean the same as an earlier one.
    fn twins(&mut self) -> Twins {
        self.seen.sort_unstable();
        let groups = self.seen.chunk_by(|one, other| one.0 == other.0);
        let repeated = groups.flat_map(|group| group[1..].iter().map(|cell| (cell.1, group[0].1)));
        let mut repeated: Vec<(u32, u32)> = repeated.collect();
        repeated.sort_unstable();
        let named = repeated.iter().take(MAX_NAMED);
        let named = named.map(|&(cell, first)| self.pair(cell as usize, first as usize)).collect();
        Twins { count: repeated.len(), named }
    }

    /// Names two cells that mean the same, with the values that make no difference.
    fn pair(&mut self, index: usize, earlier: usize) -> TwinPair {
        self.sections.go_to(self.grid.cell(index));
        let images = self.images.get(self.sections.images() as usize);
        let sizes = images.and_then(|(_, facts)| facts.sizes).unwrap_or_default();
        let names = [index, earlier].map(|index| self.grid.name(self.grid.cell(index)));
        let [these, those] = [index, earlier].map(|index| self.reasons(index, sizes));
        let [cell, means] = names;
        // What is true of both alike does not tell them apart.
        TwinPair { cell, means, because: these.symmetric_difference(&those).cloned().collect() }
    }

    /// Returns the values of a cell that make no difference, with their reasons.
    fn reasons(&self, index: usize, sizes: SplitSizes) -> BTreeSet<String> {
        let assignment = self.grid.assignment(self.grid.cell(index));
        let idle = self
            .document
            .settings_for(assignment)
            .map_or_else(|_| Vec::new(), |settings| effective::idle(&settings, Some(sizes)));
        idle.into_iter().map(|one| format!("`{}`: {}", one.key, one.reason)).collect()
    }

    fn facts<E>(&mut self, questions: &mut Questions<'_, E>) -> Result<ImageFacts, E> {
        let index = self.sections.images() as usize;
        if let Some((_, facts)) = self.images.get(index) {
            return Ok(*facts);
        }
        let settings =
            DatasetSettings { train_limit: None, ..self.sections.settings.dataset.clone() };
        let facts = (questions.images)(&settings)?;
        self.images.push((settings, facts));
        Ok(facts)
    }

    fn check<E>(
        &mut self,
        questions: &mut Questions<'_, E>,
        name: &dyn Fn() -> String,
    ) -> Result<(), E> {
        let settings = &self.sections.settings;
        let stop = &settings.train.stop;
        let batch = settings.train.drop_last.then_some(settings.train.batch_size);
        let watches = stop.patience.is_some() || stop.restore_best;
        // A program takes images that no network would fit.
        let kinds = [watches, settings.trainer.has_networks()];
        let key =
            (self.sections.meaning_in(DATASET), self.sections.meaning_in(MODEL), batch, kinds);
        if !self.checked.insert(key) {
            return Ok(());
        }
        (questions.check)(settings, name)
    }

    fn cost(&mut self, sizes: SplitSizes, facts: &Facts<'_>) -> Cost {
        let images = self.sections.images();
        let settings = &self.sections.settings;
        let sizes = effective::limited(sizes, settings.dataset.train_limit);
        if self.doubts.len() < MAX_DOUBTS {
            self.doubts.extend(effective::doubt(settings, sizes));
            let short = ShortAverages::of(settings, sizes.train);
            self.doubts.extend(short.map(|short| short.to_string()));
        }
        let key = (images, self.sections.meaning_in(MODEL), settings.train.precision as u8);
        let (seconds, basis) =
            *self.rates.entry(key).or_insert_with(|| Cost::per_image(settings, facts));
        Cost::of_sizes(settings, sizes, seconds, basis)
    }

    fn finish<E>(mut self) -> Result<Survey, SurveyError<E>> {
        let twins = self.twins();
        if twins.count > 0 {
            return Err(SurveyError::Twins(twins));
        }
        for training in &self.trainings {
            self.total.add(&training.cost, training.members());
        }
        let known = |(settings, facts): (DatasetSettings, ImageFacts)| {
            (settings, facts.sizes.unwrap_or_default())
        };
        Ok(Survey {
            cells: self.cells,
            trials: self.trials,
            estimate: self.total,
            repeats: (self.repeats.0.min(self.repeats.1), self.repeats.1),
            datasets: self.images.into_iter().map(known).collect(),
            idle: self.idle.into_iter().take(MAX_IDLE).collect(),
            doubts: self.doubts.into_iter().collect(),
        })
    }
}
