//! `bench import`: numbers that other tools measured, as a results folder like any other.
//!
//! The rows of a table become the trials of an experiment whose trainer looks them up, so everything
//! that is made of a run is made of them, too.

mod rows;

use std::collections::{BTreeMap, HashMap};
use std::path::Path;

use super::arguments::ImportArguments;
use super::failure::{Exit, Failure};
use super::notices::listener;
use super::progress::Channel;
use super::run::{TrainOptions, train};
use super::terminal::Terminal;
use crate::base::{MetricName, digest_of};
use crate::engine::{Engine, EngineError, EpochObserver, TrainJob, TrainOutput};
use crate::experiment::settings::TrainerSettings;
use crate::record::{MemberSummary, Outcome, Selection};
use crate::report::counted;
use crate::session::{LoadedExperiment, Session, data_folders, results_folder};
use crate::store::{FileFacts, ProgramFacts, Repeats, read_file};
use crate::tables::ForeignTable;

use rows::Rows;

/// The numerical path of numbers that were measured elsewhere.
const PATH: &str = "imported";

pub(super) fn import(arguments: &ImportArguments, terminal: Terminal) -> Result<Exit, Failure> {
    let file = &arguments.file;
    let cannot = || Failure::input(format!("cannot import `{}`", file.display()));
    let table = ForeignTable::read(file).map_err(|cause| cannot().because_of(cause))?;
    let rows = Rows::of(&table, arguments)
        .map_err(|problem| cannot().because_of(problem.cause).hint(problem.hint))?;
    for note in &rows.notes {
        say!("note: {note}");
    }
    let loaded = LoadedExperiment::parse(&rows.text(arguments), "the import", &[])?;
    let folder = results_folder(arguments.out.as_ref(), &rows.name);
    let asked = repeats(&loaded, &rows);
    let stand_in = facts(&loaded, file)?;
    let mut session = Session::of(loaded, folder, data_folders(None), listener(false))?;
    session.experiment.repeats = asked;
    session.stand_in(&stand_in);
    let plan = session.plan()?;
    let how = TrainOptions {
        workers: Some(1),
        retry_failed: false,
        // What a row says does not change.
        retries: 0,
        fail_fast: false,
        save_weights: false,
        channel: Channel::Nothing,
    };
    let finished = train(&mut session, &plan, &Lookup::of(&rows), how, terminal)?;
    let summary = &finished.summary;
    let lost = summary.trials_failed + summary.trials_diverged;
    let lost = if lost > 0 { format!(", {lost} of them without a value") } else { String::new() };
    say!(
        "{} of {}{lost}; see them with `bench report {}`",
        counted(plan.trials.len(), "trial"),
        counted(plan.cells.len(), "cell"),
        finished.folder.display()
    );
    Ok(Exit::Done)
}

/// Returns how many repeats every cell has.
fn repeats(loaded: &LoadedExperiment, rows: &Rows) -> Repeats {
    let fewest = rows.fewest();
    let grid = &loaded.grid;
    let count = |cell| {
        let values: BTreeMap<_, _> =
            grid.assignment(cell).map(|(key, value)| (key.to_owned(), value.clone())).collect();
        rows.repeats_of(&values)
    };
    let more = grid.cells().map(|cell| (grid.id(cell), count(cell)));
    let more: BTreeMap<_, _> = more.filter(|(_, count)| *count > fewest).collect();
    if more.is_empty() { Repeats::AsTyped } else { Repeats::More(more) }
}

/// Returns what stands for the program of an experiment that was imported: the table.
fn facts(loaded: &LoadedExperiment, file: &Path) -> Result<ProgramFacts, Failure> {
    let TrainerSettings::Command(command) = &loaded.document.experiment().base.trainer else {
        return Err(Failure::internal("the import names no trainer"));
    };
    let bytes = read_file(file).map_err(|error| {
        Failure::input(format!("cannot import `{}`", file.display())).because(&error)
    })?;
    let digest = digest_of(&bytes);
    let name = file.file_name().map_or_else(String::new, |name| name.to_string_lossy().into());
    let files = vec![FileFacts { name, bytes: bytes.len() as u64, digest }];
    let settings = serde_json::to_value(&**command).expect("settings serialise");
    Ok(ProgramFacts { settings, digest, files, version: None, adopted: None })
}

/// Looks trials up in a table instead of training them.
struct Lookup {
    /// Values, or why there are none, by cell and repeat.
    trials: HashMap<(String, u32), Result<BTreeMap<MetricName, f64>, String>>,
    /// The axes' names below `hyperparameters`.
    axes: Vec<String>,
}

impl Lookup {
    fn of(rows: &Rows) -> Self {
        Self { trials: rows.trials.clone(), axes: rows.axes.clone() }
    }
}

impl Engine for Lookup {
    fn description(&self) -> String {
        PATH.to_owned()
    }

    fn train(
        &self,
        job: &TrainJob<'_>,
        _: &mut dyn EpochObserver,
    ) -> Result<TrainOutput, EngineError> {
        let cell = rows::key(self.axes.iter().map(|axis| job.settings.hyperparameters.get(axis)));
        let found = self.trials.get(&(cell, job.seed_path.repeat.unwrap_or(0)));
        let metrics = match found {
            None => return Err(EngineError::Trainer("the table has no such row".to_owned())),
            Some(Err(reason)) => {
                return Ok(TrainOutput::ended(Outcome::Failed, Some(reason.clone())));
            }
            Some(Ok(metrics)) => metrics,
        };
        if let Some((name, value)) = metrics.iter().find(|(_, value)| !value.is_finite()) {
            return Ok(TrainOutput::ended(Outcome::Diverged, Some(format!("`{name}` is {value}"))));
        }
        let summary = MemberSummary {
            epochs: 0,
            selected_epoch: 0,
            selection: Selection::Last,
            metrics: metrics.clone().into(),
            trainable_parameters: 0,
            path: PATH.to_owned(),
            images_trained: 0,
        };
        Ok(TrainOutput { summary: Some(summary), ..TrainOutput::ended(Outcome::Completed, None) })
    }
}
