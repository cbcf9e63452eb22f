//! How the planner sees a store.

use crate::base::{MemberId, TrialId};
use crate::plan::{MemberStanding, Progress, TrialStanding};
use crate::record::Outcome;
use crate::store::View;

/// Attempts at a member that fails: a transient fault heals, a lasting one does not go on for ever.
pub(super) const ATTEMPTS: u32 = 2;

/// What a store's view says of what is done.
///
/// It depends on nothing but the records, so a run that is killed and started again goes on as it
/// would have gone on.
#[derive(Debug, Clone, Copy)]
pub struct StoreProgress<'a> {
    view: &'a View,
    retry_failed: bool,
}

impl<'a> StoreProgress<'a> {
    /// Looks at `view`; members that were given up are tried once more only with `retry_failed`.
    #[must_use]
    pub fn new(view: &'a View, retry_failed: bool) -> Self {
        Self { view, retry_failed }
    }
}

/// Returns whether a member that ended so is tried again by the same run.
pub(super) fn is_tried_again(outcome: Outcome, attempt: u32) -> bool {
    outcome == Outcome::Failed && attempt < ATTEMPTS
}

impl Progress for StoreProgress<'_> {
    fn member(&self, id: &MemberId) -> MemberStanding {
        let Some(record) = self.view.members().get(id) else { return MemberStanding::Missing };
        match record.outcome {
            Outcome::Completed | Outcome::Diverged => MemberStanding::Finished,
            Outcome::Interrupted => MemberStanding::Missing,
            Outcome::Failed | Outcome::TimedOut => {
                if self.retry_failed || is_tried_again(record.outcome, record.attempt) {
                    MemberStanding::Missing
                } else {
                    MemberStanding::GivenUp
                }
            }
        }
    }

    fn trial(&self, id: &TrialId) -> TrialStanding {
        match self.view.trials().get(id) {
            Some(record) if self.view.is_current(id) => {
                if record.outcome.is_final() {
                    TrialStanding::Finished
                } else {
                    TrialStanding::Failed
                }
            }
            _ => TrialStanding::Missing,
        }
    }
}
