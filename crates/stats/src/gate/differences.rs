//! Differences of two sides, cell by cell, with variances moderated over the cells.

use serde::Serialize;

use super::super::means::{Estimate, MeanDifference};
use super::super::moderated::{Variance, moderate};
use super::super::moments::Moments;
use super::super::paired::Pairs;
use super::GateCell;

/// How the two sides of a cell differ.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct CellDifference {
    /// Baseline minus candidate; absent with fewer than two values (or pairs) on a side.
    pub difference: Option<MeanDifference>,
    /// Correlation of both sides over the repeats, where they are paired.
    pub correlation: Option<f64>,
    /// Standard deviation of one value, or of one difference where paired; as it was used.
    pub sd: Option<f64>,
}

/// Compares both sides of every cell, repeat by repeat where `is_paired`, with variances moderated over
/// the cells: those of differences where paired, else each side's among themselves.
///
/// Values are multiples of `quantum` (0 if unknown): variances below its square / 12 are luck, unless
/// nothing varies in any cell.
///
/// # Panics
/// If the sides of a paired cell differ in their repeats.
#[must_use]
pub fn cell_differences(cells: &[GateCell], is_paired: bool, quantum: f64) -> Vec<CellDifference> {
    let floor = quantum * quantum / 12.0;
    if is_paired {
        let pairs: Vec<Option<Pairs>> =
            cells.iter().map(|cell| Pairs::of(&cell.baseline, &cell.candidate)).collect();
        let own: Vec<Variance> =
            pairs.iter().map(|pairs| pairs.as_ref().map_or(UNKNOWN, |own| own.variance)).collect();
        // A difference of two rounded values is rounded twice.
        return pairs
            .iter()
            .zip(moderate(&own, 2.0 * floor))
            .map(|(pairs, variance)| {
                let pairs = pairs.as_ref().filter(|pairs| pairs.n > 1);
                CellDifference {
                    difference: pairs.and_then(|pairs| pairs.test(variance)),
                    correlation: pairs.and_then(|pairs| pairs.correlation),
                    sd: pairs.map(|_| variance.sd()),
                }
            })
            .collect();
    }
    let sides = |pick: fn(&GateCell) -> &Vec<Option<f64>>| -> Vec<Option<Moments>> {
        let values = |cell| pick(cell).iter().flatten().copied().collect::<Vec<f64>>();
        cells.iter().map(|cell| Moments::of(&values(cell))).collect()
    };
    let (before, now) = (sides(|cell| &cell.baseline), sides(|cell| &cell.candidate));
    let known = |side: &[Option<Moments>]| -> Vec<Variance> {
        side.iter().map(|own| own.as_ref().map_or(UNKNOWN, variance_of)).collect()
    };
    // Where one side varies nowhere and the other does, rounding alone still moves the first.
    let (was, is) = (known(&before), known(&now));
    let varies = |side: &[Variance]| side.iter().any(|own| own.variance > 0.0);
    let lift = |side: Vec<Variance>| -> Vec<Variance> {
        if varies(&side) || !(varies(&was) || varies(&is)) {
            moderate(&side, floor)
        } else {
            side.into_iter().map(|own| Variance { variance: floor, ..own }).collect()
        }
    };
    let (was, is) = (lift(was.clone()), lift(is.clone()));
    before
        .iter()
        .zip(&now)
        .zip(was.iter().zip(&is))
        .map(|((before, now), (was, is))| {
            let sides = before.as_ref().zip(now.as_ref());
            let sides = sides.filter(|(before, now)| before.n > 1 && now.n > 1);
            CellDifference {
                difference: sides.and_then(|(before, now)| {
                    Estimate::new(before.mean, before.n, *was)
                        .minus(&Estimate::new(now.mean, now.n, *is))
                }),
                correlation: None,
                sd: sides.map(|_| (0.5 * (was.variance + is.variance)).sqrt()),
            }
        })
        .collect()
}

pub(super) const UNKNOWN: Variance = Variance { variance: 0.0, degrees_of_freedom: 0.0 };

fn variance_of(moments: &Moments) -> Variance {
    Variance {
        variance: moments.sd.map_or(0.0, |sd| sd * sd),
        degrees_of_freedom: (moments.n - 1) as f64,
    }
}
