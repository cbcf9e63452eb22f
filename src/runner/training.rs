//! One attempt at one member or pack, with everything that can go wrong kept inside.

use std::any::Any;
use std::error::Error;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use crate::base::{MemberId, SeedPath};
use crate::data::{Dataset, Splits, split};
use crate::engine::{Engine, EngineError, EpochObserver, TrainJob, TrainOutput};
use crate::experiment::settings::Settings;
use crate::plan::Member;
use crate::record::{MemberRecord, Outcome, Predictions};

/// A member made ready for training.
pub(super) struct Attempt {
    pub(super) index: usize,
    pub(super) number: u32,
    settings: Arc<Settings>,
    seed_path: SeedPath,
    member: MemberId,
    dataset: Arc<Dataset>,
    splits: Splits,
    pub(super) checkpoint: Option<Vec<u8>>,
}

impl Attempt {
    /// Divides the images of a member.
    ///
    /// # Errors
    /// Says why they cannot be divided as asked.
    pub(super) fn prepare(
        index: usize,
        member: &Member,
        number: u32,
        dataset: Arc<Dataset>,
        checkpoint: Option<Vec<u8>>,
    ) -> Result<Self, String> {
        let settings = &member.settings.dataset;
        let splits = split(&dataset, &settings.split, settings.train_limit, member.seed_path)
            .map_err(|error| with_causes(&error))?;
        Ok(Self {
            index,
            number,
            settings: Arc::clone(&member.settings),
            seed_path: member.seed_path,
            member: member.id,
            dataset,
            splits,
            checkpoint,
        })
    }

    pub(super) fn job(&self) -> TrainJob<'_> {
        TrainJob {
            settings: &self.settings,
            dataset: &self.dataset,
            splits: &self.splits,
            seed_path: self.seed_path,
            member: Some(self.member),
            attempt: self.number,
            checkpoint: self.checkpoint.as_deref(),
            earlier: None,
        }
    }

    /// Returns the number of training images of one epoch.
    pub(super) fn images(&self) -> usize {
        self.splits.train.len()
    }
}

/// Returns how many members like this one the engine trains at once; 1 if it cannot say.
pub(super) fn pack_capacity(engine: &dyn Engine, attempt: &Attempt) -> usize {
    let capacity = || engine.pack_capacity(&attempt.job());
    catch_unwind(AssertUnwindSafe(capacity)).unwrap_or(1).max(1)
}

/// What an attempt gave, or what went wrong.
pub(super) type Ending = Result<TrainOutput, String>;

/// Trains a pack. If it fails as a whole, its members are trained one by one, so that each ends as
/// it would have ended alone.
pub(super) fn train(
    engine: &dyn Engine,
    attempts: &[Attempt],
    observers: &mut [&mut dyn EpochObserver],
) -> Vec<Ending> {
    if attempts.len() > 1 {
        let jobs: Vec<TrainJob<'_>> = attempts.iter().map(Attempt::job).collect();
        let pack = catch_unwind(AssertUnwindSafe(|| engine.train_pack(&jobs, observers)));
        if let Ok(endings) = pack
            && endings.len() == attempts.len()
            && endings.iter().any(Result::is_ok)
        {
            let alone = attempts.iter().zip(observers).zip(endings);
            return alone
                .map(|((attempt, observer), ending)| match ending {
                    // Alone it may begin again without its checkpoint.
                    Err(EngineError::Checkpoint(_)) => train_alone(engine, attempt, *observer),
                    ending => ending.map_err(|error| with_causes(&error)),
                })
                .collect();
        }
    }
    attempts
        .iter()
        .zip(observers)
        .map(|(attempt, observer)| train_alone(engine, attempt, *observer))
        .collect()
}

fn train_alone(engine: &dyn Engine, attempt: &Attempt, observer: &mut dyn EpochObserver) -> Ending {
    let mut once =
        |job: TrainJob<'_>| catch_unwind(AssertUnwindSafe(|| engine.train(&job, observer)));
    let ending = match once(attempt.job()) {
        // A checkpoint only saves time; without it the member starts again.
        Ok(Err(EngineError::Checkpoint(_))) if attempt.checkpoint.is_some() => {
            once(TrainJob { checkpoint: None, ..attempt.job() })
        }
        ending => ending,
    };
    match ending {
        Ok(Ok(output)) => Ok(output),
        Ok(Err(error)) => Err(with_causes(&error)),
        Err(panic) => Err(format!("panicked: {}", message_of(&*panic))),
    }
}

/// What is stored of an attempt that ended.
pub(super) struct Ended {
    pub(super) record: MemberRecord,
    /// Present when completed.
    pub(super) predictions: Option<Predictions>,
    /// Present when completed by an engine that has weights.
    pub(super) weights: Option<Vec<u8>>,
}

/// Turns an ending into what is stored of it.
pub(super) fn record(
    member: &Member,
    attempt: u32,
    images: Option<&Attempt>,
    ending: Ending,
) -> Ended {
    let mut record = MemberRecord {
        id: member.id,
        seed_path: member.seed_path,
        attempt,
        outcome: Outcome::Failed,
        reason: None,
        epochs: Vec::new(),
        summary: None,
    };
    match ending {
        Err(reason) => {
            record.reason = Some(reason);
            Ended { record, predictions: None, weights: None }
        }
        Ok(output) => {
            // Programs need not predict anything, and know what they measure.
            let predicts = !member.settings.trainer.is_command();
            let declared = member.settings.trainer.metrics();
            let problem = output.epochs.iter().find_map(|epoch| epoch.impossible(&declared));
            if let (true, Some(problem)) = (predicts, problem) {
                record.reason = Some(problem);
                return Ended { record, predictions: None, weights: None };
            }
            record.epochs = output.epochs;
            let is_checked = predicts || output.predictions.is_some();
            if output.outcome == Outcome::Completed && is_checked {
                let images = images.map_or((0, 0), |attempt| {
                    (attempt.splits.validation.len(), attempt.splits.test.len())
                });
                if let Err(reason) = check_predictions(output.predictions.as_ref(), images) {
                    record.reason = Some(reason);
                    return Ended { record, predictions: None, weights: None };
                }
            }
            record.outcome = output.outcome;
            record.reason = output.reason;
            record.summary = output.summary;
            let is_completed = output.outcome == Outcome::Completed;
            Ended {
                record,
                predictions: output.predictions.filter(|_| is_completed),
                weights: output.weights.filter(|_| is_completed),
            }
        }
    }
}

/// Holds what an engine predicts against what it was asked to predict.
fn check_predictions(
    predictions: Option<&Predictions>,
    (validation, test): (usize, usize),
) -> Result<(), String> {
    let Some(predictions) = predictions else {
        return Err("the trainer gave no predictions".to_owned());
    };
    for (split, images, labels, expected) in [
        (
            "validation",
            predictions.validation.images(),
            predictions.validation_labels.len(),
            validation,
        ),
        ("test", predictions.test.images(), predictions.test_labels.len(), test),
    ] {
        if images != expected || labels != expected {
            return Err(format!(
                "the trainer predicted {images} {split} images with {labels} labels, expected \
                 {expected}"
            ));
        }
    }
    // A probability of 0 has the logarithm −∞.
    let known = |values: &[f32]| values.iter().all(|&value| value < f32::INFINITY);
    if known(&predictions.test.values) && known(&predictions.validation.values) {
        Ok(())
    } else {
        Err("the trainer predicted probabilities that are not finite".to_owned())
    }
}

/// Joins an error and its causes into one line.
pub(super) fn with_causes(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        let message = cause.to_string();
        // A transparent error repeats its cause.
        if !text.ends_with(&message) {
            text.push_str(": ");
            text.push_str(&message);
        }
        next = cause.source();
    }
    text
}

fn message_of(panic: &(dyn Any + Send)) -> &str {
    panic
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("without a message")
}
