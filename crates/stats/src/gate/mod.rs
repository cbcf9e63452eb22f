//! The gate: has a candidate become worse than a baseline by more than is tolerated?
//!
//! Two claims are tested. "A loss of the tolerance is ruled out" makes a cell **ok**: each cell by
//! itself, since all cells ok is an intersection–union claim (Berger 1982,
//! <https://doi.org/10.1080/00401706.1982.10487790>). "There is a loss" makes a cell that is not ok
//! **regressed**: Holm's rule over the cells, at half of α, because the other half tests whether all
//! cells lost a little in common. Everything else is **inconclusive**.
//!
//! Values arrive turned so that more is better, one per repeat. Nothing here knows of files or
//! printing; invariants: a sample compared with itself is ok, and a wider tolerance never turns ok
//! into regressed.

use serde::Serialize;

use super::means::MeanDifference;
use super::multiple::step_down_levels;
use super::proportions::{fisher_more, most_lost};

mod common;
mod differences;
mod levels;
mod self_test;

pub use common::CommonRuling;
pub use differences::{CellDifference, cell_differences};
use levels::Levels;
pub use self_test::PlantedLoss;

/// What the gate says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum GateVerdict {
    /// A loss of the tolerance or more is ruled out, or the results are identical.
    Ok,
    /// Neither a loss nor its absence is shown.
    Inconclusive,
    /// A loss is shown, and a loss of the tolerance is not ruled out.
    Regressed,
}

/// Why a cell was not judged by its values alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum GateReason {
    /// Every value is the same to the bit, repeat by repeat.
    Identical,
    /// No gated cell has any spread: the difference alone decides.
    NoSpread,
    /// A side has fewer than two values.
    TooFew,
    /// The candidate lost more trials than chance explains.
    TooManyLost,
    /// The candidate lost all of its trials.
    AllLost,
}

/// Both sides of a cell, one value per repeat, more is better; `None` stands for a trial that was
/// lost (diverged, failed, ran out of time).
#[derive(Debug, Clone, PartialEq, Default)]
pub struct GateCell {
    /// The baseline's trials.
    pub baseline: Vec<Option<f64>>,
    /// The candidate's trials; of the same repeats in the same order where the gate is paired.
    pub candidate: Vec<Option<f64>>,
}

/// The gate.
#[derive(Debug, Clone, PartialEq)]
pub struct Gate {
    /// The loss that must be ruled out, δ.
    pub tolerance: f64,
    /// One-sided level of each claim.
    pub alpha: f64,
    /// Whether both sides hold exactly the same repeats (same seeds and splits, as planned) and there
    /// are [enough of them](super::pairs_are_enough): fixed by the design, never by the values.
    pub is_paired: bool,
    /// Values are multiples of this, for example 1 / test images; 0 if unknown. Variances below q²/12
    /// are luck.
    pub quantum: f64,
    /// The most trials a cell of the candidate may lose; by default what the baseline's own losses
    /// explain.
    pub lost_allowed: Option<usize>,
    /// Repeats of the candidate at every planned look, ascending; one entry for a single look.
    pub looks: Vec<usize>,
}

/// What the gate says of one cell. A positive difference is a loss.
#[derive(Debug, Clone, PartialEq)]
pub struct CellRuling {
    /// The verdict.
    pub verdict: GateVerdict,
    /// Why it did not come from the values alone.
    pub reason: Option<GateReason>,
    /// Baseline minus candidate; absent with fewer than two values on a side.
    pub loss: Option<MeanDifference>,
    /// One-sided level of "a loss of the tolerance is ruled out".
    pub ok_level: f64,
    /// One-sided level of "there is a loss", after Holm's rule.
    pub loss_level: f64,
    /// Whether a loss above zero is proven. A cell can be ok all the same: the loss is real and
    /// within the tolerance.
    pub is_loss_proven: bool,
    /// Whether a gain above zero is proven (Holm's rule over the cells).
    pub is_gain_proven: bool,
    /// Correlation of both sides over the repeats, where they are paired.
    pub correlation: Option<f64>,
    /// Standard deviation of one value, or of one difference where paired; as it was used.
    pub sd: Option<f64>,
    /// The look at which the verdict fell, from 0.
    pub look: usize,
    /// The most trials the candidate may have lost here.
    pub lost_allowed: usize,
}

/// What the gate says of a candidate.
#[derive(Debug, Clone, PartialEq)]
pub struct GateRuling {
    /// Regressed if a cell or all in common regressed, ok if every cell is ok.
    pub verdict: GateVerdict,
    /// Every cell, in order.
    pub cells: Vec<CellRuling>,
    /// All cells in common; absent for a single cell.
    pub common: Option<CommonRuling>,
}

impl Gate {
    /// Returns the gate of a single look.
    #[must_use]
    pub fn single(tolerance: f64, alpha: f64, is_paired: bool) -> Self {
        Self { tolerance, alpha, is_paired, quantum: 0.0, lost_allowed: None, looks: vec![1] }
    }

    /// Judges a candidate. `taken` holds its cells at every look so far, at least one; a verdict other
    /// than inconclusive ends the looks at its cell.
    ///
    /// ```
    /// use gridbench_stats::{Gate, GateCell, GateVerdict};
    /// let cell = |before: [f64; 3], now: [f64; 3]| GateCell {
    ///     baseline: before.map(Some).to_vec(),
    ///     candidate: now.map(Some).to_vec(),
    /// };
    /// let before = [0.991, 0.992, 0.990];
    /// let gate = Gate::single(0.005, 0.05, false);
    /// let verdict = |now| gate.judge(&[vec![cell(before, now)]]).verdict;
    /// assert_eq!(verdict([0.991, 0.990, 0.992]), GateVerdict::Ok);
    /// assert_eq!(verdict([0.981, 0.980, 0.982]), GateVerdict::Regressed);
    /// assert_eq!(verdict([0.987, 0.980, 0.994]), GateVerdict::Inconclusive);
    /// ```
    ///
    /// # Panics
    /// If no look was taken or more than planned, looks differ in their cells, a value is not finite,
    /// or the sides of a paired cell differ in their repeats.
    #[must_use]
    pub fn judge(&self, taken: &[Vec<GateCell>]) -> GateRuling {
        assert!((1..=self.looks.len()).contains(&taken.len()), "{} looks", taken.len());
        let levels = Levels::new(self);
        let mut cells: Vec<Option<CellRuling>> = vec![None; taken[0].len()];
        let mut common: Option<CommonRuling> = None;
        for (look, now) in taken.iter().enumerate() {
            assert_eq!(now.len(), cells.len(), "every look has the same cells");
            let evidence = self.weigh(now);
            self.rule(look, &evidence, &levels, &mut cells);
            let is_open = |found: &CommonRuling| found.verdict == GateVerdict::Inconclusive;
            if now.len() > 1 && common.as_ref().is_none_or(is_open) {
                common = self.rule_in_common(look, now, &levels);
            }
        }
        let cells: Vec<CellRuling> = cells.into_iter().flatten().collect();
        let worst = cells.iter().map(|cell| cell.verdict).max().unwrap_or(GateVerdict::Ok);
        let is_common =
            common.as_ref().is_some_and(|common| common.verdict == GateVerdict::Regressed);
        let verdict = if is_common { GateVerdict::Regressed } else { worst };
        GateRuling { verdict, cells, common }
    }

    /// Rules on every cell that no earlier look has decided.
    fn rule(
        &self,
        look: usize,
        evidence: &[Evidence],
        levels: &Levels<'_>,
        cells: &mut [Option<CellRuling>],
    ) {
        let decided: Vec<Option<GateVerdict>> = cells
            .iter()
            .map(|cell| Some(cell.as_ref()?.verdict).filter(|v| *v != GateVerdict::Inconclusive))
            .collect();
        // A rejected claim has left its family; a decided cell whose claim was never rejected stays in
        // it and is not tested again.
        let p_values: Vec<f64> = evidence
            .iter()
            .enumerate()
            .map(|(cell, own)| match decided[cell] {
                Some(GateVerdict::Regressed) => f64::NAN,
                Some(_) => 1.0,
                None => own.p_no_loss(),
            })
            .collect();
        let alpha = if evidence.len() > 1 { 0.5 * self.alpha } else { self.alpha };
        let step_down = |p_values: &[f64]| {
            step_down_levels(p_values, |cell, remaining| {
                levels.at(alpha / remaining as f64, evidence[cell].n_baseline, look)
            })
        };
        let loss_levels = step_down(&p_values);
        let gains: Vec<f64> = evidence.iter().map(Evidence::p_no_gain).collect();
        let gain_levels = step_down(&gains);
        for (cell, own) in evidence.iter().enumerate() {
            if decided[cell].is_some() {
                continue;
            }
            let ok_level = levels.at(self.alpha, own.n_baseline, look);
            let loss_level = loss_levels[cell];
            let is_loss_proven = own.p_no_loss() <= loss_level;
            let (verdict, reason) = self.verdict(own, ok_level, loss_level, is_loss_proven);
            cells[cell] = Some(CellRuling {
                verdict,
                reason,
                loss: own.loss,
                ok_level,
                loss_level,
                is_loss_proven: is_loss_proven && own.loss.is_some(),
                is_gain_proven: gains[cell] <= gain_levels[cell],
                correlation: own.correlation,
                sd: own.sd,
                look,
                lost_allowed: own.lost_allowed,
            });
        }
    }

    fn verdict(
        &self,
        own: &Evidence,
        ok_level: f64,
        loss_level: f64,
        is_loss_proven: bool,
    ) -> (GateVerdict, Option<GateReason>) {
        use GateVerdict::{Inconclusive, Ok, Regressed};
        let lost_proven = own.lost > own.lost_allowed && own.p_lost <= loss_level;
        if own.is_identical {
            return (Ok, Some(GateReason::Identical));
        }
        if own.n_candidate == 0 {
            let verdict = if lost_proven { Regressed } else { Inconclusive };
            return (verdict, Some(GateReason::AllLost));
        }
        let Some(loss) = &own.loss else {
            let reason = if lost_proven { GateReason::TooManyLost } else { GateReason::TooFew };
            return (if lost_proven { Regressed } else { Inconclusive }, Some(reason));
        };
        let reason = (loss.se == 0.0).then_some(GateReason::NoSpread);
        let ruled_out = if loss.se == 0.0 {
            // A loss of exactly the tolerance must not turn on the last bit of a decimal.
            loss.difference <= self.tolerance + own.slack
        } else {
            loss.p_at_least(self.tolerance) < ok_level
        };
        match (ruled_out, own.lost > own.lost_allowed) {
            (true, false) => (Ok, reason),
            (_, true) if lost_proven => (Regressed, Some(GateReason::TooManyLost)),
            (true, true) => (Inconclusive, Some(GateReason::TooManyLost)),
            (false, _) if loss.se == 0.0 || is_loss_proven => (Regressed, reason),
            (false, _) => (Inconclusive, reason),
        }
    }

    /// Weighs what every cell shows at one look.
    fn weigh(&self, cells: &[GateCell]) -> Vec<Evidence> {
        let losses = cell_differences(cells, self.is_paired, self.quantum);
        let (lost, all) = cells.iter().fold((0, 0), |(lost, all), cell| {
            (lost + count_lost(&cell.baseline), all + cell.baseline.len())
        });
        let share = if all > 0 { lost as f64 / all as f64 } else { 0.0 };
        let level = 0.05 / cells.len() as f64;
        cells
            .iter()
            .zip(losses)
            .map(|(cell, CellDifference { difference, correlation, sd })| {
                let (before, now) = (&cell.baseline, &cell.candidate);
                let lost = count_lost(now);
                let largest =
                    before.iter().chain(now).flatten().fold(0.0, |m: f64, v| m.max(v.abs()));
                Evidence {
                    loss: difference,
                    correlation,
                    sd,
                    slack: 1e-12 * largest,
                    is_identical: is_identical(before, now),
                    n_baseline: before.len() - count_lost(before),
                    n_candidate: now.len() - lost,
                    lost,
                    lost_allowed: self
                        .lost_allowed
                        .unwrap_or_else(|| most_lost(now.len(), share, level)),
                    p_lost: fisher_more(count_lost(before), before.len(), lost, now.len()),
                }
            })
            .collect()
    }
}

/// What one cell shows at one look.
struct Evidence {
    loss: Option<MeanDifference>,
    correlation: Option<f64>,
    sd: Option<f64>,
    slack: f64,
    is_identical: bool,
    n_baseline: usize,
    n_candidate: usize,
    lost: usize,
    lost_allowed: usize,
    /// Fisher's p of as many more lost trials, if both sides are equally prone.
    p_lost: f64,
}

impl Evidence {
    /// Returns p of "there is no loss": by the values or, where the candidate has none, by how many
    /// trials it lost. A cell that cannot be tested still counts.
    fn p_no_loss(&self) -> f64 {
        match &self.loss {
            Some(loss) => loss.p_at_most(0.0),
            None if self.n_candidate == 0 => self.p_lost,
            None => 1.0,
        }
    }

    fn p_no_gain(&self) -> f64 {
        self.loss.as_ref().map_or(1.0, |loss| loss.p_at_least(0.0))
    }
}

fn count_lost(side: &[Option<f64>]) -> usize {
    side.iter().filter(|value| value.is_none()).count()
}

/// Returns whether both sides hold the same values to the bit, and at least one.
fn is_identical(before: &[Option<f64>], now: &[Option<f64>]) -> bool {
    let bits = |side: &[Option<f64>]| -> Vec<Option<u64>> {
        side.iter().map(|value| value.map(f64::to_bits)).collect()
    };
    before.iter().any(Option::is_some) && bits(before) == bits(now)
}

#[cfg(test)]
mod tests;
