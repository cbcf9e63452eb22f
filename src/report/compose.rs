//! From results to what is said of them: statistics, findings, warnings.

use std::collections::BTreeMap;

use super::document::{
    AxisLine, Best, CellLine, Counts, Detectable, Extreme, Findings, Noise, Role, Section, Spread,
};
use super::labels::{short_labels, short_values};
use super::pivot::Layout;
use super::predicted::Predicted;
use super::{cost, curves, effects, reference, rivals, warnings};
use crate::base::{Direction, Metric, Unit};
use crate::record::Outcome;
use crate::results::{CellResults, ExperimentResults, shared_histogram};
use crate::spec::experiment::Axis;
use crate::spec::value::Value;
use gridbench_stats::{self as stats, Summary};

/// Level of every test in a report.
const ALPHA: f64 = 0.05;
/// Power of the smallest detectable difference.
const POWER: f64 = 0.8;

/// Trials up to which the document lists every value.
const LISTED_TRIALS: usize = 5_000;

/// How much a section says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Depth {
    /// What the texts print.
    Text,
    /// What the charts show as well: effects and curves.
    Charts,
    /// Everything: every cell against the best one too, which takes resampling.
    Full,
}

/// Says what `results` show, laid out as their view asks.
#[must_use]
pub(super) fn section(
    results: &ExperimentResults,
    predicted: Option<Predicted>,
    depth: Depth,
) -> Section {
    let asked = &results.facts.report;
    let keys: Vec<&str> = results.axes.iter().map(|axis| axis.key.as_str()).collect();
    let labels = short_labels(&keys);
    let layout = Layout::choose(results, asked);
    let shown: Vec<Vec<String>> =
        results.axes.iter().map(|axis| short_values(&axis.values)).collect();
    let grids = layout.grids(results, &labels, &shown);
    let metric = asked.metric;
    let samples: Vec<Vec<f64>> = results.cells.iter().map(|cell| cell.sample(metric)).collect();
    let (edges, histograms) = shared_histogram(results, metric).unwrap_or_default();
    let mut cells: Vec<CellLine> =
        (0..results.cells.len()).map(|cell| line(results, cell, metric)).collect();
    for (cell, histogram) in cells.iter_mut().zip(histograms) {
        cell.histogram = histogram;
    }
    mark(
        &mut cells,
        &samples,
        metric,
        grids
            .iter()
            .map(|grid| grid.entries.iter().flatten().flatten().copied().collect::<Vec<_>>()),
    );
    let axis = |(place, (facts, label)): (usize, (&Axis, &String))| AxisLine {
        key: facts.key.clone(),
        label: label.clone(),
        values: facts.values.clone(),
        shown: shown[place].clone(),
        role: layout.role(place),
    };
    let mut section = Section {
        name: results.facts.name.clone(),
        question: results.facts.question.clone(),
        model: results.facts.model.clone(),
        datasets: results.facts.datasets.clone(),
        seed: results.facts.seed,
        repeats: results.cells.iter().map(|cell| cell.planned).max().unwrap_or(0),
        counts: total(&cells),
        metric,
        also: asked.also.clone(),
        axes: results.axes.iter().zip(&labels).enumerate().map(axis).collect(),
        grids,
        findings: findings(results, &cells, &samples, metric),
        cells,
        histogram_edges: edges,
        warnings: Vec::new(),
        reference: None,
        effects: Vec::new(),
        grid_variances: Vec::new(),
        curves: Vec::new(),
        predicted,
        selection: selection(results),
        cost: cost::cost(results, &labels, &shown),
        origin: results.facts.origin.clone(),
    };
    section.reference = asked
        .reference
        .as_deref()
        .and_then(reference::find)
        .map(|table| reference::compare(&table, results, &section));
    section.warnings = warnings::warnings(results, &section);
    if depth >= Depth::Charts {
        add_charted(&mut section, results, &samples);
    }
    if depth >= Depth::Full {
        let comparisons = rivals::against_best(&section, &samples);
        for (cell, comparison) in section.cells.iter_mut().zip(comparisons) {
            cell.against_best = comparison;
        }
    }
    section
}

/// Adds what charts show beyond the texts.
fn add_charted(section: &mut Section, results: &ExperimentResults, samples: &[Vec<f64>]) {
    section.effects = effects::axis_effects(section, samples);
    section.grid_variances = effects::grid_variances(&section.grids, samples);
    section.curves = curves::curves(results);
    if section.counts.completed <= LISTED_TRIALS {
        for (cell, sample) in section.cells.iter_mut().zip(samples) {
            cell.trials.clone_from(sample);
        }
    }
}

/// Says which weights were evaluated, where all cells agree.
fn selection(results: &ExperimentResults) -> Option<String> {
    const KEY: &str = "train.stop.restore-best";
    if results.axis(KEY).is_some() {
        return None;
    }
    match results.facts.base.get(KEY) {
        Some(Value::Bool(true)) => {
            Some("the weights of the epoch best on the validation images".to_owned())
        }
        Some(Value::Bool(false)) => Some("the weights after the last epoch".to_owned()),
        _ => None,
    }
}

fn noise(results: &ExperimentResults, metric: Metric, found: &Summary) -> Option<Noise> {
    let images = results.facts.test_images().filter(|_| metric == Metric::TestAccuracy)? as usize;
    let predicted_sd = stats::predicted_accuracy_sd(1.0 - found.mean, images)?;
    let ratio = found.sd? / predicted_sd;
    ratio.is_finite().then(|| Noise {
        predicted_sd,
        ratio,
        is_unstable: ratio > warnings::UNSTABLE,
        test_set_interval95: stats::wilson(found.mean * images as f64, images, 0.95),
    })
}

/// Returns whether larger values of `metric` are better.
fn maximizes(metric: Metric) -> bool {
    metric.direction() == Direction::Maximize
}

fn line(results: &ExperimentResults, index: usize, metric: Metric) -> CellLine {
    let cell: &CellResults = &results.cells[index];
    let metrics: BTreeMap<String, Summary> = Metric::ALL
        .into_iter()
        .filter_map(|metric| Some((metric.column(), *results.summary(index, metric)?)))
        .collect();
    let count = |outcome| cell.count(outcome);
    let mut counts = Counts {
        planned: cell.planned as usize,
        completed: count(Outcome::Completed),
        failed: count(Outcome::Failed),
        diverged: count(Outcome::Diverged),
        timed_out: count(Outcome::TimedOut),
        unfinished: 0,
    };
    counts.unfinished = counts.planned.saturating_sub(counts.completed + counts.lost());
    let summary = metrics.get(&metric.column()).copied();
    CellLine {
        id: cell.id,
        name: cell.name.clone(),
        values: cell.values.clone(),
        counts,
        summary,
        inseparable_from_best: false,
        inseparable_in_grid: false,
        histogram: Vec::new(),
        trials: Vec::new(),
        is_deterministic: is_deterministic(&metrics),
        noise: summary.and_then(|found| noise(results, metric, &found)),
        against_best: None,
        metrics,
    }
}

/// Marks the cells that cannot be told apart from the best, overall and within each grid.
fn mark(
    cells: &mut [CellLine],
    samples: &[Vec<f64>],
    metric: Metric,
    grids: impl Iterator<Item = Vec<usize>>,
) {
    let inseparable = |members: &[usize]| {
        let samples: Vec<&[f64]> = members.iter().map(|cell| samples[*cell].as_slice()).collect();
        stats::inseparable_from_best(&samples, maximizes(metric), ALPHA)
    };
    let all: Vec<usize> = (0..cells.len()).collect();
    for (cell, mark) in cells.iter_mut().zip(inseparable(&all)) {
        cell.inseparable_from_best = mark;
    }
    for members in grids {
        for (cell, mark) in members.iter().zip(inseparable(&members)) {
            cells[*cell].inseparable_in_grid = mark;
        }
    }
}

fn total(cells: &[CellLine]) -> Counts {
    cells.iter().fold(Counts::default(), |sum, cell| Counts {
        planned: sum.planned + cell.counts.planned,
        completed: sum.completed + cell.counts.completed,
        failed: sum.failed + cell.counts.failed,
        diverged: sum.diverged + cell.counts.diverged,
        timed_out: sum.timed_out + cell.counts.timed_out,
        unfinished: sum.unfinished + cell.counts.unfinished,
    })
}

fn findings(
    results: &ExperimentResults,
    cells: &[CellLine],
    samples: &[Vec<f64>],
    metric: Metric,
) -> Findings {
    let slices: Vec<&[f64]> =
        samples.iter().map(Vec::as_slice).filter(|sample| !sample.is_empty()).collect();
    let sizes = || slices.iter().map(|sample| sample.len());
    let pooled_sd = stats::pooled_sd(&slices).map(|(sd, _)| sd);
    let n_min = sizes().min().unwrap_or(0);
    let testable = sizes().filter(|n| *n > 1).count();
    Findings {
        alpha: ALPHA,
        comparisons: testable.saturating_sub(1),
        n_min,
        n_max: sizes().max().unwrap_or(0),
        pooled_sd,
        detectable: pooled_sd.and_then(|sd| detectable(sd, typical(sizes()))),
        best: best(results, cells, metric),
        extreme: extreme(&slices, metric),
        spread: spread(results, &slices, metric, pooled_sd),
    }
}

/// Returns the median, so that one cell that lost a trial does not speak for all.
fn typical(sizes: impl Iterator<Item = usize>) -> usize {
    let mut sizes: Vec<usize> = sizes.collect();
    sizes.sort_unstable();
    sizes.get(sizes.len() / 2).copied().unwrap_or(0)
}

fn detectable(sd: f64, n: usize) -> Option<Detectable> {
    let difference = stats::smallest_detectable_difference(sd, n, ALPHA, POWER)?;
    let half = 0.5 * difference;
    let repeats_for_half = stats::repeats_needed(sd, half, ALPHA, POWER)?;
    Some(Detectable { n, difference, half, repeats_for_half })
}

fn best(results: &ExperimentResults, cells: &[CellLine], metric: Metric) -> Option<Best> {
    let mean = |cell: usize| cells[cell].summary.map(|summary| summary.mean);
    let better = |a: f64, b: f64| if maximizes(metric) { a > b } else { a < b };
    let mut best: Option<(usize, f64)> = None;
    for cell in 0..cells.len() {
        if let Some(mean) = mean(cell)
            && best.is_none_or(|(_, best)| better(mean, best))
        {
            best = Some((cell, mean));
        }
    }
    let (cell, mean) = best?;
    let test_images =
        results.facts.test_images().filter(|_| metric == Metric::TestAccuracy).map(|n| n as usize);
    Some(Best {
        cell,
        inseparable: cells.iter().filter(|cell| cell.inseparable_from_best).count(),
        test_set_interval95: test_images.and_then(|n| stats::wilson(mean * n as f64, n, 0.95)),
    })
}

fn extreme(samples: &[&[f64]], metric: Metric) -> Option<Extreme> {
    let sign = if maximizes(metric) { 1.0 } else { -1.0 };
    let values = || samples.iter().flat_map(|sample| sample.iter().map(|value| sign * value));
    let value = values().max_by(f64::total_cmp)?;
    let groups: Vec<stats::Moments> = samples
        .iter()
        .filter_map(|sample| stats::Moments::of(sample))
        .map(|moments| stats::Moments { mean: sign * moments.mean, ..moments })
        .collect();
    Some(Extreme {
        value: sign * value,
        of: values().count(),
        expected: stats::expected_max_of_groups(&groups).map(|expected| sign * expected),
    })
}

fn spread(
    results: &ExperimentResults,
    samples: &[&[f64]],
    metric: Metric,
    pooled_sd: Option<f64>,
) -> Option<Spread> {
    let test_images = results.facts.test_images().filter(|_| metric == Metric::TestAccuracy)?;
    let values: Vec<f64> = samples.concat();
    let error = 1.0 - stats::Moments::of(&values)?.mean;
    let predicted = stats::predicted_accuracy_sd(error, test_images as usize)?;
    Some(Spread { predicted, seen: pooled_sd?, test_images })
}

/// Returns whether all completed trials gave the same results to the bit, losses among them: equal
/// accuracies alone happen by chance.
fn is_deterministic(metrics: &BTreeMap<String, Summary>) -> bool {
    let of = |unit| Metric::ALL.into_iter().filter(move |metric: &Metric| metric.unit() == unit);
    let found = |metric: Metric| metrics.get(&metric.column());
    let same = |metric: Metric| {
        found(metric).is_none_or(|found| found.n > 1 && found.min.to_bits() == found.max.to_bits())
    };
    let mut losses = of(Unit::Nats).filter(|metric| found(*metric).is_some()).peekable();
    losses.peek().is_some() && losses.all(same) && of(Unit::Fraction).all(same)
}

impl AxisLine {
    /// Returns a value of the axis as the grids show it.
    #[must_use]
    pub fn show(&self, value: &Value) -> String {
        let index = self.values.iter().position(|known| known == value);
        index.map_or_else(|| value.to_string(), |index| self.shown[index].clone())
    }

    /// Returns a value as the grids show it; a dash where the axis does not exist.
    #[must_use]
    pub fn show_or_absent(&self, value: Option<&Value>) -> String {
        value.map_or_else(|| super::pivot::ABSENT.to_owned(), |value| self.show(value))
    }
}

impl Section {
    /// Returns the axes that differ between cells, with their index.
    pub fn varying(&self) -> impl Iterator<Item = (usize, &AxisLine)> {
        self.axes.iter().enumerate().filter(|(_, axis)| axis.role != Role::Fixed)
    }

    /// Returns the values of a cell on axes that move together, joined, for example `10/0.1`.
    #[must_use]
    pub fn show_joined(&self, cell: usize, axes: &[usize]) -> String {
        let texts = axes
            .iter()
            .map(|axis| self.axes[*axis].show_or_absent(self.cells[cell].values[*axis].as_ref()));
        texts.collect::<Vec<_>>().join("/")
    }

    /// Describes a cell by its varying axes, for example `shift 0.1, rotation 10`.
    #[must_use]
    pub fn describe(&self, cell: usize) -> String {
        let part = |(place, axis): (usize, &AxisLine)| {
            let value = axis.show(self.cells[cell].values[place].as_ref()?);
            Some(format!("{} {value}", axis.label))
        };
        self.varying().filter_map(part).collect::<Vec<_>>().join(", ")
    }
}
