//! Files inside a results folder, which may have come from anywhere: only regular files are opened,
//! and no symbolic link is followed, neither at the end of a path nor on the way.
//!
//! A link that a results folder brings along would otherwise have a run overwrite, or a report
//! read, whatever it leads to. The results folder itself is what the user named and may be a link.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _};
use std::path::{Component, Path, PathBuf};

use super::error::StoreError;

/// The folders inside a results folder.
pub(super) const FOLDERS: [&str; 10] = [
    "journal",
    "predictions",
    "weights",
    "checkpoints",
    "tables",
    "charts",
    "work",
    "submit",
    "logs",
    "attempts",
];

/// What is said of a link.
const LINK: &str = "it is a symbolic link, and links inside a results folder are not followed";

/// Refuses a results folder in which one of its folders is a link or no folder.
pub(super) fn check_folders(folder: &Path) -> Result<(), StoreError> {
    for name in FOLDERS {
        let path = folder.join(name);
        match fs::symlink_metadata(&path) {
            Ok(facts) if facts.is_symlink() => return Err(StoreError::Link { path }),
            // What is no folder is named by whoever writes into it.
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(StoreError::io("read", &path)(error)),
        }
    }
    Ok(())
}

/// Refuses a path that leads over a symbolic link that lies inside a results folder, whoever named
/// the path: the folder may have come from anywhere, and the link with it.
///
/// # Errors
/// If it does; the message names the link where it is not the path itself.
pub(super) fn check_way(path: &Path) -> io::Result<()> {
    let leads_inside =
        |way: &Path| fs::canonicalize(way).is_ok_and(|real| real.ancestors().any(is_results));
    let whole = std::path::absolute(path)?;
    let (mut way, mut is_inside) = (PathBuf::new(), false);
    for part in whole.components() {
        way.push(part);
        let Ok(facts) = fs::symlink_metadata(&way) else { return Ok(()) };
        if facts.is_symlink() && is_inside {
            let problem = if way == whole {
                LINK.to_owned()
            } else {
                LINK.replacen("it", &format!("`{}`", way.display()), 1)
            };
            return Err(io::Error::new(io::ErrorKind::InvalidInput, problem));
        }
        is_inside = if facts.is_symlink() || part == Component::ParentDir {
            leads_inside(&way)
        } else {
            is_inside || is_results(&way)
        };
    }
    Ok(())
}

/// Returns whether a folder looks like one of results.
fn is_results(folder: &Path) -> bool {
    let holds = |name: &str| fs::symlink_metadata(folder.join(name)).is_ok();
    holds("manifest.json") && (holds("journal") || holds("tables"))
}

/// Reads a whole file.
///
/// # Errors
/// If it cannot be read, is a link or no regular file.
pub(crate) fn read(path: &Path) -> io::Result<Vec<u8>> {
    let mut file = open(path)?;
    let mut bytes = Vec::with_capacity(file.metadata().map_or(0, |facts| facts.len() as usize));
    file.read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Opens a file for reading.
///
/// # Errors
/// If it cannot be opened, is a link or no regular file.
pub(super) fn open(path: &Path) -> io::Result<File> {
    open_with(path, OpenOptions::new().read(true))
}

/// Opens a file as `options` say.
pub(super) fn open_with(path: &Path, options: &mut OpenOptions) -> io::Result<File> {
    let file = unfollowed(options).open(path).map_err(|error| told(path, error))?;
    // A pipe was opened without waiting for its other end; a device is no file of ours.
    if file.metadata()?.is_file() { Ok(file) } else { Err(unfit("it is not a regular file")) }
}

/// Creates a file that is not there.
pub(super) fn create_new(path: &Path) -> io::Result<File> {
    unfollowed(OpenOptions::new().write(true).create_new(true)).open(path)
}

#[cfg(unix)]
fn unfollowed(options: &mut OpenOptions) -> &mut OpenOptions {
    use std::os::unix::fs::OpenOptionsExt as _;
    options.custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK)
}

#[cfg(not(unix))]
fn unfollowed(options: &mut OpenOptions) -> &mut OpenOptions {
    options
}

/// Says of a link what it is: systems answer `too many levels of symbolic links`.
fn told(path: &Path, error: io::Error) -> io::Error {
    if fs::symlink_metadata(path).is_ok_and(|facts| facts.is_symlink()) {
        return unfit(LINK);
    }
    error
}

fn unfit(problem: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, problem)
}

#[cfg(all(test, unix))]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;
    use crate::store::atomic;

    #[test]
    fn links_pipes_and_folders_are_not_read() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        atomic::write(&at("file"), b"content").unwrap();
        symlink(at("file"), at("link")).unwrap();
        let made = std::process::Command::new("mkfifo").arg(at("pipe")).status().unwrap();
        assert!(made.success());
        assert_eq!(read(&at("file")).unwrap(), b"content");
        assert!(read(&at("link")).unwrap_err().to_string().contains("symbolic link"));
        for name in ["pipe", "", "/dev/zero"] {
            let message = read(&at(name)).unwrap_err().to_string();
            assert_eq!(message, "it is not a regular file", "{name}");
        }
        assert_eq!(read(&at("none")).unwrap_err().kind(), io::ErrorKind::NotFound);
    }

    #[test]
    fn no_way_leads_over_a_link_inside_a_results_folder() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        for name in ["out/manifest.json", "out/journal/x.jsonl", "else/x", "plain/manifest.json"] {
            atomic::write(&at(name), b"{}").unwrap();
        }
        for name in ["out/linked", "linked", "plain/linked", "out/journal/linked"] {
            symlink(at("else"), at(name)).unwrap();
        }
        symlink(at("out"), at("named")).unwrap();
        for refused in [
            "out/linked",
            "out/linked/x",
            "named/linked/x",
            "else/../out/linked/x",
            "out/journal/linked",
        ] {
            let message = check_way(&at(refused)).unwrap_err().to_string();
            assert!(message.contains("symbolic link"), "{refused}: {message}");
        }
        for free in
            ["linked/x", "plain/linked/x", "named/new/x", "out/new", "out/../linked/x", "none/x"]
        {
            check_way(&at(free)).unwrap();
        }
    }

    #[test]
    fn a_folder_that_is_a_link_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        check_folders(folder.path()).unwrap();
        symlink(folder.path(), folder.path().join("charts")).unwrap();
        let error = check_folders(folder.path()).unwrap_err();
        assert!(error.to_string().contains("charts` is a symbolic link"), "{error}");
        assert!(error.hint().is_some());
    }
}
