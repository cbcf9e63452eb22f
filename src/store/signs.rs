//! Signs of life of the processes that write a results folder, for people who look at it.

use std::io::{Read as _, Seek as _, SeekFrom};
use std::path::Path;
use std::time::{Duration, SystemTime};

use super::error::StoreError;
use super::{inside, journal, names};

/// Bytes at the end of a journal that hold its last line, if that says that the process ended.
const LAST_LINE: u64 = 64;

/// What a journal says of the process that writes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Sign {
    /// Name of the journal.
    pub journal: String,
    /// When the process began, RFC 3339.
    pub started: String,
    /// Bytes of the journal.
    pub length: u64,
    /// Time since the journal last grew, by the clocks of the file server and of this machine.
    pub silence: Duration,
    /// Whether the process said that it ended.
    pub has_ended: bool,
    /// Whether the process is known to be dead: it ran on this machine, and holds its journal no more.
    pub has_died: bool,
}

impl Sign {
    /// Reads those of all processes that wrote a folder, in the order of their names. Journals are not
    /// read, only looked at.
    ///
    /// # Errors
    /// If the folder cannot be read.
    pub(crate) fn all(folder: &Path) -> Result<Vec<Self>, StoreError> {
        let mut signs = Vec::new();
        for (path, first) in journal::files(folder)?.into_values().zip(journal::heads(folder)?) {
            let problem = StoreError::io("read", &path);
            let mut file = match inside::open(&path) {
                Ok(file) => file,
                Err(error) => return Err(problem(error)),
            };
            let mut look = || -> std::io::Result<(u64, Duration, bool)> {
                let facts = file.metadata()?;
                let silence = now().duration_since(facts.modified()?).unwrap_or_default();
                file.seek(SeekFrom::Start(facts.len().saturating_sub(LAST_LINE)))?;
                let mut end = Vec::new();
                file.read_to_end(&mut end)?;
                let says = memchr::memmem::find(&end, b"\n{\"ended\":{},\"check\":").is_some();
                Ok((facts.len(), silence, says && end.ends_with(b"\n")))
            };
            let (length, silence, has_ended) = look().map_err(StoreError::io("read", &path))?;
            let header = first.head.header;
            let boot = header.as_ref().and_then(|header| header.boot.clone());
            let is_of_here = boot.is_some() && boot == names::boot();
            let has_died = is_of_here && !has_ended && file.try_lock().is_ok();
            let started = header.map(|header| header.session().started);
            let (journal, started) = (first.head.name, started.unwrap_or_default());
            signs.push(Self { journal, started, length, silence, has_ended, has_died });
        }
        Ok(signs)
    }
}

#[expect(clippy::disallowed_methods, reason = "compared with the times of files, stored nowhere")]
fn now() -> SystemTime {
    SystemTime::now()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::{ManifestDraft, Repeats, Store};

    #[test]
    fn a_process_that_writes_gives_signs_of_life_until_it_ends() {
        let folder = tempfile::tempdir().unwrap();
        let draft = ManifestDraft {
            name: "x".to_owned(),
            typed: String::new(),
            overrides: vec![],
            experiment: serde_json::json!({}),
            engine: "none".to_owned(),
            engine_revision: "1".to_owned(),
            datasets: vec![],
            programs: Vec::new(),
            repeats: Repeats::default(),
            repository: None,
        };
        let mut store = Store::open_shared(folder.path(), draft.clone()).unwrap();
        let [sign] = &Sign::all(folder.path()).unwrap()[..] else { panic!("one journal") };
        assert!(!sign.has_ended && !sign.has_died && sign.length > 0, "{sign:?}");
        // One that joins reads no journal, and writes its own.
        let mut other = Store::join(folder.path(), &draft).unwrap();
        assert!(other.members().is_empty());
        let (writer, _) = other.parts().unwrap();
        writer.note_claim("3/7.1", false).unwrap();
        writer.note_claim("3/8.1", false).unwrap();
        writer.note_claim("3/7.1", true).unwrap();
        let name = writer.journal_name().unwrap();
        assert_eq!(Store::open_claims(folder.path(), &name).unwrap(), ["3/8.1"]);
        assert!(Store::open_claims(folder.path(), "../x").unwrap().is_empty());
        let (writer, _) = store.parts().unwrap();
        writer.end().unwrap();
        drop(other);
        let signs = Sign::all(folder.path()).unwrap();
        let dead = signs.iter().filter(|sign| sign.has_died).count();
        let ended = signs.iter().filter(|sign| sign.has_ended).count();
        assert_eq!((signs.len(), dead, ended), (2, 1, 1), "{signs:?}");
    }
}
