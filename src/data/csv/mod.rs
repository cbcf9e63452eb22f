//! Kaggle-style CSV: a header, a label column found by its name, and one column per pixel.

mod header;
mod labels;
mod table;
mod text;

use std::path::Path;

use super::dataset::ImageShape;
use super::error::LoadError;
use super::pool::Pool;
use super::reading::Reading;
use crate::experiment::settings::LabelKind;

pub(super) use header::Columns;
pub(super) use labels::{Classes, classes_listed};
pub(super) use table::Table;
pub(crate) use text::csv_cell;

/// What the columns of a training file are called that are no pixels.
#[derive(Clone, Copy)]
pub(super) struct Labelling<'a> {
    /// Name of the label column.
    pub(super) label: &'a str,
    /// Whether labels are numbers or names.
    pub(super) kind: LabelKind,
    /// Names of columns that are neither.
    pub(super) ignored: &'a [String],
}

/// Reads a training file and, where there is one, a labelled test file, whose columns may stand in any
/// order but must be called like those of the training file.
pub(super) fn read(
    path: &Path,
    test: Option<&Path>,
    labelling: Labelling<'_>,
    reading: &mut Reading<'_>,
) -> Result<Pool, LoadError> {
    let Labelling { label, kind, ignored } = labelling;
    let columns = Columns { label: Some(label), id: None, ignored, pixels: None };
    let mut table = Table::read(path, columns, reading)?;
    let classes = table.classes(kind, reading)?;
    let mut labels = table.class_indices(&classes, "the training file", reading)?;
    let train_images = labels.len();
    let mut test_from = None;
    if let Some(test) = test {
        let is_same = path.canonicalize().ok().zip(test.canonicalize().ok());
        if is_same.is_some_and(|(path, test)| path == test) {
            return Err(LoadError::content(
                test,
                "the images that are trained on",
                "others to test with",
            )
            .hinting("remove `test-path`: a fifth of the images tests by default"));
        }
        let columns = Columns { pixels: Some((&table.columns, path)), ..columns };
        let mut test = Table::read(test, columns, reading)?;
        labels.extend(test.class_indices(&classes, "the training file", reading)?);
        table.pixels.extend_from_slice(&test.pixels);
        test_from = Some(train_images);
    }
    let (height, width) = (table.columns.height, table.columns.width);
    let shape = ImageShape { height, width, channels: 1 };
    let pool = Pool::new(shape, classes.names, table.pixels, labels);
    Ok(Pool { test_from, columns: Some(table.columns), ..pool })
}

#[cfg(test)]
mod tests;
