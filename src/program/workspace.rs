//! The files of one call of a program: its trial, its output, what it said.
//!
//! `attempts/<member>-<attempt>/` in the results folder. Of a trial that completed the folder `output`
//! stays if there is something in it, of any other what it said last. `<member>.checkpoint/` is kept from one
//! attempt to the next, until the trial has a result.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::base::MemberId;
use crate::store::atomic;

/// The folder of all calls, in a results folder.
const FOLDER: &str = "attempts";
/// Bytes of the results file that are read.
const MAX_RESULTS: u64 = 16 << 20;

/// The folder of one call.
pub(super) struct Workspace {
    folder: PathBuf,
    name: String,
    checkpoint: PathBuf,
}

impl Workspace {
    /// Makes a fresh folder for an attempt at a member.
    ///
    /// # Errors
    /// If the disk refuses.
    pub(super) fn create(results: &Path, member: &MemberId, attempt: u32) -> io::Result<Self> {
        let name = format!("{member}-{attempt}");
        let folder = results.join(FOLDER).join(&name);
        match fs::remove_dir_all(&folder) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        fs::create_dir_all(folder.join("output"))?;
        let checkpoint = results.join(FOLDER).join(format!("{member}.checkpoint"));
        if fs::symlink_metadata(&checkpoint).is_ok_and(|facts| facts.is_symlink()) {
            // The program would write to wherever it leads.
            return Err(io::Error::other(format!(
                "`{}` is a symbolic link, which leads elsewhere",
                checkpoint.display()
            )));
        }
        fs::create_dir_all(&checkpoint)?;
        Ok(Self { folder, name, checkpoint })
    }

    /// Returns the name of the attempt, unique in a results folder.
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// Returns the file that tells the program of its trial.
    pub(super) fn trial(&self) -> PathBuf {
        self.folder.join("trial.json")
    }

    /// Returns the folder for what the program writes.
    pub(super) fn output(&self) -> PathBuf {
        self.folder.join("output")
    }

    /// Returns the folder that is kept from one attempt at a member to the next.
    pub(super) fn checkpoint(&self) -> PathBuf {
        self.checkpoint.clone()
    }

    /// Returns the file in which the program may answer.
    pub(super) fn results(&self) -> PathBuf {
        self.folder.join("results.json")
    }

    /// Returns the file that says what the program reads, where that is traced.
    pub(super) fn trace(&self) -> PathBuf {
        self.folder.join("trace.txt")
    }

    /// Returns the file that says which image is whose.
    pub(super) fn splits(&self) -> PathBuf {
        self.folder.join("splits.json")
    }

    /// Writes the file that says which image is whose.
    pub(super) fn write_splits(&self, splits: &serde_json::Value) -> io::Result<()> {
        put(&self.splits(), splits.to_string().as_bytes())
    }

    /// Writes the file that tells the program of its trial.
    pub(super) fn write_trial(&self, text: &str) -> io::Result<()> {
        put(&self.trial(), text.as_bytes())
    }

    /// Returns what stands in the results file; nothing where the program wrote none.
    pub(super) fn read_results(&self) -> io::Result<Vec<u8>> {
        let path = self.results();
        match fs::symlink_metadata(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
            Err(error) => Err(error),
            Ok(facts) if !facts.is_file() => Err(io::Error::other("it is no regular file")),
            Ok(facts) if facts.len() > MAX_RESULTS => Err(io::Error::other(format!(
                "it has {} bytes, at most {MAX_RESULTS} are read",
                facts.len()
            ))),
            Ok(_) => fs::read(path),
        }
    }

    /// Removes what is kept between attempts: for good where the trial has ended, else if it is empty.
    pub(super) fn settle(&self, is_over: bool) {
        let _ = if is_over {
            fs::remove_dir_all(&self.checkpoint)
        } else {
            fs::remove_dir(&self.checkpoint)
        };
    }

    /// Leaves of a completed trial what the program wrote into its output folder.
    pub(super) fn tidy(&self) {
        // Only an empty folder can be removed, which is what is meant.
        let is_empty = fs::remove_dir(self.output()).is_ok();
        for file in [self.trial(), self.results(), self.splits()] {
            let _ = fs::remove_file(file);
        }
        if is_empty {
            let _ = fs::remove_dir(&self.folder);
        }
    }

    /// Keeps what a program said that did not complete; returns where its standard error is, in words.
    pub(super) fn keep(&self, stdout: &Kept, stderr: &Kept) -> Option<String> {
        let _ = fs::remove_dir(self.output());
        let said = |kept: &Kept, name: &str| {
            let text = kept.text();
            !text.is_empty() && put(&self.folder.join(name), &text).is_ok()
        };
        said(stdout, "stdout.txt");
        said(stderr, "stderr.txt").then(|| format!("{FOLDER}/{}/stderr.txt", self.name))
    }
}

/// Replaces a file that nothing depends on once the attempt is over.
fn put(path: &Path, bytes: &[u8]) -> io::Result<()> {
    atomic::write_derived(path, bytes).map_err(|error| error.source)
}

/// The beginning and the end of what a program said.
pub(super) struct Kept {
    head: Vec<u8>,
    /// At most twice as much as is kept.
    tail: Vec<u8>,
    dropped: u64,
}

/// Bytes of the beginning that are kept.
const MAX_HEAD: usize = 16 << 10;
/// Bytes of the end that are kept.
const MAX_TAIL: usize = 48 << 10;

impl Kept {
    pub(super) fn new() -> Self {
        Self { head: Vec::new(), tail: Vec::new(), dropped: 0 }
    }

    /// Hears more.
    pub(super) fn add(&mut self, bytes: &[u8]) {
        let (first, rest) = bytes.split_at(bytes.len().min(MAX_HEAD - self.head.len()));
        self.head.extend_from_slice(first);
        let kept = &rest[rest.len().saturating_sub(MAX_TAIL)..];
        self.dropped += (rest.len() - kept.len()) as u64;
        self.tail.extend_from_slice(kept);
        if self.tail.len() > 2 * MAX_TAIL {
            let over = self.tail.len() - MAX_TAIL;
            self.tail.drain(..over);
            self.dropped += over as u64;
        }
    }

    /// Returns what is kept, with a line that says how much is not.
    pub(super) fn text(&self) -> Vec<u8> {
        let mut text = self.head.clone();
        let over = self.tail.len().saturating_sub(MAX_TAIL);
        let dropped = self.dropped + over as u64;
        if dropped > 0 {
            text.extend_from_slice(format!("\n[… {dropped} bytes left out …]\n").as_bytes());
        }
        text.extend_from_slice(&self.tail[over..]);
        text
    }

    /// Returns the last line that says something, as it may stand in a message.
    pub(super) fn last_line(&self) -> Option<String> {
        const MAX: usize = 200;
        let text = self.text();
        let text = String::from_utf8_lossy(&text);
        let line = text.lines().rev().map(str::trim).find(|line| !line.is_empty())?;
        let line: String = line.chars().filter(|c| !c.is_control()).take(MAX).collect();
        Some(line).filter(|line| !line.is_empty())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_much_output_the_beginning_and_the_end_are_kept() {
        let mut kept = Kept::new();
        for line in 0..100_000 {
            kept.add(format!("line {line}\n").as_bytes());
        }
        let text = String::from_utf8(kept.text()).unwrap();
        assert!(text.starts_with("line 0\n") && text.ends_with("line 99999\n"));
        assert!(text.contains("bytes left out") && text.len() < MAX_HEAD + MAX_TAIL + 100);
        assert_eq!(kept.last_line().as_deref(), Some("line 99999"));
        let mut at_once = Kept::new();
        at_once.add(&vec![b'x'; 1 << 20]);
        assert_eq!(at_once.dropped as usize, (1 << 20) - MAX_HEAD - MAX_TAIL);
    }
}
