//! Programs of the user as trainers: runs them, reads their answers.
//!
//! Owns processes, and the files of single calls in `attempts/`. Knows nothing of grids or statistics.
//! Invariants: whatever a program does, it comes to one outcome of one trial; when it has ended nothing
//! that it started is left; what is kept of what it said is bounded.

mod answers;
#[cfg(test)]
mod answers_tests;
#[cfg(unix)]
mod call;
#[cfg(unix)]
mod cgroup;
#[cfg(unix)]
mod child;
mod digests;
#[cfg(unix)]
mod family;
mod heard;
mod identity;
mod json;
#[cfg(unix)]
mod measure;
#[cfg(unix)]
mod persistent;
#[cfg(unix)]
mod predictions;
mod resources;
mod tables;
#[cfg(unix)]
mod trace;
#[cfg(unix)]
mod wording;
mod workspace;

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

use crate::base::Metric;
use crate::data::{Dataset, ImageShape};
use crate::engine::{Engine, EngineError, EpochObserver, TrainJob, TrainOutput};
use crate::experiment::MeasureSettings;
use crate::experiment::program::{Mode, Reading};
use crate::experiment::settings::{Settings, TrainerSettings};
use crate::record::LogProbabilities;

use answers::Questions;
#[cfg(unix)]
pub(crate) use cgroup::memory_limit;
pub(crate) use digests::Digests;
#[cfg(unix)]
pub(crate) use family::pass_on_usr1;
pub(crate) use family::{is_any_running, kill_all};
#[cfg(unix)]
pub use heard::Heard;
pub use heard::{Output, hear};
pub(crate) use identity::{Inspector, ProgramError};
pub(crate) use resources::{Capacity, TooMuch};

/// The numerical path of every program: nothing is known of it.
pub(crate) const PATH: &str = "command";
/// That of programs that are given one trial after another: what they do may depend on those before.
pub(crate) const PERSISTENT_PATH: &str = "command persistent";

/// Where programs run and what is asked of them.
pub(crate) struct Surroundings {
    /// Name of the experiment.
    pub experiment: String,
    /// Folder of the experiment file, absolute: where programs are called.
    pub folder: PathBuf,
    /// The results folder, absolute.
    pub results: PathBuf,
    /// What programs see of this process's variables.
    pub inherited: Vec<(OsString, OsString)>,
    /// What is measured.
    pub metrics: Vec<Metric>,
    /// Where numbers stand that are not printed under the name of their metric.
    pub readings: Vec<Reading>,
    /// Whether programs are called; else the other engine knows what they would say.
    pub are_called: bool,
    /// Whether and how calls are measured.
    pub measure: Option<MeasureSettings>,
    /// What the machine has for programs.
    pub capacity: Capacity,
}

/// Calls programs, and leaves everything else to another engine.
pub(crate) struct ProgramEngine<'a> {
    others: &'a (dyn Engine + Send + Sync),
    /// Whether all trials are programs.
    is_alone: bool,
    surroundings: Surroundings,
    questions: Questions,
    undeclared: Mutex<BTreeSet<String>>,
    #[cfg(unix)]
    pool: persistent::Pool,
    #[cfg(unix)]
    resources: resources::Pool,
    #[cfg(unix)]
    tracing: Option<trace::Tracing>,
    #[cfg(unix)]
    measuring: measure::Measuring,
}

impl<'a> ProgramEngine<'a> {
    /// Calls programs in `surroundings`; `others` trains what is none, if there is any.
    pub(crate) fn new(
        others: &'a (dyn Engine + Send + Sync),
        is_alone: bool,
        surroundings: Surroundings,
    ) -> Self {
        let questions = Questions::new(&surroundings.metrics, &surroundings.readings);
        let undeclared = Mutex::default();
        #[cfg(unix)]
        let resources = resources::Pool::new(surroundings.capacity.clone());
        Self {
            others,
            is_alone,
            surroundings,
            questions,
            undeclared,
            #[cfg(unix)]
            pool: persistent::Pool::default(),
            #[cfg(unix)]
            resources,
            #[cfg(unix)]
            tracing: None,
            #[cfg(unix)]
            measuring: measure::Measuring::default(),
        }
    }

    /// Traces what the first trial reads, by this `strace`.
    #[cfg(unix)]
    pub(crate) fn tracing(self, strace: PathBuf) -> Self {
        Self { tracing: Some(trace::Tracing::new(strace)), ..self }
    }

    /// Returns the files that the traced trial read; nothing where none was traced.
    #[cfg(unix)]
    pub(crate) fn traced(&self) -> Option<BTreeSet<PathBuf>> {
        self.tracing.as_ref()?.found()
    }

    /// Returns the names that completed programs printed with numbers though no metric has them.
    pub(crate) fn undeclared(&self) -> BTreeSet<String> {
        self.undeclared.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Engine for ProgramEngine<'_> {
    fn description(&self) -> String {
        let is_alone = self.is_alone && self.surroundings.are_called;
        if is_alone { PATH.to_owned() } else { self.others.description() }
    }

    fn train(
        &self,
        job: &TrainJob<'_>,
        observer: &mut dyn EpochObserver,
    ) -> Result<TrainOutput, EngineError> {
        if !job.settings.trainer.is_command() || !self.surroundings.are_called {
            return self.others.train(job, observer);
        }
        #[cfg(unix)]
        return self.call(job, observer);
        #[cfg(not(unix))]
        return Err(EngineError::Unsupported(
            "engine `command` calls programs on Unix systems only".to_owned(),
        ));
    }

    fn predict(
        &self,
        settings: &Settings,
        dataset: &Dataset,
        indices: &[u32],
        weights: &[u8],
    ) -> Result<LogProbabilities, EngineError> {
        self.others.predict(settings, dataset, indices, weights)
    }

    fn remark(&self) -> Option<&str> {
        self.others.remark()
    }

    fn lost(&self) -> Option<String> {
        self.others.lost()
    }

    fn path_of(&self, settings: &Settings, shape: ImageShape, classes: usize) -> Option<String> {
        if let TrainerSettings::Command(command) = &settings.trainer
            && self.surroundings.are_called
        {
            let is_persistent = command.mode == Mode::Persistent;
            return Some(if is_persistent { PERSISTENT_PATH } else { PATH }.to_owned());
        }
        self.others.path_of(settings, shape, classes)
    }

    fn workers(&self) -> Option<usize> {
        self.others.workers()
    }

    fn pack_capacity(&self, job: &TrainJob<'_>) -> usize {
        if job.settings.trainer.is_command() { 1 } else { self.others.pack_capacity(job) }
    }

    fn train_pack(
        &self,
        jobs: &[TrainJob<'_>],
        observers: &mut [&mut dyn EpochObserver],
    ) -> Vec<Result<TrainOutput, EngineError>> {
        if jobs.iter().any(|job| job.settings.trainer.is_command()) {
            let alone = jobs.iter().zip(observers);
            return alone.map(|(job, observer)| self.train(job, *observer)).collect();
        }
        self.others.train_pack(jobs, observers)
    }
}

/// Returns the memory that this process and its children may take together; nobody says where there are
/// no groups.
#[cfg(not(unix))]
pub(crate) fn memory_limit() -> Option<u64> {
    None
}

/// Kills every program that runs now; there are none where none can be called.
#[cfg(not(unix))]
pub(crate) fn kill_all() {}

/// Returns whether a program runs now; none does where none can be called.
#[cfg(not(unix))]
pub(crate) fn is_any_running() -> bool {
    false
}
