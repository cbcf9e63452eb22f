//! `compare`, `confirm` and `plan --difference`, on the fake engine.

use crate::support::{FAKE, Place, column};

fn ran() -> Place {
    let place = Place::new();
    place.file("fake.toml", FAKE.replace("repeats = 3", "repeats = 8"));
    place.done(&["run", "fake.toml", "--quiet"]);
    place
}

#[test]
fn two_runs_of_the_same_setting_cannot_be_told_apart() {
    let place = ran();
    place.done(&["run", "fake.toml", "--set", "seed=8", "--out", "fresh", "--quiet"]);
    let shown = place.done(&["compare", "results/fake", "fresh"]);
    assert!(shown.contains("Of 6 pairs A is better in 0, B in 0"), "{shown}");
}

#[test]
fn a_planted_difference_is_found_between_cells_of_one_folder() {
    let place = ran();
    let arguments =
        ["compare", "results/fake", "--cell-a", "rotation=0", "--cell-b", "rotation=20"];
    let shown = place.done(&arguments);
    assert!(shown.contains("Of 2 pairs A is better in 2"), "{shown}");
    let mut json = arguments.to_vec();
    json.extend(["--json", "--cell", "shift=0.1"]);
    let text = place.done(&json);
    let comparison: serde_json::Value = serde_json::from_str(&text).expect("JSON");
    assert_eq!(comparison["pairs"][0]["finding"], "a");
    assert_eq!(comparison["pairs"][0]["a"]["n"], 8);
    // The fake engine predicts images, and both cells are tested on the same.
    assert!(comparison["pairs"][0]["examples"]["images"].as_u64() > Some(0), "{text}");
    let file = [
        "compare",
        "results/fake",
        "--cell-a",
        "rotation=0",
        "--cell-b",
        "rotation=20",
        "--format",
        "markdown",
        "--output",
        "compare.md",
    ];
    assert_eq!(place.done(&file), "");
    assert!(place.read("compare.md").contains("| shift=0.1 |"));
}

#[test]
fn what_cannot_be_compared_is_said_with_a_way_out() {
    let place = ran();
    let refused = |arguments: &[&str]| {
        let answer = place.bench(arguments);
        assert_eq!(answer.code, 2, "{}", answer.stdout);
        answer.stderr
    };
    assert!(refused(&["compare", "results/fake"]).contains("--cell-a"));
    assert!(
        refused(&["compare", "results/fake", "--cell-a", "tilt=1"]).contains("`tilt` is no axis")
    );
    assert!(refused(&["compare", "results/fake", "nowhere"]).contains("nowhere"));
    assert!(refused(&["compare", "results/fake", "--metric", "speed"]).contains("test-accuracy"));
}

#[test]
fn the_best_cells_are_confirmed_on_seeds_that_chose_nothing() {
    let place = ran();
    let shown = place.done(&["confirm", "fake.toml", "--top", "2", "--repeats", "5", "--quiet"]);
    assert!(shown.contains("the best 2 of 6 cells again on fresh seeds"), "{shown}");
    assert!(shown.contains("Quote the confirmed numbers"), "{shown}");
    let fresh = place.read("results/fake-confirm/tables/trials.csv");
    let repeats = column(&fresh, "repeat");
    assert_eq!(repeats.len(), 10);
    assert!(repeats.iter().all(|repeat| repeat.parse::<u32>().expect("a number") > 1_000_000));
    let first = place.read("results/fake/tables/trials.csv");
    let chosen = column(&first, "trial");
    assert!(column(&fresh, "trial").iter().all(|trial| !chosen.contains(trial)));
    // Again and with more repeats: only what is missing is trained, the first results stay.
    let again =
        place.bench(&["confirm", "results/fake", "--top", "2", "--repeats", "7", "--quiet"]);
    assert_eq!(again.code, 0, "{}", again.stderr);
    let grown = place.read("results/fake-confirm/tables/trials.csv");
    assert_eq!(column(&grown, "repeat").len(), 14);
    assert_eq!(place.read("results/fake/tables/trials.csv"), first);
    assert!(place.read("results/fake-confirm/confirm.md").starts_with("## "));
    let refused = place.bench(&["confirm", "results/fake-confirm"]);
    assert_eq!(refused.code, 2, "{}", refused.stdout);
    // The folder is one like any other.
    let status = place.done(&["status", "results/fake-confirm"]);
    assert!(status.starts_with("fake-confirm   2 cells, 14 trials"), "{status}");
    place.done(&["report", "results/fake-confirm"]);
}

#[test]
fn a_plan_says_how_many_repeats_a_difference_needs() {
    let place = Place::new();
    place.file("fake.toml", FAKE);
    let shown = place.done(&["plan", "fake.toml", "--difference", "0.5"]);
    assert!(shown.contains("to show a difference of 0.5 points"), "{shown}");
    place.done(&["run", "fake.toml", "--quiet"]);
    let text = place.done(&["plan", "fake.toml", "--difference", "0.5", "--json"]);
    let plan: serde_json::Value = serde_json::from_str(&text).expect("JSON");
    let needs = plan["wanted-difference"]["needs"].as_array().expect("needs").clone();
    assert_eq!(needs.len(), 2);
    let seen = &needs[1];
    assert_eq!((&seen["basis"], &seen["trials"]), (&"seen".into(), &18.into()));
    let (two, all) = (&seen["repeats-for-two-cells"], &seen["repeats-for-all-cells"]);
    assert!(two.as_u64() < all.as_u64(), "{text}");
    assert_eq!(place.bench(&["plan", "fake.toml", "--difference", "-1"]).code, 2);
}
