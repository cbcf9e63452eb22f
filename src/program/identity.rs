//! What a program *is*: the bytes that decide what it does, as far as they are known.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::digests::Digests;
use crate::base::ContentHasher;
use crate::experiment::program::{CommandLine, NAMED_FILES, ReadFrom, Reading};
use crate::experiment::settings::CommandSettings;
use crate::store::{FileFacts, ProgramFacts};

/// Why it cannot be told what a program is.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ProgramError {
    /// There is no such program.
    #[error("there is no program `{0}`")]
    Missing(String),
    /// A pattern of inputs names nothing.
    #[error("no file is named by `{0}` of `trainer.inputs`")]
    NoInput(String),
    /// A pattern of inputs is none.
    #[error("`{pattern}` of `trainer.inputs` is no pattern: {problem}")]
    Pattern {
        /// As typed.
        pattern: String,
        /// What is wrong with it.
        problem: String,
    },
    /// The call of `version` does not end well.
    #[error("`trainer.version` {0}")]
    Version(String),
    /// A file cannot be read.
    #[error("cannot read `{name}`")]
    Unreadable {
        /// The file as it was asked for.
        name: String,
        /// The operating system's answer.
        #[source]
        source: io::Error,
    },
}

impl ProgramError {
    /// Returns what the user can do about it.
    pub(crate) fn hint(&self) -> Option<String> {
        match self {
            Self::Missing(program) if program.contains('/') => {
                Some("programs are looked for from the folder of the experiment file".to_owned())
            }
            Self::Missing(program) => Some(format!(
                "install it, or name one of your own with its folder, such as `./{program}`"
            )),
            Self::NoInput(_) => {
                Some("files are looked for from the folder of the experiment file".to_owned())
            }
            Self::Version(_) => Some(
                "it is called in the folder of the experiment file, with `PATH`, `HOME` and `LANG`"
                    .to_owned(),
            ),
            Self::Pattern { .. } | Self::Unreadable { .. } => None,
        }
    }
}

/// Finds out what programs are.
pub(crate) struct Inspector {
    /// Folder of the experiment file.
    folder: PathBuf,
    /// The folders in which programs are looked for.
    path: Vec<PathBuf>,
    /// What `version` sees of this process's variables.
    inherited: Vec<(OsString, OsString)>,
    readings: Vec<Reading>,
    /// The machine, where calls are measured.
    machine: Option<String>,
    /// What is known of large files.
    digests: RefCell<Digests>,
}

impl Inspector {
    /// Looks from `folder` for files and in `path` for programs; `readings` say where numbers stand.
    pub(crate) fn new(
        folder: PathBuf,
        path: Vec<PathBuf>,
        inherited: Vec<(OsString, OsString)>,
        readings: &[Reading],
    ) -> Self {
        let digests = RefCell::default();
        Self { folder, path, inherited, readings: readings.to_vec(), machine: None, digests }
    }

    /// Takes what is known of files, and returns it with more when all is looked at.
    pub(crate) fn knowing(self, digests: Digests) -> Self {
        Self { digests: RefCell::new(digests), ..self }
    }

    /// Returns what is known of files by now.
    pub(crate) fn into_digests(self) -> Digests {
        self.digests.into_inner()
    }

    /// Says that calls are measured, on this machine.
    pub(crate) fn measuring(self, machine: String) -> Self {
        Self { machine: Some(machine), ..self }
    }

    /// Returns what is known of a program.
    ///
    /// # Errors
    /// If it is not there, or a file cannot be read.
    ///
    /// # Panics
    /// Never: settings serialise.
    pub(crate) fn facts(&self, command: &CommandSettings) -> Result<ProgramFacts, ProgramError> {
        let program = command.command.program();
        let file =
            self.resolve(program).ok_or_else(|| ProgramError::Missing(program.to_owned()))?;
        let mut files = vec![self.file_facts(program, &file)?];
        files.extend(self.inputs(command)?);
        let version = match &command.version {
            Some(line) => Some(self.version(line, command)?),
            None => None,
        };
        let mut hasher = ContentHasher::new();
        for file in &files {
            hasher.part("name", file.name.as_bytes()).part("content", file.digest.bytes());
        }
        for reading in &self.readings {
            hasher.part("metric", reading.metric.as_str().as_bytes());
            hasher.part("from", location(&reading.from).as_bytes());
        }
        if let Some(machine) = &self.machine {
            hasher.part("measured-on", machine.as_bytes());
        }
        if let Some(version) = &version {
            hasher.part("version", version.as_bytes());
        }
        let settings = serde_json::to_value(command).expect("settings serialise");
        Ok(ProgramFacts { settings, digest: hasher.finish(), files, version, adopted: None })
    }

    /// Reads the files that patterns name, in the order of their names, each once.
    fn inputs(&self, command: &CommandSettings) -> Result<Vec<FileFacts>, ProgramError> {
        let mut found = BTreeMap::new();
        for pattern in &command.inputs {
            if pattern == NAMED_FILES {
                found.extend(
                    self.named(command).map(|word| (word.to_owned(), self.folder.join(word))),
                );
                continue;
            }
            let folder = glob::Pattern::escape(&self.folder.to_string_lossy());
            let problem = |error: &dyn std::fmt::Display| ProgramError::Pattern {
                pattern: pattern.clone(),
                problem: error.to_string(),
            };
            let whole = Path::new(&folder).join(pattern);
            let paths = glob::glob(&whole.to_string_lossy()).map_err(|error| problem(&error))?;
            let mut is_empty = true;
            for path in paths {
                let path = path.map_err(|error| problem(&error))?;
                if path.is_file() {
                    is_empty = false;
                    // Names have the same separator everywhere, so that results move.
                    let inside = path.strip_prefix(&self.folder).unwrap_or(&path);
                    let name = inside.to_string_lossy().replace('\\', "/");
                    found.insert(name, path);
                }
            }
            if is_empty {
                return Err(ProgramError::NoInput(pattern.clone()));
            }
        }
        found.iter().map(|(name, path)| self.file_facts(name, path)).collect()
    }

    /// Returns arguments of a command that name files which are no inputs: they may well decide what it
    /// does.
    pub(crate) fn undeclared(
        &self,
        command: &CommandSettings,
        facts: &ProgramFacts,
    ) -> Vec<String> {
        let is_known = |word: &str| {
            let name = word.trim_start_matches("./");
            facts.files.iter().any(|file| file.name.trim_start_matches("./") == name)
        };
        self.named(command).filter(|word| !is_known(word)).map(str::to_owned).collect()
    }

    /// Returns the words of a command that are files.
    fn named<'c>(&self, command: &'c CommandSettings) -> impl Iterator<Item = &'c str> {
        let words: Vec<&str> = match &command.command {
            CommandLine::Arguments(words) => words.iter().skip(1).map(String::as_str).collect(),
            CommandLine::Shell(line) => {
                line.split_whitespace().map(|word| word.trim_matches(['\'', '"', ';'])).collect()
            }
        };
        let is_file = |word: &&str| !word.is_empty() && self.folder.join(word).is_file();
        words.into_iter().filter(is_file).collect::<Vec<_>>().into_iter()
    }

    /// Returns what the call of `version` prints.
    fn version(
        &self,
        line: &CommandLine,
        command: &CommandSettings,
    ) -> Result<String, ProgramError> {
        const MAX: usize = 64 << 10;
        let words = line.filled(&|_| String::new());
        // Placeholders mean nothing outside of a trial; variables without any are seen.
        let variables = command.environment.iter().filter(|(_, value)| !value.contains('{'));
        let output = Command::new(&words[0])
            .args(&words[1..])
            .env_clear()
            .envs(self.inherited.iter().map(|(name, value)| (name, value)))
            .envs(variables)
            .current_dir(&self.folder)
            .stdin(Stdio::null())
            .output()
            .map_err(|error| ProgramError::Version(format!("cannot be called: {error}")))?;
        if !output.status.success() {
            let said = String::from_utf8_lossy(&output.stderr).trim().to_owned();
            let said = said.lines().last().unwrap_or_default().to_owned();
            return Err(ProgramError::Version(format!("ended with {}: {said}", output.status)));
        }
        let text = String::from_utf8_lossy(&output.stdout[..output.stdout.len().min(MAX)]);
        Ok(text.trim().to_owned())
    }

    /// Reads a file through its digest.
    fn file_facts(&self, name: &str, path: &Path) -> Result<FileFacts, ProgramError> {
        let unreadable = |source| ProgramError::Unreadable { name: name.to_owned(), source };
        let (bytes, digest) = self.digests.borrow_mut().of(name, path).map_err(unreadable)?;
        Ok(FileFacts { name: name.to_owned(), bytes, digest })
    }

    /// Returns the file of a program.
    fn resolve(&self, program: &str) -> Option<PathBuf> {
        if program.contains('/') {
            return Some(self.folder.join(program)).filter(|file| file.is_file());
        }
        let candidates = self.path.iter().map(|folder| self.folder.join(folder).join(program));
        candidates.into_iter().find(|file| is_executable(file))
    }
}

fn is_executable(file: &Path) -> bool {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        file.metadata()
            .is_ok_and(|facts| facts.is_file() && facts.permissions().mode() & 0o111 != 0)
    }
    #[cfg(not(unix))]
    {
        file.is_file()
    }
}

fn location(from: &ReadFrom) -> String {
    serde_json::to_string(from).expect("a location serialises")
}
