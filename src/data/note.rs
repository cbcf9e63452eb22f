//! What a reader of results must know of the images.

use serde::Serialize;

use crate::base;

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

/// Returns a count with its noun, thousands grouped: `1 image`, `2,000 images`.
pub(super) fn counted(count: usize, noun: &str) -> String {
    let plural = match (count, noun) {
        (1, _) => noun.to_owned(),
        (_, "class") => "classes".to_owned(),
        _ => format!("{noun}s"),
    };
    format!("{} {plural}", grouped(count))
}

/// Returns a count with its thousands grouped.
pub(super) fn grouped(count: usize) -> String {
    base::grouped(count as u128)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_have_their_noun_and_grouped_thousands() {
        let shown = [0, 1, 2, 999, 1000, 1_234_567].map(|count| counted(count, "image"));
        assert_eq!(
            shown,
            ["0 images", "1 image", "2 images", "999 images", "1,000 images", "1,234,567 images"]
        );
        assert_eq!(counted(2, "class"), "2 classes");
    }
}
