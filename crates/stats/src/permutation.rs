//! The permutation test of a difference of means.

use serde::Serialize;

use super::bootstrap::resample;
use super::moments::Moments;

/// Up to so many divisions of the values, all are tried: two samples of ten have 184,756.
const EXACT_UP_TO: f64 = 200_000.0;

/// Divisions drawn where there are more.
const DRAWN: usize = 100_000;

/// A permutation test.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Permutation {
    /// Mean of the first minus mean of the second.
    pub difference: f64,
    /// Share of the divisions into two samples whose means differ at least as much, either way.
    pub p_two_sided: f64,
    /// Whether all divisions were tried; otherwise 100,000 drawn ones, the observed one added
    /// (Phipson & Smyth 2010, <https://doi.org/10.2202/1544-6115.1585>).
    pub exact: bool,
}

/// Tests a difference of means against all ways, or seeded random ways, to divide the values in
/// two samples of these sizes (Fisher 1935; Pitman 1937).
///
/// Nothing if either is empty or a value is not finite.
///
/// ```
/// let a = [0.9921, 0.9918, 0.9934, 0.9925, 0.9929, 0.9911];
/// let b = [0.9899, 0.9907, 0.9912, 0.9883];
/// // scipy.stats.permutation_test((a, b), abs of difference of means, n_resamples=numpy.inf)
/// let found = gridbench_stats::permutation_test(&a, &b, 1).unwrap();
/// assert!(found.exact && (found.p_two_sided - 0.009_523_809_523_809_525).abs() < 1e-12);
/// ```
#[must_use]
pub fn permutation_test(a: &[f64], b: &[f64], seed: u64) -> Option<Permutation> {
    let (first, second) = (Moments::of(a)?, Moments::of(b)?);
    let difference = first.mean - second.mean;
    let mut pool: Vec<f64> = a.iter().chain(b).copied().collect();
    pool.sort_unstable_by(f64::total_cmp);
    let centre = Moments::of(&pool)?.mean;
    for value in &mut pool {
        *value -= centre;
    }
    // Around the common mean, the difference of means is proportional to the sum of either side.
    let smaller = a.len().min(b.len());
    let side = if a.len() == smaller { a } else { b };
    let observed: f64 = side.iter().map(|value| value - centre).sum();
    // Equal differences must count as equal although their sums are rounded differently.
    let slack = 1e-12 * pool.iter().map(|value| value.abs()).sum::<f64>();
    let threshold = observed.abs() - slack;
    let divisions = binomial(pool.len(), smaller);
    let exact = divisions <= EXACT_UP_TO;
    let p_two_sided = if exact {
        count_sums(&pool, smaller, 0.0, threshold) as f64 / divisions
    } else {
        let sums = resample(DRAWN, seed, |draws| {
            // The first steps of a shuffle choose a sample of this size.
            let mut order: Vec<usize> = (0..pool.len()).collect();
            let mut sum = 0.0;
            for index in 0..smaller {
                order.swap(index, index + draws.index(pool.len() - index));
                sum += pool[order[index]];
            }
            sum
        });
        let extreme = sums.iter().filter(|sum| sum.abs() >= threshold).count();
        (extreme + 1) as f64 / (DRAWN + 1) as f64
    };
    Some(Permutation { difference, p_two_sided, exact })
}

/// Counts the choices of `choose` values of `pool` whose sum with `sum` is at least `threshold`
/// either way.
fn count_sums(pool: &[f64], choose: usize, sum: f64, threshold: f64) -> usize {
    if choose == 0 {
        return usize::from(sum.abs() >= threshold);
    }
    (0..=pool.len() - choose)
        .map(|index| count_sums(&pool[index + 1..], choose - 1, sum + pool[index], threshold))
        .sum()
}

fn binomial(n: usize, k: usize) -> f64 {
    (0..k).fold(1.0, |ways, i| ways * (n - i) as f64 / (i + 1) as f64).round()
}

#[cfg(test)]
mod tests {
    use super::super::testing::{C, D, assert_close};
    use super::*;

    #[test]
    fn the_exact_test_agrees_with_scipy() {
        // scipy.stats.permutation_test((a, b), abs of difference of means, alternative='greater',
        // n_resamples=numpy.inf)
        let a = [0.9921, 0.9918, 0.9934, 0.9925, 0.9929, 0.9911];
        let b = [0.9899, 0.9907, 0.9912, 0.9883];
        for (first, second) in [(&a[..], &b[..]), (&b, &a)] {
            let found = permutation_test(first, second, 1).unwrap();
            assert_close(found.p_two_sided, 0.009_523_809_523_809_525, 1e-12);
            assert!(found.exact);
        }
        let found = permutation_test(&C, &D, 1).unwrap();
        assert_close(found.p_two_sided, 0.056_721_056_721_056_72, 1e-12);
        assert_close(found.difference, 0.002_437_5, 1e-12);
    }

    #[test]
    fn drawn_divisions_come_near_the_exact_answer() {
        // Every value twice: more divisions than are tried one by one.
        let twice = |values: &[f64]| [values, values].concat();
        let found = permutation_test(&twice(&C), &twice(&D), 1).unwrap();
        assert!(!found.exact);
        // Share of 2,000,000 numpy.random.permuted orders; 100,000 have a standard error of 0.0002.
        assert_close(found.p_two_sided, 0.004_202, 0.000_8);
    }

    #[test]
    fn equal_values_show_nothing() {
        assert_close(permutation_test(&[1.0; 4], &[1.0; 5], 1).unwrap().p_two_sided, 1.0, 0.0);
        assert_close(permutation_test(&[1.0], &[2.0], 1).unwrap().p_two_sided, 1.0, 0.0);
        assert_eq!(permutation_test(&[], &[1.0], 1), None);
        assert_eq!(permutation_test(&[f64::NAN], &[1.0], 1), None);
    }
}
