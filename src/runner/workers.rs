//! What the workers share, and what one worker does.

use std::panic::resume_unwind;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::event::Event;
use super::observer::MemberObserver;
use super::queue::{Work, WorkQueue, dataset_of};
use super::score::{Scored, score, stated, train_seconds};
use super::standing::is_tried_again;
use super::stop::StopSignal;
use super::training::{Attempt, Ended, pack_capacity, record, train};
use super::{Batch, RunError, RunOptions, Supply};
use crate::base::{Metric, Metrics};
use crate::data::Dataset;
use crate::engine::{Engine, EpochObserver};
use crate::plan::Plan;
use crate::record::{MemberRecord, Outcome, Predictions, TrialRecord};
use crate::store::atomic::Durability;
use crate::store::{Finished, Position, Source, StoreError, View, Writer};

/// Training again what took less than this is cheaper than flushing its predictions. Should the
/// machine lose power, their checksum tells, and the member is trained again.
const WORTH_FLUSHING: Duration = Duration::from_millis(100);

/// Everything the workers share.
pub(super) struct Workers<'a> {
    plan: &'a Plan,
    engine: &'a dyn Engine,
    writer: &'a Writer,
    view: Mutex<&'a mut View>,
    queue: WorkQueue<'a>,
    datasets: Vec<Option<Arc<Dataset>>>,
    supply: Option<&'a dyn Supply>,
    /// Held by the worker that asks for further members.
    supplying: Mutex<()>,
    /// Whether nothing more is to be begun.
    is_late: AtomicBool,
    flushed: Mutex<Instant>,
    options: RunOptions,
    stop: &'a StopSignal,
    events: &'a (dyn Fn(&Event<'_>) + Sync),
    /// Name of a cell that uses each member, for messages.
    cells: Vec<usize>,
    failure: Mutex<Option<RunError>>,
    failing: AtomicBool,
    members: AtomicUsize,
    repaired: AtomicUsize,
    trials: AtomicUsize,
}

/// What the workers have done.
pub(super) struct Done {
    pub(super) members: usize,
    /// Members of these that had been finished before.
    pub(super) repaired: usize,
    pub(super) trials: usize,
    /// Whether a member that was to be trained has not ended.
    pub(super) is_incomplete: bool,
}

/// A member whose attempt ended, on its way to the disk.
struct Attempted {
    index: usize,
    record: MemberRecord,
    predictions: Option<Predictions>,
    weights: Option<Vec<u8>>,
    images_planned: u64,
}

impl Attempted {
    fn new(index: usize, ended: Ended, images_planned: u64) -> Self {
        let Ended { record, predictions, weights } = ended;
        Self { index, record, predictions, weights, images_planned }
    }

    fn is_tried_again(&self, retries: u32) -> bool {
        is_tried_again(self.record.outcome, self.record.attempt, retries)
    }
}

impl<'a> Workers<'a> {
    #[expect(clippy::too_many_arguments, reason = "called once, with everything the workers share")]
    pub(super) fn open(
        plan: &'a Plan,
        engine: &'a dyn Engine,
        writer: &'a Writer,
        view: &'a mut View,
        queue: WorkQueue<'a>,
        datasets: Vec<Option<Arc<Dataset>>>,
        supply: Option<&'a dyn Supply>,
        options: RunOptions,
        stop: &'a StopSignal,
        events: &'a (dyn Fn(&Event<'_>) + Sync),
    ) -> Self {
        let mut cells = vec![0; plan.members.len()];
        for trial in plan.trials.iter().rev() {
            for &member in &trial.members {
                cells[member] = trial.cell;
            }
        }
        Self {
            plan,
            engine,
            writer,
            view: Mutex::new(view),
            queue,
            datasets,
            supply,
            supplying: Mutex::new(()),
            is_late: AtomicBool::new(false),
            flushed: Mutex::new(Instant::now()),
            options,
            stop,
            events,
            cells,
            failure: Mutex::new(None),
            failing: AtomicBool::new(false),
            members: AtomicUsize::new(0),
            repaired: AtomicUsize::new(0),
            trials: AtomicUsize::new(0),
        }
    }

    /// Returns what was done, once all workers are back.
    ///
    /// # Errors
    /// The first reason why the run could not go on.
    pub(super) fn close(self) -> Result<(&'a mut View, Done), RunError> {
        match self.failure.into_inner().unwrap_or_else(PoisonError::into_inner) {
            Some(error) => Err(error),
            None => Ok((
                self.view.into_inner().unwrap_or_else(PoisonError::into_inner),
                Done {
                    members: self.members.into_inner(),
                    repaired: self.repaired.into_inner(),
                    trials: self.trials.into_inner(),
                    is_incomplete: self.queue.is_incomplete(),
                },
            )),
        }
    }

    /// One worker: takes work until nothing is left or everything is to stop.
    pub(super) fn work(&self) {
        while !self.stop.is_requested() && !self.is_failing() && !self.is_late() {
            let done = match self.queue.take() {
                Some(Work::Record(trial)) => {
                    self.store(&[], vec![trial], Durability::Cached).map_err(RunError::from)
                }
                Some(Work::Train(member)) if !self.has_time_for(member) => {
                    self.is_late.store(true, Ordering::SeqCst);
                    return;
                }
                Some(Work::Train(member)) => self.train(member),
                None => match self.supplied() {
                    Ok(true) => continue,
                    Ok(false) => return,
                    Err(error) => Err(error.into()),
                },
            };
            if let Err(error) = done {
                self.failing.store(true, Ordering::SeqCst);
                // Whatever fails in a folder that is gone fails because of that.
                let error = self.writer.check_not_moved().err().map_or(error, RunError::from);
                // The first error is the cause; the others follow from it.
                let mut failure = self.failure.lock().unwrap_or_else(PoisonError::into_inner);
                failure.get_or_insert(error);
            }
        }
    }

    fn is_late(&self) -> bool {
        self.is_late.load(Ordering::SeqCst)
    }

    fn has_time_for(&self, member: usize) -> bool {
        self.supply.is_none_or(|supply| supply.has_time_for(member))
    }

    /// Asks for further members; says whether there may be something to take.
    fn supplied(&self) -> Result<bool, StoreError> {
        let Some(supply) = self.supply else { return Ok(false) };
        let _turn = self.supplying.lock().unwrap_or_else(PoisonError::into_inner);
        // Another worker may have been quicker.
        if !self.queue.is_empty() {
            return Ok(true);
        }
        if self.stop.is_requested() || self.is_failing() || self.is_late() {
            return Ok(false);
        }
        let Batch { members, expected } = supply.more(self.writer, self.stop)?;
        let mut view = self.view();
        for (member, attempt, repair) in expected {
            view.expect(member, attempt, repair);
        }
        drop(view);
        let is_any = !members.is_empty();
        self.queue.add(members);
        Ok(is_any)
    }

    /// Flushes up to a position, unless that was done a moment ago and may wait.
    fn flush(&self, position: Position) -> Result<(), StoreError> {
        let every = self.options.flush_every;
        let mut flushed = self.flushed.lock().unwrap_or_else(PoisonError::into_inner);
        if !every.is_zero() && flushed.elapsed() < every {
            return Ok(());
        }
        *flushed = Instant::now();
        drop(flushed);
        self.writer.flush(position)
    }

    fn is_failing(&self) -> bool {
        self.failing.load(Ordering::SeqCst)
    }

    fn view(&self) -> MutexGuard<'_, &'a mut View> {
        self.view.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Trains a member, with others like it if the engine takes packs, and stores how they ended.
    fn train(&self, first: usize) -> Result<(), RunError> {
        let mut finished = Vec::new();
        let mut attempts = Vec::new();
        self.prepare(first, &mut attempts, &mut finished);
        let capacity = attempts.first().map_or(1, |attempt| pack_capacity(self.engine, attempt));
        if capacity > 1 {
            for index in self.queue.take_alike(first, capacity - 1) {
                self.prepare(index, &mut attempts, &mut finished);
            }
        }
        for attempt in &attempts {
            let member = &self.plan.members[attempt.index];
            (self.events)(&Event::MemberStarted {
                member: member.id,
                cell: &self.plan.cells[self.cells[attempt.index]].name,
                repeat: member.seed_path.repeat,
                index: member.seed_path.member,
                attempt: attempt.number,
                resumed: attempt.checkpoint.is_some(),
            });
        }

        let is_failing = || self.is_failing();
        let started = Instant::now();
        let mut observers: Vec<MemberObserver<'_>> = attempts
            .iter()
            .map(|attempt| MemberObserver {
                member: self.plan.members[attempt.index].id,
                attempt: attempt.number,
                images: attempt.images(),
                writer: self.writer,
                events: self.events,
                stop: self.stop,
                is_failing: &is_failing,
                every: self.options.checkpoint_every,
                saved: started,
                error: None,
                panic: None,
            })
            .collect();
        let mut seen: Vec<&mut dyn EpochObserver> =
            observers.iter_mut().map(|observer| observer as &mut dyn EpochObserver).collect();
        let endings = train(self.engine, &attempts, &mut seen);
        for observer in observers {
            if let Some(panic) = observer.panic {
                self.failing.store(true, Ordering::SeqCst);
                resume_unwind(panic);
            }
            if let Some(error) = observer.error {
                return Err(error.into());
            }
        }

        let durability = if started.elapsed() < WORTH_FLUSHING {
            Durability::Cached
        } else {
            Durability::Flushed
        };
        let lost = self.engine.lost();
        for (attempt, ending) in attempts.iter().zip(endings) {
            if ending.is_err() && lost.is_some() {
                // The device failed, not the member: the next run trains it.
                continue;
            }
            let member = &self.plan.members[attempt.index];
            let ended = record(member, attempt.number, Some(attempt), ending);
            let epochs = u64::from(member.settings.train.epochs);
            let images_planned = attempt.images() as u64 * epochs;
            finished.push(Attempted::new(attempt.index, ended, images_planned));
        }
        self.store(&finished, Vec::new(), durability)?;
        lost.map_or(Ok(()), |reason| Err(RunError::DeviceLost { reason }))
    }

    /// Makes a member ready; one whose images cannot be divided has failed already.
    fn prepare(&self, index: usize, attempts: &mut Vec<Attempt>, finished: &mut Vec<Attempted>) {
        let member = &self.plan.members[index];
        let number = self.view().next_attempt(&member.id);
        let dataset = self.datasets[dataset_of(self.plan, index)]
            .clone()
            .expect("the images of every queued member are loaded");
        let checkpoint = self.writer.load_checkpoint(&member.id, number);
        match Attempt::prepare(index, member, number, dataset, checkpoint) {
            Ok(attempt) => attempts.push(attempt),
            Err(reason) => {
                let ended = record(member, number, None, Err(reason));
                finished.push(Attempted::new(index, ended, 0));
            }
        }
    }

    /// Stores members, then the trials that `ready` names or that waited for these members alone,
    /// with one flush for all; tells of them when they are on the disk.
    fn store(
        &self,
        attempted: &[Attempted],
        mut ready: Vec<usize>,
        durability: Durability,
    ) -> Result<(), StoreError> {
        let mut position = None;
        let mut repaired = 0;
        for one in attempted {
            let Attempted { index, record, predictions, weights, .. } = one;
            let how = self.options.predictions;
            let predictions = match predictions {
                Some(predictions) => self.writer.write_predictions(predictions, how, durability)?,
                None => None,
            };
            let is_kept = self.options.save_weights || self.view().weights(&record.id).is_some();
            let weights = weights
                .as_ref()
                .filter(|_| is_kept)
                .map(|bytes| self.writer.write_weights(&record.id, bytes, durability))
                .transpose()?;
            let finished = Finished { record, predictions, weights };
            let mut view = self.view();
            repaired += usize::from(view.next_repair(&record.id) > 0);
            position = Some(self.writer.add_member(&mut view, &finished)?);
            drop(view);
            if record.outcome != Outcome::Interrupted && !one.is_tried_again(self.options.retries) {
                ready.extend(self.queue.complete(*index));
            }
        }
        let mut recorded = Vec::new();
        for trial in ready {
            let record = self.judge(trial, attempted)?;
            let mut view = self.view();
            if view.trials().get(&record.id) != Some(&record) || !view.is_current(&record.id) {
                position = Some(self.writer.add_trial(&mut view, &record)?);
                recorded.push((trial, record));
            }
        }
        if let Some(position) = position {
            self.flush(position)?;
        }
        self.repaired.fetch_add(repaired, Ordering::SeqCst);
        self.trials.fetch_add(recorded.len(), Ordering::SeqCst);
        for one in attempted {
            self.tell(one)?;
        }
        for (trial, record) in &recorded {
            let cell = self.plan.trials[*trial].cell;
            let name = &self.plan.cells[cell].name;
            (self.events)(&Event::TrialFinished { cell, name, record });
        }
        Ok(())
    }

    /// Tells of an attempt that is on the disk; a member that failed for the first time goes back
    /// to the end of the queue.
    fn tell(&self, attempted: &Attempted) -> Result<(), StoreError> {
        let Attempted { index, record, images_planned, .. } = attempted;
        let (member, reason) = (record.id, record.reason.as_deref());
        if record.outcome != Outcome::Interrupted {
            self.writer.remove_checkpoint(&member);
        }
        if attempted.is_tried_again(self.options.retries) {
            (self.events)(&Event::MemberFailed { member, reason: reason.unwrap_or_default() });
            self.queue.put_back(*index);
            return Ok(());
        }
        let ended = usize::from(record.outcome != Outcome::Interrupted);
        self.members.fetch_add(ended, Ordering::SeqCst);
        (self.events)(&Event::MemberFinished {
            member,
            outcome: record.outcome,
            reason,
            images: record.summary.as_ref().map_or(0, |summary| summary.images_trained),
            images_planned: *images_planned,
            train_seconds: train_seconds(record),
        });
        match self.supply {
            Some(supply) if ended > 0 => supply.settled(self.writer, *index, train_seconds(record)),
            _ => Ok(()),
        }
    }

    /// Scores a trial whose members have all ended, or says why it has no score.
    ///
    /// From stored predictions; only where none are stored from those of the members that just
    /// ended.
    fn judge(&self, trial: usize, ended: &[Attempted]) -> Result<TrialRecord, StoreError> {
        let trial = &self.plan.trials[trial];
        let ids: Vec<_> =
            trial.members.iter().map(|&member| self.plan.members[member].id).collect();
        let members: Vec<(MemberRecord, Source)> = {
            let view = self.view();
            let known = |id| view.members().get(id).expect("a ready trial has only ended members");
            // Scores read summaries, never epochs.
            ids.iter().map(|id| (known(id).record(Vec::new()), view.source(id))).collect()
        };
        let mut judged = TrialRecord {
            id: trial.id,
            cell: self.plan.cells[trial.cell].id,
            repeat: trial.repeat,
            members: ids,
            outcome: Outcome::Completed,
            reason: None,
            metrics: Metrics::default(),
        };
        let records = members.iter().map(|(record, _)| record);
        if let Some((index, worst)) =
            records.enumerate().rev().max_by_key(|(_, record)| record.outcome)
            && worst.outcome != Outcome::Completed
        {
            let reason = worst.reason.as_deref().unwrap_or(worst.outcome.name());
            judged.outcome = worst.outcome;
            judged.reason = Some(match members.len() {
                1 => reason.to_owned(),
                count => format!("member {} of {count}: {reason}", index + 1),
            });
            return Ok(judged);
        }
        if self.plan.settings_of(trial).trainer.is_command() {
            judged.metrics = stated(members.iter().map(|(record, _)| record));
            return Ok(judged);
        }
        let scored: Vec<Scored<'_>> = members
            .iter()
            .map(|(record, source)| {
                let kept = ended
                    .iter()
                    .find(|one| source.is_empty() && one.record.id == record.id)
                    .and_then(|one| one.predictions.clone());
                let predictions = match kept {
                    Some(predictions) => predictions,
                    None => self.writer.read_predictions(source)?,
                };
                Ok(Scored { record, predictions })
            })
            .collect::<Result<_, StoreError>>()?;
        let settings = self.plan.settings_of(trial);
        match score(&scored, settings.ensemble.combine, settings.dataset.split.seed) {
            Ok(metrics) => match Metric::impossible(&settings.trainer.metrics(), &metrics) {
                None => judged.metrics = metrics,
                Some(reason) => {
                    judged.outcome = Outcome::Failed;
                    judged.reason = Some(reason);
                }
            },
            Err(reason) => {
                judged.outcome = Outcome::Failed;
                judged.reason = Some(reason);
            }
        }
        Ok(judged)
    }
}
