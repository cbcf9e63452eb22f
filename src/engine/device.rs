//! Which device trains, and the engine that sends each job to what its settings ask for.

use std::fmt;
use std::num::NonZeroUsize;
use std::str::FromStr;

#[cfg(feature = "cuda")]
use super::cuda::CudaNetworks;
use super::fake::{self, FakeEngine};
use super::weights::{NamedTensor, all_finite, from_safetensors};
use super::{
    CpuKernels, Engine, EngineError, EpochObserver, TrainJob, TrainOutput, naive_bayes, pack,
    retrain, training,
};
use crate::base::{Seed, SeedPath};
use crate::data::{Dataset, ImageShape, Splits};
use crate::experiment::settings::{Precision, Settings, TrainerSettings};
use crate::record::LogProbabilities;

/// Where networks are trained.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum DeviceChoice {
    /// A GPU where this build can use one and one is there, else the CPU.
    #[default]
    Auto,
    /// The CPU.
    Cpu,
    /// The GPU of this index.
    Cuda(usize),
}

impl fmt::Display for DeviceChoice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Auto => f.write_str("auto"),
            Self::Cpu => f.write_str("cpu"),
            Self::Cuda(index) => write!(f, "cuda:{index}"),
        }
    }
}

/// Says that a text names no device.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("unknown device `{0}`, expected `auto`, `cpu`, `cuda` or `cuda:N`")]
pub struct ParseDeviceError(String);

impl FromStr for DeviceChoice {
    type Err = ParseDeviceError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "auto" => Ok(Self::Auto),
            "cpu" => Ok(Self::Cpu),
            "cuda" => Ok(Self::Cuda(0)),
            _ => text
                .strip_prefix("cuda:")
                .and_then(|index| index.parse().ok())
                .map(Self::Cuda)
                .ok_or_else(|| ParseDeviceError(text.to_owned())),
        }
    }
}

/// Builds the engine for `device`. It trains whatever a job's trainer settings name: networks on
/// the device, or the fake engine's curves.
///
/// # Errors
/// If this build cannot use the device, or the device is not there.
pub fn build(device: DeviceChoice) -> Result<Box<dyn Engine + Send + Sync>, EngineError> {
    build_with(device, CpuKernels::Auto)
}

/// Builds the engine for `device` as [`build`] does, with a choice of kernels where it is the CPU.
///
/// # Errors
/// If this build cannot use the device, the device is not there, or the CPU lacks the kernels'
/// instructions.
pub(crate) fn build_with(
    device: DeviceChoice,
    kernels: CpuKernels,
) -> Result<Box<dyn Engine + Send + Sync>, EngineError> {
    build_for_packs(device, kernels, None)
}

/// Builds the engine for `device` as [`build_with`] does, with at most `most` members of a pack
/// where the device trains packs. A CPU does with dfdx's operations, if it is asked to: to rehearse
/// what a GPU does.
///
/// # Errors
/// As [`build_with`].
pub fn build_for_packs(
    device: DeviceChoice,
    kernels: CpuKernels,
    most: Option<NonZeroUsize>,
) -> Result<Box<dyn Engine + Send + Sync>, EngineError> {
    kernels.path(Precision::Auto)?;
    let on_cpu = |remark: Option<String>| -> Box<dyn Engine + Send + Sync> {
        let pack = most.map_or(1, NonZeroUsize::get);
        Box::new(Trainers { networks: CpuNetworks { kernels, pack }, remark })
    };
    match device {
        DeviceChoice::Cpu => Ok(on_cpu(None)),
        #[cfg(feature = "cuda")]
        DeviceChoice::Cuda(index) => {
            Ok(Box::new(Trainers { networks: CudaNetworks::open(index, most)?, remark: None }))
        }
        #[cfg(not(feature = "cuda"))]
        DeviceChoice::Cuda(_) => Err(EngineError::Unsupported(format!(
            "this build cannot use `{device}`; build one that can with `cargo build --release \
             --features cuda`, or use `--device cpu`"
        ))),
        #[cfg(feature = "cuda")]
        DeviceChoice::Auto => match CudaNetworks::open(0, most) {
            Ok(networks) => Ok(Box::new(Trainers { networks, remark: None })),
            // Most machines have no driver: nobody expects a GPU there.
            Err(_) if !super::cuda::has_driver() => Ok(on_cpu(None)),
            Err(error) => Ok(on_cpu(Some(format!("no GPU is used: {error}")))),
        },
        #[cfg(not(feature = "cuda"))]
        DeviceChoice::Auto => Ok(on_cpu(None)),
    }
}

/// A job that only carries settings and images to a network that predicts.
fn prediction_job<'a>(
    settings: &'a Settings,
    dataset: &'a Dataset,
    splits: &'a Splits,
) -> TrainJob<'a> {
    let seed_path = SeedPath::experiment(Seed(0));
    TrainJob {
        settings,
        dataset,
        splits,
        seed_path,
        member: None,
        attempt: 1,
        checkpoint: None,
        earlier: None,
    }
}

/// Makes networks on one device.
pub(super) trait Networks: Sync {
    /// Returns the device and numerical path.
    fn description(&self) -> String;

    /// Returns the numerical path of a network under these settings; absent where there is none.
    fn path_of(&self, settings: &Settings, shape: ImageShape, classes: usize) -> Option<String>;

    /// Returns how many members like this one are best trained at once.
    fn capacity(&self, job: &TrainJob<'_>) -> usize;

    /// Returns how many workers make sense; absent: as many as there are cores.
    fn workers(&self) -> Option<usize> {
        None
    }

    /// Returns why this process can no longer use the device, once it is lost.
    fn lost(&self) -> Option<String> {
        None
    }

    /// Hears that so many members like this one were too much for the device.
    fn was_too_much(&self, _job: &TrainJob<'_>, _members: usize) {}

    /// Builds the network of a pack of jobs and trains it to its end.
    fn train(
        &self,
        jobs: &[TrainJob<'_>],
        observers: &mut [&mut dyn EpochObserver],
    ) -> Vec<Result<TrainOutput, EngineError>>;

    /// Predicts the images at `indices` of a job's dataset under `weights`.
    fn predict(
        &self,
        job: &TrainJob<'_>,
        indices: &[u32],
        weights: &[NamedTensor],
    ) -> Result<LogProbabilities, EngineError>;
}

/// Sends each job to what its trainer settings name.
struct Trainers<N: Networks> {
    networks: N,
    /// What a person should know of how the device was chosen.
    remark: Option<String>,
}

impl<N: Networks> Trainers<N> {
    /// Trains a member one time, by steps or in one pass.
    fn once(
        &self,
        job: &TrainJob<'_>,
        observer: &mut dyn EpochObserver,
    ) -> Result<TrainOutput, EngineError> {
        if naive_bayes::asked_for(job.settings).is_some() {
            return naive_bayes::train(job, observer);
        }
        let mut results = self.networks.train(std::slice::from_ref(job), &mut [observer]);
        results.pop().expect("one result a job")
    }
}

impl<N: Networks> Engine for Trainers<N> {
    fn description(&self) -> String {
        self.networks.description()
    }

    fn remark(&self) -> Option<&str> {
        self.remark.as_deref()
    }

    fn lost(&self) -> Option<String> {
        self.networks.lost()
    }

    fn path_of(&self, settings: &Settings, shape: ImageShape, classes: usize) -> Option<String> {
        if matches!(settings.trainer, TrainerSettings::Fake(_)) {
            return Some(fake::PATH.to_owned());
        }
        if naive_bayes::asked_for(settings).is_some() {
            return Some(naive_bayes::PATH.to_owned());
        }
        self.networks.path_of(settings, shape, classes)
    }

    fn workers(&self) -> Option<usize> {
        self.networks.workers()
    }

    fn pack_capacity(&self, job: &TrainJob<'_>) -> usize {
        match &job.settings.trainer {
            TrainerSettings::Fake(_) => FakeEngine.pack_capacity(job),
            _ if pack::is_packable(job.settings) => self.networks.capacity(job).max(1),
            _ => 1,
        }
    }

    fn train_pack(
        &self,
        jobs: &[TrainJob<'_>],
        observers: &mut [&mut dyn EpochObserver],
    ) -> Vec<Result<TrainOutput, EngineError>> {
        if !jobs.iter().all(|job| pack::is_packable(job.settings)) {
            let alone = jobs.iter().zip(observers);
            return alone.map(|(job, observer)| self.train(job, *observer)).collect();
        }
        pack::train(
            jobs,
            observers,
            &mut |jobs, observers| self.networks.train(jobs, observers),
            &mut |members| self.networks.was_too_much(&jobs[0], members),
        )
    }

    fn train(
        &self,
        job: &TrainJob<'_>,
        observer: &mut dyn EpochObserver,
    ) -> Result<TrainOutput, EngineError> {
        match &job.settings.trainer {
            TrainerSettings::Fake(_) => FakeEngine.train(job, observer),
            _ if job.settings.train.retrain.is_some() => {
                retrain::train(job, observer, &mut |job, observer| self.once(job, observer))
            }
            _ => self.once(job, observer),
        }
    }

    fn predict(
        &self,
        settings: &Settings,
        dataset: &Dataset,
        indices: &[u32],
        weights: &[u8],
    ) -> Result<LogProbabilities, EngineError> {
        let weights = from_safetensors(weights)?;
        if naive_bayes::asked_for(settings).is_some() {
            return naive_bayes::predict(dataset, indices, &weights);
        }
        all_finite(&weights)?;
        let splits = Splits { test: indices.to_vec(), ..Splits::default() };
        self.networks.predict(&prediction_job(settings, dataset, &splits), indices, &weights)
    }
}

/// Runs `work` in a thread pool of one.
///
/// dfdx splits its products over the threads of the current rayon pool. In a pool of one, trainings
/// side by side neither steal from each other nor change their bits.
fn in_one_thread<T: Send>(work: impl FnOnce() -> T + Send) -> Result<T, EngineError> {
    let pool = rayon::ThreadPoolBuilder::new()
        .num_threads(1)
        .build()
        .map_err(|error| EngineError::Device(format!("cannot start a thread: {error}")))?;
    Ok(pool.install(work))
}

/// Networks on the CPU.
struct CpuNetworks {
    kernels: CpuKernels,
    /// Members of a pack; more than one only with dfdx's operations, because the hand-written
    /// kernels train one network, and their bits are others.
    pack: usize,
}

impl Networks for CpuNetworks {
    fn description(&self) -> String {
        self.kernels.description()
    }

    fn path_of(&self, settings: &Settings, shape: ImageShape, classes: usize) -> Option<String> {
        self.kernels.path_of(settings, shape, classes)
    }

    fn capacity(&self, job: &TrainJob<'_>) -> usize {
        if self.kernels.of(job.settings) == CpuKernels::Dfdx { self.pack } else { 1 }
    }

    fn train(
        &self,
        jobs: &[TrainJob<'_>],
        observers: &mut [&mut dyn EpochObserver],
    ) -> Vec<Result<TrainOutput, EngineError>> {
        let trained = in_one_thread(|| match self.kernels.network(jobs) {
            Ok(mut network) => training::train(&mut *network, jobs, observers),
            Err(error) => shared(error, jobs.len()),
        });
        trained.unwrap_or_else(|error| shared(error, jobs.len()))
    }

    fn predict(
        &self,
        job: &TrainJob<'_>,
        indices: &[u32],
        weights: &[NamedTensor],
    ) -> Result<LogProbabilities, EngineError> {
        in_one_thread(|| {
            let mut network = self.kernels.network(std::slice::from_ref(job))?;
            training::predict_with(&mut *network, job, indices, weights)
        })?
    }
}

/// Gives the error of a whole pack to each of its jobs.
pub(super) fn shared(error: EngineError, jobs: usize) -> Vec<Result<TrainOutput, EngineError>> {
    let message = error.to_string();
    let mut results = vec![Err(error)];
    results.extend((1..jobs).map(|_| Err(EngineError::Device(message.clone()))));
    results
}

#[cfg(test)]
mod tests {
    use super::super::testing::{Silent, dense, job, quarters, settings, splits};
    use super::*;
    use crate::experiment::layers::LayerSettings;

    #[test]
    fn devices_are_read_from_their_names() {
        for (text, device) in [
            ("auto", DeviceChoice::Auto),
            ("cpu", DeviceChoice::Cpu),
            ("cuda", DeviceChoice::Cuda(0)),
            ("cuda:3", DeviceChoice::Cuda(3)),
        ] {
            assert_eq!(text.parse(), Ok(device));
        }
        let error = "gpu".parse::<DeviceChoice>().unwrap_err().to_string();
        assert_eq!(error, "unknown device `gpu`, expected `auto`, `cpu`, `cuda` or `cuda:N`");
        assert!("cuda:-1".parse::<DeviceChoice>().is_err());
    }

    #[cfg(not(feature = "cuda"))]
    #[test]
    fn asking_for_cuda_in_a_build_without_it_says_how_to_get_it() {
        let error = build(DeviceChoice::Cuda(0)).err().map(|error| error.to_string());
        assert!(error.is_some_and(|error| error.contains("cargo build --release --features cuda")));
    }

    #[test]
    fn bf16_is_refused_by_dfdx() {
        let mut settings = settings(vec![LayerSettings::Flatten, dense(None)]);
        settings.train.precision = Precision::Bf16;
        let (dataset, splits) = (quarters(20), splits(20));
        let engine = build_with(DeviceChoice::Cpu, CpuKernels::Dfdx).unwrap();
        let error = engine.train(&job(&settings, &dataset, &splits, 0), &mut Silent).unwrap_err();
        assert!(matches!(error, EngineError::Unsupported(_)));
    }
}
