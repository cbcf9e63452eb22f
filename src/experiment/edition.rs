//! What an experiment file means by the keys that it leaves out.

use super::layers::NormStatistics;
use super::settings::OptimizerConvention;

/// The defaults of a time. A results folder keeps the file as typed; read with later defaults it
/// would be another experiment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Edition {
    /// Until engine revision 4: optimizers by torch's formulas, batch normalization by running
    /// averages.
    Revision4,
    /// Today's, as experiments/README.md has them.
    #[default]
    Current,
}

impl Edition {
    /// Returns the defaults of an engine revision.
    #[must_use]
    pub fn of(engine_revision: &str) -> Self {
        match engine_revision.parse::<u32>() {
            Ok(revision) if revision < 5 => Self::Revision4,
            _ => Self::Current,
        }
    }

    pub(super) fn convention(self) -> OptimizerConvention {
        match self {
            Self::Revision4 => OptimizerConvention::Torch,
            Self::Current => OptimizerConvention::Keras,
        }
    }

    pub(super) fn statistics(self) -> NormStatistics {
        match self {
            Self::Revision4 => NormStatistics::Running,
            Self::Current => NormStatistics::default(),
        }
    }
}
