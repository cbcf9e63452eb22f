//! Units: the factor by which a number is printed, and what is printed behind it.

use std::borrow::Cow;
use std::fmt;

use serde::{Deserialize, Serialize};

/// What the numbers of a metric mean, by the name of the unit.
///
/// A `fraction` is printed in percent, its differences in percentage points; any other unit is printed
/// as it is, also one that nobody here has heard of.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Unit(Cow<'static, str>);

/// How the numbers of a unit are printed.
struct Style {
    /// Name of the unit.
    name: &'static str,
    /// What a number is multiplied by.
    factor: f64,
    /// What stands behind a value.
    of_values: &'static str,
    /// What stands behind a difference of values.
    of_differences: &'static str,
    /// Fewest and most decimals.
    decimals: (usize, usize),
    /// Whether the machine decides the number, not the seed alone.
    is_cost: bool,
}

const STYLES: [Style; 10] = [
    style("fraction", 100.0, "%", "points", (2, 4), false),
    style("percent", 1.0, "%", "points", (2, 4), false),
    style("nats", 1.0, "", "nats", (3, 6), false),
    style("count", 1.0, "", "", (1, 2), false),
    style("s", 1.0, "s", "s", (1, 4), true),
    style("ms", 1.0, "ms", "ms", (1, 4), true),
    style("images/s", 1.0, "images/s", "images/s", (0, 1), true),
    style("MiB", 1.0, "MiB", "MiB", (0, 1), true),
    style("GiB", 1.0, "GiB", "GiB", (1, 3), true),
    style("B", 1.0, "B", "B", (0, 1), true),
];

const fn style(
    name: &'static str,
    factor: f64,
    of_values: &'static str,
    of_differences: &'static str,
    decimals: (usize, usize),
    is_cost: bool,
) -> Style {
    Style { name, factor, of_values, of_differences, decimals, is_cost }
}

impl Unit {
    /// A fraction from 0 to 1.
    pub(crate) const FRACTION: Self = Self(Cow::Borrowed("fraction"));
    /// Cross-entropy.
    pub(crate) const NATS: Self = Self(Cow::Borrowed("nats"));
    /// Seconds of wall-clock time.
    pub(crate) const SECONDS: Self = Self(Cow::Borrowed("s"));
    /// Training images per second.
    pub(crate) const IMAGES_PER_SECOND: Self = Self(Cow::Borrowed("images/s"));
    /// Mebibytes of memory.
    pub(crate) const MEBIBYTES: Self = Self(Cow::Borrowed("MiB"));
    /// A plain count.
    pub(crate) const COUNT: Self = Self(Cow::Borrowed("count"));

    /// Returns the unit of this name.
    pub(crate) fn named(name: &str) -> Self {
        Self(Cow::Owned(name.to_owned()))
    }

    /// Returns its name.
    pub(crate) fn name(&self) -> &str {
        &self.0
    }

    /// Returns what a number is multiplied by where it is printed.
    #[must_use]
    pub fn factor(&self) -> f64 {
        self.style().map_or(1.0, |style| style.factor)
    }

    /// Returns what stands behind a printed value: nothing, or a space and the unit.
    #[must_use]
    pub fn of_values(&self) -> String {
        spaced(self.style().map_or(&self.0, |style| style.of_values))
    }

    /// Returns what stands behind a printed difference: nothing, or a space and the unit.
    pub(crate) fn of_differences(&self) -> String {
        spaced(self.style().map_or(&self.0, |style| style.of_differences))
    }

    /// Returns the fewest and the most decimals that are printed.
    pub(crate) fn decimals(&self) -> (usize, usize) {
        self.style().map_or((0, 6), |style| style.decimals)
    }

    /// Returns whether the machine decides the number, not the seed alone.
    pub(crate) fn is_cost(&self) -> bool {
        self.style().map_or_else(|| self.0.ends_with("/s"), |style| style.is_cost)
    }

    fn style(&self) -> Option<&'static Style> {
        STYLES.iter().find(|style| style.name == self.0)
    }
}

fn spaced(unit: &str) -> String {
    if unit.is_empty() { String::new() } else { format!(" {unit}") }
}

impl fmt::Display for Unit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fraction_is_printed_in_percent_and_its_differences_in_points() {
        let unit = Unit::FRACTION;
        assert_eq!((unit.factor() as i32, unit.of_values().as_str()), (100, " %"));
        assert_eq!(unit.of_differences(), " points");
        assert!(!unit.is_cost() && Unit::SECONDS.is_cost());
    }

    #[test]
    fn a_unit_nobody_knows_is_printed_as_it_is_called() {
        let unit = Unit::named("requests/s");
        assert_eq!(
            (unit.of_values(), unit.of_differences()),
            (" requests/s".into(), " requests/s".into())
        );
        assert!(unit.is_cost() && !Unit::named("BLEU").is_cost());
    }
}
