//! Which cells are meant: `augment.shift=0.1,train.optimizer=adam`.

use std::str::FromStr;

use crate::report::labels::named;
use crate::tables::{CellResults, ExperimentResults};

/// Axis values that a cell must have; without any, every cell is meant.
///
/// Parts are separated by commas or spaces, so the name of a cell is a selector of it. An axis may
/// be called by the end of its key (`shift` for `augment.shift`) where that is clear.
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
                    let value = value.trim_matches('"');
                    Ok((key.to_owned(), value.to_owned()))
                }
                _ => Err(SelectorError::Part { part }),
            })
            .collect::<Result<_, _>>()?;
        Ok(Self { parts })
    }
}

/// Splits at commas and spaces outside braces, brackets and quotes.
fn split(text: &str) -> Vec<String> {
    let (mut depth, mut quoted, mut parts, mut part) = (0_i32, false, Vec::new(), String::new());
    for c in text.chars() {
        match c {
            '"' => quoted = !quoted,
            '{' | '[' if !quoted => depth += 1,
            '}' | ']' if !quoted => depth -= 1,
            _ => {}
        }
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
    pub fn extend(&mut self, other: Self) {
        self.parts.extend(other.parts);
    }

    /// Returns whether every cell is meant.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.parts.is_empty()
    }

    /// Returns the full keys of the axes it names and the places of the cells that are meant.
    ///
    /// # Errors
    /// If an axis or value is not there, or no cell is left.
    pub fn choose(
        &self,
        results: &ExperimentResults,
    ) -> Result<(Vec<String>, Vec<usize>), SelectorError> {
        let experiment = &results.facts.name;
        let mut wanted: Vec<(usize, &str)> = Vec::new();
        for (name, value) in &self.parts {
            let axis = axis(results, name)?;
            let facts = &results.axes[axis];
            if !facts.values.iter().any(|known| same(known, value)) {
                return Err(SelectorError::Value {
                    axis: facts.key.clone(),
                    value: value.clone(),
                    experiment: experiment.clone(),
                    values: facts.values.clone(),
                });
            }
            wanted.push((axis, value));
        }
        let fits = |cell: &CellResults| {
            wanted.iter().all(|(axis, value)| {
                cell.values[*axis].as_deref().is_some_and(|known| same(known, value))
            })
        };
        let cells: Vec<usize> =
            (0..results.cells.len()).filter(|&place| fits(&results.cells[place])).collect();
        if cells.is_empty() {
            let parts: Vec<String> =
                self.parts.iter().map(|(key, value)| format!("{key}={value}")).collect();
            return Err(SelectorError::NoCell {
                experiment: experiment.clone(),
                selector: parts.join(","),
            });
        }
        let keys = wanted.iter().map(|(axis, _)| results.axes[*axis].key.clone()).collect();
        Ok((keys, cells))
    }
}

fn axis(results: &ExperimentResults, name: &str) -> Result<usize, SelectorError> {
    let keys = || results.axes.iter().map(|axis| axis.key.as_str());
    if let Some(exact) = keys().position(|key| key == name) {
        return Ok(exact);
    }
    let ends = |key: &str| key.strip_suffix(name).is_some_and(|above| above.ends_with('.'));
    let found: Vec<usize> =
        keys().enumerate().filter(|(_, key)| ends(key)).map(|(place, _)| place).collect();
    let named = |places: &[usize]| places.iter().map(|&at| results.axes[at].key.clone()).collect();
    let (axis, experiment) = (name.to_owned(), results.facts.name.clone());
    match found[..] {
        [one] => Ok(one),
        [] => {
            let axes = keys().map(str::to_owned).collect();
            Err(SelectorError::Axis { axis, experiment, axes })
        }
        _ => Err(SelectorError::Ambiguous { axis, experiment, axes: named(&found) }),
    }
}

/// Returns whether two texts mean the same value: alike, equal numbers, or a table by its name.
fn same(known: &str, typed: &str) -> bool {
    let numbers = known.parse::<f64>().ok().zip(typed.parse::<f64>().ok());
    known == typed
        || numbers.is_some_and(|(known, typed)| (known - typed).abs() <= 1e-12 * known.abs())
        || named(known) == Some(typed)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tables::fixture;

    fn chosen(text: &str) -> Result<Vec<usize>, String> {
        let selector: Selector = text.parse().map_err(|error: SelectorError| error.to_string())?;
        let chosen = selector.choose(&fixture::augment_grid());
        chosen.map(|(_, cells)| cells).map_err(|error| error.to_string())
    }

    #[test]
    fn cells_are_chosen_by_axis_values_under_long_and_short_names() {
        assert_eq!(chosen("augment.shift=0.1"), Ok(vec![3, 4, 5]));
        assert_eq!(chosen("shift=0.10,rotation=10"), Ok(vec![4]));
        assert_eq!(chosen(""), Ok((0..7).collect()));
    }

    #[test]
    fn the_name_of_a_cell_selects_it() {
        for (place, cell) in fixture::augment_grid().cells.iter().enumerate() {
            assert_eq!(chosen(&cell.name), Ok(vec![place]), "{}", cell.name);
        }
    }

    #[test]
    fn values_may_be_tables_and_quoted_text() {
        let parts = |text: &str| text.parse::<Selector>().unwrap().parts;
        assert_eq!(
            parts("a={name=sgd, momentum=0.9},b=\"x, y\" c=[1, 2]"),
            [("a", "{name=sgd, momentum=0.9}"), ("b", "x, y"), ("c", "[1, 2]")]
                .map(|(key, value)| (key.to_owned(), value.to_owned()))
        );
        assert!(same("{name=sgd, momentum=0.9}", "sgd"));
    }

    #[test]
    fn what_is_not_there_is_named_with_what_is() {
        let errors = ["shift", "tilt=3", "shift=0.7", "shift=0.2,rotation=0"]
            .map(|text| chosen(text).unwrap_err());
        insta::assert_snapshot!(errors.join("\n"), @r"
        `shift` is no part of a cell, expected `axis=value` such as `augment.shift=0.1`
        `tilt` is no axis of `augment_grid`, expected `augment.shift`, `augment.rotation`, `augment.zoom`
        `augment.shift` is never `0.7` in `augment_grid`, expected `0`, `0.1`, `0.2`
        no cell of `augment_grid` is `shift=0.2,rotation=0`; `bench report` lists its cells
        ");
    }
}
