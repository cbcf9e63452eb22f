//! `bench compare`: two sets of results side by side.

use std::path::Path;

use super::arguments::CompareArguments;
use super::evidence::{usable, warn_once};
use super::failure::{Exit, Failure};
use super::report::deliver;
use super::results::{Reading, metric_of};
use super::terminal::Terminal;
use crate::record::{Outcome, Predictions};
use crate::report::Page;
use crate::report::compare::{self, Examples, GAMMA, Question, Side, render};
use crate::runner::predicted_classes;
use crate::spec::selector::Selector;
use crate::spec::settings::SplitSeed;
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
        &mut |a, b| Some((first.examples(a)?, other.examples(b)?)),
    )
    .map_err(|error| Failure::input("cannot compare").because(&error))?;
    let colour = terminal.color && arguments.output.is_none();
    let text = render(&comparison, arguments.format, Page { width: terminal.width, colour });
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

    /// Reads what the completed trials of a cell predict; nothing where predictions are missing.
    fn examples(&self, cell: usize) -> Option<Examples> {
        let (store, plan) = match self.reading.stored() {
            Ok(stored) => stored?,
            Err(failure) => {
                warn_once(&failure);
                return None;
            }
        };
        let settings = &plan.cells[cell].settings;
        let split = &settings.dataset.split;
        let checksum = plan.datasets.iter().find(|known| known.holds(&settings.dataset))?.checksum;
        let fixed = match split.seed {
            SplitSeed::Fixed(seed) => Some(seed),
            SplitSeed::Trial | SplitSeed::Member => None,
        };
        let mut examples = Examples {
            images: format!("{checksum} {:?} {:?} {fixed:?}", split.test, split.stratify),
            ..Examples::default()
        };
        for trial in plan.trials.iter().filter(|trial| trial.cell == cell) {
            let completed =
                |found: &&crate::record::TrialRecord| found.outcome == Outcome::Completed;
            if !store.trials().get(&trial.id).as_ref().is_some_and(completed) {
                continue;
            }
            let members: Vec<Predictions> = trial
                .members
                .iter()
                .map(|&place| usable(store, &plan.members[place].id))
                .collect::<Option<_>>()?;
            let labels = &members.first()?.test_labels;
            if examples.labels.is_empty() {
                examples.labels.clone_from(labels);
            }
            if examples.labels != *labels {
                return None;
            }
            examples.trials.push(predicted_classes(&members, settings.ensemble.combine)?);
        }
        Some(examples)
    }
}
