//! The rule of three verdicts over the gated cells: from samples to what [`gridbench_stats::Gate`]
//! weighs, and back.

use super::looks::Looks;
use super::pairs::{Gate, Pair};
use super::sample::{CellSample, Source};
use super::verdict::{CellVerdict, CommonVerdict, Note, Verdict};
use crate::base::{Direction, MetricName};
use gridbench_stats::{
    self as stats, CellRuling, CommonRuling, GateCell, GateReason, GateRuling, GateVerdict,
    MeanDifference, Moments, PlantedLoss, RESAMPLE_SEED, Sides, pairs_are_enough, repeats_for,
    repeats_for_pairs,
};

/// The chance that the repeats advised for an inconclusive cell settle it.
const SETTLING_POWER: f64 = 0.8;

impl From<GateVerdict> for Verdict {
    fn from(verdict: GateVerdict) -> Self {
        match verdict {
            GateVerdict::Ok => Self::Ok,
            GateVerdict::Inconclusive => Self::Inconclusive,
            GateVerdict::Regressed => Self::Regressed,
        }
    }
}

/// Returns whether both sides hold exactly the same repeats, by design: the same master seed, splits
/// and datasets, equally many repeats in every cell (of the last look, where more are planned), and
/// enough of them, which folds always are: they are the same images on both sides.
pub(super) fn same_repeats(
    baseline: &Source,
    candidate: &Source,
    looks: &[Vec<Pair<'_>>],
    planned: Option<Looks>,
) -> bool {
    let same_seeds = baseline.seed == candidate.seed
        && baseline.split_seed.is_some()
        && baseline.split_seed == candidate.split_seed
        && baseline.datasets == candidate.datasets;
    let last = &looks[looks.len() - 1];
    let asked = |cell: &CellSample| match planned {
        Some(looks) => looks.repeats(looks.count - 1) as usize,
        None => cell.values.len() + cell.lost,
    };
    let all = |cell: &CellSample| cell.values.len() + cell.lost;
    let fewest = last.iter().map(|pair| all(pair.baseline)).min().unwrap_or(0);
    let pairs = last.iter().all(|pair| {
        repeats_from_0(pair.baseline).is_some()
            && repeats_from_0(pair.candidate).is_some()
            && all(pair.baseline) == asked(pair.candidate)
    });
    let are_folds = baseline.folds.is_some() && baseline.folds == candidate.folds;
    same_seeds && pairs && pairs_are_enough(last.len(), fewest, are_folds)
}

/// Returns the index of the repeat of every value, where the repeats are those from 0 on without any
/// left out but lost ones.
fn repeats_from_0(cell: &CellSample) -> Option<&[u32]> {
    let all = cell.values.len() + cell.lost;
    let repeats = cell.repeats.as_deref()?;
    repeats.iter().all(|&repeat| (repeat as usize) < all).then_some(repeats)
}

/// The rule over the gated cells of one metric.
pub(super) struct Judge<'a> {
    pub(super) gate: &'a Gate,
    pub(super) is_paired: bool,
    pub(super) looks: Looks,
    /// Folds of cross-validation, of which a repeat is one, on both sides.
    pub(super) folds: Option<u32>,
}

impl Judge<'_> {
    /// Judges all cells at every look taken.
    pub(super) fn ruling(&self, looks: &[Vec<Pair<'_>>]) -> GateRuling {
        let taken: Vec<Vec<GateCell>> =
            looks.iter().map(|pairs| pairs.iter().map(|pair| self.cell(pair)).collect()).collect();
        self.rule(&looks[looks.len() - 1]).judge(&taken)
    }

    /// Plants losses into numbers like these and returns how often the rule notices.
    pub(super) fn self_test(&self, pairs: &[Pair<'_>], rounds: usize) -> Vec<PlantedLoss> {
        let cells: Vec<GateCell> = pairs.iter().map(|pair| self.cell(pair)).collect();
        self.rule(pairs).self_test(&cells, rounds, RESAMPLE_SEED)
    }

    fn rule(&self, pairs: &[Pair<'_>]) -> stats::Gate {
        let looks_planned = match self.looks.count {
            1 => vec![1],
            count => (0..count).map(|look| self.looks.repeats(look) as usize).collect(),
        };
        stats::Gate {
            tolerance: self.gate.margin,
            alpha: self.gate.alpha,
            is_paired: self.is_paired,
            quantum: self.quantum(pairs),
            lost_allowed: self.gate.lost_allowed,
            looks: looks_planned,
        }
    }

    /// Returns the values of the baseline that the candidate is held against, and how many are lost among
    /// them: repeat by repeat, those of the same repeats.
    fn compared(&self, pair: &Pair<'_>) -> (Vec<f64>, usize) {
        let (values, lost) = (&pair.baseline.values, pair.baseline.lost);
        let repeats = pair.candidate.values.len() + pair.candidate.lost;
        let known = repeats_from_0(pair.baseline)
            .filter(|_| self.is_paired && repeats < values.len() + lost);
        let Some(indices) = known else { return (values.clone(), lost) };
        let is_in = |index: &u32| (*index as usize) < repeats;
        let compared: Vec<f64> = values
            .iter()
            .zip(indices)
            .filter(|(_, index)| is_in(index))
            .map(|(value, _)| *value)
            .collect();
        let lost = repeats - compared.len();
        (compared, lost)
    }

    fn cell(&self, pair: &Pair<'_>) -> GateCell {
        let candidate = self.side(pair.candidate);
        let mut baseline = self.side(pair.baseline);
        if self.is_paired {
            baseline.truncate(candidate.len());
        }
        GateCell { baseline, candidate }
    }

    /// Returns the values of a side, turned so that more is better, in the order of the repeats where
    /// that is known.
    fn side(&self, cell: &CellSample) -> Vec<Option<f64>> {
        let turned = |value: f64| match self.gate.metric.direction {
            Direction::Maximize => self.scaled(value),
            Direction::Minimize => -self.scaled(value),
        };
        let mut side = vec![None; cell.values.len() + cell.lost];
        for (at, &value) in cell.values.iter().enumerate() {
            let index = repeats_from_0(cell).map_or(at, |repeats| repeats[at] as usize);
            side[index] = Some(turned(value));
        }
        stats::for_tests(side, self.folds)
    }

    /// Returns what fractions are multiples of, as far as the values show: the smallest step between
    /// two of them. Other metrics have no such step.
    fn quantum(&self, pairs: &[Pair<'_>]) -> f64 {
        if !self.gate.metric.counts_images {
            return 0.0;
        }
        let mut values: Vec<f64> = pairs
            .iter()
            .flat_map(|pair| pair.baseline.values.iter().chain(&pair.candidate.values))
            .copied()
            .collect();
        values.sort_unstable_by(f64::total_cmp);
        let steps = values.windows(2).map(|pair| pair[1] - pair[0]).filter(|step| *step > 1e-12);
        steps.reduce(f64::min).unwrap_or(0.0)
    }

    /// Returns a value as it is compared.
    fn scaled(&self, value: f64) -> f64 {
        if self.gate.is_relative { value.max(MetricName::SHORTEST_SECONDS).ln() } else { value }
    }

    /// Turns a difference of values as they are compared into the one that is told.
    fn told(&self, difference: f64) -> f64 {
        if self.gate.is_relative { difference.exp_m1() } else { difference }
    }

    /// Turns a loss back into candidate − baseline: low end, high end.
    fn difference(&self, low_gain: f64, high_gain: f64) -> (f64, f64) {
        let (low, high) = match self.gate.metric.direction {
            Direction::Maximize => (low_gain, high_gain),
            Direction::Minimize => (-high_gain, -low_gain),
        };
        (self.told(low), self.told(high))
    }

    fn interval(&self, loss: &MeanDifference) -> (f64, f64) {
        let (low, high) = loss.interval(0.95);
        self.difference(-high, -low)
    }

    /// Returns the bounds the verdict was read from and their levels, low then high.
    fn bounds(&self, loss: &MeanDifference, ok: f64, real: f64) -> ((f64, f64), (f64, f64)) {
        let bounds = self.difference(-loss.upper_bound(ok), -loss.lower_bound(real));
        match self.gate.metric.direction {
            Direction::Maximize => (bounds, (ok, real)),
            Direction::Minimize => (bounds, (real, ok)),
        }
    }

    pub(super) fn verdict(&self, pair: &Pair<'_>, ruling: &CellRuling) -> CellVerdict {
        let mean = |values: &[f64]| Moments::of(values).map(|moments| moments.mean);
        let scaled = |values: &[f64]| {
            let values: Vec<f64> = values.iter().map(|&value| self.scaled(value)).collect();
            mean(&values)
        };
        let (mut compared, lost_baseline) = self.compared(pair);
        let n_baseline = compared.len();
        if compared.is_empty() {
            compared.clone_from(&pair.baseline.values);
        }
        let change = scaled(&pair.candidate.values).zip(scaled(&compared));
        let read = ruling.loss.map(|loss| self.bounds(&loss, ruling.ok_level, ruling.loss_level));
        let verdict = Verdict::from(ruling.verdict);
        CellVerdict {
            name: pair.baseline.name.clone(),
            assignment: pair.baseline.assignment.clone(),
            verdict,
            n_baseline,
            n_candidate: pair.candidate.values.len(),
            lost_baseline,
            lost_candidate: pair.candidate.lost,
            mean_baseline: mean(&compared).expect("a baseline has finite values"),
            mean_candidate: mean(&pair.candidate.values),
            difference: change.map(|(now, before)| self.told(now - before)),
            interval95: ruling.loss.as_ref().map(|loss| self.interval(loss)),
            bounds: read.map(|(bounds, _)| bounds),
            levels: read.map(|(_, levels)| levels),
            is_loss_proven: ruling.is_loss_proven,
            is_gain_proven: ruling.is_gain_proven,
            correlation: ruling.correlation,
            repeats_to_settle: self.repeats_to_settle(pair, ruling),
            note: note(pair, ruling),
            look: ruling.look + 1,
        }
    }

    pub(super) fn common(&self, ruling: &CommonRuling, cells: usize) -> CommonVerdict {
        let read = ruling.loss.map(|loss| self.bounds(&loss, ruling.ok_level, ruling.loss_level));
        CommonVerdict {
            name: format!("mean of {cells} cells"),
            verdict: ruling.verdict.into(),
            difference: ruling.loss.map(|loss| self.difference(-loss.difference, 0.0)).map(
                |(low, high)| match self.gate.metric.direction {
                    Direction::Maximize => low,
                    Direction::Minimize => high,
                },
            ),
            interval95: ruling.loss.as_ref().map(|loss| self.interval(loss)),
            bounds: read.map(|(bounds, _)| bounds),
            levels: read.map(|(_, levels)| levels),
            is_loss_proven: ruling.is_loss_proven,
            look: ruling.look + 1,
        }
    }

    fn repeats_to_settle(&self, pair: &Pair<'_>, ruling: &CellRuling) -> Option<usize> {
        // There are no more folds than there are.
        if self.folds.is_some() {
            return None;
        }
        repeats_to_settle(self.gate.margin, self.is_paired, pair, ruling)
    }
}

/// Returns the repeats that would settle an inconclusive cell with 80 % chance if loss and spread are
/// as seen. Whatever the loss, one of the two claims lies at least δ/2 away: "no loss of δ" if the loss
/// is under half of it, "a loss" otherwise. Planned for the nearer of them at its own level.
pub(super) fn repeats_to_settle(
    margin: f64,
    is_paired: bool,
    pair: &Pair<'_>,
    ruling: &CellRuling,
) -> Option<usize> {
    let hopeless = matches!(
        ruling.reason,
        Some(GateReason::TooManyLost | GateReason::AllLost | GateReason::NoSpread)
    );
    if ruling.verdict != GateVerdict::Inconclusive || hopeless {
        return None;
    }
    let fewest = pair.baseline.values.len().min(pair.candidate.values.len());
    let Some(loss) = &ruling.loss else {
        // Where one side has a spread it says what is needed; the least is a second trial.
        return (pair.baseline.values.len().max(pair.candidate.values.len()) > 1)
            .then_some(fewest + 1);
    };
    let (distance, level) = if loss.difference <= 0.5 * margin {
        (margin - loss.difference, ruling.ok_level)
    } else {
        (loss.difference, ruling.loss_level)
    };
    let needed = if is_paired { repeats_for_pairs } else { repeats_for };
    let repeats = needed(ruling.sd?, distance, level, SETTLING_POWER, Sides::One)?;
    Some(repeats.max(fewest + 1))
}

fn note(pair: &Pair<'_>, ruling: &CellRuling) -> Option<Note> {
    let more_lost = pair.candidate.lost * (pair.baseline.lost + pair.baseline.values.len())
        > pair.baseline.lost * (pair.candidate.lost + pair.candidate.values.len());
    match ruling.reason {
        Some(GateReason::Identical) => Some(Note::Identical),
        Some(GateReason::NoSpread) => Some(Note::NoSpread),
        Some(GateReason::TooFew) => Some(Note::SingleTrial),
        Some(GateReason::TooManyLost) => Some(Note::MoreLost),
        Some(GateReason::AllLost) => Some(Note::AllLost),
        None => more_lost.then_some(Note::SomeLost),
    }
}
