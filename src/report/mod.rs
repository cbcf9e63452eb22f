//! What a report says, then its renderings.
//!
//! Owns the wording, the layout of the grids and the published tables. Computes no statistic of its
//! own (see `stats`), reads no file and prints nothing. Invariants: every rendering is made from
//! one [`ReportDocument`]; a mean is never shown without its spread and number of trials; the same
//! results give the same text.

mod captions;
pub mod compare;
mod compose;
pub mod confirm;
mod details;
mod document;
mod labels;
mod layout;
mod markdown;
mod numbers;
mod origin;
mod pivot;
mod present;
mod published;
pub mod reference;
mod spark;
pub mod tensorboard;
mod terminal;
#[cfg(test)]
mod tests;
mod warnings;

use std::str::FromStr;

use crate::tables::{self, ExperimentResults};

pub use numbers::duration;

pub use document::{
    AxisLine, Best, CellLine, Cost, Counts, Detectable, Extreme, Findings, Heading, PivotGrid,
    ReferenceComparison, ReferenceEntryLine, ReferenceMatch, ReferenceTest, ReportDocument, Role,
    SCHEMA_VERSION, Section, Spread, Statistics, Warning, WarningKind,
};

/// How a report is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// Aligned text for a terminal.
    Terminal,
    /// Markdown.
    Markdown,
    /// The cells table.
    Csv,
    /// The [`ReportDocument`].
    Json,
}

impl Format {
    /// Every format.
    pub const ALL: [Self; 4] = [Self::Terminal, Self::Markdown, Self::Csv, Self::Json];

    /// Returns the name used on the command line.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Terminal => "terminal",
            Self::Markdown => "markdown",
            Self::Csv => "csv",
            Self::Json => "json",
        }
    }
}

/// Says that a text names no format.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("unknown report format `{found}`, expected one of {}", Format::ALL.map(Format::name).join(", "))]
pub struct ParseFormatError {
    found: String,
}

impl FromStr for Format {
    type Err = ParseFormatError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let found = Self::ALL.into_iter().find(|format| format.name() == text);
        found.ok_or_else(|| ParseFormatError { found: text.to_owned() })
    }
}

/// What a rendering may assume of where it is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Page {
    /// Columns of the terminal.
    pub width: usize,
    /// Whether escape codes for colour are understood.
    pub colour: bool,
}

impl Default for Page {
    fn default() -> Self {
        Self { width: 100, colour: false }
    }
}

/// Says what the experiments show, each as its view asks, in the order of their names.
#[must_use]
pub fn compose(results: &[ExperimentResults]) -> ReportDocument {
    ReportDocument {
        format: "gridbench-report",
        version: SCHEMA_VERSION,
        experiments: by_name(results).into_iter().map(compose::section).collect(),
    }
}

/// Renders a report over `results`; the text ends with a line break.
///
/// # Panics
/// Never: every document is valid JSON.
#[must_use]
pub fn render(results: &[ExperimentResults], format: Format, page: Page) -> String {
    match format {
        Format::Terminal => terminal::render(&compose(results), page.width, page.colour),
        Format::Markdown => markdown::render(&compose(results)),
        Format::Csv => tables::cells_csv(&by_name(results)),
        Format::Json => {
            let text = serde_json::to_string_pretty(&compose(results));
            text.expect("a report has text keys only") + "\n"
        }
    }
}

fn by_name(results: &[ExperimentResults]) -> Vec<&ExperimentResults> {
    let mut sorted: Vec<&ExperimentResults> = results.iter().collect();
    sorted.sort_by(|a, b| a.facts.name.cmp(&b.facts.name));
    sorted
}
