//! What the gate says: of one cell, and of a candidate.

use serde::Serialize;

use super::control::Control;
use super::sample::Source;
use super::warning::Warning;
use crate::base::Metric;
use crate::experiment::value::Assignment;
use gridbench_stats::PlantedLoss;

/// What the gate says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// A loss of the tolerance or more is ruled out, or every result is the same.
    Ok,
    /// Neither a loss is proven nor a loss of the tolerance ruled out, or too many trials were lost.
    Inconclusive,
    /// A loss is proven, and a loss of the tolerance is not ruled out.
    Regressed,
}

impl Verdict {
    /// All verdicts, the best first.
    pub const ALL: [Self; 3] = [Self::Ok, Self::Regressed, Self::Inconclusive];

    /// Returns the word it is printed as.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Inconclusive => "inconclusive",
            Self::Regressed => "regressed",
        }
    }

    /// Returns what it claims, in the words of every page, message and help text.
    #[must_use]
    pub fn meaning(self) -> &'static str {
        match self {
            Self::Ok => {
                "a loss of the tolerance or more is ruled out, or every result is the same to the \
                 bit; a smaller loss may be real"
            }
            Self::Regressed => {
                "a loss is proven and a loss of the tolerance or more is not ruled out, in a cell or \
                 in the mean of all; more trials may show that it lies within the tolerance"
            }
            Self::Inconclusive => {
                "neither is shown, or more trials were lost than chance explains; more trials may \
                 settle it"
            }
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
    /// Every trial of the candidate has the value of the baseline's, to the bit.
    Identical,
    /// A side has a single trial, so there is no spread to judge by.
    SingleTrial,
    /// Nothing varies in any gated cell: the difference alone decided.
    NoSpread,
    /// More of the candidate's trials diverged, failed or ran out of time than the baseline's losses
    /// explain (or than `check.lost-trials` allows): the rest may be a flattering choice.
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
    /// Completed trials of the baseline that were compared: of pairs, those of the same repeats.
    pub n_baseline: usize,
    /// Completed trials in the candidate.
    pub n_candidate: usize,
    /// Trials of the baseline among them that have no value.
    pub lost_baseline: usize,
    /// Trials of the candidate that have no value.
    pub lost_candidate: usize,
    /// Mean of the baseline over them.
    pub mean_baseline: f64,
    /// Mean of the candidate; absent where it has no value.
    pub mean_candidate: Option<f64>,
    /// Mean of the candidate minus mean of the baseline, whichever way is better; of times of processes
    /// the ratio of their geometric means, less 1.
    pub difference: Option<f64>,
    /// Two-sided 95 % interval of the difference, of this cell by itself, paired by repeat where the
    /// report says so; absent with a single trial on a side.
    pub interval95: Option<(f64, f64)>,
    /// The bounds the verdict was read from, low then high, each at its one-sided level in
    /// `levels`; absent with a single trial on a side.
    pub bounds: Option<(f64, f64)>,
    /// One-sided levels of the two bounds: that of "no loss of the tolerance", and that of "a loss"
    /// after Holm's division over the gated cells (in the order of the bounds).
    pub levels: Option<(f64, f64)>,
    /// Whether a loss above zero is proven; an ok cell may have one, within the tolerance.
    pub is_loss_proven: bool,
    /// Whether the candidate is proven to be better.
    pub is_gain_proven: bool,
    /// Correlation of baseline and candidate over the repeats, where they pair.
    pub correlation: Option<f64>,
    /// Trials in *each* of baseline and candidate that would settle the verdict with 80 % chance if
    /// difference and spread are as seen; absent unless inconclusive, and where no number would.
    pub repeats_to_settle: Option<usize>,
    /// What is unusual about the evidence.
    pub note: Option<Note>,
    /// The look at which the verdict fell, from 1; always 1 unless the check was escalated.
    pub look: usize,
}

/// The verdict on the mean of all gated cells. Values are in the unit of the metric.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct CommonVerdict {
    /// As printed, for example `mean of 20 cells`.
    pub name: String,
    /// What the gate says; only *regressed* counts for the whole.
    pub verdict: Verdict,
    /// Mean over the cells of candidate minus baseline; absent with fewer than two repeats on a side.
    pub difference: Option<f64>,
    /// Two-sided 95 % interval of it, from the means per repeat.
    pub interval95: Option<(f64, f64)>,
    /// The bounds the verdict was read from, low then high.
    pub bounds: Option<(f64, f64)>,
    /// Their one-sided levels.
    pub levels: Option<(f64, f64)>,
    /// Whether a mean loss above zero is proven.
    pub is_loss_proven: bool,
    /// The look at which the verdict fell, from 1.
    pub look: usize,
}

/// Whether the mean of one cell reaches a stated value.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct ClaimVerdict {
    /// The cell as printed.
    pub name: String,
    /// Ok where it is proven to reach the value, regressed where it is proven not to.
    pub verdict: Verdict,
    /// Completed trials.
    pub n: usize,
    /// Their mean; absent without any.
    pub mean: Option<f64>,
    /// One-sided p of "the mean does not exceed the value"; absent below two trials.
    pub p: Option<f64>,
}

/// Whether the means of all gated cells reach a stated value, one-sided at α.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct ClaimReport {
    /// The worst verdict of the gated cells.
    pub verdict: Verdict,
    /// The value to reach, in the unit of the metric (at most it, where smaller is better).
    pub value: f64,
    /// The gated cells, in the order of the baseline.
    pub cells: Vec<ClaimVerdict>,
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
    /// Completed trials of the baseline that were compared: of pairs, those of the same repeats.
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
    /// Trials per side that would settle the verdict with 80 % chance; absent unless inconclusive.
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
    /// The worst verdict of the gated cells, speed included; regressed too where they regressed in
    /// common.
    pub verdict: Verdict,
    /// The gated metric.
    pub metric: Metric,
    /// Largest accepted loss, in percentage points for fractions, in percent where differences are
    /// relative, else in the unit.
    pub tolerance: f64,
    /// Whether differences and their intervals are relative, as those of times of processes are: 0.05
    /// is 5 % longer than the baseline.
    pub is_relative: bool,
    /// One-sided level of each of the two claims.
    pub alpha: f64,
    /// Whether baseline and candidate are compared repeat by repeat.
    pub is_paired: bool,
    /// The gated cells, in the order of the baseline.
    pub cells: Vec<CellVerdict>,
    /// All gated cells in common; absent for a single cell.
    pub common: Option<CommonVerdict>,
    /// Whether `check.at-least` is reached; absent unless asked for.
    pub claim: Option<ClaimReport>,
    /// How often this gate notices planted losses; absent unless asked for.
    pub self_test: Option<Vec<PlantedLoss>>,
    /// Training speed; absent unless gated.
    pub speed: Option<SpeedReport>,
    /// One trial of the baseline, trained again under its own seed; absent unless asked for.
    pub control: Option<Control>,
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
