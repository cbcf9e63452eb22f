//! Networks of stock dfdx operations on any of its devices: the CUDA path, and the reference that
//! other paths are held against.

mod capsules;
mod constants;
mod forward;
mod host;
mod naming;
mod network;
mod ops;
mod optimizer;
mod plan;
mod rows;
mod source;
mod spare;
mod tally;
#[cfg(test)]
mod tests;
mod uploads;

pub(crate) use network::PortableNetwork;
pub(crate) use ops::Backend;
#[cfg(feature = "cuda")]
pub(crate) use ops::{Packed, stock};
#[cfg(feature = "cuda")]
pub(crate) use rows::Rows;
#[cfg(feature = "cuda")]
pub(crate) use source::Source;

#[cfg(any(test, feature = "cuda"))]
use super::{EngineError, TrainJob};

/// What a training takes of a device, for one member of a pack.
#[cfg(any(test, feature = "cuda"))]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Footprint {
    /// Bytes at the peak of a step.
    pub(crate) bytes: u64,
    /// Values of the largest tensor.
    pub(crate) largest_tensor: u64,
}

#[cfg(any(test, feature = "cuda"))]
impl Footprint {
    /// Computes the footprint of a job from its shapes.
    ///
    /// # Errors
    /// If the layers do not fit the images.
    pub(crate) fn of(job: &TrainJob<'_>) -> Result<Self, EngineError> {
        use crate::experiment::architecture::Architecture;
        let shape = job.dataset.shape;
        let image = (shape.height, shape.width, shape.channels);
        let layers = &job.settings.model.layers;
        let architecture = Architecture::of(layers, image, job.dataset.classes.len())?;
        let plan = plan::Plan::<dfdx::tensor::Cpu>::new(layers, &architecture);
        let (batch, optimizer) = (job.largest_batch(), &job.settings.train.optimizer);
        Ok(Self {
            bytes: plan.working_bytes(batch, optimizer::memories(optimizer)),
            largest_tensor: plan.largest_tensor(batch),
        })
    }
}
