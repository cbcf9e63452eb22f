//! Images in memory.

use crate::base::Digest;

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
    /// SHA-256 over shape, pixels, labels and class names.
    pub checksum: Digest,
}

impl Dataset {
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
