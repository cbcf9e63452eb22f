//! Metrics: what was measured, on which split, in which unit, and which way is better.
//!
//! A metric is declared by whoever measures it: the built-in engines bring [`Metric::of_classifiers`],
//! other trainers their own. Nothing else knows which metrics there are; it asks the declaration.

mod classifiers;
mod name;
mod unit;
mod values;

use serde::{Deserialize, Serialize};

pub use name::{MetricName, MetricNameError};
pub use unit::Unit;
pub use values::Metrics;

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

impl Split {
    /// Returns its name in metrics and files.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Train => "train",
            Self::Validation => "validation",
            Self::Test => "test",
        }
    }
}

/// Which way a metric is better.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Direction {
    /// Larger is better.
    Maximize,
    /// Smaller is better.
    Minimize,
}

/// The smallest and the largest value there can be; absent where there is no end.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct Range(pub Option<f64>, pub Option<f64>);

impl Range {
    /// Returns the two ends, infinite where there is none.
    pub(crate) fn ends(self) -> (f64, f64) {
        (self.0.unwrap_or(f64::NEG_INFINITY), self.1.unwrap_or(f64::INFINITY))
    }
}

/// A number measured once per trial, as declared.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Metric {
    /// Name, as used in experiment files and journals.
    pub name: MetricName,
    /// The part of the data it is measured on; absent where it is of the training itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub split: Option<Split>,
    /// What its numbers mean.
    pub unit: Unit,
    /// Which way it is better.
    pub direction: Direction,
    /// The values there can be.
    #[serde(default)]
    pub range: Range,
    /// Whether it is a number of the split's images over their number, as an accuracy is: then its
    /// steps, and the spread that so few images cause, are known.
    #[serde(default, skip_serializing_if = "is_false")]
    pub counts_images: bool,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn is_false(value: &bool) -> bool {
    !value
}

impl Metric {
    /// Returns whether it can have this value. One without an upper end may also be no number, as a
    /// loss that overflows is.
    #[must_use]
    pub fn can_be(&self, value: f64) -> bool {
        let (least, most) = self.range.ends();
        (least..=most).contains(&value) || value.is_nan() && most.is_infinite()
    }

    /// Says which of `values` is none that its metric, of those declared, can have.
    pub(crate) fn impossible(declared: &[Self], values: &Metrics) -> Option<String> {
        declared.iter().find_map(|metric| {
            let value = *values.get(&metric.name)?;
            (!metric.can_be(value)).then(|| metric.refusal(value))
        })
    }

    /// Says that a value is none that it can have.
    pub(crate) fn refusal(&self, value: f64) -> String {
        let (least, most) = self.range.ends();
        format!("`{}` is {value}, expected {least} to {most}", self.name)
    }

    /// Returns whether larger values are better.
    pub(crate) fn is_maximized(&self) -> bool {
        self.direction == Direction::Maximize
    }

    /// Returns 1 where larger values are better, else −1: times a value, more is better.
    #[must_use]
    pub fn sign(&self) -> f64 {
        if self.is_maximized() { 1.0 } else { -1.0 }
    }

    /// Returns the name of the same number on another split, such as `validation-accuracy` for
    /// `test-accuracy`; nothing for a metric whose name does not begin with its split.
    pub(crate) fn on(&self, split: Split) -> Option<MetricName> {
        let rest = self.name.as_str().strip_prefix(self.split?.name())?;
        format!("{}{rest}", split.name()).parse().ok()
    }

    /// Returns whether it is a share of the test images that were counted.
    pub(crate) fn counts_test_images(&self) -> bool {
        self.counts_images && self.split == Some(Split::Test)
    }

    /// Returns whether `other` means the same numbers, whatever its range.
    pub(crate) fn agrees_with(&self, other: &Self) -> bool {
        (&self.name, &self.unit, self.direction) == (&other.name, &other.unit, other.direction)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_declaration_survives_json_and_says_no_more_than_it_must() {
        for metric in Metric::of_classifiers() {
            let text = serde_json::to_string(&metric).unwrap();
            assert_eq!(serde_json::from_str::<Metric>(&text).unwrap(), metric, "{text}");
        }
        let text = r#"{"name":"latency","unit":"ms","direction":"minimize"}"#;
        let latency: Metric = serde_json::from_str(text).unwrap();
        assert_eq!((latency.split, latency.range.ends().1), (None, f64::INFINITY));
        assert!(!latency.is_maximized() && !latency.counts_images);
    }

    #[test]
    fn no_accuracy_is_five_hundred_percent_and_a_loss_may_overflow() {
        let metrics = Metric::of_classifiers();
        let (accuracy, loss) = (&metrics[0], &metrics[1]);
        for value in [-0.1, 5.0, f64::NAN, f64::INFINITY] {
            assert!(!accuracy.can_be(value), "{value}");
        }
        assert!(accuracy.can_be(0.0) && accuracy.can_be(1.0));
        assert!(loss.can_be(f64::NAN) && loss.can_be(f64::INFINITY) && !loss.can_be(-1.0));
        assert_eq!(accuracy.refusal(5.0), "`test-accuracy` is 5, expected 0 to 1");
    }
}
