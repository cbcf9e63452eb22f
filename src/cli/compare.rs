//! `bench compare`: two sets of results side by side.

use std::path::Path;

use super::arguments::CompareArguments;
use super::failure::{Exit, Failure};
use super::notices::listener;
use super::report::deliver;
use super::terminal::Terminal;
use crate::experiment::selector::Selector;
use crate::report::Page;
use crate::report::compare::{self, CompareFormat, GAMMA, Question, Side, render};
use crate::session::{Reading, metric_of};
use gridbench_stats::RESAMPLE_SEED;

pub(super) fn compare(arguments: &CompareArguments, terminal: Terminal) -> Result<Exit, Failure> {
    let first = Source::open(&arguments.a)?;
    let second = arguments.b.as_deref().map(Source::open).transpose()?;
    let other = second.as_ref().unwrap_or(&first);
    let selector = |own: &[Selector]| {
        let mut selector = Selector::default();
        arguments.cells.iter().chain(own).for_each(|part| selector.extend(part.clone()));
        selector
    };
    let (of_a, of_b) = (selector(&arguments.cell_a), selector(&arguments.cell_b));
    let listener = listener(false);
    let question = Question {
        metric: metric_of(&first.reading.results, arguments.metric.as_ref())?,
        alpha: arguments.alpha,
        gamma: GAMMA,
        seed: RESAMPLE_SEED,
    };
    let comparison = compare::compare(
        Side { name: &first.name, results: &first.reading.results, selector: &of_a },
        Side { name: &other.name, results: &other.reading.results, selector: &of_b },
        &question,
        &mut |a, b| {
            let of = |side: &Source, cell| side.reading.examples(cell, &listener);
            Some((of(&first, a)?, of(other, b)?))
        },
    )
    .map_err(|error| Failure::input("cannot compare").because(&error))?;
    let colour = terminal.color && arguments.output.is_none();
    let format = if arguments.json { CompareFormat::Json } else { arguments.format };
    let text = render(&comparison, format, Page { width: terminal.width, colour });
    deliver(&text, arguments.output.as_ref(), "comparison")?;
    Ok(Exit::Done)
}

/// A results folder with the name the user gave it.
struct Source {
    name: String,
    reading: Reading,
}

impl Source {
    fn open(folder: &Path) -> Result<Self, Failure> {
        Ok(Self { name: folder.display().to_string(), reading: Reading::open(folder)? })
    }
}
