//! Experiments as the command line names them.

use std::path::{Path, PathBuf};

use super::arguments::{DataFolderArguments, ExperimentArguments};
use super::failure::Failure;
use super::{notices, patience};
use crate::session::{LoadedExperiment, Session, data_folders, results_folder};

/// Reads and expands the experiment of the command line.
pub(super) fn load(arguments: &ExperimentArguments) -> Result<LoadedExperiment, Failure> {
    let mut overrides = arguments.overrides.clone();
    overrides.extend(arguments.skip_bad.then(|| "dataset.skip-bad=true".to_owned()));
    overrides.extend(arguments.engine.as_ref().map(|name| format!("trainer.engine={name}")));
    read(&arguments.file, &overrides)
}

/// Reads and expands the experiment in a file, or on standard input where the file is `-`.
pub(super) fn read(file: &Path, overrides: &[String]) -> Result<LoadedExperiment, Failure> {
    if file != Path::new("-") {
        return Ok(LoadedExperiment::read(file, overrides)?);
    }
    let shown = "standard input";
    let _reading = patience::at("reading standard input");
    let text = std::io::read_to_string(std::io::stdin()).map_err(|error| {
        Failure::input(format!("cannot read experiment `{shown}`")).because(&error)
    })?;
    Ok(LoadedExperiment::parse(&text, shown, overrides)?)
}

/// Opens the experiment of the command line with the folder of its results, which is `out` or
/// `results/<name>`.
pub(super) fn session(
    arguments: &ExperimentArguments,
    data: &DataFolderArguments,
    out: Option<&PathBuf>,
    is_quiet: bool,
) -> Result<Session, Failure> {
    let experiment = load(arguments)?;
    let folder = results_folder(out, &experiment.document.experiment().name);
    let data = data_folders(data.data_dir.clone());
    Ok(Session::of(experiment, folder, data, notices::listener(is_quiet))?)
}
