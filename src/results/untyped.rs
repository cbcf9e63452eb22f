//! Values of which only the text is left, in tables and in baselines of version 1: which of the
//! values that are possible is meant.
//!
//! A text is never taken for a number where the experiment says that it is one: the values the
//! experiment declares come first, and the id of the cell, a hash of its values, decides.

use crate::base::CellId;
use crate::experiment::Axis;
use crate::experiment::value::Value;
use crate::grid::cell_id;

/// Combinations of look-alikes that are tried before the first is taken.
const MAX_TRIED: usize = 4096;

/// Returns whether `text` may be how a table or baseline of any version wrote `value`.
#[must_use]
pub fn looks_like(value: &Value, text: &str) -> bool {
    let short = value.to_string();
    if short == text || value.notation() == text {
        return true;
    }
    // Columns of numbers hold 0 as `0.0`, small ones as `1e-7`, and, before version 2, a text `2`
    // beside `1.5` as `2.0`.
    let numbers = short.parse::<f64>().ok().zip(text.parse::<f64>().ok());
    numbers.is_some_and(|(value, text)| (value - text).abs() <= 0.0)
}

/// Returns the typed values of a cell of which a table holds `texts`, in the order of `keys`.
///
/// `declared` are the values that the experiment may give each axis. `id` is what the table says the
/// cell is; where it names none of the possible cells, the most likely one is returned.
#[must_use]
pub fn typed_cell(
    keys: &[String],
    declared: &[Axis],
    texts: &[Option<&str>],
    id: Option<CellId>,
) -> Vec<Option<Value>> {
    let possible: Vec<Vec<Option<Value>>> = keys
        .iter()
        .zip(texts)
        .map(|(key, text)| {
            if let Some(text) = text {
                return possible(declared, key, text).into_iter().map(Some).collect();
            }
            // Some writers leave an empty text and an absent value alike.
            let empty = Value::Text(String::new());
            let axis = declared.iter().find(|axis| axis.key == *key);
            let takes_empty = axis.is_some_and(|axis| axis.values.contains(&empty));
            std::iter::once(None).chain(takes_empty.then_some(Some(empty))).collect()
        })
        .collect();
    let mut sorted: Vec<usize> = (0..keys.len()).collect();
    sorted.sort_by(|a, b| keys[*a].cmp(&keys[*b]));
    let pick = |choice: &[usize]| -> Vec<Option<Value>> {
        possible.iter().zip(choice).map(|(values, index)| values[*index].clone()).collect()
    };
    let is_meant = |values: &[Option<Value>]| {
        let pairs =
            sorted.iter().filter_map(|&axis| Some((keys[axis].as_str(), values[axis].as_ref()?)));
        id == Some(cell_id(pairs))
    };
    let first = pick(&vec![0; keys.len()]);
    if id.is_none() || is_meant(&first) {
        return first;
    }
    let mut choice = vec![0; keys.len()];
    for _ in 0..MAX_TRIED {
        if !advance(&mut choice, &possible) {
            break;
        }
        let values = pick(&choice);
        if is_meant(&values) {
            return values;
        }
    }
    first
}

/// Returns what a text may mean on an axis, the most likely first.
fn possible(declared: &[Axis], key: &str, text: &str) -> Vec<Value> {
    let axis = declared.iter().find(|axis| axis.key == key);
    let known = axis.map_or(&[][..], |axis| &axis.values);
    let mut values: Vec<Value> =
        known.iter().filter(|value| value.to_string() == text).cloned().collect();
    let alike = known.iter().filter(|value| looks_like(value, text)).cloned();
    for value in alike.chain([Value::from_notation(text).plain(), Value::Text(text.to_owned())]) {
        if !values.contains(&value) {
            values.push(value);
        }
    }
    values
}

/// Moves to the next combination; false after the last.
fn advance(choice: &mut [usize], possible: &[Vec<Option<Value>>]) -> bool {
    for (index, values) in choice.iter_mut().zip(possible) {
        *index += 1;
        if *index < values.len() {
            return true;
        }
        *index = 0;
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    fn axis(values: &[&str]) -> Vec<Axis> {
        let values = values.iter().map(|text| Value::from_notation(text)).collect();
        vec![Axis { key: "a".to_owned(), values }]
    }

    fn read(declared: &[&str], text: &str, meant: Option<&str>) -> String {
        let id = meant.map(|text| {
            let value = Value::from_notation(text);
            cell_id([("a", &value)].into_iter())
        });
        let values = typed_cell(&["a".to_owned()], &axis(declared), &[Some(text)], id);
        values[0].as_ref().unwrap().notation()
    }

    #[test]
    fn a_text_stays_a_text_where_the_experiment_says_so() {
        assert_eq!(read(&["\"1.1\"", "\"1.10\""], "1.10", None), "\"1.10\"");
        assert_eq!(read(&["\"true\"", "\"0.50\""], "0.50", None), "\"0.50\"");
        assert_eq!(read(&["0", "0.5"], "0.0", None), "0");
        assert_eq!(read(&["0.0000001"], "1e-7", None), "0.0000001");
        assert_eq!(read(&["9007199254740993"], "9007199254740993", None), "9007199254740993");
        // What version 1 made of the texts 1.5 and 2, a column of numbers.
        assert_eq!(read(&["\"1.5\"", "\"2\""], "2.0", None), "\"2\"");
    }

    #[test]
    fn the_id_of_the_cell_tells_look_alikes_apart() {
        for meant in ["\"1.1\"", "1.1"] {
            assert_eq!(read(&["\"1.1\"", "1.1"], "1.1", Some(meant)), meant);
            assert_eq!(read(&[], "1.1", Some(meant)), meant);
        }
    }

    #[test]
    fn without_an_experiment_a_value_is_what_it_looks_like() {
        assert_eq!(read(&[], "0.0", None), "0");
        assert_eq!(read(&[], "{name=adam, beta1=0.9}", None), "{name=adam, beta1=0.9}");
        assert_eq!(read(&[], "a \"b\"", None), "\"a \\\"b\\\"\"");
    }
}
