//! `bench history`, and the line that `bench check --history` appends.

use std::fs::OpenOptions;
use std::io::Write as _;
use std::path::Path;

use super::arguments::{HistoryArguments, HistoryFormat};
use super::failure::{Exit, Failure};
use crate::base::text::harmless;
use crate::check::history::{HistoryLine, WORN_OUT, html, looks_at, read_history, svg, terminal};
use crate::check::{CheckReport, Warning};
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
        Some(path) => {
            let commands = arguments.format == HistoryFormat::Html;
            atomic::write_named(path, harmless(&written, commands).as_bytes())
                .map_err(|error| Failure::unwritable("the history", &error))?;
        }
        None => out!("{written}"),
    }
    Ok(Exit::Done)
}

/// Warns in `report` where the history says that the baseline was looked at too often.
pub(super) fn count_looks(path: &Path, report: &mut CheckReport, baseline: &str) {
    // A history that is not there yet has no looks.
    let text = std::fs::read_to_string(path).unwrap_or_default();
    let looks = looks_at(&text, baseline, &report.candidate.origin.date);
    if looks > WORN_OUT {
        report.warnings.push(Warning::WornOut { looks });
    }
}

/// Appends what `report` says to the history at `path`.
pub(super) fn append(path: &Path, report: &CheckReport, baseline: String) -> Result<(), Failure> {
    let cannot = |error: &std::io::Error| {
        Failure::input(format!("cannot append to the history `{}`", path.display())).because(error)
    };
    atomic::check_way(path).map_err(|error| Failure::unwritable("the history", &error))?;
    let mut file =
        OpenOptions::new().create(true).append(true).open(path).map_err(|error| cannot(&error))?;
    let line = harmless(&HistoryLine::of(report, Some(baseline)).to_text(), true);
    file.write_all(line.as_bytes()).and_then(|()| file.sync_data()).map_err(|error| cannot(&error))
}
