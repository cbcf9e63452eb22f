//! IDX files, plain or gzipped: MNIST and everything that is stored like it.
//!
//! Format (LeCun): big-endian magic `0 0 8 d` for `d` dimensions of unsigned bytes, `d` sizes of 32
//! bits, then the bytes. Here `d` is 3 for images and 1 for labels.

use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use flate2::bufread::GzDecoder;

use super::dataset::ImageShape;
use super::error::LoadError;
use super::folders::{DataFolders, stored_as};
use super::known::{IDX_FILES, KnownFile, KnownSet, Pin, SIDE};
use super::load::Pool;
use crate::base::digest_of;

/// A file in memory, with its packed form where it has one.
struct Stored {
    path: PathBuf,
    packed: Option<Vec<u8>>,
    content: Vec<u8>,
}

/// Reads the four files of a known set and holds them against its pins.
pub(super) fn read_known(set: &KnownSet, folders: &DataFolders) -> Result<Pool, LoadError> {
    let folder = folders.folder_with(&set.folders, IDX_FILES[0])?;
    let read = |images: KnownFile, labels: KnownFile| -> Result<Part, LoadError> {
        let stored = [read_file(&folder, images.name)?, read_file(&folder, labels.name)?];
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
        check_labels(&stored[1].path, &part.labels, set.classes.len())?;
        Ok(part)
    };
    let [train_images, train_labels, test_images, test_labels] = set.files;
    let train = read(train_images, train_labels)?;
    let test = read(test_images, test_labels)?;
    let classes = set.classes.iter().map(|&name| name.to_owned()).collect();
    Ok(train.followed_by(Some(test), classes))
}

/// Returns whether the test labels in `folder`, the smallest of the files, are those of `set`.
pub(super) fn is_in(set: &KnownSet, folder: &Path) -> bool {
    let file = set.files[3];
    read_file(folder, file.name).is_ok_and(|stored| check_pin(&stored, file.pin).is_ok())
}

/// Reads `train-…` and, where they are there, `t10k-…` files of any image size.
///
/// Classes are the labels from 0 to the largest in the training file.
pub(super) fn read_folder(folder: &Path) -> Result<Pool, LoadError> {
    let stored = [read_file(folder, IDX_FILES[0])?, read_file(folder, IDX_FILES[1])?];
    let train = Part::parse(&stored[0], &stored[1])?;
    let classes = usize::from(train.labels.iter().copied().max().unwrap_or(0)) + 1;
    let mut test = None;
    if IDX_FILES[2..].iter().any(|file| stored_as(folder, file).is_some()) {
        let stored = [read_file(folder, IDX_FILES[2])?, read_file(folder, IDX_FILES[3])?];
        let part = Part::parse(&stored[0], &stored[1])?;
        if part.shape != train.shape {
            return Err(LoadError::content(
                &stored[0].path,
                format!("images of {}×{} pixels", part.shape.height, part.shape.width),
                format!("{}×{}, as in the training file", train.shape.height, train.shape.width),
            ));
        }
        check_labels(&stored[1].path, &part.labels, classes)?;
        test = Some(part);
    }
    Ok(train.followed_by(test, (0..classes).map(|class| class.to_string()).collect()))
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
                format!("{count}, one an image of `{}`", images.path.display()),
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

    fn followed_by(mut self, test: Option<Self>, classes: Vec<String>) -> Pool {
        let train_images = self.labels.len();
        let test_from = test.map(|test| {
            self.pixels.extend_from_slice(&test.pixels);
            self.labels.extend_from_slice(&test.labels);
            train_images
        });
        let labels = self.labels.into_iter().map(u16::from).collect();
        Pool { shape: self.shape, classes, pixels: self.pixels, labels, test_from }
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

fn check_labels(path: &Path, labels: &[u8], classes: usize) -> Result<(), LoadError> {
    let Some(position) = labels.iter().position(|&label| usize::from(label) >= classes) else {
        return Ok(());
    };
    Err(LoadError::content(
        path,
        format!("label {} for image {position}", labels[position]),
        format!("labels from 0 to {}", classes - 1),
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
pub(super) fn read_images(path: &Path) -> Result<(ImageShape, Vec<u8>), LoadError> {
    let stored = read_stored(path.to_owned())?;
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

fn read_file(folder: &Path, file: &str) -> Result<Stored, LoadError> {
    let path = stored_as(folder, file).ok_or_else(|| LoadError::Missing {
        file: format!("{file}` or `{file}.gz"),
        searched: vec![folder.to_owned()],
    })?;
    read_stored(path)
}

fn read_stored(path: PathBuf) -> Result<Stored, LoadError> {
    let bytes =
        std::fs::read(&path).map_err(|source| LoadError::Read { path: path.clone(), source })?;
    if path.extension().is_none_or(|extension| !extension.eq_ignore_ascii_case("gz")) {
        return Ok(Stored { path, packed: None, content: bytes });
    }
    let content = unpack(&bytes).map_err(|problem| {
        LoadError::content(&path, problem, "a complete gzip stream and nothing after it")
    })?;
    Ok(Stored { path, packed: Some(bytes), content })
}

/// Reads a file, unpacking it where its name ends in `.gz`.
pub(super) fn read_plain(path: &Path) -> Result<Vec<u8>, LoadError> {
    Ok(read_stored(path.to_owned())?.content)
}

/// Unpacks a gzip file, or says what is wrong with it.
pub(super) fn unpack(packed: &[u8]) -> Result<Vec<u8>, String> {
    const MAGIC: [u8; 2] = [0x1F, 0x8B];
    if !packed.starts_with(&MAGIC) {
        return Err("no gzip stream".to_owned());
    }
    // The last four bytes hold the unpacked size modulo 2³²; only a capacity, so a lie costs little.
    let size = packed.last_chunk::<4>().map_or(0, |tail| u32::from_le_bytes(*tail) as usize);
    let mut content = Vec::with_capacity(size.min(packed.len().saturating_mul(8)));
    let mut rest = packed;
    while rest.starts_with(&MAGIC) {
        if let Err(error) = GzDecoder::new(&mut rest).read_to_end(&mut content) {
            return Err(if error.kind() == io::ErrorKind::UnexpectedEof {
                format!("a gzip stream that is cut off after {} unpacked bytes", content.len())
            } else {
                format!("a damaged gzip stream ({error})")
            });
        }
    }
    match rest.len() {
        0 => Ok(content),
        bytes => Err(format!("{bytes} bytes after its gzip stream")),
    }
}
