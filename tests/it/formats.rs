//! Holds docs/formats.md against the tables the program writes; documents are held against schemas.

use std::collections::BTreeSet;

use crate::support::{FAKE, Place, root};

fn documented() -> BTreeSet<String> {
    let page = std::fs::read_to_string(root().join("docs/formats.md")).expect("docs/formats.md");
    let codes = page.split('`').skip(1).step_by(2);
    codes.flat_map(|code| code.split(", ")).map(str::to_owned).collect()
}

#[test]
fn every_column_of_the_tables_is_documented() {
    let place = Place::new();
    place.file("fake.toml", FAKE);
    place.done(&["run", "fake.toml", "--quiet"]);
    let documented = documented();
    let is_known = |column: &str| {
        let statistic = || {
            documented.iter().any(|known| {
                let end = known.strip_prefix("METRIC");
                end.is_some_and(|end| {
                    let metric = column.strip_suffix(end);
                    metric.is_some_and(|metric| documented.contains(metric))
                })
            })
        };
        column.contains('.') || documented.contains(column) || statistic()
    };
    for table in ["trials", "cells", "epochs", "histograms"] {
        let text = place.read(&format!("results/fake/tables/{table}.csv"));
        let columns = text.lines().next().expect("a head").split(',');
        let missing: Vec<&str> = columns.filter(|column| !is_known(column)).collect();
        assert!(missing.is_empty(), "{table}: {missing:?}");
    }
}
