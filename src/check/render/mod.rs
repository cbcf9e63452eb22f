//! The forms a verdict is written in: for people, for continuous integration, for trackers of
//! benchmarks. All are made from one [`CheckReport`].

mod bencher;
mod github;
mod junit;
mod markdown;
mod refusal;
mod sentences;
mod terminal;
#[cfg(test)]
mod tests;

pub use refusal::Refusal;
pub(super) use sentences::Printed;

use super::sample::CellSample;
use super::verdict::CheckReport;
use crate::base::format;

/// The form a verdict is written in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// Lines for a terminal.
    Terminal,
    /// The [`CheckReport`].
    Json,
    /// GitHub-flavoured Markdown: a job summary or a comment.
    Markdown,
    /// `JUnit` XML: one test case a gated cell.
    Junit,
    /// The lines for a terminal, then GitHub's workflow commands that annotate the run.
    Github,
    /// Bencher Metric Format.
    Bmf,
    /// JSON for `github-action-benchmark` (`customBiggerIsBetter`, for losses
    /// `customSmallerIsBetter`).
    GithubActionBenchmark,
}

/// What the forms say beside the report.
#[derive(Debug, Clone, Copy)]
pub struct Context<'a> {
    /// The candidate's results folder, as the user named it.
    pub folder: &'a str,
    /// The baseline file, as the user named it.
    pub baseline: &'a str,
    /// Everything measured on the candidate.
    pub cells: &'a [CellSample],
}

/// Bytes a job summary of GitHub may have.
pub const SUMMARY_LIMIT: usize = 1_048_576;

/// Adds `lines` to `text` while there is room in a job summary, and says how many were left out.
fn markdown_limit(text: String, lines: impl ExactSizeIterator<Item = String>) -> String {
    // For the line that says so and for what follows.
    const ROOM: usize = 4_000;
    let (mut text, mut left) = (text, lines.len());
    for line in lines {
        if text.len() + line.len() + ROOM > SUMMARY_LIMIT {
            break;
        }
        text += &line;
        left -= 1;
    }
    if left > 0 {
        text.extend([format!("- {left} more\n")]);
    }
    text
}

/// Writes `report` in `form`; the text ends with a line break.
///
/// # Panics
/// Never: a report serialises.
#[must_use]
pub fn render(report: &CheckReport, context: Context<'_>, form: Form) -> String {
    match form {
        Form::Terminal => terminal::render(report, context),
        Form::Json => format::CHECK.text(report),
        Form::Markdown => markdown(report, context, SUMMARY_LIMIT),
        Form::Junit => junit::render(report, context),
        Form::Github => {
            github::lines_without_commands(&terminal::render(report, context))
                + &github::annotations(report)
        }
        Form::Bmf => bencher::metric_format(report, context.cells),
        Form::GithubActionBenchmark => bencher::action_benchmark(report, context.cells),
    }
}

/// Writes `report` as Markdown of at most `limit` bytes: cells that are ok are left out first, and
/// how many were left out is said.
#[must_use]
pub fn markdown(report: &CheckReport, context: Context<'_>, limit: usize) -> String {
    markdown::render(report, context, limit)
}
