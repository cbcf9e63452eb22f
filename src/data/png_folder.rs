//! PNG images in one folder a class.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use image::ImageReader;

use super::dataset::ImageShape;
use super::error::LoadError;
use super::load::Pool;
use super::skipping::Skipping;

/// Reads every `.png` of every folder in `path` and, where there is one, in `test`.
///
/// Classes are the folder names in sorted order, images follow each other in sorted order within
/// their class. Colour becomes grey by luma (Rec. 709 weights); transparency is ignored. Hidden files
/// and files of other endings are passed over. All images must be square and of one size: that of
/// the first, or the commonest where others are left out. The folders of `test` must be those of
/// `path`.
pub(super) fn read(
    path: &Path,
    test: Option<&Path>,
    skipping: &mut Skipping,
) -> Result<Pool, LoadError> {
    let folders = class_folders(path)?;
    let classes: Vec<String> = folders.iter().map(|folder| name_of(folder)).collect();
    let mut images = Vec::new();
    read_classes(&folders, &mut images, skipping)?;
    let train_images = images.len();
    if let Some(test) = test {
        let folders = class_folders(test)?;
        check_classes(path, &classes, test, &folders)?;
        read_classes(&folders, &mut images, skipping)?;
    }
    let Some(side) = common_side(&images, skipping.is_on()) else {
        return Err(LoadError::content(
            path,
            "no usable image",
            "one folder of PNG images a class",
        ));
    };
    let (mut pixels, mut labels, mut trained) = (Vec::new(), Vec::new(), 0);
    let first = images.iter().find(|image| image.side == side).map(|image| image.file.clone());
    for (place, image) in images.into_iter().enumerate() {
        let sized = if image.side == side {
            Ok(image)
        } else {
            Err(LoadError::content(
                &image.file,
                format!("{0}×{0} pixels", image.side),
                format!("{side}×{side}, as `{}` has", first.clone().unwrap_or_default().display()),
            ))
        };
        if let Some(image) = skipping.pass(sized)? {
            pixels.extend_from_slice(&image.grey);
            labels.push(image.label);
            trained += usize::from(place < train_images);
        }
    }
    let shape = ImageShape { height: side as usize, width: side as usize, channels: 1 };
    let test_from = test.map(|_| trained);
    Ok(Pool { shape, classes, pixels, labels, test_from })
}

/// An image as read.
pub(super) struct GreyImage {
    pub(super) file: PathBuf,
    pub(super) label: u16,
    pub(super) side: u32,
    pub(super) grey: Vec<u8>,
}

/// Reads the `.png` files of `folder` itself, sorted by name; none is an empty list.
pub(super) fn read_loose(folder: &Path) -> Result<Vec<GreyImage>, LoadError> {
    let files = entries(folder)?.into_iter().filter(|file| file.is_file() && is_png(file));
    files.map(|file| read_image(file, 0)).collect()
}

fn class_folders(path: &Path) -> Result<Vec<PathBuf>, LoadError> {
    let folders: Vec<PathBuf> = entries(path)?.into_iter().filter(|entry| entry.is_dir()).collect();
    if folders.is_empty() {
        return Err(LoadError::content(
            path,
            "no folder in it",
            "one folder of PNG images a class",
        ));
    }
    Ok(folders)
}

/// Holds the class folders of a test folder against those of the training folder.
fn check_classes(
    path: &Path,
    classes: &[String],
    test: &Path,
    folders: &[PathBuf],
) -> Result<(), LoadError> {
    let found: Vec<String> = folders.iter().map(|folder| name_of(folder)).collect();
    if let Some(unknown) = found.iter().find(|name| !classes.contains(name)) {
        return Err(LoadError::content(
            test,
            format!("a folder `{unknown}`"),
            format!("the classes of `{}` alone, which has no `{unknown}`", path.display()),
        ));
    }
    if let Some(missing) = classes.iter().find(|name| !found.contains(name)) {
        return Err(LoadError::content(
            test,
            format!("no folder `{missing}`"),
            format!("one for every class of `{}`", path.display()),
        ));
    }
    Ok(())
}

fn read_classes(
    folders: &[PathBuf],
    images: &mut Vec<GreyImage>,
    skipping: &mut Skipping,
) -> Result<(), LoadError> {
    for (label, folder) in folders.iter().enumerate() {
        let before = images.len();
        for file in entries(folder)?.into_iter().filter(|file| is_png(file)) {
            images.extend(skipping.pass(read_image(file, label as u16))?);
        }
        if images.len() == before {
            return Err(LoadError::content(folder, "no `.png` file", "the images of one class"));
        }
    }
    Ok(())
}

/// Returns the side all images should have: the first one's, or the commonest.
fn common_side(images: &[GreyImage], commonest: bool) -> Option<u32> {
    if !commonest {
        return images.first().map(|image| image.side);
    }
    let mut counts: BTreeMap<u32, usize> = BTreeMap::new();
    for image in images {
        *counts.entry(image.side).or_default() += 1;
    }
    counts.into_iter().max_by_key(|&(_, count)| count).map(|(side, _)| side)
}

fn read_image(file: PathBuf, label: u16) -> Result<GreyImage, LoadError> {
    let image = ImageReader::open(&file)
        .and_then(ImageReader::with_guessed_format)
        .map_err(|source| LoadError::Read { path: file.clone(), source })?
        .decode()
        .map_err(|error| {
            LoadError::content(&file, format!("no readable image ({error})"), "a PNG image")
        })?;
    if image.width() != image.height() {
        return Err(LoadError::content(
            file,
            format!("{}×{} pixels (height×width)", image.height(), image.width()),
            "a square image",
        ));
    }
    Ok(GreyImage { side: image.width(), grey: image.into_luma8().into_raw(), file, label })
}

/// Returns what a folder holds, hidden files aside, sorted by name.
fn entries(folder: &Path) -> Result<Vec<PathBuf>, LoadError> {
    let problem = |source| LoadError::Read { path: folder.to_owned(), source };
    let mut paths = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(problem)? {
        let path = entry.map_err(problem)?.path();
        if !name_of(&path).starts_with('.') {
            paths.push(path);
        }
    }
    paths.sort();
    Ok(paths)
}

/// Returns the last part of a path as text.
pub(super) fn name_of(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

fn is_png(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("png"))
}
