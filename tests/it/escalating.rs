//! Escalated checks and the forms a verdict is written in, on the fake engine.

use gridbench::base::MetricName;
use gridbench::check::{Baseline, CellSample, Source};

use crate::support::{Answer, FAKE, Place, column};

/// Four repeats with a spread that leaves a loss of one point open at first.
fn experiment(accuracy: f64, seed: u64, extra: &str) -> String {
    FAKE.replace("repeats = 3", "repeats = 4")
        .replace("seed = 7", &format!("seed = {seed}"))
        .replace("accuracy = 0.9", &format!("accuracy = {accuracy}"))
        .replace("[0, 10, 20]", "[0]")
        .replace("spread = 0.004", "spread = 0.008")
        + &format!("\n[check]\ntolerance = 1.0\n{extra}")
}

/// Runs a baseline of twenty repeats and a candidate of four.
fn place(accuracy: f64) -> Place {
    let place = Place::new();
    place.file("before.toml", experiment(0.9, 7, ""));
    place.file("now.toml", experiment(accuracy, 8, ""));
    place.done(&["run", "before.toml", "--set", "repeats=20", "--out", "before", "--quiet"]);
    place.done(&["baseline", "before", "--output", "baseline.json"]);
    place.done(&["run", "now.toml", "--out", "now", "--quiet"]);
    place
}

fn verdict(answer: &Answer) -> serde_json::Value {
    serde_json::from_str(&answer.stdout).unwrap_or_else(|_| panic!("{}", answer.stderr))
}

const ESCALATED: [&str; 7] =
    ["check", "now", "--baseline", "baseline.json", "--escalate", "--json", "--quiet"];

#[test]
fn escalation_trains_until_the_verdict_is_final() {
    let place = place(0.893);
    let once = place.bench(&["check", "now", "--baseline", "baseline.json", "--json"]);
    assert_eq!(once.code, 5, "{}", once.stdout);
    let answer = place.bench(&ESCALATED);
    let report = verdict(&answer);
    assert_eq!((answer.code, &report["looks-taken"]), (4, &2.into()), "{report:#}");
    assert!(answer.stderr.contains("2 of 2 cells go on to 8 repeats"), "{}", answer.stderr);
    assert_eq!(column(&place.read("now/tables/cells.csv"), "n_trials"), ["8", "8"]);
    let plan = place.done(&["plan", "now.toml", "--out", "now"]);
    assert!(plan.contains("2 cells × 8 repeats = 16 trials, 16 distinct members"), "{plan}");
}

#[test]
fn an_unchanged_candidate_is_passed_by_looking_longer_and_a_small_loss_stays_open() {
    let equal = place(0.9);
    assert_eq!(equal.bench(&["check", "now", "--baseline", "baseline.json"]).code, 5);
    let answer = equal.bench(&ESCALATED);
    assert_eq!(
        (answer.code, &verdict(&answer)["looks-taken"]),
        (0, &3.into()),
        "{}",
        answer.stdout
    );
    let answer = place(0.896).bench(&ESCALATED);
    assert_eq!(
        (answer.code, &verdict(&answer)["looks-taken"]),
        (5, &3.into()),
        "{}",
        answer.stdout
    );
}

#[test]
fn an_escalated_check_says_the_same_when_asked_again_and_trains_nothing() {
    let place = place(0.893);
    let first = place.bench(&ESCALATED);
    let again = place.bench(&ESCALATED);
    let plain = place.bench(&["check", "now", "--baseline", "baseline.json", "--json"]);
    assert_eq!(first.stdout, again.stdout);
    assert!(!again.stderr.contains("go on to"), "{}", again.stderr);
    // A folder that was looked at several times is judged so by a plain check too.
    assert_eq!(verdict(&first), verdict(&plain));
    place.done(&["run", "now.toml", "--out", "now", "--quiet"]);
    let after = place.bench(&["check", "now", "--baseline", "baseline.json", "--json"]);
    assert_eq!(verdict(&first)["cells"], verdict(&after)["cells"]);
}

#[test]
fn a_clear_verdict_trains_nothing_more() {
    let place = place(0.8);
    let answer = place.bench(&ESCALATED);
    assert_eq!(answer.code, 4, "{}", answer.stderr);
    assert_eq!(verdict(&answer)["looks-taken"], 1);
    assert!(!answer.stderr.contains("go on to"), "{}", answer.stderr);
}

#[test]
fn a_loss_of_three_tolerances_is_settled_by_a_quarter_of_the_trials() {
    let place = Place::new();
    // A spread of half the tolerance, as in docs/statistics.md.
    let half = |accuracy, seed| experiment(accuracy, seed, "").replace("0.008", "0.005");
    place.file("before.toml", half(0.9, 7));
    place.file("now.toml", half(0.87, 8));
    place.done(&["run", "before.toml", "--set", "repeats=20", "--out", "before", "--quiet"]);
    place.done(&["baseline", "before", "--output", "baseline.json"]);
    place.done(&["run", "now.toml", "--set", "repeats=5", "--out", "now", "--quiet"]);
    let answer = place.bench(&ESCALATED);
    assert_eq!(
        (answer.code, &verdict(&answer)["looks-taken"]),
        (4, &1.into()),
        "{}",
        answer.stdout
    );
    // Three looks may take 20 trials per cell.
    assert_eq!(column(&place.read("now/tables/cells.csv"), "n_trials"), ["5", "5"]);
}

#[test]
fn a_baseline_that_many_candidates_were_held_against_has_worn_out() {
    let place = place(0.9);
    let check = |more: &[&str]| {
        let arguments = ["check", "now", "--baseline", "baseline.json", "--history", "h.jsonl"];
        place.bench(&[&arguments[..], more].concat()).stdout
    };
    assert!(!check(&[]).contains("worn out"));
    let line = place.read("h.jsonl");
    let dates = |index: usize| line.replace("\"date\":\"", &format!("\"date\":\"{index} "));
    place.file("h.jsonl", (0..20).map(dates).collect::<String>());
    let said = check(&[]);
    assert!(said.contains("the baseline has worn out: 21 candidates"), "{said}");
}

#[test]
fn speed_is_gated_as_a_ratio() {
    let place = Place::new();
    // The fake engine's seconds are simulated and the same everywhere.
    place.file("fake.toml", experiment(0.9, 7, "images-per-second = 0.9\n"));
    place.done(&["run", "fake.toml", "--quiet"]);
    place.done(&["baseline", "results/fake", "--output", "baseline.json"]);
    let check =
        ["check", "results/fake", "--baseline", "baseline.json", "--json", "--tolerance", "5"];
    let answer = place.bench(&check);
    let report = verdict(&answer);
    assert_eq!((answer.code, &report["speed"]["verdict"]), (0, &"ok".into()), "{report:#}");
    // Twice the speed in the baseline is a regression now.
    let known = Baseline::from_text(&place.read("baseline.json")).expect("a baseline");
    let (mut source, mut cells) = (known.source().clone(), known.cells().to_vec());
    for cell in cells.iter_mut().filter(|cell| cell.metric.name == MetricName::IMAGES_PER_SECOND) {
        cell.values.iter_mut().for_each(|value| *value *= 2.0);
    }
    let write = |source: &Source, cells: &[CellSample]| {
        let changed = Baseline::from_samples(source.clone(), cells.to_vec()).expect("samples");
        place.file("baseline.json", changed.to_text());
    };
    write(&source, &cells);
    let answer = place.bench(&check);
    assert_eq!((answer.code, &verdict(&answer)["speed"]["verdict"]), (4, &"regressed".into()));
    source.origin.hardware = "another machine".to_owned();
    write(&source, &cells);
    let answer = place.bench(&check);
    assert_eq!(answer.code, 5, "{}", answer.stdout);
    assert_eq!(verdict(&answer)["speed"]["cells"][0]["note"], "other-hardware");
}

#[test]
fn only_the_cells_of_the_experiment_are_gated() {
    let place = Place::new();
    place.file("fake.toml", experiment(0.9, 7, "cells = { \"augment.shift\" = 0.1 }\n"));
    place.done(&["run", "fake.toml", "--quiet"]);
    place.done(&["baseline", "results/fake", "--output", "baseline.json"]);
    let answer = place.bench(&["check", "results/fake", "--baseline", "baseline.json", "--json"]);
    let report = verdict(&answer);
    assert_eq!(report["cells"].as_array().map(Vec::len), Some(1));
    assert_eq!(report["ungated-cells"][0], "augment.rotation=0 augment.shift=0");
}

#[test]
fn a_verdict_is_written_in_every_form_at_once() {
    let place = place(0.9);
    place.file("summary.md", "earlier\n");
    let mut command = place.command(&[
        "check",
        "now",
        "--baseline",
        "baseline.json",
        "--format",
        "github",
        "--summary",
        "--also",
        "junit=out/check.xml",
        "--also",
        "bmf=out/bmf.json",
        "--also",
        "github-action-benchmark=out/action.json",
        "--also",
        "markdown=out/check.md",
    ]);
    command.env("GITHUB_STEP_SUMMARY", place.path("summary.md"));
    let answer: Answer = command.output().expect("bench starts").into();
    assert!([0, 5].contains(&answer.code), "{}", answer.stderr);
    assert!(answer.stdout.contains("\n::"), "{}", answer.stdout);
    assert!(place.read("out/check.xml").starts_with("<?xml"));
    let summary = place.read("summary.md");
    assert!(summary.starts_with("earlier\n") && summary.contains("### bench check"), "{summary}");
    assert_eq!(summary.trim_end(), format!("earlier\n{}", place.read("out/check.md")).trim_end());
    for name in ["bmf", "action"] {
        let text = place.read(&format!("out/{name}.json"));
        serde_json::from_str::<serde_json::Value>(&text).expect("JSON");
    }
}

#[test]
fn wrong_wishes_are_refused_before_anything_is_judged() {
    let place = Place::new();
    let check = |more: &[&str]| {
        let mut arguments = vec!["check", "nowhere", "--baseline", "none.json"];
        arguments.extend(more);
        let mut command = place.command(&arguments);
        command.env_remove("GITHUB_STEP_SUMMARY");
        let answer: Answer = command.output().expect("bench starts").into();
        assert_eq!(answer.code, 2, "{}", answer.stdout);
        answer.stderr
    };
    assert!(check(&["--summary"]).contains("GITHUB_STEP_SUMMARY"));
    assert!(check(&["--also", "pdf=x"]).contains("unknown format `pdf`"));
    assert!(check(&["--also", "junit"]).contains("a format and a file"));
}

#[test]
fn an_unchanged_candidate_is_held_against_the_same_repeats_of_a_larger_baseline() {
    let place = place(0.9);
    place.file("now.toml", experiment(0.9, 7, ""));
    // A last look of four times five is as large as the baseline.
    place.done(&["run", "now.toml", "--set", "repeats=5", "--out", "same", "--quiet"]);
    let check = ["check", "same", "--baseline", "baseline.json", "--escalate", "--quiet"];
    let report = verdict(&place.bench(&[&check[..], &["--json"]].concat()));
    assert_eq!((&report["is-paired"], &report["looks-taken"]), (&true.into(), &1.into()));
    for cell in report["cells"].as_array().expect("cells") {
        assert_eq!(cell["difference"], 0.0, "{cell:#}");
        assert_eq!(cell["mean-baseline"], cell["mean-candidate"], "{cell:#}");
        assert_eq!(cell["n-baseline"], 5, "{cell:#}");
    }
}
