//! `bench baseline` and `bench check`: the gate.

use std::fs::OpenOptions;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use super::arguments::{BaselineArguments, CheckArguments};
use super::failure::{Exit, Failure};
use super::folders;
use super::notices::listener;
use super::run::{TrainOptions, engine_on, train};
use super::streams;
use super::terminal::{Terminal, fitted};
use crate::base::text::harmless;
use crate::base::{MetricName, digest_of};
use crate::check::render::{Context, Form, Refusal, SUMMARY_LIMIT, markdown, render};
use crate::check::{Baseline, CheckError, CheckReport, Control, Verdict};
use crate::plan::Plan;
use crate::report::counted;
use crate::session::{
    Candidate, CheckQuestion, ControlRun, Escalation, Images, Judged, Prepared, Session,
    data_folders, judge, refresh,
};
use crate::store::atomic;

pub(super) fn baseline(arguments: &BaselineArguments) -> Result<Exit, Failure> {
    let made = Candidate::in_folder(&arguments.folder)?.baseline()?;
    for cell in &made.empty {
        say!("warning: cell `{cell}` has no completed trial: it will not be gated");
    }
    atomic::write_named(&arguments.output, harmless(&made.baseline.to_text(), true).as_bytes())
        .map_err(|error| {
            Failure::input("cannot write a baseline").because(&error).hint(error.hint())
        })?;
    let metrics: Vec<&str> = made.metrics.iter().map(MetricName::as_str).collect();
    say!(
        "baseline of {} ({}) written to `{}`; commit it",
        counted(made.gated, "cell"),
        metrics.join(", "),
        arguments.output.display()
    );
    Ok(Exit::Done)
}

pub(super) fn check(arguments: &CheckArguments, terminal: Terminal) -> Result<Exit, Failure> {
    let summary = arguments.summary.then(summary_file).transpose()?;
    let (file, folder) = (&arguments.baseline, arguments.folder.display());
    let hint = format!("write one with `bench baseline {folder} --output {}`", file.display());
    let baseline = read_baseline(file, hint)?;
    for path in arguments.output.iter().chain(arguments.also.iter().map(|(_, path)| path)) {
        atomic::probe(path).map_err(|error| Failure::unwritable("the verdict", &error))?;
    }
    bring_up_to_date(arguments)?;
    let mut candidate = Candidate::in_folder(&arguments.folder)?;
    let question = CheckQuestion {
        tolerance: arguments.tolerance,
        escalate: arguments.escalate,
        self_test: arguments.self_test,
    };
    let judged = if arguments.escalate {
        let training = &arguments.training;
        let data = data_folders(training.data.data_dir.clone());
        let escalation = Escalation::begin(&arguments.folder, data, listener(training.quiet))?;
        let engine = engine_on(&training.device)?;
        let how = TrainOptions::of(training, terminal);
        let mut train = |session: &mut Session, plan: &Plan| {
            train(session, plan, engine.as_ref(), how, terminal)
                .map(|finished| finished.summary.interrupted)
        };
        judge(&mut candidate, &baseline, &question, Some((escalation, &mut train)))?
    } else {
        judge::<Failure>(&mut candidate, &baseline, &question, None)?
    };
    let Judged { mut report, cells } = match judged {
        Ok(judged) => judged,
        Err(error) => return Err(refuse(arguments, &error, summary.as_deref())?),
    };
    if arguments.control {
        report.control =
            Some(control(arguments, (&candidate, &baseline), &report.metric.name, terminal)?);
    }
    let digest = digest_of(baseline.to_text().as_bytes()).to_string();
    if let Some(path) = &arguments.history {
        super::history::count_looks(path, &mut report, &digest);
    }
    let (folder, shown) =
        (arguments.folder.display().to_string(), arguments.baseline.display().to_string());
    let context = Context { folder: &folder, baseline: &shown, cells: &cells };
    write_forms(arguments, &report, context, summary.as_deref(), terminal)?;
    if let Some(path) = &arguments.history {
        super::history::append(path, &report, digest)?;
    }
    Ok(match report.verdict {
        Verdict::Ok => Exit::Done,
        Verdict::Regressed => Exit::Regressed,
        Verdict::Inconclusive => Exit::Inconclusive,
    })
}

/// Sees one trial of the baseline again under its own seed.
fn control(
    arguments: &CheckArguments,
    (candidate, baseline): (&Candidate, &Baseline),
    metric: &MetricName,
    terminal: Terminal,
) -> Result<Control, Failure> {
    let training = &arguments.training;
    let scratch = tempfile::tempdir()
        .map_err(|error| Failure::input("cannot train the control").because(&error))?;
    let data = data_folders(training.data.data_dir.clone());
    let out = scratch.path().join("control");
    let surroundings = (data, listener(true));
    let prepared =
        ControlRun::prepare(&arguments.folder, candidate, baseline, metric, &out, surroundings)?;
    let mut run = match prepared {
        Prepared::Done(control) => return Ok(control),
        Prepared::Train(run) => run,
    };
    let plan = run.session.plan()?;
    let engine = engine_on(&training.device)?;
    let how = TrainOptions::of(training, terminal);
    let finished = train(&mut run.session, &plan, engine.as_ref(), how, terminal)?;
    if finished.summary.interrupted {
        return Err(Failure::interrupted("stopped before the verdict")
            .hint(Some("run the same command again")));
    }
    Ok(run.conclude(&finished))
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

/// Reads a baseline; `hint` says how to write one.
pub(super) fn read_baseline(file: &Path, hint: String) -> Result<Baseline, Failure> {
    let cannot = || Failure::input(format!("cannot read baseline `{}`", file.display()));
    let text =
        std::fs::read_to_string(file).map_err(|error| cannot().because(&error).hint(Some(hint)))?;
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
    terminal: Terminal,
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
    if let Some(path) = &arguments.output {
        write(path, chosen)?;
    } else {
        let text = render(report, context, chosen);
        let is_narrow = terminal.is_shown && chosen == Form::Terminal;
        print_form(&if is_narrow { fitted(&text, terminal.width) } else { text }, chosen);
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
