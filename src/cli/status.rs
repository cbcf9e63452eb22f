//! `bench status`: how far a results folder is.

use std::collections::BTreeMap;

use serde_json::json;

use super::arguments::StatusArguments;
use super::failure::{Exit, Failure};
use super::report::store_and_plan;
use crate::plan::outstanding;
use crate::record::Outcome;
use crate::runner::StoreProgress;

pub(super) fn status(arguments: &StatusArguments) -> Result<Exit, Failure> {
    let (store, plan) = store_and_plan(&arguments.folder)?;
    let left = outstanding(&plan, &StoreProgress::new(store.view(), 0));
    let mut outcomes: BTreeMap<&str, usize> = BTreeMap::new();
    let mut reasons = Vec::new();
    for trial in &plan.trials {
        let Some(record) = store.trials().get(&trial.id) else { continue };
        *outcomes.entry(record.outcome.name()).or_default() += 1;
        if record.outcome != Outcome::Completed {
            let reason = record.reason.clone().unwrap_or_default();
            reasons.push((
                plan.cells[trial.cell].name.clone(),
                trial.repeat,
                record.outcome,
                reason,
            ));
        }
    }
    let name = &store.manifest().run.name;
    let trained = plan.members.len() - left.members.len();
    if arguments.json {
        let value = json!({
            "name": name,
            "cells": plan.cells.len(),
            "trials": plan.trials.len(),
            "trials-by-outcome": outcomes,
            "trials-outstanding": left.trials.len(),
            "members": plan.members.len(),
            "members-outstanding": left.members.len(),
        });
        outln!("{value:#}");
        return Ok(Exit::Done);
    }
    outln!(
        "{name}   {} cells, {} trials, {} members",
        plan.cells.len(),
        plan.trials.len(),
        plan.members.len()
    );
    outln!("  members trained     {trained:>8} of {}", plan.members.len());
    for (outcome, count) in &outcomes {
        outln!("  trials {outcome:<12} {count:>8} of {}", plan.trials.len());
    }
    outln!("  trials outstanding  {:>8} of {}", left.trials.len(), plan.trials.len());
    for (cell, repeat, outcome, reason) in &reasons {
        outln!("  {} in cell `{cell}`, repeat {repeat}: {reason}", outcome.name());
    }
    if !left.trials.is_empty() {
        outln!("run the experiment again to go on");
    }
    Ok(Exit::Done)
}
