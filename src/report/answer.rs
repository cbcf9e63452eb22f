//! The sentence that a report begins and ends with: which setting is best, how sure that is, and what
//! to do next.

use super::document::Section;
use super::numbers::counted;
use super::text::{Presenter, with_spread};
use crate::base::Split;

/// Returns the sentence; nothing while no trial has completed.
#[must_use]
pub(super) fn answer(presenter: &Presenter<'_>) -> Option<String> {
    let section = presenter.section;
    let best = section.findings.best?;
    let summary = section.cells[best.cell].summary.as_ref()?;
    let scale = &presenter.scale;
    let unit = scale.unit();
    let seen = if summary.n > 1 {
        format!("{}{unit} (n = {})", with_spread(scale, summary), summary.n)
    } else {
        format!("{}{unit} (n = 1, no spread)", scale.value(summary.mean))
    };
    let compared = section.cells.iter().filter(|cell| cell.summary.is_some()).count();
    if compared < 2 {
        return Some(format!("{}: {seen}", section.metric.name.words()));
    }
    let expected = best.expected.map_or_else(String::new, |expected| {
        format!("; on fresh seeds expect {}{unit}", scale.value(expected))
    });
    let place = section.describe(best.cell);
    let hopeless = hopeless(presenter).unwrap_or_default();
    Some(format!(
        "{hopeless}best mean: {seen} at {place}{expected}; {}; {}",
        rivals(section),
        next(section)
    ))
}

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
fn rivals(section: &Section) -> String {
    let findings = &section.findings;
    let others = section.cells.len() - 1;
    match findings.best.map_or(0, |best| best.inseparable) {
        _ if findings.comparisons == 0 => {
            "a single trial per cell tells no two settings apart".to_owned()
        }
        0 | 1 if others == 1 => "the other cell is worse (95 % confidence)".to_owned(),
        0 | 1 => format!("all {others} other cells are worse (95 % confidence)"),
        2 if others == 1 => "the other cell may be as good or better".to_owned(),
        marked => {
            format!("{} of the {others} other cells may be as good or better", marked - 1)
        }
    }
}

/// Says what to do next.
fn next(section: &Section) -> String {
    let findings = &section.findings;
    let on_test = section.metric.split == Some(Split::Test);
    let marked = findings.best.map_or(0, |best| best.inseparable);
    if section.counts.unfinished > 0 {
        return "run it again to finish what is missing".to_owned();
    }
    if findings.comparisons == 0 {
        return "set `repeats` to 3 or more".to_owned();
    }
    if findings.hopeless.is_some_and(|found| found.repeats.is_some()) {
        return "set `repeats` to that, or try fewer settings".to_owned();
    }
    let repeats = findings.detectable.filter(|found| found.difference > 0.0);
    match (marked, repeats) {
        (2.., Some(found)) => {
            let half = found.repeats_for_half;
            format!(
                "`repeats = {half}` would narrow them down, `bench confirm` tries the best on fresh seeds"
            )
        }
        _ if on_test => "`bench confirm` tries it on fresh seeds before you quote it".to_owned(),
        _ => "quote its test metric, on which nothing was chosen".to_owned(),
    }
}
