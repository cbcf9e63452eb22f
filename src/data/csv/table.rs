//! The rows of a table: pixels, labels and names of images.

use std::path::{Path, PathBuf};

use csv::ByteRecord;

use super::header::{Columns, Header, Role};
use super::labels::Classes;
use super::text::CsvText;
use crate::base::text;
use crate::data::error::{LoadError, Location};
use crate::data::note::Note;
use crate::data::paths::shown;
use crate::data::pixel_columns::PixelColumns;
use crate::data::reading::Reading;
use crate::experiment::settings::LabelKind;

/// Labels are stored in 16 bits.
const MAX_CLASSES: u64 = 1 << 16;

/// One CSV file.
pub(in crate::data) struct Table {
    path: PathBuf,
    label_column: String,
    /// Which pixels its columns are.
    pub(in crate::data) columns: PixelColumns,
    /// Pixels of all rows.
    pub(in crate::data) pixels: Vec<u8>,
    /// What the id column says, where there is one.
    pub(in crate::data) ids: Vec<String>,
    /// Text and line of every label; without a label column the text is empty.
    labels: Vec<(String, u64)>,
}

impl Table {
    /// Reads a file.
    pub(in crate::data) fn read(
        path: &Path,
        columns: Columns<'_>,
        reading: &mut Reading<'_>,
    ) -> Result<Self, LoadError> {
        let text = CsvText::read(path, &reading.settings.limits)?;
        let mut lines = text.lines();
        let first = lines.next();
        let first = first
            .ok_or_else(|| LoadError::content(path, "no line", "a header and one row per image"))?;
        let header = Header::read(&text, path, first, columns)?;
        if header.is_reordered {
            reading.notes.push(Note::fact(format!(
                "the pixels of `{}` stand in another order than in the image and are sorted by the \
                 names of their columns",
                path.display()
            )));
        }
        let mut rows = Rows {
            white: reading.settings.max_value.unwrap_or(255),
            table: Self {
                path: path.to_owned(),
                label_column: columns.label.unwrap_or_default().to_owned(),
                columns: header.pixels.clone(),
                pixels: Vec::new(),
                ids: Vec::new(),
                labels: Vec::new(),
            },
            header,
        };
        let mut record = ByteRecord::new();
        let mut tried = 0;
        for (line, cells) in lines {
            let row = text.split(line, cells, &mut record).and_then(|()| rows.add(line, &record));
            tried += 1;
            reading.check_room(path, tried, rows.size())?;
            reading.rejects.pass(row);
        }
        reading.rejects.check(tried, "row")?;
        let table = rows.table;
        if table.labels.is_empty() {
            return Err(LoadError::content(
                path,
                if tried == 0 { "no row below its header" } else { "no usable row" },
                "one row per image",
            ));
        }
        Ok(table)
    }

    /// Returns the classes the labels make.
    pub(super) fn classes(
        &mut self,
        kind: LabelKind,
        reading: &Reading<'_>,
    ) -> Result<Classes, LoadError> {
        let labels = self.labels.iter().map(|(label, _)| label.as_str());
        let classes = Classes::of(labels, kind).map_err(|mixed| {
            LoadError::content(&self.path, mixed.found, "one kind of labels").hinting(mixed.hint)
        })?;
        let limit = reading.settings.limits.classes.min(MAX_CLASSES);
        let found = classes.names.len() as u64;
        if found > limit {
            return Err(LoadError::content(
                &self.path,
                format!(
                    "{} different labels in {} rows of column {}",
                    text::whole(classes.names.len()),
                    text::whole(self.labels.len()),
                    shown(&self.label_column)
                ),
                format!("at most {limit} classes"),
            )
            .hinting(format!(
                "if these are classes, set `dataset.limits.classes = {found}`; if the column is \
                 another, name it with `dataset.label`"
            )));
        }
        Ok(classes)
    }

    /// Returns the index among `classes` of every row's label; rows of other labels are an error, or
    /// left out. The classes are those of `whose`.
    pub(in crate::data) fn class_indices(
        &mut self,
        classes: &Classes,
        whose: &str,
        reading: &mut Reading<'_>,
    ) -> Result<Vec<u16>, LoadError> {
        let size = self.columns.height * self.columns.width;
        let expected = classes.expected(whose);
        let (rows, mut kept) = (self.labels.len(), Vec::with_capacity(self.labels.len()));
        for row in 0..rows {
            let (label, line) = &self.labels[row];
            let judged =
                classes.index(label).ok_or_else(|| self.label_problem(label, *line, &expected));
            let Some(class) = reading.rejects.pass(judged) else { continue };
            // Rows that stay move up to where one was left out.
            let at = kept.len();
            self.pixels.copy_within(row * size..(row + 1) * size, at * size);
            if !self.ids.is_empty() {
                self.ids.swap(at, row);
            }
            kept.push(class);
        }
        reading.rejects.check(rows, "row")?;
        self.pixels.truncate(kept.len() * size);
        self.ids.truncate(kept.len());
        if kept.is_empty() {
            return Err(LoadError::content(&self.path, "no usable row", "one row per image"));
        }
        Ok(kept)
    }

    fn label_problem(&self, label: &str, line: u64, expected: &str) -> LoadError {
        LoadError::Content {
            path: self.path.clone(),
            location: Some(Box::new(Location { line, column: Some(self.label_column.clone()) })),
            found: shown(label),
            expected: expected.to_owned(),
            hint: Some(
                "correct the label, or add images of that class to the training file".to_owned(),
            ),
        }
    }
}

/// A table as its rows come in.
struct Rows {
    header: Header,
    /// The value that is white.
    white: u16,
    table: Table,
}

impl Rows {
    fn size(&self) -> usize {
        self.table.columns.height * self.table.columns.width
    }

    /// Adds one row, or nothing of it.
    fn add(&mut self, line: u64, record: &ByteRecord) -> Result<(), LoadError> {
        let columns = self.header.roles.len();
        // A comma at the end of a line makes no cell, and a line of nothing else no row.
        let is_empty = |cell: &[u8]| cell.trim_ascii().is_empty();
        if record.iter().all(is_empty) {
            return Ok(());
        }
        if record.len() < columns || !record.iter().skip(columns).all(is_empty) {
            let expected = format!("{}, as the header has", text::whole(columns));
            return Err(self.problem(
                line,
                None,
                format!("{} cells", text::whole(record.len())),
                &expected,
            ));
        }
        let before = self.table.pixels.len();
        self.table.pixels.resize(before + self.size(), 0);
        let (mut label, mut id) = (String::new(), None);
        for (column, (cell, role)) in record.iter().zip(&self.header.roles).enumerate() {
            let cell = cell.trim_ascii();
            let problem = match role {
                Role::Ignored => continue,
                Role::Pixel(pixel) => match self.pixel(cell) {
                    Some(value) => {
                        self.table.pixels[before + pixel] = value;
                        continue;
                    }
                    None => self.pixel_problem(line, column, cell),
                },
                Role::Id => {
                    id = Some(String::from_utf8_lossy(cell).into_owned());
                    continue;
                }
                Role::Label => match std::str::from_utf8(cell) {
                    Ok(text) if !text.is_empty() => {
                        text.clone_into(&mut label);
                        continue;
                    }
                    _ => self.problem(line, Some(column), found_in(cell), "the name of a class"),
                },
            };
            self.table.pixels.truncate(before);
            return Err(problem);
        }
        self.table.labels.push((label, line));
        self.table.ids.extend(id);
        Ok(())
    }

    /// Returns the grey value of a cell.
    fn pixel(&self, cell: &[u8]) -> Option<u8> {
        let value = whole(cell)?;
        let (value, white) = (u32::from(value), u32::from(self.white));
        (value <= white).then(|| ((255 * value + white / 2) / white) as u8)
    }

    fn pixel_problem(&self, line: u64, column: usize, cell: &[u8]) -> LoadError {
        let expected = format!("a whole number from 0 to {}", self.white);
        let problem = self.problem(line, Some(column), found_in(cell), &expected);
        let number = std::str::from_utf8(cell).ok().and_then(|text| text.parse::<f64>().ok());
        match number {
            Some(value) if value > f64::from(self.white) && value <= f64::from(u16::MAX) => problem
                .hinting(
                    "if values go up to more than that, set `dataset.max-value` to the one that is \
                     white, for example 4095 or 65535",
                ),
            Some(value) if value > 0.0 && value < 1.0 => problem.hinting(
                "if pixels are fractions of white, store them as whole numbers: multiply by 255 and \
                 round",
            ),
            _ => problem,
        }
    }

    fn problem(
        &self,
        line: u64,
        column: Option<usize>,
        found: String,
        expected: &str,
    ) -> LoadError {
        LoadError::Content {
            path: self.table.path.clone(),
            location: Some(Box::new(Location {
                line,
                column: column.map(|column| self.header.names[column].clone()),
            })),
            found,
            expected: expected.to_owned(),
            hint: None,
        }
    }
}

fn found_in(cell: &[u8]) -> String {
    match cell {
        [] => "an empty cell".to_owned(),
        cell => shown(&String::from_utf8_lossy(cell)),
    }
}

/// Reads a whole number, also as tables of fractions write it: `7`, `7.0`.
fn whole(cell: &[u8]) -> Option<u16> {
    let mut digits = cell;
    if let Some(point) = cell.iter().position(|&byte| byte == b'.') {
        digits = &cell[..point];
        if cell[point + 1..].iter().any(|&byte| byte != b'0') {
            return None;
        }
    }
    if digits.is_empty() || digits.len() > 6 {
        return None;
    }
    let value = digits.iter().try_fold(0_u32, |value, &byte| {
        byte.is_ascii_digit().then(|| value * 10 + u32::from(byte - b'0'))
    })?;
    u16::try_from(value).ok()
}
