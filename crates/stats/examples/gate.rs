//! Error rates of the gate, by simulation: the table of `docs/statistics.md`.
//!
//! `cargo run --release -p gridbench-stats --example gate [ROUNDS [TEXT]]`: only the layouts whose name holds the text

use gridbench_stats::{Draws, Gate, GateCell, GateVerdict, pairs_are_enough, resample};

/// What one simulated experiment looks like; losses and spreads are in tolerances.
#[derive(Clone, Copy)]
struct Layout {
    cells: usize,
    /// Trials of the candidate and of the baseline.
    trials: (usize, usize),
    sd: f64,
    /// Standard deviation of the logarithm of every cell's standard deviation.
    uneven: f64,
    /// The candidate's spread, in the baseline's.
    ratio: f64,
    /// Share of the variance that cells of a repeat have in common.
    intraclass: f64,
    /// Correlation of both sides of a repeat; paired where it is given.
    paired: Option<f64>,
    shape: Shape,
    /// Share of trials that are lost on both sides.
    lost: f64,
}

#[derive(Clone, Copy, PartialEq)]
enum Shape {
    Normal,
    /// Negative exponential: a long tail of bad luck.
    Skewed,
    /// Rounded to a quarter of the standard deviation.
    Tied,
}

const PLAIN: Layout = Layout {
    cells: 20,
    trials: (3, 3),
    sd: 0.5,
    uneven: 0.0,
    ratio: 1.0,
    intraclass: 0.0,
    paired: None,
    shape: Shape::Normal,
    lost: 0.0,
};

impl Layout {
    fn value(&self, draws: &mut Draws) -> f64 {
        match self.shape {
            Shape::Skewed => 1.0 + (1.0 - draws.unit()).ln(),
            _ => draws.normal(),
        }
    }

    /// Draws one side: `paired` holds what the other side of the same repeats drew.
    fn side(
        &self,
        draws: &mut Draws,
        n: usize,
        sds: &[f64],
        other: Option<&Vec<Vec<f64>>>,
    ) -> Vec<Vec<f64>> {
        let shared: Vec<f64> = (0..n).map(|_| self.value(draws)).collect();
        let (common, own) = (self.intraclass.sqrt(), (1.0 - self.intraclass).sqrt());
        (0..sds.len())
            .map(|cell| {
                (0..n)
                    .map(|repeat| {
                        let fresh = common * shared[repeat] + own * self.value(draws);
                        match (other, self.paired) {
                            (Some(other), Some(r)) => {
                                r * other[cell][repeat] + (1.0 - r * r).sqrt() * fresh
                            }
                            _ => fresh,
                        }
                    })
                    .collect()
            })
            .collect()
    }

    fn cells(&self, draws: &mut Draws, loss: f64, everywhere: bool) -> Vec<GateCell> {
        let (n, m) = self.trials;
        let sds: Vec<f64> =
            (0..self.cells).map(|_| self.sd * (self.uneven * draws.normal()).exp()).collect();
        let before = self.side(draws, m, &sds, None);
        let now = self.side(draws, n, &sds, Some(&before).filter(|_| n == m));
        let quantum = if self.shape == Shape::Tied { 0.25 * self.sd } else { 0.0 };
        let mut finish = |values: &[f64], scale: f64, shift: f64| -> Vec<Option<f64>> {
            let finish = |value: &f64| {
                let value = scale * value - shift;
                let value = if quantum > 0.0 { (value / quantum).round() * quantum } else { value };
                (self.lost == 0.0 || draws.unit() >= self.lost).then_some(value)
            };
            values.iter().map(finish).collect()
        };
        (0..self.cells)
            .map(|cell| GateCell {
                baseline: finish(&before[cell], sds[cell], 0.0),
                candidate: finish(
                    &now[cell],
                    self.ratio * sds[cell],
                    if everywhere || cell == 0 { loss } else { 0.0 },
                ),
            })
            .collect()
    }

    /// Returns the shares of regressed, of ok, and of ok in the first cell.
    fn rates(&self, rounds: usize, loss: f64, everywhere: bool) -> [f64; 3] {
        let (n, m) = self.trials;
        let is_paired = self.paired.is_some() && n == m && pairs_are_enough(self.cells, n, false);
        let quantum = if self.shape == Shape::Tied { 0.25 * self.sd } else { 0.0 };
        let gate = Gate { quantum, ..Gate::single(1.0, 0.05, is_paired) };
        let found = resample(rounds, 17, |draws| {
            let ruling = gate.judge(&[self.cells(draws, loss, everywhere)]);
            [
                ruling.verdict == GateVerdict::Regressed,
                ruling.verdict == GateVerdict::Ok,
                ruling.cells[0].verdict == GateVerdict::Ok,
            ]
        });
        [0, 1, 2].map(|which| found.iter().filter(|row| row[which]).count() as f64 / rounds as f64)
    }

    fn name(&self) -> String {
        let (n, m) = self.trials;
        let cells =
            if self.cells == 1 { "1 cell".to_owned() } else { format!("{} cells", self.cells) };
        let mut name = format!("{cells}, {n}:{m}, σ/δ = {}", self.sd);
        let mut add = |is_wanted: bool, text: String| {
            if is_wanted {
                name += ", ";
                name += &text;
            }
        };
        add(self.uneven > 0.0, format!("log SD {}", self.uneven));
        add((self.ratio - 1.0).abs() > 0.0, format!("candidate {} × SD", self.ratio));
        add(self.intraclass > 0.0, format!("intraclass correlation {}", self.intraclass));
        add(self.paired.is_some(), format!("paired, r = {}", self.paired.unwrap_or(0.0)));
        add(self.shape == Shape::Skewed, "skewed".to_owned());
        add(self.shape == Shape::Tied, "ties".to_owned());
        add(self.lost > 0.0, format!("{} % of trials lost", 100.0 * self.lost));
        name
    }
}

#[expect(clippy::print_stdout, reason = "an example prints its table")]
fn main() {
    let rounds: usize = std::env::args().nth(1).and_then(|text| text.parse().ok()).unwrap_or(5_000);
    let wanted = std::env::args().nth(2).unwrap_or_default();
    let mut layouts = Vec::new();
    for cells in [1, 4, 20] {
        for trials in [(3, 3), (3, 12), (5, 20), (10, 10)] {
            for (sd, uneven) in [(0.5, 0.0), (1.0, 0.0), (0.7, 0.4)] {
                layouts.push(Layout { cells, trials, sd, uneven, ..PLAIN });
            }
            layouts.push(Layout { cells, trials, ratio: 3.0, ..PLAIN });
            layouts.push(Layout { cells, trials, shape: Shape::Skewed, ..PLAIN });
            layouts.push(Layout { cells, trials, shape: Shape::Tied, ..PLAIN });
            layouts.push(Layout { cells, trials, lost: 0.05, ..PLAIN });
        }
    }
    for trials in [(3, 3), (3, 12), (5, 20)] {
        for intraclass in [0.1, 0.24, 0.5] {
            layouts.push(Layout { trials, intraclass, ..PLAIN });
            layouts.push(Layout { trials, intraclass, sd: 1.0, ..PLAIN });
        }
    }
    for (cells, n) in [(1, 10), (4, 3), (20, 3), (20, 5)] {
        for r in [0.0, 0.5, 0.9] {
            let paired = Some(r);
            layouts.push(Layout { cells, trials: (n, n), sd: 1.0, paired, ..PLAIN });
        }
    }
    println!(
        "| layout | unchanged: regressed | unchanged: ok | loss of δ in one: that cell ok | 1.5 δ \
         in one: regressed | 2 δ in one: regressed | δ in all: regressed | 0.3 δ in all: regressed |"
    );
    println!("|---|--:|--:|--:|--:|--:|--:|--:|");
    for layout in layouts.into_iter().filter(|layout| layout.name().contains(&wanted)) {
        let [alarm, ok, _] = layout.rates(rounds, 0.0, false);
        let shares = [
            alarm,
            ok,
            layout.rates(rounds, 1.0, false)[2],
            layout.rates(rounds, 1.5, false)[0],
            layout.rates(rounds, 2.0, false)[0],
            layout.rates(rounds, 1.0, true)[0],
            layout.rates(rounds, 0.3, true)[0],
        ];
        let shares: Vec<String> =
            shares.iter().map(|share| format!("{:.1} %", 100.0 * share)).collect();
        println!("| {} | {} |", layout.name(), shares.join(" | "));
    }
}
