use std::fs;
use std::io;
use std::path::Path;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use proptest::prelude::*;

use super::entry::{Entry, Header};
use super::reader::{Reading, read_all};
use super::writer::{Flush, Journal, Sink, lock};
use crate::base::{CellId, Metrics, TrialId, digest_of};
use crate::record::{Outcome, TrialRecord};
use crate::store::atomic::{self, Durability};
use crate::store::error::StoreError;
use crate::store::origin::{Build, Machine, Session};

fn trial(repeat: u32) -> TrialRecord {
    TrialRecord {
        id: TrialId::from(digest_of(&repeat.to_le_bytes())),
        cell: CellId::from(digest_of(b"cell")),
        repeat,
        members: vec![],
        outcome: Outcome::Failed,
        reason: Some("line\nbreaks and ünïcode".to_owned()),
        metrics: Metrics::default(),
    }
}

fn entry(repeat: u32) -> Entry {
    Entry { trial: Some(trial(repeat)), ..Entry::default() }
}

fn session() -> Session {
    Session {
        started: "2026-01-02T03:04:05Z".to_owned(),
        build: Build::current(),
        machine: Machine::current(),
        engine: "none".to_owned(),
        repository: None,
    }
}

/// The bytes of a journal with this many entries.
fn journal_of(entries: u32) -> Vec<u8> {
    let folder = tempfile::tempdir().unwrap();
    let journal = Journal::create(folder.path(), &session()).unwrap();
    for repeat in 0..entries {
        journal.flush(journal.append(&entry(repeat)).unwrap().position()).unwrap();
    }
    fs::read(journal.path()).unwrap()
}

/// What a folder with one journal of these bytes says.
fn read(bytes: &[u8]) -> Result<Reading, StoreError> {
    read_in(tempfile::tempdir().unwrap().path(), bytes)
}

fn read_in(folder: &Path, bytes: &[u8]) -> Result<Reading, StoreError> {
    atomic::write_with(&folder.join("journal/x.jsonl"), bytes, Durability::Cached).unwrap();
    read_all(folder)
}

fn repeats(reading: &Reading) -> Vec<u32> {
    let mut repeats: Vec<u32> = reading.view.trials().values().map(|trial| trial.repeat).collect();
    repeats.sort_unstable();
    repeats
}

/// Returns where each line begins, and the end.
fn lines_of(bytes: &[u8]) -> Vec<usize> {
    let ends = bytes.iter().enumerate().filter(|(_, byte)| **byte == b'\n').map(|(at, _)| at + 1);
    std::iter::once(0).chain(ends).collect()
}

#[test]
fn a_journal_cut_at_any_byte_opens_as_a_prefix() {
    let (bytes, folder) = (journal_of(4), tempfile::tempdir().unwrap());
    for end in 0..=bytes.len() {
        let cut = read_in(folder.path(), &bytes[..end]).unwrap();
        let lines = memchr::memchr_iter(b'\n', &bytes[..end]).count() as u32;
        assert_eq!(repeats(&cut), (0..lines.saturating_sub(1)).collect::<Vec<_>>(), "cut at {end}");
        assert!(cut.damages.is_empty(), "cut at {end}: {:?}", cut.damages);
        assert_eq!(cut.files[0].length, lines_of(&bytes[..end]).last().copied().unwrap() as u64);
    }
}

#[test]
fn every_flipped_bit_of_a_journal_is_found_and_costs_two_lines_at_most() {
    let (bytes, folder) = (journal_of(3), tempfile::tempdir().unwrap());
    let lines = lines_of(&bytes);
    for bit in 0..8 * bytes.len() {
        let mut flipped = bytes.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        let damaged = match read_in(folder.path(), &flipped) {
            Err(StoreError::Newer { .. }) => continue,
            read => read.unwrap(),
        };
        let line = lines.iter().rposition(|&start| start <= bit / 8).unwrap();
        let is_last_break = bit / 8 == bytes.len() - 1;
        assert!(is_last_break || !damaged.damages.is_empty(), "bit {bit} is silent");
        let first = damaged.damages.first().map(|damage| damage.offset as usize);
        assert!(first.is_none_or(|offset| offset == lines[line]), "bit {bit}: {first:?}");
        assert!(damaged.damages.len() <= 2, "bit {bit}: {:?}", damaged.damages);
        let lost = 3 - repeats(&damaged).len();
        assert!(lost <= 2, "bit {bit} costs {lost} lines");
        for record in damaged.view.trials().values() {
            assert_eq!(*record, trial(record.repeat), "bit {bit} changes what is read");
        }
    }
}

#[test]
fn a_line_that_is_gone_or_stands_elsewhere_is_found() {
    let bytes = journal_of(4);
    let lines = lines_of(&bytes);
    let line = |index: usize| &bytes[lines[index]..lines[index + 1]];
    let without_the_third = [line(0), line(1), line(3), line(4)].concat();
    let reading = read(&without_the_third).unwrap();
    assert_eq!((reading.damages.len(), repeats(&reading)), (1, vec![0, 3]));
    let exchanged = [line(0), line(1), line(3), line(2), line(4)].concat();
    let reading = read(&exchanged).unwrap();
    assert!(!reading.damages.is_empty());
    assert_eq!(repeats(&reading)[0], 0);
}

#[test]
fn zeros_where_a_write_was_lost_with_the_power_are_a_torn_end_or_damage() {
    let bytes = journal_of(3);
    let lines = lines_of(&bytes);
    let torn = [&bytes[..lines[3]], &[0; 40]].concat();
    let reading = read(&torn).unwrap();
    assert_eq!((reading.damages.len(), repeats(&reading)), (0, vec![0, 1]));
    let mut hole = bytes.clone();
    hole[lines[2]..lines[3] - 1].fill(0);
    let reading = read(&hole).unwrap();
    assert_eq!(reading.damages[0].offset, lines[2] as u64);
    assert_eq!(repeats(&reading)[0], 0);
}

#[test]
fn a_later_version_is_refused() {
    for text in [
        "{\"gridbench-journal\":3}\n{\"anything\":[]}\n",
        "{\"format\":\"gridbench-journal\",\"version\":3}\n",
    ] {
        let message = read(text.as_bytes()).err().unwrap().to_string();
        assert!(message.ends_with("has format version 3, this `bench` reads up to 2"), "{message}");
    }
}

#[test]
fn journals_of_version_1_are_read_and_what_does_not_parse_is_named() {
    let line = serde_json::to_string(&entry(0)).unwrap();
    let text = format!(
        "{{\"gridbench-journal\":1}}\n{line}\n{{}}\n{{\"weather\":1}}\n{{\"trial\":{{}}}}\n{line}"
    );
    let reading = read(text.as_bytes()).unwrap();
    assert_eq!(repeats(&reading), [0]);
    let [damage] = &reading.damages[..] else { panic!("{:?}", reading.damages) };
    assert!(damage.problem.contains("missing field `id`"), "{}", damage.problem);
    assert_eq!(damage.offset as usize, text.find("{\"trial\":{}}").unwrap());
}

#[test]
fn several_journals_are_read_and_a_folder_without_any_is_empty() {
    let folder = tempfile::tempdir().unwrap();
    assert!(read_all(folder.path()).unwrap().view.trials().is_empty());
    let names: Vec<String> = (0..3)
        .map(|repeat| {
            let journal = Journal::create(folder.path(), &session()).unwrap();
            journal.append(&entry(repeat)).unwrap();
            journal.name().to_owned()
        })
        .collect();
    assert_eq!(names[1], format!("{}.2", names[0]));
    assert_eq!(repeats(&read_all(folder.path()).unwrap()), [0, 1, 2]);
}

#[test]
fn large_journals_are_read_by_several_threads_alike() {
    let folder = tempfile::tempdir().unwrap();
    let journal = Journal::create(folder.path(), &session()).unwrap();
    let mut record = trial(0);
    // Lines of 100 kB: blocks end within lines, and there are several.
    record.reason = Some("x".repeat(100_000));
    for repeat in 0..120 {
        let one = TrialRecord { id: trial(repeat).id, repeat, ..record.clone() };
        journal.append(&Entry { trial: Some(one), ..Entry::default() }).unwrap();
    }
    let reading = read_all(folder.path()).unwrap();
    assert_eq!(repeats(&reading), (0..120).collect::<Vec<_>>());
    assert_eq!((reading.damages.len(), reading.files[0].length), (0, journal.length()));
}

/// Holds `room` bytes, then is full; counts flushes.
#[derive(Clone, Default)]
struct SmallDisk {
    bytes: Arc<Mutex<Vec<u8>>>,
    room: usize,
    flushes: Arc<AtomicUsize>,
    stuck: bool,
}

impl Sink for SmallDisk {
    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        let mut held = lock(&self.bytes);
        let fits = bytes.len().min(self.room - held.len());
        held.extend_from_slice(&bytes[..fits]);
        if fits < bytes.len() { Err(io::ErrorKind::StorageFull.into()) } else { Ok(()) }
    }

    fn flusher(&self) -> io::Result<Box<dyn Flush>> {
        Ok(Box::new(self.clone()))
    }

    fn cut(&mut self, length: u64) -> io::Result<()> {
        if self.stuck {
            return Err(io::ErrorKind::Other.into());
        }
        lock(&self.bytes).truncate(length as usize);
        Ok(())
    }
}

impl Flush for SmallDisk {
    fn flush(&self) -> io::Result<()> {
        self.flushes.fetch_add(1, Ordering::SeqCst);
        Ok(())
    }
}

fn journal_over(disk: SmallDisk) -> Journal {
    let header = Header::new("x".to_owned(), session(), None);
    Journal::over("x".to_owned(), Path::new("x.jsonl"), Box::new(disk), &header).unwrap()
}

#[test]
fn a_full_disk_is_one_clear_error_and_everything_before_it_stays() {
    for stuck in [false, true] {
        let room = SmallDisk { room: 1 << 20, ..SmallDisk::default() };
        let measured = journal_over(room);
        for repeat in 0..2 {
            measured.append(&entry(repeat)).unwrap();
        }
        let disk =
            SmallDisk { room: measured.length() as usize + 20, stuck, ..SmallDisk::default() };
        let bytes = Arc::clone(&disk.bytes);
        let journal = journal_over(disk);
        for repeat in 0..2 {
            journal.flush(journal.append(&entry(repeat)).unwrap().position()).unwrap();
        }
        let error = journal.append(&entry(2)).unwrap_err();
        assert_eq!(error.to_string(), "cannot append to `x.jsonl`");
        assert!(error.hint().unwrap().starts_with("the disk is full"));
        let again = journal.append(&entry(3)).unwrap_err();
        assert!(matches!(again, StoreError::Broken { .. }), "{again}");
        let held = lock(&bytes).clone();
        let reading = read(&held).unwrap();
        assert_eq!((repeats(&reading), reading.damages.len()), (vec![0, 1], 0));
        assert_eq!(held.len() as u64 == journal.length(), !stuck);
    }
}

#[test]
fn one_flush_serves_everything_written_before_it() {
    let disk = SmallDisk { room: 1 << 20, ..SmallDisk::default() };
    let flushes = Arc::clone(&disk.flushes);
    let journal = journal_over(disk);
    assert_eq!(flushes.load(Ordering::SeqCst), 1);
    let appended: Vec<_> = (0..5).map(|repeat| journal.append(&entry(repeat)).unwrap()).collect();
    for one in appended {
        journal.flush(one.position()).unwrap();
    }
    assert_eq!(flushes.load(Ordering::SeqCst), 2);
}

#[test]
fn entries_of_many_threads_stay_whole() {
    let folder = tempfile::tempdir().unwrap();
    let journal = Journal::create(folder.path(), &session()).unwrap();
    let next = AtomicU64::new(0);
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for _ in 0..10 {
                    let repeat = next.fetch_add(1, Ordering::SeqCst) as u32;
                    journal.flush(journal.append(&entry(repeat)).unwrap().position()).unwrap();
                }
            });
        }
    });
    let reading = read_all(folder.path()).unwrap();
    assert_eq!((repeats(&reading), reading.damages.len()), ((0..40).collect(), 0));
}

proptest! {
    #[test]
    fn no_bytes_make_a_reader_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = read(&bytes);
        let _ = read(&[b"{\"gridbench-journal\":1}\n", &bytes[..]].concat());
        let _ = read(&[&journal_of(0)[..], &bytes].concat());
    }
}
