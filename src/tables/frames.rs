//! The four tables of an experiment as polars frames.
//!
//! Rows follow the grid, then the repeat: the order in which trials finished leaves no trace.

use std::collections::{BTreeMap, BTreeSet};

use polars::prelude::{Column, DataFrame, PolarsResult};

use crate::base::text::harmless;
use crate::base::{Metric, MetricName, Unit};
use crate::experiment::Axis;
use crate::experiment::value::Value;
use crate::record::{EpochRecord, Outcome};
use crate::results::{
    AxisKind, CellResults, ExperimentResults, MemberCurve, TrialRow, axis_texts, shared_histogram,
};
use gridbench_stats::Summary;

/// Outcomes that the cells table counts in columns of their own, beside `n_trials`.
pub(super) const COUNTED: [(Outcome, &str); 4] = [
    (Outcome::Failed, "n_failed"),
    (Outcome::Diverged, "n_diverged"),
    (Outcome::TimedOut, "n_timed_out"),
    (Outcome::Interrupted, "n_interrupted"),
];

/// Columns of the trials and cells tables that every experiment has.
const FIXED: [&str; 9] =
    ["cell", "repeat", "trial", "outcome", "reason", "path", "n_trials", "n_planned", "cell_id"];
/// What the cells table says of every metric.
const STATISTICS: [&str; 9] =
    ["mean", "std", "se", "ci95_low", "ci95_high", "ci95_method", "median", "min", "max"];

/// Returns the columns of the trials and cells tables that are no axes.
pub(super) fn fixed_columns(metrics: &[Metric]) -> BTreeSet<String> {
    let of_metric = |metric: &Metric| {
        let column = metric.name.column();
        let statistics = STATISTICS.map(|statistic| format!("{column}_{statistic}"));
        std::iter::once(column).chain(statistics)
    };
    let counted = COUNTED.map(|(_, name)| name);
    let fixed = FIXED.into_iter().chain(counted).map(str::to_owned);
    fixed.chain(metrics.iter().flat_map(of_metric)).collect()
}

/// The tables of one experiment.
#[derive(Debug, Clone)]
pub struct Frames {
    /// One row per trial: `cell`, the axes, `repeat`, `trial`, `outcome`, `reason`, `path`,
    /// every metric.
    pub trials: DataFrame,
    /// One row per cell: `cell`, the axes, counts, statistics of every metric, `cell_id`.
    pub cells: DataFrame,
    /// One row per epoch of a member: `member`, `cell`, `repeat`, `member_index`, `outcome`, the epoch.
    pub epochs: DataFrame,
    /// One row per bin that holds trials: `cell`, `metric`, `bin`, `low`, `high`, `count`.
    pub histograms: DataFrame,
}

/// Builds the tables of `results`.
///
/// # Panics
/// If two axes share a key or an axis is named like a fixed column, which the experiment language
/// rules out.
#[must_use]
pub fn frames(results: &ExperimentResults) -> Frames {
    let build = || -> PolarsResult<Frames> {
        Ok(Frames {
            trials: trials_frame(results)?,
            cells: cells_frame(results)?,
            epochs: epochs_frame(results)?,
            histograms: histograms_frame(results)?,
        })
    };
    build().expect("columns have equal lengths and distinct names")
}

fn column<T, Phantom: ?Sized>(name: &str, values: T) -> Column
where
    polars::prelude::Series: polars::prelude::NamedFrom<T, Phantom>,
{
    Column::new(name.into(), values)
}

/// Returns one column per axis, its value taken from the cell of every row: of numbers or truths where
/// every value of the axis is one and the column holds it exactly, else of texts that no two values
/// share.
fn axis_columns<'a>(
    results: &ExperimentResults,
    rows: &(impl Iterator<Item = &'a CellResults> + Clone),
) -> Vec<Column> {
    let axis_column = |(index, axis): (usize, &Axis)| {
        let values = || rows.clone().map(move |cell| cell.values[index].as_ref());
        macro_rules! typed {
            ($pick:expr) => {
                column(&axis.key, values().map(|value| value.and_then($pick)).collect::<Vec<_>>())
            };
        }
        match AxisKind::of(&axis.values) {
            AxisKind::Whole => typed!(Value::as_whole),
            AxisKind::Number => typed!(Value::as_number),
            AxisKind::Truth => typed!(Value::as_truth),
            AxisKind::Text => {
                let texts: BTreeMap<&Value, String> =
                    axis.values.iter().zip(axis_texts(&axis.values)).collect();
                typed!(|value| texts.get(value).map(String::as_str))
            }
        }
    };
    results.axes.iter().enumerate().map(axis_column).collect()
}

fn trials_frame(results: &ExperimentResults) -> PolarsResult<DataFrame> {
    let cells = results.cells.iter().flat_map(|cell| std::iter::repeat_n(cell, cell.trials.len()));
    let rows: Vec<&TrialRow> = results.cells.iter().flat_map(|cell| &cell.trials).collect();
    let mut columns =
        vec![column("cell", cells.clone().map(|cell| cell.name.as_str()).collect::<Vec<_>>())];
    columns.extend(axis_columns(results, &cells));
    columns.push(column("repeat", rows.iter().map(|row| row.repeat).collect::<Vec<_>>()));
    columns.push(column("trial", rows.iter().map(|row| row.id.as_str()).collect::<Vec<_>>()));
    columns.push(column("outcome", rows.iter().map(|row| row.outcome.name()).collect::<Vec<_>>()));
    columns.push(column(
        "reason",
        rows.iter()
            .map(|row| row.reason.as_deref().map(|reason| harmless(reason, true)))
            .collect::<Vec<_>>(),
    ));
    columns.push(column("path", rows.iter().map(|row| row.path.as_deref()).collect::<Vec<_>>()));
    for metric in results.metrics() {
        let values = rows.iter().map(|row| row.metrics.get(&metric.name).copied());
        columns.push(column(&metric.name.column(), values.collect::<Vec<_>>()));
    }
    DataFrame::new(rows.len(), columns)
}

/// Builds the cells table alone.
///
/// # Errors
/// If two axes share a key or an axis is named like a fixed column.
pub(super) fn cells_frame(results: &ExperimentResults) -> PolarsResult<DataFrame> {
    let cells = &results.cells;
    let mut columns =
        vec![column("cell", cells.iter().map(|cell| cell.name.as_str()).collect::<Vec<_>>())];
    columns.extend(axis_columns(results, &cells.iter()));
    let count = |cell: &CellResults, outcome| cell.count(outcome) as u32;
    let counts = |outcome| cells.iter().map(|cell| count(cell, outcome)).collect::<Vec<_>>();
    columns.push(column("n_trials", counts(Outcome::Completed)));
    columns.push(column("n_planned", cells.iter().map(|cell| cell.planned).collect::<Vec<_>>()));
    for (outcome, name) in COUNTED {
        columns.push(column(name, counts(outcome)));
    }
    for metric in results.metrics() {
        columns.extend(summary_columns(results, &metric.name));
    }
    columns
        .push(column("cell_id", cells.iter().map(|cell| cell.id.to_string()).collect::<Vec<_>>()));
    DataFrame::new(cells.len(), columns)
}

fn summary_columns(results: &ExperimentResults, metric: &MetricName) -> Vec<Column> {
    let summaries: Vec<Option<&Summary>> =
        (0..results.cells.len()).map(|cell| results.summary(cell, metric)).collect();
    let of = |statistic: &str, pick: &dyn Fn(&Summary) -> Option<f64>| {
        let values: Vec<Option<f64>> =
            summaries.iter().map(|summary| summary.and_then(pick)).collect();
        column(&format!("{}_{statistic}", metric.column()), values)
    };
    let method = |summary: &Summary| Some(summary.interval_method?.name());
    let methods: Vec<Option<&str>> =
        summaries.iter().map(|summary| summary.and_then(method)).collect();
    vec![
        of("mean", &|summary| Some(summary.mean)),
        of("std", &|summary| summary.sd),
        of("se", &|summary| summary.se),
        of("ci95_low", &|summary| summary.interval95.map(|(low, _)| low)),
        of("ci95_high", &|summary| summary.interval95.map(|(_, high)| high)),
        column(&format!("{}_ci95_method", metric.column()), methods),
        of("median", &|summary| Some(summary.median)),
        of("min", &|summary| Some(summary.min)),
        of("max", &|summary| Some(summary.max)),
    ]
}

fn epochs_frame(results: &ExperimentResults) -> PolarsResult<DataFrame> {
    let rows: Vec<(&MemberCurve, &EpochRecord)> = results
        .curves
        .iter()
        .flat_map(|curve| curve.epochs.iter().map(move |epoch| (curve, epoch)))
        .collect();
    let name = |curve: &MemberCurve| results.cells[curve.cell].name.as_str();
    macro_rules! of {
        ($name:literal, $pick:expr) => {
            column($name, rows.iter().map($pick).collect::<Vec<_>>())
        };
    }
    let columns = vec![
        of!("member", |(curve, _)| curve.id.as_str()),
        of!("cell", |(curve, _)| name(curve)),
        of!("repeat", |(curve, _)| curve.repeat),
        of!("member_index", |(curve, _)| curve.member),
        of!("outcome", |(curve, _)| curve.outcome.name()),
        of!("epoch", |(_, epoch)| epoch.epoch),
        of!("learning_rate", |(_, epoch)| epoch.learning_rate),
        of!("train_loss", |(_, epoch)| epoch.train_loss),
        of!("train_accuracy", |(_, epoch)| epoch.train_accuracy),
        of!("validation_loss", |(_, epoch)| epoch.validation_loss),
        of!("validation_accuracy", |(_, epoch)| epoch.validation_accuracy),
        of!("train_seconds", |(_, epoch)| epoch.train_seconds),
    ];
    DataFrame::new(rows.len(), columns)
}

fn histograms_frame(results: &ExperimentResults) -> PolarsResult<DataFrame> {
    let (mut cells, mut metrics) = (Vec::new(), Vec::new());
    let (mut bins, mut counts) = (Vec::<u32>::new(), Vec::<u32>::new());
    let (mut lows, mut highs) = (Vec::new(), Vec::new());
    for metric in results.metrics() {
        if metric.unit != Unit::FRACTION && metric.name != results.facts.report.metric {
            continue;
        }
        let Some((edges, of_cells)) = shared_histogram(results, metric) else { continue };
        for (cell, of_cell) in results.cells.iter().zip(&of_cells) {
            for (bin, &count) in of_cell.iter().enumerate().filter(|(_, count)| **count > 0) {
                cells.push(cell.name.as_str());
                metrics.push(metric.name.as_str());
                bins.push(bin as u32);
                lows.push(edges[bin]);
                highs.push(edges[bin + 1]);
                counts.push(count as u32);
            }
        }
    }
    let columns = vec![
        column("cell", cells),
        column("metric", metrics),
        column("bin", bins),
        column("low", lows),
        column("high", highs),
        column("count", counts),
    ];
    DataFrame::new_infer_height(columns)
}
