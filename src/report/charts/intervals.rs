//! Cells in order of their means, each with its interval and its trials.

use super::scale::{Linear, robust_range};
use super::svg::{Anchor, Chart, Drawing, fitted, text_width};
use crate::base::Direction;
use crate::report::document::{CellLine, Section};
use crate::report::numbers::counted;
use crate::report::present::{Presenter, with_spread};

/// Cells that are drawn; the worse ones are left out.
const MOST: usize = 40;
/// Height of a row.
const ROW: f64 = 17.0;
/// Width of the whole chart.
const PAGE: f64 = 940.0;

/// Draws the best cells with the 95 % intervals of their means.
pub(super) fn intervals(presenter: &Presenter<'_>) -> Option<Chart> {
    let section = presenter.section;
    let mut order: Vec<(usize, f64)> = section
        .cells
        .iter()
        .enumerate()
        .filter_map(|(place, cell)| Some((place, cell.summary?.mean)))
        .collect();
    if order.is_empty() {
        return None;
    }
    let maximizes = section.metric.direction() == Direction::Maximize;
    order.sort_by(|a, b| if maximizes { b.1.total_cmp(&a.1) } else { a.1.total_cmp(&b.1) });
    let all = order.len();
    order.truncate(MOST);
    let names: Vec<String> = order.iter().map(|(cell, _)| name(section, *cell)).collect();
    let title = axis_names(section);
    let widest = names.iter().map(|text| text_width(text)).fold(text_width(&title), f64::max);
    let (left, top) = (widest.clamp(40.0, 300.0) + 26.0, 26.0);
    let bottom = top + ROW * order.len() as f64;
    let right_text = 96.0;
    let shown = |value: f64| presenter.scale.shown(value);
    let values = order.iter().flat_map(|(cell, _)| {
        let cell = &section.cells[*cell];
        let ends = cell.summary.and_then(|found| found.interval95);
        let mean = cell.summary.map(|found| found.mean);
        let ends = ends.into_iter().flat_map(|(low, high)| [low, high]);
        ends.chain(mean).chain(cell.trials.iter().copied()).collect::<Vec<_>>()
    });
    let range = robust_range(values.map(shown))?;
    let x = Linear::rounded(range, (left, PAGE - right_text), 7);
    let mut drawing = Drawing::default();
    drawing.text("q", (0.0, top - 9.0), Anchor::Start, &fitted(&title, left - 26.0));
    drawing.text("q", (PAGE, top - 9.0), Anchor::End, "mean ± SD");
    for tick in x.ticks() {
        drawing.line("grid", (x.at(tick), top - 4.0), (x.at(tick), bottom));
        drawing.text("q", (x.at(tick), bottom + 15.0), Anchor::Middle, &x.label(tick));
    }
    let metric = presenter.metric();
    drawing.text("q", (0.5 * (left + PAGE - right_text), bottom + 32.0), Anchor::Middle, &metric);
    if let Some((_, best)) = order.first() {
        drawing.line("best", (x.at(shown(*best)), top - 4.0), (x.at(shown(*best)), bottom));
    }
    for (place, ((cell, mean), name)) in order.iter().zip(&names).enumerate() {
        let line = &section.cells[*cell];
        let y = top + ROW * (place as f64 + 0.5);
        let class = if line.inseparable_from_best { "near" } else { "far" };
        drawing.open(class, &presenter.cell_title(*cell));
        drawing.rect("hit", (0.0, y - 0.5 * ROW), (PAGE, ROW));
        let mark = if line.inseparable_from_best { presenter.mark(line).trim() } else { "" };
        drawing.text("", (0.0, y + 4.0), Anchor::Start, &fitted(name, left - 26.0));
        drawing.text("", (left - 9.0, y + 4.0), Anchor::End, mark);
        row(&mut drawing, line, y, &|value| x.at(shown(value)));
        drawing.circle("mean", (x.at(shown(*mean)), y), 3.6);
        let text = line.summary.map(|found| short_spread(presenter, &found)).unwrap_or_default();
        drawing.text("", (PAGE, y + 4.0), Anchor::End, &text);
        drawing.close();
    }
    let mut chart = Chart::new("intervals", "Cells compared", (PAGE, bottom + 40.0), drawing);
    let part = if all > order.len() {
        format!("the best {} of {}", order.len(), counted(all, "cell"))
    } else {
        counted(all, "cell")
    };
    chart.title = format!("{metric}: {part}, best first, with the 95 % interval of each mean");
    let (first, last) = (order.first()?, order.last()?);
    let says = |(cell, _): &(usize, f64)| {
        let found = section.cells[*cell].summary.as_ref();
        found.map(|found| with_spread(&presenter.scale, found)).unwrap_or_default()
    };
    chart.description = format!(
        "Means from {} at the top to {} at the bottom. {}",
        says(first),
        says(last),
        presenter.inseparable_sentence()
    );
    chart.notes = vec![
        "Thick lines are 95 % intervals of the mean, faint dots single trials, the dotted line the \
         best mean. Filled points (●) cannot be told apart from the best cell, hollow ones can. \
         Overlapping intervals do not show that two cells are equal."
            .to_owned(),
    ];
    if all > order.len() {
        let left_out = counted(all - order.len(), "worse cell");
        chart.notes.push(format!("{left_out} left out: see the table per cell."));
    }
    Some(chart)
}

fn row(drawing: &mut Drawing, cell: &CellLine, y: f64, x: &dyn Fn(f64) -> f64) {
    for value in cell.trials.iter().take(200) {
        drawing.circle("dot", (x(*value), y), 2.0);
    }
    if let Some((low, high)) = cell.summary.and_then(|found| found.interval95) {
        drawing.line("whisker", (x(low), y), (x(high), y));
    }
}

fn short_spread(presenter: &Presenter<'_>, found: &crate::report::Statistics) -> String {
    let scale = &presenter.scale;
    match found.sd {
        Some(sd) => format!("{} ± {}", scale.value(found.mean), scale.value(sd)),
        None => format!("{} (n = 1)", scale.value(found.mean)),
    }
}

/// Names the axes in the order of [`name`]; those that move together share a place.
fn axis_names(section: &Section) -> String {
    let labels: Vec<&str> = section.effects.iter().map(|effect| effect.label.as_str()).collect();
    labels.join(" · ")
}

/// Names a cell by its values alone.
fn name(section: &Section, cell: usize) -> String {
    let texts: Vec<String> =
        section.effects.iter().map(|effect| section.show_joined(cell, &effect.axes)).collect();
    texts.join(" · ")
}
