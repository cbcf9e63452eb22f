//! Weights by name, and their safetensors form.
//!
//! Names and layouts are torch's, so that files mean the same to every path and to other tools:
//! `layer03.conv.weight` is `(filters, channels, kernel, kernel)`, `layer07.dense.weight` is
//! `(units, features)` with features in channel, row, column order, and the four vectors of a
//! batch normalisation are `(channels)`. Layers count from 1.

use std::collections::HashMap;

use safetensors::tensor::{Dtype, SafeTensors, TensorView, serialize};

/// Version written into every file; readers refuse what they do not know.
const FORMAT: &str = "gridbench-weights-1";

/// One tensor of 32-bit floats in row-major order.
#[derive(Debug, Clone, PartialEq)]
pub struct NamedTensor {
    /// Where it belongs, for example `layer01.conv.bias`.
    pub name: String,
    /// Sizes, slowest first.
    pub shape: Vec<usize>,
    /// As many values as the sizes multiply to.
    pub values: Vec<f32>,
}

impl NamedTensor {
    /// Builds a tensor.
    ///
    /// # Panics
    /// If the number of values is not the product of the sizes.
    pub(crate) fn new(name: impl Into<String>, shape: Vec<usize>, values: Vec<f32>) -> Self {
        assert_eq!(shape.iter().product::<usize>(), values.len(), "values fill the shape");
        Self { name: name.into(), shape, values }
    }
}

/// Says why bytes are not weights.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WeightsError {
    /// Not a safetensors file, or cut short.
    #[error("not a safetensors file: {0}")]
    Unreadable(String),
    /// A safetensors file of another kind or a later version.
    #[error("format `{found}`, expected `{FORMAT}`; write it again with this version of bench")]
    Format {
        /// What the file says it is.
        found: String,
    },
    /// A file that is not as it was written.
    #[error("the file was changed since it was written: {0}; export it again")]
    Changed(String),
    /// Weights that do not say of which network they are.
    #[error("the file has no model card; write it with `bench export`")]
    NoCard,
    /// A tensor of another number type.
    #[error("tensor `{name}` holds {found}, expected F32")]
    Dtype {
        /// The tensor.
        name: String,
        /// Its number type.
        found: String,
    },
    /// A weight is NaN or infinite.
    #[error(
        "tensor `{name}` holds {value}, expected finite weights: the training diverged, or the file is damaged"
    )]
    NotFinite {
        /// The tensor.
        name: String,
        /// The value, as text.
        value: String,
    },
    /// A number that no fit gives.
    #[error("tensor `{name}` holds {value}, which no fit gives: the file is damaged")]
    Impossible {
        /// The tensor.
        name: String,
        /// The value, as text.
        value: String,
    },
    /// A tensor the network needs is not there.
    #[error("tensor `{name}` is missing: the weights are of another network")]
    Missing {
        /// The tensor.
        name: String,
    },
    /// A tensor has another shape than the network's.
    #[error(
        "tensor `{name}` has shape {found:?}, expected {expected:?}: the weights are of another network"
    )]
    Shape {
        /// The tensor.
        name: String,
        /// Its shape.
        found: Vec<usize>,
        /// The network's.
        expected: Vec<usize>,
    },
}

/// Finds a tensor by name and checks its shape.
///
/// # Errors
/// If it is missing or has another shape than `shape`.
pub(crate) fn find<'a>(
    tensors: &'a [NamedTensor],
    name: &str,
    shape: &[usize],
) -> Result<&'a NamedTensor, WeightsError> {
    let tensor = tensors
        .iter()
        .find(|tensor| tensor.name == name)
        .ok_or_else(|| WeightsError::Missing { name: name.to_owned() })?;
    if tensor.shape == shape {
        return Ok(tensor);
    }
    Err(WeightsError::Shape {
        name: name.to_owned(),
        found: tensor.shape.clone(),
        expected: shape.to_vec(),
    })
}

/// Makes sure that a network with these tensors computes numbers.
///
/// # Errors
/// If one of them is NaN or infinite.
pub(crate) fn all_finite(tensors: &[NamedTensor]) -> Result<(), WeightsError> {
    for NamedTensor { name, values, .. } in tensors {
        if let Some(value) = values.iter().find(|value| !value.is_finite()) {
            return Err(WeightsError::NotFinite { name: name.clone(), value: value.to_string() });
        }
    }
    Ok(())
}

/// Returns the tensors as the bytes of a safetensors file.
pub(crate) fn to_safetensors(tensors: &[NamedTensor]) -> Vec<u8> {
    encode(tensors.iter().map(|tensor| (tensor.name.as_str(), tensor)), FORMAT)
}

/// Reads the tensors of a safetensors file written by [`to_safetensors`], sorted by name.
///
/// # Errors
/// If the bytes are damaged, of another format or hold other numbers than 32-bit floats.
pub fn from_safetensors(bytes: &[u8]) -> Result<Vec<NamedTensor>, WeightsError> {
    decode(bytes, FORMAT)
}

/// Encodes tensors under the given names with a format mark.
pub(super) fn encode<'a>(
    tensors: impl Iterator<Item = (&'a str, &'a NamedTensor)>,
    format: &str,
) -> Vec<u8> {
    let stored: Vec<(&str, &[usize], Vec<u8>)> = tensors
        .map(|(name, tensor)| {
            let bytes = tensor.values.iter().flat_map(|value| value.to_le_bytes()).collect();
            (name, tensor.shape.as_slice(), bytes)
        })
        .collect();
    let views = stored.iter().map(|(name, shape, bytes)| {
        let view = TensorView::new(Dtype::F32, shape.to_vec(), bytes)
            .expect("a named tensor fills its shape");
        (*name, view)
    });
    let info = HashMap::from([("format".to_owned(), format.to_owned())]);
    serialize(views, Some(info)).expect("tensors in memory always serialise")
}

/// Decodes what [`encode`] wrote with the same format mark.
pub(super) fn decode(bytes: &[u8], format: &str) -> Result<Vec<NamedTensor>, WeightsError> {
    let unreadable =
        |error: safetensors::SafeTensorError| WeightsError::Unreadable(error.to_string());
    let (_, metadata) = SafeTensors::read_metadata(bytes).map_err(unreadable)?;
    let found = metadata.metadata().as_ref().and_then(|info| info.get("format"));
    if found.is_none_or(|found| found != format) {
        let found = found.map_or("none", String::as_str).to_owned();
        return Err(WeightsError::Format { found });
    }
    let file = SafeTensors::deserialize(bytes).map_err(unreadable)?;
    let mut tensors = file
        .iter()
        .map(|(name, view)| {
            if view.dtype() != Dtype::F32 {
                let found = format!("{:?}", view.dtype());
                return Err(WeightsError::Dtype { name: name.to_owned(), found });
            }
            let values = view
                .data()
                .chunks_exact(4)
                .map(|word| f32::from_le_bytes(word.try_into().expect("chunks of four bytes")))
                .collect();
            Ok(NamedTensor::new(name, view.shape().to_vec(), values))
        })
        .collect::<Result<Vec<_>, _>>()?;
    tensors.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(tensors)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn example() -> Vec<NamedTensor> {
        vec![
            NamedTensor::new("layer01.conv.bias", vec![2], vec![0.5, f32::MIN_POSITIVE]),
            NamedTensor::new("layer01.conv.weight", vec![2, 1, 1, 1], vec![-1.0, 3.25]),
        ]
    }

    #[test]
    fn weights_that_are_no_numbers_are_refused() {
        let mut tensors = example();
        assert_eq!(all_finite(&tensors), Ok(()));
        tensors[1].values[0] = f32::NAN;
        let error = all_finite(&tensors).unwrap_err().to_string();
        assert!(error.starts_with("tensor `layer01.conv.weight` holds NaN"), "{error}");
    }

    #[test]
    fn weights_survive_their_file_form_bit_for_bit() {
        assert_eq!(from_safetensors(&to_safetensors(&example())), Ok(example()));
    }

    #[test]
    fn the_same_weights_always_give_the_same_bytes() {
        assert_eq!(to_safetensors(&example()), to_safetensors(&example()));
    }

    #[test]
    fn a_file_cut_short_is_refused() {
        let bytes = to_safetensors(&example());
        assert!(matches!(
            from_safetensors(&bytes[..bytes.len() - 1]),
            Err(WeightsError::Unreadable(_))
        ));
        assert!(matches!(from_safetensors(b"abc"), Err(WeightsError::Unreadable(_))));
    }

    #[test]
    fn a_file_of_another_format_is_refused_by_name() {
        let bytes = encode(example().iter().map(|t| (t.name.as_str(), t)), "something-else");
        assert_eq!(
            from_safetensors(&bytes),
            Err(WeightsError::Format { found: "something-else".to_owned() })
        );
    }
}
