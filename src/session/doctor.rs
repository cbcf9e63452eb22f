//! Does the seed decide a trial of a program, and do trials before it in the same process?

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{Error, Listener, LoadedExperiment, Notice, Session, programs};
use crate::base::{Digest, MetricName, SeedPath, format};
use crate::data::{Dataset, split};
use crate::engine::{Engine, EpochObserver, Snapshot, TrainJob};
use crate::experiment::program::Mode;
use crate::experiment::settings::{CommandSettings, TrainerSettings};
use crate::plan::{Member, Plan};
use crate::record::{EpochRecord, Outcome};
use crate::report::short_cell_name;
use crate::store::{ProgramFacts, atomic};

/// What was found about one trial of a program.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct Finding {
    /// What the program is.
    program: Digest,
    /// The cell whose trial it was.
    pub(crate) cell: String,
    /// Its numbers, times and sizes left out.
    metrics: BTreeMap<MetricName, f64>,
    /// Whether two fresh processes gave the same numbers to the last digit.
    pub(crate) seed_decides: bool,
    /// Whether another seed gave other numbers.
    pub(crate) seed_matters: bool,
    /// Whether it gave other numbers after another trial in the same process; absent where the program
    /// is started for every trial, or chance alone moves its numbers.
    pub(crate) order_effects: Option<bool>,
}

/// Name of the file in a results folder that keeps a finding.
const FILE: &str = "doctor.json";

/// Runs a trial of the first program of the experiment twice, once with another seed and, where it is
/// persistent, after another trial; keeps the finding in the results folder and returns it with how the
/// program is called.
///
/// # Errors
/// If no trial is a call of a program, or one does not complete.
pub(crate) fn examine(
    session: &mut Session,
    engine: &(dyn Engine + Send + Sync),
) -> Result<(Finding, CommandSettings), Error> {
    let plan = session.plan()?;
    let name = session.experiment.document.experiment().name.clone();
    let Some((member, command)) = first_program(&plan) else {
        return Err(Error::input(format!("cannot examine `{name}`"))
            .because_of("none of its trials is a call of a program")
            .hint(Some("networks of `bench` depend on their seeds alone; nothing is to examine")));
    };
    let digest = digest_of(command, &session.images.programs);
    let clinic = Clinic::open(session, &plan, member, engine)?;
    let finding = clinic.examine(command, digest)?;
    drop(clinic);
    let folder = session.folder();
    std::fs::create_dir_all(folder).map_err(|error| {
        Error::input(format!("cannot write to `{}`", folder.display())).because(&error)
    })?;
    atomic::write(&folder.join(FILE), format::DOCTOR.text(&finding).as_bytes())
        .map_err(|error| Error::unwritable("the finding", &error))?;
    Ok((finding, command.clone()))
}

fn first_program(plan: &Plan) -> Option<(&Member, &CommandSettings)> {
    plan.members.iter().find_map(|member| match &member.settings.trainer {
        TrainerSettings::Command(command) => Some((member, &**command)),
        _ => None,
    })
}

fn digest_of(command: &CommandSettings, known: &[(CommandSettings, ProgramFacts)]) -> Digest {
    let found = known.iter().find(|(known, _)| known == command);
    found.map(|(_, facts)| facts.digest).expect("the plan looked at every program")
}

/// Refuses persistent programs of which it was found that their trials depend on those before, unless the
/// experiment accepts it.
pub(super) fn refuse_order_effects(
    plan: &Plan,
    known: &[(CommandSettings, ProgramFacts)],
    folder: &Path,
    listener: &Listener,
) -> Result<(), Error> {
    let Some((_, command)) = first_program(plan) else { return Ok(()) };
    if command.mode != Mode::Persistent || command.allow_order_effects {
        return Ok(());
    }
    let found = std::fs::read_to_string(folder.join(FILE)).ok();
    let found = found.and_then(|text| serde_json::from_str::<Finding>(&text).ok());
    let found = found.filter(|found| known.iter().any(|(_, facts)| facts.digest == found.program));
    match found {
        Some(Finding { order_effects: Some(true), .. }) => {
            Err(Error::input("cannot run trials in one process after another")
                .because_of(
                    "`bench doctor` found that a trial gives other numbers after another trial",
                )
                .hint(Some(
                    "seed everything anew in every trial, set `mode = \"once\"`, or accept it with \
             `allow-order-effects = true` under `[trainer]`",
                )))
        }
        Some(_) => Ok(()),
        None => {
            listener.tell(&Notice::NotExamined);
            Ok(())
        }
    }
}

/// A place to call programs in, for nothing but to look at what they do.
struct Clinic<'a> {
    loaded: &'a LoadedExperiment,
    plan: &'a Plan,
    member: &'a Member,
    cell: String,
    dataset: Arc<Dataset>,
    engine: &'a (dyn Engine + Send + Sync),
    folder: PathBuf,
}

impl Drop for Clinic<'_> {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

impl<'a> Clinic<'a> {
    fn open(
        session: &'a mut Session,
        plan: &'a Plan,
        member: &'a Member,
        engine: &'a (dyn Engine + Send + Sync),
    ) -> Result<Self, Error> {
        let Session { experiment: loaded, images, .. } = session;
        let folder = std::env::temp_dir().join(format!("bench-doctor-{}", std::process::id()));
        let index = plan.members.iter().position(|one| one.id == member.id).unwrap_or(0);
        let trial = plan.trials.iter().find(|trial| trial.members.contains(&index));
        let name = |cell: usize| short_cell_name(&loaded.grid.axes, &plan.cells[cell].assignment);
        let cell = trial.map_or_else(String::new, |trial| name(trial.cell));
        let dataset = images.load(&member.settings.dataset)?;
        Ok(Self { loaded, plan, member, cell, dataset, engine, folder })
    }

    fn examine(&self, command: &CommandSettings, program: Digest) -> Result<Finding, Error> {
        let path = self.member.seed_path;
        let other = SeedPath { repeat: Some(path.repeat.unwrap_or(0) + 1), ..path };
        let mut attempt = 0;
        let mut fresh = |paths: &[SeedPath]| {
            let engine = programs::engine(
                self.loaded.document.experiment(),
                self.loaded.folder()?,
                self.plan,
                self.engine,
                &self.folder,
            )?;
            let mut last = BTreeMap::new();
            for path in paths {
                attempt += 1;
                last = self.run(&engine, *path, attempt)?;
            }
            Ok::<_, Error>(last)
        };
        let (first, second) = (fresh(&[path])?, fresh(&[path])?);
        let with_other_seed = fresh(&[other])?;
        let seed_decides = first == second;
        let is_asked = command.mode == Mode::Persistent && seed_decides;
        let order_effects = is_asked.then(|| fresh(&[other, path])).transpose()?;
        Ok(Finding {
            program,
            cell: self.cell.clone(),
            seed_decides,
            seed_matters: with_other_seed != first,
            order_effects: order_effects.map(|after| after != first),
            metrics: first,
        })
    }

    /// Runs one trial and returns its numbers, times and sizes left out.
    fn run(
        &self,
        engine: &dyn Engine,
        seed_path: SeedPath,
        attempt: u32,
    ) -> Result<BTreeMap<MetricName, f64>, Error> {
        let settings = &self.member.settings;
        let images = &settings.dataset;
        let splits = split(&self.dataset, &images.split, images.train_limit, seed_path)?;
        let job = TrainJob {
            settings,
            dataset: &self.dataset,
            splits: &splits,
            seed_path,
            member: Some(self.member.id),
            attempt,
            checkpoint: None,
            earlier: None,
        };
        let cannot = || Error::input(format!("cannot run a trial of `{}`", self.cell));
        let output = engine.train(&job, &mut Silent).map_err(|error| cannot().because(&error))?;
        if output.outcome != Outcome::Completed {
            let reason = output.reason.unwrap_or_else(|| output.outcome.name().to_owned());
            return Err(cannot().because_of(reason));
        }
        let metrics = output.summary.map(|summary| summary.metrics).unwrap_or_default();
        let declared = &self.loaded.document.experiment().metrics;
        let is_of_seed = |name: &MetricName| {
            let metric = declared.iter().find(|metric| metric.name == *name);
            metric.is_some_and(|metric| !metric.unit.is_cost())
        };
        let kept = metrics.iter().filter(|(name, _)| is_of_seed(name));
        Ok(kept.map(|(name, value)| (name.clone(), *value)).collect())
    }
}

/// Hears of nothing and never stops.
struct Silent;

impl EpochObserver for Silent {
    fn epoch(&mut self, _: &EpochRecord, _: &dyn Snapshot) -> ControlFlow<()> {
        ControlFlow::Continue(())
    }
}
