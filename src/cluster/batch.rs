//! A batch that was claimed, and what a worker is told to do next.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

/// How long and how widely a worker looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Patience {
    /// A claimant whose journal has not grown for so long is taken for dead.
    pub lease: Duration,
    /// Watchers that are wanted among those without work.
    pub watchers: u32,
    /// Lanes that a worker without work looks at.
    pub look: u32,
    /// Lanes that a watcher looks at each time.
    pub sweep: u32,
}

impl Default for Patience {
    fn default() -> Self {
        Self { lease: Duration::from_mins(5), watchers: 16, look: 12, sweep: 48 }
    }
}

/// A batch that was claimed by this process. Written `lane/batch.attempt`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Claimed {
    /// Its lane.
    pub lane: u32,
    /// Its index in the lane.
    pub batch: u32,
    /// Index of the claim, from 1: earlier claimants died or left.
    pub attempt: u32,
}

impl fmt::Display for Claimed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}.{}", self.lane, self.batch, self.attempt)
    }
}

impl FromStr for Claimed {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let parsed = || {
            let (lane, rest) = text.split_once('/')?;
            let (batch, attempt) = rest.split_once('.')?;
            let (lane, batch) = (lane.parse().ok()?, batch.parse().ok()?);
            Some(Self { lane, batch, attempt: attempt.parse().ok()? })
        };
        parsed().ok_or(())
    }
}

/// What a worker is to do next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Step {
    /// Train this batch.
    Train(Claimed),
    /// All batches are done, and this worker is the one that writes the tables.
    Close(Claimed),
    /// Ask again at once: one operation on the folder was done.
    Again,
    /// Ask again after so long.
    Wait(Duration),
    /// There is nothing to do for this worker; asked again, it looks again.
    Leave,
}
