//! The comparison for a terminal.

use super::conclusion;
use super::document::{Comparison, Finding, PairComparison, Sample, SideFacts};
use crate::report::Page;
use crate::report::layout::{Align, Paint, Split, TextColumn, TextTable, wrap_text};
use crate::report::numbers::{Scale, counted, grouped, probability};

/// Cells without a partner that are named before the rest is counted.
const MAX_NAMED: usize = 5;
const LABEL: usize = 9;

pub(super) fn render(comparison: &Comparison, page: Page) -> String {
    let mut out = String::new();
    let bold = |text: &str| Paint::Bold.on(text, page.colour);
    out.extend([format!("{}\n\n", bold(&heading(comparison)))]);
    for line in wrap_text(&comparison.verdict, page.width, 0) {
        out.extend([format!("{}\n", bold(&line))]);
    }
    out.push('\n');
    for (label, facts) in [("A", &comparison.a), ("B", &comparison.b)] {
        out += &note(label, &side(facts), page);
    }
    out.push('\n');
    if let [pair] = &comparison.pairs[..] {
        for (label, text) in details(pair, comparison) {
            out += &note(label, &text, page);
        }
    } else {
        for line in table(comparison).draw(page.width, page.colour) {
            out.extend([format!("{line}\n")]);
        }
        out.push('\n');
        out += &note("A − B", &legend(comparison), page);
    }
    for (label, cells) in [("only A", &comparison.only_a), ("only B", &comparison.only_b)] {
        if !cells.is_empty() {
            out += &note(label, &listed(cells), page);
        }
    }
    for warning in &comparison.warnings {
        out += &note("warning", warning, page);
    }
    out
}

/// Returns the first line.
pub(super) fn heading(comparison: &Comparison) -> String {
    format!("{}: A against B", comparison.metric.name.words())
}

/// Says where a side comes from.
pub(super) fn side(facts: &SideFacts) -> String {
    let mut parts = vec![format!("`{}`", facts.name)];
    if facts.experiment != facts.name && !facts.name.ends_with(&facts.experiment) {
        parts.push(facts.experiment.clone());
    }
    if !facts.chosen.is_empty() {
        parts.push(facts.chosen.clone());
    }
    parts.push(format!("seed {}", facts.seed));
    parts.push(facts.engine.clone());
    let experiment = facts.experiment_commit.iter();
    parts.extend(experiment.map(|commit| format!("experiment at commit {commit}")));
    parts.extend(facts.commit.iter().map(|commit| format!("bench at commit {commit}")));
    parts.join(", ")
}

/// Says what stands in the table of pairs.
pub(super) fn legend(comparison: &Comparison) -> String {
    format!(
        "difference of means with its 95 % interval, {}{}; p by Holm over {}; P(A>B) is how often \
         a run of A is better than a run of B, with a bootstrap interval, * where meaningful at {}",
        method(comparison),
        match conclusion::unit(&comparison.metric).as_str() {
            "" => String::new(),
            unit => format!(", in {unit}"),
        },
        counted(comparison.pairs.len(), "pair"),
        comparison.gamma,
    )
}

/// Names the test in a few words.
fn method(comparison: &Comparison) -> &'static str {
    let is_moderated = comparison.pairs.len() >= gridbench_stats::MIN_MODERATED_CELLS;
    match (comparison.is_paired, is_moderated) {
        (true, false) => "paired by repeat",
        (true, true) => "paired by repeat, variances moderated over the pairs",
        (false, false) => "Welch",
        (false, true) => "Welch, variances moderated over the pairs",
    }
}

/// Names a few cells and counts the rest.
pub(super) fn listed(cells: &[String]) -> String {
    let named: Vec<String> = cells.iter().take(MAX_NAMED).map(|cell| format!("`{cell}`")).collect();
    let more = cells.len().saturating_sub(MAX_NAMED);
    let rest = if more > 0 { format!(" and {more} more") } else { String::new() };
    format!("{} without a partner: {}{rest}", counted(cells.len(), "cell"), named.join(", "))
}

fn note(label: &str, text: &str, page: Page) -> String {
    let width = page.width.saturating_sub(LABEL + 1).max(20);
    let mut out = String::new();
    for (index, line) in wrap_text(text, width, 0).iter().enumerate() {
        let label = if index == 0 { label } else { "" };
        let padding = " ".repeat(LABEL.saturating_sub(label.chars().count()));
        out.extend([format!(" {}{padding}{line}\n", Paint::Dim.on(label, page.colour))]);
    }
    out
}

/// Builds the table of pairs.
pub(super) fn table(comparison: &Comparison) -> TextTable {
    let scale = conclusion::scale(comparison);
    let column =
        |head: &str, align, entry: &dyn Fn(&PairComparison) -> (String, Paint)| TextColumn {
            head: head.to_owned(),
            align,
            entries: comparison.pairs.iter().map(entry).collect(),
        };
    let plain = |text: String| (text, Paint::Plain);
    let missing = || "—".to_owned();
    let signed = |value: Option<f64>| value.map_or_else(missing, |value| scale.signed(value));
    TextTable {
        banner: None,
        keys: vec![column("cell", Align::Left, &|pair| plain(pair.label.clone()))],
        columns: vec![
            column("A", Align::Left, &|pair| plain(sample(&pair.a, &scale))),
            column("B", Align::Left, &|pair| plain(sample(&pair.b, &scale))),
            column("better", Align::Left, &|pair| match pair.finding {
                Finding::A => ("A".to_owned(), Paint::Green),
                Finding::B => ("B".to_owned(), Paint::Green),
                Finding::Undecided => plain("undecided".to_owned()),
                Finding::TooFew => plain("too few".to_owned()),
            }),
            column("A − B", Align::Right, &|pair| plain(signed(pair.difference))),
            column("95 %", Align::Left, &|pair| {
                plain(pair.interval95.map_or_else(missing, |(low, high)| {
                    format!("{} to {}", scale.signed(low), scale.signed(high))
                }))
            }),
            column("p", Align::Right, &|pair| plain(pair.p_holm.map_or_else(missing, probability))),
            column("P(A>B)", Align::Left, &|pair| {
                let text = pair.superiority.map_or_else(missing, |found| {
                    let interval = found
                        .interval95
                        .map_or(String::new(), |(low, high)| format!(" ({low:.2}–{high:.2})"));
                    let mark = if pair.meaningful { " *" } else { "" };
                    format!("{:.2}{interval}{mark}", found.probability)
                });
                (text, if pair.meaningful { Paint::Green } else { Paint::Plain })
            }),
        ],
        split: Split::Full,
    }
}

fn sample(sample: &Sample, scale: &Scale) -> String {
    let Some(mean) = sample.mean else { return "no trial".to_owned() };
    let sd = sample.sd.map_or(String::new(), |sd| format!(" ± {}", scale.value(sd)));
    let lost = if sample.lost > 0 { format!(", {} lost", sample.lost) } else { String::new() };
    format!("{}{sd} (n = {}{lost})", scale.value(mean), sample.n)
}

/// Returns everything that is said of a single pair, label and text.
pub(super) fn details(
    pair: &PairComparison,
    comparison: &Comparison,
) -> Vec<(&'static str, String)> {
    let scale = conclusion::scale(comparison);
    let mut lines = vec![
        ("A", format!("{}, `{}`", sample(&pair.a, &scale), pair.a.cell)),
        ("B", format!("{}, `{}`", sample(&pair.b, &scale), pair.b.cell)),
    ];
    let unit = conclusion::unit(&comparison.metric);
    if let Some(difference) = pair.difference {
        let mut text = conclusion::difference(difference, pair.interval95, &scale, &unit);
        if let Some(freedom) = pair.degrees_of_freedom {
            text.extend([format!(", {} with {freedom:.1} degrees of freedom", method(comparison))]);
        }
        if let Some(errors) = pair.errors_per_ten_thousand {
            let interval = pair.interval95.map_or(String::new(), |(low, high)| {
                format!(" ({} to {})", count(-1e4 * high), count(-1e4 * low))
            });
            text.extend([format!("; {} errors per 10,000{interval}", count(errors))]);
        }
        lines.push(("A − B", text));
    }
    lines.push(("p", tests(pair, comparison)));
    if let Some(found) = pair.superiority {
        let interval = found
            .interval95
            .map_or(String::new(), |(low, high)| format!(" (95 % {low:.2} to {high:.2})"));
        let meaning = if pair.meaningful { "meaningful" } else { "not meaningful" };
        lines.push((
            "P(A>B)",
            format!("{:.2}{interval}: {meaning} at {}", found.probability, comparison.gamma),
        ));
    }
    if let Some(order) = pair.order {
        lines.push((
            "order",
            format!(
                "almost stochastic order ε_min {:.2} of A over B, {:.2} of B over A; below 0.5 the \
                 first is almost stochastically better",
                order.a_over_b, order.b_over_a
            ),
        ));
    }
    let effects: Vec<String> = [
        pair.cohens_d.map(|d| format!("Cohen's d {}", grouped(d, 2))),
        pair.cliffs_delta
            .map(|delta| format!("Cliff's δ {} (positive: A is better)", grouped(delta, 2))),
    ]
    .into_iter()
    .flatten()
    .collect();
    lines.push(("effect", effects.join(", ")));
    if let Some(examples) = &pair.examples {
        let test = &examples.mcnemar;
        let kind = if test.exact { "exact" } else { "χ²" };
        lines.push((
            "images",
            format!(
                "the same {} test images: majority vote right only in A {}, only in B {}, McNemar p \
                 {} ({kind}); over trials and images {}",
                examples.images,
                test.only_first,
                test.only_second,
                probability(test.p_two_sided),
                conclusion::difference(
                    examples.two_way.difference,
                    Some(examples.two_way.interval95),
                    &scale,
                    &unit
                ),
            ),
        ));
    }
    if let Some(correlation) = pair.seed_correlation {
        let interval = correlation.interval95.map_or(String::new(), |(low, high)| {
            format!(" (95 % {} to {})", grouped(low, 2), grouped(high, 2))
        });
        lines.push((
            "seeds",
            format!(
                "correlation of equal seeds {}{interval}; {}",
                grouped(correlation.coefficient, 2),
                if comparison.is_paired {
                    "the difference above pairs them"
                } else {
                    "too few repeats, or not the same on both sides, to pair them"
                }
            ),
        ));
    }
    if let Some(detectable) = pair.detectable {
        let fewest = pair.a.n.min(pair.b.n);
        lines.push((
            "power",
            format!(
                "{} per side find a difference of {} with 80 % power",
                counted(fewest, "trial"),
                scale.size(detectable)
            ),
        ));
    }
    lines.retain(|(_, text)| !text.is_empty());
    lines
}

/// Lists the p values.
fn tests(pair: &PairComparison, comparison: &Comparison) -> String {
    let exactly = |exact: bool| if exact { "exact" } else { "drawn" };
    let tests: Vec<String> = [
        pair.p
            .filter(|_| pair.interval95.is_some())
            .map(|p| format!("{} {}", probability(p), method(comparison))),
        pair.permutation.map(|test| {
            format!("{} permutation ({})", probability(test.p_two_sided), exactly(test.exact))
        }),
        pair.mann_whitney.map(|test| {
            let kind = if test.exact { "exact" } else { "normal" };
            format!("{} Mann–Whitney ({kind})", probability(test.p_two_sided))
        }),
    ]
    .into_iter()
    .flatten()
    .collect();
    tests.join(", ")
}

/// Prints a signed number of errors.
fn count(errors: f64) -> String {
    let sign = if errors.round() > 0.0 { "+" } else { "" };
    format!("{sign}{}", grouped(errors, 0))
}
