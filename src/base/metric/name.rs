//! Names of metrics.

use std::borrow::{Borrow, Cow};
use std::fmt;
use std::str::FromStr;

use serde::de::{self, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Columns of the trials table that no metric may take.
const TAKEN: [&str; 6] = ["cell", "repeat", "trial", "outcome", "reason", "path"];
/// The longest name.
const MAX_LENGTH: usize = 60;

/// The name of a metric: lower-case letters, digits and hyphens, such as `test-accuracy`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MetricName(Cow<'static, str>);

/// Says that a text is no name of a metric.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{found}` is no name of a metric, expected up to {MAX_LENGTH} lower-case letters, digits and \
     hyphens, beginning with a letter, other than {}", TAKEN.join(", ")
)]
pub struct MetricNameError {
    found: String,
}

impl MetricName {
    /// Share of test images classified correctly (of the ensemble, where there is one).
    pub const TEST_ACCURACY: Self = Self::known("test-accuracy");
    /// Mean cross-entropy on the test images.
    pub const TEST_LOSS: Self = Self::known("test-loss");
    /// Share of validation images classified correctly.
    pub const VALIDATION_ACCURACY: Self = Self::known("validation-accuracy");
    /// Mean cross-entropy on the validation images.
    pub const VALIDATION_LOSS: Self = Self::known("validation-loss");
    /// Share of training images classified correctly during the last (or restored) epoch.
    pub const TRAIN_ACCURACY: Self = Self::known("train-accuracy");
    /// Mean training cross-entropy of the last (or restored) epoch.
    pub const TRAIN_LOSS: Self = Self::known("train-loss");
    /// Mean test accuracy of the single members of the trial.
    pub(crate) const MEMBER_TEST_ACCURACY: Self = Self::known("member-test-accuracy");
    /// Epochs trained, mean over the members.
    pub const EPOCHS: Self = Self::known("epochs");
    /// Training time, summed over the members of the trial.
    pub const TRAIN_SECONDS: Self = Self::known("train-seconds");
    /// Training images per second of training time.
    pub const IMAGES_PER_SECOND: Self = Self::known("images-per-second");
    /// Computed size of one member's weights, optimizer state and buffers, without images or the
    /// process.
    pub const PEAK_MEMORY: Self = Self::known("peak-memory-mib");

    /// Time from the start of a program to its end.
    pub(crate) const WALL_SECONDS: Self = Self::known("wall-seconds");
    /// Processor time that a program spent in its own code.
    pub(crate) const USER_SECONDS: Self = Self::known("user-seconds");
    /// Processor time that the system spent on a program's behalf.
    pub(crate) const SYSTEM_SECONDS: Self = Self::known("system-seconds");

    /// Times of a program as a process: none of one machine can be held against one of another.
    pub(crate) const PROCESS_TIMES: [Self; 3] =
        [Self::WALL_SECONDS, Self::USER_SECONDS, Self::SYSTEM_SECONDS];
    /// Times of processes are compared as ratios; shorter ones than this count as this.
    pub(crate) const SHORTEST_SECONDS: f64 = 1e-6;

    /// Every name that stands above.
    const BUILT_IN: [Self; 14] = [
        Self::TEST_ACCURACY,
        Self::TEST_LOSS,
        Self::VALIDATION_ACCURACY,
        Self::VALIDATION_LOSS,
        Self::TRAIN_ACCURACY,
        Self::TRAIN_LOSS,
        Self::MEMBER_TEST_ACCURACY,
        Self::EPOCHS,
        Self::TRAIN_SECONDS,
        Self::IMAGES_PER_SECOND,
        Self::PEAK_MEMORY,
        Self::WALL_SECONDS,
        Self::USER_SECONDS,
        Self::SYSTEM_SECONDS,
    ];

    /// What a training cost: the machine decides these, not the seed alone.
    pub(crate) const COSTS: [Self; 3] =
        [Self::TRAIN_SECONDS, Self::IMAGES_PER_SECOND, Self::PEAK_MEMORY];

    /// Returns the text of a name that stands in the code.
    pub(crate) fn built_in(&self) -> Option<&'static str> {
        match self.0 {
            Cow::Borrowed(name) => Some(name),
            Cow::Owned(_) => None,
        }
    }

    const fn known(name: &'static str) -> Self {
        Self(Cow::Borrowed(name))
    }

    /// Returns the text.
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns the snake-case name used in table columns.
    pub(crate) fn column(&self) -> String {
        self.0.replace('-', "_")
    }

    /// Returns the name as words, such as `test accuracy`.
    pub(crate) fn words(&self) -> String {
        self.0.replace('-', " ")
    }
}

impl FromStr for MetricName {
    type Err = MetricNameError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let is_plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        let is_name = text.starts_with(|c: char| c.is_ascii_lowercase())
            && text.len() <= MAX_LENGTH
            && text.chars().all(is_plain)
            && !TAKEN.contains(&text);
        if is_name {
            Ok(Self(Cow::Owned(text.to_owned())))
        } else {
            Err(MetricNameError { found: text.to_owned() })
        }
    }
}

impl fmt::Display for MetricName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Borrow<str> for MetricName {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl Serialize for MetricName {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for MetricName {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct NameVisitor;

        impl Visitor<'_> for NameVisitor {
            type Value = MetricName;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("the name of a metric")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<MetricName, E> {
                // A journal holds these a million times.
                match MetricName::BUILT_IN.iter().find(|known| known.as_str() == text) {
                    Some(known) => Ok(known.clone()),
                    None => text.parse().map_err(E::custom),
                }
            }
        }

        deserializer.deserialize_str(NameVisitor)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_a_word_that_can_name_a_column() {
        let name: MetricName = "latency-p99".parse().unwrap();
        assert_eq!((name.column().as_str(), name.words().as_str()), ("latency_p99", "latency p99"));
        for text in ["", "Latency", "test accuracy", "9lives", "repeat", "a_b", &"a".repeat(61)] {
            assert!(text.parse::<MetricName>().is_err(), "{text}");
        }
        assert_eq!("test-loss".parse::<MetricName>(), Ok(MetricName::TEST_LOSS));
    }
}
