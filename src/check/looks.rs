//! When an escalating check looks at its trials, after how many repeats.

/// Looks at a growing candidate: at n, 2n, 4n trials per cell and so on. The baseline stays.
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
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_look_doubles_the_repeats() {
        let looks = Looks { first: 5, count: 3 };
        assert_eq!([0, 1, 2].map(|look| looks.repeats(look)), [5, 10, 20]);
    }
}
