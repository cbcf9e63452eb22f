//! A history for people: lines for a terminal, an SVG, a page.

use std::fmt::Write as _;

use super::{FALSE_ALARM, HistoryPoint, HistorySeries};
use crate::base::text::markup as xml_escaped;
use crate::check::render::Printed;

const WIDTH: f64 = 760.0;
const HEIGHT: f64 = 150.0;
const MARGIN: f64 = 56.0;
/// Values that fit beside each other in a terminal.
const MAX_BLOCKS: usize = 60;

/// Says how sure a change point is.
fn rule() -> String {
    format!(
        "change points: permutation test of the largest step, at most {:.0} % false alarms over the \
         whole history",
        100.0 * FALSE_ALARM
    )
}

fn day(point: &HistoryPoint) -> &str {
    point.date.split('T').next().unwrap_or(&point.date)
}

fn date_and_commit(point: &HistoryPoint) -> String {
    match &point.commit {
        Some(commit) => format!("{}, commit {:.12}", day(point), commit),
        None => day(point).to_owned(),
    }
}

/// Says of every change where it is and how large.
fn changes(series: &HistorySeries) -> Vec<String> {
    let unit = Printed::of(&series.metric.unit);
    let line = |change: &gridbench_stats::ChangePoint| {
        format!(
            "{} from check {} on ({}): {} → {} (p = {:.4})",
            if series.is_better(change) { "better" } else { "worse" },
            change.at + 1,
            date_and_commit(&series.points[change.at]),
            unit.value(change.before),
            unit.value(change.after),
            change.p,
        )
    };
    series.changes.iter().map(line).collect()
}

fn title(series: &HistorySeries) -> String {
    format!("{}, {}, cell `{}`", series.experiment, series.metric.name.words(), series.cell)
}

fn span(series: &HistorySeries) -> String {
    let count = series.points.len();
    let (first, last) = (day(&series.points[0]), day(&series.points[count - 1]));
    format!("{count} check{}, {first} to {last}", if count == 1 { "" } else { "s" })
}

/// Writes the history for a terminal: a line of blocks per cell, then its changes.
#[must_use]
pub fn terminal(all: &[HistorySeries]) -> String {
    let mut out = String::new();
    for series in all {
        let unit = Printed::of(&series.metric.unit);
        let shown = &series.points[series.points.len().saturating_sub(MAX_BLOCKS)..];
        let values = || shown.iter().map(|point| point.mean);
        let (low, high) =
            (values().fold(f64::INFINITY, f64::min), values().fold(f64::MIN, f64::max));
        let block = |value: f64| {
            let share = if high > low { (value - low) / (high - low) } else { 0.5 };
            ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'][(share * 7.0).round() as usize]
        };
        let blocks: String = values().map(block).collect();
        let last = shown[shown.len() - 1].mean;
        out.extend([format!(
            "{}\n  {blocks}  {} to {}, last {}; {}\n",
            title(series),
            unit.value(low),
            unit.value(high),
            unit.value(last),
            span(series)
        )]);
        let found = changes(series);
        if found.is_empty() {
            out.push_str("  no change of level\n");
        }
        out.extend(found.into_iter().map(|line| format!("  {line}\n")));
    }
    out + &rule() + "\n"
}

/// Writes the history as one SVG, a panel per cell.
#[must_use]
pub fn svg(all: &[HistorySeries]) -> String {
    let height = HEIGHT * all.len() as f64 + 24.0;
    let mut out = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" role=\"img\" \
         aria-label=\"History of {} cells\">\n<style>{STYLE}</style>\n",
        all.len()
    );
    for (index, series) in all.iter().enumerate() {
        panel(&mut out, series, HEIGHT * index as f64);
    }
    let _ = writeln!(out, "<text x=\"8\" y=\"{}\">{}</text>", height - 8.0, xml_escaped(&rule()));
    out + "</svg>\n"
}

const STYLE: &str = "text{font:12px system-ui,sans-serif;fill:#333}path{fill:none;stroke:#888}\
    .level{stroke:#06c;stroke-width:2}.change{stroke:#c30;stroke-dasharray:4 3}circle{fill:#06c}\
    .regressed{fill:#c30}.inconclusive{fill:#b80}@media(prefers-color-scheme:dark){text{fill:#ddd}\
    path{stroke:#999}.level{stroke:#6af}circle{fill:#6af}.regressed{fill:#f75}.inconclusive{fill:#fb4}\
    .change{stroke:#f75}}";

fn panel(out: &mut String, series: &HistorySeries, top: f64) {
    let unit = Printed::of(&series.metric.unit);
    let values = || series.points.iter().map(|point| point.mean);
    let (low, high) = (values().fold(f64::INFINITY, f64::min), values().fold(f64::MIN, f64::max));
    let last = (series.points.len() - 1).max(1) as f64;
    let x = |index: f64| MARGIN + index / last * (WIDTH - MARGIN - 16.0);
    let y = |value: f64| {
        let share = if high > low { (value - low) / (high - low) } else { 0.5 };
        top + 34.0 + (1.0 - share) * (HEIGHT - 60.0)
    };
    let _ = writeln!(
        out,
        "<text x=\"8\" y=\"{}\">{}; {}</text>",
        top + 16.0,
        xml_escaped(&title(series)),
        span(series)
    );
    let ends: &[f64] = if high > low { &[low, high] } else { &[low] };
    for &value in ends {
        let text = unit.value(value);
        let _ = writeln!(out, "<text x=\"4\" y=\"{:.1}\">{text}</text>", y(value) + 4.0);
    }
    let mut path = String::new();
    for (index, value) in values().enumerate() {
        let verb = if index == 0 { 'M' } else { 'L' };
        let _ = write!(path, "{verb}{:.1} {:.1}", x(index as f64), y(value));
    }
    let _ = writeln!(out, "<path d=\"{path}\"/>");
    for (change, said) in series.changes.iter().zip(changes(series)) {
        let at = x(change.at as f64 - 0.5);
        let _ = writeln!(
            out,
            "<path class=\"change\" d=\"M{at:.1} {:.1}V{:.1}\"><title>{}</title></path>",
            top + 26.0,
            top + HEIGHT - 18.0,
            xml_escaped(&said)
        );
    }
    for (from, to, level) in levels(series) {
        let (from, to) = (x(from as f64), x((to - 1) as f64));
        let _ = writeln!(out, "<path class=\"level\" d=\"M{from:.1} {:.1}H{to:.1}\"/>", y(level));
    }
    for (index, point) in series.points.iter().enumerate() {
        let _ = writeln!(
            out,
            "<circle class=\"{}\" cx=\"{:.1}\" cy=\"{:.1}\" r=\"3\"><title>{}: {}, n = {}, \
             {}</title></circle>",
            xml_escaped(&point.verdict),
            x(index as f64),
            y(point.mean),
            xml_escaped(&date_and_commit(point)),
            unit.value(point.mean),
            point.n,
            xml_escaped(&point.verdict),
        );
    }
}

/// Returns the stretches between changes and their means; none without a change.
fn levels(series: &HistorySeries) -> Vec<(usize, usize, f64)> {
    let mut from = 0;
    let mut found = Vec::new();
    for (index, change) in series.changes.iter().enumerate() {
        found.push((from, change.at, change.before));
        from = change.at;
        if index + 1 == series.changes.len() {
            found.push((from, series.points.len(), change.after));
        }
    }
    found
}

/// Writes the history as a page of its own: the picture, then every change in words.
#[must_use]
pub fn html(all: &[HistorySeries]) -> String {
    let mut out = String::from(
        "<!doctype html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n<meta name=\"viewport\" \
         content=\"width=device-width\">\n<title>bench history</title>\n<style>:root{color-scheme:light \
         dark}body{font:15px system-ui,sans-serif;max-width:50rem;margin:1rem auto;padding:0 \
         1rem}svg{width:100%;height:auto}</style>\n<h1>bench history</h1>\n",
    );
    out += &svg(all);
    out += "<h2>Changes</h2>\n<ul>\n";
    let mut any = false;
    for series in all {
        for line in changes(series) {
            any = true;
            let item = format!("{}: {line}", title(series));
            out.extend([format!("<li>{}</li>\n", xml_escaped(&item))]);
        }
    }
    if !any {
        out += "<li>no change of level in any cell</li>\n";
    }
    out + "</ul>\n</html>\n"
}
