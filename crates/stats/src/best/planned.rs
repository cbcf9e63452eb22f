//! How many repeats a comparison with the best takes.

use crate::distributions::normal_sf;
use crate::dunnett::SharedError;
use crate::mixture::{Contrast, VarianceMixture};
use crate::moderated::Variance;
use crate::power::{Sides, noncentrality_for};

/// Cells whose variances are looked at together when planning; more add nothing.
const MAX_CELLS: usize = 1_000;

/// Plans a comparison with the best: returns the smallest true distance at which a cell is left out
/// of the set with probability `power`, for `cells` cells of `n` values each with standard deviation
/// `sd`, which with fewer than five cells is known on so many degrees of freedom (more cells have
/// variances of their own).
///
/// Nothing for fewer than two cells or values, or probabilities that make no sense.
///
/// ```
/// // scipy.stats.nct and optimize.brentq with c = 2.2271 (Dunnett, 3 comparisons, 16 degrees of
/// // freedom): d with nct.sf(c, 16, d) = 0.8, times sqrt(2 / 5)
/// let found = gridbench_stats::detectable_from_best(1.0, 5, 4, 16.0, 0.05, 0.8).unwrap();
/// assert!((found - 1.957_875_6).abs() < 1e-4);
/// ```
#[must_use]
pub fn detectable_from_best(
    sd: f64,
    n: usize,
    cells: usize,
    degrees_of_freedom: f64,
    alpha: f64,
    power: f64,
) -> Option<f64> {
    let sound = n > 1 && cells > 1 && sd >= 0.0 && degrees_of_freedom > 0.0;
    if !(sound && alpha < power && power < 1.0) {
        return None;
    }
    let own = Variance { variance: sd * sd, degrees_of_freedom: (n - 1) as f64 };
    if let Some(mixture) = VarianceMixture::of(&vec![own; cells.min(MAX_CELLS)], 0.0) {
        let score =
            SharedError::balanced(cells - 1, f64::INFINITY).critical_value(alpha, Sides::One)?;
        let contrast = Contrast { cells: [0, 1], counts: [n as f64; 2], extra: 0.0 };
        let margin = mixture.gap(contrast, normal_sf(score));
        return Some(margin + mixture.gap(contrast, 1.0 - power));
    }
    let critical =
        SharedError::balanced(cells - 1, degrees_of_freedom).critical_value(alpha, Sides::One)?;
    let distance = noncentrality_for(critical, degrees_of_freedom, power)?;
    Some(distance * sd * (2.0 / n as f64).sqrt())
}

/// Returns the fewest repeats, at least 2 and at most `most`, at which
/// [`detectable_from_best`] is at most `difference`; `degrees_of_freedom` are those at so many
/// repeats.
#[must_use]
pub fn repeats_to_leave_best(
    sd: f64,
    difference: f64,
    cells: usize,
    degrees_of_freedom: impl Fn(usize) -> f64,
    (alpha, power): (f64, f64),
    most: usize,
) -> Option<usize> {
    let reaches = |n: usize| {
        detectable_from_best(sd, n, cells, degrees_of_freedom(n), alpha, power)
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
