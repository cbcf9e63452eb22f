//! Cells to trials and members.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;

use super::effective::effective;
use super::identity::{NEUTRAL_ENSEMBLE, TrainingIdentity, member_id, trial_id};
use super::{Member, Plan, PlannedCell, PlannedDataset, SplitSizes, Trial};
use crate::base::{CellId, Digest, MemberId, Seed, SeedPath};
use crate::experiment::settings::{CommandSettings, DatasetSettings, Settings, TrainerSettings};
use crate::experiment::value::Value;

/// Why no plan could be drawn.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PlanError<C, D> {
    /// A cell does not resolve to settings.
    #[error(transparent)]
    Cell(C),
    /// A collection of images cannot be loaded.
    #[error(transparent)]
    Dataset(D),
}

/// A cell as the grid gives it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct CellDraft {
    /// Its id.
    pub id: CellId,
    /// Its name.
    pub name: String,
    /// The value of every axis that exists in it.
    pub assignment: Vec<(String, Value)>,
    /// Its settings.
    pub settings: Settings,
}

impl Plan {
    /// Draws the plan of `cells`, each with repeats of its own.
    ///
    /// `engine_revision` is part of every member's identity: results of another revision do not
    /// count. `images_of` is asked once for every distinct dataset, `program_of` for the digest of
    /// every program.
    ///
    /// # Errors
    /// The first cell that does not resolve, or the first dataset or program that cannot be read.
    pub(crate) fn from_repeats<C, D>(
        seed: Seed,
        engine_revision: &str,
        cells: impl IntoIterator<Item = Result<(CellDraft, Range<u32>), C>>,
        images_of: &mut dyn FnMut(&DatasetSettings) -> Result<ImageFacts, D>,
        program_of: &mut dyn FnMut(&CommandSettings) -> Result<Digest, D>,
    ) -> Result<Self, PlanError<C, D>> {
        let mut drawing = Drawing::new(engine_revision);
        for cell in cells {
            let (cell, repeats) = cell.map_err(PlanError::Cell)?;
            let facts =
                drawing.facts(&cell.settings.dataset, images_of).map_err(PlanError::Dataset)?;
            let program = match &cell.settings.trainer {
                TrainerSettings::Command(command) => {
                    Some(drawing.program(command, program_of).map_err(PlanError::Dataset)?)
                }
                _ => None,
            };
            drawing.add(cell, facts, program.as_ref(), seed, repeats);
        }
        Ok(drawing.plan)
    }
}

/// What is known of the images of some dataset settings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ImageFacts {
    /// Checksum of the collection.
    pub checksum: Digest,
    /// Sizes of the splits without `train-limit`; absent for results of earlier versions, whose
    /// members are told apart by settings that have no effect, too.
    pub sizes: Option<SplitSizes>,
}

/// Revisions of the engine whose members are named by their settings as typed.
const NAMED_AS_TYPED: [&str; 4] = ["1", "2", "3", "4"];

struct Drawing<'a> {
    plan: Plan,
    identity: TrainingIdentity<'a>,
    is_effective: bool,
    facts: Vec<(DatasetSettings, ImageFacts)>,
    /// Digests of distinct programs.
    programs: Vec<(CommandSettings, Digest)>,
    trainings: HashMap<Digest, Arc<Settings>>,
    members: HashMap<MemberId, usize>,
}

impl<'a> Drawing<'a> {
    fn new(engine_revision: &'a str) -> Self {
        Self {
            plan: Plan::default(),
            identity: TrainingIdentity::new(engine_revision),
            is_effective: !NAMED_AS_TYPED.contains(&engine_revision),
            facts: Vec::new(),
            programs: Vec::new(),
            trainings: HashMap::new(),
            members: HashMap::new(),
        }
    }

    fn facts<D>(
        &mut self,
        settings: &DatasetSettings,
        images_of: &mut dyn FnMut(&DatasetSettings) -> Result<ImageFacts, D>,
    ) -> Result<ImageFacts, D> {
        let typed = settings;
        let settings = DatasetSettings { train_limit: None, ..typed.clone() };
        // Neighbouring cells mostly share their images.
        if let Some((_, facts)) = self.facts.iter().rev().find(|(known, _)| *known == settings) {
            return Ok(*facts);
        }
        let facts = images_of(&settings)?;
        if !self.plan.datasets.iter().any(|known| known.holds(&settings)) {
            let checksum = facts.checksum;
            self.plan.datasets.push(PlannedDataset { settings: typed.clone(), checksum });
        }
        self.facts.push((settings, facts));
        Ok(facts)
    }

    fn program<D>(
        &mut self,
        settings: &CommandSettings,
        program_of: &mut dyn FnMut(&CommandSettings) -> Result<Digest, D>,
    ) -> Result<Digest, D> {
        if let Some((_, digest)) = self.programs.iter().rev().find(|(known, _)| known == settings) {
            return Ok(*digest);
        }
        let digest = program_of(settings)?;
        self.programs.push((settings.clone(), digest));
        Ok(digest)
    }

    fn add(
        &mut self,
        draft: CellDraft,
        facts: ImageFacts,
        program: Option<&Digest>,
        seed: Seed,
        repeats: Range<u32>,
    ) {
        let CellDraft { id, name, assignment, settings } = draft;
        let settings = Arc::new(settings);
        let used = if self.is_effective {
            Arc::new(effective(&settings, facts.sizes))
        } else {
            Arc::clone(&settings)
        };
        let training = self.identity.digest(&used, &facts.checksum, program);
        let trained =
            Arc::clone(self.trainings.entry(training).or_insert_with(|| neutral_ensemble(&used)));
        let ensemble = used.ensemble;
        let cell = self.plan.cells.len();
        for repeat in repeats {
            let members: Vec<usize> = (0..ensemble.size)
                .map(|index| {
                    self.member(&training, &trained, SeedPath::member(seed, repeat, index))
                })
                .collect();
            let ids = members.iter().map(|&index| self.plan.members[index].id);
            let trial = trial_id(&id, ensemble.combine, ids);
            self.plan.trials.push(Trial { id: trial, cell, repeat, members });
        }
        self.plan.cells.push(PlannedCell { id, name, assignment, settings });
    }

    fn member(
        &mut self,
        training: &Digest,
        settings: &Arc<Settings>,
        seed_path: SeedPath,
    ) -> usize {
        let id = member_id(training, &seed_path);
        *self.members.entry(id).or_insert_with(|| {
            self.plan.members.push(Member { id, settings: Arc::clone(settings), seed_path });
            self.plan.members.len() - 1
        })
    }
}

fn neutral_ensemble(settings: &Arc<Settings>) -> Arc<Settings> {
    if settings.ensemble == NEUTRAL_ENSEMBLE {
        return Arc::clone(settings);
    }
    Arc::new(Settings { ensemble: NEUTRAL_ENSEMBLE, ..Settings::clone(settings) })
}
