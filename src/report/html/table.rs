//! Tables of text as HTML: captions, scopes, numbers at the right.

use std::fmt::Write as _;

use crate::report::layout::{Align, Paint, TextColumn, TextTable};
use crate::report::markup::escape;
use crate::report::text::{MARK, MARK_IN_GRID};

/// Whether a reader may sort the rows, where scripts run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sorting {
    /// By any column.
    ByColumn,
    /// The order has a meaning.
    Fixed,
}

/// Writes a table; `marks` stand before the rows they belong to.
pub(super) fn text_table(
    table: &TextTable,
    caption: &str,
    sorting: Sorting,
    marks: &[&str],
) -> String {
    let columns: Vec<(&TextColumn, bool)> = table
        .keys
        .iter()
        .map(|column| (column, true))
        .chain(table.columns.iter().map(|column| (column, false)))
        .collect();
    let has_marks = marks.iter().any(|mark| !mark.is_empty());
    let class = match sorting {
        Sorting::ByColumn => " class=\"sortable\"",
        Sorting::Fixed => "",
    };
    let mut out = format!(
        "<div class=\"scroll wide\" tabindex=\"0\" role=\"group\" aria-label=\"{0}\">\n<table{class}>\n\
         <caption>{0}</caption>\n<thead><tr>",
        escape(caption)
    );
    if has_marks {
        out.push_str("<th scope=\"col\"><abbr title=\"may be the best\">●</abbr></th>");
    }
    for (column, _) in &columns {
        let class = class_of(column);
        write!(out, "<th scope=\"col\"{class}>{}</th>", escape(&column.head))
            .expect("text takes text");
    }
    out.push_str("</tr></thead>\n<tbody>\n");
    let rows = columns.iter().map(|(column, _)| column.entries.len()).max().unwrap_or(0);
    for row in 0..rows {
        out.push_str("<tr>");
        if has_marks {
            let mark = marks.get(row).copied().unwrap_or_default();
            match meaning(mark) {
                "" => out.push_str("<td></td>"),
                means => write!(out, "<td><abbr title=\"{means}\">{mark}</abbr></td>")
                    .expect("text takes text"),
            }
        }
        for (column, is_key) in &columns {
            let (text, paint) = column.entries.get(row).cloned().unwrap_or_default();
            let text = escape(text.trim());
            let text =
                if paint == Paint::Green { format!("<strong>{text}</strong>") } else { text };
            let class = class_of(column);
            let written = if *is_key {
                write!(out, "<th scope=\"row\"{class}>{text}</th>")
            } else {
                write!(out, "<td{class}>{text}</td>")
            };
            written.expect("text takes text");
        }
        out.push_str("</tr>\n");
    }
    out.push_str("</tbody></table></div>\n");
    out
}

/// Says what the mark of a cell means.
pub(super) fn meaning(mark: &str) -> &'static str {
    match mark {
        MARK => "may be the best",
        MARK_IN_GRID => "may be the best of its own grid",
        _ => "",
    }
}

fn class_of(column: &TextColumn) -> &'static str {
    match column.align {
        Align::Left => "",
        Align::Right => " class=\"r\"",
    }
}

/// Returns a table whose first column names the rows.
pub(super) fn table_of(keys: TextColumn, columns: Vec<TextColumn>) -> TextTable {
    TextTable { banner: None, keys: vec![keys], columns, ..TextTable::default() }
}

/// Returns a column of one text for every row, numbers at the right.
pub(super) fn column<T>(
    head: &str,
    align: Align,
    rows: &[T],
    text: impl Fn(&T) -> String,
) -> TextColumn {
    TextColumn::plain(head, align, rows.iter().map(text).collect())
}
