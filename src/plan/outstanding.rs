//! What is still to train and to score.

use super::{Plan, Trial};
use crate::base::{MemberId, TrialId};

/// What a store knows of a member.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum MemberStanding {
    /// Nothing that counts: it must be trained (again).
    Missing,
    /// It failed and is not tried again.
    GivenUp,
    /// It completed or diverged.
    Finished,
}

/// What a store knows of a trial.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TrialStanding {
    /// Nothing.
    Missing,
    /// It was recorded as failed.
    Failed,
    /// It was scored, or recorded as diverged.
    Finished,
}

/// Looks up what is done.
pub(crate) trait Progress {
    /// Returns what is known of a member.
    fn member(&self, id: &MemberId) -> MemberStanding;
    /// Returns what is known of a trial.
    fn trial(&self, id: &TrialId) -> TrialStanding;
}

/// What is still to do, as ascending indices into the plan.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Outstanding {
    /// Members to train.
    pub members: Vec<usize>,
    /// Trials to score.
    pub trials: Vec<usize>,
}

impl Outstanding {
    /// Returns whether nothing is left to do.
    pub(crate) fn is_empty(&self) -> bool {
        self.members.is_empty() && self.trials.is_empty()
    }
}

/// Returns what of `plan` is left to do.
///
/// A trial recorded as failed is done unless one of its members is trained again or all of them
/// have finished since.
pub(crate) fn outstanding(plan: &Plan, progress: &impl Progress) -> Outstanding {
    let members: Vec<MemberStanding> =
        plan.members.iter().map(|member| progress.member(&member.id)).collect();
    let is_outstanding = |trial: &Trial| match progress.trial(&trial.id) {
        TrialStanding::Missing => true,
        TrialStanding::Finished => false,
        TrialStanding::Failed => {
            let standings = || trial.members.iter().map(|&index| members[index]);
            standings().any(|standing| standing == MemberStanding::Missing)
                || standings().all(|standing| standing == MemberStanding::Finished)
        }
    };
    Outstanding {
        trials: (0..plan.trials.len()).filter(|&at| is_outstanding(&plan.trials[at])).collect(),
        members: (0..members.len()).filter(|&at| members[at] == MemberStanding::Missing).collect(),
    }
}
