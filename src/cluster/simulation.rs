//! Thousands of workers in one thread: the claims as they are, on a made-up folder and clock.
//!
//! Discrete events. The folder serves so many operations per second, one after the other; workers have
//! different speeds, start late, and die. What is simulated of a worker is its training and its death;
//! every decision is that of [`Claims`](super::Claims).

use std::cell::{Cell, RefCell};
use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use super::random::Draw;
use super::{Claimed, Claims, Clock, Folder, Lanes, Patience, Rule, Step};
use crate::store::StoreError;

/// Time between two signs of life in a journal.
const BEAT: f64 = 60.0;
/// Names that one operation lists.
const NAMES_PER_OPERATION: usize = 256;

/// What is simulated. Times are in seconds.
#[derive(Debug, Clone, PartialEq)]
pub struct Scenario {
    /// Workers.
    pub workers: u32,
    /// Members of the round.
    pub members: u32,
    /// Seconds of the shortest and of the longest member.
    pub seconds: (f64, f64),
    /// Operations that the folder serves per second.
    pub operations_per_second: f64,
    /// Time of one operation on an idle folder.
    pub latency: f64,
    /// Operations per member besides claims: entries of the journal, predictions, flushes.
    pub operations_per_member: f64,
    /// Operations of a worker that joins: manifest, round, its name, its journal.
    pub operations_per_join: f64,
    /// Workers start within so many seconds.
    pub spread: f64,
    /// Share of the workers that starts later by `lateness`.
    pub late: f64,
    /// How much later.
    pub lateness: f64,
    /// Share of the workers that dies, at any time.
    pub dying: f64,
    /// Workers of one node, which dies at nine tenths of the ideal time.
    pub node: u32,
    /// Share of the dead that the engine starts again.
    pub restarted: f64,
    /// How long that takes it.
    pub requeue: f64,
    /// Standard deviation of the logarithm of the workers' speeds.
    pub unevenness: f64,
    /// Lanes of the round; 0 means one per worker.
    pub lanes: u32,
    /// Whether the seconds of members are known when the round is opened.
    pub is_known: bool,
    /// How lanes are cut.
    pub rule: Rule,
    /// How long and how widely workers look.
    pub patience: Patience,
    /// Seed of everything random.
    pub seed: u64,
}

impl Default for Scenario {
    fn default() -> Self {
        Self {
            workers: 10_000,
            members: 1_000_000,
            seconds: (1.0, 60.0),
            operations_per_second: 5000.0,
            latency: 0.0005,
            operations_per_member: 2.0,
            operations_per_join: 8.0,
            spread: 30.0,
            late: 0.0,
            lateness: 1800.0,
            dying: 0.01,
            node: 64,
            restarted: 1.0,
            requeue: 120.0,
            unevenness: 0.15,
            lanes: 0,
            is_known: true,
            rule: Rule::default(),
            patience: Patience::default(),
            seed: 1,
        }
    }
}

/// How it went.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Outcome {
    /// Seconds of all members divided by the speed of all workers.
    pub ideal: f64,
    /// When the last batch was done.
    pub makespan: f64,
    /// When the tables were written; 0 if they were not.
    pub closed: f64,
    /// Batches of the round.
    pub batches: u32,
    /// Batches that were never done.
    pub undone: u32,
    /// Operations on the folder.
    pub operations: f64,
    /// Most operations in one second, averaged over ten.
    pub peak: f64,
    /// Longest time that one operation waited.
    pub longest_wait: f64,
    /// Batches that were claimed once more.
    pub taken_over: u32,
    /// Claims that another was quicker to make.
    pub lost_races: u32,
    /// Share of the work that was done twice.
    pub doubled: f64,
}

impl Outcome {
    /// Returns the makespan as a multiple of the ideal.
    #[must_use]
    pub fn ratio(&self) -> f64 {
        self.makespan / self.ideal
    }
}

/// The made-up folder.
struct Made {
    files: RefCell<HashMap<String, String>>,
    names: RefCell<HashMap<String, Vec<String>>>,
    /// When the writer of a journal died.
    deaths: RefCell<HashMap<String, f64>>,
    per_operation: f64,
    latency: f64,
    now: Cell<f64>,
    /// Time that the operations of the present step took.
    spent: Cell<f64>,
    free_at: Cell<f64>,
    operations: Cell<f64>,
    longest_wait: Cell<f64>,
    lost_races: Cell<u32>,
    per_ten_seconds: RefCell<HashMap<u64, f64>>,
}

impl Made {
    /// Serves so many operations, which queue behind those of all others.
    fn serve(&self, count: f64) {
        let now = self.now.get() + self.spent.get();
        let end = self.free_at.get().max(now) + count * self.per_operation;
        self.free_at.set(end);
        self.operations.set(self.operations.get() + count);
        *self.per_ten_seconds.borrow_mut().entry((now / 10.0) as u64).or_default() += count;
        self.longest_wait.set(self.longest_wait.get().max(end - now));
        self.spent.set(end - self.now.get() + self.latency);
    }
}

impl Folder for Made {
    fn create(&self, path: &str, content: &[u8]) -> Result<bool, StoreError> {
        let (folder, name) = path.rsplit_once('/').unwrap_or(("", path));
        let mut names = self.names.borrow_mut();
        // The folder of a lane is made by whoever claims first in it.
        self.serve(if names.contains_key(folder) { 1.0 } else { 3.0 });
        let mut files = self.files.borrow_mut();
        if files.contains_key(path) {
            self.lost_races.set(self.lost_races.get() + 1);
            return Ok(false);
        }
        files.insert(path.to_owned(), String::from_utf8_lossy(content).into_owned());
        names.entry(folder.to_owned()).or_default().push(name.to_owned());
        Ok(true)
    }

    fn read(&self, path: &str) -> Result<Option<Vec<u8>>, StoreError> {
        self.serve(1.0);
        Ok(self.files.borrow().get(path).map(|text| text.clone().into_bytes()))
    }

    fn list(&self, path: &str) -> Result<Vec<String>, StoreError> {
        let names = self.names.borrow().get(path).cloned().unwrap_or_default();
        self.serve(1.0 + (names.len() / NAMES_PER_OPERATION) as f64);
        Ok(names)
    }

    fn length(&self, path: &str) -> Result<Option<u64>, StoreError> {
        self.serve(1.0);
        let name = path.trim_start_matches("journal/").trim_end_matches(".jsonl");
        let seen = self.now.get().min(self.deaths.borrow().get(name).copied().unwrap_or(f64::MAX));
        Ok(Some((seen / BEAT) as u64))
    }
}

impl Clock for Made {
    fn now(&self) -> Duration {
        Duration::from_secs_f64(self.now.get())
    }
}

enum Phase {
    Join,
    Step,
    Training(Claimed),
    Closing(Claimed),
}

struct Worker {
    claims: Option<Claims>,
    phase: Phase,
    starts: u32,
    speed: f64,
    death: f64,
    inherited: Vec<Claimed>,
    /// Since when it trains.
    since: f64,
}

struct World {
    folder: Made,
    lanes: Arc<Lanes>,
    workers: Vec<Worker>,
    /// When each comes next: microseconds, order, worker.
    next: BinaryHeap<Reverse<(u64, u64, usize)>>,
    order: u64,
    done: HashSet<(u32, u32)>,
    /// Share of a batch that is in journals although its claimant died.
    gone: HashMap<(u32, u32), f64>,
    /// What the scenario says of batches without known seconds.
    seconds: Vec<f32>,
    outcome: Outcome,
}

/// Simulates a round from its first worker to its last.
///
/// # Panics
/// Never: the made-up folder refuses nothing.
#[must_use]
pub fn simulate(scenario: &Scenario) -> Outcome {
    let mut world = World::of(scenario);
    let mut draw = Draw::of(scenario.seed.wrapping_mul(0x9e37_79b9));
    while let Some(Reverse((micros, _, worker))) = world.next.pop() {
        world.advance(scenario, &mut draw, worker, micros as f64 / 1e6);
    }
    world.finish()
}

impl World {
    fn of(scenario: &Scenario) -> Self {
        let mut draw = Draw::of(scenario.seed << 1);
        let (low, high) = scenario.seconds;
        let seconds: Vec<f32> =
            (0..scenario.members).map(|_| (low + (high - low) * draw.share()) as f32).collect();
        let total: f64 = seconds.iter().copied().map(f64::from).sum();
        let count = if scenario.lanes == 0 { scenario.workers } else { scenario.lanes };
        let known = if scenario.is_known { seconds.clone() } else { Vec::new() };
        let members = (0..scenario.members).collect();
        let lanes = Arc::new(Lanes::new(members, known, count, 1, scenario.rule));
        let mut workers = Vec::new();
        let mut starts = Vec::new();
        for _ in 0..scenario.workers {
            let speed = (scenario.unevenness * draw.normal()).exp();
            let late = if draw.share() < scenario.late { scenario.lateness } else { 0.0 };
            starts.push(draw.share() * scenario.spread + late);
            workers.push(Worker {
                claims: None,
                phase: Phase::Join,
                starts: 0,
                speed,
                death: f64::MAX,
                inherited: Vec::new(),
                since: 0.0,
            });
        }
        let ideal = total / workers.iter().map(|worker| worker.speed).sum::<f64>();
        for worker in &mut workers {
            if draw.share() < scenario.dying {
                worker.death = scenario.spread + draw.share() * ideal;
            }
        }
        let first = workers.len() / 2;
        for worker in workers.iter_mut().skip(first).take(scenario.node as usize) {
            worker.death = ideal * 0.9;
        }
        let batches = (0..lanes.count()).map(|lane| lanes.batches(lane)).sum();
        let folder = Made {
            files: RefCell::default(),
            names: RefCell::default(),
            deaths: RefCell::default(),
            per_operation: 1.0 / scenario.operations_per_second,
            latency: scenario.latency,
            now: Cell::new(0.0),
            spent: Cell::new(0.0),
            free_at: Cell::new(0.0),
            operations: Cell::new(0.0),
            longest_wait: Cell::new(0.0),
            lost_races: Cell::new(0),
            per_ten_seconds: RefCell::default(),
        };
        let mut world = Self {
            folder,
            lanes,
            workers,
            next: BinaryHeap::new(),
            order: 0,
            done: HashSet::new(),
            gone: HashMap::new(),
            seconds,
            outcome: Outcome { ideal, batches, ..Outcome::default() },
        };
        for (worker, start) in starts.into_iter().enumerate() {
            world.at(start, worker);
        }
        world
    }

    fn at(&mut self, time: f64, worker: usize) {
        self.order += 1;
        self.next.push(Reverse(((time * 1e6) as u64, self.order, worker)));
    }

    /// Returns what is left of a batch, in seconds of a worker of speed 1.
    fn seconds_of(&self, claimed: Claimed) -> f64 {
        let gone = self.gone.get(&(claimed.lane, claimed.batch)).copied().unwrap_or(0.0);
        let members = self.lanes.members(claimed.lane, claimed.batch);
        let seconds: f64 = members.map(|member| f64::from(self.seconds[member])).sum();
        seconds * (1.0 - gone)
    }

    fn advance(&mut self, scenario: &Scenario, draw: &mut Draw, index: usize, now: f64) {
        self.folder.now.set(now);
        self.folder.spent.set(0.0);
        if now >= self.workers[index].death {
            self.die(scenario, draw, index, now);
            return;
        }
        match std::mem::replace(&mut self.workers[index].phase, Phase::Step) {
            Phase::Join => self.join(scenario, index),
            Phase::Step => {}
            Phase::Training(claimed) => self.trained(scenario, index, claimed),
            Phase::Closing(claimed) => {
                let claims = self.workers[index].claims.as_mut().expect("it has joined");
                claims.done(&self.folder, claimed).expect("nothing is refused");
                self.outcome.closed = now;
            }
        }
        let claims = self.workers[index].claims.as_mut().expect("it has joined");
        let step = claims.step(&self.folder, &self.folder).expect("nothing is refused");
        let now = now + self.folder.spent.get();
        match step {
            Step::Again => self.at(now, index),
            Step::Wait(pause) => self.at(now + pause.as_secs_f64(), index),
            Step::Leave => {}
            Step::Close(claimed) => {
                self.workers[index].phase = Phase::Closing(claimed);
                self.at(now + 1.0, index);
            }
            Step::Train(claimed) => {
                self.outcome.taken_over += u32::from(claimed.attempt > 1);
                let seconds = self.seconds_of(claimed) / self.workers[index].speed;
                let worker = &mut self.workers[index];
                worker.phase = Phase::Training(claimed);
                worker.since = now;
                let end = (now + seconds).min(worker.death.max(now));
                self.at(end, index);
            }
        }
    }

    fn join(&mut self, scenario: &Scenario, index: usize) {
        self.folder.serve(scenario.operations_per_join);
        let worker = &mut self.workers[index];
        worker.starts += 1;
        worker.claims = Some(Claims::new(
            "work/0001".to_owned(),
            Arc::clone(&self.lanes),
            format!("worker-{index}-{}", worker.starts),
            Some(index as u32),
            std::mem::take(&mut worker.inherited),
            scenario.patience,
        ));
    }

    fn trained(&mut self, scenario: &Scenario, index: usize, claimed: Claimed) {
        let members = self.lanes.members(claimed.lane, claimed.batch).count() as f64;
        self.folder.serve(members * scenario.operations_per_member);
        let seconds = self.seconds_of(claimed);
        let claims = self.workers[index].claims.as_mut().expect("it has joined");
        claims.done(&self.folder, claimed).expect("nothing is refused");
        if self.done.insert((claimed.lane, claimed.batch)) {
            self.outcome.makespan = self.folder.now.get() + self.folder.spent.get();
        } else {
            self.outcome.doubled += seconds;
        }
    }

    fn die(&mut self, scenario: &Scenario, draw: &mut Draw, index: usize, now: f64) {
        let worker = &mut self.workers[index];
        worker.death = f64::MAX;
        let name = format!("worker-{index}-{}", worker.starts);
        self.folder.deaths.borrow_mut().insert(name, now);
        worker.claims = None;
        if let Phase::Training(claimed) = std::mem::replace(&mut worker.phase, Phase::Join) {
            let (since, speed) = (worker.since, worker.speed);
            worker.inherited.push(claimed);
            let rest = self.seconds_of(claimed);
            let share = if rest > 0.0 { ((now - since) * speed / rest).min(1.0) } else { 1.0 };
            let gone = self.gone.entry((claimed.lane, claimed.batch)).or_default();
            *gone += (1.0 - *gone) * share;
        }
        if draw.share() < scenario.restarted {
            self.at(now + scenario.requeue, index);
        }
    }

    fn finish(self) -> Outcome {
        let Self { folder, done, mut outcome, seconds, .. } = self;
        let total: f64 = seconds.iter().copied().map(f64::from).sum();
        outcome.undone = outcome.batches - done.len() as u32;
        outcome.operations = folder.operations.get();
        outcome.longest_wait = folder.longest_wait.get();
        outcome.lost_races = folder.lost_races.get();
        outcome.doubled /= total;
        let most = folder.per_ten_seconds.borrow().values().copied().fold(0.0, f64::max);
        outcome.peak = most / 10.0;
        outcome
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn small() -> Scenario {
        let operations_per_second = 500.0;
        Scenario {
            workers: 100,
            members: 10_000,
            node: 8,
            operations_per_second,
            ..Scenario::default()
        }
    }

    #[test]
    fn workers_die_and_everything_is_done_near_the_ideal() {
        let outcome = simulate(&small());
        assert_eq!(outcome.undone, 0, "{outcome:?}");
        let until_closed = outcome.closed - outcome.makespan;
        assert!((0.0..120.0).contains(&until_closed), "{outcome:?}");
        assert!(outcome.ratio() < 1.1, "{outcome:?}");
        assert!(outcome.operations / 10_000.0 < 4.0, "{outcome:?}");
        assert!(outcome.taken_over > 0, "{outcome:?}");
    }

    #[test]
    fn what_nobody_starts_again_is_taken_over_when_its_journal_stands_still() {
        for seed in 1..=8 {
            let dead = Scenario { restarted: 0.0, dying: 0.2, seed, ..small() };
            let scenario = Scenario { workers: 400, members: 40_000, ..dead };
            let outcome = simulate(&scenario);
            assert_eq!(outcome.undone, 0, "{outcome:?}");
            assert!(outcome.closed > 0.0, "{outcome:?}");
        }
    }

    #[test]
    fn late_workers_find_their_lanes_begun_by_others() {
        let outcome = simulate(&Scenario { late: 0.5, lateness: 600.0, ..small() });
        assert_eq!(outcome.undone, 0, "{outcome:?}");
        assert!(outcome.ratio() < 1.4, "{outcome:?}");
    }

    #[test]
    fn a_wrong_number_of_lanes_and_unknown_seconds_cost_little() {
        for (lanes, is_known) in [(13, true), (1000, true), (0, false)] {
            let outcome = simulate(&Scenario { lanes, is_known, ..small() });
            assert_eq!(outcome.undone, 0, "{lanes} {outcome:?}");
            assert!(outcome.ratio() < 1.25, "{lanes} {outcome:?}");
        }
    }

    #[test]
    fn one_worker_alone_does_everything_and_closes() {
        let scenario = Scenario { workers: 1, members: 50, dying: 0.0, node: 0, ..small() };
        let outcome = simulate(&scenario);
        assert_eq!((outcome.undone, outcome.taken_over), (0, 0), "{outcome:?}");
        assert!(outcome.closed > 0.0);
    }
}
