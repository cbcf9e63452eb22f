//! The first lines of journals: format, name, and what is asked of the folder.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs;
use std::io::{self, BufRead as _, BufReader, Read as _};
use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::entry::{FORMAT, Header, ReadEntry, Run, VERSION};
use crate::base::is_file_name;
use crate::base::seal::{BrokenSeal, Check, parts_of, verify_line};
use crate::store::error::StoreError;
use crate::store::inside;

/// Longest line that is looked at for what is asked of a folder.
const MAX_LINE: u64 = 64 << 20;

/// The first line of a journal.
#[derive(Debug, Clone)]
pub(in crate::store) struct Head {
    /// What the files that belong to the journal are called.
    pub(in crate::store) name: String,
    pub(in crate::store) version: u32,
    /// Absent in version 1, and where the line is damaged.
    pub(in crate::store) header: Option<Header>,
    /// What is wrong with the line.
    pub(super) problem: Option<String>,
}

/// The header of version 1.
#[derive(Deserialize)]
struct HeaderOfVersion1 {
    #[serde(rename = "gridbench-journal")]
    version: u32,
}

/// What the first line of any version is looked at for.
#[derive(Deserialize)]
struct Format {
    format: String,
    version: u32,
}

impl Head {
    /// Returns the head of a file without a whole line.
    pub(super) fn none(path: &Path) -> Self {
        let stem = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        Self { name: stem, version: VERSION, header: None, problem: None }
    }

    /// Reads the head of a journal that begins with these whole lines.
    ///
    /// # Errors
    /// If it is of a later version.
    pub(super) fn of(bytes: &[u8], path: &Path) -> Result<Self, StoreError> {
        let mut lines = bytes.split(|&byte| byte == b'\n');
        let (first, second) = (lines.next().unwrap_or_default(), lines.next().unwrap_or_default());
        if let Ok(HeaderOfVersion1 { version }) = serde_json::from_slice(first) {
            return if version == 1 {
                Ok(Self { version, ..Self::none(path) })
            } else {
                Err(StoreError::newer(path, version, VERSION))
            };
        }
        let verified = verify_line(Check::START, first);
        // A flipped digit of the version is damage.
        let is_whole = !matches!(verified, Err(BrokenSeal::Differs { .. }));
        let format = serde_json::from_slice::<Format>(first).ok().filter(|_| is_whole);
        if let Some(Format { version, .. }) =
            format.filter(|known| known.format == FORMAT && known.version > VERSION)
        {
            return Err(StoreError::newer(path, version, VERSION));
        }
        let problem = match verified {
            Err(problem) => problem.to_string(),
            Ok(_) => match serde_json::from_slice::<Header>(first) {
                Ok(header) if is_file_name(&header.journal) => {
                    let name = header.journal.clone();
                    return Ok(Self { name, header: Some(header), ..Self::none(path) });
                }
                Ok(header) => format!("`{}` cannot name a file", header.journal.escape_debug()),
                Err(error) => plain(&error),
            },
        };
        // Lines with a checksum at their end tell the version of a file whose first line is lost.
        let is_sealed = |line| parts_of(line).is_some_and(|(_, check)| check.is_some());
        let version = if is_sealed(first) || is_sealed(second) { VERSION } else { 1 };
        let problem = if version == 1 { beginning_of_version_1(first) } else { problem };
        Ok(Self { version, problem: Some(problem), ..Self::none(path) })
    }
}

/// Says what is wrong with a first line that seems to be one of version 1.
fn beginning_of_version_1(line: &[u8]) -> String {
    match serde_json::from_slice::<HeaderOfVersion1>(line) {
        Err(error) => plain(&error),
        Ok(_) => "it is no header".to_owned(),
    }
}

/// Returns what a parser says, without the line it counts inside of a line.
pub(super) fn plain(error: &serde_json::Error) -> String {
    error.to_string().replace(" at line 1 column", " at column")
}

/// Returns the journal files of a folder by name; none where it has no journals.
///
/// # Errors
/// If the folder cannot be listed, or it or a journal is a link.
pub(in crate::store) fn files(folder: &Path) -> Result<BTreeMap<String, PathBuf>, StoreError> {
    let journals = folder.join("journal");
    if fs::symlink_metadata(&journals).is_ok_and(|facts| facts.is_symlink()) {
        return Err(StoreError::Link { path: journals });
    }
    let entries = match fs::read_dir(&journals) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(BTreeMap::new()),
        Err(error) => return Err(StoreError::io("read the folder", &journals)(error)),
    };
    let mut files = BTreeMap::new();
    for entry in entries {
        let path = entry.map_err(StoreError::io("read the folder", &journals))?.path();
        let Some(name) = path.file_name().map(OsStr::to_string_lossy) else { continue };
        if name.ends_with(".jsonl") && !name.starts_with('.') {
            files.insert(name.into_owned(), path);
        }
    }
    Ok(files)
}

/// What the first lines of one journal say.
pub(in crate::store) struct FirstLines {
    pub(in crate::store) head: Head,
    pub(in crate::store) run: Option<Run>,
}

/// Reads the first two lines of every journal, which say what is asked of the folder; damaged ones
/// say nothing.
///
/// # Errors
/// If a journal cannot be read or is of a later version.
pub(in crate::store) fn heads(folder: &Path) -> Result<Vec<FirstLines>, StoreError> {
    let read = |path: PathBuf| {
        let file = inside::open(&path).map_err(StoreError::io("read", &path))?;
        let mut reader = BufReader::new(file.take(MAX_LINE));
        let mut bytes = Vec::new();
        for _ in 0..2 {
            reader.read_until(b'\n', &mut bytes).map_err(StoreError::io("read", &path))?;
        }
        let whole = memchr::memrchr(b'\n', &bytes).map_or(0, |end| end + 1);
        bytes.truncate(whole);
        if bytes.is_empty() {
            return Ok(FirstLines { head: Head::none(&path), run: None });
        }
        let head = Head::of(&bytes, &path)?;
        let run = asked(&bytes).filter(|_| head.header.is_some());
        Ok(FirstLines { head, run })
    };
    files(folder)?.into_values().map(read).collect()
}

/// Returns what the second of these lines asks, if it asks anything.
fn asked(bytes: &[u8]) -> Option<Run> {
    let mut lines = bytes.split(|&byte| byte == b'\n');
    let (first, second) = (lines.next()?, lines.next()?);
    verify_line(parts_of(first)?.1?, second).ok()?;
    serde_json::from_slice::<ReadEntry<'_>>(second).ok()?.run.map(|run| *run)
}
