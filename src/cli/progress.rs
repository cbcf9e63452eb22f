//! What a person sees while a run goes on: a bar and the best cell on a terminal, plain lines
//! elsewhere, JSON events for scripts.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::patience::{self, Until};
use super::terminal::Terminal;
use crate::base::text::harmless;
use crate::base::{MemberId, Metric, MetricName, format};
use crate::record::Outcome;
use crate::report::{duration, grouped, whole};
use crate::runner::Event;

/// Shortest time between two plain lines.
const BETWEEN_LINES: Duration = Duration::from_secs(10);

/// What is done before anything is trained.
const READING: &str = "reading images and inputs";

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
    /// Nowhere: who asked counts what failed.
    Nothing,
    /// One JSON object an event on standard output.
    Json,
}

impl Channel {
    /// Returns where progress goes that nobody asked to have as JSON.
    pub(super) fn watched(is_quiet: bool, terminal: Terminal) -> Self {
        match is_quiet {
            true => Self::Failures,
            false if terminal.is_watched => Self::Bar,
            false => Self::Lines,
        }
    }
}

/// Narrowest bar, with the percentage and the time behind it.
const MIN_BAR: usize = 4 + 7 + 4;

/// Shows the events of one run.
pub(super) struct Progress<'a> {
    channel: Channel,
    bar: ProgressBar,
    metric: Metric,
    /// Returns the short name of a cell of the plan.
    label: &'a (dyn Fn(usize) -> String + Sync),
    /// Columns of the terminal.
    width: usize,
    began: Instant,
    state: Arc<Mutex<State>>,
    /// Says how far it is where nothing happens.
    word: Mutex<Option<Until>>,
}

#[derive(Default)]
struct State {
    workers: usize,
    trials: usize,
    trials_reused: usize,
    trials_done: usize,
    /// Trials that ended without a value.
    trials_lost: usize,
    images: u64,
    images_settled: u64,
    images_trained: u64,
    in_flight: BTreeMap<MemberId, u64>,
    cells: BTreeMap<usize, Sample>,
    /// The cell that leads, with its short name.
    leader: Option<(usize, String)>,
    last_line: Option<Instant>,
    /// Whether the line that names the format was written.
    has_begun: bool,
    /// Stored files that cannot be used any more.
    losses: usize,
    /// Why the last member that failed did.
    last_reason: String,
}

/// What the completed trials of a cell gave in this run (Welford's running sums).
#[derive(Debug, Clone, Copy, Default)]
struct Sample {
    n: usize,
    mean: f64,
    squares: f64,
}

impl Sample {
    fn add(&mut self, value: f64) {
        let before = value - self.mean;
        self.n += 1;
        self.mean += before / self.n as f64;
        self.squares += before * (value - self.mean);
    }

    /// Returns the standard deviation (n − 1); nothing for one value.
    fn sd(&self) -> Option<f64> {
        (self.n > 1).then(|| (self.squares / (self.n - 1) as f64).sqrt())
    }
}

impl<'a> Progress<'a> {
    /// Starts showing; `metric` ranks the cells, and `label` gives their short names.
    pub(super) fn new(
        channel: Channel,
        metric: Metric,
        terminal: Terminal,
        label: &'a (dyn Fn(usize) -> String + Sync),
    ) -> Self {
        let target = match channel {
            Channel::Bar => ProgressDrawTarget::stderr_with_hz(8),
            _ => ProgressDrawTarget::hidden(),
        };
        let bar = ProgressBar::with_draw_target(Some(0), target);
        let style =
            ProgressStyle::with_template("{wide_bar} {percent:>3} % {elapsed:>3}{msg}\n{prefix}")
                .expect("the template is sound")
                .progress_chars("━╸─");
        bar.set_style(style);
        let seen = console::Term::stderr().size_checked().map(|(_, columns)| usize::from(columns));
        let width = seen.unwrap_or(terminal.width);
        let (began, state) = (Instant::now(), Arc::<Mutex<State>>::default());
        let seen = Arc::clone(&state);
        let word = patience::told_by(move || {
            let state = seen.lock().unwrap_or_else(PoisonError::into_inner);
            // A bar is a word of its own as soon as it is there.
            let is_shown = matches!(channel, Channel::Bar) && state.trials > 0;
            (!is_shown).then(|| state.line(began.elapsed().as_secs_f64()))
        });
        let word = Mutex::new(Some(word));
        Self { channel, bar, metric, label, width, began, state, word }
    }

    /// Shows one event.
    pub(super) fn tell(&self, event: &Event<'_>) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.learn(event, &self.metric.name);
        if matches!(self.channel, Channel::Nothing) {
            return;
        }
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
            Channel::Bar => self.draw(&mut state, event),
            Channel::Lines => self.write_line(&mut state, event),
            Channel::Failures | Channel::Json | Channel::Nothing => {}
        }
        drop::<MutexGuard<'_, State>>(state);
        if matches!(event, Event::Ended { .. }) {
            self.finish();
        }
    }

    /// Takes the bar away.
    pub(super) fn finish(&self) {
        self.bar.finish_and_clear();
        drop(self.word.lock().unwrap_or_else(PoisonError::into_inner).take());
    }

    fn complain(&self, state: &mut State, event: &Event<'_>) {
        match event {
            Event::MemberFinished { member, outcome, reason, .. }
                if !outcome.is_final() && *outcome != Outcome::Interrupted =>
            {
                let reason = state.reason(reason.unwrap_or("no reason given"));
                self.say(&format!("warning: member {member} {}: {reason}", outcome.name()));
            }
            Event::MemberFailed { member, reason } => {
                let reason = state.reason(reason);
                self.say(&format!(
                    "warning: member {member} failed and is tried again after the others: {reason}"
                ));
            }
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

    fn draw(&self, state: &mut State, event: &Event<'_>) {
        if let Event::Started { images, .. } = event {
            self.bar.set_length((*images).max(1));
            self.bar.enable_steady_tick(Duration::from_millis(500));
        }
        let parts = state.parts(self.began.elapsed().as_secs_f64());
        self.bar.set_position(state.images_seen());
        self.bar.set_message(fitting(&parts, self.width.saturating_sub(MIN_BAR)));
        let best = harmless(&self.best(state), false);
        self.bar.set_prefix(shortened(&best, self.width.saturating_sub(1)));
    }

    fn write_line(&self, state: &mut State, event: &Event<'_>) {
        let due = state.last_line.is_none_or(|last| last.elapsed() >= BETWEEN_LINES);
        let milestone = matches!(event, Event::Started { .. });
        if (due && matches!(event, Event::MemberFinished { .. } | Event::Epoch { .. })) || milestone
        {
            state.last_line = Some(Instant::now());
            say!("{}", state.line(self.began.elapsed().as_secs_f64()));
            if !milestone {
                say!("  {}", self.best(state));
            }
        }
    }

    /// Names the cell that leads, with its mean so far.
    fn best(&self, state: &mut State) -> String {
        let Some((cell, sample)) = state.best(&self.metric) else {
            return "no trial is complete yet".to_owned();
        };
        if state.leader.as_ref().is_none_or(|(leader, _)| *leader != cell) {
            state.leader = Some((cell, (self.label)(cell)));
        }
        let name = state.leader.as_ref().map_or("", |(_, name)| name.as_str());
        let unit = &self.metric.unit;
        let decimals = unit.decimals().0.max(2);
        let value = |value: f64| grouped(value * unit.factor(), decimals);
        let spread = sample.sd().map_or(String::new(), |sd| format!(" ± {}", value(sd)));
        let of_this_run = if state.trials_reused > 0 { "in this run" } else { "so far" };
        format!(
            "best {of_this_run} {}{spread}{} (n = {}){}{name}",
            value(sample.mean),
            unit.of_values(),
            sample.n,
            if name.is_empty() { "" } else { " at " },
        )
    }
}

/// A piece of the line beside the bar.
struct Part {
    text: String,
    /// The larger, the sooner it is left out where the line is too long; 0 for never.
    rank: u8,
}

/// Joins the parts that fit into `width` columns, in their order; those that matter least are left
/// out first.
fn fitting(parts: &[Part], width: usize) -> String {
    let mut least = u8::MAX;
    loop {
        let left: Vec<&str> =
            parts.iter().filter(|part| part.rank <= least).map(|part| part.text.as_str()).collect();
        let text = left.concat();
        if text.chars().count() <= width || least == 0 {
            return text;
        }
        let ranks = parts.iter().map(|part| part.rank).filter(|rank| *rank <= least);
        least = ranks.max().unwrap_or(1).saturating_sub(1);
    }
}

/// Cuts a text that is longer than `width` characters.
fn shortened(text: &str, width: usize) -> String {
    if text.chars().count() <= width {
        return text.to_owned();
    }
    text.chars().take(width.saturating_sub(1)).chain(['…']).collect()
}

impl State {
    fn learn(&mut self, event: &Event<'_>, metric: &MetricName) {
        match event {
            Event::Started { trials, trials_reused, images, workers, .. } => {
                self.workers = *workers;
                self.trials = *trials;
                self.trials_reused = *trials_reused;
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
            }
            Event::TrialFinished { cell, record, .. } => {
                self.trials_done += 1;
                self.trials_lost += usize::from(record.outcome.is_lost());
                if let Some(value) = record.metrics.get(metric) {
                    self.cells.entry(*cell).or_default().add(*value);
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

    /// Returns a reason, in short where the last one was the same.
    fn reason(&mut self, reason: &str) -> String {
        if self.last_reason == reason {
            return "the same reason".to_owned();
        }
        reason.clone_into(&mut self.last_reason);
        reason.to_owned()
    }

    fn images_seen(&self) -> u64 {
        (self.images_settled + self.in_flight.values().sum::<u64>()).min(self.images)
    }

    /// Returns how far it is after `elapsed` seconds, in one line.
    fn line(&self, elapsed: f64) -> String {
        if self.trials == 0 {
            return format!("still {READING} after {}", duration(elapsed));
        }
        let parts = self.parts(elapsed).map(|part| part.text).join("");
        let percent = 100 * self.images_seen() / self.images.max(1);
        format!("after {}: {percent} %{parts}", duration(elapsed))
    }

    /// Returns what stands beside the bar after `elapsed` seconds.
    fn parts(&self, elapsed: f64) -> [Part; 5] {
        let part = |rank, text: String| Part {
            text: if text.is_empty() { text } else { format!("  {text}") },
            rank,
        };
        let seen = self.images_seen();
        let trained = self.images_trained + self.in_flight.values().sum::<u64>();
        let (mut rate, mut left) = (String::new(), String::new());
        if trained > 0 && elapsed > 0.5 {
            rate = format!("{} images/s", grouped(trained as f64 / elapsed, 0));
            let seconds = self.images.saturating_sub(seen) as f64 * elapsed / seen.max(1) as f64;
            left = format!("{} left", duration(seconds));
        }
        let lost = match self.trials_lost {
            0 => String::new(),
            lost => format!("{} failed", whole(lost)),
        };
        let plural = if self.workers == 1 { "" } else { "s" };
        [
            part(0, format!("{}/{} trials", whole(self.trials_done), whole(self.trials))),
            part(1, lost),
            part(4, format!("{} worker{plural}", self.workers)),
            part(3, rate),
            part(2, left),
        ]
    }

    /// Returns the cell that leads, with what it gave.
    fn best(&self, metric: &Metric) -> Option<(usize, Sample)> {
        let sign = metric.sign();
        let cells = self.cells.iter().map(|(cell, sample)| (*cell, *sample));
        cells.max_by(|a, b| (sign * a.1.mean).total_cmp(&(sign * b.1.mean)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A run of 450 trials that is half through after a minute.
    fn state(lost: usize) -> State {
        State {
            workers: 16,
            trials: 4_500,
            trials_done: 2_250,
            trials_lost: lost,
            images: 20_000_000,
            images_settled: 10_000_000,
            images_trained: 10_000_000,
            ..State::default()
        }
    }

    #[test]
    fn a_line_keeps_what_matters_most_where_it_is_narrow() {
        let at = |width: usize, lost| fitting(&state(lost).parts(60.0), width - MIN_BAR);
        let whole = "  2,250/4,500 trials  12 failed  16 workers  166,667 images/s  1 m 0 s left";
        assert_eq!(at(100, 12), whole);
        assert_eq!(at(80, 12), "  2,250/4,500 trials  12 failed  166,667 images/s  1 m 0 s left");
        assert_eq!(at(60, 12), "  2,250/4,500 trials  12 failed  1 m 0 s left");
        assert_eq!(at(80, 0), "  2,250/4,500 trials  16 workers  166,667 images/s  1 m 0 s left");
        assert_eq!(at(20, 12), "  2,250/4,500 trials");
    }

    #[test]
    fn the_best_cell_is_told_with_its_spread_and_its_short_name() {
        let label = |cell: usize| format!("shift={cell}");
        let terminal = Terminal { color: false, width: 80, is_shown: false, is_watched: false };
        let [metric, ..] = &Metric::of_classifiers()[..] else { panic!("a metric") };
        let progress = Progress::new(Channel::Failures, metric.clone(), terminal, &label);
        let mut state = state(0);
        assert_eq!(progress.best(&mut state), "no trial is complete yet");
        let mut add = |cell, values: &[f64]| {
            let sample = state.cells.entry(cell).or_default();
            for value in values {
                sample.add(*value);
            }
        };
        add(3, &[0.97, 0.99]);
        add(4, &[0.975]);
        // Their SD is √(2 · 0.01²) = 0.014142….
        assert_eq!(progress.best(&mut state), "best so far 98.00 ± 1.41 % (n = 2) at shift=3");
        state.cells.entry(4).or_default().add(0.995);
        state.trials_reused = 1;
        assert_eq!(progress.best(&mut state), "best in this run 98.50 ± 1.41 % (n = 2) at shift=4");
        assert_eq!(shortened("best so far", 6), "best …");
    }
}
