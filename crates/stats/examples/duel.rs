//! Error rates of duels, by simulation: the table of `docs/statistics.md`.
//!
//! `cargo run --release -p gridbench-stats --example duel [ROUNDS]`

use gridbench_stats::{Draws, Duel, DuelClaim, DuelState};

/// What the values of a command look like, around 0 with a standard deviation of 1.
#[derive(Clone, Copy, PartialEq)]
enum Shape {
    Normal,
    /// Negative exponential: a long tail of bad luck.
    Skewed,
    /// Student's t with 3 degrees of freedom.
    Heavy,
    /// Rounded to half of the standard deviation.
    Tied,
}

#[derive(Clone, Copy)]
struct Layout {
    name: &'static str,
    shape: Shape,
    /// Standard deviation of every command but the first.
    sd: f64,
    /// Correlation of the commands on a seed.
    correlation: f64,
    commands: usize,
}

impl Layout {
    fn value(&self, draws: &mut Draws) -> f64 {
        match self.shape {
            Shape::Normal | Shape::Tied => draws.normal(),
            Shape::Skewed => 1.0 + (1.0 - draws.unit()).ln(),
            Shape::Heavy => {
                let square: f64 = (0..3).map(|_| draws.normal().powi(2)).sum();
                draws.normal() / (square / 3.0).sqrt() / 3.0_f64.sqrt()
            }
        }
    }

    fn draw(&self, draws: &mut Draws, n: usize, lead: f64) -> Vec<Vec<Option<f64>>> {
        let shared: Vec<f64> = (0..n).map(|_| self.value(draws)).collect();
        let (common, own) = (self.correlation.sqrt(), (1.0 - self.correlation).sqrt());
        let side = |command: usize, draws: &mut Draws| {
            let (sd, mean) = if command == 0 { (1.0, lead) } else { (self.sd, 0.0) };
            let value = |repeat: &f64, draws: &mut Draws| {
                let value = mean + sd * (common * repeat + own * self.value(draws));
                if self.shape == Shape::Tied { (2.0 * value).round() / 2.0 } else { value }
            };
            shared.iter().map(|repeat| Some(value(repeat, draws))).collect()
        };
        (0..self.commands).map(|command| side(command, draws)).collect()
    }
}

/// What became of many duels.
#[derive(Default)]
struct Tally {
    rounds: usize,
    better: usize,
    worse: usize,
    same: usize,
    uncovered: usize,
    repeats: Vec<usize>,
}

impl Tally {
    fn of(layout: Layout, lead: f64, duel: Duel, most: usize, rounds: u64) -> Self {
        let looks = duel.looks(layout.commands, most);
        let mut tally = Self::default();
        for round in 0..rounds {
            let mut draws = Draws::keyed(2026, round);
            let sides = layout.draw(&mut draws, most, lead);
            let sides: Vec<&[Option<f64>]> = sides.iter().map(Vec::as_slice).collect();
            let state = duel.judge(&sides, &looks);
            tally.add(&state, lead);
        }
        tally
    }

    fn add(&mut self, state: &DuelState, lead: f64) {
        let is = |claim| state.pairs.iter().any(|pair| pair.claim == Some(claim));
        self.rounds += 1;
        self.better += usize::from(is(DuelClaim::Better));
        self.worse += usize::from(is(DuelClaim::Worse));
        self.same += usize::from(is(DuelClaim::Equivalent));
        let misses = state.pairs.iter().any(|pair| {
            let truth = if pair.first == 0 { lead } else { 0.0 };
            pair.interval.is_some_and(|(low, high)| truth < low || truth > high)
        });
        self.uncovered += usize::from(misses);
        self.repeats.push(state.repeats);
    }

    fn share(&self, count: usize) -> f64 {
        100.0 * count as f64 / self.rounds as f64
    }

    fn median(&self) -> usize {
        let mut sorted = self.repeats.clone();
        sorted.sort_unstable();
        sorted[sorted.len() / 2]
    }
}

#[expect(clippy::print_stdout, reason = "an example prints its table")]
fn main() {
    let rounds = std::env::args().nth(1).and_then(|text| text.parse().ok()).unwrap_or(10_000);
    let plain =
        Layout { name: "normal", shape: Shape::Normal, sd: 1.0, correlation: 0.0, commands: 2 };
    let layouts = [
        plain,
        Layout { name: "normal, correlation .8", correlation: 0.8, ..plain },
        Layout { name: "normal, SD 1:3", sd: 3.0, ..plain },
        Layout { name: "skewed", shape: Shape::Skewed, ..plain },
        Layout { name: "skewed, SD 1:3", shape: Shape::Skewed, sd: 3.0, ..plain },
        Layout { name: "heavy tails (t, 3)", shape: Shape::Heavy, ..plain },
        Layout { name: "ties of half an SD", shape: Shape::Tied, ..plain },
        Layout { name: "3 commands", commands: 3, ..plain },
        Layout { name: "5 commands", commands: 5, ..plain },
    ];
    let duel = Duel { indifference: 0.0, alpha: 0.05, first: 4, no_worse_is_enough: false };
    println!(
        "| values | equal: some are told apart | equal: an interval misses | equal, D = 1 SD: shown | pairs \
         | true difference D: called the same | 1 SD better: shown | pairs | 3 SD better: shown | pairs |"
    );
    println!("|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|");
    for layout in layouts {
        let scale = f64::midpoint(1.0, layout.sd * layout.sd).sqrt();
        let alike = Duel { indifference: scale, ..duel };
        let equal = Tally::of(layout, 0.0, duel, 100, rounds);
        let same = Tally::of(layout, 0.0, alike, 100, rounds);
        let edge = Tally::of(layout, scale, alike, 100, rounds);
        let one = Tally::of(layout, scale, duel, 100, rounds);
        let three = Tally::of(layout, 3.0 * scale, duel, 100, rounds);
        // Among several commands the others are equal, and not claimed about here.
        let wrong = equal.share(equal.better + equal.worse);
        let is_two = layout.commands == 2;
        let edge =
            if is_two { format!("{:.1} %", edge.share(edge.same)) } else { "—".to_owned() };
        println!(
            "| {} | {wrong:.1} % | {:.1} % | {:.0} % | {} | {edge} | {:.0} % | {} | {:.0} % | {} |",
            layout.name,
            equal.share(equal.uncovered),
            same.share(same.same),
            same.median(),
            one.share(one.better),
            one.median(),
            three.share(three.better),
            three.median(),
        );
    }
}
