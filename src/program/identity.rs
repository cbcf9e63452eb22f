//! What a program *is*: the bytes that decide what it does, as far as they are known.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use crate::base::{ContentHasher, Digest};
use crate::spec::program::{ReadFrom, Reading};
use crate::spec::settings::CommandSettings;
use crate::store::{FileFacts, ProgramFacts};

/// Why it cannot be told what a program is.
#[derive(Debug, thiserror::Error)]
pub enum ProgramError {
    /// There is no such program.
    #[error("there is no program `{0}`")]
    Missing(String),
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
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Missing(program) if program.contains('/') => {
                Some("programs are looked for from the folder of the experiment file".to_owned())
            }
            Self::Missing(program) => Some(format!(
                "install it, or name one of your own with its folder, such as `./{program}`"
            )),
            Self::Unreadable { .. } => None,
        }
    }
}

/// Finds out what programs are.
pub struct Inspector {
    /// Folder of the experiment file.
    folder: PathBuf,
    /// The folders in which programs are looked for.
    path: Vec<PathBuf>,
    readings: Vec<Reading>,
}

impl Inspector {
    /// Looks from `folder` for files and in `path` for programs; `readings` say where numbers stand.
    #[must_use]
    pub fn new(folder: PathBuf, path: Vec<PathBuf>, readings: &[Reading]) -> Self {
        Self { folder, path, readings: readings.to_vec() }
    }

    /// Returns what is known of a program.
    ///
    /// # Errors
    /// If it is not there, or a file cannot be read.
    ///
    /// # Panics
    /// Never: settings serialise.
    pub fn facts(&self, command: &CommandSettings) -> Result<ProgramFacts, ProgramError> {
        let program = command.command.program();
        let file =
            self.resolve(program).ok_or_else(|| ProgramError::Missing(program.to_owned()))?;
        let files = vec![file_facts(program, &file)?];
        let mut hasher = ContentHasher::new();
        for file in &files {
            hasher.part("name", file.name.as_bytes()).part("content", file.digest.bytes());
        }
        for reading in &self.readings {
            hasher.part("metric", reading.metric.as_str().as_bytes());
            hasher.part("from", place(&reading.from).as_bytes());
        }
        let settings = serde_json::to_value(command).expect("settings serialise");
        Ok(ProgramFacts { settings, digest: hasher.finish(), files })
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

fn place(from: &ReadFrom) -> String {
    serde_json::to_string(from).expect("a place serialises")
}

/// Reads a file through its digest.
fn file_facts(name: &str, path: &Path) -> Result<FileFacts, ProgramError> {
    let unreadable = |source| ProgramError::Unreadable { name: name.to_owned(), source };
    let (bytes, digest) = digest_of_file(path).map_err(unreadable)?;
    Ok(FileFacts { name: name.to_owned(), bytes, digest })
}

fn digest_of_file(path: &Path) -> io::Result<(u64, Digest)> {
    let mut file = File::open(path)?;
    let mut hasher = ContentHasher::new();
    let mut buffer = vec![0; 256 << 10];
    let mut bytes = 0;
    loop {
        let count = file.read(&mut buffer)?;
        if count == 0 {
            return Ok((bytes, hasher.finish()));
        }
        hasher.raw(&buffer[..count]);
        bytes += count as u64;
    }
}
