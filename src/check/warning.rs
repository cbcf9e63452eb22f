//! Reasons to doubt a comparison: what differs between the origins of its two sides.

use std::collections::BTreeSet;
use std::fmt;

use serde::Serialize;

use super::sample::Source;
use crate::base::Seed;

/// A reason to doubt that baseline and candidate measure the same thing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case", tag = "kind")]
pub enum Warning {
    /// The experiments have different names.
    Experiment {
        /// Name in the baseline.
        baseline: String,
        /// Name in the candidate.
        candidate: String,
    },
    /// A dataset is not the same, or only one side has it.
    Dataset {
        /// Its name.
        name: String,
        /// Checksum in the baseline.
        baseline: Option<String>,
        /// Checksum in the candidate.
        candidate: Option<String>,
    },
    /// The master seeds differ.
    Seed {
        /// Seed of the baseline.
        baseline: Seed,
        /// Seed of the candidate.
        candidate: Seed,
    },
    /// The numerical paths differ.
    Engine {
        /// Path of the baseline.
        baseline: String,
        /// Path of the candidate.
        candidate: String,
    },
    /// The candidate has not ended all of its trials.
    Unfinished {
        /// Trials that ended.
        ended: usize,
        /// Trials planned.
        planned: usize,
    },
    /// The baseline was held against too many candidates.
    WornOut {
        /// Candidates, this one included.
        looks: usize,
    },
    /// The machines differ, and a cost measured on them is gated.
    Hardware {
        /// Machine of the baseline.
        baseline: String,
        /// Machine of the candidate.
        candidate: String,
    },
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let short = |checksum: &Option<String>| {
            checksum.as_ref().map_or("none".to_owned(), |text| text.chars().take(12).collect())
        };
        match self {
            Self::Unfinished { ended, planned } => write!(
                f,
                "only {ended} of {planned} planned trials have ended; run the experiment again to go on"
            ),
            Self::WornOut { looks } => write!(
                f,
                "the baseline has worn out: {looks} candidates were held against it, and whatever luck it \
                 had counts in every one; train it again on another master seed"
            ),
            Self::Experiment { baseline, candidate } => {
                write!(f, "the baseline is of experiment `{baseline}`, not `{candidate}`")
            }
            Self::Dataset { name, baseline, candidate } => write!(
                f,
                "dataset `{name}` differs: checksum {} in the baseline, {} now",
                short(baseline),
                short(candidate)
            ),
            Self::Seed { baseline, candidate } => {
                write!(f, "the baseline was drawn from seed {}, not {}", baseline.0, candidate.0)
            }
            Self::Engine { baseline, candidate } => {
                write!(f, "the baseline was trained by `{baseline}`, not `{candidate}`")
            }
            Self::Hardware { baseline, candidate } => {
                write!(f, "the baseline was measured on `{baseline}`, not `{candidate}`")
            }
        }
    }
}

/// Lists what differs between two origins and may explain a difference; machines only count where
/// a cost measured on them is gated.
pub(super) fn warnings(baseline: &Source, candidate: &Source, cost_is_gated: bool) -> Vec<Warning> {
    let mut warnings = Vec::new();
    if baseline.experiment != candidate.experiment {
        warnings.push(Warning::Experiment {
            baseline: baseline.experiment.clone(),
            candidate: candidate.experiment.clone(),
        });
    }
    let names: BTreeSet<&String> =
        baseline.datasets.keys().chain(candidate.datasets.keys()).collect();
    for name in names {
        let (before, now) = (baseline.datasets.get(name), candidate.datasets.get(name));
        if before != now {
            warnings.push(Warning::Dataset {
                name: name.clone(),
                baseline: before.map(ToString::to_string),
                candidate: now.map(ToString::to_string),
            });
        }
    }
    if baseline.seed != candidate.seed {
        warnings.push(Warning::Seed { baseline: baseline.seed, candidate: candidate.seed });
    }
    if baseline.origin.engine != candidate.origin.engine {
        warnings.push(Warning::Engine {
            baseline: baseline.origin.engine.clone(),
            candidate: candidate.origin.engine.clone(),
        });
    }
    if baseline.origin.hardware != candidate.origin.hardware && cost_is_gated {
        warnings.push(Warning::Hardware {
            baseline: baseline.origin.hardware.clone(),
            candidate: candidate.origin.hardware.clone(),
        });
    }
    warnings
}
