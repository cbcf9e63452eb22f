//! What one of several processes knows before it looks for work.

use std::path::Path;
use std::time::Duration;

use super::{Listener, LoadedExperiment, Training};
use crate::cluster::Who;
use crate::engine::{CpuKernels, Engine};
use crate::plan::Plan;
use crate::runner::RunOptions;
use crate::store::ManifestDraft;

/// How one of several processes works on a folder.
pub(crate) struct Working<'a> {
    /// How it trains.
    pub(crate) training: Training<'a>,
    /// Which of them it is.
    pub(crate) who: Who,
    /// Lanes of a round that it opens.
    pub(crate) lanes: u32,
    /// How long a journal may stand still.
    pub(crate) lease: Duration,
    /// Kernels of the CPU, for estimates.
    pub(crate) kernels: CpuKernels,
    /// Members of a pack at most, if that was said.
    pub(crate) pack: Option<u32>,
}

/// Everything that is known before work is looked for.
pub(super) struct Site<'a> {
    pub(super) loaded: &'a LoadedExperiment,
    pub(super) plan: &'a Plan,
    pub(super) folder: &'a Path,
    pub(super) draft: ManifestDraft,
    pub(super) engine: &'a dyn Engine,
    pub(super) working: &'a Working<'a>,
    pub(super) workers: usize,
    pub(super) listener: Listener,
}

/// Returns how members are trained and stored.
pub(super) fn options(site: &Site<'_>) -> RunOptions {
    let experiment = site.loaded.document.experiment();
    let training = &site.working.training;
    RunOptions {
        workers: site.workers,
        retry_failed: training.retry_failed,
        retries: training.retries,
        save_weights: training.save_weights || experiment.save_weights,
        predictions: experiment.store.predictions,
        ..RunOptions::default()
    }
}
