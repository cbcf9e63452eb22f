//! The largest of several correlated t statistics: critical values for many comparisons at once.
//!
//! Comparisons with one and the same cell share its error, so their statistics are correlated, and
//! Bonferroni's rule asks for more than is needed. The correlation has one factor, the shared
//! error, given which the statistics are independent: two nested integrals over smooth functions
//! instead of one over all dimensions (Dunnett 1955, <https://doi.org/10.2307/2281208>).

use super::distributions::{normal_cdf, t_quantile};
use super::power::Sides;
use super::roots::crossing;

/// A loading closer to 1 is taken for this: a smaller correlation is never too lenient, and the
/// integrand stays smooth.
const MAX_LOADING: f64 = 0.995;
/// Standard deviations beyond which the shared error is not integrated.
const REACH: f64 = 7.0;

/// The joint distribution of t statistics that share one error and one variance estimate.
///
/// `loadings` are the statistics' correlations with the shared error: the correlation of two
/// statistics is the product of theirs. Comparisons of cells of equal size and spread with one of
/// them have √½; independent statistics have 0.
#[derive(Debug, Clone, PartialEq)]
pub struct SharedError {
    /// Distinct loadings and how many statistics have each.
    loadings: Vec<(f64, i32)>,
    /// Values of the shared error and their weights.
    errors: Vec<(f64, f64)>,
    /// Ratios of estimated to true standard deviation and their weights.
    scales: Vec<(f64, f64)>,
    degrees_of_freedom: f64,
}

impl SharedError {
    /// Describes statistics with these `loadings` and `degrees_of_freedom`, which may be infinite.
    ///
    /// # Panics
    /// If there is no loading, or the degrees of freedom are not positive.
    #[must_use]
    pub fn new(loadings: &[f64], degrees_of_freedom: f64) -> Self {
        assert!(!loadings.is_empty(), "something is compared");
        assert!(degrees_of_freedom > 0.0, "{degrees_of_freedom} degrees of freedom");
        let mut sorted: Vec<f64> =
            loadings.iter().map(|loading| loading.abs().min(MAX_LOADING)).collect();
        sorted.sort_unstable_by(f64::total_cmp);
        let steepest = sorted[sorted.len() - 1];
        let loadings = sorted
            .chunk_by(|a, b| a.to_bits() == b.to_bits())
            .map(|equal| (equal[0], equal.len() as i32))
            .collect();
        Self {
            loadings,
            errors: error_nodes(steepest),
            scales: scale_nodes(degrees_of_freedom),
            degrees_of_freedom,
        }
    }

    /// Describes `comparisons` cells compared with one more, all of equal size and spread.
    #[must_use]
    pub fn balanced(comparisons: usize, degrees_of_freedom: f64) -> Self {
        Self::new(&vec![std::f64::consts::FRAC_1_SQRT_2; comparisons], degrees_of_freedom)
    }

    /// Returns the probability that no statistic exceeds `t` (in absolute value, where two-sided)
    /// if all true differences are 0, to about 10⁻⁶.
    ///
    /// ```
    /// use gridbench_stats::{SharedError, Sides};
    /// // R: mvtnorm::pmvt(upper = rep(2, 4), df = 20L, corr = 0.5 + 0.5 * diag(4))
    /// let p = SharedError::balanced(4, 20.0).probability_below(2.0, Sides::One);
    /// assert!((p - 0.912_014_9).abs() < 1e-5);
    /// ```
    #[must_use]
    pub fn probability_below(&self, t: f64, sides: Sides) -> f64 {
        let at_scale = |scale: f64| -> f64 {
            let given_error = |&(error, weight): &(f64, f64)| {
                let mut all = weight;
                for &(loading, count) in &self.loadings {
                    let rest = (1.0 - loading * loading).sqrt();
                    let below = normal_cdf((t * scale - loading * error) / rest);
                    let one = match sides {
                        Sides::One => below,
                        Sides::Two => {
                            (below - normal_cdf((-t * scale - loading * error) / rest)).max(0.0)
                        }
                    };
                    all *= one.powi(count);
                    if all < 1e-14 {
                        return 0.0;
                    }
                }
                all
            };
            self.errors.iter().map(given_error).sum()
        };
        self.scales.iter().map(|&(scale, weight)| weight * at_scale(scale)).sum::<f64>().min(1.0)
    }

    /// Returns the value that any statistic exceeds with probability `alpha` if all true
    /// differences are 0, to about 10⁻⁵. Nothing for a level outside 0 to 1.
    ///
    /// ```
    /// use gridbench_stats::{SharedError, Sides};
    /// // Dunnett (1955), table 1a: p = 4 comparisons, 20 degrees of freedom, 5 % one-sided: 2.30
    /// let critical = SharedError::balanced(4, 20.0).critical_value(0.05, Sides::One).unwrap();
    /// assert!((critical - 2.30).abs() < 0.005);
    /// ```
    #[must_use]
    pub fn critical_value(&self, alpha: f64, sides: Sides) -> Option<f64> {
        if !(0.0 < alpha && alpha < 1.0) {
            return None;
        }
        let count: i32 = self.loadings.iter().map(|(_, count)| count).sum();
        let quantile = |tail: f64| {
            // Beyond so many, Student's t is the normal distribution.
            -t_quantile(sides.tail(tail), self.degrees_of_freedom.min(1e9))
        };
        let (low, high) = (quantile(alpha), quantile(alpha / f64::from(count)));
        if count == 1 {
            return Some(low);
        }
        // Quadrature is a hair off at the ends, where the answer may lie for uncorrelated ones.
        let (low, high) = (low - 1e-3 * low.abs(), high + 1e-3 * high.abs());
        Some(crossing(low, high, 1e-6, |t| self.probability_below(t, sides) - (1.0 - alpha)))
    }
}

/// Returns the value that the largest of `count` *independent* |t| statistics with a common
/// variance estimate exceeds with probability `alpha`: the studentized maximum modulus, for
/// intervals of several means that hold all at once (Stoline & Ury 1979).
///
/// Nothing without a statistic, or for levels and degrees of freedom that make no sense.
///
/// ```
/// // R: mvtnorm::qmvt(0.95, tail = "both.tails", df = 12, corr = diag(10))
/// let critical = gridbench_stats::maximum_modulus(10, 12.0, 0.05).unwrap();
/// assert!((critical - 3.345_034_8).abs() < 1e-4);
/// ```
#[must_use]
pub fn maximum_modulus(count: usize, degrees_of_freedom: f64, alpha: f64) -> Option<f64> {
    if count == 0 || degrees_of_freedom.is_nan() || degrees_of_freedom <= 0.0 {
        return None;
    }
    SharedError::new(&vec![0.0; count], degrees_of_freedom).critical_value(alpha, Sides::Two)
}

/// The trapezoid rule over a standard normal error: for smooth functions that vanish at both ends
/// it converges faster than any power of the step.
fn error_nodes(steepest: f64) -> Vec<(f64, f64)> {
    if steepest == 0.0 {
        return vec![(0.0, 1.0)];
    }
    let slope = steepest / (1.0 - steepest * steepest).sqrt();
    let step = 0.55 / (1.0 + slope * slope).sqrt();
    let half = (REACH / step).ceil() as i32;
    let nodes = (-half..=half).map(|index| {
        let error = step * f64::from(index);
        (error, (-0.5 * error * error).exp())
    });
    normalized(nodes.collect())
}

/// The trapezoid rule over ln(s/σ), whose density is e^(νx − ν·e^(2x)/2) up to a factor.
fn scale_nodes(degrees_of_freedom: f64) -> Vec<(f64, f64)> {
    let nu = degrees_of_freedom;
    if nu > 1e6 {
        return vec![(1.0, 1.0)];
    }
    let step = (0.5 / (2.0 * nu).sqrt()).min(0.35);
    let log_density = |x: f64| nu * (x - 0.5 * (2.0 * x).exp() + 0.5);
    let mut nodes = vec![(0.0, 1.0)];
    for direction in [-1.0, 1.0] {
        for index in 1..2_000 {
            let x = direction * step * f64::from(index);
            let log = log_density(x);
            if log < -18.0 {
                break;
            }
            nodes.push((x, log.exp()));
        }
    }
    normalized(nodes.into_iter().map(|(x, weight)| (x.exp(), weight)).collect())
}

fn normalized(mut nodes: Vec<(f64, f64)>) -> Vec<(f64, f64)> {
    let sum: f64 = nodes.iter().map(|(_, weight)| weight).sum();
    for (_, weight) in &mut nodes {
        *weight /= sum;
    }
    nodes
}

#[cfg(test)]
mod tests;
