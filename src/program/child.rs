//! One call of a program: started in a session of its own, listened to, ended with all it started.
//!
//! One thread does it all: it waits for output, for the end of the program, for its time to be over and
//! for the run to be stopped. The program has no terminal and nothing to read, and when it has ended
//! nothing that it started is left, see [`super::family`].

use std::ffi::OsString;
use std::io::{self, Read};
use std::ops::ControlFlow;
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;
use std::process::{ChildStderr, ChildStdin, ChildStdout, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use process_wrap::std::{CommandWrap, ProcessSession};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::process::{Pid, Signal, kill_process_group};

use wait4::ResUse;

use super::cgroup::Group;
use super::family;

/// What is called, and how long it may take.
pub(super) struct Call<'a> {
    /// The program and its arguments.
    pub(super) words: &'a [String],
    /// Every variable it sees.
    pub(super) environment: &'a [(OsString, OsString)],
    /// Where it is called.
    pub(super) folder: &'a Path,
    /// Time after which it is asked to end.
    pub(super) time_limit: Option<Duration>,
    /// Time that it has to end once it was asked to.
    pub(super) grace: Duration,
    /// The value of `BENCH_TRIAL`, by which its children are known.
    pub(super) mark: &'a Path,
    /// Bytes of memory that it may take, with all that it starts.
    pub(super) memory: Option<u64>,
}

/// Hears what a program says.
pub(super) trait Listener {
    /// Hears bytes of standard output; `Break` ends the program.
    fn stdout(&mut self, bytes: &[u8]) -> ControlFlow<()>;
    /// Hears bytes of standard error.
    fn stderr(&mut self, bytes: &[u8]);
    /// Returns whether the run is to stop.
    fn is_stopped(&self) -> bool;
}

/// Why a program was asked to end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Asked {
    /// Its time was over.
    TimedOut,
    /// The run is to stop.
    Stopped,
    /// It wrote too much.
    TooMuch,
}

/// How a program ended.
pub(super) struct Ending {
    pub(super) status: ExitStatus,
    /// Why it was asked to; absent where it ended by itself.
    pub(super) asked: Option<Asked>,
    /// Whether it had to be killed.
    pub(super) is_killed: bool,
    pub(super) seconds: f64,
    /// What it used.
    pub(super) usage: Usage,
    /// Whether it was killed because it took more memory than it may.
    pub(super) has_overrun: bool,
}

/// What a process used, with the children that it waited for.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) struct Usage {
    /// From its start until it was noticed that it had ended.
    pub(super) wall: f64,
    pub(super) user: f64,
    pub(super) system: f64,
    pub(super) peak_mib: f64,
}

/// Time between two looks at what nothing wakes for.
const LOOK: Duration = Duration::from_millis(100);
/// Time that pipes may stay open once everything that is known of a program is gone.
const DRAIN: Duration = Duration::from_secs(1);

/// Starts a program and listens to it until it has ended.
///
/// # Errors
/// If it cannot be started.
pub(super) fn run(call: &Call<'_>, listener: &mut dyn Listener) -> io::Result<Ending> {
    let began = Instant::now();
    let (mut running, _) = Running::start(call, Stdio::null())?;
    let limits = Limits { deadline: call.time_limit.map(|limit| began + limit), grace: call.grace };
    let (asked, is_killed) = running.listen(limits, listener, &mut || false);
    let wall = began.elapsed().as_secs_f64();
    let used = running.end(call.mark, listener)?;
    let seconds = began.elapsed().as_secs_f64();
    let usage = Usage {
        wall,
        user: used.rusage.utime.as_secs_f64(),
        system: used.rusage.stime.as_secs_f64(),
        peak_mib: used.rusage.maxrss as f64 / f64::from(1 << 20),
    };
    let has_overrun = running.has_overrun;
    Ok(Ending { status: used.status, asked, is_killed, seconds, usage, has_overrun })
}

/// Returns a descriptor that can be read once the process has ended, where the system has any.
fn exit_descriptor(pid: Pid) -> Option<OwnedFd> {
    #[cfg(target_os = "linux")]
    {
        rustix::process::pidfd_open(pid, rustix::process::PidfdFlags::empty()).ok()
    }
    #[cfg(not(target_os = "linux"))]
    {
        let _ = pid;
        None
    }
}

/// A process that was started and is not reaped yet.
pub(super) struct Running {
    pid: Pid,
    exit: Option<OwnedFd>,
    stdout: Option<ChildStdout>,
    stderr: Option<ChildStderr>,
    /// What wakes its listener beside what it says.
    pub(super) alarm: Option<OwnedFd>,
    buffer: Vec<u8>,
    /// What holds its memory.
    group: Option<Group>,
    /// Whether it was killed because it took more memory than it may.
    pub(super) has_overrun: bool,
}

/// How long a program may take.
#[derive(Clone, Copy)]
pub(super) struct Limits {
    /// When it is asked to end.
    pub(super) deadline: Option<Instant>,
    /// Time that it has to end once it was asked to.
    pub(super) grace: Duration,
}

/// What there is to hear.
#[derive(Default)]
struct Ready {
    stdout: bool,
    stderr: bool,
    has_ended: bool,
}

impl Running {
    /// Starts a program; returns what it reads where that is a pipe.
    pub(super) fn start(call: &Call<'_>, stdin: Stdio) -> io::Result<(Self, Option<ChildStdin>)> {
        let mut command = Command::new(&call.words[0]);
        command
            .args(&call.words[1..])
            .env_clear()
            .envs(call.environment.iter().map(|(name, value)| (name, value)))
            .current_dir(call.folder)
            .stdin(stdin)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let (mut child, pid) = family::started(|| {
            let mut wrapped = CommandWrap::from(command);
            wrapped.wrap(ProcessSession);
            let child = wrapped.spawn()?;
            let pid = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
            Ok((child, pid.expect("a process has a number")))
        })?;
        let running = Self {
            pid,
            exit: exit_descriptor(pid),
            stdout: child.stdout().take(),
            stderr: child.stderr().take(),
            alarm: None,
            buffer: vec![0; 64 * 1024],
            group: call.memory.and_then(|bytes| Group::of(pid, bytes)),
            has_overrun: false,
        };
        let stdin = child.stdin().take();
        Ok((running, stdin))
    }

    /// Ends what is left of a process that has ended, or is to end now, with all that it started.
    ///
    /// # Errors
    /// If the system does not say how it ended.
    pub(super) fn end(&mut self, mark: &Path, listener: &mut dyn Listener) -> io::Result<ResUse> {
        // As long as the leader is not reaped, nobody else has its number.
        let _ = kill_process_group(self.pid, Signal::KILL);
        family::end(self.pid, mark);
        let used = self.reap();
        self.has_overrun = self.group.take().is_some_and(|group| group.has_overrun());
        self.alarm = None;
        self.drain(listener);
        family::forget(self.pid);
        used
    }

    /// Listens until the process has ended, or `is_done` says so after it said something; says why it was
    /// asked to end and whether it was killed.
    pub(super) fn listen(
        &mut self,
        limits: Limits,
        listener: &mut dyn Listener,
        is_done: &mut dyn FnMut() -> bool,
    ) -> (Option<Asked>, bool) {
        let Limits { deadline, grace } = limits;
        let mut asked = None;
        let mut kill_at = None;
        let mut is_killed = false;
        loop {
            let now = Instant::now();
            let next = [deadline, kill_at].into_iter().flatten().min();
            let wait = next.map_or(LOOK, |next| next.saturating_duration_since(now)).min(LOOK);
            let ready = self.wait(wait);
            let is_too_much = self.hear(&ready, listener).is_break();
            if ready.has_ended || (asked.is_none() && is_done()) {
                return (asked, is_killed);
            }
            let now = Instant::now();
            if asked.is_none() {
                asked = if is_too_much {
                    Some(Asked::TooMuch)
                } else if deadline.is_some_and(|deadline| now >= deadline) {
                    Some(Asked::TimedOut)
                } else {
                    listener.is_stopped().then_some(Asked::Stopped)
                };
                if let Some(reason) = asked {
                    let is_stopped = reason == Asked::Stopped;
                    let signal = if is_stopped { family::farewell() } else { Signal::TERM };
                    let _ = kill_process_group(self.pid, signal);
                    // Whatever stopped itself hears nothing.
                    let _ = kill_process_group(self.pid, Signal::CONT);
                    let grace = if is_too_much { Duration::ZERO } else { grace };
                    kill_at = Some(now + grace);
                }
            }
            if kill_at.is_some_and(|at| now >= at) {
                let _ = kill_process_group(self.pid, Signal::KILL);
                is_killed = true;
                kill_at = None;
            }
        }
    }

    /// Waits until there is something to hear, for so long at most.
    fn wait(&mut self, time: Duration) -> Ready {
        let time = Timespec { tv_sec: time.as_secs() as i64, tv_nsec: time.subsec_nanos().into() };
        let mut polled = Vec::with_capacity(4);
        let streams = [
            self.exit.as_ref().map(AsFd::as_fd),
            self.stdout.as_ref().map(AsFd::as_fd),
            self.stderr.as_ref().map(AsFd::as_fd),
            self.alarm.as_ref().map(AsFd::as_fd),
        ];
        for stream in streams.iter().flatten() {
            polled.push(PollFd::from_borrowed_fd(*stream, PollFlags::IN));
        }
        let count = poll(&mut polled, Some(&time)).unwrap_or(0);
        let mut results = polled.iter().map(|one| !one.revents().is_empty());
        let [exit, stdout, stderr, alarm] =
            streams.map(|stream| stream.is_some() && results.next() == Some(true));
        // Without a descriptor, or with one that says nothing, the process is asked itself.
        if alarm && let Some(stream) = &self.alarm {
            // What it says is that there is something to read elsewhere.
            while rustix::io::read(stream, &mut self.buffer[..]).is_ok_and(|count| count > 0) {}
        }
        let has_ended = exit || (self.exit.is_none() && count == 0 && self.is_over());
        Ready { stdout, stderr, has_ended }
    }

    /// Returns whether the process has ended, without reaping it.
    pub(super) fn is_over(&self) -> bool {
        use rustix::process::{WaitId, WaitIdOptions, waitid};
        let options = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
        !matches!(waitid(WaitId::Pid(self.pid), options), Ok(None))
    }

    fn hear(&mut self, ready: &Ready, listener: &mut dyn Listener) -> ControlFlow<()> {
        let mut flow = ControlFlow::Continue(());
        if ready.stdout
            && let Some(stream) = &mut self.stdout
        {
            match read(stream, &mut self.buffer) {
                Some(bytes) => flow = listener.stdout(bytes),
                None => self.stdout = None,
            }
        }
        if ready.stderr
            && let Some(stream) = &mut self.stderr
        {
            match read(stream, &mut self.buffer) {
                Some(bytes) => listener.stderr(bytes),
                None => self.stderr = None,
            }
        }
        flow
    }

    /// Takes the dead process off the system's list.
    fn reap(&self) -> io::Result<ResUse> {
        loop {
            if let Some(used) =
                wait4::try_wait4_pid(self.pid.as_raw_nonzero().get().cast_unsigned())?
            {
                return Ok(used);
            }
            // It has ended, so this is a matter of its last moments.
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    /// Reads what is left in the pipes.
    fn drain(&mut self, listener: &mut dyn Listener) {
        let until = Instant::now() + DRAIN;
        self.exit = None;
        while self.stdout.is_some() || self.stderr.is_some() {
            let left = until.saturating_duration_since(Instant::now());
            let ready = self.wait(left.min(LOOK));
            if self.hear(&ready, listener).is_break() || left.is_zero() {
                return;
            }
        }
    }
}

/// Returns what a stream holds; nothing once it has ended.
fn read<'b>(stream: &mut impl Read, buffer: &'b mut [u8]) -> Option<&'b [u8]> {
    loop {
        match stream.read(buffer) {
            Ok(0) => return None,
            Ok(count) => return Some(&buffer[..count]),
            Err(error) if error.raw_os_error() == Some(Errno::INTR.raw_os_error()) => {}
            Err(_) => return None,
        }
    }
}
