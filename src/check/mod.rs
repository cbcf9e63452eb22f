//! Baselines, the gate and its verdicts: has the candidate become worse than what was committed?
//!
//! Owns the baseline file and the rule of three verdicts. Reads and writes text only: files, exit
//! codes and wording belong to `cli`. Invariants: a sample compared with itself never regresses,
//! widening the tolerance never turns ok into regressed, and too few trials are inconclusive,
//! never ok.

mod baseline;
mod gate;
#[cfg(test)]
mod testing;
mod verdict;
mod warning;

pub use baseline::{Baseline, BaselineError, CellSample, Origin};
pub use gate::{CheckError, check};
pub use verdict::{CellVerdict, CheckReport, Note, Verdict};
pub use warning::Warning;
