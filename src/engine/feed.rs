//! Batches of one member on their way into a network.

use super::TrainJob;
use crate::data::{Augmenter, BatchSettings, Batches, Order};

/// Returns the shuffled and varied batches of `epoch`, from 0.
pub(super) fn training_batches<'a>(job: &TrainJob<'a>, epoch: u64) -> Batches<'a> {
    let augmenter = Augmenter::new(&job.settings.augment, job.dataset.shape);
    let settings = BatchSettings {
        batch_size: job.settings.train.batch_size,
        drop_last: job.settings.train.drop_last,
        order: Order::Shuffled,
        augmenter: Some(&augmenter),
    };
    Batches::new(job.dataset, &job.splits.train, settings, job.seed_path, epoch)
}

/// Returns the images at `indices` as they are, in order.
pub(super) fn evaluation_batches<'a>(job: &TrainJob<'a>, indices: &[u32]) -> Batches<'a> {
    let settings = BatchSettings {
        batch_size: job.settings.train.batch_size,
        drop_last: false,
        order: Order::Sequential,
        augmenter: None,
    };
    Batches::new(job.dataset, indices, settings, job.seed_path, 0)
}

/// Buffers for one batch.
#[derive(Debug, Default)]
pub(super) struct Feed {
    /// Pixels from 0 to 1, `images × height × width × channels`.
    pub(super) pixels: Vec<f32>,
    /// Class of every image.
    pub(super) labels: Vec<u16>,
    /// Indices of the images in the dataset, where the network holds it.
    pub(super) indices: Vec<u32>,
}

/// How a network is told of images.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum By {
    /// Pixels and labels.
    Pixel,
    /// Indices in the dataset it holds.
    Index,
}

impl Feed {
    /// Takes the next batch and returns its number of images, 0 after the last.
    pub(super) fn advance(&mut self, batches: &mut Batches<'_>, by: By) -> usize {
        self.indices.clear();
        if by == By::Pixel {
            return batches.next_into(&mut self.pixels, &mut self.labels).unwrap_or(0);
        }
        self.pixels.clear();
        self.labels.clear();
        self.indices.extend_from_slice(batches.next_indices());
        self.indices.len()
    }
}
