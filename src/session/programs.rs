//! Programs that train: what they are, where they run, and what is told of them.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use super::adoption::Adoptions;
use super::{Error, Images, Listener, Notice};
use crate::base::Digest;
use crate::engine::Engine;
use crate::experiment::Experiment;
use crate::experiment::program::{Mode, Reading, Resources};
use crate::experiment::settings::{CommandSettings, TrainerSettings};
use crate::plan::Plan;
use crate::program::{
    self, Capacity, Digests, Inspector, ProgramEngine, ProgramError, Surroundings, TooMuch,
};
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
        capacity: capacity(),
    };
    if surroundings.are_called {
        for (_, resources) in resources(plan) {
            let fits = surroundings.capacity.at_once(resources);
            fits.map_err(|error| too_much(experiment, &error))?;
        }
    }
    let is_alone = plan.members.iter().all(|member| member.settings.trainer.is_command());
    let is_alone = is_alone && !plan.members.is_empty();
    Ok(ProgramEngine::new(trainer, is_alone, surroundings))
}

/// Returns the commands of a plan that say what they need, with it.
fn resources(plan: &Plan) -> impl Iterator<Item = (&CommandSettings, &Resources)> {
    plan.cells.iter().filter_map(|cell| match &cell.settings.trainer {
        TrainerSettings::Command(command) => Some((&**command, command.resources.as_ref()?)),
        _ => None,
    })
}

fn too_much(experiment: &Experiment, error: &TooMuch) -> Error {
    Error::input(format!("cannot run `{}`", experiment.name))
        .because(error)
        .hint(Some("ask for less with `--set` or in the file, or run it on a larger machine"))
}

/// Returns how many of `workers` there is something to do for: no more programs run at once than the
/// machine has room for.
pub(super) fn at_once(plan: &Plan, workers: usize, listener: &Listener) -> usize {
    let known: Vec<_> = resources(plan).collect();
    if known.is_empty() || known.len() < plan.cells.len() {
        return workers;
    }
    let capacity = capacity();
    let counts = known.iter().filter_map(|(_, resources)| capacity.at_once(resources).ok());
    let Some((most, key)) = counts.max() else { return workers };
    if most < workers {
        listener.tell(&Notice::FewerAtOnce { programs: most, key });
    }
    workers.min(most)
}

/// Returns what this machine has for programs.
fn capacity() -> Capacity {
    let Machine { cores, memory_mib, gpus, .. } = Machine::current();
    let all = (0..gpus.len()).map(|index| index.to_string()).collect();
    let memory = memory_mib.map(|mib| mib << 20);
    Capacity {
        cores: u32::try_from(cores).unwrap_or(u32::MAX),
        // Whoever gave this process some of the GPUs says so by the same variable.
        gpus: std::env::var_os("CUDA_VISIBLE_DEVICES")
            .map_or(all, |names| visible(&names.to_string_lossy())),
        memory: memory.into_iter().chain(program::memory_limit()).min(),
    }
}

/// Returns the GPUs that a value of `CUDA_VISIBLE_DEVICES` names: those before the first that is none.
fn visible(names: &str) -> Vec<String> {
    let names = names.split(',').map(str::trim);
    names.take_while(|name| !name.is_empty() && *name != "-1").map(str::to_owned).collect()
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

/// Finds what traces the files that a trial reads.
pub(super) fn strace(trainer: &TrainerSettings) -> Result<PathBuf, Error> {
    let cannot = |reason: &str, hint: &'static str| {
        Error::input("cannot trace what a trial reads").because_of(reason).hint(Some(hint))
    };
    match trainer {
        TrainerSettings::Command(command) if command.mode == Mode::Once => {}
        TrainerSettings::Command(_) => {
            return Err(cannot(
                "a persistent program reads for many trials",
                "trace it once with `--set trainer.mode=once`",
            ));
        }
        _ => {
            return Err(cannot(
                "no program of yours is called",
                "the images of our own engines are part of every trial anyway",
            ));
        }
    }
    if !cfg!(target_os = "linux") {
        return Err(cannot(
            "that is done by `strace`, on Linux only",
            "trace it on a Linux machine",
        ));
    }
    let mut found = search_path().into_iter().map(|folder| folder.join("strace"));
    found.find(|file| file.is_file()).ok_or_else(|| {
        cannot(
            "there is no `strace` on `PATH`",
            "install it, for example by `apt-get install strace`",
        )
    })
}

/// Returns the folders in which programs are looked for.
fn search_path() -> Vec<PathBuf> {
    std::env::split_paths(&std::env::var_os("PATH").unwrap_or_default()).collect()
}

/// Names what the traced trial read though no input says so.
pub(super) fn tell_traced(
    engine: &ProgramEngine<'_>,
    folder: &Path,
    images: &Images,
    listener: &Listener,
) {
    #[cfg(unix)]
    {
        let Some(found) = engine.traced() else { return };
        let whole = |path: &Path| path.canonicalize().unwrap_or_else(|_| path.to_owned());
        let folder = whole(folder);
        let results = images.results.as_deref().map(whole);
        let files = images.programs.iter().flat_map(|(_, facts)| &facts.files);
        let declared: BTreeSet<PathBuf> =
            files.map(|file| whole(&folder.join(&file.name))).collect();
        let is_own = |path: &&PathBuf| results.as_ref().is_some_and(|own| path.starts_with(own));
        let is_left = |path: &&PathBuf| !declared.contains(*path) && !is_own(path);
        let read = found.len();
        let (inside, outside): (Vec<&PathBuf>, Vec<&PathBuf>) =
            found.iter().filter(is_left).partition(|path| path.starts_with(&folder));
        let shown =
            |path: &PathBuf| path.strip_prefix(&folder).unwrap_or(path).display().to_string();
        let inside = inside.into_iter().map(shown).collect();
        let outside = outside.into_iter().map(shown).collect();
        listener.tell(&Notice::Traced { read, inside, outside });
    }
    #[cfg(not(unix))]
    let _ = (engine, folder, images, listener);
}

/// What the programs of an experiment are, each looked at once.
pub(super) struct Programs {
    inspector: Inspector,
    adoptions: Adoptions,
    listener: Listener,
    known: Vec<(CommandSettings, ProgramFacts)>,
}

impl Programs {
    /// Starts with those that were looked at already.
    pub(super) fn of(
        folder: PathBuf,
        readings: &[Reading],
        is_measured: bool,
        images: &mut Images,
    ) -> Result<Self, Error> {
        let known = std::mem::take(&mut images.programs);
        let listener = images.listener.clone();
        let results = images.results.as_deref();
        let adoptions = results.map(Adoptions::in_folder).transpose()?.unwrap_or_default();
        let digests = images.digests.take();
        let digests = digests.or_else(|| results.map(Digests::in_folder)).unwrap_or_default();
        let inspector =
            Inspector::new(folder, search_path(), inherited(), readings).knowing(digests);
        // Times of another machine are those of other trials.
        let inspector = if is_measured { inspector.measuring(machine()) } else { inspector };
        Ok(Self { inspector, adoptions, listener, known })
    }

    /// Leaves with the images of a session what is known of those that were looked at.
    pub(super) fn leave_with(self, images: &mut Images) {
        images.programs = self.known;
        images.digests = Some(self.inspector.into_digests());
    }

    /// Returns the digest of a program.
    pub(super) fn digest(&mut self, command: &CommandSettings) -> Result<Digest, Error> {
        if let Some((_, facts)) = self.known.iter().find(|(known, _)| known == command) {
            return Ok(facts.digest);
        }
        let mut facts = self.inspector.facts(command).map_err(|error| failure(&error))?;
        for name in self.inspector.undeclared(command, &facts) {
            self.listener.tell(&Notice::UndeclaredInput(name));
        }
        if let Some(original) = self.adoptions.original(&facts.digest) {
            facts.adopted = Some(std::mem::replace(&mut facts.digest, original));
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gpus_are_those_before_the_first_name_of_none() {
        // CUDA C++ Programming Guide, CUDA_VISIBLE_DEVICES: "only the devices whose index is listed
        // before the invalid index are visible".
        assert_eq!(visible("2,GPU-a1"), ["2", "GPU-a1"]);
        assert_eq!(visible("0,-1,1"), ["0"]);
        assert_eq!(visible(""), [""; 0]);
    }
}
