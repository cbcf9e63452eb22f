//! Every reader of results against every other, on axes whose values look alike.

use std::collections::BTreeSet;
use std::convert::Infallible;
use std::path::Path;

use proptest::prelude::*;

use super::*;
use crate::base::{Digest, MetricName, digest_of};
use crate::check::{self, Baseline, CellSample, Source};
use crate::experiment::CheckSettings;
use crate::experiment::selector::Selector;
use crate::experiment::value::{Assignment, Value};
use crate::experiment::{Document, ExperimentError};
use crate::grid;
use crate::plan::{CellDraft, Plan, PlanError};
use crate::record::{Outcome, TrialRecord};
use crate::report::compare::{self, GAMMA, Question, Side};
use crate::report::confirm::{best_cells, confirmation};
use crate::report::{Format, Page, Subject, render, tensorboard};
use crate::results::{ExperimentResults, assemble};
use crate::store::{DatasetFacts, ManifestDraft, Repeats, Store};

const REPEATS: u32 = 2;

/// Texts that a careless reader takes for something else, or for each other.
const TEXTS: [&str; 32] = [
    "1.1",
    "1.10",
    "1",
    "1.0",
    "1e5",
    "0.50",
    "-0",
    "0",
    "+1",
    "007",
    "0x10",
    "9007199254740993",
    "true",
    "false",
    "",
    " ",
    "null",
    "NaN",
    "NA",
    "None",
    "inf",
    "a, b",
    "a=b",
    "\"quoted\"",
    "two\nlines",
    "tab\t",
    "back\\slash",
    "é",
    "ｅ",
    "[1]",
    "{name=adam}",
    "adam",
];

fn value() -> impl Strategy<Value = Value> {
    let text = prop::sample::select(TEXTS.as_slice());
    let whole = prop::sample::select(vec![0, 1, -3, 16, i64::MAX, i64::MIN, (1 << 53) + 1]);
    let floats = vec![-0.0, 0.5, 1.0, 1.1, 1e-7, 1e5, 1e300, 9_007_199_254_740_992.0];
    prop_oneof![
        4 => text.prop_map(|text| Value::Text(text.to_owned())),
        // Printable, because texts that look alike are refused on one axis.
        1 => "\\PC{0,12}".prop_map(Value::Text),
        2 => whole.prop_map(Value::Integer),
        2 => prop::sample::select(floats).prop_map(Value::Float),
        1 => any::<bool>().prop_map(Value::Bool),
    ]
}

/// The distinct values of one to three axes.
fn axes() -> impl Strategy<Value = Vec<Vec<Value>>> {
    let axis = prop::collection::vec(value(), 2..6).prop_map(|values| {
        let mut seen = BTreeSet::new();
        values.into_iter().filter(|value| seen.insert(value.clone())).collect()
    });
    prop::collection::vec(axis, 1..4)
}

fn toml(value: &Value) -> String {
    match value {
        // A basic string of TOML escapes as JSON does, and the one control character beyond.
        Value::Text(text) => {
            serde_json::to_string(text).expect("a text").replace('\u{7f}', "\\u007f")
        }
        Value::Float(number) => format!("{number:?}"),
        other => other.to_string(),
    }
}

fn document(axes: &[Vec<Value>]) -> Document {
    let mut text = format!(
        "name = \"readers\"\nrepeats = {REPEATS}\n[dataset]\nsource = \"digits\"\n[trainer]\n\
         engine = \"fake\"\n[grid.axes]\n"
    );
    for (index, values) in axes.iter().enumerate() {
        let values: Vec<String> = values.iter().map(toml).collect();
        let key = ["a", "b", "c"][index];
        text.extend([format!("\"hyperparameters.{key}\" = [{}]\n", values.join(", "))]);
    }
    Document::parse(&text, "readers.toml", &[]).unwrap_or_else(|error| panic!("{error}\n{text}"))
}

fn plan(document: &Document) -> Plan {
    let experiment = document.experiment();
    let grid = grid::expand(experiment).expect("distinct values");
    let cells = grid.cells().map(|cell| {
        let assignment: Vec<_> =
            grid.assignment(cell).map(|(key, value)| (key.to_owned(), value.clone())).collect();
        let settings = document.settings_for(grid.assignment(cell))?;
        Ok(CellDraft { id: grid.id(cell), name: grid.name(cell), assignment, settings })
    });
    let mut checksum = |_: &_| Ok::<Digest, Infallible>(digest_of(b"digits"));
    let plan: Result<Plan, PlanError<ExperimentError, _>> =
        Plan::from_cells(experiment.seed, experiment.repeats, "1", cells, &mut checksum);
    plan.expect("a plan")
}

/// Runs the experiment as far as results are concerned: trial `i` of cell `c` has the accuracy
/// (10 c + i) / 10,000.
fn stored(folder: &Path, document: &Document, plan: &Plan) -> Store {
    let draft = ManifestDraft {
        name: "readers".to_owned(),
        typed: document.typed_text().to_owned(),
        overrides: Vec::new(),
        experiment: serde_json::to_value(document.experiment()).expect("JSON"),
        engine: "fake".to_owned(),
        engine_revision: "1".to_owned(),
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
        programs: Vec::new(),
        repeats: Repeats::default(),
        repository: None,
    };
    let mut store = Store::open_writer(folder, draft).expect("a store");
    for trial in &plan.trials {
        let record = TrialRecord {
            id: trial.id,
            cell: plan.cells[trial.cell].id,
            repeat: trial.repeat,
            members: trial.members.iter().map(|member| plan.members[*member].id).collect(),
            outcome: Outcome::Completed,
            reason: None,
            metrics: [(MetricName::TEST_ACCURACY, accuracy(trial.cell, trial.repeat))].into(),
        };
        store.append_trial(&record).expect("a trial");
    }
    store
}

fn accuracy(cell: usize, repeat: u32) -> f64 {
    (10 * cell + repeat as usize) as f64 / 1e4
}

/// The same results by way of the journal, of Parquet and of CSV.
fn readers(axes: &[Vec<Value>]) -> [ExperimentResults; 3] {
    let folder = tempfile::tempdir().expect("a folder");
    let document = document(axes);
    let plan = plan(&document);
    let journal = assemble(&plan, &stored(folder.path(), &document, &plan)).unwrap();
    let paths = write(&frames(&journal), &folder.path().join("tables")).expect("tables");
    let parquet = read_folder(folder.path()).expect("Parquet");
    for path in paths.iter().filter(|path| path.extension().is_some_and(|end| end == "parquet")) {
        std::fs::remove_file(path).expect("a file");
    }
    let csv = read_folder(folder.path()).expect("CSV");
    [journal, parquet, csv]
}

fn settings() -> CheckSettings {
    CheckSettings {
        metric: MetricName::TEST_ACCURACY,
        tolerance: 0.1,
        alpha: 0.05,
        images_per_second: None,
        lost_trials: None,
        at_least: None,
        cells: Vec::new(),
    }
}

fn samples(results: &ExperimentResults) -> Vec<CellSample> {
    CellSample::all(results, results.metric(), u32::MAX)
}

fn events(results: &ExperimentResults) -> Vec<(Vec<String>, Vec<u8>)> {
    let mut files = Vec::new();
    tensorboard::each_file(results, &mut |folders, bytes| {
        files.push((folders.to_vec(), bytes.to_vec()));
        Ok::<(), Infallible>(())
    })
    .expect("nothing is written");
    files
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn every_reader_sees_the_same_cells(axes in axes()) {
        let [journal, parquet, csv] = readers(&axes);
        let typed: Vec<Assignment> =
            journal.cells.iter().map(|cell| journal.assignment(cell)).collect();
        let distinct: BTreeSet<&Assignment> = typed.iter().collect();
        let count: usize = axes.iter().map(Vec::len).product();
        prop_assert_eq!(distinct.len(), count);
        let names: BTreeSet<&String> = journal.cells.iter().map(|cell| &cell.name).collect();
        prop_assert_eq!(names.len(), count);
        for results in [&parquet, &csv] {
            prop_assert_eq!(results, &journal);
            prop_assert_eq!(events(results), events(&journal));
            for format in [Format::Terminal, Format::Markdown, Format::Json, Format::Csv] {
                let text = |results| render(&[Subject::from(results)], format, Page::default());
                prop_assert_eq!(text(results), text(&journal));
            }
        }
    }

    #[test]
    fn a_gate_pairs_every_cell_with_itself(axes in axes()) {
        let [journal, _, csv] = readers(&axes);
        let before = Baseline::from_samples(Source::of(&journal), samples(&journal)).expect("one");
        let before = Baseline::from_text(&before.to_text()).expect("its own text");
        let report =
            check::check(&before, &samples(&csv), &Source::of(&csv), &settings()).expect("pairs");
        prop_assert_eq!(report.cells.len(), csv.cells.len());
        prop_assert_eq!(&report.new_cells, &Vec::<String>::new());
        for (cell, verdict) in csv.cells.iter().zip(&report.cells) {
            prop_assert_eq!(verdict.difference, Some(0.0));
            prop_assert_eq!(&verdict.name, &cell.name);
        }
    }

    #[test]
    fn the_name_of_a_cell_selects_it_and_gates_it(axes in axes()) {
        let [_, _, csv] = readers(&axes);
        for (index, cell) in csv.cells.iter().enumerate() {
            let selector: Selector = cell.name.parse().expect("a name");
            let (_, chosen) = csv.choose(&selector).expect("a cell");
            prop_assert_eq!(chosen, vec![index], "{}", &cell.name);
            let matches = selector.resolve(&csv.axes, "readers").expect("axes");
            let only = CheckSettings { cells: vec![matches], ..settings() };
            let gated = csv.cells.iter().filter(|cell| only.gates(&csv.assignment(cell)));
            let gated: Vec<&String> = gated.map(|cell| &cell.name).collect();
            prop_assert_eq!(gated, vec![&cell.name]);
        }
    }

    #[test]
    fn comparisons_and_confirmations_pair_every_cell_with_itself(axes in axes()) {
        let [journal, parquet, csv] = readers(&axes);
        let metric = csv.metric();
        let all = Selector::default();
        let question = Question { metric: metric.clone(), alpha: 0.05, gamma: GAMMA, seed: 1 };
        let a = Side { name: "a", results: &csv, selector: &all };
        let b = Side { name: "b", results: &journal, selector: &all };
        let found = compare::compare(a, b, &question, &mut |_, _| None).expect("pairs");
        prop_assert_eq!(found.pairs.len(), csv.cells.len());
        prop_assert!(found.pairs.iter().all(|pair| pair.difference == Some(0.0)));
        let best = best_cells(&csv, metric, 3);
        prop_assert_eq!(best[0], csv.cells.len() - 1);
        let confirmed = confirmation(&csv, &best, &parquet, metric);
        prop_assert_eq!(confirmed.cells.len(), best.len());
        prop_assert!(confirmed.cells.iter().all(|cell| cell.change == Some(0.0)));
    }

    #[test]
    fn a_baseline_of_version_1_means_the_cells_it_was_made_of_or_says_that_it_cannot(axes in axes()) {
        let [journal, ..] = readers(&axes);
        let cells = journal.cells.iter().map(|cell| {
            let texts = journal.assignment(cell).into_iter().map(|(key, value)| (key, value.to_string()));
            serde_json::json!({
                "name": "any", "metric": "test-accuracy", "n": REPEATS, "values": cell.sample(&MetricName::TEST_ACCURACY),
                "assignment": texts.collect::<std::collections::BTreeMap<_, _>>(),
            })
        });
        let text = serde_json::json!({
            "format": "gridbench-baseline", "version": 1, "cells": cells.collect::<Vec<_>>(),
            "origin": {
                "experiment": "readers", "seed": 42, "engine": "fake", "hardware": "x",
                "version": "0", "toolchain": "x", "date": "x", "datasets": {},
            },
        });
        let looks_alike = journal.axes.iter().any(|axis| {
            let texts: BTreeSet<String> = axis.values.iter().map(ToString::to_string).collect();
            texts.len() < axis.values.len()
        });
        let candidate = samples(&journal);
        let typed = Baseline::from_text(&text.to_string())
            .and_then(|before| before.typed_like(&candidate).map(std::borrow::Cow::into_owned));
        prop_assert_eq!(typed.is_err(), looks_alike, "{:?}", typed);
        if let Ok(before) = typed {
            for (before, now) in before.cells().iter().zip(&candidate) {
                prop_assert_eq!(&before.assignment, &now.assignment);
            }
        }
    }
}

#[test]
fn two_folders_named_like_equal_numbers_are_two_cells() {
    let texts = ["1.1", "1.10"].map(|text| Value::Text(text.to_owned()));
    let [journal, parquet, csv] = readers(&[texts.to_vec()]);
    for results in [&journal, &parquet, &csv] {
        let page = render(&[Subject::from(results)], Format::Terminal, Page::default());
        assert!(page.contains("\n \"1.1\" ") && page.contains("\n \"1.10\" "), "{page}");
        assert_eq!(results.cells[1].name, "hyperparameters.a=\"1.10\"");
    }
}
