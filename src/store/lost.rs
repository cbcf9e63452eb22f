//! Finds stored predictions and weights that are missing or damaged.

use std::sync::{Mutex, PoisonError};
use std::thread;

use super::error::StoreError;
use super::parts::PartReader;
use super::view::View;
use super::weights;
use super::writer::Writer;
use crate::base::{Digest, MemberId};

/// Members that one thread looks at in a row.
const STRETCH: usize = 256;

/// A member of which something that was stored cannot be used any more.
#[derive(Debug)]
pub(crate) struct Lost {
    /// Whose files.
    pub member: MemberId,
    /// What is wrong with its predictions.
    pub predictions: Option<StoreError>,
    /// What is wrong with its weights, if some were kept.
    pub weights: Option<StoreError>,
}

impl Writer {
    /// Reads everything that is stored of `members` and holds it against its checksums; returns what
    /// cannot be used, in the order of `members`. What was never stored is not lost.
    pub(crate) fn lost(&self, view: &View, members: &[MemberId]) -> Vec<Lost> {
        let mut order: Vec<usize> = (0..members.len()).collect();
        // Files are read from front to back.
        order.sort_by_key(|&index| view.members().get(&members[index]).map(|one| one.location));
        let threads = thread::available_parallelism().map_or(1, usize::from);
        let threads = threads.min(order.len().div_ceil(STRETCH));
        let stretches = Mutex::new(order.chunks(STRETCH));
        let found = Mutex::new(Vec::new());
        let look = || {
            let mut reader = PartReader::default();
            loop {
                let next = stretches.lock().unwrap_or_else(PoisonError::into_inner).next();
                let Some(stretch) = next else { return };
                for &index in stretch {
                    if let Some(lost) = self.look_at(view, members[index], &mut reader) {
                        let mut found = found.lock().unwrap_or_else(PoisonError::into_inner);
                        found.push((index, lost));
                    }
                }
            }
        };
        thread::scope(|scope| {
            for _ in 1..threads {
                scope.spawn(look);
            }
            look();
        });
        let mut found = found.into_inner().unwrap_or_else(PoisonError::into_inner);
        found.sort_by_key(|(index, _)| *index);
        found.into_iter().map(|(_, lost)| lost).collect()
    }

    fn look_at(&self, view: &View, member: MemberId, reader: &mut PartReader) -> Option<Lost> {
        let predictions = view
            .has_predictions(&member)
            .then(|| view.source(&member).bytes(&self.folder, reader).err())
            .flatten();
        let unusable = |digest: &Digest| weights::read(&self.folder, &member, Some(digest)).err();
        let weights = view.weights(&member).and_then(unusable);
        let is_lost = predictions.is_some() || weights.is_some();
        is_lost.then_some(Lost { member, predictions, weights })
    }
}
