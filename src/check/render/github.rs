//! GitHub's workflow commands: annotations on the run and the pull request.
//!
//! A step may show ten errors and ten warnings; what goes beyond is counted in the last one.
//! <https://docs.github.com/actions/reference/workflow-commands-for-github-actions>

use super::sentences::{Line, headline, lines};
use crate::base::text::{Printing, printable};
use crate::check::verdict::{CheckReport, Verdict};

/// Annotations of one kind that a step may show.
const MAX_ANNOTATIONS: usize = 10;
/// Bytes of a message; longer ones are cut by GitHub itself, at 64 KiB.
const MAX_MESSAGE_BYTES: usize = 4_000;

/// Makes lines for a terminal none that the runner takes for commands.
pub(super) fn lines_without_commands(text: &str) -> String {
    let mut printing = Printing { colors: false, commands: false, at_line_start: true, hashes: 0 };
    printable(text, &mut printing)
}

pub(super) fn annotations(report: &CheckReport) -> String {
    let lines = lines(report);
    let of = |verdict| lines.iter().filter(|line| line.verdict == verdict).collect::<Vec<_>>();
    let drift = report.control.iter().filter(|control| control.is_drift());
    let mut out: String =
        drift.map(|drift| command("warning", "bench check drift", &drift.to_string())).collect();
    out += &commands("error", "regressed", &of(Verdict::Regressed));
    out += &commands("warning", "inconclusive", &of(Verdict::Inconclusive));
    if report.verdict == Verdict::Ok {
        out += &command("notice", "bench check", &headline(report));
    }
    out
}

fn commands(kind: &str, what: &str, lines: &[&Line<'_>]) -> String {
    let shown = if lines.len() > MAX_ANNOTATIONS { MAX_ANNOTATIONS - 1 } else { lines.len() };
    let mut out: String = lines[..shown]
        .iter()
        .map(|line| {
            let title = format!("{} {what}", line.gate);
            command(kind, &title, &format!("{}: {}", line.subject(), line.sentence()))
        })
        .collect();
    if shown < lines.len() {
        let rest = format!("{} more are {what}: see the log", lines.len() - shown);
        out += &command(kind, &format!("bench check {what}"), &rest);
    }
    out
}

pub(super) fn command(kind: &str, title: &str, message: &str) -> String {
    let end =
        (0..=MAX_MESSAGE_BYTES.min(message.len())).rev().find(|&at| message.is_char_boundary(at));
    let cut = &message[..end.unwrap_or(0)];
    format!("::{kind} title={}::{}\n", property(title), data(cut))
}

fn data(text: &str) -> String {
    text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}
