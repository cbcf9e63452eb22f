use std::collections::BTreeMap;
use std::time::Instant;

use super::scripted::{open, plan};
use crate::data::{DataFolders, load};
use crate::engine::FakeEngine;
use crate::experiment::settings::{FakeSettings, TrainerSettings};
use crate::plan::testing::cell;
use crate::runner::{RunOptions, RunRequest, StopSignal, run};

/// `TMPDIR=/dev/shm cargo nextest run --release --run-ignored only -E 'test(empty_trial)'
/// --no-capture`: without the cost of a disk's flush; without `TMPDIR`, with it.
#[test]
#[ignore = "measures; asserts nothing about time"]
fn the_cost_of_an_empty_trial_is_printed() {
    let trials = 1000;
    for workers in [1, 2, 8] {
        let folder = tempfile::tempdir().unwrap();
        let plan = plan(
            1,
            (0..trials).map(|x| {
                cell(x, |settings| {
                    settings.trainer = TrainerSettings::Fake(FakeSettings {
                        accuracy: 0.9,
                        spread: 0.01,
                        effects: BTreeMap::new(),
                        epoch_delay_ms: 0,
                        accidents: vec![],
                    });
                })
            }),
        );
        let mut store = open(folder.path());
        let started = Instant::now();
        let summary = run(RunRequest {
            plan: &plan,
            engine: &FakeEngine,
            store: &mut store,
            load: &mut |settings| Ok(load(settings, &DataFolders::default())?.into()),
            supply: None,
            options: RunOptions { workers, ..RunOptions::default() },
            stop: &StopSignal::new(),
            events: &|_| {},
        })
        .unwrap();
        assert_eq!(summary.trials_completed, trials as usize);
        let each = started.elapsed().as_secs_f64() * 1e3 / trials as f64;
        println!("{each:.3} ms per trial, {workers} workers, {}", folder.path().display());
    }
}
