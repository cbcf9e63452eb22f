//! The training loop, the same for every network and for packs of models.
//!
//! Owns epochs, evaluation, stop rules, divergence, time limits and resuming; knows nothing of
//! devices. Invariant: what one member gets (its images, masks, step sizes and evaluations)
//! depends on its job alone, so a pack gives each member what it would get by itself.

use std::ops::ControlFlow;
use std::time::Instant;

use rayon::iter::{IntoParallelRefMutIterator, ParallelIterator};
use rayon::{ThreadPool, ThreadPoolBuilder};

use super::feed::{By, Feed, evaluation_batches};
use super::member::{Ended, Member};
use super::network::{Network, StepInput, StepResult};
use super::weights::NamedTensor;
use super::{EngineError, EpochObserver, TrainJob, TrainOutput, evaluation};
use crate::data::Batches;
use crate::record::{EpochRecord, LogProbabilities};

/// Trains the members of a pack to their ends, one model of `network` a job.
///
/// Returns one result a job. An error of the network is everyone's.
///
/// # Panics
/// If the numbers of models, jobs and observers differ.
pub(super) fn train(
    network: &mut dyn Network,
    jobs: &[TrainJob<'_>],
    observers: &mut [&mut dyn EpochObserver],
) -> Vec<Result<TrainOutput, EngineError>> {
    assert_eq!(network.models(), jobs.len(), "one model a job");
    assert_eq!(observers.len(), jobs.len(), "one observer a job");
    let members = jobs
        .iter()
        .enumerate()
        .map(|(model, job)| Member::start(network, model, job))
        .collect::<Result<Vec<_>, _>>();
    let trained = members.and_then(|mut members| {
        run(network, &mut members, observers)?;
        Ok(members)
    });
    match trained {
        Ok(members) => members.into_iter().map(|member| Ok(member.into_output())).collect(),
        Err(error) if jobs.len() == 1 => vec![Err(error)],
        Err(error) => {
            let message = error.to_string();
            jobs.iter().map(|_| Err(EngineError::Device(message.clone()))).collect()
        }
    }
}

/// Returns the logarithms of the class probabilities of the images at `indices` under `weights`.
///
/// # Errors
/// If the weights are of another network or the device fails.
pub(super) fn predict_with(
    network: &mut dyn Network,
    job: &TrainJob<'_>,
    indices: &[u32],
    weights: &[NamedTensor],
) -> Result<LogProbabilities, EngineError> {
    network.load_weights(0, weights)?;
    let logits = predicted(network, job, indices)?;
    Ok(evaluation::log_probabilities(logits, job.dataset.classes.len()))
}

/// Returns the logits of the images at `indices`.
pub(super) fn predicted(
    network: &mut dyn Network,
    job: &TrainJob<'_>,
    indices: &[u32],
) -> Result<Vec<f32>, EngineError> {
    let (mut feed, mut batches) = (Feed::default(), evaluation_batches(job, indices));
    let mut logits = [Vec::new()];
    loop {
        let images = feed.advance(&mut batches, By::Pixel);
        if images == 0 {
            let [logits] = logits;
            return Ok(logits);
        }
        network.predict(&[&feed.pixels], images, &mut logits)?;
    }
}

fn run(
    network: &mut dyn Network,
    members: &mut [Member<'_>],
    observers: &mut [&mut dyn EpochObserver],
) -> Result<(), EngineError> {
    let holds = match members.first() {
        Some(first) => network.hold(first.job.dataset)?,
        None => false,
    };
    let mut lockstep = Lockstep::new(members.len(), holds);
    loop {
        let finishing: Vec<usize> =
            live(members).filter(|&index| members[index].stopping.is_finished()).collect();
        if !finishing.is_empty() {
            finish(network, members, &finishing, holds)?;
        }
        if live(members).next().is_none() {
            return Ok(());
        }
        let totals = lockstep.epoch(network, members)?;
        validate(network, members, &totals, holds)?;
        for (model, member) in members.iter_mut().enumerate() {
            if member.ended.is_some() {
                continue;
            }
            let record = member.records.last().expect("an epoch was recorded").clone();
            if member.stopping.observe(&record) {
                member.best = Some(network.weights(model));
            }
            let snapshot = member.snapshot(network, model);
            if let ControlFlow::Break(()) = observers[model].epoch(&record, &snapshot) {
                member.ended = Some(Ended::Interrupted);
            }
        }
    }
}

fn live<'a>(members: &'a [Member<'_>]) -> impl Iterator<Item = usize> + 'a {
    members.iter().enumerate().filter(|(_, member)| member.ended.is_none()).map(|(index, _)| index)
}

/// Sums over the steps of one epoch of one member.
#[derive(Debug, Clone, Copy, Default)]
struct Totals {
    loss_sum: f64,
    correct: u64,
    images: u64,
    learning_rate: f64,
    seconds: f64,
}

/// Buffers of one pack, used again in every epoch.
struct Lockstep {
    feeds: Vec<Feed>,
    results: Vec<StepResult>,
    /// Whether the network holds the images.
    holds: bool,
    /// Threads that vary images for a device while the thread that owns it waits.
    threads: Option<ThreadPool>,
}

/// Steps whose results have not been looked at.
#[derive(Clone, Copy, Default)]
struct Unread {
    steps: u64,
    images: usize,
}

impl Lockstep {
    fn new(models: usize, holds: bool) -> Self {
        Self {
            feeds: (0..models).map(|_| Feed::default()).collect(),
            results: vec![StepResult::default(); models],
            holds,
            // A CPU is busy with its trainings.
            threads: (holds && models > 1).then(|| ThreadPoolBuilder::new().build().ok()).flatten(),
        }
    }

    /// Takes the next batch of every live member, and returns how many images each has.
    fn advance(
        &mut self,
        streams: &mut [Option<Batches<'_>>],
        members: &[Member<'_>],
        by: By,
    ) -> Result<Option<usize>, EngineError> {
        let alive = members.iter().map(|member| member.ended.is_none());
        let mut work: Vec<_> = (streams.iter_mut().zip(&mut self.feeds).zip(alive))
            .filter_map(|((stream, feed), alive)| Some((stream.as_mut().filter(|_| alive)?, feed)))
            .collect();
        let next = |(stream, feed): &mut (&mut Batches<'_>, &mut Feed)| feed.advance(stream, by);
        let counts: Vec<usize> = match &self.threads {
            Some(threads) if by == By::Pixel => {
                threads.install(|| work.par_iter_mut().map(next).collect())
            }
            _ => work.iter_mut().map(next).collect(),
        };
        let mut counts = counts.into_iter();
        let first = counts.next();
        if counts.any(|count| Some(count) != first) {
            return Err(EngineError::Unsupported(
                "members of a pack need equally many training images".to_owned(),
            ));
        }
        Ok(first)
    }

    /// Trains every live member for one epoch. Members that have ended keep their index in the
    /// pack and are fed another's images; nobody looks at them again.
    fn epoch(
        &mut self,
        network: &mut dyn Network,
        members: &mut [Member<'_>],
    ) -> Result<Vec<Totals>, EngineError> {
        let begin = Instant::now();
        // Time spent for all is everyone's in equal parts, so that the sum over members is what
        // passed.
        let sharers = live(members).count().max(1) as f64;
        let mut totals = vec![Totals::default(); members.len()];
        let mut streams = Vec::with_capacity(members.len());
        for (index, member) in members.iter().enumerate() {
            totals[index].learning_rate = member.learning_rate();
            streams.push(member.ended.is_none().then(|| member.training_batches()));
        }
        let varies = streams.iter().flatten().any(Batches::varies);
        let by = if self.holds && !varies { By::Index } else { By::Pixel };
        let readings = network.steps_between_readings();
        let (mut step_in_epoch, mut unread) = (0u64, Unread::default());
        loop {
            let images = self.advance(&mut streams, members, by)?;
            let (Some(images @ 1..), Some(first)) = (images, live(members).next()) else { break };
            let inputs: Vec<StepInput<'_>> = (0..members.len())
                .map(|index| {
                    let source = if members[index].ended.is_none() { index } else { first };
                    let feed = &self.feeds[source];
                    StepInput {
                        pixels: &feed.pixels,
                        labels: &feed.labels,
                        indices: &feed.indices,
                        learning_rate: members[source].learning_rate(),
                        step: members[source].step,
                    }
                })
                .collect();
            network.train_step(&inputs, &mut self.results)?;
            step_in_epoch += 1;
            unread.steps += 1;
            unread.images += images;
            for member in members.iter_mut().filter(|member| member.ended.is_none()) {
                member.step += 1;
            }
            if unread.steps >= readings {
                let read = std::mem::take(&mut unread);
                let seconds = begin.elapsed().as_secs_f64() / sharers;
                self.account(network, members, &mut totals, read, (step_in_epoch, seconds))?;
            }
        }
        if unread.steps > 0 && live(members).next().is_some() {
            let seconds = begin.elapsed().as_secs_f64() / sharers;
            self.account(network, members, &mut totals, unread, (step_in_epoch, seconds))?;
        }
        if step_in_epoch == 0 {
            return Err(EngineError::Unsupported(
                "there are no training batches: fewer images than `train.batch-size` and \
                 `train.drop-last` is on, or no training images at all"
                    .to_owned(),
            ));
        }
        Ok(totals)
    }

    /// Adds what the unread steps gave to the sums of live members, and ends those whose loss is no
    /// longer reasonable or whose time is over.
    fn account(
        &mut self,
        network: &mut dyn Network,
        members: &mut [Member<'_>],
        totals: &mut [Totals],
        unread: Unread,
        (step_in_epoch, seconds): (u64, f64),
    ) -> Result<(), EngineError> {
        if network.steps_between_readings() > 1 {
            network.read(&mut self.results)?;
        }
        for ((member, total), result) in members.iter_mut().zip(totals).zip(&self.results) {
            if member.ended.is_some() {
                continue;
            }
            total.loss_sum += result.loss_sum;
            total.correct += u64::from(result.correct);
            total.images += unread.images as u64;
            total.seconds = seconds;
            member.check_step(result.loss_sum / unread.images as f64, step_in_epoch, seconds);
        }
        Ok(())
    }
}

/// Evaluates live members on their validation images and records the epoch.
fn validate(
    network: &mut dyn Network,
    members: &mut [Member<'_>],
    totals: &[Totals],
    holds: bool,
) -> Result<(), EngineError> {
    let indices: Vec<usize> = live(members).collect();
    if indices.iter().any(|&index| !members[index].job.splits.validation.is_empty()) {
        measure(network, members, holds)?;
    }
    let logits = predict(network, members, (&indices, holds), |m| &m.job.splits.validation[..])?;
    for (&index, logits) in indices.iter().zip(logits) {
        let (member, total) = (&mut members[index], &totals[index]);
        let labels = member.labels(&member.job.splits.validation);
        let validation =
            (!labels.is_empty()).then(|| evaluation::evaluate(&logits, member.classes(), &labels));
        let images = total.images.max(1) as f64;
        let record = EpochRecord {
            epoch: member.records.len() as u32 + 1,
            learning_rate: total.learning_rate,
            train_loss: total.loss_sum / images,
            train_accuracy: total.correct as f64 / images,
            validation_loss: validation.map(|v| v.loss),
            validation_accuracy: validation.map(|v| v.accuracy),
            train_seconds: total.seconds,
        };
        member.finish_epoch(record);
    }
    Ok(())
}

/// Evaluates members that have come to their end with the weights that count.
fn finish(
    network: &mut dyn Network,
    members: &mut [Member<'_>],
    indices: &[usize],
    holds: bool,
) -> Result<(), EngineError> {
    for &index in indices {
        if let (Some(best), crate::record::Selection::BestOnValidation) =
            (&members[index].best, members[index].stopping.selected().1)
        {
            network.load_weights(index, best)?;
        }
    }
    // With validation images the statistics are those of the last epoch, or of the best.
    if indices.iter().any(|&index| members[index].job.splits.validation.is_empty()) {
        measure(network, members, holds)?;
    }
    let asked = (indices, holds);
    let validation = predict(network, members, asked, |m| &m.job.splits.validation[..])?;
    let test = predict(network, members, asked, |m| &m.job.splits.test[..])?;
    for ((&index, validation), test) in indices.iter().zip(validation).zip(test) {
        let weights = network.weights(index);
        members[index].complete(network, &weights, validation, test);
    }
    Ok(())
}

/// Lets the network measure statistics on the training images of every live member, where it has
/// layers that evaluate by them.
fn measure(
    network: &mut dyn Network,
    members: &[Member<'_>],
    holds: bool,
) -> Result<(), EngineError> {
    if network.begin_measuring() {
        let indices: Vec<usize> = live(members).collect();
        predict(network, members, (&indices, holds), |m| &m.job.splits.train[..])?;
        network.end_measuring();
    }
    Ok(())
}

/// Returns the logits of the members `indices` on their images of one split. The rest of the
/// pack computes along on the first one's images.
fn predict(
    network: &mut dyn Network,
    members: &[Member<'_>],
    (indices, holds): (&[usize], bool),
    split: impl for<'a> Fn(&'a Member<'_>) -> &'a [u32],
) -> Result<Vec<Vec<f32>>, EngineError> {
    let Some(&first) = indices.first() else { return Ok(Vec::new()) };
    let models = members.len();
    let by = if holds { By::Index } else { By::Pixel };
    let mut logits: Vec<Vec<f32>> = vec![Vec::new(); models];
    let mut feeds: Vec<Feed> = (0..indices.len()).map(|_| Feed::default()).collect();
    let mut streams: Vec<_> = indices
        .iter()
        .map(|&index| members[index].evaluation_batches(split(&members[index])))
        .collect();
    loop {
        let mut images = 0;
        for (order, (feed, stream)) in feeds.iter_mut().zip(&mut streams).enumerate() {
            let count = feed.advance(stream, by);
            if order > 0 && count != images {
                return Err(EngineError::Unsupported(
                    "members of a pack need equally many images in every split".to_owned(),
                ));
            }
            images = count;
        }
        if images == 0 {
            break;
        }
        let feed_of = |index: usize| {
            let order = indices.iter().position(|&p| p == index);
            let order = order.or_else(|| indices.iter().position(|&p| p == first));
            &feeds[order.unwrap_or(0)]
        };
        if by == By::Index {
            let indices: Vec<&[u32]> =
                (0..models).map(|index| feed_of(index).indices.as_slice()).collect();
            network.predict_held(&indices, &mut logits)?;
        } else {
            let pixels: Vec<&[f32]> =
                (0..models).map(|index| feed_of(index).pixels.as_slice()).collect();
            network.predict(&pixels, images, &mut logits)?;
        }
    }
    Ok(indices.iter().map(|&index| std::mem::take(&mut logits[index])).collect())
}
