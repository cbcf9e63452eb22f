//! `bench status`: how far a results folder is.

use serde_json::json;

use super::arguments::StatusArguments;
use super::crew::Crew;
use super::failure::{Exit, Failure};
use crate::base::format;
use crate::report::counted;
use crate::results::TrialRow;
use crate::session::Standing;

pub(super) fn status(arguments: &StatusArguments) -> Result<Exit, Failure> {
    show(arguments).map(|_| Exit::Done)
}

/// Prints how far a folder is; says whether nothing is left to do.
pub(super) fn show(arguments: &StatusArguments) -> Result<bool, Failure> {
    let found = Standing::of(&arguments.folder)?;
    let crew = Crew::of(&found.store, found.members_left);
    if arguments.json {
        let value = json!({
            "name": found.name,
            "cells": found.cells,
            "trials": found.trials,
            "trials-by-outcome": found.outcomes,
            "trials-outstanding": found.trials_left,
            "members": found.members,
            "members-outstanding": found.members_left,
            "workers": crew.json(),
        });
        out!("{}", format::STATUS.text(&value));
        return Ok(found.trials_left == 0);
    }
    let Standing { name, cells, trials, members, .. } = &found;
    outln!(
        "{name}   {}, {}, {}",
        counted(*cells, "cell"),
        counted(*trials, "trial"),
        counted(*members, "member")
    );
    outln!("  members trained     {:>8} of {members}", members - found.members_left);
    for (outcome, count) in &found.outcomes {
        outln!("  trials {outcome:<12} {count:>8} of {trials}");
    }
    outln!("  trials outstanding  {:>8} of {trials}", found.trials_left);
    if let Some(in_tables) = found.in_tables {
        outln!(
            "  in tables alone     {in_tables:>8} of {trials}: there is no journal to go on from"
        );
    }
    for (cell, TrialRow { repeat, outcome, reason, .. }) in &found.not_completed {
        let reason = reason.as_deref().unwrap_or("no reason recorded");
        outln!("  {} in cell `{cell}`, repeat {repeat}: {reason}", outcome.name());
    }
    crew.print();
    if found.trials_left > 0 && crew.alive() == 0 {
        outln!(
            "run the experiment again to {}",
            if found.in_tables.is_some() { "train all of it anew" } else { "go on" }
        );
    }
    Ok(found.trials_left == 0)
}
