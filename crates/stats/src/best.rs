//! Which cells may be the best: multiple comparisons with the best.
//!
//! Hsu (1981, <https://doi.org/10.1214/aos/1176345582>): a cell stays in the set unless some other
//! cell is better than it beyond what chance gives the largest of all differences from *this* cell.
//! Whichever cell is truly best, it is left out with probability α at most, however many are
//! compared and however close they are; Holm's rule against the best *seen* keeps no such promise.

mod planned;

use serde::Serialize;

use super::block::{Blocks, MIN_BLOCK_CELLS};
use super::distributions::{normal_quantile, normal_sf, t_quantile};
use super::dunnett::SharedError;
use super::means::{Estimate, MeanDifference};
use super::mixture::{Contrast, VarianceMixture};
use super::moderated::{Variance, in_groups, moderate, moderate_cautiously};
use super::moments::Moments;
use super::paired::{Pairs, pairs_are_enough};
use super::power::Sides;
use super::shrink::groups_of_like_sd;

pub use planned::{Detectable, detectable_from_best, repeats_to_leave_best};

/// Squared loadings are rounded down to multiples of one over this: never too lenient, and cells of
/// nearly equal error are integrated as one.
const LOADING_STEPS: f64 = 256.0;

/// How the errors of cells hang together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum ErrorModel {
    /// Every cell has luck of its own.
    Independent,
    /// Cells of a repeat share seeds: cell + repeat is fitted.
    Blocks,
    /// Too few cells for that: differences repeat by repeat.
    Differences,
}

impl ErrorModel {
    /// Returns the model for an experiment of so many cells and repeats, fixed before any value is
    /// seen: blocks or differences where cells of a repeat `share_seeds` and there are enough.
    ///
    /// ```
    /// use gridbench_stats::ErrorModel;
    /// assert_eq!(ErrorModel::of_design(90, 5, true), ErrorModel::Blocks);
    /// assert_eq!(ErrorModel::of_design(2, 9, true), ErrorModel::Differences);
    /// assert_eq!(ErrorModel::of_design(2, 3, true), ErrorModel::Independent);
    /// assert_eq!(ErrorModel::of_design(90, 5, false), ErrorModel::Independent);
    /// ```
    #[must_use]
    pub fn of_design(cells: usize, repeats: usize, share_seeds: bool) -> Self {
        if !share_seeds || !pairs_are_enough(cells, repeats, false) {
            Self::Independent
        } else if cells >= MIN_BLOCK_CELLS {
            Self::Blocks
        } else {
            Self::Differences
        }
    }
}

/// What a comparison with the best is asked for.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct BestQuestion {
    /// Whether larger values are better.
    pub higher_is_better: bool,
    /// The chance, at most, that the truly best cell is left out; for example 0.05.
    pub alpha: f64,
    /// The least variance that can be believed, as in [`moderate`](super::moderate()).
    pub floor: f64,
    /// How the errors of cells hang together.
    pub model: ErrorModel,
}

/// Rivals looked at closely, the strongest first; to look at fewer can only keep a cell in.
const MAX_RIVALS: usize = 16;

/// Times the typical standard error up to which a member brings in the cells with better means.
const MAX_NOISE: f64 = 2.0;

/// The cells that may be the best, and how far each may be from it.
#[derive(Debug, Clone)]
pub struct BestSet {
    /// Whether each cell may be the best. Cells without values never are.
    pub members: Vec<bool>,
    /// The cell with the best mean; absent where no cell has a value.
    pub leader: Option<usize>,
    /// Mean of every cell, adjusted for missing repeats where blocks are fitted.
    pub estimates: Vec<Option<Estimate>>,
    /// The model that was fitted; it falls back to independent errors where the values of a repeat
    /// do not connect the cells.
    pub model: ErrorModel,
    sign: f64,
    alpha: f64,
    errors: Errors,
    /// Which variance each cell may have; absent for too few cells to tell.
    mixture: Option<VarianceMixture>,
    /// Values of each cell.
    counts: Vec<f64>,
}

/// Where the error of a difference comes from.
#[derive(Debug, Clone)]
enum Errors {
    Independent { own: Vec<Variance>, most: f64 },
    Blocks { blocks: Blocks, most: f64 },
    Differences(Vec<Vec<Option<MeanDifference>>>),
}

impl BestSet {
    /// Finds the confidence set of the best cell. `cells` hold one value per repeat; `None` stands
    /// for a trial that was lost or never run.
    ///
    /// From three cells on, every cell's variance is a mixture of those that all cells together make
    /// likely; two cells keep their own. A cell
    /// whose error nothing is known of (a single value, and too few other cells to borrow a spread
    /// from) stays in, and so does a cell with a better mean than a member of ordinary error. Where
    /// nothing varies at all, the best means are the set.
    ///
    /// # Panics
    /// If a value is not finite, or the cells of blocks or differences do not have the same number
    /// of repeats.
    ///
    /// ```
    /// use gridbench_stats::{BestQuestion, BestSet, ErrorModel};
    /// let rows = [[56.9, 65.4, 48.4], [99.1, 98.0, 100.0], [98.5, 99.5, 98.7]].map(|row| row.map(Some));
    /// let cells: Vec<&[Option<f64>]> = rows.iter().map(|row| row.as_slice()).collect();
    /// let question = BestQuestion {
    ///     higher_is_better: true,
    ///     alpha: 0.05,
    ///     floor: 0.0,
    ///     model: ErrorModel::Independent,
    /// };
    /// assert_eq!(BestSet::of(&cells, &question).members, [false, true, true]);
    /// ```
    #[must_use]
    pub fn of(cells: &[&[Option<f64>]], question: &BestQuestion) -> Self {
        let finite = cells.iter().copied().flatten().flatten().all(|value| value.is_finite());
        assert!(finite, "values are finite");
        let sign = if question.higher_is_better { 1.0 } else { -1.0 };
        let (model, estimates, errors) = match question.model {
            ErrorModel::Blocks => match Blocks::of(cells) {
                Some(blocks) => {
                    let most = blocks.variances.iter().map(|own| own.degrees_of_freedom).sum();
                    let estimates = blocks.estimates(question.floor);
                    (ErrorModel::Blocks, estimates, Errors::Blocks { blocks, most })
                }
                None => independent(cells, question.floor),
            },
            ErrorModel::Differences => {
                let (_, estimates, _) = independent(cells, question.floor);
                let table = differences(cells, question.floor);
                (ErrorModel::Differences, estimates, Errors::Differences(table))
            }
            ErrorModel::Independent => independent(cells, question.floor),
        };
        let leader = (0..cells.len())
            .filter_map(|cell| Some((cell, sign * estimates[cell]?.mean)))
            .fold(
                None,
                |best: Option<(usize, f64)>, own| {
                    if best.is_some_and(|best| best.1 >= own.1) { best } else { Some(own) }
                },
            )
            .map(|(cell, _)| cell);
        let alpha = question.alpha;
        let mixture = match &errors {
            Errors::Independent { own, .. } => VarianceMixture::of(own, question.floor),
            Errors::Blocks { blocks, .. } => VarianceMixture::of(&blocks.variances, question.floor),
            Errors::Differences(_) => None,
        };
        let counts = cells.iter().map(|cell| cell.iter().flatten().count() as f64).collect();
        let members = Vec::new();
        let mut found =
            Self { members, leader, estimates, model, sign, alpha, errors, mixture, counts };
        found.members = (0..cells.len()).map(|cell| found.may_be_best(cell)).collect();
        found.close_upwards();
        found
    }

    /// Takes in every cell with a better mean than a member of ordinary error: to leave it out beside
    /// that one would read as a contradiction. The set only grows, so its confidence stands. A member
    /// whose standard error is more than twice the typical one stays by itself, or a single noisy
    /// cell would bring in half of the grid.
    fn close_upwards(&mut self) {
        let error_of = |found: &Option<Estimate>| {
            found
                .as_ref()
                .filter(|known| known.degrees_of_freedom > 0.0)
                .map(|known| known.squared_error)
        };
        let mut errors: Vec<f64> = self.estimates.iter().filter_map(error_of).collect();
        errors.sort_by(f64::total_cmp);
        let Some(typical) = errors.get(errors.len() / 2) else { return };
        let most = MAX_NOISE * MAX_NOISE * typical;
        let is_ordinary = |found: &Option<Estimate>| error_of(found).is_some_and(|own| own <= most);
        let members = self.members.iter().zip(&self.estimates);
        let weakest = members
            .filter(|(is_member, found)| **is_member && is_ordinary(found))
            .filter_map(|(_, found)| Some(self.sign * found.as_ref()?.mean))
            .min_by(f64::total_cmp);
        let Some(weakest) = weakest else { return };
        for (is_member, found) in self.members.iter_mut().zip(&self.estimates) {
            *is_member |= found.as_ref().is_some_and(|found| self.sign * found.mean >= weakest);
        }
    }

    /// Returns the difference of two cells in the good direction; nothing where its error is
    /// unknown.
    fn lead(&self, cell: usize, other: usize) -> Option<MeanDifference> {
        let (a, b) = (self.estimates[cell]?, self.estimates[other]?);
        let found = match &self.errors {
            Errors::Independent { most, .. } | Errors::Blocks { most, .. } => {
                capped(&a, &b, self.gaps(cell, other), *most)
            }
            Errors::Differences(table) => table[cell][other],
        }?;
        Some(MeanDifference::new(self.sign * found.difference, found.se, found.degrees_of_freedom))
    }

    fn others(&self, cell: usize) -> impl Iterator<Item = usize> + '_ {
        (0..self.estimates.len())
            .filter(move |&other| other != cell && self.estimates[other].is_some())
    }

    /// Returns the squared error of a cell's mean.
    fn squared_error(&self, cell: usize) -> f64 {
        match &self.mixture {
            Some(mixture) => mixture.mean(cell) / self.counts[cell],
            None => self.estimates[cell].map_or(0.0, |own| own.squared_error),
        }
    }

    fn contrast(&self, cell: usize, other: usize) -> Contrast {
        let counts = [self.counts[cell], self.counts[other]];
        Contrast { cells: [cell, other], counts, extra: self.gaps(cell, other) }
    }

    /// Returns the joint distribution of the comparisons with `cell`, whose error they share.
    ///
    /// Every comparison has a variance estimate of its own: its p is turned into the normal score that is
    /// as rare, and the scores are taken for jointly normal. (Dunnett's distribution would count the luck
    /// of all estimates as one, and leave out the best of 90 unequal cells in 15 to 20 % instead of 5 %,
    /// simulated.)
    fn joint(&self, cell: usize) -> Option<SharedError> {
        self.estimates[cell]?;
        let own = self.squared_error(cell);
        let loadings: Vec<f64> = self
            .others(cell)
            .map(|other| {
                let all = own + self.squared_error(other) + self.gaps(cell, other);
                let squared = if all > 0.0 { own / all } else { 0.5 };
                ((squared * LOADING_STEPS).floor() / LOADING_STEPS).sqrt()
            })
            .collect();
        (!loadings.is_empty()).then(|| SharedError::new(&loadings, f64::INFINITY))
    }

    fn gaps(&self, cell: usize, other: usize) -> f64 {
        match &self.errors {
            Errors::Blocks { blocks, .. } => blocks.squared_error_of_gaps(cell, other),
            _ => 0.0,
        }
    }

    /// Returns the comparison that speaks most against `cell`, with its one-sided p of "the cell is
    /// no worse".
    fn strongest_other(&self, cell: usize) -> Option<(f64, MeanDifference)> {
        let leads = self.others(cell).filter_map(|other| Some((other, self.lead(cell, other)?)));
        let Some(mixture) = &self.mixture else {
            return leads
                .map(|(_, lead)| (p_no_worse(&lead), lead))
                .min_by(|a, b| a.0.total_cmp(&b.0));
        };
        let mut leads: Vec<(f64, usize, MeanDifference)> = leads
            .map(|(other, lead)| {
                let error = mixture.squared_error(self.contrast(cell, other)).sqrt();
                (lead.difference / error, other, lead)
            })
            .collect();
        leads.sort_by(|a, b| a.0.total_cmp(&b.0));
        leads.truncate(MAX_RIVALS);
        let p = |(_, other, lead): (f64, usize, MeanDifference)| {
            (mixture.tail(self.contrast(cell, other), -lead.difference), lead)
        };
        leads.into_iter().map(p).min_by(|a, b| a.0.total_cmp(&b.0))
    }

    fn may_be_best(&self, cell: usize) -> bool {
        if self.estimates[cell].is_none() {
            return false;
        }
        let Some((p, lead)) = self.strongest_other(cell) else {
            return true;
        };
        let others = self.others(cell).count() as f64;
        // One comparison is the least strict rule, and Bonferroni's the strictest.
        if p > self.alpha || lead.se == 0.0 {
            return p > self.alpha;
        }
        if p * others <= self.alpha || matches!(self.errors, Errors::Differences(_)) {
            return p * others > self.alpha;
        }
        let score = -normal_quantile(p);
        let is_chance =
            |joint: SharedError| joint.probability_below(score, Sides::One) < 1.0 - self.alpha;
        self.joint(cell).is_none_or(is_chance)
    }

    /// Returns by how much `cell` may be worse than the best, at most: a bound that holds for all
    /// cells at once with probability 1 − α. 0 for a cell that is shown to be the best; infinite
    /// where an error is unknown; nothing for a cell without values.
    ///
    /// # Panics
    /// If there is no such cell.
    #[must_use]
    pub fn at_most_worse(&self, cell: usize) -> Option<f64> {
        self.estimates[cell]?;
        let others: Vec<usize> = self.others(cell).filter(|&other| self.members[other]).collect();
        let leads: Option<Vec<(usize, MeanDifference)>> =
            others.iter().map(|&other| Some((other, self.lead(cell, other)?))).collect();
        let Some(leads) = leads else {
            return Some(f64::INFINITY);
        };
        if leads.is_empty() {
            return Some(0.0);
        }
        let level = self.level(cell)?;
        let worst = leads
            .iter()
            .map(|(other, lead)| self.margin(cell, *other, lead, level) - lead.difference);
        Some(worst.fold(0.0, f64::max))
    }

    /// Returns how rare by chance a comparison with `cell` must be to count.
    fn level(&self, cell: usize) -> Option<f64> {
        if matches!(self.errors, Errors::Differences(_)) {
            return Some(self.alpha / self.others(cell).count() as f64);
        }
        self.joint(cell)?.critical_value(self.alpha, Sides::One).map(normal_sf)
    }

    /// Returns the difference that is as rare as `level` in a comparison of these two cells.
    fn margin(&self, cell: usize, other: usize, lead: &MeanDifference, level: f64) -> f64 {
        match &self.mixture {
            Some(mixture) => mixture.gap(self.contrast(cell, other), level),
            None => -t_quantile(level, lead.degrees_of_freedom) * lead.se,
        }
    }
}

/// Returns the one-sided p of "the cell is no worse", 0 or 1 where neither side varies.
fn p_no_worse(lead: &MeanDifference) -> f64 {
    if lead.se > 0.0 { lead.p_at_least(0.0) } else { f64::from(u8::from(lead.difference >= 0.0)) }
}

/// The difference of two cells whose variances were moderated together: never more degrees of
/// freedom than all cells have.
fn capped(a: &Estimate, b: &Estimate, extra: f64, most: f64) -> Option<MeanDifference> {
    let found = a.minus(b)?;
    let freedom = if most > 0.0 { found.degrees_of_freedom.min(most) } else { return None };
    Some(MeanDifference::new(found.difference, found.se.hypot(extra.sqrt()), freedom))
}

fn independent(
    cells: &[&[Option<f64>]],
    floor: f64,
) -> (ErrorModel, Vec<Option<Estimate>>, Errors) {
    let values: Vec<Vec<f64>> =
        cells.iter().map(|cell| cell.iter().flatten().copied().collect()).collect();
    let unknown = Variance { variance: 0.0, degrees_of_freedom: 0.0 };
    let own: Vec<Variance> =
        values.iter().map(|values| Variance::of(values).unwrap_or(unknown)).collect();
    let most = own.iter().map(|own| own.degrees_of_freedom).sum();
    let moderated = in_groups(&own, &groups_of_like_sd(&own), floor, moderate_cautiously);
    let estimates = values.iter().zip(moderated).map(|(values, variance)| {
        Moments::of(values).map(|moments| Estimate::new(moments.mean, moments.n, variance))
    });
    (ErrorModel::Independent, estimates.collect(), Errors::Independent { own, most })
}

/// Compares every two cells by their differences, repeat by repeat, with variances moderated over
/// all pairs of cells.
fn differences(cells: &[&[Option<f64>]], floor: f64) -> Vec<Vec<Option<MeanDifference>>> {
    let count = cells.len();
    let mut table = vec![vec![None; count]; count];
    let mut found = Vec::new();
    for a in 0..count {
        for b in a + 1..count {
            if let Some(pairs) = Pairs::of(cells[a], cells[b]) {
                found.push((a, b, pairs));
            }
        }
    }
    let own: Vec<Variance> = found.iter().map(|(_, _, pairs)| pairs.variance).collect();
    // Of all pairs of cells only those with one and the same cell vary freely.
    let share = 2.0 / count as f64;
    let most = share * own.iter().map(|own| own.degrees_of_freedom).sum::<f64>();
    for ((a, b, pairs), variance) in found.into_iter().zip(moderate(&own, 2.0 * floor)) {
        let degrees_of_freedom = variance.degrees_of_freedom.min(most);
        if let Some(test) = pairs.test(Variance { degrees_of_freedom, ..variance }) {
            table[a][b] = Some(test);
            table[b][a] = Some(MeanDifference::new(-test.difference, test.se, degrees_of_freedom));
        }
    }
    table
}

#[cfg(test)]
mod tests;
