//! From values to positions: linear scales with round ticks.

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
    pub(super) fn rounded((low, high): (f64, f64), (from, to): (f64, f64), ticks: usize) -> Self {
        let (low, high) = widened(low, high);
        let step = round_step((high - low) / ticks.max(1) as f64);
        let (low, high) = ((low / step).floor() * step, (high / step).ceil() * step);
        Self { low, high, from, to, step }
    }

    /// Maps `low` to `high` onto the pixels `from` to `to` exactly.
    pub(super) fn exact((low, high): (f64, f64), (from, to): (f64, f64)) -> Self {
        let (low, high) = widened(low, high);
        let step = round_step((high - low) / 2.0);
        Self { low, high, from, to, step }
    }

    /// Returns the position of a value; values beyond an end lie beyond it, so that none is ever shown
    /// as another: who may meet one asks [`Linear::holds`], or cuts lines with [`inside`].
    pub(super) fn at(&self, value: f64) -> f64 {
        self.from + (value - self.low) / (self.high - self.low) * (self.to - self.from)
    }

    /// Returns whether a value lies on the scale.
    pub(super) fn holds(&self, value: f64) -> bool {
        let slack = 1e-9 * (self.high - self.low);
        (self.low - slack..=self.high + slack).contains(&value)
    }

    /// Returns the value of the scale that is nearest to a value.
    pub(super) fn nearest(&self, value: f64) -> f64 {
        value.clamp(self.low, self.high)
    }

    /// Returns the lowest and the highest value.
    pub(super) fn ends(&self) -> (f64, f64) {
        (self.low, self.high)
    }

    /// Returns the round values on the scale.
    pub(super) fn ticks(&self) -> Vec<f64> {
        let slack = 1e-9 * (self.high - self.low);
        let first = ((self.low - slack) / self.step).ceil();
        (0..1000)
            .map(|index| (first + f64::from(index)) * self.step)
            .take_while(|value| *value <= self.high + slack)
            .collect()
    }

    /// Prints a value with as many decimals as the ticks need.
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

/// The parts of a line between two heights, and the points where it comes in or goes out.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct Inside {
    /// Runs of points.
    pub(super) pieces: Vec<Vec<(f64, f64)>>,
    /// Points on the upper or lower height beyond which the line goes on.
    pub(super) gates: Vec<(f64, f64)>,
}

/// Cuts the line through `points` at the heights `top` and `bottom` (which is the larger).
pub(super) fn inside(points: &[(f64, f64)], (top, bottom): (f64, f64)) -> Inside {
    let is_inside = |y: f64| (top..=bottom).contains(&y);
    let mut found = Inside::default();
    let mut piece: Vec<(f64, f64)> =
        points.iter().take(1).filter(|(_, y)| is_inside(*y)).copied().collect();
    for pair in points.windows(2) {
        let ((x0, y0), (x1, y1)) = (pair[0], pair[1]);
        let rise = y1 - y0;
        let at = |share: f64| (x0 + share * (x1 - x0), y0 + share * rise);
        // The shares of this stretch at which it comes in and goes out.
        let (from, to) = if rise == 0.0 {
            if is_inside(y0) { (0.0, 1.0) } else { (1.0, 0.0) }
        } else {
            let (one, other) = ((top - y0) / rise, (bottom - y0) / rise);
            (one.min(other).max(0.0), one.max(other).min(1.0))
        };
        if from < to {
            if from > 0.0 {
                found.gates.push(at(from));
                piece.push(at(from));
            }
            piece.push(if to < 1.0 { at(to) } else { (x1, y1) });
        }
        if to < 1.0 && !piece.is_empty() {
            found.gates.extend(piece.last());
            found.pieces.push(std::mem::take(&mut piece));
        }
    }
    if !piece.is_empty() {
        found.pieces.push(piece);
    }
    if found.pieces.is_empty() {
        found.gates.extend(points.first().map(|(x, y)| (*x, y.clamp(top, bottom))));
    }
    found
}

/// Cuts the area within `points` at the heights `top` and `bottom`.
pub(super) fn area_inside(points: &[(f64, f64)], (top, bottom): (f64, f64)) -> Vec<(f64, f64)> {
    // Sutherland and Hodgman's algorithm, one height after the other.
    let cut = |points: &[(f64, f64)], height: f64, keeps: &dyn Fn(f64) -> bool| {
        let mut out = Vec::with_capacity(points.len() + 4);
        for (index, (x1, y1)) in points.iter().copied().enumerate() {
            let (x0, y0) = points[(index + points.len() - 1) % points.len()];
            if keeps(y0) != keeps(y1) {
                out.push((x0 + (height - y0) / (y1 - y0) * (x1 - x0), height));
            }
            if keeps(y1) {
                out.push((x1, y1));
            }
        }
        out
    };
    let below = cut(points, top, &|y| y >= top);
    cut(&below, bottom, &|y| y <= bottom)
}

/// Returns the range of all `values`.
pub(super) fn full_range(values: impl Iterator<Item = f64> + Clone) -> Option<(f64, f64)> {
    let low = values.clone().filter(|value| value.is_finite()).min_by(f64::total_cmp)?;
    let high = values.filter(|value| value.is_finite()).max_by(f64::total_cmp)?;
    Some((low, high))
}

/// Returns the range of `values`, those far beyond the middle half left out: one failed training
/// must not flatten a chart.
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
