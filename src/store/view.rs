//! What the entries of all journals add up to.

use std::collections::{BTreeMap, BTreeSet};

use super::journal::Entry;
use super::origin::Session;
use crate::base::{Digest, MemberId, TrialId};
use crate::record::{MemberRecord, Outcome, TrialRecord};

/// The latest word on every member and trial.
///
/// A final outcome (completed, diverged) is never replaced by one that is not; otherwise the later
/// attempt counts, and of equal attempts the later entry.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct View {
    members: BTreeMap<MemberId, MemberRecord>,
    predictions: BTreeMap<MemberId, Digest>,
    weights: BTreeMap<MemberId, Digest>,
    trials: BTreeMap<TrialId, TrialRecord>,
    ended: BTreeSet<(MemberId, u32)>,
    sessions: Vec<Session>,
}

impl View {
    /// Returns the latest record of every member.
    #[must_use]
    pub fn members(&self) -> &BTreeMap<MemberId, MemberRecord> {
        &self.members
    }

    /// Returns the latest record of every trial, also of cells no longer in the grid.
    #[must_use]
    pub fn trials(&self) -> &BTreeMap<TrialId, TrialRecord> {
        &self.trials
    }

    /// Returns what wrote the entries: programs, machines and engines, one a run that wrote any.
    #[must_use]
    pub fn sessions(&self) -> &[Session] {
        &self.sessions
    }

    /// Returns the checksum of the predictions of a completed member.
    #[must_use]
    pub fn predictions(&self, member: &MemberId) -> Option<&Digest> {
        self.predictions.get(member)
    }

    /// Returns the checksum of the weights of a completed member, where they were kept.
    #[must_use]
    pub fn weights(&self, member: &MemberId) -> Option<&Digest> {
        self.weights.get(member)
    }

    /// Returns the number of the attempt that comes next: an interrupted one is continued, and a
    /// finished one (whose predictions were lost) repeated.
    #[must_use]
    pub fn next_attempt(&self, member: &MemberId) -> u32 {
        self.members.get(member).map_or(1, |record| match record.outcome {
            Outcome::Completed | Outcome::Diverged | Outcome::Interrupted => record.attempt,
            Outcome::Failed | Outcome::TimedOut => record.attempt + 1,
        })
    }

    /// Returns whether the last attempt failed in a run that came to its own end, so that a later
    /// run may try again.
    #[must_use]
    pub fn failed_in_an_earlier_run(&self, member: &MemberId) -> bool {
        let failed_in_ended_run =
            |record: &MemberRecord| self.ended.contains(&(*member, record.attempt));
        self.members.get(member).is_some_and(failed_in_ended_run)
    }

    /// Adds the next entry.
    pub fn add(&mut self, entry: Entry) {
        if let Some(record) = entry.member {
            let before = self.members.get(&record.id);
            if before.is_none_or(|before| replaces(&record, before)) {
                match entry.predictions {
                    Some(checksum) => self.predictions.insert(record.id, checksum),
                    None => self.predictions.remove(&record.id),
                };
                match entry.weights {
                    Some(checksum) => self.weights.insert(record.id, checksum),
                    None => self.weights.remove(&record.id),
                };
                self.members.insert(record.id, record);
            }
        }
        if let Some(record) = entry.trial {
            let before = self.trials.get(&record.id);
            if before.is_none_or(|before| record.outcome.is_final() || !before.outcome.is_final()) {
                self.trials.insert(record.id, record);
            }
        }
        if let Some(ended) = entry.ended {
            self.ended.extend(ended.failed);
        }
        self.sessions.extend(entry.session);
    }
}

fn replaces(record: &MemberRecord, before: &MemberRecord) -> bool {
    match (record.outcome.is_final(), before.outcome.is_final()) {
        (false, true) => false,
        (true, false) => true,
        _ => record.attempt >= before.attempt,
    }
}
