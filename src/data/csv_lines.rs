//! Rows of a CSV file, one a line: a stray quote spoils its own line and no other.

use std::io::Read as _;
use std::path::{Path, PathBuf};

use csv::{ByteRecord, ReaderBuilder};

use super::error::{LoadError, Place};
use super::idx;

/// What a UTF-8 file may begin with.
const BYTE_ORDER_MARK: &[u8] = b"\xEF\xBB\xBF";

/// A CSV file in memory.
pub(super) struct CsvText {
    path: PathBuf,
    content: Vec<u8>,
}

impl CsvText {
    /// Returns whether `path` ends like a CSV file: `.csv`, plain or packed as `.csv.gz`.
    pub(super) fn is_meant(path: &Path) -> bool {
        let name = path.to_string_lossy().to_ascii_lowercase();
        name.ends_with(".csv") || name.ends_with(".csv.gz")
    }

    /// Reads a file, unpacking it where its name ends in `.gz`.
    pub(super) fn read(path: &Path) -> Result<Self, LoadError> {
        Ok(Self { path: path.to_owned(), content: idx::read_plain(path)? })
    }

    /// Returns the lines that are not empty, each with its number from 1.
    pub(super) fn lines(&self) -> Lines<'_> {
        let content = self.content.strip_prefix(BYTE_ORDER_MARK).unwrap_or(&self.content);
        Lines { rest: content, line: 0 }
    }

    /// Takes the cells of a line, white space and all, into `record`.
    pub(super) fn split(
        &self,
        number: u64,
        line: &[u8],
        record: &mut ByteRecord,
    ) -> Result<(), LoadError> {
        record.clear();
        if !line.contains(&b'"') {
            line.split(|&byte| byte == b',').for_each(|cell| record.push_field(cell));
            return Ok(());
        }
        let mut reader = ReaderBuilder::new()
            .has_headers(false)
            .flexible(true)
            .from_reader(line.chain(&b"\n"[..]));
        reader.read_byte_record(record).expect("a line in memory can be read");
        // Only between quotes is the end of the line a part of a cell.
        if record.iter().next_back().is_some_and(|cell| cell.ends_with(b"\n")) {
            let found = "a quote that stays open at its end";
            return Err(self.problem(number, found, "every row on one line, its quotes in pairs"));
        }
        Ok(())
    }

    /// Says what is wrong with a line.
    pub(super) fn problem(
        &self,
        line: u64,
        found: impl Into<String>,
        expected: impl Into<String>,
    ) -> LoadError {
        LoadError::Content {
            path: self.path.clone(),
            place: Some(Place { line, column: None }),
            found: found.into(),
            expected: expected.into(),
        }
    }
}

/// Lines that end in `\n`, `\r\n` or `\r`.
pub(super) struct Lines<'t> {
    rest: &'t [u8],
    line: u64,
}

impl<'t> Iterator for Lines<'t> {
    type Item = (u64, &'t [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        while !self.rest.is_empty() {
            let end = self.rest.iter().position(|byte| matches!(byte, b'\n' | b'\r'));
            let (line, rest) = self.rest.split_at(end.unwrap_or(self.rest.len()));
            let taken = if rest.starts_with(b"\r\n") { 2 } else { rest.len().min(1) };
            self.rest = &rest[taken..];
            self.line += 1;
            if !line.is_empty() {
                return Some((self.line, line));
            }
        }
        None
    }
}

/// Returns a cell of a CSV table, in quotes where it needs them.
#[must_use]
pub fn csv_cell(text: &str) -> String {
    if text.contains([',', '"', '\n', '\r']) {
        format!("\"{}\"", text.replace('"', "\"\""))
    } else {
        text.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(content: &str) -> CsvText {
        CsvText { path: PathBuf::from("a.csv"), content: content.as_bytes().to_vec() }
    }

    #[test]
    fn lines_are_counted_whatever_they_end_in_and_empty_ones_passed_over() {
        let lines = |content: &str| -> Vec<(u64, String)> {
            let text = text(content);
            let shown = |line: &[u8]| String::from_utf8_lossy(line).into_owned();
            text.lines().map(|(number, line)| (number, shown(line))).collect()
        };
        let expected = [(1, "a".to_owned()), (3, "b".to_owned()), (4, "c".to_owned())];
        for content in ["a\n\nb\nc", "a\r\n\r\nb\r\nc\r\n", "a\r\rb\rc\r", "\u{feff}a\n\nb\nc\n"] {
            assert_eq!(lines(content), expected, "{content:?}");
        }
    }

    #[test]
    fn cells_are_split_as_quotes_say() {
        let cells = |line: &str| {
            let mut record = ByteRecord::new();
            text("").split(7, line.as_bytes(), &mut record).map_err(|error| error.to_string())?;
            Ok(record.iter().map(|cell| String::from_utf8_lossy(cell).into_owned()).collect())
        };
        let good =
            |line: &str| -> Vec<String> { cells(line).map_err(|error: String| error).unwrap() };
        assert_eq!(good("a, b,,c"), ["a", " b", "", "c"]);
        assert_eq!(good("\"a,b\",\"say \"\"x\"\"\",5\" disc"), ["a,b", "say \"x\"", "5\" disc"]);
        let open: Result<Vec<String>, String> = cells("1,\"2,3");
        assert_eq!(
            open.unwrap_err(),
            "`a.csv` line 7 has a quote that stays open at its end, expected every row on one line, \
             its quotes in pairs"
        );
        for text in ["plain", "a,b", "say \"x\"", "\"", ""] {
            let line = format!("{},1", csv_cell(text));
            assert_eq!(good(&line), [text, "1"], "{line}");
        }
    }
}
