//! Images to predict: without labels, in any of the forms training images come in.

use std::path::Path;

use super::csv_file::{Columns, Table, classes_listed};
use super::csv_lines::CsvText;
use super::dataset::{Dataset, ImageShape};
use super::digits::Setter;
use super::error::{DataError, LoadError};
use super::png_folder::{GreyImage, inner_folder, name_of, read_loose, read_named};
use super::resize::Resizer;
use super::skipping::Skipping;
use super::{digits, idx};

/// Images to predict, in the order they stand in their file.
#[derive(Debug, Clone, PartialEq)]
pub struct Input {
    /// The images, in the shape the network takes; labels are 0 where none are known.
    pub images: Dataset,
    /// What each image is called in its file, where it has a name.
    pub names: Option<Vec<String>>,
    /// Whether the labels are known.
    pub is_labelled: bool,
}

/// What the network takes, and what the columns of a table mean.
#[derive(Debug, Clone, Copy)]
pub struct InputSettings<'a> {
    /// Shape of an image.
    pub shape: ImageShape,
    /// Whether the images the network was trained on were resized to this shape, so that others may
    /// be too.
    pub is_resized: bool,
    /// Whether the network was trained on `digits`: at 28×28 those are not resized but set like MNIST,
    /// and so are 8×8 images to predict.
    pub is_digits: bool,
    /// Names of the classes, in label order.
    pub classes: &'a [String],
    /// CSV: name of a column of labels.
    pub label: Option<&'a str>,
    /// CSV: name of a column that names the images.
    pub id_column: Option<&'a str>,
}

/// Reads a CSV file or an IDX file of images (plain or `.gz`), a folder of PNG images, or a folder of
/// such folders named like the classes, whose images then have labels and are called `class/file`.
///
/// # Errors
/// If the file is missing, unreadable, or holds images of another size than the network takes.
pub fn read_input(path: &Path, settings: &InputSettings<'_>) -> Result<Input, DataError> {
    let refused =
        |source: LoadError| DataError::Input { path: path.to_owned(), source: Box::new(source) };
    read_any(path, settings).map_err(refused)
}

/// Images before they are brought to the shape of the network.
struct Raw {
    shape: ImageShape,
    pixels: Vec<u8>,
    labels: Option<Vec<u16>>,
    images: usize,
    names: Option<Vec<String>>,
}

fn read_any(path: &Path, settings: &InputSettings<'_>) -> Result<Input, LoadError> {
    if !path.exists() {
        let searched = path.parent().filter(|folder| !folder.as_os_str().is_empty());
        return Err(LoadError::Missing {
            file: name_of(path),
            searched: vec![searched.unwrap_or(Path::new(".")).to_owned()],
        });
    }
    let raw = if path.is_dir() {
        from_folder(path, settings)?
    } else if CsvText::is_meant(path) {
        from_table(path, settings)?
    } else {
        let (shape, pixels) = idx::read_images(path)?;
        let images = pixels.len() / shape.len();
        Raw { shape, pixels, labels: None, images, names: None }
    };
    let pixels = fitted(path, &raw, settings)?;
    let is_labelled = raw.labels.is_some();
    let labels = raw.labels.unwrap_or_else(|| vec![0; raw.images]);
    let classes = settings.classes.to_vec();
    let images = Dataset::new("input", settings.shape, classes, pixels, labels, None);
    Ok(Input { images, names: raw.names, is_labelled })
}

fn from_table(path: &Path, settings: &InputSettings<'_>) -> Result<Raw, LoadError> {
    let columns = Columns { label: settings.label, id: settings.id_column };
    let mut skipping = Skipping::default();
    let mut table = Table::read(path, columns, &mut skipping)?;
    let labels = match settings.label {
        Some(_) => Some(table.class_indices(settings.classes, "the network", &mut skipping)?),
        None => None,
    };
    let shape = ImageShape { height: table.side, width: table.side, channels: 1 };
    let images = table.pixels.len() / shape.len();
    let names = settings.id_column.map(|_| table.ids);
    Ok(Raw { shape, pixels: table.pixels, labels, images, names })
}

fn from_folder(path: &Path, settings: &InputSettings<'_>) -> Result<Raw, LoadError> {
    let loose = read_loose(path)?;
    let Some(first) = loose.first() else { return from_class_folders(path, settings) };
    if let Some(folder) = inner_folder(path)? {
        return Err(LoadError::content(
            path,
            format!(
                "images (`{}`) beside a folder of images (`{}`)",
                name_of(&first.file),
                name_of(&folder)
            ),
            "one or the other; move the images or the folders elsewhere",
        ));
    }
    let (side, named_after) = (first.side, first.file.clone());
    if let Some(other) = loose.iter().find(|image| image.side != side) {
        return Err(LoadError::content(
            &other.file,
            format!("{0}×{0} pixels", other.side),
            format!("{side}×{side}, as `{}` has", named_after.display()),
        ));
    }
    let names = loose.iter().map(|image| name_of(&image.file)).collect();
    Ok(Raw {
        shape: ImageShape { height: side as usize, width: side as usize, channels: 1 },
        images: loose.len(),
        pixels: loose.into_iter().flat_map(|GreyImage { grey, .. }| grey).collect(),
        labels: None,
        names: Some(names),
    })
}

fn from_class_folders(path: &Path, settings: &InputSettings<'_>) -> Result<Raw, LoadError> {
    let (pool, files) = read_named(path, None, &mut Skipping::default())?;
    let class_of = |name: &String| {
        settings.classes.iter().position(|class| class == name).map(|at| at as u16).ok_or_else(
            || {
                LoadError::content(
                    path,
                    format!("a folder `{name}`"),
                    format!(
                        "PNG images, or folders named like the classes of the network: {}",
                        classes_listed(settings.classes)
                    ),
                )
            },
        )
    };
    let classes: Vec<u16> = pool.classes.iter().map(class_of).collect::<Result<_, _>>()?;
    Ok(Raw {
        shape: pool.shape,
        images: pool.labels.len(),
        pixels: pool.pixels,
        names: Some(
            files
                .iter()
                .zip(&pool.labels)
                .map(|(file, &label)| {
                    format!("{}/{}", pool.classes[usize::from(label)], name_of(file))
                })
                .collect(),
        ),
        labels: Some(pool.labels.iter().map(|&label| classes[usize::from(label)]).collect()),
    })
}

/// Returns the pixels in the shape the network takes.
fn fitted(path: &Path, raw: &Raw, settings: &InputSettings<'_>) -> Result<Vec<u8>, LoadError> {
    let (found, wanted) = (raw.shape, settings.shape);
    if found == wanted {
        return Ok(raw.pixels.clone());
    }
    let is_square = |shape: ImageShape| shape.height == shape.width && shape.channels == 1;
    if !settings.is_resized || !is_square(found) || !is_square(wanted) {
        return Err(LoadError::Size {
            path: path.to_owned(),
            found: (found.height, found.width),
            wanted: (wanted.height, wanted.width),
        });
    }
    let mut pixels = Vec::with_capacity(raw.images * wanted.len());
    let images = raw.pixels.chunks_exact(found.len());
    if settings.is_digits && digits::is_set(found, wanted) {
        let mut setter = Setter::new();
        images.for_each(|image| setter.append(image, &mut pixels));
    } else {
        let mut resizer = Resizer::new((found.height, found.width), (wanted.height, wanted.width));
        images.for_each(|image| resizer.append(image, &mut pixels));
    }
    Ok(pixels)
}

#[cfg(test)]
#[path = "input_tests.rs"]
mod tests;
