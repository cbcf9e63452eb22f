//! `bench confirm`: the best cells again on fresh seeds.

use std::path::{Path, PathBuf};

use super::arguments::ConfirmArguments;
use super::experiment;
use super::failure::{Exit, Failure};
use super::notices::listener;
use super::report::deliver;
use super::run::{How, engine_on, train};
use super::terminal::Terminal;
use crate::base::CellId;
use crate::base::text::harmless;
use crate::report::Page;
use crate::report::compare::CompareFormat;
use crate::report::confirm::{Confirmation, best_cells, confirmation, render};
use crate::session::{
    LoadedExperiment, Reading, Session, data_folders, is_experiment_file, metric_of, results_folder,
};
use crate::store::{Repeats, atomic};

/// Index of the first fresh repeat: beyond any that an experiment or an escalation gets to, so that
/// a grid may grow later and the fresh trials stay fresh.
const FIRST_FRESH: u32 = 1 << 24;

pub(super) fn confirm(arguments: &ConfirmArguments, terminal: Terminal) -> Result<Exit, Failure> {
    let folder = results_of(&arguments.experiment)?;
    let reading = Reading::open(&folder)?;
    let first = &reading.results;
    let metric = &metric_of(first, arguments.metric.as_ref())?;
    let chosen = best_cells(first, metric, arguments.top as usize);
    let cannot = || Failure::input(format!("cannot confirm the best of `{}`", folder.display()));
    if chosen.is_empty() {
        return Err(cannot()
            .because_of(format!("no completed trial has `{}`", metric.name))
            .hint(Some("run the experiment first")));
    }
    let loaded = fresh_experiment(&folder, &reading, &chosen, arguments)?;
    let out = arguments.out.clone().unwrap_or_else(|| beside(&folder));
    if let Some(path) = &arguments.output {
        atomic::probe(path).map_err(|error| Failure::unwritable("the confirmation", &error))?;
    }
    let engine = engine_on(&arguments.training.device)?;
    let training = &arguments.training;
    let data = data_folders(training.data.data_dir.clone());
    let mut session = Session::of(loaded, &out, data, listener(training.quiet))?;
    let plan = session.plan()?;
    let how = How::of(training, terminal);
    let finished = train(&mut session, &plan, engine.as_ref(), how, terminal)?;
    let (summary, fresh) = (&finished.summary, &finished.results);
    if summary.interrupted {
        return Err(Failure::interrupted("stopped before everything was confirmed")
            .hint(Some("run the same command again to go on")));
    }
    let found = confirmation(first, &chosen, fresh, metric);
    write(&found, &out, arguments, terminal)?;
    if summary.trials_failed > 0 {
        say!(
            "error: {} of {} fresh trials failed\n  hint: the reasons stand in `{}`",
            summary.trials_failed,
            plan.trials.len(),
            out.join("tables/trials.csv").display(),
        );
        return Ok(Exit::TrialsFailed);
    }
    Ok(Exit::Done)
}

/// Returns the results folder that is meant: an experiment file means that of its name.
fn results_of(named: &Path) -> Result<PathBuf, Failure> {
    if !is_experiment_file(&named.display().to_string()) {
        return Ok(named.to_owned());
    }
    let loaded = experiment::read(named, &[])?;
    Ok(results_folder(None, &loaded.document.experiment().name))
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
    arguments: &ConfirmArguments,
) -> Result<LoadedExperiment, Failure> {
    let (manifest, first) = (&reading.manifest, &reading.results);
    let name = &manifest.run.name;
    if matches!(manifest.run.repeats, Repeats::Fresh { .. }) {
        return Err(Failure::input(format!("cannot confirm `{}`", folder.display()))
            .because_of("it holds what `bench confirm` trained already")
            .hint(Some("name the folder of the first estimates; `--repeats N` adds to them")));
    }
    let loaded = LoadedExperiment::from_manifest(manifest)?;
    let grid = &loaded.grid;
    let cells: Vec<CellId> = chosen
        .iter()
        .filter_map(|&place| {
            let id = first.cells[place].id;
            grid.cells().map(|cell| grid.id(cell)).find(|known| *known == id)
        })
        .collect();
    let question =
        format!("question=Do the {} best cells of {name} hold on fresh seeds?", cells.len());
    let count = arguments.repeats;
    let fresh = loaded.with_overrides(&[
        format!("name=\"{name}-confirm\""),
        question,
        format!("repeats={count}"),
    ])?;
    let repeats = Repeats::Fresh { of: name.clone(), cells, first: FIRST_FRESH, count };
    Ok(LoadedExperiment { repeats, ..fresh })
}

/// Prints the confirmation and keeps it beside the fresh results.
fn write(
    found: &Confirmation,
    out: &Path,
    arguments: &ConfirmArguments,
    terminal: Terminal,
) -> Result<(), Failure> {
    let plain = Page { width: 100, colour: false };
    for (file, format) in
        [("confirm.md", CompareFormat::Markdown), ("confirm.json", CompareFormat::Json)]
    {
        let text = render(found, format, plain);
        atomic::write(&out.join(file), harmless(&text, false).as_bytes())
            .map_err(|error| Failure::unwritable("the confirmation", &error))?;
    }
    let colour = terminal.color && arguments.output.is_none();
    let text = render(found, arguments.format, Page { width: terminal.width, colour });
    deliver(&text, arguments.output.as_ref(), "confirmation")?;
    say!("fresh trials, tables and `confirm.md` in `{}`", out.display());
    Ok(())
}
