//! Kaggle-style CSV: a header, a label column found by its name, and one column a pixel.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use csv::{ByteRecord, StringRecord};

use super::csv_lines::CsvText;
use super::dataset::ImageShape;
use super::error::{LoadError, Place};
use super::load::Pool;
use super::skipping::Skipping;

/// Most classes that whole-number labels may make.
const MAX_CLASSES: u16 = 1000;

/// Reads a training file and, where there is one, a labelled test file.
///
/// Every column but the label's is a pixel, row by row of a square image, a whole number from 0 to
/// 255. If more than half of the labels are whole numbers, all must be, and the classes are 0 up to
/// the largest; otherwise labels are names, and the classes are the sorted names.
pub(super) fn read(
    path: &Path,
    test: Option<&Path>,
    label: &str,
    skipping: &mut Skipping,
) -> Result<Pool, LoadError> {
    let columns = Columns { label: Some(label), id: None };
    let mut table = Table::read(path, columns, skipping)?;
    let names = table.class_names(skipping)?;
    let mut labels = table.class_indices(&names, "the training file", skipping)?;
    let train_images = labels.len();
    let mut test_from = None;
    if let Some(test) = test {
        let mut test = Table::read(test, columns, skipping)?;
        if test.side != table.side {
            return Err(LoadError::content(
                &test.path,
                format!("{0}×{0} pixels a row", test.side),
                format!("{0}×{0}, as `{1}` has", table.side, table.path.display()),
            ));
        }
        labels.extend(test.class_indices(&names, "the training file", skipping)?);
        table.pixels.extend_from_slice(&test.pixels);
        test_from = Some(train_images);
    }
    let shape = ImageShape { height: table.side, width: table.side, channels: 1 };
    Ok(Pool { shape, classes: names, pixels: table.pixels, labels, test_from })
}

/// Columns of a table that are no pixels.
#[derive(Clone, Copy)]
pub(super) struct Columns<'a> {
    /// Name of the label column, where there is one.
    pub(super) label: Option<&'a str>,
    /// Name of a column that says which image a row is, where there is one.
    pub(super) id: Option<&'a str>,
}

/// One CSV file.
pub(super) struct Table {
    path: PathBuf,
    label_column: String,
    /// Side of the square images.
    pub(super) side: usize,
    /// Pixels of all rows.
    pub(super) pixels: Vec<u8>,
    /// What the id column says, where there is one.
    pub(super) ids: Vec<String>,
    /// Text and line of every label; without a label column the text is empty.
    labels: Vec<(String, u64)>,
}

/// Where everything stands in a row.
struct Places {
    label: Option<usize>,
    id: Option<usize>,
    header: StringRecord,
}

impl Table {
    /// Reads a file.
    pub(super) fn read(
        path: &Path,
        columns: Columns<'_>,
        skipping: &mut Skipping,
    ) -> Result<Self, LoadError> {
        let text = CsvText::read(path)?;
        let mut lines = text.lines();
        let mut record = ByteRecord::new();
        let (line, first) = lines
            .next()
            .ok_or_else(|| LoadError::content(path, "no line", "a header and one row an image"))?;
        text.split(line, first, &mut record)?;
        let header = StringRecord::from_byte_record(record.clone()).map_err(|error| {
            let found = format!("bytes that are not text ({})", error.utf8_error());
            text.problem(line, found, "UTF-8")
        })?;
        check_header(&text, line, &header)?;
        let place = |name: Option<&str>| name.map(|name| find(path, &header, name)).transpose();
        let (label, id) = (place(columns.label)?, place(columns.id)?);
        let side = side_of(path, &header, columns)?;
        let places = Places { label, id, header };
        let mut table = Self {
            path: path.to_owned(),
            label_column: columns.label.unwrap_or_default().to_owned(),
            side,
            pixels: Vec::new(),
            ids: Vec::new(),
            labels: Vec::new(),
        };
        for (line, cells) in lines {
            let row = text.split(line, cells, &mut record).and_then(|()| {
                if record.len() == places.header.len() {
                    return table.add(line, &record, &places);
                }
                let expected = format!("{}, as the header has", places.header.len());
                Err(text.problem(line, format!("{} cells", record.len()), expected))
            });
            skipping.pass(row)?;
        }
        if table.labels.is_empty() {
            return Err(LoadError::content(path, "no row below its header", "one row an image"));
        }
        Ok(table)
    }

    /// Adds one row, or nothing of it.
    fn add(&mut self, line: u64, record: &ByteRecord, places: &Places) -> Result<(), LoadError> {
        let before = self.pixels.len();
        let (mut label, mut id) = (String::new(), None);
        for (at, cell) in record.iter().enumerate() {
            let cell = cell.trim_ascii();
            let expected = if Some(at) == places.label {
                label = String::from_utf8_lossy(cell).into_owned();
                if !cell.is_empty() && cell == label.as_bytes() {
                    continue;
                }
                "the name of a class"
            } else if Some(at) == places.id {
                id = Some(String::from_utf8_lossy(cell).into_owned());
                continue;
            } else if let Some(pixel) = parse_pixel(cell) {
                self.pixels.push(pixel);
                continue;
            } else {
                "a whole number from 0 to 255"
            };
            self.pixels.truncate(before);
            let found = match cell {
                [] => "an empty cell".to_owned(),
                cell => format!("`{}`", String::from_utf8_lossy(cell)),
            };
            return Err(self.cell_problem(line, &places.header[at], found, expected));
        }
        self.labels.push((label, line));
        self.ids.extend(id);
        Ok(())
    }

    /// Returns the classes the labels make; of whole numbers, those too large are an error, or left
    /// out.
    fn class_names(&mut self, skipping: &mut Skipping) -> Result<Vec<String>, LoadError> {
        let numbers = self.labels.iter().filter(|(label, _)| label.parse::<u64>().is_ok()).count();
        if 2 * numbers <= self.labels.len() {
            let names: BTreeSet<&String> = self.labels.iter().map(|(label, _)| label).collect();
            return Ok(names.into_iter().cloned().collect());
        }
        let expected = format!("a whole number from 0 to {}", MAX_CLASSES - 1);
        let kept = self.judged(skipping, |label| {
            let class = label.parse::<u16>().ok().filter(|&class| class < MAX_CLASSES);
            class.ok_or_else(|| expected.clone())
        })?;
        let largest = kept.into_iter().max().unwrap_or(0);
        Ok((0..=largest).map(|class| class.to_string()).collect())
    }

    /// Returns the place among `names` of every row's label, a whole number however it is written;
    /// rows of other labels are an error, or left out. The names are those of `whose`.
    pub(super) fn class_indices(
        &mut self,
        names: &[String],
        whose: &str,
        skipping: &mut Skipping,
    ) -> Result<Vec<u16>, LoadError> {
        let places: BTreeMap<&str, u16> =
            names.iter().zip(0..).map(|(name, place)| (name.as_str(), place)).collect();
        let expected = format!("a class of {whose}: {}", classes_listed(names));
        self.judged(skipping, |label| {
            let as_number = || {
                let number = label.parse::<u64>().ok()?;
                places.get(number.to_string().as_str())
            };
            places.get(label).or_else(as_number).copied().ok_or_else(|| expected.clone())
        })
    }

    /// Returns what `judge` makes of every label, and drops the rows it says no to; its error is
    /// what was expected.
    fn judged(
        &mut self,
        skipping: &mut Skipping,
        judge: impl Fn(&str) -> Result<u16, String>,
    ) -> Result<Vec<u16>, LoadError> {
        let size = self.side * self.side;
        let mut kept = Vec::with_capacity(self.labels.len());
        let mut bad = Vec::new();
        for (row, (label, line)) in self.labels.iter().enumerate() {
            let judged =
                judge(label).map_err(|expected| self.label_problem(label, *line, &expected));
            match skipping.pass(judged)? {
                Some(class) => kept.push(class),
                None => bad.push(row),
            }
        }
        for &row in bad.iter().rev() {
            self.labels.remove(row);
            self.pixels.drain(row * size..(row + 1) * size);
        }
        if kept.is_empty() {
            return Err(LoadError::content(&self.path, "no usable row", "one row an image"));
        }
        Ok(kept)
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

/// Returns the names of classes as messages show them.
pub(super) fn classes_listed(classes: &[String]) -> String {
    const MOST: usize = 12;
    let are_numbers = classes.iter().zip(0_usize..).all(|(name, place)| *name == place.to_string());
    if let (true, [first, .., last]) = (are_numbers, classes) {
        return format!("`{first}` to `{last}`");
    }
    let mut names: Vec<String> =
        classes.iter().take(MOST).map(|name| format!("`{name}`")).collect();
    names.extend((classes.len() > MOST).then(|| "…".to_owned()));
    names.join(", ")
}

/// Refuses a first line that is a row: nothing but pixels beside, at most, a label and an id.
///
/// Columns may be numbered, though, as pandas does it: such numbers go up by one.
fn check_header(text: &CsvText, line: u64, header: &StringRecord) -> Result<(), LoadError> {
    let pixels: Vec<u8> =
        header.iter().filter_map(|name| parse_pixel(name.trim().as_bytes())).collect();
    let goes_up = pixels.windows(2).all(|pair| u16::from(pair[1]) == u16::from(pair[0]) + 1);
    if goes_up || header.len() - pixels.len() > 2 {
        return Ok(());
    }
    Err(text.problem(line, "pixels", "a header that names the columns; add one"))
}

/// Returns the place of the one column of that name.
fn find(path: &Path, header: &StringRecord, name: &str) -> Result<usize, LoadError> {
    let mut found = header.iter().enumerate().filter(|(_, column)| column.trim() == name);
    if let (Some((place, _)), None) = (found.next(), found.next()) {
        return Ok(place);
    }
    let mut names: Vec<String> = header.iter().take(3).map(|name| format!("`{name}`")).collect();
    names.extend((header.len() > 3).then(|| "…".to_owned()));
    Err(LoadError::content(
        path,
        format!("columns {}", names.join(", ")),
        format!("exactly one called `{name}`"),
    ))
}

/// Returns the side of the images that the columns of pixels make.
fn side_of(path: &Path, header: &StringRecord, columns: Columns<'_>) -> Result<usize, LoadError> {
    let others = [columns.label, columns.id];
    let pixels = header.len() - others.iter().flatten().count();
    let side = pixels.isqrt();
    if side > 0 && side * side == pixels {
        return Ok(side);
    }
    let beside: Vec<String> = others.iter().flatten().map(|name| format!("`{name}`")).collect();
    let first = header.get(0).unwrap_or_default().trim();
    let one_less = pixels.saturating_sub(1);
    if beside.is_empty() && one_less > 0 && one_less.isqrt().pow(2) == one_less {
        return Err(LoadError::content(
            path,
            format!("{pixels} columns, the first `{first}`"),
            format!(
                "{one_less}, one a pixel; say what the other is with `--label {first}` (to score \
                 the predictions) or `--id-column {first}`"
            ),
        ));
    }
    let found = match beside.len() {
        0 => format!("{pixels} columns"),
        _ => format!("{pixels} columns beside {}", beside.join(" and ")),
    };
    Err(LoadError::content(path, found, "a square number of pixels (784 for 28×28)"))
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

#[cfg(test)]
#[path = "csv_file_tests.rs"]
mod tests;
