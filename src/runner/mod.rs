//! Trains what is outstanding, on several workers, and stores every result the moment it exists.
//!
//! Owns scheduling, isolation of failures, interruption and progress events; prints nothing.
//! Invariants: a member is stored (predictions first, then its journal line, flushed) before its
//! worker takes the next; a trial is scored from stored predictions only, and only when all of its
//! members completed; results depend neither on the number of workers nor on the order in which
//! they finish; what is done and what is left is decided by the stored records alone, so a run
//! killed at any moment and started again ends with the same results as one never disturbed.

mod combine;
mod event;
mod observer;
mod queue;
mod rates;
mod run;
mod score;
mod standing;
mod stop;
mod supply;
mod training;
mod workers;

#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;

use crate::base::Digest;
use crate::data::{DataError, Dataset};
use crate::engine::Engine;
use crate::experiment::StoredPredictions;
use crate::experiment::settings::DatasetSettings;
use crate::plan::Plan;
use crate::store::{Store, StoreError};

pub(crate) use combine::Ballot;
pub use event::Event;
pub(crate) use rates::measured_rates;
pub(crate) use run::{members_to_train, run, training_order};
pub(crate) use score::predicted_classes;
pub(crate) use standing::{RETRIES, StoreProgress};
pub use stop::StopSignal;
pub(crate) use supply::{Batch, Nothing, Supply};

/// Loads a collection of images; asked once for each.
pub(crate) type Load<'a> = dyn FnMut(&DatasetSettings) -> Result<Arc<Dataset>, DataError> + 'a;

/// Everything one run needs.
pub(crate) struct RunRequest<'a> {
    /// What there is to do; what of it is outstanding, the store knows.
    pub plan: &'a Plan,
    /// What trains.
    pub engine: &'a dyn Engine,
    /// Where results go; open for writing.
    pub store: &'a mut Store,
    /// Where images come from.
    pub load: &'a mut Load<'a>,
    /// What hands out members while the run goes on; without it all outstanding ones are trained.
    pub supply: Option<&'a dyn Supply>,
    /// How to go about it.
    pub options: RunOptions,
    /// Asks the run to stop.
    pub stop: &'a StopSignal,
    /// Hears of everything that happens, from several threads.
    pub events: &'a (dyn Fn(&Event<'_>) + Sync),
}

/// How a run goes about its work; none of it changes a result.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct RunOptions {
    /// Trainings side by side, at least 1.
    pub workers: usize,
    /// Whether members that earlier runs gave up are tried once more.
    pub retry_failed: bool,
    /// How often a member that failed is tried once more after all others.
    pub retries: u32,
    /// Whether the weights of finished members are kept; those of earlier runs that kept none are
    /// trained once more.
    pub save_weights: bool,
    /// How the predictions of finished members are stored. Without them only trials of one member
    /// can be scored.
    pub predictions: StoredPredictions,
    /// Time after which a member in training saves its state at the end of an epoch.
    pub checkpoint_every: Duration,
    /// Time between two flushes of the journal; zero flushes every entry before it is told of.
    pub flush_every: Duration,
}

impl Default for RunOptions {
    fn default() -> Self {
        Self {
            workers: 1,
            retry_failed: false,
            retries: RETRIES,
            save_weights: false,
            predictions: StoredPredictions::default(),
            checkpoint_every: Duration::from_secs(30),
            flush_every: Duration::ZERO,
        }
    }
}

/// How a run ended. Counts of trials are those of the whole plan, whichever run did them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct RunSummary {
    /// Members trained to an end by this run, also to a bad one.
    pub members_trained: usize,
    /// Of these, members that earlier runs had finished and whose files were lost.
    pub members_repaired: usize,
    /// Members that earlier runs had finished.
    pub members_reused: usize,
    /// Trials scored or recorded by this run.
    pub trials_recorded: usize,
    /// Trials completed.
    pub trials_completed: usize,
    /// Trials that diverged.
    pub trials_diverged: usize,
    /// Trials that failed or ran out of time.
    pub trials_failed: usize,
    /// Trials without a record.
    pub trials_outstanding: usize,
    /// Whether a stop was asked for and something was left undone.
    pub interrupted: bool,
}

/// Why a run could not go on; what it had stored by then stays.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RunError {
    /// The results folder cannot be read or written.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Images cannot be loaded.
    #[error(transparent)]
    Data(#[from] DataError),
    /// Images are not those the plan was drawn with.
    #[error(
        "dataset `{name}` changed: its checksum is {found}, the plan was drawn with {expected}"
    )]
    DatasetChanged {
        /// Name of the dataset.
        name: String,
        /// Checksum now.
        found: Digest,
        /// Checksum in the plan.
        expected: Digest,
    },
    /// The device can no longer be used by this process.
    #[error("{reason}")]
    DeviceLost {
        /// Which device, and why.
        reason: String,
    },
    /// The worker threads cannot be started.
    #[error("cannot start {workers} worker threads")]
    Workers {
        /// How many were asked for.
        workers: usize,
        /// The operating system's answer.
        #[source]
        source: rayon::ThreadPoolBuildError,
    },
}

impl RunError {
    /// Returns what the user can do about it, if that is known.
    pub(crate) fn hint(&self) -> Option<String> {
        match self {
            Self::Store(error) => error.hint(),
            Self::Data(error) => error.hint(),
            Self::DatasetChanged { .. } => {
                Some("leave the data folder alone while the run starts, and run again".to_owned())
            }
            Self::DeviceLost { .. } => Some(
                "finished trials are kept; run the same command again to train the others"
                    .to_owned(),
            ),
            Self::Workers { .. } => Some("ask for fewer with `--jobs N`".to_owned()),
        }
    }
}
