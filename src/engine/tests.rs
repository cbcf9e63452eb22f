//! Whole trainings on the CPU.

use std::ops::ControlFlow;

use super::device::build_with;
use super::network::{Network, NetworkState};
use super::portable::PortableNetwork;
use super::testing::{
    Silent, StopAfter, conv, dense, every_layer, job, optimizers, quarters, settings, splits,
    without_times,
};
use super::weights::from_safetensors;
use super::*;
use crate::base::{MetricName, Seed};
use crate::data::{DataFolders, load, split};
use crate::experiment::layers::{LayerSettings, NormStatistics, Padding};
use crate::experiment::settings::{PatienceSettings, Schedule, Source};
use crate::record::Selection;
use gridbench_kernels::Isa;

fn cpu_with(kernels: CpuKernels) -> Box<dyn Engine + Send + Sync> {
    build_with(DeviceChoice::Cpu, kernels).unwrap()
}

fn cpu() -> Box<dyn Engine + Send + Sync> {
    cpu_with(CpuKernels::Dfdx)
}

fn train(job: &TrainJob<'_>) -> TrainOutput {
    cpu().train(job, &mut Silent).unwrap()
}

fn train_with(kernels: CpuKernels, job: &TrainJob<'_>) -> TrainOutput {
    cpu_with(kernels).train(job, &mut Silent).unwrap()
}

/// dfdx's operations, and the fused kernels in every precision this machine has.
fn all_kernels() -> Vec<CpuKernels> {
    let mut all = vec![CpuKernels::Dfdx, CpuKernels::Auto];
    let amx = CpuKernels::Forced(Isa::AmxBf16);
    all.extend(build_with(DeviceChoice::Cpu, amx).is_ok().then_some(amx));
    all
}

/// Everything random and everything remembered at once.
fn eventful() -> Settings {
    let mut settings = settings(every_layer());
    settings.train.epochs = 4;
    settings.train.learning_rate.schedule = Schedule::Cosine { last: 0.001 };
    settings.train.learning_rate.warmup_epochs = 0.5;
    settings.train.stop.restore_best = true;
    settings.augment.rotation = 10.0;
    settings
}

#[test]
fn a_network_with_every_layer_learns_the_quarters() {
    for kernels in all_kernels() {
        let mut settings = settings(every_layer());
        settings.train.epochs = 15;
        let (dataset, splits) = (quarters(400), splits(400));
        let output = train_with(kernels, &job(&settings, &dataset, &splits, 0));
        let accuracy = output.summary.unwrap().metrics[&MetricName::TEST_ACCURACY];
        assert!(accuracy > 0.9, "test accuracy {accuracy}");
        assert!(output.epochs[0].train_loss > output.epochs[14].train_loss);
    }
}

#[test]
fn a_small_network_learns_real_digits() {
    for kernels in all_kernels() {
        let mut settings = settings(vec![
            conv(8, 3, 1, Padding::Same),
            LayerSettings::BatchNorm {
                momentum: 0.9,
                epsilon: 1e-3,
                statistics: NormStatistics::Running,
            },
            LayerSettings::Relu,
            LayerSettings::MaxPool { size: 2, stride: 2, padding: Padding::Valid },
            LayerSettings::Flatten,
            dense(None),
        ]);
        settings.dataset.source = Source::Digits;
        settings.train.epochs = 6;
        let dataset = load(&settings.dataset, &DataFolders::default()).unwrap();
        let seed_path = SeedPath::member(Seed(1), 0, 0);
        let splits = split(&dataset, &settings.dataset.split, None, seed_path).unwrap();
        let output = train_with(kernels, &job(&settings, &dataset, &splits, 0));
        // scikit-learn's logistic regression reaches 0.96 on a random fifth of these digits.
        let accuracy = output.summary.unwrap().metrics[&MetricName::TEST_ACCURACY];
        assert!(accuracy > 0.93, "test accuracy {accuracy}");
    }
}

#[test]
fn a_resumed_training_equals_one_never_interrupted_to_the_bit() {
    for kernels in all_kernels() {
        let (dataset, splits) = (quarters(100), splits(100));
        for optimizer in optimizers() {
            let mut settings = eventful();
            settings.train.optimizer = optimizer;
            let whole = without_times(train_with(kernels, &job(&settings, &dataset, &splits, 0)));
            for epoch in 1..=4 {
                let mut stop = StopAfter::new(epoch);
                let first = cpu_with(kernels)
                    .train(&job(&settings, &dataset, &splits, 0), &mut stop)
                    .unwrap();
                assert_eq!(
                    (first.outcome, first.epochs.len()),
                    (Outcome::Interrupted, epoch as usize)
                );
                let rest = TrainJob {
                    checkpoint: Some(&stop.checkpoint),
                    attempt: 2,
                    ..job(&settings, &dataset, &splits, 0)
                };
                assert_eq!(
                    without_times(train_with(kernels, &rest)),
                    whole,
                    "{:?}",
                    settings.train.optimizer
                );
            }
        }
    }
}

#[test]
fn trainings_side_by_side_give_the_bits_of_one_alone() {
    for kernels in all_kernels() {
        let (dataset, splits) = (quarters(200), splits(200));
        let settings = eventful();
        let output =
            |member| without_times(train_with(kernels, &job(&settings, &dataset, &splits, member)));
        let alone = [output(0), output(1)];
        let together = std::thread::scope(|scope| {
            let threads: Vec<_> =
                (0..2).map(|member| scope.spawn(move || output(member))).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).collect::<Vec<_>>()
        });
        assert_eq!(together, alone);
        assert_ne!(alone[0], alone[1]);
    }
}

#[test]
fn members_of_a_pack_get_the_bits_of_trainings_by_themselves() {
    let (dataset, splits) = (quarters(100), splits(100));
    for optimizer in optimizers() {
        let mut settings = eventful();
        settings.train.optimizer = optimizer;
        let jobs: Vec<_> = (0..3).map(|member| job(&settings, &dataset, &splits, member)).collect();
        let alone: Vec<_> = jobs.iter().map(|job| without_times(train(job))).collect();
        let seed_paths = jobs.iter().map(|job| job.seed_path).collect();
        let mut network = PortableNetwork::new(
            dfdx::tensor::Cpu::default(),
            &settings,
            dataset.shape,
            4,
            seed_paths,
        )
        .unwrap();
        let (mut a, mut b, mut c) = (Silent, Silent, Silent);
        let observers: &mut [&mut dyn EpochObserver] = &mut [&mut a, &mut b, &mut c];
        let packed = training::train(&mut network, &jobs, observers);
        for (packed, alone) in packed.into_iter().zip(alone) {
            assert_eq!(without_times(packed.unwrap()), alone);
        }
    }
}

#[test]
fn a_member_that_leaves_its_pack_early_changes_nothing_for_the_others() {
    let (dataset, splits) = (quarters(100), splits(100));
    let settings = eventful();
    let jobs: Vec<_> = (0..2).map(|member| job(&settings, &dataset, &splits, member)).collect();
    let alone = without_times(train(&jobs[1]));
    let seed_paths = jobs.iter().map(|job| job.seed_path).collect();
    let mut network =
        PortableNetwork::new(dfdx::tensor::Cpu::default(), &settings, dataset.shape, 4, seed_paths)
            .unwrap();
    let (mut early, mut silent) = (StopAfter::new(2), Silent);
    let observers: &mut [&mut dyn EpochObserver] = &mut [&mut early, &mut silent];
    let mut packed = training::train(&mut network, &jobs, observers);
    assert_eq!(without_times(packed.pop().unwrap().unwrap()), alone);
    let left = packed.pop().unwrap().unwrap();
    assert_eq!((left.outcome, left.epochs.len()), (Outcome::Interrupted, 2));
}

#[test]
fn a_step_size_out_of_all_bounds_diverges_and_names_the_epoch() {
    for kernels in all_kernels() {
        let mut settings = settings(every_layer());
        settings.train.learning_rate.initial = 1e30;
        let (dataset, splits) = (quarters(100), splits(100));
        let output = train_with(kernels, &job(&settings, &dataset, &splits, 0));
        assert_eq!(output.outcome, Outcome::Diverged);
        let reason = output.reason.unwrap();
        assert!(reason.starts_with("loss ") && reason.contains("in epoch 1"), "{reason}");
        assert!(output.summary.is_none() && output.predictions.is_none());
    }
}

#[test]
fn a_training_over_its_time_limit_ends_as_timed_out() {
    for kernels in all_kernels() {
        let mut settings = settings(every_layer());
        settings.train.time_limit = Some(0.0);
        let (dataset, splits) = (quarters(100), splits(100));
        let output = train_with(kernels, &job(&settings, &dataset, &splits, 0));
        assert_eq!(output.outcome, Outcome::TimedOut);
        assert!(output.reason.unwrap().contains("`train.time-limit`"));
    }
}

#[test]
fn a_batch_larger_than_the_data_takes_memory_for_the_data_alone() {
    for kernels in all_kernels() {
        let (dataset, splits) = (quarters(100), splits(100));
        let whole = |batch_size| {
            let mut settings = settings(every_layer());
            settings.train.batch_size = batch_size;
            train_with(kernels, &job(&settings, &dataset, &splits, 0))
        };
        let (fitting, endless) = (whole(60), whole(usize::MAX));
        let memory = |output: &TrainOutput| {
            output.summary.as_ref().map(|summary| summary.metrics[&MetricName::PEAK_MEMORY])
        };
        assert_eq!(memory(&fitting), memory(&endless));
        assert_eq!(without_times(fitting), without_times(endless));
    }
}

#[test]
fn what_an_earlier_training_came_to_ends_this_one_but_squeezes_no_schedule() {
    let settings = eventful();
    let (dataset, splits) = (quarters(100), splits(100));
    let whole = without_times(train(&job(&settings, &dataset, &splits, 0)));
    let earlier = Some(Earlier { best_epoch: Some(2), seconds: 0.0 });
    let short = train(&TrainJob { earlier, ..job(&settings, &dataset, &splits, 0) });
    assert_eq!(without_times(short).epochs, whole.epochs[..2]);
}

#[test]
fn predictions_are_those_of_the_best_epoch_where_it_is_restored() {
    for kernels in all_kernels() {
        let mut settings = eventful();
        settings.train.epochs = 12;
        // Large steps, so that the best epoch is hardly ever the last.
        settings.train.learning_rate.initial = 0.3;
        settings.train.stop.patience = Some(PatienceSettings {
            monitor: MetricName::VALIDATION_LOSS,
            epochs: 3,
            min_delta: 0.0,
        });
        let (dataset, splits) = (quarters(200), splits(200));
        let output = train_with(kernels, &job(&settings, &dataset, &splits, 0));
        let summary = output.summary.unwrap();
        assert_eq!(summary.selection, Selection::BestOnValidation);
        let best = &output.epochs[summary.selected_epoch as usize - 1];
        assert!(output.epochs.iter().all(|record| record.validation_loss >= best.validation_loss));
        let found = summary.metrics[&MetricName::VALIDATION_LOSS];
        assert!((found - best.validation_loss.unwrap()).abs() < 1e-12);
    }
}

#[test]
fn saved_weights_predict_what_their_training_predicted() {
    for kernels in all_kernels() {
        let settings = eventful();
        let (dataset, splits) = (quarters(100), splits(100));
        let output = train_with(kernels, &job(&settings, &dataset, &splits, 0));
        let weights = output.weights.unwrap();
        let names: Vec<String> =
            from_safetensors(&weights).unwrap().into_iter().map(|tensor| tensor.name).collect();
        assert!(names.contains(&"layer01.conv.weight".to_owned()), "{names:?}");
        let predicted =
            cpu_with(kernels).predict(&settings, &dataset, &splits.test, &weights).unwrap();
        assert_eq!(predicted, output.predictions.unwrap().test);
    }
}

#[test]
fn weights_of_another_network_are_refused() {
    let settings = eventful();
    let (dataset, splits) = (quarters(100), splits(100));
    let weights = train(&job(&settings, &dataset, &splits, 0)).weights.unwrap();
    let mut other = settings.clone();
    other.model.layers = vec![LayerSettings::Flatten, dense(None)];
    let error = cpu().predict(&other, &dataset, &splits.test, &weights).unwrap_err();
    assert!(error.to_string().contains("the weights are of another network"), "{error}");
}

#[test]
fn a_damaged_checkpoint_is_an_error_not_a_fresh_start() {
    let settings = eventful();
    let (dataset, splits) = (quarters(100), splits(100));
    let damaged = TrainJob { checkpoint: Some(b"damaged"), ..job(&settings, &dataset, &splits, 0) };
    let error = cpu().train(&damaged, &mut Silent).unwrap_err();
    assert!(matches!(error, EngineError::Checkpoint(_)), "{error}");
}

#[test]
fn a_network_that_does_not_fit_its_images_is_an_error_that_names_the_layer() {
    let settings = settings(vec![conv(4, 9, 1, Padding::Valid), LayerSettings::Flatten]);
    let (dataset, splits) = (quarters(100), splits(100));
    let error = cpu().train(&job(&settings, &dataset, &splits, 0), &mut Silent).unwrap_err();
    assert!(error.to_string().starts_with("layer 1 (conv) does not fit"), "{error}");
}

#[test]
fn leaving_out_every_batch_is_an_error() {
    let mut settings = settings(every_layer());
    settings.train.batch_size = 1000;
    settings.train.drop_last = true;
    let (dataset, splits) = (quarters(100), splits(100));
    let error = cpu().train(&job(&settings, &dataset, &splits, 0), &mut Silent).unwrap_err();
    assert!(error.to_string().contains("no training batches"), "{error}");
}

/// Diverges in its second step, to see what the loop makes of it whatever the arithmetic.
struct Broken {
    steps: u32,
}

impl Network for Broken {
    fn models(&self) -> usize {
        1
    }

    fn path(&self) -> String {
        "broken".to_owned()
    }

    fn trainable_parameters(&self) -> u64 {
        0
    }

    fn working_bytes(&self) -> u64 {
        0
    }

    fn train_step(
        &mut self,
        inputs: &[network::StepInput<'_>],
        results: &mut [network::StepResult],
    ) -> Result<(), EngineError> {
        self.steps += 1;
        let images = inputs[0].labels.len() as f64;
        let loss = if self.steps == 6 { f64::NAN } else { 1.0 };
        results[0] = network::StepResult { loss_sum: loss * images, correct: 0 };
        Ok(())
    }

    fn predict(
        &mut self,
        _: &[&[f32]],
        images: usize,
        logits: &mut [Vec<f32>],
    ) -> Result<(), EngineError> {
        logits[0].resize(logits[0].len() + images * 4, 0.0);
        Ok(())
    }

    fn weights(&self, _: usize) -> Vec<weights::NamedTensor> {
        Vec::new()
    }

    fn load_weights(&mut self, _: usize, _: &[weights::NamedTensor]) -> Result<(), EngineError> {
        Ok(())
    }

    fn state(&self, _: usize) -> NetworkState {
        NetworkState::default()
    }

    fn load_state(&mut self, _: usize, _: &NetworkState) -> Result<(), EngineError> {
        Ok(())
    }
}

#[test]
fn a_nan_loss_ends_the_member_as_diverged_with_its_finished_epochs() {
    let settings = settings(every_layer());
    let (dataset, splits) = (quarters(100), splits(100));
    // 60 training images in batches of 16 are four steps: the sixth is in epoch 2.
    let jobs = [job(&settings, &dataset, &splits, 0)];
    let mut silent = Silent;
    let mut outputs = training::train(&mut Broken { steps: 0 }, &jobs, &mut [&mut silent]);
    let output = outputs.pop().unwrap().unwrap();
    assert_eq!((output.outcome, output.epochs.len()), (Outcome::Diverged, 1));
    assert_eq!(output.reason.as_deref(), Some("loss became NaN in epoch 2, step 2"));
}

/// Counts what it hears.
#[derive(Default)]
struct Counting(Vec<u32>);

impl EpochObserver for Counting {
    fn epoch(&mut self, record: &EpochRecord, _: &dyn Snapshot) -> ControlFlow<()> {
        self.0.push(record.epoch);
        ControlFlow::Continue(())
    }
}

#[test]
fn the_observer_hears_of_every_epoch_once() {
    let settings = settings(every_layer());
    let (dataset, splits) = (quarters(100), splits(100));
    let mut counting = Counting::default();
    let output = cpu().train(&job(&settings, &dataset, &splits, 0), &mut counting).unwrap();
    assert_eq!(counting.0, [1, 2]);
    assert_eq!(output.epochs.len(), 2);
}
