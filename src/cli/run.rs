//! `bench run`: trains what is missing, writes tables and report.

use std::sync::atomic::{AtomicBool, Ordering};

use super::arguments::{RunArguments, TrainingArguments};
use super::experiment;
use super::failure::{Exit, Failure};
use super::folders::{cpu_kernels, most_of_a_pack};
use super::patience;
use super::progress::{Channel, Progress};
use super::signals;
use super::terminal::Terminal;
use crate::engine::{self, DeviceChoice, Engine};
use crate::plan::Plan;
use crate::report::{self, Format, Page, Subject, counted};
use crate::results::CellResults;
use crate::runner::{RETRIES, StopSignal};
use crate::session::{Finished, Session, Training};

/// Asks the run of this process to stop.
pub(super) static STOP: StopSignal = StopSignal::new();

/// How to train, whichever command asks.
#[derive(Clone, Copy)]
pub(super) struct TrainOptions {
    /// Trainings at once.
    pub(super) workers: Option<usize>,
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

impl TrainOptions {
    /// Returns how a command trains that trains what it finds missing.
    pub(super) fn of(arguments: &TrainingArguments, terminal: Terminal) -> Self {
        Self {
            workers: arguments.jobs.map(usize::from),
            retry_failed: false,
            retries: RETRIES,
            fail_fast: false,
            save_weights: false,
            channel: Channel::watched(arguments.quiet, terminal),
        }
    }
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

pub(super) fn run(arguments: &RunArguments, terminal: Terminal) -> Result<Exit, Failure> {
    let engine = engine_on(&arguments.device)?;
    let mut session = experiment::session(
        &arguments.experiment,
        &arguments.data,
        arguments.out.as_ref(),
        arguments.quiet && !arguments.json,
    )?;
    if arguments.trace_inputs {
        session.trace_inputs()?;
    }
    if arguments.rehash {
        session.rehash();
    }
    let plan = {
        let _reading = patience::at("reading images and inputs");
        session.plan()?
    };
    let how = TrainOptions {
        workers: arguments.jobs.map(usize::from),
        retry_failed: arguments.retry_failed,
        retries: arguments.retries,
        fail_fast: arguments.fail_fast,
        save_weights: arguments.save_weights,
        channel: if arguments.json {
            Channel::Json
        } else {
            Channel::watched(arguments.quiet, terminal)
        },
    };
    let finished = train(&mut session, &plan, engine.as_ref(), how, terminal)?;
    let exit = finish(arguments, terminal, &plan, &finished);
    // The process ends, and its memory with it: to give it back piece by piece takes longer.
    std::mem::forget((finished, plan));
    Ok(exit)
}

/// Trains what `plan` lacks, until it is done or a person stops it, and shows how it goes.
pub(super) fn train(
    session: &mut Session,
    plan: &Plan,
    engine: &(dyn Engine + Send + Sync),
    how: TrainOptions,
    terminal: Terminal,
) -> Result<Finished, Failure> {
    listen_for_interrupts()?;
    let experiment = session.experiment.document.experiment();
    let axes = session.experiment.grid.axes.clone();
    let label = |cell: usize| report::short_cell_name(&axes, &plan.cells[cell].assignment);
    let progress = Progress::new(how.channel, experiment.metric().clone(), terminal, &label);
    let finished = session.train(
        plan,
        engine,
        Training {
            workers: how.workers,
            retry_failed: how.retry_failed,
            retries: how.retries,
            fail_fast: how.fail_fast,
            save_weights: how.save_weights,
            stop: &STOP,
            events: &|event| progress.tell(event),
        },
    );
    progress.finish();
    Ok(finished?)
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
fn finish(arguments: &RunArguments, terminal: Terminal, plan: &Plan, finished: &Finished) -> Exit {
    let Finished { results, summary, folder } = finished;
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
            "{} trained{reused}{repaired}; {} of {} completed; tables and report in `{}`",
            counted(summary.members_trained, "member"),
            summary.trials_completed,
            counted(plan.trials.len(), "trial"),
            folder.display(),
        );
    }
    if arguments.fail_fast && summary.interrupted && summary.trials_failed > 0 {
        say!(
            "error: a trial failed, which stops the run (`--fail-fast`); {} are left\n  hint: the \
             reason stands in `{}`",
            counted(summary.trials_outstanding, "trial"),
            folder.join("tables/trials.csv").display(),
        );
        return Exit::TrialsFailed;
    }
    if summary.interrupted {
        let left = match summary.trials_outstanding {
            1 => "1 trial is".to_owned(),
            several => format!("{several} trials are"),
        };
        say!("interrupted: {left} left; run it again to go on");
        return Exit::Interrupted;
    }
    let reasons = folder.join("tables/trials.csv");
    if summary.trials_failed > 0 {
        say!(
            "error: {} of {} failed\n  hint: the reasons stand in `{}`; try them again with \
             `--retry-failed`",
            summary.trials_failed,
            counted(plan.trials.len(), "trial"),
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

fn interrupt() {
    if STOP.is_requested() {
        crate::program::kill_all();
        say!("\nstopped at once: what was finished is kept, run it again to go on");
        std::process::exit(i32::from(Exit::Interrupted as u8));
    }
    STOP.request();
    let how = if crate::program::is_any_running() {
        "stopping: programs are asked to end, and have their `grace` to do so"
    } else {
        "stopping after this epoch"
    };
    say!("\n{how}; press Ctrl-C again to stop at once");
}
