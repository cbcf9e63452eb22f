//! `TensorBoard` event files: the curves of every training, the metrics of every trial, histograms
//! over the trials of every cell, and the hyperparameters for the `HParams` page.
//!
//! Writes into memory only. Layout below the folder of an experiment: one run per cell with its
//! histograms, below it one run per trial, below that one run per member where a trial has several.
//! The same results give the same bytes: times come from the manifest and the measured seconds.

mod event;
mod record;

use std::collections::{BTreeMap, BTreeSet};

use event::{EventFile, Hyperparameter, Kind};

use super::labels::short_name;
use crate::base::Metric;
use crate::experiment::Axis;
use crate::experiment::value::Value;
use crate::record::Outcome;
use crate::results::{AxisKind, CellResults, ExperimentResults, MemberCurve, TrialRow, axis_texts};
use crate::store::unix_seconds;
use gridbench_stats as stats;

/// Name of every event file; the reader looks for `tfevents` in it.
pub(crate) const FILE_NAME: &str = "events.out.tfevents.0000000000.bench";
/// Bytes of the longest folder name made of a cell's name.
const MAX_NAME_BYTES: usize = 120;
/// Most bins of a histogram.
const BINS: usize = 30;

/// Takes one event file: the folders of its run and its bytes.
pub(crate) type Write<'a, E> = dyn FnMut(&[String], &[u8]) -> Result<(), E> + 'a;

/// Hands every event file to `write`: the folders of its run and its bytes.
///
/// # Errors
/// The first that `write` gives.
pub(crate) fn each_file<E>(results: &ExperimentResults, write: &mut Write<'_, E>) -> Result<(), E> {
    let start = unix_seconds(&results.facts.origin.date).unwrap_or(0) as f64;
    let mut curves: BTreeMap<(usize, u32), Vec<&MemberCurve>> = BTreeMap::new();
    for curve in &results.curves {
        curves.entry((curve.cell, curve.repeat)).or_default().push(curve);
    }
    let mut summary = EventFile::begin(start);
    let hyperparameters = hyperparameters(results);
    let metrics: Vec<&Metric> = results.metrics().collect();
    summary.experiment(&results.facts.name, start, &hyperparameters, &metrics);
    write(&[], summary.bytes())?;
    let names = folder_names(results);
    for (index, cell) in results.cells.iter().enumerate() {
        let folder = names[index].clone();
        write(std::slice::from_ref(&folder), histograms(results, cell, start).bytes())?;
        let chosen = chosen(&hyperparameters, cell);
        for trial in &cell.trials {
            let run = format!("repeat-{:04}", trial.repeat);
            let of_trial = curves.remove(&(index, trial.repeat)).unwrap_or_default();
            let mut events = EventFile::begin(start);
            if let [only] = of_trial[..] {
                curve(&mut events, only, start);
            }
            events.session_start(&chosen, &cell.name, start);
            finish(&mut events, &metrics, trial, &of_trial, start);
            write(&[folder.clone(), run.clone()], events.bytes())?;
            for one in of_trial.iter().filter(|_| of_trial.len() > 1) {
                let mut events = EventFile::begin(start);
                curve(&mut events, one, start);
                let member = format!("member-{:02}", one.member);
                write(&[folder.clone(), run.clone(), member], events.bytes())?;
            }
        }
    }
    Ok(())
}

/// Writes the epochs of a member.
fn curve(events: &mut EventFile, curve: &MemberCurve, start: f64) {
    let mut time = start;
    for epoch in &curve.epochs {
        time += epoch.train_seconds.max(0.0);
        let step = u64::from(epoch.epoch);
        let values = [
            ("epoch/train-loss", Some(epoch.train_loss)),
            ("epoch/train-accuracy", Some(epoch.train_accuracy)),
            ("epoch/validation-loss", epoch.validation_loss),
            ("epoch/validation-accuracy", epoch.validation_accuracy),
            ("epoch/learning-rate", Some(epoch.learning_rate)),
        ];
        for (tag, value) in values {
            if let Some(value) = value {
                events.scalar(tag, value, step, time);
            }
        }
    }
}

/// Writes the metrics of a trial and how it ended.
fn finish(
    events: &mut EventFile,
    metrics: &[&Metric],
    trial: &TrialRow,
    curves: &[&MemberCurve],
    start: f64,
) {
    let lengths = curves.iter().map(|curve| curve.epochs.iter().map(|e| e.train_seconds).sum());
    let end = start + f64::max(lengths.fold(0.0, f64::max), 0.0);
    let step = curves.iter().filter_map(|curve| curve.epochs.last()).map(|e| e.epoch).max();
    for Metric { name, .. } in metrics {
        if let Some(value) = trial.metrics.get(name) {
            events.scalar(&format!("metric/{name}"), *value, u64::from(step.unwrap_or(1)), end);
        }
    }
    events.session_end(trial.outcome == Outcome::Completed, end);
}

fn histograms(results: &ExperimentResults, cell: &CellResults, start: f64) -> EventFile {
    let mut events = EventFile::begin(start);
    for metric in results.metrics() {
        let sample = cell.sample(&metric.name);
        let edges = stats::shared_edges(&[&sample], results.quantum(metric), BINS);
        if let Some(edges) = edges {
            let counts = stats::counts(&sample, &edges);
            events.histogram(&format!("trials/{}", metric.name), &sample, &edges, &counts, start);
        }
    }
    events
}

/// Returns the axes as hyperparameters.
fn hyperparameters(results: &ExperimentResults) -> Vec<Hyperparameter<'_>> {
    let of = |axis: &'_ Axis| match AxisKind::of(&axis.values) {
        AxisKind::Whole | AxisKind::Number if axis.values.iter().all(AxisKind::is_exact_float) => {
            Kind::Number
        }
        AxisKind::Truth => Kind::Truth,
        AxisKind::Whole | AxisKind::Number | AxisKind::Text => Kind::Text,
    };
    results
        .axes
        .iter()
        .map(|axis| Hyperparameter {
            name: &axis.key,
            kind: of(axis),
            values: axis.values.iter().zip(axis_texts(&axis.values)).collect(),
        })
        .collect()
}

/// Returns the hyperparameters that exist in a cell, with the index of their value.
fn chosen<'h>(
    hyperparameters: &'h [Hyperparameter<'h>],
    cell: &CellResults,
) -> Vec<(&'h Hyperparameter<'h>, usize)> {
    let pairs = hyperparameters.iter().zip(&cell.values);
    let index = |(one, value): (&'h Hyperparameter<'h>, &Option<Value>)| {
        let value = value.as_ref()?;
        Some((one, one.values.iter().position(|(known, _)| *known == value)?))
    };
    pairs.filter_map(index).collect()
}

/// Returns a folder name for every cell: its short name without what file systems mind, and unlike the
/// others.
fn folder_names(results: &ExperimentResults) -> Vec<String> {
    let short = |cell: &CellResults| short_name(&results.axes, &cell.values, None);
    told_apart(&results.cells.iter().map(short).collect::<Vec<_>>())
}

fn told_apart(names: &[String]) -> Vec<String> {
    let mut taken = BTreeSet::new();
    let name = |(index, name): (usize, &String)| {
        let plain: String = name
            .chars()
            .map(|c| if c.is_alphanumeric() || "=.-_+,".contains(c) { c } else { '_' })
            .scan(0, |bytes, c| {
                *bytes += c.len_utf8();
                (*bytes <= MAX_NAME_BYTES).then_some(c)
            })
            .collect();
        let plain = match plain.as_str() {
            "" => "base".to_owned(),
            // Neither hidden nor a way up.
            name if name.starts_with('.') => format!("_{name}"),
            _ => plain,
        };
        let is_whole = name.is_empty() || plain.chars().count() == name.chars().count();
        if is_whole && taken.insert(plain.clone()) {
            return plain;
        }
        let numbered = format!("{plain}-{index}");
        taken.insert(numbered.clone());
        numbered
    };
    names.iter().enumerate().map(name).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::results::fixture;

    fn files(results: &ExperimentResults) -> BTreeMap<String, Vec<u8>> {
        let mut files = BTreeMap::new();
        each_file(results, &mut |folders, bytes| {
            files.insert(folders.join("/"), bytes.to_vec());
            Ok::<(), ()>(())
        })
        .unwrap();
        files
    }

    #[test]
    fn every_cell_and_every_trial_is_a_run() {
        let results = fixture::augment_grid();
        let files = files(&results);
        let trials: usize = results.cells.iter().map(|cell| cell.trials.len()).sum();
        assert_eq!(files.len(), 1 + results.cells.len() + trials);
        let run = "shift=0.1_rotation=10_zoom=0.1/repeat-0002";
        assert!(files.keys().any(|name| name.ends_with(run)), "{:#?}", files.keys());
    }

    #[test]
    fn the_same_results_give_the_same_bytes() {
        assert_eq!(files(&fixture::augment_grid()), files(&fixture::augment_grid()));
    }

    #[test]
    fn folders_are_told_apart_and_hold_no_path() {
        let long = "x".repeat(300);
        let names = ["a/b", "a b", "../..", &long, &long, "", "base"].map(str::to_owned);
        let names = told_apart(&names);
        assert_eq!(names.iter().collect::<BTreeSet<_>>().len(), names.len());
        assert!(names.iter().all(|name| !name.contains('/') && name.len() < 140), "{names:?}");
    }
}
