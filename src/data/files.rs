//! Reads files whole: only regular ones, and no more of them than the limits allow.

use std::fs::{File, FileType};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use flate2::bufread::GzDecoder;

use super::error::LoadError;
use super::paths::ending_of;
use crate::experiment::settings::LimitSettings;

const MEBIBYTE: u64 = 1 << 20;
/// Unpacked bytes from which on the ratio of a packed file is judged: small files may well be empty.
const RATIO_FROM: u64 = 16 * MEBIBYTE;
/// What a gzip stream begins with.
const GZIP: [u8; 2] = [0x1F, 0x8B];

/// A file in memory, with its packed form where it has one.
pub(super) struct Stored {
    pub(super) path: PathBuf,
    pub(super) packed: Option<Vec<u8>>,
    pub(super) content: Vec<u8>,
}

/// Reads a file as it is.
pub(super) fn read(path: &Path, limits: &LimitSettings) -> Result<Vec<u8>, LoadError> {
    let problem = |source| LoadError::Read { path: path.to_owned(), source };
    // A named pipe would be waited for as soon as it is opened.
    let metadata = std::fs::metadata(path).map_err(problem)?;
    if !metadata.is_file() {
        let kind = kind_of(metadata.file_type());
        return Err(LoadError::NotRegular { path: path.to_owned(), kind });
    }
    let most = limits.file_mib.saturating_mul(MEBIBYTE);
    let mut content = Vec::new();
    if metadata.len() <= most {
        content.reserve_exact(metadata.len() as usize);
        let file = File::open(path).map_err(problem)?;
        // Some files say they are empty and are not.
        file.take(most.saturating_add(1)).read_to_end(&mut content).map_err(problem)?;
    }
    if metadata.len().max(content.len() as u64) > most {
        return Err(too_large(path, metadata.len().max(most), limits));
    }
    Ok(content)
}

/// Reads a file and unpacks it where it is a gzip stream or its name ends in `.gz`.
pub(super) fn read_stored(path: PathBuf, limits: &LimitSettings) -> Result<Stored, LoadError> {
    let bytes = read(&path, limits)?;
    if ending_of(&path) != "gz" && !bytes.starts_with(&GZIP) {
        return Ok(Stored { path, packed: None, content: bytes });
    }
    let most = limits.file_mib.saturating_mul(MEBIBYTE);
    let of_ratio = (bytes.len() as u64).saturating_mul(limits.unpack_ratio).max(RATIO_FROM);
    match unpack(&bytes, most.min(of_ratio)) {
        Ok(content) => Ok(Stored { path, packed: Some(bytes), content }),
        Err(Unpacking::TooLarge) if most <= of_ratio => Err(too_large(&path, most, limits)),
        Err(Unpacking::TooLarge) => Err(LoadError::Limit {
            found: format!("a content more than {} times as large as itself", limits.unpack_ratio),
            path,
            key: "unpack-ratio",
            limit: limits.unpack_ratio,
            enough: 1200,
        }),
        Err(Unpacking::Bad(problem)) => {
            Err(LoadError::content(&path, problem, "a complete gzip stream and nothing after it"))
        }
    }
}

fn too_large(path: &Path, bytes: u64, limits: &LimitSettings) -> LoadError {
    let mebibytes = bytes / MEBIBYTE + 1;
    LoadError::Limit {
        path: path.to_owned(),
        found: format!("at least {mebibytes} MiB"),
        key: "file-mib",
        limit: limits.file_mib,
        enough: mebibytes.max(2 * limits.file_mib),
    }
}

/// Why a gzip file could not be unpacked.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Unpacking {
    /// Its content is larger than it may be.
    TooLarge,
    /// It is no sound gzip file.
    Bad(String),
}

/// Unpacks a gzip file into at most so many bytes.
pub(super) fn unpack(packed: &[u8], most: u64) -> Result<Vec<u8>, Unpacking> {
    if !packed.starts_with(&GZIP) {
        return Err(Unpacking::Bad("no gzip stream".to_owned()));
    }
    // The last four bytes hold the unpacked size modulo 2³²; only a capacity, so a lie costs little.
    let size = packed.last_chunk::<4>().map_or(0, |tail| u32::from_le_bytes(*tail) as usize);
    let mut content = Vec::with_capacity(size.min(packed.len().saturating_mul(8)));
    let mut rest = packed;
    while rest.starts_with(&GZIP) {
        let left = most.saturating_sub(content.len() as u64).saturating_add(1);
        if let Err(error) = GzDecoder::new(&mut rest).take(left).read_to_end(&mut content) {
            return Err(Unpacking::Bad(if error.kind() == io::ErrorKind::UnexpectedEof {
                format!("a gzip stream that is cut off after {} unpacked bytes", content.len())
            } else {
                format!("a damaged gzip stream ({error})")
            }));
        }
        if content.len() as u64 > most {
            return Err(Unpacking::TooLarge);
        }
    }
    match rest.len() {
        0 => Ok(content),
        bytes => Err(Unpacking::Bad(format!("{bytes} bytes after its gzip stream"))),
    }
}

/// Names what is no regular file.
fn kind_of(kind: FileType) -> &'static str {
    if kind.is_dir() {
        return "a folder";
    }
    #[cfg(unix)]
    {
        use std::os::unix::fs::FileTypeExt as _;
        if kind.is_fifo() {
            return "a named pipe";
        } else if kind.is_socket() {
            return "a socket";
        } else if kind.is_char_device() || kind.is_block_device() {
            return "a device";
        }
    }
    "something else"
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use flate2::Compression;
    use flate2::write::GzEncoder;

    use super::*;

    fn gzip(content: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(content).unwrap();
        encoder.finish().unwrap()
    }

    #[expect(clippy::disallowed_methods, reason = "a test's own files need not survive a crash")]
    fn stored(name: &str, content: &[u8], limits: &LimitSettings) -> Result<Vec<u8>, String> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(name);
        std::fs::write(&path, content).unwrap();
        read_stored(path, limits).map(|stored| stored.content).map_err(|error| {
            error.to_string().replace(&format!("{}/", folder.path().display()), "")
        })
    }

    #[test]
    fn a_packed_file_is_unpacked_whatever_it_is_called_and_however_many_streams_it_has() {
        let limits = LimitSettings::default();
        let two = [gzip(b"one "), gzip(b"two")].concat();
        assert_eq!(stored("a.csv", &two, &limits).unwrap(), b"one two");
        assert_eq!(stored("a.csv.gz", &two, &limits).unwrap(), b"one two");
        assert_eq!(stored("a.csv", b"plain", &limits).unwrap(), b"plain");
        assert!(stored("a.gz", b"plain", &limits).unwrap_err().contains("no gzip stream"));
    }

    #[test]
    fn a_file_that_unpacks_to_more_than_the_limits_is_refused_before_it_fills_the_memory() {
        // 64 MiB of zeros are 64 KiB packed: a thousand to one.
        let bomb = gzip(&vec![0; 64 << 20]);
        assert!(bomb.len() < 100_000);
        let usual = LimitSettings::default();
        let error = stored("bomb.csv.gz", &bomb, &usual).unwrap_err();
        assert_eq!(
            error,
            "`bomb.csv.gz` has a content more than 200 times as large as itself, more than \
             `dataset.limits.unpack-ratio` allows"
        );
        let small = LimitSettings { file_mib: 1, ..usual.clone() };
        let error = stored("bomb.csv.gz", &bomb, &small).unwrap_err();
        assert!(error.contains("more than `dataset.limits.file-mib` allows"), "{error}");
        let raised = LimitSettings { unpack_ratio: 1200, ..usual };
        assert_eq!(stored("bomb.csv.gz", &bomb, &raised).unwrap().len(), 64 << 20);
        assert_eq!(unpack(&gzip(b"12345"), 4), Err(Unpacking::TooLarge));
        assert_eq!(unpack(&gzip(b"12345"), 5).unwrap(), b"12345");
    }

    #[test]
    fn a_file_larger_than_the_limit_is_refused() {
        let small = LimitSettings { file_mib: 1, ..LimitSettings::default() };
        assert_eq!(stored("a.csv", &vec![b'x'; 1 << 20], &small).unwrap().len(), 1 << 20);
        let error = stored("a.csv", &vec![b'x'; (1 << 20) + 1], &small).unwrap_err();
        assert_eq!(error, "`a.csv` has at least 2 MiB, more than `dataset.limits.file-mib` allows");
    }

    #[cfg(unix)]
    #[test]
    fn only_regular_files_are_read() {
        let folder = tempfile::tempdir().unwrap();
        let limits = LimitSettings::default();
        let refused = |path: &Path| match read(path, &limits) {
            Err(LoadError::NotRegular { kind, .. }) => kind,
            other => panic!("{}: {other:?}", path.display()),
        };
        let socket = folder.path().join("socket");
        let _listener = std::os::unix::net::UnixListener::bind(&socket).unwrap();
        let pipe = folder.path().join("pipe.png");
        assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
        let link = folder.path().join("link.csv");
        std::os::unix::fs::symlink("/dev/zero", &link).unwrap();
        assert_eq!(refused(folder.path()), "a folder");
        assert_eq!(refused(&socket), "a socket");
        assert_eq!(refused(&pipe), "a named pipe");
        assert_eq!(refused(Path::new("/dev/zero")), "a device");
        assert_eq!(refused(&link), "a device");
    }
}
