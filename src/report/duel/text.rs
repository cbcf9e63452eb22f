//! A duel in words.

use super::{DuelCommand, DuelEnd, DuelPairLine, DuelReport, DuelVerdict};
use crate::base::text::{as_seen, markdown as in_markdown};
use crate::base::{Direction, Metric};
use crate::report::Page;
use crate::report::layout::wrap_text;
use crate::report::numbers::{Scale, counted, duration, grouped};

/// Returns the answer in one sentence or two.
pub(crate) fn sentence(report: &DuelReport) -> String {
    let scale = scale_of(report);
    let decided = match report.verdict {
        DuelVerdict::FirstBetter | DuelVerdict::FirstWorse => better(report, &scale),
        DuelVerdict::Equivalent => same(report, &scale),
        DuelVerdict::NoWorse => report.pairs.first().map_or(String::new(), |pair| {
            format!(
                "{} is no worse than {} by {} or more: {} ({} pairs).",
                pair.a,
                pair.b,
                size(report, &scale),
                interval(report, pair, &scale),
                pair.n
            )
        }),
        DuelVerdict::Undecided => undecided(report, &scale),
    };
    let lossy: Vec<String> = report
        .commands
        .iter()
        .filter(|command| command.lost > 0)
        .map(|command| format!("{} lost {}", command.label, counted(command.lost, "trial")))
        .collect();
    if lossy.is_empty() { decided } else { format!("{decided} {}.", lossy.join(", ")) }
}

/// Says who is better than whom, by how much at least and at most.
fn better(report: &DuelReport, scale: &Scale) -> String {
    let claims = report.pairs.iter().filter_map(|pair| {
        let (winner, loser) = match pair.claim? {
            "better" => (&pair.a, &pair.b),
            "worse" => (&pair.b, &pair.a),
            _ => return None,
        };
        let (low, high) = pair.interval?;
        if report.is_ratio {
            let (low, high) = if low > 1.0 { (1.0 / high, 1.0 / low) } else { (low, high) };
            return Some(format!(
                "{winner} takes {low:.3} to {high:.3} of the time of {loser} ({} pairs)",
                pair.n
            ));
        }
        let (low, high) = (low.abs().min(high.abs()), low.abs().max(high.abs()));
        let shown = scale.interval((low, high)).replace('–', " to ");
        let unit = report.metric.unit.of_differences();
        Some(format!("{winner} is better than {loser} by {shown}{unit} ({} pairs)", pair.n))
    });
    let claims: Vec<String> = claims.collect();
    let left: Vec<&str> = report
        .commands
        .iter()
        .filter(|command| command.is_in)
        .map(|command| command.label.as_str())
        .collect();
    if left.len() > 1 {
        return format!("{}; {} are not told apart.", claims.join(", "), left.join(" and "));
    }
    format!("{}.", claims.join(", "))
}

fn same(report: &DuelReport, scale: &Scale) -> String {
    let claimed = || report.pairs.iter().filter(|pair| pair.claim == Some("equivalent"));
    let nothing = if report.is_ratio { (1.0, 1.0) } else { (0.0, 0.0) };
    if claimed().all(|pair| pair.interval == Some(nothing)) {
        let n = claimed().map(|pair| pair.n).max().unwrap_or(0);
        return format!(
            "Every one of {} gave the same {} to the last digit.",
            counted(n, "pair"),
            report.metric.name
        );
    }
    let pairs: Vec<String> = claimed().map(|pair| against(report, pair, scale)).collect();
    format!("No difference of {} or more. {}.", size(report, scale), pairs.join(", "))
}

fn undecided(report: &DuelReport, scale: &Scale) -> String {
    let why = match report.ended_by {
        DuelEnd::MaxTrials => "every command had its most trials",
        DuelEnd::MaxTime => "the time is over",
        DuelEnd::NoValues => "a command has no value",
        DuelEnd::Decision => "nothing is left to find out",
    };
    let open: Vec<String> = report
        .pairs
        .iter()
        .filter(|pair| pair.claim.is_none())
        .map(|pair| against(report, pair, scale))
        .collect();
    format!("Undecided: {why}. {}.", open.join(", "))
}

/// Prints the indifference with its unit.
fn size(report: &DuelReport, scale: &Scale) -> String {
    if report.is_ratio {
        return format!("{} %", grouped(100.0 * report.indifference, 1));
    }
    scale.size(report.indifference)
}

/// Prints what is known of two commands.
fn against(report: &DuelReport, pair: &DuelPairLine, scale: &Scale) -> String {
    let sign = if report.is_ratio { "∶" } else { "−" };
    let shown = interval(report, pair, scale);
    format!("{} {sign} {}: {shown} ({})", pair.a, pair.b, counted(pair.n, "pair"))
}

fn interval(report: &DuelReport, pair: &DuelPairLine, scale: &Scale) -> String {
    let Some(difference) = pair.difference else { return "no pair has two values".to_owned() };
    if report.is_ratio {
        return match pair.interval {
            Some((low, high)) => {
                format!("{difference:.3} of the time, interval {low:.3} to {high:.3}")
            }
            None => format!("{difference:.3} of the time"),
        };
    }
    match pair.interval {
        Some((low, high)) => format!(
            "{}, interval {} to {}",
            scale.signed(difference),
            scale.signed(low),
            scale.signed(high)
        ),
        None => scale.signed(difference),
    }
}

fn scale_of(report: &DuelReport) -> Scale {
    let narrowest =
        report.pairs.iter().filter_map(|pair| pair.interval).map(|(l, h)| (h - l) / 4.0);
    let spread = narrowest.filter(|width| *width > 0.0).fold(f64::INFINITY, f64::min);
    Scale::of(&report.metric.unit, Some(spread).filter(|spread| spread.is_finite()))
}

/// Returns the line that shows how a duel stands after a look: the interval shrinks from line to line.
pub(crate) fn progress(report: &DuelReport) -> String {
    let scale = scale_of(report);
    let unit = report.metric.unit.of_differences();
    let open = report.pairs.iter().filter(|pair| pair.n > 0);
    let shown: Vec<String> = open
        .map(|pair| {
            let claim = pair.claim.map_or(String::new(), |claim| format!(", {claim}"));
            let shown = interval(report, pair, &scale);
            let (sign, unit) = if report.is_ratio { ("∶", "") } else { ("−", unit.as_str()) };
            format!("{} {sign} {} {shown}{unit}{claim}", pair.a, pair.b)
        })
        .collect();
    format!(
        "after {}: {} ({})",
        counted(report.repeats, "repeat"),
        shown.join("; "),
        duration(report.seconds)
    )
}

fn value(command: &DuelCommand, metric: &Metric) -> (String, String) {
    let scale = Scale::of(&metric.unit, command.sd);
    let mean = command.mean.map_or("—".to_owned(), |mean| scale.value(mean));
    let sd = command.sd.map_or(String::new(), |sd| format!(" ± {}", scale.value(sd)));
    (format!("{mean}{sd}{}", scale.unit()), counted(command.values.len(), "trial"))
}

fn better_is(metric: &Metric) -> &'static str {
    match metric.direction {
        Direction::Maximize => "larger is better",
        Direction::Minimize => "smaller is better",
    }
}

/// Writes a duel for a terminal: the answer, the commands, what the interval means.
pub(super) fn terminal(report: &DuelReport, page: Page) -> String {
    let widest = report.commands.iter().map(|command| command.label.chars().count()).max();
    let widest = widest.unwrap_or(1);
    let line = |command: &DuelCommand| {
        let (mean, trials) = value(command, &report.metric);
        let state = if command.is_in { "" } else { ", out" };
        let typed = as_seen(&command.command);
        format!("  {:<widest$}  {mean}  ({trials}{state})  {typed}\n", command.label)
    };
    let lines: Vec<String> = report.commands.iter().map(line).collect();
    let (answer, legend) = (wrapped(&report.sentence, page.width), legend(report));
    format!("{answer}\n\n{}\n{}\n", lines.concat(), wrapped(&legend, page.width))
}

fn legend(report: &DuelReport) -> String {
    let metric = &report.metric;
    format!(
        "{} of {}, mean ± standard deviation, {}. Intervals hold the true difference with {:.0} % confidence over all \
         looks{}. {} in `{}`; run the same command again to go on.",
        counted(report.trials, "trial"),
        metric.name,
        better_is(metric),
        100.0 * (1.0 - report.alpha),
        if report.pairs.len() > 1 { " and pairs of commands" } else { "" },
        duration(report.seconds),
        report.folder,
    )
}

/// Writes a duel as GitHub-flavoured Markdown.
pub(super) fn markdown(report: &DuelReport) -> String {
    let line = |command: &DuelCommand| {
        let (mean, _) = value(command, &report.metric);
        let typed = in_markdown(&command.command);
        format!("| {} | {mean} | {} | {typed} |\n", command.label, command.values.len())
    };
    let lines: Vec<String> = report.commands.iter().map(line).collect();
    format!(
        "**{}**\n\n| | {} | trials | command |\n|---|--:|--:|---|\n{}\n{}\n",
        in_markdown(&report.sentence),
        report.metric.name,
        lines.concat(),
        legend(report)
    )
}

fn wrapped(text: &str, width: usize) -> String {
    wrap_text(text, width, 0).join("\n")
}
