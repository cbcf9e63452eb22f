//! `[check]`: what is gated, and what is refused.

use std::fmt::Write as _;

use super::SMALL;
use crate::experiment::Document;
use crate::experiment::value::{Assignment, Value};

const GRID: &str = "[[grid]]\n[grid.axes]\n\"augment.shift\" = [0, 0.1]\n\
    \"train.optimizer\" = [\"adam\", { name = \"sgd\", momentum = 0.5 }]\n[check]\n";

fn read(more: &str) -> Result<Document, String> {
    Document::parse(&format!("{SMALL}{GRID}{more}\n"), "t.toml", &[]).map_err(|e| e.to_string())
}

fn gates(more: &str, shift: &str, optimizer: &str) -> bool {
    let assignment = Assignment::from([
        ("augment.shift".to_owned(), Value::from_notation(shift)),
        ("train.optimizer".to_owned(), Value::from_notation(optimizer)),
    ]);
    read(more).unwrap().experiment().check.gates(&assignment)
}

#[test]
fn every_cell_is_gated_unless_some_are_named() {
    assert!(gates("", "0", "adam"));
    let one = "cells = { \"augment.shift\" = 0.10 }";
    assert!(gates(one, "0.1", "adam") && !gates(one, "0", "adam"));
    let either = "cells = [{ \"augment.shift\" = [0, 0.1], \"train.optimizer\" = \"adam\" }]";
    assert!(gates(either, "0", "adam") && !gates(either, "0", "{name=sgd, momentum=0.5}"));
    let table = "cells = { \"train.optimizer\" = { name = \"sgd\", momentum = 0.5 } }";
    assert!(gates(table, "0", "{name=sgd, momentum=0.5}") && !gates(table, "0", "adam"));
}

#[test]
fn cells_are_named_by_selectors_as_everywhere() {
    let one = "cells = \"shift=0.10\"";
    assert!(gates(one, "0.1", "adam") && !gates(one, "0", "adam"));
    let sgd = "{name=sgd, momentum=0.5}";
    let mixed = "cells = [\"shift=0,optimizer=sgd\", { \"augment.shift\" = 0.1 }]";
    assert!(gates(mixed, "0", sgd) && gates(mixed, "0.1", "adam") && !gates(mixed, "0", "adam"));
}

#[test]
fn speed_is_gated_only_where_a_ratio_is_given() {
    let ratio = |more: &str| read(more).unwrap().experiment().check.images_per_second;
    assert_eq!(ratio(""), None);
    assert_eq!(ratio("images-per-second = 0.9"), Some(0.9));
}

#[test]
fn gates_that_mean_nothing_are_refused() {
    let mut page = String::new();
    for more in [
        "cells = { \"augment.shft\" = 0.1 }",
        "cells = { \"augment.shift\" = 0.7 }",
        "cells = []",
        "cells = [{}]",
        "cells = \"shift\"",
        "cells = [\"shft=0.1\", \"shift=0.7\"]",
        "cells = 3",
        "images-per-second = 1.5",
        "images-per-second = \"fast\"",
        "speed = 0.9",
    ] {
        writeln!(page, "## {more}\n{}\n", read(more).expect_err(more)).unwrap();
    }
    insta::assert_snapshot!(page);
}
