//! The baseline file: the samples a candidate is held against, and where they came from.

mod text;

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use super::sample::{CellSample, Source};
use crate::base::{Digest, Metric, MetricName, format};
use crate::experiment::value::Value;
use crate::results::looks_like;

const FORMAT: &str = format::BASELINE.name;
const VERSION: u32 = format::BASELINE.version;

/// Committed samples that candidates are held against.
///
/// Invariant: at least one cell, no cell twice for one metric, every cell with a value, every value
/// finite.
#[derive(Debug, Clone, PartialEq)]
pub struct Baseline {
    source: Source,
    cells: Vec<CellSample>,
    /// False for files of version 1, whose values of axes are texts whatever they were.
    is_typed: bool,
}

/// Says why samples are no baseline.
#[derive(Debug, thiserror::Error)]
pub enum BaselineError {
    /// There is nothing in it.
    #[error("the file is empty; write a baseline with `bench baseline DIR --output FILE`")]
    NoText,
    /// The text is none of JSON.
    #[error("the file is no baseline: it is not JSON; name a file that `bench baseline` wrote")]
    NotJson,
    /// The text is not whole JSON, or a field is missing or of another type.
    #[error("the baseline is damaged: {0}; write it again with `bench baseline`")]
    Json(#[from] serde_json::Error),
    /// The file is JSON, but does not say what.
    #[error("the file is no baseline: it has no `format`; name a file that `bench baseline` wrote")]
    Other,
    /// The file is something else.
    #[error(
        "the file says it is `{found}`, expected `{FORMAT}`; name a file that `bench baseline` wrote"
    )]
    Format {
        /// What it says it is.
        found: String,
    },
    /// The file was written by a later `bench`.
    #[error(
        "the baseline has version {found}, this `bench` reads versions up to {VERSION}; use the \
         `bench` that wrote it or write it again with `bench baseline`"
    )]
    Newer {
        /// Its version.
        found: u32,
    },
    /// The content does not fit its digest.
    #[error(
        "its content has the digest {}, but it states {}: the file was changed or is \
         damaged; write it again with `bench baseline`", found.short(), stated.short()
    )]
    Digest {
        /// What it states.
        stated: Digest,
        /// What its content has.
        found: Digest,
    },
    /// A value of version 1 may be a text or a number.
    #[error(
        "the baseline has version 1, which does not tell {}: write it again with `bench baseline`",
        alike.join(" from ")
    )]
    Untyped {
        /// The values that its text may mean.
        alike: Vec<String>,
    },
    /// There is nothing to hold a candidate against.
    #[error("the baseline has no cells, expected at least one; run the experiment first")]
    Empty,
    /// A cell stands there twice.
    #[error("the baseline has cell `{name}` twice for `{metric}`; remove one of the two")]
    Duplicate {
        /// The cell.
        name: String,
        /// The metric.
        metric: MetricName,
    },
    /// A metric is named and not declared.
    #[error(
        "cell `{cell}` has the metric `{metric}`, which is not declared; write the baseline again with \
         `bench baseline`"
    )]
    Undeclared {
        /// The cell.
        cell: String,
        /// The metric.
        metric: MetricName,
    },
    /// A cell has no value.
    #[error(
        "cell `{name}` has no completed trial, expected at least one; run the experiment again"
    )]
    NoValues {
        /// The cell.
        name: String,
    },
    /// A value is NaN or infinite.
    #[error(
        "cell `{name}` has the value {value}, expected finite numbers; run the experiment again"
    )]
    NotFinite {
        /// The cell.
        name: String,
        /// The value.
        value: f64,
    },
    /// A value is none that its metric can have.
    #[error(
        "cell `{name}` has the value {value:e} of `{}`, expected {:e} to {:e}; run the experiment again",
        metric.name, ends_of(metric).0, ends_of(metric).1
    )]
    OutOfRange {
        /// The cell.
        name: String,
        /// What was measured.
        metric: Box<Metric>,
        /// The value.
        value: f64,
    },
    /// The stated count and the values disagree.
    #[error(
        "cell `{name}` states n = {stated} but has {found} values; write the baseline again with \
         `bench baseline`"
    )]
    Count {
        /// The cell.
        name: String,
        /// What it states.
        stated: usize,
        /// How many values it has.
        found: usize,
    },
    /// A cell states more lost trials than anyone runs.
    #[error("baseline cell `{name}` has {stated} lost trials, expected at most {MAX_LOST}")]
    Lost {
        /// The cell.
        name: String,
        /// What it states.
        stated: usize,
    },
}

/// Most trials that a cell may have lost: more than anyone runs, and few enough to count with.
const MAX_LOST: usize = 1_000_000_000;

/// Largest value of a metric without ends: sums of squares beyond overflow.
const LARGEST: f64 = 1e100;

/// Returns the least and the largest value that a metric can have.
fn ends_of(metric: &Metric) -> (f64, f64) {
    let (least, most) = metric.range.ends();
    (least.max(-LARGEST), most.min(LARGEST))
}

impl Baseline {
    /// Makes a baseline of samples, cells in the order given.
    ///
    /// # Errors
    /// If there is no cell, a cell stands there twice for one metric, a cell has no value, or a
    /// value is not finite or none that its metric can have.
    pub fn from_samples(source: Source, cells: Vec<CellSample>) -> Result<Self, BaselineError> {
        if cells.is_empty() {
            return Err(BaselineError::Empty);
        }
        let mut seen = BTreeSet::new();
        for CellSample { name, assignment, metric, values, lost, .. } in &cells {
            if *lost > MAX_LOST {
                return Err(BaselineError::Lost { name: name.clone(), stated: *lost });
            }
            if !seen.insert((assignment, &metric.name)) {
                return Err(BaselineError::Duplicate {
                    name: name.clone(),
                    metric: metric.name.clone(),
                });
            }
            if values.is_empty() {
                return Err(BaselineError::NoValues { name: name.clone() });
            }
            if let Some(&value) = values.iter().find(|value| !value.is_finite()) {
                return Err(BaselineError::NotFinite { name: name.clone(), value });
            }
            let (least, most) = ends_of(metric);
            if let Some(&value) = values.iter().find(|&&value| value < least || value > most) {
                let (name, metric) = (name.clone(), Box::new(metric.clone()));
                return Err(BaselineError::OutOfRange { name, metric, value });
            }
        }
        Ok(Self { source, cells, is_typed: true })
    }

    /// Reads the text of a baseline file of any version; fields it does not know are passed over.
    ///
    /// # Errors
    /// If the text is no baseline of a version this reads, or its samples are none.
    pub fn from_text(text: &str) -> Result<Self, BaselineError> {
        text::read(text)
    }

    /// Returns the text of the baseline file, in the newest version.
    #[must_use]
    pub fn to_text(&self) -> String {
        text::write(self)
    }

    /// Returns the baseline with typed values of axes: those of a file of version 1, which are texts,
    /// are taken for the values of `candidate` that look like them.
    ///
    /// # Errors
    /// If a text may be two of the candidate's values.
    pub fn typed_like<'b>(
        &'b self,
        candidate: &[CellSample],
    ) -> Result<Cow<'b, Self>, BaselineError> {
        if self.is_typed {
            return Ok(Cow::Borrowed(self));
        }
        let mut known: BTreeMap<&str, BTreeSet<&Value>> = BTreeMap::new();
        for (key, value) in candidate.iter().flat_map(|cell| &cell.assignment) {
            known.entry(key).or_default().insert(value);
        }
        let mut typed = self.clone();
        typed.is_typed = true;
        for (key, value) in typed.cells.iter_mut().flat_map(|cell| &mut cell.assignment) {
            let text = value.to_string();
            let known = || known.get(key.as_str()).into_iter().flatten().copied();
            let exact: Vec<&Value> = known().filter(|one| one.to_string() == text).collect();
            let alike: Vec<&Value> = if exact.is_empty() {
                known().filter(|one| looks_like(one, &text)).collect()
            } else {
                exact
            };
            match alike[..] {
                [] => *value = Value::from_notation(&text).plain(),
                [one] => *value = one.clone(),
                _ => {
                    let alike = alike.iter().map(|one| format!("`{key}={}`", one.notation()));
                    return Err(BaselineError::Untyped { alike: alike.collect() });
                }
            }
        }
        Ok(Cow::Owned(typed))
    }

    /// Returns where the samples came from.
    #[must_use]
    pub fn source(&self) -> &Source {
        &self.source
    }

    /// Returns the samples.
    #[must_use]
    pub fn cells(&self) -> &[CellSample] {
        &self.cells
    }
}

#[cfg(test)]
mod tests;
