//! Times that lie far from the others of their cell: something else may have run beside them.

use super::{Listener, Notice};
use crate::base::MetricName;
use crate::results::ExperimentResults;
use gridbench_stats::median;

/// Distance from the median, in standard deviations by the median absolute deviation, beyond which a
/// time is an outlier; that of hyperfine.
const FAR: f64 = 10.0;
/// Median absolute deviations of a standard deviation of normal values.
const TO_SD: f64 = 1.4826;
/// Fewest times of a cell that are looked at.
const MIN_TIMES: usize = 5;

/// Tells of every cell with outliers among its times.
pub(super) fn tell(results: &ExperimentResults, listener: &Listener) {
    for cell in &results.cells {
        let times = cell.sample(&MetricName::WALL_SECONDS);
        let count = count(&times);
        if count > 0 {
            let (name, trials) = (cell.name.clone(), times.len());
            listener.tell(&Notice::Outliers { cell: name, count, trials });
        }
    }
}

fn count(times: &[f64]) -> usize {
    if times.len() < MIN_TIMES {
        return 0;
    }
    let center = median(times);
    let distances: Vec<f64> = times.iter().map(|time| (time - center).abs()).collect();
    let sd = TO_SD * median(&distances);
    distances.iter().filter(|distance| sd > 0.0 && **distance > FAR * sd).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_time_that_is_far_from_the_others_is_an_outlier() {
        assert_eq!(count(&[1.0, 1.1, 0.9, 1.05, 1.0, 3.0]), 1);
        assert_eq!(count(&[1.0, 1.1, 0.9, 1.05, 1.0, 1.3]), 0);
        assert_eq!(count(&[1.0, 1.0, 1.0, 9.0]), 0, "too few to say");
    }
}
