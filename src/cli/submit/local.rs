//! Workers as processes of this machine.

use std::fs::OpenOptions;
use std::process::{Command, Stdio};

use super::engine::Engine;
use super::record::Record;
use crate::cli::failure::Failure;
use crate::cluster::submission::{Submission, shell_line};

/// Prints the commands.
pub(super) fn show(job: &Submission) {
    let line = shell_line(&command(job));
    for index in 0..job.workers {
        outln!("BENCH_WORKER_INDEX={index} {line}");
    }
}

/// Starts the processes; they outlive this one.
pub(super) fn start(job: &Submission) -> Result<Record, Failure> {
    let mut jobs = Vec::new();
    for index in 0..job.workers {
        let path = job.store.join(format!("logs/local-{index}.log"));
        let log = OpenOptions::new().create(true).append(true).open(&path);
        let log = log.and_then(|log| Ok((log.try_clone()?, log))).map_err(|error| {
            Failure::input(format!("cannot write `{}`", path.display())).because(&error)
        })?;
        let words = command(job);
        let mut command = Command::new(&words[0]);
        command.args(&words[1..]).env("BENCH_WORKER_INDEX", index.to_string());
        command.stdin(Stdio::null()).stdout(log.0).stderr(log.1);
        apart(&mut command);
        let child = command
            .spawn()
            .map_err(|error| Failure::internal("cannot start a worker").because(&error))?;
        jobs.push(child.id().to_string());
    }
    outln!("processes {}", jobs.join(" "));
    say!("their logs are `{}`", job.store.join("logs/local-*.log").display());
    Ok(Record::new(Engine::Local, jobs))
}

/// Ctrl-C at the terminal is not meant for them.
fn apart(command: &mut Command) {
    #[cfg(unix)]
    {
        use std::os::unix::process::CommandExt as _;
        command.process_group(0);
    }
    #[cfg(not(unix))]
    let _ = command;
}

fn command(job: &Submission) -> Vec<String> {
    let mut words = job.command();
    words.extend(["--jobs".to_owned(), job.cpus.to_string()]);
    words
}
