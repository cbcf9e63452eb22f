//! Batch scripts of Slurm: an array of workers, and the job behind it that writes the tables.

use std::fmt::Write as _;
use std::time::Duration;

use super::{Submission, quoted, shell_line};

/// Returns the script of an array of workers; `size` of them, the first with index `offset`.
///
/// Its last line is `exec`: a shell loses signals that come while it handles another, the program does
/// not.
pub(crate) fn script(job: &Submission, size: u32, offset: u32) -> String {
    let mut text = "#!/bin/bash\n".to_owned();
    let mut option = |line: String| writeln!(text, "#SBATCH {line}").expect("a string grows");
    option(format!("--job-name=bench-{}", job.experiment));
    let at_once = job.at_once.filter(|at_once| *at_once < size);
    let at_once = at_once.map(|at_once| format!("%{at_once}")).unwrap_or_default();
    option(format!("--array=0-{}{at_once}", size.saturating_sub(1)));
    option("--nodes=1 --ntasks=1".to_owned());
    option(format!("--cpus-per-task={}", job.cpus));
    if let Some(gpus) = job.gpus {
        option(format!("--gres=gpu:{gpus}"));
    }
    for line in shared(job) {
        option(line);
    }
    if let Some(time) = job.time {
        option(format!("--time={}", time_text(time)));
    }
    // Asked to leave by a signal as well as by its own clock; nothing to do where there is no limit.
    let ahead = job.ahead().map_or(120, |ahead| ahead.as_secs());
    option(format!("--signal=B:USR1@{ahead}"));
    // A node that fails starts its workers elsewhere, which take over what they had begun.
    option("--requeue --open-mode=append".to_owned());
    option(format!("--output={}", log(job, "%A_%a")));
    for line in &job.options {
        option(line.clone());
    }
    if offset > 0 {
        writeln!(text, "export BENCH_WORKER_OFFSET={offset}").expect("a string grows");
    }
    text + &body(job, job.command())
}

/// Returns the script of the job that runs when all workers have ended, however they ended.
pub(crate) fn closing_script(job: &Submission) -> String {
    let mut text = "#!/bin/bash\n".to_owned();
    let mut option = |line: String| writeln!(text, "#SBATCH {line}").expect("a string grows");
    option(format!("--job-name=bench-{}-close", job.experiment));
    option("--nodes=1 --ntasks=1 --cpus-per-task=1".to_owned());
    for line in shared(job) {
        option(line);
    }
    if let Some(time) = job.time {
        option(format!("--time={}", time_text(time)));
    }
    option("--requeue --open-mode=append".to_owned());
    option(format!("--output={}", log(job, "%j-close")));
    for line in &job.options {
        option(line.clone());
    }
    text + &body(job, job.closing_command())
}

fn shared(job: &Submission) -> Vec<String> {
    let value = |name: &str, value: &Option<String>| {
        value.as_ref().map(|value| format!("--{name}={}", quoted(value)))
    };
    [value("partition", &job.partition), value("account", &job.account), value("mem", &job.memory)]
        .into_iter()
        .flatten()
        .collect()
}

/// Returns where a log goes; a `%` of the path is no pattern of Slurm's.
fn log(job: &Submission, name: &str) -> String {
    let folder = job.store.join("logs").display().to_string().replace('%', "%%");
    quoted(&format!("{folder}/slurm-{name}.log"))
}

fn body(job: &Submission, command: Vec<String>) -> String {
    let mut text = String::new();
    for module in &job.modules {
        writeln!(text, "module load {}", quoted(module)).expect("a string grows");
    }
    writeln!(text, "exec {}", shell_line(&job.contained(command))).expect("a string grows");
    text
}

/// Returns a time as Slurm reads it, whole minutes up.
fn time_text(time: Duration) -> String {
    let minutes = time.as_secs().div_ceil(60).max(1);
    let (days, hours, minutes) = (minutes / 1440, minutes / 60 % 24, minutes % 60);
    if days > 0 {
        format!("{days}-{hours:02}:{minutes:02}:00")
    } else {
        format!("{hours}:{minutes:02}:00")
    }
}
