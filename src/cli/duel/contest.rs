//! What is compared: commands and a metric, as an experiment of the `command` engine with an axis over
//! the commands.

use std::fmt::Write as _;

use super::super::arguments::DuelArguments;
use super::super::failure::Failure;
use crate::base::{Direction, Metric, MetricName, Seed, digest_of};
use crate::check::{Baseline, CellSample};
use crate::report::counted;

/// The axis over the commands.
pub(super) const AXIS: &str = "trainer.command";

/// Commands, and what is measured of them.
pub(super) struct Contest<'a> {
    arguments: &'a DuelArguments,
    pub(super) commands: Vec<String>,
    metric: MetricName,
    unit: String,
    is_minimized: bool,
    /// Whether it is how long they take.
    pub(super) is_timed: bool,
    pub(super) seed: u64,
    environment: Vec<(String, String)>,
}

impl<'a> Contest<'a> {
    /// Reads what is compared from the command line and a baseline.
    pub(super) fn of(
        arguments: &'a DuelArguments,
        baseline: Option<&Opponent>,
    ) -> Result<Self, Failure> {
        let cannot = || Failure::input("cannot begin a duel");
        let is_timed = arguments.wall_time
            || baseline.is_some_and(|known| known.metric.name == MetricName::WALL_SECONDS);
        let metric = match arguments.metric_name() {
            _ if is_timed => MetricName::WALL_SECONDS,
            Some(Ok(name)) => name,
            Some(Err(error)) => return Err(cannot().because(&error)),
            None => baseline.map(|known| known.metric.name.clone()).expect("clap asks for one"),
        };
        let is_share = metric.as_str() == "accuracy" || metric.as_str().ends_with("-accuracy");
        let usual = if is_share { "fraction" } else { "count" };
        let known = baseline.map(|known| &known.metric);
        let unit = arguments.unit.clone();
        let unit = unit.or_else(|| known.map(|metric| metric.unit.name().to_owned()));
        let is_minimized =
            known.map_or(arguments.minimize, |metric| metric.direction == Direction::Minimize);
        Ok(Self {
            arguments,
            commands: arguments.commands.clone(),
            unit: unit.unwrap_or_else(|| usual.to_owned()),
            is_minimized: is_minimized || is_timed,
            is_timed,
            seed: baseline.map_or(u64::from(arguments.seed), |known| known.seed.0),
            environment: environment(&arguments.env)?,
            metric,
        })
    }

    /// Returns the same for one of the commands, on another master seed.
    pub(super) fn alone(&self, command: usize, seed: u64) -> Self {
        Self {
            arguments: self.arguments,
            commands: vec![self.commands[command].clone()],
            metric: self.metric.clone(),
            unit: self.unit.clone(),
            is_minimized: self.is_minimized,
            is_timed: self.is_timed,
            seed,
            environment: self.environment.clone(),
        }
    }

    /// Returns the name of the experiment: by its content, so that the same duel goes on in the same
    /// folder.
    pub(super) fn name(&self) -> String {
        let digest = digest_of(self.content().as_bytes()).to_string();
        format!("duel-{}", &digest[..8])
    }

    /// Returns the experiment, with so many repeats of every command.
    pub(super) fn text(&self, repeats: usize) -> String {
        format!("name = {}\nrepeats = {repeats}\n{}", quoted(&self.name()), self.content())
    }

    fn content(&self) -> String {
        let arguments = self.arguments;
        let mut text = String::new();
        let mut line = |line: String| writeln!(text, "{line}").expect("a text takes lines");
        line(format!(
            "question = {}",
            quoted(&format!("Which command has the better {}?", self.metric))
        ));
        line(format!("seed = {}", self.seed));
        line("\n[trainer]\nengine = \"command\"".to_owned());
        line(format!("command = {}", quoted(&self.commands[0])));
        let inputs = ["{command}".to_owned()].into_iter().chain(arguments.inputs.iter().cloned());
        line(format!("inputs = {}", list(inputs)));
        if let Some(limit) = arguments.time_limit {
            line(format!("time-limit = {limit:?}"));
        }
        if !self.environment.is_empty() {
            line("\n[trainer.environment]".to_owned());
            for (name, value) in &self.environment {
                line(format!("{} = {}", quoted(name), quoted(value)));
            }
        }
        if self.is_timed {
            line("\n[measure]\nwall-time = true".to_owned());
        } else {
            line(format!("\n[metrics.{}]\nunit = {}", self.metric, quoted(&self.unit)));
            let direction = if self.is_minimized { "minimize" } else { "maximize" };
            line(format!("direction = {}", quoted(direction)));
            if let Some(pattern) = &arguments.pattern {
                line(format!("pattern = {}", quoted(pattern)));
            }
        }
        line(format!("\n[grid.axes]\n{} = {}", quoted(AXIS), list(self.commands.iter().cloned())));
        line(format!("\n[report]\nmetric = {}", quoted(self.metric.as_str())));
        text
    }

    /// Returns the labels of the commands that are given no seed, where the seed may decide their values.
    pub(super) fn without_seed(&self) -> Vec<String> {
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

/// Returns variables by name, with their present values where none are typed.
fn environment(typed: &[String]) -> Result<Vec<(String, String)>, Failure> {
    let value = |text: &String| {
        if let Some((name, value)) = text.split_once('=') {
            return Ok((name.to_owned(), value.to_owned()));
        }
        // Braces are placeholders in values of an experiment.
        let value = std::env::var_os(text).and_then(|value| value.into_string().ok());
        value.map(|value| (text.clone(), braced(&value))).ok_or_else(|| {
            Failure::input(format!("cannot pass the variable `{text}` on"))
                .because_of("it is not set, or its value is no text")
        })
    };
    typed.iter().map(value).collect()
}

fn braced(text: &str) -> String {
    text.replace('{', "{{").replace('}', "}}")
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
pub(super) struct Opponent {
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
    /// Returns the one cell of a baseline that has the metric.
    pub(super) fn of(baseline: &Baseline, arguments: &DuelArguments) -> Result<Self, String> {
        let asked = match arguments.metric_name() {
            Some(Ok(name)) => Some(name),
            Some(Err(error)) => return Err(error.to_string()),
            None => None,
        };
        let of_metric = |cell: &&CellSample| match &asked {
            Some(name) => cell.metric.name == *name,
            None if arguments.wall_time => cell.metric.name == MetricName::WALL_SECONDS,
            None => !cell.metric.unit.is_cost(),
        };
        let cells: Vec<&CellSample> = baseline.cells().iter().filter(of_metric).collect();
        let [cell] = cells[..] else {
            return Err(format!(
                "it has {} with {}, expected one",
                counted(cells.len(), "cell"),
                asked.map_or("a metric".to_owned(), |name| format!("`{name}`"))
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
