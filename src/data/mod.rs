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

pub use augment::Augmenter;
pub use batches::{BatchSettings, Batches, Order};
pub(crate) use convert::{Conversion, Form};
pub(crate) use csv::csv_cell;
pub use dataset::{Dataset, ImageShape, Splits};
pub use error::{
    DataError, FetchError, LoadError, Location, MirrorFailure, SplitError, UnfitError,
};
pub(crate) use examine::examine;
pub(crate) use fetch::{FetchOptions, FetchProgress, fetch};
pub use folders::DataFolders;
pub(crate) use gallery::{GalleryImage, gallery};
pub use info::{ClassInfo, DatasetInfo, Geometry, Spread, Suggestion, info};
pub use input::{Input, InputSettings, read_input};
pub use load::load;
pub(crate) use load::no_images;
pub use note::Note;
pub use pixel_columns::{ColumnNames, PixelColumns};
pub(crate) use preview::{picture, preview};
pub(crate) use sources::{SourceInfo, SourcePlace, list};
pub use split::split;
