//! `bench cancel`: asks the workers that were submitted to leave.

use std::process::Command;

use super::arguments::CancelArguments;
use super::failure::{Exit, Failure};
use super::submit::{Engine, Record};

pub(super) fn cancel(arguments: &CancelArguments) -> Result<Exit, Failure> {
    let folder = &arguments.folder;
    let cannot = || Failure::input(format!("cannot cancel the workers of `{}`", folder.display()));
    let records = Record::all(folder);
    if records.is_empty() {
        return Err(cannot()
            .because_of("nothing was submitted for it with `bench submit`")
            .hint(Some("send TERM to workers that were started by hand: they leave in order")));
    }
    let mut problems = Vec::new();
    for engine in [Engine::Slurm, Engine::Hyperqueue, Engine::Kubernetes, Engine::Local] {
        // The closing job first, so that it does not submit the others again.
        let of_engine = || records.iter().filter(|record| record.engine == engine);
        let mut jobs: Vec<String> =
            of_engine().filter_map(|record| record.closing.clone()).collect();
        jobs.extend(of_engine().flat_map(|record| record.jobs.iter().cloned()));
        jobs.retain(|job| engine != Engine::Local || is_worker(job));
        if jobs.is_empty() {
            continue;
        }
        let words = engine.cancellation(&jobs);
        let output = Command::new(&words[0]).args(&words[1..]).output();
        match output {
            Ok(output) if output.status.success() => outln!("{}", words.join(" ")),
            Ok(output) => {
                let said = String::from_utf8_lossy(&output.stderr).trim().to_owned();
                problems.push(format!("`{}` says: {said}", words[0]));
            }
            Err(error) => problems.push(format!("`{}` cannot be started: {error}", words[0])),
        }
    }
    if problems.is_empty() {
        say!(
            "the workers leave after their epoch; what they finished is kept, `bench submit` goes on"
        );
        return Ok(Exit::Done);
    }
    Err(problems.into_iter().fold(cannot(), Failure::because_of))
}

/// Returns whether a process of this number is a worker: numbers are used again.
fn is_worker(process: &str) -> bool {
    let line = std::fs::read(format!("/proc/{process}/cmdline")).unwrap_or_default();
    let mut words = line.split(|&byte| byte == 0);
    let program = words.next().unwrap_or_default();
    program.ends_with(b"bench") && words.next() == Some(b"worker")
}
