//! From dataset settings to a pool of images.

use super::dataset::{Dataset, ImageShape};
use super::error::{DataError, LoadError};
use super::folders::DataFolders;
use super::known::KnownSet;
use super::resize::Resizer;
use super::skipping::Skipping;
use super::{csv_file, digits, idx, png_folder, synthetic};
use crate::spec::settings::{DatasetSettings, Source};

/// Largest side of an image; positions in it are counted in `f32` while augmenting.
pub const MAX_SIDE: usize = 2048;

/// Images as a source gives them.
pub(super) struct Pool {
    pub(super) shape: ImageShape,
    pub(super) classes: Vec<String>,
    pub(super) pixels: Vec<u8>,
    pub(super) labels: Vec<u16>,
    pub(super) test_from: Option<usize>,
}

/// Returns the short name of a source: in messages, reports and below a data folder.
#[must_use]
pub fn source_name(source: &Source) -> &'static str {
    match source {
        Source::Digits => "digits",
        Source::Mnist => "mnist",
        Source::FashionMnist => "fashion-mnist",
        Source::Kmnist => "kmnist",
        Source::Idx { .. } => "idx",
        Source::Csv { .. } => "csv",
        Source::Folder { .. } => "folder",
        Source::Synthetic { .. } => "synthetic",
    }
}

/// Reads all images of a source at the size the settings ask for.
///
/// Known sets are held against their published digests. `digits` at 28×28 are set like MNIST, and
/// synthetic images are made at any size; all others are resized bilinearly. `train-limit` and
/// `split` are left to [`super::split`].
///
/// # Errors
/// If a file is missing, unreadable or not what it should be, or the size cannot be had. With
/// `skip-bad`, single bad images of tables and folders are left out and listed instead. The error
/// names the file, what was found and what was expected; [`DataError::hint`] says what helps.
pub fn load(settings: &DatasetSettings, folders: &DataFolders) -> Result<Dataset, DataError> {
    let name = source_name(&settings.source);
    let mut skipping = Skipping::new(settings.skip_bad);
    read(&settings.source, settings.image_size, folders, &mut skipping)
        .and_then(|pool| sized(pool, settings.image_size))
        .map(|pool| {
            let Pool { shape, classes, pixels, labels, test_from } = pool;
            let dataset = Dataset::new(name, shape, classes, pixels, labels, test_from);
            Dataset { skipped: skipping.into_list(), ..dataset }
        })
        .map_err(|error| error.of(name))
}

fn read(
    source: &Source,
    image_size: Option<usize>,
    folders: &DataFolders,
    skipping: &mut Skipping,
) -> Result<Pool, LoadError> {
    if image_size == Some(0) || image_size.is_some_and(|side| side > MAX_SIDE) {
        return Err(LoadError::Setting {
            key: "dataset.image-size",
            found: image_size.unwrap_or(0).to_string(),
            expected: format!("a side from 1 to {MAX_SIDE} pixels"),
        });
    }
    let known = |name: &str| {
        let set = KnownSet::named(name).expect("every named source is a known set");
        idx::read_known(set, folders)
    };
    match source {
        Source::Digits => Ok(digits::read(image_size)),
        Source::Mnist | Source::FashionMnist | Source::Kmnist => known(source_name(source)),
        Source::Idx { path } => idx::read_folder(&folders.resolve(path)?),
        Source::Csv { path, test_path, label } => {
            let test = test_path.as_ref().map(|path| folders.resolve(path)).transpose()?;
            csv_file::read(&folders.resolve(path)?, test.as_deref(), label, skipping)
        }
        Source::Folder { path, test_path } => {
            let test = test_path.as_ref().map(|path| folders.resolve(path)).transpose()?;
            png_folder::read(&folders.resolve(path)?, test.as_deref(), skipping)
        }
        Source::Synthetic { images, classes } => {
            for (key, found) in [("dataset.images", *images), ("dataset.classes", *classes)] {
                if found == 0 {
                    let expected = "at least 1".to_owned();
                    return Err(LoadError::Setting { key, found: "0".to_owned(), expected });
                }
            }
            Ok(synthetic::make(*images, *classes, image_size))
        }
    }
}

fn sized(mut pool: Pool, image_size: Option<usize>) -> Result<Pool, LoadError> {
    let ImageShape { height, width, channels } = pool.shape;
    let side = image_size.unwrap_or(height.max(width));
    if side > MAX_SIDE || (image_size.is_some() && height != width) {
        return Err(LoadError::Setting {
            key: "dataset.image-size",
            found: image_size.map_or("absent".to_owned(), |side| side.to_string()),
            expected: if height == width {
                format!("at most {MAX_SIDE} for images stored at {height}×{width}")
            } else {
                format!("none for images that are not square but {height}×{width}")
            },
        });
    }
    if image_size.is_some() && side != height {
        let mut resizer = Resizer::new((height, width), (side, side));
        let mut pixels = Vec::with_capacity(pool.labels.len() * side * side);
        for image in pool.pixels.chunks_exact(pool.shape.len()) {
            resizer.append(image, &mut pixels);
        }
        pool.pixels = pixels;
        pool.shape = ImageShape { height: side, width: side, channels };
    }
    Ok(pool)
}

#[cfg(test)]
mod tests;
