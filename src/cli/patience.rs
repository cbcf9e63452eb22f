//! A word on standard error where a command has been silent for ten seconds, then for twice as long each
//! time: a person who waits is told for what.
//!
//! Whatever is printed counts as a word (`streams` says so). Commands say what they are at; one that
//! draws a bar, or was asked to be quiet, has nothing said for it. Decides nothing.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::run::STOP;
use crate::report::duration;

/// Silence before the first word.
const FIRST: Duration = Duration::from_secs(10);
/// Longest silence.
const LONGEST: Duration = Duration::from_mins(10);
/// Time between two looks.
const LOOK: Duration = Duration::from_secs(1);

/// Returns what is to be said, if anything.
type Word = Box<dyn Fn() -> Option<String> + Send>;

/// What a command is at.
enum At {
    /// Something with a name, since a moment.
    Work(&'static str, Instant),
    /// Something that says itself how far it is.
    Own(Word),
    /// Something that nothing is to be said about, nor about what it does in turn.
    Mute,
}

/// When the last word was, and when the next is due.
#[derive(Clone, Copy)]
struct Silence {
    since: Instant,
    pause: Duration,
}

impl Silence {
    /// Begins anew: something was printed.
    fn broken(now: Instant) -> Self {
        Self { since: now, pause: FIRST }
    }

    /// Returns whether a word is due, after which the next takes twice as long.
    fn is_over(&mut self, now: Instant) -> bool {
        let is_over = now.saturating_duration_since(self.since) >= self.pause;
        if is_over {
            *self = Self { since: now, pause: (self.pause * 2).min(LONGEST) };
        }
        is_over
    }
}

static SILENCE: Mutex<Option<Silence>> = Mutex::new(None);
static AT: Mutex<At> = Mutex::new(At::Mute);

/// Begins to look, for as long as the process lives.
pub(super) fn watch() {
    let now = Instant::now();
    *lock(&SILENCE) = Some(Silence::broken(now));
    *lock(&AT) = At::Work("working", now);
    let look = || {
        loop {
            std::thread::sleep(LOOK);
            let is_over = lock(&SILENCE).as_mut().is_some_and(|one| one.is_over(Instant::now()));
            if is_over {
                let word = word(&lock(&AT), STOP.is_requested());
                word.inspect(|word| super::streams::complain_unheard(format_args!("{word}")));
            }
        }
    };
    // Without a thread to be had, nothing is said.
    drop(std::thread::Builder::new().name("patience".to_owned()).spawn(look));
}

/// Notes that something was printed.
pub(super) fn heard() {
    if let Some(silence) = lock(&SILENCE).as_mut() {
        *silence = Silence::broken(Instant::now());
    }
}

/// Says what is done until the answer is dropped, such as "reading standard input".
pub(super) fn at(work: &'static str) -> Until {
    Until::now(At::Work(work, Instant::now()))
}

/// Has `word` say what is done until the answer is dropped.
pub(super) fn told_by(word: impl Fn() -> Option<String> + Send + 'static) -> Until {
    Until::now(At::Own(Box::new(word)))
}

/// Has nothing said until the answer is dropped.
pub(super) fn mute() -> Until {
    Until::now(At::Mute)
}

/// Work that ends when this is dropped; what was done before goes on.
#[must_use]
pub(super) struct Until(At);

impl Until {
    fn now(work: At) -> Self {
        let mut at = lock(&AT);
        if matches!(*at, At::Mute) {
            return Self(At::Mute);
        }
        Self(std::mem::replace(&mut *at, work))
    }
}

impl Drop for Until {
    fn drop(&mut self) {
        *lock(&AT) = std::mem::replace(&mut self.0, At::Mute);
    }
}

fn word(at: &At, is_stopping: bool) -> Option<String> {
    match at {
        At::Mute => None,
        At::Own(word) if is_stopping => Some(format!("still stopping; {}", word()?)),
        At::Own(word) => word(),
        At::Work(what, since) => {
            Some(format!("still {what} after {}", duration(since.elapsed().as_secs_f64())))
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_is_due_after_ten_seconds_then_after_twenty_and_after_a_word_after_ten_again() {
        let began = Instant::now();
        let at = |seconds: u64| began + Duration::from_secs(seconds);
        let mut silence = Silence::broken(began);
        assert!(!silence.is_over(at(9)));
        assert!(silence.is_over(at(10)));
        assert!(!silence.is_over(at(29)));
        assert!(silence.is_over(at(30)));
        silence = Silence::broken(at(40));
        assert!(silence.is_over(at(50)));
        for _ in 0..20 {
            assert!(silence.is_over(silence.since + silence.pause));
        }
        assert_eq!(silence.pause, LONGEST);
    }

    #[test]
    fn what_is_said_names_the_work_and_that_it_stops() {
        let reading = At::Work("reading standard input", Instant::now());
        assert!(word(&reading, false).unwrap().starts_with("still reading standard input after "));
        let own = At::Own(Box::new(|| Some("after 10 s: 3 %".to_owned())));
        assert_eq!(word(&own, false).unwrap(), "after 10 s: 3 %");
        assert_eq!(word(&own, true).unwrap(), "still stopping; after 10 s: 3 %");
        assert_eq!(word(&At::Mute, true), None);
    }
}
