//! Arguments of the commands that look at what is there: `list`, `show`, `diff`, `schema`,
//! `completions`, `manual`.

use std::path::PathBuf;

use clap::Args;
use clap_complete::Shell;

#[derive(Debug, Args)]
pub(in crate::cli) struct ListArguments {
    /// Folder that holds results folders, or one results folder.
    #[arg(default_value = "results")]
    pub(in crate::cli) folder: PathBuf,
    /// Write JSON to standard output.
    #[arg(long)]
    pub(in crate::cli) json: bool,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct ShowArguments {
    /// Results folder of one experiment.
    pub(in crate::cli) folder: PathBuf,
    /// The cell: its axis values (`optimizer=adam shift=0.1`), or the first digits of its id, or of
    /// the id of one of its trials or networks [default: the best cell].
    #[arg(value_name = "SELECTOR")]
    pub(in crate::cli) selector: Vec<String>,
    /// Write JSON to standard output.
    #[arg(long)]
    pub(in crate::cli) json: bool,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct LogsArguments {
    /// Results folder of one experiment.
    pub(in crate::cli) folder: PathBuf,
    /// The cell, as for `bench show` [default: every worker, and all trials that did not complete].
    #[arg(value_name = "SELECTOR")]
    pub(in crate::cli) selector: Vec<String>,
    /// Last lines of each file.
    #[arg(long, short = 'n', value_name = "N", default_value_t = 10)]
    pub(in crate::cli) lines: usize,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct DiffArguments {
    /// An experiment file, or a results folder.
    pub(in crate::cli) a: PathBuf,
    /// Another experiment file or results folder.
    pub(in crate::cli) b: PathBuf,
    /// Write JSON to standard output.
    #[arg(long)]
    pub(in crate::cli) json: bool,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct CompletionsArguments {
    /// The shell.
    #[arg(value_enum)]
    pub(in crate::cli) shell: Shell,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct ManualArguments {
    /// Folder for the pages of all commands, such as `~/.local/share/man/man1` [default: print the
    /// page of `bench`].
    #[arg(long, short, value_name = "DIR")]
    pub(in crate::cli) output: Option<PathBuf>,
}
