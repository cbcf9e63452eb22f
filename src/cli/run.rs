//! `bench run`: trains what is missing, writes tables and report.

use std::path::Path;

use super::arguments::RunArguments;
use super::derived;
use super::evidence;
use super::experiment::{Images, Loaded, validate};
use super::failure::{Exit, Failure};
use super::folders::{cpu_kernels, data_folders, results_folder};
use super::progress::{Channel, Progress};
use super::report::{store_failure, tables_failure, write_markdown};
use super::terminal::Terminal;
use crate::engine::{self, DeviceChoice};
use crate::plan::{Plan, outstanding};
use crate::report::predicted::Predicted;
use crate::report::{self, Format, Page, Subject};
use crate::runner::{
    self, RunError, RunOptions, RunRequest, RunSummary, StopSignal, StoreProgress,
};
use crate::store::Store;
use crate::tables::{self, ExperimentResults};

/// Asks the run of this process to stop.
static STOP: StopSignal = StopSignal::new();

pub(super) fn run(arguments: &RunArguments, terminal: Terminal) -> Result<Exit, Failure> {
    let device: DeviceChoice = arguments
        .device
        .parse()
        .map_err(|error| Failure::input("cannot choose a device").because(&error))?;
    let engine = engine::build_with(device, cpu_kernels()?)
        .map_err(|error| Failure::input(format!("cannot train on `{device}`")).because(&error))?;
    let loaded = Loaded::from_file(&arguments.experiment)?;
    let experiment = loaded.document.experiment();
    let mut images = Images::new(data_folders(&arguments.data));
    let plan = loaded.plan(&mut images)?;
    validate(&plan, &mut images)?;

    let folder = results_folder(arguments.out.as_ref(), &experiment.name);
    let draft = loaded.manifest_draft(&plan, &mut images, engine.description())?;
    let mut store = Store::open_writer(&folder, draft).map_err(|error| {
        store_failure(format!("cannot write results to `{}`", folder.display()), &error)
    })?;
    import_from_siblings(&mut store, &plan, &folder)?;

    ctrlc::set_handler(interrupt)
        .map_err(|error| Failure::internal("cannot listen for Ctrl-C").because(&error))?;
    let channel = match (arguments.json, arguments.quiet) {
        (true, _) => Channel::Json,
        (_, true) => Channel::Failures,
        _ if terminal.is_watched => Channel::Bar,
        _ => Channel::Lines,
    };
    let progress = Progress::new(channel, experiment.report.metric, terminal);
    let workers = arguments.jobs.map_or_else(cores, usize::from);
    let retries = if arguments.retry_failed { u32::MAX } else { RunOptions::default().retries };
    let summary = runner::run(RunRequest {
        plan: &plan,
        engine: engine.as_ref(),
        store: &mut store,
        load: &mut |settings| images.load(settings),
        options: RunOptions { workers, retries, ..RunOptions::default() },
        stop: &STOP,
        events: &|event| progress.tell(event),
    });
    progress.finish();
    let summary = summary.map_err(|error| run_failure(&error))?;
    let predicted =
        |results: &ExperimentResults| evidence::predicted(results, &plan, &store, &mut images);
    finish(arguments, terminal, &plan, &store, &summary, predicted)
}

/// Writes tables and report, prints what a person wants to see, and says how it went.
fn finish(
    arguments: &RunArguments,
    terminal: Terminal,
    plan: &Plan,
    store: &Store,
    summary: &RunSummary,
    predicted: impl FnOnce(&ExperimentResults) -> Option<Predicted>,
) -> Result<Exit, Failure> {
    let results = tables::assemble(plan, store);
    let predicted = predicted(&results);
    write_derived(Subject { results: &results, predicted: predicted.as_ref() }, store.folder())?;
    derived::stamp(store);
    if !arguments.json {
        let page = Page { width: terminal.width, colour: terminal.color };
        print!("{}", report::render(&[Subject::from(&results)], Format::Terminal, page));
    }
    if !arguments.quiet {
        let reused = match summary.members_reused {
            0 => String::new(),
            count => format!(", {count} reused"),
        };
        eprintln!(
            "{} members trained{reused}; {} of {} trials completed; tables and report in `{}`",
            summary.members_trained,
            summary.trials_completed,
            plan.trials.len(),
            store.folder().display(),
        );
    }
    if summary.interrupted {
        eprintln!(
            "interrupted: {} trials are left; run it again to go on",
            summary.trials_outstanding
        );
        return Ok(Exit::Interrupted);
    }
    if summary.trials_failed > 0 {
        eprintln!(
            "error: {} of {} trials failed\n  hint: the reasons stand in `{}`; try them again with \
             `--retry-failed`",
            summary.trials_failed,
            plan.trials.len(),
            store.folder().join("tables/trials.csv").display(),
        );
        return Ok(Exit::TrialsFailed);
    }
    Ok(Exit::Done)
}

/// Replaces the tables and the Markdown report with its charts.
fn write_derived(subject: Subject<'_>, folder: &Path) -> Result<(), Failure> {
    let cannot = || format!("cannot write tables and report to `{}`", folder.display());
    tables::write(&tables::frames(subject.results), &folder.join("tables"))
        .map_err(|error| tables_failure(cannot(), &error))?;
    write_markdown(&[subject], &folder.join("report.md"))
}

/// Takes over what other experiments beside this one have trained already.
///
/// Never from another folder of the same experiment: who runs it twice wants it trained twice.
fn import_from_siblings(store: &mut Store, plan: &Plan, folder: &Path) -> Result<(), Failure> {
    let Some(parent) = folder.parent() else { return Ok(()) };
    let wanted = |store: &Store| {
        let left = outstanding(plan, &StoreProgress::new(store.view(), 0));
        left.members.into_iter().map(|place| plan.members[place].id).collect::<Vec<_>>()
    };
    // A parent that cannot be listed has no siblings to offer.
    let Ok(entries) = std::fs::read_dir(parent) else { return Ok(()) };
    let mut siblings: Vec<_> = entries.filter_map(|entry| Some(entry.ok()?.path())).collect();
    siblings.sort();
    for sibling in siblings {
        if sibling == folder || !sibling.join("journal").is_dir() {
            continue;
        }
        let missing = wanted(store);
        if missing.is_empty() {
            break;
        }
        // A damaged sibling is its own run's problem; nothing is taken from it.
        let Ok(other) = Store::open_reader(&sibling) else { continue };
        if other.manifest().run.name == store.manifest().run.name {
            continue;
        }
        let imported = store
            .import_from(&other, missing)
            .map_err(|error| store_failure("cannot take over finished members".into(), &error))?;
        if !imported.is_empty() {
            eprintln!("{} members taken over from `{}`", imported.len(), sibling.display());
        }
    }
    Ok(())
}

fn interrupt() {
    if STOP.is_requested() {
        eprintln!("\nstopped at once: what was finished is kept, run it again to go on");
        std::process::exit(i32::from(Exit::Interrupted as u8));
    }
    STOP.request();
    eprintln!("\nstopping after this epoch; press Ctrl-C again to stop at once");
}

fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

fn run_failure(error: &RunError) -> Failure {
    let failure = match error {
        RunError::Data(_) | RunError::DatasetChanged { .. } => Failure::input("cannot go on"),
        RunError::Store(_) | RunError::Workers { .. } => Failure::internal("cannot go on"),
    };
    failure.because(error).hint(error.hint())
}
