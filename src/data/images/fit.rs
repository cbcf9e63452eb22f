//! Brings images of any size to the square that a network takes.

use std::collections::BTreeMap;

use super::resize::Resizer;
use crate::experiment::settings::{DatasetSettings, ImageFit};

/// Resizes images to one side, or leaves them as they are where none is wanted.
pub(in crate::data) struct Fitter {
    side: Option<usize>,
    fit: Option<ImageFit>,
    background: u8,
    /// One for each size of images and what it becomes.
    resizers: BTreeMap<[(usize, usize); 2], Resizer>,
}

/// An image that is not square, while nothing says how it should become so.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::data) struct NotSquare;

impl Fitter {
    /// Fits images as `settings` say.
    pub(in crate::data) fn new(settings: &DatasetSettings) -> Self {
        Self {
            side: settings.image_size,
            fit: settings.image_fit,
            background: settings.background,
            resizers: BTreeMap::new(),
        }
    }

    /// Returns the height and width that images of a size will have.
    pub(in crate::data) fn shape_of(&self, size: (usize, usize)) -> (usize, usize) {
        self.side.map_or(size, |side| (side, side))
    }

    /// Returns whether images of a size are changed.
    pub(in crate::data) fn changes(&self, size: (usize, usize)) -> bool {
        self.shape_of(size) != size
    }

    /// Appends an image of `size` (height, width) to `pixels`, brought to the side that is wanted.
    pub(in crate::data) fn append(
        &mut self,
        image: &[u8],
        size: (usize, usize),
        pixels: &mut Vec<u8>,
    ) -> Result<(), NotSquare> {
        let (height, width) = size;
        let Some(side) = self.side.filter(|_| self.changes(size)) else {
            pixels.extend_from_slice(image);
            return Ok(());
        };
        let inner = match self.fit {
            _ if height == width => (side, side),
            None => return Err(NotSquare),
            Some(ImageFit::Stretch) => (side, side),
            Some(ImageFit::Pad) => {
                let longer = height.max(width);
                let of = |length: usize| ((2 * length * side + longer) / (2 * longer)).max(1);
                (of(height), of(width))
            }
        };
        let resizer =
            self.resizers.entry([size, inner]).or_insert_with(|| Resizer::new(size, inner));
        if inner == (side, side) {
            resizer.append(image, pixels);
            return Ok(());
        }
        let mut resized = Vec::with_capacity(inner.0 * inner.1);
        resizer.append(image, &mut resized);
        let (top, left) = ((side - inner.0) / 2, (side - inner.1) / 2);
        let start = pixels.len();
        pixels.resize(start + side * side, self.background);
        for (row, values) in resized.chunks_exact(inner.1).enumerate() {
            pixels[start + (top + row) * side + left..][..inner.1].copy_from_slice(values);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::experiment::settings::Source;

    fn fitted(size: (usize, usize), side: usize, fit: Option<ImageFit>) -> Option<Vec<u8>> {
        let image: Vec<u8> = (1..=size.0 * size.1).map(|value| value as u8).collect();
        let settings = DatasetSettings {
            image_size: Some(side),
            image_fit: fit,
            background: 0,
            ..DatasetSettings::of(Source::Digits)
        };
        let mut pixels = Vec::new();
        Fitter::new(&settings).append(&image, size, &mut pixels).ok().map(|()| pixels)
    }

    #[test]
    fn padding_keeps_proportions_and_centres() {
        assert_eq!(fitted((1, 3), 3, Some(ImageFit::Pad)).unwrap(), [0, 0, 0, 1, 2, 3, 0, 0, 0]);
        assert_eq!(fitted((3, 1), 3, Some(ImageFit::Pad)).unwrap(), [0, 1, 0, 0, 2, 0, 0, 3, 0]);
        // Two columns of four rows become two of four in a square of four, none of them changed.
        let tall = fitted((4, 2), 4, Some(ImageFit::Pad)).unwrap();
        assert_eq!(tall, [0, 1, 2, 0, 0, 3, 4, 0, 0, 5, 6, 0, 0, 7, 8, 0]);
        // However thin, something of it is left.
        let thin = fitted((1, 100), 10, Some(ImageFit::Pad)).unwrap();
        assert_eq!(thin.iter().filter(|&&value| value > 0).count(), 10);
    }

    #[test]
    fn stretching_fills_the_square() {
        let wide = fitted((1, 3), 3, Some(ImageFit::Stretch)).unwrap();
        assert_eq!(wide, [1, 2, 3, 1, 2, 3, 1, 2, 3]);
    }

    #[test]
    fn without_a_fit_only_squares_are_resized() {
        assert_eq!(fitted((1, 3), 3, None), None);
        assert_eq!(fitted((1, 1), 2, None).unwrap(), [1; 4]);
    }
}
