use super::super::testing::assert_close;
use super::*;

const H: f64 = std::f64::consts::FRAC_1_SQRT_2;

#[test]
fn probabilities_agree_with_quadrature_in_scipy() {
    // With zx, zw = leggauss(400) on ±9 and s, w = leggauss(300) on 0 to chi.ppf(1 - 1e-14, nu):
    // sum(w * chi.pdf(s) * sum(zw * norm.pdf(zx) * prod(norm.cdf((t*s - lam*zx)/sqrt(1 - lam**2)))));
    // R's mvtnorm::pmvt gives the same to its 1e-5 or better.
    for (t, loadings, freedom, sides, expected) in [
        (2.0, vec![H; 4], 20.0, Sides::One, 0.912_014_918_997_763_8),
        (2.5, vec![0.3, 0.6, 0.8, 0.9], 8.0, Sides::One, 0.944_132_974_821_401_3),
        (2.5, vec![0.3, 0.6, 0.8, 0.9], 8.0, Sides::Two, 0.890_397_856_353_225_5),
        (3.0, vec![H; 89], 60.0, Sides::One, 0.935_115_212_827_186_3),
        (4.0, vec![H; 29], 4.0, Sides::One, 0.937_980_347_885_122_1),
        (5.0, vec![H; 5], 2.0, Sides::One, 0.949_958_920_565_098),
        (1.5, vec![0.95, 0.99, 0.7, 0.2], 5.0, Sides::One, 0.773_129_221_097_605),
    ] {
        let found = SharedError::new(&loadings, freedom).probability_below(t, sides);
        assert!((found - expected).abs() < 2e-6, "{t}, {freedom}: {found} for {expected}");
    }
}

#[test]
fn critical_values_agree_with_quadrature_in_scipy() {
    // scipy.optimize.brentq over the quadrature above
    for (loadings, freedom, alpha, sides, expected) in [
        (vec![0.3, 0.6, 0.8, 0.9], 8.0, 0.05, Sides::One, 2.575_106_053_932_947),
        (vec![0.3, 0.6, 0.8, 0.9], 8.0, 0.05, Sides::Two, 3.036_042_480_664_569_6),
        (vec![H; 4], 20.0, 0.05, Sides::One, 2.304_427_572_028_397_5),
        (vec![H; 20], 360.0, 0.01, Sides::One, 3.233_632_732_982_278_5),
        (vec![H; 2], 4.0, 0.05, Sides::One, 2.610_421_862_461_162),
    ] {
        let found = SharedError::new(&loadings, freedom).critical_value(alpha, sides).unwrap();
        assert!((found - expected).abs() < 1e-4, "{found} for {expected}");
    }
    for (count, freedom, expected) in [(10, 12.0, 3.345_034_754_155_8), (5, 4.0, 4.203_209_896_118)]
    {
        assert_close(maximum_modulus(count, freedom, 0.05).unwrap(), expected, 3e-5);
    }
}

#[test]
fn probabilities_agree_with_scipys_test_against_a_control() {
    // Dunnett's own data: scipy.stats.dunnett(a, b, control=control, alternative=…): statistics
    // 0.857 and 3.694 with p 0.6201 and 0.0058 two-sided, 0.3250 and 0.0029 one-sided (its
    // quasi-random integration is good to about 1e-4).
    let loading = |n: f64| (n / (n + 6.0)).sqrt();
    let found = SharedError::new(&[loading(4.0), loading(5.0)], 12.0);
    for (t, sides, p) in [
        (0.857_032_13, Sides::Two, 0.620_140),
        (3.693_752_31, Sides::Two, 0.005_797),
        (0.857_032_13, Sides::One, 0.324_997),
        (3.693_752_31, Sides::One, 0.002_895),
    ] {
        assert!((1.0 - found.probability_below(t, sides) - p).abs() < 2e-4, "{t}");
    }
}

#[test]
fn the_published_table_of_dunnett_is_met() {
    // Dunnett (1955), table 1a, one-sided 5 %.
    for (comparisons, freedom, expected) in [
        (2, 10.0, 2.15),
        (9, 10.0, 2.81),
        (3, 60.0, 2.10),
        (5, 5.0, 2.98),
        (9, f64::INFINITY, 2.42),
    ] {
        let found = SharedError::balanced(comparisons, freedom);
        let critical = found.critical_value(0.05, Sides::One).unwrap();
        assert!((critical - expected).abs() <= 0.006, "{comparisons}, {freedom}: {critical}");
    }
}

#[test]
fn one_comparison_is_students_t() {
    let found = SharedError::balanced(1, 7.0);
    // scipy.stats.t.ppf(0.95, 7), t.ppf(0.975, 7)
    assert_close(found.critical_value(0.05, Sides::One).unwrap(), 1.894_578_605_061_305_4, 1e-10);
    assert_close(found.critical_value(0.05, Sides::Two).unwrap(), 2.364_624_251_592_784_4, 1e-10);
    assert_close(found.probability_below(1.894_578_605_061_305_4, Sides::One), 0.95, 1e-6);
    assert_eq!(found.critical_value(0.0, Sides::One), None);
    assert_eq!(maximum_modulus(0, 5.0, 0.05), None);
}
