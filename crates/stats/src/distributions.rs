//! Distribution functions the tests and intervals stand on, on top of `statrs`.

use statrs::distribution::{Continuous as _, ContinuousCDF as _, Normal, StudentsT};
use statrs::function::beta::beta_reg;
use statrs::function::gamma::gamma_ur;

/// Returns Φ(z).
pub(super) fn normal_cdf(z: f64) -> f64 {
    Normal::standard().cdf(z)
}

/// Returns 1 − Φ(z) without cancellation.
pub(super) fn normal_sf(z: f64) -> f64 {
    Normal::standard().sf(z)
}

/// Returns Φ⁻¹(p): infinite at 0 and 1.
pub(super) fn normal_quantile(p: f64) -> f64 {
    Normal::standard().inverse_cdf(p)
}

/// Returns P(|T| ≥ |t|) for Student's t, accurate far into the tail.
pub(super) fn t_two_sided(t: f64, degrees_of_freedom: f64) -> f64 {
    if t.is_infinite() {
        return 0.0;
    }
    if t.abs() < 1.0 {
        // Near 0 the other argument is 1 minus next to nothing; up here p is far from 0.
        let share = t * t / (degrees_of_freedom + t * t);
        return 1.0 - beta_reg(0.5, 0.5 * degrees_of_freedom, share);
    }
    beta_reg(0.5 * degrees_of_freedom, 0.5, degrees_of_freedom / (degrees_of_freedom + t * t))
}

/// Returns P(T ≤ t) for Student's t, accurate far into the lower tail.
pub(super) fn t_cdf(t: f64, degrees_of_freedom: f64) -> f64 {
    let tail = 0.5 * t_two_sided(t, degrees_of_freedom);
    if t <= 0.0 { tail } else { 1.0 - tail }
}

/// Returns the `p` quantile of Student's t.
///
/// Newton's method on the lower tail from the normal quantile, which lies nearer to 0: the tail is
/// convex, so every step goes outward and none too far. (`statrs` 0.19 gives four to ten digits
/// and takes a hundred times as long.)
pub(super) fn t_quantile(p: f64, degrees_of_freedom: f64) -> f64 {
    if p > 0.5 {
        return -t_quantile(1.0 - p, degrees_of_freedom);
    }
    let student = StudentsT::new(0.0, 1.0, degrees_of_freedom)
        .expect("the degrees of freedom are positive and finite");
    let mut t = normal_quantile(p);
    for _ in 0..200 {
        let step = (t_cdf(t, degrees_of_freedom) - p) / student.pdf(t);
        if !step.is_finite() || step <= 0.0 {
            break;
        }
        t -= step;
        if step <= 1e-15 * t.abs() {
            break;
        }
    }
    t
}

/// Returns P(T ≤ t) for the noncentral t distribution.
///
/// `T = (Z + δ) / √(χ²_ν / ν)` gives, for t > 0,
/// `P(T ≤ t) = Φ(−δ) + ∫ φ(z) P(χ²_ν ≥ ν (z + δ)² / t²) dz` over z > −δ, a smooth integrand on a short range whatever δ is (series such as AS 243 lose
/// their first term to underflow at δ > 37). Simpson's rule; absolute error below 10⁻⁹.
pub(super) fn noncentral_t_cdf(t: f64, degrees_of_freedom: f64, noncentrality: f64) -> f64 {
    const REACH: f64 = 9.0;
    const PANELS: usize = 300;
    if t < 0.0 {
        return 1.0 - noncentral_t_cdf(-t, degrees_of_freedom, -noncentrality);
    }
    let below = normal_cdf(-noncentrality);
    let from = (-noncentrality).max(-REACH);
    if t == 0.0 || from >= REACH {
        return below;
    }
    let standard = Normal::standard();
    let integrand = |z: f64| {
        let ratio = (z + noncentrality) / t;
        let half_chi_squared = 0.5 * degrees_of_freedom * ratio * ratio;
        let above = if half_chi_squared > 0.0 {
            gamma_ur(0.5 * degrees_of_freedom, half_chi_squared)
        } else {
            1.0
        };
        standard.pdf(z) * above
    };
    let step = (REACH - from) / (2 * PANELS) as f64;
    let inner: f64 = (1..2 * PANELS)
        .map(|index| {
            let weight = if index % 2 == 1 { 4.0 } else { 2.0 };
            weight * integrand(from + step * index as f64)
        })
        .sum();
    let sum = integrand(from) + inner + integrand(REACH);
    (below + sum * step / 3.0).clamp(0.0, 1.0)
}

#[cfg(test)]
mod tests {
    use super::super::testing::assert_close;
    use super::*;

    #[test]
    fn the_normal_distribution_agrees_with_scipy() {
        // scipy.stats.norm.ppf(0.975), .ppf(1e-6), .sf(6)
        assert_close(normal_quantile(0.975), 1.959_963_984_540_054, 1e-14);
        assert_close(normal_quantile(1e-6), -4.753_424_308_822_899, 1e-12);
        assert_close(normal_sf(6.0) / 9.865_876_450_376_946e-10, 1.0, 1e-10);
    }

    #[test]
    fn student_t_agrees_with_scipy() {
        // 2 * scipy.stats.t.sf(t, df)
        for (t, freedom, expected) in [
            (2.0, 3.7, 0.121_817_201_905_233_98),
            (0.5, 1.0, 0.704_832_764_699_133_4),
            (1e-3, 1e5, 0.999_202_117_566_887_8),
        ] {
            assert_close(t_two_sided(t, freedom), expected, 1e-12);
            assert_close(t_cdf(-t, freedom), 0.5 * expected, 1e-12);
            assert_close(t_cdf(t, freedom), 1.0 - 0.5 * expected, 1e-12);
        }
        assert_close(t_two_sided(12.0, 40.0) / 7.824_171_304_255_98e-15, 1.0, 1e-10);
        assert_close(t_two_sided(f64::INFINITY, 3.0), 0.0, 0.0);
    }

    #[test]
    fn student_t_quantiles_agree_with_scipy() {
        // scipy.stats.t.ppf(p, df)
        for (p, freedom, expected) in [
            (0.975, 5.0, 2.570_581_835_636_314_6),
            (0.05, 2.5, -2.558_218_614_135_936_4),
            (0.000_95, 11.0, -4.054_785_813_040_612_5),
            (0.975, 1e6, 1.959_966_356_814_107),
            (0.000_390_625, 1.0, -814.872_899_568_919_7),
        ] {
            assert_close(t_quantile(p, freedom), expected, 1e-9);
        }
    }

    #[test]
    fn noncentral_t_agrees_with_scipy() {
        // scipy.stats.nct.cdf(t, df, nc)
        for (t, freedom, noncentrality, expected) in [
            (2.306, 8.0, 1.5, 0.737_731_626_715_635_7),
            (4.3, 2.0, 6.0, 0.163_931_262_450_757_26),
            (-2.0, 16.0, 0.7, 0.005_791_658_853_500_001),
            (1.0, 3.5, -1.0, 0.965_841_833_034_398_2),
            (1.5, 2.0, 0.0, 0.863_803_437_554_499_4),
            (20.0, 10.0, 22.0, 0.283_367_738_962_904_74),
        ] {
            assert_close(noncentral_t_cdf(t, freedom, noncentrality), expected, 1e-9);
        }
    }
}
