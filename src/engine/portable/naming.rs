//! Packed weights under the names and layouts of files ([`crate::engine::weights`]).

use super::plan::{WeightKind, WeightPlan};
use crate::engine::EngineError;
use crate::engine::weights::{NamedTensor, find};

/// Splits the values of one weight of one model into tensors with the names of files.
pub(super) fn named(weight: &WeightPlan, values: &[f32]) -> Vec<NamedTensor> {
    let name = |role: &str| format!("{}.{role}", weight.prefix);
    match &weight.kind {
        WeightKind::PerChannel(role) => {
            vec![NamedTensor::new(name(role), vec![weight.rows], values.to_vec())]
        }
        WeightKind::Rows { shape, bias: false } => {
            vec![NamedTensor::new(name("weight"), shape.clone(), values.to_vec())]
        }
        WeightKind::Rows { shape, bias: true } => {
            let (mut weights, mut biases) = (Vec::new(), Vec::new());
            for row in values.chunks_exact(weight.columns) {
                weights.extend_from_slice(&row[..weight.columns - 1]);
                biases.push(row[weight.columns - 1]);
            }
            vec![
                NamedTensor::new(name("weight"), shape.clone(), weights),
                NamedTensor::new(name("bias"), vec![weight.rows], biases),
            ]
        }
    }
}

/// Joins named tensors to the values of one weight of one model.
pub(super) fn joined(
    weight: &WeightPlan,
    tensors: &[NamedTensor],
) -> Result<Vec<f32>, EngineError> {
    let name = |role: &str| format!("{}.{role}", weight.prefix);
    match &weight.kind {
        WeightKind::PerChannel(role) => {
            Ok(find(tensors, &name(role), &[weight.rows])?.values.clone())
        }
        WeightKind::Rows { shape, bias } => {
            let weights = &find(tensors, &name("weight"), shape)?.values;
            if !bias {
                return Ok(weights.clone());
            }
            let biases = &find(tensors, &name("bias"), &[weight.rows])?.values;
            let rows = weights.chunks_exact(weight.columns - 1).zip(biases);
            Ok(rows.flat_map(|(row, bias)| row.iter().chain([bias]).copied()).collect())
        }
    }
}
