use super::super::testing::{cell, metric, origin};
use super::*;
use crate::base::MetricName;
use crate::check::{Baseline, Looks, Verdict, check, check_looks};
use crate::experiment::CheckSettings;

fn settings(images_per_second: Option<f64>) -> CheckSettings {
    CheckSettings {
        metric: MetricName::TEST_ACCURACY,
        tolerance: 0.10,
        alpha: 0.05,
        images_per_second,
        lost_trials: None,
        at_least: None,
        cells: Vec::new(),
    }
}

const STEADY: [f64; 4] = [0.9901, 0.9900, 0.9899, 0.9900];
const WORSE: [f64; 4] = [0.9801, 0.9800, 0.9799, 0.9800];
const WILD: [f64; 4] = [0.9701, 0.9990, 0.9899, 0.9950];

fn speed(name: &str, values: &[f64]) -> CellSample {
    CellSample { metric: metric(&MetricName::IMAGES_PER_SECOND), ..cell(name, values) }
}

/// One cell of every verdict, and a slower one, named to be trouble for every form.
fn example() -> (CheckReport, Vec<CellSample>) {
    let names = ["optimizer=adam", "text=<b>&\"|`:,%", "shift=0.1"];
    let before: Vec<CellSample> = names
        .iter()
        .map(|name| cell(name, &STEADY))
        .chain([speed(names[0], &[1000.0, 1001.0, 999.0])])
        .collect();
    let now = vec![
        cell(names[0], &STEADY),
        cell(names[1], &WORSE),
        cell(names[2], &WILD),
        speed(names[0], &[700.0, 702.0, 698.0]),
    ];
    let baseline = Baseline::from_samples(origin(), before).unwrap();
    let report = check(&baseline, &now, &origin(), &settings(Some(0.9))).unwrap();
    (report, now)
}

fn rendered(form: Form) -> String {
    let (report, cells) = example();
    let context = Context { folder: "results/smoke", baseline: "baseline.json", cells: &cells };
    render(&report, context, form)
}

#[test]
fn the_terminal_names_the_worst_first() {
    insta::assert_snapshot!(rendered(Form::Terminal));
}

#[test]
fn markdown_is_a_table_that_no_name_can_break() {
    insta::assert_snapshot!(rendered(Form::Markdown));
}

#[test]
fn junit_has_a_test_case_a_gate() {
    insta::assert_snapshot!(rendered(Form::Junit));
}

#[test]
fn github_is_told_in_workflow_commands() {
    let text = rendered(Form::Github);
    let commands: Vec<&str> = text.lines().filter(|line| line.starts_with("::")).collect();
    insta::assert_snapshot!(commands.join("\n"));
}

#[test]
fn bencher_is_told_percent_and_images_per_second() {
    insta::assert_snapshot!(rendered(Form::Bmf));
}

#[test]
fn github_action_benchmark_is_told_what_is_better_when_bigger() {
    insta::assert_snapshot!(rendered(Form::GithubActionBenchmark));
}

/// A check of so many cells that all regressed.
fn many(cells: usize) -> CheckReport {
    let sample = |values: &[f64]| -> Vec<CellSample> {
        (0..cells).map(|index| cell(&format!("a={index}"), values)).collect()
    };
    let baseline = Baseline::from_samples(origin(), sample(&STEADY)).unwrap();
    check(&baseline, &sample(&WORSE), &origin(), &settings(None)).unwrap()
}

#[test]
fn a_step_has_at_most_ten_errors() {
    // The mean of all cells is one of them.
    let (ten, more) = (github::annotations(&many(9)), github::annotations(&many(50)));
    assert_eq!(ten.matches("::error").count(), 10);
    assert_eq!(more.matches("::error").count(), 10);
    assert!(more.ends_with("::42 more are regressed: see the log\n"), "{more}");
}

#[test]
fn a_summary_stays_within_its_limit_and_says_what_it_leaves_out() {
    let report = many(400);
    let context = Context { folder: "results/smoke", baseline: "baseline.json", cells: &[] };
    let text = markdown(&report, context, 20_000);
    assert!(text.len() <= 20_000, "{}", text.len());
    let rows = text.lines().filter(|line| line.contains("**regressed**")).count();
    assert!(text.contains(&format!("\n{} more cells are left out", 401 - rows)), "{text}");
    let whole = markdown(&report, context, SUMMARY_LIMIT);
    assert_eq!(whole.lines().filter(|line| line.contains("**regressed**")).count(), 401);
}

#[test]
fn looks_are_told_where_there_were_several() {
    let baseline = Baseline::from_samples(origin(), vec![cell("a=1", &STEADY)]).unwrap();
    let (first, second) = ([cell("a=1", &WILD)], [cell("a=1", &[WILD, WILD].concat())]);
    let looks = Looks { first: 4, count: 3 };
    let report =
        check_looks(&baseline, &[&first, &second], looks, &origin(), &settings(None)).unwrap();
    let context = Context { folder: "results/smoke", baseline: "baseline.json", cells: &[] };
    insta::assert_snapshot!(render(&report, context, Form::Terminal));
}

#[test]
fn the_sentences_of_the_verdicts_are_the_same_everywhere() {
    let pages = [
        include_str!("../../../README.md"),
        include_str!("../../../experiments/README.md"),
        include_str!("../../../docs/statistics.md"),
    ];
    for verdict in Verdict::ALL {
        for page in pages {
            assert!(page.contains(verdict.meaning()), "{}: {}", verdict.name(), verdict.meaning());
        }
    }
    let (report, cells) = example();
    let context = Context { folder: "results/smoke", baseline: "baseline.json", cells: &cells };
    for form in [Form::Terminal, Form::Markdown, Form::Junit, Form::Github] {
        assert!(render(&report, context, form).contains(report.verdict.meaning()), "{form:?}");
    }
}
