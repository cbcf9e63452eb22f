//! How often the printed claims hold: error rates of the set of the best, coverage of shrunken
//! means and error of the expected best draw, by simulation; the tables of `docs/statistics.md`.
//!
//! `cargo run --release -p gridbench-stats --example simulate [ROUNDS]`

use gridbench_stats::{
    BestQuestion, BestSet, Draws, ErrorModel, Estimate, Moments, Variance, expected_best,
    groups_of_like_sd, moderate, resample, shrink,
};

/// One experiment: cells of `n` repeats, of which the first is `lead` better than all others.
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
    lead: f64,
}

impl Layout {
    fn draw(&self, draws: &mut Draws) -> Vec<Vec<Option<f64>>> {
        let shared: Vec<f64> =
            (0..self.n).map(|_| self.correlation.sqrt() * draws.normal()).collect();
        (0..self.cells)
            .map(|cell| {
                let uneven = (self.uneven * draws.normal()).exp();
                let sd = (1.0 - self.correlation).sqrt() * self.sds[cell % 2] * uneven;
                let mean = if cell == 0 { self.lead } else { 0.0 };
                shared.iter().map(|shared| Some(mean + shared + sd * draws.normal())).collect()
            })
            .collect()
    }
}

#[expect(clippy::print_stdout, reason = "an example prints its table")]
fn main() {
    let rounds: usize = std::env::args().nth(1).and_then(|text| text.parse().ok()).unwrap_or(5_000);
    println!(
        "Best cell kept, and a cell that is worse by the stated difference still marked ({rounds} rounds per row)"
    );
    println!("cells n   SD    uneven icc  | independent    | by repeat");
    for cells in [2, 4, 5, 20, 90] {
        for n in [3, 5, 10] {
            if std::env::args().nth(2).is_some_and(|only| only != format!("{cells}x{n}")) {
                continue;
            }
            for (sds, uneven) in
                [([1.0, 1.0], 0.0), ([1.0, 3.0], 0.0), ([3.0, 1.0], 0.0), ([1.0, 1.0], 0.4)]
            {
                for correlation in [0.0, 0.24] {
                    let layout = Layout { cells, n, sds, uneven, correlation, lead: 0.0 };
                    let row = [false, true].map(|shared| {
                        let model = ErrorModel::of_design(cells, n, shared);
                        let lead = stated(layout, model);
                        let kept = share(layout, model, rounds, 0);
                        let marked = share(Layout { lead, ..layout }, model, rounds, 1);
                        format!("{:5.1} % {:5.1} %", 100.0 * kept, 100.0 * marked)
                    });
                    println!(
                        "{cells:3} {n:3}  {}:{}  {uneven:.1}  {correlation:.2} | {} | {}",
                        sds[0], sds[1], row[0], row[1]
                    );
                }
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
fn set_of(layout: Layout, model: ErrorModel, draws: &mut Draws) -> BestSet {
    let question = BestQuestion { higher_is_better: true, alpha: 0.05, floor: 0.0, model };
    let cells = layout.draw(draws);
    let rows: Vec<&[Option<f64>]> = cells.iter().map(Vec::as_slice).collect();
    BestSet::of(&rows, &question)
}

/// Returns the difference that reports state, the median over some experiments: so much worse a cell
/// is left out with 95 % power.
fn stated(layout: Layout, model: ErrorModel) -> f64 {
    let mut found = resample(25, 7, |draws| {
        set_of(layout, model, draws).detectable(0.95).expect("spreads are known")
    });
    found.sort_by(f64::total_cmp);
    found[found.len() / 2]
}

/// Returns how often `cell` is in the set.
fn share(layout: Layout, model: ErrorModel, rounds: usize, cell: usize) -> f64 {
    let kept = resample(rounds, 20_260, |draws| set_of(layout, model, draws).members[cell]);
    kept.iter().filter(|kept| **kept).count() as f64 / rounds as f64
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
