//! Two sets of results side by side: cells of one experiment, of two, or two runs of the same.
//!
//! Owns the pairing of cells, the statistics of every pair and the words of the verdict, which
//! never says more than the trials show. Reads nothing: predictions are handed over.

mod by_repeat;
mod conclusion;
mod document;
mod markdown;
mod measure;
mod pairs;
mod terminal;
#[cfg(test)]
mod tests;

use super::Page;
use crate::base::{Metric, format};
use crate::experiment::selector::Selector;
use crate::results::ExperimentResults;

pub(crate) use document::Comparison;
pub(crate) use pairs::PairingError;

/// One side of a comparison.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Side<'a> {
    /// What the user called it, mostly a folder.
    pub name: &'a str,
    /// Its results.
    pub results: &'a ExperimentResults,
    /// Which of its cells are meant.
    pub selector: &'a Selector,
}

/// What is asked of a comparison.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Question {
    /// What is compared.
    pub metric: Metric,
    /// Two-sided level of the tests, over all pairs by Holm.
    pub alpha: f64,
    /// P(A > B) from which a difference is worth having.
    pub gamma: f64,
    /// Seed of the resampling.
    pub seed: u64,
}

/// P(A > B) from which a difference is meaningful (Bouthillier et al. 2021,
/// <https://arxiv.org/abs/2103.03098>).
pub(crate) const GAMMA: f64 = 0.75;

/// The predictions of one cell on its test images.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Examples {
    /// What the images are: equal texts mean equal images in equal order.
    pub images: String,
    /// The true class of every image.
    pub labels: Vec<u16>,
    /// The predicted class of every image, trial by trial.
    pub trials: Vec<Vec<u16>>,
}

/// Looks up the predictions of the cells with these indices on both sides, where they are stored.
pub(crate) type Lookup<'a> = dyn FnMut(usize, usize) -> Option<(Examples, Examples)> + 'a;

/// Compares the selected cells, pair by pair.
///
/// # Errors
/// If a selector names what is not there, or the cells of the two sides cannot be paired.
pub(crate) fn compare(
    a: Side<'_>,
    b: Side<'_>,
    question: &Question,
    examples: &mut Lookup<'_>,
) -> Result<Comparison, PairingError> {
    let pairing = pairs::pair(a, b)?;
    Ok(measure::comparison(a, b, question, &pairing, examples))
}

/// How a comparison is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum CompareFormat {
    /// Aligned text for a terminal.
    Terminal,
    /// GitHub-flavoured Markdown.
    Markdown,
    /// The [`Comparison`].
    Json,
}

/// Writes a comparison; the text ends with a line break.
///
/// # Panics
/// Never: every comparison has a JSON form.
pub(crate) fn render(comparison: &Comparison, format: CompareFormat, page: Page) -> String {
    match format {
        CompareFormat::Terminal => terminal::render(comparison, page),
        CompareFormat::Markdown => markdown::render(comparison),
        CompareFormat::Json => format::COMPARISON.text(comparison),
    }
}
