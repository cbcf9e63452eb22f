//! How several networks come to one answer on an image.

use crate::spec::settings::Combine;

/// What the members of an ensemble say of one image; used again for the next.
#[derive(Debug, Clone)]
pub struct Ballot {
    members: usize,
    mean: Vec<f64>,
    votes: Vec<u32>,
}

impl Ballot {
    /// Prepares for `members` networks that know `classes` classes.
    #[must_use]
    pub fn new(members: usize, classes: usize) -> Self {
        Self { members: members.max(1), mean: vec![0.0; classes], votes: vec![0; classes] }
    }

    /// Forgets the image before.
    pub fn clear(&mut self) {
        self.mean.fill(0.0);
        self.votes.fill(0);
    }

    /// Adds the class probabilities of one member.
    pub fn add(&mut self, probabilities: &[f32]) {
        self.votes[first_largest(probabilities, |a, b| a > b)] += 1;
        for (sum, &probability) in self.mean.iter_mut().zip(probabilities) {
            *sum += f64::from(probability) / self.members as f64;
        }
    }

    /// Returns the mean probabilities of the classes.
    #[must_use]
    pub fn mean(&self) -> &[f64] {
        &self.mean
    }

    /// Returns the class the ensemble decides for: of equals the first, of equally many votes the
    /// one of the larger mean probability.
    #[must_use]
    pub fn winner(&self, combine: Combine) -> usize {
        match combine {
            Combine::Mean => first_largest(&self.mean, |a, b| a > b),
            Combine::Vote => {
                let ballots: Vec<(u32, f64)> =
                    self.votes.iter().copied().zip(self.mean.iter().copied()).collect();
                first_largest(&ballots, |a, b| a > b)
            }
        }
    }
}

/// Returns the place of the first value that no other is `larger` than.
fn first_largest<T>(values: &[T], larger: impl Fn(&T, &T) -> bool) -> usize {
    let mut best = 0;
    for place in 1..values.len() {
        if larger(&values[place], &values[best]) {
            best = place;
        }
    }
    best
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_hesitant_votes_beat_one_sure_one_only_where_votes_count() {
        let mut ballot = Ballot::new(3, 2);
        for row in [[0.45, 0.55], [0.45, 0.55], [0.99, 0.01]] {
            ballot.add(&row);
        }
        assert_eq!(ballot.winner(Combine::Vote), 1);
        assert_eq!(ballot.winner(Combine::Mean), 0);
        assert!((ballot.mean()[0] - 0.63).abs() < 1e-7);
    }

    #[test]
    fn equally_many_votes_go_to_the_larger_mean_and_a_cleared_ballot_has_none() {
        let mut ballot = Ballot::new(2, 2);
        ballot.add(&[0.6, 0.4]);
        ballot.add(&[0.1, 0.9]);
        assert_eq!(ballot.winner(Combine::Vote), 1);
        ballot.clear();
        assert_eq!(ballot.winner(Combine::Vote), 0);
    }
}
