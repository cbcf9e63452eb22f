//! What batch normalisation evaluates by, on every path.

use std::fmt::Write as _;

use super::evaluation::evaluate;
use super::network::{Network, StepInput, StepResult};
use super::testing::{conv, dense, job, quarters, settings, splits};
use super::training;
use super::weights::NamedTensor;
use super::{CpuKernels, TrainJob};
use crate::base::{Seed, SeedPath};
use crate::data::{BatchSettings, Batches, DataFolders, Dataset, Order, Splits, load, split};
use crate::experiment::layers::{LayerSettings, NormStatistics, Padding};
use crate::experiment::presets::{Knobs, Preset};
use crate::experiment::settings::{Schedule, Settings, Source};

const PATHS: [CpuKernels; 2] = [CpuKernels::Auto, CpuKernels::Dfdx];
const MOMENTUM: f64 = 0.9;

fn normalised(statistics: NormStatistics) -> Settings {
    let norm = || LayerSettings::BatchNorm { momentum: MOMENTUM, epsilon: 1e-3, statistics };
    settings(vec![
        conv(5, 3, 1, Padding::Same),
        LayerSettings::Relu,
        norm(),
        conv(4, 3, 1, Padding::Valid),
        LayerSettings::Relu,
        norm(),
        LayerSettings::Flatten,
        dense(None),
    ])
}

fn batch(dataset: &Dataset, indices: &[u32]) -> (Vec<f32>, Vec<u16>) {
    let pixels = indices.iter().flat_map(|&index| dataset.image(index as usize));
    let labels = indices.iter().map(|&index| dataset.labels[index as usize]).collect();
    (pixels.map(|&pixel| f32::from(pixel) / 255.0).collect(), labels)
}

/// Takes a step on the images at `indices` and returns the sum of their losses before it.
fn step(network: &mut dyn Network, dataset: &Dataset, indices: &[u32], at: (u64, f64)) -> f64 {
    let (pixels, labels) = batch(dataset, indices);
    let (step, learning_rate) = at;
    let input = StepInput { pixels: &pixels, labels: &labels, indices: &[], learning_rate, step };
    let mut results = [StepResult::default()];
    network.train_step(&[input], &mut results).unwrap();
    results[0].loss_sum
}

/// Returns running means and variances, layer by layer.
fn statistics(network: &dyn Network) -> Vec<NamedTensor> {
    let is_statistic = |tensor: &NamedTensor| {
        tensor.name.rsplit_once('.').is_some_and(|(_, role)| ["mean", "variance"].contains(&role))
    };
    network.weights(0).into_iter().filter(is_statistic).collect()
}

fn assert_near(found: &[NamedTensor], expected: &[NamedTensor], tolerance: f32, what: &str) {
    assert_eq!(found.len(), expected.len());
    for (found, expected) in found.iter().zip(expected) {
        let largest = expected.values.iter().fold(1e-6f32, |most, value| most.max(value.abs()));
        for (one, other) in found.values.iter().zip(&expected.values) {
            let name = &found.name;
            assert!((one - other).abs() <= tolerance * largest, "{what}: {name}: {one}, {other}");
        }
    }
}

#[test]
fn debiased_averages_are_keras_averages_without_what_they_started_from() {
    let (dataset, splits) = (quarters(200), splits(200));
    for kernels in PATHS {
        let [running, debiased] =
            [NormStatistics::Running, NormStatistics::Debiased].map(normalised);
        let mut networks = [&running, &debiased]
            .map(|settings| kernels.network(&[job(settings, &dataset, &splits, 0)]).unwrap());
        let before = statistics(&*networks[1]);
        assert_eq!(before, statistics(&*networks[0]), "mean 0 and variance 1 before any step");
        for (count, indices) in splits.train.chunks_exact(16).take(7).enumerate() {
            for network in &mut networks {
                step(&mut **network, &dataset, indices, (count as u64, 0.05));
            }
            // From r = βᵗ · start + (1 − βᵗ) · average.
            let rest = MOMENTUM.powi(count as i32 + 1);
            let mut expected = statistics(&*networks[0]);
            for tensor in &mut expected {
                let start = if tensor.name.ends_with(".variance") { 1.0 } else { 0.0 };
                for value in &mut tensor.values {
                    *value = ((f64::from(*value) - rest * start) / (1.0 - rest)) as f32;
                }
            }
            let what = format!("{kernels}, step {count}");
            assert_near(&statistics(&*networks[1]), &expected, 1e-5, &what);
        }
    }
}

fn loss_of(network: &mut dyn Network, dataset: &Dataset, indices: &[u32]) -> f64 {
    let (pixels, labels) = batch(dataset, indices);
    let mut logits = [Vec::new()];
    network.predict(&[&pixels], indices.len(), &mut logits).unwrap();
    evaluate(&logits[0], dataset.classes.len(), &labels).loss * indices.len() as f64
}

#[test]
fn measured_on_one_batch_an_evaluation_normalises_as_a_step_does() {
    let (dataset, splits) = (quarters(200), splits(200));
    for kernels in PATHS {
        let mut settings = normalised(NormStatistics::Population);
        settings.train.batch_size = 48;
        let mut network = kernels.network(&[job(&settings, &dataset, &splits, 0)]).unwrap();
        for (count, indices) in splits.train.chunks_exact(16).take(5).enumerate() {
            step(&mut *network, &dataset, indices, (count as u64, 0.05));
        }
        let images = &splits.train[..48];
        assert!(network.begin_measuring());
        let while_measuring = loss_of(&mut *network, &dataset, images);
        network.end_measuring();
        let evaluated = loss_of(&mut *network, &dataset, images);
        let trained = step(&mut *network, &dataset, images, (5, 0.0));
        for found in [while_measuring, evaluated] {
            assert!((found / trained - 1.0).abs() < 1e-4, "{kernels}: {found}, {trained}");
        }
    }
}

#[test]
fn the_batches_of_a_measurement_add_up_to_all_images() {
    let (dataset, splits) = (quarters(200), splits(200));
    for kernels in PATHS {
        let measured = |batch_size: usize| {
            let mut settings = normalised(NormStatistics::Population);
            settings.train.batch_size = batch_size;
            let mut network = kernels.network(&[job(&settings, &dataset, &splits, 0)]).unwrap();
            network.begin_measuring();
            for images in splits.train.chunks(batch_size) {
                loss_of(&mut *network, &dataset, images);
            }
            network.end_measuring();
            // The first normalisation sees the same values in whatever batches they come.
            let is_first = |tensor: &NamedTensor| tensor.name.starts_with("layer03");
            statistics(&*network).into_iter().filter(is_first).collect::<Vec<_>>()
        };
        assert_near(&measured(7), &measured(120), 1e-5, &kernels.to_string());
    }
}

#[test]
fn only_layers_that_ask_for_it_are_measured() {
    let (dataset, splits) = (quarters(20), splits(20));
    for kernels in PATHS {
        for statistics in [NormStatistics::Running, NormStatistics::Debiased] {
            let settings = normalised(statistics);
            let mut network = kernels.network(&[job(&settings, &dataset, &splits, 0)]).unwrap();
            assert!(!network.begin_measuring());
        }
    }
}

/// N1 as its study trains it, evaluated after so many steps of 64 images.
const MOMENTS: [u64; 3] = [187, 937, 9_370];

fn averages_without_their_start(weights: &[NamedTensor], steps: u64) -> Vec<NamedTensor> {
    let rest = 0.99f64.powf(steps as f64);
    let mut weights = weights.to_vec();
    for tensor in &mut weights {
        let start = match tensor.name.rsplit_once('.') {
            Some((_, "mean")) => Some(0.0),
            Some((_, "variance")) => Some(1.0),
            _ => None,
        };
        if let Some(start) = start {
            for value in &mut tensor.values {
                *value = ((f64::from(*value) - rest * start) / (1.0 - rest)) as f32;
            }
        }
    }
    weights
}

/// Prints the test accuracy of N1 under all three kinds of statistics, from one training a seed.
#[test]
#[ignore = "needs MNIST and an hour: set BENCH_DATA_DIR; SEEDS and STEPS say what is trained"]
#[expect(clippy::disallowed_methods, reason = "a measurement that is told what to do")]
fn kinds_of_statistics_of_n1_on_mnist_measured() {
    let folder = std::env::var("BENCH_DATA_DIR").expect("set BENCH_DATA_DIR to MNIST's folder");
    let seeds = std::env::var("SEEDS").unwrap_or_else(|_| "0 1 2 3 4".to_owned());
    let most: u64 = std::env::var("STEPS").map_or(MOMENTS[2], |steps| steps.parse().unwrap());
    let of = |statistics| {
        let knobs = Knobs { statistics, ..Knobs::default() };
        let mut settings = settings(Preset::DeotteCnn.layers(&knobs));
        settings.dataset.source = Source::Mnist;
        settings.train.batch_size = 64;
        settings.train.epochs = 10;
        settings.train.optimizer = super::testing::optimizers().swap_remove(1);
        settings.train.learning_rate.initial = 1e-3;
        settings.train.learning_rate.schedule = Schedule::Exponential { factor: 0.95 };
        settings
    };
    let [running, population] = [NormStatistics::Running, NormStatistics::Population].map(of);
    let dataset = load(
        &running.dataset,
        &DataFolders { roots: vec![folder.into()], ..DataFolders::default() },
    )
    .unwrap();
    for seed in seeds.split_whitespace().map(|seed| seed.parse().unwrap()) {
        let seed_path = SeedPath::member(Seed(42), seed, 0);
        let splits = split(&dataset, &running.dataset.split, None, seed_path).unwrap();
        let job_of = |settings| TrainJob { seed_path, ..job(settings, &dataset, &splits, 0) };
        let (job, measuring) = (job_of(&running), job_of(&population));
        let mut network = CpuKernels::Auto.network(&[job_of(&running)]).unwrap();
        let mut other = CpuKernels::Auto.network(&[job_of(&population)]).unwrap();
        let mut steps = 0;
        for epoch in 0..10u64 {
            let order = BatchSettings {
                batch_size: 64,
                drop_last: true,
                order: Order::Shuffled,
                augmenter: None,
            };
            let mut batches = Batches::new(&dataset, &splits.train, order, seed_path, epoch);
            let (mut pixels, mut labels) = (Vec::new(), Vec::new());
            while steps < most && batches.next_into(&mut pixels, &mut labels).is_some() {
                let learning_rate = 1e-3 * 0.95f64.powf(epoch as f64);
                let input = StepInput {
                    pixels: &pixels,
                    labels: &labels,
                    indices: &[],
                    learning_rate,
                    step: steps,
                };
                network.train_step(&[input], &mut [StepResult::default()]).unwrap();
                steps += 1;
                if MOMENTS.contains(&steps) {
                    println!("{}", evaluated(&*network, &mut *other, (&job, &measuring), steps));
                }
            }
        }
    }
}

/// Returns one line: seed, steps, then accuracy and loss of every kind of statistics.
fn evaluated(
    network: &dyn Network,
    other: &mut dyn Network,
    (job, measuring): (&TrainJob<'_>, &TrainJob<'_>),
    steps: u64,
) -> String {
    let weights = network.weights(0);
    let mut line = format!("seed {} steps {steps}", job.seed_path.repeat.unwrap());
    let Splits { test, .. } = job.splits;
    let labels: Vec<u16> = test.iter().map(|&image| job.dataset.labels[image as usize]).collect();
    for kind in ["running", "debiased", "population"] {
        match kind {
            "running" => other.load_weights(0, &weights).unwrap(),
            "debiased" => {
                other.load_weights(0, &averages_without_their_start(&weights, steps)).unwrap();
            }
            _ => {
                other.begin_measuring();
                training::predicted(other, measuring, &measuring.splits.train).unwrap();
                other.end_measuring();
            }
        }
        let logits = training::predicted(other, measuring, test).unwrap();
        let found = evaluate(&logits, 10, &labels);
        write!(line, " {kind} {} {:.5}", found.accuracy, found.loss).unwrap();
    }
    line
}
