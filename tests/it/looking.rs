//! `list`, `show`, `diff`, `completions`, `manual`, `--version`, and experiments from standard input.

use std::io::Write as _;
use std::process::Stdio;

use serde_json::Value;

use crate::support::{Answer, FAKE, Place};

fn place() -> Place {
    let place = Place::new();
    place.file("fake.toml", FAKE);
    place.done(&["run", "fake.toml", "--quiet"]);
    place
}

fn fed(place: &Place, arguments: &[&str], text: &str) -> Answer {
    let mut command = place.command(arguments);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("bench starts");
    let mut input = child.stdin.take().expect("a pipe");
    input.write_all(text.as_bytes()).expect("bench reads");
    drop(input);
    child.wait_with_output().expect("an end").into()
}

#[test]
fn a_list_says_where_every_experiment_stands() {
    let place = place();
    let other = FAKE.replace("name = \"fake\"", "name = \"other\"");
    place.file("other.toml", other.replace("repeats = 3", "repeats = 1"));
    place.done(&["run", "other.toml", "--quiet"]);
    let shown = place.done(&["list"]);
    let lines: Vec<&str> = shown.lines().collect();
    assert!(lines[0].contains("experiment") && lines[0].contains("best test accuracy"), "{shown}");
    assert!(lines[2].contains(" fake ") && lines[2].contains("complete"), "{shown}");
    assert!(lines[3].contains(" other ") && lines[3].contains(" 1  90.50 % "), "{shown}");
    assert_eq!(place.done(&["list", "results"]), shown);
    // Half of it is lost.
    let journal = place.journal("results/other");
    let text = place.read(&journal);
    let half: Vec<&str> = text.lines().take(text.lines().count() / 2).collect();
    place.file(&journal, half.join("\n") + "\n");
    let json: Value = serde_json::from_str(&place.done(&["list", "--json"])).expect("JSON");
    let states: Vec<&Value> =
        json["experiments"].as_array().expect("a list").iter().map(|one| &one["state"]).collect();
    assert_eq!(states, ["complete", "incomplete"]);
    // One that cannot be read hides no other.
    place.file("results/other/manifest.json", "{");
    let answer = place.bench(&["list"]);
    assert_eq!(answer.code, 2);
    assert!(answer.stdout.contains(" fake ") && !answer.stdout.contains(" other "));
    assert!(answer.stderr.starts_with("warning: "), "{}", answer.stderr);
}

#[test]
fn everything_of_one_cell_is_shown() {
    let place = place();
    let best = place.done(&["show", "results/fake"]);
    let zero = place.done(&["show", "results/fake", "rotation=0", "shift=0.1"]);
    for text in
        ["rotation=0 shift=0.1", "3 of 3 trials completed", "● augment.shift", "repeat/member"]
    {
        assert!(zero.contains(text), "{text}: {zero}");
    }
    assert!(best.contains("test accuracy %"), "{best}");
    let json = place.done(&["show", "results/fake", "rotation=0,shift=0.1", "--json"]);
    let json: Value = serde_json::from_str(&json).expect("JSON");
    for id in [&json["id"], &json["trials"][1]["id"], &json["networks"][2]["id"]] {
        let id = &id.as_str().expect("an id")[..10];
        assert_eq!(place.done(&["show", "results/fake", id]), zero, "{id}");
    }
    let settings: Vec<&str> = json["values"]
        .as_array()
        .expect("settings")
        .iter()
        .map(|line| line["key"].as_str().expect("a key"))
        .collect();
    assert!(settings.contains(&"train.epochs") && settings.contains(&"augment.shift.width"));
}

#[test]
fn a_selector_of_several_cells_lists_them() {
    let place = place();
    let answer = place.bench(&["show", "results/fake", "rotation=10"]);
    assert_eq!(answer.code, 2);
    insta::assert_snapshot!(answer.stderr, @r"
    error: cannot show a cell of `results/fake`
      caused by: `rotation=10` means 2 cells, expected one:
      augment.rotation=10 augment.shift=0
      augment.rotation=10 augment.shift=0.1
      hint: name all axes, such as `bench show results/fake 'augment.rotation=10 augment.shift=0'`
    ");
    let answer = place.bench(&["show", "results/fake", "deadbeef"]);
    insta::assert_snapshot!(answer.stderr, @r"
    error: cannot show a cell of `results/fake`
      caused by: no cell, trial or network of it has an id that begins with `deadbeef`
      hint: `bench show results/fake --json` prints the ids of the best cell
    ");
}

#[test]
fn experiments_and_results_differ_by_settings_axes_and_cells() {
    let place = place();
    let edited = FAKE.replace("epochs = 4", "epochs = 5").replace("[0, 10, 20]", "[0, 10, 30]");
    place.file("edited.toml", edited);
    insta::assert_snapshot!(place.done(&["diff", "results/fake", "edited.toml"]), @r"
    results/fake → edited.toml
    settings
      train.epochs  4 → 5
    axes
      augment.rotation  0, 10, 20 → 0, 10, 30
    4 cells in both, 2 only in results/fake, 2 only in edited.toml
    ");
    insta::assert_snapshot!(place.done(&["diff", "fake.toml", "results/fake/manifest.json"]), @r"
    fake.toml → results/fake/manifest.json
    no setting and no axis differs
    6 cells in both
    ");
    place.done(&["run", "edited.toml", "--out", "results/edited", "--quiet"]);
    let json = place.done(&["diff", "results/fake", "results/edited", "--json"]);
    let json: Value = serde_json::from_str(&json).expect("JSON");
    assert_eq!(json["cells"]["in-both"], 4);
    assert_eq!(json["settings"][0]["key"], "train.epochs");
    let keys: Vec<&Value> =
        json["origin"].as_array().expect("a list").iter().map(|line| &line["key"]).collect();
    assert!(keys.iter().all(|key| *key == "date"), "one program, one machine: {keys:?}");
}

#[test]
fn an_experiment_is_read_from_standard_input() {
    let place = place();
    let plan = fed(&place, &["plan", "-"], FAKE);
    assert_eq!((plan.code, plan.stdout), (0, place.done(&["plan", "fake.toml"])));
    let run = fed(&place, &["run", "-", "--out", "piped", "--quiet"], FAKE);
    assert_eq!(run.code, 0, "{}", run.stderr);
    assert_eq!(place.read("piped/tables/trials.csv"), place.read("results/fake/tables/trials.csv"));
    let wrong = fed(&place, &["plan", "-"], &FAKE.replace("epochs", "epoch"));
    assert!(wrong.stderr.contains("`standard input`"), "{}", wrong.stderr);
    assert!(wrong.stderr.contains("did you mean `train.epochs`?"), "{}", wrong.stderr);
}

#[test]
fn a_file_that_is_not_there_may_be_its_neighbour() {
    let place = place();
    place.file("below/smoke.toml", FAKE);
    let hint = |file: &str| place.bench(&["plan", file]).stderr;
    assert!(hint("fakr.toml").contains("hint: did you mean `fake.toml`?"), "{}", hint("fakr.toml"));
    assert!(hint("below/smok.toml").contains("did you mean `below/smoke.toml`?"));
    assert!(!hint("banana.toml").contains("did you mean"));
}

#[test]
fn shells_and_manuals_know_every_command() {
    let place = Place::new();
    for (shell, start) in [("bash", "_bench()"), ("zsh", "#compdef bench"), ("fish", "# Print an")]
    {
        let script = place.done(&["completions", shell]);
        assert!(script.starts_with(start), "{script}");
        for word in ["preview", "retry-failed", "completions"] {
            assert!(script.contains(word), "{shell}: {word}");
        }
        assert!(!script.contains("\\u00"), "{shell}: a character was replaced");
    }
    let page = place.done(&["manual"]);
    for heading in [".SH EXAMPLES", ".SH EXIT CODES", ".SH ENVIRONMENT"] {
        assert!(page.contains(heading), "{heading}: {page}");
    }
    assert!(page.contains(".TH bench 1") && page.contains("bench\\-data(1)"), "{page}");
    assert!(place.done(&["manual", "--output", "man"]).ends_with("pages to `man`\n"));
    let fetch = place.read("man/bench-data-fetch.1");
    assert!(fetch.contains("bench data fetch mnist"), "examples: {fetch}");
    assert!(
        fetch.contains("bench data fetch") && fetch.contains(".TH bench-data-fetch 1"),
        "{fetch}"
    );
}

#[test]
fn the_version_names_the_commit() {
    let place = Place::new();
    let short = place.done(&["-V"]);
    assert!(short.starts_with(&format!("bench {}", env!("CARGO_PKG_VERSION"))), "{short}");
    let long = place.done(&["--version"]);
    assert!(long.starts_with(short.trim_end()), "{long}");
    assert!(long.contains("compiler: rustc "), "{long}");
}

#[test]
fn the_committed_schema_is_the_one_that_is_printed() {
    let place = Place::new();
    let committed =
        std::fs::read_to_string(crate::support::root().join("docs/schemas/experiment.json"));
    assert_eq!(place.done(&["schema"]), committed.expect("the schema"));
    place.file("experiment.json", place.done(&["schema"]));
    place.file("with.toml", format!("#:schema experiment.json\n{FAKE}"));
    place.done(&["plan", "with.toml"]);
}
