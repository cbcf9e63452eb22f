//! The ids of every experiment of this repository, which must not change by accident.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use crate::base::{ContentHasher, digest_of};
use crate::experiment::Document;
use crate::grid::expand;
use crate::plan::Plan;

/// Returns every experiment file below `folder`, in the order of their paths.
fn experiments(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(experiments(&path));
        } else if path.extension().is_some_and(|extension| extension == "toml") {
            found.push(path);
        }
    }
    found.sort();
    found
}

/// Returns a short digest of texts in their order.
fn digest(parts: impl Iterator<Item = String>) -> String {
    let mut hasher = ContentHasher::new();
    parts.for_each(|part| {
        hasher.part("part", part.as_bytes());
    });
    hasher.finish().to_string()[..12].to_owned()
}

#[test]
fn ids_of_every_experiment_file_are_as_they_were() {
    type Never = std::convert::Infallible;
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("experiments");
    let mut page = String::new();
    for path in experiments(&root) {
        let text = fs::read_to_string(&path).unwrap();
        let shown = path.strip_prefix(&root).unwrap().display().to_string().replace('\\', "/");
        let document =
            Document::parse(&text, &shown, &[]).unwrap_or_else(|error| panic!("{error}"));
        let grid = expand(document.experiment()).unwrap();
        let plan = Plan::draw(&document, &grid, "1", &mut |_| Ok::<_, Never>(digest_of(b"images")))
            .unwrap();
        writeln!(
            page,
            "{shown}: {} cells {} {}, {} trials {}, {} members {}",
            plan.cells.len(),
            digest(plan.cells.iter().map(|cell| cell.id.to_string())),
            digest(plan.cells.iter().map(|cell| cell.name.clone())),
            plan.trials.len(),
            digest(plan.trials.iter().map(|trial| trial.id.to_string())),
            plan.members.len(),
            digest(plan.members.iter().map(|member| member.id.to_string())),
        )
        .unwrap();
    }
    insta::assert_snapshot!(page);
}
