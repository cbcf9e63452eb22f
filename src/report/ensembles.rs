//! Ensembles of every size as a table: what the stored predictions show beyond the cells.

use super::document::Section;
use super::layout::{Align, TextColumn, TextTable};
use super::numbers::{Scale, counted};
use super::pivot::ABSENT;
use super::predicted::EnsembleGroup;
use super::text::Presenter;
use crate::base::{MetricName, Unit};
use gridbench_stats::EnsemblePoint;

/// Sizes that are listed, beside the experiment's own and the largest.
const SIZES: [usize; 8] = [1, 2, 3, 5, 10, 15, 20, 25];

/// The ensembles of one group of networks.
pub(super) struct EnsembleTable {
    /// Whose networks.
    pub title: String,
    /// One row a size.
    pub table: TextTable,
    /// How to read it.
    pub note: &'static str,
}

/// Returns the groups of networks, that of the best cell first.
pub(super) fn ranked(section: &Section) -> Vec<&EnsembleGroup> {
    let Some(predicted) = &section.predicted else { return Vec::new() };
    let mut groups: Vec<&EnsembleGroup> = predicted.ensembles.iter().collect();
    let sign = section.metric.sign();
    let rank = |group: &EnsembleGroup| {
        let means = group.cells.iter().filter_map(|cell| section.cells[*cell].summary);
        means.map(|found| sign * found.mean).fold(f64::NEG_INFINITY, f64::max)
    };
    groups.sort_by(|a, b| rank(b).total_cmp(&rank(a)));
    groups
}

/// Returns how the accuracies of ensembles are printed: single trials have no spread, but single
/// networks do.
pub(super) fn scale(section: &Section) -> Scale {
    let pooled =
        section.findings.pooled_sd.filter(|_| section.metric.name == MetricName::TEST_ACCURACY);
    let single = || ranked(section).first()?.points.first()?.sd;
    Scale::of(&Unit::FRACTION, pooled.or_else(single))
}

impl Presenter<'_> {
    /// Returns the ensembles of the best cell's networks; nothing where there is one network only.
    pub(super) fn ensembles(&self) -> Option<EnsembleTable> {
        let section = self.section;
        let groups = ranked(section);
        let group = groups.first().filter(|group| group.points.len() > 1)?;
        let asked = section.axes.iter().filter(|axis| axis.key == "ensemble.size");
        let asked: Vec<usize> = asked
            .flat_map(|axis| &axis.values)
            .filter_map(|value| value.as_whole()?.try_into().ok())
            .collect();
        let largest = group.points.last()?.size;
        let is_listed = |point: &&EnsemblePoint| {
            [SIZES.as_slice(), &asked, &[largest]].concat().contains(&point.size)
        };
        let points: Vec<&EnsemblePoint> = group.points.iter().filter(is_listed).collect();
        let scale = scale(section);
        let of = |head: &str, align, text: &dyn Fn(&EnsemblePoint) -> String| {
            TextColumn::plain(head, align, points.iter().map(|point| text(point)).collect())
        };
        let mut columns = vec![of("mean ± SD (n)", Align::Left, &|point| {
            let mean = scale.value(point.mean);
            match point.sd {
                Some(sd) => format!("{mean} ± {} (n = {})", scale.value(sd), point.ensembles),
                None => format!("{mean} (n = 1, no spread)"),
            }
        })];
        let is_drawn = points.iter().any(|point| point.resampled95.is_some());
        if is_drawn {
            columns.push(of("95 % drawn anew", Align::Left, &|point| {
                point.resampled95.map_or_else(|| ABSENT.to_owned(), |ends| scale.interval(ends))
            }));
        }
        let keys = vec![of("networks", Align::Right, &|point| point.size.to_string())];
        let name = match networks(section, group.cells[0]) {
            name if name.is_empty() => String::new(),
            name => format!(" at {name}"),
        };
        let best = if groups.len() > 1 { ", the setting with the best mean" } else { "" };
        Some(EnsembleTable {
            title: format!(
                "ensembles of the {}{name}{best}, test accuracy{}",
                counted(group.members, "network"),
                scale.unit()
            ),
            table: TextTable { banner: None, keys, columns, ..TextTable::default() },
            note: if is_drawn {
                "disjoint ensembles of each size, n of them; drawn anew: what 95 % of ensembles reach \
                 whose networks are drawn from these, with replacement"
            } else {
                "disjoint ensembles of each size, n of them"
            },
        })
    }
}

/// Describes a cell by what its networks share.
fn networks(section: &Section, cell: usize) -> String {
    let part = |(index, axis): (usize, &super::document::AxisLine)| {
        let value = section.cells[cell].values[index].as_ref()?;
        let is_own = !axis.key.starts_with("ensemble.");
        is_own.then(|| format!("{} {}", axis.label, axis.show(value)))
    };
    section.varying().filter_map(part).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::predicted::Predicted;
    use crate::report::{Format, Page, Subject, render};
    use crate::results::fixture::{self, HandMade};

    #[test]
    fn every_text_shows_the_ensembles_and_their_intervals() {
        let cells: [HandMade<'_>; 2] = [(&[Some("1")], &[5]), (&[Some("4")], &[4])];
        let axes: [(&str, &[&str]); 1] = [("ensemble.size", &["1", "4"])];
        let results = fixture::experiment("e", &axes, &cells);
        let point = |size, ensembles, mean, sd, resampled95| EnsemblePoint {
            size,
            ensembles,
            mean,
            sd,
            resampled95,
        };
        let points = vec![
            point(1, 8, 0.9965, Some(0.000_37), Some((0.9958, 0.9972))),
            point(4, 2, 0.9971, Some(0.000_11), Some((0.9967, 0.9975))),
            point(7, 1, 0.9975, None, Some((0.9970, 0.9978))),
            point(8, 1, 0.9976, None, None),
        ];
        let ensembles = vec![EnsembleGroup { cells: vec![0, 1], members: 8, points }];
        let predicted = Predicted { ensembles, ..Predicted::default() };
        let subject = Subject { results: &results, predicted: Some(&predicted), view: None };
        let text = |format| render(&[subject], format, Page::default());
        let terminal = text(Format::Terminal);
        for line in [
            "ensembles of the 8 networks, test accuracy %",
            "1 99.650 ± 0.037 (n = 8) 99.580–99.720",
            "4 99.710 ± 0.011 (n = 2) 99.670–99.750",
            "8 99.760 (n = 1, no spread) —",
        ] {
            assert!(squeezed(&terminal).contains(line), "{line}:\n{terminal}");
        }
        assert!(!squeezed(&terminal).contains(" 7 99.750"), "sizes nobody asked for:\n{terminal}");
        assert!(text(Format::Markdown).contains("| 4 | 99.710 ± 0.011 (n = 2) | 99.670–99.750 |"));
        assert!(text(Format::Html).contains("99.670–99.750</td>"));
    }

    fn squeezed(text: &str) -> String {
        text.split_whitespace().collect::<Vec<_>>().join(" ")
    }
}
