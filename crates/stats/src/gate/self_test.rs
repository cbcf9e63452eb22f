//! What this gate would catch: losses planted into numbers like the candidate's own.

use serde::Serialize;

use super::super::block::Blocks;
use super::super::bootstrap::resample;
use super::super::draws::Draws;
use super::{Gate, GateCell, GateVerdict};

/// How often a planted loss is noticed.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct PlantedLoss {
    /// The loss, in tolerances.
    pub tolerances: f64,
    /// Whether it is planted in every cell, or in one.
    pub is_everywhere: bool,
    /// Share of simulated checks that say regressed.
    pub regressed: f64,
    /// Share of simulated checks that say ok.
    pub ok: f64,
}

/// A side, or the differences of both, as normal numbers of the same spread and kinship.
struct Likeness {
    sds: Vec<f64>,
    repeats: usize,
    /// Share of the variance that cells of a repeat have in common.
    shared: f64,
}

impl Likeness {
    fn of(rows: &[Vec<Option<f64>>], sds: Vec<f64>) -> Self {
        let repeats = rows.iter().map(Vec::len).max().unwrap_or(0);
        let padded: Vec<Vec<Option<f64>>> = rows
            .iter()
            .map(|row| (0..repeats).map(|at| row.get(at).copied().flatten()).collect())
            .collect();
        let slices: Vec<&[Option<f64>]> = padded.iter().map(Vec::as_slice).collect();
        let shared =
            Blocks::of(&slices).and_then(|fit| fit.intraclass_correlation()).unwrap_or(0.0);
        Self { sds, repeats, shared }
    }

    fn draw(&self, draws: &mut Draws) -> Vec<Vec<f64>> {
        let (common, own) = (self.shared.sqrt(), (1.0 - self.shared).sqrt());
        let luck: Vec<f64> = (0..self.repeats).map(|_| common * draws.normal()).collect();
        self.sds
            .iter()
            .map(|sd| luck.iter().map(|luck| sd * (luck + own * draws.normal())).collect())
            .collect()
    }
}

impl Gate {
    /// Plants no loss, δ and 2δ, in one cell and in all, into numbers drawn with the spread that
    /// `cells` have (moderated, with what cells of a repeat share), and returns how often this gate
    /// notices; `rounds` checks each, drawn from `seed`, at a single look.
    ///
    /// ```
    /// use gridbench_stats::{Gate, GateCell};
    /// let side = |shift: f64| [0.991, 0.992, 0.990, 0.9915].map(|v| Some(v + shift)).to_vec();
    /// let cells = [GateCell { baseline: side(0.0), candidate: side(0.0001) }];
    /// let found = Gate::single(0.005, 0.05, false).self_test(&cells, 500, 1);
    /// assert!(found[0].regressed <= 0.08, "no loss is seldom called one");
    /// assert!(found[2].regressed > 0.95, "twice the tolerance is caught");
    /// ```
    #[must_use]
    pub fn self_test(&self, cells: &[GateCell], rounds: usize, seed: u64) -> Vec<PlantedLoss> {
        let losses = super::cell_differences(cells, self.is_paired, self.quantum);
        let spread = |index: usize| losses[index].sd.unwrap_or(0.0);
        let sds: Vec<f64> = (0..cells.len()).map(spread).collect();
        let sides: Vec<Likeness> = if self.is_paired {
            let differences: Vec<Vec<Option<f64>>> = cells
                .iter()
                .map(|cell| {
                    let pairs = cell.baseline.iter().zip(&cell.candidate);
                    pairs.map(|(before, now)| Some((*before)? - (*now)?)).collect()
                })
                .collect();
            vec![Likeness::of(&differences, sds)]
        } else {
            let side = |pick: fn(&GateCell) -> &Vec<Option<f64>>| {
                let rows: Vec<Vec<Option<f64>>> =
                    cells.iter().map(|cell| pick(cell).clone()).collect();
                Likeness::of(&rows, sds.clone())
            };
            vec![side(|cell| &cell.baseline), side(|cell| &cell.candidate)]
        };
        let gate = Self { looks: vec![1], ..self.clone() };
        let everywhere: &[bool] = if cells.len() > 1 { &[false, true] } else { &[false] };
        let mut found = Vec::new();
        for &is_everywhere in everywhere {
            for tolerances in [0.0, 1.0, 2.0] {
                if tolerances == 0.0 && is_everywhere {
                    continue;
                }
                let verdicts = resample(rounds, seed, |draws| {
                    gate.judge(&[planted(
                        &sides,
                        tolerances * self.tolerance,
                        is_everywhere,
                        draws,
                    )])
                    .verdict
                });
                let share = |wanted| {
                    verdicts.iter().filter(|verdict| **verdict == wanted).count() as f64
                        / rounds.max(1) as f64
                };
                found.push(PlantedLoss {
                    tolerances,
                    is_everywhere,
                    regressed: share(GateVerdict::Regressed),
                    ok: share(GateVerdict::Ok),
                });
            }
        }
        found
    }
}

fn planted(sides: &[Likeness], loss: f64, is_everywhere: bool, draws: &mut Draws) -> Vec<GateCell> {
    let count = sides[0].sds.len();
    let hit = draws.index(count.max(1));
    let some =
        |values: &[f64], shift: f64| values.iter().map(|value| Some(value - shift)).collect();
    let last = sides[sides.len() - 1].draw(draws);
    let first = match sides {
        [_, _] => sides[0].draw(draws),
        // Pairs: only their differences count.
        _ => last.iter().map(|row| vec![0.0; row.len()]).collect(),
    };
    (0..count)
        .map(|cell| GateCell {
            baseline: some(&first[cell], 0.0),
            candidate: some(&last[cell], if is_everywhere || cell == hit { loss } else { 0.0 }),
        })
        .collect()
}
