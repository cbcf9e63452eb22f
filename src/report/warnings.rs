//! What a reader must know before believing the numbers.

use std::collections::BTreeSet;

use super::document::{AxisLine, CellLine, Counts, Findings, Warning, WarningKind};
use super::naming::describe;
use super::numbers::{Scale, counted};
use super::reference::{self, ReferenceComparison};
use super::standing;
use crate::base::{MetricName, Split};
use crate::record::Outcome;
use crate::results::{CellResults, ExperimentResults};

/// Fewest trials that give a spread worth the name.
const MIN_FOR_SPREAD: usize = 3;
/// How much larger than predicted a spread may be before training counts as unstable (Jordan 2024).
pub(super) const UNSTABLE: f64 = 1.5;

/// What warnings are about.
pub(super) struct Evidence<'a> {
    pub(super) results: &'a ExperimentResults,
    pub(super) axes: &'a [AxisLine],
    pub(super) cells: &'a [CellLine],
    pub(super) counts: Counts,
    pub(super) findings: &'a Findings,
    pub(super) reference: Option<&'a ReferenceComparison>,
    /// Which of the cells are shown, where not all are.
    pub(super) narrowed: Option<&'a str>,
}

/// Returns what a reader must know.
pub(super) fn warnings(evidence: &Evidence<'_>) -> Vec<Warning> {
    let warn = |kind, text| Warning { kind, text };
    [
        lost(evidence).map(|text| warn(WarningKind::LostTrials, text)),
        unfinished(evidence).map(|text| warn(WarningKind::Unfinished, text)),
        few(evidence).map(|text| warn(WarningKind::FewTrials, text)),
        unstable(evidence).map(|text| warn(WarningKind::UnstableTraining, text)),
        mixed_paths(evidence.results).map(|text| warn(WarningKind::MixedPaths, text)),
        test_chooses(evidence).map(|text| warn(WarningKind::TestSplitChooses, text)),
        reference_problem(evidence).map(|text| warn(WarningKind::Reference, text)),
        evidence.narrowed.map(|text| warn(WarningKind::View, text.to_owned())),
        unknown_axes(evidence).map(|text| warn(WarningKind::View, text)),
    ]
    .into_iter()
    .flatten()
    .chain(images(evidence.results).map(|text| warn(WarningKind::Images, text)))
    .collect()
}

/// Returns what of the images may mislead, once each.
fn images(results: &ExperimentResults) -> impl Iterator<Item = String> {
    let named = results.facts.datasets.iter().flat_map(|dataset| {
        let name = (results.facts.datasets.len() > 1).then_some(&dataset.name);
        let say = move |text: &String| name.map_or(text.clone(), |name| format!("{name}: {text}"));
        dataset.warnings.iter().map(say)
    });
    named.collect::<BTreeSet<_>>().into_iter()
}

fn lost(evidence: &Evidence<'_>) -> Option<String> {
    let &Evidence { results, axes, cells, counts, .. } = evidence;
    if counts.lost() == 0 {
        return None;
    }
    let ended =
        |outcome| matches!(outcome, Outcome::Failed | Outcome::Diverged | Outcome::TimedOut);
    let first = results.cells.iter().enumerate().find_map(|(index, cell)| {
        let trial = cell.trials.iter().find(|trial| ended(trial.outcome))?;
        let reason = trial.reason.as_deref().unwrap_or("no reason recorded");
        let settings = match describe(axes, &cells[index].values) {
            settings if settings.is_empty() => String::new(),
            settings => format!("{settings}, "),
        };
        Some(format!("; the first: {settings}repeat {}: {reason}", trial.repeat))
    });
    let passed_over = passed_over(evidence).map_or_else(String::new, |settings| {
        format!(", and {settings} is not named the best for that although its mean is better")
    });
    // Where nothing else is left there are no statistics to mislead.
    let effect = if counts.completed == 0 {
        String::new()
    } else {
        let are = if counts.lost() == 1 { "is" } else { "are" };
        format!(
            " and {are} not in the statistics, so a setting that often fails looks better than it is"
        )
    };
    Some(format!(
        "{} of {} ended without a result ({}){effect}{passed_over}{}",
        counts.lost(),
        counted(counts.planned, "trial"),
        counts.ways_lost(),
        first.unwrap_or_default()
    ))
}

fn unfinished(evidence: &Evidence<'_>) -> Option<String> {
    let counts = evidence.counts;
    (counts.unfinished > 0).then(|| {
        format!(
            "{} of {} {} still to be done: run the experiment again to finish them",
            counts.unfinished,
            counted(counts.planned, "trial"),
            if counts.unfinished == 1 { "is" } else { "are" },
        )
    })
}

/// Names a cell that lost trials and has a better mean than the cell that is named the best.
fn passed_over(evidence: &Evidence<'_>) -> Option<String> {
    let best = evidence.findings.best?.cell;
    let cell = standing::passed_over(evidence.cells, best, evidence.results.metric().sign())?;
    let cell = &evidence.cells[cell];
    let settings = describe(evidence.axes, &cell.values);
    Some(format!("{settings} ({} of {} lost)", cell.counts.lost(), cell.counts.planned))
}

fn few(evidence: &Evidence<'_>) -> Option<String> {
    let is_few = |cell: &&CellLine| (1..MIN_FOR_SPREAD).contains(&cell.counts.completed);
    let few: Vec<&CellLine> = evidence.cells.iter().filter(is_few).collect();
    let is_planned = |cell: &&CellLine| cell.counts.planned < MIN_FOR_SPREAD;
    let way_out = if few.iter().any(is_planned) {
        format!("; set `repeats` to {MIN_FOR_SPREAD} or more")
    } else {
        String::new()
    };
    (!few.is_empty()).then(|| {
        let (have, their) = if few.len() == 1 { ("has", "its") } else { ("have", "their") };
        format!(
            "{} of {} {have} fewer than {MIN_FOR_SPREAD} completed trials: {their} spread is unknown \
             or hardly known{way_out}",
            few.len(),
            counted(evidence.cells.len(), "cell"),
        )
    })
}

fn unstable(evidence: &Evidence<'_>) -> Option<String> {
    let spread = evidence.findings.spread?;
    // A cell of which single trials fail to learn has a spread the test set cannot explain.
    let scale = Scale::of(&evidence.results.metric().unit, Some(spread.predicted));
    (spread.predicted > 0.0 && spread.seen > UNSTABLE * spread.predicted).then(|| {
        format!(
            "training is unstable: the SD of {} is {:.1} times the {} that {} explain",
            scale.size(spread.seen),
            spread.seen / spread.predicted,
            scale.value(spread.predicted),
            counted(spread.test_images as usize, "test image"),
        )
    })
}

fn mixed_paths(results: &ExperimentResults) -> Option<String> {
    let mixed: Vec<Vec<&str>> =
        results.cells.iter().map(CellResults::paths).filter(|paths| paths.len() > 1).collect();
    let first = mixed.first()?;
    let all: Vec<String> = first.iter().map(|path| format!("`{path}`")).collect();
    Some(format!(
        "the trials of {} of {} were computed by several numerical paths ({}), which round \
         differently: the same seed gives another network on each",
        mixed.len(),
        counted(results.cells.len(), "cell"),
        all.join(", ")
    ))
}

fn test_chooses(evidence: &Evidence<'_>) -> Option<String> {
    let metric = evidence.results.metric();
    let on_test = metric.split == Some(Split::Test);
    let compared = evidence.cells.iter().filter(|cell| cell.summary.is_some()).count();
    (on_test && compared > 1).then(|| {
        let is_measured = |name: &MetricName| evidence.results.metrics().any(|one| one.name == *name);
        let known = metric.on(Split::Validation).filter(is_measured);
        let way_out = known.map_or_else(
            || {
                if !evidence.results.facts.metrics.iter().any(|one| one.counts_images) {
                    return "let the program measure on data that no test sees, and choose by that \
                            (`report.metric`)"
                        .to_owned();
                }
                "leave validation images out of the training (`dataset.split.validation = 0.1`) and \
                 choose by them (`report.metric`)"
                    .to_owned()
            },
            |name| format!("set `report.metric = \"{name}\"`"),
        );
        let data = if metric.counts_images { "images" } else { "data" };
        let again = if evidence.results.facts.folds.is_some() {
            "or measure the best cells on data that no fold holds".to_owned()
        } else {
            format!(
                "fresh seeds (`bench confirm`) take off the luck of the draw, not what fits these {data} alone"
            )
        };
        format!(
            "the best cell is chosen on the test {data} themselves (`report.metric = \"{}\"`), so its \
             mean is too hopeful: {way_out}; {again}",
            metric.name
        )
    })
}

fn reference_problem(evidence: &Evidence<'_>) -> Option<String> {
    let name = evidence.results.facts.report.reference.as_deref()?;
    match evidence.reference {
        None => Some(format!(
            "there is no reference table `{name}`; there are {}, and TOML files of your own",
            reference::names().collect::<Vec<_>>().join(", ")
        )),
        Some(comparison) if comparison.matches.is_empty() => {
            Some(format!("no cell matches an entry of the reference table `{name}`"))
        }
        Some(_) => None,
    }
}

fn unknown_axes(evidence: &Evidence<'_>) -> Option<String> {
    let asked = &evidence.results.facts.report;
    let keys: Vec<&str> = evidence.axes.iter().map(|axis| axis.key.as_str()).collect();
    let unknown: Vec<String> = [&asked.rows, &asked.columns]
        .into_iter()
        .flatten()
        .filter(|key| !keys.contains(&key.as_str()))
        .map(|key| format!("`{key}`"))
        .collect();
    (!unknown.is_empty()).then(|| {
        let known = if keys.is_empty() { "none".to_owned() } else { keys.join(", ") };
        format!(
            "no axis {}, so the report chose its own layout; axes: {known}",
            unknown.join(" or ")
        )
    })
}
