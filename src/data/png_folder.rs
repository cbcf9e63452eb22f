//! PNG images in one folder a class.

use std::path::{Path, PathBuf};

use image::ImageReader;

use super::dataset::ImageShape;
use super::error::LoadError;
use super::load::Pool;

/// Reads every `.png` of every folder in `path`.
///
/// Classes are the folder names in sorted order, images follow each other in sorted order within
/// their class. Colour becomes grey by luma (Rec. 709 weights); transparency is ignored. Hidden files
/// and files of other endings are passed over. All images must be square and of one size.
pub(super) fn read(path: &Path) -> Result<Pool, LoadError> {
    let folders: Vec<PathBuf> = entries(path)?.into_iter().filter(|entry| entry.is_dir()).collect();
    if folders.is_empty() {
        return Err(LoadError::content(
            path,
            "no folder in it",
            "one folder of PNG images a class",
        ));
    }
    let mut classes = Vec::with_capacity(folders.len());
    let mut pixels = Vec::new();
    let mut labels = Vec::new();
    let mut first: Option<(PathBuf, u32)> = None;
    for (label, folder) in folders.iter().enumerate() {
        let images: Vec<PathBuf> =
            entries(folder)?.into_iter().filter(|file| is_png(file)).collect();
        if images.is_empty() {
            return Err(LoadError::content(folder, "no `.png` file", "the images of one class"));
        }
        for file in images {
            let (side, grey) = read_image(&file)?;
            let (first_file, first_side) = first.get_or_insert_with(|| (file.clone(), side));
            if side != *first_side {
                return Err(LoadError::content(
                    &file,
                    format!("{side}×{side} pixels"),
                    format!("{0}×{0}, as `{1}` has", first_side, first_file.display()),
                ));
            }
            pixels.extend_from_slice(&grey);
            labels.push(label as u16);
        }
        classes.push(name_of(folder));
    }
    let side = first.map_or(0, |(_, side)| side as usize);
    let shape = ImageShape { height: side, width: side, channels: 1 };
    Ok(Pool { shape, classes, pixels, labels, test_from: None })
}

fn read_image(file: &Path) -> Result<(u32, Vec<u8>), LoadError> {
    let image = ImageReader::open(file)
        .and_then(ImageReader::with_guessed_format)
        .map_err(|source| LoadError::Read { path: file.to_owned(), source })?
        .decode()
        .map_err(|error| {
            LoadError::content(file, format!("no readable image ({error})"), "a PNG image")
        })?;
    if image.width() != image.height() {
        return Err(LoadError::content(
            file,
            format!("{}×{} pixels (height×width)", image.height(), image.width()),
            "a square image",
        ));
    }
    Ok((image.width(), image.into_luma8().into_raw()))
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

fn name_of(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

fn is_png(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("png"))
}
