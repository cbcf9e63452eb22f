//! What the stored predictions of an experiment say, with pictures where the dataset is at hand.

use super::{Error, Images, Listener, Reading};
use crate::base::MemberId;
use crate::data;
use crate::experiment::settings::SplitSeed;
use crate::plan::Plan;
use crate::record::{Outcome, Predictions, TrialRecord};
use crate::report::compare::Examples;
use crate::report::predicted::{self, Predicted, Stored, TrialMembers};
use crate::results::ExperimentResults;
use crate::runner::predicted_classes;
use crate::store::Store;

/// Most networks whose predictions are read: beyond them a report would take minutes.
const MAX_MEMBERS: usize = 4_000;

/// Networks of ensembles up to which every text reads the predictions, for the table of ensembles.
const MAX_QUICK_NETWORKS: usize = 64;

/// Reads the predictions of all completed trials; nothing where none are stored.
pub(super) fn predicted(
    results: &ExperimentResults,
    plan: &Plan,
    store: &Store,
    images: &mut Images,
) -> Option<Predicted> {
    let trials = plan.trials.iter().filter(|trial| {
        let record = store.trials().get(&trial.id);
        record.is_some_and(|record| record.outcome == Outcome::Completed)
    });
    let trials: Vec<TrialMembers> = trials
        .map(|trial| TrialMembers { cell: trial.cell, members: trial.members.clone() })
        .collect();
    let stored = |member: usize| store.view().has_predictions(&plan.members[member].id);
    let count = (0..plan.members.len()).filter(|member| stored(*member)).count();
    if trials.is_empty() || count == 0 {
        return None;
    }
    if count > MAX_MEMBERS {
        return Some(too_many(count));
    }
    let classes = store.manifest().run.datasets.first().map(|facts| facts.classes.clone());
    let mut found = predicted::examine(
        results,
        Stored {
            trials,
            combine: plan.cells.iter().map(|cell| cell.settings.ensemble.combine).collect(),
            classes: classes.unwrap_or_default(),
            read: &mut |member| usable(store, &plan.members[member].id, &images.listener),
        },
    )?;
    if found.galleries.iter().any(|gallery| !gallery.items.is_empty())
        && let Err(problem) = add_pictures(&mut found, plan, images)
    {
        found.notes.push(format!("the galleries have no pictures: {problem}"));
    }
    Some(found)
}

/// Returns the predictions of a member; says of the first that cannot be used what is wrong with them.
pub(super) fn usable(store: &Store, member: &MemberId, listener: &Listener) -> Option<Predictions> {
    match store.predictions(member) {
        Ok(predictions) => Some(predictions),
        Err(error) => {
            if store.view().has_predictions(member) {
                let left_out = Error::of_store("stored predictions are left out", &error);
                listener.tell_of_predictions(left_out);
            }
            None
        }
    }
}

/// Says that there are too many predictions to be read.
fn too_many(count: usize) -> Predicted {
    Predicted {
        notes: vec![format!(
            "the predictions of {count} networks are more than a report reads ({MAX_MEMBERS}), so \
             it shows no ensembles, confusions or galleries"
        )],
        ..Predicted::default()
    }
}

/// Adds the images of the galleries, read from the dataset of their cell.
fn add_pictures(
    found: &mut Predicted,
    plan: &Plan,
    images: &mut Images,
) -> Result<(), data::DataError> {
    for gallery in &mut found.galleries {
        let settings = &plan.cells[gallery.cell].settings.dataset;
        let dataset = images.load(settings)?;
        let trial = plan.trials.iter().find(|trial| trial.cell == gallery.cell);
        let Some(member) = trial.and_then(|trial| trial.members.first()) else { continue };
        let path = plan.members[*member].seed_path;
        // The test images depend on no seed, so those of any network are those of all.
        let test = data::split(&dataset, &settings.split, settings.train_limit, path)?.test;
        for item in &mut gallery.items {
            let image = test.get(item.row).map(|image| *image as usize);
            if let Some(image) = image {
                let is_same = usize::from(dataset.labels[image]) == item.truth;
                item.picture = if is_same { Some(data::picture(&dataset, image)?) } else { None };
            }
        }
    }
    Ok(())
}

/// Returns whether an experiment is about ensembles, of so few networks that nobody waits long.
pub(crate) fn has_few_ensembles(results: &ExperimentResults) -> bool {
    const KEY: &str = "ensemble.size";
    let is_set = results.facts.base.get(KEY).is_some_and(|size| size.as_whole() != Some(1));
    (results.axis(KEY).is_some() || is_set) && results.curves.len() <= MAX_QUICK_NETWORKS
}

impl Reading {
    /// Returns what the stored predictions say; nothing where none are stored.
    ///
    /// # Errors
    /// If the journals cannot be read.
    pub(crate) fn predicted(&self, images: &mut Images) -> Result<Option<Predicted>, Error> {
        if !self.may_have_predictions() {
            return Ok(None);
        }
        let members = self.results.curves.len();
        if members > MAX_MEMBERS {
            return Ok(Some(too_many(members)));
        }
        let stored = self.stored()?;
        Ok(stored.and_then(|(store, plan)| predicted(&self.results, plan, store, images)))
    }

    /// Reads what the completed trials of a cell predict; nothing where predictions are missing.
    pub(crate) fn examples(&self, cell: usize, listener: &Listener) -> Option<Examples> {
        let (store, plan) = match self.stored() {
            Ok(stored) => stored?,
            Err(error) => {
                listener.tell_of_predictions(error);
                return None;
            }
        };
        let settings = &plan.cells[cell].settings;
        let split = &settings.dataset.split;
        let checksum = plan.datasets.iter().find(|known| known.holds(&settings.dataset))?.checksum;
        let fixed = match split.seed {
            SplitSeed::Fixed(seed) => Some(seed),
            SplitSeed::Trial | SplitSeed::Member => None,
        };
        let mut examples = Examples {
            images: format!("{checksum} {:?} {:?} {fixed:?}", split.test, split.stratify),
            ..Examples::default()
        };
        for trial in plan.trials.iter().filter(|trial| trial.cell == cell) {
            let completed = |found: &&TrialRecord| found.outcome == Outcome::Completed;
            if !store.trials().get(&trial.id).as_ref().is_some_and(completed) {
                continue;
            }
            let members: Vec<Predictions> = trial
                .members
                .iter()
                .map(|&member| usable(store, &plan.members[member].id, listener))
                .collect::<Option<_>>()?;
            let labels = &members.first()?.test_labels;
            if examples.labels.is_empty() {
                examples.labels.clone_from(labels);
            }
            if examples.labels != *labels {
                return None;
            }
            examples.trials.push(predicted_classes(&members, settings.ensemble.combine)?);
        }
        Some(examples)
    }
}
