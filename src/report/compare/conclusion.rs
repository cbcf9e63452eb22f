//! What may be concluded, in words that never say more than the trials show.

use super::document::{Comparison, Finding, PairComparison};
use crate::base::{Digest, Metric};
use crate::report::numbers::{Scale, counted, grouped, probability};
use crate::results::{ExperimentResults, repeats_in_words};

/// Settings of the dataset that do not decide which images test.
const NOT_TEST: [&str; 3] =
    ["dataset.split.validation", "dataset.split.train", "dataset.train-limit"];

/// Lists what differs between the two sides beside what is compared.
pub(super) fn warnings(
    a: &ExperimentResults,
    b: &ExperimentResults,
    metric: &Metric,
) -> Vec<String> {
    let (of_a, of_b) = (&a.facts, &b.facts);
    let mut warnings = Vec::new();
    let checksums = |facts: &crate::results::Facts| -> Vec<Digest> {
        let mut all: Vec<Digest> = facts.datasets.iter().map(|one| one.checksum).collect();
        all.sort_unstable();
        all
    };
    if checksums(of_a) == checksums(of_b) {
        let is_test = |key: &&String| {
            key.starts_with("dataset.split.")
                && !NOT_TEST.iter().any(|prefix| key.starts_with(prefix))
        };
        let mut keys = of_a.base.keys().chain(of_b.base.keys()).filter(is_test);
        if let Some(key) = keys.find(|key| of_a.base.get(*key) != of_b.base.get(*key)) {
            warnings.push(format!("the two were tested on different images: `{key}` differs"));
        }
    } else {
        warnings.push("the two were trained and tested on different datasets".to_owned());
    }
    match (of_a.folds, of_b.folds) {
        (None, None) => {}
        (one, other) if one == other => warnings.push(format!(
            "trials are folds, which share training images: tests of means have the error of Nadeau and Bengio \
             (2003), √(1/n + 1/{}) · SD, and tests of order are left out",
            one.unwrap_or(2) - 1
        )),
        (one, other) => {
            let [one, other] = [one, other].map(repeats_in_words);
            warnings.push(format!("A is of {one}, B of {other}"));
        }
    }
    let (one, other) = (&of_a.origin, &of_b.origin);
    if one.engine != other.engine {
        warnings.push(format!("A was trained by `{}`, B by `{}`", one.engine, other.engine));
    } else if one.engine_revision != other.engine_revision {
        warnings.push("the two were trained by different revisions of the engine".to_owned());
    }
    if metric.unit.is_cost() && one.hardware != other.hardware {
        warnings.push(format!(
            "A was measured on `{}`, B on `{}`: the difference may be the machines'",
            one.hardware, other.hardware
        ));
    }
    warnings
}

/// Prints the difference of a pair with its unit and, if there is one, its interval.
pub(super) fn difference(
    difference: f64,
    interval: Option<(f64, f64)>,
    scale: &Scale,
    unit: &str,
) -> String {
    let unit = if unit.is_empty() { String::new() } else { format!(" {unit}") };
    let interval = interval.map_or(String::new(), |(low, high)| {
        format!(" (95 % {} to {})", scale.signed(low), scale.signed(high))
    });
    format!("{}{unit}{interval}", scale.signed(difference))
}

/// Returns the unit of differences; empty where they have none.
pub(super) fn unit(metric: &Metric) -> String {
    metric.unit.of_differences().trim_start().to_owned()
}

/// Returns how the values of the metric are printed.
pub(super) fn scale(comparison: &Comparison) -> Scale {
    let spreads = comparison.pairs.iter().flat_map(|pair| [pair.a.sd, pair.b.sd]).flatten();
    Scale::of(&comparison.metric.unit, spreads.reduce(f64::min).filter(|sd| *sd > 0.0))
}

/// Says what may be concluded of the whole.
pub(super) fn verdict(comparison: &Comparison) -> String {
    let caution = if comparison.warnings.is_empty() { "" } else { " Mind the warnings below." };
    match &comparison.pairs[..] {
        [pair] => single(pair, comparison) + caution,
        pairs => several(pairs, comparison) + caution,
    }
}

fn single(pair: &PairComparison, comparison: &Comparison) -> String {
    let (scale, unit) = (scale(comparison), unit(&comparison.metric));
    let (better, worse) = match pair.finding {
        Finding::TooFew => return too_few(pair),
        Finding::Undecided => return undecided(pair, comparison),
        Finding::A => ("A", "B"),
        Finding::B => ("B", "A"),
    };
    let found = difference(pair.difference.unwrap_or(0.0).abs(), turned(pair), &scale, &unit);
    let p = pair.p_holm.map(probability).unwrap_or_default();
    let mut text = format!("{better} is better on average by {found}, p {}.", p_text(&p));
    if let Some(superiority) = &pair.superiority {
        let chance =
            if better == "A" { superiority.probability } else { 1.0 - superiority.probability };
        text.extend([format!(
            " Of the trials seen, one of {better} beats one of {worse} in {:.0} % of all pairings{}",
            100.0 * chance,
            if pair.meaningful {
                ".".to_owned()
            } else {
                format!(
                    ": real, but not shown to be a margin worth having (P = {:.2}).",
                    comparison.gamma
                )
            }
        )]);
    }
    text + &doubts(pair, comparison)
}

fn too_few(pair: &PairComparison) -> String {
    let lacking: Vec<String> = [("A", &pair.a), ("B", &pair.b)]
        .iter()
        .filter(|(_, side)| side.n < 2)
        .map(|(name, side)| match side.n {
            0 => format!("{name} has no completed trial"),
            _ => format!("{name} has a single trial"),
        })
        .collect();
    let images = match &pair.examples {
        Some(examples) if pair.a.n > 0 && pair.b.n > 0 => format!(
            " Of these trials alone, on these images, McNemar's p is {}.",
            probability(examples.mcnemar.p_two_sided)
        ),
        _ => String::new(),
    };
    format!(
        "A and B cannot be compared: {} and no spread to judge by; run at least 5 repeats of \
         each.{images}",
        lacking.join(", ")
    )
}

/// Returns the interval turned so that it belongs to the size of the difference.
fn turned(pair: &PairComparison) -> Option<(f64, f64)> {
    let (low, high) = pair.interval95?;
    Some(if pair.difference? < 0.0 { (-high, -low) } else { (low, high) })
}

fn p_text(p: &str) -> String {
    if p.starts_with('<') { p.to_owned() } else { format!("= {p}") }
}

/// Names what other tests hold against a difference that is found.
fn doubts(pair: &PairComparison, comparison: &Comparison) -> String {
    let mut text = String::new();
    if pair.permutation.is_some_and(|test| test.p_two_sided > comparison.alpha) {
        text += " A permutation test of so few trials does not reach the level by itself: run more \
                 repeats before relying on it.";
    }
    if let Some(examples) = &pair.examples {
        let (low, high) = examples.two_way.interval95;
        if low <= 0.0 && high >= 0.0 {
            text += " It holds for these test images; on others of the kind it may vanish.";
        }
    }
    if pair.a.lost + pair.b.lost > 0 {
        text.extend([format!(
            " {} of A and {} of B ended without a value and do not count.",
            counted(pair.a.lost, "trial"),
            counted(pair.b.lost, "trial")
        )]);
    }
    text
}

fn undecided(pair: &PairComparison, comparison: &Comparison) -> String {
    let (scale, unit) = (scale(comparison), unit(&comparison.metric));
    let unit = if unit.is_empty() { String::new() } else { format!(" {unit}") };
    if pair.is_identical {
        return "A and B are identical in every trial, to the last bit.".to_owned();
    }
    let Some((low, high)) = pair.interval else {
        return match pair.difference {
            Some(difference) if difference != 0.0 => format!(
                "A and B differ by {}{unit}, but neither has any spread to judge by: {} against {} \
                 may do so by chance (p {}, permutation test).",
                scale.signed(difference),
                counted(pair.a.n, "trial"),
                pair.b.n,
                p_text(&pair.p.map(probability).unwrap_or_default()),
            ),
            _ => {
                "A and B are equal in every trial: no difference is seen, and no spread to say how \
                  small one may be."
                    .to_owned()
            }
        };
    };
    // The reader expects 95 %, and any other level only if the question asked for it.
    let level = match 100.0 * (1.0 - comparison.alpha) {
        95.0 => String::new(),
        level => format!(" ({} %)", (1e9 * level).round() / 1e9),
    };
    let mut text = format!(
        "A and B cannot be told apart: the difference may be anything from {} to {}{unit}{level}.",
        scale.signed(low),
        scale.signed(high),
    );
    if comparison.folds.is_some() {
        return text + " Only more data would tell: there are no more folds than there are.";
    }
    text.extend([match pair.repeats_to_settle {
        Some(repeats) if repeats <= 1_000_000 => format!(
            " If it is as large as it looks, about {} per side would show it (80 % power).",
            counted(repeats, "trial")
        ),
        _ => " No number of trials worth running would show one as small as it looks.".to_owned(),
    }]);
    text
}

fn several(pairs: &[PairComparison], comparison: &Comparison) -> String {
    if pairs.iter().all(|pair| pair.is_identical) {
        return format!(
            "A and B are identical in every trial of all {}, to the last bit.",
            counted(pairs.len(), "pair")
        );
    }
    let with = |finding| pairs.iter().filter(|pair| pair.finding == finding).count();
    let (a, b) = (with(Finding::A), with(Finding::B));
    let open = with(Finding::Undecided) + with(Finding::TooFew);
    let mut text = format!(
        "Of {} A is better in {}, B in {}, and {} cannot be told apart (Holm over all pairs, α {}).",
        counted(pairs.len(), "pair"),
        grouped(a as f64, 0),
        grouped(b as f64, 0),
        grouped(open as f64, 0),
        comparison.alpha,
    );
    if let Some(overall) = &comparison.overall {
        let (scale, unit) = (scale(comparison), unit(&comparison.metric));
        let found = difference(overall.difference, Some(overall.interval95), &scale, &unit);
        let a_is_better = (overall.difference > 0.0) == comparison.higher_is_better;
        let end = match (overall.p > comparison.alpha, a_is_better) {
            (true, _) => "no difference is shown on average",
            (false, true) => "A is better on average",
            (false, false) => "B is better on average",
        };
        text.extend([format!(
            " Averaged over all pairs, repeat by repeat, A − B is {found}, p {}: {end}.",
            p_text(&probability(overall.p))
        )]);
    }
    text
}
