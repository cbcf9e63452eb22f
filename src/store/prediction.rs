//! Predictions of one member as a safetensors file.
//!
//! Probabilities are stored as 16-bit floats. Rounding never changes a prediction: where it would
//! make another class win, the winner is moved up by one step. The file has no checksum of its own;
//! the journal holds it. A file that is missing or does not match is as good as absent: the member
//! is trained again when a trial needs it.

use std::collections::HashMap;

use half::f16;
use half::slice::HalfFloatSliceExt;
use safetensors::tensor::TensorView;
use safetensors::{Dtype, SafeTensorError, SafeTensors};

use crate::base::Digest;
use crate::record::{Predictions, Probabilities};

/// Format version of prediction files.
const VERSION: u32 = 1;
const VERSION_KEY: &str = "gridbench-predictions";

/// Why a prediction file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum PredictionsError {
    /// It cannot be read, mostly because it is not there.
    #[error("cannot read `{path}`")]
    Read {
        /// The file.
        path: String,
        /// The operating system's answer.
        #[source]
        source: std::io::Error,
    },
    /// The journal names no predictions for this member.
    #[error("the journal names no predictions for it")]
    Unknown,
    /// Its content is not what the journal says.
    #[error("its checksum is {found}, the journal says {expected}")]
    Checksum {
        /// Of the file.
        found: Digest,
        /// In the journal.
        expected: Digest,
    },
    /// It is not a safetensors file.
    #[error("not a safetensors file")]
    Format(#[from] SafeTensorError),
    /// A tensor or the version is not what this build reads.
    #[error("{0}")]
    Content(String),
}

/// Returns the bytes of a prediction file; equal predictions give equal bytes.
pub(super) fn encode_predictions(predictions: &Predictions) -> Vec<u8> {
    let (validation, test) = (halves(&predictions.validation), halves(&predictions.test));
    let validation_labels = words(&predictions.validation_labels);
    let test_labels = words(&predictions.test_labels);
    let matrix = |source: &Probabilities| vec![source.images(), source.classes];
    let tensors = [
        ("test", Dtype::F16, matrix(&predictions.test), &test),
        ("test-labels", Dtype::U16, vec![predictions.test_labels.len()], &test_labels),
        ("validation", Dtype::F16, matrix(&predictions.validation), &validation),
        (
            "validation-labels",
            Dtype::U16,
            vec![predictions.validation_labels.len()],
            &validation_labels,
        ),
    ]
    .map(|(name, kind, shape, bytes)| {
        (name, TensorView::new(kind, shape, bytes).expect("the shape is that of the bytes"))
    });
    // One key only: the order of several would differ from run to run.
    let metadata = HashMap::from([(VERSION_KEY.to_owned(), VERSION.to_string())]);
    safetensors::serialize(tensors, Some(metadata)).expect("names are distinct and sizes fit")
}

/// Reads the bytes of a prediction file.
pub(super) fn decode_predictions(bytes: &[u8]) -> Result<Predictions, PredictionsError> {
    let (_, header) = SafeTensors::read_metadata(bytes)?;
    let version = header.metadata().as_ref().and_then(|metadata| metadata.get(VERSION_KEY));
    match version.and_then(|text| text.parse::<u32>().ok()) {
        Some(found) if found <= VERSION => {}
        found => {
            let found = found.map_or("none".to_owned(), |found| found.to_string());
            let problem = format!("format version {found}, this `bench` reads up to {VERSION}");
            return Err(PredictionsError::Content(problem));
        }
    }
    let tensors = SafeTensors::deserialize(bytes)?;
    let predictions = Predictions {
        validation: matrix(&tensors, "validation")?,
        validation_labels: labels(&tensors, "validation-labels")?,
        test: matrix(&tensors, "test")?,
        test_labels: labels(&tensors, "test-labels")?,
    };
    for (probabilities, labels) in [
        (&predictions.validation, &predictions.validation_labels),
        (&predictions.test, &predictions.test_labels),
    ] {
        if probabilities.images() != labels.len() {
            return Err(PredictionsError::Content(format!(
                "{} rows of probabilities but {} labels",
                probabilities.images(),
                labels.len()
            )));
        }
    }
    Ok(predictions)
}

fn halves(probabilities: &Probabilities) -> Vec<u8> {
    let mut rounded = vec![f16::ZERO; probabilities.values.len()];
    rounded.convert_from_f32_slice(&probabilities.values);
    let classes = probabilities.classes.max(1);
    for (row, exact) in rounded.chunks_exact_mut(classes).zip(probabilities.rows()) {
        keep_winner(row, exact);
    }
    rounded.iter().flat_map(|value| value.to_le_bytes()).collect()
}

/// Makes the first largest value of `row` the one of `exact`.
fn keep_winner(row: &mut [f16], exact: &[f32]) {
    let (winner, loser) = (first_largest(exact), first_largest(row));
    if winner != loser && row[winner].is_finite() {
        row[winner] = f16::from_bits(row[loser].to_bits() + 1);
    }
}

fn first_largest<T: PartialOrd>(values: &[T]) -> usize {
    let mut best = 0;
    for (place, value) in values.iter().enumerate() {
        if *value > values[best] {
            best = place;
        }
    }
    best
}

fn words(labels: &[u16]) -> Vec<u8> {
    labels.iter().flat_map(|label| label.to_le_bytes()).collect()
}

fn tensor<'a>(
    tensors: &SafeTensors<'a>,
    name: &str,
    kind: Dtype,
) -> Result<(Vec<usize>, &'a [u8]), PredictionsError> {
    let view = tensors.tensor(name)?;
    if view.dtype() != kind {
        let problem = format!("tensor `{name}` is {:?}, expected {kind:?}", view.dtype());
        return Err(PredictionsError::Content(problem));
    }
    Ok((view.shape().to_vec(), view.data()))
}

fn matrix(tensors: &SafeTensors<'_>, name: &str) -> Result<Probabilities, PredictionsError> {
    let (shape, bytes) = tensor(tensors, name, Dtype::F16)?;
    let [_, classes] = shape[..] else {
        let problem = format!("tensor `{name}` has {} dimensions, expected 2", shape.len());
        return Err(PredictionsError::Content(problem));
    };
    let values =
        bytes.chunks_exact(2).map(|pair| f16::from_le_bytes([pair[0], pair[1]]).to_f32()).collect();
    Ok(Probabilities { classes, values })
}

fn labels(tensors: &SafeTensors<'_>, name: &str) -> Result<Vec<u16>, PredictionsError> {
    let (_, bytes) = tensor(tensors, name, Dtype::U16)?;
    Ok(bytes.chunks_exact(2).map(|pair| u16::from_le_bytes([pair[0], pair[1]])).collect())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn example() -> Predictions {
        Predictions {
            validation: Probabilities { classes: 2, values: vec![0.25, 0.75] },
            validation_labels: vec![1],
            test: Probabilities { classes: 2, values: vec![1.0, 0.0, 0.5, 0.5] },
            test_labels: vec![0, 1],
        }
    }

    #[test]
    fn predictions_that_half_precision_holds_survive_exactly() {
        let bytes = encode_predictions(&example());
        assert_eq!(decode_predictions(&bytes).unwrap(), example());
        assert_eq!(bytes, encode_predictions(&example()));
    }

    #[test]
    fn a_member_without_validation_images_is_stored_too() {
        let predictions = Predictions {
            validation: Probabilities::default(),
            validation_labels: vec![],
            ..example()
        };
        let back = decode_predictions(&encode_predictions(&predictions)).unwrap();
        assert_eq!(back.validation.images(), 0);
        assert_eq!(back.test, predictions.test);
    }

    #[test]
    fn every_cut_of_a_file_is_refused_without_a_panic() {
        let bytes = encode_predictions(&example());
        for end in 0..bytes.len() {
            assert!(decode_predictions(&bytes[..end]).is_err(), "cut at {end}");
        }
    }

    #[test]
    fn a_later_version_is_refused_with_both_versions_named() {
        let mut bytes = encode_predictions(&example());
        let place = bytes.windows(3).position(|window| window == b"\"1\"").unwrap();
        bytes[place + 1] = b'7';
        let message = decode_predictions(&bytes).unwrap_err().to_string();
        assert_eq!(message, "format version 7, this `bench` reads up to 1");
    }

    proptest! {
        #[test]
        fn rounding_never_changes_which_class_wins(
            values in prop::collection::vec(1.0e-6f32..1.0, 12),
            near in 0.0f32..0.5,
        ) {
            // Probabilities sum to one: two of them are never both near one.
            let mut values = values;
            for row in values.chunks_exact_mut(4) {
                let total: f32 = row.iter().sum();
                for value in row {
                    *value /= total;
                }
            }
            // The second row differs by less than a half-precision step, the hard case.
            for (place, value) in values[4..8].iter_mut().enumerate() {
                *value = near + [0.0, 1e-7, 1e-6, 3e-5][place];
            }
            let probabilities = Probabilities { classes: 4, values };
            let predictions = Predictions {
                test_labels: vec![0; 3],
                test: probabilities.clone(),
                ..Predictions::default()
            };
            let back = decode_predictions(&encode_predictions(&predictions)).unwrap();
            for (stored, exact) in back.test.rows().zip(probabilities.rows()) {
                prop_assert_eq!(first_largest(stored), first_largest(exact));
                for (stored, exact) in stored.iter().zip(exact) {
                    prop_assert!((stored - exact).abs() <= 1.0e-3);
                }
            }
        }
    }
}
