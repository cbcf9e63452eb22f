//! Gaussian naive Bayes: a baseline that is fitted in one pass instead of trained by steps.
//!
//! Every pixel is taken for normal within its class and independent of the others. Follows
//! scikit-learn's `GaussianNB`: class shares as priors, and a share of the largest variance of any
//! pixel added to every variance; with scaling, its `StandardScaler` before it. Invariant: what the
//! saved numbers predict is, to the bit, what the training predicted.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::time::Instant;

use super::evaluation::{Evaluation, evaluate, log_probabilities};
use super::weights::{NamedTensor, WeightsError, find, to_safetensors};
use super::{EngineError, EpochObserver, Snapshot, TrainJob, TrainOutput};
use crate::base::MetricName;
use crate::data::{Augmenter, BatchSettings, Batches, Dataset, Order};
use crate::experiment::layers::LayerSettings;
use crate::experiment::settings::Settings;
use crate::record::{
    EpochRecord, LogProbabilities, MemberSummary, Outcome, Predictions, Selection,
};

/// Images read at once.
const BATCH: usize = 256;

/// Returns smoothing and scaling where the settings ask for naive Bayes.
pub(super) fn asked_for(settings: &Settings) -> Option<(f64, bool)> {
    match settings.model.layers[..] {
        [LayerSettings::Flatten, LayerSettings::NaiveBayes { smoothing, scaling }] => {
            Some((smoothing, scaling))
        }
        _ => None,
    }
}

/// What is known of every class.
#[derive(Debug, Clone, PartialEq)]
struct Fitted {
    classes: usize,
    /// `classes × features`.
    means: Vec<f32>,
    /// `classes × features`, smoothed.
    variances: Vec<f32>,
    /// Logarithms of the shares of the classes.
    log_shares: Vec<f32>,
}

/// Sums over the training images of one class.
#[derive(Clone)]
struct Sums {
    images: f64,
    values: Vec<f64>,
    squares: Vec<f64>,
}

/// Fits one member.
///
/// # Errors
/// If there is no training image.
pub(super) fn train(
    job: &TrainJob<'_>,
    observer: &mut dyn EpochObserver,
) -> Result<TrainOutput, EngineError> {
    let (smoothing, scaling) = asked_for(job.settings).expect("the caller asked for naive Bayes");
    let begin = Instant::now();
    let fitted = Fitted::of(job, smoothing, scaling)?;
    let train_seconds = begin.elapsed().as_secs_f64();
    let labels = |indices: &[u32]| -> Vec<u16> {
        indices.iter().map(|&index| job.dataset.labels[index as usize]).collect()
    };
    let classes = job.dataset.classes.len();
    let judge = |indices: &[u32]| -> (Vec<f32>, Vec<u16>, Option<Evaluation>) {
        let (logits, labels) = (fitted.logits(job.dataset, indices), labels(indices));
        let evaluation = (!labels.is_empty()).then(|| evaluate(&logits, classes, &labels));
        (logits, labels, evaluation)
    };
    let (_, _, train) = judge(&job.splits.train);
    let (validation_logits, validation_labels, validation) = judge(&job.splits.validation);
    let (test_logits, test_labels, test) = judge(&job.splits.test);
    let record = EpochRecord {
        epoch: 1,
        learning_rate: 0.0,
        train_loss: train.map_or(0.0, |found| found.loss),
        train_accuracy: train.map_or(0.0, |found| found.accuracy),
        validation_loss: validation.map(|found| found.loss),
        validation_accuracy: validation.map(|found| found.accuracy),
        train_seconds,
    };
    if let ControlFlow::Break(()) = observer.epoch(&record, &Nothing) {
        let reason = "stopped between two epochs".to_owned();
        let ended = TrainOutput::ended(Outcome::Interrupted, Some(reason));
        return Ok(TrainOutput { epochs: vec![record], ..ended });
    }
    let mut metrics = BTreeMap::new();
    for (evaluation, accuracy, loss) in [
        (train, MetricName::TRAIN_ACCURACY, MetricName::TRAIN_LOSS),
        (validation, MetricName::VALIDATION_ACCURACY, MetricName::VALIDATION_LOSS),
        (test, MetricName::TEST_ACCURACY, MetricName::TEST_LOSS),
    ] {
        if let Some(found) = evaluation {
            metrics.insert(accuracy, found.accuracy);
            metrics.insert(loss, found.loss);
        }
    }
    let images_trained = job.splits.train.len() as u64;
    metrics.insert(MetricName::EPOCHS, 1.0);
    metrics.insert(MetricName::TRAIN_SECONDS, train_seconds);
    if train_seconds > 0.0 {
        metrics.insert(MetricName::IMAGES_PER_SECOND, images_trained as f64 / train_seconds);
    }
    let sums = 2 * size_of::<f64>() * fitted.means.len();
    let weights = fitted.tensors();
    metrics.insert(MetricName::PEAK_MEMORY, (2 * sums) as f64 / (1024.0 * 1024.0));
    Ok(TrainOutput {
        outcome: Outcome::Completed,
        reason: None,
        summary: Some(MemberSummary {
            epochs: 1,
            selected_epoch: 1,
            selection: Selection::Last,
            metrics: metrics.into(),
            trainable_parameters: weights.iter().map(|tensor| tensor.values.len() as u64).sum(),
            path: PATH.to_owned(),
            images_trained,
        }),
        epochs: vec![record],
        predictions: Some(Predictions {
            validation: log_probabilities(validation_logits, classes),
            validation_labels,
            test: log_probabilities(test_logits, classes),
            test_labels,
            ..Predictions::default()
        }),
        weights: Some(to_safetensors(&weights)),
    })
}

/// The numerical path of every fit.
pub(super) const PATH: &str = "naive bayes f64";

/// Predicts the images at `indices` with saved numbers.
///
/// # Errors
/// If the numbers are of another model.
pub(super) fn predict(
    dataset: &Dataset,
    indices: &[u32],
    weights: &[NamedTensor],
) -> Result<LogProbabilities, EngineError> {
    let (classes, features) = (dataset.classes.len(), dataset.shape.len());
    let values = |role: &str, shape: &[usize]| {
        find(weights, &name(role), shape).map(|tensor| tensor.values.clone())
    };
    let fitted = Fitted {
        classes,
        means: values("mean", &[classes, features])?,
        variances: values("variance", &[classes, features])?,
        log_shares: values("log-share", &[classes])?,
    };
    fitted.check()?;
    Ok(log_probabilities(fitted.logits(dataset, indices), classes))
}

fn name(role: &str) -> String {
    format!("layer02.naive-bayes.{role}")
}

impl Fitted {
    fn of(job: &TrainJob<'_>, smoothing: f64, scaling: bool) -> Result<Self, EngineError> {
        let (classes, features) = (job.dataset.classes.len(), job.dataset.shape.len());
        let none = Sums { images: 0.0, values: vec![0.0; features], squares: vec![0.0; features] };
        let mut of_class = vec![none.clone(); classes];
        // Images are varied as in a first epoch, but come in file order: sums then depend on the
        // variation alone.
        let augmenter = Augmenter::new(&job.settings.augment, job.dataset.shape);
        let settings = BatchSettings {
            batch_size: BATCH,
            drop_last: false,
            order: Order::Sequential,
            augmenter: Some(&augmenter),
        };
        let mut batches = Batches::new(job.dataset, &job.splits.train, settings, job.seed_path, 0);
        let (mut pixels, mut labels) = (Vec::new(), Vec::new());
        while batches.next_into(&mut pixels, &mut labels).is_some() {
            for (image, &label) in pixels.chunks_exact(features).zip(&labels) {
                of_class[usize::from(label)].add(image);
            }
        }
        let mut whole = none;
        for sums in &of_class {
            whole.merge(sums);
        }
        if whole.images < 1.0 {
            return Err(EngineError::Unsupported(
                "there are no training images to fit naive Bayes to".to_owned(),
            ));
        }
        let variance_of = |feature| whole.moments(feature).1;
        // What one unit of every feature is; constant features keep their unit.
        let unit = |feature: usize| -> f64 {
            let variance = variance_of(feature);
            if scaling && variance > 0.0 { variance } else { 1.0 }
        };
        let largest =
            (0..features).map(|feature| variance_of(feature) / unit(feature)).fold(0.0, f64::max);
        let (mut means, mut variances) = (Vec::new(), Vec::new());
        for sums in &of_class {
            for feature in 0..features {
                let (mean, variance) = sums.moments(feature);
                // Smoothing in scaled units is smoothing by the unit in pixels; the unit itself
                // cancels between the classes.
                let smoothed = variance + smoothing * largest * unit(feature);
                means.push(mean as f32);
                variances.push((smoothed as f32).max(f32::MIN_POSITIVE));
            }
        }
        let log_shares =
            of_class.iter().map(|sums| (sums.images / whole.images).ln() as f32).collect();
        Ok(Self { classes, means, variances, log_shares })
    }

    /// Makes sure that numbers from a file are what a fit can give.
    fn check(&self) -> Result<(), WeightsError> {
        let all = |role: &str, values: &[f32], can_be: fn(f32) -> bool| {
            let wrong = values.iter().find(|value| !can_be(**value));
            wrong.map_or(Ok(()), |value| {
                Err(WeightsError::Impossible { name: name(role), value: value.to_string() })
            })
        };
        all("mean", &self.means, f32::is_finite)?;
        all("variance", &self.variances, |value| value > 0.0 && value.is_finite())?;
        // A class without training images has the logarithm of 0.
        all("log-share", &self.log_shares, |value| value <= 0.0)?;
        if self.log_shares.iter().all(|share| share.is_infinite()) {
            let value = "no share of any class".to_owned();
            return Err(WeightsError::Impossible { name: name("log-share"), value });
        }
        Ok(())
    }

    /// Returns the joint log-likelihoods, the largest of every image brought to 0.
    fn logits(&self, dataset: &Dataset, indices: &[u32]) -> Vec<f32> {
        let features = dataset.shape.len();
        let constants: Vec<f64> = self
            .variances
            .chunks_exact(features)
            .zip(&self.log_shares)
            .map(|(row, share)| {
                let logs: f64 =
                    row.iter().map(|&v| (std::f64::consts::TAU * f64::from(v)).ln()).sum();
                f64::from(*share) - 0.5 * logs
            })
            .collect();
        let mut logits = Vec::with_capacity(indices.len() * self.classes);
        let mut joint = vec![0.0; self.classes];
        for &index in indices {
            let image = dataset.image(index as usize);
            for (class, joint) in joint.iter_mut().enumerate() {
                let means = &self.means[class * features..][..features];
                let variances = &self.variances[class * features..][..features];
                let distance: f64 = image
                    .iter()
                    .zip(means.iter().zip(variances))
                    .map(|(&pixel, (&mean, &variance))| {
                        let away = f64::from(f32::from(pixel) / 255.0) - f64::from(mean);
                        away * away / f64::from(variance)
                    })
                    .sum();
                *joint = constants[class] - 0.5 * distance;
            }
            let largest = joint.iter().copied().fold(f64::NEG_INFINITY, f64::max);
            // A class without a training image has no share: no likelihood at all.
            let floor = f64::from(f32::MIN);
            logits.extend(joint.iter().map(|value| (value - largest).max(floor) as f32));
        }
        logits
    }

    fn tensors(&self) -> Vec<NamedTensor> {
        let features = self.means.len() / self.classes.max(1);
        let matrix = vec![self.classes, features];
        vec![
            NamedTensor::new(name("log-share"), vec![self.classes], self.log_shares.clone()),
            NamedTensor::new(name("mean"), matrix.clone(), self.means.clone()),
            NamedTensor::new(name("variance"), matrix, self.variances.clone()),
        ]
    }
}

impl Sums {
    fn add(&mut self, image: &[f32]) {
        self.images += 1.0;
        for ((sum, squares), &value) in self.values.iter_mut().zip(&mut self.squares).zip(image) {
            let value = f64::from(value);
            *sum += value;
            *squares += value * value;
        }
    }

    fn merge(&mut self, other: &Self) {
        self.images += other.images;
        self.values.iter_mut().zip(&other.values).for_each(|(sum, value)| *sum += value);
        self.squares.iter_mut().zip(&other.squares).for_each(|(sum, value)| *sum += value);
    }

    /// Returns mean and variance (divided by the number of images) of one feature.
    fn moments(&self, feature: usize) -> (f64, f64) {
        let images = self.images.max(1.0);
        let mean = self.values[feature] / images;
        // Pixels from 0 to 1 in double precision lose nothing that matters here to cancellation;
        // what is left of a constant pixel is rounding.
        let variance = self.squares[feature] / images - mean * mean;
        (mean, if variance < 1e-12 { 0.0 } else { variance })
    }
}

/// A fit has no state between epochs: it begins again.
struct Nothing;

impl Snapshot for Nothing {
    fn checkpoint(&self) -> Vec<u8> {
        Vec::new()
    }
}

#[cfg(test)]
#[path = "naive_bayes_tests.rs"]
mod tests;
