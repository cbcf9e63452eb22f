//! What a comparison with the best can show, and how many repeats it takes.

use super::BestSet;
use crate::distributions::{noncentral_t_cdf, normal_sf};
use crate::dunnett::SharedError;
use crate::mixture::{Contrast, VarianceMixture, ratios_of_variance};
use crate::moderated::Variance;
use crate::power::{Sides, noncentrality_for, smallest_detectable};
use crate::roots::crossing;

/// Cells whose variances are looked at together when planning; more add nothing.
const MAX_CELLS: usize = 1_000;

/// The smallest true distances from the best at which a cell is left out of the set.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Detectable {
    /// In a cell whose spread is the median.
    pub usual: f64,
    /// In the cell with the greatest error.
    pub noisiest: f64,
}

impl BestSet {
    /// Returns the smallest true distances from the best at which a cell is left out with probability
    /// `power` when the experiment is repeated; nothing where no error is known. It is the rule of the
    /// set itself, so both can be printed side by side; that the spread is only estimated is part of the
    /// probability.
    #[must_use]
    pub fn detectable(&self, power: f64) -> Option<Detectable> {
        let leader = self.leader?;
        let error = |other: usize| match &self.mixture {
            Some(mixture) => mixture.squared_error(self.contrast(leader, other)),
            None => self.lead(leader, other).map_or(0.0, |lead| lead.se * lead.se),
        };
        let mut others: Vec<(f64, usize)> = self
            .others(leader)
            .filter(|&other| self.lead(leader, other).is_some())
            .map(|other| (error(other), other))
            .collect();
        others.sort_by(|a, b| a.0.total_cmp(&b.0));
        let at = |index: usize| self.detectable_in(others.get(index)?.1, power);
        let last = others.len().checked_sub(1)?;
        let usual = at(last / 2)?;
        let noisiest = if last > 0 { at(last)? } else { usual };
        Some(Detectable { usual, noisiest: noisiest.max(usual) })
    }

    /// Returns the smallest true distance from the best at which `cell` is left out, as
    /// [`detectable`](Self::detectable).
    ///
    /// # Panics
    /// If there is no such cell.
    #[must_use]
    pub fn detectable_in(&self, cell: usize, power: f64) -> Option<f64> {
        let leader = self.leader.filter(|leader| *leader != cell)?;
        let lead = self.lead(leader, cell)?;
        let level = self.level(cell)?;
        if let Some(mixture) = &self.mixture {
            return Some(mixture.detectable(self.contrast(leader, cell), None, (level, power)));
        }
        if lead.se == 0.0 {
            return Some(0.0);
        }
        let critical = self.margin(leader, cell, &lead, level) / lead.se;
        Some(lead.se * noncentrality_where_sd_is_seen(critical, lead.degrees_of_freedom, power)?)
    }
}

/// Returns the true distance, in standard errors as they were seen, at which a repetition exceeds
/// `critical` with probability `power`: the noncentrality of [`noncentrality_for`], over what the true
/// standard error may be given the one seen.
fn noncentrality_where_sd_is_seen(critical: f64, freedom: f64, power: f64) -> Option<f64> {
    let guess = noncentrality_for(critical, freedom, power)?;
    let ratios = ratios_of_variance(freedom);
    let excess = |distance: f64| {
        let reached =
            |ratio: &f64| 1.0 - noncentral_t_cdf(critical, freedom, distance * ratio.sqrt());
        ratios.iter().map(reached).sum::<f64>() / ratios.len() as f64 - power
    };
    let mut most = guess;
    while excess(most) < 0.0 {
        most *= 2.0;
    }
    Some(crossing(0.0, most, 1e-4 * most, excess))
}

/// Plans a comparison with the best: returns the smallest true distance at which a cell is left out
/// of the set with probability `power`, for `cells` cells of `n` values each with standard deviation
/// `sd`. Two cells estimate it together, three and more have variances of their own.
///
/// Nothing for fewer than two cells or values, or probabilities that make no sense.
///
/// ```
/// // scipy.stats.nct and optimize.brentq with c = scipy.stats.t.isf(0.05, 8): d with
/// // nct.sf(c, 8, d) = 0.8, times sqrt(2 / 5)
/// let found = gridbench_stats::detectable_from_best(1.0, 5, 2, 0.05, 0.8).unwrap();
/// assert!((found - 1.724_607_3).abs() < 1e-4);
/// ```
#[must_use]
pub fn detectable_from_best(
    sd: f64,
    n: usize,
    cells: usize,
    alpha: f64,
    power: f64,
) -> Option<f64> {
    let sound = n > 1 && cells > 1 && sd >= 0.0;
    if !(sound && alpha < power && power < 1.0) {
        return None;
    }
    let own = Variance { variance: sd * sd, degrees_of_freedom: (n - 1) as f64 };
    let Some(mixture) = VarianceMixture::of(&vec![own; cells.min(MAX_CELLS)], 0.0) else {
        return smallest_detectable(sd, n, alpha, power, Sides::One);
    };
    let score =
        SharedError::balanced(cells - 1, f64::INFINITY).critical_value(alpha, Sides::One)?;
    let contrast = Contrast { cells: [0, 1], counts: [n as f64; 2], extra: 0.0 };
    Some(mixture.detectable(contrast, Some(sd * sd), (normal_sf(score), power)))
}

/// Returns the fewest repeats, at least 2 and at most `most`, at which
/// [`detectable_from_best`] is at most `difference`.
#[must_use]
pub fn repeats_to_leave_best(
    sd: f64,
    difference: f64,
    cells: usize,
    (alpha, power): (f64, f64),
    most: usize,
) -> Option<usize> {
    let reaches = |n: usize| {
        detectable_from_best(sd, n, cells, alpha, power)
            .is_some_and(|detectable| detectable <= difference)
    };
    let (mut low, mut high) = (1, 2);
    while !reaches(high) {
        if high >= most {
            return None;
        }
        (low, high) = (high, (2 * high).min(most));
    }
    while high - low > 1 {
        let middle = low + (high - low) / 2;
        if reaches(middle) {
            high = middle;
        } else {
            low = middle;
        }
    }
    Some(high)
}
