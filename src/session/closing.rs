//! The end of a round: what no worker could score alone is scored, and the tables are written.

use std::collections::{BTreeMap, BTreeSet};

use super::site::{Site, options};
use super::train::{tell_damages, write_lists};
use super::{Error, Images, Notice, derived};
use crate::plan::{Plan, outstanding};
use crate::runner::{self, Nothing, RunOptions, RunRequest, RunSummary, StopSignal, StoreProgress};
use crate::store::Store;

/// How a folder stands after its tables were written.
pub(crate) struct Closed {
    /// Counts of trials.
    pub(crate) summary: RunSummary,
    /// Members that are still to be trained.
    pub(crate) members_left: usize,
}

/// Scores every trial whose members are all there, and writes tables and report.
pub(super) fn close(site: &Site<'_>, images: &mut Images) -> Result<Closed, Error> {
    let cannot = |error| {
        Error::of_store(format!("cannot write results to `{}`", site.folder.display()), &error)
    };
    let mut store = Store::open_shared(site.folder, site.draft.clone()).map_err(cannot)?;
    tell_damages(&store, &site.listener);
    write_lists(site.plan, images, site.folder)?;
    let summary = runner::run(RunRequest {
        plan: site.plan,
        engine: site.engine,
        store: &mut store,
        load: &mut |settings| images.load(settings),
        supply: Some(&Nothing),
        options: RunOptions { workers: 1, ..options(site) },
        // Who was asked to leave still writes the tables it began with.
        stop: &StopSignal::new(),
        events: &|_| {},
    })
    .map_err(|error| Error::of_run(&error))?;
    store.complete_manifest();
    if let Some(notice) = mixed_paths(site.plan, &store) {
        site.listener.tell(&notice);
    }
    let left = outstanding(site.plan, &StoreProgress::new(store.view(), false));
    derived::renew(site.plan, store, images)?;
    let closed = Closed { summary, members_left: left.members.len() };
    site.listener.tell(&Notice::Closed {
        completed: closed.summary.trials_completed,
        trials: site.plan.trials.len(),
        folder: site.folder.to_owned(),
    });
    Ok(closed)
}

/// Returns what is to be said of cells whose trials took several numerical paths: machines of several
/// kinds trained them, and the same member would have other bits on another.
fn mixed_paths(plan: &Plan, store: &Store) -> Option<Notice> {
    let mut paths: BTreeMap<usize, BTreeSet<&str>> = BTreeMap::new();
    for trial in &plan.trials {
        for &member in &trial.members {
            let record = store.members().get(&plan.members[member].id);
            if let Some(summary) = record.and_then(|record| record.summary.as_ref()) {
                paths.entry(trial.cell).or_default().insert(&summary.path);
            }
        }
    }
    paths.retain(|_, paths| paths.len() > 1);
    if paths.is_empty() {
        return None;
    }
    let all: BTreeSet<&str> = paths.values().flatten().copied().collect();
    let cells = paths.keys().map(|cell| plan.cells[*cell].name.clone()).collect();
    Some(Notice::MixedPaths { cells, paths: all.into_iter().map(str::to_owned).collect() })
}
