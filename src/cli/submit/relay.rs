//! Goes on where time limits ended all workers before everything was done.

use std::path::Path;

use super::engine::Engine;
use super::record::Record;
use super::slurm;

/// Submissions in a row that may end without a member less to train.
const MAX_WITHOUT_PROGRESS: usize = 3;

/// Submits the workers of a results folder once more, if this process is the closing job of their last
/// submission and they get on; says whether it did.
pub(in crate::cli) fn again(store: &Path, members_left: usize) -> bool {
    let records = Record::all(store);
    let Some(last) = records.last() else { return false };
    let own = std::env::var_os("SLURM_JOB_ID").and_then(|job| job.into_string().ok());
    if last.engine != Engine::Slurm || last.closing.is_none() || last.closing != own {
        return false;
    }
    let before = records.iter().rev();
    let idle = before.take_while(|record| record.members_left == Some(members_left)).count();
    if idle >= MAX_WITHOUT_PROGRESS {
        say!("error: {idle} submissions in a row ended without a member less to train");
        return false;
    }
    let started = slurm::start_again(last, members_left);
    match started.map(|record| record.write(store)) {
        Ok(Ok(())) => true,
        Ok(Err(failure)) => {
            say!("{}", failure.as_warning());
            true
        }
        Err(problem) => {
            say!("warning: the workers could not be submitted again: {problem}");
            false
        }
    }
}
