//! `bench duel`: which of a few commands is better, decided as soon as it can be told.

mod contest;
mod saving;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use super::arguments::DuelArguments;
use super::check::read_baseline;
use super::failure::{Exit, Failure};
use super::notices::listener;
use super::progress::Channel;
use super::run::{STOP, TrainOptions, engine_on, train};
use super::terminal::Terminal;
use crate::base::{CellId, Direction, Metric, MetricName};
use crate::engine::Engine;
use crate::experiment::value::Value;
use crate::record::Outcome;
use crate::report::Page;
use crate::report::compare::CompareFormat;
use crate::report::duel::{DuelEnd, DuelReport, DuelSubject, DuelVerdict, progress, render};
use crate::results::{CellResults, ExperimentResults};
use crate::runner::RETRIES;
use crate::session::{LoadedExperiment, Session, data_folders, results_folder};
use crate::store::{Repeats, atomic};
use gridbench_stats::{Duel, DuelState};

use contest::{AXIS, Contest, Opponent};

/// Repeats at the first look.
const FIRST: usize = 4;
/// The chance that anything wrong is ever claimed.
const ALPHA: f64 = 0.05;

pub(super) fn duel(arguments: &DuelArguments, terminal: Terminal) -> Result<Exit, Failure> {
    let began = Instant::now();
    let opponent =
        arguments.against.as_deref().map(|file| opponent(file, arguments)).transpose()?;
    refuse(arguments)?;
    let contest = Contest::of(arguments, opponent.as_ref())?;
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
    let mut ring = Ring::open(&contest, folder, arguments, terminal)?;
    if contest.commands.len() == 1 && opponent.is_none() {
        let Some(file) = &arguments.save_baseline else { unreachable!("refused above") };
        saving::save(&contest, 0, file, arguments, terminal)?;
        return Ok(Exit::Done);
    }
    let report = ring.fight(opponent.as_ref(), began)?;
    write(&report, arguments, terminal)?;
    if report.ended_by == DuelEnd::NoValues {
        return Ok(ring.tell_no_values());
    }
    if let Some(file) = &arguments.save_baseline {
        match winner(&report, contest.commands.len()) {
            Some(winner) => saving::save(&contest, winner, file, arguments, terminal)?,
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

/// Returns the index of the command that won, where one did.
fn winner(report: &DuelReport, commands: usize) -> Option<usize> {
    let winner = report.winner.as_ref()?;
    report.commands[..commands].iter().position(|command| command.label == *winner)
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

fn opponent(file: &Path, arguments: &DuelArguments) -> Result<Opponent, Failure> {
    let cannot = || Failure::input(format!("cannot read baseline `{}`", file.display()));
    let hint = "write one with `bench duel COMMAND --metric NAME --save-baseline FILE`";
    let baseline = read_baseline(file, hint.to_owned())?;
    Opponent::of(&baseline, arguments).map_err(|cause| cannot().because_of(cause).hint(Some(hint)))
}

/// Where the commands are run, and what they gave so far.
struct Ring<'a> {
    contest: &'a Contest<'a>,
    arguments: &'a DuelArguments,
    terminal: Terminal,
    session: Session,
    engine: Box<dyn Engine + Send + Sync>,
    /// Cells by command.
    cells: Vec<CellId>,
    results: Option<ExperimentResults>,
}

impl<'a> Ring<'a> {
    fn open(
        contest: &'a Contest<'a>,
        folder: PathBuf,
        arguments: &'a DuelArguments,
        terminal: Terminal,
    ) -> Result<Self, Failure> {
        let loaded = LoadedExperiment::parse(&contest.text(FIRST), "the duel", &[])?;
        let session = Session::of(loaded, folder, data_folders(None), listener(arguments.quiet))?;
        let cell_of = |command: &String| {
            let is_it = |(key, value): (&str, &Value)| {
                key == AXIS && *value == Value::Text(command.clone())
            };
            let grid = &session.experiment.grid;
            grid.cells().find(|cell| grid.assignment(*cell).any(is_it)).map(|cell| grid.id(cell))
        };
        let cells = contest.commands.iter().filter_map(cell_of).collect();
        let engine = engine_on("cpu")?;
        Ok(Self { contest, arguments, terminal, session, engine, cells, results: None })
    }

    /// Lets the commands take turns until it can be told, or the budget is spent.
    fn fight(
        &mut self,
        opponent: Option<&Opponent>,
        began: Instant,
    ) -> Result<DuelReport, Failure> {
        let metric = self.metric();
        let most = self.arguments.max_trials as usize;
        let most = opponent.map_or(most, |known| most.min(known.values.len()));
        let is_ratio = self.contest.is_timed;
        let unit = if is_ratio { 100.0 } else { metric.unit.factor() };
        let indifference = self.arguments.indifference / unit;
        let duel = Duel {
            // A ratio is a difference of logarithms.
            indifference: if is_ratio { indifference.ln_1p() } else { indifference },
            alpha: ALPHA,
            first: FIRST,
            no_worse_is_enough: opponent.is_some() && indifference > 0.0,
        };
        let sides = self.contest.commands.len() + usize::from(opponent.is_some());
        let looks = duel.looks(sides, most);
        let mut labels = self.contest.labels();
        if opponent.is_some() {
            let file = self.arguments.against.as_ref().map(|file| file.display().to_string());
            labels.push(("baseline".to_owned(), file.unwrap_or_default()));
        }
        let turn = if metric.direction == Direction::Minimize { -1.0 } else { 1.0 };
        let folder = self.session.folder().display().to_string();
        let mut is_in = vec![true; sides];
        let mut values = vec![Vec::new(); sides];
        let timer = Timer::start(self.arguments.max_time, began);
        let mut found = None;
        for (index, (repeats, _)) in looks.iter().enumerate() {
            let is_whole = self.train(*repeats, &is_in)?;
            self.refuse_other_machine(opponent)?;
            values = self.values(opponent);
            let state = judge(&duel, &values, (turn, is_ratio), &looks);
            is_in.clone_from(&state.is_in);
            let has_none =
                |side: &Vec<Option<f64>>| side.len() >= FIRST && side.iter().all(Option::is_none);
            let end = match () {
                () if values.iter().any(has_none) => Some(DuelEnd::NoValues),
                () if state.is_over => Some(DuelEnd::Decision),
                () if timer.is_over() => Some(DuelEnd::MaxTime),
                () if index + 1 == looks.len() => Some(DuelEnd::MaxTrials),
                () if !is_whole => return Err(interrupted()),
                () => None,
            };
            let subject = DuelSubject {
                metric: &metric,
                commands: &labels,
                has_baseline: opponent.is_some(),
                values: &values,
                indifference,
                is_ratio,
                alpha: ALPHA,
                folder: &folder,
            };
            let ended_by = end.unwrap_or(DuelEnd::MaxTrials);
            let seconds = began.elapsed().as_secs_f64();
            let report = DuelReport::of(&subject, &state, turn, ended_by, seconds);
            // Looks of an earlier call are not told again.
            if !self.arguments.quiet && state.repeats == *repeats {
                say!("{}", progress(&report));
            }
            if end.is_some() {
                found = Some(report);
                break;
            }
        }
        drop(timer);
        found.ok_or_else(|| {
            Failure::input("cannot begin a duel")
                .because_of(format!("{most} trials are fewer than a first look has, {FIRST}"))
        })
    }

    /// Refuses to hold times against those of another machine.
    fn refuse_other_machine(&self, opponent: Option<&Opponent>) -> Result<(), Failure> {
        let (Some(known), Some(results)) = (opponent, &self.results) else { return Ok(()) };
        let here = &results.facts.origin.hardware;
        if !self.contest.is_timed || known.hardware == *here {
            return Ok(());
        }
        Err(Failure::input("cannot hold times against the baseline")
            .because_of(format!("it was measured on `{}`, and this is `{here}`", known.hardware))
            .hint(Some("measure a baseline on this machine with `--save-baseline`")))
    }

    fn metric(&self) -> Metric {
        let experiment = self.session.experiment.document.experiment();
        experiment.metric().clone()
    }

    /// Trains up to so many repeats of the commands that are in; says whether all of them ended.
    fn train(&mut self, repeats: usize, is_in: &[bool]) -> Result<bool, Failure> {
        let asked = &mut self.session.experiment.repeats;
        let mut more = match std::mem::take(asked) {
            Repeats::More(more) => more,
            Repeats::AsTyped | Repeats::Fresh { .. } => BTreeMap::new(),
        };
        for (cell, _) in self.cells.iter().zip(is_in).filter(|(_, is_in)| **is_in) {
            let known = more.entry(*cell).or_default();
            *known = (repeats as u32).max(*known);
        }
        *asked = Repeats::More(more);
        let plan = self.session.plan()?;
        let how = TrainOptions {
            workers: Some(usize::from(self.arguments.jobs)),
            retry_failed: false,
            retries: RETRIES,
            fail_fast: false,
            save_weights: false,
            channel: if !self.arguments.quiet && self.terminal.is_watched {
                Channel::Bar
            } else {
                Channel::Failures
            },
        };
        let engine = self.engine.as_ref();
        let finished = train(&mut self.session, &plan, engine, how, self.terminal)?;
        self.results = Some(finished.results);
        Ok(!finished.summary.interrupted)
    }

    /// Returns the values of every command by repeat as far as all below have ended, those of a
    /// baseline last.
    fn values(&self, opponent: Option<&Opponent>) -> Vec<Vec<Option<f64>>> {
        let metric = self.metric();
        let of_cell = |id: &CellId| {
            let cells = self.results.iter().flat_map(|results| &results.cells);
            let cell = cells.into_iter().find(|cell| cell.id == *id);
            cell.map_or_else(Vec::new, |cell| by_repeat(cell, &metric))
        };
        let known = opponent.map(|known| known.values.clone());
        self.cells.iter().map(of_cell).chain(known).collect()
    }

    /// Says that a command gave no value at all.
    fn tell_no_values(&self) -> Exit {
        let cells = self.results.iter().flat_map(|results| &results.cells);
        let empty = cells
            .into_iter()
            .find(|cell| !cell.trials.is_empty() && cell.completed().next().is_none());
        if let Some(cell) = empty {
            let reason = cell.trials.iter().find_map(|trial| trial.reason.as_deref());
            say!(
                "error: no trial of {} gave a value\n  caused by: {}\n  hint: what it printed stands in `{}`",
                cell.name,
                reason.unwrap_or("no reason given"),
                self.session.folder().join("attempts").display()
            );
        }
        Exit::TrialsFailed
    }
}

fn judge(
    duel: &Duel,
    values: &[Vec<Option<f64>>],
    (turn, is_ratio): (f64, bool),
    looks: &[(usize, f64)],
) -> DuelState {
    let scaled = |value: f64| {
        turn * if is_ratio { value.max(MetricName::SHORTEST_SECONDS).ln() } else { value }
    };
    let turned: Vec<Vec<Option<f64>>> =
        values.iter().map(|side| side.iter().map(|value| value.map(scaled)).collect()).collect();
    let sides: Vec<&[Option<f64>]> = turned.iter().map(Vec::as_slice).collect();
    duel.judge(&sides, looks)
}

/// Returns the values of a cell by repeat, up to the first that has not ended.
fn by_repeat(cell: &CellResults, metric: &Metric) -> Vec<Option<f64>> {
    let ended = |repeat: u32| {
        let mut trials = cell.trials.iter();
        trials.find(|trial| trial.repeat == repeat && trial.outcome != Outcome::Interrupted)
    };
    let values = (0..cell.planned).map_while(ended);
    values.map(|trial| trial.metrics.get(&metric.name).copied()).collect()
}

fn interrupted() -> Failure {
    Failure::interrupted("stopped before the decision")
        .hint(Some("run the same command again to go on"))
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
