//! What can be wrong with data, where, and the way out.

use std::error::Error as _;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use super::known::KnownSet;
use super::paths::{is_table, shown};
use crate::base::text::{counted, whole};

mod fetch;
mod split;

pub use fetch::FetchError;
pub use fetch::MirrorFailure;
pub use split::SplitError;

/// One file in so many may be passed over, or one image be bad, without doubt about the whole.
pub(super) const MAX_SHARE: usize = 20;

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
    /// Nothing can be learned or measured with these images.
    #[error("cannot train on dataset `{dataset}`")]
    Unfit {
        /// Short name of the dataset.
        dataset: String,
        /// What is wrong.
        #[source]
        source: UnfitError,
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
    pub(crate) fn hint(&self) -> Option<String> {
        match self {
            Self::Load { dataset, source } => Some(source.hint(dataset)),
            Self::Split { source, .. } => Some(source.hint()),
            Self::Fetch { dataset, source } => Some(source.hint(dataset)),
            Self::Unfit { source, .. } => Some(source.hint.clone()),
            Self::Input { path, source } => Some(source.input_hint(path)),
            Self::Convert { hint, .. } => Some((*hint).to_owned()),
            Self::Preview { .. } => None,
        }
    }
}

/// Why nothing can be learned or measured.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{problem}")]
pub struct UnfitError {
    /// What is wrong.
    pub problem: String,
    /// What helps.
    pub hint: String,
}

/// Where in a text file something stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Location {
    /// Line, from 1.
    pub line: u64,
    /// Name of the column; absent: the whole line.
    pub column: Option<String>,
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, " line {}", self.line)?;
        self.column.as_ref().map_or(Ok(()), |column| write!(f, " column {}", shown(column)))
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
    /// Something else than a file that can be read from its start to its end.
    #[error("`{}` is {kind}, expected a regular file", path.display())]
    NotRegular {
        /// What was to be read.
        path: PathBuf,
        /// What it is.
        kind: &'static str,
    },
    /// A file does not hold what it should.
    #[error("`{}`{} has {found}, expected {expected}", path.display(), at(location.as_deref()))]
    Content {
        /// The file or folder.
        path: PathBuf,
        /// Where in it.
        location: Option<Box<Location>>,
        /// What it holds.
        found: String,
        /// What it should hold.
        expected: String,
        /// What helps, where that is special to it.
        hint: Option<String>,
    },
    /// A file holds more than is read without asking.
    #[error("`{}` has {found}, more than `dataset.limits.{key}` allows", path.display())]
    Limit {
        /// The file or folder.
        path: PathBuf,
        /// How much it holds.
        found: String,
        /// The limit's key below `dataset.limits`.
        key: &'static str,
        /// The limit.
        limit: u64,
        /// A limit that would do.
        enough: u64,
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
    /// Rows or images that cannot be used, among others that could do without them.
    #[error("{}", bad_text(problems, *bad, *all, noun))]
    Bad {
        /// The first of them.
        problems: Vec<LoadError>,
        /// How many there are.
        bad: usize,
        /// How many rows or images there are in all.
        all: usize,
        /// What they are: `row` or `image`.
        noun: &'static str,
    },
    /// Too many files hold no image.
    #[error(
        "{} of the {} in `{}` are not read: {kinds} (the first: {})",
        whole(*passed), counted(*all, "file"), path.display(), shown(first)
    )]
    PassedOver {
        /// The folder.
        path: PathBuf,
        /// How many files hold no image.
        passed: usize,
        /// How many files there are.
        all: usize,
        /// What they are, with their counts.
        kinds: String,
        /// One of them.
        first: String,
    },
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

fn at(location: Option<&Location>) -> String {
    location.map(Location::to_string).unwrap_or_default()
}

fn nowhere(searched: &[PathBuf]) -> String {
    if searched.is_empty() {
        return "missing: no data folder is known".to_owned();
    }
    let folders: Vec<String> =
        searched.iter().map(|path| format!("`{}`", path.display())).collect();
    format!("not in {}", folders.join(", "))
}

fn bad_text(problems: &[LoadError], bad: usize, all: usize, noun: &str) -> String {
    if let ([problem], 1) = (problems, bad) {
        return problem.line();
    }
    let mut lines = vec![format!("{} of {} cannot be used:", whole(bad), counted(all, noun))];
    lines.extend(problems.iter().map(|problem| format!("  {}", problem.line())));
    let more = bad - problems.len();
    lines.extend((more > 0).then(|| format!("  … and {} more", whole(more))));
    lines.join("\n")
}

impl LoadError {
    pub(super) fn content(
        path: impl Into<PathBuf>,
        found: impl Into<String>,
        expected: impl Into<String>,
    ) -> Self {
        Self::Content {
            path: path.into(),
            location: None,
            found: found.into(),
            expected: expected.into(),
            hint: None,
        }
    }

    /// Returns the problem and its cause on one line.
    pub(super) fn line(&self) -> String {
        match self.source() {
            Some(cause) => format!("{self}: {cause}"),
            None => self.to_string(),
        }
    }

    /// Says what helps, where that is special to this error.
    pub(super) fn hinting(mut self, text: impl Into<String>) -> Self {
        if let Self::Content { hint, .. } = &mut self {
            *hint = Some(text.into());
        }
        self
    }

    pub(super) fn of(self, dataset: &str) -> DataError {
        DataError::Load { dataset: dataset.to_owned(), source: Box::new(self) }
    }

    /// Returns the hint that is special to this error, or to the first of several bad rows or images.
    fn own_hint(&self) -> Option<String> {
        match self {
            Self::Content { hint, .. } => hint.clone(),
            Self::Limit { key, limit, enough, .. } => Some(format!(
                "the limit is {limit}; if the file is meant to be so large, set \
                 `dataset.limits.{key} = {enough}`"
            )),
            Self::Bad { problems, .. } => problems.iter().find_map(Self::own_hint),
            _ => None,
        }
    }

    /// Returns what helps where this stands in the way of reading images to predict from `input`.
    fn input_hint(&self, input: &Path) -> String {
        let own = self.own_hint();
        let hint = match (self, &own) {
            (Self::Limit { .. }, _) => {
                "divide it, or predict with a network trained with a higher limit"
            }
            // How images are read was settled when the network was trained.
            (_, Some(own)) if !own.contains("`dataset.") => own,
            (Self::Size { .. }, _) => "bring the images to that size, or choose another network",
            (Self::Bad { problems, bad: 1, .. }, _) => return problems[0].input_hint(input),
            (Self::Bad { .. }, _) => "repair or remove them",
            (Self::Content { location: Some(_), .. }, _) => "repair the file",
            (
                Self::Content { path, .. }
                | Self::Read { path, .. }
                | Self::NotRegular { path, .. },
                _,
            ) if path != input => "repair or remove it",
            (Self::Content { .. }, _) if input.is_dir() => {
                "give a folder of images, or of folders of them named like the classes"
            }
            (Self::Content { .. }, _) if is_table(input) => {
                "check the file, and what `--label` and `--id-column` name"
            }
            _ => "give a CSV file of pixels, an IDX file of images or a folder of images",
        };
        hint.to_owned()
    }

    fn hint(&self, dataset: &str) -> String {
        // To leave out more would be to train on something else.
        let leave_out = match self {
            Self::Bad { bad, all, .. } if *bad == 1 || MAX_SHARE * bad <= *all => {
                let them = if *bad == 1 { "it" } else { "them" };
                Some(format!(
                    "repair or remove {them}, or leave {them} out with `dataset.skip-bad = true`"
                ))
            }
            _ => None,
        };
        if let Some(hint) = self.own_hint() {
            return match leave_out {
                Some(leave_out) => format!("{hint}; else {leave_out}"),
                None => hint,
            };
        }
        if let Some(leave_out) = leave_out {
            return leave_out;
        }
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
            (Self::PassedOver { passed, .. }, _) => format!(
                "convert images among them to PNG, move the others elsewhere, or go on without these \
                 {} with `dataset.skip-bad = true`",
                counted(*passed, "file")
            ),
            (_, None) => "repair or replace the file, or point `[dataset]` at another".to_owned(),
        }
    }
}
