//! From the predictions of its members to the metrics of a trial.

use std::collections::BTreeMap;

use super::combine::Ballot;
use crate::base::Metric;
use crate::record::{MemberRecord, Predictions, Probabilities};
use crate::spec::settings::{Combine, SplitSeed};

/// Smallest probability a loss is taken of: stored probabilities are 16-bit and may be 0 (Keras
/// clips its cross-entropy at the same value).
const SMALLEST: f64 = 1e-7;

/// One completed member: what it cost, and what it predicts as stored.
pub(super) struct Scored<'a> {
    pub(super) record: &'a MemberRecord,
    pub(super) predictions: Predictions,
}

/// Returns the metrics of a trial of these completed members, in ensemble order.
///
/// The loss is that of the mean probabilities under either rule, since votes have none. Where every
/// member has a validation split of its own, validation metrics are means over the members.
///
/// # Errors
/// Says what is wrong if the members were not tested on the same images.
pub(super) fn score(
    members: &[Scored<'_>],
    combine: Combine,
    split_seed: SplitSeed,
) -> Result<BTreeMap<Metric, f64>, String> {
    let test: Vec<Part<'_>> =
        members.iter().map(|member| Part::test(&member.predictions)).collect();
    let validation: Vec<Part<'_>> =
        members.iter().map(|member| Part::validation(&member.predictions)).collect();
    let mut metrics = BTreeMap::new();

    let ensemble = evaluate(&test, combine)
        .ok_or("its members were not tested on the same images, or on none")?;
    metrics.insert(Metric::TestAccuracy, ensemble.accuracy);
    metrics.insert(Metric::TestLoss, ensemble.loss);
    let alone = |part: &Part<'_>| evaluate(std::slice::from_ref(part), combine);
    insert(
        &mut metrics,
        Metric::MemberTestAccuracy,
        mean_of(&test, |part| alone(part).map(|evaluation| evaluation.accuracy)),
    );

    if split_seed == SplitSeed::Member {
        insert(
            &mut metrics,
            Metric::ValidationAccuracy,
            mean_of(&validation, |part| alone(part).map(|evaluation| evaluation.accuracy)),
        );
        insert(
            &mut metrics,
            Metric::ValidationLoss,
            mean_of(&validation, |part| alone(part).map(|evaluation| evaluation.loss)),
        );
    } else if let Some(ensemble) = evaluate(&validation, combine) {
        metrics.insert(Metric::ValidationAccuracy, ensemble.accuracy);
        metrics.insert(Metric::ValidationLoss, ensemble.loss);
    }

    let records: Vec<&MemberRecord> = members.iter().map(|member| member.record).collect();
    insert_costs(&mut metrics, &records);
    Ok(metrics)
}

/// Returns the class that the ensemble of these members gives each test image; nothing if they were
/// not tested on the same images, or on none.
#[must_use]
pub fn predicted_classes(members: &[Predictions], combine: Combine) -> Option<Vec<u16>> {
    let parts: Vec<Part<'_>> = members.iter().map(Part::test).collect();
    let mut classes = Vec::with_capacity(parts.first()?.labels.len());
    visit(&parts, combine, |_, winner, _| classes.push(winner as u16))?;
    Some(classes)
}

/// Returns the training time of a member in seconds.
pub(super) fn train_seconds(record: &MemberRecord) -> f64 {
    let summary = record.summary.as_ref();
    let stated = summary.and_then(|summary| summary.metrics.get(&Metric::TrainSeconds).copied());
    stated.unwrap_or_else(|| record.epochs.iter().map(|epoch| epoch.train_seconds).sum())
}

fn insert_costs(metrics: &mut BTreeMap<Metric, f64>, records: &[&MemberRecord]) {
    let stated = |metric: Metric| {
        move |record: &&MemberRecord| record.summary.as_ref()?.metrics.get(&metric).copied()
    };
    for metric in [Metric::TrainAccuracy, Metric::TrainLoss] {
        insert(metrics, metric, mean_of(records, stated(metric)));
    }
    insert(
        metrics,
        Metric::Epochs,
        mean_of(records, |record| record.summary.as_ref().map(|summary| f64::from(summary.epochs))),
    );
    let seconds: f64 = records.iter().map(|record| train_seconds(record)).sum();
    let images: u64 = records
        .iter()
        .filter_map(|record| record.summary.as_ref())
        .map(|summary| summary.images_trained)
        .sum();
    metrics.insert(Metric::TrainSeconds, seconds);
    if seconds > 0.0 {
        metrics.insert(Metric::ImagesPerSecond, images as f64 / seconds);
    }
    let memory = records.iter().filter_map(stated(Metric::PeakMemory));
    insert(metrics, Metric::PeakMemory, memory.reduce(f64::max));
}

fn insert(metrics: &mut BTreeMap<Metric, f64>, metric: Metric, value: Option<f64>) {
    if let Some(value) = value {
        metrics.insert(metric, value);
    }
}

/// Returns the mean of a value over all items; `None` unless every item has one.
fn mean_of<T>(items: &[T], value: impl Fn(&T) -> Option<f64>) -> Option<f64> {
    let values: Option<Vec<f64>> = items.iter().map(value).collect();
    values
        .filter(|values| !values.is_empty())
        .map(|values| values.iter().sum::<f64>() / values.len() as f64)
}

/// Predictions on one split.
struct Part<'a> {
    probabilities: &'a Probabilities,
    labels: &'a [u16],
}

impl<'a> Part<'a> {
    fn test(predictions: &'a Predictions) -> Self {
        Self { probabilities: &predictions.test, labels: &predictions.test_labels }
    }

    fn validation(predictions: &'a Predictions) -> Self {
        Self { probabilities: &predictions.validation, labels: &predictions.validation_labels }
    }
}

struct Evaluation {
    accuracy: f64,
    loss: f64,
}

/// Evaluates the ensemble of `parts`; `None` if they hold different images or none.
fn evaluate(parts: &[Part<'_>], combine: Combine) -> Option<Evaluation> {
    let images = parts.first()?.labels.len() as f64;
    let (mut correct, mut loss, mut known) = (0usize, 0.0, true);
    visit(parts, combine, |label, winner, mean| {
        correct += usize::from(winner == label);
        match mean.get(label) {
            Some(probability) => loss -= probability.clamp(SMALLEST, 1.0).ln(),
            None => known = false,
        }
    })?;
    known.then_some(Evaluation { accuracy: correct as f64 / images, loss: loss / images })
}

/// Tells `see` the label of every image, the class the ensemble gives it and its mean
/// probabilities; `None` if the parts hold different images or none.
fn visit(
    parts: &[Part<'_>],
    combine: Combine,
    mut see: impl FnMut(usize, usize, &[f64]),
) -> Option<()> {
    let first = parts.first()?;
    let (labels, classes) = (first.labels, first.probabilities.classes);
    let same = |part: &Part<'_>| part.labels == labels && part.probabilities.classes == classes;
    if labels.is_empty() || classes == 0 || !parts.iter().all(same) {
        return None;
    }
    let mut ballot = Ballot::new(parts.len(), classes);
    for (image, &label) in labels.iter().enumerate() {
        ballot.clear();
        for part in parts {
            ballot.add(&part.probabilities.values[image * classes..][..classes]);
        }
        see(usize::from(label), ballot.winner(combine), ballot.mean());
    }
    Some(())
}

#[cfg(test)]
#[path = "score_tests.rs"]
mod tests;
