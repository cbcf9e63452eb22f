//! Bits of stored files change by themselves.

use std::fs;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use crate::rig::{
    Answer, End, FAKE, Random, Rig, Tally, answer, copy_of, files, must, same_tables, tables,
};

/// One flipped bit.
struct Flip {
    file: PathBuf,
    bit: usize,
}

/// Chooses bits of every file below `folder`.
fn flips(rig: &Rig, folder: &Path, ignored: &[&str]) -> Vec<Flip> {
    let mut random = Random(1);
    let mut chosen = Vec::new();
    for file in files(folder) {
        let name = file.to_string_lossy();
        if ignored.iter().any(|one| name.contains(one)) {
            continue;
        }
        let bits = 8 * fs::metadata(folder.join(&file)).expect("a file").len() as usize;
        let few = if rig.long { 120 } else { 2 };
        for _ in 0..few.min(bits) {
            chosen.push(Flip { file: file.clone(), bit: random.below(bits) });
        }
    }
    chosen
}

fn flip(folder: &Path, flip: &Flip) {
    let path = folder.join(&flip.file);
    let mut bytes = fs::read(&path).expect("a file");
    bytes[flip.bit / 8] ^= 1 << (flip.bit % 8);
    fs::write(&path, bytes).expect("a file");
}

/// Calls that read a results folder, in a place where it is called `out`.
const READERS: [&[&str]; 4] = [
    &["report", "out", "--format", "json"],
    &["status", "out", "--json"],
    &["report", "out", "--format", "csv"],
    &["compare", "out", "out", "--format", "json"],
];

fn ask(place: &Path, calls: &[&[&str]]) -> Vec<Answer> {
    calls.iter().map(|call| answer(&mut Rig::bench(place, call))).collect()
}

/// Holds what readers say against what they said before; returns whether one refused.
fn told(found: &[Answer], known: &[Answer], calls: &[&[&str]], file: &str) -> Result<bool, String> {
    let mut refused = false;
    for ((found, known), call) in found.iter().zip(known).zip(calls) {
        let is_told = found.stderr.starts_with("warning: ") && found.stderr.contains(file);
        match found.code {
            code if code == known.code && is_told => refused = true,
            2 if found.stderr.contains(file) => refused = true,
            2 => return Err(format!("{call:?} refuses and does not name it\n{}", found.stderr)),
            _ if found.code == known.code && found.stdout == known.stdout => {}
            code => {
                return Err(format!(
                    "SILENT: {call:?} says something else, exit {code}\n{}",
                    found.stderr
                ));
            }
        }
    }
    Ok(refused)
}

/// A results folder with everything in it: journal, predictions, weights, checkpoints, tables.
fn finished() -> Result<TempDir, String> {
    let place = tempfile::tempdir().expect("a folder");
    let text = "name = \"real\"\nrepeats = 2\n[dataset]\nsource = \"digits\"\ntrain-limit = 200\n\
                split = { test = 60 }\n[model]\npreset = \"logistic\"\n[train]\nepochs = 2\n\
                [[grid]]\n[grid.axes]\n\"ensemble.size\" = [1, 2]\n";
    fs::write(place.path().join("real.toml"), text).expect("a file");
    must(place.path(), &["run", "real.toml", "--save-weights", "--out", "out", "--quiet"], 0)?;
    Ok(place)
}

/// Every file of a results folder: readers refuse or say the same, and a run heals it.
pub(crate) fn results(rig: &Rig) -> Result<Tally, String> {
    let start = finished()?;
    let known = ask(start.path(), &READERS);
    let expected = tables(&start.path().join("out"))?;
    let cases = flips(rig, &start.path().join("out"), &["lock"]);
    Ok(rig.rounds(&cases, |case| {
        let place = copy_of(start.path());
        let out = place.path().join("out");
        flip(&out, case);
        let file = case.file.to_string_lossy().into_owned();
        let about = |problem: String| format!("bit {} of {file}: {problem}", case.bit);
        let refused = told(&ask(place.path(), &READERS), &known, &READERS, &file).map_err(about)?;
        let about = |problem: String| format!("bit {} of {file}, run again: {problem}", case.bit);
        let run = ["run", "real.toml", "--save-weights", "--out", "out", "--quiet"];
        let again = answer(&mut Rig::bench(place.path(), &run));
        if again.code != 0 {
            return Err(about(format!("exit {}\n{}", again.code, again.stderr)));
        }
        same_tables(&out, &expected).map_err(about)?;
        let stale = |path: &Path| {
            let (found, sound) = (out.join(path), start.path().join("out").join(path));
            path.starts_with("weights") && fs::read(found).ok() != fs::read(sound).ok()
        };
        if let Some(path) = files(&out).into_iter().find(|path| stale(path)) {
            return Err(about(format!("{} stays damaged", path.display())));
        }
        let after = ask(place.path(), &READERS[..1]);
        if after[0].code != 0 {
            return Err(about(format!("a report is refused\n{}", after[0].stderr)));
        }
        let is_news = !again.stderr.is_empty() || refused;
        Ok(if is_news { End::Healed } else { End::Unharmed })
    }))
}

/// Committed results (no journal), a baseline, an exported network: nothing heals them.
pub(crate) fn committed(rig: &Rig) -> Result<Tally, String> {
    let start = finished()?;
    let place = start.path();
    let fake = FAKE.replace("attempts = 9", "attempts = 1") + "\n[check]\ntolerance = 1.0\n";
    fs::write(place.join("fake.toml"), fake).expect("a file");
    must(place, &["run", "fake.toml", "--out", "fake", "--quiet"], 0)?;
    must(place, &["baseline", "fake", "--output", "kept/baseline.json"], 0)?;
    let cell = "ensemble.size=1";
    must(place, &["export", "out", "--cell", cell, "--output", "kept/model.safetensors"], 0)?;
    for folder in ["journal", "predictions", "weights", "checkpoints"] {
        let _ = fs::remove_dir_all(place.join("out").join(folder));
    }
    for file in files(&place.join("out")) {
        if file.extension().is_some_and(|ending| ending == "parquet") {
            fs::remove_file(place.join("out").join(file)).expect("a file");
        }
    }
    let tables =
        part(rig, &start, "out", &["lock", "report.md", "charts", ".list"], &READERS[..1])?;
    let check: [&[&str]; 1] = [&["check", "fake", "--baseline", "kept/baseline.json", "--json"]];
    let baseline = part(rig, &start, "kept", &["model"], &check)?;
    let header: Vec<String> = (0..64).map(|pixel| format!("pixel{pixel}")).collect();
    let rows: Vec<String> = (0..20)
        .map(|row| {
            (0..64).map(|at| ((row * 7 + at * 3) % 17).to_string()).collect::<Vec<_>>().join(",")
        })
        .collect();
    fs::write(place.join("images.csv"), format!("{}\n{}\n", header.join(","), rows.join("\n")))
        .expect("a file");
    let predict: [&[&str]; 1] =
        [&["predict", "kept/model.safetensors", "images.csv", "--probabilities", "/dev/stdout"]];
    let model = part(rig, &start, "kept", &["baseline"], &predict)?;
    Ok(tables.join(baseline).join(model))
}

fn part(
    rig: &Rig,
    start: &TempDir,
    folder: &str,
    ignored: &[&str],
    calls: &[&[&str]],
) -> Result<Tally, String> {
    let known = ask(start.path(), calls);
    if let Some(failed) = known.iter().find(|answer| ![0, 4, 5].contains(&answer.code)) {
        return Err(format!("{calls:?}: exit {}\n{}", failed.code, failed.stderr));
    }
    let cases = flips(rig, &start.path().join(folder), ignored);
    Ok(rig.rounds(&cases, |case| {
        let place = copy_of(start.path());
        flip(&place.path().join(folder), case);
        let file = case.file.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let refused = told(&ask(place.path(), calls), &known, calls, &file)
            .map_err(|problem| format!("bit {} of {}: {problem}", case.bit, case.file.display()))?;
        Ok(if refused { End::Refused } else { End::Unharmed })
    }))
}
