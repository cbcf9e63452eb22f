use std::num::NonZeroUsize;

use dfdx::tensor::Cpu;

use super::super::network::Network;
use super::super::portable::{Footprint, PortableNetwork};
use super::super::testing::{
    Silent, StopAfter, dense, every_layer, job, quarters, settings, splits, without_times,
};
use super::super::{CpuKernels, DeviceChoice, Engine, build_for_packs, training};
use super::*;
use crate::base::MetricName;
use crate::data::{Dataset, Splits};
use crate::experiment::settings::{PatienceSettings, Precision, Schedule};
use crate::record::Outcome;

/// Everything random and everything remembered, with a rate of dropout.
fn eventful(rate: f64) -> Settings {
    let mut settings = settings(every_layer());
    settings.train.epochs = 4;
    settings.train.learning_rate.schedule = Schedule::Cosine { last: 0.001 };
    settings.augment.rotation = 10.0;
    for layer in &mut settings.model.layers {
        if let LayerSettings::Dropout { rate: old } = layer {
            *old = rate;
        }
    }
    settings
}

/// What one pack may be made of: members that agree in little more than they must.
fn companions() -> Vec<Settings> {
    let plain = eventful(0.25);
    let mut shifted = eventful(0.6);
    shifted.augment.rotation = 0.0;
    shifted.augment.shift.width = 0.1;
    let mut unvaried = eventful(0.0);
    unvaried.augment.rotation = 0.0;
    let mut impatient = eventful(0.1);
    impatient.train.stop.restore_best = true;
    impatient.train.stop.patience =
        Some(PatienceSettings { monitor: MetricName::VALIDATION_LOSS, epochs: 1, min_delta: 10.0 });
    let mut hurried = eventful(0.9);
    hurried.train.time_limit = Some(0.0);
    vec![plain, shifted, unvaried, impatient, hurried]
}

fn on_cpu(
    jobs: &[TrainJob<'_>],
    observers: &mut [&mut dyn EpochObserver],
) -> Vec<Result<TrainOutput, EngineError>> {
    let mut network = PortableNetwork::of_jobs(Cpu::default(), jobs).unwrap();
    training::train(&mut network, jobs, observers)
}

/// Trains jobs in one pack, without an engine around it.
fn packed(jobs: &[TrainJob<'_>]) -> Vec<TrainOutput> {
    let mut silent: Vec<Silent> = jobs.iter().map(|_| Silent).collect();
    let mut observers: Vec<&mut dyn EpochObserver> =
        silent.iter_mut().map(|observer| observer as &mut dyn EpochObserver).collect();
    let outputs = on_cpu(jobs, &mut observers);
    outputs.into_iter().map(|output| without_times(output.unwrap())).collect()
}

#[test]
fn a_member_has_the_same_bits_in_every_pack() {
    let (dataset, splits) = (quarters(100), splits(100));
    let settings = companions();
    let jobs: Vec<TrainJob<'_>> = settings
        .iter()
        .enumerate()
        .map(|(member, settings)| job(settings, &dataset, &splits, member as u32))
        .collect();
    let alone: Vec<TrainOutput> =
        jobs.iter().flat_map(|job| packed(std::slice::from_ref(job))).collect();
    assert_eq!(alone[4].outcome, Outcome::TimedOut);
    assert!(alone[3].epochs.len() < 4, "the impatient member stops early");
    for pack in
        [vec![0, 1], vec![3, 0], vec![4, 2], vec![1, 3, 0], vec![2, 4, 3], vec![4, 3, 2, 1, 0]]
    {
        let members: Vec<TrainJob<'_>> =
            pack.iter().map(|&index: &usize| TrainJob { ..jobs[index] }).collect();
        for (&index, output) in pack.iter().zip(packed(&members)) {
            assert_eq!(output, alone[index], "member {index} in pack {pack:?}");
        }
    }
}

#[test]
fn a_member_that_diverges_changes_nothing_for_its_companions() {
    let (dataset, splits) = (quarters(100), splits(100));
    // Pixels are at most 1; a dataset of one's own is the one way to a NaN that a companion with
    // the same step size does not share, so its weights are spoilt by a checkpoint instead.
    let settings = eventful(0.25);
    let mut stop = StopAfter::new(1);
    let first = job(&settings, &dataset, &splits, 0);
    on_cpu(std::slice::from_ref(&first), &mut [&mut stop]);
    let mut spoilt = Checkpoint::from_bytes(&stop.checkpoint).unwrap();
    for tensor in &mut spoilt.state.weights {
        tensor.values.fill(f32::NAN);
    }
    let spoilt = spoilt.to_bytes();
    let mut sound = StopAfter::new(1);
    on_cpu(&[job(&settings, &dataset, &splits, 1)], &mut [&mut sound]);
    let spoilt = TrainJob { checkpoint: Some(&spoilt), ..job(&settings, &dataset, &splits, 0) };
    let sound =
        TrainJob { checkpoint: Some(&sound.checkpoint), ..job(&settings, &dataset, &splits, 1) };
    let alone = packed(std::slice::from_ref(&sound)).pop().unwrap();
    let together = packed(&[spoilt, sound]);
    assert_eq!(together[0].outcome, Outcome::Diverged);
    assert_eq!(together[1], alone);
    assert_eq!(together[1].outcome, Outcome::Completed);
}

#[test]
fn members_share_all_but_seeds_dropout_augmentation_and_ends() {
    let base = eventful(0.25);
    for companion in companions() {
        assert!(agree(&base, &companion));
    }
    let strangers: [fn(&mut Settings); 8] = [
        |other| other.train.batch_size += 1,
        |other| other.train.drop_last = true,
        |other| other.train.precision = Precision::F32,
        |other| other.train.learning_rate.initial *= 2.0,
        |other| other.train.epochs += 1,
        |other| other.dataset.train_limit = Some(10),
        |other| {
            other.model.layers.pop();
        },
        |other| other.model.layers[9] = dense(Some(9)),
    ];
    for (index, change) in strangers.into_iter().enumerate() {
        let mut other = base.clone();
        change(&mut other);
        assert!(!agree(&base, &other), "{index}");
    }
}

#[test]
fn the_bytes_of_a_member_are_known_before_its_network_is_built() {
    let (dataset, splits) = (quarters(60), splits(60));
    let settings = eventful(0.25);
    let jobs = jobs(&settings, &dataset, &splits, 3);
    let network = PortableNetwork::of_jobs(Cpu::default(), &jobs).unwrap();
    assert_eq!(3 * Footprint::of(&jobs[0]).unwrap().bytes, network.working_bytes());
}

#[test]
fn a_pack_takes_four_fifths_of_the_free_memory() {
    assert_eq!(fitting(1000, 100), 8);
    assert_eq!(fitting(1000, 900), 1);
    assert_eq!(fitting(0, 100), 1);
    assert_eq!(fitting(u64::MAX, 1), MAX_MEMBERS);
}

/// Jobs of one kind of member.
fn jobs<'a>(
    settings: &'a Settings,
    dataset: &'a Dataset,
    splits: &'a Splits,
    count: u32,
) -> Vec<TrainJob<'a>> {
    (0..count).map(|member| job(settings, dataset, splits, member)).collect()
}

/// Epochs that were heard of.
#[derive(Default)]
struct Heard(Vec<u32>);

impl EpochObserver for Heard {
    fn epoch(&mut self, record: &EpochRecord, _: &dyn Snapshot) -> ControlFlow<()> {
        self.0.push(record.epoch);
        ControlFlow::Continue(())
    }
}

/// Trains by a device that has no room for more than `room` members, and finds out as `fails` says.
fn with_room(
    room: usize,
    jobs: &[TrainJob<'_>],
    fails: fn() -> Vec<Result<TrainOutput, EngineError>>,
) -> (Vec<TrainOutput>, Vec<usize>, Vec<Heard>) {
    let mut heard: Vec<Heard> = jobs.iter().map(|_| Heard::default()).collect();
    let mut observers: Vec<&mut dyn EpochObserver> =
        heard.iter_mut().map(|observer| observer as &mut dyn EpochObserver).collect();
    let mut refused = Vec::new();
    let mut attempt = |jobs: &[TrainJob<'_>], observers: &mut [&mut dyn EpochObserver]| {
        let results = on_cpu(jobs, observers);
        if jobs.len() > room { fails() } else { results }
    };
    let results = train(jobs, &mut observers, &mut attempt, &mut |size| refused.push(size));
    let outputs = results.into_iter().map(|result| without_times(result.unwrap())).collect();
    (outputs, refused, heard)
}

#[test]
fn a_pack_that_does_not_fit_is_halved_until_it_does_and_no_member_is_lost() {
    let (dataset, splits) = (quarters(60), splits(60));
    let settings = eventful(0.25);
    let jobs = jobs(&settings, &dataset, &splits, 5);
    let alone: Vec<TrainOutput> =
        jobs.iter().flat_map(|job| packed(std::slice::from_ref(job))).collect();
    let no_room = || {
        let error = || Err(EngineError::Device("out of memory".to_owned()));
        (0..5).map(|_| error()).collect()
    };
    let panics = || -> Vec<Result<TrainOutput, EngineError>> { panic!("out of memory") };
    for (room, expected) in [(5, vec![]), (3, vec![5]), (2, vec![5, 3]), (1, vec![5, 3, 2, 2])] {
        for fails in [no_room as fn() -> _, panics] {
            let (outputs, refused, heard) = with_room(room, &jobs, fails);
            assert_eq!(outputs, alone, "room for {room}");
            assert_eq!(refused, expected, "room for {room}");
            assert!(heard.iter().all(|heard| heard.0 == [1, 2, 3, 4]), "room for {room}");
        }
    }
}

#[test]
fn a_member_that_fails_alone_keeps_its_own_error() {
    let (dataset, splits) = (quarters(60), splits(60));
    let settings = eventful(0.25);
    let jobs = jobs(&settings, &dataset, &splits, 2);
    let (mut a, mut b) = (Silent, Silent);
    let mut attempt = |_: &[TrainJob<'_>], _: &mut [&mut dyn EpochObserver]| panic!("lost");
    let results = train(&jobs, &mut [&mut a, &mut b], &mut attempt, &mut |_| {});
    for result in results {
        assert_eq!(result.unwrap_err().to_string(), "device: panicked: lost");
    }
}

#[test]
fn members_that_go_on_from_different_epochs_are_in_different_packs() {
    let (dataset, splits) = (quarters(60), splits(60));
    let settings = eventful(0.25);
    let whole = jobs(&settings, &dataset, &splits, 3);
    let checkpoints: Vec<Vec<u8>> = [1, 2]
        .into_iter()
        .map(|epoch| {
            let mut stop = StopAfter::new(epoch);
            on_cpu(std::slice::from_ref(&whole[epoch as usize]), &mut [&mut stop]);
            stop.checkpoint
        })
        .collect();
    let resumed = |index: usize, checkpoint| TrainJob { checkpoint, ..whole[index] };
    let damaged: &[u8] = b"damaged";
    let jobs = [
        resumed(0, None),
        resumed(1, Some(&checkpoints[0])),
        resumed(2, Some(&checkpoints[1])),
        resumed(1, Some(&checkpoints[0])),
        resumed(0, Some(damaged)),
        resumed(0, None),
    ];
    assert_eq!(companies(&jobs), [vec![0, 5], vec![1, 3], vec![2], vec![4]]);
    let engine = engine();
    let mut silent: Vec<Silent> = jobs.iter().map(|_| Silent).collect();
    let mut observers: Vec<&mut dyn EpochObserver> =
        silent.iter_mut().map(|observer| observer as &mut dyn EpochObserver).collect();
    let mut results = engine.train_pack(&jobs, &mut observers);
    assert!(matches!(results.remove(4), Err(EngineError::Checkpoint(_))));
    let outputs: Vec<TrainOutput> =
        results.into_iter().map(|result| without_times(result.unwrap())).collect();
    let alone: Vec<TrainOutput> =
        whole.iter().flat_map(|job| packed(std::slice::from_ref(job))).collect();
    for (output, index) in outputs.iter().zip([0, 1, 2, 1, 0]) {
        assert_eq!(output, &alone[index]);
    }
}

fn engine() -> Box<dyn Engine + Send + Sync> {
    build_for_packs(DeviceChoice::Cpu, CpuKernels::Dfdx, NonZeroUsize::new(5)).unwrap()
}

#[test]
fn a_cpu_trains_packs_where_it_is_told_to_and_has_no_kernels_of_its_own() {
    let (dataset, splits) = (quarters(60), splits(60));
    let settings = eventful(0.25);
    let job = job(&settings, &dataset, &splits, 0);
    assert_eq!(engine().pack_capacity(&job), 5);
    let most = NonZeroUsize::new(5);
    for (kernels, most) in
        [(CpuKernels::Auto, most), (CpuKernels::Auto, None), (CpuKernels::Dfdx, None)]
    {
        let engine = build_for_packs(DeviceChoice::Cpu, kernels, most).unwrap();
        assert_eq!(engine.pack_capacity(&job), 1);
    }
}
