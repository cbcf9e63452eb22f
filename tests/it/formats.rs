//! Holds docs/formats.md against what the program writes.

use std::collections::BTreeSet;

use crate::support::{FAKE, Place, root};

fn documented() -> BTreeSet<String> {
    let page = std::fs::read_to_string(root().join("docs/formats.md")).expect("docs/formats.md");
    let codes = page.split('`').skip(1).step_by(2);
    codes.flat_map(|code| code.split(", ")).map(str::to_owned).collect()
}

/// Collects the keys of a document; below `data` keys are names of axes, metrics or datasets.
fn keys(value: &serde_json::Value, found: &mut BTreeSet<String>) {
    const DATA: [&str; 5] = ["assignment", "datasets", "axes", "settings", "values"];
    match value {
        serde_json::Value::Object(entries) => {
            for (key, value) in entries {
                found.insert(key.clone());
                if !DATA.contains(&key.as_str()) {
                    keys(value, found);
                }
            }
        }
        serde_json::Value::Array(items) => items.iter().for_each(|item| keys(item, found)),
        _ => {}
    }
}

#[test]
fn every_key_of_the_documents_is_documented() {
    let place = Place::new();
    let gate = "\n[check]\ntolerance = 5.0\nimages-per-second = 0.9\n";
    place.file("fake.toml", FAKE.replace("repeats = 3", "repeats = 6") + gate);
    place.done(&["run", "fake.toml", "--quiet"]);
    place.done(&["baseline", "results/fake", "--output", "baseline.json"]);
    let check = ["check", "results/fake", "--baseline", "baseline.json", "--json"];
    let compare = [
        "compare",
        "results/fake",
        "--cell-a",
        "rotation=0",
        "--cell-b",
        "rotation=20",
        "--format",
        "json",
    ];
    let confirm = ["confirm", "results/fake", "--format", "json", "--quiet"];
    let plan = ["plan", "fake.toml", "--difference", "0.5", "--json"];
    let mut texts = vec![place.read("baseline.json")];
    texts.extend([&check[..], &compare, &confirm].map(|arguments| place.done(arguments)));
    let mut found = BTreeSet::new();
    for text in &texts {
        keys(&serde_json::from_str(text).expect("JSON"), &mut found);
    }
    let plan: serde_json::Value = serde_json::from_str(&place.done(&plan)).expect("JSON");
    found.extend(plan.as_object().expect("an object").keys().cloned());
    keys(&plan["wanted-difference"], &mut found);
    let documented = documented();
    let missing: Vec<&String> = found.difference(&documented).collect();
    assert!(missing.is_empty(), "not in docs/formats.md: {missing:?}");
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
