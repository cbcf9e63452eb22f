//! Ranges of axis values, expanded in decimal arithmetic: 0.1 + 0.2 is 0.3 here.

use rust_decimal::Decimal;

use crate::base::grouped;
use crate::experiment::reader::{COUNT, Findings, Section, whole};
use crate::experiment::tree::{Data, Entry, Node, Origin, find};

/// The most values of an axis: more than anyone would train, and few enough to check one by one.
pub(super) const MAX_VALUES: usize = 100_000;

const KEYS: &[&str] = &["from", "to", "step", "count", "scale"];
/// Digits kept of values that have no short decimal form, such as thirds and logarithmic steps.
const DIGITS: u32 = 12;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Scale {
    Linear,
    Log,
}

/// Returns whether a table is meant as a range.
pub(super) fn is_range(entries: &[Entry]) -> bool {
    let has = |key| find(entries, key).is_some();
    has("from") || (has("to") && (has("step") || has("count")))
}

/// Expands the range `node` of the axis `name`; every value stands where the range was typed.
pub(super) fn expand(name: &str, node: &Node, findings: &mut Findings) -> Option<Vec<Node>> {
    let before = findings.list.len();
    let section = Section::open(Some(node), name.to_owned(), KEYS, findings);
    let scales = &[("linear", Scale::Linear), ("log", Scale::Log)];
    let scale = section.choice("scale", scales, findings).unwrap_or(Scale::Linear);
    let (from, to) = (end(&section, "from", findings), end(&section, "to", findings));
    let step = section.get("step").map(|_| end(&section, "step", findings));
    let count = section
        .get("count")
        .map(|node| whole::<usize>(&section.name("count"), node, COUNT, findings));
    if findings.list.len() > before {
        return None;
    }
    let say = |message: String, hint: &str, findings: &mut Findings| {
        findings.advise(node.origin, format!("range `{name}` {message}"), hint.to_owned());
        None
    };
    let (from, to) = (from?, to?);
    match (step, count) {
        (None, None) => say(
            "has neither `step` nor `count`".to_owned(),
            "add `step = …` or `count = …`",
            findings,
        ),
        (Some(_), Some(_)) => say(
            "has both `step` and `count`, expected one of them".to_owned(),
            "remove one of them",
            findings,
        ),
        (Some(_), None) if scale == Scale::Log => say(
            "has a `step` on a logarithmic scale".to_owned(),
            "use `count` with `scale = \"log\"`",
            findings,
        ),
        (Some(step), None) => match steps(from, to, step?) {
            Ok(values) => {
                Some(values.into_iter().map(|value| number(value, node.origin)).collect())
            }
            Err(message) => say(message, "change `from`, `to` or `step`", findings),
        },
        (None, Some(count)) => {
            let count = count?;
            if count > MAX_VALUES {
                return say(too_many(count as u128), "lower `count`", findings);
            }
            if count == 1 && from != to {
                return say(
                    "has one value but two ends".to_owned(),
                    "use `count = 2` or a list",
                    findings,
                );
            }
            let values = match scale {
                Scale::Linear => linear(from, to, count),
                Scale::Log if from <= Decimal::ZERO || to <= Decimal::ZERO => {
                    return say(
                        format!(
                            "runs from {from} to {to} on a logarithmic scale, expected ends above 0"
                        ),
                        "use `scale = \"linear\"`",
                        findings,
                    );
                }
                Scale::Log => logarithmic(from, to, count),
            };
            match values {
                Some(values) => {
                    Some(values.into_iter().map(|value| number(value, node.origin)).collect())
                }
                None => say(
                    "is too wide for decimal arithmetic".to_owned(),
                    "use a list of values",
                    findings,
                ),
            }
        }
    }
}

fn end(section: &Section<'_>, key: &str, findings: &mut Findings) -> Option<Decimal> {
    let Some(node) = section.get(key) else {
        section.missing(key, "a number", findings);
        return None;
    };
    let decimal = match node.data {
        Data::Integer(value) => Some(Decimal::from(value)),
        // The shortest text that reads back as the same float is what was typed.
        Data::Float(value) => Decimal::from_str_exact(&value.to_string()).ok(),
        _ => None,
    };
    if decimal.is_none() {
        findings.wrong(&section.name(key), node, "a number of at most 28 digits");
    }
    decimal.map(|value| value.normalize())
}

/// Says that a range has more values than an axis may have.
fn too_many(count: u128) -> String {
    let (count, most) = (grouped(count), grouped(MAX_VALUES as u128));
    format!("has {count} values, at most {most} are allowed")
}

fn steps(from: Decimal, to: Decimal, step: Decimal) -> Result<Vec<Decimal>, String> {
    if step.is_zero() {
        return Err("has a step of 0".to_owned());
    }
    let distance = to.checked_sub(from).ok_or("is too wide for decimal arithmetic")?;
    let ratio = distance.checked_div(step).ok_or("is too wide for decimal arithmetic")?;
    if ratio.is_sign_negative() && !ratio.is_zero() {
        return Err(format!("steps by {step}, which leads away from {to}"));
    }
    if ratio >= Decimal::from(MAX_VALUES) {
        return Err(too_many(ratio.trunc().as_i128().unsigned_abs() + 1));
    }
    let whole = ratio.trunc();
    let value = |index: usize| from + step * Decimal::from(index);
    let last = usize::try_from(whole.as_i128()).expect("the ratio is small and not negative");
    if whole * step != distance {
        return Err(format!(
            "does not reach {to} by steps of {step}: its last value is {}",
            value(last).normalize()
        ));
    }
    Ok((0..=last).map(value).collect())
}

fn linear(from: Decimal, to: Decimal, count: usize) -> Option<Vec<Decimal>> {
    let distance = to.checked_sub(from)?;
    let parts = Decimal::from(count.saturating_sub(1).max(1));
    (0..count)
        .map(|index| {
            if index + 1 == count {
                return Some(to);
            }
            let offset = distance.checked_mul(Decimal::from(index))?.checked_div(parts)?;
            from.checked_add(offset)?.round_sf(DIGITS)
        })
        .collect()
}

fn logarithmic(from: Decimal, to: Decimal, count: usize) -> Option<Vec<Decimal>> {
    let (low, high) = (from.as_f64().ln(), to.as_f64().ln());
    (0..count)
        .map(|index| match index {
            0 => Some(from),
            index if index + 1 == count => Some(to),
            index => {
                let share = index as f64 / (count - 1) as f64;
                let value = (low + (high - low) * share).exp();
                let rounded: f64 = format!("{value:.*e}", DIGITS as usize - 1).parse().ok()?;
                Decimal::from_str_exact(&rounded.to_string()).ok()
            }
        })
        .collect()
}

fn number(value: Decimal, origin: Origin) -> Node {
    let value = value.normalize();
    let integer = value.is_integer().then(|| i64::try_from(value.as_i128()).ok()).flatten();
    let data = match integer {
        Some(value) => Data::Integer(value),
        // Through text: the nearest float of the decimal, as if it had been typed.
        None => Data::Float(value.to_string().parse().expect("a decimal prints as a number")),
    };
    Node { origin, data }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::experiment::value::Value;

    fn expanded(from: &str, to: &str, rest: &str) -> Result<String, String> {
        let text = format!("from = {from}\nto = {to}\n{rest}");
        let table = toml::de::DeTable::parse(&text).unwrap();
        let origin = |_: std::ops::Range<usize>| Origin::Assigned;
        let data = Data::Table(Node::table(table.get_ref(), &origin));
        let node = Node { origin: Origin::Assigned, data };
        let mut findings = Findings::default();
        match expand("a.b", &node, &mut findings) {
            Some(values) => {
                Ok(Value::List(values.iter().map(|node| node.value().unwrap()).collect())
                    .to_string())
            }
            None => Err(findings.list[0].message.clone()),
        }
    }

    #[test]
    fn steps_are_decimal() {
        assert_eq!(expanded("0.0", "0.5", "step = 0.1").unwrap(), "[0, 0.1, 0.2, 0.3, 0.4, 0.5]");
        assert_eq!(expanded("3", "1", "step = -1").unwrap(), "[3, 2, 1]");
        assert_eq!(expanded("1e-3", "3e-3", "step = 1e-3").unwrap(), "[0.001, 0.002, 0.003]");
        assert_eq!(expanded("2", "2", "step = 1").unwrap(), "[2]");
    }

    #[test]
    fn counts_are_even_and_hit_both_ends() {
        assert_eq!(expanded("0", "0.3", "count = 4").unwrap(), "[0, 0.1, 0.2, 0.3]");
        assert_eq!(
            expanded("0", "1", "count = 4").unwrap(),
            "[0, 0.333333333333, 0.666666666667, 1]"
        );
        assert_eq!(expanded("1", "9", "count = 5").unwrap(), "[1, 3, 5, 7, 9]");
    }

    #[test]
    fn logarithmic_ranges_give_round_powers() {
        assert_eq!(
            expanded("1e-4", "1e-1", "count = 4\nscale = \"log\"").unwrap(),
            "[0.0001, 0.001, 0.01, 0.1]"
        );
        assert_eq!(
            expanded("1", "1024", "count = 11\nscale = \"log\"").unwrap(),
            "[1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024]"
        );
    }

    #[test]
    fn ranges_that_mean_nothing_are_refused() {
        for (from, to, rest, expected) in [
            ("0", "1", "step = 0.3", "does not reach 1 by steps of 0.3: its last value is 0.9"),
            ("0", "1", "step = -0.5", "steps by -0.5, which leads away from 1"),
            ("0", "1", "step = 0", "has a step of 0"),
            ("0", "1", "step = 1e-9", "has 1,000,000,001 values, at most 100,000 are allowed"),
            ("0", "1", "", "has neither `step` nor `count`"),
            ("0", "1", "step = 0.5\ncount = 3", "has both `step` and `count`"),
            ("0", "1", "count = 3\nscale = \"log\"", "expected ends above 0"),
            ("1", "2", "step = 1\nscale = \"log\"", "has a `step` on a logarithmic scale"),
            ("1", "2", "count = 1", "has one value but two ends"),
            ("1", "\"b\"", "count = 2", "`a.b.to` is \"b\", expected a number"),
            ("1", "2", "count = 0", "`a.b.count` is 0, expected a whole number from 1"),
            ("1", "2", "steps = 1", "unknown key `a.b.steps`"),
            ("1e300", "2", "step = 1", "expected a number of at most 28 digits"),
        ] {
            let message = expanded(from, to, rest).unwrap_err();
            assert!(message.contains(expected), "{message:?} should contain {expected:?}");
        }
    }
}
