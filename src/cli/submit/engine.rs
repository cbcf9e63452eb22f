//! Engines as programs: what is asked of `sbatch`, `squeue`, `hq` and `kubectl`.

use std::ffi::OsStr;
use std::path::Path;
use std::process::{Command, Stdio};

use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

use super::record::Record;
use crate::cli::failure::Failure;

/// What starts workers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(in crate::cli) enum Engine {
    /// Slurm.
    Slurm,
    /// `HyperQueue`.
    Hyperqueue,
    /// Kubernetes.
    Kubernetes,
    /// Processes of one machine, by number.
    Local,
}

impl Engine {
    /// Returns the program that asks this engine to end jobs, with its arguments.
    pub(in crate::cli) fn cancellation(self, jobs: &[String]) -> Vec<String> {
        let words = |fixed: &[&str]| {
            let fixed = fixed.iter().map(|&word| word.to_owned());
            fixed.chain(jobs.iter().cloned()).collect()
        };
        match self {
            Self::Slurm => words(&["scancel"]),
            Self::Hyperqueue => {
                vec!["hq".to_owned(), "job".to_owned(), "cancel".to_owned(), jobs.join(",")]
            }
            Self::Kubernetes => words(&["kubectl", "delete", "job", "--wait=false"]),
            Self::Local => words(&["kill", "-TERM"]),
        }
    }

    /// Returns what the engine says of the states of jobs, such as `3 RUNNING, 1 PENDING`; nothing
    /// where it says nothing, which means nothing.
    pub(in crate::cli) fn states(self, jobs: &[String]) -> Option<String> {
        if self != Self::Slurm || jobs.is_empty() {
            return None;
        }
        // One call for all jobs; those that ended long ago are unknown to it.
        let list = jobs.join(",");
        let text =
            answer("squeue", ["--noheader", "--array", "--format=%T", "--jobs", &list]).ok()?;
        let mut counts = std::collections::BTreeMap::<&str, usize>::new();
        for state in text.lines().map(str::trim).filter(|state| !state.is_empty()) {
            *counts.entry(state).or_default() += 1;
        }
        let parts: Vec<String> =
            counts.iter().map(|(state, count)| format!("{count} {state}")).collect();
        (!parts.is_empty()).then(|| parts.join(", "))
    }
}

/// Calls a program and returns what it printed.
///
/// # Errors
/// In words: that it is not there, or what it said.
pub(super) fn answer<S: AsRef<OsStr>>(
    program: &str,
    arguments: impl IntoIterator<Item = S>,
) -> Result<String, String> {
    let mut command = Command::new(program);
    command.args(arguments).stdin(Stdio::null());
    finished(program, command)
}

/// Runs a command and returns what it printed.
pub(super) fn finished(program: &str, mut command: Command) -> Result<String, String> {
    let output = command.output().map_err(|error| match error.kind() {
        std::io::ErrorKind::NotFound => format!("there is no `{program}` on PATH"),
        _ => format!("`{program}` cannot be started: {error}"),
    })?;
    let said = String::from_utf8_lossy(&output.stderr).trim().to_owned();
    if output.status.success() {
        // Some answer on standard error.
        let printed = String::from_utf8_lossy(&output.stdout).into_owned();
        return Ok(if printed.trim().is_empty() { said } else { printed });
    }
    let printed = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    Err(format!("`{program}` says: {}", if said.is_empty() { printed } else { said }))
}

/// Says that an engine did not take what is in a file that was written for it.
fn refused(engine: &str, problem: String, path: &Path, call: &str) -> Failure {
    Failure::input(format!("cannot submit to {engine}")).because_of(problem).hint(Some(format!(
        "`{}` is written; where the engine is, call `{call} {}`",
        path.display(),
        path.display()
    )))
}

/// Hands a job file to `HyperQueue`.
pub(super) fn hyperqueue(path: &Path) -> Result<Record, Failure> {
    let call = "hq job submit-file";
    let refused = |problem| refused("HyperQueue", problem, path, call);
    let file = path.as_os_str();
    let mut words: Vec<&OsStr> =
        ["--output-mode=json", "job", "submit-file"].map(OsStr::new).into();
    words.push(file);
    let text = answer("hq", words).map_err(refused)?;
    let json: Json = serde_json::from_str(&text).unwrap_or_default();
    let id = json
        .get("id")
        .and_then(Json::as_u64)
        .ok_or_else(|| refused(format!("`hq` answered `{}`, expected an id", text.trim())))?;
    outln!("HyperQueue job {id}");
    if let Ok(info) = answer("hq", ["--output-mode=json", "server", "info"]) {
        let info: Json = serde_json::from_str(&info).unwrap_or_default();
        let host = info.get("client_host").or_else(|| info.get("host")).and_then(Json::as_str);
        say!(
            "note: the jobs live as long as the server{}; `hq job list` shows them",
            host.map(|host| format!(" on `{host}`")).unwrap_or_default()
        );
    }
    Ok(Record::new(Engine::Hyperqueue, vec![id.to_string()]))
}

/// Hands a manifest to Kubernetes.
pub(super) fn kubernetes(path: &Path) -> Result<Record, Failure> {
    let call = "kubectl apply -f";
    let mut words: Vec<&OsStr> = ["apply", "-o", "name", "-f"].map(OsStr::new).into();
    words.push(path.as_os_str());
    let text =
        answer("kubectl", words).map_err(|problem| refused("Kubernetes", problem, path, call))?;
    let job = |line: &str| line.trim().strip_prefix("job.batch/").map(str::to_owned);
    let jobs: Vec<String> = text.lines().filter_map(job).collect();
    outln!("{}", text.trim());
    Ok(Record::new(Engine::Kubernetes, jobs))
}
