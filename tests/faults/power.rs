//! The power goes: what was not flushed is there, is not, or is half there.
//!
//! The injector records every operation of a run with its bytes. For each of them the disk is set up
//! as it may be found afterwards, and the run started again.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use crate::rig::{End, FAKE, Fault, Rig, Tally, answer, copy_of, must, same_tables, tables};

const RUN: [&str; 7] = ["run", "fake.toml", "--jobs", "1", "--out", "out", "--quiet"];
/// Exit code of the run: one of its members fails for good.
const FAILED: i32 = 3;

/// What a disk may have kept of what was not flushed.
const KEPT: [&str; 6] = [
    "everything",
    "nothing",
    "names without content",
    "zeros for content",
    "half of the content",
    "the later half of the content",
];

struct Operation {
    what: String,
    path: PathBuf,
    to: PathBuf,
    offset: usize,
    bytes: Vec<u8>,
}

/// Reads what the injector recorded.
fn recorded(bytes: &[u8]) -> Vec<Operation> {
    let (mut operations, mut rest) = (Vec::new(), bytes);
    while let Some(end) = rest.iter().position(|&byte| byte == b'\n') {
        let head = String::from_utf8_lossy(&rest[..end]).into_owned();
        let fields: Vec<&str> = head.split('\t').collect();
        let length: usize = fields[4].parse().expect("a length");
        let begin = end + 1;
        operations.push(Operation {
            what: fields[0].to_owned(),
            path: fields[1].into(),
            to: fields[2].into(),
            offset: fields[3].parse().unwrap_or(0),
            bytes: rest[begin..begin + length].to_vec(),
        });
        rest = &rest[begin + length..];
    }
    operations
}

#[derive(Default, Clone)]
struct File {
    content: Vec<u8>,
    flushed: Vec<u8>,
}

/// A disk with what is on it and what is sure to stay.
#[derive(Default)]
struct Disk {
    files: Vec<File>,
    names: BTreeMap<PathBuf, usize>,
    /// Names as of the last flush of their folder.
    flushed_names: BTreeMap<PathBuf, usize>,
    folders: BTreeSet<PathBuf>,
}

impl Disk {
    fn after(operations: &[Operation]) -> Self {
        let mut disk = Self::default();
        for operation in operations {
            disk.apply(operation);
        }
        disk
    }

    fn apply(&mut self, operation: &Operation) {
        let Operation { what, path, to, offset, bytes } = operation;
        match what.as_str() {
            "mkdir" => drop(self.folders.insert(path.clone())),
            "create" => {
                if !self.names.contains_key(path) {
                    self.names.insert(path.clone(), self.files.len());
                    self.files.push(File::default());
                }
            }
            "write" => {
                let content = &mut self.files[self.names[path]].content;
                content.resize(content.len().max(offset + bytes.len()), 0);
                content[*offset..offset + bytes.len()].copy_from_slice(bytes);
            }
            "cut" => self.files[self.names[path]].content.resize(*offset, 0),
            "rename" => {
                if let Some(file) = self.names.remove(path) {
                    self.names.insert(to.clone(), file);
                }
            }
            "link" => {
                let file = self.names[path];
                self.names.insert(to.clone(), file);
            }
            "unlink" => drop(self.names.remove(path)),
            "flush" => match self.names.get(path) {
                Some(&file) => self.files[file].flushed = self.files[file].content.clone(),
                None => {
                    self.flushed_names.retain(|name, _| name.parent() != Some(path));
                    let inside = self.names.iter().filter(|(name, _)| name.parent() == Some(path));
                    self.flushed_names.extend(inside.map(|(name, file)| (name.clone(), *file)));
                }
            },
            other => panic!("unknown operation `{other}`"),
        }
    }

    /// Puts the disk as it may be found into `target`.
    fn write(&self, kept: usize, root: &Path, target: &Path) {
        let place = |path: &Path| target.join(path.strip_prefix(root).expect("inside"));
        for folder in &self.folders {
            fs::create_dir_all(place(folder)).expect("a folder");
        }
        let names = if kept == 1 { &self.flushed_names } else { &self.names };
        for (name, &file) in names {
            let File { content, flushed } = &self.files[file];
            let sure = flushed.len().min(content.len());
            let half = sure + (content.len() - sure) / 2;
            let bytes = match kept {
                0 => content.clone(),
                1 | 2 => flushed.clone(),
                3 => [&flushed[..sure], &vec![0; content.len() - sure][..]].concat(),
                4 => [&flushed[..sure], &content[sure..half]].concat(),
                _ => [&flushed[..sure], &vec![0; half - sure][..], &content[half..]].concat(),
            };
            fs::write(place(name), bytes).expect("a file");
        }
    }
}

/// Cuts the power after every operation of a run.
pub(crate) fn cuts(rig: &Rig) -> Result<Tally, String> {
    let start = tempfile::tempdir().expect("a folder");
    fs::write(start.path().join("fake.toml"), FAKE).expect("a file");
    let place = copy_of(start.path());
    let root = place.path().join("out");
    let record = place.path().join("record");
    let fault = Fault { at: 0, what: "kill", stays: false };
    let mut command = rig.faulty(place.path(), &root, &RUN, fault);
    let undisturbed = answer(command.env("FAULT_RECORD", &record));
    if undisturbed.code != FAILED {
        return Err(format!("exit {}\n{}", undisturbed.code, undisturbed.stderr));
    }
    let expected = tables(&root)?;
    let operations = recorded(&fs::read(&record).expect("a record"));
    let cases: Vec<(usize, usize)> = rig
        .points(operations.len(), 8)
        .into_iter()
        .flat_map(|at| (0..KEPT.len()).map(move |kept| (at, kept)))
        .collect();
    Ok(rig.rounds(&cases, |&(at, kept)| {
        let place = copy_of(start.path());
        let out = place.path().join("out");
        Disk::after(&operations[..at]).write(kept, &root, &out);
        let about = |problem: String| {
            let last = &operations[at - 1];
            format!(
                "after operation {at} ({} of {}), the disk kept {}: {problem}",
                last.what,
                last.path.display(),
                KEPT[kept]
            )
        };
        must(place.path(), &RUN, FAILED).map_err(about)?;
        same_tables(&out, &expected).map_err(about)?;
        must(place.path(), &["status", "out"], 0).map_err(about)?;
        let is_damage = out.join("damaged.list").exists();
        Ok(if is_damage { End::Healed } else { End::Unharmed })
    }))
}
