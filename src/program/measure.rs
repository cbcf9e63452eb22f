//! What calls of programs cost: time and memory, the start of the shell taken off.

use std::collections::{BTreeMap, HashSet};
use std::ops::ControlFlow;
use std::sync::{Mutex, OnceLock, PoisonError};

use super::ProgramEngine;
use super::child::{self, Call, Listener, Usage};
use crate::base::MetricName;
use crate::experiment::settings::Settings;

/// Calls of an empty shell, the median of which is its start.
const SHELLS: usize = 15;

/// What was found out before the first call is measured.
#[derive(Default)]
pub(super) struct Measuring {
    /// Settings that are warm, by their text.
    warm: Mutex<HashSet<String>>,
    /// What the start of a shell costs.
    shell: OnceLock<Usage>,
}

impl ProgramEngine<'_> {
    /// Calls a program so often as it is to be warmed up, if this is the first call with its settings;
    /// returns what the start of its shell costs. Nothing where nothing is measured.
    pub(super) fn warm_up(
        &self,
        settings: &Settings,
        call: &Call<'_>,
        words: &[String],
    ) -> Option<Usage> {
        let measure = self.surroundings.measure?;
        let text = serde_json::to_string(settings).unwrap_or_default();
        let mut warm = self.measuring.warm.lock().unwrap_or_else(PoisonError::into_inner);
        if warm.insert(text) {
            for _ in 0..measure.warm_up {
                // What goes wrong is seen when it is measured.
                let _ = child::run(call, &mut Deaf);
            }
        }
        drop(warm);
        let is_shell = words.len() == 3 && words[0] == "sh" && words[1] == "-c";
        let start = || self.measuring.shell.get_or_init(|| start_of_shell(call));
        Some(if is_shell { *start() } else { Usage::default() })
    }
}

/// Measures what the start of a shell costs that does nothing: medians of several.
fn start_of_shell(call: &Call<'_>) -> Usage {
    let words = ["sh", "-c", ""].map(str::to_owned);
    let call = Call { words: &words, ..*call };
    let run = |_| child::run(&call, &mut Deaf).ok().map(|ending| ending.usage);
    let all: Vec<Usage> = (0..SHELLS).filter_map(run).collect();
    let median = |pick: fn(&Usage) -> f64| {
        let mut values: Vec<f64> = all.iter().map(pick).collect();
        values.sort_by(f64::total_cmp);
        values.get(values.len() / 2).copied().unwrap_or(0.0)
    };
    Usage {
        wall: median(|usage| usage.wall),
        user: median(|usage| usage.user),
        system: median(|usage| usage.system),
        // The memory of a shell is not that of its program on top.
        peak_mib: 0.0,
    }
}

/// Adds what a call used, without the start of its shell.
pub(super) fn add(metrics: &mut BTreeMap<MetricName, f64>, used: &Usage, shell: &Usage) {
    let without = |used: f64, shell: f64| (used - shell).max(0.0);
    metrics.insert(MetricName::WALL_SECONDS, without(used.wall, shell.wall));
    metrics.insert(MetricName::USER_SECONDS, without(used.user, shell.user));
    metrics.insert(MetricName::SYSTEM_SECONDS, without(used.system, shell.system));
    metrics.insert(MetricName::PEAK_MEMORY, used.peak_mib);
}

/// Hears nothing.
pub(super) struct Deaf;

impl Listener for Deaf {
    fn stdout(&mut self, _: &[u8]) -> ControlFlow<()> {
        ControlFlow::Continue(())
    }

    fn stderr(&mut self, _: &[u8]) {}

    fn is_stopped(&self) -> bool {
        false
    }
}
