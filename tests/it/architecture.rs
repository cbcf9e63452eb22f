//! Holds the source against the rules of DESIGN.md: which module may use which, where each heavy
//! crate lives, how long a file may be, and that the file map is complete.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

/// Module, the modules it may name, the heavy crates it may name.
const MODULES: &[(&str, &[&str], &[&str])] = &[
    ("base", &[], &["rand", "rand_chacha", "sha2"]),
    ("experiment", &["base"], &["toml", "rust_decimal", "unicode_width"]),
    ("grid", &["base", "experiment"], &["rand", "sobol_burley", "rust_decimal"]),
    ("plan", &["base", "experiment", "grid", "data", "engine", "record"], &[]),
    ("record", &["base"], &[]),
    (
        "data",
        &["base", "experiment"],
        &["flate2", "image", "csv", "tiff", "ureq", "zune_core", "zune_jpeg", "rand", "md5"],
    ),
    (
        "engine",
        &["base", "experiment", "data", "record"],
        &["dfdx", "rayon", "safetensors", "rand", "half", "cudarc", "libloading"],
    ),
    ("store", &["base", "record", "experiment"], &["half", "rayon", "safetensors"]),
    (
        "program",
        &["base", "experiment", "data", "engine", "record", "store"],
        &["csv", "process_wrap", "rustix", "wait4"],
    ),
    ("runner", &["base", "experiment", "plan", "data", "engine", "record", "store"], &["rayon"]),
    ("cluster", &["base", "plan", "store", "runner"], &[]),
    ("results", &["base", "experiment", "grid", "plan", "record", "store"], &[]),
    ("tables", &["base", "experiment", "grid", "record", "store", "results"], &["polars", "rayon"]),
    (
        "report",
        &["base", "experiment", "record", "store", "results", "tables"],
        &["base64", "rayon", "unicode_width"],
    ),
    ("check", &["base", "experiment", "record", "results"], &[]),
    (
        "session",
        &[
            "base",
            "experiment",
            "grid",
            "plan",
            "record",
            "data",
            "engine",
            "store",
            "program",
            "runner",
            "cluster",
            "results",
            "tables",
            "report",
            "check",
        ],
        &["rayon"],
    ),
    (
        "cli",
        &[
            "base",
            "experiment",
            "grid",
            "plan",
            "record",
            "data",
            "engine",
            "store",
            "program",
            "runner",
            "cluster",
            "results",
            "tables",
            "report",
            "check",
            "session",
        ],
        &["clap", "indicatif", "ctrlc", "rayon", "signal_hook"],
    ),
];

/// Crates that may only be named where [`MODULES`] says so.
const HEAVY: &[&str] = &[
    "base64",
    "clap",
    "csv",
    "ctrlc",
    "cudarc",
    "dfdx",
    "flate2",
    "half",
    "image",
    "indicatif",
    "libloading",
    "md5",
    "polars",
    "process_wrap",
    "rand",
    "rand_chacha",
    "rayon",
    "rust_decimal",
    "rustix",
    "safetensors",
    "sha2",
    "signal_hook",
    "sobol_burley",
    "statrs",
    "tiff",
    "toml",
    "unicode_width",
    "ureq",
    "wait4",
    "zune_core",
    "zune_jpeg",
];

const MAX_LINES: usize = 500;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn rust_files(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).expect("a source folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            files.extend(rust_files(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
    files.sort();
    files
}

fn module_of(file: &Path) -> String {
    let inside = file.strip_prefix(root().join("src")).expect("a file under src");
    let first = inside.components().next().expect("a file name").as_os_str();
    Path::new(first).file_stem().expect("a stem").to_string_lossy().into_owned()
}

/// Returns the source without comments, strings' content and test modules at the end of the file.
fn code_of(text: &str) -> String {
    let text = text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default();
    text.lines()
        .map(|line| line.split("//").next().unwrap_or_default())
        .collect::<Vec<_>>()
        .join("\n")
}

fn is_test_file(file: &Path) -> bool {
    file.components().any(|part| {
        let name = part.as_os_str().to_string_lossy();
        name == "tests.rs" || name.ends_with("_tests.rs") || name == "tests"
    })
}

/// Returns the identifiers that follow `prefix` in `code`, where `prefix` starts a path.
fn names_after(code: &str, prefix: &str) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for (offset, _) in code.match_indices(prefix) {
        let before = code[..offset].chars().next_back();
        if before.is_some_and(|c| c.is_alphanumeric() || c == '_' || c == ':') {
            continue;
        }
        let rest = &code[offset + prefix.len()..];
        let list = match rest.strip_prefix('{') {
            Some(rest) => top_level(rest),
            None => vec![rest.to_owned()],
        };
        for item in list {
            let name: String =
                item.trim().chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
            names.insert(name);
        }
    }
    names
}

/// Splits a `use` list at its top-level commas, up to its closing brace.
fn top_level(list: &str) -> Vec<String> {
    let (mut depth, mut items, mut item) = (0, Vec::new(), String::new());
    for c in list.chars() {
        match c {
            '}' if depth == 0 => break,
            ',' if depth == 0 => items.push(std::mem::take(&mut item)),
            _ => {
                depth += i32::from(c == '{') - i32::from(c == '}');
                item.push(c);
            }
        }
    }
    items.push(item);
    items
}

#[test]
fn imports_point_one_way() {
    let mut problems = Vec::new();
    for file in rust_files(&root().join("src")) {
        let module = module_of(&file);
        if module == "lib" || module == "main" || is_test_file(&file) {
            continue;
        }
        let Some((_, may_use, may_name)) = MODULES.iter().find(|(name, ..)| *name == module) else {
            problems.push(format!("{}: module `{module}` is not in the table", file.display()));
            continue;
        };
        let code = code_of(&fs::read_to_string(&file).expect("a source file"));
        for used in names_after(&code, "crate::") {
            let known = MODULES.iter().any(|(name, ..)| *name == used);
            if known && used != module && !may_use.contains(&used.as_str()) {
                problems.push(format!("{}: `{module}` may not use `{used}`", file.display()));
            }
        }
        for heavy in HEAVY {
            let names_it = !names_after(&code, &format!("{heavy}::")).is_empty()
                || code.contains(&format!("use {heavy};"));
            if names_it && !may_name.contains(heavy) && may_use.iter().all(|used| used != heavy) {
                problems.push(format!("{}: `{module}` may not name `{heavy}`", file.display()));
            }
        }
    }
    assert!(problems.is_empty(), "{}", problems.join("\n"));
}

/// Modules whose own files import each other one way only.
const WITHOUT_CIRCLES: &[&str] = &[
    "base", "check", "data", "grid", "plan", "record", "report", "results", "runner", "session",
    "tables",
];

/// Returns which parts of a folder's module (files, or folders with all that is in them) use which.
fn uses_within(folder: &Path, path: &str) -> BTreeMap<String, BTreeSet<String>> {
    let mut uses: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for file in rust_files(folder) {
        let inside = file.strip_prefix(folder).expect("a file of the module");
        let first = inside.components().next().expect("a name").as_os_str();
        let part = Path::new(first).file_stem().expect("a stem").to_string_lossy().into_owned();
        if part == "mod" || is_test_file(&file) {
            continue;
        }
        let code = code_of(&fs::read_to_string(&file).expect("a source file"));
        let mut names = names_after(&code, path);
        // `super` is the module itself in its files, and in the first file of its folders.
        let depth = inside.components().count();
        if depth == 1 || depth == 2 && inside.ends_with("mod.rs") {
            names.extend(names_after(&code, "super::"));
        }
        uses.entry(part).or_default().extend(names);
    }
    uses
}

/// Returns a part that uses itself by way of others.
fn circle_in(uses: &BTreeMap<String, BTreeSet<String>>) -> Option<String> {
    uses.keys().find_map(|start| {
        let (mut seen, mut next) = (BTreeSet::new(), vec![start]);
        while let Some(part) = next.pop() {
            for used in uses.get(part).into_iter().flatten().filter(|used| *used != part) {
                if used == start {
                    return Some(format!("{start} → … → {part} → {start}"));
                }
                if seen.insert(used) {
                    next.push(used);
                }
            }
        }
        None
    })
}

#[test]
fn files_of_a_module_import_each_other_one_way() {
    for module in WITHOUT_CIRCLES {
        let folder = root().join("src").join(module);
        let path = format!("crate::{module}::");
        assert_eq!(circle_in(&uses_within(&folder, &path)), None, "{module}");
        let folders =
            fs::read_dir(&folder).expect("a folder").map(|entry| entry.expect("one").path());
        for inner in folders.filter(|path| path.is_dir()) {
            let name = inner.file_name().expect("a name").to_string_lossy().into_owned();
            let path = format!("crate::{module}::{name}::");
            assert_eq!(circle_in(&uses_within(&inner, &path)), None, "{module}::{name}");
        }
    }
}

#[test]
fn circles_of_imports_are_found() {
    let uses = |pairs: &[(&str, &str)]| {
        let mut uses: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for (part, used) in pairs {
            uses.entry((*part).to_owned()).or_default().insert((*used).to_owned());
        }
        circle_in(&uses)
    };
    assert_eq!(uses(&[("a", "b"), ("b", "c"), ("a", "c"), ("c", "c")]), None);
    assert_eq!(uses(&[("a", "b"), ("b", "c"), ("c", "a")]).as_deref(), Some("a → … → c → a"));
}

#[test]
fn no_file_is_longer_than_five_hundred_lines() {
    let mut long = Vec::new();
    for folder in ["src", "crates", "tests", "benches"] {
        for file in rust_files(&root().join(folder)) {
            let lines = fs::read_to_string(&file).expect("a source file").lines().count();
            if lines > MAX_LINES {
                long.push(format!("{}: {lines} lines", file.display()));
            }
        }
    }
    assert!(long.is_empty(), "{}", long.join("\n"));
}

/// The generated page that names every source file.
const FILE_MAP: &str = "docs/file-map.md";

/// Returns the first sentence of a file's documentation, without its full stop.
fn first_sentence(text: &str) -> String {
    let paragraph: Vec<&str> = text
        .lines()
        .skip_while(|line| !line.starts_with("//!"))
        .map_while(|line| line.strip_prefix("//!"))
        .map(str::trim)
        .take_while(|line| !line.is_empty())
        .collect();
    let paragraph = paragraph.join(" ");
    let sentence = paragraph.split(". ").next().unwrap_or_default().trim_end_matches('.');
    unlinked(sentence).replace('|', "\\|")
}

/// Leaves of links to other files of the code, which the book has not, what they are called.
fn unlinked(sentence: &str) -> String {
    let mut text = sentence.to_owned();
    while let Some(middle) = text.find("](../") {
        let begin = text[..middle].rfind('[').expect("a link begins");
        let end = middle + text[middle..].find(')').expect("a link ends");
        text = format!("{}{}{}", &text[..begin], &text[begin + 1..middle], &text[end + 1..]);
    }
    text
}

#[test]
fn the_file_map_matches_the_tree() {
    let mut map = String::from(
        "# File map\n\nGenerated from the first sentence of each file's documentation by `just file-map`.\n\n\
         | file | what it is |\n|---|---|\n",
    );
    for file in ["crates", "src"].iter().flat_map(|folder| rust_files(&root().join(folder))) {
        if is_test_file(&file) {
            continue;
        }
        let name = file.strip_prefix(root()).expect("inside").to_string_lossy().into_owned();
        let sentence = first_sentence(&fs::read_to_string(&file).expect("a source file"));
        assert!(!sentence.is_empty(), "{name} has no documentation");
        writeln!(map, "| `{name}` | {sentence} |").expect("a string takes everything");
    }
    let page = root().join(FILE_MAP);
    if std::env::var_os("GRIDBENCH_WRITE_FILE_MAP").is_some() {
        fs::write(&page, &map).expect("the page can be written");
    }
    let written = fs::read_to_string(&page).unwrap_or_default();
    assert!(written == map, "{FILE_MAP} is not current: run `just file-map`");
}
