use super::super::Draws;
use super::super::testing::assert_close;
use super::*;

fn rows(cells: &[Vec<Option<f64>>]) -> Vec<&[Option<f64>]> {
    cells.iter().map(Vec::as_slice).collect()
}

/// Five cells of four repeats with two gaps.
fn gappy() -> Vec<Vec<Option<f64>>> {
    let gap = f64::NAN;
    [
        [1.0, 2.0, 4.0, 3.1],
        [2.0, 3.5, 5.0, gap],
        [1.5, 2.0, 5.5, 3.0],
        [0.5, gap, 3.6, 2.2],
        [1.1, 2.5, 4.4, 3.9],
    ]
    .map(|cell| cell.map(|value| (!value.is_nan()).then_some(value)).to_vec())
    .to_vec()
}

#[test]
fn a_weighted_fit_with_gaps_agrees_with_r() {
    // f <- lm(y ~ cell + rep, weights = rep(c(1, 2, 0.5, 1.5, 1), each = 4)); means: predictions
    // averaged over rep; rss: tapply(resid(f)^2, cell, sum); freedom: tapply(1 - hatvalues(f), cell,
    // sum); gaps: L %*% summary(f)$cov.unscaled %*% L for differences of cells
    let cells = gappy();
    let found = Blocks::fit(&rows(&cells), &[1.0, 2.0, 0.5, 1.5, 1.0]).unwrap();
    let means = [2.525, 3.654_245_283_018_867_4, 3.0, 1.966_037_735_849_057, 2.975];
    let squares = [
        0.040_353_674_696_412_156,
        0.104_524_198_014_319_24,
        1.488_765_624_381_949,
        0.080_207_418_614_769_65,
        0.304_787_636_960_563_16,
    ];
    let freedom = [
        2.352_201_257_861_635,
        1.232_704_402_515_723_2,
        2.676_100_628_930_817,
        1.386_792_452_830_189,
        2.352_201_257_861_635,
    ];
    for cell in 0..5 {
        assert_close(found.means[cell], means[cell], 1e-12);
        let own = found.variances[cell];
        assert_close(own.degrees_of_freedom, freedom[cell], 1e-12);
        assert_close(own.variance * own.degrees_of_freedom, squares[cell], 1e-12);
    }
    let effects = [
        -1.609_591_194_968_553,
        -0.401_886_792_452_83,
        1.548_742_138_364_78,
        0.462_735_849_056_603,
    ];
    for (found, expected) in found.repeat_effects.iter().zip(effects) {
        assert_close(*found, expected, 1e-12);
    }
    let error = |a: usize, b: usize| {
        let weights = [1.0, 2.0, 0.5, 1.5, 1.0];
        let own = |cell: usize| 1.0 / (weights[cell] * found.counts[cell] as f64);
        own(a) + own(b) + found.squared_error_of_gaps(a, b)
    };
    assert_close(error(0, 1), 0.438_679_245_283_018_8, 1e-12);
    assert_close(error(1, 3), 0.449_685_534_591_195, 1e-12);
    assert_close(error(0, 2), 0.75, 1e-12);
}

#[test]
fn without_gaps_cells_keep_their_plain_means_and_all_freedom_is_shared_out() {
    let cells: Vec<Vec<Option<f64>>> = gappy().into_iter().filter(|c| !c.contains(&None)).collect();
    let found = Blocks::of(&rows(&cells)).unwrap();
    for (cell, mean) in cells.iter().zip(&found.means) {
        assert_close(*mean, cell.iter().flatten().sum::<f64>() / 4.0, 1e-12);
    }
    let freedom: f64 = found.variances.iter().map(|own| own.degrees_of_freedom).sum();
    assert_close(freedom, 6.0, 1e-9);
    assert_close(found.squared_error_of_gaps(0, 1), 0.0, 0.0);
}

#[test]
fn what_the_repeats_share_is_found_and_leaves_the_variances() {
    // 20 cells, 40 repeats, shared variance 0.24, own 0.76; half of the cells thrice as restless.
    let mut draws = Draws::new(11);
    let shared: Vec<f64> = (0..40).map(|_| 0.24_f64.sqrt() * draws.normal()).collect();
    let cells: Vec<Vec<Option<f64>>> = (0..20)
        .map(|cell| {
            let sd = if cell % 2 == 0 { 0.76_f64.sqrt() } else { 3.0 * 0.76_f64.sqrt() };
            shared.iter().map(|shared| Some(shared + sd * draws.normal())).collect()
        })
        .collect();
    let found = Blocks::of(&rows(&cells)).unwrap();
    let truth = Moments::of(&shared).unwrap().sd.unwrap().powi(2);
    assert!((found.repeat_variance / truth - 1.0).abs() < 0.4, "{} {truth}", found.repeat_variance);
    let mean = |parity: usize| {
        let own = found.variances.iter().skip(parity).step_by(2).map(|own| own.variance);
        own.sum::<f64>() / 10.0
    };
    // Three standard errors of a variance on 390 degrees of freedom.
    assert!((mean(0) / 0.76 - 1.0).abs() < 0.22, "{}", mean(0));
    assert!((mean(1) / (9.0 * 0.76) - 1.0).abs() < 0.22, "{}", mean(1));
    let correlation = found.intraclass_correlation().unwrap();
    assert!((0.06..0.24).contains(&correlation), "{correlation}");
}

#[test]
fn what_cannot_be_split_is_not() {
    let one = vec![Some(1.0), Some(2.0)];
    assert_eq!(Blocks::of(&[]), None);
    assert_eq!(Blocks::of(&rows(std::slice::from_ref(&one))), None);
    assert_eq!(Blocks::of(&rows(&[vec![Some(1.0)], vec![Some(2.0)]])), None);
    assert_eq!(Blocks::of(&rows(&[one.clone(), vec![Some(f64::NAN), None]])), None);
    let apart =
        vec![vec![Some(1.0), Some(1.5), None, None], vec![None, None, Some(2.0), Some(3.0)]];
    assert_eq!(Blocks::of(&rows(&apart)), None, "no cell connects the repeats");
    let empty = Blocks::of(&rows(&[one.clone(), vec![None, None], one])).unwrap();
    assert!(empty.means[1].is_nan());
    assert_eq!(empty.estimates(0.0)[1], None);
}

#[test]
fn cells_that_never_vary_have_no_variance() {
    let found = Blocks::of(&rows(&[vec![Some(0.5); 3], vec![Some(0.7); 3]])).unwrap();
    assert!(found.variances.iter().all(|own| own.variance <= 0.0));
    assert_eq!((found.repeat_variance, found.intraclass_correlation()), (0.0, None));
}
