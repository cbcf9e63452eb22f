//! Reads everything in `fuzz/corpus` again: files that fuzzing began with, and those that it broke a
//! reader with.

use std::fs;
use std::path::Path;

#[path = "../../fuzz/readers.rs"]
mod readers;

/// Runs every file of a reader's folder through it.
fn replay(name: &str) {
    let (_, read) = readers::READERS.iter().find(|(known, _)| *known == name).expect("a reader");
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus").join(name);
    let mut files: Vec<_> = fs::read_dir(&folder)
        .unwrap_or_else(|error| panic!("{}: {error}", folder.display()))
        .map(|entry| entry.expect("an entry").path())
        .collect();
    files.sort();
    assert!(!files.is_empty(), "{}", folder.display());
    for file in files {
        let bytes = fs::read(&file).expect("a file");
        let ended = std::panic::catch_unwind(|| read(&bytes));
        assert!(ended.is_ok(), "{}", file.display());
    }
}

#[test]
fn every_folder_of_the_corpus_has_a_reader_and_a_target() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz");
    let targets = fs::read_to_string(root.join("Cargo.toml")).expect("a manifest");
    let mut folders: Vec<String> = fs::read_dir(root.join("corpus"))
        .expect("a corpus")
        .map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned())
        .collect();
    folders.sort();
    let mut readers: Vec<&str> = readers::READERS.iter().map(|(name, _)| *name).collect();
    readers.sort_unstable();
    assert_eq!(folders, readers);
    for reader in readers {
        assert!(targets.contains(&format!("name = \"{reader}\"")), "{reader}");
    }
}

macro_rules! replays {
    ($($test:ident: $name:literal),* $(,)?) => {
        $(#[test] fn $test() { replay($name); })*
    };
}

replays! {
    experiment_files_that_were_fuzzed_are_read_or_refused: "experiment",
    journals_that_were_fuzzed_are_read_or_refused: "journal",
    manifests_that_were_fuzzed_are_read_or_refused: "manifest",
    tables_that_were_fuzzed_are_read_or_refused: "tables-csv",
    parquet_files_that_were_fuzzed_are_read_or_refused: "tables-parquet",
    baselines_that_were_fuzzed_are_read_or_refused: "baseline",
    models_that_were_fuzzed_are_read_or_refused: "model",
    idx_files_that_were_fuzzed_are_read_or_refused: "idx",
    csv_files_that_were_fuzzed_are_read_or_refused: "csv",
    images_that_were_fuzzed_are_read_or_refused: "images",
    output_of_programs_that_was_fuzzed_is_read_or_refused: "program",
}
