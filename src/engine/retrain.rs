//! Training twice: a first time to find the end, a second time on all images that do not test.
//!
//! The second training begins with the initial weights. Rules that watch the validation images
//! cannot be asked again, since these are now trained on; they give the number of epochs instead, and
//! step sizes change as in the first training up to there. The time limit is one for both.
//! Invariants: validation numbers are the first training's and test numbers the second's; an
//! interrupted second training goes on where it was, behind the same first one.

use std::ops::ControlFlow;

use super::stopping::Stopping;
use super::{Earlier, EngineError, EpochObserver, Snapshot, TrainJob, TrainOutput};
use crate::base::MetricName;
use crate::data::Splits;
use crate::experiment::settings::{Settings, StopSettings};
use crate::record::{EpochRecord, MemberSummary, Outcome, Predictions};

/// First bytes of a checkpoint of the second training.
const MARK: &[u8] = b"gridbench-retrain-1\n";

/// Trains one member once.
pub(super) type Once<'a> =
    dyn FnMut(&TrainJob<'_>, &mut dyn EpochObserver) -> Result<TrainOutput, EngineError> + 'a;

/// Trains a member twice, each time by `once`.
///
/// # Errors
/// Those of `once`.
pub(super) fn train(
    job: &TrainJob<'_>,
    observer: &mut dyn EpochObserver,
    once: &mut Once<'_>,
) -> Result<TrainOutput, EngineError> {
    let (first_state, second_state) = match job.checkpoint {
        Some(bytes) => parts(bytes)?,
        None => (None, None),
    };
    let mut watch = First {
        observer,
        is_told: second_state.is_none(),
        last: first_state.unwrap_or_default().to_vec(),
    };
    let first_job = TrainJob { checkpoint: first_state, ..*job };
    let first = once(&first_job, &mut watch)?;
    let last = std::mem::take(&mut watch.last);
    if first.outcome != Outcome::Completed {
        return Ok(first);
    }
    let finished = first.summary.as_ref().expect("a completed training has a summary");
    let best_epoch = Stopping::best_of(&job.settings.train, &first.epochs)?;
    let settings = again(job.settings, best_epoch);
    let splits = together(job.splits);
    let seconds = first.epochs.iter().map(|record| record.train_seconds).sum();
    let second_job = TrainJob {
        settings: &settings,
        splits: &splits,
        checkpoint: second_state,
        earlier: Some(Earlier { best_epoch, seconds }),
        ..*job
    };
    let offset = finished.epochs;
    let second = once(&second_job, &mut Second { observer, offset, first: &last })?;
    Ok(joined(first, second))
}

/// Returns the settings of the second training.
fn again(settings: &Settings, best_epoch: Option<u32>) -> Settings {
    let mut settings = settings.clone();
    settings.train.retrain = None;
    if best_epoch.is_some() {
        settings.train.stop = StopSettings::default();
    }
    settings
}

/// Returns the splits with the validation images among the training images.
fn together(splits: &Splits) -> Splits {
    let mut train = [splits.train.as_slice(), &splits.validation].concat();
    train.sort_unstable();
    Splits { train, validation: Vec::new(), test: splits.test.clone() }
}

fn joined(first: TrainOutput, second: TrainOutput) -> TrainOutput {
    let offset = first.epochs.len() as u32;
    let mut epochs = first.epochs;
    epochs.extend(second.epochs.iter().map(|record| numbered(record, offset)));
    if second.outcome != Outcome::Completed {
        let reason = second.reason.map(|reason| format!("training again on all images: {reason}"));
        return TrainOutput { epochs, ..TrainOutput::ended(second.outcome, reason) };
    }
    let summary = first.summary.zip(second.summary).map(|(before, after)| merged(&before, after));
    let predictions =
        first.predictions.zip(second.predictions).map(|(before, after)| Predictions {
            validation: before.validation,
            validation_labels: before.validation_labels,
            ..after
        });
    let (outcome, reason, weights) = (second.outcome, None, second.weights);
    TrainOutput { outcome, reason, epochs, summary, predictions, weights }
}

fn merged(before: &MemberSummary, mut after: MemberSummary) -> MemberSummary {
    after.epochs += before.epochs;
    after.selected_epoch += before.epochs;
    // What chose the number of epochs has chosen, even if the last of them is evaluated.
    after.selection = before.selection;
    after.images_trained += before.images_trained;
    let stated =
        |summary: &MemberSummary, metric: &MetricName| summary.metrics.get(metric).copied();
    let seconds = stated(before, &MetricName::TRAIN_SECONDS).unwrap_or(0.0)
        + stated(&after, &MetricName::TRAIN_SECONDS).unwrap_or(0.0);
    for metric in [MetricName::VALIDATION_ACCURACY, MetricName::VALIDATION_LOSS] {
        if let Some(value) = stated(before, &metric) {
            after.metrics.insert(metric, value);
        }
    }
    after.metrics.insert(MetricName::EPOCHS, f64::from(after.epochs));
    after.metrics.insert(MetricName::TRAIN_SECONDS, seconds);
    if seconds > 0.0 {
        after.metrics.insert(MetricName::IMAGES_PER_SECOND, after.images_trained as f64 / seconds);
    }
    after
}

fn numbered(record: &EpochRecord, offset: u32) -> EpochRecord {
    EpochRecord { epoch: record.epoch + offset, ..record.clone() }
}

/// Watches the first training and remembers its last state.
struct First<'a> {
    observer: &'a mut dyn EpochObserver,
    /// Whether the observer has not heard of these epochs in an earlier attempt.
    is_told: bool,
    last: Vec<u8>,
}

impl EpochObserver for First<'_> {
    fn epoch(&mut self, record: &EpochRecord, state: &dyn Snapshot) -> ControlFlow<()> {
        self.last = state.checkpoint();
        if self.is_told { self.observer.epoch(record, state) } else { ControlFlow::Continue(()) }
    }
}

/// Watches the second training; its epochs count on from the first's.
struct Second<'a> {
    observer: &'a mut dyn EpochObserver,
    offset: u32,
    first: &'a [u8],
}

impl EpochObserver for Second<'_> {
    fn epoch(&mut self, record: &EpochRecord, state: &dyn Snapshot) -> ControlFlow<()> {
        let both = Both { first: self.first, second: state };
        self.observer.epoch(&numbered(record, self.offset), &both)
    }
}

/// The end of the first training and the state of the second.
struct Both<'a> {
    first: &'a [u8],
    second: &'a dyn Snapshot,
}

impl Snapshot for Both<'_> {
    fn checkpoint(&self) -> Vec<u8> {
        let mut bytes = MARK.to_vec();
        bytes.extend((self.first.len() as u64).to_le_bytes());
        bytes.extend(self.first);
        bytes.extend(self.second.checkpoint());
        bytes
    }
}

/// States of the first and the second training.
type Parts<'a> = (Option<&'a [u8]>, Option<&'a [u8]>);

/// Cuts a checkpoint into the states of the first and the second training.
fn parts(bytes: &[u8]) -> Result<Parts<'_>, EngineError> {
    let Some(rest) = bytes.strip_prefix(MARK) else { return Ok((Some(bytes), None)) };
    let cut = || EngineError::Checkpoint("it ends within the state of the first training".into());
    let (length, rest) = rest.split_first_chunk::<8>().ok_or_else(cut)?;
    let length = usize::try_from(u64::from_le_bytes(*length)).map_err(|_| cut())?;
    if length > rest.len() {
        return Err(cut());
    }
    let (first, second) = rest.split_at(length);
    Ok((Some(first), Some(second)))
}

#[cfg(test)]
#[path = "retrain_tests.rs"]
mod tests;
