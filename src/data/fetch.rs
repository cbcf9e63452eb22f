//! Downloads of known datasets: several mirrors, resumed where they stopped, checked before they count.
//!
//! A file grows under a `.part` name that carries its mirror, since mirrors pack the same content
//! differently and the halves of two mirrors do not fit. It is renamed once its digest is right, so a
//! file under its own name is always whole. Two mirrors are plain HTTP; the digests make that safe.

use std::collections::BTreeMap;
use std::fs::{self, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use ureq::Agent;
use ureq::http::header::{CONTENT_LENGTH, CONTENT_RANGE, RANGE};
use ureq::http::{HeaderName, Response, StatusCode};

use super::error::{DataError, FetchError, MirrorFailure};
use super::folders::stored_as;
use super::idx::unpack;
use super::known::{KnownFile, KnownSet, Pin};
use crate::base::{Digest, digest_of};

/// Tries of one mirror, each going on where the last stopped.
const TRIES: usize = 3;
/// Seconds without a byte after which a connection is given up.
const STALL_SECONDS: u64 = 30;
/// More than any known file holds: a server that sends more is not sending that file.
const MAX_BYTES: u64 = 256 << 20;

/// What to fetch from where.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FetchOptions {
    /// Whether files that are there and whole are downloaded again.
    pub force: bool,
    /// Addresses that file names are appended to, instead of the built-in ones; empty: those.
    pub mirrors: Vec<String>,
    /// SHA-256 of unpacked files by name without `.gz`, instead of the built-in digests.
    pub pins: BTreeMap<String, Digest>,
}

/// What a download has come to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FetchProgress<'a> {
    /// The file is there and whole; nothing is downloaded.
    Present {
        /// The file.
        file: &'a str,
    },
    /// A mirror answers.
    Started {
        /// The file.
        file: &'a str,
        /// The address.
        url: &'a str,
        /// Bytes that earlier tries left.
        resumed_at: u64,
        /// Size of the whole file, where the mirror says so.
        total: Option<u64>,
    },
    /// More bytes are on disk.
    Received {
        /// The file.
        file: &'a str,
        /// All bytes so far.
        bytes: u64,
    },
    /// A mirror failed; the next try or mirror follows.
    Failed {
        /// The file.
        file: &'a str,
        /// The address.
        url: &'a str,
        /// What went wrong.
        problem: &'a str,
    },
    /// The file is whole and in place.
    Done {
        /// The file.
        file: &'a str,
    },
}

/// Downloads a known dataset into its own folder below `folder` and returns that folder.
///
/// # Errors
/// If no dataset of this name can be downloaded, the folder cannot be written, or no mirror gives a
/// file with the right digest; the error says what each mirror did.
pub fn fetch(
    name: &str,
    folder: &Path,
    options: &FetchOptions,
    progress: &mut dyn FnMut(FetchProgress<'_>),
) -> Result<PathBuf, DataError> {
    let stall = Some(Duration::from_secs(STALL_SECONDS));
    let agent = Agent::config_builder()
        .http_status_as_error(false)
        .accept_encoding("identity")
        .timeout_connect(stall)
        .timeout_recv_response(stall)
        .timeout_per_read(stall)
        .build()
        .new_agent();
    fetch_with(&agent, name, folder, options, progress).map_err(|error| error.of(name))
}

fn fetch_with(
    agent: &Agent,
    name: &str,
    folder: &Path,
    options: &FetchOptions,
    progress: &mut dyn FnMut(FetchProgress<'_>),
) -> Result<PathBuf, FetchError> {
    let set = KnownSet::named(name).ok_or_else(|| FetchError::Unknown {
        name: name.to_owned(),
        known: KnownSet::all().iter().map(|set| format!("`{}`", set.name)).collect(),
    })?;
    let folder = folder.join(set.folders[0]);
    fs::create_dir_all(&folder).map_err(|source| write_problem(&folder, source))?;
    for file in set.files {
        let download = Download {
            agent,
            file,
            pin: options
                .pins
                .get(file.name)
                .copied()
                .map_or_else(|| Wanted::from(file.pin), Wanted::Unpacked),
            mirrors: if options.mirrors.is_empty() {
                set.mirrors.iter().map(|&mirror| mirror.to_owned()).collect()
            } else {
                options.mirrors.clone()
            },
            folder: &folder,
        };
        download.run(options.force, progress)?;
    }
    Ok(folder)
}

fn write_problem(path: &Path, source: io::Error) -> FetchError {
    FetchError::Write { path: path.to_owned(), source }
}

/// The digest a download must have.
#[derive(Clone, Copy)]
enum Wanted {
    Unpacked(Digest),
    Packed(Digest),
}

impl From<Pin> for Wanted {
    fn from(pin: Pin) -> Self {
        match pin {
            Pin::Unpacked(_) => Self::Unpacked(pin.digest()),
            Pin::Packed(_) => Self::Packed(pin.digest()),
        }
    }
}

impl Wanted {
    /// Says what is wrong with a packed file.
    fn check_packed(self, packed: &[u8]) -> Result<(), String> {
        match self {
            Self::Packed(wanted) => compare(digest_of(packed), wanted),
            Self::Unpacked(wanted) => unpack(packed)
                .map_err(|problem| format!("gave {problem}"))
                .and_then(|content| compare(digest_of(&content), wanted)),
        }
    }

    /// Says whether a file found in the folder is whole, as far as its digest is known.
    fn accepts(self, path: &Path) -> bool {
        let packed = path.extension().is_some_and(|extension| extension == "gz");
        fs::read(path).is_ok_and(|content| match self {
            _ if packed => self.check_packed(&content).is_ok(),
            Self::Unpacked(wanted) => digest_of(&content) == wanted,
            Self::Packed(_) => true,
        })
    }
}

fn compare(found: Digest, wanted: Digest) -> Result<(), String> {
    let problem = || format!("gave a file with SHA-256 {found}, expected {wanted}");
    (found == wanted).then_some(()).ok_or_else(problem)
}

/// Why one try of a mirror ended.
enum Trouble {
    /// The mirror may do better when asked again.
    Again(String),
    /// The mirror has nothing to offer.
    GiveUp(String),
    /// It is not the mirror's fault.
    Ours(FetchError),
}

/// One file on its way.
struct Download<'a> {
    agent: &'a Agent,
    file: KnownFile,
    pin: Wanted,
    mirrors: Vec<String>,
    folder: &'a Path,
}

impl Download<'_> {
    fn run(
        &self,
        force: bool,
        progress: &mut dyn FnMut(FetchProgress<'_>),
    ) -> Result<(), FetchError> {
        let file = self.file.name;
        if !force && stored_as(self.folder, file).is_some_and(|path| self.pin.accepts(&path)) {
            progress(FetchProgress::Present { file });
            return Ok(());
        }
        let mut attempts = Vec::new();
        for mirror in &self.mirrors {
            let url = format!("{mirror}{file}.gz");
            let part = self.part(&url);
            if force {
                remove(&part)?;
            }
            for _ in 0..TRIES {
                let problem = match self.attempt(&url, &part, progress) {
                    Ok(()) => return self.finish(&part, progress),
                    Err(Trouble::Ours(error)) => return Err(error),
                    Err(Trouble::Again(problem)) => problem,
                    Err(Trouble::GiveUp(problem)) => {
                        progress(FetchProgress::Failed { file, url: &url, problem: &problem });
                        attempts.push(MirrorFailure { url: url.clone(), problem });
                        break;
                    }
                };
                progress(FetchProgress::Failed { file, url: &url, problem: &problem });
                attempts.retain(|failure: &MirrorFailure| failure.url != url);
                attempts.push(MirrorFailure { url: url.clone(), problem });
            }
        }
        Err(FetchError::Mirrors { file: format!("{file}.gz"), attempts })
    }

    fn part(&self, url: &str) -> PathBuf {
        let mirror = digest_of(url.as_bytes()).to_string();
        self.folder.join(format!("{}.gz.{}.part", self.file.name, &mirror[..8]))
    }

    /// Brings `part` to its end and checks it.
    fn attempt(
        &self,
        url: &str,
        part: &Path,
        progress: &mut dyn FnMut(FetchProgress<'_>),
    ) -> Result<(), Trouble> {
        let file = self.file.name;
        let ours = |source| Trouble::Ours(write_problem(part, source));
        let there = fs::metadata(part).map_or(0, |metadata| metadata.len());
        let mut request = self.agent.get(url);
        if there > 0 {
            request = request.header(RANGE, format!("bytes={there}-"));
        }
        let response = request
            .call()
            .map_err(|error| Trouble::GiveUp(format!("cannot be reached ({error})")))?;
        let start = match response.status() {
            StatusCode::OK => 0,
            StatusCode::PARTIAL_CONTENT if resumes_at(&response, there) => there,
            StatusCode::PARTIAL_CONTENT | StatusCode::RANGE_NOT_SATISFIABLE => {
                fs::remove_file(part).map_err(ours)?;
                return Err(Trouble::Again("could not go on where the last try stopped".into()));
            }
            status if status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS => {
                return Err(Trouble::Again(format!("answers {status}")));
            }
            status => return Err(Trouble::GiveUp(format!("answers {status}"))),
        };
        let total = header(&response, CONTENT_LENGTH)
            .and_then(|length| length.parse::<u64>().ok())
            .map(|length| start + length);
        progress(FetchProgress::Started { file, url, resumed_at: start, total });

        let mut out = OpenOptions::new().create(true).append(true).open(part).map_err(ours)?;
        out.set_len(start).map_err(ours)?;
        let mut body = response.into_body().into_reader();
        let mut bytes = start;
        let mut buffer = vec![0; 1 << 16];
        let cut = loop {
            match body.read(&mut buffer) {
                Ok(0) => break total.filter(|&total| bytes < total).map(|_| String::new()),
                Ok(count) => {
                    out.write_all(&buffer[..count]).map_err(ours)?;
                    bytes += count as u64;
                    progress(FetchProgress::Received { file, bytes });
                    if bytes > MAX_BYTES {
                        drop(out);
                        fs::remove_file(part).map_err(ours)?;
                        return Err(Trouble::GiveUp(format!("sends more than {MAX_BYTES} bytes")));
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => break Some(format!(" ({error})")),
            }
        };
        out.sync_all().map_err(ours)?;
        if let Some(why) = cut {
            let of = total.map_or(String::new(), |total| format!(" of {total}"));
            return Err(Trouble::Again(format!("stopped after {bytes}{of} bytes{why}")));
        }
        let packed = fs::read(part).map_err(ours)?;
        self.pin.check_packed(&packed).map_err(|problem| {
            // A resumed file may be of two halves that do not fit: once more from the start.
            let trouble = if start > 0 { Trouble::Again } else { Trouble::GiveUp };
            fs::remove_file(part).map_or_else(ours, |()| trouble(problem))
        })
    }

    /// Puts a checked download in place and clears away what it replaces.
    fn finish(
        &self,
        part: &Path,
        progress: &mut dyn FnMut(FetchProgress<'_>),
    ) -> Result<(), FetchError> {
        let file = self.file.name;
        let target = self.folder.join(format!("{file}.gz"));
        fs::rename(part, &target).map_err(|source| write_problem(&target, source))?;
        // An unpacked file would be read in preference to the new one.
        remove(&self.folder.join(file))?;
        for mirror in &self.mirrors {
            remove(&self.part(&format!("{mirror}{file}.gz")))?;
        }
        progress(FetchProgress::Done { file });
        Ok(())
    }
}

fn header<B>(response: &Response<B>, name: HeaderName) -> Option<&str> {
    response.headers().get(name)?.to_str().ok()
}

fn resumes_at<B>(response: &Response<B>, start: u64) -> bool {
    header(response, CONTENT_RANGE)
        .and_then(|range| range.strip_prefix("bytes ")?.split('-').next()?.parse::<u64>().ok())
        .is_some_and(|first| first == start)
}

fn remove(path: &Path) -> Result<(), FetchError> {
    match fs::remove_file(path) {
        Err(source) if source.kind() != io::ErrorKind::NotFound => Err(write_problem(path, source)),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests;
