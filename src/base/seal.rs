//! Checksums that travel with what they cover: of a line, of a document, of bytes.
//!
//! A checksum is an XXH3 hash of 64 bits, written as 16 lower-case hexadecimal digits. It finds
//! damage by disks, copies and editors; it does not keep anybody from forging a file. Invariant:
//! every byte of a sealed line decides whether the line is accepted.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::{Map, Value};
use twox_hash::XxHash3_64;

use super::text::harmless;

/// Key of the checksum, always the last of its object.
const KEY: &str = "check";
/// Digits of a checksum.
const DIGITS: usize = 16;
/// What stands between the content of a sealed line and the digits.
const BEFORE: &[u8] = b"\"check\":\"";
/// What stands after the digits.
const AFTER: &[u8] = b"\"}";
/// Bytes of a seal.
const SEAL: usize = BEFORE.len() + DIGITS + AFTER.len();

/// A checksum of 64 bits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Check(u64);

impl Check {
    /// What the first link of a chain follows.
    pub const START: Self = Self(0);

    /// Returns the checksum of `bytes`.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Self {
        Self::START.then(bytes)
    }

    /// Returns the checksum of `bytes` in a chain, after the link with this checksum.
    #[must_use]
    pub fn then(self, bytes: &[u8]) -> Self {
        Self(XxHash3_64::oneshot_with_seed(self.0, bytes))
    }
}

impl fmt::Display for Check {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

impl fmt::Debug for Check {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

/// Says that a text is no checksum.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no checksum: expected 16 lower-case hexadecimal digits")]
pub struct ParseCheckError(String);

impl FromStr for Check {
    type Err = ParseCheckError;

    fn from_str(text: &str) -> Result<Self, ParseCheckError> {
        read_digits(text.as_bytes()).ok_or_else(|| ParseCheckError(text.to_owned()))
    }
}

impl Serialize for Check {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Check {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

/// Reads the digits as they are written, no other way: a flipped letter case is damage, too.
fn read_digits(digits: &[u8]) -> Option<Check> {
    if digits.len() != DIGITS {
        return None;
    }
    let mut value = 0u64;
    for digit in digits {
        let digit = match digit {
            b'0'..=b'9' => digit - b'0',
            b'a'..=b'f' => digit - b'a' + 10,
            _ => return None,
        };
        value = value << 4 | u64::from(digit);
    }
    Some(Check(value))
}

/// Why a line is not what was sealed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum BrokenSeal {
    /// It does not end with a checksum.
    #[error("it does not end with a checksum")]
    Missing,
    /// Its checksum is another.
    #[error("its checksum is {found}, expected {expected}")]
    Differs {
        /// In the line.
        found: Check,
        /// Of its content, after the line before.
        expected: Check,
    },
}

/// Ends `object`, the bytes of one JSON object, with its checksum after that of the line before and
/// with a line break; returns the checksum.
///
/// # Panics
/// If the bytes do not end like an object.
pub fn seal_line(previous: Check, object: &mut Vec<u8>) -> Check {
    let end = object.pop();
    assert_eq!(end, Some(b'}'), "an object ends with a brace");
    let check = previous.then(object);
    if object.as_slice() != b"{" {
        object.push(b',');
    }
    object.extend_from_slice(BEFORE);
    object.extend_from_slice(check.to_string().as_bytes());
    object.extend_from_slice(AFTER);
    object.push(b'\n');
    check
}

/// Returns the content of a sealed line (its line break left out) and the checksum at its end, if
/// one can be read; nothing of a line too short for one.
pub(crate) fn parts_of(line: &[u8]) -> Option<(&[u8], Option<Check>)> {
    let (rest, seal) = line.split_at_checked(line.len().checked_sub(SEAL)?)?;
    let content = if rest == b"{" { rest } else { rest.split_last()?.1 };
    let digits = seal.strip_prefix(BEFORE).and_then(|seal| seal.strip_suffix(AFTER));
    Some((content, digits.and_then(read_digits)))
}

/// Holds a sealed line (its line break left out) against the checksum of the line before, and
/// returns its own.
///
/// # Errors
/// If any byte of it is not as it was sealed, or another line stood before it.
pub(crate) fn verify_line(previous: Check, line: &[u8]) -> Result<Check, BrokenSeal> {
    let (content, found) = parts_of(line).ok_or(BrokenSeal::Missing)?;
    let found = found.ok_or(BrokenSeal::Missing)?;
    let expected = previous.then(content);
    let is_empty = content == b"{" && line.len() == 1 + SEAL;
    if found != expected {
        return Err(BrokenSeal::Differs { found, expected });
    }
    // The one byte that no checksum covers.
    if is_empty || line[content.len()] == b',' { Ok(found) } else { Err(BrokenSeal::Missing) }
}

/// Returns a document as indented JSON that ends with its checksum.
///
/// The checksum covers what the document says, not how it is laid out: line ends and indentation
/// may change on the way through other programs.
///
/// # Panics
/// If `document` is no JSON object.
#[must_use]
pub fn sealed_document(document: &impl Serialize) -> String {
    let value = serde_json::to_value(document).expect("a document serialises to JSON");
    let Value::Object(mut keys) = value else { panic!("a document is a JSON object") };
    keys.insert(KEY.to_owned(), Value::String(check_of(&keys).to_string()));
    let mut text = serde_json::to_string_pretty(&keys).expect("JSON serialises");
    text.push('\n');
    // Documents are looked at; in JSON what is escaped is the same text.
    harmless(&text, true)
}

/// Takes the checksum out of a document and holds the rest against it; says whether there was one.
///
/// # Errors
/// If there is one, and it is not that of the rest.
pub(crate) fn open_document(document: &mut Value) -> Result<bool, BrokenSeal> {
    let Value::Object(keys) = document else { return Ok(false) };
    let Some(found) = keys.shift_remove(KEY) else { return Ok(false) };
    let found: Check =
        found.as_str().and_then(|text| text.parse().ok()).ok_or(BrokenSeal::Missing)?;
    let expected = check_of(keys);
    if found == expected { Ok(true) } else { Err(BrokenSeal::Differs { found, expected }) }
}

fn check_of(keys: &Map<String, Value>) -> Check {
    Check::of(&serde_json::to_vec(keys).expect("JSON serialises"))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn sealed(previous: Check, object: &str) -> (Check, Vec<u8>) {
        let mut line = object.as_bytes().to_vec();
        let check = seal_line(previous, &mut line);
        assert_eq!(line.pop(), Some(b'\n'));
        (check, line)
    }

    #[test]
    fn a_sealed_line_is_json_that_ends_with_its_checksum() {
        // Python: xxhash.xxh3_64_hexdigest(b'{"a":1', seed=0)
        let (check, line) = sealed(Check::START, "{\"a\":1}");
        assert_eq!(line, b"{\"a\":1,\"check\":\"72320ca0186ede72\"}");
        assert_eq!(verify_line(Check::START, &line), Ok(check));
        let (_, empty) = sealed(check, "{}");
        assert!(empty.starts_with(b"{\"check\":\""), "{}", String::from_utf8_lossy(&empty));
        assert!(verify_line(check, &empty).is_ok());
        assert!(verify_line(Check::START, &empty).is_err(), "another line stood before it");
    }

    #[test]
    fn every_flipped_bit_of_a_line_is_found() {
        for object in ["{}", "{\"trial\":{\"metrics\":{\"test-accuracy\":0.97}}}"] {
            let before = Check::of(b"the line before");
            let (_, line) = sealed(before, object);
            for index in 0..8 * line.len() {
                let mut flipped = line.clone();
                flipped[index / 8] ^= 1 << (index % 8);
                assert!(verify_line(before, &flipped).is_err(), "bit {index}");
            }
        }
    }

    #[test]
    fn a_document_may_be_laid_out_anew_but_not_changed() {
        let document = json!({ "format": "x", "values": [0.1, 1e300, -0.0, 7], "text": "a b" });
        let text = sealed_document(&document);
        for layout in [text.clone(), text.replace('\n', "\r\n"), text.replace("  ", "")] {
            let mut read: Value = serde_json::from_str(&layout).unwrap();
            assert_eq!(open_document(&mut read), Ok(true));
            assert_eq!(read, document);
        }
        for (from, to) in [("0.1", "0.2"), ("a b", "a  b"), ("\"x\"", "\"y\"")] {
            let mut read: Value = serde_json::from_str(&text.replace(from, to)).unwrap();
            assert!(open_document(&mut read).is_err(), "{from}");
        }
        let mut without = document;
        assert_eq!(open_document(&mut without), Ok(false));
    }

    proptest! {
        #[test]
        fn no_bytes_make_a_reader_of_lines_panic(bytes in prop::collection::vec(any::<u8>(), 0..60)) {
            let _ = verify_line(Check::START, &bytes);
            let _ = verify_line(Check::START, &[&bytes, AFTER].concat());
        }
    }
}
