//! `bench worker`: one of any number of processes that train one experiment together.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::arguments::WorkerArguments;
use super::experiment;
use super::failure::{Exit, Failure};
use super::folders::{cpu_kernels, most_of_a_pack};
use super::notices;
use super::progress::{Channel, Progress};
use super::run::{STOP, engine_on};
use super::signals;
use super::terminal::Terminal;
use crate::cluster::{Deadline, Identity, Who};
use crate::engine::Engine;
use crate::plan::Plan;
use crate::report::{self, counted};
use crate::session::{
    LoadedExperiment, Session, Training, Working, data_folders, manifest_in, results_folder,
};

/// Lanes of a round where nobody says how many workers there will be.
const LANES: u32 = 16;
/// Part of a time limit by which workers leave earlier than others: not all at once.
const STAGGER: f64 = 0.02;

pub(super) fn worker(arguments: &WorkerArguments, terminal: Terminal) -> Result<Exit, Failure> {
    let began = Instant::now();
    // Before anything that takes time: an engine may ask at once.
    signals::listen_to_engines(leave)
        .map_err(|error| Failure::internal("cannot listen for signals").because(&error))?;
    let identity = Identity::of(&|name| std::env::var_os(name)?.into_string().ok());
    let engine = engine_on(&arguments.device)?;
    let (experiment, folder) = experiment_of(arguments)?;
    let data = data_folders(arguments.data.data_dir.clone());
    let listener = notices::listener(arguments.quiet);
    let mut session = Session::of(experiment, folder, data, listener)?;
    let plan = session.shared_plan()?;
    let deadline = arguments.stop_after.map(|whole| deadline(began, whole));
    if let Some(deadline) = deadline {
        leave_at(deadline.end);
    }
    let experiment = session.experiment.document.experiment();
    let axes = session.experiment.grid.axes.clone();
    let label = |cell: usize| report::short_cell_name(&axes, &plan.cells[cell].assignment);
    let channel = if arguments.quiet { Channel::Failures } else { Channel::Lines };
    let progress = Progress::new(channel, experiment.metric().clone(), terminal, &label);
    let events = |event: &crate::runner::Event<'_>| progress.tell(event);
    let working = Working {
        training: Training {
            workers: arguments.jobs.map(usize::from).or(identity.threads),
            retry_failed: arguments.retry_failed,
            retries: arguments.retries,
            ..Training::new(&STOP, &events)
        },
        who: Who { name: identity.name, index: identity.index, deadline },
        lanes: arguments.lanes.or(identity.workers).unwrap_or(LANES),
        lease: arguments.lease,
        kernels: cpu_kernels()?,
        pack: most_of_a_pack()?.map(|pack| pack.get() as u32),
    };
    if arguments.close {
        return close(&mut session, &plan, engine.as_ref(), &working);
    }
    session.work(&plan, engine.as_ref(), &working)?;
    progress.finish();
    Ok(Exit::Done)
}

/// Returns the experiment and the results folder that are meant.
fn experiment_of(arguments: &WorkerArguments) -> Result<(LoadedExperiment, PathBuf), Failure> {
    if let Some(file) = &arguments.file {
        let loaded = experiment::read(file, &arguments.overrides)?;
        let name = &loaded.document.experiment().name;
        let folder = results_folder(arguments.store.as_ref(), name);
        return Ok((loaded, folder));
    }
    let folder = arguments.store.clone().unwrap_or_default();
    Ok((LoadedExperiment::from_manifest(&manifest_in(&folder)?)?, folder))
}

/// Returns when to leave.
fn deadline(began: Instant, whole: Duration) -> Deadline {
    let stagger = whole.mul_f64(STAGGER * f64::from(std::process::id() % 100) / 100.0);
    let whole = whole.saturating_sub(stagger);
    Deadline { end: began + whole, whole }
}

/// Writes the tables when no worker runs any more, and has the engine start workers again where
/// something is left.
fn close(
    session: &mut Session,
    plan: &Plan,
    engine: &(dyn Engine + Send + Sync),
    working: &Working<'_>,
) -> Result<Exit, Failure> {
    let closed = session.close(plan, engine, working)?;
    let folder: &Path = session.folder();
    if closed.members_left > 0 {
        if super::submit::again(folder, closed.members_left) {
            return Ok(Exit::Done);
        }
        say!(
            "{} left to train\n  hint: start workers again, or `bench run`",
            match closed.members_left {
                1 => "1 member is".to_owned(),
                count => format!("{count} members are"),
            }
        );
        return Ok(Exit::TrialsFailed);
    }
    let failed = closed.summary.trials_failed;
    if failed > 0 {
        say!(
            "error: {failed} of {} failed\n  hint: the reasons stand in `{}`",
            counted(plan.trials.len(), "trial"),
            folder.join("tables/trials.csv").display()
        );
        return Ok(Exit::TrialsFailed);
    }
    Ok(Exit::Done)
}

/// Asks to leave: what is in training ends its epoch and saves its state.
fn leave(is_typed: bool) {
    if is_typed && STOP.is_requested() {
        crate::program::kill_all();
        std::process::exit(i32::from(Exit::Interrupted as u8));
    }
    if !STOP.is_requested() {
        STOP.request();
        say!("leaving after this epoch; what is left is for other workers");
    }
}

/// Asks to leave at a moment.
fn leave_at(end: Instant) {
    std::thread::spawn(move || {
        std::thread::sleep(end.saturating_duration_since(Instant::now()));
        leave(false);
    });
}
