//! Holds the table of sentences in `docs/statistics.md` against the source: each is printed, and each
//! has its test.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use crate::support::root;

/// Returns the text of every Rust file below `folder`.
fn source(folder: &Path) -> String {
    let mut text = String::new();
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            text += &source(&path);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            text += &fs::read_to_string(&path).expect("a source file");
        }
    }
    text
}

/// Returns the rows of the table: sentence, reason, tests.
fn rows() -> Vec<[String; 3]> {
    let page = fs::read_to_string(root().join("docs/statistics.md")).expect("the page");
    let (_, rest) = page.split_once("## What a report says\n").expect("the part");
    let part = rest.split("\n## ").next().expect("its text");
    let lines = part.lines().filter(|line| line.starts_with("| ")).skip(1);
    let row = |line: &str| {
        let cells: Vec<String> =
            line.trim_matches('|').split(" | ").map(|cell| cell.trim().to_owned()).collect();
        cells.try_into().unwrap_or_else(|cells| panic!("three columns: {cells:?}"))
    };
    lines.filter(|line| !line.starts_with("|--")).map(row).collect()
}

/// Returns what stands between backticks.
fn quoted(text: &str) -> Vec<&str> {
    text.split('`').skip(1).step_by(2).collect()
}

#[test]
fn every_sentence_of_the_table_has_a_test_that_exists() {
    let root = root();
    let all =
        [source(&root.join("src")), source(&root.join("tests")), source(&root.join("crates"))];
    let all = all.concat();
    let tests: BTreeSet<&str> = all
        .split("#[test]")
        .skip(1)
        .filter_map(|rest| rest.split_once("fn ")?.1.split('(').next())
        .collect();
    let rows = rows();
    assert!(rows.len() > 30, "{} rows", rows.len());
    for [sentence, reason, named] in &rows {
        assert!(!reason.is_empty(), "{sentence}: no reason");
        let named = quoted(named);
        assert!(!named.is_empty(), "{sentence}: no test");
        for name in named {
            assert!(tests.contains(name), "{sentence}: no test `{name}`");
        }
    }
}

#[test]
fn every_sentence_of_the_table_is_printed() {
    // Texts go on over lines behind a backslash.
    let text: String = source(&root().join("src/report"))
        .split("\\\n")
        .map(|part| part.trim_start_matches(' '))
        .collect();
    for [sentence, ..] in &rows() {
        if let Some(quoted) = sentence.strip_prefix('`').and_then(|rest| rest.split('`').next()) {
            assert!(text.contains(quoted), "`{quoted}` is printed no more");
        }
    }
}
