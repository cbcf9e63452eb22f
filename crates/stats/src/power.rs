//! How many trials a difference needs, and which difference so many trials can show.

use super::distributions::{noncentral_t_cdf, normal_quantile, t_quantile};

/// Below this many trials an arm the normal approximation is too hopeful, and the noncentral t
/// distribution is used.
const NORMAL_FROM: usize = 10;

/// Tail of a two-sided test at 5 %; below it the approximation is not trusted.
const USUAL_TAIL: f64 = 0.025;
/// Beyond so many trials an arm a few more make no difference.
const EXACT_UP_TO: usize = 2_000;

/// Whether a test looks for a difference either way or one way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sides {
    /// One way.
    One,
    /// Either way.
    Two,
}

impl Sides {
    fn tail(self, alpha: f64) -> f64 {
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
#[must_use]
pub fn power_of_t_test(effect: f64, n: usize, alpha: f64, sides: Sides) -> Option<f64> {
    if n < 2 {
        return None;
    }
    let freedom = (2 * n - 2) as f64;
    let critical = -t_quantile(sides.tail(alpha), freedom);
    let noncentrality = effect * (0.5 * n as f64).sqrt();
    let above = 1.0 - noncentral_t_cdf(critical, freedom, noncentrality);
    Some(match sides {
        Sides::One => above,
        Sides::Two => above + noncentral_t_cdf(-critical, freedom, noncentrality),
    })
}

/// Returns the smallest true difference that a two-sided t-test at level `alpha` between two
/// samples of `n` values with standard deviation `sd` finds with probability `power`.
///
/// (z(1 − α/2) + z(power)) · σ · √(2/n), exact by the noncentral t distribution below n = 10. Nothing
/// for fewer than two values, or probabilities outside 0 to 1 (a power of at most `alpha` needs no
/// difference at all and has none).
#[must_use]
pub fn smallest_detectable_difference(sd: f64, n: usize, alpha: f64, power: f64) -> Option<f64> {
    smallest_detectable(sd, n, alpha, power, Sides::Two)
}

/// As [`smallest_detectable_difference`], for a test of `sides`.
#[must_use]
pub fn smallest_detectable(sd: f64, n: usize, alpha: f64, power: f64, sides: Sides) -> Option<f64> {
    if n < 2 || !answerable(sd, alpha, power) {
        return None;
    }
    if n >= NORMAL_FROM {
        let z = normal_quantile(power) - normal_quantile(sides.tail(alpha));
        return Some(z * sd * (2.0 / n as f64).sqrt());
    }
    let reaches = |effect| power_of_t_test(effect, n, alpha, sides).is_some_and(|p| p >= power);
    let mut high = 1.0;
    while !reaches(high) {
        high *= 2.0;
        if high > 1e12 {
            return None;
        }
    }
    let mut low = 0.0;
    for _ in 0..40 {
        let middle = 0.5 * (low + high);
        if reaches(middle) {
            high = middle;
        } else {
            low = middle;
        }
    }
    Some(high * sd)
}

fn answerable(sd: f64, alpha: f64, power: f64) -> bool {
    sd >= 0.0 && sd.is_finite() && 0.0 < alpha && alpha < power && power < 1.0
}

/// Returns how many trials each of two cells needs for a two-sided t-test at level `alpha` to find
/// a true `difference` with probability `power`.
///
/// The smallest n, at least 2, whose [`smallest_detectable_difference`] is no larger; at levels
/// stricter than the usual ones, as Holm's rule asks for, where the normal approximation falls
/// short by several trials, the smallest whose [`power_of_t_test`] suffices. Nothing for a
/// difference that is not positive, or arguments that function refuses.
#[must_use]
pub fn repeats_needed(sd: f64, difference: f64, alpha: f64, power: f64) -> Option<usize> {
    repeats_for(sd, difference, alpha, power, Sides::Two)
}

/// As [`repeats_needed`], for a test of `sides`.
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
    let reaches = |n| power_of_t_test(difference / sd, n, alpha, sides).is_some_and(|p| p >= power);
    if let Some(n) = (2..NORMAL_FROM).find(|&n| reaches(n)) {
        return Some(n);
    }
    let single =
        smallest_detectable(sd, NORMAL_FROM, alpha, power, sides)? * (NORMAL_FROM as f64).sqrt();
    let n = (single / difference).powi(2).ceil();
    if n >= 1e15 {
        return None;
    }
    let n = (n as usize).max(NORMAL_FROM);
    if sides.tail(alpha) >= USUAL_TAIL || n > EXACT_UP_TO {
        return Some(n);
    }
    // It is never as many as a fifth short, and the noncentral t distribution is not endless.
    (n..=2 * n).find(|&n| reaches(n)).or(Some(n))
}

/// Returns the spread of test accuracy to expect of a network that is calibrated over its trainings:
/// √(error / (2 · test images)) (Jordan 2024, <https://arxiv.org/abs/2304.01910>).
///
/// Nothing without test images or for an error outside 0 to 1.
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
    fn larger_samples_use_the_normal_approximation() {
        // (norm.ppf(0.975) + norm.ppf(0.8)) * 0.047 * sqrt(2 / n)
        for (n, expected) in [(30, 0.033_998_211_063_894_85), (100, 0.018_621_587_114_516_922)] {
            let found = smallest_detectable_difference(0.047, n, 0.05, 0.8).unwrap();
            assert_close(found, expected, 1e-12);
        }
    }

    #[test]
    fn repeats_needed_agree_with_statsmodels_below_ten() {
        // ceil of statsmodels TTestIndPower().solve_power(effect_size=d, alpha=0.05, power=0.8),
        // which gives 3.76, 5.98 and 8.06
        for (effect, expected) in [(2.5, 4), (1.8, 6), (1.5, 9)] {
            assert_eq!(repeats_needed(1.0, effect, 0.05, 0.8), Some(expected));
        }
        // 2 * ((norm.ppf(0.975) + norm.ppf(0.8)) / 1.0) ** 2 = 15.7
        assert_eq!(repeats_needed(1.0, 1.0, 0.05, 0.8), Some(16));
        // One-sided, 2 * ((norm.ppf(0.95) + norm.ppf(0.8)) * 0.047 / d) ** 2 = 10.9, 30.4, 68.3
        for (difference, expected) in [(0.05, 11), (0.03, 31), (0.02, 69)] {
            assert_eq!(repeats_for(0.047, difference, 0.05, 0.8, Sides::One), Some(expected));
        }
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
