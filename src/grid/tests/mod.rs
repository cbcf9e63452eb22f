//! Examples of expansion.

mod laws;

use std::collections::HashSet;
use std::fmt::Write as _;

use super::*;
use crate::experiment::Document;
use crate::experiment::Experiment;

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
    grid.cells().map(|cell| grid.name(cell)).collect()
}

fn ids(grid: &Grid) -> Vec<CellId> {
    grid.cells().map(|cell| grid.id(cell)).collect()
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
    assert_eq!(grid.name(grid.cell(2)), "augment.shift=0.1 train.epochs=3");
    assert_eq!(grid.value(grid.cell(0), 1), None);
}

#[test]
fn duplicate_cells_name_both_their_positions() {
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

/// A block of `axes` axes of the fake engine, `k0`, `k1`, …, each with the values 0 and 1.
fn binary_axes(axes: usize) -> String {
    let lines: Vec<String> =
        (0..axes).map(|index| format!("\"hyperparameters.k{index}\" = [0, 1]")).collect();
    format!("[trainer]\nengine = \"fake\"\n[[grid]]\n[grid.axes]\n{}\n", lines.join("\n"))
}

#[test]
fn grids_are_counted_before_they_are_built() {
    let of = |more: &str| expand(&experiment(more)).unwrap_err().to_string();
    let hint = "\n  hint: take fewer values, or draw some of the cells: add \
                `sample = { method = \"sobol\", count = 1000 }` to `[[grid]]`";
    let limit = "cells, at most 1,000,000 are allowed";
    // 2^64, 2^200, 10^10 and, through a zip and a second block, 2 · 10^9 + 1.
    assert_eq!(
        of(&binary_axes(64)),
        format!("the grid has 18,446,744,073,709,551,616 {limit}{hint}")
    );
    assert_eq!(of(&binary_axes(200)), format!("the grid has more than 10^38 {limit}{hint}"));
    let range =
        |key: &str, count: u32| format!("\"{key}\" = {{ from = 1, to = {count}, step = 1 }}\n");
    let (epochs, batches) = (range("train.epochs", 100_000), range("train.batch-size", 100_000));
    let square = format!("[[grid]]\n[grid.axes]\n{epochs}{batches}");
    assert_eq!(of(&square), format!("the grid has 10,000,000,000 {limit}{hint}"));
    let zipped = format!(
        "[[grid]]\n[grid.axes]\n{}[[grid.zip]]\n{epochs}{batches}[[grid]]\naxes = {{ \"model.dropout\" = [0.5] }}",
        "\"ensemble.size\" = { from = 1, to = 20000, step = 1 }\n"
    );
    assert_eq!(of(&zipped), format!("the grid has 2,000,000,001 {limit}{hint}"));
    // What is excluded or conditional is not in the product: such grids are counted cell by cell.
    let excluded = format!("{square}[[grid.exclude]]\n\"train.epochs\" = 7\n");
    assert_eq!(of(&excluded), format!("the grid has more than 1,000,000 {limit}{hint}"));
    let sampled = square
        .replace("[[grid]]", "[[grid]]\nsample = { method = \"random\", count = 1000000000000 }");
    assert_eq!(
        of(&sampled),
        "block 1 asks for a sample of 1,000,000,000,000 cells, at most 1,000,000 are allowed\n  hint: lower `count`"
    );
}

#[test]
fn what_exclusions_leave_of_an_enormous_product_is_found() {
    let mut text = binary_axes(64);
    for axis in 0..60 {
        write!(text, "[[grid.exclude]]\n\"hyperparameters.k{axis}\" = 1\n").unwrap();
    }
    let grid = grid(&text);
    assert_eq!(grid.len(), 16);
    assert!(grid.name(grid.cell(15)).starts_with("hyperparameters.k0=0 hyperparameters.k1=0 "));
    // With both values of one axis excluded nothing is left, however many others there are.
    let dead = format!("{}[[grid.exclude]]\n\"hyperparameters.k63\" = [0, 1]\n", binary_axes(64));
    assert_eq!(expand(&experiment(&dead)), Err(GridError::Empty));
    // Pairs of the last axes exclude all: nobody can know without looking at every combination.
    let pairs = "[[grid.exclude]]\n\"hyperparameters.k63\" = 0\n\"hyperparameters.k62\" = [0, 1]\n\
                 [[grid.exclude]]\n\"hyperparameters.k63\" = 1\n\"hyperparameters.k62\" = [0, 1]\n";
    let error = expand(&experiment(&format!("{}{pairs}", binary_axes(64)))).unwrap_err();
    assert!(matches!(error, GridError::Tangled { block: 1, .. }), "{error}");
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
        quarters[cell.choice(0).unwrap() as usize / 8] += 1;
    }
    // 64 points of a (0, 2)-sequence put 16 in each quarter; drawing on past a duplicate adds few.
    assert!(quarters.iter().all(|count| (14..=18).contains(count)), "{quarters:?}");
}

#[test]
fn a_sample_of_everything_is_everything_and_of_more_is_refused() {
    let all = 32 * 32 * 2 * 2;
    assert_eq!(sampled("random", all, 1).unwrap().len(), all);
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
        assert_eq!(grid.len(), 500);
        assert_eq!(ids(&grid).into_iter().collect::<HashSet<_>>().len(), 500);
        assert!(grid.cells().is_sorted(), "cells stand in the order of the axes");
    }
}

#[test]
fn an_id_is_a_hash_of_sorted_keys_and_canonical_values() {
    // Python: h = hashlib.sha256(); for text in ["augment.shift", "0.1", "train.epochs", "2"]:
    // h.update(struct.pack("<Q", len(text)) + text.encode()); h.hexdigest()[:32]
    let grid = grid("[[grid]]\naxes = { \"train.epochs\" = [2.0], \"augment.shift\" = [0.1] }");
    assert_eq!(grid.id(grid.cell(0)).to_string(), "98fbbd490c1cced7b72e81af3aae0249");
}

#[test]
fn every_example_of_the_documentation_is_an_experiment() {
    let readme = include_str!("../../../experiments/README.md");
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
