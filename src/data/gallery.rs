//! Galleries: images on one PNG, each with a caption below it.

use image::codecs::png::PngEncoder;
use image::{ExtendedColorType, ImageEncoder as _};

use super::dataset::Dataset;
use super::error::DataError;
use super::letters;

/// Images are enlarged by whole factors up to at least this side.
const SIDE: usize = 56;
/// Pixels around an image.
const MARGIN: usize = 6;
/// Pixels of a caption's line.
const LINE: usize = 2 * letters::HEIGHT + 6;
/// What the sheet is made of.
const PAPER: [u8; 3] = [250, 250, 250];
const INK: [u8; 3] = [20, 20, 20];
/// Captions of mistakes.
const RED: [u8; 3] = [190, 20, 20];

/// One image of a gallery.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct GalleryImage {
    /// Its index in the pool.
    pub index: u32,
    /// What stands below it.
    pub caption: String,
    /// Whether the caption is red.
    pub is_mistake: bool,
}

/// Draws `images` in rows of `columns` on one PNG and returns its bytes.
///
/// # Errors
/// If there is no image, or the sheet is too large for a PNG.
pub(crate) fn gallery(
    dataset: &Dataset,
    images: &[GalleryImage],
    columns: usize,
) -> Result<Vec<u8>, DataError> {
    let problem = |problem: String| DataError::Preview { dataset: dataset.name.clone(), problem };
    if images.is_empty() || columns == 0 {
        return Err(problem("no image to draw, expected at least one".to_owned()));
    }
    let shape = dataset.shape;
    let factor = SIDE.div_ceil(shape.height.max(shape.width)).max(1);
    let columns = columns.min(images.len());
    let (width, height) = (shape.width * factor, shape.height * factor);
    let (cell_width, cell_height) = (width + MARGIN, height + MARGIN + LINE);
    let full =
        (MARGIN + columns * cell_width, MARGIN + images.len().div_ceil(columns) * cell_height);
    let mut pixels: Vec<u8> = PAPER.repeat(full.0 * full.1);
    let mut dot = |x: usize, y: usize, colour: [u8; 3]| {
        if x < full.0 && y < full.1 {
            pixels[3 * (y * full.0 + x)..][..3].copy_from_slice(&colour);
        }
    };
    for (index, image) in images.iter().enumerate() {
        let left = MARGIN + index % columns * cell_width;
        let top = MARGIN + index / columns * cell_height;
        let values = dataset.image(image.index as usize);
        for y in 0..height {
            for x in 0..width {
                let at = (y / factor * shape.width + x / factor) * shape.channels;
                dot(left + x, top + y, [values[at]; 3]);
            }
        }
        let colour = if image.is_mistake { RED } else { INK };
        let fitting = (width + MARGIN) / (2 * letters::ADVANCE);
        for (at, letter) in image.caption.chars().take(fitting).enumerate() {
            for (x, y) in letters::dots(letter) {
                let corner = (left + 2 * (at * letters::ADVANCE + x), top + height + 4 + 2 * y);
                for (dx, dy) in [(0, 0), (1, 0), (0, 1), (1, 1)] {
                    dot(corner.0 + dx, corner.1 + dy, colour);
                }
            }
        }
    }
    let mut png = Vec::new();
    PngEncoder::new(&mut png)
        .write_image(&pixels, full.0 as u32, full.1 as u32, ExtendedColorType::Rgb8)
        .map_err(|error| problem(error.to_string()))?;
    Ok(png)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::ImageShape;

    #[test]
    fn a_gallery_shows_every_image_and_its_caption_in_its_place() {
        let shape = ImageShape { height: 28, width: 28, channels: 1 };
        let pixels = [vec![0; 784], vec![128; 784]].concat();
        let dataset = Dataset::new("two", shape, vec!["a".to_owned()], pixels, vec![0, 0], None);
        let image =
            |index, is_mistake| GalleryImage { index, caption: "7 not 2".to_owned(), is_mistake };
        let png = gallery(&dataset, &[image(0, false), image(1, true)], 10).unwrap();
        let drawn = image::load_from_memory(&png).unwrap().into_rgb8();
        assert_eq!(drawn.dimensions(), (6 + 2 * 62, 6 + 62 + LINE as u32));
        assert_eq!(drawn.get_pixel(20, 20).0, [0; 3]);
        assert_eq!(drawn.get_pixel(20 + 62, 20).0, [128; 3]);
        let count = |colour: [u8; 3]| drawn.pixels().filter(|pixel| pixel.0 == colour).count();
        assert_eq!(count(INK), count(RED));
        assert!(count(RED) > 50);
        assert!(gallery(&dataset, &[], 10).is_err());
    }
}
