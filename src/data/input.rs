//! Images to predict: without labels, in any of the forms training images come in.

use std::path::Path;

use super::csv::{Classes, Columns, Table, classes_listed};
use super::dataset::{Dataset, ImageShape};
use super::digits::Setter;
use super::error::{DataError, LoadError};
use super::images::{Fitter, Picture, Pictures, inner_folder, loose_images, read_named};
use super::load::brighten;
use super::note::Note;
use super::paths::{is_table, name_of};
use super::pixel_columns::PixelColumns;
use super::reading::Reading;
use super::{digits, idx};
use crate::experiment::settings::{DatasetSettings, Source};

/// Images to predict, in the order they stand in their file.
#[derive(Debug, Clone, PartialEq)]
pub struct Input {
    /// The images, in the shape the network takes; labels are 0 where none are known.
    pub images: Dataset,
    /// What each image is called in its file, where it has a name.
    pub names: Option<Vec<String>>,
    /// Whether the labels are known.
    pub is_labelled: bool,
    /// What a reader of the predictions must know of how the images were read.
    pub notes: Vec<Note>,
}

/// What the network takes, and what the columns of a table mean.
#[derive(Debug, Clone, Copy)]
pub struct InputSettings<'a> {
    /// Shape of an image.
    pub shape: ImageShape,
    /// How the images were read that the network was trained on. Where those were resized to this
    /// shape, others are too; where they were `digits` at 28×28, set like MNIST, 8×8 images are as well.
    pub dataset: &'a DatasetSettings,
    /// Which columns the pixels were in the training file, where it was a table.
    pub columns: Option<&'a PixelColumns>,
    /// Names of the classes, in label order.
    pub classes: &'a [String],
    /// CSV: name of a column of labels.
    pub label: Option<&'a str>,
    /// CSV: name of a column that names the images.
    pub id_column: Option<&'a str>,
}

/// Reads a CSV file or an IDX file of images (plain or `.gz`), a folder of images, or a folder of
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

impl InputSettings<'_> {
    fn is_digits(&self) -> bool {
        matches!(self.dataset.source, Source::Digits)
    }

    /// Returns what brings images of a folder to one size; nothing does where the network takes only
    /// what it was trained with, or digits are still to be set.
    fn fitter(&self) -> Fitter {
        let is_square = self.shape.height == self.shape.width;
        let side = Some(self.shape.height)
            .filter(|_| self.dataset.image_size.is_some() && is_square && !self.is_digits());
        Fitter::new(&DatasetSettings { image_size: side, ..self.dataset.clone() })
    }
}

fn read_any(path: &Path, settings: &InputSettings<'_>) -> Result<Input, LoadError> {
    if !path.exists() {
        let searched = path.parent().filter(|folder| !folder.as_os_str().is_empty());
        return Err(LoadError::Missing {
            file: name_of(path),
            searched: vec![searched.unwrap_or(Path::new(".")).to_owned()],
        });
    }
    // Every image is answered for: none is left out.
    let strict = DatasetSettings { skip_bad: false, ..settings.dataset.clone() };
    let mut reading = Reading::new(&strict);
    let raw = if path.is_dir() {
        from_folder(path, settings, &mut reading)?
    } else if is_table(path) {
        from_table(path, settings, &mut reading)?
    } else {
        let (shape, mut pixels) = idx::read_images(path, &strict.limits)?;
        brighten(&mut pixels, path, strict.max_value)?;
        let images = pixels.len() / shape.len();
        Raw { shape, pixels, labels: None, images, names: None }
    };
    // What lies beside the images stands in nobody's way, but is told.
    reading.notes.extend(reading.rejects.passed_over());
    let pixels = fitted(path, &raw, settings)?;
    let is_labelled = raw.labels.is_some();
    let labels = raw.labels.unwrap_or_else(|| vec![0; raw.images]);
    let classes = settings.classes.to_vec();
    let images = Dataset::new("input", settings.shape, classes, pixels, labels, None);
    Ok(Input { images, names: raw.names, is_labelled, notes: reading.notes })
}

fn from_table(
    path: &Path,
    settings: &InputSettings<'_>,
    reading: &mut Reading<'_>,
) -> Result<Raw, LoadError> {
    let ignored = match &settings.dataset.source {
        Source::Csv { ignore_columns, .. } => ignore_columns.as_slice(),
        _ => &[],
    };
    let columns = Columns {
        label: settings.label,
        id: settings.id_column,
        ignored,
        pixels: settings.columns.map(|columns| (columns, Path::new(""))),
    };
    let mut table = Table::read(path, columns, reading)?;
    let labels = match settings.label {
        Some(_) => {
            let classes = Classes::known(settings.classes);
            Some(table.class_indices(&classes, "the network", reading)?)
        }
        None => None,
    };
    let (height, width) = (table.columns.height, table.columns.width);
    let shape = ImageShape { height, width, channels: 1 };
    let images = table.pixels.len() / shape.len();
    let names = settings.id_column.map(|_| table.ids);
    Ok(Raw { shape, pixels: table.pixels, labels, images, names })
}

fn from_folder(
    path: &Path,
    settings: &InputSettings<'_>,
    reading: &mut Reading<'_>,
) -> Result<Raw, LoadError> {
    let files = loose_images(path, reading)?;
    let Some(first) = files.first().cloned() else {
        return from_class_folders(path, settings, reading);
    };
    if let Some(folder) = inner_folder(path)? {
        return Err(LoadError::content(
            path,
            format!(
                "images (`{}`) beside a folder of images (`{}`)",
                name_of(&first),
                name_of(&folder)
            ),
            "one or the other; move the images or the folders elsewhere",
        ));
    }
    let mut pictures = Pictures::new(reading, settings.fitter());
    files.into_iter().try_for_each(|file| pictures.add(file, 0))?;
    let pictures = pictures.finish(path)?;
    let size = pictures.first().map_or((0, 0), |picture| picture.size);
    if let Some(other) = pictures.iter().find(|picture| picture.size != size) {
        return Err(LoadError::content(
            &other.file,
            format!("{}×{} pixels (height×width)", other.size.0, other.size.1),
            format!("{}×{}, as `{}` has", size.0, size.1, first.display()),
        ));
    }
    let names = pictures.iter().map(|picture| name_of(&picture.file)).collect();
    Ok(Raw {
        shape: ImageShape { height: size.0, width: size.1, channels: 1 },
        images: pictures.len(),
        pixels: pictures.into_iter().flat_map(|Picture { pixels, .. }| pixels).collect(),
        labels: None,
        names: Some(names),
    })
}

fn from_class_folders(
    path: &Path,
    settings: &InputSettings<'_>,
    reading: &mut Reading<'_>,
) -> Result<Raw, LoadError> {
    let (pool, files) = read_named(path, None, settings.fitter(), reading)?;
    let class_of = |name: &String| {
        settings.classes.iter().position(|class| class == name).map(|at| at as u16).ok_or_else(
            || {
                LoadError::content(
                    path,
                    format!("a folder `{name}`"),
                    format!(
                        "images, or folders named like the classes of the network: {}",
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
    let refused = || LoadError::Size {
        path: path.to_owned(),
        found: (found.height, found.width),
        wanted: (wanted.height, wanted.width),
    };
    if settings.dataset.image_size.is_none() || found.channels != 1 {
        return Err(refused());
    }
    let mut pixels = Vec::with_capacity(raw.images * wanted.len());
    let mut images = raw.pixels.chunks_exact(found.len());
    if settings.is_digits() && digits::is_set(found, wanted) {
        let mut setter = Setter::new();
        images.for_each(|image| setter.append(image, &mut pixels));
        return Ok(pixels);
    }
    let mut fitter = Fitter::new(settings.dataset);
    let size = (found.height, found.width);
    if fitter.shape_of(size) != (wanted.height, wanted.width) {
        return Err(refused());
    }
    images.try_for_each(|image| fitter.append(image, size, &mut pixels)).map_err(|_| refused())?;
    Ok(pixels)
}

#[cfg(test)]
#[path = "input_tests.rs"]
mod tests;
