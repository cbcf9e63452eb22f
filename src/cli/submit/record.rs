//! What was submitted for a results folder: `submit/NNNN-submission.json`.

use std::path::Path;

use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

use super::engine::Engine;
use super::write;
use crate::base::seal::{open_document, sealed_document};
use crate::cli::failure::Failure;
use crate::store::read_file;

const FORMAT: &str = "gridbench-submission";
const VERSION: u32 = 1;
const NAME: &str = "submission.json";

/// One submission.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(in crate::cli) struct Record {
    format: String,
    version: u32,
    /// Who starts the workers.
    pub(in crate::cli) engine: Engine,
    /// Its names of the jobs.
    pub(in crate::cli) jobs: Vec<String>,
    /// Its name of the job that writes the tables, if there is one.
    #[serde(default)]
    pub(in crate::cli) closing: Option<String>,
    /// Scripts of the arrays.
    #[serde(default)]
    pub(in crate::cli) scripts: Vec<String>,
    /// Script of the job that writes the tables.
    #[serde(default)]
    pub(in crate::cli) closing_script: Option<String>,
    /// Members that were left when it was submitted by the job that writes the tables.
    #[serde(default)]
    pub(in crate::cli) members_left: Option<usize>,
}

impl Record {
    /// Describes a submission of these jobs.
    pub(in crate::cli) fn new(engine: Engine, jobs: Vec<String>) -> Self {
        Self {
            format: FORMAT.to_owned(),
            version: VERSION,
            engine,
            jobs,
            closing: None,
            scripts: Vec::new(),
            closing_script: None,
            members_left: None,
        }
    }

    /// Notes it in a results folder.
    pub(in crate::cli) fn write(&self, store: &Path) -> Result<(), Failure> {
        write(store, NAME, &sealed_document(self)).map(drop)
    }

    /// Reads all of a results folder, in order; those that cannot be read are left out.
    pub(in crate::cli) fn all(store: &Path) -> Vec<Self> {
        let entries = std::fs::read_dir(store.join("submit")).into_iter().flatten().flatten();
        let mut paths: Vec<_> = entries.map(|entry| entry.path()).collect();
        paths.retain(|path| path.to_string_lossy().ends_with(NAME));
        paths.sort();
        let read = |path: &std::path::PathBuf| {
            let mut json: Json = serde_json::from_slice(&read_file(path).ok()?).ok()?;
            open_document(&mut json).ok().filter(|is_sealed| *is_sealed)?;
            let record: Self = serde_json::from_value(json).ok()?;
            (record.format == FORMAT && record.version <= VERSION).then_some(record)
        };
        paths.iter().filter_map(read).collect()
    }
}
