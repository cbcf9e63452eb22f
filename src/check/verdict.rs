//! What the gate says: of one cell, and of a candidate.

use serde::Serialize;

use super::sample::Source;
use super::warning::Warning;
use crate::base::Metric;
use crate::spec::value::Assignment;

/// What the gate says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// A loss larger than the tolerance is ruled out.
    Ok,
    /// Neither a harmful loss nor its absence is shown: more trials are needed.
    Inconclusive,
    /// There is a loss, and it is large.
    Regressed,
}

impl Verdict {
    /// Returns the word it is printed as.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Inconclusive => "inconclusive",
            Self::Regressed => "regressed",
        }
    }

    /// Returns whether more trials cannot change it.
    #[must_use]
    pub fn is_decided(self) -> bool {
        self != Self::Inconclusive
    }
}

/// What is unusual about the evidence of a cell.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Note {
    /// A side has a single trial, so there is no spread to judge by.
    SingleTrial,
    /// Neither side has any spread: the difference alone decided.
    NoSpread,
    /// The values alone are ok, but more of the candidate's trials than of the baseline's, beyond
    /// chance (Fisher's exact test), diverged, failed or ran out of time: the rest may be a
    /// flattering choice.
    MoreLost,
    /// More of the candidate's trials were lost, which may be chance.
    SomeLost,
    /// The candidate ended its trials without a single value.
    AllLost,
    /// Speed was measured on another machine than the baseline's, or on one of them nobody knows.
    OtherHardware,
}

/// The verdict on one cell. Values are in the unit of the metric (accuracies as fractions).
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct CellVerdict {
    /// The cell as printed.
    pub name: String,
    /// Value of every axis by dotted key.
    pub assignment: Assignment,
    /// What the gate says.
    pub verdict: Verdict,
    /// Completed trials in the baseline.
    pub n_baseline: usize,
    /// Completed trials in the candidate.
    pub n_candidate: usize,
    /// Trials of the baseline that have no value.
    pub lost_baseline: usize,
    /// Trials of the candidate that have no value.
    pub lost_candidate: usize,
    /// Mean of the baseline.
    pub mean_baseline: f64,
    /// Mean of the candidate; absent where it has no value.
    pub mean_candidate: Option<f64>,
    /// Mean of the candidate minus mean of the baseline, whichever way is better.
    pub difference: Option<f64>,
    /// Two-sided 95 % Welch interval of the difference, of this cell by itself; absent with a
    /// single trial on a side.
    pub interval95: Option<(f64, f64)>,
    /// The bounds the verdict was read from, low then high, each at its one-sided level in
    /// `levels`; absent with a single trial on a side.
    pub bounds: Option<(f64, f64)>,
    /// One-sided levels of the two bounds after Holm's division over the gated cells.
    pub levels: Option<(f64, f64)>,
    /// Trials in *each* of baseline and candidate that would settle the verdict with 80 % chance if
    /// difference and spread are as seen; absent unless inconclusive, and where no number would.
    pub repeats_to_settle: Option<usize>,
    /// What is unusual about the evidence.
    pub note: Option<Note>,
    /// The look at which the verdict fell, from 1; always 1 unless the check was escalated.
    pub look: usize,
}

/// The verdict on the training speed of one cell, in images per second.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct SpeedVerdict {
    /// The cell as printed.
    pub name: String,
    /// Value of every axis by dotted key.
    pub assignment: Assignment,
    /// What the gate says.
    pub verdict: Verdict,
    /// Completed trials in the baseline.
    pub n_baseline: usize,
    /// Completed trials in the candidate.
    pub n_candidate: usize,
    /// Geometric mean of the baseline.
    pub mean_baseline: f64,
    /// Geometric mean of the candidate; absent where it has no value.
    pub mean_candidate: Option<f64>,
    /// Candidate / baseline.
    pub ratio: Option<f64>,
    /// Two-sided 95 % interval of the ratio, of this cell by itself (Welch on logarithms); absent
    /// with a single trial on a side.
    pub interval95: Option<(f64, f64)>,
    /// The bounds of the ratio the verdict was read from; absent with a single trial on a side.
    pub bounds: Option<(f64, f64)>,
    /// One-sided levels of the two bounds after Holm's division over the gated cells.
    pub levels: Option<(f64, f64)>,
    /// Trials a side that would settle the verdict with 80 % chance; absent unless inconclusive.
    pub repeats_to_settle: Option<usize>,
    /// What is unusual about the evidence.
    pub note: Option<Note>,
    /// The look at which the verdict fell, from 1.
    pub look: usize,
}

/// What the gate says of a candidate's training speed.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct SpeedReport {
    /// The worst verdict of the gated cells.
    pub verdict: Verdict,
    /// Smallest accepted ratio candidate / baseline.
    pub smallest_ratio: f64,
    /// The gated cells, in the order of the baseline.
    pub cells: Vec<SpeedVerdict>,
}

/// What the gate says of a candidate.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct CheckReport {
    /// The worst verdict of the gated cells, speed included.
    pub verdict: Verdict,
    /// The gated metric.
    pub metric: Metric,
    /// Largest accepted loss, in percentage points for fractions, else in the unit.
    pub tolerance: f64,
    /// One-sided level of the whole check.
    pub alpha: f64,
    /// The gated cells, in the order of the baseline.
    pub cells: Vec<CellVerdict>,
    /// Training speed; absent unless gated.
    pub speed: Option<SpeedReport>,
    /// Looks taken, at least 1.
    pub looks_taken: usize,
    /// Looks that may be taken; the levels are divided over them.
    pub looks_planned: usize,
    /// Cells of the candidate that the baseline does not have: not gated.
    pub new_cells: Vec<String>,
    /// Cells of the baseline that `check.cells` leaves out.
    pub ungated_cells: Vec<String>,
    /// Reasons to doubt the comparison.
    pub warnings: Vec<Warning>,
    /// Where the baseline came from.
    pub baseline: Source,
    /// Where the candidate came from.
    pub candidate: Source,
}

impl CheckReport {
    /// Returns the gated cells with this verdict.
    pub fn cells_with(&self, verdict: Verdict) -> impl Iterator<Item = &CellVerdict> {
        self.cells.iter().filter(move |cell| cell.verdict == verdict)
    }

    /// Returns the axis values of the cells, by accuracy or by speed, that more trials may settle.
    pub fn undecided(&self) -> impl Iterator<Item = &Assignment> {
        let hopeless = [Note::OtherHardware, Note::MoreLost, Note::AllLost];
        let open = move |verdict: Verdict, note: Option<Note>| {
            !verdict.is_decided() && note.is_none_or(|note| !hopeless.contains(&note))
        };
        let speeds = self.speed.iter().flat_map(|speed| &speed.cells);
        self.cells
            .iter()
            .filter(move |cell| open(cell.verdict, cell.note))
            .map(|cell| &cell.assignment)
            .chain(
                speeds
                    .filter(move |cell| open(cell.verdict, cell.note))
                    .map(|cell| &cell.assignment),
            )
    }
}
