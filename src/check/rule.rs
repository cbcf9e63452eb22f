//! The rule of three verdicts, for a family of cells that share one error rate.
//!
//! Values arrive turned and scaled so that more is better and the tolerance is a plain difference:
//! accuracies as they are, losses negated, speeds as logarithms.

use std::cell::RefCell;
use std::collections::BTreeMap;

use super::looks::Looks;
use super::verdict::{Note, Verdict};
use gridbench_stats::{
    MeanDifference, Moments, Sides, fisher_more, pooled_sd, repeats_for, step_down_levels, welch,
};

/// The chance that the repeats advised for an inconclusive cell settle it.
const SETTLING_POWER: f64 = 0.8;

/// Both samples of a cell at one look.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Contest {
    /// Mean of the candidate minus mean of the baseline; NaN where the candidate has no value.
    difference: f64,
    /// Welch's comparison; absent with a single trial on a side.
    gain: Option<MeanDifference>,
    /// Spread pooled over both sides; absent where neither has two trials.
    sd: Option<f64>,
    /// A difference this close to the tolerance is the tolerance.
    slack: f64,
    n_baseline: usize,
    n_candidate: usize,
    lost: Lost,
}

/// Trials of both sides that have no value.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Lost {
    /// Whether it is a larger share of the candidate's trials.
    pub(super) more: bool,
    /// p of as many more in the candidate, if both are equally prone.
    pub(super) p: f64,
}

impl Lost {
    /// Says nothing of lost trials.
    pub(super) const UNKNOWN: Self = Self { more: false, p: 1.0 };

    /// Compares `lost` of `all` trials before and now.
    pub(super) fn of(before: (usize, usize), now: (usize, usize)) -> Self {
        Self {
            more: now.0 * before.1 > before.0 * now.1,
            p: fisher_more(before.0, before.1, now.0, now.1),
        }
    }
}

impl Contest {
    /// Compares two samples; nothing if the baseline's is empty or a value is not finite.
    pub(super) fn of(before: &[f64], now: &[f64], lost: Lost) -> Option<Self> {
        let was = Moments::of(before)?;
        if now.is_empty() {
            let (n_baseline, n_candidate) = (was.n, 0);
            let (difference, slack) = (f64::NAN, 0.0);
            return Some(Self {
                difference,
                gain: None,
                sd: None,
                slack,
                n_baseline,
                n_candidate,
                lost,
            });
        }
        let is = Moments::of(now)?;
        Some(Self {
            difference: is.mean - was.mean,
            gain: welch(now, before),
            sd: pooled_sd(&[before, now]).map(|(sd, _)| sd),
            slack: 1e-12 * was.mean.abs().max(is.mean.abs()),
            n_baseline: was.n,
            n_candidate: is.n,
            lost,
        })
    }

    /// Returns p of "this cell is no worse": by its values or, where the candidate has none, by
    /// how many trials it lost.
    fn p_no_worse(&self) -> f64 {
        match &self.gain {
            Some(gain) => gain.p_at_least(0.0),
            None if self.n_candidate == 0 => self.lost.p,
            // A cell that cannot be tested still counts.
            None => 1.0,
        }
    }
}

/// What the rule says of one cell. Bounds and intervals are of the gain: more is better.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Ruling {
    pub(super) verdict: Verdict,
    pub(super) note: Option<Note>,
    pub(super) interval95: Option<(f64, f64)>,
    /// Low, then high, each at its level.
    pub(super) bounds: Option<(f64, f64)>,
    pub(super) levels: (f64, f64),
    pub(super) repeats_to_settle: Option<usize>,
    /// The look at which it fell, from 0.
    pub(super) look: usize,
}

/// A family of cells: one tolerance, one error rate.
pub(super) struct Family {
    /// The tolerance, on the scale of the values.
    pub(super) margin: f64,
    /// One-sided level of each of the two claims over all cells and looks.
    pub(super) alpha: f64,
    /// The looks that may be taken.
    pub(super) looks: Looks,
}

/// The levels of the looks, by how many hypotheses share α and by the size of the baseline.
type Levels = RefCell<BTreeMap<(usize, usize), Vec<f64>>>;

impl Family {
    /// Rules on every cell: `taken[look][cell]`, at least one look, all of equally many cells.
    ///
    /// A verdict other than inconclusive ends the looks at its cell.
    pub(super) fn rule(&self, taken: &[Vec<Contest>]) -> Vec<Ruling> {
        let known = Levels::default();
        let cells = taken.first().map_or(0, Vec::len);
        let mut rulings: Vec<Option<Ruling>> = vec![None; cells];
        for (look, contests) in taken.iter().enumerate() {
            let standing: Vec<Option<Verdict>> = rulings
                .iter()
                .map(|ruling| ruling.as_ref().map(|one| one.verdict).filter(|v| v.is_decided()))
                .collect();
            // A rejected claim has left its family; a decided cell whose other claim was never
            // rejected stays in it and is not tested again.
            let p_values = |rejected: Verdict, p: &dyn Fn(&Contest) -> f64| -> Vec<f64> {
                (0..cells)
                    .map(|cell| match standing[cell] {
                        Some(verdict) if verdict == rejected => f64::NAN,
                        Some(_) => 1.0,
                        None => p(&contests[cell]),
                    })
                    .collect()
            };
            let levels = |p_values: &[f64]| {
                step_down_levels(p_values, |cell, remaining| {
                    self.level(&known, look, remaining, contests[cell].n_baseline)
                })
            };
            let p_harmful =
                |it: &Contest| it.gain.as_ref().map_or(1.0, |gain| gain.p_at_most(-self.margin));
            let low = levels(&p_values(Verdict::Ok, &p_harmful));
            let high = levels(&p_values(Verdict::Regressed, &Contest::p_no_worse));
            for cell in 0..cells {
                if standing[cell].is_none() {
                    let levels = (low[cell], high[cell]);
                    rulings[cell] = Some(self.ruling(&contests[cell], levels, look));
                }
            }
        }
        rulings.into_iter().flatten().collect()
    }

    fn level(&self, known: &Levels, look: usize, remaining: usize, in_baseline: usize) -> f64 {
        let alpha = self.alpha / remaining as f64;
        if self.looks.count == 1 {
            return alpha;
        }
        let mut known = known.borrow_mut();
        let levels = known
            .entry((remaining, in_baseline))
            .or_insert_with(|| self.looks.levels(alpha, in_baseline));
        levels[look.min(levels.len() - 1)]
    }

    fn ruling(&self, contest: &Contest, levels: (f64, f64), look: usize) -> Ruling {
        let gain = contest.gain.as_ref();
        let bounds = gain.map(|gain| (gain.lower_bound(levels.0), gain.upper_bound(levels.1)));
        let (verdict, note) = match (gain, bounds) {
            (Some(gain), _) if gain.se == 0.0 => {
                (self.without_spread(contest), Some(Note::NoSpread))
            }
            (Some(gain), Some(bounds)) => (self.decide(gain.difference, bounds), None),
            _ if contest.n_candidate == 0 && contest.lost.p <= levels.1 => {
                (Verdict::Regressed, Some(Note::AllLost))
            }
            _ if contest.n_candidate == 0 => (Verdict::Inconclusive, Some(Note::AllLost)),
            _ => (Verdict::Inconclusive, Some(Note::SingleTrial)),
        };
        let (verdict, note) = match verdict {
            Verdict::Ok if contest.lost.more && contest.lost.p <= levels.1 => {
                (Verdict::Inconclusive, Some(Note::MoreLost))
            }
            Verdict::Ok if contest.lost.more => (verdict, Some(Note::SomeLost)),
            _ => (verdict, note),
        };
        let may_settle = !matches!(note, Some(Note::MoreLost | Note::AllLost));
        let repeats_to_settle = (verdict == Verdict::Inconclusive && may_settle)
            .then(|| self.repeats_to_settle(contest, levels))
            .flatten();
        Ruling {
            verdict,
            note,
            interval95: gain.map(|gain| gain.interval(0.95)),
            bounds,
            levels,
            repeats_to_settle,
            look,
        }
    }

    fn decide(&self, gain: f64, (low, high): (f64, f64)) -> Verdict {
        if low > -self.margin {
            Verdict::Ok
        } else if high < -self.margin || (high < 0.0 && gain.abs() > 0.5 * self.margin) {
            Verdict::Regressed
        } else {
            Verdict::Inconclusive
        }
    }

    fn without_spread(&self, contest: &Contest) -> Verdict {
        // A loss of exactly the tolerance must not turn on the last bit of a decimal.
        let tolerated = contest.difference >= -self.margin - contest.slack;
        if tolerated { Verdict::Ok } else { Verdict::Regressed }
    }

    /// Whatever the gain, one of the two claims lies at least δ/2 away: "no loss of δ" if the loss
    /// is under half of it, "a loss" otherwise. Planned for the nearer of them at its own level.
    fn repeats_to_settle(&self, contest: &Contest, levels: (f64, f64)) -> Option<usize> {
        let gain = contest.difference;
        let (distance, level) = if gain >= -0.5 * self.margin {
            (gain + self.margin, levels.0)
        } else {
            (-gain, levels.1)
        };
        let repeats = repeats_for(contest.sd?, distance, level, SETTLING_POWER, Sides::One)?;
        Some(repeats.max(contest.n_baseline.min(contest.n_candidate) + 1))
    }
}
