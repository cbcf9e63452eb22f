//! Whether what a report says is true: for every number of trials, lost ones, ensembles, deterministic
//! cells, samples, a single cell. `docs/statistics.md` lists the sentences with the test of each.

use super::document::{Section, WarningKind};
use super::*;
use crate::base::MetricName;
use crate::record::Outcome;
use crate::results::TrialRow;
use crate::results::fixture::{self, HandMade};

const TWO: [&str; 2] = ["0", "1"];
const THREE: [&str; 3] = ["0", "1", "2"];

/// Returns cells on one axis, by the errors of their trials.
fn cells(errors: &[&[u32]]) -> ExperimentResults {
    let names = ["0", "1", "2", "3", "4", "5", "6", "7"];
    let values: Vec<[Option<&str>; 1]> =
        names.iter().take(errors.len()).map(|name| [Some(*name)]).collect();
    let made: Vec<HandMade<'_>> =
        values.iter().zip(errors).map(|(values, errors)| (&values[..], *errors)).collect();
    let mut results = fixture::experiment("cells", &[("a.x", &names[..errors.len()])], &made);
    for (cell, errors) in results.cells.iter_mut().zip(errors) {
        cell.planned = errors.len() as u32;
    }
    results
}

/// Adds a trial that diverged.
fn lose(results: &mut ExperimentResults, cell: usize) {
    let cell = &mut results.cells[cell];
    let repeat = cell.trials.len() as u32;
    cell.trials.push(TrialRow {
        repeat,
        id: format!("{repeat:032x}"),
        outcome: Outcome::Diverged,
        metrics: crate::base::Metrics::default(),
        reason: Some("loss became NaN".to_owned()),
        path: None,
    });
    cell.planned = cell.planned.max(repeat + 1);
}

/// Makes every trial of a cell the same to the bit, its loss too.
fn make_deterministic(results: &mut ExperimentResults, cell: usize) {
    for trial in &mut results.cells[cell].trials {
        trial.metrics.insert(MetricName::TEST_LOSS, 0.5 + cell as f64);
    }
}

fn section(results: &ExperimentResults) -> Section {
    build(&[Subject::from(results)]).experiments.remove(0)
}

/// Returns the report as one line, without what breaks lines.
fn said(results: &ExperimentResults, format: Format) -> String {
    let view = View { full: true, ..View::default() };
    let subject = Subject { view: Some(&view), ..Subject::from(results) };
    let text = render(&[subject], format, Page { width: 200, colour: false });
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn terminal(results: &ExperimentResults) -> String {
    said(results, Format::Terminal)
}

/// Returns the sentence that a report begins and ends with.
fn answer(results: &ExperimentResults) -> String {
    super::answer::answer(&super::text::Presenter::of(&section(results))).unwrap_or_default()
}

#[test]
fn where_every_trial_was_lost_the_report_says_so() {
    let mut results = cells(&[&[], &[]]);
    (0..2).for_each(|cell| lose(&mut results, cell));
    assert_eq!(
        answer(&results),
        "no result: 2 of 2 trials ended without one (2 diverged); try other settings"
    );
    for format in [Format::Terminal, Format::Markdown, Format::Html, Format::Latex] {
        let text = said(&results, format);
        assert!(text.contains("every trial ended without a result"), "{text}");
        for untrue in ["no trial has completed yet", "in the statistics", "still to be done"] {
            assert!(!text.contains(untrue), "{untrue}: {text}");
        }
    }
}

#[test]
fn lost_and_missing_trials_without_any_result_are_told_apart() {
    let mut results = cells(&[&[], &[]]);
    lose(&mut results, 0);
    results.cells[1].planned = 1;
    assert_eq!(
        answer(&results),
        "no result: 1 of 2 trials ended without one (1 diverged); run it again to finish what is \
         missing"
    );
    assert!(terminal(&results).contains("no trial has completed yet, and some ended without"));
}

#[test]
fn a_metric_that_no_trial_has_is_named_as_the_reason() {
    let mut results = cells(&[&[5, 6, 7], &[4, 5, 6]]);
    results.facts.report.metric = MetricName::VALIDATION_ACCURACY;
    assert!(answer(&results).contains("validation accuracy has no value in 6 completed trials"));
    let text = terminal(&results);
    assert!(
        text.contains("validation accuracy %: measured by none of 6 completed trials"),
        "{text}"
    );
    assert!(!text.contains("no trial has completed"), "{text}");
}

#[test]
fn the_confidence_is_of_the_cells_that_have_results() {
    let results = fixture::augment_grid();
    let text = terminal(&results);
    assert!(
        text.contains(
            "with 95 % confidence the best of the 6 cells with results is one of the 2 ●"
        ),
        "{text}"
    );
    assert!(
        answer(&results).contains("1 of the 5 other cells with results may be as good or better")
    );
    let all = cells(&[&[5, 6, 7], &[40, 41, 42], &[50, 51, 52]]);
    assert!(terminal(&all).contains("the best of these 3 cells is the ● (Hsu"));
}

#[test]
fn cells_that_are_left_out_of_the_set_are_called_worse() {
    let results = cells(&[&[5, 6, 7], &[40, 41, 42], &[50, 51, 52]]);
    assert!(answer(&results).contains("all 2 other cells are worse (95 % confidence)"));
    let two = cells(&[&[5, 6, 7, 5, 6], &[40, 41, 42, 41, 40]]);
    assert!(answer(&two).contains("the other cell is worse (95 % confidence)"));
}

#[test]
fn cells_that_may_all_be_the_best_are_not_counted_out_of_themselves() {
    let results = cells(&[&[5, 60, 30], &[10, 50, 36], &[20, 58, 20]]);
    assert!(answer(&results).contains("; all 2 other cells may be as good or better; "));
}

#[test]
fn a_better_mean_that_lost_trials_is_named_and_never_called_worse() {
    let mut results = cells(&[&[5, 6, 7], &[60, 61, 62], &[70, 71, 72]]);
    lose(&mut results, 0);
    let section = section(&results);
    assert_eq!(section.findings.best.unwrap().cell, 1);
    assert!(section.cells[0].inseparable_from_best);
    let answer = answer(&results);
    assert!(answer.starts_with("best mean without lost trials: "), "{answer}");
    assert!(answer.contains("1 of the 2 other cells may be as good or better"), "{answer}");
    let text = terminal(&results);
    assert!(text.contains("a better mean, but lost trials, has x 0"), "{text}");
    assert!(!text.contains("other cells are worse"), "{text}");
    let latex = said(&results, Format::Latex);
    assert!(latex.contains("Bold is the best mean without lost trials."), "{latex}");
}

#[test]
fn what_a_named_cell_lost_stands_beside_it() {
    let mut results = cells(&[&[5, 6, 7], &[60, 61, 62]]);
    (0..2).for_each(|cell| lose(&mut results, cell));
    assert!(answer(&results).contains("(n = 3, 1 of 4 lost)"), "{}", answer(&results));
    assert!(said(&results, Format::Html).contains("1 of 4 lost"));
}

#[test]
fn a_single_trial_per_cell_tells_nothing_apart() {
    let results = cells(&[&[5], &[6], &[7]]);
    let answer = answer(&results);
    assert!(answer.contains("a single trial per cell tells no two settings apart"), "{answer}");
    assert!(answer.ends_with("set `repeats` to 3 or more"), "{answer}");
    assert!(!said(&results, Format::Html).contains("95 % confidence"));
    let one_of_many = cells(&[&[5, 6, 7], &[6], &[7]]);
    let answer = super::sentences::answer(&one_of_many);
    assert!(answer.contains("only one cell has more than one trial"), "{answer}");
}

#[test]
fn a_single_cell_is_compared_with_nothing() {
    let results = fixture::experiment("one", &[], &[(&[], &[5, 6, 7])]);
    assert_eq!(answer(&results), "test accuracy: 98.33 ± 0.28 % (n = 3)");
    let html = said(&results, Format::Html);
    for absent in ["Cells compared", "best mean", "may be the best", "Effects of the axes", "●</"]
    {
        assert!(!html.contains(absent), "{absent}");
    }
    let alone = fixture::experiment("one", &[], &[(&[], &[5])]);
    assert!(!terminal(&alone).contains("told apart"));
}

#[test]
fn the_only_cell_with_a_result_is_named() {
    let mut results = cells(&[&[5, 6, 7], &[]]);
    results.cells[1].planned = 3;
    assert_eq!(
        answer(&results),
        "of 2 cells only x 0 has a result: 98.33 ± 0.28 % (n = 3); run it again to finish what is \
         missing"
    );
}

#[test]
fn deterministic_cells_need_no_confidence_and_no_fresh_seeds() {
    let mut results = cells(&[&[5, 5, 5], &[40, 40, 40]]);
    (0..2).for_each(|cell| make_deterministic(&mut results, cell));
    let answer = answer(&results);
    assert!(answer.contains("98.61 % (n = 3, deterministic)"), "{answer}");
    assert!(answer.contains("the other cell is worse (every trial of a cell gave the same)"));
    assert!(answer.ends_with("more seeds tell nothing new"), "{answer}");
    assert!(!answer.contains("fresh seeds") && !answer.contains("confirm"), "{answer}");
}

#[test]
fn advice_to_repeat_is_given_only_where_too_few_were_planned() {
    let mut results = cells(&[&[5, 6, 7], &[8]]);
    (0..2).for_each(|_| lose(&mut results, 1));
    let text = terminal(&results);
    assert!(text.contains("1 of 2 cells has fewer than 3 completed trials: its spread"), "{text}");
    assert!(!text.contains("set `repeats`"), "{text}");
    let planned = cells(&[&[5, 6], &[8, 9]]);
    assert!(terminal(&planned).contains("hardly known; set `repeats` to 3 or more"));
}

#[test]
fn one_lost_trial_is_spoken_of_as_one() {
    let mut results = cells(&[&[5, 6, 7], &[8, 9, 10]]);
    lose(&mut results, 1);
    let text = terminal(&results);
    assert!(
        text.contains("1 of 7 trials ended without a result (1 diverged) and is not in"),
        "{text}"
    );
    lose(&mut results, 1);
    let text = terminal(&results);
    assert!(
        text.contains("2 of 8 trials ended without a result (2 diverged) and are not in"),
        "{text}"
    );
}

#[test]
fn spread_is_predicted_for_single_networks_alone() {
    let axes: [(&str, &[&str]); 1] = [("ensemble.size", &["1", "5"])];
    let made: [HandMade<'_>; 2] = [(&[Some("1")], &[9, 5, 7]), (&[Some("5")], &[4, 4, 5])];
    let results = fixture::experiment("sizes", &axes, &made);
    let both = section(&results);
    let spread = both.findings.spread.unwrap();
    // error 7 / 360, so sqrt(7 / 360 / 720); the SD of 9, 5, 7 is 2
    assert!((spread.predicted - (7.0_f64 / 360.0 / 720.0).sqrt()).abs() < 1e-12);
    assert!((spread.seen - 2.0 / 360.0).abs() < 1e-12);
    assert!(both.cells[1].noise.unwrap().predicted_sd.is_none());
    assert!(terminal(&results).contains("of networks alone: predicted"));
    let mut large = cells(&[&[4, 4, 5]]);
    large
        .facts
        .base
        .insert("ensemble.size".to_owned(), crate::experiment::value::Value::Integer(5));
    assert!(section(&large).findings.spread.is_none());
}

#[test]
fn a_test_metric_is_recommended_only_where_it_was_measured() {
    let confirm = "`bench confirm` tries it on fresh seeds before you quote it";
    let of = |metric: MetricName, keeps_test: bool| {
        let mut results = cells(&[&[5, 6, 7], &[80, 81, 82]]);
        results.facts.report.metric = metric;
        for trial in results.cells.iter_mut().flat_map(|cell| &mut cell.trials) {
            let accuracy = trial.metrics[&MetricName::TEST_ACCURACY];
            if !keeps_test {
                trial.metrics = crate::base::Metrics::default();
            }
            trial.metrics.insert(MetricName::VALIDATION_ACCURACY, accuracy);
        }
        answer(&results)
    };
    let text = of(MetricName::TRAIN_SECONDS, true);
    assert!(text.ends_with(confirm), "{text}");
    let text = of(MetricName::VALIDATION_ACCURACY, true);
    assert!(text.ends_with("quote its test accuracy, on which nothing was chosen"), "{text}");
    let text = of(MetricName::VALIDATION_ACCURACY, false);
    assert!(text.ends_with(confirm), "{text}");
}

#[test]
fn fresh_seeds_are_not_said_to_repair_a_choice_on_the_test_images() {
    let results = cells(&[&[5, 6, 7], &[8, 9, 10]]);
    let section = section(&results);
    let chosen = section.warnings.iter().find(|one| one.kind == WarningKind::TestSplitChooses);
    let text = &chosen.unwrap().text;
    assert!(
        text.ends_with("take off the luck of the draw, not what fits these images alone"),
        "{text}"
    );
}

#[test]
fn more_repeats_are_promised_to_show_smaller_differences_and_nothing_else() {
    let results = cells(&[&[5, 9, 7], &[6, 8, 10], &[40, 44, 42]]);
    let found = section(&results).findings.detectable.unwrap();
    assert_eq!(
        (found.repeats_for_half, found.half.to_bits()),
        (12, (0.5 * found.difference).to_bits())
    );
    assert!(answer(&results).contains("`repeats = 12` would show differences half as large"));
}

#[test]
fn so_few_trials_that_nothing_shows_are_called_so_first() {
    let results = cells(&[&[5, 60, 30], &[10, 50, 36], &[20, 58, 20]]);
    let found = section(&results).findings.hopeless.unwrap();
    assert!(found.seen < found.difference, "{found:?}");
    assert!(answer(&results).starts_with("3 trials per cell cannot separate these 3 cells, "));
}

#[test]
fn the_best_draw_is_expected_within_the_range_of_its_metric() {
    let rows: Vec<Vec<u32>> =
        (0..6).map(|cell| (0..5).map(|repeat| (cell * 5 + repeat * 3) % 4).collect()).collect();
    let rows: Vec<&[u32]> = rows.iter().map(Vec::as_slice).collect();
    let extreme = section(&cells(&rows)).findings.extreme.unwrap();
    assert_eq!((extreme.of, extreme.value.to_bits()), (30, 1.0_f64.to_bits()));
    // So near the end of the range, normal draws alone would be expected beyond it.
    assert!((0.99..=1.0).contains(&extreme.expected.unwrap()), "{extreme:?}");
}

#[test]
fn no_caption_speaks_of_telling_cells_apart_by_another_rule() {
    for results in [fixture::augment_grid(), fixture::large(30, 4)] {
        for format in [Format::Html, Format::Markdown, Format::Latex, Format::Terminal] {
            let text = said(&results, format);
            for old in ["told apart from the best", "p (Holm)", "p Welch", "80 % power"] {
                assert!(!text.contains(old), "{old}: {text}");
            }
        }
        let html = said(&results, Format::Html);
        assert!(html.contains("the points of the others are hollow"), "{html}");
        assert!(html.contains("bars of cells without ● are pale"), "{html}");
    }
}

#[test]
fn charts_of_single_trials_claim_no_confidence() {
    let html = said(&cells(&[&[5], &[6], &[7]]), Format::Html);
    assert!(html.contains("the points have no spread, and differences may be luck"), "{html}");
    for untrue in ["hollow", "are pale", "class=\"far\""] {
        assert!(!html.contains(untrue), "{untrue}");
    }
}

#[test]
fn the_mark_of_a_grid_is_explained_where_it_is_used() {
    let axes: [(&str, &[&str]); 3] = [("a.x", &TWO), ("a.y", &TWO), ("a.z", &TWO)];
    let mut made: Vec<([Option<&str>; 3], Vec<u32>)> = Vec::new();
    for (x, by_x) in TWO.iter().zip([0, 1]) {
        for (y, by_y) in TWO.iter().zip([0, 3]) {
            for (z, by_z) in TWO.iter().zip([0, 90]) {
                let errors = (0..5).map(|repeat| 5 + by_x + by_y + by_z + repeat % 3).collect();
                made.push(([Some(x), Some(y), Some(z)], errors));
            }
        }
    }
    let made: Vec<HandMade<'_>> =
        made.iter().map(|(values, errors)| (&values[..], &errors[..])).collect();
    let results = fixture::experiment("grids", &axes, &made);
    let section = section(&results);
    let marked =
        section.cells.iter().any(|one| one.inseparable_in_grid && !one.inseparable_from_best);
    assert!(marked);
    let text = terminal(&results);
    assert!(text.contains("○ may be the best of its own grid alone (the same rule,"), "{text}");
    assert!(said(&results, Format::Latex).contains("may be the best of its own grid alone"));
}

#[test]
fn missing_trials_are_marked_and_explained_alike_in_text_and_page() {
    let results = fixture::augment_grid();
    for format in [Format::Terminal, Format::Markdown, Format::Html] {
        let text = said(&results, format);
        assert!(text.contains("…2/3"), "{text}");
        assert!(
            text.contains("k of m trials have completed, others are still to be done"),
            "{text}"
        );
    }
}

#[test]
fn a_pair_with_the_best_has_the_bound_of_the_marks() {
    let html = said(&fixture::augment_grid(), Format::Html);
    assert!(html.contains(">at most worse by</th>"), "{html}");
    assert!(
        html.contains("for all cells at once, a cell is worse than the truly best one by no more")
    );
    assert!(html.contains("takes the ● away with 95 % power"), "{html}");
}

#[test]
fn experiments_of_one_name_are_told_apart_by_their_folders() {
    let results = [fixture::augment_grid(), fixture::augment_grid(), cells(&[&[5, 6]])];
    let view = |folder: &str| View { folder: Some(folder.to_owned()), ..View::default() };
    let views = ["a/grid", "b/grid", "c"].map(view);
    let subjects: Vec<Subject<'_>> = results
        .iter()
        .zip(&views)
        .map(|(results, view)| Subject { view: Some(view), ..Subject::from(results) })
        .collect();
    for format in [Format::Terminal, Format::Markdown, Format::Html, Format::Latex] {
        let text = render(&subjects, format, Page::default()).replace("\\_", "_");
        for name in ["augment_grid (a/grid)", "augment_grid (b/grid)"] {
            assert!(text.contains(name), "{name}: {text}");
        }
        assert!(!text.contains("cells (c)"), "{text}");
    }
    let (_, attachments) = illustrated_markdown(&subjects);
    let mut paths: Vec<&String> = attachments.iter().map(|one| &one.path).collect();
    let all = paths.len();
    paths.sort();
    paths.dedup();
    assert_eq!(paths.len(), all, "no file is written twice");
    let unnamed: Vec<Subject<'_>> = results.iter().map(Subject::from).collect();
    let text = render(&unnamed, Format::Terminal, Page::default());
    assert!(
        text.contains("augment_grid (1, seed 42)") && text.contains("augment_grid (2, seed 42)")
    );
}

#[test]
fn markdown_alone_links_to_no_file_and_lists_cells_only_when_asked() {
    let results = fixture::augment_grid();
    let short = render(&[Subject::from(&results)], Format::Markdown, Page::default());
    assert!(!short.contains("](") && !short.contains("## Per cell"), "{short}");
    assert!(short.contains("`bench report --full` lists every cell"), "{short}");
    assert!(said(&results, Format::Markdown).contains("## Per cell"));
    let (file, _) = illustrated_markdown(&[Subject::from(&results)]);
    assert!(file.contains("## Per cell") && file.contains("](charts/"), "{file}");
}

#[test]
fn a_sample_is_spoken_of_by_the_cells_that_were_tried() {
    let axes: [(&str, &[&str]); 2] = [("a.x", &THREE), ("a.y", &THREE)];
    let made: [HandMade<'_>; 3] = [
        (&[Some("0"), Some("1")], &[5, 6, 7]),
        (&[Some("1"), Some("2")], &[50, 51, 52]),
        (&[Some("2"), Some("0")], &[60, 61, 62]),
    ];
    let text = terminal(&fixture::experiment("sample", &axes, &made));
    assert!(text.contains("the best of these 3 cells is the ●"), "{text}");
    assert!(!text.contains("the best setting is"), "{text}");
}

#[test]
fn the_list_of_cells_is_one_latex_table_and_its_origin_a_comment() {
    let results = fixture::augment_grid();
    let view = View { full: true, top: Some(2), ..View::default() };
    let subject = Subject { view: Some(&view), ..Subject::from(&results) };
    let text = render(&[subject], Format::Latex, Page::default());
    assert_eq!(
        text.matches("\\begin{tabular}{rlll}").count()
            + text.matches("\\begin{tabular}{rll}").count(),
        1,
        "{text}"
    );
    assert!(text.contains("5 of 7 cells are left out."), "{text}");
    let outside: Vec<&str> = text.lines().filter(|line| line.contains("0123456789ab")).collect();
    assert!(!outside.is_empty() && outside.iter().all(|line| line.starts_with('%')), "{outside:?}");
}
