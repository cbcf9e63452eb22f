//! Hand-made results for tests of tables and reports.

use std::collections::BTreeMap;

use super::{CellResults, ExperimentResults, Facts, MemberCurve, Origin, Summaries, TrialRow};
use crate::base::{Metric, MetricName, Metrics, digest_of};
use crate::experiment::settings::SplitSeed;
use crate::experiment::value::{Assignment, Value};
use crate::experiment::{Axis, ReportSettings};
use crate::grid::{cell_id, cell_name};
use crate::record::{EpochRecord, Outcome};
use crate::store::DatasetFacts;

/// One hand-made cell: the values of its axes in their notation, and its test accuracies in errors of
/// 360 images.
pub(crate) type HandMade<'a> = (&'a [Option<&'a str>], &'a [u32]);

/// Returns a metric of the built-in engines.
pub(crate) fn declared(name: &MetricName) -> Metric {
    let mut metrics = Metric::of_classifiers().into_iter();
    metrics.find(|metric| metric.name == *name).expect("a declared metric")
}

/// Returns facts as a real manifest would give them.
pub(crate) fn facts(name: &str) -> Facts {
    Facts {
        name: name.to_owned(),
        question: Some("Which rotation/zoom and shift ranges help?".to_owned()),
        seed: 42,
        split_seed: Some(SplitSeed::Fixed(0)),
        folds: None,
        adopted: Vec::new(),
        repeats: 3,
        model: "small-cnn".to_owned(),
        datasets: vec![DatasetFacts {
            name: "digits".to_owned(),
            settings: serde_json::Value::Null,
            checksum: digest_of(b"digits"),
            images: 1797,
            shape: [8, 8, 1],
            classes: Vec::new(),
            splits: Some([1437, 0, 360]),
            divisions: Vec::new(),
            notes: Vec::new(),
            warnings: Vec::new(),
            columns: None,
        }],
        metrics: Metric::of_classifiers(),
        report: ReportSettings::default(),
        base: BTreeMap::new(),
        origin: Origin {
            version: "0.1.0".to_owned(),
            commit: Some("0123456789ab".to_owned()),
            experiment_commit: None,
            toolchain: "rustc 1.95.0".to_owned(),
            hardware: "Test CPU, 2 cores".to_owned(),
            engine: "cpu, portable f32".to_owned(),
            engine_revision: "1".to_owned(),
            date: "2026-01-02T03:04:05Z".to_owned(),
        },
    }
}

/// Returns an experiment of these axes and cells; costs follow from the errors by a plain rule.
pub(crate) fn experiment(
    name: &str,
    axes: &[(&str, &[&str])],
    cells: &[HandMade<'_>],
) -> ExperimentResults {
    let facts = facts(name);
    let axes: Vec<Axis> = axes
        .iter()
        .map(|(key, values)| Axis {
            key: (*key).to_owned(),
            values: values.iter().map(|value| Value::from_notation(value).plain()).collect(),
        })
        .collect();
    let cell = |(index, (values, errors)): (usize, &HandMade<'_>)| {
        let values: Vec<Option<Value>> =
            values.iter().map(|value| Some(Value::from_notation((*value)?).plain())).collect();
        let pairs = || {
            let pairs = axes.iter().zip(&values);
            pairs.filter_map(|(axis, value)| Some((axis.key.as_str(), value.as_ref()?)))
        };
        let sorted: Assignment =
            pairs().map(|(key, value)| (key.to_owned(), value.clone())).collect();
        let trial = |(repeat, errors): (usize, &u32)| TrialRow {
            repeat: repeat as u32,
            id: format!("{index:030x}{repeat:02x}"),
            outcome: Outcome::Completed,
            metrics: Metrics::from([
                (MetricName::TEST_ACCURACY, f64::from(360 - errors) / 360.0),
                (MetricName::TRAIN_SECONDS, 2.0 + f64::from(*errors) / 8.0),
                (MetricName::IMAGES_PER_SECOND, 9000.0 - 16.0 * f64::from(*errors)),
            ]),
            reason: None,
            path: None,
        };
        CellResults {
            id: cell_id(sorted.iter().map(|(key, value)| (key.as_str(), value))),
            name: cell_name(pairs()),
            values: values.clone(),
            planned: 3,
            trials: errors.iter().enumerate().map(trial).collect(),
        }
    };
    let cells: Vec<CellResults> = cells.iter().enumerate().map(cell).collect();
    let curves = curves(&cells);
    ExperimentResults { facts, axes, cells, curves, summaries: Summaries::default() }
}

fn curves(cells: &[CellResults]) -> Vec<MemberCurve> {
    let curve = |(index, cell): (usize, &CellResults)| {
        let member = move |trial: &TrialRow| MemberCurve {
            id: format!("{:032x}", 1000 * index as u32 + trial.repeat),
            cell: index,
            repeat: trial.repeat,
            member: 0,
            outcome: trial.outcome,
            epochs: (1..=2).map(epoch).collect(),
        };
        cell.trials.iter().map(member).collect::<Vec<_>>()
    };
    cells.iter().enumerate().flat_map(curve).collect()
}

fn epoch(epoch: u32) -> EpochRecord {
    EpochRecord {
        epoch,
        learning_rate: 1e-3,
        train_loss: 1.0 / f64::from(epoch),
        train_accuracy: 1.0 - 0.1 / f64::from(epoch),
        validation_loss: None,
        validation_accuracy: None,
        train_seconds: 1.25,
    }
}

/// Returns shift × rotation with zoom moving along, a hole, a lost trial and an unfinished cell.
pub(crate) fn augment_grid() -> ExperimentResults {
    let axes: [(&str, &[&str]); 3] = [
        ("augment.shift", &["0", "0.1", "0.2"]),
        ("augment.rotation", &["0", "10", "20"]),
        ("augment.zoom", &["0", "0.1", "0.2"]),
    ];
    let cells: [HandMade<'_>; 7] = [
        (&[Some("0"), Some("0"), Some("0")], &[12, 14, 13]),
        (&[Some("0"), Some("10"), Some("0.1")], &[6, 7, 5]),
        (&[Some("0"), Some("20"), Some("0.2")], &[9, 9]),
        (&[Some("0.1"), Some("0"), Some("0")], &[10, 11, 10]),
        (&[Some("0.1"), Some("10"), Some("0.1")], &[4, 6, 5]),
        (&[Some("0.1"), Some("20"), Some("0.2")], &[8, 10]),
        (&[Some("0.2"), Some("10"), Some("0.1")], &[]),
    ];
    let mut results = experiment("augment_grid", &axes, &cells);
    let lost = TrialRow {
        repeat: 2,
        id: "f".repeat(32),
        outcome: Outcome::Diverged,
        metrics: Metrics::default(),
        reason: Some("loss became NaN in epoch 2".to_owned()),
        path: None,
    };
    results.cells[2].trials.push(lost);
    results
}

/// Returns `cells` cells on a square of two axes with `repeats` trials each.
pub(crate) fn large(cells: usize, repeats: u32) -> ExperimentResults {
    let side = (cells as f64).sqrt().ceil() as usize;
    let numbers: Vec<String> = (0..side).map(|index| index.to_string()).collect();
    let numbers: Vec<&str> = numbers.iter().map(String::as_str).collect();
    let axes: [(&str, &[&str]); 2] = [("a.x", &numbers), ("a.y", &numbers)];
    let errors: Vec<Vec<u32>> = (0..cells as u32)
        .map(|cell| (0..repeats).map(|repeat| (cell * 7 + repeat * 13) % 31).collect())
        .collect();
    let values: Vec<[Option<&str>; 2]> =
        (0..cells).map(|cell| [Some(numbers[cell / side]), Some(numbers[cell % side])]).collect();
    let made: Vec<HandMade<'_>> =
        values.iter().zip(&errors).map(|(values, errors)| (&values[..], &errors[..])).collect();
    let mut results = experiment("large", &axes, &made);
    results.cells.iter_mut().for_each(|cell| cell.planned = repeats);
    results
}
