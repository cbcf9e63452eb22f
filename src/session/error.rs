//! What keeps a session from its work: what was tried, why it failed, and the way out.

use std::{error, fmt, io};

use crate::data::DataError;
use crate::experiment::ExperimentError;
use crate::runner::RunError;
use crate::store::StoreError;
use crate::store::atomic::AtomicError;
use crate::tables::TablesError;

/// Whose turn it is once something failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ErrorKind {
    /// What was typed or named stands in the way; changing it helps.
    Input,
    /// The machine or the program failed.
    Fault,
    /// A stop was asked for.
    Interrupted,
}

/// One clear error: what was tried, why it failed, and the way out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Error {
    kind: ErrorKind,
    tried: String,
    causes: Vec<String>,
    hint: Option<String>,
}

impl Error {
    fn new(kind: ErrorKind, tried: impl Into<String>) -> Self {
        Self { kind, tried: tried.into(), causes: Vec::new(), hint: None }
    }

    /// Says that the user's input stands in the way.
    pub(crate) fn input(tried: impl Into<String>) -> Self {
        Self::new(ErrorKind::Input, tried)
    }

    /// Says that the machine or the program failed.
    pub(crate) fn fault(tried: impl Into<String>) -> Self {
        Self::new(ErrorKind::Fault, tried)
    }

    /// Says that a stop was asked for.
    pub(crate) fn interrupted(tried: impl Into<String>) -> Self {
        Self::new(ErrorKind::Interrupted, tried)
    }

    /// Says that a place the user named cannot be written.
    pub(crate) fn unwritable(what: &str, error: &AtomicError) -> Self {
        Self::input(format!("cannot write {what}")).because(error).hint(error.hint())
    }

    /// Says that a results folder cannot be used.
    pub(crate) fn of_store(tried: impl Into<String>, error: &StoreError) -> Self {
        let kind = match error {
            // What happened was nobody's input.
            StoreError::Moved { .. } | StoreError::Broken { .. } | StoreError::Changed { .. } => {
                ErrorKind::Fault
            }
            _ => ErrorKind::Input,
        };
        Self::new(kind, tried).because(error).hint(error.hint())
    }

    /// Says that tables cannot be read or written.
    pub(crate) fn of_tables(tried: impl Into<String>, error: &TablesError) -> Self {
        Self::input(tried).because(error).hint(error.hint())
    }

    /// Says why a run could not go on.
    pub(crate) fn of_run(error: &RunError) -> Self {
        let kind = match error {
            RunError::Store(error) => return Self::of_store("cannot go on", error),
            RunError::Data(_) | RunError::DatasetChanged { .. } => ErrorKind::Input,
            RunError::DeviceLost { .. } | RunError::Workers { .. } => ErrorKind::Fault,
        };
        Self::new(kind, "cannot go on").because(error).hint(error.hint())
    }

    /// Adds the chain of causes of `error`, leaving out links that repeat the one before.
    ///
    /// A full disk and its kin are a fault of the machine, whatever was being done.
    pub(crate) fn because(mut self, error: &(dyn error::Error + 'static)) -> Self {
        let mut next = Some(error);
        while let Some(error) = next {
            if error.downcast_ref().is_some_and(is_fault_of_the_machine) {
                self.kind = ErrorKind::Fault;
            }
            let text = error.to_string();
            if self.causes.last().is_none_or(|last| !last.contains(&text)) {
                self.causes.push(text);
            }
            next = error.source();
        }
        self
    }

    /// Adds one cause in words.
    pub(crate) fn because_of(mut self, cause: impl Into<String>) -> Self {
        self.causes.push(cause.into());
        self
    }

    /// Adds a command or an edit that helps.
    pub(crate) fn hint(mut self, hint: Option<impl Into<String>>) -> Self {
        self.hint = hint.map(Into::into).or(self.hint);
        self
    }

    /// Returns whose turn it is.
    pub fn kind(&self) -> ErrorKind {
        self.kind
    }

    /// Returns why it failed, each cause the cause of the one before.
    pub fn causes(&self) -> &[String] {
        &self.causes
    }

    /// Returns a command or an edit that helps, if one is known.
    pub fn way_out(&self) -> Option<&str> {
        self.hint.as_deref()
    }
}

/// Returns whether the machine, not the place that was named, keeps a file from being read or
/// written.
fn is_fault_of_the_machine(error: &io::Error) -> bool {
    // Input/output error, table of files full, too many open files: they have no kind.
    const NUMBERS: [i32; 3] = [5, 23, 24];
    let is_named = matches!(
        error.kind(),
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::OutOfMemory
    );
    is_named || cfg!(unix) && error.raw_os_error().is_some_and(|found| NUMBERS.contains(&found))
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.tried)?;
        for cause in &self.causes {
            write!(f, "\n  caused by: {}", cause.replace('\n', "\n  "))?;
        }
        match &self.hint {
            Some(hint) => write!(f, "\n  hint: {hint}"),
            None => Ok(()),
        }
    }
}

impl error::Error for Error {}

impl From<ExperimentError> for Error {
    fn from(error: ExperimentError) -> Self {
        Self::input(error.to_string())
    }
}

impl From<DataError> for Error {
    fn from(error: DataError) -> Self {
        let hint = error.hint();
        let failure = Self::input(error.to_string());
        match error::Error::source(&error) {
            Some(source) => failure.because(source),
            None => failure,
        }
        .hint(hint)
    }
}
