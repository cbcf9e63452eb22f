//! Datasets, splits, augmentation and batches, in host memory only.
//!
//! Owns every byte between a file and a batch. Invariant: the same dataset, split settings and
//! seed path give the same images in the same order on every machine.

mod dataset;

pub use dataset::{Dataset, ImageShape, Splits};
