//! Single lines of journals, read again where they are known to stand.

use std::fs::File;
use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};

use crate::store::inside;
use crate::store::view::EntryLocation;

/// Bytes read at once.
const WINDOW: u64 = 1 << 20;

/// Reads lines, mostly from front to back; holds a window of one journal.
#[derive(Default)]
pub(in crate::store) struct Lines {
    open: Option<(PathBuf, File)>,
    /// Where the window begins in the file.
    start: u64,
    window: Vec<u8>,
}

impl Lines {
    /// Returns the line that stands at `location` in a journal, without its line break.
    pub(in crate::store) fn read(
        &mut self,
        path: &Path,
        location: EntryLocation,
    ) -> io::Result<&[u8]> {
        if self.open.as_ref().is_none_or(|(known, _)| known != path) {
            self.open = Some((path.to_owned(), inside::open(path)?));
            self.window.clear();
        }
        let length = u64::from(location.length);
        let end = location.offset + length;
        if location.offset < self.start || end > self.start + self.window.len() as u64 {
            let (_, file) = self.open.as_mut().expect("it was opened above");
            file.seek(SeekFrom::Start(location.offset))?;
            self.start = location.offset;
            self.window.clear();
            file.take(WINDOW.max(length)).read_to_end(&mut self.window)?;
        }
        let start = (location.offset - self.start) as usize;
        let line = self.window.get(start..start + location.length as usize - 1);
        line.ok_or_else(|| io::ErrorKind::UnexpectedEof.into())
    }
}
