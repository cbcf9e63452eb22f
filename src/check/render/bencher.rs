//! What was measured, for trackers of benchmarks: Bencher's metric format
//! (<https://bencher.dev/docs/reference/bencher-metric-format/>) and `github-action-benchmark`
//! (<https://github.com/benchmark-action/github-action-benchmark>).
//!
//! Values are those of the candidate: means with their 95 % interval, accuracies in percent.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use super::sentences::Printed;
use crate::base::MetricName;
use crate::check::CellSample;
use crate::check::verdict::CheckReport;
use gridbench_stats::Summary;

/// Writes `{ benchmark: { measure: { value, lower_value, upper_value } } }`.
pub(super) fn metric_format(report: &CheckReport, cells: &[CellSample]) -> String {
    let mut benchmarks = Map::new();
    for (cell, printed, summary) in gated(report, cells) {
        let scaled = |value: f64| value * printed.scale;
        let mut measure = Map::new();
        measure.insert("value".to_owned(), json!(scaled(summary.mean)));
        if let Some((low, high)) = summary.interval95 {
            measure.insert("lower_value".to_owned(), json!(scaled(low)));
            measure.insert("upper_value".to_owned(), json!(scaled(high)));
        }
        let name = benchmark_name(report, cell);
        let entry = benchmarks.entry(name).or_insert_with(|| Value::Object(Map::new()));
        if let Value::Object(measures) = entry {
            measures.insert(cell.metric.name.to_string(), Value::Object(measure));
        }
    }
    format!("{:#}\n", Value::Object(benchmarks))
}

/// Writes a list of `{ name, unit, value, range, extra }`. A file holds one direction only, so
/// speed stands beside an accuracy and not beside a loss.
pub(super) fn action_benchmark(report: &CheckReport, cells: &[CellSample]) -> String {
    let direction = report.metric.direction;
    let entries: Vec<Value> = gated(report, cells)
        .filter(|(cell, ..)| cell.metric.direction == direction)
        .map(|(cell, printed, summary)| {
            let spread = summary.sd.map(|sd| format!("± {:.4}", sd * printed.scale));
            json!({
                "name": format!("{} {}", benchmark_name(report, cell), cell.metric.name),
                "unit": printed.of_values(),
                "value": summary.mean * printed.scale,
                "range": spread,
                "extra": format!(
                    "n = {}; {}; {}; commit {}",
                    summary.n,
                    report.candidate.origin.engine,
                    report.candidate.origin.hardware,
                    report.candidate.origin.commit_to_look_for().unwrap_or("unknown"),
                ),
            })
        })
        .map(without_nulls)
        .collect();
    format!("{:#}\n", Value::Array(entries))
}

fn without_nulls(entry: Value) -> Value {
    match entry {
        Value::Object(fields) => {
            Value::Object(fields.into_iter().filter(|(_, value)| !value.is_null()).collect())
        }
        other => other,
    }
}

/// Returns the samples of the candidate's gated cells, gated metric and speed, in grid order.
fn gated<'a>(
    report: &'a CheckReport,
    cells: &'a [CellSample],
) -> impl Iterator<Item = (&'a CellSample, Printed, Summary)> {
    let assignments: BTreeSet<_> = report.cells.iter().map(|cell| &cell.assignment).collect();
    let is_gated = |metric: &MetricName| {
        let is_speed = report.speed.is_some() && *metric == MetricName::IMAGES_PER_SECOND;
        *metric == report.metric.name || is_speed
    };
    cells
        .iter()
        .filter(move |cell| assignments.contains(&cell.assignment) && is_gated(&cell.metric.name))
        .filter_map(|cell| {
            let summary = Summary::of(&cell.values)?;
            Some((cell, Printed::of(&cell.metric.unit), summary.within(cell.metric.range.ends())))
        })
}

fn benchmark_name(report: &CheckReport, cell: &CellSample) -> String {
    format!("{} {}", report.candidate.experiment, cell.name)
}
