//! `bench report`: the report of one results folder, or of all below one.

use std::path::{Path, PathBuf};

use super::arguments::{Format as Wanted, ReportArguments};
use super::experiment::Loaded;
use super::failure::{Exit, Failure};
use super::terminal::Terminal;
use crate::plan::Plan;
use crate::report::{self, Format, Page};
use crate::store::{Manifest, Store, StoreError, atomic};
use crate::tables::{self, ExperimentResults, TablesError};

pub(super) fn report(arguments: &ReportArguments, terminal: Terminal) -> Result<Exit, Failure> {
    let results = results_below(&arguments.folder)?;
    let format = match arguments.format {
        Wanted::Terminal => Format::Terminal,
        Wanted::Markdown => Format::Markdown,
        Wanted::Csv => Format::Csv,
        Wanted::Json => Format::Json,
    };
    let color = terminal.color && arguments.output.is_none();
    let text = report::render(&results, format, Page { width: terminal.width, colour: color });
    match &arguments.output {
        None => print!("{text}"),
        Some(path) => atomic::write(path, text.as_bytes()).map_err(|error| {
            Failure::internal("cannot write the report").because(&error).hint(error.hint())
        })?,
    }
    Ok(Exit::Done)
}

/// Returns the results in `folder`, or in every folder directly below it, sorted by name.
pub(super) fn results_below(folder: &Path) -> Result<Vec<ExperimentResults>, Failure> {
    if is_results_folder(folder) {
        return Ok(vec![results_in(folder)?]);
    }
    let cannot = || format!("cannot report `{}`", folder.display());
    let entries = std::fs::read_dir(folder).map_err(|error| {
        Failure::input(cannot())
            .because(&error)
            .hint(Some("run `bench run FILE` first, or name a folder under `results/`"))
    })?;
    let mut folders: Vec<PathBuf> = entries
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| is_results_folder(path))
        .collect();
    folders.sort();
    if folders.is_empty() {
        return Err(Failure::input(cannot())
            .because_of("neither it nor a folder in it holds a `manifest.json`")
            .hint(Some("run `bench run FILE` first, or name a folder under `results/`")));
    }
    folders.iter().map(|folder| results_in(folder)).collect()
}

/// Returns the results of one experiment: from its journal, or where there is none (committed
/// results) from its tables.
pub(super) fn results_in(folder: &Path) -> Result<ExperimentResults, Failure> {
    let cannot = || format!("cannot read the results in `{}`", folder.display());
    if folder.join("journal").is_dir() {
        let (store, plan) = store_and_plan(folder)?;
        return Ok(tables::assemble(&plan, &store));
    }
    let manifest = Manifest::read(folder)
        .map_err(|error| store_failure(cannot(), &error))?
        .ok_or_else(|| Failure::input(cannot()).because_of("it holds no `manifest.json`"))?;
    let facts = tables::facts(&manifest);
    tables::read(&folder.join("tables"), facts, &tables::declared_axes(&manifest))
        .map_err(|error| tables_failure(cannot(), &error))
}

/// Opens a results folder for reading, with the plan of the experiment it was made with.
pub(super) fn store_and_plan(folder: &Path) -> Result<(Store, Plan), Failure> {
    let store = Store::open_reader(folder).map_err(|error| {
        store_failure(format!("cannot read the results in `{}`", folder.display()), &error)
    })?;
    let plan = Loaded::from_manifest(store.manifest())?.plan_of_results(store.manifest())?;
    Ok((store, plan))
}

/// Prints a text or writes it to a file.
pub(super) fn deliver(text: &str, output: Option<&PathBuf>, what: &str) -> Result<(), Failure> {
    match output {
        None => print!("{text}"),
        Some(path) => atomic::write(path, text.as_bytes()).map_err(|error| {
            Failure::internal(format!("cannot write the {what}")).because(&error).hint(error.hint())
        })?,
    }
    Ok(())
}

/// Reads the manifest of a results folder.
pub(super) fn manifest_in(folder: &Path) -> Result<Manifest, Failure> {
    let cannot = || format!("cannot read the results in `{}`", folder.display());
    Manifest::read(folder).map_err(|error| store_failure(cannot(), &error))?.ok_or_else(|| {
        Failure::input(cannot())
            .because_of("it holds no `manifest.json`")
            .hint(Some("run `bench run FILE` first, or name a folder under `results/`"))
    })
}

fn is_results_folder(folder: &Path) -> bool {
    folder.join("manifest.json").is_file()
}

pub(super) fn store_failure(tried: String, error: &StoreError) -> Failure {
    Failure::input(tried).because(error).hint(error.hint())
}

pub(super) fn tables_failure(tried: String, error: &TablesError) -> Failure {
    Failure::input(tried).because(error).hint(error.hint())
}
