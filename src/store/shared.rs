//! The part of a results folder that workers on several machines coordinate through: `work/`.
//!
//! Files below `work/` are only ever created, each by exclusive creation; none is changed, renamed or
//! removed. A cache that lags behind can therefore hide a file, never invent one, and the answer of
//! an exclusive creation comes from the file server itself.

use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use super::error::StoreError;
use super::{atomic, inside};

/// A results folder that several machines see.
#[derive(Debug, Clone)]
pub(crate) struct SharedFolder {
    folder: PathBuf,
}

impl SharedFolder {
    /// Looks at a results folder.
    ///
    /// # Errors
    /// If one of its folders is a link.
    pub(crate) fn open(folder: &Path) -> Result<Self, StoreError> {
        inside::check_folders(folder)?;
        Ok(Self { folder: folder.to_owned() })
    }

    /// Creates a file with this content unless there is one; says whether it did. Missing folders on
    /// the way are created.
    ///
    /// # Errors
    /// If the file system refuses.
    pub(crate) fn create(&self, path: &str, content: &[u8]) -> Result<bool, StoreError> {
        let path = self.folder.join(path);
        let mut created = inside::create_new(&path);
        if matches!(&created, Err(error) if error.kind() == io::ErrorKind::NotFound) {
            let parent = path.parent().unwrap_or(&self.folder);
            atomic::retried(|| fs::create_dir_all(parent))
                .map_err(StoreError::io("create the folder", parent))?;
            created = inside::create_new(&path);
        }
        match created {
            Ok(mut file) => {
                file.write_all(content).map_err(StoreError::io("write", &path))?;
                Ok(true)
            }
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(false),
            Err(error) => Err(StoreError::io("create", &path)(error)),
        }
    }

    /// Creates a file whole, so that no reader ever sees a part of it, unless there is one; says
    /// whether it did.
    ///
    /// # Errors
    /// If the file system refuses.
    pub(crate) fn publish(&self, path: &str, content: &[u8]) -> Result<bool, StoreError> {
        let path = self.folder.join(path);
        let parent = path.parent().unwrap_or(&self.folder);
        atomic::retried(|| fs::create_dir_all(parent))
            .map_err(StoreError::io("create the folder", parent))?;
        Ok(atomic::publish(&path, content)?)
    }

    /// Reads a file; nothing where there is none.
    ///
    /// # Errors
    /// If the file system refuses.
    pub(crate) fn read(&self, path: &str) -> Result<Option<Vec<u8>>, StoreError> {
        let path = self.folder.join(path);
        absent(inside::read(&path)).map_err(StoreError::io("read", &path))
    }

    /// Returns the names in a folder, in no particular order; none where there is no such folder.
    ///
    /// # Errors
    /// If the file system refuses.
    pub(crate) fn list(&self, path: &str) -> Result<Vec<String>, StoreError> {
        let path = self.folder.join(path);
        let entries = absent(fs::read_dir(&path)).map_err(StoreError::io("read the folder", &path));
        let names = entries?
            .into_iter()
            .flatten()
            .map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned()));
        names.collect::<io::Result<_>>().map_err(StoreError::io("read the folder", &path))
    }

    /// Returns the bytes of a file; nothing where there is none. The file is opened anew, which has
    /// NFS ask its server.
    ///
    /// # Errors
    /// If the file system refuses.
    pub(crate) fn length(&self, path: &str) -> Result<Option<u64>, StoreError> {
        let path = self.folder.join(path);
        let length = inside::open(&path).and_then(|file| Ok(file.metadata()?.len()));
        absent(length).map_err(StoreError::io("read", &path))
    }
}

/// Turns the error that a file is not there into nothing. Servers answer `ESTALE` of what another
/// machine replaced.
fn absent<T>(read: io::Result<T>) -> io::Result<Option<T>> {
    match read {
        Ok(found) => Ok(Some(found)),
        Err(error)
            if matches!(
                error.kind(),
                io::ErrorKind::NotFound | io::ErrorKind::StaleNetworkFileHandle
            ) =>
        {
            Ok(None)
        }
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_created_once_and_found_again() {
        let folder = tempfile::tempdir().unwrap();
        let shared = SharedFolder::open(folder.path()).unwrap();
        assert_eq!(shared.read("work/1/7.1").unwrap(), None);
        assert_eq!(shared.length("work/1/7.1").unwrap(), None);
        assert_eq!(shared.list("work/1").unwrap(), Vec::<String>::new());
        assert!(shared.create("work/1/7.1", b"me").unwrap());
        assert!(!shared.create("work/1/7.1", b"other").unwrap());
        assert!(shared.publish("work/1.json", b"whole").unwrap());
        assert!(!shared.publish("work/1.json", b"other").unwrap());
        assert_eq!(shared.read("work/1/7.1").unwrap().unwrap(), b"me");
        assert_eq!(shared.length("work/1/7.1").unwrap(), Some(2));
        assert_eq!(shared.list("work/1").unwrap(), ["7.1"]);
    }
}
