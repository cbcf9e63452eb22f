//! `bench completions` and `bench manual`: what a shell and a reader of manuals take from the
//! command line itself.

use std::path::Path;

use clap::Command;
use clap_mangen::Man;

use super::arguments::{CompletionsArguments, ManualArguments, command};
use super::failure::{Exit, Failure};
use crate::store::atomic;

pub(super) fn completions(arguments: &CompletionsArguments) -> Exit {
    let mut script = Vec::new();
    clap_complete::generate(arguments.shell, &mut command(), "bench", &mut script);
    out!("{}", String::from_utf8_lossy(&script));
    Exit::Done
}

pub(super) fn manual(arguments: &ManualArguments) -> Result<Exit, Failure> {
    let mut command = command().disable_help_subcommand(true);
    command.build();
    let Some(folder) = &arguments.output else {
        out!("{}", page(&command)?);
        return Ok(Exit::Done);
    };
    let written = write_pages(&command, folder)?;
    outln!("wrote {written} pages to `{}`", folder.display());
    Ok(Exit::Done)
}

/// Writes the page of a command and of every one below it; returns their number.
fn write_pages(command: &Command, folder: &Path) -> Result<usize, Failure> {
    let file = folder.join(format!("{}.1", page_name(command)));
    atomic::write_named(&file, page(command)?.as_bytes())
        .map_err(|error| Failure::unwritable("the manual", &error))?;
    let mut written = 1;
    for inner in command.get_subcommands().filter(|inner| !inner.is_hide_set()) {
        written += write_pages(inner, folder)?;
    }
    Ok(written)
}

/// Returns the name of a command's page: `bench-data-fetch`.
fn page_name(command: &Command) -> String {
    command.get_display_name().unwrap_or_else(|| command.get_name()).to_owned()
}

fn page(command: &Command) -> Result<String, Failure> {
    let mut text = Vec::new();
    Man::new(command.clone())
        .title(page_name(command))
        .source(format!("bench {}", env!("CARGO_PKG_VERSION")))
        .manual("bench")
        .render(&mut text)
        .map_err(|error| Failure::internal("cannot write the manual").because(&error))?;
    // What stands at the end of a help has its own headings.
    let headings = [
        (".SH EXTRA\nExamples:\n", ".SH EXAMPLES\n"),
        ("\nVerdicts:\n", "\n.SH VERDICTS\n"),
        ("\nExit codes: ", "\n.SH EXIT CODES\n"),
        ("\nEnvironment: ", "\n.SH ENVIRONMENT\n"),
    ];
    let text = String::from_utf8_lossy(&text).into_owned();
    Ok(headings.iter().fold(text, |text, (found, heading)| text.replace(found, heading)))
}
