//! Cores, GPUs and memory of the machine, handed out to programs.
//!
//! Whoever asks first is served first, so a program that needs much is not passed by forever. Each
//! process hands out the whole machine: two runs side by side know nothing of each other.

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::experiment::program::{Resources, shown_bytes};

/// Time between two looks at whether the run is stopped.
const LOOK: Duration = Duration::from_millis(100);

/// What a machine has for programs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Capacity {
    /// Processor cores.
    pub cores: u32,
    /// Names of GPUs, as `CUDA_VISIBLE_DEVICES` has them.
    pub gpus: Vec<String>,
    /// Bytes of memory; absent where the system does not say.
    pub memory: Option<u64>,
}

/// Why a program cannot run on a machine.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`trainer.resources.{key}` is {asked}, and this machine has {present}")]
pub(crate) struct TooMuch {
    key: &'static str,
    asked: String,
    present: String,
}

impl Capacity {
    /// Returns how many programs that need `one` each run at once, at least 1, and the key that allows
    /// no more.
    ///
    /// # Errors
    /// If one alone needs more than there is.
    pub(crate) fn at_once(&self, one: &Resources) -> Result<(usize, &'static str), TooMuch> {
        let gpus = self.gpus.len() as u64;
        let counts = [
            ("cores", u64::from(one.cores), Some(u64::from(self.cores))),
            ("gpus", u64::from(one.gpus.unwrap_or(0)), Some(gpus)),
            ("memory", one.memory.unwrap_or(0), self.memory),
        ];
        let mut least = (u64::MAX, "cores");
        for (key, asked, present) in counts {
            let (Some(present), true) = (present, asked > 0) else { continue };
            if asked > present {
                let shown = |count| match key {
                    "memory" => shown_bytes(count),
                    _ => count.to_string(),
                };
                return Err(TooMuch { key, asked: shown(asked), present: shown(present) });
            }
            if present / asked < least.0 {
                least = (present / asked, key);
            }
        }
        Ok((usize::try_from(least.0).unwrap_or(usize::MAX), least.1))
    }
}

/// What of a machine is free.
#[derive(Clone)]
pub(super) struct Pool(Arc<Shared>);

struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

struct State {
    free: Capacity,
    /// Those that wait, in the order in which they came.
    waiting: VecDeque<u64>,
    last: u64,
}

impl Pool {
    pub(super) fn new(capacity: Capacity) -> Self {
        let state = State { free: capacity, waiting: VecDeque::new(), last: 0 };
        Self(Arc::new(Shared { state: Mutex::new(state), changed: Condvar::new() }))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until `asked` is free and takes it; nothing if the run is stopped before. `make_room` is
    /// called whenever there is not enough, and frees what is held without need.
    pub(super) fn take(
        &self,
        asked: &Resources,
        is_stopped: &dyn Fn() -> bool,
        make_room: &dyn Fn(),
    ) -> Option<Taken> {
        let mut state = self.state();
        state.last += 1;
        let ticket = state.last;
        state.waiting.push_back(ticket);
        loop {
            let is_next = state.waiting.front() == Some(&ticket);
            if is_next && state.free.at_once(asked).is_ok() {
                state.waiting.pop_front();
                let taken = state.take(asked);
                drop(state);
                self.0.changed.notify_all();
                return Some(Taken { pool: self.clone(), resources: *asked, gpus: taken });
            }
            drop(state);
            if is_stopped() {
                self.state().waiting.retain(|one| *one != ticket);
                self.0.changed.notify_all();
                return None;
            }
            if is_next {
                make_room();
            }
            let again = self.state();
            let is_there =
                again.waiting.front() == Some(&ticket) && again.free.at_once(asked).is_ok();
            state = if is_there {
                again
            } else {
                let waited = self.0.changed.wait_timeout(again, LOOK);
                waited.unwrap_or_else(PoisonError::into_inner).0
            };
        }
    }
}

impl State {
    /// Takes what is free, and returns the names of the GPUs.
    fn take(&mut self, asked: &Resources) -> Vec<String> {
        self.free.cores -= asked.cores;
        if let (Some(free), Some(bytes)) = (&mut self.free.memory, asked.memory) {
            *free -= bytes;
        }
        self.free.gpus.drain(..asked.gpus.unwrap_or(0) as usize).collect()
    }
}

/// What a program has, until it is dropped.
pub(super) struct Taken {
    pool: Pool,
    resources: Resources,
    gpus: Vec<String>,
}

impl Taken {
    /// Returns the value of `CUDA_VISIBLE_DEVICES`, where the program is told of GPUs.
    pub(super) fn visible_gpus(&self) -> Option<String> {
        self.resources.gpus.map(|_| self.gpus.join(","))
    }
}

impl Drop for Taken {
    fn drop(&mut self) {
        let mut state = self.pool.state();
        state.free.cores += self.resources.cores;
        if let (Some(free), Some(bytes)) = (&mut state.free.memory, self.resources.memory) {
            *free += bytes;
        }
        state.free.gpus.append(&mut self.gpus);
        drop(state);
        self.pool.0.changed.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    fn machine() -> Capacity {
        let gpus = ["0", "1", "GPU-x"].map(str::to_owned).to_vec();
        Capacity { cores: 8, gpus, memory: Some(10 << 30) }
    }

    fn of(cores: u32, gpus: Option<u32>, memory: Option<u64>) -> Resources {
        Resources { cores, gpus, memory }
    }

    #[test]
    fn as_many_run_at_once_as_the_scarcest_resource_allows() {
        assert_eq!(machine().at_once(&of(3, None, None)), Ok((2, "cores")));
        assert_eq!(machine().at_once(&of(1, Some(1), None)), Ok((3, "gpus")));
        assert_eq!(machine().at_once(&of(1, Some(0), Some(2 << 30))), Ok((5, "memory")));
        let unknown = Capacity { memory: None, ..machine() };
        assert_eq!(unknown.at_once(&of(1, None, Some(99 << 40))), Ok((8, "cores")));
    }

    #[test]
    fn what_one_program_needs_beyond_the_machine_is_named() {
        let said = |one| machine().at_once(&one).unwrap_err().to_string();
        assert!(said(of(9, None, None)).contains("`trainer.resources.cores` is 9"));
        assert!(said(of(1, Some(4), None)).contains("`trainer.resources.gpus` is 4"));
        assert_eq!(
            said(of(1, None, Some(11 << 30))),
            "`trainer.resources.memory` is 11 GiB, and this machine has 10 GiB"
        );
    }

    #[test]
    fn a_gpu_is_never_two_programs_and_comes_back() {
        let pool = Pool::new(machine());
        let take = |gpus| pool.take(&of(1, Some(gpus), None), &|| false, &|| {}).unwrap();
        let (two, one) = (take(2), take(1));
        assert_eq!(two.visible_gpus().as_deref(), Some("0,1"));
        assert_eq!(one.visible_gpus().as_deref(), Some("GPU-x"));
        drop(two);
        assert_eq!(take(1).visible_gpus().as_deref(), Some("0"));
    }

    #[test]
    fn who_waits_for_too_much_leaves_when_the_run_is_stopped() {
        let pool = Pool::new(machine());
        let all = pool.take(&of(8, None, None), &|| false, &|| {}).unwrap();
        let looks = Cell::new(0);
        let is_stopped = || looks.replace(looks.get() + 1) > 0;
        assert!(pool.take(&of(1, None, None), &is_stopped, &|| {}).is_none());
        drop(all);
        assert!(pool.take(&of(1, None, None), &|| false, &|| {}).is_some());
    }

    #[test]
    fn what_is_held_without_need_is_given_to_who_waits() {
        let pool = Pool::new(machine());
        let idle = Cell::new(pool.take(&of(8, None, None), &|| false, &|| {}));
        let found = pool.take(&of(2, None, None), &|| false, &|| drop(idle.take()));
        assert!(found.is_some() && found.unwrap().visible_gpus().is_none());
    }
}
