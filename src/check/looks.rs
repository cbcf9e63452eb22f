//! When an escalating check looks at its trials, and how strictly each time.

use gridbench_stats::obrien_fleming;

/// Looks at a growing candidate: at n, 2n, 4n trials a cell and so on. The baseline stays.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Looks {
    /// Repeats of the candidate at the first look.
    pub first: u32,
    /// Looks that may be taken in all, at least 1; their number is fixed before the first.
    pub count: usize,
}

impl Looks {
    /// How often `bench check --escalate` looks.
    pub const ESCALATED: usize = 3;

    /// One look at everything there is.
    #[must_use]
    pub fn single() -> Self {
        Self { first: 1, count: 1 }
    }

    /// Returns the repeats of the candidate at a look, counted from 0.
    #[must_use]
    pub fn repeats(&self, look: usize) -> u32 {
        u32::try_from(u64::from(self.first) << look.min(31)).unwrap_or(u32::MAX)
    }

    /// Returns the one-sided level of every look at a cell whose test has `alpha` in all.
    ///
    /// The information of a look is 1 / (1/m + 1/n) for m trials in the baseline and n in the
    /// candidate.
    pub(super) fn levels(&self, alpha: f64, in_baseline: usize) -> Vec<f64> {
        let fixed = 1.0 / in_baseline.max(1) as f64;
        let information: Vec<f64> = (0..self.count)
            .map(|look| 1.0 / (fixed + 1.0 / f64::from(self.repeats(look).max(1))))
            .collect();
        // Where counts are beyond a u32 the information stands still; Bonferroni is safe even then.
        obrien_fleming(alpha, &information)
            .unwrap_or_else(|| vec![alpha / self.count as f64; self.count])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_look_doubles_the_repeats() {
        let looks = Looks { first: 5, count: 3 };
        assert_eq!([0, 1, 2].map(|look| looks.repeats(look)), [5, 10, 20]);
    }

    #[test]
    fn a_single_look_has_the_whole_level() {
        assert_eq!(Looks::single().levels(0.05, 7), [0.05]);
    }

    #[test]
    fn levels_follow_the_information_of_a_fixed_baseline() {
        // Ten in the baseline, 10, 20 and 40 in the candidate: 5, 6.67 and 8 units of information;
        // the last of the levels that SciPy gives in `stats::sequential`.
        let levels = Looks { first: 10, count: 3 }.levels(0.05, 10);
        assert!((levels[2] / 0.040_036_019_597_364_27 - 1.0).abs() < 1e-5, "{levels:?}");
    }
}
