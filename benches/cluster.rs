//! How far the claims go: simulations of many workers on one shared folder.
//!
//! `cargo bench --bench cluster [-- quick]` prints the table of `docs/guide/how-far.md`.
#![expect(clippy::print_stdout, reason = "the table is what it is for")]

use std::time::Instant;

use gridbench::cluster::simulation::{Scenario, simulate};

fn main() {
    let is_quick = std::env::args().any(|argument| argument == "quick");
    let base = if is_quick {
        Scenario { workers: 1000, members: 100_000, ..Scenario::default() }
    } else {
        Scenario::default()
    };
    println!(
        "{:<58} {:>7} {:>9} {:>8} {:>8} {:>8} {:>8} {:>7}",
        "case", "× ideal", "ops", "ops/memb", "peak/s", "wait s", "twice", "undone"
    );
    let show = |name: &str, scenario: Scenario| {
        let began = Instant::now();
        let found = simulate(&scenario);
        println!(
            "{name:<58} {:>7.3} {:>8.2}M {:>8.2} {:>8.0} {:>8.1} {:>7.2}% {:>7}   ({} batches, {} taken over, \
             {} races lost, {:.0} s to simulate)",
            found.ratio(),
            found.operations / 1e6,
            found.operations / f64::from(scenario.members),
            found.peak,
            found.longest_wait,
            found.doubled * 100.0,
            found.undone,
            found.batches,
            found.taken_over,
            found.lost_races,
            began.elapsed().as_secs_f64(),
        );
    };
    let rate = base.operations_per_second * f64::from(base.workers) / 10_000.0;
    let base = Scenario { operations_per_second: rate, ..base };
    show(&format!("{} × {}, {rate} operations/s", base.workers, base.members), base.clone());
    for seed in [2, 3] {
        show(&format!("the same with seed {seed}"), Scenario { seed, ..base.clone() });
    }
    for part in [0.5, 0.3, 0.2, 0.1] {
        let rate = rate * part;
        let scenario = Scenario { operations_per_second: rate, ..base.clone() };
        show(&format!("{rate} operations/s"), scenario);
    }
    show(
        "3 operations per member besides claims",
        Scenario { operations_per_member: 3.0, ..base.clone() },
    );
    show(
        "11 operations per member (a file per member)",
        Scenario { operations_per_member: 11.0, ..base.clone() },
    );
    show("30 % of the workers 30 minutes late", Scenario { late: 0.3, ..base.clone() });
    show("nobody is started again", Scenario { restarted: 0.0, ..base.clone() });
    show("the same, 20 % die", Scenario { restarted: 0.0, dying: 0.2, ..base.clone() });
    show("half of the dead are started again", Scenario { restarted: 0.5, ..base.clone() });
    show("seconds of members unknown", Scenario { is_known: false, ..base.clone() });
    show("a fifth of the lanes", Scenario { lanes: base.workers / 5, ..base.clone() });
    show("members of 0.1 to 2 s", Scenario { seconds: (0.1, 2.0), ..base.clone() });
    show("members of 1 to 10 minutes", Scenario { seconds: (60.0, 600.0), ..base });
}
