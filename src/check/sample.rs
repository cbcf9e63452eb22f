//! Samples of one metric, cell by cell, and where they came from: what the gate compares.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::base::{Digest, Metric, Seed};
use crate::experiment::settings::SplitSeed;
use crate::experiment::value::Assignment;
use crate::record::Outcome;
use crate::results::{CellResults, ExperimentResults, Origin};

/// Where samples came from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Source {
    /// Name of the experiment.
    pub experiment: String,
    /// Its master seed.
    pub seed: Seed,
    /// What its splits depend on; absent where its cells differ in that or it is not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub split_seed: Option<SplitSeed>,
    /// Folds of cross-validation, of which a repeat is one; absent: repeats are independent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub folds: Option<u32>,
    /// Checksum of every dataset, by its name.
    pub datasets: BTreeMap<String, Digest>,
    /// Code and machine.
    pub origin: Origin,
}

impl Source {
    /// Returns where `results` came from.
    #[must_use]
    pub fn of(results: &ExperimentResults) -> Self {
        let facts = &results.facts;
        Self {
            experiment: facts.name.clone(),
            seed: Seed(facts.seed),
            split_seed: facts.split_seed,
            folds: facts.folds,
            datasets: facts.datasets.iter().map(|one| (one.name.clone(), one.checksum)).collect(),
            origin: facts.origin.clone(),
        }
    }
}

/// One metric over the trials of one cell.
#[derive(Debug, Clone, PartialEq)]
pub struct CellSample {
    /// The cell as printed, for example `learning-rate=0.01 augment.shift=0.1`.
    pub name: String,
    /// Value of every axis: what the cell *is*, whatever its name.
    pub assignment: Assignment,
    /// What was measured, as declared.
    pub metric: Metric,
    /// The values of its completed trials in the order of the repeats, in the unit of the metric
    /// (accuracies as fractions).
    pub values: Vec<f64>,
    /// The index of the repeat that gave each value; absent where it is not known, in baselines of
    /// version 1. Repeats of equal index share their seeds where the master seeds are equal.
    pub repeats: Option<Vec<u32>>,
    /// Trials that diverged, failed or ran out of time, and so have no value.
    pub lost: usize,
}

impl CellSample {
    /// Returns the samples of `metric` over the repeats below `below`, of every cell that has a trial
    /// with or without a value.
    #[must_use]
    pub fn all(results: &ExperimentResults, metric: &Metric, below: u32) -> Vec<Self> {
        let sample = |cell: &CellResults| {
            let trials = || cell.trials.iter().filter(|trial| trial.repeat < below);
            let completed = trials().filter(|trial| trial.outcome == Outcome::Completed);
            let (repeats, values): (Vec<u32>, Vec<f64>) = completed
                .filter_map(|trial| Some((trial.repeat, *trial.metrics.get(&metric.name)?)))
                .unzip();
            Self {
                name: cell.name.clone(),
                assignment: results.assignment(cell),
                metric: metric.clone(),
                values,
                repeats: Some(repeats),
                lost: trials().filter(|trial| trial.outcome.is_lost()).count(),
            }
        };
        let samples = results.cells.iter().map(sample);
        samples.filter(|sample| !sample.values.is_empty() || sample.lost > 0).collect()
    }
}
