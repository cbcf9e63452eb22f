//! Why a pool of images cannot be divided as asked.

use super::DataError;
use crate::base::Split;

/// Why a pool of images cannot be divided as asked.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum SplitError {
    /// A range reaches beyond the pool or holds nothing.
    #[error(
        "the {} range is {from}..{to}, expected a range within 0..{images} that is not empty",
        part_name(*part)
    )]
    Range {
        /// The part.
        part: Split,
        /// First index.
        from: usize,
        /// One past the last index.
        to: usize,
        /// Size of the pool.
        images: usize,
    },
    /// A fraction is not between 0 and 1, or yields no image.
    #[error(
        "the {} fraction is {fraction}, expected one between 0 and 1 that yields at least one of \
         {images} images",
        part_name(*part)
    )]
    Fraction {
        /// The part.
        part: Split,
        /// The fraction.
        fraction: f64,
        /// Number of images it is a fraction of.
        images: usize,
    },
    /// An image would be in two parts.
    #[error(
        "image {image} is both a {} and a {} image, expected each image in one part at most",
        part_name(*first),
        part_name(*second)
    )]
    Overlap {
        /// The part that had it first.
        first: Split,
        /// The part that wants it too.
        second: Split,
        /// Index of the first such image.
        image: usize,
    },
    /// A part wants more images than there are.
    #[error("{wanted} {} images are asked for, expected at most the {left} left", part_name(*part))]
    TooMany {
        /// The part.
        part: Split,
        /// How many it wants.
        wanted: usize,
        /// How many no other part has.
        left: usize,
    },
    /// There are fewer images than folds.
    #[error("{images} images are to be divided into {folds} folds, expected one for each at least")]
    Folds {
        /// How many folds.
        folds: u32,
        /// Images that test leaves.
        images: usize,
    },
    /// Nothing is left to train on.
    #[error("no training image is left of {images}, expected at least one")]
    NoTraining {
        /// Size of the pool.
        images: usize,
    },
}

fn part_name(part: Split) -> &'static str {
    match part {
        Split::Train => "training",
        Split::Validation => "validation",
        Split::Test => "test",
    }
}

impl SplitError {
    pub(in crate::data) fn of(self, dataset: &str) -> DataError {
        DataError::Split { dataset: dataset.to_owned(), source: Box::new(self) }
    }

    pub(super) fn hint(&self) -> String {
        let key = |part: Split| match part {
            Split::Train => "train",
            Split::Validation => "validation",
            Split::Test => "test",
        };
        match self {
            Self::Range { part, .. } | Self::Fraction { part, .. } | Self::TooMany { part, .. } => {
                format!("change `dataset.split.{}`", key(*part))
            }
            Self::Overlap { first, second, .. } => format!(
                "change `dataset.split.{}` or `dataset.split.{}`",
                key(*first),
                key(*second)
            ),
            Self::Folds { .. } => "lower `folds`, or make `dataset.split.test` smaller".to_owned(),
            Self::NoTraining { .. } => {
                "make `dataset.split.validation` or `dataset.split.test` smaller".to_owned()
            }
        }
    }
}
