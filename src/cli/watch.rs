//! `bench watch`: a live table of a results folder, from anywhere it is seen.

use std::time::Duration;

use super::arguments::{StatusArguments, WatchArguments};
use super::failure::{Exit, Failure};
use super::status::show;
use super::streams::clear_screen;
use super::terminal::Terminal;

/// Shortest time between two looks.
const SHORTEST: Duration = Duration::from_millis(500);

pub(super) fn watch(arguments: &WatchArguments, terminal: Terminal) -> Result<Exit, Failure> {
    let looking = StatusArguments::of(arguments.folder.clone());
    let mut looks = 0;
    loop {
        if terminal.color {
            clear_screen();
        }
        let is_done = show(&looking)?;
        looks += 1;
        if is_done || arguments.count.is_some_and(|count| looks >= count) {
            return Ok(Exit::Done);
        }
        if !terminal.color {
            outln!();
        }
        std::thread::sleep(arguments.every.max(SHORTEST));
    }
}
