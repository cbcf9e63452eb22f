//! Speed of every kernel and of whole training steps.
//!
//! ```text
//! cargo bench --bench kernels                        everything
//! cargo bench --bench kernels -- kernels avx512      matrix kernels on one path
//! cargo bench --bench kernels -- networks deotte     steps of networks whose name contains this
//! ```
//!
//! Kernels: GFLOP/s of products that are not padding, and the share of the peak this machine showed
//! for the path just before. Networks: images/s of a whole step (batch 64), the median of several
//! rounds, and of prediction. Rounds of different rows alternate, so that a noisy neighbour hits
//! all alike.
#![expect(clippy::print_stdout, reason = "a benchmark prints")]

use std::time::{Duration, Instant};

use gridbench::base::{Seed, SeedPath};
use gridbench::data::ImageShape;
use gridbench::engine::fused;
use gridbench::engine::kernels::{
    Aligned, BackwardEpilogue, Extent, ForwardEpilogue, Gather, Isa, Moments, Path, Runs, Sources,
    Storage, Taps, WeightGradient, WeightShape, Window, peak_flops,
};
use gridbench::engine::network::{Network, StepInput, StepResult};
use gridbench::spec::Document;
use gridbench::spec::settings::Settings;

/// Images in a batch.
const BATCH: usize = 64;
/// Rounds per number.
const ROUNDS: usize = 5;

fn main() {
    let words: Vec<String> =
        std::env::args().skip(1).filter(|word| !word.starts_with("--")).collect();
    let has = |what: &str| words.iter().any(|word| word == what);
    let is_all = !has("kernels") && !has("networks");
    let paths: Vec<Path> = Path::all()
        .into_iter()
        .filter(|path| {
            let named = |isa: Isa| has(isa.name());
            !Isa::ALL.into_iter().any(named) || named(path.isa())
        })
        .collect();
    if is_all || has("kernels") {
        for &path in &paths {
            #[cfg(target_arch = "x86_64")]
            if path.isa().is_bf16() {
                kernels::<half::bf16>(path);
                continue;
            }
            kernels::<f32>(path);
        }
    }
    if is_all || has("networks") {
        let is_chosen = |name: &str| {
            let mut names = words
                .iter()
                .filter(|word| {
                    !["kernels", "networks"].contains(&word.as_str())
                        && word.parse::<Isa>().is_err()
                })
                .peekable();
            names.peek().is_none() || names.any(|word| name.contains(word.as_str()))
        };
        networks(&paths, is_chosen);
    }
}

/// Layers of the networks N1–N5 of `DESIGN.md`, and what each shows.
fn layers() -> Vec<(&'static str, Window, usize, usize)> {
    let square = |side: usize, kernel: usize, stride: usize, before: usize, after: usize| {
        let out = (side + before + after - kernel) / stride + 1;
        Window {
            kernel_height: kernel,
            kernel_width: kernel,
            stride,
            top: before,
            left: before,
            out_height: out,
            out_width: out,
            ..Window::whole(side, side)
        }
    };
    vec![
        ("1×1, 9 → 32, 26×26", square(26, 1, 1, 0, 0), 9, 32),
        ("3×3, 32 → 32, 26×26", square(26, 3, 1, 0, 0), 32, 32),
        ("5×5 stride 2, 32 → 32, 24×24", square(24, 5, 2, 1, 2), 32, 32),
        ("3×3, 64 → 64, 10×10", square(10, 3, 1, 0, 0), 64, 64),
        ("5×5 stride 2, 64 → 64, 8×8", square(8, 5, 2, 1, 2), 64, 64),
        ("4×4, 64 → 128, 4×4", square(4, 4, 1, 0, 0), 64, 128),
        ("3×3 same, 128 → 128, 14×14", square(14, 3, 1, 1, 1), 128, 128),
        ("3×3 same, 256 → 256, 7×7", square(7, 3, 1, 1, 1), 256, 256),
        ("dense 784 → 256", Window::whole(1, 1), 784, 256),
    ]
}

/// Returns the seconds of the fastest of several calls.
fn fastest(mut work: impl FnMut()) -> f64 {
    let mut best = f64::MAX;
    for _ in 0..4 * ROUNDS {
        let start = Instant::now();
        work();
        best = best.min(start.elapsed().as_secs_f64());
    }
    best
}

#[expect(clippy::too_many_lines, reason = "a table of measurements, row after row")]
fn kernels<E: Storage>(path: Path) {
    let peak = (0..ROUNDS).map(|_| peak_flops(path)).fold(0.0, f64::max);
    println!(
        "\n{}: measured peak {:.0} GFLOP/s, one thread, batch {BATCH}",
        path.isa(),
        peak / 1e9
    );
    println!("{:32} {:>16} {:>16} {:>16}", "layer", "forward", "input gradient", "weight gradient");
    for (name, window, channels, filters) in layers() {
        let extent = |pixels, channels| Extent::new(pixels, channels, E::GROUP).with_step(E::STEP);
        let inputs = extent(window.inputs(), channels);
        let outputs = extent(window.outputs(), filters);
        let shape = WeightShape {
            places: window.places(),
            inputs: channels,
            outputs: filters,
            stride: outputs.stride,
        };
        let weights = vec![0.01; shape.len()];
        let sources = Sources::pixels(inputs);
        let input = Aligned::<E>::zeros(inputs.len(BATCH));
        let mut input_gradient = Aligned::<E>::zeros(inputs.len(BATCH));
        let mut output = Aligned::<E>::zeros(outputs.len(BATCH));
        let mut forward = Aligned::<E>::zeros(E::forward_len(&shape));
        let mut backward = Aligned::<E>::zeros(E::backward_len(&shape, inputs.stride));
        let mut gradient = Aligned::<f32>::zeros(shape.len());
        let mut scratch = Aligned::<E>::zeros(E::scratch_len(&sources, &outputs));
        let zeros = vec![0.0; outputs.stride];
        let (mut sums, mut squares) = (zeros.clone(), zeros.clone());
        E::pack_forward(path, shape, &weights, &mut forward);
        E::pack_backward(path, shape, inputs.stride, &weights, &mut backward);
        let (taps, back) = (Taps::forward(&window), Taps::backward(&window));
        let runs = Runs::new(&window, E::stretch(&sources, &outputs));
        let flops = 2.0 * (taps.len() * channels * filters * BATCH) as f64;
        let seconds = [
            fastest(|| {
                E::forward(
                    path,
                    &Gather {
                        taps: &taps,
                        sources,
                        input: &input,
                        weights: &forward,
                        images: BATCH,
                    },
                    ForwardEpilogue {
                        extent: outputs,
                        output: &mut output,
                        bias: &zeros,
                        relu: true,
                        moments: Some(Moments {
                            center: &zeros,
                            sums: &mut sums,
                            squares: &mut squares,
                        }),
                        affine: None,
                        relu_after: false,
                    },
                );
            }),
            fastest(|| {
                E::backward(
                    path,
                    &Gather {
                        taps: &back,
                        sources: Sources::pixels(outputs),
                        input: &output,
                        weights: &backward,
                        images: BATCH,
                    },
                    BackwardEpilogue {
                        extent: inputs,
                        values: &mut input_gradient,
                        rectified: true,
                        dropout: None,
                        first_image: 0,
                        sums: None,
                        products: None,
                    },
                );
            }),
            fastest(|| {
                E::weight_gradient(
                    path,
                    WeightGradient {
                        runs: &runs,
                        images: BATCH,
                        inputs: sources,
                        input: &input,
                        outputs,
                        gradient: &output,
                        accumulate: false,
                        weights: &mut gradient,
                    },
                    &mut scratch,
                );
            }),
        ];
        let cell = |seconds: f64| {
            let rate = flops / seconds;
            format!("{:8.0} {:6.0} %", rate / 1e9, 100.0 * rate / peak)
        };
        let [a, b, c] = seconds.map(cell);
        println!("{name:32} {a:>16} {b:>16} {c:>16}");
    }
}

fn settings(preset: &str) -> Settings {
    let optimizer = if ["mlp", "simple-cnn"].contains(&preset) { "rmsprop" } else { "adam" };
    let text = format!(
        "name = \"bench\"\n[dataset]\nsource = \"mnist\"\n[model]\npreset = \"{preset}\"\n\
         [train]\nepochs = 1\nbatch-size = {BATCH}\noptimizer = {{ name = \"{optimizer}\" }}\n"
    );
    let document = Document::parse(&text, "bench.toml", &[]).expect("the text is an experiment");
    document.experiment().base.clone()
}

fn networks(paths: &[Path], is_chosen: impl Fn(&str) -> bool) {
    println!("\nimages/s, one thread, batch {BATCH}, median of {ROUNDS} alternating rounds");
    println!(
        "{:12} {:22} {:>10} {:>10} {:>10}",
        "network", "path", "training", "prediction", "MiB"
    );
    for preset in ["deotte-cnn", "augment-cnn", "mlp", "simple-cnn", "two-conv"] {
        if !is_chosen(preset) {
            continue;
        }
        let settings = settings(preset);
        let mut rows: Vec<Row> = paths.iter().map(|&path| Row::new(path, &settings)).collect();
        for _ in 0..ROUNDS {
            for row in &mut rows {
                row.round();
            }
        }
        for row in rows {
            println!(
                "{preset:12} {:22} {:10.0} {:10.0} {:10.1}",
                row.network.path(),
                median(row.training),
                median(row.prediction),
                row.network.working_bytes() as f64 / f64::from(1 << 20),
            );
        }
    }
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// One network on one path.
struct Row {
    network: Box<dyn Network>,
    pixels: Vec<f32>,
    labels: Vec<u16>,
    step: u64,
    training: Vec<f64>,
    prediction: Vec<f64>,
}

impl Row {
    fn new(path: Path, settings: &Settings) -> Self {
        let shape = ImageShape { height: 28, width: 28, channels: 1 };
        let seed_path = SeedPath::member(Seed(1), 0, 0);
        let network = fused::build(path, settings, shape, 10, seed_path)
            .expect("every preset has a fused path");
        let pixels = (0..BATCH * shape.len()).map(|at| (at * 37 % 256) as f32 / 255.0).collect();
        let labels = (0..BATCH).map(|image| (image % 10) as u16).collect();
        Self { network, pixels, labels, step: 0, training: vec![], prediction: vec![] }
    }

    fn round(&mut self) {
        self.train();
        let (mut steps, start) = (0, Instant::now());
        while steps < 2 || start.elapsed() < Duration::from_millis(400) {
            self.train();
            steps += 1;
        }
        self.training.push((steps * BATCH) as f64 / start.elapsed().as_secs_f64());
        let (mut batches, start) = (0, Instant::now());
        let mut logits = vec![Vec::new()];
        while batches < 2 || start.elapsed() < Duration::from_millis(200) {
            logits[0].clear();
            self.network.predict(&[&self.pixels], BATCH, &mut logits).expect("one model predicts");
            batches += 1;
        }
        self.prediction.push((batches * BATCH) as f64 / start.elapsed().as_secs_f64());
    }

    fn train(&mut self) {
        let input = StepInput {
            pixels: &self.pixels,
            labels: &self.labels,
            learning_rate: 1e-3,
            step: self.step,
        };
        self.network
            .train_step(&[input], &mut [StepResult::default()])
            .expect("one model takes a step");
        self.step += 1;
    }
}
