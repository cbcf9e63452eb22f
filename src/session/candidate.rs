//! Results as the gate sees them, and the looks it takes at them.

use std::path::Path;

use super::{Error, Escalation, Reading, Session};
use crate::base::{Metric, MetricName};
use crate::check::{self, Baseline, CellSample, CheckError, CheckReport, Looks, Source};
use crate::experiment::{CheckSettings, Experiment};
use crate::plan::Plan;
use crate::record::Outcome;
use crate::results::{CellResults, ExperimentResults};
use crate::store::Repeats;

/// Simulated checks behind each line of a self-test.
const SELF_TESTS: usize = 2_000;

/// What is asked of a check, beyond what the experiment says.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct CheckQuestion {
    /// Largest loss that is accepted; absent: the experiment's.
    pub(crate) tolerance: Option<f64>,
    /// Whether cells that cannot be judged are given more repeats.
    pub(crate) escalate: bool,
    /// Whether to say how often the gate notices a planted loss.
    pub(crate) self_test: bool,
}

/// What a check found.
pub(crate) struct Judged {
    pub(crate) report: CheckReport,
    /// The samples of the last look.
    pub(crate) cells: Vec<CellSample>,
}

/// Trains a plan; says whether it was interrupted.
pub(crate) type TrainMore<'a, E> = dyn FnMut(&mut Session, &Plan) -> Result<bool, E> + 'a;

/// Holds a candidate against a baseline. While cells cannot be judged and looks are
/// left, an escalation asks for more repeats, `train` trains them, and everything is judged again.
///
/// # Errors
/// The outer error if something cannot be read or trained, the inner one if the two sides cannot be
/// compared.
pub(crate) fn judge<E: From<Error>>(
    candidate: &mut Candidate,
    baseline: &Baseline,
    question: &CheckQuestion,
    mut escalation: Option<(Escalation, &mut TrainMore<'_, E>)>,
) -> Result<Result<Judged, CheckError>, E> {
    loop {
        let judged = match candidate.judge(baseline, question) {
            Ok(judged) => judged,
            Err(error) => return Ok(Err(error)),
        };
        let Some((escalation, train)) = &mut escalation else { return Ok(Ok(judged)) };
        if !escalation.ask_for_more(&judged.report, &candidate.looks(true)) {
            return Ok(Ok(judged));
        }
        let plan = escalation.session.plan()?;
        if train(&mut escalation.session, &plan)? {
            return Err(Error::interrupted("stopped before the verdict")
                .hint(Some("run the same command again to go on"))
                .into());
        }
        *candidate = Candidate::in_folder(escalation.session.folder())?;
        if candidate.looks_taken(candidate.looks(true)) <= judged.report.looks_taken {
            return Err(Error::input("cannot take the next look")
                .because_of("trials are missing although everything was trained")
                .hint(Some("see `bench status` for what went wrong"))
                .into());
        }
    }
}

/// Results as the gate sees them.
pub(crate) struct Candidate {
    pub(super) results: ExperimentResults,
    settings: CheckSettings,
    repeats: u32,
    more: bool,
    pub(super) source: Source,
}

impl Candidate {
    /// Reads the results in `folder`.
    pub(crate) fn in_folder(folder: &Path) -> Result<Self, Error> {
        let Reading { manifest, results, .. } = Reading::open(folder)?;
        let cannot = || format!("cannot read the results in `{}`", folder.display());
        let experiment: Experiment = serde_json::from_value(manifest.run.experiment.clone())
            .map_err(|error| {
                Error::input(cannot())
                    .because(&error)
                    .hint(Some("run the experiment again with this version of `bench`"))
            })?;
        let source = Source::of(&results);
        // Rows of an import are what they are: nobody looked at a part of them.
        let more = matches!(manifest.run.repeats, Repeats::More(_)) && !experiment.is_imported();
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
    fn judge(&self, baseline: &Baseline, question: &CheckQuestion) -> Result<Judged, CheckError> {
        let mut settings = self.settings.clone();
        settings.tolerance = question.tolerance.unwrap_or(settings.tolerance);
        let looks = self.looks(question.escalate);
        let taken: Vec<Vec<CellSample>> = match looks.count {
            1 => vec![self.cells(u32::MAX)],
            _ => (0..self.looks_taken(looks)).map(|look| self.cells(looks.repeats(look))).collect(),
        };
        let slices: Vec<&[CellSample]> = taken.iter().map(Vec::as_slice).collect();
        let mut report = check::check_looks(baseline, &slices, looks, &self.source, &settings)?;
        if question.self_test {
            let last = slices[slices.len() - 1];
            let found = check::self_test(baseline, last, &self.source, &settings, SELF_TESTS);
            report.self_test = found.ok();
        }
        let (planned, ended) = (self.planned(), self.ended());
        if ended < planned {
            report.warnings.push(check::Warning::Unfinished { ended, planned });
        }
        Ok(Judged { report, cells: self.cells(u32::MAX) })
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

    /// Returns the baseline that these results make.
    ///
    /// # Errors
    /// If they are not whole, or hold no sample.
    pub(crate) fn baseline(&self) -> Result<NewBaseline, Error> {
        let cannot = || Error::input("cannot write a baseline");
        self.complete().map_err(|cause| {
            cannot().because_of(cause).hint(Some("finish the run first: run the experiment again"))
        })?;
        let (cells, empty): (Vec<CellSample>, Vec<CellSample>) =
            self.cells(u32::MAX).into_iter().partition(|cell| !cell.values.is_empty());
        let is_gated = |cell: &&CellSample| cell.metric.name == self.settings.metric;
        Ok(NewBaseline {
            gated: cells.iter().filter(is_gated).count(),
            empty: empty.iter().filter(is_gated).map(|cell| cell.name.clone()).collect(),
            metrics: self.metrics().into_iter().map(|metric| metric.name.clone()).collect(),
            baseline: Baseline::from_samples(self.source.clone(), cells)
                .map_err(|error| cannot().because(&error))?,
        })
    }
}

/// A baseline made from results.
pub(crate) struct NewBaseline {
    pub(crate) baseline: Baseline,
    /// How many cells it gates.
    pub(crate) gated: usize,
    /// Names of cells without a completed trial, which it does not gate.
    pub(crate) empty: Vec<String>,
    /// What it gates.
    pub(crate) metrics: Vec<MetricName>,
}
