//! Histograms that tell the truth about quantised values: shared edges, bins of equally many
//! possible values.

/// Returns the edges of at most `max_bins` equally wide bins that hold every sample.
///
/// With a `quantum` (1 / test images for an accuracy) every bin holds equally many of its
/// multiples: its width is a multiple of the quantum and its edges lie halfway between two, so
/// that no bin is fuller only because more values can fall into it. The last bin may reach past
/// the largest value. Without one, bins divide the range evenly.
///
/// Nothing without a value, for a value or quantum that is not finite, or for no bins. Equal
/// values without a quantum share one bin of width 1.
#[must_use]
pub fn shared_edges(samples: &[&[f64]], quantum: Option<f64>, max_bins: usize) -> Option<Vec<f64>> {
    let values = || samples.iter().flat_map(|sample| sample.iter().copied());
    if max_bins == 0 || values().any(|value| !value.is_finite()) {
        return None;
    }
    let low = values().min_by(f64::total_cmp)?;
    let high = values().max_by(f64::total_cmp)?;
    match quantum {
        Some(quantum) => quantised_edges(low, high, quantum, max_bins),
        None if high > low => {
            let width = (high - low) / max_bins as f64;
            let inner = (0..max_bins).map(|bin| low + width * bin as f64);
            Some(inner.chain([high]).collect())
        }
        None => Some(vec![low - 0.5, low + 0.5]),
    }
}

fn quantised_edges(low: f64, high: f64, quantum: f64, max_bins: usize) -> Option<Vec<f64>> {
    if !(quantum > 0.0 && quantum.is_finite()) {
        return None;
    }
    let first = (low / quantum).round();
    let multiples = (high / quantum).round() - first + 1.0;
    let width = (multiples / max_bins as f64).ceil();
    let bins = (multiples / width).ceil() as usize;
    Some((0..=bins).map(|bin| (first + width * bin as f64 - 0.5) * quantum).collect())
}

/// Counts the values of `sample` in each bin between `edges`; a value on an edge belongs to the
/// bin above it, one on the last edge to the last bin, one outside to none.
///
/// ```
/// // numpy.histogram([0.1, 0.2, 0.3, 0.9], [0, 0.25, 0.5, 1])[0]
/// assert_eq!(gridbench_stats::counts(&[0.1, 0.2, 0.3, 0.9], &[0.0, 0.25, 0.5, 1.0]), [2, 1, 1]);
/// ```
#[must_use]
pub fn counts(sample: &[f64], edges: &[f64]) -> Vec<usize> {
    let mut counts = vec![0; edges.len().saturating_sub(1)];
    let (Some(&last), bins) = (edges.last(), counts.len()) else {
        return counts;
    };
    for &value in sample {
        let above = edges.partition_point(|&edge| edge <= value);
        if above > 0 && value <= last && bins > 0 {
            counts[(above - 1).min(bins - 1)] += 1;
        }
    }
    counts
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::testing::assert_close;
    use super::*;

    fn assert_edges(found: Option<Vec<f64>>, expected: &[f64]) {
        let found = found.unwrap();
        assert_eq!(found.len(), expected.len(), "{found:?}");
        for (found, expected) in found.iter().zip(expected) {
            assert_close(*found, *expected, 1e-12);
        }
    }

    #[test]
    fn quantised_bins_hold_equally_many_possible_values() {
        // Ten multiples of 0.01 from 0.90 to 0.99 in at most four bins: three multiples a bin.
        assert_edges(
            shared_edges(&[&[0.90, 0.95], &[0.99]], Some(0.01), 4),
            &[0.895, 0.925, 0.955, 0.985, 1.015],
        );
        assert_edges(shared_edges(&[&[0.5, 0.5]], Some(0.1), 8), &[0.45, 0.55]);
    }

    #[test]
    fn bins_without_a_quantum_divide_the_range() {
        assert_edges(shared_edges(&[&[1.0, 3.0], &[2.0]], None, 4), &[1.0, 1.5, 2.0, 2.5, 3.0]);
        assert_edges(shared_edges(&[&[2.0, 2.0]], None, 4), &[1.5, 2.5]);
    }

    #[test]
    fn no_values_no_edges() {
        assert_eq!(shared_edges(&[&[], &[]], Some(0.1), 4), None);
        assert_eq!(shared_edges(&[&[1.0]], Some(0.1), 0), None);
        assert_eq!(shared_edges(&[&[1.0]], Some(0.0), 4), None);
        assert_eq!(shared_edges(&[&[f64::NAN]], None, 4), None);
        assert!(counts(&[1.0], &[]).is_empty());
    }

    #[test]
    fn counting_agrees_with_numpy() {
        // numpy.histogram([0, 0.5, 1, 1.5, 2, 3], bins=[0.5, 1, 2])[0]
        assert_eq!(counts(&[0.0, 0.5, 1.0, 1.5, 2.0, 3.0], &[0.5, 1.0, 2.0]), [1, 3]);
    }

    proptest! {
        #[test]
        fn every_value_is_counted_once(
            correct in prop::collection::vec(9_000..=10_000_u32, 1..50),
            max_bins in 1..40_usize,
        ) {
            let values: Vec<f64> = correct.iter().map(|&k| f64::from(k) / 10_000.0).collect();
            for quantum in [Some(1e-4), None] {
                let edges = shared_edges(&[&values], quantum, max_bins).unwrap();
                prop_assert!(edges.len() <= max_bins + 1);
                prop_assert_eq!(counts(&values, &edges).iter().sum::<usize>(), values.len());
            }
        }
    }
}
