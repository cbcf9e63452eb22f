//! The report as one page: no other file, no network, readable without scripts, on paper, by a
//! screen reader, in light and dark.
//!
//! Every text goes through [`escape`]; the only script and style are those that ship with `bench`.

mod findings;
mod grid;
pub(super) mod images;
mod overview;
mod table;
#[cfg(test)]
mod tests;

use super::answer::answer;
use super::charts::{self, CHART_STYLE, Chart};
use super::details::more_cells;
use super::document::{ReportDocument, Section};
use super::markup::{capitalised, escape, prose, sentence};
use super::reference::notes;
use super::text::Presenter;
use table::{Sorting, text_table};

const STYLE: &str = include_str!("page.css");
const SCRIPT: &str = include_str!("page.js");

/// Charts up to this width stand two beside each other.
const HALF: f64 = 660.0;
/// Most cells whose details are listed.
const MAX_DETAILS: usize = 2000;

/// Renders every section.
pub(super) fn render(document: &ReportDocument) -> String {
    let several = document.experiments.len() != 1;
    let title = match document.experiments.as_slice() {
        [one] => one.name.clone(),
        many => format!("{} experiments", many.len()),
    };
    let mut page = Page { html: String::with_capacity(1 << 16), level: 1, parts: Vec::new() };
    page.raw(&format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta name=\"color-scheme\" content=\"light dark\">\n\
         <meta name=\"generator\" content=\"bench {}\">\n\
         <link rel=\"icon\" href=\"data:,\">\n\
         <title>{}</title>\n<style>\n{STYLE}{CHART_STYLE}</style>\n</head>\n<body>\n\
         <a class=\"skip\" href=\"#main\">Skip to the content</a>\n<main id=\"main\">\n",
        env!("CARGO_PKG_VERSION"),
        escape(&title)
    ));
    if several {
        page.heading(&title, None);
        overview::overview(&mut page, &document.experiments);
        page.level = 2;
    }
    for (index, section) in document.experiments.iter().enumerate() {
        experiment(&mut page, section, index);
    }
    page.raw(&format!("</main>\n<script>\n{SCRIPT}</script>\n</body>\n</html>\n"));
    page.html
}

/// A page in the making.
struct Page {
    html: String,
    /// Level of the heading of an experiment.
    level: usize,
    /// Ids and headings of the parts of the current experiment.
    parts: Vec<(String, String)>,
}

impl Page {
    /// Appends markup.
    fn raw(&mut self, markup: &str) {
        self.html.push_str(markup);
    }

    /// Appends the heading of the page or of an experiment.
    fn heading(&mut self, text: &str, id: Option<&str>) {
        let id = id.map(|id| format!(" id=\"{id}\"")).unwrap_or_default();
        let level = self.level;
        self.raw(&format!("<h{level}{id}>{}</h{level}>\n", escape(text)));
    }

    /// Opens a part of an experiment under a heading of its own.
    fn open(&mut self, prefix: &str, name: &str, heading: &str) {
        let id = format!("{prefix}-{name}");
        let level = self.level + 1;
        self.raw(&format!(
            "<section aria-labelledby=\"{id}\">\n<h{level} id=\"{id}\">{}</h{level}>\n",
            escape(&capitalised(heading))
        ));
        self.parts.push((id, capitalised(heading)));
    }

    fn close(&mut self) {
        self.raw("</section>\n");
    }

    fn paragraph(&mut self, class: &str, text: &str) {
        if !text.is_empty() {
            self.raw(&format!("<p class=\"{class}\">{}</p>\n", prose(text)));
        }
    }

    /// Appends labelled lines.
    fn list(&mut self, lines: &[(String, String)]) {
        if lines.is_empty() {
            return;
        }
        self.raw("<dl>\n");
        for (label, text) in lines {
            let (label, text) = (escape(label), prose(text));
            self.raw(&format!("<div><dt>{label}</dt><dd>{text}</dd></div>\n"));
        }
        self.raw("</dl>\n");
    }

    fn chart(&mut self, chart: &Chart, prefix: &str, is_one_of_several: bool) {
        let svg = chart.inline(&format!("{prefix}-{}", chart.name));
        self.raw(&format!(
            "<figure{4}>\n<div class=\"scroll\" tabindex=\"0\" role=\"group\" aria-label=\"{0}\">\
             <div class=\"fit\" style=\"min-width:{1:.0}px;max-width:{2:.0}px\">{svg}</div></div>\n\
             <figcaption><strong>{0}.</strong> {3}</figcaption>\n</figure>\n",
            escape(&capitalised(&chart.title)),
            0.7 * chart.width(),
            chart.width(),
            prose(&chart.notes.join(" ")),
            if chart.width() <= HALF && is_one_of_several { " class=\"half\"" } else { "" }
        ));
    }
}

fn experiment(page: &mut Page, section: &Section, index: usize) {
    let presenter = Presenter::of(section);
    let prefix = format!("e{index}");
    page.parts.clear();
    page.raw(&format!("<article aria-labelledby=\"{prefix}\">\n"));
    page.heading(&section.called, Some(&prefix));
    if let Some(question) = &section.question {
        page.paragraph("question", question);
    }
    if let Some(answer) = answer(&presenter) {
        page.paragraph("answer", &sentence(&answer));
    }
    page.paragraph("facts", &presenter.title()[1..].join(" · "));
    // The list of parts is known once they are written; it goes here.
    let contents = page.html.len();
    for warning in &section.warnings {
        page.raw(&format!(
            "<p class=\"warning\"><strong>Warning:</strong> {}</p>\n",
            prose(&warning.text)
        ));
    }
    grid::grids(page, &presenter, &prefix);
    figures(page, &presenter, &prefix);
    images::confusion(page, section, &prefix);
    images::galleries(page, section, &prefix);
    trade_off(page, &presenter, &prefix);
    details(page, &presenter, &prefix);
    findings::against_best(page, &presenter, &prefix);
    findings::spread(page, &presenter, &prefix);
    reference(page, &presenter, &prefix);
    findings::cost(page, &presenter, &prefix);
    page.open(&prefix, "origin", "Origin");
    let mut origin = presenter.origin();
    origin.extend(section.selection.clone().map(|text| ("evaluated".to_owned(), text)));
    let updated = section.origin.date.clone();
    origin.extend((!updated.is_empty()).then(|| ("updated".to_owned(), updated)));
    page.list(&origin);
    page.close();
    page.raw("</article>\n");
    let links: Vec<String> = page
        .parts
        .iter()
        .map(|(id, heading)| format!("<li><a href=\"#{id}\">{}</a></li>", escape(heading)))
        .collect();
    let nav = format!(
        "<nav aria-label=\"Parts of {}\"><ul>{}</ul></nav>\n",
        escape(&section.called),
        links.join("")
    );
    page.html.insert_str(contents, &nav);
}

/// Appends the charts, those of a kind under one heading, with the tables that belong to them.
fn figures(page: &mut Page, presenter: &Presenter<'_>, prefix: &str) {
    let charts = charts::charts(presenter.section);
    let mut rest = charts.as_slice();
    while let Some(first) = rest.first() {
        let count = rest.iter().take_while(|chart| chart.heading == first.heading).count();
        page.open(prefix, &first.name, first.heading);
        for chart in &rest[..count] {
            page.chart(chart, prefix, count > 1);
        }
        match first.name.as_str() {
            "effects" => findings::effects(page, presenter),
            "ensembles" => {
                if let Some(found) = presenter.ensembles() {
                    let title = capitalised(&found.title);
                    page.raw(&text_table(&found.table, &title, Sorting::Fixed, &[]));
                    page.paragraph("note", &sentence(found.note));
                }
            }
            name if name.starts_with("interaction") => findings::variances(page, presenter),
            _ => {}
        }
        page.close();
        rest = &rest[count..];
    }
    if presenter.section.cells.len() > charts::MAX_PANELS {
        let text = format!(
            "Histograms and training curves are drawn for up to {} cells; those of all cells stand \
             in tables/histograms.csv and tables/epochs.csv.",
            charts::MAX_PANELS
        );
        page.paragraph("note", &text);
    }
}

fn trade_off(page: &mut Page, presenter: &Presenter<'_>, prefix: &str) {
    let Some(found) = presenter.trade_off() else { return };
    page.open(prefix, "trade-off", "Good enough");
    page.paragraph("note", &sentence(&found.title));
    page.raw(&text_table(&found.table, "Settings that no other beats", Sorting::Fixed, &[]));
    page.paragraph("note", &sentence(&found.note));
    page.close();
}

fn details(page: &mut Page, presenter: &Presenter<'_>, prefix: &str) {
    let (table, left_out) = presenter.details(MAX_DETAILS);
    page.open(prefix, "cells", "Every cell");
    let caption = format!("Every cell, {}", presenter.metric());
    let section = presenter.section;
    let listed = section.order.iter().take(MAX_DETAILS);
    let marks: Vec<&str> =
        listed.map(|cell| presenter.mark(&section.cells[*cell]).trim()).collect();
    let markup = text_table(&table, &caption, Sorting::ByColumn, &marks);
    page.raw(&markup);
    let mut lines = presenter.details_notes();
    if left_out > 0 {
        lines.push(more_cells(left_out));
    }
    page.paragraph("note", &sentences(&lines));
    page.close();
}

fn reference(page: &mut Page, presenter: &Presenter<'_>, prefix: &str) {
    let (Some(comparison), Some(table)) = (&presenter.section.reference, presenter.reference())
    else {
        return;
    };
    page.open(prefix, "reference", "Beside published numbers");
    let title = format!("{}: {}", comparison.name, comparison.title);
    if comparison.matches.is_empty() {
        page.paragraph("", &title);
    } else {
        page.raw(&text_table(&table, &title, Sorting::ByColumn, &[]));
    }
    let lines: Vec<(String, String)> =
        notes(comparison).into_iter().map(|(label, text)| (label.to_owned(), text)).collect();
    page.list(&lines);
    page.close();
}

/// Joins lines to sentences.
fn sentences(lines: &[String]) -> String {
    lines.iter().map(|line| sentence(line)).collect::<Vec<_>>().join(" ")
}
