//! Published numbers beside ours.
//!
//! The tables themselves stand in [`published`](super::published).

use std::collections::BTreeMap;

use serde::Serialize;

use super::labels::spoken;
use super::numbers::counted;
pub(crate) use super::published::{find, names, renamed};
use crate::base::MetricName;
use crate::experiment::reference::{ReferenceEntry, ReferenceTable};
use crate::experiment::value::Value;
use crate::results::ExperimentResults;
use gridbench_stats::{self as stats, Moments, Summary};

/// Level at which a difference from a published number counts.
const ALPHA: f64 = 0.05;

/// Published numbers beside ours.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct ReferenceComparison {
    /// Name of the table.
    pub name: String,
    /// What it shows.
    pub title: String,
    /// Who published it.
    pub source: String,
    /// In which ways ours is not the same experiment.
    pub differences: Vec<String>,
    /// Published entries that match a cell of ours.
    pub matches: Vec<ReferenceMatch>,
    /// Published entries without such a cell.
    pub unmatched: Vec<ReferenceEntryLine>,
}

/// A published number and ours.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct ReferenceMatch {
    /// The published number.
    pub published: ReferenceEntryLine,
    /// Index into the section's cells.
    pub cell: usize,
    /// Ours, on the published metric.
    pub ours: Summary,
    /// Ours minus published.
    pub difference: f64,
    /// Two-sided p-value, by Holm over all matches; absent where spread or trials are unknown.
    pub p: Option<f64>,
    /// The same by Benjamini and Hochberg: for a look over the whole table, it holds down the share of
    /// false findings rather than the chance of any.
    pub q: Option<f64>,
    /// The test behind it.
    pub test: Option<ReferenceTest>,
}

/// How a cell is compared with a published number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum ReferenceTest {
    /// A t-test that lends our standard deviation to the published trials, whose own is unknown.
    SharedSpread,
    /// Welch's test with the published standard deviation and number of trials.
    Welch,
}

/// A published number.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct ReferenceEntryLine {
    /// What it is a number of.
    pub label: String,
    /// The metric.
    pub metric: MetricName,
    /// The number, a fraction for accuracies.
    pub mean: f64,
    /// Published standard deviation.
    pub sd: Option<f64>,
    /// Published number of trials.
    pub n: Option<usize>,
}

/// Returns what stands in a line of a published number.
fn line(entry: &ReferenceEntry) -> ReferenceEntryLine {
    let part = |(key, value): &(String, Value)| {
        format!("{} {value}", key.rsplit('.').next().unwrap_or(key))
    };
    let settings = || entry.settings.iter().map(part).collect::<Vec<_>>().join(", ");
    ReferenceEntryLine {
        label: entry.label.clone().unwrap_or_else(settings),
        metric: entry.metric.clone(),
        mean: entry.mean,
        sd: entry.sd,
        n: entry.n,
    }
}

/// Sets the entries of `table` beside the cells they match, those without settings beside the `best`.
pub(crate) fn compare(
    table: &ReferenceTable,
    results: &ExperimentResults,
    best: Option<usize>,
) -> ReferenceComparison {
    let (mut matches, mut unmatched) = (Vec::new(), Vec::new());
    for entry in &table.entries {
        let found = matching(table, entry, results, best);
        let beside = found.and_then(|cell| {
            let ours = *results.summary(cell, &entry.metric)?;
            let sample = results.cells[cell].sample(&entry.metric);
            Some(beside(entry, cell, ours, &sample))
        });
        match beside {
            Some(found) => matches.push(found),
            None => unmatched.push(line(entry)),
        }
    }
    adjust(&mut matches);
    let differences = table
        .conditions
        .iter()
        .filter_map(|(key, published)| {
            let ours = base_value(results, key)?;
            (results.axis(key).is_none() && !same(key, &ours, published))
                .then(|| format!("{key} is {} here and {} there", spoken(&ours), spoken(published)))
        })
        .collect();
    ReferenceComparison {
        name: table.name.clone(),
        title: table.title.clone(),
        source: table.source.clone(),
        differences,
        matches,
        unmatched,
    }
}

/// Returns the cell that has the settings of `entry`.
///
/// A condition of the whole table only chooses among cells where it is an axis; a setting of the
/// entry must agree even where it is not.
fn matching(
    table: &ReferenceTable,
    entry: &ReferenceEntry,
    results: &ExperimentResults,
    best: Option<usize>,
) -> Option<usize> {
    let fits = |cell: usize| {
        let conditions = table.conditions.iter().all(|(key, published)| {
            results.value(cell, key).is_none_or(|ours| same(key, ours, published))
        });
        conditions
            && entry.settings.iter().all(|(key, published)| {
                let ours = results.value(cell, key).cloned();
                let ours = ours.or_else(|| base_value(results, key));
                ours.is_some_and(|ours| same(key, &ours, published))
            })
    };
    if entry.settings.is_empty() {
        return best;
    }
    let mut found = (0..results.cells.len()).filter(|cell| fits(*cell));
    // Two cells with the published settings differ in something the table does not know.
    let first = found.next()?;
    found.next().is_none().then_some(first)
}

fn beside(entry: &ReferenceEntry, cell: usize, ours: Summary, sample: &[f64]) -> ReferenceMatch {
    let tested = match (entry.sd, entry.n) {
        (Some(sd), Some(n)) => {
            let published = Moments { n, mean: entry.mean, sd: Some(sd) };
            Moments::of(sample)
                .and_then(|ours| stats::welch_from_moments(&ours, &published))
                .map(|found| (found.p_two_sided, ReferenceTest::Welch))
        }
        (None, Some(n)) => stats::against_mean_of(sample, entry.mean, n)
            .map(|found| (found.p_two_sided, ReferenceTest::SharedSpread)),
        (_, None) => None,
    };
    ReferenceMatch {
        published: line(entry),
        cell,
        ours,
        difference: ours.mean - entry.mean,
        p: tested.map(|(p, _)| p),
        q: None,
        test: tested.map(|(_, test)| test),
    }
}

/// Adjusts the p-values for their number.
fn adjust(matches: &mut [ReferenceMatch]) {
    let raw: Vec<f64> = matches.iter().map(|found| found.p.unwrap_or(f64::NAN)).collect();
    let adjusted = stats::holm(&raw).into_iter().zip(stats::benjamini_hochberg(&raw));
    for (found, (holm, benjamini_hochberg)) in matches.iter_mut().zip(adjusted) {
        found.q = found.p.map(|_| benjamini_hochberg);
        found.p = found.p.map(|_| holm);
    }
}

/// Returns the base setting behind a typed key, as it is typed: tables of settings answer by their
/// telling part.
fn base_value(results: &ExperimentResults, key: &str) -> Option<Value> {
    let base: &BTreeMap<String, Value> = &results.facts.base;
    let of = |part: &str| base.get(&format!("{key}.{part}"));
    if let Some(exact) = base.get(key).or_else(|| of("width")).or_else(|| of("kind")) {
        return Some(exact.clone());
    }
    if let Some(name) = of("name") {
        let name = name.as_text().map_or_else(|| name.clone(), |name| Value::Text(typed(name)));
        return Some(match of("convention") {
            Some(convention) => Value::Table(vec![
                ("name".to_owned(), name),
                ("convention".to_owned(), convention.clone()),
            ]),
            None => name,
        });
    }
    let model = (key == "model.preset").then(|| results.facts.model.clone());
    let model = model.filter(|model| !model.is_empty()).map(Value::Text);
    of("initial").cloned().or(model)
}

/// Returns a name as it is typed, from the form in which manifests keep it.
fn typed(name: &str) -> String {
    match name {
        "rms-prop" => "rmsprop",
        "adam-w" => "adamw",
        name => name,
    }
    .to_owned()
}

/// Returns whether two values of a setting mean the same, however they are typed.
fn same(key: &str, ours: &Value, published: &Value) -> bool {
    match (number(key, ours), number(key, published)) {
        (Some(ours), Some(published)) => {
            (ours - published).abs() <= 1e-9 * published.abs().max(1.0)
        }
        (None, None) => {
            let equal = |a: &Value, b: &Value| match (a.as_text(), b.as_text()) {
                (Some(a), Some(b)) => a.eq_ignore_ascii_case(b),
                _ => a == b,
            };
            // A name alone means whatever details the other side gives.
            equal(ours, published)
                || ours.entry("name").is_some_and(|name| equal(name, published))
                || published.entry("name").is_some_and(|name| equal(ours, name))
        }
        _ => false,
    }
}

/// Reads a number; rotations may be typed in turns: `{turns=0.05}`.
fn number(key: &str, value: &Value) -> Option<f64> {
    match value.entry("turns").and_then(Value::as_number) {
        Some(turns) if key.ends_with("rotation") => Some(360.0 * turns),
        _ => value.as_number(),
    }
}

/// Returns label and text of the notes below a comparison.
pub(super) fn notes(comparison: &ReferenceComparison) -> Vec<(&'static str, String)> {
    let ReferenceComparison { matches, unmatched, differences, source, .. } = comparison;
    let all = counted(matches.len() + unmatched.len(), "published number");
    let mut notes = vec![
        ("source", source.clone()),
        (
            "match",
            format!("{} of {all} on a metric and in a cell of this experiment", matches.len()),
        ),
    ];
    if !differences.is_empty() {
        notes.push(("differs", differences.join("; ")));
    }
    for (test, text) in [
        (ReferenceTest::SharedSpread, "Student's t, our SD lent to the published trials"),
        (ReferenceTest::Welch, "Welch's t with the published SD"),
    ] {
        let count = matches.iter().filter(|found| found.test == Some(test)).count();
        if count > 0 {
            notes.push(("p", format!("{text}; adjusted by Holm over {}", counted(count, "test"))));
        }
    }
    let tested = matches.iter().filter(|found| found.p.is_some()).count();
    if tested == 0 && !matches.is_empty() {
        let stated = matches.iter().any(|found| found.published.n.is_some());
        notes.push((
            "p",
            if stated {
                "no test: too few trials of ours to know their spread".to_owned()
            } else {
                "no test: the published values state neither n nor SD".to_owned()
            },
        ));
    }
    if tested > 1 {
        let below = |p: &dyn Fn(&ReferenceMatch) -> Option<f64>| {
            matches.iter().filter(|found| p(found).is_some_and(|p| p <= ALPHA)).count()
        };
        notes.push((
            "differ",
            format!(
                "{} of {} at 5 % by Holm, {} by Benjamini–Hochberg",
                below(&|found| found.p),
                counted(tested, "tested number"),
                below(&|found| found.q),
            ),
        ));
    }
    notes
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::results::fixture;

    fn same(key: &str, ours: &str, published: &str) -> bool {
        super::same(key, &Value::from_notation(ours), &Value::from_notation(published))
    }

    #[test]
    fn values_are_compared_by_meaning() {
        assert!(same("augment.rotation", "{turns=0.05}", "18"));
        assert!(same("augment.shift", "0.10", "0.1"));
        assert!(same("train.optimizer", "{name=adamw, beta1=0.9}", "adamw"));
        assert!(!same("train.optimizer", "adam", "adamw"));
        assert!(!same("augment.shift", "none", "0"));
    }

    #[test]
    fn the_base_setting_is_compared_as_it_is_typed_with_its_convention() {
        let mut results = fixture::experiment("base", &[], &[(&[], &[5, 6, 7])]);
        let mut put = |key: &str, value: &str| {
            let key = format!("train.optimizer.{key}");
            results.facts.base.insert(key, Value::from_notation(value));
        };
        // As manifests keep it: serde writes `RmsProp` as `rms-prop`.
        put("name", "rms-prop");
        put("convention", "keras");
        let differences = |results: &crate::results::ExperimentResults| {
            let found = compare(find("chollet").unwrap(), results, Some(0)).differences;
            found.into_iter().filter(|text| text.contains("optimizer")).collect::<Vec<_>>()
        };
        assert!(differences(&results).is_empty(), "{:?}", differences(&results));
        let torch = Value::Text("torch".to_owned());
        results.facts.base.insert("train.optimizer.convention".to_owned(), torch);
        assert_eq!(
            differences(&results),
            ["train.optimizer is rmsprop torch here and rmsprop keras there"]
        );
    }

    #[test]
    fn a_name_alone_fits_every_setting_of_that_name_and_details_fit_only_themselves() {
        let keras = "{name=rmsprop, convention=keras}";
        let is_same = |ours, published| same("train.optimizer", ours, published);
        assert!(is_same("RMSprop", keras) && is_same(keras, "rmsprop") && is_same(keras, keras));
        assert!(!is_same("{name=rmsprop, convention=dfdx}", keras) && !is_same("adam", keras));
    }
}
