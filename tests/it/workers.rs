//! Several workers on one folder: what they find together is what one run finds, whatever happens to
//! some of them.
#![cfg(unix)]

use std::fs;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::programs::{OWN, SCRIPT, script};
use crate::support::{FAKE, Place, slow};

/// Tables whose bytes depend on nothing but the experiment, for the fake engine.
const TABLES: [&str; 4] = ["trials.csv", "cells.csv", "epochs.csv", "histograms.csv"];

/// Starts a worker; its threads are one, so that the others get something.
fn start(place: &Place, arguments: &[&str], variables: &[(&str, &str)]) -> Child {
    let mut command = place.command(&["worker"]);
    command.args(arguments).args(["--jobs", "1"]);
    command.envs(variables.iter().copied());
    command.stdout(Stdio::null()).stderr(Stdio::piped());
    command.spawn().expect("bench starts")
}

/// Waits for a worker and returns what it said.
fn ended(child: Child) -> String {
    let output = child.wait_with_output().expect("it ends");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{said}");
    said
}

fn signal(child: &Child, name: &str) {
    let sent = Command::new("kill").args([name, &child.id().to_string()]).status();
    assert!(sent.expect("kill runs").success());
}

/// Waits until the journals of a folder hold so many members.
fn wait_for_members(place: &Place, folder: &str, count: usize) {
    let until = Instant::now() + Duration::from_mins(1);
    let members = || {
        place.journal_lines(folder).iter().filter(|line| line.starts_with("{\"member\"")).count()
    };
    while members() < count {
        assert!(Instant::now() < until, "{} of {count} members", members());
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn assert_same_tables(place: &Place, one: &str, other: &str) {
    for table in TABLES {
        let (one, other) = (format!("{one}/tables/{table}"), format!("{other}/tables/{table}"));
        assert_eq!(place.read(&one), place.read(&other), "{table}");
    }
}

/// Returns the names below `work/`, as paths.
fn work(place: &Place, folder: &str) -> Vec<String> {
    let mut names = Vec::new();
    let root = place.path(&format!("{folder}/work"));
    let mut folders = vec![root.clone()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                folders.push(path);
            } else {
                let name = path.strip_prefix(&root).expect("below it");
                names.push(name.to_string_lossy().into_owned());
            }
        }
    }
    names.sort();
    names
}

#[test]
fn workers_side_by_side_find_what_one_run_finds() {
    let place = Place::new();
    place.file("fake.toml", slow(20));
    place.done(&["run", "fake.toml", "--out", "local", "--quiet"]);
    let arguments = ["fake.toml", "--store", "shared", "--lanes", "3"];
    let workers: Vec<Child> = (0..3).map(|_| start(&place, &arguments, &[])).collect();
    let said: Vec<String> = workers.into_iter().map(ended).collect();
    assert_same_tables(&place, "local", "shared");
    let closers = said.iter().filter(|said| said.contains("18 of 18 trials completed")).count();
    assert!(closers >= 1, "{said:?}");
    let names = work(&place, "shared");
    assert!(names.contains(&"0001/close/0.done".to_owned()), "{names:?}");
    assert!(place.path("shared/report.md").is_file());
    let seen = place.done(&["watch", "shared", "--count", "1"]);
    assert!(seen.contains("of 18") && seen.contains("test accuracy %, mean ± SD"), "{seen}");
    // Nothing is left: a further worker, a run and a report agree.
    let late = ended(start(&place, &["--store", "shared"], &[]));
    assert!(late.contains("nothing is left to train"), "{late}");
    place.done(&["report", "shared"]);
    place.done(&["run", "fake.toml", "--out", "shared", "--quiet"]);
    assert_same_tables(&place, "local", "shared");
}

#[test]
fn what_a_killed_worker_began_is_taken_over_when_its_journal_stands_still() {
    let place = Place::new();
    place.file("fake.toml", slow(150));
    place.done(&["run", "fake.toml", "--out", "local", "--quiet"]);
    let arguments = ["fake.toml", "--store", "shared", "--lanes", "2", "--lease", "2s"];
    let mut first = start(&place, &arguments, &[]);
    wait_for_members(&place, "shared", 1);
    let second = start(&place, &arguments, &[]);
    first.kill().expect("it lives");
    first.wait().expect("it ends");
    ended(second);
    assert_same_tables(&place, "local", "shared");
    let names = work(&place, "shared");
    assert!(names.iter().any(|name| name.ends_with(".2")), "{names:?}");
}

#[test]
fn what_an_engine_starts_again_takes_over_at_once() {
    let place = Place::new();
    place.file("fake.toml", slow(150));
    let element = [("SLURM_ARRAY_JOB_ID", "7"), ("SLURM_ARRAY_TASK_ID", "0")];
    // By the lease alone this would take an hour.
    let arguments = ["fake.toml", "--store", "shared", "--lanes", "1", "--lease", "1h"];
    let mut first = start(&place, &arguments, &element);
    wait_for_members(&place, "shared", 1);
    first.kill().expect("it lives");
    first.wait().expect("it ends");
    ended(start(&place, &arguments, &element));
    let names = work(&place, "shared");
    assert!(names.contains(&"0001/who/slurm-7_0.2".to_owned()), "{names:?}");
    assert!(names.contains(&"0001/0/0.2".to_owned()), "{names:?}");
    place.done(&["run", "fake.toml", "--out", "local", "--quiet"]);
    assert_same_tables(&place, "local", "shared");
}

#[test]
fn a_worker_that_is_asked_to_leave_ends_well_and_others_go_on() {
    for name in ["-USR1", "-USR2", "-TERM", "-INT"] {
        let place = Place::new();
        place.file("fake.toml", slow(80));
        let arguments = ["fake.toml", "--store", "shared", "--lanes", "1"];
        let first = start(&place, &arguments, &[]);
        wait_for_members(&place, "shared", 1);
        signal(&first, name);
        let said = ended(first);
        assert!(said.contains("leaving after this epoch"), "{said}");
        let names = work(&place, "shared");
        assert!(names.iter().any(|name| name.ends_with(".1.left")), "{name}: {names:?}");
        assert!(!place.path("shared/tables").exists());
        let status = place.done(&["status", "shared"]);
        assert!(status.contains("trials outstanding"), "{status}");
        ended(start(&place, &["--store", "shared"], &[]));
        place.done(&["run", "fake.toml", "--out", "local", "--quiet"]);
        assert_same_tables(&place, "local", "shared");
    }
}

#[test]
fn a_worker_leaves_in_time() {
    let place = Place::new();
    place.file("fake.toml", slow(400));
    let said = ended(start(&place, &["fake.toml", "--store", "shared", "--stop-after", "4s"], &[]));
    assert!(said.contains("round 1"), "{said}");
    let names = work(&place, "shared");
    assert!(names.iter().any(|name| name.contains(".left")), "{names:?}");
    assert!(!names.contains(&"0001/close/0.done".to_owned()), "{names:?}");
}

#[test]
fn programs_are_divided_like_networks() {
    let place = Place::new();
    place.file("own.toml", OWN);
    script(&place, "train.sh", SCRIPT);
    place.done(&["run", "own.toml", "--out", "local", "--quiet"]);
    let arguments = ["own.toml", "--store", "shared", "--lanes", "2"];
    let workers: Vec<Child> = (0..2).map(|_| start(&place, &arguments, &[])).collect();
    for worker in workers {
        drop(ended(worker));
    }
    let column = |folder: &str, name: &str| {
        crate::support::column(&place.read(&format!("{folder}/tables/trials.csv")), name)
    };
    for name in ["test_accuracy", "latency", "outcome"] {
        assert_eq!(column("local", name), column("shared", name), "{name}");
    }
    // Where the programs are called from stands in no manifest.
    let answer = place.bench(&["worker", "--store", "shared"]);
    assert_eq!(answer.code, 2, "{}", answer.stderr);
    assert!(answer.stderr.contains("bench worker FILE --store DIR"), "{}", answer.stderr);
}

#[test]
fn a_program_that_fails_is_tried_once_more_and_the_closing_says_so() {
    let place = Place::new();
    place.file("own.toml", OWN);
    script(&place, "train.sh", "#!/bin/sh\necho broken >&2\nexit 7\n");
    ended(start(&place, &["own.toml", "--store", "shared"], &[]));
    let lines = place.journal_lines("shared");
    let attempts = lines.iter().filter(|line| line.starts_with("{\"member\"")).count();
    assert_eq!(attempts, 12);
    let answer = place.bench(&["worker", "own.toml", "--store", "shared", "--close"]);
    assert_eq!(answer.code, 3, "{}", answer.stderr);
    assert!(answer.stderr.contains("6 of 6 trials failed"), "{}", answer.stderr);
    let logs = place.done(&["logs", "shared"]);
    assert_eq!(logs.matches(": failed\n").count(), 6, "{logs}");
    // Asked for, they are a round of their own.
    script(&place, "train.sh", SCRIPT);
    let said = ended(start(&place, &["own.toml", "--store", "shared", "--retry-failed"], &[]));
    assert!(said.contains("6 of 6 trials completed"), "{said}");
}

#[test]
fn an_experiment_that_grows_is_another_round_of_what_is_new() {
    let place = Place::new();
    place.file("fake.toml", FAKE);
    ended(start(&place, &["fake.toml", "--store", "shared"], &[]));
    place.file("fake.toml", FAKE.replace("repeats = 3", "repeats = 5"));
    let said = ended(start(&place, &["fake.toml", "--store", "shared"], &[]));
    assert!(said.contains("round 2") && said.contains("12 members"), "{said}");
    place.done(&["run", "fake.toml", "--out", "local", "--quiet"]);
    assert_same_tables(&place, "local", "shared");
}

#[test]
fn ensembles_whose_networks_several_workers_train_are_scored_at_the_end() {
    let place = Place::new();
    let text = slow(20).replace("[trainer]\n", "[ensemble]\nsize = 3\n\n[trainer]\n");
    place.file("fake.toml", text);
    place.done(&["run", "fake.toml", "--out", "local", "--quiet"]);
    let arguments = ["fake.toml", "--store", "shared", "--lanes", "3"];
    let workers: Vec<Child> = (0..3).map(|_| start(&place, &arguments, &[])).collect();
    for worker in workers {
        drop(ended(worker));
    }
    assert_same_tables(&place, "local", "shared");
}

#[test]
fn what_stands_beside_the_folder_is_taken_over_once_however_many_begin() {
    let place = Place::new();
    place.file("fake.toml", slow(1));
    place.done(&["run", "fake.toml", "--out", "beside", "--quiet"]);
    place.file("twin.toml", slow(1).replacen("name = \"", "name = \"twin-", 1));
    let arguments = ["twin.toml", "--store", "shared", "--lanes", "3"];
    let workers: Vec<Child> = (0..6).map(|_| start(&place, &arguments, &[])).collect();
    let said: Vec<String> = workers.into_iter().map(ended).collect();
    let members = |line: &&String| line.starts_with("{\"member\"");
    assert_eq!(place.journal_lines("shared").iter().filter(members).count(), 18, "{said:?}");
    assert_same_tables(&place, "beside", "shared");
}

#[test]
fn the_logs_of_workers_are_found_by_what_they_trained() {
    let place = Place::new();
    place.file("fake.toml", FAKE);
    let words = ["submit", "fake.toml", "--scheduler", "local", "--store", "shared"];
    let answer = place.bench(&[&words[..], &["--workers", "1"]].concat());
    assert_eq!(answer.code, 0, "{}", answer.stderr);
    wait_for_members(&place, "shared", 18);
    let logs = place.done(&["logs", "shared", "-n", "2"]);
    assert!(logs.starts_with("worker local-0: 18 networks\n  shared/logs/local-0.log\n"), "{logs}");
    assert!(logs.lines().count() <= 4, "{logs}");
    let logs = place.done(&["logs", "shared", "augment.rotation=0", "augment.shift=0"]);
    assert!(logs.starts_with("worker local-0: 3 networks\n"), "{logs}");
    // What was committed is tables alone.
    fs::remove_dir_all(place.path("shared/journal")).expect("a folder");
    let answer = place.bench(&["logs", "shared"]);
    assert_eq!(answer.code, 2, "{}", answer.stderr);
}
