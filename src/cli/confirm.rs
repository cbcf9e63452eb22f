//! `bench confirm`: the best cells again on fresh seeds.

use std::path::{Path, PathBuf};

use super::arguments::ConfirmArguments;
use super::experiment;
use super::failure::{Exit, Failure};
use super::notices::listener;
use super::report::deliver;
use super::run::{TrainOptions, engine_on, train};
use super::terminal::Terminal;
use crate::report::Page;
use crate::report::compare::CompareFormat;
use crate::report::confirm::render;
use crate::session::{BestCells, Confirming, data_folders, is_experiment_file, results_folder};
use crate::store::atomic;

pub(super) fn confirm(arguments: &ConfirmArguments, terminal: Terminal) -> Result<Exit, Failure> {
    let folder = results_of(&arguments.experiment)?;
    let training = &arguments.training;
    let best = BestCells {
        top: arguments.top as usize,
        repeats: arguments.repeats,
        metric: arguments.metric.as_ref(),
    };
    let data = data_folders(training.data.data_dir.clone());
    let (out, listener) = (arguments.out.clone(), listener(training.quiet));
    let mut confirming = Confirming::begin(&folder, &best, out, data, listener)?;
    if let Some(path) = &arguments.output {
        atomic::probe(path).map_err(|error| Failure::unwritable("the confirmation", &error))?;
    }
    let engine = engine_on(&training.device)?;
    let plan = confirming.session.plan()?;
    let how = TrainOptions::of(training, terminal);
    let finished = train(&mut confirming.session, &plan, engine.as_ref(), how, terminal)?;
    if finished.summary.interrupted {
        return Err(Failure::interrupted("stopped before everything was confirmed")
            .hint(Some("run the same command again to go on")));
    }
    let found = confirming.conclude(&finished)?;
    let colour = terminal.color && arguments.output.is_none();
    let format = if arguments.json { CompareFormat::Json } else { arguments.format };
    let text = render(&found, format, Page { width: terminal.width, colour });
    deliver(&text, arguments.output.as_ref(), "confirmation")?;
    let out = finished.folder.display();
    say!("fresh trials, tables and `confirm.md` in `{out}`");
    if finished.summary.trials_failed > 0 {
        say!(
            "error: {} of {} fresh trials failed\n  hint: the reasons stand in `{}`",
            finished.summary.trials_failed,
            plan.trials.len(),
            finished.folder.join("tables/trials.csv").display(),
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
