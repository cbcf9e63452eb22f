//! Tables as files: CSV for people and diffs, Parquet for programs.

use std::io::Cursor;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

use polars::prelude::{
    Column, CsvReadOptions, CsvWriter, DataFrame, DataType, ParquetCompression, ParquetReader,
    ParquetWriter, PolarsResult, SerReader, SerWriter,
};

use super::frames::{Frames, cells_frame};
use crate::results::ExperimentResults;
use crate::store::{StoreError, atomic, read_file};

/// Why tables could not be written or read.
#[derive(Debug, thiserror::Error)]
pub enum TablesError {
    /// The file could not be replaced.
    #[error(transparent)]
    Write(#[from] atomic::AtomicError),
    /// The manifest beside the tables could not be read.
    #[error(transparent)]
    Manifest(#[from] StoreError),
    /// The file could not be read.
    #[error("cannot read table `{}`", path.display())]
    Open {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The file is not the table it should be.
    #[error("cannot read table `{}`", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: Problem,
    },
    /// The folder holds no table of that name.
    #[error("no `{name}.parquet` or `{name}.csv` in `{}`", folder.display())]
    Missing {
        /// The folder.
        folder: PathBuf,
        /// Name of the table.
        name: &'static str,
    },
}

impl TablesError {
    /// Returns what the user can do about it, if that is known.
    pub(crate) fn hint(&self) -> Option<String> {
        match self {
            Self::Write(error) => error.hint(),
            Self::Manifest(error) => error.hint(),
            Self::Open { .. } => None,
            Self::Damaged { .. } => Some(
                "remove the file; `bench report` rebuilds it where the journal is, and reads the \
                 table in its other format where there is none"
                    .to_owned(),
            ),
            Self::Missing { .. } => {
                Some("run `bench report` where the journal is to rebuild the tables".to_owned())
            }
        }
    }
}

/// What is wrong with a table.
#[derive(Debug, thiserror::Error)]
pub enum Problem {
    /// The file is not CSV or Parquet.
    #[error("{0}")]
    Format(String),
    /// A column is absent.
    #[error("column `{0}` is missing")]
    Column(String),
    /// An epoch has a value that its metric cannot have.
    #[error("row {row}: {problem}")]
    Epoch {
        /// Row, from 1, header aside.
        row: usize,
        /// What is wrong.
        problem: String,
    },
    /// A column that is no axis stands where axes do.
    #[error("column `{0}` stands among the axes, before `n_trials`, and is none")]
    Axis(String),
    /// A cell has two trials of one repeat.
    #[error("repeat {repeat} of cell `{cell}` stands there twice")]
    Twice {
        /// Name of the cell.
        cell: String,
        /// The repeat, from 0.
        repeat: u32,
    },
    /// A value is of the wrong kind.
    #[error("row {row}, column `{column}`: found `{found}`, expected {expected}")]
    Value {
        /// Row, from 1, header aside.
        row: usize,
        /// Column.
        column: String,
        /// What stands there.
        found: String,
        /// What should.
        expected: &'static str,
    },
}

/// Names of the tables, in the order of [`Frames`].
pub(crate) const TABLES: [&str; 4] = ["trials", "cells", "epochs", "histograms"];

/// Writes every table into `folder` as `<table>.csv` and `<table>.parquet`, each atomically.
///
/// Returns the paths written.
///
/// # Errors
/// If a file cannot be replaced.
pub(crate) fn write(frames: &Frames, folder: &Path) -> Result<Vec<PathBuf>, TablesError> {
    let frames = [&frames.trials, &frames.cells, &frames.epochs, &frames.histograms];
    let mut paths = Vec::new();
    for (name, frame) in TABLES.into_iter().zip(frames) {
        for (extension, bytes) in [("csv", csv_bytes(frame)), ("parquet", parquet_bytes(frame))] {
            let path = folder.join(name).with_extension(extension);
            atomic::write_derived(&path, &bytes)?;
            paths.push(path);
        }
    }
    Ok(paths)
}

/// Returns the cells tables of `experiments` as one CSV.
///
/// One experiment gives its `cells.csv` to the letter. Several are preceded by a column
/// `experiment` and hold every column that one of them has, empty where another lacks it.
///
/// # Panics
/// As [`frames`](super::frames).
pub(crate) fn cells_csv(experiments: &[&ExperimentResults]) -> String {
    let build = |one: &ExperimentResults| {
        cells_frame(one).expect("columns have equal lengths and distinct names")
    };
    let bytes = match experiments {
        [one] => csv_bytes(&build(one)),
        several => {
            let names = several.iter().map(|one| one.facts.name.as_str());
            let frames: Vec<DataFrame> = several.iter().map(|one| build(one)).collect();
            csv_bytes(&stack(names, &frames))
        }
    };
    String::from_utf8(bytes).expect("names and values are text")
}

/// Puts frames below each other, every column as text.
fn stack<'a>(names: impl Iterator<Item = &'a str>, frames: &[DataFrame]) -> DataFrame {
    let mut columns: Vec<String> = Vec::new();
    for name in frames.iter().flat_map(DataFrame::get_column_names) {
        if !columns.iter().any(|known| name == known) {
            columns.push(name.to_string());
        }
    }
    let experiments: Vec<&str> = names
        .zip(frames)
        .flat_map(|(name, frame)| std::iter::repeat_n(name, frame.height()))
        .collect();
    let mut stacked = vec![Column::new("experiment".into(), experiments)];
    for name in columns {
        let texts = frames.iter().map(|frame| match frame.column(&name) {
            Ok(column) => column.cast(&DataType::String).expect("every type has a text form"),
            Err(_) => Column::full_null("".into(), frame.height(), &DataType::String),
        });
        let mut joined = Column::new_empty(name.as_str().into(), &DataType::String);
        for text in texts {
            joined.append(&text).expect("all columns are text");
        }
        stacked.push(joined);
    }
    DataFrame::new_infer_height(stacked).expect("every column covers all frames")
}

fn csv_bytes(frame: &DataFrame) -> Vec<u8> {
    let mut bytes = Vec::new();
    CsvWriter::new(&mut bytes).finish(&mut frame.clone()).expect("writing to memory succeeds");
    bytes
}

fn parquet_bytes(frame: &DataFrame) -> Vec<u8> {
    let mut bytes = Vec::new();
    ParquetWriter::new(&mut bytes)
        .with_compression(ParquetCompression::Snappy)
        .finish(&mut frame.clone())
        .expect("writing to memory succeeds");
    bytes
}

/// Reads one table from Parquet, or from CSV where there is no Parquet file.
///
/// Columns of a CSV file are all text.
pub(super) fn read_frame(
    folder: &Path,
    name: &'static str,
) -> Result<(PathBuf, DataFrame), TablesError> {
    for (extension, parse) in
        [("parquet", parse_parquet as fn(Vec<u8>) -> PolarsResult<DataFrame>), ("csv", parse_csv)]
    {
        let path = folder.join(name).with_extension(extension);
        let bytes = match read_file(&path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => continue,
            Err(source) => return Err(TablesError::Open { path, source }),
        };
        // The readers of polars panic at some damaged files; this ends no program of ours.
        let problem = match catch_unwind(AssertUnwindSafe(|| parse(bytes))) {
            Ok(Ok(frame)) => return Ok((path, frame)),
            Ok(Err(error)) => error.to_string(),
            Err(_) => format!("not {extension}, or damaged"),
        };
        return Err(TablesError::Damaged { path, source: Problem::Format(problem) });
    }
    Err(TablesError::Missing { folder: folder.to_owned(), name })
}

fn parse_parquet(bytes: Vec<u8>) -> PolarsResult<DataFrame> {
    ParquetReader::new(Cursor::new(bytes)).finish()
}

pub(super) fn parse_csv(bytes: Vec<u8>) -> PolarsResult<DataFrame> {
    CsvReadOptions::default()
        .with_infer_schema_length(Some(0))
        .into_reader_with_file_handle(Cursor::new(bytes))
        .finish()
}
