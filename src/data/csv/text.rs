//! Rows of a CSV file, one per line: a stray quote spoils its own line and no other.

use std::io::Read as _;
use std::path::{Path, PathBuf};

use csv::{ByteRecord, ReaderBuilder};

use crate::data::error::{LoadError, Location};
use crate::data::files;
use crate::experiment::settings::LimitSettings;

/// What a UTF-8 file may begin with.
const BYTE_ORDER_MARK: &[u8] = b"\xEF\xBB\xBF";
/// What stands between cells: the one that is most frequent in the header.
const DELIMITERS: [u8; 4] = [b',', b';', b'\t', b'|'];

/// A CSV file in memory.
pub(super) struct CsvText {
    path: PathBuf,
    content: Vec<u8>,
    delimiter: u8,
}

impl CsvText {
    /// Reads a file, unpacking it where it is packed.
    pub(super) fn read(path: &Path, limits: &LimitSettings) -> Result<Self, LoadError> {
        let content = files::read_stored(path.to_owned(), limits)?.content;
        Self::of(path, content)
    }

    fn of(path: &Path, mut content: Vec<u8>) -> Result<Self, LoadError> {
        if content.starts_with(BYTE_ORDER_MARK) {
            content.drain(..BYTE_ORDER_MARK.len());
        }
        if content.starts_with(b"\xFF\xFE") || content.starts_with(b"\xFE\xFF") {
            return Err(LoadError::content(path, "text in UTF-16", "text in UTF-8")
                .hinting("save the table again as UTF-8"));
        }
        let mut text = Self { path: path.to_owned(), content, delimiter: b',' };
        let header = text.lines().next().map_or(&b""[..], |(_, line)| line);
        let count = |delimiter: u8| header.split(|&byte| byte == delimiter).count();
        // Where several are as frequent, commas stay.
        if let Some(best) = DELIMITERS.into_iter().rev().max_by_key(|&delimiter| count(delimiter)) {
            text.delimiter = best;
        }
        Ok(text)
    }

    /// Returns the lines that are not blank, each with its number from 1.
    pub(super) fn lines(&self) -> Lines<'_> {
        Lines { rest: &self.content, line: 0 }
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
            line.split(|&byte| byte == self.delimiter).for_each(|cell| record.push_field(cell));
            return Ok(());
        }
        let mut reader = ReaderBuilder::new()
            .has_headers(false)
            .flexible(true)
            .delimiter(self.delimiter)
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
            location: Some(Box::new(Location { line, column: None })),
            found: found.into(),
            expected: expected.into(),
            hint: None,
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
            if !line.trim_ascii().is_empty() {
                return Some((self.line, line));
            }
        }
        None
    }
}

/// Returns a cell of a CSV table, in quotes where it needs them.
pub(crate) fn csv_cell(text: &str) -> String {
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
        CsvText::of(Path::new("a.csv"), content.as_bytes().to_vec()).unwrap()
    }

    #[test]
    fn lines_are_counted_whatever_they_end_in_and_empty_ones_passed_over() {
        let lines = |content: &str| -> Vec<(u64, String)> {
            let text = text(content);
            let shown = |line: &[u8]| String::from_utf8_lossy(line).into_owned();
            text.lines().map(|(number, line)| (number, shown(line))).collect()
        };
        let expected = [(1, "a".to_owned()), (3, "b".to_owned()), (4, "c".to_owned())];
        for content in ["a\n \t\nb\nc", "a\r\n\r\nb\r\nc\r\n", "a\r\rb\rc\r", "\u{feff}a\n\nb\nc\n"]
        {
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
    #[test]
    fn cells_stand_between_what_is_most_frequent_in_the_header() {
        for (header, delimiter) in
            [("a,b,c", b','), ("a;b,x;c", b';'), ("a\tb\tc", b'\t'), ("a|b|c", b'|'), ("a", b',')]
        {
            assert_eq!(text(header).delimiter, delimiter, "{header:?}");
        }
    }

    #[test]
    fn text_in_utf_16_is_named() {
        let bytes: Vec<u8> = "\u{feff}a,b".encode_utf16().flat_map(u16::to_le_bytes).collect();
        let error = CsvText::of(Path::new("a.csv"), bytes).err().unwrap().to_string();
        assert_eq!(error, "`a.csv` has text in UTF-16, expected text in UTF-8");
    }
}
