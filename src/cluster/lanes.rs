//! Lanes and batches: which members belong together.
//!
//! Everything here is a function of the round and of the plan, so every worker cuts the same batches
//! without a word to the others.

use std::sync::OnceLock;

/// How lanes are cut into batches.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Rule {
    /// Seconds of a batch at least, where seconds are known.
    pub least: f64,
    /// Seconds of a batch at most, unless a single member takes longer.
    pub most: f64,
    /// Members that a worker trains at once; a batch has as many at least.
    pub threads: usize,
}

impl Default for Rule {
    fn default() -> Self {
        Self { least: 30.0, most: 180.0, threads: 1 }
    }
}

/// Share of what is left of a lane that a batch may take: a half where seconds are known.
const SHARE: f64 = 2.0;
/// The same where seconds are not known, so that a lane has several batches whatever they take.
const SHARE_UNKNOWN: usize = 4;

/// The outstanding members of a round, dealt to lanes.
pub(crate) struct Lanes {
    /// Indices of members in the plan, in the order of training.
    members: Vec<u32>,
    /// Seconds of each, by its index in `members`; empty where they are not known.
    seconds: Vec<f32>,
    count: u32,
    /// Neighbours in the order of training that stay together, for packs.
    chunk: usize,
    rule: Rule,
    /// Where the batches of each lane begin, cut when first asked for.
    starts: Vec<OnceLock<Box<[u32]>>>,
}

impl Lanes {
    /// Deals members, in the order of training, to so many lanes; the first `count` chunks are the
    /// beginnings of the lanes. `seconds` is empty where nobody knows them.
    pub(crate) fn new(
        members: Vec<u32>,
        seconds: Vec<f32>,
        count: u32,
        chunk: u32,
        rule: Rule,
    ) -> Self {
        let count = count.max(1);
        let starts = (0..count).map(|_| OnceLock::new()).collect();
        Self { members, seconds, count, chunk: chunk.max(1) as usize, rule, starts }
    }

    /// Returns the number of lanes.
    pub(crate) fn count(&self) -> u32 {
        self.count
    }

    /// Returns the number of batches of a lane.
    pub(crate) fn batches(&self, lane: u32) -> u32 {
        self.starts(lane).len() as u32
    }

    /// Returns the members of a batch, as indices into the plan.
    pub(crate) fn members(&self, lane: u32, batch: u32) -> impl Iterator<Item = usize> + '_ {
        self.indices(lane, batch).map(|index| self.members[index] as usize)
    }

    fn indices(&self, lane: u32, batch: u32) -> impl Iterator<Item = usize> + '_ {
        let starts = self.starts(lane);
        let start = starts.get(batch as usize).copied();
        let end = starts.get(batch as usize + 1).map_or(self.length(lane), |&end| end as usize);
        let range = start.map_or(0..0, |start| start as usize..end);
        range.map(move |position| self.index(lane, position))
    }

    /// Returns the index in the order of training of a position in a lane.
    fn index(&self, lane: u32, position: usize) -> usize {
        let (turn, within) = (position / self.chunk, position % self.chunk);
        (turn * self.count as usize + lane as usize) * self.chunk + within
    }

    /// Returns the number of members of a lane.
    fn length(&self, lane: u32) -> usize {
        let turn = self.count as usize * self.chunk;
        let (turns, rest) = (self.members.len() / turn, self.members.len() % turn);
        let before = lane as usize * self.chunk;
        turns * self.chunk + rest.saturating_sub(before).min(self.chunk)
    }

    fn starts(&self, lane: u32) -> &[u32] {
        self.starts[lane as usize].get_or_init(|| self.cut(lane))
    }

    fn cut(&self, lane: u32) -> Box<[u32]> {
        let length = self.length(lane);
        let seconds = |position| {
            let index = self.index(lane, position);
            self.seconds.get(index).copied().map_or(0.0, f64::from)
        };
        let mut rest: f64 = (0..length).map(seconds).sum();
        let (mut starts, mut at) = (Vec::new(), 0);
        while at < length {
            starts.push(at as u32);
            let begin = at;
            if self.seconds.is_empty() {
                at += ((length - at) / SHARE_UNKNOWN).max(self.rule.threads).max(1);
            } else {
                let target = (rest / SHARE).clamp(self.rule.least, self.rule.most);
                let target = target * self.rule.threads as f64;
                let mut taken = 0.0;
                while at < length
                    && (at - begin < self.rule.threads || taken + seconds(at) <= target)
                {
                    taken += seconds(at);
                    at += 1;
                }
                rest -= taken;
            }
            // A chunk is one pack, so it belongs to one batch.
            at = at.div_ceil(self.chunk) * self.chunk;
            at = at.min(length);
        }
        starts.into()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn batches_shrink_towards_the_end_of_a_lane() {
        let lanes = Lanes::new((0..200).collect(), vec![5.0; 200], 2, 1, Rule::default());
        let seconds: Vec<usize> =
            (0..lanes.batches(0)).map(|batch| 5 * lanes.members(0, batch).count()).collect();
        // 500 s in a lane: 180 at most, half of the rest, 30 at least.
        assert_eq!(seconds, [180, 160, 80, 40, 30, 10]);
    }

    #[test]
    fn without_known_seconds_a_batch_is_a_quarter_of_the_rest() {
        let lanes = Lanes::new((0..20).collect(), Vec::new(), 1, 1, Rule::default());
        let sizes: Vec<usize> =
            (0..lanes.batches(0)).map(|batch| lanes.members(0, batch).count()).collect();
        assert_eq!(sizes, [5, 3, 3, 2, 1, 1, 1, 1, 1, 1, 1]);
    }

    proptest! {
        #[test]
        fn every_member_is_in_one_batch_of_one_lane(
            members in 0u32..300, count in 1u32..9, chunk in 1u32..5, threads in 1usize..4,
            known in any::<bool>(),
        ) {
            let seconds = if known { vec![7.0; members as usize] } else { Vec::new() };
            let rule = Rule { threads, ..Rule::default() };
            let lanes = Lanes::new((0..members).collect(), seconds, count, chunk, rule);
            let mut seen = BTreeSet::new();
            for lane in 0..lanes.count() {
                for batch in 0..lanes.batches(lane) {
                    let mut size = 0;
                    for member in lanes.members(lane, batch) {
                        prop_assert!(seen.insert(member));
                        size += 1;
                    }
                    prop_assert!(size > 0);
                }
            }
            prop_assert_eq!(seen.len(), members as usize);
        }
    }
}
