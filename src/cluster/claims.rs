//! Claims: how one worker finds its next batch.
//!
//! A worker takes the lane of its index front to back, alone and without a search. When it is empty, it
//! looks at some lanes at random and takes the first batch that nobody has claimed: batches shrink along
//! a lane, so what is left for the end is small. When it finds none, it leaves, or stays with a chance that makes about as many watchers
//! as are wanted of those whose batches are still in flight. A watcher takes over what its claimant does
//! not go on with.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use super::batch::{Claimed, Patience, Step};
use super::folder::{Clock, Folder};
use super::following::Following;
use super::lanes::Lanes;
use super::listing::Listing;
use super::random::{Random, common_divisor};
use crate::store::StoreError;

/// Time between two looks of a watcher, per operation of a look: all watchers together leave the folder
/// to those who work.
const PAUSE_PER_OPERATION: Duration = Duration::from_millis(500);
/// Lanes per watcher, where that makes fewer watchers than are wanted.
const LANES_PER_WATCHER: u32 = 64;
/// Watchers at least.
const MIN_WATCHERS: u32 = 3;
const MIN_LOOK: Duration = Duration::from_secs(2);
const MAX_LOOK: Duration = Duration::from_mins(1);

enum State {
    /// Takes its own lane front to back; so many claims in a row were lost.
    Own {
        lane: u32,
        next: u32,
        lost: u32,
    },
    /// Finds out where to go on in its own lane.
    ListOwn {
        lane: u32,
    },
    /// Hears which lanes others have seen complete, then looks at the rest.
    HearComplete,
    Search(Sweep),
    Claim(Claimed),
    Judge {
        looked: u32,
    },
    Close,
}

/// A look at several lanes.
struct Sweep {
    start: u32,
    stride: u32,
    /// Lanes passed, those known as complete included.
    passed: u32,
    /// Lanes listed.
    looked: u32,
    width: u32,
    /// Batches of others in flight.
    in_flight: u32,
}

/// The claims of one worker in one round.
pub(crate) struct Claims {
    /// Folder of the round.
    folder: String,
    lanes: Arc<Lanes>,
    /// Name of the journal of this process.
    journal: String,
    patience: Patience,
    random: Random,
    state: State,
    /// What an earlier process with the same name at the engine left unfinished.
    inherited: Vec<Claimed>,
    /// What this process has claimed and not finished.
    holding: BTreeSet<Claimed>,
    complete: Vec<bool>,
    incomplete: u32,
    followed: Following,
    /// Whether it watches those who still work; unknown before the first look that found nothing.
    stays: Option<bool>,
}

impl Claims {
    /// Starts claiming in the round of `folder` for the process of `journal`; `index` says in which lane.
    pub(crate) fn new(
        folder: String,
        lanes: Arc<Lanes>,
        journal: String,
        index: Option<u32>,
        inherited: Vec<Claimed>,
        patience: Patience,
    ) -> Self {
        let mut random = Random::of(&journal);
        let count = lanes.count();
        let lane = index.map_or_else(|| random.below(count), |index| index % count);
        let complete: Vec<bool> = vec![false; count as usize];
        Self {
            folder,
            journal,
            patience,
            random,
            state: State::Own { lane, next: 0, lost: 0 },
            inherited,
            holding: BTreeSet::new(),
            complete,
            incomplete: count,
            followed: Following::default(),
            stays: None,
            lanes,
        }
    }

    /// Does the next step: one operation on the folder, or a few.
    ///
    /// # Errors
    /// If the file system refuses.
    pub(crate) fn step(
        &mut self,
        folder: &dyn Folder,
        clock: &dyn Clock,
    ) -> Result<Step, StoreError> {
        if let Some(before) = self.inherited.pop() {
            if before.lane < self.lanes.count() && !self.is_done(folder, before)? {
                let next = Claimed { attempt: before.attempt + 1, ..before };
                if self.claim(folder, next)? {
                    return Ok(Step::Train(next));
                }
            }
            return Ok(Step::Again);
        }
        match std::mem::replace(&mut self.state, State::Close) {
            State::Own { lane, next, lost } => self.own(folder, lane, next, lost),
            State::ListOwn { lane } => self.list_own(folder, lane),
            State::HearComplete => self.hear_complete(folder),
            State::Search(sweep) => self.search(folder, sweep),
            State::Claim(claimed) => self.steal(folder, claimed),
            State::Judge { looked } => self.judge(folder, clock, looked),
            State::Close => self.close(folder, clock),
        }
    }

    /// Says that all of a batch is in journals, and flushed.
    ///
    /// # Errors
    /// If the file system refuses.
    pub(crate) fn done(&mut self, folder: &dyn Folder, claimed: Claimed) -> Result<(), StoreError> {
        self.holding.remove(&claimed);
        let path = format!("{}/{}.done", self.lane_folder(claimed.lane), claimed.batch);
        folder.create(&path, self.journal.as_bytes())?;
        if self.may_complete(claimed) {
            self.list(folder, claimed.lane)?;
            if self.complete[claimed.lane as usize] {
                self.tell_complete(folder, claimed.lane)?;
            }
        }
        Ok(())
    }

    /// Says that this process does not go on with a batch.
    ///
    /// # Errors
    /// If the file system refuses.
    pub(crate) fn leave(
        &mut self,
        folder: &dyn Folder,
        claimed: Claimed,
    ) -> Result<(), StoreError> {
        self.holding.remove(&claimed);
        let path = format!("{}.left", self.path(claimed));
        folder.create(&path, self.journal.as_bytes()).map(drop)
    }

    /// Returns the journals of those who claimed a batch before.
    ///
    /// # Errors
    /// If the file system refuses.
    pub(crate) fn earlier(
        &self,
        folder: &dyn Folder,
        claimed: Claimed,
    ) -> Result<Vec<String>, StoreError> {
        let mut journals = Vec::new();
        for attempt in 1..claimed.attempt {
            journals.extend(self.claimant(folder, Claimed { attempt, ..claimed })?);
        }
        Ok(journals)
    }

    /// Says whether a lane may be complete now that this batch of it is done.
    fn may_complete(&self, claimed: Claimed) -> bool {
        let Claimed { lane, .. } = claimed;
        let has_more = match self.state {
            State::Own { lane: own, next, .. } => own == lane && next < self.lanes.batches(lane),
            _ => false,
        };
        let is_lane = lane < self.lanes.count();
        is_lane && !has_more && self.holding.iter().all(|held| held.lane != lane)
    }

    fn own(
        &mut self,
        folder: &dyn Folder,
        lane: u32,
        next: u32,
        lost: u32,
    ) -> Result<Step, StoreError> {
        if next >= self.lanes.batches(lane) {
            self.state = self.sweep(self.patience.look);
            return Ok(Step::Again);
        }
        let claimed = Claimed { lane, batch: next, attempt: 1 };
        if self.claim(folder, claimed)? {
            self.state = State::Own { lane, next: next + 1, lost: 0 };
            return Ok(Step::Train(claimed));
        }
        self.state = if lost == 0 {
            State::Own { lane, next: next + 1, lost: 1 }
        } else {
            State::ListOwn { lane }
        };
        Ok(Step::Again)
    }

    fn list_own(&mut self, folder: &dyn Folder, lane: u32) -> Result<Step, StoreError> {
        let listing = self.list(folder, lane)?;
        self.state = match (listing.first_free(), listing.last_open(lane)) {
            (Some(next), _) => State::Own { lane, next, lost: 0 },
            (None, Some(claimed)) => State::Claim(claimed),
            (None, None) => self.sweep(self.patience.look),
        };
        Ok(Step::Again)
    }

    /// Starts to look at so many lanes.
    fn sweep(&mut self, width: u32) -> State {
        let count = self.lanes.count();
        let start = self.random.below(count);
        let mut stride = 1 + self.random.below(count);
        while common_divisor(stride, count) != 1 {
            stride += 1;
        }
        State::Search(Sweep { start, stride, passed: 0, looked: 0, width, in_flight: 0 })
    }

    /// Looks at one lane.
    fn search(&mut self, folder: &dyn Folder, mut sweep: Sweep) -> Result<Step, StoreError> {
        let count = self.lanes.count();
        let Some(lane) = self.next_lane(&mut sweep) else {
            return Ok(self.after(&sweep));
        };
        sweep.looked += 1;
        let listing = self.list(folder, lane)?;
        if listing.is_empty() {
            // Nobody has begun with it: its owner is late or never came.
            self.state = State::Own { lane, next: 0, lost: 0 };
            return Ok(Step::Again);
        }
        if let Some(claimed) = listing.open(lane) {
            self.state = State::Claim(claimed);
            return Ok(Step::Again);
        }
        let of_others = listing.in_flight(lane).filter(|known| !self.holding.contains(known));
        let of_others: Vec<Claimed> = of_others.collect();
        sweep.in_flight += of_others.len() as u32;
        self.followed.only(lane, &of_others);
        if sweep.looked >= sweep.width && sweep.passed < count {
            return Ok(self.after(&sweep));
        }
        self.state = State::Search(sweep);
        Ok(Step::Again)
    }

    fn next_lane(&mut self, sweep: &mut Sweep) -> Option<u32> {
        let count = self.lanes.count();
        while sweep.passed < count {
            let along = u64::from(sweep.passed) * u64::from(sweep.stride);
            let lane = ((u64::from(sweep.start) + along) % u64::from(count)) as u32;
            sweep.passed += 1;
            if self.lanes.batches(lane) == 0 {
                self.set_complete(lane);
            }
            if !self.complete[lane as usize] {
                return Some(lane);
            }
        }
        None
    }

    /// Decides what to do after a look that found nothing to take.
    fn after(&mut self, sweep: &Sweep) -> Step {
        if self.incomplete == 0 {
            self.state = State::Close;
            return Step::Again;
        }
        let has_seen_all = sweep.passed >= self.lanes.count();
        if has_seen_all && sweep.in_flight == 0 {
            // What was open a moment ago is another's now, or all that is open is ours.
            self.state = self.sweep(self.patience.look);
            return if self.holding.is_empty() { Step::Wait(MIN_LOOK) } else { Step::Leave };
        }
        let in_flight = if has_seen_all {
            sweep.in_flight
        } else {
            let share = f64::from(self.incomplete) / f64::from(sweep.looked.max(1));
            (f64::from(sweep.in_flight.max(1)) * share).ceil() as u32
        };
        let most = (self.lanes.count() / LANES_PER_WATCHER).max(MIN_WATCHERS);
        let watchers = self.patience.watchers.min(most);
        let random = &mut self.random;
        if *self.stays.get_or_insert_with(|| random.below(in_flight.max(1)) < watchers) {
            self.state = State::Judge { looked: sweep.looked };
            Step::Again
        } else {
            self.stays = None;
            self.state = self.sweep(self.patience.look);
            Step::Leave
        }
    }

    fn steal(&mut self, folder: &dyn Folder, claimed: Claimed) -> Result<Step, StoreError> {
        let is_ours = self.claim(folder, claimed)?;
        self.state = self.sweep(self.patience.look);
        Ok(if is_ours { Step::Train(claimed) } else { Step::Again })
    }

    /// Takes over what has not grown for the time of the lease, or waits.
    fn judge(
        &mut self,
        folder: &dyn Folder,
        clock: &dyn Clock,
        looked: u32,
    ) -> Result<Step, StoreError> {
        if let Some(claimed) = self.stale(folder, clock)? {
            // Its claimant may have ended in order since its lane was looked at.
            let listing = self.list(folder, claimed.lane)?;
            self.state = if listing.in_flight(claimed.lane).any(|known| known == claimed) {
                State::Claim(Claimed { attempt: claimed.attempt + 1, ..claimed })
            } else {
                State::Judge { looked }
            };
            return Ok(Step::Again);
        }
        self.state = State::HearComplete;
        Ok(Step::Wait(self.pause(looked)))
    }

    /// Returns a batch whose claimant's journal has not grown for the time of the lease.
    fn stale(
        &mut self,
        folder: &dyn Folder,
        clock: &dyn Clock,
    ) -> Result<Option<Claimed>, StoreError> {
        let mut followed = std::mem::take(&mut self.followed);
        let lease = self.patience.lease;
        let stale = followed.stale(folder, clock, lease, |claimed| self.claimant(folder, claimed));
        self.followed = followed;
        stale
    }

    fn close(&mut self, folder: &dyn Folder, clock: &dyn Clock) -> Result<Step, StoreError> {
        let lane = self.lanes.count();
        let listing = self.list(folder, lane)?;
        if listing.done.first() == Some(&true) {
            return Ok(Step::Leave);
        }
        let open = listing.last_open(lane);
        let key = listing.in_flight(lane).next();
        let claimed = match (open, key) {
            (Some(open), _) => Some(open),
            // Another writes the tables: who has been watching watches that, too.
            (None, Some(_)) if self.stays != Some(true) => None,
            (None, Some(key)) => {
                self.followed.only_this(key);
                match self.stale(folder, clock)? {
                    Some(stale) => Some(Claimed { attempt: stale.attempt + 1, ..stale }),
                    None => return Ok(Step::Wait(self.pause(1))),
                }
            }
            (None, None) => None,
        };
        match claimed {
            Some(claimed) if self.claim(folder, claimed)? => Ok(Step::Close(claimed)),
            Some(_) => Ok(Step::Again),
            None => Ok(Step::Leave),
        }
    }

    fn pause(&self, looked: u32) -> Duration {
        let wanted = PAUSE_PER_OPERATION * (looked + self.followed.len() as u32);
        wanted.clamp(MIN_LOOK, MAX_LOOK).min(self.patience.lease / 5)
    }

    fn claim(&mut self, folder: &dyn Folder, claimed: Claimed) -> Result<bool, StoreError> {
        let is_ours = folder.create(&self.path(claimed), self.journal.as_bytes())?;
        if is_ours {
            self.holding.insert(claimed);
        }
        Ok(is_ours)
    }

    /// Returns the journal of a claimant; nothing where it has not said its name yet.
    fn claimant(
        &self,
        folder: &dyn Folder,
        claimed: Claimed,
    ) -> Result<Option<String>, StoreError> {
        let bytes = folder.read(&self.path(claimed))?.unwrap_or_default();
        let name = String::from_utf8_lossy(&bytes).trim().to_owned();
        Ok(crate::base::is_file_name(&name).then_some(name))
    }

    fn is_done(&self, folder: &dyn Folder, claimed: Claimed) -> Result<bool, StoreError> {
        let names = folder.list(&self.lane_folder(claimed.lane))?;
        Ok(names.iter().any(|name| *name == format!("{}.done", claimed.batch)))
    }

    fn list(&mut self, folder: &dyn Folder, lane: u32) -> Result<Listing, StoreError> {
        let is_closing = lane == self.lanes.count();
        let batches = if is_closing { 1 } else { self.lanes.batches(lane) };
        let listing = Listing::of(&folder.list(&self.lane_folder(lane))?, batches);
        if !is_closing && listing.done.iter().all(|done| *done) && self.set_complete(lane) {
            // Those who only pass by would all say it.
            if self.stays == Some(true) {
                self.tell_complete(folder, lane)?;
            }
        }
        Ok(listing)
    }

    /// Tells the watchers that nobody has to look at a lane again.
    fn tell_complete(&self, folder: &dyn Folder, lane: u32) -> Result<(), StoreError> {
        folder.create(&format!("{}/complete/{lane}", self.folder), &[]).map(drop)
    }

    /// Hears which lanes others have seen complete.
    fn hear_complete(&mut self, folder: &dyn Folder) -> Result<Step, StoreError> {
        for name in folder.list(&format!("{}/complete", self.folder))? {
            if let Some(lane) = name.parse().ok().filter(|lane| *lane < self.lanes.count()) {
                self.set_complete(lane);
                self.followed.only(lane, &[]);
            }
        }
        self.state = self.sweep(self.patience.sweep);
        Ok(Step::Again)
    }

    /// Notes that all of a lane is done; says whether that is news.
    fn set_complete(&mut self, lane: u32) -> bool {
        let is_news = !std::mem::replace(&mut self.complete[lane as usize], true);
        self.incomplete -= u32::from(is_news);
        is_news
    }

    fn lane_folder(&self, lane: u32) -> String {
        if lane == self.lanes.count() {
            return format!("{}/close", self.folder);
        }
        format!("{}/{lane}", self.folder)
    }

    fn path(&self, claimed: Claimed) -> String {
        format!("{}/{}.{}", self.lane_folder(claimed.lane), claimed.batch, claimed.attempt)
    }
}
