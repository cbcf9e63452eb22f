//! Datasets, splits, augmentation and batches, in host memory only.
//!
//! Owns every byte between a file and a batch. Invariant: the same dataset, split settings and
//! seed path give the same images in the same order on every machine.

mod counter;
mod csv_file;
mod dataset;
mod digits;
mod error;
mod folders;
mod idx;
mod known;
mod load;
mod png_folder;
mod resize;
mod split;
mod synthetic;

pub use dataset::{Dataset, ImageShape, Splits};
pub use error::{DataError, FetchError, LoadError, MirrorFailure, Place, SplitError};
pub use folders::DataFolders;
pub use load::{MAX_SIDE, load, source_name};
pub use split::split;
