//! Results folders, read: the one way in which a command gets at results.
//!
//! From the tables where they fit the journals or there are none (committed results), else from the
//! journals. The journals themselves are opened when predictions, weights or the plan are asked for.

use std::cell::OnceCell;
use std::path::{Path, PathBuf};

use super::{Error, LoadedExperiment};
use crate::base::{Metric, MetricName};
use crate::plan::Plan;
use crate::results::{CellResults, ExperimentResults, Facts, assemble, declared_axes};
use crate::store::{Derived, Manifest, Store};
use crate::tables;

/// One results folder, read once.
pub struct Reading {
    folder: PathBuf,
    /// What was asked and where it was computed.
    pub manifest: Manifest,
    /// The results.
    pub results: ExperimentResults,
    stored: OnceCell<(Store, Plan)>,
}

impl Reading {
    /// Reads the results in `folder`.
    ///
    /// # Errors
    /// If it holds no results, or some that cannot be read.
    pub fn open(folder: &Path) -> Result<Self, Error> {
        let reading = |manifest, results, stored| Self {
            folder: folder.to_owned(),
            manifest,
            results,
            stored,
        };
        let (manifest, results) = if has_journal(folder) {
            let Some(derived) = Derived::fresh(folder) else {
                let (store, plan) = store_and_plan(folder)?;
                let results = assembled(&plan, &store)?;
                let manifest = store.manifest().clone();
                return Ok(reading(manifest, results, OnceCell::from((store, plan))));
            };
            tables_of(folder, Some(derived))?
        } else {
            let derived = Derived::of_tables(folder);
            tables_of(
                folder,
                derived.map_err(|error| Error::of_store(cannot_read(folder), &error))?,
            )?
        };
        Ok(reading(manifest, results, OnceCell::new()))
    }

    /// Returns the folder.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Returns the journals with the plan of the experiment; nothing for committed results.
    pub(super) fn stored(&self) -> Result<Option<&(Store, Plan)>, Error> {
        if self.stored.get().is_none() && has_journal(&self.folder) {
            // Nobody else can have set it since: a cell belongs to one thread.
            drop(self.stored.set(store_and_plan(&self.folder)?));
        }
        Ok(self.stored.get())
    }

    /// Returns whether predictions may be stored.
    pub(super) fn may_have_predictions(&self) -> bool {
        has_journal(&self.folder) && self.folder.join("predictions").is_dir()
    }
}

/// Returns what the tables in `folder` hold, which were held against their digests in `derived`.
pub(super) fn tables_of(
    folder: &Path,
    derived: Option<Derived>,
) -> Result<(Manifest, ExperimentResults), Error> {
    let is_of_the_start = derived.is_none();
    let mut manifest = match derived {
        Some(derived) => derived.into_manifest(),
        None => manifest_in(folder)?,
    };
    let (facts, axes) = (Facts::of(&manifest), declared_axes(&manifest));
    let mut results = tables::read(&folder.join("tables"), facts, &axes)
        .map_err(|error| Error::of_tables(cannot_read(folder), &error))?;
    if is_of_the_start {
        // It was written before anybody knew which paths the members would take.
        manifest = manifest.along(results.cells.iter().flat_map(CellResults::paths));
        results.facts.origin.engine.clone_from(&manifest.run.engine);
    }
    Ok((manifest, results))
}

/// Returns what the journals of `store` hold.
pub(super) fn assembled(plan: &Plan, store: &Store) -> Result<ExperimentResults, Error> {
    assemble(plan, store).map_err(|error| Error::of_store(cannot_read(store.folder()), &error))
}

/// Returns `folder` if it holds results, else every folder directly below it that does, sorted.
pub(crate) fn folders_below(folder: &Path) -> Result<Vec<PathBuf>, Error> {
    if is_results_folder(folder) {
        return Ok(vec![folder.to_owned()]);
    }
    let cannot = || format!("cannot report `{}`", folder.display());
    let entries = std::fs::read_dir(folder).map_err(|error| {
        Error::input(cannot())
            .because(&error)
            .hint(Some("run `bench run FILE` first, or name a folder under `results/`"))
    })?;
    let mut folders: Vec<PathBuf> = entries
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| is_results_folder(path))
        .collect();
    folders.sort();
    if folders.is_empty() {
        return Err(Error::input(cannot())
            .because_of("neither it nor a folder in it holds a `manifest.json`")
            .hint(Some("run `bench run FILE` first, or name a folder under `results/`")));
    }
    Ok(folders)
}

/// Opens a results folder for reading, with the plan of the experiment it was made with.
pub(crate) fn store_and_plan(folder: &Path) -> Result<(Store, Plan), Error> {
    let store =
        Store::open_reader(folder).map_err(|error| Error::of_store(cannot_read(folder), &error))?;
    let plan =
        LoadedExperiment::from_manifest(store.manifest())?.plan_of_results(store.manifest())?;
    Ok((store, plan))
}

/// Reads the manifest of a results folder.
pub(crate) fn manifest_in(folder: &Path) -> Result<Manifest, Error> {
    let cannot = || cannot_read(folder);
    Manifest::read(folder).map_err(|error| Error::of_store(cannot(), &error))?.ok_or_else(|| {
        Error::input(cannot())
            .because_of("it holds no `manifest.json`")
            .hint(Some("run `bench run FILE` first, or name a folder under `results/`"))
    })
}

/// Returns the metric that is asked for, else that of the report.
pub(crate) fn metric_of(
    results: &ExperimentResults,
    asked: Option<&MetricName>,
) -> Result<Metric, Error> {
    let Some(name) = asked else { return Ok(results.metric().clone()) };
    results.facts.metric(name).cloned().ok_or_else(|| {
        let known: Vec<&str> =
            results.facts.metrics.iter().map(|metric| metric.name.as_str()).collect();
        Error::input(format!("`{}` has no metric `{name}`", results.facts.name))
            .because_of(format!("expected one of {}", known.join(", ")))
    })
}

fn cannot_read(folder: &Path) -> String {
    format!("cannot read the results in `{}`", folder.display())
}

pub(super) fn has_journal(folder: &Path) -> bool {
    folder.join("journal").is_dir()
}

fn is_results_folder(folder: &Path) -> bool {
    folder.join("manifest.json").is_file()
}
