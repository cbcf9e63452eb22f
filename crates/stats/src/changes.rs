//! Change points of a history: where a series of results moved to another level.
//!
//! Binary segmentation: the most uneven division of a series into before and after is a change if a
//! random order of the same values is rarely as uneven; then either part is searched by itself.

use serde::Serialize;

use super::bootstrap::resample;

/// Values either side of a change at least has: two may agree by luck.
pub const MIN_SEGMENT: usize = 3;
/// Random orders behind every p.
const ORDERS: usize = 4_999;

/// A change of level.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct ChangePoint {
    /// Index of the first value on the new level.
    pub at: usize,
    /// Mean of the values since the change before.
    pub before: f64,
    /// Mean of the values until the next change.
    pub after: f64,
    /// Share of random orders of this part of the series that are divided as unevenly.
    pub p: f64,
}

/// Finds the changes of level in `values`, in order, orders drawn from `seed`.
///
/// A series that never changes shows a change with probability `alpha` at most, whatever the
/// distribution of its values, as long as their order means nothing (permutation test of the largest
/// standardized difference). Each division halves the level of its two parts, so the same holds for
/// the stretches between true changes together. Nothing is found in fewer than twice
/// [`MIN_SEGMENT`] values, nor with a value that is not finite.
///
/// ```
/// let steady = [0.971, 0.973, 0.970, 0.972, 0.974, 0.971];
/// let history: Vec<f64> = steady.iter().copied().chain(steady.map(|x| x - 0.01)).collect();
/// let found = gridbench_stats::change_points(&history, 0.05, 1);
/// assert_eq!((found.len(), found[0].at), (1, 6));
/// assert!((found[0].after - found[0].before + 0.01).abs() < 1e-12);
/// assert!(gridbench_stats::change_points(&steady, 0.05, 1).is_empty());
/// ```
#[must_use]
pub fn change_points(values: &[f64], alpha: f64, seed: u64) -> Vec<ChangePoint> {
    if values.iter().any(|value| !value.is_finite()) {
        return Vec::new();
    }
    let mut cuts = Vec::new();
    search(values, 0, alpha, seed, &mut cuts);
    cuts.sort_by_key(|&(at, _)| at);
    let ends: Vec<usize> = cuts.iter().map(|&(at, _)| at).chain([values.len()]).collect();
    let mean = |from: usize, to: usize| {
        let part = &values[from..to];
        part[0] + part.iter().map(|value| value - part[0]).sum::<f64>() / part.len() as f64
    };
    cuts.iter()
        .enumerate()
        .map(|(index, &(at, p))| {
            let from = if index == 0 { 0 } else { ends[index - 1] };
            ChangePoint { at, before: mean(from, at), after: mean(at, ends[index + 1]), p }
        })
        .collect()
}

fn search(values: &[f64], offset: usize, alpha: f64, seed: u64, cuts: &mut Vec<(usize, f64)>) {
    if values.len() < 2 * MIN_SEGMENT {
        return;
    }
    let (at, found) = most_uneven(values);
    if found <= 0.0 {
        return;
    }
    let as_uneven = resample(ORDERS, seed ^ offset as u64, |draws| {
        let mut order = values.to_vec();
        draws.shuffle(&mut order);
        most_uneven(&order).1 >= found * (1.0 - 1e-12)
    });
    let count = as_uneven.iter().filter(|is| **is).count();
    let p = (count + 1) as f64 / (ORDERS + 1) as f64;
    if p <= alpha {
        cuts.push((offset + at, p));
        search(&values[..at], offset, 0.5 * alpha, seed, cuts);
        search(&values[at..], offset + at, 0.5 * alpha, seed, cuts);
    }
}

/// Returns the division with the largest standardized difference of means, and its square up to
/// factors that are the same for every order: k(n − k)(difference)².
fn most_uneven(values: &[f64]) -> (usize, f64) {
    let n = values.len();
    let origin = values[0];
    let total: f64 = values.iter().map(|value| value - origin).sum();
    let mut below: f64 = values[..MIN_SEGMENT - 1].iter().map(|value| value - origin).sum();
    let mut best = (MIN_SEGMENT, 0.0);
    for at in MIN_SEGMENT..=n - MIN_SEGMENT {
        below += values[at - 1] - origin;
        let (left, right) = (at as f64, (n - at) as f64);
        let difference = below / left - (total - below) / right;
        let uneven = left * right * difference * difference;
        if uneven > best.1 {
            best = (at, uneven);
        }
    }
    best
}

#[cfg(test)]
mod tests {
    use super::super::Draws;
    use super::*;

    #[test]
    fn a_history_without_a_change_shows_one_in_at_most_one_of_twenty() {
        for n in [8, 30] {
            let rounds = 400;
            let alarms = (0..rounds).filter(|&round| {
                let mut draws = Draws::keyed(31, round);
                let values: Vec<f64> = (0..n).map(|_| draws.normal()).collect();
                !change_points(&values, 0.05, 1).is_empty()
            });
            // 5 %, and three standard errors of 400 rounds.
            let share = alarms.count() as f64 / f64::from(rounds as u32);
            assert!(share <= 0.083, "{share} of {n} values");
        }
    }

    #[test]
    fn several_changes_are_found_where_they_are() {
        let mut draws = Draws::new(6);
        let values: Vec<f64> = [0.0, 4.0, -1.0]
            .iter()
            .flat_map(|level| (0..10).map(|_| level + 0.5 * draws.normal()).collect::<Vec<_>>())
            .collect();
        let found = change_points(&values, 0.05, 1);
        assert_eq!(found.iter().map(|change| change.at).collect::<Vec<_>>(), [10, 20]);
        assert!((found[0].after - 4.0).abs() < 0.6 && (found[1].after + 1.0).abs() < 0.6);
        assert!((found[0].after - found[1].before).abs() < 1e-12);
    }

    #[test]
    fn short_constant_and_broken_histories_have_no_changes() {
        assert!(change_points(&[], 0.05, 1).is_empty());
        assert!(change_points(&[1.0, 1.0, 1.0, 9.0, 9.0], 0.05, 1).is_empty());
        assert!(change_points(&[2.0; 20], 0.05, 1).is_empty());
        assert!(change_points(&[1.0, 1.0, 1.0, f64::NAN, 9.0, 9.0, 9.0], 0.05, 1).is_empty());
    }
}
