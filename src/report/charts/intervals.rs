//! Cells in order of their means, each with its interval and its trials.

use super::scale::{Linear, robust_range};
use super::svg::{Anchor, Chart, Drawing, Towards, fitted, text_width};
use crate::report::document::{CellLine, Section};
use crate::report::markup::{capitalised, sentence};
use crate::report::numbers::counted;
use crate::report::text::{MARK, Presenter, with_spread};

/// Cells that are drawn; the worse ones are left out.
const MAX_CELLS: usize = 40;
/// Trials of a cell that are drawn as dots.
const MAX_DOTS: usize = 200;
/// Height of a row.
const ROW: f64 = 17.0;
/// Width of the whole chart.
const PAGE: f64 = 940.0;

/// Draws the best cells with the 95 % intervals of their means; nothing for fewer than two.
pub(super) fn intervals(presenter: &Presenter<'_>) -> Option<Chart> {
    let section = presenter.section;
    let mut order: Vec<(usize, f64)> = section
        .cells
        .iter()
        .enumerate()
        .filter_map(|(index, cell)| Some((index, cell.summary?.mean)))
        .collect();
    if order.len() < 2 {
        return None;
    }
    let maximizes = section.metric.is_maximized();
    order.sort_by(|a, b| if maximizes { b.1.total_cmp(&a.1) } else { a.1.total_cmp(&b.1) });
    let all = order.len();
    order.truncate(MAX_CELLS);
    let names: Vec<String> = order.iter().map(|(cell, _)| name(section, *cell)).collect();
    let title = axis_names(section);
    let any_mark = order.iter().any(|(cell, _)| !mark(presenter, *cell).is_empty());
    let indent = if any_mark { 14.0 } else { 0.0 };
    let widest = names.iter().map(|text| text_width(text)).fold(0.0, f64::max).min(300.0);
    let (left, top) = (indent + widest + 24.0, 26.0);
    let bottom = top + ROW * order.len() as f64;
    let right_text = 110.0;
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
    let room = PAGE - indent - right_text;
    drawing.text("q", (indent, top - 11.0), Anchor::Start, &fitted(&title, room));
    let several = section.findings.n_max > 1;
    let head = if several { "mean ± SD" } else { "value" };
    drawing.text("q", (PAGE, top - 11.0), Anchor::End, head);
    for tick in x.ticks() {
        drawing.line("grid", (x.at(tick), top - 4.0), (x.at(tick), bottom));
        drawing.text("q", (x.at(tick), bottom + 15.0), Anchor::Middle, &x.label(tick));
    }
    let metric = presenter.metric();
    drawing.text("q", (0.5 * (left + PAGE - right_text), bottom + 32.0), Anchor::Middle, &metric);
    if let Some((_, best)) = order.first().filter(|(_, best)| x.holds(shown(*best))) {
        drawing.line("best", (x.at(shown(*best)), top - 4.0), (x.at(shown(*best)), bottom));
    }
    let mut leaves_chart = false;
    for (index, ((cell, mean), name)) in order.iter().zip(&names).enumerate() {
        let line = &section.cells[*cell];
        let y = top + ROW * (index as f64 + 0.5);
        let class = presenter.class_of(*cell);
        drawing.open(class, &presenter.cell_title(*cell));
        drawing.rect("hit", (0.0, y - 0.5 * ROW), (PAGE, ROW));
        drawing.text("", (0.0, y + 4.0), Anchor::Start, mark(presenter, *cell));
        drawing.text("", (indent, y + 4.0), Anchor::Start, &fitted(name, widest));
        leaves_chart |= row(&mut drawing, presenter, line, (y, &x));
        if x.holds(shown(*mean)) {
            drawing.circle("mean", (x.at(shown(*mean)), y), 3.6);
        }
        let text = line.summary.map(|found| short_spread(presenter, &found)).unwrap_or_default();
        drawing.text("", (PAGE, y + 4.0), Anchor::End, &text);
        drawing.close();
    }
    let mut chart = Chart::new("intervals", "Cells compared", (PAGE, bottom + 40.0), drawing);
    put_in_words(&mut chart, presenter, (&order, all), leaves_chart);
    Some(chart)
}

/// Adds title, description and notes to the chart of the cells in `order`, of `all`.
fn put_in_words(
    chart: &mut Chart,
    presenter: &Presenter<'_>,
    (order, all): (&[(usize, f64)], usize),
    leaves_chart: bool,
) {
    let section = presenter.section;
    let metric = presenter.metric();
    let part = if all > order.len() {
        format!("the best {} of {}", order.len(), counted(all, "cell"))
    } else {
        counted(all, "cell")
    };
    let has_intervals = section
        .cells
        .iter()
        .any(|cell| cell.summary.is_some_and(|found| found.interval95.is_some()));
    let with = if has_intervals { ", with the 95 % interval of each mean" } else { "" };
    chart.title = format!("{metric}: {part}, best first{with}");
    let (Some(first), Some(last)) = (order.first(), order.last()) else { return };
    let says = |(cell, _): &(usize, f64)| {
        let found = section.cells[*cell].summary.as_ref();
        found.map(|found| with_spread(&presenter.scale, found)).unwrap_or_default()
    };
    chart.description = format!(
        "Means from {} at the top to {} at the bottom. {}",
        says(first),
        says(last),
        presenter.confidence_sentence().map(|text| sentence(&text)).unwrap_or_default()
    );
    let mut notes = Vec::new();
    if has_intervals {
        notes.push(
            "Thick lines are 95 % intervals of each mean by itself, faint dots single trials, the \
             dotted line the best mean seen."
                .to_owned(),
        );
    } else if section.findings.n_max > 1 {
        notes.push("The dotted line is the best mean seen.".to_owned());
    } else {
        notes.push(
            "One trial per cell: the points have no spread, and differences may be luck. The dotted \
             line is the best value."
                .to_owned(),
        );
    }
    if let Some(text) = presenter.confidence_sentence() {
        notes.push(format!("{}; the points of the others are hollow.", capitalised(&text)));
    }
    if has_intervals {
        notes.push(
            "Whether intervals overlap says neither that cells are equal nor that they differ."
                .to_owned(),
        );
    }
    chart.notes = notes;
    if leaves_chart {
        chart.notes.push("◂ and ▸ stand where something lies beyond the chart.".to_owned());
    }
    if all > order.len() {
        let left_out = counted(all - order.len(), "worse cell");
        chart.notes.push(format!("{left_out} left out: see the table per cell."));
    }
}

fn mark(presenter: &Presenter<'_>, cell: usize) -> &'static str {
    let mark = presenter.mark(&presenter.section.cells[cell]);
    if mark == MARK { mark } else { "" }
}

/// Draws trials and interval, and returns whether some of it lies beyond the chart.
fn row(
    drawing: &mut Drawing,
    presenter: &Presenter<'_>,
    cell: &CellLine,
    (y, x): (f64, &Linear),
) -> bool {
    let shown = |value: f64| presenter.scale.shown(value);
    let (low, high) = x.ends();
    let mut all: Vec<f64> = cell.trials.iter().copied().map(shown).collect();
    for value in all.iter().filter(|value| x.holds(**value)).take(MAX_DOTS) {
        drawing.circle("dot", (x.at(*value), y), 2.0);
    }
    all.extend(cell.summary.map(|found| shown(found.mean)));
    if let Some((from, to)) = cell.summary.and_then(|found| found.interval95) {
        let ends = [shown(from), shown(to)];
        all.extend(ends);
        if ends[1] >= low && ends[0] <= high {
            let [from, to] = ends.map(|end| x.at(x.nearest(end)));
            drawing.line("whisker", (from, y), (to, y));
        }
    }
    let beyond = |end: f64, side: f64| {
        all.iter().any(|value| side * (value - end) > 0.0 && !x.holds(*value))
    };
    let (is_below, is_above) = (beyond(low, -1.0), beyond(high, 1.0));
    if is_below {
        drawing.arrow("beyond", (x.at(low), y), Towards::Left);
    }
    if is_above {
        drawing.arrow("beyond", (x.at(high), y), Towards::Right);
    }
    is_below || is_above
}

fn short_spread(presenter: &Presenter<'_>, found: &gridbench_stats::Summary) -> String {
    let scale = &presenter.scale;
    match found.sd {
        Some(sd) => format!("{} ± {}", scale.value(found.mean), scale.value(sd)),
        None => format!("{} (n = 1)", scale.value(found.mean)),
    }
}

/// Names the axes in the order of [`name`]; those that move together share a position.
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
