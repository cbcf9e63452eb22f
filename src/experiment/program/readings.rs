//! Where in the output of a program the number of a metric stands.

use serde::{Deserialize, Serialize};

use crate::base::MetricName;

/// How the number of one metric is found, where the program does not print it under its name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Reading {
    /// The metric.
    pub metric: MetricName,
    /// Where its number stands.
    pub from: ReadFrom,
}

/// Where a number is read from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ReadFrom {
    /// The first group of this regular expression, in a line of standard output or standard error.
    Pattern(String),
    /// The dotted key of a JSON object, printed as a line or written to the results file.
    Json(String),
    /// A column of a CSV file in the working folder or the output folder.
    Csv {
        /// Path of the file, with placeholders.
        file: String,
        /// Name of the column.
        column: String,
        /// Which of its rows.
        row: CsvRow,
    },
}

/// A row of a table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CsvRow {
    /// The first.
    First,
    /// The last.
    Last,
    /// That with the smallest value.
    Min,
    /// That with the largest value.
    Max,
}

impl ReadFrom {
    /// Reads `FILE:COLUMN` or `FILE:COLUMN:ROW`.
    pub(crate) fn csv(text: &str) -> Option<Self> {
        let (rest, row) = match text.rsplit_once(':') {
            Some((rest, "last")) => (rest, CsvRow::Last),
            Some((rest, "first")) => (rest, CsvRow::First),
            Some((rest, "min")) => (rest, CsvRow::Min),
            Some((rest, "max")) => (rest, CsvRow::Max),
            _ => (text, CsvRow::Last),
        };
        let (file, column) = rest.rsplit_once(':')?;
        let is_whole = !file.is_empty() && !column.is_empty();
        is_whole.then(|| Self::Csv { file: file.to_owned(), column: column.to_owned(), row })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_location_in_a_table_is_file_column_and_row() {
        let csv = |file: &str, column: &str, row| {
            Some(ReadFrom::Csv { file: file.to_owned(), column: column.to_owned(), row })
        };
        assert_eq!(
            ReadFrom::csv("out.csv:latency:first"),
            csv("out.csv", "latency", CsvRow::First)
        );
        assert_eq!(ReadFrom::csv("out.csv:latency"), csv("out.csv", "latency", CsvRow::Last));
        assert_eq!(ReadFrom::csv("a:b.csv:x:max"), csv("a:b.csv", "x", CsvRow::Max));
        for text in ["", "out.csv", ":x", "out.csv:", "out.csv:last"] {
            assert_eq!(ReadFrom::csv(text), None, "{text}");
        }
    }
}
