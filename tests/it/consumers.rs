//! What `bench` writes, opened by the programs it is meant for.
//!
//! Needs a Python with the packages of `tests/consumers/requirements.txt`, named by
//! `BENCH_PYTHON`; without one a line says that nothing was tried. `.ci/run` makes one.

use std::path::PathBuf;
use std::process::Command;

use crate::support::{FAKE, Place, root};

/// Returns the Python that has the packages.
#[expect(clippy::print_stdout, reason = "a check that was not made must be seen")]
fn python() -> Option<PathBuf> {
    let named = std::env::var_os("BENCH_PYTHON").filter(|value| !value.is_empty());
    if named.is_none() {
        println!("not tried: BENCH_PYTHON names no Python with tests/consumers/requirements.txt");
    }
    named.map(PathBuf::from)
}

/// Runs a script of `tests/consumers`, which must end well.
fn consume(script: &str, arguments: &[&str]) {
    let Some(python) = python() else { return };
    let script = root().join("tests/consumers").join(script);
    let answer = Command::new(python)
        .arg(script)
        .args(arguments)
        .env("TF_CPP_MIN_LOG_LEVEL", "3")
        .output()
        .expect("Python starts");
    let (out, err) =
        (String::from_utf8_lossy(&answer.stdout), String::from_utf8_lossy(&answer.stderr));
    assert!(answer.status.success(), "{out}{err}");
    assert!(out.contains(": ok"), "{out}{err}");
}

fn shown(place: &Place, name: &str) -> String {
    place.path(name).display().to_string()
}

#[test]
fn junit_files_are_read_by_junitparser() {
    let place = Place::new();
    let many = FAKE.replace("repeats = 3", "repeats = 10") + "\n[check]\ntolerance = 1.0\n";
    place.file("fake.toml", &many);
    place.done(&["run", "fake.toml", "--quiet"]);
    place.done(&["baseline", "results/fake", "--output", "baseline.json"]);
    // Two cells at 20 degrees lose five points; the other four stay.
    place.file("worse.toml", many.replace("-0.001 }", "-0.001, \"augment.shift\" = 0.0 }"));
    place.done(&[
        "run",
        "worse.toml",
        "--out",
        "worse",
        "--quiet",
        "--set",
        "trainer.fake.effects={ \"augment.rotation\" = -0.0035 }",
    ]);
    let answer = place.bench(&[
        "check",
        "worse",
        "--baseline",
        "baseline.json",
        "--json",
        "--also",
        "junit=check.xml",
    ]);
    let report: serde_json::Value = serde_json::from_str(&answer.stdout).expect("JSON");
    let count = |verdict: &str| {
        let cells = report["cells"].as_array().expect("cells").iter();
        // A loss in the mean of all cells is a test case of its own.
        let common = (report["common"]["verdict"] == "regressed").then_some(&report["common"]);
        cells.chain(common).filter(|one| one["verdict"] == verdict).count().to_string()
    };
    let counts = ["regressed", "inconclusive", "ok"].map(count);
    assert_ne!(counts[0], "0", "{report:#}");
    let file = shown(&place, "check.xml");
    consume("junit.py", &[&file, &counts[0], &counts[1], &counts[2]]);
}

#[test]
fn tables_are_read_by_pandas_polars_and_duckdb() {
    let place = Place::new();
    place.file("fake.toml", FAKE);
    place.done(&["run", "fake.toml", "--quiet"]);
    consume("tables.py", &[&shown(&place, "results/fake/tables")]);
}

#[test]
fn event_files_are_read_by_tensorboard() {
    let place = Place::new();
    place.file("fake.toml", FAKE);
    place.done(&["run", "fake.toml", "--quiet"]);
    place.done(&["tensorboard", "results/fake", "--output", "logs"]);
    consume("tensorboard_files.py", &[&shown(&place, "logs/fake"), "6", "3", "4"]);
}
