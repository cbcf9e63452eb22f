//! Running, resuming, reporting: the harness as a person meets it, on the fake engine.

use std::time::{Duration, Instant};

use crate::support::{Answer, FAKE, Place, column, root};

#[test]
fn a_run_writes_tables_and_report_and_prints_the_grid() {
    let place = Place::new();
    place.file("fake.toml", FAKE);
    let shown = place.done(&["run", "fake.toml"]);
    assert!(shown.contains("test accuracy %, mean ± SD, n = 3"), "{shown}");
    let cells = place.read("results/fake/tables/cells.csv");
    assert_eq!(column(&cells, "augment.rotation"), ["0", "0", "10", "10", "20", "20"]);
    assert_eq!(column(&cells, "n_trials"), ["3"; 6]);
    for name in [
        "cell",
        "augment.shift",
        "test_accuracy_mean",
        "test_accuracy_std",
        "train_seconds_mean",
        "images_per_second_mean",
    ] {
        column(&cells, name);
    }
    for name in ["trials", "epochs", "histograms"] {
        assert!(place.path(&format!("results/fake/tables/{name}.csv")).is_file(), "{name}");
        assert!(place.path(&format!("results/fake/tables/{name}.parquet")).is_file(), "{name}");
    }
    assert!(place.read("results/fake/report.md").contains("±"));
}

#[test]
fn running_again_trains_nothing_and_changes_no_table() {
    let place = Place::new();
    place.file("fake.toml", FAKE);
    place.done(&["run", "fake.toml"]);
    let before = tables(&place, "fake");
    let again = place.bench(&["run", "fake.toml"]);
    assert_eq!(again.code, 0);
    assert!(again.stderr.contains("0 members trained"), "{}", again.stderr);
    assert_eq!(tables(&place, "fake"), before);
}

#[test]
fn the_number_of_workers_changes_no_table() {
    let place = Place::new();
    place.file("fake.toml", FAKE);
    place.done(&["run", "fake.toml", "--out", "one", "--jobs", "1"]);
    place.done(&["run", "fake.toml", "--out", "four", "--jobs", "4"]);
    for name in TABLES {
        let of = |folder: &str| place.read(&format!("{folder}/tables/{name}.csv"));
        assert_eq!(of("one"), of("four"), "{name}");
    }
}

#[test]
fn a_killed_run_ends_with_the_tables_of_an_undisturbed_one() {
    let place = Place::new();
    let slow = FAKE.replace("spread = 0.004", "spread = 0.004\nepoch-delay-ms = 10");
    place.file("slow.toml", slow);
    place.done(&["run", "slow.toml", "--out", "undisturbed"]);
    let mut kills = 0;
    loop {
        let mut child = place
            .command(&["run", "slow.toml", "--out", "killed", "--quiet"])
            .stdout(std::process::Stdio::null())
            .stderr(std::process::Stdio::null())
            .spawn()
            .expect("bench starts");
        let lines = || place.journal_lines("killed").len();
        let (before, began) = (lines(), Instant::now());
        let ended = loop {
            if let Some(status) = child.try_wait().expect("a child") {
                break status.success();
            }
            let grown = lines() >= before + 4 + kills % 3;
            if (grown && kills < 5) || began.elapsed() > Duration::from_mins(1) {
                child.kill().expect("a running child");
                child.wait().expect("an ended child");
                break false;
            }
            std::thread::yield_now();
        };
        if ended {
            break;
        }
        kills += 1;
        assert!(kills < 20, "it never ends");
    }
    assert!(kills > 0, "nothing was killed");
    for name in TABLES {
        let of = |folder: &str| place.read(&format!("{folder}/tables/{name}.csv"));
        assert_eq!(of("killed"), of("undisturbed"), "{name}");
    }
    let lines = place.journal_lines("killed");
    let completed = lines.iter().filter(|line| line.contains("\"member\":{")).count();
    assert_eq!(completed, 18, "a member was trained twice");
}

#[cfg(unix)]
#[test]
fn an_interrupted_run_saves_its_place_and_says_so() {
    let place = Place::new();
    let slow = FAKE.replace("spread = 0.004", "spread = 0.004\nepoch-delay-ms = 40");
    place.file("slow.toml", slow);
    let child = place
        .command(&["run", "slow.toml"])
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .expect("bench starts");
    while place.journal_lines("results/fake").len() < 4 {
        std::thread::yield_now();
    }
    let pid = child.id().to_string();
    let killed = std::process::Command::new("kill").args(["-INT", &pid]).status();
    assert!(killed.expect("kill runs").success());
    let answer = Answer::from(child.wait_with_output().expect("an end"));
    assert_eq!(answer.code, 130, "{}", answer.stderr);
    assert!(answer.stderr.contains("run it again to go on"), "{}", answer.stderr);
    place.done(&["run", "slow.toml"]);
    place.done(&["run", "slow.toml", "--out", "undisturbed"]);
    for name in TABLES {
        let of = |folder: &str| place.read(&format!("{folder}/tables/{name}.csv"));
        assert_eq!(of("results/fake"), of("undisturbed"), "{name}");
    }
}

#[test]
fn a_failed_trial_is_recorded_and_the_rest_goes_on() {
    let place = Place::new();
    let accident = "spread = 0.004\naccidents = [{ kind = \"panic\", repeat = 1, epoch = 2, \
                    when = { \"augment.rotation\" = 10 } }]";
    place.file("fake.toml", FAKE.replace("spread = 0.004", accident));
    let answer = place.bench(&["run", "fake.toml"]);
    assert_eq!(answer.code, 3, "{}", answer.stderr);
    assert!(!answer.stderr.contains("thread '"), "Rust's own words on a panic: {}", answer.stderr);
    let cells = place.read("results/fake/tables/cells.csv");
    assert_eq!(column(&cells, "n_trials"), ["3", "3", "2", "2", "3", "3"]);
    let status = place.done(&["status", "results/fake"]);
    assert!(status.contains("failed"), "{status}");
}

#[test]
fn results_are_read_by_the_engine_revision_they_were_made_with() {
    let place = Place::new();
    place.copy(&root().join("tests/golden/run-1"), "old");
    let before = place.done(&["report", "old"]);
    assert!(!before.contains("still to be done"), "{before}");
    let manifest = place.read("old/manifest.json");
    let line = manifest.lines().find(|line| line.contains("\"engine-revision\"")).expect("a line");
    place
        .file("old/manifest.json", manifest.replace(line, "    \"engine-revision\": \"another\","));
    let report = place.done(&["report", "old"]);
    assert!(report.contains("2 of 2 trials are still to be done"), "{report}");
}

#[test]
fn a_diverged_trial_is_a_result() {
    let place = Place::new();
    let accident = "spread = 0.004\naccidents = [{ kind = \"diverge\", repeat = 0, epoch = 3 }]";
    place.file("fake.toml", FAKE.replace("spread = 0.004", accident));
    assert_eq!(place.bench(&["run", "fake.toml"]).code, 0);
    let trials = place.read("results/fake/tables/trials.csv");
    let diverged = column(&trials, "outcome").iter().filter(|one| *one == "diverged").count();
    assert_eq!(diverged, 6);
}

#[test]
fn a_grown_grid_keeps_what_was_finished() {
    let place = Place::new();
    place.file("fake.toml", FAKE);
    place.done(&["run", "fake.toml"]);
    place.file("fake.toml", FAKE.replace("[0, 10, 20]", "[0, 10, 20, 30]"));
    let answer = place.bench(&["run", "fake.toml"]);
    assert_eq!(answer.code, 0, "{}", answer.stderr);
    assert!(answer.stderr.contains("6 members trained, 18 reused"), "{}", answer.stderr);
}

#[test]
fn ensembles_are_read_off_the_same_members() {
    let place = Place::new();
    let axes = "\"augment.shift\" = [0.0, 0.1]\n\"ensemble.size\" = [1, 3]";
    place.file("fake.toml", FAKE.replace("\"augment.shift\" = [0.0, 0.1]", axes));
    let answer = place.bench(&["run", "fake.toml"]);
    assert_eq!(answer.code, 0, "{}", answer.stderr);
    assert!(answer.stderr.contains("54 members trained"), "{}", answer.stderr);
    let cells = place.read("results/fake/tables/cells.csv");
    let means: Vec<f64> = column(&cells, "test_accuracy_mean")
        .iter()
        .map(|mean| mean.parse().expect("a number"))
        .collect();
    for pair in means.chunks(2) {
        assert!(pair[1] > pair[0], "three networks are no better than one: {means:?}");
    }
}

#[test]
fn a_second_writer_is_refused() {
    let place = Place::new();
    place.file("slow.toml", FAKE.replace("spread = 0.004", "spread = 0.004\nepoch-delay-ms = 50"));
    let mut first = place
        .command(&["run", "slow.toml", "--quiet"])
        .stdout(std::process::Stdio::null())
        .spawn()
        .expect("bench starts");
    while place.journals("results/fake").is_empty() {
        std::thread::yield_now();
    }
    let second = place.bench(&["run", "slow.toml"]);
    first.kill().expect("a running child");
    first.wait().expect("an ended child");
    assert_eq!(second.code, 2, "{}", second.stderr);
    assert!(second.stderr.contains("hint: wait for it to end"), "{}", second.stderr);
}

#[test]
fn events_are_one_json_object_a_line() {
    let place = Place::new();
    place.file("fake.toml", FAKE);
    let stdout = place.done(&["run", "fake.toml", "--json"]);
    let events: Vec<serde_json::Value> =
        stdout.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    assert_eq!(events.first().expect("events")["event"], "started");
    assert_eq!(events.last().expect("events")["event"], "ended");
    let finished = events.iter().filter(|event| event["event"] == "trial-finished").count();
    assert_eq!(finished, 18);
}

#[test]
fn every_format_reports_one_folder_and_several() {
    let place = Place::new();
    place.file("fake.toml", FAKE);
    place.done(&["run", "fake.toml"]);
    place.done(&["run", "fake.toml", "--set", "name=other", "--out", "results/other"]);
    for format in ["terminal", "markdown", "csv", "json"] {
        let one = place.done(&["report", "results/fake", "--format", format]);
        let both = place.done(&["report", "results", "--format", format]);
        assert!(one.contains("fake") || format == "csv", "{one}");
        assert!(both.len() > one.len());
    }
    let json = place.done(&["report", "results/fake", "--format", "json"]);
    serde_json::from_str::<serde_json::Value>(&json).expect("JSON");
    place.done(&["report", "results/fake", "--format", "markdown", "--output", "page.md"]);
    assert_eq!(place.read("page.md"), place.read("results/fake/report.md"));
}

#[test]
fn committed_tables_report_without_a_journal() {
    let place = Place::new();
    place.file("fake.toml", FAKE);
    place.done(&["run", "fake.toml"]);
    let before = place.done(&["report", "results/fake", "--format", "markdown"]);
    for folder in ["journal", "predictions", "checkpoints"] {
        let _ = std::fs::remove_dir_all(place.path("results/fake").join(folder));
    }
    for name in TABLES {
        std::fs::remove_file(place.path(&format!("results/fake/tables/{name}.parquet")))
            .expect("a file");
    }
    assert_eq!(place.done(&["report", "results/fake", "--format", "markdown"]), before);
}

const TABLES: [&str; 4] = ["trials", "cells", "epochs", "histograms"];

fn tables(place: &Place, name: &str) -> Vec<Vec<u8>> {
    let folder = place.path(&format!("results/{name}/tables"));
    let mut files: Vec<_> = std::fs::read_dir(folder)
        .expect("tables")
        .map(|entry| entry.expect("an entry").path())
        .collect();
    files.sort();
    files.iter().map(|file| std::fs::read(file).expect("a table")).collect()
}

#[test]
fn a_plan_fits_the_terminal_and_tells_images_without_a_part() {
    let place = Place::new();
    let split = "source = \"synthetic\"\nsplit = { train = 0.5, validation = 0.1, test = 0.1 }";
    let sgd = "{ name = \"sgd\", momentum = 0.9, nesterov = true, weight-decay = 0.0001 }";
    let adam = sgd.replace("sgd", "adam").replace("momentum = 0.9, nesterov = true", "beta1 = 0.8");
    let axes = format!("[grid.axes]\n\"train.optimizer\" = [{sgd}, {adam}]");
    place.file(
        "fake.toml",
        FAKE.replace("source = \"synthetic\"", split).replace("[grid.axes]", &axes),
    );
    let shown = place.done(&["plan", "fake.toml"]);
    assert!(shown.contains("36 members on 72,000 training images"), "{shown}");
    assert!(shown.contains("unused: 300 of 1,000 images are in no part"), "{shown}");
    assert!(shown.contains("typical of 100 test images at an assumed accuracy"), "{shown}");
    assert!(shown.lines().all(|line| line.chars().count() <= 100), "{shown}");
    let status = {
        place.done(&["run", "fake.toml", "--quiet"]);
        place.done(&["status", "results/fake"])
    };
    assert!(status.starts_with("fake   12 cells, 36 trials, 36 members"), "{status}");
}

#[test]
fn the_commit_of_the_users_repository_is_recorded_and_labelled() {
    let place = Place::new();
    place.file("study/fake.toml", FAKE);
    let git = |arguments: &[&str]| {
        let mut command = std::process::Command::new("git");
        command.current_dir(place.path("study")).args([
            "-c",
            "user.name=a",
            "-c",
            "user.email=a@b",
        ]);
        let answer = command.args(arguments).output().expect("git runs");
        assert!(
            answer.status.success(),
            "{arguments:?}: {}",
            String::from_utf8_lossy(&answer.stderr)
        );
        String::from_utf8_lossy(&answer.stdout).trim().to_owned()
    };
    git(&["init", "--quiet"]);
    place.file("study/README", "a study\n");
    git(&["add", "README"]);
    git(&["commit", "--quiet", "--message", "begin"]);
    let origin = |out: &str| {
        place.done(&["run", "study/fake.toml", "--out", out]);
        let commit = git(&["rev-parse", "--short=12", "HEAD"]);
        (place.done(&["report", out]), format!("experiment at commit {commit}"))
    };
    let (report, commit) = origin("untracked");
    assert!(report.contains(&format!("{commit}-modified, bench ")), "{report}");
    git(&["add", "fake.toml"]);
    git(&["commit", "--quiet", "--message", "an experiment"]);
    let (report, commit) = origin("clean");
    assert!(report.contains(&format!("{commit}, bench ")), "{report}");
    place.done(&["baseline", "clean", "--output", "baseline.json"]);
    let commit = git(&["rev-parse", "--short=12", "HEAD"]);
    let stated = format!("\"experiment-commit\": \"{commit}\"");
    assert!(place.read("baseline.json").contains(&stated));
    place.file("study/README", "changed\n");
    // What is stored already was trained at the clean commit.
    let (report, commit) = origin("clean");
    assert!(report.contains(&format!("{commit}, bench ")), "{report}");
    let (report, commit) = origin("changed");
    assert!(report.contains(&format!("{commit}-modified, bench ")), "{report}");
}
