//! Any kind of pixel as one grey value from 0 to 255.
//!
//! Colour becomes grey by Rec. 709 luma in whole numbers; opacity lays it on a background; values are
//! scaled, 0 to black and `white` to white, and rounded once.

use image::DynamicImage;

use super::decoded::Decoded;

/// How stored values become grey.
#[derive(Debug, Clone, Copy)]
pub(super) struct Tone {
    /// Grey value that transparent pixels are laid on.
    pub(super) background: u8,
    /// The stored value that is white; absent: the largest there can be.
    pub(super) white: Option<u16>,
}

/// An image in grey.
pub(super) struct Grey {
    pub(super) pixels: Vec<u8>,
    /// Whether any pixel had a colour.
    pub(super) is_colour: bool,
    /// Whether any pixel let the background through.
    pub(super) is_transparent: bool,
    /// The largest value, where values have 16 bits.
    pub(super) deepest: Option<u16>,
}

/// A value above the one that should be white.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct TooBright {
    pub(super) found: u32,
    pub(super) white: u32,
}

/// Makes an image grey.
pub(super) fn grey(decoded: &Decoded, tone: Tone) -> Result<Grey, TooBright> {
    use DynamicImage as D;
    let is_premultiplied = decoded.is_premultiplied;
    let bytes = |samples: &[u8], channels| of_samples(samples, channels, is_premultiplied, tone);
    let words = |samples: &[u16], channels| of_samples(samples, channels, is_premultiplied, tone);
    match &decoded.image {
        D::ImageLuma8(image) => bytes(image.as_raw(), 1),
        D::ImageLumaA8(image) => bytes(image.as_raw(), 2),
        D::ImageRgb8(image) => bytes(image.as_raw(), 3),
        D::ImageRgba8(image) => bytes(image.as_raw(), 4),
        D::ImageLuma16(image) => words(image.as_raw(), 1),
        D::ImageLumaA16(image) => words(image.as_raw(), 2),
        D::ImageRgb16(image) => words(image.as_raw(), 3),
        D::ImageRgba16(image) => words(image.as_raw(), 4),
        // No format that is read holds anything else.
        other => bytes(other.to_rgba8().as_raw(), 4),
    }
}

/// A stored value.
trait Sample: Copy + Ord + Into<u32> {
    /// The largest there can be.
    const FULL: u32;
}

impl Sample for u8 {
    const FULL: u32 = 255;
}

impl Sample for u16 {
    const FULL: u32 = 65_535;
}

fn of_samples<S: Sample>(
    samples: &[S],
    channels: usize,
    is_premultiplied: bool,
    tone: Tone,
) -> Result<Grey, TooBright> {
    let white = tone.white.map_or(S::FULL, u32::from).min(S::FULL);
    let (mut is_colour, mut is_transparent, mut brightest) = (false, false, 0);
    let mut pixels = Vec::with_capacity(samples.len() / channels);
    for pixel in samples.chunks_exact(channels) {
        let value = match *pixel {
            [red, green, blue] | [red, green, blue, _] => {
                is_colour |= red != green || green != blue;
                luma([red.into(), green.into(), blue.into()])
            }
            [grey, ..] => grey.into(),
            [] => 0,
        };
        let opacity = if channels.is_multiple_of(2) { pixel[channels - 1].into() } else { S::FULL };
        is_transparent |= opacity < S::FULL;
        if opacity > 0 {
            brightest = brightest.max(value);
        }
        let value = value.min(white);
        pixels.push(if is_premultiplied {
            laid(value, S::FULL, opacity, white, S::FULL, tone.background)
        } else {
            laid(value, opacity, opacity, white, S::FULL, tone.background)
        });
    }
    if brightest > white {
        return Err(TooBright { found: brightest, white });
    }
    let deepest = (S::FULL > 255).then_some(brightest as u16);
    Ok(Grey { pixels, is_colour, is_transparent, deepest })
}

/// Returns the luma of a colour: Rec. 709 weights in whole numbers, rounded.
fn luma([red, green, blue]: [u32; 3]) -> u32 {
    (2126 * red + 7152 * green + 722 * blue + 5000) / 10_000
}

/// Returns 255 · value/white · share/full + background · (1 − opacity/full), rounded once.
fn laid(value: u32, share: u32, opacity: u32, white: u32, full: u32, background: u8) -> u8 {
    let [value, share, opacity, white, full] = [value, share, opacity, white, full].map(u64::from);
    let whole = white * full;
    let sum = 255 * value * share + u64::from(background) * white * (full - opacity);
    ((sum + whole / 2) / whole).min(255) as u8
}

#[cfg(test)]
mod tests {
    use image::{ImageBuffer, Luma, LumaA, Rgb, Rgba};

    use super::*;

    const PLAIN: Tone = Tone { background: 255, white: None };

    fn of(image: impl Into<DynamicImage>, tone: Tone) -> Grey {
        let decoded = Decoded { image: image.into(), is_turned: false, is_premultiplied: false };
        grey(&decoded, tone).unwrap_or_else(|problem| panic!("{problem:?}"))
    }

    #[test]
    fn opaque_images_are_as_grey_as_the_crate_image_makes_them() {
        // The crate sums colours in floating point, with weights of seven digits.
        let (mut eight, mut sixteen) = (Vec::new(), Vec::new());
        let mut state = 7_u32;
        for _ in 0..3 * 64 * 64 {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            eight.push((state >> 24) as u8);
            sixteen.push((state >> 16) as u16);
        }
        let luma8 = |image: DynamicImage| image.into_luma8().into_raw();
        let rgb = ImageBuffer::<Rgb<u8>, _>::from_raw(64, 64, eight).unwrap();
        let found = of(rgb.clone(), PLAIN);
        let theirs = luma8(rgb.into());
        assert!(found.pixels.iter().zip(&theirs).all(|(own, their)| own.abs_diff(*their) <= 1));
        let equal = found.pixels.iter().zip(&theirs).filter(|(own, their)| own == their).count();
        assert!(equal > 4000, "{equal} of 4096");
        assert!(found.is_colour && !found.is_transparent && found.deepest.is_none());
        let grey = ImageBuffer::<Luma<u16>, _>::from_raw(192, 64, sixteen).unwrap();
        let found = of(grey.clone(), PLAIN);
        assert!(found.pixels == luma8(grey.into()));
        assert!(found.deepest.is_some() && !found.is_colour);
    }

    #[test]
    fn transparent_images_are_laid_on_the_background() {
        // Image.composite(Image.new("L", (1, 1), v), Image.new("L", (1, 1), b), Image.new("L", (1, 1), a))
        // .getpixel((0, 0)) for (v, a, b), Pillow 13.
        let cases = [
            (0, 0, 255, 255),
            (0, 128, 255, 127),
            (0, 255, 255, 0),
            (200, 100, 255, 233),
            (200, 100, 0, 78),
            (13, 77, 99, 73),
        ];
        for (value, opacity, background, expected) in cases {
            let tone = Tone { background, white: None };
            let grey = ImageBuffer::from_pixel(1, 1, LumaA([value, opacity]));
            assert_eq!(of(grey, tone).pixels, [expected], "{value} {opacity} {background}");
            let [v, a] = [value, opacity].map(|byte: u8| u16::from(byte) * 257);
            let deep = ImageBuffer::from_pixel(1, 1, Rgba([v, v, v, a]));
            assert_eq!(of(deep, tone).pixels, [expected], "{value} {opacity} {background}");
        }
        let opaque = of(ImageBuffer::from_pixel(1, 1, Rgba([7_u8, 7, 7, 255])), PLAIN);
        assert!(!opaque.is_transparent && !opaque.is_colour);
    }

    #[test]
    fn colours_multiplied_by_their_opacity_are_not_multiplied_again() {
        let image = DynamicImage::from(ImageBuffer::from_pixel(1, 1, LumaA([78_u8, 100])));
        let decoded = Decoded { image, is_turned: false, is_premultiplied: true };
        let found = |background| {
            let tone = Tone { background, white: None };
            grey(&decoded, tone).unwrap_or_else(|problem| panic!("{problem:?}")).pixels
        };
        assert_eq!((found(0), found(255)), (vec![78], vec![233]));
    }

    #[test]
    fn values_are_scaled_so_that_white_is_white() {
        let of_values = |values: [u16; 4], white| {
            let image = ImageBuffer::<Luma<u16>, _>::from_raw(4, 1, values.to_vec()).unwrap();
            let decoded =
                Decoded { image: image.into(), is_turned: false, is_premultiplied: false };
            grey(&decoded, Tone { background: 255, white: Some(white) }).map(|grey| grey.pixels)
        };
        assert_eq!(of_values([0, 2048, 4095, 16], 4095), Ok(vec![0, 128, 255, 1]));
        let problem = of_values([0, 2048, 5000, 16], 4095);
        assert_eq!(problem, Err(TooBright { found: 5000, white: 4095 }));
        // Eight bits hold no more than 255, whatever is white in other files.
        let eight = ImageBuffer::from_pixel(1, 1, Luma([255_u8]));
        assert_eq!(of(eight, Tone { background: 255, white: Some(4095) }).pixels, [255]);
    }
}
