//! A round: what was outstanding when it was opened, and how it is divided.

use std::ops::RangeInclusive;

use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

use super::folder::Folder;
use super::lanes::Rule;
use crate::base::seal::{open_document, sealed_document};
use crate::base::{ContentHasher, Digest, MemberId};
use crate::store::{SharedFolder, StoreError};

const FORMAT: &str = "gridbench-round";
const VERSION: u32 = 1;
/// Most rounds of a folder that are looked for.
const MAX_ROUNDS: u32 = 9999;

/// A member that has records already: which attempt and which repair come next.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Again(pub u32, pub u32, pub u32);

/// One round of work. Its file is published once and never changed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct Round {
    format: String,
    version: u32,
    /// Number of the round, from 1.
    pub number: u32,
    /// Digest of the members of the plan, in order: another plan, another round.
    pub plan: Digest,
    /// Members of the plan.
    pub members: u32,
    /// Lanes the outstanding members are dealt to: about one per worker.
    pub lanes: u32,
    /// Members that stay together, for packs.
    pub chunk: u32,
    /// Members that a worker trains at once.
    pub threads: u32,
    /// Seconds of one unit of cost, where they are known.
    pub seconds_per_unit: Option<f64>,
    /// Seconds of a batch at least.
    pub least: f64,
    /// Seconds of a batch at most.
    pub most: f64,
    /// Outstanding members, as ranges of indices into the plan: `0-11,13`.
    outstanding: String,
    /// Members that have records already: index in the plan, next attempt, next repair.
    pub again: Vec<Again>,
}

impl Round {
    /// Describes a round of these outstanding members, indices into the plan in ascending order.
    pub(crate) fn new(number: u32, plan: Digest, members: u32, outstanding: &[usize]) -> Self {
        let Rule { least, most, .. } = Rule::default();
        Self {
            format: FORMAT.to_owned(),
            version: VERSION,
            number,
            plan,
            members,
            lanes: 1,
            chunk: 1,
            threads: 1,
            seconds_per_unit: None,
            least,
            most,
            outstanding: to_ranges(outstanding),
            again: Vec::new(),
        }
    }

    /// Returns the digest of the members of a plan.
    pub(crate) fn digest_of_plan<'a>(members: impl IntoIterator<Item = &'a MemberId>) -> Digest {
        let mut hasher = ContentHasher::new();
        for member in members {
            hasher.part("member", member.to_string().as_bytes());
        }
        hasher.finish()
    }

    /// Returns the folder of the round, relative to the results folder.
    pub(crate) fn folder(&self) -> String {
        format!("work/{:04}", self.number)
    }

    /// Returns how its lanes are cut.
    pub(crate) fn rule(&self) -> Rule {
        Rule { least: self.least, most: self.most, threads: self.threads.max(1) as usize }
    }

    /// Returns the outstanding members, as indices into the plan in ascending order.
    pub(crate) fn outstanding(&self) -> Vec<usize> {
        let ranges = self.outstanding.split(',').filter_map(range);
        let within = |index: &usize| *index < self.members as usize;
        ranges.flatten().take_while(within).collect()
    }

    /// Publishes the round unless one of its number is there; says whether it did.
    ///
    /// # Errors
    /// If the file system refuses.
    pub(crate) fn publish(&self, folder: &SharedFolder) -> Result<bool, StoreError> {
        folder.publish(&path(self.number), sealed_document(self).as_bytes())
    }

    /// Reads the last round of a folder, and returns the number that comes next; a file that is no
    /// whole round counts as none.
    ///
    /// # Errors
    /// If the file system refuses, or a round is of a later version.
    pub(crate) fn last(folder: &dyn Folder) -> Result<(Option<Self>, u32), StoreError> {
        let number = |name: String| name.strip_suffix(".json")?.parse::<u32>().ok();
        let mut numbers: Vec<u32> = folder
            .list("work")?
            .into_iter()
            .filter_map(number)
            .filter(|n| *n <= MAX_ROUNDS)
            .collect();
        numbers.sort_unstable();
        let next = numbers.last().map_or(1, |last| last + 1);
        while let Some(number) = numbers.pop() {
            let Some(bytes) = folder.read(&path(number))? else { continue };
            if let Some(round) = Self::parse(&bytes, number)? {
                return Ok((Some(round), next));
            }
        }
        Ok((None, next))
    }

    /// Reads the round with this number; nothing where it is not there, or not whole.
    ///
    /// # Errors
    /// If the file system refuses, or it is of a later version.
    pub(crate) fn read(folder: &dyn Folder, number: u32) -> Result<Option<Self>, StoreError> {
        let bytes = folder.read(&path(number))?;
        bytes.map_or(Ok(None), |bytes| Self::parse(&bytes, number))
    }

    fn parse(bytes: &[u8], number: u32) -> Result<Option<Self>, StoreError> {
        let Ok(mut json) = serde_json::from_slice::<Json>(bytes) else { return Ok(None) };
        if !matches!(open_document(&mut json), Ok(true)) {
            return Ok(None);
        }
        let found = json.get("version").and_then(Json::as_u64).unwrap_or(0);
        if found > VERSION.into() {
            let found = u32::try_from(found).unwrap_or(u32::MAX);
            return Err(StoreError::newer(std::path::Path::new(&path(number)), found, VERSION));
        }
        let round = serde_json::from_value::<Self>(json).ok();
        Ok(round.filter(|round| round.format == FORMAT && round.number == number))
    }

    /// Returns whether the round was closed: all of it was in journals, and its tables are written.
    ///
    /// # Errors
    /// If the file system refuses.
    pub(crate) fn is_closed(&self, folder: &dyn Folder) -> Result<bool, StoreError> {
        let names = folder.list(&format!("{}/close", self.folder()))?;
        Ok(names.iter().any(|name| name == "0.done"))
    }
}

fn path(number: u32) -> String {
    format!("work/{number:04}.json")
}

fn to_ranges(indices: &[usize]) -> String {
    let mut ranges: Vec<(usize, usize)> = Vec::new();
    for &index in indices {
        match ranges.last_mut() {
            Some((_, last)) if *last + 1 == index => *last = index,
            _ => ranges.push((index, index)),
        }
    }
    let texts = ranges.into_iter().map(|(first, last)| {
        if first == last { first.to_string() } else { format!("{first}-{last}") }
    });
    texts.collect::<Vec<_>>().join(",")
}

fn range(text: &str) -> Option<RangeInclusive<usize>> {
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    Some(first.parse().ok()?..=last.parse().ok()?)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::base::digest_of;

    #[test]
    fn a_round_is_published_once_and_read_back() {
        let folder = tempfile::tempdir().unwrap();
        let shared = SharedFolder::open(folder.path()).unwrap();
        assert_eq!(Round::last(&shared).unwrap(), (None, 1));
        let mut round = Round::new(1, digest_of(b"plan"), 9, &[0, 1, 2, 5, 8]);
        round.again.push(Again(5, 2, 0));
        assert!(round.publish(&shared).unwrap());
        assert!(!Round::new(1, digest_of(b"other"), 9, &[0]).publish(&shared).unwrap());
        let (found, next) = Round::last(&shared).unwrap();
        assert_eq!((found.as_ref(), next), (Some(&round), 2));
        assert_eq!(round.outstanding(), [0, 1, 2, 5, 8]);
        assert!(!round.is_closed(&shared).unwrap());
        shared.create("work/0001/close/0.done", b"").unwrap();
        assert!(round.is_closed(&shared).unwrap());
    }

    #[test]
    fn a_round_that_was_not_written_to_its_end_is_passed_over() {
        let folder = tempfile::tempdir().unwrap();
        let shared = SharedFolder::open(folder.path()).unwrap();
        let round = Round::new(1, digest_of(b"plan"), 2, &[0, 1]);
        round.publish(&shared).unwrap();
        shared.create("work/0002.json", b"{\"format\":").unwrap();
        assert_eq!(Round::last(&shared).unwrap(), (Some(round), 3));
    }

    proptest! {
        #[test]
        fn ranges_hold_what_was_put_in(indices in prop::collection::btree_set(0usize..200, 0..80)) {
            let indices: Vec<usize> = indices.into_iter().collect();
            let round = Round::new(1, digest_of(b"plan"), 200, &indices);
            prop_assert_eq!(round.outstanding(), indices);
        }
    }
}
