//! `bench diff`: how two experiments, or the experiments of two results folders, differ.

use std::collections::BTreeSet;
use std::path::Path;

use serde::Serialize;
use serde_json::Value as Json;

use super::arguments::DiffArguments;
use super::experiment;
use super::failure::{Exit, Failure};
use super::show::flatten;
use super::streams;
use super::terminal::{Terminal, words};
use crate::base::{CellId, format};
use crate::report::{counted, wrap_parts};
use crate::results::Facts;
use crate::session::{LoadedExperiment, manifest_in};
use crate::spec::experiment::Axis;
use crate::spec::value::Value;
use crate::store::Manifest;

/// One thing that differs; absent on the side that lacks it.
#[derive(Debug, Clone, PartialEq, Serialize)]
struct Line {
    key: String,
    a: Option<Json>,
    b: Option<Json>,
}

/// Cells by what they are: the same values of the same axes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
struct Cells {
    in_both: usize,
    only_in_a: usize,
    only_in_b: usize,
}

/// How two experiments differ.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
struct Difference {
    a: String,
    b: String,
    /// Settings before any axis is applied, and what the experiment says besides.
    settings: Vec<Line>,
    axes: Vec<Line>,
    cells: Cells,
    /// Program, machine and images; empty unless both sides are results.
    origin: Vec<Line>,
}

pub(super) fn diff(arguments: &DiffArguments, terminal: Terminal) -> Result<Exit, Failure> {
    let (a, b) = (Side::open(&arguments.a)?, Side::open(&arguments.b)?);
    let found = Difference {
        settings: differences(&a.settings, &b.settings),
        axes: differences(&a.axes, &b.axes),
        cells: Cells {
            in_both: a.cells.intersection(&b.cells).count(),
            only_in_a: a.cells.difference(&b.cells).count(),
            only_in_b: b.cells.difference(&a.cells).count(),
        },
        origin: match (&a.origin, &b.origin) {
            (Some(a), Some(b)) => differences(a, b),
            _ => Vec::new(),
        },
        a: a.name,
        b: b.name,
    };
    if arguments.json {
        streams::document(format::DIFFERENCE, &found);
    } else {
        found.print(terminal.width);
    }
    Ok(Exit::Done)
}

/// Values by key, in the order in which they are shown.
type Entries = Vec<(String, Json)>;

/// One side.
struct Side {
    name: String,
    settings: Entries,
    axes: Entries,
    cells: BTreeSet<CellId>,
    /// Absent for an experiment file.
    origin: Option<Entries>,
}

impl Side {
    fn open(path: &Path) -> Result<Self, Failure> {
        let name = path.display().to_string();
        let folder = match path.file_name() {
            Some(file) if file == "manifest.json" => path.parent().unwrap_or(Path::new(".")),
            _ => path,
        };
        if !folder.is_dir() {
            return Ok(Self::of(name, &experiment::read(path, &[])?, None));
        }
        let manifest = manifest_in(folder)?;
        let loaded = LoadedExperiment::from_manifest(&manifest)?;
        Ok(Self::of(name, &loaded, Some(origin(&manifest))))
    }

    fn of(name: String, loaded: &LoadedExperiment, origin: Option<Entries>) -> Self {
        let experiment = loaded.document.experiment();
        let mut meant = serde_json::to_value(experiment).expect("experiments serialise");
        for grid in meant["grids"].as_array_mut().into_iter().flatten() {
            if let Some(grid) = grid.as_object_mut() {
                // They are compared as axes.
                grid.retain(|key, _| key != "axes" && key != "zips");
            }
        }
        let mut settings = Vec::new();
        flatten("", &meant, &mut settings);
        for (key, _) in &mut settings {
            if let Some(inner) = key.strip_prefix("base.") {
                *key = inner.to_owned();
            }
        }
        let values = |axis: &Axis| {
            let values = axis.values.iter().map(Value::notation).map(Json::from);
            (axis.key.clone(), values.collect())
        };
        Self {
            name,
            settings,
            axes: loaded.grid.axes.iter().map(values).collect(),
            cells: loaded.cells().map(|cell| loaded.grid.id(cell)).collect(),
            origin,
        }
    }
}

/// Returns where results come from.
fn origin(manifest: &Manifest) -> Entries {
    let origin = Facts::of(manifest).origin;
    let mut entries: Entries = [
        ("version", Some(origin.version)),
        ("commit", origin.commit),
        ("experiment-commit", origin.experiment_commit),
        ("toolchain", Some(origin.toolchain)),
        ("engine", Some(origin.engine)),
        ("engine-revision", Some(origin.engine_revision)),
        ("hardware", Some(origin.hardware)),
        ("date", Some(origin.date)),
    ]
    .into_iter()
    .filter_map(|(key, value)| Some((key.to_owned(), Json::from(value?))))
    .collect();
    entries.extend(manifest.run.datasets.iter().map(|images| {
        (format!("checksum of {}", images.name), Json::from(images.checksum.to_string()))
    }));
    entries
}

/// Returns what differs, in the order of the first side, then what the second has alone.
fn differences(a: &Entries, b: &Entries) -> Vec<Line> {
    let value = |side: &Entries, key: &str| {
        side.iter().find(|(known, _)| known == key).map(|(_, value)| value.clone())
    };
    let only_in_b = b.iter().filter(|(key, _)| value(a, key).is_none());
    a.iter()
        .chain(only_in_b)
        .map(|(key, _)| Line { key: key.clone(), a: value(a, key), b: value(b, key) })
        .filter(|line| line.a != line.b)
        .collect()
}

impl Difference {
    fn print(&self, width: usize) {
        outln!("{} → {}", self.a, self.b);
        let parts = [("settings", &self.settings), ("axes", &self.axes), ("origin", &self.origin)];
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
        if self.settings.is_empty() && self.axes.is_empty() {
            outln!("no setting and no axis differs");
        }
        let Cells { in_both, only_in_a, only_in_b } = self.cells;
        let only = |count, side| {
            if count > 0 { format!(", {count} only in {side}") } else { String::new() }
        };
        outln!(
            "{} in both{}{}",
            counted(in_both, "cell"),
            only(only_in_a, &self.a),
            only(only_in_b, &self.b)
        );
    }
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
