//! An engine that trains nothing, exactly: what a member predicts depends on every epoch it went
//! through, so a resumed member that missed one gives itself away.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use crate::base::{MemberId, MetricName, Metrics, Stream, TrialId};
use crate::data::{DataFolders, Dataset, load};
use crate::engine::{Engine, EngineError, EpochObserver, Snapshot, TrainJob, TrainOutput};
use crate::plan::testing::{plan_of, settings};
use crate::plan::{CellDraft, Plan};
use crate::record::{
    EpochRecord, LogProbabilities, MemberRecord, MemberSummary, Outcome, Predictions, Selection,
    TrialRecord,
};
use crate::runner::{Event, RunError, RunOptions, RunRequest, RunSummary, StopSignal, run};
use crate::store::{ManifestDraft, Store};

/// What the script says about one epoch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Turn {
    Go,
    Error,
    Panic,
    Diverge,
    /// Ends well, but predicts one image too few.
    Miscount,
    /// Ends well, but says that it trained to an accuracy of 500 %.
    Boast,
    /// The same of one epoch.
    BoastOfEpoch,
    /// Loses the device, in a panic.
    Lose,
}

pub(super) type Script = dyn Fn(&TrainJob<'_>, u32) -> Turn + Sync;

pub(super) struct Scripted {
    pub(super) script: Box<Script>,
    pub(super) pack: usize,
    pub(super) refuses_checkpoints: bool,
    pub(super) is_lost: AtomicBool,
    /// Changes every result, as another numerical path would.
    pub(super) salt: u64,
    pub(super) epochs: AtomicUsize,
    pub(super) packs: Mutex<Vec<usize>>,
}

impl Scripted {
    pub(super) fn new(script: impl Fn(&TrainJob<'_>, u32) -> Turn + Sync + 'static) -> Self {
        Self {
            script: Box::new(script),
            pack: 1,
            refuses_checkpoints: false,
            is_lost: AtomicBool::new(false),
            salt: 0,
            epochs: AtomicUsize::new(0),
            packs: Mutex::new(Vec::new()),
        }
    }

    pub(super) fn flawless() -> Self {
        Self::new(|_, _| Turn::Go)
    }

    /// Follows the script where the hyperparameter `x` is 1.
    pub(super) fn where_x_is_1(turn: Turn, epoch: u32) -> Self {
        Self::new(move |job, at| if x_of(job) == 1 && at == epoch { turn } else { Turn::Go })
    }

    /// Returns the epochs trained so far, by all members together.
    pub(super) fn epochs(&self) -> usize {
        self.epochs.load(Ordering::SeqCst)
    }
}

pub(super) fn x_of(job: &TrainJob<'_>) -> u64 {
    job.settings.hyperparameters["x"].as_number().unwrap() as u64
}

struct State {
    digest: u64,
    epochs: Vec<EpochRecord>,
}

impl Snapshot for State {
    fn checkpoint(&self) -> Vec<u8> {
        serde_json::to_vec(&(self.digest, &self.epochs)).unwrap()
    }
}

fn mix(a: u64, b: u64) -> u64 {
    let mixed = (a ^ b.rotate_left(32)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    mixed ^ (mixed >> 29)
}

impl Engine for Scripted {
    fn description(&self) -> String {
        "scripted".to_owned()
    }

    fn pack_capacity(&self, _job: &TrainJob<'_>) -> usize {
        self.pack
    }

    fn lost(&self) -> Option<String> {
        self.is_lost.load(Ordering::SeqCst).then(|| "the device was lost".to_owned())
    }

    fn train_pack(
        &self,
        jobs: &[TrainJob<'_>],
        observers: &mut [&mut dyn EpochObserver],
    ) -> Vec<Result<TrainOutput, EngineError>> {
        self.packs.lock().unwrap().push(jobs.len());
        jobs.iter().zip(observers).map(|(job, observer)| self.train(job, *observer)).collect()
    }

    fn train(
        &self,
        job: &TrainJob<'_>,
        observer: &mut dyn EpochObserver,
    ) -> Result<TrainOutput, EngineError> {
        let mut state = match job.checkpoint {
            Some(_) if self.refuses_checkpoints => {
                return Err(EngineError::Checkpoint("not today".to_owned()));
            }
            Some(bytes) => {
                let (digest, epochs) = serde_json::from_slice(bytes).unwrap();
                State { digest, epochs }
            }
            None => {
                let seed = job.seed_path.word(Stream::Fake, 0);
                State { digest: mix(seed, x_of(job)) ^ self.salt, epochs: Vec::new() }
            }
        };
        let mut output = TrainOutput {
            outcome: Outcome::Completed,
            reason: None,
            epochs: Vec::new(),
            summary: None,
            predictions: None,
            weights: None,
        };
        let (mut miscount, mut boast) = (false, false);
        for epoch in state.epochs.len() as u32 + 1..=job.settings.train.epochs {
            self.epochs.fetch_add(1, Ordering::SeqCst);
            let turn = (self.script)(job, epoch);
            match turn {
                Turn::Go | Turn::BoastOfEpoch => {}
                Turn::Error => return Err(EngineError::Trainer("as the script says".to_owned())),
                Turn::Panic => panic!("as the script says"),
                Turn::Lose => {
                    self.is_lost.store(true, Ordering::SeqCst);
                    panic!("as the script says");
                }
                Turn::Miscount => miscount = true,
                Turn::Boast => boast = true,
                Turn::Diverge => {
                    output.outcome = Outcome::Diverged;
                    output.reason = Some(format!("loss is NaN in epoch {epoch}"));
                    output.epochs = state.epochs;
                    return Ok(output);
                }
            }
            state.digest = mix(state.digest, u64::from(epoch));
            let record = EpochRecord {
                epoch,
                learning_rate: 0.01,
                train_loss: (state.digest % 1000) as f64 / 1000.0,
                train_accuracy: if turn == Turn::BoastOfEpoch { 5.0 } else { 0.5 },
                validation_loss: None,
                validation_accuracy: None,
                train_seconds: 0.25,
            };
            state.epochs.push(record.clone());
            if observer.epoch(&record, &state) == ControlFlow::Break(()) {
                output.outcome = Outcome::Interrupted;
                output.epochs = state.epochs;
                return Ok(output);
            }
        }
        output.predictions = Some(predictions(job, state.digest, miscount));
        let mut summary = summary(job, &state.epochs);
        if boast {
            summary.metrics.insert(MetricName::TRAIN_ACCURACY, 5.0);
        }
        output.summary = Some(summary);
        output.epochs = state.epochs;
        Ok(output)
    }
}

fn predictions(job: &TrainJob<'_>, digest: u64, miscount: bool) -> Predictions {
    let predict = |images: &[u32]| {
        let labels: Vec<u16> =
            images.iter().map(|&image| job.dataset.labels[image as usize]).collect();
        let values = images.iter().zip(&labels).flat_map(|(&image, &label)| {
            let is_right = mix(digest, u64::from(image)) % 100 < 70;
            if (label == 0) == is_right { [0.75, 0.25] } else { [0.25, 0.75] }
        });
        (LogProbabilities::of_probabilities(2, values), labels)
    };
    let test = &job.splits.test[usize::from(miscount)..];
    let ((validation, validation_labels), (test, test_labels)) =
        (predict(&job.splits.validation), predict(test));
    Predictions { validation, validation_labels, test, test_labels, ..Predictions::default() }
}

fn summary(job: &TrainJob<'_>, epochs: &[EpochRecord]) -> MemberSummary {
    let count = epochs.len() as u32;
    MemberSummary {
        epochs: count,
        selected_epoch: count,
        selection: Selection::Last,
        metrics: Metrics::from([
            (MetricName::TRAIN_LOSS, epochs.last().unwrap().train_loss),
            (MetricName::TRAIN_SECONDS, 0.25 * f64::from(count)),
        ]),
        trainable_parameters: 1,
        path: "scripted".to_owned(),
        images_trained: u64::from(count) * job.splits.train.len() as u64,
    }
}

/// The images of the test settings.
pub(super) fn dataset() -> Arc<Dataset> {
    Arc::new(load(&settings().dataset, &DataFolders::default()).unwrap())
}

pub(super) fn plan(repeats: u32, cells: impl IntoIterator<Item = CellDraft>) -> Plan {
    plan_of(repeats, cells, |_| dataset().checksum)
}

pub(super) fn open(folder: &Path) -> Store {
    let draft = ManifestDraft {
        name: "scripted".to_owned(),
        typed: "name = \"scripted\"\n".to_owned(),
        overrides: vec![],
        experiment: serde_json::json!({ "name": "scripted" }),
        engine: "scripted".to_owned(),
        engine_revision: "1".to_owned(),
        datasets: vec![],
        programs: Vec::new(),
        repeats: crate::store::Repeats::default(),
        repository: None,
    };
    Store::open_writer(folder, draft).unwrap()
}

/// The only journal of a folder.
pub(super) fn journal(folder: &Path) -> std::path::PathBuf {
    let mut files = std::fs::read_dir(folder.join("journal")).unwrap();
    let file = files.next().unwrap().unwrap().path();
    assert!(files.next().is_none(), "one process, one run, one journal");
    file
}

/// The only file of predictions of a folder.
pub(super) fn predictions_file(folder: &Path) -> std::path::PathBuf {
    let mut files = std::fs::read_dir(folder.join("predictions")).unwrap();
    files.next().unwrap().unwrap().path()
}

/// Everything a report is made from.
#[derive(Debug, PartialEq)]
pub(super) struct Results {
    pub(super) members: BTreeMap<MemberId, MemberRecord>,
    pub(super) trials: BTreeMap<TrialId, TrialRecord>,
}

pub(super) fn results(folder: &Path) -> Results {
    let store = Store::open_reader(folder).unwrap();
    let ids: Vec<MemberId> = store.members().values().map(|member| member.id).collect();
    let epochs = store.epochs(ids.iter().copied()).unwrap();
    let members =
        ids.iter().zip(epochs).map(|(id, epochs)| (*id, store.members()[id].record(epochs)));
    let trials = store.trials();
    Results {
        members: members.collect(),
        trials: trials.values().map(|record| (record.id, record.clone())).collect(),
    }
}

/// One run with everything adjustable.
pub(super) struct Session<'a> {
    pub(super) plan: &'a Plan,
    pub(super) engine: &'a Scripted,
    pub(super) folder: &'a Path,
    pub(super) options: RunOptions,
    pub(super) stop: &'a StopSignal,
    pub(super) events: &'a (dyn Fn(&Event<'_>) + Sync),
}

impl Session<'_> {
    pub(super) fn run(self) -> Result<RunSummary, RunError> {
        let mut store = open(self.folder);
        run(RunRequest {
            plan: self.plan,
            engine: self.engine,
            store: &mut store,
            load: &mut |_| Ok(dataset()),
            supply: None,
            options: self.options,
            stop: self.stop,
            events: self.events,
        })
    }
}

/// One run of two workers.
pub(super) fn run_once(plan: &Plan, engine: &Scripted, folder: &Path) -> RunSummary {
    let options = RunOptions { workers: 2, ..RunOptions::default() };
    let stop = StopSignal::new();
    Session { plan, engine, folder, options, stop: &stop, events: &|_| {} }.run().unwrap()
}
