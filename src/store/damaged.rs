//! Damaged lines of journals that a run has made up for: `damaged.list`.
//!
//! A reader stops at a damaged line, because what it held is missing. A run trains that again; from
//! then on the line, which stays where it is, is of no importance, and the list says so. One JSON
//! object per line: file, line, what is wrong, and position and checksum, by which the line is known
//! again. The list depends on nothing but the journals.

use std::collections::BTreeSet;
use std::fs;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::error::StoreError;
use super::journal::Damage;
use super::{atomic, inside};
use crate::base::seal::Check;

const FILE: &str = "damaged.list";

/// One line of the list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Listed {
    /// File name of the journal.
    journal: String,
    /// Line number, from 1.
    line: usize,
    problem: String,
    /// Where the line begins, in bytes.
    offset: u64,
    /// Checksum of its bytes.
    bytes: Check,
}

/// Returns the damages that are not on the list of the folder.
pub(super) fn unlisted(folder: &Path, damages: Vec<Damage>) -> Vec<Damage> {
    if damages.is_empty() {
        return damages;
    }
    let text = inside::read(&folder.join(FILE)).unwrap_or_default();
    let known: BTreeSet<(String, u64, Check)> = text
        .split(|&byte| byte == b'\n')
        // A damaged line of the list knows no line of a journal.
        .filter_map(|line| serde_json::from_slice::<Listed>(line).ok())
        .map(|listed| (listed.journal, listed.offset, listed.bytes))
        .collect();
    let is_known =
        |damage: &Damage| known.contains(&(name_of(&damage.path), damage.offset, damage.check));
    damages.into_iter().filter(|damage| !is_known(damage)).collect()
}

/// Writes the list of a folder.
pub(super) fn write(folder: &Path, damages: &[Damage]) -> Result<(), StoreError> {
    let mut text = String::new();
    for damage in damages {
        let listed = Listed {
            journal: name_of(&damage.path),
            line: line_at(&damage.path, damage.offset),
            problem: damage.problem.clone(),
            offset: damage.offset,
            bytes: damage.check,
        };
        text.push_str(&serde_json::to_string(&listed).expect("the list serialises to JSON"));
        text.push('\n');
    }
    Ok(atomic::write(&folder.join(FILE), text.as_bytes())?)
}

/// Returns the error that names the first of these damages.
pub(super) fn error(damages: &[Damage]) -> Option<StoreError> {
    let first = damages.first()?;
    Some(StoreError::Damaged {
        path: first.path.clone(),
        line: line_at(&first.path, first.offset),
        problem: first.problem.clone(),
        others: damages.len() - 1,
    })
}

fn name_of(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

/// Returns the number of the line that begins after so many bytes, from 1.
fn line_at(path: &PathBuf, offset: u64) -> usize {
    let count = || -> io::Result<usize> {
        let mut bytes = Vec::new();
        fs::File::open(path)?.take(offset).read_to_end(&mut bytes)?;
        Ok(memchr::memchr_iter(b'\n', &bytes).count())
    };
    1 + count().unwrap_or(0)
}
