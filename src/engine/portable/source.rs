//! What a device makes for its steps by itself, so that the host sends numbers of images and keys
//! of masks instead of pixels and masks.
//!
//! A device without a source gets everything from the host; both ways give the same values, to the
//! bit.

use super::super::EngineError;
use super::super::dropout::DropoutMask;
use super::super::geometry::Volume;
use super::ops::{Backend, Packed};
use crate::data::Dataset;

/// Makes inputs of steps on a device.
pub(crate) trait Source<D: Backend> {
    /// Brings the images and labels of a dataset to the device, unless they are there.
    fn hold(&mut self, dataset: &Dataset) -> Result<(), EngineError>;

    /// Returns pixels from 0 to 1 of the held images of these indices, one list a model.
    fn pixels(&mut self, indices: &[&[u32]], input: Volume) -> Result<Packed<D>, D::Err>;

    /// Returns the packed form of pixels from the host, `images × height × width × channels` a model.
    fn sent(
        &mut self,
        pixels: &[&[f32]],
        input: Volume,
        images: usize,
    ) -> Result<Packed<D>, D::Err>;

    /// Returns 1 at the class of every image, else 0.
    fn targets(&mut self, indices: &[&[u32]], classes: usize) -> Result<Packed<D>, D::Err>;

    /// Returns the same for images whose labels the host sends, one list a model.
    fn sent_targets(&mut self, labels: &[&[u16]], classes: usize) -> Result<Packed<D>, D::Err>;

    /// Returns the masks of dropout layer `layer`, one mask a model, for `images` images.
    fn masks(
        &mut self,
        layer: usize,
        masks: &[DropoutMask],
        input: Volume,
        images: usize,
    ) -> Result<Packed<D>, D::Err>;
}

/// Brings `images × height × width × channels` pixels of every model into packed layout.
pub(super) fn packed_pixels(pixels: &[&[f32]], input: Volume, images: usize) -> Vec<f32> {
    let Volume { channels, height, width } = input;
    let features = input.features();
    let mut packed = Vec::with_capacity(pixels.len() * features * images);
    for model in pixels {
        for channel in 0..channels {
            for position in 0..height * width {
                let first = position * channels + channel;
                packed.extend((0..images).map(|image| model[image * features + first]));
            }
        }
    }
    packed
}

/// Makes 1 at the class of every image, else 0, in packed layout.
pub(super) fn packed_targets(labels: &[&[u16]], classes: usize, images: usize) -> Vec<f32> {
    let mut targets = vec![0.0; labels.len() * classes * images];
    for (model, labels) in labels.iter().enumerate() {
        for (image, &label) in labels.iter().enumerate() {
            targets[(model * classes + usize::from(label)) * images + image] = 1.0;
        }
    }
    targets
}

/// Makes masks in packed layout; their hash counts features in row, column, channel order.
pub(super) fn packed_masks(masks: &[DropoutMask], input: Volume, images: usize) -> Vec<f32> {
    let features = input.features() as u64;
    let mut packed = Vec::with_capacity(masks.len() * input.features() * images);
    for mask in masks {
        for channel in 0..input.channels {
            for position in 0..input.positions() {
                let feature = (position * input.channels + channel) as u64;
                packed.extend((0..images as u64).map(|i| mask.factor(i * features + feature)));
            }
        }
    }
    packed
}

#[cfg(test)]
#[path = "source_tests.rs"]
mod tests;
