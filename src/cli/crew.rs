//! Who works on a results folder, how fast, and for how long still: from its journals, and from one
//! question to the engine at most.

use std::path::Path;
use std::time::Duration;

use serde_json::json;

use super::submit::Record;
use crate::cluster::Round;
use crate::report::{counted, duration};
use crate::store::{SharedFolder, Sign, Store};

/// Longest silence of a process that lives: a sign of life comes every minute.
const ALIVE: Duration = Duration::from_secs(150);
/// Workers that are named.
const MAX_NAMED: usize = 8;

/// The processes that write a folder.
pub(super) struct Crew {
    signs: Vec<Sign>,
    round: Option<u32>,
    /// Members per minute of those alive, as far as they are known.
    rate: Option<f64>,
    seconds_left: Option<f64>,
    engine: Option<String>,
}

impl Crew {
    /// Looks at the journals of a folder of which so many members are left.
    pub(super) fn of(store: &Store, members_left: usize) -> Self {
        let folder = store.folder();
        // What cannot be looked at is nobody: this is news, not results.
        let signs = Sign::all(folder).unwrap_or_default();
        let shared = SharedFolder::open(folder).ok();
        let round = shared.and_then(|shared| Round::last(&shared).ok()?.0);
        let alive: Vec<&Sign> = signs.iter().filter(|sign| is_alive(sign)).collect();
        let rate = members_per_minute(store, &alive);
        let seconds_left = match (members_left, rate) {
            (0, _) | (_, None) => None,
            (count, Some(rate)) => Some(count as f64 / rate * 60.0),
        };
        let engine = engine(folder);
        let round = round.map(|round| round.number);
        Self { signs, round, rate, seconds_left, engine }
    }

    /// Returns how many live.
    pub(super) fn alive(&self) -> usize {
        self.signs.iter().filter(|sign| is_alive(sign)).count()
    }

    fn ended(&self) -> usize {
        self.signs.iter().filter(|sign| sign.has_ended).count()
    }

    /// Returns it as a part of a document.
    pub(super) fn json(&self) -> serde_json::Value {
        json!({
            "alive": self.alive(),
            "ended": self.ended(),
            "silent": self.signs.len() - self.alive() - self.ended(),
            "members-per-minute": self.rate,
            "seconds-left": self.seconds_left,
            "round": self.round,
            "engine": self.engine,
        })
    }

    /// Prints it where anybody lives, or an engine has jobs.
    pub(super) fn print(&self) {
        let alive: Vec<&Sign> = self.signs.iter().filter(|sign| is_alive(sign)).collect();
        if alive.is_empty() && self.engine.is_none() {
            return;
        }
        let silent = self.signs.len() - self.alive() - self.ended();
        let silent = if silent > 0 { format!(", {silent} silent") } else { String::new() };
        let round = self.round.map(|round| format!(", round {round}")).unwrap_or_default();
        outln!("  workers alive       {:>8}, {} ended{silent}{round}", alive.len(), self.ended());
        if let Some(rate) = self.rate {
            let left = self.seconds_left.map(|seconds| format!(", {} left", duration(seconds)));
            outln!("  networks per minute {rate:>8.1}{}", left.unwrap_or_default());
        }
        if let Some(engine) = &self.engine {
            outln!("  jobs                {engine}");
        }
        for sign in alive.iter().take(MAX_NAMED) {
            let silence = sign.silence.as_secs();
            outln!("  {} since {}, last sign of life {silence} s ago", sign.journal, sign.started);
        }
        if alive.len() > MAX_NAMED {
            outln!("  … and {}", counted(alive.len() - MAX_NAMED, "more worker"));
        }
    }
}

fn is_alive(sign: &Sign) -> bool {
    !sign.has_ended && !sign.has_died && sign.silence <= ALIVE
}

/// Returns the speed of those alive: their members over the time from the first start to the last entry.
fn members_per_minute(store: &Store, alive: &[&Sign]) -> Option<f64> {
    let names: Vec<String> = alive.iter().map(|sign| sign.journal.clone()).collect();
    if names.is_empty() {
        return None;
    }
    let view = Store::view_of(store.folder(), &names).ok()?;
    let members = view.members().values().filter(|member| member.outcome.is_final()).count();
    let since = alive.iter().filter_map(|sign| crate::store::seconds_since(&sign.started)).max()?;
    (members > 0 && since > 0).then(|| members as f64 / since as f64 * 60.0)
}

/// Asks the engine once for all jobs that were submitted for a folder.
fn engine(folder: &Path) -> Option<String> {
    let records = Record::all(folder);
    let engine = records.last()?.engine;
    let of_it = records.iter().filter(|record| record.engine == engine);
    let jobs: Vec<String> =
        of_it.flat_map(|record| record.jobs.iter().chain(&record.closing).cloned()).collect();
    engine.states(&jobs)
}
