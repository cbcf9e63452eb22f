//! Images in memory.

use super::note::Note;
use super::pixel_columns::PixelColumns;
use crate::base::{ContentHasher, Digest};

/// Height, width and channels of an image, in pixels.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ImageShape {
    /// Rows.
    pub height: usize,
    /// Columns.
    pub width: usize,
    /// 1 for grey.
    pub channels: usize,
}

impl ImageShape {
    /// Returns the number of values in one image.
    #[must_use]
    pub fn len(self) -> usize {
        self.height * self.width * self.channels
    }

    /// Returns whether an image would hold no value.
    #[must_use]
    pub fn is_empty(self) -> bool {
        self.len() == 0
    }
}

/// A pool of labelled images: the training file's first, then the test file's.
#[derive(Debug, Clone, PartialEq)]
pub struct Dataset {
    /// Short name, for example `mnist`.
    pub name: String,
    /// Shape of every image.
    pub shape: ImageShape,
    /// Name of every class, in label order.
    pub classes: Vec<String>,
    /// `images × height × width × channels` grey values from 0 to 255.
    pub pixels: Vec<u8>,
    /// Class of every image.
    pub labels: Vec<u16>,
    /// Index of the first image of the dataset's own test file; absent without one.
    pub test_from: Option<usize>,
    /// Files and rows that were left out, and why, one line each.
    pub skipped: Vec<String>,
    /// What a reader of results must know of how the images were read.
    pub notes: Vec<Note>,
    /// Which columns the pixels were, where they come from a table.
    pub columns: Option<PixelColumns>,
    /// SHA-256 over shape, pixels, labels and class names.
    pub checksum: Digest,
}

impl Dataset {
    /// Assembles a pool and takes its checksum.
    ///
    /// # Panics
    /// If the parts do not fit together: one label per image, every label below the number of
    /// classes, `test_from` within the pool.
    #[must_use]
    pub fn new(
        name: impl Into<String>,
        shape: ImageShape,
        classes: Vec<String>,
        pixels: Vec<u8>,
        labels: Vec<u16>,
        test_from: Option<usize>,
    ) -> Self {
        assert_eq!(pixels.len(), labels.len() * shape.len(), "one label an image");
        assert!(labels.iter().all(|&label| usize::from(label) < classes.len()), "labels in range");
        assert!(test_from.is_none_or(|from| from <= labels.len()), "test images within the pool");
        let mut hasher = ContentHasher::new();
        for size in [shape.height, shape.width, shape.channels] {
            hasher.part("size", &(size as u64).to_le_bytes());
        }
        hasher.part("pixels", &pixels);
        let label_bytes: Vec<u8> = labels.iter().flat_map(|label| label.to_le_bytes()).collect();
        hasher.part("labels", &label_bytes);
        for class in &classes {
            hasher.part("class", class.as_bytes());
        }
        let checksum = hasher.finish();
        Self {
            name: name.into(),
            shape,
            classes,
            pixels,
            labels,
            test_from,
            skipped: Vec::new(),
            notes: Vec::new(),
            columns: None,
            checksum,
        }
    }

    /// Returns the number of images in the pool.
    #[must_use]
    pub fn len(&self) -> usize {
        self.labels.len()
    }

    /// Returns whether the pool is empty.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.labels.is_empty()
    }

    /// Returns the pixels of image `index`.
    ///
    /// # Panics
    /// If `index` is not below [`Dataset::len`].
    #[must_use]
    pub fn image(&self, index: usize) -> &[u8] {
        let size = self.shape.len();
        &self.pixels[index * size..][..size]
    }
}

/// Which images of a pool go where; each list ascending, the three disjoint.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Splits {
    /// Training images.
    pub train: Vec<u32>,
    /// Validation images, may be empty.
    pub validation: Vec<u32>,
    /// Test images.
    pub test: Vec<u32>,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tiny(pixels: &[u8], labels: &[u16], classes: &[&str]) -> Dataset {
        let shape = ImageShape { height: 1, width: 2, channels: 1 };
        let classes = classes.iter().map(|&class| class.to_owned()).collect();
        Dataset::new("tiny", shape, classes, pixels.to_vec(), labels.to_vec(), None)
    }

    #[test]
    fn the_checksum_changes_with_pixels_labels_and_classes_but_not_with_the_name() {
        let reference = tiny(&[1, 2, 3, 4], &[0, 1], &["a", "b"]);
        let mut renamed = reference.clone();
        renamed.name = "other".to_owned();
        assert_eq!(reference.checksum, tiny(&[1, 2, 3, 4], &[0, 1], &["a", "b"]).checksum);
        assert_eq!(reference.checksum, renamed.checksum);
        for other in [
            tiny(&[1, 2, 3, 5], &[0, 1], &["a", "b"]),
            tiny(&[1, 2, 3, 4], &[1, 1], &["a", "b"]),
            tiny(&[1, 2, 3, 4], &[0, 1], &["a", "c"]),
        ] {
            assert_ne!(reference.checksum, other.checksum);
        }
    }

    #[test]
    fn an_image_is_its_own_slice_of_the_pool() {
        assert_eq!(tiny(&[1, 2, 3, 4], &[0, 0], &["a"]).image(1), [3, 4]);
    }
}
