//! Speed of the matrix kernels: GFLOP/s and the share of the machine's peak.
//!
//! ```text
//! cargo bench --bench kernels               every path this machine has
//! cargo bench --bench kernels -- avx512     one path
//! ```
//!
//! Products with padding are not counted; those that tiles save are, so these layers may exceed the
//! peak, which is the one this machine showed for the path just before. Each number is the fastest
//! of twenty calls.
#![expect(clippy::print_stdout, reason = "a benchmark prints")]

use std::time::Instant;

use gridbench_kernels::{
    Aligned, BackwardEpilogue, Conv, Dispatch, Extent, ForwardEpilogue, Moments, Runs, Sources,
    Storage, Taps, Tiled, WeightGradient, WeightShape, Window, peak_flops,
};

/// Images in a batch.
const BATCH: usize = 64;
/// Rounds per number.
const ROUNDS: usize = 5;

fn main() {
    let words: Vec<String> =
        std::env::args().skip(1).filter(|word| !word.starts_with("--")).collect();
    for path in Dispatch::all() {
        if !words.is_empty() && !words.iter().any(|word| word == path.isa().name()) {
            continue;
        }
        match path.isa().is_bf16() {
            #[cfg(target_arch = "x86_64")]
            true => kernels::<half::bf16>(path),
            _ => kernels::<f32>(path),
        }
    }
}

/// Layers of the networks N1–N5 of `docs/performance.md`, and what each shows.
fn layers() -> Vec<(&'static str, Window, usize, usize)> {
    let square = |side: usize, kernel: usize, stride: usize, before: usize, after: usize| {
        let out = (side + before + after - kernel) / stride + 1;
        Window::new([side; 2], [kernel; 2], stride, [before; 2], [out; 2])
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

/// Returns a layer product by product, then in tiles.
fn both<T: Copy>(layer: T) -> [(T, bool); 2] {
    [(layer, false), (layer, true)]
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
fn kernels<E: Storage>(path: Dispatch) {
    let peak = (0..ROUNDS).filter_map(|_| peak_flops(path)).reduce(f64::max);
    let limit =
        peak.map_or(String::new(), |peak| format!("measured peak {:.0} GFLOP/s, ", peak / 1e9));
    println!("\n{}: {limit}one thread, batch {BATCH}", path.isa());
    println!("{:32} {:>16} {:>16} {:>16}", "layer", "forward", "input gradient", "weight gradient");
    for ((name, window, channels, filters), is_tiled) in layers().into_iter().flat_map(both) {
        let extent = |pixels, channels| Extent::new(pixels, channels, E::GROUP).with_step(E::STEP);
        let inputs = extent(window.inputs(), channels);
        let outputs = extent(window.outputs(), filters);
        let shape = WeightShape::new(window.taps(), channels, &outputs);
        let weights = vec![0.01; shape.len()];
        let sources = Sources::pixels(inputs);
        let tiled = if is_tiled { E::tiled(&window, &sources, &outputs) } else { Tiled::default() };
        if is_tiled && tiled.forward.is_none() && tiled.backward.is_empty() {
            continue;
        }
        let name = if is_tiled { format!("{name}, tiled") } else { name.to_owned() };
        let input = Aligned::<E>::zeros(inputs.len(BATCH));
        let mut input_gradient = Aligned::<E>::zeros(inputs.len(BATCH));
        let mut output = Aligned::<E>::zeros(outputs.len(BATCH));
        let mut forward = Aligned::<E>::zeros(E::forward_len(&shape, &tiled));
        let mut backward = Aligned::<E>::zeros(E::backward_len(&shape, &tiled, inputs.stride()));
        let mut gradient = Aligned::<f32>::zeros(shape.len());
        let mut scratch = Aligned::<E>::zeros(E::scratch_len(&tiled, &sources, &outputs));
        let zeros = vec![0.0; outputs.stride()];
        let [mut sums, mut squares] = [(); 2].map(|()| vec![0.0_f64; zeros.len()]);
        E::pack_forward(path, shape, &tiled, &weights, &mut forward);
        E::pack_backward(path, shape, &tiled, inputs.stride(), &weights, &mut backward);
        let (taps, back) = (Taps::forward(&window), Taps::backward(&window));
        let runs = Runs::new(&window, E::stretch(&sources, &outputs));
        let flops = 2.0 * (taps.len() * channels * filters * BATCH) as f64;
        let seconds = [
            fastest(|| {
                E::forward(
                    path,
                    tiled.forward_plan(),
                    &Conv { taps: &taps, sources, input: &input, weights: &forward, images: BATCH },
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
                    &mut scratch,
                );
            }),
            fastest(|| {
                E::backward(
                    path,
                    tiled.backward_plan(),
                    &Conv {
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
                    &mut scratch,
                );
            }),
            fastest(|| {
                E::weight_gradient(
                    path,
                    tiled.forward_plan(),
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
            let share = peak.map_or(String::new(), |peak| format!("{:6.0} %", 100.0 * rate / peak));
            format!("{:8.0} {share}", rate / 1e9)
        };
        let [a, b, c] = seconds.map(cell);
        println!("{name:32} {a:>16} {b:>16} {c:>16}");
    }
}
