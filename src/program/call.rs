//! One trial: from its settings to the call of a program, from its end to an outcome.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::ops::ControlFlow;
use std::sync::PoisonError;
use std::time::Duration;

use serde_json::json;

use super::answers::{Answers, Lines, Unanswered};
use super::child::{self, Asked, Call, Ending, Listener};
use super::predictions::with_predictions;
use super::resources::Taken;
use super::wording::{how_it_ended, not_started, shown_program};
use super::workspace::{Kept, Workspace};
use super::{PATH, ProgramEngine, measure, tables};
use crate::base::{Metric, MetricName, SeedPath, Stream, format};
use crate::engine::{EngineError, EpochObserver, TrainJob, TrainOutput};
use crate::experiment::program::{Mode, Placeholder, ReadFrom, shown_bytes};
use crate::experiment::settings::{CommandSettings, TrainerSettings};
use crate::experiment::value::Value;
use crate::record::{EpochRecord, MemberSummary, Outcome, Selection};

/// Bytes of standard output after which a program is ended.
pub(super) const MAX_OUTPUT: u64 = 256 << 20;

/// Returns the seed of a program: below 2³¹, the same in all cells of a repeat.
fn seed(path: SeedPath) -> u64 {
    SeedPath { member: None, ..path }.word(Stream::Program, 0) & 0x7fff_ffff
}

/// What a program is told of its trial.
pub(super) struct Told<'a> {
    pub(super) job: &'a TrainJob<'a>,
    pub(super) workspace: &'a Workspace,
}

impl Told<'_> {
    fn repeat(&self) -> u32 {
        self.job.seed_path.repeat.unwrap_or(0)
    }

    fn fold(&self) -> Option<u32> {
        self.job.settings.folds.map(|folds| self.repeat() % folds)
    }

    pub(super) fn value(&self, placeholder: &Placeholder) -> String {
        match placeholder {
            Placeholder::Seed => seed(self.job.seed_path).to_string(),
            Placeholder::Repeat => self.repeat().to_string(),
            Placeholder::Fold => self.fold().unwrap_or(0).to_string(),
            Placeholder::Output => self.workspace.output().to_string_lossy().into_owned(),
            Placeholder::Hyperparameter(key) => {
                hyperparameter(&self.job.settings.hyperparameters, key).unwrap_or_default()
            }
        }
    }
}

/// Returns a hyperparameter as a program reads it: texts and numbers as they are, others as JSON.
fn hyperparameter(all: &BTreeMap<String, Value>, key: &str) -> Option<String> {
    let value = all.get(key).or_else(|| {
        let mut keys = key.split('.');
        let first = all.get(keys.next()?)?;
        keys.try_fold(first, |value, key| value.entry(key))
    })?;
    Some(match value {
        Value::Text(text) => text.clone(),
        value => serde_json::to_string(&value.plain()).unwrap_or_default(),
    })
}

impl ProgramEngine<'_> {
    /// Waits for what the program of a trial needs of the machine. The outer nothing means that the run
    /// is stopped, the inner that the experiment does not say what it needs.
    #[expect(clippy::option_option, reason = "both say something else")]
    pub(super) fn take(
        &self,
        command: &CommandSettings,
        observer: &dyn EpochObserver,
    ) -> Option<Option<Taken>> {
        let Some(resources) = &command.resources else { return Some(None) };
        let is_stopped = || observer.is_stopped();
        self.resources.take(resources, &is_stopped, &|| self.pool.make_room()).map(Some)
    }

    /// Calls the program of a trial and says what came of it.
    pub(super) fn call(
        &self,
        job: &TrainJob<'_>,
        observer: &mut dyn EpochObserver,
    ) -> Result<TrainOutput, EngineError> {
        let TrainerSettings::Command(command) = &job.settings.trainer else {
            return Err(EngineError::Unsupported("no program is named".to_owned()));
        };
        let member = job.member.ok_or_else(|| {
            EngineError::Unsupported("programs are called for planned trials only".to_owned())
        })?;
        let cannot = |what: &str, error: &std::io::Error| {
            EngineError::Trainer(format!("cannot {what} in `attempts`: {error}"))
        };
        let workspace = Workspace::create(&self.surroundings.results, &member, job.attempt)
            .map_err(|error| cannot("make a folder", &error))?;
        let told = Told { job, workspace: &workspace };
        Self::write_splits(&told).map_err(|error| cannot("write the splits", &error))?;
        if command.mode == Mode::Persistent {
            return self.ask(command, &told, observer);
        }
        let Some(taken) = self.take(command, observer) else {
            workspace.tidy();
            workspace.settle(false);
            return Ok(not_begun(command));
        };
        workspace
            .write_trial(&self.trial(&told))
            .map_err(|error| cannot("describe the trial", &error))?;

        let words = command.command.filled(&|placeholder| told.value(placeholder));
        let mut environment = self.environment(command, &told);
        environment.extend(taken.as_ref().and_then(told_of_gpus));
        let mark = workspace.trial();
        let trace = workspace.trace();
        let tracing = self.tracing.as_ref();
        let traced = tracing.and_then(|tracing| tracing.wrap(&words, &trace));
        let call = Call {
            words: traced.as_deref().unwrap_or(&words),
            environment: &environment,
            folder: &self.surroundings.folder,
            time_limit: command.time_limit.map(Duration::from_secs_f64),
            grace: Duration::from_secs_f64(command.grace),
            mark: &mark,
            memory: memory_of(command),
        };
        let mut hearing = Hearing {
            answers: Answers::new(&self.questions),
            observer,
            lines: [Lines::default(), Lines::default()],
            kept: [Kept::new(), Kept::new()],
            heard: 0,
        };
        let not_measured = self.warm_up(job.settings, &call, &words);
        let ending = child::run(&call, &mut hearing).map_err(|error| {
            workspace.tidy();
            workspace.settle(false);
            EngineError::Trainer(format!("cannot start {}", not_started(&words[0], &call, &error)))
        })?;
        let [mut stdout, mut stderr] = hearing.lines;
        let mut answers = hearing.answers;
        stdout.finish(|line| answers.stdout(line));
        stderr.finish(|line| answers.stderr(line));
        match workspace.read_results() {
            Ok(content) => answers.results_file(&content),
            Err(error) => answers.fault(format!("the results file cannot be read: {error}")),
        }
        drop(taken);
        if let (Some(tracing), true) = (tracing, traced.is_some()) {
            tracing.hear(&trace);
        }
        self.read_files(&told, &mut answers);
        let mut verdict = self.verdict(command, &ending, &answers, &hearing.kept[1]);
        if let (Some(shell), Ok(metrics)) = (not_measured, &mut verdict) {
            measure::add(metrics, &ending.usage, &shell);
        }
        let predictions = Self::predicted(&told, &mut verdict);
        let output = self.settled(&told, &answers, verdict, ending.seconds, (PATH, &hearing.kept));
        Ok(with_predictions(output, predictions))
    }

    /// Says what came of a trial, and leaves of its files what is to stay.
    pub(super) fn settled(
        &self,
        told: &Told<'_>,
        answers: &Answers<'_>,
        verdict: Verdict,
        seconds: f64,
        (path, kept): (&str, &[Kept; 2]),
    ) -> TrainOutput {
        let workspace = told.workspace;
        let epochs = epochs(answers);
        let metrics = &self.surroundings.metrics;
        let impossible = epochs.iter().find_map(|epoch| epoch.impossible(metrics));
        let verdict = verdict.and_then(|metrics| match impossible {
            Some(problem) => Err((Outcome::Failed, problem)),
            None => Ok(metrics),
        });
        let is_over = matches!(&verdict, Ok(_) | Err((Outcome::Diverged, _)));
        workspace.settle(is_over);
        match verdict {
            Ok(metrics) => {
                workspace.tidy();
                let mut undeclared = self.undeclared.lock().unwrap_or_else(PoisonError::into_inner);
                undeclared.extend(answers.undeclared().iter().cloned());
                completed(epochs, metrics, seconds, path)
            }
            Err((outcome, mut reason)) => {
                if let Some(file) = workspace.keep(&kept[0], &kept[1]) {
                    reason = format!("{reason} (standard error: `{file}`)");
                }
                TrainOutput { epochs, ..TrainOutput::ended(outcome, Some(reason)) }
            }
        }
    }

    /// Returns the text of the file that tells a program of its trial.
    fn trial(&self, told: &Told<'_>) -> String {
        format::TRIAL.text(&self.content(told))
    }

    /// Returns what a program is told of its trial.
    pub(super) fn content(&self, told: &Told<'_>) -> serde_json::Value {
        let settings = told.job.settings;
        let metrics: Vec<&str> =
            self.surroundings.metrics.iter().map(|metric| metric.name.as_str()).collect();
        let mut content = json!({
            "experiment": self.surroundings.experiment,
            "repeat": told.repeat(),
            "seed": seed(told.job.seed_path),
            "attempt": told.job.attempt,
            "hyperparameters": settings.hyperparameters,
            "metrics": metrics,
            "output": told.workspace.output(),
            "results": told.workspace.results(),
            "checkpoint": told.workspace.checkpoint(),
        });
        if !told.job.dataset.is_empty() {
            content["splits"] = told.workspace.splits().to_string_lossy().into();
        }
        if let Some(folds) = settings.folds {
            content["fold"] = told.fold().into();
            content["folds"] = folds.into();
        }
        if !settings.model.layers.is_empty() {
            content["settings"] = json!({
                "dataset": settings.dataset,
                "model": settings.model,
                "train": settings.train,
                "augment": settings.augment,
            });
        }
        content
    }

    /// Returns every variable that the program of one trial sees.
    fn environment(&self, command: &CommandSettings, told: &Told<'_>) -> Vec<(OsString, OsString)> {
        let mut all = self.declared(command, told);
        let workspace = told.workspace;
        let own = [
            ("BENCH_TRIAL", workspace.trial()),
            ("BENCH_RESULTS", workspace.results()),
            ("BENCH_OUTPUT", workspace.output()),
            ("BENCH_CHECKPOINT_DIR", workspace.checkpoint()),
        ];
        all.extend(own.into_iter().map(|(name, path)| (name.into(), path.into())));
        all
    }

    /// Returns the variables that a program inherits and those that are declared.
    pub(super) fn declared(
        &self,
        command: &CommandSettings,
        told: &Told<'_>,
    ) -> Vec<(OsString, OsString)> {
        let mut all = self.surroundings.inherited.clone();
        for (name, text) in &command.environment {
            all.retain(|(known, _)| known != name.as_str());
            let value =
                crate::experiment::program::fill(text, &|placeholder| told.value(placeholder));
            all.push((name.into(), value.into()));
        }
        all
    }

    /// Reads numbers that a program wrote into tables.
    pub(super) fn read_files(&self, told: &Told<'_>, answers: &mut Answers<'_>) {
        for (name, from) in self.questions.files() {
            let ReadFrom::Csv { file, column, row } = from else { continue };
            let file =
                crate::experiment::program::fill(file, &|placeholder| told.value(placeholder));
            let written = told.workspace.output().join(&file);
            let path =
                if written.exists() { written } else { self.surroundings.folder.join(&file) };
            match tables::column(&path, column, *row) {
                Ok(values) => values.into_iter().for_each(|value| answers.found(name, value)),
                Err(problem) => answers.fault(problem),
            }
        }
    }

    /// Returns the numbers of a trial, or its outcome and the reason.
    pub(super) fn verdict(
        &self,
        command: &CommandSettings,
        ending: &Ending,
        answers: &Answers<'_>,
        stderr: &Kept,
    ) -> Verdict {
        let program = shown_program(command.command.program());
        let killed = if ending.is_killed { " and was killed" } else { "" };
        match ending.asked {
            Some(Asked::Stopped) => {
                let reason = format!("{program} was stopped with the run{killed}");
                return Err((Outcome::Interrupted, reason));
            }
            Some(Asked::TimedOut) => {
                let limit = command.time_limit.unwrap_or(ending.seconds);
                let reason =
                    format!("{program} took longer than `trainer.time-limit`, {limit} s{killed}");
                return Err((Outcome::TimedOut, reason));
            }
            Some(Asked::TooMuch) => {
                let limit = MAX_OUTPUT >> 20;
                let reason = format!("{program} wrote more than {limit} MiB to standard output");
                return Err((Outcome::Failed, reason));
            }
            None => {}
        }
        if let (true, Some(bytes)) = (ending.has_overrun, memory_of(command)) {
            let limit = shown_bytes(bytes);
            let reason = format!(
                "{program} took more memory than `trainer.resources.memory`, {limit}, and was killed"
            );
            return Err((Outcome::Failed, reason));
        }
        if !ending.status.success() {
            let said = stderr.last_line().map_or(String::new(), |line| format!(": {line}"));
            let how = how_it_ended(ending.status);
            return Err((Outcome::Failed, format!("{program} {how}{said}")));
        }
        if answers.is_interrupted() {
            let reason = format!("{program} says that it was interrupted");
            return Err((Outcome::Interrupted, reason));
        }
        let metrics = self.surroundings.metrics.iter().map(|metric| metric.name.clone());
        // Its time is measured where it does not say it.
        let is_measured = |name: &MetricName| {
            let is_of_processes = self.surroundings.measure.is_some()
                && Metric::of_processes().iter().any(|metric| metric.name == *name);
            is_of_processes || *name == MetricName::TRAIN_SECONDS && !answers.has(name)
        };
        let wanted = metrics.filter(|name| !is_measured(name));
        answers.finals(wanted).map_err(|unanswered| match unanswered {
            Unanswered::NotFinite(text) => (Outcome::Diverged, text),
            Unanswered::Wrong(text) => {
                (Outcome::Failed, format!("{program} ended well, but {text}"))
            }
        })
    }
}

/// The numbers of a trial, or its outcome and the reason.
pub(super) type Verdict = Result<BTreeMap<MetricName, f64>, (Outcome, String)>;

/// Hears a program on behalf of its trial.
struct Hearing<'a, 'q> {
    answers: Answers<'q>,
    observer: &'a mut dyn EpochObserver,
    /// Lines of standard output and standard error.
    lines: [Lines; 2],
    kept: [Kept; 2],
    heard: u64,
}

impl Listener for Hearing<'_, '_> {
    fn stdout(&mut self, bytes: &[u8]) -> ControlFlow<()> {
        self.heard += bytes.len() as u64;
        if self.heard > MAX_OUTPUT {
            return ControlFlow::Break(());
        }
        self.kept[0].add(bytes);
        let answers = &mut self.answers;
        self.lines[0].feed(bytes, |line| answers.stdout(line));
        ControlFlow::Continue(())
    }

    fn stderr(&mut self, bytes: &[u8]) {
        self.kept[1].add(bytes);
        if self.answers.hears_stderr() {
            let answers = &mut self.answers;
            self.lines[1].feed(bytes, |line| answers.stderr(line));
        }
    }

    fn is_stopped(&self) -> bool {
        self.observer.is_stopped()
    }
}

/// Returns the bytes of memory that a program may take.
pub(super) fn memory_of(command: &CommandSettings) -> Option<u64> {
    command.resources.and_then(|resources| resources.memory)
}

/// Returns the variable that tells a program of its GPUs.
pub(super) fn told_of_gpus(taken: &Taken) -> Option<(OsString, OsString)> {
    taken.visible_gpus().map(|names| ("CUDA_VISIBLE_DEVICES".into(), names.into()))
}

/// What came of a trial whose program was not started before the run was stopped.
pub(super) fn not_begun(command: &CommandSettings) -> TrainOutput {
    let program = shown_program(command.command.program());
    let reason = format!("{program} was not started before the run was stopped");
    TrainOutput::ended(Outcome::Interrupted, Some(reason))
}

/// Returns the history that a program reported, as epochs.
fn epochs(answers: &Answers<'_>) -> Vec<EpochRecord> {
    let record = |(epoch, values): (u32, BTreeMap<MetricName, f64>)| {
        let value = |name: &MetricName| values.get(name).copied();
        EpochRecord {
            epoch,
            learning_rate: f64::NAN,
            train_loss: value(&MetricName::TRAIN_LOSS).unwrap_or(f64::NAN),
            train_accuracy: value(&MetricName::TRAIN_ACCURACY).unwrap_or(f64::NAN),
            validation_loss: value(&MetricName::VALIDATION_LOSS),
            validation_accuracy: value(&MetricName::VALIDATION_ACCURACY),
            train_seconds: 0.0,
        }
    };
    answers.history().into_iter().map(record).collect()
}

fn completed(
    epochs: Vec<EpochRecord>,
    mut metrics: BTreeMap<MetricName, f64>,
    seconds: f64,
    path: &str,
) -> TrainOutput {
    metrics.entry(MetricName::TRAIN_SECONDS).or_insert(seconds);
    let count = epochs.len() as u32;
    let summary = MemberSummary {
        epochs: count,
        selected_epoch: epochs.last().map_or(0, |epoch| epoch.epoch),
        selection: Selection::Last,
        metrics: metrics.into(),
        trainable_parameters: 0,
        path: path.to_owned(),
        images_trained: 0,
    };
    TrainOutput {
        outcome: Outcome::Completed,
        reason: None,
        epochs,
        summary: Some(summary),
        predictions: None,
        weights: None,
    }
}
