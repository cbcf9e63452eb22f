//! How several networks come to one answer on an image.

use crate::experiment::settings::Combine;

/// What the members of an ensemble say of one image; used again for the next.
#[derive(Debug, Clone)]
pub(crate) struct Ballot {
    members: usize,
    sums: Vec<f64>,
    votes: Vec<u32>,
}

impl Ballot {
    /// Prepares for `members` networks that know `classes` classes.
    pub(crate) fn new(members: usize, classes: usize) -> Self {
        Self { members: members.max(1), sums: vec![0.0; classes], votes: vec![0; classes] }
    }

    /// Forgets the image before.
    pub(crate) fn clear(&mut self) {
        self.sums.fill(0.0);
        self.votes.fill(0);
    }

    /// Adds the logarithms of the class probabilities of one member.
    pub(crate) fn add(&mut self, logs: &[f32]) {
        self.votes[first_largest(logs, |a, b| a > b)] += 1;
        for (sum, &log) in self.sums.iter_mut().zip(logs) {
            *sum += f64::from(log).exp();
        }
    }

    /// Returns the mean probabilities of the classes.
    pub(crate) fn mean(&self) -> Vec<f64> {
        self.sums.iter().map(|sum| sum / self.members as f64).collect()
    }

    /// Returns the class the ensemble decides for: of equals the first, of equally many votes the
    /// one of the larger mean probability.
    ///
    /// One member decides as it votes, also where two of its probabilities are equal as numbers.
    pub(crate) fn winner(&self, combine: Combine) -> usize {
        match combine {
            Combine::Mean if self.members > 1 => first_largest(&self.sums, |a, b| a > b),
            Combine::Mean | Combine::Vote => {
                let ballots: Vec<(u32, f64)> =
                    self.votes.iter().copied().zip(self.sums.iter().copied()).collect();
                first_largest(&ballots, |a, b| a > b)
            }
        }
    }
}

/// Returns the cross-entropy of the mean of several probabilities of the true class, given their
/// logarithms, in nats.
///
/// Exact at both ends: where members are nearly certain the mean is taken of what is missing to 1,
/// and elsewhere of probabilities relative to the largest, which may be too small for a number.
pub(super) fn mixture_loss(logs: impl Iterator<Item = f64> + Clone) -> f64 {
    let members = logs.clone().count().max(1) as f64;
    let largest = logs.clone().fold(f64::NEG_INFINITY, f64::max);
    if logs.clone().any(f64::is_nan) {
        return f64::NAN;
    }
    if largest.is_infinite() {
        return -largest;
    }
    if largest > -0.5 {
        return -(logs.map(f64::exp_m1).sum::<f64>() / members).ln_1p();
    }
    -(largest + (logs.map(|log| (log - largest).exp()).sum::<f64>() / members).ln())
}

/// Returns the index of the first value that no other is `larger` than.
fn first_largest<T>(values: &[T], larger: impl Fn(&T, &T) -> bool) -> usize {
    let mut best = 0;
    for index in 1..values.len() {
        if larger(&values[index], &values[best]) {
            best = index;
        }
    }
    best
}

#[cfg(test)]
mod tests {
    use super::*;

    fn add(ballot: &mut Ballot, probabilities: [f32; 2]) {
        ballot.add(&probabilities.map(f32::ln));
    }

    #[test]
    fn two_hesitant_votes_beat_one_sure_one_only_where_votes_count() {
        let mut ballot = Ballot::new(3, 2);
        for row in [[0.45, 0.55], [0.45, 0.55], [0.99, 0.01]] {
            add(&mut ballot, row);
        }
        assert_eq!(ballot.winner(Combine::Vote), 1);
        assert_eq!(ballot.winner(Combine::Mean), 0);
        assert!((ballot.mean()[0] - 0.63).abs() < 1e-7);
    }

    #[test]
    fn equally_many_votes_go_to_the_larger_mean_and_a_cleared_ballot_has_none() {
        let mut ballot = Ballot::new(2, 2);
        add(&mut ballot, [0.6, 0.4]);
        add(&mut ballot, [0.1, 0.9]);
        assert_eq!(ballot.winner(Combine::Vote), 1);
        ballot.clear();
        assert_eq!(ballot.winner(Combine::Vote), 0);
    }

    #[test]
    fn the_loss_of_a_mixture_is_exact_from_certain_to_impossible() {
        // mpmath, 40 digits: -log((exp(a) + exp(b)) / 2)
        for (logs, expected) in [
            ([-1e-9, -3e-9], 1.999_999_999_5e-9),
            ([-1e-9, -100.0], 0.693_147_181_559_945_3),
            ([-1000.0, -1001.0], 1_000.379_885_493_041_7),
            ([-0.7, -0.9], 0.795_008_311_178_353_5),
        ] {
            let found = mixture_loss(logs.into_iter());
            assert!((found / expected - 1.0).abs() < 1e-9, "{found:e} is not {expected:e}");
        }
        assert!(mixture_loss([f64::NAN, -1.0].into_iter()).is_nan());
    }
}
