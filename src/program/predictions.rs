//! What a program predicts: `predictions.npy` in its output folder, and `predictions-validation.npy`.
//!
//! Class probabilities of the test and validation images of the experiment's dataset, one row per image, in the
//! order of `splits.json`. NumPy's format is simple and everywhere: a header that says kind and shape, then
//! the numbers (<https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html>).

use std::fs;
use std::io;
use std::path::Path;

use super::ProgramEngine;
use super::call::{Told, Verdict};
use crate::data::Dataset;
use crate::engine::TrainOutput;
use crate::record::{LogProbabilities, Outcome, Predictions};

/// Name of the file with predictions of the test images.
const TEST: &str = "predictions.npy";
/// Name of the file with those of the validation images.
const VALIDATION: &str = "predictions-validation.npy";
/// How far the sum of a row may be off 1.
const TOLERANCE: f64 = 1e-3;
/// Bytes of a file that are read.
const MAX_BYTES: u64 = 4 << 30;

impl ProgramEngine<'_> {
    /// Writes which image is whose, where there are images.
    pub(super) fn write_splits(told: &Told<'_>) -> io::Result<()> {
        if told.job.dataset.is_empty() {
            return Ok(());
        }
        let splits = told.job.splits;
        told.workspace.write_splits(&serde_json::json!({
            "train": splits.train,
            "validation": splits.validation,
            "test": splits.test,
        }))
    }

    /// Reads what a program predicted that ended well; what is wrong with it makes the trial fail.
    pub(super) fn predicted(told: &Told<'_>, verdict: &mut Verdict) -> Option<Predictions> {
        verdict.as_ref().ok()?;
        match Self::predictions(told) {
            Ok(predictions) => predictions,
            Err(reason) => {
                *verdict = Err((Outcome::Failed, reason));
                None
            }
        }
    }

    /// Reads what a program predicted; nothing where it wrote no predictions, or there are no images to
    /// predict.
    ///
    /// # Errors
    /// Says what is wrong with them.
    fn predictions(told: &Told<'_>) -> Result<Option<Predictions>, String> {
        let (dataset, splits) = (told.job.dataset, told.job.splits);
        if dataset.is_empty() {
            return Ok(None);
        }
        let of = |name: &str, images: &[u32]| read(&told.workspace.output(), name, dataset, images);
        let Some(test) = of(TEST, &splits.test)? else { return Ok(None) };
        let labels = |images: &[u32]| -> Vec<u16> {
            images.iter().map(|&image| dataset.labels[image as usize]).collect()
        };
        let validation = of(VALIDATION, &splits.validation)?;
        if validation.is_none() && !splits.validation.is_empty() {
            return Err(format!(
                "there is `{TEST}` and no `{VALIDATION}`, expected both where images are held out for validation"
            ));
        }
        Ok(Some(Predictions {
            validation: validation.unwrap_or_default(),
            validation_labels: labels(&splits.validation),
            test,
            test_labels: labels(&splits.test),
            ..Predictions::default()
        }))
    }
}

/// Adds predictions to what came of a trial that completed.
pub(super) fn with_predictions(
    output: TrainOutput,
    predictions: Option<Predictions>,
) -> TrainOutput {
    let predictions = predictions.filter(|_| output.outcome == Outcome::Completed);
    TrainOutput { predictions, ..output }
}

fn read(
    folder: &Path,
    name: &str,
    dataset: &Dataset,
    images: &[u32],
) -> Result<Option<LogProbabilities>, String> {
    let path = folder.join(name);
    let size = match fs::symlink_metadata(&path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(format!("`{name}` cannot be read: {error}")),
        Ok(facts) if !facts.is_file() => return Err(format!("`{name}` is no regular file")),
        Ok(facts) => facts.len(),
    };
    if size > MAX_BYTES {
        return Err(format!("`{name}` has {size} bytes, at most {MAX_BYTES} are read"));
    }
    let bytes = fs::read(&path).map_err(|error| format!("`{name}` cannot be read: {error}"))?;
    let (rows, columns, values) = parse(&bytes).map_err(|problem| format!("`{name}` {problem}"))?;
    let classes = dataset.classes.len();
    if (rows, columns) != (images.len(), classes) {
        return Err(format!(
            "`{name}` has {rows} rows of {columns} values, expected {} images of {classes} classes, in the order of \
             `splits.json`",
            images.len()
        ));
    }
    for (row, values) in values.chunks_exact(columns.max(1)).enumerate() {
        let sum: f64 = values.iter().sum();
        let is_sound = values.iter().all(|value| *value >= 0.0) && (sum - 1.0).abs() <= TOLERANCE;
        if !is_sound {
            return Err(format!(
                "row {row} of `{name}` sums to {sum}, expected probabilities, which are not negative and sum to 1; \
                 logits are made so by a softmax"
            ));
        }
    }
    let values = values.into_iter().map(|value| value as f32);
    Ok(Some(LogProbabilities::of_probabilities(columns, values)))
}

/// Reads a table of numbers in NumPy's format: rows, columns, and values row by row.
fn parse(bytes: &[u8]) -> Result<(usize, usize, Vec<f64>), String> {
    let broken = || "is no file of NumPy's format".to_owned();
    let rest = bytes.strip_prefix(b"\x93NUMPY").ok_or_else(broken)?;
    let (&[major, _], rest) = rest.split_first_chunk::<2>().ok_or_else(broken)?;
    let (length, rest) = if major == 1 {
        let (length, rest) = rest.split_first_chunk::<2>().ok_or_else(broken)?;
        (usize::from(u16::from_le_bytes(*length)), rest)
    } else {
        let (length, rest) = rest.split_first_chunk::<4>().ok_or_else(broken)?;
        (u32::from_le_bytes(*length) as usize, rest)
    };
    let (header, data) = rest.split_at_checked(length).ok_or_else(broken)?;
    let header = String::from_utf8_lossy(header);
    let after =
        |key: &str| header.split_once(key).map(|(_, rest)| rest.trim_start_matches([':', ' ']));
    let kind = after("'descr'").and_then(|rest| rest.split('\'').nth(1)).ok_or_else(broken)?;
    if after("'fortran_order'").is_none_or(|rest| !rest.starts_with("False")) {
        return Err("is written column by column; `numpy.ascontiguousarray` turns it".to_owned());
    }
    let shape = after("'shape'").and_then(|rest| rest.strip_prefix('(')?.split_once(')'));
    let shape: Vec<usize> = shape
        .ok_or_else(broken)?
        .0
        .split(',')
        .filter(|size| !size.trim().is_empty())
        .map(|size| size.trim().parse().map_err(|_| broken()))
        .collect::<Result<_, _>>()?;
    let &[rows, columns] = shape.as_slice() else {
        return Err(format!("has {} dimensions, expected 2: images and classes", shape.len()));
    };
    let values: Vec<f64> = match kind {
        "<f4" => {
            let parts = data.as_chunks::<4>().0.iter();
            parts.map(|part| f64::from(f32::from_le_bytes(*part))).collect()
        }
        "<f8" => data.as_chunks::<8>().0.iter().map(|part| f64::from_le_bytes(*part)).collect(),
        other => return Err(format!("holds `{}`, expected `<f4` or `<f8`", other.escape_debug())),
    };
    let size = if kind == "<f4" { 4 } else { 8 };
    let is_whole = rows.checked_mul(columns).and_then(|count| count.checked_mul(size));
    if is_whole != Some(data.len()) {
        return Err(format!(
            "has {} bytes of numbers, which are not {rows} × {columns}",
            data.len()
        ));
    }
    Ok((rows, columns, values))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `numpy.save` of `np.array([[0.25, 0.75], [1, 0]], dtype="<f4")`, NumPy 2.
    const SAVED: &[u8] = b"\x93NUMPY\x01\x00v\x00{'descr': '<f4', 'fortran_order': False, 'shape': (2, 2), }                                                          \n\x00\x00\x80>\x00\x00@?\x00\x00\x80?\x00\x00\x00\x00";

    #[test]
    fn what_numpy_saves_is_read() {
        assert_eq!(parse(SAVED), Ok((2, 2, vec![0.25, 0.75, 1.0, 0.0])));
    }

    #[test]
    fn what_is_no_table_of_numbers_is_refused() {
        let changed = |from: &str, to: &str| {
            let text: Vec<u8> = SAVED.to_vec();
            let at = text.windows(from.len()).position(|part| part == from.as_bytes()).unwrap();
            [&text[..at], to.as_bytes(), &text[at + from.len()..]].concat()
        };
        let said = |bytes: &[u8]| parse(bytes).unwrap_err();
        assert!(said(b"PK\x03\x04").contains("NumPy's format"));
        assert!(said(&SAVED[..40]).contains("NumPy's format"));
        assert!(said(&SAVED[..SAVED.len() - 1]).contains("15 bytes of numbers"));
        assert!(said(&changed("<f4", "<i8")).contains("`<i8`, expected"));
        assert!(said(&changed("False", "True ")).contains("column by column"));
        assert!(said(&changed("(2, 2)", "(4,)  ")).contains("1 dimensions"));
        assert!(said(&changed("(2, 2)", "(2, 3)")).contains("not 2 × 3"));
        assert!(said(&changed("(2, 2)", "(9999999999999999999,2)")).contains("bytes of numbers"));
    }
}
