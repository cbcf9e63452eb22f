//! Numbers in CSV files that programs write.

use std::path::Path;

use crate::experiment::program::CsvRow;

/// The largest table that is read.
const MAX_BYTES: u64 = 256 << 20;

/// Returns the numbers of a column, those that count last: the row that is asked for.
///
/// # Errors
/// Says what stands in the way.
pub(super) fn column(path: &Path, column: &str, row: CsvRow) -> Result<Vec<f64>, String> {
    let shown = path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned();
    let cannot = |problem: String| format!("`{shown}`: {problem}");
    let facts = std::fs::metadata(path).map_err(|error| cannot(error.to_string()))?;
    if !facts.is_file() || facts.len() > MAX_BYTES {
        return Err(cannot(format!("expected a file of at most {MAX_BYTES} bytes")));
    }
    let mut reader = csv::ReaderBuilder::new()
        .trim(csv::Trim::All)
        .flexible(true)
        .from_path(path)
        .map_err(|error| cannot(error.to_string()))?;
    let headers = reader.headers().map_err(|error| cannot(error.to_string()))?;
    let index = headers.iter().position(|name| name == column).ok_or_else(|| {
        let names: Vec<&str> = headers.iter().take(20).collect();
        cannot(format!("there is no column `{column}` among {}", names.join(", ")))
    })?;
    let mut values = Vec::new();
    for record in reader.records() {
        let record = record.map_err(|error| cannot(error.to_string()))?;
        // Rows that say nothing in this column are not counted.
        let Some(text) = record.get(index).filter(|text| !text.is_empty()) else { continue };
        let value = text.parse::<f64>();
        values.push(value.map_err(|_| cannot(format!("`{column}` holds `{text}`, no number")))?);
    }
    let chosen = match row {
        CsvRow::Last => values.last().copied(),
        CsvRow::First => values.first().copied(),
        CsvRow::Min => values.iter().copied().min_by(f64::total_cmp),
        CsvRow::Max => values.iter().copied().max_by(f64::total_cmp),
    };
    let chosen = chosen.ok_or_else(|| cannot(format!("column `{column}` is empty")))?;
    match row {
        CsvRow::Last => Ok(values),
        CsvRow::First | CsvRow::Min | CsvRow::Max => Ok(vec![chosen]),
    }
}
