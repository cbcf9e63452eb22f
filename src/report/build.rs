//! From results to what is said of them: statistics, findings, warnings.

use std::collections::BTreeMap;

use super::confirm::best_cells;
use super::confirm::measure::{errors, shrunken};
use super::document::{
    AxisLine, Best, CellLine, Counts, Detectable, Extreme, Findings, Hopeless, Noise, Section,
    Spread,
};
use super::labels::{short_labels, short_values};
use super::marks::{Marks, floor};
use super::pivot::Layout;
use super::predicted::Predicted;
use super::versus_best::{self, AgainstBest, Reach};
use super::view::{View, order, trade_off};
use super::{cost, curves, effects, reference, warnings};
use crate::base::{Metric, MetricName, Unit};
use crate::experiment::value::Value;
use crate::record::Outcome;
use crate::results::{CellResults, ExperimentResults, shared_histogram};
use gridbench_stats::{self as stats, BestSet, Summary};

/// Level of every test in a report.
const ALPHA: f64 = 0.05;
/// Power of the smallest detectable difference: as sure as that the best is among those marked.
const POWER: f64 = 0.95;
/// Power at which the difference is worked out that is stated to be seen with [`POWER`]: so the statement
/// holds in cells that differ in spread, too (`docs/statistics.md` has the simulation).
const SURE: f64 = 0.97;
/// Trials per cell from which the number that shows a difference is worked out: so many know their
/// spread.
const MANY: usize = 64;

/// Repeats beyond which nobody is sent.
const MAX_REPEATS: usize = 1_000;

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

/// Says what `results` show, laid out as their experiment asks.
pub(super) fn section(
    results: &ExperimentResults,
    predicted: Option<Predicted>,
    view: &View,
    depth: Depth,
) -> Section {
    let asked = &results.facts.report;
    let layout = Layout::choose(results, asked);
    let axes = axis_lines(results, &layout);
    let grids = layout.grids(results, &axes);
    let metric = results.metric();
    let samples: Vec<Vec<f64>> =
        results.cells.iter().map(|cell| cell.sample(&metric.name)).collect();
    let of_tests: Vec<Vec<f64>> = samples.iter().map(|sample| for_tests(results, sample)).collect();
    let (histogram_edges, histograms) = shared_histogram(results, metric).unwrap_or_default();
    // What compares cells, beside what each cell is by itself.
    let ((marks, findings), (lines, cost)) = rayon::join(
        || {
            let marks = Marks::of(results, metric, &grids);
            let findings = findings(results, &marks, (&samples, &of_tests), metric);
            (marks, findings)
        },
        || {
            let lines = (0..results.cells.len()).map(|index| line(results, index, metric));
            (lines.collect::<Vec<CellLine>>(), cost::cost(results, &axes))
        },
    );
    let comparisons = if depth >= Depth::Full {
        against_best(results, &findings, &marks, &of_tests)
    } else {
        vec![None; samples.len()]
    };
    let is_charted = depth >= Depth::Charts;
    let listed = is_charted && samples.iter().map(Vec::len).sum::<usize>() <= LISTED_TRIALS;
    let cells: Vec<CellLine> = lines
        .into_iter()
        .enumerate()
        .map(|(index, line)| CellLine {
            inseparable_from_best: marks.overall.members[index],
            inseparable_in_grid: marks.in_grid[index],
            histogram: histograms.get(index).cloned().unwrap_or_default(),
            trials: if listed { samples[index].clone() } else { Vec::new() },
            against_best: comparisons[index],
            ..line
        })
        .collect();
    let counts = total(&cells);
    let shipped = || asked.reference.as_deref().and_then(reference::find);
    let reference = asked.reference_table.as_ref().or_else(shipped);
    let best = findings.best.map(|best| best.cell);
    let reference = reference.map(|table| reference::compare(table, results, best));
    let warnings = warnings::warnings(&warnings::Evidence {
        results,
        axes: &axes,
        cells: &cells,
        counts,
        findings: &findings,
        reference: reference.as_ref(),
        narrowed: view.narrowed.as_deref(),
    });
    Section {
        name: results.facts.name.clone(),
        called: results.facts.name.clone(),
        question: results.facts.question.clone(),
        model: results.facts.model.clone(),
        datasets: results.facts.datasets.clone(),
        seed: results.facts.seed,
        repeats: results.cells.iter().map(|cell| cell.planned).max().unwrap_or(0),
        folds: results.facts.folds,
        adopted: results.facts.adopted.clone(),
        counts,
        metric: metric.clone(),
        also: asked.also.iter().filter_map(|name| results.facts.metric(name).cloned()).collect(),
        metrics: results.metrics().cloned().collect(),
        effects: if is_charted {
            effects::axis_effects(&axes, &cells, &of_tests)
        } else {
            Vec::new()
        },
        grid_variances: if is_charted {
            effects::grid_variances(&grids, &samples)
        } else {
            Vec::new()
        },
        curves: if is_charted { curves::curves(results) } else { Vec::new() },
        cost,
        trade_off: view.tolerance.as_ref().and_then(|asked| trade_off(results, &marks, asked)),
        order: order(results, &cells, view),
        is_full: view.full,
        axes,
        grids,
        findings,
        cells,
        histogram_edges,
        warnings,
        reference,
        predicted,
        selection: selection(results),
        origin: results.facts.origin.clone(),
    }
}

/// Compares every cell with the best, by the rule of the marks, where there is anything to compare.
fn against_best(
    results: &ExperimentResults,
    findings: &Findings,
    marks: &Marks,
    of_tests: &[Vec<f64>],
) -> Vec<Option<AgainstBest>> {
    let Some(best) = findings.best.filter(|_| findings.comparisons > 0) else {
        return vec![None; of_tests.len()];
    };
    let reach = || {
        let found = findings.detectable?;
        let (sd, cells) = (findings.pooled_sd?, found.cells);
        let difference = stats::detectable_from_best(sd, MANY, cells, ALPHA, POWER)?;
        Some(Reach { n: MANY, difference, present: found.n })
    };
    let are_folds = results.facts.folds.is_some();
    let question = (best.cell, of_tests, are_folds);
    versus_best::against_best(results.metric(), question, &marks.overall, reach())
}

/// Returns the values of a cell as tests are to see them.
fn for_tests(results: &ExperimentResults, sample: &[f64]) -> Vec<f64> {
    let values = results.facts.for_tests(sample.iter().copied().map(Some).collect());
    values.into_iter().flatten().collect()
}

fn axis_lines(results: &ExperimentResults, layout: &Layout) -> Vec<AxisLine> {
    let keys: Vec<&str> = results.axes.iter().map(|axis| axis.key.as_str()).collect();
    let labels = short_labels(&keys);
    let lines = results.axes.iter().zip(labels).enumerate();
    lines
        .map(|(index, (axis, label))| AxisLine {
            key: axis.key.clone(),
            label,
            values: axis.values.clone(),
            shown: short_values(&axis.values),
            role: layout.role(index),
        })
        .collect()
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

/// Returns the number of test images that `metric` counts.
fn counted_images(results: &ExperimentResults, metric: &Metric) -> Option<usize> {
    let images = results.facts.test_images().filter(|_| metric.counts_test_images())?;
    Some(images as usize)
}

fn noise(
    results: &ExperimentResults,
    index: usize,
    metric: &Metric,
    found: &Summary,
) -> Option<Noise> {
    let images = counted_images(results, metric)?;
    // The formula is that of networks trained alone; ensembles vary less.
    let predicted_sd = stats::predicted_accuracy_sd(1.0 - found.mean, images)
        .filter(|_| cost::ensemble_size(results, &results.cells[index]) == 1);
    let ratio = found
        .sd
        .zip(predicted_sd)
        .map(|(sd, predicted)| sd / predicted)
        .filter(|ratio| ratio.is_finite());
    Some(Noise {
        predicted_sd,
        ratio,
        is_unstable: ratio.is_some_and(|ratio| ratio > warnings::UNSTABLE),
        test_set_interval95: stats::wilson(found.mean * images as f64, images, 0.95),
    })
}

/// Says of a cell what needs no other cell.
fn line(results: &ExperimentResults, index: usize, metric: &Metric) -> CellLine {
    let cell: &CellResults = &results.cells[index];
    let metrics: BTreeMap<MetricName, Summary> = results
        .facts
        .metrics
        .iter()
        .filter_map(|metric| Some((metric.name.clone(), *results.summary(index, &metric.name)?)))
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
    let summary = metrics.get(&metric.name).copied();
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
        is_deterministic: is_deterministic(&results.facts.metrics, &metrics),
        noise: summary.and_then(|found| noise(results, index, metric, &found)),
        against_best: None,
        metrics,
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
    marks: &Marks,
    (samples, of_tests): (&[Vec<f64>], &[Vec<f64>]),
    metric: &Metric,
) -> Findings {
    // What more repeats would do is not asked of folds, of which there are no more.
    let is_of_repeats = results.facts.folds.is_none();
    let slices: Vec<&[f64]> =
        samples.iter().map(Vec::as_slice).filter(|sample| !sample.is_empty()).collect();
    let sizes = || slices.iter().map(|sample| sample.len());
    let pooled_sd = stats::pooled_sd(&slices).map(|(sd, _)| sd);
    let n_min = sizes().min().unwrap_or(0);
    let estimates = errors(of_tests, floor(results, metric));
    let detectable =
        is_of_repeats.then(|| detectable(&marks.overall, typical(sizes()), slices.len())).flatten();
    let testable = sizes().filter(|n| *n > 1).count();
    Findings {
        alpha: ALPHA,
        comparisons: testable.saturating_sub(1),
        n_min,
        n_max: sizes().max().unwrap_or(0),
        pooled_sd,
        detectable,
        hopeless: detectable.and_then(|found| hopeless(marks, &slices, pooled_sd?, &found)),
        best: best(results, marks, &estimates, metric),
        extreme: extreme(samples, &estimates, metric).filter(|_| is_of_repeats),
        spread: spread(results, samples, metric),
    }
}

/// Returns the median, so that one cell that lost a trial does not speak for all.
fn typical(sizes: impl Iterator<Item = usize>) -> usize {
    let mut sizes: Vec<usize> = sizes.collect();
    sizes.sort_unstable();
    sizes.get(sizes.len() / 2).copied().unwrap_or(0)
}

fn detectable(set: &BestSet, n: usize, cells: usize) -> Option<Detectable> {
    let stats::Detectable { usual, noisiest } = set.detectable(SURE)?;
    // Errors fall with the root of the number of trials, and critical values fall too.
    Some(Detectable {
        n,
        cells,
        difference: usual,
        in_noisiest: noisiest,
        half: 0.5 * usual,
        repeats_for_half: 4 * n,
    })
}

/// Says so where every cell may be the best and the means lie closer than what would show.
fn hopeless(
    marks: &Marks,
    samples: &[&[f64]],
    sd: f64,
    detectable: &Detectable,
) -> Option<Hopeless> {
    let &Detectable { n, cells, difference, .. } = detectable;
    let marked = marks.overall.members.iter().filter(|mark| **mark).count();
    let means = || samples.iter().filter_map(|sample| Some(stats::Moments::of(sample)?.mean));
    let seen = means().max_by(f64::total_cmp)? - means().min_by(f64::total_cmp)?;
    if cells < 3 || marked < cells || seen >= difference || seen <= 0.0 {
        return None;
    }
    let repeats = stats::repeats_to_leave_best(sd, seen, cells, (ALPHA, POWER), MAX_REPEATS);
    let repeats = repeats.filter(|repeats| *repeats > n);
    Some(Hopeless { n, cells, seen, difference, repeats })
}

fn best(
    results: &ExperimentResults,
    marks: &Marks,
    estimates: &[Option<stats::Estimate>],
    metric: &Metric,
) -> Option<Best> {
    let cell = *best_cells(results, metric, 1).first()?;
    let mean = results.summary(cell, &metric.name)?.mean;
    Some(Best {
        cell,
        inseparable: marks.overall.members.iter().filter(|mark| **mark).count(),
        expected: shrunken(estimates, metric)[cell],
        test_set_interval95: counted_images(results, metric)
            .and_then(|n| stats::wilson(mean * n as f64, n, 0.95)),
    })
}

/// Finds the best single trial, and what the best of so many is expected to be by shrunken means and
/// moderated spreads: raw ones expect far too much.
fn extreme(
    samples: &[Vec<f64>],
    estimates: &[Option<stats::Estimate>],
    metric: &Metric,
) -> Option<Extreme> {
    let sign = metric.sign();
    let values = || samples.iter().flatten().map(|value| sign * value);
    let value = values().max_by(f64::total_cmp)?;
    let means = shrunken(estimates, metric);
    let groups: Option<Vec<stats::Moments>> = samples
        .iter()
        .zip(estimates)
        .zip(&means)
        .filter(|((sample, _), _)| !sample.is_empty())
        .map(|((sample, estimate), mean)| {
            let estimate = estimate.as_ref().filter(|known| known.degrees_of_freedom > 0.0)?;
            let sd = (estimate.squared_error * sample.len() as f64).sqrt();
            let mean = mean.unwrap_or(estimate.mean);
            Some(stats::Moments { n: sample.len(), mean, sd: Some(sd) })
        })
        .collect();
    let best = |groups: Vec<stats::Moments>| {
        stats::expected_best(&groups, metric.is_maximized(), metric.range.ends())
    };
    Some(Extreme { value: sign * value, of: values().count(), expected: groups.and_then(best) })
}

/// Holds the spread of networks trained alone against what the test images explain.
fn spread(results: &ExperimentResults, samples: &[Vec<f64>], metric: &Metric) -> Option<Spread> {
    let test_images = counted_images(results, metric)?;
    let is_single = |index: &usize| cost::ensemble_size(results, &results.cells[*index]) == 1;
    let single: Vec<&[f64]> = (0..samples.len())
        .filter(is_single)
        .map(|index| samples[index].as_slice())
        .filter(|sample| !sample.is_empty())
        .collect();
    let error = 1.0 - stats::Moments::of(&single.concat())?.mean;
    let predicted = stats::predicted_accuracy_sd(error, test_images)?;
    let (seen, _) = stats::pooled_sd(&single)?;
    let all = samples.iter().filter(|sample| !sample.is_empty()).count();
    let test_images = test_images as u64;
    Some(Spread { predicted, seen, test_images, is_of_single_networks: single.len() < all })
}

/// Returns whether all completed trials gave the same results to the bit, losses among them: equal
/// accuracies alone happen by chance.
fn is_deterministic(declared: &[Metric], found: &BTreeMap<MetricName, Summary>) -> bool {
    let is_of_seed = |metric: &&Metric| !metric.unit.is_cost() && metric.unit != Unit::COUNT;
    let of_seed = || declared.iter().filter(is_of_seed);
    let same = |metric: &Metric| {
        found
            .get(&metric.name)
            .is_none_or(|found| found.n > 1 && found.min.to_bits() == found.max.to_bits())
    };
    let is_fine =
        |metric: &Metric| metric.unit != Unit::FRACTION && found.contains_key(&metric.name);
    of_seed().any(is_fine) && of_seed().all(same)
}

impl AxisLine {
    /// Returns a value of the axis as the grids show it.
    pub(crate) fn show(&self, value: &Value) -> String {
        let index = self.values.iter().position(|known| known == value);
        index.map_or_else(|| value.to_string(), |index| self.shown[index].clone())
    }

    /// Returns a value as the grids show it; a dash where the axis does not exist.
    pub(crate) fn show_or_absent(&self, value: Option<&Value>) -> String {
        value.map_or_else(|| super::pivot::ABSENT.to_owned(), |value| self.show(value))
    }
}
