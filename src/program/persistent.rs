//! Persistent programs: started once, then given one trial after another.
//!
//! A trial is a line of JSON on the program's standard input; its answers are lines in the file named by
//! `BENCH_RESULTS`, each with the trial's id, and the one with `"done": true` ends it. A program that
//! crashes, hangs or says that a trial failed costs that trial alone: the next one is told to a process
//! that works. A process has one trial at a time.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::process::{ChildStdin, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::answers::Answers;
use super::call::{MAX_OUTPUT, Told, Verdict, memory_of, not_begun, told_of_gpus};
use super::child::{Call, Ending, Limits, Listener, Running, Usage};
use super::measure::Deaf;
use super::predictions::with_predictions;
use super::resources::Taken;
use super::wording::{not_started, shown_program};
use super::workspace::Kept;
use super::{PERSISTENT_PATH, ProgramEngine, json};
use crate::base::format;
use crate::engine::{EngineError, EpochObserver, TrainOutput};
use crate::experiment::settings::CommandSettings;
use crate::record::Outcome;
use crate::store::atomic;

/// Processes that wait for a trial.
#[derive(Default)]
pub(super) struct Pool {
    idle: Mutex<Vec<Process>>,
    started: AtomicU64,
}

/// Most processes that wait; the one that has waited longest is ended.
const MAX_IDLE: usize = 64;

impl Pool {
    /// Takes a process of this call that still runs.
    fn take(&self, key: &Key) -> Option<Process> {
        loop {
            let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
            let at = idle.iter().rposition(|process| process.key == *key)?;
            let process = idle.remove(at);
            drop(idle);
            if !process.running.is_over() {
                return Some(process);
            }
            process.close();
        }
    }

    /// Ends the process that has waited longest: what it has of the machine is needed.
    pub(super) fn make_room(&self) {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        let oldest = (!idle.is_empty()).then(|| idle.remove(0));
        drop(idle);
        if let Some(oldest) = oldest {
            oldest.close();
        }
    }

    fn give_back(&self, process: Process) {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        idle.push(process);
        let oldest = (idle.len() > MAX_IDLE).then(|| idle.remove(0));
        drop(idle);
        if let Some(oldest) = oldest {
            oldest.close();
        }
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        let idle = std::mem::take(&mut *self.idle.lock().unwrap_or_else(PoisonError::into_inner));
        idle.into_iter().for_each(Process::close);
    }
}

/// What a process was started as: one of another call is another program.
#[derive(Clone, PartialEq)]
struct Key {
    words: Vec<String>,
    environment: Vec<(OsString, OsString)>,
}

/// One process, and what it has said.
struct Process {
    key: Key,
    running: Running,
    stdin: Option<ChildStdin>,
    folder: PathBuf,
    answers: PathBuf,
    /// Bytes of its answers that were read.
    read: u64,
    /// The beginning of a line that is not written to its end.
    rest: Vec<u8>,
    trials: u32,
    kept: [Kept; 2],
    heard: u64,
    grace: Duration,
    /// What it has of the machine.
    _taken: Option<Taken>,
}

impl Process {
    fn start(
        engine: &ProgramEngine<'_>,
        command: &CommandSettings,
        told: &Told<'_>,
        key: Key,
        taken: Option<Taken>,
    ) -> Result<Self, EngineError> {
        let cannot = |error: &io::Error| {
            EngineError::Trainer(format!("cannot make a folder in `attempts`: {error}"))
        };
        let number = engine.pool.started.fetch_add(1, Ordering::Relaxed);
        let name = format!("process-{}-{number}", std::process::id());
        let folder = engine.surroundings.results.join("attempts").join(name);
        let (mark, answers) = (folder.join("trial.json"), folder.join("results.jsonl"));
        let prepare = || {
            fs::create_dir_all(&folder)?;
            // Whoever does not read trials from standard input still finds the first.
            let first = format::TRIAL.text(&engine.content(told));
            let put = |path: &Path, text: &[u8]| {
                atomic::write_derived(path, text).map_err(|error| error.source)
            };
            put(&mark, first.as_bytes()).and_then(|()| put(&answers, b""))
        };
        prepare().map_err(|error| cannot(&error))?;
        let mut environment = key.environment.clone();
        environment.push(("BENCH_TRIAL".into(), mark.clone().into()));
        environment.push(("BENCH_RESULTS".into(), answers.clone().into()));
        environment.push(("BENCH_PERSISTENT".into(), "1".into()));
        environment.extend(taken.as_ref().and_then(told_of_gpus));
        let grace = Duration::from_secs_f64(command.grace);
        let call = Call {
            words: &key.words,
            environment: &environment,
            folder: &engine.surroundings.folder,
            time_limit: None,
            grace,
            mark: &mark,
            memory: memory_of(command),
        };
        let (mut running, stdin) = Running::start(&call, Stdio::piped()).map_err(|error| {
            let _ = fs::remove_dir_all(&folder);
            EngineError::Trainer(format!(
                "cannot start {}",
                not_started(&key.words[0], &call, &error)
            ))
        })?;
        running.alarm = alarm(&answers);
        Ok(Self {
            key,
            running,
            stdin,
            folder,
            answers,
            read: 0,
            rest: Vec::new(),
            trials: 0,
            kept: [Kept::new(), Kept::new()],
            heard: 0,
            grace,
            _taken: taken,
        })
    }

    /// Tells the program of a trial.
    fn tell(&mut self, line: &str) -> io::Result<()> {
        self.trials += 1;
        self.heard = 0;
        self.kept = [Kept::new(), Kept::new()];
        let stdin = self.stdin.as_mut().ok_or(io::ErrorKind::BrokenPipe)?;
        stdin.write_all(line.as_bytes())
    }

    /// Closes the program's standard input and waits for its end.
    fn close(mut self) {
        self.stdin = None;
        let limits = Limits { deadline: Some(Instant::now() + self.grace), grace: self.grace };
        self.running.listen(limits, &mut Deaf, &mut || false);
        let _ = self.end(&mut Deaf);
    }

    /// Ends the process at once, with all that it started.
    fn end(&mut self, listener: &mut dyn Listener) -> io::Result<()> {
        let ended = self.running.end(&self.folder.join("trial.json"), listener);
        let _ = fs::remove_dir_all(&self.folder);
        ended.map(|_| ())
    }
}

/// Reads what was added to a file since `read`, as whole lines.
struct Reader<'a> {
    file: &'a Path,
    read: &'a mut u64,
    rest: &'a mut Vec<u8>,
}

/// Bytes of answers that are read at once.
const MAX_ANSWERS: u64 = 16 << 20;

impl Reader<'_> {
    fn lines(&mut self) -> Vec<String> {
        let Ok(facts) = fs::symlink_metadata(self.file) else { return Vec::new() };
        if !facts.is_file() || facts.len() == *self.read {
            return Vec::new();
        }
        if facts.len() < *self.read {
            // Somebody wrote it anew.
            *self.read = 0;
            self.rest.clear();
        }
        let mut more = Vec::new();
        let opened = File::open(self.file).and_then(|mut file| {
            file.seek(SeekFrom::Start(*self.read))?;
            file.take(MAX_ANSWERS).read_to_end(&mut more)
        });
        let Ok(count) = opened else { return Vec::new() };
        *self.read += count as u64;
        self.rest.append(&mut more);
        let whole = self.rest.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
        let lines: Vec<u8> = self.rest.drain(..whole).collect();
        let text = String::from_utf8_lossy(&lines);
        text.lines().filter(|line| !line.trim().is_empty()).map(str::to_owned).collect()
    }
}

/// What a program has said of one trial so far.
#[derive(Default)]
struct Said {
    lines: String,
    is_done: bool,
    failed: Option<String>,
    /// When it said that it waits for trials.
    ready: Option<Instant>,
    /// Lines that belong to no trial that is known.
    strays: usize,
}

impl Said {
    fn hear(&mut self, line: &str, id: &str) {
        let Ok(object) = json::parse(line) else {
            // It is told with the answers that cannot be read.
            self.lines += line;
            self.lines.push('\n');
            return;
        };
        let is = |key: &str| object.get(key).and_then(serde_json::Value::as_bool) == Some(true);
        if is("ready") {
            self.ready = Some(Instant::now());
            return;
        }
        match object.get("trial").and_then(serde_json::Value::as_str) {
            Some(found) if found == id => {}
            _ => {
                self.strays += 1;
                return;
            }
        }
        self.is_done |= is("done");
        if let Some(reason) = object.get("failed").and_then(serde_json::Value::as_str) {
            self.failed.get_or_insert_with(|| reason.to_owned());
            self.is_done = true;
        }
        self.lines += line;
        self.lines.push('\n');
    }
}

impl ProgramEngine<'_> {
    /// Lets a persistent program train a trial and says what came of it.
    pub(super) fn ask(
        &self,
        command: &CommandSettings,
        told: &Told<'_>,
        observer: &mut dyn EpochObserver,
    ) -> Result<TrainOutput, EngineError> {
        let words = command.command.filled(&|placeholder| told.value(placeholder));
        let key = Key { words, environment: self.declared(command, told) };
        let id = told.workspace.name();
        let mut content = self.content(told);
        content["id"] = id.into();
        let line = format!("{}\n", serde_json::json!(format::TRIAL.of(&content)));
        let program = shown_program(command.command.program());
        // A process that was ended while it waited says nothing of the next trial.
        for is_last in [false, true] {
            let mut process = if let Some(process) = self.pool.take(&key) {
                process
            } else {
                let Some(taken) = self.take(command, observer) else {
                    told.workspace.tidy();
                    told.workspace.settle(false);
                    return Ok(not_begun(command));
                };
                Process::start(self, command, told, key.clone(), taken)?
            };
            let began = Instant::now();
            // What cannot be told shows in how the process ends.
            let _ = process.tell(&line);
            let mut said = Said::default();
            let limit = command.time_limit.map(Duration::from_secs_f64);
            let limits =
                Limits { deadline: limit.map(|limit| began + limit), grace: process.grace };
            let (asked, is_killed) = {
                let mut hearing =
                    Hearing { observer, kept: &mut process.kept, heard: &mut process.heard };
                let (read, rest) = (&mut process.read, &mut process.rest);
                let mut reader = Reader { file: &process.answers, read, rest };
                let mut is_done = || {
                    reader.lines().iter().for_each(|line| said.hear(line, id));
                    said.is_done
                };
                process.running.listen(limits, &mut hearing, &mut is_done)
            };
            let mut reader =
                Reader { file: &process.answers, read: &mut process.read, rest: &mut process.rest };
            reader.lines().iter().for_each(|line| said.hear(line, id));
            let seconds = said.ready.unwrap_or(began).elapsed().as_secs_f64();
            let mut answers = Answers::new(&self.questions);
            answers.results_file(said.lines.as_bytes());
            if said.is_done && asked.is_none() {
                let mut verdict = self.answered(command, &said, &mut answers, told, &process);
                let predictions = Self::predicted(told, &mut verdict);
                let kept = std::mem::replace(&mut process.kept, [Kept::new(), Kept::new()]);
                if command.restart_after.is_some_and(|after| process.trials >= after) {
                    process.close();
                } else {
                    self.pool.give_back(process);
                }
                let kept = (PERSISTENT_PATH, &kept);
                let output = self.settled(told, &answers, verdict, seconds, kept);
                return Ok(with_predictions(output, predictions));
            }
            let mut last =
                Hearing { observer, kept: &mut [Kept::new(), Kept::new()], heard: &mut 0 };
            let mark = process.folder.join("trial.json");
            let status = process.running.end(&mark, &mut last).map(|used| used.status);
            let _ = fs::remove_dir_all(&process.folder);
            let status = status.map_err(|error| {
                EngineError::Trainer(format!("{program} ended, nobody knows how: {error}"))
            })?;
            let has_left = asked.is_none() && status.success() && process.trials > 1;
            if has_left && !is_last {
                continue;
            }
            let has_overrun = process.running.has_overrun;
            let usage = Usage::default();
            let ending = Ending { status, asked, is_killed, seconds, usage, has_overrun };
            let mut verdict = self.verdict(command, &ending, &answers, &process.kept[1]);
            if asked.is_none() && status.success() {
                let reason = format!(
                    "{program} ended without `\"done\": true` for the trial: in persistent mode it reads trials from \
                     standard input, a line each, until there are no more"
                );
                verdict = Err((Outcome::Failed, reason));
            }
            return Ok(self.settled(
                told,
                &answers,
                verdict,
                seconds,
                (PERSISTENT_PATH, &process.kept),
            ));
        }
        unreachable!("the second process has the last word")
    }

    fn answered(
        &self,
        command: &CommandSettings,
        said: &Said,
        answers: &mut Answers<'_>,
        told: &Told<'_>,
        process: &Process,
    ) -> Verdict {
        let program = shown_program(command.command.program());
        if let Some(reason) = &said.failed {
            return Err((Outcome::Failed, format!("{program} says that it failed: {reason}")));
        }
        self.read_files(told, answers);
        let status = std::os::unix::process::ExitStatusExt::from_raw(0);
        let usage = Usage::default();
        let ending = Ending {
            status,
            asked: None,
            is_killed: false,
            seconds: 0.0,
            usage,
            has_overrun: false,
        };
        let verdict = self.verdict(command, &ending, answers, &process.kept[1]);
        let strays = match said.strays {
            0 => return verdict,
            1 => "1 of its answers names".to_owned(),
            count => format!("{count} of its answers name"),
        };
        verdict.map_err(|(outcome, reason)| {
            (outcome, format!("{reason}; {strays} another `trial` than the one it was given"))
        })
    }
}

/// Hears a persistent program on behalf of its trial.
struct Hearing<'a> {
    observer: &'a mut dyn EpochObserver,
    kept: &'a mut [Kept; 2],
    heard: &'a mut u64,
}

impl Listener for Hearing<'_> {
    fn stdout(&mut self, bytes: &[u8]) -> ControlFlow<()> {
        *self.heard += bytes.len() as u64;
        if *self.heard > MAX_OUTPUT {
            return ControlFlow::Break(());
        }
        self.kept[0].add(bytes);
        ControlFlow::Continue(())
    }

    fn stderr(&mut self, bytes: &[u8]) {
        self.kept[1].add(bytes);
    }

    fn is_stopped(&self) -> bool {
        self.observer.is_stopped()
    }
}

/// Returns a descriptor that can be read once a file was written to, where the system has any; elsewhere
/// the file is looked at ten times a second.
fn alarm(file: &Path) -> Option<std::os::fd::OwnedFd> {
    #[cfg(target_os = "linux")]
    {
        use rustix::fs::inotify::{CreateFlags, WatchFlags, add_watch, init};
        let alarm = init(CreateFlags::NONBLOCK | CreateFlags::CLOEXEC).ok()?;
        add_watch(&alarm, file, WatchFlags::MODIFY).ok()?;
        Some(alarm)
    }
    #[cfg(not(target_os = "linux"))]
    {
        let _ = file;
        None
    }
}
