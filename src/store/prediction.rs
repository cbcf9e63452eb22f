//! Predictions of one member as a safetensors file.
//!
//! Logarithms of probabilities are stored as 32-bit floats, so that losses can be taken of them.
//! Files of version 1 hold 16-bit probabilities; they are read and marked as such. The file has no
//! checksum of its own; the journal holds it. A file that is missing or does not match is as good as
//! absent: the member is trained again when a trial needs it.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use half::f16;
use safetensors::tensor::TensorView;
use safetensors::{Dtype, SafeTensorError, SafeTensors};

use super::inside;
use super::parts::PartError;
use crate::base::{Digest, MemberId, digest_of};
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
    /// A part of a file of many members cannot be used.
    #[error(transparent)]
    Part(#[from] PartError),
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

/// Reads the bytes of a member's own file, as version 1 has them, and holds them against their
/// digest.
pub(super) fn read_file(
    folder: &Path,
    member: &MemberId,
    expected: &Digest,
) -> Result<Vec<u8>, PredictionsError> {
    let path = file_of(folder, member);
    let bytes = inside::read(&path)
        .map_err(|source| PredictionsError::Read { path: path.display().to_string(), source })?;
    let found = digest_of(&bytes);
    if found == *expected {
        Ok(bytes)
    } else {
        Err(PredictionsError::Checksum { found, expected: *expected })
    }
}

/// Returns the file that version 1 keeps the predictions of a member in.
pub(super) fn file_of(folder: &Path, member: &MemberId) -> PathBuf {
    folder.join("predictions").join(format!("{member}.safetensors"))
}

/// Returns the bytes of a prediction file; equal predictions give equal bytes. In half precision the
/// class that wins an image still does.
pub(super) fn encode_predictions(predictions: &Predictions, half: bool) -> Vec<u8> {
    let encode = if half { halves } else { floats };
    let kind = if half { Dtype::F16 } else { Dtype::F32 };
    let (validation, test) = (encode(&predictions.validation), encode(&predictions.test));
    let validation_labels = words(&predictions.validation_labels);
    let test_labels = words(&predictions.test_labels);
    let matrix = |source: &LogProbabilities| vec![source.images(), source.classes];
    let tensors = [
        ("test", kind, matrix(&predictions.test), &test),
        ("test-labels", Dtype::U16, vec![predictions.test_labels.len()], &test_labels),
        ("validation", kind, matrix(&predictions.validation), &validation),
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
    let tensors = SafeTensors::deserialize(bytes)?;
    let precision = match version.and_then(|text| text.parse::<u32>().ok()) {
        Some(1) => PredictionPrecision::Half,
        Some(VERSION) => match tensors.tensor("test").map(|test| test.dtype()) {
            Ok(Dtype::F16) => PredictionPrecision::HalfLogarithms,
            _ => PredictionPrecision::Single,
        },
        found => {
            let found = found.map_or("none".to_owned(), |found| found.to_string());
            let problem = format!("format version {found}, this `bench` reads up to {VERSION}");
            return Err(PredictionsError::Content(problem));
        }
    };
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

fn halves(logs: &LogProbabilities) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(2 * logs.values.len());
    let mut rounded = Vec::with_capacity(logs.classes);
    for row in logs.rows() {
        rounded.clear();
        rounded.extend(row.iter().map(|&log| f16::from_f32(log)));
        keep_winner(&mut rounded, row);
        bytes.extend(rounded.iter().flat_map(|value| value.to_le_bytes()));
    }
    bytes
}

/// Makes the first largest value of `row` the one of `exact`: rounding may have made an earlier one
/// its equal.
fn keep_winner(row: &mut [f16], exact: &[f32]) {
    let mut winner = 0;
    for (index, value) in exact.iter().enumerate() {
        if *value > exact[winner] {
            winner = index;
        }
    }
    let Some(&value) = row.get(winner) else { return };
    if value.is_infinite() && exact[winner].is_finite() {
        row[winner] = f16::MIN;
    }
    let below = match row[winner] {
        zero if zero.to_f32() >= 0.0 => -f16::MIN_POSITIVE_SUBNORMAL,
        value => f16::from_bits(value.to_bits() + 1),
    };
    for earlier in 0..winner {
        if row[earlier] >= row[winner] {
            row[earlier] = below;
        }
    }
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
        PredictionPrecision::Half | PredictionPrecision::HalfLogarithms => Dtype::F16,
    };
    let (shape, bytes) = tensor(tensors, name, kind)?;
    let [_, classes] = shape[..] else {
        let problem = format!("tensor `{name}` has {} dimensions, expected 2", shape.len());
        return Err(PredictionsError::Content(problem));
    };
    let single = |four: &[u8]| f32::from_le_bytes([four[0], four[1], four[2], four[3]]);
    let log = |two: &[u8]| f16::from_le_bytes([two[0], two[1]]).to_f32();
    let half = |two: &[u8]| f16::from_le_bytes([two[0], two[1]]).to_f32().max(SMALLEST_HALF).ln();
    let values = match precision {
        PredictionPrecision::Single => bytes.chunks_exact(4).map(single).collect(),
        PredictionPrecision::Half => bytes.chunks_exact(2).map(half).collect(),
        PredictionPrecision::HalfLogarithms => bytes.chunks_exact(2).map(log).collect(),
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
        let bytes = encode_predictions(&example(), false);
        assert_eq!(decode_predictions(&bytes).unwrap(), example());
        assert_eq!(bytes, encode_predictions(&example(), false));
    }

    #[test]
    fn a_member_without_validation_images_is_stored_too() {
        let predictions = Predictions {
            validation: LogProbabilities::default(),
            validation_labels: vec![],
            ..example()
        };
        let back = decode_predictions(&encode_predictions(&predictions, false)).unwrap();
        assert_eq!(back.validation.images(), 0);
        assert_eq!(back.test, predictions.test);
    }

    #[test]
    fn every_cut_of_a_file_is_refused_without_a_panic() {
        let bytes = encode_predictions(&example(), false);
        for end in 0..bytes.len() {
            assert!(decode_predictions(&bytes[..end]).is_err(), "cut at {end}");
        }
    }

    #[test]
    fn a_later_version_is_refused_with_both_versions_named() {
        let mut bytes = encode_predictions(&example(), false);
        let index = bytes.windows(3).position(|window| window == b"\"2\"").unwrap();
        bytes[index + 1] = b'7';
        let message = decode_predictions(&bytes).unwrap_err().to_string();
        assert_eq!(message, "format version 7, this `bench` reads up to 2");
    }

    #[test]
    fn half_precision_keeps_who_wins_and_three_digits() {
        // Differences that a 16-bit number does not hold, at both ends of the scale.
        let rows: [[f32; 3]; 5] = [
            [-1e-9, -0.9e-9, -30.0],
            [-2.000_01, -2.0, -2.000_02],
            [-70_000.0, -69_000.0, f32::NEG_INFINITY],
            [f32::NEG_INFINITY, f32::NEG_INFINITY, 0.0],
            [-std::f32::consts::LN_2, -std::f32::consts::LN_2, -20.0],
        ];
        let predictions = Predictions {
            test: LogProbabilities { classes: 3, values: rows.concat() },
            test_labels: vec![0; 5],
            ..Predictions::default()
        };
        let back = decode_predictions(&encode_predictions(&predictions, true)).unwrap();
        assert_eq!(back.precision, PredictionPrecision::HalfLogarithms);
        let first_largest = |row: &[f32]| {
            (0..3).fold(0, |best, index| if row[index] > row[best] { index } else { best })
        };
        for (stored, exact) in back.test.rows().zip(&rows) {
            assert_eq!(first_largest(stored), first_largest(exact), "{stored:?} of {exact:?}");
        }
        for (stored, exact) in back.test.rows().zip(&rows).skip(1).step_by(3) {
            let close =
                |(a, b): (&f32, &f32)| a.to_bits() == b.to_bits() || (a / b - 1.0).abs() < 1e-3;
            assert!(stored.iter().zip(exact).all(close), "{stored:?} of {exact:?}");
        }
        let exact = encode_predictions(&predictions, false);
        assert!(encode_predictions(&predictions, true).len() < exact.len());
    }
}
