//! Baselines, the gate and its verdicts: has the candidate become worse than what was committed?
//!
//! Owns the baseline file, the rule of three verdicts and the forms a verdict is written in. Reads
//! and writes text only: files and exit codes belong to `cli`. Invariants: a sample compared with
//! itself never regresses, widening the tolerance never turns ok into regressed, too few trials are
//! inconclusive, never ok, and every form says the same.

mod baseline;
mod control;
mod gate;
pub mod history;
mod looks;
mod pairs;
pub mod render;
mod rule;
mod sample;
mod speed;
#[cfg(test)]
mod testing;
mod verdict;
mod warning;

pub use baseline::{Baseline, BaselineError};
pub use control::{Control, ControlTrial, control_trial};
pub use gate::{check, check_looks, self_test};
pub use looks::Looks;
pub use pairs::CheckError;
pub use sample::{CellSample, Source};
pub use verdict::{
    CellVerdict, CheckReport, ClaimReport, ClaimVerdict, CommonVerdict, Note, SpeedReport,
    SpeedVerdict, Verdict,
};
pub use warning::Warning;
