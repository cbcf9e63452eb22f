//! What the output of a program says: numbers of declared metrics, the last of which counts.
//!
//! A number stands in a line `test-accuracy: 0.98`, in a word `test-accuracy=0.98` of any line, in a
//! line that is a JSON object, or where a metric's declaration says. Everything else is the program's
//! own business; what looks like the number of a metric that is not declared is remembered, and named
//! where a declared one is missing.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value as Json;

use super::json::{self, JsonProblem};
use crate::base::{Metric, MetricName};
use crate::experiment::program::{ReadFrom, Reading};

/// The longest line that is read; of longer ones nothing is.
const MAX_LINE: usize = 1 << 20;
/// Values of one metric that are kept as its history.
const MAX_HISTORY: usize = 100_000;
/// Names that are remembered though nobody declared them.
const MAX_UNDECLARED: usize = 20;

/// What is looked for in the output of programs.
pub(super) struct Questions {
    metrics: Vec<Metric>,
    readings: Vec<(MetricName, Location)>,
}

enum Location {
    Pattern(regex::Regex),
    Json(String),
    /// A file that is read at the end.
    File(ReadFrom),
}

impl Questions {
    /// Prepares to look for `metrics`, for some of them at locations of their own.
    pub(super) fn new(metrics: &[Metric], readings: &[Reading]) -> Self {
        let location = |reading: &Reading| match &reading.from {
            ReadFrom::Pattern(text) => {
                // The experiment's reader has tried it.
                regex::Regex::new(text).ok().map(Location::Pattern)
            }
            ReadFrom::Json(path) => Some(Location::Json(path.clone())),
            csv @ ReadFrom::Csv { .. } => Some(Location::File(csv.clone())),
        };
        let readings = readings.iter();
        Self {
            metrics: metrics.to_vec(),
            readings: readings
                .filter_map(|one| Some((one.metric.clone(), location(one)?)))
                .collect(),
        }
    }

    /// Returns the declared metric that a text names; hyphens may be underscores, which is what names
    /// of variables have.
    fn named(&self, text: &str) -> Option<&MetricName> {
        let is_same = |name: &str| {
            name.len() == text.len()
                && name.bytes().zip(text.bytes()).all(|(a, b)| a == b || (a == b'-' && b == b'_'))
        };
        let found = self.metrics.iter().map(|metric| &metric.name);
        found
            .into_iter()
            .find(|name| is_same(name.as_str()))
            .filter(|name| !self.has_location(name))
    }

    fn has_location(&self, name: &MetricName) -> bool {
        self.readings.iter().any(|(metric, _)| metric == name)
    }

    fn patterns(&self) -> impl Iterator<Item = (&MetricName, &regex::Regex)> {
        self.readings.iter().filter_map(|(name, location)| match location {
            Location::Pattern(pattern) => Some((name, pattern)),
            _ => None,
        })
    }

    /// Returns the metrics that stand in files, and where.
    pub(super) fn files(&self) -> impl Iterator<Item = (&MetricName, &ReadFrom)> {
        self.readings.iter().filter_map(|(name, location)| match location {
            Location::File(from) => Some((name, from)),
            _ => None,
        })
    }
}

/// What one program has said so far.
pub(super) struct Answers<'q> {
    questions: &'q Questions,
    values: BTreeMap<MetricName, Vec<f64>>,
    /// Values by the epoch that the program named.
    epochs: BTreeMap<u32, BTreeMap<MetricName, f64>>,
    undeclared: BTreeSet<String>,
    /// The first answer that could not be read.
    fault: Option<String>,
    is_interrupted: bool,
    lines: u64,
    /// Lines that are no text.
    binary: u64,
    /// Whether a JSON object contradicts itself: nobody knows what the program means.
    contradiction: Option<String>,
}

impl<'q> Answers<'q> {
    pub(super) fn new(questions: &'q Questions) -> Self {
        Self {
            questions,
            values: BTreeMap::new(),
            epochs: BTreeMap::new(),
            undeclared: BTreeSet::new(),
            fault: None,
            is_interrupted: false,
            lines: 0,
            binary: 0,
            contradiction: None,
        }
    }

    /// Hears a line of standard output.
    pub(super) fn stdout(&mut self, line: &[u8]) {
        self.lines += 1;
        let Ok(text) = std::str::from_utf8(line) else {
            self.binary += 1;
            return;
        };
        self.patterns(text);
        let text = text.trim();
        if text.starts_with('{') {
            self.json_line(text, &format!("line {} of standard output", self.lines));
        } else {
            self.plain(text);
        }
    }

    /// Hears a line of standard error, in which only patterns look for something.
    pub(super) fn stderr(&mut self, line: &[u8]) {
        if let Ok(text) = std::str::from_utf8(line) {
            self.patterns(text);
        }
    }

    /// Returns whether lines of standard error are worth hearing.
    pub(super) fn hears_stderr(&self) -> bool {
        self.questions.patterns().next().is_some()
    }

    /// Hears the content of the results file: one JSON object, or one per line.
    pub(super) fn results_file(&mut self, content: &[u8]) {
        let Ok(text) = std::str::from_utf8(content) else {
            self.fault("the results file is no text".to_owned());
            return;
        };
        if text.trim().is_empty() {
            return;
        }
        match json::parse(text) {
            Ok(object) => self.json(&object),
            Err(_) => {
                for (index, line) in text.lines().enumerate() {
                    if !line.trim().is_empty() {
                        self.json_line(line, &format!("line {} of the results file", index + 1));
                    }
                }
            }
        }
    }

    /// Hears a number that was found at the location its declaration names.
    pub(super) fn found(&mut self, name: &MetricName, value: f64) {
        let values = self.values.entry(name.clone()).or_default();
        if values.len() == MAX_HISTORY {
            values.pop();
        }
        values.push(value);
    }

    /// Notes what is wrong with an answer; the first is told.
    pub(super) fn fault(&mut self, text: String) {
        self.fault.get_or_insert(text);
    }

    fn patterns(&mut self, text: &str) {
        let questions = self.questions;
        for (name, pattern) in questions.patterns() {
            for found in pattern.captures_iter(text) {
                let Some(found) = found.get(1) else { continue };
                match number(found.as_str()) {
                    Some(value) => self.found(name, value),
                    None => {
                        self.fault(format!(
                            "`pattern` of `{name}` found {}",
                            shown(found.as_str())
                        ));
                    }
                }
            }
        }
    }

    fn plain(&mut self, text: &str) {
        // Most lines of most programs say nothing of this kind.
        if memchr::memchr2(b':', b'=', text.as_bytes()).is_none() {
            return;
        }
        if let Some((name, rest)) = text.split_once(':') {
            let (name, rest) = (name.trim_end(), rest.trim());
            match (self.questions.named(name).cloned(), number(rest)) {
                (Some(name), Some(value)) => return self.found(&name, value),
                (Some(_), None) => {
                    return self.fault(format!("line {} is {}", self.lines, shown(text)));
                }
                (None, Some(_)) => self.note(name),
                (None, None) => {}
            }
        }
        for word in text.split(|c: char| c.is_whitespace() || c == ',' || c == ';') {
            let Some((name, rest)) = word.split_once('=') else { continue };
            match (self.questions.named(name).cloned(), number(rest)) {
                (Some(name), Some(value)) => self.found(&name, value),
                (Some(_), None) => self.fault(format!("line {} has {}", self.lines, shown(word))),
                (None, Some(_)) => self.note(name),
                (None, None) => {}
            }
        }
    }

    /// Remembers a name that could be a metric's.
    fn note(&mut self, name: &str) {
        let is_name =
            name.len() <= 60 && name.replace('_', "-").to_lowercase().parse::<MetricName>().is_ok();
        if is_name && self.undeclared.len() < MAX_UNDECLARED && !self.undeclared.contains(name) {
            self.undeclared.insert(name.to_owned());
        }
    }

    fn json_line(&mut self, text: &str, location: &str) {
        match json::parse(text) {
            Ok(object) => self.json(&object),
            Err(JsonProblem::Twice(name)) => {
                self.contradiction.get_or_insert(format!("{location} has `{name}` twice"));
            }
            // Programs print braces for reasons of their own; it is told where an answer is missing.
            Err(JsonProblem::Broken) => {
                self.fault(format!(
                    "{location} begins like a JSON object and is none: {}",
                    shown(text)
                ));
            }
        }
    }

    fn json(&mut self, object: &serde_json::Map<String, Json>) {
        if object.get("interrupted") == Some(&Json::Bool(true)) {
            self.is_interrupted = true;
        }
        let questions = self.questions;
        for (name, location) in &questions.readings {
            let Location::Json(path) = location else { continue };
            let mut at = object.get(path.as_str());
            if at.is_none() {
                let mut keys = path.split('.');
                at = keys.next().and_then(|key| object.get(key));
                at = keys.fold(at, |at, key| at?.get(key));
            }
            if let Some(value) = at.and_then(json::number) {
                self.found(name, value);
            }
        }
        let epoch = object.get("epoch").and_then(Json::as_u64);
        let epoch = epoch.and_then(|epoch| u32::try_from(epoch).ok());
        let last = object.get("final").and_then(Json::as_object);
        for (key, value) in object.iter().chain(last.into_iter().flatten()) {
            if key == "epoch" || key == "final" {
                continue;
            }
            match (questions.named(key), json::number(value)) {
                (Some(name), Some(value)) => {
                    self.found(name, value);
                    if let Some(epoch) = epoch
                        && (self.epochs.len() < MAX_HISTORY || self.epochs.contains_key(&epoch))
                    {
                        self.epochs.entry(epoch).or_default().insert(name.clone(), value);
                    }
                }
                (Some(name), None) => {
                    self.fault(format!("`{name}` is {}, no number", shown(&value.to_string())));
                }
                (None, Some(_)) => self.note(key),
                (None, None) => {}
            }
        }
    }

    /// Returns whether the program said a number of this metric.
    pub(super) fn has(&self, name: &MetricName) -> bool {
        self.values.contains_key(name)
    }

    /// Returns whether the program said that it was interrupted and can go on.
    pub(super) fn is_interrupted(&self) -> bool {
        self.is_interrupted
    }

    /// Returns names that were printed with numbers though nobody declared them.
    pub(super) fn undeclared(&self) -> &BTreeSet<String> {
        &self.undeclared
    }

    /// Returns how often each metric was reported before its last value, by epoch.
    pub(super) fn history(&self) -> Vec<(u32, BTreeMap<MetricName, f64>)> {
        if !self.epochs.is_empty() {
            return self.epochs.iter().map(|(epoch, values)| (*epoch, values.clone())).collect();
        }
        let repeated = || self.values.iter().filter(|(_, values)| values.len() > 1);
        let epochs = repeated().map(|(_, values)| values.len()).max().unwrap_or(0);
        let at = |epoch: usize| {
            let values =
                repeated().filter_map(|(name, values)| Some((name.clone(), *values.get(epoch)?)));
            (epoch as u32 + 1, values.collect())
        };
        (0..epochs).map(at).collect()
    }

    /// Returns the number of every declared metric in `wanted`.
    ///
    /// # Errors
    /// Says which is missing, out of its range or no number.
    pub(super) fn finals(
        &self,
        wanted: impl Iterator<Item = MetricName>,
    ) -> Result<BTreeMap<MetricName, f64>, Unanswered> {
        if let Some(contradiction) = &self.contradiction {
            return Err(Unanswered::Wrong(contradiction.clone()));
        }
        let mut finals = BTreeMap::new();
        for name in wanted {
            let Some(value) = self.values.get(&name).and_then(|values| values.last().copied())
            else {
                return Err(Unanswered::Wrong(self.missing(&name)));
            };
            if !value.is_finite() {
                return Err(Unanswered::NotFinite(format!("`{name}` is {value}")));
            }
            let metric = self.questions.metrics.iter().find(|metric| metric.name == name);
            if let Some(metric) = metric {
                let (low, high) = metric.range.ends();
                if !(low..=high).contains(&value) {
                    return Err(Unanswered::Wrong(out_of_range(metric, value)));
                }
            }
            finals.insert(name, value);
        }
        Ok(finals)
    }

    fn missing(&self, name: &MetricName) -> String {
        let mut text = match self.questions.readings.iter().find(|(metric, _)| metric == name) {
            None => format!("it did not print `{name}`, expected a line such as `{name}: 0.5`"),
            Some((_, Location::Pattern(pattern))) => {
                format!("no line of its output matches `pattern` of `{name}`: {pattern}")
            }
            Some((_, Location::Json(path))) => {
                format!(
                    "no JSON object that it printed has a number at `{path}`, where `{name}` is"
                )
            }
            Some((_, Location::File(_))) => format!("`csv` of `{name}` gave no number"),
        };
        if let Some(fault) = &self.fault {
            text = format!("{text}; {fault}");
        }
        if self.binary > 0 {
            text = format!("{text}; {} of {} lines are no text", self.binary, self.lines);
        }
        if !self.undeclared.is_empty() {
            let names: Vec<String> =
                self.undeclared.iter().map(|name| format!("`{name}`")).collect();
            text = format!(
                "{text}; it printed {}, which `[metrics]` does not declare",
                names.join(", ")
            );
        }
        text
    }
}

/// Why there is no number.
#[derive(Debug, PartialEq)]
pub(super) enum Unanswered {
    /// It is NaN or infinite.
    NotFinite(String),
    /// It is missing or wrong.
    Wrong(String),
}

fn out_of_range(metric: &Metric, value: f64) -> String {
    let (low, high) = metric.range.ends();
    let name = &metric.name;
    let hint = match metric.unit.name() {
        "fraction" if (0.0..=100.0).contains(&value) => {
            "; if it is in percent, declare `unit = \"percent\"`"
        }
        _ => "; `range` declares what there can be",
    };
    format!("`{name}` is {value}, out of its range from {low} to {high}{hint}")
}

/// Reads a number as programs print it; a percent sign may follow.
fn number(text: &str) -> Option<f64> {
    let text = text.trim().trim_end_matches('%').trim_end();
    let is_number = |c: char| c.is_ascii_digit() || "+-.".contains(c);
    let is_named = || {
        let name = text.trim_start_matches(['+', '-']).to_ascii_lowercase();
        ["nan", "inf", "infinity"].contains(&name.as_str())
    };
    if text.starts_with(is_number) || is_named() { text.parse().ok() } else { None }
}

/// Returns a text as it may stand in a message.
fn shown(text: &str) -> String {
    const MAX: usize = 80;
    let short: String = text.chars().take(MAX).collect();
    let more = if text.chars().nth(MAX).is_some() { "…" } else { "" };
    format!("`{}{more}`", short.escape_debug())
}

/// Cuts bytes into lines.
#[derive(Default)]
pub(super) struct Lines {
    line: Vec<u8>,
    /// Whether the rest of an endless line is passed over.
    is_passing: bool,
}

impl Lines {
    /// Tells `hear` every line that `bytes` complete.
    pub(super) fn feed(&mut self, mut bytes: &[u8], mut hear: impl FnMut(&[u8])) {
        while let Some(end) = memchr::memchr(b'\n', bytes) {
            let (head, tail) = bytes.split_at(end);
            if !self.is_passing {
                if self.line.is_empty() {
                    hear(head);
                } else {
                    self.line.extend_from_slice(head);
                    hear(&self.line);
                }
            }
            self.line.clear();
            self.is_passing = false;
            bytes = &tail[1..];
        }
        if self.line.len() + bytes.len() > MAX_LINE {
            self.line.clear();
            self.is_passing = true;
        } else if !self.is_passing {
            self.line.extend_from_slice(bytes);
        }
    }

    /// Tells `hear` what stands behind the last line.
    pub(super) fn finish(&mut self, hear: impl FnOnce(&[u8])) {
        if !self.line.is_empty() {
            hear(&self.line);
        }
    }
}
