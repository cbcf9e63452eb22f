use super::scale::{Linear, robust_range};
use super::*;
use crate::report::{Subject, compose};
use crate::tables::{ExperimentResults, fixture};

fn charts_of(results: &ExperimentResults) -> Vec<Chart> {
    charts(&compose(&[Subject::from(results)]).experiments[0])
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
fn scales_end_on_round_numbers_and_keep_values_on_the_paper() {
    let scale = Linear::rounded((96.13, 98.44), (0.0, 100.0), 5);
    assert_eq!(scale.ends(), (96.0, 98.5));
    let labels: Vec<String> = scale.ticks().iter().map(|tick| scale.label(*tick)).collect();
    assert_eq!(labels, ["96.0", "96.5", "97.0", "97.5", "98.0", "98.5"]);
    assert!((scale.at(97.25) - 50.0).abs() < 1e-9);
    assert!((scale.at(120.0) - 100.0).abs() < 1e-9);
    let single = Linear::rounded((5.0, 5.0), (0.0, 1.0), 3);
    assert!((single.at(5.0) - 0.5).abs() < 0.2 && single.ticks().len() > 1);
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
