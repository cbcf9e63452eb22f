//! Batches of one epoch.

use super::augment::{AugmentKey, Augmenter, scale};
use super::counter::Counter;
use super::dataset::Dataset;
use crate::base::{SeedPath, Stream};

/// In which order images come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// As listed.
    Sequential,
    /// In a random order, another one every epoch.
    Shuffled,
}

/// How images are put into batches.
#[derive(Debug, Clone, Copy)]
pub struct BatchSettings<'a> {
    /// Images per batch; the last may have fewer.
    pub batch_size: usize,
    /// Whether a last, smaller batch is left out.
    pub drop_last: bool,
    /// In which order images come.
    pub order: Order,
    /// What varies the images; absent: nothing.
    pub augmenter: Option<&'a Augmenter>,
}

/// Goes once through a list of images, batch by batch.
///
/// What it yields depends on the seed path, the epoch and the arguments alone, so an epoch can be
/// repeated after a restart.
#[derive(Debug, Clone)]
pub struct Batches<'a> {
    dataset: &'a Dataset,
    order: Vec<u32>,
    batch_size: usize,
    next: usize,
    end: usize,
    augmenter: Option<Augmenter>,
    word: u64,
}

impl<'a> Batches<'a> {
    /// Starts epoch `epoch` (from 0) of the images at `indices`.
    ///
    /// # Panics
    /// If the batch size is 0, or an index is beyond the pool.
    #[must_use]
    pub fn new(
        dataset: &'a Dataset,
        indices: &[u32],
        settings: BatchSettings<'_>,
        seed_path: SeedPath,
        epoch: u64,
    ) -> Self {
        let BatchSettings { batch_size, drop_last, order, augmenter } = settings;
        assert!(batch_size > 0, "a batch holds at least one image");
        let mut indices = indices.to_vec();
        if order == Order::Shuffled {
            Counter::new(seed_path.word(Stream::Shuffle, epoch)).shuffle(&mut indices);
        }
        let end =
            if drop_last { indices.len() - indices.len() % batch_size } else { indices.len() };
        Self {
            dataset,
            order: indices,
            batch_size,
            next: 0,
            end,
            augmenter: augmenter.filter(|augmenter| !augmenter.changes_nothing()).cloned(),
            word: seed_path.word(Stream::Augment, epoch),
        }
    }

    /// Returns whether images are varied on their way.
    pub(crate) fn varies(&self) -> bool {
        self.augmenter.is_some()
    }

    /// Returns the pool indices of the next batch and goes past it; nothing is left at the end.
    pub(crate) fn next_indices(&mut self) -> &[u32] {
        let first = self.next;
        self.next = self.end.min(first.saturating_add(self.batch_size));
        &self.order[first..self.next]
    }

    /// Fills `pixels` (batch × height × width × channels, values from 0 to 1) and `labels` with the
    /// next batch and returns its number of images, or nothing at the end of the epoch.
    ///
    /// Allocates only where the two are too small.
    pub fn next_into(&mut self, pixels: &mut Vec<f32>, labels: &mut Vec<u16>) -> Option<usize> {
        let batch = &self.order[self.next..self.end.min(self.next.saturating_add(self.batch_size))];
        if batch.is_empty() {
            return None;
        }
        let size = self.dataset.shape.len();
        pixels.resize(batch.len() * size, 0.0);
        labels.clear();
        for (&index, out) in batch.iter().zip(pixels.chunks_exact_mut(size)) {
            let image = self.dataset.image(index as usize);
            labels.push(self.dataset.labels[index as usize]);
            if let Some(augmenter) = &mut self.augmenter {
                augmenter.augment(image, AugmentKey { word: self.word, image: index }, out);
            } else {
                scale(image, out);
            }
        }
        self.next += batch.len();
        Some(batch.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::Seed;
    use crate::data::ImageShape;
    use crate::experiment::settings::{
        AugmentSettings, Convention, Fill, ShiftSettings, ZoomSettings,
    };

    fn dataset(images: usize) -> Dataset {
        let shape = ImageShape { height: 2, width: 3, channels: 1 };
        let pixels = (0..images * 6).map(|at| (at * 7 % 256) as u8).collect();
        let labels = (0..images).map(|image| (image % 4) as u16).collect();
        let classes = ["a", "b", "c", "d"].map(str::to_owned).to_vec();
        Dataset::new("batches", shape, classes, pixels, labels, None)
    }

    fn settings(order: Order, drop_last: bool) -> BatchSettings<'static> {
        BatchSettings { batch_size: 4, drop_last, order, augmenter: None }
    }

    fn path(member: u32) -> SeedPath {
        SeedPath::member(Seed(1), 0, member)
    }

    fn all(mut batches: Batches<'_>) -> (Vec<usize>, Vec<f32>, Vec<u16>) {
        let (mut pixels, mut labels) = (Vec::new(), Vec::new());
        let (mut sizes, mut all_pixels, mut all_labels) = (Vec::new(), Vec::new(), Vec::new());
        while let Some(size) = batches.next_into(&mut pixels, &mut labels) {
            sizes.push(size);
            all_pixels.extend_from_slice(&pixels);
            all_labels.extend_from_slice(&labels);
        }
        (sizes, all_pixels, all_labels)
    }

    #[test]
    fn a_sequential_epoch_is_the_listed_images_divided_by_255() {
        let dataset = dataset(12);
        let indices = [1, 3, 4, 5, 7, 11];
        let batches =
            Batches::new(&dataset, &indices, settings(Order::Sequential, false), path(0), 0);
        let (sizes, pixels, labels) = all(batches);
        assert_eq!(sizes, [4, 2]);
        let expected: Vec<f32> = indices
            .iter()
            .flat_map(|&index| dataset.image(index as usize))
            .map(|&pixel| f32::from(pixel) / 255.0)
            .collect();
        assert_eq!(pixels, expected);
        assert_eq!(labels, [1, 3, 0, 1, 3, 3]);
    }

    #[test]
    fn a_shuffled_epoch_holds_every_image_once_in_an_order_of_its_own() {
        let dataset = dataset(50);
        let indices: Vec<u32> = (0..50).collect();
        let order = |member, epoch| {
            let settings = settings(Order::Shuffled, false);
            let mut batches = Batches::new(&dataset, &indices, settings, path(member), epoch);
            let mut order = Vec::new();
            while order.len() < indices.len() {
                order.extend_from_slice(batches.next_indices());
            }
            order
        };
        let first = order(0, 0);
        assert_eq!(first, order(0, 0));
        assert_ne!(first, order(0, 1));
        assert_ne!(first, order(1, 0));
        let mut sorted = first;
        sorted.sort_unstable();
        assert_eq!(sorted, indices);
    }

    #[test]
    fn a_last_smaller_batch_can_be_left_out() {
        let dataset = dataset(10);
        let indices: Vec<u32> = (0..10).collect();
        let batches = Batches::new(&dataset, &indices, settings(Order::Shuffled, true), path(0), 0);
        assert_eq!(all(batches).0, [4, 4]);
        let batches = Batches::new(&dataset, &[], settings(Order::Shuffled, false), path(0), 0);
        assert_eq!(all(batches).0, [0; 0]);
    }

    #[test]
    fn batches_by_index_name_the_images_of_batches_by_pixel() {
        let dataset = dataset(10);
        let indices: Vec<u32> = (0..10).collect();
        let start =
            || Batches::new(&dataset, &indices, settings(Order::Shuffled, false), path(3), 1);
        let (mut by_pixel, mut by_index) = (start(), start());
        let (mut pixels, mut labels) = (Vec::new(), Vec::new());
        while by_pixel.next_into(&mut pixels, &mut labels).is_some() {
            let named: Vec<u16> =
                by_index.next_indices().iter().map(|&at| dataset.labels[at as usize]).collect();
            assert_eq!(named, labels);
        }
        assert_eq!(by_index.next_indices(), [0; 0]);
        assert!(!by_index.varies());
    }

    #[test]
    fn the_same_memory_serves_every_batch() {
        let dataset = dataset(50);
        let indices: Vec<u32> = (0..50).collect();
        let settings = settings(Order::Shuffled, false);
        let mut batches = Batches::new(&dataset, &indices, settings, path(0), 0);
        let (mut pixels, mut labels) = (Vec::new(), Vec::new());
        batches.next_into(&mut pixels, &mut labels);
        let first = (pixels.as_ptr(), labels.as_ptr());
        while batches.next_into(&mut pixels, &mut labels).is_some() {
            assert_eq!(first, (pixels.as_ptr(), labels.as_ptr()));
        }
    }

    #[test]
    fn an_image_is_varied_alike_wherever_it_stands_in_the_epoch() {
        let dataset = dataset(8);
        let augment = AugmentSettings {
            rotation: 20.0,
            zoom: ZoomSettings { height: 0.1, width: 0.1, uniform: false },
            shift: ShiftSettings { width: 0.2, height: 0.2 },
            shear: 0.0,
            fill: Fill::Nearest,
            convention: Convention::KerasGenerator,
        };
        let augmenter = Augmenter::new(&augment, dataset.shape);
        let of = |indices: &[u32], epoch| {
            let settings =
                BatchSettings { augmenter: Some(&augmenter), ..settings(Order::Sequential, false) };
            all(Batches::new(&dataset, indices, settings, path(0), epoch)).1
        };
        let forward = of(&[2, 5], 0);
        let backward = of(&[5, 2], 0);
        assert_eq!(forward[..6], backward[6..]);
        assert_eq!(forward[6..], backward[..6]);
        assert_ne!(forward, of(&[2, 5], 1));
    }
}
