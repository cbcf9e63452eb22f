//! How many repeats show a difference that is worth having.

use std::path::Path;

use super::{Error, Reading};
use crate::base::Metric;
use crate::experiment::Experiment;
use gridbench_stats as stats;

/// Level of the tests that are planned for.
pub(crate) const ALPHA: f64 = 0.05;

/// A difference that is to be shown, and the repeats it takes by every spread that is known.
pub(crate) struct DifferenceGoal {
    pub(crate) metric: Metric,
    /// As typed: points for accuracies, else the unit of the metric.
    pub(crate) typed: f64,
    pub(crate) power: f64,
    /// Cells that are compared with the best one.
    pub(crate) others: usize,
    pub(crate) needs: Vec<Need>,
}

/// The repeats that one spread asks for.
pub(crate) struct Need {
    /// Where the spread comes from.
    pub(crate) basis: &'static str,
    /// Trials behind it; absent where it is predicted.
    pub(crate) trials: Option<usize>,
    pub(crate) sd: f64,
    /// Two cells chosen beforehand.
    pub(crate) two_cells: Option<usize>,
    /// Every cell against the best, at the strictest level of Holm's rule.
    pub(crate) all_cells: Option<usize>,
}

impl DifferenceGoal {
    /// Reads how much trials spread from the results in `folder`, where there are some.
    pub(crate) fn of(
        power: f64,
        experiment: &Experiment,
        folder: &Path,
        typed: f64,
        predicted_sd: Option<f64>,
        cells: usize,
    ) -> Result<Self, Error> {
        if experiment.folds.is_some() {
            return Err(Error::input("cannot say how many repeats show a difference")
                .because_of("repeats are folds, and their number decides how much they share")
                .hint(Some(
                    "ask without `--difference`; intervals say what the folds there are show",
                )));
        }
        let metric = experiment.metric().clone();
        let difference = typed / metric.unit.factor();
        let others = cells.saturating_sub(1);
        let need = |basis, trials, sd: f64| {
            let repeats = |alpha| stats::repeats_needed(sd, difference, alpha, power);
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
        Ok(Self { metric, typed, power, others, needs })
    }
}
