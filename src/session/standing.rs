//! How far a results folder is.

use std::collections::BTreeMap;
use std::path::Path;

use super::reading::has_journal;
use super::{Error, Reading, store_and_plan};
use crate::plan::outstanding;
use crate::record::Outcome;
use crate::results::{TrialRow, assemble_trials};
use crate::runner::StoreProgress;
use crate::store::Store;

/// How far a results folder is.
pub(crate) struct Standing {
    /// Its journals.
    pub(crate) store: Store,
    pub(crate) name: String,
    pub(crate) cells: usize,
    pub(crate) trials: usize,
    pub(crate) trials_left: usize,
    pub(crate) members: usize,
    pub(crate) members_left: usize,
    /// Trials by what became of them.
    pub(crate) outcomes: BTreeMap<&'static str, usize>,
    /// Trials that did not complete, each with the name of its cell.
    pub(crate) not_completed: Vec<(String, TrialRow)>,
    /// Completed trials of a folder without journals, which only tables hold.
    pub(crate) in_tables: Option<usize>,
}

impl Standing {
    /// Reads the journals in `folder`.
    pub(crate) fn of(folder: &Path) -> Result<Self, Error> {
        let (store, plan) = store_and_plan(folder)?;
        let left = outstanding(&plan, &StoreProgress::new(store.view(), false));
        let mut standing = Self {
            name: store.manifest().run.name.clone(),
            cells: plan.cells.len(),
            trials: plan.trials.len(),
            trials_left: plan.trials.len(),
            members: plan.members.len(),
            members_left: left.members.len(),
            outcomes: BTreeMap::new(),
            not_completed: Vec::new(),
            in_tables: completed_in_tables(folder),
            store,
        };
        for cell in assemble_trials(&plan, &standing.store).cells {
            for trial in cell.trials {
                *standing.outcomes.entry(trial.outcome.name()).or_default() += 1;
                standing.trials_left -= usize::from(trial.outcome != Outcome::Interrupted);
                if trial.outcome != Outcome::Completed {
                    standing.not_completed.push((cell.name.clone(), trial));
                }
            }
        }
        Ok(standing)
    }
}

/// Returns how many completed trials the tables of a folder without journals hold.
fn completed_in_tables(folder: &Path) -> Option<usize> {
    let reading = Some(folder).filter(|folder| !has_journal(folder)).map(Reading::open)?.ok()?;
    let trials = reading.results.cells.iter().flat_map(|cell| &cell.trials);
    Some(trials.filter(|trial| trial.outcome == Outcome::Completed).count())
}
