//! The operating system refuses: a full disk, an input/output error, half a write, no locks.

use std::fs;
use std::path::Path;

use tempfile::TempDir;

use crate::rig::{
    Answer, End, FAKE, Fault, Rig, Tally, answer, copy, copy_of, must, same_tables, tables,
};

/// Linux numbers of errors.
const EIO: &str = "5";
const EINTR: &str = "4";
const ENOSPC: &str = "28";
const ENOSYS: &str = "38";
const EOPNOTSUPP: &str = "95";
/// Exit code of a machine's fault, of a user's, and of an undisturbed run, one of whose members
/// fails for good.
const MACHINE: i32 = 1;
const FAILED: i32 = 3;

const RUN: [&str; 7] = ["run", "fake.toml", "--jobs", "1", "--out", "out", "--quiet"];

struct Undisturbed {
    start: TempDir,
    operations: usize,
    tables: Vec<String>,
}

impl Undisturbed {
    fn of(rig: &Rig) -> Result<Self, String> {
        let start = tempfile::tempdir().expect("a folder");
        fs::write(start.path().join("fake.toml"), FAKE).expect("a file");
        let place = copy_of(start.path());
        let root = place.path().join("out");
        let (operations, answer) = rig.count(place.path(), &root, &RUN);
        if answer.code != FAILED {
            return Err(format!("exit {}\n{}", answer.code, answer.stderr));
        }
        Ok(Self { start, operations, tables: tables(&root)? })
    }

    /// Runs with a fault, then without; `allowed` are the exit codes of the first.
    fn try_one(&self, rig: &Rig, fault: Fault, allowed: &[i32]) -> Result<End, String> {
        let place = copy_of(self.start.path());
        let root = place.path().join("out");
        let met = answer(&mut rig.faulty(place.path(), &root, &RUN, fault));
        let Answer { code, stderr, .. } = &met;
        if !allowed.contains(code) {
            return Err(format!("{fault:?}: exit {code}, expected one of {allowed:?}\n{stderr}"));
        }
        if *code == MACHINE && !stderr.contains("out") {
            return Err(format!("{fault:?}: no file is named\n{stderr}"));
        }
        must(place.path(), &RUN, FAILED)
            .and_then(|_| same_tables(&root, &self.tables))
            .map_err(|problem| format!("{fault:?}, then without it: {problem}"))?;
        Ok(if *code == FAILED { End::Unharmed } else { End::Refused })
    }

    fn try_all(&self, rig: &Rig, faults: &[(&'static str, bool)], allowed: &[i32]) -> Tally {
        let cases: Vec<Fault> = rig
            .points(self.operations, 10)
            .into_iter()
            .flat_map(|at| faults.iter().map(move |&(what, stays)| Fault { at, what, stays }))
            .collect();
        rig.rounds(&cases, |fault| self.try_one(rig, *fault, allowed))
    }
}

/// The disk is full from an operation on.
pub(crate) fn full_disk(rig: &Rig) -> Result<Tally, String> {
    Ok(Undisturbed::of(rig)?.try_all(rig, &[(ENOSPC, true)], &[MACHINE, FAILED]))
}

/// What writes, beside a run: each to `fresh`, or into the results folder.
const WRITERS: [(&str, &[&str]); 14] = [
    ("fresh", &["report", "out", "--format", "html", "--output", "fresh/page.html"]),
    ("fresh", &["report", "out", "--format", "markdown", "--output", "fresh/page.md"]),
    ("fresh", &["baseline", "out", "--output", "fresh/baseline.json"]),
    ("fresh", &["tensorboard", "out", "--output", "fresh/logs"]),
    (
        "fresh",
        &[
            "data",
            "convert",
            "digits",
            "--form",
            "kaggle",
            "--limit",
            "9",
            "--output",
            "fresh/data",
        ],
    ),
    ("fresh", &["data", "preview", "fake.toml", "--output", "fresh/preview.png"]),
    ("fresh", &["check", "out", "--baseline", "baseline.json", "--history", "fresh/history.jsonl"]),
    ("fresh", &["confirm", "out", "--out", "fresh/out", "--quiet"]),
    ("old", &["migrate", "old", "--apply"]),
    ("fresh", &["export", "small", "--output", "fresh/networks"]),
    ("fresh", &["export", "small", "--output", "fresh/network.safetensors"]),
    (
        "fresh",
        &[
            "predict",
            "network.safetensors",
            "images",
            "--output",
            "fresh/said.csv",
            "--probabilities",
            "fresh/probabilities.csv",
            "--gallery",
            "fresh/gallery.png",
        ],
    ),
    ("fresh", &["compare", "out", "out", "--format", "json", "--output", "fresh/compared.json"]),
    ("fresh", &["check", "out", "--baseline", "baseline.json", "--also", "junit=fresh/junit.xml"]),
];

/// Trains one small network, exports it, and has images for it to predict.
pub(crate) fn with_a_network(place: &Path) -> Result<(), String> {
    const SMALL: &str = "name = \"small\"\nrepeats = 1\n[dataset]\nsource = \"digits\"\n\
        train-limit = 200\n[model]\npreset = \"logistic\"\n[train]\nepochs = 1\n";
    fs::write(place.join("small.toml"), SMALL).expect("a file");
    must(place, &["run", "small.toml", "--out", "small", "--save-weights", "--quiet"], 0)?;
    must(place, &["export", "small", "--output", "network.safetensors"], 0)?;
    let convert = ["data", "convert", "digits", "--form", "folder", "--limit", "9"];
    must(place, &[&convert[..], &["--output", "images"]].concat(), 0)?;
    Ok(())
}

/// The disk is full from an operation on while a report, a baseline, … is written: exit code 1, and
/// the file is named.
pub(crate) fn full_output(rig: &Rig) -> Result<Tally, String> {
    let start = tempfile::tempdir().expect("a folder");
    let place = start.path();
    let text = FAKE.replace("attempts = 9", "attempts = 1") + "\n[check]\n";
    fs::write(place.join("fake.toml"), text).expect("a file");
    fs::create_dir(place.join("fresh")).expect("a folder");
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/run-1");
    copy(&golden, &place.join("old"));
    must(place, &["run", "fake.toml", "--out", "out", "--quiet"], 0)?;
    must(place, &["baseline", "out", "--output", "baseline.json"], 0)?;
    with_a_network(place)?;
    let mut cases = Vec::new();
    for (root, call) in WRITERS {
        let undisturbed = copy_of(place);
        let (count, answer) = rig.count(undisturbed.path(), &undisturbed.path().join(root), call);
        if answer.code != 0 || count == 0 {
            let Answer { code, stderr, .. } = answer;
            return Err(format!("{call:?}: exit {code}, {count} operations\n{stderr}"));
        }
        cases.extend(rig.points(count, 4).into_iter().map(|at| (root, call, at)));
    }
    Ok(rig.rounds(&cases, |&(root, call, at)| {
        let place = copy_of(start.path());
        let fault = Fault { at, what: ENOSPC, stays: true };
        let met = answer(&mut rig.faulty(place.path(), &place.path().join(root), call, fault));
        let Answer { code, stderr, .. } = &met;
        match *code {
            MACHINE if stderr.contains(root) => Ok(End::Refused),
            // What was left to do was not to write.
            0 => Ok(End::Unharmed),
            _ => Err(format!("{call:?}, {fault:?}: exit {code}\n{stderr}")),
        }
    }))
}

/// One operation fails, and all after it.
pub(crate) fn errors(rig: &Rig) -> Result<Tally, String> {
    let faults = [(EIO, false), (EIO, true), (ENOSPC, false)];
    Ok(Undisturbed::of(rig)?.try_all(rig, &faults, &[MACHINE, FAILED]))
}

/// Half of a write or one byte of a read is done, or a signal comes: nothing is to be seen of it.
pub(crate) fn short(rig: &Rig) -> Result<Tally, String> {
    let undisturbed = Undisturbed::of(rig)?;
    Ok(undisturbed.try_all(rig, &[("short", false), (EINTR, false)], &[FAILED]))
}

/// Locks are not known to the file system.
pub(crate) fn no_locks(rig: &Rig) -> Result<Tally, String> {
    let undisturbed = Undisturbed::of(rig)?;
    Ok(rig.rounds(&[ENOSYS, EOPNOTSUPP, "37"], |what| {
        let place = copy_of(undisturbed.start.path());
        let root = place.path().join("out");
        let fault = Fault { at: 1, what, stays: true };
        let mut command = rig.faulty(place.path(), &root, &RUN, fault);
        let met = answer(command.env("FAULT_ON", "flock"));
        if met.code != FAILED {
            return Err(format!("errno {what}: exit {}\n{}", met.code, met.stderr));
        }
        same_tables(&root, &undisturbed.tables)?;
        Ok(End::Unharmed)
    }))
}
