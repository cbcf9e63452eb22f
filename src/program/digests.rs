//! Digests of large files, kept from one run to the next.
//!
//! A file with the size, the times and the inode that it had is taken for the same: whoever changes a file
//! changes its second time (ctime), which programs cannot set. A file that was changed in the seconds
//! before it was read is not kept, since clocks of file systems are coarse.

use std::collections::BTreeMap;
use std::fs::{File, Metadata};
use std::io::{self, Read};
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::base::{ContentHasher, Digest, format};
use crate::store::{atomic, present_seconds};

/// Name of the file in a results folder.
const FILE: &str = "digests.json";
/// Bytes from which a file is worth it: smaller ones are read sooner than looked up.
const LARGE: u64 = 1 << 20;
/// Seconds that a file has to be unchanged before what was read counts.
const SETTLED: u64 = 3;

/// What a file was when it was read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Known {
    bytes: u64,
    /// Seconds and nanoseconds of the last change of its content and of anything about it.
    times: [i64; 4],
    inode: u64,
    device: u64,
    digest: Digest,
}

/// Digests by the names of their files.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct Digests {
    files: BTreeMap<String, Known>,
    #[serde(skip)]
    is_changed: bool,
}

impl Digests {
    /// Returns what an earlier run kept in a results folder; nothing where that cannot be read.
    pub(crate) fn in_folder(folder: &Path) -> Self {
        let text = crate::store::read_file(&folder.join(FILE)).unwrap_or_default();
        serde_json::from_slice(&text).unwrap_or_default()
    }

    /// Keeps them in a results folder, if there is anything new.
    pub(crate) fn keep_in(&mut self, folder: &Path) {
        if std::mem::take(&mut self.is_changed) {
            // Without it, files are read again.
            let _ =
                atomic::write_derived(&folder.join(FILE), format::DIGESTS.text(&*self).as_bytes());
        }
    }

    /// Returns size and digest of a file, which is read unless it is known.
    ///
    /// # Errors
    /// If it cannot be read.
    pub(crate) fn of(&mut self, name: &str, path: &Path) -> io::Result<(u64, Digest)> {
        let before = std::fs::metadata(path)?;
        let found = facts(&before);
        if let (Some(found), Some(known)) = (&found, self.files.get(name))
            && known.is_like(found)
        {
            return Ok((known.bytes, known.digest));
        }
        let (bytes, digest) = digest_of_file(path)?;
        let after = std::fs::metadata(path).ok().and_then(|after| facts(&after));
        let kept = found.filter(|found| bytes >= LARGE && after.as_ref() == Some(found));
        let kept = kept.filter(|found| {
            let last = found.times[0].max(found.times[2]);
            u64::try_from(last).is_ok_and(|last| last + SETTLED < present_seconds())
        });
        match kept {
            Some(found) => {
                self.files.insert(name.to_owned(), Known { digest, ..found });
                self.is_changed = true;
            }
            None => self.is_changed |= self.files.remove(name).is_some(),
        }
        Ok((bytes, digest))
    }
}

impl Known {
    fn is_like(&self, other: &Self) -> bool {
        Self { digest: self.digest, ..other.clone() } == *self
    }
}

/// Returns what tells a file from another, where the system says it.
#[cfg_attr(unix, expect(clippy::unnecessary_wraps, reason = "elsewhere nothing tells them"))]
fn facts(metadata: &Metadata) -> Option<Known> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt;
        Some(Known {
            bytes: metadata.size(),
            times: [
                metadata.mtime(),
                metadata.mtime_nsec(),
                metadata.ctime(),
                metadata.ctime_nsec(),
            ],
            inode: metadata.ino(),
            device: metadata.dev(),
            digest: crate::base::digest_of(b""),
        })
    }
    #[cfg(not(unix))]
    {
        let _ = metadata;
        None
    }
}

fn digest_of_file(path: &Path) -> io::Result<(u64, Digest)> {
    let mut file = File::open(path)?;
    let mut hasher = ContentHasher::new();
    let mut buffer = vec![0; 256 << 10];
    let mut bytes = 0;
    loop {
        let count = file.read(&mut buffer)?;
        if count == 0 {
            return Ok((bytes, hasher.finish()));
        }
        hasher.raw(&buffer[..count]);
        bytes += count as u64;
    }
}

#[cfg(all(test, unix))]
#[expect(clippy::disallowed_methods, reason = "tests set files up by themselves")]
mod tests {
    use std::fs;
    use std::time::{Duration, SystemTime};

    use super::*;

    #[test]
    fn a_large_file_that_did_not_change_is_not_read_again_and_one_that_did_is() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("data");
        fs::write(&path, vec![1; LARGE as usize]).unwrap();
        let mut digests = Digests::default();
        let first = digests.of("data", &path).unwrap();
        assert!(digests.files.is_empty(), "it was changed a moment ago");

        // What stands here as known is believed, so it was not read.
        let made_up = crate::base::digest_of(b"made up");
        let found = facts(&fs::metadata(&path).unwrap()).unwrap();
        digests.files.insert("data".to_owned(), Known { digest: made_up, ..found });
        assert_eq!(digests.of("data", &path).unwrap(), (LARGE, made_up));

        // The same size and the same time as before, another content.
        let time = fs::metadata(&path).unwrap().modified().unwrap();
        fs::write(&path, vec![2; LARGE as usize]).unwrap();
        File::options().append(true).open(&path).unwrap().set_modified(time).unwrap();
        let second = digests.of("data", &path).unwrap();
        assert!(second.1 != made_up && second.1 != first.1);
    }

    #[test]
    fn digests_are_kept_in_a_folder_of_files_that_have_settled() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("data");
        fs::write(&path, vec![1; LARGE as usize]).unwrap();
        let mut digests = Digests::in_folder(place.path());
        let mut found = facts(&fs::metadata(&path).unwrap()).unwrap();
        found.digest = crate::base::digest_of(b"x");
        digests.files.insert("data".to_owned(), found.clone());
        digests.is_changed = true;
        digests.keep_in(place.path());
        assert_eq!(Digests::in_folder(place.path()).files["data"], found);
        let old = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000_000);
        File::options().append(true).open(&path).unwrap().set_modified(old).unwrap();
        let (_, digest) = Digests::in_folder(place.path()).of("data", &path).unwrap();
        assert_eq!(digest, crate::base::digest_of(&vec![1; LARGE as usize]));
    }
}
