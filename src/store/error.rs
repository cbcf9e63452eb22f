//! What can go wrong with a results folder.

use std::io;
use std::path::{Path, PathBuf};

use super::atomic::{AtomicError, hint_for};
use super::prediction::PredictionsError;
use crate::base::MemberId;

/// Why a results folder cannot be read or written.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The operating system refused.
    #[error("cannot {action} `{path}`", path = path.display())]
    Io {
        /// What was tried.
        action: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// The operating system's answer.
        #[source]
        source: io::Error,
    },
    /// A file could not be replaced.
    #[error(transparent)]
    Atomic(#[from] AtomicError),
    /// Another process writes here.
    #[error("`{folder}` is being written by {holder}", folder = folder.display())]
    Locked {
        /// The results folder.
        folder: PathBuf,
        /// Process and host, as the lock file says.
        holder: String,
    },
    /// No manifest.
    #[error("`{folder}` holds no results: no `manifest.json` in it", folder = folder.display())]
    NotAStore {
        /// The folder.
        folder: PathBuf,
    },
    /// Results of another experiment.
    #[error("`{folder}` holds results of experiment `{found}`, expected `{expected}`",
        folder = folder.display())]
    OtherExperiment {
        /// The results folder.
        folder: PathBuf,
        /// Name in the manifest.
        found: String,
        /// Name of the experiment to run.
        expected: String,
    },
    /// A file of a later format.
    #[error("`{path}` has format version {found}, this `bench` reads up to {known}",
        path = path.display())]
    Newer {
        /// The file.
        path: PathBuf,
        /// Its version.
        found: u32,
        /// The newest version this build reads.
        known: u32,
    },
    /// A damaged line of a journal, other than a torn last one.
    #[error("line {line} of `{path}` is damaged: {problem}", path = path.display())]
    Damaged {
        /// The journal.
        path: PathBuf,
        /// Line number, from 1.
        line: usize,
        /// What was found and expected.
        problem: String,
    },
    /// A damaged first line of a journal.
    #[error("line 1 of `{path}` is damaged: {problem}", path = path.display())]
    DamagedHeader {
        /// The journal.
        path: PathBuf,
        /// What was found and expected.
        problem: String,
        /// The line that should stand there.
        header: String,
        /// Whether the line is an entry, so that the header is missing.
        is_missing: bool,
    },
    /// The journal is no longer where it was opened.
    #[error("the journal `{path}` was removed or moved while the run went on", path = path.display())]
    Moved {
        /// The journal.
        path: PathBuf,
    },
    /// A damaged manifest.
    #[error("`{path}` is damaged: {problem}", path = path.display())]
    DamagedManifest {
        /// The manifest.
        path: PathBuf,
        /// What was found and expected.
        problem: String,
    },
    /// Predictions that are missing or not what the journal says.
    #[error("the predictions of member {member} cannot be used")]
    Predictions {
        /// Whose predictions.
        member: MemberId,
        /// Why.
        #[source]
        source: PredictionsError,
    },
    /// Weights that were not kept, are missing or not what the journal says.
    #[error("the weights of member {member} cannot be used: {problem}")]
    Weights {
        /// Whose weights.
        member: MemberId,
        /// Why.
        problem: String,
    },
    /// An earlier write to this journal failed, so nothing may follow it.
    #[error("`{path}` takes no more entries since an earlier write failed", path = path.display())]
    Broken {
        /// The journal.
        path: PathBuf,
    },
    /// The folder was opened for reading.
    #[error("`{folder}` was opened for reading only", folder = folder.display())]
    ReadOnly {
        /// The results folder.
        folder: PathBuf,
    },
}

impl StoreError {
    /// Returns a function that wraps an error of the operating system.
    pub(super) fn io(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Io { action, path, source }
    }

    /// Returns what the user can do about it, if that is known.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Io { path, source, .. } => hint_for(source, path),
            Self::Atomic(error) => error.hint(),
            Self::Locked { .. } => Some(
                "wait for it to end, or write elsewhere with `--out DIR`; a killed process leaves \
                 no lock behind"
                    .to_owned(),
            ),
            Self::NotAStore { .. } => {
                Some("run `bench run FILE` first, or name a folder under `results/`".to_owned())
            }
            Self::OtherExperiment { .. } => {
                Some("give the other experiment its own folder with `--out DIR`".to_owned())
            }
            Self::Newer { .. } => Some("use the `bench` that wrote it, or a later one".to_owned()),
            Self::Damaged { path, line, .. } => Some(format!(
                "restore the file from a copy, or drop the line with `sed -i {line}d {}`; what it \
                 held is trained again",
                path.display()
            )),
            // Entries are kept: `c` changes the line, `i` puts one before it.
            Self::DamagedHeader { path, header, is_missing, .. } => Some(format!(
                "restore the line with `sed -i '1{}{header}' {}`",
                if *is_missing { 'i' } else { 'c' },
                path.display()
            )),
            Self::Moved { .. } => Some(
                "leave the results folder alone while a run goes on; run again where it is now, and \
                 what is missing is trained"
                    .to_owned(),
            ),
            Self::DamagedManifest { path, .. } => Some(format!(
                "remove `{}` and run the experiment again: finished trials are in the journal; \
                 repeats that `bench check --escalate` added must be asked for again",
                path.display()
            )),
            Self::Predictions { .. } => {
                Some("run the experiment again: the member is trained once more".to_owned())
            }
            Self::Weights { .. } => Some(
                "run the experiment again with `--save-weights`: members without sound \
                 weights are trained once more"
                    .to_owned(),
            ),
            Self::Broken { .. } | Self::ReadOnly { .. } => None,
        }
    }
}
