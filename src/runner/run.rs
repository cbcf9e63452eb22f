//! One run from start to end.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use super::event::Event;
use super::queue::in_training_order;
use super::queue::{WorkQueue, dataset_of};
use super::standing::StoreProgress;
use super::training::with_causes;
use super::workers::Workers;
use super::{Load, RunError, RunOptions, RunRequest, RunSummary, Supply};
use crate::base::MemberId;
use crate::data::{Dataset, split};
use crate::plan::{MemberStanding, Outstanding, Plan, Progress, outstanding};
use crate::record::Outcome;
use crate::store::{Lost, Store, View, Writer};

/// Trains every outstanding member and scores every trial that can be scored.
///
/// A member that fails is tried once more after all others. Members whose stored predictions or
/// weights are missing or damaged are trained again.
///
/// # Errors
/// If images cannot be loaded or results cannot be stored. Failed members are no error: they are
/// recorded, and the run goes on.
pub(crate) fn run(request: RunRequest<'_>) -> Result<RunSummary, RunError> {
    let RunRequest { plan, engine, store, load, supply, options, stop, events } = request;
    let (writer, view) = store.parts()?;
    let todo = Todo::find(plan, view, writer, &options, events);
    let candidates = supply.map_or_else(|| todo.members.clone(), Supply::candidates);
    let datasets = load_datasets(plan, &candidates, load)?;
    let members_reused = todo.reused(plan, view);
    events(&Event::Started {
        members: candidates.len(),
        members_reused,
        trials: plan.trials.len(),
        trials_reused: plan.trials.len() - todo.trials.len(),
        images: images_planned(plan, &candidates, &datasets),
        workers: options.workers,
    });

    let workers = options.workers.max(1);
    let pool = rayon::ThreadPoolBuilder::new()
        .num_threads(workers)
        .thread_name(|index| format!("worker-{index}"))
        .build()
        .map_err(|source| RunError::Workers { workers, source })?;
    let queued = if supply.is_some() { &[] } else { todo.members.as_slice() };
    let queue = WorkQueue::new(plan, queued, &todo.members, &todo.trials, &datasets);
    let shared =
        Workers::open(plan, engine, writer, view, queue, datasets, supply, options, stop, events);
    // Not `scope`: a worker that waits inside an engine's own pool would take up another worker's
    // loop and return to its member only when everything else is done.
    alive_while(writer, supply, || {
        pool.broadcast(|_| shared.work());
    });
    if supply.is_some() {
        writer.flush_all()?;
    }

    let (view, done) = shared.close()?;
    let is_left = || !outstanding(plan, &StoreProgress::new(view, false)).is_empty();
    let summary = RunSummary {
        members_trained: done.members,
        members_repaired: done.repaired,
        members_reused,
        trials_recorded: done.trials,
        interrupted: stop.is_requested() && (done.is_incomplete || is_left()),
        ..count_trials(plan, view)
    };
    events(&Event::Ended { summary: &summary });
    Ok(summary)
}

/// Does something, and appends signs of life to the journal meanwhile where others wait for any.
fn alive_while(writer: &Writer, supply: Option<&dyn Supply>, work: impl FnOnce()) {
    let Some(supply) = supply else { return work() };
    let is_over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let beating = scope.spawn(|| {
            let (mut length, mut since) = (None, Instant::now());
            while !is_over.load(Ordering::SeqCst) {
                let now = writer.journal_length();
                if now != length {
                    (length, since) = (now, Instant::now());
                } else if length.is_some()
                    && supply.is_awaited()
                    && since.elapsed() >= supply.beat()
                {
                    // A journal that takes no more entries ends the run at the next result.
                    let _ = writer.beat();
                }
                std::thread::park_timeout(supply.beat().min(LOOK_AT_JOURNAL));
            }
        });
        // Also where it panics: the scope waits for its threads.
        let over = Over { is_over: &is_over, beating: beating.thread() };
        work();
        drop(over);
    });
}

/// How often the journal's length is looked at.
const LOOK_AT_JOURNAL: Duration = Duration::from_secs(1);

/// Ends the signs of life when it is dropped.
struct Over<'a> {
    is_over: &'a AtomicBool,
    beating: &'a std::thread::Thread,
}

impl Drop for Over<'_> {
    fn drop(&mut self) {
        self.is_over.store(true, Ordering::SeqCst);
        self.beating.unpark();
    }
}

/// Returns what a run has to train, lost files included, as ascending indices into the plan, and how
/// many trials are to be scored.
///
/// # Errors
/// If the store was opened for reading.
pub(crate) fn members_to_train(
    plan: &Plan,
    store: &mut Store,
    options: &RunOptions,
) -> Result<(Vec<usize>, usize), RunError> {
    let (writer, view) = store.parts()?;
    let todo = Todo::find(plan, view, writer, options, &|_| {});
    Ok((todo.members, todo.trials.len()))
}

/// Returns `members` in the order of training, with what each costs in units that are the same on
/// every machine.
///
/// # Errors
/// If images cannot be loaded.
pub(crate) fn training_order(
    plan: &Plan,
    members: &[usize],
    load: &mut Load<'_>,
) -> Result<Vec<(usize, u64)>, RunError> {
    let datasets = load_datasets(plan, members, load)?;
    Ok(in_training_order(plan, members, &datasets))
}

/// What this run has to do.
struct Todo {
    /// Members that must be trained.
    members: Vec<usize>,
    /// Trials that must be scored.
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
        let progress = StoreProgress::new(view, options.retry_failed).with_retries(options.retries);
        let Outstanding { members, trials } = outstanding(plan, &progress);
        let mut untrained: BTreeSet<usize> = members.into_iter().collect();
        let mut trials: BTreeSet<usize> = trials.into_iter().collect();
        // Also for trials that were scored: what is stored is there to be used again.
        let mut again = lost(plan, view, writer, events);
        again.extend(unscorable(plan, view, &trials));
        if options.save_weights {
            again.extend(weightless(plan, view));
        }
        trials.extend(trials_of(plan, &again));
        untrained.extend(again);
        Self { members: untrained.into_iter().collect(), trials: trials.into_iter().collect() }
    }

    fn reused(&self, plan: &Plan, view: &View) -> usize {
        let progress = StoreProgress::new(view, false);
        let untrained: BTreeSet<usize> = self.members.iter().copied().collect();
        plan.members
            .iter()
            .enumerate()
            .filter(|(index, member)| {
                !untrained.contains(index)
                    && progress.member(&member.id) == MemberStanding::Finished
            })
            .count()
    }
}

/// Returns the completed members of which something that was stored is missing or damaged.
fn lost(
    plan: &Plan,
    view: &View,
    writer: &Writer,
    events: &(dyn Fn(&Event<'_>) + Sync),
) -> BTreeSet<usize> {
    let completed: Vec<usize> =
        (0..plan.members.len()).filter(|&index| is_completed(plan, view, index)).collect();
    let ids: Vec<MemberId> = completed.iter().map(|&index| plan.members[index].id).collect();
    let index_of: HashMap<MemberId, usize> =
        ids.iter().copied().zip(completed.iter().copied()).collect();
    let mut indices = BTreeSet::new();
    for Lost { member, predictions, weights } in writer.lost(view, &ids) {
        if let Some(error) = predictions {
            let reason = with_causes(&error);
            events(&Event::PredictionsLost { member, reason: &reason });
        }
        if let Some(error) = weights {
            let reason = with_causes(&error);
            events(&Event::WeightsLost { member, reason: &reason });
        }
        indices.insert(index_of[&member]);
    }
    indices
}

/// Returns the completed members of `trials` that no predictions were stored of.
fn unscorable<'a>(
    plan: &'a Plan,
    view: &'a View,
    trials: &'a BTreeSet<usize>,
) -> impl Iterator<Item = usize> + 'a {
    let used = trials.iter().flat_map(|&trial| plan.trials[trial].members.iter().copied());
    used.filter(|&index| {
        let member = &plan.members[index];
        is_completed(plan, view, index)
            && !view.has_predictions(&member.id)
            && !member.settings.trainer.is_command()
    })
}

/// Returns the completed members of networks whose weights were not kept.
fn weightless<'a>(plan: &'a Plan, view: &'a View) -> impl Iterator<Item = usize> + 'a {
    (0..plan.members.len()).filter(|&index| {
        let member = &plan.members[index];
        member.settings.trainer.has_networks()
            && is_completed(plan, view, index)
            && view.weights(&member.id).is_none()
    })
}

fn is_completed(plan: &Plan, view: &View, index: usize) -> bool {
    let record = view.members().get(&plan.members[index].id);
    record.is_some_and(|record| record.outcome == Outcome::Completed)
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
    for &index in members {
        let at = dataset_of(plan, index);
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
    for &index in members {
        let member = &plan.members[index];
        let settings = &member.settings.dataset;
        // The sizes of a split depend on no seed, and neighbours mostly share their settings.
        let images = match last {
            Some((before, images)) if before == settings => images,
            _ => datasets[dataset_of(plan, index)]
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
