//! Duels: which of a few commands is better, looked at while pairs come in.

use super::MeanDifference;
use super::moments::Moments;
use super::paired::Pairs;
use super::spending::{open_levels, open_looks};

/// How commands are judged that take turns on shared seeds. Larger values are better.
///
/// At every look the interval of a difference of paired means holds its true value with probability
/// 1 − α over all looks and pairs of commands together ([`open_levels`]; between several pairs the
/// error is divided equally, after Bonferroni). All claims are read off these intervals, so whichever
/// of them is made, whenever, it is wrong with a chance of at most α.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Duel {
    /// Differences below it are of no interest; 0 where every difference is.
    pub indifference: f64,
    /// The chance that anything wrong is ever claimed.
    pub alpha: f64,
    /// Pairs at the first look.
    pub first: usize,
    /// Whether a first command that is shown to be no worse than the second by the indifference ends
    /// the duel, better or not.
    pub no_worse_is_enough: bool,
}

/// What an interval shows of the first of two commands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DuelClaim {
    /// It is better.
    Better,
    /// It is worse.
    Worse,
    /// The difference is smaller than the indifference, or nothing in each of ten pairs and more.
    Equivalent,
    /// It is not worse by the indifference or more.
    NoWorse,
}

/// Two commands at the last look at which both were in.
#[derive(Debug, Clone, PartialEq)]
pub struct DuelPair {
    /// Index of the first command.
    pub first: usize,
    /// Index of the second command.
    pub second: usize,
    /// Repeats that were looked at, with those that a side lost.
    pub repeats: usize,
    /// Repeats with a value on both sides.
    pub n: usize,
    /// Repeats that each side lost.
    pub lost: (usize, usize),
    /// Mean of the first minus mean of the second.
    pub difference: f64,
    /// What holds the true difference, over all looks; absent below three pairs.
    pub interval: Option<(f64, f64)>,
    /// Pearson's correlation of both sides.
    pub correlation: Option<f64>,
    /// What is claimed, once and for all.
    pub claim: Option<DuelClaim>,
}

/// How a duel stands after the looks that its trials allow.
#[derive(Debug, Clone, PartialEq)]
pub struct DuelState {
    /// Every pair of commands, by the first and then the second.
    pub pairs: Vec<DuelPair>,
    /// Whether each command is still in: not shown to be worse than another.
    pub is_in: Vec<bool>,
    /// Repeats at the last look; 0 before the first.
    pub repeats: usize,
    /// Whether there is nothing left to find out.
    pub is_over: bool,
}

impl DuelState {
    /// Returns the only command that is still in, where there is only one.
    #[must_use]
    pub fn winner(&self) -> Option<usize> {
        let mut left = (0..self.is_in.len()).filter(|command| self.is_in[*command]);
        left.next().filter(|_| left.next().is_none())
    }
}

impl Duel {
    /// Returns the repeats at which a duel of at most so many looks, and the one-sided level there.
    #[must_use]
    pub fn looks(&self, commands: usize, most: usize) -> Vec<(usize, f64)> {
        let looks = open_looks(self.first, most);
        let pairs = (commands * commands.saturating_sub(1) / 2).max(1);
        let levels = open_levels(0.5 * SPENT * self.alpha / pairs as f64, &looks);
        looks.into_iter().zip(levels).collect()
    }

    /// Judges the values of every command by repeat, at every one of `looks` that they allow; `None`
    /// stands for a trial that was lost. A command that is out needs no further values.
    ///
    /// A pure function of the values at the looks: how far trials beyond the last one have come plays
    /// no part. A side that lost more trials than the other is never called better, nor are both
    /// called the same.
    ///
    /// ```
    /// use gridbench_stats::{Duel, DuelClaim};
    /// let duel = Duel { indifference: 0.0, alpha: 0.05, first: 4, no_worse_is_enough: false };
    /// let a: Vec<Option<f64>> = [9.1, 9.4, 9.3, 9.0].map(Some).to_vec();
    /// let b: Vec<Option<f64>> = [8.0, 8.2, 8.3, 7.9].map(Some).to_vec();
    /// let state = duel.judge(&[&a, &b], &duel.looks(2, 30));
    /// assert_eq!((state.winner(), state.pairs[0].claim), (Some(0), Some(DuelClaim::Better)));
    /// // d = [1.1, 1.2, 1.0, 1.1]; scipy.stats.t.isf(0.9 * 0.025 / 6, 3) * scipy.stats.sem(d)
    /// let (low, high) = state.pairs[0].interval.unwrap();
    /// assert!((low - 0.835_958_913).abs() < 1e-6 && (high - 1.364_041_087).abs() < 1e-6);
    /// ```
    #[must_use]
    pub fn judge(&self, commands: &[&[Option<f64>]], looks: &[(usize, f64)]) -> DuelState {
        let indices = 0..commands.len();
        let pairs = indices.flat_map(|first| {
            (first + 1..commands.len()).map(move |second| DuelPair {
                first,
                second,
                repeats: 0,
                n: 0,
                lost: (0, 0),
                difference: f64::NAN,
                interval: None,
                correlation: None,
                claim: None,
            })
        });
        let mut state = DuelState {
            pairs: pairs.collect(),
            is_in: vec![true; commands.len()],
            repeats: 0,
            is_over: false,
        };
        for &(repeats, level) in looks {
            let has_ended = |command: usize| commands[command].len() >= repeats;
            let mut within = (0..commands.len()).filter(|command| state.is_in[*command]);
            if state.is_over || !within.all(has_ended) {
                break;
            }
            state.repeats = repeats;
            for pair in &mut state.pairs {
                if pair.claim.is_none() && state.is_in[pair.first] && state.is_in[pair.second] {
                    let [a, b] = [pair.first, pair.second].map(|one| &commands[one][..repeats]);
                    self.look(pair, a, b, level);
                }
            }
            for pair in &state.pairs {
                match pair.claim {
                    Some(DuelClaim::Better) => state.is_in[pair.second] = false,
                    Some(DuelClaim::Worse) => state.is_in[pair.first] = false,
                    _ => {}
                }
            }
            let is_open = |pair: &DuelPair| {
                pair.claim.is_none() && state.is_in[pair.first] && state.is_in[pair.second]
            };
            state.is_over = !state.pairs.iter().any(is_open);
        }
        state
    }

    fn look(&self, pair: &mut DuelPair, a: &[Option<f64>], b: &[Option<f64>], level: f64) {
        let lost = |side: &[Option<f64>]| side.iter().filter(|value| value.is_none()).count();
        (pair.repeats, pair.lost) = (a.len(), (lost(a), lost(b)));
        let Some(pairs) = Pairs::of(a, b) else { return };
        (pair.n, pair.difference, pair.correlation) =
            (pairs.n, pairs.difference, pairs.correlation);
        if pairs.n < 3 {
            return;
        }
        let all: Vec<f64> = a.iter().chain(b).flatten().copied().collect();
        let variance = pairs.variance.variance.max(resolution(&all).powi(2) / 6.0);
        let se = (variance / pairs.n as f64).sqrt();
        let test = MeanDifference::new(pairs.difference, se, (pairs.n - 1) as f64);
        let (low, high) = (test.lower_bound(level), test.upper_bound(level));
        let is_identical =
            pairs.difference == 0.0 && pairs.variance.variance == 0.0 && pairs.n >= MIN_IDENTICAL;
        pair.interval = Some(if is_identical { (0.0, 0.0) } else { (low, high) });
        let (fewer, margin) = (pair.lost.0.cmp(&pair.lost.1), self.indifference);
        let is_small = -margin < low && high < margin;
        pair.claim = if (is_small || is_identical) && fewer.is_eq() {
            Some(DuelClaim::Equivalent)
        } else if low > 0.0 && fewer.is_le() {
            Some(DuelClaim::Better)
        } else if self.no_worse_is_enough && low > -margin && fewer.is_le() {
            Some(DuelClaim::NoWorse)
        } else if high < 0.0 && fewer.is_ge() {
            Some(DuelClaim::Worse)
        } else {
            None
        };
    }
}

/// The share of the error that is spent: t statistics of a few pairs, with a spread of their own at every
/// look, hang together less than the Brownian motion that the levels are made for, so that over all looks
/// an eighth more crosses them (`examples/duel.rs`).
const SPENT: f64 = 0.9;

/// Pairs after which a difference of nothing in all of them is no luck.
const MIN_IDENTICAL: usize = 10;

/// Returns the smallest step between values: what a share of images moves by at least. A sample cannot
/// show less spread than its rounding hides: a value has a variance of a twelfth of its square, and a
/// difference twice as much.
fn resolution(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let largest = Moments::of(values).map_or(0.0, |moments| moments.mean.abs());
    let steps = sorted.windows(2).map(|pair| pair[1] - pair[0]);
    // What differs by the rounding of its last digit is the same.
    let step = steps.filter(|step| *step > 1e-12 * largest).fold(f64::INFINITY, f64::min);
    if step.is_finite() { step } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use super::super::Draws;
    use super::*;

    const DUEL: Duel = Duel { indifference: 0.0, alpha: 0.05, first: 4, no_worse_is_enough: false };

    fn judge(duel: Duel, sides: &[Vec<f64>]) -> DuelState {
        judge_at(duel, sides, &duel.looks(sides.len(), 100))
    }

    fn judge_at(duel: Duel, sides: &[Vec<f64>], looks: &[(usize, f64)]) -> DuelState {
        let sides: Vec<Vec<Option<f64>>> =
            sides.iter().map(|side| side.iter().copied().map(Some).collect()).collect();
        let sides: Vec<&[Option<f64>]> = sides.iter().map(Vec::as_slice).collect();
        duel.judge(&sides, looks)
    }

    fn draw(round: u64, means: &[f64], n: usize) -> Vec<Vec<f64>> {
        let mut draws = Draws::keyed(11, round);
        means.iter().map(|mean| (0..n).map(|_| mean + draws.normal()).collect()).collect()
    }

    #[test]
    fn equal_commands_are_called_different_in_five_of_a_hundred_duels_at_most() {
        let rounds = 2_000;
        let looks = DUEL.looks(2, 60);
        let found = |round: u64| judge_at(DUEL, &draw(round, &[0.0; 2], 60), &looks);
        let wrong = |round: &u64| found(*round).winner().is_some();
        let share = (0..rounds).filter(wrong).count() as f64 / rounds as f64;
        // 3.75 % are spent after 60 pairs; the standard error of the simulation is 0.4 points.
        assert!(share < 0.05 && share > 0.015, "{share}");
    }

    #[test]
    fn three_equal_commands_are_told_apart_as_seldom() {
        let rounds = 1_000;
        let is_wrong = |state: &DuelState| state.is_in.contains(&false);
        let looks = DUEL.looks(3, 40);
        let wrong = |round: &u64| is_wrong(&judge_at(DUEL, &draw(*round, &[0.0; 3], 40), &looks));
        let share = (0..rounds).filter(wrong).count() as f64 / rounds as f64;
        assert!(share < 0.05, "{share}");
    }

    #[test]
    fn a_difference_is_found_and_none_is_found_to_be_none() {
        let found = judge(DUEL, &draw(1, &[2.0, 0.0], 60));
        assert_eq!(found.winner(), Some(0));
        let found = judge(DUEL, &draw(1, &[0.0, 2.0], 60));
        assert_eq!((found.winner(), found.pairs[0].claim), (Some(1), Some(DuelClaim::Worse)));
        let duel = Duel { indifference: 2.0, ..DUEL };
        let found = judge(duel, &draw(1, &[0.0, 0.0], 100));
        assert_eq!((found.winner(), found.pairs[0].claim), (None, Some(DuelClaim::Equivalent)));
        assert!(found.is_over && found.repeats < 100, "{}", found.repeats);
    }

    #[test]
    fn the_worst_of_three_leaves_and_the_others_go_on_without_it() {
        let mut sides = draw(3, &[5.0, 5.0, 0.0], 20);
        let found = judge(DUEL, &sides);
        assert_eq!(found.is_in, [true, true, false]);
        assert_eq!(found.repeats, 20);
        let left = found.pairs.iter().find(|pair| pair.second == 2).unwrap().repeats;
        sides[2].truncate(left);
        assert_eq!(judge(DUEL, &sides), found, "what is out needs no more trials");
        sides[0].push(1e9);
        assert_eq!(judge(DUEL, &sides), found, "what lies beyond the last look plays no part");
    }

    #[test]
    fn a_command_that_loses_trials_is_never_called_better() {
        let (mut a, b) = (vec![Some(9.0), Some(9.1), Some(9.3), Some(9.2)], [1.0, 1.2, 1.1, 1.2]);
        let b: Vec<Option<f64>> = b.map(Some).to_vec();
        let looks = DUEL.looks(2, 30);
        assert_eq!(DUEL.judge(&[&a, &b], &looks).winner(), Some(0));
        a[1] = None;
        let found = DUEL.judge(&[&a, &b], &looks);
        assert_eq!((found.winner(), found.pairs[0].lost, found.pairs[0].n), (None, (1, 0), 3));
    }

    #[test]
    fn programs_without_luck_are_told_apart_soon_and_equal_ones_are_the_same() {
        let found = judge(DUEL, &[vec![0.9; 12], vec![0.8; 12]]);
        assert_eq!(found.winner(), Some(0));
        assert!(found.repeats <= 7, "{}", found.repeats);
        let found = judge(DUEL, &[vec![0.9; 12], vec![0.9; 12]]);
        assert_eq!((found.pairs[0].claim, found.repeats), (Some(DuelClaim::Equivalent), 10));
    }

    #[test]
    fn no_worse_is_enough_where_it_is_asked_for() {
        let duel = Duel { indifference: 2.0, no_worse_is_enough: true, ..DUEL };
        let found = judge(duel, &draw(5, &[0.3, 0.0], 60));
        assert!(matches!(
            found.pairs[0].claim,
            Some(DuelClaim::NoWorse | DuelClaim::Better | DuelClaim::Equivalent)
        ));
        assert!(found.is_over);
    }

    #[test]
    fn a_few_equal_steps_of_a_coarse_metric_are_no_certainty() {
        // Three of four images right each time, against two of four.
        let found = judge(DUEL, &[vec![0.75; 4], vec![0.5; 4]]);
        assert_eq!(found.winner(), None);
    }
}
