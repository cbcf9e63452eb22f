//! The front door: an experiment from its file to results that can be believed.
//!
//! Owns the order of the steps: load, plan, train, take over what others trained, derive tables and
//! reports, read back, judge. Prints nothing and reads no command line; what is worth knowing on the
//! way goes to a [`Listener`], what a run tells to a closure. Every step returns an [`Error`] that
//! says what was tried, why it failed and the way out.

mod adoption;
mod candidate;
mod closing;
mod confirming;
mod control;
mod derived;
pub(crate) mod difference;
mod doctor;
mod duel;
mod error;
mod escalation;
pub(crate) mod evidence;
mod experiment;
mod folders;
pub(crate) mod goal;
mod images;
mod logs;
mod metrics;
mod models;
mod notice;
mod outliers;
mod plan_summary;
mod programs;
mod reading;
mod repository;
mod rounds;
mod sheet;
mod siblings;
mod site;
mod standing;
mod train;

use std::path::{Path, PathBuf};

use crate::data::DataFolders;
use crate::engine::Engine;
use crate::experiment::settings::TrainerSettings;
use crate::plan::Plan;
use crate::program::Digests;
use crate::report::{self, Format, Page, Subject};
use crate::results::ExperimentResults;
use crate::runner::{Event, RunSummary, StopSignal};
use crate::store::ProgramFacts;

pub(crate) use adoption::{adopt, propose};
pub(crate) use candidate::{Candidate, CheckQuestion, Judged, judge};
pub(crate) use confirming::{BestCells, Confirming};
pub(crate) use control::{ControlRun, Prepared};
pub(crate) use derived::{refresh, write_markdown};
pub(crate) use doctor::{Finding, examine};
pub(crate) use duel::{Contest, DuelQuestion, Opponent, Ring, on_fresh_seeds, winner};
pub use error::{Error, ErrorKind};
pub(crate) use escalation::Escalation;
pub use experiment::LoadedExperiment;
pub(crate) use experiment::{is_experiment_file, operations};
pub(crate) use folders::download_folder;
pub use folders::{data_folders, results_folder};
pub(crate) use images::Images;
pub(crate) use logs::logs;
pub(crate) use metrics::refuse_absent;
pub(crate) use models::{Answers, Model, ModelChoice, models_at, models_in};
pub use notice::{Listener, Notice};
pub(crate) use plan_summary::{POWER, PlanQuestion, PlanSummary, PlannedNetwork, networks};
pub use reading::Reading;
pub(crate) use reading::{folders_below, manifest_in, metric_of, store_and_plan};
pub(crate) use sheet::cell_sheet;
pub(crate) use site::Working;
pub(crate) use standing::Standing;
pub use train::Training;

/// An experiment with the folder of its results and the images it is trained on.
pub struct Session {
    /// The experiment.
    pub experiment: LoadedExperiment,
    /// Its images, each dataset loaded once.
    pub(crate) images: Images,
    folder: PathBuf,
}

impl Session {
    /// Opens the experiment in a file: its results go to `results/<name>`, datasets are looked for
    /// where `bench` looks for them.
    ///
    /// # Errors
    /// If the file cannot be read or says something impossible.
    pub fn open(file: impl AsRef<Path>) -> Result<Self, Error> {
        let experiment = LoadedExperiment::read(file.as_ref(), &[])?;
        let folder = results_folder(None, &experiment.document.experiment().name);
        Self::of(experiment, folder, data_folders(None), Listener::default())
    }

    /// Opens the experiment in a file; its results go to `folder`.
    ///
    /// # Errors
    /// As [`Session::open`].
    pub fn open_in(file: impl AsRef<Path>, folder: impl Into<PathBuf>) -> Result<Self, Error> {
        let experiment = LoadedExperiment::read(file.as_ref(), &[])?;
        Self::of(experiment, folder, data_folders(None), Listener::default())
    }

    /// Takes an experiment with the folder of its results; repeats that a gate asked for there are
    /// kept.
    ///
    /// # Errors
    /// If the folder holds something that cannot be read.
    pub fn of(
        experiment: LoadedExperiment,
        folder: impl Into<PathBuf>,
        data: DataFolders,
        listener: Listener,
    ) -> Result<Self, Error> {
        let folder = folder.into();
        let experiment = experiment.with_repeats_in(&folder)?;
        let mut images = Images::of(experiment.file.as_ref(), data, listener);
        images.results = Some(folder.clone());
        Ok(Self { experiment, images, folder })
    }

    /// Takes these facts for those of the program of every cell, which is not looked at.
    pub(crate) fn stand_in(&mut self, facts: &ProgramFacts) {
        if let TrainerSettings::Command(command) =
            &self.experiment.document.experiment().base.trainer
        {
            self.images.programs = vec![((**command).clone(), facts.clone())];
        }
    }

    /// Has one trial of a program traced: what it reads and no input is, is told after a run.
    ///
    /// # Errors
    /// Where nothing can trace it.
    pub fn trace_inputs(&mut self) -> Result<(), Error> {
        let trainer = &self.experiment.document.experiment().base.trainer;
        self.images.strace = Some(programs::strace(trainer)?);
        Ok(())
    }

    /// Has all inputs of programs read, whatever is known of them.
    pub fn rehash(&mut self) {
        self.images.digests = Some(Digests::default());
    }

    /// Returns the folder of the results.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Checks every cell, loads the images, and draws the plan: cells, trials and the networks they
    /// are made of. Nothing is trained.
    ///
    /// # Errors
    /// If a cell cannot be trained, two cells are the same, or a metric that is asked about can
    /// never be there.
    pub fn plan(&mut self) -> Result<Plan, Error> {
        let plan = self.experiment.plan(&mut self.images)?;
        refuse_absent(&self.experiment, &mut self.images)?;
        Ok(plan)
    }

    /// Trains what the plan lacks, writes tables and report, and returns the results; `events` hears
    /// of every step, from several threads.
    ///
    /// # Errors
    /// If the run cannot go on. A trial that fails is no error: it is part of the results.
    pub fn run(
        &mut self,
        plan: &Plan,
        engine: &(dyn Engine + Send + Sync),
        events: impl Fn(&Event<'_>) + Sync,
    ) -> Result<Finished, Error> {
        self.train(plan, engine, Training::new(&StopSignal::new(), &events))
    }

    /// Does as [`Session::run`], with a say in how.
    ///
    /// # Errors
    /// As [`Session::run`].
    pub fn train(
        &mut self,
        plan: &Plan,
        engine: &(dyn Engine + Send + Sync),
        how: Training<'_>,
    ) -> Result<Finished, Error> {
        let (store, summary) = train::train(self, plan, engine, how)?;
        let folder = store.folder().to_owned();
        let results = derived::renew(plan, store, &mut self.images)?;
        if self.experiment.document.experiment().measure.is_some() {
            outliers::tell(&results, &self.images.listener);
        }
        Ok(Finished { results, summary, folder })
    }
}

/// What a run came to.
pub struct Finished {
    /// The results of the whole experiment, whichever run trained them.
    pub results: ExperimentResults,
    /// What this run did, and what is left.
    pub summary: RunSummary,
    /// Where they are.
    pub folder: PathBuf,
}

impl Finished {
    /// Returns the report, for a terminal of 100 columns where it is one for a terminal.
    pub fn report(&self, format: Format) -> String {
        report::render(&[Subject::from(&self.results)], format, Page::default())
    }
}
