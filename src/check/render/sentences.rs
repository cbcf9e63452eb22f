//! What every form says of a cell, in the same words.

use crate::base::text::counted;
use crate::base::{Direction, Unit};
use crate::check::verdict::{
    CellVerdict, CheckReport, ClaimReport, ClaimVerdict, CommonVerdict, Note, SpeedReport,
    SpeedVerdict, Verdict,
};
use gridbench_stats::PlantedLoss;

/// What the gate says of one cell.
pub(super) struct Line<'a> {
    /// What was gated, for example `test accuracy`.
    pub(super) gate: String,
    /// The cell as printed.
    pub(super) cell: &'a str,
    /// Whether it is the mean of all cells.
    pub(super) is_mean: bool,
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
    /// Returns the cell, or the mean of all, as a sentence names it.
    pub(super) fn subject(&self) -> String {
        if self.is_mean { format!("the {}", self.cell) } else { format!("cell `{}`", self.cell) }
    }

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
        let trials = if self.trials.0 == 0 { counted(self.trials.1, "trial") } else { trials };
        let parts = [self.accepted.clone(), trials].into_iter().chain(self.remarks.iter().cloned());
        parts.collect::<Vec<_>>().join("; ")
    }
}

/// Returns what is said of every gated cell, the worst first.
pub(super) fn lines(report: &CheckReport) -> Vec<Line<'_>> {
    let unit = Printed::in_report(report);
    let looks = report.looks_planned;
    // The mean counts where it regressed, and is worth a line where its loss is real.
    let is_said = |common: &&CommonVerdict| match common.verdict {
        Verdict::Regressed => true,
        Verdict::Ok => common.is_loss_proven,
        Verdict::Inconclusive => false,
    };
    let common = report.common.iter().filter(is_said);
    let mut lines: Vec<Line<'_>> =
        common.map(|common| common_line(common, report, &unit)).collect();
    lines.extend(report.cells.iter().map(|cell| accuracy_line(cell, report, &unit)));
    if let Some(claim) = &report.claim {
        lines.extend(claim.cells.iter().map(|cell| claim_line(cell, claim, report, &unit)));
    }
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
    let single: Vec<&Line<'_>> = lines.iter().filter(|line| !line.is_mean).collect();
    let total = single.len();
    let with = |verdict| single.iter().filter(|line| line.verdict == verdict).count();
    let in_common = report.common.as_ref().filter(|common| common.verdict == Verdict::Regressed);
    let is_identical = report.cells.iter().all(|cell| cell.note == Some(Note::Identical));
    let what = match &report.speed {
        None => report.metric.name.words(),
        Some(_) => format!("{} or training speed", report.metric.name.words()),
    };
    let several = report.speed.is_some() || report.claim.is_some();
    let cells = if several { "gates" } else { "cells" };
    match report.verdict {
        Verdict::Ok if is_identical && !several => {
            format!("ok: {what} of `{name}` is identical in every trial")
        }
        Verdict::Ok => {
            format!("ok: {what} of `{name}` has not regressed in any of {total} {cells}")
        }
        Verdict::Regressed => {
            let several = in_common.map(|common| format!("in the {}", common.name));
            let some = with(Verdict::Regressed);
            let each = (some > 0).then(|| format!("in {some} of {total} {cells}"));
            let parts: Vec<String> = each.into_iter().chain(several).collect();
            format!("regressed: {what} of `{name}` regressed {}", parts.join(" and "))
        }
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
    let known: Vec<f64> = report.cells.iter().filter_map(|cell| cell.correlation).collect();
    let pairs = match (report.is_paired, known.is_empty()) {
        (false, _) => "unpaired".to_owned(),
        (true, true) => "paired by repeat".to_owned(),
        (true, false) => {
            let mean = known.iter().sum::<f64>() / known.len() as f64;
            format!("paired by repeat (correlation {mean:.2} on average)")
        }
    };
    let looks = if report.looks_planned > 1 {
        format!(", look {} of {} (O'Brien–Fleming)", report.looks_taken, report.looks_planned)
    } else {
        String::new()
    };
    format!(
        "tolerance {}{}{speed}, one-sided α {} for each claim over {}, {pairs}{looks}; baseline \
         {baseline} ({})",
        as_typed(report.tolerance),
        unit.of_differences(),
        report.alpha,
        counted(report.cells.len(), "cell"),
        report.baseline.origin.date,
    )
}

/// Says what the verdict claims.
pub(super) fn meaning(report: &CheckReport) -> String {
    format!("{} means: {}", report.verdict.name(), report.verdict.meaning())
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
        is_mean: false,
        verdict: cell.verdict,
        means: (unit.value(cell.mean_baseline), or_none(cell.mean_candidate, &|v| unit.value(v))),
        change: cell.difference.map(|difference| {
            format!("difference {}{}", unit.signed(difference), unit.of_differences())
        }),
        interval: cell
            .interval95
            .map(|(low, high)| format!("{} to {}", unit.signed(low), unit.signed(high))),
        trials: (cell.n_baseline, cell.n_candidate),
        accepted: format!("tolerance {}", as_typed(report.tolerance)),
        remarks: {
            let mut said = real(cell, report, unit);
            said.extend(remarks(
                cell.repeats_to_settle,
                cell.note,
                cell.look,
                report.looks_planned,
            ));
            said
        },
    }
}

/// Says what is proven of a cell beyond its verdict.
fn real(cell: &CellVerdict, report: &CheckReport, unit: &Printed) -> Vec<String> {
    let Some(difference) = cell.difference else { return Vec::new() };
    let size = || format!("{:.*}", unit.decimals, (difference * unit.of_change).abs());
    let tolerance = as_typed(report.tolerance);
    if cell.is_loss_proven && cell.verdict == Verdict::Ok {
        return vec![format!(
            "a loss of {} is real and within the tolerance of {tolerance}",
            size()
        )];
    }
    if cell.is_gain_proven {
        return vec![format!("better than the baseline: a gain of {} is proven", size())];
    }
    Vec::new()
}

fn common_line<'a>(common: &'a CommonVerdict, report: &CheckReport, unit: &Printed) -> Line<'a> {
    let mean = |pick: fn(&CellVerdict) -> Option<f64>| {
        let values: Option<Vec<f64>> = report.cells.iter().map(pick).collect();
        values.map(|values| values.iter().sum::<f64>() / values.len() as f64)
    };
    let mut remarks = Vec::new();
    let ok_as_a_whole = common.verdict == Verdict::Ok && common.is_loss_proven;
    if let Some(difference) = common.difference.filter(|_| ok_as_a_whole) {
        let size = format!("{:.*}", unit.decimals, (difference * unit.of_change).abs());
        let tolerance = as_typed(report.tolerance);
        remarks
            .push(format!("a mean loss of {size} is real and within the tolerance of {tolerance}"));
    }
    let most = |pick: fn(&CellVerdict) -> usize| report.cells.iter().map(pick).max().unwrap_or(0);
    Line {
        gate: report.metric.name.words(),
        cell: &common.name,
        is_mean: true,
        verdict: common.verdict,
        means: (
            or_none(mean(|cell| Some(cell.mean_baseline)), &|v| unit.value(v)),
            or_none(mean(|cell| cell.mean_candidate), &|v| unit.value(v)),
        ),
        change: common.difference.map(|difference| {
            format!("difference {}{}", unit.signed(difference), unit.of_differences())
        }),
        interval: common
            .interval95
            .map(|(low, high)| format!("{} to {}", unit.signed(low), unit.signed(high))),
        trials: (most(|cell| cell.n_baseline), most(|cell| cell.n_candidate)),
        accepted: format!("tolerance {}", as_typed(report.tolerance)),
        remarks,
    }
}

fn claim_line<'a>(
    cell: &'a ClaimVerdict,
    claim: &ClaimReport,
    report: &CheckReport,
    unit: &Printed,
) -> Line<'a> {
    let relation = match report.metric.direction {
        Direction::Maximize => "at least",
        Direction::Minimize => "at most",
    };
    let p = cell.p.map(|p| format!("p = {p:.2e} that it does not"));
    let said = match cell.verdict {
        Verdict::Ok => "reached",
        Verdict::Regressed => "proven to fall short",
        Verdict::Inconclusive => "neither reaching it nor falling short is proven",
    };
    Line {
        gate: format!("{} {relation} {}", report.metric.name.words(), unit.value(claim.value)),
        cell: &cell.name,
        is_mean: false,
        verdict: cell.verdict,
        means: (
            format!("{relation} {}", unit.value(claim.value)),
            or_none(cell.mean, &|v| unit.value(v)),
        ),
        change: None,
        interval: None,
        trials: (0, cell.n),
        accepted: said.to_owned(),
        remarks: p.into_iter().collect(),
    }
}

/// Says what the self-test found, one line per planted loss.
pub(super) fn self_test(report: &CheckReport) -> Vec<String> {
    let unit = Printed::in_report(report);
    let Some(planted) = &report.self_test else { return Vec::new() };
    let line = |one: &PlantedLoss| {
        let size = as_typed(one.tolerances * report.tolerance);
        let what = match (one.tolerances > 0.0, one.is_everywhere) {
            (false, _) => "without a loss".to_owned(),
            (true, false) => format!("a loss of {size}{} in one cell", unit.of_differences()),
            (true, true) => format!("a loss of {size}{} in every cell", unit.of_differences()),
        };
        format!(
            "self-test, {what}: regressed in {:.1} %, ok in {:.1} % of simulated checks",
            100.0 * one.regressed,
            100.0 * one.ok
        )
    };
    planted.iter().map(line).collect()
}

fn speed_line<'a>(cell: &'a SpeedVerdict, speed: &SpeedReport, looks: usize) -> Line<'a> {
    let images = |value: f64| format!("{value:.0} images/s");
    Line {
        gate: "training speed".to_owned(),
        cell: &cell.name,
        is_mean: false,
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
    let settle = settle.map(|repeats| format!("about {repeats} trials per side would settle it"));
    let note = note.map(|note| {
        match note {
            Note::Identical => "identical in every trial",
            Note::SingleTrial => "a single trial has no spread to judge by",
            Note::NoSpread => "nothing varies in any gated cell: the difference alone decides",
            Note::MoreLost => {
                "more of its trials diverged, failed or ran out of time than the baseline's losses \
                 explain"
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
pub(in crate::check) struct Printed {
    pub(super) scale: f64,
    /// What a difference is multiplied by.
    of_change: f64,
    is_relative: bool,
    unit: Unit,
    decimals: usize,
}

impl Printed {
    pub(in crate::check) fn of(unit: &Unit) -> Self {
        let scale = unit.factor();
        Self { scale, of_change: scale, is_relative: false, unit: unit.clone(), decimals: 2 }
    }

    /// Returns what values are in, in one word.
    pub(super) fn of_values(&self) -> String {
        let unit = Some(self.unit.of_values()).filter(|unit| !unit.is_empty());
        unit.unwrap_or_else(|| self.unit.of_differences()).trim_start().to_owned()
    }

    /// Returns what stands behind a difference.
    fn of_differences(&self) -> String {
        if self.is_relative { " %".to_owned() } else { self.unit.of_differences() }
    }

    /// Chooses as many decimals as the rule needs: two digits of the tolerance or, where that is
    /// zero, of the narrowest interval.
    fn in_report(report: &CheckReport) -> Self {
        let mut printed = Self::of(&report.metric.unit);
        if report.is_relative {
            (printed.of_change, printed.is_relative) = (100.0, true);
        }
        let widths = report.cells.iter().filter_map(|cell| cell.interval95);
        let narrowest = widths
            .map(|(low, high)| 0.5 * (high - low) * printed.of_change)
            .filter(|half| *half > 0.0)
            .reduce(f64::min);
        let step = Some(report.tolerance).filter(|tolerance| *tolerance > 0.0).or(narrowest);
        let decimals = step.map_or(2.0, |step| (1.0 - step.log10().floor()).clamp(2.0, 6.0));
        Self { decimals: decimals as usize, ..printed }
    }

    pub(in crate::check) fn value(&self, value: f64) -> String {
        format!("{:.*}{}", self.decimals, value * self.scale, self.unit.of_values())
    }

    /// Writes a difference, which is in the unit of the metric.
    fn signed(&self, difference: f64) -> String {
        let sign = if difference < 0.0 { "−" } else { "+" };
        format!("{sign}{:.*}", self.decimals, (difference * self.of_change).abs())
    }
}
