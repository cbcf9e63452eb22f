//! Shares of test images: Wilson's interval and `McNemar`'s test.

use serde::Serialize;
use statrs::function::beta::beta_reg;
use statrs::function::gamma::{gamma_ur, ln_gamma};

use super::distributions::{normal_quantile, normal_sf};

/// Returns Wilson's score interval (1927) of a share of `successes` in `n`, at `level`.
///
/// `successes` may be a fraction: the mean number of correct images over several trials. Nothing
/// unless 0 ≤ successes ≤ n and n > 0.
///
/// ```
/// // statsmodels proportion_confint(987, 1000, 0.05, method='wilson')
/// let (low, high) = gridbench_stats::wilson(987.0, 1000, 0.95).unwrap();
/// assert!((low - 0.977_885_557_624_420_3).abs() < 1e-12);
/// assert!((high - 0.992_387_179_610_648_9).abs() < 1e-12);
/// ```
#[must_use]
pub fn wilson(successes: f64, n: usize, level: f64) -> Option<(f64, f64)> {
    let total = n as f64;
    if n == 0 || !(0.0..=total).contains(&successes) || !(0.0 < level && level < 1.0) {
        return None;
    }
    let z = normal_quantile(0.5 + 0.5 * level);
    let share = successes / total;
    let scale = 1.0 + z * z / total;
    let centre = (share + z * z / (2.0 * total)) / scale;
    let reach = z / scale * (share * (1.0 - share) / total + (z / (2.0 * total)).powi(2)).sqrt();
    Some(((centre - reach).max(0.0), (centre + reach).min(1.0)))
}

/// Returns p of Fisher's exact test, one-sided: the chance that the second of two groups holds at
/// least `now` of the `before + now` cases, if both are equally prone (Fisher 1935).
///
/// # Panics
/// If a group has more cases than members.
///
/// ```
/// // scipy.stats.fisher_exact([[5, 0], [0, 5]], alternative='greater').pvalue = 1 / 252
/// assert!((gridbench_stats::fisher_more(0, 5, 5, 5) - 1.0 / 252.0).abs() < 1e-15);
/// ```
#[must_use]
pub fn fisher_more(before: usize, n_before: usize, now: usize, n_now: usize) -> f64 {
    assert!(before <= n_before && now <= n_now, "{before} of {n_before}, {now} of {n_now}");
    let factorial = |n: usize| ln_gamma(n as f64 + 1.0);
    let ln_choose = |n: usize, k: usize| factorial(n) - factorial(k) - factorial(n - k);
    let cases = before + now;
    let all = ln_choose(n_before + n_now, cases);
    let chance = |k: usize| (ln_choose(n_now, k) + ln_choose(n_before, cases - k) - all).exp();
    (now..=cases.min(n_now)).map(chance).sum::<f64>().min(1.0)
}

/// Returns the most trials a cell may lose before that is more than chance: the smallest k for
/// which more than k of `n` lost trials have a probability of at most `level`, each lost with
/// probability `share`.
///
/// ```
/// // scipy.stats.binom.sf(k, 12, 0.05) <= 0.05 / 20 first at k = 3
/// assert_eq!(gridbench_stats::most_lost(12, 0.05, 0.05 / 20.0), 3);
/// assert_eq!(gridbench_stats::most_lost(5, 0.0, 0.05), 0, "where nothing is ever lost");
/// ```
///
/// # Panics
/// If `share` lies outside 0 to 1.
#[must_use]
pub fn most_lost(n: usize, share: f64, level: f64) -> usize {
    assert!((0.0..=1.0).contains(&share), "a share of {share}");
    // P(X > k) is the regularised incomplete beta function of k + 1 and n − k.
    let exceeds = |k: usize| match share {
        0.0 => 0.0,
        1.0 => 1.0,
        share => beta_reg(k as f64 + 1.0, (n - k) as f64, share),
    };
    (0..n).find(|&k| exceeds(k) <= level).unwrap_or(n)
}

/// Returns P(χ² ≥ x).
pub(super) fn chi_squared_sf(x: f64, degrees_of_freedom: f64) -> f64 {
    if x <= 0.0 { 1.0 } else { gamma_ur(0.5 * degrees_of_freedom, 0.5 * x) }
}

/// `McNemar`'s test between two classifiers on the same images.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct McNemar {
    /// Images only the first got right.
    pub only_first: u64,
    /// Images only the second got right.
    pub only_second: u64,
    /// Probability of so uneven a split, either way, if both are equally good.
    pub p_two_sided: f64,
    /// Whether p is exact (binomial, below 25 discordant images) or from χ² with continuity
    /// correction.
    pub exact: bool,
}

/// Tests whether two classifiers are equally good, from the images on which they disagree
/// (`McNemar` 1947; exact binomial below 25 of them).
///
/// ```
/// // statsmodels mcnemar([[0, 3], [12, 0]], exact=True).pvalue
/// assert!((gridbench_stats::mcnemar(3, 12).p_two_sided - 0.035_156_25).abs() < 1e-11);
/// ```
#[must_use]
pub fn mcnemar(only_first: u64, only_second: u64) -> McNemar {
    let discordant = only_first + only_second;
    let exact = discordant < 25;
    let p_two_sided = if exact {
        let smaller = only_first.min(only_second);
        let tail: f64 = (0..=smaller).map(|k| binomial_half(k, discordant)).sum();
        (2.0 * tail).min(1.0)
    } else {
        let uneven = (only_first.abs_diff(only_second) as f64 - 1.0).max(0.0);
        2.0 * normal_sf(uneven / (discordant as f64).sqrt())
    };
    McNemar { only_first, only_second, p_two_sided, exact }
}

/// P(X = k) for a binomial of `n` with p = ½.
fn binomial_half(k: u64, n: u64) -> f64 {
    let factorial = |n: u64| ln_gamma(n as f64 + 1.0);
    let ln_choose = factorial(n) - factorial(k) - factorial(n - k);
    (ln_choose - n as f64 * std::f64::consts::LN_2).exp()
}

#[cfg(test)]
mod tests {
    use super::super::testing::assert_close;
    use super::*;

    #[test]
    fn fishers_test_agrees_with_scipy() {
        // sum(comb(n, k) * comb(m, c - k) for k in range(now, c + 1)) / comb(n + m, c) with Python's
        // math.comb and c = before + now: 1/252 for the first
        for ((before, m, now, n), expected) in [
            ((0, 5, 5, 5), 0.003_968_253_968_253_967),
            ((0, 5, 1, 5), 0.5),
            ((1, 20, 6, 10), 0.002_122_015_915_119_363),
            ((0, 5, 0, 5), 1.0),
        ] {
            assert_close(fisher_more(before, m, now, n), expected, 1e-12);
        }
    }

    #[test]
    fn the_most_that_may_be_lost_agrees_with_scipy() {
        // The smallest k with scipy.stats.binom.sf(k, n, p) <= 0.05 / cells
        for (n, share, cells, expected) in [
            (5, 0.0, 1.0, 0),
            (5, 0.05, 1.0, 1),
            (5, 0.05, 20.0, 2),
            (3, 0.2, 4.0, 2),
            (20, 0.01, 20.0, 2),
            (5, 1.0, 1.0, 5),
            (0, 0.5, 1.0, 0),
        ] {
            assert_eq!(most_lost(n, share, 0.05 / cells), expected, "{n} with {share}");
        }
    }

    #[test]
    fn the_tail_of_chi_squared_agrees_with_scipy() {
        // scipy.stats.chi2.sf(12.3, 5), chi2.sf(200, 89)
        assert_close(chi_squared_sf(12.3, 5.0), 0.030_900_464_635_460_92, 1e-13);
        assert_close(chi_squared_sf(200.0, 89.0) / 1.626_724_695_504_007_7e-10, 1.0, 1e-8);
    }

    #[test]
    fn wilson_agrees_with_statsmodels() {
        // statsmodels proportion_confint(count, nobs, alpha, method='wilson')
        for (successes, n, level, low, high) in [
            (987.0, 1000, 0.95, 0.977_885_557_624_420_3, 0.992_387_179_610_648_9),
            (0.0, 50, 0.95, 0.0, 0.071_347_599_133_358_74),
            (50.0, 50, 0.9, 0.948_666_814_213_769_8, 1.0),
        ] {
            let found = wilson(successes, n, level).unwrap();
            assert_close(found.0, low, 1e-12);
            assert_close(found.1, high, 1e-12);
        }
        assert_eq!(wilson(1.0, 0, 0.95), None);
        assert_eq!(wilson(11.0, 10, 0.95), None);
        assert_eq!(wilson(f64::NAN, 10, 0.95), None);
    }

    #[test]
    fn mcnemar_agrees_with_statsmodels() {
        // statsmodels mcnemar([[0, b], [c, 0]], exact=b + c < 25, correction=True).pvalue
        for (first, second, expected, exact) in [
            (3, 12, 0.035_156_25, true),
            (11, 13, 0.838_819_742_202_758_8, true),
            (30, 14, 0.023_738_515_250_054_576, false),
            (14, 11, 0.689_156_516_779_351_6, false),
        ] {
            let found = mcnemar(first, second);
            assert_close(found.p_two_sided, expected, 1e-11);
            assert_eq!(found.exact, exact);
        }
    }

    #[test]
    fn classifiers_that_never_disagree_are_equally_good() {
        assert_close(mcnemar(0, 0).p_two_sided, 1.0, 0.0);
        assert_close(mcnemar(20, 20).p_two_sided, 1.0, 0.0);
    }
}
