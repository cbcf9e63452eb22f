//! What the entries of all journals add up to.
//!
//! The sum does not depend on the order in which journals are read: which of two entries counts is
//! decided by what they say, and only between entries that say the same by where they stand.

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::sync::Arc;

use super::index::Index;
use super::journal::{Run, Stored};
use super::manifest::ManifestDraft;
use super::origin::Session;
use super::writer::Source;
use crate::base::seal::Check;
use crate::base::{Digest, MemberId, SeedPath, TrialId};
use crate::record::{EpochRecord, MemberRecord, MemberSummary, Outcome, TrialRecord};

/// Where an entry stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct EntryLocation {
    /// Index of the journal in the order they were met.
    pub(super) journal: u32,
    /// Bytes of its line, line break included.
    pub(super) length: u32,
    /// Where its line begins.
    pub(super) offset: u64,
}

/// What is known of a member: its latest record without the epochs, which
/// [`Store::epochs`](super::Store::epochs) reads.
#[derive(Debug, Clone, PartialEq)]
pub struct Member {
    /// What was trained.
    pub id: MemberId,
    /// Where its random streams hang.
    pub seed_path: SeedPath,
    /// Index of the attempt, from 1.
    pub attempt: u32,
    /// How it ended.
    pub outcome: Outcome,
    /// What went wrong, for outcomes other than completed.
    pub reason: Option<Box<str>>,
    /// Present when completed.
    pub summary: Option<Box<MemberSummary>>,
    pub(super) repair: u32,
    pub(super) predictions: Option<Stored>,
    pub(super) weights: Option<Box<Digest>>,
    pub(super) location: EntryLocation,
}

impl Member {
    /// Returns the record with these epochs.
    pub(crate) fn record(&self, epochs: Vec<EpochRecord>) -> MemberRecord {
        MemberRecord {
            id: self.id,
            seed_path: self.seed_path,
            attempt: self.attempt,
            outcome: self.outcome,
            reason: self.reason.as_deref().map(str::to_owned),
            epochs,
            summary: self.summary.as_deref().cloned(),
        }
    }

    /// Returns a mark of what a trial is made from: another mark, another score.
    fn mark(&self) -> Check {
        match (self.outcome, &self.predictions) {
            (Outcome::Completed, Some(Stored::Part(part))) => part.check,
            (Outcome::Completed, Some(Stored::File(digest))) => Check::of(digest.bytes()),
            (outcome, _) => {
                let text = format!("{} {} {}", outcome.name(), self.attempt, self.repair);
                Check::of(text.as_bytes())
            }
        }
    }

    /// Orders two records of one member by how much they say.
    fn says_more_than(&self, other: &Self) -> Ordering {
        let said = |one: &Self| {
            let certainty = match one.outcome {
                Outcome::Completed | Outcome::Diverged => 2,
                Outcome::Failed | Outcome::TimedOut => 1,
                Outcome::Interrupted => 0,
            };
            // Of two interrupted attempts the one that got further.
            let reached = if certainty == 0 { one.location.length } else { 0 };
            (one.outcome.is_final(), one.repair, one.attempt, certainty, reached)
        };
        said(self).cmp(&said(other))
    }

    fn path(&self) -> &str {
        self.summary.as_ref().map_or("", |summary| &summary.path)
    }
}

/// The latest record of every trial.
#[derive(Debug, Clone, Copy)]
pub struct Trials<'a>(&'a Index<TrialId, Trial>);

impl<'a> Trials<'a> {
    /// Returns the record of a trial.
    pub(crate) fn get(self, id: &TrialId) -> Option<&'a TrialRecord> {
        self.0.get(id).map(|trial| &trial.record)
    }

    /// Returns all records, in no particular order.
    pub fn values(self) -> impl Iterator<Item = &'a TrialRecord> {
        self.0.values().map(|trial| &trial.record)
    }

    /// Returns all records with where they stand, in no particular order.
    pub(super) fn located(self) -> impl Iterator<Item = (&'a TrialRecord, EntryLocation)> {
        self.0.values().map(|trial| (&trial.record, trial.location))
    }

    /// Returns the number of records.
    #[must_use]
    pub fn len(self) -> usize {
        self.0.len()
    }

    /// Returns whether there are none.
    #[must_use]
    pub fn is_empty(self) -> bool {
        self.0.is_empty()
    }
}

/// A trial and what it was made from.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Trial {
    pub(super) record: TrialRecord,
    /// One mark per member; none in version 1.
    pub(super) from: Box<[Check]>,
    pub(super) location: EntryLocation,
}

/// What lines say, ready to be added.
#[derive(Default)]
pub(super) struct Facts {
    pub(super) members: Vec<Member>,
    pub(super) trials: Vec<Trial>,
    /// With the index of the journal.
    pub(super) runs: Vec<(Box<Run>, u32)>,
    /// Version 1.
    pub(super) sessions: Vec<Session>,
}

/// The latest word on every member and trial.
///
/// Of two records of a member a final outcome (completed, diverged) counts before one that is not,
/// then the one trained again after its files were lost, then the later attempt; of equal records in
/// two journals that of version 2, then that of the lower numerical path, then that of the lower
/// journal name, and in one journal the later. Of two records of a trial the one made from its
/// members as they are counts.
#[derive(Debug, Clone, Default)]
pub struct View {
    members: Index<MemberId, Member>,
    trials: Index<TrialId, Trial>,
    /// Further records of trials that have several.
    competing: Vec<Trial>,
    run: Option<(Box<Run>, u32)>,
    sessions: Vec<Session>,
    /// File names of the journals, without ending.
    journals: Vec<Arc<str>>,
    /// What the files that belong to each journal are called.
    owners: Vec<Arc<str>>,
    /// Attempt and repair that come next, of members with records in journals that were not read.
    expected: BTreeMap<MemberId, (u32, u32)>,
}

impl View {
    /// Returns the latest record of every member.
    pub(crate) fn members(&self) -> &Index<MemberId, Member> {
        &self.members
    }

    /// Returns the latest record of every trial, also of cells no longer in the grid.
    pub(crate) fn trials(&self) -> Trials<'_> {
        Trials(&self.trials)
    }

    /// Returns what wrote the entries: programs, machines and engines, oldest first, one per run
    /// that wrote any.
    pub(crate) fn sessions(&self) -> impl DoubleEndedIterator<Item = &Session> {
        self.sessions.iter()
    }

    /// Returns whether the record of a trial was made from its members as they are now: a trial of
    /// which a member was trained again on another machine is to be scored again.
    pub(crate) fn is_current(&self, trial: &TrialId) -> bool {
        self.trials.get(trial).is_some_and(|trial| self.currency(trial) > 0)
    }

    /// Returns the number of the attempt that comes next: an interrupted one is continued, and a
    /// finished one (whose files were lost) repeated.
    pub(crate) fn next_attempt(&self, member: &MemberId) -> u32 {
        let expected = self.expected.get(member).map_or(1, |(attempt, _)| *attempt);
        self.members.get(member).map_or(expected, |record| match record.outcome {
            Outcome::Completed | Outcome::Diverged | Outcome::Interrupted => record.attempt,
            Outcome::Failed | Outcome::TimedOut => record.attempt + 1,
        })
    }

    /// Returns how often a member will have been trained again for its lost files, once it is
    /// trained now.
    pub(crate) fn next_repair(&self, member: &MemberId) -> u32 {
        let again = |record: &Member| record.repair + u32::from(record.outcome.is_final());
        let expected = self.expected.get(member).map_or(0, |(_, repair)| *repair);
        self.members.get(member).map_or(expected, again)
    }

    /// Says which attempt and repair of a member come next, where its records stand in journals that
    /// were not read.
    pub(crate) fn expect(&mut self, member: MemberId, attempt: u32, repair: u32) {
        self.expected.insert(member, (attempt, repair));
    }

    /// Returns the marks of what a trial of these members is made from.
    pub(crate) fn marks(&self, members: &[MemberId]) -> Vec<Check> {
        members.iter().map(|id| self.mark(id)).collect()
    }

    fn mark(&self, member: &MemberId) -> Check {
        // A failed trial may have a member that nobody got to.
        self.members.get(member).map_or_else(|| Check::of(b"unknown"), Member::mark)
    }

    /// Returns what is asked of the folder beyond its manifest.
    pub(super) fn asked(&self) -> Option<&ManifestDraft> {
        self.run.as_ref().map(|(run, _)| &run.asked)
    }

    /// Returns the revision of the last word on what is asked, 0 without one.
    pub(super) fn revision(&self) -> u64 {
        self.run.as_ref().map_or(0, |(run, _)| run.revision)
    }

    /// Returns where the predictions of a member are.
    pub(crate) fn source(&self, member: &MemberId) -> Source {
        let stored = self.members.get(member).and_then(|record| {
            let owner = Arc::clone(&self.owners[record.location.journal as usize]);
            Some((record.predictions?, owner))
        });
        Source { member: *member, stored }
    }

    /// Returns the name of the journal that holds what counts of a member.
    #[must_use]
    pub(crate) fn journal_of(&self, member: &MemberId) -> Option<&str> {
        let record = self.members.get(member)?;
        Some(&self.journals[record.location.journal as usize])
    }

    /// Returns the names of all journals.
    pub(crate) fn journal_names(&self) -> impl Iterator<Item = &str> {
        self.journals.iter().map(AsRef::as_ref)
    }

    /// Returns whether the journals know predictions of a member.
    pub(crate) fn has_predictions(&self, member: &MemberId) -> bool {
        self.members.get(member).is_some_and(|record| record.predictions.is_some())
    }

    /// Returns the digest of a completed member's weights, where they were kept.
    pub(crate) fn weights(&self, member: &MemberId) -> Option<&Digest> {
        self.members.get(member).and_then(|record| record.weights.as_deref())
    }

    /// Registers a journal and returns its index.
    pub(super) fn add_journal(&mut self, name: &str) -> u32 {
        self.journals.push(name.into());
        self.owners.push(name.into());
        self.journals.len() as u32 - 1
    }

    /// Says what the files of a journal are called, where that is not its own name.
    pub(super) fn set_owner(&mut self, journal: usize, name: &str) {
        self.owners[journal] = name.into();
    }

    /// Adds what wrote, or writes, a journal.
    pub(super) fn add_session(&mut self, session: &Session) {
        self.sessions.push(session.clone());
    }

    /// Adds what lines of journals say; once all are added, [`View::choose_trials`] is to be called.
    pub(super) fn add_all(&mut self, facts: Facts) {
        self.members.reserve(facts.members.len());
        self.trials.reserve(facts.trials.len());
        facts.members.into_iter().for_each(|member| self.add_member(member));
        facts.trials.into_iter().for_each(|trial| self.add_trial(trial));
        facts.runs.into_iter().for_each(|(run, journal)| self.add_run(run, journal));
        self.sessions.extend(facts.sessions);
    }

    /// Adds what is asked of the folder, from the journal with this index.
    pub(super) fn add_run(&mut self, run: Box<Run>, journal: u32) {
        let name = |index: u32| &self.journals[index as usize];
        let is_later = self.run.as_ref().is_none_or(|(before, of)| {
            (run.revision, name(journal)) > (before.revision, name(*of))
        });
        if is_later {
            self.run = Some((run, journal));
        }
    }

    pub(super) fn add_member(&mut self, member: Member) {
        let counts = self.members.get(&member.id).is_none_or(|before| {
            member.says_more_than(before).then_with(|| self.order(&member, before)).is_gt()
        });
        if counts {
            self.members.insert(member.id, member);
        }
    }

    /// Orders two records that say as much by where they come from.
    fn order(&self, one: &Member, other: &Member) -> Ordering {
        if one.location.journal == other.location.journal {
            return one.location.offset.cmp(&other.location.offset);
        }
        // A record that was copied from version 1 stands in for the one it was copied from.
        let is_copy = |member: &Member| matches!(member.predictions, Some(Stored::Part(_)));
        let name = |member: &Member| &self.journals[member.location.journal as usize];
        let by_location = || (other.path(), name(other)).cmp(&(one.path(), name(one)));
        is_copy(one).cmp(&is_copy(other)).then_with(by_location)
    }

    pub(super) fn add_trial(&mut self, trial: Trial) {
        if self.trials.get(&trial.record.id).is_none() {
            self.trials.insert(trial.record.id, trial);
        } else {
            self.competing.push(trial);
        }
    }

    /// Chooses among several records of a trial: what they were made from is known once all
    /// members are.
    pub(super) fn choose_trials(&mut self) {
        self.sessions.sort_by(|a, b| a.started.cmp(&b.started));
        for trial in std::mem::take(&mut self.competing) {
            let before = self.trials.get(&trial.record.id).expect("a trial competes with another");
            let worth = |trial: &Trial| (self.currency(trial), trial.record.outcome.is_final());
            let by_location = || {
                if trial.location.journal == before.location.journal {
                    return trial.location.offset.cmp(&before.location.offset);
                }
                let name = |trial: &Trial| &self.journals[trial.location.journal as usize];
                name(before).cmp(name(&trial))
            };
            if worth(&trial).cmp(&worth(before)).then_with(by_location).is_gt() {
                self.trials.insert(trial.record.id, trial);
            }
        }
    }

    /// Returns how well a trial fits its members: 2 where it was made from them, 1 where nothing
    /// says that it was not, else 0.
    fn currency(&self, trial: &Trial) -> u8 {
        let members = trial.record.members.iter();
        if trial.from.is_empty() {
            let is_newer = |member: &Member| matches!(member.predictions, Some(Stored::Part(_)));
            return u8::from(!members.filter_map(|id| self.members.get(id)).any(is_newer));
        }
        if members.map(|id| self.mark(id)).eq(trial.from.iter().copied()) { 2 } else { 0 }
    }
}
