//! From values to places: linear scales with round ticks.

use crate::report::numbers::grouped;

/// A linear scale.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Linear {
    low: f64,
    high: f64,
    from: f64,
    to: f64,
    step: f64,
}

impl Linear {
    /// Maps `low` to `high` onto the pixels `from` to `to` (which may run downwards), widened to
    /// round numbers, with about `ticks` of them. A range without width gets one.
    #[must_use]
    pub(super) fn rounded((low, high): (f64, f64), (from, to): (f64, f64), ticks: usize) -> Self {
        let (low, high) = widened(low, high);
        let step = round_step((high - low) / ticks.max(1) as f64);
        let (low, high) = ((low / step).floor() * step, (high / step).ceil() * step);
        Self { low, high, from, to, step }
    }

    /// Maps `low` to `high` onto the pixels `from` to `to` exactly.
    #[must_use]
    pub(super) fn exact((low, high): (f64, f64), (from, to): (f64, f64)) -> Self {
        let (low, high) = widened(low, high);
        let step = round_step((high - low) / 2.0);
        Self { low, high, from, to, step }
    }

    /// Returns the place of a value; values beyond an end stay on it.
    #[must_use]
    pub(super) fn at(&self, value: f64) -> f64 {
        let share = ((value - self.low) / (self.high - self.low)).clamp(0.0, 1.0);
        self.from + share * (self.to - self.from)
    }

    /// Returns the lowest and the highest value.
    #[must_use]
    pub(super) fn ends(&self) -> (f64, f64) {
        (self.low, self.high)
    }

    /// Returns the round values on the scale.
    #[must_use]
    pub(super) fn ticks(&self) -> Vec<f64> {
        let slack = 1e-9 * (self.high - self.low);
        let first = ((self.low - slack) / self.step).ceil();
        (0..1000)
            .map(|place| (first + f64::from(place)) * self.step)
            .take_while(|value| *value <= self.high + slack)
            .collect()
    }

    /// Prints a value with as many decimals as the ticks need.
    #[must_use]
    pub(super) fn label(&self, value: f64) -> String {
        let decimals = (-self.step.log10().floor()).clamp(0.0, 6.0) as usize;
        let halves = (self.step * 10f64.powi(decimals as i32)).fract().abs() > 1e-6;
        grouped(value, decimals + usize::from(halves && decimals < 6))
    }
}

fn widened(low: f64, high: f64) -> (f64, f64) {
    if high > low {
        return (low, high);
    }
    let half = if low == 0.0 { 0.5 } else { 0.01 * low.abs() };
    (low - half, low + half)
}

/// Returns 1, 2 or 5 times a power of ten, at least `step`.
fn round_step(step: f64) -> f64 {
    let power = 10f64.powf(step.log10().floor());
    [1.0, 2.0, 5.0, 10.0]
        .into_iter()
        .map(|factor| factor * power)
        .find(|candidate| *candidate >= step * (1.0 - 1e-9))
        .unwrap_or(10.0 * power)
}

/// Returns the range of `values`, those far beyond the middle half left out: one failed training
/// must not flatten a chart.
#[must_use]
pub(in crate::report) fn robust_range(values: impl Iterator<Item = f64>) -> Option<(f64, f64)> {
    let mut sorted: Vec<f64> = values.filter(|value| value.is_finite()).collect();
    sorted.sort_unstable_by(f64::total_cmp);
    let (first, last) = (*sorted.first()?, *sorted.last()?);
    let quarter = sorted.len() / 4;
    let (lower, upper) = (sorted[quarter], sorted[sorted.len() - 1 - quarter]);
    let reach = 4.0 * (upper - lower);
    if reach > 0.0 && sorted.len() >= 8 {
        Some((first.max(lower - reach), last.min(upper + reach)))
    } else {
        Some((first, last))
    }
}
