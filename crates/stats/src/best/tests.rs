use super::super::Draws;
use super::super::testing::assert_close;
use super::*;

fn rows(cells: &[Vec<Option<f64>>]) -> Vec<&[Option<f64>]> {
    cells.iter().map(Vec::as_slice).collect()
}

fn full(cells: &[&[f64]]) -> Vec<Vec<Option<f64>>> {
    cells.iter().map(|cell| cell.iter().copied().map(Some).collect()).collect()
}

fn question(model: ErrorModel) -> BestQuestion {
    BestQuestion { higher_is_better: true, alpha: 0.05, floor: 0.0, model }
}

fn set(cells: &[&[f64]]) -> Vec<bool> {
    BestSet::of(&rows(&full(cells)), &question(ErrorModel::Independent)).members
}

#[test]
fn the_set_is_hsus() {
    // Of two cells: Student's t, one-sided; scipy.stats.t.isf(0.05, 6) times sqrt(2 / 4).
    let sd = (3.0_f64 / 5.0).sqrt();
    let at = |mean: f64| [mean - 1.5 * sd, mean - 0.5 * sd, mean + 0.5 * sd, mean + 1.5 * sd];
    let reach = 1.943_180_280_5 * 0.5_f64.sqrt();
    let of = |mean: f64| {
        BestSet::of(&rows(&full(&[&at(5.0), &at(mean)])), &question(ErrorModel::Independent))
    };
    let close = of(5.0 - reach + 0.01);
    assert_eq!(close.members, [true, true]);
    assert_eq!((close.leader, close.model), (Some(0), ErrorModel::Independent));
    assert_eq!(of(5.0 - reach - 0.01).members, [true, false]);
    // Hsu's lower bounds of the difference from the best of the others.
    assert_close(close.at_most_worse(1).unwrap(), 2.0 * reach - 0.01, 1e-6);
    assert_close(close.at_most_worse(0).unwrap(), 0.01, 1e-6);
    assert_close(of(1.0).at_most_worse(1).unwrap(), 4.0 + reach, 1e-6);
}

#[test]
fn a_cell_shown_to_be_the_best_is_at_most_nothing_worse() {
    let found = BestSet::of(
        &rows(&full(&[&[9.0, 9.1, 9.2], &[1.0, 1.1, 1.2], &[0.5, 0.4, 0.6]])),
        &question(ErrorModel::Independent),
    );
    assert_eq!(found.members, [true, false, false]);
    assert_eq!(found.at_most_worse(0), Some(0.0));
    assert!(found.at_most_worse(1).unwrap() > 8.0);
}

#[test]
fn a_restless_cell_far_below_does_not_hide_behind_its_spread() {
    // Three trials of 56.9 ± 8.5 beside 99.1 ± 1.1, which Holm's rule with Welch could not tell apart.
    let cells: [&[f64]; 4] =
        [&[56.9, 65.4, 48.4], &[99.1, 98.0, 100.2], &[98.5, 99.5, 98.7], &[97.9, 99.0, 98.4]];
    assert_eq!(set(&cells), [false, true, true, true]);
}

#[test]
fn no_cell_with_a_better_mean_than_an_ordinary_member_is_left_out() {
    let steady = |mean: f64| [mean - 0.01, mean, mean + 0.01, mean - 0.02, mean + 0.02];
    let wide = |mean: f64| [mean - 0.8, mean, mean + 0.8, mean - 0.7, mean + 0.7];
    let (best, good) = (steady(10.0), steady(9.7));
    // Among cells of a wide spread the wide one is ordinary; the steady one above it comes along.
    let (low, lower) = (wide(9.6), wide(5.0));
    assert_eq!(set(&[&best, &good, &low, &lower]), [true, true, true, false]);
    // Among steady ones it is alone with its noise.
    let others = [steady(9.0), steady(9.1), steady(9.2)];
    let all: Vec<&[f64]> =
        [&best, &good, &low].into_iter().chain(&others).map(|cell| &cell[..]).collect();
    assert_eq!(set(&all)[..2], [true, false]);
}

#[test]
fn smaller_may_be_better() {
    let cells = full(&[&[0.10, 0.11, 0.12], &[0.50, 0.51, 0.52], &[0.11, 0.10, 0.13]]);
    let less = BestQuestion { higher_is_better: false, ..question(ErrorModel::Independent) };
    let found = BestSet::of(&rows(&cells), &less);
    assert_eq!((found.members, found.leader), (vec![true, false, true], Some(0)));
}

#[test]
fn single_values_borrow_a_spread_or_stay_in() {
    let (best, same): (&[f64], &[f64]) = (&[0.990, 0.991, 0.992], &[0.991, 0.990, 0.9915]);
    assert_eq!(set(&[best, &[0.1]]), [true, true], "nothing is known of the spread of one of two");
    assert_eq!(set(&[best, same, same, &[0.1], &[]]), [true, true, true, false, false]);
    assert_eq!(set(&[&[], &[]]), [false, false]);
    assert_eq!(set(&[]), [false; 0]);
    let alone = BestSet::of(&rows(&full(&[best])), &question(ErrorModel::Independent));
    assert_eq!((alone.members.clone(), alone.at_most_worse(0)), (vec![true], Some(0.0)));
    let unknown = BestSet::of(&rows(&full(&[best, &[0.1]])), &question(ErrorModel::Independent));
    assert_eq!(unknown.at_most_worse(1), Some(f64::INFINITY));
}

#[test]
fn where_nothing_varies_the_best_means_are_the_set() {
    assert_eq!(set(&[&[0.5; 3], &[0.7; 3], &[0.7; 2], &[0.6; 3]]), [false, true, true, false]);
}

#[test]
fn blocks_tell_apart_what_shared_luck_hides() {
    // Five cells whose repeats rise and fall together by far more than they differ.
    let shared = [0.0, 5.0, -4.0, 2.0];
    let own = [0.02, -0.01, 0.0, -0.01];
    let cells: Vec<Vec<Option<f64>>> = (0..5)
        .map(|cell| {
            let deviation = |repeat: usize| own[(repeat + cell) % 4] - 0.1 * cell as f64;
            shared.iter().enumerate().map(|(at, shared)| Some(shared + deviation(at))).collect()
        })
        .collect();
    let blocks = BestSet::of(&rows(&cells), &question(ErrorModel::Blocks));
    assert_eq!(blocks.members, [true, false, false, false, false]);
    let alone = BestSet::of(&rows(&cells), &question(ErrorModel::Independent));
    assert_eq!(alone.members, [true; 5]);
    let few = BestSet::of(&rows(&cells[..3]), &question(ErrorModel::Differences));
    assert_eq!(few.members, [true, false, false]);
}

#[test]
fn blocks_that_nothing_connects_fall_back_to_independent_errors() {
    let cells =
        vec![vec![Some(1.0), Some(1.5), None, None], vec![None, None, Some(2.0), Some(3.0)]];
    let found = BestSet::of(&rows(&cells), &question(ErrorModel::Blocks));
    assert_eq!(found.model, ErrorModel::Independent);
}

/// Simulates experiments whose first cell is as good as every other and returns how often it is
/// kept.
fn kept(cells: usize, n: usize, sds: [f64; 2], correlation: f64, model: ErrorModel) -> f64 {
    const ROUNDS: u64 = 600;
    let kept = (0..ROUNDS).filter(|&round| {
        let mut draws = Draws::keyed(77, round);
        let shared: Vec<f64> = (0..n).map(|_| correlation.sqrt() * draws.normal()).collect();
        let own = (1.0 - correlation).sqrt();
        let cells: Vec<Vec<Option<f64>>> = (0..cells)
            .map(|cell| {
                let sd = own * sds[cell % 2];
                shared.iter().map(|shared| Some(shared + sd * draws.normal())).collect()
            })
            .collect();
        BestSet::of(&rows(&cells), &question(model)).members[0]
    });
    kept.count() as f64 / ROUNDS as f64
}

#[test]
fn the_best_cell_is_kept_however_many_are_equal_to_it() {
    use ErrorModel::{Blocks, Differences, Independent};
    // 95 %, less three standard errors of 600 rounds (0.027); `examples/simulate.rs` has the table.
    for (cells, n, sds, correlation, model) in [
        (20, 3, [1.0, 1.0], 0.0, Independent),
        (20, 5, [1.0, 1.0], 0.24, Independent),
        (20, 5, [1.0, 1.0], 0.24, Blocks),
        (8, 3, [1.0, 3.0], 0.24, Blocks),
        (12, 5, [3.0, 1.0], 0.0, Independent),
        (3, 5, [1.0, 1.0], 0.24, Differences),
        (4, 4, [1.0, 2.0], 0.0, Differences),
    ] {
        let kept = kept(cells, n, sds, correlation, model);
        assert!(
            kept >= 0.923,
            "{kept} with {cells} cells of {n}, {sds:?}, {correlation}, {model:?}"
        );
    }
}

#[test]
fn a_cell_worse_by_the_detectable_difference_is_left_out_as_often_as_said() {
    // 30 cells of 5: one is better by what 80 % power promises.
    let (cells, n, power) = (30, 5, 0.8);
    let distance = detectable_from_best(1.0, n, cells, 0.05, power).unwrap();
    let rounds = 400;
    let left_out = (0..rounds).filter(|&round| {
        let mut draws = Draws::keyed(78, round);
        let cells: Vec<Vec<Option<f64>>> = (0..cells)
            .map(|cell| {
                let mean = if cell == 0 { distance } else { 0.0 };
                (0..n).map(|_| Some(mean + draws.normal())).collect()
            })
            .collect();
        !BestSet::of(&rows(&cells), &question(ErrorModel::Independent)).members[1]
    });
    let share = left_out.count() as f64 / f64::from(rounds as u32);
    assert!((share - power).abs() < 0.07, "{share}");
}

#[test]
fn repeats_to_leave_the_best_are_the_fewest_that_suffice() {
    let detectable = |n: usize| detectable_from_best(1.0, n, 90, 0.05, 0.8).unwrap();
    let goal = 0.5 * detectable(5);
    let n = repeats_to_leave_best(1.0, goal, 90, (0.05, 0.8), 1_000).unwrap();
    assert!(detectable(n) <= goal && detectable(n - 1) > goal, "{n}");
    assert_eq!(repeats_to_leave_best(1.0, 1e-3, 90, (0.05, 0.8), 1_000), None);
    assert_eq!(detectable_from_best(1.0, 1, 90, 0.05, 0.8), None);
    assert_eq!(detectable_from_best(1.0, 5, 1, 0.05, 0.8), None);
    assert_eq!(detectable_from_best(1.0, 5, 9, 0.8, 0.05), None);
}

#[test]
fn what_a_repetition_detects_takes_in_that_the_spread_is_only_estimated() {
    for (n, at_least, at_most) in [(3, 1.1, 2.5), (100, 0.9, 1.15)] {
        let mut draws = Draws::new(79);
        let cells: Vec<Vec<Option<f64>>> =
            (0..5).map(|_| (0..n).map(|_| Some(draws.normal())).collect()).collect();
        let found = BestSet::of(&rows(&cells), &question(ErrorModel::Independent));
        let found = found.detectable(0.9).unwrap();
        let known = detectable_from_best(1.0, n, 5, 0.05, 0.9).unwrap();
        let ratio = found.usual / known;
        assert!((at_least..at_most).contains(&ratio), "{n}: {ratio}");
        assert!(found.noisiest >= found.usual);
    }
    // A quiet best and two cells: the one with three times the spread takes more.
    let cells = full(&[
        &[9.9, 10.0, 10.1, 10.05, 9.95],
        &[1.0, 1.1, 0.9, 1.05, 0.95],
        &[0.7, 1.3, 1.0, 1.2, 0.8],
    ]);
    let found = BestSet::of(&rows(&cells), &question(ErrorModel::Independent));
    let [quiet, noisy] = [1, 2].map(|cell| found.detectable_in(cell, 0.9).unwrap());
    assert!(noisy > 1.3 * quiet, "{quiet} {noisy}");
    assert_eq!(found.detectable_in(0, 0.9), None, "the best is not held against itself");
}
