//! The verdict as GitHub-flavoured Markdown, for job summaries and comments.

use super::Context;
use super::sentences::{Line, headline, lines, meaning, method, self_test, way_out};
use crate::base::text::markdown_prose as escaped;
use crate::check::verdict::{CheckReport, Verdict};

/// Bytes kept free for the line that says how many cells were left out.
const RESERVE: usize = 200;

pub(super) fn render(report: &CheckReport, context: Context<'_>, limit: usize) -> String {
    let drift = match &report.control {
        Some(drift) if drift.is_drift() => format!("> {}\n\n", escaped(&drift.to_string())),
        _ => String::new(),
    };
    let head = format!(
        "### bench check: {}\n\n{drift}| verdict | gate | cell | before | now | change | 95 % interval | \
         trials | remarks |\n|---|---|---|---:|---:|---:|---|---|---|\n",
        escaped(&headline(report))
    );
    let foot = foot(report, context);
    let mut text = head;
    let mut left_out = 0;
    for line in lines(report) {
        let row = row(&line);
        if left_out > 0 || text.len() + row.len() + foot.len() + RESERVE > limit {
            left_out += 1;
        } else {
            text += &row;
        }
    }
    if left_out > 0 {
        text.extend([format!(
            "\n{left_out} more {} left out to keep the summary within its limit.\n",
            if left_out == 1 { "cell is" } else { "cells are" }
        )]);
    }
    if text.len() + foot.len() <= limit { text + &foot } else { text }
}

fn row(line: &Line<'_>) -> String {
    format!(
        "| {} | {} | {} | {} | {} | {} | {} | {} against {} | {} |\n",
        match line.verdict {
            Verdict::Ok => "ok".to_owned(),
            other => format!("**{}**", other.name()),
        },
        line.gate,
        if line.is_mean { line.cell.to_owned() } else { code(line.cell) },
        line.means.0,
        line.means.1,
        line.change.as_deref().unwrap_or("—"),
        line.interval.as_deref().unwrap_or("—"),
        line.trials.1,
        line.trials.0,
        escaped(&line.remarks.join("; ")),
    )
}

fn foot(report: &CheckReport, context: Context<'_>) -> String {
    let mut out = String::new();
    if !report.new_cells.is_empty() {
        out.extend([format!("\nNew, not gated: {} cells.\n", report.new_cells.len())]);
    }
    if let Some(control) = report.control.as_ref().filter(|control| !control.is_drift()) {
        out.extend([format!("\n{}\n", escaped(&control.to_string()))]);
    }
    for warning in &report.warnings {
        out.extend([format!("\n> warning: {}\n", escaped(&warning.to_string()))]);
    }
    out.extend([format!("\n{}\n", escaped(&method(report, context.baseline)))]);
    out.extend([format!("\n{}\n", escaped(&meaning(report)))]);
    out.extend(self_test(report).into_iter().map(|line| format!("\n{}\n", escaped(&line))));
    if let Some(hint) = way_out(report, context.folder, context.baseline) {
        out.extend([format!("\n{}\n", escaped(&hint))]);
    }
    out
}

/// Writes text as a code span in a table, whatever is in it.
fn code(text: &str) -> String {
    let longest = text.split(|c| c != '`').map(str::len).max().unwrap_or(0);
    let fence = "`".repeat(longest + 1);
    let pad = if text.contains('`') { " " } else { "" };
    format!("{fence}{pad}{}{pad}{fence}", text.replace('|', "\\|").replace(['\r', '\n'], " "))
}
