//! `--set key=value`: changes to an experiment from the command line.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use toml::de::DeValue;

use super::problem::{ExperimentError, Location, Problem};
use super::tree::{Node, Origin};

/// Most parts of a dotted key: tables this deep nest, and whoever reads them calls itself as deep.
const MAX_PARTS: usize = 32;

/// One `key=value` that replaces or adds a key of the experiment file.
///
/// The key is dotted as in TOML (`train.epochs`, `grid.axes."augment.shift"`); elements of lists
/// are named by their position from 1 (`model.layers.3.rate`). The value is TOML; a bare word is
/// text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Override {
    text: String,
    path: Vec<String>,
    /// Byte at which the value starts.
    value_at: usize,
}

impl Override {
    /// Parses `key=value`.
    ///
    /// # Errors
    /// If there is no `=`, the key is not a dotted key, or the value is broken TOML.
    pub fn parse(text: &str) -> Result<Self, ExperimentError> {
        let refuse = |message: String, start: usize, end: usize, hint: &str| ExperimentError {
            attempt: format!("cannot read override `{text}`"),
            problems: vec![Problem {
                message,
                location: Some(Location::of("--set", text, start, end)),
                hint: Some(hint.to_owned()),
            }],
        };
        let Some(equals) = find_equals(text) else {
            let hint = "write `--set train.epochs=3`";
            return Err(refuse(
                "found no `=`, expected `key=value`".to_owned(),
                0,
                text.len(),
                hint,
            ));
        };
        let Some(path) = split_key(text[..equals].trim()) else {
            return Err(refuse(
                format!("`{}` is not a dotted key", text[..equals].trim()),
                0,
                equals,
                "write keys as in the file, parts with dots in quotes: `grid.axes.\"augment.shift\"=[0, 0.1]`",
            ));
        };
        if path.len() > MAX_PARTS {
            let parts = path.len();
            return Err(refuse(
                format!("the key has {parts} parts, expected at most {MAX_PARTS}"),
                0,
                equals,
                "no key of an experiment has more than six",
            ));
        }
        let value = text[equals + 1..].trim();
        let value_at =
            equals + 1 + (text[equals + 1..].len() - text[equals + 1..].trim_start().len());
        if value.is_empty() {
            let hint = "write `\"\"` for empty text";
            return Err(refuse("the value is missing".to_owned(), equals, equals + 1, hint));
        }
        if value.starts_with(['[', '{', '"', '\''])
            && let Err(error) = DeValue::parse(value)
        {
            let span = error.span().unwrap_or(0..value.len());
            let hint = "values are TOML: `0.1`, `true`, `\"text\"`, `[1, 2]`, `{ a = 1 }`";
            let (start, end) = (value_at + span.start, value_at + span.end);
            return Err(refuse(error.message().to_owned(), start, end, hint));
        }
        Ok(Self { text: text.to_owned(), path, value_at })
    }

    /// Returns the text as typed.
    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    /// Returns the parts of the key.
    pub(super) fn path(&self) -> Vec<&str> {
        self.path.iter().map(String::as_str).collect()
    }

    /// Returns where the key stands; `index` is that among all overrides.
    pub(super) fn key_origin(&self, index: usize) -> Origin {
        let end = find_equals(&self.text).unwrap_or(self.text.len());
        Origin::Override {
            index: index as u32,
            start: 0,
            end: self.text[..end].trim_end().len() as u32,
        }
    }

    /// Returns the value.
    pub(super) fn node(&self, index: usize) -> Node {
        let value = self.text[self.value_at..].trim_end();
        let origin = |span: std::ops::Range<usize>| Origin::Override {
            index: index as u32,
            start: (self.value_at + span.start) as u32,
            end: (self.value_at + span.end) as u32,
        };
        match DeValue::parse(value) {
            Ok(parsed) if parsed.get_ref().as_datetime().is_none() => {
                Node::parsed(&parsed, &origin)
            }
            _ => Node::typed_text(value, origin(0..value.len())),
        }
    }
}

/// Finds the `=` that ends the key: the first outside quotes.
fn find_equals(text: &str) -> Option<usize> {
    let mut quote = None;
    for (at, c) in text.char_indices() {
        match (quote, c) {
            (None, '=') => return Some(at),
            (None, '"' | '\'') => quote = Some(c),
            (Some(open), c) if c == open => quote = None,
            _ => {}
        }
    }
    None
}

/// Splits a dotted key; parts in quotes are taken as they are.
fn split_key(key: &str) -> Option<Vec<String>> {
    let mut parts = Vec::new();
    let mut rest = key;
    loop {
        let first = rest.chars().next()?;
        let (part, after) = if first == '"' || first == '\'' {
            rest[1..].split_once(first)?
        } else {
            let end = rest.find('.').unwrap_or(rest.len());
            let part = rest[..end].trim();
            let is_bare = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
            if part.is_empty() || !part.chars().all(is_bare) {
                return None;
            }
            (part, &rest[end..])
        };
        parts.push(part.to_owned());
        match after.trim_start().strip_prefix('.') {
            Some(after) => rest = after.trim_start(),
            None if after.trim().is_empty() => return Some(parts),
            None => return None,
        }
    }
}

impl fmt::Display for Override {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl FromStr for Override {
    type Err = ExperimentError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::parse(text)
    }
}

impl Serialize for Override {
    /// Writes the text as typed.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.text)
    }
}

impl<'de> Deserialize<'de> for Override {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::parse(&String::deserialize(deserializer)?).map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::experiment::value::Value;

    fn value(text: &str) -> Value {
        Override::parse(text).unwrap().node(0).value().unwrap()
    }

    #[test]
    fn values_are_toml_and_bare_words_are_text() {
        assert_eq!(value("a=1e-3"), Value::Float(1e-3));
        assert_eq!(value("a = true"), Value::Bool(true));
        assert_eq!(value("a=fashion-mnist"), Value::Text("fashion-mnist".into()));
        assert_eq!(value("a=\"1\""), Value::Text("1".into()));
        assert_eq!(value("a=2026-01-01"), Value::Text("2026-01-01".into()));
        assert_eq!(value("a=[1, 2]"), Value::List(vec![Value::Integer(1), Value::Integer(2)]));
        assert_eq!(value("question=is a=b?"), Value::Text("is a=b?".into()));
    }

    #[test]
    fn keys_are_dotted_and_may_be_quoted() {
        let path = |text: &str| Override::parse(text).unwrap().path.join("|");
        assert_eq!(path("train.epochs=1"), "train|epochs");
        assert_eq!(path("grid.axes.\"augment.shift\"=[0]"), "grid|axes|augment.shift");
        assert_eq!(path("grid . axes . 'a.b' = [0]"), "grid|axes|a.b");
    }

    #[test]
    fn broken_overrides_are_refused() {
        for text in ["", "train.epochs", "=1", "a..b=1", "a b=1", "a=", "a=[1", "a=\"x", "\"a=1"] {
            assert!(Override::parse(text).is_err(), "{text}");
        }
        let deep = format!("a{}=1", ".a".repeat(30_000));
        let error = Override::parse(&deep).unwrap_err();
        assert!(error.problems[0].message.starts_with("the key has 30001 parts"));
    }

    #[test]
    fn an_override_survives_json() {
        let typed = Override::parse("train.optimizer={ name = \"sgd\" }").unwrap();
        let json = serde_json::to_string(&typed).unwrap();
        assert_eq!(serde_json::from_str::<Override>(&json).unwrap(), typed);
    }
}
