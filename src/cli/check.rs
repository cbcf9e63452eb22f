//! `bench baseline` and `bench check`: the gate.

use std::collections::BTreeMap;
use std::path::Path;

use super::arguments::{BaselineArguments, CheckArguments};
use super::failure::{Exit, Failure};
use super::report::{results_in, store_failure};
use crate::base::{Metric, Seed, Unit};
use crate::check::{self, Baseline, CellSample, CellVerdict, CheckReport, Note, Origin, Verdict};
use crate::record::Outcome;
use crate::spec::experiment::{CheckSettings, Experiment};
use crate::store::{Manifest, atomic};
use crate::tables::ExperimentResults;

pub(super) fn baseline(arguments: &BaselineArguments) -> Result<Exit, Failure> {
    let candidate = Candidate::in_folder(&arguments.folder)?;
    let cannot = || Failure::input("cannot write a baseline");
    candidate.complete().map_err(|cause| {
        cannot().because_of(cause).hint(Some("finish the run first: run the experiment again"))
    })?;
    let cells = candidate.cells(candidate.settings.metric);
    let count = cells.len();
    let baseline = Baseline::from_samples(candidate.origin, cells)
        .map_err(|error| cannot().because(&error))?;
    atomic::write(&arguments.output, baseline.to_text().as_bytes())
        .map_err(|error| cannot().because(&error).hint(error.hint()))?;
    eprintln!(
        "baseline of {count} cells ({}) written to `{}`; commit it",
        candidate.settings.metric,
        arguments.output.display()
    );
    Ok(Exit::Done)
}

pub(super) fn check(arguments: &CheckArguments) -> Result<Exit, Failure> {
    let shown = arguments.baseline.display().to_string();
    let cannot = || Failure::input(format!("cannot read baseline `{shown}`"));
    let text = std::fs::read_to_string(&arguments.baseline).map_err(|error| {
        cannot().because(&error).hint(Some(format!(
            "write one with `bench baseline {} --output {shown}`",
            arguments.folder.display()
        )))
    })?;
    let baseline = Baseline::from_text(&text).map_err(|error| cannot().because(&error))?;
    let candidate = Candidate::in_folder(&arguments.folder)?;
    let mut settings = candidate.settings.clone();
    settings.tolerance = arguments.tolerance.unwrap_or(settings.tolerance);
    let cells = candidate.cells(settings.metric);
    let report =
        check::check(&baseline, &cells, &candidate.origin, &settings).map_err(|error| {
            Failure::input(format!("cannot check `{}`", arguments.folder.display())).because(&error)
        })?;
    if arguments.json {
        println!("{}", serde_json::to_string_pretty(&report).expect("a report serialises"));
    } else {
        print!("{}", verdict_text(&report, &arguments.folder, &arguments.baseline));
    }
    Ok(match report.verdict {
        Verdict::Ok => Exit::Done,
        Verdict::Regressed => Exit::Regressed,
        Verdict::Inconclusive => Exit::Inconclusive,
    })
}

/// Results as the gate sees them.
struct Candidate {
    results: ExperimentResults,
    settings: CheckSettings,
    origin: Origin,
}

impl Candidate {
    fn in_folder(folder: &Path) -> Result<Self, Failure> {
        let results = results_in(folder)?;
        let cannot = || format!("cannot read the results in `{}`", folder.display());
        let manifest = Manifest::read(folder)
            .map_err(|error| store_failure(cannot(), &error))?
            .ok_or_else(|| Failure::input(cannot()).because_of("it holds no `manifest.json`"))?;
        let experiment: Experiment = serde_json::from_value(manifest.run.experiment.clone())
            .map_err(|error| {
                Failure::input(cannot())
                    .because(&error)
                    .hint(Some("run the experiment again with this version of `bench`"))
            })?;
        let origin = origin(&manifest, experiment.seed, &results);
        Ok(Self { results, settings: experiment.check, origin })
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

    fn cells(&self, metric: Metric) -> Vec<CellSample> {
        let axes = &self.results.axes;
        self.results
            .cells
            .iter()
            .map(|cell| CellSample {
                name: cell.name.clone(),
                assignment: axes
                    .iter()
                    .zip(&cell.values)
                    .filter_map(|(axis, value)| Some((axis.key.clone(), value.clone()?)))
                    .collect(),
                metric,
                values: cell.sample(metric),
                not_completed: [Outcome::Diverged, Outcome::Failed, Outcome::TimedOut]
                    .into_iter()
                    .map(|outcome| cell.count(outcome))
                    .sum(),
            })
            .filter(|cell| !cell.values.is_empty())
            .collect()
    }
}

fn origin(manifest: &Manifest, seed: Seed, results: &ExperimentResults) -> Origin {
    let known = &results.facts.origin;
    let datasets: BTreeMap<_, _> =
        manifest.run.datasets.iter().map(|one| (one.name.clone(), one.checksum)).collect();
    Origin {
        experiment: manifest.run.name.clone(),
        seed,
        engine: manifest.run.engine.clone(),
        hardware: known.hardware.clone(),
        version: manifest.build.version.clone(),
        toolchain: known.toolchain.clone(),
        commit: known.commit.clone(),
        date: manifest.updated.clone(),
        datasets,
    }
}

/// Writes the verdict the way a person reads it: worst cells first, then the count of the rest.
fn verdict_text(report: &CheckReport, folder: &Path, baseline: &Path) -> String {
    let unit = Printed::of(report.metric);
    let name = &report.candidate.experiment;
    let total = report.cells.len();
    let count = |verdict| report.cells_with(verdict).count();
    let metric = report.metric.name().replace('-', " ");
    let mut lines = Vec::new();
    let headline = match report.verdict {
        Verdict::Ok => {
            format!("ok: {metric} of `{name}` has not regressed in any of {total} cells")
        }
        Verdict::Regressed => format!(
            "regressed: {metric} regressed in {} of {total} cells of `{name}`",
            count(Verdict::Regressed)
        ),
        Verdict::Inconclusive => format!(
            "inconclusive: {metric} of `{name}` cannot be judged in {} of {total} cells",
            count(Verdict::Inconclusive)
        ),
    };
    lines.push(headline);
    let mut cells: Vec<&CellVerdict> = report.cells.iter().collect();
    cells.sort_by_key(|cell| std::cmp::Reverse(cell.verdict));
    for cell in cells {
        lines.push(cell_line(cell, &unit, report.tolerance));
    }
    for name in &report.new_cells {
        lines.push(format!("  new, not gated: `{name}`"));
    }
    for warning in &report.warnings {
        lines.push(format!("  warning: {warning}"));
    }
    lines.push(format!(
        "  tolerance {} {}, one-sided α {} over {total} cells (Holm); baseline {} ({})",
        two_decimals(report.tolerance),
        unit.name,
        report.alpha,
        baseline.display(),
        report.baseline.date,
    ));
    match report.verdict {
        Verdict::Ok => {}
        Verdict::Regressed => lines.push(format!(
            "  hint: if the loss is intended, run `bench baseline {} --output {}` and commit the \
             change",
            folder.display(),
            baseline.display()
        )),
        Verdict::Inconclusive => lines.push(
            "  hint: run more repeats with `--set repeats=N`, here and for the baseline".to_owned(),
        ),
    }
    lines.join("\n") + "\n"
}

fn cell_line(cell: &CellVerdict, unit: &Printed, tolerance: f64) -> String {
    let verdict = match cell.verdict {
        Verdict::Ok => "ok",
        Verdict::Inconclusive => "inconclusive",
        Verdict::Regressed => "regressed",
    };
    let interval = match cell.interval95 {
        Some((low, high)) => {
            format!("95 % interval {} to {}; ", unit.signed(low), unit.signed(high))
        }
        None => String::new(),
    };
    let note = match cell.note {
        Some(Note::SingleTrial) => "; a single trial has no spread to judge by",
        Some(Note::NoSpread) => "; no spread on either side, the difference alone decided",
        Some(Note::MoreLost) => {
            "; more of its trials diverged, failed or ran out of time than before"
        }
        None => "",
    };
    let settle = match cell.repeats_to_settle {
        Some(repeats) => format!("; about {repeats} trials a side would settle it"),
        None => String::new(),
    };
    format!(
        "  {verdict:<12} cell `{}`: {} → {}, difference {} {} ({interval}tolerance {}; {} trials \
         against {}){settle}{note}",
        cell.name,
        unit.value(cell.mean_baseline),
        unit.value(cell.mean_candidate),
        unit.signed(cell.difference),
        unit.name,
        two_decimals(tolerance),
        cell.n_candidate,
        cell.n_baseline,
    )
}

fn two_decimals(value: f64) -> String {
    format!("{value:.2}")
}

/// How values of a metric are printed.
struct Printed {
    scale: f64,
    name: &'static str,
    sign: &'static str,
}

impl Printed {
    fn of(metric: Metric) -> Self {
        let (scale, name, sign) = match metric.unit() {
            Unit::Fraction => (100.0, "points", " %"),
            Unit::Nats => (1.0, "nats", ""),
            Unit::Seconds => (1.0, "s", " s"),
            Unit::ImagesPerSecond => (1.0, "images/s", " images/s"),
            Unit::Mebibytes => (1.0, "MiB", " MiB"),
            Unit::Count => (1.0, "", ""),
        };
        Self { scale, name, sign }
    }

    fn value(&self, value: f64) -> String {
        format!("{:.2}{}", value * self.scale, self.sign)
    }

    /// Writes a difference, which is in the unit of the metric.
    fn signed(&self, difference: f64) -> String {
        let sign = if difference < 0.0 { "−" } else { "+" };
        format!("{sign}{:.2}", (difference * self.scale).abs())
    }
}
