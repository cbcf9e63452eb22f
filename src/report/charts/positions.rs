//! Where the levels of an axis stand beside each other: numbers by their size, on a linear or a
//! logarithmic scale, all else evenly in its order.

use std::collections::BTreeSet;

use super::scale::full_range;
use super::svg::{Anchor, Drawing, fitted, text_width};
use super::trellis::Frame;
use gridbench_stats::median;

/// Space between labels.
const SPACE: f64 = 8.0;
/// Height of a row of labels.
const ROW: f64 = 13.0;
/// Widest label of a level where not every level has one.
const MAX_LABEL: f64 = 90.0;
/// Narrowest room for a label in which every level has one.
const MIN_LABEL: f64 = 56.0;
/// Smallest ratio of the largest to the smallest number for which a logarithmic scale is worth it.
const MIN_LOG_RATIO: f64 = 8.0;
/// Share of a scale below and above which its middle value may not lie, or most levels would crowd
/// at one end.
const CROWDED: f64 = 0.15;

/// How levels are spaced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Spacing {
    /// Evenly, in their order.
    Even,
    /// By their size.
    Linear,
    /// By their logarithm.
    Logarithmic,
}

/// Returns the number that a level is; of values joined by `/` the first counts.
pub(super) fn number(level: &str) -> Option<f64> {
    level.split('/').next()?.parse().ok()
}

/// The positions of the levels of one axis.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Positions {
    pub(super) spacing: Spacing,
    /// Shares of the width, in the order of the levels.
    shares: Vec<f64>,
    frame: Frame,
}

impl Positions {
    /// Spaces `levels`, as they are shown, across `frame`.
    pub(super) fn of(levels: &[String], frame: Frame) -> Self {
        let numbers: Option<Vec<f64>> = levels.iter().map(|level| number(level)).collect();
        let numbers = numbers.filter(|numbers| numbers.iter().all(|number| number.is_finite()));
        let spacing = numbers.as_deref().map_or(Spacing::Even, Spacing::of);
        let shares = spacing.shares(levels.len(), &numbers.unwrap_or_default());
        Self { spacing, shares, frame }
    }

    /// Returns the position of a level.
    pub(super) fn at(&self, level: usize) -> f64 {
        let padding = 0.5 * self.frame.width / self.shares.len().clamp(1, 12) as f64;
        self.frame.left + padding + self.shares[level] * (self.frame.width - 2.0 * padding)
    }

    /// Returns the levels from left to right.
    pub(super) fn order(&self) -> Vec<usize> {
        let mut order: Vec<usize> = (0..self.shares.len()).collect();
        order.sort_by(|a, b| self.shares[*a].total_cmp(&self.shares[*b]));
        order
    }

    /// Returns the smallest distance between neighbours.
    pub(super) fn gap(&self) -> f64 {
        let order = self.order();
        let gaps = order.windows(2).map(|pair| self.at(pair[1]) - self.at(pair[0]));
        gaps.fold(self.frame.width, f64::min)
    }

    /// Returns the left and right end of what is nearer to a level than to any other.
    pub(super) fn reach(&self, level: usize) -> (f64, f64) {
        let order = self.order();
        let index = order.iter().position(|one| *one == level).unwrap_or(0);
        let middle = |a: usize, b: usize| 0.5 * (self.at(order[a]) + self.at(order[b]));
        let left = if index > 0 { middle(index - 1, index) } else { self.frame.left };
        let right =
            if index + 1 < order.len() { middle(index, index + 1) } else { self.frame.right() };
        (left, right)
    }

    /// Writes as many labels as fit beside each other below the frame. Where there is room for some of
    /// every label, it is cut to that, in two rows if labels would look alike in one.
    pub(super) fn label(&self, drawing: &mut Drawing, levels: &[String]) {
        let gap = self.gap();
        let of =
            |room: f64| -> Vec<String> { levels.iter().map(|level| fitted(level, room)).collect() };
        let (texts, rows) = if gap - SPACE < MIN_LABEL {
            (of(MAX_LABEL), 1)
        } else {
            let texts = of(gap - SPACE);
            let distinct: BTreeSet<&String> = texts.iter().collect();
            if distinct.len() == levels.len() { (texts, 1) } else { (of(2.0 * gap - SPACE), 2) }
        };
        let mut free = vec![f64::NEG_INFINITY; rows];
        for (index, level) in self.order().into_iter().enumerate() {
            let (row, text) = (index % rows, &texts[level]);
            // At the sides there is room for half a gap only.
            let half = 0.5 * text_width(text);
            let (left, right) = (self.frame.left + half, self.frame.right() - half);
            let x = if rows > 1 { self.at(level).min(right).max(left) } else { self.at(level) };
            if x - half < free[row] - 1e-6 {
                continue;
            }
            free[row] = x + half + SPACE;
            let y = self.frame.bottom() + 15.0 + ROW * row as f64;
            drawing.text("q", (x, y), Anchor::Middle, text);
        }
    }
}

impl Spacing {
    /// Chooses the spacing of numbers: the one on which their middle lies nearest to the middle.
    fn of(numbers: &[f64]) -> Self {
        let range = full_range(numbers.iter().copied()).filter(|(low, high)| high > low);
        let Some((low, high)) = range else { return Self::Even };
        let linear = (median(numbers) - low) / (high - low);
        if low > 0.0 && high / low >= MIN_LOG_RATIO && numbers.len() > 2 {
            let logarithms: Vec<f64> = numbers.iter().copied().map(f64::ln).collect();
            let middle = median(&logarithms);
            let logarithmic = (middle - low.ln()) / (high / low).ln();
            if (logarithmic - 0.5).abs() < (linear - 0.5).abs() {
                return Self::Logarithmic;
            }
        }
        let is_crowded = !(CROWDED..=1.0 - CROWDED).contains(&linear);
        if is_crowded { Self::Even } else { Self::Linear }
    }

    /// Returns the positions of so many levels as shares of the width.
    fn shares(self, levels: usize, numbers: &[f64]) -> Vec<f64> {
        let by = |measure: fn(f64) -> f64| {
            let values: Vec<f64> = numbers.iter().copied().map(measure).collect();
            let (low, high) = full_range(values.iter().copied()).unwrap_or((0.0, 1.0));
            values.iter().map(|value| (value - low) / (high - low)).collect()
        };
        match self {
            Self::Even if levels == 1 => vec![0.5],
            Self::Even => (0..levels).map(|level| level as f64 / (levels - 1) as f64).collect(),
            Self::Linear => by(|number| number),
            Self::Logarithmic => by(f64::ln),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn positions(levels: &[&str]) -> Positions {
        let levels: Vec<String> = levels.iter().map(|level| (*level).to_owned()).collect();
        Positions::of(&levels, Frame { left: 0.0, top: 0.0, width: 120.0, height: 10.0 })
    }

    #[test]
    fn powers_stand_evenly_on_a_logarithmic_axis() {
        let found = positions(&["0.0001", "0.001", "0.01", "0.1"]);
        assert_eq!(found.spacing, Spacing::Logarithmic);
        for (level, share) in [0.0, 1.0 / 3.0, 2.0 / 3.0, 1.0].into_iter().enumerate() {
            assert!((found.shares[level] - share).abs() < 1e-12, "{:?}", found.shares);
        }
        assert_eq!(positions(&["16", "32", "64", "128"]).spacing, Spacing::Logarithmic);
    }

    #[test]
    fn numbers_stand_at_their_size() {
        let found = positions(&["0", "5", "20"]);
        assert_eq!((found.spacing, &found.shares[..]), (Spacing::Linear, &[0.0, 0.25, 1.0][..]));
        assert_eq!(
            positions(&["1", "2", "3", "4", "5", "6", "7", "8", "9", "10"]).spacing,
            Spacing::Linear
        );
    }

    #[test]
    fn what_is_no_number_or_would_crowd_stands_in_its_order() {
        assert_eq!(positions(&["sgd", "adam", "lamb"]).shares, [0.0, 0.5, 1.0]);
        assert_eq!(positions(&["0", "0.001", "0.01", "1"]).spacing, Spacing::Even);
        assert_eq!(positions(&["3"]).shares, [0.5]);
    }

    #[test]
    fn labels_that_would_look_alike_have_two_rows() {
        let levels = ["rmsprop keras alpha 0.9", "rmsprop torch alpha 0.99", "sgd", "adam"];
        let levels = levels.map(str::to_owned);
        let frame = Frame { left: 0.0, top: 0.0, width: 280.0, height: 10.0 };
        let mut drawing = Drawing::default();
        Positions::of(&levels, frame).label(&mut drawing, &levels);
        let file = super::super::svg::Chart::new("x", "x", (1.0, 1.0), drawing).file();
        assert!(file.contains(">rmsprop keras") && file.contains(">rmsprop torch"), "{file}");
        assert!(file.contains("y=\"25\"") && file.contains("y=\"38\""), "{file}");
    }

    #[test]
    fn labels_never_overlap() {
        let levels: Vec<String> = (0..40).map(|level| format!("0.00{level:02}")).collect();
        let frame = Frame { left: 0.0, top: 0.0, width: 280.0, height: 10.0 };
        let mut drawing = Drawing::default();
        Positions::of(&levels, frame).label(&mut drawing, &levels);
        let file = super::super::svg::Chart::new("x", "x", (1.0, 1.0), drawing).file();
        let positions: Vec<f64> = file
            .split("<text class=\"q\" x=\"")
            .skip(1)
            .map(|rest| rest.split('"').next().unwrap().parse().unwrap())
            .collect();
        assert!(positions.len() > 2, "{positions:?}");
        assert!(
            positions.windows(2).all(|pair| pair[1] - pair[0] > text_width("0.0000")),
            "{positions:?}"
        );
    }
}
