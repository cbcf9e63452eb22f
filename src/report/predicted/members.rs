//! The predictions of networks that vote together.

use crate::record::Predictions;
use crate::spec::settings::Combine;
use crate::stats::{self, EnsemblePoint};

/// Most networks of a group whose ensembles are measured.
pub(super) const MOST_MEMBERS: usize = 32;

/// Returns the class every test image is given by the ensemble of `members`; nothing where they
/// were not tested on the same images.
#[must_use]
pub(super) fn classify(members: &[&Predictions], combine: Combine) -> Option<Vec<u16>> {
    let (images, classes) = common_shape(members)?;
    let mut tally = Tally::new(classes, combine);
    let classify = |image: usize| {
        tally.clear();
        for member in members {
            tally.add(row(member, image));
        }
        tally.winner()
    };
    Some((0..images).map(classify).collect())
}

/// Returns images and classes of networks tested on the same images.
fn common_shape(members: &[&Predictions]) -> Option<(usize, usize)> {
    let first = members.first()?;
    let (images, classes) = (first.test.images(), first.test.classes);
    let same = |member: &&Predictions| {
        member.test_labels == first.test_labels && member.test.classes == classes
    };
    (images > 0 && members.iter().all(same)).then_some((images, classes))
}

fn row(member: &Predictions, image: usize) -> &[f32] {
    let classes = member.test.classes;
    &member.test.values[image * classes..][..classes]
}

/// Probabilities and votes of the networks so far.
struct Tally {
    combine: Combine,
    sums: Vec<f64>,
    votes: Vec<u32>,
}

impl Tally {
    fn new(classes: usize, combine: Combine) -> Self {
        Self { combine, sums: vec![0.0; classes], votes: vec![0; classes] }
    }

    fn clear(&mut self) {
        self.sums.fill(0.0);
        self.votes.fill(0);
    }

    fn add(&mut self, row: &[f32]) {
        self.votes[first_largest(row)] += 1;
        self.sums.iter_mut().zip(row).for_each(|(sum, value)| *sum += f64::from(*value));
    }

    fn winner(&self) -> u16 {
        let place = match self.combine {
            Combine::Mean => first_largest(&self.sums),
            Combine::Vote => {
                let ballots: Vec<(u32, f64)> =
                    self.votes.iter().copied().zip(self.sums.iter().copied()).collect();
                first_largest(&ballots)
            }
        };
        place as u16
    }
}

/// Returns the place of the first value that no other is larger than.
pub(super) fn first_largest<T: PartialOrd>(values: &[T]) -> usize {
    let mut best = 0;
    for (place, value) in values.iter().enumerate() {
        if *value > values[best] {
            best = place;
        }
    }
    best
}

/// Measures disjoint ensembles of every size among `members`.
#[must_use]
pub(super) fn ensembles(members: &[&Predictions], combine: Combine) -> Vec<EnsemblePoint> {
    let Some((images, classes)) = common_shape(members) else { return Vec::new() };
    let labels = &members[0].test_labels;
    // Right answers by size and ensemble, filled in one pass over the images.
    let mut right: Vec<Vec<u32>> = (0..=members.len())
        .map(|size| vec![0; members.len().checked_div(size).unwrap_or(0)])
        .collect();
    let mut tally = Tally::new(classes, combine);
    for (image, label) in labels.iter().enumerate().take(images) {
        for (size, right) in right.iter_mut().enumerate().skip(1) {
            for (place, ensemble) in members.chunks_exact(size).enumerate() {
                tally.clear();
                for member in ensemble {
                    tally.add(row(member, image));
                }
                right[place] += u32::from(tally.winner() == *label);
            }
        }
    }
    stats::ensemble_curve(members.len(), |ensemble| {
        let (size, place) = (ensemble.len(), ensemble[0] / ensemble.len());
        f64::from(right[size][place]) / images as f64
    })
}
