//! What each axis does, as data.

use serde::Serialize;

use gridbench_stats::{MarginalMean, TwoWayAnova};

/// The means of the levels of one axis, or of axes that move together.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct AxisEffect {
    /// Indices of the section's axes; several where they move together.
    pub axes: Vec<usize>,
    /// Labels of the axes, joined.
    pub label: String,
    /// The levels in grid order.
    pub levels: Vec<Level>,
    /// Whether every level was tried with the same values of the other axes; otherwise the levels
    /// differ in more than this axis.
    pub balanced: bool,
}

/// One level of an axis.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct Level {
    /// Its values, joined.
    pub value: String,
    /// Cells with a completed trial.
    pub cells: usize,
    /// Completed trials.
    pub trials: usize,
    /// Mean of the cell means with its interval; absent where no cell has two trials.
    pub mean: Option<MarginalMean>,
}

/// The analysis of variance of one grid: rows, columns and their interaction.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct GridVariance {
    /// Index of the section's grid.
    pub grid: usize,
    /// What rows, columns and their interaction explain.
    pub analysis: TwoWayAnova,
}
