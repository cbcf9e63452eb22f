//! Packed weights under the names and layouts of files ([`crate::engine::weights`]).

use super::plan::WeightPlan;
use crate::engine::EngineError;
use crate::engine::weights::{NamedTensor, find};

/// Gives the values of one weight of one model their name and shape.
pub(super) fn named(weight: &WeightPlan, values: Vec<f32>) -> NamedTensor {
    NamedTensor::new(weight.name.clone(), weight.shape.clone(), values)
}

/// Finds the values of one weight of one model.
pub(super) fn values_of<'a>(
    weight: &WeightPlan,
    tensors: &'a [NamedTensor],
) -> Result<&'a [f32], EngineError> {
    Ok(&find(tensors, &weight.name, &weight.shape)?.values)
}
