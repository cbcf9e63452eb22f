//! Networks of stock dfdx operations on any of its devices: the CUDA path, and the reference that
//! other paths are held against.

mod capsules;
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
#[cfg(feature = "cuda")]
pub(crate) use ops::{Backend, Packed};
#[cfg(feature = "cuda")]
pub(crate) use source::Source;

#[cfg(any(test, feature = "cuda"))]
use super::{EngineError, TrainJob};

/// Returns the bytes a training takes at the peak of a step, one member of a pack.
///
/// # Errors
/// If the layers do not fit the images.
#[cfg(any(test, feature = "cuda"))]
pub(crate) fn working_bytes(job: &TrainJob<'_>) -> Result<u64, EngineError> {
    use crate::spec::architecture::Architecture;
    let shape = job.dataset.shape;
    let image = (shape.height, shape.width, shape.channels);
    let layers = &job.settings.model.layers;
    let architecture = Architecture::of(layers, image, job.dataset.classes.len())?;
    let plan = plan::Plan::<dfdx::tensor::Cpu>::new(layers, &architecture);
    Ok(plan.working_bytes(job.largest_batch(), optimizer::memories(&job.settings.train.optimizer)))
}
