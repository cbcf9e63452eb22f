//! What is compared: commands and a metric, as an experiment of the `command` engine with an axis over
//! the commands.

use std::fmt::Write as _;

use super::DuelQuestion;
use crate::base::{Direction, Metric, MetricName, Seed, digest_of};
use crate::check::{Baseline, CellSample};
use crate::report::counted;

/// The axis over the commands.
pub(super) const AXIS: &str = "trainer.command";

/// Commands, and what is measured of them.
pub(crate) struct Contest<'a> {
    pub(super) asked: &'a DuelQuestion,
    pub(crate) commands: Vec<String>,
    metric: MetricName,
    unit: String,
    is_minimized: bool,
    /// Whether it is how long they take.
    pub(super) is_timed: bool,
    pub(super) seed: u64,
}

impl<'a> Contest<'a> {
    /// Completes what is asked by what a baseline says.
    ///
    /// # Panics
    /// If neither names a metric.
    pub(crate) fn of(asked: &'a DuelQuestion, baseline: Option<&Opponent>) -> Self {
        let is_timed = asked.wall_time
            || baseline.is_some_and(|known| known.metric.name == MetricName::WALL_SECONDS);
        let known = baseline.map(|known| &known.metric);
        let metric = match &asked.metric {
            _ if is_timed => MetricName::WALL_SECONDS,
            Some(name) => name.clone(),
            None => known.map(|metric| metric.name.clone()).expect("one of them names a metric"),
        };
        let is_share = metric.as_str() == "accuracy" || metric.as_str().ends_with("-accuracy");
        let usual = if is_share { "fraction" } else { "count" };
        let unit = asked.unit.clone();
        let unit = unit.or_else(|| known.map(|metric| metric.unit.name().to_owned()));
        let is_minimized =
            known.map_or(asked.is_minimized, |metric| metric.direction == Direction::Minimize);
        Self {
            asked,
            commands: asked.commands.clone(),
            unit: unit.unwrap_or_else(|| usual.to_owned()),
            is_minimized: is_minimized || is_timed,
            is_timed,
            seed: baseline.map_or(asked.seed, |known| known.seed.0),
            metric,
        }
    }

    /// Returns the same for one of the commands, on another master seed.
    pub(super) fn alone(&self, command: usize, seed: u64) -> Self {
        Self {
            asked: self.asked,
            commands: vec![self.commands[command].clone()],
            metric: self.metric.clone(),
            unit: self.unit.clone(),
            is_minimized: self.is_minimized,
            is_timed: self.is_timed,
            seed,
        }
    }

    /// Returns the name of the experiment: by its content, so that the same duel goes on in the same
    /// folder.
    pub(crate) fn name(&self) -> String {
        let digest = digest_of(self.content().as_bytes()).to_string();
        format!("duel-{}", &digest[..8])
    }

    /// Returns the experiment, with so many repeats of every command.
    pub(super) fn text(&self, repeats: usize) -> String {
        format!("name = {}\nrepeats = {repeats}\n{}", quoted(&self.name()), self.content())
    }

    fn content(&self) -> String {
        let asked = self.asked;
        let mut text = String::new();
        let mut line = |line: String| writeln!(text, "{line}").expect("a text takes lines");
        line(format!(
            "question = {}",
            quoted(&format!("Which command has the better {}?", self.metric))
        ));
        line(format!("seed = {}", self.seed));
        line("\n[trainer]\nengine = \"command\"".to_owned());
        line(format!("command = {}", quoted(&self.commands[0])));
        let inputs = ["{command}".to_owned()].into_iter().chain(asked.inputs.iter().cloned());
        line(format!("inputs = {}", list(inputs)));
        if let Some(limit) = asked.time_limit {
            line(format!("time-limit = {limit:?}"));
        }
        if !asked.environment.is_empty() {
            line("\n[trainer.environment]".to_owned());
            for (name, value) in &asked.environment {
                line(format!("{} = {}", quoted(name), quoted(value)));
            }
        }
        if self.is_timed {
            line("\n[measure]\nwall-time = true".to_owned());
        } else {
            line(format!("\n[metrics.{}]\nunit = {}", self.metric, quoted(&self.unit)));
            let direction = if self.is_minimized { "minimize" } else { "maximize" };
            line(format!("direction = {}", quoted(direction)));
            if let Some(pattern) = &asked.pattern {
                line(format!("pattern = {}", quoted(pattern)));
            }
        }
        line(format!("\n[grid.axes]\n{} = {}", quoted(AXIS), list(self.commands.iter().cloned())));
        line(format!("\n[report]\nmetric = {}", quoted(self.metric.as_str())));
        text
    }

    /// Returns the labels of the commands that are given no seed, where the seed may decide their values.
    pub(crate) fn without_seed(&self) -> Vec<String> {
        let labels = self.labels().into_iter();
        let unseeded = labels.filter(|(_, text)| !text.contains("{seed}") && !self.is_timed);
        unseeded.map(|(label, _)| label).collect()
    }

    /// Returns labels and texts of the commands: `A`, `B` and so on.
    pub(super) fn labels(&self) -> Vec<(String, String)> {
        let label = |index: usize| match u8::try_from(index) {
            Ok(index) if index < 26 => char::from(b'A' + index).to_string(),
            _ => format!("command {}", index + 1),
        };
        self.commands.iter().enumerate().map(|(at, text)| (label(at), text.clone())).collect()
    }
}

fn quoted(text: &str) -> String {
    // JSON's texts are TOML's.
    serde_json::to_string(text).expect("a text serialises")
}

fn list(texts: impl Iterator<Item = String>) -> String {
    let texts: Vec<String> = texts.map(|text| quoted(&text)).collect();
    format!("[{}]", texts.join(", "))
}

/// A baseline as the other side of a duel.
pub(crate) struct Opponent {
    pub(super) metric: Metric,
    /// Values by repeat; `None` where a trial was lost.
    pub(super) values: Vec<Option<f64>>,
    pub(super) seed: Seed,
    /// The machine that measured it.
    pub(super) hardware: String,
}

/// Fewest values of a baseline that a duel is worth while against.
pub(super) const MIN_VALUES: usize = 10;

impl Opponent {
    /// Returns the one cell of a baseline that has the metric, or says what it has instead.
    pub(crate) fn of(baseline: &Baseline, question: &DuelQuestion) -> Result<Self, String> {
        let of_metric = |cell: &&CellSample| match &question.metric {
            Some(name) => cell.metric.name == *name,
            None if question.wall_time => cell.metric.name == MetricName::WALL_SECONDS,
            None => !cell.metric.unit.is_cost(),
        };
        let cells: Vec<&CellSample> = baseline.cells().iter().filter(of_metric).collect();
        let [cell] = cells[..] else {
            return Err(format!(
                "it has {} with {}, expected one",
                counted(cells.len(), "cell"),
                question.metric.as_ref().map_or("a metric".to_owned(), |name| format!("`{name}`"))
            ));
        };
        let repeats = cell.repeats.as_ref().filter(|_| cell.values.len() >= MIN_VALUES);
        let Some(repeats) = repeats else {
            return Err(format!(
                "it has {} values by repeat, expected at least {MIN_VALUES}",
                cell.values.len()
            ));
        };
        let length = repeats.iter().max().map_or(0, |last| *last as usize + 1);
        let mut values = vec![None; length];
        for (repeat, value) in repeats.iter().zip(&cell.values) {
            values[*repeat as usize] = Some(*value);
        }
        let source = baseline.source();
        let hardware = source.origin.hardware.clone();
        Ok(Self { metric: cell.metric.clone(), values, seed: source.seed, hardware })
    }
}
