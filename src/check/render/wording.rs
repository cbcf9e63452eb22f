//! What every form says of a cell, in the same words.

use crate::base::Unit;
use crate::base::text::counted;
use crate::check::verdict::{CellVerdict, CheckReport, Note, SpeedReport, SpeedVerdict, Verdict};

/// What the gate says of one cell.
pub(super) struct Line<'a> {
    /// What was gated, for example `test accuracy`.
    pub(super) gate: String,
    /// The cell as printed.
    pub(super) cell: &'a str,
    pub(super) verdict: Verdict,
    /// Means before and after, as printed.
    pub(super) means: (String, String),
    /// The change, with its unit; absent where the candidate has no value.
    pub(super) change: Option<String>,
    /// Its 95 % interval; absent with a single trial on a side.
    pub(super) interval: Option<String>,
    /// Trials of baseline and candidate.
    pub(super) trials: (usize, usize),
    /// What was accepted, for example `tolerance 0.10`.
    pub(super) accepted: String,
    /// What else there is to say, in order.
    pub(super) remarks: Vec<String>,
}

impl Line<'_> {
    /// Returns everything but cell and verdict as one sentence.
    pub(super) fn sentence(&self) -> String {
        format!("{}; {}", self.found(), self.basis())
    }

    /// Returns what was found: means, change and its interval.
    pub(super) fn found(&self) -> String {
        let interval = match &self.interval {
            Some(interval) => format!(" (95 % interval {interval})"),
            None => String::new(),
        };
        let change = match &self.change {
            Some(change) => format!(", {change}"),
            None => String::new(),
        };
        format!("{} → {}{change}{interval}", self.means.0, self.means.1)
    }

    /// Returns what it was judged by.
    pub(super) fn basis(&self) -> String {
        let trials = format!("{} against {}", counted(self.trials.1, "trial"), self.trials.0);
        let parts = [self.accepted.clone(), trials].into_iter().chain(self.remarks.iter().cloned());
        parts.collect::<Vec<_>>().join("; ")
    }
}

/// Returns what is said of every gated cell, the worst first.
pub(super) fn lines(report: &CheckReport) -> Vec<Line<'_>> {
    let unit = Printed::in_report(report);
    let looks = report.looks_planned;
    let mut lines: Vec<Line<'_>> =
        report.cells.iter().map(|cell| accuracy_line(cell, report, &unit)).collect();
    if let Some(speed) = &report.speed {
        lines.extend(speed.cells.iter().map(|cell| speed_line(cell, speed, looks)));
    }
    lines.sort_by_key(|line| std::cmp::Reverse(line.verdict));
    lines
}

/// Says in one sentence how the check came out.
pub(super) fn headline(report: &CheckReport) -> String {
    let name = &report.candidate.experiment;
    let lines = lines(report);
    let total = lines.len();
    let with = |verdict| lines.iter().filter(|line| line.verdict == verdict).count();
    let what = match &report.speed {
        None => report.metric.name.words(),
        Some(_) => format!("{} or training speed", report.metric.name.words()),
    };
    let cells = if report.speed.is_some() { "gates" } else { "cells" };
    match report.verdict {
        Verdict::Ok => {
            format!("ok: {what} of `{name}` has not regressed in any of {total} {cells}")
        }
        Verdict::Regressed => format!(
            "regressed: {what} regressed in {} of {total} {cells} of `{name}`",
            with(Verdict::Regressed)
        ),
        Verdict::Inconclusive => format!(
            "inconclusive: {what} of `{name}` cannot be judged in {} of {total} {cells}",
            with(Verdict::Inconclusive)
        ),
    }
}

/// Says how the verdict was reached.
pub(super) fn method(report: &CheckReport, baseline: &str) -> String {
    let unit = Printed::in_report(report);
    let speed = match &report.speed {
        Some(speed) => {
            format!(", speed at least {} of the baseline's", as_typed(speed.smallest_ratio))
        }
        None => String::new(),
    };
    let looks = if report.looks_planned > 1 {
        format!(", look {} of {} (O'Brien–Fleming)", report.looks_taken, report.looks_planned)
    } else {
        String::new()
    };
    format!(
        "tolerance {}{}{speed}, one-sided α {} over {} (Holm){looks}; baseline {baseline} ({})",
        as_typed(report.tolerance),
        unit.spaced_name(),
        report.alpha,
        counted(report.cells.len(), "cell"),
        report.baseline.origin.date,
    )
}

/// Says what the user can do about a verdict that is not ok.
pub(super) fn way_out(report: &CheckReport, folder: &str, baseline: &str) -> Option<String> {
    match report.verdict {
        Verdict::Ok => None,
        Verdict::Regressed => Some(format!(
            "if the loss is intended, run `bench baseline {folder} --output {baseline}` and commit \
             the change"
        )),
        Verdict::Inconclusive if has_lost_trials(report) && report.undecided().next().is_none() => {
            Some(format!("see `bench status {folder}` for why trials were lost"))
        }
        Verdict::Inconclusive if report.undecided().next().is_none() => Some(format!(
            "measure the baseline on this machine: run its commit here, then `bench baseline \
             {folder} --output {baseline}`"
        )),
        Verdict::Inconclusive if report.looks_taken < report.looks_planned => {
            Some("run it again with `--escalate` to go on with more repeats".to_owned())
        }
        Verdict::Inconclusive if report.looks_planned > 1 => {
            Some("every look is taken: a baseline of more repeats would say more".to_owned())
        }
        Verdict::Inconclusive => Some(
            "run more repeats with `--set repeats=N`, here and for the baseline; `--escalate` does so \
             by itself, but ask for it from the start, since this look counts too"
                .to_owned(),
        ),
    }
}

fn has_lost_trials(report: &CheckReport) -> bool {
    let lost = [Some(Note::MoreLost), Some(Note::AllLost)];
    report.cells.iter().any(|cell| lost.contains(&cell.note))
}

/// Writes what a user typed with two decimals, or with as many as it takes to say it.
fn as_typed(value: f64) -> String {
    let short = format!("{value:.2}");
    if short.parse() == Ok(value) { short } else { value.to_string() }
}

fn accuracy_line<'a>(cell: &'a CellVerdict, report: &CheckReport, unit: &Printed) -> Line<'a> {
    Line {
        gate: report.metric.name.words(),
        cell: &cell.name,
        verdict: cell.verdict,
        means: (unit.value(cell.mean_baseline), or_none(cell.mean_candidate, &|v| unit.value(v))),
        change: cell.difference.map(|difference| {
            format!("difference {}{}", unit.signed(difference), unit.spaced_name())
        }),
        interval: cell
            .interval95
            .map(|(low, high)| format!("{} to {}", unit.signed(low), unit.signed(high))),
        trials: (cell.n_baseline, cell.n_candidate),
        accepted: format!("tolerance {}", as_typed(report.tolerance)),
        remarks: remarks(cell.repeats_to_settle, cell.note, cell.look, report.looks_planned),
    }
}

fn speed_line<'a>(cell: &'a SpeedVerdict, speed: &SpeedReport, looks: usize) -> Line<'a> {
    let images = |value: f64| format!("{value:.0} images/s");
    Line {
        gate: "training speed".to_owned(),
        cell: &cell.name,
        verdict: cell.verdict,
        means: (images(cell.mean_baseline), or_none(cell.mean_candidate, &images)),
        change: cell.ratio.map(|ratio| format!("ratio {ratio:.3}")),
        interval: cell.interval95.map(|(low, high)| format!("{low:.3} to {high:.3}")),
        trials: (cell.n_baseline, cell.n_candidate),
        accepted: format!("at least {}", as_typed(speed.smallest_ratio)),
        remarks: remarks(cell.repeats_to_settle, cell.note, cell.look, looks),
    }
}

fn or_none(value: Option<f64>, print: &dyn Fn(f64) -> String) -> String {
    value.map_or_else(|| "no value".to_owned(), print)
}

fn remarks(settle: Option<usize>, note: Option<Note>, look: usize, looks: usize) -> Vec<String> {
    let settle = settle.map(|repeats| format!("about {repeats} trials a side would settle it"));
    let note = note.map(|note| {
        match note {
            Note::SingleTrial => "a single trial has no spread to judge by",
            Note::NoSpread => "no spread on either side, the difference alone decided",
            Note::MoreLost => {
                "more of its trials diverged, failed or ran out of time than before, beyond chance"
            }
            Note::SomeLost => {
                "more of its trials diverged, failed or ran out of time than before, which may be chance"
            }
            Note::AllLost => "every trial diverged, failed or ran out of time",
            Note::OtherHardware => "measured on other hardware than the baseline",
        }
        .to_owned()
    });
    let look = (looks > 1).then(|| format!("look {look}"));
    settle.into_iter().chain(note).chain(look).collect()
}

/// How values of a metric are printed.
pub(super) struct Printed {
    pub(super) scale: f64,
    unit: Unit,
    decimals: usize,
}

impl Printed {
    pub(super) fn of(unit: &Unit) -> Self {
        Self { scale: unit.factor(), unit: unit.clone(), decimals: 2 }
    }

    /// Returns what values are in, in one word.
    pub(super) fn of_values(&self) -> String {
        let unit = Some(self.unit.of_values()).filter(|unit| !unit.is_empty());
        unit.unwrap_or_else(|| self.unit.of_differences()).trim_start().to_owned()
    }

    /// Chooses as many decimals as the rule needs: two digits of the tolerance or, where that is
    /// zero, of the narrowest interval.
    fn in_report(report: &CheckReport) -> Self {
        let printed = Self::of(&report.metric.unit);
        let widths = report.cells.iter().filter_map(|cell| cell.interval95);
        let narrowest = widths
            .map(|(low, high)| 0.5 * (high - low) * printed.scale)
            .filter(|half| *half > 0.0)
            .reduce(f64::min);
        let step = Some(report.tolerance).filter(|tolerance| *tolerance > 0.0).or(narrowest);
        let decimals = step.map_or(2.0, |step| (1.0 - step.log10().floor()).clamp(2.0, 6.0));
        Self { decimals: decimals as usize, ..printed }
    }

    fn value(&self, value: f64) -> String {
        format!("{:.*}{}", self.decimals, value * self.scale, self.unit.of_values())
    }

    fn spaced_name(&self) -> String {
        self.unit.of_differences()
    }

    /// Writes a difference, which is in the unit of the metric.
    fn signed(&self, difference: f64) -> String {
        let sign = if difference < 0.0 { "−" } else { "+" };
        format!("{sign}{:.*}", self.decimals, (difference * self.scale).abs())
    }
}
