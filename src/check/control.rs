//! The control: one trial of the baseline, trained again under its own seed.
//!
//! Same seed, same bits: where the value differs, the program, its data or the machine's arithmetic
//! changed since, and the check compares more than what was meant to be compared.

use std::fmt;

use serde::Serialize;

use super::sample::{CellSample, Source};
use super::{Baseline, Warning};
use crate::base::Metric;

/// A value of the baseline to be seen again.
#[derive(Debug, Clone, PartialEq)]
pub struct ControlTrial {
    /// The baseline's sample of the cell.
    pub cell: CellSample,
    /// The repeat.
    pub repeat: u32,
    /// What it gave.
    pub value: f64,
}

/// What became of a control.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case", tag = "kind")]
pub enum Control {
    /// The trial gives the same bits again.
    Same {
        /// The cell as printed.
        cell: String,
        /// The repeat.
        repeat: u32,
        /// The value, in the unit of the metric.
        value: f64,
        /// As what it is printed.
        #[serde(skip)]
        metric: Metric,
    },
    /// It gives something else.
    Drift {
        /// The cell as printed.
        cell: String,
        /// The repeat.
        repeat: u32,
        /// Its value in the baseline, in the unit of the metric.
        baseline: f64,
        /// Its value now; absent where it has none any more.
        now: Option<f64>,
        /// What is known to differ, in words.
        differs: Vec<String>,
        /// As what it is printed.
        #[serde(skip)]
        metric: Metric,
    },
    /// There is no trial that has to give the same bits.
    Impossible {
        /// Why.
        reason: String,
    },
}

impl Control {
    /// Compares a trial with what it gives now.
    #[must_use]
    pub fn of(trial: &ControlTrial, now: Option<f64>, baseline: &Source, here: &Source) -> Self {
        let (cell, repeat, metric) =
            (trial.cell.name.clone(), trial.repeat, trial.cell.metric.clone());
        if now.is_some_and(|now| now.to_bits() == trial.value.to_bits()) {
            return Self::Same { cell, repeat, value: trial.value, metric };
        }
        let differs = differences(baseline, here);
        Self::Drift { cell, repeat, baseline: trial.value, now, differs, metric }
    }

    /// Returns whether the trial gave something else.
    #[must_use]
    pub fn is_drift(&self) -> bool {
        matches!(self, Self::Drift { .. })
    }
}

impl fmt::Display for Control {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Same { cell, repeat, value, metric } => write!(
                f,
                "control: repeat {repeat} of `{cell}` gives {} again under the baseline's seed",
                shown(*value, metric)
            ),
            Self::Drift { cell, repeat, baseline, now, differs, metric } => {
                let now = now.map_or("no value".to_owned(), |now| shown(now, metric));
                let differs = match differs.as_slice() {
                    [] => "nothing that is recorded explains it".to_owned(),
                    known => format!("what differs: {}", known.join("; ")),
                };
                write!(
                    f,
                    "drift: repeat {repeat} of `{cell}` gives {now} under the baseline's seed, {} in \
                     the baseline: the program, its data or its arithmetic changed ({differs}), so \
                     the verdict is about that change too",
                    shown(*baseline, metric)
                )
            }
            Self::Impossible { reason } => write!(f, "control: none, {reason}"),
        }
    }
}

/// Returns a value to all digits that tell two bits apart.
fn shown(value: f64, metric: &Metric) -> String {
    format!("{}{}", value * metric.unit.factor(), metric.unit.of_values())
}

/// Returns the trial of a baseline that can be seen again most cheaply: the first repeat of the cell
/// that `seconds` says is trained fastest, of those that `is_known`.
///
/// # Errors
/// Holds the reason if there is none whose bits have to be the same here.
pub fn control_trial(
    baseline: &Baseline,
    here: &Source,
    metric: &Metric,
    seconds: impl Fn(&CellSample) -> Option<f64>,
) -> Result<ControlTrial, String> {
    let there = baseline.source();
    if metric.unit.is_cost() {
        return Err(format!("`{}` is measured anew each time", metric.name));
    }
    if there.split_seed != here.split_seed {
        return Err("the baseline divides its images in another way".to_owned());
    }
    if there.origin.engine != here.origin.engine {
        return Err(format!(
            "the baseline was trained on `{}` and this on `{}`, whose bits differ",
            there.origin.engine, here.origin.engine
        ));
    }
    if !here.origin.engine.starts_with("cpu") && !here.origin.engine.starts_with("fake") {
        return Err(format!("`{}` does not promise the same bits twice", here.origin.engine));
    }
    let cells = baseline.cells().iter().filter(|cell| cell.metric.name == metric.name);
    let fastest = cells
        .filter_map(|cell| {
            let repeat = *cell.repeats.as_ref()?.first()?;
            let value = *cell.values.first()?;
            Some((seconds(cell)?, ControlTrial { cell: cell.clone(), repeat, value }))
        })
        .min_by(|a, b| a.0.total_cmp(&b.0));
    fastest
        .map(|(_, trial)| trial)
        .ok_or_else(|| "no cell of the baseline is in the experiment, with its repeats".to_owned())
}

/// Says what differs between the origins of a baseline and of its control.
fn differences(there: &Source, here: &Source) -> Vec<String> {
    let mut found = Vec::new();
    let mut compare = |what: &str, there: &str, here: &str| {
        if there != here {
            found.push(format!("{what} `{there}` there, `{here}` here"));
        }
    };
    let commit = |source: &Source| source.origin.commit.clone().unwrap_or_default();
    compare("program at commit", &commit(there), &commit(here));
    compare("revision of the engine", &there.origin.engine_revision, &here.origin.engine_revision);
    compare("compiler", &there.origin.toolchain, &here.origin.toolchain);
    compare("machine", &there.origin.hardware, &here.origin.hardware);
    for (name, checksum) in &there.datasets {
        if let Some(now) = here.datasets.get(name).filter(|now| *now != checksum) {
            let warning = Warning::Dataset {
                name: name.clone(),
                baseline: Some(checksum.to_string()),
                candidate: Some(now.to_string()),
            };
            found.push(warning.to_string());
        }
    }
    found
}
