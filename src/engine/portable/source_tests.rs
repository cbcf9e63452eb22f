//! A network that makes its inputs by itself against one that is sent everything.

use dfdx::tensor::{Cpu, CpuError, TensorFromVec};

use super::super::super::network::{Network, StepInput, StepResult};
use super::super::super::testing::{Silent, every_layer, job, quarters, settings, splits};
use super::super::super::{EpochObserver, TrainJob, TrainOutput, training};
use super::super::PortableNetwork;
use super::*;
use crate::experiment::settings::Settings;
use crate::record::Outcome;

/// A source on the CPU, from the host's own routines.
#[derive(Default)]
struct HostSource {
    device: Cpu,
    held: Option<(Vec<f32>, Vec<u16>, usize)>,
    times_held: usize,
}

impl HostSource {
    fn chosen<T: Copy>(values: &[T], size: usize, indices: &[u32]) -> Vec<T> {
        indices.iter().flat_map(|&at| values[at as usize * size..][..size].to_vec()).collect()
    }
}

impl Source<Cpu> for HostSource {
    fn hold(&mut self, dataset: &Dataset) -> Result<(), EngineError> {
        let pixels = dataset.pixels.iter().map(|&pixel| f32::from(pixel) / 255.0).collect();
        self.held = Some((pixels, dataset.labels.clone(), dataset.shape.len()));
        self.times_held += 1;
        assert_eq!(self.times_held, 1, "images are brought once a training");
        Ok(())
    }

    fn pixels(&mut self, indices: &[&[u32]], input: Volume) -> Result<Packed<Cpu>, CpuError> {
        let (pixels, _, size) = self.held.as_ref().unwrap();
        let chosen: Vec<Vec<f32>> =
            indices.iter().map(|indices| Self::chosen(pixels, *size, indices)).collect();
        let chosen: Vec<&[f32]> = chosen.iter().map(Vec::as_slice).collect();
        let images = indices[0].len();
        let packed = packed_pixels(&chosen, input, images);
        self.device.try_tensor_from_vec(packed, (indices.len(), *size, images))
    }

    fn sent(
        &mut self,
        pixels: &[&[f32]],
        input: Volume,
        images: usize,
    ) -> Result<Packed<Cpu>, CpuError> {
        let packed = packed_pixels(pixels, input, images);
        self.device.try_tensor_from_vec(packed, (pixels.len(), input.features(), images))
    }

    fn targets(&mut self, indices: &[&[u32]], classes: usize) -> Result<Packed<Cpu>, CpuError> {
        let (_, labels, _) = self.held.as_ref().unwrap();
        let chosen: Vec<Vec<u16>> =
            indices.iter().map(|indices| Self::chosen(labels, 1, indices)).collect();
        let images = indices[0].len();
        let chosen: Vec<&[u16]> = chosen.iter().map(Vec::as_slice).collect();
        let targets = packed_targets(&chosen, classes, images);
        self.device.try_tensor_from_vec(targets, (indices.len(), classes, images))
    }

    fn sent_targets(&mut self, labels: &[&[u16]], classes: usize) -> Result<Packed<Cpu>, CpuError> {
        let images = labels[0].len();
        let targets = packed_targets(labels, classes, images);
        self.device.try_tensor_from_vec(targets, (labels.len(), classes, images))
    }

    fn masks(
        &mut self,
        _: usize,
        masks: &[DropoutMask],
        input: Volume,
        images: usize,
    ) -> Result<Packed<Cpu>, CpuError> {
        let packed = packed_masks(masks, input, images);
        self.device.try_tensor_from_vec(packed, (masks.len(), input.features(), images))
    }
}

/// Trains three members in a pack.
fn trained(settings: &Settings, by_itself: bool) -> Vec<TrainOutput> {
    let (dataset, splits) = (quarters(100), splits(100));
    let jobs: Vec<TrainJob<'_>> =
        (0..3).map(|member| job(settings, &dataset, &splits, member)).collect();
    let mut network = PortableNetwork::of_jobs(Cpu::default(), &jobs).unwrap();
    if by_itself {
        network = network.with_source(Box::new(HostSource::default()));
    }
    let (mut a, mut b, mut c) = (Silent, Silent, Silent);
    let observers: &mut [&mut dyn EpochObserver] = &mut [&mut a, &mut b, &mut c];
    let outputs = training::train(&mut network, &jobs, observers);
    outputs.into_iter().map(Result::unwrap).collect()
}

#[test]
fn a_network_that_makes_its_inputs_trains_as_one_that_is_sent_them() {
    for rotation in [0.0, 10.0] {
        let mut settings = settings(every_layer());
        settings.train.epochs = 3;
        settings.augment.rotation = rotation;
        for (ours, theirs) in trained(&settings, true).iter().zip(trained(&settings, false)) {
            assert_eq!(ours.weights, theirs.weights, "rotation {rotation}");
            assert_eq!(ours.predictions, theirs.predictions, "rotation {rotation}");
            for (ours, theirs) in ours.epochs.iter().zip(&theirs.epochs) {
                // Sums of 32-bit floats against 64-bit ones.
                assert!((ours.train_loss - theirs.train_loss).abs() < 1e-6 * theirs.train_loss);
                assert!((ours.train_accuracy - theirs.train_accuracy).abs() < 1e-12);
            }
        }
    }
}

#[test]
fn divergence_is_noticed_where_losses_are_read_once_in_many_steps() {
    let mut settings = settings(every_layer());
    settings.train.learning_rate.initial = 1e30;
    for output in trained(&settings, true) {
        assert_eq!(output.outcome, Outcome::Diverged);
        // 60 images in batches of 16: the epoch ends before the fiftieth step.
        assert!(output.reason.unwrap().ends_with("in epoch 1, step 4"));
    }
}

#[test]
fn results_are_sums_over_the_steps_since_they_were_read() {
    let settings = settings(every_layer());
    let (dataset, splits) = (quarters(100), splits(100));
    let jobs = [job(&settings, &dataset, &splits, 0)];
    let mut network = PortableNetwork::of_jobs(Cpu::default(), &jobs)
        .unwrap()
        .with_source(Box::new(HostSource::default()));
    assert!(network.hold(&dataset).unwrap());
    assert!(network.steps_between_readings() > 1);
    let indices: Vec<u32> = (0..16).collect();
    let read = |network: &mut PortableNetwork<Cpu>, steps: std::ops::Range<u64>| {
        let mut results = [StepResult::default()];
        for step in steps {
            // Steps of no size, so that every step sees the same weights.
            let input =
                StepInput { indices: &indices, learning_rate: 0.0, step, ..StepInput::default() };
            network.train_step(&[input], &mut results).unwrap();
        }
        network.read(&mut results).unwrap();
        results[0]
    };
    let (first, second) = (read(&mut network, 0..1), read(&mut network, 1..2));
    let both = read(&mut network, 0..2);
    assert!((both.loss_sum - first.loss_sum - second.loss_sum).abs() < 1e-4);
    assert_eq!(both.correct, first.correct + second.correct);
    assert_eq!(read(&mut network, 0..0), StepResult::default());
}
