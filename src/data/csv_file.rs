//! Kaggle-style CSV: a header, a label column found by its name, and one column a pixel.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use csv::{ByteRecord, Position, ReaderBuilder};

use super::dataset::ImageShape;
use super::error::{LoadError, Place};
use super::load::Pool;

/// Most classes that whole-number labels may make.
const MAX_CLASSES: u16 = 1000;

/// Reads a training file and, where there is one, a labelled test file.
///
/// Every column but the label's is a pixel, row by row of a square image, a whole number from 0 to
/// 255. If the first label is a whole number, all must be, and the classes are 0 up to the largest;
/// otherwise labels are names, and the classes are the sorted names.
pub(super) fn read(path: &Path, test: Option<&Path>, label: &str) -> Result<Pool, LoadError> {
    let mut table = Table::read(path, label)?;
    let names = table.class_names()?;
    let train_images = table.labels.len();
    let mut labels = table.class_indices(&names)?;
    let mut test_from = None;
    if let Some(test) = test {
        let test = Table::read(test, label)?;
        if test.side != table.side {
            return Err(LoadError::content(
                &test.path,
                format!("{0}×{0} pixels a row", test.side),
                format!("{0}×{0}, as `{1}` has", table.side, table.path.display()),
            ));
        }
        labels.extend(test.class_indices(&names)?);
        table.pixels.extend_from_slice(&test.pixels);
        test_from = Some(train_images);
    }
    let shape = ImageShape { height: table.side, width: table.side, channels: 1 };
    Ok(Pool { shape, classes: names, pixels: table.pixels, labels, test_from })
}

struct Table {
    path: PathBuf,
    label_column: String,
    side: usize,
    pixels: Vec<u8>,
    /// Text and line of every label.
    labels: Vec<(String, u64)>,
}

impl Table {
    fn read(path: &Path, label: &str) -> Result<Self, LoadError> {
        let problem = |error: csv::Error| csv_problem(path, error);
        let mut reader = ReaderBuilder::new().from_path(path).map_err(problem)?;
        let header = reader.headers().map_err(problem)?.clone();
        let mut found = header.iter().enumerate().filter(|(_, name)| name.trim() == label);
        let (Some((label_at, _)), None) = (found.next(), found.next()) else {
            let mut names: Vec<String> =
                header.iter().take(3).map(|name| format!("`{name}`")).collect();
            names.extend((header.len() > 3).then(|| "…".to_owned()));
            return Err(LoadError::content(
                path,
                format!("columns {}", names.join(", ")),
                format!("exactly one called `{label}`"),
            ));
        };
        let columns = header.len() - 1;
        let side = columns.isqrt();
        if side == 0 || side * side != columns {
            return Err(LoadError::content(
                path,
                format!("{columns} columns beside `{label}`"),
                "a square number of pixels (784 for 28×28)",
            ));
        }
        let mut table = Self {
            path: path.to_owned(),
            label_column: label.to_owned(),
            side,
            pixels: Vec::new(),
            labels: Vec::new(),
        };
        let mut record = ByteRecord::new();
        while reader.read_byte_record(&mut record).map_err(problem)? {
            let line = record.position().map_or(0, Position::line);
            for (at, cell) in record.iter().enumerate() {
                let cell = cell.trim_ascii();
                if at == label_at {
                    table.labels.push((String::from_utf8_lossy(cell).into_owned(), line));
                } else {
                    let pixel = parse_pixel(cell).ok_or_else(|| {
                        let found = match cell {
                            [] => "an empty cell".to_owned(),
                            cell => format!("`{}`", String::from_utf8_lossy(cell)),
                        };
                        table.cell_problem(line, &header[at], found, "a whole number from 0 to 255")
                    })?;
                    table.pixels.push(pixel);
                }
            }
        }
        if table.labels.is_empty() {
            return Err(LoadError::content(path, "no row below its header", "one row an image"));
        }
        Ok(table)
    }

    fn class_names(&self) -> Result<Vec<String>, LoadError> {
        if self.labels[0].0.parse::<u64>().is_err() {
            let names: BTreeSet<&String> = self.labels.iter().map(|(label, _)| label).collect();
            return Ok(names.into_iter().cloned().collect());
        }
        let mut largest = 0;
        for (label, line) in &self.labels {
            let class = label.parse::<u16>().ok().filter(|&class| class < MAX_CLASSES);
            largest = class
                .ok_or_else(|| {
                    let expected = format!("a whole number from 0 to {}", MAX_CLASSES - 1);
                    self.label_problem(label, *line, &expected)
                })?
                .max(largest);
        }
        Ok((0..=largest).map(|class| class.to_string()).collect())
    }

    fn class_indices(&self, names: &[String]) -> Result<Vec<u16>, LoadError> {
        let numbers = names[0] == "0";
        self.labels
            .iter()
            .map(|(label, line)| {
                let index = if numbers {
                    label.parse().ok().filter(|&class: &usize| class < names.len())
                } else {
                    names.binary_search(label).ok()
                };
                index.map(|index| index as u16).ok_or_else(|| {
                    let last = names.last().expect("a file has at least one class");
                    self.label_problem(
                        label,
                        *line,
                        &format!("a class of the training file, `{}` to `{last}`", names[0]),
                    )
                })
            })
            .collect()
    }

    fn label_problem(&self, label: &str, line: u64, expected: &str) -> LoadError {
        self.cell_problem(line, &self.label_column, format!("`{label}`"), expected)
    }

    fn cell_problem(&self, line: u64, column: &str, found: String, expected: &str) -> LoadError {
        LoadError::Content {
            path: self.path.clone(),
            place: Some(Place { line, column: Some(column.to_owned()) }),
            found,
            expected: expected.to_owned(),
        }
    }
}

fn parse_pixel(cell: &[u8]) -> Option<u8> {
    if cell.is_empty() || cell.len() > 3 {
        return None;
    }
    let value = cell.iter().try_fold(0_u16, |value, &byte| {
        byte.is_ascii_digit().then(|| value * 10 + u16::from(byte - b'0'))
    })?;
    u8::try_from(value).ok()
}

fn csv_problem(path: &Path, error: csv::Error) -> LoadError {
    let line = error.position().map(Position::line);
    match error.into_kind() {
        csv::ErrorKind::Io(source) => LoadError::Read { path: path.to_owned(), source },
        csv::ErrorKind::UnequalLengths { expected_len, len, .. } => LoadError::Content {
            path: path.to_owned(),
            place: line.map(|line| Place { line, column: None }),
            found: format!("{len} cells"),
            expected: format!("{expected_len}, as the header has"),
        },
        csv::ErrorKind::Utf8 { err, .. } => LoadError::Content {
            path: path.to_owned(),
            place: line.map(|line| Place { line, column: None }),
            found: format!("bytes that are not text ({err})"),
            expected: "UTF-8".to_owned(),
        },
        other => LoadError::content(path, format!("{other:?}"), "comma-separated values"),
    }
}
