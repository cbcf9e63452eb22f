//! Values an axis can take.

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::fmt::{self, Write as _};
use std::hash::{Hash, Hasher};

use serde::de::{MapAccess, SeqAccess, Visitor};
use serde::ser::{SerializeMap, SerializeSeq};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// What a cell *is*: the value of every axis that exists in it, by dotted key.
pub(crate) type Assignment = BTreeMap<String, Value>;

/// A value as typed in TOML.
///
/// Equality is equality of meaning: `1` equals `1.0`, `-0.0` equals `0`, and the order of a table's
/// keys plays no part; a text never equals a number, however alike they look. Equal values have the
/// same [`canonical`](Value::canonical) text. The order puts truths before numbers, texts, lists and
/// tables.
#[derive(Debug, Clone)]
pub enum Value {
    /// `true` or `false`.
    Bool(bool),
    /// A whole number.
    Integer(i64),
    /// Any other finite number.
    Float(f64),
    /// Text.
    Text(String),
    /// A list.
    List(Vec<Value>),
    /// A table, keys in the order typed.
    Table(Vec<(String, Value)>),
}

impl Value {
    /// Returns the number, if it is one.
    pub(crate) fn as_number(&self) -> Option<f64> {
        match self {
            Self::Integer(value) => Some(*value as f64),
            Self::Float(value) => Some(*value),
            _ => None,
        }
    }

    /// Returns the whole number, if it is one that `i64` holds exactly.
    pub(crate) fn as_whole(&self) -> Option<i64> {
        match self {
            Self::Integer(value) => Some(*value),
            Self::Float(value) => whole(*value),
            _ => None,
        }
    }

    /// Returns the truth, if it is one.
    pub(crate) fn as_truth(&self) -> Option<bool> {
        match self {
            Self::Bool(value) => Some(*value),
            _ => None,
        }
    }

    /// Returns the value of a key, if this is a table that has it.
    pub(crate) fn entry(&self, key: &str) -> Option<&Self> {
        match self {
            Self::Table(entries) => {
                entries.iter().find(|(name, _)| name == key).map(|(_, value)| value)
            }
            _ => None,
        }
    }

    /// Returns the value with whole floats as integers, so that equal numbers are written alike.
    pub(crate) fn plain(&self) -> Self {
        match self {
            Self::Float(value) => whole(*value).map_or(Self::Float(*value), Self::Integer),
            Self::List(values) => Self::List(values.iter().map(Self::plain).collect()),
            Self::Table(entries) => Self::Table(
                entries.iter().map(|(key, value)| (key.clone(), value.plain())).collect(),
            ),
            other => other.clone(),
        }
    }

    /// Returns the text, if it is one.
    pub(crate) fn as_text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }

    /// Returns a text that two values share exactly when they are equal; hash this for identity.
    ///
    /// # Panics
    /// Never: writing to a string does not fail.
    pub(crate) fn canonical(&self) -> String {
        let mut text = String::new();
        self.write_canonical(&mut text).expect("writing to a string does not fail");
        text
    }

    fn write_canonical(&self, text: &mut String) -> fmt::Result {
        match self {
            Self::Bool(value) => write!(text, "{value}"),
            Self::Integer(value) => write!(text, "{value}"),
            Self::Float(value) => match whole(*value) {
                Some(value) => write!(text, "{value}"),
                None => write!(text, "{value}"),
            },
            Self::Text(value) => write!(text, "{value:?}"),
            Self::List(values) => {
                text.push('[');
                for value in values {
                    value.write_canonical(text)?;
                    text.push(',');
                }
                text.push(']');
                Ok(())
            }
            Self::Table(entries) => {
                text.push('{');
                for (key, value) in sorted(entries) {
                    write!(text, "{key:?}=")?;
                    value.write_canonical(text)?;
                    text.push(',');
                }
                text.push('}');
                Ok(())
            }
        }
    }
}

/// Returns the integer that `value` is exactly, if it is one that `i64` holds.
fn whole(value: f64) -> Option<i64> {
    // 2^63 itself is no i64, and −2^63 is.
    let fits = (-9_223_372_036_854_775_808.0..9_223_372_036_854_775_808.0).contains(&value);
    (fits && value.fract().abs() <= 0.0).then_some(value as i64)
}

impl PartialEq for Value {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Bool(a), Self::Bool(b)) => a == b,
            (Self::Integer(a), Self::Integer(b)) => a == b,
            (Self::Integer(a), Self::Float(b)) | (Self::Float(b), Self::Integer(a)) => {
                whole(*b) == Some(*a)
            }
            (Self::Float(a), Self::Float(b)) => a == b,
            (Self::Text(a), Self::Text(b)) => a == b,
            (Self::List(a), Self::List(b)) => a == b,
            (Self::Table(_), Self::Table(_)) => self.canonical() == other.canonical(),
            _ => false,
        }
    }
}

impl Eq for Value {}

impl PartialOrd for Value {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Value {
    fn cmp(&self, other: &Self) -> Ordering {
        let rank = |value: &Self| match value {
            Self::Bool(_) => 0,
            Self::Integer(_) | Self::Float(_) => 1,
            Self::Text(_) => 2,
            Self::List(_) => 3,
            Self::Table(_) => 4,
        };
        match (self, other) {
            (Self::Bool(a), Self::Bool(b)) => a.cmp(b),
            (Self::Text(a), Self::Text(b)) => a.cmp(b),
            (Self::List(a), Self::List(b)) => a.cmp(b),
            (Self::Table(a), Self::Table(b)) => sorted(a).cmp(&sorted(b)),
            _ => match (self.as_whole(), other.as_whole()) {
                (Some(a), Some(b)) => a.cmp(&b),
                _ => match (self.as_number(), other.as_number()) {
                    // A number with a fraction is exact, so rounding the other keeps the order.
                    (Some(a), Some(b)) => a.total_cmp(&b),
                    _ => rank(self).cmp(&rank(other)),
                },
            },
        }
    }
}

impl Hash for Value {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.canonical().hash(state);
    }
}

fn sorted(entries: &[(String, Value)]) -> Vec<&(String, Value)> {
    let mut sorted: Vec<_> = entries.iter().collect();
    sorted.sort_by(|a, b| a.0.cmp(&b.0));
    sorted
}

impl fmt::Display for Value {
    /// Writes the short form that people read: `10`, `0.1`, `adam`, `{a=1, b=2}`. A text looks like
    /// the number it spells; [`notation`](Value::notation) tells them apart.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bool(value) => write!(f, "{value}"),
            Self::Integer(value) => write!(f, "{value}"),
            // 1e300 has 301 digits. Adding 0 turns −0 into 0.
            Self::Float(value) => match value.abs() {
                0.0 | 1e-9..1e17 => write!(f, "{}", value + 0.0),
                _ => write!(f, "{value:e}"),
            },
            Self::Text(value) => f.write_str(value),
            Self::List(values) => {
                f.write_str("[")?;
                for (index, value) in values.iter().enumerate() {
                    write!(f, "{}{value}", if index == 0 { "" } else { ", " })?;
                }
                f.write_str("]")
            }
            Self::Table(entries) => {
                f.write_str("{")?;
                for (index, (key, value)) in entries.iter().enumerate() {
                    write!(f, "{}{key}={value}", if index == 0 { "" } else { ", " })?;
                }
                f.write_str("}")
            }
        }
    }
}

impl Serialize for Value {
    /// Writes plain data: a table becomes a map in the order typed.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Bool(value) => serializer.serialize_bool(*value),
            Self::Integer(value) => serializer.serialize_i64(*value),
            Self::Float(value) => serializer.serialize_f64(*value),
            Self::Text(value) => serializer.serialize_str(value),
            Self::List(values) => {
                let mut list = serializer.serialize_seq(Some(values.len()))?;
                for value in values {
                    list.serialize_element(value)?;
                }
                list.end()
            }
            Self::Table(entries) => {
                let mut map = serializer.serialize_map(Some(entries.len()))?;
                for (key, value) in entries {
                    map.serialize_entry(key, value)?;
                }
                map.end()
            }
        }
    }
}

impl<'de> Deserialize<'de> for Value {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ValueVisitor)
    }
}

struct ValueVisitor;

impl<'de> Visitor<'de> for ValueVisitor {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a boolean, number, text, list or table")
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(Value::Integer(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(i64::try_from(value).map_or(Value::Float(value as f64), Value::Integer))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(Value::Float(value))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(Value::Text(value.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Value, A::Error> {
        let mut values = Vec::new();
        while let Some(value) = list.next_element()? {
            values.push(value);
        }
        Ok(Value::List(values))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Value, A::Error> {
        let mut entries = Vec::new();
        while let Some(entry) = map.next_entry()? {
            entries.push(entry);
        }
        Ok(Value::Table(entries))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(entries: &[(&str, Value)]) -> Value {
        Value::Table(
            entries.iter().map(|(key, value)| ((*key).to_owned(), value.clone())).collect(),
        )
    }

    #[test]
    fn whole_floats_equal_integers_and_share_their_text() {
        assert_eq!(Value::Integer(1), Value::Float(1.0));
        assert_eq!(Value::Float(1.0).canonical(), "1");
        assert_eq!(Value::Float(1.0).to_string(), "1");
        assert_eq!(Value::Float(-0.0).canonical(), "0");
        assert_ne!(Value::Integer(1), Value::Float(1.5));
        assert_ne!(Value::Text("1".into()).canonical(), Value::Integer(1).canonical());
    }

    #[test]
    fn order_and_hash_follow_equality() {
        let values = [
            Value::Bool(false),
            Value::Float(-1.5),
            Value::Float(-0.0),
            Value::Float(0.5),
            Value::Float(1.0),
            Value::Float(9_007_199_254_740_992.0),
            Value::Integer(9_007_199_254_740_993),
            Value::Float(1e300),
            Value::Text("1".into()),
            Value::List(vec![]),
            table(&[]),
        ];
        for (index, a) in values.iter().enumerate() {
            for (other, b) in values.iter().enumerate() {
                assert_eq!(a.cmp(b), index.cmp(&other), "{a:?} {b:?}");
                assert_eq!(a == b, index == other, "{a:?} {b:?}");
                assert_eq!(a.canonical() == b.canonical(), index == other, "{a:?} {b:?}");
            }
        }
        assert_eq!(Value::Integer(0).cmp(&Value::Float(-0.0)), Ordering::Equal);
        assert_eq!(Value::Float(-0.0).to_string(), "0");
        assert_eq!(Value::Float(2.0).plain().to_string(), "2");
    }

    #[test]
    fn numbers_of_many_digits_are_written_with_an_exponent_and_read_back() {
        let text = |value: f64| Value::Float(value).to_string();
        assert_eq!(text(1e300), "1e300");
        assert_eq!(text(-2.5e-12), "-2.5e-12");
        assert_eq!([text(1e16), text(0.000_1), text(-0.0)].join(" "), "10000000000000000 0.0001 0");
        for value in [1e300, -2.5e-12, 1e17, 5e-324, f64::MAX] {
            let notation = Value::Float(value).notation();
            assert_eq!(Value::from_notation(&notation), Value::Float(value), "{notation}");
        }
    }

    #[test]
    fn tables_compare_without_order() {
        let a = table(&[("name", Value::Text("adam".into())), ("beta1", Value::Float(0.8))]);
        let b = table(&[("beta1", Value::Float(0.8)), ("name", Value::Text("adam".into()))]);
        assert_eq!(a, b);
        assert_eq!(a.canonical(), b.canonical());
    }

    #[test]
    fn json_keeps_tables_lists_and_numbers_apart() {
        let value = table(&[
            ("name", Value::Text("adam".into())),
            ("beta1", Value::Float(0.8)),
            ("pair", Value::List(vec![Value::Text("a".into()), Value::Integer(2)])),
        ]);
        let text = serde_json::to_string(&value).unwrap();
        assert_eq!(text, r#"{"name":"adam","beta1":0.8,"pair":["a",2]}"#);
        assert_eq!(serde_json::from_str::<Value>(&text).unwrap(), value);
    }
}
