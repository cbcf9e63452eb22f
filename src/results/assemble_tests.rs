use std::path::Path;

use super::*;
use crate::base::{Digest, MetricName, digest_of};
use crate::experiment::Document;
use crate::experiment::settings::SplitSeed;
use crate::experiment::value::Value;
use crate::grid;
use crate::plan::{CellDraft, Plan, PlanError};
use crate::record::{EpochRecord, MemberRecord, Outcome, TrialRecord};
use crate::store::{ManifestDraft, Store};
use crate::tables::{frames, read_folder, write};

const TEXT: &str = r#"
name = "shared"
question = "Do members serve both sizes?"
repeats = 2
seed = 7

[dataset]
source = "digits"

[model]
preset = "small-cnn"

[train]
epochs = 2

[[grid]]
[grid.axes]
"ensemble.size" = [1, 2]
[[grid.zip]]
"augment.rotation" = [10, 0]
"augment.zoom" = [0.1, 0.0]

[report]
rows = "ensemble.size"
reference = "deotte-2018-ensemble"
"#;

fn document() -> Document {
    Document::parse(TEXT, "shared.toml", &[]).unwrap()
}

fn plan(document: &Document) -> Plan {
    let experiment = document.experiment();
    let grid = grid::expand(experiment).unwrap();
    let cells = grid.cells().map(|cell| {
        let assignment: Vec<_> =
            grid.assignment(cell).map(|(key, value)| (key.to_owned(), value.clone())).collect();
        let settings = document.settings_for(grid.assignment(cell))?;
        Ok(CellDraft { id: grid.id(cell), name: grid.name(cell), assignment, settings })
    });
    let mut checksum = |_: &_| Ok::<Digest, std::convert::Infallible>(digest_of(b"digits"));
    let plan: Result<Plan, PlanError<crate::experiment::ExperimentError, _>> =
        Plan::from_cells(experiment.seed, experiment.repeats, "1", cells, &mut checksum);
    plan.unwrap()
}

fn open(folder: &Path, document: &Document) -> Store {
    let draft = ManifestDraft {
        name: "shared".to_owned(),
        typed: document.typed_text().to_owned(),
        overrides: Vec::new(),
        experiment: serde_json::to_value(document.experiment()).unwrap(),
        engine: "cpu, portable f32".to_owned(),
        engine_revision: "1".to_owned(),
        datasets: vec![crate::store::DatasetFacts {
            name: "digits".to_owned(),
            settings: serde_json::json!({}),
            checksum: digest_of(b"digits"),
            images: 1797,
            shape: [28, 28, 1],
            classes: Vec::new(),
            splits: Some([1437, 0, 360]),
            divisions: Vec::new(),
            notes: vec!["10 classes: 10 trained, 10 tested".to_owned()],
            warnings: Vec::new(),
            columns: None,
        }],
        programs: Vec::new(),
        repeats: crate::store::Repeats::default(),
        repository: None,
    };
    Store::open_writer(folder, draft).unwrap()
}

fn member(plan: &Plan, index: usize, outcome: Outcome) -> MemberRecord {
    let member = &plan.members[index];
    MemberRecord {
        id: member.id,
        seed_path: member.seed_path,
        attempt: 1,
        outcome,
        reason: (outcome != Outcome::Completed).then(|| "loss is NaN in epoch 1".to_owned()),
        epochs: vec![EpochRecord {
            epoch: 1,
            learning_rate: 1e-3,
            train_loss: if outcome == Outcome::Completed { 0.5 } else { f64::NAN },
            train_accuracy: 0.9,
            validation_loss: None,
            validation_accuracy: None,
            train_seconds: 1.5,
        }],
        summary: None,
    }
}

fn trial(plan: &Plan, index: usize) -> TrialRecord {
    let trial = &plan.trials[index];
    TrialRecord {
        id: trial.id,
        cell: plan.cells[trial.cell].id,
        repeat: trial.repeat,
        members: trial.members.iter().map(|member| plan.members[*member].id).collect(),
        outcome: Outcome::Completed,
        reason: None,
        metrics: [(MetricName::TEST_ACCURACY, 0.9 + index as f64 / 100.0)].into(),
    }
}

/// Members 0 and 1 belong to repeat 0 and 1 of size 1 at rotation 10.
fn fill(store: &mut Store, plan: &Plan, trials: &[usize]) {
    for index in 0..plan.members.len() {
        let lost = plan.trials[2].members == [index];
        let outcome = if lost { Outcome::Diverged } else { Outcome::Completed };
        store.append_member(&member(plan, index, outcome), None).unwrap();
    }
    for index in trials {
        store.append_trial(&trial(plan, *index)).unwrap();
    }
}

#[test]
fn results_follow_the_plan_whatever_the_order_of_the_journal() {
    let document = document();
    let plan = plan(&document);
    let results = |trials: &[usize]| {
        let folder = tempfile::tempdir().unwrap();
        fill(&mut open(folder.path(), &document), &plan, trials);
        assemble(&plan, &Store::open_reader(folder.path()).unwrap()).unwrap()
    };
    let forward = results(&[0, 1, 3, 4]);
    let backward = results(&[4, 3, 1, 0]);
    assert_eq!(forward.cells, backward.cells);
    assert_eq!(forward.axes, backward.axes);
    let repeats: Vec<Vec<u32>> = forward
        .cells
        .iter()
        .map(|cell| cell.trials.iter().map(|trial| trial.repeat).collect())
        .collect();
    // Trials 0 and 1 are the first cell's; 2 lost its only member; 5 is still to be done. The
    // member that was lost also belongs to the ensemble of two, trial 6.
    assert_eq!(repeats, [vec![0, 1], vec![0, 1], vec![0], vec![0]]);
}

#[test]
fn a_trial_whose_member_was_lost_is_lost_with_its_reason() {
    let document = document();
    let plan = plan(&document);
    let folder = tempfile::tempdir().unwrap();
    fill(&mut open(folder.path(), &document), &plan, &[0, 1]);
    let results = assemble(&plan, &Store::open_reader(folder.path()).unwrap()).unwrap();
    let lost = &results.cells[1].trials[0];
    assert_eq!(lost.outcome, Outcome::Diverged);
    assert_eq!(lost.reason.as_deref(), Some("loss is NaN in epoch 1"));
    assert!(lost.metrics.is_empty());
}

#[test]
fn an_ensemble_is_unfinished_while_one_of_its_members_is_whatever_befell_the_others() {
    let document = document();
    let plan = plan(&document);
    let outcome = |outcomes: &[Outcome]| {
        let folder = tempfile::tempdir().unwrap();
        let mut store = open(folder.path(), &document);
        // The first trial of an ensemble of two.
        let two = plan.trials.iter().find(|trial| trial.members.len() == 2).unwrap();
        for (index, outcome) in two.members.iter().zip(outcomes) {
            store.append_member(&member(&plan, *index, *outcome), None).unwrap();
        }
        trial_row(&plan, &store, two).map(|row| row.outcome)
    };
    assert_eq!(outcome(&[Outcome::Diverged]), None);
    assert_eq!(outcome(&[Outcome::Completed, Outcome::Completed]), None);
    let interrupted = outcome(&[Outcome::Diverged, Outcome::Interrupted]);
    assert_eq!(interrupted, Some(Outcome::Interrupted));
    assert_eq!(outcome(&[Outcome::Failed, Outcome::Diverged]), Some(Outcome::Failed));
    assert_eq!(outcome(&[Outcome::Completed, Outcome::Diverged]), Some(Outcome::Diverged));
}

#[test]
fn a_member_shared_by_two_ensembles_has_one_curve() {
    let document = document();
    let plan = plan(&document);
    let folder = tempfile::tempdir().unwrap();
    fill(&mut open(folder.path(), &document), &plan, &[]);
    let results = assemble(&plan, &Store::open_reader(folder.path()).unwrap()).unwrap();
    // Two augmentations × two repeats × two members, however many ensembles use them.
    assert_eq!(results.curves.len(), 8);
    let mut ids: Vec<&str> = results.curves.iter().map(|curve| curve.id.as_str()).collect();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), 8);
    assert_eq!((results.curves[0].cell, results.curves[0].member), (0, 0));
}

#[test]
fn facts_and_axes_come_from_the_manifest() {
    let document = document();
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path(), &document);
    let facts = Facts::of(store.manifest());
    assert_eq!((facts.name.as_str(), facts.seed, facts.repeats), ("shared", 7, 2));
    assert_eq!(facts.model, "small-cnn");
    assert_eq!(facts.datasets[0].shape_text(), "28×28");
    assert_eq!(facts.datasets[0].test_images(), Some(360));
    assert_eq!(facts.datasets[0].validation_images(), None);
    assert_eq!(facts.split_seed, Some(SplitSeed::Trial));
    assert_eq!(facts.report.rows.as_deref(), Some("ensemble.size"));
    assert_eq!(facts.base["train.epochs"], Value::Integer(2));
    assert_eq!(facts.base["augment.shift.width"], Value::Integer(0));
    assert_eq!(facts.base["train.optimizer.name"], Value::Text("adam".to_owned()));
    let axes = declared_axes(store.manifest());
    let keys: Vec<&str> = axes.iter().map(|axis| axis.key.as_str()).collect();
    assert_eq!(keys, ["ensemble.size", "augment.rotation", "augment.zoom"]);
    assert_eq!(axes[1].values, [Value::Integer(10), Value::Integer(0)]);
    assert_eq!(axes[2].values, [Value::Float(0.1), Value::Integer(0)]);
}

#[test]
fn a_folder_without_its_journal_reads_back_the_same() {
    let document = document();
    let plan = plan(&document);
    let folder = tempfile::tempdir().unwrap();
    fill(&mut open(folder.path(), &document), &plan, &[0, 1, 4]);
    let results = assemble(&plan, &Store::open_reader(folder.path()).unwrap()).unwrap();
    write(&frames(&results), &folder.path().join("tables")).unwrap();
    std::fs::remove_dir_all(folder.path().join("journal")).unwrap();
    let back = read_folder(folder.path()).unwrap();
    assert_eq!(back.cells, results.cells);
    assert_eq!(back.axes, results.axes);
    assert_eq!(back.facts, results.facts);
    // The curve of the lost member holds a NaN, which equals nothing.
    assert_eq!(format!("{:?}", back.curves), format!("{:?}", results.curves));
}
