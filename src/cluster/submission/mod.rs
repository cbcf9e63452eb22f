//! What an engine is told: scripts and manifests that start workers, as text.
//!
//! Pure: starts nothing and writes nothing. An array is one of *workers*, never of trials; where, when,
//! limits and restarts are the engine's business. Every text that a user typed is quoted, and none
//! holds a line break.

mod hyperqueue;
mod kubernetes;
mod slurm;

use std::path::PathBuf;
use std::time::Duration;

pub(crate) use hyperqueue::job_file;
pub(crate) use kubernetes::manifest;
pub(crate) use slurm::{closing_script, script};

/// What is to be started, whichever engine starts it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Submission {
    /// Name of the experiment.
    pub experiment: String,
    /// The program `bench`, absolute.
    pub bench: PathBuf,
    /// The experiment file, absolute.
    pub file: PathBuf,
    /// Its text.
    pub text: String,
    /// Overrides of the experiment, `key=value`.
    pub overrides: Vec<String>,
    /// The results folder, absolute.
    pub store: PathBuf,
    /// Where datasets are looked for, absolute.
    pub data: Option<PathBuf>,
    /// Workers.
    pub workers: u32,
    /// Workers that run at once.
    pub at_once: Option<u32>,
    /// Time limit of a worker.
    pub time: Option<Duration>,
    /// Partition or queue.
    pub partition: Option<String>,
    /// Account that pays.
    pub account: Option<String>,
    /// Processors of a worker.
    pub cpus: u32,
    /// GPUs of a worker.
    pub gpus: Option<u32>,
    /// Memory of a worker.
    pub memory: Option<String>,
    /// Environment modules.
    pub modules: Vec<String>,
    /// Image.
    pub container: Option<String>,
    /// Persistent volume claim of Kubernetes.
    pub claim: String,
    /// Further options of the engine.
    pub options: Vec<String>,
    /// How long a journal may stand still, if not as usual.
    pub lease: Option<Duration>,
}

/// Time that a worker is asked to leave ahead of its limit, at most.
const AHEAD: Duration = Duration::from_mins(2);

impl Submission {
    /// Returns how long before the time limit a worker is to leave: two minutes, or a fifth of a short
    /// limit.
    pub(crate) fn ahead(&self) -> Option<Duration> {
        self.time.map(|time| (time / 5).min(AHEAD))
    }

    /// Returns the command of one worker.
    pub(crate) fn command(&self) -> Vec<String> {
        let text = |path: &PathBuf| path.display().to_string();
        let mut words = vec![text(&self.bench), "worker".to_owned(), text(&self.file)];
        let mut option = |name: &str, value: String| words.extend([name.to_owned(), value]);
        option("--store", text(&self.store));
        for change in &self.overrides {
            option("--set", change.clone());
        }
        if let Some(data) = &self.data {
            option("--data-dir", text(data));
        }
        option("--lanes", self.workers.to_string());
        if let Some(lease) = self.lease {
            option("--lease", format!("{}s", lease.as_secs()));
        }
        if let (Some(time), Some(ahead)) = (self.time, self.ahead()) {
            option("--stop-after", format!("{}s", time.saturating_sub(ahead).as_secs().max(1)));
        }
        words
    }

    /// Returns the command that writes the tables when all workers have ended.
    pub(crate) fn closing_command(&self) -> Vec<String> {
        let mut words = self.command();
        if let Some(index) = words.iter().position(|word| word == "--stop-after") {
            words.drain(index..index + 2);
        }
        words.push("--close".to_owned());
        words
    }

    /// Puts a command into its container, where there is one, for Apptainer.
    fn contained(&self, command: Vec<String>) -> Vec<String> {
        let Some(image) = &self.container else { return command };
        let mut words = vec!["apptainer".to_owned(), "exec".to_owned()];
        if self.gpus.is_some() {
            words.push("--nv".to_owned());
        }
        let folder = |path: &PathBuf| path.parent().map(|parent| parent.display().to_string());
        let mut folders = vec![Some(self.store.display().to_string()), folder(&self.file)];
        folders.push(folder(&self.bench));
        folders.push(self.data.as_ref().map(|data| data.display().to_string()));
        for folder in folders.into_iter().flatten() {
            words.extend(["--bind".to_owned(), folder]);
        }
        words.push(image.clone());
        words.extend(command);
        words
    }
}

/// Returns words as one line of a shell.
pub(crate) fn shell_line(words: &[String]) -> String {
    words.iter().map(|word| quoted(word)).collect::<Vec<_>>().join(" ")
}

/// Returns a word as a shell reads it back.
pub(crate) fn quoted(word: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_./=:,+@%".contains(c);
    if !word.is_empty() && word.chars().all(is_plain) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', "'\\''"))
}

/// Returns a text as TOML, JSON and YAML read it back.
fn in_quotes(text: &str) -> String {
    serde_json::to_string(text).expect("text serialises to JSON")
}

#[cfg(test)]
mod tests;
