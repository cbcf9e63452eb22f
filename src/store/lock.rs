//! A polite word between processes of one machine: who comes second is told of the first.
//!
//! Nothing depends on it. Where the file system has no locks, or locks that end at the machine, two
//! processes write side by side, each its own files. A killed process leaves no lock behind; the
//! text inside the file only names the holder for the message.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read, Seek, Write};
use std::path::Path;

use super::error::StoreError;
use super::{inside, names};

/// A lock held until it is dropped.
#[derive(Debug)]
pub(crate) struct Lock {
    _file: File,
}

impl Lock {
    /// Takes the lock file of a results folder; without one where the file system has no locks.
    ///
    /// # Errors
    /// [`StoreError::Locked`] naming the holder if another process of this machine has it.
    pub(crate) fn acquire(folder: &Path) -> Result<Self, StoreError> {
        let path = &folder.join("lock");
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false);
        let mut file =
            inside::open_with(path, &mut options).map_err(StoreError::io("open", path))?;
        match file.try_lock() {
            // `ENOSYS` and its kin: two writers do no harm.
            Ok(()) | Err(TryLockError::Error(_)) => {}
            Err(TryLockError::WouldBlock) => {
                let mut holder = String::new();
                // The message is worth having even when the holder cannot be read.
                let _ = file.read_to_string(&mut holder);
                let holder = match holder.trim() {
                    "" => "another process".to_owned(),
                    holder => holder.to_owned(),
                };
                return Err(StoreError::Locked { folder: folder.to_owned(), holder });
            }
        }
        let holder = format!("process {} on {}\n", std::process::id(), names::host());
        file.set_len(0)
            .and_then(|()| file.rewind())
            .and_then(|()| file.write_all(holder.as_bytes()))
            .map_err(StoreError::io("write", path))?;
        Ok(Self { _file: file })
    }

    /// Returns whether a process of this machine adds to a results folder, as far as its file system
    /// knows; only looks.
    pub(crate) fn is_held(folder: &Path) -> bool {
        let mut options = OpenOptions::new();
        let opened = inside::open_with(&folder.join("lock"), options.read(true));
        opened.is_ok_and(|file| matches!(file.try_lock_shared(), Err(TryLockError::WouldBlock)))
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn a_second_writer_is_refused_with_the_holder_named() {
        let folder = tempfile::tempdir().unwrap();
        let first = Lock::acquire(folder.path()).unwrap();
        let error = Lock::acquire(folder.path()).unwrap_err();
        let process = format!("process {} on ", std::process::id());
        assert!(error.to_string().contains(&process), "{error}");
        assert!(Lock::is_held(folder.path()));
        drop(first);
        assert!(!Lock::is_held(folder.path()));
        Lock::acquire(folder.path()).unwrap();
    }

    #[test]
    fn a_lock_file_left_by_a_killed_process_is_no_obstacle() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("lock");
        fs::copy("/proc/sys/kernel/hostname", &path).unwrap();
        Lock::acquire(folder.path()).unwrap();
        let text = fs::read_to_string(&path).unwrap();
        assert!(text.starts_with(&format!("process {} on ", std::process::id())), "{text}");
    }

    #[cfg(unix)]
    #[test]
    fn a_lock_that_is_a_link_is_refused_and_its_target_stays() {
        let folder = tempfile::tempdir().unwrap();
        let target = folder.path().join("target");
        crate::store::atomic::write(&target, b"mine").unwrap();
        std::os::unix::fs::symlink(&target, folder.path().join("lock")).unwrap();
        assert!(Lock::acquire(folder.path()).is_err());
        assert_eq!(fs::read(&target).unwrap(), b"mine");
    }
}
