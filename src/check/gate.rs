//! The rule: ok, regressed or inconclusive, cell by cell.

use std::collections::BTreeMap;

use super::baseline::{Baseline, CellSample, Origin};
use super::verdict::{CellVerdict, CheckReport, Note, Verdict};
use super::warning::warnings;
use crate::base::{Direction, Metric, Unit};
use crate::spec::experiment::CheckSettings;
use crate::stats::{MeanDifference, Moments, Sides, holm_levels, pooled_sd, repeats_for, welch};

/// The chance that the repeats advised for an inconclusive cell settle it.
const SETTLING_POWER: f64 = 0.8;

/// Says why no verdict can be given.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum CheckError {
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
        metric: Metric,
    },
    /// Gated cells have no completed trial in the candidate.
    #[error(
        "{} of {gated} gated cells have no completed trial in the candidate: {}; run the \
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
/// A single trial on a side is inconclusive, and so is a cell that would be ok but lost a larger
/// share of its trials to divergence, failure or time than the baseline did.
///
/// # Errors
/// If the settings are no tolerance and level, the baseline has nothing to gate, a gated cell has
/// no completed trial in the candidate, or a value is not finite.
///
/// # Panics
/// Never: without a gated cell there is an error.
pub fn check(
    baseline: &Baseline,
    candidate: &[CellSample],
    candidate_origin: &Origin,
    settings: &CheckSettings,
) -> Result<CheckReport, CheckError> {
    let gate = Gate::new(settings)?;
    let gated: Vec<&CellSample> =
        baseline.cells().iter().filter(|cell| cell.metric == gate.metric).collect();
    if gated.is_empty() {
        return Err(CheckError::NothingGated { metric: gate.metric });
    }
    let measured: BTreeMap<&BTreeMap<String, String>, &CellSample> = candidate
        .iter()
        .filter(|cell| cell.metric == gate.metric && !cell.values.is_empty())
        .map(|cell| (&cell.assignment, cell))
        .collect();
    let pairs = pair(&gated, &measured)?;
    let new_cells = candidate
        .iter()
        .filter(|cell| cell.metric == gate.metric)
        .filter(|cell| gated.iter().all(|known| known.assignment != cell.assignment))
        .map(|cell| cell.name.clone())
        .collect();
    let cells = gate.judge(&pairs);
    Ok(CheckReport {
        verdict: cells.iter().map(|cell| cell.verdict).max().expect("a cell is gated"),
        metric: gate.metric,
        tolerance: settings.tolerance,
        alpha: gate.alpha,
        cells,
        new_cells,
        warnings: warnings(baseline.origin(), candidate_origin, gate.metric),
        baseline: baseline.origin().clone(),
        candidate: candidate_origin.clone(),
    })
}

/// A gated cell and both its samples.
struct Pair<'a> {
    baseline: &'a CellSample,
    candidate: &'a CellSample,
    before: Moments,
    now: Moments,
}

impl Pair<'_> {
    /// Returns whether a larger share of the candidate's trials has no value.
    fn lost_more(&self) -> bool {
        let (before, now) = (self.baseline.not_completed, self.candidate.not_completed);
        now * (before + self.before.n) > before * (now + self.now.n)
    }
}

fn pair<'a>(
    gated: &[&'a CellSample],
    measured: &BTreeMap<&BTreeMap<String, String>, &'a CellSample>,
) -> Result<Vec<Pair<'a>>, CheckError> {
    let missing: Vec<String> = gated
        .iter()
        .filter(|cell| !measured.contains_key(&cell.assignment))
        .map(|cell| cell.name.clone())
        .collect();
    if !missing.is_empty() {
        return Err(CheckError::MissingCells { cells: missing, gated: gated.len() });
    }
    gated
        .iter()
        .map(|&baseline| {
            let candidate = measured[&baseline.assignment];
            Ok(Pair { baseline, candidate, before: moments(baseline)?, now: moments(candidate)? })
        })
        .collect()
}

fn moments(cell: &CellSample) -> Result<Moments, CheckError> {
    Moments::of(&cell.values).ok_or_else(|| CheckError::NotFinite {
        name: cell.name.clone(),
        value: cell.values.iter().copied().find(|value| !value.is_finite()).unwrap_or(f64::NAN),
    })
}

/// The settings, checked and turned into the unit of the metric.
struct Gate {
    metric: Metric,
    margin: f64,
    alpha: f64,
}

impl Gate {
    fn new(settings: &CheckSettings) -> Result<Self, CheckError> {
        let &CheckSettings { metric, tolerance, alpha } = settings;
        if !(tolerance >= 0.0 && tolerance.is_finite()) {
            return Err(CheckError::Tolerance { found: tolerance });
        }
        if !(0.0 < alpha && alpha < 0.5) {
            return Err(CheckError::Alpha { found: alpha });
        }
        let points = metric.unit() == Unit::Fraction;
        let margin = if points { tolerance / 100.0 } else { tolerance };
        Ok(Self { metric, margin, alpha })
    }

    fn judge(&self, pairs: &[Pair<'_>]) -> Vec<CellVerdict> {
        let gains: Vec<Option<MeanDifference>> = pairs.iter().map(|pair| self.gain(pair)).collect();
        let levels = |p: &dyn Fn(&MeanDifference) -> f64| {
            // A cell that cannot be tested still counts: its p is 1.
            let p_values: Vec<f64> =
                gains.iter().map(|gain| gain.as_ref().map_or(1.0, p)).collect();
            holm_levels(&p_values, self.alpha)
        };
        let low_levels = levels(&|gain| gain.p_at_most(-self.margin));
        let high_levels = levels(&|gain| gain.p_at_least(0.0));
        pairs
            .iter()
            .zip(&gains)
            .zip(low_levels.into_iter().zip(high_levels))
            .map(|((pair, gain), levels)| self.verdict(pair, gain.as_ref(), levels))
            .collect()
    }

    /// Returns candidate − baseline, turned so that more is better.
    fn gain(&self, pair: &Pair<'_>) -> Option<MeanDifference> {
        let (before, now) = (&pair.baseline.values, &pair.candidate.values);
        match self.metric.direction() {
            Direction::Maximize => welch(now, before),
            Direction::Minimize => welch(before, now),
        }
    }

    fn verdict(
        &self,
        pair: &Pair<'_>,
        gain: Option<&MeanDifference>,
        levels: (f64, f64),
    ) -> CellVerdict {
        let difference = pair.now.mean - pair.before.mean;
        let as_measured = |(low, high): (f64, f64)| match self.metric.direction() {
            Direction::Maximize => (low, high),
            Direction::Minimize => (-high, -low),
        };
        let turned = |(low, high): (f64, f64)| match self.metric.direction() {
            Direction::Maximize => (low, high),
            Direction::Minimize => (high, low),
        };
        let bounds = gain.map(|gain| (gain.lower_bound(levels.0), gain.upper_bound(levels.1)));
        let (verdict, note) = match (gain, bounds) {
            (Some(gain), _) if gain.se == 0.0 => {
                (self.without_spread(pair, gain.difference), Some(Note::NoSpread))
            }
            (Some(gain), Some(bounds)) => (self.rule(gain.difference, bounds), None),
            _ => (Verdict::Inconclusive, Some(Note::SingleTrial)),
        };
        let more_lost = verdict == Verdict::Ok && pair.lost_more();
        let (verdict, note) =
            if more_lost { (Verdict::Inconclusive, Some(Note::MoreLost)) } else { (verdict, note) };
        let repeats_to_settle = (verdict == Verdict::Inconclusive && !more_lost)
            .then(|| self.repeats_to_settle(pair, levels))
            .flatten();
        CellVerdict {
            name: pair.baseline.name.clone(),
            assignment: pair.baseline.assignment.clone(),
            verdict,
            n_baseline: pair.before.n,
            n_candidate: pair.now.n,
            lost_baseline: pair.baseline.not_completed,
            lost_candidate: pair.candidate.not_completed,
            mean_baseline: pair.before.mean,
            mean_candidate: pair.now.mean,
            difference,
            interval95: gain.map(|gain| as_measured(gain.interval(0.95))),
            bounds: bounds.map(as_measured),
            levels: gain.map(|_| turned(levels)),
            repeats_to_settle,
            note,
        }
    }

    fn rule(&self, gain: f64, (low, high): (f64, f64)) -> Verdict {
        if low > -self.margin {
            Verdict::Ok
        } else if high < -self.margin || (high < 0.0 && gain.abs() > 0.5 * self.margin) {
            Verdict::Regressed
        } else {
            Verdict::Inconclusive
        }
    }

    fn without_spread(&self, pair: &Pair<'_>, gain: f64) -> Verdict {
        // A loss of exactly the tolerance must not turn on the last bit of a decimal.
        let slack = 1e-12 * pair.before.mean.abs().max(pair.now.mean.abs());
        if gain >= -self.margin - slack { Verdict::Ok } else { Verdict::Regressed }
    }

    /// Whatever the gain, one of the two claims lies at least δ/2 away: "no loss of δ" if the loss
    /// is under half of it, "a loss" otherwise. Planned for the nearer of them at its own level.
    fn repeats_to_settle(&self, pair: &Pair<'_>, levels: (f64, f64)) -> Option<usize> {
        let gain = match self.metric.direction() {
            Direction::Maximize => pair.now.mean - pair.before.mean,
            Direction::Minimize => pair.before.mean - pair.now.mean,
        };
        let (sd, _) = pooled_sd(&[&pair.baseline.values, &pair.candidate.values])?;
        let (distance, level) = if gain >= -0.5 * self.margin {
            (gain + self.margin, levels.0)
        } else {
            (-gain, levels.1)
        };
        let repeats = repeats_for(sd, distance, level, SETTLING_POWER, Sides::One)?;
        Some(repeats.max(pair.before.n.min(pair.now.n) + 1))
    }
}

#[cfg(test)]
mod tests;
