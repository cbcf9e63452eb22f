use super::document::Finding;
use super::*;
use crate::base::MetricName;
use crate::results::fixture;

fn question() -> Question {
    Question {
        metric: fixture::declared(&MetricName::TEST_ACCURACY),
        alpha: 0.05,
        gamma: GAMMA,
        seed: 1,
    }
}

/// Five trials of two optimizers at two shifts; adam makes fewer errors at shift 0 only.
fn optimizers() -> ExperimentResults {
    fixture::experiment(
        "optimizers",
        &[("train.optimizer", &["adam", "sgd"]), ("augment.shift", &["0", "0.1"])],
        &[
            (&[Some("adam"), Some("0")], &[4, 5, 6, 5, 4]),
            (&[Some("adam"), Some("0.1")], &[9, 12, 10, 11, 9]),
            (&[Some("sgd"), Some("0")], &[14, 15, 13, 16, 14]),
            (&[Some("sgd"), Some("0.1")], &[10, 12, 9, 11, 10]),
        ],
    )
}

fn selector(text: &str) -> Selector {
    text.parse().unwrap()
}

fn compared(a: &str, b: &str, examples: &mut Lookup<'_>) -> Comparison {
    let results = optimizers();
    let (first, second) = (selector(a), selector(b));
    let side = |selector| Side { name: "results/optimizers", results: &results, selector };
    compare(side(&first), side(&second), &question(), examples).unwrap()
}

fn without_examples(a: &str, b: &str) -> Comparison {
    compared(a, b, &mut |_, _| None)
}

#[test]
fn cells_are_paired_by_the_axes_that_are_not_fixed() {
    let comparison = without_examples("optimizer=adam", "optimizer=sgd");
    let names: Vec<&str> = comparison.pairs.iter().map(|pair| pair.name.as_str()).collect();
    assert_eq!(names, ["augment.shift=0", "augment.shift=0.1"]);
    let findings: Vec<Finding> = comparison.pairs.iter().map(|pair| pair.finding).collect();
    assert_eq!(findings, [Finding::A, Finding::Undecided]);
    assert_eq!(comparison.a.chosen, "train.optimizer=adam");
    insta::assert_snapshot!(render(&comparison, CompareFormat::Terminal, Page::default()));
    insta::assert_snapshot!(
        "several_markdown",
        render(&comparison, CompareFormat::Markdown, Page::default())
    );
}

#[test]
fn a_single_pair_is_told_in_full() {
    let mut examples = |_: usize, _: usize| {
        let labels = vec![0_u16, 1, 0, 1, 0, 1, 0, 1];
        let right = labels.clone();
        let mut wrong = labels.clone();
        wrong[0] = 1;
        wrong[3] = 0;
        let images = "digits".to_owned();
        let side = |trials| Examples { images: images.clone(), labels: labels.clone(), trials };
        Some((side(vec![right.clone(); 5]), side(vec![wrong.clone(); 5])))
    };
    let comparison = compared("optimizer=adam,shift=0", "optimizer=sgd,shift=0", &mut examples);
    let pair = &comparison.pairs[0];
    // scipy.stats, a = (360 - [4, 5, 6, 5, 4]) / 360, b = (360 - [14, 15, 13, 16, 14]) / 360:
    // ttest_ind(a, b, equal_var=False), permutation_test(…, n_resamples=inf), mannwhitneyu(a, b)
    assert!((pair.p.unwrap() / 8.256_709_796_703_786e-7 - 1.0).abs() < 1e-6, "{:?}", pair.p);
    let (low, high) = pair.interval95.unwrap();
    assert!(
        (low - 0.022_551_078_580_852_715).abs() < 1e-10
            && (high - 0.030_782_254_752_480_74).abs() < 1e-10,
        "{low} {high}"
    );
    assert!((pair.permutation.unwrap().p_two_sided - 2.0 / 252.0).abs() < 1e-12);
    assert!((pair.mann_whitney.unwrap().p_two_sided - 0.011_412_036_386_001_651).abs() < 1e-9);
    let images = pair.examples.unwrap();
    assert_eq!((images.mcnemar.only_first, images.mcnemar.only_second), (2, 0));
    insta::assert_snapshot!(render(&comparison, CompareFormat::Terminal, Page::default()));
    insta::assert_snapshot!(
        "single_json",
        render(&comparison, CompareFormat::Json, Page::default())
    );
}

#[test]
fn for_a_cost_the_smaller_is_better() {
    let results = optimizers();
    let (first, second) = (selector("optimizer=adam,shift=0"), selector("optimizer=sgd,shift=0"));
    let side = |selector| Side { name: "x", results: &results, selector };
    let question = Question { metric: fixture::declared(&MetricName::TRAIN_SECONDS), ..question() };
    let found = compare(side(&first), side(&second), &question, &mut |_, _| None).unwrap();
    // Fewer errors cost fewer seconds in this fixture.
    assert_eq!(found.pairs[0].finding, Finding::A);
    assert!(found.pairs[0].difference.unwrap() < 0.0);
    assert!(found.pairs[0].superiority.unwrap().probability > 0.99);
    assert!(found.verdict.starts_with("A is better on average by +1.2"), "{}", found.verdict);
}

#[test]
fn a_run_against_itself_is_refused_and_against_a_copy_undecided() {
    let (results, copy) = (optimizers(), optimizers());
    let all = Selector::default();
    let a = Side { name: "a", results: &results, selector: &all };
    let error = compare(a, a, &question(), &mut |_, _| None).unwrap_err();
    assert_eq!(error, PairingError::Same);
    let b = Side { name: "b", results: &copy, selector: &all };
    let found = compare(a, b, &question(), &mut |_, _| None).unwrap();
    assert!(found.pairs.iter().all(|pair| pair.finding == Finding::Undecided));
    assert_eq!(found.pairs.len(), 4);
    insta::assert_snapshot!(found.verdict, @"A and B are identical in every trial of all 4 pairs, to the last bit.");
}

#[test]
fn equal_repeats_of_one_seed_are_compared_pair_by_pair() {
    let comparison = without_examples("optimizer=adam", "optimizer=sgd");
    assert!(comparison.is_paired);
    let pair = &comparison.pairs[1];
    // a = (360 - np.array([9, 12, 10, 11, 9])) / 360; b = (360 - np.array([10, 12, 9, 11, 10])) / 360
    // r = scipy.stats.ttest_rel(a, b); r.pvalue, r.confidence_interval(.95)
    assert!((pair.p.unwrap() - 0.621_308_295_037_497_1).abs() < 1e-9, "{:?}", pair.p);
    let (low, high) = pair.interval95.unwrap();
    assert!(
        (low + 0.002_330_140_649_121_013).abs() < 1e-9
            && (high - 0.003_441_251_760_232_12).abs() < 1e-9,
        "{low} {high}"
    );
    // A single pair of five repeats has too few degrees of freedom for that.
    assert!(!without_examples("optimizer=adam,shift=0", "optimizer=sgd,shift=0").is_paired);
    // Other seeds never pair.
    let (one, mut other) = (optimizers(), optimizers());
    other.facts.seed += 1;
    let all = Selector::default();
    let side = |name, results| Side { name, results, selector: &all };
    let found = compare(side("a", &one), side("b", &other), &question(), &mut |_, _| None).unwrap();
    assert!(!found.is_paired && !found.pairs[0].is_identical);
}

#[test]
fn other_images_are_never_compared_image_by_image() {
    let mut examples = |_: usize, _: usize| {
        let side = |images: &str| Examples {
            images: images.to_owned(),
            labels: vec![0, 1],
            trials: vec![vec![0, 1]],
        };
        Some((side("digits"), side("mnist")))
    };
    let found = compared("optimizer=adam,shift=0", "optimizer=sgd,shift=0", &mut examples);
    assert_eq!(found.pairs[0].examples, None);
}

#[test]
fn cells_without_a_partner_are_named() {
    let (grid, other) = (
        optimizers(),
        fixture::experiment(
            "other",
            &[("train.optimizer", &["adam"]), ("augment.shift", &["0", "0.2"])],
            &[(&[Some("adam"), Some("0")], &[4, 5]), (&[Some("adam"), Some("0.2")], &[7, 8])],
        ),
    );
    let all = Selector::default();
    let a = Side { name: "a", results: &grid, selector: &all };
    let b = Side { name: "b", results: &other, selector: &all };
    let found = compare(a, b, &question(), &mut |_, _| None).unwrap();
    assert_eq!((found.pairs.len(), found.only_a.len(), found.only_b.len()), (1, 3, 1));
}

#[test]
fn a_cell_of_several_partners_or_against_itself_is_refused() {
    let results = optimizers();
    let all = Selector::default();
    let refusal = |one: &str, other: Option<&str>| {
        let (first, second) = (selector(one), other.map_or_else(Selector::default, selector));
        let side = |selector| Side { name: "optimizers", results: &results, selector };
        compare(side(&first), side(&second), &question(), &mut |_, _| None).unwrap_err()
    };
    insta::assert_snapshot!(refusal("shift=0", None), @"cell `train.optimizer=adam augment.shift=0` could stand against 2 cells of B: `train.optimizer=adam augment.shift=0`, `train.optimizer=adam augment.shift=0.1`; choose one with `--cell-b augment.shift=…`");
    insta::assert_snapshot!(refusal("optimizer=adam,shift=0", Some("optimizer=sgd")), @"cell `train.optimizer=adam augment.shift=0` could stand against 2 cells of B: `train.optimizer=sgd augment.shift=0`, `train.optimizer=sgd augment.shift=0.1`; choose one with `--cell-b augment.shift=…`");
    let (one, whole) = (selector("optimizer=adam,shift=0"), optimizers());
    let a = Side { name: "whole", results: &whole, selector: &all };
    let b = Side { name: "one", results: &results, selector: &one };
    insta::assert_snapshot!(compare(a, b, &question(), &mut |_, _| None).unwrap_err(), @"cell `train.optimizer=adam augment.shift=0` could stand against 4 cells of A: `train.optimizer=adam augment.shift=0`, `train.optimizer=adam augment.shift=0.1`, `train.optimizer=sgd augment.shift=0`, `train.optimizer=sgd augment.shift=0.1`; choose one with `--cell-a train.optimizer=…`");
}

#[test]
fn differences_without_spread_are_not_certain() {
    let found = |a: &'static [u32], b: &'static [u32]| {
        let two = fixture::experiment(
            "two",
            &[("a.x", &["0", "1"])],
            &[(&[Some("0")], a), (&[Some("1")], b)],
        );
        let (first, second) = (selector("x=0"), selector("x=1"));
        let side = |selector| Side { name: "two", results: &two, selector };
        compare(side(&first), side(&second), &question(), &mut |_, _| None).unwrap()
    };
    let two = found(&[3, 3], &[7, 7]);
    let pair = &two.pairs[0];
    assert_eq!((pair.finding, pair.meaningful), (Finding::Undecided, false));
    assert_eq!((pair.interval95, pair.detectable, pair.repeats_to_settle), (None, None, None));
    assert!((pair.p.unwrap() - 1.0 / 3.0).abs() < 1e-12);
    insta::assert_snapshot!(two.verdict, @"A and B differ by +1.11 points, but neither has any spread to judge by: 2 trials against 2 may do so by chance (p = 0.333, permutation test).");
    let five = found(&[3; 5], &[7; 5]);
    assert_eq!((five.pairs[0].finding, five.pairs[0].meaningful), (Finding::A, true));
    insta::assert_snapshot!(five.verdict, @"A is better on average by +1.11 points, p = 0.008. Of the trials seen, one of A beats one of B in 100 % of all pairings.");
}

#[test]
fn what_is_undecided_is_told_with_its_range_and_what_would_show_it() {
    let two = fixture::experiment(
        "two",
        &[("a.x", &["0", "1"])],
        &[(&[Some("0")], &[4, 5, 6]), (&[Some("1")], &[7, 5, 6])],
    );
    let (first, second) = (selector("x=0"), selector("x=1"));
    let side = |selector| Side { name: "two", results: &two, selector };
    let found = compare(side(&first), side(&second), &question(), &mut |_, _| None).unwrap();
    let (low, high) = found.pairs[0].interval.unwrap();
    assert!(low < 0.0 && high > 0.0);
    let range = "A and B cannot be told apart: the difference may be anything from ";
    assert!(found.verdict.starts_with(range), "{}", found.verdict);
    let repeats = found.pairs[0].repeats_to_settle.unwrap();
    let more = format!("about {repeats} trials per side would show it (80 % power).");
    assert!(found.verdict.contains(&more), "{}", found.verdict);
}

#[test]
fn an_axis_of_one_side_alone_must_be_chosen() {
    let (grid, plain) = (
        optimizers(),
        fixture::experiment(
            "plain",
            &[("augment.shift", &["0", "0.1"])],
            &[(&[Some("0")], &[4, 5, 6]), (&[Some("0.1")], &[7, 8, 9])],
        ),
    );
    let all = Selector::default();
    let a = Side { name: "a", results: &grid, selector: &all };
    let b = Side { name: "b", results: &plain, selector: &all };
    let error = compare(a, b, &question(), &mut |_, _| None).unwrap_err();
    insta::assert_snapshot!(error, @"axis `train.optimizer` exists in A (`optimizers`) only and takes 2 values there; choose one with `--cell-a train.optimizer=…`");
    let adam = selector("optimizer=adam");
    let a = Side { selector: &adam, ..a };
    assert_eq!(compare(a, b, &question(), &mut |_, _| None).unwrap().pairs.len(), 2);
}

#[test]
fn too_few_trials_conclude_nothing() {
    let one = fixture::experiment(
        "one",
        &[("a.x", &["0", "1"])],
        &[(&[Some("0")], &[4]), (&[Some("1")], &[9, 8])],
    );
    let (first, second) = (selector("x=0"), selector("x=1"));
    let side = |selector| Side { name: "one", results: &one, selector };
    let found = compare(side(&first), side(&second), &question(), &mut |_, _| None).unwrap();
    assert_eq!(found.pairs[0].finding, Finding::TooFew);
    insta::assert_snapshot!(found.verdict, @"A and B cannot be compared: A has a single trial and no spread to judge by; run at least 5 repeats of each.");
}
