use unicode_width::UnicodeWidthStr;

use super::document::{Section, WarningKind};
use super::reference::ReferenceTest;
use super::*;
use crate::base::MetricName;
use crate::experiment::value::Value;
use crate::results::fixture::{self, HandMade};
use gridbench_stats::IntervalMethod;

fn text(results: &[ExperimentResults], format: Format, page: Page) -> String {
    render(&subjects(results), format, page)
}

fn subjects(results: &[ExperimentResults]) -> Vec<Subject<'_>> {
    results.iter().map(Subject::from).collect()
}

fn sections(results: &[ExperimentResults]) -> Vec<Section> {
    build(&subjects(results)).experiments
}

/// The report with every cell listed.
fn terminal(results: &ExperimentResults, width: usize) -> String {
    let view = View { full: true, ..View::default() };
    let subject = Subject { view: Some(&view), ..Subject::from(results) };
    render(&[subject], Format::Terminal, Page { width, colour: false })
}

/// Two ensemble sizes × two optimizers × three shifts by seven rotations.
fn panels() -> ExperimentResults {
    let sizes = ["1", "15"];
    let shifts = ["0", "0.1"];
    let rotations = ["0", "5", "10", "15", "20", "25", "30"];
    let zooms = ["0", "0.05", "0.1", "0.15", "0.2", "0.25", "0.3"];
    let mut values: Vec<[Option<&str>; 4]> = Vec::new();
    let mut errors: Vec<Vec<u32>> = Vec::new();
    for (index, size) in sizes.iter().enumerate() {
        for (row, shift) in shifts.iter().enumerate() {
            for (column, rotation) in rotations.iter().enumerate() {
                values.push([Some(size), Some(shift), Some(rotation), Some(zooms[column])]);
                let base = 20 - 8 * index - 4 * row + column.abs_diff(2);
                errors
                    .push((0..6).map(|repeat| (base + (repeat * 5 + column) % 4) as u32).collect());
            }
        }
    }
    let made: Vec<HandMade<'_>> =
        values.iter().zip(&errors).map(|(values, errors)| (&values[..], &errors[..])).collect();
    let axes: [(&str, &[&str]); 4] = [
        ("ensemble.size", &sizes),
        ("augment.shift", &shifts),
        ("augment.rotation", &rotations),
        ("augment.zoom", &zooms),
    ];
    let mut results = fixture::experiment("deotte", &axes, &made);
    results.facts.repeats = 6;
    results.cells.iter_mut().for_each(|cell| cell.planned = 6);
    results.facts.report.reference = Some("deotte-2018-ensemble".to_owned());
    results.facts.base.insert("train.epochs".to_owned(), Value::Integer(3));
    results.facts.base.insert("dataset.source.kind".to_owned(), Value::from_notation("digits"));
    results
}

fn sampled() -> ExperimentResults {
    let rates = ["0.001", "0.0013", "0.002", "0.0047", "0.0099", "0.01"];
    let names = ["sgd", "adam"];
    let values: Vec<[Option<&str>; 2]> = rates
        .iter()
        .enumerate()
        .map(|(index, rate)| [Some(names[index % 2]), Some(*rate)])
        .collect();
    let made: Vec<HandMade<'_>> = values.iter().map(|values| (&values[..], &[5u32][..])).collect();
    fixture::experiment(
        "sampled",
        &[("train.optimizer", &names), ("train.learning-rate", &rates)],
        &made,
    )
}

fn all_renderings(results: &[ExperimentResults]) -> Vec<String> {
    Format::ALL.into_iter().map(|format| text(results, format, Page::default())).collect()
}

#[test]
fn the_terminal_report_says_it_all() {
    insta::assert_snapshot!(terminal(&fixture::augment_grid(), 100));
}

#[test]
fn unasked_the_terminal_leaves_the_list_of_cells_out() {
    insta::assert_snapshot!(text(&[fixture::augment_grid()], Format::Terminal, Page::default()));
}

#[test]
fn panels_share_rows_and_columns_and_the_published_grid_stands_beside_them() {
    insta::assert_snapshot!(terminal(&panels(), 80));
}

#[test]
fn the_markdown_report_holds_the_same() {
    insta::assert_snapshot!(text(&[fixture::augment_grid()], Format::Markdown, Page::default()));
}

#[test]
fn the_markdown_report_compares_with_published_numbers() {
    let mut results = panels();
    results.cells.truncate(2);
    results.cells[1].values[0] = Some(Value::Integer(15));
    insta::assert_snapshot!(text(&[results], Format::Markdown, Page::default()));
}

#[test]
fn the_json_report_follows_its_schema() {
    insta::assert_snapshot!(text(&[fixture::augment_grid()], Format::Json, Page::default()));
}

#[test]
fn the_csv_report_is_the_cells_table() {
    insta::assert_snapshot!(text(&[fixture::augment_grid()], Format::Csv, Page::default()));
}

#[test]
fn a_sampled_grid_is_listed_and_single_trials_have_no_spread() {
    insta::assert_snapshot!(terminal(&sampled(), 100));
}

#[test]
fn an_experiment_without_a_completed_trial_is_reported_too() {
    let results = fixture::experiment("none", &[], &[(&[], &[])]);
    insta::assert_snapshot!(terminal(&results, 100));
    all_renderings(&[results]);
}

#[test]
fn no_line_is_wider_than_the_terminal() {
    for results in [fixture::augment_grid(), panels(), sampled()] {
        for width in [80, 100, 120] {
            for line in terminal(&results, width).lines() {
                assert!(line.width() <= width, "{width}: {line}");
            }
        }
    }
}

#[test]
fn colour_adds_nothing_but_escape_codes() {
    let results = [fixture::augment_grid(), panels()];
    let painted = text(&results, Format::Terminal, Page { width: 100, colour: true });
    let mut plain = String::new();
    let mut rest = painted.as_str();
    while let Some((before, after)) = rest.split_once("\u{1b}[") {
        plain.push_str(before);
        rest = after.split_once('m').unwrap().1;
    }
    plain.push_str(rest);
    assert_ne!(painted, plain);
    assert_eq!(plain, text(&results, Format::Terminal, Page { width: 100, colour: false }));
}

#[test]
fn sections_are_sorted_by_name_and_rendered_the_same_every_time() {
    let results = [panels(), fixture::augment_grid()];
    let names: Vec<String> = sections(&results).into_iter().map(|section| section.name).collect();
    assert_eq!(names, ["augment_grid", "deotte"]);
    assert_eq!(all_renderings(&results), all_renderings(&results));
}

#[test]
fn tables_read_back_give_the_same_report() {
    let folder = tempfile::tempdir().unwrap();
    let results = fixture::augment_grid();
    tables::write(&tables::frames(&results), folder.path()).unwrap();
    let back = tables::read(folder.path(), results.facts.clone(), &results.axes).unwrap();
    assert_eq!(all_renderings(&[back]), all_renderings(&[results]));
}

#[test]
fn the_view_decides_rows_columns_and_metric() {
    let mut results = fixture::augment_grid();
    results.facts.report.rows = Some("augment.zoom".to_owned());
    results.facts.report.columns = Some("augment.shift".to_owned());
    results.facts.report.metric = MetricName::TRAIN_SECONDS;
    let section = &sections(&[results.clone()])[0];
    assert_eq!(section.grids.len(), 1);
    assert_eq!(section.grids[0].rows.labels, ["zoom", "rotation"]);
    assert_eq!(section.grids[0].columns.as_ref().unwrap().labels, ["shift"]);
    // Fewer seconds are better: 2 + errors / 8 is smallest where 4, 6 and 5 errors are.
    assert_eq!(section.findings.best.unwrap().cell, 4);
    assert_eq!(section.findings.extreme.unwrap().value.to_bits(), 2.5_f64.to_bits());
    results.facts.report.rows = Some("augment.zom".to_owned());
    let section = &sections(&[results])[0];
    assert!(
        section
            .warnings
            .iter()
            .any(|warning| warning.kind == WarningKind::View
                && warning.text.contains("`augment.zom`")),
        "{:#?}",
        section.warnings
    );
}

#[test]
fn every_cell_stands_in_exactly_one_entry_of_the_grids() {
    for results in [fixture::augment_grid(), panels(), sampled()] {
        let section = &sections(std::slice::from_ref(&results))[0];
        let mut indices: Vec<usize> = section
            .grids
            .iter()
            .flat_map(|grid| grid.entries.iter().flatten().flatten().copied())
            .collect();
        indices.sort_unstable();
        assert_eq!(indices, (0..results.cells.len()).collect::<Vec<_>>());
    }
}

#[test]
fn conditional_axes_and_their_absence_get_places_of_their_own() {
    let axes: [(&str, &[&str]); 2] =
        [("train.optimizer", &["sgd", "adam"]), ("train.momentum", &["0", "0.9"])];
    let cells: [HandMade<'_>; 3] = [
        (&[Some("sgd"), Some("0")], &[5, 6, 7]),
        (&[Some("sgd"), Some("0.9")], &[4, 6, 7]),
        (&[Some("adam"), None], &[3, 4, 4]),
    ];
    let results = fixture::experiment("conditional", &axes, &cells);
    let section = &sections(&[results])[0];
    let rows = &section.grids[0].rows;
    assert_eq!(section.grids.len(), 1);
    assert_eq!(rows.labels, ["optimizer", "momentum"]);
    assert_eq!(rows.values[2], [Some("adam".to_owned()), None]);
}

#[test]
fn statistics_of_a_cell_are_those_of_its_sample() {
    let section = &sections(&[fixture::augment_grid()])[0];
    let summary = section.cells[0].summary.unwrap();
    // x = 1 - np.array([12, 14, 13]) / 360; scipy.stats.t.interval(.95, 2, x.mean(), sem(x))
    assert!((summary.mean - 0.963_888_888_888_889).abs() < 1e-14);
    assert!((summary.sd.unwrap() - 1.0 / 360.0).abs() < 1e-15);
    let (low, high) = summary.interval95.unwrap();
    assert!((low - 0.956_988_506_356_249_1).abs() < 1e-13, "{low}");
    assert!((high - 0.970_789_271_421_528_7).abs() < 1e-13, "{high}");
}

#[test]
fn published_spreads_are_compared_by_welch() {
    let axes: [(&str, &[&str]); 1] = [("ensemble.size", &["1", "15"])];
    let cells: [HandMade<'_>; 2] = [(&[Some("1")], &[2, 3, 4]), (&[Some("15")], &[1, 1, 2])];
    let mut results = fixture::experiment("spread", &axes, &cells);
    results.facts.report.reference = Some("deotte-2018-spread".to_owned());
    for (key, value) in
        [("augment.rotation", "10"), ("augment.zoom.width", "0.1"), ("augment.shift.width", "0.1")]
    {
        results.facts.base.insert(key.to_owned(), Value::from_notation(value));
    }
    let section = &sections(&[results])[0];
    let comparison = section.reference.as_ref().unwrap();
    assert_eq!(comparison.matches.len(), 2);
    let found = &comparison.matches[0];
    assert_eq!((found.cell, found.test), (0, Some(ReferenceTest::Welch)));
    // x = 1 - np.array([2, 3, 4]) / 360, y = 1 - np.array([1, 1, 2]) / 360
    // p = [ttest_ind_from_stats(x.mean(), x.std(ddof=1), 3, .99641, .00047, 1500, False).pvalue,
    //      ttest_ind_from_stats(y.mean(), y.std(ddof=1), 3, .99745, .00020, 100, False).pvalue]
    // statsmodels.stats.multitest.multipletests(p, method="holm")[1]
    assert!((found.p.unwrap() - 0.195_639_916_381_200_87).abs() < 1e-12, "{found:?}");
    assert!((comparison.matches[1].p.unwrap() - 0.338_913_007_266_262_5).abs() < 1e-12);
}

#[test]
fn an_unknown_reference_is_a_warning_that_lists_the_known_ones() {
    let mut results = fixture::augment_grid();
    results.facts.report.reference = Some("seed-999".to_owned());
    let section = &sections(&[results])[0];
    let warning = section.warnings.iter().find(|one| one.kind == WarningKind::Reference).unwrap();
    assert!(warning.text.contains("`seed-999`") && warning.text.contains("mnist-records"));
}

#[test]
fn trials_of_one_cell_from_several_numerical_paths_are_a_warning() {
    let mut results = fixture::augment_grid();
    let mut warned = |paths: [&str; 2]| {
        for (trial, path) in results.cells[0].trials.iter_mut().zip(paths) {
            trial.path = Some(path.to_owned());
        }
        let section = &sections(std::slice::from_ref(&results))[0];
        let warnings = section.warnings.iter();
        warnings
            .filter(|one| one.kind == WarningKind::MixedPaths)
            .map(|one| one.text.clone())
            .next()
    };
    assert_eq!(warned(["dfdx f32", "dfdx f32"]), None);
    let text = warned(["fused avx2 f32", "fused avx2 f32 and fused avx512 f32"]).unwrap();
    assert!(text.starts_with("the trials of 1 of 7 cells were computed by"), "{text}");
    assert!(text.contains("(`fused avx2 f32`, `fused avx512 f32`)"), "{text}");
}

#[test]
#[ignore = "a measurement: run it by name and read the times"]
fn a_hundred_thousand_trials_are_reported() {
    let results = [fixture::large(1000, 100)];
    for format in Format::ALL {
        let clock = std::time::Instant::now();
        let text = text(&results, format, Page::default());
        println!("{format:>10?} {:.3} s, {} bytes", clock.elapsed().as_secs_f64(), text.len());
    }
}

#[test]
fn settings_are_called_by_their_name_and_explained_below() {
    let sgd = "{name=sgd, momentum=0.9, nesterov=true}";
    let axes: [(&str, &[&str]); 2] =
        [("train.optimizer", &[sgd, "adam"]), ("augment.shift", &["0", "0.1"])];
    let cells: [HandMade<'_>; 4] = [
        (&[Some(sgd), Some("0")], &[5, 6, 7]),
        (&[Some(sgd), Some("0.1")], &[4, 6, 7]),
        (&[Some("adam"), Some("0")], &[3, 4, 4]),
        (&[Some("adam"), Some("0.1")], &[3, 3, 4]),
    ];
    let results = fixture::experiment("optimizers", &axes, &cells);
    insta::assert_snapshot!(terminal(&results, 100));
}

#[test]
fn a_single_trial_has_no_columns_of_a_distribution_and_ties_are_named() {
    let axes: [(&str, &[&str]); 1] = [("ensemble.size", &["1", "2", "4"])];
    let cells: [HandMade<'_>; 3] =
        [(&[Some("1")], &[5]), (&[Some("2")], &[3]), (&[Some("4")], &[3])];
    let text = terminal(&fixture::experiment("single", &axes, &cells), 100);
    for absent in ["histogram", "95 %", " SE"] {
        assert!(!text.contains(absent), "{absent}:\n{text}");
    }
    assert!(text.contains("at ensemble.size 2 and 4"), "{text}");
}

#[test]
fn published_numbers_name_their_metric_and_number_of_trials() {
    let mut results = fixture::experiment("two", &[], &[(&[], &[5, 6, 7])]);
    results.facts.model = "two-conv".to_owned();
    results.facts.report.reference = Some("tensorflow-two-conv".to_owned());
    for trial in &mut results.cells[0].trials {
        let accuracy = 0.98 + 0.001 * f64::from(trial.repeat);
        trial.metrics.insert(MetricName::VALIDATION_ACCURACY, accuracy);
    }
    let text = terminal(&results, 100);
    assert!(text.contains("validation accuracy  98.80 (n = 1)  98.10 ± 0.10 (n = 3)"), "{text}");
    results.facts.report.reference = Some("lecun".to_owned());
    let text = terminal(&results, 100);
    assert!(!text.contains("p (Holm)"), "{text}");
    assert!(text.contains("no test: the published values state neither n nor SD"), "{text}");
}

#[test]
fn trials_equal_to_the_bit_are_called_deterministic() {
    let axes: [(&str, &[&str]); 1] = [("model.preset", &["naive-bayes", "mlp"])];
    let cells: [HandMade<'_>; 2] =
        [(&[Some("naive-bayes")], &[160, 160, 160]), (&[Some("mlp")], &[9, 9, 9])];
    let mut results = fixture::experiment("same", &axes, &cells);
    for (index, cell) in results.cells.iter_mut().enumerate() {
        for trial in &mut cell.trials {
            // Equal accuracies of networks happen; equal losses do not.
            let loss = 0.5 + f64::from(index as u32 * trial.repeat) * 1e-9;
            trial.metrics.insert(MetricName::TEST_LOSS, loss);
        }
    }
    let text = terminal(&results, 100);
    assert!(text.contains("55.56 (deterministic)") && !text.contains("97.50 (det"), "{text}");
    assert!(text.contains("bit (preset naive-bayes)"), "{text}");
}

#[test]
fn paths_of_the_engine_are_a_list() {
    let mut results = fixture::augment_grid();
    results.facts.origin.engine = "cpu, fused avx512 f32 and portable f32".to_owned();
    let text = terminal(&results, 120);
    assert_eq!(text.matches("cpu, fused avx512 f32, portable f32").count(), 2, "{text}");
}

#[test]
fn intervals_are_students_and_twenty_trials_have_a_bootstrap_one_beside_it() {
    let errors: Vec<u32> = (0..20).map(|repeat| 3 + repeat % 5).collect();
    let results = fixture::experiment("many", &[], &[(&[], &errors)]);
    let section = &sections(std::slice::from_ref(&results))[0];
    let summary = section.cells[0].summary.unwrap();
    assert_eq!(summary.interval_method, Some(IntervalMethod::StudentT));
    assert!(summary.bca_interval95.is_some());
    assert_eq!(section.cells[0].metrics[&MetricName::TRAIN_SECONDS].bca_interval95, None);
    assert!(terminal(&results, 100).contains(" 95 % intervals of the mean: Student's t\n"));
}

#[test]
fn a_choice_by_validation_shows_the_test_beside_it_and_the_images_are_described() {
    let axes: [(&str, &[&str]); 1] = [("augment.shift", &["0", "0.1"])];
    let cells: [HandMade<'_>; 2] = [(&[Some("0")], &[5, 6, 7]), (&[Some("0.1")], &[3, 3, 4])];
    let mut results = fixture::experiment("chosen", &axes, &cells);
    for trial in results.cells.iter_mut().flat_map(|cell| &mut cell.trials) {
        let accuracy = 0.90 + 0.001 * f64::from(trial.repeat);
        trial.metrics.insert(MetricName::VALIDATION_ACCURACY, accuracy);
    }
    let dataset = &mut results.facts.datasets[0];
    dataset.notes = vec!["10 classes: 10 trained, 10 tested".to_owned()];
    dataset.warnings = vec!["3 test images are training images too".to_owned()];
    let text = terminal(&results, 200);
    assert!(text.contains("set `report.metric = \"validation-accuracy\"`"), "{text}");
    assert!(text.contains("10 classes: 10 trained, 10 tested"), "{text}");
    assert!(text.contains("warning  3 test images are training images too"), "{text}");
    results.facts.report.metric = MetricName::VALIDATION_ACCURACY;
    let section = &sections(&[results.clone()])[0];
    let best = section.findings.best.unwrap().cell;
    let mean = 100.0 * section.cells[best].metrics[&MetricName::TEST_ACCURACY].mean;
    let text = terminal(&results, 200);
    assert!(text.contains(&format!("; its test accuracy %: {mean:.2} ± ")), "{text}");
    assert!(!text.contains("chosen on the test images"), "{text}");
}
