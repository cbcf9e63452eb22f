//! Images as a source gives them, before they are a dataset.

use super::dataset::ImageShape;
use super::pixel_columns::PixelColumns;

/// Images and labels: the training file's first, then the test file's.
pub(super) struct Pool {
    pub(super) shape: ImageShape,
    pub(super) classes: Vec<String>,
    pub(super) pixels: Vec<u8>,
    pub(super) labels: Vec<u16>,
    pub(super) test_from: Option<usize>,
    /// Columns of the pixels, where they come from a table.
    pub(super) columns: Option<PixelColumns>,
}

impl Pool {
    /// Returns a pool without a test file whose pixels have no names.
    pub(super) fn new(
        shape: ImageShape,
        classes: Vec<String>,
        pixels: Vec<u8>,
        labels: Vec<u16>,
    ) -> Self {
        Self { shape, classes, pixels, labels, test_from: None, columns: None }
    }
}
