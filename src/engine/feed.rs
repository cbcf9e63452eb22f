//! Batches of one member on their way into a network.

use super::TrainJob;
use crate::base::Stream;
use rand::Rng;

/// The images of one epoch or one evaluation, batch by batch.
pub(super) struct Batches<'a> {
    job: &'a TrainJob<'a>,
    order: std::borrow::Cow<'a, [u32]>,
    at: usize,
}

impl<'a> Batches<'a> {
    /// Returns the shuffled batches of `epoch` (from 1).
    pub(super) fn training(job: &'a TrainJob<'a>, epoch: u32) -> Self {
        let mut order = job.splits.train.clone();
        let mut rng = job.seed_path.rng(Stream::Shuffle, u64::from(epoch));
        for place in (1..order.len()).rev() {
            order.swap(place, (rng.next_u64() % (place as u64 + 1)) as usize);
        }
        Self { job, order: order.into(), at: 0 }
    }

    /// Returns the images at `indices` in order.
    pub(super) fn evaluation(job: &'a TrainJob<'a>, indices: &'a [u32]) -> Self {
        Self { job, order: indices.into(), at: 0 }
    }

    fn next_into(&mut self, pixels: &mut Vec<f32>, labels: &mut Vec<u16>) -> Option<usize> {
        pixels.clear();
        labels.clear();
        let rest = &self.order[self.at..];
        let count = rest.len().min(self.job.settings.train.batch_size);
        for &index in &rest[..count] {
            pixels.extend(
                self.job.dataset.image(index as usize).iter().map(|&p| f32::from(p) / 255.0),
            );
            labels.push(self.job.dataset.labels[index as usize]);
        }
        self.at += count;
        (count > 0).then_some(count)
    }
}

/// Buffers for one batch.
#[derive(Debug, Default)]
pub(super) struct Feed {
    /// Pixels from 0 to 1, `images × height × width × channels`.
    pub(super) pixels: Vec<f32>,
    /// Class of every image.
    pub(super) labels: Vec<u16>,
}

impl Feed {
    /// Takes the next batch and returns its number of images, 0 after the last.
    pub(super) fn advance(&mut self, batches: &mut Batches<'_>) -> usize {
        batches.next_into(&mut self.pixels, &mut self.labels).unwrap_or(0)
    }
}
