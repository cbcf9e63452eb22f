use super::super::device::build_with;
use super::super::testing::{
    Silent, StopAfter, every_layer, job, quarters, settings, splits, without_times,
};
use super::super::{CpuKernels, DeviceChoice, Engine};
use super::*;
use crate::experiment::settings::{PatienceSettings, Retrain};
use crate::record::Selection;

fn engine() -> Box<dyn Engine + Send + Sync> {
    build_with(DeviceChoice::Cpu, CpuKernels::Auto).unwrap()
}

fn retraining() -> Settings {
    let mut settings = settings(every_layer());
    settings.train.epochs = 3;
    settings.train.retrain = Some(Retrain::All);
    settings
}

fn whole(settings: &Settings) -> TrainOutput {
    let (dataset, splits) = (quarters(100), splits(100));
    engine().train(&job(settings, &dataset, &splits, 0), &mut Silent).unwrap()
}

#[test]
fn the_second_training_is_one_of_its_own_on_training_and_validation_images() {
    let settings = retraining();
    let both = whole(&settings);
    let (dataset, all) = (quarters(100), together(&splits(100)));
    assert_eq!(all.train, (0..80).collect::<Vec<u32>>());
    let alone = Settings {
        train: crate::experiment::settings::TrainSettings {
            retrain: None,
            ..settings.train.clone()
        },
        ..settings.clone()
    };
    let second = engine().train(&job(&alone, &dataset, &all, 0), &mut Silent).unwrap();
    assert_eq!(both.weights, second.weights);
    let first = whole(&alone);
    let (both, first, second) = (without_times(both), without_times(first), without_times(second));
    let predictions = both.predictions.unwrap();
    assert_eq!(predictions.test, second.predictions.unwrap().test);
    assert_eq!(predictions.validation, first.predictions.unwrap().validation);
    assert_eq!(both.epochs[..3], first.epochs);
    let numbers: Vec<u32> = both.epochs.iter().map(|record| record.epoch).collect();
    assert_eq!(numbers, [1, 2, 3, 4, 5, 6]);
    let summary = both.summary.unwrap();
    assert_eq!((summary.epochs, summary.images_trained), (6, 3 * 60 + 3 * 80));
    let before = &first.summary.unwrap().metrics;
    for metric in [MetricName::VALIDATION_ACCURACY, MetricName::VALIDATION_LOSS] {
        assert_eq!(summary.metrics.get(&metric), before.get(&metric));
    }
}

#[test]
fn rules_that_watch_the_validation_images_give_the_number_of_epochs() {
    let mut settings = retraining();
    settings.train.epochs = 8;
    settings.train.stop.restore_best = true;
    settings.train.stop.patience =
        Some(PatienceSettings { monitor: MetricName::VALIDATION_LOSS, epochs: 1, min_delta: 10.0 });
    // An improvement of ten nats never comes, so the first epoch stays the best.
    let summary = whole(&settings).summary.unwrap();
    assert_eq!((summary.epochs, summary.selected_epoch), (2 + 1, 3));
    assert_eq!(summary.selection, Selection::BestOnValidation);
}

#[test]
fn patience_alone_gives_the_number_of_the_best_epoch_not_of_the_last() {
    let mut settings = retraining();
    settings.train.epochs = 8;
    settings.train.stop.patience =
        Some(PatienceSettings { monitor: MetricName::VALIDATION_LOSS, epochs: 3, min_delta: 10.0 });
    let summary = whole(&settings).summary.unwrap();
    assert_eq!((summary.epochs, summary.selected_epoch), (4 + 1, 5));
}

#[test]
fn the_second_training_hears_what_the_first_came_to() {
    let mut settings = retraining();
    settings.train.time_limit = Some(1e6);
    let (dataset, splits) = (quarters(100), splits(100));
    let (mut heard, mut seconds) = (Vec::new(), Vec::new());
    let output = train(&job(&settings, &dataset, &splits, 0), &mut Silent, &mut |job, observer| {
        heard.push(job.earlier);
        let mut alone = job.settings.clone();
        alone.train.retrain = None;
        let output = engine().train(&TrainJob { settings: &alone, ..*job }, observer)?;
        seconds.push(output.epochs.iter().map(|record| record.train_seconds).sum::<f64>());
        Ok(output)
    });
    assert_eq!(output.unwrap().outcome, Outcome::Completed);
    assert_eq!(heard, [None, Some(Earlier { best_epoch: None, seconds: seconds[0] })]);
}

#[test]
fn the_time_limit_is_one_for_both_trainings() {
    let mut settings = settings(every_layer());
    settings.train.time_limit = Some(1e6);
    let (dataset, splits) = (quarters(100), splits(100));
    let outcome = |seconds| {
        let earlier = Some(Earlier { best_epoch: None, seconds });
        let job = TrainJob { earlier, ..job(&settings, &dataset, &splits, 0) };
        engine().train(&job, &mut Silent).unwrap().outcome
    };
    assert_eq!((outcome(0.0), outcome(1e6)), (Outcome::Completed, Outcome::TimedOut));
}

#[test]
fn a_target_for_the_training_accuracy_is_asked_for_again() {
    let mut settings = retraining();
    settings.train.epochs = 30;
    settings.train.stop.train_accuracy = Some(0.7);
    let epochs = whole(&settings).epochs;
    let reached: Vec<usize> =
        (0..epochs.len()).filter(|&at| epochs[at].train_accuracy >= 0.7).collect();
    assert_eq!(reached.len(), 2, "{reached:?}");
    assert_eq!(reached[1], epochs.len() - 1);
}

#[test]
fn a_resumed_training_equals_one_never_interrupted_wherever_it_was_stopped() {
    let settings = retraining();
    let undisturbed = without_times(whole(&settings));
    let (dataset, splits) = (quarters(100), splits(100));
    for epoch in 1..=6 {
        let mut stop = StopAfter::new(epoch);
        let first = engine().train(&job(&settings, &dataset, &splits, 0), &mut stop).unwrap();
        assert_eq!((first.outcome, first.epochs.len()), (Outcome::Interrupted, epoch as usize));
        let rest =
            TrainJob { checkpoint: Some(&stop.checkpoint), ..job(&settings, &dataset, &splits, 0) };
        let resumed = engine().train(&rest, &mut Silent).unwrap();
        assert_eq!(without_times(resumed), undisturbed, "stopped after epoch {epoch}");
    }
}

#[test]
fn half_a_checkpoint_is_an_error() {
    let settings = retraining();
    let (dataset, splits) = (quarters(100), splits(100));
    let bytes = [MARK, &9_u64.to_le_bytes(), b"short"].concat();
    let job = TrainJob { checkpoint: Some(&bytes), ..job(&settings, &dataset, &splits, 0) };
    let error = engine().train(&job, &mut Silent).unwrap_err();
    assert!(matches!(error, EngineError::Checkpoint(_)), "{error}");
}
