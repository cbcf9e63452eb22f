//! The loss that all cells have in common: a real regression usually hits every cell a little.

use super::super::means::{Estimate, MeanDifference};
use super::super::moderated::Variance;
use super::super::moments::Moments;
use super::differences::UNKNOWN;
use super::levels::Levels;
use super::{Gate, GateCell, GateVerdict, is_identical};

/// What the gate says of all cells together. A positive difference is a loss.
#[derive(Debug, Clone, PartialEq)]
pub struct CommonRuling {
    /// Regressed if a mean loss is proven and its upper bound is not below the tolerance.
    pub verdict: GateVerdict,
    /// Mean loss over the cells, with the error of means per repeat; absent with fewer than two
    /// repeats on a side.
    pub loss: Option<MeanDifference>,
    /// One-sided level of "a mean loss of the tolerance is ruled out".
    pub ok_level: f64,
    /// One-sided level of "there is a mean loss".
    pub loss_level: f64,
    /// Whether a mean loss above zero is proven.
    pub is_loss_proven: bool,
    /// The look at which the verdict fell, from 0.
    pub look: usize,
}

impl Gate {
    /// Tests the mean over the cells on the *means per repeat*: cells of a repeat share luck, and
    /// counted as independent they give 12 % false alarms at an intraclass correlation of 0.1.
    pub(super) fn rule_in_common(
        &self,
        look: usize,
        cells: &[GateCell],
        levels: &Levels<'_>,
    ) -> Option<CommonRuling> {
        let n_baseline = cells.iter().map(|cell| cell.baseline.len()).max()?;
        let ok_level = levels.at(self.alpha, n_baseline, look);
        let loss_level = levels.at(0.5 * self.alpha, n_baseline, look);
        let ruling = |verdict, loss, is_loss_proven| {
            Some(CommonRuling { verdict, loss, ok_level, loss_level, is_loss_proven, look })
        };
        if cells.iter().all(|cell| is_identical(&cell.baseline, &cell.candidate)) {
            return ruling(GateVerdict::Ok, self.common_loss(cells), false);
        }
        let Some(loss) = self.common_loss(cells) else {
            return ruling(GateVerdict::Inconclusive, None, false);
        };
        let (ruled_out, is_proven) = if loss.se == 0.0 {
            (loss.difference <= self.tolerance * (1.0 + 1e-9) + 1e-12, loss.difference > 0.0)
        } else {
            (loss.p_at_least(self.tolerance) < ok_level, loss.p_at_most(0.0) <= loss_level)
        };
        let verdict = match (ruled_out, is_proven) {
            (true, _) => GateVerdict::Ok,
            (false, true) => GateVerdict::Regressed,
            (false, false) => GateVerdict::Inconclusive,
        };
        ruling(verdict, Some(loss), is_proven)
    }

    fn common_loss(&self, cells: &[GateCell]) -> Option<MeanDifference> {
        let floor = self.quantum * self.quantum / 12.0 / cells.len() as f64;
        if self.is_paired {
            let differences: Vec<Vec<Option<f64>>> = cells
                .iter()
                .map(|cell| {
                    let pairs = cell.baseline.iter().zip(&cell.candidate);
                    pairs.map(|(before, now)| Some((*before)? - (*now)?)).collect()
                })
                .collect();
            let rows: Vec<&[Option<f64>]> = differences.iter().map(Vec::as_slice).collect();
            let (mean, n, variance) = mean_over_repeats(&rows)?;
            let variance = raised(variance, 2.0 * floor);
            let se = (variance.variance / n as f64).sqrt();
            return Some(MeanDifference::new(mean, se, variance.degrees_of_freedom));
        }
        let side = |pick: fn(&GateCell) -> &Vec<Option<f64>>| {
            // Cells without a value on either side are left out of both, or the means would differ.
            let rows: Vec<&[Option<f64>]> = cells
                .iter()
                .filter(|cell| has_value(&cell.baseline) && has_value(&cell.candidate))
                .map(|cell| pick(cell).as_slice())
                .collect();
            mean_over_repeats(&rows)
        };
        let (before, n, was) = side(|cell| &cell.baseline)?;
        let (now, m, is) = side(|cell| &cell.candidate)?;
        let vary = was.variance > 0.0 || is.variance > 0.0;
        let lift = |own: Variance| if vary { raised(own, floor) } else { own };
        Estimate::new(before, n, lift(was)).minus(&Estimate::new(now, m, lift(is)))
    }
}

fn has_value(side: &[Option<f64>]) -> bool {
    side.iter().any(Option::is_some)
}

fn raised(own: Variance, floor: f64) -> Variance {
    let least = if own.variance > 0.0 { floor } else { 0.0 };
    Variance { variance: own.variance.max(least), ..own }
}

/// Returns the mean of the cells' means, the number of repeats, and the variance of what a repeat
/// adds to all cells, on one less degrees of freedom. Without gaps that is the variance of the means
/// per repeat; a gap leaves out its own cell's distance, not its level.
fn mean_over_repeats(cells: &[&[Option<f64>]]) -> Option<(f64, usize, Variance)> {
    let rows: Vec<(&[Option<f64>], f64)> = cells
        .iter()
        .filter_map(|cell| {
            let values: Vec<f64> = cell.iter().flatten().copied().collect();
            Some((*cell, Moments::of(&values)?.mean))
        })
        .collect();
    let means: Vec<f64> = rows.iter().map(|(_, mean)| *mean).collect();
    let mean = Moments::of(&means)?.mean;
    let repeats = rows.iter().map(|(cell, _)| cell.len()).max()?;
    let shifts: Vec<f64> = (0..repeats)
        .filter_map(|repeat| {
            let own: Vec<f64> =
                rows.iter().filter_map(|(cell, mean)| Some((*cell.get(repeat)?)? - mean)).collect();
            Moments::of(&own).map(|moments| moments.mean)
        })
        .collect();
    let n = shifts.len();
    let squares: f64 = shifts.iter().map(|shift| shift * shift).sum();
    let variance = if n > 1 {
        let freedom = (n - 1) as f64;
        Variance { variance: squares / freedom, degrees_of_freedom: freedom }
    } else {
        UNKNOWN
    };
    (n > 1).then_some((mean, n, variance))
}
