//! The documents that `bench` writes for other programs: how each names itself.
//!
//! `docs/schemas/` has a JSON schema for each. A version is raised where readers would break.

use std::io::{self, Write};

use serde::Serialize;

/// Name and version of a kind of document.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Format {
    /// What the document says it is.
    pub name: &'static str,
    /// Version of its schema.
    pub version: u32,
}

/// `bench report --format json`.
pub(crate) const REPORT: Format = Format { name: "gridbench-report", version: 3 };
/// `bench compare --format json`.
pub(crate) const COMPARISON: Format = Format { name: "gridbench-comparison", version: 2 };
/// `bench confirm --format json`.
pub(crate) const CONFIRMATION: Format = Format { name: "gridbench-confirmation", version: 2 };
/// `bench check --format json`.
pub(crate) const CHECK: Format = Format { name: "gridbench-check", version: 1 };
/// `bench check --format json` without a verdict.
pub(crate) const REFUSAL: Format = Format { name: "gridbench-refusal", version: 1 };
/// `bench baseline`.
pub(crate) const BASELINE: Format = Format { name: "gridbench-baseline", version: 2 };
/// `bench plan --json`.
pub(crate) const PLAN: Format = Format { name: "gridbench-plan", version: 1 };
/// `bench plan --model --json`.
pub(crate) const MODELS: Format = Format { name: "gridbench-models", version: 1 };
/// `bench status --json`.
pub(crate) const STATUS: Format = Format { name: "gridbench-status", version: 1 };
/// The first line of `bench run --json`.
pub(crate) const EVENTS: Format = Format { name: "gridbench-events", version: 1 };
/// `bench list --json`.
pub(crate) const LIST: Format = Format { name: "gridbench-list", version: 1 };
/// `bench show --json`.
pub(crate) const CELL: Format = Format { name: "gridbench-cell", version: 1 };
/// `bench diff --json`.
pub(crate) const DIFFERENCE: Format = Format { name: "gridbench-difference", version: 1 };
/// `bench data list --json`.
pub(crate) const DATASETS: Format = Format { name: "gridbench-datasets", version: 1 };
/// `bench data info --json`.
pub(crate) const DATASET: Format = Format { name: "gridbench-dataset", version: 1 };
/// `bench duel --json`.
pub(crate) const DUEL: Format = Format { name: "gridbench-duel", version: 1 };
/// `bench doctor --json`.
pub(crate) const DOCTOR: Format = Format { name: "gridbench-doctor", version: 1 };
/// `adopted.json`: programs that stand for earlier ones.
pub(crate) const ADOPTIONS: Format = Format { name: "gridbench-adoptions", version: 1 };
/// `digests.json`: digests of large inputs.
pub(crate) const DIGESTS: Format = Format { name: "gridbench-digests", version: 1 };
/// What a program is told of its trial, in the file that `BENCH_TRIAL` names.
pub(crate) const TRIAL: Format = Format { name: "gridbench-trial", version: 1 };

/// A document that begins with what it is.
#[derive(Debug, Serialize)]
pub(crate) struct Document<T> {
    format: &'static str,
    version: u32,
    #[serde(flatten)]
    content: T,
}

impl Format {
    /// Returns `content`, which serialises to a map, with format and version before it.
    pub(crate) fn of<T: Serialize>(self, content: T) -> Document<T> {
        Document { format: self.name, version: self.version, content }
    }

    /// Writes a document as it is serialised, so that it need not fit into memory; it ends with a
    /// line break.
    ///
    /// # Errors
    /// If `writer` takes no more, or `content` does not serialise to a map with text keys.
    pub(crate) fn write(self, writer: &mut impl Write, content: &impl Serialize) -> io::Result<()> {
        serde_json::to_writer_pretty(&mut *writer, &self.of(content))?;
        writer.write_all(b"\n")
    }

    /// Returns the text of a document; it ends with a line break.
    ///
    /// # Panics
    /// If `content` is no map with text keys.
    pub(crate) fn text(self, content: &impl Serialize) -> String {
        let text = serde_json::to_string_pretty(&self.of(content));
        text.expect("a document is a map with text keys") + "\n"
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_document_begins_with_what_it_is() {
        let text = STATUS.text(&serde_json::json!({ "name": "a", "cells": 1 }));
        assert!(
            text.starts_with(
                "{\n  \"format\": \"gridbench-status\",\n  \"version\": 1,\n  \"name\""
            )
        );
    }
}
