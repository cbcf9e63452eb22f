//! Tables, report and charts of a results folder, written anew where they are not those of its
//! journals.

use std::path::Path;

use super::reading::{assembled, store_and_plan, tables_of};
use super::{Error, Images, evidence};
use crate::base::text::harmless;
use crate::plan::Plan;
use crate::report::{self, Subject};
use crate::results::ExperimentResults;
use crate::store::atomic::{self, AtomicError};
use crate::store::{Derived, Store};
use crate::tables;

/// Returns the results in `store`, which is closed; writes tables, report and charts unless they are
/// there already as they would be written.
pub(super) fn renew(
    plan: &Plan,
    mut store: Store,
    images: &mut Images,
) -> Result<ExperimentResults, Error> {
    let folder = store.folder().to_owned();
    if let Some(derived) = whole(&folder) {
        // Tables take as much memory as journals do.
        drop(store);
        return Ok(tables_of(&folder, Some(derived))?.1);
    }
    let results = write(plan, &store, images)?;
    store.conclude().map_err(|error| {
        Error::of_store(format!("cannot write results to `{}`", folder.display()), &error)
    })?;
    Ok(results)
}

/// Brings what was made from the journals in `folder` up to date, before it is judged.
pub(crate) fn refresh(folder: &Path, images: &mut Images) -> Result<(), Error> {
    if !folder.join("journal").is_dir() || whole(folder).is_some() {
        return Ok(());
    }
    let (store, plan) = store_and_plan(folder)?;
    write(&plan, &store, images)?;
    store.stamp().map_err(|error| {
        Error::of_store(format!("cannot write results to `{}`", folder.display()), &error)
    })
}

/// Returns whether tables, report and charts are there as they would be written.
pub(super) fn is_whole(folder: &Path) -> bool {
    whole(folder).is_some()
}

/// Returns what tables, report and charts were made from, if they are all there as they were made
/// from what the journals hold now.
fn whole(folder: &Path) -> Option<Derived> {
    Derived::of_journals(folder).filter(|derived| derived.is_whole(folder))
}

/// Replaces the tables and the Markdown report with its charts, and returns the results in them.
fn write(plan: &Plan, store: &Store, images: &mut Images) -> Result<ExperimentResults, Error> {
    let folder = store.folder();
    let cannot = || format!("cannot write tables and report to `{}`", folder.display());
    let results = assembled(plan, store)?;
    tables::write(&tables::frames(&results), &folder.join("tables"))
        .map_err(|error| Error::of_tables(cannot(), &error))?;
    let predicted = evidence::predicted(&results, plan, store, images);
    let subject = Subject { results: &results, predicted: predicted.as_ref(), view: None };
    write_markdown(&[subject], &folder.join("report.md"), atomic::write_derived)?;
    Ok(results)
}

/// Writes a Markdown report with its charts and images beside it, each file by `write`.
pub(crate) fn write_markdown(
    subjects: &[Subject<'_>],
    path: &Path,
    write: fn(&Path, &[u8]) -> Result<(), AtomicError>,
) -> Result<(), Error> {
    let write = |path: &Path, bytes: &[u8]| {
        write(path, bytes).map_err(|error| Error::unwritable("the report", &error))
    };
    let (text, attachments) = report::illustrated_markdown(subjects);
    let folder = path.parent().unwrap_or(Path::new(""));
    for attachment in attachments {
        write(&folder.join(&attachment.path), &attachment.bytes)?;
    }
    write(path, harmless(&text, false).as_bytes())
}
