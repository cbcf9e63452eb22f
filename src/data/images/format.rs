//! Formats of images, told by their first bytes.

/// A format that is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Format {
    Png,
    Jpeg,
    Gif,
    Bmp,
    WebP,
    Tiff,
    Pnm,
}

/// What is read, in words.
pub(super) const READ: &str = "a PNG, JPEG, GIF, BMP, WebP, TIFF or PNM image";

/// Endings of files that are meant to be images of a format that is read.
const ENDINGS: [&str; 17] = [
    "png", "apng", "jpg", "jpeg", "jpe", "jfif", "gif", "bmp", "dib", "webp", "tif", "tiff", "pnm",
    "pbm", "pgm", "ppm", "pam",
];

/// Returns whether a file with this ending (in lower case) is meant to be an image that is read.
pub(super) fn is_image_ending(ending: &str) -> bool {
    ENDINGS.contains(&ending)
}

impl Format {
    /// Tells the format; nothing for one that is not read.
    pub(super) fn of(bytes: &[u8]) -> Option<Self> {
        Self::beyond_doubt(bytes).or(match bytes {
            [b'B', b'M', ..] => Some(Self::Bmp),
            [b'P', b'1'..=b'7', space, ..] if space.is_ascii_whitespace() || *space == b'#' => {
                Some(Self::Pnm)
            }
            _ => None,
        })
    }

    /// Tells the format of a file whose name does not say that it is an image: only from beginnings
    /// that no text has.
    pub(super) fn beyond_doubt(bytes: &[u8]) -> Option<Self> {
        match bytes {
            [0x89, b'P', b'N', b'G', b'\r', b'\n', 0x1A, b'\n', ..] => Some(Self::Png),
            [0xFF, 0xD8, 0xFF, ..] => Some(Self::Jpeg),
            [b'G', b'I', b'F', b'8', b'7' | b'9', b'a', ..] => Some(Self::Gif),
            [b'R', b'I', b'F', b'F', _, _, _, _, b'W', b'E', b'B', b'P', ..] => Some(Self::WebP),
            [b'I', b'I', b'*' | b'+', 0, ..] | [b'M', b'M', 0, b'*' | b'+', ..] => Some(Self::Tiff),
            _ => None,
        }
    }
}

/// Names what a file is that is no image of a format that is read.
pub(super) fn name_of_unread(bytes: &[u8]) -> &'static str {
    match bytes {
        [] => "nothing in it",
        [_, _, _, _, b'f', b't', b'y', b'p', b'a', b'v', b'i', ..] => "an AVIF image",
        [_, _, _, _, b'f', b't', b'y', b'p', ..] => "an HEIF image or a film",
        [0, 0, 0, 12, b'j', b'P', ..] | [0xFF, 0x4F, 0xFF, 0x51, ..] => "a JPEG 2000 image",
        [0xFF, 0x0A, ..] | [0, 0, 0, 12, b'J', b'X', b'L', ..] => "a JPEG XL image",
        [0x93, b'N', b'U', b'M', b'P', b'Y', ..] => "a NumPy array",
        [b'8', b'B', b'P', b'S', ..] => "a Photoshop file",
        [b'%', b'P', b'D', b'F', ..] => "a PDF document",
        [b'P', b'K', 3, 4, ..] => "a ZIP archive",
        [0x1F, 0x8B, ..] => "a gzip stream",
        [0x76, 0x2F, 0x31, 0x01, ..] => "an OpenEXR image",
        [0, 0, 1 | 2, 0, ..] => "an icon",
        [b'<', b's' | b'S', b'v' | b'V', b'g' | b'G', ..] => "an SVG drawing",
        [b'<', ..] => "a page of text (XML or HTML)",
        _ if bytes.get(128..132) == Some(b"DICM") => "a DICOM file",
        _ if bytes.starts_with(b"version https://git-lfs") => {
            "a Git LFS pointer, not the file itself"
        }
        _ => "no image",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formats_are_told_by_their_first_bytes() {
        let of = |bytes: &[u8]| Format::of(bytes);
        assert_eq!(of(b"\x89PNG\r\n\x1a\n...."), Some(Format::Png));
        assert_eq!(of(b"\xFF\xD8\xFF\xE0"), Some(Format::Jpeg));
        assert_eq!(of(b"RIFF....WEBPVP8 "), Some(Format::WebP));
        assert_eq!(of(b"MM\0*"), Some(Format::Tiff));
        assert_eq!(of(b"P5 3 3 255\n"), Some(Format::Pnm));
        assert_eq!(of(b"BM...."), Some(Format::Bmp));
        assert_eq!(of(b"P5x"), None);
        assert_eq!(of(b""), None);
        assert_eq!(Format::beyond_doubt(b"P5 is a prime"), None);
        assert_eq!(Format::beyond_doubt(b"BMW"), None);
    }

    #[test]
    fn what_is_not_read_has_a_name() {
        assert_eq!(name_of_unread(b""), "nothing in it");
        assert_eq!(name_of_unread(b"\0\0\0\x1cftypavif"), "an AVIF image");
        assert_eq!(name_of_unread(b"\0\0\0\x1cftypheic"), "an HEIF image or a film");
        assert_eq!(name_of_unread(b"<svg xmlns"), "an SVG drawing");
        assert_eq!(name_of_unread(b"hello"), "no image");
    }
}
