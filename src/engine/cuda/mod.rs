//! Networks on an NVIDIA GPU: packs of models by dfdx's operations, fed by kernels of our own.
//!
//! dfdx runs everything on the GPU's default stream, so trainings side by side would take turns:
//! members go in packs. dfdx's sums use atomics, so a training repeated is the same to rounding
//! only.

mod source;
#[cfg(test)]
mod tests;

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex, PoisonError};

use cudarc::driver::{CudaDevice, result};
use dfdx::tensor::{Cache, Cuda};

use super::device::{Networks, shared};
use super::portable::{Backend, PortableNetwork, working_bytes};
use super::weights::NamedTensor;
use super::{EngineError, EpochObserver, TrainJob, TrainOutput, pack, training};
use crate::record::LogProbabilities;
use crate::spec::settings::Precision;
use source::{Held, KernelSource};

impl Backend for Cuda {
    fn keep_memory(&self) {
        // Without the cache every tensor of every step is allocated anew.
        self.enable_cache();
    }

    fn release_memory(&self) {
        self.disable_cache();
    }
}

/// Bytes of a device per byte of [`working_bytes`]: dfdx's operations keep what the CPU's own ones
/// do not, as every place of a pool and every step of a normalisation.
const BYTES_PER_COUNTED: u64 = 3;

/// A GPU as one thread sees it.
#[derive(Clone)]
struct Opened {
    index: usize,
    dfdx: Cuda,
    driver: Arc<CudaDevice>,
    held: Held,
}

thread_local! {
    /// The GPU this thread opened: dfdx's handle cannot leave its thread.
    static OPENED: RefCell<Option<Opened>> = const { RefCell::new(None) };
}

/// Networks on one GPU.
pub(super) struct CudaNetworks {
    index: usize,
    most: usize,
    /// Bytes of a member, and the largest pack of such members that may still be tried.
    limits: Mutex<BTreeMap<u64, usize>>,
}

impl CudaNetworks {
    /// Makes sure that the GPU of the given index is there.
    pub(super) fn open(index: usize, most: Option<NonZeroUsize>) -> Result<Self, EngineError> {
        opened(index)?;
        let most = most.map_or(pack::MOST, NonZeroUsize::get);
        Ok(Self { index, most, limits: Mutex::new(BTreeMap::new()) })
    }

    fn network(&self, jobs: &[TrainJob<'_>]) -> Result<PortableNetwork<Cuda>, EngineError> {
        if jobs[0].settings.train.precision == Precision::Bf16 {
            return Err(EngineError::Unsupported(
                "`train.precision = \"bf16\"` is not available on a GPU; use \"auto\" or \"f32\""
                    .to_owned(),
            ));
        }
        let gpu = opened(self.index)?;
        let source = KernelSource::new(gpu.dfdx.clone(), gpu.driver, gpu.held)?;
        Ok(PortableNetwork::of_jobs(gpu.dfdx, jobs)?.with_source(Box::new(source)))
    }
}

fn opened(index: usize) -> Result<Opened, EngineError> {
    OPENED.with_borrow_mut(|opened| match opened {
        Some(gpu) if gpu.index == index => Ok(gpu.clone()),
        _ => {
            let failed = |error: &dyn std::fmt::Debug| {
                EngineError::Device(format!("cannot open `cuda:{index}`: {error:?}"))
            };
            // What `CudaDevice::new` would panic on.
            result::init().map_err(|error| failed(&error))?;
            let count = CudaDevice::count().map_err(|error| failed(&error))?;
            if !usize::try_from(count).is_ok_and(|count| index < count) {
                return Err(EngineError::Device(format!(
                    "there is no `cuda:{index}`: the driver knows {count} GPUs"
                )));
            }
            let driver = CudaDevice::new(index).map_err(|error| failed(&error))?;
            let dfdx = Cuda::try_build(index, 0).map_err(|error| failed(&error))?;
            let gpu = Opened { index, dfdx, driver, held: Held::default() };
            Ok(opened.insert(gpu).clone())
        }
    })
}

/// Returns the free bytes of a GPU.
fn free_bytes(index: usize) -> Result<u64, EngineError> {
    let failed = |error| EngineError::Device(format!("cannot ask for free memory: {error:?}"));
    let gpu = opened(index)?;
    gpu.driver.bind_to_thread().map_err(failed)?;
    let (free, _) = result::mem_get_info().map_err(failed)?;
    Ok(free as u64)
}

impl Networks for CudaNetworks {
    fn description(&self) -> String {
        format!("cuda:{}, packs of portable f32", self.index)
    }

    fn capacity(&self, job: &TrainJob<'_>) -> usize {
        let (Ok(bytes), Ok(free)) = (working_bytes(job), free_bytes(self.index)) else { return 1 };
        let limits = self.limits.lock().unwrap_or_else(PoisonError::into_inner);
        let limit = limits.get(&bytes).copied().unwrap_or(self.most);
        pack::fitting(free, bytes * BYTES_PER_COUNTED).min(limit).min(self.most)
    }

    fn was_too_much(&self, job: &TrainJob<'_>, members: usize) {
        let Ok(bytes) = working_bytes(job) else { return };
        let mut limits = self.limits.lock().unwrap_or_else(PoisonError::into_inner);
        let limit = limits.entry(bytes).or_insert(self.most);
        *limit = (*limit).min(members.div_ceil(2));
    }

    fn workers(&self) -> Option<usize> {
        Some(1)
    }

    fn train(
        &self,
        jobs: &[TrainJob<'_>],
        observers: &mut [&mut dyn EpochObserver],
    ) -> Vec<Result<TrainOutput, EngineError>> {
        match self.network(jobs) {
            Ok(mut network) => training::train(&mut network, jobs, observers),
            Err(error) => shared(error, jobs.len()),
        }
    }

    fn predict(
        &self,
        job: &TrainJob<'_>,
        indices: &[u32],
        weights: &[NamedTensor],
    ) -> Result<LogProbabilities, EngineError> {
        let mut network = self.network(std::slice::from_ref(job))?;
        training::predict_with(&mut network, job, indices, weights)
    }
}
