//! How the cells of a section stand to each other: which have a result, which may be the best, which
//! lost trials.

use super::document::{CellLine, Counts, Section};
use super::numbers::counted;

impl Section {
    /// Returns how many cells have a value of the report's metric: only those are compared.
    pub(super) fn compared(&self) -> usize {
        self.cells.iter().filter(|cell| cell.summary.is_some()).count()
    }

    /// Returns how many cells beside the one that is named the best may be the best.
    pub(super) fn inseparable_others(&self) -> usize {
        let best = self.findings.best.map(|best| best.cell);
        let may_be =
            |(index, cell): &(usize, &CellLine)| cell.inseparable_from_best && Some(*index) != best;
        self.cells.iter().enumerate().filter(may_be).count()
    }

    /// Returns a cell that lost trials and has a better mean than the cell that is named the best.
    pub(super) fn passed_over(&self) -> Option<usize> {
        passed_over(&self.cells, self.findings.best?.cell, self.metric.sign())
    }

    /// Says what the best mean is the best of, for sentences that name it.
    pub(super) fn best_of_what(&self) -> &'static str {
        if self.passed_over().is_some() { "best mean without lost trials" } else { "best mean" }
    }

    /// Returns whether every cell with a result gave the same in all its trials.
    pub(super) fn is_deterministic(&self) -> bool {
        let mut known = self.cells.iter().filter(|cell| cell.summary.is_some()).peekable();
        known.peek().is_some() && known.all(|cell| cell.is_deterministic)
    }

    /// Says why there is nothing to compare; empty where any trial has a value.
    pub(super) fn why_empty(&self) -> Option<String> {
        let counts = self.counts;
        if self.compared() > 0 {
            return None;
        }
        Some(if counts.completed > 0 {
            format!("measured by none of {}", counted(counts.completed, "completed trial"))
        } else if counts.lost() == 0 {
            "no trial has completed yet".to_owned()
        } else if counts.unfinished == 0 {
            "every trial ended without a result".to_owned()
        } else {
            "no trial has completed yet, and some ended without a result".to_owned()
        })
    }
}

/// Returns a cell that lost trials and has a better mean than `best`, the one that is named the best.
pub(super) fn passed_over(cells: &[CellLine], best: usize, sign: f64) -> Option<usize> {
    let mean = |cell: &CellLine| Some(sign * cell.summary.as_ref()?.mean);
    let named = mean(&cells[best])?;
    let better = |cell: &CellLine| cell.counts.lost() > 0 && mean(cell) > Some(named);
    (0..cells.len()).filter(|cell| better(&cells[*cell])).max_by(|a, b| {
        let means = [a, b].map(|cell| mean(&cells[*cell]).unwrap_or(named));
        means[0].total_cmp(&means[1])
    })
}

impl Counts {
    /// Says how trials ended that gave no result, for example `2 failed, 1 diverged`.
    pub(super) fn ways_lost(&self) -> String {
        let kinds =
            [(self.failed, "failed"), (self.diverged, "diverged"), (self.timed_out, "timed out")];
        let kinds = kinds.iter().filter(|(count, _)| *count > 0);
        kinds.map(|(count, kind)| format!("{count} {kind}")).collect::<Vec<_>>().join(", ")
    }

    /// Says how many of the trials were lost, for example `2 of 5 lost`; nothing where none was.
    pub(super) fn lost_of_planned(&self) -> Option<String> {
        (self.lost() > 0).then(|| format!("{} of {} lost", self.lost(), self.planned))
    }
}
