//! Short labels for dotted keys.

use crate::tables::AxisFacts;

/// Last parts of keys that say nothing without the part before them.
const VAGUE: [&str; 12] = [
    "name", "size", "initial", "width", "height", "factor", "rate", "kind", "seed", "source",
    "epochs", "value",
];

/// Returns, for every key, its shortest ending that is clear by itself and unlike the others.
#[must_use]
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
#[must_use]
pub(super) fn short_name(
    axes: &[AxisFacts],
    values: &[Option<String>],
    keys: Option<&[String]>,
) -> String {
    let all: Vec<&str> = axes.iter().map(|axis| axis.key.as_str()).collect();
    let labels = short_labels(&all);
    let part = |(place, value): (usize, &Option<String>)| {
        let axis = &axes[place];
        let wanted = keys.is_none_or(|keys| keys.contains(&axis.key));
        let value = value.as_ref().filter(|_| wanted)?;
        let short = short_values(&axis.values);
        let at = axis.values.iter().position(|known| known == value);
        Some(format!("{}={}", labels[place], at.map_or(value, |at| &short[at])))
    };
    values.iter().enumerate().filter_map(part).collect::<Vec<_>>().join(" ")
}

/// Returns, for every value of an axis, its shortest clear form: a table of settings is called by
/// its name, with those of its settings in which it differs from others of that name.
#[must_use]
pub(super) fn short_values(values: &[String]) -> Vec<String> {
    let parsed: Vec<Settings<'_>> = values.iter().map(|value| Settings::of(value)).collect();
    let shorten = |settings: &Settings<'_>| {
        let alike = || parsed.iter().filter(|other| other.name == settings.name);
        let differs = |(key, value): &&(&str, &str)| {
            alike().any(|other| !other.rest.contains(&(*key, *value)))
        };
        let own: Vec<String> = settings.rest.iter().filter(differs).map(part).collect();
        [&[settings.name.to_owned()], own.as_slice()].concat().join(" ")
    };
    let short: Vec<String> = parsed.iter().map(shorten).collect();
    let distinct: std::collections::BTreeSet<&String> = short.iter().collect();
    if distinct.len() == values.len() { short } else { values.to_vec() }
}

/// Returns the settings of a value that its short form does not say, such as `momentum 0.9`.
#[must_use]
pub(super) fn left_unsaid(value: &str, short: &str) -> String {
    if value == short {
        return String::new();
    }
    let settings = Settings::of(value);
    let said = short.strip_prefix(settings.name).unwrap_or_default();
    let is_unsaid =
        |setting: &&(&str, &str)| !format!("{said} ").contains(&format!(" {} ", part(setting)));
    let unsaid =
        settings.rest.iter().filter(is_unsaid).map(|(key, value)| format!("{key} {value}"));
    unsaid.collect::<Vec<_>>().join(", ")
}

/// Writes a value the way people do: `rmsprop keras` for `{name=rmsprop, convention=keras}`.
#[must_use]
pub(super) fn spoken(value: &str) -> String {
    let settings = Settings::of(value);
    let parts = settings.rest.iter().map(part);
    [settings.name.to_owned()].into_iter().chain(parts).collect::<Vec<_>>().join(" ")
}

/// Writes one setting; whose definition is followed needs no key.
fn part((key, value): &(&str, &str)) -> String {
    if *key == "convention" { (*value).to_owned() } else { format!("{key} {value}") }
}

/// A value as a name and the other settings of its table; other values are their own name.
struct Settings<'a> {
    name: &'a str,
    rest: Vec<(&'a str, &'a str)>,
}

impl<'a> Settings<'a> {
    fn of(value: &'a str) -> Self {
        let plain = Self { name: value, rest: Vec::new() };
        let Some(inner) = value.strip_prefix('{').and_then(|rest| rest.strip_suffix('}')) else {
            return plain;
        };
        if inner.contains(['{', '[', '"']) {
            return plain;
        }
        let entries: Vec<(&str, &str)> =
            inner.split(", ").filter_map(|entry| entry.split_once('=')).collect();
        match entries.iter().find(|(key, _)| *key == "name") {
            None => plain,
            Some((_, name)) => {
                let rest = entries.iter().filter(|(key, _)| *key != "name").copied().collect();
                Self { name, rest }
            }
        }
    }
}

/// Returns the name inside a table of settings such as `{name=adam, beta1=0.9}`.
#[must_use]
pub(super) fn named(value: &str) -> Option<&str> {
    let inner = value.strip_prefix('{')?.strip_suffix('}')?;
    inner.split(", ").find_map(|entry| entry.strip_prefix("name="))
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
    fn a_table_of_settings_is_called_by_its_name_unless_another_shares_it() {
        let texts = |values: &[&str]| values.iter().map(|value| (*value).to_owned()).collect();
        let short = |values: &[&str]| -> Vec<String> {
            let values: Vec<String> = texts(values);
            short_values(&values)
        };
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
        let nested = "{name=a, inner={name=b}}";
        assert_eq!(short(&[nested, "a"]), [nested, "a"]);
        assert_eq!(short(&["{width=0.1, height=0.2}", "0"]), ["{width=0.1, height=0.2}", "0"]);
    }
}
