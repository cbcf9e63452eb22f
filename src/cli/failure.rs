//! What a person reads when a command cannot do its work, and the exit code that goes with it.

use std::{error, fmt};

use crate::data::DataError;
use crate::experiment::ExperimentError;
use crate::session::{Error, ErrorKind};
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

/// An error as the last word of a command.
#[derive(Debug)]
pub(super) struct Failure(Error);

impl Failure {
    /// Says that the user's input stands in the way.
    pub(super) fn input(tried: impl Into<String>) -> Self {
        Self(Error::input(tried))
    }

    /// Says that a place the user named cannot be written.
    pub(super) fn unwritable(what: &str, error: &AtomicError) -> Self {
        Self(Error::unwritable(what, error))
    }

    /// Says that the machine or the program failed.
    pub(super) fn internal(tried: impl Into<String>) -> Self {
        Self(Error::fault(tried))
    }

    /// Says that a person stopped it.
    pub(super) fn interrupted(tried: impl Into<String>) -> Self {
        Self(Error::interrupted(tried))
    }

    /// Adds the chain of causes of `error`.
    pub(super) fn because(self, error: &(dyn error::Error + 'static)) -> Self {
        Self(self.0.because(error))
    }

    /// Adds one cause in words.
    pub(super) fn because_of(self, cause: impl Into<String>) -> Self {
        Self(self.0.because_of(cause))
    }

    /// Adds a command or an edit that helps.
    pub(super) fn hint(self, hint: Option<impl Into<String>>) -> Self {
        Self(self.0.hint(hint))
    }

    /// Returns the exit code.
    pub(super) fn exit(&self) -> Exit {
        match self.0.kind() {
            ErrorKind::Input => Exit::Input,
            ErrorKind::Fault => Exit::Internal,
            ErrorKind::Interrupted => Exit::Interrupted,
        }
    }

    /// Returns what it says as a warning: the command goes on.
    pub(super) fn as_warning(&self) -> String {
        format!("warning: {}", self.0)
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "error: {}", self.0)
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self(error)
    }
}

impl From<ExperimentError> for Failure {
    fn from(error: ExperimentError) -> Self {
        Self(error.into())
    }
}

impl From<DataError> for Failure {
    fn from(error: DataError) -> Self {
        Self(error.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_exit_code_says_who_can_help() {
        assert_eq!(Failure::input("cannot read `x.toml`").exit(), Exit::Input);
        assert_eq!(Failure::internal("cannot write `x`").exit(), Exit::Internal);
        assert_eq!(Failure::interrupted("stopped").exit(), Exit::Interrupted);
    }

    #[test]
    fn causes_and_hints_leave_the_exit_code_as_it_is() {
        let failure = Failure::input("cannot read `x.toml`")
            .because_of("line 3 is no TOML")
            .hint(Some("close the quote"));
        assert_eq!(failure.exit(), Exit::Input);
        assert_eq!(
            failure.to_string(),
            "error: cannot read `x.toml`\n  caused by: line 3 is no TOML\n  hint: close the quote"
        );
        assert!(failure.as_warning().starts_with("warning: cannot read `x.toml`\n"));
    }

    #[test]
    fn every_exit_code_is_a_row_of_the_documentation() {
        let page = include_str!("../../docs/exit-codes.md");
        let documented: Vec<&str> = page
            .lines()
            .filter_map(|line| line.strip_prefix("| ")?.split_once(" |"))
            .map(|(code, _)| code)
            .filter(|code| code.parse::<u8>().is_ok())
            .collect();
        let all = [
            Exit::Done,
            Exit::Internal,
            Exit::Input,
            Exit::TrialsFailed,
            Exit::Regressed,
            Exit::Inconclusive,
            Exit::Interrupted,
        ];
        assert_eq!(documented, all.map(|exit| (exit as u8).to_string()));
    }
}
