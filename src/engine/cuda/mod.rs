//! Networks on an NVIDIA GPU: packs of models by dfdx's operations, fed by kernels of our own.
//!
//! dfdx runs everything on the GPU's default stream, so trainings side by side would take turns:
//! members go in packs. dfdx's sums use atomics, so a training repeated is the same to rounding
//! only.

mod gpu;
mod library;
mod operations;
mod source;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::{Mutex, PoisonError};

use dfdx::tensor::{Cache, Cuda, CudaError, Tape};

use super::device::{Networks, shared};
use super::portable::{Backend, Footprint, Packed, PortableNetwork, Rows};
use super::weights::NamedTensor;
use super::{EngineError, EpochObserver, TrainJob, TrainOutput, pack, training};
use crate::data::ImageShape;
use crate::experiment::settings::{Precision, Settings};
use crate::record::LogProbabilities;
use gpu::{Gpu, explained};
use source::KernelSource;

impl Backend for Cuda {
    const PATH: &'static str = "dfdx cuda f32";

    fn keep_memory(&self) {
        // Without the cache every tensor of every step is allocated anew.
        self.enable_cache();
    }

    fn release_memory(&self) {
        self.disable_cache();
    }

    fn failed(error: CudaError) -> EngineError {
        EngineError::Device(explained(&error))
    }

    fn gather_rows<T: Tape<f32, Self>>(
        x: Packed<Self, T>,
        rows: &Rows<Self>,
    ) -> Result<Packed<Self, T>, CudaError> {
        operations::gather_rows(x, rows)
    }
}

/// Bytes of a device per byte of a [`Footprint`], a little more than was ever measured: dfdx's
/// operations keep what the CPU's own ones do not, as every index of a pool and every step of a
/// normalisation.
const BYTES_PER_COUNTED: u64 = 2;

/// dfdx's kernels count the values of a tensor in 32 bits, and its sums in 31.
const MAX_VALUES: u64 = i32::MAX as u64;

/// Networks on one GPU.
pub(super) struct CudaNetworks {
    index: usize,
    most: usize,
    /// Bytes of a member, and the largest pack of such members that may still be tried.
    limits: Mutex<BTreeMap<u64, usize>>,
}

impl CudaNetworks {
    /// Makes sure that the GPU of the given index is there and computes.
    pub(super) fn open(index: usize, most: Option<NonZeroUsize>) -> Result<Self, EngineError> {
        guarded(|| Gpu::open(index))??;
        let most = most.map_or(pack::MAX_MEMBERS, NonZeroUsize::get);
        Ok(Self { index, most, limits: Mutex::new(BTreeMap::new()) })
    }

    fn network(&self, jobs: &[TrainJob<'_>]) -> Result<PortableNetwork<Cuda>, EngineError> {
        if jobs[0].settings.train.precision == Precision::Bf16 {
            return Err(EngineError::Unsupported(
                "`train.precision = \"bf16\"` is not available on a GPU; use \"auto\" or \"f32\""
                    .to_owned(),
            ));
        }
        let values = Footprint::of(&jobs[0])?.largest_tensor;
        if values > MAX_VALUES {
            return Err(EngineError::Unsupported(format!(
                "a tensor of {values} values is too large for a GPU, which counts at most \
                 {MAX_VALUES}; use a smaller `train.batch-size`"
            )));
        }
        let gpu = Gpu::open(self.index)?;
        let source =
            KernelSource::new(gpu.dfdx.clone(), gpu.driver, gpu.held).map_err(Cuda::failed)?;
        Ok(PortableNetwork::of_jobs(gpu.dfdx, jobs)?.with_source(Box::new(source)))
    }
}

/// Returns whether there is an NVIDIA driver.
pub(super) fn has_driver() -> bool {
    library::open_driver() != Err(library::LibraryError::NoDriver)
}

/// Does work on the GPU. dfdx and cudarc unwrap some of the driver's errors: such a panic becomes
/// the error that it is about.
fn guarded<T>(work: impl FnOnce() -> T) -> Result<T, EngineError> {
    library::take_last_error();
    catch_unwind(AssertUnwindSafe(work)).map_err(|panic| {
        match library::lost().or_else(library::take_last_error) {
            Some(code) => EngineError::Device(library::words(code)),
            None => resume_unwind(panic),
        }
    })
}

impl Networks for CudaNetworks {
    fn description(&self) -> String {
        format!("cuda:{}, packs of {}", self.index, Cuda::PATH)
    }

    fn path_of(&self, _: &Settings, _: ImageShape, _: usize) -> Option<String> {
        Some(Cuda::PATH.to_owned())
    }

    fn capacity(&self, job: &TrainJob<'_>) -> usize {
        let free = Gpu::open(self.index).and_then(|gpu| gpu.free_bytes());
        let (Ok(Footprint { bytes, largest_tensor }), Ok(free)) = (Footprint::of(job), free) else {
            return 1;
        };
        let limits = self.limits.lock().unwrap_or_else(PoisonError::into_inner);
        let limit = limits.get(&bytes).copied().unwrap_or(self.most);
        let countable = MAX_VALUES / largest_tensor.max(1);
        pack::fitting(free, bytes * BYTES_PER_COUNTED)
            .min(usize::try_from(countable).unwrap_or(limit).max(1))
            .min(limit)
            .min(self.most)
    }

    fn was_too_much(&self, job: &TrainJob<'_>, members: usize) {
        let Ok(Footprint { bytes, .. }) = Footprint::of(job) else { return };
        let mut limits = self.limits.lock().unwrap_or_else(PoisonError::into_inner);
        let limit = limits.entry(bytes).or_insert(self.most);
        *limit = (*limit).min(members.div_ceil(2));
    }

    fn workers(&self) -> Option<usize> {
        Some(1)
    }

    fn lost(&self) -> Option<String> {
        let code = library::lost()?;
        Some(format!("`cuda:{}` was lost: {}", self.index, library::words(code)))
    }

    fn train(
        &self,
        jobs: &[TrainJob<'_>],
        observers: &mut [&mut dyn EpochObserver],
    ) -> Vec<Result<TrainOutput, EngineError>> {
        let trained = guarded(|| match self.network(jobs) {
            Ok(mut network) => training::train(&mut network, jobs, observers),
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
        guarded(|| {
            let mut network = self.network(std::slice::from_ref(job))?;
            training::predict_with(&mut network, job, indices, weights)
        })?
    }
}
