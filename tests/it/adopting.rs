//! Programs that change: `bench adopt`, digests that are kept, and what a trial reads.
#![cfg(unix)]

use std::fs;
use std::process::Command;
use std::time::{Duration, Instant};

use crate::programs::script;
use crate::support::Place;

const EXPERIMENT: &str = r#"
name = "own"
repeats = 3
[trainer]
engine = "command"
command = ["./train.sh", "{seed}"]
inputs = ["train.sh", "data.bin"]
[metrics.test-accuracy]
unit = "fraction"
direction = "maximize"
"#;

fn own() -> Place {
    let place = Place::new();
    place.file("own.toml", EXPERIMENT);
    place.file("data.bin", "data");
    script(&place, "train.sh", "#!/bin/sh\ncat other.txt\necho test-accuracy: 0.9\n");
    place.file("other.txt", "");
    place
}

#[test]
fn trials_are_carried_over_a_change_that_alters_nothing_once_somebody_says_so() {
    let place = own();
    place.done(&["run", "own.toml", "--quiet"]);
    let same = place.bench(&["adopt", "own.toml"]);
    assert_eq!(same.code, 2, "{}", same.stderr);
    assert!(same.stderr.contains("its programs are what they were"), "{}", same.stderr);

    script(&place, "train.sh", "#!/bin/sh\n# A comment.\necho test-accuracy: 0.9\n");
    let proposed = place.done(&["adopt", "own.toml"]);
    assert!(proposed.contains("`train.sh` changed, "), "{proposed}");
    assert!(proposed.contains("3 finished trials of 3 would stay as they are"), "{proposed}");
    assert!(!place.path("results/own/adopted.json").exists(), "nothing is recorded yet");

    let mut command = place.command(&[
        "adopt",
        "own.toml",
        "--apply",
        "--reason",
        "a comment",
        "--set",
        "repeats=4",
    ]);
    assert!(command.env("USER", "ada").output().expect("bench starts").status.success());
    let recorded: serde_json::Value =
        serde_json::from_str(&place.read("results/own/adopted.json")).expect("JSON");
    let one = &recorded["adoptions"][0];
    assert_eq!(one["who"], "ada");
    assert_eq!(one["reason"], "a comment");
    assert_ne!(one["from"], one["to"]);
    let run = place.bench(&["run", "own.toml", "--set", "repeats=4"]);
    assert!(run.stderr.contains("1 member trained, 3 reused"), "{}", run.stderr);
    let report = place.done(&["report", "results/own"]);
    assert!(report.contains("as `adopted.json` says"), "{report}");

    // A second change is adopted from the first program; without the file all is as it was.
    script(&place, "train.sh", "#!/bin/sh\n# Another.\necho test-accuracy: 0.9\n");
    place.done(&["adopt", "own.toml", "--apply"]);
    let run = place.bench(&["run", "own.toml"]);
    assert!(run.stderr.contains("0 members trained, 3 reused"), "{}", run.stderr);
    fs::remove_file(place.path("results/own/adopted.json")).expect("a file");
    let run = place.bench(&["run", "own.toml"]);
    assert!(run.stderr.contains("3 members trained"), "{}", run.stderr);
}

#[test]
fn what_cannot_be_adopted_is_refused_with_a_way_out() {
    let place = own();
    let none = place.bench(&["adopt", "own.toml"]);
    assert!(none.code == 2 && none.stderr.contains("there are none"), "{}", none.stderr);
    place.done(&["run", "own.toml", "--quiet"]);
    place.file("results/own/adopted.json", "{");
    let broken = place.bench(&["run", "own.toml"]);
    assert_eq!(broken.code, 2, "{}", broken.stderr);
    assert!(broken.stderr.contains("adopted.json"), "{}", broken.stderr);
}

#[test]
fn a_large_input_that_seems_unchanged_is_read_again_only_when_asked() {
    let place = own();
    let data = place.path("data.bin");
    fs::write(&data, vec![1; 2 << 20]).expect("a file");
    let run = |more: &[&str]| {
        let answer = place.bench(&[&["run", "own.toml"], more].concat());
        assert_eq!(answer.code, 0, "{}", answer.stderr);
        answer.stderr
    };
    run(&[]);
    // The file is younger than its clock is fine, so its digest is not kept.
    assert!(!place.path("results/own/digests.json").exists());
    let began = Instant::now();
    while !place.path("results/own/digests.json").exists() {
        assert!(began.elapsed() < Duration::from_mins(1), "it never settles");
        run(&[]);
    }
    // Made up: who believes it takes the file for another.
    let kept = place.read("results/own/digests.json");
    let document: serde_json::Value = serde_json::from_str(&kept).expect("JSON");
    let digest = document["files"]["data.bin"]["digest"].as_str().expect("a digest").to_owned();
    place.file("results/own/digests.json", kept.replace(&digest, &digest.replace(['0', '1'], "2")));
    assert!(run(&[]).contains("3 members trained"), "what is kept is believed");
    assert!(run(&["--rehash"]).contains("0 members trained"), "what is there is read");
    assert_eq!(place.read("results/own/digests.json"), kept);
}

#[test]
fn what_a_trial_reads_and_no_input_is_is_named() {
    let place = own();
    let answer = place.bench(&["run", "own.toml", "--trace-inputs"]);
    if answer.stderr.contains("there is no `strace` on `PATH`") {
        eprintln!("skipped: no strace");
        return;
    }
    assert_eq!(answer.code, 0, "{}", answer.stderr);
    if answer.stderr.contains("traced: a trial read 0 files") {
        eprintln!("skipped: this system lets nobody trace");
        return;
    }
    let said =
        "1 of them in the folder of the experiment is not among `trainer.inputs`:\n  other.txt";
    assert!(answer.stderr.contains(said), "{}", answer.stderr);
    let fake = crate::support::FAKE;
    place.file("fake.toml", fake);
    let refused = place.bench(&["run", "fake.toml", "--trace-inputs"]);
    assert!(refused.stderr.contains("no program of yours is called"), "{}", refused.stderr);
}

#[test]
fn usr1_reaches_the_program_which_goes_on_in_the_next_run() {
    let place = own();
    script(
        &place,
        "train.sh",
        "#!/bin/sh\nif [ -e \"$BENCH_CHECKPOINT_DIR/state\" ]; then echo test-accuracy: 0.7; exit; fi\n\
         trap 'touch \"$BENCH_CHECKPOINT_DIR/state\"; echo \"{\\\"interrupted\\\": true}\"; exit 0' USR1\n\
         touch begun\nwhile :; do sleep 0.02; done\n",
    );
    let set = ["--set", "repeats=1", "--quiet"];
    let mut child =
        place.command(&[&["run", "own.toml"], &set[..]].concat()).spawn().expect("bench starts");
    let began = Instant::now();
    while !place.path("begun").exists() {
        assert!(began.elapsed() < Duration::from_mins(1), "it never begins");
        std::thread::yield_now();
    }
    let number = child.id().to_string();
    assert!(Command::new("kill").args(["-USR1", &number]).status().expect("kill").success());
    assert_eq!(child.wait().expect("it ends").code(), Some(130));
    place.done(&[&["run", "own.toml"], &set[..]].concat());
    let trials = place.read("results/own/tables/trials.csv");
    assert_eq!(crate::support::column(&trials, "test_accuracy"), ["0.7"]);
}
