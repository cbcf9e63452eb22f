//! Trials and members of an experiment, what of them is outstanding, and what they will cost.
//!
//! Pure: trains nothing, reads no file. Members are shared: cells that differ only in how an
//! ensemble is formed use the same members, so an ensemble of fifteen contains those of one to
//! fourteen. Invariant: an id depends on what is trained and on its seeds, never on the position in
//! the grid, the order of keys, other cells or the number of workers.

mod averages;
mod draw;
mod effective;
mod estimate;
mod identity;
mod outstanding;
mod sections;
mod survey;
#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;
mod twins;

use std::sync::Arc;

use crate::base::{CellId, Digest, MemberId, SeedPath, TrialId};
use crate::experiment::settings::{DatasetSettings, Settings};
use crate::experiment::value::Value;

pub(crate) use averages::ShortAverages;
pub(crate) use draw::{CellDraft, ImageFacts, PlanError};
pub(crate) use effective::Idle;
pub(crate) use estimate::{Basis, Estimate, Facts, SplitSizes, estimate};
pub(crate) use outstanding::{MemberStanding, Outstanding, Progress, TrialStanding, outstanding};
pub(crate) use survey::{MAX_NETWORKS, Questions, Survey, SurveyError, survey};

/// Everything an experiment trains and scores, in the order of its grid.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Plan {
    /// The cells, in grid order.
    pub cells: Vec<PlannedCell>,
    /// The trials, cell by cell, repeats ascending.
    pub trials: Vec<Trial>,
    /// The distinct members, in the order in which trials first use them.
    pub members: Vec<Member>,
    /// The distinct collections of images, in the order of first use.
    pub datasets: Vec<PlannedDataset>,
}

/// One cell of the grid with its settings written out.
#[derive(Debug, Clone, PartialEq)]
pub struct PlannedCell {
    /// Its id, by the values of its axes.
    pub id: CellId,
    /// Its name, for example `augment.rotation=10 augment.shift=0.1`.
    pub name: String,
    /// The value of every axis that exists in this cell, in axis order.
    pub assignment: Vec<(String, Value)>,
    /// What is trained.
    pub settings: Arc<Settings>,
}

/// One repeat of one cell: the unit that is scored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trial {
    /// Its id, by its cell, its members and how they are combined.
    pub id: TrialId,
    /// Index of its cell in [`Plan::cells`].
    pub cell: usize,
    /// Index of the repeat within the cell, from 0.
    pub repeat: u32,
    /// Indices of its members in [`Plan::members`], in ensemble order.
    pub members: Vec<usize>,
}

/// One network to train: the unit that is scheduled and resumed.
#[derive(Debug, Clone, PartialEq)]
pub struct Member {
    /// Its id, by everything that decides its weights.
    pub id: MemberId,
    /// How it is trained; the ensemble settings are neutral (size 1), whatever its cells say.
    pub settings: Arc<Settings>,
    /// Where its random streams hang.
    pub seed_path: SeedPath,
}

/// A collection of images that some cell uses.
#[derive(Debug, Clone, PartialEq)]
pub struct PlannedDataset {
    /// Settings of the first cell that uses it; all but those of the split decide the collection.
    pub settings: DatasetSettings,
    /// Checksum of its content.
    pub checksum: Digest,
}

impl PlannedDataset {
    /// Returns whether `settings` mean the same collection of images, whatever the split.
    pub(crate) fn holds(&self, settings: &DatasetSettings) -> bool {
        self.settings.of_images() == settings.of_images()
    }
}

impl Plan {
    /// Returns the settings of the cell that `trial` belongs to.
    pub(crate) fn settings_of(&self, trial: &Trial) -> &Settings {
        &self.cells[trial.cell].settings
    }
}
