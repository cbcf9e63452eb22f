//! `bench plan --difference`: how many repeats show a difference that is worth having.

use std::path::Path;

use serde_json::{Value, json};

use super::arguments::PlanArguments;
use super::failure::Failure;
use super::terminal::print_text;
use crate::base::Metric;
use crate::session::Reading;
use crate::spec::experiment::Experiment;
use gridbench_stats as stats;

/// Level of the tests that are planned for.
pub(super) const ALPHA: f64 = 0.05;

/// A difference that is to be shown, and the repeats it takes by every spread that is known.
pub(super) struct DifferenceGoal {
    metric: Metric,
    /// As typed: points for accuracies, else the unit of the metric.
    typed: f64,
    power: f64,
    /// Cells that are compared with the best one.
    others: usize,
    needs: Vec<Need>,
}

/// The repeats that one spread asks for.
struct Need {
    /// Where the spread comes from.
    basis: &'static str,
    /// Trials behind it; absent where it is predicted.
    trials: Option<usize>,
    sd: f64,
    /// Two cells chosen beforehand.
    two_cells: Option<usize>,
    /// Every cell against the best, at the strictest level of Holm's rule.
    all_cells: Option<usize>,
}

impl DifferenceGoal {
    pub(super) fn of(
        arguments: &PlanArguments,
        experiment: &Experiment,
        folder: &Path,
        typed: f64,
        predicted_sd: Option<f64>,
        cells: usize,
    ) -> Result<Self, Failure> {
        let metric = experiment.metric().clone();
        let difference = typed / metric.unit.factor();
        let others = cells.saturating_sub(1);
        let need = |basis, trials, sd: f64| {
            let repeats = |alpha| stats::repeats_needed(sd, difference, alpha, arguments.power);
            Need {
                basis,
                trials,
                sd,
                two_cells: repeats(ALPHA),
                all_cells: (others > 1).then(|| repeats(ALPHA / others as f64)).flatten(),
            }
        };
        let mut needs = Vec::new();
        if let Some(sd) = predicted_sd.filter(|_| metric.counts_test_images()) {
            needs.push(need("predicted", None, sd));
        }
        if folder.join("manifest.json").is_file() {
            let results = Reading::open(folder)?.results;
            let samples: Vec<Vec<f64>> =
                results.cells.iter().map(|cell| cell.sample(&metric.name)).collect();
            let slices: Vec<&[f64]> = samples.iter().map(Vec::as_slice).collect();
            if let Some((sd, _)) = stats::pooled_sd(&slices) {
                needs.push(need("seen", Some(samples.iter().map(Vec::len).sum()), sd));
            }
        }
        Ok(Self { metric, typed, power: arguments.power, others, needs })
    }

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
