//! The rows of a table as trials: which cell and repeat each is, and what it measured.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt::Write as _;

use super::super::arguments::ImportArguments;
use crate::base::{Digest, MetricName, Range, Unit, digest_of};
use crate::experiment::IMPORTED_REPEATS;
use crate::experiment::value::Value;
use crate::tables::{ForeignTable, Lookalikes};

/// Trials of a table.
pub(super) struct Rows {
    /// Name of the experiment.
    pub(super) name: String,
    /// Names of the axes below `hyperparameters`.
    pub(super) axes: Vec<String>,
    /// Values of the axes of every cell, in the order of the rows.
    cells: Vec<Vec<Value>>,
    /// Repeats of every cell.
    counts: Vec<u32>,
    metrics: Vec<Declared>,
    /// Digest of what the repeats are called; absent where they are numbered in the order of the rows.
    repeats: Option<Digest>,
    /// Values, or why there are none, by cell and repeat.
    pub(super) trials: HashMap<(String, u32), Result<BTreeMap<MetricName, f64>, String>>,
    /// What was assumed.
    pub(super) notes: Vec<String>,
}

/// A metric, and the column it stands in.
struct Declared {
    name: MetricName,
    column: usize,
    unit: Unit,
    is_minimized: bool,
}

/// Why rows are no trials.
pub(super) struct Problem {
    pub(super) cause: String,
    pub(super) hint: Option<String>,
}

impl Problem {
    fn of(cause: String) -> Self {
        Self { cause, hint: None }
    }
}

/// Stands for an axis that a row has no value of.
const NONE: &str = "none";

/// Returns the text by which a cell is known: its values in the order of the axes.
pub(super) fn key<'v>(values: impl Iterator<Item = Option<&'v Value>>) -> String {
    let texts = values.map(|value| value.map_or_else(String::new, Value::canonical));
    texts.collect::<Vec<_>>().join("\u{1f}")
}

impl Rows {
    /// Reads trials from a table.
    pub(super) fn of(table: &ForeignTable, arguments: &ImportArguments) -> Result<Self, Problem> {
        if table.rows.is_empty() {
            return Err(Problem::of("it has no rows".to_owned()));
        }
        let mut axes = Vec::new();
        for typed in &arguments.axes {
            let (name, column) = typed.split_once('=').unwrap_or((typed, typed));
            axes.push((plain(name), column_of(table, column)?));
        }
        let mut metrics = Vec::new();
        let mut notes = Vec::new();
        for typed in &arguments.metric {
            metrics.push(declared(table, typed, arguments, &mut notes)?);
        }
        let of_axis = |column: usize| table.lookalikes.iter().find(|it| it.column == column);
        for (name, column) in &axes {
            if let Some(Lookalikes { example: [one, other], .. }) = of_axis(*column) {
                notes.push(format!(
                    "`{name}` is read as texts, because `{one}` and `{other}` would be the same number"
                ));
            }
        }
        let cell_of = |index: usize, row: &[Option<Value>]| -> Vec<Value> {
            let value = |column: usize| match of_axis(column) {
                Some(texts) => texts.texts[index].clone(),
                None => row[column].clone(),
            };
            let none = || Value::Text(NONE.to_owned());
            axes.iter().map(|(_, column)| value(*column).unwrap_or_else(none)).collect()
        };
        let mut cells: Vec<Vec<Value>> = Vec::new();
        let mut indices = HashMap::new();
        let mut of_rows = Vec::new();
        for (index, row) in table.rows.iter().enumerate() {
            let cell = cell_of(index, row);
            let cell_index = *indices.entry(key(cell.iter().map(Some))).or_insert_with(|| {
                cells.push(cell);
                cells.len() - 1
            });
            of_rows.push(cell_index);
        }
        let (repeats, called) = repeats(table, arguments, &of_rows, cells.len(), &mut notes)?;
        let (mut counts, mut trials) = (vec![0; cells.len()], HashMap::new());
        for (index, (cell_index, repeat)) in of_rows.iter().zip(repeats).enumerate() {
            counts[*cell_index] = counts[*cell_index].max(repeat + 1);
            let values = values(&metrics, &table.rows[index], index)?;
            trials.insert((key(cells[*cell_index].iter().map(Some)), repeat), values);
        }
        let stem =
            arguments.file.file_stem().map_or_else(String::new, |s| s.to_string_lossy().into());
        let name = arguments.name.clone().unwrap_or_else(|| plain(&stem));
        let axes = axes.into_iter().map(|(name, _)| name).collect();
        Ok(Self { name, axes, cells, counts, metrics, repeats: called, trials, notes })
    }

    /// Returns the fewest repeats of a cell.
    pub(super) fn fewest(&self) -> u32 {
        self.counts.iter().copied().min().unwrap_or(1)
    }

    /// Returns the repeats of the cell with these values.
    pub(super) fn repeats_of(&self, assignment: &BTreeMap<String, Value>) -> u32 {
        let of_axis = |axis: &String| assignment.get(&format!("hyperparameters.{axis}"));
        let wanted = key(self.axes.iter().map(of_axis));
        let at = self.cells.iter().position(|cell| key(cell.iter().map(Some)) == wanted);
        at.map_or(0, |at| self.counts[at])
    }

    /// Returns the experiment of these trials.
    pub(super) fn text(&self, arguments: &ImportArguments) -> String {
        let mut text = String::new();
        let mut line = |line: String| writeln!(text, "{line}").expect("a text takes lines");
        let shown = arguments.file.display().to_string();
        line(format!("name = {}\nrepeats = {}", quoted(&self.name), self.fewest()));
        line("[trainer]\nengine = \"command\"".to_owned());
        line(format!("command = [\"bench\", \"import\", {}]", quoted(&braced(&shown))));
        if let Some(called) = self.repeats {
            line(format!("environment = {{ {IMPORTED_REPEATS} = \"{called}\" }}"));
        }
        for metric in &self.metrics {
            let direction = if metric.is_minimized { "minimize" } else { "maximize" };
            line(format!("[metrics.{}]\nunit = {}", metric.name, quoted(metric.unit.name())));
            line(format!("direction = {}", quoted(direction)));
        }
        let values = self.values_of_axes();
        let product: usize = values.iter().map(Vec::len).product();
        let quoted_key = |axis: &String| quoted(&format!("hyperparameters.{axis}"));
        if product == self.cells.len() {
            line("[grid.axes]".to_owned());
            for (axis, values) in self.axes.iter().zip(&values) {
                let values: Vec<String> = values.iter().map(toml).collect();
                line(format!("{} = [{}]", quoted_key(axis), values.join(", ")));
            }
        } else {
            line("[[grid]]".to_owned());
            for cell in &self.cells {
                line("[[grid.include]]".to_owned());
                for (axis, value) in self.axes.iter().zip(cell) {
                    line(format!("{} = {}", quoted_key(axis), toml(value)));
                }
            }
        }
        line(format!("[report]\nmetric = {}", quoted(self.metrics[0].name.as_str())));
        text
    }

    /// Returns the values of every axis, in order.
    fn values_of_axes(&self) -> Vec<Vec<Value>> {
        let of_axis = |at: usize| {
            let values: BTreeSet<&Value> = self.cells.iter().map(|cell| &cell[at]).collect();
            values.into_iter().cloned().collect()
        };
        (0..self.axes.len()).map(of_axis).collect()
    }
}

/// Returns the index of a column, by its name or the last part of it.
fn column_of(table: &ForeignTable, name: &str) -> Result<usize, Problem> {
    let ends = |column: &String| {
        column.strip_suffix(name).is_some_and(|rest| rest.ends_with(['.', '_', '/']))
    };
    let similar = || {
        let mut found = (0..table.columns.len()).filter(|at| ends(&table.columns[*at]));
        found.next().filter(|_| found.next().is_none())
    };
    table.column(name).or_else(similar).ok_or_else(|| {
        let names: Vec<String> = table.columns.iter().map(|name| format!("`{name}`")).collect();
        Problem::of(format!("it has no column `{name}` among {}", names.join(", ")))
    })
}

fn declared(
    table: &ForeignTable,
    typed: &str,
    arguments: &ImportArguments,
    notes: &mut Vec<String>,
) -> Result<Declared, Problem> {
    let (name, column) = typed.split_once('=').unwrap_or((typed, typed));
    let column = column_of(table, column)?;
    let name: MetricName =
        plain(name).parse().map_err(|error: crate::base::MetricNameError| Problem {
            cause: error.to_string(),
            hint: Some("name it yourself: `--metric NAME=COLUMN`".to_owned()),
        })?;
    let is_named = |names: &Vec<String>| names.iter().any(|named| plain(named) == name.as_str());
    let unit = arguments.unit.iter().filter_map(|typed| typed.split_once('='));
    let unit = unit.into_iter().find(|(of, _)| plain(of) == name.as_str());
    let values = table.rows.iter().filter_map(|row| row[column].as_ref()?.as_number());
    let (low, high) = values
        .filter(|value| value.is_finite())
        .fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), value| {
            (low.min(value), high.max(value))
        });
    let is_share = ["acc", "accuracy", "auc", "f1", "precision", "recall"]
        .iter()
        .any(|end| name.as_str() == *end || name.as_str().ends_with(&format!("-{end}")));
    let usual = match () {
        () if is_share && low >= 0.0 && high <= 1.0 => "fraction",
        () if is_share && low >= 0.0 && high <= 100.0 => "percent",
        () => "count",
    };
    let is_loss = ["loss", "error", "rmse", "mse", "mae", "perplexity", "nll"]
        .iter()
        .any(|end| name.as_str() == *end || name.as_str().ends_with(&format!("-{end}")));
    let is_minimized = is_named(&arguments.minimize);
    if is_loss && !is_minimized {
        notes.push(format!(
            "larger values of `{name}` count as better; `--minimize {name}` says otherwise"
        ));
    }
    let unit = Unit::named(unit.map_or(usual, |(_, unit)| unit));
    Ok(Declared { name, column, unit, is_minimized })
}

/// Returns the repeat of every row, and what all repeats are called: repeats of equal values of its column
/// are equal in all cells, so that they pair, or the order of the rows of a cell, which pairs nothing, where
/// there is no such column.
fn repeats(
    table: &ForeignTable,
    arguments: &ImportArguments,
    of_rows: &[usize],
    cells: usize,
    notes: &mut Vec<String>,
) -> Result<(Vec<u32>, Option<Digest>), Problem> {
    let mut counts = vec![0_u32; cells];
    let in_order = |counts: &mut Vec<u32>| -> Vec<u32> {
        let next = |cell_index: &usize| {
            counts[*cell_index] += 1;
            counts[*cell_index] - 1
        };
        of_rows.iter().map(next).collect()
    };
    let Some(name) = &arguments.repeat else {
        return Ok((in_order(&mut counts), None));
    };
    let column = column_of(table, name)?;
    let mut seen: BTreeMap<(usize, String), usize> = BTreeMap::new();
    let mut by_cell = vec![BTreeSet::new(); cells];
    let mut known: BTreeSet<&Value> = BTreeSet::new();
    for (index, (row, cell_index)) in table.rows.iter().zip(of_rows).enumerate() {
        let Some(value) = &row[column] else {
            return Err(Problem::of(format!("row {} has no `{name}`", index + 1)));
        };
        if let Some(before) = seen.insert((*cell_index, value.canonical()), index) {
            return Err(Problem {
                cause: format!(
                    "rows {} and {} are the same cell with the same `{name}`, {value}",
                    before + 1,
                    index + 1
                ),
                hint: Some(
                    "name a column that tells them apart with `--axes`, or leave `--repeat` out"
                        .to_owned(),
                ),
            });
        }
        by_cell[*cell_index].insert(value);
        known.insert(value);
    }
    // The first of all, in any number: as `bench run` gives a cell its repeats.
    let order: Vec<&Value> = known.into_iter().collect();
    let is_prefix = |own: &BTreeSet<&Value>| own.iter().zip(&order).all(|(a, b)| a == b);
    let is_shared = by_cell.iter().all(is_prefix);
    if !is_shared {
        notes.push(format!(
            "cells do not have the same values of `{name}`: their repeats are numbered in order, and do not pair by it"
        ));
    }
    let rank = |(row, cell_index): (&Vec<Option<Value>>, &usize)| {
        let value = row[column].as_ref();
        by_cell[*cell_index].iter().position(|own| Some(*own) == value).unwrap_or(0) as u32
    };
    let names: Vec<String> = order.iter().map(|name| name.canonical()).collect();
    let called = is_shared.then(|| digest_of(names.join("\n").as_bytes()));
    Ok((table.rows.iter().zip(of_rows).map(rank).collect(), called))
}

/// Returns the numbers of a row, or why it has none.
fn values(
    metrics: &[Declared],
    row: &[Option<Value>],
    index: usize,
) -> Result<Result<BTreeMap<MetricName, f64>, String>, Problem> {
    let mut values = BTreeMap::new();
    for metric in metrics {
        let Some(found) = &row[metric.column] else {
            return Ok(Err(format!("row {} has no `{}`", index + 1, metric.name)));
        };
        let Some(number) = found.as_number() else {
            return Err(Problem::of(format!(
                "row {}: `{}` is `{found}`, expected a number",
                index + 1,
                metric.name
            )));
        };
        let (low, high) = range(&metric.unit).ends();
        if number.is_finite() && !(low..=high).contains(&number) {
            return Err(Problem {
                cause: format!(
                    "row {}: `{}` is {number}, which is no {}",
                    index + 1,
                    metric.name,
                    metric.unit
                ),
                hint: Some(format!("say what it is: `--unit {}=UNIT`", metric.name)),
            });
        }
        values.insert(metric.name.clone(), number);
    }
    Ok(Ok(values))
}

fn range(unit: &Unit) -> Range {
    match unit.name() {
        "fraction" => Range(Some(0.0), Some(1.0)),
        "percent" => Range(Some(0.0), Some(100.0)),
        _ => Range::default(),
    }
}

/// Returns a name as keys and metrics have it: what tools put before it is left out.
fn plain(name: &str) -> String {
    let name = ["params_", "config.", "config/", "summary.", "user_attrs_"]
        .iter()
        .find_map(|prefix| name.strip_prefix(prefix))
        .unwrap_or(name);
    let kept = |c: char| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '-' };
    let text: String = name.chars().map(kept).collect();
    let text = text.trim_matches('-').to_owned();
    if text.is_empty() { "imported".to_owned() } else { text }
}

fn quoted(text: &str) -> String {
    // JSON's texts are TOML's.
    serde_json::to_string(text).expect("a text serialises")
}

fn braced(text: &str) -> String {
    text.replace('{', "{{").replace('}', "}}")
}

fn toml(value: &Value) -> String {
    match value {
        Value::Text(text) => quoted(text),
        Value::Float(number) => format!("{number:?}"),
        other => other.to_string(),
    }
}
