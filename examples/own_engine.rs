//! An engine of one's own behind the `Engine` trait: everything else (grid, seeds, store, resuming,
//! statistics, report) stays what it is.
//!
//! This one calls every image by the class whose mean image is nearest. The grid asks how many
//! training images that takes. Run it with `cargo run --release --example own_engine`.
#![expect(
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "an example prints, and writes the file it reads"
)]

use std::error::Error;
use std::ops::ControlFlow;
use std::time::Instant;

use gridbench::base::{MetricName, Metrics};
use gridbench::data::Dataset;
use gridbench::engine::{Engine, EngineError, EpochObserver, Snapshot, TrainJob, TrainOutput};
use gridbench::record::{
    EpochRecord, LogProbabilities, MemberSummary, Outcome, Predictions, Selection,
};
use gridbench::report::Format;
use gridbench::session::{Finished, Session};

const EXPERIMENT: &str = r#"
name = "nearest-mean"
question = "How many training images does a mean need?"
repeats = 5

[dataset]
source = "digits"
split = { test = 0.25, stratify = true, seed = "trial" }

[model]
layers = ["flatten", "dense"]   # this engine does not look at them

[[grid]]
[grid.axes]
"dataset.train-limit" = [50, 200, 1000]
"#;

/// Means of the pixels of every class.
struct NearestMean;

impl Engine for NearestMean {
    fn description(&self) -> String {
        "nearest mean".to_owned()
    }

    fn train(
        &self,
        job: &TrainJob<'_>,
        observer: &mut dyn EpochObserver,
    ) -> Result<TrainOutput, EngineError> {
        let begin = Instant::now();
        let means = means(job.dataset, &job.splits.train);
        let seconds = begin.elapsed().as_secs_f64();
        let predict = |indices: &[u32]| predict(job.dataset, indices, &means);
        let labels = |indices: &[u32]| -> Vec<u16> {
            indices.iter().map(|&index| job.dataset.labels[index as usize]).collect()
        };
        let (train, train_labels) = (predict(&job.splits.train), labels(&job.splits.train));
        let epoch = EpochRecord {
            epoch: 1,
            learning_rate: 0.0,
            train_loss: loss(&train, &train_labels),
            train_accuracy: accuracy(&train, &train_labels),
            validation_loss: None,
            validation_accuracy: None,
            train_seconds: seconds,
        };
        // Whoever watches may stop the training between two epochs.
        let is_stopped = observer.epoch(&epoch, &NoState) == ControlFlow::Break(());
        let images_trained = job.splits.train.len() as u64;
        Ok(TrainOutput {
            outcome: if is_stopped { Outcome::Interrupted } else { Outcome::Completed },
            reason: is_stopped.then(|| "stopped after the only epoch".to_owned()),
            summary: (!is_stopped).then(|| MemberSummary {
                epochs: 1,
                selected_epoch: 1,
                selection: Selection::Last,
                metrics: Metrics::from([
                    (MetricName::EPOCHS, 1.0),
                    (MetricName::TRAIN_SECONDS, seconds),
                    (MetricName::TRAIN_ACCURACY, epoch.train_accuracy),
                    (MetricName::TRAIN_LOSS, epoch.train_loss),
                ]),
                trainable_parameters: means.iter().map(|mean| mean.len() as u64).sum(),
                path: "nearest mean f64".to_owned(),
                images_trained,
            }),
            // Trials are scored from these: accuracy, loss, confusions, ensembles.
            predictions: (!is_stopped).then(|| Predictions {
                validation: predict(&job.splits.validation),
                validation_labels: labels(&job.splits.validation),
                test: predict(&job.splits.test),
                test_labels: labels(&job.splits.test),
                ..Predictions::default()
            }),
            epochs: vec![epoch],
            weights: None,
        })
    }
}

/// A training of one epoch has no state between two.
struct NoState;

impl Snapshot for NoState {
    fn checkpoint(&self) -> Vec<u8> {
        Vec::new()
    }
}

/// Returns the mean image of every class; that of a class without images is black.
fn means(dataset: &Dataset, indices: &[u32]) -> Vec<Vec<f64>> {
    let mut sums = vec![(0_u32, vec![0.0; dataset.shape.len()]); dataset.classes.len()];
    for &index in indices {
        let (count, sum) = &mut sums[usize::from(dataset.labels[index as usize])];
        *count += 1;
        for (sum, pixel) in sum.iter_mut().zip(dataset.image(index as usize)) {
            *sum += f64::from(*pixel) / 255.0;
        }
    }
    let mean = |(count, sum): (u32, Vec<f64>)| {
        sum.into_iter().map(|sum| sum / f64::from(count.max(1))).collect()
    };
    sums.into_iter().map(mean).collect()
}

/// Returns logarithms of probabilities: the softmax of the negative squared distances.
fn predict(dataset: &Dataset, indices: &[u32], means: &[Vec<f64>]) -> LogProbabilities {
    let mut values = Vec::with_capacity(indices.len() * means.len());
    for &index in indices {
        let image = dataset.image(index as usize);
        let squared = |mean: &Vec<f64>| -> f64 {
            let pixels = image.iter().map(|pixel| f64::from(*pixel) / 255.0);
            pixels.zip(mean).map(|(pixel, mean)| (pixel - mean).powi(2)).sum()
        };
        let logits: Vec<f64> = means.iter().map(|mean| -squared(mean)).collect();
        let largest = logits.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let sum: f64 = logits.iter().map(|logit| (logit - largest).exp()).sum();
        values.extend(logits.iter().map(|logit| (logit - largest - sum.ln()) as f32));
    }
    LogProbabilities { classes: means.len(), values }
}

fn loss(predicted: &LogProbabilities, labels: &[u16]) -> f64 {
    let rows = predicted.rows().zip(labels);
    let sum: f64 = rows.map(|(row, label)| -f64::from(row[usize::from(*label)])).sum();
    sum / labels.len().max(1) as f64
}

fn accuracy(predicted: &LogProbabilities, labels: &[u16]) -> f64 {
    let is_right =
        |(row, label): &(&[f32], &u16)| row.iter().all(|other| *other <= row[usize::from(**label)]);
    predicted.rows().zip(labels).filter(is_right).count() as f64 / labels.len().max(1) as f64
}

fn main() -> Result<(), Box<dyn Error>> {
    println!("{}", results()?.report(Format::Terminal));
    Ok(())
}

fn results() -> Result<Finished, Box<dyn Error>> {
    // A folder of its own: results carry the ids of what the file says, whoever trained them.
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("nearest-mean.toml");
    std::fs::write(&file, EXPERIMENT)?;
    let mut session = Session::open_in(&file, folder.path().join("results"))?;
    let plan = session.plan()?;
    Ok(session.run(&plan, &NearestMean, |_| {})?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn more_images_make_better_means() -> Result<(), Box<dyn Error>> {
        let finished = results()?;
        let accuracy: Vec<f64> = finished
            .results
            .cells
            .iter()
            .map(|cell| {
                let sample = cell.sample(&MetricName::TEST_ACCURACY);
                assert_eq!(sample.len(), 5, "{}", cell.name);
                sample.iter().sum::<f64>() / sample.len() as f64
            })
            .collect();
        assert!(accuracy[0] < accuracy[1] && accuracy[1] < accuracy[2], "{accuracy:?}");
        assert!(finished.report(Format::Terminal).contains("How many training images"));
        Ok(())
    }
}
