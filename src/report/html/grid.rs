//! The grids as heat maps: every cell a number first, its colour a help.

use std::fmt::Write as _;

use super::Page;
use super::table::meaning;
use crate::report::charts::robust_range;
use crate::report::document::{Heading, PivotGrid, Section};
use crate::report::legend::legend_lines;
use crate::report::markup::escape;
use crate::report::numbers::counted;
use crate::report::pivot::ABSENT;
use crate::report::text::{LOST, Presenter, grid_title};

/// Appends the grids, a legend of their colours and what they show.
pub(super) fn grids(page: &mut Page, presenter: &Presenter<'_>, prefix: &str) {
    let section = presenter.section;
    page.open(prefix, "grid", &presenter.heading());
    let range = shades(section);
    page.raw("<div class=\"grids\">\n");
    for grid in &section.grids {
        let markup = heat_map(presenter, grid, range);
        page.raw(&markup);
    }
    page.raw("</div>\n");
    if let Some((low, high)) = range {
        let (pale, strong) = if maximizes(section) { (low, high) } else { (high, low) };
        let legend = format!(
            "<p class=\"legend\"><span>{}</span><i aria-hidden=\"true\"></i><span>{}</span> \
             <span>{}, pale to strong is worse to better</span></p>\n",
            escape(&presenter.scale.value(pale)),
            escape(&presenter.scale.value(strong)),
            escape(&presenter.metric())
        );
        page.raw(&legend);
    }
    let mut lines = legend_lines(presenter);
    if presenter.sizes_differ && section.compared() > 0 {
        let most = section.findings.n_max;
        lines.insert(
            0,
            ("n".to_owned(), format!("{} where a cell says nothing else", counted(most, "trial"))),
        );
    }
    page.list(&lines);
    page.close();
}

fn maximizes(section: &Section) -> bool {
    section.metric.is_maximized()
}

/// Returns the means that are shown palest and strongest; nothing where all are alike.
fn shades(section: &Section) -> Option<(f64, f64)> {
    let means = section.cells.iter().filter_map(|cell| Some(cell.summary?.mean));
    robust_range(means).filter(|(low, high)| high > low)
}

fn heat_map(presenter: &Presenter<'_>, grid: &PivotGrid, range: Option<(f64, f64)>) -> String {
    let title = grid_title(grid);
    // A single grid has the heading above it for its title; its caption is for those who listen.
    let kind = if title.is_empty() { "heat untitled" } else { "heat" };
    let caption = if title.is_empty() { presenter.heading() } else { title };
    let mut out = format!(
        "<div class=\"scroll\" tabindex=\"0\" role=\"group\" aria-label=\"{0}\">\n\
         <table class=\"{kind}\">\n<caption>{0}</caption>\n<thead>",
        escape(&caption)
    );
    let row_labels = &grid.rows.labels;
    let joined = grid.columns.is_some();
    if let Some(columns) = &grid.columns {
        let rows = if row_labels.is_empty() {
            String::new()
        } else {
            format!("{} ↓", row_labels.join("/"))
        };
        write!(
                out,
                "<tr><th rowspan=\"2\" scope=\"col\">{}</th><th colspan=\"{}\" scope=\"colgroup\">{} →</th></tr>\n<tr>",
                escape(&rows),
                columns.values.len(),
                escape(&columns.labels.join("/"))
            )
            .expect("text takes text");
        for values in &columns.values {
            write!(out, "<th scope=\"col\">{}</th>", escape(&join(values)))
                .expect("text takes text");
        }
        out.push_str("</tr>");
    } else {
        out.push_str("<tr>");
        for label in row_labels {
            write!(out, "<th scope=\"col\">{}</th>", escape(label)).expect("text takes text");
        }
        write!(out, "<th scope=\"col\">{}</th></tr>", escape(&presenter.metric()))
            .expect("text takes text");
    }
    out.push_str("</thead>\n<tbody>\n");
    for (row, entries) in grid.entries.iter().enumerate() {
        out.push_str("<tr>");
        row_head(&mut out, &grid.rows, row, joined);
        for cell in entries {
            match cell {
                Some(cell) => entry(&mut out, presenter, *cell, range),
                None => out.push_str("<td class=\"hole\"></td>"),
            }
        }
        out.push_str("</tr>\n");
    }
    out.push_str("</tbody></table></div>\n");
    out
}

fn row_head(out: &mut String, heading: &Heading, row: usize, joined: bool) {
    if heading.labels.is_empty() {
        return;
    }
    let values = &heading.values[row];
    let texts = if joined {
        vec![join(values)]
    } else {
        values.iter().map(|value| value.as_deref().unwrap_or(ABSENT).to_owned()).collect()
    };
    for text in texts {
        write!(out, "<th scope=\"row\">{}</th>", escape(&text)).expect("text takes text");
    }
}

fn join(values: &[Option<String>]) -> String {
    let texts: Vec<&str> = values.iter().map(|value| value.as_deref().unwrap_or(ABSENT)).collect();
    texts.join("/")
}

fn entry(out: &mut String, presenter: &Presenter<'_>, index: usize, range: Option<(f64, f64)>) {
    let section = presenter.section;
    let cell = &section.cells[index];
    let scale = &presenter.scale;
    let title = escape(&presenter.cell_title(index));
    let Some(found) = &cell.summary else {
        write!(out, "<td class=\"hole\" title=\"{title}\">{ABSENT}").expect("text takes text");
        standing(out, presenter, index);
        out.push_str("</td>");
        return;
    };
    let strength = range.map_or(0.0, |(low, high)| {
        let share = ((found.mean - low) / (high - low)).clamp(0.0, 1.0);
        if maximizes(section) { share } else { 1.0 - share }
    });
    let is_best = section.findings.best.is_some_and(|best| best.cell == index);
    let class = if is_best { " class=\"best\"" } else { "" };
    let spread = found.sd.map_or_else(String::new, |sd| format!(" ± {}", scale.value(sd)));
    let mark = mark(presenter, index);
    write!(
        out,
        "<td{class} style=\"--v:{strength:.2}\" title=\"{title}\">{}{spread}{mark}",
        scale.value(found.mean)
    )
    .expect("text takes text");
    standing(out, presenter, index);
    out.push_str("</td>");
}

/// Returns the mark of a cell, for the end of its number.
fn mark(presenter: &Presenter<'_>, index: usize) -> String {
    let mark = presenter.mark(&presenter.section.cells[index]).trim();
    if mark.is_empty() {
        return String::new();
    }
    format!(" <abbr title=\"{}\">{mark}</abbr>", meaning(mark))
}

/// Appends the line below a number where there is anything to say: trials, where cells differ in them,
/// and what was lost.
fn standing(out: &mut String, presenter: &Presenter<'_>, index: usize) {
    let cell = &presenter.section.cells[index];
    let counts = cell.counts;
    let mut parts = Vec::new();
    if counts.unfinished > 0 {
        parts.push(format!("…{}/{}", counts.completed, counts.planned));
    } else if cell.summary.is_some_and(|found| found.n != presenter.section.findings.n_max) {
        parts.push(format!("n = {}", counts.completed));
    }
    if counts.lost() > 0 {
        parts.push(format!("<abbr title=\"lost trials\">{LOST}</abbr> {}", counts.lost()));
    }
    if !parts.is_empty() {
        write!(out, "<small>{}</small>", parts.join(" ")).expect("text takes text");
    }
}
