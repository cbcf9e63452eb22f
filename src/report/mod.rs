//! What a report says, then its renderings.
//!
//! Owns the wording, the layout of the grids and the published tables. Computes no statistic of its
//! own (see `stats`), reads no file and prints nothing. Invariants: every rendering is made from
//! one [`ReportDocument`]; a mean is never shown without its spread and number of trials; the same
//! results give the same text.

mod answer;
mod build;
pub(crate) mod cell;
mod charts;
pub(crate) mod compare;
pub(crate) mod confirm;
mod cost;
mod curves;
mod details;
mod document;
pub(crate) mod duel;
mod effects;
mod ensembles;
mod html;
mod labels;
mod latex;
mod layout;
mod legend;
mod levels;
pub(crate) mod listing;
mod markdown;
mod marks;
mod markup;
mod naming;
mod numbers;
mod origin;
mod pivot;
pub mod predicted;
mod published;
pub(crate) mod reference;
#[cfg(test)]
mod sentences;
mod spark;
mod standing;
pub(crate) mod tensorboard;
mod terminal;
#[cfg(test)]
mod tests;
mod text;
mod trade_off;
mod versus_best;
mod view;
mod warnings;

use crate::base::format;
use crate::results::ExperimentResults;
use crate::tables;

use build::Depth;
use predicted::Predicted;

pub(crate) use document::ReportDocument;
use document::Section;
pub(crate) use labels::short_cell_name;
pub(crate) use layout::{wrap_parts, wrap_text};
pub(crate) use numbers::{counted, duration, grouped, whole};

pub use view::{Sort, Tolerance, View};

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
    /// One page that needs no other file and no network.
    Html,
    /// Tables for a paper.
    Latex,
}

impl Format {
    /// Every format.
    pub const ALL: [Self; 6] =
        [Self::Terminal, Self::Markdown, Self::Html, Self::Csv, Self::Json, Self::Latex];
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

/// What is reported of one experiment.
#[derive(Debug, Clone, Copy)]
pub struct Subject<'a> {
    /// Its results.
    pub results: &'a ExperimentResults,
    /// What its stored predictions say, where they are at hand.
    pub predicted: Option<&'a Predicted>,
    /// What a reader asks of them, beyond what their experiment asks.
    pub view: Option<&'a View>,
}

impl<'a> From<&'a ExperimentResults> for Subject<'a> {
    fn from(results: &'a ExperimentResults) -> Self {
        Self { results, predicted: None, view: None }
    }
}

/// A file that a report refers to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attachment {
    /// Path from the report's folder, parts joined by `/`.
    pub path: String,
    /// Its content.
    pub bytes: Vec<u8>,
}

/// Says everything that the experiments show, each as its view asks, in the order of their names.
pub(crate) fn build(subjects: &[Subject<'_>]) -> ReportDocument {
    document(subjects, Depth::Full)
}

fn document(subjects: &[Subject<'_>], depth: Depth) -> ReportDocument {
    let section = |subject: &Subject<'_>| {
        let view = subject.view.cloned().unwrap_or_default();
        build::section(subject.results, subject.predicted.cloned(), &view, depth)
    };
    let subjects = by_name(subjects);
    let mut experiments: Vec<Section> = subjects.iter().copied().map(section).collect();
    let folders: Vec<Option<&str>> =
        subjects.iter().map(|subject| subject.view?.folder.as_deref()).collect();
    tell_apart(&mut experiments, &folders);
    ReportDocument { experiments }
}

/// Calls experiments of one name by their folders too, or by their index where those are not known.
fn tell_apart(experiments: &mut [Section], folders: &[Option<&str>]) {
    for index in 0..experiments.len() {
        let Section { name, seed, .. } = &experiments[index];
        let alike: Vec<usize> =
            (0..experiments.len()).filter(|other| experiments[*other].name == *name).collect();
        if alike.len() < 2 {
            continue;
        }
        let is_clear = |folder: &&str| {
            alike.iter().filter(|other| folders[**other] == Some(*folder)).count() == 1
        };
        let which = folders[index].filter(is_clear).map_or_else(
            || {
                let before = alike.iter().filter(|other| **other < index).count();
                format!("{}, seed {seed}", before + 1)
            },
            str::to_owned,
        );
        experiments[index].called = format!("{name} ({which})");
    }
}

/// Renders a report; the text ends with a line break and needs no other file.
///
/// # Panics
/// Never: every document is valid JSON.
#[must_use]
pub fn render(subjects: &[Subject<'_>], format: Format, page: Page) -> String {
    let text = || document(subjects, Depth::Text);
    match format {
        Format::Terminal => terminal::render(&text(), page.width, page.colour),
        Format::Markdown => markdown::render(&text(), None),
        Format::Csv => {
            let sorted = by_name(subjects);
            let results: Vec<&ExperimentResults> =
                sorted.iter().map(|subject| subject.results).collect();
            tables::cells_csv(&results)
        }
        Format::Json => format::REPORT.text(&build(subjects)),
        Format::Html => html::render(&build(subjects)),
        Format::Latex => latex::render(&text()),
    }
}

/// Renders the grids of results alone, as far as they are filled, for a terminal.
#[must_use]
pub(crate) fn render_grids(subject: Subject<'_>, page: Page) -> String {
    let document = document(&[subject], Depth::Text);
    let grids = document.experiments.iter();
    grids.map(|section| terminal::render_grids(section, page.width, page.colour)).collect()
}

/// Renders a report as Markdown that shows charts and images, and returns them with it; they
/// belong in the folder `charts` beside it.
#[must_use]
pub fn illustrated_markdown(subjects: &[Subject<'_>]) -> (String, Vec<Attachment>) {
    let mut attachments = Vec::new();
    let text = markdown::render(&document(subjects, Depth::Charts), Some(&mut attachments));
    (text, attachments)
}

fn by_name<'s, 'a>(subjects: &'s [Subject<'a>]) -> Vec<&'s Subject<'a>> {
    let mut sorted: Vec<&Subject<'a>> = subjects.iter().collect();
    sorted.sort_by(|a, b| a.results.facts.name.cmp(&b.results.facts.name));
    sorted
}
