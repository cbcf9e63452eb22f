//! Programs that train: how they are called, and how their numbers are read.
//!
//! Pure: says what is to be run and what its output means, and runs nothing.

mod placeholders;
mod readings;
mod resources;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

pub(crate) use placeholders::{Placeholder, check as check_template, fill, quoted};
pub use readings::{CsvRow, ReadFrom, Reading};
pub use resources::Resources;
pub(crate) use resources::{bytes_of, shown_bytes};

/// Seconds a program may take to end once it was asked to.
pub(crate) const DEFAULT_GRACE: f64 = 10.0;

/// Among `trainer.inputs`: every file that the command names.
pub(crate) const NAMED_FILES: &str = "{command}";

/// `[trainer]` with `engine = "command"`: a program that trains one trial.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct CommandSettings {
    /// What is called, with placeholders.
    pub command: CommandLine,
    /// Files whose bytes decide what the program does, as patterns.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub inputs: Vec<String>,
    /// A call whose output decides it, too: versions of libraries.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<CommandLine>,
    /// Variables that the program sees beside `PATH`, `HOME` and `LANG`, with placeholders.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub environment: BTreeMap<String, String>,
    /// Seconds after which a trial is given up; absent: never.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub time_limit: Option<f64>,
    /// Seconds a program may take to end once it was asked to.
    pub grace: f64,
    /// Whether it is started for every trial.
    #[serde(default, skip_serializing_if = "Mode::is_once")]
    pub mode: Mode,
    /// Trials after which a persistent program is started anew; absent: never.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub restart_after: Option<u32>,
    /// Whether a trial may depend on those before it in the same process.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub allow_order_effects: bool,
    /// What one program needs of the machine; absent: it is not asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resources: Option<Resources>,
}

/// How often a program is started.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Mode {
    /// For every trial.
    #[default]
    Once,
    /// Once per worker; then it is given one trial after another.
    Persistent,
}

impl Mode {
    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
    fn is_once(&self) -> bool {
        *self == Self::Once
    }
}

/// A call of a program.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CommandLine {
    /// The program and its arguments, each as it is.
    Arguments(Vec<String>),
    /// One line for `sh -c`.
    Shell(String),
}

impl CommandLine {
    /// Returns the texts that may hold placeholders.
    pub(crate) fn texts(&self) -> impl Iterator<Item = &str> {
        match self {
            Self::Arguments(texts) => texts.as_slice(),
            Self::Shell(text) => std::slice::from_ref(text),
        }
        .iter()
        .map(String::as_str)
    }

    /// Returns the name of the program: the first argument, or the shell's.
    pub(crate) fn program(&self) -> &str {
        match self {
            Self::Arguments(texts) => texts.first().map_or("", String::as_str),
            Self::Shell(_) => "sh",
        }
    }

    /// Returns the program and its arguments with every placeholder filled in. What a shell is told is
    /// quoted where it has to be.
    pub(crate) fn filled(&self, value: &dyn Fn(&Placeholder) -> String) -> Vec<String> {
        match self {
            Self::Arguments(texts) => texts.iter().map(|text| fill(text, value)).collect(),
            Self::Shell(text) => {
                let line = fill(text, &|placeholder| quoted(&value(placeholder)));
                vec!["sh".to_owned(), "-c".to_owned(), line]
            }
        }
    }
}

impl CommandSettings {
    /// Returns what of the settings decides a trial: how long it may take does not, and of its inputs
    /// their bytes say more than how they were named. Of its resources only the GPUs do, which it sees.
    pub(crate) fn meaning(&self) -> Self {
        let (inputs, version, time_limit) = (Vec::new(), None, None);
        let (restart_after, allow_order_effects) = (None, false);
        let grace = DEFAULT_GRACE;
        let resources = self.resources.and_then(Resources::meaning);
        Self {
            inputs,
            version,
            time_limit,
            grace,
            restart_after,
            allow_order_effects,
            resources,
            ..self.clone()
        }
    }

    /// Returns every text that may hold placeholders.
    pub(crate) fn templates(&self) -> impl Iterator<Item = &str> {
        self.command.texts().chain(self.environment.values().map(String::as_str))
    }
}

/// Returns the seconds that a text such as `90s`, `20m` or `2h` means.
pub(crate) fn seconds_of(text: &str) -> Option<f64> {
    let text = text.trim();
    let end = text.find(|c: char| !c.is_ascii_digit() && c != '.')?;
    let value: f64 = text[..end].parse().ok()?;
    let unit = match text[end..].trim() {
        "ms" => 1e-3,
        "s" => 1.0,
        "m" | "min" => 60.0,
        "h" => 3600.0,
        "d" => 86_400.0,
        _ => return None,
    };
    Some(value * unit)
}
