//! Whether the tables of a results folder are those of its journals.
//!
//! A run leaves a stamp beside its tables: which manifest and how many bytes of which journal they
//! were made from. While it fits, a report reads the tables, several times faster than the
//! journals; otherwise, or without one, the journals are read. Journals only ever grow, so equal
//! lengths mean equal content.

use std::collections::BTreeMap;
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::base::{Digest, digest_of};
use crate::store::{Store, atomic, journal_lengths};

/// Raised whenever tables come to mean something else.
const VERSION: u32 = 2;
/// The tables that are read.
const TABLES: [&str; 3] = ["cells.parquet", "trials.parquet", "epochs.parquet"];

/// What tables were made from.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Stamp {
    #[serde(rename = "gridbench-derived")]
    version: u32,
    /// Of the bytes of `manifest.json`, which names the engine revision the results count for.
    manifest: Digest,
    journals: BTreeMap<String, u64>,
    /// Bytes of each table.
    tables: BTreeMap<String, u64>,
}

impl Stamp {
    fn of(folder: &Path, journals: BTreeMap<String, u64>) -> Option<Self> {
        let manifest = std::fs::read(folder.join("manifest.json")).ok()?;
        let length = |name: &str| {
            let facts = std::fs::metadata(folder.join("tables").join(name)).ok()?;
            Some((name.to_owned(), facts.len()))
        };
        Some(Self {
            version: VERSION,
            manifest: digest_of(&manifest),
            journals,
            tables: TABLES.into_iter().map(length).collect::<Option<_>>()?,
        })
    }
}

/// Says that the tables of `store` were just made from it.
///
/// A stamp that cannot be written only costs the next report time.
pub(super) fn stamp(store: &Store) {
    let Some(stamp) = Stamp::of(store.folder(), store.extent()) else { return };
    let text = serde_json::to_vec_pretty(&stamp).expect("a stamp has text keys only");
    drop(atomic::write(&store.folder().join("derived.json"), &text));
}

/// Returns whether the tables in `folder` hold what its journals hold.
pub(super) fn are_fresh(folder: &Path) -> bool {
    let read = || -> Option<bool> {
        let text = std::fs::read(folder.join("derived.json")).ok()?;
        let left: Stamp = serde_json::from_slice(&text).ok()?;
        Some(left == Stamp::of(folder, journal_lengths(folder).ok()?)?)
    };
    read().unwrap_or(false)
}
