//! What a reader must know before believing the numbers.

use super::document::{Section, Warning, WarningKind};
use super::numbers::{Scale, counted};
use super::reference;
use crate::base::Metric;
use crate::record::Outcome;
use crate::results::ExperimentResults;
use crate::spec::experiment::ReportSettings;

/// Fewest trials that give a spread worth the name.
const FEW: usize = 3;
/// How much larger than predicted a spread may be before training counts as unstable (Jordan 2024).
pub(super) const UNSTABLE: f64 = 1.5;

/// Returns the warnings for a section that is otherwise complete.
pub(super) fn warnings(results: &ExperimentResults, section: &Section) -> Vec<Warning> {
    let asked = &results.facts.report;
    let warn = |kind, text| Warning { kind, text };
    [
        lost(results, section).map(|text| warn(WarningKind::LostTrials, text)),
        unfinished(section).map(|text| warn(WarningKind::Unfinished, text)),
        few(section).map(|text| warn(WarningKind::FewTrials, text)),
        unstable(section).map(|text| warn(WarningKind::UnstableTraining, text)),
        test_chooses(section).map(|text| warn(WarningKind::TestSplitChooses, text)),
        reference_problem(section, asked).map(|text| warn(WarningKind::Reference, text)),
        unknown_axes(section, asked).map(|text| warn(WarningKind::View, text)),
    ]
    .into_iter()
    .flatten()
    .collect()
}

fn lost(results: &ExperimentResults, section: &Section) -> Option<String> {
    let counts = section.counts;
    if counts.lost() == 0 {
        return None;
    }
    let kinds =
        [(counts.failed, "failed"), (counts.diverged, "diverged"), (counts.timed_out, "timed out")];
    let kinds: Vec<String> = kinds
        .iter()
        .filter(|(count, _)| *count > 0)
        .map(|(count, kind)| format!("{count} {kind}"))
        .collect();
    let ended =
        |outcome| matches!(outcome, Outcome::Failed | Outcome::Diverged | Outcome::TimedOut);
    let first = results.cells.iter().enumerate().find_map(|(place, cell)| {
        let trial = cell.trials.iter().find(|trial| ended(trial.outcome))?;
        let reason = trial.reason.as_deref().unwrap_or("no reason recorded");
        let place = match section.describe(place) {
            place if place.is_empty() => String::new(),
            place => format!("{place}, "),
        };
        Some(format!("; the first: {place}repeat {}: {reason}", trial.repeat))
    });
    Some(format!(
        "{} of {} ended without a result ({}) and are not in the statistics, so a setting that \
         often fails looks better than it is{}",
        counts.lost(),
        counted(counts.planned, "trial"),
        kinds.join(", "),
        first.unwrap_or_default()
    ))
}

fn unfinished(section: &Section) -> Option<String> {
    let counts = section.counts;
    (counts.unfinished > 0).then(|| {
        format!(
            "{} of {} {} still to be done; cells marked …k/m have k of m: run the experiment again \
             to finish them",
            counts.unfinished,
            counted(counts.planned, "trial"),
            if counts.unfinished == 1 { "is" } else { "are" },
        )
    })
}

fn few(section: &Section) -> Option<String> {
    let completed = section.cells.iter().map(|cell| cell.counts.completed);
    let few = completed.filter(|n| (1..FEW).contains(n)).count();
    (few > 0).then(|| {
        format!(
            "{few} of {} {} fewer than {FEW} completed trials: their spread is unknown or hardly \
             known; set `repeats` to {FEW} or more",
            counted(section.cells.len(), "cell"),
            if few == 1 { "has" } else { "have" },
        )
    })
}

fn unstable(section: &Section) -> Option<String> {
    let spread = section.findings.spread?;
    // A cell of which single trials fail to learn has a spread the test set cannot explain.
    let scale = Scale::of(section.metric, Some(spread.predicted));
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

fn test_chooses(section: &Section) -> Option<String> {
    let on_test = matches!(
        section.metric,
        Metric::TestAccuracy | Metric::TestLoss | Metric::MemberTestAccuracy
    );
    (on_test && section.findings.best.is_some() && section.cells.len() > 1).then(|| {
        "the best cell is chosen on the test images themselves, so its mean is too hopeful: choose \
         by a validation metric, or train the best cells again on fresh seeds before quoting it"
            .to_owned()
    })
}

fn reference_problem(section: &Section, asked: &ReportSettings) -> Option<String> {
    let name = asked.reference.as_deref()?;
    match &section.reference {
        None => Some(format!(
            "there is no reference table `{name}`; there are {}",
            reference::NAMES.join(", ")
        )),
        Some(comparison) if comparison.matches.is_empty() => {
            Some(format!("no cell matches an entry of the reference table `{name}`"))
        }
        Some(_) => None,
    }
}

fn unknown_axes(section: &Section, asked: &ReportSettings) -> Option<String> {
    let keys: Vec<&str> = section.axes.iter().map(|axis| axis.key.as_str()).collect();
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
