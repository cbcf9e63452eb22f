//! `bench submit`: has an engine start workers.

mod engine;
mod folder;
mod local;
mod other;
mod record;
mod relay;
mod slurm;

use std::path::{Path, PathBuf};

pub(super) use engine::Engine;
pub(super) use record::Record;
pub(super) use relay::again;

use super::arguments::{Scheduler, SubmitArguments, duration};
use super::experiment;
use super::failure::{Exit, Failure};
use crate::cluster::submission::{Submission, job_file, manifest};
use crate::report::counted;
use crate::session::{Error, Session};
use crate::store::SharedFolder;

/// Workers where nobody says how many.
const WORKERS: u32 = 4;
/// Claim of Kubernetes where nobody names one.
const CLAIM: &str = "bench-store";

pub(super) fn submit(arguments: &SubmitArguments) -> Result<Exit, Failure> {
    let (asked, data) = (&arguments.experiment, &arguments.data);
    let mut session = experiment::session(asked, data, arguments.store.as_ref(), false)?;
    // What cannot be trained is refused here, not by every worker after hours in a queue.
    let plan = session.plan()?;
    let job = submission(arguments, &session)?;
    if !arguments.dry_run {
        say!(
            "{} of `{}`, {} for {}",
            counted(plan.members.len(), "network"),
            job.experiment,
            counted(job.workers as usize, "worker"),
            job.store.display()
        );
    }
    match (arguments.scheduler, arguments.dry_run) {
        (Scheduler::Slurm, true) => slurm::show(&job),
        (Scheduler::Hyperqueue, true) => {
            out!("{}", job_file(&job));
            Ok(Exit::Done)
        }
        (Scheduler::Kubernetes, true) => {
            out!("{}", manifest(&job, image(&job)?));
            Ok(Exit::Done)
        }
        (Scheduler::Local, true) => {
            local::show(&job);
            Ok(Exit::Done)
        }
        (Scheduler::Other, _) => {
            other::show(&job);
            Ok(Exit::Done)
        }
        (scheduler, false) => start(scheduler, &job),
    }
}

/// Starts the workers and notes what was started.
fn start(scheduler: Scheduler, job: &Submission) -> Result<Exit, Failure> {
    for name in ["logs", "submit"] {
        let path = job.store.join(name);
        std::fs::create_dir_all(&path).map_err(|error| {
            Failure::input(format!("cannot create the folder `{}`", path.display())).because(&error)
        })?;
    }
    folder::judge(&job.store, job.workers)?;
    let record = match scheduler {
        Scheduler::Slurm => slurm::start(job)?,
        Scheduler::Hyperqueue => {
            let path = write(&job.store, "hyperqueue.toml", &job_file(job))?;
            engine::hyperqueue(&path)?
        }
        Scheduler::Kubernetes => {
            let path = write(&job.store, "kubernetes.yaml", &manifest(job, image(job)?))?;
            engine::kubernetes(&path)?
        }
        Scheduler::Local | Scheduler::Other => local::start(job)?,
    };
    record.write(&job.store)?;
    say!(
        "hint: `bench watch {0}` shows them at work, `bench cancel {0}` asks them to leave",
        job.store.display()
    );
    Ok(Exit::Done)
}

/// Writes a file below `submit/`, numbered, and returns its path.
fn write(store: &Path, name: &str, text: &str) -> Result<PathBuf, Failure> {
    let cannot =
        |error| Error::of_store(format!("cannot write below `{}`", store.display()), &error);
    let shared = SharedFolder::open(store).map_err(cannot)?;
    for number in 1..=9999 {
        let inside = format!("submit/{number:04}-{name}");
        if shared.publish(&inside, text.as_bytes()).map_err(cannot)? {
            return Ok(store.join(inside));
        }
    }
    Err(Failure::input(format!("cannot write below `{}`", store.display()))
        .because_of("`submit/` has 9999 files already"))
}

fn image(job: &Submission) -> Result<&str, Failure> {
    job.container.as_deref().ok_or_else(|| {
        Failure::input("cannot write a manifest for Kubernetes")
            .because_of("it takes an image with `bench` in it")
            .hint(Some("name it with `--container IMAGE` or `submit.container`; `Containerfile` builds one"))
    })
}

/// Puts together what the file, the command line and the place say.
fn submission(arguments: &SubmitArguments, session: &Session) -> Result<Submission, Failure> {
    let (loaded, folder) = (&session.experiment, session.folder());
    let cannot = || Failure::input("cannot submit");
    let Some(file) = &loaded.file else {
        return Err(cannot()
            .because_of("the experiment was read from standard input, which workers cannot see")
            .hint(Some("name a file that all machines see")));
    };
    let absolute = |path: &Path| {
        std::path::absolute(path)
            .map_err(|error| Failure::internal("cannot find the present folder").because(&error))
    };
    let experiment = loaded.document.experiment();
    let asked = &experiment.submit;
    let text = |flag: &Option<String>, key: &Option<String>| flag.clone().or_else(|| key.clone());
    let time = text(&arguments.time, &asked.time);
    let time = time
        .map(|text| {
            duration(&text).map_err(|expected| {
                cannot().because_of(format!("the time limit is `{text}`, {expected}"))
            })
        })
        .transpose()?;
    let joined = |flags: &[String], keys: &[String]| [keys, flags].concat();
    let data = arguments.data.data_dir.clone();
    let data = data.or_else(|| std::env::var_os("BENCH_DATA_DIR").map(PathBuf::from));
    let bench = std::env::current_exe()
        .map_err(|error| Failure::internal("cannot find this program").because(&error))?;
    let job = Submission {
        experiment: experiment.name.clone(),
        bench,
        file: absolute(file)?,
        text: loaded.document.typed_text().to_owned(),
        overrides: loaded.document.overrides().iter().map(|one| one.text().to_owned()).collect(),
        store: absolute(folder)?,
        data: data.as_deref().map(absolute).transpose()?,
        workers: arguments.workers.or(asked.workers).unwrap_or(WORKERS),
        at_once: arguments.at_once.or(asked.at_once),
        time,
        partition: text(&arguments.partition, &asked.partition),
        account: text(&arguments.account, &asked.account),
        cpus: arguments.cpus.or(asked.cpus).unwrap_or(1),
        gpus: arguments.gpus.or(asked.gpus),
        memory: text(&arguments.memory, &asked.memory),
        modules: joined(&arguments.modules, &asked.modules),
        container: text(&arguments.container, &asked.container),
        claim: text(&arguments.claim, &asked.claim).unwrap_or_else(|| CLAIM.to_owned()),
        options: joined(&arguments.options, &asked.options),
        lease: arguments.lease,
    };
    refuse_lines(&job)?;
    Ok(job)
}

/// Refuses texts that would be more than one line of a script.
fn refuse_lines(job: &Submission) -> Result<(), Failure> {
    let of = |text: &Option<String>| text.clone().unwrap_or_default();
    let mut texts = vec![of(&job.partition), of(&job.account), of(&job.memory), of(&job.container)];
    texts.extend([job.claim.clone(), job.store.display().to_string()]);
    texts.push(job.file.display().to_string());
    texts.extend(job.modules.iter().chain(&job.options).cloned());
    match texts.iter().find(|text| text.chars().any(char::is_control)) {
        None => Ok(()),
        Some(text) => Err(Failure::input("cannot submit").because_of(format!(
            "`{}` has a line break or another control character",
            text.escape_debug()
        ))),
    }
}
