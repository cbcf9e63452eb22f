//! The predictions of networks that vote together.

use crate::experiment::settings::Combine;
use crate::record::Predictions;
use gridbench_stats::{self as stats, EnsemblePoint};

/// Most networks of a group whose ensembles are measured.
pub(super) const MAX_MEMBERS: usize = 32;

/// What a network says of the test images, ready to be added up many times.
pub(super) struct Network {
    labels: Vec<u16>,
    classes: usize,
    /// Row-major, `images × classes`.
    probabilities: Vec<f64>,
    /// The class of every image.
    votes: Vec<u16>,
}

/// What a network says of one image.
struct Row<'a> {
    probabilities: &'a [f64],
    vote: u16,
}

impl Network {
    /// Works out probabilities and votes.
    pub(super) fn of(predictions: &Predictions) -> Self {
        let Predictions { test, test_labels, .. } = predictions;
        Self {
            labels: test_labels.clone(),
            classes: test.classes,
            probabilities: test.values.iter().map(|&log| f64::from(log).exp()).collect(),
            votes: test.rows().map(|row| first_largest(row) as u16).collect(),
        }
    }

    /// Returns the true classes of the test images.
    pub(super) fn labels(&self) -> &[u16] {
        &self.labels
    }

    fn row(&self, image: usize) -> Row<'_> {
        let probabilities = &self.probabilities[image * self.classes..][..self.classes];
        Row { probabilities, vote: self.votes[image] }
    }
}

/// Returns the class every test image is given by the ensemble of `members`; nothing where they
/// were not tested on the same images.
pub(super) fn classify(members: &[&Network], combine: Combine) -> Option<Vec<u16>> {
    let (images, classes) = common_shape(members)?;
    let mut tally = Tally::new(classes, combine);
    let classify = |image: usize| {
        tally.clear();
        for member in members {
            tally.add(&member.row(image));
        }
        tally.winner()
    };
    Some((0..images).map(classify).collect())
}

/// Returns images and classes of networks tested on the same images.
fn common_shape(members: &[&Network]) -> Option<(usize, usize)> {
    let first = members.first()?;
    let (images, classes) = (first.votes.len(), first.classes);
    let same = |member: &&Network| member.labels == first.labels && member.classes == classes;
    (images > 0 && members.iter().all(same)).then_some((images, classes))
}

/// Probabilities and votes of the networks so far.
struct Tally {
    combine: Combine,
    added: usize,
    sums: Vec<f64>,
    votes: Vec<u32>,
}

impl Tally {
    fn new(classes: usize, combine: Combine) -> Self {
        Self { combine, added: 0, sums: vec![0.0; classes], votes: vec![0; classes] }
    }

    fn clear(&mut self) {
        self.added = 0;
        self.sums.fill(0.0);
        self.votes.fill(0);
    }

    /// Adds what a network says of one image.
    fn add(&mut self, row: &Row<'_>) {
        self.added += 1;
        self.votes[usize::from(row.vote)] += 1;
        self.sums.iter_mut().zip(row.probabilities).for_each(|(sum, value)| *sum += value);
    }

    /// Returns the class of the networks so far; one alone decides as it votes.
    fn winner(&self) -> u16 {
        let better = |a: usize, b: usize| match self.combine {
            Combine::Mean if self.added > 1 => self.sums[a] > self.sums[b],
            Combine::Mean | Combine::Vote => {
                (self.votes[a], self.sums[a]) > (self.votes[b], self.sums[b])
            }
        };
        let best =
            (1..self.sums.len()).fold(0, |best, at| if better(at, best) { at } else { best });
        best as u16
    }
}

/// Returns the index of the first value that no other is larger than.
pub(super) fn first_largest<T: PartialOrd>(values: &[T]) -> usize {
    let mut best = 0;
    for (index, value) in values.iter().enumerate() {
        if *value > values[best] {
            best = index;
        }
    }
    best
}

/// Members times images times resamples over all groups: a second or two on two cores.
const RESAMPLED_WORK: usize = 100_000_000;
/// Fewest resamples that are worth an interval, and most that are drawn.
const RESAMPLES: std::ops::RangeInclusive<usize> = 100..=1_000;

/// Adds to `points` what ensembles of members drawn anew reach, where there is time for it: `members`
/// are one of so many `groups`.
pub(super) fn draw_anew(
    points: &mut [EnsemblePoint],
    members: &[&Network],
    combine: Combine,
    groups: usize,
) {
    let Some((images, classes)) = common_shape(members) else { return };
    let resamples = RESAMPLED_WORK / (groups * members.len() * images).max(1);
    if points.len() < 2 || resamples < *RESAMPLES.start() {
        return;
    }
    let labels = &members[0].labels;
    let score = |order: &[usize]| {
        let mut right = vec![0_u32; order.len()];
        let mut tally = Tally::new(classes, combine);
        for (image, label) in labels.iter().enumerate() {
            tally.clear();
            for (right, &member) in right.iter_mut().zip(order) {
                tally.add(&members[member].row(image));
                *right += u32::from(tally.winner() == *label);
            }
        }
        right.into_iter().map(|right| f64::from(right) / images as f64).collect()
    };
    let resamples = resamples.min(*RESAMPLES.end());
    stats::resample_members(points, members.len(), resamples, score);
}

/// Measures disjoint ensembles of every size among `members`.
pub(super) fn ensembles(members: &[&Network], combine: Combine) -> Vec<EnsemblePoint> {
    let Some((images, classes)) = common_shape(members) else { return Vec::new() };
    let labels = &members[0].labels;
    // Right answers by size and ensemble, filled in one pass over the images.
    let mut right: Vec<Vec<u32>> = (0..=members.len())
        .map(|size| vec![0; members.len().checked_div(size).unwrap_or(0)])
        .collect();
    let mut tally = Tally::new(classes, combine);
    for (image, label) in labels.iter().enumerate().take(images) {
        for (size, right) in right.iter_mut().enumerate().skip(1) {
            for (index, ensemble) in members.chunks_exact(size).enumerate() {
                tally.clear();
                for member in ensemble {
                    tally.add(&member.row(image));
                }
                right[index] += u32::from(tally.winner() == *label);
            }
        }
    }
    stats::ensemble_curve(members.len(), |ensemble| {
        let (size, index) = (ensemble.len(), ensemble[0] / ensemble.len());
        f64::from(right[size][index]) / images as f64
    })
}
