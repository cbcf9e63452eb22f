//! Tables that other programs wrote: CSV, JSON and Parquet, every value as typed as its file says.

use std::collections::HashMap;
use std::io::Cursor;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use polars::prelude::{
    ArrowDataType, DataFrame, DataType, ParquetReader, PolarsResult, SerReader as _,
};
use serde_json::Value as Json;

use super::files::parse_csv;
use crate::experiment::value::Value;
use crate::store::read_file;

/// A table of another program.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct ForeignTable {
    /// Names of the columns.
    pub columns: Vec<String>,
    /// Rows; a value is absent where the file has none.
    pub rows: Vec<Vec<Option<Value>>>,
    /// Columns of a file without types in which different texts are the same number, like `1.1` and
    /// `1.10`.
    pub lookalikes: Vec<Lookalikes>,
}

/// A column in which different texts are the same number.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Lookalikes {
    /// Index of the column.
    pub column: usize,
    /// Two of them.
    pub example: [String; 2],
    /// Every row as it stands in the file.
    pub texts: Vec<Option<Value>>,
}

impl ForeignTable {
    /// Reads a table by the ending of its name: `.parquet`, `.json`, `.jsonl` or CSV. Of JSON, a list of
    /// objects, an object of columns (as pandas writes them), or one object per line; keys of
    /// objects within objects are joined by dots.
    ///
    /// # Errors
    /// Says what stands in the way.
    pub(crate) fn read(path: &Path) -> Result<Self, String> {
        let bytes = read_file(path).map_err(|error| error.to_string())?;
        let ending = path.extension().map(|ending| ending.to_string_lossy().to_lowercase());
        match ending.as_deref() {
            Some("parquet" | "pq") => of_frame(&parsed(parse_known, bytes)?, false),
            Some("json" | "jsonl" | "ndjson") => of_json(&bytes),
            _ => of_frame(&parsed(parse_csv, bytes)?, true),
        }
    }

    /// Returns the index of a column.
    pub(crate) fn column(&self, name: &str) -> Option<usize> {
        self.columns.iter().position(|column| column == name)
    }
}

/// Reads the columns of a Parquet file that hold truths, numbers or texts; dates and lists are no settings.
fn parse_known(bytes: Vec<u8>) -> PolarsResult<DataFrame> {
    use ArrowDataType as Kind;
    const KNOWN: [Kind; 14] = [
        Kind::Boolean,
        Kind::Float32,
        Kind::Float64,
        Kind::Int8,
        Kind::Int16,
        Kind::Int32,
        Kind::Int64,
        Kind::UInt8,
        Kind::UInt16,
        Kind::UInt32,
        Kind::UInt64,
        Kind::Utf8,
        Kind::LargeUtf8,
        Kind::Utf8View,
    ];
    let mut reader = ParquetReader::new(Cursor::new(bytes));
    let schema = reader.schema()?;
    let known = schema.iter_values().filter(|field| KNOWN.contains(&field.dtype));
    let names = known.map(|field| field.name.to_string()).collect();
    reader.with_columns(Some(names)).finish()
}

/// Reads a frame; the readers of polars panic at some damaged files.
fn parsed(
    parse: fn(Vec<u8>) -> PolarsResult<DataFrame>,
    bytes: Vec<u8>,
) -> Result<DataFrame, String> {
    match catch_unwind(AssertUnwindSafe(|| parse(bytes))) {
        Ok(frame) => frame.map_err(|error| error.to_string()),
        Err(_) => Err("it is damaged, or of another kind than its name says".to_owned()),
    }
}

fn of_frame(frame: &DataFrame, is_text: bool) -> Result<ForeignTable, String> {
    let mut table = ForeignTable {
        columns: frame.get_column_names().iter().map(ToString::to_string).collect(),
        rows: vec![Vec::new(); frame.height()],
        lookalikes: Vec::new(),
    };
    for (index, column) in frame.columns().iter().enumerate() {
        let kind = column.dtype().clone();
        let texts = column.cast(&DataType::String).map_err(|error| error.to_string())?;
        let texts = texts.str().map_err(|error| error.to_string())?;
        for (row, text) in table.rows.iter_mut().zip(texts.iter()) {
            // A text of a Parquet file is a text, whatever it looks like.
            let value = |text: &str| match kind {
                DataType::String if !is_text => Some(Value::Text(text.to_owned())),
                _ => typed(text),
            };
            row.push(text.and_then(value));
        }
        if let Some(example) = lookalike(texts.iter().flatten()).filter(|_| is_text) {
            let as_it_stands = |text: Option<&str>| {
                let text = text.map(str::trim).filter(|text| !text.is_empty())?;
                Some(Value::Text(text.to_owned()))
            };
            let texts = texts.iter().map(as_it_stands);
            table.lookalikes.push(Lookalikes { column: index, example, texts: texts.collect() });
        }
    }
    Ok(table)
}

/// Returns two different texts that are the same number.
fn lookalike<'t>(texts: impl Iterator<Item = &'t str>) -> Option<[String; 2]> {
    let mut known: HashMap<String, &str> = HashMap::new();
    for text in texts.map(str::trim) {
        let Some(value @ (Value::Integer(_) | Value::Float(_))) = typed(text) else { continue };
        let first = known.entry(value.canonical()).or_insert(text);
        if *first != text {
            return Some([(*first).to_owned(), text.to_owned()]);
        }
    }
    None
}

/// Returns the value that a text means; nothing where it says that there is none.
fn typed(text: &str) -> Option<Value> {
    let text = text.trim();
    if text.is_empty() {
        return None;
    }
    Some(match text {
        "True" | "true" => Value::Bool(true),
        "False" | "false" => Value::Bool(false),
        _ => match (text.parse::<i64>(), text.parse::<f64>()) {
            (Ok(whole), _) => Value::Integer(whole),
            // That it is none is a value, too: the training diverged.
            (_, Ok(number)) => Value::Float(number),
            _ => Value::Text(text.to_owned()),
        },
    })
}

fn of_json(bytes: &[u8]) -> Result<ForeignTable, String> {
    let text = std::str::from_utf8(bytes).map_err(|error| error.to_string())?;
    let objects = match serde_json::from_str::<Json>(text) {
        Ok(Json::Array(items)) => items,
        Ok(Json::Object(columns)) if columns.values().all(Json::is_object) => by_column(&columns),
        Ok(one @ Json::Object(_)) => vec![one],
        Ok(_) => return Err("expected a list of objects".to_owned()),
        Err(_) => serde_json::Deserializer::from_reader(Cursor::new(bytes))
            .into_iter::<Json>()
            .collect::<Result<_, _>>()
            .map_err(|error| error.to_string())?,
    };
    let mut table = ForeignTable::default();
    for object in &objects {
        let mut row = vec![None; table.columns.len()];
        flatten("", object, &mut |key, value| {
            let at = table.columns.iter().position(|column| column == key).unwrap_or_else(|| {
                table.columns.push(key.to_owned());
                table.columns.len() - 1
            });
            row.resize(table.columns.len(), None);
            row[at] = value;
        });
        table.rows.push(row);
    }
    let width = table.columns.len();
    table.rows.iter_mut().for_each(|row| row.resize(width, None));
    Ok(table)
}

/// Returns rows from columns of values by row, as pandas' `to_json` writes them.
fn by_column(columns: &serde_json::Map<String, Json>) -> Vec<Json> {
    let first = columns.values().next().and_then(Json::as_object);
    let rows = first.into_iter().flat_map(|first| first.keys());
    let row = |key: &String| {
        columns.iter().map(|(name, column)| (name.clone(), column[key.as_str()].clone())).collect()
    };
    rows.map(|key| Json::Object(row(key))).collect()
}

fn flatten(prefix: &str, value: &Json, add: &mut dyn FnMut(&str, Option<Value>)) {
    match value {
        Json::Object(entries) => {
            for (key, value) in entries {
                let key = if prefix.is_empty() { key.clone() } else { format!("{prefix}.{key}") };
                flatten(&key, value, add);
            }
        }
        Json::Null => add(prefix, None),
        Json::Bool(truth) => add(prefix, Some(Value::Bool(*truth))),
        Json::Number(number) => add(
            prefix,
            number.as_i64().map(Value::Integer).or_else(|| number.as_f64().map(Value::Float)),
        ),
        Json::String(text) => add(prefix, Some(Value::Text(text.clone()))),
        list @ Json::Array(_) => add(prefix, Some(Value::Text(list.to_string()))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn json(text: &str) -> ForeignTable {
        of_json(text.as_bytes()).unwrap()
    }

    #[test]
    fn every_form_of_json_is_the_same_table() {
        let list = json(r#"[{"a": {"lr": 0.1}, "n": 3}, {"a": {"lr": 0.2}, "n": null}]"#);
        assert_eq!(list.columns, ["a.lr", "n"]);
        assert_eq!(list.rows[1], [Some(Value::Float(0.2)), None]);
        let lines = json("{\"a\": {\"lr\": 0.1}, \"n\": 3}\n{\"a\": {\"lr\": 0.2}, \"n\": null}\n");
        assert_eq!(lines, list);
        let columns = json(r#"{"a.lr": {"0": 0.1, "1": 0.2}, "n": {"0": 3, "1": null}}"#);
        assert_eq!(columns, list);
    }

    #[test]
    fn texts_of_csv_are_what_they_look_like() {
        let frame = parse_csv(b"lr,opt,n,ok\n0.1,adam,3,True\n1e-3,sgd,,False\n".to_vec()).unwrap();
        let table = of_frame(&frame, true).unwrap();
        assert_eq!(table.column("opt"), Some(1));
        assert_eq!(table.rows[0][2], Some(Value::Integer(3)));
        assert_eq!(
            table.rows[1],
            [
                Some(Value::Float(1e-3)),
                Some(Value::Text("sgd".into())),
                None,
                Some(Value::Bool(false))
            ]
        );
    }
}
