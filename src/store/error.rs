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
    #[error("line {line} of `{path}` is damaged: {problem}{more}", path = path.display(),
        more = match others { 0 => String::new(), 1 => ", as is another line".to_owned(),
            more => format!(", as are {more} other lines") })]
    Damaged {
        /// The journal.
        path: PathBuf,
        /// Line number, from 1.
        line: usize,
        /// What was found and expected.
        problem: String,
        /// Damaged lines besides it, in all journals.
        others: usize,
    },
    /// A symbolic link where the program writes or reads.
    #[error("`{path}` is a symbolic link, and links inside a results folder are not followed",
        path = path.display())]
    Link {
        /// The link.
        path: PathBuf,
    },
    /// A damaged `derived.json`.
    #[error("`{path}` is damaged: {problem}", path = path.display())]
    DamagedDerived {
        /// The file.
        path: PathBuf,
        /// What was found and expected.
        problem: String,
    },
    /// A table that is not what was written.
    #[error("`{path}` is not what was written: its digest is not the one in `derived.json`",
        path = path.display())]
    DerivedDiffers {
        /// The file.
        path: PathBuf,
    },
    /// The journal is no longer where it was opened.
    #[error("the journal `{path}` was removed or moved while the run went on", path = path.display())]
    Moved {
        /// The journal.
        path: PathBuf,
    },
    /// A journal that is not what it was when it was opened.
    #[error("the journal `{path}` was changed while it was read", path = path.display())]
    Changed {
        /// The journal.
        path: PathBuf,
    },
    /// A value that no training can have given.
    #[error("the journals in `{folder}` hold what no training can have given: {problem}",
        folder = folder.display())]
    Impossible {
        /// The results folder.
        folder: PathBuf,
        /// The trial, its value and what was expected.
        problem: String,
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
    /// Says that a file has a format of a later version.
    pub(crate) fn newer(path: &Path, found: u32, known: u32) -> Self {
        Self::Newer { path: path.to_owned(), found, known }
    }

    /// Returns a function that wraps an error of the operating system.
    pub(super) fn io(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Io { action, path, source }
    }

    /// Returns what the user can do about it, if that is known.
    pub(crate) fn hint(&self) -> Option<String> {
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
            Self::Damaged { .. } => Some(
                "run the experiment again: the damage is noted in `damaged.list`, and what the \
                 lines held is trained again"
                    .to_owned(),
            ),
            Self::Link { .. } => {
                Some("remove the link, or put what it leads to in its place".to_owned())
            }
            Self::DamagedDerived { .. } | Self::DerivedDiffers { .. } => Some(
                "restore the file from a copy, for example with `git checkout`; where the journals \
                 are, run the experiment again"
                    .to_owned(),
            ),
            Self::Moved { .. } => Some(
                "leave the results folder alone while a run goes on; run again where it is now, and \
                 what is missing is trained"
                    .to_owned(),
            ),
            Self::Impossible { .. } => Some(
                "they were not written like this; restore the folder from a copy, or run the \
                 experiment again in another with `--out DIR`"
                    .to_owned(),
            ),
            Self::DamagedManifest { path, .. } => Some(format!(
                "run the experiment again: it writes `{}` anew where the journals say what is asked; \
                 else restore the file from a copy, or remove it and run again",
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
            Self::Broken { .. } | Self::ReadOnly { .. } | Self::Changed { .. } => None,
        }
    }
}
