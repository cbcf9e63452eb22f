//! What each axis does: marginal means of its levels, and how rows and columns act together.

use super::positions::{Positions, Spacing, number};
use super::scale::{Linear, full_range, inside, robust_range};
use super::svg::{Anchor, Chart, Drawing, Towards, fitted, text_width};
use super::trellis::{Frame, grid_name};
use crate::report::document::PivotGrid;
use crate::report::levels::{AxisEffect, Level};
use crate::report::numbers::counted;
use crate::report::pivot::ABSENT;
use crate::report::text::Presenter;

/// Panels beside each other.
const COLUMNS: usize = 3;
/// Height of a panel.
const HEIGHT: f64 = 150.0;
/// Width of the whole chart.
const PAGE: f64 = 940.0;
/// Lines that can be told apart by colour, dashes and mark.
const MAX_LINES: usize = 6;
/// Levels of an axis beyond which a line says more than its marks.
const MAX_LEVELS: usize = 60;

/// Draws one panel per axis: the mean over everything else at each of its levels.
pub(super) fn effects(presenter: &Presenter<'_>) -> Option<Chart> {
    let section = presenter.section;
    let shown = |value: f64| presenter.scale.shown(value);
    let effects: Vec<&AxisEffect> = section
        .effects
        .iter()
        .filter(|effect| effect.levels.iter().filter(|level| level.mean.is_some()).count() > 1)
        .collect();
    let ends = effects.iter().flat_map(|effect| &effect.levels).filter_map(|level| level.mean);
    let values = ends.flat_map(|mean| [mean.interval.0, mean.interval.1]);
    // Means over many cells have no outliers, and levels that differ are what this is about.
    let range = full_range(values.map(shown))?;
    let columns = effects.len().min(COLUMNS);
    let rows = effects.len().div_ceil(columns);
    let scale = Linear::rounded(range, (0.0, 1.0), 4);
    let left =
        scale.ticks().iter().map(|tick| text_width(&scale.label(*tick))).fold(20.0, f64::max);
    let left = left + 8.0;
    let gap = 22.0;
    let width = ((PAGE - left) / COLUMNS as f64 - gap).floor();
    let (unit, above, below) = (18.0, 24.0, 38.0);
    let mut drawing = Drawing::default();
    let (mut is_logarithmic, mut is_spaced) = (false, false);
    drawing.text("q", (0.0, 11.0), Anchor::Start, &presenter.metric());
    for (index, effect) in effects.iter().enumerate() {
        let frame = Frame {
            left: left + (index % columns) as f64 * (width + gap),
            top: unit + above + (index / columns) as f64 * (HEIGHT + above + below),
            width,
            height: HEIGHT,
        };
        let y = Linear::rounded(range, (frame.bottom(), frame.top), 4);
        paper(&mut drawing, frame, &y, index % columns == 0);
        let names: Vec<String> = effect.levels.iter().map(|level| level.value.clone()).collect();
        let positions = Positions::of(&names, frame);
        let remarks = [
            (!effect.balanced, "not balanced"),
            (positions.spacing == Spacing::Logarithmic, "log scale"),
        ];
        let remarks: Vec<&str> =
            remarks.into_iter().filter_map(|(holds, text)| holds.then_some(text)).collect();
        let after =
            if remarks.is_empty() { String::new() } else { format!(" ({})", remarks.join(", ")) };
        let title = fitted(&effect.label, width - text_width(&after)) + &after;
        drawing.text("b", (frame.left, frame.top - 9.0), Anchor::Start, &title);
        levels(&mut drawing, presenter, (frame, &positions), effect, &|value| y.at(shown(value)));
        positions.label(&mut drawing, &names);
        is_logarithmic |= positions.spacing == Spacing::Logarithmic;
        is_spaced |= positions.spacing != Spacing::Even;
    }
    let height = unit + rows as f64 * (HEIGHT + above + below);
    let size = (left + columns as f64 * (width + gap), height);
    let mut chart = Chart::new("effects", "Effects of the axes", size, drawing);
    chart.title = format!(
        "{}: mean at each level of each axis, over everything else, with 95 % interval",
        presenter.metric()
    );
    chart.description =
        effects.iter().map(|effect| in_words(presenter, effect)).collect::<Vec<_>>().join(" ");
    chart.notes.push(
        "Points are means of cell means, every cell counting alike; lines are 95 % intervals from \
         the spread within all cells. The vertical axis is the same in all panels."
            .to_owned(),
    );
    if is_spaced {
        let scale =
            if is_logarithmic { ", on a logarithmic scale where the panel says so" } else { "" };
        chart.notes.push(format!("Numbers stand at their size{scale}."));
    }
    if effects.iter().any(|effect| !effect.balanced) {
        chart.notes.push(
            "Levels of an axis marked “not balanced” were tried with different values of the other \
             axes, so its means differ by more than this axis."
                .to_owned(),
        );
    }
    Some(chart)
}

/// Draws the ground of a panel with its ticks.
fn paper(drawing: &mut Drawing, frame: Frame, y: &Linear, labelled: bool) {
    drawing.rect("frame", (frame.left, frame.top), (frame.width, frame.height));
    for tick in y.ticks() {
        let at = y.at(tick);
        drawing.line("grid", (frame.left, at), (frame.right(), at));
        if labelled {
            drawing.text("q", (frame.left - 6.0, at + 4.0), Anchor::End, &y.label(tick));
        }
    }
}

fn levels(
    drawing: &mut Drawing,
    presenter: &Presenter<'_>,
    (frame, positions): (Frame, &Positions),
    effect: &AxisEffect,
    y: &dyn Fn(f64) -> f64,
) {
    let mean_of = |level: &usize| effect.levels[*level].mean;
    let known: Vec<usize> =
        positions.order().into_iter().filter(|level| mean_of(level).is_some()).collect();
    let points: Vec<(f64, f64)> = known
        .iter()
        .filter_map(|level| Some((positions.at(*level), y(mean_of(level)?.mean))))
        .collect();
    // A line is a help for the eye, so only numbers get one.
    if is_numeric(effect) {
        drawing.polyline("grid axis", &points);
    }
    for level in known {
        let (x, line) = (positions.at(level), &effect.levels[level]);
        let Some(mean) = line.mean else { continue };
        let title = format!("{} {}: {}", effect.label, line.value, level_text(presenter, line));
        drawing.open("near", &title);
        let (left, right) = positions.reach(level);
        drawing.rect("hit", (left, frame.top), (right - left, frame.height));
        drawing.line("whisker", (x, y(mean.interval.0)), (x, y(mean.interval.1)));
        if effect.levels.len() <= MAX_LEVELS {
            drawing.circle("mean", (x, y(mean.mean)), 3.4);
        }
        drawing.close();
    }
}

fn is_numeric(effect: &AxisEffect) -> bool {
    effect.levels.iter().all(|level| number(&level.value).is_some())
}

/// Says what is known of a level.
pub(in crate::report) fn level_text(presenter: &Presenter<'_>, level: &Level) -> String {
    let scale = &presenter.scale;
    level.mean.map_or_else(
        || "no spread".to_owned(),
        |mean| {
            format!(
                "{} (95 % {}; {}, {})",
                scale.value(mean.mean),
                scale.interval(mean.interval),
                counted(level.cells, "cell"),
                counted(level.trials, "trial"),
            )
        },
    )
}

fn in_words(presenter: &Presenter<'_>, effect: &AxisEffect) -> String {
    let levels: Vec<String> = effect
        .levels
        .iter()
        .filter_map(|level| {
            Some(format!("{} at {}", presenter.scale.value(level.mean?.mean), level.value))
        })
        .take(12)
        .collect();
    format!("{}: {}.", effect.label, levels.join(", "))
}

/// Draws, for every grid of at most six rows, one line per row across the columns.
pub(super) fn interactions(presenter: &Presenter<'_>) -> Vec<Chart> {
    let section = presenter.section;
    let several = section.grids.len() > 1;
    // One scale for all, so that grids can be held against each other.
    let range = range_of_intervals(presenter);
    let draw = |(index, grid): (usize, &PivotGrid)| {
        let columns = grid.columns.as_ref()?;
        let drawable = (2..=MAX_LINES).contains(&grid.entries.len())
            && (2..=MAX_LEVELS).contains(&columns.values.len());
        if !drawable {
            return None;
        }
        let mut chart = interaction(presenter, grid, range?)?;
        chart.name =
            if several { format!("interaction-{}", index + 1) } else { "interaction".to_owned() };
        Some(chart)
    };
    section.grids.iter().enumerate().take(12).filter_map(draw).collect()
}

/// Returns the range of the intervals of all cells, as printed.
fn range_of_intervals(presenter: &Presenter<'_>) -> Option<(f64, f64)> {
    let found = presenter.section.cells.iter().filter_map(|cell| cell.summary);
    let ends = found.flat_map(|found| {
        let (low, high) = found.interval95.unwrap_or((found.mean, found.mean));
        [low, high]
    });
    robust_range(ends.map(|value| presenter.scale.shown(value)))
}

fn interaction(presenter: &Presenter<'_>, grid: &PivotGrid, range: (f64, f64)) -> Option<Chart> {
    let section = presenter.section;
    let columns = grid.columns.as_ref()?;
    let shown = |value: f64| presenter.scale.shown(value);
    let joined = |values: &[Option<String>]| {
        let texts: Vec<&str> =
            values.iter().map(|value| value.as_deref().unwrap_or(ABSENT)).collect();
        texts.join("/")
    };
    let rows: Vec<String> = grid.rows.values.iter().map(|values| joined(values)).collect();
    let row_label = grid.rows.labels.join("/");
    let scale = Linear::rounded(range, (0.0, 1.0), 5);
    let left =
        scale.ticks().iter().map(|tick| text_width(&scale.label(*tick))).fold(20.0, f64::max);
    let legend = rows.iter().map(|row| text_width(row)).fold(text_width(&row_label), f64::max);
    let legend = legend.min(200.0) + 44.0;
    let count = columns.values.len();
    let width = (90.0 * count as f64).min(PAGE - left - legend - 20.0);
    let frame = Frame { left: left + 8.0, top: 24.0, width, height: 200.0 };
    let y = Linear::rounded(range, (frame.bottom(), frame.top), 5);
    let mut drawing = Drawing::default();
    drawing.text("q", (0.0, 11.0), Anchor::Start, &presenter.metric());
    paper(&mut drawing, frame, &y, true);
    let names: Vec<String> = columns.values.iter().map(|values| joined(values)).collect();
    let positions = Positions::of(&names, frame);
    let spread = (0.5 * positions.gap()).min(30.0) / rows.len() as f64;
    let mut leaves_panel = false;
    for (row, entries) in grid.entries.iter().enumerate() {
        let shift = (row as f64 - 0.5 * (rows.len() - 1) as f64) * spread;
        let x = |index: usize| positions.at(index) + shift;
        let found: Vec<(usize, usize)> = positions
            .order()
            .into_iter()
            .filter_map(|index| Some((index, entries[index]?)))
            .filter(|(_, cell)| section.cells[*cell].summary.is_some())
            .collect();
        let points: Vec<(f64, f64)> = found
            .iter()
            .filter_map(|(index, cell)| {
                Some((x(*index), y.at(shown(section.cells[*cell].summary?.mean))))
            })
            .collect();
        for piece in inside(&points, (frame.top, frame.bottom())).pieces {
            drawing.polyline(&format!("s{row}"), &piece);
        }
        for (index, cell) in &found {
            let Some(summary) = section.cells[*cell].summary else { continue };
            drawing.open("", &presenter.cell_title(*cell));
            let at = |value: f64| (x(*index), y.at(y.nearest(shown(value))));
            if let Some((low, high)) = summary.interval95 {
                drawing.line(&format!("s{row}"), at(low), at(high));
            }
            if y.holds(shown(summary.mean)) {
                mark(&mut drawing, row, at(summary.mean));
            } else {
                let is_low = shown(summary.mean) < y.ends().0;
                leaves_panel = true;
                let towards = if is_low { Towards::Bottom } else { Towards::Top };
                drawing.arrow(&format!("f{row}"), at(summary.mean), towards);
            }
            drawing.close();
        }
        let at = (frame.right() + 16.0, frame.top + 26.0 + 18.0 * row as f64);
        drawing.line(&format!("s{row}"), at, (at.0 + 18.0, at.1));
        mark(&mut drawing, row, (at.0 + 9.0, at.1));
        drawing.text("", (at.0 + 24.0, at.1 + 4.0), Anchor::Start, &fitted(&rows[row], 200.0));
    }
    let legend_at = (frame.right() + 16.0, frame.top + 8.0);
    drawing.text("q", legend_at, Anchor::Start, &fitted(&row_label, 200.0));
    positions.label(&mut drawing, &names);
    let below = (frame.left + 0.5 * width, frame.bottom() + 44.0);
    let scale = if positions.spacing == Spacing::Logarithmic { " (log scale)" } else { "" };
    let across = format!("{}{scale}", columns.labels.join("/"));
    drawing.text("q", below, Anchor::Middle, &across);
    let size = (frame.right() + legend, frame.bottom() + 52.0);
    let mut chart = Chart::new("interaction", "How rows and columns act together", size, drawing);
    chart.title = format!(
        "{}: {} by {}{}",
        presenter.metric(),
        columns.labels.join("/"),
        row_label,
        grid_name(grid)
    );
    chart.description = format!(
        "One line for each {row_label} across the values of {}; lines that are not parallel mean \
         that the effect of one depends on the other.",
        columns.labels.join("/")
    );
    let has_interval =
        |cell: &usize| section.cells[*cell].summary.is_some_and(|found| found.interval95.is_some());
    if grid.entries.iter().flatten().flatten().any(has_interval) {
        let text = "Upright lines are 95 % intervals of each mean by itself.";
        chart.notes.push(text.to_owned());
    }
    if leaves_panel {
        let text = "Means beyond the panel are drawn as ▾ or ▴ at its edge.";
        chart.notes.push(text.to_owned());
    }
    Some(chart)
}

/// Draws the mark of a line: its shape says as much as its colour.
pub(super) fn mark(drawing: &mut Drawing, line: usize, (x, y): (f64, f64)) {
    let class = format!("f{line}");
    match line {
        0 => drawing.circle(&class, (x, y), 3.8),
        1 => drawing.rect(&class, (x - 3.4, y - 3.4), (6.8, 6.8)),
        2 => drawing.band(&class, &[(x - 4.2, y + 3.4), (x, y - 4.4), (x + 4.2, y + 3.4)], &[]),
        3 => drawing.band(&class, &[(x - 4.6, y), (x, y - 4.6), (x + 4.6, y), (x, y + 4.6)], &[]),
        4 => drawing.band(&class, &[(x - 4.2, y - 3.4), (x, y + 4.4), (x + 4.2, y - 3.4)], &[]),
        _ => drawing.rect(&class, (x - 1.6, y - 5.0), (3.2, 10.0)),
    }
}
