//! Cells that mean the same under different names.
//!
//! Their trials have the same members and the same result, so a comparison that takes them for
//! independent counts one result twice.

use std::fmt;

/// Pairs named in one message.
pub(super) const MAX_NAMED: usize = 5;

/// Cells that mean the same as an earlier one.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Twins {
    /// Number of cells that repeat another.
    pub count: usize,
    /// The first few.
    pub named: Vec<TwinPair>,
}

/// A cell and the one it repeats.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct TwinPair {
    /// Name of the cell.
    pub cell: String,
    /// Name of the earlier cell that trains the same networks.
    pub means: String,
    /// Values of either that change nothing, each with its reason.
    pub because: Vec<String>,
}

impl fmt::Display for Twins {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let verb = if self.count == 1 { "trains" } else { "train" };
        write!(f, "{} of the cells {verb} the same networks as another", self.count)?;
        for TwinPair { cell, means, because } in &self.named {
            write!(f, "\n  `{cell}` means `{means}`")?;
            if !because.is_empty() {
                write!(f, " ({})", because.join("; "))?;
            }
        }
        write!(
            f,
            "\n  hint: exclude one of each pair, or let an axis exist only where it matters with \
             `[[grid.when]]`"
        )
    }
}

impl std::error::Error for Twins {}
