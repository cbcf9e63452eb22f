//! All journals of a folder, read side by side into a view.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::thread;

use super::blocks::{Before, Block, Blocks};
use super::entry::{ReadEntry, VERSION};
use super::head::{Head, files, plain};
use crate::base::seal::{Check, verify_line};
use crate::record::EpochRecord;
use crate::store::error::StoreError;
use crate::store::view::{EntryLocation, Facts, Member, Trial, View};

/// Bytes of journals below which a second thread is not worth starting.
const SMALL: u64 = 1 << 20;
/// Most threads: beyond them the disk is what one waits for.
const MAX_THREADS: usize = 16;

/// A line that is not as it was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::store) struct Damage {
    pub(in crate::store) path: PathBuf,
    /// Where the line begins, in bytes.
    pub(in crate::store) offset: u64,
    /// Checksum of its bytes, to know it again.
    pub(in crate::store) check: Check,
    pub(in crate::store) problem: String,
}

/// One journal that was read.
#[derive(Debug, Clone)]
pub(in crate::store) struct File {
    pub(in crate::store) path: PathBuf,
    pub(in crate::store) head: Head,
    /// Bytes of its whole lines.
    pub(in crate::store) length: u64,
}

/// What all journals of a folder say.
#[derive(Default)]
pub(in crate::store) struct Reading {
    pub(in crate::store) view: View,
    /// By the index in a [`EntryLocation`].
    pub(in crate::store) files: Vec<File>,
    /// In the order of journals and lines.
    pub(in crate::store) damages: Vec<Damage>,
}

/// Reads all journals of a folder, whatever is damaged in them.
///
/// # Errors
/// If one cannot be read or is of a later version.
pub(in crate::store) fn read_all(folder: &Path) -> Result<Reading, StoreError> {
    let paths: Vec<PathBuf> = files(folder)?.into_values().collect();
    read_some(&paths)
}

/// Reads some journals, whatever is damaged in them.
///
/// # Errors
/// If one cannot be read or is of a later version.
pub(in crate::store) fn read_some(paths: &[PathBuf]) -> Result<Reading, StoreError> {
    let size = |path: &PathBuf| std::fs::metadata(path).map_or(0, |facts| facts.len());
    let threads = match paths.iter().map(size).sum::<u64>() {
        0..SMALL => 1,
        _ => thread::available_parallelism().map_or(1, usize::from).min(MAX_THREADS),
    };
    let mut view = View::default();
    for path in paths {
        view.add_journal(&path.file_stem().unwrap_or_default().to_string_lossy());
    }
    let (blocks, view) = (Mutex::new(Blocks::of(paths.to_vec())), Mutex::new(view));
    let damages = Mutex::new(Vec::new());
    let read = || -> Result<(), StoreError> {
        let mut done: Option<Block> = None;
        loop {
            // The lock is for taking alone.
            let block = {
                let mut blocks = lock(&blocks);
                done.take().into_iter().for_each(|block| blocks.recycle(block.bytes));
                blocks.next()?
            };
            let Some(block) = block else { return Ok(()) };
            let Parsed { facts, damages: found } = parse(&block, &paths[block.journal])?;
            done = Some(block);
            let mut view = lock(&view);
            view.add_all(facts);
            drop(view);
            lock(&damages).extend(found);
        }
    };
    thread::scope(|scope| {
        let others: Vec<_> = (1..threads).map(|_| scope.spawn(read)).collect();
        let own = read();
        others.into_iter().try_fold((), |(), other| other.join().expect("a reader ends")).and(own)
    })?;
    let files: Vec<File> = into_inner(blocks)
        .finish()
        .map(|(path, head, length)| File { path, head, length })
        .collect();
    let mut view = into_inner(view);
    for (index, file) in files.iter().enumerate() {
        view.set_owner(index, &file.head.name);
        if let Some(header) = &file.head.header {
            view.add_session(&header.clone().session());
        }
    }
    view.choose_trials();
    let mut damages = into_inner(damages);
    damages.sort_by(|a: &Damage, b| (&a.path, a.offset).cmp(&(&b.path, b.offset)));
    Ok(Reading { view, files, damages })
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn into_inner<T>(mutex: Mutex<T>) -> T {
    mutex.into_inner().unwrap_or_else(PoisonError::into_inner)
}

struct Parsed {
    facts: Facts,
    damages: Vec<Damage>,
}

/// Parses the lines of a block.
fn parse(block: &Block, path: &Path) -> Result<Parsed, StoreError> {
    let mut parsed = Parsed { facts: Facts::default(), damages: Vec::new() };
    let (mut start, mut before) = (0, block.before);
    let mut short = Vec::new();
    while let Some(length) = memchr::memchr(b'\n', &block.bytes[start..]) {
        let line = &block.bytes[start..start + length];
        let offset = block.offset + start as u64;
        start += length + 1;
        let location =
            EntryLocation { journal: block.journal as u32, length: length as u32 + 1, offset };
        let mut after = None;
        let problem = if offset == 0 {
            Head::of(&block.bytes, path)?.problem
        } else if block.version < VERSION {
            add(&mut parsed.facts, line, location, block.version).err()
        } else {
            verify(before, line)
                .and_then(|found| {
                    after = found;
                    let facts = &mut parsed.facts;
                    let read = without_epochs(line, &mut short)
                        .and_then(|short| add(facts, short, location, block.version).ok());
                    read.map_or_else(|| add(facts, line, location, block.version), Ok)
                })
                .err()
        };
        if let Some(problem) = problem {
            let (path, check) = (path.to_owned(), Check::of(line));
            parsed.damages.push(Damage { path, offset, check, problem });
        }
        before = after.unwrap_or_else(|| Before::of(before, line));
    }
    Ok(parsed)
}

/// Leaves out the epochs of a member, which are most of its line and which nobody looks at here;
/// nothing where the line is not laid out as a writer does it.
///
/// A quote inside of a text is preceded by a backslash, so the first `"epochs":[` is the key; no text
/// among the epochs holds a bracket. Of a line that is made otherwise the rest is no JSON.
fn without_epochs<'s>(line: &[u8], short: &'s mut Vec<u8>) -> Option<&'s [u8]> {
    const KEY: &[u8] = b"\"epochs\":[";
    // What is asked of a folder may have a list of that name.
    if !line.starts_with(b"{\"member\":{") {
        return None;
    }
    let begin = memchr::memmem::find(line, KEY)? + KEY.len();
    let length = memchr::memchr(b']', &line[begin..])?;
    short.clear();
    short.extend_from_slice(&line[..begin]);
    short.extend_from_slice(&line[begin + length..]);
    Some(short)
}

/// Holds a line against its checksum, and returns what the next one follows where that is known from
/// it. Where the checksum of the line before is damaged, it may follow the one that should stand
/// there.
fn verify(before: Before, line: &[u8]) -> Result<Option<Before>, String> {
    let follows = [before.stands, before.should].into_iter().flatten();
    let mut problem = None;
    for (index, previous) in follows.enumerate() {
        match verify_line(previous, line) {
            Ok(own) => {
                let is_first = index == 0;
                return Ok(is_first.then_some(Before { stands: Some(own), should: Some(own) }));
            }
            Err(error) => problem = problem.or(Some(error.to_string())),
        }
    }
    Err(problem.unwrap_or_else(|| "the line before it has no checksum to follow".to_owned()))
}

/// Adds what a line says to `facts`.
fn add(
    facts: &mut Facts,
    line: &[u8],
    location: EntryLocation,
    version: u32,
) -> Result<(), String> {
    let entry: ReadEntry<'_> = serde_json::from_slice(line).map_err(|error| plain(&error))?;
    if let Some(record) = entry.member {
        if version < VERSION {
            // Without a checksum, what is not looked at may be anything.
            serde_json::from_str::<Vec<EpochRecord>>(record.epochs.get())
                .map_err(|error| plain(&error))?;
        }
        facts.members.push(Member {
            id: record.id,
            seed_path: record.seed_path,
            attempt: record.attempt,
            outcome: record.outcome,
            reason: record.reason.map(String::into_boxed_str),
            summary: record.summary.map(Box::new),
            repair: entry.repair,
            predictions: entry.predictions,
            weights: entry.weights.map(Box::new),
            location,
        });
    }
    if let Some(record) = entry.trial {
        facts.trials.push(Trial { record, from: entry.from.into(), location });
    }
    if let Some(run) = entry.run {
        facts.runs.push((run, location.journal));
    }
    facts.sessions.extend(entry.session);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_epochs_of_a_member_are_passed_over_and_nothing_else() {
        let mut short = Vec::new();
        let mut left = |line: &str| {
            let found = without_epochs(line.as_bytes(), &mut short);
            found.map(|short| String::from_utf8_lossy(short).into_owned())
        };
        assert_eq!(
            left(r#"{"member":{"reason":"\"epochs\":[1]","epochs":[{"epoch":1}],"x":[2]},"y":3}"#),
            Some(r#"{"member":{"reason":"\"epochs\":[1]","epochs":[],"x":[2]},"y":3}"#.to_owned())
        );
        assert_eq!(left(r#"{"run":{"asked":{"hyperparameters":{"epochs":[1,2]}}}}"#), None);
        assert_eq!(left(r#"{"trial":{"metrics":{"epochs":4.0}}}"#), None);
        assert_eq!(left(r#"{"member":{"epochs":[{"epoch":1}"#), None);
    }
}
