use std::fs;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::scripted::{
    Scripted, Session, journal, open, plan, predictions_file, results, run_once,
};
use crate::base::{MetricName, digest_of};
use crate::data::DataFolders;
use crate::experiment::settings::Combine;
use crate::plan::testing::{cell, plan_of, settings};
use crate::record::Outcome;
use crate::runner::{Event, RunError, RunOptions, RunRequest, StopSignal, run};
use crate::store::{Store, StoreError};

#[test]
fn a_run_trains_every_member_once_and_scores_every_trial() {
    let folder = tempfile::tempdir().unwrap();
    let plan = plan(
        3,
        [
            cell(0, |_| {}),
            cell(1, |settings| settings.ensemble.size = 2),
            cell(1, |settings| settings.ensemble.size = 4),
        ],
    );
    let engine = Scripted::flawless();
    let summary = run_once(&plan, &engine, folder.path());
    assert_eq!(engine.epochs(), 3 * (3 + 12));
    assert_eq!((summary.members_trained, summary.trials_completed), (15, 9));
    assert_eq!((summary.trials_failed, summary.trials_outstanding), (0, 0));
    let results = results(folder.path());
    assert_eq!(results.members.len(), 15);
    for trial in &plan.trials {
        let record = &results.trials[&trial.id];
        assert_eq!(record.cell, plan.cells[trial.cell].id);
        assert_eq!(record.outcome, Outcome::Completed);
        let members = trial.members.len() as f64;
        let close = |metric, expected: f64| (record.metrics[&metric] - expected).abs() < 1e-12;
        assert!(close(MetricName::TRAIN_SECONDS, 0.75 * members));
        // 20 of 50 images train, in 3 epochs of a quarter second.
        assert!(close(MetricName::IMAGES_PER_SECOND, 80.0));
    }
}

#[test]
fn a_second_run_trains_nothing_and_changes_no_byte_of_the_journal() {
    let folder = tempfile::tempdir().unwrap();
    let plan = plan(2, [cell(0, |_| {}), cell(1, |_| {})]);
    run_once(&plan, &Scripted::flawless(), folder.path());
    let journal = journal(folder.path());
    let before = fs::read(&journal).unwrap();
    let engine = Scripted::flawless();
    let summary = run_once(&plan, &engine, folder.path());
    assert_eq!((engine.epochs(), summary.members_trained, summary.members_reused), (0, 0, 4));
    assert_eq!(summary.trials_completed, 4);
    assert_eq!(fs::read(&journal).unwrap(), before);
}

#[test]
fn neither_the_number_of_workers_nor_packs_change_a_result() {
    let plan = plan(3, (0..4).map(|x| cell(x, |settings| settings.ensemble.size = 2)));
    let results_of = |workers: usize, pack: usize| {
        let folder = tempfile::tempdir().unwrap();
        let engine = Scripted { pack, ..Scripted::flawless() };
        let options = RunOptions { workers, ..RunOptions::default() };
        let stop = StopSignal::new();
        let session = Session {
            plan: &plan,
            engine: &engine,
            folder: folder.path(),
            options,
            stop: &stop,
            events: &|_| {},
        };
        session.run().unwrap();
        let packs = engine.packs.lock().unwrap().clone();
        assert!(packs.iter().all(|&size| size <= pack), "{packs:?}");
        assert_eq!(pack > 1, packs.contains(&pack), "{packs:?}");
        results(folder.path())
    };
    let alone = results_of(1, 1);
    assert_eq!(alone.trials.len(), 12);
    assert_eq!(alone, results_of(4, 1));
    assert_eq!(alone, results_of(2, 3));
}

#[test]
fn a_grown_grid_trains_only_what_is_new() {
    let folder = tempfile::tempdir().unwrap();
    let small = |x| cell(x, |settings| settings.ensemble.size = 2);
    run_once(&plan(2, [small(0)]), &Scripted::flawless(), folder.path());
    let engine = Scripted::flawless();
    let larger = cell(0, |settings| settings.ensemble.size = 3);
    let vote = cell(0, |settings| {
        settings.ensemble.size = 2;
        settings.ensemble.combine = Combine::Vote;
    });
    let vote = crate::plan::CellDraft { id: digest_of(b"vote").into(), ..vote };
    let summary = run_once(&plan(3, [small(0), larger, vote]), &engine, folder.path());
    // One more member in each of the two old repeats, three in the new one.
    assert_eq!((engine.epochs(), summary.members_trained), (3 * 5, 5));
    assert_eq!((summary.members_reused, summary.trials_completed), (4, 9));
}

#[test]
fn a_member_is_on_the_disk_before_its_worker_takes_the_next() {
    let folder = tempfile::tempdir().unwrap();
    let plan = plan(2, (0..3).map(|x| cell(x, |_| {})));
    let started = AtomicUsize::new(0);
    let counts = Mutex::new(Vec::new());
    let stop = StopSignal::new();
    let session = Session {
        plan: &plan,
        engine: &Scripted::flawless(),
        folder: folder.path(),
        options: RunOptions::default(),
        stop: &stop,
        events: &|event| {
            if let Event::MemberStarted { .. } = event {
                let stored = results(folder.path());
                let before = started.fetch_add(1, Ordering::SeqCst);
                counts.lock().unwrap().push((before, stored.members.len(), stored.trials.len()));
            }
        },
    };
    session.run().unwrap();
    let expected: Vec<_> = (0..6).map(|count| (count, count, count)).collect();
    assert_eq!(*counts.lock().unwrap(), expected);
}

/// What happens to a file.
type Harm = fn(&std::path::Path);

#[test]
fn a_member_whose_predictions_are_lost_is_trained_again_also_after_it_was_scored() {
    let pair = plan(2, [cell(0, |settings| settings.ensemble.size = 2)]);
    let healthy = tempfile::tempdir().unwrap();
    run_once(&pair, &Scripted::flawless(), healthy.path());
    let expected = results(healthy.path());
    let harms: [(Harm, usize); 3] = [
        (|file| fs::remove_file(file).unwrap(), 4),
        (|file| cut(file, |bytes| bytes.truncate(bytes.len() - 1)), 1),
        (|file| cut(file, |bytes| bytes[10] ^= 4), 1),
    ];
    for (harm, lost) in harms {
        let folder = tempfile::tempdir().unwrap();
        run_once(&pair, &Scripted::flawless(), folder.path());
        harm(&predictions_file(folder.path()));
        let engine = Scripted::flawless();
        let summary = run_once(&pair, &engine, folder.path());
        assert_eq!((summary.members_trained, summary.members_repaired), (lost, lost));
        assert_eq!(engine.epochs(), 3 * lost);
        assert_eq!(results(folder.path()), expected);
        let again = Scripted::flawless();
        run_once(&pair, &again, folder.path());
        assert_eq!(again.epochs(), 0, "healed");
        let store = Store::open_reader(folder.path()).unwrap();
        assert!(pair.members.iter().all(|member| store.predictions(&member.id).is_ok()));
    }
}

fn cut(file: &std::path::Path, change: impl FnOnce(&mut Vec<u8>)) {
    let mut bytes = fs::read(file).unwrap();
    change(&mut bytes);
    crate::store::atomic::write(file, &bytes).unwrap();
}

#[test]
fn a_trial_is_scored_again_when_a_member_was_trained_again_with_another_result() {
    let folder = tempfile::tempdir().unwrap();
    let plan = plan(1, [cell(0, |settings| settings.ensemble.size = 2)]);
    run_once(&plan, &Scripted::flawless(), folder.path());
    let before = results(folder.path());
    fs::remove_file(predictions_file(folder.path())).unwrap();
    // Another machine: other bits.
    let other = Scripted { salt: 7, ..Scripted::flawless() };
    run_once(&plan, &other, folder.path());
    let after = results(folder.path());
    let score = |results: &super::scripted::Results| {
        results.trials[&plan.trials[0].id].metrics[&MetricName::TEST_ACCURACY]
    };
    assert!((score(&before) - score(&after)).abs() > 1e-9);
    let elsewhere = tempfile::tempdir().unwrap();
    run_once(&plan, &other, elsewhere.path());
    assert_eq!(after, results(elsewhere.path()));
}

#[test]
fn a_result_that_cannot_be_stored_ends_the_run_with_the_file_named() {
    let folder = tempfile::tempdir().unwrap();
    let plan = plan(2, [cell(0, |_| {}), cell(1, |_| {})]);
    drop(open(folder.path()));
    // A file where a folder should be stops every user, also one who may write anywhere.
    fs::copy(folder.path().join("manifest.json"), folder.path().join("predictions")).unwrap();
    let stop = StopSignal::new();
    let session = Session {
        plan: &plan,
        engine: &Scripted::flawless(),
        folder: folder.path(),
        options: RunOptions { workers: 2, ..RunOptions::default() },
        stop: &stop,
        events: &|_| {},
    };
    let error = session.run().unwrap_err();
    assert!(error.to_string().contains("predictions/"), "{error}");
    let stored = results(folder.path());
    // The other worker's member may have been stopped in time to leave a note.
    let outcomes = stored.members.values().map(|record| record.outcome);
    assert!(outcomes.into_iter().all(|outcome| outcome == Outcome::Interrupted));
    assert!(stored.trials.is_empty());
}

#[test]
fn a_store_opened_for_reading_takes_no_run() {
    let folder = tempfile::tempdir().unwrap();
    drop(open(folder.path()));
    let plan = plan(1, [cell(0, |_| {})]);
    let error = run(RunRequest {
        plan: &plan,
        engine: &Scripted::flawless(),
        store: &mut Store::open_reader(folder.path()).unwrap(),
        load: &mut |_| unreachable!(),
        supply: None,
        options: RunOptions::default(),
        stop: &StopSignal::new(),
        events: &|_| {},
    })
    .unwrap_err();
    assert!(matches!(error, RunError::Store(StoreError::ReadOnly { .. })), "{error}");
}

#[test]
fn images_that_changed_since_the_plan_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let plan = plan_of(1, [cell(0, |_| {})], |_| digest_of(b"yesterday"));
    let error = run(RunRequest {
        plan: &plan,
        engine: &Scripted::flawless(),
        store: &mut open(folder.path()),
        load: &mut |settings| {
            Ok(std::sync::Arc::new(crate::data::load(settings, &DataFolders::default())?))
        },
        supply: None,
        options: RunOptions::default(),
        stop: &StopSignal::new(),
        events: &|_| {},
    })
    .unwrap_err();
    assert!(error.to_string().contains(&digest_of(b"yesterday").to_string()), "{error}");
    assert_eq!(plan.datasets[0].settings, settings().dataset);
}

#[test]
fn events_tell_what_a_progress_bar_needs() {
    let folder = tempfile::tempdir().unwrap();
    let plan = plan(1, [cell(7, |settings| settings.ensemble.size = 2)]);
    let lines = Mutex::new(Vec::new());
    let stop = StopSignal::new();
    let session = Session {
        plan: &plan,
        engine: &Scripted::flawless(),
        folder: folder.path(),
        options: RunOptions::default(),
        stop: &stop,
        events: &|event| lines.lock().unwrap().push(serde_json::to_value(event).unwrap()),
    };
    session.run().unwrap();
    let lines = lines.into_inner().unwrap();
    let names: Vec<&str> = lines.iter().map(|line| line["event"].as_str().unwrap()).collect();
    let member = ["member-started", "epoch", "epoch", "epoch", "member-finished"];
    let expected = [&["started"][..], &member, &member, &["trial-finished", "ended"]].concat();
    assert_eq!(names, expected);
    // Two members, three epochs, 20 training images.
    assert_eq!(lines[0]["images"], 120);
    assert_eq!(lines[1]["cell"], "x=7 ensemble.size=2");
    assert_eq!(lines[5]["images-planned"], 60);
    assert_eq!(lines[5]["images"], 60);
    assert_eq!(lines[11]["record"]["outcome"], "completed");
    assert_eq!(lines[12]["summary"]["trials-completed"], 1);
}
