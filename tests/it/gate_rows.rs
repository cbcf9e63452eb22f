//! Two hundred checks by the program itself, held against the same rule in NumPy and SciPy.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use crate::support::Place;

/// Cells, trials per cell of candidate and baseline, exit code and values in ten-thousandths, as `rows.py` says.
const ROWS: &str = include_str!("../gate/rows.csv");

/// Writes the cells of one side, repeats from `first` on so that the sides share none.
fn table(values: &str, cells: usize, first: usize) -> String {
    let values: Vec<f64> =
        values.split(' ').map(|value| value.parse::<f64>().expect("a number") / 1e4).collect();
    let mut text = "cell,repeat,accuracy\n".to_owned();
    for (cell, trials) in values.chunks(values.len() / cells).enumerate() {
        for (repeat, value) in trials.iter().enumerate() {
            writeln!(text, "{cell},{},{value}", first + repeat).expect("text takes it");
        }
    }
    text
}

fn answers_of(part: usize) {
    let mut wrong = BTreeMap::new();
    for (index, row) in ROWS.lines().enumerate().filter(|(index, _)| index % 4 == part) {
        let [cells, _, _, code, candidate, baseline] =
            row.split(',').collect::<Vec<_>>().try_into().expect("six columns");
        let cells = cells.parse().expect("a number");
        let place = Place::new();
        place.file("old.csv", table(baseline, cells, 0));
        place.file("new.csv", table(candidate, cells, 1_000));
        for file in ["old.csv", "new.csv"] {
            place.done(&[
                "import", file, "--axes", "cell", "--repeat", "repeat", "--metric", "accuracy",
            ]);
        }
        place.done(&["baseline", "results/old", "--output", "old.json"]);
        let check = ["check", "results/new", "--baseline", "old.json", "--tolerance", "1"];
        let answer = place.bench(&check);
        if answer.code.to_string() != code {
            wrong.insert(index + 1, format!("expected {code}, got {}", answer.stdout));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn the_program_judges_the_first_fifty_as_the_reference_does() {
    answers_of(0);
}

#[test]
fn the_program_judges_the_second_fifty_as_the_reference_does() {
    answers_of(1);
}

#[test]
fn the_program_judges_the_third_fifty_as_the_reference_does() {
    answers_of(2);
}

#[test]
fn the_program_judges_the_fourth_fifty_as_the_reference_does() {
    answers_of(3);
}
