//! What is still to do, shared by the workers.

use std::cmp::Reverse;
use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::data::Dataset;
use crate::engine::pack::agree;
use crate::experiment::architecture::Architecture;
use crate::experiment::settings::Settings;
use crate::plan::Plan;

/// The next thing for a worker to do; indices into the plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Work {
    /// A trial whose members were all finished before the run.
    Record(usize),
    /// A member to train.
    Train(usize),
}

/// The queue of members, and the trials that wait for them.
pub(super) struct WorkQueue<'a> {
    plan: &'a Plan,
    state: Mutex<State>,
}

struct State {
    ready: VecDeque<usize>,
    members: VecDeque<usize>,
    /// Incomplete members of every outstanding trial.
    waiting: HashMap<usize, usize>,
    /// Outstanding trials of every member to train.
    users: HashMap<usize, Vec<usize>>,
}

impl<'a> WorkQueue<'a> {
    /// Queues `members`; `trials` wait for those of their members that are in `untrained`, which
    /// holds more than `members` when others train the rest.
    pub(super) fn new(
        plan: &'a Plan,
        members: &[usize],
        untrained: &[usize],
        trials: &[usize],
        datasets: &[Option<Arc<Dataset>>],
    ) -> Self {
        let mut users: HashMap<usize, Vec<usize>> =
            untrained.iter().map(|&member| (member, Vec::new())).collect();
        let mut waiting = HashMap::new();
        let mut ready = VecDeque::new();
        for &trial in trials {
            let mut missing = 0;
            for member in &plan.trials[trial].members {
                if let Some(trials) = users.get_mut(member) {
                    trials.push(trial);
                    missing += 1;
                }
            }
            if missing == 0 {
                ready.push_back(trial);
            } else {
                waiting.insert(trial, missing);
            }
        }
        let members = in_training_order(plan, members, datasets);
        let members = members.into_iter().map(|(member, _)| member).collect();
        Self { plan, state: Mutex::new(State { ready, members, waiting, users }) }
    }

    /// Takes the next thing to do.
    pub(super) fn take(&self) -> Option<Work> {
        let mut state = self.state();
        let trial = state.ready.pop_front().map(Work::Record);
        trial.or_else(|| state.members.pop_front().map(Work::Train))
    }

    /// Takes up to `limit` more members that can be trained in one pack with `first`.
    pub(super) fn take_alike(&self, first: usize, limit: usize) -> Vec<usize> {
        let mut alike = Vec::new();
        let settings = &self.plan.members[first].settings;
        self.state().members.retain(|&member| {
            let taken = alike.len() < limit && agree(settings, &self.plan.members[member].settings);
            if taken {
                alike.push(member);
            }
            !taken
        });
        alike
    }

    /// Adds members that were handed out since.
    pub(super) fn add(&self, members: Vec<usize>) {
        self.state().members.extend(members);
    }

    /// Returns whether nothing is left to take.
    pub(super) fn is_empty(&self) -> bool {
        let state = self.state();
        state.ready.is_empty() && state.members.is_empty()
    }

    /// Puts a member that failed behind all others.
    pub(super) fn put_back(&self, member: usize) {
        self.state().members.push_back(member);
    }

    /// Returns whether a member that was to be trained has not ended.
    pub(super) fn is_incomplete(&self) -> bool {
        !self.state().users.is_empty()
    }

    /// Notes that a member has ended for good in this run, and returns the trials that were waiting
    /// for it alone.
    pub(super) fn complete(&self, member: usize) -> Vec<usize> {
        let mut state = self.state();
        let trials = state.users.remove(&member).unwrap_or_default();
        let waiting = &mut state.waiting;
        trials
            .into_iter()
            .filter(|trial| {
                let missing = waiting.get_mut(trial).expect("a trial waits for its members");
                *missing -= 1;
                *missing == 0
            })
            .collect()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Earlier repeats first, so that an interrupted run has about equally many trials in every cell;
/// within a repeat the longest first, so that no worker is left alone with one at the end.
pub(super) fn in_training_order(
    plan: &Plan,
    members: &[usize],
    datasets: &[Option<Arc<Dataset>>],
) -> Vec<(usize, u64)> {
    let mut costs = HashMap::new();
    let mut keyed: Vec<_> = members
        .iter()
        .map(|&index| {
            let member = &plan.members[index];
            let settings = &member.settings;
            let dataset = datasets[dataset_of(plan, index)].as_deref();
            let cost = *costs
                .entry(Arc::as_ptr(settings))
                .or_insert_with(|| dataset.map_or(0, |dataset| cost(settings, dataset)));
            (member.seed_path.repeat, Reverse(cost), index)
        })
        .collect();
    keyed.sort_unstable();
    keyed.into_iter().map(|(_, Reverse(cost), index)| (index, cost)).collect()
}

/// Returns the operations of a training, as far as they differ between members.
fn cost(settings: &Settings, dataset: &Dataset) -> u64 {
    let shape = (dataset.shape.height, dataset.shape.width, dataset.shape.channels);
    let network = Architecture::of(&settings.model.layers, shape, dataset.classes.len());
    // A network that does not fit fails at once, wherever it stands in the queue.
    let operations = network.map_or(1, |network| network.multiply_accumulates().max(1)) as u64;
    let images = settings.dataset.train_limit.unwrap_or(usize::MAX).min(dataset.len()) as u64;
    operations.saturating_mul(images).saturating_mul(u64::from(settings.train.epochs))
}

/// Returns the index of a member's collection of images in [`Plan::datasets`].
pub(super) fn dataset_of(plan: &Plan, member: usize) -> usize {
    let settings = &plan.members[member].settings.dataset;
    let holds = plan.datasets.iter().position(|dataset| dataset.holds(settings));
    holds.expect("a plan names the dataset of every member")
}
