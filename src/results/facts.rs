//! Where the numbers of an experiment come from, as its manifest says.

use std::collections::BTreeMap;
use std::path::Path;

use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

use crate::base::{Digest, Metric, MetricName};
use crate::experiment::settings::SplitSeed;
use crate::experiment::value::Value;
use crate::experiment::{Experiment, ReportSettings};
use crate::store::{DatasetFacts, Manifest};

/// Where the numbers of an experiment come from.
#[derive(Debug, Clone, PartialEq)]
pub struct Facts {
    /// Name of the experiment.
    pub name: String,
    /// What it should answer.
    pub question: Option<String>,
    /// Master seed.
    pub seed: u64,
    /// What the splits depend on; absent where an axis varies it.
    pub split_seed: Option<SplitSeed>,
    /// Trials planned per cell.
    pub repeats: u32,
    /// Folds of cross-validation, of which a repeat is one; absent: repeats are independent.
    pub folds: Option<u32>,
    /// Name of the network, as typed.
    pub model: String,
    /// Images used.
    pub datasets: Vec<DatasetFacts>,
    /// Programs that stand for earlier ones, with those: digests as `bench adopt` recorded them.
    pub adopted: Vec<(Digest, Digest)>,
    /// What is measured, as declared, in the order of the tables; at least one.
    pub metrics: Vec<Metric>,
    /// What the grids show and what stands beside it.
    pub report: ReportSettings,
    /// Scalar base settings by dotted key; the axes are applied on top of them.
    pub base: BTreeMap<String, Value>,
    /// Code and machine.
    pub origin: Origin,
}

/// Code and machine behind numbers.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Origin {
    /// Device and numerical path, as the engine describes itself.
    pub engine: String,
    /// Revision of the engine's numbers; empty where it is not known.
    #[serde(default)]
    pub engine_revision: String,
    /// Processor, cores and graphics card.
    pub hardware: String,
    /// Version of `bench`.
    pub version: String,
    /// Compiler of `bench`.
    pub toolchain: String,
    /// Commit that `bench` was built from, with `-modified` where the tree had changes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub commit: Option<String>,
    /// Commit of the user's repository that holds the experiment file, with `-modified` where it had
    /// changes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub experiment_commit: Option<String>,
    /// When the results were last added to, RFC 3339.
    pub date: String,
}

impl Facts {
    /// Returns what `manifest` says.
    ///
    /// A manifest whose experiment this version cannot read gives the default report settings.
    #[must_use]
    pub fn of(manifest: &Manifest) -> Self {
        let experiment = experiment(manifest);
        let mut base = BTreeMap::new();
        if let Some(settings) = manifest.run.experiment.get("base") {
            flatten("", settings, &mut base);
        }
        let of = |pick: &dyn Fn(&Experiment) -> Option<String>| experiment.as_ref().and_then(pick);
        Self {
            name: manifest.run.name.clone(),
            question: of(&|experiment| experiment.question.clone()),
            seed: experiment.as_ref().map_or(0, |experiment| experiment.seed.0),
            split_seed: experiment.as_ref().and_then(split_seed),
            repeats: experiment.as_ref().map_or(0, |experiment| experiment.repeats),
            folds: experiment.as_ref().and_then(|experiment| experiment.folds),
            model: of(&|experiment| {
                let base = &experiment.base;
                // Programs have no network to name, unless one is typed.
                let is_named = !base.trainer.is_command() || !base.model.layers.is_empty();
                is_named.then(|| base.model.name.clone())
            })
            .unwrap_or_default(),
            datasets: told_apart(&manifest.run.datasets),
            adopted: manifest
                .run
                .programs
                .iter()
                .filter_map(|program| Some((program.adopted?, program.digest)))
                .collect(),
            metrics: experiment
                .as_ref()
                .map(|experiment| experiment.metrics.clone())
                .filter(|metrics| !metrics.is_empty())
                .unwrap_or_else(Metric::of_classifiers),
            report: experiment.map(|experiment| experiment.report).unwrap_or_default(),
            base,
            origin: Origin::of(manifest),
        }
    }

    /// Returns values of repeats, of one cell, as [`gridbench_stats::for_tests`] says.
    pub(crate) fn for_tests(&self, values: Vec<Option<f64>>) -> Vec<Option<f64>> {
        gridbench_stats::for_tests(values, self.folds)
    }

    /// Returns the declaration of a metric.
    #[must_use]
    pub fn metric(&self, name: &MetricName) -> Option<&Metric> {
        self.metrics.iter().find(|metric| metric.name == *name)
    }

    /// Returns the number of test images, where all datasets agree on one.
    #[must_use]
    pub fn test_images(&self) -> Option<u64> {
        self.shared_count(DatasetFacts::test_images)
    }

    /// Returns the number of validation images, where all datasets agree on one.
    #[must_use]
    pub fn validation_images(&self) -> Option<u64> {
        self.shared_count(DatasetFacts::validation_images)
    }

    fn shared_count(&self, count: impl Fn(&DatasetFacts) -> Option<u64>) -> Option<u64> {
        let mut counts = self.datasets.iter().map(count);
        let first = counts.next()??;
        counts.all(|other| other == Some(first)).then_some(first)
    }
}

/// Returns the datasets, those that share a name with the end of their path added to it.
fn told_apart(datasets: &[DatasetFacts]) -> Vec<DatasetFacts> {
    let shares = |one: &DatasetFacts| {
        datasets.iter().filter(|other| other.name == one.name).nth(1).is_some()
    };
    let with_path = |one: &DatasetFacts| {
        let path = one.settings.pointer("/source/path").and_then(Json::as_str);
        let end = path.and_then(|path| Path::new(path).file_name());
        let name = match end.filter(|_| shares(one)) {
            Some(end) => format!("{} {}", one.name, end.to_string_lossy()),
            None => one.name.clone(),
        };
        DatasetFacts { name, ..one.clone() }
    };
    datasets.iter().map(with_path).collect()
}

impl Origin {
    /// Returns the commit that a user would look for: that of the experiment file, else that of the
    /// program.
    #[must_use]
    pub fn commit_to_look_for(&self) -> Option<&str> {
        self.experiment_commit.as_deref().or(self.commit.as_deref())
    }

    fn of(manifest: &Manifest) -> Self {
        let (build, machine) = (&manifest.build, &manifest.machine);
        let short = |commit: &str, is_modified: bool| {
            let digits: String = commit.chars().take(12).collect();
            format!("{digits}{}", if is_modified { "-modified" } else { "" })
        };
        let repository = manifest.run.repository.as_ref();
        let mut hardware: Vec<String> = machine.cpu.iter().cloned().collect();
        hardware.push(format!("{} cores", machine.cores));
        hardware.extend(machine.memory_mib.map(|mib| format!("{:.0} GiB", mib as f64 / 1024.0)));
        hardware.extend(machine.gpus.iter().cloned());
        hardware.push(machine.system.clone());
        Self {
            engine: manifest.run.engine.clone(),
            engine_revision: manifest.run.engine_revision.clone(),
            hardware: hardware.join(", "),
            version: build.version.clone(),
            toolchain: build.rustc.clone().unwrap_or_default(),
            commit: build.commit.as_ref().map(|commit| short(commit, build.modified)),
            experiment_commit: repository.map(|found| short(&found.commit, found.modified)),
            date: manifest.updated.clone(),
        }
    }
}

/// Says of what results are: folds, or repeats that share nothing.
pub(crate) fn repeats_in_words(folds: Option<u32>) -> String {
    folds.map_or_else(|| "independent repeats".to_owned(), |folds| format!("{folds} folds"))
}

/// Returns what decides which images a repeat holds; absent where the repeats of two cells, or of two
/// results, need not be the same.
fn split_seed(experiment: &Experiment) -> Option<SplitSeed> {
    if experiment.is_imported() {
        return experiment.imported_repeats().map(SplitSeed::Fixed);
    }
    let varies = |key: &str| ["dataset", "dataset.split", "dataset.split.seed"].contains(&key);
    let is_varied = experiment.grids.iter().any(|grid| {
        let axes = grid.axes.iter().chain(grid.zips.iter().flatten());
        axes.map(|axis| &axis.key)
            .chain(grid.include.iter().flatten().map(|(key, _)| key))
            .any(|key| varies(key))
    });
    (!is_varied).then_some(experiment.base.dataset.split.seed)
}

/// Returns the experiment of a manifest, where this version can read it.
pub(super) fn experiment(manifest: &Manifest) -> Option<Experiment> {
    Experiment::deserialize(&manifest.run.experiment).ok()
}

/// Writes every scalar of `json` under its dotted key.
fn flatten(key: &str, json: &Json, out: &mut BTreeMap<String, Value>) {
    match json {
        Json::Object(entries) => {
            for (name, value) in entries {
                let dotted = if key.is_empty() { name.clone() } else { format!("{key}.{name}") };
                flatten(&dotted, value, out);
            }
        }
        Json::Null | Json::Array(_) => {}
        scalar => {
            let value = Value::deserialize(scalar).expect("a scalar is a value");
            out.insert(key.to_owned(), value.plain());
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::results::fixture::facts;

    fn dataset() -> DatasetFacts {
        facts("any").datasets.remove(0)
    }

    #[test]
    fn datasets_of_one_name_are_told_apart_by_their_paths() {
        let folder = |path: &str| DatasetFacts {
            name: "folder".to_owned(),
            settings: json!({ "source": { "kind": "folder", "path": path } }),
            ..dataset()
        };
        let names = |datasets: &[DatasetFacts]| {
            told_apart(datasets).into_iter().map(|one| one.name).collect::<Vec<_>>()
        };
        assert_eq!(names(&[folder("ds/1.1"), folder("ds/1.10")]), ["folder 1.1", "folder 1.10"]);
        assert_eq!(names(&[folder("ds/1.1"), dataset()]), ["folder", "digits"]);
    }
}
