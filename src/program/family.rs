//! Processes that programs leave behind.
//!
//! Every program leads a session and a process group of its own, which is killed when the program has
//! ended. What left the group is found nevertheless: this process is the reaper of its descendants, so
//! whoever loses its parent becomes a child of this process, and is known by its session or by the
//! variable `BENCH_TRIAL` of its trial. Only a process that has rid itself of both escapes.

use std::collections::BTreeSet;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, Once, PoisonError};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process, kill_process_group};

/// Leaders of the programs that run now. Held while one is started, so that nobody takes a process for
/// an orphan that is just being born.
static LEADERS: Mutex<BTreeSet<i32>> = Mutex::new(BTreeSet::new());

/// Generations of orphans that are ended after one program.
const MAX_ROUNDS: usize = 50;

/// Whether this process was asked to end by USR1.
static IS_USR1: AtomicBool = AtomicBool::new(false);

/// Has programs asked to end by USR1, as this process was: they may know it as the word to save their state.
pub(crate) fn pass_on_usr1() {
    IS_USR1.store(true, Ordering::Relaxed);
}

/// Returns the signal by which programs are asked to end when the run is stopped.
pub(super) fn farewell() -> Signal {
    if IS_USR1.load(Ordering::Relaxed) { Signal::USR1 } else { Signal::TERM }
}

fn leaders() -> MutexGuard<'static, BTreeSet<i32>> {
    LEADERS.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Starts a program with `start` and notes its leader.
pub(super) fn started<T>(start: impl FnOnce() -> io::Result<(T, Pid)>) -> io::Result<(T, Pid)> {
    static REAPER: Once = Once::new();
    REAPER.call_once(|| {
        #[cfg(target_os = "linux")]
        let _ = rustix::process::set_child_subreaper(Some(rustix::process::getpid()));
    });
    let mut leaders = leaders();
    let (child, pid) = start()?;
    leaders.insert(pid.as_raw_nonzero().get());
    Ok((child, pid))
}

/// Forgets a leader that was reaped.
pub(super) fn forget(leader: Pid) {
    leaders().remove(&leader.as_raw_nonzero().get());
}

/// Returns whether a program runs now.
pub(crate) fn is_any_running() -> bool {
    !leaders().is_empty()
}

/// Kills every program that runs now, with its group: this process is about to end.
pub(crate) fn kill_all() {
    for leader in leaders().iter().filter_map(|number| Pid::from_raw(*number)) {
        let _ = kill_process_group(leader, Signal::KILL);
    }
}

/// Ends the orphans of the program that `leader` led.
pub(super) fn end(leader: Pid, mark: &Path) {
    let mut killed = BTreeSet::new();
    for _ in 0..MAX_ROUNDS {
        let leaders = leaders();
        let is_last = leaders.len() == 1;
        let mut is_found = false;
        for orphan in children() {
            let number = orphan.as_raw_nonzero().get();
            if leaders.contains(&number) {
                continue;
            }
            if is_of(orphan, leader, mark) || (is_last && is_marked(orphan)) {
                let _ = kill_process(orphan, Signal::KILL);
                killed.insert(number);
            }
            // One that has ended is taken off the system's list.
            if killed.contains(&number) {
                is_found = true;
                let _ = wait4::try_wait4_pid(number.cast_unsigned());
            }
        }
        drop(leaders);
        if !is_found {
            return;
        }
        // The system takes a moment to end what was killed.
        std::thread::sleep(Duration::from_micros(200));
    }
}

/// Returns the children of this process, where the system lists them.
fn children() -> impl Iterator<Item = Pid> {
    let tasks = std::fs::read_dir("/proc/self/task").into_iter().flatten().flatten();
    let texts = tasks.filter_map(|task| std::fs::read_to_string(task.path().join("children")).ok());
    let numbers: Vec<Pid> = texts
        .flat_map(|text| {
            let numbers = text.split_whitespace().map(str::parse::<i32>);
            numbers.filter_map(|number| Pid::from_raw(number.ok()?)).collect::<Vec<_>>()
        })
        .collect();
    numbers.into_iter()
}

/// Returns whether an orphan comes from the program that `leader` led.
fn is_of(orphan: Pid, leader: Pid, mark: &Path) -> bool {
    let session = rustix::process::getsid(Some(orphan));
    session.is_ok_and(|session| session == leader)
        || has_variable(orphan, mark.as_os_str().as_bytes())
}

/// Returns whether an orphan comes from any program.
fn is_marked(orphan: Pid) -> bool {
    has_variable(orphan, b"")
}

/// Returns whether a process has the variable `BENCH_TRIAL` with this value, or with any where it is
/// empty.
fn has_variable(process: Pid, value: &[u8]) -> bool {
    let path = format!("/proc/{}/environ", process.as_raw_nonzero());
    let Ok(environment) = std::fs::read(path) else { return false };
    environment.split(|byte| *byte == 0).any(|variable| {
        let found = variable.strip_prefix(b"BENCH_TRIAL=");
        found.is_some_and(|found| value.is_empty() || found == value)
    })
}
