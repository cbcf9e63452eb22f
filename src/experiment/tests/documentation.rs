//! `experiments/README.md` and the committed schema held against the language.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use super::{SMALL, read};
use crate::experiment::keys::{self, Key, SETTING_KEYS, Shape};
use crate::experiment::problem::one_of;
use crate::experiment::value::Value;
use crate::experiment::{EXPERIMENT_KEYS, schema};

fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Holds a committed text against what the declarations make of it, or writes it where
/// `GRIDBENCH_WRITE_KEYS` is set (`just keys`).
fn hold(path: &Path, expected: &str) {
    if std::env::var_os("GRIDBENCH_WRITE_KEYS").is_some() {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        write(path, expected);
        return;
    }
    let found = fs::read_to_string(path).unwrap_or_default().replace("\r\n", "\n");
    assert!(found == expected, "`{}` is not current: run `just keys`", path.display());
}

#[expect(
    clippy::disallowed_methods,
    reason = "a committed file is written by hand, not by the program"
)]
fn write(path: &Path, text: &str) {
    fs::write(path, text).unwrap();
}

/// The rows of the table at a marker such as `<!-- keys: train.stop -->`.
fn rows(section: &str) -> String {
    let named = |key: &&Key| !key.expected.is_empty();
    let row = |key: &Key| {
        let name = match section {
            "" => key.path,
            section => key.path.strip_prefix(section)?.strip_prefix('.')?,
        };
        let is_below = ["fake.", "resources."].iter().any(|above| name.starts_with(above));
        let is_of_this = !name.contains('.') || (section == "trainer" && is_below);
        let Key { expected, default, meaning, .. } = key;
        is_of_this.then(|| format!("| `{name}` | {expected} | {default} | {meaning} |\n"))
    };
    keys::all().filter(named).filter_map(row).collect()
}

#[test]
fn the_tables_of_the_readme_are_those_of_the_declarations() {
    let path = repository().join("experiments/README.md");
    let readme = fs::read_to_string(&path).unwrap().replace("\r\n", "\n");
    let mut made = String::new();
    let mut rest = readme.as_str();
    let mut tables = 0;
    while let Some((before, after)) = rest.split_once("<!-- keys: ") {
        let (section, after) = after.split_once(" -->\n").expect("a marker ends its line");
        let (_, after) = after.split_once("<!-- end of keys -->").expect("a table has an end");
        let section = if section == "top" { "" } else { section };
        let marker = if section.is_empty() { "top" } else { section };
        let head = "| key | type | default | meaning |\n|---|---|---|---|\n";
        made.push_str(before);
        let rows = rows(section);
        write!(made, "<!-- keys: {marker} -->\n{head}{rows}<!-- end of keys -->").unwrap();
        rest = after;
        tables += 1;
    }
    made.push_str(rest);
    assert!(tables >= 12, "{tables} tables");
    hold(&path, &made);
}

#[test]
fn the_committed_schema_is_that_of_the_declarations() {
    let text = format!("{:#}\n", schema());
    hold(&repository().join("docs/schemas/experiment.json"), &text);
}

#[test]
fn every_listed_key_is_known_to_the_settings() {
    let document = read(SMALL);
    for key in SETTING_KEYS.iter() {
        let table = Value::Table(vec![("no-such-key".to_owned(), Value::Bool(true))]);
        let Err(error) = document.settings_for([(*key, &table)]) else {
            panic!("`{key}` takes a table without a word");
        };
        let error = error.to_string();
        let last = key.rsplit('.').next().unwrap();
        assert!(!error.contains(&format!("unknown key `{key}`")), "{error}");
        assert!(!error.contains("is no key of the settings"), "{error}");
        assert!(error.contains(last) || error.contains("hyperparameters"), "{key}: {error}");
    }
}

/// Returns the words a shape names.
fn words(shape: Shape) -> Vec<&'static str> {
    match shape {
        Shape::Words(words) => words.to_vec(),
        Shape::Choice(names) => names(),
        Shape::Either(some) => some.iter().flat_map(|one| words(*one)).collect(),
        _ => Vec::new(),
    }
}

#[test]
fn the_words_of_every_key_are_those_its_reader_knows() {
    // The optimizer that knows every convention.
    let document = read(&format!("{SMALL}[train]\noptimizer = \"rmsprop\"\n"));
    let mut checked = 0;
    for key in keys::all().filter(|key| SETTING_KEYS.contains(&key.path)) {
        let declared = words(key.shape);
        if declared.is_empty() {
            continue;
        }
        let error = document.settings_for([(key.path, &Value::Text("no such word".into()))]);
        let error = error.expect_err(key.path).to_string();
        // Keys of one optimizer are none of another.
        if error.contains("is no key of") {
            continue;
        }
        let exact = error.contains(&format!("expected {}\n", one_of(declared.iter().copied())))
            || error.ends_with(&format!("expected {}", one_of(declared.iter().copied())));
        let quoted = declared.iter().all(|word| error.contains(&format!("\"{word}\"")));
        assert!(exact || quoted, "{}: {error}", key.path);
        checked += 1;
    }
    assert!(checked >= 12, "{checked}");
}

#[test]
fn every_key_is_documented() {
    const README: &str = include_str!("../../../experiments/README.md");
    for key in SETTING_KEYS.iter().chain(EXPERIMENT_KEYS.iter()) {
        let last = key.rsplit('.').next().unwrap();
        let is_there = README.contains(&format!("`{last}`"))
            || README.contains(&format!(".{last}`"))
            || README.contains(&format!("{last} ="))
            || README.contains(&format!(", {last} "));
        assert!(is_there, "`{key}` is not documented");
    }
}

/// Returns every experiment file of the repository.
fn experiments(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries
        .flat_map(|path| if path.is_dir() { experiments(&path) } else { vec![path] })
        .filter(|path| path.extension().is_some_and(|extension| extension == "toml"))
        .collect()
}

#[test]
fn every_experiment_file_is_valid_by_the_schema() {
    let schema = schema();
    let files = experiments(&repository().join("experiments"));
    assert!(files.len() > 30);
    for path in files {
        let value: toml::Value = toml::from_str(&fs::read_to_string(&path).unwrap()).unwrap();
        let value = serde_json::to_value(value).unwrap();
        let problem = super::schema::problem(&schema, &schema, &value, "");
        assert_eq!(problem, None, "{}", path.display());
    }
}

#[test]
fn the_schema_refuses_what_is_no_experiment() {
    let schema = schema();
    for (text, part) in [
        ("name = \"a b\"\ndataset.source = \"digits\"", "name"),
        ("question = \"a\"\ndataset.source = \"digits\"", "name"),
        ("name = \"a\"\ndataset.source = \"mnits\"", "dataset.source"),
        ("name = \"a\"\ndataset.source = \"digits\"\n[train]\nepoch = 3", "train"),
        ("name = \"a\"\ndataset.source = \"digits\"\n[train]\nepochs = 0", "train.epochs"),
        (
            "name = \"a\"\ndataset.source = \"digits\"\n[train]\noptimizer = { name = \"adam\", beta3 = 1 }",
            "train.optimizer",
        ),
        (
            "name = \"a\"\ndataset.source = \"digits\"\n[[grid]]\n[grid.axes]\n\"train.epoch\" = [3]",
            "grid",
        ),
        (
            "name = \"a\"\ndataset.source = \"digits\"\n[[grid]]\n[grid.axes]\n\"train.epochs\" = []",
            "grid",
        ),
    ] {
        let value: toml::Value = toml::from_str(text).unwrap();
        let value = serde_json::to_value(value).unwrap();
        let found = super::schema::problem(&schema, &schema, &value, "").unwrap_or_default();
        assert!(found.starts_with(part), "{text}: {found:?}");
    }
    // Without a dataset it needs a trainer, which may be a program.
    let bare = serde_json::json!({ "name": "a" });
    assert!(super::schema::problem(&schema, &schema, &bare, "").is_some());
}
