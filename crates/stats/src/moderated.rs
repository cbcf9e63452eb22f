//! Moderated variances: few values per cell say little of its spread, all cells together say more.
//!
//! Empirical Bayes after Smyth (2004, <https://doi.org/10.2202/1544-6115.1027>), the arithmetic of
//! limma's `fitFDist` and `squeezeVar`: the variances of all cells are taken for draws from a
//! scaled inverse χ² distribution, whose two parameters the spread of their logarithms gives. Every
//! variance then moves toward the common one, the more so the fewer values it was estimated from.

use serde::Serialize;

use super::moments::Moments;
use super::polygamma::{inverse_trigamma, mean_of_log_variance, variance_of_log_variance};
use super::spline::natural_spline_fit;
use super::spread::chi_squared_quantile;

/// Fewer cells than this keep their own variances: there is nothing to learn a prior from.
pub const MIN_MODERATED_CELLS: usize = 3;

/// A variance and how well it is known.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Variance {
    /// The variance, in the square of the values' unit.
    pub variance: f64,
    /// Its degrees of freedom: n − 1 for n values; 0 where nothing is known of it.
    pub degrees_of_freedom: f64,
}

impl Variance {
    /// Returns the variance of `values`: nothing known of a single one, and nothing at all of none
    /// or of values that are not finite.
    ///
    /// ```
    /// // numpy.var([1, 2, 4], ddof=1)
    /// let found = gridbench_stats::Variance::of(&[1.0, 2.0, 4.0]).unwrap();
    /// assert!((found.variance - 2.333_333_333_333_333_5).abs() < 1e-15);
    /// assert_eq!(found.degrees_of_freedom, 2.0);
    /// ```
    #[must_use]
    pub fn of(values: &[f64]) -> Option<Self> {
        let moments = Moments::of(values)?;
        let degrees_of_freedom = (moments.n - 1) as f64;
        Some(Self { variance: moments.sd.map_or(0.0, |sd| sd * sd), degrees_of_freedom })
    }

    /// Returns the standard deviation.
    #[must_use]
    pub fn sd(&self) -> f64 {
        self.variance.sqrt()
    }

    pub(super) fn is_known(&self) -> bool {
        self.degrees_of_freedom > 1e-15 && self.variance.is_finite() && self.variance >= 0.0
    }
}

/// What the variances of many cells have in common.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct VariancePrior {
    /// The common variance s₀².
    pub variance: f64,
    /// How many degrees of freedom it is worth, d₀: infinite where the variances differ by no more
    /// than chance.
    pub degrees_of_freedom: f64,
}

impl VariancePrior {
    /// Fits the prior to the variances of at least two cells, by the moments of their logarithms
    /// (Smyth 2004, eq. 10–11; unequal degrees of freedom as in limma's `fitFDist`). Nothing for
    /// fewer cells with a known variance, or if all of them are 0.
    ///
    /// ```
    /// use gridbench_stats::{Variance, VariancePrior};
    /// // R: limma::fitFDist(c(0.1, 1.9, 0.02, 3.2, 0.25, 30), c(2, 4, 2, 4, 3, 4))
    /// let cells: Vec<Variance> = [(0.1, 2.0), (1.9, 4.0), (0.02, 2.0), (3.2, 4.0), (0.25, 3.0), (30.0, 4.0)]
    ///     .map(|(variance, degrees_of_freedom)| Variance { variance, degrees_of_freedom })
    ///     .to_vec();
    /// let prior = VariancePrior::fit(&cells).unwrap();
    /// assert!((prior.variance - 0.262_207_279_055_785_5).abs() < 1e-12);
    /// assert!((prior.degrees_of_freedom - 0.961_969_224_754_606_9).abs() < 1e-12);
    /// ```
    #[must_use]
    pub fn fit(variances: &[Variance]) -> Option<Self> {
        let known: Vec<Variance> = variances.iter().copied().filter(Variance::is_known).collect();
        let offset = offset_from_zero(&known)?;
        let logs: Vec<f64> = offset.iter().map(centred_log).collect();
        let mean = logs.iter().sum::<f64>() / logs.len() as f64;
        let squares: f64 = logs.iter().map(|log| (log - mean).powi(2)).sum();
        let excess = squares / (logs.len() - 1) as f64 - mean_of_chance(&offset);
        Some(if excess > 0.0 {
            let degrees_of_freedom = 2.0 * inverse_trigamma(excess);
            let variance = (mean + mean_of_log_variance(degrees_of_freedom)).exp();
            Self { variance, degrees_of_freedom }
        } else {
            let sum: f64 = offset.iter().map(|own| own.variance).sum();
            Self { variance: sum / offset.len() as f64, degrees_of_freedom: f64::INFINITY }
        })
    }

    /// Returns `own` moved toward the prior: (d₀s₀² + ds²)/(d₀ + d) on d₀ + d degrees of freedom,
    /// yet never on more than `most`, those of all cells together.
    #[must_use]
    pub fn posterior(&self, own: &Variance, most: f64) -> Variance {
        let known = if own.is_known() { own.degrees_of_freedom } else { 0.0 };
        let total = self.degrees_of_freedom + known;
        let variance = if self.degrees_of_freedom.is_infinite() {
            self.variance
        } else if known > 0.0 {
            (self.degrees_of_freedom * self.variance + known * own.variance) / total
        } else {
            self.variance
        };
        Variance { variance, degrees_of_freedom: total.min(most) }
    }
}

/// Returns ln s², less what it is expected to fall short of ln σ².
fn centred_log(own: &Variance) -> f64 {
    own.variance.ln() - mean_of_log_variance(own.degrees_of_freedom)
}

/// Returns the part of the variance of ln s² that is chance.
fn mean_of_chance(variances: &[Variance]) -> f64 {
    let sum: f64 =
        variances.iter().map(|own| variance_of_log_variance(own.degrees_of_freedom)).sum();
    sum / variances.len() as f64
}

/// Lifts variances of 0, which have no logarithm, to 10⁻⁵ of the median, as limma does (of 1 where
/// most are 0). Nothing for fewer than two, or without any spread.
pub(super) fn offset_from_zero(known: &[Variance]) -> Option<Vec<Variance>> {
    if known.len() < 2 || known.iter().all(|own| own.variance == 0.0) {
        return None;
    }
    let mut sorted: Vec<f64> = known.iter().map(|own| own.variance).collect();
    sorted.sort_unstable_by(f64::total_cmp);
    let half = sorted.len() / 2;
    let median =
        if sorted.len() % 2 == 1 { sorted[half] } else { 0.5 * (sorted[half - 1] + sorted[half]) };
    let least = 1e-5 * if median > 0.0 { median } else { sorted[sorted.len() - 1] };
    Some(known.iter().map(|own| Variance { variance: own.variance.max(least), ..*own }).collect())
}

/// Moderates the variances of cells that are alike in kind: each moves toward what all have in
/// common. In the order of `variances`.
///
/// `floor` is the least variance that can be believed: values that are multiples of q vary by
/// q²/12 even where a few happen to agree. Where *every* cell's variance is 0, nothing varies, and
/// all stay 0. Fewer than [`MIN_MODERATED_CELLS`] cells with a known variance keep their own.
///
/// ```
/// use gridbench_stats::{Variance, moderate};
/// let cells: Vec<Variance> = [(0.1, 2.0), (1.9, 4.0), (0.02, 2.0), (3.2, 4.0), (0.25, 3.0), (30.0, 4.0)]
///     .map(|(variance, degrees_of_freedom)| Variance { variance, degrees_of_freedom })
///     .to_vec();
/// // R: limma::squeezeVar(s2, df)$var.post[1], and df.prior + 2
/// let found = moderate(&cells, 0.0);
/// assert!((found[0].variance - 0.152_680_631_918_373_72).abs() < 1e-12);
/// assert!((found[0].degrees_of_freedom - 2.961_969_224_754_607).abs() < 1e-12);
/// ```
#[must_use]
pub fn moderate(variances: &[Variance], floor: f64) -> Vec<Variance> {
    let floored = raise_to_floor(variances, floor);
    match prior_of(&floored) {
        Some((prior, most)) => floored.iter().map(|own| prior.posterior(own, most)).collect(),
        None => floored,
    }
}

/// As [`moderate`], for choices among many cells, where the ones whose spread was underestimated by
/// luck would decide: no cell counts as quieter than the common spread (the geometric mean) unless
/// its own values show it with 90 % confidence.
///
/// ```
/// use gridbench_stats::{Variance, moderate, moderate_cautiously};
/// let cells: Vec<Variance> = [0.1, 1.9, 0.02, 3.2, 0.25, 30.0]
///     .map(|variance| Variance { variance, degrees_of_freedom: 2.0 })
///     .to_vec();
/// for (own, cautious) in moderate(&cells, 0.0).iter().zip(moderate_cautiously(&cells, 0.0)) {
///     assert!(cautious.variance >= own.variance);
/// }
/// ```
#[must_use]
pub fn moderate_cautiously(variances: &[Variance], floor: f64) -> Vec<Variance> {
    let floored = raise_to_floor(variances, floor);
    let moderated = moderate(variances, floor);
    let known: Vec<Variance> = floored.iter().copied().filter(Variance::is_known).collect();
    let is_pooled =
        prior_of(&floored).is_none_or(|(prior, _)| prior.degrees_of_freedom.is_infinite());
    let Some(offset) = offset_from_zero(&known).filter(|_| !is_pooled) else {
        return moderated;
    };
    let common = (offset.iter().map(centred_log).sum::<f64>() / offset.len() as f64).exp();
    let raise = |(own, moderated): (&Variance, Variance)| {
        let most = if own.is_known() {
            let freedom = own.degrees_of_freedom;
            freedom * own.variance / chi_squared_quantile(0.1, freedom)
        } else {
            common
        };
        Variance { variance: moderated.variance.max(common.min(most)), ..moderated }
    };
    floored.iter().zip(moderated).map(raise).collect()
}

/// As [`moderate`], each group among itself: for cells whose spread differs for a known reason, such
/// as ensembles of different size. `groups` names the group of every cell.
///
/// # Panics
/// If there is not one group for every variance.
#[must_use]
pub fn moderate_in_groups(variances: &[Variance], groups: &[usize], floor: f64) -> Vec<Variance> {
    in_groups(variances, groups, floor, moderate)
}

/// Applies `rule` to each group by itself.
pub(super) fn in_groups(
    variances: &[Variance],
    groups: &[usize],
    floor: f64,
    rule: impl Fn(&[Variance], f64) -> Vec<Variance>,
) -> Vec<Variance> {
    assert_eq!(variances.len(), groups.len(), "every cell has a group");
    let floored = raise_to_floor(variances, floor);
    let mut moderated = floored.clone();
    let mut distinct = groups.to_vec();
    distinct.sort_unstable();
    distinct.dedup();
    for group in distinct {
        let members: Vec<usize> = (0..groups.len()).filter(|&cell| groups[cell] == group).collect();
        let own: Vec<Variance> = members.iter().map(|&cell| floored[cell]).collect();
        for (cell, found) in members.into_iter().zip(rule(&own, 0.0)) {
            moderated[cell] = found;
        }
    }
    moderated
}

/// As [`moderate`], toward a common variance that follows `covariate` along a smooth curve, for
/// cells whose spread changes with their mean (limma's trend: a natural cubic spline through ln s²
/// with two to four coefficients).
///
/// # Panics
/// If there is not one covariate for every variance, or one is not finite.
#[must_use]
pub fn moderate_along(variances: &[Variance], covariate: &[f64], floor: f64) -> Vec<Variance> {
    assert_eq!(variances.len(), covariate.len(), "every cell has a covariate");
    assert!(covariate.iter().all(|value| value.is_finite()), "covariates are finite");
    let floored = raise_to_floor(variances, floor);
    let indices: Vec<usize> = (0..floored.len()).filter(|&cell| floored[cell].is_known()).collect();
    let known: Vec<Variance> = indices.iter().map(|&cell| floored[cell]).collect();
    let x: Vec<f64> = indices.iter().map(|&cell| covariate[cell]).collect();
    let mut distinct = x.clone();
    distinct.sort_unstable_by(f64::total_cmp);
    distinct.dedup();
    let wanted = 1 + [3, 6, 30].iter().filter(|&&least| known.len() >= least).count();
    let dimension = wanted.min(distinct.len());
    let everywhere = known.len() == floored.len();
    let offset = offset_from_zero(&known).filter(|_| known.len() >= MIN_MODERATED_CELLS);
    let Some(offset) = offset.filter(|_| dimension > 1 && everywhere) else {
        return moderate(variances, floor);
    };
    let logs: Vec<f64> = offset.iter().map(centred_log).collect();
    let (curve, rank) = natural_spline_fit(&x, &logs, dimension);
    let squares: f64 = logs.iter().zip(&curve).map(|(log, fit)| (log - fit).powi(2)).sum();
    let excess = squares / (logs.len() - rank).max(1) as f64 - mean_of_chance(&offset);
    let most = known.iter().map(|own| own.degrees_of_freedom).sum();
    let (degrees_of_freedom, shift) = if excess > 0.0 {
        let found = 2.0 * inverse_trigamma(excess);
        (found, mean_of_log_variance(found))
    } else {
        (f64::INFINITY, 0.0)
    };
    let posterior = |(own, fit): (&Variance, &f64)| {
        VariancePrior { variance: (fit + shift).exp(), degrees_of_freedom }.posterior(own, most)
    };
    floored.iter().zip(&curve).map(posterior).collect()
}

/// Raises variances to `floor`, unless none of them is above 0.
pub(super) fn raise_to_floor(variances: &[Variance], floor: f64) -> Vec<Variance> {
    let any_spread = variances.iter().any(|own| own.is_known() && own.variance > 0.0);
    let least = if any_spread { floor } else { 0.0 };
    variances.iter().map(|own| Variance { variance: own.variance.max(least), ..*own }).collect()
}

/// Returns the prior of enough cells, and their degrees of freedom together.
fn prior_of(variances: &[Variance]) -> Option<(VariancePrior, f64)> {
    let known = || variances.iter().filter(|own| own.is_known());
    let prior = VariancePrior::fit(variances).filter(|_| known().count() >= MIN_MODERATED_CELLS)?;
    Some((prior, known().map(|own| own.degrees_of_freedom).sum()))
}

#[cfg(test)]
mod tests;
