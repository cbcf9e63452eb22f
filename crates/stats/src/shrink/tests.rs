use super::super::testing::assert_close;
use super::super::{Draws, Moments, expected_best, moderate};
use super::*;

fn estimates(means: &[f64], squared_error: f64) -> Vec<Estimate> {
    let estimate = |&mean: &f64| Estimate { mean, squared_error, degrees_of_freedom: 100.0 };
    means.iter().map(estimate).collect()
}

#[test]
fn unequal_errors_agree_with_paule_and_mandel() {
    // Means 1, 2, 4, 8, 5 with squared errors 1, 0.5, 2, 1, 0.1:
    // scipy.optimize.brentq(lambda t: sum((m - mu(t))**2 / (v + t)) - 4, 0, 100) with
    // mu(t) = sum(m / (v + t)) / sum(1 / (v + t))
    let errors = [1.0, 0.5, 2.0, 1.0, 0.1];
    let cells: Vec<Estimate> = [1.0, 2.0, 4.0, 8.0, 5.0]
        .iter()
        .zip(errors)
        .map(|(&mean, squared_error)| Estimate { mean, squared_error, degrees_of_freedom: 9.0 })
        .collect();
    let between = variance_between(&cells);
    assert_close(between, 6.603_943_688_199_52, 1e-9);
    assert_close(centre_of(&cells, between), 3.998_719_138_641_464_4, 1e-9);
}

#[test]
fn equal_means_have_no_spread_between_them() {
    let found = shrink(&estimates(&[2.0, 2.1, 1.9, 2.05, 1.95], 1.0), &[0; 5], true);
    assert_close(found[1].weight, 0.5, 1e-12);
    assert_close(found[1].mean, 2.05, 1e-12);
    let constant = shrink(&estimates(&[2.0; 5], 0.0), &[0; 5], true);
    assert_eq!((constant[0].mean, constant[0].interval(0.95)), (2.0, (2.0, 2.0)));
}

#[test]
fn no_mean_is_quoted_better_than_it_was_seen() {
    let means = [1.0, 2.0, 3.0, 4.0, 6.5];
    for higher in [true, false] {
        for found in shrink(&estimates(&means, 1.0), &[0; 5], higher) {
            assert!(if higher { found.mean <= found.raw } else { found.mean >= found.raw });
            assert!((found.expected - 3.3).abs() <= (found.raw - 3.3).abs());
        }
    }
}

#[test]
fn few_cells_and_unknown_errors_stay_as_they_are() {
    let cells = estimates(&[1.0, 2.0, 9.0, 3.0, 4.0, 5.0, 6.0], 1.0);
    let found = shrink(&cells, &[0, 0, 0, 1, 1, 1, 1], true);
    assert_close(found[2].mean, 9.0, 0.0);
    assert!(found[6].mean < 6.0);
    let mut unknown = cells.clone();
    unknown[6].degrees_of_freedom = 0.0;
    assert_close(shrink(&unknown, &[0, 0, 0, 1, 1, 1, 1], true)[6].mean, 6.0, 0.0);
}

#[test]
fn spreads_that_differ_by_chance_are_one_group() {
    let mut draws = Draws::new(3);
    let own: Vec<Variance> = (0..40)
        .map(|_| Variance::of(&[draws.normal(), draws.normal(), draws.normal()]).unwrap())
        .collect();
    assert_eq!(groups_of_like_sd(&own), [0; 40]);
    assert_eq!(groups_of_like_sd(&[]), [0; 0]);
    let zero = Variance { variance: 0.0, degrees_of_freedom: 2.0 };
    assert_eq!(groups_of_like_sd(&[zero; 5]), [0; 5]);
}

/// Simulates experiments and returns: coverage of all intervals, of the winner's, the winner's raw
/// and quoted excess over its truth in standard errors, and the mean error of the expected best draw
/// in standard deviations.
fn simulate(cells: usize, n: usize, between: f64) -> [f64; 5] {
    const ROUNDS: u64 = 400;
    let mut sums = [0.0; 5];
    for round in 0..ROUNDS {
        let mut draws = Draws::keyed(79, round);
        let truth: Vec<f64> = (0..cells).map(|_| between * draws.normal()).collect();
        let values: Vec<Vec<f64>> =
            truth.iter().map(|mean| (0..n).map(|_| mean + draws.normal()).collect()).collect();
        let own: Vec<Variance> = values.iter().map(|cell| Variance::of(cell).unwrap()).collect();
        let moderated = moderate(&own, 0.0);
        let found: Vec<Estimate> = values
            .iter()
            .zip(&moderated)
            .map(|(cell, own)| Estimate::new(Moments::of(cell).unwrap().mean, n, *own))
            .collect();
        let shrunken = shrink(&found, &groups_of_like_sd(&own), true);
        let covers = |cell: usize| {
            let (low, high) = shrunken[cell].interval(0.95);
            f64::from(u8::from((low..=high).contains(&truth[cell])))
        };
        let winner = (0..cells).max_by(|&a, &b| found[a].mean.total_cmp(&found[b].mean)).unwrap();
        let error = (n as f64).sqrt();
        sums[0] += (0..cells).map(covers).sum::<f64>() / cells as f64;
        sums[1] += covers(winner);
        sums[2] += (shrunken[winner].raw - truth[winner]) * error;
        sums[3] += (shrunken[winner].mean - truth[winner]) * error;
        let groups: Vec<Moments> =
            shrunken.iter().zip(&moderated).map(|(mean, own)| mean.draws(n, own)).collect();
        let best = values.iter().flatten().copied().fold(f64::NEG_INFINITY, f64::max);
        let expected = expected_best(&groups, true, (f64::NEG_INFINITY, f64::INFINITY)).unwrap();
        sums[4] += expected - best;
    }
    sums.map(|sum| sum / ROUNDS as f64)
}

#[test]
fn intervals_cover_and_the_winner_loses_its_luck() {
    for (cells, n, between) in
        [(90, 5, 0.0), (90, 5, 0.5), (16, 3, 0.3), (8, 5, 0.5), (30, 10, 2.0)]
    {
        let [all, winner, raw, quoted, best] = simulate(cells, n, between);
        println!("{cells}x{n} {between}: {all:.3} {winner:.3} {raw:.2} {quoted:.2} {best:.2}");
        // 95 %, less three standard errors of 400 rounds for the winner.
        assert!(all >= 0.935, "{all} of all with {cells} cells of {n}, {between}");
        assert!(winner >= 0.917, "{winner} of winners with {cells} cells of {n}, {between}");
        assert!(quoted.abs() <= 0.35 * raw.max(0.4), "{raw} raw, {quoted} quoted, {cells} cells");
        assert!(best.abs() < 0.15, "{best} with {cells} cells of {n}, {between}");
    }
}
