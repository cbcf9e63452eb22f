//! Predictions of programs: stored like those of networks, where the experiment says which images there are.
#![cfg(unix)]

use std::process::Command;

use crate::programs::script;
use crate::support::{Place, column};

const EXPERIMENT: &str = r#"
name = "images"
repeats = 2
[dataset]
source = "digits"
[trainer]
engine = "command"
command = ["python3", "train.py", "{hyperparameters.wrong}", "{repeat}"]
inputs = "{command}"
[hyperparameters]
wrong = 10
[metrics.test-accuracy]
unit = "fraction"
direction = "maximize"
[report]
confusion = true
[grid.axes]
"hyperparameters.wrong" = [10, 40]
"#;

/// Predicts class 0 for all test images but the first few, for which it predicts class 1.
const SCRIPT: &str = r#"
import json, os, struct, sys
trial = json.load(open(os.environ["BENCH_TRIAL"]))
test = json.load(open(trial["splits"]))["test"]
wrong = int(sys.argv[1]) + int(sys.argv[2])
rows = [[0.05] * 10 for _ in test]
for index, row in enumerate(rows):
    row[1 if index < wrong else 0] = 0.55
head = "{'descr': '<f8', 'fortran_order': False, 'shape': (%d, 10), }" % len(rows)
head = head.ljust(117) + "\n"
with open(os.path.join(os.environ["BENCH_OUTPUT"], "predictions.npy"), "wb") as file:
    file.write(b"\x93NUMPY\x01\x00" + struct.pack("<H", len(head)) + head.encode())
    for row in rows:
        file.write(struct.pack("<10d", *row))
print("test-accuracy:", 0.1)
"#;

fn images() -> Option<Place> {
    if !Command::new("python3").arg("--version").output().is_ok_and(|one| one.status.success()) {
        return None;
    }
    let place = Place::new();
    place.file("images.toml", EXPERIMENT);
    script(&place, "train.py", SCRIPT);
    Some(place)
}

#[test]
fn predictions_of_programs_are_stored_and_compared_image_by_image() {
    let Some(place) = images() else {
        eprintln!("skipped: there is no python3 here");
        return;
    };
    place.done(&["run", "images.toml", "--quiet"]);
    let trials = place.read("results/images/tables/trials.csv");
    assert_eq!(column(&trials, "outcome"), ["completed"; 4]);
    let cells = ["--cell-a", "wrong=10", "--cell-b", "wrong=40", "--format", "json"];
    let text = place.done(&[&["compare", "results/images"], &cells[..]].concat());
    let found: serde_json::Value = serde_json::from_str(&text).expect("JSON");
    let examples = &found["pairs"][0]["examples"];
    // A fifth of the 1,797 digits.
    assert_eq!(examples["images"], 359, "{text}");
    let report = place.done(&["report", "results/images", "--format", "markdown"]);
    assert!(report.contains("## Confusions"), "{report}");
}

#[test]
fn predictions_that_mean_nothing_fail_the_trial_with_what_is_expected() {
    let Some(place) = images() else {
        eprintln!("skipped: there is no python3 here");
        return;
    };
    script(&place, "train.py", &SCRIPT.replace("0.55", "7"));
    let answer = place.bench(&["run", "images.toml", "--quiet", "--retries", "0"]);
    assert_eq!(answer.code, 3, "{}", answer.stderr);
    let trials = place.read("results/images/tables/trials.csv");
    let reason = &column(&trials, "reason")[0];
    assert!(reason.contains("row 0 of `predictions.npy` sums to"), "{reason}");
    script(&place, "train.py", &SCRIPT.replace("for _ in test]", "for _ in test[1:]]"));
    place.bench(&["run", "images.toml", "--quiet", "--retries", "0"]);
    let trials = place.read("results/images/tables/trials.csv");
    let reason = &column(&trials, "reason")[0];
    assert!(reason.contains("expected 359 images of 10 classes"), "{reason}");
}

#[test]
fn networks_beside_programs_are_checked_before_any_is_trained() {
    let place = Place::new();
    let text = EXPERIMENT.replace(
        "\"hyperparameters.wrong\" = [10, 40]",
        "trainer = [{ engine = \"command\", command = [\"true\"] }, { engine = \"auto\" }]",
    );
    // Three pools are too many for images of 8 × 8.
    let text =
        text.replace("[hyperparameters]\nwrong = 10\n", "[model]\npreset = \"simple-cnn\"\n");
    let text = text.replace(", \"{hyperparameters.wrong}\", \"{repeat}\"", "");
    place.file("images.toml", text);
    let answer = place.bench(&["run", "images.toml", "--quiet"]);
    assert_eq!(answer.code, 2, "{}", answer.stderr);
    assert!(answer.stderr.contains("does not fit"), "{}", answer.stderr);
}
