//! One run from start to end.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::board::Board;
use super::event::Event;
use super::shop::{Shop, dataset_of};
use super::standing::StoreProgress;
use super::training::with_causes;
use super::{Load, RunError, RunOptions, RunRequest, RunSummary};
use crate::data::{Dataset, split};
use crate::plan::{MemberStanding, Outstanding, Plan, Progress, outstanding};
use crate::record::Outcome;
use crate::store::{Ended, Entry, Store, StoreError, View, Writer};

/// Trains every outstanding member and scores every trial that can be scored.
///
/// # Errors
/// If images cannot be loaded or results cannot be stored. Failed members are no error: they are
/// recorded, and the run goes on.
pub fn run(request: RunRequest<'_>) -> Result<RunSummary, RunError> {
    let RunRequest { plan, engine, store, load, options, stop, events } = request;
    let (writer, view) = store.parts()?;
    let todo = Todo::find(plan, view, writer, &options, events);
    let datasets = load_datasets(plan, &todo.mine, load)?;
    let members_reused = todo.reused(plan, view, options.retries);
    events(&Event::Started {
        members: todo.mine.len(),
        members_reused,
        trials: plan.trials.len(),
        trials_reused: plan.trials.len() - todo.trials.len(),
        images: images_planned(plan, &todo.mine, &datasets),
        workers: options.workers,
    });

    let workers = options.workers.max(1);
    let pool = rayon::ThreadPoolBuilder::new()
        .num_threads(workers)
        .thread_name(|index| format!("worker-{index}"))
        .build()
        .map_err(|source| RunError::Workers { workers, source })?;
    let board = Board::new(plan, &todo.mine, &todo.untrained, &todo.trials, &datasets);
    let shop = Shop::open(plan, engine, writer, view, board, datasets, options, stop, events);
    // Not `scope`: a worker that waits inside an engine's own pool would take up another worker's
    // loop and return to its member only when everything else is done.
    pool.broadcast(|_| shop.work());

    let (view, done) = shop.close()?;
    let interrupted = stop.is_requested()
        && !outstanding(plan, &StoreProgress::new(view, options.retries)).is_empty();
    let summary = RunSummary {
        members_trained: done.members,
        members_reused,
        trials_recorded: done.trials,
        interrupted,
        ..count_trials(plan, view)
    };
    events(&Event::Ended { summary: &summary });
    Ok(summary)
}

/// Says that a run that nobody interrupted came to its own end, so that a later one may try its
/// failed members again.
///
/// To be called when everything made from its results is written: a run killed before is still the
/// same run when it is started again, and must give the same.
///
/// # Errors
/// If the results cannot be stored.
pub fn conclude(
    plan: &Plan,
    store: &mut Store,
    shard: Option<(u32, u32)>,
) -> Result<(), StoreError> {
    let (writer, view) = store.parts()?;
    let failed: Vec<_> = members_of(plan, shard)
        .into_iter()
        .map(|place| plan.members[place].id)
        .filter(|id| !view.failed_in_an_earlier_run(id))
        .filter_map(|id| view.members().get(&id))
        .filter(|record| matches!(record.outcome, Outcome::Failed | Outcome::TimedOut))
        .map(|record| (record.id, record.attempt))
        .collect();
    if failed.is_empty() {
        return Ok(());
    }
    let entry = Entry { ended: Some(Ended { failed }), ..Entry::default() };
    let position = writer.append(std::slice::from_ref(&entry))?;
    writer.flush(position)?;
    view.add(entry);
    Ok(())
}

/// Returns the members of a shard, or all.
fn members_of(plan: &Plan, shard: Option<(u32, u32)>) -> BTreeSet<usize> {
    match shard {
        Some((index, count)) => plan.shard(index, count).into_iter().collect(),
        None => (0..plan.members.len()).collect(),
    }
}

/// What this run has to do.
struct Todo {
    /// Members to train here.
    mine: Vec<usize>,
    /// Members that must be trained, here or in another shard.
    untrained: Vec<usize>,
    trials: Vec<usize>,
}

impl Todo {
    fn find(
        plan: &Plan,
        view: &View,
        writer: &Writer,
        options: &RunOptions,
        events: &(dyn Fn(&Event<'_>) + Sync),
    ) -> Self {
        let Outstanding { members, mut trials } =
            outstanding(plan, &StoreProgress::new(view, options.retries));
        let mut untrained: BTreeSet<usize> = members.into_iter().collect();
        untrained.extend(lost(plan, view, writer, &trials, events));
        if options.save_weights {
            let weightless = weightless(plan, view, writer, events);
            trials.extend(trials_of(plan, &weightless));
            trials.sort_unstable();
            trials.dedup();
            untrained.extend(weightless);
        }
        let mine = untrained.intersection(&members_of(plan, options.shard)).copied().collect();
        Self { mine, untrained: untrained.into_iter().collect(), trials }
    }

    fn reused(&self, plan: &Plan, view: &View, retries: u32) -> usize {
        let progress = StoreProgress::new(view, retries);
        let untrained: BTreeSet<usize> = self.untrained.iter().copied().collect();
        plan.members
            .iter()
            .enumerate()
            .filter(|(place, member)| {
                !untrained.contains(place)
                    && progress.member(&member.id) == MemberStanding::Finished
            })
            .count()
    }
}

/// Returns the completed members of `trials` whose predictions are missing or damaged.
fn lost(
    plan: &Plan,
    view: &View,
    writer: &Writer,
    trials: &[usize],
    events: &(dyn Fn(&Event<'_>) + Sync),
) -> Vec<usize> {
    let used: BTreeSet<usize> =
        trials.iter().flat_map(|&trial| plan.trials[trial].members.iter().copied()).collect();
    let is_lost = |place: &usize| {
        let id = &plan.members[*place].id;
        let completed =
            view.members().get(id).is_some_and(|record| record.outcome == Outcome::Completed);
        if !completed {
            return false;
        }
        let read = writer.read_predictions(id, view.predictions(id));
        if let Err(error) = &read {
            let reason = with_causes(error);
            events(&Event::PredictionsLost { member: *id, reason: &reason });
        }
        read.is_err()
    };
    used.into_iter().filter(is_lost).collect()
}

/// Returns the completed members of networks whose weights are missing or damaged.
fn weightless(
    plan: &Plan,
    view: &View,
    writer: &Writer,
    events: &(dyn Fn(&Event<'_>) + Sync),
) -> BTreeSet<usize> {
    let is_weightless = |place: &usize| {
        let member = &plan.members[*place];
        let completed = view
            .members()
            .get(&member.id)
            .is_some_and(|record| record.outcome == Outcome::Completed);
        if !completed || !member.settings.trainer.has_networks() {
            return false;
        }
        let kept = view.weights(&member.id);
        let read = writer.read_weights(&member.id, kept);
        if let (Some(_), Err(error)) = (kept, &read) {
            let reason = with_causes(error);
            events(&Event::WeightsLost { member: member.id, reason: &reason });
        }
        read.is_err()
    };
    (0..plan.members.len()).filter(is_weightless).collect()
}

/// Returns the trials that use any of `members`: they are scored again with what is trained anew.
fn trials_of(plan: &Plan, members: &BTreeSet<usize>) -> Vec<usize> {
    let uses = |trial: &usize| plan.trials[*trial].members.iter().any(|at| members.contains(at));
    (0..plan.trials.len()).filter(uses).collect()
}

/// Loads every collection of images that some member needs; the others stay away.
fn load_datasets(
    plan: &Plan,
    members: &[usize],
    load: &mut Load<'_>,
) -> Result<Vec<Option<Arc<Dataset>>>, RunError> {
    let mut datasets = vec![None; plan.datasets.len()];
    for &place in members {
        let at = dataset_of(plan, place);
        if datasets[at].is_some() {
            continue;
        }
        let planned = &plan.datasets[at];
        let dataset = load(&planned.settings)?;
        if dataset.checksum != planned.checksum {
            return Err(RunError::DatasetChanged {
                name: dataset.name.clone(),
                found: dataset.checksum,
                expected: planned.checksum,
            });
        }
        datasets[at] = Some(dataset);
    }
    Ok(datasets)
}

/// Returns how many images `members` are trained on, at most.
fn images_planned(plan: &Plan, members: &[usize], datasets: &[Option<Arc<Dataset>>]) -> u64 {
    let mut last = None;
    let mut total = 0;
    for &place in members {
        let member = &plan.members[place];
        let settings = &member.settings.dataset;
        // The sizes of a split depend on no seed, and neighbours mostly share their settings.
        let images = match last {
            Some((before, images)) if before == settings => images,
            _ => datasets[dataset_of(plan, place)]
                .as_deref()
                .and_then(|dataset| {
                    split(dataset, &settings.split, settings.train_limit, member.seed_path).ok()
                })
                .map_or(0, |splits| splits.train.len() as u64),
        };
        last = Some((settings, images));
        total += images * u64::from(member.settings.train.epochs);
    }
    total
}

fn count_trials(plan: &Plan, view: &View) -> RunSummary {
    let mut summary = RunSummary::default();
    for trial in &plan.trials {
        let count = match view.trials().get(&trial.id).map(|record| record.outcome) {
            Some(Outcome::Completed) => &mut summary.trials_completed,
            Some(Outcome::Diverged) => &mut summary.trials_diverged,
            Some(Outcome::Failed | Outcome::TimedOut) => &mut summary.trials_failed,
            Some(Outcome::Interrupted) | None => &mut summary.trials_outstanding,
        };
        *count += 1;
    }
    summary
}
