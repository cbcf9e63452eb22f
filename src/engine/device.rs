//! Which device trains, and the engine that sends each job to what its settings ask for.

use std::fmt;
use std::str::FromStr;

use super::fake::FakeEngine;
#[cfg(feature = "cuda")]
use super::portable::PortableNetwork;
use super::weights::{NamedTensor, from_safetensors};
use super::{
    CpuKernels, Engine, EngineError, EpochObserver, TrainJob, TrainOutput, naive_bayes, retrain,
    training,
};
use crate::base::{Seed, SeedPath};
use crate::data::{Dataset, Splits};
use crate::record::Probabilities;
use crate::spec::settings::{Precision, Settings, TrainerSettings};

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
pub fn build_with(
    device: DeviceChoice,
    kernels: CpuKernels,
) -> Result<Box<dyn Engine + Send + Sync>, EngineError> {
    kernels.path(Precision::Auto)?;
    match device {
        DeviceChoice::Cpu => Ok(Box::new(Trainers { networks: CpuNetworks { kernels } })),
        #[cfg(feature = "cuda")]
        DeviceChoice::Cuda(index) => Ok(Box::new(Trainers { networks: cuda::open(index)? })),
        #[cfg(not(feature = "cuda"))]
        DeviceChoice::Cuda(_) => Err(EngineError::Unsupported(format!(
            "this build cannot use `{device}`; build one that can with `cargo build --release \
             --features cuda`, or use `--device cpu`"
        ))),
        #[cfg(feature = "cuda")]
        DeviceChoice::Auto => match cuda::open(0) {
            Ok(networks) => Ok(Box::new(Trainers { networks })),
            Err(_) => Ok(Box::new(Trainers { networks: CpuNetworks { kernels } })),
        },
        #[cfg(not(feature = "cuda"))]
        DeviceChoice::Auto => Ok(Box::new(Trainers { networks: CpuNetworks { kernels } })),
    }
}

/// A job that only carries settings and images to a network that predicts.
fn prediction_job<'a>(
    settings: &'a Settings,
    dataset: &'a Dataset,
    splits: &'a Splits,
) -> TrainJob<'a> {
    let seed_path = SeedPath::experiment(Seed(0));
    TrainJob { settings, dataset, splits, seed_path, attempt: 1, checkpoint: None }
}

/// Makes networks on one device.
trait Networks: Sync {
    /// Returns the device and numerical path.
    fn description(&self) -> String;

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
    ) -> Result<Probabilities, EngineError>;
}

/// Sends each job to what its trainer settings name.
struct Trainers<N: Networks> {
    networks: N,
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

    fn pack_capacity(&self, job: &TrainJob<'_>) -> usize {
        match &job.settings.trainer {
            TrainerSettings::Fake(_) => FakeEngine.pack_capacity(job),
            TrainerSettings::Dfdx | TrainerSettings::Command { .. } => 1,
        }
    }

    fn train(
        &self,
        job: &TrainJob<'_>,
        observer: &mut dyn EpochObserver,
    ) -> Result<TrainOutput, EngineError> {
        match &job.settings.trainer {
            TrainerSettings::Fake(_) => FakeEngine.train(job, observer),
            TrainerSettings::Dfdx if job.settings.train.retrain.is_some() => {
                retrain::train(job, observer, &mut |job, observer| self.once(job, observer))
            }
            TrainerSettings::Dfdx => self.once(job, observer),
            TrainerSettings::Command { command } => Err(EngineError::Unsupported(format!(
                "cannot train with the program `{}`: `trainer.engine = \"command\"` is not \
                 available yet; use \"dfdx\" or \"fake\"",
                command.first().map_or("", String::as_str)
            ))),
        }
    }

    fn predict(
        &self,
        settings: &Settings,
        dataset: &Dataset,
        indices: &[u32],
        weights: &[u8],
    ) -> Result<Probabilities, EngineError> {
        let weights = from_safetensors(weights)?;
        if naive_bayes::asked_for(settings).is_some() {
            return naive_bayes::predict(dataset, indices, &weights);
        }
        let splits = Splits::default();
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
}

impl Networks for CpuNetworks {
    fn description(&self) -> String {
        self.kernels.description()
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
    ) -> Result<Probabilities, EngineError> {
        in_one_thread(|| {
            let mut network = self.kernels.network(std::slice::from_ref(job))?;
            training::predict_with(&mut *network, job, indices, weights)
        })?
    }
}

/// Builds the portable network of a pack; all jobs agree in architecture and optimizer.
#[cfg(feature = "cuda")]
fn portable<D: super::portable::Backend>(
    device: D,
    jobs: &[TrainJob<'_>],
) -> Result<PortableNetwork<D>, EngineError> {
    let first = &jobs[0];
    if first.settings.train.precision == Precision::Bf16 {
        return Err(EngineError::Unsupported(
            "`train.precision = \"bf16\"` is not available on this path; use \"auto\" or \"f32\""
                .to_owned(),
        ));
    }
    PortableNetwork::new(
        device,
        first.settings,
        first.dataset.shape,
        first.dataset.classes.len(),
        jobs.iter().map(|job| job.seed_path).collect(),
    )
}

/// Gives the error of a whole pack to each of its jobs.
fn shared(error: EngineError, jobs: usize) -> Vec<Result<TrainOutput, EngineError>> {
    let message = error.to_string();
    let mut results = vec![Err(error)];
    results.extend((1..jobs).map(|_| Err(EngineError::Device(message.clone()))));
    results
}

#[cfg(feature = "cuda")]
mod cuda {
    //! Networks on an NVIDIA GPU.

    use std::cell::RefCell;

    use dfdx::tensor::{Cache, Cuda};

    use super::{
        EngineError, EpochObserver, NamedTensor, Networks, Probabilities, TrainJob, TrainOutput,
        portable, shared, training,
    };

    thread_local! {
        /// The GPU this thread opened: dfdx's handle cannot leave its thread.
        static OPENED: RefCell<Option<(usize, Cuda)>> = const { RefCell::new(None) };
    }

    /// Networks on one GPU.
    pub(super) struct CudaNetworks {
        index: usize,
    }

    /// Makes sure that the GPU of the given index is there.
    pub(super) fn open(index: usize) -> Result<CudaNetworks, EngineError> {
        opened(index).map(|_| CudaNetworks { index })
    }

    fn opened(index: usize) -> Result<Cuda, EngineError> {
        OPENED.with_borrow_mut(|opened| match opened {
            Some((found, device)) if *found == index => Ok(device.clone()),
            _ => {
                let failed = |error: &dyn std::fmt::Debug| {
                    EngineError::Device(format!("cannot open `cuda:{index}`: {error:?}"))
                };
                let device = Cuda::try_build(index, 0).map_err(|error| failed(&error))?;
                // Without the cache every tensor of every step is a cudaMalloc.
                device.try_enable_cache().map_err(|error| failed(&error))?;
                *opened = Some((index, device.clone()));
                Ok(device)
            }
        })
    }

    impl Networks for CudaNetworks {
        fn description(&self) -> String {
            format!("cuda:{}, portable f32", self.index)
        }

        fn train(
            &self,
            jobs: &[TrainJob<'_>],
            observers: &mut [&mut dyn EpochObserver],
        ) -> Vec<Result<TrainOutput, EngineError>> {
            match opened(self.index).and_then(|device| portable(device, jobs)) {
                Ok(mut network) => training::train(&mut network, jobs, observers),
                Err(error) => shared(error, jobs.len()),
            }
        }

        fn predict(
            &self,
            job: &TrainJob<'_>,
            indices: &[u32],
            weights: &[NamedTensor],
        ) -> Result<Probabilities, EngineError> {
            let mut network = portable(opened(self.index)?, std::slice::from_ref(job))?;
            training::predict_with(&mut network, job, indices, weights)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{Silent, dense, job, quarters, settings, splits};
    use super::*;
    use crate::spec::layers::LayerSettings;

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
    fn a_foreign_program_is_refused_clearly() {
        let mut settings = settings(vec![LayerSettings::Flatten, dense(None)]);
        settings.trainer = TrainerSettings::Command { command: vec!["train.py".to_owned()] };
        let (dataset, splits) = (quarters(20), splits(20));
        let engine = build(DeviceChoice::Cpu).unwrap();
        let error = engine.train(&job(&settings, &dataset, &splits, 0), &mut Silent).unwrap_err();
        assert!(error.to_string().contains("not available yet"), "{error}");
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
