//! `bench history`, and the line that `bench check --history` appends.

use std::fs::OpenOptions;
use std::io::Write as _;
use std::path::Path;

use super::arguments::{HistoryArguments, HistoryFormat};
use super::failure::{Exit, Failure};
use crate::check::CheckReport;
use crate::check::history::{HistoryLine, html, read_history, svg, terminal};
use crate::store::atomic;

pub(super) fn history(arguments: &HistoryArguments) -> Result<Exit, Failure> {
    let shown = arguments.file.display();
    let cannot = || Failure::input(format!("cannot read history `{shown}`"));
    let text = std::fs::read_to_string(&arguments.file).map_err(|error| {
        cannot()
            .because(&error)
            .hint(Some(format!("`bench check … --history {shown}` writes a line per check")))
    })?;
    let series = read_history(&text).map_err(|error| cannot().because(&error))?;
    let written = match arguments.format {
        HistoryFormat::Terminal => terminal(&series),
        HistoryFormat::Svg => svg(&series),
        HistoryFormat::Html => html(&series),
        HistoryFormat::Json => {
            serde_json::to_string_pretty(&series).expect("a series has text keys only") + "\n"
        }
    };
    match &arguments.output {
        Some(path) => atomic::write_named(path, written.as_bytes())
            .map_err(|error| Failure::unwritable("the history", &error))?,
        None => out!("{written}"),
    }
    Ok(Exit::Done)
}

/// Appends what `report` says to the history at `path`.
pub(super) fn append(path: &Path, report: &CheckReport) -> Result<(), Failure> {
    let cannot = |error: &std::io::Error| {
        Failure::input(format!("cannot append to the history `{}`", path.display())).because(error)
    };
    let mut file =
        OpenOptions::new().create(true).append(true).open(path).map_err(|error| cannot(&error))?;
    let line = HistoryLine::of(report).to_text();
    file.write_all(line.as_bytes()).and_then(|()| file.sync_data()).map_err(|error| cannot(&error))
}
