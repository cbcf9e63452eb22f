//! `bench show`: everything of one cell.

use super::arguments::ShowArguments;
use super::failure::{Exit, Failure};
use super::streams;
use super::terminal::Terminal;
use crate::base::format;
use crate::report::Page;
use crate::session::{Reading, cell_sheet};

pub(super) fn show(arguments: &ShowArguments, terminal: Terminal) -> Result<Exit, Failure> {
    let reading = Reading::open(&arguments.folder)?;
    let sheet = cell_sheet(&reading, &arguments.selector.join(" "))?;
    if arguments.json {
        streams::document(format::CELL, &sheet);
    } else {
        out!("{}", sheet.render(Page { width: terminal.width, colour: terminal.color }));
    }
    Ok(Exit::Done)
}
