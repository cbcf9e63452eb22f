//! A baseline of one command, from trials on seeds that no comparison has seen.

use std::path::Path;

use super::super::arguments::DuelArguments;
use super::super::failure::Failure;
use super::super::terminal::Terminal;
use super::Ring;
use super::contest::{Contest, MIN_VALUES};
use super::interrupted;
use crate::check::{Baseline, CellSample, Source};
use crate::session::results_folder;
use crate::store::atomic;

/// Runs a command on fresh seeds and writes their values as a baseline: those it won by are the
/// luckiest of their kind, and would raise the bar by that luck.
pub(super) fn save(
    contest: &Contest<'_>,
    command: usize,
    file: &Path,
    arguments: &DuelArguments,
    terminal: Terminal,
) -> Result<(), Failure> {
    let repeats = arguments.baseline_trials as usize;
    let fresh = contest.alone(command, contest.seed + 1);
    let folder = results_folder(None, &fresh.name());
    if !arguments.quiet {
        say!("{repeats} trials on fresh seeds for the baseline, in `{}`", folder.display());
    }
    let mut ring = Ring::open(&fresh, folder, arguments, terminal)?;
    if !ring.train(repeats, &[true])? {
        return Err(interrupted());
    }
    let cannot = || Failure::input(format!("cannot write a baseline to `{}`", file.display()));
    let results = ring.results.as_ref().expect("it was trained");
    let cells = CellSample::all(results, &ring.metric(), repeats as u32);
    let values = cells.first().map_or(0, |cell| cell.values.len());
    if values < MIN_VALUES {
        return Err(cannot().because_of(format!(
            "{values} of {repeats} trials gave a value, expected at least {MIN_VALUES}"
        )));
    }
    let baseline = Baseline::from_samples(Source::of(results), cells)
        .map_err(|error| cannot().because(&error))?;
    atomic::write_named(file, baseline.to_text().as_bytes())
        .map_err(|error| cannot().because(&error).hint(error.hint()))?;
    say!(
        "baseline of {values} trials on fresh seeds written to `{}`; the next: `bench duel COMMAND \
         --against {}`",
        file.display(),
        file.display()
    );
    Ok(())
}
