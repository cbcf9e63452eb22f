//! `bench watch`: a live table of a results folder, from anywhere it is seen.

use std::path::Path;
use std::time::Duration;

use super::arguments::{StatusArguments, WatchArguments};
use super::failure::{Exit, Failure};
use super::status::show;
use super::streams::clear_screen;
use super::terminal::Terminal;
use crate::report::{Page, Subject, render_grids};
use crate::session::Reading;

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
        show_grids(&arguments.folder, terminal)?;
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

/// Prints the grids as far as they are filled; nothing before the first trial has a value.
fn show_grids(folder: &Path, terminal: Terminal) -> Result<(), Failure> {
    let results = Reading::open(folder)?.results;
    if results.cells.iter().any(|cell| cell.completed().next().is_some()) {
        let page = Page { width: terminal.width, colour: terminal.color };
        out!("{}", render_grids(Subject::from(&results), page));
    }
    Ok(())
}
