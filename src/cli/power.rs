//! `bench plan --difference`: how many repeats show a difference that is worth having.

use serde_json::{Value, json};

use super::terminal::print_text;
use crate::session::goal::{ALPHA, DifferenceGoal, Need};

impl DifferenceGoal {
    pub(super) fn json(&self) -> Value {
        let need = |need: &Need| {
            json!({
                "basis": need.basis,
                "trials": need.trials,
                "sd": need.sd,
                "repeats-for-two-cells": need.two_cells,
                "repeats-for-all-cells": need.all_cells,
            })
        };
        json!({
            "metric": self.metric.name,
            "difference": self.typed,
            "power": self.power,
            "alpha": ALPHA,
            "needs": self.needs.iter().map(need).collect::<Vec<_>>(),
        })
    }

    pub(super) fn print(&self) {
        let unit = &self.metric.unit;
        let (scale, unit) = (unit.factor(), unit.of_differences());
        outln!(
            "to show a difference of {}{unit} in {} ({:.0} % power, α {ALPHA}, two-sided):",
            self.typed,
            self.metric.name.words(),
            100.0 * self.power
        );
        if self.needs.is_empty() {
            outln!("  no spread is known: run a few repeats first, then ask again");
        }
        for need in &self.needs {
            let basis = match need.trials {
                Some(trials) => format!("seen in {trials} trials"),
                None => "predicted; real trainings may spread less or more".to_owned(),
            };
            let count = |repeats: Option<usize>| {
                repeats.map_or("more repeats than can be counted".to_owned(), |n| {
                    format!("{n} repeats")
                })
            };
            let all = match need.all_cells {
                Some(n) => format!(
                    ", {n} between the best and any of {} others (Holm's strictest step)",
                    self.others
                ),
                None => String::new(),
            };
            print_text(&format!(
                "σ = {:.3}{unit} {basis}: {} a cell between two cells chosen beforehand{all}",
                need.sd * scale,
                count(need.two_cells)
            ));
        }
    }
}
