//! Everything of one cell.

use super::difference::flatten;
use super::{Error, LoadedExperiment, Reading};
use crate::experiment::selector::Selector;
use crate::report::cell::{CellSheet, NetworkLine, SettingLine};
use crate::report::confirm::best_cells;
use crate::results::ExperimentResults;

/// Cells that are listed where a selector means several.
const MAX_LISTED: usize = 12;
/// Fewest digits of an id that mean something.
const MIN_DIGITS: usize = 4;

/// Returns everything of the cell that `typed` means: values of axes, the beginning of an id, or
/// nothing for the best cell.
///
/// # Errors
/// If it means no cell, or several.
pub(crate) fn cell_sheet(reading: &Reading, typed: &str) -> Result<CellSheet, Error> {
    let index = cell(reading, typed)?;
    let (settings, networks) = (settings(reading, index)?, networks(reading, index)?);
    Ok(CellSheet::of(&reading.results, index, settings, networks))
}

/// Returns the cell that is meant: of these values, of this id, or the best.
pub(super) fn cell(reading: &Reading, typed: &str) -> Result<usize, Error> {
    let results = &reading.results;
    let shown = reading.folder().display();
    let cannot = || Error::input(format!("cannot show a cell of `{shown}`"));
    let text = typed.trim();
    if text.is_empty() {
        let best = best_cells(results, results.metric(), 1);
        return best.first().copied().or_else(|| only(results)).ok_or_else(|| {
            cannot()
                .because_of("no trial completed, so no cell is the best")
                .hint(Some(format!("name a cell, such as `bench show {shown} '{}'`", any(results))))
        });
    }
    let is_id = text.len() >= MIN_DIGITS && text.chars().all(|c| c.is_ascii_hexdigit());
    if is_id {
        let digits = text.to_lowercase();
        return of_id(reading, &digits)?.ok_or_else(|| {
            cannot()
                .because_of(format!(
                    "no cell, trial or network of it has an id that begins with `{text}`"
                ))
                .hint(Some(format!("`bench show {shown} --json` prints the ids of the best cell")))
        });
    }
    let selector: Selector = text.parse().map_err(|error| cannot().because(&error))?;
    let (_, cells) = results.choose(&selector).map_err(|error| cannot().because(&error))?;
    if let [one] = cells[..] {
        return Ok(one);
    }
    let mut names: Vec<&str> =
        cells.iter().map(|&cell| results.cells[cell].name.as_str()).collect();
    let more = names.len().saturating_sub(MAX_LISTED);
    names.truncate(MAX_LISTED);
    let more = if more > 0 { format!("\n… and {more} more") } else { String::new() };
    Err(cannot()
        .because_of(format!(
            "`{text}` means {} cells, expected one:\n{}{more}",
            cells.len(),
            names.join("\n")
        ))
        .hint(Some(format!("name all axes, such as `bench show {shown} '{}'`", names[0]))))
}

fn only(results: &ExperimentResults) -> Option<usize> {
    (results.cells.len() == 1).then_some(0)
}

fn any(results: &ExperimentResults) -> &str {
    results.cells.first().map_or("base", |cell| cell.name.as_str())
}

/// Returns the cell that an id, or the id of a trial or network of it, begins with these digits.
fn of_id(reading: &Reading, digits: &str) -> Result<Option<usize>, Error> {
    let results = &reading.results;
    let has = |id: &str| id.starts_with(digits);
    let named = results.cells.iter().position(|cell| {
        has(&cell.id.to_string()) || cell.trials.iter().any(|trial| has(&trial.id))
    });
    let trained = || results.curves.iter().find(|curve| has(&curve.id)).map(|curve| curve.cell);
    if let Some(found) = named.or_else(trained) {
        return Ok(Some(found));
    }
    let Some((_, plan)) = reading.stored()? else { return Ok(None) };
    let planned = plan.trials.iter().find(|trial| {
        has(&trial.id.to_string())
            || trial.members.iter().any(|&member| has(&plan.members[member].id.to_string()))
    });
    let id = planned.map(|trial| plan.cells[trial.cell].id);
    Ok(id.and_then(|id| results.cells.iter().position(|cell| cell.id == id)))
}

/// Returns every setting of a cell, in the order of the sections.
fn settings(reading: &Reading, index: usize) -> Result<Vec<SettingLine>, Error> {
    let assignment = reading.results.assignment(&reading.results.cells[index]);
    let document = LoadedExperiment::from_manifest(&reading.manifest)?.document;
    let pairs = assignment.iter().map(|(key, value)| (key.as_str(), value));
    let meant = serde_json::to_value(document.settings_for(pairs)?).expect("settings serialise");
    let mut lines = Vec::new();
    flatten("", &meant, &mut lines);
    let is_of_axis = |key: &str| {
        assignment.keys().any(|axis| {
            let below = |inner: &str, outer: &str| {
                inner
                    .strip_prefix(outer)
                    .is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
            };
            below(key, axis) || below(axis, key)
        })
    };
    Ok(lines
        .into_iter()
        .map(|(key, value)| SettingLine { is_of_axis: is_of_axis(&key), key, value })
        .collect())
}

/// Returns the networks of a cell in the order of its trials.
fn networks(reading: &Reading, index: usize) -> Result<Vec<NetworkLine>, Error> {
    let results = &reading.results;
    let id = results.cells[index].id;
    let drawn;
    let (view, plan) = if let Some((store, plan)) = reading.stored()? {
        (Some(store.view()), plan)
    } else {
        let manifest = &reading.manifest;
        drawn = LoadedExperiment::from_manifest(manifest)?.plan_of_results(manifest)?;
        (None, &drawn)
    };
    let mut lines = Vec::new();
    for trial in plan.trials.iter().filter(|trial| plan.cells[trial.cell].id == id) {
        for (number, &member) in trial.members.iter().enumerate() {
            let member = &plan.members[member].id;
            let text = member.to_string();
            let curve = results.curves.iter().find(|curve| curve.id == text);
            lines.push(NetworkLine {
                id: text,
                repeat: trial.repeat,
                member: number as u32,
                outcome: curve.map(|curve| curve.outcome),
                epochs: curve.map(|curve| curve.epochs.clone()).unwrap_or_default(),
                has_predictions: view.map(|view| view.has_predictions(member)),
                has_weights: view.map(|view| view.weights(member).is_some()),
            });
        }
    }
    Ok(lines)
}
