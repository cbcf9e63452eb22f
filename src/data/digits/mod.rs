//! UCI handwritten digits, embedded, as 8×8 images or set like MNIST's 28×28.
//!
//! Origin and licence stand in `ATTRIBUTION.md` beside the file.

use std::io::Read as _;

use flate2::bufread::GzDecoder;

use super::dataset::ImageShape;
use super::images::Resizer;
use super::pool::Pool;

const PACKED: &[u8] = include_bytes!("digits.csv.gz");

/// Number of images.
pub(super) const IMAGES: usize = 1797;
/// Side of the images as stored.
const SIDE: usize = 8;
/// Largest value as stored.
const FULL: u16 = 16;
/// Side of the MNIST-style images.
const FIELD: usize = 28;
/// Side of the box that holds the digit of an MNIST-style image.
const BOX: usize = 20;
/// Where the centre of mass goes, counted from pixel 0: its mean over MNIST's training images.
const FIELD_CENTRE: f64 = 14.0;

/// Returns the images at 8×8, or at 28×28 as MNIST was made, for an `image_size` of 28.
///
/// The 28×28 images are the 8×8 ones enlarged bilinearly to 20×20 and moved by whole pixels so that
/// the centre of mass is nearest to (14, 14), where MNIST has it, as far as the field allows.
pub(super) fn read(image_size: Option<usize>) -> Pool {
    let mut text = String::new();
    GzDecoder::new(PACKED).read_to_string(&mut text).expect("the embedded file is whole");
    let field = image_size == Some(FIELD);
    let side = if field { FIELD } else { SIDE };
    let mut pixels = Vec::with_capacity(IMAGES * side * side);
    let mut labels = Vec::with_capacity(IMAGES);
    let mut setter = Setter::new();
    for line in text.lines() {
        let cells: Vec<u16> =
            line.split(',').map(|cell| cell.parse().expect("cells are whole numbers")).collect();
        let (image, label) = cells.split_at(SIDE * SIDE);
        let image: Vec<u8> =
            image.iter().map(|&value| ((value * 255 + FULL / 2) / FULL) as u8).collect();
        if field {
            setter.append(&image, &mut pixels);
        } else {
            pixels.extend(image);
        }
        labels.push(label[0]);
    }
    Pool::new(
        ImageShape { height: side, width: side, channels: 1 },
        (0..10).map(|class| class.to_string()).collect(),
        pixels,
        labels,
    )
}

/// Returns whether images of the first shape become the second by a [`Setter`].
pub(super) fn is_set(from: ImageShape, to: ImageShape) -> bool {
    let square = |side| ImageShape { height: side, width: side, channels: 1 };
    from == square(SIDE) && to == square(FIELD)
}

/// Sets 8×8 images like MNIST's 28×28.
pub(super) struct Setter {
    resizer: Resizer,
    boxed: Vec<u8>,
}

impl Setter {
    /// Prepares for any number of images.
    pub(super) fn new() -> Self {
        let resizer = Resizer::new((SIDE, SIDE), (BOX, BOX));
        Self { resizer, boxed: Vec::with_capacity(BOX * BOX) }
    }

    /// Appends an image, set, to `pixels`.
    pub(super) fn append(&mut self, image: &[u8], pixels: &mut Vec<u8>) {
        self.boxed.clear();
        self.resizer.append(image, &mut self.boxed);
        pixels.extend(centred(&self.boxed));
    }
}

/// Returns a field with `boxed` where its centre of mass is nearest to the field's.
fn centred(boxed: &[u8]) -> Vec<u8> {
    let (mut mass, mut moment_down, mut moment_across) = (0_u64, 0, 0);
    for (at, &pixel) in boxed.iter().enumerate() {
        mass += u64::from(pixel);
        moment_down += u64::from(pixel) * (at / BOX) as u64;
        moment_across += u64::from(pixel) * (at % BOX) as u64;
    }
    let offset = |moment: u64| {
        let centre = moment as f64 / mass.max(1) as f64;
        (FIELD_CENTRE - centre).round().clamp(0.0, (FIELD - BOX) as f64) as usize
    };
    let (down, across) = (offset(moment_down), offset(moment_across));
    let mut field = vec![0; FIELD * FIELD];
    for (row, line) in boxed.chunks_exact(BOX).enumerate() {
        field[(row + down) * FIELD + across..][..BOX].copy_from_slice(line);
    }
    field
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_embedded_digits_are_those_of_scikit_learn() {
        let pool = read(None);
        assert_eq!(pool.shape, ImageShape { height: 8, width: 8, channels: 1 });
        // np.bincount(sklearn.datasets.load_digits().target)
        let mut counts = [0; 10];
        pool.labels.iter().for_each(|&label| counts[usize::from(label)] += 1);
        assert_eq!(counts, [178, 182, 177, 183, 181, 182, 181, 179, 174, 180]);
        // load_digits().images[0][0] is [0, 0, 5, 13, 9, 1, 0, 0]; 13 · 255 / 16 = 207.19.
        assert_eq!(pool.pixels[..8], [0, 0, 80, 207, 143, 16, 0, 0]);
        assert_eq!(pool.pixels.len(), IMAGES * 64);
    }

    #[test]
    fn the_large_digits_stand_in_a_box_of_20_with_their_mass_in_the_middle() {
        let pool = read(Some(28));
        assert_eq!(pool.pixels.len(), IMAGES * 784);
        for image in pool.pixels.chunks_exact(784) {
            let (mut mass, mut down, mut across) = (0.0, 0.0, 0.0);
            for (at, &pixel) in image.iter().enumerate() {
                mass += f64::from(pixel);
                down += f64::from(pixel) * (at / 28) as f64;
                across += f64::from(pixel) * (at % 28) as f64;
            }
            assert!((down / mass - 14.0).abs() <= 0.5, "{}", down / mass);
            assert!((across / mass - 14.0).abs() <= 0.5, "{}", across / mass);
            let inked: Vec<usize> = (0..784).filter(|&at| image[at] > 0).collect();
            let rows = inked[inked.len() - 1] / 28 - inked[0] / 28;
            assert!(rows < 20, "{rows}");
        }
    }
}
