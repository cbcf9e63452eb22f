//! Replaces files so that a reader sees the old content or the new, never a part.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use super::error::StoreError;
use super::{inside, names};

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
    pub(crate) fn hint(&self) -> Option<String> {
        hint_for(&self.source, &self.path)
    }
}

/// Whether new content must survive a loss of power.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Durability {
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
pub(crate) fn write_with(
    path: &Path,
    bytes: &[u8],
    durability: Durability,
) -> Result<(), AtomicError> {
    replace(path, durability, |file| file.write_all(bytes))
}

/// Replaces a file that can be made again: left to the operating system, because a digest tells
/// afterwards whether a loss of power spoilt it.
///
/// # Errors
/// If any step fails; the old content stays.
pub(crate) fn write_derived(path: &Path, bytes: &[u8]) -> Result<(), AtomicError> {
    write_with(path, bytes, Durability::Cached)
}

/// Replaces a file below a folder that a person named, as [`write_derived`] does.
///
/// # Errors
/// If any step fails, or a link that lies inside a results folder is on the way.
pub(crate) fn write_below(path: &Path, bytes: &[u8]) -> Result<(), AtomicError> {
    check_way(path)?;
    write_derived(path, bytes)
}

/// Refuses a path over a link that lies inside a results folder.
///
/// # Errors
/// If it is one.
pub(crate) fn check_way(path: &Path) -> Result<(), AtomicError> {
    let problem = |source| AtomicError { action: "write", path: path.to_owned(), source };
    inside::check_way(path).map_err(problem)
}

/// Writes a file that a person named: a link stays and its target is replaced, and what is no
/// regular file (a device, a pipe) is written to.
///
/// # Errors
/// If any step fails, or a link that lies inside a results folder is on the way; the old content of
/// a regular file stays.
pub(crate) fn write_named(path: &Path, bytes: &[u8]) -> Result<(), AtomicError> {
    check_way(path)?;
    if is_stream(path) {
        let opened = OpenOptions::new().append(true).open(path);
        return opened
            .and_then(|mut stream| stream.write_all(bytes))
            .map_err(|source| AtomicError { action: "write to", path: path.to_owned(), source });
    }
    write(&behind_links(path), bytes)
}

/// Finds out whether [`write_named`] could write `path`, before hours are spent on its content;
/// nothing is left behind.
///
/// # Errors
/// If it is a folder, or its folder cannot be written.
pub(crate) fn probe(path: &Path) -> Result<(), AtomicError> {
    check_way(path)?;
    let problem = |source| AtomicError { action: "write", path: path.to_owned(), source };
    // Opening a pipe would wait for its reader.
    if is_stream(path) {
        return Ok(());
    }
    let target = behind_links(path);
    if target.is_dir() {
        return Err(problem(io::ErrorKind::IsADirectory.into()));
    }
    let mut folder = folder_of(&target);
    while !folder.exists() {
        folder = folder_of(folder);
    }
    let temporary = temporary_beside(&target, folder);
    inside::create_new(&temporary).map_err(problem)?;
    fs::remove_file(&temporary).map_err(problem)
}

/// Returns whether `path` is a device, a pipe or open already, so that it cannot be replaced.
pub(crate) fn is_stream(path: &Path) -> bool {
    let Ok(facts) = fs::metadata(path) else { return false };
    // What `/dev/stdout` and `/dev/fd/3` lead to was opened by somebody else.
    let target = fs::read_link(path).unwrap_or_default();
    let is_open = path.starts_with("/dev/fd") || target.starts_with("/proc");
    !facts.is_dir() && (is_open || !facts.is_file())
}

/// Follows links, also one whose target is not there yet.
fn behind_links(path: &Path) -> PathBuf {
    // As many as Linux follows.
    const MAX_LINKS: usize = 40;
    let mut path = path.to_owned();
    for _ in 0..MAX_LINKS {
        let Ok(target) = fs::read_link(&path) else { break };
        path = folder_of(&path).join(target);
    }
    path
}

fn folder_of(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        Some(_) => Path::new("."),
        None => Path::new("/"),
    }
}

/// Creates `path` with this content unless it is there; says whether it did. Of several processes
/// that try, on whatever machines, one creates it, and nobody sees a part of it where the file
/// system has hard links.
///
/// # Errors
/// If any step fails.
pub(super) fn publish(path: &Path, bytes: &[u8]) -> Result<bool, AtomicError> {
    let problem = |action| move |source| AtomicError { action, path: path.to_owned(), source };
    let folder = folder_of(path);
    let (temporary, mut file) = begin(path, folder)?;
    let written = file.write_all(bytes).and_then(|()| file.sync_all());
    drop(file);
    let linked = written.and_then(|()| retried(|| fs::hard_link(&temporary, path)));
    // A left-over temporary file only wastes space.
    let _ = fs::remove_file(&temporary);
    let created = match linked {
        Ok(()) => true,
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => return Ok(false),
        Err(error) if hint_for(&error, path).is_some() => return Err(problem("write")(error)),
        // No hard links here.
        Err(_) => match inside::create_new(path) {
            Ok(mut file) => {
                file.write_all(bytes).and_then(|()| file.sync_all()).map_err(problem("write"))?;
                true
            }
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => return Ok(false),
            Err(error) => return Err(problem("write")(error)),
        },
    };
    sync_folder(folder).map_err(problem("flush the folder of"))?;
    Ok(created)
}

/// Does again what a signal interrupted, as network file systems may let it: the standard library
/// does so for reads, writes and opening only.
pub(super) fn retried<T>(mut call: impl FnMut() -> io::Result<T>) -> io::Result<T> {
    loop {
        match call() {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            done => return done,
        }
    }
}

/// Opens a new temporary file beside `path`; missing folders are created.
fn begin(path: &Path, folder: &Path) -> Result<(PathBuf, File), AtomicError> {
    let problem = |action| move |source| AtomicError { action, path: path.to_owned(), source };
    let temporary = temporary_beside(path, folder);
    let file = match inside::create_new(&temporary) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            retried(|| fs::create_dir_all(folder)).map_err(problem("create the folder of"))?;
            inside::create_new(&temporary)
        }
        opened => opened,
    }
    .map_err(problem("write"))?;
    Ok((temporary, file))
}

fn replace(
    path: &Path,
    durability: Durability,
    fill: impl FnOnce(&mut File) -> io::Result<()>,
) -> Result<(), AtomicError> {
    let problem = |action| move |source| AtomicError { action, path: path.to_owned(), source };
    let folder = folder_of(path);
    let (temporary, mut file) = begin(path, folder)?;
    let written = fill(&mut file)
        .and_then(|()| if durability == Durability::Flushed { file.sync_all() } else { Ok(()) });
    drop(file);
    let renamed = written
        .map_err(problem("write"))
        .and_then(|()| retried(|| fs::rename(&temporary, path)).map_err(problem("replace")));
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

/// Creates a folder unless it is there, in a way that survives a loss of power.
pub(super) fn create_folder_in(parent: &Path, name: &str) -> Result<PathBuf, StoreError> {
    let folder = parent.join(name);
    match retried(|| fs::create_dir(&folder)) {
        Ok(()) => sync_folder(parent).map_err(StoreError::io("flush", parent))?,
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
        Err(error) => return Err(StoreError::io("create the folder", &folder)(error)),
    }
    Ok(folder)
}

/// Flushes the list of files of `folder`, so that a new name survives a loss of power.
pub(super) fn sync_folder(folder: &Path) -> io::Result<()> {
    if cfg!(unix) { File::open(folder)?.sync_all() } else { Ok(()) }
}

/// A name that no other thread or process uses, on whatever machine.
fn temporary_beside(path: &Path, folder: &Path) -> PathBuf {
    static COUNTER: AtomicU64 = AtomicU64::new(0);
    /// Names end at 255 bytes, and the writer's own takes some of them.
    const MAX_NAME: usize = 30;
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let name: String = name.chars().take(MAX_NAME).collect();
    let count = COUNTER.fetch_add(1, Ordering::Relaxed);
    folder.join(format!(".{name}.{}.{count}.tmp", names::this_process()))
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
            "`{}` cannot be written by this user: name another place",
            folder_of(path).display()
        )),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names_in(folder: &Path) -> Vec<String> {
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
        assert_eq!(names_in(path.parent().unwrap()), ["table.csv"]);
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
        assert_eq!(names_in(folder.path()), ["table.csv"]);
    }

    #[cfg(unix)]
    #[test]
    fn a_named_link_stays_and_its_target_is_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        write(&at("there/target"), b"old").unwrap();
        std::os::unix::fs::symlink("there/target", at("link")).unwrap();
        std::os::unix::fs::symlink("there/new", at("dangling")).unwrap();
        for (link, target) in [("link", "there/target"), ("dangling", "there/new")] {
            write_named(&at(link), b"new").unwrap();
            assert_eq!(fs::read(at(target)).unwrap(), b"new");
            assert!(at(link).is_symlink());
        }
        assert_eq!(names_in(folder.path()), ["dangling", "link", "there"]);
        assert_eq!(names_in(&at("there")), ["new", "target"]);
    }

    #[cfg(unix)]
    #[test]
    fn a_named_pipe_is_written_to_and_stays_one() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("pipe");
        let made = std::process::Command::new("mkfifo").arg(&path).status().unwrap();
        assert!(made.success());
        let reader = std::thread::spawn({
            let path = path.clone();
            move || fs::read(path).unwrap()
        });
        write_named(&path, b"through").unwrap();
        assert_eq!(reader.join().unwrap(), b"through");
        assert!(is_stream(&path) && is_stream(Path::new("/dev/null")));
        assert_eq!(names_in(folder.path()), ["pipe"]);
    }

    #[test]
    fn a_probe_finds_what_a_write_would_and_leaves_nothing() {
        let folder = tempfile::tempdir().unwrap();
        write(&folder.path().join("file"), b"old").unwrap();
        probe(&folder.path().join("file")).unwrap();
        probe(&folder.path().join("new/folders/file")).unwrap();
        assert!(probe(folder.path()).is_err());
        assert!(probe(&folder.path().join("file/below")).is_err());
        assert_eq!(names_in(folder.path()), ["file"]);
    }

    #[test]
    fn a_file_is_published_by_whoever_comes_first() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("new/manifest.json");
        assert!(publish(&path, b"first").unwrap());
        assert!(!publish(&path, b"second").unwrap());
        assert_eq!(fs::read(&path).unwrap(), b"first");
        assert_eq!(names_in(path.parent().unwrap()), ["manifest.json"]);
    }

    #[test]
    fn a_place_that_cannot_be_written_is_named() {
        let error = write(Path::new("/proc/no-such-folder/table.csv"), b"x").unwrap_err();
        assert!(error.to_string().contains("/proc/no-such-folder/table.csv"), "{error}");
    }
}
