//! The sentence that a report begins and ends with: which setting is best, how sure that is, and what
//! to do next.

use super::document::{CellLine, Section};
use super::numbers::counted;
use super::text::{Presenter, with_spread};
use crate::base::Split;
use gridbench_stats::Summary;

/// Trials per cell below which a spread is hardly known.
const ENOUGH_REPEATS: u32 = 3;

/// Returns the sentence; nothing while no trial has ended.
pub(super) fn answer(presenter: &Presenter<'_>) -> Option<String> {
    let section = presenter.section;
    let Some(best) = section.findings.best else { return nothing(section) };
    let cell = &section.cells[best.cell];
    let seen = seen(presenter, cell, cell.summary.as_ref()?);
    let settings = section.describe(best.cell);
    if section.cells.len() < 2 {
        let more = if section.counts.unfinished > 0 { unfinished() } else { String::new() };
        return Some(format!("{}: {seen}{more}", section.metric.name.words()));
    }
    if section.compared() < 2 {
        let all = counted(section.cells.len(), "cell");
        let more = if section.counts.unfinished > 0 { unfinished() } else { String::new() };
        return Some(format!("of {all} only {settings} has a result: {seen}{more}"));
    }
    // Where seeds change nothing, fresh ones give what was seen.
    let expected = best.expected.filter(|_| !cell.is_deterministic && section.folds.is_none());
    let expected = expected.map_or_else(String::new, |expected| {
        let (scale, unit) = (&presenter.scale, presenter.scale.unit());
        format!("; on fresh seeds expect {}{unit}", scale.value(expected))
    });
    Some(format!(
        "{}{}: {seen} at {settings}{expected}; {}; {}",
        hopeless(presenter).unwrap_or_default(),
        section.best_of_what(),
        versus_best(section),
        next(section)
    ))
}

/// Says what was seen in a cell, how often, and what was lost.
fn seen(presenter: &Presenter<'_>, cell: &CellLine, summary: &Summary) -> String {
    let (scale, unit) = (&presenter.scale, presenter.scale.unit());
    let lost = cell.counts.lost_of_planned().map_or_else(String::new, |lost| format!(", {lost}"));
    match summary.n {
        1 => format!("{}{unit} (n = 1, no spread{lost})", scale.value(summary.mean)),
        n if cell.is_deterministic => {
            format!("{}{unit} (n = {n}, deterministic{lost})", scale.value(summary.mean))
        }
        n => format!("{}{unit} (n = {n}{lost})", with_spread(scale, summary)),
    }
}

/// Says why there is no best setting; nothing where nothing was tried.
fn nothing(section: &Section) -> Option<String> {
    let counts = section.counts;
    let metric = section.metric.name.words();
    if counts.completed > 0 {
        return Some(format!(
            "no result: {} has no value in {}; choose another metric with `--metrics`",
            metric,
            counted(counts.completed, "completed trial")
        ));
    }
    if counts.lost() == 0 {
        return None;
    }
    let next = if counts.unfinished > 0 {
        unfinished()
    } else if counts.failed + counts.timed_out > 0 {
        "; once the cause is gone, `bench run --retry-failed` trains them again".to_owned()
    } else {
        "; try other settings".to_owned()
    };
    Some(format!(
        "no result: {} of {} ended without one ({}){next}",
        counts.lost(),
        counted(counts.planned, "trial"),
        counts.ways_lost(),
    ))
}

fn unfinished() -> String {
    format!("; {FINISH}")
}

const FINISH: &str = "run it again to finish what is missing";

/// Says that so few trials tell no cells apart.
fn hopeless(presenter: &Presenter<'_>) -> Option<String> {
    let found = presenter.section.findings.hopeless?;
    let size = |difference| presenter.scale.size(difference);
    let enough = found.repeats.map_or_else(
        || "not even 1,000 would".to_owned(),
        |repeats| format!("{repeats} would, if they differ as much as they seem to"),
    );
    Some(format!(
        "{} per cell cannot separate these {} cells, whose means lie within {} where {} would show; \
         {enough}; ",
        counted(found.n, "trial"),
        found.cells,
        size(found.seen),
        size(found.difference),
    ))
}

/// Says how many other cells may be the best.
fn versus_best(section: &Section) -> String {
    let others = section.compared() - 1;
    let which = if section.compared() < section.cells.len() { " with results" } else { "" };
    if section.findings.comparisons == 0 {
        return if section.findings.n_max == 1 {
            "a single trial per cell tells no two settings apart".to_owned()
        } else {
            "only one cell has more than one trial, so no two settings can be told apart".to_owned()
        };
    }
    let how = if section.is_deterministic() {
        "every trial of a cell gave the same"
    } else {
        "95 % confidence"
    };
    match (section.inseparable_others(), others) {
        (0, 1) => format!("the other cell{which} is worse ({how})"),
        (0, _) => format!("all {others} other cells{which} are worse ({how})"),
        (_, 1) => format!("the other cell{which} may be as good or better"),
        (count, all) if count == all => {
            format!("all {others} other cells{which} may be as good or better")
        }
        (count, _) => {
            format!("{count} of the {others} other cells{which} may be as good or better")
        }
    }
}

/// Says what to do next.
fn next(section: &Section) -> String {
    let findings = &section.findings;
    if section.counts.unfinished > 0 {
        return FINISH.to_owned();
    }
    if findings.comparisons == 0 {
        return if section.repeats < ENOUGH_REPEATS {
            format!("set `repeats` to {ENOUGH_REPEATS} or more")
        } else {
            "find out why so many trials were lost".to_owned()
        };
    }
    if findings.hopeless.is_some_and(|found| found.repeats.is_some()) {
        return "set `repeats` to that, or try fewer settings".to_owned();
    }
    if section.is_deterministic() {
        return "more seeds tell nothing new".to_owned();
    }
    let repeats = findings.detectable.filter(|found| found.difference > 0.0);
    if let (1.., Some(found)) = (section.inseparable_others(), repeats) {
        return format!(
            "`repeats = {}` would show differences half as large, `bench confirm` tries the best on \
             fresh seeds",
            found.repeats_for_half
        );
    }
    let on_validation = section.metric.split == Some(Split::Validation);
    let test = section.metric.on(Split::Test).filter(|_| on_validation);
    match test.filter(|name| section.measured(name).is_some()) {
        Some(test) => format!("quote its {}, on which nothing was chosen", test.words()),
        None if section.folds.is_some() => {
            "measure it on data that no fold holds before you quote it".to_owned()
        }
        None => "`bench confirm` tries it on fresh seeds before you quote it".to_owned(),
    }
}
