//! The history of a gate: one line per check, and where the results moved to another level.
//!
//! Owns the history file (JSON lines, only ever appended to) and its forms. A file that never changed
//! shows a change with a probability of at most 5 %, however many cells it holds.

mod draw;

use serde::{Deserialize, Serialize};

use super::verdict::{CheckReport, Verdict};
use crate::base::{Direction, Metric};
use gridbench_stats::{ChangePoint, RESAMPLE_SEED, change_points};

pub use draw::{html, svg, terminal};

const FORMAT: &str = "gridbench-history";
const VERSION: u32 = 1;
/// Chance of a change point in a whole history without any change.
pub const FALSE_ALARM: f64 = 0.05;

/// Says why a history cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum HistoryError {
    /// A line is no JSON object of this format.
    #[error("line {line} is no check of a history: {cause}")]
    Line {
        /// Counted from 1.
        line: usize,
        /// What is wrong with it.
        cause: serde_json::Error,
    },
    /// A line says that it is something else, or of a later version.
    #[error(
        "line {line} says that it is `{format}` of version {version}, this `bench` reads `{FORMAT}` up \
         to version {VERSION}"
    )]
    Format {
        /// Counted from 1.
        line: usize,
        /// What it says it is.
        format: String,
        /// Its version.
        version: u32,
    },
    /// There is no line.
    #[error("the history is empty; `bench check --history FILE` appends a line per check")]
    Empty,
}

/// What a check found of one cell.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct HistoryCell {
    /// The cell as printed.
    pub name: String,
    /// Completed trials of the candidate.
    pub n: usize,
    /// Their mean, in the unit of the metric; absent without any.
    pub mean: Option<f64>,
    /// What the gate said.
    pub verdict: String,
}

/// One check: a line of the file.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct HistoryLine {
    format: String,
    version: u32,
    /// When the candidate was trained.
    pub date: String,
    /// The commit it was trained from.
    pub commit: Option<String>,
    /// Name of the experiment.
    pub experiment: String,
    /// The gated metric.
    pub metric: Metric,
    /// What the gate said.
    pub verdict: String,
    /// The tolerance, in percentage points for accuracies.
    pub tolerance: f64,
    /// Digest of the baseline it was held against; absent in lines of earlier programs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub baseline: Option<String>,
    /// The gated cells.
    pub cells: Vec<HistoryCell>,
}

/// Candidates after which a baseline has worn out: of so many unchanged ones the gate accuses about one
/// wrongly, and always by the same luck of the same baseline.
pub const WORN_OUT: usize = 20;

/// Counts the candidates that a history holds against the baseline with this digest, the one trained at
/// `now` included; a candidate that is checked again counts once. Lines that cannot be read do not count.
#[must_use]
pub fn looks_at(text: &str, baseline: &str, now: &str) -> usize {
    let lines = text.lines().filter_map(|line| serde_json::from_str::<HistoryLine>(line).ok());
    let of_it = lines.filter(|line| line.baseline.as_deref() == Some(baseline));
    let mut dates: Vec<String> = of_it.map(|line| line.date).collect();
    dates.push(now.to_owned());
    dates.sort_unstable();
    dates.dedup();
    dates.len()
}

impl HistoryLine {
    /// Returns what `report` adds to a history, and to the count of looks at its baseline.
    #[must_use]
    pub fn of(report: &CheckReport, baseline: Option<String>) -> Self {
        let name = |verdict: Verdict| verdict.name().to_owned();
        Self {
            format: FORMAT.to_owned(),
            version: VERSION,
            date: report.candidate.origin.date.clone(),
            commit: report.candidate.origin.commit_to_look_for().map(str::to_owned),
            experiment: report.candidate.experiment.clone(),
            metric: report.metric.clone(),
            verdict: name(report.verdict),
            tolerance: report.tolerance,
            baseline,
            cells: report
                .cells
                .iter()
                .map(|cell| HistoryCell {
                    name: cell.name.clone(),
                    n: cell.n_candidate,
                    mean: cell.mean_candidate,
                    verdict: name(cell.verdict),
                })
                .collect(),
        }
    }

    /// Returns the line, with its line break.
    ///
    /// # Panics
    /// Never: a line serialises.
    #[must_use]
    pub fn to_text(&self) -> String {
        serde_json::to_string(self).expect("a line has text keys only") + "\n"
    }
}

/// One value of a series.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct HistoryPoint {
    /// When the candidate was trained.
    pub date: String,
    /// The commit it was trained from.
    pub commit: Option<String>,
    /// Completed trials.
    pub n: usize,
    /// Their mean.
    pub mean: f64,
    /// What the gate said of the cell.
    pub verdict: String,
}

/// What one cell gave over time.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct HistorySeries {
    /// Name of the experiment.
    pub experiment: String,
    /// The gated metric.
    pub metric: Metric,
    /// The cell as printed.
    pub cell: String,
    /// Its checks, in the order of the file.
    pub points: Vec<HistoryPoint>,
    /// Where it moved to another level.
    pub changes: Vec<ChangePoint>,
}

impl HistorySeries {
    /// Returns whether a change is for the better.
    #[must_use]
    pub fn is_better(&self, change: &ChangePoint) -> bool {
        match self.metric.direction {
            Direction::Maximize => change.after > change.before,
            Direction::Minimize => change.after < change.before,
        }
    }
}

/// Reads the text of a history into one series per experiment, metric and cell, in the order in which
/// they first appear, with their change points.
///
/// Each series is searched at the level 5 % / series, so that the whole file keeps
/// [`FALSE_ALARM`]. Checks of a cell without a value are left out. A torn last line is passed over.
///
/// # Errors
/// If another line is no check of a version this reads, or there is none.
pub fn read_history(text: &str) -> Result<Vec<HistorySeries>, HistoryError> {
    let mut series: Vec<HistorySeries> = Vec::new();
    for (index, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
        let read: HistoryLine = match serde_json::from_str(line) {
            Ok(read) => read,
            Err(_) if !text.ends_with('\n') && text.ends_with(line) => continue,
            Err(cause) => return Err(HistoryError::Line { line: index + 1, cause }),
        };
        if read.format != FORMAT || read.version > VERSION {
            let HistoryLine { format, version, .. } = read;
            return Err(HistoryError::Format { line: index + 1, format, version });
        }
        for cell in &read.cells {
            let Some(mean) = cell.mean.filter(|mean| mean.is_finite()) else { continue };
            let known = series.iter().position(|own| {
                own.experiment == read.experiment
                    && own.metric == read.metric
                    && own.cell == cell.name
            });
            let at = known.unwrap_or_else(|| {
                series.push(HistorySeries {
                    experiment: read.experiment.clone(),
                    metric: read.metric.clone(),
                    cell: cell.name.clone(),
                    points: Vec::new(),
                    changes: Vec::new(),
                });
                series.len() - 1
            });
            series[at].points.push(HistoryPoint {
                date: read.date.clone(),
                commit: read.commit.clone(),
                n: cell.n,
                mean,
                verdict: cell.verdict.clone(),
            });
        }
    }
    if series.is_empty() {
        return Err(HistoryError::Empty);
    }
    let level = FALSE_ALARM / series.len() as f64;
    for own in &mut series {
        let means: Vec<f64> = own.points.iter().map(|point| point.mean).collect();
        own.changes = change_points(&means, level, RESAMPLE_SEED);
    }
    Ok(series)
}

#[cfg(test)]
mod tests;
