//! Downloads of known datasets: several mirrors, resumed where they stopped, checked before they count.
//!
//! A file grows under a `.part` name that carries its mirror, since mirrors pack the same content
//! differently and the halves of two mirrors do not fit. It is renamed once its digest is right, so a
//! file under its own name is always whole. Two mirrors are plain HTTP; the digests make that safe.
//!
//! No server is trusted: what it sends, what that unpacks to, how often it points elsewhere and how
//! long all of it may take are bounded.

use std::collections::BTreeMap;
use std::fs::{self, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use ureq::Agent;
use ureq::config::ConfigBuilder;
use ureq::http::header::{CONTENT_LENGTH, CONTENT_RANGE, RANGE, RETRY_AFTER};
use ureq::http::{HeaderName, Response, StatusCode};
use ureq::typestate::AgentScope;

use super::error::{DataError, FetchError, MirrorFailure};
use super::files::{self, Unpacking, unpack};
use super::folders::stored_as;
use super::known::{KnownFile, KnownSet, Pin};
use crate::base::{Digest, digest_of};
use crate::experiment::settings::LimitSettings;

/// Tries of one mirror, each going on where the last stopped.
const TRIES: usize = 3;
/// Seconds without a byte after which a connection is given up.
const STALL_SECONDS: u64 = 30;
/// Seconds that one file may take in all.
const FILE_SECONDS: u64 = 3600;
/// Longest wait that a server may ask for.
const MAX_WAIT_SECONDS: u64 = 60;
/// Times that a server may point elsewhere.
const MAX_REDIRECTS: u32 = 5;
/// More than any known file holds: a server that sends more is not sending that file.
const MAX_BYTES: u64 = 256 << 20;

/// What to fetch from where.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct FetchOptions {
    /// Whether files that are there and whole are downloaded again.
    pub force: bool,
    /// Addresses that file names are appended to, tried before the built-in ones.
    pub mirrors: Vec<String>,
    /// SHA-256 of unpacked files by name without `.gz`, instead of the built-in digests.
    pub pins: BTreeMap<String, Digest>,
}

/// What a download has come to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum FetchProgress<'a> {
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
pub(crate) fn fetch(
    name: &str,
    folder: &Path,
    options: &FetchOptions,
    progress: &mut dyn FnMut(FetchProgress<'_>),
) -> Result<PathBuf, DataError> {
    let set = KnownSet::named(name).ok_or_else(|| {
        let known = KnownSet::all().iter().map(|set| format!("`{}`", set.name)).collect();
        FetchError::Unknown { name: name.to_owned(), known }.of(name)
    })?;
    let agent = configured().build().new_agent();
    let patience = Patience { file: Duration::from_secs(FILE_SECONDS), wait: &std::thread::sleep };
    fetch_set(&agent, set, folder, options, patience, progress).map_err(|error| error.of(name))
}

fn configured() -> ConfigBuilder<AgentScope> {
    let stall = Some(Duration::from_secs(STALL_SECONDS));
    Agent::config_builder()
        .http_status_as_error(false)
        .accept_encoding("identity")
        .max_redirects(MAX_REDIRECTS)
        .timeout_connect(stall)
        .timeout_recv_response(stall)
        .timeout_per_read(stall)
}

/// How long servers are waited for.
#[derive(Clone, Copy)]
struct Patience<'a> {
    /// For one file, all mirrors and tries together.
    file: Duration,
    /// Waits.
    wait: &'a dyn Fn(Duration),
}

fn fetch_set(
    agent: &Agent,
    set: &KnownSet,
    folder: &Path,
    options: &FetchOptions,
    patience: Patience<'_>,
    progress: &mut dyn FnMut(FetchProgress<'_>),
) -> Result<PathBuf, FetchError> {
    let folder = folder.join(set.folders[0]);
    fs::create_dir_all(&folder).map_err(|source| write_problem(&folder, source))?;
    let built_in = set.mirrors.iter().map(|&mirror| mirror.to_owned());
    let mirrors: Vec<String> = options.mirrors.iter().cloned().chain(built_in).collect();
    for file in set.files {
        let pin = options.pins.get(file.name).copied();
        let download = Download {
            agent,
            file,
            pin: pin.map_or_else(|| Wanted::from(file.pin), Wanted::Unpacked),
            mirrors: &mirrors,
            folder: &folder,
            patience,
            until: Instant::now() + patience.file,
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
    fn check_packed(self, packed: &[u8], most: u64) -> Result<(), String> {
        match self {
            Self::Packed(wanted) => compare(digest_of(packed), wanted),
            Self::Unpacked(wanted) => unpack(packed, most)
                .map_err(|problem| match problem {
                    Unpacking::Bad(problem) => format!("gave {problem}"),
                    Unpacking::TooLarge => format!("gave more than {most} unpacked bytes"),
                })
                .and_then(|content| compare(digest_of(&content), wanted)),
        }
    }

    /// Says whether a file found in the folder is whole, as far as its digest is known.
    fn accepts(self, path: &Path, most: u64) -> bool {
        let packed = path.extension().is_some_and(|extension| extension == "gz");
        files::read(path, &LimitSettings::default()).is_ok_and(|content| match self {
            _ if packed => self.check_packed(&content, most).is_ok(),
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
    /// The mirror asks to be left alone for so long.
    Later(String, Duration),
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
    mirrors: &'a [String],
    folder: &'a Path,
    patience: Patience<'a>,
    /// When the file is given up.
    until: Instant,
}

impl Download<'_> {
    fn run(
        &self,
        force: bool,
        progress: &mut dyn FnMut(FetchProgress<'_>),
    ) -> Result<(), FetchError> {
        let file = self.file.name;
        let most = self.file.unpacked_bytes();
        let is_there =
            stored_as(self.folder, file).is_some_and(|path| self.pin.accepts(&path, most));
        if !force && is_there {
            progress(FetchProgress::Present { file });
            return Ok(());
        }
        let mut attempts: Vec<MirrorFailure> = Vec::new();
        for mirror in self.mirrors {
            let url = format!("{mirror}{file}.gz");
            let part = self.part(&url);
            if force {
                remove(&part)?;
            }
            for _ in 0..TRIES {
                let (problem, pause) = match self.attempt(&url, &part, progress) {
                    Ok(()) => return self.finish(&part, progress),
                    Err(Trouble::Ours(error)) => return Err(error),
                    Err(Trouble::Again(problem)) => (problem, Some(Duration::ZERO)),
                    Err(Trouble::Later(problem, pause)) => {
                        let is_short = pause <= Duration::from_secs(MAX_WAIT_SECONDS)
                            && Instant::now() + pause < self.until;
                        (problem, Some(pause).filter(|_| is_short))
                    }
                    Err(Trouble::GiveUp(problem)) => (problem, None),
                };
                progress(FetchProgress::Failed { file, url: &url, problem: &problem });
                attempts.retain(|failure| failure.url != url);
                attempts.push(MirrorFailure { url: url.clone(), problem });
                let Some(pause) = pause else { break };
                if !pause.is_zero() {
                    (self.patience.wait)(pause);
                }
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
        let left = self.until.saturating_duration_since(Instant::now());
        if left.is_zero() {
            let seconds = self.patience.file.as_secs_f64();
            return Err(Trouble::GiveUp(format!(
                "was not asked: the {seconds} s for one file are over"
            )));
        }
        let mut request = self.agent.get(url).config().timeout_global(Some(left)).build();
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
                return Err(match header(&response, RETRY_AFTER).map(str::parse::<u64>) {
                    None => Trouble::Again(format!("answers {status}")),
                    Some(Ok(seconds)) => Trouble::Later(
                        format!("answers {status} and asks to be left alone for {seconds} s"),
                        Duration::from_secs(seconds),
                    ),
                    // A date: whoever wants to can come back then.
                    Some(Err(_)) => Trouble::GiveUp(format!(
                        "answers {status} and asks to be left alone until a date"
                    )),
                });
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
        self.pin.check_packed(&packed, self.file.unpacked_bytes()).map_err(|problem| {
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
        for mirror in self.mirrors {
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
