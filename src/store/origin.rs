//! Where numbers come from: the build and the machine.

use std::fs;
use std::thread;

use serde::{Deserialize, Serialize};

use super::clock;
use super::manifest::ManifestDraft;

/// The program that wrote a result.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Build {
    /// Version of the package.
    pub version: String,
    /// Commit it was built from; absent outside a repository.
    #[serde(default)]
    pub commit: Option<String>,
    /// Whether the sources differed from that commit.
    #[serde(default)]
    pub modified: bool,
    /// Compiler, as it names itself.
    #[serde(default)]
    pub rustc: Option<String>,
    /// Target triple.
    #[serde(default)]
    pub target: Option<String>,
}

impl Build {
    /// Returns the facts of this very build.
    pub(crate) fn current() -> Self {
        let known = |text: Option<&str>| text.filter(|text| !text.is_empty()).map(str::to_owned);
        Self {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            commit: known(option_env!("GRIDBENCH_COMMIT")),
            modified: option_env!("GRIDBENCH_MODIFIED") == Some("true"),
            rustc: known(option_env!("GRIDBENCH_RUSTC")),
            target: known(option_env!("GRIDBENCH_TARGET")),
        }
    }
}

/// The user's repository that holds the experiment file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Repository {
    /// The commit that was checked out.
    pub commit: String,
    /// Whether tracked files differed from it, or the experiment file was not tracked.
    #[serde(default)]
    pub modified: bool,
}

/// The machine that computed a result.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Machine {
    /// Operating system and architecture, for example `linux x86_64`.
    pub system: String,
    /// Model name of the processor.
    #[serde(default)]
    pub cpu: Option<String>,
    /// Cores this process may use.
    pub cores: usize,
    /// Mebibytes of memory.
    #[serde(default)]
    pub memory_mib: Option<u64>,
    /// Model names of the graphics processors.
    #[serde(default)]
    pub gpus: Vec<String>,
}

impl Machine {
    /// Returns what the running system says of itself.
    pub(crate) fn current() -> Self {
        let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
        Self {
            system: format!("{} {}", std::env::consts::OS, std::env::consts::ARCH),
            cpu: field(&read("/proc/cpuinfo"), "model name"),
            cores: thread::available_parallelism().map_or(1, usize::from),
            memory_mib: field(&read("/proc/meminfo"), "MemTotal")
                .and_then(|text| text.trim_end_matches(" kB").parse::<u64>().ok())
                .map(|kibibytes| kibibytes / 1024),
            gpus: graphics_processors(),
        }
    }
}

/// Returns the text after `name:` in the first line that starts with it.
fn field(text: &str, name: &str) -> Option<String> {
    text.lines().find_map(|line| {
        let (key, value) = line.split_once(':')?;
        (key.trim() == name).then(|| value.trim().to_owned())
    })
}

fn graphics_processors() -> Vec<String> {
    let Ok(folders) = fs::read_dir("/proc/driver/nvidia/gpus") else { return Vec::new() };
    let mut models: Vec<String> = folders
        .filter_map(|folder| {
            let text = fs::read_to_string(folder.ok()?.path().join("information")).ok()?;
            field(&text, "Model")
        })
        .collect();
    models.sort();
    models
}

/// What wrote the journal entries that follow it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct Session {
    /// When it began, RFC 3339.
    pub started: String,
    /// The program.
    pub build: Build,
    /// The machine.
    pub machine: Machine,
    /// Device and numerical path.
    pub engine: String,
    /// The user's repository; absent outside of one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub repository: Option<Repository>,
}

impl Session {
    /// Returns the session that begins now and does what `run` asks.
    pub(super) fn begin(run: &ManifestDraft) -> Self {
        Self {
            started: clock::now(),
            build: Build::current(),
            machine: Machine::current(),
            engine: run.engine.clone(),
            repository: run.repository.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_of_system_files_are_found_by_their_whole_name() {
        let text = "model\t\t: 143\nmodel name\t: Intel(R) Xeon(R)\nMemTotal:  24 kB\n";
        assert_eq!(field(text, "model name").as_deref(), Some("Intel(R) Xeon(R)"));
        assert_eq!(field(text, "MemTotal").as_deref(), Some("24 kB"));
        assert_eq!(field(text, "name"), None);
    }

    #[test]
    fn this_machine_has_a_core() {
        assert!(Machine::current().cores >= 1);
    }
}
