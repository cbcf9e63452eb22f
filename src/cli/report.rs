//! `bench report`: the report of one results folder, or of all below one.

use std::path::{Path, PathBuf};

use super::arguments::ReportArguments;
use super::failure::{Exit, Failure};
use super::notices::listener;
use super::terminal::Terminal;
use super::view::narrow;
use crate::base::text::harmless;
use crate::experiment::{ConfusionPair, ReportSettings};
use crate::report::predicted::Predicted;
use crate::report::{self, Format, Page, Subject, View};
use crate::results::ExperimentResults;
use crate::session::{Images, Reading, data_folders, evidence, folders_below, write_markdown};
use crate::store::atomic;

pub(super) fn report(arguments: &ReportArguments, terminal: Terminal) -> Result<Exit, Failure> {
    let format = if arguments.json { Format::Json } else { arguments.format };
    let pairs = pairs(&arguments.gallery_of)?;
    let ask = |settings: &mut ReportSettings| {
        settings.confusion |= arguments.confusion;
        settings.gallery = arguments.gallery.map_or(settings.gallery, usize::from);
        settings.gallery_of.extend_from_slice(&pairs);
    };
    // Beside a device or a pipe there is no place for charts.
    let file = arguments.output.as_ref().filter(|path| !atomic::is_stream(path));
    // Reading many predictions takes time, so only pages and what asks for them do.
    let shows = |results: &ExperimentResults| match format {
        Format::Html | Format::Json => true,
        Format::Markdown => {
            let asked = &results.facts.report;
            let asks = asked.confusion || asked.gallery > 0 || !asked.gallery_of.is_empty();
            asks || file.is_some() || evidence::has_few_ensembles(results)
        }
        Format::Terminal => evidence::has_few_ensembles(results),
        Format::Csv | Format::Latex => false,
    };
    let mut images = Images::new(data_folders(arguments.data.data_dir.clone()), listener(false));
    let mut found = Vec::new();
    for folder in folders_below(&arguments.folder)? {
        found.push(with_evidence(&folder, arguments, &ask, &shows, &mut images)?);
    }
    let subjects: Vec<Subject<'_>> = found
        .iter()
        .map(|(results, predicted, view)| Subject {
            results,
            predicted: predicted.as_ref(),
            view: Some(view),
        })
        .collect();
    let Some(path) = &arguments.output else {
        let page = Page { width: terminal.width, colour: terminal.color };
        out!("{}", report::render(&subjects, format, page));
        // The process ends, and its memory with it: to give it back piece by piece takes longer.
        std::mem::forget(found);
        return Ok(Exit::Done);
    };
    match file {
        Some(file) if format == Format::Markdown => {
            write_markdown(&subjects, file, atomic::write_named)?;
        }
        _ => {
            let page = Page { width: terminal.width, colour: false };
            // Style sheets have `::` of their own.
            let commands = format == Format::Html;
            write(path, &harmless(&report::render(&subjects, format, page), commands))?;
        }
    }
    Ok(Exit::Done)
}

/// Returns the results in `folder`, with what their predictions say where it is shown.
fn with_evidence(
    folder: &Path,
    arguments: &ReportArguments,
    ask: &dyn Fn(&mut ReportSettings),
    shows: &dyn Fn(&ExperimentResults) -> bool,
    images: &mut Images,
) -> Result<(ExperimentResults, Option<Predicted>, View), Failure> {
    let mut reading = Reading::open(folder)?;
    ask(&mut reading.results.facts.report);
    let view = View {
        folder: Some(folder.display().to_string()),
        ..narrow(&mut reading.results, &arguments.view)?
    };
    // Stored predictions know cells by their index in the whole experiment.
    if view.narrowed.is_some() || !shows(&reading.results) {
        return Ok((reading.results, None, view));
    }
    let predicted = reading.predicted(images)?;
    Ok((reading.results, predicted, view))
}

fn pairs(texts: &[String]) -> Result<Vec<ConfusionPair>, Failure> {
    let pair = |text: &String| {
        ConfusionPair::parse(text).ok_or_else(|| {
            Failure::input(format!(
                "`--gallery-of` is `{text}`, expected {}",
                ConfusionPair::EXPECTED
            ))
        })
    };
    texts.iter().map(pair).collect()
}

fn write(path: &Path, text: &str) -> Result<(), Failure> {
    atomic::write_named(path, text.as_bytes())
        .map_err(|error| Failure::unwritable("the report", &error))
}

/// Prints a text or writes it to a file.
pub(super) fn deliver(text: &str, output: Option<&PathBuf>, what: &str) -> Result<(), Failure> {
    match output {
        None => out!("{text}"),
        Some(path) => atomic::write_named(path, harmless(text, false).as_bytes())
            .map_err(|error| Failure::unwritable(&format!("the {what}"), &error))?,
    }
    Ok(())
}
