//! Laws and examples of expansion.

use std::collections::HashSet;

use proptest::prelude::*;

use super::*;
use crate::spec::Document;
use crate::spec::experiment::Experiment;

const HEAD: &str =
    "name = \"t\"\n[dataset]\nsource = \"digits\"\n[model]\npreset = \"small-cnn\"\n";

fn experiment(more: &str) -> Experiment {
    Document::parse(&format!("{HEAD}{more}"), "t.toml", &[])
        .unwrap_or_else(|error| panic!("{error}"))
        .experiment()
        .clone()
}

fn grid(more: &str) -> Grid {
    expand(&experiment(more)).unwrap_or_else(|error| panic!("{error}"))
}

fn names(more: &str) -> Vec<String> {
    let grid = grid(more);
    grid.cells().iter().map(|cell| grid.name(cell)).collect()
}

fn ids(grid: &Grid) -> Vec<CellId> {
    grid.cells().iter().map(|cell| grid.id(cell)).collect()
}

#[test]
fn no_grid_is_one_cell_of_the_base_settings() {
    assert_eq!(names(""), ["base"]);
}

#[test]
fn the_last_axis_varies_fastest() {
    assert_eq!(
        names(
            "[[grid]]\n[grid.axes]\n\"augment.shift\" = [0, 0.1]\n\"train.optimizer\" = [\"sgd\", \"adam\"]"
        ),
        [
            "augment.shift=0 train.optimizer=sgd",
            "augment.shift=0 train.optimizer=adam",
            "augment.shift=0.1 train.optimizer=sgd",
            "augment.shift=0.1 train.optimizer=adam",
        ]
    );
}

#[test]
fn zipped_axes_move_together() {
    assert_eq!(
        names(
            "[[grid]]\naxes = { \"train.epochs\" = [1, 2] }\nzip = { \"augment.rotation\" = [0, 5], \"augment.zoom\" = [0, 0.05] }"
        ),
        [
            "train.epochs=1 augment.rotation=0 augment.zoom=0",
            "train.epochs=1 augment.rotation=5 augment.zoom=0.05",
            "train.epochs=2 augment.rotation=0 augment.zoom=0",
            "train.epochs=2 augment.rotation=5 augment.zoom=0.05",
        ]
    );
}

#[test]
fn an_axis_that_does_not_exist_keeps_the_base_value() {
    // The conditional axis stands before the one it depends on: the order typed is kept.
    let text = "[[grid]]\n[grid.axes]\n\"train.optimizer.momentum\" = [0, 0.9]\n\"train.optimizer\" = [\"adam\", \"sgd\"]\n[[grid.when]]\naxes = [\"train.optimizer.momentum\"]\nif = { \"train.optimizer\" = \"sgd\" }";
    assert_eq!(
        names(text),
        [
            "train.optimizer=adam",
            "train.optimizer.momentum=0 train.optimizer=sgd",
            "train.optimizer.momentum=0.9 train.optimizer=sgd",
        ]
    );
    let document = Document::parse(&format!("{HEAD}{text}"), "t.toml", &[]).unwrap();
    let grid = expand(document.experiment()).unwrap();
    for cell in grid.cells() {
        assert!(document.settings_for(grid.assignment(cell)).is_ok(), "{}", grid.name(cell));
    }
}

#[test]
fn conditions_may_depend_on_conditional_axes() {
    let text = "[[grid]]\n[grid.axes]\n\"train.epochs\" = [1, 2]\n\"augment.shift\" = [0, 0.1]\n\"augment.zoom\" = [0, 0.1]\n[[grid.when]]\naxes = [\"augment.shift\"]\nif = { \"train.epochs\" = 2 }\n[[grid.when]]\naxes = [\"augment.zoom\"]\nif = { \"augment.shift\" = 0.1 }";
    assert_eq!(
        names(text),
        [
            "train.epochs=1",
            "train.epochs=2 augment.shift=0",
            "train.epochs=2 augment.shift=0.1 augment.zoom=0",
            "train.epochs=2 augment.shift=0.1 augment.zoom=0.1",
        ]
    );
}

#[test]
fn excluded_cells_are_left_out_and_included_ones_added() {
    assert_eq!(
        names(
            "[[grid]]\n[grid.axes]\n\"augment.shift\" = [0, 0.1]\n\"train.epochs\" = [1, 2]\n[[grid.exclude]]\n\"augment.shift\" = 0.1\n\"train.epochs\" = [1, 2]\n[[grid.include]]\n\"augment.shift\" = 0.5\n\"train.optimizer\" = \"sgd\""
        ),
        [
            "augment.shift=0 train.epochs=1",
            "augment.shift=0 train.epochs=2",
            "augment.shift=0.5 train.optimizer=sgd",
        ]
    );
}

#[test]
fn blocks_are_a_union_over_all_their_axes() {
    let grid = grid(
        "[[grid]]\naxes = { \"augment.shift\" = [0, 0.1] }\n[[grid]]\naxes = { \"train.epochs\" = [3], \"augment.shift\" = [0.10, 0.2] }",
    );
    assert_eq!(grid.axes.len(), 2);
    assert_eq!(grid.axes[0].values.len(), 3);
    assert_eq!(grid.axes[0].key, "augment.shift");
    assert_eq!(grid.name(&grid.cells()[2]), "augment.shift=0.1 train.epochs=3");
    assert_eq!(grid.value(&grid.cells()[0], 1), None);
}

#[test]
fn duplicate_cells_name_both_their_places() {
    let error = expand(&experiment(
        "[[grid]]\naxes = { \"augment.shift\" = [0, 0.1] }\n[[grid]]\naxes = { \"augment.shift\" = [0.10, 0.2] }\n[[grid.include]]\n\"augment.shift\" = 0.2",
    ))
    .unwrap_err();
    insta::assert_snapshot!(error, @"
    2 duplicate cells in the grid
      cell `augment.shift=0.1` stands in block 1 and in block 2
      cell `augment.shift=0.2` stands in block 2 and in block 2, included cell 1
      hint: exclude them from one of the blocks
    ");
}

#[test]
fn an_exclusion_that_meets_no_cell_is_refused() {
    let of = |condition: &str| {
        expand(&experiment(&format!(
            "[[grid]]\n[[grid.zip]]\n\"augment.shift\" = [0, 0.1]\n\"augment.zoom\" = [0, 0.2]\n\
             [[grid.exclude]]\n\"augment.shift\" = 0.1\n[[grid.exclude]]\n{condition}\n"
        )))
    };
    let error = of("\"augment.shift\" = 0\n\"augment.zoom\" = 0.2").unwrap_err();
    insta::assert_snapshot!(error, @r"
    block 1 has no cell to exclude with `augment.shift` = 0 and `augment.zoom` = 0.2
      hint: correct the `[[grid.exclude]]`, or remove it
    ");
    // What another exclusion leaves out already is met all the same.
    assert!(of("\"augment.zoom\" = 0.2").is_ok());
}

#[test]
fn a_grid_without_cells_is_refused() {
    let text = "[[grid]]\naxes = { \"augment.shift\" = [0] }\nexclude = { \"augment.shift\" = 0 }";
    assert_eq!(expand(&experiment(text)), Err(GridError::Empty));
}

#[test]
fn a_grid_too_large_to_hold_is_refused() {
    let text = "[[grid]]\n[grid.axes]\n\"train.epochs\" = { from = 1, to = 10000, step = 1 }\n\"train.batch-size\" = { from = 1, to = 10000, step = 1 }";
    assert_eq!(expand(&experiment(text)), Err(GridError::TooMany));
}

#[test]
fn text_with_spaces_is_quoted_in_names() {
    let text = "[trainer]\nengine = \"fake\"\n[[grid]]\naxes = { \"hyperparameters.kind\" = [\"a b\", \"c\"] }";
    assert_eq!(names(text), ["hyperparameters.kind=\"a b\"", "hyperparameters.kind=c"]);
}

fn sampled(method: &str, count: usize, seed: u64) -> Result<Grid, GridError> {
    let text = format!(
        "[[grid]]\nsample = {{ method = \"{method}\", count = {count} }}\n[grid.axes]\n\"augment.rotation\" = {{ from = 0, to = 31, step = 1 }}\n\"augment.shift\" = {{ from = 0, to = 0.31, step = 0.01 }}\n\"train.optimizer\" = [\"adam\", \"sgd\"]\n[[grid.zip]]\n\"train.epochs\" = [1, 2]\n\"train.batch-size\" = [32, 64]\n"
    );
    let mut experiment = experiment(&text);
    experiment.seed = crate::base::Seed(seed);
    expand(&experiment)
}

#[test]
fn samples_depend_on_the_seed_and_grow_without_loss() {
    for method in ["random", "sobol"] {
        let small: HashSet<CellId> = ids(&sampled(method, 50, 1).unwrap()).into_iter().collect();
        let large: HashSet<CellId> = ids(&sampled(method, 200, 1).unwrap()).into_iter().collect();
        let other: HashSet<CellId> = ids(&sampled(method, 50, 2).unwrap()).into_iter().collect();
        assert_eq!((small.len(), large.len()), (50, 200));
        assert!(small.is_subset(&large), "{method}");
        assert_ne!(small, other, "{method}");
    }
}

#[test]
fn a_sobol_sample_covers_every_quarter_of_an_axis_evenly() {
    let grid = sampled("sobol", 64, 3).unwrap();
    let mut quarters = [0; 4];
    for cell in grid.cells() {
        quarters[cell.choices[0].unwrap() as usize / 8] += 1;
    }
    // 64 points of a (0, 2)-sequence put 16 in each quarter; drawing on past a duplicate adds few.
    assert!(quarters.iter().all(|count| (14..=18).contains(count)), "{quarters:?}");
}

#[test]
fn a_sample_of_everything_is_everything_and_of_more_is_refused() {
    let all = 32 * 32 * 2 * 2;
    assert_eq!(sampled("random", all, 1).unwrap().cells().len(), all);
    let error = sampled("random", all + 1, 1).unwrap_err();
    assert_eq!(error, GridError::TooFewToSample { block: 1, asked: all + 1, found: all });
}

#[test]
fn products_too_large_to_write_out_are_sampled() {
    for method in ["random", "sobol"] {
        let text = format!(
            "[[grid]]\nsample = {{ method = \"{method}\", count = 500 }}\n[grid.axes]\n\"train.epochs\" = {{ from = 1, to = 1000, step = 1 }}\n\"train.batch-size\" = {{ from = 1, to = 1000, step = 1 }}\n\"augment.rotation\" = {{ from = 0, to = 99, step = 1 }}\n\"augment.shift\" = {{ from = 0, to = 0.99, step = 0.01 }}\n\"augment.zoom\" = [0, 0.1]\n[[grid.when]]\naxes = [\"augment.zoom\"]\nif = {{ \"augment.rotation\" = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9] }}\n"
        );
        let grid = grid(&text);
        assert_eq!(grid.cells().len(), 500);
        assert_eq!(ids(&grid).into_iter().collect::<HashSet<_>>().len(), 500);
        assert!(grid.cells().is_sorted(), "cells stand in the order of the axes");
    }
}

#[test]
fn an_id_is_a_hash_of_sorted_keys_and_canonical_values() {
    // Python: h = hashlib.sha256(); for text in ["augment.shift", "0.1", "train.epochs", "2"]:
    // h.update(struct.pack("<Q", len(text)) + text.encode()); h.hexdigest()[:32]
    let grid = grid("[[grid]]\naxes = { \"train.epochs\" = [2.0], \"augment.shift\" = [0.1] }");
    assert_eq!(grid.id(&grid.cells()[0]).to_string(), "98fbbd490c1cced7b72e81af3aae0249");
}

#[test]
fn every_example_of_the_documentation_is_an_experiment() {
    let readme = include_str!("../../experiments/README.md");
    let examples: Vec<&str> =
        readme.split("```toml\n").skip(1).map(|rest| rest.split("```").next().unwrap()).collect();
    assert!(examples.len() >= 4);
    for example in examples {
        let mut text = String::new();
        if !example.contains("name = \"rotation\"") {
            text.push_str("name = \"t\"\ndataset.source = \"digits\"\n");
            if !example.contains("[model]") {
                text.push_str("model.preset = \"small-cnn\"\n");
            }
        }
        text.push_str(example);
        let document =
            Document::parse(&text, "example.toml", &[]).unwrap_or_else(|error| panic!("{error}"));
        let grid = expand(document.experiment()).unwrap();
        for cell in grid.cells() {
            let settings = document.settings_for(grid.assignment(cell));
            assert!(settings.is_ok(), "{}", settings.unwrap_err());
        }
    }
}

#[test]
fn the_published_grid_has_sixteen_cells_an_ensemble_size() {
    // Rows 0, 0.1 and 0.2 of the published table: 7 + 7 + 2 entries.
    let text = "[[grid]]\n[grid.axes]\n\"ensemble.size\" = [1, 15]\n\"augment.shift\" = [0.0, 0.1, 0.2]\n[[grid.zip]]\n\"augment.rotation\" = [0, 5, 10, 15, 20, 25, 30]\n\"augment.zoom\" = [0.0, 0.05, 0.10, 0.15, 0.20, 0.25, 0.30]\n[[grid.exclude]]\n\"augment.shift\" = 0.2\n\"augment.rotation\" = [0, 5, 20, 25, 30]\n";
    assert_eq!(grid(text).cells().len(), 2 * 16);
}

/// Keys with the values that fit them.
const AXES: [(&str, &[&str]); 6] = [
    ("augment.rotation", &["0", "5", "10.0", "15"]),
    ("augment.shift", &["0.0", "0.1", "0.2"]),
    ("train.optimizer", &["\"sgd\"", "\"adam\"", "{ name = \"adam\", beta1 = 0.8 }"]),
    ("train.epochs", &["1", "2", "3.0", "4", "5"]),
    ("ensemble.size", &["1", "2"]),
    ("model.dropout", &["0.1", "0.2", "0.3"]),
];

/// Some of the axes in some order, each with some of its values in some order.
fn axes() -> impl Strategy<Value = Vec<(&'static str, Vec<&'static str>)>> {
    let axis = |(key, values): (&'static str, &'static [&'static str])| {
        proptest::sample::subsequence(values.to_vec(), 1..=values.len())
            .prop_shuffle()
            .prop_map(move |values| (key, values))
    };
    proptest::sample::subsequence(AXES.to_vec(), 1..=AXES.len())
        .prop_shuffle()
        .prop_flat_map(move |chosen| chosen.into_iter().map(axis).collect::<Vec<_>>())
}

fn block(axes: &[(&str, Vec<&str>)]) -> String {
    let lines: Vec<String> =
        axes.iter().map(|(key, values)| format!("\"{key}\" = [{}]", values.join(", "))).collect();
    format!("[[grid]]\n[grid.axes]\n{}\n", lines.join("\n"))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn the_size_is_the_product_of_the_axes(axes in axes()) {
        let grid = grid(&block(&axes));
        let product: usize = axes.iter().map(|(_, values)| values.len()).product();
        prop_assert_eq!(grid.cells().len(), product);
        prop_assert_eq!(ids(&grid).into_iter().collect::<HashSet<_>>().len(), product);
    }

    #[test]
    fn ids_do_not_depend_on_the_order_of_axes_or_values(axes in axes()) {
        let forward: HashSet<CellId> = ids(&grid(&block(&axes))).into_iter().collect();
        let reversed: Vec<_> = axes
            .iter()
            .rev()
            .map(|(key, values)| (*key, values.iter().rev().copied().collect()))
            .collect();
        let backward: HashSet<CellId> = ids(&grid(&block(&reversed))).into_iter().collect();
        prop_assert_eq!(forward, backward);
    }

    #[test]
    fn ids_do_not_depend_on_other_cells(axes in axes(), dropped in 0usize..100) {
        let all: HashSet<CellId> = ids(&grid(&block(&axes))).into_iter().collect();
        let mut fewer = axes.clone();
        let place = dropped % fewer.len();
        prop_assume!(fewer[place].1.len() > 1);
        fewer[place].1.pop();
        let some: HashSet<CellId> = ids(&grid(&block(&fewer))).into_iter().collect();
        prop_assert!(some.is_subset(&all));
    }

    #[test]
    fn splitting_an_axis_over_two_blocks_changes_nothing(axes in axes()) {
        let whole: HashSet<CellId> = ids(&grid(&block(&axes))).into_iter().collect();
        prop_assume!(axes[0].1.len() > 1);
        let (mut first, mut second) = (axes.clone(), axes.clone());
        first[0].1.truncate(1);
        second[0].1.remove(0);
        let halves = ids(&grid(&format!("{}{}", block(&first), block(&second))));
        prop_assert_eq!(whole, halves.into_iter().collect());
    }

    #[test]
    fn excluding_one_value_leaves_the_other_cells(axes in axes()) {
        let (key, values) = &axes[0];
        let text = format!("{}[[grid.exclude]]\n\"{key}\" = {}\n", block(&axes), values[0]);
        let product: usize = axes.iter().map(|(_, values)| values.len()).product();
        let left = product - product / values.len();
        match expand(&experiment(&text)) {
            Ok(grid) => prop_assert_eq!(grid.cells().len(), left),
            Err(error) => {
                prop_assert_eq!(error, GridError::Empty);
                prop_assert_eq!(left, 0);
            }
        }
    }

    #[test]
    fn every_cell_has_settings_and_the_base_has_none_of_its_values(axes in axes()) {
        let document = Document::parse(&format!("{HEAD}{}", block(&axes)), "t.toml", &[]).unwrap();
        let grid = expand(document.experiment()).unwrap();
        for cell in grid.cells() {
            prop_assert!(document.settings_for(grid.assignment(cell)).is_ok());
        }
    }
}

/// Run with `--release --ignored --nocapture`; figures belong in the report of a change, not in an
/// assertion.
#[test]
#[ignore = "measures, asserts nothing about time"]
fn a_million_cells_are_expanded_and_resolved() {
    let text = "[[grid]]\n[grid.axes]\n\"augment.rotation\" = { from = 0, to = 99, step = 1 }\n\"augment.shift\" = { from = 0, to = 0.99, step = 0.01 }\n\"augment.zoom\" = { from = 0, to = 0.9, step = 0.1 }\n\"model.dropout\" = [0.1, 0.2, 0.3, 0.4, 0.5]\n\"train.optimizer\" = [\"sgd\", \"adam\"]\n";
    let started = std::time::Instant::now();
    let document = Document::parse(&format!("{HEAD}{text}"), "t.toml", &[]).unwrap();
    println!("parse {:?}", started.elapsed());
    let started = std::time::Instant::now();
    let grid = expand(document.experiment()).unwrap();
    println!("expand {} cells {:?}", grid.cells().len(), started.elapsed());
    let started = std::time::Instant::now();
    let distinct: HashSet<CellId> = grid.cells().iter().map(|cell| grid.id(cell)).collect();
    println!("ids {:?}", started.elapsed());
    assert_eq!(distinct.len(), 1_000_000);
    let started = std::time::Instant::now();
    for cell in grid.cells().iter().step_by(10) {
        document.settings_for(grid.assignment(cell)).unwrap();
    }
    println!("settings of 100,000 cells {:?}", started.elapsed());
    let text = "[[grid]]\n[grid.axes]\n\"train.epochs\" = { from = 1, to = 1000000, step = 1 }\n";
    let started = std::time::Instant::now();
    let document = Document::parse(&format!("{HEAD}{text}"), "t.toml", &[]).unwrap();
    println!("parse one axis of a million values {:?}", started.elapsed());
    let started = std::time::Instant::now();
    let grid = expand(document.experiment()).unwrap();
    println!("expand {} cells {:?}", grid.cells().len(), started.elapsed());
}
