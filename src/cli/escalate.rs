//! `bench check --escalate`: more repeats of the cells that cannot be judged.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::arguments::TrainingArguments;
use super::derived::renew;
use super::experiment::Loaded;
use super::failure::Failure;
use super::folders::data_folders;
use super::images::Images;
use super::metrics::refuse_absent;
use super::progress::Channel;
use super::results::manifest_in;
use super::run::{How, engine_on, train, workers};
use super::terminal::Terminal;
use crate::base::CellId;
use crate::check::{CheckReport, Looks, Verdict};
use crate::engine::Engine;
use crate::grid::Cell;
use crate::runner::RETRIES;
use crate::spec::value::Assignment;
use crate::store::Repeats;

/// An experiment whose results folder is given more repeats, look by look.
///
/// What was asked for stands in the journals, so an interrupted escalation goes on where it
/// stopped, and a later `check` knows how often was looked.
pub(super) struct Escalation<'a> {
    folder: PathBuf,
    loaded: Loaded,
    images: Images,
    engine: Box<dyn Engine + Send + Sync>,
    arguments: &'a TrainingArguments,
    terminal: Terminal,
}

impl<'a> Escalation<'a> {
    /// Prepares to train more of the experiment in `folder`.
    pub(super) fn begin(
        folder: &Path,
        arguments: &'a TrainingArguments,
        terminal: Terminal,
    ) -> Result<Self, Failure> {
        let cannot = || format!("cannot train more repeats into `{}`", folder.display());
        if !folder.join("journal").is_dir() {
            return Err(Failure::input(cannot())
                .because_of("it holds tables only, not the journal of a run")
                .hint(Some("run the experiment again, then check its folder")));
        }
        let manifest = manifest_in(folder)?;
        let loaded = Loaded::from_manifest(&manifest)?;
        if matches!(loaded.repeats, Repeats::Fresh { .. }) {
            return Err(Failure::input(cannot())
                .because_of("it holds the results of `bench confirm`, not an experiment of its own")
                .hint(Some("confirm with more repeats instead: `bench confirm … --repeats N`")));
        }
        Ok(Self {
            folder: folder.to_owned(),
            images: Images::of(loaded.file.as_ref(), data_folders(&arguments.data)),
            loaded,
            engine: engine_on(&arguments.device)?,
            arguments,
            terminal,
        })
    }

    /// Trains the repeats of the next look for the cells that `report` leaves open; says whether
    /// there was anything to do.
    pub(super) fn train_more(
        &mut self,
        report: &CheckReport,
        looks: &Looks,
    ) -> Result<bool, Failure> {
        // A verdict that fell stays, so that more trials cannot change a regression as a whole.
        let is_final = report.verdict == Verdict::Regressed;
        let undecided: Vec<&Assignment> = report.undecided().collect();
        if is_final || undecided.is_empty() || report.looks_taken >= looks.count {
            return Ok(false);
        }
        let wanted = looks.repeats(report.looks_taken);
        let grid = &self.loaded.grid;
        let is_undecided = |cell: &Cell<'_>| {
            let own: Assignment = grid
                .assignment(*cell)
                .map(|(key, value)| (key.to_owned(), value.clone()))
                .collect();
            undecided.iter().any(|known| **known == own)
        };
        let chosen: Vec<CellId> =
            grid.cells().filter(is_undecided).map(|cell| grid.id(cell)).collect();
        let mut more = match std::mem::take(&mut self.loaded.repeats) {
            Repeats::More(more) => more,
            Repeats::AsTyped | Repeats::Fresh { .. } => BTreeMap::new(),
        };
        say!(
            "look {} of {}: {} of {} cells go on to {wanted} repeats",
            report.looks_taken + 1,
            looks.count,
            chosen.len(),
            report.cells.len()
        );
        for cell in chosen {
            let known = more.entry(cell).or_default();
            *known = wanted.max(*known);
        }
        self.loaded.repeats = Repeats::More(more);
        self.train()?;
        Ok(true)
    }

    fn train(&mut self) -> Result<(), Failure> {
        let plan = self.loaded.plan(&mut self.images)?;
        refuse_absent(&self.loaded, &mut self.images)?;
        let how = How {
            engine: self.engine.as_ref(),
            workers: workers(self.arguments.jobs, self.engine.as_ref()),
            retry_failed: false,
            retries: RETRIES,
            fail_fast: false,
            save_weights: false,
            channel: match self.arguments.quiet {
                true => Channel::Failures,
                false if self.terminal.is_watched => Channel::Bar,
                false => Channel::Lines,
            },
        };
        let (mut store, summary) =
            train(&self.loaded, &plan, &mut self.images, &self.folder, how, self.terminal)?;
        renew(&plan, &mut store, &mut self.images)?;
        if summary.interrupted {
            return Err(Failure::interrupted("stopped before the verdict")
                .hint(Some("run the same command again to go on")));
        }
        Ok(())
    }
}
