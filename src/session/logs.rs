//! What was logged while a folder was trained: by programs in `attempts/`, by workers in `logs/`.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde_json::Value as Json;

use super::sheet::cell;
use super::{Error, Reading};
use crate::base::MemberId;
use crate::plan::Plan;
use crate::record::Outcome;
use crate::store::View;

/// One training, and the files that tell of it.
pub(crate) struct Training {
    /// Name of the cell.
    pub cell: String,
    /// Repeat, from 0.
    pub repeat: u32,
    /// Index of the network within its trial.
    pub member: usize,
    /// How it ended; absent before it has.
    pub outcome: Option<Outcome>,
    /// What its program printed and left.
    pub files: Vec<PathBuf>,
}

/// One process that trained, and the files that tell of it.
pub(crate) struct Worker {
    /// What its engine calls it, else its journal.
    pub name: String,
    /// Networks of those asked for that it finished.
    pub members: usize,
    /// What it printed.
    pub files: Vec<PathBuf>,
}

/// What was logged.
#[derive(Default)]
pub(crate) struct Logs {
    /// Trainings with files, in the order of the plan.
    pub trainings: Vec<Training>,
    /// Workers with files, by name.
    pub workers: Vec<Worker>,
}

/// Finds the logs of the cell that `typed` means; where it means none, those of every worker and of every
/// training that did not complete.
///
/// # Errors
/// If it means several cells, or the folder holds committed results alone.
pub(crate) fn logs(reading: &Reading, typed: &str) -> Result<Logs, Error> {
    let folder = reading.folder();
    let Some((store, plan)) = reading.stored()? else {
        return Err(Error::input(format!("cannot show the logs of `{}`", folder.display()))
            .because_of("it holds tables alone; logs stay where it was trained"));
    };
    let asked = match typed.trim() {
        "" => None,
        typed => Some(reading.results.cells[cell(reading, typed)?].id),
    };
    let view = store.view();
    let attempts = entries(&folder.join("attempts"));
    let mut logs = Logs::default();
    let mut trained: BTreeMap<&str, usize> = BTreeMap::new();
    for trial in &plan.trials {
        let of = &plan.cells[trial.cell];
        if asked.is_some_and(|asked| asked != of.id) {
            continue;
        }
        for (member, &index) in trial.members.iter().enumerate() {
            let id = plan.members[index].id;
            let outcome = view.members().get(&id).map(|record| record.outcome);
            if let Some(journal) = view.journal_of(&id) {
                *trained.entry(journal).or_default() += 1;
            }
            let files = of_member(&attempts, &id);
            if !files.is_empty() && (asked.is_some() || outcome != Some(Outcome::Completed)) {
                let (cell, repeat) = (of.name.clone(), trial.repeat);
                logs.trainings.push(Training { cell, repeat, member, outcome, files });
            }
        }
    }
    logs.workers = workers(folder, view, plan, &trained, asked.is_some());
    Ok(logs)
}

/// Returns the workers that left a log; with `only_asked` those that trained something asked for.
fn workers(
    folder: &Path,
    view: &View,
    plan: &Plan,
    trained: &BTreeMap<&str, usize>,
    only_asked: bool,
) -> Vec<Worker> {
    let names = names(folder);
    let mut journals: Vec<&str> = view.journal_names().collect();
    if plan.members.is_empty() || only_asked {
        journals.retain(|journal| trained.contains_key(journal));
    }
    let files = entries(&folder.join("logs"));
    let mut workers: Vec<Worker> = journals
        .into_iter()
        .filter_map(|journal| {
            let name = names.get(journal)?;
            let known = [format!("{name}.log"), format!("{name}.err")];
            let of_worker = |path: &&PathBuf| known.iter().any(|known| path.ends_with(known));
            let files: Vec<PathBuf> = files.iter().filter(of_worker).cloned().collect();
            let members = trained.get(journal).copied().unwrap_or(0);
            (!files.is_empty()).then(|| Worker { name: name.clone(), members, files })
        })
        .collect();
    workers.sort_by(|a, b| a.name.cmp(&b.name));
    workers
}

/// Returns the names of logs, less their endings, by journal: what engines call their workers.
fn names(folder: &Path) -> BTreeMap<String, String> {
    let mut names = BTreeMap::new();
    for round in entries(&folder.join("work")) {
        for path in entries(&round.join("who")) {
            let (Some(name), Ok(journal)) = (path.file_stem(), std::fs::read_to_string(&path))
            else {
                continue;
            };
            let name = name.to_string_lossy();
            // HyperQueue writes one log per task, whatever the job.
            let name = match name.strip_prefix("hq-").and_then(|rest| rest.split_once('_')) {
                Some((_, task)) => format!("hq-{task}"),
                None => name.into_owned(),
            };
            names.insert(journal.trim().to_owned(), name);
        }
    }
    let processes = processes(folder);
    for path in entries(&folder.join("journal")) {
        let journal = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        let process = journal.rsplit('-').nth(1).unwrap_or_default();
        if let Some(index) = processes.iter().position(|known| known == process) {
            names.insert(journal, format!("local-{index}"));
        }
    }
    names
}

/// Returns the processes that `bench submit --scheduler local` started last, by index.
fn processes(folder: &Path) -> Vec<String> {
    let of_local = |path: &PathBuf| {
        let text = std::fs::read_to_string(path).ok()?;
        let record: Json = serde_json::from_str(&text).ok()?;
        if record["engine"] != "local" {
            return None;
        }
        let jobs = record["jobs"].as_array()?.iter();
        Some(jobs.filter_map(|job| job.as_str().map(str::to_owned)).collect())
    };
    entries(&folder.join("submit")).iter().rev().find_map(of_local).unwrap_or_default()
}

/// Returns the files of all attempts at a training.
fn of_member(attempts: &[PathBuf], id: &MemberId) -> Vec<PathBuf> {
    let prefix = format!("{id}-");
    let is_its = |path: &&PathBuf| {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        name.starts_with(&prefix)
    };
    let within = attempts.iter().filter(is_its).flat_map(|attempt| entries(attempt));
    within.filter(|path| path.extension().is_some_and(|ending| ending == "txt")).collect()
}

/// Returns what is in a folder, by name; nothing where it cannot be listed.
fn entries(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(folder) else { return Vec::new() };
    let mut paths: Vec<PathBuf> = entries.filter_map(|entry| Some(entry.ok()?.path())).collect();
    paths.sort();
    paths
}
