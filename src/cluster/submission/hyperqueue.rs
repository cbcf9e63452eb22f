//! Job files of `HyperQueue`: one worker of ours per task of theirs.

use std::fmt::Write as _;

use super::{Submission, in_quotes};

/// How often a task is started again when its `HyperQueue` worker is lost.
const CRASH_LIMIT: u32 = 5;

/// Returns the job file.
///
/// Restarts and time limits are the engine's: with `time_request` its workers start no task whose time
/// does not fit into what is left of their allocation.
pub(crate) fn job_file(job: &Submission) -> String {
    let mut text = String::new();
    let mut line = |line: String| writeln!(text, "{line}").expect("a string grows");
    line(format!("name = {}", in_quotes(&format!("bench-{}", job.experiment))));
    line(String::new());
    line("[array]".to_owned());
    line(format!("ids = \"0-{}\"", job.workers.saturating_sub(1)));
    let command = job.contained(job.command());
    let words: Vec<String> = command.iter().map(|word| in_quotes(word)).collect();
    line(format!("command = [{}]", words.join(", ")));
    let log = job.store.join("logs/hq-%{TASK_ID}.log").display().to_string();
    line(format!("stdout = {}", in_quotes(&log)));
    line(format!("stderr = {}", in_quotes(&log.replace(".log", ".err"))));
    line(format!("crash_limit = {CRASH_LIMIT}"));
    line(String::new());
    line("[[array.request]]".to_owned());
    let gpus = job.gpus.map(|gpus| format!(", \"gpus/nvidia\" = {gpus}")).unwrap_or_default();
    line(format!("resources = {{ \"cpus\" = {}{gpus} }}", job.cpus));
    if let Some(time) = job.time {
        line(format!("time_request = \"{}s\"", time.as_secs()));
    }
    text
}
