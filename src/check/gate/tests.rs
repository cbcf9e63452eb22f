use proptest::prelude::*;

use super::super::testing::{cell, metric, origin};
use super::*;
use crate::base::{MetricName, Seed, digest_of};
use crate::check::{Note, Source, Verdict, Warning};
use crate::experiment::Match;
use crate::experiment::value::Value;

const A: [f64; 6] = [0.9921, 0.9918, 0.9934, 0.9925, 0.9929, 0.9911];
const B: [f64; 4] = [0.9899, 0.9907, 0.9912, 0.9883];

pub(super) fn settings(tolerance: f64) -> CheckSettings {
    CheckSettings {
        metric: MetricName::TEST_ACCURACY,
        tolerance,
        alpha: 0.05,
        images_per_second: None,
        lost_trials: None,
        at_least: None,
        cells: Vec::new(),
    }
}

pub(super) fn baseline(cells: &[CellSample]) -> Baseline {
    Baseline::from_samples(origin(), cells.to_vec()).unwrap()
}

fn check_one(before: &[f64], now: &[f64], tolerance: f64) -> CellVerdict {
    let report = check(
        &baseline(&[cell("shift=0", before)]),
        &[cell("shift=0", now)],
        &origin(),
        &settings(tolerance),
    );
    report.unwrap().cells.remove(0)
}

#[track_caller]
fn assert_close(found: f64, expected: f64) {
    assert!((found - expected).abs() < 1e-11, "found {found}, expected {expected}");
}

/// Three values with exactly this mean and standard deviation.
fn three(mean: f64, sd: f64) -> [f64; 3] {
    [mean - sd, mean, mean + sd]
}

#[test]
fn a_real_and_large_loss_is_a_regression() {
    let found = check_one(&A, &B, 0.10);
    assert_eq!(found.verdict, Verdict::Regressed);
    assert_eq!((found.n_baseline, found.n_candidate), (6, 4));
    assert_close(found.difference.unwrap(), -0.002_275);
    // scipy.stats.ttest_ind(b, a, equal_var=False).confidence_interval(0.9 | 0.95)
    let (low, high) = found.bounds.unwrap();
    assert_close(low, -0.003_741_582_715_699_241_4);
    assert_close(high, -0.000_808_417_284_301_034_8);
    let (low, high) = found.interval95.unwrap();
    assert_close(low, -0.004_156_418_295_992_907);
    assert_close(high, -0.000_393_581_704_007_369_6);
    assert_eq!((found.levels, found.repeats_to_settle), (Some((0.05, 0.05)), None));
}

#[test]
fn a_loss_within_the_tolerance_is_ok() {
    // The lower bound, 0.374 points, lies above −0.375 and below −0.374.
    assert_eq!(check_one(&A, &B, 0.375).verdict, Verdict::Ok);
    assert_eq!(check_one(&A, &B, 0.374).verdict, Verdict::Regressed);
}

#[test]
fn a_gain_is_ok() {
    assert_eq!(check_one(&B, &A, 0.0).verdict, Verdict::Ok);
}

#[test]
fn a_sure_loss_is_ok_only_where_the_tolerance_contains_it() {
    // Difference −0.29 points, bounds ±0.2785 around it (t₀.₉₅ at 4 degrees of freedom is
    // 2.131847): a loss for sure. From a tolerance of 0.5685 on it is ruled out as harmful; below,
    // it is more than half the tolerance.
    let (before, now) = (three(0.99, 0.0016), three(0.9871, 0.0016));
    let found = check_one(&before, &now, 0.568);
    let (low, high) = found.bounds.unwrap();
    let reach = 2.131_846_786_326_649_5 * 0.0016 * (2.0_f64 / 3.0).sqrt();
    assert_close(low, -0.0029 - reach);
    assert_close(high, -0.0029 + reach);
    assert_eq!(found.verdict, Verdict::Regressed);
    assert_eq!(check_one(&before, &now, 0.569).verdict, Verdict::Ok);
}

#[test]
fn a_loss_that_may_be_chance_is_inconclusive() {
    // Difference −0.10 points, bounds ±0.2785 around it.
    let (before, now) = (three(0.99, 0.0016), three(0.9890, 0.0016));
    assert_eq!(check_one(&before, &now, 0.30).verdict, Verdict::Inconclusive);
    assert_eq!(check_one(&before, &now, 0.38).verdict, Verdict::Ok);
}

#[test]
fn smaller_is_better_for_losses() {
    let as_loss = |cell: CellSample| CellSample { metric: metric(&MetricName::TEST_LOSS), ..cell };
    let verdict = |before: &[f64], now: &[f64]| {
        let report = check(
            &baseline(&[as_loss(cell("shift=0", before))]),
            &[as_loss(cell("shift=0", now))],
            &origin(),
            &CheckSettings { metric: MetricName::TEST_LOSS, ..settings(0.001) },
        );
        report.unwrap().cells.remove(0)
    };
    let worse = verdict(&B, &A);
    assert_eq!(worse.verdict, Verdict::Regressed);
    assert_close(worse.difference.unwrap(), 0.002_275);
    let (low, high) = worse.bounds.unwrap();
    assert_close(low, 0.000_808_417_284_301_034_8);
    assert_close(high, 0.003_741_582_715_699_241_4);
    assert_eq!(verdict(&A, &B).verdict, Verdict::Ok);
}

#[test]
fn a_single_trial_is_inconclusive() {
    let found = check_one(&A, &[0.5], 0.10);
    assert_eq!((found.verdict, found.note), (Verdict::Inconclusive, Some(Note::SingleTrial)));
    assert_eq!((found.bounds, found.interval95), (None, None));
    assert_eq!(found.repeats_to_settle, Some(2));
    assert_eq!(check_one(&[0.9], &[0.5], 0.10).repeats_to_settle, None);
}

#[test]
fn without_spread_the_difference_decides() {
    for (now, verdict) in [(0.990, Verdict::Ok), (0.989, Verdict::Ok), (0.9889, Verdict::Regressed)]
    {
        let found = check_one(&[0.99; 3], &[now; 3], 0.10);
        let note = if now < 0.99 { Note::NoSpread } else { Note::Identical };
        assert_eq!((found.verdict, found.note), (verdict, Some(note)), "{now}");
    }
    assert_eq!(check_one(&[0.99; 3], &[0.99; 3], 0.0).verdict, Verdict::Ok);
}

#[test]
fn losing_more_trials_than_the_baselines_own_losses_explain_is_not_ok() {
    let verdict = |before: usize, now: usize| {
        let report = check(
            &baseline(&[CellSample { lost: before, ..cell("shift=0", &A) }]),
            &[CellSample { lost: now, ..cell("shift=0", &A) }],
            &origin(),
            &settings(1.0),
        );
        let cell = report.unwrap().cells.remove(0);
        (cell.verdict, cell.note, cell.repeats_to_settle)
    };
    // Fisher's p of k lost beside six values against none beside six: C(6 + k, k) / C(12 + k, k),
    // 0.075 for k = 5 and 0.034 for 7
    assert_eq!(verdict(0, 7), (Verdict::Regressed, Some(Note::MoreLost), None));
    assert_eq!(verdict(0, 5), (Verdict::Inconclusive, Some(Note::MoreLost), None));
    assert_eq!(verdict(0, 1), (Verdict::Inconclusive, Some(Note::MoreLost), None));
    // scipy.stats.binom.sf(1, 8, 1 / 7) is 0.32 and binom.sf(3, 8, 1 / 7) is 0.016
    assert_eq!(verdict(1, 2), (Verdict::Ok, Some(Note::SomeLost), None));
    assert_eq!(verdict(1, 1), (Verdict::Ok, Some(Note::Identical), None));
    assert_eq!(verdict(2, 1), (Verdict::Ok, None, None));
}

#[test]
fn losing_every_trial_is_a_regression_once_there_are_enough() {
    let found = |lost: usize| {
        let report = check(
            &baseline(&[cell("shift=0", &A)]),
            &[CellSample { lost, ..cell("shift=0", &[]) }],
            &origin(),
            &settings(1.0),
        )
        .unwrap();
        assert_eq!(report.undecided().count(), 0);
        report.cells[0].clone()
    };
    // Fisher's p of k lost out of k against none of six: 1 / C(6 + k, k), 0.143 for 1, 0.036 for 2
    for (lost, verdict) in [(1, Verdict::Inconclusive), (2, Verdict::Regressed)] {
        let cell = found(lost);
        assert_eq!((cell.verdict, cell.note), (verdict, Some(Note::AllLost)));
        assert_eq!((cell.mean_candidate, cell.difference), (None, None));
        assert_eq!(cell.repeats_to_settle, None);
    }
}

#[test]
fn repeats_to_settle_are_those_of_the_planned_test() {
    // statsmodels TTestIndPower().solve_power(d / 0.047, alpha=0.05, power=0.8,
    // alternative='larger') = 11.67, 31.05, 68.97
    let sample = three(0.99, 0.000_47);
    let turned = [sample[2], sample[1], sample[0]];
    for (tolerance, repeats) in [(0.05, 12), (0.03, 32), (0.02, 69)] {
        let found = check_one(&sample, &turned, tolerance);
        assert_eq!(found.verdict, Verdict::Inconclusive);
        assert_eq!(found.repeats_to_settle, Some(repeats));
    }
    // Lost 0.04 of a tolerance of 0.05 points: a loss is nearer to shown than its absence, and
    // solve_power(0.04 / 0.047) is 17.7.
    let found = check_one(&sample, &three(0.9896, 0.000_47), 0.05);
    assert_eq!((found.verdict, found.repeats_to_settle), (Verdict::Inconclusive, Some(18)));
}

#[test]
fn each_bound_has_its_level_from_holm() {
    let before = [0.990, 0.991, 0.992, 0.991];
    let cells = [cell("a=1", &before), cell("a=2", &before), cell("a=3", &before)];
    let shifted = |by: f64| before.map(|value| value + by);
    let other_seed = Source { seed: Seed(7), ..origin() };
    let report = check(
        &baseline(&cells),
        &[cell("a=3", &shifted(-0.02)), cell("a=2", &before), cell("a=1", &shifted(0.02))],
        &other_seed,
        &settings(0.10),
    )
    .unwrap();
    assert_eq!((report.verdict, report.is_paired), (Verdict::Regressed, false));
    let verdicts: Vec<Verdict> = report.cells.iter().map(|cell| cell.verdict).collect();
    assert_eq!(verdicts, [Verdict::Ok, Verdict::Ok, Verdict::Regressed]);
    // Every cell is ok by itself at α. The other claim has α/2: one cell surely lost (α/2 over three),
    // the next is not rejected at α/2 over two, and the last shares that level.
    assert_eq!(report.cells[1].note, Some(Note::Identical));
    let levels: Vec<_> = report.cells.iter().map(|cell| cell.levels.unwrap()).collect();
    let (third, half) = (0.025 / 3.0, 0.025 / 2.0);
    for (found, expected) in levels.into_iter().zip([(0.05, half), (0.05, half), (0.05, third)]) {
        assert_close(found.0, expected.0);
        assert_close(found.1, expected.1);
    }
    assert_eq!(report.cells_with(Verdict::Ok).count(), 2);
}

#[test]
fn repeats_of_one_seed_and_split_pair_once_there_are_enough() {
    let values =
        [[0.990, 0.970, 0.985], [0.980, 0.960, 0.972], [0.93, 0.92, 0.95], [0.90, 0.91, 0.92]];
    let sample = |shift: f64| -> Vec<CellSample> {
        let named = |(at, own): (usize, &[f64; 3])| {
            // What a change adds differs a little from repeat to repeat.
            let wobble = [shift, shift - 0.000_2, shift + 0.000_1];
            let values: Vec<f64> = own.iter().zip(wobble).map(|(v, w)| v + w).collect();
            cell(&format!("a={at}"), &values)
        };
        values.iter().enumerate().map(named).collect()
    };
    let before = baseline(&sample(0.0));
    let paired = |cells: &[CellSample], source: &Source| {
        check(&before, cells, source, &settings(0.10)).unwrap()
    };
    let found = paired(&sample(-0.002), &origin());
    assert!(found.is_paired);
    assert_eq!(found.verdict, Verdict::Regressed, "a loss of 0.2 points under a spread of 1 point");
    assert!(found.cells.iter().all(|cell| cell.correlation.unwrap() > 0.99));
    let other_seed = Source { seed: Seed(7), ..origin() };
    let found = paired(&sample(-0.002), &other_seed);
    assert_eq!((found.is_paired, found.verdict), (false, Verdict::Inconclusive));
    let other_split = Source { split_seed: None, ..origin() };
    assert!(!paired(&sample(-0.002), &other_split).is_paired);
    assert!(
        !check(&before, &sample(0.0), &origin(), &settings_of(&["a=0", "a=1"])).unwrap().is_paired
    );
}

/// Gates only the cells with these names.
fn settings_of(names: &[&str]) -> CheckSettings {
    let one = |name: &&str| {
        let (key, value) = name.split_once('=').unwrap();
        vec![Match { key: key.to_owned(), values: vec![Value::from_notation(value)] }]
    };
    CheckSettings { cells: names.iter().map(one).collect(), ..settings(0.10) }
}

#[test]
fn the_words_of_a_verdict_are_what_the_rule_did() {
    // Bounds at the levels of the rule decide exactly as the sentences say: ok where the loss bound
    // lies above −δ, regressed where it does not and a loss is proven.
    let shifts = [0.0, -0.000_5, -0.001, -0.002, -0.004, 0.002];
    for (at, shift) in shifts.iter().enumerate() {
        let found = check_one(&A, &A.map(|v| v + shift + 1e-5 * at as f64), 0.15);
        if found.note == Some(Note::Identical) {
            assert_eq!(found.verdict, Verdict::Ok);
            continue;
        }
        let (low, high) = found.bounds.unwrap();
        let (ruled_out, proven) = (low > -0.0015, high < 0.0);
        assert_eq!(found.is_loss_proven, proven);
        let expected = match (ruled_out, proven) {
            (true, _) => Verdict::Ok,
            (false, true) => Verdict::Regressed,
            (false, false) => Verdict::Inconclusive,
        };
        assert_eq!(found.verdict, expected, "{shift}");
    }
    let said = Verdict::Ok.meaning();
    assert!(said.contains("ruled out") && said.contains("same to the bit"));
    let said = Verdict::Regressed.meaning();
    assert!(said.contains("a loss is proven") && said.contains("not ruled out"));
    assert!(said.contains("may show that it lies within the tolerance"));
}

#[test]
fn gated_cells_without_trials_are_named() {
    let cells = [cell("a=1", &A), cell("a=2", &A), cell("a=3", &A)];
    let candidate = [cell("a=2", &A), cell("a=3", &[])];
    let error = check(&baseline(&cells), &candidate, &origin(), &settings(0.1)).unwrap_err();
    insta::assert_snapshot!(error, @"2 of 3 gated cells of the baseline have no finished trial in the candidate");
}

#[test]
fn settings_that_make_no_gate_are_refused() {
    let cells = [cell("a=1", &A)];
    let error = |settings: CheckSettings| {
        check(&baseline(&cells), &cells, &origin(), &settings).unwrap_err().to_string()
    };
    let messages = [
        error(settings(-1.0)),
        error(CheckSettings { alpha: 0.5, ..settings(0.1) }),
        error(CheckSettings { metric: MetricName::TEST_LOSS, ..settings(0.1) }),
    ];
    insta::assert_snapshot!(messages.join("\n"), @r#"
    the tolerance is -1, expected 0 or more; set `check.tolerance`
    alpha is 0.5, expected more than 0 and less than 0.5; set `check.alpha`
    the baseline has no cell with `test-loss`, expected at least one; set `check.metric` or write the baseline again with `bench baseline`
    "#);
    let broken = [cell("a=1", &[0.9, f64::NAN])];
    let error = check(&baseline(&cells), &broken, &origin(), &settings(0.1)).unwrap_err();
    insta::assert_snapshot!(error, @"cell `a=1` has the value NaN, expected finite numbers; see `bench status`");
}

#[test]
fn new_cells_are_reported_and_not_gated() {
    let report = check(
        &baseline(&[cell("a=1", &A)]),
        &[cell("a=1", &A), cell("a=2", &[0.1, 0.2])],
        &origin(),
        &settings(0.5),
    )
    .unwrap();
    assert_eq!((report.verdict, report.new_cells), (Verdict::Ok, vec!["a=2".to_owned()]));
}

#[test]
fn what_differs_between_the_origins_is_said() {
    let mut other = origin();
    other.experiment = "augment_grid".to_owned();
    other.seed = Seed(7);
    other.origin.engine = "cpu, fused amx-bf16".to_owned();
    other.origin.hardware = "Another CPU".to_owned();
    other.datasets.insert("digits".to_owned(), digest_of(b"other digits"));
    other.datasets.insert("mnist".to_owned(), digest_of(b"mnist"));
    let cells = [cell("a=1", &A)];
    let report = check(&baseline(&cells), &cells, &other, &settings(0.5)).unwrap();
    let lines: Vec<String> = report.warnings.iter().map(Warning::to_string).collect();
    insta::assert_snapshot!(lines.join("\n"), @r#"
    the baseline is of experiment `smoke`, not `augment_grid`
    dataset `digits` differs: checksum cc6b6bad31a0 in the baseline, 675991562099 now
    dataset `mnist` differs: checksum none in the baseline, 63af3a9e54e0 now
    the baseline was drawn from seed 42, not 7
    the baseline was trained by `cpu, portable f32`, not `cpu, fused amx-bf16`
    "#);
    let report = check(&baseline(&cells), &cells, &origin(), &settings(0.5)).unwrap();
    assert_eq!(report.warnings, []);
}

#[test]
fn the_report_has_a_json_form() {
    let cells = [cell("a=1", &[0.5, 0.5])];
    let report =
        check(&baseline(&cells), &[cell("a=1", &[0.25, 0.25])], &origin(), &settings(1.0)).unwrap();
    insta::assert_snapshot!(serde_json::to_string_pretty(&report.cells[0]).unwrap(), @r#"
    {
      "name": "a=1",
      "assignment": {
        "a": 1
      },
      "verdict": "regressed",
      "n-baseline": 2,
      "n-candidate": 2,
      "lost-baseline": 0,
      "lost-candidate": 0,
      "mean-baseline": 0.5,
      "mean-candidate": 0.25,
      "difference": -0.25,
      "interval95": [
        -0.25,
        -0.25
      ],
      "bounds": [
        -0.25,
        -0.25
      ],
      "levels": [
        0.05,
        0.05
      ],
      "is-loss-proven": true,
      "is-gain-proven": false,
      "correlation": null,
      "repeats-to-settle": null,
      "note": "no-spread",
      "look": 1
    }
    "#);
}

#[test]
fn a_verdict_once_given_stays() {
    let before = baseline(&[cell("a=1", &A)]);
    let (worse, better) = ([cell("a=1", &A.map(|v| v - 0.02))], [cell("a=1", &A)]);
    let looks = Looks { first: 6, count: 3 };
    let report =
        check_looks(&before, &[&worse, &better], looks, &origin(), &settings(0.1)).unwrap();
    assert_eq!((report.verdict, report.cells[0].look), (Verdict::Regressed, 1));
    assert_eq!((report.looks_taken, report.looks_planned), (2, 3));
}

#[test]
fn only_the_cells_named_are_gated() {
    let cells = [cell("a=1", &A), cell("a=2", &A)];
    let now = [cell("a=1", &A), cell("a=2", &A.map(|value| value - 0.05))];
    let only = |value: i64| CheckSettings {
        cells: vec![vec![Match { key: "a".to_owned(), values: vec![Value::Integer(value)] }]],
        ..settings(0.1)
    };
    let report = check(&baseline(&cells), &now, &origin(), &only(1)).unwrap();
    assert_eq!(report.cells.len(), 1);
    assert_eq!((report.ungated_cells, report.new_cells), (vec!["a=2".to_owned()], vec![]));
    assert_ne!(report.verdict, Verdict::Regressed);
    let report = check(&baseline(&cells), &now, &origin(), &only(2)).unwrap();
    assert_eq!(report.verdict, Verdict::Regressed);
    let error = check(&baseline(&cells), &now, &origin(), &only(3)).unwrap_err();
    assert!(matches!(error, CheckError::NoCellGated { cells: 2 }), "{error}");
}

fn sample() -> impl Strategy<Value = Vec<f64>> {
    prop::collection::vec((9_700..=10_000_u32).prop_map(|k| f64::from(k) / 1e4), 1..8)
}

fn samples() -> impl Strategy<Value = Vec<(Vec<f64>, Vec<f64>)>> {
    prop::collection::vec((sample(), sample()), 1..6)
}

fn cells_of<'a>(samples: impl Iterator<Item = &'a Vec<f64>>) -> Vec<CellSample> {
    samples.enumerate().map(|(index, values)| cell(&format!("a={index}"), values)).collect()
}

proptest! {
    #[test]
    fn a_sample_compared_with_itself_never_regresses(
        samples in prop::collection::vec(sample(), 1..6),
        tolerance in 0.0..1.0_f64,
    ) {
        let cells = cells_of(samples.iter());
        let report = check(&baseline(&cells), &cells, &origin(), &settings(tolerance)).unwrap();
        prop_assert_ne!(report.verdict, Verdict::Regressed);
    }

    #[test]
    fn widening_the_tolerance_never_turns_ok_into_regressed(
        samples in samples(),
        tolerance in 0.0..2.0_f64,
        wider in 0.0..2.0_f64,
    ) {
        let before = baseline(&cells_of(samples.iter().map(|pair| &pair.0)));
        let now = cells_of(samples.iter().map(|pair| &pair.1));
        let narrow = check(&before, &now, &origin(), &settings(tolerance)).unwrap();
        let wide = check(&before, &now, &origin(), &settings(tolerance + wider)).unwrap();
        for (narrow, wide) in narrow.cells.iter().zip(&wide.cells) {
            prop_assert!(narrow.verdict != Verdict::Ok || wide.verdict == Verdict::Ok);
            prop_assert!(wide.verdict != Verdict::Regressed || narrow.verdict == Verdict::Regressed);
        }
    }

    #[test]
    fn bounds_enclose_the_difference(samples in samples(), tolerance in 0.0..2.0_f64) {
        let before = baseline(&cells_of(samples.iter().map(|pair| &pair.0)));
        let now = cells_of(samples.iter().map(|pair| &pair.1));
        let report = check(&before, &now, &origin(), &settings(tolerance)).unwrap();
        for cell in &report.cells {
            for (low, high) in cell.bounds.into_iter().chain(cell.interval95) {
                let difference = cell.difference.unwrap();
                prop_assert!(low <= difference && difference <= high);
            }
        }
    }
}
