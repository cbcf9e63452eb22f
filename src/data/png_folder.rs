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
    Ok(read_named(path, test, skipping)?.0)
}

/// Reads as [`read`] does, and returns the file of every image as well.
pub(super) fn read_named(
    path: &Path,
    test: Option<&Path>,
    skipping: &mut Skipping,
) -> Result<(Pool, Vec<PathBuf>), LoadError> {
    let mut folders = class_folders(path)?;
    let classes: Vec<String> = folders.iter().map(|folder| name_of(folder)).collect();
    let mut images = Vec::new();
    read_classes(&folders, 0, &mut images, skipping)?;
    if let Some(test) = test {
        let test_folders = class_folders(test)?;
        check_classes(path, &classes, test, &test_folders)?;
        read_classes(&test_folders, classes.len(), &mut images, skipping)?;
        folders.extend(test_folders);
    }
    let Some(side) = common_side(&images, skipping.is_on()) else {
        return Err(LoadError::content(
            path,
            "no usable image",
            "one folder of PNG images a class",
        ));
    };
    let (mut pixels, mut labels, mut files) = (Vec::new(), Vec::new(), Vec::new());
    let mut kept = vec![0; folders.len()];
    let first = images.iter().find(|image| image.side == side).map(|image| image.file.clone());
    let first = first.unwrap_or_default();
    for image in images {
        let sized = if image.side == side {
            Ok(image)
        } else {
            Err(LoadError::content(
                &image.file,
                format!("{0}×{0} pixels", image.side),
                format!("{side}×{side}, as `{}` has", first.display()),
            ))
        };
        if let Some(image) = skipping.pass(sized)? {
            kept[image.folder] += 1;
            pixels.extend_from_slice(&image.grey);
            labels.push((image.folder % classes.len()) as u16);
            files.push(image.file);
        }
    }
    if let Some((folder, _)) = folders.iter().zip(&kept).find(|&(_, &kept)| kept == 0) {
        return Err(LoadError::content(
            folder,
            "no `.png` file that can be used",
            format!("images of {side}×{side} pixels, as `{}` has", first.display()),
        ));
    }
    let shape = ImageShape { height: side as usize, width: side as usize, channels: 1 };
    let test_from = test.map(|_| kept[..classes.len()].iter().sum());
    Ok((Pool { shape, classes, pixels, labels, test_from }, files))
}

/// An image as read.
pub(super) struct GreyImage {
    pub(super) file: PathBuf,
    /// Place of its folder among the folders read.
    folder: usize,
    pub(super) side: u32,
    pub(super) grey: Vec<u8>,
}

/// Reads the `.png` files of `folder` itself, sorted by name; none is an empty list.
pub(super) fn read_loose(folder: &Path) -> Result<Vec<GreyImage>, LoadError> {
    let files = entries(folder)?.into_iter().filter(|file| file.is_file() && is_png(file));
    files.map(|file| read_image(file, 0)).collect()
}

/// Returns the first folder in `folder` that holds a `.png` file.
pub(super) fn inner_folder(folder: &Path) -> Result<Option<PathBuf>, LoadError> {
    for entry in entries(folder)?.into_iter().filter(|entry| entry.is_dir()) {
        if entries(&entry)?.iter().any(|file| is_png(file)) {
            return Ok(Some(entry));
        }
    }
    Ok(None)
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

/// Reads the images of `folders`, counted on from `first`.
fn read_classes(
    folders: &[PathBuf],
    first: usize,
    images: &mut Vec<GreyImage>,
    skipping: &mut Skipping,
) -> Result<(), LoadError> {
    for (place, folder) in (first..).zip(folders) {
        let files: Vec<PathBuf> =
            entries(folder)?.into_iter().filter(|file| is_png(file)).collect();
        if files.is_empty() {
            return Err(LoadError::content(folder, "no `.png` file", "the images of one class"));
        }
        for file in files {
            images.extend(skipping.pass(read_image(file, place))?);
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

fn read_image(file: PathBuf, folder: usize) -> Result<GreyImage, LoadError> {
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
    Ok(GreyImage { side: image.width(), grey: image.into_luma8().into_raw(), file, folder })
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

#[cfg(test)]
mod tests {
    use super::*;

    #[expect(clippy::disallowed_methods, reason = "a test's own files need not survive a crash")]
    fn put(folder: &Path, name: &str, side: u32) {
        let path = folder.join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        match side {
            0 => std::fs::write(path, "no image").unwrap(),
            _ => image::GrayImage::new(side, side).save(path).unwrap(),
        }
    }

    #[test]
    fn a_class_none_of_whose_images_can_be_used_is_an_error_though_bad_images_are_left_out() {
        // Of another size than most, or unreadable, in the training or the test folder.
        for (bad, side) in [("train/c", 5), ("train/c", 0), ("test/c", 5), ("test/c", 0)] {
            let folder = tempfile::tempdir().unwrap();
            for class in ["train/a", "train/b", "train/c", "test/a", "test/b", "test/c"] {
                let side = if class == bad { side } else { 4 };
                put(folder.path(), &format!("{class}/1.png"), side);
                put(folder.path(), &format!("{class}/2.png"), side);
            }
            let [train, test] = ["train", "test"].map(|part| folder.path().join(part));
            let mut skipping = Skipping::new(true);
            let error = read(&train, Some(&test), &mut skipping).err().unwrap().to_string();
            let found = error.replace(&format!("{}/", folder.path().display()), "");
            assert_eq!(
                found,
                format!(
                    "`{bad}` has no `.png` file that can be used, expected images of 4×4 pixels, as \
                     `train/a/1.png` has"
                )
            );
            assert_eq!(skipping.into_list().len(), 2);
            put(folder.path(), &format!("{bad}/3.png"), 4);
            let pool = read(&train, Some(&test), &mut Skipping::new(true)).unwrap();
            let (first, second) = if bad == "train/c" { (5, 6) } else { (6, 5) };
            assert_eq!((pool.test_from, pool.labels.len()), (Some(first), first + second));
        }
    }
}
