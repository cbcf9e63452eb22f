//! The cheapest setting that is good enough, in words, and the settings that no other beats.

use super::document::{FrontLine, TradeOff};
use super::layout::{Align, TextColumn, TextTable};
use super::numbers::{Scale, counted};
use super::pivot::ABSENT;
use super::text::{Presenter, with_spread};
use crate::base::Metric;

/// What is said of a trade-off.
pub(super) struct TradeOffTable {
    /// Names the choice.
    pub(super) title: String,
    /// The cells that no other beats.
    pub(super) table: TextTable,
    /// How to read the table.
    pub(super) note: String,
}

impl Presenter<'_> {
    /// Returns the trade-off that was asked for.
    pub(super) fn trade_off(&self) -> Option<TradeOffTable> {
        let section = self.section;
        let found = section.trade_off.as_ref()?;
        let lines = &found.front;
        let of = |head: String, align, text: &dyn Fn(&FrontLine) -> String| {
            TextColumn::plain(head, align, lines.iter().map(text).collect())
        };
        let keys = vec![of("setting".to_owned(), Align::Left, &|line| self.called(line.cell))];
        let mut columns = vec![of(section.metric.name.words(), Align::Left, &|line| {
            let mark = if section.cells[line.cell].inseparable_from_best { " ●" } else { "" };
            let summary = section.cells[line.cell].summary.as_ref();
            summary.map_or_else(
                || ABSENT.to_owned(),
                |summary| {
                    format!("{}{}{mark}", with_spread(&self.scale, summary), self.scale.unit())
                },
            )
        })];
        columns.extend(found.prefer.iter().map(|metric| {
            of(metric.name.words(), Align::Left, &|line| self.measured_in(line.cell, metric))
        }));
        columns.push(of("at most worse by".to_owned(), Align::Right, &|line| {
            let bound = line.at_most_worse.map(|bound| self.scale.size(bound));
            bound.unwrap_or_else(|| "unknown".to_owned())
        }));
        columns.push(of("good enough".to_owned(), Align::Left, &|line| {
            if line.is_within { "yes" } else { "not shown" }.to_owned()
        }));
        let names: Vec<String> = found.prefer.iter().map(|metric| metric.name.words()).collect();
        Some(TradeOffTable {
            title: self.choice(found),
            table: TextTable { keys, columns, ..TextTable::default() },
            note: format!(
                "the settings that no other beats in the means of {} and {} at once; with 95 % \
                 confidence, for all of them together, a setting is worse than the best by no more \
                 than the bound; ● may be the best",
                self.section.metric.name.words(),
                names.join(" and "),
            ),
        })
    }

    /// Names the preferred cell of those that are good enough.
    fn choice(&self, found: &TradeOff) -> String {
        let within = self.scale.size(found.within);
        let first = &found.prefer[0];
        let name = first.name.words();
        let goal = format!("shown to be within {within} of the best (95 % confidence)");
        let Some(FrontLine { cell, at_most_worse, .. }) = found.chosen else {
            let least = found.least.map_or_else(
                || "no spread is known yet".to_owned(),
                |least| format!("the smallest bound is {}", self.scale.size(least)),
            );
            return format!("no setting is {goal}: {least}; more repeats make bounds smaller");
        };
        let others = match found.good_enough - 1 {
            0 => "the only setting".to_owned(),
            others => format!("the best in {name} of {}", counted(others + 1, "setting")),
        };
        let bound = at_most_worse.map_or_else(String::new, |bound| {
            format!(", at most {} worse than the best", self.scale.size(bound))
        });
        let settings = self.called(cell);
        let best = self.section.findings.best.filter(|best| best.cell != cell);
        let price = best.map_or_else(String::new, |best| {
            format!("; {name} of the best mean: {}", self.measured_in(best.cell, first))
        });
        let worth = self.measured_in(cell, first);
        format!("{others} {goal}: {settings}, {name} {worth}{bound}{price}")
    }

    fn called(&self, cell: usize) -> String {
        match self.section.describe(cell) {
            settings if settings.is_empty() => self.section.cells[cell].name.clone(),
            settings => settings,
        }
    }

    fn measured_in(&self, cell: usize, metric: &Metric) -> String {
        let Some(summary) = self.section.cells[cell].metrics.get(&metric.name) else {
            return ABSENT.to_owned();
        };
        let scale = Scale::of(&metric.unit, summary.sd);
        format!("{}{}", with_spread(&scale, summary), scale.unit())
    }
}
