//! `bench logs`: the last lines of what programs and workers printed.

use std::io::{Read as _, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};

use super::arguments::LogsArguments;
use super::failure::{Exit, Failure};
use crate::report::counted;
use crate::session::{Reading, logs};

/// Bytes of a file that are looked at for its last lines.
const MAX_TAIL: u64 = 256 << 10;

pub(super) fn show(arguments: &LogsArguments) -> Result<Exit, Failure> {
    let reading = Reading::open(&arguments.folder)?;
    let found = logs(&reading, &arguments.selector.join(" "))?;
    for one in &found.trainings {
        let ended = one.outcome.map_or("has not ended", |outcome| outcome.name());
        outln!("{}, repeat {}, network {}: {ended}", one.cell, one.repeat, one.member);
        tails(&one.files, arguments.lines)?;
    }
    for worker in &found.workers {
        outln!("worker {}: {}", worker.name, counted(worker.members, "network"));
        tails(&worker.files, arguments.lines)?;
    }
    if found.trainings.is_empty() && found.workers.is_empty() {
        outln!(
            "nothing was logged: what a program prints is kept where its trial fails, and what a \
             worker prints where `bench submit` started it"
        );
    }
    Ok(Exit::Done)
}

/// Prints the last lines of files, each below its name.
fn tails(files: &[PathBuf], lines: usize) -> Result<(), Failure> {
    for path in files {
        let tail = tail(path).map_err(|error| {
            Failure::input(format!("cannot read `{}`", path.display())).because(&error)
        })?;
        outln!("  {}", path.display());
        let all: Vec<&str> = tail.lines().collect();
        for line in &all[all.len().saturating_sub(lines)..] {
            outln!("    {line}");
        }
        if all.is_empty() {
            outln!("    (empty)");
        }
    }
    Ok(())
}

fn tail(path: &Path) -> std::io::Result<String> {
    let mut file = std::fs::File::open(path)?;
    let length = file.metadata()?.len();
    file.seek(SeekFrom::Start(length.saturating_sub(MAX_TAIL)))?;
    let mut bytes = Vec::new();
    file.take(MAX_TAIL).read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}
