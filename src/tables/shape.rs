//! Column types of the axes and the order of their values.

use std::collections::HashSet;

use super::results::{AxisFacts, ExperimentResults};

/// How the values of an axis are stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum AxisType {
    /// Every value is a whole number.
    Integer,
    /// Every value is a number.
    Number,
    /// Anything else.
    Text,
}

impl AxisType {
    fn of(values: &[String]) -> Self {
        // A text such as `007` or `1e3` must come back as typed, so a number only counts as one
        // where its short form is the text itself.
        let integer = |text: &String| text.parse::<i64>().is_ok_and(|v| v.to_string() == *text);
        let number = |text: &String| {
            text.parse::<f64>().is_ok_and(|value| value.is_finite() && value.to_string() == *text)
        };
        if values.iter().all(integer) {
            Self::Integer
        } else if values.iter().all(number) {
            Self::Number
        } else {
            Self::Text
        }
    }
}

/// Returns the column type of every axis.
pub(super) fn axis_types(results: &ExperimentResults) -> Vec<AxisType> {
    results.axes.iter().map(|axis| AxisType::of(&axis.values)).collect()
}

/// Collects the distinct values of every axis from the cells that have them.
///
/// `declared` gives the order of the experiment file where it is known; values it does not name
/// follow in the order of the cells.
pub(super) fn collect_axes<'a>(
    keys: &[String],
    declared: &[AxisFacts],
    cells: impl Iterator<Item = &'a [Option<String>]>,
) -> Vec<AxisFacts> {
    let mut seen: Vec<HashSet<&str>> = vec![HashSet::new(); keys.len()];
    let mut values: Vec<Vec<&str>> = vec![Vec::new(); keys.len()];
    for cell in cells {
        for (axis, value) in cell.iter().enumerate() {
            if let Some(value) = value.as_deref()
                && seen[axis].insert(value)
            {
                values[axis].push(value);
            }
        }
    }
    let order = |key: &str, values: Vec<&str>| {
        let declared = declared.iter().find(|axis| axis.key == key);
        let place = |value: &str| {
            declared
                .and_then(|axis| axis.values.iter().position(|other| other == value))
                .unwrap_or(usize::MAX)
        };
        let mut placed: Vec<(usize, &str)> =
            values.into_iter().map(|value| (place(value), value)).collect();
        placed.sort_by_key(|(place, _)| *place);
        placed.into_iter().map(|(_, value)| value.to_owned()).collect()
    };
    keys.iter()
        .zip(values)
        .map(|(key, values)| AxisFacts { key: key.clone(), values: order(key, values) })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(values: &[&str]) -> Vec<String> {
        values.iter().map(|value| (*value).to_owned()).collect()
    }

    #[test]
    fn an_axis_is_numeric_only_where_every_value_is() {
        assert_eq!(AxisType::of(&texts(&["0", "5", "-10"])), AxisType::Integer);
        assert_eq!(AxisType::of(&texts(&["0", "0.05"])), AxisType::Number);
        assert_eq!(AxisType::of(&texts(&["0", "adam"])), AxisType::Text);
        assert_eq!(AxisType::of(&texts(&["007", "8"])), AxisType::Text);
        assert_eq!(AxisType::of(&texts(&["inf"])), AxisType::Text);
    }

    #[test]
    fn values_follow_the_experiment_file_before_the_cells() {
        let cells = [vec![Some("10".to_owned())], vec![None], vec![Some("0".to_owned())]];
        let declared = AxisFacts { key: "a".to_owned(), values: texts(&["0", "5", "10"]) };
        let keys = texts(&["a"]);
        let ordered = collect_axes(&keys, &[declared], cells.iter().map(Vec::as_slice));
        assert_eq!(ordered[0].values, texts(&["0", "10"]));
        let as_met = collect_axes(&keys, &[], cells.iter().map(Vec::as_slice));
        assert_eq!(as_met[0].values, texts(&["10", "0"]));
    }
}
