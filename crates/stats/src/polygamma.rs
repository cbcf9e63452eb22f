//! Derivatives of ln Γ: what the logarithm of a χ² variable has as mean and variance.

use statrs::function::gamma::digamma;

/// From here on the asymptotic series is exact to the last bits.
const ASYMPTOTIC_FROM: f64 = 12.0;

/// Returns E(ln s²) − ln σ² of a variance with `degrees_of_freedom`: ψ(d/2) − ln(d/2).
pub(super) fn mean_of_log_variance(degrees_of_freedom: f64) -> f64 {
    let half = 0.5 * degrees_of_freedom;
    digamma(half) - half.ln()
}

/// Returns Var(ln s²) of a variance with `degrees_of_freedom`: ψ′(d/2).
pub(super) fn variance_of_log_variance(degrees_of_freedom: f64) -> f64 {
    trigamma(0.5 * degrees_of_freedom)
}

/// Returns ψ′(x) for x > 0: recurrence up to [`ASYMPTOTIC_FROM`], then the series of Abramowitz &
/// Stegun 6.4.12.
pub(super) fn trigamma(x: f64) -> f64 {
    let mut sum = 0.0;
    let mut x = x;
    while x < ASYMPTOTIC_FROM {
        sum += 1.0 / (x * x);
        x += 1.0;
    }
    let y = 1.0 / (x * x);
    let series = y
        * (1.0 / 6.0
            - y * (1.0 / 30.0
                - y * (1.0 / 42.0 - y * (1.0 / 30.0 - y * (5.0 / 66.0 - y * 691.0 / 2730.0)))));
    sum + (1.0 + 0.5 / x + series) / x
}

/// Returns ψ″(x) for x > 0 (Abramowitz & Stegun 6.4.13).
fn tetragamma(x: f64) -> f64 {
    let mut sum = 0.0;
    let mut x = x;
    while x < ASYMPTOTIC_FROM {
        sum -= 2.0 / (x * x * x);
        x += 1.0;
    }
    let y = 1.0 / (x * x);
    let series = y * (0.5 - y * (1.0 / 6.0 - y * (1.0 / 6.0 - y * (0.3 - y * 5.0 / 6.0))));
    sum - y * (1.0 + 1.0 / x + series)
}

/// Returns the x with ψ′(x) = `y` > 0, by Newton's method on 1/ψ′, which is nearly linear (Smyth
/// 2004, appendix).
pub(super) fn inverse_trigamma(y: f64) -> f64 {
    if y > 1e7 {
        return 1.0 / y.sqrt();
    }
    if y < 1e-6 {
        return 1.0 / y;
    }
    let mut x = 0.5 + 1.0 / y;
    for _ in 0..50 {
        let found = trigamma(x);
        let step = found * (1.0 - found / y) / tetragamma(x);
        x += step;
        if -step / x < 1e-14 {
            break;
        }
    }
    x
}

#[cfg(test)]
mod tests {
    use super::super::testing::assert_close;
    use super::*;

    #[test]
    fn polygamma_functions_agree_with_scipy() {
        // scipy.special.polygamma(1, x), polygamma(2, x)
        for (x, first, second) in [
            (0.5, 4.934_802_200_544_68, -16.828_796_644_234_316),
            (1.0, 1.644_934_066_848_226_6, -2.404_113_806_319_188),
            (7.25, 0.147_879_233_158_932_2, -0.021_828_952_295_197_733),
            (250.0, 0.004_008_010_666_632_532, -0.000_016_064_127_999_317_343),
        ] {
            assert_close(trigamma(x) / first, 1.0, 1e-13);
            assert_close(tetragamma(x) / second, 1.0, 1e-13);
        }
    }

    #[test]
    fn the_inverse_of_trigamma_inverts_it() {
        for x in [1e-5, 0.3, 0.5, 1.0, 4.5, 60.0, 1e5, 1e8] {
            assert_close(inverse_trigamma(trigamma(x)) / x, 1.0, 1e-6);
        }
        for x in [0.3, 0.5, 1.0, 4.5, 60.0] {
            assert_close(inverse_trigamma(trigamma(x)) / x, 1.0, 1e-12);
        }
    }
}
