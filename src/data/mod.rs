//! Datasets, splits, augmentation and batches, in host memory only.
//!
//! Owns every byte between a file and a batch. Invariant: the same dataset, split settings and
//! seed path give the same images in the same order on every machine.

mod affine;
mod augment;
mod batches;
mod convert;
mod counter;
mod csv;
mod dataset;
mod digits;
mod error;
mod examine;
mod fetch;
mod files;
mod folders;
mod gallery;
mod idx;
mod images;
mod info;
mod input;
mod known;
mod letters;
mod load;
mod note;
mod paths;
mod pixel_columns;
mod pool;
mod preview;
mod reading;
mod rejects;
mod resample;
mod sources;
mod split;
mod synthetic;

pub use augment::{AugmentKey, Augmenter};
pub use batches::{BatchSettings, Batches, Order};
pub use convert::{Conversion, Form};
pub use csv::csv_cell;
pub use dataset::{Dataset, ImageShape, Splits};
pub use error::{
    DataError, FetchError, LoadError, Location, MirrorFailure, SplitError, UnfitError,
};
pub use examine::examine;
pub use fetch::{FetchOptions, FetchProgress, fetch};
pub use folders::DataFolders;
pub use gallery::{GalleryImage, gallery};
pub use info::{ClassInfo, DatasetInfo, Geometry, Spread, Suggestion, info};
pub use input::{Input, InputSettings, read_input};
pub use load::{MAX_SIDE, load, no_images, source_name};
pub use note::Note;
pub use pixel_columns::{ColumnNames, PixelColumns};
pub use preview::{picture, preview};
pub use sources::{SourceInfo, SourcePlace, list};
pub use split::split;
