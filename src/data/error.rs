//! What can be wrong with data, where, and the way out.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use super::csv_lines::CsvText;
use super::known::KnownSet;
use crate::base::Split;

/// Says which dataset could not be had, and why.
#[derive(Debug, thiserror::Error)]
pub enum DataError {
    /// The images could not be read, or are not what they should be.
    #[error("cannot load dataset `{dataset}`")]
    Load {
        /// Short name of the dataset.
        dataset: String,
        /// What is wrong.
        #[source]
        source: Box<LoadError>,
    },
    /// The images cannot be divided as asked.
    #[error("cannot split dataset `{dataset}`")]
    Split {
        /// Short name of the dataset.
        dataset: String,
        /// What is wrong.
        #[source]
        source: Box<SplitError>,
    },
    /// The files could not be downloaded.
    #[error("cannot fetch dataset `{dataset}`")]
    Fetch {
        /// Short name of the dataset.
        dataset: String,
        /// What is wrong.
        #[source]
        source: Box<FetchError>,
    },
    /// Images to predict could not be read, or are not what the network takes.
    #[error("cannot read images to predict from `{}`", path.display())]
    Input {
        /// The file or folder.
        path: PathBuf,
        /// What is wrong.
        #[source]
        source: Box<LoadError>,
    },
    /// The dataset has no place in files of the form wanted.
    #[error("cannot convert dataset `{dataset}` to folders: {problem}")]
    Convert {
        /// Short name of the dataset.
        dataset: String,
        /// What is wrong.
        problem: String,
        /// What helps.
        hint: &'static str,
    },
    /// The contact sheet could not be drawn.
    #[error("cannot draw a preview of dataset `{dataset}`: {problem}")]
    Preview {
        /// Short name of the dataset.
        dataset: String,
        /// What is wrong.
        problem: String,
    },
}

impl DataError {
    /// Returns the command or edit that helps, where there is one.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Load { dataset, source } => Some(source.hint(dataset)),
            Self::Split { source, .. } => Some(source.hint()),
            Self::Fetch { dataset, source } => Some(source.hint(dataset)),
            Self::Input { path, source } => Some(source.input_hint(path).to_owned()),
            Self::Convert { hint, .. } => Some((*hint).to_owned()),
            Self::Preview { .. } => None,
        }
    }
}

/// Where in a text file something stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// Line, from 1.
    pub line: u64,
    /// Name of the column; absent: the whole line.
    pub column: Option<String>,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, " line {}", self.line)?;
        self.column.as_ref().map_or(Ok(()), |column| write!(f, " column `{column}`"))
    }
}

/// Why images could not be loaded.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// A file or folder is nowhere to be found.
    #[error("`{file}` is {}", nowhere(searched))]
    Missing {
        /// What was looked for.
        file: String,
        /// The folders looked into, in order.
        searched: Vec<PathBuf>,
    },
    /// The system refused to read a file or folder.
    #[error("cannot read `{}`", path.display())]
    Read {
        /// The file or folder.
        path: PathBuf,
        /// The system's words.
        #[source]
        source: io::Error,
    },
    /// A file does not hold what it should.
    #[error("`{}`{} has {found}, expected {expected}", path.display(), at(place.as_ref()))]
    Content {
        /// The file or folder.
        path: PathBuf,
        /// Where in it.
        place: Option<Place>,
        /// What it holds.
        found: String,
        /// What it should hold.
        expected: String,
    },
    /// Images to predict are of another size than the network takes.
    #[error(
        "`{}` has images of {}×{} pixels, expected {}×{}, as the network was trained with; only a \
         network trained with `dataset.image-size` takes other sizes",
        path.display(), found.0, found.1, wanted.0, wanted.1
    )]
    Size {
        /// The file or folder.
        path: PathBuf,
        /// Rows and columns of the images.
        found: (usize, usize),
        /// Rows and columns that the network takes.
        wanted: (usize, usize),
    },
    /// One bad image among others, which could be left out.
    #[error(transparent)]
    Skippable(Box<LoadError>),
    /// A setting does not suit the images.
    #[error("`{key}` is {found}, expected {expected}")]
    Setting {
        /// Dotted key of the setting.
        key: &'static str,
        /// Its value.
        found: String,
        /// What would do.
        expected: String,
    },
}

fn at(place: Option<&Place>) -> String {
    place.map(Place::to_string).unwrap_or_default()
}

fn nowhere(searched: &[PathBuf]) -> String {
    if searched.is_empty() {
        return "missing: no data folder is known".to_owned();
    }
    let folders: Vec<String> =
        searched.iter().map(|path| format!("`{}`", path.display())).collect();
    format!("not in {}", folders.join(", "))
}

impl LoadError {
    pub(super) fn content(
        path: impl Into<PathBuf>,
        found: impl Into<String>,
        expected: impl Into<String>,
    ) -> Self {
        Self::Content {
            path: path.into(),
            place: None,
            found: found.into(),
            expected: expected.into(),
        }
    }

    pub(super) fn of(self, dataset: &str) -> DataError {
        DataError::Load { dataset: dataset.to_owned(), source: Box::new(self) }
    }

    /// Returns what helps where this stands in the way of reading images to predict from `input`.
    fn input_hint(&self, input: &Path) -> &'static str {
        match self {
            Self::Size { .. } => "bring the images to that size, or choose another network",
            Self::Content { place: Some(_), .. } | Self::Skippable(_) => "repair or remove it",
            Self::Content { path, .. } | Self::Read { path, .. } if path != input => {
                "repair or remove it"
            }
            Self::Content { .. } if CsvText::is_meant(input) => {
                "check the file, and what `--label` and `--id-column` name"
            }
            _ => "give a CSV file of pixels, an IDX file of images or a folder of PNG images",
        }
    }

    fn hint(&self, dataset: &str) -> String {
        match (self, KnownSet::named(dataset)) {
            (Self::Setting { key, .. }, _) => format!("change `{key}` in the experiment file"),
            (Self::Missing { .. }, Some(_)) => format!(
                "run `bench data fetch {dataset}`, or name the folder that holds the files with \
                 `--data-dir`"
            ),
            (_, Some(_)) => format!("run `bench data fetch {dataset} --force`"),
            (Self::Missing { .. }, None) => "correct the path under `[dataset]`, or name the \
                                             folder it is relative to with `--data-dir`"
                .to_owned(),
            (Self::Skippable(_), _) => {
                "repair or remove it, or leave bad images out with `dataset.skip-bad = true`"
                    .to_owned()
            }
            (_, None) => "repair or replace the file, or point `[dataset]` at another".to_owned(),
        }
    }
}

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
    pub(super) fn of(self, dataset: &str) -> DataError {
        DataError::Split { dataset: dataset.to_owned(), source: Box::new(self) }
    }

    fn hint(&self) -> String {
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
            Self::NoTraining { .. } => {
                "make `dataset.split.validation` or `dataset.split.test` smaller".to_owned()
            }
        }
    }
}

/// Why a dataset could not be downloaded.
#[derive(Debug, thiserror::Error)]
pub enum FetchError {
    /// No dataset of this name can be downloaded.
    #[error("`{name}` cannot be downloaded, expected one of {}", known.join(", "))]
    Unknown {
        /// The name asked for.
        name: String,
        /// The names there are.
        known: Vec<String>,
    },
    /// The folder cannot be written.
    #[error("cannot write `{}`", path.display())]
    Write {
        /// The file or folder.
        path: PathBuf,
        /// The system's words.
        #[source]
        source: io::Error,
    },
    /// No mirror gave the file.
    #[error("no mirror gave `{file}`: {}", failures(attempts))]
    Mirrors {
        /// The file.
        file: String,
        /// One entry a mirror tried, in order.
        attempts: Vec<MirrorFailure>,
    },
}

/// Why one mirror did not give a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MirrorFailure {
    /// The address.
    pub url: String,
    /// What went wrong.
    pub problem: String,
}

fn failures(attempts: &[MirrorFailure]) -> String {
    let lines: Vec<String> =
        attempts.iter().map(|failure| format!("`{}` {}", failure.url, failure.problem)).collect();
    lines.join("; ")
}

impl FetchError {
    pub(super) fn of(self, dataset: &str) -> DataError {
        DataError::Fetch { dataset: dataset.to_owned(), source: Box::new(self) }
    }

    fn hint(&self, dataset: &str) -> String {
        match self {
            Self::Unknown { .. } => "run `bench data list`".to_owned(),
            Self::Write { .. } => "name a folder you may write to with `--data-dir`".to_owned(),
            Self::Mirrors { .. } => format!(
                "check the network and run `bench data fetch {dataset}` again (it goes on where it \
                 stopped), or put the files into a folder yourself and name it with `--data-dir`"
            ),
        }
    }
}
