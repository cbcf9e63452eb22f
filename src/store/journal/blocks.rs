//! Journals cut into blocks of whole lines, so that several threads parse one file.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::PathBuf;

use super::head::Head;
use crate::base::seal::{Check, parts_of};
use crate::store::error::StoreError;
use crate::store::inside;

/// Bytes of a block, unless one line is longer.
const BLOCK: usize = 4 << 20;
/// Room for what the block before left of its last line, and for finding the end of the file.
const ROOM: usize = 64 << 10;

/// What the line before may have ended with: the checksum that stands there and, where that is
/// another, the one that should.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Before {
    pub(super) stands: Option<Check>,
    pub(super) should: Option<Check>,
}

impl Before {
    /// Returns what the line after `line` follows.
    pub(super) fn of(before: Self, line: &[u8]) -> Self {
        let Some((content, stands)) = parts_of(line) else { return Self::default() };
        let previous = before.stands.or(before.should);
        Self { stands, should: previous.map(|previous| previous.then(content)) }
    }

    /// Returns what the first line of a journal follows.
    pub(super) fn start() -> Self {
        Self { stands: Some(Check::START), should: None }
    }
}

/// Whole lines of one journal.
pub(super) struct Block {
    /// Index of the journal.
    pub(super) journal: usize,
    /// Format version of the journal.
    pub(super) version: u32,
    /// Where the block begins in the file.
    pub(super) offset: u64,
    /// The lines, each with its line break.
    pub(super) bytes: Vec<u8>,
    /// What the first of them follows.
    pub(super) before: Before,
}

/// Cuts journals into blocks, one after the other.
pub(super) struct Blocks {
    paths: Vec<PathBuf>,
    heads: Vec<Head>,
    /// Bytes of whole lines of every journal.
    lengths: Vec<u64>,
    open: Option<Open>,
    /// Buffers of blocks that are done with.
    spare: Vec<Vec<u8>>,
}

struct Open {
    file: File,
    offset: u64,
    rest: Vec<u8>,
    before: Before,
}

impl Blocks {
    pub(super) fn of(paths: Vec<PathBuf>) -> Self {
        Self { paths, heads: Vec::new(), lengths: Vec::new(), open: None, spare: Vec::new() }
    }

    /// Takes back the buffer of a block that is done with.
    pub(super) fn recycle(&mut self, mut bytes: Vec<u8>) {
        bytes.clear();
        self.spare.push(bytes);
    }

    /// Returns the next block; the last line of a file, if it has no end, is in none.
    pub(super) fn next(&mut self) -> Result<Option<Block>, StoreError> {
        loop {
            let Some(open) = &mut self.open else {
                let Some(path) = self.paths.get(self.lengths.len()) else { return Ok(None) };
                let file = inside::open(path).map_err(StoreError::io("read", path))?;
                self.lengths.push(0);
                let (rest, before) = (Vec::new(), Before::start());
                self.open = Some(Open { file, offset: 0, rest, before });
                continue;
            };
            let journal = self.lengths.len() - 1;
            let path = &self.paths[journal];
            let offset = open.offset;
            let spare = self.spare.pop().unwrap_or_else(|| Vec::with_capacity(BLOCK + ROOM));
            let Some((bytes, before)) = open.lines(spare).map_err(StoreError::io("read", path))?
            else {
                self.open = None;
                if self.heads.len() == journal {
                    self.heads.push(Head::none(path));
                }
                continue;
            };
            if offset == 0 {
                self.heads.push(Head::of(&bytes, path)?);
            }
            self.lengths[journal] = open.offset;
            let version = self.heads[journal].version;
            return Ok(Some(Block { journal, version, offset, bytes, before }));
        }
    }

    /// Returns the heads of all journals and the bytes of their whole lines, once all blocks were
    /// taken.
    pub(super) fn finish(self) -> impl Iterator<Item = (PathBuf, Head, u64)> {
        let Self { paths, heads, lengths, .. } = self;
        paths.into_iter().zip(heads).zip(lengths).map(|((path, head), length)| (path, head, length))
    }
}

impl Open {
    /// Returns the next whole lines and what the first of them follows.
    fn lines(&mut self, mut bytes: Vec<u8>) -> io::Result<Option<(Vec<u8>, Before)>> {
        bytes.append(&mut self.rest);
        let end = loop {
            let read = (&mut self.file).take(BLOCK as u64).read_to_end(&mut bytes)?;
            if let Some(end) = memchr::memrchr(b'\n', &bytes) {
                break end + 1;
            }
            if read == 0 {
                return Ok(None);
            }
        };
        self.rest.extend_from_slice(&bytes[end..]);
        bytes.truncate(end);
        self.offset += end as u64;
        let before = self.before;
        self.before = after(&bytes, before);
        Ok(Some((bytes, before)))
    }
}

/// Returns what the line after `bytes` follows, without going through all of its lines.
fn after(bytes: &[u8], before: Before) -> Before {
    let lines = &bytes[..bytes.len() - 1];
    let (rest, last) = match memchr::memrchr(b'\n', lines) {
        Some(end) => (Some(&lines[..end]), &lines[end + 1..]),
        None => (None, lines),
    };
    let before = rest.map_or(before, |rest| {
        let start = memchr::memrchr(b'\n', rest).map_or(0, |end| end + 1);
        Before::of(Before::default(), &rest[start..])
    });
    Before::of(before, last)
}
