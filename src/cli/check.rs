//! `bench baseline` and `bench check`: the gate.

use std::fs::OpenOptions;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use super::arguments::{BaselineArguments, CheckArguments};
use super::failure::{Exit, Failure};
use super::folders;
use super::notices::listener;
use super::run::{How, engine_on, train};
use super::streams;
use super::terminal::Terminal;
use crate::base::text::harmless;
use crate::base::{Metric, MetricName, digest_of};
use crate::check::render::{Context, Form, Refusal, SUMMARY_LIMIT, markdown, render};
use crate::check::{self, Baseline, CellSample, CheckError, CheckReport, Looks, Source, Verdict};
use crate::record::Outcome;
use crate::results::{CellResults, ExperimentResults};
use crate::session::{Escalation, Images, Reading, data_folders, refresh};
use crate::spec::experiment::{CheckSettings, Experiment};
use crate::store::{Repeats, atomic};

/// Simulated checks behind each line of `--self-test`.
const SELF_TESTS: usize = 2_000;

pub(super) fn baseline(arguments: &BaselineArguments) -> Result<Exit, Failure> {
    let candidate = Candidate::in_folder(&arguments.folder)?;
    let cannot = || Failure::input("cannot write a baseline");
    candidate.complete().map_err(|cause| {
        cannot().because_of(cause).hint(Some("finish the run first: run the experiment again"))
    })?;
    let (cells, empty): (Vec<CellSample>, Vec<CellSample>) =
        candidate.cells(u32::MAX).into_iter().partition(|cell| !cell.values.is_empty());
    let is_gated = |cell: &&CellSample| cell.metric.name == candidate.settings.metric;
    let gated = cells.iter().filter(is_gated).count();
    for cell in empty.iter().filter(is_gated) {
        say!("warning: cell `{}` has no completed trial: it will not be gated", cell.name);
    }
    let metrics: Vec<&str> =
        candidate.metrics().into_iter().map(|metric| metric.name.as_str()).collect();
    let metrics = metrics.join(", ");
    let baseline = Baseline::from_samples(candidate.source.clone(), cells)
        .map_err(|error| cannot().because(&error))?;
    atomic::write_named(&arguments.output, harmless(&baseline.to_text(), true).as_bytes())
        .map_err(|error| cannot().because(&error).hint(error.hint()))?;
    say!(
        "baseline of {gated} cell{} ({}) written to `{}`; commit it",
        if gated == 1 { "" } else { "s" },
        metrics,
        arguments.output.display()
    );
    Ok(Exit::Done)
}

pub(super) fn check(arguments: &CheckArguments, terminal: Terminal) -> Result<Exit, Failure> {
    let summary = arguments.summary.then(summary_file).transpose()?;
    let baseline = read_baseline(arguments)?;
    for path in arguments.output.iter().chain(arguments.also.iter().map(|(_, path)| path)) {
        atomic::probe(path).map_err(|error| Failure::unwritable("the verdict", &error))?;
    }
    bring_up_to_date(arguments)?;
    let mut candidate = Candidate::in_folder(&arguments.folder)?;
    let training = &arguments.training;
    let begin = || -> Result<_, Failure> {
        let data = data_folders(training.data.data_dir.clone());
        let begun = Escalation::begin(&arguments.folder, data, listener(training.quiet))?;
        Ok((begun, engine_on(&training.device)?))
    };
    let mut escalation = arguments.escalate.then(begin).transpose()?;
    let (report, cells) = loop {
        let (report, cells) = match candidate.judge(&baseline, arguments) {
            Ok(judged) => judged,
            Err(error) => return Err(refuse(arguments, &error, summary.as_deref())?),
        };
        let Some((escalation, engine)) = &mut escalation else { break (report, cells) };
        if !escalation.ask_for_more(&report, &candidate.looks(true)) {
            break (report, cells);
        }
        let plan = escalation.session.plan()?;
        let how = How::of(training, terminal);
        let finished = train(&mut escalation.session, &plan, engine.as_ref(), how, terminal)?;
        if finished.summary.interrupted {
            return Err(Failure::interrupted("stopped before the verdict")
                .hint(Some("run the same command again to go on")));
        }
        candidate = Candidate::in_folder(&arguments.folder)?;
        if candidate.looks_taken(candidate.looks(true)) <= report.looks_taken {
            return Err(Failure::input("cannot take the next look")
                .because_of("trials are missing although everything was trained")
                .hint(Some("see `bench status` for what went wrong")));
        }
    };
    let mut report = report;
    let digest = digest_of(baseline.to_text().as_bytes()).to_string();
    if let Some(path) = &arguments.history {
        super::history::count_looks(path, &mut report, &digest);
    }
    let (folder, shown) =
        (arguments.folder.display().to_string(), arguments.baseline.display().to_string());
    let context = Context { folder: &folder, baseline: &shown, cells: &cells };
    write_forms(arguments, &report, context, summary.as_deref())?;
    if let Some(path) = &arguments.history {
        super::history::append(path, &report, digest)?;
    }
    Ok(match report.verdict {
        Verdict::Ok => Exit::Done,
        Verdict::Regressed => Exit::Regressed,
        Verdict::Inconclusive => Exit::Inconclusive,
    })
}

/// Writes to every file asked for why there is no verdict, and returns the error to end with.
fn refuse(
    arguments: &CheckArguments,
    error: &CheckError,
    summary: Option<&Path>,
) -> Result<Failure, Failure> {
    let refusal = Refusal::from(error);
    let folder = arguments.folder.display().to_string();
    let chosen = if arguments.json { Form::Json } else { arguments.format };
    let output = arguments.output.iter().map(|path| (chosen, path));
    for (form, path) in arguments.also.iter().map(|(form, path)| (*form, path)).chain(output) {
        atomic::write_named(
            path,
            harmless(&refusal.render(&folder, form), is_for_github(form)).as_bytes(),
        )
        .map_err(|error| Failure::unwritable("the verdict", &error))?;
    }
    if let Some(path) = summary {
        append_text(path, &refusal.render(&folder, Form::Markdown))?;
    }
    // The error below says it to a person; a program that reads the output gets its form.
    if arguments.output.is_none() && chosen != Form::Terminal {
        print_form(&refusal.render(&folder, chosen), chosen);
    }
    Ok(Failure::input(format!("cannot check `{folder}`"))
        .because_of(refusal.cause())
        .hint(refusal.hint))
}

/// Rewrites what is stale before it is judged: a run or an escalation may have been killed between
/// its last trial and its tables. Who only checks may do so in a folder that cannot be written;
/// what cannot be read is told when it is judged.
fn bring_up_to_date(arguments: &CheckArguments) -> Result<(), Failure> {
    let data = data_folders(arguments.training.data.data_dir.clone());
    let mut images = Images::new(data, listener(arguments.training.quiet));
    match refresh(&arguments.folder, &mut images) {
        Err(_) if !arguments.escalate => Ok(()),
        refreshed => Ok(refreshed?),
    }
}

fn read_baseline(arguments: &CheckArguments) -> Result<Baseline, Failure> {
    let shown = arguments.baseline.display().to_string();
    let cannot = || Failure::input(format!("cannot read baseline `{shown}`"));
    let text = std::fs::read_to_string(&arguments.baseline).map_err(|error| {
        cannot().because(&error).hint(Some(format!(
            "write one with `bench baseline {} --output {shown}`",
            arguments.folder.display()
        )))
    })?;
    Baseline::from_text(&text).map_err(|error| cannot().because(&error))
}

fn summary_file() -> Result<PathBuf, Failure> {
    folders::job_summary().ok_or_else(|| {
        Failure::input("cannot append to the job summary")
            .because_of("`GITHUB_STEP_SUMMARY` is not set: this is no step of GitHub Actions")
            .hint(Some("write it to a file with `--also markdown=FILE`"))
    })
}

/// Writes the verdict in every form asked for.
fn write_forms(
    arguments: &CheckArguments,
    report: &CheckReport,
    context: Context<'_>,
    summary: Option<&Path>,
) -> Result<(), Failure> {
    let write = |path: &Path, form: Form| {
        let text = harmless(&render(report, context, form), is_for_github(form));
        atomic::write_named(path, text.as_bytes())
            .map_err(|error| Failure::unwritable("the verdict", &error))
    };
    for (format, path) in &arguments.also {
        write(path, *format)?;
    }
    if let Some(path) = summary {
        append_summary(path, report, context)?;
    }
    let chosen = if arguments.json { Form::Json } else { arguments.format };
    match &arguments.output {
        Some(path) => write(path, chosen)?,
        None => print_form(&render(report, context, chosen), chosen),
    }
    Ok(())
}

/// Returns whether a form holds workflow commands.
fn is_for_github(form: Form) -> bool {
    form == Form::Github
}

/// Prints a verdict; that for GitHub holds commands.
fn print_form(text: &str, form: Form) {
    if is_for_github(form) { streams::print_commands(text) } else { out!("{text}") }
}

/// Appends to the file GitHub names, which may hold what earlier commands of the step wrote; what
/// is beyond the limit would make GitHub drop all of it.
fn append_summary(path: &Path, report: &CheckReport, context: Context<'_>) -> Result<(), Failure> {
    let taken = std::fs::metadata(path).map_or(0, |facts| facts.len() as usize);
    append_text(path, &markdown(report, context, SUMMARY_LIMIT.saturating_sub(taken + 1)))
}

fn append_text(path: &Path, text: &str) -> Result<(), Failure> {
    let cannot = |error: &std::io::Error| {
        Failure::input(format!("cannot append to the job summary `{}`", path.display()))
            .because(error)
    };
    atomic::check_way(path).map_err(|error| Failure::unwritable("the job summary", &error))?;
    let mut file =
        OpenOptions::new().create(true).append(true).open(path).map_err(|e| cannot(&e))?;
    file.write_all(format!("{}\n", harmless(text, false)).as_bytes()).map_err(|e| cannot(&e))
}

/// Results as the gate sees them.
struct Candidate {
    results: ExperimentResults,
    settings: CheckSettings,
    repeats: u32,
    more: bool,
    source: Source,
}

impl Candidate {
    fn in_folder(folder: &Path) -> Result<Self, Failure> {
        let Reading { manifest, results, .. } = Reading::open(folder)?;
        let cannot = || format!("cannot read the results in `{}`", folder.display());
        let experiment: Experiment = serde_json::from_value(manifest.run.experiment.clone())
            .map_err(|error| {
                Failure::input(cannot())
                    .because(&error)
                    .hint(Some("run the experiment again with this version of `bench`"))
            })?;
        let source = Source::of(&results);
        let more = matches!(manifest.run.repeats, Repeats::More(_));
        let repeats = experiment.repeats;
        Ok(Self { results, settings: experiment.check, repeats, more, source })
    }

    fn planned(&self) -> usize {
        self.results.cells.iter().map(|cell| cell.planned as usize).sum()
    }

    /// Counts the trials that have an outcome, whatever it is.
    fn ended(&self) -> usize {
        let ended = |cell: &CellResults| {
            let of_cell = cell.trials.iter();
            of_cell.filter(|trial| trial.outcome != Outcome::Interrupted).count()
        };
        self.results.cells.iter().map(ended).sum()
    }

    /// Says what keeps the results from being whole.
    fn complete(&self) -> Result<(), String> {
        let missing: Vec<_> = self
            .results
            .cells
            .iter()
            .filter(|cell| {
                let ended = cell.completed().count() + cell.count(Outcome::Diverged);
                (ended as u32) < cell.planned
            })
            .map(|cell| format!("`{}`", cell.name))
            .collect();
        if missing.is_empty() {
            return Ok(());
        }
        Err(format!("{} cells are not finished: {}", missing.len(), missing.join(", ")))
    }

    /// Returns the looks that may be taken: one, unless the check is or was escalated.
    fn looks(&self, escalate: bool) -> Looks {
        if escalate || self.more {
            Looks { first: self.repeats, count: Looks::ESCALATED }
        } else {
            Looks::single()
        }
    }

    /// Returns the looks there are trials for, at least the first: a look is taken once some cell
    /// was asked for its repeats and every such cell has an outcome for each.
    fn looks_taken(&self, looks: Looks) -> usize {
        let ended = |cell: &CellResults, below: u32| {
            let ended = cell
                .trials
                .iter()
                .filter(|trial| trial.repeat < below && trial.outcome != Outcome::Interrupted);
            ended.count() as u64 >= u64::from(below)
        };
        let taken = |look: &usize| {
            let wanted = looks.repeats(*look);
            let mut asked =
                self.results.cells.iter().filter(|cell| cell.planned >= wanted).peekable();
            asked.peek().is_some() && asked.all(|cell| ended(cell, wanted))
        };
        1 + (1..looks.count).take_while(taken).count()
    }

    /// Holds everything there is against the baseline; returns the samples of the last look too.
    fn judge(
        &self,
        baseline: &Baseline,
        arguments: &CheckArguments,
    ) -> Result<(CheckReport, Vec<CellSample>), CheckError> {
        let mut settings = self.settings.clone();
        settings.tolerance = arguments.tolerance.unwrap_or(settings.tolerance);
        let looks = self.looks(arguments.escalate);
        let taken: Vec<Vec<CellSample>> = match looks.count {
            1 => vec![self.cells(u32::MAX)],
            _ => (0..self.looks_taken(looks)).map(|look| self.cells(looks.repeats(look))).collect(),
        };
        let slices: Vec<&[CellSample]> = taken.iter().map(Vec::as_slice).collect();
        let mut report = check::check_looks(baseline, &slices, looks, &self.source, &settings)?;
        if arguments.self_test {
            let last = slices[slices.len() - 1];
            let found = check::self_test(baseline, last, &self.source, &settings, SELF_TESTS);
            report.self_test = found.ok();
        }
        let (planned, ended) = (self.planned(), self.ended());
        if ended < planned {
            report.warnings.push(check::Warning::Unfinished { ended, planned });
        }
        Ok((report, self.cells(u32::MAX)))
    }

    /// Returns the declarations of what is gated.
    fn metrics(&self) -> Vec<&Metric> {
        let speed = self.settings.images_per_second.is_some();
        let is_gated = |metric: &&Metric| {
            metric.name == self.settings.metric
                || speed && metric.name == MetricName::IMAGES_PER_SECOND
        };
        let mut gated: Vec<&Metric> = self.results.facts.metrics.iter().filter(is_gated).collect();
        gated.sort_by_key(|metric| metric.name != self.settings.metric);
        gated
    }

    /// Returns the samples of every gated metric over the repeats below `repeats`.
    fn cells(&self, repeats: u32) -> Vec<CellSample> {
        let metrics = self.metrics().into_iter();
        metrics.flat_map(|metric| CellSample::all(&self.results, metric, repeats)).collect()
    }
}
