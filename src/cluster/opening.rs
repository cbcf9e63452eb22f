//! Who opens a round: one process looks for what is left, and the others wait for it.
//!
//! `work/0001/open/1` is created by the first, `1.left` where it found nothing or gave up, `2` by the
//! next. A claim is worth no more than those of batches: two that open a round do the same work twice.

use std::time::{Duration, Instant};

use super::folder::Folder;
use super::round::Round;
use crate::store::StoreError;

/// How long a round that another opens is waited for before its opener is taken for dead.
const PATIENCE: Duration = Duration::from_secs(90);
/// How often it is looked for.
const PAUSE: Duration = Duration::from_millis(500);
/// When somebody who waits is told so.
const QUIET: Duration = Duration::from_secs(10);

/// What a process that found no round is to do.
pub(crate) enum Turn {
    /// It opens the round, by this claim.
    Ours(Opening),
    /// Another has opened it.
    Opened(Box<Round>),
    /// Another looked and opened none: look again.
    Over,
    /// It was asked to stop while it waited.
    Stopped,
}

/// The claim to open a round.
pub(crate) struct Opening {
    number: u32,
    attempt: u32,
}

impl Opening {
    /// Claims the opening of the round with this number, or waits for the one who has. `waits` is called
    /// once, where that takes longer than ten seconds.
    ///
    /// # Errors
    /// If the file system refuses.
    pub(crate) fn turn(
        folder: &dyn Folder,
        number: u32,
        is_stopped: &dyn Fn() -> bool,
        waits: &dyn Fn(),
    ) -> Result<Turn, StoreError> {
        let (began, mut is_told) = (Instant::now(), false);
        let mut awaited = (0, began);
        let mut first_left = None;
        loop {
            if let Some(round) = Round::read(folder, number)? {
                return Ok(Turn::Opened(Box::new(round)));
            }
            let (last, left) = attempts(&folder.list(&directory(number))?);
            if last != awaited.0 {
                awaited = (last, Instant::now());
            }
            // Another left after we began to wait: what it found is to be looked at first.
            if left > *first_left.get_or_insert(left) {
                return Ok(Turn::Over);
            }
            if last == left || awaited.1.elapsed() >= PATIENCE {
                let opening = Self { number, attempt: last + 1 };
                if folder.create(&opening.path(), b"")? {
                    return Ok(Turn::Ours(opening));
                }
            }
            if is_stopped() {
                return Ok(Turn::Stopped);
            }
            if !is_told && began.elapsed() >= QUIET {
                is_told = true;
                waits();
            }
            std::thread::sleep(PAUSE);
        }
    }

    /// Says that this process opens no round.
    ///
    /// # Errors
    /// If the file system refuses.
    pub(crate) fn leave(&self, folder: &dyn Folder) -> Result<(), StoreError> {
        folder.create(&format!("{}.left", self.path()), b"").map(drop)
    }

    fn path(&self) -> String {
        format!("{}/{}", directory(self.number), self.attempt)
    }
}

fn directory(number: u32) -> String {
    format!("work/{number:04}/open")
}

/// Returns the last claim, and the last that was left.
fn attempts(names: &[String]) -> (u32, u32) {
    let number = |name: &str| name.parse::<u32>().ok();
    let claims = names.iter().filter_map(|name| number(name));
    let left = names.iter().filter_map(|name| number(name.strip_suffix(".left")?));
    (claims.max().unwrap_or(0), left.max().unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::digest_of;
    use crate::store::SharedFolder;

    fn turn(folder: &SharedFolder) -> Turn {
        Opening::turn(folder, 1, &|| true, &|| {}).unwrap()
    }

    #[test]
    fn one_process_opens_and_the_next_only_after_it_has_left() {
        let folder = tempfile::tempdir().unwrap();
        let shared = SharedFolder::open(folder.path()).unwrap();
        let Turn::Ours(first) = turn(&shared) else { panic!("nobody else is there") };
        assert!(matches!(turn(&shared), Turn::Stopped), "the first is at it");
        first.leave(&shared).unwrap();
        let Turn::Ours(second) = turn(&shared) else { panic!("the first has left") };
        assert_eq!(second.attempt, 2);
        assert!(Round::new(1, digest_of(b"plan"), 9, &[0, 1]).publish(&shared).unwrap());
        let Turn::Opened(round) = turn(&shared) else { panic!("it is there") };
        assert_eq!(round.outstanding(), [0, 1]);
    }

    #[test]
    fn who_waits_for_one_that_finds_nothing_looks_again() {
        let folder = tempfile::tempdir().unwrap();
        let shared = SharedFolder::open(folder.path()).unwrap();
        let Turn::Ours(first) = turn(&shared) else { panic!("nobody else is there") };
        let waiting = std::thread::scope(|scope| {
            let waiting = scope.spawn(|| Opening::turn(&shared, 1, &|| false, &|| {}).unwrap());
            std::thread::sleep(2 * PAUSE);
            first.leave(&shared).unwrap();
            waiting.join().unwrap()
        });
        assert!(matches!(waiting, Turn::Over));
    }
}
