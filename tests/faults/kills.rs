//! A process ends at any file operation: before it, after it, or with half of a write done.

use std::fs;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use crate::rig::{
    Answer, End, FAKE, Fault, Random, Rig, Tally, answer, copy_of, files, must, same_tables,
    tables, trained_once,
};

const MODES: [&str; 3] = ["kill", "kill-half", "kill-after"];

/// A command, the place it starts from, and the results folder it writes.
struct Scenario {
    start: TempDir,
    arguments: Vec<&'static str>,
    results: &'static str,
    /// Whether the same standard output is expected.
    talks: bool,
    /// Whether a member may have several equal records.
    copies: bool,
}

/// A small run of the fake engine.
pub(crate) fn run(rig: &Rig) -> Result<Tally, String> {
    let start = tempfile::tempdir().expect("a folder");
    fs::write(start.path().join("fake.toml"), FAKE).expect("a file");
    let arguments = vec!["run", "fake.toml", "--jobs", "1", "--out", "out", "--quiet"];
    try_all(rig, &Scenario { start, arguments, results: "out", talks: false, copies: false })
}

/// A small run of real training whose weights are kept.
pub(crate) fn weights(rig: &Rig) -> Result<Tally, String> {
    let start = tempfile::tempdir().expect("a folder");
    let text = "name = \"real\"\nrepeats = 2\n[dataset]\nsource = \"digits\"\ntrain-limit = 200\n\
                [model]\npreset = \"logistic\"\n[train]\nepochs = 2\n[ensemble]\nsize = 2\n";
    fs::write(start.path().join("real.toml"), text).expect("a file");
    let arguments =
        vec!["run", "real.toml", "--save-weights", "--jobs", "1", "--out", "out", "--quiet"];
    try_all(rig, &Scenario { start, arguments, results: "out", talks: false, copies: false })
}

/// A check that trains more repeats, look by look.
pub(crate) fn escalate(rig: &Rig) -> Result<Tally, String> {
    let start = tempfile::tempdir().expect("a folder");
    let experiment = |accuracy: f64, seed: u32| {
        format!(
            "name = \"fake\"\nrepeats = 4\nseed = {seed}\n[dataset]\nsource = \"synthetic\"\n\
             [trainer]\nengine = \"fake\"\n[trainer.fake]\naccuracy = {accuracy}\n\
             spread = 0.008\n[[grid]]\n[grid.axes]\n\"augment.shift\" = [0.0, 0.1]\n[check]\n\
             tolerance = 1.0\n"
        )
    };
    fs::write(start.path().join("before.toml"), experiment(0.9, 7)).expect("a file");
    fs::write(start.path().join("now.toml"), experiment(0.896, 8)).expect("a file");
    let run = ["run", "before.toml", "--set", "repeats=20", "--out", "before", "--quiet"];
    must(start.path(), &run, 0)?;
    must(start.path(), &["baseline", "before", "--output", "baseline.json"], 0)?;
    must(start.path(), &["run", "now.toml", "--out", "now", "--quiet"], 0)?;
    let arguments = vec![
        "check",
        "now",
        "--baseline",
        "baseline.json",
        "--escalate",
        "--json",
        "--quiet",
        "--jobs",
        "1",
    ];
    try_all(rig, &Scenario { start, arguments, results: "now", talks: true, copies: false })
}

/// The best cells again on fresh seeds.
pub(crate) fn confirm(rig: &Rig) -> Result<Tally, String> {
    let start = tempfile::tempdir().expect("a folder");
    fs::write(start.path().join("fake.toml"), FAKE.replace("attempts = 9", "attempts = 1"))
        .expect("a file");
    must(start.path(), &["run", "fake.toml", "--out", "first", "--quiet"], 0)?;
    let arguments = vec![
        "confirm",
        "first",
        "--out",
        "fresh",
        "--repeats",
        "2",
        "--format",
        "json",
        "--quiet",
        "--jobs",
        "1",
    ];
    try_all(rig, &Scenario { start, arguments, results: "fresh", talks: true, copies: false })
}

/// A folder of version 1 turned into version 2.
pub(crate) fn migrate(rig: &Rig) -> Result<Tally, String> {
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/run-1");
    let start = tempfile::tempdir().expect("a folder");
    crate::rig::copy(&golden, &start.path().join("old"));
    let arguments = vec!["migrate", "old", "--apply"];
    try_all(rig, &Scenario { start, arguments, results: "old", talks: false, copies: true })
}

fn try_all(rig: &Rig, scenario: &Scenario) -> Result<Tally, String> {
    let expected = Expected::of(rig, scenario)?;
    let modes = if rig.long { &MODES[..] } else { &MODES[1..2] };
    let cases: Vec<Fault> = rig
        .points(expected.operations, 10)
        .into_iter()
        .flat_map(|at| modes.iter().map(move |what| Fault { at, what, stays: false }))
        .collect();
    Ok(rig.rounds(&cases, |fault| {
        let place = copy_of(scenario.start.path());
        let root = place.path().join(scenario.results);
        let killed = answer(&mut rig.faulty(place.path(), &root, &scenario.arguments, *fault));
        if killed.code != -9 && killed.code != expected.answer.code {
            return Err(format!("{fault:?}: exit {}\n{}", killed.code, killed.stderr));
        }
        expected.go_on(scenario, place.path()).map_err(|problem| format!("{fault:?}: {problem}"))
    }))
}

/// What an undisturbed call gives.
struct Expected {
    operations: usize,
    answer: Answer,
    tables: Vec<String>,
}

impl Expected {
    fn of(rig: &Rig, scenario: &Scenario) -> Result<Self, String> {
        let place = copy_of(scenario.start.path());
        let root = place.path().join(scenario.results);
        let (operations, answer) = rig.count(place.path(), &root, &scenario.arguments);
        if operations == 0 || answer.code < 0 || answer.code == 2 {
            return Err(format!(
                "{operations} operations, exit {}\n{}",
                answer.code, answer.stderr
            ));
        }
        Ok(Self { operations, answer, tables: tables(&root)? })
    }

    /// Starts the command again and holds everything against the undisturbed one.
    fn go_on(&self, scenario: &Scenario, place: &Path) -> Result<End, String> {
        let root = place.join(scenario.results);
        let again = must(place, &scenario.arguments, self.answer.code)?;
        let (said, expected) = (undated(&again.stdout), undated(&self.answer.stdout));
        if scenario.talks && said != expected {
            return Err(format!("it says\n{said}\ninstead of\n{expected}"));
        }
        same_tables(&root, &self.tables)?;
        if !scenario.copies {
            trained_once(&root)?;
        }
        must(place, &["status", scenario.results], 0)?;
        if root.join("damaged.list").exists() {
            return Err("a kill is no damage, but damaged.list is there".to_owned());
        }
        must(place, &["clean", scenario.results, "--apply"], 0)?;
        let left: Vec<PathBuf> = files(&root)
            .into_iter()
            .filter(|path| path.extension().is_some_and(|ending| ending == "tmp"))
            .collect();
        if left.is_empty() { Ok(End::Unharmed) } else { Err(format!("left behind: {left:?}")) }
    }
}

/// Returns what a command says without the dates of its runs.
fn undated(text: &str) -> String {
    text.lines().filter(|line| !line.contains("\"date\"")).collect::<Vec<_>>().join("\n")
}

/// Kills one run at random operations until one comes to its end.
pub(crate) fn often(rig: &Rig) -> Result<Tally, String> {
    let start = tempfile::tempdir().expect("a folder");
    fs::write(start.path().join("fake.toml"), FAKE).expect("a file");
    let arguments = vec!["run", "fake.toml", "--jobs", "2", "--out", "out", "--quiet"];
    let scenario = Scenario { start, arguments, results: "out", talks: false, copies: false };
    let expected = Expected::of(rig, &scenario)?;
    let seeds: Vec<u64> = (1..=if rig.long { 200 } else { 4 }).collect();
    Ok(rig.rounds(&seeds, |&seed| {
        let mut random = Random(seed);
        let place = copy_of(scenario.start.path());
        let root = place.path().join("out");
        for _ in 0..40 {
            let fault = Fault {
                at: 1 + random.below(expected.operations),
                what: MODES[random.below(MODES.len())],
                stays: false,
            };
            let killed = answer(&mut rig.faulty(place.path(), &root, &scenario.arguments, fault));
            if killed.code != -9 {
                break;
            }
        }
        expected.go_on(&scenario, place.path()).map_err(|problem| format!("seed {seed}: {problem}"))
    }))
}
