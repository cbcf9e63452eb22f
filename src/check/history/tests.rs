use super::super::testing::{cell, origin};
use super::super::{Baseline, check};
use super::*;
use crate::experiment::CheckSettings;

/// A history of checks whose means are these, each of three trials.
fn history(means: &[f64]) -> String {
    let settings = CheckSettings {
        metric: crate::base::MetricName::TEST_ACCURACY,
        tolerance: 1.0,
        alpha: 0.05,
        images_per_second: None,
        lost_trials: None,
        at_least: None,
        cells: Vec::new(),
    };
    let sample = |mean: f64| [cell("a=<1>", &[mean - 0.001, mean, mean + 0.001])];
    let baseline = Baseline::from_samples(origin(), sample(0.97).to_vec()).unwrap();
    let line = |(day, mean): (usize, &f64)| {
        let mut source = origin();
        source.origin.date = format!("2026-01-{:02}T00:00:00Z", day + 1);
        let report = check(&baseline, &sample(*mean), &source, &settings).unwrap();
        HistoryLine::of(&report, Some("aa".to_owned())).to_text()
    };
    means.iter().enumerate().map(line).collect()
}

const FALLING: [f64; 12] =
    [0.970, 0.971, 0.969, 0.970, 0.972, 0.971, 0.951, 0.950, 0.949, 0.951, 0.950, 0.952];

#[test]
fn a_fall_is_marked_where_it_happened() {
    let series = read_history(&history(&FALLING)).unwrap();
    assert_eq!(series.len(), 1);
    let [change] = &series[0].changes[..] else { panic!("{:?}", series[0].changes) };
    assert_eq!((change.at, series[0].is_better(change)), (6, false));
    let text = terminal(&series);
    assert!(text.contains("worse from check 7 on (2026-01-07, commit e67c846)"), "{text}");
    assert!(text.contains("97.05 % → 95.05 %"), "{text}");
    assert!(text.contains("at most 5 % false alarms"), "{text}");
}

#[test]
fn pictures_escape_names_and_hold_every_check() {
    let series = read_history(&history(&FALLING)).unwrap();
    for text in [svg(&series), html(&series)] {
        assert_eq!(text.matches("<circle").count(), 12);
        assert_eq!(text.matches("class=\"change\"").count(), 1);
        assert!(text.contains("a=&lt;1&gt;") && !text.contains("a=<1>"));
    }
}

#[test]
fn a_steady_history_has_no_change() {
    let series = read_history(&history(&FALLING[..6])).unwrap();
    assert!(series[0].changes.is_empty());
    assert!(terminal(&series).contains("no change of level"));
}

#[test]
fn a_torn_last_line_is_passed_over_and_any_other_bad_line_is_named() {
    let whole = history(&FALLING);
    let torn = &whole[..whole.len() - 20];
    assert_eq!(read_history(torn).unwrap()[0].points.len(), 11);
    let broken = whole.replacen("\"metric\"", "\"meter\"", 1);
    assert!(matches!(read_history(&broken), Err(HistoryError::Line { line: 1, .. })));
    let later = whole.replacen("\"version\":1", "\"version\":9", 1);
    assert!(matches!(read_history(&later), Err(HistoryError::Format { version: 9, .. })));
    assert!(matches!(read_history("\n"), Err(HistoryError::Empty)));
}

#[test]
fn looks_at_a_baseline_are_its_distinct_candidates() {
    let text = history(&[0.98, 0.981, 0.979]);
    let date = |line: &str| serde_json::from_str::<HistoryLine>(line).unwrap().date;
    let mut dates: Vec<String> = text.lines().map(date).collect();
    let last = dates[2].clone();
    dates.dedup();
    assert_eq!(looks_at(&text, "aa", &last), dates.len(), "checked again counts once");
    assert_eq!(looks_at(&text, "aa", "later"), dates.len() + 1);
    assert_eq!(looks_at(&text, "bb", "later"), 1, "another baseline was never looked at");
}
