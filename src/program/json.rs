//! JSON objects as programs print them: Python's `NaN` and `Infinity` included, a name twice refused.

use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, Error as _, MapAccess, Visitor};
use serde_json::{Map, Value as Json};

/// Why a text is no JSON object.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum JsonProblem {
    /// It has a name twice.
    Twice(String),
    /// It is none.
    Broken,
}

/// Begins the message of an object that has a name twice.
const TWICE: &str = "twice:";

/// Reads a JSON object.
///
/// # Errors
/// If it is none, or it has a name twice.
pub(super) fn parse(text: &str) -> Result<Map<String, Json>, JsonProblem> {
    let read = |text: &str| serde_json::from_str::<Object>(text).map(|object| object.0);
    read(text).or_else(|error| read(&finite(text)).map_err(|_| error)).map_err(|error| {
        let message = error.to_string();
        match message.strip_prefix(TWICE).and_then(|rest| rest.split('\n').next()) {
            Some(name) => JsonProblem::Twice(name.to_owned()),
            None => JsonProblem::Broken,
        }
    })
}

/// Returns the number of a JSON value; the names of those that are not finite are numbers, too.
pub(super) fn number(value: &Json) -> Option<f64> {
    match value {
        Json::Number(number) => number.as_f64(),
        Json::String(text) => match text.as_str() {
            "NaN" => Some(f64::NAN),
            "Infinity" => Some(f64::INFINITY),
            "-Infinity" => Some(f64::NEG_INFINITY),
            _ => None,
        },
        _ => None,
    }
}

/// Returns the text with bare `NaN`, `Infinity` and `-Infinity` in quotes.
fn finite(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 8);
    let (mut rest, mut is_inside) = (text, false);
    while let Some(c) = rest.chars().next() {
        let word = ["NaN", "-Infinity", "Infinity"].into_iter().find(|word| rest.starts_with(word));
        if let (false, Some(word)) = (is_inside, word) {
            out.push('"');
            out.push_str(word);
            out.push('"');
            rest = &rest[word.len()..];
            continue;
        }
        let mut length = c.len_utf8();
        match c {
            '"' => is_inside = !is_inside,
            '\\' if is_inside => {
                length += rest[1..].chars().next().map_or(0, char::len_utf8);
            }
            _ => {}
        }
        out.push_str(&rest[..length]);
        rest = &rest[length..];
    }
    out
}

/// An object whose names are all different, and whose objects are such, too.
struct Object(Map<String, Json>);

/// Any value whose objects are [`Object`]s.
struct Any(Json);

impl<'de> Deserialize<'de> for Object {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(ObjectVisitor).map(Self)
    }
}

struct ObjectVisitor;

impl<'de> Visitor<'de> for ObjectVisitor {
    type Value = Map<String, Json>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Self::Value, A::Error> {
        let mut object = Map::new();
        while let Some((name, Any(value))) = entries.next_entry::<String, Any>()? {
            if object.contains_key(&name) {
                return Err(A::Error::custom(format!("{TWICE}{name}\n")));
            }
            object.insert(name, value);
        }
        Ok(object)
    }
}

impl<'de> Deserialize<'de> for Any {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let raw = Box::<serde_json::value::RawValue>::deserialize(deserializer)?;
        let text = raw.get();
        let value = if text.starts_with('{') {
            serde_json::from_str::<Object>(text).map(|object| Json::Object(object.0))
        } else {
            serde_json::from_str(text)
        };
        value.map(Self).map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_twice_is_refused_however_deep_it_stands() {
        assert_eq!(parse(r#"{"a": 1, "b": 2, "a": 3}"#), Err(JsonProblem::Twice("a".to_owned())));
        assert_eq!(
            parse(r#"{"final": {"x": 1, "x": 1}}"#),
            Err(JsonProblem::Twice("x".to_owned()))
        );
        assert_eq!(parse(r#"{"a": {"x": 1}, "x": 1}"#).map(|object| object.len()), Ok(2));
    }

    #[test]
    fn numbers_of_python_that_json_lacks_are_read() {
        let object = parse(r#"{"a": NaN, "b": [-Infinity], "c": "a \" NaN"}"#).unwrap();
        assert!(number(&object["a"]).unwrap().is_nan());
        assert_eq!(number(&object["b"][0]), Some(f64::NEG_INFINITY));
        assert_eq!(object["c"], "a \" NaN");
    }

    #[test]
    fn what_is_no_object_is_broken() {
        for text in ["{", "{'a': 1}", "[1]", "{} {}", "{\"a\": }", ""] {
            assert_eq!(parse(text), Err(JsonProblem::Broken), "{text}");
        }
    }
}
