//! Replaces files so that a reader sees the old content or the new, never a part.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

/// Why a file could not be replaced; its old content, if any, is untouched.
#[derive(Debug, thiserror::Error)]
#[error("cannot {action} `{path}`", path = path.display())]
pub struct AtomicError {
    /// What failed, for example `write`.
    pub action: &'static str,
    /// The file that was to be replaced.
    pub path: PathBuf,
    /// The operating system's answer.
    #[source]
    pub source: io::Error,
}

impl AtomicError {
    /// Returns what the user can do about it, if that is known.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        hint_for(&self.source, &self.path)
    }
}

/// Whether new content must survive a loss of power.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Durability {
    /// Flushed to the disk before the call returns.
    Flushed,
    /// Left to the operating system: survives the end of this process, not of the machine.
    Cached,
}

/// Replaces the content of `path`, durably; missing folders are created.
///
/// # Errors
/// If any step fails; the old content stays.
pub fn write(path: &Path, bytes: &[u8]) -> Result<(), AtomicError> {
    write_with(path, bytes, Durability::Flushed)
}

/// Replaces the content of `path` with the durability asked for.
///
/// # Errors
/// If any step fails; the old content stays.
pub fn write_with(path: &Path, bytes: &[u8], durability: Durability) -> Result<(), AtomicError> {
    replace(path, durability, |file| file.write_all(bytes))
}

fn replace(
    path: &Path,
    durability: Durability,
    fill: impl FnOnce(&mut File) -> io::Result<()>,
) -> Result<(), AtomicError> {
    let problem = |action| move |source| AtomicError { action, path: path.to_owned(), source };
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    let temporary = temporary_beside(path, folder);
    let open = || OpenOptions::new().write(true).create_new(true).open(&temporary);
    let mut file = match open() {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            fs::create_dir_all(folder).map_err(problem("create the folder of"))?;
            open()
        }
        opened => opened,
    }
    .map_err(problem("write"))?;
    let written = fill(&mut file)
        .and_then(|()| if durability == Durability::Flushed { file.sync_all() } else { Ok(()) });
    drop(file);
    let renamed = written
        .map_err(problem("write"))
        .and_then(|()| fs::rename(&temporary, path).map_err(problem("replace")));
    if renamed.is_err() {
        // The first error is the one to report; a left-over temporary file only wastes space.
        let _ = fs::remove_file(&temporary);
    }
    renamed?;
    if durability == Durability::Flushed {
        sync_folder(folder).map_err(problem("flush the folder of"))?;
    }
    Ok(())
}

/// Flushes the list of files of `folder`, so that a new name survives a loss of power.
pub(super) fn sync_folder(folder: &Path) -> io::Result<()> {
    if cfg!(unix) { File::open(folder)?.sync_all() } else { Ok(()) }
}

/// A name no other thread or process uses at the same time.
fn temporary_beside(path: &Path, folder: &Path) -> PathBuf {
    static COUNTER: AtomicU64 = AtomicU64::new(0);
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let count = COUNTER.fetch_add(1, Ordering::Relaxed);
    folder.join(format!(".{name}.{}.{count}.tmp", std::process::id()))
}

/// Returns what helps against the common reasons why a file cannot be written.
pub(super) fn hint_for(error: &io::Error, path: &Path) -> Option<String> {
    match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Some(
            "the disk is full: free some space and run the same command again, finished trials are \
             kept"
                .to_owned(),
        ),
        io::ErrorKind::ReadOnlyFilesystem | io::ErrorKind::PermissionDenied => Some(format!(
            "`{}` cannot be written by this user: choose another folder with `--out DIR`",
            path.parent().unwrap_or(path).display()
        )),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(folder: &Path) -> Vec<String> {
        let mut names: Vec<String> = fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    #[test]
    fn a_file_is_replaced_and_missing_folders_appear() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a/b/table.csv");
        write(&path, b"old").unwrap();
        write(&path, b"new").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"new");
        assert_eq!(names(path.parent().unwrap()), ["table.csv"]);
    }

    #[test]
    fn a_full_disk_leaves_the_old_content_and_no_rubbish() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("table.csv");
        write(&path, b"old").unwrap();
        let error = replace(&path, Durability::Flushed, |file| {
            file.write_all(b"half of the n")?;
            Err(io::ErrorKind::StorageFull.into())
        })
        .unwrap_err();
        assert!(error.to_string().contains("table.csv"), "{error}");
        assert!(error.hint().unwrap().contains("disk is full"));
        assert_eq!(fs::read(&path).unwrap(), b"old");
        assert_eq!(names(folder.path()), ["table.csv"]);
    }

    #[test]
    fn a_place_that_cannot_be_written_is_named() {
        let error = write(Path::new("/proc/no-such-folder/table.csv"), b"x").unwrap_err();
        assert!(error.to_string().contains("/proc/no-such-folder/table.csv"), "{error}");
    }
}
