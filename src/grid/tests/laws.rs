//! Laws of expansion.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::fmt::Write as _;

use proptest::prelude::*;

use super::*;

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

/// A random block: the sizes of its axes, conditions `(axis, other, value)` under which an axis
/// exists, and exclusions, each of some axes and a value of each.
type RandomBlock = (Vec<usize>, Vec<(usize, usize, usize)>, Vec<Vec<(usize, usize)>>);

fn random_block() -> impl Strategy<Value = RandomBlock> {
    let sizes = proptest::collection::vec(1usize..4, 2..6);
    let conditions = proptest::collection::vec((0usize..6, 0usize..6, 0usize..3), 0..3);
    let exclusion = proptest::collection::vec((0usize..6, 0usize..3), 1..4);
    let exclusions = proptest::collection::vec(exclusion, 0..4);
    (sizes, conditions, exclusions).prop_map(|(sizes, conditions, exclusions)| {
        let count = sizes.len();
        let conditions = conditions.into_iter().map(|(axis, other, value)| {
            let axis = axis % count;
            let other = if other % count == axis { (axis + 1) % count } else { other % count };
            (axis, other, value % sizes[other])
        });
        let exclusions = exclusions.into_iter().map(|all| {
            let keyed: BTreeMap<usize, usize> = all
                .into_iter()
                .map(|(axis, value)| (axis % count, value % sizes[axis % count]))
                .collect();
            keyed.into_iter().collect()
        });
        (sizes.clone(), conditions.collect(), exclusions.collect())
    })
}

/// The names of the cells of a random block by definition: every combination of all axes, less the
/// axes whose conditions fail there, less what is excluded, each once, in the order typed.
fn by_definition((sizes, conditions, exclusions): &RandomBlock) -> Vec<String> {
    let mut cells: BTreeSet<Vec<Option<usize>>> = BTreeSet::new();
    for index in 0..sizes.iter().product::<usize>() {
        let mut rest = index;
        let mut cell: Vec<Option<usize>> = Vec::new();
        for size in sizes {
            cell.push(Some(rest % size));
            rest /= size;
        }
        loop {
            let fails = |&&(axis, other, value): &&(usize, usize, usize)| {
                cell[axis].is_some() && cell[other] != Some(value)
            };
            let Some(&(axis, ..)) = conditions.iter().find(fails) else { break };
            cell[axis] = None;
        }
        let holds =
            |all: &Vec<(usize, usize)>| all.iter().all(|(axis, value)| cell[*axis] == Some(*value));
        if !exclusions.iter().any(holds) {
            cells.insert(cell);
        }
    }
    let name = |cell: Vec<Option<usize>>| {
        let parts: Vec<String> = cell
            .iter()
            .enumerate()
            .filter_map(|(axis, value)| {
                value.map(|value| format!("hyperparameters.k{axis}={value}"))
            })
            .collect();
        if parts.is_empty() { "base".to_owned() } else { parts.join(" ") }
    };
    cells.into_iter().map(name).collect()
}

/// The same block as text; conditions of one axis are joined.
fn as_text((sizes, conditions, exclusions): &RandomBlock) -> String {
    let mut text = "[trainer]\nengine = \"fake\"\n[[grid]]\n[grid.axes]\n".to_owned();
    for (axis, size) in sizes.iter().enumerate() {
        let values: Vec<String> = (0..*size).map(|value| value.to_string()).collect();
        writeln!(text, "\"hyperparameters.k{axis}\" = [{}]", values.join(", ")).unwrap();
    }
    for (axis, other, value) in conditions {
        writeln!(
            text,
            "[[grid.when]]\naxes = [\"hyperparameters.k{axis}\"]\nif = {{ \"hyperparameters.k{other}\" = {value} }}"
        )
        .unwrap();
    }
    for all in exclusions {
        text.push_str("[[grid.exclude]]\n");
        for (axis, value) in all {
            writeln!(text, "\"hyperparameters.k{axis}\" = {value}").unwrap();
        }
    }
    text
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, ..ProptestConfig::default() })]

    #[test]
    fn the_size_is_the_product_of_the_axes(axes in axes()) {
        let grid = grid(&block(&axes));
        let product: usize = axes.iter().map(|(_, values)| values.len()).product();
        prop_assert_eq!(grid.len(), product);
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
        let index = dropped % fewer.len();
        prop_assume!(fewer[index].1.len() > 1);
        fewer[index].1.pop();
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
            Ok(grid) => prop_assert_eq!(grid.len(), left),
            Err(error) => {
                prop_assert_eq!(error, GridError::Empty);
                prop_assert_eq!(left, 0);
            }
        }
    }

    #[test]
    fn cells_are_what_the_definition_says(block in random_block()) {
        let (sizes, conditions, exclusions) = &block;
        let text = format!("{HEAD}{}", as_text(&block));
        // Circles are refused when the file is read.
        let Ok(document) = Document::parse(&text, "t.toml", &[]) else { return Ok(()) };
        let expected = by_definition(&block);
        match expand(document.experiment()) {
            Ok(grid) => {
                let found: Vec<String> = grid.cells().map(|cell| grid.name(cell)).collect();
                prop_assert_eq!(found, expected);
            }
            Err(GridError::Empty) => prop_assert!(expected.is_empty()),
            Err(GridError::IdleExclusion { .. }) => {
                let needless = |idle: usize| {
                    let mut rest = exclusions.clone();
                    let alone = vec![rest.remove(idle)];
                    by_definition(&(sizes.clone(), conditions.clone(), alone))
                        == by_definition(&(sizes.clone(), conditions.clone(), Vec::new()))
                };
                prop_assert!((0..exclusions.len()).any(needless));
            }
            Err(error) => prop_assert!(false, "{}", error),
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
    println!("expand {} cells {:?}", grid.len(), started.elapsed());
    let started = std::time::Instant::now();
    let distinct: HashSet<CellId> = grid.cells().map(|cell| grid.id(cell)).collect();
    println!("ids {:?}", started.elapsed());
    assert_eq!(distinct.len(), 1_000_000);
    let started = std::time::Instant::now();
    for cell in grid.cells().step_by(10) {
        document.settings_for(grid.assignment(cell)).unwrap();
    }
    println!("settings of 100,000 cells {:?}", started.elapsed());
}
