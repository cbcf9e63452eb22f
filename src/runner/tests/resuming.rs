use std::fs;
use std::path::Path;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use proptest::prelude::*;

use super::scripted::{
    Results, Scripted, Session, Turn, journal as journal_file, plan, results, run_once,
};
use crate::plan::Plan;
use crate::plan::testing::cell;
use crate::record::Outcome;
use crate::runner::{Event, RunOptions, RunSummary, StopSignal};
use crate::store::atomic;

/// Cells that complete, fail and diverge, with ensembles that share members.
fn mixed_plan() -> Plan {
    plan(
        2,
        [
            cell(0, |settings| settings.ensemble.size = 1),
            cell(0, |settings| settings.ensemble.size = 3),
            cell(1, |settings| settings.ensemble.size = 2),
            cell(2, |_| {}),
        ],
    )
}

fn mixed_engine() -> Scripted {
    Scripted::new(|job, epoch| match (super::scripted::x_of(job), job.seed_path.member) {
        (1, Some(1)) if epoch == 2 => Turn::Error,
        (2, _) if epoch == 3 => Turn::Diverge,
        _ => Turn::Go,
    })
}

/// What an undisturbed run gives.
fn undisturbed() -> &'static Results {
    static RESULTS: OnceLock<Results> = OnceLock::new();
    RESULTS.get_or_init(|| {
        let folder = tempfile::tempdir().unwrap();
        run_once(&mixed_plan(), &mixed_engine(), folder.path());
        results(folder.path())
    })
}

/// Runs until `epochs` have been trained, then asks `requests` times to stop.
fn run_for(epochs: usize, requests: usize, workers: usize, folder: &Path) -> (RunSummary, usize) {
    let stop = StopSignal::new();
    let seen = AtomicUsize::new(0);
    let engine = mixed_engine();
    let session = Session {
        plan: &mixed_plan(),
        engine: &engine,
        folder,
        options: RunOptions { workers, ..RunOptions::default() },
        stop: &stop,
        events: &|event| {
            if let Event::Epoch { .. } = event
                && seen.fetch_add(1, Ordering::SeqCst) + 1 == epochs
            {
                (0..requests).for_each(|_| stop.request());
            }
        },
    };
    let summary = session.run().unwrap();
    (summary, engine.epochs())
}

#[test]
fn an_interrupted_run_goes_on_where_it_stopped() {
    let folder = tempfile::tempdir().unwrap();
    let (summary, before) = run_for(5, 1, 1, folder.path());
    assert!(summary.interrupted);
    assert_eq!(before, 5);
    let stored = results(folder.path());
    let outcomes: Vec<Outcome> = stored.members.values().map(|record| record.outcome).collect();
    assert_eq!(outcomes.len(), 2);
    assert!(outcomes.contains(&Outcome::Interrupted));
    let (summary, after) = run_for(usize::MAX, 0, 1, folder.path());
    assert!(!summary.interrupted);
    // x=0: 6 members of 3 epochs; x=1: 2 of 3 and 2 that fail twice in the second; x=2: 2 of 3.
    assert_eq!(before + after, 6 * 3 + 2 * 3 + 2 * 2 * 2 + 2 * 3);
    assert_eq!(results(folder.path()), *undisturbed());
    let left: Vec<_> = fs::read_dir(folder.path().join("checkpoints")).unwrap().collect();
    assert!(left.is_empty(), "{left:?}");
}

#[test]
fn a_second_request_saves_no_more_state() {
    let folder = tempfile::tempdir().unwrap();
    let (summary, _) = run_for(2, 2, 1, folder.path());
    assert!(summary.interrupted);
    assert!(!folder.path().join("checkpoints").exists());
    run_once(&mixed_plan(), &mixed_engine(), folder.path());
    assert_eq!(results(folder.path()), *undisturbed());
}

#[test]
fn a_member_in_training_saves_its_state_from_time_to_time() {
    let folder = tempfile::tempdir().unwrap();
    let stop = StopSignal::new();
    let saved = AtomicUsize::new(0);
    let checkpoints = folder.path().join("checkpoints");
    let session = Session {
        plan: &plan(1, [cell(0, |_| {})]),
        engine: &Scripted::flawless(),
        folder: folder.path(),
        options: RunOptions { checkpoint_every: Duration::ZERO, ..RunOptions::default() },
        stop: &stop,
        events: &|event| {
            if let Event::Epoch { record, .. } = event
                && record.epoch > 1
            {
                saved.fetch_add(fs::read_dir(&checkpoints).unwrap().count(), Ordering::SeqCst);
            }
        },
    };
    session.run().unwrap();
    assert_eq!(saved.into_inner(), 2);
    assert_eq!(fs::read_dir(&checkpoints).unwrap().count(), 0);
}

#[test]
fn a_checkpoint_the_engine_refuses_only_costs_time() {
    let folder = tempfile::tempdir().unwrap();
    run_for(5, 1, 2, folder.path());
    let engine = Scripted { refuses_checkpoints: true, ..mixed_engine() };
    run_once(&mixed_plan(), &engine, folder.path());
    assert_eq!(results(folder.path()), *undisturbed());
}

#[test]
fn a_run_that_was_ended_by_its_last_line_is_not_run_again() {
    let folder = tempfile::tempdir().unwrap();
    run_once(&mixed_plan(), &mixed_engine(), folder.path());
    let engine = mixed_engine();
    run_once(&mixed_plan(), &engine, folder.path());
    assert_eq!(engine.epochs(), 0, "failed members are not tried a third time");
    assert_eq!(results(folder.path()), *undisturbed());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn interrupt_and_resume_equals_one_run(
        stops in prop::collection::vec((1usize..12, 1usize..3), 1..4),
        workers in 1usize..4,
    ) {
        let folder = tempfile::tempdir().unwrap();
        for (epochs, requests) in stops {
            run_for(epochs, requests, workers, folder.path());
        }
        run_once(&mixed_plan(), &mixed_engine(), folder.path());
        prop_assert_eq!(&results(folder.path()), undisturbed());
    }

    #[test]
    fn a_run_killed_at_any_byte_and_started_again_equals_one_run(
        cut in 0.0f64..1.0,
        lose_predictions in any::<bool>(),
    ) {
        let expected = undisturbed();
        let folder = tempfile::tempdir().unwrap();
        run_once(&mixed_plan(), &mixed_engine(), folder.path());
        let journal = fs::read(journal_file(folder.path())).unwrap();
        let keep = (journal.len() as f64 * cut) as usize;
        atomic::write(&journal_file(folder.path()), &journal[..keep]).unwrap();
        if lose_predictions {
            fs::remove_dir_all(folder.path().join("predictions")).unwrap();
        }
        run_once(&mixed_plan(), &mixed_engine(), folder.path());
        prop_assert_eq!(&results(folder.path()), expected);
    }
}
