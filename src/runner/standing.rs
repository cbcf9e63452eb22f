//! How the planner sees a store.

use crate::base::{MemberId, TrialId};
use crate::plan::{MemberStanding, Progress, TrialStanding};
use crate::record::Outcome;
use crate::store::View;

/// A store's view with a limit on how often failed members are tried again.
#[derive(Debug, Clone, Copy)]
pub struct StoreProgress<'a> {
    view: &'a View,
    retries: u32,
}

impl<'a> StoreProgress<'a> {
    /// Looks at `view`; members that failed more than `retries` times are given up.
    #[must_use]
    pub fn new(view: &'a View, retries: u32) -> Self {
        Self { view, retries }
    }
}

impl Progress for StoreProgress<'_> {
    fn member(&self, id: &MemberId) -> MemberStanding {
        let Some(record) = self.view.members().get(id) else { return MemberStanding::Missing };
        match record.outcome {
            Outcome::Completed | Outcome::Diverged => MemberStanding::Finished,
            Outcome::Interrupted => MemberStanding::Missing,
            Outcome::Failed | Outcome::TimedOut => {
                let again =
                    record.attempt <= self.retries && self.view.failed_in_an_earlier_run(id);
                if again { MemberStanding::Missing } else { MemberStanding::GivenUp }
            }
        }
    }

    fn trial(&self, id: &TrialId) -> TrialStanding {
        match self.view.trials().get(id) {
            None => TrialStanding::Missing,
            Some(record) if record.outcome.is_final() => TrialStanding::Finished,
            Some(_) => TrialStanding::Failed,
        }
    }
}
