//! The comparison as GitHub-flavoured Markdown.

use super::document::Comparison;
use super::terminal::{details, heading, legend, listed, side, table};
use crate::base::text::markdown as escape;

pub(super) fn render(comparison: &Comparison) -> String {
    let (heading, verdict) = (escape(&heading(comparison)), escape(&comparison.verdict));
    let mut out = format!("## {heading}\n\n**{verdict}**\n\n");
    for (label, facts) in [("A", &comparison.a), ("B", &comparison.b)] {
        out.extend([format!("- **{label}** {}\n", escape(&side(facts)))]);
    }
    out.push('\n');
    if let [pair] = &comparison.pairs[..] {
        out += "| | |\n|:--|:--|\n";
        for (label, text) in details(pair, comparison) {
            out.extend([format!("| {} | {} |\n", escape(label), escape(&text))]);
        }
    } else {
        for line in table(comparison).markdown() {
            out.extend([format!("{line}\n")]);
        }
        out.extend([format!("\n{}\n", escape(&legend(comparison)))]);
    }
    for (label, cells) in [("A", &comparison.only_a), ("B", &comparison.only_b)] {
        if !cells.is_empty() {
            out.extend([format!("\nOnly in {label}: {}\n", escape(&listed(cells)))]);
        }
    }
    for warning in &comparison.warnings {
        out.extend([format!("\n> warning: {}\n", escape(warning))]);
    }
    out
}
