//! The cells of a candidate beside those of the baseline, and why they cannot be compared.

use std::collections::BTreeMap;

use super::baseline::{Baseline, BaselineError};
use super::sample::CellSample;
use crate::base::{Metric, MetricName};
use crate::experiment::CheckSettings;
use crate::experiment::value::Assignment;
use crate::results::repeats_in_words;

/// Says why no verdict can be given.
#[derive(Debug, thiserror::Error)]
pub enum CheckError {
    /// The baseline does not say which cells it holds.
    #[error(transparent)]
    Baseline(#[from] BaselineError),
    /// The tolerance is negative or not a number.
    #[error("the tolerance is {found}, expected 0 or more; set `check.tolerance`")]
    Tolerance {
        /// The tolerance.
        found: f64,
    },
    /// The level is no level.
    #[error("alpha is {found}, expected more than 0 and less than 0.5; set `check.alpha`")]
    Alpha {
        /// The level.
        found: f64,
    },
    /// The baseline holds no sample of the gated metric.
    #[error(
        "the baseline has no cell with `{metric}`, expected at least one; set `check.metric` or \
         write the baseline again with `bench baseline`"
    )]
    NothingGated {
        /// The gated metric.
        metric: MetricName,
    },
    /// Baseline and candidate mean different numbers by one name.
    #[error(
        "`{}` is in `{}` ({:?}) in the baseline and in `{}` ({:?}) in the candidate; write the \
         baseline again with `bench baseline`",
        baseline.name, baseline.unit, baseline.direction, candidate.unit, candidate.direction
    )]
    OtherMetric {
        /// As the baseline declares it.
        baseline: Box<Metric>,
        /// As the candidate declares it.
        candidate: Box<Metric>,
    },
    /// One side is of folds, the other of others or none.
    #[error(
        "the baseline is of {} and the candidate of {}, whose errors are not alike; run both with the same \
         `folds`, or write the baseline again with `bench baseline`",
        repeats_in_words(*baseline), repeats_in_words(*candidate)
    )]
    OtherFolds {
        /// Folds of the baseline.
        baseline: Option<u32>,
        /// Folds of the candidate.
        candidate: Option<u32>,
    },
    /// `check.cells` leaves no cell of the baseline.
    #[error(
        "`check.cells` leaves none of the {cells} cells of the baseline, expected at least one; \
         change it or write the baseline again with `bench baseline`"
    )]
    NoCellGated {
        /// Cells of the baseline.
        cells: usize,
    },
    /// The ratio of speeds is no ratio.
    #[error(
        "the smallest ratio of speeds is {found}, expected more than 0 and at most 1; set \
         `check.images-per-second`"
    )]
    Ratio {
        /// The ratio.
        found: f64,
    },
    /// Gated cells have no finished trial in the candidate.
    #[error(
        "{} of {gated} gated cells of the baseline {} no finished trial in the candidate",
        cells.len(),
        if cells.len() == 1 { "has" } else { "have" }
    )]
    MissingCells {
        /// Their names.
        cells: Vec<String>,
        /// How many cells are gated.
        gated: usize,
    },
    /// Times of different machines.
    #[error(
        "`{metric}` was measured on `{baseline}` in the baseline and on `{candidate}` in the candidate; \
         measure both on one machine"
    )]
    OtherMachine {
        /// The gated metric.
        metric: MetricName,
        /// Machine of the baseline.
        baseline: String,
        /// Machine of the candidate.
        candidate: String,
    },
    /// A value of the candidate is NaN or infinite.
    #[error("cell `{name}` has the value {value}, expected finite numbers; see `bench status`")]
    NotFinite {
        /// The cell.
        name: String,
        /// The value.
        value: f64,
    },
}

impl CheckError {
    /// Returns the way out where the message does not hold it.
    #[must_use]
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::MissingCells { .. } => Some(
                "run the experiment to its end; if the cells were dropped on purpose, gate the \
                 others with `cells` in `[check]` or write the baseline again with `bench baseline`",
            ),
            _ => None,
        }
    }
}

/// A gated cell and both its samples.
pub(super) struct Pair<'a> {
    pub(super) baseline: &'a CellSample,
    pub(super) candidate: &'a CellSample,
}

/// The gated cells of one metric at every look.
pub(super) struct Pairs<'a> {
    pub(super) gated: Vec<&'a CellSample>,
    /// `looks[look][cell]`.
    pub(super) looks: Vec<Vec<Pair<'a>>>,
    /// Names of the cells of the baseline that are not gated.
    pub(super) ungated: Vec<String>,
}

impl<'a> Pairs<'a> {
    pub(super) fn of(
        baseline: &'a Baseline,
        taken: &[&'a [CellSample]],
        metric: &MetricName,
        settings: &CheckSettings,
    ) -> Result<Self, CheckError> {
        let measured: Vec<&CellSample> =
            baseline.cells().iter().filter(|cell| cell.metric.name == *metric).collect();
        if measured.is_empty() {
            return Err(CheckError::NothingGated { metric: metric.clone() });
        }
        let (gated, left): (Vec<&CellSample>, Vec<&CellSample>) =
            measured.iter().partition(|cell| settings.gates(&cell.assignment));
        if gated.is_empty() {
            return Err(CheckError::NoCellGated { cells: measured.len() });
        }
        let looks =
            taken.iter().map(|cells| pair(&gated, cells, metric)).collect::<Result<_, _>>()?;
        let ungated = left.into_iter().map(|cell| cell.name.clone()).collect();
        Ok(Self { gated, looks, ungated })
    }
}

fn pair<'a>(
    gated: &[&'a CellSample],
    candidate: &'a [CellSample],
    metric: &MetricName,
) -> Result<Vec<Pair<'a>>, CheckError> {
    let measured: BTreeMap<&Assignment, &CellSample> = candidate
        .iter()
        .filter(|cell| cell.metric.name == *metric)
        .filter(|cell| !cell.values.is_empty() || cell.lost > 0)
        .map(|cell| (&cell.assignment, cell))
        .collect();
    let mut pairs = Vec::with_capacity(gated.len());
    let mut missing = Vec::new();
    for cell in gated {
        let Some(&now) = measured.get(&cell.assignment) else {
            missing.push(cell.name.clone());
            continue;
        };
        if !cell.metric.agrees_with(&now.metric) {
            return Err(CheckError::OtherMetric {
                baseline: Box::new(cell.metric.clone()),
                candidate: Box::new(now.metric.clone()),
            });
        }
        if let Some(&value) = now.values.iter().find(|value| !value.is_finite()) {
            return Err(CheckError::NotFinite { name: now.name.clone(), value });
        }
        pairs.push(Pair { baseline: cell, candidate: now });
    }
    if !missing.is_empty() {
        return Err(CheckError::MissingCells { cells: missing, gated: gated.len() });
    }
    Ok(pairs)
}

/// The gate of the experiment's own metric.
pub(super) struct Gate {
    pub(super) metric: Metric,
    /// The tolerance in the unit of the values; of their logarithms where they are compared as ratios.
    pub(super) margin: f64,
    /// Whether values are compared as ratios, which times of processes are.
    pub(super) is_relative: bool,
    pub(super) alpha: f64,
    /// The most trials a cell may lose, where the experiment says so.
    pub(super) lost_allowed: Option<usize>,
}

impl Gate {
    pub(super) fn new(metric: &Metric, settings: &CheckSettings) -> Result<Self, CheckError> {
        let &CheckSettings { tolerance, alpha, .. } = settings;
        if !(tolerance >= 0.0 && tolerance.is_finite()) {
            return Err(CheckError::Tolerance { found: tolerance });
        }
        if !(0.0 < alpha && alpha < 0.5) {
            return Err(CheckError::Alpha { found: alpha });
        }
        let is_relative = MetricName::PROCESS_TIMES.contains(&metric.name);
        let margin = if is_relative {
            (tolerance / 100.0).ln_1p()
        } else {
            tolerance / metric.unit.factor()
        };
        let lost_allowed = settings.lost_trials.map(|lost| lost as usize);
        Ok(Self { metric: metric.clone(), margin, is_relative, alpha, lost_allowed })
    }
}
