//! A duel: commands take turns on shared seeds until it can be told which is better.
//!
//! An experiment of the `command` engine whose repeats grow look by look; the decision is a pure function
//! of the values at the looks, so that a kill or another call alters nothing.

mod contest;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Instant;

use super::{Error, Finished, LoadedExperiment, Session, data_folders};
use crate::base::{CellId, Direction, Metric, MetricName};
use crate::check::{Baseline, CellSample, Source};
use crate::experiment::value::Value;
use crate::plan::Plan;
use crate::record::Outcome;
use crate::report::duel::{DuelEnd, DuelReport, DuelSubject};
use crate::results::{CellResults, ExperimentResults};
use crate::store::{Repeats, atomic};
use gridbench_stats::{Duel, DuelState};

use super::Listener;
use contest::{AXIS, MIN_VALUES};

pub(crate) use contest::{Contest, Opponent};

/// Repeats at the first look.
const FIRST: usize = 4;
/// The chance that anything wrong is ever claimed.
const ALPHA: f64 = 0.05;

/// What is asked of a duel.
#[derive(Debug, Clone)]
pub(crate) struct DuelQuestion {
    /// The commands, as lines for a shell.
    pub(crate) commands: Vec<String>,
    /// What they print; absent where a baseline says it.
    pub(crate) metric: Option<MetricName>,
    /// Whether it is how long they take instead.
    pub(crate) wall_time: bool,
    /// Whether smaller values are better.
    pub(crate) is_minimized: bool,
    /// Name of the unit; absent: by the name of the metric.
    pub(crate) unit: Option<String>,
    /// Regular expression that finds the number.
    pub(crate) pattern: Option<String>,
    /// Differences below it are of no interest, in points for fractions, in percent for times.
    pub(crate) indifference: f64,
    /// Most trials of every command.
    pub(crate) max_trials: usize,
    /// Most seconds of a trial.
    pub(crate) time_limit: Option<f64>,
    /// Variables that the commands see beside the usual ones.
    pub(crate) environment: Vec<(String, String)>,
    /// Files beside those that the commands name.
    pub(crate) inputs: Vec<String>,
    /// Master seed, where no baseline has one.
    pub(crate) seed: u64,
    /// What the other side is called, where it is a baseline.
    pub(crate) against: Option<String>,
}

/// Trains a plan up to a look.
pub(crate) type TrainLook<'a, E> = dyn FnMut(&mut Session, &Plan) -> Result<Finished, E> + 'a;

/// Where the commands are run, and what they gave so far.
pub(crate) struct Ring<'a> {
    contest: &'a Contest<'a>,
    session: Session,
    /// Cells by command.
    cells: Vec<CellId>,
    results: Option<ExperimentResults>,
}

impl<'a> Ring<'a> {
    /// Opens the folder of a contest.
    ///
    /// # Errors
    /// If a command or what is measured of it cannot be meant.
    pub(crate) fn open(
        contest: &'a Contest<'a>,
        folder: PathBuf,
        listener: Listener,
    ) -> Result<Self, Error> {
        let loaded = LoadedExperiment::parse(&contest.text(FIRST), "the duel", &[])?;
        let session = Session::of(loaded, folder, data_folders(None), listener)?;
        let cell_of = |command: &String| {
            let is_it = |(key, value): (&str, &Value)| {
                key == AXIS && *value == Value::Text(command.clone())
            };
            let grid = &session.experiment.grid;
            grid.cells().find(|cell| grid.assignment(*cell).any(is_it)).map(|cell| grid.id(cell))
        };
        let cells = contest.commands.iter().filter_map(cell_of).collect();
        Ok(Self { contest, session, cells, results: None })
    }

    /// Lets the commands take turns until it can be told, or the budget is spent. `tell` hears of every
    /// look that was not taken by an earlier call.
    ///
    /// # Errors
    /// If something cannot be trained, or not read.
    pub(crate) fn fight<E: From<Error>>(
        &mut self,
        opponent: Option<&Opponent>,
        (began, is_over): (Instant, &dyn Fn() -> bool),
        tell: &mut dyn FnMut(&DuelReport),
        train: &mut TrainLook<'_, E>,
    ) -> Result<DuelReport, E> {
        let asked = self.contest.asked;
        let metric = self.metric();
        let most = asked.max_trials;
        let most = opponent.map_or(most, |known| most.min(known.values.len()));
        let is_ratio = self.contest.is_timed;
        let unit = if is_ratio { 100.0 } else { metric.unit.factor() };
        let indifference = asked.indifference / unit;
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
            labels.push(("baseline".to_owned(), asked.against.clone().unwrap_or_default()));
        }
        let turn = if metric.direction == Direction::Minimize { -1.0 } else { 1.0 };
        let folder = self.session.folder().display().to_string();
        let mut is_in = vec![true; sides];
        let mut values = vec![Vec::new(); sides];
        let mut found = None;
        for (index, (repeats, _)) in looks.iter().enumerate() {
            let is_whole = self.train(*repeats, &is_in, train)?;
            self.refuse_other_machine(opponent)?;
            values = self.values(opponent);
            let state = judge(&duel, &values, (turn, is_ratio), &looks);
            is_in.clone_from(&state.is_in);
            let has_none =
                |side: &Vec<Option<f64>>| side.len() >= FIRST && side.iter().all(Option::is_none);
            let end = match () {
                () if values.iter().any(has_none) => Some(DuelEnd::NoValues),
                () if state.is_over => Some(DuelEnd::Decision),
                () if is_over() => Some(DuelEnd::MaxTime),
                () if index + 1 == looks.len() => Some(DuelEnd::MaxTrials),
                () if !is_whole => return Err(interrupted().into()),
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
            if state.repeats == *repeats {
                tell(&report);
            }
            if end.is_some() {
                found = Some(report);
                break;
            }
        }
        found.ok_or_else(|| {
            Error::input("cannot begin a duel")
                .because_of(format!("{most} trials are fewer than a first look has, {FIRST}"))
                .into()
        })
    }

    /// Refuses to hold times against those of another machine.
    fn refuse_other_machine(&self, opponent: Option<&Opponent>) -> Result<(), Error> {
        let (Some(known), Some(results)) = (opponent, &self.results) else { return Ok(()) };
        let here = &results.facts.origin.hardware;
        if !self.contest.is_timed || known.hardware == *here {
            return Ok(());
        }
        Err(Error::input("cannot hold times against the baseline")
            .because_of(format!("it was measured on `{}`, and this is `{here}`", known.hardware))
            .hint(Some("measure a baseline on this machine with `--save-baseline`")))
    }

    fn metric(&self) -> Metric {
        let experiment = self.session.experiment.document.experiment();
        experiment.metric().clone()
    }

    /// Trains up to so many repeats of the commands that are in; says whether all of them ended.
    fn train<E: From<Error>>(
        &mut self,
        repeats: usize,
        is_in: &[bool],
        train: &mut TrainLook<'_, E>,
    ) -> Result<bool, E> {
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
        let finished = train(&mut self.session, &plan)?;
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

    /// Returns what to say where a command gave no value at all.
    pub(crate) fn no_values(&self) -> Option<Error> {
        let mut cells = self.results.iter().flat_map(|results| &results.cells);
        let is_empty =
            |cell: &&CellResults| !cell.trials.is_empty() && cell.completed().next().is_none();
        let cell = cells.find(is_empty)?;
        let reason = cell.trials.iter().find_map(|trial| trial.reason.as_deref());
        let hint =
            format!("`bench logs {}` shows what it printed", self.session.folder().display());
        Some(
            Error::input(format!("no trial of {} gave a value", cell.name))
                .because_of(reason.unwrap_or("no reason given"))
                .hint(Some(hint)),
        )
    }

    /// Runs the one command of this contest and writes its values as a baseline; returns how many there
    /// are.
    ///
    /// # Errors
    /// If too few trials give a value, or the file cannot be written.
    pub(crate) fn write_baseline<E: From<Error>>(
        &mut self,
        repeats: usize,
        file: &Path,
        train: &mut TrainLook<'_, E>,
    ) -> Result<usize, E> {
        if !self.train(repeats, &[true], train)? {
            return Err(interrupted().into());
        }
        let cannot = || Error::input(format!("cannot write a baseline to `{}`", file.display()));
        let results = self.results.as_ref().expect("it was trained");
        let cells = CellSample::all(results, &self.metric(), repeats as u32);
        let values = cells.first().map_or(0, |cell| cell.values.len());
        if values < MIN_VALUES {
            let cause = format!(
                "{values} of {repeats} trials gave a value, expected at least {MIN_VALUES}"
            );
            return Err(cannot().because_of(cause).into());
        }
        let baseline = Baseline::from_samples(Source::of(results), cells)
            .map_err(|error| cannot().because(&error))?;
        atomic::write_named(file, baseline.to_text().as_bytes())
            .map_err(|error| cannot().because(&error).hint(error.hint()))?;
        Ok(values)
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

/// Returns the contest of one command alone, on seeds that no comparison has seen: those it won by are
/// the luckiest of their kind, and would raise the bar by that luck.
pub(crate) fn on_fresh_seeds<'a>(contest: &Contest<'a>, command: usize) -> Contest<'a> {
    contest.alone(command, contest.seed + 1)
}

/// Returns the index of the command that won, where one did.
pub(crate) fn winner(report: &DuelReport, commands: usize) -> Option<usize> {
    let winner = report.winner.as_ref()?;
    report.commands[..commands].iter().position(|command| command.label == *winner)
}

fn interrupted() -> Error {
    Error::interrupted("stopped before the decision")
        .hint(Some("run the same command again to go on"))
}
