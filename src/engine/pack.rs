//! Packs: which members may be trained at once on one device, how many of them, and what happens
//! when a pack is too much for the device.
//!
//! This is the one place that says what members of a pack must share. Their seeds, augmentation,
//! dropout rates, stop rules and time limits may differ. Step size, decay and epochs may not: the
//! optimizers are dfdx's kernels, which take one step size for all values of a tensor. Invariant:
//! a pack that fails as a whole is halved until its members are alone, so none is lost to the
//! company it was in.

use std::any::Any;
use std::ops::ControlFlow;
use std::panic::{AssertUnwindSafe, catch_unwind};

use super::checkpoint::Checkpoint;
use super::{EngineError, EpochObserver, Snapshot, TrainJob, TrainOutput, naive_bayes};
use crate::experiment::layers::LayerSettings;
use crate::experiment::settings::{Settings, TrainerSettings};
use crate::record::EpochRecord;

#[cfg(test)]
#[path = "pack_tests.rs"]
mod tests;

/// Most members of a pack by default: beyond this a GPU has long been busy, and more is lost with a failure.
#[cfg(any(test, feature = "cuda"))]
pub(super) const MAX_MEMBERS: usize = 64;

/// Returns whether two members may be trained in one pack.
pub(crate) fn agree(a: &Settings, b: &Settings) -> bool {
    let same_engine = match (&a.trainer, &b.trainer) {
        (TrainerSettings::Fake(_), TrainerSettings::Fake(_)) => true,
        (a, b) => a == b,
    };
    same_engine
        && same_architecture(&a.model.layers, &b.model.layers)
        && a.train.batch_size == b.train.batch_size
        && a.train.drop_last == b.train.drop_last
        && a.train.precision == b.train.precision
        && a.train.optimizer == b.train.optimizer
        && a.train.learning_rate == b.train.learning_rate
        && a.train.epochs == b.train.epochs
        && a.train.retrain == b.train.retrain
        && a.dataset == b.dataset
}

/// Returns whether layers are the same but for the rates of dropout.
fn same_architecture(a: &[LayerSettings], b: &[LayerSettings]) -> bool {
    use LayerSettings::Dropout;
    let same = |(a, b): (&LayerSettings, &LayerSettings)| {
        matches!((a, b), (Dropout { .. }, Dropout { .. })) || a == b
    };
    a.len() == b.len() && a.iter().zip(b).all(same)
}

/// Returns whether the training loop can train a member like this beside others: it is trained by
/// steps, and once.
pub(super) fn is_packable(settings: &Settings) -> bool {
    settings.trainer.has_networks()
        && settings.train.retrain.is_none()
        && naive_bayes::asked_for(settings).is_none()
}

/// Returns how many members of `bytes` each fit into `free` bytes of a device, a fifth of which is
/// kept for what nobody counted.
#[cfg(any(test, feature = "cuda"))]
pub(super) fn fitting(free: u64, bytes: u64) -> usize {
    let usable = free / 5 * 4;
    usize::try_from(usable / bytes.max(1)).unwrap_or(MAX_MEMBERS).clamp(1, MAX_MEMBERS)
}

/// Divides jobs into those that may share a pack, as indices: they agree, and go on from the same
/// epoch. A job whose checkpoint is damaged stays alone with its error.
fn companies(jobs: &[TrainJob<'_>]) -> Vec<Vec<usize>> {
    let begins: Vec<Option<usize>> = jobs
        .iter()
        .map(|job| match job.checkpoint {
            None => Some(0),
            Some(bytes) => Checkpoint::from_bytes(bytes).ok().map(|saved| saved.records.len()),
        })
        .collect();
    let mut companies: Vec<Vec<usize>> = Vec::new();
    for (index, job) in jobs.iter().enumerate() {
        let fits = |company: &&mut Vec<usize>| {
            let first = company[0];
            begins[index].is_some()
                && begins[index] == begins[first]
                && agree(job.settings, jobs[first].settings)
        };
        match companies.iter_mut().find(fits) {
            Some(company) => company.push(index),
            None => companies.push(vec![index]),
        }
    }
    companies
}

/// Trains a pack in one attempt, one result a job.
pub(super) type Attempt<'f> = dyn FnMut(&[TrainJob<'_>], &mut [&mut dyn EpochObserver]) -> Vec<Result<TrainOutput, EngineError>>
    + 'f;

/// Trains jobs in packs by `attempt`, halving those that fail as a whole; `failed` hears of the
/// size of each.
///
/// Observers hear of every epoch once, however often it was trained.
pub(super) fn train(
    jobs: &[TrainJob<'_>],
    observers: &mut [&mut dyn EpochObserver],
    attempt: &mut Attempt<'_>,
    failed: &mut dyn FnMut(usize),
) -> Vec<Result<TrainOutput, EngineError>> {
    assert_eq!(jobs.len(), observers.len(), "one observer a job");
    let mut once: Vec<Once<'_>> =
        observers.iter_mut().map(|observer| Once { observer: &mut **observer, heard: 0 }).collect();
    let mut results: Vec<Option<Result<TrainOutput, EngineError>>> =
        jobs.iter().map(|_| None).collect();
    let mut waiting = companies(jobs);
    waiting.reverse();
    while let Some(mut company) = waiting.pop() {
        let members: Vec<TrainJob<'_>> =
            company.iter().map(|&index| TrainJob { ..jobs[index] }).collect();
        let mut present: Vec<&mut dyn EpochObserver> = once
            .iter_mut()
            .enumerate()
            .filter(|(index, _)| company.contains(index))
            .map(|(_, observer)| observer as &mut dyn EpochObserver)
            .collect();
        let trained = catch_unwind(AssertUnwindSafe(|| attempt(&members, &mut present)));
        match trained {
            Ok(trained) if trained.len() == company.len() && trained.iter().any(Result::is_ok) => {
                for (&index, result) in company.iter().zip(trained) {
                    results[index] = Some(result);
                }
            }
            Ok(mut trained) if company.len() == 1 => results[company[0]] = trained.pop(),
            Err(panic) if company.len() == 1 => {
                let message = format!("panicked: {}", message_of(&*panic));
                results[company[0]] = Some(Err(EngineError::Device(message)));
            }
            _ => {
                failed(company.len());
                let second = company.split_off(company.len().div_ceil(2));
                waiting.extend([second, company]);
            }
        }
    }
    results.into_iter().map(|result| result.expect("every job was in a pack")).collect()
}

fn message_of(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("no message")
}

/// Passes every epoch on to an observer once.
struct Once<'o> {
    observer: &'o mut dyn EpochObserver,
    heard: u32,
}

impl EpochObserver for Once<'_> {
    fn epoch(&mut self, record: &EpochRecord, state: &dyn Snapshot) -> ControlFlow<()> {
        if record.epoch <= self.heard {
            return ControlFlow::Continue(());
        }
        self.heard = record.epoch;
        self.observer.epoch(record, state)
    }
}
