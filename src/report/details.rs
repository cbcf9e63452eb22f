//! The tables of details: one row per cell, one row a published number.

use super::document::{CellLine, Counts, Role};
use super::layout::{Align, Split, TextColumn, TextTable};
use super::numbers::{Scale, counted, probability};
use super::pivot::ABSENT;
use super::spark::spark;
use super::text::{LOST, Presenter, with_spread};
use crate::base::{Metric, MetricName, Unit};
use gridbench_stats::{IntervalMethod, Summary};

/// Says where the list of cells is, where it is left out.
pub(super) const MORE: &str =
    "`bench report --full` lists every cell with interval, median, range and histogram";

/// Says where the cells are that the list leaves out.
pub(super) fn more_cells(left_out: usize) -> String {
    format!("{}: see `tables/cells.csv`", counted(left_out, "more cell"))
}

impl Presenter<'_> {
    /// Returns whether texts list what is known of every cell: where that is asked for, or short.
    pub(super) fn lists_cells(&self) -> bool {
        let section = self.section;
        section.is_full || section.cells.len() < 2 || !section.also.is_empty()
    }

    /// Returns one row per cell with everything known of it, at most `limit` rows, and how many
    /// cells are left out.
    pub(super) fn details(&self, limit: usize) -> (TextTable, usize) {
        let order = self.section.order.iter().take(limit);
        let cells: Vec<&CellLine> = order.map(|cell| &self.section.cells[*cell]).collect();
        let keys = self.cell_keys(&cells);
        let of = |head: &str, align, text: &dyn Fn(&CellLine) -> String| {
            TextColumn::plain(head, align, cells.iter().map(|cell| text(cell)).collect())
        };
        let summary = |pick: &dyn Fn(&Summary) -> Option<String>, cell: &CellLine| {
            cell.summary.as_ref().and_then(pick).unwrap_or_else(|| ABSENT.to_owned())
        };
        let scale = &self.scale;
        let tallest =
            self.section.cells.iter().flat_map(|cell| &cell.histogram).max().copied().unwrap_or(0);
        let mut columns = vec![
            of("n", Align::Right, &|cell| size(cell.counts)),
            of("mean ± SD", Align::Left, &|cell| {
                summary(&|found| Some(spread_of(scale, cell, found)), cell)
            }),
        ];
        // A single trial has no distribution to tell of.
        if self.section.findings.n_max > 1 {
            let varied = |cell: &CellLine, pick: &dyn Fn(&Summary) -> Option<String>| {
                if cell.is_deterministic { ABSENT.to_owned() } else { summary(pick, cell) }
            };
            columns.extend([
                of("SE", Align::Right, &|cell| varied(cell, &|found| Some(scale.value(found.se?)))),
                of("95 % interval", Align::Left, &|cell| {
                    varied(cell, &|found| Some(scale.interval(found.interval95?)))
                }),
                of("median", Align::Right, &|cell| {
                    summary(&|found| Some(scale.value(found.median)), cell)
                }),
                of("min", Align::Right, &|cell| {
                    summary(&|found| Some(scale.value(found.min)), cell)
                }),
                of("max", Align::Right, &|cell| {
                    summary(&|found| Some(scale.value(found.max)), cell)
                }),
            ]);
            if !self.section.histogram_edges.is_empty() {
                columns.push(of("histogram", Align::Left, &|cell| spark(&cell.histogram, tallest)));
            }
        }
        columns.extend(self.also_columns(&cells));
        columns.extend(self.cost_columns(&cells));
        (
            TextTable { banner: None, keys, columns, split: Split::Full },
            self.section.order.len() - cells.len(),
        )
    }

    /// Returns one column per metric that the experiment wants beside the first.
    pub(super) fn also_columns(&self, cells: &[&CellLine]) -> Vec<TextColumn> {
        let column = |metric: &Metric| {
            let of = |cell: &CellLine| cell.metrics.get(&metric.name).copied();
            let spread = cells.iter().copied().filter_map(of).filter_map(|found| found.sd);
            let scale = Scale::of(&metric.unit, spread.max_by(f64::total_cmp));
            let text = |cell: &CellLine| {
                of(cell).map_or_else(|| ABSENT.to_owned(), |found| with_spread(&scale, &found))
            };
            let head = metric.name.words();
            TextColumn::plain(head, Align::Left, cells.iter().copied().map(text).collect())
        };
        let shown = |metric: &&Metric| {
            metric.name != self.section.metric.name
                && cells.iter().any(|cell| cell.metrics.contains_key(&metric.name))
        };
        self.section.also.iter().filter(shown).map(column).collect()
    }

    /// Returns the columns that name the cells; axes on one side of the grids share a column.
    pub(super) fn cell_keys(&self, cells: &[&CellLine]) -> Vec<TextColumn> {
        let axes = &self.section.axes;
        let of_role = |role| (0..axes.len()).filter(|axis| axes[*axis].role == role).collect();
        let is_grid = self.section.grids.iter().any(|grid| grid.columns.is_some());
        let mut groups: Vec<Vec<usize>> = if is_grid {
            let apart: Vec<usize> = of_role(Role::Grids);
            apart.into_iter().map(|axis| vec![axis]).collect()
        } else {
            self.section.varying().map(|(axis, _)| vec![axis]).collect()
        };
        if is_grid {
            groups.extend([of_role(Role::Rows), of_role(Role::Columns)]);
        }
        let column = |group: &Vec<usize>| {
            let label: Vec<&str> = group.iter().map(|axis| axes[*axis].label.as_str()).collect();
            let text = |cell: &CellLine| {
                let value = |axis: &usize| axes[*axis].show_or_absent(cell.values[*axis].as_ref());
                group.iter().map(value).collect::<Vec<_>>().join("/")
            };
            let values = || group.iter().flat_map(|axis| &axes[*axis].values);
            let numeric = group.len() == 1 && values().all(|value| value.as_number().is_some());
            let align = if numeric { Align::Right } else { Align::Left };
            TextColumn::plain(label.join("/"), align, cells.iter().copied().map(text).collect())
        };
        groups.iter().map(column).collect()
    }

    /// Says how the intervals were found and what the histograms show; empty without a completed
    /// trial.
    pub(super) fn details_notes(&self) -> Vec<String> {
        let is_known = |cell: &CellLine| {
            cell.summary
                .is_some_and(|found| found.interval_method == Some(IntervalMethod::StudentT))
        };
        let intervals = self
            .section
            .cells
            .iter()
            .any(is_known)
            .then(|| "95 % intervals of the mean: Student's t".to_owned());
        let edges = &self.section.histogram_edges;
        let shown = edges.first().filter(|_| self.section.findings.n_max > 1);
        let histograms = shown.zip(edges.last()).map(|(low, high)| {
            format!(
                "histograms reach from {} to {} in bins of {}{}",
                self.scale.value(*low),
                self.scale.value(*high),
                self.scale.size(edges[1] - low),
                if self.section.cells.len() > 1 { ", the same for all cells" } else { "" },
            )
        });
        intervals.into_iter().chain(histograms).collect()
    }

    /// Returns the published numbers beside ours.
    pub(super) fn reference(&self) -> Option<TextTable> {
        let comparison = self.section.reference.as_ref()?;
        // A number stands for the metric of the report unless its own is named.
        let names_metric = comparison
            .matches
            .iter()
            .any(|found| found.published.metric != self.section.metric.name);
        let any_test = comparison.matches.iter().any(|found| found.p.is_some());
        let of = |head: &str, align, text: &dyn Fn(&super::reference::ReferenceMatch) -> String| {
            TextColumn::plain(head, align, comparison.matches.iter().map(text).collect())
        };
        let scale = |metric: &MetricName| match self.section.measured(metric) {
            Some(metric) if *metric != self.section.metric => Scale::of(&metric.unit, None),
            _ => self.scale.clone(),
        };
        let mut keys = vec![of("published", Align::Left, &|found| found.published.label.clone())];
        if names_metric {
            keys.push(of("metric", Align::Left, &|found| found.published.metric.words()));
        }
        let mut columns = vec![
            of("value", Align::Right, &|found| {
                let published = &found.published;
                let scale = scale(&published.metric);
                let spread = published.sd.map(|sd| format!(" ± {}", scale.value(sd)));
                let n = published.n.map(|n| format!(" (n = {n})"));
                format!(
                    "{}{}{}",
                    scale.value(published.mean),
                    spread.unwrap_or_default(),
                    n.unwrap_or_default()
                )
            }),
            of("ours", Align::Left, &|found| {
                let scale = scale(&found.published.metric);
                if found.ours.n < 2 {
                    return with_spread(&scale, &found.ours);
                }
                let text = spread_of(&scale, &self.section.cells[found.cell], &found.ours);
                format!("{text} (n = {})", found.ours.n)
            }),
            of("difference", Align::Right, &|found| {
                scale(&found.published.metric).signed(found.difference)
            }),
        ];
        if any_test {
            columns.push(of("p (Holm)", Align::Right, &|found| {
                found.p.map_or_else(|| ABSENT.to_owned(), probability)
            }));
        }
        Some(TextTable { banner: None, keys, columns, split: Split::Full })
    }
}

/// Prints a mean with its spread, or why it has none.
fn spread_of(scale: &Scale, cell: &CellLine, found: &Summary) -> String {
    if cell.is_deterministic {
        return format!("{} (deterministic)", scale.value(found.mean));
    }
    with_spread(scale, found)
}

/// Prints completed trials, with the planned ones where they differ.
fn size(counts: Counts) -> String {
    let done = if counts.unfinished > 0 {
        format!("{}/{}", counts.completed, counts.planned)
    } else {
        counts.completed.to_string()
    };
    match counts.lost() {
        0 => done,
        lost => format!("{done} {LOST}{lost}"),
    }
}

impl Presenter<'_> {
    /// Returns seconds and images per second, where they were measured.
    fn cost_columns(&self, cells: &[&CellLine]) -> Vec<TextColumn> {
        let costs = [MetricName::TRAIN_SECONDS, MetricName::IMAGES_PER_SECOND];
        let column = |name: &MetricName| {
            let unit = &self.section.measured(name)?.unit;
            let of = |cell: &CellLine| cell.metrics.get(name).copied();
            let spread = cells.iter().copied().filter_map(of).filter_map(|found| found.sd);
            let scale = Scale::of(unit, spread.max_by(f64::total_cmp));
            let text = |cell: &CellLine| match of(cell) {
                None => ABSENT.to_owned(),
                Some(Summary { mean, sd: Some(sd), .. }) => {
                    format!("{} ± {}", scale.value(mean), scale.value(sd))
                }
                Some(found) => format!("{} (n = 1)", scale.value(found.mean)),
            };
            let head = if *unit == Unit::SECONDS { "seconds" } else { unit.name() };
            cells.iter().any(|cell| of(cell).is_some()).then(|| {
                TextColumn::plain(head, Align::Right, cells.iter().copied().map(text).collect())
            })
        };
        costs.iter().filter_map(column).collect()
    }
}
