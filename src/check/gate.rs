//! A candidate against a baseline: which cells are gated, on what, and what the rule says of them.

use super::baseline::Baseline;
use super::looks::Looks;
use super::pairs::{CheckError, Gate, Pair, Pairs};
use super::rule::{Judge, same_repeats};
use super::sample::{CellSample, Source};
use super::speed;
use super::verdict::{CellVerdict, CheckReport, ClaimReport, ClaimVerdict, Verdict};
use super::warning::warnings;
use crate::base::{Direction, MetricName};
use crate::experiment::CheckSettings;
use gridbench_stats::{
    MeanDifference, Moments, PlantedLoss, Variance, holm_levels, moderate, ratio_of_folds,
    resampled_se,
};

/// Holds the cells of a candidate against a baseline.
///
/// [`gridbench_stats::Gate`] is the rule: **ok** where a loss of the tolerance or more is ruled out at
/// α, each cell by itself, or every result is the same to the bit; **regressed** where it is not and a
/// loss is proven, in a cell (Holm's rule over the cells at α/2) or in the mean of all cells (means per
/// repeat, at the other α/2); else **inconclusive**. Variances are moderated over the gated cells.
///
/// Repeats pair where both sides hold exactly the same ones, of the same master seed, splits and
/// datasets, and there are enough of them: a rule of the design, fixed before any value is seen.
///
/// A single trial on a side is inconclusive, and so is a cell that would be ok but lost more trials to
/// divergence, failure or time than the baseline's own losses explain (`check.lost-trials`).
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
    let (known, here) = (&baseline.source().origin.hardware, &candidate_source.origin.hardware);
    if MetricName::PROCESS_TIMES.contains(&gate.metric.name) && known != here {
        let (metric, baseline, candidate) = (gate.metric.name, known.clone(), here.clone());
        return Err(CheckError::OtherMachine { metric, baseline, candidate });
    }
    let folds = same_folds(baseline.source(), candidate_source)?;
    let planned = if looks.count > 1 { Some(looks) } else { None };
    let is_paired = !gate.metric.unit.is_cost()
        && same_repeats(baseline.source(), candidate_source, &paired, planned);
    let judge = Judge { gate: &gate, is_paired, looks, folds };
    let ruling = judge.ruling(&paired);
    let cells: Vec<CellVerdict> = ruling
        .cells
        .iter()
        .enumerate()
        .map(|(cell, ruling)| judge.verdict(&paired[ruling.look][cell], ruling))
        .collect();
    let common = ruling.common.as_ref().map(|common| judge.common(common, cells.len()));
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
    let claim = settings.at_least.map(|value| claim(&gate, folds, value, &paired[taken.len() - 1]));
    let worst = claim.iter().map(|claim| claim.verdict).fold(ruling.verdict.into(), Verdict::max);
    Ok(CheckReport {
        verdict: speed.as_ref().map_or(worst, |speed| worst.max(speed.verdict)),
        metric: gate.metric.clone(),
        tolerance: settings.tolerance,
        is_relative: gate.is_relative,
        alpha: gate.alpha,
        is_paired,
        cells,
        common,
        claim,
        self_test: None,
        looks_taken: taken.len(),
        looks_planned: looks.count,
        new_cells,
        ungated_cells: ungated,
        control: None,
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

/// Plants losses of δ and 2δ into numbers with the spread of these samples and returns how often this
/// gate notices, in `rounds` simulated checks each.
///
/// # Errors
/// As [`check`].
pub fn self_test(
    baseline: &Baseline,
    candidate: &[CellSample],
    candidate_source: &Source,
    settings: &CheckSettings,
    rounds: usize,
) -> Result<Vec<PlantedLoss>, CheckError> {
    let baseline = &*baseline.typed_like(candidate)?;
    let Pairs { gated, looks: pairs, .. } =
        Pairs::of(baseline, &[candidate], &settings.metric, settings)?;
    let gate = Gate::new(&gated[0].metric, settings)?;
    let folds = same_folds(baseline.source(), candidate_source)?;
    let is_paired = !gate.metric.unit.is_cost()
        && same_repeats(baseline.source(), candidate_source, &pairs, None);
    let judge = Judge { gate: &gate, is_paired, looks: Looks::single(), folds };
    Ok(judge.self_test(&pairs[0], rounds))
}

/// Returns the folds of both sides, which have to be the same: a mean of folds has another error than one
/// of independent repeats.
fn same_folds(baseline: &Source, candidate: &Source) -> Result<Option<u32>, CheckError> {
    let (baseline, candidate) = (baseline.folds, candidate.folds);
    if baseline == candidate {
        Ok(candidate)
    } else {
        Err(CheckError::OtherFolds { baseline, candidate })
    }
}

/// Tests for every gated cell whether its mean reaches `value`, one-sided at α.
fn claim(gate: &Gate, folds: Option<u32>, value: f64, pairs: &[Pair<'_>]) -> ClaimReport {
    let turn = match gate.metric.direction {
        Direction::Maximize => 1.0,
        Direction::Minimize => -1.0,
    };
    let unknown = Variance { variance: 0.0, degrees_of_freedom: 0.0 };
    let own: Vec<Variance> =
        pairs.iter().map(|pair| Variance::of(&pair.candidate.values).unwrap_or(unknown)).collect();
    let tests: Vec<Option<MeanDifference>> = pairs
        .iter()
        .zip(moderate(&own, 0.0))
        .map(|(pair, variance)| {
            let moments = Moments::of(&pair.candidate.values).filter(|moments| moments.n > 1)?;
            let shared = folds.map_or(0.0, ratio_of_folds);
            let se = resampled_se(variance.variance.sqrt(), moments.n, shared);
            let lead = turn * (moments.mean - value);
            (variance.degrees_of_freedom > 0.0)
                .then(|| MeanDifference::new(lead, se, variance.degrees_of_freedom))
        })
        .collect();
    let below: Vec<f64> =
        tests.iter().map(|test| test.map_or(f64::NAN, |test| test.p_at_least(0.0))).collect();
    let levels = holm_levels(&below, gate.alpha);
    let cells: Vec<ClaimVerdict> = pairs
        .iter()
        .zip(&tests)
        .zip(below.iter().zip(&levels))
        .map(|((pair, test), (below, level))| ClaimVerdict {
            name: pair.baseline.name.clone(),
            verdict: match test {
                Some(test) if test.p_at_most(0.0) <= gate.alpha => Verdict::Ok,
                Some(_) if below <= level => Verdict::Regressed,
                _ => Verdict::Inconclusive,
            },
            n: pair.candidate.values.len(),
            mean: Moments::of(&pair.candidate.values).map(|moments| moments.mean),
            p: test.map(|test| test.p_at_most(0.0)),
        })
        .collect();
    let verdict = cells.iter().map(|cell| cell.verdict).max().unwrap_or(Verdict::Inconclusive);
    ClaimReport { verdict, value, cells }
}

#[cfg(test)]
mod tests;
