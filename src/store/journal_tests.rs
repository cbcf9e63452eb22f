use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use proptest::prelude::*;

use super::*;
use crate::base::{CellId, TrialId, digest_of};
use crate::record::Outcome;

fn trial(repeat: u32) -> Entry {
    Entry::from(TrialRecord {
        id: TrialId::from(digest_of(&repeat.to_le_bytes())),
        cell: CellId::from(digest_of(b"cell")),
        repeat,
        members: vec![],
        outcome: Outcome::Failed,
        reason: Some("line\nbreaks and ünïcode".to_owned()),
        metrics: BTreeMap::new(),
    })
}

/// The bytes of a journal with this many entries.
fn journal_of(entries: u32) -> Vec<u8> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("main.jsonl");
    let journal = Journal::open(&path, 0).unwrap();
    for repeat in 0..entries {
        let position = journal.append(&[trial(repeat)]).unwrap();
        journal.flush(position).unwrap();
    }
    fs::read(&path).unwrap()
}

fn error_of(bytes: &[u8]) -> String {
    parse(bytes, Path::new("results/x/journal/main.jsonl")).err().unwrap().to_string()
}

#[test]
fn a_journal_cut_at_any_byte_opens_as_a_prefix() {
    let bytes = journal_of(4);
    let whole = parse(&bytes, Path::new("x")).unwrap().entries;
    assert_eq!(whole, (0..4).map(trial).collect::<Vec<_>>());
    for end in 0..=bytes.len() {
        let cut = parse(&bytes[..end], Path::new("x")).unwrap();
        assert_eq!(cut.entries, whole[..cut.entries.len()], "cut at {end}");
        assert!(cut.valid_length <= end as u64);
        let lines = bytes[..end].split(|&byte| byte == b'\n').count() - 1;
        assert_eq!(cut.entries.len(), lines.saturating_sub(1), "cut at {end}");
    }
}

#[test]
fn a_torn_end_is_cut_off_and_the_next_entry_is_whole() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("main.jsonl");
    let bytes = journal_of(2);
    // Some file systems leave zeros where a write was lost with the power.
    for (keep, tail) in [(bytes.len() - 3, &b""[..]), (bytes.len(), &b"\0\0\0\0"[..]), (7, b"")] {
        super::super::atomic::write(&path, &[&bytes[..keep], tail].concat()).unwrap();
        let before = read(&path).unwrap();
        let journal = Journal::open(&path, before.valid_length).unwrap();
        journal.flush(journal.append(&[trial(9)]).unwrap()).unwrap();
        let after = read(&path).unwrap().entries;
        assert_eq!(after, [before.entries, vec![trial(9)]].concat());
    }
}

#[test]
fn a_damaged_line_is_named() {
    let text = String::from_utf8(journal_of(3)).unwrap();
    let damaged = text.replacen("\"repeat\":1", "\"repeat\":one", 1);
    let message = error_of(damaged.as_bytes());
    assert!(
        message.starts_with("line 3 of `results/x/journal/main.jsonl` is damaged: "),
        "{message}"
    );
    let message = error_of(b"{\"weather\": 1}\n");
    assert!(message.contains("line 1") && message.contains("gridbench-journal"), "{message}");
}

#[test]
fn a_later_version_is_refused() {
    let message = error_of(b"{\"gridbench-journal\":2}\n{\"anything\":[]}\n");
    assert!(message.ends_with("has format version 2, this `bench` reads up to 1"), "{message}");
}

#[test]
fn entries_and_fields_of_later_additions_are_ignored() {
    let mut bytes = journal_of(1);
    bytes.extend_from_slice(b"{\"weather\":{\"rain\":true}}\n");
    let text =
        String::from_utf8(bytes).unwrap().replace("\"repeat\":0", "\"repeat\":0,\"mood\":[]");
    let entries = parse(text.as_bytes(), Path::new("x")).unwrap().entries;
    assert_eq!(entries, [trial(0), Entry::default()]);
}

#[test]
fn a_missing_journal_is_empty() {
    let content = read(Path::new("/no/such/journal.jsonl")).unwrap();
    assert!(content.entries.is_empty());
    assert_eq!(content.valid_length, 0);
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

#[test]
fn a_full_disk_is_one_clear_error_and_everything_before_it_stays() {
    let whole = journal_of(2);
    for stuck in [false, true] {
        let disk = SmallDisk { room: whole.len() + 20, stuck, ..SmallDisk::default() };
        let bytes = Arc::clone(&disk.bytes);
        let journal = Journal::over(Path::new("main.jsonl"), Box::new(disk), 0).unwrap();
        for repeat in 0..2 {
            journal.flush(journal.append(&[trial(repeat)]).unwrap()).unwrap();
        }
        let error = journal.append(&[trial(2)]).unwrap_err();
        assert_eq!(error.to_string(), "cannot append to `main.jsonl`");
        assert!(error.hint().unwrap().starts_with("the disk is full"));
        let again = journal.append(&[trial(3)]).unwrap_err();
        assert!(matches!(again, StoreError::Broken { .. }), "{again}");
        let held = lock(&bytes).clone();
        assert_eq!(parse(&held, Path::new("x")).unwrap().entries, [trial(0), trial(1)]);
        if !stuck {
            assert_eq!(held, whole);
        }
    }
}

#[test]
fn one_flush_serves_everything_written_before_it() {
    let disk = SmallDisk { room: 1 << 20, ..SmallDisk::default() };
    let flushes = Arc::clone(&disk.flushes);
    let journal = Journal::over(Path::new("main.jsonl"), Box::new(disk), 0).unwrap();
    assert_eq!(flushes.load(Ordering::SeqCst), 1);
    let positions: Vec<Position> =
        (0..5).map(|repeat| journal.append(&[trial(repeat)]).unwrap()).collect();
    for position in positions {
        journal.flush(position).unwrap();
    }
    assert_eq!(flushes.load(Ordering::SeqCst), 2);
}

#[test]
fn entries_of_many_threads_stay_whole() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("main.jsonl");
    let journal = Journal::open(&path, 0).unwrap();
    let next = AtomicU64::new(0);
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for _ in 0..10 {
                    let repeat = next.fetch_add(1, Ordering::SeqCst) as u32;
                    journal.flush(journal.append(&[trial(repeat)]).unwrap()).unwrap();
                }
            });
        }
    });
    let mut repeats: Vec<u32> =
        read(&path).unwrap().entries.into_iter().map(|entry| entry.trial.unwrap().repeat).collect();
    repeats.sort_unstable();
    assert_eq!(repeats, (0..40).collect::<Vec<_>>());
}

proptest! {
    #[test]
    fn no_bytes_make_a_reader_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = parse(&bytes, Path::new("x"));
        let _ = parse(&[b"{\"gridbench-journal\":1}\n", &bytes[..]].concat(), Path::new("x"));
    }
}
