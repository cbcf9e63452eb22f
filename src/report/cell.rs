//! Everything of one cell: its settings, its metrics, its trials, its networks.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::Value as Json;

use super::Page;
use super::labels::short_name;
use super::layout::{Align, Paint, TextColumn, TextTable, wrap_text};
use super::numbers::{Scale, counted, duration};
use super::pivot::ABSENT;
use crate::base::{Metric, MetricName};
use crate::experiment::value::Assignment;
use crate::record::{EpochRecord, Outcome};
use crate::results::{ExperimentResults, TrialRow};
use gridbench_stats::Summary;

/// One setting of a cell.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct SettingLine {
    /// Dotted key.
    pub key: String,
    /// Its value.
    pub value: Json,
    /// Whether an axis set it.
    pub is_of_axis: bool,
}

/// A network of a cell.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct NetworkLine {
    /// Content id in hexadecimal.
    pub id: String,
    /// Index of the repeat.
    pub repeat: u32,
    /// Index within its ensemble, from 0.
    pub member: u32,
    /// How its last attempt ended; absent before it ended.
    pub outcome: Option<Outcome>,
    /// Epochs in order.
    pub epochs: Vec<EpochRecord>,
    /// Whether its predictions are stored; absent for committed results.
    pub has_predictions: Option<bool>,
    /// Whether its weights are stored; absent for committed results.
    pub has_weights: Option<bool>,
}

/// Everything of one cell.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct CellSheet {
    /// Name of the experiment.
    pub experiment: String,
    /// Content id of the cell.
    pub id: String,
    /// Its name.
    pub name: String,
    /// Its name with short keys; empty for the only cell of an experiment.
    pub label: String,
    /// Values of its axes by key.
    pub assignment: Assignment,
    /// Every setting, those of axes among them.
    pub values: Vec<SettingLine>,
    /// Trials planned.
    pub planned: u32,
    /// Statistics of every metric over the completed trials.
    pub metrics: Vec<MetricLine>,
    /// Trials that have an outcome, by repeat.
    pub trials: Vec<TrialLine>,
    /// Its networks as far as they are known: tables name a network in the first cell that uses it.
    pub networks: Vec<NetworkLine>,
}

/// The statistics of one metric.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct MetricLine {
    /// As declared.
    pub metric: Metric,
    /// Over the completed trials.
    pub summary: Summary,
}

/// One trial.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct TrialLine {
    /// Index of the repeat, from 0.
    pub repeat: u32,
    /// Content id in hexadecimal.
    pub id: String,
    /// How it ended.
    pub outcome: Outcome,
    /// What went wrong, unless completed.
    pub reason: Option<String>,
    /// Numerical path of its networks.
    pub path: Option<String>,
    /// Values of its metrics; empty unless completed.
    pub metrics: BTreeMap<MetricName, f64>,
}

impl From<&TrialRow> for TrialLine {
    fn from(row: &TrialRow) -> Self {
        let TrialRow { repeat, id, outcome, metrics, reason, path } = row.clone();
        let metrics = metrics.iter().map(|(name, value)| (name.clone(), *value)).collect();
        Self { repeat, id, outcome, reason, path, metrics }
    }
}

impl CellSheet {
    /// Gathers everything of a cell, whose settings and networks the caller knows.
    pub(crate) fn of(
        results: &ExperimentResults,
        index: usize,
        values: Vec<SettingLine>,
        networks: Vec<NetworkLine>,
    ) -> Self {
        let cell = &results.cells[index];
        let line = |metric: &Metric| {
            let summary = *results.summary(index, &metric.name)?;
            Some(MetricLine { metric: metric.clone(), summary })
        };
        Self {
            experiment: results.facts.name.clone(),
            id: cell.id.to_string(),
            name: cell.name.clone(),
            label: short_name(&results.axes, &cell.values, None),
            assignment: results.assignment(cell),
            values,
            planned: cell.planned,
            metrics: results.metrics().filter_map(line).collect(),
            trials: cell.trials.iter().map(TrialLine::from).collect(),
            networks,
        }
    }

    /// Writes it for a terminal; the text ends with a line break.
    pub(crate) fn render(&self, page: Page) -> String {
        let label = if self.label.is_empty() { "the only cell" } else { &self.label };
        let mut lines = wrap_text(&format!("{}   {label}", self.experiment), page.width, 2);
        let of = counted(self.planned as usize, "trial");
        let done = self.trials.iter().filter(|trial| trial.outcome == Outcome::Completed).count();
        lines.push(format!("cell {}   {done} of {of} completed", self.id));
        let mut section = |table: TextTable| {
            if table.keys.iter().any(|key| !key.entries.is_empty()) {
                lines.push(String::new());
                lines.extend(table.draw(page.width, page.colour));
            }
        };
        section(self.statistics());
        section(self.trial_table());
        section(self.network_table());
        lines.extend(self.reasons(page.width));
        lines.push(String::new());
        lines.extend(self.setting_lines(page));
        lines.join("\n") + "\n"
    }

    fn statistics(&self) -> TextTable {
        let column = |head: &str, text: &dyn Fn(&Scale, &Summary) -> Option<String>| {
            let entry = |line: &MetricLine| {
                let scale = Scale::of(&line.metric.unit, line.summary.sd);
                text(&scale, &line.summary).unwrap_or_else(|| ABSENT.to_owned())
            };
            TextColumn::plain(head, Align::Right, self.metrics.iter().map(entry).collect())
        };
        let name = |MetricLine { metric, .. }: &MetricLine| {
            // The names of costs say their units.
            let has_unit = !MetricName::COSTS.contains(&metric.name);
            let unit = if has_unit { metric.unit.of_values() } else { String::new() };
            format!("{}{unit}", metric.name.words())
        };
        let names = self.metrics.iter().map(name).collect();
        TextTable {
            keys: vec![TextColumn::plain("metric", Align::Left, names)],
            columns: vec![
                column("mean", &|scale, found| Some(scale.value(found.mean))),
                column("SD", &|scale, found| Some(scale.value(found.sd?))),
                column("SE", &|scale, found| Some(scale.value(found.se?))),
                column("95 % interval", &|scale, found| Some(scale.interval(found.interval95?))),
                column("median", &|scale, found| Some(scale.value(found.median))),
                column("min", &|scale, found| Some(scale.value(found.min))),
                column("max", &|scale, found| Some(scale.value(found.max))),
                column("n", &|_, found| Some(found.n.to_string())),
            ],
            ..TextTable::default()
        }
    }

    fn trial_table(&self) -> TextTable {
        let column = |head: &str, align, text: &dyn Fn(&TrialLine) -> String| {
            TextColumn::plain(head, align, self.trials.iter().map(text).collect())
        };
        let mut columns =
            vec![column("outcome", Align::Left, &|trial| trial.outcome.name().into())];
        for MetricLine { metric, summary } in &self.metrics {
            if metric.name == MetricName::PEAK_MEMORY || metric.split.is_none() {
                continue;
            }
            let scale = Scale::of(&metric.unit, summary.sd);
            let value = |trial: &TrialLine| {
                trial
                    .metrics
                    .get(&metric.name)
                    .map_or(ABSENT.to_owned(), |value| scale.value(*value))
            };
            columns.push(column(&metric.name.words(), Align::Right, &value));
        }
        let seconds = |trial: &TrialLine| {
            let seconds = trial.metrics.get(&MetricName::TRAIN_SECONDS);
            seconds.map_or(ABSENT.to_owned(), |seconds| duration(*seconds))
        };
        columns.push(column("training", Align::Right, &seconds));
        columns.push(column("trial", Align::Left, &|trial| short_id(&trial.id)));
        TextTable {
            keys: vec![column("repeat", Align::Right, &|trial| trial.repeat.to_string())],
            columns,
            ..TextTable::default()
        }
    }

    fn network_table(&self) -> TextTable {
        let column = |head: &str, align, text: &dyn Fn(&NetworkLine) -> Option<String>| {
            let text = |one: &NetworkLine| text(one).unwrap_or_else(|| ABSENT.to_owned());
            TextColumn::plain(head, align, self.networks.iter().map(text).collect())
        };
        let last = |one: &NetworkLine, value: fn(&EpochRecord) -> Option<f64>, factor: f64| {
            Some(format!("{:.3}", value(one.epochs.last()?)? * factor))
        };
        let stored = |one: &NetworkLine| {
            let parts = [("predictions", one.has_predictions?), ("weights", one.has_weights?)];
            let parts = parts.iter().filter(|(_, is_stored)| *is_stored).map(|(name, _)| *name);
            Some(parts.collect::<Vec<_>>().join(", ")).filter(|text| !text.is_empty())
        };
        let mut columns = vec![
            column("outcome", Align::Left, &|one| Some(one.outcome?.name().to_owned())),
            column("epochs", Align::Right, &|one| Some(one.epochs.len().to_string())),
            column("last train loss", Align::Right, &|one| last(one, |e| Some(e.train_loss), 1.0)),
        ];
        if self.networks.iter().flat_map(|one| &one.epochs).any(|e| e.validation_accuracy.is_some())
        {
            let head = "last validation accuracy %";
            columns.push(column(head, Align::Right, &|one| {
                last(one, |epoch| epoch.validation_accuracy, 100.0)
            }));
        }
        columns.push(column("stored", Align::Left, &stored));
        columns.push(column("network", Align::Left, &|one| Some(short_id(&one.id))));
        let called = |one: &NetworkLine| Some(format!("{}/{}", one.repeat, one.member));
        TextTable {
            keys: vec![column("repeat/member", Align::Right, &called)],
            columns,
            ..TextTable::default()
        }
    }

    /// Says why trials ended without a value.
    fn reasons(&self, width: usize) -> Vec<String> {
        let lost = self.trials.iter().filter(|trial| trial.outcome != Outcome::Completed);
        let line = |trial: &TrialLine| {
            let reason = trial.reason.as_deref().unwrap_or("no reason recorded");
            wrap_text(&format!(" repeat {}: {reason}", trial.repeat), width, 3)
        };
        let lines: Vec<String> = lost.flat_map(line).collect();
        if lines.is_empty() { lines } else { [vec![String::new()], lines].concat() }
    }

    fn setting_lines(&self, page: Page) -> Vec<String> {
        let longest = self.values.iter().map(|line| line.key.len()).max().unwrap_or(0);
        let mut lines =
            vec![format!(" {}", Paint::Bold.on("settings (● of an axis)", page.colour))];
        for SettingLine { key, value, is_of_axis } in &self.values {
            let mark = if *is_of_axis { "●" } else { " " };
            let value = match value {
                Json::String(text) => text.clone(),
                other => other.to_string(),
            };
            let text = format!(" {mark} {key:<longest$}  {value}");
            lines.extend(wrap_text_keeping_spaces(&text, page.width, longest + 5));
        }
        lines
    }
}

/// Breaks a line whose runs of spaces are to stay.
fn wrap_text_keeping_spaces(text: &str, width: usize, indent: usize) -> Vec<String> {
    if text.chars().count() <= width {
        return vec![text.to_owned()];
    }
    let head: String = text.chars().take(indent).collect();
    let rest: String = text.chars().skip(indent).collect();
    let lines = wrap_text(&rest.replace(',', ", "), width.saturating_sub(indent).max(20), 0);
    let indented = |(index, line): (usize, &String)| {
        if index == 0 { format!("{head}{line}") } else { format!("{}{line}", " ".repeat(indent)) }
    };
    lines.iter().enumerate().map(indented).collect()
}

/// Returns the first digits of an id, as `bench show` takes them.
fn short_id(id: &str) -> String {
    id.chars().take(12).collect()
}
