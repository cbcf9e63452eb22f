//! Published numbers to stand beside ours: tables as TOML files.

use serde::{Deserialize, Serialize};
use toml::de::DeTable;

use super::decode::grid;
use super::document::{Sources, file_origin};
use super::problem::ExperimentError;
use super::reader::{COUNT, Findings, NUMBER, Section};
use super::tree::{Data, Node, Origin};
use super::value::Value;
use crate::base::MetricName;

const KEYS: &[&str] = &["name", "title", "source", "metric", "n", "conditions", "entries"];
const ENTRY_KEYS: &[&str] = &["label", "settings", "metric", "mean", "sd", "n"];

/// A published table.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct ReferenceTable {
    /// Name used under `[report] reference`.
    pub name: String,
    /// What it shows.
    pub title: String,
    /// Who published it.
    pub source: String,
    /// Settings common to all entries: dotted key and value.
    pub conditions: Vec<(String, Value)>,
    /// The numbers.
    pub entries: Vec<ReferenceEntry>,
}

/// A published number.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct ReferenceEntry {
    /// What it is a number of, where the settings do not say it.
    pub label: Option<String>,
    /// Settings of its own: dotted key and value. An entry without any stands beside our best cell.
    pub settings: Vec<(String, Value)>,
    /// The metric.
    pub metric: MetricName,
    /// The number, in the unit of the metric: a fraction for accuracies.
    pub mean: f64,
    /// Standard deviation, where published.
    pub sd: Option<f64>,
    /// Number of trials, where published.
    pub n: Option<usize>,
}

impl ReferenceTable {
    /// Reads the TOML of a table; `file_name` stands in messages.
    ///
    /// # Errors
    /// Holds every problem of the file, each with its location.
    pub(crate) fn parse(text: &str, file_name: &str) -> Result<Self, ExperimentError> {
        let mut findings = Findings::default();
        let (parsed, errors) = DeTable::parse_recoverable(text);
        for error in &errors {
            let origin = file_origin(error.span().unwrap_or(0..0));
            findings.say(origin, format!("broken TOML: {}", error.message()));
        }
        if errors.is_empty() {
            let tree = Node::table(parsed.get_ref(), &file_origin);
            let root = Node { origin: Origin::Assigned, data: Data::Table(tree) };
            let table = read(&root, &mut findings);
            if findings.list.is_empty() {
                return Ok(table);
            }
        }
        let sources = Sources { text, file_name, overrides: &[] };
        let attempt = format!("cannot read reference table `{file_name}`");
        Err(ExperimentError { attempt, problems: sources.problems(findings) })
    }
}

fn read(root: &Node, findings: &mut Findings) -> ReferenceTable {
    let section = Section::open(Some(root), "", KEYS, findings);
    let text = |key: &str, findings: &mut Findings| {
        if section.get(key).is_none() {
            section.missing(key, "text", findings);
        }
        section.text(key, findings).unwrap_or_default().to_owned()
    };
    let defaults = (metric(&section, findings), section.whole("n", COUNT, findings));
    let entries = grid::tables(&section, "entries", findings);
    if section.get("entries").is_none() {
        section.missing("entries", "a list of published numbers", findings);
    }
    let entries = entries
        .into_iter()
        .enumerate()
        .filter_map(|(index, node)| entry(index, node, &defaults, findings))
        .collect();
    ReferenceTable {
        name: text("name", findings),
        title: text("title", findings),
        source: text("source", findings),
        conditions: settings(&section, "conditions", findings),
        entries,
    }
}

fn entry(
    index: usize,
    node: &Node,
    (default_metric, default_n): &(Option<MetricName>, Option<usize>),
    findings: &mut Findings,
) -> Option<ReferenceEntry> {
    let section =
        Section::open(Some(node), format!("entries[{}]", index + 1), ENTRY_KEYS, findings);
    let own = metric(&section, findings);
    if own.is_none() && default_metric.is_none() {
        section.missing("metric", "the name of a metric, here or at the top", findings);
    }
    if section.get("mean").is_none() {
        section.missing("mean", "a number", findings);
    }
    let mean = section.optional_number("mean", NUMBER, findings);
    Some(ReferenceEntry {
        label: section.text("label", findings).map(str::to_owned),
        settings: settings(&section, "settings", findings),
        metric: own.or_else(|| default_metric.clone())?,
        mean: mean?,
        sd: section.optional_number("sd", NUMBER, findings),
        n: section.whole("n", COUNT, findings).or(*default_n),
    })
}

fn metric(section: &Section<'_>, findings: &mut Findings) -> Option<MetricName> {
    let node = section.get("metric")?;
    match section.text("metric", findings)?.parse() {
        Ok(name) => Some(name),
        Err(error) => {
            findings.say(node.origin, error.to_string());
            None
        }
    }
}

fn settings(section: &Section<'_>, key: &str, findings: &mut Findings) -> Vec<(String, Value)> {
    let Some(node) = section.get(key) else { return Vec::new() };
    let path = section.name(key);
    let mut found = Vec::new();
    for (key, entry) in grid::leaves(&path, node, &grid::is_setting, findings) {
        match entry.node.value() {
            Some(value) => found.push((key, value.plain())),
            None => findings.wrong(&format!("{path}.{key}"), &entry.node, "a value"),
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_is_read_with_its_defaults() {
        let text = "name = \"ours\"\ntitle = \"last year\"\nsource = \"wiki\"\n\
            metric = \"test-accuracy\"\nn = 5\n[conditions]\n\"dataset.source\" = \"digits\"\n\
            [[entries]]\nsettings = { \"augment.shift\" = 0.10 }\nmean = 0.98\n\
            [[entries]]\nlabel = \"best\"\nmetric = \"test-loss\"\nmean = 0.1\nsd = 0.01\nn = 7\n";
        let table = ReferenceTable::parse(text, "ours.toml").unwrap();
        let [first, second] = &table.entries[..] else { panic!("{table:?}") };
        assert_eq!(first.settings, [("augment.shift".to_owned(), Value::Float(0.1))]);
        assert_eq!((first.n, &first.metric), (Some(5), &MetricName::TEST_ACCURACY));
        assert_eq!((second.n, &second.metric), (Some(7), &MetricName::TEST_LOSS));
    }

    #[test]
    fn all_problems_of_a_table_are_named_at_once() {
        let text =
            "name = \"ours\"\ntitel = \"x\"\nmetric = \"Accuracy\"\n[[entries]]\nmean = \"high\"\n";
        let error = ReferenceTable::parse(text, "ours.toml").unwrap_err().to_string();
        insta::assert_snapshot!(error, @r#"
        cannot read reference table `ours.toml`: 6 problems
          `title` is missing, expected text
          `source` is missing, expected text
          ours.toml:2:1: unknown key `titel`, expected `name`, `title`, `source`, `metric`, `n`, `conditions` or `entries`
            2 | titel = "x"
              | ^^^^^
            hint: did you mean `title`?
          ours.toml:3:10: `Accuracy` is no name of a metric, expected up to 60 lower-case letters, digits and hyphens, beginning with a letter, other than cell, repeat, trial, outcome, reason, path
            3 | metric = "Accuracy"
              |          ^^^^^^^^^^
          ours.toml:4:1: `entries[1].metric` is missing, expected the name of a metric, here or at the top
            4 | [[entries]]
              | ^^^^^^^^^^^
          ours.toml:5:8: `entries[1].mean` is "high", expected a number
            5 | mean = "high"
              |        ^^^^^^
        "#);
    }
}
