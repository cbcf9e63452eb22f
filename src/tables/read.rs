//! Committed tables back into plain results.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};

use polars::prelude::{AnyValue, Column, DataFrame, DataType};

use super::assemble::{declared_axes, facts};
use super::files::{Problem, TablesError, read_frame};
use super::results::{AxisFacts, CellResults, ExperimentResults, Facts, MemberCurve, TrialRow};
use super::shape::collect_axes;
use crate::base::Metric;
use crate::record::{EpochRecord, Outcome};
use crate::store::{Manifest, StoreError};

const OUTCOMES: [Outcome; 5] = [
    Outcome::Completed,
    Outcome::Diverged,
    Outcome::Failed,
    Outcome::TimedOut,
    Outcome::Interrupted,
];

/// Reads a results folder that holds a manifest and tables, with or without a journal.
///
/// # Errors
/// If the manifest or a table is absent or damaged.
pub fn read_folder(folder: &Path) -> Result<ExperimentResults, TablesError> {
    let manifest = Manifest::read(folder)?
        .ok_or_else(|| StoreError::NotAStore { folder: folder.to_owned() })?;
    read(&folder.join("tables"), facts(&manifest), &declared_axes(&manifest))
}

/// Reads the tables in `folder`.
///
/// `facts` come from the manifest beside it, `declared` holds the axes of the experiment file (it
/// may be empty: values then keep the order of the cells). The epochs table may be absent.
///
/// # Errors
/// If the trials or cells table is absent, damaged or does not fit the other.
pub fn read(
    folder: &Path,
    facts: Facts,
    declared: &[AxisFacts],
) -> Result<ExperimentResults, TablesError> {
    let (path, frame) = read_frame(folder, "cells")?;
    let (keys, mut cells) = Table { frame: &frame, path: &path }.cells()?;
    let places: HashMap<String, usize> =
        cells.iter().enumerate().map(|(place, cell)| (cell.name.clone(), place)).collect();

    let (path, frame) = read_frame(folder, "trials")?;
    Table { frame: &frame, path: &path }.trials(&places, &mut cells)?;

    let curves = match read_frame(folder, "epochs") {
        Ok((path, frame)) => Table { frame: &frame, path: &path }.curves(&places)?,
        Err(TablesError::Missing { .. }) => Vec::new(),
        Err(error) => return Err(error),
    };
    let axes = collect_axes(&keys, declared, cells.iter().map(|cell| cell.values.as_slice()));
    Ok(ExperimentResults { facts, axes, cells, curves })
}

/// One table with the file it came from, for messages.
struct Table<'a> {
    frame: &'a DataFrame,
    path: &'a PathBuf,
}

/// One column with values as text; both CSV and Parquet columns come down to it.
struct Texts {
    name: String,
    values: Vec<Option<String>>,
}

impl Texts {
    fn of(column: &Column) -> Self {
        let text = |value: AnyValue<'_>| match value {
            AnyValue::Null => None,
            AnyValue::String(text) => Some(text.to_owned()),
            AnyValue::StringOwned(text) => Some(text.to_string()),
            // Display of f64 is the shortest text that reads back as the same number.
            AnyValue::Float64(value) => Some(value.to_string()),
            AnyValue::Int64(value) => Some(value.to_string()),
            AnyValue::UInt32(value) => Some(value.to_string()),
            other => Some(other.to_string()),
        };
        let series = column.as_materialized_series();
        Self { name: series.name().to_string(), values: series.iter().map(text).collect() }
    }
}

/// Returns an axis value as the experiment language prints it: CSV writes the number 0 as `0.0`.
fn short_form(text: &str) -> String {
    let digits = text.strip_prefix('-').unwrap_or(text);
    let is_float = digits.starts_with(|c: char| c.is_ascii_digit()) && text.contains(['.', 'e']);
    match text.parse::<f64>() {
        Ok(value) if is_float => value.to_string(),
        _ => text.to_owned(),
    }
}

impl Table<'_> {
    fn damaged(&self, source: Problem) -> TablesError {
        TablesError::Damaged { path: self.path.clone(), source }
    }

    fn wrong(&self, texts: &Texts, row: usize, expected: &'static str) -> TablesError {
        let found = texts.values[row].clone().unwrap_or_default();
        self.damaged(Problem::Value { row: row + 1, column: texts.name.clone(), found, expected })
    }

    fn optional(&self, name: &str) -> Option<Texts> {
        self.frame.column(name).ok().map(Texts::of)
    }

    fn texts(&self, name: &str) -> Result<Texts, TablesError> {
        self.optional(name).ok_or_else(|| self.damaged(Problem::Column(name.to_owned())))
    }

    /// Returns every value of a column of counts; an empty value is an error.
    fn counts(&self, name: &str, expected: &'static str) -> Result<Vec<u32>, TablesError> {
        let column = self.frame.column(name).ok();
        let typed = column.and_then(|column| column.u32().ok()).filter(|it| it.null_count() == 0);
        if let Some(typed) = typed {
            return Ok(typed.iter().flatten().collect());
        }
        let texts = self.texts(name)?;
        let parse = |row: usize| {
            let value = texts.values[row].as_deref().and_then(|text| text.parse().ok());
            value.ok_or_else(|| self.wrong(&texts, row, expected))
        };
        (0..texts.values.len()).map(parse).collect()
    }

    /// Parses numbers; an empty value is `None`.
    fn numbers(&self, name: &str) -> Result<Vec<Option<f64>>, TablesError> {
        let column =
            self.frame.column(name).map_err(|_| self.damaged(Problem::Column(name.to_owned())))?;
        if *column.dtype() == DataType::Float64 {
            let values = column.f64().expect("the type was just checked");
            return Ok(values.iter().collect());
        }
        let texts = Texts::of(column);
        let parse = |row: usize| match texts.values[row].as_deref() {
            None => Ok(None),
            Some(text) => text.parse().map(Some).map_err(|_| self.wrong(&texts, row, "a number")),
        };
        (0..texts.values.len()).map(parse).collect()
    }

    /// Returns a column as text, without a copy of every value.
    fn text_column(&self, name: &str) -> Result<Column, TablesError> {
        let column = self.frame.column(name).and_then(|column| column.cast(&DataType::String));
        column.map_err(|_| self.damaged(Problem::Column(name.to_owned())))
    }

    /// Looks every text of a column up; neighbours are often alike.
    fn looked_up<T: Copy>(
        &self,
        name: &str,
        expected: &'static str,
        find: impl Fn(&str) -> Option<T>,
    ) -> Result<Vec<T>, TablesError> {
        let column = self.text_column(name)?;
        let texts = column.str().expect("the column was made text");
        let mut last: Option<(&str, T)> = None;
        let mut values = Vec::with_capacity(texts.len());
        for (row, text) in texts.iter().enumerate() {
            let text = text.unwrap_or_default();
            let value = match last {
                Some((known, value)) if known == text => Some(value),
                _ => find(text),
            };
            let value = value.ok_or_else(|| self.wrong(&Texts::of(&column), row, expected))?;
            last = Some((text, value));
            values.push(value);
        }
        Ok(values)
    }

    fn outcomes(&self) -> Result<Vec<Outcome>, TablesError> {
        self.looked_up("outcome", "an outcome such as `completed`", |text| {
            OUTCOMES.into_iter().find(|outcome| outcome.name() == text)
        })
    }

    fn places(&self, places: &HashMap<String, usize>) -> Result<Vec<usize>, TablesError> {
        self.looked_up("cell", "a cell of the cells table", |text| places.get(text).copied())
    }

    /// Returns the axes' keys and the cells without their trials.
    fn cells(&self) -> Result<(Vec<String>, Vec<CellResults>), TablesError> {
        let names = self.texts("cell")?;
        let planned = self.counts("n_planned", "a count")?;
        let ids = self.optional("cell_id");
        let keys: Vec<String> = self
            .frame
            .get_column_names()
            .into_iter()
            .map(ToString::to_string)
            .skip_while(|name| name != "cell")
            .skip(1)
            .take_while(|name| name != "n_trials")
            .collect();
        let axes: Vec<Texts> = keys.iter().map(|key| self.texts(key)).collect::<Result<_, _>>()?;
        let cell = |row: usize| CellResults {
            id: ids.as_ref().and_then(|ids| ids.values[row].clone()).unwrap_or_default(),
            // The one cell of an experiment without axes has an empty name, which CSV loses.
            name: names.values[row].clone().unwrap_or_default(),
            values: axes.iter().map(|axis| axis.values[row].as_deref().map(short_form)).collect(),
            planned: planned[row],
            trials: Vec::new(),
        };
        Ok((keys, (0..self.frame.height()).map(cell).collect()))
    }

    fn trials(
        &self,
        places: &HashMap<String, usize>,
        cells: &mut [CellResults],
    ) -> Result<(), TablesError> {
        let places = self.places(places)?;
        let repeats = self.counts("repeat", "a count from 0")?;
        let ids = self.texts("trial")?;
        let outcomes = self.outcomes()?;
        let reasons = self.texts("reason")?;
        let mut metrics = Vec::new();
        for metric in Metric::ALL {
            if self.frame.column(&metric.column()).is_ok() {
                metrics.push((metric, self.numbers(&metric.column())?));
            }
        }
        for (row, place) in places.into_iter().enumerate() {
            let values: BTreeMap<Metric, f64> = metrics
                .iter()
                .filter_map(|(metric, values)| values[row].map(|value| (*metric, value)))
                .collect();
            cells[place].trials.push(TrialRow {
                repeat: repeats[row],
                id: ids.values[row].clone().unwrap_or_default(),
                outcome: outcomes[row],
                metrics: values,
                reason: reasons.values[row].clone(),
            });
        }
        for cell in cells {
            cell.trials.sort_by_key(|trial| trial.repeat);
        }
        Ok(())
    }

    fn curves(&self, places: &HashMap<String, usize>) -> Result<Vec<MemberCurve>, TablesError> {
        let ids = self.text_column("member")?;
        let mut ids = ids.str().expect("the column was made text").iter();
        let places = self.places(places)?;
        let repeats = self.counts("repeat", "a count from 0")?;
        let members = self.counts("member_index", "a count from 0")?;
        let outcomes = self.outcomes()?;
        let epochs = self.counts("epoch", "a count from 1")?;
        let learning_rates = self.numbers("learning_rate")?;
        let train_losses = self.numbers("train_loss")?;
        let train_accuracies = self.numbers("train_accuracy")?;
        let validation_losses = self.numbers("validation_loss")?;
        let validation_accuracies = self.numbers("validation_accuracy")?;
        let seconds = self.numbers("train_seconds")?;
        let mut curves: Vec<MemberCurve> = Vec::new();
        for row in 0..self.frame.height() {
            let id = ids.next().flatten().unwrap_or_default();
            if curves.last().is_none_or(|curve| curve.id != id) {
                curves.push(MemberCurve {
                    id: id.to_owned(),
                    cell: places[row],
                    repeat: repeats[row],
                    member: members[row],
                    outcome: outcomes[row],
                    epochs: Vec::new(),
                });
            }
            let number = |values: &[Option<f64>]| values[row].unwrap_or(f64::NAN);
            let record = EpochRecord {
                epoch: epochs[row],
                learning_rate: number(&learning_rates),
                train_loss: number(&train_losses),
                train_accuracy: number(&train_accuracies),
                validation_loss: validation_losses[row],
                validation_accuracy: validation_accuracies[row],
                train_seconds: number(&seconds),
            };
            curves.last_mut().expect("one was pushed above").epochs.push(record);
        }
        Ok(curves)
    }
}
