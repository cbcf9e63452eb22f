//! The lines below a grid: what its numbers and marks mean, and what may be concluded.

use super::document::Section;
use super::numbers::{counted, grouped};
use super::present::{LOST, MARK, MARK_IN_GRID, Presenter, with_spread};

/// Returns label and text of every line.
pub(super) fn captions(presenter: &Presenter<'_>) -> Vec<(String, String)> {
    let mut lines: Vec<(&str, String)> = Vec::new();
    let section = presenter.section;
    lines.extend(fixed(presenter));
    lines.extend(shortened(presenter));
    lines.extend(spread_meaning(presenter));
    lines.extend(marks(presenter));
    if section.counts.lost() > 0 {
        lines.push((LOST, "trials that failed, diverged or took too long".to_owned()));
    }
    lines.extend(detectable(presenter));
    lines.extend(best(presenter));
    lines.extend(extreme(presenter));
    lines.extend(sigma(presenter));
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
        .filter(|(value, shown)| value != shown)
        .map(|(value, shown)| format!("{shown} is {value}"))
        .collect();
    (!texts.is_empty()).then(|| ("names", texts.join("; ")))
}

fn spread_meaning(presenter: &Presenter<'_>) -> Option<(&'static str, String)> {
    let findings = &presenter.section.findings;
    match findings.n_max {
        0 => None,
        1 => {
            Some(("n = 1", "one trial a cell: no spread, so nothing can be told apart".to_owned()))
        }
        _ => Some(("±", "standard deviation over the trials of a cell (n − 1)".to_owned())),
    }
}

fn marks(presenter: &Presenter<'_>) -> Vec<(&'static str, String)> {
    let Section { findings, cells, grids, .. } = presenter.section;
    if findings.comparisons == 0 {
        return Vec::new();
    }
    let mut lines = vec![(
        MARK,
        format!(
            "not distinguishable from the best cell (Welch's t, Holm over {}, α {})",
            counted(findings.comparisons, "comparison"),
            findings.alpha
        ),
    )];
    let in_grid =
        |cell: &super::document::CellLine| cell.inseparable_in_grid && !cell.inseparable_from_best;
    if grids.len() > 1 && cells.iter().any(in_grid) {
        lines.push((MARK_IN_GRID, "not distinguishable from the best of its own grid".to_owned()));
    }
    lines
}

fn detectable(presenter: &Presenter<'_>) -> Option<(&'static str, String)> {
    let scale = &presenter.scale;
    let found = presenter.section.findings.detectable.filter(|found| found.difference > 0.0)?;
    Some((
        "power",
        format!(
            "smallest detectable difference {} (two cells of n = {}, 80 % power, α 0.05); {} needs {} \
             a cell",
            scale.size(found.difference),
            found.n,
            scale.size(found.half),
            counted(found.repeats_for_half, "trial"),
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
        _ => format!(" (n = {})", summary.n),
    };
    let place = match presenter.section.describe(best.cell) {
        place if place.is_empty() => place,
        place => format!(" at {place}"),
    };
    let others = if best.inseparable > 1 && findings.comparisons > 0 {
        let others = counted(best.inseparable - 1, "other cell");
        format!("; {others} cannot be told apart from it")
    } else {
        String::new()
    };
    let text = format!("{}{spread}{place}{others}", with_spread(scale, summary));
    Some(("best", text))
}

fn extreme(presenter: &Presenter<'_>) -> Option<(&'static str, String)> {
    let findings = &presenter.section.findings;
    let scale = &presenter.scale;
    let found = findings.extreme.filter(|found| found.of > 1)?;
    let maximizes = presenter.section.metric.direction() == crate::base::Direction::Maximize;
    let label = if maximizes { "max" } else { "min" };
    let expected = found.expected.map_or_else(String::new, |expected| {
        format!(
            "; the best of so many draws from these cells is expected at {}",
            scale.value(expected)
        )
    });
    let text = format!("{} of {}{expected}", scale.value(found.value), counted(found.of, "trial"));
    Some((label, text))
}

fn sigma(presenter: &Presenter<'_>) -> Option<(&'static str, String)> {
    let findings = &presenter.section.findings;
    let spread = findings.spread?;
    let scale = &presenter.scale;
    let interval = findings.best.and_then(|best| best.test_set_interval95).map_or_else(
        String::new,
        |interval| {
            format!(
                "; on other images of the kind the best mean may lie in {} (95 %, Wilson)",
                scale.interval(interval)
            )
        },
    );
    Some((
        "σ",
        format!(
            "predicted {} from {} test images alone, seen {}{interval}",
            scale.value(spread.predicted),
            grouped(spread.test_images as f64, 0),
            scale.value(spread.seen),
        ),
    ))
}
