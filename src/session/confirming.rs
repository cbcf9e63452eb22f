//! The best cells again on fresh seeds.

use std::path::{Path, PathBuf};

use super::{Error, Finished, Listener, LoadedExperiment, Reading, Session, metric_of};
use crate::base::text::harmless;
use crate::base::{CellId, Metric, MetricName};
use crate::data::DataFolders;
use crate::report::Page;
use crate::report::compare::CompareFormat;
use crate::report::confirm::{Confirmation, best_cells, confirmation, render};
use crate::store::{Repeats, atomic};

/// Index of the first fresh repeat: beyond any that an experiment or an escalation gets to, so that
/// a grid may grow later and the fresh trials stay fresh.
const FIRST_FRESH: u32 = 1 << 24;

/// Which cells are confirmed, and how often each is trained again.
pub(crate) struct BestCells<'a> {
    /// How many of the best.
    pub(crate) top: usize,
    /// Fresh repeats of each.
    pub(crate) repeats: u32,
    /// What they are chosen by; absent: what the report shows.
    pub(crate) metric: Option<&'a MetricName>,
}

/// The best cells of an experiment, about to be trained again on fresh seeds.
pub(crate) struct Confirming {
    first: Reading,
    metric: Metric,
    chosen: Vec<usize>,
    /// The experiment of the chosen cells alone.
    pub(crate) session: Session,
}

impl Confirming {
    /// Chooses the best cells of the results in `folder`. Fresh results go to `out`, else beside
    /// them.
    ///
    /// # Errors
    /// If there are no results, or the folder holds such a confirmation itself.
    pub(crate) fn begin(
        folder: &Path,
        best: &BestCells<'_>,
        out: Option<PathBuf>,
        data: DataFolders,
        listener: Listener,
    ) -> Result<Self, Error> {
        let first = Reading::open(folder)?;
        let metric = metric_of(&first.results, best.metric)?;
        let chosen = best_cells(&first.results, &metric, best.top);
        if chosen.is_empty() {
            return Err(Error::input(format!("cannot confirm the best of `{}`", folder.display()))
                .because_of(format!("no completed trial has `{}`", metric.name))
                .hint(Some("run the experiment first")));
        }
        let fresh = fresh_experiment(folder, &first, &chosen, best.repeats)?;
        let out = out.unwrap_or_else(|| beside(folder));
        let session = Session::of(fresh, out, data, listener)?;
        Ok(Self { first, metric, chosen, session })
    }

    /// Says what the fresh trials found, and keeps it beside them.
    ///
    /// # Errors
    /// If it cannot be written.
    pub(crate) fn conclude(&self, fresh: &Finished) -> Result<Confirmation, Error> {
        let found = confirmation(&self.first.results, &self.chosen, &fresh.results, &self.metric);
        let plain = Page { width: 100, colour: false };
        for (file, format) in
            [("confirm.md", CompareFormat::Markdown), ("confirm.json", CompareFormat::Json)]
        {
            let text = render(&found, format, plain);
            atomic::write(&fresh.folder.join(file), harmless(&text, false).as_bytes())
                .map_err(|error| Error::unwritable("the confirmation", &error))?;
        }
        Ok(found)
    }
}

/// Returns the folder beside another, `-confirm` added to its name.
fn beside(folder: &Path) -> PathBuf {
    let name = folder.file_name().map_or_else(|| "results".into(), |name| name.to_string_lossy());
    folder.with_file_name(format!("{name}-confirm"))
}

/// Returns the experiment of the chosen cells alone, under a name of its own and on fresh repeats.
fn fresh_experiment(
    folder: &Path,
    reading: &Reading,
    chosen: &[usize],
    count: u32,
) -> Result<LoadedExperiment, Error> {
    let (manifest, first) = (&reading.manifest, &reading.results);
    let name = &manifest.run.name;
    if matches!(manifest.run.repeats, Repeats::Fresh { .. }) {
        return Err(Error::input(format!("cannot confirm `{}`", folder.display()))
            .because_of("it holds what `bench confirm` trained already")
            .hint(Some("name the folder of the first estimates; `--repeats N` adds to them")));
    }
    let loaded = LoadedExperiment::from_manifest(manifest)?;
    if loaded.document.experiment().folds.is_some() {
        return Err(Error::input(format!("cannot confirm `{}`", folder.display()))
            .because_of("its repeats are folds, and fresh seeds have none")
            .hint(Some("measure the chosen cells on images that no fold holds")));
    }
    if loaded.is_imported() {
        return Err(Error::input(format!("cannot confirm `{}`", folder.display()))
            .because_of("its numbers were imported")
            .hint(Some("run the best cells again where they came from, and import them")));
    }
    let grid = &loaded.grid;
    let cells: Vec<CellId> = chosen
        .iter()
        .filter_map(|&index| {
            let id = first.cells[index].id;
            grid.cells().map(|cell| grid.id(cell)).find(|known| *known == id)
        })
        .collect();
    let question =
        format!("question=Do the {} best cells of {name} hold on fresh seeds?", cells.len());
    let fresh = loaded.with_overrides(&[
        format!("name=\"{name}-confirm\""),
        question,
        format!("repeats={count}"),
    ])?;
    let repeats = Repeats::Fresh { of: name.clone(), cells, first: FIRST_FRESH, count };
    Ok(LoadedExperiment { repeats, ..fresh })
}
