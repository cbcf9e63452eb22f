//! How two experiments, or the experiments of two results folders, differ.

use std::collections::BTreeSet;
use std::path::Path;

use serde::Serialize;
use serde_json::Value as Json;

use super::{Error, LoadedExperiment, manifest_in};
use crate::base::CellId;
use crate::experiment::Axis;
use crate::experiment::value::Value;
use crate::results::Facts;
use crate::store::Manifest;

/// One thing that differs; absent on the side that lacks it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Line {
    pub(crate) key: String,
    pub(crate) a: Option<Json>,
    pub(crate) b: Option<Json>,
}

/// Cells by what they are: the same values of the same axes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct Cells {
    pub(crate) in_both: usize,
    pub(crate) only_in_a: usize,
    pub(crate) only_in_b: usize,
}

/// How two experiments differ.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct Difference {
    pub(crate) a: String,
    pub(crate) b: String,
    /// Settings before any axis is applied, and what the experiment says besides.
    pub(crate) settings: Vec<Line>,
    pub(crate) axes: Vec<Line>,
    pub(crate) cells: Cells,
    /// Program, machine and images; empty unless both sides are results.
    pub(crate) origin: Vec<Line>,
}

impl Difference {
    /// Compares two experiments.
    pub(crate) fn of(a: Side, b: Side) -> Self {
        Self {
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
        }
    }
}

/// Values by key, in the order in which they are shown.
type Entries = Vec<(String, Json)>;

/// One side.
pub(crate) struct Side {
    name: String,
    settings: Entries,
    axes: Entries,
    cells: BTreeSet<CellId>,
    /// Absent for an experiment file.
    origin: Option<Entries>,
}

impl Side {
    /// Reads the experiment of a results folder.
    pub(crate) fn of_folder(name: String, folder: &Path) -> Result<Self, Error> {
        let manifest = manifest_in(folder)?;
        let loaded = LoadedExperiment::from_manifest(&manifest)?;
        Ok(Self { origin: Some(origin(&manifest)), ..Self::of(name, &loaded) })
    }

    /// Takes an experiment, which has no origin.
    pub(crate) fn of(name: String, loaded: &LoadedExperiment) -> Self {
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
            origin: None,
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

/// Writes every value of `json` that is no table, and every list of tables element by element,
/// under its dotted key; what is absent is left out.
pub(super) fn flatten(key: &str, json: &Json, out: &mut Vec<(String, Json)>) {
    let below = |name: &str| if key.is_empty() { name.to_owned() } else { format!("{key}.{name}") };
    match json {
        Json::Null => {}
        Json::Object(entries) => {
            for (name, value) in entries {
                flatten(&below(name), value, out);
            }
        }
        Json::Array(items) if items.iter().any(Json::is_object) => {
            for (index, item) in items.iter().enumerate() {
                flatten(&below(&(index + 1).to_string()), item, out);
            }
        }
        other => out.push((key.to_owned(), other.clone())),
    }
}
