//! `bench list`: the experiments of a folder, one line each.

use serde_json::json;

use super::arguments::ListArguments;
use super::failure::{Exit, Failure};
use super::streams;
use super::terminal::Terminal;
use crate::base::format;
use crate::report::Page;
use crate::report::listing::{ListedExperiment, render};
use crate::session::{Reading, folders_below};
use crate::store::Lock;

pub(super) fn list(arguments: &ListArguments, terminal: Terminal) -> Result<Exit, Failure> {
    let mut experiments = Vec::new();
    let mut unreadable = None;
    for folder in folders_below(&arguments.folder)? {
        match Reading::open(&folder) {
            Ok(Reading { results, .. }) => {
                let is_running = Lock::is_held(&folder);
                let shown = folder.display().to_string();
                experiments.push(ListedExperiment::of(shown, &results, is_running));
            }
            // The others are listed all the same.
            Err(error) => {
                let failure = Failure::from(error);
                say!("{}", failure.as_warning());
                unreadable = Some(failure.exit());
            }
        }
    }
    if arguments.json {
        streams::document(format::LIST, &json!({ "experiments": experiments }));
    } else if !experiments.is_empty() {
        let page = Page { width: terminal.width, colour: terminal.color };
        out!("{}", render(&experiments, page));
    }
    Ok(unreadable.unwrap_or(Exit::Done))
}
