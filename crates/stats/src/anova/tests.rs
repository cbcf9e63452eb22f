use super::super::testing::assert_close;
use super::*;

type Grid<'a> = [(usize, usize, &'a [f64])];

fn observations(grid: &Grid<'_>) -> Vec<Observation> {
    grid.iter()
        .flat_map(|&(row, column, values)| {
            values.iter().map(move |&value| Observation { row, column, value })
        })
        .collect()
}

#[track_caller]
fn assert_effect(found: Option<Effect>, squares: f64, freedom: usize, f: f64, p: f64) {
    let found = found.unwrap();
    assert_close(found.sum_of_squares, squares, 1e-9);
    assert_eq!(found.degrees_of_freedom, freedom);
    assert_close(found.f, f, 1e-8);
    assert_close(found.p, p, 1e-9);
}

const BALANCED: &Grid<'static> = &[
    (0, 0, &[98.1, 98.3, 98.0]),
    (0, 1, &[98.6, 98.9, 98.7]),
    (0, 2, &[98.2, 98.5, 98.3]),
    (1, 0, &[97.9, 98.2, 98.1]),
    (1, 1, &[98.2, 98.0, 98.3]),
    (1, 2, &[97.5, 97.8, 97.9]),
];

const UNBALANCED: &Grid<'static> = &[
    (0, 0, &[98.1, 98.3]),
    (0, 1, &[98.6, 98.9, 98.7]),
    (0, 2, &[98.2, 98.5, 98.3, 98.4]),
    (1, 0, &[97.9, 98.2, 98.1]),
    (1, 1, &[98.2]),
    (1, 2, &[97.5, 97.8]),
];

#[test]
fn a_balanced_grid_agrees_with_statsmodels() {
    // statsmodels anova_lm(ols('y ~ C(a) * C(b)').fit(), typ=2)
    let found = two_way_anova(&observations(BALANCED)).unwrap();
    assert_effect(found.rows, 0.760_555_555_556, 1, 28.520_833_333_3, 0.000_176_314_226_630_8);
    assert_effect(found.columns, 0.601_111_111_111, 2, 11.270_833_333_3, 0.001_758_035_915_820_8);
    assert_effect(found.interaction, 0.267_777_777_778, 2, 5.020_833_333_3, 0.026_038_795_711_904);
    assert_close(found.residual_sum_of_squares, 0.32, 1e-9);
    assert_eq!(found.residual_degrees_of_freedom, 12);
}

#[test]
fn an_unbalanced_grid_agrees_with_statsmodels() {
    // statsmodels anova_lm(ols('y ~ C(a) * C(b)').fit(), typ=2)
    let found = two_way_anova(&observations(UNBALANCED)).unwrap();
    assert_effect(found.rows, 0.679_201_353_638, 1, 29.341_498_477_2, 0.000_423_615_612_128_5);
    assert_effect(found.columns, 0.480_090_242_527, 2, 10.369_949_238_6, 0.004_613_851_635_456_3);
    assert_effect(found.interaction, 0.208_798_646_362, 2, 4.510_050_761, 0.043_972_761_689_501);
    assert_close(found.residual_sum_of_squares, 0.208_333_333_333, 1e-9);
}

#[test]
fn a_missing_cell_takes_a_degree_of_freedom_from_the_interaction() {
    // Without cell (1, 2), and 98.4 beside 98.2 in (1, 1): residual sums of squares of
    // statsmodels ols 'y ~ C(b)' − 'y ~ C(a) + C(b)', 'y ~ C(a)' − 'y ~ C(a) + C(b)' and
    // 'y ~ C(a) + C(b)' − 'y ~ C(cell)'
    let mut grid = UNBALANCED[..5].to_vec();
    grid[4] = (1, 1, &[98.2, 98.4]);
    let found = two_way_anova(&observations(&grid)).unwrap();
    let squares = |effect: Option<Effect>| effect.map(|e| (e.sum_of_squares, e.degrees_of_freedom));
    for (effect, expected, freedom) in [
        (found.rows, 0.192_666_666_667, 1),
        (found.columns, 0.416_888_888_889, 2),
        (found.interaction, 0.054, 1),
    ] {
        let (found, found_freedom) = squares(effect).unwrap();
        assert_close(found, expected, 1e-9);
        assert_eq!(found_freedom, freedom);
    }
    assert_close(found.residual_sum_of_squares, 0.183_333_333_333, 1e-9);
    assert_eq!(found.residual_degrees_of_freedom, 9);
}

#[test]
fn factors_that_move_together_cannot_be_told_apart() {
    let found = two_way_anova(&observations(&[(0, 0, &[1.0, 1.2]), (1, 1, &[2.0, 2.1])])).unwrap();
    assert_eq!((found.rows, found.columns, found.interaction), (None, None, None));
}

#[test]
fn a_grid_without_repeats_or_spread_has_no_analysis() {
    assert_eq!(two_way_anova(&[]), None);
    assert_eq!(two_way_anova(&observations(&[(0, 0, &[1.0]), (0, 1, &[2.0])])), None);
    assert_eq!(two_way_anova(&observations(&[(0, 0, &[1.0, 1.0]), (0, 1, &[2.0, 2.0])])), None);
    assert_eq!(two_way_anova(&observations(&[(0, 0, &[1.0, f64::NAN])])), None);
}

#[test]
fn marginal_means_weigh_every_cell_alike() {
    // ols('y ~ C(cell) - 1').fit().t_test([0, 0, 0, 1/3, 1/3, 1/3]): effect, sd, conf_int()
    let levels: Vec<Vec<&[f64]>> =
        UNBALANCED.chunks(3).map(|row| row.iter().map(|cell| cell.2).collect()).collect();
    let found = marginal_means(&levels, 0.95)[1].unwrap();
    assert_close(found.mean, 97.972_222_22, 1e-9);
    assert_close(found.se, 0.068_668_5, 1e-7);
    assert_close(found.interval.0, 97.816_883_27, 1e-9);
    assert_close(found.interval.1, 98.127_561_17, 1e-9);
    assert_eq!(marginal_means(&[vec![&[1.0]], vec![]], 0.95), [None, None]);
}
