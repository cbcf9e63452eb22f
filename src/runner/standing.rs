//! How the planner sees a store.

use crate::base::{MemberId, TrialId};
use crate::plan::{MemberStanding, Progress, TrialStanding};
use crate::record::Outcome;
use crate::store::View;

/// How often a member that failed is tried once more, where nobody says: a transient fault heals, a
/// lasting one does not go on for ever.
pub(crate) const RETRIES: u32 = 1;

/// What a store's view says of what is done.
///
/// It depends on nothing but the records, so a run that is killed and started again goes on as it
/// would have gone on.
#[derive(Debug, Clone, Copy)]
pub(crate) struct StoreProgress<'a> {
    view: &'a View,
    retry_failed: bool,
    retries: u32,
}

impl<'a> StoreProgress<'a> {
    /// Looks at `view`; members that were given up are tried once more only with `retry_failed`.
    pub(crate) fn new(view: &'a View, retry_failed: bool) -> Self {
        Self { view, retry_failed, retries: RETRIES }
    }

    /// Tries members that fail so often once more.
    pub(crate) fn with_retries(self, retries: u32) -> Self {
        Self { retries, ..self }
    }
}

/// Returns whether a member that ended so is tried again by the same run.
pub(super) fn is_tried_again(outcome: Outcome, attempt: u32, retries: u32) -> bool {
    outcome == Outcome::Failed && attempt <= retries
}

impl Progress for StoreProgress<'_> {
    fn member(&self, id: &MemberId) -> MemberStanding {
        let Some(record) = self.view.members().get(id) else { return MemberStanding::Missing };
        match record.outcome {
            Outcome::Completed | Outcome::Diverged => MemberStanding::Finished,
            Outcome::Interrupted => MemberStanding::Missing,
            Outcome::Failed | Outcome::TimedOut => {
                if self.retry_failed || is_tried_again(record.outcome, record.attempt, self.retries)
                {
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
