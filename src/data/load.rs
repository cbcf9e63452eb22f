//! From dataset settings to a pool of images.

use std::path::Path;

use super::csv::Labelling;
use super::dataset::{Dataset, ImageShape};
use super::error::{DataError, LoadError};
use super::folders::DataFolders;
use super::images::Fitter;
use super::known::KnownSet;
use super::note::Note;
use super::pool::Pool;
use super::reading::Reading;
use super::{csv, digits, idx, images, synthetic};
use crate::base::Digest;
use crate::experiment::settings::{DatasetSettings, Source};

/// Largest side of an image; positions in it are counted in `f32` while augmenting.
pub(crate) const MAX_SIDE: usize = 2048;

/// Returns the short name of a source: in messages, reports and below a data folder.
pub(crate) fn source_name(source: &Source) -> &'static str {
    match source {
        Source::Digits => "digits",
        Source::Mnist => "mnist",
        Source::FashionMnist => "fashion-mnist",
        Source::Kmnist => "kmnist",
        Source::Idx { .. } => "idx",
        Source::Csv { .. } => "csv",
        Source::Folder { .. } => "folder",
        Source::Synthetic { .. } => "synthetic",
        Source::None => "none",
    }
}

/// Shape of the images where there are none.
const NO_SHAPE: ImageShape = ImageShape { height: 0, width: 0, channels: 1 };

/// Returns the checksum of [`Source::None`].
pub(crate) fn no_images() -> Digest {
    Dataset::new("", NO_SHAPE, Vec::new(), Vec::new(), Vec::new(), None).checksum
}

/// Reads all images of a source at the size the settings ask for.
///
/// Known sets are held against their published digests. `digits` at 28×28 are set like MNIST, and
/// synthetic images are made at any size; all others are resized bilinearly. `train-limit` and
/// `split` are left to [`super::split`].
///
/// # Errors
/// If a file is missing, unreadable, larger than the limits allow or not what it should be, or the
/// size cannot be had. With `skip-bad`, single bad images of tables and folders are left out and listed
/// instead. The error names the file, what was found and what was expected; [`DataError::hint`] says
/// what helps.
pub fn load(settings: &DatasetSettings, folders: &DataFolders) -> Result<Dataset, DataError> {
    let name = source_name(&settings.source);
    let mut reading = Reading::new(settings);
    let pool = read(folders, &mut reading)
        .and_then(|pool| sized(pool, name, &reading))
        .map_err(|error| error.of(name))?;
    if is_of_files(&settings.source) && settings.max_value.is_none() {
        reading.notes.extend(dark(&pool.pixels));
    }
    if reading.rejects.left_out() > 0 {
        reading.notes.push(Note::warning(format!(
            "{} of {} rows or images cannot be used and are left out (`dataset.skip-bad`)",
            reading.rejects.left_out(),
            reading.rejects.left_out() + pool.labels.len(),
        )));
    }
    let Pool { shape, classes, pixels, labels, test_from, columns } = pool;
    let dataset = Dataset::new(name, shape, classes, pixels, labels, test_from);
    let Reading { rejects, notes, .. } = reading;
    Ok(Dataset { skipped: rejects.into_list(), notes, columns, ..dataset })
}

fn is_of_files(source: &Source) -> bool {
    matches!(source, Source::Idx { .. } | Source::Csv { .. } | Source::Folder { .. })
}

/// Says so where all images are so dark that white must have been stored as something else.
fn dark(pixels: &[u8]) -> Option<Note> {
    const BRIGHT: u8 = 128;
    let brightest = *pixels.iter().max()?;
    (brightest < BRIGHT).then(|| {
        Note::warning(format!(
            "the brightest pixel of all images is {brightest} of 255; if white is stored as a \
             smaller value, say so with `dataset.max-value`"
        ))
    })
}

fn read(folders: &DataFolders, reading: &mut Reading<'_>) -> Result<Pool, LoadError> {
    let settings = reading.settings;
    let (image_size, limits) = (settings.image_size, &settings.limits);
    if image_size.is_some_and(|side| side == 0 || side > MAX_SIDE) {
        return Err(LoadError::Setting {
            key: "dataset.image-size",
            found: image_size.unwrap_or(0).to_string(),
            expected: format!("a side from 1 to {MAX_SIDE} pixels"),
        });
    }
    let known = |name: &str| {
        let set = KnownSet::named(name).expect("every named source is a known set");
        idx::read_known(set, folders, limits)
    };
    let resolved = |path: &Option<std::path::PathBuf>| {
        path.as_ref().map(|path| folders.resolve(path)).transpose()
    };
    match &settings.source {
        Source::Digits => Ok(digits::read(image_size)),
        Source::Mnist | Source::FashionMnist | Source::Kmnist => {
            known(source_name(&settings.source))
        }
        Source::Idx { path } => {
            let folder = folders.resolve(path)?;
            let mut pool = idx::read_folder(&folder, limits)?;
            brighten(&mut pool.pixels, &folder, settings.max_value)?;
            Ok(pool)
        }
        Source::Csv { path, test_path, label, label_kind, ignore_columns } => {
            let labelling = Labelling { label, kind: *label_kind, ignored: ignore_columns };
            let test = resolved(test_path)?;
            csv::read(&folders.resolve(path)?, test.as_deref(), labelling, reading)
        }
        Source::Folder { path, test_path } => {
            let test = resolved(test_path)?;
            images::read(&folders.resolve(path)?, test.as_deref(), reading)
        }
        Source::None => Ok(Pool::new(NO_SHAPE, Vec::new(), Vec::new(), Vec::new())),
        Source::Synthetic { images, classes } => {
            for (key, found) in [("dataset.images", *images), ("dataset.classes", *classes)] {
                if found == 0 {
                    let expected = "at least 1".to_owned();
                    return Err(LoadError::Setting { key, found: "0".to_owned(), expected });
                }
            }
            let side = image_size.unwrap_or(synthetic::SIDE);
            reading.check_room(Path::new("synthetic"), *images, side * side)?;
            Ok(synthetic::make(*images, *classes, image_size))
        }
    }
}

/// Scales pixels so that the value which is said to be white is white.
pub(super) fn brighten(
    pixels: &mut [u8],
    path: &Path,
    white: Option<u16>,
) -> Result<(), LoadError> {
    let Some(white) = white.and_then(|white| u8::try_from(white).ok()) else { return Ok(()) };
    let brightest = pixels.iter().copied().max().unwrap_or(0);
    if brightest > white {
        return Err(LoadError::content(
            path,
            format!("a value of {brightest}"),
            format!("at most {white}, which `dataset.max-value` says"),
        ));
    }
    let white = u32::from(white);
    for pixel in pixels {
        *pixel = ((255 * u32::from(*pixel) + white / 2) / white) as u8;
    }
    Ok(())
}

fn sized(mut pool: Pool, name: &str, reading: &Reading<'_>) -> Result<Pool, LoadError> {
    let ImageShape { height, width, channels } = pool.shape;
    let settings = reading.settings;
    let image_size = settings.image_size;
    if image_size.is_none() && height.max(width) > MAX_SIDE {
        return Err(LoadError::Setting {
            key: "dataset.image-size",
            found: "absent".to_owned(),
            expected: format!("at most {MAX_SIDE} for images stored at {height}×{width}"),
        });
    }
    let mut fitter = Fitter::new(settings);
    if !fitter.changes((height, width)) {
        return Ok(pool);
    }
    let (rows, columns) = fitter.shape_of((height, width));
    reading.check_room(Path::new(name), pool.labels.len(), rows * columns)?;
    let mut pixels = Vec::with_capacity(pool.labels.len() * rows * columns);
    for image in pool.pixels.chunks_exact(pool.shape.len()) {
        fitter.append(image, (height, width), &mut pixels).map_err(|_| LoadError::Setting {
            key: "dataset.image-fit",
            found: "absent".to_owned(),
            expected: format!(
                "`\"pad\"` or `\"stretch\"` for images that are not square but {height}×{width}"
            ),
        })?;
    }
    pool.pixels = pixels;
    pool.shape = ImageShape { height: rows, width: columns, channels };
    Ok(pool)
}

#[cfg(test)]
mod tests;
