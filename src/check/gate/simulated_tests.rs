//! The rule's own error rates, by simulation.

use super::super::testing::{cell, origin};
use super::tests::{baseline, settings};
use super::*;
use crate::check::Verdict;
use gridbench_stats::{Draws, Sides, repeats_for};

/// Draws accuracies as a test set of 10,000 images would give them: normal, rounded to 1e-4.
fn accuracies(draws: &mut Draws, mean: f64, sd: f64, n: usize) -> Vec<f64> {
    (0..n)
        .map(|_| {
            // Box & Muller (1958).
            let radius = (-2.0 * (1.0 - draws.unit()).ln()).sqrt();
            let normal = radius * (std::f64::consts::TAU * draws.unit()).cos();
            ((mean + sd * normal) * 1e4).round() / 1e4
        })
        .collect()
}

/// Simulates checks of `cells` cells with `n` trials a side, of which the last lost `loss`, and
/// returns the share with verdict regressed.
fn share_regressed(cells: usize, n: usize, sd: f64, loss: f64, tolerance: f64) -> f64 {
    const ROUNDS: u64 = 1_000;
    let names: Vec<String> = (0..cells).map(|index| format!("a={index}")).collect();
    let alarms = (0..ROUNDS).filter(|&round| {
        let mut draws = Draws::keyed(2026, round);
        let mut sample = |mean: f64| {
            names
                .iter()
                .enumerate()
                .map(|(index, name)| {
                    let mean = if index + 1 == cells { mean } else { 0.99 };
                    cell(name, &accuracies(&mut draws, mean, sd, n))
                })
                .collect::<Vec<_>>()
        };
        let (before, now) = (sample(0.99), sample(0.99 - loss));
        let report = check(&baseline(&before), &now, &origin(), &settings(tolerance)).unwrap();
        report.verdict == Verdict::Regressed
    });
    alarms.count() as f64 / ROUNDS as f64
}

#[test]
fn at_most_one_in_twenty_equal_candidates_raises_an_alarm() {
    for (cells, n, sd) in [(1, 4, 0.000_47), (1, 10, 0.000_47), (6, 6, 0.000_47), (6, 10, 0.000_47)]
    {
        let alarms = share_regressed(cells, n, sd, 0.0, 0.10);
        assert!(alarms <= 0.05, "{alarms} with {cells} cells of {n} trials");
    }
}

#[test]
fn alarms_keep_their_level_where_the_tolerance_is_no_help() {
    // Without a tolerance every apparent loss counts, and the level alone holds alarms down: 5 %,
    // give or take three standard errors of 1,000 rounds.
    for cells in [1, 6] {
        let alarms = share_regressed(cells, 10, 0.001, 0.0, 0.0);
        assert!((0.02..0.071).contains(&alarms), "{alarms} with {cells} cells");
    }
}

#[test]
fn a_loss_of_twice_the_tolerance_is_caught() {
    // Trials as the planning advises for the tolerance at the level of one of so many cells.
    for cells in [1, 6] {
        let n = repeats_for(0.047, 0.10, 0.05 / cells as f64, 0.8, Sides::One).unwrap();
        let caught = share_regressed(cells, n, 0.000_47, 0.002, 0.10);
        assert!(caught >= 0.95, "{caught} with {cells} cells of {n} trials");
    }
}

/// Simulates escalated checks of `cells` cells with `n`, 2n and 4n trials of the candidate against
/// `in_baseline`, of which the last lost `loss`; returns the shares of each verdict.
fn escalated(
    cells: usize,
    (n, in_baseline): (u32, usize),
    sd: f64,
    loss: f64,
    tolerance: f64,
) -> [f64; 3] {
    const ROUNDS: u64 = 1_000;
    let looks = Looks { first: n, count: 3 };
    let names: Vec<String> = (0..cells).map(|index| format!("a={index}")).collect();
    let mut verdicts = [0.0; 3];
    for round in 0..ROUNDS {
        let mut draws = Draws::keyed(2027, round);
        let mean = |index: usize| if index + 1 == cells { 0.99 - loss } else { 0.99 };
        let before: Vec<CellSample> = names
            .iter()
            .map(|name| cell(name, &accuracies(&mut draws, 0.99, sd, in_baseline)))
            .collect();
        let all: Vec<Vec<f64>> = (0..cells)
            .map(|index| accuracies(&mut draws, mean(index), sd, looks.repeats(2) as usize))
            .collect();
        let at = |look: usize| -> Vec<CellSample> {
            let count = looks.repeats(look) as usize;
            names.iter().zip(&all).map(|(name, values)| cell(name, &values[..count])).collect()
        };
        let taken: Vec<Vec<CellSample>> = (0..3).map(at).collect();
        let baseline = baseline(&before);
        let verdict = (1..=3)
            .map(|count| {
                let taken: Vec<&[CellSample]> = taken[..count].iter().map(Vec::as_slice).collect();
                check_looks(&baseline, &taken, looks, &origin(), &settings(tolerance)).unwrap()
            })
            .find(|report| report.undecided().next().is_none() || report.looks_taken == 3)
            .unwrap()
            .verdict;
        verdicts[verdict as usize] += 1.0 / ROUNDS as f64;
    }
    verdicts
}

#[test]
fn looking_three_times_raises_no_more_alarms_than_looking_once() {
    // Without a tolerance every apparent loss counts: 5 % in all, give or take three standard
    // errors of 1,000 rounds. A t-test at a nominal level is a little too lenient for few trials.
    for (cells, n, in_baseline) in [(1, 5, 10), (1, 10, 10), (4, 6, 12)] {
        let alarms =
            escalated(cells, (n, in_baseline), 0.001, 0.0, 0.0)[Verdict::Regressed as usize];
        assert!((0.02..0.071).contains(&alarms), "{alarms} with {cells} cells of {n} trials");
    }
}

#[test]
fn equal_candidates_raise_next_to_no_alarm_within_a_tolerance_however_often_is_looked() {
    for (cells, n, in_baseline) in [(1, 4, 4), (6, 6, 12)] {
        let alarms = escalated(cells, (n, in_baseline), 0.000_47, 0.0, 0.10);
        assert!(alarms[Verdict::Regressed as usize] <= 0.05, "{alarms:?} with {cells} cells");
    }
}

#[test]
fn escalation_settles_what_one_look_leaves_open() {
    // A loss of δ with a spread of 1.5 δ: four trials against twenty say little, sixteen enough.
    let (once, thrice) = (
        share_regressed(1, 4, 0.001, 0.002, 0.10),
        escalated(1, (4, 20), 0.001, 0.002, 0.10)[Verdict::Regressed as usize],
    );
    assert!(thrice > once + 0.1 && thrice > 0.95, "{once} at one look, {thrice} at three");
}
