//! How strictly every look is judged.

use std::cell::RefCell;
use std::collections::BTreeMap;

use super::super::sequential::obrien_fleming;
use super::Gate;

/// The level of every look, by O'Brien and Fleming's bounds.
///
/// Information is 1 / (1/m + 1/n) for m trials in the baseline and n in the candidate, or n where
/// they are paired.
pub(super) struct Levels<'a> {
    gate: &'a Gate,
    known: RefCell<BTreeMap<(u64, usize), Vec<f64>>>,
}

impl<'a> Levels<'a> {
    pub(super) fn new(gate: &'a Gate) -> Self {
        Self { gate, known: RefCell::default() }
    }

    /// Returns the one-sided level at `look` of a test that has `alpha` over all looks.
    pub(super) fn at(&self, alpha: f64, n_baseline: usize, look: usize) -> f64 {
        let looks = &self.gate.looks;
        if looks.len() == 1 {
            return alpha;
        }
        let mut known = self.known.borrow_mut();
        let levels = known.entry((alpha.to_bits(), n_baseline)).or_insert_with(|| {
            let fixed = if self.gate.is_paired { 0.0 } else { 1.0 / n_baseline.max(1) as f64 };
            let information: Vec<f64> =
                looks.iter().map(|&n| 1.0 / (fixed + 1.0 / n.max(1) as f64)).collect();
            // Where information stands still, Bonferroni is safe even then.
            obrien_fleming(alpha, &information)
                .unwrap_or_else(|| vec![alpha / looks.len() as f64; looks.len()])
        });
        levels[look]
    }
}
