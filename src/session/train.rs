//! Trains what a plan lacks, and leaves a results folder that says what was done.

use std::collections::BTreeMap;
use std::path::Path;

use super::{
    Error, Images, Listener, LoadedExperiment, Notice, Session, doctor, programs, siblings,
};
use crate::base::text::harmless;
use crate::engine::Engine;
use crate::experiment::StoredPredictions;
use crate::experiment::settings::Source;
use crate::plan::{Plan, PlannedDataset};
use crate::record::{Outcome, TrialRecord};
use crate::runner::{self, Event, RETRIES, RunOptions, RunRequest, RunSummary, StopSignal};
use crate::store::{Store, atomic, read_file};

/// How to train, and who hears of it.
#[derive(Clone, Copy)]
pub struct Training<'a> {
    /// Trainings at once; absent: what the device wants, else one per core.
    pub workers: Option<usize>,
    /// Whether members that earlier runs gave up are tried once more.
    pub retry_failed: bool,
    /// How often a member that failed is tried once more after all others.
    pub retries: u32,
    /// Whether the first trial that fails stops the run.
    pub fail_fast: bool,
    /// Whether weights are kept even if the experiment does not ask for them.
    pub save_weights: bool,
    /// Asks the run to stop.
    pub stop: &'a StopSignal,
    /// Hears of every step, from several threads.
    pub events: &'a (dyn Fn(&Event<'_>) + Sync),
}

impl<'a> Training<'a> {
    /// Trains as most people want it.
    pub fn new(stop: &'a StopSignal, events: &'a (dyn Fn(&Event<'_>) + Sync)) -> Self {
        Self {
            workers: None,
            retry_failed: false,
            retries: RETRIES,
            fail_fast: false,
            save_weights: false,
            stop,
            events,
        }
    }
}

/// Trains what `plan` lacks in the folder of the session, until it is done or asked to stop.
pub(super) fn train(
    session: &mut Session,
    plan: &Plan,
    engine: &(dyn Engine + Send + Sync),
    how: Training<'_>,
) -> Result<(Store, RunSummary), Error> {
    let Session { experiment: loaded, images, folder } = session;
    let listener = images.listener.clone();
    let cannot = || format!("cannot write results to `{}`", folder.display());
    refuse_unscorable(loaded, plan)?;
    doctor::refuse_order_effects(plan, &images.programs, folder, &listener)?;
    let experiment = loaded.document.experiment();
    let programs = programs::engine(experiment, loaded.folder()?, plan, engine, folder)?;
    #[cfg(unix)]
    let programs = match images.strace.clone() {
        Some(strace) => programs.tracing(strace),
        None => programs,
    };
    let draft = loaded.manifest_draft(plan, images, programs.description())?;
    let mut store =
        Store::open_writer(folder, draft).map_err(|error| Error::of_store(cannot(), &error))?;
    if let Some(digests) = &mut images.digests {
        digests.keep_in(folder);
    }
    tell_damages(&store, &listener);
    write_lists(plan, images, folder)?;
    for note in images.notes() {
        listener.tell(&Notice::Images(note));
    }
    tell_left_out(plan, &store, &listener);
    siblings::take_over(&mut store, plan, images, &programs, folder)?;
    let wanted = how.workers.or_else(|| engine.workers()).unwrap_or_else(cores);
    let summary = runner::run(RunRequest {
        plan,
        engine: &programs,
        store: &mut store,
        load: &mut |settings| images.load(settings),
        supply: None,
        options: RunOptions {
            // What is measured has the machine to itself.
            workers: match experiment.measure {
                Some(_) => 1,
                None => programs::at_once(plan, wanted, &listener),
            },
            retry_failed: how.retry_failed,
            retries: how.retries,
            save_weights: how.save_weights || experiment.save_weights,
            predictions: experiment.store.predictions,
            ..RunOptions::default()
        },
        stop: how.stop,
        events: &|event| {
            (how.events)(event);
            if how.fail_fast && is_a_failure(event) && !how.stop.is_requested() {
                how.stop.request();
            }
        },
    });
    let summary = summary.map_err(|error| Error::of_run(&error))?;
    programs::tell_undeclared(&programs, &listener);
    programs::tell_traced(&programs, &loaded.folder()?, images, &listener);
    store.check_not_moved().map_err(|error| Error::of_store(cannot(), &error))?;
    store.complete_manifest();
    Ok((store, summary))
}

/// Returns how many trainings run at once where neither a person nor the device says.
pub(super) fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

/// Returns whether an event says that a trial ended by a fault.
fn is_a_failure(event: &Event<'_>) -> bool {
    let Event::TrialFinished { record, .. } = event else { return false };
    matches!(record.outcome, Outcome::Failed | Outcome::TimedOut)
}

/// Refuses ensembles whose predictions are not to be stored: they could not be scored.
pub(super) fn refuse_unscorable(loaded: &LoadedExperiment, plan: &Plan) -> Result<(), Error> {
    let experiment = loaded.document.experiment();
    let has_ensembles = plan.trials.iter().any(|trial| trial.members.len() > 1);
    if experiment.store.predictions == StoredPredictions::None && has_ensembles {
        return Err(Error::input(format!("cannot run `{}`", experiment.name))
            .because_of("`store.predictions` is \"none\", and ensembles are scored from them")
            .hint(Some("set `store.predictions` to \"f16\" or \"f32\"")));
    }
    Ok(())
}

/// Says that lines of journals were found damaged: what they held is trained again.
pub(super) fn tell_damages(store: &Store, listener: &Listener) {
    let lines = store.damages();
    if lines > 0 {
        listener.tell(&Notice::Damaged { lines, list: store.folder().join("damaged.list") });
    }
}

/// Writes the class names in label order, and what of the images was left out, one file per
/// dataset.
pub(super) fn write_lists(plan: &Plan, images: &mut Images, folder: &Path) -> Result<(), Error> {
    let write = |name: String, text: String| {
        let (path, text) = (folder.join(name), harmless(&text, false));
        if read_file(&path).is_ok_and(|known| known == text.as_bytes()) {
            return Ok(());
        }
        atomic::write(&path, text.as_bytes())
            .map_err(|error| Error::unwritable("the list of labels", &error))
    };
    let with_images = |planned: &&PlannedDataset| planned.settings.source != Source::None;
    for (index, planned) in plan.datasets.iter().filter(with_images).enumerate() {
        let dataset = images.load(&planned.settings)?;
        let suffix = if index == 0 { String::new() } else { format!("-{}", index + 1) };
        let names = serde_json::to_string(&dataset.classes).expect("text serialises to JSON");
        write(format!("labels{suffix}.list"), names + "\n")?;
        if !dataset.skipped.is_empty() {
            let lines: Vec<String> =
                dataset.skipped.iter().map(|line| line.replace('\n', "\\n")).collect();
            write(format!("skipped{suffix}.list"), lines.join("\n") + "\n")?;
        }
    }
    Ok(())
}

/// Warns of repeats that the journal holds and nobody asks for any more: an escalation's stand in
/// the manifest alone, so they are forgotten with it.
fn tell_left_out(plan: &Plan, store: &Store, listener: &Listener) {
    let mut planned = BTreeMap::new();
    for trial in &plan.trials {
        let last = planned.entry(plan.cells[trial.cell].id).or_insert(trial.repeat);
        *last = trial.repeat.max(*last);
    }
    let is_beyond =
        |trial: &&TrialRecord| planned.get(&trial.cell).is_some_and(|last| trial.repeat > *last);
    let trials = store.trials().values().filter(is_beyond).count();
    if trials > 0 {
        listener.tell(&Notice::LeftOut { trials });
    }
}
