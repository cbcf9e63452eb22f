//! Decodes TIFF files: one page of grey or RGB values of 1, 8 or 16 bits, with or without opacity.

use std::io::Cursor;

use image::metadata::Orientation;
use image::{DynamicImage, ImageBuffer};
use tiff::decoder::{Decoder, DecodingResult, Limits};
use tiff::tags::Tag;
use tiff::{ColorType, TiffError};

use super::decoded::{Decoded, Undecodable, check_pixels, upright};
use crate::experiment::settings::LimitSettings;

/// Value of `ExtraSamples` that says colours were multiplied by their opacity.
const ASSOCIATED: u16 = 1;
/// Value of `PlanarConfiguration` that says the values of a pixel lie beside each other.
const CHUNKY: u16 = 1;
/// Value of `PhotometricInterpretation` that says values are indices of a palette.
const OF_PALETTE: u16 = 3;
const EXPECTED: &str = "grey or RGB values of 1, 8 or 16 bits";

impl From<TiffError> for Undecodable {
    fn from(error: TiffError) -> Self {
        Self::unreadable(error)
    }
}

pub(super) fn decode(bytes: &[u8], limits: &LimitSettings) -> Result<Decoded, Undecodable> {
    let mut decoder = Decoder::new(Cursor::new(bytes))?;
    let (width, height) = decoder.dimensions()?;
    check_pixels((width, height), limits)?;
    let mut of_file = Limits::default();
    let most = limits.image_megapixels.saturating_mul(8_000_000);
    of_file.decoding_buffer_size = usize::try_from(most).unwrap_or(usize::MAX);
    let mut decoder = decoder.with_limits(of_file);
    if decoder.more_images() {
        return Err(Undecodable::bad("several pages", "a single image"));
    }
    let kind = decoder.find_tag_unsigned::<u16>(Tag::PhotometricInterpretation)?;
    if kind == Some(OF_PALETTE) {
        return Err(Undecodable::bad("colours of a palette", EXPECTED));
    }
    let color = decoder.colortype()?;
    let planes = decoder.find_tag_unsigned::<u16>(Tag::PlanarConfiguration)?.unwrap_or(CHUNKY);
    if planes != CHUNKY && !matches!(color, ColorType::Gray(_)) {
        return Err(Undecodable::bad("colours in planes of their own", "colours pixel by pixel"));
    }
    let orientation = decoder
        .find_tag_unsigned::<u8>(Tag::Orientation)
        .ok()
        .flatten()
        .and_then(Orientation::from_exif)
        .unwrap_or(Orientation::NoTransforms);
    let extra = decoder.find_tag_unsigned_vec::<u16>(Tag::ExtraSamples).ok().flatten();
    let size = (width, height);
    let image = match (color, decoder.read_image()?) {
        (ColorType::Gray(1), DecodingResult::U8(bits)) => {
            let row = width.div_ceil(8) as usize;
            let pixels = bits.chunks_exact(row).flat_map(|row| {
                (0..width as usize).map(|at| (row[at / 8] >> (7 - at % 8) & 1) * u8::MAX)
            });
            of_pixels(size, pixels.collect()).map(DynamicImage::ImageLuma8)
        }
        (ColorType::Gray(8), DecodingResult::U8(pixels)) => {
            of_pixels(size, pixels).map(DynamicImage::ImageLuma8)
        }
        (ColorType::GrayA(8), DecodingResult::U8(pixels)) => {
            of_pixels(size, pixels).map(DynamicImage::ImageLumaA8)
        }
        (ColorType::RGB(8), DecodingResult::U8(pixels)) => {
            of_pixels(size, pixels).map(DynamicImage::ImageRgb8)
        }
        (ColorType::RGBA(8), DecodingResult::U8(pixels)) => {
            of_pixels(size, pixels).map(DynamicImage::ImageRgba8)
        }
        (ColorType::Gray(16), DecodingResult::U16(pixels)) => {
            of_pixels(size, pixels).map(DynamicImage::ImageLuma16)
        }
        (ColorType::GrayA(16), DecodingResult::U16(pixels)) => {
            of_pixels(size, pixels).map(DynamicImage::ImageLumaA16)
        }
        (ColorType::RGB(16), DecodingResult::U16(pixels)) => {
            of_pixels(size, pixels).map(DynamicImage::ImageRgb16)
        }
        (ColorType::RGBA(16), DecodingResult::U16(pixels)) => {
            of_pixels(size, pixels).map(DynamicImage::ImageRgba16)
        }
        (color, _) => return Err(Undecodable::bad(kind_of(color), EXPECTED)),
    };
    let image = image.ok_or_else(|| Undecodable::unreadable("fewer pixels than announced"))?;
    let is_premultiplied = extra.is_some_and(|kinds| kinds.last() == Some(&ASSOCIATED));
    Ok(Decoded { is_premultiplied, ..upright(image, orientation) })
}

/// Puts pixels into an image; nothing where they are too few.
fn of_pixels<P: image::Pixel>(
    (width, height): (u32, u32),
    pixels: Vec<P::Subpixel>,
) -> Option<ImageBuffer<P, Vec<P::Subpixel>>> {
    ImageBuffer::from_raw(width, height, pixels)
}

fn kind_of(color: ColorType) -> String {
    let bits = color.bit_depth();
    let kind = match color {
        ColorType::CMYK(_) | ColorType::CMYKA(_) => "the colours of print (CMYK)",
        ColorType::YCbCr(_) => "YCbCr colours",
        ColorType::Lab(_) => "L*a*b* colours",
        ColorType::Gray(_) | ColorType::GrayA(_) => "grey values",
        ColorType::RGB(_) | ColorType::RGBA(_) => "RGB values",
        _ => "bands",
    };
    format!("{kind} of {bits} bits, or with a sign or a fraction")
}
