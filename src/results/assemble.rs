//! Results from a plan and the store that holds its trials.

use std::collections::HashMap;

use super::axes::{collect_axes, declared_axes};
use super::facts::Facts;
use super::model::Summaries;
use super::model::{CellResults, ExperimentResults, MemberCurve, PATH_SEPARATOR, TrialRow};
use crate::base::{Metric, Metrics};
use crate::experiment::Axis;
use crate::plan::{Member, Plan, Trial};
use crate::record::Outcome;
use crate::store::{Store, StoreError};

/// Collects what the store knows of the trials of `plan`, with the epochs of their members.
///
/// # Errors
/// If the epochs cannot be read, or a trial has a value that its metric cannot have.
pub fn assemble(plan: &Plan, store: &Store) -> Result<ExperimentResults, StoreError> {
    let curves = curves(plan, store)?;
    let results = assemble_trials(plan, store);
    match impossible(&results).or_else(|| impossible_epoch(&results, &curves)) {
        Some(problem) => Err(StoreError::Impossible { folder: store.folder().to_owned(), problem }),
        None => Ok(ExperimentResults { curves, ..results }),
    }
}

/// Says which epoch of which member has a value that its metric, as declared, cannot have.
fn impossible_epoch(results: &ExperimentResults, curves: &[MemberCurve]) -> Option<String> {
    curves.iter().find_map(|curve| {
        let mut epochs = curve.epochs.iter();
        let problem = epochs.find_map(|epoch| epoch.impossible(&results.facts.metrics))?;
        let (repeat, cell) = (curve.repeat, &results.cells[curve.cell].name);
        Some(format!("{problem} of member {}, in repeat {repeat} of cell `{cell}`", curve.member))
    })
}

/// Says which trial has a value that its metric, as declared, cannot have.
fn impossible(results: &ExperimentResults) -> Option<String> {
    let metrics = &results.facts.metrics;
    let trials = results.cells.iter().flat_map(|cell| cell.trials.iter().map(move |it| (cell, it)));
    trials.into_iter().find_map(|(cell, trial)| {
        let refusal = Metric::impossible(metrics, &trial.metrics)?;
        Some(format!("{refusal}, in repeat {} of cell `{}`", trial.repeat, cell.name))
    })
}

/// Collects what the store knows of the trials of `plan`, without the curves of their members.
#[must_use]
pub fn assemble_trials(plan: &Plan, store: &Store) -> ExperimentResults {
    let declared = declared_axes(store.manifest());
    let keys = axis_keys(plan, &declared);
    let indices: HashMap<&str, usize> =
        keys.iter().enumerate().map(|(index, key)| (key.as_str(), index)).collect();
    let mut cells: Vec<CellResults> = plan
        .cells
        .iter()
        .map(|cell| {
            let mut values = vec![None; keys.len()];
            for (key, value) in &cell.assignment {
                values[indices[key.as_str()]] = Some(value.plain());
            }
            CellResults {
                id: cell.id,
                name: cell.name.clone(),
                values,
                planned: 0,
                trials: Vec::new(),
            }
        })
        .collect();
    for trial in &plan.trials {
        let cell = &mut cells[trial.cell];
        cell.planned += 1;
        cell.trials.extend(trial_row(plan, store, trial));
    }
    for cell in &mut cells {
        cell.trials.sort_by_key(|trial| trial.repeat);
    }
    let axes = collect_axes(&keys, &declared, cells.iter().map(|cell| cell.values.as_slice()));
    let facts = Facts::of(store.manifest());
    let (curves, summaries) = (Vec::new(), Summaries::default());
    ExperimentResults { facts, axes, cells, curves, summaries }
}

/// Returns the keys of all axes: those of the experiment file first, in its order.
fn axis_keys(plan: &Plan, declared: &[Axis]) -> Vec<String> {
    let mut met: Vec<&str> = Vec::new();
    for (key, _) in plan.cells.iter().flat_map(|cell| &cell.assignment) {
        if !met.contains(&key.as_str()) {
            met.push(key);
        }
    }
    let rank = |key: &str| declared.iter().position(|axis| axis.key == key).unwrap_or(usize::MAX);
    met.sort_by_key(|key| rank(key));
    met.into_iter().map(str::to_owned).collect()
}

/// Returns what is known of a trial; nothing while it is still to be done.
///
/// A trial that was never scored has the outcome of its worst member once all of them have ended:
/// while one is still to be trained, so is the trial, whatever befell the others.
fn trial_row(plan: &Plan, store: &Store, trial: &Trial) -> Option<TrialRow> {
    let row = |outcome, reason, metrics| TrialRow {
        repeat: trial.repeat,
        id: trial.id.to_string(),
        outcome,
        metrics,
        reason,
        path: paths(plan, store, trial),
    };
    if let Some(record) = store.trials().get(&trial.id) {
        return Some(row(record.outcome, record.reason.clone(), record.metrics.clone()));
    }
    let members = trial.members.iter().map(|member| &plan.members[*member].id);
    let known = || members.clone().filter_map(|id| store.members().get(id));
    let worst = known().max_by_key(|record| record.outcome)?;
    let has_ended = worst.outcome == Outcome::Interrupted || known().count() == trial.members.len();
    (has_ended && worst.outcome != Outcome::Completed)
        .then(|| row(worst.outcome, worst.reason.as_deref().map(str::to_owned), Metrics::default()))
}

/// Returns the numerical paths of the completed members of a trial.
fn paths(plan: &Plan, store: &Store, trial: &Trial) -> Option<String> {
    let ids = trial.members.iter().map(|member| &plan.members[*member].id);
    let summaries = ids.filter_map(|id| store.members().get(id)?.summary.as_ref());
    let mut paths: Vec<&str> = Vec::new();
    for summary in summaries {
        if !paths.contains(&summary.path.as_str()) {
            paths.push(&summary.path);
        }
    }
    (!paths.is_empty()).then(|| paths.join(PATH_SEPARATOR))
}

fn curves(plan: &Plan, store: &Store) -> Result<Vec<MemberCurve>, StoreError> {
    let mut first_use: Vec<Option<(&Trial, usize)>> = vec![None; plan.members.len()];
    for trial in &plan.trials {
        for (index, member) in trial.members.iter().enumerate() {
            first_use[*member].get_or_insert((trial, index));
        }
    }
    let curve = |(member, used): (&Member, Option<(&Trial, usize)>)| {
        let (trial, index) = used?;
        let record = store.members().get(&member.id)?;
        let curve = MemberCurve {
            id: member.id.to_string(),
            cell: trial.cell,
            repeat: trial.repeat,
            member: index as u32,
            outcome: record.outcome,
            epochs: Vec::new(),
        };
        Some((member.id, curve))
    };
    let (ids, mut curves): (Vec<_>, Vec<MemberCurve>) =
        plan.members.iter().zip(first_use).filter_map(curve).unzip();
    for (curve, epochs) in curves.iter_mut().zip(store.epochs(ids)?) {
        curve.epochs = epochs;
    }
    Ok(curves)
}

#[cfg(test)]
#[path = "assemble_tests.rs"]
mod tests;
