//! Arguments, printing and exit codes: the only module that talks to a person.
//!
//! Owns the wording of failures and progress. Decides nothing about training, statistics or files.
//! Invariant: standard output carries data, standard error everything else; both through `streams`.
#[macro_use]
mod streams;

mod adopt;
mod arguments;
mod cancel;
mod check;
mod compare;
mod confirm;
mod crew;
mod data;
mod diff;
mod doctor;
mod duel;
mod experiment;
mod export;
mod failure;
mod folders;
mod history;
mod import;
mod init;
mod list;
mod logs;
mod model_arguments;
mod notices;
mod panics;
mod patience;
mod plan;
mod power;
mod predict;
mod progress;
mod report;
mod run;
mod shell;
mod show;
mod signals;
mod status;
mod submit;
mod tensorboard;
mod terminal;
mod upkeep;
mod version;
mod view;
mod watch;
mod worker;

use std::process::ExitCode;

use clap::FromArgMatches as _;

use arguments::{Arguments, Command};
use failure::{Exit, Failure};

/// Runs the program: reads the arguments of the process, carries out the command, and returns the
/// exit code.
#[must_use]
pub fn main() -> ExitCode {
    let typed: Vec<std::ffi::OsString> = std::env::args_os().collect();
    let matches = arguments::command().try_get_matches_from(&typed);
    let arguments = match matches.and_then(|matches| Arguments::from_arg_matches(&matches)) {
        Ok(arguments) => arguments,
        Err(error) => arguments::with_suggestion(error, &typed).exit(),
    };
    patience::watch();
    let exit = panics::reported(|| carry_out(arguments)).unwrap_or_else(|failure| {
        say!("{failure}");
        failure.exit()
    });
    ExitCode::from(streams::close(exit) as u8)
}

fn carry_out(arguments: Arguments) -> Result<Exit, Failure> {
    let terminal = terminal::Terminal::of(arguments.color);
    streams::allow_colors(terminal.color);
    let _quiet = arguments.command.is_quiet().then(patience::mute);
    match arguments.command {
        Command::Init(arguments) => init::init(&arguments),
        Command::Plan(arguments) => plan::plan(&arguments),
        Command::Run(arguments) => run::run(&arguments, terminal),
        Command::Worker(arguments) => worker::worker(&arguments, terminal),
        Command::Submit(arguments) => submit::submit(&arguments),
        Command::Cancel(arguments) => cancel::cancel(&arguments),
        Command::Watch(arguments) => watch::watch(&arguments, terminal),
        Command::Logs(arguments) => logs::show(&arguments),
        Command::Status(arguments) => status::status(&arguments),
        Command::List(arguments) => list::list(&arguments, terminal),
        Command::Show(arguments) => show::show(&arguments, terminal),
        Command::Diff(arguments) => diff::diff(&arguments, terminal),
        Command::Report(arguments) => report::report(&arguments, terminal),
        Command::Baseline(arguments) => check::baseline(&arguments),
        Command::Check(arguments) => check::check(&arguments, terminal),
        Command::History(arguments) => history::history(&arguments),
        Command::Doctor(arguments) => doctor::doctor(&arguments),
        Command::Adopt(arguments) => adopt::adopt(&arguments),
        Command::Duel(arguments) => duel::duel(&arguments, terminal),
        Command::Compare(arguments) => compare::compare(&arguments, terminal),
        Command::Confirm(arguments) => confirm::confirm(&arguments, terminal),
        Command::Tensorboard(arguments) => tensorboard::tensorboard(&arguments),
        Command::Import(arguments) => import::import(&arguments, terminal),
        Command::Export(arguments) => export::export(&arguments),
        Command::Predict(arguments) => predict::predict(&arguments),
        Command::Migrate(arguments) => upkeep::migrate(&arguments),
        Command::Clean(arguments) => upkeep::clean(&arguments),
        Command::Data(command) => data::data(command, terminal),
        Command::Devices => data::devices(),
        Command::Schema => {
            outln!("{:#}", crate::experiment::schema());
            Ok(Exit::Done)
        }
        Command::Completions(arguments) => Ok(shell::completions(&arguments)),
        Command::Manual(arguments) => shell::manual(&arguments),
    }
}
