//! More repeats of the cells that a check cannot judge.

use std::collections::BTreeMap;
use std::path::Path;

use super::{Error, Listener, LoadedExperiment, Notice, Session, manifest_in};
use crate::base::CellId;
use crate::check::{CheckReport, Looks, Verdict};
use crate::data::DataFolders;
use crate::experiment::value::Assignment;
use crate::grid::Cell;
use crate::store::Repeats;

/// An experiment whose results folder is given more repeats, look by look.
///
/// What was asked for stands in the journals, so an interrupted escalation goes on where it
/// stopped, and a later `check` knows how often was looked.
pub(crate) struct Escalation {
    /// The experiment, with the repeats that are asked for by now.
    pub(crate) session: Session,
}

impl Escalation {
    /// Prepares to train more of the experiment in `folder`.
    ///
    /// # Errors
    /// If the folder holds no journals, or fresh repeats that confirm another experiment.
    pub(crate) fn begin(
        folder: &Path,
        data: DataFolders,
        listener: Listener,
    ) -> Result<Self, Error> {
        let cannot = || format!("cannot train more repeats into `{}`", folder.display());
        if !folder.join("journal").is_dir() {
            return Err(Error::input(cannot())
                .because_of("it holds tables only, not the journal of a run")
                .hint(Some("run the experiment again, then check its folder")));
        }
        let loaded = LoadedExperiment::from_manifest(&manifest_in(folder)?)?;
        if matches!(loaded.repeats, Repeats::Fresh { .. }) {
            return Err(Error::input(cannot())
                .because_of("it holds the results of `bench confirm`, not an experiment of its own")
                .hint(Some("confirm with more repeats instead: `bench confirm … --repeats N`")));
        }
        if loaded.document.experiment().folds.is_some() {
            return Err(Error::input(cannot())
                .because_of("its repeats are folds, of which there are no more")
                .hint(Some("leave out `--escalate`, or run both sides with more `folds`")));
        }
        if loaded.is_imported() {
            return Err(Error::input(cannot())
                .because_of("its numbers were imported")
                .hint(Some("measure more where they came from, and import them again")));
        }
        Ok(Self { session: Session::of(loaded, folder, data, listener)? })
    }

    /// Asks for the repeats of the next look at the cells that `report` leaves open; says whether
    /// there are any.
    pub(crate) fn ask_for_more(&mut self, report: &CheckReport, looks: &Looks) -> bool {
        // A verdict that fell stays, so that more trials cannot change a regression as a whole.
        let is_final = report.verdict == Verdict::Regressed;
        let undecided: Vec<&Assignment> = report.undecided().collect();
        if is_final || undecided.is_empty() || report.looks_taken >= looks.count {
            return false;
        }
        let wanted = looks.repeats(report.looks_taken);
        let loaded = &mut self.session.experiment;
        let grid = &loaded.grid;
        let is_undecided = |cell: &Cell<'_>| {
            let own: Assignment = grid
                .assignment(*cell)
                .map(|(key, value)| (key.to_owned(), value.clone()))
                .collect();
            undecided.iter().any(|known| **known == own)
        };
        let chosen: Vec<CellId> =
            grid.cells().filter(is_undecided).map(|cell| grid.id(cell)).collect();
        let mut more = match std::mem::take(&mut loaded.repeats) {
            Repeats::More(more) => more,
            Repeats::AsTyped | Repeats::Fresh { .. } => BTreeMap::new(),
        };
        self.session.images.listener.tell(&Notice::NextLook {
            look: report.looks_taken + 1,
            looks: looks.count,
            chosen: chosen.len(),
            cells: report.cells.len(),
            repeats: wanted,
        });
        for cell in chosen {
            let known = more.entry(cell).or_default();
            *known = wanted.max(*known);
        }
        loaded.repeats = Repeats::More(more);
        true
    }
}
