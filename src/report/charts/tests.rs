use super::scale::{Linear, area_inside, inside, robust_range};
use super::*;
use crate::report::{Subject, build};
use crate::results::{ExperimentResults, fixture};

fn charts_of(results: &ExperimentResults) -> Vec<Chart> {
    charts(&build(&[Subject::from(results)]).experiments[0])
}

fn names(charts: &[Chart]) -> Vec<&str> {
    charts.iter().map(|chart| chart.name.as_str()).collect()
}

#[test]
fn a_grid_has_intervals_histograms_effects_and_curves() {
    let charts = charts_of(&fixture::augment_grid());
    assert_eq!(
        names(&charts),
        ["intervals", "histograms", "effects", "interaction", "curves-accuracy", "curves-loss"]
    );
}

#[test]
fn charts_are_well_formed_and_hold_no_number_that_is_not_one() {
    for results in [fixture::augment_grid(), fixture::large(60, 3)] {
        for chart in charts_of(&results) {
            let file = chart.file();
            assert!(!file.contains("NaN") && !file.contains("inf"), "{}", chart.name);
            let open = file.matches("<g ").count();
            assert_eq!(open, file.matches("</g>").count(), "{}", chart.name);
            assert!(!chart.title.is_empty() && !chart.description.is_empty(), "{}", chart.name);
        }
    }
}

#[test]
fn an_experiment_without_a_result_has_no_charts() {
    assert!(charts_of(&fixture::experiment("none", &[], &[(&[], &[])])).is_empty());
}

#[test]
fn the_interval_chart_looks_as_it_did() {
    let charts = charts_of(&fixture::augment_grid());
    insta::assert_snapshot!(charts[0].file());
}

#[test]
fn scales_end_on_round_numbers_and_show_no_value_as_another() {
    let scale = Linear::rounded((96.13, 98.44), (0.0, 100.0), 5);
    assert_eq!(scale.ends(), (96.0, 98.5));
    let labels: Vec<String> = scale.ticks().iter().map(|tick| scale.label(*tick)).collect();
    assert_eq!(labels, ["96.0", "96.5", "97.0", "97.5", "98.0", "98.5"]);
    assert!((scale.at(97.25) - 50.0).abs() < 1e-9);
    assert!(scale.at(120.0) > 100.0 && !scale.holds(120.0) && scale.holds(98.5));
    assert!((scale.nearest(120.0) - 98.5).abs() < 1e-9);
    let single = Linear::rounded((5.0, 5.0), (0.0, 1.0), 3);
    assert!((single.at(5.0) - 0.5).abs() < 0.2 && single.ticks().len() > 1);
}

#[test]
fn lines_break_where_they_leave_the_panel_and_areas_are_cut_there() {
    // Heights grow downwards; the panel reaches from 0 to 10.
    let found = inside(&[(0.0, 30.0), (1.0, 20.0), (2.0, 0.0), (3.0, 5.0)], (0.0, 10.0));
    assert_eq!(found.pieces, [vec![(1.5, 10.0), (2.0, 0.0), (3.0, 5.0)]]);
    assert_eq!(found.gates, [(1.5, 10.0)]);
    let through = inside(&[(0.0, -10.0), (2.0, 30.0)], (0.0, 10.0));
    assert_eq!(through.pieces, [vec![(0.5, 0.0), (1.0, 10.0)]]);
    assert_eq!(through.gates, [(0.5, 0.0), (1.0, 10.0)]);
    let twice = inside(&[(0.0, 5.0), (1.0, 15.0), (2.0, 5.0)], (0.0, 10.0));
    assert_eq!(twice.pieces.len(), 2);
    let beyond = inside(&[(4.0, 30.0), (5.0, 20.0)], (0.0, 10.0));
    assert_eq!((beyond.pieces.len(), beyond.gates), (0, vec![(4.0, 10.0)]));
    let area = area_inside(&[(0.0, 5.0), (10.0, 5.0), (10.0, 20.0), (0.0, 20.0)], (0.0, 10.0));
    assert!(area.iter().all(|(_, y)| (0.0..=10.0).contains(y)) && area.len() == 4, "{area:?}");
    assert!(area_inside(&[(0.0, 15.0), (1.0, 12.0), (1.0, 20.0)], (0.0, 10.0)).is_empty());
}

/// A single network far below its ensembles, as with three networks of N4.
#[test]
fn the_ensembles_chart_holds_every_mean_and_its_whole_band() {
    let cells: [fixture::HandMade<'_>; 1] = [(&[], &[5, 6, 7])];
    let results = fixture::experiment("e", &[], &cells);
    let point = |size: usize, mean, sd| gridbench_stats::EnsemblePoint {
        size,
        ensembles: 15 / size,
        mean,
        sd: Some(sd),
        resampled95: None,
    };
    let later = (2..=15).map(|size| point(size, 0.994 + 1e-5 * size as f64, 0.0001));
    let points: Vec<_> = [point(1, 0.991_65, 0.000_79)].into_iter().chain(later).collect();
    let group = crate::report::predicted::EnsembleGroup { cells: vec![0], members: 15, points };
    let predicted =
        crate::report::predicted::Predicted { ensembles: vec![group], ..Default::default() };
    let subject = Subject { results: &results, predicted: Some(&predicted), view: None };
    let charts = charts(&build(&[subject]).experiments[0]);
    let chart = charts.iter().find(|chart| chart.name == "ensembles").unwrap();
    let file = chart.file();
    let heights: Vec<f64> = file
        .split("cy=\"")
        .skip(1)
        .map(|rest| rest.split('"').next().unwrap().parse().unwrap())
        .collect();
    // The panel reaches from 24 to 244 pixels; the lowest mean lies apart from the others in it.
    assert!(heights.iter().all(|y| (24.0..244.0).contains(y)), "{heights:?}");
    assert!(heights[0] > heights[1] + 100.0, "{heights:?}");
    assert!(file.contains(">99.0</text>") || file.contains(">99.00</text>"), "{file}");
}

#[test]
fn the_mark_stands_before_the_name_and_the_axes_have_units() {
    let charts = charts_of(&fixture::augment_grid());
    let intervals = charts[0].file();
    assert!(intervals.contains("<text class=\"\" x=\"0\" "), "{intervals}");
    for chart in charts.iter().filter(|chart| ["effects", "interaction"].contains(&&*chart.name)) {
        assert!(chart.file().contains(">test accuracy %</text>"), "{}", chart.name);
    }
}

#[test]
fn one_failed_training_does_not_flatten_a_chart() {
    let mut values = vec![0.97, 0.971, 0.972, 0.973, 0.974, 0.975, 0.976, 0.977];
    values.push(0.1);
    let (low, high) = robust_range(values.into_iter()).unwrap();
    assert!(low > 0.9 && high >= 0.977, "{low} to {high}");
    assert_eq!(robust_range([1.0, 2.0].into_iter()), Some((1.0, 2.0)));
    assert_eq!(robust_range([f64::NAN].into_iter()), None);
}
