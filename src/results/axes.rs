//! The values that axes take, in their order, and how they are told apart in a column.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use super::facts::experiment;
use crate::base::text::is_printable;
use crate::experiment::Axis;
use crate::experiment::value::Value;
use crate::store::Manifest;

/// Returns the axes of the experiment in `manifest`, in the order in which its grid knows them, with
/// every value that one of its cells may take.
#[must_use]
pub fn declared_axes(manifest: &Manifest) -> Vec<Axis> {
    let Some(experiment) = experiment(manifest) else { return Vec::new() };
    let mut axes: Vec<Axis> = Vec::new();
    let mut seen: BTreeMap<String, (usize, BTreeSet<Value>)> = BTreeMap::new();
    let mut add = |key: &str, values: &[Value]| {
        let (index, known) = seen.entry(key.to_owned()).or_insert_with(|| {
            axes.push(Axis { key: key.to_owned(), values: Vec::new() });
            (axes.len() - 1, BTreeSet::new())
        });
        let new = values.iter().map(Value::plain).filter(|value| known.insert(value.clone()));
        axes[*index].values.extend(new);
    };
    for grid in &experiment.grids {
        for axis in grid.axes.iter().chain(grid.zips.iter().flatten()) {
            add(&axis.key, &axis.values);
        }
        let conditions = grid.when.iter().flat_map(|when| &when.matches);
        for one in conditions.chain(grid.exclude.iter().flatten()) {
            add(&one.key, &[]);
        }
        for (key, value) in grid.include.iter().flatten() {
            add(key, std::slice::from_ref(value));
        }
    }
    axes
}

/// Collects the distinct values of every axis from the cells that have them.
///
/// `declared` gives the order of the experiment file where it is known; values it does not name
/// follow in the order of the cells.
#[must_use]
pub fn collect_axes<'a>(
    keys: &[String],
    declared: &[Axis],
    cells: impl Iterator<Item = &'a [Option<Value>]>,
) -> Vec<Axis> {
    let mut seen: Vec<HashSet<&Value>> = vec![HashSet::new(); keys.len()];
    let mut values: Vec<Vec<&Value>> = vec![Vec::new(); keys.len()];
    for cell in cells {
        for (axis, value) in cell.iter().enumerate() {
            if let Some(value) = value
                && seen[axis].insert(value)
            {
                values[axis].push(value);
            }
        }
    }
    let order = |key: &str, values: Vec<&Value>| {
        let declared = declared.iter().find(|axis| axis.key == key);
        let ranks: BTreeMap<&Value, usize> = declared
            .iter()
            .flat_map(|axis| axis.values.iter().enumerate())
            .map(|(index, value)| (value, index))
            .collect();
        let mut ranked: Vec<(usize, &Value)> = values
            .into_iter()
            .map(|value| (ranks.get(value).copied().unwrap_or(usize::MAX), value))
            .collect();
        ranked.sort_by_key(|(rank, _)| *rank);
        ranked.into_iter().map(|(_, value)| value.clone()).collect()
    };
    keys.iter()
        .zip(values)
        .map(|(key, values)| Axis { key: key.clone(), values: order(key, values) })
        .collect()
}

/// What the values of an axis have in common, for writers of columns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AxisKind {
    /// Every value is a whole number that a 64-bit integer holds.
    Whole,
    /// Every value is a number that a 64-bit float holds exactly.
    Number,
    /// Every value is `true` or `false`.
    Truth,
    /// Anything else: written as [`axis_texts`].
    Text,
}

impl AxisKind {
    /// The largest whole number up to which a 64-bit float holds every whole number.
    const MAX_EXACT: u64 = 1 << 53;

    /// Returns what `values` have in common; no values are text.
    #[must_use]
    pub fn of(values: &[Value]) -> Self {
        let all = |holds: &dyn Fn(&Value) -> bool| !values.is_empty() && values.iter().all(holds);
        if all(&|value| value.as_whole().is_some()) {
            Self::Whole
        } else if all(&Self::is_exact_float) {
            Self::Number
        } else if all(&|value| value.as_truth().is_some()) {
            Self::Truth
        } else {
            Self::Text
        }
    }

    /// Returns whether a 64-bit float holds the value exactly.
    #[must_use]
    pub fn is_exact_float(value: &Value) -> bool {
        match value.as_whole() {
            Some(whole) => whole.unsigned_abs() <= Self::MAX_EXACT,
            None => value.as_number().is_some(),
        }
    }
}

/// Returns the text of every value of an axis: the short form people read or, where two values would
/// look alike or one cannot be looked at, their notation.
#[must_use]
pub fn axis_texts(values: &[Value]) -> Vec<String> {
    let short: Vec<String> = values.iter().map(ToString::to_string).collect();
    let distinct: HashSet<&String> = short.iter().collect();
    let can_be_seen = |text: &String| text.chars().all(|c| is_printable(c) && !c.is_control());
    if distinct.len() == values.len() && short.iter().all(can_be_seen) {
        return short;
    }
    values.iter().map(Value::notation).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values(texts: &[&str]) -> Vec<Value> {
        texts.iter().map(|text| Value::from_notation(text)).collect()
    }

    #[test]
    fn values_follow_the_experiment_file_before_the_cells() {
        let [ten, zero] = ["10", "0"].map(Value::from_notation);
        let cells = [vec![Some(ten)], vec![None], vec![Some(zero)]];
        let declared = Axis { key: "a".to_owned(), values: values(&["0", "5", "10"]) };
        let keys = ["a".to_owned()];
        let ordered = collect_axes(&keys, &[declared], cells.iter().map(Vec::as_slice));
        assert_eq!(ordered[0].values, values(&["0", "10"]));
        let as_met = collect_axes(&keys, &[], cells.iter().map(Vec::as_slice));
        assert_eq!(as_met[0].values, values(&["10", "0"]));
    }

    #[test]
    fn values_that_look_alike_are_told_apart() {
        assert_eq!(axis_texts(&values(&["\"1.1\"", "\"1.10\""])), ["1.1", "1.10"]);
        assert_eq!(axis_texts(&values(&["\"1.1\"", "1.1"])), ["\"1.1\"", "1.1"]);
        let hostile = ["\"\\u{1b}[2J\"", "\"\\u{202e}\"", "x"];
        assert_eq!(axis_texts(&values(&hostile)), hostile);
    }
}
