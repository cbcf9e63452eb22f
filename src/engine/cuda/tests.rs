//! A GPU against the CPU. All need a GPU: `cargo test --release --features cuda -- --ignored gpu_`.

use dfdx::tensor::Cpu;

use super::super::device::build_with;
use super::super::dropout::DropoutMask;
use super::super::geometry::Volume;
use super::super::network::{Network, StepInput, StepResult};
use super::super::portable::Source;
use super::super::testing::against::{Tolerance, cases, compare, random_case};
use super::super::testing::{
    Silent, conv, dense, every_layer, job, optimizers, quarters, settings, splits, without_times,
};
use super::super::{CpuKernels, DeviceChoice, Engine};
use super::source::Held;
use super::*;
use crate::base::{MetricName, Seed, SeedPath};
use crate::experiment::layers::{LayerSettings, Padding};
use crate::experiment::settings::Settings;

/// Products in 32-bit floats summed in another order.
const GPU: Tolerance = Tolerance { values: 2e-5, gradients: 2e-4 };

/// Largest difference of a mean loss after an epoch of training on both devices.
const LOSS: f64 = 2e-3;

fn source() -> KernelSource {
    let gpu = Gpu::open(0).unwrap();
    KernelSource::new(gpu.dfdx, gpu.driver, Held::default()).unwrap()
}

fn on(device: DeviceChoice) -> Box<dyn Engine + Send + Sync> {
    build_with(device, CpuKernels::Dfdx).unwrap()
}

#[test]
#[ignore = "needs a GPU: gpu"]
fn gpu_every_layer_agrees_with_plain_loops_and_finite_differences() {
    let build = |settings: &Settings, shape, classes, seed_paths| {
        let device = Gpu::open(0)?.dfdx;
        let network = PortableNetwork::new(device, settings, shape, classes, seed_paths)?;
        Ok(Box::new(network) as Box<dyn Network>)
    };
    let has_capsules = |layer: &LayerSettings| matches!(layer, LayerSettings::Capsules { .. });
    for case in cases().into_iter().filter(|case| !case.layers.iter().any(has_capsules)) {
        compare(&case, build, GPU);
    }
    for seed in 0..40 {
        compare(&random_case(seed), build, GPU);
    }
}

#[test]
#[ignore = "needs a GPU: gpu"]
fn gpu_pixels_targets_and_masks_are_those_of_the_host_to_the_bit() {
    let dataset = quarters(50);
    let input = Volume { channels: 1, height: 6, width: 6 };
    let (first, second): (Vec<u32>, Vec<u32>) = ((0..7).collect(), (20..27).rev().collect());
    let indices = [first.as_slice(), second.as_slice()];
    let mut source = source();
    source.hold(&dataset).unwrap();
    let (mut pixels, mut targets) = (Vec::new(), Vec::new());
    for list in indices {
        for feature in 0..36 {
            let value = |&at: &u32| f32::from(dataset.image(at as usize)[feature]) / 255.0;
            pixels.extend(list.iter().map(value));
        }
        for class in 0..4 {
            let value = |&at: &u32| f32::from(u8::from(dataset.labels[at as usize] == class));
            targets.extend(list.iter().map(value));
        }
    }
    assert_eq!(source.pixels(&indices, input).unwrap().as_vec(), pixels);
    let of_list = |list: &[u32]| -> Vec<f32> {
        let images = list.iter().flat_map(|&at| dataset.image(at as usize));
        images.map(|&pixel| f32::from(pixel) / 255.0).collect()
    };
    let from_host = [of_list(&first), of_list(&second)];
    let sent = source.sent(&[&from_host[0], &from_host[1]], input, 7).unwrap();
    assert_eq!(sent.as_vec(), pixels);
    assert_eq!(source.targets(&indices, 4).unwrap().as_vec(), targets);
    let labels = indices
        .map(|list| -> Vec<u16> { list.iter().map(|&at| dataset.labels[at as usize]).collect() });
    let sent = source.sent_targets(&[&labels[0], &labels[1]], 4).unwrap();
    assert_eq!(sent.as_vec(), targets);
    let volume = Volume { channels: 5, height: 3, width: 2 };
    let mask = |member, rate| DropoutMask::new(&SeedPath::member(Seed(7), 0, member), 12, 3, rate);
    let masks = [mask(0, 0.4), mask(1, 0.0), mask(2, 0.9)];
    let mut expected = Vec::new();
    for mask in &masks {
        for feature in 0..30u64 {
            let stored = feature % 6 * 5 + feature / 6;
            expected.extend((0..9).map(|image| mask.factor(image * 30 + stored)));
        }
    }
    assert_eq!(source.masks(3, &masks, volume, 9).unwrap().as_vec(), expected);
}

#[test]
#[ignore = "needs a GPU: gpu"]
fn gpu_optimizers_step_as_on_the_cpu() {
    let dataset = quarters(50);
    for optimizer in optimizers() {
        let mut settings = settings(vec![
            conv(4, 3, 1, Padding::Same),
            LayerSettings::Relu,
            LayerSettings::Flatten,
            dense(None),
        ]);
        settings.train.optimizer = optimizer;
        let weights = |network: &mut dyn Network| {
            let (mut pixels, mut labels) = (Vec::new(), Vec::new());
            for at in 0..16 {
                pixels.extend(dataset.image(at).iter().map(|&pixel| f32::from(pixel) / 255.0));
                labels.push(dataset.labels[at]);
            }
            for step in 0..5 {
                let input = StepInput {
                    pixels: &pixels,
                    labels: &labels,
                    learning_rate: 0.01,
                    step,
                    ..StepInput::default()
                };
                network.train_step(&[input], &mut [StepResult::default()]).unwrap();
            }
            network.weights(0)
        };
        let path = SeedPath::member(Seed(5), 0, 0);
        let mut gpu = PortableNetwork::new(
            Gpu::open(0).unwrap().dfdx,
            &settings,
            dataset.shape,
            4,
            vec![path],
        )
        .unwrap();
        let mut cpu =
            PortableNetwork::new(Cpu::default(), &settings, dataset.shape, 4, vec![path]).unwrap();
        for (gpu, cpu) in weights(&mut gpu).iter().zip(weights(&mut cpu)) {
            for (gpu, cpu) in gpu.values.iter().zip(&cpu.values) {
                let what = &settings.train.optimizer;
                assert!((gpu - cpu).abs() < 1e-3 * (1.0 + cpu.abs()), "{what:?}: {gpu} {cpu}");
            }
        }
    }
}

/// Trains members of one kind in a pack.
fn pack(device: DeviceChoice, settings: &Settings, members: u32) -> Vec<TrainOutput> {
    let (dataset, splits) = (quarters(400), splits(400));
    let jobs: Vec<TrainJob<'_>> =
        (0..members).map(|member| job(settings, &dataset, &splits, member)).collect();
    let mut silent: Vec<Silent> = jobs.iter().map(|_| Silent).collect();
    let mut observers: Vec<&mut dyn EpochObserver> =
        silent.iter_mut().map(|observer| observer as &mut dyn EpochObserver).collect();
    let outputs = on(device).train_pack(&jobs, &mut observers);
    outputs.into_iter().map(|output| without_times(output.unwrap())).collect()
}

fn eventful() -> Settings {
    let mut settings = settings(every_layer());
    settings.train.epochs = 3;
    settings
}

fn assert_same_curves(ours: &TrainOutput, theirs: &TrainOutput, what: &str) {
    assert_eq!(ours.epochs.len(), theirs.epochs.len(), "{what}");
    for (ours, theirs) in ours.epochs.iter().zip(&theirs.epochs) {
        let difference = (ours.train_loss - theirs.train_loss).abs();
        assert!(difference < LOSS, "{what}, epoch {}: {difference}", ours.epoch);
    }
}

#[test]
#[ignore = "needs a GPU: gpu"]
fn gpu_curves_are_those_of_the_cpu() {
    for rotation in [0.0, 10.0] {
        let mut settings = eventful();
        settings.augment.rotation = rotation;
        let gpu = pack(DeviceChoice::Cuda(0), &settings, 1);
        let cpu = pack(DeviceChoice::Cpu, &settings, 1);
        assert_same_curves(&gpu[0], &cpu[0], &format!("rotation {rotation}"));
    }
}

#[test]
#[ignore = "needs a GPU: gpu"]
fn gpu_members_of_a_pack_have_the_curves_of_members_alone() {
    let settings = eventful();
    let packed = pack(DeviceChoice::Cuda(0), &settings, 5);
    let alone = pack(DeviceChoice::Cuda(0), &settings, 1);
    assert_same_curves(&packed[0], &alone[0], "in a pack of five");
}

#[test]
#[ignore = "needs a GPU: gpu"]
fn gpu_trainings_repeated_agree_to_rounding() {
    let settings = eventful();
    let first = pack(DeviceChoice::Cuda(0), &settings, 2);
    for (first, second) in first.iter().zip(pack(DeviceChoice::Cuda(0), &settings, 2)) {
        assert_same_curves(first, &second, "repeated");
    }
}

#[test]
#[ignore = "needs a GPU: gpu"]
fn gpu_networks_learn_the_quarters() {
    let mut settings = eventful();
    settings.train.epochs = 15;
    for output in pack(DeviceChoice::Cuda(0), &settings, 3) {
        let accuracy = output.summary.unwrap().metrics[&MetricName::TEST_ACCURACY];
        assert!(accuracy > 0.9, "test accuracy {accuracy}");
    }
}

#[test]
#[ignore = "needs a GPU: gpu"]
fn gpu_packs_have_room_for_several_members() {
    let (dataset, splits) = (quarters(100), splits(100));
    let settings = eventful();
    assert!(on(DeviceChoice::Cuda(0)).pack_capacity(&job(&settings, &dataset, &splits, 0)) > 1);
}
