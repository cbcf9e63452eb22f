//! Metric names: what was measured, on which split, in which unit, and which way is better.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A part of the data.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Split {
    /// The images the weights are fitted to.
    Train,
    /// The images that choose epochs and settings.
    Validation,
    /// The images that only measure.
    Test,
}

/// What the numbers of a metric mean.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// A fraction from 0 to 1, printed in percent.
    Fraction,
    /// Mean cross-entropy in nats.
    Nats,
    /// Seconds of wall-clock time.
    Seconds,
    /// Training images per second.
    ImagesPerSecond,
    /// Mebibytes of memory.
    Mebibytes,
    /// A plain count.
    Count,
}

/// Which way a metric is better.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// Larger is better.
    Maximize,
    /// Smaller is better.
    Minimize,
}

/// A number measured once per trial.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Metric {
    /// Share of test images classified correctly (of the ensemble, where there is one).
    TestAccuracy,
    /// Mean cross-entropy on the test images.
    TestLoss,
    /// Share of validation images classified correctly.
    ValidationAccuracy,
    /// Mean cross-entropy on the validation images.
    ValidationLoss,
    /// Share of training images classified correctly during the last (or restored) epoch.
    TrainAccuracy,
    /// Mean training cross-entropy of the last (or restored) epoch.
    TrainLoss,
    /// Mean test accuracy of the single members of the trial.
    MemberTestAccuracy,
    /// Training time, summed over the members of the trial.
    TrainSeconds,
    /// Training images per second of training time.
    ImagesPerSecond,
    /// Computed size of one member's weights, optimizer state and buffers, without images or the
    /// process.
    #[serde(rename = "peak-memory-mib")]
    PeakMemory,
    /// Epochs trained, mean over the members.
    Epochs,
}

impl Metric {
    /// Every metric, in the order of the tables.
    pub const ALL: [Self; 11] = [
        Self::TestAccuracy,
        Self::TestLoss,
        Self::ValidationAccuracy,
        Self::ValidationLoss,
        Self::TrainAccuracy,
        Self::TrainLoss,
        Self::MemberTestAccuracy,
        Self::Epochs,
        Self::TrainSeconds,
        Self::ImagesPerSecond,
        Self::PeakMemory,
    ];

    /// Returns the kebab-case name used in experiment files.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::TestAccuracy => "test-accuracy",
            Self::TestLoss => "test-loss",
            Self::ValidationAccuracy => "validation-accuracy",
            Self::ValidationLoss => "validation-loss",
            Self::TrainAccuracy => "train-accuracy",
            Self::TrainLoss => "train-loss",
            Self::MemberTestAccuracy => "member-test-accuracy",
            Self::TrainSeconds => "train-seconds",
            Self::ImagesPerSecond => "images-per-second",
            Self::PeakMemory => "peak-memory-mib",
            Self::Epochs => "epochs",
        }
    }

    /// Returns the snake-case name used in table columns.
    #[must_use]
    pub fn column(self) -> String {
        self.name().replace('-', "_")
    }

    /// Returns the unit.
    #[must_use]
    pub fn unit(self) -> Unit {
        match self {
            Self::TestAccuracy
            | Self::ValidationAccuracy
            | Self::TrainAccuracy
            | Self::MemberTestAccuracy => Unit::Fraction,
            Self::TestLoss | Self::ValidationLoss | Self::TrainLoss => Unit::Nats,
            Self::TrainSeconds => Unit::Seconds,
            Self::ImagesPerSecond => Unit::ImagesPerSecond,
            Self::PeakMemory => Unit::Mebibytes,
            Self::Epochs => Unit::Count,
        }
    }

    /// Returns the smallest and largest value there can be.
    #[must_use]
    pub fn range(self) -> (f64, f64) {
        match self.unit() {
            Unit::Fraction => (0.0, 1.0),
            _ => (0.0, f64::INFINITY),
        }
    }

    /// Returns which way is better.
    #[must_use]
    pub fn direction(self) -> Direction {
        match self.unit() {
            Unit::Fraction | Unit::ImagesPerSecond => Direction::Maximize,
            Unit::Nats | Unit::Seconds | Unit::Mebibytes | Unit::Count => Direction::Minimize,
        }
    }

    /// Returns whether the value depends on the clock or the machine rather than on the seed alone.
    #[must_use]
    pub fn is_measured_cost(self) -> bool {
        matches!(self, Self::TrainSeconds | Self::ImagesPerSecond | Self::PeakMemory)
    }
}

impl fmt::Display for Metric {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Metric {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .into_iter()
            .find(|metric| metric.name() == text)
            .ok_or_else(|| format!("unknown metric `{text}`"))
    }
}
