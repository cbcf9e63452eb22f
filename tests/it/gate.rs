//! The gate: verdicts and exit codes, on the fake engine.

use crate::support::{FAKE, Place};

/// Ten repeats, so that a loss of two points is plain.
fn with_repeats(accuracy: &str) -> String {
    FAKE.replace("repeats = 3", "repeats = 10").replace("accuracy = 0.9", accuracy)
        + "\n[check]\ntolerance = 1.0\n"
}

#[test]
fn unchanged_results_pass() {
    let place = Place::new();
    place.file("fake.toml", with_repeats("accuracy = 0.9"));
    place.done(&["run", "fake.toml"]);
    place.done(&["baseline", "results/fake", "--output", "baseline.json"]);
    let shown = place.done(&["check", "results/fake", "--baseline", "baseline.json"]);
    assert!(shown.starts_with("ok:"), "{shown}");
}

#[test]
fn fresh_seeds_of_the_same_setting_pass() {
    let place = Place::new();
    place.file("fake.toml", with_repeats("accuracy = 0.9"));
    place.done(&["run", "fake.toml"]);
    place.done(&["baseline", "results/fake", "--output", "baseline.json"]);
    place.done(&["run", "fake.toml", "--set", "seed=8", "--out", "fresh"]);
    place.done(&["check", "fresh", "--baseline", "baseline.json"]);
}

#[test]
fn a_planted_loss_is_caught_with_exit_code_four() {
    let place = Place::new();
    place.file("fake.toml", with_repeats("accuracy = 0.9"));
    place.done(&["run", "fake.toml"]);
    place.done(&["baseline", "results/fake", "--output", "baseline.json"]);
    place.file("worse.toml", with_repeats("accuracy = 0.88"));
    place.done(&["run", "worse.toml", "--out", "worse"]);
    let answer = place.bench(&["check", "worse", "--baseline", "baseline.json"]);
    assert_eq!(answer.code, 4, "{}{}", answer.stdout, answer.stderr);
    assert!(answer.stdout.starts_with("regressed:"), "{}", answer.stdout);
    assert!(answer.stdout.contains("hint: if the loss is intended"), "{}", answer.stdout);
}

#[test]
fn too_few_trials_are_inconclusive_with_exit_code_five() {
    let place = Place::new();
    place.file("fake.toml", with_repeats("accuracy = 0.9"));
    place.done(&["run", "fake.toml"]);
    place.done(&["baseline", "results/fake", "--output", "baseline.json"]);
    place.done(&["run", "fake.toml", "--set", "repeats=1", "--out", "few"]);
    let answer = place.bench(&["check", "few", "--baseline", "baseline.json"]);
    assert_eq!(answer.code, 5, "{}{}", answer.stdout, answer.stderr);
}

#[test]
fn a_verdict_is_json_on_request() {
    let place = Place::new();
    place.file("fake.toml", with_repeats("accuracy = 0.9"));
    place.done(&["run", "fake.toml"]);
    place.done(&["baseline", "results/fake", "--output", "baseline.json"]);
    let shown = place.done(&["check", "results/fake", "--baseline", "baseline.json", "--json"]);
    let report: serde_json::Value = serde_json::from_str(&shown).expect("JSON");
    assert_eq!(report["verdict"], "ok");
    assert_eq!(report["cells"].as_array().expect("cells").len(), 6);
}

#[test]
fn a_missing_cell_is_an_error_that_names_it() {
    let place = Place::new();
    place.file("fake.toml", with_repeats("accuracy = 0.9"));
    place.done(&["run", "fake.toml"]);
    place.done(&["baseline", "results/fake", "--output", "baseline.json"]);
    place.file("fewer.toml", with_repeats("accuracy = 0.9").replace("[0, 10, 20]", "[0, 10]"));
    place.done(&["run", "fewer.toml", "--out", "fewer"]);
    let answer = place.bench(&["check", "fewer", "--baseline", "baseline.json"]);
    assert_eq!(answer.code, 2, "{}", answer.stdout);
    assert!(answer.stderr.contains("augment.rotation=20 augment.shift=0.1"), "{}", answer.stderr);
}

#[test]
fn an_unfinished_run_gives_no_baseline() {
    let place = Place::new();
    let accident = "spread = 0.004\naccidents = [{ kind = \"error\", repeat = 0, epoch = 1 }]";
    place.file("fake.toml", FAKE.replace("spread = 0.004", accident));
    assert_eq!(place.bench(&["run", "fake.toml"]).code, 3);
    let answer = place.bench(&["baseline", "results/fake", "--output", "baseline.json"]);
    assert_eq!(answer.code, 2, "{}", answer.stderr);
    assert!(!place.path("baseline.json").exists());
}

#[test]
fn a_check_without_a_verdict_says_why_in_every_file_asked_for() {
    let place = Place::new();
    place.file("fake.toml", with_repeats("accuracy = 0.9"));
    place.done(&["run", "fake.toml"]);
    place.done(&["baseline", "results/fake", "--output", "baseline.json"]);
    place.file("few.toml", with_repeats("accuracy = 0.9").replace("[0, 10, 20]", "[0, 10]"));
    place.done(&["run", "few.toml", "--out", "few"]);
    let mut command = place.command(&["check", "few", "--baseline", "baseline.json", "--summary"]);
    command.env("GITHUB_STEP_SUMMARY", place.path("summary.md"));
    let files = [("junit", "j.xml"), ("markdown", "m.md"), ("json", "v.json"), ("github", "g.txt")];
    for (form, file) in files {
        command.args(["--also", &format!("{form}={file}")]);
    }
    let answer = command.output().expect("bench runs");
    let error = String::from_utf8_lossy(&answer.stderr).into_owned();
    assert_eq!(answer.status.code(), Some(2), "{error}");
    let cells = [0.0, 0.1].map(|shift| format!("augment.rotation=20 augment.shift={shift}"));
    assert!(error.contains("2 of 6 gated cells"), "{error}");
    assert!(error.contains("`cells` in `[check]`"), "{error}");
    let lines: Vec<&str> = error.lines().map(str::trim).collect();
    for cell in &cells {
        assert!(lines.contains(&&*format!("`{cell}`")), "{error}");
    }
    for file in files.map(|(_, file)| file).into_iter().chain(["summary.md"]) {
        let text = place.read(file);
        assert!(text.contains("2 of 6 gated cells"), "{file}: {text}");
        assert!(cells.iter().all(|cell| text.contains(cell)), "{file}: {text}");
    }
}

#[test]
fn a_trial_of_the_baseline_is_seen_again_as_a_control() {
    let place = Place::new();
    place.file("fake.toml", with_repeats("accuracy = 0.9"));
    place.done(&["run", "fake.toml"]);
    place.done(&["baseline", "results/fake", "--output", "baseline.json"]);
    let check = |folder: &str, more: &[&str]| {
        let arguments = ["check", folder, "--baseline", "baseline.json", "--control", "--quiet"];
        place.bench(&[&arguments, more].concat()).stdout
    };
    // On other seeds one trial of the baseline is trained again under its own.
    place.done(&["run", "fake.toml", "--set", "seed=8", "--out", "fresh"]);
    let same = check("fresh", &[]);
    assert!(same.starts_with("ok:"), "{same}");
    assert!(same.contains("\n  control: repeat 0 of `"), "{same}");
    assert!(same.contains(" again under the baseline's seed\n"), "{same}");
    // Results on the same seed hold it already.
    assert!(check("results/fake", &[]).contains("\n  control: repeat 0 of `"));
    // A setting that no axis varies changes what every trial comes to.
    place.file("worse.toml", with_repeats("accuracy = 0.88"));
    place.done(&["run", "worse.toml", "--set", "seed=8", "--out", "worse"]);
    let wide = ["--tolerance", "5"];
    let drifted = check("worse", &wide);
    assert!(drifted.starts_with("drift: repeat 0 of `"), "{drifted}");
    assert!(drifted.contains("\nok:"), "{drifted}");
    let json: serde_json::Value = serde_json::from_str(&check("worse", &["--json"])).expect("JSON");
    assert_eq!(json["control"]["kind"], "drift");
    assert!(
        check("worse", &["--format", "github"]).contains("::warning title=bench check drift::")
    );
    let markdown = check("worse", &["--format", "markdown"]);
    assert!(markdown.contains("> drift: repeat 0 of"), "{markdown}");
    // A version of the baseline that does not know its repeats, or another way of dividing: none.
    place.done(&["run", "fake.toml", "--set", "dataset.split.seed=3", "--out", "split"]);
    assert!(check("split", &[]).contains("control: none, "));
}
