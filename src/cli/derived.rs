//! Tables, report and charts of a results folder, written anew where they are not those of its
//! journals.

use std::path::Path;

use super::evidence;
use super::failure::Failure;
use super::images::Images;
use super::report::write_markdown;
use super::results::{assembled, from_tables, store_and_plan, store_failure, tables_failure};
use crate::plan::Plan;
use crate::report::Subject;
use crate::results::ExperimentResults;
use crate::store::{Derived, Store, atomic};
use crate::tables;

/// Returns the results in `store`; writes tables, report and charts unless they are there already
/// as they would be written.
pub(super) fn renew(
    plan: &Plan,
    store: &mut Store,
    images: &mut Images,
) -> Result<ExperimentResults, Failure> {
    let folder = store.folder().to_owned();
    if is_whole(&folder) {
        return Ok(from_tables(&folder)?.1);
    }
    let results = write(plan, store, images)?;
    store.conclude().map_err(|error| {
        store_failure(format!("cannot write results to `{}`", folder.display()), &error)
    })?;
    Ok(results)
}

/// Brings what was made from the journals in `folder` up to date, before it is judged.
pub(super) fn refresh(folder: &Path, images: &mut Images) -> Result<(), Failure> {
    if !folder.join("journal").is_dir() || is_whole(folder) {
        return Ok(());
    }
    let (store, plan) = store_and_plan(folder)?;
    write(&plan, &store, images)?;
    store.stamp().map_err(|error| {
        store_failure(format!("cannot write results to `{}`", folder.display()), &error)
    })
}

fn is_whole(folder: &Path) -> bool {
    Derived::of_journals(folder).is_some_and(|derived| derived.is_whole(folder))
}

/// Replaces the tables and the Markdown report with its charts, and returns the results in them.
fn write(plan: &Plan, store: &Store, images: &mut Images) -> Result<ExperimentResults, Failure> {
    let folder = store.folder();
    let cannot = || format!("cannot write tables and report to `{}`", folder.display());
    let results = assembled(plan, store)?;
    tables::write(&tables::frames(&results), &folder.join("tables"))
        .map_err(|error| tables_failure(cannot(), &error))?;
    let predicted = evidence::predicted(&results, plan, store, images);
    let subject = Subject { results: &results, predicted: predicted.as_ref(), view: None };
    write_markdown(&[subject], &folder.join("report.md"), atomic::write_derived)?;
    Ok(results)
}
