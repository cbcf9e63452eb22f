//! The batches in flight that a watcher follows, and which of them stand still.

use std::collections::BTreeMap;
use std::time::Duration;

use super::batch::Claimed;
use super::folder::{Clock, Folder};
use crate::store::StoreError;

/// Most batches that a watcher follows.
const MAX_FOLLOWED: usize = 64;

/// What is known of a batch that another process has claimed.
#[derive(Default)]
struct Followed {
    journal: Option<String>,
    length: Option<u64>,
    /// When its length was first seen; absent before the first look.
    since: Option<Duration>,
}

/// Batches of others, by how their journals grow.
#[derive(Default)]
pub(super) struct Following(BTreeMap<Claimed, Followed>);

impl Following {
    /// Returns the number of batches followed.
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// Follows of one lane these batches and no others.
    pub(super) fn only(&mut self, lane: u32, in_flight: &[Claimed]) {
        self.0.retain(|known, _| known.lane != lane || in_flight.contains(known));
        for claimed in in_flight {
            if self.0.len() < MAX_FOLLOWED {
                self.0.entry(*claimed).or_default();
            }
        }
    }

    /// Follows this batch alone.
    pub(super) fn only_this(&mut self, claimed: Claimed) {
        self.0.retain(|known, _| *known == claimed);
        self.0.entry(claimed).or_default();
    }

    /// Looks at all of them once more; returns, and forgets, one whose claimant's journal has not grown
    /// for the time of the lease. `claimant` finds the journal of a claim.
    ///
    /// # Errors
    /// If the file system refuses.
    pub(super) fn stale(
        &mut self,
        folder: &dyn Folder,
        clock: &dyn Clock,
        lease: Duration,
        claimant: impl Fn(Claimed) -> Result<Option<String>, StoreError>,
    ) -> Result<Option<Claimed>, StoreError> {
        let mut lengths: BTreeMap<String, Option<u64>> = BTreeMap::new();
        let mut stale = None;
        for (&claimed, followed) in &mut self.0 {
            if followed.journal.is_none() {
                followed.journal = claimant(claimed)?;
            }
            let length = match &followed.journal {
                None => None,
                Some(journal) => {
                    if let Some(length) = lengths.get(journal) {
                        *length
                    } else {
                        let length = folder.length(&format!("journal/{journal}.jsonl"))?;
                        lengths.insert(journal.clone(), length);
                        length
                    }
                }
            };
            let now = clock.now();
            match followed.since.filter(|_| followed.length == length) {
                None => (followed.length, followed.since) = (length, Some(now)),
                Some(since) if now.saturating_sub(since) >= lease => {
                    stale = Some(claimed);
                    break;
                }
                Some(_) => {}
            }
        }
        if let Some(claimed) = stale {
            self.0.remove(&claimed);
        }
        Ok(stale)
    }
}
