//! Decodes image files of every format that is read.
//!
//! What a file decodes to depends on the file alone: JPEG, the one format whose decoder has routines
//! for particular instruction sets, is decoded by one that was built without them.

use std::io::Cursor;
use std::path::Path;

use image::codecs::bmp::BmpDecoder;
use image::codecs::gif::GifDecoder;
use image::codecs::png::PngDecoder;
use image::codecs::pnm::PnmDecoder;
use image::codecs::webp::WebPDecoder;
use image::metadata::Orientation;
use image::{
    AnimationDecoder as _, DynamicImage, GrayImage, ImageDecoder, ImageError, Limits, RgbImage,
};
use zune_core::bytestream::ZCursor;
use zune_core::colorspace::ColorSpace;
use zune_core::options::DecoderOptions;
use zune_jpeg::JpegDecoder;

use super::decoded::{Decoded, Undecodable, check_pixels, upright};
use super::format::{Format, READ, name_of_unread};
use super::{pnm, tiff};
use crate::data::error::LoadError;
use crate::experiment::settings::LimitSettings;

/// Decodes the content of the file at `path`.
pub(super) fn decode(
    path: &Path,
    bytes: &[u8],
    limits: &LimitSettings,
) -> Result<Decoded, LoadError> {
    decode_any(bytes, limits).map_err(|problem| match problem {
        Undecodable::Bad { found, expected } => LoadError::content(path, found, expected),
        Undecodable::TooLarge([height, width]) => LoadError::Limit {
            path: path.to_owned(),
            found: format!("{height}×{width} pixels (height×width)"),
            key: "image-megapixels",
            limit: limits.image_megapixels,
            enough: height.saturating_mul(width).div_ceil(1_000_000),
        },
    })
}

fn decode_any(bytes: &[u8], limits: &LimitSettings) -> Result<Decoded, Undecodable> {
    let cursor = || Cursor::new(bytes);
    // Text and colour profiles beside the pixels are not worth more.
    let most_bytes = limits.image_megapixels.saturating_mul(8_000_000).saturating_add(1 << 20);
    let mut of_file = Limits::no_limits();
    of_file.max_alloc = Some(most_bytes);
    match Format::of(bytes) {
        None => Err(Undecodable::bad(name_of_unread(bytes), READ)),
        Some(Format::Jpeg) => jpeg(bytes, limits),
        Some(Format::Tiff) => tiff::decode(bytes, limits),
        Some(Format::Png) => {
            let decoder = PngDecoder::with_limits(cursor(), of_file)?;
            let is_animated = decoder.is_apng()?;
            decode_by(decoder, is_animated, limits)
        }
        Some(Format::WebP) => {
            let decoder = WebPDecoder::new(cursor())?;
            let is_animated = decoder.has_animation();
            decode_by(decoder, is_animated, limits)
        }
        Some(Format::Gif) => {
            // A frame may be larger than the picture that it is a part of.
            let open = || {
                let mut decoder = GifDecoder::new(cursor())?;
                decoder.set_limits(of_file.clone())?;
                Ok::<_, ImageError>(decoder)
            };
            let decoder = open()?;
            check_pixels(decoder.dimensions(), limits)?;
            let is_animated = decoder.into_frames().take(2).flatten().count() > 1;
            decode_by(open()?, is_animated, limits)
        }
        Some(Format::Bmp) => decode_by(BmpDecoder::new(cursor())?, false, limits),
        Some(Format::Pnm) => {
            let decoded = decode_by(PnmDecoder::new(cursor())?, false, limits)?;
            pnm::check(bytes)?;
            Ok(decoded)
        }
    }
}

fn decode_by(
    mut decoder: impl ImageDecoder,
    is_animated: bool,
    limits: &LimitSettings,
) -> Result<Decoded, Undecodable> {
    check_pixels(decoder.dimensions(), limits)?;
    if is_animated {
        return Err(Undecodable::bad("an animation", "a single image"));
    }
    // Metadata that cannot be read turn nothing.
    let orientation = decoder.orientation().unwrap_or(Orientation::NoTransforms);
    Ok(upright(DynamicImage::from_decoder(decoder)?, orientation))
}

fn jpeg(bytes: &[u8], limits: &LimitSettings) -> Result<Decoded, Undecodable> {
    let problem = |error: zune_jpeg::errors::DecodeErrors| Undecodable::unreadable(error);
    let options = DecoderOptions::default()
        .set_strict_mode(true)
        .set_max_width(usize::MAX)
        .set_max_height(usize::MAX);
    let mut decoder = JpegDecoder::new_with_options(ZCursor::new(bytes), options);
    decoder.decode_headers().map_err(problem)?;
    let info = decoder.info().expect("the headers are decoded");
    let (width, height) = (u32::from(info.width), u32::from(info.height));
    check_pixels((width, height), limits)?;
    let (color, channels) = match decoder.input_colorspace() {
        Some(ColorSpace::Luma) => (ColorSpace::Luma, 1),
        Some(ColorSpace::RGB | ColorSpace::YCbCr) => (ColorSpace::RGB, 3),
        Some(ColorSpace::CMYK | ColorSpace::YCCK) => {
            return Err(Undecodable::bad("the colours of print (CMYK)", "grey or RGB"));
        }
        _ => return Err(Undecodable::bad("colours of an unknown kind", "grey or RGB")),
    };
    let orientation = decoder.exif().and_then(|exif| Orientation::from_exif_chunk(exif));
    decoder.set_options(options.jpeg_set_out_colorspace(color));
    let pixels = decoder.decode().map_err(problem)?;
    let image = if channels == 1 {
        GrayImage::from_raw(width, height, pixels).map(DynamicImage::from)
    } else {
        RgbImage::from_raw(width, height, pixels).map(DynamicImage::from)
    };
    let image = image.ok_or_else(|| Undecodable::unreadable("fewer pixels than announced"))?;
    Ok(upright(image, orientation.unwrap_or(Orientation::NoTransforms)))
}

#[cfg(test)]
#[path = "decode_tests.rs"]
mod tests;
