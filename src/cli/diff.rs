//! `bench diff`: how two experiments, or the experiments of two results folders, differ.

use std::path::Path;

use serde_json::Value as Json;

use super::arguments::DiffArguments;
use super::experiment;
use super::failure::{Exit, Failure};
use super::streams;
use super::terminal::{Terminal, words};
use crate::base::format;
use crate::report::{counted, wrap_parts};
use crate::session::difference::{Cells, Difference, Line, Side};

pub(super) fn diff(arguments: &DiffArguments, terminal: Terminal) -> Result<Exit, Failure> {
    let found = Difference::of(side(&arguments.a)?, side(&arguments.b)?);
    if arguments.json {
        streams::document(format::DIFFERENCE, &found);
    } else {
        print(&found, terminal.width);
    }
    Ok(Exit::Done)
}

/// Reads one side: an experiment file, a results folder, or its manifest.
fn side(path: &Path) -> Result<Side, Failure> {
    let name = path.display().to_string();
    let folder = match path.file_name() {
        Some(file) if file == "manifest.json" => path.parent().unwrap_or(Path::new(".")),
        _ => path,
    };
    if folder.is_dir() {
        return Ok(Side::of_folder(name, folder)?);
    }
    Ok(Side::of(name, &experiment::read(path, &[])?))
}

fn print(found: &Difference, width: usize) {
    outln!("{} → {}", found.a, found.b);
    let parts = [("settings", &found.settings), ("axes", &found.axes), ("origin", &found.origin)];
    for (name, lines) in parts {
        if lines.is_empty() {
            continue;
        }
        outln!("{name}");
        let longest = lines.iter().map(|line| line.key.chars().count()).max().unwrap_or(0);
        for Line { key, a, b } in lines {
            let head = format!("  {key:<longest$}  {}", shown(a.as_ref()));
            let parts = [vec![head], words(&format!("→ {}", shown(b.as_ref())))].concat();
            for line in wrap_parts(&parts, " ", width, longest + 4) {
                outln!("{line}");
            }
        }
    }
    if found.settings.is_empty() && found.axes.is_empty() {
        outln!("no setting and no axis differs");
    }
    let Cells { in_both, only_in_a, only_in_b } = found.cells;
    let only = |count, side| {
        if count > 0 { format!(", {count} only in {side}") } else { String::new() }
    };
    outln!(
        "{} in both{}{}",
        counted(in_both, "cell"),
        only(only_in_a, &found.a),
        only(only_in_b, &found.b)
    );
}

fn shown(value: Option<&Json>) -> String {
    match value {
        None => "(absent)".to_owned(),
        Some(Json::String(text)) => text.clone(),
        Some(Json::Array(items)) => {
            let items: Vec<String> = items.iter().map(|item| shown(Some(item))).collect();
            items.join(", ")
        }
        Some(other) => other.to_string(),
    }
}
