//! Speed of whole training steps and of prediction.
//!
//! ```text
//! cargo bench --bench networks                                  every preset and path, batch 64
//! cargo bench --bench networks -- mlp avx512 --batch 256        what the words name
//! cargo bench --bench networks -- deotte-cnn amx-bf16 --train --seconds 3 --json
//! ```
//!
//! Rounds of different rows alternate, so that a noisy neighbour hits all alike; the table shows
//! medians. With `--json` one object per row, for `benches/peers/compare.py`.
#![expect(clippy::print_stdout, reason = "a benchmark prints")]

use std::time::{Duration, Instant};

use gridbench::base::{Seed, SeedPath};
use gridbench::data::ImageShape;
use gridbench::engine::fused;
use gridbench::engine::network::{Network, StepInput, StepResult};
use gridbench::experiment::Document;
use gridbench::experiment::settings::Settings;
use gridbench_kernels::Dispatch;

const PRESETS: [&str; 5] = ["deotte-cnn", "augment-cnn", "mlp", "simple-cnn", "two-conv"];

/// What was asked for.
struct Arguments {
    presets: Vec<&'static str>,
    paths: Vec<Dispatch>,
    batch: usize,
    rounds: usize,
    seconds: f64,
    mode: Mode,
    json: bool,
}

/// What is measured.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Mode {
    Both,
    Train,
    Predict,
}

fn main() {
    let arguments = arguments();
    if !arguments.json {
        println!(
            "images/s, one thread, batch {}, median of {} alternating rounds",
            arguments.batch, arguments.rounds
        );
        println!(
            "{:12} {:22} {:>10} {:>10} {:>10}",
            "network", "path", "training", "prediction", "MiB"
        );
    }
    for preset in &arguments.presets {
        let settings = settings(preset, arguments.batch);
        let mut rows: Vec<Row> =
            arguments.paths.iter().map(|&path| Row::new(path, &settings)).collect();
        for _ in 0..arguments.rounds {
            for row in &mut rows {
                row.round(arguments.mode, arguments.seconds);
            }
        }
        for row in rows {
            row.print(preset, &arguments);
        }
    }
}

fn arguments() -> Arguments {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let number = |name: &str| -> Option<f64> {
        let at = words.iter().position(|word| word == name)?;
        words.get(at + 1).and_then(|word| word.parse().ok())
    };
    let has = |name: &str| words.iter().any(|word| word == name);
    let mut presets: Vec<&'static str> = PRESETS.into_iter().filter(|preset| has(preset)).collect();
    if presets.is_empty() {
        presets = PRESETS.to_vec();
    }
    let mut paths: Vec<Dispatch> =
        Dispatch::all().into_iter().filter(|path| has(path.isa().name())).collect();
    if paths.is_empty() {
        paths = Dispatch::all();
    }
    Arguments {
        presets,
        paths,
        batch: number("--batch").map_or(64, |batch| batch as usize),
        rounds: number("--rounds").map_or(5, |rounds| rounds as usize),
        seconds: number("--seconds").unwrap_or(0.4),
        mode: match (has("--train"), has("--predict")) {
            (true, false) => Mode::Train,
            (false, true) => Mode::Predict,
            _ => Mode::Both,
        },
        json: has("--json"),
    }
}

fn settings(preset: &str, batch: usize) -> Settings {
    let optimizer = if ["mlp", "simple-cnn"].contains(&preset) { "rmsprop" } else { "adam" };
    let text = format!(
        "name = \"bench\"\n[dataset]\nsource = \"mnist\"\n[model]\npreset = \"{preset}\"\n\
         [train]\nepochs = 1\nbatch-size = {batch}\noptimizer = {{ name = \"{optimizer}\" }}\n"
    );
    let document = Document::parse(&text, "bench.toml", &[]).expect("the text is an experiment");
    document.experiment().base.clone()
}

fn median(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// One network on one path.
struct Row {
    path: Dispatch,
    network: Box<dyn Network>,
    batch: usize,
    pixels: Vec<f32>,
    labels: Vec<u16>,
    step: u64,
    training: Vec<f64>,
    prediction: Vec<f64>,
}

impl Row {
    fn new(path: Dispatch, settings: &Settings) -> Self {
        let shape = ImageShape { height: 28, width: 28, channels: 1 };
        let batch = settings.train.batch_size;
        let seed_path = SeedPath::member(Seed(1), 0, 0);
        let network = fused::build(path, settings, shape, 10, seed_path, batch)
            .expect("every preset has a fused path");
        // One batch of noise again and again, as the peers train on.
        let noise = |at: usize| {
            (at as u32 + 1).wrapping_mul(0x9E37_79B1).rotate_left(11).wrapping_mul(0x85EB_CA6B) >> 8
        };
        let pixels =
            (0..batch * shape.len()).map(|at| noise(at) as f32 / (1 << 24) as f32).collect();
        let labels = (0..batch).map(|image| (noise(image) % 10) as u16).collect();
        Self { path, network, batch, pixels, labels, step: 0, training: vec![], prediction: vec![] }
    }

    /// Adds one round of training and one of prediction.
    fn round(&mut self, mode: Mode, seconds: f64) {
        let rate = |row: &mut Self, seconds: f64, work: fn(&mut Self)| {
            work(row);
            let (mut times, start) = (Vec::new(), Instant::now());
            while times.len() < 2 || start.elapsed() < Duration::from_secs_f64(seconds) {
                let step = Instant::now();
                work(row);
                times.push(step.elapsed().as_secs_f64());
            }
            row.batch as f64 / median(&mut times)
        };
        let is_part = |part| mode == Mode::Both || mode == part;
        let training = if is_part(Mode::Train) { rate(self, seconds, Self::train) } else { 0.0 };
        let prediction =
            if is_part(Mode::Predict) { rate(self, seconds, Self::predict) } else { 0.0 };
        self.training.push(training);
        self.prediction.push(prediction);
    }

    fn train(&mut self) {
        let input = StepInput {
            pixels: &self.pixels,
            labels: &self.labels,
            learning_rate: 1e-3,
            step: self.step,
            ..StepInput::default()
        };
        self.network
            .train_step(&[input], &mut [StepResult::default()])
            .expect("one model takes a step");
        self.step += 1;
    }

    fn predict(&mut self) {
        let mut logits = vec![Vec::new()];
        self.network.predict(&[&self.pixels], self.batch, &mut logits).expect("one model predicts");
    }

    fn print(mut self, preset: &str, arguments: &Arguments) {
        let training = median(&mut self.training);
        let prediction = median(&mut self.prediction);
        let mebibytes = self.network.working_bytes() as f64 / f64::from(1 << 20);
        if arguments.json {
            println!(
                "{{\"network\":\"{preset}\",\"path\":\"{}\",\"batch\":{},\
                 \"train\":{training:.1},\"predict\":{prediction:.1},\"mebibytes\":{mebibytes:.1}}}",
                self.path.isa(),
                arguments.batch,
            );
        } else {
            println!(
                "{preset:12} {:22} {training:10.0} {prediction:10.0} {mebibytes:10.1}",
                self.network.path()
            );
        }
    }
}
