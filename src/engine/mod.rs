//! Trains members: the one seam between the harness and dfdx.
//!
//! Owns networks, kernels, devices and the training loop. Knows nothing of grids, files or
//! statistics. Invariant: the result of a member depends on its job alone, never on other jobs,
//! workers or packs.

mod card_layers;
mod checkpoint;
mod cpu;
#[cfg(feature = "cuda")]
mod cuda;
mod device;
pub(crate) mod dropout;
pub(crate) mod evaluation;
mod fake;
mod feed;
pub mod fused;
mod geometry;
pub(crate) mod init;
mod member;
pub mod model_file;
mod naive_bayes;
pub mod network;
#[cfg(test)]
mod norm_tests;
pub(crate) mod pack;
mod portable;
mod retrain;
mod schedule;
mod stopping;
#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;
mod training;
pub mod weights;

pub use cpu::CpuKernels;
pub use device::{DeviceChoice, ParseDeviceError, build, build_for_packs};
pub use fake::FakeEngine;

use std::ops::ControlFlow;

use crate::base::{MemberId, SeedPath};
use crate::data::{Dataset, ImageShape, Splits};
use crate::experiment::architecture::ShapeProblem;
use crate::experiment::settings::Settings;
use crate::record::{EpochRecord, LogProbabilities, MemberSummary, Outcome, Predictions};

/// Changes whenever an engine change alters numbers; part of every member's identity.
pub(crate) const ENGINE_REVISION: &str = "5";

/// Everything that decides one member.
pub struct TrainJob<'a> {
    /// What to train and how.
    pub settings: &'a Settings,
    /// The images.
    pub dataset: &'a Dataset,
    /// Which image goes where.
    pub splits: &'a Splits,
    /// Where the random streams hang.
    pub seed_path: SeedPath,
    /// The planned member that is trained, by which files of its own are named; absent: none is.
    pub member: Option<MemberId>,
    /// Index of the attempt, from 1; decides nothing but planned accidents of the fake engine.
    pub attempt: u32,
    /// State saved by an interrupted attempt, as [`Snapshot::checkpoint`] gave it.
    pub checkpoint: Option<&'a [u8]>,
    /// What an earlier training of the same member came to; absent: this is the first.
    pub earlier: Option<Earlier>,
}

/// What an earlier training of the same member came to.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Earlier {
    /// The epoch it found to be the best, after which this one ends; absent: the rules are asked
    /// again. Schedules still run over all epochs of the settings.
    pub best_epoch: Option<u32>,
    /// Seconds it took, which count towards the time limit.
    pub seconds: f64,
}

impl TrainJob<'_> {
    /// Returns the most images that ever meet in one batch.
    pub(crate) fn largest_batch(&self) -> usize {
        let Splits { train, validation, test } = self.splits;
        let images = train.len().max(validation.len()).max(test.len());
        self.settings.train.batch_size.min(images).max(1)
    }
}

/// In-flight training state that can be saved between two epochs.
pub trait Snapshot {
    /// Returns weights, optimizer state, epoch records and the best weights so far, as bytes.
    fn checkpoint(&self) -> Vec<u8>;
}

/// Hears of every finished epoch and may stop the training.
///
/// `Send`, because an engine may train inside a thread pool of its own.
pub trait EpochObserver: Send {
    /// Called after each epoch's evaluation; `Break` ends the attempt as interrupted.
    fn epoch(&mut self, record: &EpochRecord, state: &dyn Snapshot) -> ControlFlow<()>;

    /// Returns whether the training is to end as interrupted, for trainers that do not wait for the
    /// end of an epoch.
    fn is_stopped(&self) -> bool {
        false
    }
}

/// What one attempt gave.
#[derive(Debug, Clone, PartialEq)]
pub struct TrainOutput {
    /// Completed, diverged, timed out or interrupted.
    pub outcome: Outcome,
    /// Why, unless completed.
    pub reason: Option<String>,
    /// Finished epochs in order, including those restored from a checkpoint.
    pub epochs: Vec<EpochRecord>,
    /// Present when completed.
    pub summary: Option<MemberSummary>,
    /// Present when completed.
    pub predictions: Option<Predictions>,
    /// Selected weights as safetensors bytes; present when completed by an engine that has weights.
    pub weights: Option<Vec<u8>>,
}

impl TrainOutput {
    /// Returns what an attempt gave that ended like this and left nothing.
    pub(crate) fn ended(outcome: Outcome, reason: Option<String>) -> Self {
        Self {
            outcome,
            reason,
            epochs: Vec::new(),
            summary: None,
            predictions: None,
            weights: None,
        }
    }
}

/// Why a member could not be trained.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// The network does not fit the images.
    #[error("layer {layer} ({kind}) does not fit: {problem}")]
    Shape {
        /// Index of the layer, from 1.
        layer: usize,
        /// Its kind.
        kind: &'static str,
        /// What does not fit.
        problem: String,
    },
    /// The device refused: out of memory, lost, absent.
    #[error("device: {0}")]
    Device(String),
    /// The engine cannot do what the settings ask.
    #[error("{0}")]
    Unsupported(String),
    /// A checkpoint could not be used.
    #[error("cannot resume from the checkpoint: {0}")]
    Checkpoint(String),
    /// Saved weights could not be used.
    #[error("cannot use the weights: {0}")]
    Weights(#[from] weights::WeightsError),
    /// A planned accident or a foreign trainer's message.
    #[error("{0}")]
    Trainer(String),
}

impl From<ShapeProblem> for EngineError {
    fn from(problem: ShapeProblem) -> Self {
        Self::Shape { layer: problem.layer, kind: problem.kind, problem: problem.problem }
    }
}

/// Trains one member, or several at once.
pub trait Engine: Sync {
    /// Returns the device and numerical path, for the manifest, for example `cpu, dfdx f32`.
    fn description(&self) -> String;

    /// Trains one member to its end, to divergence or until the observer stops it.
    ///
    /// # Errors
    /// If the network does not fit the images, the device fails, or the settings ask for
    /// something this engine lacks.
    fn train(
        &self,
        job: &TrainJob<'_>,
        observer: &mut dyn EpochObserver,
    ) -> Result<TrainOutput, EngineError>;

    /// Returns the logarithms of the class probabilities of the images at `indices` under weights of a training with
    /// these settings, as [`TrainOutput::weights`] gave them.
    ///
    /// # Errors
    /// If the weights are damaged or of another network, or this engine has no weights.
    fn predict(
        &self,
        _settings: &Settings,
        _dataset: &Dataset,
        _indices: &[u32],
        _weights: &[u8],
    ) -> Result<LogProbabilities, EngineError> {
        Err(EngineError::Unsupported(format!(
            "the engine `{}` keeps no weights to predict with; train with `trainer.engine = \"auto\"`",
            self.description()
        )))
    }

    /// Returns what a person should know of how the device was chosen.
    fn remark(&self) -> Option<&str> {
        None
    }

    /// Returns why this process can no longer use the device, once it is lost. What a training
    /// ended with since then says nothing of the training.
    fn lost(&self) -> Option<String> {
        None
    }

    /// Returns the numerical path that a member with these settings takes on images of this shape,
    /// as its record will say; absent: not known before it is trained. Two trainings of one member
    /// give the same bits only on the same path.
    fn path_of(&self, _settings: &Settings, _shape: ImageShape, _classes: usize) -> Option<String> {
        None
    }

    /// Returns how many workers make sense on this device; absent: as many as there are cores.
    fn workers(&self) -> Option<usize> {
        None
    }

    /// Returns how many members like this one are best trained at once (a pack); 1 on a CPU.
    fn pack_capacity(&self, _job: &TrainJob<'_>) -> usize {
        1
    }

    /// Trains several members, best such that [agree](pack::agree).
    ///
    /// The default trains one after another. Each result is what [`Engine::train`] would give.
    fn train_pack(
        &self,
        jobs: &[TrainJob<'_>],
        observers: &mut [&mut dyn EpochObserver],
    ) -> Vec<Result<TrainOutput, EngineError>> {
        jobs.iter().zip(observers).map(|(job, observer)| self.train(job, *observer)).collect()
    }
}
