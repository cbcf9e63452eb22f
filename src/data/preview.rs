//! Contact sheets: many images on one PNG.

use image::codecs::png::PngEncoder;
use image::{ExtendedColorType, ImageEncoder as _};

use super::augment::{AugmentKey, Augmenter};
use super::dataset::Dataset;
use super::error::DataError;

/// Pixels between two images.
const GAP: usize = 2;
/// Grey between the images.
const BACKGROUND: u8 = 96;
/// Images are enlarged by whole factors up to at least this side.
const CELL: usize = 56;
/// Variations of an image that follow it on its row.
const VARIATIONS: usize = 9;

/// Draws `count` images on one PNG and returns its bytes.
///
/// Without an augmenter every row shows images of one class, so `count` is rounded up to whole rows.
/// With one, every row shows one image, the classes taking turns, and nine variations of it. Images
/// are taken evenly from the pool.
///
/// # Errors
/// If the dataset holds no image, or the sheet is too large for a PNG.
pub(crate) fn preview(
    dataset: &Dataset,
    count: usize,
    augmenter: Option<&Augmenter>,
) -> Result<Vec<u8>, DataError> {
    let problem = |problem: String| DataError::Preview { dataset: dataset.name.clone(), problem };
    let by_class = images_by_class(dataset);
    if by_class.is_empty() || count == 0 {
        return Err(problem("no image to draw, expected at least one".to_owned()));
    }
    let mut sheet = match augmenter {
        None => {
            let columns = count.div_ceil(by_class.len());
            let mut sheet = Sheet::new(dataset, by_class.len(), columns);
            for (row, images) in by_class.iter().enumerate() {
                for (column, image) in evenly(images, columns).enumerate() {
                    sheet.place(row, column, dataset.image(image as usize));
                }
            }
            sheet
        }
        Some(augmenter) => {
            let mut augmenter = augmenter.clone();
            let mut sheet = Sheet::new(dataset, count, 1 + VARIATIONS);
            let mut varied = vec![0.0; dataset.shape.len()];
            let turns = count.div_ceil(by_class.len());
            let images: Vec<Vec<u32>> =
                by_class.iter().map(|images| evenly(images, turns).collect()).collect();
            for row in 0..count {
                let of_class = &images[row % images.len()];
                let image = of_class[row / images.len() % of_class.len()];
                let original = dataset.image(image as usize);
                sheet.place(row, 0, original);
                for variation in 1..=VARIATIONS {
                    let key = AugmentKey { word: variation as u64, image };
                    augmenter.augment(original, key, &mut varied);
                    let bytes: Vec<u8> =
                        varied.iter().map(|value| (255.0 * value).round() as u8).collect();
                    sheet.place(row, variation, &bytes);
                }
            }
            sheet
        }
    };
    sheet.encode().map_err(|error| problem(error.to_string()))
}

/// Returns one image as a PNG, in its own size: grey, or in colour where it has three channels.
///
/// # Errors
/// If there is no such image, or it is too large for a PNG.
pub(crate) fn picture(dataset: &Dataset, index: usize) -> Result<Vec<u8>, DataError> {
    let problem = |problem: String| DataError::Preview { dataset: dataset.name.clone(), problem };
    if index >= dataset.len() {
        let images = dataset.len();
        return Err(problem(format!("no image {index}, expected one below {images}")));
    }
    let shape = dataset.shape;
    let image = dataset.image(index);
    let (pixels, color) = match shape.channels {
        3 => (image.to_vec(), ExtendedColorType::Rgb8),
        channels => {
            let grey = |values: &[u8]| {
                let sum: usize = values.iter().map(|&value| usize::from(value)).sum();
                (sum / channels) as u8
            };
            (image.chunks_exact(channels).map(grey).collect(), ExtendedColorType::L8)
        }
    };
    let mut png = Vec::new();
    PngEncoder::new(&mut png)
        .write_image(&pixels, shape.width as u32, shape.height as u32, color)
        .map_err(|error| problem(error.to_string()))?;
    Ok(png)
}

/// Returns the images of every class that has any, in label order.
fn images_by_class(dataset: &Dataset) -> Vec<Vec<u32>> {
    let mut images = vec![Vec::new(); dataset.classes.len()];
    for (index, &label) in dataset.labels.iter().enumerate() {
        images[usize::from(label)].push(index as u32);
    }
    images.retain(|images| !images.is_empty());
    images
}

/// Returns up to `count` of `images`, evenly spaced.
fn evenly(images: &[u32], count: usize) -> impl Iterator<Item = u32> {
    let count = count.min(images.len());
    (0..count).map(move |at| images[at * images.len() / count])
}

struct Sheet {
    height: usize,
    width: usize,
    channels: usize,
    factor: usize,
    full_height: usize,
    full_width: usize,
    pixels: Vec<u8>,
}

impl Sheet {
    fn new(dataset: &Dataset, rows: usize, columns: usize) -> Self {
        let (height, width) = (dataset.shape.height, dataset.shape.width);
        let factor = CELL.div_ceil(height.max(width)).max(1);
        let side = |count: usize, size: usize| GAP + count * (size * factor + GAP);
        let (full_height, full_width) = (side(rows, height), side(columns, width));
        Self {
            height,
            width,
            channels: dataset.shape.channels,
            factor,
            full_height,
            full_width,
            pixels: vec![BACKGROUND; full_height * full_width],
        }
    }

    /// Enlarges an image into its place; of several channels the mean is shown.
    fn place(&mut self, row: usize, column: usize, image: &[u8]) {
        let (height, width) = (self.height * self.factor, self.width * self.factor);
        let (top, left) = (GAP + row * (height + GAP), GAP + column * (width + GAP));
        for y in 0..height {
            for x in 0..width {
                let at = (y / self.factor * self.width + x / self.factor) * self.channels;
                let values = &image[at..at + self.channels];
                let sum: usize = values.iter().map(|&value| usize::from(value)).sum();
                self.pixels[(top + y) * self.full_width + left + x] = (sum / self.channels) as u8;
            }
        }
    }

    fn encode(&mut self) -> Result<Vec<u8>, image::ImageError> {
        let mut png = Vec::new();
        let (width, height) = (self.full_width as u32, self.full_height as u32);
        PngEncoder::new(&mut png).write_image(
            &self.pixels,
            width,
            height,
            ExtendedColorType::L8,
        )?;
        Ok(png)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::ImageShape;
    use crate::experiment::settings::{
        AugmentSettings, Convention, Fill, ShiftSettings, ZoomSettings,
    };

    fn dataset() -> Dataset {
        let shape = ImageShape { height: 28, width: 28, channels: 1 };
        let pixels = (0..6_u8).flat_map(|image| [40 * image; 784]).collect();
        let classes = ["a", "b", "empty"].map(str::to_owned).to_vec();
        Dataset::new("sheets", shape, classes, pixels, vec![0, 1, 0, 1, 0, 1], None)
    }

    fn decode(png: &[u8]) -> image::GrayImage {
        image::load_from_memory(png).unwrap().into_luma8()
    }

    #[test]
    fn every_row_shows_one_class() {
        let sheet = decode(&preview(&dataset(), 4, None).unwrap());
        // Two rows and two columns of 28×28 doubled, with gaps of 2.
        assert_eq!(sheet.dimensions(), (118, 118));
        assert_eq!(sheet.get_pixel(0, 0).0, [BACKGROUND]);
        let at = |row: u32, column: u32| sheet.get_pixel(30 + 58 * column, 30 + 58 * row).0[0];
        assert_eq!([at(0, 0), at(0, 1)], [0, 80]);
        assert_eq!([at(1, 0), at(1, 1)], [40, 120]);
    }

    #[test]
    fn with_augmentation_every_row_shows_one_image_and_nine_variations() {
        let settings = AugmentSettings {
            rotation: 0.0,
            zoom: ZoomSettings { height: 0.0, width: 0.0, uniform: false },
            shift: ShiftSettings { width: 0.4, height: 0.0 },
            shear: 0.0,
            fill: Fill::Constant(1.0),
            convention: Convention::KerasGenerator,
        };
        let dataset = dataset();
        let augmenter = Augmenter::new(&settings, dataset.shape);
        let sheet = decode(&preview(&dataset, 3, Some(&augmenter)).unwrap());
        assert_eq!(sheet.dimensions(), (2 + 10 * 58, 2 + 3 * 58));
        let bright = |column: u32| {
            let row = (0..56).map(|x| sheet.get_pixel(2 + 58 * column + x, 30).0[0]);
            row.filter(|&pixel| pixel == 255).count()
        };
        assert_eq!(bright(0), 0);
        assert!((1..10).filter(|&column| bright(column) > 0).count() > 5);
    }

    #[test]
    fn a_picture_is_the_image_itself() {
        let picture = decode(&picture(&dataset(), 3).unwrap());
        assert_eq!(picture.dimensions(), (28, 28));
        assert!(picture.pixels().all(|pixel| pixel.0 == [120]));
        let colour = ImageShape { height: 1, width: 2, channels: 3 };
        let pixels = vec![1, 2, 3, 40, 50, 60];
        let dataset =
            Dataset::new("rgb", colour, vec!["a".to_owned()], pixels.clone(), vec![0], None);
        let png = super::picture(&dataset, 0).unwrap();
        assert_eq!(image::load_from_memory(&png).unwrap().into_rgb8().into_raw(), pixels);
        assert!(super::picture(&dataset, 1).is_err());
    }

    #[test]
    fn nothing_to_draw_is_an_error() {
        let error = preview(&dataset(), 0, None).unwrap_err().to_string();
        assert!(
            error.starts_with("cannot draw a preview of dataset `sheets`: no image"),
            "{error}"
        );
    }
}
