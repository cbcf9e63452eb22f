//! Committed tables back into plain results.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use polars::prelude::{AnyValue, Column, DataFrame, DataType};

use super::files::{Problem, TablesError, read_frame};
use super::frames::fixed_columns;
use crate::base::{CellId, Metric, Metrics};
use crate::experiment::Axis;
use crate::experiment::value::Value;
use crate::grid::{cell_id, cell_name};
use crate::record::{EpochRecord, Outcome};
use crate::results::{
    CellResults, ExperimentResults, Facts, MemberCurve, Summaries, TrialRow, collect_axes,
    declared_axes, typed_cell,
};
use crate::store::{Manifest, StoreError};

/// Reads a results folder that holds a manifest and tables, with or without a journal.
///
/// # Errors
/// If the manifest or a table is absent or damaged.
pub fn read_folder(folder: &Path) -> Result<ExperimentResults, TablesError> {
    let manifest = Manifest::read(folder)?
        .ok_or_else(|| StoreError::NotAStore { folder: folder.to_owned() })?;
    read(&folder.join("tables"), Facts::of(&manifest), &declared_axes(&manifest))
}

/// Reads the tables in `folder`.
///
/// `facts` come from the manifest beside it. `declared` holds the axes of the experiment file, which
/// say what the texts of the tables mean and in which order they stand; where it is empty, values
/// are what they look like, in the order of the cells. The epochs table may be absent.
///
/// # Errors
/// If the trials or cells table is absent, damaged or does not fit the other.
pub fn read(
    folder: &Path,
    facts: Facts,
    declared: &[Axis],
) -> Result<ExperimentResults, TablesError> {
    let (keys, mut cells, rows) = {
        let (path, frame) = read_frame(folder, "cells")?;
        Table { frame: &frame, path: &path }.cells(declared, &facts.metrics)?
    };
    let read_trials = || {
        let (path, frame) = read_frame(folder, "trials")?;
        Table { frame: &frame, path: &path }.trials(&rows, &facts.metrics, &mut cells)
    };
    let read_curves = || match read_frame(folder, "epochs") {
        Ok((path, frame)) => Table { frame: &frame, path: &path }.curves(&rows, &facts.metrics),
        Err(TablesError::Missing { .. }) => Ok(Vec::new()),
        Err(error) => Err(error),
    };
    let (trials, curves) = rayon::join(read_trials, read_curves);
    trials?;
    let curves = curves?;
    let axes = collect_axes(&keys, declared, cells.iter().map(|cell| cell.values.as_slice()));
    Ok(ExperimentResults { facts, axes, cells, curves, summaries: Summaries::default() })
}

/// Which cell the rows of other tables mean.
struct CellRows {
    /// Cells by the name the tables give them: before names told texts from numbers, two cells could
    /// share one.
    by_name: HashMap<String, Vec<usize>>,
    /// Trials that have an outcome, by cell.
    trials: Vec<usize>,
}

impl CellRows {
    /// Returns the cell of every row of the trials table, whose rows follow the cells table.
    fn of_trials(&self, names: &[&str]) -> Vec<Option<usize>> {
        let mut left = self.trials.clone();
        let mut cell = |name: &&str| {
            let cells = self.by_name.get(*name)?;
            let has_left = |cell: &&usize| left[**cell] > 0;
            let found = *cells.iter().find(has_left).or(cells.first())?;
            left[found] = left[found].saturating_sub(1);
            Some(found)
        };
        names.iter().map(&mut cell).collect()
    }

    fn first(&self, name: &str) -> Option<usize> {
        self.by_name.get(name)?.first().copied()
    }
}

/// What stands in a column that names cells.
const A_CELL: &str = "a cell of the cells table";

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

/// The numbers of a column, row by row.
type Numbers<'a> = Box<dyn Iterator<Item = Option<f64>> + 'a>;

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

    /// Returns the numbers of a column, an empty value as `None`.
    fn numbers(&self, name: &str) -> Result<Numbers<'_>, TablesError> {
        let column =
            self.frame.column(name).map_err(|_| self.damaged(Problem::Column(name.to_owned())))?;
        if *column.dtype() == DataType::Float64 {
            return Ok(Box::new(column.f64().expect("the type was just checked").iter()));
        }
        let texts = Texts::of(column);
        let parse = |row: usize| match texts.values[row].as_deref() {
            None => Ok(None),
            Some(text) => text.parse().map(Some).map_err(|_| self.wrong(&texts, row, "a number")),
        };
        let values: Vec<_> = (0..texts.values.len()).map(parse).collect::<Result<_, _>>()?;
        Ok(Box::new(values.into_iter()))
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
            Outcome::ALL.into_iter().find(|outcome| outcome.name() == text)
        })
    }

    /// Returns the axes' keys, the cells without their trials, and which rows belong to them.
    fn cells(
        &self,
        declared: &[Axis],
        metrics: &[Metric],
    ) -> Result<(Vec<String>, Vec<CellResults>, CellRows), TablesError> {
        let names = self.texts("cell")?;
        // It ends the axes.
        self.counts("n_trials", "a count")?;
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
        let fixed = fixed_columns(metrics);
        if let Some(key) = keys.iter().find(|key| fixed.contains(*key)) {
            return Err(self.damaged(Problem::Axis(key.clone())));
        }
        let axes: Vec<Texts> = keys.iter().map(|key| self.texts(key)).collect::<Result<_, _>>()?;
        let cell = |row: usize| {
            let texts: Vec<Option<&str>> =
                axes.iter().map(|axis| axis.values[row].as_deref()).collect();
            let id = ids.as_ref().and_then(|ids| ids.values[row].as_deref()?.parse().ok());
            let values = typed_cell(&keys, declared, &texts, id);
            let pairs = || {
                let pairs = keys.iter().zip(&values);
                pairs.filter_map(|(key, value)| Some((key.as_str(), value.as_ref()?)))
            };
            CellResults {
                id: id.unwrap_or_else(|| id_of(pairs())),
                name: cell_name(pairs()),
                planned: planned[row],
                trials: Vec::new(),
                values,
            }
        };
        let cells: Vec<CellResults> = (0..self.frame.height()).map(cell).collect();
        let mut by_name: HashMap<String, Vec<usize>> = HashMap::new();
        for (cell, name) in names.values.into_iter().enumerate() {
            // The one cell of an experiment without axes once had an empty name, which CSV loses.
            by_name.entry(name.unwrap_or_default()).or_default().push(cell);
        }
        let mut trials = vec![0; cells.len()];
        for column in ["n_trials", "n_failed", "n_diverged", "n_timed_out", "n_interrupted"] {
            if self.frame.column(column).is_ok() {
                let counts = self.counts(column, "a count")?;
                trials.iter_mut().zip(counts).for_each(|(sum, count)| *sum += count as usize);
            }
        }
        Ok((keys, cells, CellRows { by_name, trials }))
    }

    fn trials(
        &self,
        rows: &CellRows,
        declared: &[Metric],
        cells: &mut [CellResults],
    ) -> Result<(), TablesError> {
        let names = self.text_column("cell")?;
        let texts: Vec<&str> = names
            .str()
            .expect("the column was made text")
            .iter()
            .map(Option::unwrap_or_default)
            .collect();
        let indices = rows.of_trials(&texts);
        let repeats = self.counts("repeat", "a count from 0")?;
        let ids = self.text_column("trial")?;
        let mut ids = ids.str().expect("the column was made text").iter();
        let outcomes = self.outcomes()?;
        let reasons = self.texts("reason")?;
        // Tables of engine revisions before 5 have none.
        let has_paths = self.frame.column("path").is_ok();
        let paths = has_paths.then(|| self.texts("path")).transpose()?;
        let mut metrics = Vec::new();
        for metric in declared {
            let column = metric.name.column();
            if self.frame.column(&column).is_ok() {
                metrics.push((metric, self.numbers(&column)?));
            }
        }
        for (row, index) in indices.into_iter().enumerate() {
            let index = index.ok_or_else(|| self.wrong(&Texts::of(&names), row, A_CELL))?;
            let mut known = Vec::with_capacity(metrics.len());
            let mut values = Vec::with_capacity(metrics.len());
            for (metric, numbers) in &mut metrics {
                let Some(value) = numbers.next().flatten() else { continue };
                if !metric.can_be(value) {
                    let texts = self.texts(&metric.name.column())?;
                    return Err(self.wrong(&texts, row, "a value it can have"));
                }
                known.push(metric.name.clone());
                values.push(value);
            }
            cells[index].trials.push(TrialRow {
                repeat: repeats[row],
                id: ids.next().flatten().unwrap_or_default().to_owned(),
                outcome: outcomes[row],
                metrics: Metrics::of(known, values),
                reason: reasons.values[row].clone(),
                path: paths.as_ref().and_then(|paths| paths.values[row].clone()),
            });
        }
        for cell in cells {
            cell.trials.sort_by_key(|trial| trial.repeat);
            let twice = cell.trials.windows(2).find(|pair| pair[0].repeat == pair[1].repeat);
            if let Some(pair) = twice {
                let (cell, repeat) = (cell.name.clone(), pair[0].repeat);
                return Err(self.damaged(Problem::Twice { cell, repeat }));
            }
        }
        Ok(())
    }

    fn curves(
        &self,
        rows: &CellRows,
        declared: &[Metric],
    ) -> Result<Vec<MemberCurve>, TablesError> {
        let ids = self.text_column("member")?;
        let mut ids = ids.str().expect("the column was made text").iter();
        let indices = self.looked_up("cell", A_CELL, |text| rows.first(text))?;
        let repeats = self.counts("repeat", "a count from 0")?;
        let members = self.counts("member_index", "a count from 0")?;
        let outcomes = self.outcomes()?;
        let epochs = self.counts("epoch", "a count from 1")?;
        let mut learning_rates = self.numbers("learning_rate")?;
        let mut train_losses = self.numbers("train_loss")?;
        let mut train_accuracies = self.numbers("train_accuracy")?;
        let mut validation_losses = self.numbers("validation_loss")?;
        let mut validation_accuracies = self.numbers("validation_accuracy")?;
        let mut seconds = self.numbers("train_seconds")?;
        let mut curves: Vec<MemberCurve> = Vec::new();
        for row in 0..self.frame.height() {
            let id = ids.next().flatten().unwrap_or_default();
            if curves.last().is_none_or(|curve| curve.id != id) {
                if let Some(before) = curves.last_mut() {
                    before.epochs.shrink_to_fit();
                }
                curves.push(MemberCurve {
                    id: id.to_owned(),
                    cell: indices[row],
                    repeat: repeats[row],
                    member: members[row],
                    outcome: outcomes[row],
                    epochs: Vec::new(),
                });
            }
            let number = |values: &mut Numbers<'_>| values.next().flatten().unwrap_or(f64::NAN);
            let record = EpochRecord {
                epoch: epochs[row],
                learning_rate: number(&mut learning_rates),
                train_loss: number(&mut train_losses),
                train_accuracy: number(&mut train_accuracies),
                validation_loss: validation_losses.next().flatten(),
                validation_accuracy: validation_accuracies.next().flatten(),
                train_seconds: number(&mut seconds),
            };
            if let Some(problem) = record.impossible(declared) {
                return Err(self.damaged(Problem::Epoch { row: row + 1, problem }));
            }
            curves.last_mut().expect("one was pushed above").epochs.push(record);
        }
        Ok(curves)
    }
}

/// Returns the id of the cell with these values.
fn id_of<'v>(pairs: impl Iterator<Item = (&'v str, &'v Value)>) -> CellId {
    let sorted: std::collections::BTreeMap<&str, &Value> = pairs.collect();
    cell_id(sorted.into_iter())
}
