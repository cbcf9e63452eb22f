//! Predictions of one member as a safetensors file.
//!
//! Logarithms of probabilities are stored as 32-bit floats, so that losses can be taken of them.
//! Files of version 1 hold 16-bit probabilities; they are read and marked as such. The file has no
//! checksum of its own; the journal holds it. A file that is missing or does not match is as good as
//! absent: the member is trained again when a trial needs it.

use std::collections::HashMap;

use half::f16;
use safetensors::tensor::TensorView;
use safetensors::{Dtype, SafeTensorError, SafeTensors};

use crate::base::Digest;
use crate::record::{LogProbabilities, PredictionPrecision, Predictions};

/// Format version of prediction files.
const VERSION: u32 = 2;
const VERSION_KEY: &str = "gridbench-predictions";

/// Smallest probability of a file of version 1: its losses were taken as if none were below it.
const SMALLEST_HALF: f32 = 1e-7;

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
    let (validation, test) = (floats(&predictions.validation), floats(&predictions.test));
    let validation_labels = words(&predictions.validation_labels);
    let test_labels = words(&predictions.test_labels);
    let matrix = |source: &LogProbabilities| vec![source.images(), source.classes];
    let tensors = [
        ("test", Dtype::F32, matrix(&predictions.test), &test),
        ("test-labels", Dtype::U16, vec![predictions.test_labels.len()], &test_labels),
        ("validation", Dtype::F32, matrix(&predictions.validation), &validation),
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
    let precision = match version.and_then(|text| text.parse::<u32>().ok()) {
        Some(1) => PredictionPrecision::Half,
        Some(VERSION) => PredictionPrecision::Single,
        found => {
            let found = found.map_or("none".to_owned(), |found| found.to_string());
            let problem = format!("format version {found}, this `bench` reads up to {VERSION}");
            return Err(PredictionsError::Content(problem));
        }
    };
    let tensors = SafeTensors::deserialize(bytes)?;
    let predictions = Predictions {
        validation: matrix(&tensors, "validation", precision)?,
        validation_labels: labels(&tensors, "validation-labels")?,
        test: matrix(&tensors, "test", precision)?,
        test_labels: labels(&tensors, "test-labels")?,
        precision,
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

fn floats(logs: &LogProbabilities) -> Vec<u8> {
    logs.values.iter().flat_map(|value| value.to_le_bytes()).collect()
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

fn matrix(
    tensors: &SafeTensors<'_>,
    name: &str,
    precision: PredictionPrecision,
) -> Result<LogProbabilities, PredictionsError> {
    let kind = match precision {
        PredictionPrecision::Single => Dtype::F32,
        PredictionPrecision::Half => Dtype::F16,
    };
    let (shape, bytes) = tensor(tensors, name, kind)?;
    let [_, classes] = shape[..] else {
        let problem = format!("tensor `{name}` has {} dimensions, expected 2", shape.len());
        return Err(PredictionsError::Content(problem));
    };
    let single = |four: &[u8]| f32::from_le_bytes([four[0], four[1], four[2], four[3]]);
    let half = |two: &[u8]| f16::from_le_bytes([two[0], two[1]]).to_f32().max(SMALLEST_HALF).ln();
    let values = match precision {
        PredictionPrecision::Single => bytes.chunks_exact(4).map(single).collect(),
        PredictionPrecision::Half => bytes.chunks_exact(2).map(half).collect(),
    };
    Ok(LogProbabilities { classes, values })
}

fn labels(tensors: &SafeTensors<'_>, name: &str) -> Result<Vec<u16>, PredictionsError> {
    let (_, bytes) = tensor(tensors, name, Dtype::U16)?;
    Ok(bytes.chunks_exact(2).map(|pair| u16::from_le_bytes([pair[0], pair[1]])).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn example() -> Predictions {
        Predictions {
            validation: LogProbabilities { classes: 2, values: vec![-1e-9, -20.7] },
            validation_labels: vec![1],
            test: LogProbabilities { classes: 2, values: vec![0.0, f32::MIN, -0.7, -0.7] },
            test_labels: vec![0, 1],
            precision: PredictionPrecision::Single,
        }
    }

    #[test]
    fn predictions_survive_exactly() {
        let bytes = encode_predictions(&example());
        assert_eq!(decode_predictions(&bytes).unwrap(), example());
        assert_eq!(bytes, encode_predictions(&example()));
    }

    #[test]
    fn a_member_without_validation_images_is_stored_too() {
        let predictions = Predictions {
            validation: LogProbabilities::default(),
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
        let place = bytes.windows(3).position(|window| window == b"\"2\"").unwrap();
        bytes[place + 1] = b'7';
        let message = decode_predictions(&bytes).unwrap_err().to_string();
        assert_eq!(message, "format version 7, this `bench` reads up to 2");
    }
}
