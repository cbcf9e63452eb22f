use std::collections::BTreeMap;
use std::time::Instant;

use super::super::testing::{Silent, StopAfter, job, quarters, settings, splits};
use super::*;
use crate::base::{Seed, SeedPath};
use crate::data::{Dataset, Splits};
use crate::experiment::settings::{PatienceSettings, Settings};
use crate::experiment::value::Value;
use crate::record::Selection;

fn script() -> FakeSettings {
    FakeSettings {
        accuracy: 0.9,
        spread: 0.0,
        effects: BTreeMap::new(),
        epoch_delay_ms: 0,
        accidents: Vec::new(),
    }
}

fn scripted(fake: FakeSettings) -> Settings {
    let mut settings = settings(Vec::new());
    settings.trainer = TrainerSettings::Fake(fake);
    settings.train.epochs = 4;
    settings
}

/// 1,000 images, a fifth each for validation and test.
fn images() -> (Dataset, Splits) {
    (quarters(1000), splits(1000))
}

fn output(settings: &Settings, member: u32) -> TrainOutput {
    let (dataset, splits) = images();
    FakeEngine.train(&job(settings, &dataset, &splits, member), &mut Silent).unwrap()
}

fn metric(output: &TrainOutput, metric: &MetricName) -> f64 {
    output.summary.as_ref().unwrap().metrics[metric]
}

fn assert_close(found: f64, expected: f64) {
    assert!((found - expected).abs() < 1e-12, "{found} is not {expected}");
}

fn accident(kind: AccidentKind, epoch: u32) -> Accident {
    Accident { kind, repeat: None, member: None, epoch, when: BTreeMap::new(), attempts: None }
}

#[test]
fn without_spread_the_accuracy_is_the_scripted_one() {
    let output = output(&scripted(script()), 0);
    assert_eq!(output.outcome, Outcome::Completed);
    assert_close(metric(&output, &MetricName::TEST_ACCURACY), 0.9);
    assert_close(metric(&output, &MetricName::VALIDATION_ACCURACY), 0.9);
    assert_eq!(output.epochs.len(), 4);
}

#[test]
fn curves_rise_from_chance_to_the_accuracy() {
    let output = output(&scripted(script()), 0);
    let curve: Vec<f64> = output.epochs.iter().map(|record| record.train_accuracy).collect();
    // 0.9 − 0.65 · (1 − e/4)²
    for (found, expected) in curve.iter().zip([0.534_375, 0.737_5, 0.859_375, 0.9]) {
        assert_close(*found, expected);
    }
}

#[test]
fn predictions_agree_with_the_metrics() {
    let output = output(&scripted(FakeSettings { spread: 0.05, ..script() }), 3);
    let predictions = output.predictions.as_ref().unwrap();
    for (predicted, labels, name) in [
        (&predictions.test, &predictions.test_labels, MetricName::TEST_ACCURACY),
        (&predictions.validation, &predictions.validation_labels, MetricName::VALIDATION_ACCURACY),
    ] {
        let right = predicted
            .rows()
            .zip(labels)
            .filter(|(row, label)| argmax(row) == usize::from(**label))
            .count();
        assert_close(metric(&output, &name), right as f64 / labels.len() as f64);
        for row in predicted.rows() {
            assert!((row.iter().map(|log| log.exp()).sum::<f32>() - 1.0).abs() < 1e-5);
        }
    }
}

#[test]
fn members_of_one_script_scatter_by_its_spread() {
    let settings = scripted(FakeSettings { spread: 0.02, ..script() });
    let found: Vec<f64> = (0..400)
        .map(|member| metric(&output(&settings, member), &MetricName::TEST_ACCURACY))
        .collect();
    let mean = found.iter().sum::<f64>() / 400.0;
    let deviation = (found.iter().map(|a| (a - mean).powi(2)).sum::<f64>() / 399.0).sqrt();
    // Standard errors: 0.001 of the mean, 0.0007 of the deviation.
    assert!((mean - 0.9).abs() < 0.004, "{mean}");
    assert!((deviation - 0.02).abs() < 0.003, "{deviation}");
}

#[test]
fn an_effect_changes_the_accuracy_per_unit_of_its_hyperparameter() {
    let effects = BTreeMap::from([
        ("augment.rotation".to_owned(), -0.01),
        ("hyperparameters.depth".to_owned(), 0.02),
    ]);
    let mut settings = scripted(FakeSettings { effects, ..script() });
    settings.augment.rotation = 5.0;
    settings.hyperparameters.insert("depth".to_owned(), Value::Integer(2));
    assert_close(metric(&output(&settings, 0), &MetricName::TEST_ACCURACY), 0.89);
}

#[test]
fn an_ensemble_is_better_than_its_members() {
    let settings = scripted(script());
    let members: Vec<Predictions> =
        (0..5).map(|member| output(&settings, member).predictions.unwrap()).collect();
    let labels = &members[0].test_labels;
    let right = (0..labels.len())
        .filter(|&image| {
            let mut sum = vec![0.0; 4];
            for member in &members {
                let row = &member.test.values[image * 4..][..4];
                sum.iter_mut().zip(row).for_each(|(sum, value)| *sum += value.exp());
            }
            argmax(&sum) == usize::from(labels[image])
        })
        .count();
    assert!(right as f64 / labels.len() as f64 > 0.98, "{right} of {}", labels.len());
}

#[test]
fn the_same_member_always_gives_the_same_output() {
    let settings = scripted(FakeSettings { spread: 0.02, ..script() });
    assert_eq!(output(&settings, 1), output(&settings, 1));
    assert_ne!(output(&settings, 1), output(&settings, 2));
}

#[test]
fn a_resumed_member_equals_one_never_interrupted() {
    let settings = scripted(FakeSettings { spread: 0.02, ..script() });
    let (dataset, splits) = images();
    let mut stop = StopAfter::new(2);
    let first = FakeEngine.train(&job(&settings, &dataset, &splits, 0), &mut stop).unwrap();
    assert_eq!((first.outcome, first.epochs.len()), (Outcome::Interrupted, 2));
    let second = TrainJob {
        checkpoint: Some(&stop.checkpoint),
        attempt: 2,
        ..job(&settings, &dataset, &splits, 0)
    };
    assert_eq!(FakeEngine.train(&second, &mut Silent).unwrap(), output(&settings, 0));
}

#[test]
fn a_planned_error_hits_only_the_attempts_it_names() {
    let hit = Accident { attempts: Some(1), ..accident(AccidentKind::Error, 2) };
    let settings = scripted(FakeSettings { accidents: vec![hit], ..script() });
    let (dataset, splits) = images();
    let attempt = |attempt| TrainJob { attempt, ..job(&settings, &dataset, &splits, 0) };
    let error = FakeEngine.train(&attempt(1), &mut Silent).unwrap_err();
    assert_eq!(error.to_string(), "planned accident in epoch 2");
    let output = FakeEngine.train(&attempt(2), &mut Silent).unwrap();
    assert_eq!(output.outcome, Outcome::Completed);
}

#[test]
fn an_accident_hits_only_the_member_and_hyperparameters_it_names() {
    let hit = Accident {
        member: Some(1),
        when: BTreeMap::from([("augment.rotation".to_owned(), Value::Integer(5))]),
        ..accident(AccidentKind::Diverge, 3)
    };
    let mut settings = scripted(FakeSettings { accidents: vec![hit], ..script() });
    assert_eq!(output(&settings, 1).outcome, Outcome::Completed);
    settings.augment.rotation = 5.0;
    assert_eq!(output(&settings, 0).outcome, Outcome::Completed);
    let diverged = output(&settings, 1);
    assert_eq!((diverged.outcome, diverged.epochs.len()), (Outcome::Diverged, 2));
    assert!(diverged.reason.unwrap().contains("epoch 3"));
}

#[test]
#[should_panic(expected = "planned accident in epoch 1")]
fn a_planned_panic_panics() {
    let accidents = vec![accident(AccidentKind::Panic, 1)];
    output(&scripted(FakeSettings { accidents, ..script() }), 0);
}

#[test]
fn stop_rules_hold_here_too() {
    let mut settings = scripted(script());
    settings.train.epochs = 100;
    settings.train.stop.train_accuracy = Some(0.8);
    let stopped = output(&settings, 0);
    // 0.9 − 0.65 · (1 − e/100)² ≥ 0.8 from e = 60.8 on.
    assert_eq!(stopped.epochs.len(), 61);

    let mut settings = scripted(FakeSettings { spread: 0.05, ..script() });
    settings.train.epochs = 100;
    settings.train.stop.restore_best = true;
    settings.train.stop.patience = Some(PatienceSettings {
        monitor: MetricName::VALIDATION_ACCURACY,
        epochs: 5,
        min_delta: 0.0,
    });
    let stopped = output(&settings, 0);
    let summary = stopped.summary.unwrap();
    assert_eq!(summary.selection, Selection::BestOnValidation);
    assert_eq!(summary.selected_epoch + 5, summary.epochs);
}

#[test]
fn time_is_made_up_and_limits_hold_against_it() {
    let output_seconds = metric(&output(&scripted(script()), 0), &MetricName::TRAIN_SECONDS);
    // 600 images in each of 4 epochs at 50,000 a second.
    assert_close(output_seconds, 4.0 * 600.0 / 50_000.0);
    let mut settings = scripted(script());
    settings.train.time_limit = Some(0.03);
    let late = output(&settings, 0);
    assert_eq!((late.outcome, late.epochs.len()), (Outcome::TimedOut, 2));
}

/// Not an assertion of speed, which belongs into `benches/`: prints what an empty trial costs.
#[test]
#[ignore = "prints a time"]
fn cost_of_an_empty_trial() {
    let settings = scripted(script());
    let (dataset, splits) = (quarters(400), splits(400));
    let begin = Instant::now();
    for member in 0..1000 {
        let job = TrainJob {
            seed_path: SeedPath::member(Seed(1), 0, member),
            ..job(&settings, &dataset, &splits, member)
        };
        FakeEngine.train(&job, &mut Silent).unwrap();
    }
    println!("{:.1} µs per trial", begin.elapsed().as_secs_f64() * 1e3);
}
