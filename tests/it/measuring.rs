//! `[measure]`: what calls of programs cost.
#![cfg(unix)]

use std::fs;

use crate::support::{Place, column};

const TIMED: &str = r#"
name = "timed"
repeats = 3

[trainer]
engine = "command"
command = "echo start {hyperparameters.n} >> calls; sleep 0.0{hyperparameters.n}; echo end >> calls"

[hyperparameters]
n = 1

[measure]
wall-time = true

[grid.axes]
"hyperparameters.n" = [1, 5]
"#;

#[test]
fn calls_are_measured_one_at_a_time_in_turn_after_one_that_is_not() {
    let place = Place::new();
    place.file("timed.toml", TIMED);
    place.done(&["run", "timed.toml", "--jobs", "4"]);
    let trials = place.read("results/timed/tables/trials.csv");
    for name in ["wall_seconds", "user_seconds", "system_seconds", "peak_memory_mib"] {
        let values = column(&trials, name);
        assert!(values.len() == 6 && values.iter().all(|value| value.parse::<f64>().is_ok()));
    }
    let peak = column(&trials, "peak_memory_mib");
    assert!(peak.iter().all(|mib| mib.parse::<f64>().is_ok_and(|mib| mib > 0.1)), "{peak:?}");
    let calls = fs::read_to_string(place.path("calls")).expect("calls");
    let lines: Vec<&str> = calls.lines().collect();
    assert!(
        lines.chunks(2).all(|call| call[0].starts_with("start") && call[1] == "end"),
        "{calls}"
    );
    let order: Vec<&str> = lines.iter().filter_map(|line| line.strip_prefix("start ")).collect();
    // Each cell is warmed up once, then they take turns.
    assert_eq!(order, ["1", "1", "5", "5", "1", "5", "1", "5"]);
    assert!(place.done(&["report", "results/timed"]).contains("wall seconds"), "{calls}");
}

#[test]
fn a_faster_command_is_found_by_the_ratio_of_times() {
    let place = Place::new();
    let answer = place.bench(&["duel", "--wall-time", "sleep 0.4", "true", "--json"]);
    assert_eq!(answer.code, 4, "{}{}", answer.stdout, answer.stderr);
    let found: serde_json::Value = serde_json::from_str(&answer.stdout).expect("JSON");
    assert_eq!((&found["is-ratio"], &found["winner"]), (&true.into(), &"B".into()));
    assert!(found["pairs"][0]["interval"][0].as_f64() > Some(1.0), "{found}");
    assert!(found["sentence"].as_str().is_some_and(|text| text.contains("of the time of A")));
}

#[test]
fn what_cannot_be_measured_is_refused() {
    let place = Place::new();
    place.file(
        "once.toml",
        TIMED.replace(
            "repeats = 3",
            "repeats = 3\n[metrics.wall-seconds]\nunit = \"s\"\ndirection = \"minimize\"",
        ),
    );
    let refused = place.bench(&["plan", "once.toml"]);
    assert!(
        refused.stderr.contains("`metrics.wall-seconds` is measured by `[measure]`"),
        "{}",
        refused.stderr
    );
    place.file("many.toml", TIMED.replace("engine =", "mode = \"persistent\"\nengine ="));
    let refused = place.bench(&["plan", "many.toml"]);
    assert!(
        refused.stderr.contains("a persistent program is one for many trials"),
        "{}",
        refused.stderr
    );
    place.file("nets.toml", "name = \"nets\"\n[dataset]\nsource = \"digits\"\n[model]\npreset = \"logistic\"\n[measure]\nwall-time = true\n");
    let refused = place.bench(&["plan", "nets.toml"]);
    assert!(refused.stderr.contains("`measure.wall-time` is of programs"), "{}", refused.stderr);
}

#[test]
fn times_are_gated_like_any_metric() {
    let place = Place::new();
    let check = "[check]\nmetric = \"wall-seconds\"\ntolerance = 5\n";
    place.file("timed.toml", TIMED.to_owned() + check);
    place.done(&["run", "timed.toml", "--set", "repeats=4"]);
    place.done(&["baseline", "results/timed", "--output", "base.json"]);
    let checked = place.bench(&["check", "results/timed", "--baseline", "base.json"]);
    assert_eq!(checked.code, 0, "{}{}", checked.stdout, checked.stderr);
}
