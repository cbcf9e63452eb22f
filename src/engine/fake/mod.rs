//! The fake engine: made-up curves, scripted failures and delays instead of training.
//!
//! Everything that runs, resumes, reports and gates is tested with it, with exact numbers: without
//! spread and effects, a member's test accuracy is the scripted accuracy to the nearest image.
//! Times are made up too; only `epoch-delay-ms` takes real time. Invariant: what a member gives
//! depends on its settings and seed path alone, never on the clock, other members or workers.

mod draws;
mod keys;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::time::Duration;

use self::draws::{Course, rounded};
use self::keys::{same, value_at};
use super::checkpoint::Checkpoint;
use super::evaluation::argmax;
use super::schedule::learning_rate;
use super::stopping::Stopping;
use super::{Engine, EngineError, EpochObserver, Snapshot, TrainJob, TrainOutput};
use crate::base::MetricName;
use crate::experiment::settings::{Accident, AccidentKind, FakeSettings, TrainerSettings};
use crate::record::{EpochRecord, LogProbabilities, MemberSummary, Outcome, Predictions};

/// Made-up training images per second.
const IMAGES_PER_SECOND: f64 = 50_000.0;
/// Made-up memory of one training.
const PEAK_MEMORY: f64 = 64.0;
/// Members without delay that are trained in one go: they are stored with one flush of the disk,
/// which costs far more than all of them together.
const PACK: usize = 16;

/// Draws curves where others train.
#[derive(Debug, Clone, Copy, Default)]
pub struct FakeEngine;

impl Engine for FakeEngine {
    fn description(&self) -> String {
        "fake".to_owned()
    }

    fn pack_capacity(&self, job: &TrainJob<'_>) -> usize {
        match &job.settings.trainer {
            TrainerSettings::Fake(fake) if fake.epoch_delay_ms == 0 => PACK,
            _ => 1,
        }
    }

    fn train(
        &self,
        job: &TrainJob<'_>,
        observer: &mut dyn EpochObserver,
    ) -> Result<TrainOutput, EngineError> {
        let TrainerSettings::Fake(fake) = &job.settings.trainer else {
            return Err(EngineError::Unsupported(
                "the fake engine trains only where `trainer.engine = \"fake\"`".to_owned(),
            ));
        };
        let member = Member::start(job, fake)?;
        member.run(observer)
    }
}

/// One member on its made-up way.
struct Member<'a> {
    job: &'a TrainJob<'a>,
    fake: &'a FakeSettings,
    classes: usize,
    course: Course,
    stopping: Stopping,
    records: Vec<EpochRecord>,
}

impl<'a> Member<'a> {
    fn start(job: &'a TrainJob<'a>, fake: &'a FakeSettings) -> Result<Self, EngineError> {
        let classes = job.dataset.classes.len();
        let course = Course::new(fake, job.settings, classes, job.seed_path);
        let mut stopping = Stopping::new(&job.settings.train, !job.splits.validation.is_empty())?;
        let mut records = Vec::new();
        if let Some(bytes) = job.checkpoint {
            let checkpoint = Checkpoint::from_bytes(bytes)?;
            stopping.restore(checkpoint.stopping);
            records = checkpoint.records;
        }
        Ok(Self { job, fake, classes, course, stopping, records })
    }

    fn run(mut self, observer: &mut dyn EpochObserver) -> Result<TrainOutput, EngineError> {
        while !self.stopping.is_finished() {
            let epoch = self.records.len() as u32 + 1;
            if self.fake.epoch_delay_ms > 0 {
                std::thread::sleep(Duration::from_millis(self.fake.epoch_delay_ms));
            }
            if let Some(accident) = self.accident(epoch) {
                let what = format!("planned accident in epoch {epoch}");
                match accident.kind {
                    AccidentKind::Error => return Err(EngineError::Trainer(what)),
                    AccidentKind::Panic => panic!("{what}"),
                    AccidentKind::Diverge => {
                        let reason = format!("loss became NaN in epoch {epoch} ({what})");
                        return Ok(self.ended(Outcome::Diverged, reason));
                    }
                }
            }
            let record = self.record(epoch);
            let seconds: f64 = self.records.iter().map(|record| record.train_seconds).sum();
            if let Some(limit) = self.job.settings.train.time_limit
                && seconds + record.train_seconds > limit
            {
                let reason = format!(
                    "training took more than `train.time-limit`, {limit} s, in epoch {epoch}"
                );
                return Ok(self.ended(Outcome::TimedOut, reason));
            }
            self.stopping.observe(&record);
            self.records.push(record.clone());
            if let ControlFlow::Break(()) = observer.epoch(&record, &self) {
                let reason = "stopped between two epochs".to_owned();
                return Ok(self.ended(Outcome::Interrupted, reason));
            }
        }
        Ok(self.completed())
    }

    fn accident(&self, epoch: u32) -> Option<&'a Accident> {
        let path = &self.job.seed_path;
        let matches =
            |wanted: Option<u32>, found: Option<u32>| wanted.is_none_or(|w| found == Some(w));
        self.fake.accidents.iter().find(|accident| {
            accident.epoch == epoch
                && matches(accident.repeat, path.repeat)
                && matches(accident.member, path.member)
                && accident.attempts.is_none_or(|attempts| self.job.attempt <= attempts)
                && accident.when.iter().all(|(key, wanted)| {
                    value_at(self.job.settings, key).is_some_and(|found| same(&found, wanted))
                })
        })
    }

    fn record(&self, epoch: u32) -> EpochRecord {
        let train = &self.job.settings.train;
        let (images, batch) = (self.job.splits.train.len(), train.batch_size.max(1));
        let steps = images.div_ceil(batch) as u64;
        let accuracy = self.course.accuracy(epoch);
        let validation = (!self.job.splits.validation.is_empty()).then(|| {
            rounded(self.course.validation_accuracy(epoch), self.job.splits.validation.len())
        });
        EpochRecord {
            epoch,
            learning_rate: learning_rate(
                &train.learning_rate,
                u64::from(epoch - 1) * steps,
                steps,
                train.epochs,
            ),
            train_loss: loss_at(accuracy),
            train_accuracy: accuracy,
            validation_loss: validation.map(loss_at),
            validation_accuracy: validation,
            train_seconds: images as f64 / IMAGES_PER_SECOND,
        }
    }

    fn labels(&self, indices: &[u32]) -> Vec<u16> {
        indices.iter().map(|&index| self.job.dataset.labels[index as usize]).collect()
    }

    fn completed(self) -> TrainOutput {
        let (selected_epoch, selection) = self.stopping.selected();
        let splits = self.job.splits;
        let (validation_labels, test_labels) =
            (self.labels(&splits.validation), self.labels(&splits.test));
        let accuracy = self.course.accuracy(selected_epoch);
        let test = self.course.test_predictions(accuracy, &test_labels, self.classes);
        let validation = self.course.validation_predictions(
            self.course.validation_accuracy(selected_epoch),
            &validation_labels,
            self.classes,
        );
        let mut metrics = BTreeMap::new();
        if !test_labels.is_empty() {
            let (accuracy, loss) = score(&test, &test_labels);
            metrics.insert(MetricName::TEST_ACCURACY, accuracy);
            metrics.insert(MetricName::TEST_LOSS, loss);
        }
        if !validation_labels.is_empty() {
            let (accuracy, loss) = score(&validation, &validation_labels);
            metrics.insert(MetricName::VALIDATION_ACCURACY, accuracy);
            metrics.insert(MetricName::VALIDATION_LOSS, loss);
        }
        if let Some(record) = self.records.iter().find(|record| record.epoch == selected_epoch) {
            metrics.insert(MetricName::TRAIN_ACCURACY, record.train_accuracy);
            metrics.insert(MetricName::TRAIN_LOSS, record.train_loss);
        }
        let epochs = self.records.len() as u32;
        let seconds: f64 = self.records.iter().map(|record| record.train_seconds).sum();
        metrics.insert(MetricName::EPOCHS, f64::from(epochs));
        metrics.insert(MetricName::TRAIN_SECONDS, seconds);
        metrics.insert(MetricName::IMAGES_PER_SECOND, IMAGES_PER_SECOND);
        metrics.insert(MetricName::PEAK_MEMORY, PEAK_MEMORY);
        let summary = MemberSummary {
            epochs,
            selected_epoch,
            selection,
            metrics: metrics.into(),
            trainable_parameters: 0,
            path: PATH.to_owned(),
            images_trained: u64::from(epochs) * splits.train.len() as u64,
        };
        TrainOutput {
            outcome: Outcome::Completed,
            reason: None,
            epochs: self.records,
            summary: Some(summary),
            predictions: Some(Predictions {
                validation,
                validation_labels,
                test,
                test_labels,
                ..Predictions::default()
            }),
            weights: None,
        }
    }

    fn ended(self, outcome: Outcome, reason: String) -> TrainOutput {
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

impl Snapshot for Member<'_> {
    fn checkpoint(&self) -> Vec<u8> {
        Checkpoint {
            records: self.records.clone(),
            stopping: self.stopping.state(),
            ..Checkpoint::default()
        }
        .to_bytes()
    }
}

/// The numerical path of every curve.
pub(super) const PATH: &str = "fake";

/// A loss that falls as the accuracy rises.
fn loss_at(accuracy: f64) -> f64 {
    1.0 - accuracy
}

fn score(predicted: &LogProbabilities, labels: &[u16]) -> (f64, f64) {
    let (mut correct, mut loss) = (0usize, 0.0);
    for (row, &label) in predicted.rows().zip(labels) {
        correct += usize::from(argmax(row) == usize::from(label));
        loss -= f64::from(row[usize::from(label)]);
    }
    let images = labels.len() as f64;
    (correct as f64 / images, loss / images)
}
