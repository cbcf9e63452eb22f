//! Whole training steps of the portable path: images per second on one core.
//!
//! `cargo bench --bench engine -- [PRESET] [SIDE] [OPTIMIZER] [EPOCHS] [DATA_DIR]`, by default
//! `simple-cnn` on 28×28 digits with `rmsprop`; with a data folder, on MNIST. Prints the median
//! over the epochs after the first and the accuracies.

#![expect(clippy::print_stdout, reason = "a benchmark reports to the terminal")]
use std::ops::ControlFlow;
use std::path::PathBuf;

use gridbench::base::{Seed, SeedPath};
use gridbench::data::{DataFolders, load, split};
use gridbench::engine::{DeviceChoice, EpochObserver, Snapshot, TrainJob, build};
use gridbench::experiment::Document;
use gridbench::record::EpochRecord;

struct Silent;

impl EpochObserver for Silent {
    fn epoch(&mut self, _: &EpochRecord, _: &dyn Snapshot) -> ControlFlow<()> {
        ControlFlow::Continue(())
    }
}

fn main() {
    let arguments: Vec<String> =
        std::env::args().skip(1).filter(|argument| !argument.starts_with("--")).collect();
    let argument = |index: usize, default: &str| {
        arguments.get(index).cloned().unwrap_or_else(|| default.to_owned())
    };
    let (preset, side) = (argument(0, "simple-cnn"), argument(1, "28"));
    let (optimizer, epochs) = (argument(2, "rmsprop"), argument(3, "4"));
    let folder = arguments.get(4).map(PathBuf::from);
    let source = if folder.is_some() { "mnist" } else { "digits" };
    let text = format!(
        "name = \"speed\"\n[dataset]\nsource = \"{source}\"\nimage-size = {side}\n\
         [model]\npreset = \"{preset}\"\n\
         [train]\nepochs = {epochs}\noptimizer = \"{optimizer}\"\n"
    );
    let document = Document::parse(&text, "speed.toml", &[]).expect("a valid experiment");
    let settings = &document.experiment().base;
    let folders = DataFolders { roots: folder.into_iter().collect(), ..DataFolders::default() };
    let dataset = load(&settings.dataset, &folders).expect("images");
    let seed_path = SeedPath::member(Seed(1), 0, 0);
    let splits = split(&dataset, &settings.dataset.split, None, seed_path).expect("a split");
    let job = TrainJob {
        settings,
        dataset: &dataset,
        splits: &splits,
        seed_path,
        member: None,
        attempt: 1,
        checkpoint: None,
        earlier: None,
    };
    let engine = build(DeviceChoice::Cpu).expect("a CPU");
    let output = engine.train(&job, &mut Silent).expect("a training");
    let mut rates: Vec<f64> = output
        .epochs
        .iter()
        .skip(usize::from(output.epochs.len() > 1))
        .map(|record| splits.train.len() as f64 / record.train_seconds)
        .collect();
    rates.sort_by(f64::total_cmp);
    let summary = output.summary.expect("a completed training");
    println!(
        "{preset} {side}×{side} {optimizer}: {:.0} images/s, {:?}, {:.1} MiB computed",
        rates[rates.len() / 2],
        summary.metrics,
        summary.metrics[&gridbench::base::MetricName::PEAK_MEMORY],
    );
}
