//! Why a dataset could not be downloaded.

use std::io;
use std::path::PathBuf;

use super::DataError;

/// Why a dataset could not be downloaded.
#[derive(Debug, thiserror::Error)]
pub enum FetchError {
    /// No dataset of this name can be downloaded.
    #[error("`{name}` cannot be downloaded, expected one of {}", known.join(", "))]
    Unknown {
        /// The name asked for.
        name: String,
        /// The names there are.
        known: Vec<String>,
    },
    /// The folder cannot be written.
    #[error("cannot write `{}`", path.display())]
    Write {
        /// The file or folder.
        path: PathBuf,
        /// The system's words.
        #[source]
        source: io::Error,
    },
    /// No mirror gave the file.
    #[error("no mirror gave `{file}`: {}", failures(attempts))]
    Mirrors {
        /// The file.
        file: String,
        /// One entry a mirror tried, in order.
        attempts: Vec<MirrorFailure>,
    },
}

/// Why one mirror did not give a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MirrorFailure {
    /// The address.
    pub url: String,
    /// What went wrong.
    pub problem: String,
}

fn failures(attempts: &[MirrorFailure]) -> String {
    let lines: Vec<String> =
        attempts.iter().map(|failure| format!("`{}` {}", failure.url, failure.problem)).collect();
    lines.join("; ")
}

impl FetchError {
    pub(in crate::data) fn of(self, dataset: &str) -> DataError {
        DataError::Fetch { dataset: dataset.to_owned(), source: Box::new(self) }
    }

    pub(super) fn hint(&self, dataset: &str) -> String {
        match self {
            Self::Unknown { .. } => "run `bench data list`".to_owned(),
            Self::Write { .. } => "name a folder you may write to with `--data-dir`".to_owned(),
            Self::Mirrors { .. } => format!(
                "check the network and run `bench data fetch {dataset}` again (it goes on where it \
                 stopped), or put the files into a folder yourself and name it with `--data-dir`"
            ),
        }
    }
}
