//! From the predictions of its members to the metrics of a trial.

use std::collections::BTreeMap;

use super::combine::{Ballot, mixture_loss};
use crate::base::{MetricName, Metrics};
use crate::experiment::settings::{Combine, SplitSeed};
use crate::record::{LogProbabilities, MemberRecord, Predictions};

/// One completed member: what it cost, and what it predicts as stored.
pub(super) struct Scored<'a> {
    pub(super) record: &'a MemberRecord,
    pub(super) predictions: Predictions,
}

/// Returns the metrics of a trial of these completed members, in ensemble order.
///
/// What one network came to is what its evaluation said; only what several came to together is
/// worked out from their predictions. The loss is that of the mean probabilities under either
/// rule, since votes have none. Where every member has a validation split of its own, validation
/// metrics are means over the members.
///
/// # Errors
/// Says what is wrong if the members were not tested on the same images.
pub(super) fn score(
    members: &[Scored<'_>],
    combine: Combine,
    split_seed: SplitSeed,
) -> Result<Metrics, String> {
    let test = Split::test(members);
    let validation = Split::validation(members);
    let mut metrics = BTreeMap::new();

    let ensemble = test
        .together(combine)
        .ok_or("its members were not tested on the same images, or on none")?;
    metrics.insert(MetricName::TEST_ACCURACY, ensemble.accuracy);
    metrics.insert(MetricName::TEST_LOSS, ensemble.loss);
    insert(&mut metrics, MetricName::MEMBER_TEST_ACCURACY, test.mean(|alone| alone.accuracy));

    if split_seed == SplitSeed::Member {
        insert(
            &mut metrics,
            MetricName::VALIDATION_ACCURACY,
            validation.mean(|alone| alone.accuracy),
        );
        insert(&mut metrics, MetricName::VALIDATION_LOSS, validation.mean(|alone| alone.loss));
    } else if let Some(ensemble) = validation.together(combine) {
        metrics.insert(MetricName::VALIDATION_ACCURACY, ensemble.accuracy);
        metrics.insert(MetricName::VALIDATION_LOSS, ensemble.loss);
    }

    let records: Vec<&MemberRecord> = members.iter().map(|member| member.record).collect();
    insert_costs(&mut metrics, &records);
    Ok(metrics.into())
}

/// Returns the metrics of a trial as its members state them: the mean of each that all of them have.
pub(super) fn stated<'r>(members: impl Iterator<Item = &'r MemberRecord>) -> Metrics {
    let summaries: Vec<_> = members.filter_map(|record| record.summary.as_ref()).collect();
    let names = summaries.first().into_iter().flat_map(|summary| summary.metrics.keys());
    let mean = |name: &MetricName| {
        Some((name.clone(), mean_of(&summaries, |summary| summary.metrics.get(name).copied())?))
    };
    names.filter_map(mean).collect()
}

/// Returns the class that the ensemble of these members gives each test image; nothing if they were
/// not tested on the same images, or on none.
pub(crate) fn predicted_classes(members: &[Predictions], combine: Combine) -> Option<Vec<u16>> {
    let parts: Vec<Part<'_>> = members.iter().map(Part::test).collect();
    let mut classes = Vec::with_capacity(parts.first()?.labels.len());
    visit(&parts, combine, |_, winner| classes.push(winner as u16))?;
    Some(classes)
}

/// Returns the training time of a member in seconds.
pub(super) fn train_seconds(record: &MemberRecord) -> f64 {
    let summary = record.summary.as_ref();
    let stated =
        summary.and_then(|summary| summary.metrics.get(&MetricName::TRAIN_SECONDS).copied());
    stated.unwrap_or_else(|| record.epochs.iter().map(|epoch| epoch.train_seconds).sum())
}

fn insert_costs(metrics: &mut BTreeMap<MetricName, f64>, records: &[&MemberRecord]) {
    let stated = |metric: MetricName| {
        move |record: &&MemberRecord| record.summary.as_ref()?.metrics.get(&metric).copied()
    };
    for metric in [MetricName::TRAIN_ACCURACY, MetricName::TRAIN_LOSS] {
        let mean = mean_of(records, stated(metric.clone()));
        insert(metrics, metric, mean);
    }
    insert(
        metrics,
        MetricName::EPOCHS,
        mean_of(records, |record| record.summary.as_ref().map(|summary| f64::from(summary.epochs))),
    );
    let seconds: f64 = records.iter().map(|record| train_seconds(record)).sum();
    let images: u64 = records
        .iter()
        .filter_map(|record| record.summary.as_ref())
        .map(|summary| summary.images_trained)
        .sum();
    metrics.insert(MetricName::TRAIN_SECONDS, seconds);
    if seconds > 0.0 {
        metrics.insert(MetricName::IMAGES_PER_SECOND, images as f64 / seconds);
    }
    let memory = records.iter().filter_map(stated(MetricName::PEAK_MEMORY));
    insert(metrics, MetricName::PEAK_MEMORY, memory.reduce(f64::max));
}

fn insert(metrics: &mut BTreeMap<MetricName, f64>, metric: MetricName, value: Option<f64>) {
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

/// Predictions of one member on one split.
struct Part<'a> {
    logs: &'a LogProbabilities,
    labels: &'a [u16],
    /// What the member's evaluation came to, where its record says so.
    stated: Option<Evaluation>,
}

impl<'a> Part<'a> {
    fn test(predictions: &'a Predictions) -> Self {
        Self { logs: &predictions.test, labels: &predictions.test_labels, stated: None }
    }

    fn validation(predictions: &'a Predictions) -> Self {
        Self { logs: &predictions.validation, labels: &predictions.validation_labels, stated: None }
    }

    fn row(&self, image: usize) -> &[f32] {
        &self.logs.values[image * self.logs.classes..][..self.logs.classes]
    }

    /// Returns what this member comes to by itself.
    fn alone(&self) -> Option<Evaluation> {
        // One network decides alike under either rule.
        self.stated.or_else(|| evaluate(std::slice::from_ref(self), Combine::Mean))
    }
}

/// Predictions of the members of a trial on one split.
struct Split<'a>(Vec<Part<'a>>);

impl<'a> Split<'a> {
    fn test(members: &'a [Scored<'_>]) -> Self {
        let stated = |member: &Scored<'_>| {
            Evaluation::stated(member.record, &MetricName::TEST_ACCURACY, &MetricName::TEST_LOSS)
        };
        let part = |member| Part { stated: stated(member), ..Part::test(&member.predictions) };
        Self(members.iter().map(part).collect())
    }

    fn validation(members: &'a [Scored<'_>]) -> Self {
        let stated = |member: &Scored<'_>| {
            Evaluation::stated(
                member.record,
                &MetricName::VALIDATION_ACCURACY,
                &MetricName::VALIDATION_LOSS,
            )
        };
        let part =
            |member| Part { stated: stated(member), ..Part::validation(&member.predictions) };
        Self(members.iter().map(part).collect())
    }

    /// Returns what the members come to together.
    fn together(&self, combine: Combine) -> Option<Evaluation> {
        match &self.0[..] {
            [only] if !only.labels.is_empty() => only.alone(),
            parts => evaluate(parts, combine),
        }
    }

    /// Returns the mean over the members of what each comes to by itself.
    fn mean(&self, value: impl Fn(Evaluation) -> f64) -> Option<f64> {
        mean_of(&self.0, |part| part.alone().map(&value))
    }
}

#[derive(Clone, Copy)]
struct Evaluation {
    accuracy: f64,
    loss: f64,
}

impl Evaluation {
    fn stated(record: &MemberRecord, accuracy: &MetricName, loss: &MetricName) -> Option<Self> {
        let stated = &record.summary.as_ref()?.metrics;
        Some(Self { accuracy: *stated.get(accuracy)?, loss: *stated.get(loss)? })
    }
}

/// Evaluates the ensemble of `parts`; `None` if they hold different images or none.
fn evaluate(parts: &[Part<'_>], combine: Combine) -> Option<Evaluation> {
    let first = parts.first()?;
    let classes = first.logs.classes;
    if first.labels.iter().any(|&label| usize::from(label) >= classes) {
        return None;
    }
    let (mut correct, mut loss) = (0usize, 0.0);
    visit(parts, combine, |image, winner| {
        let label = usize::from(first.labels[image]);
        correct += usize::from(winner == label);
        loss += mixture_loss(parts.iter().map(|part| f64::from(part.row(image)[label])));
    })?;
    let images = first.labels.len() as f64;
    Some(Evaluation { accuracy: correct as f64 / images, loss: loss / images })
}

/// Tells `see` the index of every image and the class the ensemble gives it; `None` if the parts
/// hold different images or none.
fn visit(parts: &[Part<'_>], combine: Combine, mut see: impl FnMut(usize, usize)) -> Option<()> {
    let first = parts.first()?;
    let (labels, classes) = (first.labels, first.logs.classes);
    let same = |part: &Part<'_>| part.labels == labels && part.logs.classes == classes;
    if labels.is_empty() || classes == 0 || !parts.iter().all(same) {
        return None;
    }
    let mut ballot = Ballot::new(parts.len(), classes);
    for image in 0..labels.len() {
        ballot.clear();
        for part in parts {
            ballot.add(part.row(image));
        }
        see(image, ballot.winner(combine));
    }
    Some(())
}

#[cfg(test)]
#[path = "score_tests.rs"]
mod tests;
