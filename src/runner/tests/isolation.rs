use std::panic::{AssertUnwindSafe, catch_unwind};

use super::scripted::{Scripted, Session, Turn, plan, results, run_once};
use crate::plan::Plan;
use crate::plan::testing::cell;
use crate::record::Outcome;
use crate::runner::{Event, RunOptions, StopSignal};

fn three_cells() -> Plan {
    plan(2, (0..3).map(|x| cell(x, |settings| settings.ensemble.size = 2)))
}

#[test]
fn errors_and_panics_stay_inside_their_trial() {
    for (turn, reason) in [
        (Turn::Error, "member 1 of 2: as the script says"),
        (Turn::Panic, "member 1 of 2: panicked: as the script says"),
        (
            Turn::Miscount,
            "member 1 of 2: the trainer predicted 19 test images with 19 labels, expected 20",
        ),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let plan = three_cells();
        let summary = run_once(&plan, &Scripted::where_x_is_1(turn, 2), folder.path());
        assert_eq!((summary.trials_completed, summary.trials_failed), (4, 2));
        assert_eq!(summary.members_trained, 12);
        let results = results(folder.path());
        for trial in &plan.trials {
            let record = &results.trials[&trial.id];
            if trial.cell == 1 {
                assert_eq!(record.outcome, Outcome::Failed);
                assert_eq!(record.reason.as_deref(), Some(reason));
                assert!(record.metrics.is_empty());
            } else {
                assert_eq!(record.outcome, Outcome::Completed);
            }
        }
    }
}

#[test]
fn values_that_no_training_can_have_given_are_not_stored() {
    for (turn, reason) in [
        (Turn::Boast, "`train-accuracy` is 5, expected 0 to 1"),
        (Turn::BoastOfEpoch, "member 1 of 2: `train-accuracy` is 5, expected 0 to 1, in epoch 2"),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let plan = three_cells();
        let summary = run_once(&plan, &Scripted::where_x_is_1(turn, 2), folder.path());
        assert_eq!((summary.trials_completed, summary.trials_failed), (4, 2), "{turn:?}");
        let results = results(folder.path());
        for trial in plan.trials.iter().filter(|trial| trial.cell == 1) {
            let record = &results.trials[&trial.id];
            assert_eq!(record.outcome, Outcome::Failed);
            assert_eq!(record.reason.as_deref(), Some(reason));
            assert!(record.metrics.is_empty());
        }
    }
}

#[test]
fn a_lost_device_ends_the_run_and_the_next_one_trains_what_is_left() {
    for pack in [1, 3] {
        let folder = tempfile::tempdir().unwrap();
        let plan = three_cells();
        let engine = Scripted { pack, ..Scripted::where_x_is_1(Turn::Lose, 2) };
        let stop = StopSignal::new();
        let session = Session {
            plan: &plan,
            engine: &engine,
            folder: folder.path(),
            options: RunOptions::default(),
            stop: &stop,
            events: &|_| {},
        };
        let error = session.run().unwrap_err();
        assert_eq!(error.to_string(), "the device was lost");
        assert!(error.hint().is_some_and(|hint| hint.contains("run the same command again")));
        let stored = results(folder.path());
        let outcomes: Vec<Outcome> = stored.members.values().map(|record| record.outcome).collect();
        assert!(!outcomes.is_empty(), "those before it are kept");
        assert!(outcomes.iter().all(|outcome| *outcome == Outcome::Completed), "{outcomes:?}");

        let undisturbed = tempfile::tempdir().unwrap();
        run_once(&plan, &Scripted::flawless(), undisturbed.path());
        run_once(&plan, &Scripted::flawless(), folder.path());
        assert_eq!(results(folder.path()), results(undisturbed.path()));
    }
}

#[test]
fn a_listener_that_panics_is_a_bug_and_no_outcome() {
    for pack in [1, 3] {
        let folder = tempfile::tempdir().unwrap();
        let session = Session {
            plan: &three_cells(),
            engine: &Scripted { pack, ..Scripted::flawless() },
            folder: folder.path(),
            options: RunOptions { workers: 2, ..RunOptions::default() },
            stop: &StopSignal::new(),
            events: &|event| assert!(!matches!(event, Event::Epoch { .. }), "a bug"),
        };
        let run = catch_unwind(AssertUnwindSafe(|| session.run().map(drop)));
        assert!(run.is_err());
        let stored = results(folder.path()).members;
        assert!(stored.values().all(|record| record.outcome != Outcome::Failed), "{stored:?}");
    }
}

#[test]
fn a_failure_in_a_pack_is_that_of_its_own_member() {
    for turn in [Turn::Error, Turn::Panic] {
        let plan = three_cells();
        let run = |pack: usize| {
            let folder = tempfile::tempdir().unwrap();
            let engine = Scripted { pack, ..Scripted::where_x_is_1(turn, 2) };
            run_once(&plan, &engine, folder.path());
            results(folder.path())
        };
        assert_eq!(run(1), run(4));
    }
}

#[test]
fn a_trial_with_one_failed_member_is_not_scored() {
    let folder = tempfile::tempdir().unwrap();
    let plan = plan(1, [cell(0, |settings| settings.ensemble.size = 3)]);
    let engine = Scripted::new(|job, _| match job.seed_path.member {
        Some(1) => Turn::Error,
        _ => Turn::Go,
    });
    run_once(&plan, &engine, folder.path());
    let record = &results(folder.path()).trials[&plan.trials[0].id];
    assert_eq!(record.outcome, Outcome::Failed);
    assert_eq!(record.reason.as_deref(), Some("member 2 of 3: as the script says"));
}

#[test]
fn divergence_is_a_result_and_is_not_tried_again() {
    let folder = tempfile::tempdir().unwrap();
    let plan = plan(1, [cell(1, |_| {})]);
    for epochs in [2, 0] {
        let engine = Scripted::where_x_is_1(Turn::Diverge, 2);
        let summary = run_once(&plan, &engine, folder.path());
        assert_eq!((summary.trials_diverged, summary.trials_failed), (1, 0));
        assert_eq!(engine.epochs(), epochs);
    }
    let results = results(folder.path());
    let record = &results.members[&plan.members[0].id];
    assert_eq!(record.epochs.len(), 1);
    assert_eq!(record.reason.as_deref(), Some("loss is NaN in epoch 2"));
}

#[test]
fn a_failed_member_is_tried_once_more_by_the_same_run_and_then_given_up() {
    let folder = tempfile::tempdir().unwrap();
    let plan = plan(1, [cell(0, |_| {}), cell(1, |_| {})]);
    for (trained, epochs) in [(2, 3 + 2), (0, 0)] {
        let engine = Scripted::where_x_is_1(Turn::Error, 1);
        let summary = run_once(&plan, &engine, folder.path());
        assert_eq!((summary.members_trained, summary.trials_failed), (trained, 1));
        assert_eq!(engine.epochs(), epochs);
        let record = &results(folder.path()).members[&plan.members[1].id];
        assert_eq!((record.attempt, record.outcome), (2, Outcome::Failed));
    }
}

#[test]
fn a_fault_that_passes_costs_an_attempt_and_no_trial() {
    let folder = tempfile::tempdir().unwrap();
    let plan = plan(1, [cell(1, |_| {}), cell(0, |_| {})]);
    let engine = Scripted::new(|job, _| match job.attempt {
        1 if super::scripted::x_of(job) == 1 => Turn::Panic,
        _ => Turn::Go,
    });
    let summary = run_once(&plan, &engine, folder.path());
    assert_eq!((summary.trials_completed, summary.trials_failed), (2, 0));
    let record = &results(folder.path()).members[&plan.members[0].id];
    assert_eq!((record.attempt, record.outcome), (2, Outcome::Completed));
}

#[test]
fn members_that_were_given_up_are_tried_again_only_when_told_to() {
    let folder = tempfile::tempdir().unwrap();
    let plan = plan(1, [cell(1, |_| {})]);
    let failing = Scripted::where_x_is_1(Turn::Error, 1);
    assert_eq!(run_once(&plan, &failing, folder.path()).trials_failed, 1);
    assert_eq!(run_once(&plan, &Scripted::flawless(), folder.path()).trials_failed, 1);
    let told = |engine: &Scripted| {
        let options = RunOptions { retry_failed: true, ..RunOptions::default() };
        let stop = StopSignal::new();
        let folder = folder.path();
        Session { plan: &plan, engine, folder, options, stop: &stop, events: &|_| {} }
            .run()
            .unwrap()
    };
    let summary = told(&Scripted::where_x_is_1(Turn::Error, 1));
    assert_eq!((summary.trials_failed, summary.members_trained), (1, 1));
    assert_eq!(told(&Scripted::flawless()).trials_completed, 1);
    let results = results(folder.path());
    assert_eq!(results.trials[&plan.trials[0].id].outcome, Outcome::Completed);
    assert_eq!(results.members[&plan.members[0].id].attempt, 4);
}
