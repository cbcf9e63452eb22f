//! What the decoder of PNM images passes over: values above the file's own maximum, and a second image.

use super::decoded::Undecodable;

/// Checks a PNM file that the decoder took.
pub(super) fn check(bytes: &[u8]) -> Result<(), Undecodable> {
    match read(bytes) {
        Some(Found { above: Some((value, maximum)), .. }) => Err(Undecodable::bad(
            format!("a value of {value} in a file whose maximum is {maximum}"),
            "values up to the maximum",
        )),
        Some(Found { has_another: true, .. }) => {
            Err(Undecodable::bad("several images", "a single image"))
        }
        _ => Ok(()),
    }
}

/// What stands in a file.
struct Found {
    /// A value above the maximum, and the maximum.
    above: Option<(u64, u64)>,
    /// Whether another image follows.
    has_another: bool,
}

fn read(bytes: &[u8]) -> Option<Found> {
    let mut words = Words { bytes, at: 2 };
    let kind = *bytes.get(1)?;
    let (width, height, channels, maximum) =
        if kind == b'7' { words.of_pam()? } else { words.of_others(kind)? };
    let values = width.checked_mul(height)?.checked_mul(channels)?;
    let above = |value: &u64| *value > maximum;
    let (found, rest) = if matches!(kind, b'1'..=b'3') {
        // Digits of a bitmap may follow each other without a space.
        let found = if kind == b'1' {
            words.skip_bits(values);
            None
        } else {
            (0..values).map_while(|_| words.number()).find(above)
        };
        (found, words.rest())
    } else {
        // One space ends the header.
        let raster = bytes.get(words.at + usize::from(kind != b'7')..)?;
        let length = match kind {
            b'4' => width.div_ceil(8).checked_mul(height)?,
            _ if maximum > 255 => values.checked_mul(2)?,
            _ => values,
        };
        let (raster, rest) = raster.split_at_checked(usize::try_from(length).ok()?)?;
        let found = match kind {
            b'4' => None,
            _ if maximum > 255 => {
                let pairs = raster.as_chunks().0.iter();
                pairs.map(|pair| u64::from(u16::from_be_bytes(*pair))).find(above)
            }
            _ => raster.iter().map(|value| u64::from(*value)).find(above),
        };
        (found, rest)
    };
    let start = rest.trim_ascii_start();
    let has_another =
        matches!(start, [b'P', b'1'..=b'7', space, ..] if space.is_ascii_whitespace());
    Some(Found { above: found.map(|value| (value, maximum)), has_another })
}

/// Reads numbers between spaces and comments.
struct Words<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl Words<'_> {
    fn rest(&self) -> &[u8] {
        self.bytes.get(self.at..).unwrap_or_default()
    }

    fn skip_spaces(&mut self) {
        loop {
            match self.rest().first() {
                Some(b'#') => {
                    let line = self.rest().iter().position(|byte| *byte == b'\n');
                    self.at += line.unwrap_or(self.rest().len());
                }
                Some(space) if space.is_ascii_whitespace() => self.at += 1,
                _ => return,
            }
        }
    }

    fn number(&mut self) -> Option<u64> {
        self.skip_spaces();
        let digits = self.rest().iter().take_while(|byte| byte.is_ascii_digit()).count();
        let number = std::str::from_utf8(&self.rest()[..digits]).ok()?.parse().ok();
        self.at += digits;
        number
    }

    fn skip_bits(&mut self, count: u64) {
        for _ in 0..count {
            self.skip_spaces();
            self.at += 1;
        }
    }

    /// Returns width, height, channels and maximum of a header of numbers.
    fn of_others(&mut self, kind: u8) -> Option<(u64, u64, u64, u64)> {
        let (width, height) = (self.number()?, self.number()?);
        let has_maximum = !matches!(kind, b'1' | b'4');
        let maximum = if has_maximum { self.number()? } else { 1 };
        let channels = if matches!(kind, b'3' | b'6') { 3 } else { 1 };
        Some((width, height, channels, maximum))
    }

    /// Returns width, height, depth and maximum of a header of lines, and stands at the pixels.
    fn of_pam(&mut self) -> Option<(u64, u64, u64, u64)> {
        const END: &[u8] = b"ENDHDR\n";
        let end = self.bytes.windows(END.len()).position(|window| window == END)?;
        let header = std::str::from_utf8(&self.bytes[..end]).ok()?;
        let value = |key: &str| {
            let line = header.lines().find_map(|line| line.trim().strip_prefix(key));
            line.and_then(|value| value.trim().parse().ok())
        };
        self.at = end + END.len();
        Some((value("WIDTH")?, value("HEIGHT")?, value("DEPTH")?, value("MAXVAL")?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problem(bytes: &[u8]) -> Option<String> {
        check(bytes).err().map(|error| match error {
            Undecodable::Bad { found, .. } => found,
            Undecodable::TooLarge(_) => panic!("nothing is too large here"),
        })
    }

    #[test]
    fn values_above_the_maximum_are_found_in_every_kind() {
        let above = |value, maximum| {
            Some(format!("a value of {value} in a file whose maximum is {maximum}"))
        };
        assert_eq!(problem(b"P5 2 1 100\n\x64\x65"), above(101, 100));
        assert_eq!(problem(b"P5 2 1 100\n\x64\x00"), None);
        assert_eq!(problem(b"P2\n# of 3\n2 1 3\n3 4\n"), above(4, 3));
        assert_eq!(problem(b"P6 1 1 9\n\x09\x09\x0a"), above(10, 9));
        assert_eq!(problem(b"P5 1 2 300\n\x01\x2c\x01\x2d"), above(301, 300));
        let pam =
            b"P7\nWIDTH 1\nHEIGHT 1\nDEPTH 2\nMAXVAL 7\nTUPLTYPE GRAYSCALE_ALPHA\nENDHDR\n\x07\x08";
        assert_eq!(problem(pam), above(8, 7));
        assert_eq!(problem(b"P1 2 2 01\n10"), None);
        assert_eq!(problem(b"P4 9 1\n\xff\x80"), None);
    }

    #[test]
    fn a_second_image_is_found() {
        let several = Some("several images".to_owned());
        assert_eq!(problem(b"P5 1 1 255\n\x01P5 1 1 255\n\x02"), several);
        assert_eq!(problem(b"P2 1 1 9\n1\nP2 1 1 9\n2\n"), several);
        assert_eq!(problem(b"P1 1 1\n1\nP1 1 1\n0\n"), several);
        assert_eq!(problem(b"P5 1 1 255\n\x01\n"), None);
    }
}
