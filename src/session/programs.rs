//! Programs that train: what they are, where they run, and what is told of them.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use super::{Error, Listener, Notice};
use crate::base::Digest;
use crate::engine::Engine;
use crate::plan::Plan;
use crate::program::{Inspector, ProgramEngine, ProgramError, Surroundings};
use crate::spec::experiment::Experiment;
use crate::spec::program::Reading;
use crate::spec::settings::{CommandSettings, TrainerSettings};
use crate::store::{Machine, ProgramFacts};

/// Variables that programs see of this process's.
const INHERITED: [&str; 3] = ["PATH", "HOME", "LANG"];

/// Returns the engine that calls the programs of an experiment and leaves the rest to another.
pub(crate) fn engine<'a>(
    experiment: &Experiment,
    folder: PathBuf,
    plan: &Plan,
    trainer: &'a (dyn Engine + Send + Sync),
    results: &Path,
) -> Result<ProgramEngine<'a>, Error> {
    let absolute = |path: &Path| {
        std::path::absolute(path)
            .map_err(|error| Error::fault("cannot find the present folder").because(&error))
    };
    let surroundings = Surroundings {
        experiment: experiment.name.clone(),
        folder,
        results: absolute(results)?,
        inherited: inherited(),
        metrics: experiment.metrics.clone(),
        readings: experiment.readings.clone(),
        are_called: !experiment.is_imported(),
        measure: experiment.measure,
    };
    let is_alone = plan.members.iter().all(|member| member.settings.trainer.is_command());
    let is_alone = is_alone && !plan.members.is_empty();
    Ok(ProgramEngine::new(trainer, is_alone, surroundings))
}

/// Returns what programs see of this process's variables.
fn inherited() -> Vec<(OsString, OsString)> {
    let value = |name: &&str| Some(((*name).into(), std::env::var_os(name)?));
    INHERITED.iter().filter_map(value).collect()
}

/// Names this machine as far as it decides how long a program takes.
fn machine() -> String {
    let Machine { system, cpu, cores, .. } = Machine::current();
    format!("{system}, {}, {cores} cores", cpu.unwrap_or_default())
}

/// Names what completed programs printed though no metric has that name.
pub(super) fn tell_undeclared(engine: &ProgramEngine<'_>, listener: &Listener) {
    let names: Vec<String> = engine.undeclared().into_iter().collect();
    if !names.is_empty() {
        listener.tell(&Notice::UndeclaredMetrics(names));
    }
}

/// What the programs of an experiment are, each looked at once.
pub(super) struct Programs {
    inspector: Inspector,
    listener: Listener,
    known: Vec<(CommandSettings, ProgramFacts)>,
}

impl Programs {
    /// Starts with those that were looked at already.
    pub(super) fn of(
        folder: PathBuf,
        readings: &[Reading],
        is_measured: bool,
        known: Vec<(CommandSettings, ProgramFacts)>,
        listener: Listener,
    ) -> Self {
        let path = std::env::var_os("PATH").unwrap_or_default();
        let path = std::env::split_paths(&path).collect();
        let inspector = Inspector::new(folder, path, inherited(), readings);
        // Times of another machine are those of other trials.
        let inspector = if is_measured { inspector.measuring(machine()) } else { inspector };
        Self { inspector, listener, known }
    }

    /// Returns what is known of those that were looked at.
    pub(super) fn into_known(self) -> Vec<(CommandSettings, ProgramFacts)> {
        self.known
    }

    /// Returns the digest of a program.
    pub(super) fn digest(&mut self, command: &CommandSettings) -> Result<Digest, Error> {
        if let Some((_, facts)) = self.known.iter().find(|(known, _)| known == command) {
            return Ok(facts.digest);
        }
        let facts = self.inspector.facts(command).map_err(|error| failure(&error))?;
        for name in self.inspector.undeclared(command, &facts) {
            self.listener.tell(&Notice::UndeclaredInput(name));
        }
        let digest = facts.digest;
        self.known.push((command.clone(), facts));
        Ok(digest)
    }

    /// Returns what is known of every program of a plan.
    pub(super) fn facts(
        plan: &Plan,
        known: &[(CommandSettings, ProgramFacts)],
    ) -> Vec<ProgramFacts> {
        let mut facts: Vec<ProgramFacts> = Vec::new();
        for cell in &plan.cells {
            let TrainerSettings::Command(command) = &cell.settings.trainer else { continue };
            let Some((_, found)) = known.iter().find(|(known, _)| *known == **command) else {
                continue;
            };
            if !facts.contains(found) {
                facts.push(found.clone());
            }
        }
        facts
    }
}

fn failure(error: &ProgramError) -> Error {
    Error::input("cannot tell what `trainer.command` is").because(error).hint(error.hint())
}
