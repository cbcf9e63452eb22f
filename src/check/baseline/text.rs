//! The text of a baseline file, in all its versions.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

use super::{Baseline, BaselineError, CellSample, FORMAT, VERSION};
use crate::base::{ContentHasher, Digest, Metric, MetricName, Seed};
use crate::check::Source;
use crate::experiment::value::{Assignment, Value};
use crate::results::Origin;

#[derive(Deserialize)]
struct Header {
    format: String,
    version: u32,
    digest: Option<Digest>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Document {
    format: String,
    version: u32,
    digest: Digest,
    source: Source,
    metrics: Vec<Metric>,
    cells: Vec<DocumentCell>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
struct DocumentCell {
    name: String,
    assignment: Assignment,
    metric: MetricName,
    #[serde(default, skip_serializing_if = "is_zero")]
    lost: usize,
    /// By the index of the repeat.
    values: BTreeMap<u32, f64>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks for this signature")]
fn is_zero(count: &usize) -> bool {
    *count == 0
}

/// A baseline of version 1: values of axes as text, samples without their repeats.
#[derive(Deserialize)]
struct Document1 {
    origin: Origin1,
    cells: Vec<DocumentCell1>,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Origin1 {
    experiment: String,
    seed: Seed,
    engine: String,
    hardware: String,
    version: String,
    toolchain: String,
    #[serde(default)]
    commit: Option<String>,
    date: String,
    datasets: BTreeMap<String, Digest>,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct DocumentCell1 {
    name: String,
    assignment: BTreeMap<String, String>,
    metric: MetricName,
    n: usize,
    #[serde(default)]
    not_completed: usize,
    values: Vec<f64>,
}

/// Reads a baseline of any version up to [`VERSION`].
pub(super) fn read(text: &str) -> Result<Baseline, BaselineError> {
    // Editors on Windows put a byte-order mark in front.
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    if !text.trim_start().starts_with(['{', '[', '"']) {
        return Err(if text.trim().is_empty() {
            BaselineError::NoText
        } else {
            BaselineError::NotJson
        });
    }
    let json: serde_json::Value = serde_json::from_str(text)?;
    if json.get("format").is_none_or(|format| !format.is_string()) {
        return Err(BaselineError::Other);
    }
    let header: Header = serde_json::from_value(json)?;
    if header.format != FORMAT {
        return Err(BaselineError::Format { found: header.format });
    }
    match header.version {
        1 => read_version_1(serde_json::from_str(text)?),
        VERSION => {
            let found = digest(&serde_json::from_str(text)?);
            match header.digest {
                Some(stated) if stated != found => Err(BaselineError::Digest { stated, found }),
                _ => read_version_2(serde_json::from_str(text)?),
            }
        }
        found => Err(BaselineError::Newer { found }),
    }
}

fn read_version_2(document: Document) -> Result<Baseline, BaselineError> {
    let metrics = document.metrics;
    let cell = |cell: DocumentCell| {
        Ok(CellSample {
            metric: declared(&metrics, &cell.name, cell.metric)?,
            name: cell.name,
            assignment: cell.assignment,
            repeats: Some(cell.values.keys().copied().collect()),
            values: cell.values.into_values().collect(),
            lost: cell.lost,
        })
    };
    let cells: Vec<CellSample> =
        document.cells.into_iter().map(cell).collect::<Result<_, BaselineError>>()?;
    Baseline::from_samples(document.source, cells)
}

/// Finds the declaration of the metric of a cell.
fn declared(metrics: &[Metric], cell: &str, name: MetricName) -> Result<Metric, BaselineError> {
    let found = metrics.iter().find(|metric| metric.name == name).cloned();
    found.ok_or_else(|| BaselineError::Undeclared { cell: cell.to_owned(), metric: name })
}

fn read_version_1(document: Document1) -> Result<Baseline, BaselineError> {
    let mut cells = Vec::with_capacity(document.cells.len());
    for DocumentCell1 { name, assignment, metric, n, not_completed, values } in document.cells {
        if n != values.len() {
            return Err(BaselineError::Count { name, stated: n, found: values.len() });
        }
        let assignment =
            assignment.into_iter().map(|(key, text)| (key, Value::Text(text))).collect();
        // Version 1 knew the metrics of classifiers only.
        let metric = declared(&Metric::of_classifiers(), &name, metric)?;
        let (repeats, lost) = (None, not_completed);
        cells.push(CellSample { name, assignment, metric, values, repeats, lost });
    }
    let Origin1 { experiment, seed, engine, hardware, version, toolchain, commit, date, datasets } =
        document.origin;
    let engine_revision = String::new();
    let origin = Origin {
        engine,
        engine_revision,
        hardware,
        version,
        toolchain,
        commit,
        experiment_commit: None,
        date,
    };
    let source = Source { experiment, seed, split_seed: None, folds: None, datasets, origin };
    Ok(Baseline { is_typed: false, ..Baseline::from_samples(source, cells)? })
}

/// Writes a baseline: JSON, one value per line and in stable order, so that two versions of it differ
/// only where the samples do.
pub(super) fn write(baseline: &Baseline) -> String {
    let cells = baseline.cells.iter().map(|cell| {
        let repeats =
            cell.repeats.clone().unwrap_or_else(|| (0..cell.values.len() as u32).collect());
        DocumentCell {
            name: cell.name.clone(),
            assignment: cell.assignment.clone(),
            metric: cell.metric.name.clone(),
            lost: cell.lost,
            values: repeats.into_iter().zip(cell.values.iter().copied()).collect(),
        }
    });
    let mut metrics: Vec<Metric> = Vec::new();
    for cell in &baseline.cells {
        if !metrics.contains(&cell.metric) {
            metrics.push(cell.metric.clone());
        }
    }
    let document = Document {
        format: FORMAT.to_owned(),
        version: VERSION,
        digest: ContentHasher::new().finish(),
        source: baseline.source.clone(),
        metrics,
        cells: cells.collect(),
    };
    let mut json = serde_json::to_value(&document).expect("every part has a JSON form");
    json["digest"] = Json::String(digest(&json).to_string());
    let mut text = serde_json::to_string_pretty(&json).expect("every part has a JSON form");
    text.push('\n');
    text
}

/// Returns the digest of everything a baseline says beside its digest: line ends, spaces and the order
/// of keys play no part.
fn digest(json: &Json) -> Digest {
    fn add(json: &Json, hasher: &mut ContentHasher) {
        match json {
            Json::Object(entries) => {
                let mut sorted: Vec<_> = entries.iter().collect();
                sorted.sort_by_key(|(key, _)| *key);
                hasher.part("table", &sorted.len().to_le_bytes());
                for (key, value) in sorted {
                    hasher.part("key", key.as_bytes());
                    add(value, hasher);
                }
            }
            Json::Array(values) => {
                hasher.part("list", &values.len().to_le_bytes());
                for value in values {
                    add(value, hasher);
                }
            }
            scalar => {
                hasher.part("value", scalar.to_string().as_bytes());
            }
        }
    }
    let mut content = json.clone();
    content.as_object_mut().map(|entries| entries.remove("digest"));
    let mut hasher = ContentHasher::new();
    add(&content, &mut hasher);
    hasher.finish()
}
