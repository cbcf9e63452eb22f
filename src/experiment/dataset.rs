//! Which images a cell is trained on, how they are read and how they are split.
//!
//! Keys that were added later are left out of what is written and hashed while they have their default,
//! so that they change nothing of what older files mean.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// Where the images come from and how they are split.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct DatasetSettings {
    /// The collection of images.
    pub source: Source,
    /// Side of the square images in pixels; absent: as stored.
    pub image_size: Option<usize>,
    /// How images that are not square become so; absent: they are refused where it matters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image_fit: Option<ImageFit>,
    /// Grey value (0 black, 255 white) that transparent images are laid on and padding is made of.
    #[serde(default = "white", skip_serializing_if = "is_white")]
    pub background: u8,
    /// The stored value that counts as white; absent: the largest that the form of storage can hold.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_value: Option<u16>,
    /// At most this many training images are used, for quick looks; absent: all.
    pub train_limit: Option<usize>,
    /// Whether images that cannot be used are left out instead of being an error.
    #[serde(default, skip_serializing_if = "is_off")]
    pub skip_bad: bool,
    /// How large files may be; no part of what the images are.
    #[serde(default, skip_serializing_if = "LimitSettings::is_default")]
    pub limits: LimitSettings,
    /// Which image goes where.
    pub split: SplitSettings,
}

impl DatasetSettings {
    /// Returns the settings of a source with every default.
    #[must_use]
    pub fn of(source: Source) -> Self {
        Self {
            source,
            image_size: None,
            image_fit: None,
            background: white(),
            max_value: None,
            train_limit: None,
            skip_bad: false,
            limits: LimitSettings::default(),
            split: SplitSettings::default(),
        }
    }

    /// Returns the settings that decide which images are read: without those of the split.
    pub(crate) fn of_images(&self) -> Self {
        Self { train_limit: None, split: SplitSettings::default(), ..self.clone() }
    }
}

fn white() -> u8 {
    u8::MAX
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn is_white(background: &u8) -> bool {
    *background == white()
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn is_off(setting: &bool) -> bool {
    !setting
}

/// How images that are not square become so.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ImageFit {
    /// Resized in proportion and padded with the background on both sides.
    Pad,
    /// Resized in either direction on its own.
    Stretch,
}

/// How large the files of a dataset may be, so that a broken or hostile one ends in an error and not
/// in all the memory there is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", default)]
pub struct LimitSettings {
    /// Mebibytes of one file, as it lies on disk and once it is unpacked.
    pub file_mib: u64,
    /// How many times as large as a packed file its content may be.
    pub unpack_ratio: u64,
    /// Millions of pixels of one image as stored.
    pub image_megapixels: u64,
    /// Images in all.
    pub images: u64,
    /// Mebibytes that the pixels of all images may take in memory.
    pub memory_mib: u64,
    /// Classes.
    pub classes: u64,
}

impl Default for LimitSettings {
    fn default() -> Self {
        Self {
            file_mib: 2048,
            unpack_ratio: 200,
            image_megapixels: 64,
            images: 4_000_000,
            memory_mib: 8192,
            classes: 1000,
        }
    }
}

impl LimitSettings {
    fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

/// A collection of labelled images.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "kind")]
pub enum Source {
    /// UCI optical recognition of handwritten digits, embedded in the binary.
    Digits,
    /// MNIST, from the data folder.
    Mnist,
    /// Fashion-MNIST, from the data folder.
    FashionMnist,
    /// Kuzushiji-MNIST, from the data folder.
    Kmnist,
    /// IDX files `train-images-idx3-ubyte`, … (plain or `.gz`) in `path`.
    Idx {
        /// The folder.
        path: PathBuf,
    },
    /// CSV with a header, a label column and one column per pixel.
    Csv {
        /// The training file.
        path: PathBuf,
        /// A second labelled file used as the test split.
        test_path: Option<PathBuf>,
        /// Name of the label column.
        label: String,
        /// Whether labels are numbers or names.
        #[serde(rename = "label-kind", default, skip_serializing_if = "LabelKind::is_auto")]
        label_kind: LabelKind,
        /// Names of columns that are neither label nor pixels.
        #[serde(rename = "ignore-columns", default, skip_serializing_if = "Vec::is_empty")]
        ignore_columns: Vec<String>,
    },
    /// One folder of images per class.
    Folder {
        /// The folder that holds the class folders.
        path: PathBuf,
        /// A second folder with the same class folders, used as the test split.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        test_path: Option<PathBuf>,
    },
    /// No images: the trainer is a program that knows its own data.
    None,
    /// Random images of the fake engine's size: no files, no meaning.
    Synthetic {
        /// Number of images.
        images: usize,
        /// Number of classes.
        classes: usize,
    },
}

/// Whether the labels of a table are numbers or names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LabelKind {
    /// Numbers if more than half of them are, else names.
    #[default]
    Auto,
    /// Whole numbers: `7` and `07` are one class.
    Number,
    /// Names, each as it is written.
    Text,
}

impl LabelKind {
    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
    fn is_auto(&self) -> bool {
        *self == Self::Auto
    }
}

/// How the pool of images (training file first, then test file) is divided.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct SplitSettings {
    /// The training images; absent: all that the other two leave.
    pub train: Option<Share>,
    /// The validation images; absent: none.
    pub validation: Option<Share>,
    /// The test images; absent: the dataset's own test file, else a fifth of the pool.
    pub test: Option<Share>,
    /// Whether fractions and counts keep the class proportions.
    pub stratify: bool,
    /// What the random part of the split depends on.
    pub seed: SplitSeed,
    /// Folds of cross-validation: the validation images of a repeat are one of so many parts of what
    /// test leaves; absent: they are drawn for every repeat.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub folds: Option<u32>,
}

impl SplitSettings {
    /// Returns whether fractions are of the whole pool: training and test images are both drawn
    /// from it as fractions. Else validation and training fractions are of what test leaves.
    pub(crate) fn shares_the_pool(&self) -> bool {
        let is_fraction = |share| matches!(share, Some(Share::Fraction(_)));
        is_fraction(self.train) && is_fraction(self.test)
    }
}

/// A part of a pool of images.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Share {
    /// A fraction strictly between 0 and 1.
    Fraction(f64),
    /// A number of images.
    Count(usize),
    /// Images `from..to` of the pool.
    Range {
        /// First index.
        from: usize,
        /// One past the last index.
        to: usize,
    },
}

/// What the random part of a split depends on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SplitSeed {
    /// The same split for every trial, drawn from this seed.
    Fixed(u64),
    /// A new validation split for every repeat.
    #[default]
    Trial,
    /// A new validation split for every member of every repeat.
    Member,
}
