//! Random affine variation of images.
//!
//! Two published conventions are followed, whatever the image size:
//!
//! - [`Convention::KerasGenerator`]: `ImageDataGenerator`. One map, `rotation · shift · shear · zoom`
//!   in this order of matrices, about the centre, read once. The centre is `(size − 1) / 2`, as Keras
//!   has had it since 2.9; every keras-preprocessing (up to 1.1.2, in Keras up to 2.8) turns about
//!   `size / 2 + 0.5`, one pixel off. Rows and columns are keras-preprocessing's: Keras 2.9 and later
//!   exchange them before reading, so that a range of heights moves columns there and shear slants the
//!   other way. Equal shifts and zooms without shear mean the same in both.
//! - [`Convention::KerasLayers`]: `RandomRotation`, `RandomZoom`, `RandomTranslation` one after
//!   another, each reading the image bilinearly on its own, as the layers do; what is drawn as nothing
//!   is passed over. Keras 2 has no layer for shear; here the generator's shear stands before the
//!   translation.
//!
//! Both read bilinearly (`order=1` of `scipy.ndimage.affine_transform`), with the fill modes `nearest`
//! and `reflect` of SciPy. `wrap` is SciPy's for the generator (it lays the last pixel on the first: its
//! period is one less than the size) and TensorFlow's for the layers (its period is the size). A
//! constant fill is SciPy's `constant` for the generator and `grid-constant` (blended with the edge
//! pixel) for the layers.
//!
//! What is drawn for an image depends on its key alone, each quantity on a draw of its own, so a wider
//! range of one leaves the others as they were.

use super::affine::Affine;
use super::counter::Counter;
use super::dataset::ImageShape;
use super::resample::{Outside, Resampler};
use crate::experiment::settings::{AugmentSettings, Convention, Fill};

/// Which variation of which image: a word for member and epoch, and the image's index in the pool.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct AugmentKey {
    /// [`crate::base::SeedPath::word`] of the stream `Augment` at the epoch.
    pub word: u64,
    /// Index of the image in its pool.
    pub image: u32,
}

/// Varies images as the settings say; keeps its memory between images.
#[derive(Debug, Clone)]
pub struct Augmenter {
    settings: AugmentSettings,
    shape: ImageShape,
    resampler: Resampler,
    between: Vec<f32>,
}

/// What was drawn for one image.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Draws {
    /// Degrees.
    rotation: f64,
    /// Pixels, down and across.
    shift: [f64; 2],
    /// Degrees.
    shear: f64,
    /// Factors, down and across.
    zoom: [f64; 2],
}

/// The maps of one image, in the order they are read along.
type Maps = [Option<Affine>; 4];

impl Augmenter {
    /// Prepares for images of one shape.
    ///
    /// # Panics
    /// If the shape is empty or has more than 2048×2048 pixels, which [`super::load`] refuses.
    #[must_use]
    pub fn new(settings: &AugmentSettings, shape: ImageShape) -> Self {
        assert!(!shape.is_empty(), "images have at least one pixel");
        let outside = match (settings.fill, settings.convention) {
            (Fill::Nearest, _) => Outside::Nearest,
            (Fill::Reflect, _) => Outside::Reflect,
            (Fill::Wrap, Convention::KerasGenerator) => Outside::Wrap,
            (Fill::Wrap, Convention::KerasLayers) => Outside::LayersWrap,
            (Fill::Constant(value), Convention::KerasGenerator) => Outside::Constant(value as f32),
            (Fill::Constant(value), Convention::KerasLayers) => Outside::GridConstant(value as f32),
        };
        Self {
            settings: settings.clone(),
            shape,
            resampler: Resampler::new(shape, outside),
            between: vec![0.0; shape.len()],
        }
    }

    /// Returns whether every image comes out as it went in.
    pub(crate) fn changes_nothing(&self) -> bool {
        let AugmentSettings { rotation, zoom, shift, shear, .. } = &self.settings;
        [*rotation, zoom.height, zoom.width, shift.width, shift.height, *shear]
            .iter()
            .all(|&range| range == 0.0)
    }

    /// Writes the variation of `image` under `key` to `out`, values from 0 to 1.
    ///
    /// # Panics
    /// If `image` and `out` are not of the shape prepared for.
    pub(crate) fn augment(&mut self, image: &[u8], key: AugmentKey, out: &mut [f32]) {
        assert!(image.len() == self.shape.len() && out.len() == image.len(), "the shape fits");
        let maps = if self.changes_nothing() { [None; 4] } else { self.maps(&self.draw(key)) };
        self.read_along(maps, image, out);
    }

    fn read_along(&mut self, maps: Maps, image: &[u8], out: &mut [f32]) {
        let mut maps = maps.into_iter().flatten();
        let Some(first) = maps.next() else {
            return scale(image, out);
        };
        self.resampler.take_bytes(image);
        self.resampler.read(&first, out);
        for map in maps {
            self.between.copy_from_slice(out);
            self.resampler.take_values(&self.between);
            self.resampler.read(&map, out);
        }
    }

    fn draw(&self, key: AugmentKey) -> Draws {
        let AugmentSettings { rotation, zoom, shift, shear, .. } = &self.settings;
        let mut counter = Counter::of_item(key.word, u64::from(key.image));
        let mut within = |range: f64| range * counter.signed();
        let rotation = within(*rotation);
        let shift = [
            within(shift.height * self.shape.height as f64),
            within(shift.width * self.shape.width as f64),
        ];
        let shear = within(*shear);
        let (down, across) = (1.0 + within(zoom.height), 1.0 + within(zoom.width));
        let zoom = [down, if zoom.uniform { down } else { across }];
        Draws { rotation, shift, shear, zoom }
    }

    fn maps(&self, draws: &Draws) -> Maps {
        let ImageShape { height, width, .. } = self.shape;
        let Draws { rotation, shift, shear, zoom } = *draws;
        let centred = |map: Affine| {
            let changes = map != Affine::IDENTITY;
            changes.then(|| map.about_centre(height, width))
        };
        match self.settings.convention {
            Convention::KerasGenerator => {
                let map = Affine::rotation(rotation)
                    .after(&Affine::shift(shift[0], shift[1]))
                    .after(&Affine::shear(shear))
                    .after(&Affine::zoom(zoom[0], zoom[1]));
                [centred(map), None, None, None]
            }
            // The layers turn the other way and move the image, not the place it is read at.
            Convention::KerasLayers => [
                centred(Affine::rotation(-rotation)),
                centred(Affine::zoom(zoom[0], zoom[1])),
                centred(Affine::shear(shear)),
                centred(Affine::shift(-shift[0], -shift[1])),
            ],
        }
    }
}

/// Writes `image` to `out`, 255 becoming 1.
pub(super) fn scale(image: &[u8], out: &mut [f32]) {
    for (value, &pixel) in out.iter_mut().zip(image) {
        *value = f32::from(pixel) / 255.0;
    }
}

#[cfg(test)]
mod tests;
