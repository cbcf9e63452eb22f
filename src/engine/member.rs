//! One member while it is trained: its progress, its checks and its result.

use std::collections::BTreeMap;

use super::checkpoint::Checkpoint;
use super::evaluation::{evaluate, log_probabilities};
use super::feed;
use super::network::Network;
use super::schedule::learning_rate;
use super::stopping::Stopping;
use super::weights::{NamedTensor, to_safetensors};
use super::{EngineError, Snapshot, TrainJob, TrainOutput};
use crate::base::MetricName;
use crate::data::Batches;
use crate::record::{EpochRecord, MemberSummary, Outcome, Predictions};

/// A mean loss this many times that of a uniform guess counts as exploded.
const EXPLODED: f64 = 1e4;

/// How a member ended.
#[derive(Debug)]
pub(super) enum Ended {
    /// Evaluated.
    Completed(Box<TrainOutput>),
    /// Loss became NaN, infinite or exploded.
    Diverged(String),
    /// Over its time limit.
    TimedOut(String),
    /// The observer stopped it.
    Interrupted,
}

/// Progress of one member.
pub(super) struct Member<'a> {
    pub(super) job: &'a TrainJob<'a>,
    pub(super) stopping: Stopping,
    pub(super) records: Vec<EpochRecord>,
    pub(super) step: u64,
    pub(super) best: Option<Vec<NamedTensor>>,
    pub(super) ended: Option<Ended>,
}

impl<'a> Member<'a> {
    /// Begins a member, or continues it from its checkpoint.
    pub(super) fn start(
        network: &mut dyn Network,
        model: usize,
        job: &'a TrainJob<'a>,
    ) -> Result<Self, EngineError> {
        let mut stopping = Stopping::new(&job.settings.train, !job.splits.validation.is_empty())?;
        if let Some(epochs) = job.earlier.and_then(|earlier| earlier.best_epoch) {
            stopping = stopping.ending_after(epochs);
        }
        let (records, best) = (Vec::new(), None);
        let mut member = Self { job, stopping, records, step: 0, best, ended: None };
        if let Some(bytes) = job.checkpoint {
            let checkpoint = Checkpoint::from_bytes(bytes)?;
            network.load_state(model, &checkpoint.state).map_err(|error| match error {
                EngineError::Weights(problem) => EngineError::Checkpoint(problem.to_string()),
                other => other,
            })?;
            member.stopping.restore(checkpoint.stopping);
            member.step = checkpoint.records.len() as u64 * member.steps_per_epoch();
            member.records = checkpoint.records;
            member.best = checkpoint.best;
        }
        Ok(member)
    }

    fn steps_per_epoch(&self) -> u64 {
        let train = &self.job.settings.train;
        let (images, batch) = (self.job.splits.train.len(), train.batch_size.max(1));
        (if train.drop_last { images / batch } else { images.div_ceil(batch) }) as u64
    }

    pub(super) fn learning_rate(&self) -> f64 {
        let train = &self.job.settings.train;
        learning_rate(&train.learning_rate, self.step, self.steps_per_epoch(), train.epochs)
    }

    pub(super) fn classes(&self) -> usize {
        self.job.dataset.classes.len()
    }

    pub(super) fn labels(&self, indices: &[u32]) -> Vec<u16> {
        indices.iter().map(|&index| self.job.dataset.labels[index as usize]).collect()
    }

    /// Returns the batches of the next epoch.
    pub(super) fn training_batches(&self) -> Batches<'a> {
        feed::training_batches(self.job, self.records.len() as u64)
    }

    /// Returns the images of a split in order, as they are.
    pub(super) fn evaluation_batches(&self, indices: &[u32]) -> Batches<'a> {
        feed::evaluation_batches(self.job, indices)
    }

    /// Ends the member if the mean loss of a step is no longer reasonable or its time is over.
    pub(super) fn check_step(&mut self, loss: f64, step_in_epoch: u64, epoch_seconds: f64) {
        let epoch = self.records.len() + 1;
        let limit = EXPLODED * (self.classes().max(2) as f64).ln();
        let fault = if loss.is_nan() {
            Some("became NaN".to_owned())
        } else if loss.is_infinite() {
            Some("became infinite".to_owned())
        } else if loss > limit {
            Some(format!("exploded to {loss:.3e}"))
        } else {
            None
        };
        if let Some(fault) = fault {
            self.ended = Some(Ended::Diverged(format!(
                "loss {fault} in epoch {epoch}, step {step_in_epoch}"
            )));
            return;
        }
        let Some(allowed) = self.job.settings.train.time_limit else { return };
        let earlier = self.job.earlier.map_or(0.0, |earlier| earlier.seconds);
        if earlier + self.train_seconds() + epoch_seconds > allowed {
            self.ended = Some(Ended::TimedOut(format!(
                "training took more than `train.time-limit`, {allowed} s, in epoch {epoch}"
            )));
        }
    }

    /// Keeps the record of a finished epoch, unless its validation shows divergence.
    pub(super) fn finish_epoch(&mut self, record: EpochRecord) {
        if record.validation_loss.is_some_and(|loss| !loss.is_finite()) {
            self.ended = Some(Ended::Diverged(format!(
                "validation loss became {} in epoch {}",
                record.validation_loss.unwrap_or(f64::NAN),
                record.epoch
            )));
        } else {
            self.records.push(record);
        }
    }

    pub(super) fn snapshot<'s>(
        &'s self,
        network: &'s dyn Network,
        model: usize,
    ) -> MemberSnapshot<'s, 'a> {
        MemberSnapshot { member: self, network, model }
    }

    fn train_seconds(&self) -> f64 {
        self.records.iter().map(|record| record.train_seconds).sum()
    }

    /// Ends the member with its predictions, metrics and weights.
    pub(super) fn complete(
        &mut self,
        network: &dyn Network,
        weights: &[NamedTensor],
        validation_logits: Vec<f32>,
        test_logits: Vec<f32>,
    ) {
        let classes = self.classes();
        let validation_labels = self.labels(&self.job.splits.validation);
        let test_labels = self.labels(&self.job.splits.test);
        let (selected_epoch, selection) = self.stopping.selected();
        let mut metrics = BTreeMap::new();
        if !test_labels.is_empty() {
            let test = evaluate(&test_logits, classes, &test_labels);
            if !test.loss.is_finite() {
                let reason = format!("test loss became {} after the last epoch", test.loss);
                self.ended = Some(Ended::Diverged(reason));
                return;
            }
            metrics.insert(MetricName::TEST_ACCURACY, test.accuracy);
            metrics.insert(MetricName::TEST_LOSS, test.loss);
        }
        if !validation_labels.is_empty() {
            let validation = evaluate(&validation_logits, classes, &validation_labels);
            metrics.insert(MetricName::VALIDATION_ACCURACY, validation.accuracy);
            metrics.insert(MetricName::VALIDATION_LOSS, validation.loss);
        }
        if let Some(record) = self.records.iter().find(|record| record.epoch == selected_epoch) {
            metrics.insert(MetricName::TRAIN_ACCURACY, record.train_accuracy);
            metrics.insert(MetricName::TRAIN_LOSS, record.train_loss);
        }
        let epochs = self.records.len() as u32;
        let images_trained = self.images_trained();
        let seconds = self.train_seconds();
        metrics.insert(MetricName::EPOCHS, f64::from(epochs));
        metrics.insert(MetricName::TRAIN_SECONDS, seconds);
        if seconds > 0.0 {
            metrics.insert(MetricName::IMAGES_PER_SECOND, images_trained as f64 / seconds);
        }
        let mebibyte = 1024.0 * 1024.0;
        metrics.insert(
            MetricName::PEAK_MEMORY,
            network.working_bytes() as f64 / network.models().max(1) as f64 / mebibyte,
        );
        let summary = MemberSummary {
            epochs,
            selected_epoch,
            selection,
            metrics: metrics.into(),
            trainable_parameters: network.trainable_parameters(),
            path: network.path(),
            images_trained,
        };
        let predictions = Predictions {
            validation: log_probabilities(validation_logits, classes),
            validation_labels,
            test: log_probabilities(test_logits, classes),
            test_labels,
            ..Predictions::default()
        };
        self.ended = Some(Ended::Completed(Box::new(TrainOutput {
            outcome: Outcome::Completed,
            reason: None,
            epochs: self.records.clone(),
            summary: Some(summary),
            predictions: Some(predictions),
            weights: Some(to_safetensors(weights)),
        })));
    }

    fn images_trained(&self) -> u64 {
        let train = &self.job.settings.train;
        let images = self.job.splits.train.len();
        let used = if train.drop_last { images - images % train.batch_size.max(1) } else { images };
        used as u64 * self.records.len() as u64
    }

    /// Returns the result of a member that has ended.
    ///
    /// # Panics
    /// If it has not.
    pub(super) fn into_output(self) -> TrainOutput {
        let (outcome, reason) = match self.ended.expect("the loop runs until every member ended") {
            Ended::Completed(output) => return *output,
            Ended::Diverged(reason) => (Outcome::Diverged, reason),
            Ended::TimedOut(reason) => (Outcome::TimedOut, reason),
            Ended::Interrupted => (Outcome::Interrupted, "stopped between two epochs".to_owned()),
        };
        TrainOutput {
            outcome,
            reason: Some(reason),
            epochs: self.records,
            summary: None,
            predictions: None,
            weights: None,
        }
    }
}

/// The state of a member after an epoch, for its observer.
pub(super) struct MemberSnapshot<'s, 'a> {
    member: &'s Member<'a>,
    network: &'s dyn Network,
    model: usize,
}

impl Snapshot for MemberSnapshot<'_, '_> {
    fn checkpoint(&self) -> Vec<u8> {
        Checkpoint {
            records: self.member.records.clone(),
            stopping: self.member.stopping.state(),
            state: self.network.state(self.model),
            best: self.member.best.clone(),
        }
        .to_bytes()
    }
}
