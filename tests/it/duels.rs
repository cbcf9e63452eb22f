//! `bench duel`: commands take turns until it can be told which is better.
#![cfg(unix)]

use serde_json::Value;

use crate::support::{Answer, Place};

/// Prints an accuracy that its seed scatters around its first argument by up to two points.
const SCRIPT: &str = "seed=$2\necho \"accuracy: $(awk -v s=\"$seed\" -v m=\"$1\" 'BEGIN { srand(s); printf \"%.4f\", m + (rand() - 0.5) / 25 }')\"\n";

fn place() -> Place {
    let place = Place::new();
    place.file("a.sh", SCRIPT);
    // Other luck, the same spread.
    place.file("b.sh", SCRIPT.replace("seed=$2", "seed=$(($2 / 7))"));
    place
}

fn duel(place: &Place, a: &str, b: &str, more: &[&str]) -> Answer {
    let a = format!("sh a.sh {a} {{seed}}");
    let b = format!("sh b.sh {b} {{seed}}");
    place.bench(&[&["duel", &a, &b, "--metric", "accuracy"], more].concat())
}

fn json(answer: &Answer) -> Value {
    serde_json::from_str(&answer.stdout).unwrap_or_else(|error| {
        panic!("{error}: {} {}", answer.stdout, answer.stderr);
    })
}

#[test]
fn a_large_difference_is_decided_after_few_trials_whichever_is_first() {
    let place = place();
    let better = duel(&place, "0.9", "0.5", &[]);
    assert_eq!(better.code, 0, "{}", better.stderr);
    assert!(better.stdout.starts_with("A is better than B by "), "{}", better.stdout);
    assert!(better.stdout.contains(" points ("), "{}", better.stdout);
    assert!(better.stderr.contains("after 4 repeats: A − B +"), "{}", better.stderr);
    let worse = duel(&place, "0.5", "0.9", &["--json", "--quiet"]);
    assert_eq!((worse.code, worse.stderr.as_str()), (4, ""));
    let found = json(&worse);
    assert_eq!((&found["verdict"], &found["winner"]), (&"first-worse".into(), &"B".into()));
    assert!(found["repeats"].as_u64() <= Some(6), "{found}");
}

#[test]
fn no_difference_worth_having_is_shown_where_it_is_asked_for() {
    let place = place();
    let open = duel(&place, "0.7", "0.7", &["--max-trials", "6"]);
    assert_eq!(open.code, 5, "{}", open.stderr);
    assert!(
        open.stdout.starts_with("Undecided: every command had its most trials."),
        "{}",
        open.stdout
    );
    let same = duel(&place, "0.7", "0.7", &["--indifference", "5", "--json"]);
    assert_eq!((same.code, &json(&same)["verdict"]), (5, &"equivalent".into()));
}

#[test]
fn the_same_duel_goes_on_where_it_was_and_is_an_experiment_like_others() {
    let place = place();
    let first = json(&duel(&place, "0.7", "0.7", &["--max-trials", "5", "--json", "--out", "d"]));
    let more = json(&duel(&place, "0.7", "0.7", &["--max-trials", "8", "--json", "--out", "d"]));
    let values = |found: &Value| found["commands"][0]["values"].as_array().expect("values").clone();
    assert_eq!((values(&first).len(), values(&more).len()), (5, 8));
    assert_eq!(values(&first)[..], values(&more)[..5]);
    let report = place.done(&["report", "d"]);
    assert!(report.contains("n = 8"), "{report}");
    assert!(report.contains("duel-") && place.done(&["show", "d"]).contains("sh a.sh"), "{report}");
    // A change of one command makes new trials of that command alone.
    place.file("b.sh", SCRIPT.replace("- 0.5", "- 0.6"));
    let changed = duel(&place, "0.7", "0.7", &["--max-trials", "5", "--json", "--out", "d"]);
    let changed = json(&changed);
    assert_eq!(values(&changed)[..5], values(&first)[..]);
    assert_ne!(changed["commands"][1]["values"], first["commands"][1]["values"]);
}

#[test]
fn a_winner_becomes_the_baseline_on_fresh_seeds_and_is_held_against_the_next() {
    let place = place();
    let save = ["--save-baseline", "best.json", "--baseline-trials", "12", "--json"];
    let won = duel(&place, "0.9", "0.6", &save);
    assert_eq!(won.code, 0, "{}", won.stderr);
    let baseline: Value = serde_json::from_str(&place.read("best.json")).expect("JSON");
    let fresh = baseline["cells"][0]["values"].as_object().expect("values");
    assert_eq!(fresh.len(), 12);
    let first = json(&won)["commands"][0]["values"].as_array().expect("values").clone();
    assert!(fresh.values().all(|value| !first.contains(value)), "seeds are fresh");
    let against = |mean: &str, more: &[&str]| {
        let command = format!("sh a.sh {mean} {{seed}}");
        place.bench(&[&["duel", &command, "--against", "best.json"], more].concat())
    };
    let worse = against("0.7", &[]);
    assert_eq!(worse.code, 4, "{}{}", worse.stdout, worse.stderr);
    let kept = against("0.7", &["--save-baseline", "best.json"]);
    assert!(kept.stderr.contains("`best.json` is left as it is"), "{}", kept.stderr);
    let no_worse = against("0.905", &["--indifference", "10"]);
    assert_eq!(no_worse.code, 0, "{}{}", no_worse.stdout, no_worse.stderr);
    // The same program on the same seeds gives the same numbers.
    let same = against("0.9", &["--json"]);
    assert_eq!((same.code, &json(&same)["verdict"]), (0, &"equivalent".into()));
    assert_eq!(json(&same)["pairs"][0]["difference"], 0.0);
}

#[test]
fn the_worst_of_three_is_out_first() {
    let place = place();
    let commands = ["sh a.sh 0.90 {seed}", "sh b.sh 0.90 {seed}", "sh a.sh 0.5 {seed}"];
    let more = ["--metric", "accuracy", "--max-trials", "12", "--json"];
    let found = json(&place.bench(&[&["duel"][..], &commands[..], &more[..]].concat()));
    let trials = |at: usize| found["commands"][at]["values"].as_array().expect("values").len();
    assert!(trials(2) < 12 && trials(0) == 12, "{found}");
    assert_eq!(found["commands"][2]["is-in"], false);
}

#[test]
fn a_command_that_is_given_no_seed_is_told_of_it() {
    let place = place();
    let more = ["--metric", "accuracy", "--max-trials", "4"];
    let told = |commands: [&str; 2]| {
        place.bench(&[&["duel"][..], &commands[..], &more[..]].concat()).stderr
    };
    let both = told(["echo accuracy=0.5", "echo accuracy=0.6"]);
    assert!(both.starts_with("note: no `{seed}` in A and B: unless "), "{both}");
    let one = told(["sh a.sh 0.9 {seed}", "echo accuracy=0.6"]);
    assert!(one.starts_with("note: no `{seed}` in B: "), "{one}");
    let none = told(["sh a.sh 0.9 {seed}", "sh b.sh 0.9 {seed}"]);
    assert!(!none.contains("note: "), "{none}");
}

#[test]
fn what_cannot_be_decided_says_so() {
    let place = place();
    let failing = place.bench(&["duel", "echo accuracy=0.5", "exit 3", "--metric", "accuracy"]);
    assert_eq!(failing.code, 3, "{}", failing.stderr);
    assert!(failing.stderr.contains("ended with exit status 3"), "{}", failing.stderr);
    let alone = place.bench(&["duel", "echo accuracy=0.5", "--metric", "accuracy"]);
    assert_eq!(alone.code, 2, "{}", alone.stderr);
    assert!(alone.stderr.contains("nothing to compare it with"), "{}", alone.stderr);
    let slow = ["duel", "sleep 30; echo loss=1", "echo loss=2", "--metric", "loss"];
    let slow = place.bench(&[&slow[..], &["--max-time", "1s", "--minimize"]].concat());
    assert_eq!(slow.code, 5, "{}{}", slow.stdout, slow.stderr);
    assert!(slow.stdout.contains("the time is over"), "{}", slow.stdout);
}
