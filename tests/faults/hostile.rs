//! Results folders that were made to do harm: links, pipes, and names that lead outside.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::refusals::with_a_network;
use crate::rig::{End, FAKE, Rig, Tally, answer, copy, copy_of, files, must};

/// What must stay as it is, whatever happens.
const CANARY: &str = "this is somebody else's file\n";

/// Everything that is done to a results folder one was given.
const CALLS: [&[&str]; 7] = [
    &["run", "fake.toml", "--out", "out", "--quiet"],
    &["report", "out"],
    &["check", "out", "--baseline", "baseline.json", "--escalate", "--quiet"],
    &["confirm", "out", "--out", "fresh", "--quiet"],
    &["tensorboard", "out", "--output", "logs"],
    &["migrate", "out", "--apply"],
    &["clean", "out", "--apply", "--force"],
];

/// What writes where it is told to: the path takes the place of `@`.
const OUTPUTS: [&[&str]; 11] = [
    &["report", "sound", "--format", "html", "--output", "@"],
    &["report", "sound", "--format", "markdown", "--output", "@"],
    &["report", "sound", "--format", "latex", "--output", "@"],
    &["baseline", "sound", "--output", "@"],
    &["check", "sound", "--baseline", "baseline.json", "--also", "junit=@"],
    &["check", "sound", "--baseline", "baseline.json", "--history", "@"],
    &["tensorboard", "sound", "--output", "@"],
    &["export", "small", "--output", "@"],
    &["predict", "network.safetensors", "images", "--output", "@"],
    &["data", "preview", "digits", "--output", "@"],
    &["data", "convert", "digits", "--form", "folder", "--limit", "9", "--output", "@"],
];

pub(crate) fn all(rig: &Rig) -> Result<Tally, String> {
    let start = tempfile::tempdir().expect("a folder");
    let place = start.path();
    fs::write(
        place.join("fake.toml"),
        FAKE.replace("attempts = 9", "attempts = 1") + "\n[check]\n",
    )
    .expect("a file");
    must(place, &["run", "fake.toml", "--out", "out", "--quiet"], 0)?;
    must(place, &["baseline", "out", "--output", "baseline.json"], 0)?;
    copy(&place.join("out"), &place.join("sound"));
    with_a_network(place)?;
    let mut targets: Vec<PathBuf> = files(&place.join("out"));
    targets.extend(["journal", "predictions", "tables", "charts"].map(PathBuf::from));
    targets.extend(
        ["weights", "checkpoints", "damaged.list", "skipped.list", "journal/evil.jsonl"]
            .map(PathBuf::from),
    );
    let links = rig.rounds(&targets, |target| link(start.path(), target));
    let names = ["../../escape", "/tmp/bench-escape", "..", "a/b", "a\u{0}b", "-rf", ""];
    let names = rig.rounds(&names, |name| named(name));
    let pipes = ["manifest.json", "journal/pipe.jsonl", "tables/cells.parquet", "derived.json"];
    let pipes = rig.rounds(&pipes, |name| pipe(start.path(), name));
    Ok(links.join(names).join(pipes))
}

/// One file or folder is a link to something outside.
fn link(start: &Path, target: &Path) -> Result<End, String> {
    let about = |problem: String| format!("{} is a link: {problem}", target.display());
    let place = copy_of(start);
    let outside = tempfile::tempdir().expect("a folder");
    let path = place.path().join("out").join(target);
    let kind = fs::symlink_metadata(&path).map(|facts| facts.is_dir());
    let canary = outside.path().join("canary");
    if matches!(kind, Ok(true)) {
        copy(&path, outside.path());
        fs::remove_dir_all(&path).expect("a folder");
        symlink(outside.path(), &path).expect("a link");
    } else {
        drop(fs::remove_file(&path));
        symlink(&canary, &path).expect("a link");
    }
    fs::write(&canary, CANARY).expect("a file");
    let before: Vec<(PathBuf, Vec<u8>)> = contents(outside.path());
    let named = Path::new("out").join(target).to_string_lossy().into_owned();
    let named = if kind.is_ok_and(|is_folder| is_folder) { format!("{named}/new") } else { named };
    for call in OUTPUTS {
        let call: Vec<String> = call.iter().map(|word| word.replace('@', &named)).collect();
        let words: Vec<&str> = call.iter().map(String::as_str).collect();
        let answer = answer(&mut Rig::bench(place.path(), &words));
        if answer.code != 2 || !answer.stderr.contains("symbolic link") {
            return Err(about(format!("{call:?}: exit {}\n{}", answer.code, answer.stderr)));
        }
        if contents(outside.path()) != before {
            return Err(about(format!("WRITTEN OUTSIDE by {call:?}")));
        }
    }
    let mut refused = false;
    for call in CALLS {
        let answer = answer(&mut Rig::bench(place.path(), call));
        refused |= answer.code == 2;
        if ![0, 2, 4, 5].contains(&answer.code) {
            return Err(about(format!("{call:?}: exit {}\n{}", answer.code, answer.stderr)));
        }
        if contents(outside.path()) != before {
            return Err(about(format!("WRITTEN OUTSIDE by {call:?}")));
        }
        if answer.stdout.contains(CANARY.trim()) || answer.stderr.contains(CANARY.trim()) {
            return Err(about(format!("READ OUTSIDE by {call:?}")));
        }
    }
    Ok(if refused { End::Refused } else { End::Unharmed })
}

fn contents(folder: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let read = |path: PathBuf| {
        let bytes = fs::read(folder.join(&path)).unwrap_or_default();
        (path, bytes)
    };
    files(folder).into_iter().map(read).collect()
}

/// A manifest (of version 1: it has no checksum) gives the experiment a name that leads elsewhere.
fn named(name: &str) -> Result<End, String> {
    let about = |problem: String| format!("an experiment called {name:?}: {problem}");
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/run-1");
    let place = tempfile::tempdir().expect("a folder");
    copy(&golden, &place.path().join("deep/out"));
    let manifest = place.path().join("deep/out/manifest.json");
    let text = fs::read_to_string(&manifest).expect("a manifest");
    let quoted = serde_json::to_string(name).expect("text");
    let changed = text.replacen("\"name\": \"old\"", &format!("\"name\": {quoted}"), 1);
    assert_ne!(changed, text, "the name is where it was");
    fs::write(&manifest, changed).expect("a file");
    let before = files(place.path());
    let call = ["tensorboard", "deep/out", "--output", "deep/logs"];
    let answer = answer(&mut Rig::bench(place.path(), &call));
    if answer.code != 2 {
        return Err(about(format!("exit {}\n{}", answer.code, answer.stderr)));
    }
    if files(place.path()) != before || Path::new("/tmp/bench-escape").exists() {
        return Err(about("WRITTEN OUTSIDE".to_owned()));
    }
    Ok(End::Refused)
}

/// A pipe stands where a file is expected: nobody waits for its other end.
fn pipe(start: &Path, name: &str) -> Result<End, String> {
    let place = copy_of(start);
    let path = place.path().join("out").join(name);
    drop(fs::remove_file(&path));
    let made = Command::new("mkfifo").arg(&path).status().expect("mkfifo runs");
    assert!(made.success(), "a pipe");
    let calls = [&CALLS[1][..], &["run", "fake.toml", "--set", "name=other", "--out", "beside"]];
    for call in calls {
        let answer = answer(&mut Rig::bench(place.path(), call));
        if ![0, 2].contains(&answer.code) {
            return Err(format!("{name} is a pipe: {call:?}: exit {}", answer.code));
        }
    }
    Ok(End::Refused)
}
