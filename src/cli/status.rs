//! `bench status`: how far a results folder is.

use std::collections::BTreeMap;

use serde_json::json;

use super::arguments::StatusArguments;
use super::crew::Crew;
use super::failure::{Exit, Failure};
use crate::base::format;
use crate::plan::outstanding;
use crate::record::Outcome;
use crate::report::counted;
use crate::results::{TrialRow, assemble_trials};
use crate::runner::StoreProgress;
use crate::session::store_and_plan;

pub(super) fn status(arguments: &StatusArguments) -> Result<Exit, Failure> {
    show(arguments).map(|_| Exit::Done)
}

/// Prints how far a folder is; says whether nothing is left to do.
pub(super) fn show(arguments: &StatusArguments) -> Result<bool, Failure> {
    let (store, plan) = store_and_plan(&arguments.folder)?;
    let left = outstanding(&plan, &StoreProgress::new(store.view(), false));
    let results = assemble_trials(&plan, &store);
    let mut outcomes: BTreeMap<&str, usize> = BTreeMap::new();
    let mut reasons = Vec::new();
    let mut ended = 0;
    for (cell, trial) in
        results.cells.iter().flat_map(|cell| cell.trials.iter().map(move |t| (cell, t)))
    {
        *outcomes.entry(trial.outcome.name()).or_default() += 1;
        ended += usize::from(trial.outcome != Outcome::Interrupted);
        if trial.outcome != Outcome::Completed {
            reasons.push((&cell.name, trial));
        }
    }
    let crew = Crew::of(&store, left.members.len());
    let trials_left = plan.trials.len() - ended;
    let name = &store.manifest().run.name;
    let trained = plan.members.len() - left.members.len();
    if arguments.json {
        let value = json!({
            "name": name,
            "cells": plan.cells.len(),
            "trials": plan.trials.len(),
            "trials-by-outcome": outcomes,
            "trials-outstanding": trials_left,
            "members": plan.members.len(),
            "members-outstanding": left.members.len(),
            "workers": crew.json(),
        });
        out!("{}", format::STATUS.text(&value));
        return Ok(trials_left == 0);
    }
    outln!(
        "{name}   {}, {}, {}",
        counted(plan.cells.len(), "cell"),
        counted(plan.trials.len(), "trial"),
        counted(plan.members.len(), "member")
    );
    outln!("  members trained     {trained:>8} of {}", plan.members.len());
    for (outcome, count) in &outcomes {
        outln!("  trials {outcome:<12} {count:>8} of {}", plan.trials.len());
    }
    outln!("  trials outstanding  {trials_left:>8} of {}", plan.trials.len());
    for (cell, TrialRow { repeat, outcome, reason, .. }) in &reasons {
        let reason = reason.as_deref().unwrap_or("no reason recorded");
        outln!("  {} in cell `{cell}`, repeat {repeat}: {reason}", outcome.name());
    }
    crew.print();
    if trials_left > 0 && crew.alive() == 0 {
        outln!("run the experiment again to go on");
    }
    Ok(trials_left == 0)
}
