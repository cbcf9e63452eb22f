//! What a reader asks of finished results, beyond what their experiment asks.

use super::document::{CellLine, FrontLine, TradeOff};
use super::marks::Marks;
use crate::base::{Metric, MetricName};
use crate::experiment::value::Value;
use crate::results::ExperimentResults;

/// What to show of the cells, and in which order.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct View {
    /// Whether texts list what is known of every cell.
    pub full: bool,
    /// The order of that list.
    pub sort: Sort,
    /// The most cells of that list.
    pub top: Option<usize>,
    /// Which cells are good enough, and what is preferred among them.
    pub tolerance: Option<Tolerance>,
    /// Which of the cells are shown, where not all are.
    pub narrowed: Option<String>,
    /// The folder of the results, to tell experiments of one name apart.
    pub folder: Option<String>,
}

/// An order of cells.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Sort {
    /// By the report's metric, the best first.
    #[default]
    Best,
    /// As in the grid.
    Grid,
    /// By the values of an axis, its dotted key here, in the order of the grid.
    Axis(String),
    /// By another metric, the best first.
    Metric(MetricName),
}

/// How much worse than the best a cell may be.
#[derive(Debug, Clone, PartialEq)]
pub struct Tolerance {
    /// In the unit of the report's metric, accuracies as fractions.
    pub within: f64,
    /// What to prefer among cells that are good enough, the first most; at least one.
    pub prefer: Vec<MetricName>,
}

/// Returns the cells in the order asked for, those without a value last, at most `top`.
pub(super) fn order(results: &ExperimentResults, cells: &[CellLine], view: &View) -> Vec<usize> {
    let mut order: Vec<usize> = (0..cells.len()).collect();
    let by_mean = |metric: &Metric, cell: &usize| {
        let mean = cells[*cell].metrics.get(&metric.name).map(|found| found.mean);
        // Ascending keys, so that the sort keeps the grid's order among equals.
        mean.map_or(f64::INFINITY, |mean| -metric.sign() * mean)
    };
    match &view.sort {
        Sort::Grid => {}
        Sort::Best => {
            let metric = results.metric();
            order.sort_by(|a, b| by_mean(metric, a).total_cmp(&by_mean(metric, b)));
        }
        Sort::Metric(name) => {
            if let Some(metric) = results.facts.metric(name) {
                order.sort_by(|a, b| by_mean(metric, a).total_cmp(&by_mean(metric, b)));
            }
        }
        Sort::Axis(key) => {
            if let Some(axis) = results.axis(key) {
                let rank = |value: &Value| {
                    results.axes[axis].values.iter().position(|known| known == value)
                };
                let index = |cell: &usize| {
                    cells[*cell].values[axis].as_ref().and_then(rank).unwrap_or(usize::MAX)
                };
                order.sort_by_key(index);
            }
        }
    }
    order.truncate(view.top.unwrap_or(usize::MAX));
    order
}

/// Finds the preferred cell among those that are shown to be good enough, and the cells that no other
/// beats in every metric.
pub(super) fn trade_off(
    results: &ExperimentResults,
    marks: &Marks,
    tolerance: &Tolerance,
) -> Option<TradeOff> {
    let metric = results.metric();
    let prefer: Vec<&Metric> =
        tolerance.prefer.iter().filter_map(|name| results.facts.metric(name)).collect();
    let first = *prefer.first()?;
    let mean = |cell: usize, metric: &Metric| Some(results.summary(cell, &metric.name)?.mean);
    let cells = || 0..results.cells.len();
    let bounds: Vec<Option<f64>> = cells()
        .map(|cell| marks.overall.at_most_worse(cell).filter(|bound| bound.is_finite()))
        .collect();
    let bound = |cell: usize| bounds[cell];
    let is_within = |cell: &usize| bound(*cell).is_some_and(|bound| bound <= tolerance.within);
    let key = |cell: usize, metric: &Metric| {
        mean(cell, metric).map_or(f64::INFINITY, |mean| -metric.sign() * mean)
    };
    let chosen =
        cells().filter(is_within).filter(|cell| mean(*cell, first).is_some()).min_by(|a, b| {
            let by_preference =
                prefer.iter().map(|metric| key(*a, metric).total_cmp(&key(*b, metric)));
            by_preference.fold(std::cmp::Ordering::Equal, std::cmp::Ordering::then)
        });
    let mut all = vec![metric];
    all.extend(&prefer);
    let point = |cell: usize| all.iter().map(|metric| key(cell, metric)).collect::<Vec<f64>>();
    let points: Vec<Vec<f64>> = cells().map(point).collect();
    let is_known = |point: &[f64]| point.iter().all(|part| part.is_finite());
    let beats = |one: &[f64], other: &[f64]| {
        let pairs = || one.iter().zip(other);
        pairs().all(|(one, other)| one <= other) && pairs().any(|(one, other)| one < other)
    };
    let is_beaten = |cell: usize| points.iter().any(|other| beats(other, &points[cell]));
    let mut front: Vec<usize> =
        cells().filter(|cell| is_known(&points[*cell]) && !is_beaten(*cell)).collect();
    front.sort_by(|a, b| points[*a][0].total_cmp(&points[*b][0]));
    let line =
        |cell: usize| FrontLine { cell, at_most_worse: bound(cell), is_within: is_within(&cell) };
    Some(TradeOff {
        within: tolerance.within,
        prefer: prefer.into_iter().cloned().collect(),
        chosen: chosen.map(line),
        good_enough: cells().filter(is_within).count(),
        least: cells().filter_map(bound).min_by(f64::total_cmp),
        front: front.into_iter().map(line).collect(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::{Format, Page, Subject, build, render};
    use crate::results::fixture::{self, HandMade};

    /// Four networks, each larger one better and slower; seconds by the errors of the fixture.
    fn sizes() -> ExperimentResults {
        let axes: [(&str, &[&str]); 1] = [("ensemble.size", &["1", "2", "4", "8"])];
        let cells: [HandMade<'_>; 4] = [
            (&[Some("1")], &[40, 41, 39, 40, 42, 38]),
            (&[Some("2")], &[10, 11, 9, 10, 12, 8]),
            (&[Some("4")], &[9, 10, 8, 9, 11, 7]),
            (&[Some("8")], &[9, 9, 8, 10, 10, 8]),
        ];
        let mut results = fixture::experiment("sizes", &axes, &cells);
        for (index, cell) in results.cells.iter_mut().enumerate() {
            for trial in &mut cell.trials {
                let seconds = f64::from(1 << index) + 0.01 * f64::from(trial.repeat);
                trial.metrics.insert(MetricName::TRAIN_SECONDS, seconds);
            }
        }
        results
    }

    fn shown(results: &ExperimentResults, view: &View) -> String {
        let subject = Subject { view: Some(view), ..Subject::from(results) };
        render(&[subject], Format::Terminal, Page::default())
    }

    fn within(points: f64) -> View {
        let prefer = vec![MetricName::TRAIN_SECONDS];
        View { tolerance: Some(Tolerance { within: points / 100.0, prefer }), ..View::default() }
    }

    #[test]
    fn the_cheapest_cell_that_is_good_enough_is_named() {
        let results = sizes();
        let view = within(2.0);
        let subject = Subject { view: Some(&view), ..Subject::from(&results) };
        let found = build(&[subject]).experiments.remove(0).trade_off.unwrap();
        assert_eq!((found.chosen.unwrap().cell, found.good_enough), (1, 3));
        // Size 8 is no better than 4 in the mean and takes longer: it is beaten.
        assert_eq!(found.front.iter().map(|line| line.cell).collect::<Vec<_>>(), [2, 1, 0]);
        let text = shown(&results, &view);
        for part in [
            "the best in train seconds of 3 settings shown to be within 2.00 points of the best (95 %",
            "confidence): ensemble.size 2, train seconds 2",
        ] {
            let squeezed = text.split_whitespace().collect::<Vec<_>>().join(" ");
            assert!(squeezed.contains(part), "{part}:\n{text}");
        }
    }

    #[test]
    fn where_nothing_is_shown_to_be_good_enough_the_smallest_bound_is_told() {
        let text = shown(&sizes(), &within(0.001));
        let squeezed = text.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(squeezed.contains("no setting is shown to be within"), "{text}");
        assert!(squeezed.contains("the smallest bound is"), "{text}");
    }

    #[test]
    fn the_list_of_cells_is_in_the_order_asked_for() {
        let results = sizes();
        let of = |sort, top| {
            let view = View { full: true, sort, top, ..View::default() };
            let subject = Subject { view: Some(&view), ..Subject::from(&results) };
            build(&[subject]).experiments.remove(0).order
        };
        assert_eq!(of(Sort::Best, None), [2, 3, 1, 0]);
        assert_eq!(of(Sort::Grid, Some(2)), [0, 1]);
        assert_eq!(of(Sort::Metric(MetricName::TRAIN_SECONDS), Some(3)), [0, 1, 2]);
        assert_eq!(of(Sort::Axis("ensemble.size".to_owned()), None), [0, 1, 2, 3]);
    }
}
