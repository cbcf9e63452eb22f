//! What would be read of the output of a program, without calling one.

use std::collections::BTreeMap;
use std::path::Path;

use super::answers::{Answers, Lines, Questions, Unanswered};
use super::tables;
use crate::base::{Metric, MetricName};
use crate::experiment::program::{ReadFrom, Reading};

/// What a program left.
#[derive(Debug, Clone, Copy)]
pub struct Output<'a> {
    /// Its standard output.
    pub stdout: &'a [u8],
    /// Its standard error.
    pub stderr: &'a [u8],
    /// The content of its results file.
    pub results: &'a [u8],
    /// Where its tables are.
    pub folder: &'a Path,
}

/// What was read of it.
#[derive(Debug, Clone, PartialEq)]
pub struct Heard {
    /// The number of every metric, or why there is none.
    pub numbers: Result<BTreeMap<MetricName, f64>, String>,
    /// What it reported on the way, by epoch.
    pub history: Vec<(u32, BTreeMap<MetricName, f64>)>,
    /// Names that it printed with numbers though no metric has them.
    pub undeclared: Vec<String>,
}

/// Reads the output of a program as one that was called.
#[must_use]
pub fn hear(metrics: &[Metric], readings: &[Reading], output: Output<'_>) -> Heard {
    let questions = Questions::new(metrics, readings);
    let mut answers = Answers::new(&questions);
    let mut lines = Lines::default();
    lines.feed(output.stdout, |line| answers.stdout(line));
    lines.finish(|line| answers.stdout(line));
    if answers.hears_stderr() {
        let mut lines = Lines::default();
        lines.feed(output.stderr, |line| answers.stderr(line));
        lines.finish(|line| answers.stderr(line));
    }
    answers.results_file(output.results);
    for (name, from) in questions.files() {
        let ReadFrom::Csv { file, column, row } = from else { continue };
        match tables::column(&output.folder.join(file), column, *row) {
            Ok(values) => values.into_iter().for_each(|value| answers.found(name, value)),
            Err(problem) => answers.fault(problem),
        }
    }
    let numbers = answers.finals(metrics.iter().map(|metric| metric.name.clone()));
    Heard {
        numbers: numbers.map_err(|unanswered| match unanswered {
            Unanswered::NotFinite(text) | Unanswered::Wrong(text) => text,
        }),
        history: answers.history(),
        undeclared: answers.undeclared().iter().cloned().collect(),
    }
}
