//! Records by id, found in one step.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hash, Hasher};
use std::ops;

/// Records by id. Ids are digests, so their own bytes spread them.
#[derive(Debug, Clone)]
pub struct Index<K, V> {
    indices: HashMap<K, u32, BuildHasherDefault<FirstBytes>>,
    records: Vec<V>,
}

impl<K, V> Default for Index<K, V> {
    fn default() -> Self {
        Self { indices: HashMap::default(), records: Vec::new() }
    }
}

impl<K: Copy + Eq + Hash, V> Index<K, V> {
    /// Returns the record with this id.
    pub(crate) fn get(&self, id: &K) -> Option<&V> {
        self.indices.get(id).map(|index| &self.records[*index as usize])
    }

    /// Returns all records, in no particular order.
    pub fn values(&self) -> std::slice::Iter<'_, V> {
        self.records.iter()
    }

    /// Returns the number of records.
    #[must_use]
    pub fn len(&self) -> usize {
        self.records.len()
    }

    /// Returns whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.records.is_empty()
    }

    /// Makes room for so many more records, and for as many again where there is none.
    pub(super) fn reserve(&mut self, more: usize) {
        self.records.reserve(more);
        self.indices.reserve(more);
    }

    /// Adds a record, or replaces the one with this id.
    pub(super) fn insert(&mut self, id: K, record: V) {
        if let Some(index) = self.indices.get(&id) {
            self.records[*index as usize] = record;
        } else {
            self.indices.insert(id, self.records.len() as u32);
            self.records.push(record);
        }
    }
}

impl<K: Copy + Eq + Hash, V> ops::Index<&K> for Index<K, V> {
    type Output = V;

    fn index(&self, id: &K) -> &V {
        self.get(id).expect("the record is there")
    }
}

/// Hashes a digest by its first bytes.
#[derive(Debug, Clone, Copy, Default)]
struct FirstBytes(u64);

impl Hasher for FirstBytes {
    fn write(&mut self, bytes: &[u8]) {
        let mut word = [0; 8];
        let length = bytes.len().min(8);
        word[..length].copy_from_slice(&bytes[..length]);
        self.0 = self.0.rotate_left(5) ^ u64::from_le_bytes(word);
    }

    // Arrays say how long they are; digests are all alike.
    fn write_usize(&mut self, _: usize) {}

    fn finish(&self) -> u64 {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::{MemberId, digest_of};

    #[test]
    fn the_last_record_of_an_id_counts() {
        let mut index = Index::default();
        let id = |text: &str| MemberId::from(digest_of(text.as_bytes()));
        for (name, value) in [("a", 1), ("b", 2), ("a", 3)] {
            index.insert(id(name), value);
        }
        assert_eq!((index[&id("a")], index[&id("b")], index.len()), (3, 2, 2));
        assert_eq!(index.get(&id("c")), None);
    }
}
