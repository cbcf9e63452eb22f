//! What a run tells while it goes on, for progress bars and `--json`.

use serde::Serialize;

use super::RunSummary;
use crate::base::MemberId;
use crate::record::{EpochRecord, Outcome, TrialRecord};

/// One thing that happened. Events of different workers interleave in any order.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case", rename_all_fields = "kebab-case", tag = "event")]
pub enum Event<'a> {
    /// The run knows what it has to do.
    Started {
        /// Members to train.
        members: usize,
        /// Members finished by earlier runs.
        members_reused: usize,
        /// Trials of the whole plan.
        trials: usize,
        /// Trials recorded by earlier runs.
        trials_reused: usize,
        /// Images to train on, at most.
        images: u64,
        /// Trainings side by side.
        workers: usize,
    },
    /// A finished member must be trained again because its predictions are gone.
    PredictionsLost {
        /// Which member.
        member: MemberId,
        /// What is wrong with them.
        reason: &'a str,
    },
    /// A finished member must be trained again because its weights, which were kept, are gone.
    WeightsLost {
        /// Which member.
        member: MemberId,
        /// What is wrong with them.
        reason: &'a str,
    },
    /// A worker took a member.
    MemberStarted {
        /// Which member.
        member: MemberId,
        /// Name of a cell that uses it.
        cell: &'a str,
        /// Index of the repeat, from 0.
        repeat: Option<u32>,
        /// Index within the ensemble, from 0.
        index: Option<u32>,
        /// Index of the attempt, from 1.
        attempt: u32,
        /// Whether it continues from a saved state.
        resumed: bool,
    },
    /// A member finished an epoch.
    Epoch {
        /// Which member.
        member: MemberId,
        /// What the epoch gave.
        record: &'a EpochRecord,
        /// Training images of one epoch.
        images: usize,
    },
    /// An attempt at a member failed and is stored; the member is tried again after the others.
    MemberFailed {
        /// Which member.
        member: MemberId,
        /// Why.
        reason: &'a str,
    },
    /// A member ended for good in this run and is stored.
    MemberFinished {
        /// Which member.
        member: MemberId,
        /// How it ended.
        outcome: Outcome,
        /// Why, unless completed.
        reason: Option<&'a str>,
        /// Images trained on, those of earlier runs included.
        images: u64,
        /// Images it was expected to train on, at most; settles the time left.
        images_planned: u64,
        /// Training time.
        train_seconds: f64,
    },
    /// A trial was scored, or recorded as failed or diverged, and is stored.
    TrialFinished {
        /// Index of its cell in the plan.
        cell: usize,
        /// Name of its cell.
        name: &'a str,
        /// Its record.
        record: &'a TrialRecord,
    },
    /// The run is over.
    Ended {
        /// How it ended.
        summary: &'a RunSummary,
    },
}
