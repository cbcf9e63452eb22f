//! The report as Markdown, for repositories and pull requests.

use super::document::{ReportDocument, Section};
use super::layout::escape;
use super::present::{Presenter, grid_title};
use super::reference::notes;

/// Most cells whose details are listed: GitHub shows no file beyond a megabyte or so.
const DETAILS: usize = 1000;

/// Renders every section.
#[must_use]
pub(super) fn render(document: &ReportDocument) -> String {
    let sections: Vec<String> = document.experiments.iter().map(section).collect();
    sections.join("\n")
}

fn section(section: &Section) -> String {
    let presenter = Presenter::of(section);
    let title = presenter.title();
    let mut lines = vec![format!("# {}", escape(&section.name)), String::new()];
    if let Some(question) = &section.question {
        lines.extend([escape(question), String::new()]);
    }
    let parts: Vec<String> = title[1..].iter().map(|part| escape(part)).collect();
    lines.extend([parts.join(" · "), String::new()]);
    lines.extend([format!("## {}", escape(&presenter.heading())), String::new()]);
    for grid in &section.grids {
        let title = grid_title(grid);
        if !title.is_empty() {
            lines.extend([format!("### {}", escape(&title)), String::new()]);
        }
        let mut table = presenter.grid(grid);
        if let (Some(banner), Some(key)) = (table.banner.take(), table.keys.first_mut()) {
            key.head = format!("{}, {banner}", key.head);
        }
        lines.extend(table.markdown());
        lines.push(String::new());
    }
    list(&mut lines, &presenter.captions());
    if !section.warnings.is_empty() {
        for warning in &section.warnings {
            lines.push(format!("> **Warning:** {}", escape(&warning.text)));
            lines.push(">".to_owned());
        }
        lines.pop();
        lines.push(String::new());
    }
    let (table, left_out) = presenter.details(DETAILS);
    lines.extend([format!("## Per cell, {}", escape(&presenter.metric())), String::new()]);
    lines.extend(table.markdown());
    lines.push(String::new());
    let notes: Vec<String> =
        presenter.details_notes().iter().map(|note| sentence(&escape(note))).collect();
    if !notes.is_empty() {
        lines.extend([notes.join(" "), String::new()]);
    }
    if left_out > 0 {
        lines.extend([format!("… {left_out} more cells: see `tables/cells.csv`."), String::new()]);
    }
    reference(&presenter, &mut lines);
    lines.extend(["## Origin".to_owned(), String::new()]);
    list(&mut lines, &presenter.origin());
    lines.pop();
    lines.join("\n") + "\n"
}

fn list(lines: &mut Vec<String>, entries: &[(String, String)]) {
    let entry =
        |(label, text): &(String, String)| format!("- **{}** {}", escape(label), escape(text));
    lines.extend(entries.iter().map(entry));
    lines.push(String::new());
}

fn reference(presenter: &Presenter<'_>, lines: &mut Vec<String>) {
    let (Some(comparison), Some(table)) = (&presenter.section.reference, presenter.reference())
    else {
        return;
    };
    lines.extend([format!("## Beside {}", escape(&comparison.name)), String::new()]);
    lines.extend([sentence(&escape(&comparison.title)), String::new()]);
    if !comparison.matches.is_empty() {
        lines.extend(table.markdown());
        lines.push(String::new());
    }
    let notes: Vec<(String, String)> =
        notes(comparison).into_iter().map(|(label, text)| (label.to_owned(), text)).collect();
    list(lines, &notes);
}

fn sentence(text: &str) -> String {
    let mut chars = text.chars();
    let first = chars.next().map(|c| c.to_uppercase().collect::<String>()).unwrap_or_default();
    format!("{first}{}.", chars.as_str())
}
