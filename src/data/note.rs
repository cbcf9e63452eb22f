//! What a reader of results must know of the images.

use serde::Serialize;

/// One thing that is true of a dataset and not obvious.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Note {
    /// Whether numbers may mislead because of it.
    pub is_warning: bool,
    /// The sentence, without a full stop.
    pub text: String,
}

impl Note {
    /// Says how the images were read.
    pub(super) fn fact(text: impl Into<String>) -> Self {
        Self { is_warning: false, text: text.into() }
    }

    /// Says why numbers may mislead.
    pub(super) fn warning(text: impl Into<String>) -> Self {
        Self { is_warning: true, text: text.into() }
    }
}
