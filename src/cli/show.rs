//! `bench show`: everything of one cell.

use serde_json::Value as Json;

use super::arguments::ShowArguments;
use super::failure::{Exit, Failure};
use super::streams;
use super::terminal::Terminal;
use crate::base::format;
use crate::report::Page;
use crate::report::cell::{CellSheet, NetworkLine, SettingLine};
use crate::report::confirm::best_cells;
use crate::results::ExperimentResults;
use crate::session::{LoadedExperiment, Reading};
use crate::spec::selector::Selector;

/// Cells that are listed where a selector means several.
const MAX_LISTED: usize = 12;
/// Fewest digits of an id that mean something.
const LEAST_DIGITS: usize = 4;

pub(super) fn show(arguments: &ShowArguments, terminal: Terminal) -> Result<Exit, Failure> {
    let reading = Reading::open(&arguments.folder)?;
    let place = cell(arguments, &reading)?;
    let sheet = CellSheet::of(
        &reading.results,
        place,
        settings(&reading, place)?,
        networks(&reading, place)?,
    );
    if arguments.json {
        streams::document(format::CELL, &sheet);
    } else {
        out!("{}", sheet.render(Page { width: terminal.width, colour: terminal.color }));
    }
    Ok(Exit::Done)
}

/// Returns the cell that is meant: of these values, of this id, or the best.
fn cell(arguments: &ShowArguments, reading: &Reading) -> Result<usize, Failure> {
    let results = &reading.results;
    let shown = arguments.folder.display();
    let cannot = || Failure::input(format!("cannot show a cell of `{shown}`"));
    let typed = arguments.selector.join(" ");
    let text = typed.trim();
    if text.is_empty() {
        let best = best_cells(results, results.metric(), 1);
        return best.first().copied().or_else(|| only(results)).ok_or_else(|| {
            cannot()
                .because_of("no trial completed, so no cell is the best")
                .hint(Some(format!("name a cell, such as `bench show {shown} '{}'`", any(results))))
        });
    }
    let is_id = text.len() >= LEAST_DIGITS && text.chars().all(|c| c.is_ascii_hexdigit());
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
fn of_id(reading: &Reading, digits: &str) -> Result<Option<usize>, Failure> {
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
fn settings(reading: &Reading, place: usize) -> Result<Vec<SettingLine>, Failure> {
    let assignment = reading.results.assignment(&reading.results.cells[place]);
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

/// Writes every value of `json` that is no table, and every list of tables element by element,
/// under its dotted key; what is absent is left out.
pub(super) fn flatten(key: &str, json: &Json, out: &mut Vec<(String, Json)>) {
    let below = |name: &str| if key.is_empty() { name.to_owned() } else { format!("{key}.{name}") };
    match json {
        Json::Null => {}
        Json::Object(entries) => {
            for (name, value) in entries {
                flatten(&below(name), value, out);
            }
        }
        Json::Array(items) if items.iter().any(Json::is_object) => {
            for (index, item) in items.iter().enumerate() {
                flatten(&below(&(index + 1).to_string()), item, out);
            }
        }
        other => out.push((key.to_owned(), other.clone())),
    }
}

/// Returns the networks of a cell in the order of its trials.
fn networks(reading: &Reading, place: usize) -> Result<Vec<NetworkLine>, Failure> {
    let results = &reading.results;
    let id = results.cells[place].id;
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
        for (index, &member) in trial.members.iter().enumerate() {
            let member = &plan.members[member].id;
            let text = member.to_string();
            let curve = results.curves.iter().find(|curve| curve.id == text);
            lines.push(NetworkLine {
                id: text,
                repeat: trial.repeat,
                member: index as u32,
                outcome: curve.map(|curve| curve.outcome),
                epochs: curve.map(|curve| curve.epochs.clone()).unwrap_or_default(),
                has_predictions: view.map(|view| view.has_predictions(member)),
                has_weights: view.map(|view| view.weights(member).is_some()),
            });
        }
    }
    Ok(lines)
}
