//! The experiment file as a tree of values that know where they were typed.
//!
//! Overrides and axis values are put into this tree, which is then decoded: so a value means the
//! same wherever it comes from.

use toml::Spanned;
use toml::de::{DeInteger, DeTable, DeValue};

use super::value::Value;

/// Where a key or value was typed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Origin {
    /// Bytes of the experiment file.
    File { start: u32, end: u32 },
    /// Bytes of the override with this index.
    Override { index: u32, start: u32, end: u32 },
    /// Put in place by a cell.
    Assigned,
}

impl Origin {
    /// Returns whether this stretch of text lies within another.
    pub(super) fn is_within(self, other: Self) -> bool {
        match (self, other) {
            (Self::File { start, end }, Self::File { start: from, end: to }) => {
                from <= start && end <= to
            }
            (
                Self::Override { index, start, end },
                Self::Override { index: other, start: from, end: to },
            ) => index == other && from <= start && end <= to,
            _ => self == other,
        }
    }
}

/// A value and where it was typed.
#[derive(Debug, Clone)]
pub(super) struct Node {
    pub(super) origin: Origin,
    pub(super) data: Data,
}

/// What a node holds.
#[derive(Debug, Clone)]
pub(super) enum Data {
    Bool(bool),
    Integer(i64),
    Float(f64),
    Text(Box<str>),
    List(Vec<Node>),
    Table(Vec<Entry>),
    /// Something TOML knows and experiments do not, described.
    Foreign(Box<str>),
}

/// A key of a table.
#[derive(Debug, Clone)]
pub(super) struct Entry {
    pub(super) key: Box<str>,
    pub(super) origin: Origin,
    pub(super) node: Node,
}

/// Why a value could not be put into the tree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum PutProblem {
    /// The value at this path is not a table.
    NotATable(String),
    /// The list at this path has no such element; it has so many.
    NoElement { path: String, segment: String, elements: usize },
}

impl Node {
    /// Converts a parsed TOML table; `origin` turns byte ranges into origins.
    pub(super) fn table(
        table: &DeTable<'_>,
        origin: &impl Fn(std::ops::Range<usize>) -> Origin,
    ) -> Vec<Entry> {
        let mut entries: Vec<(usize, Entry)> = table
            .iter()
            .map(|(key, value)| {
                let entry = Entry {
                    key: key.get_ref().as_ref().into(),
                    origin: origin(key.span()),
                    node: Self::parsed(value, origin),
                };
                (key.span().start, entry)
            })
            .collect();
        // The parser sorts by key; the order typed is the order of axes and columns.
        entries.sort_by_key(|(start, _)| *start);
        entries.into_iter().map(|(_, entry)| entry).collect()
    }

    /// Converts a parsed TOML value.
    pub(super) fn parsed(
        value: &Spanned<DeValue<'_>>,
        origin: &impl Fn(std::ops::Range<usize>) -> Origin,
    ) -> Self {
        let data = match value.get_ref() {
            DeValue::String(text) => Data::Text(text.as_ref().into()),
            DeValue::Integer(number) => integer(number),
            DeValue::Float(number) => match number.as_str().parse::<f64>() {
                Ok(value) if value.is_finite() => Data::Float(value),
                _ => Data::Foreign("a number that is not finite".into()),
            },
            DeValue::Boolean(value) => Data::Bool(*value),
            DeValue::Datetime(_) => Data::Foreign("a date or time".into()),
            DeValue::Array(values) => {
                Data::List(values.iter().map(|value| Self::parsed(value, origin)).collect())
            }
            DeValue::Table(table) => Data::Table(Self::table(table, origin)),
        };
        Self { origin: origin(value.span()), data }
    }

    /// Makes a node of bare text.
    pub(super) fn typed_text(text: &str, origin: Origin) -> Self {
        Self { origin, data: Data::Text(text.into()) }
    }

    /// Converts a value that a cell puts in place.
    pub(super) fn assigned(value: &Value) -> Self {
        let data = match value {
            Value::Bool(value) => Data::Bool(*value),
            Value::Integer(value) => Data::Integer(*value),
            Value::Float(value) if value.is_finite() => Data::Float(*value),
            Value::Float(_) => Data::Foreign("a number that is not finite".into()),
            Value::Text(text) => Data::Text(text.as_str().into()),
            Value::List(values) => Data::List(values.iter().map(Self::assigned).collect()),
            Value::Table(entries) => Data::Table(
                entries
                    .iter()
                    .map(|(key, value)| Entry {
                        key: key.as_str().into(),
                        origin: Origin::Assigned,
                        node: Self::assigned(value),
                    })
                    .collect(),
            ),
        };
        Self { origin: Origin::Assigned, data }
    }

    /// Returns the plain value, or nothing if it is or holds something foreign.
    pub(super) fn value(&self) -> Option<Value> {
        Some(match &self.data {
            Data::Bool(value) => Value::Bool(*value),
            Data::Integer(value) => Value::Integer(*value),
            Data::Float(value) => Value::Float(*value),
            Data::Text(text) => Value::Text(text.to_string()),
            Data::List(nodes) => Value::List(nodes.iter().map(Self::value).collect::<Option<_>>()?),
            Data::Table(entries) => Value::Table(
                entries
                    .iter()
                    .map(|entry| Some((entry.key.to_string(), entry.node.value()?)))
                    .collect::<Option<_>>()?,
            ),
            Data::Foreign(_) => return None,
        })
    }

    /// Describes what was found, for messages: `0.5`, `"adam"`, `a list`, `a table`.
    pub(super) fn found(&self) -> String {
        match &self.data {
            Data::Bool(value) => value.to_string(),
            Data::Integer(value) => value.to_string(),
            Data::Float(value) => Value::Float(*value).to_string(),
            Data::Text(text) => format!("{text:?}"),
            Data::List(nodes) if nodes.is_empty() => "an empty list".to_owned(),
            Data::List(_) => "a list".to_owned(),
            Data::Table(_) => "a table".to_owned(),
            Data::Foreign(what) => what.to_string(),
        }
    }

    /// Returns the number, if it is one.
    pub(super) fn number(&self) -> Option<f64> {
        match self.data {
            Data::Integer(value) => Some(value as f64),
            Data::Float(value) => Some(value),
            _ => None,
        }
    }

    /// Returns the entries, if it is a table.
    pub(super) fn entries(&self) -> Option<&[Entry]> {
        match &self.data {
            Data::Table(entries) => Some(entries),
            _ => None,
        }
    }

    /// Returns the text, if it is one.
    pub(super) fn text(&self) -> Option<&str> {
        match &self.data {
            Data::Text(text) => Some(text),
            _ => None,
        }
    }
}

fn integer(number: &DeInteger<'_>) -> Data {
    let beyond = || {
        let most = if number.as_str().starts_with('-') { i64::MIN } else { i64::MAX };
        Data::Foreign(format!("{number}, beyond the whole numbers of TOML ({most})").into())
    };
    i64::from_str_radix(number.as_str(), number.radix()).map_or_else(|_| beyond(), Data::Integer)
}

/// Returns the entry of a key.
pub(super) fn find<'t>(entries: &'t [Entry], key: &str) -> Option<&'t Entry> {
    entries.iter().find(|entry| &*entry.key == key)
}

/// Puts `node` at `path` below `entries`, whose own path is `above`.
///
/// Missing tables are made, shorthands on the way (`shift = 0.1`) are written out, and elements
/// of lists are named by their position from 1; a list of one needs no position.
pub(super) fn put(
    entries: &mut Vec<Entry>,
    above: &str,
    path: &[&str],
    key_origin: Origin,
    node: Node,
) -> Result<(), PutProblem> {
    let [key, rest @ ..] = path else { return Ok(()) };
    let full = if above.is_empty() { (*key).to_owned() } else { format!("{above}.{key}") };
    let index = entries.iter().position(|entry| &*entry.key == *key);
    if rest.is_empty() {
        match index {
            Some(index) => {
                entries[index].origin = key_origin;
                entries[index].node = node;
            }
            None => entries.push(Entry { key: (*key).into(), origin: key_origin, node }),
        }
        return Ok(());
    }
    let index = index.unwrap_or_else(|| {
        let empty = Node { origin: key_origin, data: Data::Table(Vec::new()) };
        entries.push(Entry { key: (*key).into(), origin: key_origin, node: empty });
        entries.len() - 1
    });
    put_below(&mut entries[index].node, &full, rest, key_origin, node)
}

fn put_below(
    target: &mut Node,
    full: &str,
    rest: &[&str],
    key_origin: Origin,
    node: Node,
) -> Result<(), PutProblem> {
    if let Some(written_out) = write_out(full, target) {
        target.data = Data::Table(written_out);
    }
    match &mut target.data {
        Data::Table(entries) => put(entries, full, rest, key_origin, node),
        Data::List(nodes) => {
            let position = rest[0].parse::<usize>().ok().and_then(|number| number.checked_sub(1));
            let elements = nodes.len();
            let (element, rest) = match position.and_then(|position| nodes.get_mut(position)) {
                Some(element) => (element, &rest[1..]),
                None if elements == 1 && rest[0].parse::<usize>().is_err() => (&mut nodes[0], rest),
                None => {
                    let (path, segment) = (full.to_owned(), rest[0].to_owned());
                    return Err(PutProblem::NoElement { path, segment, elements });
                }
            };
            if rest.is_empty() {
                *element = node;
                return Ok(());
            }
            put_below(element, full, rest, key_origin, node)
        }
        _ => Err(PutProblem::NotATable(full.to_owned())),
    }
}

/// Returns the table that a shorthand at `path` stands for.
fn write_out(path: &str, node: &Node) -> Option<Vec<Entry>> {
    let entry = |key: &str| Entry { key: key.into(), origin: node.origin, node: node.clone() };
    let is_number = node.number().is_some();
    let is_text = node.text().is_some();
    match path {
        "augment.shift" if is_number => Some(vec![entry("width"), entry("height")]),
        "augment.zoom" if is_number => Some(vec![entry("height"), entry("width")]),
        "augment.rotation" if is_number => Some(Vec::new()),
        "augment.fill" if is_text => Some(Vec::new()),
        "train.learning-rate" if is_number => Some(vec![entry("initial")]),
        "train.optimizer" if is_text => Some(vec![entry("name")]),
        "model.layers" if is_text => Some(vec![entry("kind")]),
        _ => None,
    }
}
