//! What a person reads when a command cannot do its work, and the exit code that goes with it.

use std::error::Error;
use std::fmt;

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
    pub(super) fn because(mut self, error: &dyn Error) -> Self {
        let mut next = Some(error);
        while let Some(error) = next {
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

    /// Returns the exit code.
    pub(super) fn exit(&self) -> Exit {
        self.exit
    }
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
