//! Values of axes that look alike, by way of every command that reads results.

use serde_json::Value;

use crate::support::{Place, column, root};

/// Two texts that are the same number, and the number.
const ALIKE: &str = r#"
name = "alike"
repeats = 3
[dataset]
source = "synthetic"
[train]
epochs = 2
[trainer]
engine = "fake"
[trainer.fake]
accuracy = 0.9
spread = 0.004
effects = { path = 0.02 }
[hyperparameters]
path = ""
[grid.axes]
"hyperparameters.path" = ["1.1", "1.10", 1.1]
[check]
tolerance = 5.0
cells = "path=1.10"
"#;

/// The names of the three cells.
const NAMES: [&str; 3] =
    ["hyperparameters.path=\"1.1\"", "hyperparameters.path=\"1.10\"", "hyperparameters.path=1.1"];

/// Runs the experiment and keeps a copy without its journal, as it would be committed.
fn place() -> Place {
    let place = Place::new();
    place.file("alike.toml", ALIKE);
    place.done(&["run", "alike.toml", "--out", "out", "--quiet"]);
    let tables = ["tables/cells.csv", "tables/trials.csv", "tables/epochs.csv"];
    for file in ["manifest.json", "derived.json"].into_iter().chain(tables) {
        let content = place.read(&format!("out/{file}"));
        place.file(&format!("committed/{file}"), content);
    }
    place
}

fn json(text: &str) -> Value {
    serde_json::from_str(text).expect("JSON")
}

#[test]
fn cells_that_look_alike_are_reported_apart_from_journals_and_from_tables() {
    let place = place();
    let fresh = place.done(&["report", "out"]);
    for row in ["\n \"1.1\" ", "\n \"1.10\" ", "\n 1.1 "] {
        assert!(fresh.contains(row), "{row}: {fresh}");
    }
    assert_eq!(place.done(&["report", "committed"]), fresh);
    std::fs::remove_file(place.path("out/derived.json")).expect("a stamp");
    assert_eq!(place.done(&["report", "out"]), fresh);
    let table = place.read("out/tables/cells.csv");
    assert_eq!(column(&table, "cell"), NAMES);
    assert_eq!(column(&table, "hyperparameters.path"), ["\"1.1\"", "\"1.10\"", "1.1"]);
    for folder in ["out", "committed"] {
        let events = format!("events-{folder}");
        place.done(&["tensorboard", folder, "--output", &events]);
        let runs = std::fs::read_dir(place.path(&format!("{events}/alike"))).expect("a folder");
        assert_eq!(runs.filter(|run| run.as_ref().is_ok_and(|run| run.path().is_dir())).count(), 3);
    }
}

#[test]
fn cells_that_look_alike_are_gated_compared_and_confirmed_one_by_one() {
    let place = place();
    for folder in ["out", "committed"] {
        place.done(&["baseline", folder, "--output", "baseline.json"]);
        let baseline = json(&place.read("baseline.json"));
        let of =
            |index: usize| baseline["cells"][index]["assignment"]["hyperparameters.path"].clone();
        assert_eq!([of(0), of(1), of(2)], [Value::from("1.1"), "1.10".into(), 1.1.into()]);
        let answer = place.bench(&["check", "out", "--baseline", "baseline.json", "--json"]);
        let report = json(&answer.stdout);
        assert_eq!(report["cells"].as_array().expect("cells").len(), 1);
        assert_eq!(report["cells"][0]["name"], NAMES[1]);
        assert_eq!(report["cells"][0]["difference"], 0.0);
    }
    let compared = |a, b| {
        let both =
            ["compare", "out", "committed", "--cell-a", a, "--cell-b", b, "--format", "json"];
        json(&place.done(&both))["pairs"][0].clone()
    };
    for name in NAMES {
        assert_eq!(compared(name, name)["difference"], 0.0);
    }
    assert_ne!(compared(NAMES[0], NAMES[2])["difference"], 0.0);
    let confirm = ["confirm", "out", "--top", "3", "--repeats", "2", "--format", "json", "--quiet"];
    let confirmed = json(&place.done(&confirm));
    let mut names: Vec<&str> = confirmed["cells"]
        .as_array()
        .expect("cells")
        .iter()
        .filter_map(|cell| cell["name"].as_str())
        .collect();
    names.sort_unstable();
    assert_eq!(names, NAMES);
}

#[test]
fn an_escalation_trains_the_one_cell_that_is_meant() {
    let place = place();
    let wide = ["--set", "trainer.fake.spread=0.05", "--set", "check.tolerance=0.5"];
    place.done(&[&["run", "alike.toml", "--out", "wide", "--quiet"], &wide[..]].concat());
    // Another master seed: results that are the same to the bit are ok and train nothing.
    let other = ["run", "alike.toml", "--out", "other", "--quiet", "--set", "seed=9"];
    place.done(&[&other[..], &wide[..]].concat());
    place.done(&["baseline", "other", "--output", "baseline.json"]);
    let check = ["check", "wide", "--baseline", "baseline.json", "--escalate", "--quiet", "--json"];
    let report = json(&place.bench(&check).stdout);
    assert_eq!(report["cells"][0]["name"], NAMES[1], "{report:#}");
    let trials = column(&place.read("wide/tables/cells.csv"), "n_trials");
    assert_eq!((trials[0].as_str(), trials[2].as_str()), ("3", "3"), "{trials:?}");
    assert_ne!(trials[1], "3");
}

#[test]
fn a_baseline_of_version_1_is_held_against_its_own_experiment() {
    let place = Place::new();
    let golden = root().join("tests/golden/baseline-1").display().to_string();
    let experiment = format!("{golden}/experiment.toml");
    place.done(&["run", &experiment, "--out", "out", "--quiet"]);
    let baseline = format!("{golden}/baseline.json");
    let answer = place.bench(&["check", "out", "--baseline", &baseline, "--json"]);
    let report = json(&answer.stdout);
    let cells = report["cells"].as_array().expect("cells");
    assert_eq!(cells.len(), 6);
    for cell in cells {
        assert_eq!(
            (&cell["verdict"], &cell["difference"]),
            (&"ok".into(), &0.0.into()),
            "{cell:#}"
        );
        assert_eq!(cell["lost-baseline"], cell["lost-candidate"]);
    }
}

#[test]
fn a_cell_without_any_value_is_a_failure_also_when_all_of_it_diverged() {
    let place = Place::new();
    let accident = "accidents = [{ kind = \"diverge\", epoch = 1, when = { path = \"1.10\" } }]";
    place.file(
        "alike.toml",
        ALIKE.replace("spread = 0.004", &format!("spread = 0.004\n{accident}")),
    );
    let answer = place.bench(&["run", "alike.toml", "--out", "out", "--quiet"]);
    assert_eq!(answer.code, 3, "{}", answer.stderr);
    assert!(
        answer
            .stderr
            .contains("1 of 3 cells ended without any value, `hyperparameters.path=\"1.10\"`"),
        "{}",
        answer.stderr
    );
}
