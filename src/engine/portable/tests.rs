//! The portable path against the reference network, and the CPU's operations against stock ones.

use dfdx::prelude::*;

use super::super::EngineError;
use super::super::geometry::{Volume, Window};
use super::super::network::Network;
use super::super::testing::against::{Tolerance, assert_near, cases, compare, noise, random_case};
use super::PortableNetwork;
use super::constants;
use super::ops::{Backend, Packed, PerChannel, stock};
use super::rows::{self, Rows, Source, Windows};
use crate::base::SeedPath;
use crate::data::ImageShape;
use crate::experiment::architecture;
use crate::experiment::layers::Padding;
use crate::experiment::settings::Settings;

const F32: Tolerance = Tolerance { values: 2e-6, gradients: 2e-5 };

fn on_cpu(
    settings: &Settings,
    shape: ImageShape,
    classes: usize,
    seed_paths: Vec<SeedPath>,
) -> Result<Box<dyn Network>, EngineError> {
    Ok(Box::new(PortableNetwork::new(Cpu::default(), settings, shape, classes, seed_paths)?))
}

#[test]
fn every_layer_agrees_with_plain_loops_and_finite_differences() {
    for case in cases() {
        compare(&case, on_cpu, F32);
    }
}

#[test]
fn random_networks_agree_with_plain_loops_and_finite_differences() {
    for seed in 0..40 {
        compare(&random_case(seed), on_cpu, F32);
    }
}

fn random(device: &Cpu, shape: (usize, usize, usize), seed: u64) -> Packed<Cpu> {
    let mut next = noise(seed);
    let values = (0..shape.0 * shape.1 * shape.2).map(|_| next()).collect();
    device.tensor_from_vec(values, shape)
}

fn doubles(tensor: Vec<f32>) -> Vec<f64> {
    tensor.into_iter().map(f64::from).collect()
}

/// Compares values and the gradient of a random weighting of them by `x`.
fn same_operation<F, G>(x: &Packed<Cpu>, ours: F, theirs: G, what: &str)
where
    F: Fn(Packed<Cpu, OwnedTape<f32, Cpu>>) -> Packed<Cpu, OwnedTape<f32, Cpu>>,
    G: Fn(Packed<Cpu, OwnedTape<f32, Cpu>>) -> Packed<Cpu, OwnedTape<f32, Cpu>>,
{
    let run = |y: Packed<Cpu, OwnedTape<f32, Cpu>>| {
        let values = doubles(y.as_vec());
        let weighting = random(y.device(), *y.shape(), 99);
        let gradients = (y * weighting).sum::<Rank0, _>().backward();
        (values, doubles(gradients.get(x).as_vec()))
    };
    let (ours, theirs) = (run(ours(x.leaky_trace())), run(theirs(x.leaky_trace())));
    assert_near(&ours.0, &theirs.0, 1e-6, what);
    assert_near(&ours.1, &theirs.1, 1e-5, what);
}

fn window(input: Volume, size: usize, stride: usize, padding: Padding) -> Window {
    let along = |length| architecture::Window::resolve(length, size, stride, padding).unwrap();
    Window::new(input, size, stride, (along(input.height), along(input.width)))
}

const VOLUME: Volume = Volume { channels: 3, height: 5, width: 4 };

#[test]
fn gathering_rows_on_the_cpu_equals_the_stock_gather() {
    let device = Cpu::default();
    let x = random(&device, (2, VOLUME.features(), 5), 1);
    for (size, stride, padding) in
        [(3, 1, Padding::Valid), (3, 2, Padding::Same), (2, 1, Padding::Explicit(1))]
    {
        let rows: Rows<Cpu> = rows::convolution(VOLUME, &window(VOLUME, size, stride, padding));
        same_operation(
            &x,
            |x| Cpu::gather_rows(x, &rows).unwrap(),
            |x| stock::gather_rows(x, &rows).unwrap(),
            &format!("{size} {stride} {padding:?}"),
        );
    }
}

#[test]
fn pooling_on_the_cpu_equals_pooling_by_stock_operations() {
    let device = Cpu::default();
    let x = random(&device, (2, VOLUME.features(), 5), 2);
    for (size, stride, padding) in
        [(2, 2, Padding::Valid), (3, 2, Padding::Same), (2, 1, Padding::Explicit(1))]
    {
        let windows: Windows<Cpu> =
            Windows::new(VOLUME, &window(VOLUME, size, stride, padding), None);
        same_operation(
            &x,
            |x| Cpu::max_pool(x, &windows).unwrap(),
            |x| stock::max_pool(x, &windows).unwrap(),
            &format!("{size} {stride} {padding:?}"),
        );
    }
}

#[test]
fn of_equal_maxima_the_first_alone_gets_the_gradient() {
    let device = Cpu::default();
    let volume = Volume { channels: 1, height: 2, width: 2 };
    let windows: Windows<Cpu> = Windows::new(volume, &window(volume, 2, 2, Padding::Valid), None);
    let x: Packed<Cpu> = device.tensor_from_vec(vec![0.5, 1.0, 1.0, 1.0], (1, 4, 1));
    for y in [
        Cpu::max_pool(x.leaky_trace(), &windows).unwrap(),
        stock::max_pool(x.leaky_trace(), &windows).unwrap(),
    ] {
        let gradients = y.sum::<Rank0, _>().backward();
        assert_eq!(gradients.get(&x).as_vec(), [0.0, 1.0, 0.0, 0.0]);
    }
}

#[test]
fn a_nan_survives_pooling_wherever_it_is() {
    let device = Cpu::default();
    let volume = Volume { channels: 1, height: 2, width: 2 };
    let windows: Windows<Cpu> = Windows::new(volume, &window(volume, 2, 2, Padding::Valid), None);
    for index in 0..4 {
        let mut values = vec![1.0, -2.0, 3.0, 0.5];
        values[index] = f32::NAN;
        let x: Packed<Cpu> = device.tensor_from_vec(values, (1, 4, 1));
        for y in [Cpu::max_pool(x.clone(), &windows), stock::max_pool(x, &windows)] {
            assert!(y.unwrap().as_vec()[0].is_nan(), "{index}");
        }
    }
}

#[test]
fn a_nan_survives_a_relu() {
    let device = Cpu::default();
    let x: Packed<Cpu> = device.tensor_from_vec(vec![-1.0, f32::NAN, 0.0, 2.0], (1, 4, 1));
    for y in [Cpu::relu(x.leaky_trace()).unwrap(), constants::relu(x.leaky_trace()).unwrap()] {
        let values = y.as_vec();
        assert!(values[1].is_nan());
        assert_eq!(
            [values[0], values[2], values[3]].map(f32::to_bits),
            [0.0, 0.0, 2.0f32].map(f32::to_bits)
        );
    }
}

#[test]
fn relu_and_bias_on_the_cpu_equal_stock_operations() {
    let device = Cpu::default();
    let (models, channels, values) = (2, 3, 37);
    let x = random(&device, (models, channels, values), 7);
    same_operation(&x, |x| Cpu::relu(x).unwrap(), |x| constants::relu(x).unwrap(), "relu");
    let bias: PerChannel<Cpu> =
        random(&device, (models, channels, 1), 8).reshape_like(&(models, channels));
    same_operation(
        &x,
        |x| Cpu::add_bias(x, &bias).unwrap(),
        |x| stock::add_bias(x, &bias).unwrap(),
        "bias",
    );
    let weighting = random(&device, (models, channels, values), 9);
    let gradient = |y: Packed<Cpu, OwnedTape<f32, Cpu>>| {
        let gradients = (y * weighting.clone()).sum::<Rank0, _>().backward();
        doubles(gradients.get(&bias).as_vec())
    };
    let ours = gradient(Cpu::add_bias(x.leaky_trace(), &bias).unwrap());
    let theirs = gradient(stock::add_bias(x.leaky_trace(), &bias).unwrap());
    assert_near(&ours, &theirs, 1e-5, "gradient of the bias");
}

#[test]
fn normalising_on_the_cpu_equals_normalising_by_stock_operations() {
    let device = Cpu::default();
    let (models, channels, values) = (2, 3, 37);
    let x = random(&device, (models, channels, values), 3);
    let per_channel = |seed| -> PerChannel<Cpu> {
        random(&device, (models, channels, 1), seed).reshape_like(&(models, channels))
    };
    let (scale, shift) = (per_channel(4), per_channel(5));
    same_operation(
        &x,
        |x| Cpu::batch_norm(x, &scale, &shift, 1e-3).unwrap().0,
        |x| stock::batch_norm(x, &scale, &shift, 1e-3).unwrap().0,
        "batch norm",
    );
    let ours = Cpu::batch_norm(x.leaky_trace(), &scale, &shift, 1e-3).unwrap();
    let theirs = stock::batch_norm(x.leaky_trace(), &scale, &shift, 1e-3).unwrap();
    assert_near(&doubles(ours.1.as_vec()), &doubles(theirs.1.as_vec()), 1e-6, "means");
    assert_near(&doubles(ours.2.as_vec()), &doubles(theirs.2.as_vec()), 1e-6, "variances");
    let weighting = random(&device, (models, channels, values), 6);
    let ours = (ours.0 * weighting.clone()).sum::<Rank0, _>().backward();
    let theirs = (theirs.0 * weighting).sum::<Rank0, _>().backward();
    for parameter in [&scale, &shift] {
        let (ours, theirs) = (ours.get(parameter).as_vec(), theirs.get(parameter).as_vec());
        assert_near(&doubles(ours), &doubles(theirs), 1e-5, "scale or shift");
    }
    let ours = Cpu::scale_rows(x.clone(), &scale, &shift).unwrap();
    let theirs = stock::scale_rows(x, &scale, &shift).unwrap();
    assert_near(&doubles(ours.as_vec()), &doubles(theirs.as_vec()), 1e-6, "scaled rows");
}

#[test]
fn every_input_row_knows_its_copies() {
    let sources = vec![Source::Row(2), Source::Zeros, Source::Row(0), Source::Row(2)];
    let rows: Rows<Cpu> = Rows::new(4, sources);
    assert_eq!(rows.copies(), (vec![0, 1, 1, 3, 3], vec![2, 0, 3]));
}

#[test]
fn rows_that_follow_each_other_are_gathered_in_one_run() {
    let rows: Rows<Cpu> = Rows::new(
        4,
        vec![Source::Zeros, Source::Zeros, Source::Row(1), Source::Row(2), Source::Row(0)],
    );
    let lengths: Vec<usize> = rows.runs.iter().map(|run| run.rows).collect();
    assert_eq!(lengths, [2, 2, 1]);
}
