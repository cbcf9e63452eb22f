//! A candidate against a baseline: which cells are gated, on what, and what the rule says of them.

use std::collections::BTreeMap;

use super::baseline::{Baseline, BaselineError};
use super::looks::Looks;
use super::rule::{Contest, Family, Lost, Ruling};
use super::sample::{CellSample, Source};
use super::speed;
use super::verdict::{CellVerdict, CheckReport};
use super::warning::warnings;
use crate::base::{Direction, Metric, MetricName};
use crate::spec::experiment::CheckSettings;
use crate::spec::value::Assignment;
use gridbench_stats::Moments;

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
        "{} of {gated} gated cells have no finished trial in the candidate: {}; run the \
         experiment to its end, or write the baseline again if they were dropped on purpose",
        cells.len(),
        cells.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
    )]
    MissingCells {
        /// Their names.
        cells: Vec<String>,
        /// How many cells are gated.
        gated: usize,
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

/// Holds the cells of a candidate against a baseline.
///
/// With δ the tolerance and d = candidate − baseline, turned so that more is better, and L and U
/// Welch bounds of d: **ok** if L > −δ; **regressed** if U < −δ, or U < 0 and |d| > δ/2; else
/// **inconclusive**. (U < −δ implies the other condition: a loss is called a regression when it is
/// real *and* at least half the tolerance.)
///
/// Both claims are held to `alpha` over all gated cells by Holm's step-down rule, each in its own
/// family: "a loss of δ is ruled out" (d ≤ −δ is rejected) and "there is a loss" (d ≥ 0 is
/// rejected). The cell with the smallest p is judged at α/m, the next at α/(m−1), and so on to the
/// first that is not rejected, whose level all others share. L and U are the one-sided bounds at
/// those levels, so that reading a bound against −δ or 0 *is* Holm's decision. They are not
/// simultaneous intervals for other values. U does not depend on δ, and a loss that Holm's rule
/// rules out at one δ it rules out at every wider one, so a wider tolerance never turns ok into
/// regressed.
///
/// Where neither side has any spread the difference alone decides, and a loss of exactly δ is ok.
/// A single trial on a side is inconclusive, and so is a cell that would be ok but lost more of its
/// trials to divergence, failure or time than the baseline did, beyond chance (Fisher's exact test at
/// the level of the second claim). Where the candidate lost all of them, that test takes the place
/// of Welch's in the second claim.
///
/// Training speed, where it is gated, is a family of its own: the same rule on the logarithms of
/// images per second, with −ln(smallest ratio) as δ.
///
/// # Errors
/// If the settings are no tolerance and level, the baseline has nothing to gate, a gated cell has
/// no finished trial in the candidate, or a value is not finite.
pub fn check(
    baseline: &Baseline,
    candidate: &[CellSample],
    candidate_source: &Source,
    settings: &CheckSettings,
) -> Result<CheckReport, CheckError> {
    check_looks(baseline, &[candidate], Looks::single(), candidate_source, settings)
}

/// As [`check`], for a candidate that was looked at several times while it grew: `taken` holds its
/// cells at each look so far. The level of every test is spent over all of `looks` by O'Brien and
/// Fleming's bounds, so that looking again costs no false alarms.
///
/// # Errors
/// As [`check`].
///
/// # Panics
/// If no look was taken, or more than are planned.
pub fn check_looks(
    baseline: &Baseline,
    taken: &[&[CellSample]],
    looks: Looks,
    candidate_source: &Source,
    settings: &CheckSettings,
) -> Result<CheckReport, CheckError> {
    assert!((1..=looks.count).contains(&taken.len()), "{} of {} looks", taken.len(), looks.count);
    let last = *taken.last().expect("a look was taken");
    let baseline = &*baseline.typed_like(last)?;
    let Pairs { gated, looks: paired, ungated } =
        Pairs::of(baseline, taken, &settings.metric, settings)?;
    let gate = Gate::new(&gated[0].metric, settings)?;
    let contests: Vec<Vec<Contest>> =
        paired.iter().map(|pairs| pairs.iter().map(|pair| gate.contest(pair)).collect()).collect();
    let family = Family { margin: gate.margin, alpha: gate.alpha, looks };
    let rulings = family.rule(&contests);
    let cells: Vec<CellVerdict> = rulings
        .into_iter()
        .enumerate()
        .map(|(cell, ruling)| gate.verdict(&paired[ruling.look][cell], &ruling))
        .collect();
    let speed = settings
        .images_per_second
        .map(|ratio| speed::gate(baseline, taken, looks, candidate_source, settings, ratio))
        .transpose()?;
    let new_cells = last
        .iter()
        .filter(|cell| cell.metric.name == settings.metric && settings.gates(&cell.assignment))
        .filter(|cell| gated.iter().all(|known| known.assignment != cell.assignment))
        .map(|cell| cell.name.clone())
        .collect();
    let worst = cells.iter().map(|cell| cell.verdict).max().expect("a cell is gated");
    Ok(CheckReport {
        verdict: speed.as_ref().map_or(worst, |speed| worst.max(speed.verdict)),
        metric: gate.metric.clone(),
        tolerance: settings.tolerance,
        alpha: gate.alpha,
        cells,
        looks_taken: taken.len(),
        looks_planned: looks.count,
        new_cells,
        ungated_cells: ungated,
        warnings: warnings(
            baseline.source(),
            candidate_source,
            gate.metric.unit.is_cost() || speed.is_some(),
        ),
        speed,
        baseline: baseline.source().clone(),
        candidate: candidate_source.clone(),
    })
}

/// A gated cell and both its samples.
pub(super) struct Pair<'a> {
    pub(super) baseline: &'a CellSample,
    pub(super) candidate: &'a CellSample,
}

impl Pair<'_> {
    fn lost(&self) -> Lost {
        let of = |cell: &CellSample| (cell.lost, cell.lost + cell.values.len());
        Lost::of(of(self.baseline), of(self.candidate))
    }
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
struct Gate {
    metric: Metric,
    /// The tolerance in the unit of the values.
    margin: f64,
    alpha: f64,
}

impl Gate {
    fn new(metric: &Metric, settings: &CheckSettings) -> Result<Self, CheckError> {
        let &CheckSettings { tolerance, alpha, .. } = settings;
        if !(tolerance >= 0.0 && tolerance.is_finite()) {
            return Err(CheckError::Tolerance { found: tolerance });
        }
        if !(0.0 < alpha && alpha < 0.5) {
            return Err(CheckError::Alpha { found: alpha });
        }
        let margin = tolerance / metric.unit.factor();
        Ok(Self { metric: metric.clone(), margin, alpha })
    }

    fn contest(&self, pair: &Pair<'_>) -> Contest {
        let turned = |values: &[f64]| -> Vec<f64> {
            match self.metric.direction {
                Direction::Maximize => values.to_vec(),
                Direction::Minimize => values.iter().map(|value| -value).collect(),
            }
        };
        Contest::of(&turned(&pair.baseline.values), &turned(&pair.candidate.values), pair.lost())
            .expect("paired samples have finite values")
    }

    fn verdict(&self, pair: &Pair<'_>, ruling: &Ruling) -> CellVerdict {
        let mean = |cell: &CellSample| Moments::of(&cell.values).map(|moments| moments.mean);
        let before = mean(pair.baseline).expect("a baseline has finite values");
        let now = mean(pair.candidate);
        let turn = |(low, high): (f64, f64)| match self.metric.direction {
            Direction::Maximize => (low, high),
            Direction::Minimize => (-high, -low),
        };
        let swap = |(low, high): (f64, f64)| match self.metric.direction {
            Direction::Maximize => (low, high),
            Direction::Minimize => (high, low),
        };
        CellVerdict {
            name: pair.baseline.name.clone(),
            assignment: pair.baseline.assignment.clone(),
            verdict: ruling.verdict,
            n_baseline: pair.baseline.values.len(),
            n_candidate: pair.candidate.values.len(),
            lost_baseline: pair.baseline.lost,
            lost_candidate: pair.candidate.lost,
            mean_baseline: before,
            mean_candidate: now,
            difference: now.map(|now| now - before),
            interval95: ruling.interval95.map(turn),
            bounds: ruling.bounds.map(turn),
            levels: ruling.bounds.map(|_| swap(ruling.levels)),
            repeats_to_settle: ruling.repeats_to_settle,
            note: ruling.note,
            look: ruling.look + 1,
        }
    }
}

#[cfg(test)]
mod simulated_tests;
#[cfg(test)]
mod tests;
