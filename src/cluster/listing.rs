//! What the names in the folder of a lane say.

use std::collections::BTreeSet;

use super::batch::Claimed;

/// The claims of a lane, as far as they are seen.
pub(super) struct Listing {
    /// Last attempt at each batch, 0 where there is none.
    attempts: Vec<u32>,
    left: BTreeSet<(u32, u32)>,
    pub(super) done: Vec<bool>,
}

impl Listing {
    pub(super) fn of(names: &[String], batches: u32) -> Self {
        let mut listing = Self {
            attempts: vec![0; batches as usize],
            left: BTreeSet::new(),
            done: vec![false; batches as usize],
        };
        for name in names {
            let mut parts = name.split('.');
            let Some(Ok(batch)) = parts.next().map(str::parse::<u32>) else { continue };
            if batch >= batches {
                continue;
            }
            match (parts.next(), parts.next()) {
                (Some("done"), None) => listing.done[batch as usize] = true,
                (Some(attempt), end) => {
                    let Ok(attempt) = attempt.parse::<u32>() else { continue };
                    let last = &mut listing.attempts[batch as usize];
                    *last = attempt.max(*last);
                    if end == Some("left") {
                        listing.left.insert((batch, attempt));
                    }
                }
                _ => {}
            }
        }
        listing
    }

    pub(super) fn is_empty(&self) -> bool {
        !self.attempts.is_empty()
            && self.attempts.iter().all(|attempt| *attempt == 0)
            && !self.done.contains(&true)
    }

    /// Returns the first batch that nobody has claimed.
    pub(super) fn first_free(&self) -> Option<u32> {
        let is_free = |(attempt, done): (&u32, &bool)| *attempt == 0 && !done;
        self.attempts.iter().zip(&self.done).position(is_free).map(|index| index as u32)
    }

    /// Returns the claim that takes the last batch which nobody works on.
    pub(super) fn last_open(&self, lane: u32) -> Option<Claimed> {
        (0..self.attempts.len() as u32).rev().find_map(|batch| {
            let attempt = self.attempts[batch as usize];
            let is_open = attempt == 0 || self.left.contains(&(batch, attempt));
            let is_open = is_open && !self.done[batch as usize];
            is_open.then_some(Claimed { lane, batch, attempt: attempt + 1 })
        })
    }

    /// Returns the claim that takes the first batch nobody has claimed, the largest of them; else one
    /// that nobody goes on with.
    pub(super) fn open(&self, lane: u32) -> Option<Claimed> {
        let free = self.first_free().map(|batch| Claimed { lane, batch, attempt: 1 });
        free.or_else(|| self.last_open(lane))
    }

    /// Returns the last claims of batches that are neither done nor left.
    pub(super) fn in_flight(&self, lane: u32) -> impl Iterator<Item = Claimed> + '_ {
        (0..self.attempts.len() as u32).filter_map(move |batch| {
            let attempt = self.attempts[batch as usize];
            let is_open = attempt > 0 && !self.done[batch as usize];
            let is_in_flight = is_open && !self.left.contains(&(batch, attempt));
            is_in_flight.then_some(Claimed { lane, batch, attempt })
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(names: &[&str], batches: u32) -> Listing {
        let names: Vec<String> = names.iter().map(|&name| name.to_owned()).collect();
        Listing::of(&names, batches)
    }

    #[test]
    fn names_say_what_is_free_in_flight_left_and_done() {
        let listing = of(&["0.1", "0.done", "1.1", "1.1.left", "1.2", "2.1", "2.1.left"], 5);
        assert!(!listing.is_empty());
        assert_eq!(listing.first_free(), Some(3));
        let claim = |batch, attempt| Claimed { lane: 9, batch, attempt };
        assert_eq!(listing.last_open(9), Some(claim(4, 1)));
        assert_eq!(listing.open(9), Some(claim(3, 1)));
        assert_eq!(of(&["0.1", "1.1", "1.1.left"], 2).open(9), Some(claim(1, 2)));
        assert_eq!(listing.in_flight(9).collect::<Vec<_>>(), [claim(1, 2)]);
        let later = of(&["0.done", "1.2", "2.1.left", "2.1", "3.1", "4.done"], 5);
        assert_eq!(later.last_open(9), Some(claim(2, 2)));
        assert_eq!(later.done, [true, false, false, false, true]);
    }

    #[test]
    fn other_names_say_nothing() {
        assert!(of(&["x", "7.1", "1.x", ".1"], 2).is_empty());
        assert!(!of(&["0.done"], 1).is_empty());
    }
}
