//! The lines below a grid: what its numbers and marks mean, and what may be concluded.

use super::document::Section;
use super::labels::left_unsaid;
use super::numbers::{Scale, counted, grouped};
use super::text::{LOST, MARK, MARK_IN_GRID, Presenter, with_spread};
use crate::base::Split;
use gridbench_stats::Summary;

/// Returns label and text of every line below the grids.
pub(super) fn legend_lines(presenter: &Presenter<'_>) -> Vec<(String, String)> {
    let mut lines: Vec<(&str, String)> = Vec::new();
    let section = presenter.section;
    lines.extend(fixed(presenter));
    lines.extend(shortened(presenter));
    lines.extend(spread_meaning(presenter));
    lines.extend(folds(presenter));
    lines.extend(adopted(presenter));
    lines.extend(deterministic(presenter));
    lines.extend(marks(presenter));
    if section.counts.lost() > 0 {
        lines.push((LOST, "trials that failed, diverged or took too long".to_owned()));
    }
    if section.counts.unfinished > 0 {
        lines
            .push(("…k/m", "k of m trials have completed, others are still to be done".to_owned()));
    }
    lines.extend(detectable(presenter));
    lines.extend(best(presenter));
    lines.extend(extreme(presenter));
    lines.extend(sigma(presenter));
    lines.extend(images(presenter));
    lines.into_iter().map(|(label, text)| (label.to_owned(), text)).collect()
}

fn fixed(presenter: &Presenter<'_>) -> Option<(&'static str, String)> {
    Some(("fixed", presenter.fixed()?))
}

/// Says what stands behind the values that the grids call by their name.
fn shortened(presenter: &Presenter<'_>) -> Option<(&'static str, String)> {
    let axes = presenter.section.axes.iter();
    let values = axes.flat_map(|axis| axis.values.iter().zip(&axis.shown));
    let texts: Vec<String> = values
        .map(|(value, shown)| (shown, left_unsaid(value, shown)))
        .filter(|(_, unsaid)| !unsaid.is_empty())
        .map(|(shown, unsaid)| format!("{shown} has {unsaid}"))
        .collect();
    (!texts.is_empty()).then(|| ("names", texts.join("; ")))
}

fn spread_meaning(presenter: &Presenter<'_>) -> Option<(&'static str, String)> {
    let findings = &presenter.section.findings;
    match findings.n_max {
        0 => None,
        1 if presenter.section.compared() < 2 => {
            Some(("n = 1", "a single trial has no spread".to_owned()))
        }
        1 => Some((
            "n = 1",
            "one trial per cell: no spread, so nothing can be told apart".to_owned(),
        )),
        _ => Some(("±", "standard deviation over the trials of a cell (n − 1)".to_owned())),
    }
}

/// Says that trials are folds, and what that does to errors.
fn folds(presenter: &Presenter<'_>) -> Option<(&'static str, String)> {
    let folds = presenter.section.folds?;
    let text = format!(
        "cross-validation: a trial is one of {folds} folds, which share training images; SE, intervals, marks and tests of means have the error of Nadeau and Bengio (2003), √(1/n + 1/{}) · SD; tests of ranks are left out",
        folds - 1
    );
    Some(("folds", text))
}

/// Says which programs were taken for earlier ones.
fn adopted(presenter: &Presenter<'_>) -> impl Iterator<Item = (&'static str, String)> {
    presenter.section.adopted.iter().map(|(found, original)| {
        let text = format!(
            "trials of program {} stand for those of {} too, as `adopted.json` says",
            original.short(),
            found.short()
        );
        ("adopted", text)
    })
}

/// Names the cells whose spread is no spread.
fn deterministic(presenter: &Presenter<'_>) -> Option<(&'static str, String)> {
    let cells = &presenter.section.cells;
    let found = (0..cells.len()).filter(|cell| cells[*cell].is_deterministic);
    let names: Vec<String> = found.map(|cell| presenter.section.describe(cell)).collect();
    let which = match names.as_slice() {
        [] => return None,
        _ if names.len() == cells.len() => "every cell".to_owned(),
        [first, others @ ..] if others.len() > 3 => {
            format!("{first} and {}", counted(others.len(), "other cell"))
        }
        names => names.join("; "),
    };
    let text = "deterministic, no spread: all trials gave the same results to the bit";
    Some(("± 0", format!("{text} ({which})")))
}

fn marks(presenter: &Presenter<'_>) -> Vec<(&'static str, String)> {
    let Section { cells, grids, .. } = presenter.section;
    let Some(sentence) = presenter.confidence_sentence() else { return Vec::new() };
    let text = format!("may be the best: {sentence} (Hsu's comparison with the best)");
    let mut lines = vec![(MARK, text)];
    let in_grid =
        |cell: &super::document::CellLine| cell.inseparable_in_grid && !cell.inseparable_from_best;
    if grids.len() > 1 && cells.iter().any(in_grid) {
        let text = "may be the best of its own grid alone (the same rule, each grid by itself)";
        lines.push((MARK_IN_GRID, text.to_owned()));
    }
    lines
}

/// The noisiest cell is spoken of where it takes differences so many times as large as the others.
const UNLIKE: f64 = 1.1;

fn detectable(presenter: &Presenter<'_>) -> Option<(&'static str, String)> {
    let scale = &presenter.scale;
    let found = presenter.section.findings.detectable.filter(|found| found.difference > 0.0)?;
    let noisiest = if found.in_noisiest > UNLIKE * found.difference {
        format!(", of {} in the noisiest cell", scale.size(found.in_noisiest))
    } else {
        String::new()
    };
    Some((
        "power",
        format!(
            "n = {} detects differences of {} from the best of {} with 95 % power{noisiest}; \
             `repeats = {}` would detect {}",
            found.n,
            scale.size(found.difference),
            counted(found.cells, "cell"),
            found.repeats_for_half,
            scale.size(found.half),
        ),
    ))
}

fn best(presenter: &Presenter<'_>) -> Option<(&'static str, String)> {
    let Section { findings, cells, .. } = presenter.section;
    let scale = &presenter.scale;
    let best = findings.best?;
    let summary = cells[best.cell].summary.as_ref()?;
    let spread = match (summary.se, summary.interval95) {
        (Some(se), Some(interval)) => format!(
            " (n = {}, SE {}, 95 % {})",
            summary.n,
            scale.value(se),
            scale.interval(interval)
        ),
        _ if summary.n > 1 => format!(" (n = {})", summary.n),
        _ => String::new(),
    };
    let section = presenter.section;
    let settings = settings_of_best(section, best.cell, summary);
    let lost = cells[best.cell].counts.lost_of_planned();
    let lost = lost.map_or_else(String::new, |lost| format!("; {lost}"));
    let passed_over = section.passed_over().map_or_else(String::new, |cell| {
        format!("; a better mean, but lost trials, has {}", section.describe(cell))
    });
    let others = match section.inseparable_others() {
        count if count > 0 && findings.comparisons > 0 => {
            format!("; {} may be as good or better", counted(count, "other cell"))
        }
        _ => String::new(),
    };
    let beside = test_beside(section, best.cell).unwrap_or_default();
    let seen = with_spread(scale, summary);
    let text = format!("{seen}{spread}{settings}{lost}{passed_over}{others}{beside}");
    Some((if cells.len() > 1 { "best" } else { "mean" }, text))
}

/// Says what a cell that was chosen on validation images reaches on the test images.
fn test_beside(section: &Section, cell: usize) -> Option<String> {
    if section.metric.split != Some(Split::Validation) {
        return None;
    }
    let name = section.metric.on(Split::Test)?;
    let metric = section.metrics.iter().find(|metric| metric.name == name)?;
    let summary = section.cells[cell].metrics.get(&name)?;
    let scale = Scale::of(&metric.unit, None);
    let n = if summary.n == section.cells[cell].summary.as_ref()?.n {
        String::new()
    } else {
        format!(" (n = {})", summary.n)
    };
    let found = with_spread(&scale, summary);
    Some(format!("; its {}{}: {found}{n}", name.words(), scale.unit()))
}

/// Says how the images were read.
fn images(presenter: &Presenter<'_>) -> Vec<(&'static str, String)> {
    let datasets = &presenter.section.datasets;
    let notes = datasets.iter().filter(|dataset| !dataset.notes.is_empty()).map(|dataset| {
        let name = if datasets.len() > 1 { format!("{}: ", dataset.name) } else { String::new() };
        ("images", format!("{name}{}", dataset.notes.join("; ")))
    });
    notes.collect()
}

/// Says where the best mean is; cells that share it to the last digit are named with it.
fn settings_of_best(section: &Section, best: usize, summary: &Summary) -> String {
    let settings = section.describe(best);
    if settings.is_empty() {
        return settings;
    }
    let ties = |cell: &usize| {
        let found = section.cells[*cell].summary;
        *cell != best && found.is_some_and(|found| (found.mean - summary.mean).abs() < 1e-12)
    };
    let ties: Vec<usize> = (0..section.cells.len()).filter(ties).collect();
    let Some((last, others)) = ties.split_last() else { return format!(" at {settings}") };
    let varying: Vec<_> = section.varying().collect();
    if let [(axis, line)] = varying.as_slice() {
        let value = |cell: &usize| line.show_or_absent(section.cells[*cell].values[*axis].as_ref());
        let first: Vec<String> = [best].iter().chain(others).map(value).collect();
        return format!(" at {} {} and {}", line.label, first.join(", "), value(last));
    }
    let more = match ties.len() - 1 {
        0 => String::new(),
        more => format!(" and {}", counted(more, "other cell")),
    };
    format!(" at {settings}; the same mean at {}{more}", section.describe(ties[0]))
}

fn extreme(presenter: &Presenter<'_>) -> Option<(&'static str, String)> {
    let findings = &presenter.section.findings;
    let scale = &presenter.scale;
    let found = findings.extreme.filter(|found| found.of > 1)?;
    let maximizes = presenter.section.metric.is_maximized();
    let label = if maximizes { "max" } else { "min" };
    let expected = found.expected.map_or_else(String::new, |expected| {
        let cells = if presenter.section.cells.len() > 1 { "these cells" } else { "this cell" };
        format!(
            "; the best of so many draws from {cells} is expected at {}{}",
            scale.value(expected),
            scale.unit()
        )
    });
    let which = if maximizes { "highest" } else { "lowest" };
    let text = format!(
        "{which} of {}: {}{}{expected}",
        counted(found.of, "trial"),
        scale.value(found.value),
        scale.unit()
    );
    Some((label, text))
}

fn sigma(presenter: &Presenter<'_>) -> Option<(&'static str, String)> {
    let findings = &presenter.section.findings;
    let spread = findings.spread?;
    let scale = &presenter.scale;
    let interval = findings.best.and_then(|best| best.test_set_interval95).map_or_else(
        String::new,
        |interval| {
            let which = if presenter.section.cells.len() > 1 { "best mean" } else { "mean" };
            format!(
                "; on other images of the kind the {which} may lie in {}{} (95 %, Wilson)",
                scale.interval(interval),
                scale.unit()
            )
        },
    );
    let of = if spread.is_of_single_networks { "of networks alone: " } else { "" };
    Some((
        "σ",
        format!(
            "{of}predicted {} from {} test images alone, seen {}{interval}",
            scale.size(spread.predicted),
            grouped(spread.test_images as f64, 0),
            scale.size(spread.seen),
        ),
    ))
}
