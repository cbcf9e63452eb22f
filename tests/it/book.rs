//! Every page of the book is a test: its files are written, its commands run, its output held against
//! what they print.
//!
//! In a page, a block `toml,file=NAME` is a file, a block `sh` is commands (lines of a shell), a block
//! `text,output` holds lines that the commands before it print, in that order, and a block `python` is
//! run where `BENCH_PYTHON` names a Python with the packages of `tests/consumers`.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::support::{Answer, Place, root};

/// One fenced block: its language with what follows, its text, and its line.
struct Block {
    info: String,
    text: String,
    line: usize,
}

fn blocks(page: &str) -> Vec<Block> {
    let (mut blocks, mut open) = (Vec::new(), None::<Block>);
    for (index, line) in page.lines().enumerate() {
        match (&mut open, line.strip_prefix("```")) {
            (None, Some(info)) => {
                let info = info.trim().to_owned();
                open = Some(Block { info, text: String::new(), line: index + 1 });
            }
            (Some(_), Some(_)) => blocks.extend(open.take()),
            (Some(block), None) => {
                block.text.push_str(line);
                block.text.push('\n');
            }
            (None, None) => {}
        }
    }
    blocks
}

/// Returns the pages of the book, by their path below `docs`.
fn pages() -> Vec<String> {
    let summary = read(&root().join("docs/SUMMARY.md"));
    let links = summary.split("](").skip(1).map(|rest| rest.split(')').next().expect("a link"));
    links.map(str::to_owned).collect()
}

fn read(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Runs lines of a shell in `place`, with `bench` on the path.
fn shell(place: &Place, text: &str) -> Answer {
    let program = Path::new(env!("CARGO_BIN_EXE_bench"));
    let mut folders = vec![program.parent().expect("a folder").to_owned()];
    folders.extend(std::env::split_paths(&std::env::var_os("PATH").unwrap_or_default()));
    let known = place.command(&[]);
    let mut command = Command::new("sh");
    command.args(["-euc", text]).current_dir(place.path("."));
    for (name, value) in known.get_envs() {
        match value {
            Some(value) => command.env(name, value),
            None => command.env_remove(name),
        };
    }
    command.env("PATH", std::env::join_paths(folders).expect("a path"));
    command.output().expect("a shell").into()
}

/// Returns the first line of `expected` that `printed` lacks after those before it.
fn missing<'a>(expected: &'a str, printed: &str) -> Option<&'a str> {
    let mut left = printed.lines().map(str::trim);
    let wanted = expected.lines().map(str::trim).filter(|line| !line.is_empty());
    wanted.into_iter().find(|line| !left.any(|found| found == *line || found.starts_with(line)))
}

fn follow(page: &str) {
    let place = Place::new();
    // What pages of reference call the reader's own experiment.
    place.file(
        "my.toml",
        "name = \"my\"\n[dataset]\nsource = \"digits\"\n[model]\npreset = \"logistic\"\n",
    );
    let mut printed = String::new();
    for Block { info, text, line } in blocks(&read(&root().join("docs").join(page))) {
        if let Some((_, name)) = info.split_once(",file=") {
            place.file(name, text);
            continue;
        }
        match info.as_str() {
            "sh" => {
                let answer = shell(&place, &text);
                let shown = format!("{}{}", answer.stdout, answer.stderr);
                assert_eq!(answer.code, 0, "docs/{page}:{line}: {text}{shown}");
                printed = answer.stdout;
            }
            "text,output" => {
                let lacks = missing(&text, &printed);
                assert_eq!(lacks, None, "docs/{page}:{line}: is not printed:\n{printed}");
            }
            "python" => {
                let named = std::env::var_os("BENCH_PYTHON").filter(|value| !value.is_empty());
                let Some(python) = named else { continue };
                let script = place.file("page.py", &text);
                let answer = Command::new(python).arg(script).current_dir(place.path(".")).output();
                let answer: Answer = answer.expect("Python starts").into();
                assert_eq!(answer.code, 0, "docs/{page}:{line}: {}", answer.stderr);
            }
            _ => {}
        }
    }
}

macro_rules! pages {
    ($($name:ident: $page:literal,)+) => {
        /// Pages with commands, each a test of its own.
        const FOLLOWED: &[&str] = &[$($page),+];

        $(#[cfg(unix)]
        #[test]
        fn $name() {
            follow($page);
        })+
    };
}

pages! {
    the_tutorial_works: "tutorial.md",
    the_page_on_grids_works: "guide/grid.md",
    the_page_on_own_images_works: "guide/own-images.md",
    the_page_on_ensembles_works: "guide/ensemble.md",
    the_page_on_comparing_works: "guide/compare.md",
    the_page_on_duels_works: "guide/duel.md",
    the_page_on_persistent_trainers_works: "guide/persistent.md",
    the_page_on_importing_works: "guide/import.md",
    the_page_on_the_gate_works: "guide/gate.md",
    the_page_on_looking_works: "guide/look.md",
    the_page_on_tables_works: "guide/tables.md",
    the_page_on_sharing_works: "guide/share.md",
    the_page_on_other_tools_works: "other-tools.md",
    the_page_on_clusters_works: "guide/cluster.md",
    the_page_on_exit_codes_works: "exit-codes.md",
    the_page_on_reading_data_works: "reading-your-data.md",
}

#[test]
fn every_page_of_the_book_is_there_and_followed() {
    let pages = pages();
    let mut found: BTreeSet<String> = BTreeSet::new();
    for folder in ["", "guide"] {
        for entry in std::fs::read_dir(root().join("docs").join(folder)).expect("a folder") {
            let path: PathBuf = entry.expect("an entry").path();
            let name =
                path.strip_prefix(root().join("docs")).expect("inside").display().to_string();
            if path.extension().is_some_and(|ending| ending == "md") && name != "SUMMARY.md" {
                found.insert(name);
            }
        }
    }
    assert_eq!(pages.iter().cloned().collect::<BTreeSet<_>>(), found, "docs/SUMMARY.md");
    for page in &pages {
        let has_commands =
            blocks(&read(&root().join("docs").join(page))).iter().any(|block| block.info == "sh");
        let is_followed = FOLLOWED.contains(&page.as_str());
        assert_eq!(has_commands, is_followed, "docs/{page}: pages with commands are tests");
    }
}

#[test]
fn links_of_the_book_lead_somewhere() {
    // The map of source files is generated from comments.
    for page in pages().into_iter().filter(|page| page != "file-map.md") {
        let path = root().join("docs").join(&page);
        let folder = path.parent().expect("a folder");
        for link in read(&path).split("](").skip(1) {
            let link = link.split([')', '#']).next().expect("a link");
            let is_outside = link.contains("://") || link.is_empty();
            assert!(is_outside || folder.join(link).exists(), "docs/{page}: {link}");
        }
    }
}

#[test]
fn output_that_is_not_printed_is_found() {
    assert_eq!(missing("a\nc\n", "a b\nb\nc\n"), None);
    assert_eq!(missing("c\na\n", "a\nb\nc\n"), Some("a"));
    assert_eq!(blocks("x\n```sh\na\n```\ny\n```text,output\nb\n```\n").len(), 2);
}
