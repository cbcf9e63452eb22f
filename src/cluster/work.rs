//! What one worker is handed of a round: the supply of its run.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::PathBuf;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::batch::{Claimed, Patience, Step};
use super::claims::Claims;
use super::folder::SystemClock;
use super::lanes::Lanes;
use super::round::Round;
use crate::plan::{MemberStanding, Plan, Progress as _};
use crate::runner::{Batch, StopSignal, StoreProgress, Supply};
use crate::store::{SharedFolder, Store, StoreError, Writer};

/// How long a waiting worker sleeps before it looks whether it is to stop.
const NAP: Duration = Duration::from_millis(200);
/// A member is begun where so much more time than its own is left.
const MARGIN: f64 = 1.2;
/// Longest time between two signs of life.
const BEAT: Duration = Duration::from_mins(1);
/// Most processes that an engine starts in place of one.
const MAX_STARTS: u32 = 10_000;

/// When this process is to end.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Deadline {
    /// The moment.
    pub end: Instant,
    /// From the start of the process to there.
    pub whole: Duration,
}

/// Who works.
#[derive(Debug, Clone, Default)]
pub(crate) struct Who {
    /// What the engine calls this process and those it starts in its place.
    pub name: Option<String>,
    /// Its index, from 0.
    pub index: Option<u32>,
    /// When it is to end.
    pub deadline: Option<Deadline>,
}

/// The part of one process in a round.
pub(crate) struct Work<'a> {
    plan: &'a Plan,
    round: &'a Round,
    results: PathBuf,
    folder: SharedFolder,
    lanes: Arc<Lanes>,
    /// Cost of every candidate, in units.
    units: HashMap<usize, u64>,
    who: Who,
    patience: Patience,
    retries: u32,
    clock: SystemClock,
    /// Present from the first question on.
    claims: Mutex<Option<Claims>>,
    state: Mutex<State>,
    /// Wakes who waits for a batch to be done.
    news: Condvar,
}

#[derive(Default)]
struct State {
    /// Unsettled members of every batch that this process holds.
    open: BTreeMap<Claimed, BTreeSet<usize>>,
    closing: Option<Claimed>,
    /// Units and seconds of the members trained here.
    measured: (u64, f64),
    batches: usize,
    members: usize,
}

impl<'a> Work<'a> {
    /// Begins with a round; `order` holds its outstanding members in the order of training with their
    /// costs.
    ///
    /// # Errors
    /// If the results folder cannot be read.
    pub(crate) fn begin(
        plan: &'a Plan,
        round: &'a Round,
        order: &[(usize, u64)],
        results: PathBuf,
        who: Who,
        patience: Patience,
        retries: u32,
    ) -> Result<Self, StoreError> {
        let members = order.iter().map(|(member, _)| *member as u32).collect();
        let seconds = round.seconds_per_unit.map_or_else(Vec::new, |rate| {
            order.iter().map(|(_, units)| (*units.max(&1) as f64 * rate) as f32).collect()
        });
        let lanes = Arc::new(Lanes::new(members, seconds, round.lanes, round.chunk, round.rule()));
        Ok(Self {
            plan,
            round,
            folder: SharedFolder::open(&results)?,
            results,
            lanes,
            units: order.iter().copied().collect(),
            who,
            patience,
            retries,
            clock: SystemClock::start(),
            claims: Mutex::new(None),
            state: Mutex::default(),
            news: Condvar::new(),
        })
    }

    /// Says of every batch that this process still holds that it does not go on with it.
    ///
    /// # Errors
    /// If the shared folder or the disk refuses.
    pub(crate) fn leave(&self, writer: &Writer) -> Result<(), StoreError> {
        let open = std::mem::take(&mut lock(&self.state).open);
        if let Some(claims) = lock(&self.claims).as_mut() {
            for claimed in open.into_keys() {
                claims.leave(&self.folder, claimed)?;
                writer.note_claim(&claimed.to_string(), true)?;
            }
        }
        Ok(())
    }

    /// Returns the claim to the tables of the round, if this process is to write them.
    pub(crate) fn closing(&self) -> Option<Claimed> {
        lock(&self.state).closing
    }

    /// Says that the tables of the round are written.
    ///
    /// # Errors
    /// If the shared folder refuses.
    pub(crate) fn closed(&self, claimed: Claimed) -> Result<(), StoreError> {
        match lock(&self.claims).as_mut() {
            Some(claims) => claims.done(&self.folder, claimed),
            None => Ok(()),
        }
    }

    /// Returns how many batches and members this process was handed.
    pub(crate) fn handed(&self) -> (usize, usize) {
        let state = lock(&self.state);
        (state.batches, state.members)
    }

    /// Gives this process its name in the round, and returns what an earlier process of this name at
    /// the engine has left open: the engine says that it is dead.
    fn introduce(&self, journal: &str) -> Result<Vec<Claimed>, StoreError> {
        let Some(name) = &self.who.name else { return Ok(Vec::new()) };
        let mut inherited = Vec::new();
        for start in 1..MAX_STARTS {
            let path = format!("{}/who/{name}.{start}", self.round.folder());
            if self.folder.create(&path, journal.as_bytes())? {
                break;
            }
            let before = self.folder.read(&path)?.unwrap_or_default();
            let before = String::from_utf8_lossy(&before).into_owned();
            let claims = Store::open_claims(&self.results, &before)?;
            inherited.extend(claims.iter().filter_map(|claim| claim.parse::<Claimed>().ok()));
        }
        Ok(inherited)
    }

    fn step(&self, writer: &Writer) -> Result<Step, StoreError> {
        let mut claims = lock(&self.claims);
        if claims.is_none() {
            let journal = writer.journal_name()?;
            let inherited = self.introduce(&journal)?;
            *claims = Some(Claims::new(
                self.round.folder(),
                Arc::clone(&self.lanes),
                journal,
                self.who.index,
                inherited,
                self.patience,
            ));
        }
        let claims = claims.as_mut().expect("it was set just now");
        claims.step(&self.folder, &self.clock)
    }

    /// Returns the members of a batch that are still to be trained.
    fn taken(&self, writer: &Writer, claimed: Claimed) -> Result<Batch, StoreError> {
        writer.note_claim(&claimed.to_string(), false)?;
        let mut members: Vec<usize> = self.lanes.members(claimed.lane, claimed.batch).collect();
        let mut expected = self.expected(&members);
        if claimed.attempt > 1 {
            let journals = match lock(&self.claims).as_ref() {
                Some(claims) => claims.earlier(&self.folder, claimed)?,
                None => Vec::new(),
            };
            let view = Store::view_of(&self.results, &journals)?;
            writer.find_checkpoints();
            let progress = StoreProgress::new(&view, false).with_retries(self.retries);
            members.retain(|member| {
                let id = self.plan.members[*member].id;
                let is_new = view.members().get(&id).is_none();
                let is_open = progress.member(&id) == MemberStanding::Missing;
                // A record from before the round says nothing of the attempt asked for.
                let again = expected.iter().find(|(known, ..)| *known == id);
                let is_older = again.is_some_and(|again| view.next_attempt(&id) <= again.1);
                is_new || is_open || is_older
            });
            for member in &members {
                let id = self.plan.members[*member].id;
                if view.members().get(&id).is_some() {
                    expected.push((id, view.next_attempt(&id), view.next_repair(&id)));
                }
            }
        }
        let mut state = lock(&self.state);
        state.batches += 1;
        state.members += members.len();
        state.open.insert(claimed, members.iter().copied().collect());
        Ok(Batch { members, expected })
    }

    fn expected(&self, members: &[usize]) -> Vec<(crate::base::MemberId, u32, u32)> {
        let again = self.round.again.iter();
        again
            .filter(|again| members.contains(&(again.0 as usize)))
            .map(|again| (self.plan.members[again.0 as usize].id, again.1, again.2))
            .collect()
    }

    /// Says that all of a batch is in journals, once it is on the disk.
    fn done(&self, writer: &Writer, claimed: Claimed) -> Result<(), StoreError> {
        writer.flush_all()?;
        if let Some(claims) = lock(&self.claims).as_mut() {
            claims.done(&self.folder, claimed)?;
        }
        writer.note_claim(&claimed.to_string(), true)?;
        lock(&self.state).open.remove(&claimed);
        self.news.notify_all();
        Ok(())
    }

    /// Waits, unless there are news.
    fn wait(&self, pause: Duration, stop: &StopSignal) {
        let end = Instant::now() + pause;
        loop {
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() || stop.is_requested() || self.is_over() {
                return;
            }
            let state = lock(&self.state);
            let waited = self.news.wait_timeout(state, left.min(NAP));
            let (_state, timeout) = waited.unwrap_or_else(PoisonError::into_inner);
            if !timeout.timed_out() {
                return;
            }
        }
    }

    fn is_over(&self) -> bool {
        self.who.deadline.is_some_and(|deadline| Instant::now() >= deadline.end)
    }
}

impl Supply for Work<'_> {
    fn candidates(&self) -> Vec<usize> {
        self.round.outstanding()
    }

    fn more(&self, writer: &Writer, stop: &StopSignal) -> Result<Batch, StoreError> {
        loop {
            if stop.is_requested() || self.is_over() || self.closing().is_some() {
                return Ok(Batch::default());
            }
            match self.step(writer)? {
                Step::Again => {}
                Step::Wait(pause) => self.wait(pause, stop),
                Step::Leave => return Ok(Batch::default()),
                Step::Close(claimed) => {
                    lock(&self.state).closing = Some(claimed);
                    return Ok(Batch::default());
                }
                Step::Train(claimed) => {
                    let batch = self.taken(writer, claimed)?;
                    if !batch.members.is_empty() {
                        return Ok(batch);
                    }
                    self.done(writer, claimed)?;
                }
            }
        }
    }

    fn settled(&self, writer: &Writer, member: usize, seconds: f64) -> Result<(), StoreError> {
        let mut state = lock(&self.state);
        state.measured.0 += self.units.get(&member).copied().unwrap_or(0).max(1);
        state.measured.1 += seconds;
        let mut complete = None;
        for (claimed, members) in &mut state.open {
            if members.remove(&member) && members.is_empty() {
                complete = Some(*claimed);
            }
        }
        drop(state);
        complete.map_or(Ok(()), |claimed| self.done(writer, claimed))
    }

    fn has_time_for(&self, member: usize) -> bool {
        let Some(deadline) = self.who.deadline else { return true };
        let left = deadline.end.saturating_duration_since(Instant::now()).as_secs_f64();
        let units = self.units.get(&member).copied().unwrap_or(0).max(1) as f64;
        let (trained, seconds) = lock(&self.state).measured;
        let rate =
            if trained > 0 { Some(seconds / trained as f64) } else { self.round.seconds_per_unit };
        let Some(needed) = rate.map(|rate| units * rate * MARGIN) else { return left > 0.0 };
        // What takes longer than a worker may live is begun all the same, early: the next one goes on
        // from its saved state.
        let is_too_long = needed > deadline.whole.as_secs_f64();
        left >= needed || is_too_long && left > deadline.whole.as_secs_f64() / 2.0
    }

    fn is_awaited(&self) -> bool {
        let state = lock(&self.state);
        !state.open.is_empty() || state.closing.is_some()
    }

    fn beat(&self) -> Duration {
        BEAT.min(self.patience.lease / 5)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
