//! The report for a terminal.

use super::answer::answer;
use super::details::{MORE, more_cells};
use super::document::{ReportDocument, Section};
use super::layout::{Paint, wrap_parts, wrap_text};
use super::legend::legend_lines;
use super::reference::notes;
use super::text::{Presenter, grid_title, labelled_lines};

/// Most cells whose details are listed.
const MAX_DETAILS: usize = 200;
/// Narrowest page that is laid out; narrower terminals wrap by themselves.
const MIN_WIDTH: usize = 60;

/// Renders every section, at most `width` columns wide.
pub(super) fn render(document: &ReportDocument, width: usize, colour: bool) -> String {
    let width = width.max(MIN_WIDTH);
    let pages: Vec<String> =
        document.experiments.iter().map(|section| page(section, width, colour)).collect();
    pages.join(&format!("\n{}\n\n", Paint::Dim.on(&"━".repeat(width), colour)))
}

fn page(section: &Section, width: usize, colour: bool) -> String {
    let presenter = Presenter::of(section);
    let mut lines = title(&presenter, width, colour);
    if let Some(question) = &section.question {
        lines.extend(wrap_text(question, width, 0));
    }
    let answer = answer(&presenter);
    if let Some(answer) = &answer {
        lines.push(String::new());
        lines.extend(labelled_lines("answer", answer, width, Paint::Bold, colour));
    }
    grids(&presenter, width, colour, &mut lines);
    lines.push(String::new());
    for (label, text) in legend_lines(&presenter) {
        lines.extend(labelled_lines(&label, &text, width, Paint::Bold, colour));
    }
    if !section.warnings.is_empty() {
        lines.push(String::new());
    }
    for warning in &section.warnings {
        lines.extend(labelled_lines("warning", &warning.text, width, Paint::Yellow, colour));
    }
    trade_off(&presenter, width, colour, &mut lines);
    ensembles(&presenter, width, colour, &mut lines);
    details(&presenter, width, colour, &mut lines);
    reference(&presenter, width, colour, &mut lines);
    lines.push(String::new());
    for (label, text) in presenter.origin() {
        lines.extend(labelled_lines(&label, &text, width, Paint::Dim, colour));
    }
    if let Some(answer) = &answer {
        lines.push(String::new());
        lines.extend(labelled_lines("answer", answer, width, Paint::Bold, colour));
    }
    lines.join("\n") + "\n"
}

/// Renders the grids of a section alone, as far as they are filled.
#[must_use]
pub(super) fn render_grids(section: &Section, width: usize, colour: bool) -> String {
    let mut lines = Vec::new();
    grids(&Presenter::of(section), width.max(MIN_WIDTH), colour, &mut lines);
    lines.join("\n") + "\n"
}

fn grids(presenter: &Presenter<'_>, width: usize, colour: bool, lines: &mut Vec<String>) {
    lines.push(String::new());
    lines.push(Paint::Bold.on(&presenter.heading(), colour));
    for grid in &presenter.section.grids {
        lines.push(String::new());
        let title = grid_title(grid);
        if !title.is_empty() {
            lines.push(format!(" {}", Paint::Bold.on(&title, colour)));
        }
        lines.extend(presenter.grid(grid).draw(width, colour));
    }
}

fn title(presenter: &Presenter<'_>, width: usize, colour: bool) -> Vec<String> {
    let mut lines = wrap_parts(&presenter.title(), "   ", width, 2);
    let name = &presenter.section.called;
    if let Some(rest) = lines[0].strip_prefix(name.as_str()) {
        lines[0] = format!("{}{rest}", Paint::Bold.on(name, colour));
    }
    lines
}

fn ensembles(presenter: &Presenter<'_>, width: usize, colour: bool, lines: &mut Vec<String>) {
    let Some(found) = presenter.ensembles() else { return };
    lines.push(String::new());
    let title = wrap_text(&found.title, width, 2);
    lines.extend(title.iter().map(|line| Paint::Bold.on(line, colour)));
    lines.push(String::new());
    lines.extend(found.table.draw(width, colour));
    lines.push(String::new());
    lines.extend(wrap_text(found.note, width - 1, 0).iter().map(|line| format!(" {line}")));
}

fn trade_off(presenter: &Presenter<'_>, width: usize, colour: bool, lines: &mut Vec<String>) {
    let Some(found) = presenter.trade_off() else { return };
    lines.push(String::new());
    lines.extend(labelled_lines("within", &found.title, width, Paint::Bold, colour));
    lines.push(String::new());
    lines.extend(found.table.draw(width, colour));
    lines.push(String::new());
    lines.extend(wrap_text(&found.note, width - 1, 0).iter().map(|line| format!(" {line}")));
}

fn details(presenter: &Presenter<'_>, width: usize, colour: bool, lines: &mut Vec<String>) {
    if !presenter.lists_cells() {
        lines.push(String::new());
        lines.extend(labelled_lines("more", MORE, width, Paint::Dim, colour));
        return;
    }
    let (table, left_out) = presenter.details(MAX_DETAILS);
    lines.push(String::new());
    lines.push(Paint::Bold.on(&format!("per cell, {}", presenter.metric()), colour));
    lines.push(String::new());
    lines.extend(table.draw(width, colour));
    let notes = presenter.details_notes();
    if !notes.is_empty() {
        lines.push(String::new());
    }
    for line in notes.iter().flat_map(|note| wrap_text(note, width - 1, 0)) {
        lines.push(format!(" {line}"));
    }
    if left_out > 0 {
        lines.push(format!(" … {}", more_cells(left_out)));
    }
}

fn reference(presenter: &Presenter<'_>, width: usize, colour: bool, lines: &mut Vec<String>) {
    let (Some(comparison), Some(table)) = (&presenter.section.reference, presenter.reference())
    else {
        return;
    };
    lines.push(String::new());
    let title = format!("beside {}: {}", comparison.name, comparison.title);
    let title = wrap_text(&title, width, 2);
    lines.extend(title.iter().map(|line| Paint::Bold.on(line, colour)));
    if !comparison.matches.is_empty() {
        lines.push(String::new());
        lines.extend(table.draw(width, colour));
    }
    lines.push(String::new());
    for (label, text) in notes(comparison) {
        lines.extend(labelled_lines(label, &text, width, Paint::Dim, colour));
    }
}
