//! Which cells are meant: `augment.shift=0.1,optimizer=adam`, the same everywhere.

use std::fmt;
use std::str::FromStr;

use super::resolved::{Axis, Match};
use super::value::Value;

/// Axis values that a cell must have; without any, every cell is meant.
///
/// Parts are separated by commas or spaces, so the name of a cell is a selector of it. An axis may
/// be called by the end of its key (`shift` for `augment.shift`) where that is clear. Values are in
/// their notation: a text that looks like a number is quoted where the axis has that number too,
/// and a table of settings may be called by its name (`optimizer=sgd`).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Selector {
    parts: Vec<(String, String)>,
}

/// Says why a selector cannot be read or names nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SelectorError {
    /// A part is no `axis=value`.
    #[error("`{part}` is no part of a cell, expected `axis=value` such as `augment.shift=0.1`")]
    Part {
        /// The part.
        part: String,
    },
    /// No axis has this name.
    #[error("`{axis}` is no axis of `{experiment}`, expected {}", listed(axes))]
    Axis {
        /// The name.
        axis: String,
        /// The experiment.
        experiment: String,
        /// Its axes.
        axes: Vec<String>,
    },
    /// Several axes end so.
    #[error("`{axis}` may be any of {} in `{experiment}`; write the whole key", listed(axes))]
    Ambiguous {
        /// The name.
        axis: String,
        /// The experiment.
        experiment: String,
        /// The axes it may be.
        axes: Vec<String>,
    },
    /// The axis never takes this value.
    #[error("`{axis}` is never `{value}` in `{experiment}`, expected {}", listed(values))]
    Value {
        /// The axis.
        axis: String,
        /// The value.
        value: String,
        /// The experiment.
        experiment: String,
        /// Its values.
        values: Vec<String>,
    },
    /// Every value exists, but no cell has all of them.
    #[error("no cell of `{experiment}` is `{selector}`; `bench report` lists its cells")]
    NoCell {
        /// The experiment.
        experiment: String,
        /// The selector.
        selector: String,
    },
}

fn listed(names: &[String]) -> String {
    if names.is_empty() {
        return "none: it has no axes".to_owned();
    }
    names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}

impl FromStr for Selector {
    type Err = SelectorError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let parts = split(text)
            .into_iter()
            // The one cell of an experiment without axes.
            .filter(|part| part != "base")
            .map(|part| match part.split_once('=') {
                Some((key, value)) if !key.is_empty() && !value.is_empty() => {
                    Ok((key.to_owned(), value.to_owned()))
                }
                _ => Err(SelectorError::Part { part }),
            })
            .collect::<Result<_, _>>()?;
        Ok(Self { parts })
    }
}

impl fmt::Display for Selector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, (key, value)) in self.parts.iter().enumerate() {
            write!(f, "{}{key}={value}", if index == 0 { "" } else { "," })?;
        }
        Ok(())
    }
}

/// Splits at commas and spaces outside braces, brackets and quotes.
fn split(text: &str) -> Vec<String> {
    let (mut depth, mut quoted, mut escaped) = (0_i32, false, false);
    let (mut parts, mut part) = (Vec::new(), String::new());
    for c in text.chars() {
        match c {
            '"' if !escaped => quoted = !quoted,
            '{' | '[' if !quoted => depth += 1,
            '}' | ']' if !quoted => depth -= 1,
            _ => {}
        }
        escaped = quoted && c == '\\' && !escaped;
        if (c == ',' || c.is_whitespace()) && depth <= 0 && !quoted {
            parts.push(std::mem::take(&mut part));
        } else {
            part.push(c);
        }
    }
    parts.push(part);
    parts.retain(|part| !part.is_empty());
    parts
}

impl Selector {
    /// Adds the parts of another selector.
    pub(crate) fn extend(&mut self, other: Self) {
        self.parts.extend(other.parts);
    }

    /// Returns whether every cell is meant.
    pub(crate) fn is_empty(&self) -> bool {
        self.parts.is_empty()
    }

    /// Returns, for every part, the full key of its axis and the values it means.
    ///
    /// # Errors
    /// If an axis or value is not among `axes`; `experiment` is named in the message.
    pub(crate) fn resolve(
        &self,
        axes: &[Axis],
        experiment: &str,
    ) -> Result<Vec<Match>, SelectorError> {
        let part = |(name, typed): &(String, String)| {
            let axis = axis(axes, name, experiment)?;
            let values = meant(&axis.values, typed);
            if values.is_empty() {
                return Err(SelectorError::Value {
                    axis: axis.key.clone(),
                    value: typed.clone(),
                    experiment: experiment.to_owned(),
                    values: axis.values.iter().map(Value::notation).collect(),
                });
            }
            Ok(Match { key: axis.key.clone(), values })
        };
        self.parts.iter().map(part).collect()
    }
}

/// Returns the axis of this key, or the only one whose key ends so.
///
/// # Errors
/// If there is none, or several; `experiment` is named in the message.
pub(crate) fn axis<'a>(
    axes: &'a [Axis],
    name: &str,
    experiment: &str,
) -> Result<&'a Axis, SelectorError> {
    if let Some(exact) = axes.iter().find(|axis| axis.key == name) {
        return Ok(exact);
    }
    let ends = |axis: &&Axis| axis.key.strip_suffix(name).is_some_and(|above| above.ends_with('.'));
    let found: Vec<&Axis> = axes.iter().filter(ends).collect();
    let keys = |axes: &[&Axis]| axes.iter().map(|axis| axis.key.clone()).collect();
    let (axis, experiment) = (name.to_owned(), experiment.to_owned());
    match found[..] {
        [one] => Ok(one),
        [] => {
            let axes = keys(&axes.iter().collect::<Vec<_>>());
            Err(SelectorError::Axis { axis, experiment, axes })
        }
        _ => Err(SelectorError::Ambiguous { axis, experiment, axes: keys(&found) }),
    }
}

/// Returns the values of an axis that a typed text means: the one written so, else those that look so,
/// else those that mean the same, else the tables of that name.
fn meant(values: &[Value], typed: &str) -> Vec<Value> {
    let value = Value::from_notation(typed);
    let matching = |fits: &dyn Fn(&Value) -> bool| -> Vec<Value> {
        values.iter().filter(|known| fits(known)).cloned().collect()
    };
    let close = |known: &Value| {
        let numbers = known.as_number().zip(value.as_number());
        numbers.is_some_and(|(known, typed)| (known - typed).abs() <= 1e-12 * known.abs())
    };
    let named = |known: &Value| known.entry("name").is_some_and(|name| *name == value);
    [
        matching(&|known| known.notation() == typed),
        matching(&|known| known.to_string() == typed),
        matching(&|known| *known == value),
        matching(&close),
        matching(&named),
    ]
    .into_iter()
    .find(|found| !found.is_empty())
    .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn axes() -> Vec<Axis> {
        let axis = |key: &str, values: &[&str]| Axis {
            key: key.to_owned(),
            values: values.iter().map(|text| Value::from_notation(text)).collect(),
        };
        vec![
            axis("augment.shift", &["0", "0.1", "0.2"]),
            axis("train.optimizer", &["adam", "{name=sgd, momentum=0.9}", "{name=sgd}"]),
            axis("dataset.path", &["\"1.1\"", "\"1.10\"", "1.1", "\"a, b\"", "\"\"", "\"true\""]),
            axis("a.size", &["1"]),
            axis("b.size", &["1"]),
        ]
    }

    fn resolved(text: &str) -> Result<Vec<String>, String> {
        let selector: Selector = text.parse().map_err(|error: SelectorError| error.to_string())?;
        let found = selector.resolve(&axes(), "grid").map_err(|error| error.to_string())?;
        let line = |one: &Match| {
            let values: Vec<String> = one.values.iter().map(Value::notation).collect();
            format!("{}: {}", one.key, values.join(" | "))
        };
        Ok(found.iter().map(line).collect())
    }

    #[test]
    fn axes_have_short_names_and_values_mean_what_they_say() {
        for (typed, expected) in [
            ("shift=0.10", "augment.shift: 0.1"),
            ("augment.shift=0.2", "augment.shift: 0.2"),
            ("optimizer=adam", "train.optimizer: adam"),
            ("optimizer=sgd", "train.optimizer: {name=sgd, momentum=0.9} | {name=sgd}"),
            ("optimizer={name=sgd}", "train.optimizer: {name=sgd}"),
            ("path=1.1", "dataset.path: 1.1"),
            ("path=\"1.1\"", "dataset.path: \"1.1\""),
            ("path=1.10", "dataset.path: \"1.10\""),
            ("path=1.100", "dataset.path: 1.1"),
            ("path=\"a, b\"", "dataset.path: \"a, b\""),
            ("path=\"\"", "dataset.path: \"\""),
            ("path=true", "dataset.path: \"true\""),
        ] {
            assert_eq!(resolved(typed), Ok(vec![expected.to_owned()]), "{typed}");
        }
    }

    #[test]
    fn parts_are_separated_by_commas_or_spaces_outside_of_quotes_and_braces() {
        let parts = |text: &str| text.parse::<Selector>().unwrap().parts;
        assert_eq!(
            parts("a={name=sgd, momentum=0.9},b=\"x, \\\"y\" c=[1, 2]"),
            [("a", "{name=sgd, momentum=0.9}"), ("b", "\"x, \\\"y\""), ("c", "[1, 2]")]
                .map(|(key, value)| (key.to_owned(), value.to_owned()))
        );
        assert!(parts("").is_empty() && parts("base").is_empty());
    }

    #[test]
    fn what_is_not_there_is_named_with_what_is() {
        let errors =
            ["shift", "tilt=3", "shift=0.7", "size=1"].map(|text| resolved(text).unwrap_err());
        insta::assert_snapshot!(errors.join("\n"), @r"
        `shift` is no part of a cell, expected `axis=value` such as `augment.shift=0.1`
        `tilt` is no axis of `grid`, expected `augment.shift`, `train.optimizer`, `dataset.path`, `a.size`, `b.size`
        `augment.shift` is never `0.7` in `grid`, expected `0`, `0.1`, `0.2`
        `size` may be any of `a.size`, `b.size` in `grid`; write the whole key
        ");
    }
}
