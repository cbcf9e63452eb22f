//! What a person reads when a command cannot do its work, and the exit code that goes with it.

use std::error::Error;
use std::{fmt, io};

use crate::store::atomic::AtomicError;

/// The exit codes scripts rely on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Exit {
    /// Done.
    Done = 0,
    /// A fault of the program or the machine.
    Internal = 1,
    /// Bad arguments or input.
    Input = 2,
    /// Some trials failed; the rest is there.
    TrialsFailed = 3,
    /// The gate found a regression.
    Regressed = 4,
    /// The gate cannot tell.
    Inconclusive = 5,
    /// A person stopped it.
    Interrupted = 130,
}

/// One clear error: what was tried, why it failed, and the way out.
#[derive(Debug)]
pub(super) struct Failure {
    exit: Exit,
    tried: String,
    causes: Vec<String>,
    hint: Option<String>,
}

impl Failure {
    /// Says that the user's input stands in the way.
    pub(super) fn input(tried: impl Into<String>) -> Self {
        Self { exit: Exit::Input, tried: tried.into(), causes: Vec::new(), hint: None }
    }

    /// Says that a place the user named cannot be written.
    pub(super) fn unwritable(what: &str, error: &AtomicError) -> Self {
        Self::input(format!("cannot write {what}")).because(error).hint(error.hint())
    }

    /// Says that the machine or the program failed.
    pub(super) fn internal(tried: impl Into<String>) -> Self {
        Self { exit: Exit::Internal, ..Self::input(tried) }
    }

    /// Says that a person stopped it.
    pub(super) fn interrupted(tried: impl Into<String>) -> Self {
        Self { exit: Exit::Interrupted, ..Self::input(tried) }
    }

    /// Adds the chain of causes of `error`, leaving out links that repeat the one before.
    ///
    /// A full disk and its kin are a fault of the machine, whatever was being done.
    pub(super) fn because(mut self, error: &(dyn Error + 'static)) -> Self {
        let mut next = Some(error);
        while let Some(error) = next {
            if error.downcast_ref().is_some_and(is_fault_of_the_machine) {
                self.exit = Exit::Internal;
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
    pub(super) fn because_of(mut self, cause: impl Into<String>) -> Self {
        self.causes.push(cause.into());
        self
    }

    /// Adds a command or an edit that helps.
    pub(super) fn hint(mut self, hint: Option<impl Into<String>>) -> Self {
        self.hint = hint.map(Into::into).or(self.hint);
        self
    }

    /// Returns what it says as a warning: the command goes on.
    pub(super) fn as_warning(&self) -> String {
        self.to_string().replacen("error: ", "warning: ", 1)
    }

    /// Returns the exit code.
    pub(super) fn exit(&self) -> Exit {
        self.exit
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

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "error: {}", self.tried)?;
        for cause in &self.causes {
            write!(f, "\n  caused by: {}", cause.replace('\n', "\n  "))?;
        }
        match &self.hint {
            Some(hint) => write!(f, "\n  hint: {hint}"),
            None => Ok(()),
        }
    }
}
