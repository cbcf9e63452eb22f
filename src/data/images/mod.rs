//! Image files: found, decoded, made grey and brought to one size.

mod decode;
mod decoded;
mod fit;
mod folder;
mod format;
mod grey;
mod pictures;
mod pnm;
mod resize;
mod tiff;

pub(super) use fit::Fitter;
pub(super) use folder::{inner_folder, loose_images, read, read_named};
pub(super) use pictures::{Picture, Pictures};
pub(super) use resize::Resizer;
