//! `bench duel`: which of a few commands is better, decided as soon as it can be told.

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use super::arguments::DuelArguments;
use super::check::read_baseline;
use super::failure::{Exit, Failure};
use super::notices::listener;
use super::progress::Channel;
use super::run::{STOP, TrainOptions, engine_on, train};
use super::terminal::Terminal;
use crate::plan::Plan;
use crate::report::Page;
use crate::report::compare::CompareFormat;
use crate::report::duel::{DuelEnd, DuelReport, DuelVerdict, progress, render};
use crate::runner::RETRIES;
use crate::session::{
    Contest, DuelQuestion, Finished, Opponent, Ring, Session, on_fresh_seeds, results_folder,
    winner,
};
use crate::store::atomic;

pub(super) fn duel(arguments: &DuelArguments, terminal: Terminal) -> Result<Exit, Failure> {
    let began = Instant::now();
    let question = question(arguments)?;
    let opponent =
        arguments.against.as_deref().map(|file| opponent(file, &question)).transpose()?;
    refuse(arguments)?;
    let contest = Contest::of(&question, opponent.as_ref());
    for path in arguments.export.iter().chain(&arguments.save_baseline) {
        atomic::probe(path).map_err(|error| Failure::unwritable("the outcome", &error))?;
    }
    let unseeded = contest.without_seed();
    if !arguments.quiet && !unseeded.is_empty() {
        say!(
            "note: no `{{seed}}` in {}: unless the program reads the seed from the file in BENCH_TRIAL, its trials \
             share no seed with those of the other side, or are all the same",
            unseeded.join(" and ")
        );
    }
    let folder = results_folder(arguments.out.as_ref(), &contest.name());
    let mut ring = Ring::open(&contest, folder, listener(arguments.quiet))?;
    if contest.commands.len() == 1 && opponent.is_none() {
        let Some(file) = &arguments.save_baseline else { unreachable!("refused above") };
        save(&contest, 0, file, arguments, terminal)?;
        return Ok(Exit::Done);
    }
    let timer = Timer::start(arguments.max_time, began);
    let mut tell = |report: &DuelReport| {
        if !arguments.quiet {
            say!("{}", progress(report));
        }
    };
    let report = ring.fight(
        opponent.as_ref(),
        (began, &|| timer.is_over()),
        &mut tell,
        &mut trainer(arguments, terminal)?,
    )?;
    drop(timer);
    write(&report, arguments, terminal)?;
    if report.ended_by == DuelEnd::NoValues {
        if let Some(problem) = ring.no_values() {
            say!("{}", Failure::from(problem));
        }
        return Ok(Exit::TrialsFailed);
    }
    if let Some(file) = &arguments.save_baseline {
        match winner(&report, contest.commands.len()) {
            Some(winner) => save(&contest, winner, file, arguments, terminal)?,
            None => {
                say!("`{}` is left as it is: no command was shown to be better", file.display());
            }
        }
    }
    Ok(match report.verdict {
        DuelVerdict::FirstBetter | DuelVerdict::NoWorse => Exit::Done,
        // Against a baseline, what is as good is no worse.
        DuelVerdict::Equivalent if opponent.is_some() => Exit::Done,
        DuelVerdict::FirstWorse => Exit::Regressed,
        DuelVerdict::Equivalent | DuelVerdict::Undecided => Exit::Inconclusive,
    })
}

fn question(arguments: &DuelArguments) -> Result<DuelQuestion, Failure> {
    let metric = arguments.metric_name().transpose();
    Ok(DuelQuestion {
        commands: arguments.commands.clone(),
        metric: metric.map_err(|error| Failure::input("cannot begin a duel").because(&error))?,
        wall_time: arguments.wall_time,
        is_minimized: arguments.minimize,
        unit: arguments.unit.clone(),
        pattern: arguments.pattern.clone(),
        indifference: arguments.indifference,
        max_trials: arguments.max_trials as usize,
        time_limit: arguments.time_limit,
        environment: environment(&arguments.env)?,
        inputs: arguments.inputs.clone(),
        seed: arguments.seed.into(),
        against: arguments.against.as_ref().map(|file| file.display().to_string()),
    })
}

/// Returns variables by name, with their present values where none are typed.
fn environment(typed: &[String]) -> Result<Vec<(String, String)>, Failure> {
    let value = |text: &String| {
        if let Some((name, value)) = text.split_once('=') {
            return Ok((name.to_owned(), value.to_owned()));
        }
        // Braces are placeholders in values of an experiment.
        let value = std::env::var_os(text).and_then(|value| value.into_string().ok());
        value.map(|value| (text.clone(), braced(&value))).ok_or_else(|| {
            Failure::input(format!("cannot pass the variable `{text}` on"))
                .because_of("it is not set, or its value is no text")
        })
    };
    typed.iter().map(value).collect()
}

fn braced(text: &str) -> String {
    text.replace('{', "{{").replace('}', "}}")
}

/// Returns what trains the plan of a look.
fn trainer(
    arguments: &DuelArguments,
    terminal: Terminal,
) -> Result<impl FnMut(&mut Session, &Plan) -> Result<Finished, Failure>, Failure> {
    let engine = engine_on("cpu")?;
    let is_watched = !arguments.quiet && terminal.is_watched;
    let how = TrainOptions {
        workers: Some(usize::from(arguments.jobs)),
        retry_failed: false,
        retries: RETRIES,
        fail_fast: false,
        save_weights: false,
        channel: if is_watched { Channel::Bar } else { Channel::Failures },
    };
    Ok(move |session: &mut Session, plan: &Plan| {
        train(session, plan, engine.as_ref(), how, terminal)
    })
}

/// Writes a baseline of one command, from trials on fresh seeds.
fn save(
    contest: &Contest<'_>,
    command: usize,
    file: &Path,
    arguments: &DuelArguments,
    terminal: Terminal,
) -> Result<(), Failure> {
    let repeats = arguments.baseline_trials as usize;
    let fresh = on_fresh_seeds(contest, command);
    let folder = results_folder(None, &fresh.name());
    if !arguments.quiet {
        say!("{repeats} trials on fresh seeds for the baseline, in `{}`", folder.display());
    }
    let mut ring = Ring::open(&fresh, folder, listener(arguments.quiet))?;
    let values = ring.write_baseline(repeats, file, &mut trainer(arguments, terminal)?)?;
    say!(
        "baseline of {values} trials on fresh seeds written to `{}`; the next: `bench duel COMMAND \
         --against {}`",
        file.display(),
        file.display()
    );
    Ok(())
}

fn refuse(arguments: &DuelArguments) -> Result<(), Failure> {
    let cannot = |cause: &str, hint: &str| {
        Err(Failure::input("cannot begin a duel").because_of(cause).hint(Some(hint.to_owned())))
    };
    match (arguments.commands.len(), &arguments.against, &arguments.save_baseline) {
        (1, None, None) => cannot(
            "there is one command and nothing to compare it with",
            "name a second command, or a baseline with `--against FILE`",
        ),
        (2.., Some(_), _) => cannot(
            "a baseline is held against one command",
            "name one command, or leave `--against` out",
        ),
        _ => Ok(()),
    }
}

fn opponent(file: &Path, question: &DuelQuestion) -> Result<Opponent, Failure> {
    let cannot = || Failure::input(format!("cannot read baseline `{}`", file.display()));
    let hint = "write one with `bench duel COMMAND --metric NAME --save-baseline FILE`";
    let baseline = read_baseline(file, hint.to_owned())?;
    Opponent::of(&baseline, question).map_err(|cause| cannot().because_of(cause).hint(Some(hint)))
}

fn write(
    report: &DuelReport,
    arguments: &DuelArguments,
    terminal: Terminal,
) -> Result<(), Failure> {
    let page = Page { width: terminal.width, colour: terminal.color };
    let form = if arguments.json { CompareFormat::Json } else { CompareFormat::Terminal };
    out!("{}", render(report, form, page));
    if let Some(path) = &arguments.export {
        let is_page = path.extension().is_some_and(|ending| ending.eq_ignore_ascii_case("md"));
        let form = if is_page { CompareFormat::Markdown } else { CompareFormat::Json };
        atomic::write_named(path, render(report, form, page).as_bytes())
            .map_err(|error| Failure::unwritable("the outcome", &error))?;
    }
    Ok(())
}

/// Asks the run to stop once the time is over; dropped, it asks for nothing.
struct Timer {
    deadline: Option<Instant>,
}

/// Whether a timer may still ask.
static ARMED: AtomicBool = AtomicBool::new(false);

impl Timer {
    fn start(seconds: Option<f64>, began: Instant) -> Self {
        let deadline = seconds.map(|seconds| began + Duration::from_secs_f64(seconds));
        if let Some(deadline) = deadline {
            ARMED.store(true, Ordering::SeqCst);
            std::thread::spawn(move || {
                std::thread::sleep(deadline.saturating_duration_since(Instant::now()));
                if ARMED.load(Ordering::SeqCst) {
                    STOP.request();
                }
            });
        }
        Self { deadline }
    }

    fn is_over(&self) -> bool {
        self.deadline.is_some_and(|deadline| Instant::now() >= deadline)
    }
}

impl Drop for Timer {
    fn drop(&mut self) {
        ARMED.store(false, Ordering::SeqCst);
    }
}
