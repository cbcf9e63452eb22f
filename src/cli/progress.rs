//! What a person sees while a run goes on: a bar on a terminal, plain lines elsewhere, JSON events
//! for scripts.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::terminal::Terminal;
use crate::base::{MemberId, Metric, MetricName, format};
use crate::record::Outcome;
use crate::report::duration;
use crate::runner::Event;

/// Shortest time between two plain lines.
const BETWEEN_LINES: Duration = Duration::from_secs(10);

/// Most losses that are told one by one.
const MAX_LOSSES: usize = 10;

/// Where progress goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Channel {
    /// A bar on standard error.
    Bar,
    /// Lines on standard error.
    Lines,
    /// Nothing but failures on standard error.
    Failures,
    /// One JSON object an event on standard output.
    Json,
}

/// Shows the events of one run.
pub(super) struct Progress {
    channel: Channel,
    bar: ProgressBar,
    metric: Metric,
    began: Instant,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    members: usize,
    members_done: usize,
    trials: usize,
    trials_done: usize,
    images: u64,
    images_settled: u64,
    images_trained: u64,
    in_flight: BTreeMap<MemberId, u64>,
    cells: BTreeMap<usize, (String, f64, usize)>,
    last_line: Option<Instant>,
    /// Whether the line that names the format was written.
    has_begun: bool,
    /// Stored files that cannot be used any more.
    losses: usize,
}

impl Progress {
    /// Starts showing; `metric` ranks the cells.
    pub(super) fn new(channel: Channel, metric: Metric, terminal: Terminal) -> Self {
        let target = match channel {
            Channel::Bar => ProgressDrawTarget::stderr_with_hz(8),
            _ => ProgressDrawTarget::hidden(),
        };
        let bar = ProgressBar::with_draw_target(Some(0), target);
        let width = terminal.width.saturating_sub(1).clamp(10, 40) / 2;
        let style =
            ProgressStyle::with_template(&format!("{{bar:{width}}} {{percent:>3}} % {{msg}}"))
                .expect("the template is sound")
                .progress_chars("━╸─");
        bar.set_style(style);
        Self { channel, bar, metric, began: Instant::now(), state: Mutex::default() }
    }

    /// Shows one event.
    pub(super) fn tell(&self, event: &Event<'_>) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.learn(event, &self.metric.name);
        if matches!(self.channel, Channel::Json) {
            let line = if std::mem::replace(&mut state.has_begun, true) {
                serde_json::to_string(event)
            } else {
                serde_json::to_string(&format::EVENTS.of(event))
            };
            outln!("{}", line.expect("events serialise"));
        } else {
            self.complain(&mut state, event);
        }
        match self.channel {
            Channel::Bar => self.draw(&state, event),
            Channel::Lines => self.write_line(&mut state, event),
            Channel::Failures | Channel::Json => {}
        }
        drop::<MutexGuard<'_, State>>(state);
    }

    /// Takes the bar away.
    pub(super) fn finish(&self) {
        self.bar.finish_and_clear();
    }

    fn complain(&self, state: &mut State, event: &Event<'_>) {
        match event {
            Event::MemberFinished { member, outcome, reason, .. }
                if !outcome.is_final() && *outcome != Outcome::Interrupted =>
            {
                let reason = reason.unwrap_or("no reason given");
                self.say(&format!("warning: member {member} {}: {reason}", outcome.name()));
            }
            Event::MemberFailed { member, reason } => self.say(&format!(
                "warning: member {member} failed and is tried again after the others: {reason}"
            )),
            Event::PredictionsLost { member, reason } => {
                self.complain_of_loss(state, *member, "predictions", reason);
            }
            Event::WeightsLost { member, reason } => {
                self.complain_of_loss(state, *member, "weights", reason);
            }
            Event::Started { .. } if state.losses > MAX_LOSSES => self.say(&format!(
                "warning: so are {} other losses of stored predictions or weights",
                state.losses - MAX_LOSSES
            )),
            _ => {}
        }
    }

    /// Says that stored files of a member cannot be used, as far as a person reads.
    fn complain_of_loss(&self, state: &mut State, member: MemberId, what: &str, reason: &str) {
        state.losses += 1;
        if state.losses <= MAX_LOSSES {
            self.say(&format!(
                "warning: member {member} is trained again, its {what} are gone: {reason}"
            ));
        }
    }

    fn say(&self, line: &str) {
        self.bar.suspend(|| say!("{line}"));
    }

    fn draw(&self, state: &State, event: &Event<'_>) {
        if let Event::Started { images, .. } = event {
            self.bar.set_length((*images).max(1));
            self.bar.enable_steady_tick(Duration::from_millis(500));
        }
        self.bar.set_position(state.images_seen());
        self.bar.set_message(self.sentence(state));
    }

    fn write_line(&self, state: &mut State, event: &Event<'_>) {
        let due = state.last_line.is_none_or(|last| last.elapsed() >= BETWEEN_LINES);
        let milestone = matches!(event, Event::Started { .. });
        if (due && matches!(event, Event::MemberFinished { .. } | Event::Epoch { .. })) || milestone
        {
            state.last_line = Some(Instant::now());
            say!("{}", self.sentence(state));
        }
    }

    fn sentence(&self, state: &State) -> String {
        let elapsed = self.began.elapsed().as_secs_f64();
        let mut parts = vec![
            format!("{}/{} members", state.members_done, state.members),
            format!("{}/{} trials", state.trials_done, state.trials),
        ];
        let seen = state.images_seen();
        let trained = state.images_trained + state.in_flight.values().sum::<u64>();
        if trained > 0 && elapsed > 0.5 {
            parts.push(format!("{:.0} images/s", trained as f64 / elapsed));
            let left = state.images.saturating_sub(seen) as f64 * elapsed / seen.max(1) as f64;
            parts.push(format!("{} left", duration(left)));
        }
        if let Some((name, mean, n)) = state.best(&self.metric) {
            let unit = &self.metric.unit;
            let decimals = unit.decimals().0.max(2);
            let value = format!("{:.decimals$}{}", mean * unit.factor(), unit.of_values());
            parts.push(format!("leads so far: {name} ({value}, n = {n})"));
        }
        parts.join("  ")
    }
}

impl State {
    fn learn(&mut self, event: &Event<'_>, metric: &MetricName) {
        match event {
            Event::Started { members, trials, trials_reused, images, .. } => {
                self.members = *members;
                self.trials = *trials;
                self.trials_done = *trials_reused;
                self.images = *images;
            }
            Event::Epoch { member, images, .. } => {
                *self.in_flight.entry(*member).or_default() += *images as u64;
            }
            Event::MemberFinished { member, images, images_planned, .. } => {
                self.in_flight.remove(member);
                self.images_trained += images;
                self.images_settled += images_planned;
                self.members_done += 1;
            }
            Event::TrialFinished { cell, name, record } => {
                self.trials_done += 1;
                if let Some(value) = record.metrics.get(metric) {
                    let entry =
                        self.cells.entry(*cell).or_insert_with(|| ((*name).to_owned(), 0.0, 0));
                    entry.1 += value;
                    entry.2 += 1;
                }
            }
            Event::MemberFailed { member, .. } => {
                self.in_flight.remove(member);
            }
            Event::PredictionsLost { .. }
            | Event::WeightsLost { .. }
            | Event::MemberStarted { .. }
            | Event::Ended { .. } => {}
        }
    }

    fn images_seen(&self) -> u64 {
        (self.images_settled + self.in_flight.values().sum::<u64>()).min(self.images)
    }

    /// Returns name, mean and number of trials of the cell that leads.
    fn best(&self, metric: &Metric) -> Option<(&str, f64, usize)> {
        let means = self.cells.values().map(|(name, sum, n)| (name.as_str(), sum / *n as f64, *n));
        let sign = metric.sign();
        means.max_by(|a, b| (sign * a.1).total_cmp(&(sign * b.1)))
    }
}
