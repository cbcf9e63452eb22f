//! Short labels for dotted keys.

use std::collections::BTreeSet;

use crate::experiment::Axis;
use crate::experiment::value::Value;
use crate::results::axis_texts;

/// Last parts of keys that say nothing without the part before them.
const VAGUE: [&str; 12] = [
    "name", "size", "initial", "width", "height", "factor", "rate", "kind", "seed", "source",
    "epochs", "value",
];

/// Returns, for every key, its shortest ending that is clear by itself and unlike the others.
pub(super) fn short_labels(keys: &[&str]) -> Vec<String> {
    let ending = |key: &str, parts: usize| {
        let all: Vec<&str> = key.split('.').collect();
        all[all.len().saturating_sub(parts)..].join(".")
    };
    let depth = |key: &str| key.split('.').count();
    let shortest = |key: &str| {
        let least = if VAGUE.contains(&ending(key, 1).as_str()) { 2 } else { 1 };
        (least..depth(key))
            .map(|parts| ending(key, parts))
            .find(|label| {
                let suffix = format!(".{label}");
                let same = |other: &&&str| other.ends_with(&suffix) || **other == label.as_str();
                keys.iter().filter(same).count() == 1
            })
            .unwrap_or_else(|| key.to_owned())
    };
    keys.iter().map(|key| shortest(key)).collect()
}

/// Returns the name of a cell with short keys and values, such as `optimizer=adam shift=0.1`, from
/// the axes named in `keys`, or from all.
pub(super) fn short_name(
    axes: &[Axis],
    values: &[Option<Value>],
    keys: Option<&[String]>,
) -> String {
    let all: Vec<&str> = axes.iter().map(|axis| axis.key.as_str()).collect();
    let labels = short_labels(&all);
    let part = |(index, value): (usize, &Option<Value>)| {
        let axis = &axes[index];
        let wanted = keys.is_none_or(|keys| keys.contains(&axis.key));
        let value = value.as_ref().filter(|_| wanted)?;
        let at = axis.values.iter().position(|known| known == value);
        let text =
            at.map_or_else(|| value.to_string(), |at| short_values(&axis.values).swap_remove(at));
        Some(format!("{}={text}", labels[index]))
    };
    values.iter().enumerate().filter_map(part).collect::<Vec<_>>().join(" ")
}

/// Returns the name of a planned cell with short keys and values; empty without axes.
pub(crate) fn short_cell_name(axes: &[Axis], assignment: &[(String, Value)]) -> String {
    let value = |axis: &Axis| {
        let found = assignment.iter().find(|(key, _)| *key == axis.key);
        found.map(|(_, value)| value.clone())
    };
    short_name(axes, &axes.iter().map(value).collect::<Vec<_>>(), None)
}

/// Returns, for every value of an axis, its shortest clear form: a table of settings is called by
/// its name, with those of its settings in which it differs from others of that name, and a text that
/// looks like something else is quoted.
pub(super) fn short_values(values: &[Value]) -> Vec<String> {
    let parsed: Vec<Settings> = values.iter().map(Settings::of).collect();
    let shorten = |settings: &Settings| {
        let alike = || parsed.iter().filter(|other| other.name == settings.name);
        let differs =
            |setting: &&(String, String)| alike().any(|other| !other.rest.contains(setting));
        let own: Vec<String> = settings.rest.iter().filter(differs).map(part).collect();
        [std::slice::from_ref(&settings.name), own.as_slice()].concat().join(" ")
    };
    let short: Vec<String> = parsed.iter().map(shorten).collect();
    let distinct: BTreeSet<&String> = short.iter().collect();
    let short = if distinct.len() == values.len() { short } else { axis_texts(values) };
    let clear = |(value, short): (&Value, String)| match value {
        Value::Text(text) if Value::from_notation(text) != *value => value.notation(),
        _ => short,
    };
    values.iter().zip(short).map(clear).collect()
}

/// Returns the settings of a value that its short form does not say, such as `momentum 0.9`.
pub(super) fn left_unsaid(value: &Value, short: &str) -> String {
    let settings = Settings::of(value);
    let said = short.strip_prefix(&settings.name).unwrap_or_default();
    let is_unsaid =
        |setting: &&(String, String)| !format!("{said} ").contains(&format!(" {} ", part(setting)));
    let unsaid =
        settings.rest.iter().filter(is_unsaid).map(|(key, value)| format!("{key} {value}"));
    unsaid.collect::<Vec<_>>().join(", ")
}

/// Writes a value the way people do: `rmsprop keras` for `{name=rmsprop, convention=keras}`.
pub(super) fn spoken(value: &Value) -> String {
    let settings = Settings::of(value);
    let parts = settings.rest.iter().map(part);
    [settings.name].into_iter().chain(parts).collect::<Vec<_>>().join(" ")
}

/// Writes one setting; whose definition is followed needs no key.
fn part((key, value): &(String, String)) -> String {
    if key == "convention" { value.clone() } else { format!("{key} {value}") }
}

/// A value as a name and the other settings of its table; other values are their own name.
struct Settings {
    name: String,
    rest: Vec<(String, String)>,
}

impl Settings {
    fn of(value: &Value) -> Self {
        let is_plain = |value: &Value| !matches!(value, Value::List(_) | Value::Table(_));
        match (naming(value), value) {
            (Some((of_name, name)), Value::Table(entries))
                if of_name == ENGINE || entries.iter().all(|(_, value)| is_plain(value)) =>
            {
                let rest = entries.iter().filter(|(key, _)| key != of_name);
                Self {
                    name: name.to_owned(),
                    rest: rest.map(|(key, value)| (key.clone(), value.to_string())).collect(),
                }
            }
            _ => Self { name: value.to_string(), rest: Vec::new() },
        }
    }
}

/// What a trainer is called by, whatever lists and tables it is set up with.
const ENGINE: &str = "engine";

/// Returns the key and the name inside a table of settings such as `{name=adam, beta1=0.9}` or
/// `{engine=command, command=[…]}`.
fn naming(value: &Value) -> Option<(&'static str, &str)> {
    ["name", ENGINE].into_iter().find_map(|key| Some((key, value.entry(key)?.as_text()?)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_label_is_the_last_part_unless_that_is_vague_or_shared() {
        let keys = ["augment.rotation", "ensemble.size", "train.optimizer.name", "model.dropout"];
        assert_eq!(short_labels(&keys), ["rotation", "ensemble.size", "optimizer.name", "dropout"]);
        assert_eq!(
            short_labels(&["a.x.decay", "b.x.decay", "b.y.decay"]),
            ["a.x.decay", "b.x.decay", "y.decay"]
        );
        assert_eq!(short_labels(&["repeats"]), ["repeats"]);
    }

    #[test]
    fn a_text_that_looks_like_a_number_is_quoted() {
        let text = |text: &str| Value::Text(text.to_owned());
        assert_eq!(short_values(&[text("1"), text("adam")]), ["\"1\"", "adam"]);
        assert_eq!(short_values(&[Value::Integer(1), text("true")]), ["1", "\"true\""]);
    }

    #[test]
    fn a_table_of_settings_is_called_by_its_name_unless_another_shares_it() {
        let short = |values: &[&str]| -> Vec<String> {
            let values: Vec<Value> = values.iter().map(|text| Value::from_notation(text)).collect();
            short_values(&values)
        };
        let left_unsaid = |text: &str, short| left_unsaid(&Value::from_notation(text), short);
        let spoken = |text: &str| spoken(&Value::from_notation(text));
        assert_eq!(short(&["{name=sgd, momentum=0.9}", "adam"]), ["sgd", "adam"]);
        assert_eq!(short(&["{name=sgd, momentum=0.9}", "sgd"]), ["sgd momentum 0.9", "sgd"]);
        let keras = "{name=rmsprop, alpha=0.9, convention=keras}";
        let dfdx = "{name=rmsprop, alpha=0.9, convention=dfdx}";
        assert_eq!(short(&[keras, dfdx]), ["rmsprop keras", "rmsprop dfdx"]);
        assert_eq!(left_unsaid(keras, "rmsprop keras"), "alpha 0.9");
        assert_eq!(left_unsaid("{name=adam}", "adam"), "");
        let torch = "{name=rmsprop, convention=torch}";
        assert_eq!(left_unsaid(torch, "rmsprop"), "convention torch");
        assert_eq!(spoken(keras), "rmsprop alpha 0.9 keras");
        let program = "{engine=command, command=[python3, a.py], resources={cores=1}}";
        assert_eq!(short(&["{engine=auto}", program]), ["auto", "command"]);
        assert_eq!(left_unsaid(program, "command"), "command [python3, a.py], resources {cores=1}");
        let nested = "{name=a, inner={name=b}}";
        assert_eq!(short(&[nested, "a"]), [nested, "a"]);
        assert_eq!(short(&["{width=0.1, height=0.2}", "0"]), ["{width=0.1, height=0.2}", "0"]);
    }
}
