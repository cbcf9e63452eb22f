//! The baseline file: the samples a candidate is held against, and where they came from.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::base::{Digest, Metric, Seed};

const FORMAT: &str = "gridbench-baseline";
const VERSION: u32 = 1;

/// Where samples came from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Origin {
    /// Name of the experiment.
    pub experiment: String,
    /// Its master seed.
    pub seed: Seed,
    /// Device and numerical path, as the engine describes itself.
    pub engine: String,
    /// Processor or accelerator the trials ran on.
    pub hardware: String,
    /// Version of `bench`.
    pub version: String,
    /// Compiler of `bench`.
    pub toolchain: String,
    /// Commit of the source `bench` was built from; absent where it was built without one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub commit: Option<String>,
    /// When the samples were taken, RFC 3339.
    pub date: String,
    /// Checksum of every dataset, by its name.
    pub datasets: BTreeMap<String, Digest>,
}

/// One metric over the completed trials of one cell.
#[derive(Debug, Clone, PartialEq)]
pub struct CellSample {
    /// The cell as printed, for example `learning-rate=0.01 augment.shift=0.1`.
    pub name: String,
    /// Value of every axis as text, by dotted key: what the cell *is*, whatever its name.
    pub assignment: BTreeMap<String, String>,
    /// What was measured.
    pub metric: Metric,
    /// Its values in the order of the repeats, in the unit of the metric (accuracies as fractions).
    pub values: Vec<f64>,
    /// Trials that diverged, failed or ran out of time, and so have no value.
    pub not_completed: usize,
}

/// Committed samples that candidates are held against.
///
/// Invariant: at least one cell, no cell twice for one metric, every cell with a value, every value
/// finite.
#[derive(Debug, Clone, PartialEq)]
pub struct Baseline {
    origin: Origin,
    cells: Vec<CellSample>,
}

#[derive(Serialize, Deserialize)]
struct Header {
    format: String,
    version: u32,
}

#[derive(Serialize, Deserialize)]
struct Document {
    format: String,
    version: u32,
    origin: Origin,
    cells: Vec<DocumentCell>,
}

#[derive(Serialize, Deserialize)]
struct DocumentCell {
    name: String,
    assignment: BTreeMap<String, String>,
    metric: Metric,
    n: usize,
    #[serde(default, rename = "not-completed", skip_serializing_if = "is_zero")]
    not_completed: usize,
    values: Vec<f64>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks for this signature")]
fn is_zero(count: &usize) -> bool {
    *count == 0
}

/// Says why samples are no baseline.
#[derive(Debug, thiserror::Error)]
pub enum BaselineError {
    /// The text is not JSON, or a field is missing or of another type.
    #[error("the baseline is damaged: {0}; write it again with `bench baseline`")]
    Json(#[from] serde_json::Error),
    /// The file is something else.
    #[error(
        "the file says it is `{found}`, expected `{FORMAT}`; name a file that `bench baseline` wrote"
    )]
    Format {
        /// What it says it is.
        found: String,
    },
    /// The file was written by a later `bench`.
    #[error(
        "the baseline has version {found}, this `bench` reads versions up to {VERSION}; use the \
         `bench` that wrote it or write it again with `bench baseline`"
    )]
    Newer {
        /// Its version.
        found: u32,
    },
    /// There is nothing to hold a candidate against.
    #[error("the baseline has no cells, expected at least one; run the experiment first")]
    Empty,
    /// A cell stands there twice.
    #[error("the baseline has cell `{name}` twice for `{metric}`; remove one of the two")]
    Duplicate {
        /// The cell.
        name: String,
        /// The metric.
        metric: Metric,
    },
    /// A cell has no value.
    #[error(
        "cell `{name}` has no completed trial, expected at least one; run the experiment again"
    )]
    NoValues {
        /// The cell.
        name: String,
    },
    /// A value is NaN or infinite.
    #[error(
        "cell `{name}` has the value {value}, expected finite numbers; run the experiment again"
    )]
    NotFinite {
        /// The cell.
        name: String,
        /// The value.
        value: f64,
    },
    /// The stated count and the values disagree.
    #[error(
        "cell `{name}` states n = {stated} but has {found} values; write the baseline again with \
         `bench baseline`"
    )]
    Count {
        /// The cell.
        name: String,
        /// What it states.
        stated: usize,
        /// How many values it has.
        found: usize,
    },
}

impl Baseline {
    /// Makes a baseline of samples, cells in the order given.
    ///
    /// # Errors
    /// If there is no cell, a cell stands there twice for one metric, a cell has no value, or a
    /// value is not finite.
    pub fn from_samples(origin: Origin, cells: Vec<CellSample>) -> Result<Self, BaselineError> {
        if cells.is_empty() {
            return Err(BaselineError::Empty);
        }
        let mut seen = BTreeSet::new();
        for CellSample { name, assignment, metric, values, .. } in &cells {
            if !seen.insert((assignment, *metric)) {
                return Err(BaselineError::Duplicate { name: name.clone(), metric: *metric });
            }
            if values.is_empty() {
                return Err(BaselineError::NoValues { name: name.clone() });
            }
            if let Some(&value) = values.iter().find(|value| !value.is_finite()) {
                return Err(BaselineError::NotFinite { name: name.clone(), value });
            }
        }
        Ok(Self { origin, cells })
    }

    /// Reads the text of a baseline file; fields it does not know are passed over.
    ///
    /// # Errors
    /// If the text is no baseline of a version this reads, or its samples are none.
    pub fn from_text(text: &str) -> Result<Self, BaselineError> {
        let header: Header = serde_json::from_str(text)?;
        if header.format != FORMAT {
            return Err(BaselineError::Format { found: header.format });
        }
        if header.version > VERSION {
            return Err(BaselineError::Newer { found: header.version });
        }
        let document: Document = serde_json::from_str(text)?;
        let mut cells = Vec::with_capacity(document.cells.len());
        for DocumentCell { name, assignment, metric, n, not_completed, values } in document.cells {
            if n != values.len() {
                return Err(BaselineError::Count { name, stated: n, found: values.len() });
            }
            cells.push(CellSample { name, assignment, metric, values, not_completed });
        }
        Self::from_samples(document.origin, cells)
    }

    /// Returns the text of the baseline file: JSON, one value a line and in stable order, so that
    /// two versions of it differ only where the samples do.
    ///
    /// # Panics
    /// Never: every part has a JSON form.
    #[must_use]
    pub fn to_text(&self) -> String {
        let cells = self.cells.iter().cloned().map(|cell| DocumentCell {
            n: cell.values.len(),
            name: cell.name,
            assignment: cell.assignment,
            metric: cell.metric,
            not_completed: cell.not_completed,
            values: cell.values,
        });
        let document = Document {
            format: FORMAT.to_owned(),
            version: VERSION,
            origin: self.origin.clone(),
            cells: cells.collect(),
        };
        let mut text = serde_json::to_string_pretty(&document).expect("every part has a JSON form");
        text.push('\n');
        text
    }

    /// Returns where the samples came from.
    #[must_use]
    pub fn origin(&self) -> &Origin {
        &self.origin
    }

    /// Returns the samples.
    #[must_use]
    pub fn cells(&self) -> &[CellSample] {
        &self.cells
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{cell, origin};
    use super::*;

    fn baseline() -> Baseline {
        Baseline::from_samples(
            origin(),
            vec![cell("shift=0", &[0.981, 0.983]), cell("shift=0.1", &[0.990_000_000_000_000_1])],
        )
        .unwrap()
    }

    #[test]
    fn a_baseline_survives_its_text() {
        assert_eq!(Baseline::from_text(&baseline().to_text()).unwrap(), baseline());
    }

    #[test]
    fn the_text_has_one_value_a_line() {
        insta::assert_snapshot!(baseline().to_text(), @r#"
        {
          "format": "gridbench-baseline",
          "version": 1,
          "origin": {
            "experiment": "smoke",
            "seed": 42,
            "engine": "cpu, portable f32",
            "hardware": "Imaginary CPU, 2 cores",
            "version": "0.1.0",
            "toolchain": "rustc 1.95.0",
            "commit": "e67c846",
            "date": "2026-01-02T03:04:05Z",
            "datasets": {
              "digits": "cc6b6bad31a0ff4d6dfd4953a6346a1c463d884723898a2af964b998e5499e22"
            }
          },
          "cells": [
            {
              "name": "shift=0",
              "assignment": {
                "shift": "0"
              },
              "metric": "test-accuracy",
              "n": 2,
              "values": [
                0.981,
                0.983
              ]
            },
            {
              "name": "shift=0.1",
              "assignment": {
                "shift": "0.1"
              },
              "metric": "test-accuracy",
              "n": 1,
              "values": [
                0.9900000000000001
              ]
            }
          ]
        }
        "#);
    }

    #[test]
    fn trials_without_a_value_are_written_down() {
        let sample = CellSample { not_completed: 2, ..cell("shift=0", &[0.981]) };
        let baseline = Baseline::from_samples(origin(), vec![sample]).unwrap();
        assert!(baseline.to_text().contains("\"not-completed\": 2,"));
        assert_eq!(Baseline::from_text(&baseline.to_text()).unwrap(), baseline);
    }

    #[test]
    fn fields_of_later_releases_are_passed_over() {
        let text = baseline().to_text().replacen('{', "{\"mood\": \"sunny\",", 1);
        assert_eq!(Baseline::from_text(&text).unwrap(), baseline());
    }

    #[test]
    fn every_damage_is_named() {
        let text = baseline().to_text();
        let messages: Vec<String> = [
            text[..text.len() / 2].to_owned(),
            text.replace("gridbench-baseline", "gridbench-manifest"),
            text.replace("\"version\": 1,", "\"version\": 2,"),
            text.replace("\"n\": 2", "\"n\": 3"),
            text.replace("0.1\"\n", "0\"\n").replace("shift=0.1", "shift=0"),
            text.replace("\"n\": 1", "\"n\": 0").replace("0.9900000000000001", ""),
            text.replace("0.9900000000000001", "null"),
        ]
        .iter()
        .map(|text| Baseline::from_text(text).unwrap_err().to_string())
        .collect();
        insta::assert_snapshot!(messages.join("\n"), @r#"
        the baseline is damaged: EOF while parsing an object at line 15 column 5; write it again with `bench baseline`
        the file says it is `gridbench-manifest`, expected `gridbench-baseline`; name a file that `bench baseline` wrote
        the baseline has version 2, this `bench` reads versions up to 1; use the `bench` that wrote it or write it again with `bench baseline`
        cell `shift=0` states n = 3 but has 2 values; write the baseline again with `bench baseline`
        the baseline has cell `shift=0` twice for `test-accuracy`; remove one of the two
        cell `shift=0.1` has no completed trial, expected at least one; run the experiment again
        the baseline is damaged: invalid type: null, expected f64 at line 38 column 12; write it again with `bench baseline`
        "#);
    }

    #[test]
    fn only_finite_samples_make_a_baseline() {
        let error = |cells| Baseline::from_samples(origin(), cells).unwrap_err().to_string();
        insta::assert_snapshot!(error(vec![]), @"the baseline has no cells, expected at least one; run the experiment first");
        insta::assert_snapshot!(error(vec![cell("shift=0", &[f64::NAN])]), @"cell `shift=0` has the value NaN, expected finite numbers; run the experiment again");
    }
}
