//! The report as Markdown, for repositories and pull requests.
//!
//! Alone it is text; with attachments it shows the charts and images that are written beside it.

use super::Attachment;
use super::answer::answer;
use super::details::{MORE, more_cells};
use super::document::{ReportDocument, Section};
use super::html::images;
use super::legend::legend_lines;
use super::markup::{capitalised, sentence};
use super::numbers::counted;
use super::reference::notes;
use super::text::{Presenter, grid_title};
use crate::base::text::{markdown as escape, markdown_prose as prose};

/// Most cells whose details are listed: GitHub shows no file beyond a megabyte or so.
const MAX_DETAILS: usize = 1000;

/// Images of a gallery beside each other.
const GALLERY_COLUMNS: usize = 8;
/// Folder of the attachments beside the report.
const FOLDER: &str = "charts";

/// Renders every section; charts and images go to `attachments`, where there is a place for them.
pub(super) fn render(
    document: &ReportDocument,
    attachments: Option<&mut Vec<Attachment>>,
) -> String {
    let mut album = Album { attachments, prefix: String::new() };
    let several = document.experiments.len() > 1;
    let mut sections = Vec::new();
    for found in &document.experiments {
        album.prefix =
            if several { format!("{}-", file_name(&found.called)) } else { String::new() };
        sections.push(section(found, &mut album));
    }
    sections.join("\n")
}

/// Where charts and images go.
struct Album<'a> {
    attachments: Option<&'a mut Vec<Attachment>>,
    /// Keeps the files of several experiments apart.
    prefix: String,
}

impl Album<'_> {
    fn is_open(&self) -> bool {
        self.attachments.is_some()
    }

    /// Takes a file in and returns the line that shows it.
    fn add(&mut self, name: &str, alternative: &str, bytes: Vec<u8>) -> Option<String> {
        let attachments = self.attachments.as_mut()?;
        let path = format!("{FOLDER}/{}{name}", self.prefix);
        let line = format!("![{}]({path})", escape(alternative));
        attachments.push(Attachment { path, bytes });
        Some(line)
    }
}

/// Returns a name that is safe in paths and links.
fn file_name(name: &str) -> String {
    let keep = |c: char| if c.is_ascii_alphanumeric() || "-_.".contains(c) { c } else { '-' };
    name.chars().map(keep).collect()
}

fn section(section: &Section, album: &mut Album<'_>) -> String {
    let presenter = Presenter::of(section);
    let title = presenter.title();
    let mut lines = vec![format!("# {}", escape(&section.called)), String::new()];
    if let Some(question) = &section.question {
        lines.extend([prose(question), String::new()]);
    }
    let answer = answer(&presenter).map(|answer| format!("**Answer:** {}", prose(&answer)));
    if let Some(answer) = &answer {
        lines.extend([answer.clone(), String::new()]);
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
    list(&mut lines, &legend_lines(&presenter));
    if !section.warnings.is_empty() {
        for warning in &section.warnings {
            lines.push(format!("> **Warning:** {}", prose(&warning.text)));
            lines.push(">".to_owned());
        }
        lines.pop();
        lines.push(String::new());
    }
    if let Some(found) = presenter.trade_off() {
        lines.extend(["## Good enough".to_owned(), String::new()]);
        lines.extend([sentence(&escape(&found.title)), String::new()]);
        lines.extend(found.table.markdown());
        lines.extend([String::new(), sentence(&found.note), String::new()]);
    }
    if album.is_open() {
        figures(section, album, &mut lines);
    }
    if let Some(found) = presenter.ensembles() {
        if !album.is_open() {
            lines.extend(["## Ensembles".to_owned(), String::new()]);
        }
        lines.extend([sentence(&escape(&found.title)), String::new()]);
        lines.extend(found.table.markdown());
        lines.extend([String::new(), sentence(found.note), String::new()]);
    }
    confusion(section, &mut lines);
    galleries(section, album, &mut lines);
    // A comment has no room for what nobody asked for; a file does.
    if album.is_open() || presenter.lists_cells() {
        details(&presenter, &mut lines);
    } else {
        lines.extend([format!("{}.", capitalised(MORE)), String::new()]);
    }
    reference(&presenter, &mut lines);
    lines.extend(["## Origin".to_owned(), String::new()]);
    list(&mut lines, &presenter.origin());
    match answer {
        Some(answer) => lines.push(answer),
        None => drop(lines.pop()),
    }
    lines.join("\n") + "\n"
}

fn details(presenter: &Presenter<'_>, lines: &mut Vec<String>) {
    let (table, left_out) = presenter.details(MAX_DETAILS);
    lines.extend([format!("## Per cell, {}", escape(&presenter.metric())), String::new()]);
    lines.extend(table.markdown());
    lines.push(String::new());
    let notes: Vec<String> =
        presenter.details_notes().iter().map(|note| sentence(&prose(note))).collect();
    if !notes.is_empty() {
        lines.extend([notes.join(" "), String::new()]);
    }
    if left_out > 0 {
        lines.extend([format!("{}.", capitalised(&more_cells(left_out))), String::new()]);
    }
}

/// Shows the charts, those of a kind under one heading.
fn figures(section: &Section, album: &mut Album<'_>, lines: &mut Vec<String>) {
    let mut heading = "";
    for chart in super::charts::charts(section) {
        if chart.heading != heading {
            heading = chart.heading;
            lines.extend([format!("## {heading}"), String::new()]);
        }
        let alternative = format!("{}. {}", chart.title, chart.description);
        let name = format!("{}.svg", chart.name);
        lines.extend(album.add(&name, &alternative, chart.file().into_bytes()));
        lines.push(String::new());
        if !chart.notes.is_empty() {
            lines.extend([prose(&chart.notes.join(" ")), String::new()]);
        }
    }
}

fn confusion(section: &Section, lines: &mut Vec<String>) {
    let Some(predicted) = &section.predicted else { return };
    for note in &predicted.notes {
        lines.extend([format!("> **Note:** {}", prose(note)), String::new()]);
    }
    let Some(found) = &predicted.confusion else { return };
    lines.extend(["## Confusions".to_owned(), String::new()]);
    lines.extend([
        format!(
            "Test images of each true class (row) by predicted class (column), and the share of the \
             row; means over {} of the best cell; what never happened is blank.",
            counted(found.trials, "trial")
        ),
        String::new(),
    ]);
    let classes: Vec<String> = found.classes.iter().map(|class| escape(class)).collect();
    lines.push(format!("| true ↓ predicted → | {} | images |", classes.join(" | ")));
    lines.push(format!("| :-- |{} --: |", " --: |".repeat(classes.len())));
    for (truth, class) in classes.iter().enumerate() {
        let entry = |predicted: usize| {
            if found.counts[truth][predicted] == 0 {
                return String::new();
            }
            let share = 100.0 * found.share(truth, predicted).unwrap_or(0.0);
            format!("{} ({share:.1} %)", images::mean_count(found, truth, predicted))
        };
        let entries: Vec<String> = (0..classes.len()).map(entry).collect();
        let images = found.images_of(truth);
        lines.push(format!("| **{class}** | {} | {images} |", entries.join(" | ")));
    }
    lines.push(String::new());
}

fn galleries(section: &Section, album: &mut Album<'_>, lines: &mut Vec<String>) {
    let Some(predicted) = &section.predicted else { return };
    for (index, gallery) in predicted.galleries.iter().enumerate() {
        lines.extend([format!("## {}", escape(&images::heading(gallery))), String::new()]);
        lines.extend([escape(&images::introduction(section, gallery)), String::new()]);
        let mut row = Vec::new();
        for (item, found) in gallery.items.iter().enumerate() {
            let (pair, times) = images::reading(gallery, item);
            let name = format!("gallery-{}-{}.png", index + 1, item + 1);
            let alternative = format!("test image {}, {pair}", found.row);
            let picture =
                found.picture.as_ref().and_then(|png| album.add(&name, &alternative, png.clone()));
            let picture = picture.map(|line| format!("{line}<br>")).unwrap_or_default();
            row.push(format!("{picture}{} <br>{times}", escape(&pair)));
        }
        if row.is_empty() {
            continue;
        }
        let width = row.len().min(GALLERY_COLUMNS);
        lines.push(format!("|{}", " |".repeat(width)));
        lines.push(format!("|{}", " :-: |".repeat(width)));
        for part in row.chunks(width) {
            let holes = " |".repeat(width - part.len());
            lines.push(format!("| {} |{holes}", part.join(" | ")));
        }
        lines.push(String::new());
    }
}

fn list(lines: &mut Vec<String>, entries: &[(String, String)]) {
    let entry =
        |(label, text): &(String, String)| format!("- **{}** {}", escape(label), prose(text));
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
