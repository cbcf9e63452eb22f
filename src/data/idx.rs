//! IDX files, plain or gzipped: MNIST and everything that is stored like it.
//!
//! Format (LeCun): big-endian magic `0 0 8 d` for `d` dimensions of unsigned bytes, `d` sizes of 32
//! bits, then the bytes. Here `d` is 3 for images and 1 for labels.

use std::collections::BTreeSet;
use std::path::Path;

use super::csv::classes_listed;
use super::dataset::ImageShape;
use super::error::LoadError;
use super::files::{self, Stored};
use super::folders::{DataFolders, stored_as};
use super::known::{IDX_FILES, KnownFile, KnownSet, Pin, SIDE};
use super::pool::Pool;
use crate::base::digest_of;
use crate::experiment::settings::LimitSettings;

/// Reads the four files of a known set and holds them against its pins.
pub(super) fn read_known(
    set: &KnownSet,
    folders: &DataFolders,
    limits: &LimitSettings,
) -> Result<Pool, LoadError> {
    let folder = folders.folder_with(&set.folders, IDX_FILES[0])?;
    let read = |images: KnownFile, labels: KnownFile| -> Result<Part, LoadError> {
        let stored =
            [read_file(&folder, images.name, limits)?, read_file(&folder, labels.name, limits)?];
        let shape = ImageShape { height: SIDE, width: SIDE, channels: 1 };
        let part = Part::parse(&stored[0], &stored[1])?;
        if part.shape != shape {
            return Err(LoadError::content(
                &stored[0].path,
                format!("images of {}×{} pixels", part.shape.height, part.shape.width),
                format!("{SIDE}×{SIDE}"),
            ));
        }
        for (stored, file) in stored.iter().zip([images, labels]) {
            check_count(stored, part.labels.len(), file.images)?;
            check_pin(stored, file.pin)?;
        }
        let known: Vec<u8> = (0..set.classes.len() as u8).collect();
        check_labels(&stored[1].path, &part.labels, &known)?;
        Ok(part)
    };
    let [train_images, train_labels, test_images, test_labels] = set.files;
    let train = read(train_images, train_labels)?;
    let test = read(test_images, test_labels)?;
    let classes = set.classes.iter().map(|&name| name.to_owned()).collect();
    let labels: Vec<u8> = (0..set.classes.len() as u8).collect();
    Ok(train.followed_by(Some(test), &labels, classes))
}

/// Returns whether the test labels in `folder`, the smallest of the files, are those of `set`.
pub(super) fn is_in(set: &KnownSet, folder: &Path) -> bool {
    let file = set.files[3];
    let limits = LimitSettings::default();
    read_file(folder, file.name, &limits).is_ok_and(|stored| check_pin(&stored, file.pin).is_ok())
}

/// Reads `train-…` and, where they are there, `t10k-…` files of any image size.
///
/// Classes are the labels there are in the training file.
pub(super) fn read_folder(folder: &Path, limits: &LimitSettings) -> Result<Pool, LoadError> {
    let read = |file: &str| read_file(folder, file, limits);
    let stored = [read(IDX_FILES[0])?, read(IDX_FILES[1])?];
    let train = Part::parse(&stored[0], &stored[1])?;
    let labels: BTreeSet<u8> = train.labels.iter().copied().collect();
    let labels: Vec<u8> = labels.into_iter().collect();
    let mut test = None;
    if IDX_FILES[2..].iter().any(|file| stored_as(folder, file).is_some()) {
        let stored = [read(IDX_FILES[2])?, read(IDX_FILES[3])?];
        let part = Part::parse(&stored[0], &stored[1])?;
        if part.shape != train.shape {
            return Err(LoadError::content(
                &stored[0].path,
                format!("images of {}×{} pixels", part.shape.height, part.shape.width),
                format!("{}×{}, as in the training file", train.shape.height, train.shape.width),
            ));
        }
        check_labels(&stored[1].path, &part.labels, &labels)?;
        test = Some(part);
    }
    let classes = labels.iter().map(ToString::to_string).collect();
    Ok(train.followed_by(test, &labels, classes))
}

/// Images and labels of one pair of files.
struct Part {
    shape: ImageShape,
    pixels: Vec<u8>,
    labels: Vec<u8>,
}

impl Part {
    fn parse(images: &Stored, labels: &Stored) -> Result<Self, LoadError> {
        let [count, height, width] = sizes::<3>(images, "images")?;
        let [label_count] = sizes::<1>(labels, "labels")?;
        if count != label_count {
            return Err(LoadError::content(
                &labels.path,
                format!("{label_count} labels"),
                format!("{count}, one per image of `{}`", images.path.display()),
            ));
        }
        if count == 0 || height == 0 || width == 0 {
            return Err(LoadError::content(
                &images.path,
                format!("{count} images of {height}×{width} pixels"),
                "at least one image of at least one pixel",
            ));
        }
        Ok(Self {
            shape: ImageShape { height, width, channels: 1 },
            pixels: images.content[16..].to_vec(),
            labels: labels.content[8..].to_vec(),
        })
    }

    /// Returns the images of both files; `known` are the labels of the classes, in their order.
    fn followed_by(mut self, test: Option<Self>, known: &[u8], classes: Vec<String>) -> Pool {
        let train_images = self.labels.len();
        let test_from = test.map(|test| {
            self.pixels.extend_from_slice(&test.pixels);
            self.labels.extend_from_slice(&test.labels);
            train_images
        });
        let index = |label: u8| known.iter().position(|&one| one == label).unwrap_or(0) as u16;
        let labels = self.labels.into_iter().map(index).collect();
        Pool { test_from, ..Pool::new(self.shape, classes, self.pixels, labels) }
    }
}

/// Checks the header against the length of the file and returns the sizes in it.
fn sizes<const D: usize>(stored: &Stored, what: &str) -> Result<[usize; D], LoadError> {
    let content = &stored.content;
    let header = 4 + 4 * D;
    if content.len() < header {
        return Err(LoadError::content(
            &stored.path,
            format!("{} bytes", content.len()),
            format!("an IDX header of {header} bytes"),
        ));
    }
    let word = |index: usize| {
        let bytes = content[4 * index..][..4].try_into().expect("four bytes");
        u32::from_be_bytes(bytes)
    };
    let magic = 0x0800 + D as u32;
    if word(0) != magic {
        return Err(LoadError::content(
            &stored.path,
            format!("magic number 0x{:08x}", word(0)),
            format!("0x{magic:08x}, that of IDX {what}"),
        ));
    }
    let sizes: [usize; D] = std::array::from_fn(|dimension| word(1 + dimension) as usize);
    let expected = sizes.iter().try_fold(1_usize, |size, &factor| size.checked_mul(factor));
    let expected = expected.and_then(|size| size.checked_add(header));
    if expected != Some(content.len()) {
        let expected = expected.map_or("fewer".to_owned(), |size| format!("{size}"));
        return Err(LoadError::content(
            &stored.path,
            format!("{} bytes", content.len()),
            format!("{expected} for the {} {what} its header announces", sizes[0]),
        ));
    }
    Ok(sizes)
}

fn check_count(stored: &Stored, found: usize, expected: usize) -> Result<(), LoadError> {
    if found == expected {
        return Ok(());
    }
    Err(LoadError::content(&stored.path, format!("{found} images"), expected.to_string()))
}

fn check_labels(path: &Path, labels: &[u8], known: &[u8]) -> Result<(), LoadError> {
    let Some(position) = labels.iter().position(|label| !known.contains(label)) else {
        return Ok(());
    };
    let names: Vec<String> = known.iter().map(ToString::to_string).collect();
    Err(LoadError::content(
        path,
        format!("label {} for image {position}", labels[position]),
        format!("labels of the training file: {}", classes_listed(&names)),
    ))
}

fn check_pin(stored: &Stored, pin: Pin) -> Result<(), LoadError> {
    let (found, form) = match (pin, &stored.packed) {
        (Pin::Unpacked(_), _) => (digest_of(&stored.content), "once unpacked"),
        (Pin::Packed(_), Some(packed)) => (digest_of(packed), "as packed"),
        (Pin::Packed(_), None) => return Ok(()),
    };
    if found == pin.digest() {
        return Ok(());
    }
    Err(LoadError::content(
        &stored.path,
        format!("SHA-256 {found} {form}"),
        format!("{} of the published file", pin.digest()),
    ))
}

/// Reads one file of images without labels.
pub(super) fn read_images(
    path: &Path,
    limits: &LimitSettings,
) -> Result<(ImageShape, Vec<u8>), LoadError> {
    let stored = files::read_stored(path.to_owned(), limits)?;
    let [count, height, width] = sizes::<3>(&stored, "images")?;
    if count == 0 || height == 0 || width == 0 {
        return Err(LoadError::content(
            path,
            format!("{count} images of {height}×{width} pixels"),
            "at least one image of at least one pixel",
        ));
    }
    Ok((ImageShape { height, width, channels: 1 }, stored.content[16..].to_vec()))
}

fn read_file(folder: &Path, file: &str, limits: &LimitSettings) -> Result<Stored, LoadError> {
    let path = stored_as(folder, file).ok_or_else(|| LoadError::Missing {
        file: format!("{file}` or `{file}.gz"),
        searched: vec![folder.to_owned()],
    })?;
    files::read_stored(path, limits)
}
