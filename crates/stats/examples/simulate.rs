//! How often the printed claims hold: error rates of the set of the best, coverage of shrunken
//! means and error of the expected best draw, by simulation; the tables of `docs/statistics.md`.
//!
//! `cargo run --release -p gridbench-stats --example simulate [ROUNDS]`

use gridbench_stats::{
    BestQuestion, BestSet, Draws, ErrorModel, Estimate, Moments, Variance, expected_best,
    groups_of_like_sd, moderate, resample, shrink,
};

/// The power that a stated difference is worked out for; it is stated to be 95 %.
const STATED: f64 = 0.97;

/// So far ahead the best cell is the best seen.
const FAR: f64 = 1_000.0;

/// One experiment: cells of `n` repeats.
#[derive(Clone, Copy)]
struct Layout {
    cells: usize,
    n: usize,
    /// Standard deviations of even and odd cells.
    sds: [f64; 2],
    /// Standard deviation of the logarithm of every cell's standard deviation, beside that.
    uneven: f64,
    /// Share of the variance that cells of a repeat have in common.
    correlation: f64,
}

impl Layout {
    /// Draws how noisy each cell is.
    fn spreads(&self, draws: &mut Draws) -> Vec<f64> {
        let own = (1.0 - self.correlation).sqrt();
        let uneven = |draws: &mut Draws| (self.uneven * draws.normal()).exp();
        (0..self.cells).map(|cell| own * self.sds[cell % 2] * uneven(draws)).collect()
    }

    /// Draws the values of an experiment whose first cell is `lead` better than all others.
    fn draw(&self, spreads: &[f64], lead: f64, draws: &mut Draws) -> Vec<Vec<Option<f64>>> {
        let shared: Vec<f64> =
            (0..self.n).map(|_| self.correlation.sqrt() * draws.normal()).collect();
        let of_cell = |(cell, sd): (usize, &f64)| {
            let mean = if cell == 0 { lead } else { 0.0 };
            shared.iter().map(|shared| Some(mean + shared + sd * draws.normal())).collect()
        };
        spreads.iter().enumerate().map(of_cell).collect()
    }
}

#[expect(clippy::print_stdout, reason = "an example prints its table")]
fn main() {
    let rounds: usize = std::env::args().nth(1).and_then(|text| text.parse().ok()).unwrap_or(5_000);
    println!(
        "Best cell kept, and a cell that is worse by the stated difference still marked ({rounds} rounds per row)"
    );
    println!("cells n   SD    uneven | independent    | by repeat, intraclass correlation 0.24");
    for cells in [2, 3, 4, 5, 20, 90] {
        for n in [3, 5, 10] {
            if std::env::args().nth(2).is_some_and(|only| only != format!("{cells}x{n}")) {
                continue;
            }
            for (sds, uneven) in
                [([1.0, 1.0], 0.0), ([1.0, 3.0], 0.0), ([3.0, 1.0], 0.0), ([1.0, 1.0], 0.4)]
            {
                let row = [0.0, 0.24].map(|correlation| {
                    let layout = Layout { cells, n, sds, uneven, correlation };
                    let model = ErrorModel::of_design(cells, n, correlation > 0.0);
                    let [kept, marked] = [kept, marked_though_worse].map(|event| {
                        let rounds = resample(rounds, 20_260, |draws| event(layout, model, draws));
                        let seen = rounds.iter().filter(|seen| **seen).count();
                        100.0 * seen as f64 / rounds.len() as f64
                    });
                    format!("{kept:5.1} % {marked:5.1} %")
                });
                let [even, odd] = sds;
                println!("{cells:3} {n:3}  {even}:{odd}  {uneven:.1} | {} | {}", row[0], row[1]);
            }
        }
    }
    println!(
        "\nShrunken means: coverage of all and of the winner, its excess in SE raw and quoted; expected best draw less the truth, in SD"
    );
    for (cells, n, between) in [
        (90, 5, 0.0),
        (90, 5, 0.5),
        (90, 5, 1.0),
        (30, 3, 0.3),
        (16, 3, 0.3),
        (8, 5, 0.5),
        (30, 10, 2.0),
        (5, 5, 0.5),
    ] {
        let [all, winner, raw, quoted, best] = shrunken(cells, n, between, rounds.min(2_000));
        println!(
            "{cells:3} {n:3} {between:.1} | {:.1} % {:.1} % | {raw:.2} {quoted:.2} | {best:+.2}",
            100.0 * all,
            100.0 * winner
        );
    }
}

/// Returns the set of the best of one experiment.
fn set_of(
    layout: Layout,
    (spreads, lead): (&[f64], f64),
    model: ErrorModel,
    draws: &mut Draws,
) -> BestSet {
    let question = BestQuestion { higher_is_better: true, alpha: 0.05, floor: 0.0, model };
    let cells = layout.draw(spreads, lead, draws);
    let rows: Vec<&[Option<f64>]> = cells.iter().map(Vec::as_slice).collect();
    BestSet::of(&rows, &question)
}

/// Returns whether the best cell is kept where all others are as good.
fn kept(layout: Layout, model: ErrorModel, draws: &mut Draws) -> bool {
    let spreads = layout.spreads(draws);
    set_of(layout, (&spreads, 0.0), model, draws).members[0]
}

/// Returns whether a cell is marked that is worse by the difference that the report of one experiment
/// states for it, when the experiment is repeated.
fn marked_though_worse(layout: Layout, model: ErrorModel, draws: &mut Draws) -> bool {
    let spreads = layout.spreads(draws);
    let reported = set_of(layout, (&spreads, FAR), model, draws);
    let stated = reported.detectable_in(1, STATED).expect("spreads are known");
    set_of(layout, (&spreads, stated), model, draws).members[1]
}

fn shrunken(cells: usize, n: usize, between: f64, rounds: usize) -> [f64; 5] {
    let found = resample(rounds, 79, |draws| {
        let truth: Vec<f64> = (0..cells).map(|_| between * draws.normal()).collect();
        let values: Vec<Vec<f64>> =
            truth.iter().map(|mean| (0..n).map(|_| mean + draws.normal()).collect()).collect();
        let own: Vec<Variance> = values.iter().filter_map(|cell| Variance::of(cell)).collect();
        let moderated = moderate(&own, 0.0);
        let means: Vec<Estimate> = values
            .iter()
            .zip(&moderated)
            .filter_map(|(cell, own)| Some(Estimate::new(Moments::of(cell)?.mean, n, *own)))
            .collect();
        let shrunken = shrink(&means, &groups_of_like_sd(&own), true);
        let covers = |cell: usize| {
            let (low, high) = shrunken[cell].interval(0.95);
            f64::from(u8::from((low..=high).contains(&truth[cell])))
        };
        let winner = (0..cells)
            .max_by(|&a, &b| means[a].mean.total_cmp(&means[b].mean))
            .expect("there are cells");
        let error = (n as f64).sqrt();
        let groups: Vec<Moments> =
            shrunken.iter().zip(&moderated).map(|(mean, own)| mean.draws(n, own)).collect();
        let best = values.iter().flatten().copied().fold(f64::NEG_INFINITY, f64::max);
        let everywhere = (f64::NEG_INFINITY, f64::INFINITY);
        let expected = expected_best(&groups, true, everywhere).expect("cells have spreads");
        [
            (0..cells).map(covers).sum::<f64>() / cells as f64,
            covers(winner),
            (shrunken[winner].raw - truth[winner]) * error,
            (shrunken[winner].mean - truth[winner]) * error,
            expected - best,
        ]
    });
    let mut sums = [0.0; 5];
    for row in &found {
        sums.iter_mut().zip(row).for_each(|(sum, own)| *sum += own / rounds as f64);
    }
    sums
}
