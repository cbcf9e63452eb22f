//! What tables, reports and charts were made from, and what they are: `derived.json`.
//!
//! Whoever makes them leaves it beside them: the manifest as it was completed, how far every
//! journal went, and a digest of every file. While the journals still end so, the tables say what
//! the journals say and are read instead, several times faster. In a folder without journals
//! (committed results) the digests tell whether the tables are as they were written.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};

use rayon::iter::{IntoParallelRefIterator, ParallelIterator};
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

use super::error::StoreError;
use super::manifest::Manifest;
use super::{atomic, inside, journal};
use crate::base::seal::{Check, open_document, sealed_document};
use crate::base::{Digest, digest_of, is_file_name};

const FILE: &str = "derived.json";
/// Raised whenever tables come to mean something else.
const VERSION: u32 = 2;
const FORMAT: &str = "gridbench-derived";
/// Bytes at the end of a journal that tell it from another of the same length: the last of them are
/// the checksum of all before.
const END: u64 = 64;
/// Endings of files that are text: their digests are over line feeds, whatever a checkout makes of
/// them.
const TEXT: [&str; 6] = ["csv", "md", "json", "svg", "list", "html"];

/// `derived.json`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct Derived {
    format: String,
    version: u32,
    /// What was known of the folder.
    manifest: Manifest,
    /// How far each journal was read, by file name.
    journals: BTreeMap<String, End>,
    /// SHA-256 of each file, by its path inside the folder; of text over line feeds.
    files: BTreeMap<String, Digest>,
}

/// How far a journal was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) struct End {
    /// Bytes of its whole lines.
    length: u64,
    /// Checksum of the last bytes of them.
    last: Check,
}

impl End {
    /// Returns the end of a journal of which the first `length` bytes were read.
    pub(super) fn at(path: &Path, length: u64) -> io::Result<Self> {
        let mut file = inside::open(path)?;
        let start = length.saturating_sub(END);
        file.seek(SeekFrom::Start(start))?;
        let mut bytes = vec![0; (length - start) as usize];
        file.read_exact(&mut bytes)?;
        Ok(Self { length, last: Check::of(&bytes) })
    }

    /// Returns whether the journal still ends there, a torn last line aside.
    fn is_of(&self, path: &Path) -> bool {
        let is_torn = || -> io::Result<bool> {
            let mut file = inside::open(path)?;
            if file.metadata()?.len() == self.length {
                return Ok(true);
            }
            file.seek(SeekFrom::Start(self.length))?;
            let mut rest = Vec::new();
            file.read_to_end(&mut rest)?;
            Ok(!rest.contains(&b'\n'))
        };
        is_torn().is_ok_and(|torn| torn)
            && Self::at(path, self.length).is_ok_and(|end| end == *self)
    }
}

impl Derived {
    /// Reads the file as it is; `None` where there is none, or one of version 1.
    ///
    /// # Errors
    /// If it is damaged or of a later version.
    pub(crate) fn read(folder: &Path) -> Result<Option<Self>, StoreError> {
        let path = folder.join(FILE);
        let damaged = |problem: String| StoreError::DamagedDerived { path: path.clone(), problem };
        let text = match inside::read(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(StoreError::io("read", &path)(error)),
        };
        let mut json: Json =
            serde_json::from_slice(&text).map_err(|error| damaged(error.to_string()))?;
        // Version 1 knew lengths alone.
        if json.get("gridbench-derived").is_some() {
            return Ok(None);
        }
        let is_sealed = open_document(&mut json).map_err(|problem| damaged(problem.to_string()))?;
        if !is_sealed {
            return Err(damaged("it has no checksum under `check`".to_owned()));
        }
        if let Some(found) = json.get("version").and_then(Json::as_u64)
            && found > VERSION.into()
        {
            let found = u32::try_from(found).unwrap_or(u32::MAX);
            return Err(StoreError::newer(&path, found, VERSION));
        }
        let derived: Self =
            serde_json::from_value(json).map_err(|error| damaged(error.to_string()))?;
        match derived.files.keys().find(|name| !name.split('/').all(is_file_name)) {
            Some(name) => Err(damaged(format!("`{}` names no file", name.escape_debug()))),
            None => Ok(Some(derived)),
        }
    }

    /// Reads the file, if journals are there and it was made from all that they hold.
    pub(crate) fn of_journals(folder: &Path) -> Option<Self> {
        let derived = Self::read(folder).ok()??;
        let journals = journal::files(folder).ok()?;
        let are_those = !journals.is_empty()
            && journals.len() == derived.journals.len()
            && derived
                .journals
                .iter()
                .all(|(name, end)| journals.get(name).is_some_and(|path| end.is_of(path)));
        are_those.then_some(derived)
    }

    /// Reads the file of a folder whose tables hold what its journals hold, each to the byte. Of a
    /// table in two formats the one counts that is read.
    pub(crate) fn fresh(folder: &Path) -> Option<Self> {
        let derived = Self::of_journals(folder)?;
        let mut tables = derived.tables_read(folder).peekable();
        let are_sound = tables.peek().is_some()
            && tables.all(|name| matches!(derived.verify(folder, name), Ok(true)));
        drop(tables);
        are_sound.then_some(derived)
    }

    /// Returns the tables that are read where they are there: of two formats Parquet.
    fn tables_read(&self, folder: &Path) -> impl Iterator<Item = &str> {
        let tables = self.files.keys().map(String::as_str);
        tables.filter(|name| name.starts_with("tables/")).filter(move |name| {
            let other = name.strip_suffix(".csv").map(|stem| format!("{stem}.parquet"));
            other.is_none_or(|other| {
                !self.files.contains_key(&other)
                    || fs::symlink_metadata(folder.join(other)).is_err()
            })
        })
    }

    /// Returns whether everything that was made is there as it was made.
    pub(crate) fn is_whole(&self, folder: &Path) -> bool {
        self.files.par_iter().all(|(name, _)| matches!(self.verify(folder, name), Ok(true)))
    }

    /// Holds the tables of a folder without journals against their digests. Files that are not
    /// there were not committed.
    ///
    /// # Errors
    /// If a table is not what it was, or the file that says so is damaged.
    pub(crate) fn of_tables(folder: &Path) -> Result<Option<Self>, StoreError> {
        let Some(derived) = Self::read(folder)? else { return Ok(None) };
        for name in derived.files.keys().filter(|name| name.starts_with("tables/")) {
            derived.verify(folder, name)?;
        }
        Ok(Some(derived))
    }

    /// Holds a file against its digest; says whether it is there.
    fn verify(&self, folder: &Path, name: &str) -> Result<bool, StoreError> {
        let path = folder.join(name);
        let bytes = match inside::read(&path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
            Err(error) => return Err(StoreError::io("read", &path)(error)),
        };
        if self.files.get(name) == Some(&digest(name, &bytes)) {
            Ok(true)
        } else {
            Err(StoreError::DerivedDiffers { path })
        }
    }

    /// Returns the manifest as it was when the files were made.
    pub(crate) fn into_manifest(self) -> Manifest {
        self.manifest
    }

    /// Writes what the files that are now in `folder` were made from.
    ///
    /// # Errors
    /// If a file cannot be read or written.
    pub(super) fn write(
        folder: &Path,
        manifest: Manifest,
        journals: BTreeMap<String, End>,
    ) -> Result<(), StoreError> {
        let mut files = BTreeMap::new();
        for (name, path) in made(folder)? {
            let bytes = inside::read(&path).map_err(StoreError::io("read", &path))?;
            let digest = digest(&name, &bytes);
            files.insert(name, digest);
        }
        let format = FORMAT.to_owned();
        let derived = Self { format, version: VERSION, manifest, journals, files };
        Ok(atomic::write_derived(&folder.join(FILE), sealed_document(&derived).as_bytes())?)
    }
}

/// Returns the files that are made from journals, by their paths inside the folder.
fn made(folder: &Path) -> Result<BTreeMap<String, PathBuf>, StoreError> {
    let mut files = BTreeMap::new();
    for below in ["", "tables", "charts"] {
        let parent = folder.join(below);
        let entries = match fs::read_dir(&parent) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            Err(error) => return Err(StoreError::io("read the folder", &parent)(error)),
        };
        for entry in entries {
            let entry = entry.map_err(StoreError::io("read the folder", &parent))?;
            let name = entry.file_name().to_string_lossy().into_owned();
            let is_list = Path::new(&name).extension().is_some_and(|ending| ending == "list");
            let is_made = match below {
                "" => name == "report.md" || is_list && name != "damaged.list",
                _ => !name.starts_with('.'),
            };
            if is_made && entry.file_type().is_ok_and(|kind| kind.is_file()) {
                let name = if below.is_empty() { name } else { format!("{below}/{name}") };
                files.insert(name, entry.path());
            }
        }
    }
    Ok(files)
}

fn digest(name: &str, bytes: &[u8]) -> Digest {
    let ending = name.rsplit('.').next().unwrap_or_default();
    if !TEXT.contains(&ending) || memchr::memmem::find(bytes, b"\r\n").is_none() {
        return digest_of(bytes);
    }
    let mut plain = Vec::with_capacity(bytes.len());
    for (index, byte) in bytes.iter().enumerate() {
        if *byte != b'\r' || bytes.get(index + 1) != Some(&b'\n') {
            plain.push(*byte);
        }
    }
    digest_of(&plain)
}
