//! An image once it is decoded, and why one could not be.

use image::metadata::Orientation;
use image::{DynamicImage, ImageError};

use super::format::READ;
use crate::experiment::settings::LimitSettings;

/// An image as it is seen: upright.
pub(super) struct Decoded {
    pub(super) image: DynamicImage,
    /// Whether its metadata turned or mirrored it.
    pub(super) is_turned: bool,
    /// Whether its colours were multiplied by their opacity already.
    pub(super) is_premultiplied: bool,
}

/// Why bytes could not be decoded, before the file is named.
pub(super) enum Undecodable {
    /// What was found, and what was expected.
    Bad { found: String, expected: &'static str },
    /// So many rows and columns are too many.
    TooLarge([u64; 2]),
}

impl Undecodable {
    pub(super) fn bad(found: impl Into<String>, expected: &'static str) -> Self {
        Self::Bad { found: found.into(), expected }
    }

    /// Names a problem of a decoder.
    pub(super) fn unreadable(problem: impl std::fmt::Display) -> Self {
        // Some decoders break their lines.
        let problem = problem.to_string().split_whitespace().collect::<Vec<_>>().join(" ");
        Self::bad(format!("no readable image ({problem})"), READ)
    }
}

impl From<ImageError> for Undecodable {
    fn from(error: ImageError) -> Self {
        if let ImageError::Limits(_) = error {
            return Self::bad(
                "a part that takes more memory than the picture may",
                "pixels within `dataset.limits.image-megapixels`",
            );
        }
        Self::unreadable(error)
    }
}

/// Refuses an image of more pixels than the limits allow, from its header alone.
pub(super) fn check_pixels(
    (width, height): (u32, u32),
    limits: &LimitSettings,
) -> Result<(), Undecodable> {
    let [height, width] = [height, width].map(u64::from);
    if height == 0 || width == 0 {
        return Err(Undecodable::bad(format!("{height}×{width} pixels"), "at least one pixel"));
    }
    if height * width > limits.image_megapixels.saturating_mul(1_000_000) {
        return Err(Undecodable::TooLarge([height, width]));
    }
    Ok(())
}

/// Turns an image as its metadata say.
pub(super) fn upright(mut image: DynamicImage, orientation: Orientation) -> Decoded {
    image.apply_orientation(orientation);
    let is_turned = orientation != Orientation::NoTransforms;
    Decoded { image, is_turned, is_premultiplied: false }
}
