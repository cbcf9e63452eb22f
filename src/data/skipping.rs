//! Bad images: an error, or left out and listed.

use super::error::LoadError;

/// What is done with images that cannot be used.
#[derive(Debug, Default)]
pub(super) struct Skipping {
    is_on: bool,
    list: Vec<String>,
}

impl Skipping {
    /// Leaves bad images out where `is_on`, else makes the first an error.
    pub(super) fn new(is_on: bool) -> Self {
        Self { is_on, list: Vec::new() }
    }

    /// Returns whether bad images are left out.
    pub(super) fn is_on(&self) -> bool {
        self.is_on
    }

    /// Passes on what is good; notes what is bad and is left out.
    ///
    /// # Errors
    /// What is bad, unless it is left out.
    pub(super) fn pass<T>(&mut self, result: Result<T, LoadError>) -> Result<Option<T>, LoadError> {
        match result {
            Ok(good) => Ok(Some(good)),
            Err(bad) if self.is_on => {
                let cause = std::error::Error::source(&bad);
                self.list.push(match cause {
                    Some(cause) => format!("{bad}: {cause}"),
                    None => bad.to_string(),
                });
                Ok(None)
            }
            Err(bad) => Err(LoadError::Skippable(Box::new(bad))),
        }
    }

    /// Returns what was left out and why, one line each.
    pub(super) fn into_list(self) -> Vec<String> {
        self.list
    }
}
