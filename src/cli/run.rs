//! `bench run`: trains what is missing, writes tables and report.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use super::arguments::RunArguments;
use super::derived;
use super::experiment::Loaded;
use super::failure::{Exit, Failure};
use super::folders::{cpu_kernels, data_folders, most_of_a_pack, results_folder};
use super::images::Images;
use super::metrics::refuse_absent;
use super::programs;
use super::progress::{Channel, Progress};
use super::results::store_failure;
use super::signals;
use super::terminal::Terminal;
use crate::base::MemberId;
use crate::data::Note;
use crate::engine::{self, DeviceChoice, Engine};
use crate::plan::{Plan, PlannedDataset, outstanding};
use crate::record::{Outcome, TrialRecord};
use crate::report::{self, Format, Page, Subject, counted};
use crate::results::{CellResults, ExperimentResults};
use crate::runner::{
    self, Event, RunError, RunOptions, RunRequest, RunSummary, StopSignal, StoreProgress,
};
use crate::spec::experiment::StoredPredictions;
use crate::spec::settings::Source;
use crate::store::{Store, atomic, read_file};

/// Asks the run of this process to stop.
static STOP: StopSignal = StopSignal::new();

/// How to train, whichever command asks.
#[derive(Clone, Copy)]
pub(super) struct How<'a> {
    /// Where to train.
    pub(super) engine: &'a (dyn Engine + Send + Sync),
    /// Trainings at once.
    pub(super) workers: usize,
    /// Whether members that earlier runs gave up are tried once more.
    pub(super) retry_failed: bool,
    /// How often a member that failed is tried once more after all others.
    pub(super) retries: u32,
    /// Whether the first trial that fails stops the run.
    pub(super) fail_fast: bool,
    /// Whether weights are kept even if the experiment does not ask for them.
    pub(super) save_weights: bool,
    /// Where progress goes.
    pub(super) channel: Channel,
}

/// Returns the engine of a device as named on the command line.
pub(super) fn engine_on(device: &str) -> Result<Box<dyn Engine + Send + Sync>, Failure> {
    let device: DeviceChoice =
        device.parse().map_err(|error| Failure::input("cannot choose a device").because(&error))?;
    let engine = engine::build_for_packs(device, cpu_kernels()?, most_of_a_pack()?)
        .map_err(|error| Failure::input(format!("cannot train on `{device}`")).because(&error))?;
    if let Some(remark) = engine.remark() {
        say!("note: {remark}");
    }
    Ok(engine)
}

/// Returns the number of workers: as asked for, else what the device wants, else one a core.
pub(super) fn workers(jobs: Option<u16>, engine: &dyn Engine) -> usize {
    jobs.map(usize::from).or_else(|| engine.workers()).unwrap_or_else(cores)
}

pub(super) fn run(arguments: &RunArguments, terminal: Terminal) -> Result<Exit, Failure> {
    let engine = engine_on(&arguments.device)?;
    let loaded = Loaded::from_file(&arguments.experiment)?;
    let folder = results_folder(arguments.out.as_ref(), &loaded.document.experiment().name);
    let loaded = loaded.with_repeats_in(&folder)?;
    let mut images = Images::of(loaded.file.as_ref(), data_folders(&arguments.data));
    let plan = loaded.plan(&mut images)?;
    refuse_absent(&loaded, &mut images)?;
    let channel = match (arguments.json, arguments.quiet) {
        (true, _) => Channel::Json,
        (_, true) => Channel::Failures,
        _ if terminal.is_watched => Channel::Bar,
        _ => Channel::Lines,
    };
    let how = How {
        engine: engine.as_ref(),
        workers: workers(arguments.jobs, engine.as_ref()),
        retry_failed: arguments.retry_failed,
        retries: arguments.retries,
        fail_fast: arguments.fail_fast,
        save_weights: arguments.save_weights,
        channel,
    };
    let (mut store, summary) = train(&loaded, &plan, &mut images, &folder, how, terminal)?;
    let results = derived::renew(&plan, &mut store, &mut images)?;
    Ok(finish(arguments, terminal, &plan, &store, (&results, &summary)))
}

/// Trains what `plan` lacks in `folder`, until it is done or a person stops it.
pub(super) fn train(
    loaded: &Loaded,
    plan: &Plan,
    images: &mut Images,
    folder: &Path,
    how: How<'_>,
    terminal: Terminal,
) -> Result<(Store, RunSummary), Failure> {
    refuse_unscorable(loaded, plan)?;
    let programs = programs::engine(loaded, plan, how, folder)?;
    let how = How { engine: &programs, ..how };
    let draft = loaded.manifest_draft(plan, images, how.engine.description())?;
    let mut store = Store::open_writer(folder, draft).map_err(|error| {
        store_failure(format!("cannot write results to `{}`", folder.display()), &error)
    })?;
    tell_damages(&store);
    write_lists(plan, images, folder)?;
    tell_notes(&images.notes(), how.channel);
    tell_left_out(plan, &store);
    import_from_siblings(&mut store, plan, images, how.engine, folder)?;
    listen_for_interrupts()?;
    let metric = loaded.document.experiment().metric().clone();
    let label =
        |cell: usize| report::short_cell_name(&loaded.grid.axes, &plan.cells[cell].assignment);
    let progress = Progress::new(how.channel, metric, terminal, &label);
    let summary = runner::run(RunRequest {
        plan,
        engine: how.engine,
        store: &mut store,
        load: &mut |settings| images.load(settings),
        options: RunOptions {
            workers: how.workers,
            retry_failed: how.retry_failed,
            retries: how.retries,
            save_weights: how.save_weights || loaded.document.experiment().save_weights,
            predictions: loaded.document.experiment().store.predictions,
            ..RunOptions::default()
        },
        stop: &STOP,
        events: &|event| {
            progress.tell(event);
            if how.fail_fast && is_a_failure(event) && !STOP.is_requested() {
                STOP.request();
            }
        },
    });
    progress.finish();
    programs::tell_undeclared(&programs);
    let summary = summary.map_err(|error| run_failure(&error))?;
    store.check_place().map_err(|error| {
        store_failure(format!("cannot write results to `{}`", folder.display()), &error)
    })?;
    store.complete_manifest();
    Ok((store, summary))
}

/// Returns whether an event says that a trial ended by a fault.
fn is_a_failure(event: &Event<'_>) -> bool {
    let Event::TrialFinished { record, .. } = event else { return false };
    matches!(record.outcome, Outcome::Failed | Outcome::TimedOut)
}

/// Refuses ensembles whose predictions are not to be stored: they could not be scored.
fn refuse_unscorable(loaded: &Loaded, plan: &Plan) -> Result<(), Failure> {
    let experiment = loaded.document.experiment();
    let has_ensembles = plan.trials.iter().any(|trial| trial.members.len() > 1);
    if experiment.store.predictions == StoredPredictions::None && has_ensembles {
        return Err(Failure::input(format!("cannot run `{}`", experiment.name))
            .because_of("`store.predictions` is \"none\", and ensembles are scored from them")
            .hint(Some("set `store.predictions` to \"f16\" or \"f32\"")));
    }
    Ok(())
}

/// Turns Ctrl-C into a request to stop; a process listens once.
fn listen_for_interrupts() -> Result<(), Failure> {
    static LISTENING: AtomicBool = AtomicBool::new(false);
    if LISTENING.swap(true, Ordering::Relaxed) {
        return Ok(());
    }
    signals::listen(interrupt)
        .map_err(|error| Failure::internal("cannot listen for Ctrl-C").because(&error))
}

/// Prints what a person wants to see, and says how it went.
fn finish(
    arguments: &RunArguments,
    terminal: Terminal,
    plan: &Plan,
    store: &Store,
    (results, summary): (&ExperimentResults, &RunSummary),
) -> Exit {
    if !arguments.json {
        let page = Page { width: terminal.width, colour: terminal.color };
        out!("{}", report::render(&[Subject::from(results)], Format::Terminal, page));
    }
    if !arguments.quiet {
        let reused = match summary.members_reused {
            0 => String::new(),
            count => format!(", {count} reused"),
        };
        let repaired = match summary.members_repaired {
            0 => String::new(),
            count => format!(", {count} of them again because their stored files were lost"),
        };
        say!(
            "{} members trained{reused}{repaired}; {} of {} trials completed; tables and report in `{}`",
            summary.members_trained,
            summary.trials_completed,
            plan.trials.len(),
            store.folder().display(),
        );
    }
    if arguments.fail_fast && summary.interrupted && summary.trials_failed > 0 {
        say!(
            "error: a trial failed, which stops the run (`--fail-fast`); {} are left\n  hint: the \
             reason stands in `{}`",
            counted(summary.trials_outstanding, "trial"),
            store.folder().join("tables/trials.csv").display(),
        );
        return Exit::TrialsFailed;
    }
    if summary.interrupted {
        say!("interrupted: {} trials are left; run it again to go on", summary.trials_outstanding);
        return Exit::Interrupted;
    }
    let reasons = store.folder().join("tables/trials.csv");
    if summary.trials_failed > 0 {
        say!(
            "error: {} of {} trials failed\n  hint: the reasons stand in `{}`; try them again with \
             `--retry-failed`",
            summary.trials_failed,
            plan.trials.len(),
            reasons.display(),
        );
        return Exit::TrialsFailed;
    }
    let cells = results.cells.iter();
    let empty: Vec<&CellResults> = cells.filter(|cell| cell.ended_without_a_value()).collect();
    if let Some(first) = empty.first() {
        say!(
            "error: {} of {} ended without any value, `{}` first\n  hint: the reasons stand in \
             `{}`; change the setting, or leave it out with `[[grid.exclude]]`",
            empty.len(),
            counted(results.cells.len(), "cell"),
            first.name,
            reasons.display(),
        );
        return Exit::TrialsFailed;
    }
    Exit::Done
}

/// Says that lines of journals were found damaged: what they held is trained again.
fn tell_damages(store: &Store) {
    if store.damages() > 0 {
        say!(
            "warning: {} damaged in the journals, listed in `{}`: what they held is trained again",
            match store.damages() {
                1 => "1 line is".to_owned(),
                count => format!("{count} lines are"),
            },
            store.folder().join("damaged.list").display()
        );
    }
}

/// Writes the class names in label order, and what of the images was left out, one file a dataset.
fn write_lists(plan: &Plan, images: &mut Images, folder: &Path) -> Result<(), Failure> {
    let write = |name: String, text: String| {
        let path = folder.join(name);
        if read_file(&path).is_ok_and(|known| known == text.as_bytes()) {
            return Ok(());
        }
        atomic::write(&path, text.as_bytes())
            .map_err(|error| Failure::unwritable("the list of labels", &error))
    };
    let with_images = |planned: &&PlannedDataset| planned.settings.source != Source::None;
    for (place, planned) in plan.datasets.iter().filter(with_images).enumerate() {
        let dataset = images.load(&planned.settings)?;
        let suffix = if place == 0 { String::new() } else { format!("-{}", place + 1) };
        let names = serde_json::to_string(&dataset.classes).expect("text serialises to JSON");
        write(format!("labels{suffix}.list"), names + "\n")?;
        if !dataset.skipped.is_empty() {
            write(format!("skipped{suffix}.list"), dataset.skipped.join("\n") + "\n")?;
        }
    }
    Ok(())
}

/// Says what a reader of results must know of the images.
fn tell_notes(notes: &[Note], channel: Channel) {
    for note in notes {
        match (note.is_warning, channel) {
            (true, _) => say!("warning: {}", note.text),
            (false, Channel::Failures) => {}
            (false, _) => say!("data: {}", note.text),
        }
    }
}

/// Warns of repeats that the journal holds and nobody asks for any more: an escalation's stand in
/// the manifest alone, so they are forgotten with it.
fn tell_left_out(plan: &Plan, store: &Store) {
    let mut planned = BTreeMap::new();
    for trial in &plan.trials {
        let last = planned.entry(plan.cells[trial.cell].id).or_insert(trial.repeat);
        *last = trial.repeat.max(*last);
    }
    let is_beyond =
        |trial: &&TrialRecord| planned.get(&trial.cell).is_some_and(|last| trial.repeat > *last);
    let count = store.trials().values().filter(is_beyond).count();
    if count > 0 {
        say!(
            "warning: {count} trials in the journal are repeats beyond those planned and are left \
             out\n  hint: ask for them with `repeats`, or with `bench check --escalate` where they \
             came from it"
        );
    }
}

/// Takes over what other experiments beside this one have trained already.
///
/// Never from another folder of the same experiment: who runs it twice wants it trained twice. And
/// only what `engine` would give to the bit: members that took the numerical path they would take here.
fn import_from_siblings(
    store: &mut Store,
    plan: &Plan,
    images: &mut Images,
    engine: &dyn Engine,
    folder: &Path,
) -> Result<(), Failure> {
    let own = folder.canonicalize().ok();
    let parent = match folder.parent() {
        _ if folder.file_name().is_none() => own.as_deref().and_then(Path::parent),
        Some(parent) if parent.as_os_str().is_empty() => Some(Path::new(".")),
        parent => parent,
    };
    let Some(parent) = parent else { return Ok(()) };
    let wanted = |store: &Store| {
        let left = outstanding(plan, &StoreProgress::new(store.view(), false));
        left.members
    };
    // A parent that cannot be listed has no siblings to offer.
    let Ok(entries) = std::fs::read_dir(parent) else { return Ok(()) };
    let mut siblings: Vec<_> = entries.filter_map(|entry| Some(entry.ok()?.path())).collect();
    siblings.sort();
    for sibling in siblings {
        if !sibling.join("journal").is_dir() || sibling.canonicalize().ok() == own {
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
        let (mut fitting, mut others) = (Vec::new(), BTreeMap::<String, usize>::new());
        for &index in &missing {
            let member = &plan.members[index];
            let Some(path) = path_in(&other, &member.id) else { continue };
            let dataset = images.load(&member.settings.dataset)?;
            let here = engine.path_of(&member.settings, dataset.shape, dataset.classes.len());
            match here {
                Some(here) if here != path => {
                    *others.entry(format!("`{path}` there, `{here}` here")).or_default() += 1;
                }
                _ => fitting.push(member.id),
            }
        }
        for (paths, count) in others {
            let members = report::counted(count, "member");
            let verb = if count == 1 { "is" } else { "are" };
            say!(
                "{members} of `{}` {verb} trained again: another numerical path ({paths}) would give \
                 other bits",
                sibling.display(),
            );
        }
        let imported = store
            .import_from(&other, fitting)
            .map_err(|error| store_failure("cannot take over finished members".into(), &error))?;
        if !imported.is_empty() {
            let members = report::counted(imported.len(), "member");
            say!("{members} taken over from `{}`", sibling.display());
        }
    }
    Ok(())
}

/// Returns the numerical path of a completed member in another store. A member that diverged has
/// none on record, and is not taken over.
fn path_in(other: &Store, member: &MemberId) -> Option<String> {
    Some(other.members().get(member)?.summary.as_ref()?.path.clone())
}

fn interrupt() {
    if STOP.is_requested() {
        crate::program::kill_all();
        say!("\nstopped at once: what was finished is kept, run it again to go on");
        std::process::exit(i32::from(Exit::Interrupted as u8));
    }
    STOP.request();
    say!("\nstopping after this epoch; press Ctrl-C again to stop at once");
}

fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

fn run_failure(error: &RunError) -> Failure {
    let failure = match error {
        RunError::Store(error) => return store_failure("cannot go on".to_owned(), error),
        RunError::Data(_) | RunError::DatasetChanged { .. } => Failure::input("cannot go on"),
        RunError::DeviceLost { .. } | RunError::Workers { .. } => Failure::internal("cannot go on"),
    };
    failure.because(error).hint(error.hint())
}
