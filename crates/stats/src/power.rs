//! How many trials a difference needs, and which difference so many trials can show.
//!
//! By the noncentral t distribution at every number of trials; the normal approximation is 6 % too
//! hopeful at ten trials and often one trial short.

use super::distributions::{noncentral_t_cdf, normal_quantile, t_quantile};
use super::roots::crossing;

/// Beyond so many trials an arm the normal approximation with Guenther's correction is exact to
/// less than a trial.
const EXACT_UP_TO: f64 = 10_000.0;

/// Whether a test looks for a difference either way or one way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sides {
    /// One way.
    One,
    /// Either way.
    Two,
}

impl Sides {
    pub(super) fn tail(self, alpha: f64) -> f64 {
        match self {
            Self::One => alpha,
            Self::Two => 0.5 * alpha,
        }
    }
}

/// Returns the power of a t-test between two samples of `n` values each whose true means are
/// `effect` standard deviations apart.
///
/// Nothing for fewer than two values.
///
/// ```
/// use gridbench_stats::{Sides, power_of_t_test};
/// // statsmodels TTestIndPower().power(1.0, 6, 0.05, 1)
/// let power = power_of_t_test(1.0, 6, 0.05, Sides::Two).unwrap();
/// assert!((power - 0.347_353_697_272_212_27).abs() < 1e-8);
/// ```
#[must_use]
pub fn power_of_t_test(effect: f64, n: usize, alpha: f64, sides: Sides) -> Option<f64> {
    if n < 2 {
        return None;
    }
    let noncentrality = effect * (0.5 * n as f64).sqrt();
    Some(power_at(noncentrality, (2 * n - 2) as f64, alpha, sides))
}

/// Returns the power of any t-test, from its noncentrality (the true difference in standard errors)
/// and its degrees of freedom: paired, unpaired, of samples of unequal size.
///
/// ```
/// use gridbench_stats::{Sides, power_at};
/// // statsmodels TTestPower().power(0.8, 9, 0.05, alternative='larger'): 9 pairs
/// let power = power_at(0.8 * 9.0_f64.sqrt(), 8.0, 0.05, Sides::One);
/// assert!((power - 0.707_363_907_889_051_7).abs() < 1e-8);
/// ```
#[must_use]
pub fn power_at(noncentrality: f64, degrees_of_freedom: f64, alpha: f64, sides: Sides) -> f64 {
    let critical = -t_quantile(sides.tail(alpha), degrees_of_freedom);
    let above = 1.0 - noncentral_t_cdf(critical, degrees_of_freedom, noncentrality);
    match sides {
        Sides::One => above,
        Sides::Two => above + noncentral_t_cdf(-critical, degrees_of_freedom, noncentrality),
    }
}

/// Returns the noncentrality (the true difference in standard errors) at which a t statistic
/// exceeds `critical` with probability `power`.
///
/// Nothing for a power outside 0 to 1, or where no noncentrality below 10⁶ reaches it.
///
/// ```
/// // scipy.optimize.brentq(lambda d: scipy.stats.nct.sf(2.5, 7, d) - 0.8, 0, 9)
/// let found = gridbench_stats::noncentrality_for(2.5, 7.0, 0.8).unwrap();
/// assert!((found - 3.416_139_758_866_142_6).abs() < 1e-8);
/// ```
#[must_use]
pub fn noncentrality_for(critical: f64, degrees_of_freedom: f64, power: f64) -> Option<f64> {
    if !(0.0 < power && power < 1.0 && critical.is_finite()) {
        return None;
    }
    let excess = |delta: f64| 1.0 - noncentral_t_cdf(critical, degrees_of_freedom, delta) - power;
    bracketed(critical + normal_quantile(power), excess)
}

/// Returns where a growing function crosses zero, near `guess`.
fn bracketed(guess: f64, excess: impl Fn(f64) -> f64) -> Option<f64> {
    let (mut low, mut high) = (guess - 0.5, guess + 0.5);
    let mut reach = 1.0;
    while excess(high) < 0.0 {
        reach *= 2.0;
        (low, high) = (high, high + reach);
        if high > 1e6 {
            return None;
        }
    }
    reach = 1.0;
    while excess(low) > 0.0 {
        reach *= 2.0;
        (high, low) = (low, low - reach);
        if low < -1e6 {
            return None;
        }
    }
    Some(crossing(low, high, 1e-11, excess))
}

/// Returns the smallest true difference that a two-sided t-test at level `alpha` between two
/// samples of `n` values with standard deviation `sd` finds with probability `power`.
///
/// By the noncentral t distribution. Nothing for fewer than two values, or probabilities outside 0
/// to 1 (a power of at most `alpha` needs no difference at all and has none).
///
/// ```
/// use gridbench_stats::smallest_detectable_difference;
/// // statsmodels TTestIndPower().solve_power(nobs1=30, alpha=0.05, power=0.8) * 0.047
/// let found = smallest_detectable_difference(0.047, 30, 0.05, 0.8).unwrap();
/// assert!((found - 0.034_574_190_271_090_4).abs() < 1e-8);
/// ```
#[must_use]
pub fn smallest_detectable_difference(sd: f64, n: usize, alpha: f64, power: f64) -> Option<f64> {
    smallest_detectable(sd, n, alpha, power, Sides::Two)
}

/// As [`smallest_detectable_difference`], for a test of `sides`.
///
/// ```
/// use gridbench_stats::{Sides, smallest_detectable};
/// // As small_samples_use_the_noncentral_t_distribution: SciPy's nct and brentq
/// let found = smallest_detectable(1.0, 5, 0.05, 0.8, Sides::One).unwrap();
/// assert!((found - 1.724_607_344_246_187_1).abs() < 1e-8);
/// ```
#[must_use]
pub fn smallest_detectable(sd: f64, n: usize, alpha: f64, power: f64, sides: Sides) -> Option<f64> {
    if n < 2 || !answerable(sd, alpha, power) {
        return None;
    }
    let freedom = (2 * n - 2) as f64;
    let guess = normal_quantile(power) - t_quantile(sides.tail(alpha), freedom);
    let excess = |delta| power_at(delta, freedom, alpha, sides) - power;
    // Two-sided power is symmetric: the answer is the positive one.
    let low = (guess - 1.0).max(0.0);
    let high = guess + 1.0;
    let noncentrality = if excess(low) <= 0.0 && excess(high) >= 0.0 {
        crossing(low, high, 1e-11, excess)
    } else {
        bracketed(guess, excess)?
    };
    Some(noncentrality * sd * (2.0 / n as f64).sqrt())
}

fn answerable(sd: f64, alpha: f64, power: f64) -> bool {
    sd >= 0.0 && sd.is_finite() && 0.0 < alpha && alpha < power && power < 1.0
}

/// Returns how many trials each of two cells needs for a two-sided t-test at level `alpha` to find
/// a true `difference` with probability `power`.
///
/// The smallest n, at least 2, whose [`smallest_detectable_difference`] is no larger. Nothing for a
/// difference that is not positive, or arguments that function refuses.
///
/// ```
/// // statsmodels TTestIndPower().solve_power(effect_size=1.0, alpha=0.05, power=0.8) is 16.7
/// assert_eq!(gridbench_stats::repeats_needed(1.0, 1.0, 0.05, 0.8), Some(17));
/// ```
#[must_use]
pub fn repeats_needed(sd: f64, difference: f64, alpha: f64, power: f64) -> Option<usize> {
    repeats_for(sd, difference, alpha, power, Sides::Two)
}

/// As [`repeats_needed`], for a test of `sides`.
///
/// ```
/// use gridbench_stats::{Sides, repeats_for};
/// // statsmodels TTestIndPower().solve_power(0.05 / 0.047, alpha=0.05, power=0.8, alternative='larger') = 11.67
/// assert_eq!(repeats_for(0.047, 0.05, 0.05, 0.8, Sides::One), Some(12));
/// ```
#[must_use]
pub fn repeats_for(
    sd: f64,
    difference: f64,
    alpha: f64,
    power: f64,
    sides: Sides,
) -> Option<usize> {
    if difference.is_nan() || difference <= 0.0 || !answerable(sd, alpha, power) {
        return None;
    }
    if sd == 0.0 {
        return Some(2);
    }
    let tail = -normal_quantile(sides.tail(alpha));
    let effect = difference / sd;
    // Guenther (1981): the t-test needs a quarter of z² more than the normal test.
    let normal = 2.0 * ((tail + normal_quantile(power)) / effect).powi(2) + 0.25 * tail * tail;
    fewest(normal, |n| power_of_t_test(effect, n, alpha, sides).is_some_and(|p| p >= power))
}

/// As [`repeats_for`], for pairs whose differences have standard deviation `sd`.
///
/// ```
/// use gridbench_stats::{Sides, repeats_for_pairs};
/// // statsmodels TTestPower().solve_power(0.8, alpha=0.05, power=0.8, alternative='larger') = 11.14
/// assert_eq!(repeats_for_pairs(1.0, 0.8, 0.05, 0.8, Sides::One), Some(12));
/// ```
#[must_use]
pub fn repeats_for_pairs(
    sd: f64,
    difference: f64,
    alpha: f64,
    power: f64,
    sides: Sides,
) -> Option<usize> {
    if difference.is_nan() || difference <= 0.0 || !answerable(sd, alpha, power) {
        return None;
    }
    if sd == 0.0 {
        return Some(2);
    }
    let tail = -normal_quantile(sides.tail(alpha));
    let effect = difference / sd;
    // For one sample it is half of z².
    let normal = ((tail + normal_quantile(power)) / effect).powi(2) + 0.5 * tail * tail;
    fewest(normal, |n| {
        let n = n as f64;
        power_at(effect * n.sqrt(), n - 1.0, alpha, sides) >= power
    })
}

/// Returns the smallest n, at least 2, from which on `reaches` holds, searched from a good guess.
fn fewest(guess: f64, reaches: impl Fn(usize) -> bool) -> Option<usize> {
    if guess >= 1e15 {
        return None;
    }
    let mut n = (guess.ceil() as usize).max(2);
    if guess > EXACT_UP_TO {
        return Some(n);
    }
    while !reaches(n) {
        n += 1;
    }
    while n > 2 && reaches(n - 1) {
        n -= 1;
    }
    Some(n)
}

/// Returns the spread of test accuracy to expect of a network that is calibrated over its trainings:
/// √(error / (2 · test images)) (Jordan 2024, <https://arxiv.org/abs/2304.01910>).
///
/// Nothing without test images or for an error outside 0 to 1.
///
/// ```
/// // sqrt(0.06 / 20000)
/// let sd = gridbench_stats::predicted_accuracy_sd(0.06, 10_000).unwrap();
/// assert!((sd - 0.001_732_050_807_568_877_2).abs() < 1e-15);
/// ```
#[must_use]
pub fn predicted_accuracy_sd(error: f64, test_images: usize) -> Option<f64> {
    (test_images > 0 && (0.0..=1.0).contains(&error))
        .then(|| (error / (2.0 * test_images as f64)).sqrt())
}

/// Returns how many trials each of two cells needs for P(A > B) = `gamma` to be found at one-sided
/// level `alpha` but for a chance `beta` (Noether 1987, as in Bouthillier et al. 2021,
/// <https://arxiv.org/abs/2103.03098>); 29 for 0.75 at 5 % and 5 %.
///
/// Nothing unless `gamma` lies between ½ and 1 and the other two between 0 and ½.
///
/// ```
/// // Bouthillier et al. 2021, appendix C
/// assert_eq!(gridbench_stats::repeats_for_superiority(0.75, 0.05, 0.05), Some(29));
/// ```
#[must_use]
pub fn repeats_for_superiority(gamma: f64, alpha: f64, beta: f64) -> Option<usize> {
    let sound = 0.5 < gamma && gamma <= 1.0;
    if !sound || ![alpha, beta].iter().all(|p| 0.0 < *p && *p < 0.5) {
        return None;
    }
    let z = -normal_quantile(alpha) - normal_quantile(beta);
    Some((z * z / (6.0 * (0.5 - gamma).powi(2))).ceil() as usize)
}

#[cfg(test)]
mod tests {
    use super::super::testing::assert_close;
    use super::*;

    #[test]
    fn the_power_of_a_t_test_agrees_with_statsmodels() {
        // statsmodels TTestIndPower().power(d, n, 0.05, 1, alternative='two-sided' | 'larger')
        for (effect, n, sides, expected) in [
            (1.0, 6, Sides::Two, 0.347_353_697_272_212_27),
            (0.5, 30, Sides::Two, 0.477_896_520_760_164_3),
            (0.1, 4, Sides::Two, 0.051_663_013_399_087_3),
            (1.2, 5, Sides::One, 0.535_662_602_192_037_7),
        ] {
            assert_close(power_of_t_test(effect, n, 0.05, sides).unwrap(), expected, 1e-8);
        }
        assert_eq!(power_of_t_test(1.0, 1, 0.05, Sides::Two), None);
    }

    #[test]
    fn small_samples_use_the_noncentral_t_distribution() {
        // c = t.isf(alpha / sides, 2 * n - 2); brentq(lambda d: nct.sf(c, 2 * n - 2,
        // d * sqrt(n / 2)) - 0.8) with scipy.stats and scipy.optimize, plus the lower tail
        // integrated by scipy.integrate.quad where two-sided and n < 6 (nct.cdf fails there);
        // statsmodels TTestIndPower().solve_power agrees to the 1e-6 of its solver.
        for (n, alpha, sides, expected) in [
            (2, 0.05, Sides::Two, 5.653_489_266_197_129),
            (3, 0.05, Sides::Two, 3.070_892_266_363_688),
            (6, 0.05, Sides::Two, 1.795_540_920_616_989_4),
            (9, 0.05, Sides::Two, 1.406_927_132_773_207_6),
            (5, 0.05, Sides::One, 1.724_607_344_246_187_1),
            (6, 0.01, Sides::Two, 2.376_167_822_161_533),
        ] {
            let found = smallest_detectable(1.0, n, alpha, 0.8, sides).unwrap();
            assert_close(found, expected, 1e-8);
            assert_close(
                smallest_detectable(0.2, n, alpha, 0.8, sides).unwrap(),
                0.2 * found,
                1e-12,
            );
        }
    }

    #[test]
    fn large_samples_use_it_too() {
        // As above; the normal approximation falls 5.8 % short at n = 10.
        for (n, alpha, sides, expected) in [
            (10, 0.05, Sides::Two, 1.324_947_392_579_230_6),
            (30, 0.05, Sides::Two, 0.735_621_069_597_668),
            (100, 0.05, Sides::One, 0.352_848_243_012_039_15),
            (1000, 0.05, Sides::Two, 0.125_350_808_902_017_02),
        ] {
            let found = smallest_detectable(1.0, n, alpha, 0.8, sides).unwrap();
            assert_close(found, expected, 1e-8);
        }
    }

    #[test]
    fn repeats_needed_agree_with_statsmodels() {
        // ceil of statsmodels TTestIndPower().solve_power(effect_size=d, alpha=0.05, power=0.8),
        // which gives 3.76, 5.98, 8.06, 16.71 and 393.4
        for (effect, expected) in [(2.5, 4), (1.8, 6), (1.5, 9), (1.0, 17), (0.2, 394)] {
            assert_eq!(repeats_needed(1.0, effect, 0.05, 0.8), Some(expected));
        }
        // alternative='larger', d / 0.047: 11.67, 31.05, 68.97
        for (difference, expected) in [(0.05, 12), (0.03, 32), (0.02, 69)] {
            assert_eq!(repeats_for(0.047, difference, 0.05, 0.8, Sides::One), Some(expected));
        }
    }

    #[test]
    fn huge_samples_keep_the_normal_approximation() {
        // 2 * ((norm.ppf(0.975) + norm.ppf(0.8)) / 0.01) ** 2 + norm.ppf(0.975) ** 2 / 4 is
        // 156,978.6; statsmodels' solver gives 156,978.2
        assert_eq!(repeats_needed(1.0, 0.01, 0.05, 0.8), Some(156_979));
    }

    #[test]
    fn repeats_at_strict_levels_have_the_power_they_promise() {
        // statsmodels TTestIndPower().power(d, n, 0.05 / 63, 1) first reaches 0.8 at these n
        for (effect, expected) in [(1.5, 19), (1.8, 14), (2.0, 12)] {
            let alpha = 0.05 / 63.0;
            assert_eq!(repeats_needed(1.0, effect, alpha, 0.8), Some(expected));
            let power = |n| power_of_t_test(effect, n, alpha, Sides::Two).unwrap();
            assert!(power(expected) >= 0.8 && power(expected - 1) < 0.8);
        }
    }

    #[test]
    fn repeats_needed_are_the_fewest_that_detect() {
        for tenths in 1..60 {
            let difference = 0.1 * f64::from(tenths);
            let n = repeats_needed(1.0, difference, 0.05, 0.8).unwrap();
            let detectable = |n| smallest_detectable_difference(1.0, n, 0.05, 0.8);
            assert!(detectable(n).unwrap() <= difference);
            assert!(detectable(n - 1).is_none_or(|smallest| smallest > difference));
        }
    }

    #[test]
    fn impossible_questions_have_no_answer() {
        assert_eq!(smallest_detectable_difference(0.1, 1, 0.05, 0.8), None);
        assert_eq!(smallest_detectable_difference(f64::NAN, 5, 0.05, 0.8), None);
        assert_eq!(smallest_detectable_difference(0.1, 5, 0.8, 0.05), None);
        assert_eq!(smallest_detectable_difference(0.0, 5, 0.05, 0.8), Some(0.0));
        assert_eq!(repeats_needed(0.1, 0.0, 0.05, 0.8), None);
        assert_eq!(repeats_needed(0.1, f64::NAN, 0.05, 0.8), None);
        assert_eq!(repeats_needed(0.0, 0.1, 0.05, 0.8), Some(2));
        assert_eq!(repeats_for_superiority(0.5, 0.05, 0.05), None);
        assert_eq!(predicted_accuracy_sd(0.01, 0), None);
        assert_eq!(predicted_accuracy_sd(1.5, 10), None);
    }

    #[test]
    fn published_sample_sizes_are_met() {
        // Bouthillier et al. 2021, appendix C: 29 runs for gamma = 0.75.
        assert_eq!(repeats_for_superiority(0.75, 0.05, 0.05), Some(29));
        // sqrt(0.06 / 20000)
        let sd = predicted_accuracy_sd(0.06, 10_000).unwrap();
        assert_close(sd, 0.001_732_050_807_568_877_2, 1e-15);
    }
}
